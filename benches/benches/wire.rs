//! Decoding datagrams, flows a second.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flow_benches::datagrams;
use flow_testkit::traffic::Protocol;

const FLOWS: u64 = 50_000;

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Elements(FLOWS));
    for (name, protocol) in
        [("v5", Protocol::NetflowV5), ("v9", Protocol::NetflowV9), ("ipfix", Protocol::Ipfix)]
    {
        let datagrams = datagrams(protocol, FLOWS);
        group.bench_function(name, |bencher| bencher.iter(|| black_box(flow_benches::decode(&datagrams))));
    }
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);
