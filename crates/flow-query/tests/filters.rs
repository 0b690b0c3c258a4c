//! Filters beside the real nfdump 1.7.1: over the corpus of its files both find the same flows, for every expression of the
//! contract that both accept, and for random ones.
//!
//! A flow is known by its place in the input, which nfdump prints as `%cnt`. Files of which nfdump 1.7.1 reads other flows
//! than there are stay out ([`NOT_READ`]). Deliberate differences stand in [`RULED`] with the number of their ruling.

use flow_file::FlowFile;
use flow_filter::{EvalContext, FileContext, Filter, ParseOptions};
use flow_model::{BlockStats, Field, FieldSet, FlowBatch, NoMembership, Prune, Selection};
use flow_testkit::conditions::{corpus, program, trial};
use flow_testkit::generate::Rng;
use libtest_mimic::{Arguments, Failed};
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Files that nfdump 1.7.1 reads differently, in the order in which they are looked at, and why.
const NOT_READ: &[(&str, &str)] = &[
    ("v1.6.13/append-pcap", APPENDED),
    ("v1.6.13/crafted-v0", "nfdump 1.7.1 skips the records of nfdump before 1.6.12"),
    ("v1.6.13/nfgen", UNCOUNTED),
    ("v1.6.13/unfinished-lzo", UNCOUNTED),
    ("v1.6.25/append-pcap", APPENDED),
    ("v1.6.25/nfgen", UNCOUNTED),
    ("v1.6.25/unfinished-lz4", UNCOUNTED),
    ("v1.7.1/unfinished-lz4", UNCOUNTED),
    ("v1.7.8/mix-zstd", ZSTD),
    ("v1.7.8/mix-zstdl19", ZSTD),
    ("v1.7.8/unfinished-lz4", UNCOUNTED),
    ("v1.7.8/written-zstd", ZSTD),
];
const APPENDED: &str = "the header counts the blocks of the first run only, and nfdump stops there";
const UNCOUNTED: &str = "the header counts no block, and nfdump believes it";
const ZSTD: &str = "nfdump 1.7.1 knows no zstd";

/// Expressions of which the two find different flows, and why. Random expressions do without what is named here.
const RULED: &[(&str, &str)] = &[
    (" ", COMMENT),
    ("# only comment", COMMENT),
    ("net 0.0.0.0/0", FAMILY),
    ("net 10.0.0.1/0", FAMILY),
    ("net ::/0", FAMILY),
    ("nfversion 9", HEADER),
    ("nfversion > 5", HEADER),
    ("sysid 1", HEADER),
];
const COMMENT: &str = "D-11: a filter without a word matches everything, and in nfdump nothing";
const FAMILY: &str = "a network of no bits matches its family, and in nfdump whatever has zeros in front";
const HEADER: &str = "nfdump forgets version and exporter of records in layout 1";

/// Random expressions that are tried, and what they are drawn from.
const RANDOM: usize = 300;
const SEED: u64 = 0x0017_0001;

fn main() {
    let needed = program("nfdump").and_then(|nfdump| Ok((nfdump, corpus()?.join("nffiles"))));
    let contract = needed.clone();
    let trials = vec![
        trial("expressions_of_the_contract", contract, |(nfdump, files)| {
            let expressions = include_str!("../../flow-filter/tests/contract.tsv").lines().skip(1);
            let expressions = expressions.filter_map(|line| line.split('\t').next());
            let unescaped = |text: &str| text.replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r");
            compare(&nfdump, &files, &|_| expressions.clone().map(unescaped).collect())
        }),
        trial("random_expressions", needed, |(nfdump, files)| {
            compare(&nfdump, &files, &|input| {
                let mut rng = Rng::new(SEED);
                (0..RANDOM).map(|_| expression(&mut rng, input, 3)).collect()
            })
        }),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// A file's flows in blocks.
struct Input {
    ident: String,
    blocks: Vec<(BlockStats, FlowBatch)>,
}

/// Files whose flows both read, and where nfdump finds them in the same order; what it reads differently must be known.
fn read(nfdump: &Path, files: &Path, into: &Path) -> Result<Vec<Input>, Failed> {
    let mut inputs = Vec::new();
    let mut unlike = Vec::new();
    for release in ["v1.6.13", "v1.6.25", "v1.7.1", "v1.7.8"] {
        let mut paths: Vec<PathBuf> = fs::read_dir(files.join(release))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_, Failed>>()?;
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "nf")) {
            let name = format!("{release}/{}", path.file_stem().unwrap_or_default().to_string_lossy());
            // One file of many blocks is enough. Flows with addresses of both families are of IPv6 to nfdump, and of IPv4
            // to us.
            if name.contains("/blocks-") && name != "v1.7.1/blocks-lz4" || name.contains("/both-") {
                continue;
            }
            let file = FlowFile::open(path)?;
            let mut blocks = Vec::new();
            for number in 0..file.block_count() {
                let batch = file.block(number)?.to_batch(FieldSet::ALL)?;
                blocks.push((BlockStats::of(&batch), batch));
            }
            let input = Input { ident: file.ident().to_owned(), blocks };
            let ours = found(&Filter::all(), std::slice::from_ref(&input));
            if asked(nfdump, &["-r".as_ref(), path.as_os_str()], "any")?.is_none_or(|theirs| theirs != ours) {
                unlike.push(name);
                continue;
            }
            if input.blocks.iter().any(|(_, batch)| (0..batch.len()).any(|row| is_ruled(batch, row))) {
                continue;
            }
            fs::copy(path, into.join(format!("nfcapd.{:03}", inputs.len())))?;
            inputs.push(input);
        }
    }
    let known: Vec<&str> = NOT_READ.iter().map(|(name, _)| *name).collect();
    if unlike != known {
        return Err(format!("nfdump reads these files differently: {unlike:?}").into());
    }
    Ok(inputs)
}

/// Whether a flow ends before it begins: nfdump gives it a huge duration (D-31).
fn is_ruled(batch: &FlowBatch, row: usize) -> bool {
    let number = |field| batch.column(field).num(row);
    number(Field::LastMs) < number(Field::FirstMs)
}

/// Tries expressions on both programs, on as many threads as there are cores.
fn compare(nfdump: &Path, files: &Path, expressions: &dyn Fn(&[Input]) -> Vec<String>) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let input = read(nfdump, files, directory.path())?;
    let expressions = expressions(&input);
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let compared = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(text) = expressions.get(next.fetch_add(1, Ordering::Relaxed)) {
                    match differs(nfdump, directory.path(), text, &input) {
                        Ok(None) => {}
                        Ok(Some(difference)) if difference.is_empty() => {
                            compared.fetch_add(1, Ordering::Relaxed);
                        }
                        Ok(Some(difference)) => wrong.lock().expect("no panic").push(difference),
                        Err(error) => wrong.lock().expect("no panic").push(format!("{text}: {error:?}")),
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().expect("no panic");
    let compared = compared.into_inner();
    if !wrong.is_empty() {
        return Err(format!("{} differ, {compared} do not\n{}", wrong.len(), wrong.join("\n")).into());
    }
    // AS numbers and words of later releases are refused by nfdump 1.7.1, and many of the contract by both.
    if compared < expressions.len() / 2 {
        Err(format!("only {compared} were compared").into())
    } else {
        Ok(())
    }
}

/// What the two find differently, empty when nothing; `None` when one of them does not accept the expression.
fn differs(nfdump: &Path, directory: &Path, text: &str, input: &[Input]) -> Result<Option<String>, Failed> {
    let localhost = |name: &str| match name {
        "localhost" => Ok(vec![IpAddr::from([127, 0, 0, 1])]),
        _ => Err("unknown".to_owned()),
    };
    let options = ParseOptions { resolve: Some(&localhost), ..ParseOptions::default() };
    let Ok(filter) = Filter::parse(text, &options) else {
        return Ok(None);
    };
    let Some(theirs) = asked(nfdump, &["-R".as_ref(), directory.as_os_str()], text)? else {
        return Ok(None);
    };
    if RULED.iter().any(|(known, _)| *known == text) {
        return Ok(None);
    }
    let ours = found(&filter, input);
    if ours == theirs {
        return Ok(Some(String::new()));
    }
    let only = |these: &[u64], others: &[u64]| -> Vec<u64> {
        these.iter().copied().filter(|flow| !others.contains(flow)).take(5).collect()
    };
    Ok(Some(format!(
        "{text}\n  nfdump finds {}, we {}; only nfdump: {:?}, only we: {:?}",
        theirs.len(),
        ours.len(),
        only(&theirs, &ours),
        only(&ours, &theirs)
    )))
}

/// The places of the flows nfdump finds, from 1; `None` when it refuses the expression.
fn asked(nfdump: &Path, selection: &[&OsStr], text: &str) -> Result<Option<Vec<u64>>, Failed> {
    let output = Command::new(nfdump)
        .args(["-q", "-o", "fmt:%cnt"])
        .args(selection)
        .arg(text)
        .env("TZ", "UTC")
        .output()?;
    if !output.status.success() {
        return Ok(None);
    }
    let lines = String::from_utf8_lossy(&output.stdout);
    // The second line that nfdump prints for a flow in a tunnel (D-35) has the number 0.
    Ok(Some(lines.lines().filter_map(|line| line.trim().parse().ok()).filter(|&place| place > 0).collect()))
}

/// The places of the flows we find, from 1, block by block with pruning.
fn found(filter: &Filter, input: &[Input]) -> Vec<u64> {
    let mut found = Vec::new();
    let mut first_row = 0;
    for file in input {
        for (stats, batch) in &file.blocks {
            let mut selection = Selection::all(batch.len());
            match filter.prune(stats, &NoMembership, &FileContext { ident: &file.ident }) {
                Prune::Never => selection = Selection::none(batch.len()),
                Prune::Maybe => {
                    filter.eval(batch, &EvalContext { ident: &file.ident, first_row }, &mut selection);
                }
                Prune::Always => {}
            }
            selection.for_each(|row| found.push(first_row + row as u64 + 1));
            first_row += batch.len() as u64;
        }
    }
    found
}

/// A random expression about values that occur, `depth` levels deep at most.
fn expression(rng: &mut Rng, input: &[Input], depth: u32) -> String {
    let mut text = String::new();
    for operand in 0..=rng.below(3) {
        if operand > 0 {
            text.push_str(rng.pick(&[" and ", " or ", " && ", " || ", " and ", " or "]));
        }
        if rng.chance(20) {
            text.push_str(rng.pick(&["not ", "!", "not not "]));
        }
        if depth > 0 && rng.chance(35) {
            let _ = write!(text, "({})", expression(rng, input, depth - 1));
        } else {
            text.push_str(&primitive(rng, input));
        }
    }
    text
}

/// A flow that occurs: its batch and row.
fn any_flow<'i>(rng: &mut Rng, input: &'i [Input]) -> (&'i FlowBatch, usize) {
    loop {
        let file = &input[rng.below(input.len() as u64) as usize];
        if file.blocks.is_empty() {
            continue;
        }
        let (_, batch) = &file.blocks[rng.below(file.blocks.len() as u64) as usize];
        if !batch.is_empty() {
            return (batch, rng.below(batch.len() as u64) as usize);
        }
    }
}

fn primitive(rng: &mut Rng, input: &[Input]) -> String {
    /// Words, and the field their number is taken from; `true` when comparators are taken.
    const NUMBERS: &[(&str, Field, bool)] = &[
        ("port", Field::SrcPort, true),
        ("src port", Field::SrcPort, true),
        ("dst port", Field::DstPort, true),
        ("src or dst port", Field::DstPort, true),
        ("src and dst port", Field::DstPort, true),
        ("packets", Field::InPackets, true),
        ("in packets", Field::InPackets, true),
        ("out packets", Field::OutPackets, true),
        ("bytes", Field::InBytes, true),
        ("out bytes", Field::OutBytes, true),
        ("flows", Field::Flows, true),
        ("tos", Field::SrcTos, true),
        ("dst tos", Field::DstTos, true),
        ("src or dst tos", Field::SrcTos, true),
        ("proto", Field::Proto, false),
        ("if", Field::Input, false),
        ("in if", Field::Input, false),
        ("out if", Field::Output, false),
        ("mask", Field::SrcMask, false),
        ("dst mask", Field::DstMask, false),
        ("vlan", Field::SrcVlan, false),
        ("src vlan", Field::SrcVlan, false),
        ("engine-type", Field::EngineType, true),
        ("engine-id", Field::EngineId, true),
        ("fwdstat", Field::FwdStatus, false),
        ("flags", Field::TcpFlags, true),
        ("asa event", Field::FwEvent, true),
        ("asa xevent", Field::FwXevent, true),
        ("nat event", Field::NatEvent, true),
        ("xport", Field::XlateSrcPort, true),
        ("ingress vrf", Field::IngressVrf, false),
        ("egress vrf", Field::EgressVrf, false),
        ("ingress acl", Field::IngressAcl, false),
        ("pblock start", Field::PblockStart, true),
        ("pblock end", Field::PblockEnd, true),
        ("observation domain id", Field::ObservationDomainId, false),
    ];
    const ADDRESSES: &[(&str, Field)] = &[
        ("ip", Field::SrcAddr),
        ("host", Field::DstAddr),
        ("src ip", Field::SrcAddr),
        ("dst host", Field::DstAddr),
        ("src or dst ip", Field::DstAddr),
        ("src and dst ip", Field::SrcAddr),
        ("next ip", Field::NextHop),
        ("bgpnext ip", Field::BgpNextHop),
        ("router ip", Field::RouterAddr),
        ("xip", Field::XlateSrcAddr),
    ];
    const FIXED: &[&str] = &[
        "any",
        "ipv4",
        "ipv6",
        "inet",
        "inet6",
        "proto tcp",
        "proto udp",
        "proto icmp",
        "proto icmp6",
        "flags S",
        "flags SA",
        "flags AP",
        "flags X",
        "not flags S",
        "flags R",
        "flowdir ingress",
        "dir 1",
        "mpls label1 > 0",
        "mpls exp1 > 2",
        "server latency > 0",
        "client latency > 10",
        "app latency 0",
        "asa event create",
        "nat event add",
        "port in pblock",
        "ident none",
        "tun proto 4",
    ];
    let (batch, row) = any_flow(rng, input);
    match rng.below(10) {
        0..4 => {
            let (word, field, comparators) = rng.pick(NUMBERS);
            let comparator = if comparators {
                rng.pick(&["", "= ", "== ", "> ", "< ", ">= ", "<= ", "gt ", "le "])
            } else {
                ""
            };
            let number = batch.column(field).num(row);
            match field {
                Field::TcpFlags => format!("{word} {comparator}{}", number & 63),
                _ => format!("{word} {comparator}{number}"),
            }
        }
        4..6 => {
            let (word, field) = rng.pick(ADDRESSES);
            let addr = batch.column(field).ip(row);
            // What a record does not have is 0.0.0.0 in nfdump even where it has an address of the other family.
            if addr.is_unspecified() { "not any".to_owned() } else { format!("{word} {addr}") }
        }
        6 => {
            let addr = batch.column(Field::SrcAddr).ip(row);
            if addr.is_unspecified() {
                return "any".to_owned();
            }
            let len = if addr.is_ipv4() { 8 + rng.below(25) } else { 65 + rng.below(64) };
            format!("{}net {addr}/{len}", rng.pick(&["", "src ", "dst "]))
        }
        7 => {
            let side = rng.pick(&["", "src ", "dst "]);
            let count = 1 + rng.below(6);
            let mut entries: Vec<String> = Vec::new();
            let ports = rng.chance(50);
            for _ in 0..count {
                let (batch, row) = any_flow(rng, input);
                let entry = if ports {
                    batch.column(Field::DstPort).num(row).to_string()
                } else {
                    batch.column(Field::SrcAddr).ip(row).to_string()
                };
                if !entries.contains(&entry) && !["0.0.0.0", "::"].contains(&&*entry) {
                    entries.push(entry);
                }
            }
            if entries.is_empty() {
                return "any".to_owned();
            }
            format!(
                "{side}{} in [ {} ]",
                if ports { "port" } else { "ip" },
                entries.join(rng.pick(&[" ", ", ", ","]))
            )
        }
        8 => {
            let word = rng.pick(&["bps", "pps", "bpp", "duration", "bytes", "packets"]);
            format!(
                "{word} {} {}",
                rng.pick(&[">", "<", ">=", "<="]),
                rng.pick(&["0", "1", "60", "1k", "100k", "1m", "5M"])
            )
        }
        _ => rng.pick(FIXED).to_owned(),
    }
}
