//! Tables of groups in bins of time, and percentiles of their rates.

use crate::format::FormatKind;
use crate::text::{json_string, left, num, right, scaled};
use crate::zone::TimeWriter;
use crate::{Format, OutputOptions};
use flow_model::{CounterSide, Counters, Order, bps, pps};

/// Groups in bins.
#[derive(Clone, Debug)]
pub struct SeriesTable {
    /// What stands above the table of text; nothing of the table of all flows.
    pub heading: String,
    /// What the groups are and how they are ordered, such as `srcip/bytes`; nothing of the table of all flows.
    pub by: String,
    /// The names of the fields that make a group; none of the table of all flows.
    pub keys: Vec<String>,
    /// The order of the groups. The table of text shows the counters of its side.
    pub order: Order,
    /// The groups in order, all others behind them.
    pub series: Vec<Series>,
}

/// A group in bins.
#[derive(Clone, Debug)]
pub struct Series {
    /// The values of the keys; `None` of all groups that have no series of their own.
    pub values: Option<Vec<String>>,
    /// The counters in every bin; their times are those of the bin.
    pub bins: Vec<Counters>,
}

/// Bits and packets per second that a group seldom exceeds.
#[derive(Clone, Debug)]
pub struct Rates {
    /// The values of the keys, as in [`Series`].
    pub values: Option<Vec<String>>,
    /// Bits per second in, out and both together.
    pub bps: [u64; 3],
    /// Packets per second in, out and both together.
    pub pps: [u64; 3],
}

/// Prints series in one format.
#[derive(Clone, Debug)]
pub struct SeriesPrinter {
    style: Style,
    options: OutputOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Text,
    Csv,
    Json,
    NdJson,
    Null,
}

/// What stands for all other groups.
const OTHER: &str = "other";

/// The sides in the order of [`Rates`], and their names.
const SIDES: [(CounterSide, &str); 3] =
    [(CounterSide::In, "in_"), (CounterSide::Out, "out_"), (CounterSide::Both, "")];

impl Series {
    /// The values of the keys in one line.
    pub fn label(&self) -> String {
        self.values.as_ref().map_or_else(|| OTHER.to_owned(), |values| values.join(" "))
    }

    /// `of` the rates in every bin.
    pub fn rates(&self, mut of: impl FnMut(&mut [u64]) -> u64) -> Rates {
        let mut each = |rate: &dyn Fn(&Counters, CounterSide) -> u64| {
            SIDES.map(|(side, _)| of(&mut self.bins.iter().map(|bin| rate(bin, side)).collect::<Vec<_>>()))
        };
        Rates {
            values: self.values.clone(),
            bps: each(&|bin, side| bps(bin.of(side).1, bin.duration_ms())),
            pps: each(&|bin, side| pps(bin.of(side).0, bin.duration_ms())),
        }
    }
}

impl SeriesPrinter {
    /// A printer for `format`. Formats without a table of their own have the text table.
    pub fn new(format: &Format, options: &OutputOptions) -> SeriesPrinter {
        let style = match format.kind {
            FormatKind::Csv | FormatKind::CsvFast | FormatKind::CsvColumns(_) => Style::Csv,
            FormatKind::Json => Style::Json,
            FormatKind::NdJson => Style::NdJson,
            FormatKind::Null => Style::Null,
            FormatKind::Text(_) | FormatKind::Raw | FormatKind::Pipe | FormatKind::Pmacct(_) => Style::Text,
        };
        SeriesPrinter { style, options: options.clone() }
    }

    /// Appends tables: a row for each bin and group.
    pub fn tables(&self, tables: &[SeriesTable], out: &mut Vec<u8>) {
        self.document(out, |document, out| {
            for (index, table) in tables.iter().enumerate() {
                self.separate(index, out);
                let columns = Columns::new(&table.keys, &table.series.iter().map(|series| &series.values));
                match self.style {
                    Style::Text if !self.options.quiet => {
                        push(out, &table.heading);
                        left(out, b"Start", TIME_WIDTH);
                        columns.header(out);
                        numbers_header(&["Flows", "Packets", "Bytes", "pps", "bps"], out);
                    }
                    Style::Csv => {
                        push(out, "ts,te,");
                        table.keys.iter().for_each(|key| push(out, &format!("{key},")));
                        push(out, "fl,ipkt,ibyt,opkt,obyt,pps,bps\n");
                    }
                    _ => {}
                }
                let mut time = TimeWriter::new(&self.options.zone);
                let bins = table.series.first().map_or(0, |series| series.bins.len());
                for bin in 0..bins {
                    for series in &table.series {
                        document.row(out, |out| self.row(table, &columns, series, bin, &mut time, out));
                    }
                }
            }
        });
    }

    /// Appends percentiles: a row for each group. `name` is that of the percentile, such as `95`, and `rates` are those of
    /// each table.
    pub fn percentiles(&self, name: &str, tables: &[(Vec<Rates>, SeriesTable)], out: &mut Vec<u8>) {
        self.document(out, |document, out| {
            for (index, (rates, table)) in tables.iter().enumerate() {
                self.separate(index, out);
                let columns = Columns::new(&table.keys, &rates.iter().map(|rates| &rates.values));
                match self.style {
                    Style::Text if !self.options.quiet => {
                        push(out, &format!("{}Percentile {name} of the rates in bins\n", table.heading));
                        columns.header(out);
                        numbers_header(&["In bps", "Out bps", "bps", "In pps", "Out pps", "pps"], out);
                    }
                    Style::Csv => {
                        table.keys.iter().for_each(|key| push(out, &format!("{key},")));
                        push(out, "percentile,in_bps,out_bps,bps,in_pps,out_pps,pps\n");
                    }
                    _ => {}
                }
                for rates in rates {
                    document.row(out, |out| self.percentile(table, &columns, rates, name, out));
                }
            }
        });
    }

    fn row(
        &self,
        table: &SeriesTable,
        columns: &Columns<'_>,
        series: &Series,
        bin: usize,
        time: &mut TimeWriter<'_>,
        out: &mut Vec<u8>,
    ) {
        let counters = &series.bins[bin];
        let (packets, bytes) = counters.of(CounterSide::Both);
        let width_ms = counters.duration_ms();
        match self.style {
            Style::Text => {
                time.seconds(out, counters.first_ms, b' ');
                out.push(b' ');
                columns.values(series.values.as_deref(), out);
                let (packets, bytes) = counters.of(table.order.side());
                let rates = [pps(packets, width_ms), bps(bytes, width_ms)];
                self.numbers([counters.flows, packets, bytes].into_iter().chain(rates), out);
            }
            Style::Csv => {
                for at_ms in [counters.first_ms, counters.last_ms] {
                    self.instant(time, at_ms, b' ', out);
                    out.push(b',');
                }
                columns.csv(series.values.as_deref(), out);
                num(out, counters.flows);
                let Counters { in_packets, in_bytes, out_packets, out_bytes, .. } = *counters;
                let rates = [pps(packets, width_ms), bps(bytes, width_ms)];
                for number in [in_packets, in_bytes, out_packets, out_bytes].into_iter().chain(rates) {
                    out.push(b',');
                    num(out, number);
                }
                out.push(b'\n');
            }
            Style::Json | Style::NdJson => {
                for (name, at_ms) in
                    [("{\"start\":\"", counters.first_ms), ("\",\"end\":\"", counters.last_ms)]
                {
                    push(out, name);
                    self.instant(time, at_ms, b'T', out);
                }
                out.push(b'"');
                json_keys(table, series.values.as_deref(), out);
                let Counters { flows, in_packets, in_bytes, out_packets, out_bytes, .. } = *counters;
                let rates = [("pps", pps(packets, width_ms)), ("bps", bps(bytes, width_ms))];
                let counts = [
                    ("flows", flows),
                    ("in_packets", in_packets),
                    ("in_bytes", in_bytes),
                    ("out_packets", out_packets),
                    ("out_bytes", out_bytes),
                ];
                json_numbers(counts.into_iter().chain(rates), out);
            }
            Style::Null => {}
        }
    }

    fn percentile(
        &self,
        table: &SeriesTable,
        columns: &Columns<'_>,
        rates: &Rates,
        name: &str,
        out: &mut Vec<u8>,
    ) {
        let numbers = rates.bps.into_iter().chain(rates.pps);
        match self.style {
            Style::Text => {
                columns.values(rates.values.as_deref(), out);
                self.numbers(numbers, out);
            }
            Style::Csv => {
                columns.csv(rates.values.as_deref(), out);
                push(out, name);
                for number in numbers {
                    out.push(b',');
                    num(out, number);
                }
                out.push(b'\n');
            }
            Style::Json | Style::NdJson => {
                push(out, &format!("{{\"percentile\":{name}"));
                json_keys(table, rates.values.as_deref(), out);
                let units = ["bps", "pps"].into_iter();
                let names = units.flat_map(|unit| SIDES.map(|(_, side)| format!("{side}{unit}")));
                let names: Vec<String> = names.collect();
                json_numbers(names.iter().map(String::as_str).zip(numbers), out);
            }
            Style::Null => {}
        }
    }

    fn document(&self, out: &mut Vec<u8>, rows: impl FnOnce(&mut Document, &mut Vec<u8>)) {
        let mut document = Document { is_array: self.style == Style::Json, rows: 0 };
        if document.is_array {
            out.push(b'[');
        }
        rows(&mut document, out);
        if document.is_array {
            out.extend_from_slice(if document.rows > 0 { b"\n]\n" } else { b"]\n" });
        }
    }

    /// An empty line stands between tables that people read.
    fn separate(&self, index: usize, out: &mut Vec<u8>) {
        if index > 0 && matches!(self.style, Style::Text | Style::Csv) {
            out.push(b'\n');
        }
    }

    fn numbers(&self, numbers: impl Iterator<Item = u64>, out: &mut Vec<u8>) {
        for number in numbers {
            out.push(b' ');
            scaled(out, number, NUMBER_WIDTH, self.options.plain_numbers);
        }
        out.push(b'\n');
    }

    /// A time with its distance from UTC, so that the hour that comes twice can be told apart.
    fn instant(&self, time: &mut TimeWriter<'_>, at_ms: u64, between: u8, out: &mut Vec<u8>) {
        time.seconds(out, at_ms, between);
        let east = self.options.zone.offset_at((at_ms / 1_000).cast_signed());
        let minutes = east.unsigned_abs() / 60;
        let sign = if east < 0 { '-' } else { '+' };
        push(out, &format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60));
    }
}

fn numbers_header(names: &[&str], out: &mut Vec<u8>) {
    for name in names {
        out.push(b' ');
        right(out, name.as_bytes(), NUMBER_WIDTH);
    }
    out.push(b'\n');
}

/// A time and the blank behind it.
const TIME_WIDTH: usize = 20;
const NUMBER_WIDTH: usize = 9;

/// Rows, with commas between them where they are of one array.
struct Document {
    is_array: bool,
    rows: usize,
}

impl Document {
    fn row(&mut self, out: &mut Vec<u8>, row: impl FnOnce(&mut Vec<u8>)) {
        if self.is_array {
            out.extend_from_slice(if self.rows > 0 { b",\n" } else { b"\n" });
        }
        self.rows += 1;
        row(out);
        // An object of an array ends with what comes behind it.
        if self.is_array && out.last() == Some(&b'\n') {
            out.pop();
        }
    }
}

/// The columns of the keys in a table of text.
struct Columns<'a> {
    keys: &'a [String],
    widths: Vec<usize>,
}

impl<'a> Columns<'a> {
    fn new<'v>(
        keys: &'a [String],
        rows: &(impl Iterator<Item = &'v Option<Vec<String>>> + Clone),
    ) -> Columns<'a> {
        let width = |(place, key): (usize, &String)| {
            let values =
                rows.clone().map(|values| values.as_ref().map_or(OTHER, |values| values[place].as_str()));
            values.chain([key.as_str()]).map(|text| text.chars().count()).max().unwrap_or(0)
        };
        Columns { keys, widths: keys.iter().enumerate().map(width).collect() }
    }

    fn header(&self, out: &mut Vec<u8>) {
        self.cells(self.keys.iter().map(String::as_str), out);
    }

    fn values(&self, values: Option<&[String]>, out: &mut Vec<u8>) {
        match values {
            Some(values) => self.cells(values.iter().map(String::as_str), out),
            None => self.cells(self.keys.iter().map(|_| OTHER), out),
        }
    }

    fn cells<'t>(&self, texts: impl Iterator<Item = &'t str>, out: &mut Vec<u8>) {
        for (index, (text, width)) in texts.zip(&self.widths).enumerate() {
            if index > 0 {
                out.push(b' ');
            }
            right(out, text.as_bytes(), width + text.len() - text.chars().count());
        }
    }

    fn csv(&self, values: Option<&[String]>, out: &mut Vec<u8>) {
        for place in 0..self.keys.len() {
            let value = values.map_or(OTHER, |values| values[place].as_str());
            csv_value(value, out);
            out.push(b',');
        }
    }
}

/// A value that keeps its place: in quotes where it would not.
fn csv_value(value: &str, out: &mut Vec<u8>) {
    if value.contains([',', '"', '\n', '\r']) {
        push(out, &format!("\"{}\"", value.replace('"', "\"\"")));
    } else {
        push(out, value);
    }
}

fn json_keys(table: &SeriesTable, values: Option<&[String]>, out: &mut Vec<u8>) {
    let mut text = |name: &str, value: &str| {
        push(out, ",\"");
        push(out, name);
        push(out, "\":\"");
        json_string(out, value.as_bytes());
        out.push(b'"');
    };
    if !table.keys.is_empty() {
        text("by", &table.by);
    }
    match values {
        Some(values) => table.keys.iter().zip(values).for_each(|(key, value)| text(key, value)),
        None if table.keys.is_empty() => {}
        None => push(out, ",\"other\":true"),
    }
}

fn json_numbers<'n>(numbers: impl Iterator<Item = (&'n str, u64)>, out: &mut Vec<u8>) {
    for (name, number) in numbers {
        push(out, &format!(",\"{name}\":{number}"));
    }
    out.extend_from_slice(b"}\n");
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}
