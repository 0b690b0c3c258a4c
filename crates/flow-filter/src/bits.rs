//! One bit per row: made from values without branches, and combined.

/// Which rows are looked at.
#[derive(Clone, Copy)]
pub(crate) enum Rows<'a> {
    /// All of this many.
    All(usize),
    /// These, ascending.
    List(&'a [u32]),
}

impl Rows<'_> {
    pub(crate) fn len(self) -> usize {
        match self {
            Rows::All(len) => len,
            Rows::List(rows) => rows.len(),
        }
    }
}

/// A decision for every row that is looked at: bit `i % 64` of word `i / 64` stands for the `i`-th of them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    None,
    All,
    Bits(Vec<u64>),
}

impl Outcome {
    /// The opposite decision for `len` rows.
    pub(crate) fn not(self, len: usize) -> Outcome {
        match self {
            Outcome::None => Outcome::All,
            Outcome::All => Outcome::None,
            Outcome::Bits(mut words) => {
                for word in &mut words {
                    *word = !*word;
                }
                clear_tail(&mut words, len);
                Outcome::Bits(words)
            }
        }
    }

    pub(crate) fn and(self, other: Outcome) -> Outcome {
        match (self, other) {
            (Outcome::None, _) | (_, Outcome::None) => Outcome::None,
            (Outcome::All, rest) | (rest, Outcome::All) => rest,
            (Outcome::Bits(mut words), Outcome::Bits(others)) => {
                words.iter_mut().zip(others).for_each(|(word, other)| *word &= other);
                Outcome::Bits(words)
            }
        }
    }

    pub(crate) fn or(self, other: Outcome) -> Outcome {
        match (self, other) {
            (Outcome::All, _) | (_, Outcome::All) => Outcome::All,
            (Outcome::None, rest) | (rest, Outcome::None) => rest,
            (Outcome::Bits(mut words), Outcome::Bits(others)) => {
                words.iter_mut().zip(others).for_each(|(word, other)| *word |= other);
                Outcome::Bits(words)
            }
        }
    }
}

fn clear_tail(words: &mut [u64], len: usize) {
    if let (Some(last), used @ 1..) = (words.last_mut(), len % 64) {
        *last &= u64::MAX >> (64 - used);
    }
}

/// Decides every row by the value it has in `values`.
#[inline]
pub(crate) fn by_value<T: Copy>(rows: Rows<'_>, values: &[T], test: impl Fn(T) -> bool) -> Vec<u64> {
    match rows {
        Rows::All(len) => pack(&values[..len], test),
        Rows::List(rows) => pack(rows, |row| test(values[row as usize])),
    }
}

/// Decides every item of a slice. Decisions are gathered as octets, which vectorises, and packed by multiplication.
#[inline]
pub(crate) fn pack<T: Copy>(items: &[T], test: impl Fn(T) -> bool) -> Vec<u64> {
    let mut words = Vec::with_capacity(items.len().div_ceil(64));
    let (chunks, rest) = items.as_chunks::<64>();
    let mut flags = [0_u8; 64];
    for chunk in chunks {
        for (flag, &item) in flags.iter_mut().zip(chunk) {
            *flag = u8::from(test(item));
        }
        words.push(pack_flags(&flags));
    }
    if !rest.is_empty() {
        flags = [0; 64];
        for (flag, &item) in flags.iter_mut().zip(rest) {
            *flag = u8::from(test(item));
        }
        words.push(pack_flags(&flags));
    }
    words
}

/// Decides pairs of items of two slices of the same length, in the same way.
#[inline]
pub(crate) fn pack_pairs<T: Copy>(first: &[T], second: &[T], test: impl Fn(T, T) -> bool) -> Vec<u64> {
    let mut words = Vec::with_capacity(first.len().div_ceil(64));
    for (first, second) in first.chunks(64).zip(second.chunks(64)) {
        let mut flags = [0_u8; 64];
        for (flag, (&first, &second)) in flags.iter_mut().zip(first.iter().zip(second)) {
            *flag = u8::from(test(first, second));
        }
        words.push(pack_flags(&flags));
    }
    words
}

/// Sixty-four octets that are 0 or 1 as the bits of a word.
#[inline]
fn pack_flags(flags: &[u8; 64]) -> u64 {
    // The product's top octet collects bit 0 of each octet: octet i is moved up by 7 - i bits and 7 octets.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (octets, _) = flags.as_chunks::<8>();
    octets.iter().enumerate().fold(0, |word, (index, octet)| {
        word | (u64::from_le_bytes(*octet).wrapping_mul(GATHER) >> 56) << (8 * index)
    })
}

/// Sets bits `from..to`.
pub(crate) fn set_range(words: &mut [u64], from: usize, to: usize) {
    if from >= to {
        return;
    }
    let (first, last) = (from / 64, (to - 1) / 64);
    let (head, tail) = (u64::MAX << (from % 64), u64::MAX >> (63 - (to - 1) % 64));
    if first == last {
        words[first] |= head & tail;
    } else {
        words[first] |= head;
        words[first + 1..last].fill(u64::MAX);
        words[last] |= tail;
    }
}

/// The set bits when they are one run: the first, and one past the last. `None` when there is a gap or no bit.
pub(crate) fn as_run(words: &[u64]) -> Option<(usize, usize)> {
    let first = words.iter().position(|&word| word != 0)?;
    let last = words.iter().rposition(|&word| word != 0)?;
    let from = first * 64 + words[first].trailing_zeros() as usize;
    let to = last * 64 + 64 - words[last].leading_zeros() as usize;
    let count: usize = words[first..=last].iter().map(|word| word.count_ones() as usize).sum();
    (count == to - from).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bit(words: &[u64], index: usize) -> bool {
        words[index / 64] >> (index % 64) & 1 == 1
    }

    proptest! {
        #[test]
        fn bits_say_what_the_test_said(values in prop::collection::vec(any::<u8>(), 0..300)) {
            let words = pack(&values, |value| value < 100);
            prop_assert_eq!(words.len(), values.len().div_ceil(64));
            for (index, &value) in values.iter().enumerate() {
                prop_assert_eq!(bit(&words, index), value < 100);
            }
            let rows: Vec<u32> = (0..values.len() as u32).step_by(3).collect();
            let listed = by_value(Rows::List(&rows), &values, |value| value < 100);
            for (index, &row) in rows.iter().enumerate() {
                prop_assert_eq!(bit(&listed, index), values[row as usize] < 100);
            }
            let Outcome::Bits(opposite) = Outcome::Bits(words.clone()).not(values.len()) else { unreachable!() };
            let ones = |words: &[u64]| words.iter().map(|word| word.count_ones() as usize).sum::<usize>();
            prop_assert_eq!(ones(&words) + ones(&opposite), values.len());
        }

        #[test]
        fn runs(from in 0_usize..200, len in 0_usize..200) {
            let mut words = vec![0; 7];
            set_range(&mut words, from, from + len);
            for index in 0..448 {
                prop_assert_eq!(bit(&words, index), (from..from + len).contains(&index));
            }
            prop_assert_eq!(as_run(&words), (len > 0).then_some((from, from + len)));
            if len > 0 {
                words[6] |= 1 << 60;
                prop_assert_eq!(as_run(&words), None);
            }
        }
    }
}
