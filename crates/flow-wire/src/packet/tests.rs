//! Frames made up for tests, and what is found in them.

#![expect(clippy::indexing_slicing, reason = "a panic is a failed test")]

use super::*;
use crate::vectors::octets;

const DST: [u8; 6] = [2, 0, 0, 0, 0, 0x0d];
const SRC: [u8; 6] = [2, 0, 0, 0, 0, 0x05];

const MACS: Option<Macs> = Some(Macs { src: 0x0200_0000_0005, dst: 0x0200_0000_000d });

/// A frame with types, tags and labels between addresses and `packet`.
fn frame(between: &[u8], packet: &[u8]) -> Vec<u8> {
    [&DST[..], &SRC, between, packet].concat()
}

/// An IPv4 packet from 192.0.2.1 to 198.51.100.7; the third word has flags and fragment offset.
fn v4(proto: u8, fragment: u16, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let header_len = 20 + options.len();
    let total = (header_len + payload.len()) as u16;
    let mut packet = octets![0x40 | (header_len / 4) as u8, 0x2eu8, total, 9u16, fragment, 64u8, proto, 0u16];
    packet.extend([192, 0, 2, 1, 198, 51, 100, 7]);
    packet.extend(options);
    packet.extend(payload);
    packet
}

/// An IPv6 packet from 2001:db8::1 to 2001:db8::7, traffic class 0x2e.
fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let addr = |last: u128| (0x2001_0db8_u128 << 96) | last;
    let mut packet = octets![0x62e1_2345_u32, payload.len() as u16, next, 64u8, addr(1), addr(7)];
    packet.extend(payload);
    packet
}

/// From port 40000 to 443, with SYN and ACK.
fn tcp() -> Vec<u8> {
    octets![40_000u16, 443u16, 1u32, 2u32, 0x50u8, 0x12u8, 512u16, 0u32]
}

fn tcp_over(src: &str, dst: &str) -> Ip {
    Ip {
        src: Some(src.parse().unwrap()),
        dst: Some(dst.parse().unwrap()),
        proto: 6,
        tos: 0x2e,
        src_port: 40_000,
        dst_port: 443,
        tcp_flags: 0x12,
    }
}

fn tcp_over_v4() -> Ip {
    tcp_over("192.0.2.1", "198.51.100.7")
}

fn tcp_over_v6() -> Ip {
    tcp_over("2001:db8::1", "2001:db8::7")
}

fn dissect(link: LinkType, octets: &[u8], tunnels: Tunnels) -> Packet {
    let mut packet = Packet::default();
    packet.read(link, octets, tunnels);
    packet
}

fn closed(link: LinkType, octets: &[u8]) -> Packet {
    dissect(link, octets, Tunnels::Closed)
}

fn ethernet(between: &[u8], packet: &[u8]) -> Packet {
    closed(LinkType::Ethernet, &frame(between, packet))
}

fn labels(entries: &[u32]) -> Labels {
    let mut labels = Labels::default();
    for &entry in entries {
        labels.push(entry);
    }
    labels
}

#[test]
fn both_families_with_options() {
    let packet = ethernet(&[8, 0], &v4(6, 0x4000, &[1; 8], &tcp()));
    assert_eq!(packet, Packet { macs: MACS, ip: Some(tcp_over_v4()), ..Packet::default() });
    assert_eq!(ethernet(&[0x86, 0xdd], &v6(6, &tcp())).ip, Some(tcp_over_v6()));
}

#[test]
fn every_kind_of_tag_and_the_innermost_identifier() {
    for tag in [0x8100u16, 0x88a8, 0x9100, 0x9200, 0x9300] {
        let packet =
            ethernet(&octets![tag, 0xe426u16, 0x8100u16, 0x05d5u16, 0x0800u16], &v4(6, 0, &[], &tcp()));
        assert_eq!((packet.vlan, packet.ip), (Some(1493), Some(tcp_over_v4())), "{tag:x}");
    }
    // The tag is known even when nothing follows it.
    assert_eq!(ethernet(&octets![0x8100u16, 7u16], &[]).vlan, Some(7));
}

#[test]
fn service_access_points_and_snap() {
    let snap = octets![100u16, 0xaaaa_0300_u32, 0u16, 0x0800u16];
    assert_eq!(ethernet(&snap, &v4(6, 0, &[], &tcp())).ip, Some(tcp_over_v4()));
    // Behind a tag, too; but a length behind SNAP is none.
    let tagged = [&octets![0x8100u16, 7u16][..], &snap].concat();
    assert_eq!(ethernet(&tagged, &v4(6, 0, &[], &tcp())).ip, Some(tcp_over_v4()));
    let nested = octets![100u16, 0xaaaa_0300_u32, 0u16, 100u16];
    assert_eq!(ethernet(&nested, &v4(6, 0, &[], &tcp())).ip, None);
    // Spanning tree.
    assert_eq!(ethernet(&octets![38u16, 0x4242_0300_u32], &[0; 34]).ip, None);
    let llc = [&octets![0xaaaa_0300_u32, 0u16, 0x86ddu16][..], &v6(6, &tcp())].concat();
    assert_eq!(closed(LinkType::Llc, &llc).ip, Some(tcp_over_v6()));
}

#[test]
fn label_stacks() {
    let stack = octets![0x8847u16, 0x0001_00ffu32, 0x0002_e1feu32];
    let packet = ethernet(&stack, &v4(6, 0, &[], &tcp()));
    assert_eq!((packet.labels, packet.ip), (labels(&[0x0100, 0x02e1]), Some(tcp_over_v4())));
    assert_eq!((packet.labels.get(1), packet.labels.get(2)), (0x02e1, 0));
    let bare = [&octets![0x0001_01ffu32][..], &v6(6, &tcp())].concat();
    assert_eq!(closed(LinkType::Mpls, &bare).ip, Some(tcp_over_v6()));
    // A pseudowire's control word is no IP header.
    let wire = ethernet(&octets![0x8848u16, 0x0001_01ffu32, 0u32], &[2; 60]);
    assert_eq!((wire.labels, wire.ip), (labels(&[0x0101]), None));
    // More than there are fields for; and one without a bottom.
    let deep = ethernet(
        &[&[0x88, 0x47][..], &octets![0x0001_00ffu32].repeat(14), &octets![0x0003_01ffu32]].concat(),
        &v4(6, 0, &[], &tcp()),
    );
    assert_eq!((deep.labels, deep.ip), (labels(&[0x0100; 10]), Some(tcp_over_v4())));
    assert_eq!(ethernet(&octets![0x8847u16, 0x0001_00ffu32, 5u16], &[]).labels, labels(&[0x0100]));
}

#[test]
fn point_to_point_lines() {
    let pppoe = octets![0x8864u16, 0x1100_0007_u32, 60u16, 0x0021u16];
    assert_eq!(ethernet(&pppoe, &v4(6, 0, &[], &tcp())).ip, Some(tcp_over_v4()));
    let pppoe = octets![0x8864u16, 0x1100_0007_u32, 60u16, 0x0057u16];
    assert_eq!(ethernet(&pppoe, &v6(6, &tcp())).ip, Some(tcp_over_v6()));
    for start in
        [&[0xff, 3, 0, 0x21][..], &[0, 0x21], &[0x21], &[0xff, 3, 0x21], &[0x0f, 0, 8, 0], &[0x8f, 0, 8, 0]]
    {
        let octets = [start, &v4(6, 0, &[], &tcp())].concat();
        assert_eq!(closed(LinkType::Ppp, &octets).ip, Some(tcp_over_v4()), "{start:?}");
    }
    let labelled = [&[0x02, 0x81, 0, 1, 1, 64][..], &v4(6, 0, &[], &tcp())].concat();
    assert_eq!(closed(LinkType::Ppp, &labelled).ip, Some(tcp_over_v4()));
    // The link's own control protocol.
    assert_eq!(closed(LinkType::Ppp, &[0xff, 3, 0xc0, 0x21, 1, 1, 0, 4]).ip, None);
}

#[test]
fn wireless_frames_by_direction() {
    let addrs = |number: u8| [2, 0, 0, 0, 0, number];
    let snap = octets![0xaaaa_0300_u32, 0u16, 0x0800u16];
    let frame = |kind: u8, flags: u8, between: &[u8]| {
        [
            &[kind, flags, 0, 0][..],
            &addrs(1),
            &addrs(2),
            &addrs(3),
            &[0, 0],
            between,
            &snap,
            &v4(6, 0, &[], &tcp()),
        ]
        .concat()
    };
    for (flags, between, src, dst) in
        [(0, vec![], 2, 1), (1, vec![], 2, 3), (2, vec![], 3, 1), (3, addrs(4).to_vec(), 4, 3)]
    {
        let packet = closed(LinkType::Wireless, &frame(0x08, flags, &between));
        assert_eq!(packet.macs, Some(Macs { src: 0x0200_0000_0000 + src, dst: 0x0200_0000_0000 + dst }));
        assert_eq!(packet.ip, Some(tcp_over_v4()), "{flags}");
    }
    assert_eq!(closed(LinkType::Wireless, &frame(0x88, 2, &[0; 2])).ip, Some(tcp_over_v4()));
    assert_eq!(closed(LinkType::Wireless, &frame(0x88, 0x82, &[0; 6])).ip, Some(tcp_over_v4()));
    // Encrypted; a beacon.
    assert_eq!(closed(LinkType::Wireless, &frame(0x08, 0x42, &[])).ip, None);
    assert_eq!(closed(LinkType::Wireless, &frame(0x80, 0, &[])), Packet::default());
}

#[test]
fn later_fragments_have_no_ports() {
    for (fragment, ports) in [(0x2000u16, (40_000, 443)), (0x00b9, (0, 0)), (0x20b9, (0, 0))] {
        let ip = ethernet(&[8, 0], &v4(17, fragment, &[], &tcp())).ip.unwrap();
        assert_eq!((ip.proto, ip.src_port, ip.dst_port), (17, ports.0, ports.1), "{fragment:x}");
        let header = octets![17u8, 0u8, fragment.rotate_left(3), 1u32];
        let ip = ethernet(&[0x86, 0xdd], &v6(44, &[header, tcp()].concat())).ip.unwrap();
        assert_eq!((ip.proto, ip.src_port, ip.dst_port), (17, ports.0, ports.1), "{fragment:x}");
    }
}

#[test]
fn extension_headers_are_passed_over() {
    // Hop by hop of 16 octets, destination of 8, authentication of 16 in words of 4, then TCP.
    let chain = [&[60u8, 1][..], &[0; 14], &[51, 0], &[0; 6], &[6, 2], &[0; 14], &tcp()].concat();
    assert_eq!(closed(LinkType::Ip, &v6(0, &chain)).ip, Some(tcp_over_v6()));
    for (len, proto) in [(0, 0), (1, 60), (16, 60), (17, 51), (24, 51), (25, 6), (40, 6)] {
        // The length in the header is that of the whole packet.
        let mut cut = v6(0, &chain);
        cut.truncate(40 + len);
        let ip = closed(LinkType::Ip, &cut).ip.unwrap();
        assert_eq!((ip.proto, ip.src_port), (proto, 0), "{len}");
    }
    // No next header; encrypted.
    assert_eq!(closed(LinkType::Ip, &v6(59, &tcp())).ip.unwrap().src_port, 0);
    assert_eq!(closed(LinkType::Ip, &v6(50, &tcp())).ip.unwrap().proto, 50);
}

#[test]
fn control_messages_and_other_transports() {
    for (proto, expected) in [
        (1, (0, 0x0301)),
        (58, (0, 0x0301)),
        (17, (0x0301, 7)),
        (33, (0x0301, 7)),
        (132, (0x0301, 7)),
        (136, (0x0301, 7)),
        (89, (0, 0)),
    ] {
        let ip = closed(LinkType::Ip, &v4(proto, 0, &[], &[3, 1, 0, 7, 0, 0, 0, 0])).ip.unwrap();
        assert_eq!((ip.src_port, ip.dst_port), expected, "{proto}");
    }
}

#[test]
fn padding_of_the_frame_is_no_payload() {
    let mut padded = v4(17, 0, &[], &[]);
    padded.extend([7; 26]);
    assert_eq!(ethernet(&[8, 0], &padded).ip.unwrap().src_port, 0);
    let mut padded = v6(17, &[9, 9]);
    padded.extend([7; 4]);
    assert_eq!(ethernet(&[0x86, 0xdd], &padded).ip.unwrap().src_port, 0x0909);
    // A length of 0: the interface cuts the packet up itself.
    let mut whole = v4(6, 0, &[], &tcp());
    whole.splice(2..4, [0, 0]);
    assert_eq!(ethernet(&[8, 0], &whole).ip, Some(tcp_over_v4()));
    // Headers that are shorter than they can be have no payload that could be found.
    let mut short = v4(6, 0, &[], &tcp());
    short.splice(..1, [0x44]);
    assert_eq!(ethernet(&[8, 0], &short).ip.unwrap().src_port, 0);
}

#[test]
fn a_packet_cut_anywhere_keeps_what_is_there() {
    let whole = frame(&octets![0x8100u16, 7u16, 0x0800u16], &v4(6, 0, &[1; 4], &tcp()));
    let all = closed(LinkType::Ethernet, &whole);
    let ip = tcp_over_v4();
    for len in 0..=whole.len() {
        let packet = closed(LinkType::Ethernet, &whole[..len]);
        let at = |needed: usize| len >= needed;
        assert_eq!(packet.macs.is_some(), at(12), "{len}");
        assert_eq!(packet.vlan.is_some(), at(16), "{len}");
        let found = packet.ip.unwrap_or_default();
        assert_eq!(packet.ip.is_some(), at(19), "{len}");
        assert_eq!(found.tos != 0, at(20), "{len}");
        assert_eq!(found.proto != 0, at(28), "{len}");
        assert_eq!((found.src, found.dst), (ip.src.filter(|_| at(34)), ip.dst.filter(|_| at(38))), "{len}");
        assert_eq!((found.src_port != 0, found.dst_port != 0), (at(44), at(46)), "{len}");
        assert_eq!(found.tcp_flags != 0, at(56), "{len}");
    }
    assert_eq!(all.ip, Some(ip));
    let whole = v6(6, &tcp());
    for len in 0..whole.len() {
        let found = closed(LinkType::Ip, &whole[..len]).ip.unwrap_or_default();
        assert_eq!(
            (found.proto != 0, found.src.is_some(), found.dst.is_some()),
            (len > 6, len >= 24, len >= 40)
        );
    }
}

#[test]
fn tunnels_are_opened_on_request() {
    let inner = v6(6, &tcp());
    let gre = |flags: u16, kind: u16, between: &[u8], packet: &[u8]| {
        v4(47, 0, &[], &[&octets![flags, kind][..], between, packet].concat())
    };
    let bridged = frame(&[0x86, 0xdd], &inner);
    for (outer, proto) in [
        (v4(41, 0, &[], &inner), 41),
        (gre(0, 0x86dd, &[], &inner), 47),
        (gre(0xb000, 0x86dd, &[0; 12], &inner), 47),
        (gre(0x2000, 0x6558, &[0; 4], &bridged), 47),
    ] {
        let tunnel = Ip { proto, src_port: 0, dst_port: 0, tcp_flags: 0, ..tcp_over_v4() };
        let outer = frame(&[8, 0], &outer);
        let packet = closed(LinkType::Ethernet, &outer);
        assert_eq!((packet.ip, packet.tunnel), (Some(tunnel), None));
        let packet = dissect(LinkType::Ethernet, &outer, Tunnels::Opened);
        assert_eq!((packet.ip, packet.tunnel, packet.macs), (Some(tcp_over_v6()), Some(tunnel), MACS));
    }
    // One level: what is in a tunnel within is that tunnel's.
    let twice = dissect(LinkType::Ip, &v6(4, &v4(41, 0, &[], &inner)), Tunnels::Opened);
    assert_eq!((twice.ip.unwrap().proto, twice.tunnel.unwrap().proto), (41, 4));
    // PPTP, old routes, later fragments, what does not begin like IP.
    for closed in [
        gre(1, 0x880b, &[], &inner),
        gre(0x4000, 0x86dd, &[], &inner),
        v4(41, 1, &[], &inner),
        v4(41, 0, &[], &[0; 40]),
        v4(47, 0, &[], &[0x20, 0, 8]),
    ] {
        let packet = dissect(LinkType::Ip, &closed, Tunnels::Opened);
        assert_eq!((packet.ip.unwrap().src, packet.tunnel), (tcp_over_v4().src, None));
    }
}

#[test]
fn tags_and_lengths_in_turn_do_not_pile_up() {
    const TAG: [u8; 6] = [0x81, 0x00, 0, 5, 0, 200];
    const SNAP: [u8; 6] = [0xaa, 0xaa, 3, 0, 0, 0];
    let mut between = TAG.to_vec();
    for _ in 0..100_000 {
        between.extend([SNAP, TAG].concat());
    }
    between.extend(SNAP);
    between.extend([8, 0]);
    let packet = dissect(LinkType::Ethernet, &frame(&between, &v4(6, 0, &[], &tcp())), Tunnels::Closed);
    assert_eq!((packet.vlan, packet.ip.map(|ip| ip.dst_port)), (Some(5), Some(443)));
}

#[test]
fn frames_of_a_token_ring() {
    let llc = octets![0xaaaa_0300_u32, 0u16, 0x0800u16];
    let packet = v4(6, 0, &[], &tcp());
    let ring = |control: u8, src: [u8; 6], route: &[u8]| {
        closed(LinkType::TokenRing, &[&[0x10, control][..], &DST, &src, route, &llc, &packet].concat())
    };
    let found = ring(0x40, SRC, &[]);
    assert_eq!((found.macs, found.ip), (MACS, Some(tcp_over_v4())));
    let mut routed = SRC;
    routed[0] |= 0x80;
    let found = ring(0x40, routed, &[0x06, 0x30, 0, 0x1b, 0, 0x20]);
    assert_eq!((found.macs, found.ip), (MACS, Some(tcp_over_v4())));
    // A beacon, and routes that end elsewhere than they say.
    assert_eq!(ring(0x02, SRC, &[]).ip, None);
    assert_eq!(ring(0x40, routed, &[0x1f]).ip, None);
    assert_eq!(closed(LinkType::TokenRing, &[&[0x10, 0x40][..], &DST, &routed].concat()).macs, MACS);
}

#[test]
fn frames_of_fddi() {
    let frame = |control: u8| {
        let llc = octets![0xaaaa_0300_u32, 0u16, 0x86ddu16];
        closed(LinkType::Fddi, &[&[control][..], &DST, &SRC, &llc, &v6(6, &tcp())].concat())
    };
    let found = frame(0x54);
    assert_eq!((found.macs, found.ip), (MACS, Some(tcp_over_v6())));
    assert_eq!(frame(0xd1).ip, Some(tcp_over_v6()));
    // Station management.
    assert_eq!((frame(0x41).macs, frame(0x41).ip), (MACS, None));
}

#[test]
fn frames_of_frame_relay() {
    let find = |header: &[u8], packet: &[u8]| closed(LinkType::FrameRelay, &[header, packet].concat()).ip;
    let (v4, v6) = (v4(6, 0, &[], &tcp()), v6(6, &tcp()));
    for header in [
        &[0x18, 0x41, 3, 0xcc][..],
        &[0x18, 0x40, 0x41, 3, 0xcc],
        &[0x18, 0x40, 0x40, 0x41, 3, 0, 0xcc],
        &[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0],
        &[0x18, 0x41, 8, 0],
    ] {
        assert_eq!(find(header, &v4), Some(tcp_over_v4()), "{header:x?}");
    }
    assert_eq!(find(&[0x18, 0x41, 3, 0x8e], &v6), Some(tcp_over_v6()));
    let bridged = [&[0x18, 0x41, 3, 0, 0x80, 0, 0x80, 0xc2, 0, 7][..], &frame(&[8, 0], &v4)].concat();
    let found = closed(LinkType::FrameRelay, &bridged);
    assert_eq!((found.macs, found.ip), (MACS, Some(tcp_over_v4())));
    // The link's own management, an address without end, nothing.
    for header in [&[0, 1, 3, 8][..], &[0x18, 0x40, 0x40, 0x40, 0x41, 3, 0xcc], &[]] {
        assert_eq!(find(header, &v4), None, "{header:x?}");
    }
}
