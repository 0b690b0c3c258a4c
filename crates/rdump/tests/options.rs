//! Every option of nfdump 1.6.13, 1.6.25, 1.7.1 and 1.7.8 is taken or refused as the interface contract has it, in all of its
//! spellings, and every option that we have is tried.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

mod support;

use flow_file::{FileFormat, FileTail};
use flow_testkit::fixture;
use std::fs;
use support::{FILE, Fixture};

/// What each release passes to getopt(3): letters, a colon behind those with a value, two behind those that may have one.
const RELEASES: [(&str, &str); 4] = [
    ("1.6.13", "6aA:Bbc:D:E:s:hHn:i:j:f:qzr:v:w:K:M:NImO:R:XZt:TVv:x:l:L:o:"),
    ("1.6.25", "6aA:Bbc:D:E:s:hn:i:jf:qyzr:v:w:J:K:M:NImO:R:XZt:TVv:x:l:L:o:"),
    ("1.7.1", "6aA:Bbc:C:D:E:G:s:ghn:i:jf:qyzr:v:w:J:M:NImO:R:XZt:TVv:x:l:L:o:"),
    ("1.7.8", "6aA:Bbc:C:D:E:G:s:gH:hn:i:jf:qyz::r:v:w:J:M:NImO:P:R:XZt:TVv:W:x:o:"),
];

/// An option, how it is tried, and what comes of it.
struct Row {
    letter: char,
    long: Option<&'static str>,
    value: Option<&'static str>,
    /// What it is tried with.
    others: &'static [&'static str],
    answer: Answer,
}

enum Answer {
    /// Success, and this text on standard output.
    Shows(&'static str),
    /// Success, this file is written, and nothing is said.
    Writes(&'static str),
    /// Success and this on standard error, beside rows.
    Notes(&'static str),
    /// Failure as the dialect has it, nothing on standard output, and this on standard error.
    Fails(&'static str),
}

use Answer::{Fails, Notes, Shows, Writes};

const fn row(
    letter: char,
    long: &'static str,
    value: Option<&'static str>,
    others: &'static [&'static str],
    answer: Answer,
) -> Row {
    let long = if long.is_empty() { None } else { Some(long) };
    Row { letter, long, value, others, answer }
}

const READ: &[&str] = &["-r", FILE];
const ROWS: &[Row] = &[
    row('6', "long-ipv6", None, READ, Shows("2001:620:1000:cafe:20e:35ff:fec0:fed5")),
    row('a', "aggregate", None, &["-r", FILE, "-o", "fmt:%sp %fl"], Shows(" 51000     2\n")),
    row('A', "aggregate-by", Some("proto"), READ, Shows(" Proto   Packets ")),
    row('b', "bidirectional", None, READ, Shows(" <-> ")),
    row('B', "client-first", None, READ, Shows(" <-> ")),
    row('c', "count", Some("1"), READ, Shows("total flows: 1,")),
    row('C', "config", Some("none"), READ, Shows("total flows: 18,")),
    row('D', "name-server", Some("127.0.0.1"), READ, Shows("total flows: 18,")),
    row('E', "exporters", Some(FILE), &[], Shows("Exporters:\n")),
    row('f', "filter-file", Some("filter"), READ, Shows("total flows: 1,")),
    row('g', "gnuplot", None, READ, Shows("# yyyy-mm-dd HH:MM:SS,flows,packets,bytes\n")),
    row('G', "geo", Some("none"), READ, Shows("total flows: 18,")),
    row('h', "", None, &[], Shows("Usage: rdump ")),
    row('H', "", Some("tor.db"), READ, Notes("Option -H is accepted without effect\n")),
    row('i', "ident", Some("elsewhere"), &["-r", "nf"], Shows("nf ident: border -> elsewhere\n")),
    row('I', "info", None, READ, Shows("Ident: border\nFlows: 18\n")),
    row('j', "", None, &["-r", FILE, "-w", "out", "--file-format", "nfdump"], Writes("out")),
    row('J', "recompress", Some("3"), &["-r", "nf"], Shows("File nf ")),
    row('K', "", Some("key"), READ, Fails("Option -K is not available")),
    row(
        'l',
        "packet-limit",
        Some("1k"),
        &["-r", FILE, "-s", "srcip"],
        Shows("Packet limit: > 1000 packets\n"),
    ),
    row('L', "byte-limit", Some("-1k"), &["-r", FILE, "-s", "srcip"], Shows("Byte limit: < 1000 bytes\n")),
    row('m', "sort-by-start", None, READ, Notes("Option -m deprecated. Use '-O tstart' instead\n")),
    row('M', "sources", Some("pair"), &["-R", FILE], Shows("total flows: 24,")),
    row('n', "top", Some("1"), &["-r", FILE, "-s", "srcip"], Shows("Top 1 Src IP Addr ")),
    row('N', "plain-numbers", None, READ, Shows(" 2500000000000 ")),
    row('o', "output", Some("csv"), READ, Shows("ts,te,td,sa,")),
    row('O', "order", Some("bytes"), READ, Shows("total flows: 18,")),
    row('P', "", Some("any"), READ, Fails("Option -P is not available")),
    row('q', "quiet", None, &["-r", FILE, "-c", "1", "-o", "fmt:%sp"], Shows(" 51000\n")),
    row('r', "read", Some(FILE), &[], Shows("total flows: 18,")),
    row('R', "read-range", Some("pair"), &[], Shows("total flows: 24,")),
    row('s', "statistic", Some("srcip/bytes"), READ, Shows("Top 10 Src IP Addr ordered by bytes:\n")),
    row('t', "time", Some("-30"), READ, Shows("total flows: 1,")),
    row('T', "tag-addresses", None, READ, Shows("\u{1}")),
    row('v', "verify", Some(FILE), &[], Shows("Checking data blocks\n")),
    row('V', "version", None, &[], Shows(": Version: 1.7.8 (rdump ")),
    row('w', "write", Some("out"), READ, Writes("out")),
    row('W', "threads", Some("2"), READ, Shows("total flows: 18,")),
    row('x', "extension-maps", Some(FILE), &[], Shows("Dump all extension maps:\n")),
    row('X', "explain-filter", None, &[], Shows("any")),
    row('y', "", None, &["-r", FILE, "-w", "out", "--file-format", "nfdump"], Writes("out")),
    row('Y', "", None, READ, Notes("Option -Y is accepted without effect\n")),
    row('z', "compress", None, &["-r", FILE, "-w", "out", "--file-format", "nfdump"], Writes("out")),
    row('Z', "check-filter", None, &[], Shows("")),
];

/// Options that another release reads otherwise, and why that is not ours: letter, releases.
const OTHERWISE: &[(char, &[&str])] = &[
    // A flag without visible effect, which one of nfdump's manuals lists and no known caller sends.
    ('H', &["1.6.13"]),
    // Compresses a file or takes its compression away, which -J does for all releases since.
    ('j', &["1.6.13"]),
    // With a value behind `=` only: tried in the program's own tests of compression.
    ('z', &["1.7.8"]),
];

/// Options that have no letter: name, value, what they are tried with.
const LONG_ONLY: &[(&str, Option<&str>)] = &[
    ("csv", Some("rows=%sa")),
    ("default-format", Some("long")),
    ("dialect", Some("1.7")),
    ("file-format", Some("nfdump")),
    ("help", None),
    ("fmt", Some("hosts=%sa %da")),
    ("max-memory", Some("1G")),
    ("print-config", None),
    ("strict", None),
    ("summary", Some("json")),
    ("verbose", None),
];

/// Options that have tests of their own.
const ELSEWHERE: &[&str] = &[
    "bin",
    "bin-align",
    "bin-by",
    "completions",
    "follow",
    "force",
    "html",
    "live",
    "loss",
    "man",
    "networks",
    "percentile",
];

fn fixture() -> Fixture {
    let fixture = Fixture::new();
    fs::write(fixture.path("filter"), "proto gre\n").unwrap();
    support::write_flows(&fixture.path("pair").join(FILE), &[fixture::flows()]);
    support::write_flows(&fixture.path("pair/nfcapd.202311142215"), &[fixture::events()]);
    let nfdump = FileFormat::named(Some("nfdump"), None).unwrap();
    support::write(&fixture.path("nf"), "border", nfdump, &[fixture::flows()], FileTail::default());
    fixture
}

impl Row {
    /// The option as getopt reads it in two words and in one, and under its long name.
    fn spellings(&self) -> Vec<Vec<String>> {
        let letter = format!("-{}", self.letter);
        let mut spellings = match self.value {
            None => vec![vec![letter]],
            Some(value) => vec![vec![letter.clone(), value.to_owned()], vec![format!("{letter}{value}")]],
        };
        match (self.long, self.value) {
            (None, _) => {}
            (Some(long), None) => spellings.push(vec![format!("--{long}")]),
            (Some(long), Some(value)) => {
                spellings.push(vec![format!("--{long}"), value.to_owned()]);
                spellings.push(vec![format!("--{long}={value}")]);
            }
        }
        spellings
    }

    fn changes_files(&self) -> bool {
        matches!(self.answer, Writes(_)) || self.others.contains(&"nf")
    }

    fn check(&self, fixture: &Fixture, args: &[&str], dialect: &str) {
        let output = fixture.rdump(args);
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let code = output.status.code();
        let told = format!("{args:?}: {code:?}\n{stdout}{stderr}");
        match self.answer {
            Shows(text) => {
                assert!(code == Some(0) && stderr.is_empty(), "{told}");
                assert!(stdout.contains(text), "{told}");
            }
            Writes(file) => {
                assert!(code == Some(0) && stdout.is_empty() && stderr.is_empty(), "{told}");
                assert!(fixture.path(file).is_file(), "{told}");
            }
            Notes(text) => {
                assert!(code == Some(0) && stderr == text && stdout.contains("total flows: 18,"), "{told}");
            }
            Fails(text) => {
                let expected = if dialect == "1.6" { 255 } else { 1 };
                assert!(code == Some(expected) && stdout.is_empty() && stderr.contains(text), "{told}");
            }
        }
    }
}

#[test]
fn every_option_answers_in_every_spelling() {
    let shared = fixture();
    for row in ROWS {
        for dialect in ["1.6", "1.7"] {
            for spelling in row.spellings() {
                let option: Vec<&str> = spelling.iter().map(String::as_str).collect();
                // In front of the others, and behind a filter.
                let word: &[&str] = if row.letter == 'f' { &[] } else { &["any"] };
                for args in [
                    [&option, row.others, &["--dialect", dialect]].concat(),
                    [&["--dialect", dialect], row.others, word, &option].concat(),
                ] {
                    if row.changes_files() {
                        row.check(&fixture(), &args, dialect);
                    } else {
                        row.check(&shared, &args, dialect);
                    }
                }
            }
        }
    }
}

#[test]
fn every_letter_of_every_release_has_a_row() {
    for (release, letters) in RELEASES {
        let mut letters = letters.chars().peekable();
        while let Some(letter) = letters.next() {
            let valued = letters.next_if_eq(&':').is_some();
            while letters.next_if_eq(&':').is_some() {}
            let row = ROWS.iter().find(|row| row.letter == letter);
            let row = row.unwrap_or_else(|| panic!("-{letter} of {release} has no row"));
            let otherwise = OTHERWISE.iter().any(|(odd, of)| *odd == letter && of.contains(&release));
            assert_eq!(row.value.is_some() == valued, !otherwise, "-{letter} of {release}");
        }
    }
}

#[test]
fn every_option_of_ours_is_tried() {
    let fixture = fixture();
    let help = fixture.stdout(&["--help"]);
    let mut count = 0;
    for line in help.lines().map(str::trim_start).filter(|line| line.starts_with('-')) {
        for word in
            line.split("  ").next().unwrap().split([',', ' ', '[']).filter(|word| word.starts_with('-'))
        {
            let word = word.split('=').next().unwrap();
            let known = match word.strip_prefix("--") {
                Some(long) if ELSEWHERE.contains(&long) => true,
                Some(long) => {
                    ROWS.iter().any(|row| row.long == Some(long))
                        || LONG_ONLY.iter().any(|(name, _)| *name == long)
                }
                None => ROWS.iter().any(|row| word.chars().nth(1) == Some(row.letter)),
            };
            assert!(known, "{word} is tried nowhere");
            count += 1;
        }
    }
    assert!(count > 70, "{count}\n{help}");
    for (name, value) in LONG_ONLY {
        let name = format!("--{name}");
        let args: Vec<&str> = [name.as_str()].into_iter().chain(*value).chain(["-r", FILE]).collect();
        assert!(!fixture.stdout(&args).is_empty(), "{args:?}");
    }
}
