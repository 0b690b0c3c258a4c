//! Memory that a block needs while it is read.
//!
//! A block of 1 MiB is decompressed in less than a millisecond. Asking the system for the memory, and clearing it, would
//! add a good part of that, so each thread keeps what it used.

use super::shape::Rows;
use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// What a block needs.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The payload as it is stored.
    pub(super) stored: Vec<u8>,
    /// The payload decompressed, and padding; longer than both, and not cleared between blocks.
    pub(super) octets: Vec<u8>,
    /// The flow records.
    pub(super) rows: Rows,
}

/// Memory that goes back to its thread.
#[derive(Debug)]
pub(super) struct Held(Memory);

thread_local! {
    static KEPT: RefCell<Vec<Memory>> = const { RefCell::new(Vec::new()) };
}

impl Held {
    pub(super) fn new() -> Held {
        let kept = KEPT.try_with(|kept| kept.borrow_mut().pop()).ok().flatten();
        Held(kept.unwrap_or_default())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut memory = std::mem::take(&mut self.0);
        memory.rows.clear();
        // A thread that ends keeps nothing.
        let _ = KEPT.try_with(|kept| {
            let mut kept = kept.borrow_mut();
            if kept.len() < MOST {
                kept.push(memory);
            }
        });
    }
}

impl Deref for Held {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        &self.0
    }
}

impl DerefMut for Held {
    fn deref_mut(&mut self) -> &mut Memory {
        &mut self.0
    }
}

/// A thread reads one block, and while it does so looks into another one at most.
const MOST: usize = 2;
