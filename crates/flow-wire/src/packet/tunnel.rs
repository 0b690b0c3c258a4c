//! What tunnels of IP carry.

use super::Packet;
use super::link::{ethernet, network, number};

/// Protocols of IP that carry packets.
const IPV4: u8 = 4;
const IPV6: u8 = 41;
const GRE: u8 = 47;

/// Where an IP header may begin inside of a tunnel of protocol `proto`.
pub(super) fn inner(proto: u8, payload: &[u8]) -> Option<&[u8]> {
    match proto {
        IPV4 | IPV6 => Some(payload),
        GRE => gre(payload),
        _ => None,
    }
}

/// Flags and version, protocol, then the parts that the flags announce, four octets each (RFC 2784, RFC 2890).
fn gre(octets: &[u8]) -> Option<&[u8]> {
    const PARTS: u16 = 0xb000;
    const ROUTING: u16 = 0x4000;
    const VERSION: u16 = 0x0007;
    const BRIDGED: u16 = 0x6558;
    let (flags, rest) = number(octets)?;
    let (kind, rest) = number(rest)?;
    // Routes were abandoned with RFC 2784; version 1 carries PPP that may begin in the middle (RFC 2637).
    if flags & (ROUTING | VERSION) != 0 {
        return None;
    }
    let rest = rest.get((flags & PARTS).count_ones() as usize * 4..)?;
    // Tags, labels and addresses inside belong to the inner frame, for which there are no fields.
    let packet = &mut Packet::default();
    if kind == BRIDGED { ethernet(packet, rest) } else { network(packet, kind, rest) }
}
