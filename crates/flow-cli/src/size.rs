//! Sizes as nfexpire's `-s` takes and prints them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

impl ByteSize {
    /// From a number of bytes.
    pub const fn new(bytes: u64) -> Self {
        ByteSize(bytes)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

/// Why a text is no size. The texts are nfexpire's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SizeError {
    /// It does not start with a number.
    #[error("Missing number in '{text}'")]
    MissingNumber {
        /// What was given.
        text: String,
    },
    /// Something stands behind the number which is no unit.
    #[error("Garbage character(s) '{garbage}' in '{text}'")]
    Garbage {
        /// What was not understood.
        garbage: String,
        /// What was given.
        text: String,
    },
    /// More than 64 bits can count. (nfexpire takes such a limit as none.)
    #[error("Number too large in '{text}'")]
    TooLarge {
        /// What was given.
        text: String,
    },
}

/// `N[.fraction][b|k|m|g|t][b]`, either case, in steps of 1024; a number alone counts bytes.
impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, rest) = text.split_at(digits(text));
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => rest.split_at(digits(rest)),
            None => ("", rest),
        };
        if whole.is_empty() && fraction.is_empty() {
            return Err(SizeError::MissingNumber { text: text.to_owned() });
        }
        let shift = match rest.to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" => 10,
            "m" | "mb" => 20,
            "g" | "gb" => 30,
            "t" | "tb" => 40,
            _ => return Err(SizeError::Garbage { garbage: rest.to_owned(), text: text.to_owned() }),
        };
        let too_large = || SizeError::TooLarge { text: text.to_owned() };
        let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().map_err(|_| too_large())? };
        let whole = whole.checked_mul(1 << shift).ok_or_else(too_large)?;
        whole.checked_add(fraction_of(fraction, 1 << shift)).map(ByteSize).ok_or_else(too_large)
    }
}

/// `<bytes> = <n.n> KB`, as in nfexpire's table; below 1024 `<bytes> B`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.0;
        let (name, shift) = match bytes {
            0..0x400 => return write!(f, "{bytes} B"),
            0x400..0x10_0000 => ("KB", 10),
            0x10_0000..0x4000_0000 => ("MB", 20),
            0x4000_0000..0x100_0000_0000 => ("GB", 30),
            _ => ("TB", 40),
        };
        write!(f, "{bytes} = {:.1} {name}", bytes as f64 / f64::from(1_u32 << (shift - 10)) / 1024.0)
    }
}

/// `0.digits` of a unit, rounded down. Digits beyond the 18th cannot change the result for any unit here.
fn fraction_of(digits: &str, unit: u64) -> u64 {
    let digits = &digits[..digits.len().min(18)];
    let numerator: u128 = digits.bytes().fold(0, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    (numerator * u128::from(unit) / 10_u128.pow(digits.len() as u32)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> u64 {
        text.parse::<ByteSize>().unwrap().bytes()
    }

    fn error(text: &str) -> String {
        text.parse::<ByteSize>().unwrap_err().to_string()
    }

    #[test]
    fn reads_what_nfexpire_reads() {
        // Each run against nfexpire 1.7.1.
        for (text, expected) in [
            ("0", 0),
            ("20000", 20_000),
            ("1B", 1),
            ("500k", 512_000),
            ("1kb", 1024),
            ("5kB", 5120),
            ("1.5", 1),
            ("1.5G", 1_610_612_736),
            ("10GB", 10_737_418_240),
            ("10gb", 10_737_418_240),
            (".5k", 512),
            ("3m", 3_145_728),
            ("9999999T", 10_995_115_178_248_372_224),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
    }

    #[test]
    fn fractions_are_exact() {
        assert_eq!(bytes("0.1t"), 109_951_162_777);
        assert_eq!(bytes("1.9999999999999999999999999t"), 2_199_023_255_551);
        assert_eq!(bytes("2."), 2);
    }

    #[test]
    fn refuses_what_nfexpire_refuses() {
        assert_eq!(error("5x"), "Garbage character(s) 'x' in '5x'");
        assert_eq!(error("1BB"), "Garbage character(s) 'BB' in '1BB'");
        assert_eq!(error("5 k"), "Garbage character(s) ' k' in '5 k'");
        assert_eq!(error("1.2.3k"), "Garbage character(s) '.3k' in '1.2.3k'");
        assert_eq!(error("0x10"), "Garbage character(s) 'x10' in '0x10'");
        assert_eq!(error("-5"), "Missing number in '-5'");
        assert_eq!(error(""), "Missing number in ''");
        assert_eq!(error("."), "Missing number in '.'");
        assert_eq!(error(" 5k"), "Missing number in ' 5k'");
        assert_eq!(error("99999999999999999999"), "Number too large in '99999999999999999999'");
        assert_eq!(error("99999999t"), "Number too large in '99999999t'");
    }

    #[test]
    fn prints_as_nfexpire_does() {
        for (bytes, expected) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1024 = 1.0 KB"),
            (614_400, "614400 = 600.0 KB"),
            (1_610_612_736, "1610612736 = 1.5 GB"),
            (10_995_115_178_248_372_224, "10995115178248372224 = 9999999.0 TB"),
        ] {
            assert_eq!(ByteSize::new(bytes).to_string(), expected);
        }
    }
}
