//! A filter, ready to run.

use crate::ast::Expr;
use crate::error::FilterError;
use crate::eval::{EvalContext, eval};
use crate::explain::Explanation;
use crate::label::Labels;
use crate::options::ParseOptions;
use crate::parse::parse;
use crate::plan::{Plan, plan};
use crate::prune::{FileContext, prune};
use crate::simplify::{Part, Simple, simplify};
use flow_model::{BlockStats, FieldSet, FlowBatch, Membership, Prune, Selection};

/// Which flows are wanted: parsed, simplified and planned once, run on any number of batches and threads.
#[derive(Clone, Debug)]
pub struct Filter {
    expr: Expr,
    columns: FieldSet,
    body: Body,
    labels: Option<Labels>,
}

/// What is executed.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Const(bool),
    Plan { parts: Vec<Part>, plan: Plan },
}

impl Filter {
    /// Reads a filter in nfdump's language; a text of blanks and comments matches every flow.
    ///
    /// # Errors
    /// When nfdump 1.7.1 refuses it too, with nfdump's message; see the crate's documentation for what we take
    /// beyond it.
    pub fn parse(text: &str, options: &ParseOptions<'_>) -> Result<Filter, FilterError> {
        Ok(Filter::new(parse(text, options)?))
    }

    /// A filter that means `expr`.
    pub fn new(expr: Expr) -> Filter {
        let (columns, body) = match simplify(&expr) {
            Simple::Const(value) => (FieldSet::EMPTY, Body::Const(value)),
            Simple::Parts(parts) => {
                let plan = plan(&parts);
                let columns = plan
                    .tests
                    .iter()
                    .fold(FieldSet::EMPTY, |columns, (test, _)| columns.union(test.fields()));
                (columns, Body::Plan { parts, plan })
            }
        };
        let labels = Labels::of(&expr);
        Filter { expr, columns, body, labels }
    }

    /// The filter that matches every flow.
    pub fn all() -> Filter {
        Filter::new(Expr::constant(true))
    }

    /// Whether every flow matches, whatever it is.
    pub fn matches_all(&self) -> bool {
        matches!(self.body, Body::Const(true))
    }

    /// What the text means, before any simplification.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// The fields [`eval`](Self::eval) looks at.
    pub fn columns(&self) -> FieldSet {
        self.columns
    }

    /// What the filter does, for people: the expression as it was read, the steps of its execution with what rules out
    /// blocks, and the columns that are read.
    pub fn explain(&self) -> Explanation<'_> {
        Explanation(self)
    }

    /// Who gives the matching flows their labels, if the filter has any.
    pub fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    pub(crate) fn body(&self) -> &Body {
        &self.body
    }

    /// Whether [`eval`](Self::eval) asks for the number of a flow in the input, so that
    /// [`EvalContext::first_row`] matters.
    pub fn counts_flows(&self) -> bool {
        match &self.body {
            Body::Const(_) => false,
            Body::Plan { plan, .. } => plan.tests.iter().any(|(test, _)| test.counts_flows()),
        }
    }

    /// What is known about a block without decoding it. On [`Prune::Always`] there is no need to evaluate.
    pub fn prune(&self, stats: &BlockStats, membership: &dyn Membership, file: &FileContext<'_>) -> Prune {
        match &self.body {
            Body::Const(true) => Prune::Always,
            Body::Const(false) => Prune::Never,
            Body::Plan { parts, .. } => prune(parts, stats, membership, file),
        }
    }

    /// Keeps the selected rows of `batch` that match.
    pub fn eval(&self, batch: &FlowBatch, context: &EvalContext<'_>, selection: &mut Selection) {
        match &self.body {
            Body::Const(true) => {}
            Body::Const(false) => *selection = Selection::none(batch.len()),
            Body::Plan { plan, .. } => eval(plan, batch, context, selection),
        }
    }
}
