//! Flows in bins against the naive way: one flow after the other, bin by bin.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use flow_filter::Filter;
use flow_model::{Counters, Field, FieldSet, FlowBatch, Order, Selection, Value, statistic_by_name};
use flow_query::{
    Aggregate, BinTable, Binned, Bounds, Direction, KeyPart, Listing, MemorySource, Placement, Query,
    QueryError, Ranking, StatSpec, Statistics, TimeWindow, Timeline, run_on,
};
use flow_testkit::generate::{
    Mix, START_MS, any_batch, any_sizes, batch, batches, encode_as_file, encode_dictionaries, split,
};
use flow_testkit::naive;
use proptest::prelude::*;
use std::sync::Arc;

/// Flows, how they are cut up, and bins.
#[derive(Clone, Debug)]
struct Case {
    flows: FlowBatch,
    sizes: Vec<usize>,
    form: u8,
    threads: usize,
    timeline: Arc<Timeline>,
    placement: Placement,
}

/// Bins of which some are as wide as the one before, and which need not cover all flows.
fn any_timeline() -> impl Strategy<Value = Arc<Timeline>> {
    let stretches = prop::collection::vec((1_usize..30, 1_000_u64..90_000), 1..5);
    (0_u64..100_000, stretches).prop_map(|(start, stretches)| {
        let mut edges = vec![START_MS + start];
        for (bins, width) in stretches {
            edges.extend(
                (1..=bins as u64).map(|bin| edges[edges.len() - 1] + bin * width).collect::<Vec<_>>(),
            );
        }
        Arc::new(Timeline::new(edges).unwrap())
    })
}

fn any_case() -> impl Strategy<Value = Case> {
    let placement = prop_oneof![
        3 => Just(Placement::Spread),
        1 => Just(Placement::First),
        1 => Just(Placement::Last),
        1 => Just(Placement::Inside { beyond_ms: 0 }),
    ];
    (any_batch(250), any_sizes(), 0..3_u8, 1_usize..4, any_timeline(), placement).prop_map(
        |(flows, sizes, form, threads, timeline, placement)| Case {
            flows,
            sizes,
            form,
            threads,
            timeline,
            placement,
        },
    )
}

impl Case {
    fn query(&self) -> Query {
        Query { threads: self.threads, ..Query::new(Filter::all()) }
    }

    fn sources(&self) -> Vec<MemorySource> {
        let encode = |batch: &FlowBatch| match self.form {
            0 => batch.clone(),
            1 => encode_dictionaries(batch),
            _ => encode_as_file(batch),
        };
        let pieces: Vec<FlowBatch> = split(&self.flows, &self.sizes).iter().map(encode).collect();
        pieces.chunks(2).map(|blocks| MemorySource::new(blocks.to_vec())).collect()
    }

    fn binned(&self, records: Option<Aggregate>, elements: Option<Statistics>) -> Vec<BinTable> {
        let sink =
            Binned { timeline: Arc::clone(&self.timeline), placement: self.placement, records, elements };
        run_on(&self.sources(), &self.query(), &sink).unwrap().0
    }

    /// What a flow counts in each bin.
    fn parts(&self, flow: &Counters) -> Vec<Counters> {
        let bins = self.timeline.bins();
        let mut parts = vec![Counters::default(); bins];
        // The outer bins take in what lies outside.
        let span = |bin: usize| {
            let (first, last) = self.timeline.span(bin);
            (if bin == 0 { 0 } else { first }, if bin + 1 == bins { u64::MAX } else { last })
        };
        let bin_of = |ms: u64| (0..bins).find(|&bin| (span(bin).0..span(bin).1).contains(&ms)).unwrap();
        match self.placement {
            Placement::First => parts[bin_of(flow.first_ms)] = *flow,
            Placement::Last => parts[bin_of(flow.last_ms)] = *flow,
            Placement::Inside { .. } => {
                for (bin, part) in parts.iter_mut().enumerate() {
                    let (first, last) = self.timeline.span(bin);
                    if flow.first_ms >= first && flow.last_ms <= last {
                        *part = *flow;
                    }
                }
            }
            Placement::Spread if flow.last_ms <= flow.first_ms => parts[bin_of(flow.first_ms)] = *flow,
            Placement::Spread => {
                parts[bin_of(flow.first_ms)].flows = flow.flows;
                let weights: Vec<u64> = (0..bins)
                    .map(|bin| {
                        let (first, last) = span(bin);
                        last.min(flow.last_ms).saturating_sub(first.max(flow.first_ms))
                    })
                    .collect();
                let numbers: [fn(&mut Counters) -> &mut u64; 4] = [
                    |counters| &mut counters.in_packets,
                    |counters| &mut counters.in_bytes,
                    |counters| &mut counters.out_packets,
                    |counters| &mut counters.out_bytes,
                ];
                for number in numbers {
                    for (part, share) in parts.iter_mut().zip(shares(*number(&mut flow.clone()), &weights)) {
                        *number(part) = share;
                    }
                }
            }
        }
        parts
    }

    /// The counters of flows by group, 0 for the rest; `groups_of` says to which groups a row belongs, and whether it goes
    /// the other way.
    fn expected(&self, groups: usize, groups_of: impl Fn(usize) -> Vec<(usize, bool)>) -> Vec<Vec<Counters>> {
        let bins = self.timeline.bins();
        let mut sums = vec![vec![Counters::default(); bins]; groups + 1];
        for row in 0..self.flows.len() {
            let mut groups = groups_of(row);
            if groups.is_empty() {
                groups.push((0, false));
            }
            for (group, turned) in groups {
                let flow = naive::counters(&self.flows, row);
                let flow = if turned { turn(&flow) } else { flow };
                for (sum, part) in sums[group].iter_mut().zip(self.parts(&flow)) {
                    add(sum, &part);
                }
            }
        }
        for sums in &mut sums {
            for (bin, sum) in sums.iter_mut().enumerate() {
                (sum.first_ms, sum.last_ms) = self.timeline.span(bin);
            }
        }
        sums
    }

    fn value(&self, field: Field, row: usize) -> Value {
        self.flows.column(field).get(row).to_owned()
    }
}

/// Whole numbers in these proportions by the method of the largest remainder.
fn shares(count: u64, weights: &[u64]) -> Vec<u64> {
    let whole: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    let product = |bin: usize| u128::from(count) * u128::from(weights[bin]);
    let mut shares: Vec<u64> = (0..weights.len()).map(|bin| (product(bin) / whole) as u64).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|&bin| (std::cmp::Reverse(product(bin) % whole), bin));
    for &bin in &order[..(count - shares.iter().sum::<u64>()) as usize] {
        shares[bin] += 1;
    }
    shares
}

fn turn(flow: &Counters) -> Counters {
    Counters {
        in_packets: flow.out_packets,
        in_bytes: flow.out_bytes,
        out_packets: flow.in_packets,
        out_bytes: flow.in_bytes,
        ..*flow
    }
}

fn add(sum: &mut Counters, more: &Counters) {
    sum.flows += more.flows;
    sum.in_packets = sum.in_packets.saturating_add(more.in_packets);
    sum.in_bytes = sum.in_bytes.saturating_add(more.in_bytes);
    sum.out_packets = sum.out_packets.saturating_add(more.out_packets);
    sum.out_bytes = sum.out_bytes.saturating_add(more.out_bytes);
}

fn numbers(counters: &Counters) -> [u64; 5] {
    [counters.flows, counters.in_packets, counters.in_bytes, counters.out_packets, counters.out_bytes]
}

/// What bins add up to.
fn total(bins: &[Counters]) -> [u64; 5] {
    let mut sum = Counters::default();
    for bin in bins {
        add(&mut sum, bin);
    }
    numbers(&sum)
}

fn all(listing: Listing) -> Vec<FlowBatch> {
    listing.collect::<Result<_, _>>().unwrap()
}

/// The groups without bins, one row each: their key and their counters.
fn rows(batches: &[FlowBatch], key: &[Field]) -> Vec<(Vec<Value>, [u64; 5])> {
    let of_batch = |batch: &FlowBatch| {
        let row = |row| {
            let key = key.iter().map(|&field| batch.column(field).get(row).to_owned()).collect();
            (key, numbers(&naive::counters(batch, row)))
        };
        (0..batch.len()).map(row).collect::<Vec<_>>()
    };
    batches.iter().flat_map(of_batch).collect()
}

/// Holds a table against the groups without bins, and against the naive sums of its bins.
fn check(
    case: &Case,
    table: &BinTable,
    groups: &[(Vec<Value>, [u64; 5])],
    key: &[Field],
    expected: &[Vec<Counters>],
) -> Result<(), TestCaseError> {
    prop_assert_eq!(rows(&table.groups, key), groups);
    prop_assert_eq!(table.rows.len(), groups.len());
    prop_assert_eq!(&table.rest, &expected[0]);
    prop_assert_eq!(&table.rows, &expected[1..]);
    if !matches!(case.placement, Placement::Inside { .. }) {
        for (bins, (_, whole)) in table.rows.iter().zip(groups) {
            prop_assert_eq!(&total(bins), whole);
        }
    }
    Ok(())
}

const KEYS: &[&[Field]] = &[
    &[Field::SrcAddr, Field::DstAddr, Field::SrcPort, Field::DstPort, Field::Proto],
    &[Field::SrcAddr, Field::DstPort],
    &[Field::DstAddr],
    &[Field::Proto],
    &[Field::TcpFlags, Field::SrcAs, Field::NextHop],
    &[Field::ObservationPointId, Field::InSrcMac, Field::XlateDstAddr, Field::BgpNextHop, Field::DstAddr],
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn without_groups_everything_is_the_rest(case in any_case()) {
        let tables = case.binned(None, None);
        prop_assert_eq!(tables.len(), 1);
        prop_assert!(tables[0].groups.is_empty() && tables[0].rows.is_empty());
        prop_assert_eq!(&tables[0].rest, &case.expected(0, |_| Vec::new())[0]);
    }

    #[test]
    fn statistics_in_bins_are_those_without_bins_cut_up(
        case in any_case(),
        name in prop::sample::select(&["srcip", "ip", "port", "proto", "srcas", "nbar", "dstport", "nhip"][..]),
        by_proto: bool,
        top in 0_usize..12,
    ) {
        let statistic = statistic_by_name(name).unwrap();
        let orders = vec![Order::Bytes, Order::Bps];
        let spec = StatSpec { statistic, by_proto, orders, ascending: None, top, bounds: Bounds::default() };
        let statistics = Statistics { specs: vec![spec] };
        let whole = run_on(&case.sources(), &case.query(), &statistics).unwrap().0;
        let tables = case.binned(None, Some(statistics));
        prop_assert_eq!(tables.len(), 2);
        let splits = by_proto && name != "proto";
        let key: &[Field] = if splits { &[statistic.fields[0], Field::Proto] } else { &statistic.fields[..1] };
        for (table, whole) in tables.iter().zip(whole.into_iter().flatten()) {
            let groups = rows(&all(whole.rows), key);
            let groups_of = |row| {
                let places = statistic.fields.iter().filter_map(|&field| {
                    let mut own = vec![case.value(field, row)];
                    own.extend(splits.then(|| case.value(Field::Proto, row)));
                    let place = groups.iter().position(|(key, _)| *key == own)?;
                    Some((place + 1, false))
                });
                places.collect()
            };
            check(&case, table, &groups, key, &case.expected(groups.len(), groups_of))?;
        }
    }

    #[test]
    fn aggregated_flows_in_bins_are_those_without_bins_cut_up(
        case in any_case(),
        key in prop::sample::select(KEYS),
        keep_first: bool,
        top in 0_usize..12,
    ) {
        let aggregate = Aggregate {
            key: key.iter().copied().map(KeyPart::field).collect(),
            keep_first,
            direction: Direction::OneWay,
            rankings: vec![Ranking::by(Order::Packets, top), Ranking::by_appearance(top)],
            columns: FieldSet::ALL,
        };
        let whole = run_on(&case.sources(), &case.query(), &aggregate).unwrap().0;
        let tables = case.binned(Some(aggregate), None);
        prop_assert_eq!(tables.len(), 2);
        for (table, whole) in tables.iter().zip(whole) {
            let groups = rows(&all(whole), key);
            let groups_of = |row| {
                let own: Vec<Value> = key.iter().map(|&field| case.value(field, row)).collect();
                groups.iter().position(|(key, _)| *key == own).map(|place| (place + 1, false)).into_iter().collect()
            };
            check(&case, table, &groups, key, &case.expected(groups.len(), groups_of))?;
        }
    }

    #[test]
    fn both_directions_count_on_their_sides(
        case in any_case(),
        direction in prop::sample::select(&[Direction::Both, Direction::ClientFirst][..]),
        top in 0_usize..12,
    ) {
        let aggregate = Aggregate {
            key: Aggregate::five_tuple(),
            keep_first: true,
            direction,
            rankings: vec![Ranking::by(Order::Bytes, top)],
            columns: FieldSet::ALL,
        };
        let key = [Field::SrcAddr, Field::DstAddr, Field::SrcPort, Field::DstPort, Field::Proto];
        let back = [Field::DstAddr, Field::SrcAddr, Field::DstPort, Field::SrcPort, Field::Proto];
        let whole = run_on(&case.sources(), &case.query(), &aggregate).unwrap().0.remove(0);
        let tables = case.binned(Some(aggregate), None);
        let groups = rows(&all(whole), &key);
        let groups_of = |row| {
            let place = |fields: [Field; 5]| {
                let own = fields.map(|field| case.value(field, row));
                groups.iter().position(|(key, _)| *key == own)
            };
            let has_two_ways = matches!(case.flows.column(Field::Proto).num(row), 6 | 17);
            match (place(key), place(back)) {
                (Some(place), _) => vec![(place + 1, false)],
                (None, Some(place)) if has_two_ways => vec![(place + 1, true)],
                _ => Vec::new(),
            }
        };
        check(&case, &tables[0], &groups, &key, &case.expected(groups.len(), groups_of))?;
    }
}

fn by(name: &str, top: usize) -> Statistics {
    let statistic = statistic_by_name(name).unwrap();
    let orders = vec![Order::Bytes];
    Statistics {
        specs: vec![StatSpec {
            statistic,
            by_proto: false,
            orders,
            ascending: None,
            top,
            bounds: Bounds::default(),
        }],
    }
}

#[test]
fn prefixes_and_masks_are_groups_in_bins_too() {
    let flows = batch(11, 500, Mix::default());
    let part = KeyPart::field(Field::SrcAddr);
    for key in [
        vec![KeyPart { v4_prefix: Some(12), ..part }, KeyPart { v6_prefix: Some(40), ..part }],
        vec![KeyPart { mask: Some(Field::SrcMask), ..part }, KeyPart::field(Field::Proto)],
    ] {
        let aggregate = Aggregate {
            key,
            keep_first: false,
            direction: Direction::OneWay,
            rankings: vec![Ranking::by(Order::Bytes, 0)],
            columns: FieldSet::ALL,
        };
        let timeline =
            Arc::new(Timeline::new((0..50).map(|edge| START_MS + edge * 10_000).collect()).unwrap());
        let sources = [MemorySource::new(split(&encode_as_file(&flows), &[100]))];
        let query = Query::new(Filter::all());
        let whole = run_on(&sources, &query, &aggregate).unwrap().0.remove(0);
        let sink =
            Binned { timeline, placement: Placement::Spread, records: Some(aggregate), elements: None };
        let table = run_on(&sources, &query, &sink).unwrap().0.remove(0);
        let groups = rows(&all(whole), &[Field::SrcAddr]);
        assert!(groups.len() > 3);
        assert_eq!(
            groups.iter().map(|(_, whole)| *whole).collect::<Vec<_>>(),
            table.rows.iter().map(|bins| total(bins)).collect::<Vec<_>>()
        );
        assert_eq!(total(&table.rest), [0; 5]);
    }
}

#[test]
fn bins_of_flows_inside_are_the_windows_of_as_many_queries() {
    let flows = batches(21, 20_000, 2_000, Mix { rich: false, ..Mix::default() });
    let sources = [MemorySource::new(flows.iter().map(encode_as_file).collect())];
    let edges: Vec<u64> = (0..=50).map(|edge| START_MS + 17_000 + edge * 9_000).collect();
    let timeline = Arc::new(Timeline::new(edges.clone()).unwrap());
    let placement = Placement::Inside { beyond_ms: 0 };
    let sink = Binned { timeline, placement, records: None, elements: Some(by("dstport", 5)) };
    let table = run_on(&sources, &Query::new(Filter::all()), &sink).unwrap().0.remove(0);
    let shown = rows(&table.groups, &[Field::DstPort]);
    let mut counted = 0;
    for (bin, window) in edges.windows(2).enumerate() {
        let window = TimeWindow { first_ms: window[0], last_ms: window[1] };
        let query = Query { window: Some(window), ..Query::new(Filter::all()) };
        let (tables, report) = run_on(&sources, &query, &by("dstport", 0)).unwrap();
        let alone = rows(&all(tables.into_iter().flatten().next().unwrap().rows), &[Field::DstPort]);
        for ((port, _), bins) in shown.iter().zip(&table.rows) {
            let alone = alone.iter().find(|(other, _)| other == port).map_or([0; 5], |(_, numbers)| *numbers);
            assert_eq!(numbers(&bins[bin]), alone);
        }
        let flows = |bins: &[Counters]| bins[bin].flows;
        let of_bin = table.rows.iter().map(|bins| flows(bins)).sum::<u64>() + flows(&table.rest);
        assert_eq!(of_bin, report.totals.flows);
        counted += of_bin;
    }
    assert!(counted > 1_000, "{counted} flows lie in windows");
}

#[test]
fn a_limit_counts_the_same_flows_in_both_passes() {
    let flows = batches(4, 3_000, 500, Mix::default());
    let sources = [MemorySource::new(flows.clone())];
    let timeline = Arc::new(Timeline::new(vec![START_MS, START_MS + 60_000, START_MS + 600_000]).unwrap());
    let query = Query { limit: Some(1_234), threads: 3, ..Query::new(Filter::all()) };
    let sink =
        Binned { timeline, placement: Placement::Spread, records: None, elements: Some(by("srcip", 4)) };
    let (tables, report) = run_on(&sources, &query, &sink).unwrap();
    let sums = tables[0].rows.iter().map(|bins| total(bins)).chain([total(&tables[0].rest)]);
    assert_eq!(report.passed, 1_234);
    assert_eq!(sums.map(|sum| sum[0]).sum::<u64>(), report.totals.flows);
    let limited = batch_of(&flows, 1_234);
    let bytes =
        |batch: &FlowBatch| (0..batch.len()).map(|row| batch.column(Field::InBytes).num(row)).sum::<u64>();
    let counted =
        tables[0].rows.iter().chain([&tables[0].rest]).flatten().map(|bin| bin.in_bytes).sum::<u64>();
    assert_eq!(counted, bytes(&limited));
}

fn batch_of(batches: &[FlowBatch], rows: usize) -> FlowBatch {
    let mut builder = flow_model::BatchBuilder::new();
    for batch in batches {
        let left = rows - builder.len().min(rows);
        builder.append(batch, &Selection::from_fn(batch.len(), |row| row < left));
    }
    builder.finish()
}

#[test]
fn groups_that_memory_cannot_hold_in_bins_are_refused_with_a_number() {
    let sources = [MemorySource::new(batches(7, 4_000, 1_000, Mix::default()))];
    let timeline = Arc::new(Timeline::new((0..1_000).map(|edge| START_MS + edge * 1_000).collect()).unwrap());
    let sink =
        Binned { timeline, placement: Placement::Spread, records: None, elements: Some(by("srcport", 0)) };
    let query = Query { max_memory: Some(2_000_000), threads: 1, ..Query::new(Filter::all()) };
    let error = run_on(&sources, &query, &sink).unwrap_err();
    assert!(matches!(error, QueryError::TooManyCells { bins: 999, limit: 16, .. }), "{error}");
    assert!(run_on(&sources, &Query { max_memory: None, ..query }, &sink).is_ok());
}
