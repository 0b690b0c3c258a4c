//! Numbers of a fixed width in bits, packed so that unpacking is a few vector instructions per value.
//!
//! Every 1024 values form a group. A group is laid out in lanes of 16, 32 or 64 bits (the smallest that holds the
//! width), as many lanes as fit 128 octets: value `i` of the group stands in lane `i % lanes`, and each lane packs
//! its values one after the other, low-order bits first. All lanes of a row are then shifted by the same count,
//! which LLVM turns into vector shifts. The values after the last whole group are a plain stream of bits.

use flow_model::Values;

/// Values per group.
pub(crate) const GROUP: usize = 1024;
/// Octets of one word of every lane.
const LINE: usize = 128;

/// A number as a column holds it.
pub(crate) trait Number: Copy + Ord {
    /// Keeps the low-order bits.
    fn narrow(num: u64) -> Self;
    fn widen(self) -> u64;
    /// A column's values.
    fn values(nums: Vec<Self>) -> Values;
    /// The vector inside such values.
    fn vec(values: Values) -> Option<Vec<Self>>;
}

macro_rules! number {
    ($($t:ty, $variant:ident;)*) => {
        $(impl Number for $t {
            #[inline(always)]
            fn narrow(num: u64) -> $t {
                num as $t
            }

            #[inline(always)]
            fn widen(self) -> u64 {
                self as u64
            }

            fn values(nums: Vec<$t>) -> Values {
                Values::$variant(nums)
            }

            fn vec(values: Values) -> Option<Vec<$t>> {
                if let Values::$variant(nums) = values { Some(nums) } else { None }
            }
        })*
    };
}

number! {
    u8, U8;
    u16, U16;
    u32, U32;
    u64, U64;
}

/// Octets that `count` values of `width` bits occupy.
pub(crate) fn packed_len(width: u32, count: usize) -> usize {
    count / GROUP * width as usize * LINE + stream_len(width, count % GROUP)
}

/// Octets of a plain stream of `count` values of `width` bits.
pub(crate) fn stream_len(width: u32, count: usize) -> usize {
    (count * width as usize).div_ceil(8)
}

/// Appends `values`, which must be below 2 to the power of `width`.
pub(crate) fn pack<T: Number>(values: &[T], width: u32, out: &mut Vec<u8>) {
    pack_with(values, width, T::widen, out);
}

/// Appends `map` of every value, each below 2 to the power of `width`.
pub(crate) fn pack_with<T: Copy>(values: &[T], width: u32, map: impl Fn(T) -> u64 + Copy, out: &mut Vec<u8>) {
    out.reserve(packed_len(width, values.len()));
    if width == 0 {
        return;
    }
    /// Writes every group through one scratch array of lane words.
    fn groups<T: Copy, L: Copy + Default>(
        groups: &[[T; GROUP]],
        map: impl Fn(T) -> L,
        mut write: impl FnMut(&[L; GROUP]),
    ) {
        let mut scratch = [L::default(); GROUP];
        for group in groups {
            for (word, value) in scratch.iter_mut().zip(group) {
                *word = map(*value);
            }
            write(&scratch);
        }
    }
    let (whole, rest) = values.as_chunks::<GROUP>();
    match width {
        1..=16 => groups(whole, |value| map(value) as u16, |group| pack_u16(group, width, out)),
        17..=32 => groups(whole, |value| map(value) as u32, |group| pack_u32(group, width, out)),
        _ => groups(whole, map, |group| pack_u64(group, width, out)),
    }
    put_stream(rest.iter().map(|&value| map(value)), width, out);
}

/// Appends to `out` the sum of `base` and each of `count` values of `width` bits.
///
/// # Panics
/// When `packed` is not [`packed_len`] long.
pub(crate) fn unpack<T: Number>(packed: &[u8], width: u32, count: usize, base: u64, out: &mut Vec<T>) {
    assert_eq!(packed.len(), packed_len(width, count));
    out.reserve(count);
    if width == 0 {
        out.resize(out.len() + count, T::narrow(base));
        return;
    }
    let (groups, rest) = packed.split_at(count / GROUP * width as usize * LINE);
    let lines = groups.as_chunks::<LINE>().0;
    match width {
        1..=16 => {
            let mut scratch = [0; GROUP];
            for group in lines.chunks_exact(width as usize) {
                unpack_u16(group, width, &mut scratch);
                out.extend(scratch.iter().map(|&value| T::narrow(base.wrapping_add(value.into()))));
            }
        }
        17..=32 => {
            let mut scratch = [0; GROUP];
            for group in lines.chunks_exact(width as usize) {
                unpack_u32(group, width, &mut scratch);
                out.extend(scratch.iter().map(|&value| T::narrow(base.wrapping_add(value.into()))));
            }
        }
        _ => {
            let mut scratch = [0; GROUP];
            for group in lines.chunks_exact(width as usize) {
                unpack_u64(group, width, &mut scratch);
                out.extend(scratch.iter().map(|&value| T::narrow(base.wrapping_add(value))));
            }
        }
    }
    stream(rest, width, count % GROUP, |value| out.push(T::narrow(base.wrapping_add(value))));
}

/// Appends values of `width` bits as a plain stream of bits, low-order bits first.
pub(crate) fn put_stream(values: impl Iterator<Item = u64>, width: u32, out: &mut Vec<u8>) {
    let mut buffer: u128 = 0;
    let mut filled = 0;
    for value in values {
        buffer |= u128::from(value) << filled;
        filled += width;
        while filled >= 8 {
            out.push(buffer as u8);
            buffer >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        out.push(buffer as u8);
    }
}

/// Calls `visit` with each of `count` values of a plain stream of bits. Missing octets count as 0.
pub(crate) fn stream(bytes: &[u8], width: u32, count: usize, mut visit: impl FnMut(u64)) {
    if width == 0 {
        (0..count).for_each(|_| visit(0));
        return;
    }
    let mask = u64::MAX >> (64 - width);
    for index in 0..count {
        let bit = index * width as usize;
        let window = bytes.get(bit / 8..).unwrap_or_default();
        let value = if let Some(window) = window.first_chunk::<16>() {
            u128::from_le_bytes(*window)
        } else {
            let mut padded = [0; 16];
            padded[..window.len()].copy_from_slice(window);
            u128::from_le_bytes(padded)
        };
        visit((value >> (bit % 8)) as u64 & mask);
    }
}

macro_rules! kernels {
    ($pack:ident, $unpack:ident, $t:ty, $lanes:literal) => {
        fn $pack(values: &[$t; GROUP], width: u32, out: &mut Vec<u8>) {
            let (rows, _) = values.as_chunks::<$lanes>();
            let mut words: [$t; $lanes] = [0; $lanes];
            let mut filled = 0;
            for row in rows {
                for (word, value) in words.iter_mut().zip(row) {
                    *word |= *value << filled;
                }
                filled += width;
                if filled >= <$t>::BITS {
                    out.extend_from_slice(words.map(<$t>::to_le_bytes).as_flattened());
                    filled -= <$t>::BITS;
                    // What did not fit: the upper `filled` bits of the row, none when `filled` is 0.
                    for (word, value) in words.iter_mut().zip(row) {
                        *word = value.checked_shr(width - filled).unwrap_or(0);
                    }
                }
            }
        }

        fn $unpack(lines: &[[u8; LINE]], width: u32, out: &mut [$t; GROUP]) {
            #[inline(always)]
            fn words(line: &[u8; LINE]) -> [$t; $lanes] {
                let (octets, _) = line.as_chunks::<{ LINE / $lanes }>();
                std::array::from_fn(|lane| <$t>::from_le_bytes(octets[lane]))
            }
            let mask = <$t>::MAX >> (<$t>::BITS - width);
            let (rows, _) = out.as_chunks_mut::<$lanes>();
            for (row, out) in rows.iter_mut().enumerate() {
                let bit = row as u32 * width;
                let (line, shift) = ((bit / <$t>::BITS) as usize, bit % <$t>::BITS);
                let low = words(&lines[line]);
                if shift + width <= <$t>::BITS {
                    for lane in 0..$lanes {
                        out[lane] = low[lane] >> shift & mask;
                    }
                } else {
                    let high = words(&lines[line + 1]);
                    for lane in 0..$lanes {
                        out[lane] = (low[lane] >> shift | high[lane] << (<$t>::BITS - shift)) & mask;
                    }
                }
            }
        }
    };
}

kernels!(pack_u16, unpack_u16, u16, 64);
kernels!(pack_u32, unpack_u32, u32, 32);
kernels!(pack_u64, unpack_u64, u64, 16);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(width: u32, count: usize) -> Vec<u64> {
        let mask = u64::MAX.checked_shr(64 - width).unwrap_or(0);
        (0..count as u64).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) & mask).collect()
    }

    #[test]
    fn every_width_comes_back() {
        for width in 0..=64 {
            for count in [0, 1, 7, 1023, 1024, 1025, 2050] {
                let values = values(width, count);
                let mut packed = Vec::new();
                pack(&values, width, &mut packed);
                assert_eq!(packed.len(), packed_len(width, count), "width {width}, {count} values");
                let mut back: Vec<u64> = Vec::new();
                unpack(&packed, width, count, 0, &mut back);
                assert_eq!(back, values, "width {width}, {count} values");
            }
        }
    }

    #[test]
    fn lanes_are_where_the_format_says() {
        // Value i stands in lane i % 64; row i / 64 starts at bit (i / 64) * width of its lane.
        let mut values = [0_u64; GROUP];
        values[2 * 64 + 5] = 0x1ff;
        let mut packed = Vec::new();
        pack(&values, 9, &mut packed);
        let expected = 0x1ff_u32 << (2 * 9 % 16);
        assert_eq!(u16::from_le_bytes([packed[128 + 10], packed[128 + 11]]), expected as u16);
        assert_eq!(packed.iter().filter(|&&octet| octet != 0).count(), 2);
    }

    proptest! {
        #[test]
        fn narrow_columns_and_bases(width in 1_u32..=16, count in 0_usize..3000, base in 0_u64..10) {
            let values = values(width, count);
            let mut packed = Vec::new();
            pack_with(&values, width, |value| value, &mut packed);
            let mut back: Vec<u32> = Vec::new();
            unpack(&packed, width, count, base, &mut back);
            prop_assert!(back.iter().zip(&values).all(|(&back, &value)| u64::from(back) == value + base));
        }
    }
}
