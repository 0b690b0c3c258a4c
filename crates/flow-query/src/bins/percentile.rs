//! Percentiles as bills are made by.

use std::fmt;
use std::str::FromStr;

/// A percentile by nearest rank: of *n* numbers in ascending order it is the one at place *p·n/100*, rounded up. So it is
/// always one of the numbers, and at least *p* per cent of them are not larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percentile {
    /// In thousandths of a per cent.
    thousandths: u32,
}

/// A text is no percentile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a percentile: `{text}`, expected a number above 0 and up to 100, such as 95 or 99.9")]
pub struct PercentileError {
    text: String,
}

const HUNDRED: u32 = 100_000;

impl Percentile {
    /// That of `numbers`, which are brought into another order; 0 of none.
    pub fn of(self, numbers: &mut [u64]) -> u64 {
        let rank = (numbers.len() as u128 * u128::from(self.thousandths)).div_ceil(HUNDRED.into()) as usize;
        match rank.checked_sub(1) {
            Some(place) if place < numbers.len() => *numbers.select_nth_unstable(place).1,
            _ => 0,
        }
    }
}

/// A decimal number above 0 and up to 100, with at most three digits behind the point.
impl FromStr for Percentile {
    type Err = PercentileError;

    fn from_str(text: &str) -> Result<Percentile, PercentileError> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str, most| {
            (1..=most).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit())
        };
        let thousandths = (digits(whole, 3) && digits(part, 3))
            .then(|| Some(whole.parse::<u32>().ok()? * 1_000 + format!("{part:0<3}").parse::<u32>().ok()?));
        match thousandths.flatten() {
            Some(thousandths @ 1..=HUNDRED) => Ok(Percentile { thousandths }),
            _ => Err(PercentileError { text: text.to_owned() }),
        }
    }
}

/// The number as it is usually written, without zeros behind.
impl fmt::Display for Percentile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", f64::from(self.thousandths) / 1_000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_month_of_five_minutes_loses_its_highest_36_hours() {
        let mut rates: Vec<u64> = (1..=8_640).rev().collect();
        let p95: Percentile = "95".parse().unwrap();
        assert_eq!(p95.of(&mut rates), 8_208);
        assert_eq!((p95.of(&mut []), p95.of(&mut [7]), p95.to_string()), (0, 7, "95".to_owned()));
        assert_eq!("99.95".parse::<Percentile>().unwrap().to_string(), "99.95");
    }

    #[test]
    fn what_is_none_is_told() {
        for text in ["", "0", "100.001", "-5", "95%", "95.", ".5", "1e1", "99.9999", "1000"] {
            let error = text.parse::<Percentile>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("not a percentile: `{text}`")), "{error}");
        }
        assert!("100".parse::<Percentile>().is_ok());
    }

    proptest! {
        #[test]
        fn it_is_the_smallest_number_that_so_many_do_not_exceed(
            mut numbers in prop::collection::vec(0..50_u64, 1..60),
            percent in 1..=100_usize,
        ) {
            let percentile: Percentile = percent.to_string().parse().unwrap();
            let not_larger = |than: u64| numbers.iter().filter(|number| **number <= than).count();
            let enough = numbers.iter().copied().filter(|number| not_larger(*number) * 100 >= percent * numbers.len());
            let naive = enough.min().unwrap();
            prop_assert_eq!(percentile.of(&mut numbers), naive);
        }
    }
}
