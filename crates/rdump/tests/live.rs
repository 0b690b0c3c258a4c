//! `--live` and `--follow`: flows that are in no finished file yet.
#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use flow_file::{Compression, FileTail, FileWriter, WriteOptions, journal_path};
use flow_model::{BatchBuilder, CountRule, Field, FlowBatch};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const DEADLINE: Duration = Duration::from_mins(1);

fn create(path: &Path) -> FileWriter {
    let format = Compression::Light.into();
    let options = WriteOptions { ident: "x".into(), format, rule: CountRule::Collected, created_ms: 5 };
    FileWriter::create(path, options).unwrap()
}

fn batch(ports: std::ops::Range<u64>) -> FlowBatch {
    let mut builder = BatchBuilder::new();
    for port in ports {
        builder.set(Field::FirstMs, 1_700_000_000_000);
        builder.set(Field::LastMs, 1_700_000_000_000);
        builder.set(Field::SrcPort, port);
        builder.finish_row();
    }
    builder.finish()
}

/// A data directory with a file of two flows, a working file of three, and a journal of two.
fn spool() -> (tempfile::TempDir, FileWriter, FileWriter) {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    fs::write(path(".rcapd.stat"), "4194305\n").unwrap();
    let mut finished = create(&path("nfcapd.202311142215"));
    finished.write(&batch(1..3)).unwrap();
    finished.finish(FileTail::default()).unwrap();
    let mut working = create(&path("nfcapd.current.4194305"));
    working.write(&batch(3..6)).unwrap();
    let mut journal = create(&journal_path(working.path(), working.byte_len()));
    journal.write(&batch(6..8)).unwrap();
    (directory, working, journal)
}

fn rdump(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rdump"));
    command.env("TZ", "UTC").arg("-R").arg(directory).args(arguments).stdin(Stdio::null());
    command
}

fn ports(directory: &Path, arguments: &[&str]) -> String {
    let output = rdump(directory, arguments).args(["-q", "-o", "fmt:%sp"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn live_flows_come_behind_those_of_the_files_once() {
    let (directory, mut working, journal) = spool();
    assert_eq!(ports(directory.path(), &[]), "1 2");
    assert_eq!(ports(directory.path(), &["--live"]), "1 2 3 4 5 6 7");
    assert_eq!(ports(directory.path(), &["--live", "-O", "flows", "src port > 4"]), "5 6 7");
    // The block of the journal is written, and more.
    working.write(&batch(6..9)).unwrap();
    assert_eq!(ports(directory.path(), &["--live"]), "1 2 3 4 5 6 7 8");
    fs::remove_file(journal.path()).unwrap();
    assert_eq!(ports(directory.path(), &["--live"]), "1 2 3 4 5 6 7 8");
    assert_eq!(ports(&directory.path().join("nfcapd.202311142215"), &["--live"]), "1 2 3 4 5 6 7 8");
}

#[test]
fn what_is_no_answer_about_live_flows_is_refused() {
    let (directory, ..) = spool();
    for arguments in [&["--live", "-I"][..], &["--follow", "-s", "srcip"], &["--follow", "-o", "json"]] {
        let output = rdump(directory.path(), arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let output = rdump(elsewhere.path(), &["--live"]).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("need the directory of a collector"));
}

/// `rdump --follow`, and its lines.
fn follow(directory: &Path) -> (Child, Receiver<String>) {
    let mut child = rdump(directory, &["--follow", "-o", "fmt:%sp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stdout: BufReader<ChildStdout> = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    // The header: what is there now is not printed.
    lines.recv_timeout(DEADLINE).unwrap();
    (child, lines)
}

#[test]
fn flows_are_printed_as_they_are_stored() {
    let (directory, mut working, mut journal) = spool();
    let (mut child, lines) = follow(directory.path());
    // Until the first look is done, nobody knows what is new.
    let mut next = 8;
    let first = loop {
        journal.write(&batch(next..next + 1)).unwrap();
        next += 1;
        if let Ok(line) = lines.recv_timeout(Duration::from_millis(500)) {
            break line;
        }
    };
    let mut seen = vec![first.trim().parse::<u64>().unwrap()];
    working.write(&batch(6..next + 2)).unwrap();
    fs::remove_file(journal.path()).unwrap();
    working.write(&batch(next + 2..next + 3)).unwrap();
    // Its slot ends, and the next begins.
    let end = next + 5;
    let (from, to) = (working.path().to_owned(), directory.path().join("nfcapd.202311142220"));
    fs::rename(&from, &to).unwrap();
    working.finish(FileTail::default()).unwrap();
    create(&from).write(&batch(next + 3..end)).unwrap();
    while seen.last() != Some(&(end - 1)) {
        seen.push(lines.recv_timeout(DEADLINE).unwrap().trim().parse().unwrap());
    }
    assert_eq!(seen, (seen[0]..end).collect::<Vec<_>>());
    kill(Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    let output = child.wait().unwrap();
    assert!(output.success(), "{output:?}");
    let mut stderr = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut stderr).unwrap();
    assert_eq!(stderr, "");
}

#[test]
fn following_ends_when_nobody_reads() {
    let (directory, ..) = spool();
    let mut child =
        rdump(directory.path(), &["--follow"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let start = std::time::Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < DEADLINE, "it goes on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(child.wait().unwrap().success());
}
