//! A second opinion: what `rcapd -f` stores of each capture of the corpus are the flows that tshark sees in it, by number
//! and by addresses.
//!
//! tshark reads a capture twice (`-2`), so that data before their template are dissected, as we keep them until it comes. Records of
//! options data are no flows; which they are follows from the options templates that tshark shows. Where the two do not agree,
//! [`EXCEPTIONS`] says by how many flows, and why.

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use flow_testkit::conditions::{Needed, captures, program, trial};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Map, Value};
use support::output;
use xtask::programs::Programs;

/// A capture whose flows differ.
struct Exception {
    case: &'static str,
    /// Flows that only tshark sees, with their addresses.
    theirs: usize,
    /// Flows that only we see.
    ours: usize,
    why: &'static str,
}

const fn exception(case: &'static str, theirs: usize, ours: usize, why: &'static str) -> Exception {
    Exception { case, theirs, ours, why }
}

const STOPS: &str = "tshark stops at the record count of the v9 header, which is too small; the sets behind it are well formed";

const EXCEPTIONS: &[Exception] = &[
    exception(
        "ipfix-enterprise-mix",
        16,
        16,
        "addresses in elements of Cisco (PEN 9: 12236, 12237), which tshark names otherwise",
    ),
    exception(
        "ipfix-vflow",
        0,
        3,
        "tshark takes padding behind an options template for another one, and gives the message up",
    ),
    exception(
        "sflow5-pmacctd",
        1,
        1,
        "IPv4 in IPv6: which header is the outer one gets lost in tshark's output",
    ),
    exception("v5-two-pdus", 0, 29, "two messages in one datagram: tshark reads the first"),
    exception("v9-graylog-21", 0, 3, STOPS),
    exception("v9-graylog-truncated", 0, 2, STOPS),
    exception("v9-h3c", 0, 15, "variable-length fields in v9: tshark loses the boundaries of records"),
    exception("v9-invalid-01", 0, 2, STOPS),
    exception(
        "v9-template-redefined",
        0,
        1,
        "tshark keeps the first definition of a template, by which the data of the second are too short",
    ),
];

/// Where there is no address.
const NONE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Source and destination.
type Pair = (IpAddr, IpAddr);

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_args();
    let programs = Arc::new(Programs::for_tests()?);
    let needed = needed();
    let trials = match needed {
        Ok((tshark, captures)) => {
            let names: BTreeSet<String> = captures.iter().map(|capture| name_of(capture)).collect();
            let mut trials: Vec<Trial> = captures
                .into_iter()
                .map(|capture| case(capture, tshark.clone(), Arc::clone(&programs)))
                .collect();
            trials.push(Trial::test("every exception is one of a capture", move || exceptions(&names)));
            trials
        }
        Err(reason) => vec![trial::<()>("every capture", Err(reason), |()| Ok(()))],
    };
    libtest_mimic::run(&arguments, trials).exit();
}

fn needed() -> Needed<(PathBuf, Vec<PathBuf>)> {
    Ok((program("tshark")?, captures()?))
}

fn case(capture: PathBuf, tshark: PathBuf, programs: Arc<Programs>) -> Trial {
    let name = name_of(&capture);
    Trial::test(name.clone(), move || check(&name, &capture, &tshark, &programs))
}

fn name_of(capture: &Path) -> String {
    capture.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// An exception that is no longer needed must not stay.
fn exceptions(names: &BTreeSet<String>) -> Result<(), Failed> {
    match EXCEPTIONS.iter().find(|exception| !names.contains(exception.case)) {
        Some(exception) => Err(format!("no capture is called {}", exception.case).into()),
        None => Ok(()),
    }
}

fn check(name: &str, capture: &Path, tshark: &Path, programs: &Programs) -> Result<(), Failed> {
    let mut theirs = counted(dissected(capture, tshark)?);
    let mut ours = counted(stored(capture, programs)?);
    for (pair, count) in &mut theirs {
        if let Some(other) = ours.get_mut(pair) {
            let both = (*count).min(*other);
            *count -= both;
            *other -= both;
        }
    }
    let found = (theirs.values().sum::<usize>(), ours.values().sum::<usize>());
    let exception = EXCEPTIONS.iter().find(|exception| exception.case == name);
    let expected = exception.map_or((0, 0), |exception| (exception.theirs, exception.ours));
    if found == expected {
        return Ok(());
    }
    let mut report = format!("only tshark's, only ours: {found:?}, not {expected:?}");
    if let Some(exception) = exception {
        write!(report, " ({})", exception.why)?;
    }
    for (who, flows) in [("tshark", theirs), ("rdump", ours)] {
        for ((source, destination), count) in flows.into_iter().filter(|(_, count)| *count > 0).take(10) {
            write!(report, "\n{who}: {count} flows {source} to {destination}")?;
        }
    }
    Err(report.into())
}

fn counted(flows: Vec<Pair>) -> BTreeMap<Pair, usize> {
    let mut counts = BTreeMap::new();
    for pair in flows {
        *counts.entry(pair).or_default() += 1;
    }
    counts
}

/// Addresses of the flows that our programs see.
fn stored(capture: &Path, programs: &Programs) -> Result<Vec<Pair>, Failed> {
    let directory = tempfile::tempdir()?;
    output(programs.command("rcapd").arg("-f").arg(capture).arg("-w").arg(directory.path()))?;
    let listed = output(programs.command("rdump").arg("-R").arg(directory.path()).args([
        "-q",
        "-6",
        "-o",
        "fmt:%sa %da",
    ]))?;
    let pair = |line: &str| -> Option<Pair> {
        let (source, destination) = line.trim().split_once(char::is_whitespace)?;
        let address = |text: &str| {
            text.trim().parse().ok().map(|addr: IpAddr| if addr.is_unspecified() { NONE } else { addr })
        };
        Some((address(source)?, address(destination)?))
    };
    listed.lines().map(|line| pair(line).ok_or_else(|| format!("not two addresses: {line}").into())).collect()
}

/// Addresses of the flows that tshark sees.
fn dissected(capture: &Path, tshark: &Path) -> Result<Vec<Pair>, Failed> {
    let mut command = Command::new(tshark);
    command.arg("-2").arg("-r").arg(capture).args([
        "-n",
        "-d",
        "udp.port==9995,cflow",
        "-d",
        "udp.port==6343,sflow",
    ]);
    command.args(["-T", "json", "--no-duplicate-keys", "-J", "ip ipv6 cflow sflow"]);
    let packets: Value = serde_json::from_str(&output(&mut command)?)?;
    let mut seen = Seen::default();
    for packet in packets.as_array().into_iter().flatten() {
        let layers = &packet["_source"]["layers"];
        seen.sender =
            [&layers["ip"]["ip.src"], &layers["ipv6"]["ipv6.src"]].map(ToString::to_string).concat();
        for message in objects(&layers["cflow"]) {
            seen.message(message);
        }
        for datagram in objects(&layers["sflow"]) {
            seen.samples(datagram);
        }
    }
    Ok(seen.flows)
}

/// What was seen so far.
#[derive(Default)]
struct Seen {
    flows: Vec<Pair>,
    sender: String,
    /// Sender, domain and number of templates whose data are options.
    options: BTreeSet<(String, String, String)>,
}

impl Seen {
    /// NetFlow and IPFIX: records are `pdu 1/3`, or `Flow 1` within `FlowSet 1 [id=256] (3 flows)`, for
    /// IPFIX `Set 1 [id=256] (3 flows)`.
    fn message(&mut self, message: &Map<String, Value>) {
        let domain = ["cflow.source_id", "cflow.od_id"].map(|name| text(message, name)).concat();
        for (key, value) in message {
            for item in objects(value) {
                if key.starts_with("pdu ") {
                    self.flow(item);
                } else if key.starts_with("FlowSet ") || key.starts_with("Set ") {
                    self.set(&domain, key, item);
                }
            }
        }
    }

    fn set(&mut self, domain: &str, title: &str, set: &Map<String, Value>) {
        let id = title.split_once("[id=").and_then(|(_, rest)| rest.split_once(']')).map_or("", |(id, _)| id);
        let template = |id: &str| (self.sender.clone(), domain.to_owned(), id.to_owned());
        if id == "1" || id == "3" {
            let defined = set
                .values()
                .flat_map(objects)
                .map(|definition| template(&text(definition, "cflow.template_id")));
            let defined: Vec<_> = defined.collect();
            self.options.extend(defined);
        } else if !self.options.contains(&template(id)) {
            for (_, records) in set.iter().filter(|(key, _)| key.starts_with("Flow ")) {
                objects(records).for_each(|record| self.flow(record));
            }
        }
    }

    fn flow(&mut self, record: &Map<String, Value>) {
        let address = |names: [&str; 2]| first(record, &names);
        self.flows.push((
            address(["cflow.srcaddr", "cflow.srcaddrv6"]),
            address(["cflow.dstaddr", "cflow.dstaddrv6"]),
        ));
    }

    /// sFlow: samples are `Flow sample, seq 1` and `Expanded flow sample, seq 1`, with the sampled header's layers in them.
    fn samples(&mut self, datagram: &Map<String, Value>) {
        for (key, value) in datagram {
            if key.to_lowercase().contains("flow sample") {
                for sample in objects(value) {
                    let mut found = Map::new();
                    collect(sample, &mut found);
                    self.flows.push((
                        first(&found, &["ip.src", "ipv6.src", "sflow_245.ipv4_src", "sflow_245.ipv6_src"]),
                        first(&found, &["ip.dst", "ipv6.dst", "sflow_245.ipv4_dst", "sflow_245.ipv6_dst"]),
                    ));
                }
            }
        }
    }
}

/// The first values of all names in and below an object.
fn collect(object: &Map<String, Value>, into: &mut Map<String, Value>) {
    for (name, value) in object {
        let inner: Vec<_> = objects(value).collect();
        if inner.is_empty() {
            into.entry(name.clone()).or_insert_with(|| value.clone());
        }
        for object in inner {
            collect(object, into);
        }
    }
}

/// An object, or those in a list: names that occur twice have a list of values.
fn objects(value: &Value) -> impl Iterator<Item = &Map<String, Value>> {
    let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    list.iter().filter_map(Value::as_object)
}

fn text(object: &Map<String, Value>, name: &str) -> String {
    object.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The first address that is there under one of these names; unspecified if none is.
fn first(record: &Map<String, Value>, names: &[&str]) -> IpAddr {
    let parse = |value: &Value| value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
    let mut found = names.iter().filter_map(|name| record.get(*name)).filter_map(|value| match value {
        // An element that occurs twice: the outer header first.
        Value::Array(values) => values.first().and_then(parse),
        value => parse(value),
    });
    // A record may have elements of both families, one of them zero.
    found.find(|addr| !addr.is_unspecified()).unwrap_or(NONE)
}
