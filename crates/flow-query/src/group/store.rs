//! The groups of one worker and one shape: a small table, and behind it the spool.

use super::entry::{Form, Measure};
use super::heavy::{self, Sketch};
use super::key::{Key, Layout, MAX_KEY_WORDS, Shape};
use super::keyset::KeySet;
use super::local::Local;
use super::merge::{Room, compact, merge};
use super::spool::{Spool, hash, hasher};
use crate::counts::{Counts, Sums, Volume, Volumes};
use crate::spill::{Pile, Spill};
use crate::{QueryError, RowOrigin};
use flow_model::{Field, FlowBatch, Values};
use foldhash::quality::RandomState;
use std::net::IpAddr;
use std::ops::Range;

/// The selected rows of a block, as far as something is measured of them.
pub(crate) trait Rows {
    type Measure: Measure;

    fn batch(&self) -> &FlowBatch;
    /// How many there are.
    fn len(&self) -> usize;
    /// Whether these are all rows of the batch.
    fn is_all(&self) -> bool;
    /// Which row of the batch one is.
    fn row(&self, index: usize) -> usize;
    fn measure(&self, index: usize) -> Self::Measure;
    fn for_each(&self, visit: impl FnMut(usize, Self::Measure));
}

/// Rows of which everything is measured.
pub(crate) struct CountedRows<'a> {
    pub(crate) batch: &'a FlowBatch,
    pub(crate) counts: &'a Counts<'a>,
    /// TCP flags, one entry per selected row, or nothing.
    pub(crate) flags: &'a [u64],
    /// Which rows of the batch are turned round, or nothing.
    pub(crate) turned: &'a [bool],
    pub(crate) origin: RowOrigin,
}

impl CountedRows<'_> {
    #[inline]
    fn sums(&self, index: usize, counters: flow_model::Counters) -> Sums {
        let flags = self.flags.get(index).map_or(0, |&flags| flags as u8);
        let row = self.counts.row(index);
        let sums = Sums::new(counters, self.origin.with_row(row), flags);
        if self.turned.get(row).copied().unwrap_or(false) { sums.with_ways(true, 0) } else { sums }
    }
}

impl Rows for CountedRows<'_> {
    type Measure = Sums;

    fn batch(&self) -> &FlowBatch {
        self.batch
    }

    fn len(&self) -> usize {
        self.counts.len()
    }

    fn is_all(&self) -> bool {
        self.counts.rows().is_none()
    }

    #[inline]
    fn row(&self, index: usize) -> usize {
        self.counts.row(index)
    }

    #[inline]
    fn measure(&self, index: usize) -> Sums {
        self.sums(index, self.counts.at(index))
    }

    #[expect(clippy::inline_always, reason = "`visit` is a loop body, and there are several loops")]
    #[inline(always)]
    fn for_each(&self, mut visit: impl FnMut(usize, Sums)) {
        self.counts.for_each(|index, counters| visit(index, self.sums(index, counters)));
    }
}

/// Rows of which the volume is measured.
pub(crate) struct VolumeRows<'a> {
    pub(crate) batch: &'a FlowBatch,
    pub(crate) volumes: &'a Volumes<'a>,
}

impl Rows for VolumeRows<'_> {
    type Measure = Volume;

    fn batch(&self) -> &FlowBatch {
        self.batch
    }

    fn len(&self) -> usize {
        self.volumes.len()
    }

    fn is_all(&self) -> bool {
        self.volumes.rows().is_none()
    }

    #[inline]
    fn row(&self, index: usize) -> usize {
        self.volumes.row(index)
    }

    #[inline]
    fn measure(&self, index: usize) -> Volume {
        self.volumes.at(index)
    }

    #[expect(clippy::inline_always, reason = "`visit` is a loop body, and there are several loops")]
    #[inline(always)]
    fn for_each(&self, visit: impl FnMut(usize, Volume)) {
        self.volumes.for_each(visit);
    }
}

/// What is measured of the distinct values of a column.
pub(crate) struct MeasuredValues<'a, M> {
    pub(crate) values: &'a Values,
    /// For each measure: which value, and which protocol where that matters.
    pub(crate) entries: &'a [(u16, u8)],
    pub(crate) measures: &'a [M],
    /// What has less volume does not count.
    pub(crate) floor: u64,
}

impl<M: Measure> MeasuredValues<'_, M> {
    /// Leaves out what is not heavy.
    pub(crate) fn leave_heavy(&mut self) {
        self.floor = heavy::floor(self.measures.iter().map(Measure::volume));
    }
}

/// Which groups a pass is about: these, or all.
pub(crate) struct Scope<'a>(pub(crate) Option<&'a KeySet>);

impl Scope<'_> {
    #[inline]
    fn contains<const W: usize>(&self, hash: u64, key: &Key<W>) -> bool {
        self.0.is_none_or(|only| only.contains(hash, &key.0))
    }
}

/// Groups with keys of `W` words.
struct Groups<const W: usize, M> {
    keys: Vec<Key<W>>,
    sketch: Sketch,
    local: Local<W, M>,
    spool: Spool,
    hasher: RandomState,
    /// Rows since the table was emptied.
    rows: usize,
    /// Rows that still go past the table.
    bypass: usize,
}

/// Where fewer rows than this share a group of the table, the table is not worth its while...
const MIN_ROWS_PER_GROUP: f64 = 1.5;
/// ...for so many rows, eight blocks.
const BYPASS_ROWS: usize = 1 << 19;

impl<const W: usize, M: Measure> Groups<W, M> {
    fn new(form: Form) -> Groups<W, M> {
        Groups {
            keys: Vec::new(),
            sketch: Sketch::default(),
            local: Local::new(form.key_octets()),
            spool: Spool::new(form),
            hasher: hasher(),
            rows: 0,
            bypass: 0,
        }
    }

    /// Adds all rows, or the listed of them.
    fn add(
        &mut self,
        layout: &Layout,
        rows: &impl Rows<Measure = M>,
        members: Option<&[u32]>,
        scope: &Scope<'_>,
    ) {
        let mut keys = std::mem::take(&mut self.keys);
        match members {
            None => {
                layout.pack(rows.batch(), rows.len(), |index| rows.row(index), &mut keys);
                if self.bypass > 0 {
                    rows.for_each(|index, measure| self.put(&keys[index], &measure, scope));
                } else {
                    rows.for_each(|index, measure| self.gather(&keys[index], &measure, scope));
                }
            }
            Some(members) => {
                layout.pack(
                    rows.batch(),
                    members.len(),
                    |index| rows.row(members[index] as usize),
                    &mut keys,
                );
                let measures = members.iter().map(|&index| rows.measure(index as usize));
                if self.bypass > 0 {
                    keys.iter().zip(measures).for_each(|(key, measure)| self.put(key, &measure, scope));
                } else {
                    keys.iter().zip(measures).for_each(|(key, measure)| self.gather(key, &measure, scope));
                }
            }
        }
        self.bypass = self.bypass.saturating_sub(keys.len());
        self.keys = keys;
    }

    /// Adds rows of heavy groups and says below which volume no group of these rows was added.
    fn add_heavy(
        &mut self,
        layout: &Layout,
        rows: &impl Rows<Measure = M>,
        members: Option<&[u32]>,
        scope: &Scope<'_>,
    ) -> u64 {
        let len = members.map_or(rows.len(), <[u32]>::len);
        let index_of = |index: usize| members.map_or(index, |members| members[index] as usize);
        let mut keys = std::mem::take(&mut self.keys);
        layout.pack(rows.batch(), len, |index| rows.row(index_of(index)), &mut keys);
        self.sketch.reset(len);
        for (index, key) in keys.iter().enumerate() {
            self.sketch.add(hash(&self.hasher, key), rows.measure(index_of(index)).volume());
        }
        let floor = self.sketch.floor();
        for (index, key) in keys.iter().enumerate() {
            if self.sketch.sum(hash(&self.hasher, key)) >= floor {
                self.gather(key, &rows.measure(index_of(index)), scope);
            }
        }
        self.keys = keys;
        floor
    }

    fn add_values(
        &mut self,
        layout: &Layout,
        field: Field,
        is_v6: bool,
        measured: &MeasuredValues<'_, M>,
        scope: &Scope<'_>,
    ) {
        let place = layout.value_place(field);
        let MeasuredValues { floor, .. } = *measured;
        let is_wanted = |measure: &M| !measure.is_empty() && measure.volume() >= floor;
        let entries =
            measured.entries.iter().zip(measured.measures).filter(|(_, measure)| is_wanted(measure));
        match measured.values {
            Values::Ip(addrs) => {
                for (&(code, proto), measure) in entries {
                    match addrs[usize::from(code)] {
                        IpAddr::V4(addr) if !is_v6 => {
                            self.put(&place.pack_num(addr.to_bits().into(), proto), measure, scope);
                        }
                        IpAddr::V6(addr) if is_v6 => self.put(&place.pack_v6(addr, proto), measure, scope),
                        _ => {}
                    }
                }
            }
            Values::U16(nums) => {
                for (&(code, proto), measure) in entries {
                    self.put(&place.pack_num(nums[usize::from(code)].into(), proto), measure, scope);
                }
            }
            nums => {
                for (&(code, proto), measure) in entries {
                    self.put(&place.pack_num(nums.num(code.into()), proto), measure, scope);
                }
            }
        }
    }

    /// Adds to a group by way of the table.
    #[inline]
    fn gather(&mut self, key: &Key<W>, more: &M, scope: &Scope<'_>) {
        let hash = hash(&self.hasher, key);
        if !scope.contains(hash, key) {
            return;
        }
        self.rows += 1;
        if let Some(measure) = self.local.measure(hash, key) {
            measure.merge(more);
            return;
        }
        if (self.rows as f64) < MIN_ROWS_PER_GROUP * self.local.len() as f64 {
            self.bypass = BYPASS_ROWS;
        }
        self.flush();
        self.spool.push(hash, key, more);
    }

    /// Adds to a group past the table.
    #[inline]
    fn put(&mut self, key: &Key<W>, measure: &M, scope: &Scope<'_>) {
        let hash = hash(&self.hasher, key);
        if scope.contains(hash, key) {
            self.spool.push(hash, key, measure);
        }
    }

    fn flush(&mut self) {
        let Groups { local, spool, rows, .. } = self;
        local.drain(|hash, key, measure| spool.push(hash, key, measure));
        *rows = 0;
    }

    fn compact(&self, pile: &Pile) -> Pile {
        compact::<W, M>(pile, self.spool.form())
    }
}

/// Defines [`Sized`]: code for keys of so many words. A key takes the next larger size.
macro_rules! sizes {
    ($($size:ident = $words:literal,)*) => {
        enum Sized<M> { $($size(Box<Groups<$words, M>>),)* }

        /// Runs `$body` with `$groups` bound to the groups.
        macro_rules! with {
            ($store:expr, $bound:ident => $body:expr) => {
                match $store { $(Sized::$size($bound) => $body,)* }
            };
        }

        impl<M: Measure> Sized<M> {
            fn new(layout: &Layout, form: Form) -> Sized<M> {
                $(if layout.words() <= $words { return Sized::$size(Box::new(Groups::new(form))); })*
                unreachable!("a layout has at most {MAX_KEY_WORDS} words")
            }
        }

        impl Part {
            /// Calls `visit` with every group.
            ///
            /// # Errors
            /// Those of temporary files, and of `visit`.
            pub(crate) fn for_each<M: Measure>(
                &self,
                room: &Room<'_>,
                mut visit: impl FnMut(&[u64], &M) -> Result<(), QueryError>,
            ) -> Result<(), QueryError> {
                match self.words {
                    $(0..=$words => merge::<$words, M>(&self.pile, self.form, room, &mut |key, measure| {
                        visit(&key.0, measure)
                    }),)*
                    _ => unreachable!("a layout has at most {MAX_KEY_WORDS} words"),
                }
            }
        }
    };
}

sizes! { One = 1, Two = 2, Three = 3, Five = 5, Eight = 8, Sixteen = 16, Largest = 64, }

/// One part of the groups of one shape, of all workers.
pub(crate) struct Part {
    pub(crate) shape: Shape,
    words: usize,
    pub(crate) form: Form,
    pile: Pile,
}

impl Part {
    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.pile.len()
    }

    /// Adds the same part of another worker.
    pub(crate) fn join(&mut self, other: Part) {
        self.pile.append(other.pile);
    }
}

/// The groups of one worker and one shape.
pub(crate) struct Store<M> {
    pub(crate) shape: Shape,
    layout: Layout,
    groups: Sized<M>,
}

impl<M: Measure> Store<M> {
    /// `blocks` and `base_ms`: see [`Form::new`].
    pub(crate) fn new(shape: Shape, layout: Layout, blocks: usize, base_ms: u64) -> Store<M> {
        let form = Form::new(layout.octets(), blocks, base_ms);
        Store { shape, groups: Sized::new(&layout, form), layout }
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Adds all rows, or the listed of them. The layout may be of other fields than the store's own, of the same kinds.
    pub(crate) fn add(
        &mut self,
        layout: &Layout,
        rows: &impl Rows<Measure = M>,
        members: Option<&[u32]>,
        scope: &Scope<'_>,
    ) {
        with!(&mut self.groups, groups => groups.add(layout, rows, members, scope));
    }

    /// Adds rows of heavy groups: all rows, or the listed of them. Says below which volume no group of them was added.
    pub(crate) fn add_heavy(
        &mut self,
        layout: &Layout,
        rows: &impl Rows<Measure = M>,
        members: Option<&[u32]>,
        scope: &Scope<'_>,
    ) -> u64 {
        with!(&mut self.groups, groups => groups.add_heavy(layout, rows, members, scope))
    }

    /// Adds what is measured of groups whose keys are a value of `field` and perhaps a protocol; only those whose keys are
    /// of the store's shape.
    pub(crate) fn add_values(&mut self, field: Field, values: &MeasuredValues<'_, M>, scope: &Scope<'_>) {
        let is_v6 = self.shape != 0;
        with!(&mut self.groups, groups => groups.add_values(&self.layout, field, is_v6, values, scope));
    }

    /// Writes everything to the spool.
    pub(crate) fn flush(&mut self) {
        with!(&mut self.groups, groups => groups.flush());
    }

    fn spool(&mut self) -> &mut Spool {
        with!(&mut self.groups, groups => &mut groups.spool)
    }

    /// Octets the spool takes.
    pub(crate) fn octets(&mut self) -> usize {
        self.spool().octets()
    }

    /// Takes out a part, which several workers' are [joined](Part::join) to.
    pub(crate) fn take(&mut self, part: usize) -> Part {
        let (shape, words) = (self.shape, self.layout.words());
        let spool = self.spool();
        Part { shape, words, form: spool.form(), pile: spool.take(part) }
    }

    /// Moves everything but the small table to a file.
    ///
    /// # Errors
    /// When there is no room.
    pub(crate) fn write_out(&mut self, spill: &Spill) -> Result<(), QueryError> {
        self.spool().write_out(spill)
    }

    /// Brings the entries of each group together that are in memory. Says how many entries there were and how many there are.
    pub(crate) fn compact(&mut self, parts: Range<usize>) -> (usize, usize) {
        let (mut before, mut after) = (0, 0);
        for part in parts {
            with!(&mut self.groups, groups => {
                let (pile, written) = groups.spool.take(part).split();
                before += pile.len();
                let mut pile = groups.compact(&pile);
                after += pile.len();
                pile.append(written);
                groups.spool.put(part, pile);
            });
        }
        (before, after)
    }
}
