//! Which rows of a batch are meant.

/// A set of rows of a batch of known length, always visited in ascending order.
#[derive(Clone, Debug)]
pub struct Selection {
    len: usize,
    rows: Rows,
}

#[derive(Clone, Debug)]
enum Rows {
    All,
    /// Ascending row numbers.
    List(Vec<u32>),
    /// Bit `row % 64` of word `row / 64`; bits at and above `len` are 0.
    Bitmap {
        words: Vec<u64>,
        count: usize,
    },
}

impl Selection {
    /// Every row of a batch of `len` rows.
    pub fn all(len: usize) -> Selection {
        Selection { len, rows: Rows::All }
    }

    /// No row.
    pub fn none(len: usize) -> Selection {
        Selection { len, rows: if len == 0 { Rows::All } else { Rows::List(Vec::new()) } }
    }

    /// The listed rows, which must ascend strictly and be below `len`.
    ///
    /// # Panics
    /// In debug builds, when they do not.
    pub fn from_rows(len: usize, rows: Vec<u32>) -> Selection {
        debug_assert!(rows.is_sorted_by(|a, b| a < b));
        debug_assert!(rows.last().is_none_or(|&row| (row as usize) < len));
        Selection { len, rows: if rows.len() == len { Rows::All } else { Rows::List(rows) } }
    }

    /// The rows whose bit is set: bit `row % 64` of `words[row / 64]`.
    ///
    /// # Panics
    /// When `words` is not exactly as long as `len` bits need.
    pub fn from_words(len: usize, mut words: Vec<u64>) -> Selection {
        assert_eq!(words.len(), len.div_ceil(64), "one bit per row");
        if let (Some(last), used @ 1..) = (words.last_mut(), len % 64) {
            *last &= u64::MAX >> (64 - used);
        }
        let count = words.iter().map(|word| word.count_ones() as usize).sum();
        Selection { len, rows: if count == len { Rows::All } else { Rows::Bitmap { words, count } } }
    }

    /// The rows for which `keep` holds.
    pub fn from_fn(len: usize, mut keep: impl FnMut(usize) -> bool) -> Selection {
        let mut words = vec![0_u64; len.div_ceil(64)];
        for (index, word) in words.iter_mut().enumerate() {
            let first = index * 64;
            for bit in 0..64.min(len - first) {
                *word |= u64::from(keep(first + bit)) << bit;
            }
        }
        Selection::from_words(len, words)
    }

    /// How many rows the batch has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// How many rows are selected.
    pub fn count(&self) -> usize {
        match &self.rows {
            Rows::All => self.len,
            Rows::List(rows) => rows.len(),
            Rows::Bitmap { count, .. } => *count,
        }
    }

    /// Whether no row is selected.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Whether every row is selected.
    pub fn is_all(&self) -> bool {
        matches!(self.rows, Rows::All)
    }

    /// Calls `visit` with each selected row.
    #[inline]
    pub fn for_each(&self, mut visit: impl FnMut(usize)) {
        match &self.rows {
            Rows::All => (0..self.len).for_each(visit),
            Rows::List(rows) => rows.iter().for_each(|&row| visit(row as usize)),
            Rows::Bitmap { words, .. } => {
                for (index, &word) in words.iter().enumerate() {
                    let mut rest = word;
                    while rest != 0 {
                        visit(index * 64 + rest.trailing_zeros() as usize);
                        rest &= rest - 1;
                    }
                }
            }
        }
    }

    /// The selected rows.
    pub fn to_rows(&self) -> Vec<u32> {
        let mut rows = Vec::with_capacity(self.count());
        self.for_each(|row| rows.push(row as u32));
        rows
    }

    /// The selection as one bit per row.
    pub fn to_words(&self) -> Vec<u64> {
        if let Rows::Bitmap { words, .. } = &self.rows {
            return words.clone();
        }
        let mut words = vec![0; self.len.div_ceil(64)];
        self.for_each(|row| words[row / 64] |= 1 << (row % 64));
        words
    }

    /// Keeps the selected rows for which `keep` holds.
    pub fn retain(&mut self, mut keep: impl FnMut(usize) -> bool) {
        if self.is_all() {
            *self = Selection::from_fn(self.len, keep);
            return;
        }
        match &mut self.rows {
            Rows::All => {}
            Rows::List(rows) => rows.retain(|&row| keep(row as usize)),
            Rows::Bitmap { words, count } => {
                for (index, word) in words.iter_mut().enumerate() {
                    let mut rest = *word;
                    while rest != 0 {
                        let bit = rest.trailing_zeros();
                        rest &= rest - 1;
                        *word &= !(u64::from(!keep(index * 64 + bit as usize)) << bit);
                    }
                }
                *count = words.iter().map(|word| word.count_ones() as usize).sum();
            }
        }
    }

    /// Keeps the rows that are in `other` too.
    ///
    /// # Panics
    /// When the two are about batches of different length.
    pub fn intersect(&mut self, other: &Selection) {
        assert_eq!(self.len, other.len, "selections of the same batch");
        if other.is_all() {
        } else if self.is_all() {
            self.rows = other.rows.clone();
        } else {
            let mut words = self.to_words();
            for (word, other) in words.iter_mut().zip(other.to_words()) {
                *word &= other;
            }
            *self = Selection::from_words(self.len, words);
        }
    }

    /// Keeps the rows whose bit is set too: bit `row % 64` of `words[row / 64]`.
    ///
    /// # Panics
    /// When `words` is not exactly as long as the batch's rows need.
    pub fn intersect_words(&mut self, mut words: Vec<u64>) {
        assert_eq!(words.len(), self.len.div_ceil(64), "one bit per row");
        match &self.rows {
            Rows::All => {}
            Rows::List(_) => {
                self.retain(|row| words[row / 64] >> (row % 64) & 1 == 1);
                return;
            }
            Rows::Bitmap { words: ours, .. } => {
                words.iter_mut().zip(ours).for_each(|(word, ours)| *word &= ours);
            }
        }
        *self = Selection::from_words(self.len, words);
    }

    /// Keeps the first `count` selected rows.
    pub fn truncate(&mut self, count: usize) {
        if count < self.count() {
            let mut rows = self.to_rows();
            rows.truncate(count);
            self.rows = Rows::List(rows);
        }
    }
}

impl PartialEq for Selection {
    fn eq(&self, other: &Selection) -> bool {
        self.len == other.len && self.to_rows() == other.to_rows()
    }
}

impl Eq for Selection {}

/// What comes before the rows of a batch in the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// Selected rows.
    pub selected: u64,
    /// Rows, selected or not.
    pub rows: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_backing_is_the_same_set(bits in prop::collection::vec(any::<bool>(), 0..300), cut in 0_usize..300) {
            let rows: Vec<u32> = (0..bits.len() as u32).filter(|&row| bits[row as usize]).collect();
            let from_fn = Selection::from_fn(bits.len(), |row| bits[row]);
            let listed = Selection::from_rows(bits.len(), rows.clone());
            prop_assert_eq!(&from_fn, &listed);
            prop_assert_eq!(from_fn.count(), rows.len());
            prop_assert_eq!(from_fn.to_words(), listed.to_words());

            let even = Selection::from_fn(bits.len(), |row| row % 2 == 0);
            for mut selection in [from_fn.clone(), listed.clone(), Selection::all(bits.len())] {
                let mut retained = selection.clone();
                retained.retain(|row| row % 2 == 0);
                let mut masked = selection.clone();
                masked.intersect_words(even.to_words());
                prop_assert_eq!(&masked, &retained);
                selection.intersect(&even);
                prop_assert_eq!(&retained, &selection);
                let mut first = selection.to_rows();
                first.truncate(cut);
                selection.truncate(cut);
                prop_assert_eq!(selection.to_rows(), first);
            }
        }
    }
}
