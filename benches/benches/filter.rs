//! Compiling filters and evaluating them over batches.

use std::fmt::Write as _;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flow_benches::batches;
use flow_filter::{EvalContext, Filter, ParseOptions};
use flow_model::Selection;

const FLOWS: u64 = 200_000;

const FILTERS: [(&str, &str); 7] = [
    ("proto", "proto tcp"),
    ("port", "dst port 443"),
    ("ports", "port in [80 443 8080 8443]"),
    ("host", "host 10.1.2.3"),
    ("net", "src net 10.0.0.0/12"),
    ("counter", "bytes > 10000"),
    ("typical", "proto tcp and dst port 443 and bytes > 10000"),
];

fn parse(text: &str) -> Filter {
    Filter::parse(text, &ParseOptions::default()).expect("the benchmark's filters are right")
}

fn eval(criterion: &mut Criterion) {
    let batches = batches(FLOWS);
    let context = EvalContext { ident: "none", first_row: 0 };
    let mut group = criterion.benchmark_group("eval");
    group.throughput(Throughput::Elements(FLOWS));
    for (name, text) in FILTERS {
        let filter = parse(text);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                for batch in &batches {
                    let mut selection = Selection::all(batch.len());
                    filter.eval(batch, &context, &mut selection);
                    black_box(selection);
                }
            });
        });
    }
    group.finish();
}

fn compile(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse");
    group.bench_function("typical", |bencher| bencher.iter(|| parse(FILTERS[6].1)));
    let mut list = String::from("src ip in [");
    for number in 0..10_000u32 {
        let _ = write!(list, " {}", std::net::Ipv4Addr::from(0x0a00_0000 + number * 7));
    }
    list.push(']');
    group.bench_function("ten thousand addresses", |bencher| bencher.iter(|| parse(&list)));
    group.finish();
}

criterion_group!(benches, eval, compile);
criterion_main!(benches);
