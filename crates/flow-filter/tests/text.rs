//! Texts: any of them gives a filter or an error, in time that grows with its length, on a small stack.

use flow_filter::{EvalContext, FileContext, Filter, FilterErrorKind, ParseOptions};
use flow_model::{BatchBuilder, BlockStats, Field, NoMembership, Prune, Selection};
use flow_testkit::fixture;
use proptest::prelude::*;
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

fn parse(text: &str) -> Result<Filter, flow_filter::FilterError> {
    Filter::parse(text, &ParseOptions::default())
}

fn count(text: &str) -> usize {
    let filter = parse(text).expect("a filter");
    let flows = fixture::flows();
    let mut selection = Selection::all(flows.len());
    filter.eval(&flows, &EvalContext { ident: "none", first_row: 0 }, &mut selection);
    selection.count()
}

#[test]
fn depth_does_not_matter() {
    const DEPTH: usize = 100_000;
    assert_eq!(count(&format!("{}proto tcp{}", "(".repeat(DEPTH), ")".repeat(DEPTH))), 6);
    assert_eq!(count(&format!("{}proto tcp", "not ".repeat(DEPTH))), 6);
    assert_eq!(count(&format!("{}proto tcp{}", "not (".repeat(DEPTH + 1), ")".repeat(DEPTH + 1))), 12);
    let alternating = "(src port 1 and (dst port 2 or ".repeat(DEPTH / 2);
    assert_eq!(count(&format!("{alternating}proto tcp{}", "))".repeat(DEPTH / 2))), 1);
    let open = parse(&"(".repeat(DEPTH)).unwrap_err();
    assert_eq!(open.to_string(), "Line 1: syntax error at ''");
    let closed = parse(&format!("any{}", ")".repeat(DEPTH))).unwrap_err();
    assert_eq!(closed.to_string(), "Line 1: syntax error at ')'");
}

#[test]
fn length_does_not_matter() {
    let ports: Vec<String> = (0..100_000_u32).map(|number| format!("src port {}", number % 65_536)).collect();
    assert!(parse(&ports.join(" or ")).unwrap().matches_all());
    let negated: Vec<String> = ports.iter().take(1_000).map(|port| format!("not {port}")).collect();
    assert_eq!(count(&negated.join(" and ")), 4);
    let list: Vec<String> =
        (0..200_000_u32).map(|number| IpAddr::from(number.to_be_bytes()).to_string()).collect();
    assert_eq!(count(&format!("src ip in [ {} 10.0.0.0/8 ]", list.join(" "))), 2);
    let error = parse(&format!("{} or foo", ports.join(" or "))).unwrap_err();
    assert!(error.detail().lines().all(|line| line.len() < 200), "{}", error.detail());
}

#[test]
fn errors_underline_their_cause_and_suggest() {
    for (text, detail) in [
        ("scr ip 10.0.0.1", "unknown word `scr`\n  scr ip 10.0.0.1\n  ^^^ did you mean `src`?"),
        ("proto tcp and\n prot udp", "unknown word `prot`\n   prot udp\n   ^^^^ did you mean `proto`?"),
        ("tcp", "unknown word `tcp`\n  tcp\n  ^^^ did you mean `proto tcp`?"),
        ("10.0.0.1", "unknown word `10.0.0.1`\n  10.0.0.1\n  ^^^^^^^^ did you mean `ip 10.0.0.1`?"),
        ("10.0.0.0/8", "unknown word `10.0.0.0`\n  10.0.0.0/8\n  ^^^^^^^^ did you mean `net 10.0.0.0`?"),
        (
            "port != 443",
            "expected a number, found `!`\n  port != 443\n       ^ there is no `!=`: write `not` before the primitive",
        ),
        ("port https", "expected a number, found `https`\n  port https\n       ^^^^^"),
        (
            "proto tcp and",
            "the filter ends too early\n  proto tcp and\n               ^ expected a filter word",
        ),
        ("port 65536", "port outside of range 0..65535\n  port 65536\n       ^^^^^"),
        ("tos 256", "TOS must be 0..255\n  tos 256\n      ^^^"),
        (
            "port in [ 1 99999 2 ]",
            "port outside of range 0..65535\n  port in [ 1 99999 2 ]\n              ^^^^^",
        ),
        ("ip in [10.0]", "incomplete IP address\n  ip in [10.0]\n         ^^^^"),
        ("src packets > 1", "this token is not expected here!\n  src packets > 1\n  ^^^"),
        (
            "host nowhere",
            "no address for `nowhere`: host names cannot be looked up here\n  host nowhere\n       ^^^^^^^",
        ),
        ("geo CH", "countries need a geo location database\n  geo CH\n  ^^^"),
    ] {
        assert_eq!(parse(text).unwrap_err().detail(), detail);
    }
}

#[test]
fn errors_of_a_file_name_it() {
    let options = ParseOptions { file: Some("customers"), ..ParseOptions::default() };
    let error = Filter::parse("any and\n\nfoo", &options).unwrap_err();
    assert_eq!(error.to_string(), "File 'customers' line 3: syntax error at 'foo'");
    assert_eq!((error.line(), error.exit_code()), (3, 254));
    assert!(matches!(error.kind(), FilterErrorKind::Syntax { .. }));
}

#[test]
fn host_names_stand_for_all_their_addresses() {
    let resolve = |_: &str| Ok(vec!["10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]);
    let options = ParseOptions { resolve: Some(&resolve), ..ParseOptions::default() };
    let named = Filter::parse("src host server.example", &options).unwrap();
    let listed = parse("src ip in [10.0.0.1 2001:db8::1]").unwrap();
    assert_eq!(named.expr(), listed.expr());
}

/// `ip tor` of nfdump 1.7.5 and later: no host of that name is looked for.
#[test]
fn tor_nodes_are_not_known() {
    let resolve = |_: &str| -> Result<_, String> { panic!("asked for a host") };
    let options = ParseOptions { resolve: Some(&resolve), ..ParseOptions::default() };
    for filter in ["ip tor", "src ip TOR", "dst host tor", "ip in [10.0.0.1 tor]"] {
        let error = Filter::parse(filter, &options).unwrap_err();
        assert_eq!(error.exit_code(), 254, "{filter}");
        assert!(error.to_string().starts_with("Line 1: No database of Tor nodes"), "{filter}: {error}");
    }
}

#[test]
fn host_names_are_looked_up_once() {
    let asked = Cell::new(0);
    let resolve = |_: &str| {
        asked.set(asked.get() + 1);
        Ok(vec!["10.0.0.1".parse().unwrap()])
    };
    let options = ParseOptions { resolve: Some(&resolve), ..ParseOptions::default() };
    Filter::parse("host a.example and (src host a.example or ip in [a.example 10.0.0.2])", &options).unwrap();
    assert_eq!(asked.get(), 1);
}

fn files(path: &str) -> Result<String, String> {
    match path {
        "customers.txt" => Ok("# ours\n10.0.0.0/24, 192.168/16\n2001:db8::/32 ::1\r\n".to_string()),
        "ports" => Ok("53\n0x1bb".to_string()),
        "as numbers" => Ok("65001,15169".to_string()),
        "empty" => Ok("# nobody yet\n".to_string()),
        "typo" => Ok("10.0.0.1\n\n  10.0.0 # /24\n".to_string()),
        "million" => {
            let addrs: Vec<String> =
                (0..1_000_000_u32).map(|n| Ipv4Addr::from(n * 4_099).to_string()).collect();
            Ok(addrs.join("\n"))
        }
        _ => Err("No such file or directory".to_string()),
    }
}

fn with_files(text: &str) -> Result<Filter, flow_filter::FilterError> {
    Filter::parse(text, &ParseOptions { read: Some(&files), ..ParseOptions::default() })
}

#[test]
fn lists_stand_in_files_too() {
    for (with_file, without) in [
        ("src net in @customers.txt", "src ip in [10.0.0.0/24 192.168.0.0/16 2001:db8::/32 ::1]"),
        ("(ip in @customers.txt)", "ip in [10.0.0.0/24 192.168.0.0/16 2001:db8::/32 ::1]"),
        ("not dst port in @ports", "not dst port in [53 443]"),
        ("as in @'as numbers' and any", "as in [65001 15169] and any"),
        ("port in [80, @ports]", "port in [53 80 443]"),
        (
            "net in [10.1/16 @customers.txt,8.8.8.8]",
            "ip in [10.1.0.0/16 8.8.8.8 10.0.0.0/24 192.168.0.0/16 2001:db8::/32 ::1]",
        ),
        ("src ip in @empty", "not any"),
    ] {
        let (listed, typed) = (with_files(with_file).unwrap(), parse(without).unwrap());
        assert_eq!(
            listed.explain().to_string().split("Plan").nth(1),
            typed.explain().to_string().split("Plan").nth(1)
        );
    }
}

#[test]
fn errors_in_list_files_name_file_and_line() {
    let error = with_files("src net in @typo").unwrap_err();
    assert_eq!(error.to_string(), "File 'typo' line 3: incomplete IP address at '10.0.0'");
    assert_eq!(error.detail(), "incomplete IP address\n    10.0.0 # /24\n    ^^^^^^");
    assert_eq!((error.line(), error.exit_code()), (3, 254));
    let error = with_files("port in @customers.txt").unwrap_err();
    assert_eq!(error.to_string(), "File 'customers.txt' line 2: Not a number at '10.0.0.0/24'");
    let error = with_files("src net in @nowhere").unwrap_err();
    assert_eq!(error.to_string(), "Failed to open list file 'nowhere': No such file or directory");
    assert_eq!(error.exit_code(), 255);
    assert!(error.detail().ends_with("\n  src net in @nowhere\n             ^^^^^^^^"), "{}", error.detail());
    assert_eq!(
        parse("port in @ports").unwrap_err().kind(),
        &FilterErrorKind::ListFile {
            path: "ports".to_string(),
            cause: "lists cannot be read here".to_string()
        }
    );
    assert_eq!(with_files("proto in @ports").unwrap_err().to_string(), "Line 1: syntax error at 'in'");
}

#[test]
fn a_list_may_have_a_million_entries() {
    let filter = with_files("src ip in @million or dst ip in @million").unwrap();
    let mut builder = BatchBuilder::new();
    for number in 0..1_000_u32 {
        builder.set_ip(Field::SrcAddr, Ipv4Addr::from(number * 4_099 + number % 2).into());
        builder.set_ip(Field::DstAddr, Ipv4Addr::from(1).into());
        builder.finish_row();
    }
    let batch = builder.finish();
    let mut selection = Selection::all(batch.len());
    filter.eval(&batch, &EvalContext { ident: "", first_row: 0 }, &mut selection);
    assert_eq!(selection.to_rows(), (0..1_000).step_by(2).collect::<Vec<u32>>());
}

#[test]
fn lifetimes_compare_like_other_numbers() {
    let mut builder = BatchBuilder::new();
    for (min, max) in [(64, 64), (32, 255), (0, 0)] {
        builder.set(Field::MinTtl, min);
        builder.set(Field::MaxTtl, max);
        builder.finish_row();
    }
    let batch = builder.finish();
    for (text, rows) in [
        ("ttl equal", &[0, 2][..]),
        ("not ttl equal", &[1]),
        ("ttl 64", &[0]),
        ("ttl > 64", &[1]),
        ("min ttl < 64 and max ttl >= 255", &[1]),
        ("ttl 0", &[2]),
    ] {
        let filter = parse(text).unwrap();
        let mut selection = Selection::all(3);
        filter.eval(&batch, &EvalContext { ident: "", first_row: 0 }, &mut selection);
        assert_eq!(selection.to_rows(), rows, "{text}");
        let verdict = filter.prune(&BlockStats::of(&batch), &NoMembership, &FileContext { ident: "" });
        assert_eq!(verdict, Prune::Maybe, "{text}");
    }
    assert_eq!(parse("ttl 256").unwrap_err().to_string(), "Line 1: TTL number out of range at '256'");
}

#[test]
fn an_explanation_shows_expression_plan_and_columns() {
    let filter =
        parse("not (src net 10.0/16 or port > 1023) and proto tcp and payload content 'a\"' and ident x")
            .unwrap();
    assert_eq!(
        filter.explain().to_string(),
        "\
Expression
  and
    not
      or
        src_addr = 10.0.0.0/16
        or
          src_port >= 1024
          dst_port >= 1024
    proto = 6 (TCP)
    or
      in_payload contains \"a\\\"\"
      out_payload contains \"a\\\"\"
    ident = x
Plan, each step on the flows that the steps before it left
  step 1
    ident = x  [skips files]
  step 2
    proto = 6 (TCP)  [skips blocks by their range]
  step 3
    src_port <= 1023  [skips blocks by their range]
  step 4
    dst_port <= 1023  [skips blocks by their range]
  step 5
    src_addr in 0.0.0.0-9.255.255.255, 10.1.0.0-255.255.255.255, ::/0  [skips blocks by their range]
  step 6
    or
      in_payload contains \"a\\\"\"  [skips no block]
      out_payload contains \"a\\\"\"  [skips no block]
Columns
  src_addr, src_port, dst_port, proto, in_payload, out_payload
"
    );
    assert_eq!(parse("").unwrap().explain().to_string(), "Expression\n  any\nPlan\n  every flow matches\n");
    let million = with_files("ip in @million").unwrap().explain().to_string();
    assert!(
        million.contains("src_addr in 0.0.0.0, 0.0.16.3, ") && million.contains(" and 999992 more"),
        "{million}"
    );
}

#[test]
fn times_are_local_unless_they_say_otherwise() {
    assert_eq!(count("first seen > 2023-11-14"), 17);
    assert_eq!(count("first seen >= 2023-11-14T22:13:40"), 5);
    assert_eq!(count("last seen < \"2023-11-14 22:13:20.500\""), 0);
    let an_hour_ahead = |ms| ms - 3_600_000;
    let options = ParseOptions { local_ms: Some(&an_hour_ahead), ..ParseOptions::default() };
    let local = Filter::parse("first seen > '2023-11-14 23:13:40' and received < 2024", &options).unwrap();
    assert_eq!(
        local.expr(),
        parse("first seen > 2023-11-14T22:13:40Z and received < 2023-12-31T23").unwrap().expr()
    );
    assert_eq!(parse("first seen > 2023/11/14").unwrap_err().to_string(), "Line 1: syntax error at '/'");
}

/// Words of the language and of people who try it.
const PIECES: [&str; 70] = [
    "@ports",
    "@customers.txt",
    "@'",
    "@include ports",
    "@",
    "ttl",
    "equal",
    "min",
    "any",
    "ip",
    "host",
    "net",
    "port",
    "proto",
    "src",
    "dst",
    "in",
    "out",
    "and",
    "or",
    "not",
    "(",
    ")",
    "[",
    "]",
    ",",
    "/",
    "%",
    "!",
    "=",
    "==",
    ">",
    ">=",
    "<",
    "eq",
    "le",
    "10.0.0.1",
    "10.0/16",
    "8",
    "::1",
    "fe80:",
    "tcp",
    "flags",
    "AS",
    "S",
    "as",
    "if",
    "next",
    "router",
    "mpls",
    "label1",
    "eos",
    "asa",
    "event",
    "denied",
    "create",
    "nat",
    "icmp",
    "type",
    "ingress",
    "acl",
    "vrf",
    "payload",
    "content",
    "\"x",
    "'y'",
    "# c\n",
    "\n",
    "99999999999999999999",
    "0x",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn any_words_give_a_filter_or_an_error(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..12)) {
        let text = pieces.join(" ");
        match with_files(&text) {
            Ok(filter) => prop_assert!(filter.explain().to_string().starts_with("Expression\n")),
            Err(error) => {
                let first = match error.kind() {
                    FilterErrorKind::Resolve { .. } | FilterErrorKind::ListFile { .. } => "Failed",
                    _ if text.contains('@') || text.contains('\n') => "",
                    _ => "Line 1: ",
                };
                prop_assert!(error.to_string().starts_with(first), "{}", error);
                prop_assert!(error.detail().contains('^'), "{}", error.detail());
            }
        }
    }

    #[test]
    fn any_text_gives_a_filter_or_an_error(text in "\\PC{0,40}|[ -~\n]{0,60}") {
        if let Err(error) = with_files(&text) {
            prop_assert!(!error.detail().is_empty() && !error.to_string().is_empty());
        }
    }
}

/// A filter for each production of the grammar of nfdump 1.7.8 (`src/libnfdump/filter/grammar.y`), which knows words and
/// comparators that 1.7.1 does not.
#[test]
fn what_nfdump_1_7_8_added_is_taken() {
    let texts = [
        "cnt > 5",
        "engine type 1 or engine id > 2",
        "proto ipv6",
        "icmp type > 3 and icmp code 1",
        "flags CE and flags > 100",
        "min ttl > 3 and max ttl < 200 and ttl 64",
        "ttl equal",
        "etherType 0x800 or ethertype 2048",
        "flowdir ingress and flowdir 1",
        "mpls any = 77 and mpls eos > 5 and mpls exp1 > 2",
        "client latency > 10 and server latency 0",
        "asa event alert and asa xevent > 5 and asa event denied ingress",
        "port in nat pblock or src port in nat pblock",
        "ingress acl > 5 and egress acl 1",
        "nat ip 10.0.0.1 or src nat ip 10.0.0.1 or nat port > 5 or src nat port 5",
        "xlate ip 10.0.0.1 or xlate port 7",
        "nat event add or nat event 3 or nat event DEL44 or asa user admin",
        "nat pblock start > 5 and nat pblock end 7 and nat pblock step 1 and nat pblock size 64",
        "src nat net 10.0.0.0/8",
        "src tun ip 10.0.0.1 or tun ip 10.0.0.2 or tun proto 47",
        "bgp next ip 10.0.0.1 or next ip 10.0.0.1 or router ip 10.0.0.1 or exporter ip 10.0.0.1",
        "exporter id > 3",
        "in payload content x or out payload dns defined",
        "observation domain id > 5 and observation point id = 3",
        "ingress vrf > 5 and egress vrf 3",
        "first seen > 2024-01-01 and last seen < 2025-01-01T10:00:00.5",
        "pf action block and pf reason match and pf rule > 5 and pf dir in and pf dir out and pf interface em0",
        "in src mac 00:11:22:33:44:55",
        "src mask 24 and dst vlan 7 and in if 3",
        "prev as 5 and next as > 7 and src as in [ 1 2 3 ]",
        "src ip in [ 10.0.0.0/8, 10.1.1.1 ] and port in [ 80, 443 ]",
        "in packets > 5 and out bytes < 7",
    ];
    let refused: Vec<String> =
        texts.iter().filter_map(|text| parse(text).err()).map(|error| error.detail()).collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}
