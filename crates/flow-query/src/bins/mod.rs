//! Time bins: what the flows of each group add up to in each of many spans of time, in one answer.
//!
//! [`Grid`] says where bins begin, in the calendar of a zone; a [`Timeline`] is what comes of it. The [`Binned`] sink lets
//! the sinks without bins find the groups that are shown, and then goes over the flows once more: [`slots`] says which
//! group a flow belongs to, [`cells`] adds it up, and [`share`] divides what crosses from one bin to the next.

mod cells;
mod grid;
mod percentile;
mod share;
mod sink;
mod slots;
mod timeline;

pub use grid::{Alignment, Grid, GridError};
pub use percentile::{Percentile, PercentileError};
pub use sink::{BinTable, Binned};
pub use timeline::{Placement, Timeline};
