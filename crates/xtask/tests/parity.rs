//! rdump and rcapd beside the real nfdump 1.7.1: the same datagrams over loopback into nfcapd and into rcapd, then the same
//! questions; the answers must be equal byte for byte but for what a ruling allows.
//!
//! What must differ is removed on both sides: timing lines, and the time of receipt, which is each collector's own.
//! Deliberate differences stand in [`RULED`], each with the number of its ruling (D-nn).

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Failed, Trial};
use support::{output, trial};
use xtask::answers::comparable;
use xtask::capture::replay_capture;
use xtask::conditions::{Needed, corpus, program};
use xtask::process::{Collector, free_port};
use xtask::programs::{Programs, root};

/// Shipped captures; they are compared everywhere.
const SHIPPED: [&str; 9] = [
    "hour-mixed",
    "ipfix-mikrotik",
    "ipfix-openvswitch",
    "ipfix-softflowd-biflow",
    "v5-mikrotik",
    "v5-softflowd-sampled",
    "v9-cisco-asa-1",
    "v9-softflowd-big",
    "v9-ubnt-edgerouter-mpls",
];

/// What is asked. Statistics are asked for all rows and compared without their order: where values are equal nfdump's
/// order is that of its hash table (D-60). Debian's nfdump prints event columns where no format is given (D-01).
const QUESTIONS: &[(&str, &[&str], Order)] = &[
    ("csv", &["-o", "csv"], Order::Kept),
    ("line", &["-o", "line"], Order::Kept),
    ("statistic", &["-s", "srcip/bytes", "-n", "0", "-o", "csv"], Order::Free),
    ("record", &["-s", "record/bytes", "-n", "0", "-o", "line"], Order::Free),
    ("aggregation", &["-A", "srcip,dstport"], Order::Free),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Kept,
    Free,
}

/// A deliberate difference of one capture.
struct Ruled {
    case: &'static str,
    /// Why, with the number of the ruling, or the paragraph of `wire.md` §18 that lists what nfdump loses on the wire.
    ruling: &'static str,
    what: Difference,
}

enum Difference {
    /// These csv columns differ; everything else agrees.
    Columns(&'static [usize]),
    /// Counts or times differ, and so does every answer.
    Everything,
}

const RULED: &[Ruled] = &[];

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_args();
    let peer = peer();
    let programs = Arc::new(Programs::for_tests()?);
    let mut trials = Vec::new();
    for name in SHIPPED {
        let capture = root().join("testdata/pcap").join(name).join("case.pcap");
        trials.push(case(name, capture, peer.clone(), &programs));
    }
    match corpus() {
        Ok(corpus) => {
            for (name, capture) in captures(&corpus.join("packets"))? {
                if !SHIPPED.contains(&name.as_str()) {
                    trials.push(case(&name, capture, peer.clone(), &programs));
                }
            }
        }
        Err(reason) => trials.push(trial::<()>("corpus".to_owned(), Err(reason), |()| Ok(()))),
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// The real programs.
#[derive(Clone)]
struct Peer {
    nfcapd: PathBuf,
    nfdump: PathBuf,
}

fn peer() -> Needed<Peer> {
    Ok(Peer { nfcapd: program("nfcapd")?, nfdump: program("nfdump")? })
}

/// Captures of the three protocols whose exporters have IPv4 addresses, by name.
fn captures(packets: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(packets)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let wanted = ["v5-", "v9-", "ipfix-"].iter().any(|protocol| name.starts_with(protocol));
        if wanted && path.extension().is_some_and(|extension| extension == "pcap") {
            found.push((name, path));
        }
    }
    found.sort();
    Ok(found)
}

fn case(name: &str, capture: PathBuf, peer: Needed<Peer>, programs: &Arc<Programs>) -> Trial {
    let programs = Arc::clone(programs);
    let name = name.to_owned();
    trial(name.clone(), peer, move |peer| check(&name, &capture, &peer, &programs))
}

fn check(name: &str, capture: &Path, peer: &Peer, programs: &Programs) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let (ours, theirs) = (scratch.path().join("ours"), scratch.path().join("theirs"));
    store(programs.command("rcapd"), capture, &ours)?;
    store(Command::new(&peer.nfcapd), capture, &theirs)?;

    let ruled: Vec<&Ruled> = RULED.iter().filter(|ruled| ruled.case == name).collect();
    let mut differences = String::new();
    for (question, arguments, order) in QUESTIONS {
        let ask = |mut program: Command, directory: &Path| -> Result<Vec<String>, Failed> {
            program.env("TZ", "UTC").env("LC_ALL", "C").arg("-R").arg(directory).args(*arguments);
            let mut lines = comparable(&output(&mut program)?);
            for ruled in &ruled {
                if let Difference::Columns(columns) = ruled.what {
                    lines = lines.iter().map(|line| without(line, columns)).collect();
                }
            }
            if *order == Order::Free {
                lines.sort();
            }
            Ok(lines)
        };
        let ours = ask(programs.command("rdump"), &ours)?;
        let theirs = ask(Command::new(&peer.nfdump), &theirs)?;
        differences.push_str(&difference(question, &ours, &theirs));
    }

    let everything = ruled.iter().find(|ruled| matches!(ruled.what, Difference::Everything));
    match (differences.is_empty(), everything) {
        (true, None) | (false, Some(_)) => Ok(()),
        (true, Some(ruled)) => Err(format!("agrees now: take the exception away ({})", ruled.ruling).into()),
        (false, None) => Err(differences.into()),
    }
}

/// Sends the capture to a collector on loopback; its files go to `directory`.
fn store(mut collector: Command, capture: &Path, directory: &Path) -> Result<(), Failed> {
    fs::create_dir(directory)?;
    let port = free_port()?;
    collector.env("TZ", "UTC").args(["-b", "127.0.0.1", "-p", &port.to_string(), "-t", "86400", "-w"]);
    collector.arg(directory).stdout(Stdio::null()).stderr(Stdio::null());
    let collector = Collector::start(collector, port)?;
    replay_capture(capture, collector.address(), 2000.0)?;
    let queue = collector.drained(Duration::from_secs(20))?;
    if queue.dropped > 0 {
        return Err(format!("the kernel dropped {} datagrams", queue.dropped).into());
    }
    let status = collector.terminate(Duration::from_secs(30))?;
    if status.success() { Ok(()) } else { Err(format!("the collector ended with {status}").into()) }
}

/// A listed csv row without some of its columns.
fn without(line: &str, left_out: &[usize]) -> String {
    let columns: Vec<&str> = line.split(',').collect();
    if columns.len() < CSV_COLUMNS {
        return line.to_owned();
    }
    let kept = columns.iter().enumerate().filter(|(number, _)| !left_out.contains(number));
    kept.map(|(_, text)| *text).collect::<Vec<_>>().join(",")
}

/// Columns of a csv row after the time of receipt is gone.
const CSV_COLUMNS: usize = 47;

/// How two answers differ, with the first differing lines; empty when they do not.
fn difference(question: &str, ours: &[String], theirs: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text = String::new();
    if ours.len() != theirs.len() {
        text.push_str(&format!("{question}: {} lines, nfdump {}\n", ours.len(), theirs.len()));
    }
    for (ours, theirs) in ours.iter().zip(theirs).filter(|(a, b)| a != b).take(SHOWN) {
        text.push_str(&format!("{question}:\n  ours   {ours}\n  nfdump {theirs}\n"));
    }
    text
}
