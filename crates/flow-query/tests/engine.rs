//! The engine against the naive one: same answers for every split, representation and number of threads.

use flow_filter::{Filter, ParseOptions};
use flow_model::{
    BatchBuilder, CountRule, Field, FieldSet, FlowBatch, Order, Selection, Totals, Value, statistic_by_name,
};
use flow_query::{
    Aggregate, KeyPart, MemorySource, Query, QueryError, Ranking, Sort, StatSpec, Statistics, TimeWindow, list_on,
    run_on,
};
use flow_testkit::generate::{
    Mix, START_MS, any_batch, any_mix, any_sizes, batch, batches, encode_as_file, encode_dictionaries, split,
};
use flow_testkit::naive;
use proptest::prelude::*;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

type Matches = fn(&FlowBatch, usize) -> bool;

/// Filters, and what they mean.
const FILTERS: &[(&str, Matches)] = &[
    ("", |_, _| true),
    ("proto tcp", |batch, row| batch.column(Field::Proto).num(row) == 6),
    ("proto udp", |batch, row| batch.column(Field::Proto).num(row) == 17),
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
}

fn any_case() -> impl Strategy<Value = Case> {
    let window = prop::option::weighted(0.4, (0_u64..300_000, 0_u64..600_000)).prop_map(|window| {
        window.map(|(start, len)| TimeWindow { first_ms: START_MS + start, last_ms: START_MS + start + len })
    });
    (
        any_batch(400),
        0..FILTERS.len(),
        window,
        prop::option::weighted(0.3, 0_u64..120),
        any_sizes(),
        1_usize..5,
        0..3_u8,
        1_usize..5,
    )
        .prop_map(|(flows, filter, window, limit, sizes, blocks, form, threads)| Case {
            flows,
            filter,
            window,
            limit,
            sizes,
            blocks,
            form,
            threads,
        })
}

impl Case {
    fn query(&self) -> Query {
        let filter = Filter::parse(FILTERS[self.filter].0, &ParseOptions::default()).unwrap();
        Query { window: self.window, limit: self.limit, threads: self.threads, ..Query::new(filter) }
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
        let format = |batch: &FlowBatch, selection: &Selection, number| (number, batch.select(selection));
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
        let (sorted, _) = run_on(&case.sources(), &case.query(), &sort).unwrap();
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
    ) {
        let statistic = statistic_by_name(name).unwrap();
        let spec = StatSpec { statistic, by_proto: by_proto || statistic.by_proto, orders: orders.clone(), ascending, top };
        let statistics = Statistics { specs: vec![spec] };
        let (tables, _) = run_on(&case.sources(), &case.query(), &statistics).unwrap();
        let splits = (by_proto || statistic.by_proto) && name != "proto";
        let groups = naive::statistic(&[case.expected()], statistic.fields, splits);
        for (table, &order) in tables[0].iter().zip(&orders) {
            let mut expected = groups.clone();
            naive::sort_groups(&mut expected, order, ascending.unwrap_or(order.ascends()));
            if top != 0 {
                expected.truncate(top);
            }
            prop_assert_eq!(table.order, order);
            prop_assert_eq!(table.rows.len(), expected.len());
            let key: &[Field] = if splits { &[Field::Proto, statistic.fields[0]] } else { &statistic.fields[..1] };
            for (place, group) in expected.iter().enumerate() {
                let rows = std::slice::from_ref(&table.rows);
                prop_assert_eq!(&row(rows, place, key), &group.key);
                prop_assert_eq!(row(rows, place, &COUNTERS), counters(group));
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
        let ranking = Ranking { order, ascending, top };
        let aggregate = Aggregate {
            key: key.iter().copied().map(KeyPart::field).collect(),
            keep_first,
            rankings: vec![ranking],
            columns: FieldSet::ALL,
        };
        let (answers, _) = run_on(&case.sources(), &case.query(), &aggregate).unwrap();
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
    fn threads_and_splits_do_not_change_a_byte(seed: u64, mix in any_mix(), sizes in any_sizes()) {
        let flows = batch(seed, 2_000, mix);
        let case = |sizes: Vec<usize>, threads, form| Case {
            flows: flows.clone(), filter: 0, window: None, limit: None, sizes, blocks: 3, form, threads,
        };
        let sink = (
            Aggregate {
                key: Aggregate::five_tuple(),
                keep_first: true,
                rankings: vec![Ranking::by(Order::Bytes, 0), Ranking::by_appearance(7)],
                columns: FieldSet::ALL,
            },
            Some(Sort { order: Order::Duration, ascending: false, top: 100, columns: FieldSet::ALL }),
        );
        let answer = |case: &Case| run_on(&case.sources(), &case.query(), &sink).unwrap().0;
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
