//! Directories in which files of nfdump's stand among ours.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

use flow_file::{
    BlockCompression, Compression, FileFormat, FileTail, FileWriter, NfdumpRelease, WriteOptions,
};
use flow_model::{CountRule, FlowBatch};
use flow_testkit::fixture;
use flow_testkit::generate::{Mix, batches};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn write(path: &Path, format: FileFormat, batches: &[FlowBatch]) {
    let options = WriteOptions {
        ident: "border".to_owned(),
        format,
        rule: CountRule::Collected,
        created_ms: fixture::BASE_MS,
    };
    let mut writer = FileWriter::create(path, options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish(FileTail::default()).unwrap();
}

fn nfdump(compression: BlockCompression) -> FileFormat {
    FileFormat::Nfdump { compression, release: NfdumpRelease::default() }
}

fn rdump(directory: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rdump"))
        .args(args)
        .current_dir(directory)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stdout(directory: &Path, args: &[&str]) -> String {
    let output = rdump(directory, args);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    assert_eq!(output.status.code(), Some(0), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Two directories with the same flows: all files ours, and three of four nfdump's.
fn directories() -> (tempfile::TempDir, tempfile::TempDir) {
    let (ours, mixed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let columnar = FileFormat::Columnar(Compression::Lz4);
    let formats = [
        columnar,
        nfdump(BlockCompression::Lz4),
        nfdump(BlockCompression::None),
        nfdump(BlockCompression::Zstd(3)),
    ];
    for (slot, format) in formats.into_iter().enumerate() {
        let name = format!("nfcapd.20231114221{slot}");
        let flows = batches(slot as u64, 1200, 400, Mix::default());
        write(&ours.path().join(&name), columnar, &flows);
        write(&mixed.path().join(&name), format, &flows);
    }
    (ours, mixed)
}

#[test]
fn a_mixed_directory_answers_as_one_of_ours() {
    let (ours, mixed) = directories();
    for args in [
        &["-q", "-o", "fmt:%ts %te %sap %dap %pr %pkt %byt %flg %tos %in %out %sas %das"][..],
        &["-q", "-o", "line", "-c", "1700"],
        &["-q", "-o", "line", "proto tcp and src port < 30000"],
        &["-q", "-o", "line", "count > 1000 and count < 2200"],
        &["-q", "-s", "srcip/bytes", "-n", "30"],
        &["-q", "-s", "dstport/flows"],
        &["-q", "-s", "record/packets", "-n", "40"],
        &["-q", "-A", "srcip,dstport", "-n", "50", "-O", "bytes"],
        &["-q", "-O", "tstart", "-o", "csv"],
    ] {
        let with =
            |directory: &Path, threads| stdout(directory, &[&["-R", ".", "-W", threads], args].concat());
        let expected = with(ours.path(), "1");
        assert!(expected.lines().count() > 3, "{args:?}: {expected}");
        for threads in ["1", "4"] {
            assert_eq!(with(mixed.path(), threads), expected, "{args:?}");
        }
    }
}

#[test]
fn damage_is_told_and_the_rest_answered() {
    let (_, mixed) = directories();
    let damaged = mixed.path().join("nfcapd.202311142211");
    let octets = fs::read(&damaged).unwrap();
    fs::write(&damaged, &octets[..octets.len() / 2]).unwrap();
    fs::write(mixed.path().join("nfcapd.202311142212"), [0x0c, 0xa5, 3, 0]).unwrap();
    let args = ["-R", ".", "-q", "-o", "fmt:%sap"];
    let output = rdump(mixed.path(), &args);
    let messages = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = messages.lines().collect();
    assert_eq!(lines.len(), 4, "{messages}");
    assert!(lines[0].starts_with("rdump: ./nfcapd.202311142211: appendix at byte "), "{messages}");
    assert!(
        lines[1].starts_with("rdump: ./nfcapd.202311142211: block ") && lines[1].contains(" is incomplete: ")
    );
    assert_eq!(lines[2], "rdump: ./nfcapd.202311142212: nfdump 1.8's layout (version 3) cannot be read");
    assert!(lines[3].starts_with("hint: "), "{messages}");
    assert_eq!(output.status.code(), Some(0));
    let rows = String::from_utf8(output.stdout).unwrap().lines().count();
    assert!((2400..3600).contains(&rows), "{rows}");
    assert_eq!(rdump(mixed.path(), &["-R", ".", "-q", "--strict"]).status.code(), Some(1));
    let alone = rdump(mixed.path(), &["-r", "nfcapd.202311142212", "-q"]);
    assert_eq!(alone.status.code(), Some(250));
}
