//! rdump and rcapd beside the real nfdump 1.7.1: the same datagrams over loopback into nfcapd, or sfcapd, and into rcapd, then
//! the same questions; the answers must be equal byte for byte but for what a ruling allows.
//!
//! What must differ is removed on both sides: timing lines, and the time of receipt, which is each collector's own and the
//! only one that sFlow has, so that of sFlow the listed csv rows are compared without it.
//! Deliberate differences stand in [`RULED`], each with the number of its ruling (D-nn).

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use flow_testkit::conditions::{Needed, corpus, program, trial};
use libtest_mimic::{Arguments, Failed, Trial};
use support::output;
use xtask::answers::comparable;
use xtask::capture::replay_capture;
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

/// Left out of the corpus: nfcapd 1.7.1 listens on one family, and this exporter has an IPv6 address.
const IPV6_EXPORTER: &str = "ipfix-ipv6-exporter-104";

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

/// A difference of one capture, and why.
struct Ruled {
    case: &'static str,
    what: Difference,
    why: &'static str,
}

enum Difference {
    /// These columns of listed csv rows differ, and nothing else.
    Columns(&'static [usize]),
    /// What nfcapd stored differs, so only listed csv rows can be compared, without these columns.
    OnlyCsvWithout(&'static [usize]),
    /// Flows outside this filter differ; they are left out of every question.
    Outside(&'static str),
    /// This question.
    Question(&'static str),
    /// Every answer.
    Everything,
}

use Difference::{Columns, Everything, OnlyCsvWithout, Outside, Question};

const fn ruled(case: &'static str, what: Difference, why: &'static str) -> Ruled {
    Ruled { case, what, why }
}

// Reasons that several captures share. D-nn: rulings of the interface contract; its D-100 covers what nfcapd 1.7.1 loses on
// the wire: tests allow for it, copying it would be copying a loss.
const MASKS: &str = "D-84: nfcapd does not store the prefix lengths of v5";
const ICMP: &str = "D-100: nfcapd 1.7.1 loses type and code of ICMP in v9";
const UPTIME: &str = "D-100: nfcapd 1.7.1 swaps or loses uptime stamps (elements 21 and 22) of IPFIX";
const STAMPS: &str = "D-100: nfcapd 1.7.1 does not know these stamps (150 to 159, 323) and stores 1970";
const ZERO: &str = "D-100: nfcapd takes an uptime stamp of 0 for none";
const WRAP: &str = "D-100: nfcapd 1.7.1 does not undo a wrapped uptime of v9";
const SAMPLING: &str = "D-100: nfcapd 1.7.1 does not know this announcement of a sampling rate";
const TWICE: &str =
    "D-100: elements that occur twice, or in both families: nfcapd keeps the last, or mixes them";
const REVERSE: &str = "D-100: nfcapd writes reverse elements (RFC 5103) over the forward ones";
const PORTS: &str = "D-100: sfcapd puts type and code of ICMP into the two ports";

const TIMES: &[usize] = &[0, 1, 2];

/// Captures with data that precede their template, which nfcapd drops and ours keeps: here ours drops them, too. What they
/// are worth is held against golden values.
const LATE_TEMPLATES: [&str; 6] = [
    "ipfix-late-template",
    "ipfix-loss-a",
    "ipfix-netscaler-no-template",
    "ipfix-template-withdraw",
    "v9-data-before-template",
    "v9-fgt300d-late-template",
];

const RULED: &[Ruled] = &[
    ruled("hour-mixed", Columns(&[19, 20]), MASKS),
    ruled("hour-mixed", Outside("not proto icmp and not proto icmp6"), ICMP),
    ruled("ipfix-barracuda", OnlyCsvWithout(TIMES), UPTIME),
    ruled("ipfix-enterprise-mix", OnlyCsvWithout(&[0, 1, 2, 3, 4, 6, 11, 12, 13, 14]), TWICE),
    ruled("ipfix-ether-only", OnlyCsvWithout(&[0, 1, 2, 7]), UPTIME),
    ruled("ipfix-long-400", OnlyCsvWithout(&[0, 1, 2, 3, 4, 5, 6, 7, 9, 24]), TWICE),
    ruled("ipfix-loss-a", OnlyCsvWithout(&[0, 1, 2, 3, 4, 9, 24]), TWICE),
    ruled("ipfix-mikrotik", OnlyCsvWithout(TIMES), UPTIME),
    ruled("ipfix-mpls-ipv6", OnlyCsvWithout(&[9, 11, 12, 23]), SAMPLING),
    ruled("ipfix-netgauze-srv6", OnlyCsvWithout(&[0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 24]), TWICE),
    ruled("ipfix-netscaler", OnlyCsvWithout(TIMES), STAMPS),
    ruled("ipfix-netscaler-no-template", OnlyCsvWithout(TIMES), STAMPS),
    ruled("ipfix-openvswitch", OnlyCsvWithout(&[0, 1, 2, 6, 11, 12]), STAMPS),
    ruled("ipfix-options-reassign-112", OnlyCsvWithout(&[0, 1, 2, 9, 23, 24]), UPTIME),
    ruled("ipfix-padding-py", OnlyCsvWithout(TIMES), UPTIME),
    ruled("ipfix-softflowd", OnlyCsvWithout(TIMES), UPTIME),
    ruled("ipfix-softflowd-biflow", Columns(&[8, 10]), REVERSE),
    ruled("ipfix-softflowd-micro", OnlyCsvWithout(TIMES), STAMPS),
    ruled("ipfix-softflowd-py", OnlyCsvWithout(&[0, 1, 2, 7]), UPTIME),
    ruled("ipfix-softflowd-sampled", OnlyCsvWithout(&[0, 1, 2, 11, 12]), SAMPLING),
    ruled("ipfix-softflowd-sec", OnlyCsvWithout(TIMES), STAMPS),
    ruled("ipfix-srv6-502", OnlyCsvWithout(&[0, 1, 2, 3, 4, 5, 6, 7, 9, 24]), TWICE),
    ruled("ipfix-vflow", OnlyCsvWithout(TIMES), STAMPS),
    ruled("ipfix-yaf-applabel", Columns(&[10]), REVERSE),
    ruled(
        "sflow2-dev",
        Columns(&[46]),
        "two agents behind one address: to sfcapd they are one exporter unless their sub-agent ids differ",
    ),
    ruled("sflow4-dev", Columns(&[5, 6]), PORTS),
    ruled(
        "sflow5-akvorado-1140",
        Columns(&[25, 26]),
        "VLANs that are not known: sfcapd 1.7.1 cuts them to 16 bits",
    ),
    ruled("sflow5-goflow", Columns(&[5, 6]), PORTS),
    ruled(
        "sflow5-gopacket-eth",
        Columns(&[12]),
        "D-100: sfcapd does not take the length of a packet from the Ethernet record",
    ),
    ruled("sflow5-icmpv4", Columns(&[5, 6]), PORTS),
    ruled("sflow5-ndpi", Columns(&[5, 6]), PORTS),
    ruled("sflow5-pmacctd", Columns(&[5, 6]), "D-100: sfcapd does not read the ports of DCCP"),
    ruled("sflow5-telegraf-lag", Columns(&[5, 6]), PORTS),
    ruled("v5-akvorado-29", Columns(&[19, 20]), MASKS),
    ruled(
        "v5-invalid-01",
        Everything,
        "a record count beyond the datagram: we keep the records that are there",
    ),
    ruled("v5-tcpdump-mixed", Columns(&[19, 20]), MASKS),
    ruled("v5-uptime-wrap", Columns(&[19, 20]), MASKS),
    ruled("v5-vflow-29", Columns(&[19, 20]), MASKS),
    ruled(
        "v9-cisco-1941",
        Columns(&[25]),
        "D-100: nfcapd stores the destination VLAN (59) as the source VLAN (58)",
    ),
    ruled("v9-cisco-asa-1", OnlyCsvWithout(&[0, 1, 2, 6]), STAMPS),
    ruled("v9-data-before-template", OnlyCsvWithout(&[11, 12]), SAMPLING),
    ruled("v9-graylog-21", OnlyCsvWithout(&[6, 11, 12]), SAMPLING),
    ruled("v9-icmp", Outside("not proto icmp and not proto icmp6"), ICMP),
    ruled("v9-ie150-151", OnlyCsvWithout(TIMES), STAMPS),
    ruled("v9-invalid-01", OnlyCsvWithout(&[11, 12]), SAMPLING),
    ruled("v9-nat-events", OnlyCsvWithout(TIMES), STAMPS),
    ruled("v9-nat-port-block", OnlyCsvWithout(&[0, 1, 2, 4]), STAMPS),
    ruled("v9-nbar-262", Outside("not proto icmp and not proto icmp6"), ICMP),
    ruled("v9-nprobe-2", OnlyCsvWithout(TIMES), ZERO),
    ruled("v9-pmacct-101", OnlyCsvWithout(&[3, 4, 24]), TWICE),
    ruled("v9-softflowd-big", OnlyCsvWithout(&[0, 1, 2, 6]), ZERO),
    ruled("v9-softflowd-py", OnlyCsvWithout(TIMES), WRAP),
    ruled("v9-softflowd-valid", Outside("not proto icmp and not proto icmp6"), ICMP),
    ruled("v9-softflowd-vlan", OnlyCsvWithout(&[0, 1, 2, 6]), ZERO),
    ruled("v9-tpl-opt-data", Question("statistic"), "D-32: nfdump prints ::1 as 0.0.0.1"),
    ruled("v9-two-exporters-one-ip", Outside("not proto icmp and not proto icmp6"), ICMP),
    ruled("v9-uptime-wrap", OnlyCsvWithout(&[0, 1, 2, 6]), WRAP),
];

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_args();
    let (netflow, sflow) = (peer("nfcapd"), peer("sfcapd"));
    let programs = Arc::new(Programs::for_tests()?);
    let mut trials = Vec::new();
    for name in SHIPPED {
        let capture = root().join("testdata/pcap").join(name).join("case.pcap");
        trials.push(case(name, capture, netflow.clone(), &programs));
    }
    match corpus() {
        Ok(corpus) => {
            for (name, capture) in captures(&corpus.join("packets"))? {
                if !SHIPPED.contains(&name.as_str()) {
                    let peer = if is_sflow(&name) { &sflow } else { &netflow };
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
    collector: PathBuf,
    nfdump: PathBuf,
}

fn peer(collector: &str) -> Needed<Peer> {
    Ok(Peer { collector: program(collector)?, nfdump: program("nfdump")? })
}

fn is_sflow(case: &str) -> bool {
    case.starts_with("sflow")
}

/// Captures of these protocols whose exporters have IPv4 addresses, by name.
fn captures(packets: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(packets)? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let wanted =
            ["v5-", "v9-", "ipfix-"].iter().any(|protocol| name.starts_with(protocol)) || is_sflow(&name);
        if wanted && name != IPV6_EXPORTER && path.extension().is_some_and(|extension| extension == "pcap") {
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
    let mut collector = programs.command("rcapd");
    if LATE_TEMPLATES.contains(&name) {
        collector.args(["--limit", "waiting-sets-per-exporter=0"]);
    }
    store(collector, capture, &ours)?;
    store(Command::new(&peer.collector), capture, &theirs)?;

    let ruled: Vec<&Ruled> = RULED.iter().filter(|ruled| ruled.case == name).collect();
    let own_times = is_sflow(name);
    let mut differences = compare(&ours, &theirs, own_times, &ruled, peer, programs)?;
    // An exception that is not needed any more would hide the next difference.
    for left_out in &ruled {
        let others: Vec<&Ruled> =
            ruled.iter().filter(|other| !std::ptr::eq(**other, *left_out)).copied().collect();
        if compare(&ours, &theirs, own_times, &others, peer, programs)?.is_empty() {
            writeln!(differences, "agrees without the exception ({}): take it away", left_out.why)?;
        }
    }
    if differences.is_empty() { Ok(()) } else { Err(differences.into()) }
}

/// Asks both programs everything that can be compared; gives what differs.
fn compare(
    ours: &Path,
    theirs: &Path,
    own_times: bool,
    ruled: &[&Ruled],
    peer: &Peer,
    programs: &Programs,
) -> Result<String, Failed> {
    let is = |test: fn(&Difference) -> bool| ruled.iter().any(|ruled| test(&ruled.what));
    if is(|what| matches!(what, Everything)) {
        return Ok(String::new());
    }
    let only_csv = own_times || is(|what| matches!(what, OnlyCsvWithout(_)));
    let filters =
        ruled.iter().filter_map(|ruled| if let Outside(filter) = ruled.what { Some(filter) } else { None });
    let filters: Vec<&str> = filters.collect();
    let columns: Vec<usize> = ruled
        .iter()
        .filter_map(
            |ruled| if let Columns(list) | OnlyCsvWithout(list) = ruled.what { Some(list) } else { None },
        )
        .flatten()
        .chain(if own_times { TIMES } else { &[] })
        .copied()
        .collect();

    let mut differences = String::new();
    for (question, arguments, order) in QUESTIONS {
        let skipped = ruled.iter().any(|ruled| matches!(ruled.what, Question(name) if name == *question));
        if skipped || (only_csv && *question != "csv") {
            continue;
        }
        let ask = |mut program: Command, directory: &Path| -> Result<Vec<String>, Failed> {
            program
                .env("TZ", "UTC")
                .env("LC_ALL", "C")
                .arg("-R")
                .arg(directory)
                .args(*arguments)
                .args(&filters);
            let lines = comparable(&output(&mut program)?);
            let mut lines: Vec<String> = lines
                .into_iter()
                .filter(|line| !only_csv || is_listed(line))
                .map(|line| without(&line, &columns))
                .collect();
            if *order == Order::Free {
                lines.sort();
            }
            Ok(lines)
        };
        let ours = ask(programs.command("rdump"), ours)?;
        let theirs = ask(Command::new(&peer.nfdump), theirs)?;
        differences.push_str(&difference(question, &ours, &theirs));
    }
    Ok(differences)
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
    if !is_listed(line) {
        return line.to_owned();
    }
    let columns: Vec<&str> = line.split(',').collect();
    let kept = columns.iter().enumerate().filter(|(number, _)| !left_out.contains(number));
    kept.map(|(_, text)| *text).collect::<Vec<_>>().join(",")
}

fn is_listed(line: &str) -> bool {
    line.split(',').count() == CSV_COLUMNS
}

/// Columns of a csv row after the time of receipt is gone.
const CSV_COLUMNS: usize = 47;

/// How two answers differ, with the first differing lines; empty when they do not.
fn difference(question: &str, ours: &[String], theirs: &[String]) -> String {
    const SHOWN: usize = 3;
    let mut text: Vec<String> = Vec::new();
    if ours.len() != theirs.len() {
        text.push(format!("{question}: {} lines, nfdump {}\n", ours.len(), theirs.len()));
    }
    for (ours, theirs) in ours.iter().zip(theirs).filter(|(a, b)| a != b).take(SHOWN) {
        text.push(format!("{question}:\n  ours   {ours}\n  nfdump {theirs}\n"));
    }
    text.concat()
}
