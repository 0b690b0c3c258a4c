//! Membership filters: whether a block may contain an address.
//!
//! A split-block Bloom filter, as Parquet has it: 32 octets per bucket, one bit in each of eight words for an
//! address. Building one costs a hash and eight bit operations per distinct address, asking touches one bucket.
//! At ten bits per address about one answer in ninety is a false "maybe" (measured in the tests: at most 2 %);
//! an exact "no" costs 40 KiB for 32,000 addresses. Source and destination share a filter, because the hosts of a
//! network appear as both; so do the translated addresses.

use super::dictionary::Addresses;
use super::layout::{CHECKSUM_LEN, FILTER_SPLIT_BLOCK, checksum, verify};
use super::reader::{ColumnarFile, Octets};
use crate::error::{Damage, FileError};
use flow_model::{Field, FieldSet, Membership};
use std::cell::OnceCell;
use std::net::IpAddr;

/// The groups of fields that share a filter.
pub(crate) const GROUPS: [FieldSet; 2] = [
    FieldSet::of(&[Field::SrcAddr, Field::DstAddr]),
    FieldSet::of(&[Field::XlateSrcAddr, Field::XlateDstAddr]),
];

/// Appends a filter for these addresses.
pub(crate) fn put_filter(addresses: &Addresses, out: &mut Vec<u8>) {
    let start = out.len();
    let buckets = (addresses.len() * BITS_PER_ADDRESS).div_ceil(BUCKET_LEN * 8).max(1);
    let mut words = vec![[0_u32; WORDS]; buckets];
    let mut insert = |hash: u64| {
        let bucket = &mut words[bucket_of(hash, buckets)];
        for (word, salt) in bucket.iter_mut().zip(SALTS) {
            *word |= 1 << bit_of(hash, salt);
        }
    };
    addresses.v4.iter().for_each(|bits| insert(checksum(&bits.to_be_bytes())));
    addresses.v6.iter().for_each(|bits| insert(checksum(&bits.to_be_bytes())));
    out.reserve(buckets * BUCKET_LEN + CHECKSUM_LEN);
    for word in words.iter().flatten() {
        out.extend_from_slice(&word.to_le_bytes());
    }
    let sum = checksum(&out[start..]);
    out.extend_from_slice(&sum.to_le_bytes());
}

/// Checks a filter read from a file and gives its buckets.
pub(crate) fn open_filter(kind: u8, bytes: &[u8]) -> Result<&[[u8; BUCKET_LEN]], Damage> {
    if kind != FILTER_SPLIT_BLOCK {
        return Err(Damage::Unknown { what: "kind of filter", found: kind.into() });
    }
    let Some((buckets, sum)) = bytes.split_last_chunk::<CHECKSUM_LEN>() else {
        return Err(Damage::Short { needed: CHECKSUM_LEN as u64, available: bytes.len() as u64 });
    };
    verify(buckets, u64::from_le_bytes(*sum))?;
    match buckets.as_chunks() {
        ([], _) => Err(Damage::Inconsistent("a filter has no buckets")),
        (buckets, []) => Ok(buckets),
        _ => Err(Damage::Inconsistent("a filter has half a bucket")),
    }
}

/// Whether the filter may hold `addr`.
pub(crate) fn may_contain(buckets: &[[u8; BUCKET_LEN]], addr: IpAddr) -> bool {
    let hash = hash(addr);
    let words = buckets[bucket_of(hash, buckets.len())].as_chunks::<4>().0;
    words.iter().zip(SALTS).all(|(word, salt)| u32::from_le_bytes(*word) >> bit_of(hash, salt) & 1 == 1)
}

/// XXH3-64 of the 4 or 16 octets of the address in network order.
fn hash(addr: IpAddr) -> u64 {
    match addr {
        IpAddr::V4(addr) => checksum(&addr.octets()),
        IpAddr::V6(addr) => checksum(&addr.octets()),
    }
}

fn bucket_of(hash: u64, buckets: usize) -> usize {
    (((hash >> 32) * buckets as u64) >> 32) as usize
}

fn bit_of(hash: u64, salt: u32) -> u32 {
    (hash as u32).wrapping_mul(salt) >> 27
}

const BITS_PER_ADDRESS: usize = 10;
const WORDS: usize = 8;
const BUCKET_LEN: usize = 32;

/// The multipliers of Parquet's split-block Bloom filter.
const SALTS: [u32; WORDS] =
    [0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31];

/// Answers for one block of a file. A filter is read when the first address is asked for; a damaged one answers
/// "may contain" to everything.
#[derive(Debug)]
pub(crate) struct BlockMembership<'a> {
    file: &'a ColumnarFile,
    filters: Vec<Lazy<'a>>,
}

#[derive(Debug)]
struct Lazy<'a> {
    kind: u8,
    /// In the file.
    offset: u64,
    len: u64,
    fields: FieldSet,
    bytes: OnceCell<Option<Octets<'a>>>,
}

impl<'a> BlockMembership<'a> {
    pub(crate) fn new(file: &'a ColumnarFile, block: usize) -> BlockMembership<'a> {
        let start = file.block_offset(block);
        let places = file.index().filters(block).into_iter();
        let filters = places.map(|place| Lazy {
            kind: place.kind,
            offset: start + place.offset,
            len: place.len,
            fields: place.fields,
            bytes: OnceCell::new(),
        });
        BlockMembership { file, filters: filters.collect() }
    }

    /// What is wrong with the filters of the kinds that this version knows.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn damage(&self) -> Result<Vec<Damage>, FileError> {
        let mut damage = Vec::new();
        for filter in self.filters.iter().filter(|filter| filter.kind == FILTER_SPLIT_BLOCK) {
            damage.extend(open_filter(filter.kind, &self.file.bytes(filter.offset, filter.len)?).err());
        }
        Ok(damage)
    }
}

impl Membership for BlockMembership<'_> {
    fn may_contain(&self, field: Field, addr: IpAddr) -> bool {
        let Some(lazy) = self.filters.iter().find(|filter| filter.fields.contains(field)) else {
            return true;
        };
        let bytes = lazy.bytes.get_or_init(|| {
            let bytes = self.file.bytes(lazy.offset, lazy.len).ok()?;
            open_filter(lazy.kind, &bytes).is_ok().then_some(bytes)
        });
        match bytes.as_deref().and_then(|bytes| bytes.split_last_chunk::<CHECKSUM_LEN>()) {
            Some((buckets, _)) => may_contain(buckets.as_chunks().0, addr),
            None => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn addresses(addrs: impl Iterator<Item = IpAddr>) -> Addresses {
        let mut addrs: Vec<IpAddr> = addrs.collect();
        addrs.sort_unstable();
        Addresses::from_sorted(addrs.into_iter())
    }

    fn addr(i: u32) -> IpAddr {
        match i % 3 {
            0 => Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(i)).into(),
            _ => Ipv4Addr::from_bits(0x0a00_0000 + i).into(),
        }
    }

    #[test]
    fn finds_every_member_and_seldom_another() {
        for count in [1, 2, 100, 5_000, 60_000] {
            let mut bytes = Vec::new();
            put_filter(&addresses((0..count).map(addr)), &mut bytes);
            let buckets = open_filter(FILTER_SPLIT_BLOCK, &bytes).unwrap();
            assert!((0..count).all(|i| may_contain(buckets, addr(i))));
            let wrong = (1_000_000..1_100_000).filter(|&i| may_contain(buckets, addr(i))).count();
            assert!(wrong <= 2_000, "{wrong} of 100,000 with {count} members");
            assert!(bytes.len() <= count as usize * 10 / 8 + 64);
        }
    }

    #[test]
    fn a_mapped_address_is_not_the_plain_one() {
        let plain = Ipv4Addr::new(10, 0, 0, 1);
        let mut bytes = Vec::new();
        put_filter(&addresses(std::iter::once(plain.into())), &mut bytes);
        let buckets = open_filter(FILTER_SPLIT_BLOCK, &bytes).unwrap();
        assert!(may_contain(buckets, plain.into()));
        assert!(!may_contain(buckets, plain.to_ipv6_mapped().into()));
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let mut bytes = Vec::new();
        put_filter(&addresses((0..20).map(addr)), &mut bytes);
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(open_filter(FILTER_SPLIT_BLOCK, &bytes).is_err());
        }
        assert!(open_filter(9, &bytes).is_err());
    }
}
