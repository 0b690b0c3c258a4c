//! Copy plans: what a template means, worked out once when the template comes.
//!
//! A set has many records of one shape and a batch has columns, so a plan runs step by step over all records
//! of a set, not record by record over all steps: each step is one loop over one column.

use crate::options::Elsewhere;
use crate::records::{Buffers, Records, Slot};
use crate::sampling::Rate;
use crate::shape::Shape;
use crate::stamps::{Clocks, Stamps};
use crate::step::Step;
use crate::transport::Transport;
use flow_model::{Field, FieldSet, Groups, Rows};

/// How to turn the records of a template into rows.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) shape: Shape,
    pub(crate) steps: Box<[Step]>,
    pub(crate) stamps: Stamps,
    pub(crate) transport: Transport,
    /// Fields that rows get.
    pub(crate) fields: FieldSet,
    /// Groups that rows get, addresses of either family aside.
    pub(crate) groups: Groups,
    /// The sampler that each record names (48, 302).
    pub(crate) sampler: Option<Slot>,
    /// The sampling interval in each record (34).
    pub(crate) interval: Option<Slot>,
    /// The interfaces by which each record came and went (10, 14).
    pub(crate) interfaces: [Option<Slot>; 2],
    /// Octets of a row.
    pub(crate) row_len: usize,
    /// Structured data: the element and where it stands.
    pub(crate) lists: Box<[(u16, Slot)]>,
}

/// What a plan needs to know besides the records.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) clocks: Clocks,
    pub(crate) domain: u32,
    pub(crate) value_len: usize,
    pub(crate) rates: Rates<'a>,
}

/// The sampling rates of a set.
#[derive(Clone, Copy)]
pub(crate) enum Rates<'a> {
    /// Every record has this one.
    All(Rate),
    /// One per record.
    Each(&'a [Rate]),
}

impl Rates<'_> {
    #[inline]
    pub(crate) fn of(&self, record: usize) -> Rate {
        match self {
            Rates::All(rate) => *rate,
            Rates::Each(rates) => rates.get(record).copied().unwrap_or(Rate::ALL),
        }
    }
}

/// Buffers that decoding uses again and again.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) buffers: Buffers,
    pub(crate) rates: Vec<Rate>,
    /// One per level of structured data.
    pub(crate) nested: Vec<Buffers>,
    /// What the datagram says of other observation domains.
    pub(crate) elsewhere: Vec<Elsewhere>,
}

impl Plan {
    /// Whether rows get nothing from its records.
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty() && self.lists.is_empty()
    }

    /// The most rows that records of `octets` octets can become.
    pub(crate) fn most_rows(&self, octets: usize) -> usize {
        if self.is_empty() { 0 } else { octets / self.shape.min_len }
    }

    /// Octets it occupies beyond itself.
    pub(crate) fn memory(&self) -> usize {
        self.shape.memory() + size_of_val(&*self.steps) + size_of_val(&*self.lists)
    }

    /// Writes `records` into the window of `rows`, except the fields in `skip`; says which fields were
    /// written. Groups that all rows have alike are not added.
    pub(crate) fn run(
        &self,
        records: &Records<'_>,
        context: &Context<'_>,
        rows: &mut Rows<'_>,
        skip: FieldSet,
    ) -> FieldSet {
        for step in &self.steps {
            if skip.is_empty() || !skip.contains(step.field()) {
                step.run(records, context, rows);
            }
        }
        if self.fields.contains(Field::FirstMs) && !skip.contains(Field::FirstMs) {
            self.stamps.run(records, &context.clocks, rows, self.fields.contains(Field::EventTimeMs));
        }
        self.transport.run(records, rows, skip);
        self.fields
    }
}
