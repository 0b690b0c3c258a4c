//! The order in which a simplified expression is executed.

use crate::ast::{Number, Test};
use crate::simplify::Part;
use flow_model::{Field, Kind, field_info};

/// What is executed: conjuncts one after the other, each on the rows the earlier ones left.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// The tests, named by steps.
    pub(crate) tests: Vec<(Test, bool)>,
    /// The conjuncts.
    pub(crate) conjuncts: Vec<Vec<Step>>,
}

/// A step of a conjunct, which works on a stack of outcomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    /// Pushes the outcome of a test.
    Test(usize),
    /// Replaces the two outcomes on top by what they have in common.
    And,
    /// Replaces the two outcomes on top by both together.
    Or,
    /// Goes on at a later step when the outcome on top is certain: no row (before an `And`), or every row.
    SkipIf { all: bool, to: usize },
}

/// What is expected of a part.
#[derive(Clone, Copy)]
struct Estimate {
    /// Of deciding one row, relative to comparing a number.
    cost: f64,
    /// Which share of rows pass.
    pass: f64,
    /// How many outcomes are on the stack at most while it is computed.
    depth: u32,
}

/// More outcomes than this on the stack at once and the parts that need most of them come first, which keeps the
/// stack at the logarithm of the number of tests.
const SHALLOW: u32 = 4;

/// For each part the order in which its operands are decided.
pub(crate) fn ordering(parts: &[Part]) -> Vec<Vec<usize>> {
    let mut estimates: Vec<Estimate> = Vec::with_capacity(parts.len());
    let mut ordered: Vec<Vec<usize>> = Vec::with_capacity(parts.len());
    for part in parts {
        let (estimate, order) = match part {
            Part::Test { test, negated } => (estimate(test, *negated), Vec::new()),
            Part::And(operands) => combine(operands, &estimates, true),
            Part::Or(operands) => combine(operands, &estimates, false),
        };
        estimates.push(estimate);
        ordered.push(order);
    }
    ordered
}

/// Plans `parts`, the last of which is the whole.
pub(crate) fn plan(parts: &[Part]) -> Plan {
    let mut ordered = ordering(parts);
    let mut plan = Plan { tests: Vec::new(), conjuncts: Vec::new() };
    let root = parts.len() - 1;
    let conjuncts = match &parts[root] {
        Part::And(_) => std::mem::take(&mut ordered[root]),
        _ => vec![root],
    };
    for conjunct in conjuncts {
        let steps = steps(conjunct, parts, &ordered, &mut plan.tests);
        plan.conjuncts.push(steps);
    }
    plan
}

/// What joining `operands` costs, and the order in which to do it.
fn combine(operands: &[usize], estimates: &[Estimate], conjunction: bool) -> (Estimate, Vec<usize>) {
    let mut order = operands.to_vec();
    // What decides most rows for the least work goes first.
    let decides = |estimate: Estimate| if conjunction { 1.0 - estimate.pass } else { estimate.pass };
    let rank = |&operand: &usize| estimates[operand].cost / decides(estimates[operand]).max(1e-3);
    order.sort_by(|a, b| rank(a).total_cmp(&rank(b)));
    if let Some(deepest) = (0..order.len()).max_by_key(|&at| estimates[order[at]].depth)
        && estimates[order[deepest]].depth > SHALLOW
    {
        let deepest = order.remove(deepest);
        order.insert(0, deepest);
    }
    let (mut cost, mut undecided, mut depth) = (0.0, 1.0, 0);
    for (at, &operand) in order.iter().enumerate() {
        cost += undecided * estimates[operand].cost;
        undecided *= 1.0 - decides(estimates[operand]);
        depth = depth.max(estimates[operand].depth + u32::from(at > 0));
    }
    let pass = if conjunction { undecided } else { 1.0 - undecided };
    (Estimate { cost, pass, depth }, order)
}

/// Writes out one conjunct.
fn steps(root: usize, parts: &[Part], ordered: &[Vec<usize>], tests: &mut Vec<(Test, bool)>) -> Vec<Step> {
    struct Open {
        part: usize,
        next: usize,
        skips: Vec<usize>,
    }
    let mut steps = Vec::new();
    let mut open = vec![Open { part: root, next: 0, skips: Vec::new() }];
    while let Some(top) = open.last_mut() {
        let conjunction = match &parts[top.part] {
            Part::Test { test, negated } => {
                tests.push((test.clone(), *negated));
                steps.push(Step::Test(tests.len() - 1));
                open.pop();
                continue;
            }
            part => matches!(part, Part::And(_)),
        };
        let operands = &ordered[top.part];
        if top.next > 1 {
            steps.push(if conjunction { Step::And } else { Step::Or });
        }
        if let Some(&operand) = operands.get(top.next) {
            if top.next > 0 {
                top.skips.push(steps.len());
                steps.push(Step::SkipIf { all: !conjunction, to: 0 });
            }
            top.next += 1;
            open.push(Open { part: operand, next: 0, skips: Vec::new() });
        } else {
            let end = steps.len();
            for &skip in &top.skips {
                steps[skip] = Step::SkipIf { all: !conjunction, to: end };
            }
            open.pop();
        }
    }
    steps
}

fn estimate(test: &Test, negated: bool) -> Estimate {
    let (cost, pass) = match test {
        Test::Ident(_) => (0.0, 0.5),
        Test::Octets(..) => (20.0, 0.1),
        Test::Equal(..) => (4.0, 0.5),
        Test::InPortBlock(_) => (8.0, 0.1),
        Test::Address(_, set) => {
            let span = |pieces: usize, all: bool| if all { 0.8 } else { 0.02 * (pieces as f64).min(20.0) };
            let v4 = span(
                set.v4().as_slice().len(),
                set.v4().overlaps(0, 0) && set.v4().overlaps(u32::MAX, u32::MAX),
            );
            let v6 = span(
                set.v6().as_slice().len(),
                set.v6().overlaps(0, 0) && set.v6().overlaps(u128::MAX, u128::MAX),
            );
            (2.0, 0.8 * v4 + 0.2 * v6)
        }
        Test::Number(number, set) => {
            let cost = match number {
                Number::Field(_) | Number::Count => 1.0,
                Number::Bits { .. } => 1.5,
                Number::DurationMs => 4.0,
                Number::Pps | Number::Bps | Number::Bpp => 10.0,
            };
            let common = match number {
                Number::Field(field @ (Field::SrcPort | Field::DstPort)) => matches!(field, Field::SrcPort),
                Number::Field(field) => field_info(*field).kind == Kind::U8,
                _ => false,
            };
            // A few values of many are rare, all but a few are common, an open range is even odds.
            let holds = |value| set.contains(value);
            let pass = match set.as_slice() {
                [(low, high)] if high - low < 64 => {
                    if common {
                        0.3
                    } else {
                        0.05
                    }
                }
                ranges if holds(0) && holds(u64::MAX) && ranges.len() <= 64 => 0.9,
                [_] => 0.5,
                ranges => (0.05 * ranges.len() as f64).min(0.5),
            };
            (cost, pass)
        }
    };
    Estimate { cost, pass: if negated { 1.0 - pass } else { pass }, depth: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ParseOptions;
    use crate::simplify::{Simple, simplify};

    fn planned(text: &str) -> Plan {
        match simplify(&crate::parse::parse(text, &ParseOptions::default()).unwrap()) {
            Simple::Parts(parts) => plan(&parts),
            Simple::Const(_) => panic!("{text} is a constant"),
        }
    }

    fn deepest(steps: &[Step]) -> usize {
        let (mut depth, mut deepest) = (0, 0);
        for step in steps {
            match step {
                Step::Test(_) => depth += 1,
                Step::And | Step::Or => depth -= 1,
                Step::SkipIf { .. } => {}
            }
            deepest = deepest.max(depth);
        }
        deepest
    }

    #[test]
    fn selective_and_cheap_conjuncts_come_first() {
        let plan = planned("bps > 1000 and proto tcp and src ip 10.0.0.1");
        let numbers: Vec<bool> =
            plan.tests.iter().map(|(test, _)| matches!(test, Test::Number(Number::Bps, _))).collect();
        assert_eq!(numbers, [false, false, true]);
        assert_eq!(plan.conjuncts.len(), 3);
    }

    #[test]
    fn operands_are_skipped_when_the_answer_is_known() {
        let plan = planned("src port 1 or dst port 2");
        assert_eq!(
            plan.conjuncts,
            [[Step::Test(0), Step::SkipIf { all: true, to: 4 }, Step::Test(1), Step::Or]]
        );
    }

    #[test]
    fn nesting_does_not_deepen_the_stack() {
        let levels: Vec<String> = (0..1_000)
            .map(|n| format!("(src port {n} or dst port {n} and (src as {n} and dst as {n} or "))
            .collect();
        let text = format!("{}proto 6{}", levels.concat(), "))".repeat(levels.len()));
        let plan = planned(&text);
        assert!(plan.conjuncts.iter().all(|steps| deepest(steps) <= 12));
    }
}
