//! Groups of octet strings, which no packed key holds.
//!
//! There are few different ones as a rule, so a worker adds them up in a table. A table that takes more than its share of
//! memory is emptied into a [`Sorter`], which brings entries of the same string together at the end, wherever they come from.

use super::Ranking;
use super::entry::Form;
use super::store::{CountedRows, Rows};
use super::winners::{Ranked, Winners};
use crate::counts::Sums;
use crate::spill::{Memory, Sorter};
use crate::topn::Standing;
use crate::{Overview, QueryError, RowOrigin};
use flow_model::{Column, ValueRef};
use foldhash::quality::RandomState;
use hashbrown::HashMap;

/// More groups than this are put in order in a file if need be: a string may have 64 KiB.
const MOST_FIRST: usize = 128;
/// Octets a table may always take.
const LEAST_TABLE: usize = 1 << 16;
/// Octets the allocator adds to those of a string, about.
const PER_STRING: usize = 16;

/// What all workers know about groups of octet strings.
pub(crate) struct TextGrouping {
    rankings: Vec<Ranking>,
    form: Form,
    memory: Memory,
    workers: u64,
}

/// An octet string, and a protocol where groups are split by it, with what is measured of its flows.
#[derive(Clone, Debug)]
pub(crate) struct TextGroup {
    /// The protocol, then the string.
    key: Box<[u8]>,
    sums: Sums,
}

/// What one worker keeps.
#[derive(Default)]
pub(crate) struct TextGrouper {
    table: HashMap<Box<[u8]>, Sums, RandomState>,
    /// Octets of the strings in the table.
    octets: usize,
    /// The key that is looked for.
    key: Vec<u8>,
    /// What the table was emptied into.
    sorter: Option<Sorter>,
}

impl TextGrouping {
    /// Groups to be ranked, in so much memory.
    pub(crate) fn new(rankings: Vec<Ranking>, overview: &Overview<'_>, memory: &Memory) -> TextGrouping {
        TextGrouping {
            rankings,
            form: Form::new(0, overview.blocks, overview.first_ms),
            memory: memory.clone(),
            workers: overview.workers.max(1) as u64,
        }
    }

    /// The winners by each ranking, in order.
    ///
    /// # Errors
    /// When memory and the disk are full.
    pub(crate) fn finish(self, workers: Vec<TextGrouper>) -> Result<Vec<Winners<TextGroup>>, QueryError> {
        let mut whole = Sorter::new(self.memory.part(1, 4));
        for mut worker in workers {
            worker.write_out(&self)?;
            worker.sorter.into_iter().try_for_each(|sorter| whole.merge(sorter))?;
        }
        let memory = self.memory.part(1, 4 * self.rankings.len().max(1) as u64);
        let new = |ranking: &Ranking| Ranked::new(ranking.top, MOST_FIRST, &memory);
        let mut best: Vec<Ranked<TextGroup>> = self.rankings.iter().map(new).collect();
        let mut offer = |group: TextGroup| {
            for (ranking, best) in self.rankings.iter().zip(&mut best) {
                if ranking.admits(&group.sums) {
                    let standing = ranking.standing(&group.sums);
                    best.push(standing, || group.clone(), || octets(&group.key, &group.sums, self.form))?;
                }
            }
            Ok::<_, QueryError>(())
        };
        let mut current: Option<TextGroup> = None;
        whole.finish(0)?.for_each(|_, octets| {
            let Some(next) = TextGroup::of_octets(octets, self.form) else { return Ok(()) };
            match &mut current {
                Some(group) if group.key == next.key => {
                    group.sums.merge(&next.sums);
                    Ok(())
                }
                _ => current.replace(next).map_or(Ok(()), &mut offer),
            }
        })?;
        current.map_or(Ok(()), offer)?;
        let form = self.form;
        best.into_iter().map(|best| best.finish(move |octets| TextGroup::of_octets(octets, form))).collect()
    }

    /// Octets a worker's table may take, and its sorter as many.
    fn share(&self) -> Memory {
        self.memory.part(1, 4 * self.workers)
    }
}

impl TextGrouper {
    /// Adds what is measured of rows of a protocol and a string.
    ///
    /// # Errors
    /// When memory and the disk are full.
    pub(crate) fn add(
        &mut self,
        grouping: &TextGrouping,
        proto: u8,
        text: &[u8],
        sums: &Sums,
    ) -> Result<(), QueryError> {
        self.key.clear();
        self.key.push(proto);
        self.key.extend_from_slice(text);
        if let Some(known) = self.table.get_mut(&*self.key) {
            known.merge(sums);
            return Ok(());
        }
        self.octets += self.key.len() + PER_STRING;
        self.table.insert(self.key.as_slice().into(), *sums);
        if self.taken() > grouping.share().octets().max(LEAST_TABLE) {
            self.write_out(grouping)
        } else {
            Ok(())
        }
    }

    /// Adds rows one by one.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub(crate) fn add_rows(
        &mut self,
        grouping: &TextGrouping,
        column: &Column,
        proto: Option<&Column>,
        rows: &CountedRows<'_>,
    ) -> Result<(), QueryError> {
        (0..rows.len()).try_for_each(|index| {
            let row = rows.row(index);
            let proto = proto.map_or(0, |proto| proto.num(row) as u8);
            self.add(grouping, proto, column.bytes(row), &rows.measure(index))
        })
    }

    /// Octets of memory taken, when the next string comes.
    fn taken(&self) -> usize {
        let slots = self.table.capacity() / 7 * 8;
        // A full table is copied into one of twice as many slots.
        let tables = if self.table.len() == self.table.capacity() { 3 } else { 1 };
        self.octets + tables * slots * (size_of::<(Box<[u8]>, Sums)>() + 1)
    }

    /// Empties the table.
    fn write_out(&mut self, grouping: &TextGrouping) -> Result<(), QueryError> {
        let sorter = self.sorter.get_or_insert_with(|| Sorter::new(grouping.share()));
        self.octets = 0;
        std::mem::take(&mut self.table)
            .into_iter()
            .try_for_each(|(key, sums)| sorter.push(TOGETHER, &octets(&key, &sums, grouping.form)))
    }
}

/// All strings stand equal, so they are sorted by their octets.
const TOGETHER: Standing = Standing::by_appearance(RowOrigin(0));

/// Behind a 0 of a key stands this; behind the 0 at its end, another 0. So octets have the order of the keys they start with.
const ZERO: u8 = 0xff;

/// A key, and what is measured.
fn octets(key: &[u8], sums: &Sums, form: Form) -> Vec<u8> {
    let mut octets = Vec::with_capacity(key.len() + 96);
    for &octet in key {
        octets.push(octet);
        if octet == 0 {
            octets.push(ZERO);
        }
    }
    octets.extend_from_slice(&[0, 0]);
    form.put_measure(sums, &mut octets);
    octets
}

impl TextGroup {
    /// The protocol; 0 unless groups are split by it.
    pub(crate) fn proto(&self) -> u8 {
        self.key.first().copied().unwrap_or(0)
    }

    /// The string.
    pub(crate) fn text(&self) -> &[u8] {
        self.key.get(1..).unwrap_or_default()
    }

    /// What is measured of its flows.
    pub(crate) fn sums(&self) -> Sums {
        self.sums
    }

    fn of_octets(octets: &[u8], form: Form) -> Option<TextGroup> {
        let mut key = Vec::new();
        let mut octets = octets;
        loop {
            let (part, rest) = octets.split_at_checked(octets.iter().position(|&octet| octet == 0)?)?;
            key.extend_from_slice(part);
            octets = rest.get(2..)?;
            if rest[1] != ZERO {
                return Some(TextGroup { key: key.into(), sums: form.get_measure(octets) });
            }
            key.push(0);
        }
    }
}

/// Groups that stand equal are ordered by their keys, as [`Winner`](super::Winner)s are.
impl Ord for TextGroup {
    fn cmp(&self, other: &TextGroup) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl PartialOrd for TextGroup {
    fn partial_cmp(&self, other: &TextGroup) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for TextGroup {
    fn eq(&self, other: &TextGroup) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for TextGroup {}

/// The string of a value.
pub(crate) fn text_of(value: ValueRef<'_>) -> &[u8] {
    if let ValueRef::Bytes(octets) = value { octets } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::Counters;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn octets_have_the_order_of_their_keys(
            keys in prop::collection::vec(prop::collection::vec(prop_oneof![Just(0), Just(1), Just(0xff)], 1..6), 2..5),
            in_bytes: u64,
        ) {
            let form = Form::new(0, 1, 0);
            let counters = Counters { in_bytes, flows: 1, ..Counters::default() };
            let sums = Sums::new(counters, RowOrigin(7), 0);
            let written: Vec<Vec<u8>> = keys.iter().map(|key| octets(key, &sums, form)).collect();
            for (key, octets) in keys.iter().zip(&written) {
                let group = TextGroup::of_octets(octets, form).unwrap();
                prop_assert_eq!((&*group.key, group.sums.counters), (&**key, counters));
                for (other_key, other) in keys.iter().zip(&written) {
                    prop_assert_eq!(octets.cmp(other), key.cmp(other_key));
                }
            }
        }
    }
}
