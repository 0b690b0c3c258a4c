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

/// A v9 datagram with `count` records of template `id`.
pub(crate) fn v9_data(id: u16, fields: &[(u16, u16)], count: u16) -> Vec<u8> {
    let mut octets = v9_header();
    let record: u16 = fields.iter().map(|field| field.1).sum();
    push(&mut octets, &[id, 4 + record * count]);
    octets.extend((0..usize::from(record * count)).map(|octet| (octet % 251) as u8));
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
