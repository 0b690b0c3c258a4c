//! Labels: `(EXPRESSION) %name` names the flows for which the expression in parentheses decided.
//!
//! Of `A or B` the first that holds decides, of `A and B` the last, and inside a labelled expression nobody looks
//! further. What stands under a `not` decides nothing by holding, so that it gives no label.

use crate::ast::{Expr, Node};
use crate::eval::EvalContext;
use crate::filter::Filter;
use flow_model::{BytesValues, Column, Dictionary, Field, FieldSet, FlowBatch, Groups, Selection, Values};

/// In how many disjunctions inside each other labels may stand: each level decides its part of the expression once
/// more.
pub(crate) const MAX_LEVELS: usize = 16;

/// Who gives matching flows their labels.
#[derive(Clone, Debug)]
pub struct Labels {
    names: Vec<Box<str>>,
    choice: Choice,
    columns: FieldSet,
}

/// What gives the label of flows for which a part of the expression holds.
#[derive(Clone, Debug)]
enum Choice {
    None,
    /// The label with this number.
    Label(usize),
    /// What belongs to the first filter that keeps the flow.
    First(Vec<(Filter, Choice)>),
}

impl Labels {
    /// The labels of `expr`; `None` when there are none.
    pub(crate) fn of(expr: &Expr) -> Option<Labels> {
        if expr.labels().is_empty() {
            return None;
        }
        let reached = levels(expr);
        let names = expr.labels().iter().map(|(_, name)| name.clone()).collect();
        let choice = choose(expr, expr.root(), &reached);
        let mut columns = FieldSet::EMPTY;
        let mut open = vec![&choice];
        while let Some(choice) = open.pop() {
            if let Choice::First(branches) = choice {
                for (filter, below) in branches {
                    columns = columns.union(filter.columns());
                    open.push(below);
                }
            }
        }
        Some(Labels { names, choice, columns })
    }

    /// The fields [`apply`](Self::apply) looks at.
    pub fn columns(&self) -> FieldSet {
        self.columns
    }

    /// Gives the selected rows of `batch`, all of which match, their labels: in [`Field::Label`], and in
    /// [`Field::Groups`] if the batch has that decoded.
    pub fn apply(&self, batch: &mut FlowBatch, context: &EvalContext<'_>, selection: &Selection) {
        // Which label each row has, 0 is none.
        let mut given = vec![0_usize; batch.len()];
        let mut open = vec![(&self.choice, selection.clone())];
        while let Some((choice, rows)) = open.pop() {
            match choice {
                Choice::None => {}
                Choice::Label(label) => rows.for_each(|row| given[row] = label + 1),
                Choice::First(branches) => {
                    let mut left = rows;
                    for (filter, below) in branches {
                        let mut held = left.clone();
                        filter.eval(batch, context, &mut held);
                        let without = held.to_words().iter().map(|word| !word).collect();
                        left.intersect_words(without);
                        open.push((below, held));
                    }
                }
            }
        }
        if given.iter().all(|&label| label == 0) {
            return;
        }
        if batch.decoded().contains(Field::Groups) {
            let groups = batch.column(Field::Groups);
            let labelled = |(row, &label): (usize, &usize)| {
                groups.num(row) | if label == 0 { 0 } else { 1 << Groups::LABEL }
            };
            let groups = given.iter().enumerate().map(labelled).collect();
            batch.insert(Field::Groups, Column::Plain(Values::U64(groups)));
        }
        let mut texts: Vec<&str> =
            given.iter().map(|&label| label.checked_sub(1).map_or("", |at| &self.names[at])).collect();
        let rows = texts.clone();
        texts.sort_unstable();
        texts.dedup();
        let code = |text: &&str| texts.binary_search(text).unwrap_or_default() as u16;
        let codes = rows.iter().map(code).collect();
        let mut values = BytesValues::default();
        for text in &texts {
            values.push(text.as_bytes());
        }
        batch.insert(Field::Label, Column::Dictionary(Dictionary { codes, values: Values::Bytes(values) }));
    }
}

/// For each node in how many disjunctions below it decisions about labels stand; `None` where there is no label to be
/// had.
pub(crate) fn levels(expr: &Expr) -> Vec<Option<usize>> {
    let nodes = expr.nodes();
    let mut levels: Vec<Option<usize>> = vec![None; nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        levels[index] = if expr.label_of(index).is_some() {
            Some(0)
        } else {
            match node {
                Node::And(operands) => operands.last().and_then(|&last| levels[last]),
                Node::Or(operands) => {
                    operands.iter().filter_map(|&operand| levels[operand]).max().map(|deepest| deepest + 1)
                }
                Node::Const(_) | Node::Test(_) | Node::Not(_) => None,
            }
        };
    }
    levels
}

fn choose(expr: &Expr, mut node: usize, levels: &[Option<usize>]) -> Choice {
    loop {
        if levels[node].is_none() {
            return Choice::None;
        }
        if let Some(label) = expr.label_of(node) {
            return Choice::Label(label);
        }
        match &expr.nodes()[node] {
            Node::And(operands) => match operands.last() {
                Some(&last) => node = last,
                None => return Choice::None,
            },
            Node::Or(operands) => {
                let last = operands.iter().rposition(|&operand| levels[operand].is_some());
                let branches = operands.iter().take(last.map_or(0, |last| last + 1));
                return Choice::First(
                    branches
                        .map(|&operand| (Filter::new(expr.part(operand)), choose(expr, operand, levels)))
                        .collect(),
                );
            }
            Node::Const(_) | Node::Test(_) | Node::Not(_) => return Choice::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ParseOptions;
    use flow_model::BatchBuilder;

    /// The labels of flows of protocol 6, 6, 17, 17, 1 with destination ports 80, 443, 53, 443, 0; `-` where the flow
    /// does not match.
    fn labels(text: &str) -> String {
        let mut builder = BatchBuilder::new();
        for (proto, port) in [(6, 80), (6, 443), (17, 53), (17, 443), (1, 0)] {
            builder.set(Field::Proto, proto);
            builder.set(Field::DstPort, port);
            builder.finish_row();
        }
        let mut batch = builder.finish();
        let context = EvalContext { ident: "", first_row: 0 };
        let filter = Filter::parse(text, &ParseOptions::default()).unwrap();
        let mut selection = Selection::all(batch.len());
        filter.eval(&batch, &context, &mut selection);
        batch.mark_decoded(FieldSet::of(&[Field::Groups]));
        filter.labels().expect("labels").apply(&mut batch, &context, &selection);
        let rows = selection.to_rows();
        let shown = |row: usize| {
            let label = batch.column(Field::Label).bytes(row);
            let grouped = batch.column(Field::Groups).num(row) & (1 << Groups::LABEL) != 0;
            assert_eq!(grouped, !label.is_empty());
            match label {
                _ if !rows.contains(&(row as u32)) => "-".to_string(),
                [] => ".".to_string(),
                label => String::from_utf8_lossy(label).into_owned(),
            }
        };
        (0..batch.len()).map(shown).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_expression_that_decided_gives_the_label() {
        for (text, expected) in [
            ("(proto tcp) %foo", "foo foo - - -"),
            ("%foo (proto tcp)", "foo foo - - -"),
            ("(proto tcp) %foo and (dst port 80) %bar", "bar - - - -"),
            ("(proto tcp) %foo or (proto udp) %bar", "foo foo bar bar -"),
            ("(dst port 443) %web or (proto udp) %bar", "- web bar web -"),
            ("proto udp or (dst port 443) %web", "- web . . -"),
            ("(dst port 443) %web or any", ". web . web ."),
            ("((proto tcp) %a or any) %c", "c c c c c"),
            ("%a ((proto tcp) %b)", "a a - - -"),
            ("((proto tcp) %a and dst port 443) or dst port < 100", ". . . - ."),
            ("(proto udp or (proto tcp) %a) and any", ". . . . -"),
            ("any and (proto udp or (proto tcp) %a)", "a a . . -"),
            ("(proto tcp and (dst port 80 or (dst port 443) %s)) or (any) %rest", ". s rest rest rest"),
            ("not (proto tcp) %foo", "- - . . ."),
            ("(not proto tcp) %foo", "- - foo foo foo"),
        ] {
            assert_eq!(labels(text), expected, "{text}");
        }
    }

    #[test]
    fn labels_are_not_nested_without_end() {
        let nested = |levels: usize| {
            let text =
                format!("{}(proto tcp) %a{}", "(dst port 1 or any and ".repeat(levels), ")".repeat(levels));
            Filter::parse(&text, &ParseOptions::default())
        };
        assert!(nested(MAX_LEVELS).unwrap().labels().is_some());
        let error = nested(100_000).unwrap_err();
        assert!(error.to_string().starts_with("Line 1: Labels are nested too deep at 'a'"), "{error}");
    }
}
