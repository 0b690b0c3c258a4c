//! Hash tables of group numbers; keys and sums stand in plain vectors.

use crate::Scanned;
use crate::counts::Sums;
use foldhash::quality::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use std::hash::{BuildHasher, Hash};
use std::sync::LazyLock;

/// Into how many tables groups are split by their hash, so that tables of several workers can be brought together
/// in parallel.
pub(crate) const PARTITIONS: usize = 1 << PARTITION_BITS;
const PARTITION_BITS: u32 = 6;

/// Keys come from the network, so nobody may know the seed. It is the same for all tables of a process: partitions
/// of two workers must agree.
pub(crate) static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::default);

/// Groups of one partition.
#[derive(Debug)]
pub(crate) struct Table<K> {
    numbers: HashTable<u32>,
    keys: Vec<K>,
    sums: Vec<Sums>,
}

impl<K> Default for Table<K> {
    fn default() -> Self {
        Table { numbers: HashTable::new(), keys: Vec::new(), sums: Vec::new() }
    }
}

impl<K: Hash + Eq + Clone> Table<K> {
    /// The sums of the group of `key`, empty if it is new.
    #[inline]
    pub(crate) fn group(&mut self, hash: u64, key: &K, hasher: &RandomState) -> &mut Sums {
        let keys = &self.keys;
        let entry = self.numbers.entry(
            hash,
            |&number| keys[number as usize] == *key,
            |&number| hasher.hash_one(&keys[number as usize]),
        );
        let number = match entry {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let number = self.keys.len() as u32;
                entry.insert(number);
                self.keys.push(key.clone());
                self.sums.push(Sums::EMPTY);
                number
            }
        };
        &mut self.sums[number as usize]
    }

    /// The groups in the order in which they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &Sums)> {
        self.keys.iter().zip(&self.sums)
    }

    fn len(&self) -> usize {
        self.keys.len()
    }
}

/// Groups, in tables by hash.
#[derive(Debug)]
pub(crate) struct Partitions<K> {
    hasher: RandomState,
    tables: Vec<Table<K>>,
}

impl<K> Default for Partitions<K> {
    fn default() -> Self {
        Partitions { hasher: HASHER.clone(), tables: (0..PARTITIONS).map(|_| Table::default()).collect() }
    }
}

impl<K: Hash + Eq + Clone> Partitions<K> {
    /// The sums of the group of `key`, empty if it is new.
    #[inline]
    pub(crate) fn group(&mut self, key: &K) -> &mut Sums {
        let hash = self.hasher.hash_one(key);
        self.tables[partition_of(hash)].group(hash, key, &self.hasher)
    }
}

/// Hash tables use the highest seven bits and low ones, so the bits in between choose the partition.
#[inline]
fn partition_of(hash: u64) -> usize {
    (hash >> (57 - PARTITION_BITS)) as usize & (PARTITIONS - 1)
}

/// Brings the groups of all workers together, partition by partition on all workers, and says what `finish` makes of
/// each.
pub(crate) fn merge_partitions<K: Hash + Eq + Clone + Send + Sync, R: Send>(
    of_workers: Vec<Partitions<K>>,
    scanned: &Scanned<'_>,
    finish: impl Fn(Table<K>) -> R + Sync,
) -> Vec<R> {
    let mut by_partition: Vec<Vec<Table<K>>> = (0..PARTITIONS).map(|_| Vec::new()).collect();
    for partitions in of_workers {
        for (all, table) in by_partition.iter_mut().zip(partitions.tables) {
            if table.len() > 0 {
                all.push(table);
            }
        }
    }
    by_partition.retain(|tables| !tables.is_empty());
    scanned.map(by_partition, |mut tables| {
        let largest = tables.iter().enumerate().max_by_key(|(_, table)| table.len()).map_or(0, |(index, _)| index);
        let mut whole = tables.swap_remove(largest);
        for table in tables {
            for (key, sums) in table.iter() {
                whole.group(HASHER.hash_one(key), key, &HASHER).merge(sums);
            }
        }
        finish(whole)
    })
}
