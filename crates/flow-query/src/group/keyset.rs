//! A set of packed keys.

use super::spool::hasher;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hasher};

/// Keys of one shape.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    keys: HashTable<(u64, Box<[u64]>)>,
}

impl KeySet {
    /// Whether the set contains a key with this hash.
    #[inline]
    pub(crate) fn contains(&self, hash: u64, key: &[u64]) -> bool {
        self.keys.find(hash, |(_, known)| **known == *key).is_some()
    }

    /// Adds a key.
    pub(crate) fn insert(&mut self, key: Box<[u64]>) {
        let mut state = hasher().build_hasher();
        key.iter().for_each(|&word| state.write_u64(word));
        let hash = state.finish();
        if !self.contains(hash, &key) {
            self.keys.insert_unique(hash, (hash, key), |(hash, _)| *hash);
        }
    }

    /// The keys, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u64]> {
        self.keys.iter().map(|(_, key)| &**key)
    }
}
