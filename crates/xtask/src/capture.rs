//! Making captures of generated flows and replaying captures over loopback.

use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use flow_testkit::traffic::{Datagrams, PcapReader, PcapWriter, Profile, Sender};

/// `cargo xtask traffic`.
#[derive(Debug, Args)]
pub struct TrafficArgs {
    /// Which traffic
    #[arg(long, value_enum, default_value_t = Kind::Hour)]
    kind: Kind,
    /// How many flows
    #[arg(long, default_value_t = 10_000)]
    flows: u64,
    /// Decides every value; the default depends on the kind
    #[arg(long)]
    seed: Option<u64>,
    /// The capture to write
    file: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Kind {
    /// An hour of a small site: NetFlow v5, v9 and IPFIX
    Hour,
    /// A day of a large network: NetFlow v9
    Day,
}

/// `cargo xtask replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// Where the collector listens: a loopback address
    #[arg(long, default_value = "127.0.0.1:9995")]
    to: SocketAddr,
    /// Datagrams a second
    #[arg(long, default_value_t = 1000.0)]
    rate: f64,
    /// The capture (pcap, Ethernet)
    file: PathBuf,
}

/// Writes a capture.
pub fn write(args: &TrafficArgs) -> Result<()> {
    let mut profile = match args.kind {
        Kind::Hour => Profile::hour(args.flows),
        Kind::Day => Profile::day(args.flows),
    };
    profile.seed = args.seed.unwrap_or(profile.seed);
    let datagrams = write_capture(&profile, &args.file)?;
    println!("{}: {} flows in {datagrams} datagrams", args.file.display(), args.flows);
    Ok(())
}

/// Replays a capture.
pub fn replay(args: &ReplayArgs) -> Result<()> {
    let datagrams = replay_capture(&args.file, args.to, args.rate)?;
    println!("{datagrams} datagrams sent to {}", args.to);
    Ok(())
}

/// Writes what the profile's exporters send; gives the number of datagrams.
pub fn write_capture(profile: &Profile, path: &Path) -> Result<u64> {
    let failed = || format!("writing {}", path.display());
    let file = File::create(path).with_context(failed)?;
    let mut writer = PcapWriter::new(BufWriter::with_capacity(1 << 20, file)).with_context(failed)?;
    let mut count = 0;
    for datagram in Datagrams::new(profile) {
        writer.write(&datagram).with_context(failed)?;
        count += 1;
    }
    writer.finish().with_context(failed)?;
    Ok(count)
}

/// Sends the datagrams of a capture, each from its own source address; gives their number.
pub fn replay_capture(path: &Path, to: SocketAddr, rate: f64) -> Result<u64> {
    let failed = || format!("replaying {}", path.display());
    let mut sender = Sender::new(to, Some(rate)).with_context(failed)?;
    let mut count = 0;
    for datagram in open(path)? {
        sender.send(&datagram.with_context(failed)?).with_context(failed)?;
        count += 1;
    }
    Ok(count)
}

/// The datagrams of a capture.
pub fn open(path: &Path) -> Result<PcapReader<BufReader<File>>> {
    let failed = || format!("reading {}", path.display());
    let file = File::open(path).with_context(failed)?;
    PcapReader::new(BufReader::with_capacity(1 << 20, file)).with_context(failed)
}
