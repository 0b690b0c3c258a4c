//! The command line as callers see it: output, exit codes, what is left. Needs no other program.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Exit code, stdout and stderr, with the directory called D.
type Answer = (i32, String, String);

struct Directory(TempDir);

impl Directory {
    /// Files of 1000 bytes. Their times are long past, so that any age limit takes them all.
    fn new(paths: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        for path in paths {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, [7; 1000]).unwrap();
        }
        Directory(directory)
    }

    fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn has(&self, path: &str) -> bool {
        self.0.path().join(path).exists()
    }

    /// Runs rexpire, `D` standing for the directory.
    fn run(&self, line: &str) -> Answer {
        self.run_in("UTC0", line)
    }

    fn run_in(&self, zone: &str, line: &str) -> Answer {
        let path = fs::canonicalize(self.path()).unwrap();
        let path = path.to_str().unwrap();
        let arguments = line.split(' ').filter(|word| !word.is_empty());
        let output = Command::new(env!("CARGO_BIN_EXE_rexpire"))
            .args(arguments.map(|argument| argument.replace('D', path)))
            .env("TZ", zone)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().replace(path, "D");
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    }

    /// What one file of 1000 bytes occupies here.
    fn allocated_bytes(&self, path: &str) -> u64 {
        use std::os::unix::fs::MetadataExt;
        fs::metadata(self.0.path().join(path)).unwrap().blocks() * 512
    }
}

const FILES: [&str; 3] = ["nfcapd.202311142210", "nfcapd.202311142215", "2023/11/nfcapd.202311142220"];

#[test]
fn the_version_names_the_program_and_the_toolkit() {
    let output = Command::new(env!("CARGO_BIN_EXE_rexpire")).arg("-V").output().unwrap();
    let expected =
        format!("{}: Version: 1.7.8 (rdump {})\n", env!("CARGO_BIN_EXE_rexpire"), env!("CARGO_PKG_VERSION"));
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}

#[test]
fn help_goes_to_stdout() {
    let (code, out, err) = Directory::new(&[]).run("-h");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("Keep a directory of flow files under an age and a size\n"), "{out}");
    for option in ["-e, --expire <DIR>", "-s, --size <SIZE>", "-t, --age <AGE>", "-w, --watermark <PERCENT>"]
    {
        assert!(out.contains(option), "{option} in {out}");
    }
}

#[test]
fn errors_go_to_stderr_and_end_with_250() {
    let directory = Directory::new(&FILES);
    for (line, message) in [
        ("", "rexpire: nothing to do: specify -e, -l, -L, -r or -u with a directory\n"),
        ("-e D -l D", "rexpire: Only one option allowed out of -l -e -r -u\n"),
        ("-e D/none -t 1d", "rexpire: no such directory: `D/none`: No such file or directory (os error 2)\n"),
        ("-l D/nfcapd.202311142210", "rexpire: no such directory: `D/nfcapd.202311142210`\n"),
        ("-e D -s 5x", "rexpire: -s: Garbage character(s) 'x' in '5x'\n"),
        ("-e D -t 5h", "rexpire: -t: Unknown time unit '5h'\n"),
        ("-e D -w 101", "rexpire: -w: Water mark > 100%\n"),
    ] {
        assert_eq!(directory.run(line), (250, String::new(), message.to_owned()), "{line}");
    }
    for line in ["-Q", "-e", "-e D -s"] {
        let (code, out, err) = directory.run(line);
        assert_eq!((code, out.as_str()), (250, ""), "{line}");
        assert!(err.starts_with("rexpire: "), "{err}");
    }
    assert!(FILES.iter().all(|file| directory.has(file)) && !directory.has(".nfstat"));
}

#[test]
fn size_takes_the_oldest_and_is_remembered() {
    let directory = Directory::new(&FILES);
    let block = directory.allocated_bytes(FILES[0]);
    let line = format!("-w 100 -e D -s {}", 2 * block + 1);
    let (code, out, err) = directory.run(&line);
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(
        out.starts_with(
            "Force rebuild to create stat record in D\nScanning files in D .. done.\nExpired files:      1\n"
        ),
        "{out}"
    );
    assert!(out.contains("\nExpired time range: 300 = 5.0 min\n\nFirst:     2023-11-14 22:15:00\n"), "{out}");
    assert!(out.contains("\nNumfiles:  2\n") && out.ends_with("\nWatermark: 100%\nStatus:    OK\n"), "{out}");
    assert_eq!(FILES.map(|file| directory.has(file)), [false, true, true]);

    fs::write(directory.0.path().join("nfcapd.202311142225"), [7; 1000]).unwrap();
    let (_, out, _) = directory.run("-Y -e D");
    assert!(out.starts_with("Expired files:      1\n"), "{out}");
    assert!(out.ends_with(&format!("\nStat|{}|1700000400|1700000700\n", 2 * block)), "{out}");
}

#[test]
fn age_takes_everything_without_asking_a_pipe() {
    let directory = Directory::new(
        &[&FILES[..], &["nfcapd.current.77", "notes", "x/nfcapd.202311142220", "2024/keep"]].concat(),
    );
    let (code, out, err) = directory.run("-e D -t 1d stray");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("Expired files:      3\n") && out.ends_with("Status:    Force rebuild\n"), "{out}");
    assert!(FILES.iter().all(|file| !directory.has(file)));
    assert!(!directory.has("2023"));
    for kept in ["nfcapd.current.77", "notes", "x/nfcapd.202311142220", "2024/keep"] {
        assert!(directory.has(kept), "{kept}");
    }
}

#[test]
fn pandora_stores_rescans_and_expires() {
    let directory = Directory::new(&FILES);
    assert_eq!(directory.run("-u D -t 9999w -w 100").0, 0);
    assert_eq!(directory.run("-r D").0, 0);
    let (code, out, _) = directory.run("-e D");
    assert_eq!(code, 0);
    assert!(out.contains("Expired files:      0\n"), "{out}");
    // Rescanning never deletes, whatever limits are given (D-52).
    let (code, out, _) = directory.run("-r D -t 1d -s 1");
    assert_eq!(code, 0);
    assert!(out.starts_with("Scanning files in D .. done.\nFirst:     2023-11-14 22:10:00\n"), "{out}");
    assert!(out.contains("\nMax Size:  <none>\nMax Life:  6047395200 = 9999.0 weeks\n"), "{out}");
    assert!(FILES.iter().all(|file| directory.has(file)));
}

#[test]
fn a_dry_run_shows_and_changes_nothing() {
    let directory = Directory::new(&FILES);
    let block = directory.allocated_bytes(FILES[0]);
    let (code, out, err) = directory.run(&format!("-n -e D -s {} -w 100", 2 * block + 1));
    assert_eq!((code, err.as_str()), (0, ""));
    let row = out.lines().find(|line| line.contains("nfcapd.202311142210")).unwrap_or_default();
    let words: Vec<&str> = row.split_whitespace().collect();
    assert_eq!(words, ["nfcapd.202311142210", "2023-11-14", "22:10:00", &block.to_string(), "size"], "{out}");
    assert!(out.contains("Would delete 1 of 3 files, "), "{out}");
    assert!(FILES.iter().all(|file| directory.has(file)) && !directory.has(".nfstat"));
}

#[test]
fn channels_of_a_profile_share_the_limits_that_are_given() {
    let channels = ["a/nfcapd.202311142210", "b/nfcapd.202311142215", "b/nfcapd.202311142220"];
    let directory = Directory::new(&[&channels[..], &["nfcapd.202311142200"]].concat());
    let block = directory.allocated_bytes(channels[0]);
    let (code, out, err) = directory.run("-Y -p -r D");
    assert_eq!((code, err.as_str()), (0, ""));
    let stat = format!("Stat|{}|1699999800|1700000400\n", 3 * block);
    assert_eq!(out, format!("Scanning files in D/a .. done.\nScanning files in D/b .. done.\n{stat}"));
    let (code, out, err) = directory.run("-p -u D -t 1d");
    assert_eq!((code, out.as_str()), (0, ""));
    assert_eq!(err, "rexpire: the limits of a profile are not stored: give them with -e\n");
    let (_, out, _) = directory.run(&format!("-p -e D -s {}", 2 * block));
    assert!(out.starts_with("Expired files:      2\n"), "98 % of the limit: {out}");
    assert!(out.ends_with("\nMax Life:  <none>\nWatermark: 98%\nStatus:    OK\n"), "{out}");
    assert_eq!(channels.map(|file| directory.has(file)), [false, false, true]);
    assert!(directory.has("nfcapd.202311142200") && directory.has("a") && !directory.has(".nfstat"));
    let (_, out, _) = directory.run("-l D/b");
    assert!(out.contains("\nNumfiles:  1\n") && out.contains("\nMax Size:  <none>\n"), "{out}");
}

#[test]
fn a_collector_is_told_of() {
    let directory = Directory::new(&FILES);
    let (code, out, _) = directory.run("-L D");
    let none = "No collector process running for directory: 'D'\nFirst:     2023-11-14 22:10:00\n";
    assert!(code == 0 && out.contains(none), "{out}");
    let path = directory.0.path().join(flow_file::COLLECTOR_LOCK);
    fs::write(&path, "4711\n").unwrap();
    let lock = fs::File::options().write(true).open(&path).unwrap();
    lock.lock().unwrap();
    let (_, out, _) = directory.run("-L D");
    assert!(out.starts_with("Collector process: 4711\nFirst: "), "{out}");
    let (_, out, _) = directory.run("-u D -t 9999w");
    assert!(out.starts_with("Update collector process running for directory: 'D'\nFirst: "), "{out}");
}

#[test]
fn json_is_one_object_and_nothing_else() {
    let directory = Directory::new(&FILES);
    let block = directory.allocated_bytes(FILES[0]);
    let (code, out, err) = directory.run(&format!("--json -e D -s {} -w 100", 2 * block + 1));
    assert_eq!((code, err.as_str()), (0, ""));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let expected = serde_json::json!({
        "directory": "D", "first": 1_700_000_100, "last": 1_700_000_400, "files": 2, "bytes": 2 * block,
        "max_bytes": 2 * block + 1, "max_age": 0, "watermark": 100, "deleted": { "files": 1, "bytes": block, "size": 1 },
    });
    assert_eq!(report, expected);
    let (_, out, _) = directory.run("--json -l D");
    assert!(!out.contains("deleted") && out.lines().count() == 1, "{out}");
}

#[test]
fn the_oldest_go_until_enough_is_free() {
    let directory = Directory::new(&FILES);
    let (code, out, _) = directory.run("-e D --min-free 0%");
    assert!(code == 0 && out.contains("\nExpired files:      0\n"), "{out}");
    let (code, out, _) = directory.run("-n -e D --min-free 100%");
    assert!(code == 0 && out.contains("Would delete 3 of 3 files, "), "{out}");
    assert_eq!(out.lines().filter(|line| line.trim_end().ends_with(" space")).count(), 3, "{out}");
    assert!(FILES.iter().all(|file| directory.has(file)));
    let (code, out, _) = directory.run("-e D --min-free 9999999t");
    assert!(code == 0 && out.contains("Expired files:      3\n"), "{out}");
    assert!(FILES.iter().all(|file| !directory.has(file)));
}

#[test]
fn a_source_has_a_quota_of_its_own() {
    let files = [
        "10-0-0-1/nfcapd.202311142200",
        "10-0-0-1/nfcapd.202311142205",
        "10-0-0-2/nfcapd.202311142155",
        "border/nfcapd.202311142150",
    ];
    let directory = Directory::new(&files);
    let block = directory.allocated_bytes(files[0]);
    let line = format!("-e D -w 100 --quota 10-0-0-1={block} --quota border=1 --quota absent=1");
    let (code, out, err) = directory.run(&format!("-n {line}"));
    let not_counted = "rexpire: no file in `D/border` is counted: without -p, names of sub-directories start with a digit\n";
    assert_eq!((code, err.as_str()), (0, not_counted));
    let row = |name: &str| {
        let row = out.lines().find(|line| line.trim_start().starts_with(name)).unwrap_or_default();
        row.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("10-0-0-1/").last().map(String::as_str), Some("quota"), "{out}");
    let block = block.to_string();
    assert_eq!(row("10-0-0-1 "), ["10-0-0-1", "1", &block, &block], "{out}");
    assert!(out.contains("Would delete 1 of 3 files, "), "{out}");
    let (code, out, _) = directory.run(&format!("--json {line}"));
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &report["deleted"]["quota"], &report["quotas"][0]["files"]), (0, &1.into(), &1.into()));
    assert_eq!(files.map(|file| directory.has(file)), [false, true, true, true]);
    // Channels may have any name.
    let (code, out, err) = directory.run("-p -e D --quota border=1");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.starts_with("Force rebuild") && !directory.has(files[3]) && directory.has(files[1]), "{out}");
}

/// A file with one flow, translated or not.
fn write_flow(path: &Path, translated: bool) {
    use flow_file::{Compression, FileTail, FileWriter, WriteOptions};
    use flow_model::{BatchBuilder, CountRule, Field};
    let options = WriteOptions {
        ident: String::new(),
        format: Compression::Lz4.into(),
        rule: CountRule::Collected,
        created_ms: 0,
    };
    let mut writer = FileWriter::create(path, options).unwrap();
    let mut builder = BatchBuilder::new();
    builder.set(Field::Proto, 6);
    if translated {
        builder.set(Field::XlateSrcPort, 1024);
    }
    builder.finish_row();
    writer.write(&builder.finish()).unwrap();
    writer.finish(FileTail::default()).unwrap();
}

#[test]
fn records_of_translation_are_kept_longer() {
    let directory = Directory::new(&[]);
    let files = FILES.map(|file| directory.0.path().join(file));
    fs::create_dir_all(files[2].parent().unwrap()).unwrap();
    for (path, translated) in files.iter().zip([true, false, true]) {
        write_flow(path, translated);
    }
    let (_, out, _) = directory.run("-n -e D -t 1d --keep-nat 9999w");
    assert!(out.contains("Would delete 1 of 3 files, ") && out.contains("of which     2 files, "), "{out}");
    let (_, out, _) = directory.run("-n --json -e D -t 1d --keep-nat 9999w");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["would_delete"]["list"][0]["file"], FILES[1]);
    assert_eq!(
        (&report["would_delete"]["list"][0]["reason"], &report["kept"]["files"]),
        (&"age".into(), &2.into())
    );
    assert_eq!(FILES.map(|file| directory.has(file)), [true; 3]);
    // A size that cannot be met is said to be so.
    let (code, out, err) = directory.run("-e D -s 1 -t 0 --keep-nat 9999w");
    let unmet =
        "rexpire: 2 files are kept for their records of translation, although they are too large together\n";
    assert_eq!((code, err.as_str()), (0, unmet));
    assert!(out.contains("Expired files:      1\n"), "{out}");
    assert_eq!(FILES.map(|file| directory.has(file)), [true, false, true]);
    let (code, out, err) = directory.run("-e D -s 0 -t 1d --keep-nat 1w");
    assert_eq!((code, err.as_str()), (0, ""));
    assert!(out.contains("Expired files:      2\n"), "they are older than a week: {out}");
}

#[test]
fn the_configuration_keeps_what_is_not_stored() {
    let directory = Directory::new(&FILES);
    let file = directory.0.path().join("rdump.toml");
    fs::write(&file, "[rexpire]\nkeep_nat = \"9999w\"\nquota = { 2023 = \"1\" }\nmin_free = \"0%\"\n")
        .unwrap();
    for action in ["-u D -t 1d", "-r D", "-l D", "-L D"] {
        let (code, _, err) = directory.run(&format!("-C D/rdump.toml {action}"));
        assert_eq!((code, err.as_str()), (0, ""), "{action}");
    }
    // What is no flow file does not say that it has none.
    let (code, out, _) = directory.run("-C D/rdump.toml -e D");
    assert!(code == 0 && out.contains("Expired files:      0\n"), "{out}");
    let (code, out, _) = directory.run("-C none -e D");
    assert!(code == 0 && out.contains("Expired files:      3\n"), "{out}");
}

#[test]
fn a_blank_in_front_of_the_unit_is_warned_about() {
    let directory = Directory::new(&FILES);
    let (code, out, err) = directory.run("-u D -t 3 d");
    let warning = "rexpire: `d` is taken for the unit of -t, although a blank is in front of it\n";
    assert_eq!((code, err.as_str()), (0, warning));
    assert!(out.contains("\nMax Life:  259200 = 3.0 days\n"), "{out}");
}

#[test]
fn names_are_meant_in_the_zone_of_the_process() {
    let first_s = |zone: &str, name: &str| {
        let (code, out, _) = Directory::new(&[name]).run_in(zone, "-Y -l D");
        assert_eq!(code, 0);
        let stat = out.lines().find(|line| line.starts_with("Stat|")).unwrap_or_default().to_owned();
        stat.split('|').nth(2).and_then(|first| first.parse::<i64>().ok()).unwrap_or_default()
    };
    assert_eq!(first_s("UTC0", "nfcapd.202311142215"), 1_700_000_100);
    assert_eq!(first_s("IST-5:30", "nfcapd.202311142215"), 1_700_000_100 - 19_800);
    // Summer time; the hour that occurs twice counts as the later one.
    let berlin = "CET-1CEST,M3.5.0,M10.5.0/3";
    assert_eq!(first_s(berlin, "nfcapd.202307010000"), 1_688_162_400);
    assert_eq!(first_s(berlin, "nfcapd.202310290230"), 1_698_543_000);
    assert_eq!(first_s(berlin, "nfcapd.202310290230+0200"), 1_698_539_400);
    if Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
        assert_eq!(first_s("Europe/Berlin", "nfcapd.202310290230"), 1_698_543_000);
        assert_eq!(first_s(":Europe/Berlin", "nfcapd.202307010000"), 1_688_162_400);
    }
}

#[test]
fn a_broken_record_is_reported_and_cannot_delete() {
    let directory = Directory::new(&FILES);
    fs::write(directory.0.path().join(".nfstat"), "lifetime=junk\nsize=99999999999999\nmaxsize=99999999\n")
        .unwrap();
    let (code, out, err) = directory.run("-e D");
    assert_eq!((code, err.as_str()), (0, "Invalid config line: 'lifetime=junk'\n"));
    assert!(
        out.starts_with("Force rebuild requested by stat record in D\nScanning files in D .. done.\n"),
        "{out}"
    );
    assert!(FILES.iter().all(|file| directory.has(file)));
}

#[test]
fn runs_on_one_directory_wait_for_each_other() {
    // Each adds a term to the limits; without the lock a run could write over another one's.
    let directory = Directory::new(&FILES);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(directory.run("-u D -s 1g").0, 0));
            scope.spawn(|| assert_eq!(directory.run("-u D -t 9999w").0, 0));
        }
    });
    let (_, out, _) = directory.run("-l D");
    assert!(
        out.contains("\nMax Size:  1073741824 = 1.0 GB\nMax Life:  6047395200 = 9999.0 weeks\n"),
        "{out}"
    );
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let directory = Directory::new(&FILES);
    let mut child = Command::new(env!("CARGO_BIN_EXE_rexpire"))
        .args(["-l", directory.path()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
}
