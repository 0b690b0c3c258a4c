//! The queries of docs/ARCHITECTURE.md's goals, and whether both programs answer them alike.

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use flow_testkit::traffic::{Profile, Traffic};

use super::Peer;
use super::data::{Data, Set, window_time};
use super::report::{Agreement, Goal, Pair, Report};
use crate::answers::comparable;
use crate::process::{Cost, measure};
use crate::programs::Programs;

/// Runs longer than this are repeated three times at most.
const LONG: Duration = Duration::from_secs(4);
/// Runs longer than this are not repeated.
const VERY_LONG: Duration = Duration::from_secs(40);
/// How many windows a chart has.
const CHART_WINDOWS: u64 = 50;

/// One row of the table.
struct Case {
    name: &'static str,
    set: Option<Set>,
    /// One command line for each run of the program; most cases have one.
    commands: Vec<Vec<String>>,
    /// Compared instead of the measured output, where that is too long or has no counterpart.
    compared: Compared,
    goal: Goal,
    memory_goal: Option<Goal>,
    /// The goal where ours reads nfdump's files too.
    on_their_files: Goal,
}

/// On nfdump's files: never slower.
const AS_FAST: Goal = Goal::Times(1.0);
/// On nfdump's files, where columns or flows can be passed over.
const TWICE_AS_FAST: Goal = Goal::Times(2.0);

enum Compared {
    /// What was measured.
    Same,
    /// The answer to another command line.
    Instead(Vec<String>),
    /// Nothing.
    No,
}

/// Measures every case, each program on its own files.
pub(super) fn run(
    data: &Data,
    programs: &Programs,
    peer: Option<&Peer>,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    for case in cases(data) {
        let ours = Side { program: programs.path("rdump"), directory: case.set.map(|set| data.ours(set)) };
        let theirs = peer.map(|peer| peer_side(data, peer, &case));
        measure_case(&case, &ours, theirs.as_ref(), runs, report)?;
    }
    Ok(())
}

/// Measures the cases that read files, both programs on nfdump's.
pub(super) fn run_on_their_files(
    data: &Data,
    programs: &Programs,
    peer: &Peer,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    for case in cases(data).into_iter().filter(|case| case.set.is_some()) {
        let case = Case { goal: case.on_their_files, memory_goal: None, ..case };
        let theirs = peer_side(data, peer, &case);
        let ours = Side { program: programs.path("rdump"), ..theirs.clone() };
        measure_case(&case, &ours, Some(&theirs), runs, report)?;
    }
    Ok(())
}

fn peer_side(data: &Data, peer: &Peer, case: &Case) -> Side {
    Side { program: peer.nfdump.clone(), directory: case.set.map(|set| data.theirs(set)) }
}

fn measure_case(
    case: &Case,
    ours: &Side,
    theirs: Option<&Side>,
    runs: usize,
    report: &mut Report,
) -> Result<()> {
    if !report.wants(case.name) {
        return Ok(());
    }
    println!("{}", case.name);
    let agreement = match theirs {
        Some(theirs) => compare(case, ours, theirs)?,
        None => Agreement::NotCompared,
    };
    let mut pairs: Vec<Pair> = Vec::new();
    while pairs.len() < allowed(pairs.first(), runs) {
        let ours = ours.measure(case)?;
        let theirs = theirs.map(|theirs| theirs.measure(case)).transpose()?;
        pairs.push(Pair { ours, theirs });
    }
    report.case(case.name, &pairs, case.goal, case.memory_goal, agreement);
    Ok(())
}

/// How many pairs to measure, by how long the first took.
fn allowed(first: Option<&Pair>, runs: usize) -> usize {
    let wall = first
        .map_or(Duration::ZERO, |pair| pair.ours.wall.max(pair.theirs.map_or(Duration::ZERO, |c| c.wall)));
    if wall > VERY_LONG {
        1
    } else if wall > LONG {
        runs.min(3)
    } else {
        runs
    }
}

fn cases(data: &Data) -> Vec<Case> {
    let whole = |name, arguments: &[&str], goal| Case {
        name,
        set: Some(Set::Whole),
        commands: vec![words(&["-R", "."]).into_iter().chain(words(arguments)).collect()],
        compared: Compared::Same,
        goal,
        memory_goal: None,
        on_their_files: TWICE_AS_FAST,
    };
    let listed = |name, format: &str, goal| Case {
        // Without ICMP, of which nfcapd 1.7.1 loses type and code (D-100).
        compared: Compared::Instead(words(&[
            "-R",
            ".",
            "-o",
            format,
            "-c",
            "200000",
            "proto tcp or proto udp",
        ])),
        // Every column is wanted.
        on_their_files: AS_FAST,
        ..whole(name, &["-o", format], goal)
    };
    let host = rare_host(data);
    let present = format!("host {host}");
    // 198.51.100.0/24 is for documentation (RFC 5737): the generator leaves it out.
    let absent = "host 198.51.100.77";
    vec![
        whole("-s srcip/bytes", &["-s", "srcip/bytes"], Goal::Times(15.0)),
        // Not the destination port: there nfcapd 1.7.1 loses ICMP's type and code (D-100).
        whole("-s srcport/flows", &["-s", "srcport/flows"], Goal::Times(15.0)),
        whole(
            "filter and statistic",
            &["-s", "srcip/bytes", "proto tcp and dst port 443 and bytes > 10000"],
            Goal::Times(10.0),
        ),
        whole("one address, in few blocks", &["-o", "csv", &present], Goal::Times(20.0)),
        whole("one address, absent", &["-s", "srcip/bytes", absent], Goal::Times(100.0)),
        Case {
            memory_goal: Some(Goal::Times(10.0)),
            on_their_files: AS_FAST,
            // Debian's nfdump would print event columns by default (D-01 of the contract).
            ..whole("-s record/bytes", &["-o", "line", "-s", "record/bytes"], Goal::Times(8.0))
        },
        listed("all flows to csv", "csv", Goal::Times(8.0)),
        listed("all flows as line", "line", Goal::Times(8.0)),
        listed("all flows as long", "long", Goal::Times(8.0)),
        listed(
            "all flows in chosen columns",
            "fmt:%ts,%td,%pr,%sa,%sp,%da,%dp,%ipkt,%ibyt",
            Goal::Times(8.0),
        ),
        Case {
            // The time of receipt is each collector's own, and json is written otherwise (D-19).
            compared: Compared::No,
            ..listed("all flows as json", "json", Goal::Times(5.0))
        },
        Case {
            name: "chart: 50 windows over a day of files",
            set: Some(Set::Slots),
            commands: chart(data),
            compared: Compared::Same,
            goal: Goal::Times(50.0),
            memory_goal: None,
            on_their_files: TWICE_AS_FAST,
        },
        Case {
            name: "start-up: -V",
            set: None,
            commands: vec![words(&["-V"])],
            compared: Compared::No,
            goal: Goal::Within(Duration::from_millis(5)),
            memory_goal: None,
            on_their_files: TWICE_AS_FAST,
        },
        Case {
            name: "empty window over 2,000 files",
            set: Some(Set::Many),
            commands: vec![words(&["-R", ".", "-t", "2025/06/01-2025/06/02", "-q", "-s", "srcip/bytes"])],
            compared: Compared::No,
            goal: Goal::Within(Duration::from_millis(20)),
            memory_goal: None,
            on_their_files: TWICE_AS_FAST,
        },
    ]
}

/// One query for each interval over the same files, as a console draws a chart.
fn chart(data: &Data) -> Vec<Vec<String>> {
    let step_ms = data.span_ms / CHART_WINDOWS;
    let range = data.slot_range();
    (0..CHART_WINDOWS)
        .map(|number| {
            let from_ms = data.start_ms + number * step_ms;
            let window = format!("{}-{}", window_time(from_ms), window_time(from_ms + step_ms));
            words(&["-R", &range, "-t", &window, "-o", "csv", "-q", "-n", "10", "-s", "srcip/bytes"])
        })
        .collect()
}

/// An address with two to five flows, all of them TCP or UDP, near the middle of the traffic.
fn rare_host(data: &Data) -> IpAddr {
    const CANDIDATES: usize = 400;
    let profile = Profile::day(data.flows);
    let middle = Traffic::new(&profile).skip(data.flows as usize / 2).take(CANDIDATES);
    let mut counts: HashMap<IpAddr, (u32, bool)> = HashMap::new();
    for flow in middle {
        counts.insert(flow.src, (0, true));
        counts.insert(flow.dst, (0, true));
    }
    for flow in Traffic::new(&profile) {
        for addr in [flow.src, flow.dst] {
            if let Some((count, ports)) = counts.get_mut(&addr) {
                *count += 1;
                *ports &= matches!(flow.proto, 6 | 17);
            }
        }
    }
    let rare = counts.into_iter().filter(|(_, (count, ports))| *ports && (2..=5).contains(count));
    // The smallest, so that every run takes the same.
    rare.map(|(addr, _)| addr).min().unwrap_or(IpAddr::from([10, 0, 0, 1]))
}

/// One of the two programs with its files.
#[derive(Clone, Debug)]
struct Side {
    program: PathBuf,
    directory: Option<PathBuf>,
}

impl Side {
    fn command(&self, arguments: &[String]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("TZ", "UTC").env("LC_ALL", "C").stderr(Stdio::null());
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command
    }

    fn measure(&self, case: &Case) -> Result<Cost> {
        let mut sum = Cost::default();
        for arguments in &case.commands {
            let cost = measure(self.command(arguments).stdout(Stdio::null()))?;
            sum.wall += cost.wall;
            sum.cpu += cost.cpu;
            sum.anonymous = sum.anonymous.max(cost.anonymous);
        }
        Ok(sum)
    }

    /// The answers to all command lines, without what must differ.
    fn answer(&self, commands: &[&[String]], scratch: &Path) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        for arguments in commands {
            let file = File::create(scratch).context("scratch file")?;
            let status = self.command(arguments).stdin(Stdio::null()).stdout(file).status()?;
            if !status.success() {
                bail!("{} {arguments:?}: {status}", self.program.display());
            }
            let text = fs::read_to_string(scratch).context("reading an answer")?;
            lines.extend(comparable(&text));
        }
        Ok(lines)
    }
}

fn compare(case: &Case, ours: &Side, theirs: &Side) -> Result<Agreement> {
    let commands: Vec<&[String]> = match &case.compared {
        Compared::Same => case.commands.iter().map(Vec::as_slice).collect(),
        Compared::Instead(arguments) => vec![arguments.as_slice()],
        Compared::No => return Ok(Agreement::NotCompared),
    };
    let scratch = tempfile::NamedTempFile::new().context("scratch file")?;
    let (left, right) = (ours.answer(&commands, scratch.path())?, theirs.answer(&commands, scratch.path())?);
    if left == right {
        return Ok(Agreement::Same);
    }
    let first = left.iter().zip(&right).position(|(a, b)| a != b).unwrap_or(left.len().min(right.len()));
    println!("  ours   {} lines, line {first}: {:?}", left.len(), left.get(first));
    println!("  nfdump {} lines, line {first}: {:?}", right.len(), right.get(first));
    Ok(Agreement::Different)
}

fn words(arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|&argument| argument.to_owned()).collect()
}
