//! Tests of numbers that are computed from several fields of a row.

use crate::ast::Number;
use crate::bits::pack_pairs;
use crate::ranges::NumSet;
use flow_model::{Column, Field, FlowBatch, Selection, Values};
use std::borrow::Cow;

/// Decides for every selected row whether what `number` is computed to lies in `set`.
pub(crate) fn by_derived(number: Number, set: &NumSet, batch: &FlowBatch, selection: &Selection) -> Vec<u64> {
    let durations = || -> Vec<u64> {
        let (last, first) =
            (column(Field::LastMs, batch, selection), column(Field::FirstMs, batch, selection));
        last.iter().zip(&*first).map(|(last, first)| last.saturating_sub(*first)).collect()
    };
    let packets = || column(Field::InPackets, batch, selection);
    let bytes = || column(Field::InBytes, batch, selection);
    match number {
        Number::DurationMs => {
            let durations = durations();
            pack_pairs(&durations, &durations, |duration, _| within(duration, set))
        }
        Number::Pps => by_ratio(&packets(), &durations(), 1_000, set),
        Number::Bps => by_ratio(&bytes(), &durations(), 8_000, set),
        Number::Bpp => by_ratio(&bytes(), &packets(), 1, set),
        Number::Field(_) | Number::Bits { .. } | Number::Count => Vec::new(),
    }
}

/// Decides where `counts * scale / units` lies, a whole number that is 0 when there is no unit. For one range, which
/// is what a comparator gives, multiplication does: it takes a fifth of the time of a division.
fn by_ratio(counts: &[u64], units: &[u64], scale: u64, set: &NumSet) -> Vec<u64> {
    let (zero, scale) = (set.contains(0), u128::from(scale));
    if let [(low, high)] = *set.as_slice() {
        // A ratio too large for the type counts as the largest number: no upper end then.
        let (endless, end) = (high == u64::MAX, u128::from(high.saturating_add(1)));
        return pack_pairs(counts, units, |count, unit| {
            let (product, unit) = (u128::from(count) * scale, u128::from(unit));
            let inside = product >= u128::from(low) * unit && (endless || product < end * unit);
            if unit == 0 { zero } else { inside }
        });
    }
    pack_pairs(counts, units, |count, unit| {
        let ratio = (u128::from(count) * scale).checked_div(u128::from(unit)).unwrap_or(0);
        set.contains(u64::try_from(ratio).unwrap_or(u64::MAX))
    })
}

/// The selected rows' numbers in `field`, borrowed where they stand in the batch just so.
pub(crate) fn column<'b>(field: Field, batch: &'b FlowBatch, selection: &Selection) -> Cow<'b, [u64]> {
    let column = batch.column(field);
    match column {
        Column::Plain(Values::U64(values)) if selection.is_all() => Cow::Borrowed(values),
        _ => {
            let mut numbers = Vec::with_capacity(selection.count());
            column.gather(selection, &mut numbers);
            Cow::Owned(numbers)
        }
    }
}

/// Whether `value` is in `set`; a set of one range, which is what a comparator gives, needs no search.
#[inline]
pub(crate) fn within(value: u64, set: &NumSet) -> bool {
    match set.as_slice() {
        [(low, high)] => value.wrapping_sub(*low) <= high - low,
        _ => set.contains(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn edge() -> impl Strategy<Value = u64> {
        prop_oneof![0_u64..20, 0_u64..100_000, u64::MAX - 20..=u64::MAX, any::<u64>()]
    }

    proptest! {
        #[test]
        fn ratios_lie_where_the_quotient_lies(count in edge(), unit in edge(), a in edge(), b in edge()) {
            let set = NumSet::between(a.min(b), a.max(b));
            let several = NumSet::new(vec![(a.min(b), a.max(b)), (3, 3), (a, a)]);
            for (scale, rate) in [(1_000, flow_model::pps as fn(u64, u64) -> u64), (8_000, flow_model::bps), (1, flow_model::bpp)] {
                let expected = rate(count, unit);
                prop_assert_eq!(by_ratio(&[count], &[unit], scale, &set) == [1], set.contains(expected));
                prop_assert_eq!(by_ratio(&[count], &[unit], scale, &several) == [1], several.contains(expected));
            }
        }
    }
}
