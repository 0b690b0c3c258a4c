//! Cells: how one value of a record becomes text.

use crate::addr::{AddrText, masked};
use crate::name_table::NameTable;
use crate::names::{firewall_event, nat_event, nat_event_long, xevent};
use crate::payload;
use crate::text::{
    DurationStyle, duration, hex, hex_digits, json_string, left, mac, mpls, num, num_left, num_right,
    per_second, printable, right, scaled, spaces, tcp_flags, thousandths,
};
use crate::zone::TimeWriter;
use flow_model::{
    Column, Field, FieldSet, Groups, Protocol, RecordFlags, bpp, country_letters, protocol_name,
};
use std::net::IpAddr;

/// How values become text. The comments name what the sources are when it is more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// A number, right-justified.
    Num,
    /// A number, left-justified.
    NumLeft,
    /// A count, scaled to M, G, T unless `plain`.
    Scaled { plain: bool },
    /// Packets, first, last.
    Pps { plain: bool },
    /// Bytes, first, last.
    Bps { plain: bool },
    /// Bytes, packets.
    Bpp,
    /// The record's number; no source.
    Count,
    /// `YYYY-MM-DD HH:MM:SS.mmm`; `between` stands between date and clock.
    Time { between: u8 },
    /// `YYYY-MM-DD HH:MM:SS.mmm` in UTC.
    TimeUtc,
    /// `YYYY-MM-DD HH:MM:SS`.
    TimeSeconds,
    /// A number of thousandths with three decimals.
    Thousandths,
    /// A number of thousandths with six decimals.
    ThousandthsLong,
    /// Whole seconds of a time.
    UnixSeconds,
    /// The ms of a time's second.
    UnixMillis,
    /// Address family: 2 or 10.
    Family,
    /// Four 32-bit words between bars; an IPv4 address is the last.
    Words,
    /// First, last.
    Duration(DurationStyle),
    /// Protocol by name, left-justified.
    Proto,
    /// Address, right-justified.
    Addr { condensed: bool },
    /// Address, left-justified.
    AddrLeft,
    /// Address, prefix length.
    Network { condensed: bool, prefix_width: usize },
    /// Address, both prefix lengths, its own first: the network alone; nothing when neither length is known.
    JsonNetwork,
    /// Address, port: the port behind the address, `:` or `.` between.
    PortAfter,
    /// Address, port, protocol: a destination port, so type and code of ICMP.
    DstPortAfter,
    /// Port, protocol: a destination port.
    DstPort,
    /// Port, protocol: ICMP type, 0 for other protocols.
    IcmpType,
    /// Port, protocol: ICMP code, 0 for other protocols.
    IcmpCode,
    /// Flags of any protocol.
    TcpFlags,
    /// Flags, protocol: flags of TCP, dots for others.
    TcpFlagsOfTcp,
    /// `I` or `E`.
    Direction,
    /// Version, record flags: `Nv9`, `Sv5`, `EVT9`.
    NfVersion,
    /// MAC address.
    Mac,
    /// MPLS label.
    Mpls,
    /// `0x` and at least so many hexadecimal digits.
    Hex { digits: u8 },
    /// `0x` and hexadecimal digits left-justified behind it.
    HexLeft,
    /// Groups, firewall event, NAT event: the name of the one that the record carries.
    Event,
    /// Extended firewall event: name or number.
    Xevent,
    /// Firewall event by name.
    FirewallEvent,
    /// NAT event in full words.
    NatEventLong,
    /// Text, right-justified; this for none.
    Text { none: &'static str },
    /// Text, left-justified; this for none.
    TextLeft { none: &'static str },
    /// A country's two letters.
    Country,
    /// The inside of a json string; this for none.
    JsonText { none: &'static str },
    /// Application id: class..number.
    AppId,
    /// Application id, exporter: name and description.
    AppName,
    /// Interface, exporter: its name behind a blank.
    InterfaceName,
    /// VRF, exporter: its name behind a blank.
    VrfName,
    /// Payload as text or dump, and a line break.
    Payload,
    /// JA3 hash, the payload it is of, right-justified.
    Ja3,
    /// JA4 behind its kind, `ja4 : `.
    Ja4,
    /// Version of a TLS hello in a payload.
    TlsVersion,
    /// Number: its name, or itself.
    Symbol { names: &'static [(&'static str, u64)] },
    /// The same, left-justified.
    SymbolLeft { names: &'static [(&'static str, u64)] },
    /// Number of the name of an own network, right-justified; `-` for none.
    OwnNetwork { quotes: Quotes },
    /// Number, groups: its name; this when the record has no such group.
    Name { names: &'static [(&'static str, u64)], none: &'static str },
    /// Fragment flags.
    Fragment,
    /// Server name of a TLS hello in a payload, right-justified.
    ServerName,
    /// `FLOW` or `EVENT`.
    RecordType,
    /// 1 when counters are multiplied by a sampling rate.
    Sampled,
}

/// What keeps a text together where it is not the last of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quotes {
    /// Nothing: people read it.
    None,
    /// Those of comma-separated values, where it has a comma or quotes.
    Csv,
    /// Those of json, around the cell.
    Json,
}

/// The columns of a cell's sources; one that a cell does not have is any column.
pub(crate) type Sources<'a> = [&'a Column; 3];

/// What cells know besides the columns.
pub(crate) struct Context<'a> {
    /// Prints times.
    pub(crate) time: TimeWriter<'a>,
    /// Prints times in UTC.
    pub(crate) utc: TimeWriter<'static>,
    /// Names of what flows have numbers for.
    pub(crate) names: &'a NameTable,
    /// The record's number, from 1; 0 where records have none.
    pub(crate) number: u64,
}

/// One value of a record in the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cell {
    form: Form,
    sources: [Option<Field>; 3],
    width: usize,
}

impl Cell {
    /// A cell that prints `sources` at least `width` wide.
    pub(crate) fn new<const N: usize>(form: Form, sources: [Field; N], width: usize) -> Cell {
        const { assert!(N <= 3, "a cell has up to three sources") }
        let mut three = [None; 3];
        for (slot, field) in three.iter_mut().zip(sources) {
            *slot = Some(field);
        }
        Cell { form, sources: three, width }
    }

    /// The fields read.
    pub(crate) fn sources(&self) -> [Option<Field>; 3] {
        self.sources
    }

    /// The fields read, as a set.
    pub(crate) fn fields(&self) -> FieldSet {
        self.sources.iter().flatten().copied().collect()
    }

    /// Whether the text depends on more than the sources.
    pub(crate) fn depends_on_position(&self) -> bool {
        self.form == Form::Count
    }

    /// Whether it prints what exporters call something.
    pub(crate) fn shows_names(&self) -> bool {
        matches!(self.form, Form::AppName | Form::InterfaceName | Form::VrfName)
    }

    /// Appends the text of `row`.
    #[inline]
    pub(crate) fn write(
        &self,
        columns: &Sources<'_>,
        row: usize,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) {
        let width = self.width;
        let first = || columns[0].num(row);
        let second = || columns[1].num(row);
        let third = || columns[2].num(row);
        match self.form {
            Form::Num => num_right(out, first(), width),
            Form::NumLeft => num_left(out, first(), width),
            Form::Scaled { plain } => scaled(out, first(), width, plain),
            Form::Pps { plain } => {
                let rate = per_second(first(), 1, third().saturating_sub(second()));
                scaled(out, rate, width, plain);
            }
            Form::Bps { plain } => {
                let rate = per_second(first(), 8, third().saturating_sub(second()));
                scaled(out, rate, width, plain);
            }
            Form::Bpp => num_right(out, bpp(first(), second()), width),
            Form::Count => num_right(out, context.number, width),
            Form::Time { between } => context.time.millis(out, first(), between),
            Form::TimeUtc => context.utc.millis(out, first(), b' '),
            Form::TimeSeconds => context.time.seconds(out, first(), b' '),
            Form::Thousandths => thousandths(out, first(), width),
            Form::ThousandthsLong => {
                thousandths(out, first(), width);
                out.extend_from_slice(b"000");
            }
            Form::UnixSeconds => num(out, first() / 1_000),
            Form::UnixMillis => num(out, first() % 1_000),
            Form::Family => num(out, family(columns[0].ip(row))),
            Form::Words => words(out, columns[0].ip(row)),
            Form::Duration(style) => duration(out, second().saturating_sub(first()), style),
            Form::Proto => proto(out, first(), width),
            Form::Addr { condensed } => addr(out, columns[0].ip(row), width, condensed),
            Form::Network { condensed, prefix_width } => {
                network(out, columns[0].ip(row), second(), width, condensed);
                num_left(out, second(), prefix_width);
            }
            Form::JsonNetwork => {
                if second() != 0 || third() != 0 {
                    let network = json_network(columns[0].ip(row), second());
                    out.extend_from_slice(AddrText::new(network).as_bytes());
                }
            }
            Form::PortAfter => {
                out.push(separator(columns[0].ip(row)));
                num_left(out, second(), width);
            }
            Form::DstPortAfter => {
                out.push(separator(columns[0].ip(row)));
                let start = out.len();
                if Protocol(third() as u8).is_icmp() {
                    type_code(out, second());
                    spaces(out, width.saturating_sub(out.len() - start));
                } else {
                    num_left(out, second(), width);
                }
            }
            Form::DstPort => {
                if Protocol(second() as u8).is_icmp() {
                    let mut text = Vec::with_capacity(8);
                    type_code(&mut text, first());
                    right(out, &text, width);
                } else {
                    num_right(out, first(), width);
                }
            }
            Form::IcmpType => num_right(out, icmp(first(), second()) >> 8, width),
            Form::IcmpCode => num_right(out, icmp(first(), second()) & 0xff, width),
            Form::TcpFlags => tcp_flags(out, first()),
            Form::TcpFlagsOfTcp => {
                let is_tcp = Protocol(second() as u8) == Protocol::TCP;
                tcp_flags(out, if is_tcp { first() } else { 0 });
            }
            Form::Direction => right(out, if first() == 0 { b"I" } else { b"E" }, width),
            Form::NfVersion => nf_version(out, first(), second() & RecordFlags::EVENT != 0),
            Form::Mac => mac(out, first()),
            Form::Mpls => mpls(out, first(), width),
            Form::Hex { digits } => hex(out, first(), usize::from(digits)),
            Form::HexLeft => {
                out.extend_from_slice(b"0x");
                left(out, hex_digits(first(), &mut [0; 16]), width);
            }
            Form::Event => right(out, event(Groups(first()), second(), third()).as_bytes(), width),
            Form::Xevent => match xevent(first()) {
                Some(name) => right(out, name.as_bytes(), width),
                None => num_right(out, first(), width),
            },
            Form::FirewallEvent => out.extend_from_slice(firewall_event(first()).as_bytes()),
            Form::NatEventLong => out.extend_from_slice(nat_event_long(first()).as_bytes()),
            Form::Text { none } => text(out, columns[0].bytes(row), width, none),
            Form::TextLeft { none } => {
                let start = out.len();
                text(out, columns[0].bytes(row), 0, none);
                spaces(out, width.saturating_sub(out.len() - start));
            }
            Form::Country => out.extend_from_slice(&country_letters(first())),
            Form::JsonText { none } => match columns[0].bytes(row) {
                [] | [0, ..] => out.extend_from_slice(none.as_bytes()),
                bytes => json_string(out, bytes),
            },
            Form::AppId => app_id(out, columns[0].bytes(row), width),
            Form::AppName => {
                let name = context.names.application(second(), columns[0].bytes(row));
                right(out, name.as_bytes(), width);
            }
            Form::InterfaceName => {
                out.extend_from_slice(context.names.interface(second(), first()).as_bytes());
            }
            Form::VrfName => out.extend_from_slice(context.names.vrf(second(), first()).as_bytes()),
            Form::Payload => payload::write(out, columns[0].bytes(row)),
            Form::Ja3 => match (columns[0].bytes(row), columns[1].bytes(row)) {
                ([], [_, ..]) => right(out, b"ja3 error", width),
                (hash, _) => right(out, hash, width),
            },
            Form::Ja4 => match columns[0].bytes(row) {
                [] => right(out, b"no ja4", width),
                fingerprint => {
                    spaces(out, width.saturating_sub("ja4 : ".len() + fingerprint.len().max(32)));
                    out.extend_from_slice(b"ja4 : ");
                    right(out, fingerprint, 32);
                }
            },
            Form::TlsVersion => right(out, payload::tls_version(columns[0].bytes(row)).as_bytes(), width),
            Form::Symbol { names } => match names.iter().find(|(_, number)| *number == first()) {
                Some((name, _)) => right(out, name.as_bytes(), width),
                None => num_right(out, first(), width),
            },
            Form::SymbolLeft { names } => match names.iter().find(|(_, number)| *number == first()) {
                Some((name, _)) => left(out, name.as_bytes(), width),
                None => num_left(out, first(), width),
            },
            Form::AddrLeft => left(out, AddrText::new(columns[0].ip(row)).as_bytes(), width),
            Form::OwnNetwork { quotes } => own_network(out, context.names.network(first()), width, quotes),
            Form::Name { names, none } => match names.iter().find(|(_, number)| *number == first()) {
                _ if !Groups(second()).contains(Groups::PF) => right(out, none.as_bytes(), width),
                Some((name, _)) => right(out, name.as_bytes(), width),
                None => num_right(out, first(), width),
            },
            Form::Fragment => {
                out.extend_from_slice(if first() & 0x40 == 0 { b"--" } else { b"DF" });
                out.extend_from_slice(if first() & 0x20 == 0 { b"--" } else { b"MF" });
            }
            Form::ServerName => text(out, payload::server_name(columns[0].bytes(row)), width, ""),
            Form::RecordType => {
                let is_event = first() & RecordFlags::EVENT != 0;
                out.extend_from_slice(if is_event { b"EVENT" } else { b"FLOW" });
            }
            Form::Sampled => num(out, u64::from(first() & RecordFlags::SAMPLED != 0)),
        }
    }
}

/// Appends a protocol's name, or its number, left-justified.
pub(crate) fn proto(out: &mut Vec<u8>, number: u64, width: usize) {
    match protocol_name(number as u8) {
        Some(name) => left(out, name.as_bytes(), width),
        None => num_left(out, number, width),
    }
}

/// Appends an address, right-justified.
#[inline]
pub(crate) fn addr(out: &mut Vec<u8>, addr: IpAddr, width: usize, condensed: bool) {
    let text = AddrText::new(addr);
    if condensed { text.condensed() } else { text }.put_right(out, width);
}

/// The number of an address family on Linux.
pub(crate) fn family(addr: IpAddr) -> u64 {
    if addr.is_ipv4() { 2 } else { 10 }
}

/// Appends an address as four words.
pub(crate) fn words(out: &mut Vec<u8>, addr: IpAddr) {
    let bits = match addr {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    for shift in [96, 64, 32, 0] {
        if shift < 96 {
            out.push(b'|');
        }
        num(out, u64::from((bits >> shift) as u32));
    }
}

/// Appends the network of an address, right-justified in `width`, and a slash.
fn network(out: &mut Vec<u8>, whole: IpAddr, prefix: u64, width: usize, condensed: bool) {
    let network = match (prefix, whole) {
        // nfdump shows the whole IPv4 address, and the first half of an IPv6 address, of a network without
        // prefix length.
        (0, IpAddr::V4(_)) => whole,
        (0, IpAddr::V6(_)) => masked(whole, 64),
        _ => masked(whole, prefix),
    };
    addr(out, network, width, condensed);
    out.push(b'/');
}

/// The network that nfdump's json shows. Of an IPv6 address it clears as many of the *last* bits as the
/// prefix is long: right for the usual 64 only, and followed because readers compare these texts with
/// nfdump's.
fn json_network(addr: IpAddr, prefix: u64) -> IpAddr {
    match addr {
        IpAddr::V4(_) => masked(addr, prefix),
        IpAddr::V6(_) if prefix == 128 => masked(addr, 64),
        IpAddr::V6(v6) => {
            let kept = u128::MAX.checked_shl(prefix as u32).unwrap_or(0);
            IpAddr::V6((v6.to_bits() & kept).into())
        }
    }
}

/// What stands between an address and its port.
fn separator(addr: IpAddr) -> u8 {
    if addr.is_ipv4() { b':' } else { b'.' }
}

/// Appends the type and code that a destination port of ICMP stands for.
pub(crate) fn type_code(out: &mut Vec<u8>, port: u64) {
    num(out, port >> 8);
    out.push(b'.');
    num(out, port & 0xff);
}

fn icmp(port: u64, proto: u64) -> u64 {
    if Protocol(proto as u8).is_icmp() { port } else { 0 }
}

/// Appends `EVT`, `Nv`, `Sv` (sFlow) or `Pv` (nfpcapd) and the version, `FLO` when it is not known.
fn nf_version(out: &mut Vec<u8>, version: u64, is_event: bool) {
    let (kind, version): (&[u8], _) = match version {
        _ if is_event => (b"EVT", version),
        0 => return out.extend_from_slice(b"FLO"),
        _ if version & SFLOW != 0 => (b"Sv", version & 0xf),
        _ if version & PCAP != 0 => (b"Pv", version & 0xf),
        _ => (b"Nv", version),
    };
    out.extend_from_slice(kind);
    num(out, version);
}

/// The bit of [`Field::NfVersion`] that says sFlow.
pub(crate) const SFLOW: u64 = 0x80;

/// The bit of [`Field::NfVersion`] that says nfpcapd.
pub(crate) const PCAP: u64 = 0x40;

/// The name of the firewall or NAT event that a record carries.
pub(crate) fn event(groups: Groups, firewall: u64, nat: u64) -> &'static str {
    if groups.contains(Groups::NSEL) && !groups.contains(Groups::NAT) {
        firewall_event(firewall)
    } else {
        nat_event(nat)
    }
}

fn text(out: &mut Vec<u8>, bytes: &[u8], width: usize, none: &str) {
    let text = printable(bytes);
    let len = text.clone().count();
    if len == 0 {
        right(out, none.as_bytes(), width);
    } else {
        spaces(out, width.saturating_sub(len));
        out.extend(text);
    }
}

/// Appends the name of an own network, right-justified; `-` for none, and nothing in json.
pub(crate) fn own_network(out: &mut Vec<u8>, name: &str, width: usize, quotes: Quotes) {
    match quotes {
        Quotes::Json => json_string(out, name.as_bytes()),
        Quotes::Csv if name.contains([',', '"']) => {
            out.push(b'"');
            out.extend_from_slice(name.replace('"', "\"\"").as_bytes());
            out.push(b'"');
        }
        Quotes::Csv | Quotes::None => text(out, name.as_bytes(), width, "-"),
    }
}

/// Appends an application id as `class..number`, the class right-justified; without an id both are 0.
pub(crate) fn app_id(out: &mut Vec<u8>, id: &[u8], width: usize) {
    let (class, mut number) = id.split_first().unwrap_or((&0, &[]));
    num_right(out, u64::from(*class), width);
    out.extend_from_slice(b"..");
    if *class == OF_ENTERPRISE {
        let (enterprise, selector) = number.split_at(number.len().min(4));
        let mut octets = [0; 4];
        octets[..enterprise.len()].copy_from_slice(enterprise);
        num(out, u32::from_be_bytes(octets).into());
        out.extend_from_slice(b"..");
        number = selector;
    }
    num(out, number.iter().take(8).fold(0, |number, octet| number << 8 | u64::from(*octet)));
}

/// The classification engine whose ids begin with the number of an enterprise (RFC 6759, PANA-L7-PEN).
const OF_ENTERPRISE: u8 = 20;
