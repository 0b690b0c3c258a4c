//! Messages made up for tests.

/// A v5 datagram with `count` different records.
pub(crate) fn v5(count: u16) -> Vec<u8> {
    let mut octets = Vec::new();
    push(&mut octets, &[5, count]);
    for word in [3_600_000u32, 1_700_000_000, 0, 0, 0] {
        octets.extend(word.to_be_bytes());
    }
    for row in 0..count {
        let [high, low] = row.to_be_bytes();
        octets.extend([10, 0, high, low, 192, 0, high, low, 192, 0, 2, 1, 0, 3, 0, 4]);
        for word in [u32::from(row) + 10, 1500, 3_500_000, 3_590_000] {
            octets.extend(word.to_be_bytes());
        }
        push(&mut octets, &[40_000, 443, 0x001b, 0x0600, 64_500, 64_501, 0x1810, 0]);
    }
    octets
}

/// Twenty fields as routers send them, 64 octets.
pub(crate) const V9_TWENTY_FIELDS: &[(u16, u16)] = &[
    (21, 4),
    (22, 4),
    (1, 8),
    (2, 8),
    (8, 4),
    (12, 4),
    (15, 4),
    (10, 4),
    (14, 4),
    (7, 2),
    (11, 2),
    (16, 4),
    (17, 4),
    (4, 1),
    (5, 1),
    (6, 1),
    (9, 1),
    (13, 1),
    (61, 1),
    (58, 2),
];

/// A v9 datagram that defines template `id`.
pub(crate) fn v9_template(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut octets = v9_header();
    let count = fields.len() as u16;
    push(&mut octets, &[0, 8 + 4 * count, id, count]);
    for &(element, len) in fields {
        push(&mut octets, &[element, len]);
    }
    octets
}

/// A v9 datagram that defines options template `id` about interfaces.
pub(crate) fn v9_interface_options(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut octets = v9_header();
    let len = 4 * fields.len() as u16;
    push(&mut octets, &[1, 14 + len, id, 4, len, 2, 4]);
    for &(element, len) in fields {
        push(&mut octets, &[element, len]);
    }
    octets
}

/// A v9 datagram with one set, of these records.
pub(crate) fn v9_set(id: u16, records: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = v9_header();
    let body = records.concat();
    push(&mut octets, &[id, 4 + body.len() as u16]);
    octets.extend(body);
    octets
}

/// An IPFIX message of domain 1 with these sets: id and body.
pub(crate) fn ipfix(sets: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut octets = Vec::new();
    let len = 16 + sets.iter().map(|(_, body)| 4 + body.len()).sum::<usize>();
    push(&mut octets, &[10, len as u16]);
    push_words(&mut octets, &[1_700_000_000, 0, 1]);
    for (id, body) in sets {
        push(&mut octets, &[*id, 4 + body.len() as u16]);
        octets.extend(body);
    }
    octets
}

/// Words of two octets.
pub(crate) fn words(words: &[u16]) -> Vec<u8> {
    let mut octets = Vec::new();
    push(&mut octets, words);
    octets
}

/// A v9 datagram with `count` records of template `id`.
pub(crate) fn v9_data(id: u16, fields: &[(u16, u16)], count: u16) -> Vec<u8> {
    let mut octets = v9_header();
    let record: u16 = fields.iter().map(|field| field.1).sum();
    push(&mut octets, &[id, 4 + record * count]);
    octets.extend((0..usize::from(record * count)).map(|octet| (octet % 251) as u8));
    octets
}

/// An sFlow v5 datagram with `count` flow samples, each with a header and what a switch, a router and a gateway know,
/// and one sample of counters.
pub(crate) fn sflow(count: u16) -> Vec<u8> {
    let mut octets = Vec::new();
    push_words(&mut octets, &[5, 1, 0xc000_0263, 3, 77, 60_000, u32::from(count) + 1]);
    for row in 0..count {
        let mut records = Vec::new();
        push_words(&mut records, &[1, 16 + 64, 1, 1518, 4, 62]);
        records.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x81, 0, 0, 100, 8, 0]);
        records.extend([0x45, 0, 5, 0xd4, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, row as u8, 198, 51, 100, 7]);
        push(&mut records, &[40_000 + row, 443, 0, 1, 0, 1, 0x5018, 512, 0, 0]);
        records.extend([0; 6]);
        push_words(&mut records, &[1001, 16, 100, 0, 200, 0]);
        push_words(&mut records, &[1002, 16, 1, 0xc000_02fe, 24, 16]);
        push_words(
            &mut records,
            &[1003, 48, 1, 0xc000_02fd, 64_500, 64_501, 64_502, 1, 2, 2, 64_503, 64_504, 0],
        );
        records.extend([0; 4]);
        push_words(&mut octets, &[1, 32 + records.len() as u32, 1, 7, 100, 1000, 0, 7, 8, 4]);
        octets.extend(records);
    }
    push_words(&mut octets, &[2, 12, 1, 7, 0]);
    octets
}

/// An sFlow v4 datagram with counters and `count` flow samples of addresses and ports.
pub(crate) fn sflow_v4(count: u16) -> Vec<u8> {
    let mut octets = Vec::new();
    push_words(&mut octets, &[4, 1, 0xc000_0263, 77, 60_000, u32::from(count) + 1]);
    push_words(&mut octets, &[2, 1, 7, 20, 7]);
    octets.extend([0; 28]);
    for row in 0..u32::from(count) {
        push_words(&mut octets, &[1, row, 7, 100, 1000, 0, 7, 8]);
        push_words(&mut octets, &[2, 1500, 6, 0x0a00_0001, 0xc633_6407, 40_000 + row, 443, 0x18, 0]);
        push_words(&mut octets, &[2, 1, 100, 0, 200, 0, 2, 1, 0xc000_02fe, 24, 16]);
    }
    octets
}

fn v9_header() -> Vec<u8> {
    let mut octets = Vec::new();
    push(&mut octets, &[9, 1]);
    for word in [3_600_000u32, 1_700_000_000, 0, 0] {
        octets.extend(word.to_be_bytes());
    }
    octets
}

fn push(octets: &mut Vec<u8>, words: &[u16]) {
    for word in words {
        octets.extend(word.to_be_bytes());
    }
}

fn push_words(octets: &mut Vec<u8>, words: &[u32]) {
    for word in words {
        octets.extend(word.to_be_bytes());
    }
}
