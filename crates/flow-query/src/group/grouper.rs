//! Grouping by a key: what workers keep, and what becomes of it after a pass over the blocks.
//!
//! Groups are split into parts by the hash of their keys. When a worker's groups take more memory than its share, it
//! first brings entries of the same group together; if that does not help, the upper half of the parts is put off
//! until another pass over the blocks: reading columns again costs less than memory or a disk.
//!
//! Where only the first N groups are wanted, the first pass looks at nothing but keys and the number groups are
//! compared by. A last pass measures everything, of the flows of these groups alone.

use super::KeyPart;
use super::entry::Measure;
use super::key::{Layout, Shape, key_fields, shapes, unite};
use super::keyset::KeySet;
use super::ranking::Ranking;
use super::spool::PARTITIONS;
use super::store::{Part, Rows, Scope, Store};
use crate::counts::{COUNTER_FIELDS, Sums, Volume, volume_fields};
use crate::topn::{TopN, TopTies, rank};
use crate::{Overview, Probe, QueryError, Scanned};
use flow_model::{FieldSet, Kind, Order, Value, ValueRef, field_info};
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering as Memory};

/// Octets of groups kept per row of the input. A nearly distinct key over mixed IPv4 and IPv6 takes about 34 with all
/// sums: one pass becomes two, and memory stays a tenth of what a flow takes in nfdump's table.
const OCTETS_PER_ROW: u64 = 20;
/// Below this nothing is put off.
const MIN_BUDGET: u64 = 64 << 20;
/// Above this everything is, however many rows there are.
const MAX_BUDGET: u64 = 1 << 30;

/// Keys of at most so many different values are not worth a pass of their own.
const FEW_KEYS: u64 = 4_096;
/// More groups than this are not worth looking for first.
const MOST_CANDIDATES: usize = 10_000;
/// More values than this are not looked for in blocks.
const MOST_PROBED: usize = 1_000;

/// A group that is shown.
#[derive(Debug)]
pub(crate) struct Winner {
    pub(crate) shape: Shape,
    pub(crate) key: Box<[u64]>,
    pub(crate) sums: Sums,
}

/// Groups that stand equal are ordered by their keys: both sides of a flow may be groups of one statistic.
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

/// What a pass is for.
enum Stage {
    /// To find the keys of the groups that are wanted, by their volume in this order.
    Volumes(Order, TopTies<(Shape, Box<[u64]>)>),
    /// To measure the groups of these keys.
    Chosen(Vec<(Shape, KeySet)>),
    /// To measure all groups.
    All,
}

/// What all workers know about the groups of one key.
pub(crate) struct Grouping {
    key: Vec<KeyPart>,
    rankings: Vec<Ranking>,
    blocks: usize,
    base_ms: u64,
    /// Octets of groups a worker may keep.
    share: usize,
    stage: Stage,
    /// The parts of the key space this pass is about; the end comes nearer when memory runs short.
    start: usize,
    end: AtomicUsize,
    best: Vec<TopN<Winner>>,
    layouts: Vec<(Shape, Layout)>,
}

impl Grouping {
    /// Groups by `key`, to be ranked.
    pub(crate) fn new(key: &[KeyPart], rankings: Vec<Ranking>, overview: &Overview<'_>) -> Grouping {
        let usual = (overview.rows * OCTETS_PER_ROW).clamp(MIN_BUDGET, MAX_BUDGET);
        let budget = overview.max_memory.unwrap_or(usual);
        let key = unite(key);
        Grouping {
            stage: first_stage(&key, &rankings, overview),
            blocks: overview.blocks,
            base_ms: overview.first_ms,
            share: budget as usize / overview.workers.max(1),
            start: 0,
            end: AtomicUsize::new(PARTITIONS),
            best: rankings.iter().map(|ranking| TopN::new(ranking.top)).collect(),
            layouts: Vec::new(),
            key,
            rankings,
        }
    }

    /// The parts of the key, each field once.
    pub(crate) fn key(&self) -> &[KeyPart] {
        &self.key
    }

    /// The order by which groups are compared in this pass, if it is about nothing else.
    pub(crate) fn volume_order(&self) -> Option<Order> {
        match self.stage {
            Stage::Volumes(order, _) => Some(order),
            _ => None,
        }
    }

    /// The fields beside the key that this pass looks at.
    pub(crate) fn measured_fields(&self) -> FieldSet {
        self.volume_order().and_then(volume_fields).unwrap_or(COUNTER_FIELDS)
    }

    /// What flows must have for this pass.
    pub(crate) fn probes(&self) -> Vec<Probe> {
        let Stage::Chosen(chosen) = &self.stage else { return Vec::new() };
        let whole = self.key.iter().filter(|part| **part == KeyPart::field(part.field));
        let probes = whole.map(|part| {
            let mut values: Vec<Value> = Vec::new();
            for (shape, keys) in chosen {
                if let Some((_, layout)) = self.layouts.iter().find(|(known, _)| known == shape) {
                    values.extend(keys.iter().filter_map(|key| layout.value(key, part.field)));
                }
            }
            values.sort_unstable();
            values.dedup();
            Probe { field: part.field, values }
        });
        probes.filter(|probe| probe.values.len() <= MOST_PROBED).collect()
    }

    /// After a pass: ranks the groups that are complete. Says whether another pass is needed.
    pub(crate) fn settle<'g>(
        &mut self,
        workers: impl Iterator<Item = &'g mut Grouper>,
        scanned: &Scanned<'_>,
    ) -> bool {
        let end = *self.end.get_mut();
        let put_off = end < PARTITIONS;
        match &mut self.stage {
            Stage::Volumes(_, best) => {
                let ranking = self.rankings[0];
                let stores = workers.map(|worker| &mut worker.volumes);
                let parts = complete(stores, self.start..end, &mut self.layouts);
                let ranked = scanned.map(parts, |part| {
                    let mut best = TopTies::new(ranking.top);
                    part.for_each(|key, volume: &Volume| {
                        best.push(rank(volume.0, ranking.ascending), || (part.shape, key.into()));
                    });
                    best
                });
                ranked.into_iter().for_each(|other| best.merge(other));
            }
            Stage::Chosen(_) | Stage::All => {
                let stores = workers.map(|worker| &mut worker.sums);
                let parts = complete(stores, self.start..end, &mut self.layouts);
                let rankings = &self.rankings;
                let ranked = scanned.map(parts, |part| {
                    let mut best: Vec<_> = rankings.iter().map(|ranking| TopN::new(ranking.top)).collect();
                    part.for_each(|key, sums: &Sums| {
                        for (ranking, best) in rankings.iter().zip(&mut best) {
                            let winner = || Winner { shape: part.shape, key: key.into(), sums: *sums };
                            best.push(ranking.standing(sums), winner);
                        }
                    });
                    best
                });
                for best in ranked {
                    self.best.iter_mut().zip(best).for_each(|(whole, best)| whole.merge(best));
                }
            }
        }
        self.end = AtomicUsize::new(PARTITIONS);
        if put_off {
            self.start = end;
            return true;
        }
        self.start = 0;
        let Stage::Volumes(..) = self.stage else { return false };
        if let Stage::Volumes(_, best) = std::mem::replace(&mut self.stage, Stage::All)
            && let Some(keys) = best.finish()
        {
            let mut chosen: Vec<(Shape, KeySet)> = Vec::new();
            for (shape, key) in keys {
                match chosen.iter_mut().find(|(known, _)| *known == shape) {
                    Some((_, keys)) => keys.insert(key),
                    None => {
                        let mut keys = KeySet::default();
                        keys.insert(key);
                        chosen.push((shape, keys));
                    }
                }
            }
            self.stage = Stage::Chosen(chosen);
        }
        true
    }

    /// The winners by each ranking, in order, and the layouts of their keys.
    pub(crate) fn finish(self) -> (Vec<Vec<Winner>>, Vec<(Shape, Layout)>) {
        let winners =
            self.best.into_iter().map(|best| best.finish().into_iter().map(|(_, winner)| winner).collect());
        (winners.collect(), self.layouts)
    }

    /// Which groups of a shape this pass is about; `None` when of none.
    fn scope(&self, shape: Shape, end: usize) -> Option<Scope<'_>> {
        let only = match &self.stage {
            Stage::Chosen(chosen) => {
                Some(chosen.iter().find(|(known, _)| *known == shape).map(|(_, keys)| keys)?)
            }
            _ => None,
        };
        Some(Scope { parts: self.start..end, only })
    }
}

fn first_stage(key: &[KeyPart], rankings: &[Ranking], overview: &Overview<'_>) -> Stage {
    // Dictionaries may have values that no flow has; in descending order nobody notices.
    let [Ranking { order: Some(order), ascending: false, top: top @ 1..=MOST_CANDIDATES }] = *rankings else {
        return Stage::All;
    };
    let fields = key_fields(key);
    let is_text = fields.iter().any(|field| field_info(field).kind == Kind::Bytes);
    let combinations = fields.iter().fold(1, |all: u64, field| all.saturating_mul(overview.spread(field)));
    // Of flows that pass a filter everything is read for the totals anyway.
    if overview.filtered || is_text || combinations <= FEW_KEYS || volume_fields(order).is_none() {
        return Stage::All;
    }
    Stage::Volumes(order, TopTies::new(top))
}

/// Takes the parts out of all workers' stores and joins them; notes the layouts of the keys.
fn complete<'s, M: Measure + 's>(
    workers: impl Iterator<Item = &'s mut Stores<M>>,
    range: Range<usize>,
    layouts: &mut Vec<(Shape, Layout)>,
) -> Vec<Part> {
    let mut complete: Vec<Vec<Part>> = range.clone().map(|_| Vec::new()).collect();
    for worker in workers {
        for store in &mut worker.stores {
            store.flush();
            store.forget(range.end..PARTITIONS);
            if !layouts.iter().any(|(shape, _)| *shape == store.shape) {
                layouts.push((store.shape, store.layout().clone()));
            }
            for (part, shapes) in range.clone().zip(&mut complete) {
                let taken = store.take(part);
                match shapes.iter_mut().find(|known| known.shape == taken.shape) {
                    Some(known) => known.join(taken),
                    None if taken.len() > 0 => shapes.push(taken),
                    None => {}
                }
            }
        }
    }
    complete.into_iter().flatten().collect()
}

/// What one worker keeps.
#[derive(Default)]
pub(crate) struct Grouper {
    volumes: Stores<Volume>,
    sums: Stores<Sums>,
}

/// The groups of one worker, by the shape of their keys.
pub(crate) struct Stores<M> {
    stores: Vec<Store<M>>,
    shapes: Vec<Shape>,
    members: Vec<u32>,
}

impl<M> Default for Stores<M> {
    fn default() -> Self {
        Stores { stores: Vec::new(), shapes: Vec::new(), members: Vec::new() }
    }
}

/// A measure that a worker keeps stores of.
pub(crate) trait Kept: Measure {
    fn stores(grouper: &mut Grouper) -> &mut Stores<Self>;
}

impl Kept for Volume {
    fn stores(grouper: &mut Grouper) -> &mut Stores<Volume> {
        &mut grouper.volumes
    }
}

impl Kept for Sums {
    fn stores(grouper: &mut Grouper) -> &mut Stores<Sums> {
        &mut grouper.sums
    }
}

impl Grouper {
    /// Adds rows, each to the group of its `key`, which has the kinds of the grouping's.
    pub(crate) fn add<R: Rows<Measure: Kept>>(
        &mut self,
        grouping: &Grouping,
        key: &[KeyPart],
        rows: &R,
    ) -> Result<(), QueryError> {
        R::Measure::stores(self).add(grouping, key, rows)
    }

    /// Adds what is measured of groups whose keys are a value of the grouping's first field and, where the key has it, a
    /// protocol.
    pub(crate) fn add_values<'v, M: Kept + 'v>(
        &mut self,
        grouping: &Grouping,
        values: impl Iterator<Item = (ValueRef<'v>, u8, &'v M)>,
    ) -> Result<(), QueryError> {
        M::stores(self).add_values(grouping, values)
    }
}

impl<M: Measure> Stores<M> {
    fn add(
        &mut self,
        grouping: &Grouping,
        key: &[KeyPart],
        rows: &impl Rows<Measure = M>,
    ) -> Result<(), QueryError> {
        let end = self.relieve(grouping);
        let row = |index| rows.row(index);
        if let Some(shape) = shapes(key, rows.batch(), rows.len(), row, &mut self.shapes) {
            if let Some(scope) = grouping.scope(shape, end) {
                self.store(grouping, shape)?.add(&Layout::new(key, shape)?, rows, None, &scope);
            }
            return Ok(());
        }
        let shapes = std::mem::take(&mut self.shapes);
        let mut members = std::mem::take(&mut self.members);
        let mut present = shapes.clone();
        present.sort_unstable();
        present.dedup();
        for shape in present {
            if let Some(scope) = grouping.scope(shape, end) {
                members.clear();
                members.extend((0..shapes.len() as u32).filter(|&index| shapes[index as usize] == shape));
                self.store(grouping, shape)?.add(&Layout::new(key, shape)?, rows, Some(&members), &scope);
            }
        }
        self.shapes = shapes;
        self.members = members;
        Ok(())
    }

    fn add_values<'v>(
        &mut self,
        grouping: &Grouping,
        values: impl Iterator<Item = (ValueRef<'v>, u8, &'v M)>,
    ) -> Result<(), QueryError>
    where
        M: 'v,
    {
        let end = self.relieve(grouping);
        let field = grouping.key[0].field;
        let mut values = values.peekable();
        // Values of one family usually come one after the other.
        while let Some((value, ..)) = values.peek() {
            let shape = shape_of(*value);
            let of_shape = std::iter::from_fn(|| values.next_if(|(value, ..)| shape_of(*value) == shape));
            match grouping.scope(shape, end) {
                Some(scope) => self.store(grouping, shape)?.add_values(field, of_shape, &scope),
                None => of_shape.for_each(drop),
            }
        }
        Ok(())
    }

    fn store(&mut self, grouping: &Grouping, shape: Shape) -> Result<&mut Store<M>, QueryError> {
        let index = match self.stores.iter().position(|store| store.shape == shape) {
            Some(index) => index,
            None => {
                let layout = Layout::new(&grouping.key, shape)?;
                self.stores.push(Store::new(shape, layout, grouping.blocks, grouping.base_ms));
                self.stores.len() - 1
            }
        };
        Ok(&mut self.stores[index])
    }

    /// Sees to it that the groups do not take more than their share. Says where the parts that are kept end.
    fn relieve(&mut self, grouping: &Grouping) -> usize {
        let mut end = grouping.end.load(Memory::Relaxed);
        if self.octets() <= grouping.share {
            return end;
        }
        // Perhaps another worker has put off parts since.
        self.forget(end..PARTITIONS);
        if self.octets() > grouping.share {
            // What the first part gains, all gain.
            let (before, after) = self.compact(grouping.start..grouping.start + 1);
            if is_worthwhile(before, after) {
                self.compact(grouping.start + 1..end);
            }
            if !is_worthwhile(grouping.share, self.octets()) && end - grouping.start > 1 {
                let half = grouping.start + (end - grouping.start) / 2;
                end = half.min(grouping.end.fetch_min(half, Memory::Relaxed));
                self.forget(end..PARTITIONS);
            }
        }
        end
    }

    fn octets(&mut self) -> usize {
        self.stores.iter_mut().map(Store::octets).sum()
    }

    fn forget(&mut self, parts: Range<usize>) {
        self.stores.iter_mut().for_each(|store| store.forget(parts.clone()));
    }

    fn compact(&mut self, parts: Range<usize>) -> (usize, usize) {
        let compacted = self.stores.iter_mut().map(|store| store.compact(parts.clone()));
        compacted.fold((0, 0), |(before, after), (b, a)| (before + b, after + a))
    }
}

/// Whether bringing entries together is worth what it costs: it must make room for a while.
fn is_worthwhile(before: usize, after: usize) -> bool {
    after <= before / 10 * 7
}

/// The shape of a key of one value and perhaps a protocol.
fn shape_of(value: ValueRef<'_>) -> Shape {
    matches!(value, ValueRef::Ip(addr) if addr.is_ipv6()).into()
}
