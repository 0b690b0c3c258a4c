//! Printing records in a format.

use crate::cell::Context;
use crate::format::FormatKind;
use crate::json::{self, Style};
use crate::layout::Layout;
use crate::name_table::NameTable;
use crate::release::Nothing;
use crate::zone::TimeWriter;
use crate::{Format, OutputOptions, csv, fmt, pipe, pmacct, raw};
use flow_model::{Before, FieldSet, FlowBatch, Order, Selection};
use std::sync::Arc;

/// Prints records in one format.
///
/// Everything is decided when the printer is made: rows cost no lookup. Blocks can be formatted on any number
/// of threads and their texts joined in order.
#[derive(Clone, Debug)]
pub struct RecordPrinter {
    format: Format,
    options: OutputOptions,
    layout: Layout,
    names: Arc<NameTable>,
    numbered: bool,
    own: FieldSet,
}

impl RecordPrinter {
    /// A printer for `format`.
    pub fn new(format: Format, options: OutputOptions) -> RecordPrinter {
        let layout = match &format.kind {
            FormatKind::Text(pieces) => {
                let look = fmt::Look::columns(&options, options.long_ipv6 || format.long_ipv6);
                let mut layout = fmt::layout(pieces, &look);
                layout.literal("\n");
                layout
            }
            FormatKind::Csv => csv::classic(),
            FormatKind::CsvFast => csv::fast(),
            FormatKind::CsvColumns(pieces) => csv::columns(pieces),
            FormatKind::Pipe => pipe::record(),
            FormatKind::Pmacct(key) => pmacct::layout(key),
            FormatKind::Json | FormatKind::NdJson | FormatKind::Raw | FormatKind::Null => Layout::default(),
        };
        RecordPrinter { format, options, layout, names: Arc::default(), numbered: true, own: FieldSet::EMPTY }
    }

    /// A printer of records that do not stand as they were read (sorted, aggregated): their number is 0, as
    /// nfdump has it.
    #[must_use]
    pub fn unnumbered(self) -> RecordPrinter {
        RecordPrinter { numbered: false, ..self }
    }

    /// A printer of records in whose json these of the [computed fields](FieldSet::OWN) about one's own networks have keys.
    #[must_use]
    pub fn with_own(self, fields: FieldSet) -> RecordPrinter {
        RecordPrinter { own: fields.intersect(FieldSet::OWN), ..self }
    }

    /// Whether it prints what exporters call something, and so can use [names](Self::with_names).
    pub fn shows_names(&self) -> bool {
        self.format.kind == FormatKind::Raw || self.layout.shows_names()
    }

    /// A printer that knows the names of what the flows have numbers for.
    #[must_use]
    pub fn with_names(self, names: NameTable) -> RecordPrinter {
        RecordPrinter { names: Arc::new(names), ..self }
    }

    /// Whether rows show their number, for which everything in front of them must be counted.
    pub fn shows_numbers(&self) -> bool {
        self.numbered && (self.format.kind == FormatKind::Raw || self.layout.depends_on_position())
    }

    /// The fields that rows are printed from.
    pub fn fields(&self) -> FieldSet {
        match self.format.kind {
            FormatKind::Json => json::fields(Style::Lines(self.options.release.json), self.own),
            FormatKind::NdJson => json::fields(Style::Compact, self.own),
            FormatKind::Raw => raw::fields(),
            _ => self.layout.fields(),
        }
    }

    /// Appends what stands above the rows.
    pub fn header(&self, out: &mut Vec<u8>) {
        match &self.format.kind {
            // Without its brackets a document is none, so they are no header in the sense of -q (D-19).
            FormatKind::Json => out.extend_from_slice(b"[\n"),
            _ if self.options.quiet => {}
            FormatKind::Text(pieces) => {
                fmt::header(
                    pieces,
                    self.options.long_ipv6 || self.format.long_ipv6,
                    self.options.release,
                    out,
                );
                out.push(b'\n');
            }
            FormatKind::Csv => header_line(csv::HEADER, out),
            FormatKind::CsvFast => header_line(csv::FAST_HEADER, out),
            FormatKind::CsvColumns(pieces) => {
                csv::columns_header(pieces, out);
                out.push(b'\n');
            }
            FormatKind::Pmacct(key) => pmacct::header(key, out),
            FormatKind::NdJson | FormatKind::Pipe | FormatKind::Raw | FormatKind::Null => {}
        }
    }

    /// Appends the heading of a record statistic: `Top 10 flows ordered by bytes:`; `top` 0 stands for all
    /// rows.
    pub fn heading(&self, order: Order, top: usize, out: &mut Vec<u8>) {
        if !self.options.quiet && self.format.says_no_match() {
            heading(out, "flows", order, top);
        }
    }

    /// Appends the selected rows of `batch`, which must have [the fields](Self::fields) decoded.
    /// Records are numbered as they stand in the input, those that are not selected included.
    pub fn rows(&self, batch: &FlowBatch, selection: &Selection, before: Before, out: &mut Vec<u8>) {
        let zone = &self.options.zone;
        let mut context =
            Context { time: TimeWriter::new(zone), utc: TimeWriter::utc(), names: &self.names, number: 0 };
        let number = |row: usize| before.rows + row as u64 + 1;
        match self.format.kind {
            FormatKind::Null => {}
            FormatKind::Json => {
                let style = Style::Lines(self.options.release.json);
                json::rows(style, self.own, batch, selection, &mut context, before.selected, out);
            }
            FormatKind::NdJson => {
                json::rows(Style::Compact, self.own, batch, selection, &mut context, before.selected, out);
            }
            FormatKind::Raw => {
                selection.for_each(|row| {
                    raw::record(batch, row, self.numbered.then(|| number(row)), &mut context, out);
                });
            }
            _ => {
                let bound = self.layout.bind(batch, selection.count(), &mut context);
                selection.for_each(|row| {
                    context.number = if self.numbered { number(row) } else { 0 };
                    bound.write(row, &mut context, out);
                });
            }
        }
    }

    /// Appends what stands below so many rows.
    pub fn footer(&self, rows: u64, out: &mut Vec<u8>) {
        match self.format.kind {
            FormatKind::Json => out.extend_from_slice(b"]\n"),
            FormatKind::Pmacct(_) if !self.options.quiet => pmacct::footer(rows, out),
            _ => {}
        }
    }

    /// Appends `No matching flows` where an empty result is said in words: not with `-q`, and not in the
    /// formats of machines, which would take it for a row (D-04, D-98). In 1.6 the summary says it.
    pub fn no_match(&self, out: &mut Vec<u8>) {
        let says_so = self.options.release.nothing == Nothing::Always && self.format.says_no_match();
        if says_so && !self.options.quiet {
            out.extend_from_slice(b"No matching flows\n");
        }
    }

    /// The format.
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// The options.
    pub fn options(&self) -> &OutputOptions {
        &self.options
    }
}

fn header_line(names: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(names.as_bytes());
    out.push(b'\n');
}

/// Appends `Top 10 NAME ordered by ORDER:`.
pub(crate) fn heading(out: &mut Vec<u8>, name: &str, order: Order, top: usize) {
    out.extend_from_slice(b"Top ");
    if top > 0 {
        crate::text::num(out, top as u64);
        out.push(b' ');
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b" ordered by ");
    out.extend_from_slice(order.name().as_bytes());
    out.extend_from_slice(b":\n");
}
