//! Grouping by a key: what workers keep, and what becomes of it after a pass over the blocks.
//!
//! Groups are split into parts by the hash of their keys. When a worker's groups take more memory than its share, it
//! first brings entries of the same group together; if that does not help, all of them go to a file, from where they come
//! back part by part.
//!
//! Where only the first N groups are wanted, the first pass looks at nothing but keys and the number groups are
//! compared by, and keeps of each block what is [heavy](super::heavy). If that does not tell which groups are wanted, the
//! next pass keeps all. A last pass measures everything, of the flows of the groups that may be wanted alone.

use super::KeyPart;
use super::entry::{Form, Measure};
use super::key::{Layout, Shape, key_fields, shapes, unite};
use super::keyset::KeySet;
use super::merge::Room;
use super::ranking::{Bounds, Ranking};
use super::spool::PARTITIONS;
use super::store::{MeasuredValues, Part, Rows, Scope, Store};
use super::winners::{Ranked, Winner, Winners};
use crate::counts::{COUNTER_FIELDS, Sums, Volume, volume_fields};
use crate::spill::{Memory, Spill};
use crate::topn::{Standing, TopN, TopTies, rank};
use crate::{Overview, Probe, QueryError, Scanned};
use flow_model::{FieldSet, Kind, Order, Value, Values, field_info};
use std::net::IpAddr;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keys of at most so many different values are not worth a pass of their own.
const FEW_KEYS: u64 = 4_096;
/// Where a smaller share of the rows matches, everything is measured of them at once.
const LEAST_MATCHING: f64 = 0.25;
/// More groups than this are not worth looking for first.
const MOST_CANDIDATES: usize = 10_000;
/// Of more groups than this the last is hardly heavy in any block.
const MOST_HEAVY: usize = 1_000;
/// If more groups than this may be wanted, it is better to look closer.
const MOST_CHOSEN: usize = 1 << 15;
/// More groups than this are put in order in a file if need be. They take some 20 MB.
const MOST_FIRST: usize = 1 << 16;
/// More values than this are not looked for in blocks.
const MOST_PROBED: usize = 1_000;

/// The layouts of keys, by their shape.
pub(crate) type Layouts = Vec<(Shape, Layout)>;

/// A key.
type ShapedKey = (Shape, Box<[u64]>);

/// What a pass is for.
enum Stage {
    /// To find the keys of the groups that may be wanted, by their volume in this order, keeping only what is heavy.
    Heavy(Order),
    /// To find the keys of the groups that are wanted, by their volume in this order.
    Volumes(Order),
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
    memory: Memory,
    /// How many workers there are.
    workers: usize,
    /// Where the groups go that are too many.
    spill: Spill,
    stage: Stage,
    /// All floors together: in the heavy stage, a group that was never kept has less volume.
    floors: AtomicU64,
    best: Vec<Ranked<Winner>>,
    layouts: Vec<(Shape, Layout)>,
}

impl Grouping {
    /// Groups by `key`, to be ranked, in so much memory.
    pub(crate) fn new(
        key: &[KeyPart],
        rankings: Vec<Ranking>,
        overview: &Overview<'_>,
        memory: &Memory,
    ) -> Grouping {
        let stage = first_stage(&unite(key), &rankings, overview);
        Grouping::starting_with(stage, key, rankings, overview, memory)
    }

    /// The same without passes that look for the groups that are wanted first.
    pub(crate) fn in_one_pass(
        key: &[KeyPart],
        rankings: Vec<Ranking>,
        overview: &Overview<'_>,
        memory: &Memory,
    ) -> Grouping {
        Grouping::starting_with(Stage::All, key, rankings, overview, memory)
    }

    fn starting_with(
        stage: Stage,
        key: &[KeyPart],
        rankings: Vec<Ranking>,
        overview: &Overview<'_>,
        memory: &Memory,
    ) -> Grouping {
        // Half of it for the groups; what they are ranked in grows as they go.
        let (groups, ranked) = (memory.part(1, 2), memory.part(1, 2 * rankings.len() as u64));
        Grouping {
            stage,
            blocks: overview.blocks,
            base_ms: overview.first_ms,
            spill: memory.spill(),
            memory: groups,
            workers: overview.workers.max(1),
            floors: AtomicU64::new(0),
            best: rankings.iter().map(|ranking| Ranked::new(ranking.top, MOST_FIRST, &ranked)).collect(),
            layouts: Vec::new(),
            key: unite(key),
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
            Stage::Heavy(order) | Stage::Volumes(order) => Some(order),
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

    /// After a pass: ranks the groups. Says whether another pass is needed.
    ///
    /// # Errors
    /// When memory and the disk are full.
    pub(crate) fn settle<'g>(
        &mut self,
        workers: impl Iterator<Item = &'g mut Grouper>,
        scanned: &Scanned<'_>,
    ) -> Result<bool, QueryError> {
        let next = match &self.stage {
            Stage::Heavy(order) => {
                let (order, top) = (*order, self.rankings[0].top);
                let parts = self.complete(workers.map(|worker| &mut worker.volumes))?;
                let floors = *self.floors.get_mut();
                match heaviest(&parts, top, floors, &self.room(), scanned)? {
                    Some(keys) => Stage::Chosen(by_shape(keys)),
                    None => Stage::Volumes(order),
                }
            }
            Stage::Volumes(_) => {
                let ranking = self.rankings[0];
                let parts = self.complete(workers.map(|worker| &mut worker.volumes))?;
                let room = self.room();
                let ranked = scanned.map(parts, |part| {
                    let mut best = TopTies::new(ranking.top);
                    part.for_each(&room, |key, volume: &Volume| {
                        best.push(rank(volume.0, ranking.ascending), || (part.shape, key.into()));
                        Ok(())
                    })?;
                    Ok::<_, QueryError>(best)
                });
                let mut best = TopTies::new(ranking.top);
                for other in ranked {
                    best.merge(other?);
                }
                best.finish().map_or(Stage::All, |keys| Stage::Chosen(by_shape(keys)))
            }
            Stage::Chosen(_) | Stage::All => {
                let parts = self.complete(workers.map(|worker| &mut worker.sums))?;
                let best: Vec<Mutex<Ranked<Winner>>> =
                    std::mem::take(&mut self.best).into_iter().map(Mutex::new).collect();
                let (rankings, room) = (&self.rankings, self.room());
                let ranked = scanned.map(parts, |part| {
                    let mut own: Vec<_> =
                        best.iter().map(|whole| lock(whole).another(self.workers)).collect();
                    part.for_each(&room, |key, sums: &Sums| {
                        for (ranking, own) in rankings.iter().zip(&mut own) {
                            if ranking.admits(sums) {
                                own.push(
                                    ranking.standing(sums),
                                    || Winner::new(&part, key, sums),
                                    || Winner::octets(&part, key, sums),
                                )?;
                            }
                        }
                        Ok(())
                    })?;
                    best.iter().zip(own).try_for_each(|(whole, own)| lock(whole).merge(own))
                });
                let inner = |best: Mutex<_>| best.into_inner().unwrap_or_else(PoisonError::into_inner);
                self.best = best.into_iter().map(inner).collect();
                return ranked.into_iter().collect::<Result<(), _>>().map(|()| false);
            }
        };
        self.stage = next;
        // What was written of this pass goes back to the disk.
        self.spill = self.memory.spill();
        Ok(true)
    }

    /// The winners by each ranking, in order, and the layouts of their keys.
    ///
    /// # Errors
    /// When memory and the disk are full.
    pub(crate) fn finish(self) -> Result<(Vec<Winners>, Layouts), QueryError> {
        let forms: Vec<(Shape, Form)> =
            self.layouts.iter().map(|(shape, layout)| (*shape, self.form(layout))).collect();
        let winners = self.best.into_iter().map(|best| {
            let forms = forms.clone();
            best.finish(move |octets| Winner::of_octets(octets, &forms))
        });
        Ok((winners.collect::<Result<_, _>>()?, self.layouts))
    }

    fn form(&self, layout: &Layout) -> Form {
        Form::new(layout.octets(), self.blocks, self.base_ms)
    }

    /// For each worker that brings a part together.
    fn room(&self) -> Room<'_> {
        Room { spill: &self.spill, octets: self.share() / 2 }
    }

    /// Octets of groups a worker may keep.
    fn share(&self) -> usize {
        self.memory.octets() / self.workers
    }

    /// Takes the parts out of all workers' stores and joins them; notes the layouts of the keys.
    fn complete<'s, M: Measure + 's>(
        &mut self,
        workers: impl Iterator<Item = &'s mut Stores<M>>,
    ) -> Result<Vec<Part>, QueryError> {
        let mut complete: Vec<Vec<Part>> = (0..PARTITIONS).map(|_| Vec::new()).collect();
        for worker in workers {
            for store in &mut worker.by_shape {
                store.flush();
                if !self.spill.is_empty() {
                    // Parts that come back from the file need the memory.
                    store.write_out(&self.spill)?;
                }
                if !self.layouts.iter().any(|(shape, _)| *shape == store.shape) {
                    self.layouts.push((store.shape, store.layout().clone()));
                }
                for (part, shapes) in complete.iter_mut().enumerate() {
                    let taken = store.take(part);
                    match shapes.iter_mut().find(|known| known.shape == taken.shape) {
                        Some(known) => known.join(taken),
                        None if taken.len() > 0 => shapes.push(taken),
                        None => {}
                    }
                }
            }
        }
        Ok(complete.into_iter().flatten().collect())
    }

    /// Says that groups of less volume than this were dropped from a block.
    fn raise_floors(&self, floor: u64) {
        if floor > 0 {
            let raised = |floors: u64| Some(floors.saturating_add(floor));
            let _ = self.floors.fetch_update(Ordering::Relaxed, Ordering::Relaxed, raised);
        }
    }

    /// Whether it is known that the heavy groups will not tell which are wanted.
    fn is_hopeless(&self) -> bool {
        matches!(self.stage, Stage::Heavy(_)) && self.floors.load(Ordering::Relaxed) == u64::MAX
    }

    /// Which groups of a shape this pass is about; `None` when of none.
    fn scope(&self, shape: Shape) -> Option<Scope<'_>> {
        let only = match &self.stage {
            Stage::Chosen(chosen) => {
                Some(chosen.iter().find(|(known, _)| *known == shape).map(|(_, keys)| keys)?)
            }
            _ => None,
        };
        Some(Scope(only))
    }
}

fn first_stage(key: &[KeyPart], rankings: &[Ranking], overview: &Overview<'_>) -> Stage {
    // Dictionaries may have values that no flow has; in descending order nobody notices.
    let [Ranking { order: Some(order), ascending: false, top: top @ 1..=MOST_CANDIDATES, bounds }] =
        *rankings
    else {
        return Stage::All;
    };
    let fields = key_fields(key);
    let is_text = fields.iter().any(|field| field_info(field).kind == Kind::Bytes);
    let combinations = fields.iter().fold(1, |all: u64, field| all.saturating_mul(overview.spread(field)));
    // To filter twice what hardly anything passes costs more than to measure what does at once.
    // Groups by one field are too few, and measured too fast, for a pass that is dear (measured on files of nfdump's: a
    // tenth to a third of the time is saved; with records as keys, two passes take half the time of one).
    // Of groups that may be out of bounds none can be chosen before all of it is measured.
    if bounds != Bounds::default()
        || overview.matching < LEAST_MATCHING
        || overview.dear && key.len() == 1
        || is_text
        || combinations <= FEW_KEYS
        || volume_fields(order).is_none()
    {
        return Stage::All;
    }
    // The heavier the last one wanted, the better the chance that no other can be.
    if top <= MOST_HEAVY { Stage::Heavy(order) } else { Stage::Volumes(order) }
}

/// The keys of the first `top` groups by volume and of all others that may be among them, when groups that were never
/// kept have less volume than `floors`, or none such is possible. `None` when that does not tell, or tells too many.
fn heaviest(
    parts: &[Part],
    top: usize,
    floors: u64,
    room: &Room<'_>,
    scanned: &Scanned<'_>,
) -> Result<Option<Vec<ShapedKey>>, QueryError> {
    let volumes = scanned.map(parts.iter().collect(), |part: &Part| {
        let mut best = TopN::new(top);
        part.for_each(room, |_, volume: &Volume| {
            best.push(Standing::by_volume(volume.0), || ());
            Ok(())
        })?;
        Ok::<_, QueryError>(best)
    });
    let mut best = TopN::new(top);
    for other in volumes {
        best.merge(other?);
    }
    let best = best.finish();
    let last = if best.len() < top { 0 } else { best.last().map_or(0, |(standing, ())| standing.volume()) };
    if floors > last {
        return Ok(None);
    }
    let least = last - floors;
    let keys = scanned.map(parts.iter().collect(), |part: &Part| {
        let mut keys = Vec::new();
        part.for_each(room, |key, volume: &Volume| {
            if volume.0 >= least && keys.len() <= MOST_CHOSEN {
                keys.push((part.shape, key.into()));
            }
            Ok(())
        })?;
        Ok(keys)
    });
    let keys = keys.into_iter().collect::<Result<Vec<_>, QueryError>>()?.concat();
    Ok((keys.len() <= MOST_CHOSEN).then_some(keys))
}

fn by_shape(keys: impl IntoIterator<Item = (Shape, Box<[u64]>)>) -> Vec<(Shape, KeySet)> {
    let mut chosen: Vec<(Shape, KeySet)> = Vec::new();
    for (shape, key) in keys {
        if let Some((_, keys)) = chosen.iter_mut().find(|(known, _)| *known == shape) {
            keys.insert(key);
        } else {
            let mut keys = KeySet::default();
            keys.insert(key);
            chosen.push((shape, keys));
        }
    }
    chosen
}

/// What one worker keeps.
#[derive(Default)]
pub(crate) struct Grouper {
    volumes: Stores<Volume>,
    sums: Stores<Sums>,
}

/// The groups of one worker, by the shape of their keys.
pub(crate) struct Stores<M> {
    by_shape: Vec<Store<M>>,
    shapes: Vec<Shape>,
    /// The rows of each shape.
    members: Vec<(Shape, Vec<u32>)>,
}

impl<M> Default for Stores<M> {
    fn default() -> Self {
        Stores { by_shape: Vec::new(), shapes: Vec::new(), members: Vec::new() }
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
    /// protocol. The values ascend.
    pub(crate) fn add_values<M: Kept>(
        &mut self,
        grouping: &Grouping,
        values: MeasuredValues<'_, M>,
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
        if grouping.is_hopeless() {
            return Ok(());
        }
        self.relieve(grouping)?;
        let row = |index| rows.row(index);
        // Groups of different shape are different groups: one floor is for all.
        let mut floor = 0;
        let mut add = |store: &mut Store<M>, layout: &Layout, members: Option<&[u32]>, scope: &Scope<'_>| {
            if let Stage::Heavy(_) = grouping.stage {
                floor = store.add_heavy(layout, rows, members, scope).max(floor);
            } else {
                store.add(layout, rows, members, scope);
            }
        };
        if let Some(shape) = shapes(key, rows.batch(), rows.len(), row, &mut self.shapes) {
            if let Some(scope) = grouping.scope(shape) {
                add(self.store(grouping, shape)?, &Layout::new(key, shape)?, None, &scope);
            }
            grouping.raise_floors(floor);
            return Ok(());
        }
        let shapes = std::mem::take(&mut self.shapes);
        let mut members = std::mem::take(&mut self.members);
        split(&shapes, &mut members);
        for (shape, members) in &members {
            if let Some(scope) = grouping.scope(*shape) {
                add(self.store(grouping, *shape)?, &Layout::new(key, *shape)?, Some(members), &scope);
            }
        }
        grouping.raise_floors(floor);
        self.shapes = shapes;
        self.members = members;
        Ok(())
    }

    fn add_values(
        &mut self,
        grouping: &Grouping,
        mut values: MeasuredValues<'_, M>,
    ) -> Result<(), QueryError> {
        if grouping.is_hopeless() {
            return Ok(());
        }
        self.relieve(grouping)?;
        if let Stage::Heavy(_) = grouping.stage {
            values.leave_heavy();
            grouping.raise_floors(values.floor);
        }
        let field = grouping.key[0].field;
        let (v4, v6) = match values.values {
            Values::Ip(addrs) => {
                (addrs.first().is_some_and(IpAddr::is_ipv4), addrs.last().is_some_and(IpAddr::is_ipv6))
            }
            _ => (true, false),
        };
        for shape in [(v4, 0), (v6, 1)].into_iter().filter_map(|(present, shape)| present.then_some(shape)) {
            if let Some(scope) = grouping.scope(shape) {
                self.store(grouping, shape)?.add_values(field, &values, &scope);
            }
        }
        Ok(())
    }

    fn store(&mut self, grouping: &Grouping, shape: Shape) -> Result<&mut Store<M>, QueryError> {
        let known = self.by_shape.iter().position(|store| store.shape == shape);
        let index = known.unwrap_or(self.by_shape.len());
        if known.is_none() {
            let layout = Layout::new(&grouping.key, shape)?;
            self.by_shape.push(Store::new(shape, layout, grouping.blocks, grouping.base_ms));
        }
        Ok(&mut self.by_shape[index])
    }

    /// Sees to it that the groups do not take more than their share.
    fn relieve(&mut self, grouping: &Grouping) -> Result<(), QueryError> {
        let share = grouping.share();
        if self.octets() <= share {
            return Ok(());
        }
        // What the first part gains, all gain.
        let (before, after) = self.compact(0..1);
        if is_worthwhile(before, after) {
            self.compact(1..PARTITIONS);
        }
        if is_worthwhile(share, self.octets()) {
            return Ok(());
        }
        self.by_shape.iter_mut().try_for_each(|store| store.write_out(&grouping.spill))
    }

    fn octets(&mut self) -> usize {
        self.by_shape.iter_mut().map(Store::octets).sum()
    }

    fn compact(&mut self, parts: Range<usize>) -> (usize, usize) {
        let compacted = self.by_shape.iter_mut().map(|store| store.compact(parts.clone()));
        compacted.fold((0, 0), |(before, after), (b, a)| (before + b, after + a))
    }
}

/// Lists the rows of each shape that occurs.
fn split(shapes: &[Shape], members: &mut Vec<(Shape, Vec<u32>)>) {
    let mut present: Vec<Shape> = Vec::new();
    for &shape in shapes {
        if present.last() != Some(&shape) && !present.contains(&shape) {
            present.push(shape);
        }
    }
    members.resize_with(present.len(), Default::default);
    for ((shape, rows), present) in members.iter_mut().zip(present) {
        *shape = present;
        // Which shape is next is hard to foresee, so every row is written, and counts only where it belongs.
        rows.resize(shapes.len(), 0);
        let mut len = 0;
        for (row, shape) in shapes.iter().enumerate() {
            rows[len] = row as u32;
            len += usize::from(*shape == present);
        }
        rows.truncate(len);
    }
}

/// Whether bringing entries together is worth what it costs: it must make room for a while.
fn is_worthwhile(before: usize, after: usize) -> bool {
    after <= before / 10 * 7
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
