//! Captures as datagrams.

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
