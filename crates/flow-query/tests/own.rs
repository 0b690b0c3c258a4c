//! What is one's own, against a naive look at every row: statistics of own hosts, their peers and networks, filters, groups.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use flow_filter::{Filter, ParseOptions};
use flow_hosts::Networks;
use flow_model::{
    BatchBuilder, Counters, Field, FieldSet, FlowBatch, FlowSide, Order, OwnNetworks, Value,
    statistic_by_name,
};
use flow_query::{
    Aggregate, Bounds, Direction, KeyPart, MemorySource, Query, Ranking, StatSpec, Statistics, run_on,
};
use flow_testkit::generate::{any_batch, any_sizes, encode_as_file, encode_dictionaries, split};
use flow_testkit::naive;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// Half of the generator's addresses, one network inside of another.
const NETWORKS: &str = "10.0.0.0/8 ten\n10.0.0.0/30 few\n2001:db8::/126 ten\n192.168.0.4/32\n";

const ORDERS: &[Order] = &[
    Order::Flows,
    Order::Packets,
    Order::InPackets,
    Order::OutPackets,
    Order::Bytes,
    Order::InBytes,
    Order::OutBytes,
    Order::Bps,
    Order::InBps,
    Order::OutBpp,
];

fn networks() -> Arc<Networks> {
    Arc::new(Networks::parse(NETWORKS).0)
}

/// The ends of a row that are one's own: value, and whether the flow leaves it.
fn own_ends(name: &str, batch: &FlowBatch, row: usize) -> Vec<(Value, bool)> {
    let networks = networks();
    let [src, dst] = [Field::SrcAddr, Field::DstAddr].map(|field| batch.column(field).ip(row));
    let number = |addr: IpAddr| networks.number_of(addr);
    let value = |own: IpAddr, peer: IpAddr| match name {
        "local" => Value::Ip(own),
        "peer" => Value::Ip(peer),
        _ => Value::Num(number(own).into()),
    };
    let ends = [(number(dst) != 0, value(dst, src), false), (number(src) != 0, value(src, dst), true)];
    ends.into_iter().filter(|(own, ..)| *own).map(|(_, value, turned)| (value, turned)).collect()
}

/// A row for each own end, counted as that end sees it.
fn ends(name: &str, batch: &FlowBatch) -> FlowBatch {
    let mut builder = BatchBuilder::new();
    for row in 0..batch.len() {
        for (value, turned) in own_ends(name, batch, row) {
            let num = |field| batch.column(field).num(row);
            for field in [Field::FirstMs, Field::LastMs, Field::Flows, Field::Proto] {
                builder.set(field, num(field));
            }
            let ways = [Field::InPackets, Field::InBytes, Field::OutPackets, Field::OutBytes];
            for (place, field) in ways.into_iter().enumerate() {
                builder.set(field, num(ways[if turned { (place + 2) % 4 } else { place }]));
            }
            match value {
                Value::Ip(addr) => builder.set_ip(Field::NextHop, addr),
                Value::Num(number) => builder.set(Field::Input, number),
                Value::Bytes(_) => {}
            }
            builder.finish_row();
        }
    }
    builder.finish()
}

/// A group as it can be compared: key, and what it adds up to.
type Told = (Vec<Value>, [u64; 7]);

fn told(key: Vec<Value>, c: &Counters) -> Told {
    (key, [c.first_ms, c.last_ms, c.flows, c.in_packets, c.in_bytes, c.out_packets, c.out_bytes])
}

fn sources(batch: &FlowBatch, sizes: &[usize], form: u8) -> Vec<MemorySource> {
    let encode = |batch: &FlowBatch| match form {
        0 => batch.clone(),
        1 => encode_dictionaries(batch),
        _ => encode_as_file(batch),
    };
    split(batch, sizes).iter().map(|piece| MemorySource::new(vec![encode(piece)])).collect()
}

fn query(filter: Filter, threads: usize) -> Query {
    Query { networks: Some(networks()), threads, ..Query::new(filter) }
}

fn parse(text: &str) -> Filter {
    let networks = networks();
    Filter::parse(text, &ParseOptions { networks: Some(&*networks), ..ParseOptions::default() }).unwrap()
}

proptest! {
    #[test]
    fn own_hosts_peers_and_networks_add_up(
        flows in any_batch(300),
        sizes in any_sizes(),
        form in 0..3_u8,
        threads in 1_usize..4,
        name in prop::sample::select(&["local", "peer", "network"][..]),
        by_proto: bool,
        order in prop::sample::select(ORDERS),
        top in 0_usize..8,
    ) {
        let statistic = statistic_by_name(name).unwrap();
        let spec = |top| StatSpec {
            statistic,
            by_proto,
            orders: vec![order],
            ascending: None,
            top,
            bounds: Bounds::default(),
        };
        let sink = Statistics { specs: vec![spec(0), spec(top)] };
        let (tables, _) = run_on(&sources(&flows, &sizes, form), &query(Filter::all(), threads), &sink).unwrap();
        let mut tables = tables.into_iter().flatten().map(|table| {
            let batches: Vec<FlowBatch> = table.rows.collect::<Result<_, _>>().unwrap();
            batches.iter().flat_map(|batch| {
                (0..batch.len()).map(|row| {
                    let value = batch.column(statistic.fields[0]).get(row).to_owned();
                    let proto = by_proto.then(|| Value::Num(batch.column(Field::Proto).num(row)));
                    told(proto.into_iter().chain([value]).collect(), &naive::counters(batch, row))
                })
                .collect::<Vec<_>>()
            })
            .collect::<Vec<Told>>()
        });
        let (all, first) = (tables.next().unwrap(), tables.next().unwrap());
        let field = if name == "network" { Field::Input } else { Field::NextHop };
        let mut expected = naive::statistic(&[ends(name, &flows)], &[field], by_proto);
        naive::sort_groups(&mut expected, order, order.ascends());
        let values: Vec<u64> = expected.iter().map(|group| order.value(&group.counters)).collect();
        let expected: BTreeSet<Told> =
            expected.into_iter().map(|group| told(group.key, &group.counters)).collect();
        prop_assert_eq!(&all.iter().cloned().collect::<BTreeSet<_>>(), &expected);
        prop_assert_eq!(all.len(), expected.len());
        // Groups of equal standing have no order between them that a sum could tell.
        let value = |(_, c): &Told| {
            let [first_ms, last_ms, flows, in_packets, in_bytes, out_packets, out_bytes] = *c;
            order.value(&Counters { first_ms, last_ms, flows, in_packets, in_bytes, out_packets, out_bytes })
        };
        prop_assert_eq!(all.iter().map(value).collect::<Vec<_>>(), &values[..]);
        let wanted = if top == 0 { values.len() } else { top.min(values.len()) };
        prop_assert_eq!(first.iter().map(value).collect::<Vec<_>>(), &values[..wanted]);
        prop_assert!(first.iter().all(|group| expected.contains(group)));
    }

    #[test]
    fn filters_and_groups_go_by_both_ends(flows in any_batch(300), sizes in any_sizes(), form in 0..3_u8) {
        let known = networks();
        let side = |row: usize| {
            let own = |field| known.number_of(flows.column(field).ip(row)) != 0;
            FlowSide::of(own(Field::SrcAddr), own(Field::DstAddr))
        };
        let addr = |field, row: usize| flows.column(field).ip(row);
        let two: IpAddr = "10.0.0.2".parse().unwrap();
        let end = |row: usize, own: bool| {
            own_ends(if own { "local" } else { "peer" }, &flows, row).contains(&(Value::Ip(two), false))
                || own_ends(if own { "local" } else { "peer" }, &flows, row).contains(&(Value::Ip(two), true))
        };
        let few = |field, row| known.name(known.number_of(addr(field, row))) == "few";
        type Matches<'a> = Box<dyn Fn(usize) -> bool + 'a>;
        let filters: [(&str, Matches<'_>); 8] = [
            ("side inbound", Box::new(|row| side(row) == FlowSide::Inbound)),
            ("not side transit", Box::new(|row| side(row) != FlowSide::Transit)),
            ("side internal or side outbound", Box::new(|row| matches!(side(row), FlowSide::Internal | FlowSide::Outbound))),
            ("local ip 10.0.0.2", Box::new(|row| end(row, true))),
            ("peer host 10.0.0.2", Box::new(|row| end(row, false))),
            ("local net 0.0.0.0/0", Box::new(|row| own_ends("local", &flows, row).iter().any(|(value, _)| matches!(value, Value::Ip(IpAddr::V4(_)))))),
            ("network few", Box::new(|row| few(Field::SrcAddr, row) || few(Field::DstAddr, row))),
            ("src network 'few'", Box::new(|row| few(Field::SrcAddr, row))),
        ];
        let key = [Field::FlowSide, Field::LocalAddr, Field::PeerAddr, Field::LocalNetwork];
        for (text, matches) in filters {
            let rows: Vec<usize> = (0..flows.len()).filter(|&row| matches(row)).collect();
            let sink = Aggregate {
                key: key.iter().copied().map(KeyPart::field).collect(),
                keep_first: false,
                direction: Direction::OneWay,
                rankings: vec![Ranking::by_appearance(0)],
                columns: key.iter().copied().chain([Field::InBytes]).collect::<FieldSet>(),
            };
            let (answers, report) = run_on(&sources(&flows, &sizes, form), &query(parse(text), 1), &sink).unwrap();
            prop_assert_eq!(report.passed, rows.len() as u64, "{}", text);
            let mut groups: Vec<(u64, IpAddr, IpAddr, u64, u64)> = Vec::new();
            for row in rows {
                let (src, dst) = (addr(Field::SrcAddr, row), addr(Field::DstAddr, row));
                let nowhere: IpAddr = "0.0.0.0".parse().unwrap();
                let (local, peer) = match side(row) {
                    FlowSide::Inbound => (dst, src),
                    FlowSide::Outbound | FlowSide::Internal => (src, dst),
                    FlowSide::Transit => (nowhere, nowhere),
                };
                let network = u64::from(if side(row) == FlowSide::Transit { 0 } else { known.number_of(local) });
                let bytes = flows.column(Field::InBytes).num(row);
                let same = |group: &&mut (u64, IpAddr, IpAddr, u64, u64)| (group.0, group.1, group.2) == (side(row) as u64, local, peer);
                match groups.iter_mut().find(same) {
                    Some(group) => group.4 += bytes,
                    None => groups.push((side(row) as u64, local, peer, network, bytes)),
                }
            }
            let batches: Vec<FlowBatch> = answers.into_iter().flatten().collect::<Result<_, _>>().unwrap();
            let found: Vec<_> = batches.iter().flat_map(|batch| (0..batch.len()).map(move |row| {
                let num = |field| batch.column(field).num(row);
                let ip = |field| batch.column(field).ip(row);
                (num(Field::FlowSide), ip(Field::LocalAddr), ip(Field::PeerAddr), num(Field::LocalNetwork), num(Field::InBytes))
            })).collect();
            prop_assert_eq!(found, groups, "{}", text);
        }
    }
}

#[test]
fn what_needs_networks_is_refused_without() {
    let error = Filter::parse("proto tcp and side inbound", &ParseOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "Line 1: own networks are not known at 'side'");
    assert_eq!(error.exit_code(), 254);
    let networks = networks();
    let options = ParseOptions { networks: Some(&*networks), ..ParseOptions::default() };
    let error = Filter::parse("network 'no such'", &options).unwrap_err();
    assert_eq!(error.to_string(), "Line 1: There is no own network of this name at ''no such''");
}
