//! What an expression means, row by row. Fuzzing uses it too.

use flow_filter::EvalContext;
use flow_filter::ast::{Expr, Node, Number, Octets, Test};
use flow_model::{Field, FlowBatch};
use std::net::IpAddr;

/// Whether `row` matches: every node of the expression is decided, one after the other.
pub(crate) fn matches(expr: &Expr, batch: &FlowBatch, row: usize, context: &EvalContext<'_>) -> bool {
    let mut decided: Vec<bool> = Vec::new();
    for node in expr.nodes() {
        decided.push(match node {
            Node::Const(value) => *value,
            Node::Test(test) => test_matches(test, batch, row, context),
            Node::Not(operand) => !decided[*operand],
            Node::And(operands) => operands.iter().all(|&operand| decided[operand]),
            Node::Or(operands) => operands.iter().any(|&operand| decided[operand]),
        });
    }
    decided[expr.root()]
}

fn test_matches(test: &Test, batch: &FlowBatch, row: usize, context: &EvalContext<'_>) -> bool {
    let num = |field: Field| batch.column(field).num(row);
    match test {
        Test::Number(number, set) => {
            let duration = num(Field::LastMs).saturating_sub(num(Field::FirstMs));
            let value = match *number {
                Number::Field(field) => num(field),
                Number::Bits { field, shift, width } => num(field) >> shift & ((1 << width) - 1),
                Number::DurationMs => duration,
                Number::Pps => flow_model::pps(num(Field::InPackets), duration),
                Number::Bps => flow_model::bps(num(Field::InBytes), duration),
                Number::Bpp => flow_model::bpp(num(Field::InBytes), num(Field::InPackets)),
                Number::Count => context.first_row + row as u64 + 1,
            };
            set.as_slice().iter().any(|&(low, high)| low <= value && value <= high)
        }
        Test::Address(field, set) => match batch.column(*field).ip(row) {
            IpAddr::V4(addr) => {
                set.v4().as_slice().iter().any(|&(low, high)| low <= addr.into() && u32::from(addr) <= high)
            }
            IpAddr::V6(addr) => {
                set.v6().as_slice().iter().any(|&(low, high)| low <= addr.into() && u128::from(addr) <= high)
            }
        },
        Test::Octets(field, Octets::Equal(pattern)) => *batch.column(*field).bytes(row) == **pattern,
        Test::Octets(field, Octets::Contain(pattern)) => {
            let value = batch.column(*field).bytes(row);
            (0..=value.len()).any(|start| value[start..].starts_with(pattern))
        }
        Test::Octets(field, Octets::Payload(payload)) => payload.holds(batch.column(*field).bytes(row)),
        Test::Equal(one, other) => num(*one) == num(*other),
        Test::InPortBlock(field) => (num(Field::PblockStart)..=num(Field::PblockEnd)).contains(&num(*field)),
        Test::Ident(ident) => **ident == *context.ident,
    }
}
