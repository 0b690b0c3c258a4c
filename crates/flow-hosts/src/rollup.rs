//! What each own host received and sent over time, in so little space that all of it is read and written at every run.
//!
//! A host has bytes in and out by five minutes for two days, by hour for a month and by day for a year, and with whom and over
//! what it exchanged most of them today and yesterday. A flow's bytes are spread over its duration, all of them, whole bytes; a
//! bin takes what comes late as long as it is kept.

use crate::top::{Service, Top, add};
use flow_model::{Field, FieldSet, FlowBatch, Protocol, Selection};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;

/// So many hosts are told apart; of what more there are it is only known that they are left out.
pub const MAX_HOSTS: usize = 100_000;

/// So many peers, and services, of one host are told apart within one file.
const MAX_TALLIED: usize = 65_536;

/// A longer flow counts in its last second: it would touch every bin there is.
const MAX_SPREAD_S: u64 = 86_400;

/// A host without any flow for so long is forgotten.
const MAX_ABSENCE_S: u64 = 366 * 86_400;

/// Clocks on the wall are so many days apart at most.
const ZONES_APART: u64 = 2;

/// Bytes in and out.
pub type Bytes = [u64; 2];

/// How fine a series is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Five minutes, for two days.
    FiveMinutes,
    /// Hours, for a month.
    Hours,
    /// Days of the local calendar, for a year.
    Days,
}

impl Level {
    pub(crate) const ALL: [Level; 3] = [Level::FiveMinutes, Level::Hours, Level::Days];

    /// Seconds that a bin is long.
    pub fn seconds(self) -> u64 {
        match self {
            Level::FiveMinutes => 300,
            Level::Hours => 3_600,
            Level::Days => 86_400,
        }
    }

    /// Bins that a host has at most.
    pub(crate) fn kept(self) -> u64 {
        match self {
            Level::FiveMinutes => 600,
            Level::Hours => 800,
            Level::Days => 400,
        }
    }
}

/// All own hosts, and which flow files are in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollup {
    /// The end of what can be in it, seconds since 1970. Bins are kept from there backwards.
    pub(crate) newest_s: u64,
    /// Seconds by which the local clock is ahead of UTC.
    pub(crate) ahead_s: i64,
    /// By directory: the name of the last flow file that is in it.
    pub(crate) counted: BTreeMap<String, String>,
    pub(crate) hosts: BTreeMap<IpAddr, Host>,
}

/// What is known about one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Host {
    pub(crate) last_s: u64,
    pub(crate) series: [Series; 3],
    pub(crate) peers: Top<IpAddr>,
    pub(crate) services: Top<Service>,
}

/// Bytes by bin, from the first that has any to the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) first: u64,
    pub(crate) bins: VecDeque<Bytes>,
}

/// The flows of one file, as one worker sees them.
#[derive(Debug)]
pub struct Tally {
    newest_s: u64,
    ahead_s: i64,
    hosts: HashMap<IpAddr, Tallied>,
}

/// What is tallied of one host.
#[derive(Debug, Default)]
struct Tallied {
    last_s: u64,
    series: [Series; 3],
    peers: HashMap<IpAddr, Bytes>,
    services: HashMap<Service, Bytes>,
}

impl Tally {
    /// The fields that it reads.
    pub const FIELDS: FieldSet = FieldSet::of(&[
        Field::FirstMs,
        Field::LastMs,
        Field::SrcAddr,
        Field::DstAddr,
        Field::SrcNetwork,
        Field::DstNetwork,
        Field::SrcPort,
        Field::DstPort,
        Field::Proto,
        Field::InBytes,
        Field::OutBytes,
    ]);

    /// An empty one for flows up to `newest_s`, seconds since 1970, where the local clock is so far ahead of UTC. Later flows come
    /// from clocks that are wrong, and count in no bin.
    pub fn new(newest_s: u64, ahead_s: i64) -> Tally {
        Tally { newest_s, ahead_s, hosts: HashMap::new() }
    }

    /// Adds the own ends of flows.
    pub fn add(&mut self, batch: &FlowBatch, selection: &Selection) {
        if selection.is_empty() {
            return;
        }
        let column = |field| batch.column(field);
        let addrs = [Field::SrcAddr, Field::DstAddr].map(column);
        let networks = [Field::SrcNetwork, Field::DstNetwork].map(column);
        let bytes = [Field::InBytes, Field::OutBytes].map(column);
        let times = [Field::FirstMs, Field::LastMs].map(column);
        let ports = [Field::SrcPort, Field::DstPort].map(column);
        let proto = column(Field::Proto);
        selection.for_each(|row| {
            let [is_src_own, is_dst_own] = networks.map(|network| network.num(row) != 0);
            if !is_src_own && !is_dst_own {
                return;
            }
            let [src, dst] = addrs.map(|addr| addr.ip(row));
            let [forth, back] = bytes.map(|bytes| bytes.num(row));
            let span = times.map(|ms| ms.num(row) / 1_000);
            let service = service(proto.num(row) as u8, ports.map(|port| port.num(row) as u16));
            if is_dst_own {
                self.add_end(dst, src, service, span, [forth, back]);
            }
            if is_src_own {
                self.add_end(src, dst, service, span, [back, forth]);
            }
        });
    }

    fn add_end(&mut self, own: IpAddr, peer: IpAddr, service: Service, span: [u64; 2], bytes: Bytes) {
        if self.hosts.len() >= MAX_HOSTS && !self.hosts.contains_key(&own) {
            return;
        }
        let (newest_s, ahead_s) = (self.newest_s, self.ahead_s);
        let host = self.hosts.entry(own).or_default();
        let [first_s, last_s] = span;
        host.last_s = host.last_s.max(last_s.min(newest_s));
        for (level, series) in Level::ALL.into_iter().zip(&mut host.series) {
            let shift = if level == Level::Days { ahead_s } else { 0 };
            let [first_s, last_s] = [first_s, last_s].map(|s| s.saturating_add_signed(shift));
            let newest = newest_s.saturating_add_signed(shift) / level.seconds();
            spread([first_s, last_s], level.seconds(), bytes, |bin, bytes| {
                series.add(bin, bytes, newest, level.kept());
            });
        }
        tally(&mut host.peers, peer, bytes);
        tally(&mut host.services, service, bytes);
    }

    /// The hosts that have any flow.
    pub fn hosts(&self) -> impl Iterator<Item = IpAddr> {
        self.hosts.keys().copied()
    }

    /// Adds what another worker tallied.
    pub fn merge(&mut self, other: Tally) {
        for (addr, more) in other.hosts {
            if self.hosts.len() >= MAX_HOSTS && !self.hosts.contains_key(&addr) {
                continue;
            }
            let host = self.hosts.entry(addr).or_default();
            host.last_s = host.last_s.max(more.last_s);
            merge_series(&mut host.series, &more.series, self.newest_s, self.ahead_s);
            more.peers.into_iter().for_each(|(peer, bytes)| tally(&mut host.peers, peer, bytes));
            more.services.into_iter().for_each(|(service, bytes)| tally(&mut host.services, service, bytes));
        }
    }
}

impl Rollup {
    /// Whether a flow file is in it: one that is called as the last of its directory, or stands before it.
    pub fn has(&self, directory: &str, name: &str) -> bool {
        self.counted.get(directory).is_some_and(|last| name <= last.as_str())
    }

    /// Adds the flows of the next file of a directory, and forgets what is too old.
    pub fn add(&mut self, directory: &str, name: &str, tally: Tally) {
        self.newest_s = self.newest_s.max(tally.newest_s);
        self.ahead_s = tally.ahead_s;
        let today = self.newest_s.saturating_add_signed(self.ahead_s) / Level::Days.seconds();
        for (addr, tallied) in tally.hosts {
            if self.hosts.len() >= MAX_HOSTS && !self.hosts.contains_key(&addr) {
                continue;
            }
            let host = self.hosts.entry(addr).or_default();
            host.last_s = host.last_s.max(tallied.last_s);
            merge_series(&mut host.series, &tallied.series, self.newest_s, self.ahead_s);
            host.peers.add(today, tallied.peers.into_iter());
            host.services.add(today, tallied.services.into_iter());
        }
        let newest_s = self.newest_s;
        self.hosts.retain(|_, host| host.last_s.saturating_add(MAX_ABSENCE_S) > newest_s);
        for host in self.hosts.values_mut() {
            for (level, series) in Level::ALL.into_iter().zip(&mut host.series) {
                series.forget(newest(newest_s, self.ahead_s, level), level.kept());
            }
        }
        self.counted.insert(directory.to_owned(), name.to_owned());
    }

    /// The end of the newest file, seconds since 1970; 0 without any.
    pub fn newest_s(&self) -> u64 {
        self.newest_s
    }

    /// The hosts, by address.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = (IpAddr, &Host)> {
        self.hosts.iter().map(|(addr, host)| (*addr, host))
    }

    /// The last `count` bins of a host up to the newest, and the number of the first; a bin is its seconds since 1970, of days on
    /// the local clock, by the length of a bin.
    pub fn bins(&self, host: &Host, level: Level, count: u64) -> (u64, Vec<Bytes>) {
        let newest = newest(self.newest_s, self.ahead_s, level);
        let first = (newest + 1).saturating_sub(count.min(level.kept()));
        let series = &host.series[level as usize];
        let bin = |number: u64| {
            let place = number.checked_sub(series.first).and_then(|place| usize::try_from(place).ok());
            place.and_then(|place| series.bins.get(place)).copied().unwrap_or_default()
        };
        (first, (first..=newest).map(bin).collect())
    }
}

impl Host {
    /// When its last flow ended, seconds since 1970.
    pub fn last_s(&self) -> u64 {
        self.last_s
    }

    /// Whether no bin is of a time behind this, whatever the zone.
    pub(crate) fn ends_by(&self, newest_s: u64) -> bool {
        let newest = |level: Level| newest_s / level.seconds() + ZONES_APART;
        let ends = |series: &Series| series.first + series.bins.len() as u64;
        Level::ALL.into_iter().zip(&self.series).all(|(level, series)| ends(series) <= newest(level) + 1)
    }

    /// With whom it exchanged most today, or yesterday while there is nothing yet.
    pub fn peers(&self) -> &[(IpAddr, Bytes)] {
        self.peers.shown()
    }

    /// By which services.
    pub fn services(&self) -> &[(Service, Bytes)] {
        self.services.shown()
    }
}

impl Series {
    fn add(&mut self, bin: u64, bytes: Bytes, newest: u64, kept: u64) {
        if bin > newest || bin + kept <= newest || bytes == [0, 0] {
            return;
        }
        if self.bins.is_empty() {
            self.first = bin;
        }
        while bin < self.first {
            self.bins.push_front([0, 0]);
            self.first -= 1;
        }
        let place = (bin - self.first) as usize;
        if place >= self.bins.len() {
            self.bins.resize(place + 1, [0, 0]);
        }
        add(&mut self.bins[place], bytes);
    }

    /// Drops the bins that are no longer kept.
    fn forget(&mut self, newest: u64, kept: u64) {
        let oldest = (newest + 1).saturating_sub(kept);
        while self.first < oldest && self.bins.pop_front().is_some() {
            self.first += 1;
        }
    }
}

fn newest(newest_s: u64, ahead_s: i64, level: Level) -> u64 {
    let shift = if level == Level::Days { ahead_s } else { 0 };
    newest_s.saturating_add_signed(shift) / level.seconds()
}

fn merge_series(into: &mut [Series; 3], more: &[Series; 3], newest_s: u64, ahead_s: i64) {
    for ((level, into), more) in Level::ALL.into_iter().zip(into).zip(more) {
        let newest = newest(newest_s, ahead_s, level);
        into.forget(newest, level.kept());
        for (bin, &bytes) in (more.first..).zip(&more.bins) {
            into.add(bin, bytes, newest, level.kept());
        }
    }
}

fn tally<K: Eq + std::hash::Hash>(sums: &mut HashMap<K, Bytes>, key: K, bytes: Bytes) {
    if sums.len() < MAX_TALLIED || sums.contains_key(&key) {
        add(sums.entry(key).or_default(), bytes);
    }
}

/// Shares bytes out to the bins that a flow touches, in proportion to the seconds that it spends in each.
fn spread([first_s, last_s]: [u64; 2], len_s: u64, bytes: Bytes, mut add: impl FnMut(u64, Bytes)) {
    let seconds = last_s.saturating_sub(first_s);
    if seconds > MAX_SPREAD_S || first_s / len_s >= last_s / len_s {
        return add(last_s / len_s, bytes);
    }
    // Of the last second, too, there is something.
    let whole = u128::from(seconds + 1);
    let up_to =
        |end_s: u64| bytes.map(|bytes| (u128::from(bytes) * u128::from(end_s - first_s) / whole) as u64);
    let mut before = [0, 0];
    for bin in first_s / len_s..=last_s / len_s {
        let so_far = up_to(((bin + 1) * len_s).min(last_s + 1));
        add(bin, [so_far[0] - before[0], so_far[1] - before[1]]);
        before = so_far;
    }
}

/// The side with the smaller port serves.
fn service(proto: u8, [src, dst]: [u16; 2]) -> Service {
    let has_ports = matches!(Protocol(proto), Protocol::TCP | Protocol::UDP);
    Service { proto, port: if has_ports { src.min(dst) } else { 0 } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::BatchBuilder;
    use proptest::prelude::*;

    const NOON: u64 = 1_700_049_600;

    /// Own (network 1) and other ends, span in seconds, bytes both ways.
    type Flow = (u8, u8, [u64; 2], Bytes);

    fn addr(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    /// Addresses up to 9 are own.
    fn batch(flows: &[Flow]) -> FlowBatch {
        let mut builder = BatchBuilder::new();
        for &(src, dst, [first_s, last_s], [forth, back]) in flows {
            builder.set_ip(Field::SrcAddr, addr(src));
            builder.set_ip(Field::DstAddr, addr(dst));
            for (field, num) in [
                (Field::FirstMs, first_s * 1_000),
                (Field::LastMs, last_s * 1_000),
                (Field::SrcNetwork, u64::from(src < 10)),
                (Field::DstNetwork, u64::from(dst < 10)),
                (Field::SrcPort, 50_000),
                (Field::DstPort, 443),
                (Field::Proto, 6),
                (Field::InBytes, forth),
                (Field::OutBytes, back),
            ] {
                builder.set(field, num);
            }
            builder.finish_row();
        }
        builder.finish()
    }

    fn tallied(flows: &[Flow], newest_s: u64) -> Tally {
        let mut tally = Tally::new(newest_s, 3_600);
        tally.add(&batch(flows), &Selection::all(flows.len()));
        tally
    }

    fn sum(bins: &[Bytes]) -> Bytes {
        bins.iter().fold([0, 0], |mut sum, &bytes| {
            add(&mut sum, bytes);
            sum
        })
    }

    #[test]
    fn an_internal_flow_counts_at_both_ends() {
        let mut rollup = Rollup::default();
        rollup.add("d", "nfcapd.1", tallied(&[(1, 2, [NOON, NOON], [100, 7])], NOON + 10));
        let host = |number| rollup.hosts().find(|(known, _)| *known == addr(number)).unwrap().1;
        assert_eq!(rollup.bins(host(1), Level::FiveMinutes, 1).1, [[7, 100]]);
        assert_eq!(rollup.bins(host(2), Level::Hours, 1).1, [[100, 7]]);
        assert_eq!(host(1).peers(), [(addr(2), [7, 100])]);
        assert_eq!(host(1).services(), [(Service { proto: 6, port: 443 }, [7, 100])]);
        assert!(rollup.has("d", "nfcapd.0") && rollup.has("d", "nfcapd.1"));
        assert!(!rollup.has("d", "nfcapd.2") && !rollup.has("e", "nfcapd.0"));
    }

    #[test]
    fn late_flows_go_where_they_belong_and_old_bins_go_away() {
        let mut rollup = Rollup::default();
        rollup.add("d", "1", tallied(&[(20, 1, [NOON, NOON], [5, 0])], NOON));
        let later = NOON + 3 * 86_400;
        let late = NOON + 3 * 86_400 - 1_800;
        rollup.add("d", "2", tallied(&[(20, 1, [late, late], [9, 0])], later));
        let host = &rollup.hosts[&addr(1)];
        let (first, bins) = rollup.bins(host, Level::FiveMinutes, 600);
        assert_eq!((bins.len(), sum(&bins)), (600, [9, 0]));
        assert_eq!(bins[(late / 300 - first) as usize], [9, 0]);
        assert_eq!(sum(&rollup.bins(host, Level::Hours, 800).1), [14, 0]);
        rollup.add("d", "3", tallied(&[], later + 400 * 86_400));
        assert_eq!(rollup.hosts().len(), 0);
    }

    #[test]
    fn a_day_is_one_of_the_local_calendar() {
        let midnight = NOON - 12 * 3_600 - 3_600;
        let mut rollup = Rollup::default();
        let flows = [(20, 1, [midnight - 1; 2], [1, 0]), (20, 1, [midnight; 2], [2, 0])];
        rollup.add("d", "1", tallied(&flows, NOON));
        let (_, bins) = rollup.bins(&rollup.hosts[&addr(1)], Level::Days, 2);
        assert_eq!(bins, [[1, 0], [2, 0]]);
    }

    proptest! {
        #[test]
        fn every_byte_of_every_flow_is_somewhere(
            flows in prop::collection::vec(
                (0_u8..20, 0_u8..20, 0_u64..40_000, 0_u64..100_000, any::<u32>(), any::<u32>()),
                0..40,
            ),
            at in 0_usize..40,
        ) {
            let flows: Vec<Flow> = flows
                .into_iter()
                .map(|(src, dst, ago, len, forth, back)| {
                    let last_s = NOON - ago;
                    (src, dst, [last_s - len.min(last_s), last_s], [forth.into(), back.into()])
                })
                .collect();
            let (left, right) = flows.split_at(at.min(flows.len()));
            let mut one = tallied(left, NOON);
            one.merge(tallied(right, NOON));
            let mut rollup = Rollup::default();
            rollup.add("d", "1", one);
            let mut whole = Rollup::default();
            whole.add("d", "1", tallied(&flows, NOON));
            prop_assert_eq!(&rollup, &whole, "workers make no difference");
            let mut expected: BTreeMap<IpAddr, Bytes> = BTreeMap::new();
            for &(src, dst, _, [forth, back]) in &flows {
                if dst < 10 {
                    add(expected.entry(addr(dst)).or_default(), [forth, back]);
                }
                if src < 10 {
                    add(expected.entry(addr(src)).or_default(), [back, forth]);
                }
            }
            prop_assert!(rollup.hosts().map(|(addr, _)| addr).eq(expected.keys().copied()));
            for (addr, host) in rollup.hosts() {
                for level in Level::ALL {
                    prop_assert_eq!(sum(&rollup.bins(host, level, level.kept()).1), expected[&addr]);
                }
            }
        }
    }
}
