//! The engine against the naive one: same answers for every split, representation and number of threads.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use flow_filter::{Filter, ParseOptions};
use flow_model::{
    BatchBuilder, Before, Column, CountRule, Counters, Field, FieldSet, FlowBatch, Kind, Order, Selection,
    Totals, Value, ValueRef, Values, statistic_by_name,
};
use flow_query::{
    Aggregate, Bound, Bounds, Direction, KeyPart, Listing, MemorySource, Query, QueryError, Ranking, Sort,
    StatSpec, Statistics, TimeWindow, list_on, run_on,
};
use flow_testkit::generate::{
    Mix, START_MS, any_batch, any_mix, any_sizes, batch, batches, encode_as_file, encode_dictionaries, split,
};
use flow_testkit::naive;
use proptest::prelude::*;
use std::collections::HashMap;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

type Matches = fn(&FlowBatch, usize) -> bool;

/// Filters, and what they mean.
const FILTERS: &[(&str, Matches)] = &[
    ("", |_, _| true),
    ("proto tcp", |batch, row| batch.column(Field::Proto).num(row) == 6),
    ("not proto udp", |batch, row| batch.column(Field::Proto).num(row) != 17),
    ("dst port 443 and bytes > 1000", |batch, row| {
        batch.column(Field::DstPort).num(row) == 443 && batch.column(Field::InBytes).num(row) > 1_000
    }),
    ("src net 10.0.0.0/8 or dst as 65001", |batch, row| {
        let from_ten =
            matches!(batch.column(Field::SrcAddr).ip(row), IpAddr::V4(addr) if addr.octets()[0] == 10);
        from_ten || batch.column(Field::DstAs).num(row) == 65_001
    }),
    ("host 2001:db8::1", |batch, row| {
        let host: IpAddr = "2001:db8::1".parse().unwrap();
        batch.column(Field::SrcAddr).ip(row) == host || batch.column(Field::DstAddr).ip(row) == host
    }),
];

const ORDERS: &[Order] = &[
    Order::Flows,
    Order::Packets,
    Order::OutPackets,
    Order::Bytes,
    Order::InBytes,
    Order::OutBytes,
    Order::Pps,
    Order::Bps,
    Order::Bpp,
    Order::Start,
    Order::End,
    Order::Duration,
];

/// How flows are asked about, and how they are cut up.
#[derive(Clone, Debug)]
struct Case {
    flows: FlowBatch,
    filter: usize,
    window: Option<TimeWindow>,
    limit: Option<u64>,
    /// Rows of a block, in turn.
    sizes: Vec<usize>,
    /// Blocks of a source.
    blocks: usize,
    form: u8,
    threads: usize,
    max_memory: Option<u64>,
}

fn any_case() -> impl Strategy<Value = Case> {
    let window = prop::option::weighted(0.4, (0_u64..300_000, 0_u64..600_000)).prop_map(|window| {
        window.map(|(start, len)| TimeWindow { first_ms: START_MS + start, last_ms: START_MS + start + len })
    });
    (
        any_batch(400),
        prop_oneof![2 => Just(0), 3 => 0..FILTERS.len()],
        window,
        prop::option::weighted(0.3, 0_u64..120),
        any_sizes(),
        1_usize..5,
        0..3_u8,
        1_usize..5,
        prop_oneof![4 => Just(None), 1 => Just(Some(1)), 1 => (500_000_u64..2_000_000).prop_map(Some)],
    )
        .prop_map(|(flows, filter, window, limit, sizes, blocks, form, threads, max_memory)| Case {
            flows,
            filter,
            window,
            limit,
            sizes,
            blocks,
            form,
            threads,
            max_memory,
        })
}

impl Case {
    fn query(&self) -> Query {
        let filter = Filter::parse(FILTERS[self.filter].0, &ParseOptions::default()).unwrap();
        Query {
            window: self.window,
            limit: self.limit,
            threads: self.threads,
            max_memory: self.max_memory,
            ..Query::new(filter)
        }
    }

    fn sources(&self) -> Vec<MemorySource> {
        let encode = |batch: &FlowBatch| match self.form {
            0 => batch.clone(),
            1 => encode_dictionaries(batch),
            _ => encode_as_file(batch),
        };
        let pieces: Vec<FlowBatch> = split(&self.flows, &self.sizes).iter().map(encode).collect();
        pieces.chunks(self.blocks).map(|blocks| MemorySource::new(blocks.to_vec())).collect()
    }

    /// The rows that match.
    fn matched(&self) -> Vec<usize> {
        let num = |field, row| self.flows.column(field).num(row);
        (0..self.flows.len())
            .filter(|&row| FILTERS[self.filter].1(&self.flows, row))
            .filter(|&row| {
                self.window.is_none_or(|window| {
                    num(Field::FirstMs, row) >= window.first_ms && num(Field::LastMs, row) <= window.last_ms
                })
            })
            .take(self.limit.map_or(usize::MAX, |limit| limit as usize))
            .collect()
    }

    fn expected(&self) -> FlowBatch {
        let rows = self.matched().into_iter().map(|row| row as u32).collect();
        self.flows.select(&Selection::from_rows(self.flows.len(), rows))
    }
}

/// Values of a row of some batches.
fn row(batches: &[FlowBatch], mut number: usize, fields: &[Field]) -> Vec<Value> {
    let mut batches = batches.iter();
    loop {
        let batch = batches.next().expect("the row exists");
        if number < batch.len() {
            return fields.iter().map(|&field| batch.column(field).get(number).to_owned()).collect();
        }
        number -= batch.len();
    }
}

/// All rows of a listing.
fn all(listing: Listing) -> Vec<FlowBatch> {
    let rows = listing.len();
    let batches: Vec<FlowBatch> = listing.collect::<Result<_, _>>().unwrap();
    assert_eq!(len(&batches) as u64, rows);
    batches
}

fn all_of(listings: Vec<Listing>) -> Vec<Vec<FlowBatch>> {
    listings.into_iter().map(all).collect()
}

fn len(batches: &[FlowBatch]) -> usize {
    batches.iter().map(FlowBatch::len).sum()
}

const COUNTERS: [Field; 7] = [
    Field::FirstMs,
    Field::LastMs,
    Field::Flows,
    Field::InPackets,
    Field::InBytes,
    Field::OutPackets,
    Field::OutBytes,
];

fn counters(group: &naive::Group) -> Vec<Value> {
    let c = &group.counters;
    [c.first_ms, c.last_ms, c.flows, c.in_packets, c.in_bytes, c.out_packets, c.out_bytes]
        .into_iter()
        .map(Value::Num)
        .collect()
}

fn any_bounds() -> impl Strategy<Value = Bounds> {
    let bound = |most: u64| {
        prop::option::weighted(0.3, (any::<bool>(), 0..most)).prop_map(|bound| {
            bound.map(|(above, num)| if above { Bound::Above(num) } else { Bound::Below(num) })
        })
    };
    (bound(2_000), bound(2_000_000)).prop_map(|(packets, bytes)| Bounds { packets, bytes })
}

fn is_within(bounds: &Bounds, order: Order, counters: &Counters) -> bool {
    let (packets, bytes) = counters.of(order.side());
    let is_within = |bound: &Option<Bound>, num: u64| match *bound {
        None => true,
        Some(Bound::Above(least)) => num > least,
        Some(Bound::Below(most)) => num < most,
    };
    is_within(&bounds.packets, packets) && is_within(&bounds.bytes, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_report_counts_what_matched(case in any_case()) {
        let ((), report) = run_on(&case.sources(), &case.query(), &()).unwrap();
        let matched = case.matched();
        let expected = case.expected();
        let mut totals = Totals::default();
        totals.add(&expected, &Selection::all(expected.len()), CountRule::Written);
        prop_assert_eq!(report.totals, totals);
        prop_assert_eq!(report.passed, matched.len() as u64);
        let processed = match case.limit {
            Some(0) => report.processed as usize,
            Some(limit) if matched.len() == limit as usize => matched.last().unwrap() + 1,
            _ => case.flows.len(),
        };
        prop_assert_eq!(report.processed as usize, processed);
        prop_assert_eq!(report.files, case.sources().len());
    }

    #[test]
    fn listing_gives_every_match_in_order_and_numbers_them(case in any_case()) {
        let mut listed: Vec<(u64, FlowBatch)> = Vec::new();
        let mut emit = |piece| {
            listed.push(piece);
            ControlFlow::Continue(())
        };
        let format = |batch: &FlowBatch, selection: &Selection, before: Before| {
            (before.selected, batch.select(selection))
        };
        let report = list_on(&case.sources(), &case.query(), FieldSet::ALL, &mut emit, &format).unwrap();
        let mut builder = BatchBuilder::new();
        for (number, piece) in listed {
            prop_assert_eq!(number, builder.len() as u64);
            builder.append(&piece, &Selection::all(piece.len()));
        }
        prop_assert_eq!(report.passed, builder.len() as u64);
        prop_assert_eq!(builder.finish(), case.expected());
    }

    #[test]
    fn sorting_orders_whole_rows(case in any_case(), order in prop::sample::select(ORDERS), ascending: bool, top in 0_usize..60) {
        let sort = Sort { order, ascending, top, columns: FieldSet::ALL };
        let sorted = all(run_on(&case.sources(), &case.query(), &sort).unwrap().0);
        let matched = [case.expected()];
        let mut expected = naive::sort_rows(&matched, order, ascending);
        if top != 0 {
            expected.truncate(top);
        }
        prop_assert_eq!(len(&sorted), expected.len());
        for (place, &number) in expected.iter().enumerate() {
            prop_assert_eq!(row(&sorted, place, Field::ALL), row(&matched, number as usize, Field::ALL));
        }
    }

    #[test]
    fn statistics_add_up_by_value(
        case in any_case(),
        name in prop::sample::select(&["srcip", "ip", "port", "proto", "srcas", "opid", "nbar", "dstport", "nhip", "insrcmac"][..]),
        by_proto: bool,
        orders in prop::collection::vec(prop::sample::select(ORDERS), 1..3),
        ascending: Option<bool>,
        top in 0_usize..30,
        bounds in any_bounds(),
    ) {
        let statistic = statistic_by_name(name).unwrap();
        let spec = StatSpec { statistic, by_proto: by_proto || statistic.by_proto, orders: orders.clone(), ascending, top, bounds };
        let statistics = Statistics { specs: vec![spec] };
        let (tables, _) = run_on(&case.sources(), &case.query(), &statistics).unwrap();
        let splits = (by_proto || statistic.by_proto) && name != "proto";
        let groups = naive::statistic(&[case.expected()], statistic.fields, splits);
        for (table, &order) in tables.into_iter().flatten().zip(&orders) {
            let mut expected = groups.clone();
            expected.retain(|group| is_within(&bounds, order, &group.counters));
            naive::sort_groups(&mut expected, order, ascending.unwrap_or(order.ascends()));
            if top != 0 {
                expected.truncate(top);
            }
            prop_assert_eq!(table.order, order);
            let rows = all(table.rows);
            prop_assert_eq!(len(&rows), expected.len());
            let key: &[Field] = if splits { &[Field::Proto, statistic.fields[0]] } else { &statistic.fields[..1] };
            for (place, group) in expected.iter().enumerate() {
                prop_assert_eq!(&row(&rows, place, key), &group.key);
                prop_assert_eq!(row(&rows, place, &COUNTERS), counters(group));
            }
        }
    }

    #[test]
    fn aggregation_adds_up_by_key(
        case in any_case(),
        key in prop::sample::select(KEYS),
        order in prop::option::of(prop::sample::select(ORDERS)),
        ascending: bool,
        keep_first: bool,
        top in 0_usize..30,
    ) {
        let ranking = Ranking { order, ascending, top, bounds: Bounds::default() };
        let aggregate = Aggregate {
            key: key.iter().copied().map(KeyPart::field).collect(),
            keep_first,
direction: Direction::OneWay,
            rankings: vec![ranking],
            columns: FieldSet::ALL,
        };
        let answers = all_of(run_on(&case.sources(), &case.query(), &aggregate).unwrap().0);
        let matched = [case.expected()];
        let mut expected = naive::aggregate(&matched, key);
        if let Some(order) = order {
            naive::sort_groups(&mut expected, order, ascending);
        }
        if top != 0 {
            expected.truncate(top);
        }
        prop_assert_eq!(len(&answers[0]), expected.len());
        let others: Vec<Field> = Field::ALL
            .iter()
            .copied()
            .filter(|field| !key.contains(field) && !COUNTERS.contains(field))
            .filter(|field| ![Field::TcpFlags, Field::Groups].contains(field))
            .collect();
        for (place, group) in expected.iter().enumerate() {
            prop_assert_eq!(&row(&answers[0], place, key), &group.key);
            prop_assert_eq!(row(&answers[0], place, &COUNTERS), counters(group));
            let first = row(&matched, group.first_row as usize, &others);
            let shown = row(&answers[0], place, &others);
            if keep_first {
                prop_assert_eq!(shown, first);
            } else {
                let zero = first.into_iter().map(|value| match value {
                    Value::Num(_) => Value::Num(0),
                    Value::Ip(addr) if addr.is_ipv4() => Value::Ip([0; 4].into()),
                    Value::Ip(_) => Value::Ip([0_u16; 8].into()),
                    Value::Bytes(_) => Value::Bytes(Box::default()),
                });
                prop_assert_eq!(shown, zero.collect::<Vec<_>>());
            }
            if keep_first && !key.contains(&Field::TcpFlags) {
                let members = (0..matched[0].len()).filter(|&number| row(&matched, number, key) == group.key);
                let flags = members.fold(0, |flags, number| flags | matched[0].column(Field::TcpFlags).num(number));
                prop_assert_eq!(row(&answers[0], place, &[Field::TcpFlags]), [Value::Num(flags)]);
            }
        }
    }

    #[test]
    fn both_directions_add_up_to_one_group(
        case in any_case(),
        order in prop::option::of(prop::sample::select(ORDERS)),
        ascending: bool,
        top in 0_usize..30,
        bounds in any_bounds(),
    ) {
        let aggregate = Aggregate {
            key: Aggregate::five_tuple(),
            keep_first: true,
            direction: Direction::Both,
            rankings: vec![Ranking { order, ascending, top, bounds }],
            columns: FieldSet::ALL,
        };
        let answers = all_of(run_on(&case.sources(), &case.query(), &aggregate).unwrap().0);
        let matched = [case.expected()];
        let mut groups = naive::both_ways(&matched);
        groups.retain(|(group, _)| is_within(&bounds, order.unwrap_or(Order::Flows), &group.counters));
        let flags: HashMap<u64, u64> = groups.iter().map(|(group, flags)| (group.first_row, *flags)).collect();
        let mut expected: Vec<naive::Group> = groups.into_iter().map(|(group, _)| group).collect();
        if let Some(order) = order {
            naive::sort_groups(&mut expected, order, ascending);
        }
        if top != 0 {
            expected.truncate(top);
        }
        prop_assert_eq!(len(&answers[0]), expected.len());
        let key = [Field::SrcAddr, Field::DstAddr, Field::SrcPort, Field::DstPort, Field::Proto];
        for (place, group) in expected.iter().enumerate() {
            prop_assert_eq!(&row(&answers[0], place, &key), &group.key);
            prop_assert_eq!(row(&answers[0], place, &COUNTERS), counters(group));
            prop_assert_eq!(row(&answers[0], place, &[Field::TcpFlags]), [Value::Num(flags[&group.first_row])]);
            prop_assert_eq!(
                row(&answers[0], place, &[Field::Input, Field::SrcMask]),
                row(&matched, group.first_row as usize, &[Field::Input, Field::SrcMask])
            );
        }
    }

    #[test]
    fn threads_and_splits_do_not_change_a_byte(seed: u64, mix in any_mix(), sizes in any_sizes()) {
        let flows = batch(seed, 2_000, mix);
        let case = |sizes: Vec<usize>, threads, form| Case {
            flows: flows.clone(), filter: 0, window: None, limit: None, sizes, blocks: 3, form, threads, max_memory: None,
        };
        let sink = (
            Aggregate {
                key: Aggregate::five_tuple(),
                keep_first: true,
direction: Direction::OneWay,
                rankings: vec![Ranking::by(Order::Bytes, 0), Ranking::by_appearance(7)],
                columns: FieldSet::ALL,
            },
            Some(Sort { order: Order::Duration, ascending: false, top: 100, columns: FieldSet::ALL }),
        );
        let answer = |case: &Case| {
            let (groups, sorted) = run_on(&case.sources(), &case.query(), &sink).unwrap().0;
            (all_of(groups), sorted.map(all))
        };
        let expected = answer(&case(vec![2_000], 1, 0));
        for threads in [1, 2, 8] {
            let other = answer(&case(sizes.clone(), threads, 2));
            prop_assert_eq!(&other.0, &expected.0);
            prop_assert_eq!(&other.1, &expected.1);
        }
    }
}

const KEYS: &[&[Field]] = &[
    &[Field::SrcAddr, Field::DstAddr, Field::SrcPort, Field::DstPort, Field::Proto],
    &[Field::SrcAddr, Field::DstPort],
    &[Field::Proto],
    &[Field::TcpFlags, Field::SrcAs, Field::NextHop],
    &[Field::ObservationPointId, Field::InSrcMac, Field::XlateDstAddr, Field::BgpNextHop, Field::DstAddr],
];

fn big_mix() -> Mix {
    Mix { hosts: 30_000, rich: false, ..Mix::default() }
}

/// Two statistics and an aggregation, all groups of each in order.
fn everything() -> (Aggregate, Statistics) {
    let spec = |name, by_proto| {
        let statistic = statistic_by_name(name).unwrap();
        StatSpec {
            statistic,
            by_proto,
            orders: vec![Order::Bytes, Order::Flows],
            ascending: None,
            top: 0,
            bounds: Bounds::default(),
        }
    };
    let aggregate = Aggregate {
        key: Aggregate::five_tuple(),
        keep_first: true,
        direction: Direction::OneWay,
        rankings: vec![Ranking::by(Order::Bytes, 0), Ranking::by_appearance(50)],
        columns: FieldSet::ALL,
    };
    (aggregate, Statistics { specs: vec![spec("ip", false), spec("dstport", true)] })
}

#[test]
fn little_memory_means_temporary_files_and_the_same_answer() {
    let source = [MemorySource::new(batches(7, 60_000, 4_000, big_mix()))];
    let sort = Sort { order: Order::Packets, ascending: true, top: 0, columns: FieldSet::ALL };
    let answer = |max_memory, threads| {
        let query = Query { max_memory, threads, ..Query::new(Filter::all()) };
        let sink = (everything(), Some(sort.clone()));
        let (((groups, tables), sorted), report) = run_on(&source, &query, &sink).unwrap();
        let tables: Vec<Vec<FlowBatch>> = tables.into_iter().flatten().map(|table| all(table.rows)).collect();
        // What is the same need not be written the same way.
        let plain = |batches: Vec<FlowBatch>| -> Vec<Vec<Value>> {
            (0..len(&batches)).step_by(97).map(|place| row(&batches, place, Field::ALL)).collect()
        };
        let groups: Vec<_> = all_of(groups).into_iter().map(plain).collect();
        let answer = (groups, tables, sorted.map(all).map(plain), report.totals, report.passed);
        (answer, report.spilled)
    };
    let (expected, spilled) = answer(None, 1);
    assert_eq!(spilled, 0);
    assert!(expected.0[0].len() > 500);
    for max_memory in [Some(3_000_000), Some(1_000_000), Some(0)] {
        for threads in [1, 3] {
            let (answer, spilled) = answer(max_memory, threads);
            assert!(answer == expected, "{max_memory:?} on {threads} threads");
            assert!(spilled > 1_000_000, "{spilled} octets in files");
        }
    }
}

#[test]
fn statistics_of_many_strings_heed_the_memory_too() {
    // Of every length, with zeros in them; half of the strings occur in several blocks.
    let text = |number: usize| -> Vec<u8> {
        let digits = format!("{}\0{}", number % 7, number % 9_000).into_bytes();
        digits.into_iter().chain(std::iter::repeat_n(0, number % 40)).collect()
    };
    let blocks = batches(5, 20_000, 2_000, Mix { rich: false, ..Mix::default() });
    let blocks = blocks.into_iter().enumerate().map(|(number, mut batch)| {
        let mut texts = Values::new(Kind::Bytes);
        for row in 0..batch.len() {
            texts.push(ValueRef::Bytes(&text(number * 1_500 + row)));
        }
        batch.insert(Field::AppId, Column::Plain(texts));
        if number % 2 == 0 { encode_dictionaries(&batch) } else { batch }
    });
    let source = [MemorySource::new(blocks.collect())];
    let spec = |by_proto, top| StatSpec {
        statistic: statistic_by_name("nbar").unwrap(),
        by_proto,
        orders: vec![Order::Bytes, Order::Flows, Order::Start],
        ascending: None,
        top,
        bounds: Bounds::default(),
    };
    let statistics = Statistics { specs: vec![spec(false, 0), spec(true, 300), spec(true, 20)] };
    let answer = |max_memory, threads| {
        let query = Query { max_memory, threads, ..Query::new(Filter::all()) };
        let (tables, report) = run_on(&source, &query, &statistics).unwrap();
        let tables: Vec<Vec<FlowBatch>> = tables.into_iter().flatten().map(|table| all(table.rows)).collect();
        (tables, report.spilled)
    };
    let (expected, spilled) = answer(None, 1);
    assert_eq!((expected.len(), spilled), (9, 0));
    assert!(len(&expected[0]) > 10_000, "{} strings", len(&expected[0]));
    for (max_memory, threads) in [(3_000_000, 2), (1_000_000, 1), (0, 3)] {
        let (answer, spilled) = answer(Some(max_memory), threads);
        assert!(answer == expected, "{max_memory} on {threads} threads");
        assert!(spilled > 500_000, "{spilled} octets in files");
    }
}

#[test]
fn the_first_of_many_are_found_by_their_volume_alone() {
    let source =
        [MemorySource::new(batches(9, 60_000, 4_000, big_mix()).iter().map(encode_as_file).collect())];
    let query = |limit, max_memory| Query { limit, max_memory, threads: 2, ..Query::new(Filter::all()) };
    for (order, top) in [(Order::Bytes, 20), (Order::InPackets, 1), (Order::Flows, 7), (Order::OutBytes, 3)] {
        let (mut aggregate, mut statistics) = everything();
        aggregate.rankings = vec![Ranking::by(order, top)];
        for spec in &mut statistics.specs {
            (spec.orders, spec.top) = (vec![order], top);
        }
        let sink = (aggregate, Some(statistics));
        let answer = |query| {
            let ((groups, tables), report) = run_on(&source, &query, &sink).unwrap();
            let tables: Vec<FlowBatch> =
                tables.into_iter().flatten().flatten().flat_map(|table| all(table.rows)).collect();
            (all_of(groups), tables, report.totals)
        };
        // With a limit, even if it is never reached, everything is measured at once.
        let expected = answer(query(Some(1 << 40), None));
        for max_memory in [None, Some(1_500_000)] {
            assert!(answer(query(None, max_memory)) == expected, "{order:?}");
        }
    }
}

#[test]
fn few_groups_of_many_flows_need_no_files() {
    let flows = batches(3, 60_000, 2_000, Mix { hosts: 5, rich: false, ..Mix::default() });
    let source = [MemorySource::new(flows.iter().map(encode_as_file).collect())];
    let answer = |max_memory| {
        let query = Query { max_memory, threads: 2, ..Query::new(Filter::all()) };
        let (mut aggregate, _) = everything();
        aggregate.key.retain(|part| ![Field::SrcPort, Field::DstPort].contains(&part.field));
        let (groups, report) = run_on(&source, &query, &aggregate).unwrap();
        (all_of(groups), report.spilled)
    };
    let answer_in_little = answer(Some(3_000_000));
    assert_eq!(answer_in_little.1, 0);
    assert!(answer_in_little == answer(None));
}

#[test]
fn prefixes_and_masks_of_the_flows_themselves_cut_addresses() {
    let flows = batch(11, 500, Mix::default());
    let source = [MemorySource::new(split(&encode_as_file(&flows), &[100]))];
    let groups = |key: Vec<KeyPart>| {
        let aggregate = Aggregate {
            key,
            keep_first: false,
            direction: Direction::OneWay,
            rankings: vec![Ranking::by_appearance(0)],
            columns: FieldSet::of(&[Field::SrcAddr, Field::SrcMask, Field::Flows]),
        };
        all_of(run_on(&source, &Query::new(Filter::all()), &aggregate).unwrap().0).concat()
    };
    let cut = |addr: IpAddr, v4: u64, v6: u64| match addr {
        IpAddr::V4(addr) => IpAddr::V4((addr.to_bits() & !(u64::from(u32::MAX) >> v4.min(32)) as u32).into()),
        IpAddr::V6(addr) => {
            IpAddr::V6((addr.to_bits() & !u128::MAX.checked_shr(v6 as u32).unwrap_or(0)).into())
        }
    };
    let src = KeyPart::field(Field::SrcAddr);
    let by_prefix =
        groups(vec![KeyPart { v4_prefix: Some(30), ..src }, KeyPart { v6_prefix: Some(125), ..src }]);
    let by_mask = groups(vec![KeyPart { mask: Some(Field::SrcMask), ..src }]);
    let (mut prefixes, mut networks) = (Vec::new(), Vec::new());
    for number in 0..flows.len() {
        let (addr, mask) =
            (flows.column(Field::SrcAddr).ip(number), flows.column(Field::SrcMask).num(number));
        let prefix = [Value::Ip(cut(addr, 30, 125))].to_vec();
        if !prefixes.contains(&prefix) {
            prefixes.push(prefix);
        }
        let network = [Value::Ip(cut(addr, mask, mask)), Value::Num(mask)].to_vec();
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    let shown = |answer: &[FlowBatch], fields: &[Field]| -> Vec<Vec<Value>> {
        (0..len(answer)).map(|place| row(answer, place, fields)).collect()
    };
    assert_eq!(shown(&by_prefix, &[Field::SrcAddr]), prefixes);
    assert_eq!(shown(&by_mask, &[Field::SrcAddr, Field::SrcMask]), networks);
}

#[test]
fn flows_of_equal_standing_keep_their_order() {
    let mut builder = BatchBuilder::new();
    for (port, first) in [(1, 9), (2, 5), (3, 9), (4, 5), (1, 9)] {
        builder.set(Field::SrcPort, port);
        builder.set(Field::FirstMs, first);
        builder.set(Field::InBytes, if port == 1 { 5 } else { 10 });
        builder.finish_row();
    }
    let source = [MemorySource::new(split(&builder.finish(), &[1]))];
    let query = Query { threads: 4, ..Query::new(Filter::all()) };
    let key = vec![KeyPart::field(Field::SrcPort)];
    let ports = |top| {
        let rankings = vec![Ranking::by(Order::Bytes, top)];
        let columns = FieldSet::of(&[Field::SrcPort]);
        let aggregate =
            Aggregate { key: key.clone(), keep_first: true, direction: Direction::OneWay, rankings, columns };
        let answer = all_of(run_on(&source, &query, &aggregate).unwrap().0).concat();
        (0..len(&answer)).map(|place| row(&answer, place, &[Field::SrcPort])[0].clone()).collect::<Vec<_>>()
    };
    // All four have ten bytes: first seen decides, then the input.
    assert_eq!(ports(0), [2, 4, 1, 3].map(Value::Num));
    assert_eq!(ports(3), [2, 4, 1].map(Value::Num));
}

#[test]
fn an_interrupt_ends_the_query() {
    let source = [MemorySource::new(batches(1, 500, 100, Mix::default()))];
    for threads in [1, 3] {
        let query = Query { threads, ..Query::new(Filter::all()) };
        query.interrupt.store(true, Ordering::Relaxed);
        assert!(matches!(run_on(&source, &query, &()), Err(QueryError::Interrupted)));
        let mut emit = |(): ()| panic!("nothing is emitted");
        let listed = list_on(&source, &query, FieldSet::EMPTY, &mut emit, &|_, _, _| ());
        assert!(matches!(listed, Err(QueryError::Interrupted)));
    }
}

#[test]
fn who_has_enough_ends_the_listing() {
    let source = [MemorySource::new(batches(1, 2_000, 10, Mix::default()))];
    for threads in [1, 4] {
        let query = Query { threads, ..Query::new(Filter::all()) };
        let mut numbers = Vec::new();
        let mut emit = |number| {
            numbers.push(number);
            if numbers.len() == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        list_on(&source, &query, FieldSet::EMPTY, &mut emit, &|_, _, before| before.selected).unwrap();
        assert_eq!(numbers, [0, 10, 20]);
    }
}

#[test]
fn what_cannot_be_a_key_is_refused() {
    let source = [MemorySource::new(vec![batch(1, 10, Mix::default())])];
    let aggregate = Aggregate {
        key: vec![KeyPart::field(Field::InPayload)],
        keep_first: false,
        direction: Direction::OneWay,
        rankings: vec![Ranking::by_appearance(0)],
        columns: FieldSet::EMPTY,
    };
    let answer = run_on(&source, &Query::new(Filter::all()), &aggregate);
    assert!(matches!(answer, Err(QueryError::NotAKey(Field::InPayload))));
}
