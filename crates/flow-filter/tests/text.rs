//! Texts: any of them gives a filter or an error, in time that grows with its length, on a small stack.

use flow_filter::{EvalContext, Filter, FilterErrorKind, ParseOptions};
use flow_model::Selection;
use flow_testkit::fixture;
use proptest::prelude::*;
use std::net::IpAddr;

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
const PIECES: [&str; 62] = [
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
        if let Err(error) = parse(&text) {
            let first = if matches!(error.kind(), FilterErrorKind::Resolve { .. }) { "Failed" } else { "Line 1: " };
            prop_assert!(error.to_string().starts_with(first) || text.contains('\n'), "{}", error);
            prop_assert!(error.detail().contains('^'), "{}", error.detail());
        }
    }

    #[test]
    fn any_text_gives_a_filter_or_an_error(text in "\\PC{0,40}|[ -~\n]{0,60}") {
        if let Err(error) = parse(&text) {
            prop_assert!(!error.detail().is_empty() && !error.to_string().is_empty());
        }
    }
}
