//! Queries with little memory, and queries that are interrupted.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use flow_testkit::generate::{Mix, batches};
use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use support::{Fixture, write_flows};

/// Beside the few flows of the fixture, many.
const MANY: &str = "nfcapd.202311142215";

fn fixture(flows: usize) -> Fixture {
    let fixture = Fixture::new();
    let mix = Mix { hosts: 20_000, rich: flows < 20_000, ..Mix::default() };
    write_flows(&fixture.path(MANY), &batches(11, flows, 3_000, mix));
    fs::create_dir(fixture.path("tmp")).unwrap();
    fixture
}

/// A run whose temporary files are in `tmp`.
fn command(fixture: &Fixture, args: &[&str]) -> Command {
    let mut command = fixture.command(&["-r", MANY]);
    command.args(args).env("TMPDIR", fixture.path("tmp"));
    command
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// What differs from run to run is how long it took.
fn without_times(output: &Output) -> String {
    let text = text(&output.stdout);
    text.lines().filter(|line| !line.starts_with("Sys:")).flat_map(|line| [line, "\n"]).collect()
}

fn is_empty(fixture: &Fixture) -> bool {
    fs::read_dir(fixture.path("tmp")).unwrap().next().is_none()
}

#[test]
fn memory_and_threads_do_not_change_an_octet() {
    let fixture = fixture(9_000);
    let queries: &[&[&str]] = &[
        &["-s", "record/bytes", "-n", "0", "-o", "csv"],
        &["-s", "srcip/packets", "-s", "ip:p/flows/bytes", "-s", "record", "-n", "0", "-o", "json"],
        &["-a", "-o", "extended", "proto tcp"],
        &["-b", "-o", "csv"],
        &["-A", "srcip,dstport", "-O", "bytes", "-o", "csv"],
        &["-O", "bytes", "-o", "raw"],
        &["-O", "tstart", "-n", "70000", "-o", "csv"],
    ];
    for query in queries {
        let expected = command(&fixture, query).output().unwrap();
        assert!(expected.status.success() && expected.stderr.is_empty(), "{query:?}");
        assert!(expected.stdout.len() > 200_000, "{query:?}: {} octets", expected.stdout.len());
        for (memory, threads) in [("1", "3"), ("100k", "1")] {
            let mut command = command(&fixture, query);
            command.args(["--max-memory", memory, "-W", threads, "--verbose"]);
            let little = command.output().unwrap();
            assert!(without_times(&little) == without_times(&expected), "{query:?} in {memory} on {threads}");
            let note = text(&little.stderr);
            assert!(note.starts_with("rdump: ") && note.contains(" MiB went to temporary files"), "{note}");
        }
    }
    // Callers take a word on stderr for a failure.
    let quiet = command(&fixture, queries[0]).args(["--max-memory", "1"]).output().unwrap();
    assert_eq!(text(&quiet.stderr), "");
    assert!(is_empty(&fixture));
}

#[test]
fn memory_does_not_change_an_octet_of_a_written_file() {
    let fixture = fixture(9_000);
    for order in [&["-O", "bytes"][..], &["-a", "-O", "tstart"], &["-A", "proto,srcip"]] {
        let written = |name: &str, memory: &[&str]| {
            let output = command(&fixture, order).args(memory).args(["-w", name]).output().unwrap();
            assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
            fs::read(fixture.path(name)).unwrap()
        };
        let expected = written("much", &[]);
        assert!(expected.len() > 100_000);
        assert!(written("little", &["--max-memory", "1"]) == expected, "{order:?}");
    }
}

#[test]
fn without_a_place_for_temporary_files_the_query_fails() {
    let fixture = fixture(9_000);
    let mut command = command(&fixture, &["-O", "bytes", "--max-memory", "100k"]);
    let output = command.env("TMPDIR", "/nowhere").output().unwrap();
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(1), String::new()));
    let message = text(&output.stderr);
    assert!(
        message.starts_with("rdump: temporary file in `/nowhere`: No such file or directory"),
        "{message}"
    );
    let wrong = fixture.failure(&["-r", MANY, "--max-memory", "much"]);
    assert_eq!(wrong, (Some(1), "rdump: Missing number in 'much'\n".to_owned()));
}

/// A query that stands still, as nobody reads its output, until it has temporary files.
fn standing(fixture: &Fixture) -> Child {
    let mut command = command(fixture, &["-O", "bytes", "-o", "csv", "--max-memory", "1"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let descriptors = format!("/proc/{}/fd", child.id());
    let tmp = fixture.path("tmp").canonicalize().unwrap();
    let deadline = Instant::now() + Duration::from_mins(1);
    while !fs::read_dir(&descriptors)
        .unwrap()
        .any(|entry| fs::read_link(entry.unwrap().path()).is_ok_and(|path| path.starts_with(&tmp)))
    {
        assert!(Instant::now() < deadline, "no temporary file");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

#[test]
fn nothing_stays_behind_after_a_kill() {
    let fixture = fixture(9_000);
    let mut child = standing(&fixture);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(is_empty(&fixture));
}

#[test]
fn an_interrupted_listing_ends_with_a_whole_line() {
    // More than one batch of them.
    let fixture = fixture(70_000);
    let lines = command(&fixture, &["-o", "csv"]).output().unwrap();
    for args in [&["-o", "csv"][..], &["-o", "csv", "-O", "bytes"]] {
        let mut command = command(&fixture, args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        // It has begun, and then waits for a reader.
        let mut read = vec![0; 1_000];
        stdout.read_exact(&mut read).unwrap();
        let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
        assert!(status.success());
        stdout.read_to_end(&mut read).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.signal(), text(&output.stderr)), (Some(2), String::new()), "{args:?}");
        assert!(read.len() < lines.stdout.len(), "{args:?}: it was not interrupted");
        assert!(read.ends_with(b"\n"));
        let columns: Vec<usize> = text(&read).lines().map(|line| line.split(',').count()).collect();
        assert!(columns.iter().all(|count| *count == columns[0]), "{args:?}");
    }
}
