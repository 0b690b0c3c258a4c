//! The dialect of nfdump 1.6, and standard input, which it reads by itself.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

mod support;

use flow_file::{BlockCompression, FileFormat, FileTail};
use flow_testkit::fixture;
use std::fs;
use std::process::Stdio;
use support::{FILE, Fixture, success};

const HEADER: &str = "Date first seen          Duration Proto      Src IP Addr:Port          Dst IP Addr:Port   Packets    Bytes Flows";

#[test]
fn columns_and_lines_are_those_of_1_6() {
    let fixture = Fixture::new();
    let lines = |args: &[&str]| -> Vec<String> {
        let args = [&["--dialect", "1.6", "-r", FILE], args].concat();
        fixture.stdout(&args).lines().map(str::to_owned).collect()
    };
    let listing = lines(&["-c", "1"]);
    assert_eq!(
        listing[..3],
        [
            HEADER,
            "2023-11-14 22:13:20.123    10.500 TCP       192.168.1.10:51000 ->         10.0.0.1:443         10     1500     1",
            "Summary: total flows: 1, total bytes: 1500, total packets: 10, avg bps: 1142, avg pps: 0, avg bpp: 150",
        ]
    );
    assert!(listing[4].starts_with("Total flows processed: 1, Blocks skipped: 0, "), "{listing:?}");
    assert!(listing[5].starts_with("Sys: 0.") && listing[5].contains("s flows/second: "), "{listing:?}");
    let statistic = lines(&["-s", "srcip/bytes", "-n", "1"]);
    assert_eq!(
        statistic[1..3],
        [
            "Date first seen          Duration Proto       Src IP Addr    Flows(%)     Packets(%)       Bytes(%)         pps      bps   bpp",
            "2023-11-14 22:13:25.000    60.000 any          172.16.5.6        1( 5.6)    1.8 G(99.6)    2.5 T(99.8)   30.0 M  333.3 G  1388",
        ]
    );
    assert!(lines(&["-o", "nsel"])[0].starts_with("Date first seen          Event  XEvent Proto "));
    let json = lines(&["-o", "json", "-c", "2"]);
    assert_eq!(
        json[5..7],
        ["\t\"t_first\" : \"2023-11-14T22:13:20.123\",", "\t\"t_last\" : \"2023-11-14T22:13:30.623\","]
    );
    assert!(json.windows(3).any(|lines| lines == ["}", ",", "{"]), "{json:?}");
    assert_eq!(json[json.len() - 2..], ["}", "]"]);
    // The window is held against whole seconds: the first flow ends at 30.623.
    let count = |dialect| {
        let window = "2023/11/14.22:13:20-2023/11/14.22:13:30";
        fixture.stdout(&["--dialect", dialect, "-r", FILE, "-q", "-t", window, "port 443"]).lines().count()
    };
    assert_eq!((count("1.6"), count("1.7")), (2, 0));
}

#[test]
fn nothing_is_said_of_an_empty_result_but_that_there_was_nothing_to_look_at() {
    let fixture = Fixture::new();
    let text = |args: &[&str]| fixture.stdout(&[&["--dialect", "1.6", "-r", FILE], args].concat());
    assert!(text(&["host 1.2.3.4"]).starts_with(&format!("{HEADER}\nSummary: total flows: 0,")));
    assert!(
        text(&["-s", "record", "host 1.2.3.4"])
            .starts_with(&format!("Top 10 flows ordered by flows:\n{HEADER}\nSum"))
    );
    assert_eq!(text(&["-t", "2030"]), format!("{HEADER}\nNo matched flows\n"));
    assert_eq!(text(&["-t", "2030", "-s", "srcip", "-s", "record"]), "No matched flows\n");
    // Parsers take every line for a row (D-98).
    for args in [&["-q"][..], &["-q", "-o", "csv"], &["-o", "pipe"]] {
        assert_eq!(text(&[&["-t", "2030"], args].concat()), "", "{args:?}");
    }
    assert_eq!(text(&["-t", "2030", "-o", "json"]), "[\n]\n");
    assert_eq!(text(&["-t", "2030", "-o", "csv", "-s", "srcip"]).lines().count(), 5);
}

#[test]
fn exit_codes_are_those_of_1_6() {
    let fixture = Fixture::new();
    for (args, code) in [
        (&["-r", "missing"][..], 250),
        (&["-I", "-r", "missing"], 250),
        (&["-R", "missing:other"], 250),
        (&["-r", FILE, "-R", "."], 255),
        (&["-M", "."], 255),
        (&["-r", FILE, "-o", "nonsense"], 255),
        (&["-r", FILE, "-s", "nonsense"], 255),
        (&["-r", FILE, "-c", "0"], 255),
        (&["-r", FILE, "-t", "yesterday"], 255),
        (&["-r", FILE, "-k"], 255),
        (&["-r", FILE, "-L", "1"], 250),
        (&["-r", FILE, "-w", "missing/out"], 255),
        (&["-r", FILE, "proto tcpx"], 254),
    ] {
        let (found, stderr) = fixture.failure(&[args, &["--dialect", "1.6"]].concat());
        assert_eq!(found, Some(code), "{args:?}: {stderr}");
    }
    fs::write(fixture.path("garbage"), "no flows").unwrap();
    assert_eq!(fixture.failure(&["--dialect", "1.6", "-q", "-r", "garbage"]).0, Some(250));
    assert_eq!(fixture.stdout(&["--dialect", "1.6", "-qr", FILE, "host", "8.8.8.8"]).lines().count(), 2);
}

#[test]
fn the_environment_names_a_dialect_and_an_option_another() {
    let fixture = Fixture::new();
    let first_line = |dialect: &str, args: &[&str]| {
        let output = fixture.command(args).env("RDUMP_DIALECT", dialect).output().unwrap();
        success(&output, args).lines().next().unwrap().to_owned()
    };
    assert_eq!(first_line("1.6", &["-r", FILE]), HEADER);
    assert_ne!(first_line("1.6", &["-r", FILE, "--dialect=1.7"]), HEADER);
    assert_ne!(first_line("", &["-r", FILE]), HEADER);
    let unknown = fixture.command(&["-r", FILE]).env("RDUMP_DIALECT", "1.5").output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&unknown.stderr),
        "rdump: RDUMP_DIALECT: unknown dialect `1.5`: 1.6 or 1.7\n"
    );
    assert_eq!(unknown.status.code(), Some(1));
    fs::write(fixture.path("conf"), "[rdump]\ndialect = \"1.6\"\n").unwrap();
    assert_eq!(first_line("", &["-r", FILE, "-C", "conf"]), HEADER);
    assert_ne!(first_line("1.7", &["-r", FILE, "-C", "conf"]), HEADER);
    assert_eq!(
        fixture.failure(&["-r", FILE, "--dialect", "2"]),
        (Some(1), "rdump: unknown dialect `2`: 1.6 or 1.7\n".to_owned())
    );
}

#[test]
fn standard_input_is_a_file_of_either_kind() {
    let fixture = Fixture::new();
    let nfdump = FileFormat::named(Some("nfdump"), Some(BlockCompression::Lz4)).unwrap();
    support::write(&fixture.path("nf"), "border", nfdump, &[fixture::flows()], FileTail::default());
    for file in [FILE, "nf"] {
        let expected = fixture.stdout(&["-r", file, "-o", "csv"]);
        for args in [&["-r", "-"][..], &["--dialect", "1.6"], &["--dialect", "1.6", "-r-"]] {
            let args = [args, &["-o", "csv"]].concat();
            assert_eq!(success(&fixture.rdump_from(file, &args), &args), expected, "{file}");
        }
    }
    // From a pipe into a pipe.
    let mut writer = fixture.command(&["-r", FILE, "-w", "-"]).stdout(Stdio::piped()).spawn().unwrap();
    let reader =
        fixture.command(&["-r", "-", "-o", "csv"]).stdin(writer.stdout.take().unwrap()).output().unwrap();
    assert!(writer.wait().unwrap().success());
    assert_eq!(success(&reader, &[]), fixture.stdout(&["-r", FILE, "-o", "csv"]));
    // The files themselves are asked, too; and what a window relative to them means.
    for args in [&["-I"][..], &["-t", "-30", "-q"], &["-s", "srcip", "-o", "csv"]] {
        let (named, piped) = ([args, &["-r", FILE]].concat(), [args, &["-r", "-"]].concat());
        assert_eq!(success(&fixture.rdump_from(FILE, &piped), &piped), fixture.stdout(&named));
    }
    // A file of that name comes first, as nfdump 1.7 has it.
    fs::rename(fixture.path("nf"), fixture.path("-")).unwrap();
    assert!(fixture.stdout(&["-r", "-"]).contains("Total flows processed: 18"));
}

#[test]
fn standard_input_that_is_no_file_is_an_error_or_nothing() {
    let fixture = Fixture::new();
    fs::write(fixture.path("garbage"), "no flows").unwrap();
    let output = fixture.rdump_from("garbage", &["-r", "-", "-q"]);
    assert_eq!(output.status.code(), Some(250));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard-input"), "{output:?}");
    let whole = fs::read(fixture.path(FILE)).unwrap();
    fs::write(fixture.path("cut"), &whole[..whole.len() / 2]).unwrap();
    assert!(!fixture.rdump_from("cut", &["-r", "-", "-q"]).stderr.is_empty());
    // The web server's standard input is /dev/null.
    assert_eq!(fixture.stdout(&["--dialect", "1.6", "-N", "-o", "csv", "-q"]), "");
    assert!(fixture.stdout(&["--dialect", "1.6"]).ends_with("No matched flows\n"));
    assert_eq!(fixture.failure(&["-N"]).0, Some(1));
    for option in [&["-J", "3"][..], &["-i", "x"]] {
        let output = fixture.rdump_from(FILE, &[&["-r", "-"], option].concat());
        assert!(String::from_utf8_lossy(&output.stderr).contains("standard input is none"), "{output:?}");
        assert_eq!(output.status.code(), Some(1));
    }
    // No copy stays behind.
    let left = fixture.path("left");
    fs::create_dir(&left).unwrap();
    let file = fs::File::open(fixture.path(FILE)).unwrap();
    let output = fixture.command(&["-r", "-"]).env("TMPDIR", &left).stdin(file).output().unwrap();
    assert!(output.status.success());
    assert_eq!(fs::read_dir(&left).unwrap().count(), 0);
}
