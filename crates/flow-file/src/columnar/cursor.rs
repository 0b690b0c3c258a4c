//! Reading small structures without reading beyond them, and writing their numbers.

use crate::error::Damage;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A place in a slice of octets.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, at: 0 }
    }

    /// The next `len` octets.
    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Damage> {
        let rest = self.rest();
        let Some(taken) = rest.get(..len) else {
            return Err(Damage::Short { needed: len as u64, available: rest.len() as u64 });
        };
        self.at += len;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Damage> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Damage> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Damage> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number of seven bits per octet, low-order bits first; the top bit says that another octet follows.
    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, Damage> {
        let mut num = 0;
        let mut shift = 0;
        loop {
            let Some(&octet) = self.bytes.get(self.at) else {
                return Err(Damage::Short { needed: 1, available: 0 });
            };
            self.at += 1;
            if shift == 63 && octet > 1 {
                return Err(Damage::Inconsistent("a number has more than 64 bits"));
            }
            num |= u64::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                return Ok(num);
            }
            shift += 7;
        }
    }

    /// A varint that is a count or size of at most `limit`.
    pub(crate) fn bounded(&mut self, what: &'static str, limit: u64) -> Result<usize, Damage> {
        match self.varint()? {
            found if found > limit => Err(Damage::TooLarge { what, found, limit }),
            found => Ok(found as usize),
        }
    }

    /// An address, its family first: 4 or 6.
    pub(crate) fn addr(&mut self) -> Result<IpAddr, Damage> {
        match self.u8()? {
            4 => self.array::<4>().map(|octets| Ipv4Addr::from(octets).into()),
            6 => self.array::<16>().map(|octets| Ipv6Addr::from(octets).into()),
            found => Err(Damage::Unknown { what: "address family", found: found.into() }),
        }
    }

    /// What was not read yet.
    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// How much was read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at == self.bytes.len()
    }

    /// Refuses octets that nothing asked for.
    pub(crate) fn finish(&self) -> Result<(), Damage> {
        if self.is_empty() { Ok(()) } else { Err(Damage::Inconsistent("octets are left over")) }
    }
}

/// Appends `num` as [`Cursor::varint`] reads it.
#[inline]
pub(crate) fn put_varint(mut num: u64, out: &mut Vec<u8>) {
    while num >= 0x80 {
        out.push(num as u8 | 0x80);
        num >>= 7;
    }
    out.push(num as u8);
}

/// Appends `addr` as [`Cursor::addr`] reads it.
pub(crate) fn put_addr(addr: IpAddr, out: &mut Vec<u8>) {
    match addr {
        IpAddr::V4(addr) => {
            out.push(4);
            out.extend_from_slice(&addr.octets());
        }
        IpAddr::V6(addr) => {
            out.push(6);
            out.extend_from_slice(&addr.octets());
        }
    }
}

/// Maps signed differences to numbers that are small when the difference is: 0, -1, 1, -2, ...
pub(crate) fn zigzag(difference: u64) -> u64 {
    difference << 1 ^ (difference.cast_signed() >> 63).cast_unsigned()
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(num: u64) -> u64 {
    num >> 1 ^ (num & 1).wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_back(num: u64, small in 0_u64..300) {
            let mut out = Vec::new();
            put_varint(num, &mut out);
            put_varint(small, &mut out);
            let mut cursor = Cursor::new(&out);
            prop_assert_eq!(cursor.varint(), Ok(num));
            prop_assert_eq!(cursor.varint(), Ok(small));
            prop_assert!(cursor.is_empty());
            prop_assert_eq!(unzigzag(zigzag(num)), num);
        }
    }

    #[test]
    fn an_endless_number_is_an_error() {
        assert!(Cursor::new(&[0xff; 20]).varint().is_err());
        assert!(Cursor::new(&[0x80; 9]).varint().is_err());
        assert_eq!(
            Cursor::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]).varint(),
            Ok(u64::MAX)
        );
    }
}
