//! `--explain` over shipped captures, each with the text expected beside it, and `--limit`.
//!
//! `UPDATE=1` writes the texts anew.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};

use flow_testkit::traffic::{Datagram, PcapWriter};
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

/// An sFlow v5 datagram of sub-agent 3 of 192.0.2.`agent`, its samples being words.
fn sflow(agent: u32, sequence: u32, samples: &[&[u32]]) -> Vec<u8> {
    let header = [5, 1, 0xc000_0200 | agent, 3, sequence, 60_000 + sequence, samples.len() as u32];
    header.iter().chain(samples.iter().copied().flatten()).flat_map(|word| word.to_be_bytes()).collect()
}

/// A flow sample of interface 7: a header of this protocol, 1000 octets on the wire, and a record of no field.
fn flow_sample(sequence: u32, rate: u32, drops: u32, protocol: u32) -> Vec<u32> {
    let packet = [0x4500_001c, 0, 0x4011_0000, 0xc000_0201, 0xc633_6407, 0x14e9_0035, 0x0008_0000];
    let mut sample = vec![1, 32 + 8 + 16 + 28 + 8 + 4, sequence, 7, rate, sequence * rate, drops, 7, 8, 2];
    sample.extend([1, 16 + 28, protocol, 1000, 4, 28]);
    sample.extend(packet);
    sample.extend([1021, 4, 0]);
    sample
}

#[test]
fn sflow_agents_are_explained() {
    let counters = [2, 12, 1, 7, 0];
    let discarded = [5, 4, 0];
    let datagrams = [
        sflow(99, 1, &[&flow_sample(1, 100, 5, 11), &counters]),
        sflow(99, 2, &[&flow_sample(2, 100, 7, 11), &discarded]),
        // A datagram and two samples are missing before this one, and the rate is another one.
        sflow(99, 4, &[&flow_sample(5, 200, 7, 11), &flow_sample(6, 200, 7, 6), &counters]),
        sflow(98, 9, &[&counters, &[0x0113_d001, 0]]),
    ];
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pcap");
    let mut writer = PcapWriter::new(fs::File::create(&path).unwrap()).unwrap();
    for payload in datagrams {
        let datagram =
            Datagram { sent_ms: 1_700_000_000_000, from: "127.0.0.9:6343".parse().unwrap(), payload };
        writer.write(&datagram).unwrap();
    }
    writer.finish().unwrap();
    let output = run(rcapd().arg("--explain").arg(&path));
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = "\
Capture: packets: 4, datagrams: 4

exporter 1: sFlow v5 from 127.0.0.9, agent 192.0.2.99, sub-agent 3
  received   datagrams 3, flows 4
  sequence   missed 1 datagrams, discontinuities 1, late or doubled 0, restarts 0, next 5
  samplers
    generic: 1 of 200 packets, algorithm 0
  samples    of counters 2, of discarded packets 1
  sources
    interface 7: 1 of 200 packets, samples 4, missed 2, dropped by the agent 2
  formats without a field, and how often they came
           1  6            header protocol
           4  1021         flow record extended_l2_tunnel_egress

exporter 2: sFlow v5 from 127.0.0.9, agent 192.0.2.98, sub-agent 3
  received   datagrams 1, flows 0
  sequence   missed 0 datagrams, discontinuities 0, late or doubled 0, restarts 0, next 10
  samples    of counters 1
  formats without a field, and how often they came
           1  4413:1       sample
";
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
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
