//! The file header: what the file is, before any block.

use super::compress::Compression;
use super::cursor::Cursor;
use super::layout::{CHECKSUM_LEN, FILE_HEADER_LEN, FILE_MAGIC, MAX_IDENT, VERSION_MAJOR, VERSION_MINOR};
use super::layout::{checksum, verify};
use crate::error::Damage;
use flow_model::CountRule;

/// What a file says about itself at its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) created_ms: u64,
    pub(crate) rule: CountRule,
    pub(crate) compression: Compression,
    pub(crate) ident: String,
}

/// What the first octets of a file can be.
pub(crate) enum Parsed {
    /// A header, and where the first block starts.
    Header(Header, u64),
    /// Of a major version to come.
    Newer { major: u16, minor: u16 },
    /// Not ours.
    Foreign,
}

impl Header {
    /// The octets of the header.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let len = FILE_HEADER_LEN + self.ident.len() + CHECKSUM_LEN;
        let (compression, level) = self.compression.code();
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(&FILE_MAGIC);
        out.extend_from_slice(&VERSION_MAJOR.to_le_bytes());
        out.extend_from_slice(&VERSION_MINOR.to_le_bytes());
        out.extend_from_slice(&(len as u32).to_le_bytes());
        out.extend_from_slice(&self.created_ms.to_le_bytes());
        out.push(rule_code(self.rule));
        out.push(compression);
        out.extend_from_slice(&level.to_le_bytes());
        out.push(0);
        out.extend_from_slice(&(self.ident.len() as u16).to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(self.ident.as_bytes());
        out.extend_from_slice(&checksum(&out).to_le_bytes());
        out
    }

    /// Reads the header from the first octets of a file, at least [`MAX_HEADER_LEN`] of them if there are so many.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Parsed, Damage> {
        let mut cursor = Cursor::new(bytes);
        if !bytes.starts_with(&FILE_MAGIC) {
            return Ok(Parsed::Foreign);
        }
        cursor.take(FILE_MAGIC.len())?;
        let (major, minor) = (cursor.u16()?, cursor.u16()?);
        if major > VERSION_MAJOR {
            return Ok(Parsed::Newer { major, minor });
        }
        let len = u64::from(cursor.u32()?);
        if len > MAX_HEADER_LEN as u64 {
            return Err(Damage::TooLarge {
                what: "length of the header",
                found: len,
                limit: MAX_HEADER_LEN as u64,
            });
        }
        let mut whole = Cursor::new(bytes);
        let checked = whole.take((len as usize).saturating_sub(CHECKSUM_LEN))?;
        verify(checked, whole.u64()?)?;
        let created_ms = cursor.u64()?;
        let rule = rule_from_code(cursor.u8()?)?;
        let compression = Compression::from_code(cursor.u8()?, cursor.u8()?.cast_signed());
        cursor.take(1)?;
        let ident_len = cursor.u16()?;
        cursor.take(2)?;
        let ident = String::from_utf8_lossy(cursor.take(ident_len.into())?).into_owned();
        Ok(Parsed::Header(Header { created_ms, rule, compression, ident }, len))
    }
}

/// Octets of the longest header.
pub(crate) const MAX_HEADER_LEN: usize = FILE_HEADER_LEN + MAX_IDENT + CHECKSUM_LEN;

pub(crate) fn rule_code(rule: CountRule) -> u8 {
    match rule {
        CountRule::Collected => 0,
        CountRule::Written => 1,
    }
}

pub(crate) fn rule_from_code(code: u8) -> Result<CountRule, Damage> {
    match code {
        0 => Ok(CountRule::Collected),
        1 => Ok(CountRule::Written),
        _ => Err(Damage::Unknown { what: "rule of counting", found: code.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            created_ms: 1_700_000_000_123,
            rule: CountRule::Written,
            compression: Compression::Zstd(-3),
            ident: "börder-1".into(),
        }
    }

    #[test]
    fn comes_back() {
        let bytes = header().to_bytes();
        let Ok(Parsed::Header(back, len)) = Header::parse(&bytes) else { panic!() };
        assert_eq!((back, len), (header(), bytes.len() as u64));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let bytes = header().to_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(!matches!(Header::parse(&bytes), Ok(Parsed::Header(..))), "bit {bit}");
        }
        for len in 0..bytes.len() {
            assert!(!matches!(Header::parse(&bytes[..len]), Ok(Parsed::Header(..))), "{len} bytes");
        }
    }

    #[test]
    fn a_later_major_version_is_named_and_a_later_minor_is_read() {
        let mut bytes = header().to_bytes();
        bytes[8] = 2;
        assert!(matches!(Header::parse(&bytes), Ok(Parsed::Newer { major: 2, minor: VERSION_MINOR })));
        let mut bytes = header().to_bytes();
        bytes[10] = 7;
        let end = bytes.len() - CHECKSUM_LEN;
        let sum = checksum(&bytes[..end]);
        bytes[end..].copy_from_slice(&sum.to_le_bytes());
        assert!(matches!(Header::parse(&bytes), Ok(Parsed::Header(..))));
    }
}
