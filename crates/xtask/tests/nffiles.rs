//! rdump on nfdump's own files: the corpus holds files of four releases, each with what nfdump printed of it. Our answer to
//! the same question must be the same text, but for what a ruling allows. Where nothing is recorded, the installed nfdump
//! 1.7.1 is asked.
//!
//! Every recording in the corpus is either asked for here or of a kind that stands in [`ELSEWHERE`]; a recording of another
//! kind fails the run. Deliberate differences stand in [`RULED`], each with the number of its ruling (D-nn).

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use flow_testkit::conditions::{corpus, program, trial};
use libtest_mimic::{Arguments, Failed, Trial};
use support::comparison::{
    Difference::{All, Columns, Keys, Lines, Order, TunnelRows},
    EXPORTER, Question, Ruled, difference, every_ruling, info_lines, matches, ruled, under, without_run,
};
use xtask::programs::Programs;

/// Recordings that are compared: the folder, what follows the name of the file, and the question. Text is compared with
/// 1.7.1, the reference, and with 1.6.25, the other dialect; the stored totals are compared with every release, because its
/// collector stored them.
const COMPARED: &[(&str, &str, Question)] = &[
    ("v1.7.1", ".csv", Question::Csv),
    ("v1.7.1", ".csv.sha256", Question::Csv),
    ("v1.7.1", ".json", Question::Json),
    ("v1.7.1", ".json.sha256", Question::Json),
    ("v1.7.1", ".exporters", Question::Exporters),
    ("v1.7.1", ".verify", Question::Verify),
    ("v1.6.13", ".by171.csv", Question::Csv),
    ("v1.6.13", ".by171.json", Question::Json),
    ("v1.6.25", ".by171.csv", Question::Csv),
    ("v1.6.25", ".by171.json", Question::Json),
    ("v1.6.25", ".csv", Question::Csv1_6),
    ("v1.6.25", ".csv.sha256", Question::Csv1_6),
    ("v1.6.25", ".json", Question::Json1_6),
    ("v1.6.25", ".fmt", Question::Fmt1_6),
    ("v1.6.13", ".info", Question::Info),
    ("v1.6.25", ".info", Question::Info),
    ("v1.7.1", ".info", Question::Info),
    ("v1.7.8", ".info", Question::Info),
    ("v1.6.13/damaged", ".info", Question::Info),
    ("v1.6.25/damaged", ".info", Question::Info),
    ("v1.6.13/damaged", ".by171.info", Question::Info),
    ("v1.6.25/damaged", ".by171.info", Question::Info),
    ("v1.7.1/damaged", ".info", Question::Info),
    ("v1.7.8/damaged", ".info", Question::Info),
];

/// Folders of sound files, and what the installed nfdump is asked about each of them: its 1.7.1 reads them all but for
/// zstd.
const LIVE: &[(&str, &[Question])] = &[
    ("v1.6.13", &[Question::Exporters, Question::Verify, Question::ExtensionMaps]),
    ("v1.6.25", &[Question::Exporters, Question::Verify, Question::ExtensionMaps]),
    ("v1.7.1", &[Question::ExtensionMaps, Question::Raw, Question::Pipe]),
    ("v1.7.8", &[Question::Verify]),
];

/// Kinds of recordings that are not compared here, and why.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    ("", ".flows.jsonl", "fields of every flow: the tests of the reader"),
    ("", ".flows.sha256", "fields of every flow: the tests of the reader"),
    ("", ".recoverable.jsonl", "fields of every flow: the tests of the reader"),
    ("", ".recoverable.sha256", "fields of every flow: the tests of the reader"),
    ("", ".recoverable.err", "messages of the tool that made the corpus"),
    ("", ".meta.json", "what the file says of itself: the tests of the reader"),
    ("", ".err", "nfdump's messages; ours are our own"),
    ("", ".by171.err", "nfdump's messages; ours are our own"),
    ("", ".fmt.sha256", "D-29: columns of which one differs, so the hash does"),
    ("v1.6.13", ".fmt", "text of another release"),
    ("v1.6.13", ".csv", "text of another release"),
    ("v1.6.13", ".csv.sha256", "text of another release"),
    ("v1.6.13", ".exporters", "text of another release"),
    ("v1.6.13", ".verify", "text of another release"),
    ("v1.6.25", ".json.sha256", "keys of whole groups, so the hash differs"),
    ("v1.6.25", ".exporters", "text of another release"),
    ("v1.6.25", ".verify", "text of another release"),
    ("v1.7.8", ".csv", "text of another release"),
    ("v1.7.8", ".csv.sha256", "text of another release"),
    ("v1.7.8", ".json", "text of another release"),
    ("v1.7.8", ".json.sha256", "text of another release"),
    ("v1.7.8", ".exporters", "text of another release"),
    ("v1.7.8", ".verify", "text of another release"),
    ("archive", ".by178.out", "text of another release"),
    ("archive", ".by178.err", "text of another release"),
    ("archive", ".flows.err", "messages of the tool that made the corpus"),
    ("v1.6.13/damaged", ".csv", DAMAGED),
    ("v1.6.13/damaged", ".verify", DAMAGED),
    ("v1.6.25/damaged", ".csv", DAMAGED),
    ("v1.6.25/damaged", ".verify", DAMAGED),
    ("v1.7.1/damaged", ".csv", DAMAGED),
    ("v1.7.1/damaged", ".verify", DAMAGED),
    ("v1.7.8/damaged", ".csv", DAMAGED),
    ("v1.7.8/damaged", ".verify", DAMAGED),
    ("v1.6.13/damaged", ".by171.csv", DAMAGED),
    ("v1.6.13/damaged", ".by171.json", DAMAGED),
    ("v1.6.25/damaged", ".by171.csv", DAMAGED),
];

const DAMAGED: &str =
    "nfdump stops at damage; what can be read behind it is compared by the tests of the reader";

const TUNNEL: &str = "D-35: no extra rows for tunnels";
const TO_THE_END: &str = "the header counts fewer blocks than there are; we read all";
const TYPE_1: &str = "1.7.1 does not read the flow records of nfdump 1.6.11 and before";
const EVENTS_OF_1_6: &str = "1.7.1 leaves out the events of files of 1.6 in json, though not in csv";
const UNREADABLE: &str = "D-12: nothing is read of such a file; nfdump prints zeros";
const ADDED_UP: &str = "nfdump says nothing where the appendix is lost; we say what the flows add up to";
const SYSID: &str =
    "nfdump gives exporters new numbers when it reads several files; we keep those of the files";
const ZSTD: &str = "1.7.1 knows no zstd";
const NO_MESSAGE: &str = "D-98: no message where parsers expect rows; the summary holds zeros";
const NAT_NAMES: &str = "D-34: NAT events have names of their own; where there is a firewall event, too, 1.6 shows one number for both";
const EVENT_KEYS: &[&str] = &[
    "connect_id",
    "dst4_xlt_ip",
    "dst6_xlt_ip",
    "dst_xlt_port",
    "egress_acl",
    "egress_vrf",
    "event",
    "event_id",
    "ingress_acl",
    "ingress_vrf",
    "nat_event",
    "nat_event_id",
    "pblock_end",
    "pblock_size",
    "pblock_start",
    "pblock_step",
    "src4_xlt_ip",
    "src6_xlt_ip",
    "src_xlt_port",
    "t_event",
    "user_name",
    "xevent_id",
];

/// Of a record with both kinds of events.
const NEL_KEYS: &[&str] = &["event", "event_id", "nat_event"];

const MISC_KEYS: &[&str] = &[
    "input_snmp",
    "output_snmp",
    "src_mask",
    "dst_mask",
    "src_net",
    "dst_net",
    "fwd_status",
    "direction",
    "dst_tos",
];

const RULED: &[Ruled] = &[
    ruled("v1.7.1/append-pcap.csv", TunnelRows, TUNNEL),
    ruled("v1.7.1/pcap-1.csv", TunnelRows, TUNNEL),
    ruled("v1.7.1/written-*.csv", TunnelRows, TUNNEL),
    ruled("archive/flat-csv.by171.out", TunnelRows, TUNNEL),
    ruled("archive/tree-csv.by171.out", TunnelRows, TUNNEL),
    ruled("archive/flat-from.by171.out", TunnelRows, TUNNEL),
    ruled("archive/tree-range.by171.out", TunnelRows, TUNNEL),
    ruled("archive/flat-line.by171.out", Lines(TUNNEL_LINES), TUNNEL),
    ruled("archive/flat-long.by171.out", Lines(TUNNEL_LINES), TUNNEL),
    ruled("archive/flat-csv.by171.out", Columns(&[EXPORTER]), SYSID),
    ruled("archive/tree-csv.by171.out", Columns(&[EXPORTER]), SYSID),
    ruled("archive/flat-range.by171.out", Columns(&[EXPORTER]), SYSID),
    ruled("archive/flat-damaged-*.out", All, "D-12: nfdump stops at the damaged file; we go on"),
    ruled("v1.7.1/unfinished-lz4.csv.sha256", All, TO_THE_END),
    ruled("v1.7.1/unfinished-lz4.json.sha256", All, TO_THE_END),
    ruled("v1.7.1/unfinished-lz4.verify", All, TO_THE_END),
    ruled("v1.6.13/append-pcap.by171.*", All, TO_THE_END),
    ruled("v1.6.25/append-pcap.by171.*", All, TO_THE_END),
    ruled("v1.6.13/crafted-v0.by171.*", All, TYPE_1),
    ruled("v1.6.13/nfgen.by171.*", All, TO_THE_END),
    ruled("v1.6.25/nfgen.by171.*", All, TO_THE_END),
    ruled("v1.6.13/aggregated.by171.json", Keys(MISC_KEYS), "1.7.1 makes up a group of zeros"),
    ruled("v1.6.25/aggregated.by171.json", Keys(MISC_KEYS), "1.7.1 makes up a group of zeros"),
    ruled("v1.6.13/crafted-none.by171.json", Keys(EVENT_KEYS), EVENTS_OF_1_6),
    ruled("v1.6.25/crafted-none.by171.json", Keys(EVENT_KEYS), EVENTS_OF_1_6),
    ruled("v1.6.13/nsel-none.by171.json", Keys(EVENT_KEYS), EVENTS_OF_1_6),
    ruled("v1.6.25/nsel-none.by171.json", Keys(EVENT_KEYS), EVENTS_OF_1_6),
    ruled("v1.6.25/ipfix-none.by171.json", Keys(EVENT_KEYS), EVENTS_OF_1_6),
    ruled(
        "v1.6.25/ipfix-none.by171.json",
        Keys(MISC_KEYS),
        "1.7.1 loses the direction of a biflow, and its group",
    ),
    ruled(
        "v1.7.1/append-nfcapd.exporters",
        Order,
        "1.7.1 lists an exporter out of turn that got another number",
    ),
    ruled("v1.6.25/empty-slot.csv", All, NO_MESSAGE),
    ruled("v1.6.25/empty-slot-lz4.csv", All, NO_MESSAGE),
    ruled("v1.6.25/nsel-lz4.json", Keys(NEL_KEYS), NAT_NAMES),
    ruled("v1.6.25/nsel-none.json", Keys(NEL_KEYS), NAT_NAMES),
    ruled("v1.6.25/crafted-bz2.json", Keys(&["nat_event"]), NAT_NAMES),
    ruled("v1.6.25/crafted-lz4.json", Keys(&["nat_event"]), NAT_NAMES),
    ruled("v1.6.25/crafted-lzo.json", Keys(&["nat_event"]), NAT_NAMES),
    ruled("v1.6.25/crafted-none.json", Keys(&["nat_event"]), NAT_NAMES),
    ruled("v1.6.25/ipfix-lz4.json", Keys(&["nat_event"]), NAT_NAMES),
    ruled("v1.6.25/ipfix-none.json", Keys(&["nat_event"]), NAT_NAMES),
    ruled("v1.6.13/damaged/header-20-bytes-none.info", All, UNREADABLE),
    ruled("v1.6.25/damaged/header-20-bytes-none.info", All, UNREADABLE),
    ruled("v1.7.1/damaged/appendix-offset-beyond-none.info", All, ADDED_UP),
    ruled("v1.7.1/damaged/trunc-in-*.info", All, ADDED_UP),
    ruled("v1.7.8/damaged/appendix-offset-beyond-none.info", All, ADDED_UP),
    ruled("v1.7.8/damaged/trunc-in-*.info", All, ADDED_UP),
    ruled("v1.7.1/damaged/compression-9-none.info", All, UNREADABLE),
    ruled("v1.7.8/damaged/compression-9-none.info", All, UNREADABLE),
    ruled("live/v1.6.13/append-pcap.nf ExtensionMaps", All, TO_THE_END),
    ruled("live/v1.6.13/append-pcap.nf Verify", All, TO_THE_END),
    ruled("live/v1.6.25/append-pcap.nf ExtensionMaps", All, TO_THE_END),
    ruled("live/v1.6.25/append-pcap.nf Verify", All, TO_THE_END),
    ruled("live/v1.6.13/nfgen.nf Verify", All, TO_THE_END),
    ruled("live/v1.6.13/nfgen.nf ExtensionMaps", All, TO_THE_END),
    ruled("live/v1.6.25/nfgen.nf Verify", All, TO_THE_END),
    ruled("live/v1.6.25/nfgen.nf ExtensionMaps", All, TO_THE_END),
    ruled("live/v1.6.13/unfinished-lzo.nf *", All, TO_THE_END),
    ruled("live/v1.6.25/unfinished-lz4.nf *", All, TO_THE_END),
    ruled("live/v1.7.1/unfinished-lz4.nf Raw", All, TO_THE_END),
    ruled("live/v1.7.1/unfinished-lz4.nf Pipe", All, TO_THE_END),
    ruled(
        "live/v1.7.1/nfgen.nf Raw",
        All,
        "the generator's first record has no times, which are shown as unknown",
    ),
    ruled("live/v1.7.1/append-pcap.nf Pipe", TunnelRows, TUNNEL),
    ruled("live/v1.7.1/pcap-1.nf Pipe", TunnelRows, TUNNEL),
    ruled("live/v1.7.1/written-*.nf Pipe", TunnelRows, TUNNEL),
    ruled("live/v1.7.8/unfinished-lz4.nf Verify", All, TO_THE_END),
    ruled("live/v1.7.8/*zstd*.nf Verify", All, ZSTD),
];

/// Rows of the archive that nfdump makes up.
const TUNNEL_LINES: &[&str] = &[
    "2023-11-14 22:13:29.009     00:00:00.491 GRE           10.9.9.1:0",
    "2023-11-14 22:13:39.019     00:00:00.481 GRE      2001:db8:b::1.0",
];

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    match corpus() {
        Err(reason) => trials.push(trial::<()>("corpus", Err(reason), |()| Ok(()))),
        Ok(corpus) => {
            let programs = Arc::new(Programs::for_tests()?);
            let folder = corpus.join("nffiles");
            let mut all = recordings(&folder)?;
            match program("nfdump") {
                Ok(nfdump) => {
                    trials.extend(rewritten(&folder, &nfdump, &programs)?);
                    all.extend(live(&folder, &nfdump)?);
                }
                Err(reason) => trials.push(trial::<()>("live", Err(reason), |()| Ok(()))),
            }
            let named: Vec<String> = all.iter().map(|recording| recording.name.clone()).collect();
            for recording in all {
                let (programs, name) = (Arc::clone(&programs), recording.name.clone());
                trials.push(Trial::test(name, move || recording.check(&programs)));
            }
            trials.extend(orphans(&folder)?);
            trials.push(Trial::test("every_ruling_covers_a_recording", move || every_ruling(RULED, &named)));
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// An answer of nfdump that ours is held against.
struct Recording {
    /// Path below the folder of files, or of the file with the question.
    name: String,
    answer: Answer,
    /// Where the question was asked.
    directory: PathBuf,
    arguments: Vec<String>,
    question: Option<Question>,
}

enum Answer {
    /// The recorded answer, or its SHA-256.
    Recorded(PathBuf),
    /// What this program says.
    Live(PathBuf),
}

/// All recordings that are compared.
fn recordings(folder: &Path) -> anyhow::Result<Vec<Recording>> {
    let mut found = Vec::new();
    for (below, suffix, question) in COMPARED {
        let directory = folder.join(below);
        for file in names(&directory)?.iter().filter_map(|name| Some(name.strip_suffix(".nf")?.to_owned())) {
            let answer = directory.join(format!("{file}{suffix}"));
            if answer.is_file() {
                let nf = format!("{file}.nf");
                found.push(Recording {
                    name: format!("{below}/{file}{suffix}"),
                    answer: Answer::Recorded(answer),
                    directory: directory.clone(),
                    arguments: question.arguments(&nf).into_iter().map(str::to_owned).collect(),
                    question: Some(*question),
                });
            }
        }
    }
    let count = found.len();
    anyhow::ensure!(count > 300, "only {count} recordings in {}", folder.display());
    found.extend(archive(&folder.join("archive"))?);
    Ok(found)
}

/// What the installed program is asked.
fn live(folder: &Path, nfdump: &Path) -> anyhow::Result<Vec<Recording>> {
    let mut found = Vec::new();
    for (below, questions) in LIVE {
        let directory = folder.join(below);
        for name in names(&directory)?.into_iter().filter(|name| name.strip_suffix(".nf").is_some()) {
            found.extend(questions.iter().map(|question| Recording {
                name: format!("live/{below}/{name} {question:?}"),
                answer: Answer::Live(nfdump.to_owned()),
                directory: directory.clone(),
                arguments: question.arguments(&name).into_iter().map(str::to_owned).collect(),
                question: Some(*question),
            }));
        }
    }
    Ok(found)
}

/// Trials that rewrite each file in every compression, and under another ident.
fn rewritten(folder: &Path, nfdump: &Path, programs: &Arc<Programs>) -> anyhow::Result<Vec<Trial>> {
    let mut trials = Vec::new();
    for below in ["v1.6.13", "v1.6.25", "v1.7.1", "v1.7.8"] {
        let directory = folder.join(below);
        for name in names(&directory)?.into_iter().filter(|name| name.strip_suffix(".nf").is_some()) {
            let (file, nfdump, programs) = (directory.join(&name), nfdump.to_owned(), Arc::clone(programs));
            let of_1_6 = below.starts_with("v1.6");
            trials.push(Trial::test(format!("rewritten/{below}/{name}"), move || {
                rewrite(&file, of_1_6, &nfdump, &programs)
            }));
        }
    }
    Ok(trials)
}

/// `-J` with every method, then `-i`. What our own reader and nfdump say of the file does not change; a file that is not
/// finished is refused.
fn rewrite(file: &Path, of_1_6: bool, nfdump: &Path, programs: &Programs) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let copy = scratch.path().join("copy");
    fs::copy(file, &copy)?;
    let run = |mut command: Command, arguments: &[&str]| {
        command.args(arguments).current_dir(scratch.path()).env("TZ", "UTC").env("LC_ALL", "C");
        command.stdin(Stdio::null()).output()
    };
    let ours = |arguments: &[&str]| run(programs.command("rdump"), arguments);
    let theirs = |arguments: &[&str]| run(Command::new(nfdump), arguments);
    // The generator of 1.6 never completed the header.
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_unfinished = name.starts_with("unfinished") || of_1_6 && name == "nfgen.nf";
    if is_unfinished {
        let before = fs::read(&copy)?;
        let (recompressed, renamed) =
            (ours(&["-J", "2", "-r", "copy"])?, ours(&["-i", "new", "-r", "copy"])?);
        let refused = recompressed.status.code() == Some(1) && renamed.status.code() == Some(1);
        return if refused && fs::read(&copy)? == before { Ok(()) } else { Err("it was rewritten".into()) };
    }
    let questions: [&[&str]; 4] =
        [&["-r", "copy", "-o", "csv"], &["-r", "copy", "-I"], &["-E", "copy"], &["-x", "copy"]];
    let answers = |ask: &dyn Fn(&[&str]) -> std::io::Result<std::process::Output>| {
        let answers = questions
            .iter()
            .map(|question| Ok(without_run(&String::from_utf8_lossy(&ask(question)?.stdout))));
        answers.collect::<Result<Vec<String>, std::io::Error>>()
    };
    let before = answers(&ours)?;
    // Of the file as it was, nfdump may read less: no zstd, and only as many blocks as the header counts.
    let mut read_by_nfdump: Option<Vec<String>> = None;
    for (method, name) in [("1", "lzo"), ("0", "not"), ("2", "bz2"), ("3", "lz4"), ("4", "zstd")] {
        let output = ours(&["-J", method, "-r", "copy"])?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if of_1_6 && method == "4" {
            if output.status.code() != Some(1) {
                return Err(format!("zstd in a file of 1.6: {said}").into());
            }
            continue;
        }
        if !said.starts_with("File copy ") || !output.status.success() {
            return Err(format!("-J {method}: {said}{}", String::from_utf8_lossy(&output.stderr)).into());
        }
        let checked = String::from_utf8_lossy(&ours(&["-v", "copy"])?.stdout).into_owned();
        if !checked.contains(&format!(" - {name} compressed")) {
            return Err(format!("-J {method}: {checked}").into());
        }
        if answers(&ours)? != before {
            return Err(format!("-J {method}: our answers change").into());
        }
        if method != "4" {
            let now = answers(&theirs)?;
            if read_by_nfdump.get_or_insert_with(|| now.clone()) != &now {
                return Err(format!("-J {method}: nfdump's answers change").into());
            }
        }
    }
    ours(&["-J", "3", "-r", "copy"])?;
    let renamed = ours(&["-i", "elsewhere", "-r", "copy"])?;
    let after = String::from_utf8_lossy(&theirs(&["-r", "copy", "-I"])?.stdout).into_owned();
    let old = before[1].lines().next().unwrap_or_default();
    let after = after.replace("Ident: elsewhere", old);
    if !renamed.status.success() || info_lines(&after, &[]) != info_lines(&before[1], &[]) {
        return Err(format!("-i: {}{after}", String::from_utf8_lossy(&renamed.stdout)).into());
    }
    Ok(())
}

/// The recordings over whole folders, as their index lists them: name of the answer, command, release.
fn archive(directory: &Path) -> anyhow::Result<Vec<Recording>> {
    let index = fs::read_to_string(directory.join("INDEX.tsv"))?;
    let mut found = Vec::new();
    for line in index.lines() {
        let mut columns = line.split('\t');
        let (Some(name), Some(command), Some("1.7.1")) = (columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        let arguments = command.split(' ').skip(1).map(str::to_owned).collect::<Vec<_>>();
        let question = match arguments.last().map(String::as_str) {
            Some("csv") if !arguments.contains(&"-s".to_owned()) => Some(Question::Csv),
            Some("-I") => Some(Question::Info),
            _ => None,
        };
        found.push(Recording {
            name: format!("archive/{name}.out"),
            answer: Answer::Recorded(directory.join(format!("{name}.out"))),
            directory: directory.to_owned(),
            arguments,
            question,
        });
    }
    anyhow::ensure!(found.len() == 12, "{} recordings in {}", found.len(), directory.display());
    Ok(found)
}

/// Names in a folder, sorted.
fn names(directory: &Path) -> anyhow::Result<Vec<String>> {
    let entries = fs::read_dir(directory)?.collect::<Result<Vec<_>, _>>()?;
    let mut names: Vec<String> =
        entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

/// A failing trial for every file beside a flow file that nothing here or elsewhere looks at.
fn orphans(folder: &Path) -> anyhow::Result<Vec<Trial>> {
    let mut trials = Vec::new();
    for below in [
        "archive",
        "v1.6.13",
        "v1.6.13/damaged",
        "v1.6.25",
        "v1.6.25/damaged",
        "v1.7.1",
        "v1.7.1/damaged",
        "v1.7.8",
        "v1.7.8/damaged",
    ] {
        let known: BTreeSet<&str> = COMPARED
            .iter()
            .filter(|(place, ..)| *place == below)
            .map(|(_, suffix, _)| *suffix)
            .chain(
                ELSEWHERE.iter().filter(|(place, ..)| place.is_empty() || *place == below).map(|row| row.1),
            )
            .chain((below == "archive").then_some(".by171.out"))
            .collect();
        for name in names(&folder.join(below))? {
            let suffix = name.find('.').map_or("", |dot| &name[dot..]);
            if !suffix.is_empty() && !matches!(suffix, ".nf" | ".tsv") && !known.contains(suffix) {
                let message = format!("{below}/{name}: no test asks for a recording of this kind");
                trials.push(Trial::test(format!("{below}/{name}"), move || Err(message.into())));
            }
        }
    }
    Ok(trials)
}

impl Recording {
    fn check(&self, programs: &Programs) -> Result<(), Failed> {
        let ours = self.ask(programs.command("rdump"))?;
        let theirs = match &self.answer {
            Answer::Recorded(path) => String::from_utf8_lossy(&fs::read(path)?).into_owned(),
            Answer::Live(nfdump) => self.ask(Command::new(nfdump))?,
        };
        let ruled: Vec<&Ruled> = RULED.iter().filter(|ruled| matches(ruled.recordings, &self.name)).collect();
        if matches!(self.question, Some(Question::Json | Question::Json1_6)) {
            // D-19: one valid document, whatever nfdump prints.
            serde_json::from_str::<serde_json::Value>(&ours)?;
        }
        let difference = under(&ruled, |ruled| self.difference(&ours, &theirs, ruled))?;
        if difference.is_empty() { Ok(()) } else { Err(difference.into()) }
    }

    /// A program's answer. Messages and exit codes are each program's own.
    fn ask(&self, mut command: Command) -> Result<String, Failed> {
        command.args(&self.arguments).current_dir(&self.directory).env("TZ", "UTC").env("LC_ALL", "C");
        let output = command.stdin(Stdio::null()).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// How our answer differs from the recorded one; empty when it does not.
    fn difference(&self, ours: &str, theirs: &str, ruled: &[&Ruled]) -> Result<String, Failed> {
        if self.name.ends_with(".sha256") && !ruled.iter().any(|ruled| matches!(ruled.what, All)) {
            return hash_difference(ours, theirs);
        }
        let of_1_6 = self.name.starts_with("live/v1.6");
        Ok(difference(self.question, of_1_6, ours, theirs, ruled))
    }
}

/// Of long answers only the hash is recorded.
fn hash_difference(ours: &str, recorded: &str) -> Result<String, Failed> {
    let mut hasher =
        Command::new(program("sha256sum")?).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut stdin = hasher.stdin.take().ok_or("sha256sum has no input")?;
    stdin.write_all(ours.as_bytes())?;
    drop(stdin);
    let found = hasher.wait_with_output()?;
    let found = String::from_utf8_lossy(&found.stdout);
    let hash = |text: &str| text.split_whitespace().next().unwrap_or_default().to_owned();
    let (found, recorded) = (hash(&found), hash(recorded));
    Ok(if found == recorded { String::new() } else { format!("hash {found}, nfdump {recorded}\n") })
}
