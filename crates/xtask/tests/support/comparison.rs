//! Answers of nfdump and ours to the same question about the same file, line by line, without what may differ.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use libtest_mimic::Failed;

/// What a recording answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    Csv,
    Json,
    /// The same two in the dialect of 1.6, and the columns of 1.6 that csv lacks.
    Csv1_6,
    Json1_6,
    Fmt1_6,
    Raw,
    Pipe,
    Info,
    Exporters,
    Verify,
    ExtensionMaps,
}

impl Question {
    pub(crate) fn arguments(self, file: &str) -> Vec<&str> {
        match self {
            Question::Csv => vec!["-r", file, "-o", "csv"],
            Question::Json => vec!["-r", file, "-o", "json"],
            Question::Csv1_6 => vec!["--dialect", "1.6", "-r", file, "-o", "csv"],
            Question::Json1_6 => vec!["--dialect", "1.6", "-r", file, "-o", "json"],
            Question::Fmt1_6 => vec!["--dialect", "1.6", "-r", file, "-q", "-N", "-o", COLUMNS_OF_1_6],
            Question::Raw => vec!["-r", file, "-o", "raw"],
            Question::Pipe => vec!["-r", file, "-o", "pipe", "-q"],
            Question::Info => vec!["-r", file, "-I"],
            Question::Exporters => vec!["-E", file],
            Question::Verify => vec!["-v", file],
            Question::ExtensionMaps => vec!["-x", file],
        }
    }
}

/// The columns that were recorded of the files of 1.6.
const COLUMNS_OF_1_6: &str = "fmt:%ts|%te|%tr|%exp|%it|%ic|%flg|%fwd|%stos|%ipkt|%ibyt|%opkt|%obyt|%fl|%in|%out|%sas|%das|%nas|%pas|\
%smk|%dmk|%dtos|%dir|%svln|%dvln|%ismc|%odmc|%idmc|%osmc|%mpls1|%mpls2|%mpls3|%mpls4|%mpls5|%mpls6|%mpls7|%mpls8|%mpls9|%mpls10|\
%eng|%nfc|%xevt|%iacl|%eacl|%xsp|%xdp|%uname|%ivrf|%evrf|%pbstart|%pbend|%pbstep|%pbsize|%cl|%sl|%al";

/// The place of `%mpls10` among them, which nfdump reads as `%mpls1` and a 0 (D-29).
const MPLS_10: usize = 39;

/// A difference of some recordings, and why.
pub(crate) struct Ruled {
    /// Path below the folder of files; `*` stands for anything.
    pub(crate) recordings: &'static str,
    pub(crate) what: Difference,
    pub(crate) why: &'static str,
}

pub(crate) enum Difference {
    /// These columns of csv rows, counted from 0.
    Columns(&'static [usize]),
    /// These keys of json.
    Keys(&'static [&'static str]),
    /// Lines of `-I` that start so.
    Lines(&'static [&'static str]),
    /// Rows that nfdump makes up for the ends of a tunnel.
    TunnelRows,
    /// The order of lines.
    Order,
    /// Everything.
    All,
}

pub(crate) const fn ruled(recordings: &'static str, what: Difference, why: &'static str) -> Ruled {
    Ruled { recordings, what, why }
}

/// Whether a name has the form of a pattern, in which `*` stands for anything.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|behind| {
            (0..=behind.len()).any(|skip| behind.is_char_boundary(skip) && matches(rest, &behind[skip..]))
        }),
    }
}

/// What remains different under all of the rulings, and which of them are not needed: one that is not would hide the next
/// difference.
pub(crate) fn under(
    ruled: &[&Ruled],
    difference: impl Fn(&[&Ruled]) -> Result<String, Failed>,
) -> Result<String, Failed> {
    let mut text = difference(ruled)?;
    for left_out in ruled {
        let others: Vec<&Ruled> =
            ruled.iter().filter(|other| !std::ptr::eq(**other, *left_out)).copied().collect();
        if difference(&others)?.is_empty() {
            writeln!(text, "agrees without the exception ({}): narrow it", left_out.why)?;
        }
    }
    Ok(text)
}

/// That every ruling is about some of these names.
pub(crate) fn every_ruling(ruled: &[Ruled], names: &[String]) -> Result<(), Failed> {
    let nameless = ruled.iter().find(|ruled| !names.iter().any(|name| matches(ruled.recordings, name)));
    match nameless {
        Some(Ruled { recordings, why, .. }) => Err(format!("`{recordings}` ({why}) covers nothing").into()),
        None => Ok(()),
    }
}

/// How our answer differs from nfdump's; empty when it does not.
pub(crate) fn difference(
    question: Option<Question>,
    of_1_6: bool,
    ours: &str,
    theirs: &str,
    ruled: &[&Ruled],
) -> String {
    if ruled.iter().any(|ruled| matches!(ruled.what, Difference::All)) {
        return String::new();
    }
    let lines = |answer, is_ours| comparable(question, of_1_6, answer, ruled, is_ours);
    let (ours, theirs) = (lines(ours, true), lines(theirs, false));
    let mut text = String::new();
    if ours.len() != theirs.len() {
        let _ = writeln!(text, "{} lines, nfdump {}", ours.len(), theirs.len());
    }
    let differing = ours.iter().zip(&theirs).enumerate().filter(|(_, (a, b))| a != b);
    for (number, (ours, theirs)) in differing.take(3) {
        let _ = writeln!(text, "line {}:\n  ours   {ours}\n  nfdump {theirs}", number + 1);
    }
    text
}

/// The lines that must be equal. What a ruling changes in every answer of the kind is applied to both.
fn comparable(
    question: Option<Question>,
    of_1_6: bool,
    answer: &str,
    ruled: &[&Ruled],
    is_ours: bool,
) -> Vec<String> {
    let answer = without_run(answer);
    let tunnels = !is_ours && ruled.iter().any(|ruled| matches!(ruled.what, Difference::TunnelRows));
    let mut lines = match question {
        Some(Question::Csv | Question::Csv1_6) => csv_lines(&answer, &columns(ruled), tunnels),
        Some(Question::Json) => json_lines(&answer, &keys(ruled)),
        Some(Question::Json1_6) => json_lines_of_1_6(&answer, &keys(ruled)),
        Some(Question::Fmt1_6) => fmt_lines_of_1_6(&answer),
        Some(Question::Info) => info_lines(&answer, ruled),
        Some(Question::Exporters) => exporter_lines(&answer, of_1_6),
        Some(Question::Raw) => raw_lines(&answer, ruled),
        Some(Question::Pipe) => pipe_lines(&answer, tunnels),
        Some(Question::Verify | Question::ExtensionMaps) | None => text_lines(&answer, ruled),
    };
    if ruled.iter().any(|ruled| matches!(ruled.what, Difference::Order)) {
        lines.sort();
    }
    lines
}

/// Without what tells about the run itself.
pub(crate) fn without_run(answer: &str) -> String {
    let kept = answer.split_inclusive('\n').filter(|line| !line.starts_with("Sys: "));
    kept.map(|line| match line.split_once("Blocks skipped: ") {
        Some((start, _)) => format!("{start}\n"),
        None => line.to_owned(),
    })
    .collect()
}

fn columns(ruled: &[&Ruled]) -> BTreeSet<usize> {
    let lists = ruled
        .iter()
        .filter_map(|ruled| if let Difference::Columns(list) = ruled.what { Some(list) } else { None });
    lists.flatten().copied().collect()
}

fn keys(ruled: &[&Ruled]) -> BTreeSet<&'static str> {
    let lists = ruled
        .iter()
        .filter_map(|ruled| if let Difference::Keys(list) = ruled.what { Some(list) } else { None });
    lists.flatten().copied().collect()
}

const CSV_COLUMNS: usize = 48;
const CSV_DURATION: usize = 2;
const CSV_SOURCE: usize = 3;
const CSV_DESTINATION: usize = 4;
pub(crate) const CSV_BGP_NEXT_HOP: usize = 24;
pub(crate) const EXPORTER: usize = 46;

/// csv without blanks behind numeric protocols (D-33), with the duration of flows that end before they start (D-31), without the BGP next hop of IPv6 flows (D-36), without the message
/// about an empty result (D-04).
fn csv_lines(answer: &str, left_out: &BTreeSet<usize>, tunnels: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for line in answer.lines().filter(|line| *line != "No matching flows") {
        let mut columns: Vec<&str> = line.split(',').map(str::trim_end).collect();
        if columns.len() == CSV_COLUMNS && columns[0] != "ts" {
            if columns[CSV_SOURCE].contains(':') || columns[CSV_DESTINATION].contains(':') {
                columns[CSV_BGP_NEXT_HOP] = "*";
            }
            // D-35: the row of a tunnel's ends, in front of the flow's own; 1.7.1 has no addresses in it.
            let (source, destination) = (columns[CSV_SOURCE], columns[CSV_DESTINATION]);
            if tunnels && matches!(source, "0.0.0.0" | "::") && source == destination {
                continue;
            }
            // D-31: a flow that ends before it starts.
            if columns[CSV_DURATION].starts_with("184467") {
                columns[CSV_DURATION] = "0.000";
            }
            for &column in left_out {
                columns[column] = "*";
            }
        }
        lines.push(columns.join(","));
    }
    lines
}

/// json without the brackets around it, without a key that an object has already (D-19), with whole milliseconds in the
/// times of events.
fn json_lines(answer: &str, left_out: &BTreeSet<&str>) -> Vec<String> {
    let answer = answer.replace("No matching flows\n", "");
    let inner = answer.trim().trim_start_matches('[').trim_end_matches(']').trim();
    let mut lines = Vec::new();
    let mut seen = BTreeSet::new();
    for line in inner.lines() {
        let line = line.trim_end_matches(',').trim_end();
        let key = line.trim_start().strip_prefix('"').and_then(|rest| Some(rest.split_once('"')?.0));
        match key {
            None => seen.clear(),
            Some(key) if left_out.contains(key) || !seen.insert(key.to_owned()) => continue,
            Some(_) => {}
        }
        lines.push(if key == Some("t_event") { whole_millis(line) } else { line.to_owned() });
    }
    lines
}

/// The same for json of 1.6, whose objects have the keys of a file's extensions in the order of its maps, where ours have
/// those of whole groups in one order: line by line in order, without what holds nothing, and without the message about an
/// empty result (D-98).
fn json_lines_of_1_6(answer: &str, left_out: &BTreeSet<&str>) -> Vec<String> {
    let mut objects: Vec<Vec<String>> = Vec::new();
    for line in answer.lines() {
        let Some((key, value)) = line.strip_prefix("\t\"").and_then(|rest| rest.split_once("\" : ")) else {
            if line == "{" {
                objects.push(Vec::new());
            }
            continue;
        };
        let value = value.trim_end_matches(',');
        let value =
            if matches!(key, "t_received" | "t_event") { whole_millis(value) } else { value.to_owned() };
        let value = value.trim_matches('"');
        let holds_nothing = matches!(
            (key, value),
            (_, "0" | "0.0.0.0" | "::" | "0-0-0" | "00:00:00:00:00:00" | "1970-01-01T00:00:00.000")
                | ("aggr_flows", "1")
        );
        if let (false, false, Some(object)) = (holds_nothing, left_out.contains(key), objects.last_mut()) {
            object.push(format!("{key} {value}"));
        }
    }
    let sorted = objects.into_iter().map(|mut object| {
        object.sort();
        object.join(", ")
    });
    sorted.collect()
}

/// Columns of 1.6 without the tenth label, and without the message about an empty result (D-98).
fn fmt_lines_of_1_6(answer: &str) -> Vec<String> {
    let rows = answer.lines().filter(|line| *line != "No matched flows");
    rows.map(|row| {
        let mut columns: Vec<&str> = row.split('|').collect();
        if let Some(label) = columns.get_mut(MPLS_10) {
            *label = "*";
        }
        columns.join("|")
    })
    .collect()
}

/// The time of an event with three digits of milliseconds; nfdump has no zeros in front of them, and no time for 0.
fn whole_millis(line: &str) -> String {
    let line = line.replace("<unknown>.0\"", "1970-01-01T00:00:00.000\"");
    match line.rsplit_once('.').and_then(|(start, rest)| Some((start, rest.strip_suffix('"')?))) {
        Some((start, millis)) => format!("{start}.{millis:0>3}\""),
        None => line,
    }
}

/// `-I` with the times of files without flows as 0 (D-37), and without the word that C has for a text that is not there.
pub(crate) fn info_lines(answer: &str, ruled: &[&Ruled]) -> Vec<String> {
    let presets = [
        ("\nFirst: 9223372036854775\n", "\nmsec_first: 807\n"),
        ("\nFirst: 2147483647\n", "\nmsec_first: 999\n"),
    ];
    let mut answer = answer.replace("Ident: (null)\n", "Ident: \n");
    for (seconds, rest) in presets {
        if answer.contains(seconds) && answer.contains(rest) {
            answer = answer.replace(seconds, "\nFirst: 0\n").replace(rest, "\nmsec_first: 0\n");
        }
    }
    text_lines(&answer, ruled)
}

/// `-E` without the blanks that 1.7.1 puts behind an exporter with an IPv6 address, and without the samplers of files of
/// 1.6, which it does not read.
fn exporter_lines(answer: &str, of_1_6: bool) -> Vec<String> {
    let lines = answer.lines().filter(|line| *line != " ");
    let lines = lines.map(|line| line.replace("     Sampler: ", "    Sampler: "));
    lines.filter(|line| !(of_1_6 && line.starts_with("    Sampler: "))).collect()
}

/// Without the lines that differ.
fn text_lines(answer: &str, ruled: &[&Ruled]) -> Vec<String> {
    let starts = ruled
        .iter()
        .filter_map(|ruled| if let Difference::Lines(list) = ruled.what { Some(list) } else { None });
    let starts: Vec<&str> = starts.flatten().copied().collect();
    let kept = answer.lines().filter(|line| !starts.iter().any(|start| line.starts_with(start)));
    kept.map(str::to_owned).collect()
}

/// pipe with each time in ms, as 1.7.1 has it, where 1.6 and ours have seconds and ms (D-02).
fn pipe_lines(answer: &str, tunnels: bool) -> Vec<String> {
    let ms =
        |seconds: &str, ms: &str| if seconds == "0" { ms.to_owned() } else { format!("{seconds}{ms:0>3}") };
    let mut lines = Vec::new();
    for row in answer.lines().filter(|line| *line != "No matching flows") {
        match row.split('|').collect::<Vec<_>>().as_slice() {
            [family, first, first_ms, last, last_ms, rest @ ..] if rest.len() == 19 => {
                lines.push(format!(
                    "{family}|{}|{}|{}",
                    ms(first, first_ms),
                    ms(last, last_ms),
                    rest.join("|")
                ));
            }
            // D-35: the row of a tunnel's ends has no addresses in 1.7.1.
            [_, _, _, _, ends @ ..] if tunnels && ends.iter().take(10).all(|word| *word == "0") => {}
            _ => lines.push(row.to_owned()),
        }
    }
    lines
}

/// raw without the type of service of the other direction, for which 1.7.1 shows that of the flow (D-23).
fn raw_lines(answer: &str, ruled: &[&Ruled]) -> Vec<String> {
    let answer: String =
        answer.split_inclusive('\n').filter(|line| !line.starts_with("  dst tos ")).collect();
    text_lines(&answer, ruled)
}
