//! Writing blocks and decoding columns.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use flow_benches::{batches, store};
use flow_file::{Compression, FlowFile};
use flow_model::{Field, FieldSet, FlowBatch};

const FLOWS: u64 = 200_000;

fn write(criterion: &mut Criterion) {
    let batches = batches(FLOWS);
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("flows");
    let mut group = criterion.benchmark_group("write");
    group.throughput(Throughput::Elements(FLOWS));
    for (name, compression) in
        [("light", Compression::Light), ("lz4", Compression::Lz4), ("zstd", Compression::Zstd(3))]
    {
        group.bench_function(name, |bencher| bencher.iter(|| store(&path, &batches, compression)));
    }
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("flows");
    store(&path, &batches(FLOWS), Compression::Lz4);
    let file = FlowFile::open(&path).expect("the file just written");
    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(FLOWS));
    let sets = [
        ("small keys", vec![Field::Proto, Field::TcpFlags, Field::Input, Field::SrcMask]),
        ("addresses", vec![Field::SrcAddr, Field::DstAddr]),
        ("ports", vec![Field::SrcPort, Field::DstPort]),
        ("counters", vec![Field::InPackets, Field::InBytes]),
        ("times", vec![Field::FirstMs, Field::LastMs]),
    ];
    for (name, fields) in sets {
        let fields = FieldSet::of(&fields);
        group.bench_function(name, |bencher| bencher.iter(|| read_all(&file, fields)));
    }
    group.bench_function("everything", |bencher| {
        bencher.iter(|| {
            for block in 0..file.block_count() {
                read_block(&file, block, file.block_fields(block));
            }
        });
    });
    group.bench_function("open", |bencher| bencher.iter(|| black_box(FlowFile::open(&path)).is_ok()));
    group.finish();
}

fn read_all(file: &FlowFile, fields: FieldSet) {
    for block in 0..file.block_count() {
        read_block(file, block, fields);
    }
}

fn read_block(file: &FlowFile, block: usize, fields: FieldSet) {
    let open = file.block(block).expect("the file just written");
    let mut batch = FlowBatch::new(open.rows());
    open.read(fields, &mut batch).expect("the file just written");
    black_box(batch);
}

criterion_group!(benches, write, read);
criterion_main!(benches);
