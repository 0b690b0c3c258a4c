//! Which groups of a block are heavy enough to be worth keeping.
//!
//! Who wants the heaviest ten of a million groups need not keep a million. Of each block only the heaviest groups are
//! kept, and the floor below which groups were dropped is remembered. A group that was dropped everywhere has less than
//! all floors together; if the tenth heaviest of those kept has more, it is not among the first. This is the threshold
//! algorithm for distributed top-k queries (Cao and Wang, "Efficient Top-K Query Calculation in Distributed Networks",
//! PODC 2004) with blocks for nodes.

/// One group in so many of a block is kept at most...
const KEPT_SHARE: usize = 32;
/// ...but always this many.
const KEPT_LEAST: usize = 64;

/// Where many groups of a block are kept and even the heaviest is not this many times the floor, none stands out, and the
/// floors of all blocks would be more than anyone has.
const STANDS_OUT: u64 = 4;

/// A power of two, or 0, such that few volumes are as large or larger; `u64::MAX` where none stands out.
pub(crate) fn floor(volumes: impl ExactSizeIterator<Item = u64>) -> u64 {
    let most = (volumes.len() / KEPT_SHARE).max(KEPT_LEAST);
    // How many volumes have so many bits.
    let mut counts = [0; u64::BITS as usize + 1];
    let mut largest = 0;
    for volume in volumes {
        counts[(u64::BITS - volume.leading_zeros()) as usize] += 1;
        largest = largest.max(volume);
    }
    let mut kept = 0;
    for (bits, count) in counts.iter().enumerate().rev() {
        kept += count;
        if kept > most {
            let floor = 1_u64.checked_shl(bits as u32).unwrap_or(u64::MAX);
            return if most > KEPT_LEAST && largest < floor.saturating_mul(STANDS_OUT) {
                u64::MAX
            } else {
                floor
            };
        }
    }
    0
}

/// Volumes by some bits of the hash of their keys: no group has more than its sum.
#[derive(Debug, Default)]
pub(crate) struct Sketch(Vec<u64>);

/// As many sums as a block has rows at most: half a second-level cache.
const MOST_SUMS: usize = 1 << 16;

impl Sketch {
    /// Starts anew, for about so many groups.
    pub(crate) fn reset(&mut self, groups: usize) {
        self.0.clear();
        self.0.resize(groups.next_power_of_two().min(MOST_SUMS), 0);
    }

    #[inline]
    pub(crate) fn add(&mut self, hash: u64, volume: u64) {
        let index = self.index(hash);
        self.0[index] = self.0[index].saturating_add(volume);
    }

    #[inline]
    pub(crate) fn sum(&self, hash: u64) -> u64 {
        self.0[self.index(hash)]
    }

    pub(crate) fn floor(&self) -> u64 {
        floor(self.0.iter().copied())
    }

    #[inline]
    fn index(&self, hash: u64) -> usize {
        hash as usize & (self.0.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_stand_above_the_floor() {
        let volumes: Vec<u64> = (0..10_000).map(|index| 1_000_000 / (index + 1)).collect();
        let floor = floor(volumes.iter().copied());
        let kept = volumes.iter().filter(|&&volume| volume >= floor).count();
        assert!((100..=312).contains(&kept), "{kept}");
        // A few are kept whatever they are.
        assert_eq!(super::floor([0, 7, u64::MAX].into_iter()), 0);
        assert_eq!(super::floor(std::iter::repeat_n(5, 100)), 8);
        assert_eq!(super::floor(std::iter::repeat_n(u64::MAX, 100)), u64::MAX);
        assert_eq!(super::floor(std::iter::repeat_n(5, 10_000)), u64::MAX);
    }

    #[test]
    fn a_sketch_never_says_too_little() {
        let mut sketch = Sketch::default();
        sketch.reset(3);
        (0..100).for_each(|hash| sketch.add(hash, hash));
        assert!((0..100).all(|hash| sketch.sum(hash) >= hash));
    }
}
