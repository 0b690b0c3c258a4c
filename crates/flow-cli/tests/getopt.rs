//! The normaliser and clap beside Python's `getopt.gnu_getopt`, on random argument vectors.
//!
//! Python's module reads options as GNU getopt(3) does, which is what nfdump's programs use. Where python3 is
//! not installed the test is reported as ignored; with `CI=true` it fails.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use clap::{Arg, ArgAction, value_parser};
use flow_cli::normalise;
use flow_testkit::conditions::{program, trial};
use libtest_mimic::{Arguments, Failed};

/// The options, and whether they take a value.
const OPTIONS: [(&str, bool); 14] = [
    ("-q", false),
    ("-N", false),
    ("-I", false),
    ("-h", false),
    ("-a", false),
    ("-b", true),
    ("-c", true),
    ("-o", true),
    ("-t", true),
    ("-R", false),
    ("-6", false),
    ("--quiet", false),
    ("--output", true),
    ("--range", true),
];

/// Pieces of which words are made.
const PIECES: [&str; 24] = [
    "-",
    "--",
    "q",
    "N",
    "I",
    "a",
    "b",
    "c",
    "o",
    "t",
    "R",
    "6",
    "x",
    "=",
    "",
    "60",
    "proto tcp",
    ".",
    "a:b",
    "é",
    "--quiet",
    "--output",
    "--range=",
    "-q",
];

const VECTORS: usize = 5000;

/// Separates words; occurs in none.
const UNIT: char = '\u{1f}';

/// Reads vectors, one a line; answers each with its options and operands, or `error`.
const SCRIPT: &str = r#"
import getopt, sys
short, long = sys.argv[1], sys.argv[2].split(",")
for line in sys.stdin.buffer:
    words = line.decode().rstrip("\n").split("\x1f")[1:]
    try:
        options, operands = getopt.gnu_getopt(words, short, long)
        answer = ["%s=%s" % option for option in options] + ["--"] + operands
    except getopt.GetoptError:
        answer = ["error"]
    sys.stdout.buffer.write(("\x1f".join(answer) + "\n").encode())
"#;

fn main() -> ExitCode {
    let trial = trial("reads_as_getopt_does", program("python3"), |_| reads_as_getopt_does());
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn reads_as_getopt_does() -> Result<(), Failed> {
    let mut random = Random(20_231_114);
    let vectors: Vec<Vec<String>> = (0..VECTORS).map(|_| vector(&mut random)).collect();
    let mut read = 0;
    for (words, expected) in vectors.iter().zip(python(&vectors)?) {
        let actual = clap(words);
        if actual != expected {
            return Err(format!("{words:?}: read as {actual:?}, by getopt as {expected:?}").into());
        }
        read += usize::from(expected.is_some());
    }
    // Else the generator makes nothing but errors.
    if read < VECTORS / 5 { Err(format!("only {read} vectors could be read").into()) } else { Ok(()) }
}

/// What was read: the values of each option (a flag has empty ones), and the operands.
type Read = (BTreeMap<String, Vec<String>>, Vec<String>);

fn python(vectors: &[Vec<String>]) -> Result<Vec<Option<Read>>, Failed> {
    let (mut letters, mut names) = (String::new(), Vec::new());
    for (name, valued) in OPTIONS {
        match name.strip_prefix("--") {
            Some(long) => names.push(format!("{long}{}", if valued { "=" } else { "" })),
            None => letters.extend([&name[1..], if valued { ":" } else { "" }]),
        }
    }
    let mut python = Command::new("python3")
        .args(["-c", SCRIPT, &letters, &names.join(",")])
        .env("PYTHONUTF8", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = python.stdin.take().ok_or("no stdin")?;
    let mut input = String::new();
    for words in vectors {
        for word in words {
            input.push(UNIT);
            input.push_str(word);
        }
        input.push('\n');
    }
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = python.wait_with_output()?;
    writer.join().map_err(|_| "the writer panicked")??;
    let answers: Vec<Option<Read>> = String::from_utf8(output.stdout)?.lines().map(answer).collect();
    if answers.len() == vectors.len() {
        Ok(answers)
    } else {
        Err("python3 did not answer every vector".into())
    }
}

fn answer(line: &str) -> Option<Read> {
    let words: Vec<&str> = line.split(UNIT).collect();
    if words == ["error"] {
        return None;
    }
    // Options are written `-x=` at least, so the first bare `--` ends them.
    let end = words.iter().position(|word| *word == "--")?;
    let mut options: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for option in &words[..end] {
        let (name, value) = option.split_once('=')?;
        options.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    Some((options, words[end + 1..].iter().map(|word| (*word).to_owned()).collect()))
}

fn clap(words: &[String]) -> Option<Read> {
    let mut command = clap::Command::new("test").disable_help_flag(true).disable_version_flag(true);
    for (name, valued) in OPTIONS {
        let arg = match name.strip_prefix("--") {
            Some(long) => Arg::new(name).long(long),
            None => Arg::new(name).short(name.chars().nth(1)),
        };
        command = command.arg(arg.action(if valued { ArgAction::Append } else { ArgAction::Count }));
    }
    command = command.arg(Arg::new("operands").num_args(0..).value_parser(value_parser!(String)));

    let args: Vec<OsString> = words.iter().map(OsString::from).collect();
    let normalised = normalise(&args, &command, &[]);
    let matches =
        command.try_get_matches_from(std::iter::once(OsString::from("test")).chain(normalised)).ok()?;
    let values = |id: &str| -> Vec<String> {
        matches.get_many::<String>(id).map(|values| values.cloned().collect()).unwrap_or_default()
    };
    let mut options = BTreeMap::new();
    for (name, valued) in OPTIONS {
        let given =
            if valued { values(name) } else { vec![String::new(); usize::from(matches.get_count(name))] };
        if !given.is_empty() {
            options.insert(name.to_owned(), given);
        }
    }
    Some((options, values("operands")))
}

fn vector(random: &mut Random) -> Vec<String> {
    (0..random.below(6))
        .map(|_| {
            // Half of the words are options that can be read, else hardly a vector could be.
            let mut word = ["-q", "-N", "-o", "-oline", "-t", ""][random.below(6)].to_owned();
            if word.is_empty() {
                (0..random.below(4)).for_each(|_| word.push_str(PIECES[random.below(PIECES.len())]));
            }
            // Abbreviated long options are not for us.
            if is_abbreviated(&word) { "-q".to_owned() } else { word }
        })
        .collect()
}

fn is_abbreviated(word: &str) -> bool {
    let name = word.split('=').next().unwrap_or_default();
    name.len() > 2 && OPTIONS.iter().any(|(long, _)| long.starts_with(name) && long.len() > name.len())
}

/// A generator of numbers that need only look random (constants of Knuth's MMIX).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}
