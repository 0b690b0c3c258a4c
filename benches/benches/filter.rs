//! Compiling filters, evaluating them over batches, and lists of a million addresses over a file.
//!
//! `LIST_FLOWS=10000000 cargo bench -p flow-benches --bench filter -- list` measures lists over that many flows.

use std::fmt::Write as _;
use std::hint::black_box;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::ControlFlow;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use flow_benches::{batches, decode_into};
use flow_file::{Compression, FileTail, FileWriter, WriteOptions};
use flow_filter::{EvalContext, Filter, ParseOptions};
use flow_model::{BatchBuilder, CountRule, Field, FieldSet, Selection};
use flow_query::{Query, list};
use flow_testkit::generate::Rng;
use flow_testkit::traffic::{Datagrams, Profile};
use flow_wire::{Decoder, DecoderOptions, Limits};

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

/// A megabyte of filter, and half of it, in shapes that a careless parser takes quadratic time for.
fn compile_long(criterion: &mut Criterion) {
    let repeated = |unit: &str, len: usize| unit.repeat(len / unit.len());
    let nested = |len: usize| {
        let level = "(src port 1 and (dst port 2 or ";
        let levels = len / (level.len() + 2);
        format!("{}any{}", level.repeat(levels), "))".repeat(levels))
    };
    let mut group = criterion.benchmark_group("parse long");
    group.sample_size(10);
    for len in [500_000, 1_000_000] {
        group.throughput(Throughput::Bytes(len as u64));
        for (name, text) in [
            ("or", repeated("src port 80 or ", len) + "any"),
            ("not", repeated("not ", len) + "proto tcp"),
            ("unlike", repeated("(proto 6 and src port 80 or bps > 5) and ", len) + "any"),
            ("nested", nested(len)),
            ("list", format!("src ip in [{}]", repeated("10.1.2.3 8.8.8.0/24 ", len))),
            ("labels", repeated("(src port 80) %web or ", len) + "any"),
        ] {
            group.bench_with_input(BenchmarkId::new(name, len), &text, |bencher, text| {
                bencher.iter(|| parse(text));
            });
        }
    }
    group.finish();
}

/// As many entries have the lists.
const LISTED: usize = 1_000_000;

/// Writes a file of `flows` flows, and finds the source address most of them have.
fn file_of(path: &Path, flows: u64) -> IpAddr {
    let options = WriteOptions {
        ident: "bench".to_owned(),
        format: Compression::Lz4.into(),
        rule: CountRule::Collected,
        created_ms: 0,
    };
    let mut writer = FileWriter::create(path, options).expect("a temporary file");
    let mut seen: HashMap<IpAddr, u64> = HashMap::new();
    let mut store = |builder: &mut BatchBuilder| {
        let batch = std::mem::take(builder).finish();
        for row in (0..batch.len()).step_by(16) {
            *seen.entry(batch.column(Field::SrcAddr).ip(row)).or_default() += 1;
        }
        writer.write(&batch).expect("room on the disk");
    };
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut builder = BatchBuilder::new();
    for datagram in Datagrams::new(&Profile::day(flows)) {
        if builder.room() < Limits::default().flows_per_datagram {
            store(&mut builder);
        }
        decode_into(&mut decoder, &datagram, &mut builder);
    }
    store(&mut builder);
    writer.finish(FileTail::default()).expect("room on the disk");
    let (&commonest, _) = seen.iter().max_by_key(|&(addr, count)| (count, addr)).expect("flows");
    commonest
}

/// An address that occurs in every block, so that no block is skipped, against a million that include it.
fn lists(criterion: &mut Criterion) {
    let flows = std::env::var("LIST_FLOWS").ok().and_then(|flows| flows.parse().ok()).unwrap_or(FLOWS);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("flows");
    let commonest = file_of(&path, flows);
    let mut rng = Rng::new(1);
    let mut entries: Vec<String> =
        (1..LISTED).map(|_| Ipv4Addr::from(rng.next_u64() as u32).to_string()).collect();
    entries.push(commonest.to_string());
    let entries = entries.join("\n");
    let read = |_: &str| Ok(entries.clone());
    let options = ParseOptions { read: Some(&read), ..ParseOptions::default() };
    let loaded = || Filter::parse("src ip in @list", &options).expect("a list of addresses");

    let mut group = criterion.benchmark_group("list");
    group.sample_size(10).throughput(Throughput::Elements(LISTED as u64));
    group.bench_function("loading a million addresses", |bencher| bencher.iter(loaded));
    group.throughput(Throughput::Elements(flows));
    for (name, filter) in
        [("an address", parse(&format!("src ip {commonest}"))), ("a million addresses", loaded())]
    {
        let query = Query { files: vec![path.clone()], threads: 1, ..Query::new(filter) };
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut emit = |text: Vec<u8>| {
                    black_box(text);
                    ControlFlow::Continue(())
                };
                let report = list(&query, FieldSet::EMPTY, &mut emit, &|_, selection: &Selection, _| {
                    (selection.count() as u64).to_le_bytes().to_vec()
                });
                let report = report.expect("a sound file");
                assert_eq!(report.blocks_skipped, 0, "both look at every block");
                report.passed
            });
        });
    }
    group.finish();
}

criterion_group!(benches, eval, compile, compile_long, lists);
criterion_main!(benches);
