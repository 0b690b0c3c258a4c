//! The parts of a catalogue row: how a field is stored, found on the wire, filtered, printed and grouped.

use crate::Field;

/// How the values of a field are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 8-bit number.
    U8,
    /// 16-bit number.
    U16,
    /// 32-bit number.
    U32,
    /// 64-bit number.
    U64,
    /// IPv4 or IPv6 address.
    Ip,
    /// Octets of any length.
    Bytes,
}

/// What a number counts or names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A plain number, code or identifier.
    None,
    /// Milliseconds since 1970 UTC.
    UnixMillis,
    /// Microseconds of duration.
    Micros,
    /// Packets.
    Packets,
    /// Octets.
    Bytes,
    /// Flows.
    Flows,
    /// Bits that stand for themselves.
    Flags,
    /// A 48-bit MAC address.
    Mac,
    /// A 24-bit MPLS label entry.
    Mpls,
    /// UTF-8 text.
    Text,
}

/// An information element that fills a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// IANA enterprise number; 0 for the standard's own elements and for NetFlow v9.
    pub enterprise: u32,
    /// Element id (v9: field type).
    pub id: u16,
    /// Whether it does so in NetFlow v9.
    pub v9: bool,
    /// Whether it does so in IPFIX.
    pub ipfix: bool,
}

/// The direction word in front of a filter word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The word stands alone.
    None,
    /// `src`
    Src,
    /// `dst`
    Dst,
    /// `in`
    In,
    /// `out`
    Out,
    /// `in src`
    InSrc,
    /// `in dst`
    InDst,
    /// `out src`
    OutSrc,
    /// `out dst`
    OutDst,
    /// `prev`, `previous`
    Prev,
    /// `next`
    Next,
    /// `ingress`
    Ingress,
    /// `egress`
    Egress,
}

/// What may follow a filter word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterKind {
    /// A number up to `max`.
    Number {
        /// Largest value accepted.
        max: u64,
        /// Whether a comparator may stand before it.
        compare: bool,
        /// Whether `in [..]` is accepted.
        list: bool,
        /// What nfdump says when the number is larger.
        error: &'static str,
    },
    /// A protocol, by name or number.
    Protocol,
    /// An address.
    Address {
        /// Whether `in [..]` is accepted.
        list: bool,
        /// Whether a host name is accepted.
        names: bool,
    },
    /// A network with prefix length or netmask.
    Network,
    /// A MAC address.
    Mac,
    /// TCP flags by letter or number.
    TcpFlags,
    /// A number, or one of these names.
    Symbol {
        /// The names, matched in either case.
        names: &'static [(&'static str, u64)],
        /// Largest number accepted.
        max: u64,
        /// Whether comparators are accepted.
        compare: bool,
        /// What nfdump says when the number is larger.
        error: &'static str,
    },
    /// A latency in µs. nfdump's manual says milliseconds, but nfdump 1.7.1 compares what is stored.
    Latency,
    /// A time, ISO 8601.
    Time,
    /// A word that must equal the field.
    Text {
        /// How many octets it may have.
        max: usize,
        /// What nfdump says when it is longer.
        error: &'static str,
    },
    /// The name of an own network, bare or in quotes.
    OwnNetwork,
}

/// One way to name a field in a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterWord {
    /// The word or words, lower case, without the direction.
    pub word: &'static str,
    /// The direction that selects this field.
    pub side: Side,
    /// Whether the word without direction tests this field (fields are or-ed).
    pub undirected: bool,
    /// What follows.
    pub kind: FilterKind,
}

/// A value that is computed from fields, not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Derived {
    /// Last minus first, ms; 0 when negative.
    DurationMs,
    /// In packets per second of duration.
    Pps,
    /// In bits per second of duration.
    Bps,
    /// In bytes per in packet.
    Bpp,
    /// ICMP type of the destination port; 0 for other protocols.
    IcmpType,
    /// ICMP code of the destination port; 0 for other protocols.
    IcmpCode,
    /// Position of the record in the output.
    Count,
    /// Name of the ingress interface.
    InputName,
    /// Name of the egress interface.
    OutputName,
    /// Name of the ingress VRF.
    IngressVrfName,
    /// Name of the egress VRF.
    EgressVrfName,
    /// Name of the application.
    AppName,
    /// JA3 hash of the payload.
    Ja3,
    /// JA4 of the payload.
    Ja4,
    /// TLS server name of the payload.
    Sni,
    /// TLS version of the payload.
    TlsVersion,
    /// A line break in the output.
    Newline,
}

/// Where a printed or grouped value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A field.
    Field(Field),
    /// Something computed.
    Derived(Derived),
}

/// How a `fmt:` tag prints its value; `rdump-output.md`'s widths stand in the tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TagStyle {
    /// Number, right-justified.
    Num,
    /// A blank, and a number right-justified in the rest of the width: the column grows later than the number.
    NumAfterBlank,
    /// Number scaled to M, G, T, right-justified.
    Scaled,
    /// Date and time with milliseconds, local.
    Time,
    /// The same in UTC.
    TimeUtc,
    /// Seconds since 1970 with milliseconds.
    TimeRaw,
    /// Milliseconds since 1970.
    TimeMillis,
    /// Duration as days, hours, minutes, seconds.
    Duration,
    /// Duration in seconds.
    DurationSeconds,
    /// Protocol name, left-justified.
    Proto,
    /// Address.
    Addr,
    /// Address and country.
    AddrCountry,
    /// Address and the port in this field.
    AddrPort(Field),
    /// Address, country, and the port in this field.
    AddrCountryPort(Field),
    /// Address masked by the prefix length in this field.
    Network(Field),
    /// Port, or type.code for ICMP.
    IcmpPort,
    /// TCP flags as letters.
    TcpFlags,
    /// `I` or `E`.
    Direction,
    /// Export protocol.
    NfVersion,
    /// MAC address.
    Mac,
    /// MPLS label, experimental bits, bottom of stack.
    Mpls,
    /// All ten MPLS labels.
    MplsStack,
    /// `type/id` of the engine; the field holds the type.
    Engine,
    /// Number in hexadecimal, `0x` in front.
    Hex,
    /// Latency in ms with three decimals; the field holds µs.
    Latency,
    /// Firewall or NAT event by name; which of the two the record carries decides.
    Event,
    /// Firewall event, extended.
    Xevent,
    /// NAT event by name.
    NatEvent,
    /// Three ACL ids in hexadecimal, left-justified; the field holds the first.
    AclHex,
    /// Three ACL ids in decimal; the field holds the first.
    AclDecimal,
    /// Text; `<none>` when empty.
    Label,
    /// Text; `<empty>` when empty.
    UserName,
    /// NBAR application id as class..number.
    AppId,
    /// Two-letter country.
    Country,
    /// Payload dump.
    Payload,
    /// Text, right-justified.
    Text,
    /// Text, left-justified; this when empty.
    TextLeft(&'static str),
    /// Text, right-justified; this when empty.
    TextOr(&'static str),
    /// One of these names, right-justified, or the number.
    Symbol(&'static [(&'static str, u64)]),
    /// Name of an own network, right-justified; `-` for none.
    OwnNetwork,
    /// One of these names, right-justified, or the number; this when the record does not carry the field's group.
    Name(&'static [(&'static str, u64)], &'static str),
    /// Smallest and largest time to live; the field holds the smallest.
    Ttl,
    /// `DF` and `MF`, `--` for each that is not set.
    Fragment,
    /// Nothing at all.
    Nothing,
    /// Line break.
    Newline,
}

/// One `%` tag of a `fmt:` string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// Name without `%`.
    pub name: &'static str,
    /// Column heading with its blanks.
    pub header: &'static str,
    /// Width of the value.
    pub width: u8,
    /// How the value is printed.
    pub style: TagStyle,
    /// Where the value comes from.
    pub source: Source,
}

/// One element statistic (`-s`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statistic {
    /// Name after `-s`.
    pub name: &'static str,
    /// Name in headings, with nfdump's blanks.
    pub heading: &'static str,
    /// The fields; a record counts once for each.
    pub fields: &'static [Field],
    /// Whether rows are always split by protocol.
    pub by_proto: bool,
}

/// One field of an aggregation list (`-A`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Aggregate {
    /// Name in the list.
    pub name: &'static str,
    /// The tag of the column that the automatic format prints.
    pub tag: &'static str,
    /// What is grouped by.
    pub source: Source,
}

/// One row of the catalogue of derived values.
#[derive(Clone, Copy, Debug)]
pub struct DerivedInfo {
    /// The value.
    pub derived: Derived,
    /// What it is computed from.
    pub inputs: &'static [Field],
    /// Filter words.
    pub filter: &'static [FilterWord],
    /// `%` tags.
    pub tags: &'static [Tag],
}
