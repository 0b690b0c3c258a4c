//! Command lines: what is refused, and in which words.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::path::Path;

use support::{free_port, rcapd, run};

/// Runs a command line in which `DIR` is an existing directory; gives exit code, stdout and stderr.
fn outcome(line: &str, directory: &Path) -> (Option<i32>, String, String) {
    let directory = directory.to_str().unwrap();
    let arguments =
        line.split(' ').filter(|word| !word.is_empty()).map(|word| word.replace("DIR", directory));
    let output = run(rcapd().args(arguments));
    let text = |octets| String::from_utf8(octets).unwrap().replace(directory, "DIR");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn mistakes_are_told_in_nfcapds_words() {
    let directory = tempfile::tempdir().unwrap();
    let table = [
        ("-p 9995", "ERROR, No source configurations found\n"),
        ("-w -t 300", "ERROR, No source configurations found\n"),
        ("-w DIR/no", "path does not exist: DIR/no\nNo valid directory: DIR/no\n"),
        ("-l DIR/no", "path does not exist: DIR/no\nNo valid directory: DIR/no\n"),
        ("-w /dev/null", "not a directory: /dev/null\nNo valid directory: /dev/null\n"),
        ("-w DIR -t 0", "time interval <= 2s not allowed\n"),
        ("-w DIR -t -5", "time interval <= 2s not allowed\n"),
        ("-w DIR -t five", "time interval <= 2s not allowed\n"),
        ("-w DIR -S 9", "No such subdir level 9\n"),
        ("-w DIR -S x", "No such subdir level x\n"),
        ("-w DIR -4 -6", "ERROR, Accepts only one protocol IPv4 or IPv6!\n"),
        ("-w DIR -B 0", "Argument error for -B\n"),
        ("-w DIR -B -1", "Argument error for -B\n"),
        ("-w DIR -B much", "Argument error for -B\n"),
        ("-w DIR -s 0", "Invalid sampling rate: 0\n"),
        ("-w DIR -s -10000001", "Invalid sampling rate: -10000001\n"),
        ("-w DIR -z -y", "Use one compression: -z for LZO, -j for BZ2 or -y for LZ4 compression\n"),
        ("-w DIR -z=paq", "Unknown compression: paq\n"),
        ("-w DIR -z=zstd:99", "Unknown compression: zstd:99\n"),
        ("-w DIR -C DIR/no", "rcapd: path does not exist: DIR/no\n"),
        ("-w DIR -i 5", "metric interval < 10s not allowed\n"),
        ("-w DIR -J 224.0.0.9 -b 127.0.0.1", "ERROR, -b and -j are mutually exclusive!!\n"),
        ("-w DIR -j 224.0.0.9 -b 127.0.0.1", "ERROR, -b and -j are mutually exclusive!!\n"),
        ("-w DIR -e -Z", "ERROR, -Z timezone extension breaks expire -e\n"),
        (
            "-w DIR -n a,127.0.0.1,DIR",
            "Can not mix IP specific and any IP sources\nFailed to add default data collector directory\n",
        ),
        (
            "-w DIR -M DIR",
            "Can not mix IP specific and any IP sources\nFailed to add default data collector directory\n",
        ),
        (
            "-M DIR -n a,127.0.0.1,DIR",
            "Can not mix IP specific and any IP sources\nFailed to add dynamic flowdir\n",
        ),
        ("-M DIR/no", "path does not exist: DIR/no\nNo valid directory: DIR/no\n"),
        (
            "-n a,127.0.0.1",
            "Syntax error for netflow source definition. Expect -n ident,IP,path\nFailed to add flow source\n",
        ),
        ("-n a,router,DIR", "Unparsable IP address: router\nFailed to add flow source\n"),
        ("-n a,10.0.0.0/33,DIR", "Unparsable IP address: 10.0.0.0/33\nFailed to add flow source\n"),
        ("-n a,127.0.0.1,DIR/no", "path does not exist: DIR/no\nFailed to add flow source\n"),
        ("-N DIR/no", "DIR/no: No such file or directory (os error 2)\nFailed to add flow source\n"),
        ("-w DIR -u no-such-user", "Invalid user 'no-such-user'\n"),
        ("-w DIR -g no-such-group", "Invalid group 'no-such-group'\n"),
        ("-w DIR --allow 10.0.0.0/8,x", "rcapd: --allow: no network: `x`\n"),
        ("-w DIR -J 192.0.2.1", "rcapd: -J: no multicast group: `192.0.2.1`\n"),
        (
            "-w DIR -d eth0",
            "rcapd: -d: packets of an interface are not captured here\nhint: a flow probe on that machine can export to rcapd\n",
        ),
        ("-w DIR -P DIR/no/pid", "realpath() pid file: No such file or directory\n"),
        (
            "-w DIR -p no-such-service",
            "getaddrinfo error: [Servname not supported for ai_socktype]\nTerminated due to errors\n",
        ),
        ("-w DIR -p 0", "port 0 is not in the range 1 .. 65535\nTerminated due to errors\n"),
        ("-w DIR -p 99999", "port 99999 is not in the range 1 .. 65535\nTerminated due to errors\n"),
        (
            "-w DIR -b 192.0.2.1",
            "Could not open the requested socket: Cannot assign requested address\nTerminated due to errors\n",
        ),
    ];
    for (line, expected) in table {
        // Also with -D: everything is checked before the parent says that all is well.
        for line in [line.to_owned(), format!("-D {line}")] {
            let (code, stdout, stderr) = outcome(&line, directory.path());
            assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(1), "", expected), "{line}");
        }
    }
}

#[test]
fn a_command_has_words() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(rcapd().arg("-w").arg(directory.path()).args(["-x", " "]));
    assert_eq!(
        (output.status.code(), output.stderr),
        (Some(1), b"rcapd: -x: there is no command\n".to_vec())
    );
}

#[test]
fn one_directory_is_not_taken_twice() {
    let directory = tempfile::tempdir().unwrap();
    let (code, _, stderr) =
        outcome("-p 1 -n a,127.0.0.1,DIR -n b,127.0.0.2,DIR", &directory.path().canonicalize().unwrap());
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("Another collector with pid "), "{stderr}");
    assert!(stderr.ends_with(" is already running, and configured for 'DIR'\n"), "{stderr}");
}

#[test]
fn an_ident_has_no_spaces() {
    let directory = tempfile::tempdir().unwrap();
    let output = run(rcapd().arg("-w").arg(directory.path()).args(["-I", "a b"]));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stderr, b"spaces not allowed in ident string: a b\n");
}

#[test]
fn unknown_options_and_too_many_operands_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    for line in ["-w DIR -Q", "-w DIR --no-such-option", "-w DIR -t", "-w DIR one two"] {
        let (code, stdout, stderr) = outcome(line, directory.path());
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{line}");
        assert!(!stderr.is_empty(), "{line}");
    }
}

#[test]
fn help_and_version_go_to_stdout() {
    let directory = tempfile::tempdir().unwrap();
    let (code, stdout, stderr) = outcome("-h", directory.path());
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains("Usage: rcapd [OPTIONS] -w DIR"), "{stdout}");
    let (code, stdout, stderr) = outcome("-V", directory.path());
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.contains(": Version: 1.7.8 (rdump "), "{stdout}");
}

#[test]
fn both_generations_command_lines_are_understood() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let capture = directory.path().join("capture");
    flow_testkit::traffic::PcapWriter::new(std::fs::File::create(&capture).unwrap()).unwrap();
    // An empty capture ends at once: what matters is that the words are accepted.
    for line in [
        "-w DIR/data",
        "-wDIR/data",
        "-l DIR/data",
        "-w -l DIR/data",
        "-wD -l DIR/data",
        "-T all -w -t 300 -l DIR/data",
        "-w stray -l DIR/data",
        "-l /no -w DIR/data",
        "-w DIR/data operand",
        "-v 3 -v -v2 -X list -W 4 -C none -z -r -B 65536 -4 -w DIR/data",
        "-w DIR/data -E -i 60 -m DIR/socket -Y x -A",
    ] {
        // A daemon's work is hard to wait for; without it, the parent's success is all there is to see.
        let is_daemon = line.contains("wD ");
        let (code, stdout, stderr) = outcome(&format!("-f DIR/capture {line}"), directory.path());
        assert_eq!((code, stdout.as_str()), (Some(0), ""), "{line}: {stderr}");
        assert!(is_daemon || stderr.contains("Terminating rcapd."), "{line}: {stderr}");
    }
}

#[test]
fn notes_about_options_without_effect_go_to_stderr() {
    let directory = tempfile::tempdir().unwrap();
    let port = free_port();
    let (_, _, stderr) = outcome(&format!("-w DIR/no -E -p {port}"), directory.path());
    assert!(!stderr.contains("-E"), "an error comes alone: {stderr}");
    let (code, _, stderr) = outcome("-f DIR -w DIR -E", directory.path());
    assert_eq!(code, Some(254));
    assert!(stderr.contains("rcapd: -E: accepted without effect\n"), "{stderr}");
}
