//! Groups on their way: written one after the other, split by the hash of their keys.

use super::entry::{Form, Measure};
use super::key::Key;
use foldhash::quality::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;

/// Into how many parts groups are split by their hash: with ten million groups, the table of one part fits the
/// second-level cache, and one open line of each fits the first-level cache.
pub(crate) const PARTITIONS: usize = 256;

/// Keys come from the network, so nobody may know the seed. It is the same for all workers, whose parts must agree.
static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// The hash function of keys.
pub(crate) fn hasher() -> RandomState {
    HASHER.clone()
}

/// The part a hash belongs to. Tables within a part use the low-order bits.
#[inline]
pub(crate) fn partition_of(hash: u64) -> usize {
    (hash >> 56) as usize
}

const _: () = assert!(PARTITIONS == 1 << 8, "the highest eight bits of a hash choose the part");

/// Octets of the first chunk of a part; the next are twice as large each.
const FIRST_CHUNK: usize = 1 << 10;
/// Octets of further chunks: so many are lost at the end of each part, so few allocations are made.
const LAST_CHUNK: usize = 1 << 14;

/// A part's entries.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// Octets, and how many of them are written. Behind each entry there is room for [`Form::max_len`] octets.
    chunks: Vec<(Box<[u8]>, usize)>,
    entries: usize,
}

impl Run {
    /// Appends the entry that `encode` writes.
    #[inline]
    pub(crate) fn push(&mut self, max_len: usize, encode: impl FnOnce(&mut [u8]) -> usize) -> usize {
        let room = self.chunks.last().map_or(0, |(octets, used)| octets.len() - used);
        let mut grown = 0;
        if room < max_len {
            let doubled = self.chunks.last().map_or(FIRST_CHUNK, |(octets, _)| octets.len() * 2);
            // Room for one entry and one beyond, as reading looks beyond.
            grown = doubled.min(LAST_CHUNK).max(2 * max_len);
            self.chunks.push((vec![0; grown].into(), 0));
        }
        if let Some((octets, used)) = self.chunks.last_mut() {
            *used += encode(&mut octets[*used..]);
        }
        self.entries += 1;
        grown
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    /// The entries of another run, behind one's own.
    pub(crate) fn append(&mut self, other: Run) {
        self.chunks.extend(other.chunks);
        self.entries += other.entries;
    }

    /// Calls `visit` with the place of each entry and its octets, which go on beyond its end; `visit` says how long it is.
    #[inline]
    pub(crate) fn for_each(&self, mut visit: impl FnMut(Place, &[u8]) -> usize) {
        for (number, (octets, used)) in self.chunks.iter().enumerate() {
            let mut at = 0;
            while at < *used {
                at += visit(Place::new(number, at), &octets[at..]);
            }
        }
    }

    /// The entry at a place.
    #[inline]
    pub(crate) fn at(&self, place: Place) -> &[u8] {
        &self.chunks[place.chunk()].0[place.offset()..]
    }

    fn octets(&self) -> usize {
        self.chunks.iter().map(|(octets, _)| octets.len()).sum()
    }
}

/// Where an entry stands in a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u64);

impl Place {
    fn new(chunk: usize, offset: usize) -> Place {
        Place((chunk as u64) << 16 | offset as u64)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Place {
        Place(bits)
    }

    fn chunk(self) -> usize {
        (self.0 >> 16) as usize
    }

    fn offset(self) -> usize {
        (self.0 & 0xffff) as usize
    }
}

/// The groups of one worker and one shape.
#[derive(Debug)]
pub(crate) struct Spool {
    form: Form,
    runs: Vec<Run>,
    /// Octets of memory taken.
    octets: usize,
}

impl Spool {
    pub(crate) fn new(form: Form) -> Spool {
        Spool { form, runs: (0..PARTITIONS).map(|_| Run::default()).collect(), octets: 0 }
    }

    #[inline]
    pub(crate) fn push<const W: usize, M: Measure>(&mut self, hash: u64, key: &Key<W>, measure: &M) {
        let Spool { form, runs, octets } = self;
        let max_len = form.max_len::<M>();
        *octets += runs[partition_of(hash)].push(max_len, |out| form.encode(key, measure, out));
    }

    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Takes out the run of a part.
    pub(crate) fn take(&mut self, partition: usize) -> Run {
        let run = std::mem::take(&mut self.runs[partition]);
        self.octets -= run.octets();
        run
    }

    /// Puts in the run of a part.
    pub(crate) fn put(&mut self, partition: usize, run: Run) {
        self.octets += run.octets();
        self.runs[partition] = run;
    }
}

/// Hashes a key.
#[inline]
pub(crate) fn hash<const W: usize>(hasher: &RandomState, key: &Key<W>) -> u64 {
    hasher.hash_one(key)
}
