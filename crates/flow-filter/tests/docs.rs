//! docs/filter.md is true: its examples are filters, its table of words is that of the catalogue, its error and its plan are
//! what the code says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use flow_filter::{Filter, ParseOptions};
use flow_model::{DERIVED, FilterKind, FilterWord, OwnNetworks, Side, field_info, fields};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/filter.md")
}

fn page() -> String {
    fs::read_to_string(path()).unwrap()
}

/// All of IPv4, called `office`.
#[derive(Debug)]
struct Office;

impl OwnNetworks for Office {
    fn number_of(&self, addr: IpAddr) -> u32 {
        addr.is_ipv4().into()
    }

    fn name(&self, _: u32) -> &'static str {
        "office"
    }

    fn number_called(&self, name: &str) -> Option<u32> {
        (name == "office").then_some(1)
    }
}

fn parse(text: &str) -> Filter {
    let resolve = |_: &str| Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]);
    let read = |name: &str| Ok(if name.contains("ports") { "8080" } else { "10.0.0.0/8" }.to_owned());
    let options = ParseOptions {
        resolve: Some(&resolve),
        read: Some(&read),
        networks: Some(&Office),
        ..ParseOptions::default()
    };
    Filter::parse(text, &options).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The lines of the blocks that are fenced with this word.
fn examples<'p>(page: &'p str, fence: &str) -> Vec<&'p str> {
    let fence = format!("```{fence}\n");
    let blocks = page.split(&fence).skip(1);
    blocks.flat_map(|block| block.split("```").next().unwrap_or_default().lines()).collect()
}

#[test]
fn examples_are_filters() {
    let page = page();
    let examples = [examples(&page, "filter"), examples(&page, "lists")].concat();
    assert!(examples.len() > 30, "{}", examples.len());
    for text in examples {
        parse(text);
    }
}

#[test]
fn the_error_and_the_plan_are_real() {
    let page = page();
    let indented = |text: &str| -> String {
        text.lines().fold(String::new(), |mut page, line| {
            let _ = writeln!(page, "    {line}");
            page
        })
    };
    let error = Filter::parse("scr ip 10.0.0.1", &ParseOptions::default()).unwrap_err();
    assert!(page.contains(&indented(&format!("rdump: filter: {error}\n{}", error.detail()))));
    let plan = parse("proto tcp and port in [80 443]").explain().to_string();
    assert!(page.contains(&indented(&plan)), "{plan}");
}

/// The words of the catalogue: what may stand before and behind them, and what they test.
fn table() -> String {
    #[derive(Default)]
    struct Row {
        sides: Vec<&'static str>,
        tests: Vec<&'static str>,
        value: String,
    }
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    let mut add = |word: &FilterWord, test: &'static str| {
        let row = rows.entry(word.word).or_default();
        let side = side(word.side);
        if !side.is_empty() && !row.sides.contains(&side) {
            row.sides.push(side);
        }
        if !row.tests.contains(&test) {
            row.tests.push(test);
        }
        // What is taken on one side only, like host names, is said for the first.
        if row.value.is_empty() {
            row.value = value(word.kind);
        }
    };
    for info in fields() {
        info.filter.iter().for_each(|word| add(word, field_info(info.field).name));
    }
    for info in DERIVED {
        info.filter.iter().for_each(|word| add(word, "computed"));
    }
    let mut table = String::from("| word | before it | behind it | tests |\n|---|---|---|---|\n");
    for (word, Row { sides, tests, value }) in rows.iter().filter(|(word, _)| **word != "flags") {
        let _ = writeln!(table, "| `{word}` | {} | {value} | {} |", sides.join(", "), tests.join(", "));
    }
    table
}

fn side(side: Side) -> &'static str {
    match side {
        Side::None => "",
        Side::Src => "src",
        Side::Dst => "dst",
        Side::In => "in",
        Side::Out => "out",
        Side::InSrc => "in src",
        Side::InDst => "in dst",
        Side::OutSrc => "out src",
        Side::OutDst => "out dst",
        Side::Prev => "prev",
        Side::Next => "next",
        Side::Ingress => "ingress",
        Side::Egress => "egress",
    }
}

fn value(kind: FilterKind) -> String {
    let comparator = |compare: bool| if compare { "comparator, " } else { "" };
    let list = |list: bool| if list { ", list" } else { "" };
    match kind {
        FilterKind::Number { max: u64::MAX, compare, list: takes_list, .. } => {
            format!("{}number{}", comparator(compare), list(takes_list))
        }
        FilterKind::Number { max, compare, list: takes_list, .. } => {
            format!("{}number up to {max}{}", comparator(compare), list(takes_list))
        }
        FilterKind::Protocol => "protocol, by name or number".to_owned(),
        FilterKind::Address { list: takes_list, names } => {
            format!("address{}{}", if names { ", host name" } else { "" }, list(takes_list))
        }
        FilterKind::Network => "network, list".to_owned(),
        FilterKind::Mac => "MAC address".to_owned(),
        FilterKind::TcpFlags => "flags".to_owned(),
        FilterKind::Symbol { names, max, compare, .. } => {
            let names: Vec<String> = names.iter().map(|(name, _)| format!("`{name}`")).collect();
            format!("{}, or {}number up to {max}", names.join(" "), comparator(compare))
        }
        FilterKind::Latency => "comparator, microseconds".to_owned(),
        FilterKind::Time => "comparator, time".to_owned(),
        FilterKind::OwnNetwork => "name of an own network".to_owned(),
        FilterKind::Text { max, .. } => format!("name of up to {max} characters"),
    }
}

#[test]
fn every_word_of_the_catalogue_is_listed() {
    let page = page();
    let (before, rest) = page.split_once("<!-- words").unwrap();
    let (mark, rest) = rest.split_once("-->\n").unwrap();
    let (written, after) = rest.split_once("<!-- end of words -->").unwrap();
    let made = table();
    if std::env::var_os("UPDATE").is_some() {
        let page = format!("{before}<!-- words{mark}-->\n{made}<!-- end of words -->{after}");
        fs::write(path(), page).unwrap();
    } else {
        assert_eq!(written, made, "UPDATE=1 rewrites it");
    }
    // Words that stand alone or begin in a way of their own.
    for word in [
        "any",
        "ipv4",
        "inet",
        "ipv6",
        "inet6",
        "ident",
        "flags",
        "mpls",
        "payload content",
        "payload regex",
        "payload dns",
        "payload tls",
        "payload ja3",
        "payload ja4",
        "ttl equal",
        "geo",
    ] {
        assert!(page.contains(&format!("`{word}")), "{word}");
    }
}
