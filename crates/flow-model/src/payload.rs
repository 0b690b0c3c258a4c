//! What the first octets of a connection tell, as probes that keep payloads store them.
//!
//! Payloads are captured from the wire, cut anywhere and often no such message at all: whatever does not parse gives
//! `None` or ends an iteration, and the work is bounded by the length of the payload.

pub mod dns;
pub mod tls;

/// Takes `len` octets off the front.
fn take<'p>(rest: &mut &'p [u8], len: usize) -> Option<&'p [u8]> {
    rest.split_off(..len)
}

fn take_u8(rest: &mut &[u8]) -> Option<u8> {
    rest.split_off_first().copied()
}

fn take_u16(rest: &mut &[u8]) -> Option<u16> {
    take(rest, 2).map(be16)
}

/// Two octets in network order.
fn be16(octets: &[u8]) -> u16 {
    octets.first_chunk().map_or(0, |octets| u16::from_be_bytes(*octets))
}
