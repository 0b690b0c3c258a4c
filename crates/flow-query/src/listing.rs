//! Rows of an answer in their order.

use crate::QueryError;
use flow_model::{FieldSet, FlowBatch, Kind, field_info};
use std::fmt;

/// The rows of an answer in order, as batches of at most [`MAX_BATCH_ROWS`](flow_model::MAX_BATCH_ROWS): made as they are
/// asked for where they are too many for the memory of the query.
pub struct Listing {
    rows: u64,
    batches: Box<dyn Iterator<Item = Result<FlowBatch, QueryError>> + Send>,
}

impl Listing {
    /// Batches that are there.
    pub(crate) fn ready(batches: Vec<FlowBatch>) -> Listing {
        let rows = batches.iter().map(|batch| batch.len() as u64).sum();
        Listing { rows, batches: Box::new(batches.into_iter().map(Ok)) }
    }

    /// Batches of so many rows in all, which `next` makes until there are none.
    pub(crate) fn made(
        rows: u64,
        next: impl FnMut() -> Option<Result<FlowBatch, QueryError>> + Send + 'static,
    ) -> Listing {
        Listing { rows, batches: Box::new(std::iter::from_fn(next)) }
    }

    /// How many rows there are.
    pub fn len(&self) -> u64 {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }
}

impl Iterator for Listing {
    type Item = Result<FlowBatch, QueryError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }
}

impl fmt::Debug for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listing").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// About how many octets a row of these fields takes in a batch.
pub(crate) fn row_octets(fields: FieldSet) -> u64 {
    let octets = fields.iter().map(|field| match field_info(field).kind {
        Kind::U8 => 1,
        Kind::U16 => 2,
        Kind::U32 => 4,
        Kind::U64 => 8,
        Kind::Ip => 17,
        Kind::Bytes => 32,
    });
    octets.sum()
}
