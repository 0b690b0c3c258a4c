//! Ages as nfexpire's `-t` takes and prints them.

use std::fmt;
use std::str::FromStr;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;
const WEEK_S: u64 = 7 * DAY_S;

/// A length of time in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Age(u64);

impl Age {
    /// From a number of seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Age(seconds)
    }

    /// The number of seconds.
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

/// Why a text is no age. The texts are nfexpire's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AgeError {
    /// A term does not start with a number.
    #[error("Missing number before '{rest}'")]
    MissingNumber {
        /// The text from that place on.
        rest: String,
    },
    /// The letter behind a number is none of `w d H M`; upper and lower case differ.
    #[error("Unknown time unit '{rest}'")]
    UnknownUnit {
        /// The text from that number on.
        rest: String,
    },
    /// A unit occurs twice.
    #[error("Ambiguous {unit} '{text}'")]
    Repeated {
        /// The unit, spelt out.
        unit: &'static str,
        /// What was given.
        text: String,
    },
    /// More seconds than 64 bits can count.
    #[error("Number too large in '{text}'")]
    TooLarge {
        /// What was given.
        text: String,
    },
}

/// A sum of `Nw`, `Nd`, `NH` and `NM` in any order, each at most once. A number without unit, at the end,
/// counts hours. Nothing at all is 0.
impl FromStr for Age {
    type Err = AgeError;

    fn from_str(text: &str) -> Result<Self, AgeError> {
        let too_large = || AgeError::TooLarge { text: text.to_owned() };
        let mut seconds = 0_u64;
        let mut seen = [false; 4];
        let mut rest = text;
        while !rest.is_empty() {
            let (number, behind) = rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count());
            if number.is_empty() {
                return Err(AgeError::MissingNumber { rest: rest.to_owned() });
            }
            let mut behind = behind.chars();
            let (slot, unit, unit_s) = match behind.next() {
                Some('w') => (0, "weeks", WEEK_S),
                Some('d') => (1, "days", DAY_S),
                Some('H') | None => (2, "hours", HOUR_S),
                Some('M') => (3, "minutes", MINUTE_S),
                Some(_) => return Err(AgeError::UnknownUnit { rest: rest.to_owned() }),
            };
            if std::mem::replace(&mut seen[slot], true) {
                return Err(AgeError::Repeated { unit, text: text.to_owned() });
            }
            seconds = number
                .parse::<u64>()
                .ok()
                .and_then(|number| number.checked_mul(unit_s))
                .and_then(|term| seconds.checked_add(term))
                .ok_or_else(too_large)?;
            rest = behind.as_str();
        }
        Ok(Age(seconds))
    }
}

/// `<seconds> = <n.n> hours`, as in nfexpire's table.
impl fmt::Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0;
        let (name, unit_s) = match seconds {
            0..MINUTE_S => return write!(f, "{seconds} sec"),
            MINUTE_S..HOUR_S => ("min", MINUTE_S),
            HOUR_S..DAY_S => ("hours", HOUR_S),
            DAY_S..WEEK_S => ("days", DAY_S),
            _ => ("weeks", WEEK_S),
        };
        write!(f, "{seconds} = {:.1} {name}", seconds as f64 / unit_s as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> u64 {
        text.parse::<Age>().unwrap().seconds()
    }

    fn error(text: &str) -> String {
        text.parse::<Age>().unwrap_err().to_string()
    }

    #[test]
    fn reads_what_nfexpire_reads() {
        // Each run against nfexpire 1.7.1.
        for (text, expected) in [
            ("", 0),
            ("0", 0),
            ("5", 18_000),
            ("5M", 300),
            ("1w2d12H", 820_800),
            ("12H1w", 648_000),
            ("5d3", 442_800),
            ("3600000000000", 12_960_000_000_000_000),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn refuses_what_nfexpire_refuses() {
        assert_eq!(error("5h"), "Unknown time unit '5h'");
        assert_eq!(error("1.5d"), "Unknown time unit '1.5d'");
        assert_eq!(error("2D"), "Unknown time unit '2D'");
        assert_eq!(error("1W"), "Unknown time unit '1W'");
        assert_eq!(error("5 d"), "Unknown time unit '5 d'");
        assert_eq!(error("-5"), "Missing number before '-5'");
        assert_eq!(error("+5"), "Missing number before '+5'");
        assert_eq!(error(" 2H"), "Missing number before ' 2H'");
        assert_eq!(error("2H "), "Missing number before ' '");
        assert_eq!(error("d"), "Missing number before 'd'");
        assert_eq!(error("1d1d"), "Ambiguous days '1d1d'");
        assert_eq!(error("99999999999999999999"), "Number too large in '99999999999999999999'");
        assert_eq!(error("9999999999999999999w"), "Number too large in '9999999999999999999w'");
    }

    #[test]
    fn prints_as_nfexpire_does() {
        for (seconds, expected) in [
            (0, "0 sec"),
            (59, "59 sec"),
            (60, "60 = 1.0 min"),
            (300, "300 = 5.0 min"),
            (18_000, "18000 = 5.0 hours"),
            (442_800, "442800 = 5.1 days"),
            (820_800, "820800 = 1.4 weeks"),
        ] {
            assert_eq!(Age::from_seconds(seconds).to_string(), expected);
        }
    }
}
