//! What the engine costs per flow: makes a file of generated flows (once), then times queries over it.
//!
//!     cargo run --release -p flow-query --example measure -- FILE [FLOWS [THREADS [ONLY [MEMORY]]]]
//!
//! Prints, for each query whose name contains ONLY, the best wall time of five runs, their mean CPU time (which other
//! work on the machine disturbs less), and the largest anonymous memory of the process in the first run, looked at
//! every millisecond; memory that earlier queries left with the allocator is in there.
#![expect(clippy::print_stdout, reason = "its purpose")]

use flow_file::{Compression, FileTail, FileWriter, WriteOptions};
use flow_filter::{Filter, ParseOptions};
use flow_model::{BatchBuilder, CountRule, Field, FieldSet, Order, statistic_by_name};
use flow_query::{
    Aggregate, Bounds, Direction, KeyPart, Query, Ranking, Sink, Sort, StatSpec, Statistics, list, run,
};
use flow_testkit::traffic::{Flow, Profile, Traffic};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let path = args.next().ok_or("usage: measure FILE [FLOWS [THREADS [ONLY [MEMORY]]]]")?;
    let flows = args.next().map_or(Ok(1_000_000), |text| text.parse())?;
    let threads = args.next().map_or(Ok(0), |text| text.parse())?;
    let only = args.next().unwrap_or_default();
    let max_memory = args.next().map(|text| text.parse()).transpose()?;
    if !Path::new(&path).exists() {
        make(Path::new(&path), flows)?;
    }
    let query = |filter: &str| -> Result<Query, Failure> {
        let filter = Filter::parse(filter, &ParseOptions::default())?;
        Ok(Query { files: vec![path.clone().into()], threads, max_memory, ..Query::new(filter) })
    };
    let bench = Bench { only };
    let all = query("")?;
    bench.sink("totals", &all, &())?;
    for name in ["srcip", "dstip", "dstport", "proto"] {
        bench.sink(&format!("-s {name}/bytes"), &all, &statistics(name, false))?;
    }
    bench.sink("-s srcip:p/bytes", &all, &statistics("srcip", true))?;
    bench.sink(
        "filter and -s srcip/bytes",
        &query("proto tcp and dst port 443 and bytes > 10000")?,
        &statistics("srcip", false),
    )?;
    bench.sink("filter alone", &query("proto tcp and dst port 443 and bytes > 10000")?, &())?;
    bench.sink("one address", &query("host 10.0.0.77")?, &())?;
    let five_tuple = Aggregate::five_tuple;
    bench.sink("-s record/bytes", &all, &aggregate(five_tuple(), Ranking::by(Order::Bytes, 10)))?;
    bench.sink("-s record/flows", &all, &aggregate(five_tuple(), Ranking::by(Order::Flows, 10)))?;
    let pair = [Field::SrcAddr, Field::DstPort].map(KeyPart::field).to_vec();
    bench.sink("-A srcip,dstport -O bytes -n 10", &all, &aggregate(pair, Ranking::by(Order::Bytes, 10)))?;
    let proto = vec![KeyPart::field(Field::Proto)];
    bench.sink("-A proto", &all, &aggregate(proto, Ranking::by_appearance(0)))?;
    let sort = Sort { order: Order::Start, ascending: true, top: 10, columns: FieldSet::ALL };
    bench.sink("-O tstart -n 10", &all, &sort)?;
    bench.run("list", || {
        let mut octets = 0;
        let mut emit = |text: Vec<u8>| {
            octets += text.len();
            ControlFlow::Continue(())
        };
        list(&all, FieldSet::ALL, &mut emit, &|batch, _, _| vec![0; batch.len()])?;
        Ok(())
    })
}

struct Bench {
    only: String,
}

impl Bench {
    fn sink<S: Sink>(&self, name: &str, query: &Query, sink: &S) -> Result<(), Failure> {
        self.run(name, || {
            run(query, sink)?;
            Ok(())
        })
    }

    fn run(&self, name: &str, mut work: impl FnMut() -> Result<(), Failure>) -> Result<(), Failure> {
        if !name.contains(&self.only) {
            return Ok(());
        }
        const RUNS: u32 = 5;
        let mut best = Duration::MAX;
        let cpu = cpu_ms();
        let done = AtomicBool::new(false);
        let peak = std::thread::scope(|scope| {
            let watch = scope.spawn(|| {
                let mut peak = 0;
                while !done.load(Ordering::Relaxed) {
                    peak = peak.max(anonymous_mib());
                    std::thread::sleep(Duration::from_millis(1));
                }
                peak
            });
            let mut result = Ok(());
            for _ in 0..RUNS {
                let started = Instant::now();
                result = result.and_then(|()| work());
                best = best.min(started.elapsed());
                done.store(true, Ordering::Relaxed);
            }
            result.map(|()| watch.join().unwrap_or(0))
        })?;
        let cpu = (cpu_ms() - cpu) / u64::from(RUNS);
        println!("{name:32} {:9.2} ms   CPU {cpu:5} ms   {peak:5} MiB", best.as_secs_f64() * 1e3);
        Ok(())
    }
}

fn statistics(name: &str, by_proto: bool) -> Statistics {
    let statistic = statistic_by_name(name).expect("the statistic exists");
    let by_proto = by_proto || statistic.by_proto;
    Statistics {
        specs: vec![StatSpec {
            statistic,
            by_proto,
            orders: vec![Order::Bytes],
            ascending: None,
            top: 10,
            bounds: Bounds::default(),
        }],
    }
}

fn aggregate(key: Vec<KeyPart>, ranking: Ranking) -> Aggregate {
    Aggregate {
        key,
        keep_first: true,
        direction: Direction::OneWay,
        rankings: vec![ranking],
        columns: FieldSet::ALL,
    }
}

/// Writes generated flows in the collector's form.
fn make(path: &Path, flows: u64) -> Result<(), Failure> {
    let options = WriteOptions {
        ident: "measure".into(),
        format: Compression::Lz4.into(),
        rule: CountRule::Collected,
        created_ms: 1_768_176_000_000,
    };
    let mut writer = FileWriter::create(path, options)?;
    let mut builder = BatchBuilder::new();
    for flow in Traffic::new(&Profile::day(flows)) {
        put(&flow, &mut builder);
        if builder.is_full() {
            writer.write(&builder.finish())?;
        }
    }
    if !builder.is_empty() {
        writer.write(&builder.finish())?;
    }
    writer.finish(FileTail::default())?;
    Ok(())
}

fn put(flow: &Flow, builder: &mut BatchBuilder) {
    for (field, num) in [
        (Field::FirstMs, flow.first_ms),
        (Field::LastMs, flow.last_ms),
        (Field::ReceivedMs, flow.export_ms),
        (Field::SrcPort, flow.src_port.into()),
        (Field::DstPort, flow.dst_port.into()),
        (Field::Proto, flow.proto.into()),
        (Field::TcpFlags, flow.tcp_flags.into()),
        (Field::SrcTos, flow.tos.into()),
        (Field::InPackets, flow.packets),
        (Field::InBytes, flow.bytes),
        (Field::Input, flow.input_if.into()),
        (Field::Output, flow.output_if.into()),
        (Field::SrcAs, flow.src_as.into()),
        (Field::DstAs, flow.dst_as.into()),
        (Field::SrcMask, flow.src_mask.into()),
        (Field::DstMask, flow.dst_mask.into()),
        (Field::Direction, flow.direction.into()),
        (Field::SrcVlan, flow.vlan.into()),
        (Field::NfVersion, 9),
        (Field::ExporterId, 1),
    ] {
        builder.set(field, num);
    }
    builder.set_ip(Field::SrcAddr, flow.src);
    builder.set_ip(Field::DstAddr, flow.dst);
    builder.set_ip(Field::NextHop, flow.next_hop);
    builder.finish_row();
}

/// CPU time of all threads so far, in ms of 10 each; 0 where the system does not say.
fn cpu_ms() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in parentheses, user and system time are the 12th and 13th.
    let fields = stat.rsplit(')').next().unwrap_or_default();
    fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>() * 10
}

/// The anonymous memory of the process; 0 where the system does not say.
fn anonymous_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
