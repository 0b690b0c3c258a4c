//! Totals that a file knows itself.

use crate::{Query, Source};
use flow_model::{CountRule, Field, Range, Totals};

/// The totals over a source of which every flow matches, as a [`Report`](crate::Report) counts them, if they follow from
/// what the source says of itself. Blocks that turn out damaged are in there too.
pub(crate) fn stored(source: &impl Source, query: &Query) -> Option<Totals> {
    let rule = source.rule()?;
    let totals = Totals { sequence_failures: 0, ..*source.totals() };
    let is_inside = query
        .window
        .is_none_or(|window| totals.first_ms >= window.first_ms && totals.last_ms <= window.last_ms);
    if !query.filter.matches_all() || query.limit.is_some() || !is_inside {
        return None;
    }
    // Of flows without an end, the file reports its slot's.
    let has_times = (0..source.block_count()).any(
        |block| matches!(source.block_range(block, Field::LastMs), Some(Range::Num { max, .. }) if max > 0),
    );
    if !has_times {
        return None;
    }
    // The collector's rule counts records, and leaves counters out out of those by protocol.
    let is_at_most = |field, most| {
        (0..source.block_count()).all(
            |block| matches!(source.block_range(block, field), Some(Range::Num { max, .. }) if max <= most),
        )
    };
    let same = rule == CountRule::Written
        || is_at_most(Field::Flows, 1) && is_at_most(Field::OutPackets, 0) && is_at_most(Field::OutBytes, 0);
    same.then_some(totals)
}
