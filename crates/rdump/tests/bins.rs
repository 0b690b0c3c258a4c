//! `--bin` and `-o svg` from the command line to what is printed.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

mod support;

use flow_model::{BatchBuilder, Field};
use serde_json::Value;
use support::{FILE, Fixture};

/// Sums of a column of comma-separated values, by the values of another one or, without, of all rows.
fn sums(csv: &str, by: Option<&str>, of: &str) -> Vec<(String, u64)> {
    let mut lines = csv.lines();
    let header: Vec<&str> = lines.next().unwrap().split(',').collect();
    let place = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let mut sums: Vec<(String, u64)> = Vec::new();
    for line in lines {
        let cells: Vec<&str> = line.split(',').collect();
        let name = by.map_or("", |by| cells[place(by)]);
        let number: u64 = cells[place(of)].parse().unwrap();
        match sums.iter_mut().find(|(known, _)| known == name) {
            Some((_, sum)) => *sum += number,
            None => sums.push((name.to_owned(), number)),
        }
    }
    sums
}

#[test]
fn bins_of_groups_add_up_to_the_statistic() {
    let fixture = Fixture::new();
    let whole = fixture.stdout(&["-r", FILE, "-s", "srcip/bytes", "-n", "3", "-o", "csv", "-q"]);
    for (width, by) in [("1m", "spread"), ("7s", "spread"), ("1h", "first"), ("30s", "last")] {
        let binned = fixture.stdout(&[
            "-r",
            FILE,
            "-s",
            "srcip/bytes",
            "-n",
            "3",
            "-o",
            "csv",
            "--bin",
            width,
            "--bin-by",
            by,
        ]);
        let [ins, outs] = ["ibyt", "obyt"].map(|of| sums(&binned, Some("srcip"), of));
        let rows: Vec<&str> = whole.lines().skip(1).filter(|line| !line.is_empty()).collect();
        assert_eq!(rows.len(), 3);
        for (row, (sum, out)) in rows.iter().zip(ins.iter().zip(&outs)) {
            let cells: Vec<&str> = row.split(',').collect();
            assert_eq!(
                (cells[4], cells[9]),
                (sum.0.as_str(), (sum.1 + out.1).to_string().as_str()),
                "{width}"
            );
        }
        assert_eq!(ins[3].0, "other");
        let summary: Value =
            serde_json::from_str(&fixture.stdout(&["-r", FILE, "-q", "-o", "null", "--summary", "json"]))
                .unwrap();
        let all = ins.iter().chain(&outs).map(|(_, sum)| sum).sum::<u64>();
        assert_eq!(summary["bytes"], all);
    }
}

#[test]
fn every_format_has_the_same_rows() {
    let fixture = Fixture::new();
    let run = |format: &str| {
        fixture.stdout(&[
            "-r",
            FILE,
            "--bin",
            "10m",
            "-A",
            "proto,dstport",
            "-n",
            "4",
            "-o",
            format,
            "-q",
            "-N",
        ])
    };
    let array: Vec<Value> = serde_json::from_str(&run("json")).unwrap();
    let lines = run("ndjson");
    let objects: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(array, objects);
    assert_eq!(array.len() % 5, 0);
    assert_eq!(
        (array[0]["by"].as_str(), array[4]["other"].as_bool()),
        (Some("proto,dstport/bytes"), Some(true))
    );
    assert_eq!(array[0]["start"].as_str().map(str::len), Some("2023-11-14T22:10:00+00:00".len()));
    let (csv, table) = (run("csv"), run("line"));
    assert_eq!((csv.lines().count() - 1, table.lines().count()), (array.len(), array.len()));
    for ((object, csv), row) in array.iter().zip(csv.lines().skip(1)).zip(table.lines()) {
        let number = |name: &str| object[name].as_u64().unwrap();
        let cells: Vec<&str> = csv.split(',').collect();
        let port = object["dstport"].as_str().unwrap_or("other");
        assert_eq!(
            (cells[3], cells[6], cells[10]),
            (port, number("in_bytes").to_string().as_str(), number("bps").to_string().as_str())
        );
        let words: Vec<&str> = row.split_whitespace().collect();
        let bytes = number("in_bytes") + number("out_bytes");
        assert_eq!((words[3], words[6]), (port, bytes.to_string().as_str()), "{row}");
    }
}

/// Flows of a second each, at these times in seconds since 1970, of 800 octets each.
fn flows_at(fixture: &Fixture, seconds: impl IntoIterator<Item = u64>) {
    let mut builder = BatchBuilder::new();
    for second in seconds {
        builder.set(Field::FirstMs, second * 1_000);
        builder.set(Field::LastMs, second * 1_000 + 999);
        builder.set(Field::InBytes, 800);
        builder.set(Field::InPackets, 1);
        builder.finish_row();
    }
    support::write_flows(&fixture.path("flows"), &[builder.finish()]);
}

#[test]
fn days_have_23_or_25_hours_when_clocks_are_changed() {
    let fixture = Fixture::new();
    // Noon of 28 to 30 March and of 24 to 26 October 2026 in Berlin: clocks change on the days between.
    for (noon, hours) in [(1_774_695_600, 23), (1_792_836_000, 25)] {
        flows_at(&fixture, [0, 24, 48].map(|hour| noon + hour * 3_600));
        let args = ["-r", "flows", "--bin", "1d", "-o", "ndjson", "-q"];
        let output = fixture.command(&args).env("TZ", "Europe/Berlin").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let days: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(days.iter().map(|day| day["flows"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 1, 1]);
        let midnight = |day: &Value| day["start"].as_str().unwrap()[11..19] == *"00:00:00";
        assert!(days.iter().all(midnight), "{text}");
        // 800 octets a day.
        assert_eq!(days[1]["bps"].as_u64(), Some(800 * 8 / (hours * 3_600)));
        let east = |day: &Value| day["start"].as_str().unwrap()[19..].to_owned();
        assert_ne!(east(&days[0]), east(&days[2]));
    }
}

#[test]
fn percentiles_are_of_all_bins_with_those_that_are_empty() {
    let fixture = Fixture::new();
    // Of ten minutes, the first six have 1 to 6 flows.
    let start = 1_700_000_040;
    let busy = (0..6).flat_map(|minute| (0..=minute).map(move |flow| start + minute * 60 + flow));
    flows_at(&fixture, busy.chain([start + 9 * 60]));
    for (percentile, flows) in [("100", 6), ("90", 5), ("80", 4), ("50", 1), ("30", 0)] {
        let text = fixture.stdout(&["-r", "flows", "--bin", "1m", "--percentile", percentile, "-o", "csv"]);
        let bps = flows * 800 * 8 / 60;
        let expected =
            format!("percentile,in_bps,out_bps,bps,in_pps,out_pps,pps\n{percentile},{bps},0,{bps},0,0,0\n");
        assert_eq!(text, expected);
    }
}

#[test]
fn a_window_is_what_bins_cover_and_windows_alone_say_the_same() {
    let fixture = Fixture::new();
    let start = 1_700_000_040;
    flows_at(&fixture, (0..600).step_by(7).map(|second| start + second));
    let all = fixture.stdout(&[
        "-r",
        "flows",
        "-t",
        "2023/11/14.22:14:05-2023/11/14.22:22:25",
        "--bin",
        "10s",
        "--bin-align",
        "start",
        "--bin-by",
        "inside",
        "-o",
        "csv",
    ]);
    let rows: Vec<&str> = all.lines().skip(1).collect();
    assert_eq!(rows.len(), 50);
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let time = |text: &str| text[..19].replace('-', "/").replace(' ', ".");
        let window = format!("{}-{}", time(cells[0]), time(cells[1]));
        let alone = fixture.stdout(&["-r", "flows", "-t", &window, "-o", "null", "-q", "--summary", "json"]);
        let alone: Value = serde_json::from_str(&alone).unwrap();
        assert_eq!(
            (alone["flows"].to_string(), alone["bytes"].to_string()),
            (cells[2].to_owned(), cells[4].to_owned())
        );
    }
}

#[test]
fn pictures_show_every_group() {
    let fixture = Fixture::new();
    let draw = |args: &[&str]| fixture.stdout(&[&["-r", FILE, "-o", "svg"], args].concat());
    let series = draw(&["--bin", "1m", "-s", "srcip/bytes", "-n", "3"]);
    let names = fixture.stdout(&["-r", FILE, "-s", "srcip/bytes", "-n", "3", "-o", "csv", "-q"]);
    let bars = draw(&["-s", "srcip/bytes", "-n", "3"]);
    for name in names.lines().skip(1).filter_map(|line| line.split(',').nth(4)).chain(["other"]) {
        assert!(series.contains(name) && bars.contains(name), "{name}");
    }
    assert!(series.contains("(bits/s)") && bars.contains("(bytes)"));
    let matrix = draw(&["-A", "srcip,dstip"]);
    assert!(matrix.starts_with("<svg") && matrix.matches("<rect").count() > 3);
    assert!(
        draw(&["--bin", "1m", "-s", "srcip/packets", "--percentile", "95"])
            .contains("percentile 95 (packets/s)")
    );
}

#[test]
fn what_cannot_be_binned_or_drawn_is_told() {
    let fixture = Fixture::new();
    for (args, message) in [
        (&["--bin", "5x"][..], "not a length of time: `5x`"),
        (&["--bin", "1m", "--bin-by", "middle"], "spread, first, last or inside"),
        (&["--bin", "1m", "--bin-align", "noon"], "clock or start"),
        (&["--bin", "1m", "--percentile", "101"], "not a percentile: `101`"),
        (&["--bin-by", "first"], "--bin-by is about bins of time: it needs --bin"),
        (&["--bin", "1m", "-O", "bytes"], "not about flows in order"),
        (
            &["--bin", "1s", "-t", "2020-2026"],
            "bins of 1s make 189388800, more than 131072; bins of 1h would do",
        ),
        (&["-o", "svg"], "-o svg draws groups"),
        (&["-o", "svg", "--bin", "1m", "-s", "srcip", "-s", "dstip"], "-o svg draws one table"),
        (&["-o", "svg:bps", "-s", "srcip"], "it needs --bin"),
        (&["-o", "svg:colour", "-s", "srcip"], "unknown word `colour`"),
    ] {
        let output = fixture.rdump(&[&["-r", FILE], args].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && output.stdout.is_empty(), "{args:?}");
        assert!(told.contains(message), "{args:?}: {told}");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_octets() {
    let fixture = Fixture::new();
    for args in
        [&["-s", "ip/bytes", "-n", "2"][..], &["-b"], &["-s", "record/packets", "-s", "dstport:p/flows"], &[]]
    {
        let run = |threads: &str| {
            fixture.stdout(&[&["-r", FILE, "--bin", "1m", "-o", "csv", "-W", threads], args].concat())
        };
        assert_eq!(run("1"), run("4"));
    }
}
