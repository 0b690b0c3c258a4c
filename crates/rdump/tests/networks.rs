//! `--networks`: sides, own hosts and their peers in statistics, groups, filters, formats and pmacct's table.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

mod support;

use flow_model::{BatchBuilder, Field};
use flow_testkit::fixture::BASE_MS;
use std::fs;
use support::{FILE, Fixture, write_flows};

const NETWORKS: &str = "! ours\n65500,10.0.0.0/8\n10.1.0.0/16 Smith, John\n2001:db8::/32 six\n";

/// Source, destination, packets and bytes forth, and back.
const FLOWS: [(&str, &str, [u64; 4]); 5] = [
    ("198.51.100.1", "10.0.0.1", [10, 1_000, 2, 200]),
    ("10.0.0.1", "198.51.100.1", [1, 100, 0, 0]),
    ("10.0.0.1", "10.1.0.1", [3, 300, 4, 400]),
    ("2001:db8::1", "2001:4860::8", [5, 500, 0, 0]),
    ("198.51.100.1", "203.0.113.1", [7, 700, 0, 0]),
];

/// The flows in one file, and the list of networks.
fn fixture() -> Fixture {
    let fixture = Fixture { dir: tempfile::tempdir().unwrap() };
    let mut builder = BatchBuilder::new();
    for (src, dst, [packets, bytes, packets_back, bytes_back]) in FLOWS {
        builder.set_ip(Field::SrcAddr, src.parse().unwrap());
        builder.set_ip(Field::DstAddr, dst.parse().unwrap());
        for (field, num) in [
            (Field::FirstMs, BASE_MS),
            (Field::LastMs, BASE_MS + 1_000),
            (Field::Proto, 6),
            (Field::InPackets, packets),
            (Field::InBytes, bytes),
            (Field::OutPackets, packets_back),
            (Field::OutBytes, bytes_back),
        ] {
            builder.set(field, num);
        }
        builder.finish_row();
    }
    write_flows(&fixture.path(FILE), &[builder.finish()]);
    fs::write(fixture.path("networks"), NETWORKS).unwrap();
    fixture
}

fn asked<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [&["-r", FILE, "--networks", "networks"], args].concat()
}

#[test]
fn own_hosts_have_what_they_received_and_sent() {
    let fixture = fixture();
    let table = fixture.stdout(&asked(&["-s", "local/bytes", "-o", "csv", "-q"]));
    let columns: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    let header = &columns[0];
    let at = |name: &str| header.iter().position(|column| *column == name).unwrap();
    let names = ["val", "fl", "pkt", "byt", "ipkt", "opkt", "ibyt", "obyt", "ibps", "obps"].map(at);
    let rows: Vec<String> = columns[1..]
        .iter()
        .filter(|row| row.len() == header.len())
        .map(|row| names.map(|place| row[place]).join(" "))
        .collect();
    assert_eq!(
        rows,
        [
            "10.0.0.1 3 20 2000 14 6 1400 600 11200 4800",
            "10.1.0.1 1 7 700 3 4 300 400 2400 3200",
            "2001:db8::1 1 5 500 0 5 0 500 0 4000",
        ]
    );
    let of = |order: &str| {
        let table = fixture.stdout(&asked(&["-s", &format!("local/{order}"), "-n", "1", "-o", "csv", "-q"]));
        table.lines().nth(1).unwrap().split(',').nth(4).unwrap().to_owned()
    };
    assert_eq!([of("ibytes"), of("obytes:a"), of("flows")], ["10.0.0.1", "10.1.0.1", "10.0.0.1"]);
}

#[test]
fn the_table_has_nfdumps_columns_and_both_ways_behind_them() {
    let table = fixture().stdout(&asked(&["-s", "local/ibytes", "-n", "1"]));
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines[0], "Top 1 Local IP Addr ordered by ibyte:");
    assert!(lines[1].ends_with(
        "    Flows(%)     Packets(%)       Bytes(%)         pps      bps   bpp   In Pkt  Out Pkt  In Byte Out Byte   In bps  Out bps"
    ));
    assert!(lines[2].ends_with(
        "    10.0.0.1        3(60.0)       20(62.5)     2000(62.5)       20    16000   100       14        6     1400      600    11200     4800"
    ), "{}", lines[2]);
    assert_eq!(lines[1].len(), lines[2].len());
}

#[test]
fn peers_and_networks_are_seen_from_the_own_side() {
    let fixture = fixture();
    let rows = |statistic: &str| -> Vec<String> {
        let table = fixture.stdout(&asked(&["-s", statistic, "-o", "json", "-q"]));
        let line = |line: &str| {
            let of = |key: &str| line.split(&format!("\"{key}\" : ")).nth(1)?.split([',', '}']).next();
            Some(format!("{} {} {}", of(statistic.split('/').next()?)?, of("in_bytes")?, of("out_bytes")?))
        };
        table.lines().filter_map(line).collect()
    };
    assert_eq!(
        rows("peer/bytes"),
        [
            "\"198.51.100.1\" 1000 300",
            "\"10.0.0.1\" 300 400",
            "\"10.1.0.1\" 400 300",
            "\"2001:4860::8\" 0 500"
        ]
    );
    let table = fixture.stdout(&asked(&["-s", "network/obytes", "-o", "csv", "-q"]));
    let names: Vec<&str> = table.lines().skip(1).filter_map(|line| line.splitn(5, ',').nth(4)).collect();
    assert!(names[0].starts_with("10.0.0.0/8,3,"), "{names:?}");
    assert!(names[1].starts_with("six,1,"), "{names:?}");
    assert!(names[2].starts_with("\"Smith, John\",1,"), "{names:?}");
}

#[test]
fn groups_and_formats_have_columns_for_them() {
    let fixture = fixture();
    let rows = fixture.stdout(&asked(&[
        "-A",
        "side,local,peer,network",
        "-q",
        "-o",
        "csv:%side,%local,%peer,%network,%byt",
    ]));
    assert_eq!(
        rows,
        "inbound,10.0.0.1,198.51.100.1,10.0.0.0/8,1000\noutbound,10.0.0.1,198.51.100.1,10.0.0.0/8,100\n\
         internal,10.0.0.1,10.1.0.1,10.0.0.0/8,300\noutbound,2001:db8::1,2001:4860::8,six,500\n\
         transit,0.0.0.0,0.0.0.0,-,700\n"
    );
    let text = fixture.stdout(&asked(&["-A", "side,network", "-q", "-O", "bytes", "-n", "1"]));
    assert!(text.contains("   inbound       10.0.0.0/8 "), "{text}");
    let json = fixture.stdout(&asked(&["-A", "network,side", "-o", "ndjson", "-q", "side inbound"]));
    assert!(json.ends_with("\"side\":\"inbound\",\"network\":\"10.0.0.0/8\"}\n"), "{json}");
    let json = fixture.stdout(&asked(&["-o", "ndjson", "-q", "-c", "1"]));
    assert!(!json.contains("network"), "{json}");
    let listed = fixture.stdout(&asked(&["-q", "-o", "fmt:%side|%network|%local", "network 'Smith, John'"]));
    assert_eq!(listed, "internal|      10.0.0.0/8|        10.0.0.1\n");
}

#[test]
fn pmacct_has_a_table_of_each_direction() {
    let fixture = fixture();
    let table = |args: &[&str]| fixture.stdout(&asked(args));
    let own = "side inbound or side internal";
    assert_eq!(
        table(&["-A", "dstip", "-o", "pmacct", own]),
        "DST_IP                                         PACKETS               BYTES\n\
         10.0.0.1                                       10                    1000\n\
         10.1.0.1                                       3                     300\n\
         \n\
         For a total of: 2 entries\n"
    );
    assert_eq!(
        table(&["-s", "srcip/bytes", "-n", "1", "-o", "pmacct", "-q"]),
        "198.51.100.1                                   17                    1700\n"
    );
    let (code, error) = fixture.failure(&asked(&["-o", "pmacct"]));
    assert_eq!(code, Some(1));
    assert!(error.starts_with("rdump: pmacct prints groups by "), "{error}");
    assert!(
        fixture
            .failure(&asked(&["-o", "pmacct", "-s", "ip"]))
            .1
            .starts_with("rdump: pmacct prints groups by ")
    );
}

#[test]
fn without_a_list_it_says_which_option_is_missing() {
    let fixture = fixture();
    for args in [&["-s", "local/bytes"][..], &["-A", "side"], &["-o", "fmt:%peer"], &["network six"]] {
        let (code, error) = fixture.failure(&[&["-r", FILE], args].concat());
        assert!(error.contains("--networks FILE"), "{args:?}: {error}");
        assert_ne!(code, Some(0));
    }
}

#[test]
fn wrong_lines_are_named_and_left_out_only_if_one_says_so() {
    let fixture = fixture();
    fs::write(fixture.path("networks"), "10.0.0.0/8 a\n10.0.0.0/33\n10.0.0.0/8 b\n").unwrap();
    let (code, error) = fixture.failure(&asked(&["-s", "local"]));
    assert_eq!(code, Some(1));
    assert_eq!(
        error,
        "rdump: networks, line 2: `10.0.0.0/33` is no network, such as 192.0.2.0/24 or 2001:db8::/32\n\
         rdump: networks, line 3: 10.0.0.0/8 is called `a` in line 1 already\n\
         rdump: networks `networks`: 2 lines are wrong\n\
         hint: --force goes on without what is wrong\n"
    );
    let output = fixture.rdump(&asked(&["-s", "network", "--force", "-q"]));
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains(" a "));
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 2);
    let (_, error) = fixture.failure(&["-r", FILE, "--networks", "nowhere"]);
    assert_eq!(error, "rdump: reading networks `nowhere`: No such file or directory\n");
}
