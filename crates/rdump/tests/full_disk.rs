//! Disks without room: a file system of a few hundred kilobytes, mounted for one run and seen by nobody else.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use flow_testkit::conditions::{Needed, program, trial};
use flow_testkit::generate::{Mix, batches};
use libtest_mimic::Arguments;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};
use support::{Fixture, write_flows};

const MANY: &str = "nfcapd.202311142215";

/// Mounts on the first argument, runs the others, and says what is left there then.
const SCRIPT: &str =
    "mount -t tmpfs -o size=256k tmpfs \"$0\" || exit 99; \"$@\"; code=$?; ls -A \"$0\" >left; exit $code";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("a_full_disk_of_temporary_files_is_told", namespaces(), |unshare| {
            a_full_disk_of_temporary_files_is_told(&unshare);
            Ok(())
        }),
        trial("a_full_disk_leaves_no_part_of_a_copy", namespaces(), |unshare| {
            a_full_disk_leaves_no_part_of_a_copy(&unshare);
            Ok(())
        }),
    ];
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// `unshare`, where it may mount something.
fn namespaces() -> Needed<PathBuf> {
    let unshare = program("unshare")?;
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut command = command(&unshare, "tmp", &["true"]);
    fs::create_dir(scratch.path().join("tmp")).map_err(|error| error.to_string())?;
    let output = command.current_dir(scratch.path()).output().map_err(|error| error.to_string())?;
    let reason = String::from_utf8_lossy(&output.stderr).trim().replace('\n', "; ");
    if output.status.success() { Ok(unshare) } else { Err(format!("nothing can be mounted: {reason}")) }
}

fn command(unshare: &Path, full: &str, args: &[&str]) -> Command {
    let mut command = Command::new(unshare);
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT, full]).args(args);
    command
}

/// 70,000 flows, and two directories.
fn fixture() -> Fixture {
    let fixture = Fixture::new();
    let mix = Mix { hosts: 20_000, rich: false, ..Mix::default() };
    write_flows(&fixture.path(MANY), &batches(11, 70_000, 3_000, mix));
    for name in ["tmp", "place"] {
        fs::create_dir(fixture.path(name)).unwrap();
    }
    fixture
}

/// A run with the directory `full` on a disk that has hardly any room.
fn run(fixture: &Fixture, unshare: &Path, full: &str, args: &[&str]) -> Output {
    let mut command = command(unshare, full, &[env!("CARGO_BIN_EXE_rdump"), "-r", MANY]);
    command.args(args).current_dir(fixture.dir.path()).env("TZ", "UTC").env("TMPDIR", "tmp").output().unwrap()
}

/// Exit code and messages of a run that prints nothing, and leaves nothing on the full disk.
fn failure(fixture: &Fixture, output: &Output) -> (Option<i32>, String) {
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert_eq!(fs::read_to_string(fixture.path("left")).unwrap(), "");
    (output.status.code(), String::from_utf8(output.stderr.clone()).unwrap())
}

fn a_full_disk_of_temporary_files_is_told(unshare: &Path) {
    let fixture = fixture();
    let queries: &[&[&str]] = &[
        &["-O", "bytes", "-o", "csv"],
        &["-a", "-o", "csv"],
        &["-s", "record/bytes", "-n", "0", "-s", "srcip", "-o", "csv"],
        &["-O", "bytes", "-w", "place/copy"],
    ];
    for query in queries {
        let output = run(&fixture, unshare, "tmp", &[query, &["--max-memory", "1"][..]].concat());
        let (code, message) = failure(&fixture, &output);
        assert_eq!(code, Some(1), "{query:?}: {message}");
        let expected = "rdump: temporary file in `tmp`: No space left on device";
        assert!(message.starts_with(expected), "{query:?}: {message}");
        assert!(fs::read_dir(fixture.path("place")).unwrap().next().is_none(), "{query:?}");
    }
}

fn a_full_disk_leaves_no_part_of_a_copy(unshare: &Path) {
    let fixture = fixture();
    for args in [&[][..], &["-O", "bytes"], &["--file-format", "nfdump", "-y"]] {
        let output = run(&fixture, unshare, "place", &[args, &["-w", "place/copy"][..]].concat());
        let (code, message) = failure(&fixture, &output);
        assert_eq!(code, Some(1), "{args:?}: {message}");
        assert!(message.starts_with("rdump: ") && message.contains("No space left on device"), "{message}");
    }
}
