#!/usr/bin/env python3
"""List the flows of rdump's files, written from docs/format.md alone.

    rdread.py FILE...            one JSON object a flow: the fields that have a chunk in its block
    rdread.py --info FILE...     one JSON object a file: header, blocks, encodings, footer

Needs Python 3.8 and nothing else; files compressed with zstd need Python 3.14 or the module `zstandard`. Every checksum is
checked, and so is that ranges and filters agree with the values. Exit status: 0; 1 if a file is damaged (what is
sound is listed all the same); 3 if zstd is needed and missing.
"""

import ipaddress
import json
import struct
import sys

FILE_MAGIC = b"\x89RDF\r\n\x1a\n"
BLOCK_MAGIC = b"RDBk"
FOOTER_MAGIC = b"RDFt"
END_MAGIC = b"\x89RDFend\n"

# Fields: number, name, kind. In the order of their numbers, from 0.
FIELDS = [line.split() for line in """
0 groups u64
1 first_ms u64
2 last_ms u64
3 received_ms u64
4 src_addr ip
5 dst_addr ip
6 src_port u16
7 dst_port u16
8 proto u8
9 tcp_flags u8
10 fwd_status u8
11 src_tos u8
12 in_packets u64
13 in_bytes u64
14 record_flags u8
15 nf_version u8
16 engine_type u8
17 engine_id u8
18 exporter_id u16
19 input u32
20 output u32
21 src_mask u8
22 dst_mask u8
23 direction u8
24 dst_tos u8
25 biflow_dir u8
26 flow_end_reason u8
27 flows u64
28 out_packets u64
29 out_bytes u64
30 src_vlan u32
31 dst_vlan u32
32 src_as u32
33 dst_as u32
34 bgp_next_hop ip
35 next_hop ip
36 router_addr ip
37 mpls1 u32
38 mpls2 u32
39 mpls3 u32
40 mpls4 u32
41 mpls5 u32
42 mpls6 u32
43 mpls7 u32
44 mpls8 u32
45 mpls9 u32
46 mpls10 u32
47 in_src_mac u64
48 out_dst_mac u64
49 in_dst_mac u64
50 out_src_mac u64
51 next_as u32
52 prev_as u32
53 client_latency_us u64
54 server_latency_us u64
55 app_latency_us u64
56 sampler_id u64
57 event_time_ms u64
58 conn_id u32
59 fw_xevent u16
60 fw_event u8
61 xlate_src_addr ip
62 xlate_dst_addr ip
63 xlate_src_port u16
64 xlate_dst_port u16
65 ingress_acl u32
66 ingress_ace u32
67 ingress_xace u32
68 egress_acl u32
69 egress_ace u32
70 egress_xace u32
71 user_name bytes
72 nat_event u8
73 nat_pool_id u32
74 pblock_start u16
75 pblock_end u16
76 pblock_step u16
77 pblock_size u16
78 app_id bytes
79 label bytes
80 in_payload bytes
81 out_payload bytes
82 tunnel_src_addr ip
83 tunnel_dst_addr ip
84 tunnel_proto u32
85 observation_point_id u64
86 observation_domain_id u32
87 frame_size u16
88 link_type u16
89 frame bytes
90 ingress_vrf u32
91 egress_vrf u32
92 pf_action u8
93 pf_reason u8
94 pf_dir u8
95 pf_rewritten u8
96 pf_rule u32
97 pf_subrule u32
98 pf_uid u32
99 pf_pid u32
100 pf_interface bytes
101 vlan_id u16
102 customer_vlan_id u16
103 post_vlan_id u16
104 post_customer_vlan_id u16
105 phys_input u32
106 phys_output u32
107 vxlan u64
108 ether_type u16
109 ip_version u8
110 flow_id u64
111 nokia_inside_sid u16
112 nokia_outside_sid u16
113 nokia_nat_string bytes
114 fragment_flags u8
115 min_ttl u8
116 max_ttl u8
117 security_group_tag u16
118 reverse_tcp_flags u8
""".split("\n") if line]

MASK = (1 << 64) - 1


class Damage(Exception):
    """The file is not as it was written."""


class NeedsZstd(Exception):
    """A chunk is compressed with zstd, and nothing here can decompress that."""


# --- checksum: XXH3, 64 bits, seed 0 -----------------------------------------------------------------------------

SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671f"
    "cb79e64eccc0e578825ad07dccff7221b8084674f743248ee03590e6813a264c"
    "3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364"
    "eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e"
    "2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
P32_1, P32_2, P32_3 = 0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D
P64_1, P64_2, P64_3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
P64_4, P64_5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5
PMX_1, PMX_2 = 0x165667919E3779F9, 0x9FB21C651E98DF25


def word32(data, at):
    return int.from_bytes(data[at:at + 4], "little")


def word64(data, at):
    return int.from_bytes(data[at:at + 8], "little")


def fold(a, b):
    product = a * b
    return (product & MASK) ^ (product >> 64)


def swap64(value):
    return int.from_bytes(value.to_bytes(8, "little"), "big")


def avalanche(value):
    value ^= value >> 37
    value = value * PMX_1 & MASK
    return value ^ value >> 32


def avalanche64(value):
    value ^= value >> 33
    value = value * P64_2 & MASK
    value ^= value >> 29
    value = value * P64_3 & MASK
    return value ^ value >> 32


def mix16(data, at, secret_at):
    return fold(word64(data, at) ^ word64(SECRET, secret_at), word64(data, at + 8) ^ word64(SECRET, secret_at + 8))


def xxh3(data):
    size = len(data)
    if size == 0:
        return avalanche64(word64(SECRET, 56) ^ word64(SECRET, 64))
    if size <= 3:
        combined = data[0] << 16 | data[size >> 1] << 24 | data[-1] | size << 8
        return avalanche64(combined ^ word32(SECRET, 0) ^ word32(SECRET, 4))
    if size <= 8:
        combined = (word32(data, size - 4) + (word32(data, 0) << 32)) ^ (word64(SECRET, 8) ^ word64(SECRET, 16))
        rotated = lambda bits: (combined << bits | combined >> (64 - bits)) & MASK
        value = combined ^ rotated(49) ^ rotated(24)
        value = value * PMX_2 & MASK
        value ^= (value >> 35) + size
        value = value * PMX_2 & MASK
        return value ^ value >> 28
    if size <= 16:
        low = word64(data, 0) ^ (word64(SECRET, 24) ^ word64(SECRET, 32))
        high = word64(data, size - 8) ^ (word64(SECRET, 40) ^ word64(SECRET, 48))
        return avalanche((size + swap64(low) + high + fold(low, high)) & MASK)
    if size <= 128:
        value = size * P64_1 & MASK
        for i in range((size - 1) // 32, -1, -1):
            value += mix16(data, 16 * i, 32 * i) + mix16(data, size - 16 * (i + 1), 32 * i + 16)
        return avalanche(value & MASK)
    if size <= 240:
        value = size * P64_1 & MASK
        for i in range(8):
            value += mix16(data, 16 * i, 16 * i)
        value = avalanche(value & MASK)
        for i in range(8, size // 16):
            value += mix16(data, 16 * i, 16 * (i - 8) + 3)
        value += mix16(data, size - 16, 136 - 17)
        return avalanche(value & MASK)
    lanes = [P32_3, P64_1, P64_2, P64_3, P64_4, P32_2, P64_5, P32_1]
    stripes_a_block = (len(SECRET) - 64) // 8

    def accumulate(at, secret_at):
        values = struct.unpack_from("<8Q", data, at)
        keys = struct.unpack_from("<8Q", SECRET, secret_at)
        for i in range(8):
            keyed = values[i] ^ keys[i]
            lanes[i ^ 1] = (lanes[i ^ 1] + values[i]) & MASK
            lanes[i] = (lanes[i] + (keyed & 0xFFFFFFFF) * (keyed >> 32)) & MASK

    blocks = (size - 1) // (stripes_a_block * 64)
    for block in range(blocks):
        for stripe in range(stripes_a_block):
            accumulate((block * stripes_a_block + stripe) * 64, stripe * 8)
        keys = struct.unpack_from("<8Q", SECRET, len(SECRET) - 64)
        for i in range(8):
            lanes[i] = (lanes[i] ^ lanes[i] >> 47 ^ keys[i]) * P32_1 & MASK
    start = blocks * stripes_a_block * 64
    for stripe in range((size - 1 - start) // 64):
        accumulate(start + stripe * 64, stripe * 8)
    accumulate(size - 64, len(SECRET) - 64 - 7)
    value = size * P64_1 & MASK
    for i in range(4):
        value += fold(lanes[2 * i] ^ word64(SECRET, 11 + 16 * i), lanes[2 * i + 1] ^ word64(SECRET, 19 + 16 * i))
    return avalanche(value & MASK)


def check(data, expected, what):
    if xxh3(data) != expected:
        raise Damage(f"checksum of {what}")


# --- numbers and addresses ---------------------------------------------------------------------------------------


class Cursor:
    """A place in some octets; reading beyond them is damage."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, size):
        if size > len(self.data) - self.at:
            raise Damage("too short")
        self.at += size
        return self.data[self.at - size:self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "little")

    def u8(self):
        return self.number(1)

    def varint(self):
        value = shift = 0
        while True:
            octet = self.u8()
            value |= (octet & 0x7F) << shift
            if octet < 0x80:
                if value > MASK:
                    raise Damage("a number of more than 64 bits")
                return value
            shift += 7

    def zigzag(self):
        value = self.varint()
        return value >> 1 ^ -(value & 1)

    def address(self):
        family = self.u8()
        if family not in (4, 6):
            raise Damage("address family")
        return ipaddress.ip_address(self.take(4 if family == 4 else 16))

    def ids(self):
        """Ascending numbers of fields: `next()` for each."""
        following = 0
        while True:
            number = following + self.varint()
            following = number + 1
            yield number

    def fields(self):
        count = self.varint()
        ids = self.ids()
        return [next(ids) for _ in range(count)]

    def done(self):
        return self.at == len(self.data)


def order(address):
    """Every IPv4 address sorts before every IPv6 address."""
    return address.version, int(address)


# --- packed numbers ----------------------------------------------------------------------------------------------


def bits_of(number):
    return number.bit_length()


def stream(cursor, width, count):
    """Numbers as a plain stream of bits."""
    whole = int.from_bytes(cursor.take((count * width + 7) // 8), "little")
    mask = (1 << width) - 1
    return [whole >> (i * width) & mask for i in range(count)]


def group(octets, width):
    """1024 numbers in lanes."""
    bits = 16 if width <= 16 else 32 if width <= 32 else 64
    lanes = 1024 // bits
    mask = (1 << width) - 1
    values = [0] * 1024
    for lane in range(lanes):
        whole = 0
        for line in range(width):
            at = line * 128 + lane * bits // 8
            whole |= int.from_bytes(octets[at:at + bits // 8], "little") << (line * bits)
        for row in range(bits):
            values[row * lanes + lane] = whole >> (row * width) & mask
    return values


def packed(cursor, width, count):
    if width > 64:
        raise Damage("width")
    values = []
    for _ in range(count // 1024):
        values += group(cursor.take(128 * width), width)
    return values + stream(cursor, width, count % 1024)


def sequence(cursor, count):
    width, high_width, base = cursor.u8(), cursor.u8(), cursor.varint()
    if width + high_width > 64:
        raise Damage("widths of a sequence")
    exceptions = cursor.varint() if high_width else 0
    values = packed(cursor, width, count)
    if exceptions:
        positions = stream(cursor, bits_of(count - 1), exceptions)
        highs = stream(cursor, high_width, exceptions)
        for position, high in zip(positions, highs):
            if position >= count:
                raise Damage("position of an exception")
            values[position] += high << width
    return [(base + value) & MASK for value in values]


# --- compression -------------------------------------------------------------------------------------------------


def lz4(data, size):
    """One block of the LZ4 block format."""
    out = bytearray()
    cursor = Cursor(data)

    def length(start):
        if start == 15:
            while True:
                octet = cursor.u8()
                start += octet
                if octet != 255:
                    break
        return start

    while True:
        token = cursor.u8()
        out += cursor.take(length(token >> 4))
        if cursor.done():
            break
        distance = cursor.number(2)
        if not 0 < distance <= len(out):
            raise Damage("LZ4 distance")
        for _ in range(length(token & 15) + 4):
            out.append(out[-distance])
        if len(out) > size:
            raise Damage("LZ4 length")
    if len(out) != size:
        raise Damage("LZ4 length")
    return bytes(out)


def zstd(data, size):
    try:
        from compression.zstd import decompress
    except ImportError:
        try:
            from zstandard import ZstdDecompressor
        except ImportError:
            raise NeedsZstd from None
        decompress = ZstdDecompressor().decompress
    out = decompress(data)
    if len(out) != size:
        raise Damage("zstd length")
    return out


# --- columns -----------------------------------------------------------------------------------------------------


def strings(cursor, count):
    return [cursor.take(size) for size in sequence(cursor, count)]


def ascending(cursor, count):
    values = [cursor.varint()]
    for gap in sequence(cursor, count - 1):
        values.append(values[-1] + gap + 1)
    return values


def distinct(cursor, kind):
    if kind == "bytes":
        return strings(cursor, cursor.varint())
    if kind != "ip":
        return ascending(cursor, cursor.varint())
    v4, v6 = cursor.varint(), cursor.varint()
    values = [ipaddress.IPv4Address(value) for value in ascending(cursor, v4)] if v4 else []
    if v6:
        uppers = [cursor.varint()]
        for step in sequence(cursor, v6 - 1):
            uppers.append(uppers[-1] + step)
        lowers = sequence(cursor, v6)
        values += [ipaddress.IPv6Address(upper << 64 | lower) for upper, lower in zip(uppers, lowers)]
    return values


def dictionary(cursor, kind, rows):
    values = distinct(cursor, kind)
    keys = [order(value) for value in values] if kind == "ip" else values
    if len(values) > rows or any(a >= b for a, b in zip(keys, keys[1:])):
        raise Damage("dictionary")
    codes = packed(cursor, cursor.u8(), rows)
    if max(codes) >= len(values):
        raise Damage("code")
    return [values[code] for code in codes]


ENCODINGS = ["constant", "packed", "delta", "relative", "dictionary", "strings"]
COMPRESSIONS = ["none", "lz4", "zstd"]
DEFAULTS = {"ip": ipaddress.IPv4Address(0), "bytes": b""}


def default(number):
    _, name, kind = FIELDS[number]
    return DEFAULTS.get(kind, 1 if name == "flows" else 0)


class Block:
    """One block: its directory at once, its columns when asked for."""

    def __init__(self, data):
        self.data = data
        directory_len = word32(data, 16)
        self.rows = word32(data, 4)
        self.directory_len = directory_len
        end = 32 + directory_len
        check(data[32:end - 8], word64(data, end - 8), "directory")
        cursor = Cursor(data[32:end - 8])
        self.rule = cursor.u8()
        self.totals = totals(cursor)
        self.chunks = {}
        ids = cursor.ids()
        for _ in range(cursor.varint()):
            number = next(ids)
            class_, encoding, compression = cursor.u8(), cursor.u8(), cursor.u8()
            stored = cursor.varint()
            size = cursor.varint() if compression else stored
            checksum = cursor.number(8) if stored else None
            self.chunks[number] = (class_, encoding, compression, end, stored, size, checksum, range_of(cursor, class_))
            end += stored
        self.filters = []
        for _ in range(cursor.varint()):
            kind, size = cursor.u8(), cursor.varint()
            self.filters.append((kind, end, size, cursor.fields()))
            end += size
        if end != len(data):
            raise Damage("length of a block")

    def column(self, number):
        if number not in self.chunks:
            return [default(number)] * self.rows
        class_, encoding, compression, start, stored, size, checksum, range_ = self.chunks[number]
        kind = FIELDS[number][2]
        payload = self.data[start:start + stored]
        if stored:
            check(payload, checksum, f"column {FIELDS[number][1]}")
        if compression == 1:
            payload = lz4(payload, size)
        elif compression == 2:
            payload = zstd(payload, size)
        elif compression:
            raise Damage("compression")
        cursor = Cursor(payload)
        rows = self.rows
        if encoding == 0:
            values = [range_[0] if range_ else cursor.take(size)] * rows
        elif encoding == 1:
            values = sequence(cursor, rows)
        elif encoding == 2:
            value, values = cursor.varint(), []
            for delta in sequence(cursor, rows):
                value = (value + (delta >> 1 ^ -(delta & 1))) & MASK
                values.append(value)
        elif encoding == 3:
            other, shift = self.column(cursor.varint()), cursor.zigzag()
            values = [(a + b + shift) & MASK for a, b in zip(sequence(cursor, rows), other)]
        elif encoding == 4:
            values = dictionary(cursor, kind, rows)
        elif encoding == 5:
            values = strings(cursor, rows)
        else:
            raise Damage("encoding")
        if not cursor.done():
            raise Damage("octets left over")
        if range_:
            key = order if kind == "ip" else lambda value: value
            if (min(values, key=key), max(values, key=key)) != range_:
                raise Damage(f"range of {FIELDS[number][1]}")
        return values

    def check_filters(self):
        """No address that is there may be ruled out."""
        for kind, start, size, fields in self.filters:
            buckets = self.data[start:start + size - 8]
            check(buckets, word64(self.data, start + size - 8), "filter")
            for number in fields:
                for address in set(self.column(number)):
                    if kind == 1 and not may_contain(buckets, address):
                        raise Damage("filter lacks an address")

    def names(self):
        return [(number, FIELDS[number][1]) for number in sorted(self.chunks) if number < len(FIELDS)]


SALTS = [0x47B6137B, 0x44974D91, 0x8824AD5B, 0xA2B7289D, 0x705495C7, 0x2DF1424B, 0x9EFC4947, 0x5C6BFB31]


def may_contain(buckets, address):
    value = xxh3(address.packed)
    bucket = (value >> 32) * (len(buckets) // 32) >> 32
    for j, salt in enumerate(SALTS):
        bit = ((value & 0xFFFFFFFF) * salt & 0xFFFFFFFF) >> 27
        if not word32(buckets, bucket * 32 + 4 * j) >> bit & 1:
            return False
    return True


def range_of(cursor, class_):
    if class_ == 0:
        low = cursor.varint()
        return low, low + cursor.varint()
    if class_ == 1:
        return cursor.address(), cursor.address()
    return None


TOTALS = [f"{what}_{proto}" for what in ("flows", "packets", "bytes") for proto in ("tcp", "udp", "icmp", "other")]
TOTALS += ["flows", "packets", "bytes", "first_ms", "last_ms", "sequence_failures"]
LEDGER = ["datagrams", "flows", "sequence_failures", "missed", "kernel_drops", "queue_drops", "no_template", "malformed", "refused"]


def totals(cursor):
    return {name: cursor.varint() for name in TOTALS}


def ledger(cursor):
    return {name: cursor.varint() for name in LEDGER}


# --- files -------------------------------------------------------------------------------------------------------


def file_header(data):
    if data[:8] != FILE_MAGIC:
        raise Damage("not a flow file")
    major, minor, size = struct.unpack_from("<HHI", data, 8)
    if major > 1:
        raise Damage(f"format version {major}.{minor} is newer than this reader")
    check(data[:size - 8], word64(data, size - 8), "file header")
    created, rule, compression, level, ident_len = struct.unpack_from("<QBBbxH", data, 16)
    ident = data[32:32 + ident_len].decode()
    return size, {"created_ms": created, "rule": rule, "compression": compression, "level": level, "ident": ident}


def name_list(content):
    """Names that exporters announced, or None where they cannot be decompressed here."""
    compression, size = content.u8(), content.varint()
    stored = content.take(len(content.data) - content.at)
    try:
        cursor = Cursor([lambda stored, _: stored, lz4, zstd][compression](stored, size))
    except NeedsZstd:
        return None
    names = []
    for _ in range(cursor.varint()):
        name = {"exporter": cursor.varint(), "kind": cursor.u8(), "id": cursor.take(cursor.varint()).hex()}
        names.append({**name, "name": cursor.take(cursor.varint()).decode()})
    return names


def footer(data):
    """What the footer tells, or None for a file without a sound one."""
    if data[-8:] != END_MAGIC or len(data) < 32:
        return None
    size, major, _, file_len, checksum = struct.unpack_from("<IHHQQ", data, len(data) - 32)
    start = len(data) - 32 - size
    if major != 1 or file_len != len(data) or start < 0 or xxh3(data[start:-16]) != checksum:
        return None
    cursor = Cursor(data[start:-32])
    if cursor.take(4) != FOOTER_MAGIC:
        return None
    told = {"blocks": [], "exporters": [], "samplers": [], "names": [], "exported": []}
    while not cursor.done():
        section = cursor.u8()
        content = Cursor(cursor.take(cursor.varint()))
        if section == 1:
            told["created_ms"] = content.varint()
            told["rule"], told["compression"], told["level"] = struct.unpack("<BBb", content.take(3))
            told["ident"] = content.take(content.varint()).decode()
            told["totals"], told["ledger"] = totals(content), ledger(content)
            told["ledger"]["unwritten"] = 0 if content.done() else content.varint()
        elif section == 2:
            end = 0
            while not content.done():
                offset, size, directory_len, rows = end + content.varint(), content.varint(), content.varint(), content.varint()
                end = offset + size
                ids = content.ids()
                ranges = {}
                for _ in range(content.varint()):
                    number = next(ids)
                    ranges[number] = range_of(content, content.u8())
                filters = []
                for _ in range(content.varint()):
                    filters.append((content.u8(), content.varint(), content.varint(), content.fields()))
                told["blocks"].append((offset, size, directory_len, rows, ranges, filters))
        elif section == 3:
            for _ in range(content.varint()):
                exporter = {"sysid": content.varint(), "version": content.varint(), "addr": str(content.address())}
                exporter.update(domain=content.varint(), ledger=ledger(content))
                told["exporters"].append(exporter)
        elif section == 4:
            for _ in range(content.varint()):
                sampler = {"exporter": content.varint(), "id": content.zigzag()}
                sampler.update(algorithm=content.varint(), interval=content.varint(), space=content.varint())
                told["samplers"].append(sampler)
        elif section == 64:
            told["names"] = name_list(content)
        elif section == 65:
            for _ in range(content.varint()):
                told["exported"].append({name: content.varint() for name in ("exporter", "octets", "messages", "flows")})
        elif section < 64:
            return None
    return told


def blocks(data, start, complain):
    """Every sound block, by walking."""
    at = start
    while at < len(data) and data[at:at + 4] != FOOTER_MAGIC:
        header = data[at:at + 32]
        if len(header) < 32 or (header[:4] == BLOCK_MAGIC and xxh3(header[:24]) == word64(header, 24)
                                and at + word64(header, 8) > len(data)):
            complain(f"block at byte {at} is incomplete")
            return
        if header[:4] != BLOCK_MAGIC or xxh3(header[:24]) != word64(header, 24):
            complain(f"block at byte {at}: header is damaged")
            at += 1
            while at < len(data) and not (data[at:at + 4] == BLOCK_MAGIC
                                          and xxh3(data[at:at + 24]) == word64(data, at + 24)):
                at += 1
            continue
        size = word64(header, 8)
        try:
            yield at, Block(data[at:at + size])
        except Damage as damage:
            complain(f"block at byte {at}: {damage}")
        at += size


def printable(value):
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, int) else str(value)


def same(told, walked):
    """Whether the footer tells of the blocks what the blocks themselves do."""
    here = [(at, len(b.data), b.directory_len, b.rows, {n: c[7] for n, c in b.chunks.items()}, b.filters) for at, b in walked]
    return here == told


def read_file(path, info, complain):
    with open(path, "rb") as file:
        data = file.read()
    start, header = file_header(data)
    told = footer(data)
    walked = list(blocks(data, start, complain))
    if told and not same(told["blocks"], walked):
        complain("the footer does not agree with the blocks")
    if info:
        summary = {"finished": told is not None, "header": header, "blocks": []}
        for at, block in walked:
            chunks = {name: [ENCODINGS[block.chunks[number][1]], COMPRESSIONS[block.chunks[number][2]]]
                      for number, name in block.names()}
            summary["blocks"].append({"offset": at, "rows": block.rows, "chunks": chunks,
                                      "filters": [fields for _, _, _, fields in block.filters]})
        if told:
            summary.update((key, told[key]) for key in ("totals", "ledger", "exporters", "samplers", "names", "exported"))
        print(json.dumps(summary))
        return
    for at, block in walked:
        try:
            columns = [(name, block.column(number)) for number, name in block.names()]
            block.check_filters()
        except Damage as damage:
            complain(f"block at byte {at}: {damage}")
            continue
        for row in range(block.rows):
            print(json.dumps({name: printable(column[row]) for name, column in columns}))


def main(arguments):
    info = "--info" in arguments
    status = 0
    for path in (argument for argument in arguments if argument != "--info"):

        def complain(what):
            nonlocal status
            status = 1
            print(f"rdread.py: {path}: {what}", file=sys.stderr)

        try:
            read_file(path, info, complain)
        except NeedsZstd:
            print(f"rdread.py: {path}: zstd needs Python 3.14 or the module zstandard", file=sys.stderr)
            return 3
        except (Damage, OSError) as error:
            complain(error)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
