//! Feeding collectors over loopback without losing a datagram, and what that costs them.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use flow_testkit::traffic::{Datagram, Datagrams, Profile, Sender};

use super::Peer;
use super::data::{Data, count_flows};
use super::report::{Goal, Pair, Report};
use crate::process::{AnonymousPeak, Collector, Cost, children_cpu, free_port};
use crate::programs::Programs;

/// The row measured here.
pub(super) const ROW: &str = "ingest over loopback, CPU per flow";

/// Socket buffer asked for; the kernel cuts it to `net.core.rmem_max`.
const SOCKET_BUFFER: &str = "8388608";
/// Kernel memory in the socket at which the sender waits: a quarter of the smallest default buffer (208 KiB).
const WAIT_ABOVE: u64 = 52_000;
/// Datagrams between two looks at the socket: these and those waiting fit the smallest default buffer, at some 2.3 KiB
/// of kernel memory each.
const LOOK_EVERY: u64 = 24;
const STALLED: Duration = Duration::from_mins(1);
const ENDING: Duration = Duration::from_mins(5);

/// The measured ingest: so many flows, at so many a second. At this density the datagrams are full: some 18 flows each.
const MEASURED_FLOWS: u64 = 1_000_000;
const MEASURED_FLOWS_PER_SECOND: u64 = 100_000;
const FLOWS_PER_DATAGRAM: f64 = 18.0;

/// A collector's command line for this program and these arguments.
pub(super) fn nfcapd(peer: &Peer, directory: &Path, port: u16, interval: &str) -> Command {
    let mut command = Command::new(&peer.nfcapd);
    command.env("TZ", "UTC").args(["-y", "-b", "127.0.0.1", "-B", SOCKET_BUFFER, "-t", interval]);
    command.args(["-p", &port.to_string(), "-w"]).arg(directory);
    command
}

fn rcapd(programs: &Programs, directory: &Path, port: u16, interval: &str) -> Command {
    let mut command = programs.command("rcapd");
    command
        .args(["-b", "127.0.0.1", "-B", SOCKET_BUFFER, "-t", interval, "-p", &port.to_string(), "-w"])
        .arg(directory);
    command
}

/// Starts a collector, sends it the datagrams, waits until it has taken them, stops it. Its log goes to `log`.
///
/// # Errors
///
/// When it loses a datagram in its socket, stalls, or does not end well.
pub(super) fn feed(
    mut command: Command,
    port: u16,
    log: &Path,
    rate: Option<f64>,
    datagrams: impl Iterator<Item = Result<Datagram>>,
) -> Result<Cost> {
    let log_file = File::create(log).with_context(|| format!("writing {}", log.display()))?;
    command.stdout(Stdio::null()).stderr(log_file);
    let cpu_before = children_cpu()?;
    let start = Instant::now();
    let collector = Collector::start(command, port)?;
    let peak = AnonymousPeak::new(collector.pid());
    let status = thread::scope(|scope| {
        scope.spawn(|| peak.watch());
        let status = send(&collector, rate, datagrams).and_then(|()| {
            let queue = collector.drained(STALLED)?;
            ensure!(queue.dropped == 0, "the kernel dropped {} datagrams", queue.dropped);
            collector.terminate(ENDING)
        });
        peak.stop();
        status
    })?;
    ensure!(status.success(), "the collector ended with {status}, see {}", log.display());
    let cpu = children_cpu()?.saturating_sub(cpu_before);
    Ok(Cost { wall: start.elapsed(), cpu, anonymous: peak.octets() })
}

fn send(
    collector: &Collector,
    rate: Option<f64>,
    datagrams: impl Iterator<Item = Result<Datagram>>,
) -> Result<()> {
    let mut sender = Sender::new(collector.address(), rate)?;
    for (number, datagram) in (0u64..).zip(datagrams) {
        if number.is_multiple_of(LOOK_EVERY) {
            make_room(collector)?;
        }
        sender.send(&datagram?).context("sending to the collector")?;
    }
    Ok(())
}

/// Waits until the collector has taken most of what was sent.
fn make_room(collector: &Collector) -> Result<()> {
    let deadline = Instant::now() + STALLED;
    while collector.queue()?.waiting > WAIT_ABOVE {
        if Instant::now() > deadline {
            bail!("the collector stopped reading");
        }
        thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// Measures both collectors' CPU time on the same datagrams at a rate that neither drops.
pub(super) fn ingest(
    data: &Data,
    programs: &Programs,
    peer: Option<&Peer>,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    let flows = data.flows.min(MEASURED_FLOWS);
    let profile = Profile { span_ms: flows * 1000 / MEASURED_FLOWS_PER_SECOND, ..Profile::day(flows) };
    let rate = Some(MEASURED_FLOWS_PER_SECOND as f64 / FLOWS_PER_DATAGRAM);
    println!("{ROW}: {flows} flows at {MEASURED_FLOWS_PER_SECOND} a second, {runs} times");
    let mut pairs = Vec::new();
    for _ in 0..runs {
        let port = free_port()?;
        let directory = data.empty("ingest-ours")?;
        let log = data.directory.join("ingest-ours.log");
        let command = rcapd(programs, &directory, port, "86400");
        let ours = feed(command, port, &log, rate, Datagrams::new(&profile).map(Ok))?;
        let stored = count_flows(&mut programs.command("rdump"), &directory)?;
        ensure!(stored == flows, "rcapd stored {stored} of {flows} flows");

        let theirs = match peer {
            None => None,
            Some(peer) => {
                let port = free_port()?;
                let directory = data.empty("ingest-nfdump")?;
                let log = data.directory.join("ingest-nfdump.log");
                let command = nfcapd(peer, &directory, port, "86400");
                let cost = feed(command, port, &log, rate, Datagrams::new(&profile).map(Ok))?;
                let stored = count_flows(&mut Command::new(&peer.nfdump), &directory)?;
                ensure!(stored == flows, "nfcapd stored {stored} of {flows} flows");
                Some(cost)
            }
        };
        pairs.push(Pair { ours, theirs });
    }
    for name in ["ingest-ours", "ingest-nfdump"] {
        let _ = fs::remove_dir_all(data.directory.join(name));
    }
    report.cpu_per_flow(ROW, &pairs, flows, Goal::Times(3.0));
    Ok(())
}
