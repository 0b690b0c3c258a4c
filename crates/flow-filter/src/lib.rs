//! The filter language: text to typed expression to predicates over columns.
//!
//! * [`Filter`] is what a query uses: which [columns](Filter::columns) it needs, what it knows about a block from
//!   [statistics](Filter::prune), and [which rows](Filter::eval) of a batch match.
//! * [`ast::Expr`] is what the text means: decisions about fields, joined by and, or, not.
//! * [`FilterError`] says why a text is refused, in nfdump's words and in ours.
//!
//! ```
//! use flow_filter::{EvalContext, Filter, ParseOptions};
//! use flow_model::{BatchBuilder, Field, Selection};
//!
//! let filter = Filter::parse("proto tcp and dst port in [80 443]", &ParseOptions::default())?;
//! assert!(filter.columns().contains(Field::DstPort));
//!
//! let mut builder = BatchBuilder::new();
//! for port in [22, 443] {
//!     builder.set(Field::Proto, 6);
//!     builder.set(Field::DstPort, port);
//!     builder.finish_row();
//! }
//! let batch = builder.finish();
//! let mut selection = Selection::all(batch.len());
//! filter.eval(&batch, &EvalContext { ident: "none", first_row: 0 }, &mut selection);
//! assert_eq!(selection.to_rows(), [1]);
//! # Ok::<(), flow_filter::FilterError>(())
//! ```
//!
//! The language is nfdump 1.7.1's: what that accepts and refuses, with its messages and exit codes, and its
//! meaning of a missing field (0) and of `not flags X` (none of X). The words come from the catalogue of
//! `flow-model`: a field's row says how it is filtered. Beyond nfdump 1.7.1 it takes
//!
//! * what later releases added: networks after commas, comparators after `icmp-type` and `icmp-code`, `icmp type`,
//!   the flags C and E, `exporter ip`, `exporter id`, `nat ip`, `nat port`, `bgp next ip`, a quoted ident, and
//!   `first seen`, `last seen`, `received` with a time;
//! * `payload dns`, `payload tls`, `payload ja4`, and `in` or `out` before `payload`;
//! * `ip`, `host`, `net`, `port`, `proto`, `as` and `if` with `not` before the value;
//! * AS numbers without a geo location database, carriage returns, and texts without any word, which match all.
//!
//! This crate does no I/O: host names, include files and the local time zone are functions in [`ParseOptions`].
#![forbid(unsafe_code)]

mod address;
pub mod ast;
mod bits;
mod derived;
mod error;
mod eval;
mod explain;
mod filter;
mod kernel;
mod label;
mod lex;
mod list;
mod options;
mod parse;
mod payload;
mod plan;
mod primitive;
mod prune;
mod ranges;
mod simplify;
mod time;
mod value;
mod vocabulary;

pub use error::{FilterError, FilterErrorKind};
pub use eval::EvalContext;
pub use explain::Explanation;
pub use filter::Filter;
pub use label::Labels;
pub use options::{ParseOptions, Read, Resolve};
pub use payload::{Dns, Pattern, Payload, Tls};
pub use prune::FileContext;
pub use ranges::{AddrSet, NumSet, Ordinal, Ranges};
pub use time::LocalMs;
