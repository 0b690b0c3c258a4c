//! Lengths of time as people write them.

use std::fmt;
use std::str::FromStr;

/// A length of time in whole seconds, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

/// A text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a length of time: `{text}`, expected a number and s, m, h, d or w, such as 5m")]
pub struct SpanError {
    text: String,
}

/// Largest first.
const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

impl Span {
    /// The number of seconds.
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

/// A number and a unit; without one, it counts seconds.
impl FromStr for Span {
    type Err = SpanError;

    fn from_str(text: &str) -> Result<Span, SpanError> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let unit = if unit.is_empty() {
            Some(1)
        } else {
            UNITS.iter().find_map(|(name, seconds)| unit.strip_prefix(*name)?.is_empty().then_some(*seconds))
        };
        let seconds = unit.and_then(|unit| number.parse::<u64>().ok()?.checked_mul(unit));
        seconds.filter(|seconds| *seconds > 0).map(Span).ok_or_else(|| SpanError { text: text.to_owned() })
    }
}

/// In the largest unit that leaves no rest.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().find(|(_, seconds)| self.0.is_multiple_of(*seconds));
        let (name, seconds) = whole.unwrap_or(&('s', 1));
        write!(f, "{}{name}", self.0 / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_a_number_and_perhaps_a_unit() {
        for (text, seconds, printed) in [
            ("30s", 30, "30s"),
            ("5m", 300, "5m"),
            ("300", 300, "5m"),
            ("24h", 86_400, "1d"),
            ("36h", 129_600, "36h"),
            ("2w", 1_209_600, "2w"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.seconds(), span.to_string().as_str()), (seconds, printed), "{text}");
        }
        for text in [
            "",
            "m",
            "0",
            "0s",
            "5M",
            "5min",
            "-5m",
            "1.5h",
            "5 m",
            "99999999999999999999",
            "99999999999999w",
        ] {
            let error = text.parse::<Span>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("not a length of time: `{text}`")), "{error}");
        }
    }
}
