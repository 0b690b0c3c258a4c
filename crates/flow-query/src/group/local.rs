//! A small table in front of the spool: of groups with many flows only one entry is written.

use super::entry::Measure;
use super::key::Key;

/// How many groups the table holds: with keys of two words it takes two thirds of a second-level cache of 1 MiB.
const CAPACITY: usize = 1 << 13;
const SLOTS: usize = 2 * CAPACITY;

/// Groups of one worker and one shape, the latest of them.
#[derive(Debug)]
pub(crate) struct Local<const W: usize, M> {
    /// Number of the group plus 1, or 0; by the low-order bits of the hash, and further on when that is taken.
    slots: Vec<u16>,
    groups: Vec<(u64, Key<W>)>,
    measures: Vec<M>,
}

impl<const W: usize, M> Default for Local<W, M> {
    fn default() -> Self {
        Local { slots: Vec::new(), groups: Vec::new(), measures: Vec::new() }
    }
}

impl<const W: usize, M: Measure> Local<W, M> {
    /// What is measured of a group, nothing yet if it is new; `None` when the table is full.
    #[inline]
    pub(crate) fn measure(&mut self, hash: u64, key: &Key<W>) -> Option<&mut M> {
        if self.slots.is_empty() {
            self.slots.resize(SLOTS, 0);
        }
        let slots: &mut [u16; SLOTS] = self.slots.as_mut_slice().try_into().ok()?;
        let mut slot = hash as usize % SLOTS;
        loop {
            match slots[slot] {
                0 => break,
                number => {
                    let number = usize::from(number) - 1;
                    if self.groups[number].1 == *key {
                        return Some(&mut self.measures[number]);
                    }
                }
            }
            slot = (slot + 1) % SLOTS;
        }
        if self.groups.len() == CAPACITY {
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
