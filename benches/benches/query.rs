//! Statistics, aggregation and sorting over batches in memory, on one thread.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flow_benches::batches;
use flow_filter::Filter;
use flow_model::{Field, FieldSet, Order, statistic_by_name};
use flow_query::{
    Aggregate, Bounds, Direction, MemorySource, Query, Ranking, Sink, Sort, StatSpec, Statistics, run_on,
};

const FLOWS: u64 = 500_000;
const TOP: usize = 10;

fn measure<S: Sink>(criterion: &mut Criterion, name: &str, source: &[MemorySource], sink: &S) {
    let query = Query { threads: 1, ..Query::new(Filter::all()) };
    let mut group = criterion.benchmark_group("query");
    group.throughput(Throughput::Elements(FLOWS)).sample_size(20);
    group.bench_function(name, |bencher| {
        bencher.iter(|| black_box(run_on(source, &query, sink)).is_ok());
    });
    group.finish();
}

fn statistics(criterion: &mut Criterion) {
    let source = [MemorySource::new(batches(FLOWS))];
    for name in ["srcip", "dstport", "proto", "srcas"] {
        let specs = vec![StatSpec {
            statistic: statistic_by_name(name).expect("a statistic of the catalogue"),
            by_proto: false,
            orders: vec![Order::Bytes],
            ascending: None,
            top: TOP,
            bounds: Bounds::default(),
        }];
        measure(criterion, &format!("statistic {name}"), &source, &Statistics { specs });
    }
}

fn groups(criterion: &mut Criterion) {
    let source = [MemorySource::new(batches(FLOWS))];
    let columns = FieldSet::of(&[
        Field::FirstMs,
        Field::LastMs,
        Field::Proto,
        Field::SrcAddr,
        Field::DstAddr,
        Field::SrcPort,
        Field::DstPort,
        Field::InPackets,
        Field::InBytes,
    ]);
    let aggregate = |key| Aggregate {
        key,
        keep_first: true,
        direction: Direction::OneWay,
        rankings: vec![Ranking::by(Order::Bytes, TOP)],
        columns,
    };
    measure(criterion, "aggregate five-tuple", &source, &aggregate(Aggregate::five_tuple()));
    let pair = [Field::SrcAddr, Field::DstPort].map(flow_query::KeyPart::field).to_vec();
    measure(criterion, "aggregate srcip,dstport", &source, &aggregate(pair));
    let sort = Sort { order: Order::Bytes, ascending: false, top: TOP, columns };
    measure(criterion, "top ten flows", &source, &sort);
}

criterion_group!(benches, statistics, groups);
criterion_main!(benches);
