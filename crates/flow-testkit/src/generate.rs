//! Random flows: fast and repeatable from a seed, and as proptest strategies.

use flow_model::{
    BatchBuilder, Column, Dictionary, Field, FieldSet, FlowBatch, Kind, MAX_BATCH_ROWS, Protocol, Selection,
    Value, Values, field_info,
};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// When the generated flows begin: 2023-11-14 22:13:20 UTC, in ms since 1970.
pub const START_MS: u64 = 1_700_000_000_000;

/// A small deterministic generator of numbers (splitmix64): the same seed gives the same numbers everywhere.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// A generator that starts at `seed`.
    pub fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which must not be 0; the slight bias does not matter here.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next_u64() % bound
    }

    /// Whether an event of `percent` probability happens.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of `items`, which must not be empty.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len() as u64) as usize]
    }

    /// A number below `bound` of which small ones are much more likely: what hot addresses and ports look like.
    pub fn skewed(&mut self, bound: u64) -> u64 {
        let wide = self.below(bound) + 1;
        self.below(wide)
    }
}

/// What a generated batch looks like.
#[derive(Clone, Copy, Debug)]
pub struct Mix {
    /// How many distinct hosts the flows are between; few make groups collide.
    pub hosts: u64,
    /// Per cent of flows that are IPv6.
    pub ipv6_percent: u64,
    /// Whether optional groups (AS, VLAN, MAC, MPLS, NAT, latency, strings, ...) occur at all.
    pub rich: bool,
    /// Over how long the flows start, ms.
    pub span_ms: u64,
}

impl Default for Mix {
    /// Few hosts, one flow in four IPv6, all optional groups, five minutes.
    fn default() -> Self {
        Mix { hosts: 24, ipv6_percent: 25, rich: true, span_ms: 300_000 }
    }
}

/// `rows` random flows in plain columns, all fields decoded; at most [`MAX_BATCH_ROWS`].
pub fn batch(seed: u64, rows: usize, mix: Mix) -> FlowBatch {
    let mut rng = Rng::new(seed);
    let mut builder = BatchBuilder::new();
    for _ in 0..rows.min(MAX_BATCH_ROWS) {
        flow(&mut rng, mix, &mut builder);
    }
    builder.finish()
}

/// `rows` random flows as batches of at most `batch_rows`.
pub fn batches(seed: u64, rows: usize, batch_rows: usize, mix: Mix) -> Vec<FlowBatch> {
    let mut rng = Rng::new(seed);
    let mut builder = BatchBuilder::new();
    let mut out = Vec::new();
    for _ in 0..rows {
        flow(&mut rng, mix, &mut builder);
        if builder.len() == batch_rows || builder.is_full() {
            out.push(builder.finish());
        }
    }
    if !builder.is_empty() {
        out.push(builder.finish());
    }
    out
}

/// Appends one random flow as a row of `builder`, which must not be full.
pub fn flow(rng: &mut Rng, mix: Mix, builder: &mut BatchBuilder) {
    times_and_counters(rng, mix, builder);
    let v6 = rng.chance(mix.ipv6_percent);
    let (src, dst) = (rng.skewed(mix.hosts.max(1)), rng.skewed(mix.hosts.max(1)));
    if !mix.rich || rng.chance(97) {
        builder.set_ip(Field::SrcAddr, host(src, v6));
        builder.set_ip(Field::DstAddr, host(dst, v6));
    }
    transport(rng, v6, builder);
    if mix.rich {
        optional_groups(rng, v6, builder);
    }
    builder.finish_row();
}

/// The address of host `number`: `10.0.x.y` or `2001:db8::xxyy`; every seventh lives elsewhere.
pub fn host(number: u64, v6: bool) -> IpAddr {
    let low = number as u16;
    match (v6, number % 7 == 6) {
        (false, false) => Ipv4Addr::from(0x0a00_0000 | u32::from(low)).into(),
        (false, true) => Ipv4Addr::from(0xc0a8_0000 | u32::from(low)).into(),
        (true, false) => Ipv6Addr::from(0x2001_0db8_u128 << 96 | u128::from(low)).into(),
        (true, true) => Ipv6Addr::from(u128::from(low)).into(),
    }
}

fn times_and_counters(rng: &mut Rng, mix: Mix, builder: &mut BatchBuilder) {
    let first = START_MS + rng.below(mix.span_ms.max(1));
    let duration = match rng.below(10) {
        0..3 => 0,
        3..6 => rng.below(1_000),
        6..9 => rng.below(60_000),
        _ => rng.below(3_600_000),
    };
    // Exporters with a broken clock end flows before they begin.
    let last = if rng.chance(1) { first - rng.below(1_000) } else { first + duration };
    builder.set(Field::FirstMs, first);
    builder.set(Field::LastMs, last);
    builder.set(Field::ReceivedMs, last.max(first) + rng.below(1_000));
    let packets = match rng.below(20) {
        0 => 0,
        1..13 => 1 + rng.below(10),
        13..19 => 1 + rng.below(5_000),
        _ => rng.below(1 << 36),
    };
    builder.set(Field::InPackets, packets);
    builder.set(Field::InBytes, packets.saturating_mul(40 + rng.below(1_460)));
    builder.set(Field::NfVersion, rng.pick(&[5, 9, 10]));
    builder.set(Field::ExporterId, 1 + rng.skewed(3));
}

fn transport(rng: &mut Rng, v6: bool, builder: &mut BatchBuilder) {
    const SERVICES: [u64; 8] = [443, 80, 53, 22, 25, 123, 3_389, 8_080];
    let icmp = if v6 { Protocol::ICMP6 } else { Protocol::ICMP };
    let proto = match rng.below(20) {
        0..10 => Protocol::TCP,
        10..16 => Protocol::UDP,
        16..18 => icmp,
        _ => Protocol(rng.pick(&[0, 2, 47, 50, 89, 132, 200, 255])),
    };
    builder.set(Field::Proto, u64::from(proto.0));
    match proto {
        Protocol::TCP | Protocol::UDP => {
            let (service, high) = (rng.pick(&SERVICES), 1_024 + rng.skewed(64_512));
            let (src, dst) = if rng.chance(50) { (high, service) } else { (service, high) };
            builder.set(Field::SrcPort, src);
            builder.set(Field::DstPort, dst);
        }
        icmp if icmp.is_icmp() => {
            builder.set(Field::DstPort, rng.pick(&[0, 3, 8, 11, 134]) << 8 | rng.below(3));
        }
        _ => {}
    }
    if proto == Protocol::TCP {
        builder.set(Field::TcpFlags, rng.pick(&[0x02, 0x10, 0x12, 0x18, 0x1b, 0x14, 0x3f, 0xff, 0x00]));
    }
    if rng.chance(40) {
        builder.set(Field::SrcTos, rng.pick(&[0, 16, 40, 184]));
    }
}

fn optional_groups(rng: &mut Rng, v6: bool, builder: &mut BatchBuilder) {
    let mut numbers = |percent: u64, fields: &[Field], values: &[u64], rng: &mut Rng| {
        if rng.chance(percent) {
            for &field in fields {
                builder.set(field, rng.pick(values));
            }
        }
    };
    numbers(80, &[Field::Input, Field::Output], &[0, 1, 2, 3, 70_000, u64::from(u32::MAX)], rng);
    numbers(60, &[Field::SrcMask, Field::DstMask], &[0, 8, 16, 24, 32, 48, 64], rng);
    numbers(60, &[Field::DstTos, Field::Direction], &[0, 1], rng);
    numbers(50, &[Field::SrcAs, Field::DstAs], &[0, 64_512, 65_001, 15_169, 4_200_000_000], rng);
    numbers(20, &[Field::NextAs, Field::PrevAs], &[0, 1_299, 3_356], rng);
    numbers(30, &[Field::SrcVlan, Field::DstVlan], &[0, 1, 100, 4_094], rng);
    numbers(30, &[Field::OutPackets, Field::OutBytes], &[0, 1, 7, 1_500, 1 << 33], rng);
    numbers(20, &[Field::Flows], &[0, 1, 2, 9], rng);
    numbers(20, &[Field::FwdStatus], &[0, 64, 128, 130], rng);
    numbers(20, &[Field::EngineType, Field::EngineId], &[0, 1, 7], rng);
    numbers(
        10,
        &[Field::InSrcMac, Field::OutDstMac, Field::InDstMac, Field::OutSrcMac],
        &[0, 0x0011_2233_4455, 0xdead_beef_0001],
        rng,
    );
    numbers(10, &[Field::Mpls1, Field::Mpls2], &[0, 1_234 << 4 | 0b1010, 77 << 4 | 1], rng);
    numbers(5, &[Field::Mpls3, Field::Mpls10], &[0, 99 << 4 | 1], rng);
    numbers(
        10,
        &[Field::ClientLatencyUs, Field::ServerLatencyUs, Field::AppLatencyUs],
        &[0, 999, 1_000, 2_500],
        rng,
    );
    numbers(10, &[Field::FwEvent], &[0, 1, 2, 3, 5], rng);
    numbers(5, &[Field::FwXevent], &[1_001, 2_016], rng);
    numbers(5, &[Field::IngressAcl, Field::EgressAcl, Field::IngressAce], &[0, 1, 0x0a0b_0c0d], rng);
    numbers(10, &[Field::NatEvent], &[0, 1, 2], rng);
    numbers(5, &[Field::XlateSrcPort, Field::XlateDstPort], &[0, 443, 40_001], rng);
    numbers(5, &[Field::PblockStart], &[1_024], rng);
    numbers(5, &[Field::PblockEnd], &[2_047], rng);
    numbers(5, &[Field::PblockStep, Field::PblockSize], &[1, 1_024], rng);
    numbers(5, &[Field::IngressVrf, Field::EgressVrf], &[0, 11, 12], rng);
    numbers(5, &[Field::ObservationDomainId, Field::ObservationPointId], &[0, 5], rng);
    numbers(3, &[Field::TunnelProto], &[4, 41, 47], rng);
    for (percent, fields) in [
        (30, &[Field::NextHop][..]),
        (20, &[Field::BgpNextHop]),
        (90, &[Field::RouterAddr]),
        (8, &[Field::XlateSrcAddr, Field::XlateDstAddr]),
        (3, &[Field::TunnelSrcAddr, Field::TunnelDstAddr]),
    ] {
        if rng.chance(percent) {
            for &field in fields {
                let number = rng.below(4);
                builder.set_ip(field, host(number, v6));
            }
        }
    }
    for (percent, field, texts) in [
        (5, Field::UserName, &[&b"alice"[..], b"bob"]),
        (3, Field::AppId, &[b"\x03\0\0\x50", b"\x0d\0\0\x01"]),
        (2, Field::InPayload, &[b"GET / HTTP/1.1\r\n", b"\x16\x03\x01"]),
    ] {
        if rng.chance(percent) {
            builder.set_bytes(field, rng.pick(texts));
        }
    }
}

/// The rows of `batch` in pieces of the given sizes, repeated as often as needed; a size of 0 counts as 1.
pub fn split(batch: &FlowBatch, sizes: &[usize]) -> Vec<FlowBatch> {
    let mut pieces = Vec::new();
    let mut sizes = sizes.iter().copied().cycle();
    let mut first = 0;
    while first < batch.len() {
        let size = sizes.next().unwrap_or(batch.len()).max(1);
        let end = (first + size).min(batch.len());
        let rows = (first as u32..end as u32).collect();
        pieces.push(batch.select(&Selection::from_rows(batch.len(), rows)));
        first = end;
    }
    pieces
}

/// The same flows with every column as a sorted dictionary.
pub fn encode_dictionaries(batch: &FlowBatch) -> FlowBatch {
    encode(batch, |column, kind, len| Column::Dictionary(dictionary(column, kind, len)))
}

/// The same flows with a constant wherever a column has one value, and a dictionary where that saves much:
/// the mixture of representations that a file gives.
pub fn encode_as_file(batch: &FlowBatch) -> FlowBatch {
    encode(batch, |column, kind, len| {
        let coded = dictionary(column, kind, len);
        match coded.values.len() {
            1 => Column::Constant(coded.values.get(0).to_owned()),
            distinct if distinct * 4 <= len => Column::Dictionary(coded),
            _ => column.clone(),
        }
    })
}

fn encode(batch: &FlowBatch, column: impl Fn(&Column, Kind, usize) -> Column) -> FlowBatch {
    let mut out = FlowBatch::new(batch.len());
    if !batch.is_empty() {
        for field in batch.fields().iter() {
            out.insert(field, column(batch.column(field), field_info(field).kind, batch.len()));
        }
    }
    out.mark_decoded(batch.decoded());
    out
}

fn dictionary(column: &Column, kind: Kind, len: usize) -> Dictionary {
    let distinct: BTreeSet<Value> = (0..len).map(|row| column.get(row).to_owned()).collect();
    let sorted: Vec<Value> = distinct.into_iter().collect();
    let mut values = Values::new(kind);
    for value in &sorted {
        values.push(value.as_ref());
    }
    let code = |row| sorted.partition_point(|value| value.as_ref() < column.get(row)) as u16;
    Dictionary { codes: (0..len).map(code).collect(), values }
}

/// Any mixture of flows.
pub fn any_mix() -> impl Strategy<Value = Mix> {
    (1_u64..40, prop_oneof![Just(0_u64), Just(25), Just(100)], any::<bool>(), 1_u64..600_000)
        .prop_map(|(hosts, ipv6_percent, rich, span_ms)| Mix { hosts, ipv6_percent, rich, span_ms })
}

/// Any batch of up to `max_rows` rows in plain columns, all fields decoded.
pub fn any_batch(max_rows: usize) -> impl Strategy<Value = FlowBatch> {
    (any::<u64>(), 0..=max_rows, any_mix()).prop_map(|(seed, rows, mix)| batch(seed, rows, mix))
}

/// Any batch, its columns plain, as dictionaries, or as a file would give them.
pub fn any_encoded_batch(max_rows: usize) -> impl Strategy<Value = FlowBatch> {
    (any_batch(max_rows), 0..3_u8).prop_map(|(batch, form)| match form {
        0 => batch,
        1 => encode_dictionaries(&batch),
        _ => encode_as_file(&batch),
    })
}

/// Sizes for [`split`].
pub fn any_sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..200, 1..5)
}

/// Any set of fields.
pub fn any_fields() -> impl Strategy<Value = FieldSet> {
    prop::collection::vec(prop::sample::select(Field::ALL), 0..12).prop_map(|fields| FieldSet::of(&fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_flows_and_another_gives_others() {
        let flows = batch(1, 500, Mix::default());
        assert_eq!(flows, batch(1, 500, Mix::default()));
        assert_ne!(flows, batch(2, 500, Mix::default()));
        assert_eq!(batches(1, 500, 120, Mix::default()).len(), 5);
    }

    #[test]
    fn every_group_is_absent_somewhere_and_hosts_repeat() {
        let flows = batch(3, 2_000, Mix::default());
        for field in [Field::SrcAs, Field::Input, Field::NextHop, Field::UserName, Field::Mpls1] {
            let distinct: BTreeSet<Value> =
                (0..flows.len()).map(|row| flows.column(field).get(row).to_owned()).collect();
            assert!(distinct.len() > 1, "{field:?}");
        }
        let hosts: BTreeSet<IpAddr> =
            (0..flows.len()).map(|row| flows.column(Field::SrcAddr).ip(row)).collect();
        assert!(hosts.len() <= 49 && hosts.len() > 20);
    }

    proptest! {
        #[test]
        fn every_form_holds_the_same_flows(batch in any_batch(300), sizes in any_sizes()) {
            prop_assert_eq!(&encode_dictionaries(&batch), &batch);
            prop_assert_eq!(&encode_as_file(&batch), &batch);
            let mut builder = BatchBuilder::new();
            for piece in split(&batch, &sizes) {
                builder.append(&piece, &Selection::all(piece.len()));
            }
            prop_assert_eq!(builder.finish(), batch);
        }
    }
}
