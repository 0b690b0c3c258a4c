//! Grouping flows: hash tables of group numbers, packed keys, aggregation.

mod aggregate;
mod key;
mod table;

pub use aggregate::{Aggregate, Ranking};
pub use key::KeyPart;
pub(crate) use table::{Partitions, merge_partitions};
