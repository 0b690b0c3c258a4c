//! The typed expression a filter means.

use crate::payload::Payload;
use crate::ranges::{AddrSet, NumSet};
use flow_model::{Field, FieldSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A number of a flow that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Number {
    /// A field.
    Field(Field),
    /// `width` bits of a field, from bit `shift` on.
    Bits {
        /// The field.
        field: Field,
        /// The lowest bit.
        shift: u8,
        /// How many bits, 1 to 63.
        width: u8,
    },
    /// Last minus first, ms; 0 when negative.
    DurationMs,
    /// Packets in per second, a whole number; 0 without duration.
    Pps,
    /// Bits in per second, a whole number; 0 without duration.
    Bps,
    /// Bytes in per packet in, a whole number; 0 without packets.
    Bpp,
    /// Position of the flow in the input, from 1.
    Count,
}

impl Number {
    /// The fields it is computed from.
    pub fn fields(self) -> FieldSet {
        match self {
            Number::Field(field) | Number::Bits { field, .. } => FieldSet::of(&[field]),
            Number::DurationMs => FieldSet::of(&[Field::FirstMs, Field::LastMs]),
            Number::Pps => FieldSet::of(&[Field::InPackets, Field::FirstMs, Field::LastMs]),
            Number::Bps => FieldSet::of(&[Field::InBytes, Field::FirstMs, Field::LastMs]),
            Number::Bpp => FieldSet::of(&[Field::InBytes, Field::InPackets]),
            Number::Count => FieldSet::EMPTY,
        }
    }
}

/// How octets are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Octets {
    /// They are exactly these.
    Equal(Box<[u8]>),
    /// They contain these.
    Contain(Box<[u8]>),
    /// They are a payload of a kind.
    Payload(Payload),
}

/// One decision about a flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// A number is in a set.
    Number(Number, Arc<NumSet>),
    /// An address is in a set.
    Address(Field, Arc<AddrSet>),
    /// Octets are equal to a pattern or contain it.
    Octets(Field, Octets),
    /// Two fields hold the same number.
    Equal(Field, Field),
    /// A port lies in the NAT port block of the record.
    InPortBlock(Field),
    /// The file's ident.
    Ident(Box<str>),
}

impl Test {
    /// A number that is in a set.
    pub fn number(number: Number, set: NumSet) -> Test {
        Test::Number(number, Arc::new(set))
    }

    /// Whether it asks for the number of the flow in the input.
    pub(crate) fn counts_flows(&self) -> bool {
        matches!(self, Test::Number(Number::Count, _))
    }

    /// The fields it looks at.
    pub fn fields(&self) -> FieldSet {
        match self {
            Test::Number(number, _) => number.fields(),
            Test::Address(field, _) | Test::Octets(field, _) => FieldSet::of(&[*field]),
            Test::Equal(one, other) => FieldSet::of(&[*one, *other]),
            Test::InPortBlock(field) => FieldSet::of(&[*field, Field::PblockStart, Field::PblockEnd]),
            Test::Ident(_) => FieldSet::EMPTY,
        }
    }
}

/// A part of an expression; operands are named by their index in [`Expr::nodes`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// Every flow, or none.
    Const(bool),
    /// A decision.
    Test(Test),
    /// Flows for which the operand does not hold.
    Not(usize),
    /// Flows for which every operand holds.
    And(Vec<usize>),
    /// Flows for which any operand holds.
    Or(Vec<usize>),
}

/// An expression: nodes in one vector, operands before the node that uses them, so that no depth of nesting
/// makes anything recursive. Each node but the last is the operand of exactly one other; the last is the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expr {
    nodes: Vec<Node>,
    /// Nodes and the labels of flows that match because of them.
    labels: Vec<(usize, Box<str>)>,
}

impl Expr {
    /// Every flow, or none.
    pub fn constant(value: bool) -> Expr {
        Expr { nodes: vec![Node::Const(value)], labels: Vec::new() }
    }

    /// The nodes, operands first; never empty.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The index of the node that stands for the whole.
    pub fn root(&self) -> usize {
        self.nodes.len() - 1
    }

    /// Labelled nodes, ascending, each once.
    pub fn labels(&self) -> &[(usize, Box<str>)] {
        &self.labels
    }

    /// Which of the labels a node has.
    pub(crate) fn label_of(&self, node: usize) -> Option<usize> {
        self.labels.binary_search_by_key(&node, |&(labelled, _)| labelled).ok()
    }

    /// A node and what it is made of, without labels. It is built from its leaves up, so that all of it stands
    /// together before the node.
    pub(crate) fn part(&self, node: usize) -> Expr {
        let operands = |node: &Node| match node {
            Node::Const(_) | Node::Test(_) => 0,
            Node::Not(_) => 1,
            Node::And(operands) | Node::Or(operands) => operands.len(),
        };
        let (mut first, mut missing) = (node, operands(&self.nodes[node]));
        while missing > 0 {
            first -= 1;
            missing = missing - 1 + operands(&self.nodes[first]);
        }
        let moved = |operand: &usize| operand - first;
        let nodes = self.nodes[first..=node].iter().map(|node| match node {
            Node::Const(value) => Node::Const(*value),
            Node::Test(test) => Node::Test(test.clone()),
            Node::Not(operand) => Node::Not(moved(operand)),
            Node::And(operands) => Node::And(operands.iter().map(moved).collect()),
            Node::Or(operands) => Node::Or(operands.iter().map(moved).collect()),
        });
        Expr { nodes: nodes.collect(), labels: Vec::new() }
    }
}

/// Builds an expression from its leaves up.
#[derive(Debug, Default)]
pub struct ExprBuilder {
    nodes: Vec<Node>,
    labels: BTreeMap<usize, Box<str>>,
}

impl ExprBuilder {
    /// Adds a constant.
    pub fn constant(&mut self, value: bool) -> usize {
        self.push(Node::Const(value))
    }

    /// Adds a decision.
    pub fn test(&mut self, test: Test) -> usize {
        self.push(Node::Test(test))
    }

    /// Adds a negation.
    pub fn not(&mut self, operand: usize) -> usize {
        self.push(Node::Not(operand))
    }

    /// Adds a conjunction; a single operand stands for itself.
    pub fn and(&mut self, operands: Vec<usize>) -> usize {
        match operands[..] {
            [] => self.constant(true),
            [single] => single,
            _ => self.push(Node::And(operands)),
        }
    }

    /// Adds a disjunction; a single operand stands for itself.
    pub fn or(&mut self, operands: Vec<usize>) -> usize {
        match operands[..] {
            [] => self.constant(false),
            [single] => single,
            _ => self.push(Node::Or(operands)),
        }
    }

    /// Labels the flows that match because of `node`, in place of a label it has.
    pub(crate) fn label(&mut self, node: usize, name: &str) {
        self.labels.insert(node, name.into());
    }

    /// The expression whose whole is `root`, the node added last.
    ///
    /// # Panics
    /// In debug builds, when it is not the last.
    pub fn finish(self, root: usize) -> Expr {
        debug_assert_eq!(root + 1, self.nodes.len(), "the whole is added last");
        Expr { nodes: self.nodes, labels: self.labels.into_iter().collect() }
    }

    fn push(&mut self, node: Node) -> usize {
        self.nodes.push(node);
        self.nodes.len() - 1
    }
}
