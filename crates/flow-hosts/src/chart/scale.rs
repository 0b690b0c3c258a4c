//! Numbers and times on axes.

/// What numbers count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Octets.
    Bytes,
    /// Bits per second.
    BitsPerSecond,
    /// Packets.
    Packets,
    /// Packets per second.
    PacketsPerSecond,
    /// Flows.
    Flows,
}

impl Unit {
    /// As it stands on an axis.
    pub fn name(self) -> &'static str {
        match self {
            Unit::Bytes => "bytes",
            Unit::BitsPerSecond => "bits/s",
            Unit::Packets => "packets",
            Unit::PacketsPerSecond => "packets/s",
            Unit::Flows => "flows",
        }
    }
}

/// A number of at most three digits and a letter for thousands: `1.2 M`.
pub(super) fn short(value: f64) -> String {
    let letters = ["", " k", " M", " G", " T", " P", " E"];
    let mut scaled = value;
    let mut place = 0;
    // What would be rounded to four digits belongs to the next letter.
    while scaled >= 999.5 && place + 1 < letters.len() {
        scaled /= 1_000.0;
        place += 1;
    }
    let decimals = usize::from(scaled < 99.95 && scaled.fract().abs() > 1e-9);
    format!("{scaled:.decimals$}{}", letters[place])
}

/// The places of an axis from 0 to `highest` and a little more: about so many, at round numbers.
pub(super) fn places(highest: f64, about: usize) -> Vec<f64> {
    let highest = if highest > 0.0 { highest } else { 1.0 };
    let rough = highest / about.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(10.0 * power);
    let places = (highest / step - 1e-9).ceil().max(1.0) as usize;
    (0..=places).map(|place| place as f64 * step).collect()
}

/// Seconds between places on an axis of time.
const STEPS: [i64; 20] = [
    1, 5, 10, 30, 60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 43_200, 86_400, 172_800,
    604_800, 1_209_600, 2_419_200,
];

/// The first day of 1970 was a Thursday; Monday came four days later.
const MONDAY: i64 = 4 * 86_400;

/// The places of an axis of time at which clocks show round times: at most so many, with what is written there.
pub(super) fn times(
    first_ms: u64,
    last_ms: u64,
    most: u32,
    offset_at: &dyn Fn(i64) -> i32,
) -> Vec<(u64, String)> {
    let (first, last) = ((first_ms / 1_000).cast_signed(), (last_ms / 1_000).cast_signed());
    let length = (last - first).max(1);
    let most = most.clamp(1, 1_000);
    let fitting = |step: &i64| length / step < i64::from(most);
    let step = STEPS
        .into_iter()
        .find(fitting)
        .unwrap_or_else(|| (length / i64::from(most) / 31_536_000 + 1) * 31_536_000);
    let phase = if step >= 604_800 { MONDAY } else { 0 };
    let mut places = Vec::new();
    let mut at = first;
    while at <= last && places.len() <= 2 * most as usize {
        let local = at + i64::from(offset_at(at));
        let behind = (local - phase).rem_euclid(step);
        if behind != 0 {
            // Across a change of the clocks this is not the next place yet, or the second time it comes.
            at += step - behind;
            continue;
        }
        places.push((at.max(0).cast_unsigned() * 1_000, words(local, step)));
        at += step;
    }
    places
}

fn words(local: i64, step: i64) -> String {
    let time = chrono::DateTime::from_timestamp(local, 0).unwrap_or_default();
    let format = match step {
        ..60 => "%H:%M:%S",
        60..86_400 if local.rem_euclid(86_400) == 0 => "%d %b",
        60..86_400 => "%H:%M",
        86_400..31_536_000 => "%d %b",
        _ => "%Y",
    };
    time.format(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (7.0, "7"),
            (7.25, "7.2"),
            (999.0, "999"),
            (999.6, "1.0 k"),
            (1_000.0, "1 k"),
            (12_345.0, "12.3 k"),
            (123_456.0, "123 k"),
            (2.5e9, "2.5 G"),
            (1.8e19, "18 E"),
        ] {
            assert_eq!(short(value), text);
        }
    }

    #[test]
    fn axes_have_round_numbers_and_reach_the_highest() {
        assert_eq!(places(10.0, 5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(places(0.0, 4).first(), Some(&0.0));
        for highest in [1e-9, 0.3, 7.0, 99.0, 101.0, 12_345.6, 1.8e19] {
            let places = places(highest, 4);
            assert!((2..=6).contains(&places.len()), "{highest}: {places:?}");
            assert!(places[places.len() - 1] >= highest * 0.999);
        }
    }

    #[test]
    fn times_are_round_on_the_clock() {
        let day = 86_400_000;
        let hours = times(19_000 * day, 19_001 * day, 9, &|_| 3_600);
        assert_eq!(hours.len(), 8);
        assert_eq!((hours[0].0, hours[0].1.as_str()), (19_000 * day + 2 * 3_600_000, "03:00"));
        assert_eq!(hours[7].1, "09 Jan");
        assert_eq!(times(19_000 * day, 19_030 * day, 6, &|_| 0).len(), 5);
        assert!(times(0, 400 * 365 * day, 6, &|_| 0).len() <= 7);
        assert!(times(5, 6, 6, &|_| 0).len() <= 1);
    }
}
