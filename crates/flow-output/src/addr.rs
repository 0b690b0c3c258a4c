//! Addresses as text.

use crate::text::{put, spaces};
use std::net::IpAddr;

/// The longest text of an address: eight groups of an IPv6 address, or six and a dotted quad.
const MAX_LEN: usize = 45;

/// The text of an address.
#[derive(Clone, Copy)]
pub(crate) struct AddrText {
    text: [u8; MAX_LEN],
    len: usize,
}

impl AddrText {
    /// The whole text: a dotted quad, or IPv6 as inet_ntop prints it (RFC 5952; addresses that embed an IPv4
    /// address end in a dotted quad).
    #[inline]
    pub(crate) fn new(addr: IpAddr) -> AddrText {
        let mut text = AddrText { text: [0; MAX_LEN], len: 0 };
        match addr {
            IpAddr::V4(v4) => text.push_v4(v4.octets()),
            IpAddr::V6(v6) => text.push_v6(v6.segments()),
        }
        text
    }

    /// The text cut to what fits 16 columns: the first seven and the last seven characters of a longer one.
    #[must_use]
    pub(crate) fn condensed(mut self) -> AddrText {
        if self.len > 16 {
            let (len, tail) = (self.len, self.len - 7);
            self.text[7..9].copy_from_slice(b"..");
            self.text.copy_within(tail..len, 9);
            self.len = 16;
        }
        self
    }

    /// Appends the text, right-justified in `width`.
    #[inline]
    pub(crate) fn put_right(&self, out: &mut Vec<u8>, width: usize) {
        spaces(out, width.saturating_sub(self.len));
        match self.text.first_chunk::<16>() {
            Some(text) if self.len <= 16 => put(out, text, self.len),
            _ => out.extend_from_slice(self.as_bytes()),
        }
    }

    /// The octets of the text.
    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text[..self.len]
    }

    #[inline]
    fn push(&mut self, octet: u8) {
        self.text[self.len] = octet;
        self.len += 1;
    }

    #[inline]
    fn push_v4(&mut self, octets: [u8; 4]) {
        for (index, octet) in octets.into_iter().enumerate() {
            if index > 0 {
                self.push(b'.');
            }
            let [digits @ .., len] = OCTETS[usize::from(octet)];
            // All three digits are copied; what is beyond the length is overwritten by what follows.
            self.text[self.len..self.len + 3].copy_from_slice(&digits);
            self.len += usize::from(len);
        }
    }

    fn push_v6(&mut self, groups: [u16; 8]) {
        let (zeros_at, zeros) = longest_zeros(groups);
        let mut index = 0;
        while index < groups.len() {
            if zeros > 1 && index == zeros_at {
                self.push(b':');
                self.push(b':');
                index += zeros;
                continue;
            }
            if index > 0 && !(zeros > 1 && index == zeros_at + zeros) {
                self.push(b':');
            }
            if index == 6 && zeros_at == 0 && (zeros == 6 || zeros == 5 && groups[5] == 0xffff) {
                let ([a, b], [c, d]) = (groups[6].to_be_bytes(), groups[7].to_be_bytes());
                return self.push_v4([a, b, c, d]);
            }
            let mut buffer = [0; 16];
            let digits = crate::text::hex_digits(u64::from(groups[index]), &mut buffer);
            self.text[self.len..self.len + digits.len()].copy_from_slice(digits);
            self.len += digits.len();
            index += 1;
        }
    }
}

/// Where the first longest run of zero groups begins, and how long it is.
fn longest_zeros(groups: [u16; 8]) -> (usize, usize) {
    let (mut best, mut run) = ((0, 0), 0);
    for (index, group) in groups.into_iter().enumerate() {
        run = if group == 0 { run + 1 } else { 0 };
        if run > best.1 {
            best = (index + 1 - run, run);
        }
    }
    best
}

/// Per octet its decimal digits, left-justified, then how many they are.
static OCTETS: [[u8; 4]; 256] = {
    let mut octets = [[0; 4]; 256];
    let mut value = 0;
    while value < 256 {
        let (hundreds, tens, ones) = (value / 100, value / 10 % 10, value % 10);
        let mut text = [b'0' + hundreds as u8, b'0' + tens as u8, b'0' + ones as u8, 3];
        if hundreds == 0 && tens > 0 {
            text = [text[1], text[2], b'0', 2];
        } else if hundreds == 0 {
            text = [text[2], b'0', b'0', 1];
        }
        octets[value] = text;
        value += 1;
    }
    octets
};

/// `addr` with all bits behind the first `prefix` cleared; a prefix longer than the address leaves it whole.
pub(crate) fn masked(addr: IpAddr, prefix: u64) -> IpAddr {
    match addr {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(prefix as u32)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(prefix as u32)).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & mask).into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn text(addr: &str) -> String {
        String::from_utf8(AddrText::new(addr.parse().unwrap()).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn ipv6_is_printed_as_inet_ntop_does() {
        for same in [
            "::",
            "::1",
            "1::",
            "fe80::1",
            "2001:db8::1",
            "1:0:0:2::3",
            "1::2:0:0:3:4",
            "1:0:2:3:4:5:6:7",
            "2001:620:1000:cafe:20e:35ff:fec0:fed5",
            "::ffff:1.2.3.4",
            "::1.2.3.4",
            "::ffff:0.0.0.1",
            "::ffff",
            "::ffff:0:1.2.3.4",
            "64:ff9b::102:304",
            "::fffe:102:304",
            "1:2:3:4:5:6::",
            "::2:3:4:5:6:7:8",
        ] {
            // A run of two or more zero groups is shortened, a dotted quad follows six zero groups or ::ffff
            // only.
            let expected = if same == "::ffff:0:1.2.3.4" { "::ffff:0:102:304" } else { same };
            let expected = if same == "::2:3:4:5:6:7:8" { "0:2:3:4:5:6:7:8" } else { expected };
            assert_eq!(text(same), expected);
        }
        assert_eq!(text("::0.1.0.2"), "::0.1.0.2");
        assert_eq!(text("::0.0.1.2"), "::102");
    }

    #[test]
    fn long_addresses_are_condensed_to_sixteen() {
        let condensed = |addr: &str| {
            let text = AddrText::new(addr.parse().unwrap()).condensed();
            String::from_utf8(text.as_bytes().to_vec()).unwrap()
        };
        assert_eq!(condensed("2001:620:1000:cafe:20e:35ff:fec0:fed5"), "2001:62..c0:fed5");
        assert_eq!(condensed("2001:db8:ffff::2"), "2001:db8:ffff::2");
        assert_eq!(condensed("255.255.255.255"), "255.255.255.255");
    }

    #[test]
    fn networks_of_any_prefix() {
        let network = |addr: &str, prefix| masked(addr.parse().unwrap(), prefix).to_string();
        assert_eq!(network("192.168.1.10", 24), "192.168.1.0");
        assert_eq!(network("192.168.1.10", 0), "0.0.0.0");
        assert_eq!(network("192.168.1.10", 64), "192.168.1.10");
        assert_eq!(network("fe80::1", 16), "fe80::");
        assert_eq!(network("fe80::1", 255), "fe80::1");
    }

    proptest! {
        #[test]
        fn texts_of_addresses_mean_the_address(bits in any::<u128>(), zeros in any::<u8>(), v4 in any::<u32>()) {
            let kept = (0..8).filter(|group| zeros >> group & 1 == 1).fold(0_u128, |mask, group| mask | 0xffff << (group * 16));
            for addr in [IpAddr::V6(Ipv6Addr::from(bits & kept)), IpAddr::V4(Ipv4Addr::from(v4))] {
                let text = AddrText::new(addr);
                prop_assert_eq!(std::str::from_utf8(text.as_bytes()).unwrap().parse::<IpAddr>().unwrap(), addr);
            }
        }
    }
}
