//! What people see on a terminal, and programs do not.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

mod support;

use flow_testkit::generate::{Mix, batches};
use nix::pty::openpty;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use support::{FILE, Fixture, write_flows};

const ESCAPE: char = '\x1b';

/// A terminal: the side that is looked at, and the one for a program.
fn terminal() -> (File, Stdio) {
    let ends = openpty(None, None).unwrap();
    (ends.master.into(), ends.slave.into())
}

/// What appears on a terminal until `wanted` is among it, or the last program that has it ends.
fn seen(terminal: &mut File, wanted: &str) -> String {
    let mut text = Vec::new();
    let mut buffer = [0; 4_096];
    // Without any program, reading from a terminal is an error.
    while let Ok(len @ 1..) = terminal.read(&mut buffer) {
        text.extend_from_slice(&buffer[..len]);
        if !wanted.is_empty() && String::from_utf8_lossy(&text).contains(wanted) {
            break;
        }
    }
    String::from_utf8(text).unwrap()
}

/// What a program shows on a terminal that is its standard output.
fn shown(mut command: Command) -> String {
    let (mut terminal, stdout) = terminal();
    let mut child = command.stdout(stdout).stderr(Stdio::piped()).spawn().unwrap();
    drop(command);
    let text = seen(&mut terminal, "");
    assert!(child.wait().unwrap().success(), "{text}");
    text
}

/// A file with more flows than a pipe takes in text.
fn many_flows() -> Fixture {
    let fixture = Fixture { dir: tempfile::tempdir().unwrap() };
    write_flows(&fixture.path(FILE), &batches(1, 20_000, 5_000, Mix::default()));
    fixture
}

/// Two queries last until their rows are read: one is watched, and shows after a while how far it is; the other is not,
/// and by then has not said a word.
#[test]
fn long_queries_show_a_bar_to_those_who_can_see_it() {
    let fixture = many_flows();
    let (mut terminal, stderr) = terminal();
    let mut command = fixture.command(&["-r", FILE, "-q", "-o", "raw"]);
    let mut unseen = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut watched = command.stderr(stderr).spawn().unwrap();
    drop(command);
    assert!(seen(&mut terminal, " %").contains(&format!("\r{ESCAPE}[K[")));
    for child in [&mut unseen, &mut watched] {
        let mut rows = String::new();
        child.stdout.take().unwrap().read_to_string(&mut rows).unwrap();
        assert!(child.wait().unwrap().success());
        assert!(rows.contains("src addr") && !rows.contains(ESCAPE));
    }
    let rest = seen(&mut terminal, "");
    assert!(rest.ends_with(&format!("\r{ESCAPE}[K")), "it is taken away in the end: {rest:?}");
    let mut said = String::new();
    unseen.stderr.unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "");
}

#[test]
fn reports_have_colour_on_terminals_and_rows_never() {
    let fixture = Fixture::new();
    let explain = |variable: &str, value: &str| {
        let mut command = fixture.command(&["-X", "proto tcp"]);
        command.env_remove("NO_COLOR").env("TERM", "xterm").env(variable, value);
        shown(command)
    };
    let plain = fixture.stdout(&["-X", "proto tcp"]);
    assert!(!plain.contains(ESCAPE), "{plain}");
    let coloured = explain("LANG", "C");
    assert!(coloured.starts_with("\x1b[1mExpression\x1b[0m\r\n  "), "{coloured:?}");
    for (variable, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        assert_eq!(explain(variable, value).replace('\r', ""), plain, "{variable}");
    }
    for args in [&["-r", FILE][..], &["-r", FILE, "-s", "srcip", "-o", "csv"], &["-r", FILE, "-o", "json"]] {
        let text = shown(fixture.command(args));
        assert!(text.lines().count() > 2 && !text.contains(ESCAPE), "{text:?}");
    }
}

#[test]
fn losses_are_told_in_colour_to_those_who_can_see_it() {
    let fixture = Fixture::new();
    let (mut terminal, stderr) = terminal();
    let mut command = fixture.command(&["-r", FILE, "--loss", "-q", "-s", "srcip"]);
    command.env_remove("NO_COLOR").env("TERM", "xterm");
    assert!(command.stderr(stderr).output().unwrap().status.success());
    drop(command);
    let text = seen(&mut terminal, "");
    assert!(text.contains("\x1b[32mno loss is known of: 18 flows are stored\x1b[0m"), "{text:?}");
    let piped = fixture.rdump(&["-r", FILE, "--loss", "-q", "-s", "srcip"]);
    assert!(!String::from_utf8(piped.stderr).unwrap().contains(ESCAPE));
}

/// As with `| head -1`.
#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let fixture = many_flows();
    for format in ["line", "csv", "json", "ndjson", "raw"] {
        let mut child = fixture
            .command(&["-r", FILE, "-o", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(!line.is_empty(), "{format}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{format}");
        assert_eq!(output.status.code(), Some(0), "{format}");
    }
}
