//! The command lines of consoles and scripts as they write them, read the way they read them: through a shell, and through
//! ssh to a collector's host, for Pandora with the script of its manual in the place of nfdump.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

mod support;

use flow_testkit::conditions::{program, trial};
use flow_testkit::fixture;
use libtest_mimic::{Arguments, Trial};
use serde_json::Value;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use support::sshd::{COLLECTOR, Sshd, sshd};
use support::write_flows as write;

/// What a console does on a collector's host.
type Scenario = fn(&Host);

/// Scenarios by name, and whether Pandora does that.
const SCENARIOS: &[(&str, Scenario, bool)] = &[
    ("pandora_accepts_the_version", pandora_accepts_the_version, true),
    (
        "pandora_finds_statistics_in_every_selection_it_makes",
        pandora_finds_statistics_in_every_selection_it_makes,
        true,
    ),
    ("pandora_finds_its_summary_in_line_5", pandora_finds_its_summary_in_line_5, true),
    (
        "pandora_reads_connections_and_relations_by_position",
        pandora_reads_connections_and_relations_by_position,
        true,
    ),
    ("pandora_filters_as_its_pages_and_its_manual_do", pandora_filters_as_its_pages_and_its_manual_do, true),
    ("pandoras_distributed_console_sends_words", pandoras_distributed_console_sends_words, true),
    ("errors_leave_stdout_to_rows", errors_leave_stdout_to_rows, false),
    ("nfsen_reads_totals_alerts_and_pages", nfsen_reads_totals_alerts_and_pages, false),
    (
        "nfsen_shows_every_format_and_statistic_of_its_page",
        nfsen_shows_every_format_and_statistic_of_its_page,
        false,
    ),
    ("nfsen_ng_of_both_generations_is_served", nfsen_ng_of_both_generations_is_served, false),
    ("smaller_clients_find_their_columns", smaller_clients_find_their_columns, false),
    ("surfmap_librenms_and_pipelines_are_served", surfmap_librenms_and_pipelines_are_served, false),
];

fn main() {
    let mut trials = Vec::new();
    for &(name, scenario, of_pandora) in SCENARIOS {
        trials.push(Trial::test(format!("shell/{name}"), move || {
            scenario(&Host::new(Way::Shell));
            Ok(())
        }));
        for (way, applies) in [(Way::Ssh, true), (Way::Wrapper, of_pandora)] {
            if applies {
                let needed = sshd().and(program("ssh")).and(program("ssh-keygen")).map(drop);
                trials.push(trial(format!("{way:?}/{name}").to_lowercase(), needed, move |()| {
                    scenario(&Host::new(way));
                    Ok(())
                }));
            }
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// How a line comes to the collector's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// It is this host.
    Shell,
    /// The whole line goes to the shell of the other host.
    Ssh,
    /// The console runs its own nfdump, which is the script of Pandora's manual.
    Wrapper,
}

/// Pandora's script, which flattens its arguments and puts quotes around everything from the first parenthesis to the last.
const WRAPPER: &str = r#"#!/bin/bash
NFDUMP_PARAMS=$(sed 's/(\(.*\))/\"\(\1\)\"/' <<< "$@");
ssh user@collector "/usr/bin/nfdump $NFDUMP_PARAMS"
"#;

/// A collector's host: `nfdump` is in the path, flows are where each console keeps them.
struct Host {
    dir: tempfile::TempDir,
    way: Way,
    sshd: Option<Sshd>,
}

impl Host {
    fn new(way: Way) -> Host {
        let dir = tempfile::tempdir().unwrap();
        symlink(env!("CARGO_BIN_EXE_rdump"), dir.path().join("nfdump")).unwrap();
        for place in ["data_in/netflow", "live/border/2023/11/14", "live/core/2023/11/14"] {
            write(&dir.path().join(place).join("nfcapd.202311142210"), &[fixture::flows()]);
            write(&dir.path().join(place).join("nfcapd.202311142215"), &[]);
        }
        write(&dir.path().join("data_in/sflow/nfcapd.202311142210"), &[fixture::events()]);
        let sshd = (way != Way::Shell).then(|| Sshd::start(dir.path()).unwrap());
        if let (Way::Wrapper, Some(sshd)) = (way, &sshd) {
            sshd.install("nfdump", WRAPPER).unwrap();
        }
        Host { dir, way, sshd }
    }

    /// Runs a line and gives its standard output; a line that fails or says anything on stderr fails the test.
    fn run(&self, line: &str) -> String {
        let (code, stdout, stderr) = self.try_run(line);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{line}");
        stdout
    }

    fn try_run(&self, line: &str) -> (Option<i32>, String, String) {
        let here = self.sshd.as_ref().map_or(self.dir.path(), Sshd::client);
        let path = std::env::join_paths([here, Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
        let mut command =
            Command::new(if self.way == Way::Ssh { here.join("ssh") } else { "/bin/sh".into() });
        command.args(if self.way == Way::Ssh { [COLLECTOR, line] } else { ["-c", line] });
        let output = command
            .current_dir(self.dir.path())
            .env_clear()
            .env("PATH", path)
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

fn fields(line: &str) -> Vec<&str> {
    line.split(',').map(str::trim).collect()
}

const WINDOW: &str = "-t 2023/11/13.00:00:00-2023/11/15.00:00:00";

/// Pandora drops line 0, skips empty lines, and reads columns 0, 4 and 9.
fn pandora_statistic(text: &str) -> Vec<(String, u64)> {
    let rows = text.lines().skip(1).filter(|line| !line.is_empty()).map(fields);
    rows.map(|row| (row[4].to_owned(), row[9].parse().unwrap())).collect()
}

fn pandora_accepts_the_version(host: &Host) {
    let text = host.run("nfdump -V");
    let numbers = text.split("Version:").nth(1).unwrap().trim().split(' ').next().unwrap();
    let numbers: Vec<u32> = numbers.split('.').map(|number| number.parse().unwrap()).collect();
    // Up to 775: each number on its own; nfsen-ng 1: 1.7.2 or later.
    assert!(numbers[0] >= 1 && numbers[1] >= 6 && numbers[2] >= 8 && numbers[1..] >= [7, 2][..], "{text}");
    assert!(text.contains("nfdump: Version: "));
}

fn pandora_finds_statistics_in_every_selection_it_makes(host: &Host) {
    let filter = r"' (dst ip 10.0.0.1 or  dst net 203.0.113.0/24) and (proto tcp)'";
    for selection in [
        "-R nfcapd.202311142210:nfcapd.202311142215 -M data_in/netflow",
        "-R nfcapd.202311142210:nfcapd.202311142210 -M data_in/netflow",
        "-R . -M data_in/netflow",
        "-R. -M data_in/netflow:sflow",
        "-R data_in/sflow/nfcapd.202311142210:nfcapd.202311142210 -R data_in/netflow/nfcapd.202311142210:nfcapd.202311142215",
        "-R data_in/sflow -R data_in/netflow",
    ] {
        let text =
            host.run(&format!("nfdump -N {selection} -o csv -q -n 50 -s srcip/bytes {WINDOW} {filter}"));
        let expected = [("172.16.5.5".to_owned(), 5_368_709_120), ("192.168.1.10".to_owned(), 5_200)];
        assert_eq!(pandora_statistic(&text), expected, "{selection}");
    }
    for (key, rows) in [("dstip", 2), ("port", 4), ("ip", 4), ("srcport", 2), ("proto", 1)] {
        for order in ["bytes", "packets", "flows"] {
            let text = host.run(&format!(
                "nfdump -N -R . -M data_in/netflow -q -o csv -n 10 -s {key}/{order} {WINDOW} {filter}"
            ));
            assert_eq!(pandora_statistic(&text).len(), rows, "{key}/{order}");
        }
    }
}

fn pandora_finds_its_summary_in_line_5(host: &Host) {
    let summary = |filter: &str| {
        host.run(&format!("nfdump -N -R . -M data_in/netflow -o csv -n 1 -s srcip/bytes {WINDOW} '{filter}'"))
    };
    let text = summary("proto tcp");
    assert_eq!(fields(text.lines().nth(5).unwrap())[..3], ["6", "5368884442", "4194473"]);
    // Nothing matches: no line 5 is "no data".
    assert_eq!(summary("host 192.0.2.250").lines().nth(5), None);
}

fn pandora_reads_connections_and_relations_by_position(host: &Host) {
    let line = |format: &str| {
        host.run(&format!("nfdump -N -R . -M data_in/netflow {format} -q -n 2 -s record/bytes {WINDOW}"))
    };
    let rows = line(r#"-o "fmt:%sap,%dap,%ibyt,%ipkt,%bps""#);
    let rows: Vec<Vec<&str>> = rows.lines().map(fields).collect();
    assert_eq!(rows[0], ["172.16.5.6:0", "203.0.113.201:0", "2500000000000", "1800000000", "333333333333"]);
    assert_eq!(rows[1][..2], ["172.16.5.5:22", "203.0.113.200:65535"]);
    let rows = line(r#"-o "fmt:%sap,%dap,%ibyt,%obyt,%ipkt,%opkt,%bps""#);
    assert_eq!(fields(rows.lines().next().unwrap()).len(), 7);
    let relations = host.run(&format!(
        "nfdump -N -R . -M data_in/netflow -q -o csv -n 10000 -s record/bytes {WINDOW} ' (dst ip 10.0.0.1 or src ip 10.0.0.1)'"
    ));
    let relations: Vec<Vec<&str>> = relations.lines().map(fields).collect();
    assert!(relations.iter().all(|row| row.len() == 48));
    assert_eq!(
        [3, 4, 5, 6, 12].map(|column| relations[0][column]),
        ["10.0.0.1", "192.168.1.10", "443", "51000", "123456"]
    );
    // Nothing matches: nothing that a parser could take for a row.
    for format in [r#"-o "fmt:%sap,%dap,%ibyt,%ipkt,%bps""#, "-o csv"] {
        let text = host.run(&format!("nfdump -N -R . -M data_in/netflow {format} -q -n 9 -s record/bytes -t 2001/01/01.00:00:00-2001/01/02.00:00:00"));
        assert_eq!(text, "");
    }
}

fn pandora_filters_as_its_pages_and_its_manual_do(host: &Host) {
    for (filter, flows) in [
        ("host 10.0.0.1", 3),
        ("dst host 10.0.0.1", 2),
        ("not src host 192.168.1.10", 16),
        ("src net 192.168.0.0/16", 5),
        ("src net 192.168/16", 5),
        ("(port 80) or (port 443)", 5),
        ("(port 443) and (dst host 10.0.0.1)", 2),
        (
            " (router ip 127.0.0.1) and (dst ip 10.0.0.1 or  dst net 203.0.113.0/24) and (src ip 192.168.1.10)",
            2,
        ),
        ("port not 53", 16),
        ("inet6", 4),
        ("inet", 14),
        ("(bytes < 10M)", 16),
        ("src as 65001", 1),
        ("flags S and not flags AFRPU", 1),
        ("icmp-type 8", 1),
        ("src mask 24", 17),
    ] {
        let text = host.run(&format!("nfdump -N -R . -M data_in/netflow -o csv -q '{filter}'"));
        assert_eq!(text.lines().count(), flows, "{filter}");
    }
}

/// What arrives at the collector when the console's nfdump is the script of Pandora's manual, which flattens its arguments and
/// puts quotes around everything from the first parenthesis to the last.
fn pandoras_distributed_console_sends_words(host: &Host) {
    let flat = |words: &str| {
        host.run(&format!("nfdump -N -R . -M data_in/netflow -o csv -q -n 5 -s srcip/bytes {WINDOW} {words}"))
    };
    let expected = flat("'host 10.0.0.1'");
    assert_eq!(pandora_statistic(&expected).len(), 2);
    for words in [r#""(host 10.0.0.1)""#, "host 10.0.0.1", r#"host 10.0.0.1 and "(port 443)""#] {
        assert_eq!(flat(words), expected, "{words}");
    }
    assert_eq!(flat("port not 53"), flat("'not port 53'"));
}

fn errors_leave_stdout_to_rows(host: &Host) {
    for (line, expected) in [
        ("nfdump -N -R . -M data_in/netflow -o csv 'dst prot 53'", 254),
        ("nfdump -N -R nfcapd.209901010000:nfcapd.209901010005 -M data_in/netflow -o csv", 250),
        ("nfdump -N -o csv -q -n 5 -s srcip/bytes", 1),
        ("nfdump -R . -M data_in/netflow -o nonsense", 1),
        ("nfdump -R . -M data_in/netflow -s nonsense", 1),
        ("nfdump -Z 'src port 80 and'", 254),
    ] {
        let (code, stdout, stderr) = host.try_run(line);
        assert_eq!((code, stdout.as_str()), (Some(expected), ""), "{line}: {stderr}");
        assert!(!stderr.is_empty(), "{line}");
    }
}

fn nfsen_reads_totals_alerts_and_pages(host: &Host) {
    let totals = host.run("nfdump -I -G none -r live/border/2023/11/14/nfcapd.202311142210 2>&1");
    let value = |label: &str| {
        let line = totals.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix(": "));
        line.unwrap().parse::<u64>().unwrap()
    };
    assert_eq!((value("Flows"), value("Flows_tcp"), value("Bytes_icmp")), (18, 6, 16_960));
    host.run("nfdump -I -G none -R live/border/2023/11/14/nfcapd.202311142210:nfcapd.202311142215 2>&1");

    // A line for each -s, an empty one behind it; af decides how many words the value has.
    let alert = host.run("nfdump -r live/border/2023/11/14/nfcapd.202311142210 -o pipe -q -n 1 -s srcip/flows -s srcport/bytes 2>&1");
    let lines: Vec<&str> = alert.lines().collect();
    assert_eq!((lines.len(), lines[1], lines[3]), (4, "", ""));
    let words: Vec<&str> = lines[0].split('|').collect();
    assert!(matches!(words[0], "2" | "10") && words.len() == 16, "{alert}");
    let words: Vec<&str> = lines[2].split('|').collect();
    assert_eq!((words[0], words.len()), ("0", 13));

    let sources = "-M live/border:core -T -R 2023/11/14/nfcapd.202311142210:2023/11/14/nfcapd.202311142215";
    for (line, rows) in [
        ("-o long -c 20", 20),
        ("-a -A srcip4/24,dstport -o extended -c 20", 1),
        ("-a -B -c 20", 1),
        ("-o 'fmt:%ts %td %sa' -6 -Otstart -c 20", 20),
        ("-n 10 -s srcip/bytes -L 10M", 1),
        ("-n 10 -s record/flows -A proto -l -10K -6", 1),
    ] {
        let text = host.run(&format!("nfdump {sources} {line} 2>&1"));
        assert!(text.contains("Summary: total flows: ") && text.lines().count() > rows, "{line}\n{text}");
    }
    assert!(host.run(&format!("nfdump {sources} -o line -c 1 2>&1")).contains("\u{1}    192.168.1.10:51000"));
    assert_eq!(host.run("nfdump -Z '( ident border or ident core) and ( proto tcp )' 2>&1"), "");
}

fn nfsen_shows_every_format_and_statistic_of_its_page(host: &Host) {
    let sources = "-M live/border:core -T -R 2023/11/14/nfcapd.202311142210:2023/11/14/nfcapd.202311142215";
    for format in ["line", "gline", "long", "glong", "extended", "csv", "biline", "bilong"] {
        let text = host.run(&format!("nfdump {sources} -o {format} -c 20 2>&1"));
        assert!(text.lines().count() > 20, "{format}\n{text}");
    }
    for name in "record ip srcip dstip port srcport dstport if inif outif as srcas dstas nhip nhbip router proto dir srctos \
                 dsttos tos mask srcmask dstmask vlan srcvlan dstvlan insrcmac outdstmac indstmac outsrcmac srcmac dstmac \
                 inmac outmac srcgeo dstgeo mpls1 mpls10"
        .split_whitespace()
    {
        let orders = ["flows", "packets", "bytes", "pps", "bps", "bpp"].map(|order| format!("-s {name}/{order}"));
        let text = host.run(&format!("nfdump {sources} -n 10 {} 2>&1", orders.join(" ")));
        assert_eq!(text.lines().filter(|line| line.starts_with("Top 10 ")).count(), 6, "{name}\n{text}");
    }
}

fn nfsen_ng_of_both_generations_is_served(host: &Host) {
    let files = "-M 'live/border:core' -R '2023/11/14/nfcapd.202311142210:2023/11/14/nfcapd.202311142215'";
    // Generation 0: csv by the names in its header, and exactly three lines at the end.
    let flows = host.run(&format!("nfdump {files} -c 5 -o csv -O tstart 2>&1"));
    let lines: Vec<&str> = flows.lines().collect();
    assert_eq!((lines.len(), lines[6], fields(lines[7])[0]), (9, "Summary", "flows"));
    let column = |name| fields(lines[0]).iter().position(|column| *column == name).unwrap();
    assert!(lines[1..6].iter().all(|line| fields(line)[column("ibyt")].parse::<u64>().is_ok()));
    let ports = host
        .run("nfdump -M live/border -r 2023/11/14/nfcapd.202311142210 -s dstport:p -o csv 'dst port 443'");
    assert_eq!(fields(ports.lines().next().unwrap())[5..10], ["fl", "flP", "ipkt", "ipktP", "ibyt"]);

    // Generation 1: an array of flows, an object a line for statistics.
    let flows: Value = serde_json::from_str(&host.run(&format!("nfdump {files} -c 5 -o json"))).unwrap();
    assert_eq!(flows.as_array().unwrap().len(), 5);
    assert!(flows[0]["in_bytes"].is_u64() && flows[0]["in_packets"].is_u64());
    let bidirectional = host.run(&format!("nfdump {files} -B '' -o json"));
    assert!(serde_json::from_str::<Value>(&bidirectional).unwrap().is_array());
    let statistic = host.run(&format!("nfdump {files} -n 3 -o json -s srcip/bytes"));
    let rows: Vec<Value> = statistic.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((rows.len(), &rows[0]["srcip"]), (3, &Value::from("172.16.5.6")));
    assert!(rows.iter().all(|row| row["bytes"].is_u64() && row["bpp"].is_u64()));
    let sankey = host.run(&format!(
        "nfdump {files} -q -a -Asrcip,dstip -O bytes -n 4 -N -o 'fmt:%sa %da %ibyt %ipkt %fl'"
    ));
    assert!(sankey.lines().all(|line| line.split_whitespace().count() == 5) && sankey.lines().count() == 4);
    let empty = host.run(&format!("nfdump {files} -o json 'host 192.0.2.250'"));
    assert_eq!(serde_json::from_str::<Value>(&empty).unwrap(), Value::Array(Vec::new()));
}

fn smaller_clients_find_their_columns(host: &Host) {
    let file = "data_in/netflow/nfcapd.202311142210";
    // pynfdump and netflow-indexer: 24 words of a flow; the filter may be empty.
    for line in [
        format!("nfdump -q -o pipe -r {file} -c 5 ''"),
        format!("nfdump -q -o pipe -A srcip,dstip -a -r {file}"),
    ] {
        let text = host.run(&line);
        assert!(!text.is_empty() && text.lines().all(|line| line.split('|').count() == 24), "{text}");
    }
    let search = host.run("nfdump -q -6 -R data_in/netflow/nfcapd.202311142210:nfcapd.202311142215 'ip in [10.0.0.1 8.8.8.8] AND (proto tcp)'");
    assert_eq!(search.lines().count(), 3);
    // Slips: both directions, by position.
    let slips = host.run(&format!("nfdump -b -N -o csv -q -r {file}"));
    let row = slips.lines().map(fields).find(|row| row[3] == "192.168.1.10").unwrap();
    assert_eq!(row[11..15], ["30", "4500", "97", "124156"]);
    // SOF-ELK: numbers of protocols, n/n for the engine.
    let sof = host.run(&format!(
        r#"nfdump -r {file} -6 -q -N -o "fmt:IP %das %dmk %eng %ts %fl 0 %byt %pkt %in %da %nh %sa %dp %sp %te %out %pr 0 0 %sas %smk %stos %flg 0" -c 1"#
    ));
    let words: Vec<&str> = sof.split_whitespace().collect();
    assert_eq!((words[0], words[1], words[3], words.last()), ("IP", "15169", "1/7", Some(&"0")));
    // py3flowtools, Apache Spot, and scripts that count lines from both ends.
    let tools = host
        .run(&format!("nfdump -r {file} -q -o fmt:%ts,%te,%sa,%sp,%da,%dp,%pr,%ipkt,%opkt,%ibyt,%obyt,%flg"));
    assert!(tools.lines().all(|line| fields(line).len() == 12));
    let spot = host.run(&format!("nfdump -o csv -r {file} > spot.csv; head -n -3 spot.csv | tail -n +2"));
    assert_eq!(spot.lines().count(), 18);
    let ports = host.run(&format!("nfdump -r {file} -s port/flows -o csv | sed -n 1,11p"));
    assert_eq!(ports.lines().count(), 11);
    assert_eq!(
        host.run(&format!("nfdump -r {file} -s port/flows -o csv | sed -n 13,14p")),
        "Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n"
    );
}

fn surfmap_librenms_and_pipelines_are_served(host: &Host) {
    let files = "-R 2023/11/14/nfcapd.202311142210:2023/11/14/nfcapd.202311142215";
    // SURFmap: lines that begin with a digit, ten columns.
    for rest in ["-c 5 -O tstart", "-c 5 -m", "-n 5 -s record/bytes -A srcip,dstip"] {
        let (code, text, _) = host.try_run(&format!(
            r#"nfdump -M live/border -T {files} -Nq -6 -o "fmt:%ts;%td;%sa;%da;%sp;%dp;%pr;%ipkt;%ibyt;%fl" {rest}"#
        ));
        assert_eq!((code, text.lines().count()), (Some(0), 5), "{rest}");
        assert!(
            text.lines().all(|line| line.starts_with("2023-") && line.split(';').count() == 10),
            "{text}"
        );
    }
    let version = host.run("nfdump -V");
    assert!(version.trim_start().starts_with("nfdump: Version: 1."), "{version}");
    // LibreNMS shows what NfSen's page shows.
    let shown = host.run(&format!("nfdump -M live/border -T {files} -n 5 -s dstip/bytes"));
    assert!(shown.starts_with("Top 5 Dst IP Addr ordered by bytes:\n"), "{shown}");
    // Tables are filled from rows without a header.
    let rows = host.run("nfdump -r data_in/netflow/nfcapd.202311142210 -o csv -q");
    assert_eq!(rows.lines().map(|line| fields(line).len()).collect::<Vec<_>>(), [48; 18]);
    // pynfdump over several sources: a block for each statistic.
    let blocks = host.run(&format!("nfdump -q -o pipe -M live/border:core {files} -s dstport/flows -n 3 ''"));
    let rows: Vec<usize> = blocks.lines().map(|line| line.split('|').count()).collect();
    assert_eq!(rows, [13, 13, 13, 1]);
    assert!(host.run("nfdump -I -M live/border -r 2023/11/14/nfcapd.202311142210").contains("Flows: 18\n"));
}
