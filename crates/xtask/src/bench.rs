//! `cargo xtask bench`: the programs beside nfdump, on the same flows, in one run.
//!
//! Generated flows are ingested twice: by `rcapd` from a capture, and by nfcapd from the same datagrams over loopback,
//! paced by its socket so that none is lost (verified by count). Then every query runs alternately in both programs, once
//! with rdump on our files, once on the very files that nfdump reads; the ratio is the median of the pairs' ratios, which a
//! slow minute of the machine cannot tilt.

mod data;
mod duckdb;
mod feed;
mod queries;
mod report;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, ensure};
use clap::Args;
use flow_testkit::conditions::{Needed, program};

use crate::programs::{Programs, root};
use data::Data;
use report::Report;

/// `cargo xtask bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// How many flows: ten million need 3 GB below target/bench and some ten minutes; nfcapd's files are kept for
    /// the next time
    #[arg(long, default_value_t = 10_000_000)]
    flows: u64,
    /// A million flows and fewer runs
    #[arg(long)]
    quick: bool,
    /// Pairs of runs for each query; long ones get fewer
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Only the rows whose name contains this
    #[arg(long)]
    only: Option<String>,
    /// Make nfcapd's files again
    #[arg(long)]
    fresh: bool,
    /// Measure without nfdump
    #[arg(long)]
    alone: bool,
}

const QUICK_FLOWS: u64 = 1_000_000;
const QUICK_RUNS: usize = 3;

/// Programs to measure against.
#[derive(Clone, Debug)]
struct Peer {
    nfcapd: PathBuf,
    nfdump: PathBuf,
}

impl Peer {
    fn installed() -> Needed<Peer> {
        Ok(Peer { nfcapd: program("nfcapd")?, nfdump: program("nfdump")? })
    }
}

/// Runs the benchmark.
///
/// # Errors
///
/// When something does not run, flows are lost, or the programs' answers differ.
pub fn run(args: &BenchArgs) -> Result<()> {
    let start = Instant::now();
    let flows = if args.quick { args.flows.min(QUICK_FLOWS) } else { args.flows };
    let runs = if args.quick { args.runs.min(QUICK_RUNS) } else { args.runs }.max(1);
    let peer = if args.alone { Err("as asked".to_owned()) } else { Peer::installed() };
    let peer = peer.inspect_err(|reason| println!("without nfdump: {reason}")).ok();
    println!("building the programs");
    let programs = Programs::build(true)?;

    let directory = root().join("target/bench").join(flows.to_string());
    let mut report = Report::new(args.only.clone());
    report.machine(&programs, peer.as_ref())?;
    report.start("rdump on its own files, nfdump on its own");
    let data = Data::prepare(&directory, flows, &programs, peer.as_ref(), args.fresh, &mut report)?;
    queries::run(&data, &programs, peer.as_ref(), runs, &mut report)?;
    if report.wants(feed::ROW) {
        feed::ingest(&data, &programs, peer.as_ref(), runs.min(3), &mut report)?;
    }
    if let Some(peer) = &peer {
        report.start("both on nfdump's LZ4 files");
        queries::run_on_their_files(&data, &programs, peer, runs, &mut report)?;
    }
    duckdb::run(&data, &programs, runs, &mut report)?;
    report.print();
    println!("{flows} flows; {:.0} s in all", start.elapsed().as_secs_f64());
    ensure!(report.agrees(), "the programs' answers differ: see the column `same`");
    Ok(())
}
