//! Running a plan over a batch.

use crate::bits::{Outcome, Rows};
use crate::kernel;
use crate::plan::{Plan, Step};
use flow_model::{FlowBatch, Selection};

/// What is known about a batch besides its columns.
#[derive(Clone, Copy, Debug)]
pub struct EvalContext<'a> {
    /// The ident of the file the flows come from.
    pub ident: &'a str,
    /// How many flows of the input come before the batch.
    pub first_row: u64,
}

/// When fewer than one row in so many is left, the rows are visited one by one: a visit costs about eight times what
/// a row costs in a loop over all.
const SPARSE: usize = 8;

/// Keeps the selected rows that pass.
pub(crate) fn eval(plan: &Plan, batch: &FlowBatch, context: &EvalContext<'_>, selection: &mut Selection) {
    if selection.is_empty() || never(plan, batch) {
        *selection = Selection::none(batch.len());
        return;
    }
    for steps in &plan.conjuncts {
        if selection.is_empty() {
            return;
        }
        if selection.count() * SPARSE < batch.len() {
            let rows = selection.to_rows();
            match run(steps, plan, batch, context, Rows::List(&rows), selection) {
                Outcome::All => {}
                Outcome::None => *selection = Selection::none(batch.len()),
                Outcome::Bits(words) => {
                    let passes = |index: usize| words[index / 64] >> (index % 64) & 1 == 1;
                    let left =
                        rows.iter().enumerate().filter(|&(index, _)| passes(index)).map(|(_, &row)| row);
                    *selection = Selection::from_rows(batch.len(), left.collect());
                }
            }
        } else {
            let all = Selection::all(batch.len());
            match run(steps, plan, batch, context, Rows::All(batch.len()), &all) {
                Outcome::All => {}
                Outcome::None => *selection = Selection::none(batch.len()),
                Outcome::Bits(words) => selection.intersect_words(words),
            }
        }
    }
}

/// Whether a dictionary or a constant alone rules out every row: asked before any row is looked at.
fn never(plan: &Plan, batch: &FlowBatch) -> bool {
    plan.conjuncts.len() > 1 && plan.conjuncts.iter().any(|steps| match steps[..] {
        [Step::Test(test)] => {
            let (test, negated) = &plan.tests[test];
            matches!(kernel::on_codes(test, batch), Some(kernel::Coded::Const(value)) if value == *negated)
        }
        _ => false,
    })
}

/// The outcome of one conjunct for the rows that are looked at.
fn run(
    steps: &[Step],
    plan: &Plan,
    batch: &FlowBatch,
    context: &EvalContext<'_>,
    rows: Rows<'_>,
    selection: &Selection,
) -> Outcome {
    let mut stack: Vec<Outcome> = Vec::new();
    let mut at = 0;
    while let Some(&step) = steps.get(at) {
        at += 1;
        match step {
            Step::Test(test) => {
                let (test, negated) = &plan.tests[test];
                let outcome = kernel::run(test, batch, context, rows, selection);
                stack.push(if *negated { outcome.not(rows.len()) } else { outcome });
            }
            Step::And | Step::Or => {
                if let (Some(second), Some(first)) = (stack.pop(), stack.pop()) {
                    stack.push(if step == Step::And { first.and(second) } else { first.or(second) });
                }
            }
            Step::SkipIf { all, to } => {
                let certain = if all { Outcome::All } else { Outcome::None };
                if stack.last() == Some(&certain) {
                    at = to;
                }
            }
        }
    }
    stack.pop().unwrap_or(Outcome::None)
}
