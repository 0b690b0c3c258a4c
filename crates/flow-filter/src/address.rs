//! Addresses and networks as filters spell them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a word that stands for an address turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// An address.
    Full(IpAddr),
    /// The first octets or groups of an address, the rest 0, and how many bits were given.
    Short(IpAddr, u8),
    /// A host name.
    Name,
    /// None of these.
    Wrong,
}

/// Reads a word the way nfdump does: with a colon it is IPv6, with a letter a host name, otherwise IPv4.
pub(crate) fn read(word: &str) -> Spelling {
    if word.contains(':') {
        return read_v6(word);
    }
    if word.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return Spelling::Name;
    }
    let mut octets = [0_u8; 4];
    let mut given = 0;
    for part in word.split('.') {
        let octet = (!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse::<u8>().ok())
            .flatten();
        match (octets.get_mut(given), octet) {
            (Some(place), Some(octet)) => *place = octet,
            _ => return Spelling::Wrong,
        }
        given += 1;
    }
    let addr = Ipv4Addr::from(octets).into();
    if given == 4 { Spelling::Full(addr) } else { Spelling::Short(addr, 8 * given as u8) }
}

fn read_v6(word: &str) -> Spelling {
    if let Ok(addr) = word.parse::<Ipv6Addr>() {
        return Spelling::Full(addr.into());
    }
    if word.contains("::") || word.contains('.') {
        return Spelling::Wrong;
    }
    match format!("{word}::").parse::<Ipv6Addr>() {
        Ok(addr) => Spelling::Short(addr.into(), 16 * word.split(':').count() as u8),
        Err(_) => Spelling::Wrong,
    }
}

/// The addresses `addr` and `mask` select, as ranges; `None` when the holes in the mask make too many.
pub(crate) fn masked(addr: Ipv4Addr, mask: Ipv4Addr) -> Option<Vec<(u32, u32)>> {
    /// Eight bits of a mask may have holes: as many ranges as an octet has values.
    const MAX_RANGES: u32 = 256;
    let mask = u32::from(mask);
    let base = u32::from(addr) & mask;
    // Bits below the lowest set bit of the mask are one run; free bits above it are counted through.
    let run = if mask == 0 { u32::MAX } else { (1_u32 << mask.trailing_zeros()) - 1 };
    let holes = !mask & !run;
    if holes.count_ones() > MAX_RANGES.ilog2() {
        return None;
    }
    let mut ranges = Vec::new();
    let mut filled = 0_u32;
    loop {
        ranges.push((base | filled, base | filled | run));
        // Counts through the subsets of `holes`.
        filled = filled.wrapping_sub(holes) & holes;
        if filled == 0 {
            return Some(ranges);
        }
    }
}

/// A MAC address: six groups of one or two hexadecimal digits between colons, not all zero.
pub(crate) fn mac(word: &str) -> Option<u64> {
    let mut value = 0;
    let mut groups = 0;
    for group in word.split(':') {
        if group.is_empty() || group.len() > 2 {
            return None;
        }
        value = value << 8 | u64::from(u8::from_str_radix(group, 16).ok()?);
        groups += 1;
        if groups > 6 {
            return None;
        }
    }
    (groups == 6 && value != 0).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_nfdump_reads_them() {
        let full = |text: &str| Spelling::Full(text.parse().unwrap());
        let short = |text: &str, bits| Spelling::Short(text.parse().unwrap(), bits);
        for (word, spelling) in [
            ("10.0.0.1", full("10.0.0.1")),
            ("192.168.1.010", full("192.168.1.10")),
            ("10.0.0", short("10.0.0.0", 24)),
            ("10", short("10.0.0.0", 8)),
            ("256.1.1.1", Spelling::Wrong),
            ("10.0.0.1.5", Spelling::Wrong),
            ("10.0.0.1.", Spelling::Wrong),
            ("1.2.3.4-", Spelling::Wrong),
            ("::ffff:10.0.0.1", full("::ffff:10.0.0.1")),
            ("2001:DB8::1", full("2001:db8::1")),
            ("2001:db8", short("2001:db8::", 32)),
            ("1:2:3:4:5:6:7", short("1:2:3:4:5:6:7:0", 112)),
            ("2001:db8:", Spelling::Wrong),
            ("1:2:3:4:5:6:7:8:9", Spelling::Wrong),
            ("::1:", Spelling::Wrong),
            ("localhost", Spelling::Name),
            ("12ab", Spelling::Name),
        ] {
            assert_eq!(read(word), spelling, "{word}");
        }
    }

    #[test]
    fn masks_with_and_without_holes() {
        let masked = |addr: &str, mask: &str| masked(addr.parse().unwrap(), mask.parse().unwrap());
        assert_eq!(masked("10.1.2.3", "255.255.0.0").unwrap(), [(0x0a01_0000, 0x0a01_ffff)]);
        assert_eq!(masked("1.2.3.4", "0.0.0.0").unwrap(), [(0, u32::MAX)]);
        assert_eq!(masked("1.2.3.4", "255.255.255.255").unwrap(), [(0x0102_0304, 0x0102_0304)]);
        let holes = masked("1.2.3.4", "255.255.0.255").unwrap();
        assert_eq!(
            (holes.len(), holes[0], holes[255]),
            (256, (0x0102_0004, 0x0102_0004), (0x0102_ff04, 0x0102_ff04))
        );
        assert_eq!(masked("1.2.3.4", "0.0.0.255"), None);
    }

    #[test]
    fn macs() {
        assert_eq!(mac("0:11:22:33:44:55"), Some(0x0011_2233_4455));
        for wrong in
            ["00:00:00:00:00:00", "001122334455", "1:2:3:4:5", "1:2:3:4:5:6:7", "1:2:3:4:5:gg", "1::3:4:5:6"]
        {
            assert_eq!(mac(wrong), None, "{wrong}");
        }
    }
}
