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

/// A query with next to no memory, from the moment on when it has temporary files.
fn standing(fixture: &Fixture, args: &[&str]) -> Child {
    let mut command = command(fixture, args);
    command.args(["--max-memory", "1"]);
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

/// The most memory a run has at once, as the system tells it until the run has written its last octets.
fn peak(mut command: Command) -> u64 {
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut stdout = child.stdout.take().unwrap();
    let (mut piece, mut peak) = (vec![0; 1 << 16], 0);
    while stdout.read(&mut piece).unwrap() > 0 {
        let status = fs::read_to_string(&status).unwrap();
        let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.strip_suffix("kB"));
        // There is none when it has ended meanwhile.
        peak = kibibytes.map_or(peak, |kibibytes| kibibytes.trim().parse().unwrap());
    }
    assert!(child.wait().unwrap().success());
    peak << 10
}

#[test]
fn a_query_takes_no_more_memory_than_it_is_given() {
    const GIVEN: u64 = 8 << 20;
    /// What every thread has of its own, and is not counted.
    const PER_THREAD: u64 = 16 << 20;
    let fixture = fixture(150_000);
    let run = |args: &[&str]| {
        let mut command = command(&fixture, args);
        command.args(["-o", "csv", "-W", "1"]);
        command
    };
    // The program, and the file in its map.
    let bare = peak(run(&["-c", "1"])) + fs::metadata(fixture.path(MANY)).unwrap().len();
    for query in [&["-a"][..], &["-O", "bytes"], &["-b"], &["-s", "record/bytes", "-n", "0"]] {
        let much = peak(run(query));
        let little = peak(run(&[query, &["--max-memory", &GIVEN.to_string()]].concat()));
        let allowed = bare + GIVEN + PER_THREAD;
        assert!(little <= allowed, "{query:?} took {little} octets, {bare} of them for nothing");
        assert!(much > allowed, "{query:?} is no test: all of it takes {much} octets");
    }
}

#[test]
fn nothing_stays_behind_after_a_kill() {
    let fixture = fixture(9_000);
    // It does not end, as nobody reads its output.
    let mut child = standing(&fixture, &["-O", "bytes", "-o", "csv"]);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(is_empty(&fixture));
}

/// Interrupts a run.
fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
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
        interrupt(&child);
        stdout.read_to_end(&mut read).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.signal(), text(&output.stderr)), (Some(2), String::new()), "{args:?}");
        assert!(read.len() < lines.stdout.len(), "{args:?}: it was not interrupted");
        assert!(read.ends_with(b"\n"));
        let columns: Vec<usize> = text(&read).lines().map(|line| line.split(',').count()).collect();
        assert!(columns.iter().all(|count| *count == columns[0]), "{args:?}");
    }
}

#[test]
fn an_interrupted_aggregation_prints_nothing() {
    let fixture = fixture(70_000);
    for args in
        [&["-s", "record/bytes", "-n", "0"][..], &["-a", "-O", "bytes"], &["-O", "bytes", "-w", "copy"]]
    {
        // It is in the middle of the flows: the first of them are in a file, and there is far too little memory for the others.
        let child = standing(&fixture, args);
        interrupt(&child);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.signal(), text(&output.stderr)), (Some(2), String::new()), "{args:?}");
        assert_eq!(text(&output.stdout), "", "{args:?}");
        assert!(is_empty(&fixture) && !fixture.path("copy").exists(), "{args:?}");
    }
}

#[test]
fn an_interrupted_copy_leaves_what_was_there() {
    let fixture = fixture(70_000);
    let place = fixture.path("place");
    fs::create_dir(&place).unwrap();
    let names =
        || -> Vec<_> { fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().file_name()).collect() };
    fs::write(place.join("copy"), "what was there").unwrap();
    for order in [&[][..], &["-O", "bytes"]] {
        // Its way of compressing takes its time.
        let mut command = command(&fixture, order);
        command.args(["--file-format", "nfdump", "-j", "-w", "place/copy"]).stderr(Stdio::piped());
        let child = command.spawn().unwrap();
        let deadline = Instant::now() + Duration::from_mins(1);
        while names().len() == 1 {
            assert!(Instant::now() < deadline, "no file is being written");
            std::thread::sleep(Duration::from_millis(1));
        }
        interrupt(&child);
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.signal(), text(&output.stderr)), (Some(2), String::new()), "{order:?}");
        assert_eq!(names(), ["copy"]);
        assert_eq!(fs::read_to_string(place.join("copy")).unwrap(), "what was there");
    }
}
