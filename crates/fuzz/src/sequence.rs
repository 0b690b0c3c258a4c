//! A sequence of datagrams as one input.
//!
//! Datagrams one behind the other, each with a head of four octets:
//!
//! | octet | what |
//! |---:|---|
//! | 0 | sender: bit 7 IPv6, bits 0-3 which address; of the first one, bit 6: the batch is nearly full |
//! | 1 | how long after the one before, in units of 100 ms, squared: up to 108 minutes |
//! | 2-3 | length, big-endian; one that reaches beyond the end means all that is left |
//!
//! A rest below four octets means nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// When the first datagram comes, unless it waits: 2023-11-14 22:13:20 UTC.
const START_MS: u64 = 1_700_000_000_000;

/// Bit of an input's first octet: the batch that the flows are appended to is nearly full.
pub(crate) const NEARLY_FULL: u8 = 0x40;

/// One datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub from: IpAddr,
    /// When it came, ms since 1970.
    pub received_ms: u64,
    /// The datagram.
    pub payload: &'a [u8],
}

/// The datagrams of an input.
pub fn datagrams(input: &[u8]) -> impl Iterator<Item = Datagram<'_>> {
    let mut rest = input;
    let mut received_ms = START_MS;
    std::iter::from_fn(move || {
        let (&[sender, wait, high, low], behind) = rest.split_first_chunk()?;
        let len = usize::from(u16::from_be_bytes([high, low])).min(behind.len());
        let (payload, behind) = behind.split_at(len);
        rest = behind;
        received_ms += u64::from(wait) * u64::from(wait) * 100;
        Some(Datagram { from: address(sender), received_ms, payload })
    })
}

/// Appends a datagram to an input; `sender` is below 16, or from 128 to 143 for IPv6.
///
/// # Panics
/// When the datagram is longer than UDP allows.
pub fn push(input: &mut Vec<u8>, sender: u8, wait: u8, payload: &[u8]) {
    let len = u16::try_from(payload.len()).expect("UDP has 16 bits for the length");
    input.extend([sender, wait]);
    input.extend(len.to_be_bytes());
    input.extend(payload);
}

fn address(sender: u8) -> IpAddr {
    let number = sender & 15;
    if sender & 0x80 == 0 {
        Ipv4Addr::new(192, 0, 2, number).into()
    } else {
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, number.into()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_comes_back() {
        let mut input = Vec::new();
        push(&mut input, 3, 0, b"one");
        push(&mut input, 0x81, 10, b"");
        input.extend([0, 0, 0, 9, b'x']);
        let found: Vec<_> =
            datagrams(&input).map(|d| (d.from.to_string(), d.received_ms - START_MS, d.payload)).collect();
        let expected = [
            ("192.0.2.3".to_owned(), 0, &b"one"[..]),
            ("2001:db8::1".to_owned(), 10_000, b""),
            ("192.0.2.0".to_owned(), 10_000, b"x"),
        ];
        assert_eq!(found, expected);
    }
}
