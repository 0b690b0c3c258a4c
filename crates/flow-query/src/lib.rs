//! The query engine: many files in, one answer out, the same for any number of threads.
//!
//! Three types carry it:
//!
//! * [`Query`]: which files, which time window, which filter, how many flows, how many threads.
//! * [`Sink`]: what becomes of the flows that match: [`Sort`], [`Aggregate`], [`Statistics`], these [in bins](Binned) of
//!   time, or one of your own.
//!   [`list`] and [`write()`] need no sink: they hand matching flows on in the order of the files.
//! * [`Report`]: what was seen on the way: totals, counters, damage.
//!
//! A scan goes block by block. Block statistics and membership filters may decide a block alone; otherwise the
//! columns of the filter are decoded, and the other columns only of blocks in which something matches. Each worker
//! collects into a partial of its own, and partials are merged at the end. Every row has a [`RowOrigin`], its
//! place in the input, which decides ties; so no answer depends on which worker saw what. A sink may want more than
//! one pass over the blocks, to find out first which groups are wanted. What grows with the input has so much
//! [`Memory`], and goes to temporary files beyond that.
//!
//! ```
//! use flow_filter::Filter;
//! use flow_model::{BatchBuilder, Field, Order};
//! use flow_query::{MemorySource, Query, Sort, run_on};
//!
//! let mut builder = BatchBuilder::new();
//! for bytes in [10, 30, 20] {
//!     builder.set(Field::InBytes, bytes);
//!     builder.finish_row();
//! }
//! let source = MemorySource::new(vec![builder.finish()]);
//! let sort = Sort { order: Order::Bytes, ascending: false, top: 2, columns: [Field::InBytes].into_iter().collect() };
//! let (mut rows, report) = run_on(&[source], &Query::new(Filter::all()), &sort).unwrap();
//! let batch = rows.next().unwrap().unwrap();
//! assert_eq!((0..2).map(|row| batch.column(Field::InBytes).num(row)).collect::<Vec<_>>(), [30, 20]);
//! assert_eq!((report.processed, report.totals.bytes), (3, 60));
//! ```
//!
//! This crate prints nothing, parses nothing and does not know what time it is. Only its module `scan` knows about threads.
#![forbid(unsafe_code)]

mod arrange;
mod bins;
mod computed;
mod counts;
mod fetch;
mod group;
mod listing;
mod own;
mod probe;
mod query;
mod scan;
mod sink;
mod sort;
mod source;
mod spill;
mod statistic;
mod topn;
mod totals;
mod write;

pub use bins::{
    Alignment, BinTable, Binned, Grid, GridError, Percentile, PercentileError, Placement, Timeline,
};
pub use computed::{Knowledge, compute};
pub use group::{Aggregate, Bound, Bounds, Direction, KeyPart, Ranking};
pub use listing::Listing;
pub use query::{Progress, Query, QueryError, Report, TimeWindow};
pub use scan::{Scanned, list, list_on, run, run_on};
pub use sink::{Overview, Planned, Probe, RowOrigin, Sink};
pub use sort::Sort;
pub use source::{MemorySource, OpenBlock, Source};
pub use spill::Memory;
pub use statistic::{StatSpec, StatTable, Statistics};
pub use write::{write, write_on};
