//! A roll-up as octets.
//!
//! | octets | content |
//! |---|---|
//! | 8 | `FLOWHOST` |
//! | 4 | version, little-endian: 1 |
//! | 8 | length of the rest once it is decompressed |
//! | 8 | XXH3 of the rest as it stands |
//! | ... | the rest, an LZ4 block of numbers of seven bits an octet, the lowest first, bit 7 set but for the last octet |
//!
//! The rest: newest second, seconds ahead of UTC plus 2^20; directories with their last files; hosts: address, last second, of each
//! level the first bin and bytes in and out of each, of peers and services the day and those of both days.

use crate::rollup::{Bytes, Host, Level, MAX_HOSTS, Rollup, Series};
use crate::top::{KEPT, Service, Top};
use std::collections::VecDeque;
use std::net::IpAddr;
use twox_hash::XxHash3_64;

const MAGIC: &[u8; 8] = b"FLOWHOST";
const VERSION: u32 = 1;
const HEADER: usize = 28;

/// The longest roll-up: that of [`MAX_HOSTS`] hosts of which every bin and every peer needs all the room it can.
const MAX_LEN: u64 = 8 << 30;

/// LZ4 makes at most 255 octets of one.
const MAX_RATIO: u64 = 255;

/// Names of directories and files are no longer.
const MAX_NAME: u64 = 1 << 16;

const MAX_DIRECTORIES: u64 = 1 << 16;

/// Brings seconds ahead of UTC above zero.
const AHEAD: i64 = 1 << 20;

/// Why a roll-up cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RollupError {
    /// It is something else.
    #[error("not a roll-up of hosts")]
    Foreign,
    /// Another release wrote it.
    #[error("a roll-up of version {0}, only version {VERSION} is known")]
    Version(u32),
    /// Its octets are not those that were written.
    #[error("damaged")]
    Damaged,
}

impl Rollup {
    /// Appends it to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut rest = Vec::new();
        put(&mut rest, self.newest_s);
        put(&mut rest, self.ahead_s.clamp(1 - AHEAD, AHEAD).saturating_add(AHEAD) as u64);
        put(&mut rest, self.counted.len() as u64);
        for (directory, name) in &self.counted {
            put_text(&mut rest, directory);
            put_text(&mut rest, name);
        }
        put(&mut rest, self.hosts.len() as u64);
        for (addr, host) in &self.hosts {
            put_addr(&mut rest, *addr);
            put(&mut rest, host.last_s);
            for series in &host.series {
                put(&mut rest, series.first);
                put(&mut rest, series.bins.len() as u64);
                series.bins.iter().for_each(|&bytes| put_bytes(&mut rest, bytes));
            }
            put_top(&mut rest, &host.peers, |out, addr| put_addr(out, *addr));
            put_top(&mut rest, &host.services, |out, service| {
                put(out, u64::from(service.proto) << 16 | u64::from(service.port));
            });
        }
        let packed = lz4_flex::block::compress(&rest);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(rest.len() as u64).to_le_bytes());
        out.extend_from_slice(&checksum(&packed).to_le_bytes());
        out.extend_from_slice(&packed);
    }

    /// Reads what was written.
    ///
    /// # Errors
    /// When it is anything else.
    pub fn read(octets: &[u8]) -> Result<Rollup, RollupError> {
        let (header, packed) = octets.split_at_checked(HEADER).ok_or(RollupError::Foreign)?;
        let (magic, header) = header.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(RollupError::Foreign);
        }
        let (version, header) = header.split_first_chunk().ok_or(RollupError::Foreign)?;
        let version = u32::from_le_bytes(*version);
        if version != VERSION {
            return Err(RollupError::Version(version));
        }
        let (len, header) = header.split_first_chunk().ok_or(RollupError::Foreign)?;
        let len = u64::from_le_bytes(*len);
        let sum = header.first_chunk().map(|sum| u64::from_le_bytes(*sum));
        if sum != Some(checksum(packed)) || len > MAX_LEN || len / MAX_RATIO > packed.len() as u64 {
            return Err(RollupError::Damaged);
        }
        let rest = lz4_flex::block::decompress(packed, len as usize).map_err(|_| RollupError::Damaged)?;
        let mut reader = Reader(&rest);
        reader.rollup().filter(|_| reader.0.is_empty()).ok_or(RollupError::Damaged)
    }
}

fn checksum(octets: &[u8]) -> u64 {
    XxHash3_64::oneshot(octets)
}

fn put(out: &mut Vec<u8>, mut num: u64) {
    while num > 0x7f {
        out.push(num as u8 | 0x80);
        num >>= 7;
    }
    out.push(num as u8);
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    put(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: Bytes) {
    for num in bytes {
        put(out, num);
    }
}

fn put_addr(out: &mut Vec<u8>, addr: IpAddr) {
    match addr {
        IpAddr::V4(addr) => {
            out.push(4);
            out.extend_from_slice(&addr.octets());
        }
        IpAddr::V6(addr) => {
            out.push(6);
            out.extend_from_slice(&addr.octets());
        }
    }
}

fn put_top<K>(out: &mut Vec<u8>, top: &Top<K>, put_key: impl Fn(&mut Vec<u8>, &K)) {
    put(out, top.day);
    for entries in [&top.today, &top.yesterday] {
        put(out, entries.len() as u64);
        for (key, bytes) in entries {
            put_key(out, key);
            put_bytes(out, *bytes);
        }
    }
}

/// What is left to read. Whatever is missing, or larger than it can be, is `None`.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn rollup(&mut self) -> Option<Rollup> {
        let newest_s = self.num()?;
        let ahead_s = i64::try_from(self.up_to(2 * AHEAD as u64)?).ok()? - AHEAD;
        let mut rollup = Rollup { newest_s, ahead_s, ..Rollup::default() };
        for _ in 0..self.up_to(MAX_DIRECTORIES)? {
            let directory = self.text()?;
            rollup.counted.insert(directory, self.text()?);
        }
        for _ in 0..self.up_to(MAX_HOSTS as u64)? {
            let addr = self.addr()?;
            let host = self.host()?;
            // Every bin up to those that come next is filled one day.
            if !host.ends_by(newest_s) {
                return None;
            }
            rollup.hosts.insert(addr, host);
        }
        Some(rollup)
    }

    fn host(&mut self) -> Option<Host> {
        let mut host = Host { last_s: self.num()?, ..Host::default() };
        for (level, series) in Level::ALL.into_iter().zip(&mut host.series) {
            // Bins are numbered with seconds, whose sums cannot overflow.
            let first = self.up_to(u64::from(u32::MAX) << 8)?;
            let bins =
                (0..self.up_to(level.kept())?).map(|_| self.bytes()).collect::<Option<VecDeque<_>>>()?;
            *series = Series { first, bins };
        }
        host.peers = self.top(Reader::addr)?;
        host.services = self.top(|reader| {
            let num = reader.up_to(0xff_ffff)?;
            Some(Service { proto: (num >> 16) as u8, port: num as u16 })
        })?;
        Some(host)
    }

    fn top<K>(&mut self, key: impl Fn(&mut Self) -> Option<K>) -> Option<Top<K>> {
        let day = self.up_to(u64::MAX - 1)?;
        let mut entries = || -> Option<Vec<(K, Bytes)>> {
            let len = self.up_to(KEPT as u64)?;
            (0..len).map(|_| Some((key(self)?, self.bytes()?))).collect()
        };
        Some(Top { day, today: entries()?, yesterday: entries()? })
    }

    fn addr(&mut self) -> Option<IpAddr> {
        match self.take(1)? {
            [4] => Some(IpAddr::from(*self.take(4)?.first_chunk::<4>()?)),
            [6] => Some(IpAddr::from(*self.take(16)?.first_chunk::<16>()?)),
            _ => None,
        }
    }

    fn bytes(&mut self) -> Option<Bytes> {
        Some([self.num()?, self.num()?])
    }

    fn text(&mut self) -> Option<String> {
        let len = self.up_to(MAX_NAME)?;
        String::from_utf8(self.take(len as usize)?.to_vec()).ok()
    }

    fn up_to(&mut self, most: u64) -> Option<u64> {
        self.num().filter(|num| *num <= most)
    }

    fn num(&mut self) -> Option<u64> {
        let mut num = 0_u64;
        for shift in (0..64).step_by(7) {
            let octet = self.take(1)?[0];
            let bits = u64::from(octet & 0x7f);
            num |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
            if octet & 0x80 == 0 {
                return Some(num);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_top<K: Clone + std::fmt::Debug + 'static>(
        key: impl Strategy<Value = K> + Clone + 'static,
    ) -> impl Strategy<Value = Top<K>> {
        let entries = prop::collection::vec((key, any::<Bytes>()), 0..5);
        (0..u64::MAX, entries.clone(), entries).prop_map(|(day, today, yesterday)| Top {
            day,
            today,
            yesterday,
        })
    }

    fn any_rollup() -> impl Strategy<Value = Rollup> {
        let series = (0_u64..1_000, prop::collection::vec_deque(any::<Bytes>(), 0..20))
            .prop_map(|(ago, bins)| Series { first: ago, bins });
        let service = (any::<u8>(), any::<u16>()).prop_map(|(proto, port)| Service { proto, port });
        let host = (any::<u64>(), prop::array::uniform3(series), any_top(any::<IpAddr>()), any_top(service))
            .prop_map(|(last_s, series, peers, services)| Host { last_s, series, peers, services });
        (
            1_u64 << 30..1 << 40,
            -90_000_i64..90_000,
            prop::collection::btree_map(".{0,20}", ".{0,20}", 0..4),
            prop::collection::btree_map(any::<IpAddr>(), host, 0..6),
        )
            .prop_map(|(newest_s, ahead_s, counted, mut hosts)| {
                for host in hosts.values_mut() {
                    for (level, series) in Level::ALL.into_iter().zip(&mut host.series) {
                        series.first = newest_s / level.seconds() - series.first - series.bins.len() as u64;
                    }
                }
                Rollup { newest_s, ahead_s, counted, hosts }
            })
    }

    fn octets(rollup: &Rollup) -> Vec<u8> {
        let mut octets = Vec::new();
        rollup.write(&mut octets);
        octets
    }

    /// The same with a header that agrees with what stands behind it.
    fn packed(rest: &[u8]) -> Vec<u8> {
        let packed = lz4_flex::block::compress(rest);
        let len = (rest.len() as u64).to_le_bytes();
        [&MAGIC[..], &VERSION.to_le_bytes(), &len, &checksum(&packed).to_le_bytes(), &packed].concat()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rollup in any_rollup()) {
            prop_assert_eq!(Rollup::read(&octets(&rollup)), Ok(rollup));
        }

        #[test]
        fn damage_is_noticed(rollup in any_rollup(), at: prop::sample::Index, bit in 0..8_u32) {
            let mut octets = octets(&rollup);
            let at = at.index(octets.len());
            prop_assert!(Rollup::read(&octets[..at]).is_err());
            octets[at] ^= 1_u8 << bit;
            // A wrong length alone may still be long enough for what stands there.
            prop_assert!(Rollup::read(&octets).is_err() || (12..20).contains(&at));
        }

        #[test]
        fn whatever_stands_behind_a_right_checksum_is_read_or_refused(rest in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Rollup::read(&packed(&rest));
        }
    }

    #[test]
    fn what_is_something_else_is_said() {
        let mut octets = octets(&Rollup::default());
        octets[8] = 2;
        assert_eq!(
            Rollup::read(&octets).unwrap_err().to_string(),
            "a roll-up of version 2, only version 1 is known"
        );
        octets[0] = b'f';
        assert_eq!(Rollup::read(&octets), Err(RollupError::Foreign));
        assert_eq!(Rollup::read(b""), Err(RollupError::Foreign));
        let far = Series { first: 1 << 40, bins: [[1, 1]].into() };
        let host = Host { series: [far, Series::default(), Series::default()], ..Host::default() };
        let rollup = Rollup { hosts: [(IpAddr::from([10, 0, 0, 1]), host)].into(), ..Rollup::default() };
        let mut ahead = Vec::new();
        rollup.write(&mut ahead);
        assert_eq!(Rollup::read(&ahead), Err(RollupError::Damaged), "bins of a time to come");
        let mut long = packed(&[0, 0, 0, 0]);
        long[12..20].copy_from_slice(&(1_u64 << 40).to_le_bytes());
        assert_eq!(Rollup::read(&long), Err(RollupError::Damaged));
    }

    #[test]
    fn a_host_stays_below_its_budget() {
        let bins = |level: Level| (0..level.kept()).map(|_| [1 << 40, 1 << 41]).collect();
        let top = |number: u32| (IpAddr::from(number.to_be_bytes()), [1 << 40, 1 << 41]);
        let peers =
            Top { day: 20_000, today: (0..32).map(top).collect(), yesterday: (0..32).map(top).collect() };
        let service = |port| (Service { proto: 6, port }, [1 << 40, 1 << 41]);
        let services = Top {
            day: 20_000,
            today: (0..32).map(service).collect(),
            yesterday: (0..32).map(service).collect(),
        };
        let series = Level::ALL.map(|level| Series { first: 5_666_000, bins: bins(level) });
        let host = Host { last_s: 1_700_000_000, series, peers, services };
        let mut rest = Vec::new();
        let rollup = Rollup { hosts: [(IpAddr::from([10, 0, 0, 1]), host)].into(), ..Rollup::default() };
        rollup.write(&mut rest);
        // 10,000 hosts below 400 MB: 40,000 octets each, before compression.
        let len = u64::from_le_bytes(*rest[12..].first_chunk().unwrap());
        assert!(len < 40_000, "{len}");
    }
}
