//! What was wrong in a block.

use crate::error::Damage;

/// Damage found while a block was taken apart.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// Concerning the block.
    pub(super) of_block: Vec<Damage>,
    /// Concerning records, and how many of them.
    pub(super) of_records: Vec<(Damage, u64)>,
}

impl Findings {
    pub(super) fn block(&mut self, damage: Damage) {
        self.of_block.push(damage);
    }

    pub(super) fn record(&mut self, damage: Damage) {
        let known = self.of_records.iter().position(|(known, _)| *known == damage);
        // Enough kinds are told; the last one stands for what else there is.
        let full = (self.of_records.len() == MOST_KINDS).then_some(MOST_KINDS - 1);
        match known.or(full).and_then(|kind| self.of_records.get_mut(kind)) {
            Some((_, count)) => *count += 1,
            None => self.of_records.push((damage, 1)),
        }
    }
}

/// How many kinds of damage are told apart in a block.
const MOST_KINDS: usize = 16;
