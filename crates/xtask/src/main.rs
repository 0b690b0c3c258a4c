//! Command line of the project's own tasks; `cargo xtask help` lists them.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::{arrows, bench, capture, counts, demo, dist, licences, reference, words};

/// Tasks of the project.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build the programs and show what they do, command by command, in a temporary directory
    Demo(demo::DemoArgs),
    /// Measure the programs beside nfdump on the same generated flows
    Bench(bench::BenchArgs),
    /// Count the instructions of the hottest kernels with callgrind
    Counts,
    /// Write a capture of generated flows
    Traffic(capture::TrafficArgs),
    /// Send the datagrams of a capture to a collector on this machine
    Replay(capture::ReplayArgs),
    /// Hold the dependencies between the crates against the picture in docs/ARCHITECTURE.md
    CheckArrows,
    /// Write the tables of docs/reference.md from the catalogue of fields
    Reference,
    /// Build the release: a tarball and packages for Debian
    Dist(dist::DistArgs),
    /// Check the licences of the libraries that the programs contain
    CheckLicences,
    /// Look for paths of somebody's machine in the source tree
    CheckWords {
        /// Further words which must not occur
        words: Vec<String>,
        /// The tree to search
        #[arg(long, default_value = ".")]
        tree: PathBuf,
    },
}

fn main() -> Result<()> {
    match Args::parse().task {
        Task::Demo(args) => demo::run(&args),
        Task::Bench(args) => bench::run(&args),
        Task::Counts => counts::run(),
        Task::Traffic(args) => capture::write(&args),
        Task::Replay(args) => capture::replay(&args),
        Task::Reference => reference::write(),
        Task::Dist(args) => dist::run(&args),
        Task::CheckLicences => licences::check(),
        Task::CheckArrows => arrows::check(),
        Task::CheckWords { words, tree } => words::check(&tree, &words),
    }
}
