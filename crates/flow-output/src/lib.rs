//! Everything that `rdump` prints: batches of flows in, octets out, byte for byte as nfdump 1.7.1 prints
//! them.
//!
//! * [`Format`]: what `-o` names, parsed. [`Release`]: whose columns and lines are printed, 1.7's or 1.6's.
//! * [`RecordPrinter`]: records in a format.
//! * [`StatisticPrinter`]: the tables of `-s`. [`Summary`] is what stands below; [`info`] is what `-I` reports, and
//!   [`exporters`] and its neighbours are what the other questions about files do.
//!
//! ```
//! use flow_model::{BatchBuilder, Before, Field, Selection};
//! use flow_output::{Format, OutputOptions, RecordPrinter, Zone};
//!
//! let mut builder = BatchBuilder::new();
//! builder.set(Field::FirstMs, 1_700_000_000_123);
//! builder.set_ip(Field::SrcAddr, "192.0.2.1".parse().unwrap());
//! builder.finish_row();
//! let batch = builder.finish();
//!
//! let options = OutputOptions { zone: Zone::utc(), ..OutputOptions::default() };
//! let printer = RecordPrinter::new(Format::parse("fmt:%ts %sa").unwrap(), options);
//! let mut out = Vec::new();
//! printer.header(&mut out);
//! printer.rows(&batch, &Selection::all(1), Before::default(), &mut out);
//! let expected = "Date first seen              Src IP Addr\n2023-11-14 22:13:20.123        192.0.2.1\n";
//! assert_eq!(String::from_utf8(out).unwrap(), expected);
//! ```
//!
//! Nothing here writes anywhere or reads a clock: texts are appended to a `Vec<u8>`, and the zone of times is
//! an argument. Where nfdump's output is a defect, the rulings in `docs/compat.md` (D-nn) say what is printed
//! instead.
#![forbid(unsafe_code)]

mod addr;
mod cell;
mod csv;
mod fmt;
mod format;
mod json;
mod layout;
mod maintenance;
mod name_table;
mod names;
mod options;
mod payload;
mod pipe;
mod pmacct;
mod printer;
mod raw;
mod release;
mod series;
mod statistic;
mod summary;
mod text;
mod zone;

pub use format::{Format, FormatError, Formats};
pub use maintenance::{
    ExtensionMap, check_heading, check_progress, check_totals, exporters, extension_maps, gnuplot_heading,
    gnuplot_row,
};
pub use name_table::NameTable;
pub use options::OutputOptions;
pub use printer::RecordPrinter;
pub use release::Release;
pub use series::{Rates, Series, SeriesPrinter, SeriesTable};
pub use statistic::{StatisticPrinter, StatisticTable};
pub use summary::{Summary, Timings, info};
pub use zone::Zone;
