//! The options about files themselves, on files of our format: `-I`, `-g`, `-v`, `-E`, `-x`, `-J`, `-i`.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

mod support;

use flow_file::{Compression, FileCompression, FileTail, FlowFile};
use flow_model::{ExporterInfo, FlowBatch, LossLedger, SamplerInfo};
use flow_testkit::fixture;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FILE: &str = "nfcapd.202311142210";
const EMPTY: &str = "nfcapd.20231114221530";

fn write(path: &Path, batches: &[FlowBatch], ident: &str) {
    let ledger = LossLedger {
        datagrams: 4,
        flows: 18,
        missed: 12,
        kernel_drops: 3,
        malformed: 1,
        ..LossLedger::default()
    };
    let exporter = ExporterInfo { sysid: 1, version: 9, addr: Ipv4Addr::LOCALHOST.into(), domain: 0, ledger };
    let sampler = SamplerInfo { exporter: 1, id: 7, algorithm: 2, interval: 1, space: 99 };
    let tail = FileTail {
        exporters: vec![exporter],
        samplers: vec![sampler],
        ledger,
        sequence_failures: 2,
        span_if_empty: Some((fixture::BASE_MS, fixture::BASE_MS)),
        ..FileTail::default()
    };
    support::write(path, ident, Compression::Lz4.into(), batches, tail);
}

/// A directory of two files: the 18 flows of the fixture, and none.
struct Fixture(tempfile::TempDir);

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        write(&dir.path().join(FILE), &[fixture::flows()], "border");
        write(&dir.path().join(EMPTY), &[], "idle");
        Fixture(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn open(&self, name: &str) -> FlowFile {
        FlowFile::open(&self.path(name)).unwrap()
    }

    /// Standard output, standard error, and the exit code.
    fn rdump(&self, args: &[&str]) -> (String, String, i32) {
        let output = Command::new(env!("CARGO_BIN_EXE_rdump"))
            .args(args)
            .current_dir(self.0.path())
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr), output.status.code().unwrap())
    }

    #[track_caller]
    fn stdout(&self, args: &[&str]) -> String {
        let (stdout, stderr, code) = self.rdump(args);
        assert_eq!((stderr.as_str(), code), ("", 0), "{args:?}");
        stdout
    }

    #[track_caller]
    fn assert_fails(&self, args: &[&str], code: i32, message: &str) {
        let (stdout, stderr, found) = self.rdump(args);
        assert_eq!((stdout.as_str(), found), ("", code), "{args:?}: {stderr}");
        assert!(stderr.contains(message), "{args:?}: {stderr}");
    }
}

#[test]
fn totals_of_several_files_are_summed_and_losses_follow() {
    let fixture = Fixture::new();
    let text = fixture.stdout(&["-I", "-R", "."]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["Ident: border", "Flows: 18"]);
    assert_eq!(
        lines[16..],
        [
            "First: 1699910000",
            "Last: 1700000110",
            "msec_first: 0",
            "msec_last: 0",
            "Sequence failures: 4",
            "Missed by sequence: 24",
            "Kernel drops: 6",
            "Malformed: 2",
        ]
    );
}

/// The exporter speaks v9, whose sequence counts datagrams.
#[test]
fn losses_are_told_of_when_asked_for() {
    let fixture = Fixture::new();
    let ask = |args: &[&str]| {
        let (stdout, stderr, code) = fixture.rdump(args);
        assert_eq!((code, stdout.lines().count()), (0, 18), "{stderr}");
        stderr
    };
    assert_eq!(ask(&["-r", FILE, "-q", "-o", "fmt:%sp"]), "");
    let said = ask(&["-r", FILE, "-q", "-o", "fmt:%sp", "--loss"]);
    let expected = "rdump: ~75.0% of the flows are missing: ~54 beside 18; \
                    Missed by sequence: 12, Kernel drops: 3, Malformed: 1\n";
    assert_eq!(said, expected);
    let (_, said, _) = fixture.rdump(&["-R", ".", "-q", "--loss", "-t", "1990/01/01-1990/01/02"]);
    assert_eq!(said, "rdump: no loss is known of: 0 flows are stored\n");
}

#[test]
fn a_plot_has_a_row_for_each_file_under_the_time_of_its_name() {
    let fixture = Fixture::new();
    fs::copy(fixture.path(FILE), fixture.path("other")).unwrap();
    let expected = "# yyyy-mm-dd HH:MM:SS,flows,packets,bytes\n\
                    2023-11-14 22:10:00,18,1807743259,2505371950989\n\
                    2023-11-14 22:15:30,0,0,0\n\
                    No datstring\n";
    assert_eq!(fixture.stdout(&["-g", "-R", "."]), expected);
    assert!(fixture.stdout(&["-g", "-I", "-r", FILE]).starts_with("Ident: "));
}

#[test]
fn a_sound_file_is_verified_in_numbers() {
    let fixture = Fixture::new();
    let columns = fixture.open(FILE).block_fields(0).len();
    assert_eq!(
        fixture.stdout(&["-v", FILE]),
        format!(
            "File       : {FILE}\nVersion    : rdump 1 - lz4 compressed\nCreated    : 2023-11-14 22:13:20\n\
             Footer     : yes\nData blks  : 1\nChecking data blocks\n\nTotal\n\
             Columns       : {columns}\nRecords       : 18\n"
        )
    );
    assert_eq!(fixture.stdout(&["-v", "."]).matches("Footer     : yes").count(), 2);
}

#[test]
fn what_is_wrong_with_a_file_is_named_and_the_exit_code_tells() {
    let fixture = Fixture::new();
    let sound = fs::read(fixture.path(FILE)).unwrap();
    let block = fixture.open(FILE).block_offset(0) as usize;
    let mut damaged = sound.clone();
    damaged[sound.len() / 2] ^= 1;
    damaged[block + 40] ^= 1;
    fs::write(fixture.path(FILE), damaged).unwrap();
    let (stdout, stderr, code) = fixture.rdump(&["-v", FILE]);
    assert!(stdout.contains("Data blks  : 1\n"), "{stdout}");
    assert_eq!(code, 1);
    assert!(stderr.contains(FILE) && stderr.contains("block 0 at byte"), "{stderr}");

    fs::write(fixture.path(FILE), &sound[..block + 100]).unwrap();
    let (stdout, stderr, code) = fixture.rdump(&["-v", FILE]);
    assert!(stdout.contains("Footer     : no"), "{stdout}");
    assert!(stderr.contains("incomplete"), "{stderr}");
    assert_eq!(code, 1);
    fixture.assert_fails(&["-v", "missing"], 1, "missing");
    fs::write(fixture.path("garbage"), "garbage, not flows").unwrap();
    fixture.assert_fails(&["-v", "garbage"], 1, "garbage: not a flow file");
}

#[test]
fn exporters_and_samplers_are_listed() {
    let fixture = Fixture::new();
    let one = "Exporters:\n\n\
               SysID: 1, IP:        127.0.0.1, version: 9, ID:  0, Sequence failures: 0, packets: 4, flows: 18\n\
               \x20   Sampler: Assigned Sampler: id: 7, algorithm: 2, packet interval: 1, packet space: 99\n";
    assert_eq!(fixture.stdout(&["-E", FILE]), one);
    assert_eq!(fixture.stdout(&["-E", "."]), format!("File: ./{FILE}\n{one}File: ./{EMPTY}\n{one}"));
    fixture.assert_fails(&["-E", "missing"], 1, "missing is not a file or directory");
}

#[test]
fn there_are_no_extension_maps() {
    let fixture = Fixture::new();
    assert_eq!(
        fixture.stdout(&["-x", FILE]),
        "\nDump all extension maps:\n========================\nNo 1.6.x extension definition records\n"
    );
}

#[test]
fn files_are_recompressed_where_they_are() {
    let fixture = Fixture::new();
    let csv = fixture.stdout(&["-R", ".", "-o", "csv"]);
    let info = fixture.stdout(&["-R", ".", "-I"]);
    assert_eq!(
        fixture.stdout(&["-J", "3", "-r", FILE]),
        format!("File {FILE} is already same compression methode\n")
    );
    for (method, becomes) in
        [("0", Compression::Light), ("zstd:19", Compression::Zstd(19)), ("LZ4", Compression::Lz4)]
    {
        let lines = fixture.stdout(&["-J", method, "-R", "."]);
        assert_eq!(
            lines,
            format!("File ./{FILE} compression changed\nFile ./{EMPTY} compression changed\n"),
            "{method}"
        );
        assert_eq!(fixture.open(FILE).compression(), FileCompression::Columns(becomes));
        assert_eq!(fixture.stdout(&["-R", ".", "-o", "csv"]), csv);
        assert_eq!(fixture.stdout(&["-R", ".", "-I"]), info);
    }
    assert_eq!(fs::read_dir(fixture.0.path()).unwrap().count(), 2);
}

#[test]
fn a_file_that_cannot_be_recompressed_stays_and_others_go_on() {
    let fixture = Fixture::new();
    let sound = fs::read(fixture.path(FILE)).unwrap();
    let damaged = fixture.path("nfcapd.202311142211");
    fs::write(&damaged, &sound[..sound.len() / 2]).unwrap();
    let (stdout, stderr, code) = fixture.rdump(&["-J", "4", "-R", "."]);
    assert_eq!(stdout.lines().count(), 2, "{stdout}");
    assert!(stderr.contains("nfcapd.202311142211"), "{stderr}");
    assert_eq!(code, 1);
    assert!(fs::read(&damaged).unwrap() == sound[..sound.len() / 2]);
    fixture.assert_fails(&["-J", "1", "-r", FILE], 1, "not with LZO or bzip2");
    fixture.assert_fails(&["-J", "5", "-r", FILE], 1, "Expected -J <num>");
    fixture.assert_fails(&["-J", "abc", "-r", FILE], 1, "Expected -J <num>");
    fixture.assert_fails(&["-J", "3"], 1, "no input");
}

#[test]
fn a_file_gets_another_ident() {
    let fixture = Fixture::new();
    let csv = fixture.stdout(&["-r", FILE, "-o", "csv"]);
    assert_eq!(fixture.stdout(&["-i", "core", "-r", FILE]), format!("{FILE} ident: border -> core\n"));
    assert_eq!(fixture.open(FILE).ident(), "core");
    assert_eq!(fixture.stdout(&["-r", FILE, "-o", "csv"]), csv);
    for (args, message) in [
        (&["-i", "a b", "-r", FILE][..], "Ident must not contain spaces"),
        (&["-i", "", "-r", FILE], "Ident must not be empty"),
        (&["-i", "x", "-r", "."], "one file"),
        (&["-i", "x", "-R", FILE], "one file"),
        (&["-i", "x", "-r", "missing"], "missing is not a file or directory"),
        (&["-i", "x"], "no input"),
    ] {
        fixture.assert_fails(args, 1, message);
    }
    assert_eq!(fixture.open(FILE).ident(), "core");
}
