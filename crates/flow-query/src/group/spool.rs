//! Groups on their way: written one after the other, split by the hash of their keys.

use super::entry::{Form, Measure};
use super::key::Key;
use crate::QueryError;
use crate::spill::{Pile, Spill};
use foldhash::quality::RandomState;
use std::hash::BuildHasher;
use std::sync::LazyLock;

/// Into how many parts groups are split by their hash: with ten million groups, the table of one part fits the
/// second-level cache, and one open line of each fits the first-level cache.
pub(crate) const PARTITIONS: usize = 256;

/// A part that is too large to be in memory at once is split into so many, by bits below those that chose it.
pub(crate) const SUBPARTS: usize = 16;
/// So often: then what is left is few groups of very many entries, or keys of equal hashes.
pub(crate) const MOST_SPLITS: u32 = 8;

/// Into which part of a part an entry goes that was split `splits` times before.
#[inline]
pub(crate) fn subpart_of(hash: u64, splits: u32) -> usize {
    (hash >> (52 - 4 * splits)) as usize & (SUBPARTS - 1)
}

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

/// The groups of one worker and one shape.
#[derive(Debug)]
pub(crate) struct Spool {
    form: Form,
    piles: Vec<Pile>,
    /// Octets of memory taken.
    octets: usize,
}

impl Spool {
    pub(crate) fn new(form: Form) -> Spool {
        Spool { form, piles: (0..PARTITIONS).map(|_| Pile::default()).collect(), octets: 0 }
    }

    #[inline]
    pub(crate) fn push<const W: usize, M: Measure>(&mut self, hash: u64, key: &Key<W>, measure: &M) {
        let Spool { form, piles, octets } = self;
        let max_len = form.max_len::<M>();
        *octets += piles[partition_of(hash)].push(max_len, |out| form.encode(key, measure, out));
    }

    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// Takes out the pile of a part.
    pub(crate) fn take(&mut self, partition: usize) -> Pile {
        let pile = std::mem::take(&mut self.piles[partition]);
        self.octets -= pile.octets();
        pile
    }

    /// Puts in the pile of a part.
    pub(crate) fn put(&mut self, partition: usize, pile: Pile) {
        self.octets += pile.octets();
        self.piles[partition] = pile;
    }

    /// Moves everything to a file.
    pub(crate) fn write_out(&mut self, spill: &Spill) -> Result<(), QueryError> {
        self.octets = 0;
        self.piles.iter_mut().try_for_each(|pile| pile.write_out(spill))
    }
}

/// Hashes a key.
#[inline]
pub(crate) fn hash<const W: usize>(hasher: &RandomState, key: &Key<W>) -> u64 {
    hasher.hash_one(key)
}
