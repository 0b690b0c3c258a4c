//! A small table in front of the spool: of groups with many flows only one entry is written.

use super::entry::Measure;
use super::key::Key;

/// How many groups the table holds: with keys of two words it takes two thirds of a second-level cache of 1 MiB.
const CAPACITY: usize = 1 << 13;
const SLOTS: usize = 2 * CAPACITY;

/// Keys of so many octets, as ports are, have a slot each, and the table holds (nearly) all of them. It outgrows the cache
/// then, but the groups with many flows come early and so lie together, and writing and reading the others again and again
/// would take several times as long.
const SHORT_KEY: usize = 2;
const SHORT_KEYS: usize = 1 << (8 * SHORT_KEY);

/// Groups of one worker and one shape, the latest of them.
#[derive(Debug)]
pub(crate) struct Local<const W: usize, M> {
    /// Number of the group plus 1, or 0: by the key if it is short, otherwise by the low-order bits of its hash, and further
    /// on when that is taken.
    slots: Vec<u16>,
    groups: Vec<(u64, Key<W>)>,
    measures: Vec<M>,
    capacity: usize,
    has_short_keys: bool,
}

impl<const W: usize, M: Measure> Local<W, M> {
    /// An empty table for keys of so many octets.
    pub(crate) fn new(key_octets: usize) -> Local<W, M> {
        let has_short_keys = key_octets <= SHORT_KEY;
        // The number of the last of all keys would not fit its slot.
        let capacity = if has_short_keys { SHORT_KEYS - 1 } else { CAPACITY };
        Local { slots: Vec::new(), groups: Vec::new(), measures: Vec::new(), capacity, has_short_keys }
    }

    /// What is measured of a group, nothing yet if it is new; `None` when the table is full.
    #[inline]
    pub(crate) fn measure(&mut self, hash: u64, key: &Key<W>) -> Option<&mut M> {
        if self.slots.is_empty() {
            self.slots.resize(if self.has_short_keys { SHORT_KEYS } else { SLOTS }, 0);
        }
        let slots = self.slots.as_mut_slice();
        let last = slots.len() - 1;
        let mut slot = (if self.has_short_keys { key.0[0] } else { hash }) as usize & last;
        loop {
            match slots[slot] {
                0 => break,
                number => {
                    let number = usize::from(number) - 1;
                    if self.has_short_keys || self.groups[number].1 == *key {
                        return Some(&mut self.measures[number]);
                    }
                }
            }
            slot = (slot + 1) & last;
        }
        if self.groups.len() == self.capacity {
            return None;
        }
        self.groups.push((hash, *key));
        self.measures.push(M::EMPTY);
        slots[slot] = self.groups.len() as u16;
        self.measures.last_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Hands out all groups, with the hashes of their keys, and forgets them.
    pub(crate) fn drain(&mut self, mut group: impl FnMut(u64, &Key<W>, &M)) {
        for ((hash, key), measure) in self.groups.iter().zip(&self.measures) {
            group(*hash, key, measure);
        }
        self.slots.fill(0);
        self.groups.clear();
        self.measures.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counts::Volume;
    use std::collections::BTreeMap;

    #[test]
    fn a_full_table_takes_no_other_group_and_keeps_those_it_has() {
        for (key_octets, capacity) in [(2, 65_535), (8, CAPACITY)] {
            let mut local: Local<1, Volume> = Local::new(key_octets);
            let mut add = |num: u64| {
                // Hashes that collide, and keys that come in no order.
                let key = Key([num * 40_503 % 65_536]);
                local.measure(num / 3, &key).map(|measure| measure.merge(&Volume(num + 1))).is_some()
            };
            for num in (0..capacity as u64).chain(0..100) {
                assert!(add(num), "{num} of {capacity}");
            }
            assert!(!add(65_535));
            let mut found = BTreeMap::new();
            local.drain(|hash, key, measure| {
                assert_eq!(found.insert(key.0[0], (hash, measure.0)), None);
            });
            assert_eq!(found.len(), capacity);
            assert_eq!(found[&0], (0, 2));
            assert_eq!(found[&(200 * 40_503 % 65_536)], (66, 201));
            assert_eq!(local.len(), 0);
        }
    }
}
