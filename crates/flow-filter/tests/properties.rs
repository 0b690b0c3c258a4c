//! A filter keeps the rows that its expression holds for, however the columns are represented, whatever was
//! selected before, and never what pruning ruled out.

mod common;

use common::{any_filter, matches};
use flow_filter::{EvalContext, FileContext, Filter, ParseOptions};
use flow_model::{BlockStats, Field, FlowBatch, Membership, NoMembership, Prune, Selection};
use flow_testkit::generate::{self, any_mix};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::net::IpAddr;

const CONTEXT: EvalContext<'static> = EvalContext { ident: "here", first_row: 100 };

/// Knows exactly which addresses a batch has.
struct Exact<'b>(&'b FlowBatch);

impl Membership for Exact<'_> {
    fn may_contain(&self, field: Field, addr: IpAddr) -> bool {
        let present: BTreeSet<IpAddr> = (0..self.0.len()).map(|row| self.0.column(field).ip(row)).collect();
        present.contains(&addr)
    }
}

fn kept(filter: &Filter, batch: &FlowBatch, mut selection: Selection) -> Vec<u32> {
    filter.eval(batch, &CONTEXT, &mut selection);
    selection.to_rows()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn keeps_the_rows_the_expression_holds_for(
        text in any_filter(),
        seed: u64,
        rows in 0_usize..400,
        mix in any_mix(),
        every in 1_usize..30,
    ) {
        let batch = generate::batch(seed, rows, mix);
        let filter = Filter::parse(&text, &ParseOptions::default()).unwrap();
        let expected: Vec<u32> =
            (0..batch.len()).filter(|&row| matches(filter.expr(), &batch, row, &CONTEXT)).map(|row| row as u32).collect();
        let before: Vec<u32> = (0..batch.len() as u32).step_by(every).collect();
        let of_those: Vec<u32> = expected.iter().copied().filter(|row| row % every as u32 == 0).collect();
        for form in [generate::encode_dictionaries(&batch), generate::encode_as_file(&batch), batch.clone()] {
            // Only the columns the filter names may be looked at.
            let mut narrow = FlowBatch::new(form.len());
            for field in filter.columns().intersect(form.fields()).iter() {
                narrow.insert(field, form.column(field).clone());
            }
            narrow.mark_decoded(filter.columns());
            prop_assert_eq!(&kept(&filter, &narrow, Selection::all(batch.len())), &expected, "{}", text);
            let selected = Selection::from_rows(batch.len(), before.clone());
            prop_assert_eq!(&kept(&filter, &narrow, selected), &of_those, "{} of every {}", text, every);
        }
    }

    #[test]
    fn blocks_of_any_size_keep_the_same_rows_with_and_without_pruning(
        text in any_filter(),
        seed: u64,
        rows in 1_usize..300,
        mix in any_mix(),
        sizes in generate::any_sizes(),
    ) {
        let batch = generate::batch(seed, rows, mix);
        let filter = Filter::parse(&text, &ParseOptions::default()).unwrap();
        let expected: Vec<u32> = (0..batch.len())
            .filter(|&row| matches(filter.expr(), &batch, row, &EvalContext { first_row: 0, ..CONTEXT }))
            .map(|row| row as u32)
            .collect();
        for pruned in [false, true] {
            let mut found = Vec::new();
            let mut first_row = 0;
            for block in generate::split(&batch, &sizes) {
                let stats = BlockStats::of(&block);
                let verdict = if pruned {
                    filter.prune(&stats, &Exact(&block), &FileContext { ident: CONTEXT.ident })
                } else {
                    Prune::Maybe
                };
                let mut selection = match verdict {
                    Prune::Never => Selection::none(block.len()),
                    Prune::Maybe | Prune::Always => Selection::all(block.len()),
                };
                if verdict == Prune::Maybe {
                    let form = generate::encode_as_file(&block);
                    filter.eval(&form, &EvalContext { first_row, ..CONTEXT }, &mut selection);
                }
                found.extend(selection.to_rows().iter().map(|row| row + first_row as u32));
                first_row += block.len() as u64;
            }
            prop_assert_eq!(&found, &expected, "{} with pruning: {}", text, pruned);
        }
    }

    #[test]
    fn pruning_never_contradicts(text in any_filter(), seed: u64, rows in 1_usize..40, mix in any_mix()) {
        let batch = generate::batch(seed, rows, mix);
        let filter = Filter::parse(&text, &ParseOptions::default()).unwrap();
        let stats = BlockStats::of(&batch);
        let count = kept(&filter, &batch, Selection::all(batch.len())).len();
        for membership in [&NoMembership as &dyn Membership, &Exact(&batch)] {
            match filter.prune(&stats, membership, &FileContext { ident: CONTEXT.ident }) {
                Prune::Never => prop_assert_eq!(count, 0, "{}", text),
                Prune::Maybe => {}
                Prune::Always => prop_assert_eq!(count, batch.len(), "{}", text),
            }
        }
        prop_assert!(!filter.matches_all() || count == batch.len());
    }
}
