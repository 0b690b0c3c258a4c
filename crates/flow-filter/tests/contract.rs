//! Every measured expression: accepted with as many flows, or refused with the same message.
//!
//! `contract.tsv` has one line for each: the expression (`\n`, `\t`, `\r` stand for the control characters), how many
//! of the eighteen flows and of the six events in `flow_testkit::fixture` match, or the message, and the number of
//! the ruling in `docs/compat.md` where we differ from nfdump 1.7.1 on purpose. A number that was not measured is
//! left out.

use flow_filter::{EvalContext, Filter, FilterError, ParseOptions};
use flow_model::{FlowBatch, Selection};
use flow_testkit::{fixture, generate};
use std::net::{IpAddr, Ipv4Addr};

fn parse(text: &str) -> Result<Filter, FilterError> {
    let resolve = |name: &str| match name {
        "localhost" => Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]),
        _ => Err("Unknown error".to_string()),
    };
    let include = |_: &str| Err("No such file or directory".to_string());
    let options = ParseOptions { resolve: Some(&resolve), read: Some(&include), ..ParseOptions::default() };
    Filter::parse(text, &options)
}

fn matching(filter: &Filter, batch: &FlowBatch) -> usize {
    let mut selection = Selection::all(batch.len());
    filter.eval(batch, &EvalContext { ident: "none", first_row: 0 }, &mut selection);
    selection.count()
}

#[test]
fn every_measured_expression_is_taken_or_refused_as_measured() {
    let inputs = [fixture::flows(), fixture::events()]
        .map(|batch| [generate::encode_dictionaries(&batch), generate::encode_as_file(&batch), batch]);
    let mut wrong = Vec::new();
    for line in include_str!("contract.tsv").lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let column = |index: usize| columns.get(index).copied().unwrap_or_default();
        let text = column(0).replace("\\n", "\n").replace("\\t", "\t").replace("\\r", "\r");
        match parse(&text) {
            Ok(filter) => {
                for (input, expected) in inputs.iter().zip([column(1), column(2)]) {
                    for batch in input {
                        let found = matching(&filter, batch);
                        if !column(3).is_empty() || (!expected.is_empty() && found.to_string() != expected) {
                            wrong.push(format!("{text:?}: {found} rows, expected {expected}{}", column(3)));
                        }
                    }
                }
            }
            Err(error) => {
                let exit_code = match column(3) {
                    geo if geo.starts_with("Can not filter") => 1,
                    include if include.starts_with("Failed to open include") => 255,
                    _ => 254,
                };
                if error.to_string() != column(3) || error.exit_code() != exit_code {
                    wrong.push(format!("{text:?}: {error}, expected {}{}", column(1), column(3)));
                }
                assert!(error.detail().contains('^'), "{}", error.detail());
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong\n{}", wrong.len(), wrong.join("\n"));
}
