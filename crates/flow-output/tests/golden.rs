//! The bytes of nfdump 1.7.1 and 1.6.25, recorded by `golden/record.sh` and `golden/record-1.6.sh`, against ours on the same
//! flows.
//!
//! Where a ruling (D-nn of `docs/compat.md`) makes us differ, [`ruled`] turns nfdump's answer into what we
//! print, or the lines in question are taken out and a test below says what stands there.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use flow_model::{
    BatchBuilder, Before, Column, CountRule, Field, FlowBatch, Order, Selection, Totals, Value, Values,
    statistic_by_name,
};
use flow_output::{
    Format, Formats, OutputOptions, RecordPrinter, Release, StatisticPrinter, StatisticTable, Summary,
    Timings, Zone,
};
use flow_testkit::{fixture, naive};
use std::net::IpAddr;

/// A run of nfdump: its arguments and what it printed.
struct Recorded {
    args: Vec<String>,
    output: String,
}

fn recorded(text: &str) -> Vec<Recorded> {
    let mut runs: Vec<Recorded> = Vec::new();
    for line in text.split_inclusive('\n') {
        if let Some(args) = line.strip_prefix("$ '") {
            let args = args.trim_end().trim_end_matches('\'').split("' '").map(str::to_owned).collect();
            runs.push(Recorded { args, output: String::new() });
        } else if let Some(run) = runs.last_mut() {
            run.output.push_str(line);
        }
    }
    for run in &mut runs {
        run.output.pop();
    }
    runs
}

/// The flows as the recorded file holds them: the fixture says what was exported, a collector adds when it
/// was received, and records of one template carry the same groups.
fn flows() -> FlowBatch {
    let mut batch = fixture::flows();
    let is_v6 = |row| batch.column(Field::SrcAddr).ip(row).is_ipv6();
    let v6: Vec<bool> = (0..batch.len()).map(is_v6).collect();
    let groups = |groups: &[u32]| groups.iter().fold(0_u64, |bits, group| bits | 1 << group);
    let v4_groups = groups(&[1, 2, 4, 5, 6, 7, 8, 10, 12, 14, 15, 16]);
    let v6_groups = groups(&[1, 3, 4, 5, 6, 7, 9, 11, 12, 14, 15, 16]);
    let received = |row| {
        1_795_351_831_530
            + if row < 7 {
                0
            } else if row < 14 {
                20
            } else {
                40
            }
    };
    set_nums(&mut batch, Field::Groups, |row| if v6[row] { v6_groups } else { v4_groups });
    set_nums(&mut batch, Field::ReceivedMs, received);
    for field in [Field::NextHop, Field::BgpNextHop] {
        let hops = (0..batch.len()).map(|row| match batch.column(field).ip(row) {
            hop if hop.is_unspecified() && v6[row] => IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED),
            hop => hop,
        });
        let hops = hops.collect();
        batch.insert(field, Column::Plain(Values::Ip(hops)));
    }
    batch
}

/// The events as the recorded file holds them; nfdump stores no start of a translation.
fn events() -> FlowBatch {
    let mut batch = fixture::events();
    for field in [Field::FirstMs, Field::LastMs] {
        let old: Vec<u64> = (0..batch.len()).map(|row| batch.column(field).num(row)).collect();
        set_nums(&mut batch, field, |row| if row < 4 { old[row] } else { 0 });
    }
    set_nums(
        &mut batch,
        Field::ReceivedMs,
        |row| if row < 4 { 1_795_351_833_777 } else { 1_795_351_833_818 },
    );
    batch
}

fn set_nums(batch: &mut FlowBatch, field: Field, num: impl Fn(usize) -> u64) {
    let nums = (0..batch.len()).map(num).collect();
    batch.insert(field, Column::Plain(Values::U64(nums)));
}

/// What the arguments of a run mean.
#[derive(Default)]
struct Run {
    options: OutputOptions,
    format: Format,
    statistics: Vec<String>,
    top: usize,
}

impl Run {
    fn new(args: &[String], release: &'static Release) -> Run {
        let mut run = Run { top: 10, ..Run::default() };
        run.options.release = release;
        run.options.zone = Zone::utc();
        let mut args = args.iter().flat_map(|arg| match arg.strip_prefix("-o ") {
            // `record.sh` quotes a whole option when it varies options.
            Some(_) => arg.split(' ').collect::<Vec<_>>(),
            None => vec![arg.as_str()],
        });
        while let Some(arg) = args.next() {
            match arg {
                "-6" => run.options.long_ipv6 = true,
                "-N" => run.options.plain_numbers = true,
                "-T" => run.options.mark_addresses = true,
                "-q" => run.options.quiet = true,
                "-o" => {
                    let formats = Formats::new(release, &[], &[]).unwrap();
                    run.format = formats.parse(args.next().unwrap()).unwrap();
                }
                "-n" => run.top = args.next().unwrap().parse().unwrap(),
                "-s" => run.statistics.push(args.next().unwrap().to_owned()),
                "" => {}
                _ => panic!("{arg}"),
            }
        }
        run
    }

    fn print(&self, batch: &FlowBatch, window_ms: (u64, u64)) -> String {
        let mut out = Vec::new();
        let mut totals = Totals::default();
        totals.add(batch, &Selection::all(batch.len()), CountRule::Written);
        if self.statistics.is_empty() {
            self.list(batch, &mut out);
        }
        for statistic in &self.statistics {
            self.statistic(statistic, batch, totals, &mut out);
        }
        let rows = batch.len() as u64;
        let summary = Summary {
            totals,
            window_ms: Some(window_ms),
            processed: rows,
            passed: rows,
            blocks_skipped: 0,
            bytes_read: 0,
            timings: Timings::default(),
        };
        summary.write(&self.format, &self.options, &mut out);
        String::from_utf8(out).unwrap()
    }

    /// Prints the records in two blocks, as threads would.
    fn list(&self, batch: &FlowBatch, out: &mut Vec<u8>) {
        let printer = RecordPrinter::new(self.format.clone(), self.options.clone());
        let mut only_needed = FlowBatch::new(batch.len());
        only_needed.mark_decoded(printer.fields());
        for field in batch.fields().intersect(printer.fields()).iter() {
            only_needed.insert(field, batch.column(field).clone());
        }
        let half = batch.len() as u32 / 2;
        let blocks = [(0..half).collect(), (half..batch.len() as u32).collect()];
        let [first, second] = blocks.map(|rows| Selection::from_rows(batch.len(), rows));
        printer.header(out);
        printer.rows(&only_needed, &first, Before::default(), out);
        printer.rows(&only_needed, &second, Before { selected: half.into(), rows: 0 }, out);
        printer.footer(batch.len() as u64, out);
    }

    fn statistic(&self, text: &str, batch: &FlowBatch, totals: Totals, out: &mut Vec<u8>) {
        let mut parts = text.split('/');
        let (name, by_proto) = match parts.next().unwrap().split_once(':') {
            Some((name, _)) => (name, true),
            None => (text.split('/').next().unwrap(), false),
        };
        let statistic = statistic_by_name(name).unwrap();
        let by_proto = by_proto || statistic.by_proto;
        let mut orders: Vec<Order> = parts.map(|order| Order::by_name(order).unwrap()).collect();
        if orders.is_empty() {
            orders.push(Order::Flows);
        }
        orders.sort();
        let printer = StatisticPrinter::new(&self.format, &self.options);
        for order in orders {
            let mut groups = naive::statistic(std::slice::from_ref(batch), statistic.fields, by_proto);
            naive::sort_groups(&mut groups, order, false);
            groups.truncate(if self.top == 0 { usize::MAX } else { self.top });
            let mut rows = BatchBuilder::new();
            for group in &groups {
                let mut key = group.key.iter();
                if by_proto {
                    rows.set_value(Field::Proto, key.next().unwrap().as_ref());
                }
                rows.set_value(statistic.fields[0], key.next().unwrap().as_ref());
                for (field, value) in [
                    (Field::FirstMs, group.counters.first_ms),
                    (Field::LastMs, group.counters.last_ms),
                    (Field::Flows, group.counters.flows),
                    (Field::InPackets, group.counters.in_packets),
                    (Field::InBytes, group.counters.in_bytes),
                    (Field::OutPackets, group.counters.out_packets),
                    (Field::OutBytes, group.counters.out_bytes),
                ] {
                    rows.set(field, value);
                }
                rows.finish_row();
            }
            let table = StatisticTable { statistic, by_proto, order, top: self.top, totals };
            printer.header(&table, out);
            let rows = rows.finish();
            printer.rows(&table, &rows, out);
            printer.footer(rows.len() as u64, out);
        }
    }

    fn is(&self, format: &str) -> bool {
        self.format == Format::parse(format).unwrap()
    }
}

/// nfdump's answer under the rulings, line by line; and ours without what no ruling fixes.
fn ruled(run: &Run, mut lines: Vec<String>) -> Vec<String> {
    lines.retain(|line| !line.starts_with("Sys: "));
    for line in &mut lines {
        if line.starts_with("Total flows processed: ") {
            line.truncate(line.find("Blocks").unwrap());
        }
        // D-31: a flow that ends before it starts has no duration.
        for (wrong, right) in [
            ("-2147483648d -2147483648:-2147483648:18446742373709552.000", "    00:00:00.000"),
            ("-2147483648d -2147483648:-2147483648:18446744073709552.000", "    00:00:00.000"),
            ("|18446742373709552.000", "|           0.000"),
            ("18446742373709552.000", if run.is("csv") { "0.000" } else { "           0.000" }),
        ] {
            *line = line.replace(wrong, right);
        }
        let mut columns: Vec<&str> = line.split(',').collect();
        if columns.len() == 48 {
            // D-36: nfdump repeats the next hop of an IPv6 record. D-33: no blanks behind numbers.
            if columns[3].contains(':') {
                columns[24] = "*";
            }
            columns[7] = columns[7].trim_end();
            *line = columns.join(",");
        } else if columns.len() == 14 {
            columns[3] = columns[3].trim_end();
            *line = columns.join(",");
        }
    }
    if run.is("json") {
        // D-19: no key twice; a translation's VRFs stand where they stand first.
        let repeated = |index: usize| {
            lines[index].starts_with("\t\"ingress_vrf\"") && lines[index - 1].starts_with("\t\"pblock_size\"")
        };
        let repeats: Vec<usize> = (1..lines.len()).filter(|&index| repeated(index)).collect();
        for index in repeats.into_iter().rev() {
            lines.drain(index..index + 2);
        }
    }
    if run.is("pipe") {
        // D-02: rates of more than 32 bits are whole.
        for line in &mut lines {
            *line = line.replace(&format!("|{}|", 333_333_333_333_u64 as u32), "|333333333333|");
        }
    }
    if run.is("raw") {
        // D-23: nfdump shows the source's type of service.
        lines.retain(|line| !line.starts_with("  dst tos "));
    }
    if !run.statistics.is_empty() {
        for line in &mut lines {
            // D-54: beside whole IPv6 addresses the duration is shorter, and so is its header here.
            if line.starts_with("Date first seen") && line.contains("                            Dst IP Addr")
            {
                *line = format!("Date first seen  {}", line["Date first seen".len()..].trim_start());
            }
            // D-32: an IPv6 address is no IPv4 address. (The other texts are padded to the width of the
            // column.)
            *line = line.replace(" 0.0.0.1 ", "     ::1 ").replace(",0.0.0.1,", ",::1,");
        }
        // Ties come in any order from nfdump.
        lines.sort();
    }
    lines
}

fn compare(text: &str, release: &'static Release, batch: &FlowBatch, window_ms: (u64, u64)) {
    let runs = recorded(text);
    assert!(runs.len() > 50);
    for Recorded { args, output } in runs {
        let run = Run::new(&args, release);
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        let ours = run.print(batch, window_ms);
        assert!(ours.ends_with('\n') || ours.is_empty(), "{args:?}");
        let (ours, theirs) = (ruled(&run, lines(&ours)), ruled(&run, lines(&output)));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours, theirs, "{args:?}");
        }
        assert_eq!(ours.len(), theirs.len(), "{args:?}");
    }
}

/// From the first to the last of the flows.
const SPAN_MS: (u64, u64) = (1_699_910_000_000, 1_700_000_110_000);

#[test]
fn flows_are_printed_as_nfdump_prints_them() {
    compare(include_str!("golden/flows.txt"), Release::V1_7, &flows(), SPAN_MS);
}

#[test]
fn flows_are_printed_as_nfdump_1_6_prints_them() {
    let mut flows = flows();
    let later = |row| {
        1_795_351_878_458
            + match row {
                0..7 => 0,
                7..14 => 20,
                _ => 41,
            }
    };
    set_nums(&mut flows, Field::ReceivedMs, later);
    compare(include_str!("golden/flows-1.6.txt"), Release::V1_6, &flows, SPAN_MS);
}

#[test]
fn events_are_printed_as_nfdump_prints_them() {
    let hour = 1_795_348_800_000;
    compare(include_str!("golden/events.txt"), Release::V1_7, &events(), (hour, hour + 3_600_000));
}

/// The rows that a format prints, without header and summary.
fn rows(format: &str, batch: &FlowBatch, change: impl FnOnce(&mut OutputOptions)) -> Vec<String> {
    let mut options = OutputOptions { zone: Zone::utc(), ..OutputOptions::default() };
    change(&mut options);
    let printer = RecordPrinter::new(Format::parse(format).unwrap(), options);
    let mut out = Vec::new();
    printer.rows(batch, &Selection::all(batch.len()), Before::default(), &mut out);
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn the_improved_tags() {
    let (flows, events) = (flows(), events());
    // D-30: the milliseconds of the last time are whole.
    assert_eq!(rows("fmt:%ter", &flows, |_| {})[0], "1700000010.623");
    // D-34: events have their names, whatever the extended event.
    let names = ["CREATE", "DELETE", "DENIED", "UPDATE", "ADD", "DELETE"].map(|name| format!("{name:>7}"));
    assert_eq!(rows("fmt:%evt", &events, |_| {}), names);
    assert_eq!(rows("fmt:%nevt", &events, |_| {}), names);
    // D-29: the tenth label is a tag of its own.
    assert_eq!(rows("fmt:%mpls10|%mpls1", &flows, |_| {})[0], "       0-0-0|    1234-5-0");
    // D-23, D-36.
    assert!(rows("raw", &flows, |_| {}).contains(&"  dst tos      =                 4".to_owned()));
    assert_eq!(rows("csv", &flows, |_| {})[14].split(',').nth(24), Some("2001:db8:ffff::2"));
}

#[test]
fn point_17_the_time_of_an_event_has_all_three_digits_of_its_milliseconds() {
    let mut events = events();
    set_nums(&mut events, Field::EventTimeMs, |_| 1_700_000_001_007);
    let lines = rows("json", &events, |_| {});
    let found = lines.iter().find(|line| line.contains("\"t_event\"")).expect("the event has a time");
    assert!(found.contains("\"2023-11-14T22:13:21.007\""), "{found}");
}

#[test]
fn payloads_end_their_line() {
    assert_eq!(rows("fmt:%ipl%sp%opl", &flows(), |_| {})[..3], ["", " 51000", ""]);
}

#[test]
fn wide_headers_fit_wide_columns() {
    let options = OutputOptions { long_ipv6: true, ..OutputOptions::default() };
    let mut out = Vec::new();
    RecordPrinter::new(Format::parse("fmt:%xsa %nda %sap").unwrap(), options).header(&mut out);
    let expected = format!("{:>39} {:>39} {:>45}\n", "X-late Src IP", "X-late Dst IP", "Src IP Addr:Port ");
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn pipe_has_the_columns_of_1_6() {
    let flows = flows();
    let lines = rows("pipe", &flows, |options| options.plain_numbers = true);
    assert_eq!(
        lines[0],
        "2|1700000000|123|1700000010|623|6|0|0|0|3232235786|51000|0|0|0|167772161|443|65001|15169|3|4|27|16|10|1500"
    );
    assert_eq!(
        lines[16],
        "10|1700000022|0|1700000022|0|58|4269801472|0|0|1|0|4278321152|0|0|1|34304|0|0|1|2|0|0|1|104"
    );
    let run = Run::new(
        &["-n", "1", "-s", "srcip/bytes", "-s", "srcport/bytes", "-o", "pipe"].map(str::to_owned),
        Release::V1_7,
    );
    assert_eq!(
        run.print(&flows, (0, 0)),
        "2|1700000005|0|1700000065|0|0|0|0|0|2886731014|1|1800000000|2500000000000|30000000|333333333333|1388\n\n\
         0|1700000002|0|1700000065|0|0|0|8|1801000204|2500001017160|28587304|317460446623|1388\n\n"
    );
}

#[test]
fn json_of_statistics_is_an_object_a_line() {
    let run = Run::new(
        &["-n", "1", "-s", "srcip/bytes", "-s", "dstport:p/flows", "-o", "json"].map(str::to_owned),
        Release::V1_7,
    );
    assert_eq!(
        run.print(&flows(), (0, 0)),
        "{ \"first\" : \"2023-11-14T22:13:25.000\", \"last\" : \"2023-11-14T22:14:25.000\", \"proto\" : 0, \
         \"srcip\" : \"172.16.5.6\", \"flows\" : 1, \"packets\" : 1800000000, \"bytes\" : 2500000000000, \
         \"pps\" : 30000000, \"bps\" : 333333333333, \"bpp\" : 1388}\n\
         { \"first\" : \"2023-11-14T22:13:20.123\", \"last\" : \"2023-11-14T22:15:10.000\", \"proto\" : 6, \
         \"dstport\" : \"443\", \"flows\" : 2, \"packets\" : 30, \"bytes\" : 4500, \
         \"pps\" : 0, \"bps\" : 327, \"bpp\" : 150}\n"
    );
}

#[test]
fn csv_of_events_names_them() {
    let run = Run::new(
        &["-n", "1", "-s", "event/bytes", "-s", "iacl", "-s", "cl", "-o", "csv"].map(str::to_owned),
        Release::V1_7,
    );
    let text = run.print(&events(), (0, 0));
    let elements: Vec<&str> = text.lines().filter_map(|line| line.split(',').nth(4)).collect();
    assert_eq!(elements, ["val", "DELETE", "val", "0xa0b0c0d", "val", "0.000", "avg_pps", "0"]);
}

#[test]
fn formats_of_later_versions() {
    let flows = flows();
    assert_eq!(
        rows("csv-fast", &flows, |_| {})[1],
        "2,2,1700000000200,1700000010700,6,10.0.0.1,443,192.168.1.10,51000,15169,65001,1,2,18,0,90,123456"
    );
    let printer = RecordPrinter::new(Format::parse("csv:%ts,%td %sa%dp").unwrap(), OutputOptions::default());
    let mut out = Vec::new();
    printer.header(&mut out);
    assert_eq!(out, b"firstSeen,duration,srcAddr,dstPort\n");
    assert_eq!(
        rows("csv:%ts,%td %sa%dp", &flows, |_| {})[0],
        "2023-11-14 22:13:20.123,10.500,192.168.1.10,443"
    );
    let objects = rows("ndjson", &flows, |_| {});
    assert_eq!(objects.len(), 18);
    assert!(objects[16].starts_with(
        "{\"type\":\"FLOW\",\"sampled\":0,\"export_sysid\":1,\"first\":\"2023-11-14T22:13:42.000\","
    ));
    assert!(objects[16].ends_with("\"next_as\":0,\"prev_as\":0,\"label\":\"<none>\"}"));
}

#[test]
fn raw_shows_pf_nfpcapd_and_the_applications_of_enterprises() {
    let mut builder = flow_model::BatchBuilder::new();
    builder.set(Field::NfVersion, 0x41);
    builder.set(Field::PfReason, 5);
    builder.set(Field::PfAction, 1);
    builder.set(Field::PfRule, 105);
    builder.set_bytes(Field::PfInterface, b"averylonginterface");
    builder.set_bytes(Field::AppId, b"\x14\0\0\x30\x44\0\0\0\x50");
    builder.finish_row();
    builder.set(Field::PfDir, 1);
    builder.set_bytes(Field::PfInterface, b"em0");
    builder.set_bytes(Field::AppId, b"\x14\x01\x02\x03");
    builder.finish_row();
    let raw = rows("raw", &builder.finish(), |_| {});
    let shown: Vec<&str> = raw
        .iter()
        .filter(|line| {
            line.starts_with("  pflog") || line.starts_with("  app ID") || line.starts_with("  Flags")
        })
        .map(|line| line.trim_end())
        .collect();
    let expected = [
        "  Flags        =              0x00 PCAP v1, Unsampled",
        "  app ID       =             20..12356..80: <no info>",
        "  pflog ifname =          averylonginterf",
        "  pflog action =             block",
        "  pflog reason =                 5/memory)",
        "  pflog direct =               out",
        "  pflog rulenr =               105",
        "  Flags        =              0x00 FLOW, Unsampled",
        "  app ID       =             20..16909056..0: <no info>",
        "  pflog ifname =               em0",
        "  pflog action =              pass",
        "  pflog reason =                 0/match",
        "  pflog direct =                in",
        "  pflog rulenr =                 0",
    ];
    assert_eq!(shown, expected);
    builder.set(Field::NfVersion, 0x41);
    builder.set_bytes(Field::AppId, b"\x14\0\0\0\x09\0\x01");
    builder.finish_row();
    assert_eq!(rows("fmt:%nfv %nbid", &builder.finish(), |_| {}), ["Pv1 20..9..1"]);
}

#[test]
fn records_have_the_number_of_their_place_in_the_input() {
    let printer = RecordPrinter::new(Format::parse("fmt:%cnt").unwrap(), OutputOptions::default());
    assert!(printer.shows_numbers() && !printer.clone().unnumbered().shows_numbers());
    let mut out = Vec::new();
    printer.rows(
        &flows(),
        &Selection::from_rows(18, vec![3, 9]),
        Before { selected: 2, rows: 100 },
        &mut out,
    );
    assert_eq!(String::from_utf8(out).unwrap(), "  104\n  110\n");
    let line = RecordPrinter::new(Format::default(), OutputOptions::default());
    assert!(!line.shows_numbers());
}

#[test]
fn records_without_a_place_have_no_number() {
    let options = OutputOptions::default();
    let printer = RecordPrinter::new(Format::parse("fmt:%cnt").unwrap(), options).unnumbered();
    let mut out = Vec::new();
    printer.rows(&flows(), &Selection::from_rows(18, vec![3]), Before { selected: 2, rows: 7 }, &mut out);
    assert_eq!(out, b"    0\n");
}

#[test]
fn an_empty_result_is_said_in_words_to_people_only() {
    let said = |format: &str, quiet| {
        let printer = RecordPrinter::new(
            Format::parse(format).unwrap(),
            OutputOptions { quiet, ..OutputOptions::default() },
        );
        let mut out = Vec::new();
        printer.header(&mut out);
        printer.no_match(&mut out);
        printer.footer(0, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(said("fmt:%sp", false), "Src Pt\nNo matching flows\n");
    assert_eq!(said("fmt:%sp", true), "");
    assert_eq!(said("null", false), "No matching flows\n");
    assert_eq!(said("json", false), "[\n]\n");
    assert_eq!(said("json", true), "[\n]\n");
    assert_eq!(said("pipe", false), "");
    assert_eq!(said("csv-fast", true), "");
}

#[test]
fn dictionaries_constants_and_plain_values_print_alike() {
    let flows = flows();
    let mut coded = FlowBatch::new(flows.len());
    coded.mark_decoded(flows.decoded());
    for field in flows.fields().iter() {
        coded.insert(field, encode(flows.column(field), flows.len()));
    }
    // Many rows, so that dictionaries are worth printing beforehand.
    for format in ["line", "long", "csv", "json", "ndjson", "raw", "pipe", "fmt:%sn %dn %eng %bps %nfv"] {
        assert_eq!(rows(format, &flows, |_| {}), rows(format, &coded, |_| {}), "{format}");
    }
}

/// The column as a constant or a dictionary.
fn encode(column: &Column, len: usize) -> Column {
    let mut distinct: Vec<Value> = (0..len).map(|row| column.get(row).to_owned()).collect();
    distinct.sort();
    distinct.dedup();
    if let [value] = distinct.as_slice() {
        return Column::Constant(value.clone());
    }
    let code = |row| distinct.binary_search(&column.get(row).to_owned()).unwrap() as u16;
    let codes = (0..len).map(code).collect();
    let Column::Plain(plain) = column else { return column.clone() };
    let mut values = Values::new(plain.kind());
    for value in &distinct {
        values.push(value.as_ref());
    }
    Column::Dictionary(flow_model::Dictionary { codes, values })
}
