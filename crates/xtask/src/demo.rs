//! `cargo xtask demo`: the three programs at work, command by command.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::capture::replay_capture;
use crate::process::{Collector, free_port};
use crate::programs::{NAMES, Programs, root};

/// `cargo xtask demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Build without optimisation (builds faster, runs slower)
    #[arg(long)]
    dev: bool,
    /// Leave the directory of the demonstration where it is
    #[arg(long)]
    keep: bool,
}

/// The shipped hour of generated traffic, and its flows.
const HOUR: &str = "testdata/pcap/hour-mixed/case.pcap";
const HOUR_FLOWS: &str = "Flows: 7500";
/// 2026-01-12 10:00 UTC, the name of its first file.
const HOUR_START: u64 = 1_768_212_000;
const SLOT: u64 = 300;
/// A shipped capture of a real router, read as a file.
const ROUTER: &str = "testdata/pcap/v9-ubnt-edgerouter-mpls/case.pcap";
/// A shipped capture of a real exporter, sent over loopback, and its flows.
const LIVE: &str = "testdata/pcap/v9-softflowd-big/case.pcap";
const LIVE_FLOWS: &str = "Flows: 158";
/// How many of the twelve files shall be too old.
const EXPIRED: u64 = 7;

/// Runs the demonstration.
///
/// # Errors
///
/// When a command fails or does not show what it should.
pub fn run(args: &DemoArgs) -> Result<()> {
    let start = Instant::now();
    let profile = if args.dev { "" } else { " --release" };
    let packages: String = NAMES.iter().flat_map(|name| [" -p ", *name]).collect();
    println!("$ cargo build{profile}{packages}");
    let programs = Programs::build(!args.dev)?;
    let built = start.elapsed();

    let scratch = tempfile::Builder::new().prefix("rdump-demo-").tempdir().context("temporary directory")?;
    let mut stage = Stage::new(&programs, scratch.path())?;
    let result = play(&mut stage);
    if args.keep {
        println!("\nleft in {}", scratch.keep().display());
    }
    result?;
    println!(
        "\ndemo: {} commands, all as expected; {:.0} s to build, {:.1} s to run",
        stage.shown,
        built.as_secs_f64(),
        start.elapsed().saturating_sub(built).as_secs_f64()
    );
    Ok(())
}

fn play(stage: &mut Stage) -> Result<()> {
    stage.say("A capture of what a router exported.");
    stage.show("mkdir $D/router $D/hour $D/live")?;
    stage.show(&format!("rcapd -f {ROUTER} -w $D/router"))?;
    stage.show("rdump -R $D/router -o long -c 6")?.has("Summary: total flows: 6")?;

    stage.say("An hour of traffic from a capture: the packets' own times decide which file a flow goes to.");
    stage.show(&format!("rcapd -f {HOUR} -w $D/hour -I demo"))?;
    stage.show("ls -s $D/hour")?;
    ensure!(stage.files("hour")? == 12, "an hour gives twelve five-minute files");

    stage.say("What is in them?");
    stage.show("rdump -R $D/hour -I")?.has(HOUR_FLOWS)?;
    stage.show("rdump -R $D/hour -c 8")?.has("Date first seen")?.has("Summary: total flows: 8")?;
    stage.show("rdump -R $D/hour -c 3 -o csv")?.has("ts,te,td,sa,da,sp,dp,pr")?;

    stage.say("A filter: whole words, nets, ports, counters.");
    stage
        .show(
            "rdump -R $D/hour -o long 'src net 10.0.0.0/12 and proto tcp and dst port 443 and bytes > 20k'",
        )?
        .has("Summary: total flows:")?;

    stage.say("Who sent most, and which services were busy in half of the hour?");
    stage.show("rdump -R $D/hour -s srcip/bytes -n 5")?.has("Top 5 Src IP Addr ordered by bytes")?;
    stage
        .show("rdump -R $D/hour -t 2026/01/12.10:15:00-2026/01/12.10:45:00 -s dstport:p/packets -n 5")?
        .has("Top 5 Dst Port ordered by packets")?;

    stage.say("Traffic between networks and services, added up and sorted.");
    stage.show("rdump -R $D/hour -A srcip4/24,dstport,proto -O bytes -n 6")?.has("Src IP Addr")?;

    stage.say("Live: a collector on loopback, fed with what a real exporter sent.");
    live(stage)?;
    stage.show("rdump -R $D/live -I")?.has(LIVE_FLOWS)?;
    stage.show("rdump -R $D/live -o extended -c 5 'proto udp'")?.has("Summary: total flows: 5")?;
    stage.show("rdump -R $D/live -o json -c 1 'proto icmp'")?.has("\"proto\" : 1")?;

    stage.say("Disk space: delete what is older than allowed; the names of the files tell their age.");
    let age = seconds_since_1970()?
        .checked_sub(HOUR_START + EXPIRED * SLOT - SLOT / 2)
        .context("the clock of this machine is before the demonstration's capture")?;
    stage.show(&format!("rexpire -e $D/hour -t {} -w 100", age_argument(age)))?;
    stage.show("ls $D/hour")?;
    ensure!(stage.files("hour")? == 12 - EXPIRED, "the older files are deleted and the newer ones kept");
    Ok(())
}

/// Starts a collector, replays a capture into it, stops it.
fn live(stage: &mut Stage) -> Result<()> {
    let port = free_port()?;
    let directory = stage.directory.join("live");
    let pid_file = stage.directory.join("rcapd.pid");
    stage.print(&format!("rcapd -b 127.0.0.1 -p {port} -w $D/live -P $D/rcapd.pid &"));
    let mut command = stage.programs.command("rcapd");
    command.args(["-b", "127.0.0.1", "-p", &port.to_string(), "-w"]).arg(&directory).arg("-P").arg(&pid_file);
    let collector = Collector::start(command, port)?;

    stage.print(&format!("cargo xtask replay --to 127.0.0.1:{port} {LIVE}"));
    let sent = replay_capture(&root().join(LIVE), collector.address(), 1000.0)?;
    println!("{sent} datagrams sent to {}", collector.address());
    let queue = collector.drained(Duration::from_secs(10))?;
    ensure!(queue.dropped == 0, "the kernel dropped {} datagrams", queue.dropped);

    let pid = fs::read_to_string(&pid_file).context("reading the pid file")?;
    ensure!(pid.trim() == collector.pid().to_string(), "the pid file holds {pid}");
    stage.print("kill -TERM $(cat $D/rcapd.pid)");
    let status = collector.terminate(Duration::from_secs(20))?;
    ensure!(status.success(), "rcapd ended with {status}");
    ensure!(!pid_file.exists(), "rcapd removes its pid file");
    Ok(())
}

/// Where the commands run: in the source tree, with the programs on the path and `$D` for the scratch directory.
struct Stage<'a> {
    programs: &'a Programs,
    directory: PathBuf,
    shown: usize,
}

impl<'a> Stage<'a> {
    fn new(programs: &'a Programs, directory: &Path) -> Result<Self> {
        let bin = programs.directory();
        let bin =
            bin.strip_prefix(root()).map_or_else(|_| bin.to_owned(), |below| Path::new("$PWD").join(below));
        println!("$ export TZ=UTC PATH=\"{}:$PATH\" D={}", bin.display(), directory.display());
        let directory = directory.canonicalize().context("temporary directory")?;
        Ok(Self { programs, directory, shown: 0 })
    }

    #[expect(clippy::unused_self, reason = "reads like the other steps")]
    fn say(&self, text: &str) {
        println!("\n# {text}");
    }

    fn print(&mut self, line: &str) {
        self.shown += 1;
        println!("$ {line}");
    }

    /// Prints the line, runs it as a shell would, prints its output.
    fn show(&mut self, line: &str) -> Result<Shown> {
        self.print(line);
        let output = Command::new("sh")
            .args(["-c", line])
            .current_dir(root())
            .env("PATH", self.programs.search_path()?)
            .env("D", &self.directory)
            .env("TZ", "UTC")
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .output()
            .context("running sh")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        print!("{text}");
        if !text.is_empty() && !text.ends_with('\n') {
            println!();
        }
        eprint!("{}", String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            bail!("`{line}`: {}", output.status);
        }
        Ok(Shown { line: line.to_owned(), text })
    }

    /// How many finished files a sub-directory holds.
    fn files(&self, name: &str) -> Result<u64> {
        let entries =
            fs::read_dir(self.directory.join(name)).context("reading the demonstration's directory")?;
        let mut count = 0;
        for entry in entries {
            let name = entry?.file_name();
            let digits = name.to_string_lossy().strip_prefix("nfcapd.").map(str::len);
            count += u64::from(digits == Some(12));
        }
        Ok(count)
    }
}

/// What a command printed.
struct Shown {
    line: String,
    text: String,
}

impl Shown {
    fn has(self, expected: &str) -> Result<Self> {
        ensure!(self.text.contains(expected), "`{}` should print `{expected}`", self.line);
        Ok(self)
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the program's edge")]
fn seconds_since_1970() -> Result<u64> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Ok(now.context("the clock is before 1970")?.as_secs())
}

/// An age in rexpire's words: weeks, days, hours and minutes, rounded down to minutes.
fn age_argument(seconds: u64) -> String {
    let minutes = seconds / 60;
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let (days, hours) = (hours / 24, hours % 24);
    format!("{}w{}d{hours}H{minutes}M", days / 7, days % 7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_sums_of_terms() {
        assert_eq!(age_argument(0), "0w0d0H0M");
        assert_eq!(age_argument(8 * 86_400 + 2 * 3600 + 3 * 60 + 59), "1w1d2H3M");
    }
}
