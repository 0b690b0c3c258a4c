//! One kernel, for `cargo xtask counts`: `kernels NAME FILE`, where FILE is where it may put its flows.
//!
//! The instructions of the functions called `kernel_*` are counted, once for each flow of the data; nothing of them may be
//! merged into their caller.

use std::hint::black_box;
use std::path::Path;
use std::process::ExitCode;

use flow_benches::{batches, store};
use flow_file::{Compression, FlowFile};
use flow_filter::Filter;
use flow_model::{Field, FieldSet, FlowBatch, Order, statistic_by_name};
use flow_query::{
    Aggregate, Bounds, Direction, MemorySource, Query, Ranking, Sink, StatSpec, Statistics, run_on,
};

const FLOWS: u64 = 200_000;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [name, path] = args.as_slice() else { return usage() };
    let path = Path::new(path);
    store(path, &batches(FLOWS), Compression::Lz4);
    let file = FlowFile::open(path).expect("the file just written");
    match name.as_str() {
        "decode" => kernel_decode(&file),
        "statistic" => {
            let statistic = statistic_by_name("srcip").expect("a statistic of the catalogue");
            let (orders, bounds) = (vec![Order::Bytes], Bounds::default());
            let spec = StatSpec { statistic, by_proto: false, orders, ascending: None, top: 10, bounds };
            kernel_statistic(&source(&file), &Statistics { specs: vec![spec] });
        }
        "aggregate" => {
            let aggregate = Aggregate {
                key: Aggregate::five_tuple(),
                keep_first: true,
                direction: Direction::OneWay,
                rankings: vec![Ranking::by(Order::Bytes, 10)],
                columns: FieldSet::of(&[Field::FirstMs, Field::LastMs, Field::InPackets, Field::InBytes]),
            };
            kernel_aggregate(&source(&file), &aggregate);
        }
        _ => return usage(),
    }
    ExitCode::SUCCESS
}

fn usage() -> ExitCode {
    ExitCode::FAILURE
}

/// The columns of `-s srcip/bytes`, out of the file.
#[inline(never)]
fn kernel_decode(file: &FlowFile) {
    let mut batch = FlowBatch::new(0);
    for number in 0..file.block_count() {
        let block = file.block(number).expect("a sound block");
        batch.reset(block.rows());
        let fields = [Field::SrcAddr, Field::FirstMs, Field::LastMs, Field::InPackets, Field::InBytes];
        block.read(FieldSet::of(&fields), &mut batch).expect("a sound block");
        black_box(&batch);
    }
}

/// `-s srcip/bytes` over decoded columns.
#[inline(never)]
fn kernel_statistic(source: &[MemorySource], sink: &Statistics) {
    answer(source, sink);
}

/// `-s record/bytes` over decoded columns.
#[inline(never)]
fn kernel_aggregate(source: &[MemorySource], sink: &Aggregate) {
    answer(source, sink);
}

fn answer<S: Sink>(source: &[MemorySource], sink: &S) {
    let query = Query { threads: 1, ..Query::new(Filter::all()) };
    black_box(run_on(source, &query, sink)).expect("columns in memory cannot be damaged");
}

/// The flows as they are decoded from the file: with dictionaries.
fn source(file: &FlowFile) -> [MemorySource; 1] {
    let read = |number| {
        let block = file.block(number).expect("a sound block");
        let mut batch = FlowBatch::new(block.rows());
        block.read(FieldSet::ALL, &mut batch).expect("a sound block");
        batch
    };
    [MemorySource::new((0..file.block_count()).map(read).collect())]
}
