//! The program as people and consoles call it: what comes out, where, and with which exit code.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

mod support;

use flow_file::FlowFile;
use flow_testkit::fixture;
use flow_testkit::generate::{Mix, batches};
use std::fs;
use std::io::Read;
use std::process::{Command, Stdio};
use support::{FILE, Fixture, write_flows as write};

#[test]
fn a_listing_has_header_rows_and_summary() {
    let fixture = Fixture::new();
    let text = fixture.stdout(&["-r", FILE, "-c", "2"]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..4],
        [
            "Date first seen             Duration     Proto      Src IP Addr:Port          Dst IP Addr:Port   Packets    Bytes Flows",
            "2023-11-14 22:13:20.123     00:00:10.500 TCP       192.168.1.10:51000 ->         10.0.0.1:443         10     1500     1",
            "2023-11-14 22:13:20.200     00:00:10.500 TCP           10.0.0.1:443   ->     192.168.1.10:51000       90   123456     1",
            "Summary: total flows: 2, total bytes: 124956, total packets: 100, avg bps: 94511, avg pps: 9, avg bpp: 1249",
        ]
    );
    assert_eq!(lines[4], "Time window: 2023-11-13 21:13:20 - 2023-11-14 22:15:10");
    assert!(lines[5].starts_with("Total flows processed: 2, passed: 2, Blocks skipped: 0, Bytes read: "));
    assert!(lines[6].starts_with("Sys: ") && lines.len() == 7);
}

#[test]
fn options_cluster_and_may_stand_behind_the_filter() {
    let fixture = Fixture::new();
    let expected = fixture.stdout(&["-r", FILE, "-q", "-N", "-o", "long", "proto tcp and dst port 443"]);
    assert_eq!(expected.lines().count(), 2);
    for args in [
        &["-qN", "-olong", &format!("-r{FILE}"), "proto tcp and dst port 443"][..],
        &["proto", "tcp", "and", "dst", "port", "443", "-qNo", "long", "-r", FILE],
        &["-q", "-N", "-o", "csv", "-o", "long", "-r", FILE, "--", "proto tcp and dst port 443"],
    ] {
        assert_eq!(fixture.stdout(args), expected, "{args:?}");
    }
}

#[test]
fn pandoras_lines_find_their_values_by_position() {
    let fixture = Fixture::new();
    let window = "2023/11/13.00:00:00-2023/11/15.00:00:00";
    let summary =
        fixture.stdout(&["-N", "-R", ".", "-o", "csv", "-n", "1", "-s", "srcip/bytes", "-t", window]);
    let lines: Vec<&str> = summary.lines().collect();
    assert_eq!((lines[2], lines[3]), ("", "Summary"));
    assert_eq!(lines[5], "18,2505371950989,1807743259,222427872,20061,1385");
    let table =
        fixture.stdout(&["-N", "-R", ".", "-o", "csv", "-q", "-n", "5", "-s", "dstip/bytes", "-t", window]);
    let first: Vec<&str> = table.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((first[4], first[9]), ("203.0.113.201", "2500000000000"));
    let rows = fixture.stdout(&[
        "-N",
        "-q",
        "-o",
        "fmt:%sap,%dap,%ibyt,%ipkt,%bps",
        "-n",
        "1",
        "-s",
        "record/bytes",
        "-r",
        FILE,
    ]);
    assert_eq!(
        rows.trim().replace(' ', ""),
        "172.16.5.6:0,203.0.113.201:0,2500000000000,1800000000,333333333333"
    );
}

#[test]
fn an_empty_result_prints_no_row_that_a_parser_could_take_for_one() {
    let fixture = Fixture::new();
    let none = "host 192.0.2.99";
    assert_eq!(fixture.stdout(&["-r", FILE, "-q", "-o", "fmt:%sa,%da", none]), "");
    assert_eq!(fixture.stdout(&["-r", FILE, "-q", "-o", "csv", none]), "");
    assert_eq!(fixture.stdout(&["-r", FILE, "-o", "json", none]), "[\n]\n");
    assert!(fixture.stdout(&["-r", FILE, none]).contains("\nNo matching flows\n"));
    let table = fixture.stdout(&["-r", FILE, "-q", "-o", "csv", "-s", "srcip/bytes", none]);
    assert_eq!(table, "ts,te,td,pr,val,fl,flP,pkt,pktP,byt,bytP,pps,bps,bpp\n\n");
}

#[test]
fn a_flow_counts_when_it_lies_inside_the_window() {
    let fixture = Fixture::new();
    let count =
        |window: &str| fixture.stdout(&["-r", FILE, "-q", "-o", "fmt:%sa", "-t", window]).lines().count();
    assert_eq!(count("2023/11/14.22:13:20-2023/11/14.22:13:31"), 7);
    assert_eq!(count("2023/11/14.22:13:40"), 5);
    assert_eq!(count("2030"), 0);
    assert_eq!(count("-30"), 1);
    assert_eq!(count("+90005"), 4);
}

#[test]
fn errors_have_nfdumps_exit_codes_and_leave_stdout_alone() {
    let fixture = Fixture::new();
    for (args, code, message) in [
        (&[][..], 1, "no input"),
        (&["-r", "missing"], 1, "missing is not a file or directory"),
        (&["-R", "missing:other"], 250, "missing"),
        (&["-r", FILE, "-R", "."], 1, "mutually exclusive"),
        (&["-r", FILE, "proto tcpx"], 254, "Line 1: Unknown protocol at 'tcpx'"),
        (&["-r", FILE, "-o", "nonsense"], 1, "Unknown output mode 'nonsense'"),
        (&["-r", FILE, "-o", "fmt:%zz"], 1, "Output format parse error at: %zz"),
        (&["-r", FILE, "-s", "nonsense"], 1, "Unknown stat: 'nonsense'!"),
        (&["-r", FILE, "-s", "srcip/nonsense"], 1, "Unknown stat: 'srcip/nonsense'!"),
        (&["-r", FILE, "-O", "nonsense"], 1, "Unknown print order 'nonsense'"),
        (&["-r", FILE, "-A", "nonsense"], 1, "Unknown aggregation field 'nonsense'"),
        (&["-r", FILE, "-A", "srcip,srcip"], 1, "Duplicate aggregation mask: srcip"),
        (&["-r", FILE, "-A", "srcip", "-A", "dstip"], 1, "Multiple aggregation masks not allowed"),
        (&["-r", FILE, "-c", "0"], 1, "Option -c needs a number > 0"),
        (&["-r", FILE, "-n", "-5"], 1, "TopnN number -5 out of range"),
        (&["-r", FILE, "-t", "yesterday"], 1, "yesterday"),
        (&["-r", FILE, "-s", "record", "-O", "bytes"], 1, "mutually exclusive"),
        (&["-r", FILE, "--nonsense"], 1, "--nonsense"),
        (&["-r", FILE, "-f", "missing"], 1, "missing"),
        (&["-r", FILE, "-w", "missing/out"], 1, "missing/out"),
    ] {
        let (found, stderr) = fixture.failure(args);
        assert_eq!(found, Some(code), "{args:?}: {stderr}");
        assert!(stderr.contains(message), "{args:?}: {stderr}");
    }
}

#[test]
fn version_help_and_filter_check_need_no_input() {
    let fixture = Fixture::new();
    let version = fixture.stdout(&["-V"]);
    assert!(version.contains(": Version: 1.7.8 (rdump ") && version.lines().count() == 1);
    assert!(fixture.stdout(&["-h"]).contains("Examples:"));
    assert_eq!(fixture.stdout(&["-Z", "proto tcp"]), "");
    assert_eq!(fixture.failure(&["-Z", "proto"]).0, Some(254));
}

#[test]
fn a_filter_is_explained_instead_of_run() {
    let fixture = Fixture::new();
    let text = fixture.stdout(&["-X", "-r", FILE, "proto tcp and port 443"]);
    assert!(text.starts_with("Expression\n  and\n    proto = 6 (TCP)\n"), "{text}");
    assert!(text.ends_with("Columns\n  src_port, dst_port, proto\n"), "{text}");
    assert_eq!(fixture.failure(&["-X", "proto"]).0, Some(254));
}

#[test]
fn rows_are_numbered_by_their_place_in_the_input() {
    let fixture = Fixture::new();
    write(&fixture.path("more"), &batches(1, 40, 10, Mix::default()));
    let rows = |args: &[&str]| -> Vec<String> {
        let args = [&["-q", "-o", "fmt:%cnt"], args].concat();
        fixture.stdout(&args).lines().map(|line| line.trim().to_owned()).collect()
    };
    assert_eq!(rows(&["-r", FILE, "proto udp"]), ["3", "4", "10", "18"]);
    // Blocks and files that are not read are counted as well.
    assert_eq!(rows(&["-r", "more", "-O", "bytes"])[0], "0");
    fs::rename(fixture.path("more"), fixture.path("a")).unwrap();
    assert_eq!(rows(&["-R", ".", "host 8.8.8.8"]), ["45", "46"]);
    let raw = fixture.stdout(&["-q", "-o", "raw", "-R", ".", "host 8.8.8.8"]);
    assert_eq!(raw.matches("  RecordCount  =                45\n").count(), 1, "{raw}");
}

#[test]
fn labels_say_what_decided() {
    let fixture = Fixture::new();
    let filter = "(proto tcp) %web or (proto udp) %dns or proto gre";
    let text = fixture.stdout(&["-r", FILE, "-q", "-o", "fmt:%pr %lbl", filter]);
    for (proto, label, count) in [("TCP", "web", 6), ("UDP", "dns", 4), ("GRE", "<none>", 1)] {
        let is_right = |line: &&str| line.split_whitespace().eq([proto, label]);
        assert_eq!(text.lines().filter(is_right).count(), count, "{text}");
    }
    let json = fixture.stdout(&["-r", FILE, "-o", "json", filter]);
    assert_eq!(json.matches("\"label\" : \"web\"").count(), 6, "{json}");
    fixture.stdout(&["-r", FILE, "-w", "labelled", filter]);
    assert_eq!(fixture.stdout(&["-r", "labelled", "-q", "flowlabel dns"]).lines().count(), 4);
}

#[test]
fn lists_come_from_files_and_errors_name_their_lines() {
    let fixture = Fixture::new();
    fs::write(fixture.path("customers.txt"), "# ours\n192.168.1.10\n10.0.0.0/30, ::1\n").unwrap();
    fs::write(fixture.path("typo"), "10.0.0.1\n10.0.0\n").unwrap();
    let listed = fixture.stdout(&["-r", FILE, "-q", "src net in @customers.txt"]);
    assert_eq!(listed, fixture.stdout(&["-r", FILE, "-q", "src ip in [192.168.1.10 10.0.0.0/30 ::1]"]));
    assert!(listed.lines().count() > 2, "{listed}");
    let (code, message) = fixture.failure(&["-Z", "src net in @typo"]);
    assert_eq!(code, Some(254));
    assert!(message.contains("File 'typo' line 2: incomplete IP address at '10.0.0'"), "{message}");
    let (code, message) = fixture.failure(&["-Z", "src net in @nowhere"]);
    assert_eq!(code, Some(255));
    assert!(message.contains("Failed to open list file 'nowhere': No such file or directory"), "{message}");
}

#[test]
fn host_names_are_asked_of_the_given_server() {
    let fixture = Fixture::new();
    let server = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let addr = server.local_addr().unwrap().to_string();
    let serving = std::thread::spawn(move || {
        for _ in 0..2 {
            let mut datagram = [0; 512];
            let (len, from) = server.recv_from(&mut datagram).unwrap();
            let mut reply = datagram[..len].to_vec();
            reply[2..4].copy_from_slice(&[0x81, 0x80]);
            if reply[len - 3] == 1 {
                reply[7] = 1;
                reply.extend_from_slice(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x0a\0\0\x01");
            }
            server.send_to(&reply, from).unwrap();
        }
    });
    let named = fixture.stdout(&["-D", &addr, "-r", FILE, "-q", "host server.example"]);
    serving.join().unwrap();
    assert_eq!(named, fixture.stdout(&["-r", FILE, "-q", "ip 10.0.0.1"]));
    let (code, message) = fixture.failure(&["-D", "nosuch.invalid", "-Z", "any"]);
    assert_eq!(code, Some(1));
    assert!(message.contains("finding name server `nosuch.invalid`: "), "{message}");
}

#[test]
fn a_filter_may_come_from_a_file_with_comments_and_windows_line_ends() {
    let fixture = Fixture::new();
    fs::write(fixture.path("filter"), "# web\r\nproto tcp\r\nand dst port 443\r\n").unwrap();
    assert_eq!(fixture.stdout(&["-r", FILE, "-q", "-o", "fmt:%sa", "-f", "filter"]).lines().count(), 2);
}

#[test]
fn a_damaged_file_costs_itself_and_is_named() {
    let fixture = Fixture::new();
    write(&fixture.path("nfcapd.202311142215"), &[fixture::events()]);
    let whole = fs::read(fixture.path(FILE)).unwrap();
    fs::write(fixture.path("nfcapd.202311142212"), &whole[..whole.len() / 2]).unwrap();
    fs::write(fixture.path("nfcapd.202311142213"), b"garbage, not flows").unwrap();
    fs::write(fixture.path("nfcapd.202311142214"), b"").unwrap();

    let output = fixture.rdump(&["-R", ".", "-q", "-o", "fmt:%sa"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 18 + 6);
    let stderr = String::from_utf8(output.stderr).unwrap();
    for name in ["nfcapd.202311142213", "nfcapd.202311142214"] {
        assert!(stderr.contains(name), "{stderr}");
    }
    assert_eq!(fixture.rdump(&["-R", ".", "-q", "--strict"]).status.code(), Some(1));
    let (code, stderr) = fixture.failure(&["-r", "nfcapd.202311142213", "-q"]);
    assert_eq!(code, Some(250), "{stderr}");
}

#[test]
fn every_file_of_two_ranges_is_read_once() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("other")).unwrap();
    write(&fixture.path("other/nfcapd.202311142215"), &[fixture::events()]);
    let both = fixture.stdout(&["-q", "-o", "fmt:%sa", "-R", FILE, "-R", "other", "-R", "other"]);
    assert_eq!(both.lines().count(), 18 + 6);
}

#[test]
fn written_flows_are_the_flows_and_can_be_sorted_and_aggregated() {
    let fixture = Fixture::new();
    assert_eq!(fixture.stdout(&["-r", FILE, "-w", "tcp", "proto tcp"]), "");
    let csv = |args: &[&str]| fixture.stdout(&[args, &["-q", "-o", "csv"]].concat());
    assert_eq!(csv(&["-r", "tcp"]), csv(&["-r", FILE, "proto tcp"]));
    assert_eq!(FlowFile::open(&fixture.path("tcp")).unwrap().ident(), "border");
    assert_eq!(fixture.stdout(&["-r", FILE, "-w", "sorted", "-O", "bytes"]), "");
    assert_eq!(csv(&["-r", "sorted"]), csv(&["-r", FILE, "-O", "bytes"]));
    assert_eq!(fixture.stdout(&["-r", FILE, "-w", "grouped", "-A", "proto"]), "");
    assert!(fixture.stdout(&["-r", "grouped", "-I"]).contains("\nFlows: 18\n"));
    let names: Vec<String> = fs::read_dir(fixture.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!names.iter().any(|name| name.contains("current")), "{names:?}");
}

#[test]
fn stored_totals_are_those_of_the_collector() {
    let fixture = Fixture::new();
    let info = fixture.stdout(&["-r", FILE, "-I"]);
    let lines: Vec<&str> = info.lines().collect();
    assert_eq!(lines[..3], ["Ident: border", "Flows: 18", "Flows_tcp: 6"]);
    assert_eq!(lines[6..8], ["Packets: 1807743259", "Packets_tcp: 4194466"]);
    assert_eq!(
        lines[lines.len() - 5..],
        ["First: 1699910000", "Last: 1700000110", "msec_first: 0", "msec_last: 0", "Sequence failures: 0"]
    );
}

#[test]
fn one_thread_and_many_print_the_same_octets() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("many")).unwrap();
    for (index, flows) in batches(7, 40_000, 3_000, Mix::default()).chunks(4).enumerate() {
        write(&fixture.path(&format!("many/nfcapd.2023111422{:02}", 10 + index)), flows);
    }
    for args in [
        &["-o", "csv"][..],
        &["-o", "json", "-c", "9000"],
        &["-s", "srcip/bytes/flows", "-s", "dstport:p/packets", "-n", "50", "-o", "csv"],
        &["-s", "record/bytes/packets", "-n", "100", "-o", "csv", "proto udp or port in [80 443]"],
        &["-A", "srcip4/16,srcip6/48,dstport", "-o", "csv"],
        &["-a", "-O", "duration:a", "-n", "500", "-o", "csv"],
        &["-O", "tstart", "-o", "csv"],
    ] {
        let run = |threads: &str| fixture.stdout(&[&["-R", "many", "-W", threads], args].concat());
        let one = run("1");
        assert!(one.lines().count() > 50, "{args:?}");
        for threads in ["2", "5"] {
            assert!(run(threads) == one, "{args:?} differs with {threads} threads");
        }
    }
}

#[test]
fn more_files_than_a_process_may_usually_open() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("month")).unwrap();
    for number in 0..1_100 {
        fs::hard_link(fixture.path(FILE), fixture.path(&format!("month/nfcapd.2023110{number:05}"))).unwrap();
    }
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -S -n 256 && \"$0\" -R month -I && exec \"$0\" -R month -q -o fmt:%pr 'proto gre'",
        ])
        .arg(env!("CARGO_BIN_EXE_rdump"))
        .current_dir(fixture.dir.path())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("Flows: 19800\n"));
    assert_eq!(text.lines().filter(|line| line.trim() == "GRE").count(), 1_100);
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let fixture = Fixture::new();
    write(&fixture.path("large"), &batches(1, 60_000, 20_000, Mix::default()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_rdump"))
        .args(["-r", "large", "-o", "csv"])
        .current_dir(fixture.dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 100];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn flows_of_both_directions_are_one_with_what_goes_back_counted_out() {
    let fixture = Fixture::new();
    let line = "2023-11-14 22:13:20.123     00:01:49.877 TCP       192.168.1.10:51000 <->         10.0.0.1:443         97       30   124156     4500     3\n";
    assert_eq!(fixture.stdout(&["-r", FILE, "-b", "-q", "host 192.168.1.10"]), line);
    // The first flow decides which way is forth; -B puts the client on the left whoever came first.
    let back = ["-r", FILE, "-q", "-o", "fmt:%sap %dap %in %out %sas %das %ibyt %obyt %flg", "src port 443"];
    let both = |option| fixture.stdout(&[&[option], &back[..]].concat());
    assert_eq!(
        both("-b"),
        "        10.0.0.1:443       192.168.1.10:51000      1      2  15169  65001   123456        0 ...A..S.\n"
    );
    assert_eq!(
        both("-B"),
        "    192.168.1.10:51000         10.0.0.1:443        2      1  65001  15169        0   123456 ...A..S.\n"
    );
    let statistic =
        fixture.stdout(&["-r", FILE, "-qB", "-s", "record/bytes", "-o", "fmt:%sap %fl", "host 10.0.0.1"]);
    assert_eq!(statistic, "    192.168.1.10:51000     3\n");
    assert_eq!(
        fixture.failure(&["-r", FILE, "-b", "-A", "srcip"]),
        (Some(1), "rdump: Can not set custom aggregation in bidir mode\n".to_owned())
    );
}

#[test]
fn groups_beyond_a_limit_are_left_out_and_do_not_take_a_place_of_n() {
    let fixture = Fixture::new();
    let rows = |args: &[&str]| -> Vec<String> {
        let args = [&["-r", FILE, "-q", "-N", "-o", "csv"], args].concat();
        fixture.stdout(&args).lines().map(str::to_owned).collect()
    };
    let small = rows(&["-L", "-100", "-s", "srcip/bytes", "-n", "2"]);
    assert_eq!(small[0], "Byte limit: < 100 bytes");
    let values: Vec<&str> = small[2..4].iter().map(|row| row.split(',').nth(4).unwrap()).collect();
    assert_eq!(values, ["192.168.1.11", "192.168.1.13"]);
    // Both in the order in which nfdump says them; what is compared is what the order is about.
    let large = rows(&["-l", "+4m", "-L1t", "-s", "record/flows"]);
    assert_eq!(large[..2], ["Byte limit: > 1000000000000 bytes", "Packet limit: > 4000000 packets"]);
    assert_eq!(large[2..].len(), 1);
    assert_eq!(rows(&["-L", "1m", "-s", "srcip/obyte"])[2].split(',').nth(4), Some("172.16.5.7"));
    assert_eq!(rows(&["-L", "1m", "-a"]).len(), 3);
    assert!(fixture.stdout(&["-r", FILE, "-L", "1", "-s", "srcip", "-o", "json"]).starts_with('{'));
    for (args, message) in [
        (&["-L", "1x", "-a"][..], "Can't understand 'x' in '1x'"),
        (&["-L", "1"], "Options -l and -L do not make sense for plain packet dumps."),
        (&["-l", "1", "-O", "bytes"], "Options -l and -L do not make sense for plain packet dumps."),
    ] {
        let (code, stderr) = fixture.failure(&[&["-r", FILE], args].concat());
        assert_eq!(code, Some(250), "{args:?}");
        assert!(stderr.contains(message), "{stderr}");
    }
}

#[test]
fn the_time_window_is_that_of_the_files_that_were_looked_into() {
    let fixture = Fixture::new();
    write(&fixture.path("nfcapd.202311142215"), &batches(1, 100, 1, Mix::default()));
    let window = |args: &[&str]| {
        let text = fixture.stdout(args);
        text.lines().find(|line| line.starts_with("Time window: ")).unwrap().to_owned()
    };
    let of_first = "Time window: 2023-11-13 21:13:20 - 2023-11-14 22:15:10";
    assert_eq!(window(&["-r", FILE]), of_first);
    assert_eq!(window(&["-R", ".", "-c", "18"]), of_first);
    assert_ne!(window(&["-R", ".", "-c", "19"]), of_first);
    // A file that -r names and of which nothing can match is not looked into; in a directory it is.
    assert_eq!(window(&["-r", FILE, "-t", "2024"]), "Time window: <unknown>");
    assert_ne!(window(&["-R", ".", "-t", "2024"]), "Time window: <unknown>");
}

#[test]
fn a_summary_may_be_json_behind_any_rows() {
    let fixture = Fixture::new();
    let start = "{\"flows\":6,\"bytes\":5368884442,\"packets\":4194473,\"avg_bps\":476651,\"avg_pps\":46,\"avg_bpp\":1279,\
        \"first\":\"2023-11-13T21:13:20.000\",\"last\":\"2023-11-14T22:15:10.000\",\"processed\":18,\"passed\":6,";
    for args in [
        &["-q", "-c", "100"][..],
        &["-o", "csv"],
        &["-o", "ndjson"],
        &["-s", "srcip", "-o", "json"],
        &["-a", "-o", "null"],
    ] {
        let text = fixture.stdout(&[&["-r", FILE, "--summary", "json", "proto tcp"], args].concat());
        let last = text.lines().last().unwrap();
        assert!(last.starts_with(start), "{args:?}\n{last}");
        assert!(!text.contains("Summary"), "{text}");
    }
    let nothing = fixture.stdout(&["-r", FILE, "--summary=json", "-q", "-t", "2024"]);
    assert!(nothing.contains("\"first\":null,\"last\":null,"), "{nothing}");
    assert_eq!(fixture.failure(&["-r", FILE, "--summary", "xml"]).0, Some(1));
}

#[test]
fn options_without_meaning_for_us_are_taken_and_said() {
    let fixture = Fixture::new();
    for args in [&["-H", "tor.db"][..], &["-Y"]] {
        let output = fixture.rdump(&[&["-r", FILE, "-q", "-c", "1"], args].concat());
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
        assert!(String::from_utf8_lossy(&output.stderr).ends_with("is accepted without effect\n"));
    }
    assert_eq!(fixture.failure(&["-r", FILE, "-P", "any"]).0, Some(1));
}

#[test]
fn a_configuration_file_sets_options_and_defines_formats() {
    let fixture = Fixture::new();
    let path = fixture.path("rdump.toml");
    let config = path.to_str().unwrap();
    fs::write(&path, "[rdump]\ndefault_format = 'where'\nquiet = true\nfmt.where = '%sa,%sp'\n").unwrap();
    assert_eq!(fixture.stdout(&["-C", config, "-r", FILE, "-c", "1"]), "    192.168.1.10, 51000\n");
    let nested = fixture.stdout(&["-C", config, "-r", FILE, "-c", "1", "-o", "fmt:%where|%da"]);
    assert_eq!(nested, "    192.168.1.10, 51000|        10.0.0.1\n");
    assert!(fixture.stdout(&["-C", "none", "-r", FILE, "-c", "1"]).starts_with("Date first seen "));
    let printed = fixture.stdout(&["-C", config, "-N", "--print-config"]);
    for line in [
        format!("default_format = \"where\"  # {config}:2"),
        format!("fmt = [\"where=%sa,%sp\"]  # {config}:4"),
        "plain_numbers = true  # option".to_owned(),
    ] {
        assert!(printed.lines().any(|known| known == line), "{line}\n{printed}");
    }

    fs::write(&path, "[rdump]\nquiet = true\nfile_format = 'tar'\n").unwrap();
    let (code, message) = fixture.failure(&["-C", config, "-r", FILE]);
    assert_eq!(code, Some(1));
    assert!(message.starts_with(&format!("rdump: {config}:3: ")), "{message}");
    fs::write(&path, "[rdump]\nqiet = true\n").unwrap();
    let expected = (Some(1), format!("rdump: {config}:2: unknown key `qiet`\n"));
    assert_eq!(fixture.failure(&["-C", config, "-r", FILE]), expected);
    let expected = (Some(1), "rdump: path does not exist: /no/such\n".to_owned());
    assert_eq!(fixture.failure(&["-C", "/no/such", "-r", FILE]), expected);
}

#[test]
fn countries_come_from_maxminds_databases() {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = flow_model::BatchBuilder::new();
    for (src, dst, bytes) in [
        ("192.0.2.1", "203.0.113.5", 100),
        ("203.0.113.5", "198.51.100.1", 20),
        ("2001:db8::1", "2001:db8::2", 3),
    ] {
        builder.set_ip(flow_model::Field::SrcAddr, src.parse().unwrap());
        builder.set_ip(flow_model::Field::DstAddr, dst.parse().unwrap());
        builder.set(flow_model::Field::InBytes, bytes);
        builder.set(flow_model::Field::InPackets, 1);
        builder.finish_row();
    }
    let fixture = Fixture { dir };
    write(&fixture.path(FILE), &[builder.finish()]);
    fs::write(fixture.path("city"), flow_testkit::mmdb::write(flow_testkit::mmdb::CITY)).unwrap();
    fs::write(fixture.path("asn"), flow_testkit::mmdb::write(flow_testkit::mmdb::ASN)).unwrap();
    let run = |args: &[&str]| fixture.stdout(&[&["-G", "city,asn", "-q", "-r", FILE], args].concat());
    assert_eq!(
        run(&["-o", "fmt:%sc>%dc|%sasn|%sloc|%stz|%idt|"]),
        "\
CH>FR|Example Networks|Europe/Switzerland/Zurich long/lat: 8.5500/47.3667|Europe/Zurich|border      |
FR>..|none||none|border      |
SE>SE|none||none|border      |
"
    );
    assert_eq!(run(&["-o", "fmt:%gsap", "-O", "bytes:a", "-n", "1"]), "     2001:db8::1(SE).0    \n");
    assert!(run(&[]).contains("       192.0.2.1(CH):0     ->      203.0.113.5(FR):0    "));
    for (filter, sum) in [
        ("geo fr", "2"),
        ("src geo CH", "1"),
        ("not src geo CH", "2"),
        ("src and dst geo se", "1"),
        ("geo US", "0"),
    ] {
        assert_eq!(run(&["-o", "ndjson", filter]).lines().count().to_string(), sum, "{filter}");
    }
    let table = run(&["-o", "csv", "-s", "srcgeo/bytes", "-s", "asn/flows"]);
    let values: Vec<&str> =
        table.lines().filter_map(|line| line.split(',').nth(4)).filter(|value| *value != "val").collect();
    assert_eq!(values, ["CH", "FR", "SE", "", "Example Networks"]);
    let grouped = run(&["-A", "srcgeo", "-O", "bytes"]);
    assert_eq!(grouped.lines().map(|line| line[42..44].to_owned()).collect::<Vec<_>>(), ["CH", "FR", "SE"]);
    assert_eq!(
        run(&["-A", "srcasn,dsttz", "-O", "bytes", "-o", "fmt:%sasn,%dtz,%fl"]),
        "Example Networks,none,    1\nnone,none,    2\n"
    );
    fixture.rdump(&["-G", "city", "-r", FILE, "-A", "srcgeo", "-w", "out"]);
    assert_eq!(fixture.rdump(&["-v", "out"]).status.code(), Some(0), "what is computed is not stored");

    fs::write(fixture.path("nf"), [0xa5, 0x0c, 2, 0]).unwrap();
    let output = fixture.rdump(&["-G", "nf", "-q", "-r", FILE, "-o", "fmt:%sc"]);
    assert_eq!(output.stdout, b"..\n..\n..\n");
    assert!(String::from_utf8(output.stderr).unwrap().contains("nf is in nfdump's own format"));
    let (code, message) = fixture.failure(&["-G", "missing", "-r", FILE]);
    assert_eq!((code, message.starts_with("rdump: missing: ")), (Some(1), true), "{message}");
}

/// The client of JA3's description, which sends no extensions.
fn client_hello() -> Vec<u8> {
    let mut body = vec![3, 1];
    body.extend([7; 32]);
    body.extend([0, 0, 22]);
    body.extend([4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99].map(u16::to_be_bytes).as_flattened());
    body.extend([1, 0]);
    let len = body.len() as u8;
    [&[22, 3, 1, 0, len + 4, 1, 0, 0, len][..], &body].concat()
}

#[test]
fn groups_by_fingerprint_of_the_payload() {
    let dir = tempfile::tempdir().unwrap();
    let mut builder = flow_model::BatchBuilder::new();
    for (bytes, payload) in [(1, &b"SSH-2.0"[..]), (2, &client_hello()), (4, b""), (8, &client_hello())] {
        builder.set(flow_model::Field::InBytes, bytes);
        builder.set_bytes(flow_model::Field::InPayload, payload);
        builder.finish_row();
    }
    let fixture = Fixture { dir };
    write(&fixture.path(FILE), &[builder.finish()]);
    let grouped = |by: &str| fixture.stdout(&["-q", "-r", FILE, "-A", by, "-o", "fmt:%ja3|%ja4|%byt"]);
    let (ja3, ja4) = ("de350869b8c85de67a350c8d186f11e6", "t10i110000_3609b414f052_000000000000");
    assert_eq!(
        grouped("ja3"),
        format!("{:32}|{:>38}|       5\n{ja3}|{:>38}|      10\n", "", "no ja4", "no ja4")
    );
    assert!(grouped("ja4,proto").ends_with(&format!("|ja4 : {ja4}|      10\n")), "{}", grouped("ja4,proto"));
}
