//! `--explain` over shipped captures, each with the text expected beside it, and `--limit`.
//!
//! `UPDATE=1` writes the texts anew.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use support::{files, open, rcapd, run};

/// The shipped captures that have an expected text.
fn explained() -> Vec<PathBuf> {
    let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/pcap");
    let mut cases: Vec<PathBuf> = fs::read_dir(captures)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|case| case.join("explain.txt").exists())
        .collect();
    cases.sort();
    cases
}

#[test]
fn captures_are_explained_as_written_down() {
    let cases = explained();
    assert!(cases.len() >= 4, "{cases:?}");
    for case in cases {
        let output = run(rcapd().arg("--explain").arg(case.join("case.pcap")));
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let expected = case.join("explain.txt");
        if std::env::var("UPDATE").is_ok_and(|update| update == "1") {
            fs::write(&expected, &text).unwrap();
        }
        assert_eq!(text, fs::read_to_string(&expected).unwrap(), "{}", case.display());
    }
}

#[test]
fn a_capture_that_is_none_cannot_be_explained() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(rcapd().arg("--explain").arg(directory.path().join("no")));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(254), 0));
    let rubbish = directory.path().join("rubbish");
    fs::write(&rubbish, "rubbish, more than a header's worth of it").unwrap();
    let output = run(rcapd().arg("--explain").arg(rubbish));
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
}

#[test]
fn names_that_exporters_announce_are_stored() {
    let directory = tempfile::tempdir().unwrap();
    let capture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/pcap/v9-softflowd-big/case.pcap");
    let output = run(rcapd().arg("-f").arg(capture).arg("-w").arg(directory.path()));
    assert_eq!(output.status.code(), Some(0));
    let file = open(&directory.path().join(&files(directory.path())[0]));
    let names: Vec<_> =
        file.names().iter().map(|name| (name.exporter, name.number(), name.name.as_str())).collect();
    assert_eq!(names, [(1, 0, "gen/sliceA.pcap")]);
}

#[test]
fn limits_are_listed_set_and_checked() {
    let output = run(rcapd().args(["--limit", "list"]));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\nflows-per-datagram=8192\n    Flows decoded from one datagram."), "{text}");
    let directory = tempfile::tempdir().unwrap();
    for (setting, expected) in [
        ("many=1", "unknown limit `many`"),
        ("flows-per-datagram=0", "limit `flows_per_datagram` is from 1 to 65536, not 0"),
        ("flows-per-datagram=x", "limit `flows-per-datagram`: not a number: `x`"),
        ("flows-per-datagram", "--limit takes NAME=VALUE, not `flows-per-datagram`"),
    ] {
        let output = run(rcapd().arg("-w").arg(directory.path()).args(["--limit", setting]));
        let expected = format!("rcapd: {expected}\nhint: `rcapd --limit list` names all limits\n");
        assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(1), expected));
    }
    let capture = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/pcap/v5-mikrotik/case.pcap");
    let arguments = ["--limit", "flows_per_datagram=10", "--limit", "addresses=1"];
    let output = run(rcapd().arg("-f").arg(capture).arg("-w").arg(directory.path()).args(arguments));
    assert_eq!(output.status.code(), Some(0));
    let file = open(&directory.path().join(&files(directory.path())[0]));
    assert_eq!((file.ledger().flows, file.ledger().refused), (10, 1));
}
