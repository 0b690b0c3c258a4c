//! What a filter does, in words: `-X`.

use crate::ast::{Expr, Node, Number, Octets, Test};
use crate::filter::{Body, Filter};
use crate::plan::ordering;
use crate::prune::MAX_LOOKUPS;
use crate::ranges::{AddrSet, NumSet};
use crate::simplify::Part;
use flow_model::{Field, field_info, protocol_name};
use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a filter does, readable: see [`Filter::explain`].
#[derive(Debug)]
pub struct Explanation<'f>(pub(crate) &'f Filter);

/// As many pieces of a set are shown; lists can have a million.
const MAX_PIECES: usize = 8;

/// Deeper parts are not indented further: filters can be nested a hundred thousand levels deep.
const MAX_INDENT: usize = 32;

impl Display for Explanation<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Explanation(filter) = self;
        writeln!(f, "Expression")?;
        expression(filter.expr(), f)?;
        match filter.body() {
            Body::Const(true) => return writeln!(f, "Plan\n  every flow matches"),
            Body::Const(false) => return writeln!(f, "Plan\n  no flow matches"),
            Body::Plan { parts, .. } => plan(parts, f)?,
        }
        let names: Vec<&str> = filter.columns().iter().map(|field| field_info(field).name).collect();
        writeln!(f, "Columns\n  {}", if names.is_empty() { "none".to_string() } else { names.join(", ") })
    }
}

/// One line of a tree: how deep it stands, and what.
fn line(f: &mut Formatter<'_>, depth: usize, text: impl Display) -> fmt::Result {
    writeln!(f, "{:width$}{text}", "", width = 2 * depth.min(MAX_INDENT))
}

/// The expression as it was read.
fn expression(expr: &Expr, f: &mut Formatter<'_>) -> fmt::Result {
    let mut open = vec![(expr.root(), 1)];
    while let Some((node, depth)) = open.pop() {
        let mut below = |operands: &[usize]| {
            open.extend(operands.iter().rev().map(|&operand| (operand, depth + 1)));
        };
        let label = expr.label_of(node).map_or(String::new(), |at| format!(" %{}", expr.labels()[at].1));
        match &expr.nodes()[node] {
            Node::Const(true) => line(f, depth, format_args!("any{label}"))?,
            Node::Const(false) => line(f, depth, format_args!("nothing{label}"))?,
            Node::Test(test) => line(f, depth, format_args!("{}{label}", Shown(test)))?,
            Node::Not(operand) => {
                below(&[*operand]);
                line(f, depth, format_args!("not{label}"))?;
            }
            Node::And(operands) => {
                below(operands);
                line(f, depth, format_args!("and{label}"))?;
            }
            Node::Or(operands) => {
                below(operands);
                line(f, depth, format_args!("or{label}"))?;
            }
        }
    }
    Ok(())
}

/// The simplified expression in the order of execution, and what rules out a block without reading it.
fn plan(parts: &[Part], f: &mut Formatter<'_>) -> fmt::Result {
    writeln!(f, "Plan, each step on the flows that the steps before it left")?;
    let ordered = ordering(parts);
    let root = parts.len() - 1;
    let conjuncts = match &parts[root] {
        Part::And(_) => ordered[root].clone(),
        _ => vec![root],
    };
    for (step, conjunct) in (1..).zip(conjuncts) {
        line(f, 1, format_args!("step {step}"))?;
        let mut open = vec![(conjunct, 2)];
        while let Some((part, depth)) = open.pop() {
            match &parts[part] {
                Part::Test { test, negated } => {
                    let not = if *negated { "not " } else { "" };
                    line(f, depth, format_args!("{not}{}  [{}]", Shown(test), pruning(test)))?;
                }
                joined => {
                    line(f, depth, if matches!(joined, Part::And(_)) { "and" } else { "or" })?;
                    open.extend(ordered[part].iter().rev().map(|&operand| (operand, depth + 1)));
                }
            }
        }
    }
    Ok(())
}

/// What decides a test for a whole block.
fn pruning(test: &Test) -> &'static str {
    match test {
        Test::Number(Number::Count, _) | Test::Octets(..) => "skips no block",
        Test::Ident(_) => "skips files",
        Test::Address(_, set) if set.members(MAX_LOOKUPS).is_some() => {
            "skips blocks by their range and their address filters"
        }
        Test::Address(..) | Test::Number(..) | Test::Equal(..) | Test::InPortBlock(_) => {
            "skips blocks by their range"
        }
    }
}

/// A test in words.
struct Shown<'t>(&'t Test);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = |field: &Field| field_info(*field).name;
        match self.0 {
            Test::Number(number, set) => {
                match number {
                    Number::Field(field) => f.write_str(name(field))?,
                    Number::Bits { field, shift, width } => {
                        write!(f, "{} bits {shift}..{}", name(field), shift + width - 1)?;
                    }
                    Number::DurationMs => f.write_str("duration_ms")?,
                    Number::Pps => f.write_str("pps")?,
                    Number::Bps => f.write_str("bps")?,
                    Number::Bpp => f.write_str("bpp")?,
                    Number::Count => f.write_str("count")?,
                }
                f.write_str(" ")?;
                numbers(set, f)?;
                match (number, set.as_slice()) {
                    (Number::Field(Field::Proto | Field::TunnelProto), [(low, high)]) if low == high => {
                        let known = u8::try_from(*low).ok().and_then(protocol_name);
                        known.map_or(Ok(()), |known| write!(f, " ({})", known.trim()))
                    }
                    _ => Ok(()),
                }
            }
            Test::Address(field, set) => {
                f.write_str(name(field))?;
                f.write_str(" ")?;
                addresses(set, f)
            }
            Test::Octets(field, Octets::Equal(octets)) => {
                write!(f, "{} = \"{}\"", name(field), octets.escape_ascii())
            }
            Test::Octets(field, Octets::Contain(octets)) => {
                write!(f, "{} contains \"{}\"", name(field), octets.escape_ascii())
            }
            Test::Octets(field, Octets::Payload(payload)) => write!(f, "{} {payload}", name(field)),
            Test::Equal(one, other) => write!(f, "{} = {}", name(one), name(other)),
            Test::InPortBlock(field) => write!(f, "pblock_start <= {} <= pblock_end", name(field)),
            Test::Ident(ident) => write!(f, "ident = {ident}"),
        }
    }
}

fn numbers(set: &NumSet, f: &mut Formatter<'_>) -> fmt::Result {
    match set.as_slice() {
        [(low, high)] if low == high => write!(f, "= {low}"),
        [(0, u64::MAX)] => f.write_str("is any"),
        [(low, u64::MAX)] => write!(f, ">= {low}"),
        [(0, high)] => write!(f, "<= {high}"),
        ranges => {
            let pieces = ranges.iter().map(|&(low, high)| match (low, high) {
                _ if low == high => low.to_string(),
                (_, u64::MAX) => format!(">= {low}"),
                _ => format!("{low}-{high}"),
            });
            several(pieces, ranges.len(), f)
        }
    }
}

fn addresses(set: &AddrSet, f: &mut Formatter<'_>) -> fmt::Result {
    let (v4, v6) = (set.v4().as_slice(), set.v6().as_slice());
    let v4_piece = |&(low, high): &(u32, u32)| {
        let (first, last) = (Ipv4Addr::from(low), Ipv4Addr::from(high));
        piece(
            first.into(),
            last.into(),
            (low ^ high).count_ones(),
            low.trailing_zeros(),
            high.trailing_ones(),
            32,
        )
    };
    let v6_piece = |&(low, high): &(u128, u128)| {
        let (first, last) = (Ipv6Addr::from(low), Ipv6Addr::from(high));
        piece(
            first.into(),
            last.into(),
            (low ^ high).count_ones(),
            low.trailing_zeros(),
            high.trailing_ones(),
            128,
        )
    };
    let pieces = v4.iter().map(v4_piece).chain(v6.iter().map(v6_piece));
    several(pieces, v4.len() + v6.len(), f)
}

/// Two ends of a range of addresses as an address, a network or both ends. `free` bits differ between them.
fn piece(first: IpAddr, last: IpAddr, free: u32, zeros: u32, ones: u32, bits: u32) -> String {
    if free == 0 {
        first.to_string()
    } else if zeros >= free && ones >= free {
        format!("{first}/{}", bits - free)
    } else {
        format!("{first}-{last}")
    }
}

fn several(pieces: impl Iterator<Item = String>, count: usize, f: &mut Formatter<'_>) -> fmt::Result {
    if count == 0 {
        return f.write_str("in nothing");
    }
    let shown: Vec<String> = pieces.take(MAX_PIECES).collect();
    write!(f, "{} {}", if count == 1 { "=" } else { "in" }, shown.join(", "))?;
    match count - shown.len() {
        0 => Ok(()),
        more => write!(f, " and {more} more"),
    }
}
