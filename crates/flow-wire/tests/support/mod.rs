//! What the tests share: captures as datagrams.

use pcap_parser::{Linktype, parse_pcap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// A UDP payload of a capture, and who sent it when.
pub(crate) struct Datagram {
    pub(crate) addr: IpAddr,
    pub(crate) port: u16,
    pub(crate) received_ms: u64,
    pub(crate) payload: Vec<u8>,
}

/// The datagrams of a classic pcap file with Ethernet frames.
pub(crate) fn datagrams(path: &Path) -> Vec<Datagram> {
    let octets = std::fs::read(path).unwrap_or_else(|error| panic!("reading {}: {error}", path.display()));
    let (_, capture) = parse_pcap(&octets).unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
    assert_eq!(capture.header.network, Linktype::ETHERNET, "{}", path.display());
    capture
        .blocks
        .iter()
        .map(|block| {
            let received_ms = u64::from(block.ts_sec) * 1000 + u64::from(block.ts_usec) / 1000;
            datagram(block.data, received_ms).unwrap_or_else(|| panic!("{}: no UDP", path.display()))
        })
        .collect()
}

fn datagram(frame: &[u8], received_ms: u64) -> Option<Datagram> {
    let (addr, udp) = match frame.get(12..14)? {
        [8, 0] => {
            let packet = frame.get(14..)?;
            let header_len = usize::from(packet.first()? & 15) * 4;
            (IpAddr::from(Ipv4Addr::from(*packet.get(12..)?.first_chunk::<4>()?)), packet.get(header_len..)?)
        }
        [0x86, 0xdd] => {
            let packet = frame.get(14..)?;
            (IpAddr::from(Ipv6Addr::from(*packet.get(8..)?.first_chunk::<16>()?)), packet.get(40..)?)
        }
        _ => return None,
    };
    let port = u16::from_be_bytes(*udp.first_chunk()?);
    let len = usize::from(u16::from_be_bytes(*udp.get(4..)?.first_chunk()?));
    Some(Datagram { addr, port, received_ms, payload: udp.get(8..len)?.to_vec() })
}

/// A v5 datagram with `count` different records.
pub(crate) fn v5(count: u16) -> Vec<u8> {
    let mut octets = Vec::new();
    push(&mut octets, &[5, count]);
    for word in [3_600_000u32, 1_700_000_000, 0, 0, 0] {
        octets.extend(word.to_be_bytes());
    }
    for row in 0..u32::from(count) {
        for word in [0x0a00_0000 + row, 0xc000_0200 + row, 0xc000_0201, 3 << 16 | 4, 10 + row, 1500 + row] {
            octets.extend(word.to_be_bytes());
        }
        for word in [
            3_500_000 + row,
            3_590_000 + row,
            40_000 << 16 | 443,
            0x001b_0600,
            64_500 << 16 | 64_501,
            24 << 24,
        ] {
            octets.extend(word.to_be_bytes());
        }
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
    fields.iter().for_each(|&(element, len)| push(&mut octets, &[element, len]));
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
    words.iter().for_each(|word| octets.extend(word.to_be_bytes()));
}
