//! The tables of element statistics (`-s`).

use crate::addr::AddrText;
use crate::cell::{family, proto, words};
use crate::format::FormatKind;
use crate::names::event_of_statistic;
use crate::printer::heading;
use crate::text::{
    DurationStyle, duration, hex, json_string, left, mac, mpls, num, num_left, num_right, per_second,
    percent, printable, right, scaled, tcp_flags, thousandths,
};
use crate::zone::TimeWriter;
use crate::{Format, OutputOptions, cell};
use flow_model::{
    CounterSide, Counters, Field, FlowBatch, Kind, Order, Statistic, Totals, Unit, ValueRef, bpp, field_info,
};

/// What a table is about.
#[derive(Clone, Debug)]
pub struct StatisticTable {
    /// The element.
    pub statistic: &'static Statistic,
    /// Whether each protocol has rows of its own.
    pub by_proto: bool,
    /// What rows are ordered by; it decides which counters are printed.
    pub order: Order,
    /// How many rows were asked for; 0 for all.
    pub top: usize,
    /// What percentages are of: all matching flows.
    pub totals: Totals,
}

/// Prints element statistics in one format.
///
/// Rows are batches with the columns [`FirstMs`](Field::FirstMs), [`LastMs`](Field::LastMs), [`Proto`](Field::Proto), the
/// four counters, [`Flows`](Field::Flows), and the statistic's first field, which holds the element.
#[derive(Clone, Debug)]
pub struct StatisticPrinter {
    style: Style,
    options: OutputOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Text,
    Csv,
    Json,
    Pipe,
}

/// Columns of an element in the text table.
const ELEMENT_WIDTH: usize = 17;

impl StatisticPrinter {
    /// A printer for `format`. Formats without a table of their own have the text table.
    pub fn new(format: &Format, options: &OutputOptions) -> StatisticPrinter {
        let style = match format.kind {
            FormatKind::Csv | FormatKind::CsvFast | FormatKind::CsvColumns(_) => Style::Csv,
            FormatKind::Json | FormatKind::NdJson => Style::Json,
            FormatKind::Pipe => Style::Pipe,
            FormatKind::Text(_) | FormatKind::Raw | FormatKind::Null => Style::Text,
        };
        let long_ipv6 = options.long_ipv6 || format.long_ipv6;
        StatisticPrinter { style, options: OutputOptions { long_ipv6, ..options.clone() } }
    }

    /// Appends heading and header of a table. That of csv stays with `-q` (D-22).
    pub fn header(&self, table: &StatisticTable, out: &mut Vec<u8>) {
        match self.style {
            Style::Csv => out.extend_from_slice(csv_header(table.order.side()).as_bytes()),
            Style::Text if !self.options.quiet => {
                heading(out, table.statistic.heading, table.order, table.top);
                let duration_width = if self.is_wide(table) { 9 } else { 16 };
                left(out, b"Date first seen", 24);
                right(out, b"Duration", duration_width);
                out.extend_from_slice(b" Proto ");
                right(out, table.statistic.heading.as_bytes(), self.element_width(table));
                out.extend_from_slice(
                    b"    Flows(%)     Packets(%)       Bytes(%)         pps      bps   bpp\n",
                );
            }
            Style::Text | Style::Json | Style::Pipe => {}
        }
    }

    /// Appends rows of a table.
    pub fn rows(&self, table: &StatisticTable, batch: &FlowBatch, out: &mut Vec<u8>) {
        let mut time = TimeWriter::new(&self.options.zone);
        let num = |field: Field, row| batch.column(field).num(row);
        for row in 0..batch.len() {
            let counters = Counters {
                first_ms: num(Field::FirstMs, row),
                last_ms: num(Field::LastMs, row),
                flows: num(Field::Flows, row),
                in_packets: num(Field::InPackets, row),
                in_bytes: num(Field::InBytes, row),
                out_packets: num(Field::OutPackets, row),
                out_bytes: num(Field::OutBytes, row),
            };
            let line = Line::new(table, &counters, num(Field::Proto, row));
            match self.style {
                Style::Text => self.text_row(table, &line, batch, row, &mut time, out),
                Style::Csv => self.csv_row(table, &line, batch, row, &mut time, out),
                Style::Json => self.json_row(table, &line, batch, row, &mut time, out),
                Style::Pipe => pipe_row(table, &line, batch, row, out),
            }
        }
    }

    /// Appends what ends a table: an empty line, which callers rely on (D-74).
    pub fn footer(&self, out: &mut Vec<u8>) {
        if self.style != Style::Json {
            out.push(b'\n');
        }
    }

    /// Whether the element is a whole IPv6 address, beside which the duration is shorter.
    fn is_wide(&self, table: &StatisticTable) -> bool {
        self.options.long_ipv6 && is_address(table)
    }

    fn element_width(&self, table: &StatisticTable) -> usize {
        if self.is_wide(table) { 39 } else { ELEMENT_WIDTH }
    }

    fn text_row(
        &self,
        table: &StatisticTable,
        line: &Line,
        batch: &FlowBatch,
        row: usize,
        time: &mut TimeWriter<'_>,
        out: &mut Vec<u8>,
    ) {
        let plain = self.options.plain_numbers;
        time.millis(out, line.first_ms, b' ');
        out.push(b' ');
        let style = match (self.is_wide(table), plain) {
            (true, _) => DurationStyle::Seconds(9),
            (false, true) => DurationStyle::Seconds(16),
            (false, false) => DurationStyle::Clock,
        };
        duration(out, line.duration_ms, style);
        out.push(b' ');
        self.proto(table, line.proto, 5, out);
        out.push(b' ');
        if self.options.mark_addresses && is_address(table) {
            out.push(1);
        }
        let mut text = Vec::new();
        let look = if self.options.long_ipv6 { Look::Bare } else { Look::Condensed };
        element(table, batch, row, look, &mut text);
        right(out, &text, self.element_width(table));
        out.push(b' ');
        scaled(out, line.flows, 8, plain);
        bracketed(out, line.flows, table.totals.flows);
        out.push(b' ');
        scaled(out, line.packets, 8, plain);
        bracketed(out, line.packets, table.totals.packets);
        out.push(b' ');
        scaled(out, line.bytes, 8, plain);
        bracketed(out, line.bytes, table.totals.bytes);
        out.push(b' ');
        scaled(out, line.pps, 8, plain);
        out.push(b' ');
        scaled(out, line.bps, 8, plain);
        out.push(b' ');
        num_right(out, line.bpp, 5);
        out.push(b'\n');
    }

    fn csv_row(
        &self,
        table: &StatisticTable,
        line: &Line,
        batch: &FlowBatch,
        row: usize,
        time: &mut TimeWriter<'_>,
        out: &mut Vec<u8>,
    ) {
        time.seconds(out, line.first_ms, b' ');
        out.push(b',');
        time.seconds(out, line.last_ms, b' ');
        out.push(b',');
        thousandths(out, line.duration_ms, 0);
        out.push(b',');
        self.proto(table, line.proto, 0, out);
        out.push(b',');
        element(table, batch, row, Look::Csv, out);
        let totals = &table.totals;
        for (count, total) in
            [(line.flows, totals.flows), (line.packets, totals.packets), (line.bytes, totals.bytes)]
        {
            out.push(b',');
            num(out, count);
            out.push(b',');
            percent(out, count, total, 0);
        }
        for rate in [line.pps, line.bps, line.bpp] {
            out.push(b',');
            num(out, rate);
        }
        out.push(b'\n');
    }

    fn json_row(
        &self,
        table: &StatisticTable,
        line: &Line,
        batch: &FlowBatch,
        row: usize,
        time: &mut TimeWriter<'_>,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(b"{ \"first\" : \"");
        time.millis(out, line.first_ms, b'T');
        out.extend_from_slice(b"\", \"last\" : \"");
        time.millis(out, line.last_ms, b'T');
        out.extend_from_slice(b"\", \"proto\" : ");
        num(out, if table.by_proto { line.proto } else { 0 });
        out.extend_from_slice(b", \"");
        out.extend_from_slice(table.statistic.name.as_bytes());
        out.extend_from_slice(b"\" : \"");
        let mut text = Vec::new();
        element(table, batch, row, Look::Bare, &mut text);
        json_string(out, &text);
        out.push(b'"');
        for (key, value) in [
            ("flows", line.flows),
            ("packets", line.packets),
            ("bytes", line.bytes),
            ("pps", line.pps),
            ("bps", line.bps),
            ("bpp", line.bpp),
        ] {
            out.extend_from_slice(b", \"");
            out.extend_from_slice(key.as_bytes());
            out.extend_from_slice(b"\" : ");
            num(out, value);
        }
        out.extend_from_slice(b"}\n");
    }

    fn proto(&self, table: &StatisticTable, number: u64, width: usize, out: &mut Vec<u8>) {
        if !table.by_proto {
            left(out, b"any", width);
        } else if self.options.plain_numbers {
            num_left(out, number, width);
        } else {
            proto(out, number, width);
        }
    }
}

fn pipe_row(table: &StatisticTable, line: &Line, batch: &FlowBatch, row: usize, out: &mut Vec<u8>) {
    let addr = is_address(table).then(|| batch.column(table.statistic.fields[0]).ip(row));
    num(out, addr.map_or(0, family));
    for unix_ms in [line.first_ms, line.last_ms] {
        out.push(b'|');
        num(out, unix_ms / 1_000);
        out.push(b'|');
        num(out, unix_ms % 1_000);
    }
    out.push(b'|');
    num(out, if table.by_proto { line.proto } else { 0 });
    out.push(b'|');
    match addr {
        Some(addr) => words(out, addr),
        None => {
            let field = table.statistic.fields[0];
            match batch.column(field).get(row) {
                ValueRef::Num(value) => num(out, value),
                _ => element(table, batch, row, Look::Bare, out),
            }
        }
    }
    for value in [line.flows, line.packets, line.bytes, line.pps, line.bps, line.bpp] {
        out.push(b'|');
        num(out, value);
    }
    out.push(b'\n');
}

/// The numbers of a row, of the side that the order looks at.
struct Line {
    first_ms: u64,
    last_ms: u64,
    duration_ms: u64,
    proto: u64,
    flows: u64,
    packets: u64,
    bytes: u64,
    pps: u64,
    bps: u64,
    bpp: u64,
}

impl Line {
    fn new(table: &StatisticTable, counters: &Counters, proto: u64) -> Line {
        let (packets, bytes) = counters.of(table.order.side());
        let duration_ms = counters.duration_ms();
        Line {
            first_ms: counters.first_ms,
            last_ms: counters.last_ms,
            duration_ms,
            proto,
            flows: counters.flows,
            packets,
            bytes,
            pps: per_second(packets, 1, duration_ms),
            bps: per_second(bytes, 8, duration_ms),
            bpp: bpp(bytes, packets),
        }
    }
}

fn csv_header(side: CounterSide) -> &'static str {
    match side {
        CounterSide::In => "ts,te,td,pr,val,fl,flP,ipkt,ipktP,ibyt,ibytP,ipps,ibps,ibpp\n",
        CounterSide::Out => "ts,te,td,pr,val,fl,flP,opkt,opktP,obyt,obytP,opps,obps,obpp\n",
        CounterSide::Both => "ts,te,td,pr,val,fl,flP,pkt,pktP,byt,bytP,pps,bps,bpp\n",
    }
}

fn bracketed(out: &mut Vec<u8>, part: u64, whole: u64) {
    out.push(b'(');
    percent(out, part, whole, 4);
    out.push(b')');
}

fn is_address(table: &StatisticTable) -> bool {
    field_info(table.statistic.fields[0]).kind == Kind::Ip
}

/// How an element is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    /// Long IPv6 addresses cut to 16 columns.
    Condensed,
    /// Whole.
    Bare,
    /// Whole, MPLS labels padded as nfdump pads them.
    Csv,
}

/// Appends the element of a row.
fn element(table: &StatisticTable, batch: &FlowBatch, row: usize, look: Look, out: &mut Vec<u8>) {
    let field = table.statistic.fields[0];
    let column = batch.column(field);
    let info = field_info(field);
    match field {
        Field::FwEvent | Field::NatEvent => {
            out.extend_from_slice(event_of_statistic(column.num(row)).as_bytes())
        }
        Field::TcpFlags => tcp_flags(out, column.num(row)),
        Field::AppId => cell::app_id(out, column.bytes(row), 0),
        Field::IngressAcl
        | Field::IngressAce
        | Field::IngressXace
        | Field::EgressAcl
        | Field::EgressAce
        | Field::EgressXace
        | Field::ObservationDomainId
        | Field::ObservationPointId
        | Field::EtherType => hex(out, column.num(row), 0),
        _ => match (info.kind, info.unit) {
            (Kind::Ip, _) => {
                let text = AddrText::new(column.ip(row));
                let text = if look == Look::Condensed { text.condensed() } else { text };
                out.extend_from_slice(text.as_bytes());
            }
            (Kind::Bytes, _) => out.extend(printable(column.bytes(row))),
            (_, Unit::Mac) => mac(out, column.num(row)),
            // nfdump's statistic is about the label alone: what stands beside it is shown as 0.
            (_, Unit::Mpls) => {
                mpls(out, column.num(row) & MPLS_LABEL, if look == Look::Csv { 12 } else { 0 })
            }
            (_, Unit::Micros) => thousandths(out, column.num(row), 0),
            _ => num(out, column.num(row)),
        },
    }
}

/// The bits of an MPLS entry that are the label.
const MPLS_LABEL: u64 = 0x00ff_fff0;

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::{BatchBuilder, statistic_by_name, statistics};

    #[test]
    fn every_statistic_prints_its_element_in_every_style() {
        let mut builder = BatchBuilder::new();
        builder.set(Field::Flows, 1);
        builder.finish_row();
        let batch = builder.finish();
        for statistic in statistics() {
            for format in ["line", "csv", "json", "pipe"] {
                let table = StatisticTable {
                    statistic,
                    by_proto: false,
                    order: Order::Flows,
                    top: 1,
                    totals: Totals::default(),
                };
                let format = Format::parse(format).unwrap();
                let mut out = Vec::new();
                StatisticPrinter::new(&format, &OutputOptions::default()).rows(&table, &batch, &mut out);
                assert_eq!(out.iter().filter(|&&octet| octet == b'\n').count(), 1, "{}", statistic.name);
            }
        }
    }

    #[test]
    fn a_wide_address_has_a_short_duration_and_a_header_to_match() {
        let mut builder = BatchBuilder::new();
        builder.set(Field::LastMs, 90_004_000);
        builder.set_ip(Field::SrcAddr, "2001:db8::1".parse().unwrap());
        builder.finish_row();
        let batch = builder.finish();
        let options = OutputOptions {
            long_ipv6: true,
            zone: crate::Zone::utc(),
            mark_addresses: true,
            ..Default::default()
        };
        let printer = StatisticPrinter::new(&Format::default(), &options);
        let table = StatisticTable {
            statistic: statistic_by_name("srcip").unwrap(),
            by_proto: true,
            order: Order::Bytes,
            top: 0,
            totals: Totals::default(),
        };
        let mut out = Vec::new();
        printer.header(&table, &mut out);
        printer.rows(&table, &batch, &mut out);
        printer.footer(&mut out);
        let expected = "Top Src IP Addr ordered by bytes:\n\
            Date first seen          Duration Proto                             Src IP Addr    Flows(%)     Packets(%)       Bytes(%)         pps      bps   bpp\n\
            1970-01-01 00:00:00.000 90004.000 0     \u{1}                            2001:db8::1        1( 0.0)        0( 0.0)        0( 0.0)        0        0     0\n\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
