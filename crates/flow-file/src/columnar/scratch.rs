//! Memory that decoding needs for a moment.
//!
//! A column is decoded in some ten microseconds. Asking the system for the few hundred kilobytes that pass through on
//! the way, and giving them back, costs more than that, so each thread keeps them.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

/// A vector whose memory goes back to its thread; empty at first.
#[derive(Debug)]
pub(crate) struct Scratch<T: Kept>(Vec<T>);

/// What threads keep vectors of.
pub(crate) trait Kept: Sized {
    fn take() -> Option<Vec<Self>>;
    fn give(vec: Vec<Self>);
}

macro_rules! kept {
    ($($t:ty, $pool:ident;)*) => {
        thread_local! {
            $(static $pool: RefCell<Vec<Vec<$t>>> = const { RefCell::new(Vec::new()) };)*
        }
        $(impl Kept for $t {
            fn take() -> Option<Vec<$t>> {
                $pool.try_with(|pool| pool.borrow_mut().pop()).ok().flatten()
            }

            fn give(vec: Vec<$t>) {
                // A thread that ends keeps nothing.
                let _ = $pool.try_with(|pool| {
                    let mut pool = pool.borrow_mut();
                    if pool.len() < MOST_VECTORS {
                        pool.push(vec);
                    }
                });
            }
        })*
    };
}

kept! {
    u8, OCTETS;
    u64, NUMBERS;
}

impl<T: Kept> Scratch<T> {
    pub(crate) fn new() -> Scratch<T> {
        Scratch(T::take().unwrap_or_default())
    }
}

impl<T: Kept> Drop for Scratch<T> {
    fn drop(&mut self) {
        let mut vec = std::mem::take(&mut self.0);
        if (1..=MOST_OCTETS).contains(&(vec.capacity() * size_of::<T>())) {
            vec.clear();
            T::give(vec);
        }
    }
}

impl<T: Kept> Deref for Scratch<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: Kept> DerefMut for Scratch<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

/// At most this many vectors of a type are in use at once.
const MOST_VECTORS: usize = 4;

/// Larger ones are rare (captured frames) and not kept.
const MOST_OCTETS: usize = 2 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_serves_again_and_large_memory_is_returned() {
        let mut first: Scratch<u64> = Scratch::new();
        first.extend(0..1000);
        let place = first.as_ptr();
        drop(first);
        let mut second: Scratch<u64> = Scratch::new();
        assert!(second.is_empty());
        assert_eq!(second.as_ptr(), place);
        second.reserve(MOST_OCTETS);
        drop(second);
        assert_eq!(Scratch::<u64>::new().capacity(), 0);
    }
}
