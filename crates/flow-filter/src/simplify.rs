//! An expression to the form that is executed: no `not`, no constants inside, sets merged.

use crate::ast::{Expr, Node, Number, Test};
use crate::ranges::{AddrSet, NumSet};
use flow_model::{Field, Kind, field_info};
use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

/// A part of a simplified expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    /// A decision; `negated` only where a test has no complement of its own kind.
    Test { test: Test, negated: bool },
    /// All parts hold; two or more.
    And(Vec<usize>),
    /// Any part holds; two or more.
    Or(Vec<usize>),
}

/// A simplified expression: a constant, or parts, operands first, the whole last.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Simple {
    Const(bool),
    Parts(Vec<Part>),
}

/// Simplifies `expr`: `not` moves down into the sets, and within one `and` or `or`, however it was nested,
/// everything about the same field becomes one set. The meaning is the same for every flow.
pub(crate) fn simplify(expr: &Expr) -> Simple {
    let nodes = expr.nodes();
    let outline = Outline::of(nodes);
    let mut parts = Parts::default();
    let mut members: Vec<Vec<Operand>> = vec![Vec::new(); nodes.len()];
    let mut whole = Operand::Const(false);
    for (index, node) in nodes.iter().enumerate() {
        let inverted = outline.inverted[index];
        let operand = match node {
            Node::Const(value) => Operand::Const(*value != inverted),
            Node::Test(test) => parts.leaf(test.clone(), inverted),
            Node::And(_) | Node::Or(_) if outline.group[index] == Some(index) => {
                parts.join(matches!(node, Node::And(_)) != inverted, mem::take(&mut members[index]))
            }
            // Its operands have gone to the group around.
            Node::And(_) | Node::Or(_) | Node::Not(_) => continue,
        };
        match outline.around[index] {
            Some(group) => members[group].push(operand),
            None => whole = operand,
        }
    }
    match whole {
        Operand::Const(value) => Simple::Const(value),
        Operand::Part(root) => Simple::Parts(parts.reachable(root)),
    }
}

/// Where each node of an expression stands.
struct Outline {
    /// An odd number of `not` stands above it.
    inverted: Vec<bool>,
    /// For a conjunction or disjunction, the outermost one it is the same as; itself when it is that.
    group: Vec<Option<usize>>,
    /// The group it is an operand of; none for what stands for the whole.
    around: Vec<Option<usize>>,
}

impl Outline {
    /// Parents come after their operands, so one walk backwards sees them first.
    fn of(nodes: &[Node]) -> Outline {
        let len = nodes.len();
        let mut outline =
            Outline { inverted: vec![false; len], group: vec![None; len], around: vec![None; len] };
        for (index, node) in nodes.iter().enumerate().rev() {
            let (inverted, around) = (outline.inverted[index], outline.around[index]);
            match node {
                Node::Const(_) | Node::Test(_) => {}
                Node::Not(operand) => {
                    outline.inverted[*operand] = !inverted;
                    outline.around[*operand] = around;
                }
                Node::And(operands) | Node::Or(operands) => {
                    let conjunction = |at: usize| matches!(nodes[at], Node::And(_)) != outline.inverted[at];
                    let group =
                        around.filter(|&group| conjunction(group) == conjunction(index)).unwrap_or(index);
                    outline.group[index] = Some(group);
                    for &operand in operands {
                        outline.inverted[operand] = inverted;
                        outline.around[operand] = Some(group);
                    }
                }
            }
        }
        outline
    }
}

#[derive(Clone, Copy)]
enum Operand {
    Const(bool),
    Part(usize),
}

/// What sets are merged by.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Number(Number),
    Address(Field),
}

#[derive(Default)]
struct Parts(Vec<Part>);

impl Parts {
    fn push(&mut self, part: Part) -> Operand {
        self.0.push(part);
        Operand::Part(self.0.len() - 1)
    }

    /// A test, negated or not; a constant when its set says everything or nothing.
    fn leaf(&mut self, test: Test, inverted: bool) -> Operand {
        match test {
            Test::Number(number, set) => {
                let set = if inverted { Arc::new(set.complement()) } else { set };
                if !set.overlaps(0, largest(number)) {
                    Operand::Const(false)
                } else if set.covers(0, largest(number)) {
                    Operand::Const(true)
                } else {
                    self.push(Part::Test { test: Test::Number(number, set), negated: false })
                }
            }
            Test::Address(field, set) => {
                let set = if inverted { Arc::new(set.complement()) } else { set };
                if set.is_empty() {
                    Operand::Const(false)
                } else if set.v4().covers(0, u32::MAX) && set.v6().covers(0, u128::MAX) {
                    Operand::Const(true)
                } else {
                    self.push(Part::Test { test: Test::Address(field, set), negated: false })
                }
            }
            Test::Octets(..) | Test::Equal(..) | Test::InPortBlock(_) | Test::Ident(_) => {
                self.push(Part::Test { test, negated: inverted })
            }
        }
    }

    /// The conjunction or disjunction of `operands`.
    fn join(&mut self, conjunction: bool, operands: Vec<Operand>) -> Operand {
        let mut kept = Vec::new();
        let mut numbers: BTreeMap<Subject, Vec<usize>> = BTreeMap::new();
        for operand in operands {
            match operand {
                Operand::Const(value) if value == conjunction => {}
                Operand::Const(value) => return Operand::Const(value),
                Operand::Part(index) => match &self.0[index] {
                    Part::Test { test: Test::Number(number, _), .. } => {
                        numbers.entry(Subject::Number(*number)).or_default().push(index);
                    }
                    Part::Test { test: Test::Address(field, _), .. } => {
                        numbers.entry(Subject::Address(*field)).or_default().push(index);
                    }
                    _ => kept.push(index),
                },
            }
        }
        for (_, tests) in numbers {
            let operand = if let [single] = tests[..] {
                Operand::Part(single)
            } else {
                let merged = self.merge(conjunction, &tests);
                self.leaf(merged, false)
            };
            match operand {
                Operand::Const(value) if value == conjunction => {}
                Operand::Const(value) => return Operand::Const(value),
                Operand::Part(index) => kept.push(index),
            }
        }
        match kept[..] {
            [] => Operand::Const(conjunction),
            [single] => Operand::Part(single),
            _ if conjunction => self.push(Part::And(kept)),
            _ => self.push(Part::Or(kept)),
        }
    }

    /// One test for several of the same subject.
    fn merge(&self, conjunction: bool, tests: &[usize]) -> Test {
        let tests: Vec<&Test> = tests
            .iter()
            .filter_map(|&index| match &self.0[index] {
                Part::Test { test, .. } => Some(test),
                _ => None,
            })
            .collect();
        let numbers = tests.iter().filter_map(|test| match test {
            Test::Number(_, set) => Some(&**set),
            _ => None,
        });
        let addresses = tests.iter().filter_map(|test| match test {
            Test::Address(_, set) => Some(&**set),
            _ => None,
        });
        match tests[0] {
            Test::Number(number, _) if conjunction => {
                let outside: Vec<NumSet> = numbers.map(NumSet::complement).collect();
                Test::number(*number, NumSet::union(&outside).complement())
            }
            Test::Number(number, _) => Test::number(*number, NumSet::union(numbers)),
            Test::Address(field, _) if conjunction => {
                let outside: Vec<AddrSet> = addresses.map(AddrSet::complement).collect();
                Test::Address(*field, Arc::new(AddrSet::union(&outside).complement()))
            }
            Test::Address(field, _) => Test::Address(*field, Arc::new(AddrSet::union(addresses))),
            other => other.clone(),
        }
    }

    /// The parts that `root` is made of, renumbered; `root` comes last.
    fn reachable(self, root: usize) -> Vec<Part> {
        let mut wanted = vec![false; root + 1];
        wanted[root] = true;
        for index in (0..=root).rev() {
            if let (true, Part::And(operands) | Part::Or(operands)) = (wanted[index], &self.0[index]) {
                for &operand in operands {
                    wanted[operand] = true;
                }
            }
        }
        let mut number = vec![0; root + 1];
        let mut out = Vec::new();
        for (index, mut part) in self.0.into_iter().enumerate().take(root + 1) {
            if wanted[index] {
                if let Part::And(operands) | Part::Or(operands) = &mut part {
                    for operand in operands {
                        *operand = number[*operand];
                    }
                }
                number[index] = out.len();
                out.push(part);
            }
        }
        out
    }
}

/// The largest value a number can have.
fn largest(number: Number) -> u64 {
    match number {
        Number::Field(field) => match field_info(field).kind {
            Kind::U8 => u8::MAX.into(),
            Kind::U16 => u16::MAX.into(),
            Kind::U32 => u32::MAX.into(),
            _ => u64::MAX,
        },
        Number::Bits { width, .. } => (1 << width) - 1,
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ParseOptions;
    use crate::parse::parse;

    fn simple(text: &str) -> Simple {
        simplify(&parse(text, &ParseOptions::default()).unwrap())
    }

    fn same(one: &str, other: &str) {
        assert_eq!(simple(one), simple(other), "{one} / {other}");
    }

    #[test]
    fn sets_about_one_field_merge() {
        same("src port 1 or src port 2", "src port in [1 2]");
        same("src port 1 or (src port 3 or src port 2)", "src port in [1 2 3]");
        same("not (not src port 1 and not src port 2)", "src port in [1 2]");
        same("port 1 or port 2", "port in [1 2]");
        same("src port > 5 and src port < 7", "src port 6");
        same("src ip 10.0.0.0 or src net 10.0.0.0/8", "src net 10.0.0.0/8");
        same("not not src port 1", "src port 1");
        same("port not 53", "not port 53");
    }

    #[test]
    fn constants_fold() {
        same("any and src port 1", "src port 1");
        same("not any or src port 1", "src port 1");
        assert_eq!(simple("src port 1 or any"), Simple::Const(true));
        assert_eq!(simple("src port 1 and src port 2"), Simple::Const(false));
        assert_eq!(simple("src port 1 or not src port 1"), Simple::Const(true));
        assert_eq!(simple("src port >= 0"), Simple::Const(true));
        assert_eq!(simple("src port > 65535"), Simple::Const(false));
        assert_eq!(simple("src net 0.0.0.0/0 or src net ::/0"), Simple::Const(true));
        assert_eq!(simple("proto tcp and flags S and proto udp"), Simple::Const(false));
    }

    #[test]
    fn no_negation_is_left_but_of_tests_without_complement() {
        let Simple::Parts(parts) = simple("not (ident a and (src port 1 or not ident b))") else {
            unreachable!()
        };
        let negated: Vec<bool> = parts
            .iter()
            .filter_map(|part| match part {
                Part::Test { test: Test::Ident(_), negated } => Some(*negated),
                _ => None,
            })
            .collect();
        assert_eq!(negated, [true, false]);
        assert!(matches!(parts.last(), Some(Part::Or(_))));
    }
}
