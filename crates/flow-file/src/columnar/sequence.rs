//! Packed sequences: numbers as differences to a base, most of them in few bits, the rest as exceptions.
//!
//! Counters of flows are heavy-tailed: one elephant among thousands of mice would give every row its width. So the
//! width is chosen where width and exceptions together are smallest. The base is usually the minimum; where a
//! column mixes 0 with times, the base is among the times and the zeros are exceptions (differences wrap).

use super::bitpack::{self, Number, packed_len, stream_len};
use super::cursor::{Cursor, put_varint};
use crate::error::Damage;

/// How a sequence is to be packed, and how long it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    base: u64,
    width: u32,
    /// Width of the upper parts of exceptions; 0 without exceptions.
    high_width: u32,
    /// Bits of the sequence, about.
    bits: u64,
}

impl Plan {
    /// The shortest way to pack `values`, near enough: long sequences are judged by a sample.
    pub(crate) fn of(values: &[u64]) -> Plan {
        Plan::with_sample(values, &sample(values.len(), |row| values[row]))
    }

    /// As [`of`](Self::of), for values of which a [`sample`] is there.
    pub(crate) fn with_sample(values: &[u64], sample: &[u64]) -> Plan {
        if values.is_empty() {
            return Plan { base: 0, width: 0, high_width: 0, bits: 0 };
        }
        let min = values.iter().fold(u64::MAX, |min, &value| min.min(value));
        let plan = Plan::with_base(values, sample, min);
        if plan.width + plan.high_width <= SUSPICIOUS_BITS {
            return plan;
        }
        // Perhaps a few rows lack what the others have; the middle value tells what is usual.
        let mut sorted = sample.to_vec();
        let (_, middle, _) = sorted.select_nth_unstable(sample.len() / 2);
        let floor = *middle / 2;
        let base =
            values.iter().fold(u64::MAX, |min, &value| if value < floor { min } else { min.min(value) });
        let other = Plan::with_base(values, sample, base);
        if other.bits < plan.bits { other } else { plan }
    }

    fn with_base(values: &[u64], sample: &[u64], base: u64) -> Plan {
        let used = values.iter().fold(0, |used, &value| used | value.wrapping_sub(base));
        Plan::choose(values.len(), sample, base, bits(used))
    }

    /// What a sample says about how long `rows` values get, without a look at the other values.
    pub(crate) fn estimate(rows: usize, sample: &[u64]) -> u64 {
        let base = sample.iter().fold(u64::MAX, |min, &value| min.min(value));
        let used = sample.iter().fold(0, |used, &value| used | value.wrapping_sub(base));
        Plan::choose(rows, sample, base, bits(used)).bits
    }

    /// The best width for values of at most `widest` bits, by the widths in the sample.
    fn choose(rows: usize, sample: &[u64], base: u64, widest: u32) -> Plan {
        let mut histogram = [0_u64; 65];
        for &value in sample {
            histogram[bits(value.wrapping_sub(base)) as usize] += 1;
        }
        let (rows, sampled) = (rows as u64, (sample.len() as u64).max(1));
        let position_width = u64::from(position_width(rows as usize));
        let mut exceptions = 0;
        let mut best = Plan { base, width: widest, high_width: 0, bits: rows * u64::from(widest) };
        for width in (0..widest).rev() {
            exceptions += histogram[width as usize + 1];
            let high_width = widest - width;
            let bits = rows * u64::from(width)
                + (exceptions * rows).div_ceil(sampled) * (position_width + u64::from(high_width));
            // Where the sample says that there is nothing above this width, a few values may yet be.
            if bits + EXCEPTIONS_OVERHEAD_BITS < best.bits {
                best = Plan { base, width, high_width, bits: bits + EXCEPTIONS_OVERHEAD_BITS };
            }
        }
        best
    }

    /// Appends `values`, for which the plan was made.
    pub(crate) fn write(&self, values: &[u64], out: &mut Vec<u8>) {
        let &Plan { base, width, high_width, .. } = self;
        let mask = low_mask(width);
        let mut positions = Vec::new();
        let mut highs = Vec::new();
        if high_width > 0 {
            for (chunk, values) in values.chunks(64).enumerate() {
                // Most stretches have no exception.
                if values.iter().fold(0, |used, &value| used | value.wrapping_sub(base)) <= mask {
                    continue;
                }
                for (row, value) in values.iter().enumerate() {
                    let difference = value.wrapping_sub(base);
                    if difference > mask {
                        positions.push((chunk * 64 + row) as u64);
                        highs.push(difference >> width);
                    }
                }
            }
        }
        let high_width = if positions.is_empty() { 0 } else { high_width };
        out.extend_from_slice(&[width as u8, high_width as u8]);
        put_varint(base, out);
        if high_width > 0 {
            put_varint(positions.len() as u64, out);
        }
        bitpack::pack_with(values, width, |value| value.wrapping_sub(base) & mask, out);
        bitpack::put_stream(positions.into_iter(), position_width(values.len()), out);
        bitpack::put_stream(highs.into_iter(), high_width, out);
    }
}

/// Values that stand for all `rows`, evenly spread.
pub(crate) fn sample(rows: usize, value: impl Fn(usize) -> u64) -> Vec<u64> {
    if rows <= SAMPLE {
        return (0..rows).map(value).collect();
    }
    // An odd stride, so that no even period of the values is always hit at the same place.
    let stride = (rows / SAMPLE) | 1;
    (0..rows).step_by(stride).map(value).collect()
}

/// Appends `values` packed in the shortest way.
pub(crate) fn put(values: &[u64], out: &mut Vec<u8>) {
    Plan::of(values).write(values, out);
}

/// Reads a sequence of `count` numbers and appends them to `out`, narrowed.
pub(crate) fn read<T: Number>(cursor: &mut Cursor<'_>, count: usize, out: &mut Vec<T>) -> Result<(), Damage> {
    let width = u32::from(cursor.u8()?);
    let high_width = u32::from(cursor.u8()?);
    if width + high_width > 64 {
        return Err(Damage::TooLarge {
            what: "width of a number",
            found: (width + high_width).into(),
            limit: 64,
        });
    }
    let base = cursor.varint()?;
    let exceptions = if high_width > 0 { cursor.bounded("count of exceptions", count as u64)? } else { 0 };
    let packed = cursor.take(packed_len(width, count))?;
    let start = out.len();
    bitpack::unpack(packed, width, count, base, out);
    if exceptions > 0 {
        let position_width = position_width(count);
        let positions = cursor.take(stream_len(position_width, exceptions))?;
        let highs = cursor.take(stream_len(high_width, exceptions))?;
        let mut rows = Vec::with_capacity(exceptions);
        bitpack::stream(positions, position_width, exceptions, |row| rows.push(row as usize));
        let mut rows = rows.into_iter();
        let mut sound = true;
        bitpack::stream(highs, high_width, exceptions, |high| {
            match rows.next().and_then(|row| out[start..].get_mut(row)) {
                Some(value) => *value = T::narrow(value.widen().wrapping_add(high << width)),
                None => sound = false,
            }
        });
        if !sound {
            return Err(Damage::Inconsistent("an exception is beyond the last row"));
        }
    }
    Ok(())
}

/// Bits that `num` needs; 0 for 0.
pub(crate) fn bits(num: u64) -> u32 {
    64 - num.leading_zeros()
}

/// Bits of the number of a row among `count`.
fn position_width(count: usize) -> u32 {
    bits(count.saturating_sub(1) as u64)
}

fn low_mask(width: u32) -> u64 {
    u64::MAX.checked_shr(64 - width).unwrap_or(0)
}

/// Only ranges wider than this make the planner look for a better base than the minimum: five octets a row would
/// be much for any time or counter within one block.
const SUSPICIOUS_BITS: u32 = 24;

/// How many values stand for a long sequence: a width is then right to within a few per cent of the rows.
const SAMPLE: usize = 2048;

/// What the count of exceptions and the exceptions that a sample missed may need.
const EXCEPTIONS_OVERHEAD_BITS: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn round_trip(values: &[u64]) -> (Vec<u64>, usize) {
        let mut out = Vec::new();
        put(values, &mut out);
        let mut cursor = Cursor::new(&out);
        let mut back = Vec::new();
        read(&mut cursor, values.len(), &mut back).unwrap();
        cursor.finish().unwrap();
        (back, out.len())
    }

    #[test]
    fn an_elephant_does_not_widen_the_mice() {
        let mut values: Vec<u64> = (0..4096).map(|i| i % 16).collect();
        values[1000] = 1 << 50;
        let (back, len) = round_trip(&values);
        assert_eq!(back, values);
        assert!(len < 4096 / 2 + 30, "{len}");
    }

    #[test]
    fn zeros_among_times_are_exceptions() {
        let values: Vec<u64> =
            (0..4096).map(|i| if i % 100 == 3 { 0 } else { 1_700_000_000_000 + i }).collect();
        let (back, len) = round_trip(&values);
        assert_eq!(back, values);
        assert!(len < 4096 * 2, "{len}");
    }

    #[test]
    fn equal_values_need_no_bits() {
        assert_eq!(round_trip(&[7; 1500]).1, 3);
        assert_eq!(round_trip(&[]).1, 3);
    }

    proptest! {
        #[test]
        fn any_sequence_comes_back(
            values in prop::collection::vec(prop_oneof![0_u64..100, any::<u64>(), 1_000_000_u64..1_000_100], 0..2500),
        ) {
            prop_assert_eq!(round_trip(&values).0, values);
        }

        #[test]
        fn garbage_is_an_error_or_numbers(octets in prop::collection::vec(any::<u8>(), 0..200), count in 0_usize..2000) {
            let mut back: Vec<u16> = Vec::new();
            if read(&mut Cursor::new(&octets), count, &mut back).is_ok() {
                prop_assert_eq!(back.len(), count);
            }
        }
    }
}
