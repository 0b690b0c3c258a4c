//! LZO1X, the writing side: a stream that every LZO1X decoder reads, found with one look per position as LZO1X-1 does.
//!
//! A stream is a sequence of instructions, each of which copies from what was written before and is followed by literals.
//! `n` below are the literals behind a copy, up to 3; more are an instruction of their own.
//!
//! | octets | copies | from a distance of up to |
//! |---|---|---|
//! | `lll ddd nn`, `dddddddd` | 3 to 8 | 2048 |
//! | `001 lllll`, more length, `dddddd nn`, `dddddddd` | 3 or more | 16,384 |
//! | `0001 d lll`, more length, `dddddd nn`, `dddddddd` | 3 or more | 49,151 |
//! | `0000 llll`, more length | nothing; 4 literals or more follow | |

/// Compresses block after block.
#[derive(Debug)]
pub(crate) struct Lzo {
    /// By hash of four octets, where they were last seen, counted from 1.
    seen: Vec<u32>,
}

impl Lzo {
    pub(super) fn new() -> Lzo {
        Lzo { seen: vec![0; 1 << HASH_BITS] }
    }

    /// Appends what `block` is compressed to.
    pub(super) fn compress(&mut self, block: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        self.seen.fill(0);
        // The first octets up to here are in `out`.
        let mut done = 0;
        let mut at = 0;
        while let Some(next) = four(block, at) {
            let slot = &mut self.seen[hash(next)];
            let before = *slot as usize;
            *slot = at as u32 + 1;
            let candidate = before.wrapping_sub(1);
            if before == 0 || at - candidate > FAR || four(block, candidate) != Some(next) {
                // The longer nothing is found, the larger the steps: what does not compress costs little.
                at += 1 + (at - done) / STEP;
                continue;
            }
            let len = 4 + common_len(&block[candidate + 4..], &block[at + 4..]);
            put_literals(&block[done..at], start, out);
            put_copy(at - candidate, len, out);
            at += len;
            done = at;
        }
        put_literals(&block[done..], start, out);
        out.extend_from_slice(&END);
    }
}

const HASH_BITS: u32 = 14;

/// The distance that the third form of a copy reaches.
const FAR: usize = 49_151;

/// After so many octets without a copy, steps get one octet larger.
const STEP: usize = 32;

/// A copy from a distance that does not exist.
const END: [u8; 3] = [17, 0, 0];

fn four(block: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*block.get(at..)?.first_chunk()?))
}

fn hash(four: u32) -> usize {
    (four.wrapping_mul(2_654_435_761) >> (32 - HASH_BITS)) as usize
}

/// How many octets two pieces begin with alike.
fn common_len(one: &[u8], other: &[u8]) -> usize {
    let (one_words, _) = one.as_chunks::<8>();
    let (other_words, _) = other.as_chunks::<8>();
    let words = one_words.iter().zip(other_words).take_while(|(one, other)| one == other).count();
    let rest = one[8 * words..].iter().zip(&other[8 * words..]);
    8 * words + rest.take_while(|(one, other)| one == other).count()
}

fn put_literals(literals: &[u8], start: usize, out: &mut Vec<u8>) {
    let len = literals.len();
    let is_first = out.len() == start;
    match len {
        0 => {}
        1..=238 if is_first => out.push(17 + len as u8),
        1..=3 => {
            // In the copy before them: its last octet but one, in every form.
            let last = out.len() - 2;
            out[last] |= len as u8;
        }
        _ => put_len(0, len - 3, 15, out),
    }
    out.extend_from_slice(literals);
}

fn put_copy(distance: usize, len: usize, out: &mut Vec<u8>) {
    if distance <= 2048 && len <= 8 {
        let distance = distance - 1;
        out.extend_from_slice(&[((len - 1) << 5 | (distance & 7) << 2) as u8, (distance >> 3) as u8]);
        return;
    }
    let rest = if distance <= 16_384 {
        put_len(0b0010_0000, len - 2, 31, out);
        distance - 1
    } else {
        let rest = distance - 16_384;
        put_len(0b0001_0000 | (rest >> 11 & 8) as u8, len - 2, 7, out);
        rest
    };
    out.extend_from_slice(&((rest << 2) as u16).to_le_bytes());
}

/// An instruction with a length in its low bits, up to `most`; a longer one follows in octets of their own.
fn put_len(instruction: u8, len: usize, most: usize, out: &mut Vec<u8>) {
    if len <= most {
        out.push(instruction | len as u8);
        return;
    }
    out.push(instruction);
    let rest = len - most - 1;
    out.resize(out.len() + rest / 255, 0);
    out.push((rest % 255) as u8 + 1);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What another implementation reads.
    fn decompressed(stream: &[u8], len: usize) -> Vec<u8> {
        let mut block = vec![0; len + 1];
        let written = lzokay::decompress::decompress(stream, &mut block).unwrap();
        block.truncate(written);
        block
    }

    fn check(lzo: &mut Lzo, block: &[u8]) -> usize {
        let mut out = b"before".to_vec();
        lzo.compress(block, &mut out);
        assert_eq!(&out[..6], b"before");
        assert_eq!(decompressed(&out[6..], block.len()), block);
        out.len() - 6
    }

    #[test]
    fn streams_are_as_the_format_has_them() {
        let mut out = Vec::new();
        Lzo::new().compress(b"abcdabcdabcdabcdX", &mut out);
        assert_eq!(out, [b"\x15abcd\x2a\x0d\0X", &END[..]].concat());
    }

    #[test]
    fn distances_and_lengths_at_every_bound() {
        let mut lzo = Lzo::new();
        let noise = |len: usize| -> Vec<u8> {
            let mut state = 9_u32;
            let next = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            };
            std::iter::repeat_with(next).take(len).collect()
        };
        for distance in [5, 2047, 2048, 2049, 16_383, 16_384, 16_385, 32_767, 32_768, 49_151, 49_152] {
            for len in [4, 5, 8, 9, 10, 33, 34, 35, 288, 289, 290, 600] {
                for literals in [0, 1, 2, 3, 4, 18, 19, 273, 274] {
                    let mut block = noise(distance.max(len));
                    let from = block.len() - distance;
                    for at in from..from + len {
                        block.push(block[at]);
                    }
                    block.extend(noise(literals + 1).iter().map(|octet| octet ^ 0x55));
                    check(&mut lzo, &block);
                }
            }
        }
        for len in [0, 1, 3, 4, 17, 18, 237, 238, 239, 600] {
            check(&mut lzo, &noise(len));
            check(&mut lzo, &vec![7; len]);
        }
        assert!(check(&mut lzo, &noise(1 << 20)) < (1 << 20) + (1 << 13));
        assert!(check(&mut lzo, &vec![0; 1 << 20]) < 5_000);
    }

    proptest! {
        #[test]
        fn everything_comes_back(pieces in prop::collection::vec((0_u8..4, 1_usize..40, 0_usize..60_000), 0..200)) {
            // Random octets, runs, and copies from before.
            let mut block: Vec<u8> = Vec::new();
            for (kind, len, seed) in pieces {
                match kind {
                    0 => block.extend((0..len).map(|at| (seed * (at + 3) * 7919 / 8) as u8)),
                    1 => block.extend(std::iter::repeat_n(seed as u8, len * 20)),
                    _ if block.is_empty() => {}
                    _ => {
                        let from = block.len() - 1 - seed % block.len();
                        (from..from + len * 3).for_each(|at| block.push(block[at]));
                    }
                }
            }
            check(&mut Lzo::new(), &block);
        }
    }
}
