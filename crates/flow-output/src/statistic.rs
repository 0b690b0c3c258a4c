//! The tables of element statistics (`-s`).

use crate::addr::AddrText;
use crate::cell::{Context, Quotes, family, proto, words};
use crate::format::FormatKind;
use crate::names::event_of_statistic;
use crate::printer::heading;
use crate::text::{
    DurationStyle, duration, hex, json_string, left, mac, mpls, num, num_left, num_right, per_second,
    percent, printable, right, scaled, tcp_flags, thousandths,
};
use crate::zone::TimeWriter;
use crate::{Format, NameTable, OutputOptions, cell, pmacct};
use flow_model::{
    CounterSide, Counters, Field, FlowBatch, FlowSide, Kind, Order, OwnNetworks, Statistic, Totals, Unit,
    ValueRef, bpp, country_letters, field_info,
};
use std::sync::Arc;

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
/// Rows are batches with the columns [`FirstMs`](Field::FirstMs), [`LastMs`](Field::LastMs),
/// [`Proto`](Field::Proto), the four counters, [`Flows`](Field::Flows), and the statistic's first field,
/// which holds the element.
#[derive(Clone, Debug)]
pub struct StatisticPrinter {
    style: Style,
    options: OutputOptions,
    networks: Option<Arc<dyn OwnNetworks>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Text,
    Csv,
    Json,
    Pipe,
    Pmacct,
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
            FormatKind::Pmacct(_) => Style::Pmacct,
            FormatKind::Text(_) | FormatKind::Raw | FormatKind::Null => Style::Text,
        };
        let long_ipv6 = options.long_ipv6 || format.long_ipv6;
        StatisticPrinter { style, options: OutputOptions { long_ipv6, ..options.clone() }, networks: None }
    }

    /// A printer that knows what own networks are called.
    #[must_use]
    pub fn with_networks(self, networks: Option<Arc<dyn OwnNetworks>>) -> StatisticPrinter {
        StatisticPrinter { networks, ..self }
    }

    /// Appends heading and header of a table. That of csv stays with `-q` (D-22).
    pub fn header(&self, table: &StatisticTable, out: &mut Vec<u8>) {
        match self.style {
            Style::Csv => {
                out.extend_from_slice(csv_header(side(table)).as_bytes());
                if has_ways(table) {
                    out.extend_from_slice(CSV_WAYS.as_bytes());
                }
                out.push(b'\n');
            }
            Style::Text if !self.options.quiet => {
                heading(out, table.statistic.heading, table.order, table.top);
                left(out, b"Date first seen", 24);
                right(out, b"Duration", usize::from(self.duration_width(table)));
                out.extend_from_slice(b" Proto ");
                right(out, table.statistic.heading.as_bytes(), self.element_width(table));
                out.extend_from_slice(
                    b"    Flows(%)     Packets(%)       Bytes(%)         pps      bps   bpp",
                );
                if has_ways(table) {
                    out.extend_from_slice(b"   In Pkt  Out Pkt  In Byte Out Byte   In bps  Out bps");
                }
                out.push(b'\n');
            }
            Style::Pmacct if !self.options.quiet => pmacct::header(table.statistic.fields, out),
            Style::Text | Style::Json | Style::Pipe | Style::Pmacct => {}
        }
    }

    /// Appends rows of a table.
    pub fn rows(&self, table: &StatisticTable, batch: &FlowBatch, out: &mut Vec<u8>) {
        let mut time = TimeWriter::new(&self.options.zone);
        if self.style == Style::Pmacct {
            let names = NameTable::default();
            let mut context = Context { time, utc: TimeWriter::utc(), names: &names, number: 0 };
            let layout = pmacct::layout(table.statistic.fields).bind(batch, batch.len(), &mut context);
            return (0..batch.len()).for_each(|row| layout.write(row, &mut context, out));
        }
        let elements = batch.column(table.statistic.fields[0]);
        for row in 0..batch.len() {
            let line = Line::new(table, elements.get(row), batch, row, self.networks.as_deref());
            match self.style {
                Style::Text => self.text_row(&line, &mut time, out),
                Style::Csv => self.csv_row(&line, &mut time, out),
                Style::Json => json_row(&line, &mut time, out),
                Style::Pipe => pipe_row(&line, out),
                Style::Pmacct => {}
            }
        }
    }

    /// The element of each row, whole, and in front of it its protocol where each has rows of its own.
    pub fn values(&self, table: &StatisticTable, batch: &FlowBatch) -> Vec<Vec<String>> {
        let elements = batch.column(table.statistic.fields[0]);
        let row = |row| {
            let line = Line::new(table, elements.get(row), batch, row, self.networks.as_deref());
            let [mut name, mut proto] = [Vec::new(), Vec::new()];
            element(&line, Look::Bare, &mut name);
            self.proto(&line, 0, &mut proto);
            let texts = table.by_proto.then_some(proto).into_iter().chain([name]);
            texts.map(|text| String::from_utf8_lossy(&text).into_owned()).collect()
        };
        (0..batch.len()).map(row).collect()
    }

    /// Appends what ends a table of so many rows: an empty line, which callers rely on (D-74).
    pub fn footer(&self, rows: u64, out: &mut Vec<u8>) {
        match self.style {
            Style::Json => {}
            Style::Pmacct if self.options.quiet => {}
            Style::Pmacct => pmacct::footer(rows, out),
            Style::Text | Style::Csv | Style::Pipe => out.push(b'\n'),
        }
    }

    /// Whether the element is a whole IPv6 address, beside which the duration is shorter.
    fn is_wide(&self, table: &StatisticTable) -> bool {
        self.options.long_ipv6 && is_address(table)
    }

    fn duration_width(&self, table: &StatisticTable) -> u8 {
        if self.is_wide(table) { 9 } else { self.options.release.duration.width }
    }

    fn element_width(&self, table: &StatisticTable) -> usize {
        if self.is_wide(table) { 39 } else { ELEMENT_WIDTH }
    }

    fn text_row(&self, line: &Line<'_>, time: &mut TimeWriter<'_>, out: &mut Vec<u8>) {
        let table = line.table;
        let plain = self.options.plain_numbers;
        time.millis(out, line.counters.first_ms, b' ');
        out.push(b' ');
        let style = if plain || self.is_wide(table) {
            DurationStyle::Seconds(self.duration_width(table))
        } else {
            self.options.release.duration.style
        };
        duration(out, line.counters.duration_ms(), style);
        out.push(b' ');
        self.proto(line, 5, out);
        out.push(b' ');
        if self.options.mark_addresses && is_address(table) {
            out.push(1);
        }
        let mut text = Vec::new();
        let look = if self.options.long_ipv6 { Look::Bare } else { Look::Condensed };
        element(line, look, &mut text);
        right(out, &text, self.element_width(table));
        for (count, total) in line.shares() {
            out.push(b' ');
            scaled(out, count, 8, plain);
            out.push(b'(');
            percent(out, count, total, 4);
            out.push(b')');
        }
        let [pps, bps, bpp] = line.rates();
        for rate in [pps, bps] {
            out.push(b' ');
            scaled(out, rate, 8, plain);
        }
        out.push(b' ');
        num_right(out, bpp, 5);
        for count in line.ways() {
            out.push(b' ');
            scaled(out, count, 8, plain);
        }
        out.push(b'\n');
    }

    fn csv_row(&self, line: &Line<'_>, time: &mut TimeWriter<'_>, out: &mut Vec<u8>) {
        for unix_ms in [line.counters.first_ms, line.counters.last_ms] {
            time.seconds(out, unix_ms, b' ');
            out.push(b',');
        }
        thousandths(out, line.counters.duration_ms(), 0);
        out.push(b',');
        self.proto(line, 0, out);
        out.push(b',');
        element(line, Look::Csv, out);
        for (count, total) in line.shares() {
            out.push(b',');
            num(out, count);
            out.push(b',');
            percent(out, count, total, 0);
        }
        for number in line.rates().into_iter().chain(line.ways()) {
            out.push(b',');
            num(out, number);
        }
        out.push(b'\n');
    }

    fn proto(&self, line: &Line<'_>, width: usize, out: &mut Vec<u8>) {
        if !line.table.by_proto {
            left(out, b"any", width);
        } else if self.options.plain_numbers {
            num_left(out, line.proto, width);
        } else {
            proto(out, line.proto, width);
        }
    }
}

fn json_row(line: &Line<'_>, time: &mut TimeWriter<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{ \"first\" : \"");
    time.millis(out, line.counters.first_ms, b'T');
    out.extend_from_slice(b"\", \"last\" : \"");
    time.millis(out, line.counters.last_ms, b'T');
    out.extend_from_slice(b"\", \"proto\" : ");
    num(out, line.proto);
    out.extend_from_slice(b", \"");
    out.extend_from_slice(line.table.statistic.name.as_bytes());
    out.extend_from_slice(b"\" : \"");
    let mut text = Vec::new();
    element(line, Look::Bare, &mut text);
    json_string(out, &text);
    out.push(b'"');
    let keys = ["flows", "packets", "bytes", "pps", "bps", "bpp"];
    for (key, value) in keys.into_iter().zip(line.numbers()).chain(JSON_WAYS.into_iter().zip(line.ways())) {
        out.extend_from_slice(b", \"");
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\" : ");
        num(out, value);
    }
    out.extend_from_slice(b"}\n");
}

fn pipe_row(line: &Line<'_>, out: &mut Vec<u8>) {
    num(out, if let ValueRef::Ip(addr) = line.element { family(addr) } else { 0 });
    for unix_ms in [line.counters.first_ms, line.counters.last_ms] {
        out.push(b'|');
        num(out, unix_ms / 1_000);
        out.push(b'|');
        num(out, unix_ms % 1_000);
    }
    out.push(b'|');
    num(out, line.proto);
    out.push(b'|');
    match line.element {
        ValueRef::Ip(addr) => words(out, addr),
        ValueRef::Num(value) => num(out, value),
        ValueRef::Bytes(_) => element(line, Look::Bare, out),
    }
    for value in line.numbers().into_iter().chain(line.ways()) {
        out.push(b'|');
        num(out, value);
    }
    out.push(b'\n');
}

/// A row of a table.
struct Line<'a> {
    table: &'a StatisticTable,
    element: ValueRef<'a>,
    /// 0 for all protocols together.
    proto: u64,
    counters: Counters,
    /// Packets and bytes of the side that the order looks at.
    packets: u64,
    bytes: u64,
    networks: Option<&'a dyn OwnNetworks>,
}

impl<'a> Line<'a> {
    fn new(
        table: &'a StatisticTable,
        element: ValueRef<'a>,
        batch: &FlowBatch,
        row: usize,
        networks: Option<&'a dyn OwnNetworks>,
    ) -> Line<'a> {
        let num = |field| batch.column(field).num(row);
        let counters = Counters {
            first_ms: num(Field::FirstMs),
            last_ms: num(Field::LastMs),
            flows: num(Field::Flows),
            in_packets: num(Field::InPackets),
            in_bytes: num(Field::InBytes),
            out_packets: num(Field::OutPackets),
            out_bytes: num(Field::OutBytes),
        };
        let (packets, bytes) = counters.of(side(table));
        let proto = if table.by_proto { num(Field::Proto) } else { 0 };
        Line { table, element, proto, counters, packets, bytes, networks }
    }

    /// Flows, packets and bytes, each beside its total.
    fn shares(&self) -> [(u64, u64); 3] {
        let totals = &self.table.totals;
        [(self.counters.flows, totals.flows), (self.packets, totals.packets), (self.bytes, totals.bytes)]
    }

    /// Packets and bits per second, bytes per packet.
    fn rates(&self) -> [u64; 3] {
        let duration_ms = self.counters.duration_ms();
        [
            per_second(self.packets, 1, duration_ms),
            per_second(self.bytes, 8, duration_ms),
            bpp(self.bytes, self.packets),
        ]
    }

    /// Packets, bytes and bits per second, each in and out, where the table tells both ways apart.
    fn ways(&self) -> impl Iterator<Item = u64> + use<> {
        let Counters { in_packets, in_bytes, out_packets, out_bytes, .. } = self.counters;
        let rate = |bytes| per_second(bytes, 8, self.counters.duration_ms());
        let ways = [in_packets, out_packets, in_bytes, out_bytes, rate(in_bytes), rate(out_bytes)];
        ways.into_iter().take(if has_ways(self.table) { ways.len() } else { 0 })
    }

    /// Flows, packets, bytes, and the rates.
    fn numbers(&self) -> [u64; 6] {
        let [pps, bps, bpp] = self.rates();
        [self.counters.flows, self.packets, self.bytes, pps, bps, bpp]
    }
}

/// Whether a table is about one's own hosts or networks: then it tells what comes in from what goes out.
fn has_ways(table: &StatisticTable) -> bool {
    matches!(table.statistic.fields, [Field::LocalAddr | Field::PeerAddr | Field::LocalNetwork])
}

/// Which counters a table prints: where both ways have columns of their own, their sum stands beside them.
fn side(table: &StatisticTable) -> CounterSide {
    if has_ways(table) { CounterSide::Both } else { table.order.side() }
}

const CSV_WAYS: &str = ",ipkt,opkt,ibyt,obyt,ibps,obps";

const JSON_WAYS: [&str; 6] = ["in_packets", "out_packets", "in_bytes", "out_bytes", "in_bps", "out_bps"];

fn csv_header(side: CounterSide) -> &'static str {
    match side {
        CounterSide::In => "ts,te,td,pr,val,fl,flP,ipkt,ipktP,ibyt,ibytP,ipps,ibps,ibpp",
        CounterSide::Out => "ts,te,td,pr,val,fl,flP,opkt,opktP,obyt,obytP,opps,obps,obpp",
        CounterSide::Both => "ts,te,td,pr,val,fl,flP,pkt,pktP,byt,bytP,pps,bps,bpp",
    }
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
fn element(line: &Line<'_>, look: Look, out: &mut Vec<u8>) {
    let field = line.table.statistic.fields[0];
    let value = match line.element {
        ValueRef::Ip(addr) => {
            let text = AddrText::new(addr);
            let text = if look == Look::Condensed { text.condensed() } else { text };
            return out.extend_from_slice(text.as_bytes());
        }
        ValueRef::Bytes(id) if field == Field::AppId => return cell::app_id(out, id, 0),
        ValueRef::Bytes(bytes) => return out.extend(printable(bytes)),
        ValueRef::Num(value) => value,
    };
    match (field, field_info(field).unit) {
        (Field::LocalNetwork, _) => {
            let name = line.networks.map_or("", |networks| networks.name(value as u32));
            let quotes = match look {
                Look::Csv => Quotes::Csv,
                Look::Bare | Look::Condensed => Quotes::None,
            };
            cell::own_network(out, name, 0, quotes);
        }
        (Field::FlowSide, _) => match FlowSide::NAMES.iter().find(|(_, number)| *number == value) {
            Some((name, _)) => out.extend_from_slice(name.as_bytes()),
            None => num(out, value),
        },
        (Field::FwEvent | Field::NatEvent, _) => out.extend_from_slice(event_of_statistic(value).as_bytes()),
        (Field::TcpFlags, _) => tcp_flags(out, value),
        (Field::SrcCountry | Field::DstCountry, _) => out.extend_from_slice(&country_letters(value)),
        (
            Field::IngressAcl
            | Field::IngressAce
            | Field::IngressXace
            | Field::EgressAcl
            | Field::EgressAce
            | Field::EgressXace
            | Field::ObservationDomainId
            | Field::ObservationPointId
            | Field::EtherType,
            _,
        ) => hex(out, value, 0),
        (_, Unit::Mac) => mac(out, value),
        // nfdump's statistic is about the label alone: what stands beside it is shown as 0.
        (_, Unit::Mpls) => mpls(out, value & MPLS_LABEL, if look == Look::Csv { 12 } else { 0 }),
        (_, Unit::Micros) => thousandths(out, value, 0),
        _ => num(out, value),
    }
}

/// The bits of an MPLS entry that are the label.
const MPLS_LABEL: u64 = 0x00ff_fff0;

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::FieldSet;
    use flow_model::{BatchBuilder, statistic_by_name, statistics};

    #[test]
    fn every_statistic_prints_its_element_in_every_style() {
        let mut builder = BatchBuilder::new();
        builder.set(Field::Flows, 1);
        builder.finish_row();
        let mut batch = builder.finish();
        batch.mark_decoded(FieldSet::COMPUTED);
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
                assert_eq!(out.split_inclusive(|&octet| octet == b'\n').count(), 1, "{}", statistic.name);
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
        printer.footer(1, &mut out);
        let expected = "Top Src IP Addr ordered by bytes:\n\
            Date first seen          Duration Proto                             Src IP Addr    Flows(%)     Packets(%)       Bytes(%)         pps      bps   bpp\n\
            1970-01-01 00:00:00.000 90004.000 0     \u{1}                            2001:db8::1        1( 0.0)        0( 0.0)        0( 0.0)        0        0     0\n\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
