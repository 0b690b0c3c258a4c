//! The words of the field: what a flow consists of, and how flows travel between crates.
//!
//! Three types carry everything else:
//!
//! * [`Field`] and its row in the catalogue, [`FieldInfo`]: every attribute of a flow, declared once with
//!   its unit, its information elements, its filter words and its columns in every output.
//! * [`FlowBatch`]: up to [`MAX_BATCH_ROWS`] flows as columns, built row by row with [`BatchBuilder`].
//! * [`Selection`]: which rows of a batch are meant.
//!
//! ```
//! use flow_model::{BatchBuilder, Field, Selection};
//!
//! let mut builder = BatchBuilder::new();
//! builder.set(Field::Proto, 6);
//! builder.set_ip(Field::SrcAddr, "192.0.2.1".parse().unwrap());
//! builder.finish_row();
//! let batch = builder.finish();
//! assert_eq!(batch.column(Field::Proto).num(0), 6);
//! assert_eq!(Selection::all(batch.len()).count(), 1);
//! ```
//!
//! This crate does no I/O, knows no protocol and no file layout, and reads no clock.
#![forbid(unsafe_code)]

mod batch;
mod builder;
mod catalogue;
mod column;
mod exporter;
mod facet;
mod field;
mod gazetteer;
mod group;
mod order;
mod own;
pub mod payload;
mod protocol;
mod remembered;
mod rows;
mod selection;
mod stats;

pub use batch::FlowBatch;
pub use builder::BatchBuilder;
pub use catalogue::{
    DERIVED, FieldInfo, aggregate_by_name, derived_info, field_info, fields, statistic_by_name, statistics,
    tag_by_name, tags,
};
pub use column::{BytesValues, Column, Dictionary, Value, ValueRef, Values};
pub use exporter::{ExportedInfo, ExporterInfo, LossLedger, MissingFlows, NameInfo, NameKind, SamplerInfo};
pub use facet::{
    Aggregate, Derived, DerivedInfo, Element, FilterKind, FilterWord, Kind, Side, Source, Statistic, Tag,
    TagStyle, Unit,
};
pub use field::{Field, FieldSet};
pub use gazetteer::{Gazetteer, country_letters, country_number};
pub use group::{Group, Groups, RecordFlags};
pub use order::{CounterSide, Counters, Order, bpp, bps, pps};
pub use own::{FlowSide, OwnNetworks};
pub use protocol::{Protocol, protocol_by_name, protocol_name};
pub use remembered::{LastDatagram, RememberedExporter, RememberedTemplate};
pub use rows::Rows;
pub use selection::{Before, Selection};
pub use stats::{BlockStats, CountRule, Membership, NoMembership, Prune, Range, Totals};

/// The most rows a batch, and so a block on disk, may have: a dictionary code then fits 16 bits.
pub const MAX_BATCH_ROWS: usize = 65_536;
