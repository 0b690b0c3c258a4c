//! The filter language.

use flow_filter::{EvalContext, FileContext, Filter, ParseOptions};
use flow_model::{BlockStats, FlowBatch, NoMembership, Prune, Selection};
use flow_testkit::generate::{self, Mix};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

#[path = "../../flow-filter/tests/common/naive.rs"]
mod naive;

/// What filters are tried on: enough rows for more than one word of a selection.
static FLOWS: LazyLock<[FlowBatch; 2]> = LazyLock::new(|| {
    let plain = generate::batch(1, 150, Mix::default());
    let encoded = generate::encode_as_file(&plain);
    [plain, encoded]
});
const CONTEXT: EvalContext<'static> = EvalContext { ident: "here", first_row: 0 };
static STATS: LazyLock<BlockStats> = LazyLock::new(|| BlockStats::of(&FLOWS[0]));

/// Reads an input as a filter; if it is one, evaluates it and prunes by it.
///
/// Whatever it is, a refused text has a message and a place; an accepted one can be explained, looks at the columns only that it
/// names, keeps the rows that a naive evaluation keeps, in every representation of them, and what pruning says agrees.
///
/// # Panics
/// When that is not so.
pub fn filter(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let options = ParseOptions { resolve: Some(&resolve), read: Some(&read), ..ParseOptions::default() };
    let filter = match Filter::parse(text, &options) {
        Ok(filter) => filter,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(error.detail().contains('^'), "no place: {}", error.detail());
            assert!([1, 254, 255].contains(&error.exit_code()));
            return;
        }
    };
    let kept = FLOWS.each_ref().map(|batch| {
        let mut narrow = FlowBatch::new(batch.len());
        for field in filter.columns().intersect(batch.fields()).iter() {
            narrow.insert(field, batch.column(field).clone());
        }
        narrow.mark_decoded(filter.columns());
        let mut selection = Selection::all(batch.len());
        filter.eval(&narrow, &CONTEXT, &mut selection);
        selection.to_rows()
    });
    assert!(filter.explain().to_string().starts_with("Expression\n"));
    let holds = |&row: &u32| naive::matches(filter.expr(), &FLOWS[0], row as usize, &CONTEXT);
    let expected: Vec<u32> = (0..FLOWS[0].len() as u32).filter(holds).collect();
    assert_eq!(kept[0], expected, "other rows than those the expression holds for");
    assert_eq!(kept[0], kept[1], "what is kept depends on the representation");
    match filter.prune(&STATS, &NoMembership, &FileContext { ident: CONTEXT.ident }) {
        Prune::Never => assert!(kept[0].is_empty(), "pruned, but rows match"),
        Prune::Maybe => {}
        Prune::Always => assert_eq!(kept[0].len(), FLOWS[0].len(), "not pruned, but rows do not match"),
    }
}

/// Every name has two addresses.
#[expect(clippy::unnecessary_wraps, reason = "a resolver can fail")]
fn resolve(_name: &str) -> Result<Vec<IpAddr>, String> {
    Ok(vec![Ipv4Addr::new(10, 0, 0, 1).into(), Ipv6Addr::LOCALHOST.into()])
}

/// Files that filters may name: a filter, one that includes itself, and lists.
fn read(name: &str) -> Result<String, String> {
    match name {
        "a" => Ok("proto tcp".to_owned()),
        "b" => Ok("@include b".to_owned()),
        "c" => Ok("10.0.0.1\n10.0.0.0/30 # net\n2001:db8::/32\n".to_owned()),
        "d" => Ok("80, 443\n1024\n".to_owned()),
        _ => Err("no such file".to_owned()),
    }
}
