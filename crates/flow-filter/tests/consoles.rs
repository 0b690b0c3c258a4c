//! What consoles send: the filters of Pandora FMS's documentation, those its console builds, and those of NfSen.

use flow_filter::{EvalContext, Filter, ParseOptions};
use flow_model::Selection;
use flow_testkit::fixture;

/// How many of the eighteen flows match. What is expected nfdump 1.7.1 finds, but for `port not 53` (D-97), and filters
/// of comments (D-11).
fn count(text: &str) -> usize {
    let filter =
        Filter::parse(text, &ParseOptions::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
    let flows = fixture::flows();
    let mut selection = Selection::all(flows.len());
    filter.eval(&flows, &EvalContext { ident: "none", first_row: 0 }, &mut selection);
    selection.count()
}

#[test]
fn examples_of_pandoras_manual() {
    for (text, flows) in [
        ("host 192.168.1.10", 3),
        ("dst host 10.0.0.1", 2),
        ("not src host 192.168.1.10", 16),
        ("src net 192.168.0.0/16", 5),
        ("(port 80) or (port 443)", 5),
        ("(port 443) and (dst host 10.0.0.1)", 2),
        ("port not 53", 16),
    ] {
        assert_eq!(count(text), flows, "{text}");
    }
    assert_eq!(count("port not 53"), count("not port 53"));
}

/// Form fields are joined by `and`, values of one field by `or`, with a blank in front; two blanks where a network
/// follows.
#[test]
fn filters_that_pandoras_console_builds() {
    for (text, flows) in [
        (" (router ip 127.0.0.1)", 18),
        (" (router ip 127.0.0.1) and (proto TCP)", 6),
        (" (dst ip 10.0.0.1 or  dst net 192.168.0.0/16)", 5),
        (" (src ip 192.168.1.10 or src net 10.0.0.0/8) and (dst port 443 or dst port 80)", 2),
        (
            " (router ip 127.0.0.1) and (dst ip 10.0.0.1 or dst net 10.0.0.0/24) and (src port 51000 or src port 51001) and (proto TCP)",
            2,
        ),
        (" (src ip 2001:db8::1) and (proto udp or proto tcp)", 1),
        ("(src ip 192.168.1.10 or src ip 10.0.0.1)", 3),
        ("(dst ip 10.0.0.1 or dst ip 192.168.1.10) and (src ip 192.168.1.10 or src ip 10.0.0.1)", 3),
        // Typed by users.
        ("inet6", 4),
        ("bytes < 10M", 16),
        ("src net 10.0/16", 2),
        ("flags S and not flags AFRPU", 1),
    ] {
        assert_eq!(count(text), flows, "{text}");
    }
}

/// Profiles are lines with comments; shadow profiles put the idents of their channels in front.
#[test]
fn filters_that_nfsen_sends() {
    for (text, flows) in [
        ("any", 18),
        ("( ident none or ident upstream) and ( proto tcp )", 6),
        ("# web\nproto tcp and\n  ( dst port 80 or # plain\n    dst port 443 )\n", 3),
        ("# nothing but a comment", 18),
        ("(any) and (src ip 192.168.1.10 or\ndst ip 192.168.1.10)", 3),
    ] {
        assert_eq!(count(text), flows, "{text}");
    }
}
