//! Aggregation (`-a`, `-A`, `-s record`): flows of equal key become one.

use super::key::{Key, Layout, MAX_KEY_WORDS, Shape, key_fields, shapes, unite};
use super::{KeyPart, Partitions, merge_partitions};
use crate::counts::{COUNTER_FIELDS, Counts, Scratch, Sums, slice};
use crate::topn::{Standing, TopN};
use crate::{QueryError, RowOrigin, Scanned, Sink};
use flow_model::{
    Column, Field, FieldSet, FlowBatch, Groups, Kind, MAX_BATCH_ROWS, Order, Selection, Value, ValueRef, Values,
    field_info,
};
use std::cmp::Ordering;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Brings flows of equal key together.
///
/// Counters are summed, TCP flags or-ed, first is the earliest start and last the latest end. What the other fields
/// show, [`keep_first`](Self::keep_first) decides.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// What flows are grouped by.
    pub key: Vec<KeyPart>,
    /// Whether fields outside the key show the group's first flow (`-a`, `-s record`); otherwise they are zero, or
    /// absent (`-A`).
    pub keep_first: bool,
    /// The orders in which the groups are wanted, one answer for each.
    pub rankings: Vec<Ranking>,
    /// The fields that are wanted.
    pub columns: FieldSet,
}

/// An order of groups, and how many of them are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ranking {
    /// What is compared; ties go by first seen, then by the order of the input. `None` = groups come in the order in
    /// which they appear.
    pub order: Option<Order>,
    /// Whether small comes first.
    pub ascending: bool,
    /// How many groups are wanted; 0 = all.
    pub top: usize,
}

impl Ranking {
    /// The first `top` groups by `order`, in the order's usual direction.
    pub fn by(order: Order, top: usize) -> Ranking {
        Ranking { order: Some(order), ascending: order.ascends(), top }
    }

    /// The first `top` groups in order of appearance.
    pub fn by_appearance(top: usize) -> Ranking {
        Ranking { order: None, ascending: true, top }
    }

    fn standing(&self, sums: &Sums) -> Standing {
        match self.order {
            Some(order) => Standing::by(order, self.ascending, &sums.counters, sums.origin()),
            None => Standing::by_appearance(sums.origin()),
        }
    }
}

impl Aggregate {
    /// The key of `-a` and `-s record`: addresses, ports and protocol.
    pub fn five_tuple() -> Vec<KeyPart> {
        [Field::SrcAddr, Field::DstAddr, Field::SrcPort, Field::DstPort, Field::Proto].map(KeyPart::field).into()
    }
}

/// What a worker keeps.
pub struct AggregatePartial {
    parts: Vec<KeyPart>,
    scratch: Scratch,
    flags: Vec<u64>,
    shapes: Vec<Shape>,
    members: Vec<u32>,
    groups: Vec<(Shape, Layout, ShapeGroups)>,
}

impl Sink for Aggregate {
    type Partial = AggregatePartial;
    type Output = Vec<Vec<FlowBatch>>;

    fn columns(&self) -> FieldSet {
        let mut fields = COUNTER_FIELDS.union(key_fields(&self.key));
        if self.keep_first {
            fields.insert(Field::TcpFlags);
        }
        fields
    }

    fn start(&self) -> AggregatePartial {
        AggregatePartial {
            parts: unite(&self.key),
            scratch: Scratch::default(),
            flags: Vec::new(),
            shapes: Vec::new(),
            members: Vec::new(),
            groups: Vec::new(),
        }
    }

    fn push(
        &self,
        partial: &mut AggregatePartial,
        batch: &FlowBatch,
        selection: &Selection,
        origin: RowOrigin,
    ) -> Result<(), QueryError> {
        let AggregatePartial { parts, scratch, flags, shapes: found, members, groups } = partial;
        let counts = Counts::new(batch, selection, scratch);
        let flags = if self.keep_first { slice(batch.column(Field::TcpFlags), selection, flags) } else { &[] };
        let rows = PushedRows { batch, counts: &counts, flags, origin };
        if let Some(shape) = shapes(parts, batch, counts.len(), |index| counts.row(index), found) {
            return groups_of(groups, parts, shape).map(|(layout, groups)| groups.add(layout, &rows, None));
        }
        let mut present: Vec<Shape> = found.clone();
        present.sort_unstable();
        present.dedup();
        for shape in present {
            members.clear();
            members.extend((0..found.len() as u32).filter(|&index| found[index as usize] == shape));
            let (layout, groups) = groups_of(groups, parts, shape)?;
            groups.add(layout, &rows, Some(members));
        }
        Ok(())
    }

    fn finish(&self, partials: Vec<AggregatePartial>, scanned: &Scanned<'_>) -> Result<Self::Output, QueryError> {
        let mut by_shape: Vec<(Shape, Layout, Vec<ShapeGroups>)> = Vec::new();
        for (shape, layout, groups) in partials.into_iter().flat_map(|partial| partial.groups) {
            match by_shape.iter_mut().find(|(known, ..)| *known == shape) {
                Some((_, _, all)) => all.push(groups),
                None => by_shape.push((shape, layout, vec![groups])),
            }
        }
        let mut rankings: Vec<TopN<Winner>> = self.rankings.iter().map(|ranking| TopN::new(ranking.top)).collect();
        let mut layouts = Vec::new();
        for (shape, layout, groups) in by_shape {
            layouts.push((shape, layout));
            for best in ShapeGroups::rank(groups, shape, &self.rankings, scanned) {
                rankings.iter_mut().zip(best).for_each(|(ranking, best)| ranking.merge(best));
            }
        }
        rankings
            .into_iter()
            .map(|best| self.batches(best.finish().into_iter().map(|(_, winner)| winner).collect(), &layouts, scanned))
            .collect()
    }
}

impl Aggregate {
    /// The groups as flows.
    fn batches(
        &self,
        winners: Vec<Winner>,
        layouts: &[(Shape, Layout)],
        scanned: &Scanned<'_>,
    ) -> Result<Vec<FlowBatch>, QueryError> {
        let keys = key_fields(&self.key);
        let own = keys.union(COUNTER_FIELDS);
        // A zeroed address keeps its family, so the first flow has to be looked at even then.
        let others = self.columns.without(own);
        let wanted = if self.keep_first {
            others.without(FieldSet::of(&[Field::TcpFlags]))
        } else {
            others.iter().filter(|&field| field_info(field).kind == Kind::Ip).collect()
        };
        let first_flows = if wanted.is_empty() {
            winners.chunks(MAX_BATCH_ROWS).map(|winners| FlowBatch::new(winners.len())).collect()
        } else {
            let origins: Vec<RowOrigin> = winners.iter().map(|winner| winner.sums.origin()).collect();
            scanned.fetch(&origins, wanted)?
        };
        let parts = first_flows.into_iter().zip(winners.chunks(MAX_BATCH_ROWS)).collect();
        Ok(scanned.map(parts, |(mut batch, winners): (FlowBatch, &[Winner])| {
            if !self.keep_first {
                zero_addresses(&mut batch, wanted);
            }
            batch.mark_decoded(self.columns.union(own));
            put_counters(&mut batch, winners);
            for field in keys.iter() {
                let mut values = Values::new(field_info(field).kind);
                for winner in winners {
                    let layout = layouts.iter().find(|(shape, _)| *shape == winner.shape).map(|(_, layout)| layout);
                    let value = layout.and_then(|layout| layout.value(&winner.key, field));
                    values.push(value.unwrap_or(Value::zero(field_info(field).kind)).as_ref());
                }
                batch.insert(field, Column::Plain(values));
            }
            if self.keep_first {
                let flags = winners.iter().map(|winner| winner.sums.flags()).collect();
                if !keys.contains(Field::TcpFlags) {
                    batch.insert(Field::TcpFlags, Column::Plain(Values::U8(flags)));
                }
            } else {
                put_groups(&mut batch, keys);
            }
            batch
        }))
    }
}

/// Replaces addresses by the unspecified one of their family.
fn zero_addresses(batch: &mut FlowBatch, fields: FieldSet) {
    for field in fields.iter() {
        let Some(column) = batch.take(field) else { continue };
        let zero = |addr: IpAddr| match addr {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let zeroed = match column {
            Column::Constant(Value::Ip(addr)) => Column::Constant(Value::Ip(zero(addr))),
            column => {
                let addrs = (0..batch.len()).map(|row| zero(column.ip(row))).collect();
                Column::Plain(Values::Ip(addrs))
            }
        };
        batch.insert(field, zeroed);
    }
}

fn put_counters(batch: &mut FlowBatch, winners: &[Winner]) {
    let mut nums = |field, num: fn(&Winner) -> u64| {
        batch.insert(field, Column::Plain(Values::U64(winners.iter().map(num).collect())));
    };
    nums(Field::FirstMs, |winner| winner.sums.counters.first_ms);
    nums(Field::LastMs, |winner| winner.sums.counters.last_ms);
    nums(Field::Flows, |winner| winner.sums.counters.flows);
    nums(Field::InPackets, |winner| winner.sums.counters.in_packets);
    nums(Field::InBytes, |winner| winner.sums.counters.in_bytes);
    nums(Field::OutPackets, |winner| winner.sums.counters.out_packets);
    nums(Field::OutBytes, |winner| winner.sums.counters.out_bytes);
}

/// What a flow made of nothing but a key and counters carries.
fn put_groups(batch: &mut FlowBatch, keys: FieldSet) {
    let groups = (0..batch.len()).map(|row| {
        let mut groups = Groups::default();
        groups.insert(Groups::GENERIC);
        groups.insert(Groups::COUNTERS);
        for field in keys.iter() {
            match batch.column(field).get(row) {
                ValueRef::Ip(addr) => groups.insert_addr(field, addr),
                _ => groups.insert_field(field),
            }
        }
        groups.0
    });
    let groups = Column::Plain(Values::U64(groups.collect()));
    batch.insert(Field::Groups, groups);
}

/// A group that is shown.
#[derive(Debug)]
struct Winner {
    shape: Shape,
    key: Box<[u64]>,
    sums: Sums,
}

impl Ord for Winner {
    fn cmp(&self, other: &Winner) -> Ordering {
        (self.shape, &self.key).cmp(&(other.shape, &other.key))
    }
}

impl PartialOrd for Winner {
    fn partial_cmp(&self, other: &Winner) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Winner {
    fn eq(&self, other: &Winner) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Winner {}

/// The rows of one call of `push`.
struct PushedRows<'a> {
    batch: &'a FlowBatch,
    counts: &'a Counts<'a>,
    /// One entry per selected row, or nothing.
    flags: &'a [u64],
    origin: RowOrigin,
}

fn groups_of<'a>(
    groups: &'a mut Vec<(Shape, Layout, ShapeGroups)>,
    parts: &[KeyPart],
    shape: Shape,
) -> Result<(&'a Layout, &'a mut ShapeGroups), QueryError> {
    let index = match groups.iter().position(|(known, ..)| *known == shape) {
        Some(index) => index,
        None => {
            let layout = Layout::new(parts, shape)?;
            let empty = ShapeGroups::new(layout.words());
            groups.push((shape, layout, empty));
            groups.len() - 1
        }
    };
    let (_, layout, groups) = &mut groups[index];
    Ok((layout, groups))
}

/// Groups of one shape, and memory for the keys of a block.
#[derive(Default)]
struct KeyedGroups<const W: usize> {
    keys: Vec<Key<W>>,
    groups: Partitions<Key<W>>,
}

impl<const W: usize> KeyedGroups<W> {
    fn add(&mut self, layout: &Layout, rows: &PushedRows<'_>, members: Option<&[u32]>) {
        let KeyedGroups { keys, groups } = self;
        let counts = rows.counts;
        let flags = |index: usize| rows.flags.get(index).map_or(0, |&flags| flags as u8);
        match members {
            None => {
                layout.pack(rows.batch, counts.len(), |index| counts.row(index), keys);
                counts.for_each(|index, row| {
                    groups.group(&keys[index]).add(&row, rows.origin.with_row(counts.row(index)), flags(index));
                });
            }
            Some(members) => {
                layout.pack(rows.batch, members.len(), |index| counts.row(members[index] as usize), keys);
                for (key, &index) in keys.iter().zip(members) {
                    let index = index as usize;
                    let origin = rows.origin.with_row(counts.row(index));
                    groups.group(key).add(&counts.at(index), origin, flags(index));
                }
            }
        }
    }

    fn rank(
        of_workers: Vec<KeyedGroups<W>>,
        shape: Shape,
        rankings: &[Ranking],
        scanned: &Scanned<'_>,
    ) -> Vec<Vec<TopN<Winner>>> {
        let groups = of_workers.into_iter().map(|groups| groups.groups).collect();
        merge_partitions(groups, scanned, |table| {
            let mut best: Vec<TopN<Winner>> = rankings.iter().map(|ranking| TopN::new(ranking.top)).collect();
            for (key, sums) in table.iter() {
                for (ranking, best) in rankings.iter().zip(&mut best) {
                    best.push(ranking.standing(sums), || Winner { shape, key: key.0.into(), sums: *sums });
                }
            }
            best
        })
    }
}

/// Defines [`ShapeGroups`]: code for keys of so many words. A key takes the next larger size.
macro_rules! shape_groups {
    ($($size:ident = $words:literal,)*) => {
        enum ShapeGroups { $($size(KeyedGroups<$words>),)* }

        impl ShapeGroups {
            /// Empty groups for keys of so many words, at most [`MAX_KEY_WORDS`].
            fn new(words: usize) -> ShapeGroups {
                $(if words <= $words { return ShapeGroups::$size(KeyedGroups::default()); })*
                unreachable!("a layout has at most {MAX_KEY_WORDS} words")
            }

            fn add(&mut self, layout: &Layout, rows: &PushedRows<'_>, members: Option<&[u32]>) {
                match self { $(ShapeGroups::$size(groups) => groups.add(layout, rows, members),)* }
            }

            /// Brings the groups of all workers together and ranks them: for each partition, the best by each ranking.
            fn rank(
                of_workers: Vec<ShapeGroups>,
                shape: Shape,
                rankings: &[Ranking],
                scanned: &Scanned<'_>,
            ) -> Vec<Vec<TopN<Winner>>> {
                match of_workers.first() {
                    $(Some(ShapeGroups::$size(_)) => {
                        let groups = of_workers.into_iter().filter_map(|groups| match groups {
                            ShapeGroups::$size(groups) => Some(groups),
                            _ => None,
                        });
                        KeyedGroups::rank(groups.collect(), shape, rankings, scanned)
                    })*
                    None => Vec::new(),
                }
            }
        }
    };
}

shape_groups! { One = 1, Two = 2, Three = 3, Five = 5, Eight = 8, Sixteen = 16, Largest = 64, }
