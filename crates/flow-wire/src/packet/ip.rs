//! IPv4 and IPv6 headers, and the ports behind them.

use super::Ip;
use flow_model::Protocol;
use std::net::IpAddr;

/// Headers between IPv6 and its payload (RFC 8200 4, RFC 4302, RFC 6275, RFC 7401, RFC 5533).
mod extension {
    pub(super) const HOP_BY_HOP: u8 = 0;
    pub(super) const ROUTING: u8 = 43;
    pub(super) const FRAGMENT: u8 = 44;
    pub(super) const AUTHENTICATION: u8 = 51;
    pub(super) const DESTINATION: u8 = 60;
    pub(super) const MOBILITY: u8 = 135;
    pub(super) const HOST_IDENTITY: u8 = 139;
    pub(super) const SHIM6: u8 = 140;
}

/// Reads an IP header of either version, and says where its payload begins, if that is the start of the payload and
/// not a later fragment of it. `None` when the octets are neither.
pub(super) fn read(octets: &[u8]) -> Option<(Ip, Option<&[u8]>)> {
    let (mut ip, payload) = match octets.first()? >> 4 {
        4 => v4(octets),
        6 => v6(octets),
        _ => return None,
    };
    if let Some(payload) = payload {
        transport(&mut ip, payload);
    }
    Some((ip, payload))
}

/// | octets | IPv4 (RFC 791 3.1) |
/// |---|---|
/// | 0 | version, header length in words |
/// | 1 | type of service |
/// | 2-3 | total length |
/// | 6-7 | flags (3 bits), fragment offset |
/// | 9 | protocol |
/// | 12-15, 16-19 | source, destination |
fn v4(octets: &[u8]) -> (Ip, Option<&[u8]>) {
    let header = padded::<12>(octets);
    let [first, tos, total_0, total_1, _, _, fragment_0, fragment_1, _, proto, _, _] = header;
    let ip = Ip { src: addr::<4>(octets, 12), dst: addr::<4>(octets, 16), proto, tos, ..Ip::default() };
    let header_len = usize::from(first & 15) * 4;
    let offset = u16::from_be_bytes([fragment_0, fragment_1]) & 0x1fff;
    if offset > 0 || header_len < 20 {
        return (ip, None);
    }
    // Behind the packet a frame may be padded. Interfaces that cut packets up themselves show lengths of 0.
    let end = match usize::from(u16::from_be_bytes([total_0, total_1])) {
        0 => octets.len(),
        total => total.min(octets.len()),
    };
    (ip, octets.get(header_len..end))
}

/// | octets | IPv6 (RFC 8200 3) |
/// |---|---|
/// | 0-3 | version (4 bits), traffic class (8), flow label |
/// | 4-5 | payload length |
/// | 6 | next header |
/// | 8-23, 24-39 | source, destination |
fn v6(octets: &[u8]) -> (Ip, Option<&[u8]>) {
    let [class_0, class_1, _, _, len_0, len_1, next, _] = padded::<8>(octets);
    let mut ip = Ip {
        src: addr::<16>(octets, 8),
        dst: addr::<16>(octets, 24),
        proto: next,
        tos: class_0 << 4 | class_1 >> 4,
        ..Ip::default()
    };
    let Some(payload) = octets.get(40..) else { return (ip, None) };
    let end = match usize::from(u16::from_be_bytes([len_0, len_1])) {
        // A jumbogram, whose length stands elsewhere.
        0 => payload.len(),
        len => len.min(payload.len()),
    };
    let payload = extensions(&mut ip, payload.get(..end).unwrap_or(payload));
    (ip, payload)
}

/// Passes over extension headers to the payload, as far as they are there.
fn extensions<'a>(ip: &mut Ip, octets: &'a [u8]) -> Option<&'a [u8]> {
    let mut rest = octets;
    // Every round takes eight octets or more.
    loop {
        let words = |words: &u8| usize::from(*words);
        let (len, is_start) = match ip.proto {
            extension::HOP_BY_HOP
            | extension::ROUTING
            | extension::DESTINATION
            | extension::MOBILITY
            | extension::HOST_IDENTITY
            | extension::SHIM6 => (rest.get(1).map(|len| (words(len) + 1) * 8), true),
            extension::AUTHENTICATION => (rest.get(1).map(|len| (words(len) + 2) * 4), true),
            extension::FRAGMENT => {
                let offset = rest.get(2..4).and_then(|rest| rest.first_chunk());
                (Some(8), offset.is_some_and(|&offset| u16::from_be_bytes(offset) >> 3 == 0))
            }
            _ => return Some(rest),
        };
        ip.proto = *rest.first()?;
        if !is_start {
            return None;
        }
        rest = rest.get(len?..)?;
    }
}

/// Ports and TCP flags, or ICMP type and code.
fn transport(ip: &mut Ip, payload: &[u8]) {
    const DCCP: Protocol = Protocol(33);
    const SCTP: Protocol = Protocol(132);
    const UDP_LITE: Protocol = Protocol(136);
    /// Octets before the flags of TCP.
    const TCP_FLAGS: usize = 13;
    let Some(&[high, low]) = payload.first_chunk() else { return };
    match Protocol(ip.proto) {
        Protocol::ICMP | Protocol::ICMP6 => ip.dst_port = u16::from_be_bytes([high, low]),
        Protocol::TCP | Protocol::UDP | DCCP | SCTP | UDP_LITE => {
            ip.src_port = u16::from_be_bytes([high, low]);
            if let Some(&[_, _, high, low]) = payload.first_chunk() {
                ip.dst_port = u16::from_be_bytes([high, low]);
            }
            if ip.proto == Protocol::TCP.0 {
                ip.tcp_flags = payload.get(TCP_FLAGS).copied().unwrap_or(0);
            }
        }
        _ => {}
    }
}

/// The address of `N` octets at `at`, if it is all there.
fn addr<const N: usize>(octets: &[u8], at: usize) -> Option<IpAddr>
where
    IpAddr: From<[u8; N]>,
{
    octets.get(at..)?.first_chunk::<N>().map(|addr| IpAddr::from(*addr))
}

/// The first `N` octets, zeros where they end before.
fn padded<const N: usize>(octets: &[u8]) -> [u8; N] {
    if let Some(all) = octets.first_chunk() {
        return *all;
    }
    let mut padded = [0; N];
    for (place, octet) in padded.iter_mut().zip(octets) {
        *place = *octet;
    }
    padded
}
