//! The catalogue: one row per field, and one per value derived from fields.
//!
//! Whoever decodes, stores, filters, prints or groups reads these rows. Adding a field is adding its number in
//! `field.rs`, its row here, and its tests.

use crate::facet::{
    Aggregate, Derived, DerivedInfo, Element, FilterKind, FilterWord, Kind, Side, Source, Statistic, Tag,
    TagStyle, Unit,
};
use crate::{Field, FlowSide, Group, Groups};

/// Everything that is known about a field.
#[derive(Clone, Copy, Debug)]
pub struct FieldInfo {
    /// The field.
    pub field: Field,
    /// Its name in our own texts.
    pub name: &'static str,
    /// How its values are held.
    pub kind: Kind,
    /// What a number counts.
    pub unit: Unit,
    /// The group it is carried in.
    pub group: Group,
    /// Information elements that fill it, the preferred one first.
    pub elements: &'static [Element],
    /// How filters name it.
    pub filter: &'static [FilterWord],
    /// `%` tags that print it.
    pub tags: &'static [Tag],
    /// Element statistics over it; one over several fields stands in the row of the first.
    pub statistics: &'static [Statistic],
    /// Names in `-A` lists.
    pub aggregates: &'static [Aggregate],
    /// Key in json; `{}` stands for 4 or 6, the family of the address.
    pub json: Option<&'static str>,
    /// Column name in csv.
    pub csv: Option<&'static str>,
}

/// The row of `field`.
pub fn field_info(field: Field) -> &'static FieldInfo {
    &FIELDS[field as usize]
}

/// Every row, in the order of the fields' numbers.
pub fn fields() -> &'static [FieldInfo] {
    &FIELDS
}

/// The row of a derived value.
pub fn derived_info(derived: Derived) -> &'static DerivedInfo {
    DERIVED.iter().find(|info| info.derived == derived).expect("every derived value has a row")
}

/// Every `%` tag.
pub fn tags() -> impl Iterator<Item = &'static Tag> {
    FIELDS.iter().flat_map(|info| info.tags).chain(DERIVED.iter().flat_map(|info| info.tags))
}

/// The tag called `name`, which is case-sensitive.
pub fn tag_by_name(name: &str) -> Option<&'static Tag> {
    tags().find(|tag| tag.name == name)
}

/// Every element statistic.
pub fn statistics() -> impl Iterator<Item = &'static Statistic> {
    FIELDS.iter().flat_map(|info| info.statistics)
}

/// The element statistic called `name`, in either case.
pub fn statistic_by_name(name: &str) -> Option<&'static Statistic> {
    statistics().find(|statistic| statistic.name.eq_ignore_ascii_case(name))
}

/// The aggregation field called `name`, in either case, without prefix length.
pub fn aggregate_by_name(name: &str) -> Option<&'static Aggregate> {
    FIELDS.iter().flat_map(|info| info.aggregates).find(|aggregate| aggregate.name.eq_ignore_ascii_case(name))
}

const fn row(field: Field, name: &'static str, kind: Kind, unit: Unit, group: Group) -> FieldInfo {
    FieldInfo {
        field,
        name,
        kind,
        unit,
        group,
        elements: &[],
        filter: &[],
        tags: &[],
        statistics: &[],
        aggregates: &[],
        json: None,
        csv: None,
    }
}

impl FieldInfo {
    const fn elements(mut self, elements: &'static [Element]) -> FieldInfo {
        self.elements = elements;
        self
    }

    const fn filter(mut self, filter: &'static [FilterWord]) -> FieldInfo {
        self.filter = filter;
        self
    }

    const fn tags(mut self, tags: &'static [Tag]) -> FieldInfo {
        self.tags = tags;
        self
    }

    const fn statistics(mut self, statistics: &'static [Statistic]) -> FieldInfo {
        self.statistics = statistics;
        self
    }

    const fn aggregates(mut self, aggregates: &'static [Aggregate]) -> FieldInfo {
        self.aggregates = aggregates;
        self
    }

    const fn json(mut self, key: &'static str) -> FieldInfo {
        self.json = Some(key);
        self
    }

    const fn csv(mut self, name: &'static str) -> FieldInfo {
        self.csv = Some(name);
        self
    }
}

const fn both(id: u16) -> Element {
    Element { enterprise: 0, id, v9: true, ipfix: true }
}

const fn v9(id: u16) -> Element {
    Element { enterprise: 0, id, v9: true, ipfix: false }
}

const fn ipfix(id: u16) -> Element {
    Element { enterprise: 0, id, v9: false, ipfix: true }
}

const fn enterprise(enterprise: u32, id: u16) -> Element {
    Element { enterprise, id, v9: false, ipfix: true }
}

const fn tag(name: &'static str, header: &'static str, width: u8, style: TagStyle, field: Field) -> Tag {
    Tag { name, header, width, style, source: Source::Field(field) }
}

const fn stat(name: &'static str, heading: &'static str, fields: &'static [Field]) -> Statistic {
    Statistic { name, heading, fields, by_proto: false }
}

impl Statistic {
    const fn split(mut self) -> Statistic {
        self.by_proto = true;
        self
    }
}

const fn agg(name: &'static str, tag: &'static str, field: Field) -> Aggregate {
    Aggregate { name, tag, source: Source::Field(field) }
}

const fn word(word: &'static str, side: Side, undirected: bool, kind: FilterKind) -> FilterWord {
    FilterWord { word, side, undirected, kind }
}

const fn number(max: u64, compare: bool, list: bool, error: &'static str) -> FilterKind {
    FilterKind::Number { max, compare, list, error }
}

const fn address(list: bool, names: bool) -> FilterKind {
    FilterKind::Address { list, names }
}

const fn symbol(
    names: &'static [(&'static str, u64)],
    max: u64,
    compare: bool,
    error: &'static str,
) -> FilterKind {
    FilterKind::Symbol { names, max, compare, error }
}

const FORWARDING_STATUS: &[(&str, u64)] = &[
    ("Ukwn", 0),
    ("Forw", 1),
    ("Frag", 2),
    ("Drop", 16),
    ("DaclD", 17),
    ("Daclp", 18),
    ("Noroute", 19),
    ("Dadj", 20),
    ("Dfrag", 21),
    ("Dbadh", 22),
    ("Dbadtlen", 23),
    ("Dbadhlen", 24),
    ("DbadTTL", 25),
    ("Dpolicy", 26),
    ("Dwred", 27),
    ("Drpf", 28),
    ("Dforus", 29),
    ("DbadOf", 30),
    ("Dhw", 31),
    ("Term", 128),
    ("Tadj", 129),
    ("TincAdj", 130),
    ("Tforus", 131),
];

const FIREWALL_EVENT: &[(&str, u64)] =
    &[("ignore", 0), ("create", 1), ("delete", 2), ("term", 2), ("deny", 3), ("alert", 4), ("update", 5)];

/// OpenBSD's `PF_*` and `PFRES_*` of `net/pfvar.h`, as nfdump spells them.
const PF_ACTION: &[(&str, u64)] = &[
    ("pass", 0),
    ("block", 1),
    ("scrub", 2),
    ("noscrub", 3),
    ("nat", 4),
    ("nonat", 5),
    ("binat", 6),
    ("nobinat", 7),
    ("rdr", 8),
    ("nordr", 9),
    ("synblock", 10),
    ("defer", 11),
    ("match", 12),
    ("divert", 13),
    ("rt", 14),
    ("afrt", 15),
];

const PF_DIRECTION: &[(&str, u64)] = &[("out", 0), ("in", 1)];

const PF_REASON: &[(&str, u64)] = &[
    ("match", 0),
    ("bad-offset", 1),
    ("fragment", 2),
    ("short", 3),
    ("normalize", 4),
    ("memory", 5),
    ("bad-timestamp", 6),
    ("congestion", 7),
    ("ip-option", 8),
    ("proto-cksum", 9),
    ("state-mismatch", 10),
    ("state-insert", 11),
    ("state-limit", 12),
    ("src-limit", 13),
    ("synproxy", 14),
    ("translate", 15),
    ("no-route", 16),
];

/// The registry of element 230, as nfdump spells it.
const NAT_EVENT: &[(&str, u64)] = &[
    ("invalid", 0),
    ("add", 1),
    ("create", 1),
    ("delete", 2),
    ("exhaust", 3),
    ("add44", 4),
    ("del44", 5),
    ("add64", 6),
    ("del64", 7),
    ("add44bib", 8),
    ("del44bib", 9),
    ("add64bib", 10),
    ("del64bib", 11),
    ("pexhaust", 12),
    ("quotaexh", 13),
    ("addaddr", 14),
    ("deladdr", 15),
    ("addpblk", 16),
    ("delpblk", 17),
    ("threshld", 18),
];

const fn derived(
    derived: Derived,
    inputs: &'static [Field],
    filter: &'static [FilterWord],
    tags: &'static [Tag],
) -> DerivedInfo {
    DerivedInfo { derived, inputs, filter, tags }
}

const fn dtag(name: &'static str, header: &'static str, width: u8, style: TagStyle, derived: Derived) -> Tag {
    Tag { name, header, width, style, source: Source::Derived(derived) }
}

/// A number that nfdump takes as large as it comes: one that no flow can have matches none.
const UNLIMITED: FilterKind = number(u64::MAX, true, false, "Number out of range");

/// The values that are computed from fields.
pub static DERIVED: &[DerivedInfo] = &[
    derived(
        Derived::DurationMs,
        &[Field::FirstMs, Field::LastMs],
        &[word("duration", Side::None, true, UNLIMITED)],
        &[
            dtag("td", "    Duration    ", 16, TagStyle::Duration, Derived::DurationMs),
            dtag("tds", "    Duration    ", 16, TagStyle::DurationSeconds, Derived::DurationMs),
        ],
    ),
    derived(
        Derived::Pps,
        &[Field::InPackets, Field::FirstMs, Field::LastMs],
        &[word("pps", Side::None, true, UNLIMITED)],
        &[dtag("pps", "     pps", 8, TagStyle::Scaled, Derived::Pps)],
    ),
    derived(
        Derived::Bps,
        &[Field::InBytes, Field::FirstMs, Field::LastMs],
        &[word("bps", Side::None, true, UNLIMITED)],
        &[dtag("bps", "     bps", 8, TagStyle::Scaled, Derived::Bps)],
    ),
    derived(
        Derived::Bpp,
        &[Field::InBytes, Field::InPackets],
        &[word("bpp", Side::None, true, UNLIMITED)],
        &[dtag("bpp", "   Bpp", 6, TagStyle::Num, Derived::Bpp)],
    ),
    derived(
        Derived::IcmpType,
        &[Field::Proto, Field::DstPort],
        &[
            word("icmp-type", Side::None, true, number(255, true, false, "ICMP type of range 0..255")),
            word("icmp type", Side::None, true, number(255, true, false, "ICMP type of range 0..255")),
        ],
        &[dtag("it", "ICMP-T", 6, TagStyle::Num, Derived::IcmpType)],
    ),
    derived(
        Derived::IcmpCode,
        &[Field::Proto, Field::DstPort],
        &[
            word("icmp-code", Side::None, true, number(255, true, false, "ICMP code of range 0..255")),
            word("icmp code", Side::None, true, number(255, true, false, "ICMP code of range 0..255")),
        ],
        &[dtag("ic", "ICMP-C", 6, TagStyle::Num, Derived::IcmpCode)],
    ),
    derived(
        Derived::Count,
        &[],
        &[word("count", Side::None, true, UNLIMITED), word("cnt", Side::None, true, UNLIMITED)],
        &[dtag("cnt", "Count", 5, TagStyle::Num, Derived::Count)],
    ),
    derived(
        Derived::InputName,
        &[],
        &[],
        &[dtag("inam", " Input interface name", 0, TagStyle::Nothing, Derived::InputName)],
    ),
    derived(
        Derived::OutputName,
        &[],
        &[],
        &[dtag("onam", "Output interface name", 0, TagStyle::Nothing, Derived::OutputName)],
    ),
    derived(
        Derived::IngressVrfName,
        &[],
        &[],
        &[dtag("ivrfnam", "  I-VRF-Name", 0, TagStyle::Nothing, Derived::IngressVrfName)],
    ),
    derived(
        Derived::EgressVrfName,
        &[],
        &[],
        &[dtag("evrfnam", "  E-VRF-Name", 0, TagStyle::Nothing, Derived::EgressVrfName)],
    ),
    derived(Derived::AppName, &[], &[], &[dtag("nbnam", "nbar name", 9, TagStyle::Text, Derived::AppName)]),
    derived(
        Derived::Ja3,
        &[Field::Ja3, Field::InPayload],
        &[],
        &[dtag("ja3", "                             ja3", 32, TagStyle::Text, Derived::Ja3)],
    ),
    derived(
        Derived::Ja4,
        &[Field::Ja4],
        &[],
        &[dtag("ja4", "                                   ja4", 38, TagStyle::Text, Derived::Ja4)],
    ),
    derived(
        Derived::TlsVersion,
        &[Field::InPayload],
        &[],
        &[dtag("tls", "TLS ver", 7, TagStyle::Text, Derived::TlsVersion)],
    ),
    derived(
        Derived::Sni,
        &[Field::InPayload],
        &[],
        &[dtag("sni", "sni name", 6, TagStyle::Text, Derived::Sni)],
    ),
    derived(Derived::Newline, &[], &[], &[dtag("n", "", 0, TagStyle::Newline, Derived::Newline)]),
];

/// The rows, in the order of the fields' numbers.
pub(crate) static FIELDS: [FieldInfo; Field::COUNT] = [
    row(Field::Groups, "groups", Kind::U64, Unit::Flags, Group::Header),
    row(Field::FirstMs, "first_ms", Kind::U64, Unit::UnixMillis, Group::Extension(Groups::GENERIC)).elements(&[both(152), both(156), both(154), both(22), both(150), both(158)]).filter(&[word("first seen", Side::None, true, FilterKind::Time)]).tags(&[tag("tfs", "Date first seen        ", 23, TagStyle::Time, Field::FirstMs), tag("ts", "Date first seen        ", 23, TagStyle::Time, Field::FirstMs), tag("tsr", "Date first seen (raw)    ", 14, TagStyle::TimeRaw, Field::FirstMs), tag("tsg", "First seen GMT         ", 23, TagStyle::TimeUtc, Field::FirstMs)]).json("first").csv("ts"),
    row(Field::LastMs, "last_ms", Kind::U64, Unit::UnixMillis, Group::Extension(Groups::GENERIC)).elements(&[both(153), both(157), both(155), both(21), both(151), both(159)]).filter(&[word("last seen", Side::None, true, FilterKind::Time)]).tags(&[tag("te", "Date last seen         ", 23, TagStyle::Time, Field::LastMs), tag("ter", "Date last seen (raw)     ", 14, TagStyle::TimeRaw, Field::LastMs), tag("teg", "Last seen GMT          ", 23, TagStyle::TimeUtc, Field::LastMs)]).json("last").csv("te"),
    row(Field::ReceivedMs, "received_ms", Kind::U64, Unit::UnixMillis, Group::Extension(Groups::GENERIC)).filter(&[word("received", Side::None, true, FilterKind::Time)]).tags(&[tag("tr", "Date flow received     ", 23, TagStyle::Time, Field::ReceivedMs), tag("trr", "Date flow received (raw)  ", 14, TagStyle::TimeRaw, Field::ReceivedMs), tag("trg", "Date flow received GMT ", 23, TagStyle::TimeUtc, Field::ReceivedMs)]).json("received").csv("tr"),
    row(Field::SrcAddr, "src_addr", Kind::Ip, Unit::None, Group::ByFamily(Groups::IPV4, Groups::IPV6)).elements(&[both(8), both(27), enterprise(9, 12236)]).filter(&[word("ip", Side::Src, true, address(true, true)), word("host", Side::Src, true, address(true, true)), word("net", Side::Src, true, FilterKind::Network)]).tags(&[tag("sa", "     Src IP Addr", 16, TagStyle::Addr, Field::SrcAddr), tag("gsa", "     Src IP Addr(..)", 20, TagStyle::AddrCountry, Field::SrcAddr), tag("sn", "        Src Network", 19, TagStyle::Network(Field::SrcMask), Field::SrcAddr), tag("sap", "     Src IP Addr:Port ", 22, TagStyle::AddrPort(Field::SrcPort), Field::SrcAddr), tag("gsap", "     Src IP Addr(..):Port ", 26, TagStyle::AddrCountryPort(Field::SrcPort), Field::SrcAddr)]).statistics(&[stat("srcip", "Src IP Addr", &[Field::SrcAddr]), stat("ip", "IP Addr", &[Field::SrcAddr, Field::DstAddr])]).aggregates(&[agg("srcip", "sa", Field::SrcAddr), agg("srcnet", "sn", Field::SrcAddr)]).json("src{}_addr").csv("sa"),
    row(Field::DstAddr, "dst_addr", Kind::Ip, Unit::None, Group::ByFamily(Groups::IPV4, Groups::IPV6)).elements(&[both(12), both(28), enterprise(9, 12237)]).filter(&[word("ip", Side::Dst, true, address(true, true)), word("host", Side::Dst, true, address(true, true)), word("net", Side::Dst, true, FilterKind::Network)]).tags(&[tag("da", "     Dst IP Addr", 16, TagStyle::Addr, Field::DstAddr), tag("gda", "     Dst IP Addr(..)", 20, TagStyle::AddrCountry, Field::DstAddr), tag("dn", "        Dst Network", 19, TagStyle::Network(Field::DstMask), Field::DstAddr), tag("dap", "     Dst IP Addr:Port ", 22, TagStyle::AddrPort(Field::DstPort), Field::DstAddr), tag("gdap", "     Dst IP Addr(..):Port ", 26, TagStyle::AddrCountryPort(Field::DstPort), Field::DstAddr)]).statistics(&[stat("dstip", "Dst IP Addr", &[Field::DstAddr])]).aggregates(&[agg("dstip", "da", Field::DstAddr), agg("dstnet", "dn", Field::DstAddr)]).json("dst{}_addr").csv("da"),
    row(Field::SrcPort, "src_port", Kind::U16, Unit::None, Group::Extension(Groups::GENERIC)).elements(&[both(7), ipfix(180), ipfix(182)]).filter(&[word("port", Side::Src, true, number(0xffff, true, true, "Port outside of range 0..65535"))]).tags(&[tag("sp", "Src Pt", 6, TagStyle::Num, Field::SrcPort)]).statistics(&[stat("srcport", "Src Port", &[Field::SrcPort]), stat("port", "Port", &[Field::SrcPort, Field::DstPort])]).aggregates(&[agg("srcport", "sp", Field::SrcPort)]).json("src_port").csv("sp"),
    row(Field::DstPort, "dst_port", Kind::U16, Unit::None, Group::Extension(Groups::GENERIC)).elements(&[both(11), ipfix(181), ipfix(183), both(32), both(139), both(176), both(177), both(178), both(179), enterprise(9, 12241)]).filter(&[word("port", Side::Dst, true, number(0xffff, true, true, "Port outside of range 0..65535"))]).tags(&[tag("dp", "Dst Pt", 6, TagStyle::IcmpPort, Field::DstPort)]).statistics(&[stat("dstport", "Dst Port", &[Field::DstPort])]).aggregates(&[agg("dstport", "dp", Field::DstPort)]).json("dst_port").csv("dp"),
    row(Field::Proto, "proto", Kind::U8, Unit::None, Group::Extension(Groups::GENERIC)).elements(&[both(4)]).filter(&[word("proto", Side::None, true, FilterKind::Protocol)]).tags(&[tag("pr", "Proto", 5, TagStyle::Proto, Field::Proto)]).statistics(&[stat("proto", "Protocol", &[Field::Proto]).split()]).aggregates(&[agg("proto", "pr", Field::Proto)]).json("proto").csv("pr"),
    row(Field::TcpFlags, "tcp_flags", Kind::U8, Unit::Flags, Group::Extension(Groups::GENERIC)).elements(&[both(6)]).filter(&[word("flags", Side::None, true, FilterKind::TcpFlags)]).tags(&[tag("flg", "   Flags", 8, TagStyle::TcpFlags, Field::TcpFlags)]).statistics(&[stat("flags", "TCP flags", &[Field::TcpFlags])]).aggregates(&[agg("flags", "flg", Field::TcpFlags)]).json("tcp_flags").csv("flg"),
    row(Field::FwdStatus, "fwd_status", Kind::U8, Unit::None, Group::Extension(Groups::GENERIC)).elements(&[both(89)]).filter(&[word("fwdstat", Side::None, true, symbol(FORWARDING_STATUS, 255, false, "Forwarding status of range 0..255"))]).tags(&[tag("fwd", "Fwd", 3, TagStyle::Num, Field::FwdStatus)]).json("fwd_status").csv("fwd"),
    row(Field::SrcTos, "src_tos", Kind::U8, Unit::None, Group::Extension(Groups::GENERIC)).elements(&[both(5)]).filter(&[word("tos", Side::Src, true, number(255, true, false, "TOS must be 0..255"))]).tags(&[tag("tos", "Tos", 3, TagStyle::Num, Field::SrcTos), tag("stos", "STos", 4, TagStyle::Num, Field::SrcTos)]).statistics(&[stat("tos", "Tos", &[Field::SrcTos]), stat("srctos", "Tos", &[Field::SrcTos])]).aggregates(&[agg("tos", "tos", Field::SrcTos), agg("srctos", "stos", Field::SrcTos)]).json("src_tos").csv("stos"),
    row(Field::InPackets, "in_packets", Kind::U64, Unit::Packets, Group::Extension(Groups::GENERIC)).elements(&[both(2), both(86), both(298)]).filter(&[word("packets", Side::In, true, number(u64::MAX, true, false, "Number out of range"))]).tags(&[tag("pkt", " Packets", 8, TagStyle::Scaled, Field::InPackets), tag("ipkt", "  In Pkt", 8, TagStyle::Scaled, Field::InPackets)]).json("in_packets").csv("ipkt"),
    row(Field::InBytes, "in_bytes", Kind::U64, Unit::Bytes, Group::Extension(Groups::GENERIC)).elements(&[both(1), both(85), both(231), enterprise(9, 8337)]).filter(&[word("bytes", Side::In, true, number(u64::MAX, true, false, "Number out of range"))]).tags(&[tag("byt", "   Bytes", 8, TagStyle::Scaled, Field::InBytes), tag("ibyt", " In Byte", 8, TagStyle::Scaled, Field::InBytes)]).json("in_bytes").csv("ibyt"),
    row(Field::RecordFlags, "record_flags", Kind::U8, Unit::Flags, Group::Header).json("sampled"),
    row(Field::NfVersion, "nf_version", Kind::U8, Unit::None, Group::Header).filter(&[word("nfversion", Side::None, true, number(10, true, false, "Netflow version must be <= 10"))]).tags(&[tag("nfv", "Ver", 3, TagStyle::NfVersion, Field::NfVersion)]),
    row(Field::EngineType, "engine_type", Kind::U8, Unit::None, Group::Header).elements(&[both(38)]).filter(&[word("engine-type", Side::None, true, number(255, true, false, "Engine type of range 0..255")), word("engine type", Side::None, true, number(255, true, false, "Engine type of range 0..255"))]).tags(&[tag("eng", " engine", 7, TagStyle::Engine, Field::EngineType)]).csv("eng"),
    row(Field::EngineId, "engine_id", Kind::U8, Unit::None, Group::Header).elements(&[both(39)]).filter(&[word("engine-id", Side::None, true, number(255, true, false, "Engine ID of range 0..255")), word("engine id", Side::None, true, number(255, true, false, "Engine ID of range 0..255"))]),
    row(Field::ExporterId, "exporter_id", Kind::U16, Unit::None, Group::Header).filter(&[word("sysid", Side::None, true, number(255, false, false, "Router SysID expected between be 1..255")), word("exporter id", Side::None, true, number(0xffff, true, false, "Exporter ID of range 0..65535"))]).tags(&[tag("exp", "Exp ID", 6, TagStyle::Num, Field::ExporterId)]).aggregates(&[agg("exp", "exp", Field::ExporterId)]).json("export_sysid").csv("exid"),
    row(Field::Input, "input", Kind::U32, Unit::None, Group::Extension(Groups::MISC)).elements(&[both(10)]).filter(&[word("if", Side::In, true, number(0xffff_ffff, false, false, "Input interface number must 0..2^32"))]).tags(&[tag("in", " Input", 6, TagStyle::Num, Field::Input)]).statistics(&[stat("inif", "Input If", &[Field::Input]), stat("if", "In/Out If", &[Field::Input, Field::Output])]).aggregates(&[agg("inif", "in", Field::Input)]).json("input_snmp").csv("in"),
    row(Field::Output, "output", Kind::U32, Unit::None, Group::Extension(Groups::MISC)).elements(&[both(14)]).filter(&[word("if", Side::Out, true, number(0xffff_ffff, false, false, "Input interface number must 0..2^32"))]).tags(&[tag("out", "Output", 6, TagStyle::Num, Field::Output)]).statistics(&[stat("outif", "Output If", &[Field::Output])]).aggregates(&[agg("outif", "out", Field::Output)]).json("output_snmp").csv("out"),
    row(Field::SrcMask, "src_mask", Kind::U8, Unit::None, Group::Extension(Groups::MISC)).elements(&[both(9), both(29)]).filter(&[word("mask", Side::Src, true, number(255, false, false, "Mask outside of range 0..255"))]).tags(&[tag("smk", "SMask", 5, TagStyle::Num, Field::SrcMask)]).statistics(&[stat("srcmask", "Src Mask", &[Field::SrcMask]), stat("mask", "Mask", &[Field::SrcMask, Field::DstMask])]).aggregates(&[agg("srcmask", "smk", Field::SrcMask)]).json("src_mask").csv("smk"),
    row(Field::DstMask, "dst_mask", Kind::U8, Unit::None, Group::Extension(Groups::MISC)).elements(&[both(13), both(30)]).filter(&[word("mask", Side::Dst, true, number(255, false, false, "Mask outside of range 0..255"))]).tags(&[tag("dmk", "DMask", 5, TagStyle::Num, Field::DstMask)]).statistics(&[stat("dstmask", "Dst Mask", &[Field::DstMask])]).aggregates(&[agg("dstmask", "dmk", Field::DstMask)]).json("dst_mask").csv("dmk"),
    row(Field::Direction, "direction", Kind::U8, Unit::None, Group::Extension(Groups::MISC)).elements(&[both(61)]).filter(&[word("flowdir", Side::None, true, symbol(&[("ingress", 0), ("egress", 1)], 2, false, "Flow direction status of range 0, 1")), word("dir", Side::None, true, symbol(&[("ingress", 0), ("egress", 1)], 2, false, "Flow direction status of range 0, 1"))]).tags(&[tag("dir", "Dir", 3, TagStyle::Direction, Field::Direction)]).statistics(&[stat("dir", "Dir", &[Field::Direction])]).json("direction").csv("dir"),
    row(Field::DstTos, "dst_tos", Kind::U8, Unit::None, Group::Extension(Groups::MISC)).elements(&[both(55)]).filter(&[word("tos", Side::Dst, false, number(255, true, false, "TOS must be 0..255"))]).tags(&[tag("dtos", "DTos", 4, TagStyle::Num, Field::DstTos)]).statistics(&[stat("dsttos", "Dst Tos", &[Field::DstTos])]).aggregates(&[agg("dsttos", "dtos", Field::DstTos)]).json("dst_tos").csv("dtos"),
    row(Field::BiflowDir, "biflow_dir", Kind::U8, Unit::None, Group::Extension(Groups::MISC)).elements(&[ipfix(239)]).tags(&[tag("bfd", "Bfd", 3, TagStyle::Num, Field::BiflowDir)]),
    row(Field::FlowEndReason, "flow_end_reason", Kind::U8, Unit::None, Group::Extension(Groups::MISC)).elements(&[both(136)]).tags(&[tag("end", "End", 3, TagStyle::Num, Field::FlowEndReason)]),
    row(Field::Flows, "flows", Kind::U64, Unit::Flows, Group::Extension(Groups::COUNTERS)).elements(&[both(3), ipfix(278)]).filter(&[word("flows", Side::None, true, number(u64::MAX, true, false, "Number out of range"))]).tags(&[tag("fl", "Flows", 5, TagStyle::Num, Field::Flows)]).json("aggr_flows"),
    row(Field::OutPackets, "out_packets", Kind::U64, Unit::Packets, Group::Extension(Groups::COUNTERS)).elements(&[both(24), both(172), both(299), enterprise(29305, 2), enterprise(29305, 86)]).filter(&[word("packets", Side::Out, false, number(u64::MAX, true, false, "Number out of range"))]).tags(&[tag("opkt", " Out Pkt", 8, TagStyle::Scaled, Field::OutPackets)]).json("out_packets").csv("opkt"),
    row(Field::OutBytes, "out_bytes", Kind::U64, Unit::Bytes, Group::Extension(Groups::COUNTERS)).elements(&[both(23), both(171), both(232), enterprise(29305, 1), enterprise(29305, 85), enterprise(9, 8338)]).filter(&[word("bytes", Side::Out, false, number(u64::MAX, true, false, "Number out of range"))]).tags(&[tag("obyt", "Out Byte", 8, TagStyle::Scaled, Field::OutBytes)]).json("out_bytes").csv("obyt"),
    row(Field::SrcVlan, "src_vlan", Kind::U32, Unit::None, Group::Extension(Groups::VLAN)).elements(&[both(58)]).filter(&[word("vlan", Side::Src, true, number(0xffff, false, false, "VLAN number of range 0..65535"))]).tags(&[tag("svln", "SVlan", 5, TagStyle::Num, Field::SrcVlan)]).statistics(&[stat("srcvlan", "Src Vlan", &[Field::SrcVlan]), stat("vlan", "Vlan", &[Field::SrcVlan, Field::DstVlan])]).aggregates(&[agg("srcvlan", "svln", Field::SrcVlan)]).json("src_vlan").csv("svln"),
    row(Field::DstVlan, "dst_vlan", Kind::U32, Unit::None, Group::Extension(Groups::VLAN)).elements(&[both(59)]).filter(&[word("vlan", Side::Dst, true, number(0xffff, false, false, "VLAN number of range 0..65535"))]).tags(&[tag("dvln", "DVlan", 5, TagStyle::Num, Field::DstVlan)]).statistics(&[stat("dstvlan", "Dst Vlan", &[Field::DstVlan])]).aggregates(&[agg("dstvlan", "dvln", Field::DstVlan)]).json("dst_vlan").csv("dvln"),
    row(Field::SrcAs, "src_as", Kind::U32, Unit::None, Group::Extension(Groups::AS)).elements(&[both(16)]).filter(&[word("as", Side::Src, true, number(0xffff_ffff, true, true, "AS number of range"))]).tags(&[tag("sas", "Src AS", 6, TagStyle::Num, Field::SrcAs)]).statistics(&[stat("srcas", "Src AS", &[Field::SrcAs]), stat("as", "AS", &[Field::SrcAs, Field::DstAs])]).aggregates(&[agg("srcas", "sas", Field::SrcAs)]).json("src_as").csv("sas"),
    row(Field::DstAs, "dst_as", Kind::U32, Unit::None, Group::Extension(Groups::AS)).elements(&[both(17)]).filter(&[word("as", Side::Dst, true, number(0xffff_ffff, true, true, "AS number of range"))]).tags(&[tag("das", "Dst AS", 6, TagStyle::Num, Field::DstAs)]).statistics(&[stat("dstas", "Dst AS", &[Field::DstAs])]).aggregates(&[agg("dstas", "das", Field::DstAs)]).json("dst_as").csv("das"),
    row(Field::BgpNextHop, "bgp_next_hop", Kind::Ip, Unit::None, Group::ByFamily(Groups::BGP_NEXT_HOP_V4, Groups::BGP_NEXT_HOP_V6)).elements(&[both(18), both(63)]).filter(&[word("bgpnext ip", Side::None, true, address(false, false)), word("bgpnext host", Side::None, true, address(false, false)), word("bgp next ip", Side::None, true, address(false, false)), word("bgp next host", Side::None, true, address(false, false))]).tags(&[tag("nhb", " BGP next-hop IP", 16, TagStyle::Addr, Field::BgpNextHop)]).statistics(&[stat("nhbip", "Nexthop BGP IP", &[Field::BgpNextHop])]).aggregates(&[agg("bgpnext", "nhb", Field::BgpNextHop)]).json("bgp{}_next_hop").csv("nhb"),
    row(Field::NextHop, "next_hop", Kind::Ip, Unit::None, Group::ByFamily(Groups::NEXT_HOP_V4, Groups::NEXT_HOP_V6)).elements(&[both(15), both(62)]).filter(&[word("ip", Side::Next, false, address(true, false)), word("host", Side::Next, false, address(true, false))]).tags(&[tag("nh", "     Next-hop IP", 16, TagStyle::Addr, Field::NextHop)]).statistics(&[stat("nhip", "Nexthop IP", &[Field::NextHop])]).aggregates(&[agg("next", "nh", Field::NextHop)]).json("ip{}_next_hop").csv("nh"),
    row(Field::RouterAddr, "router_addr", Kind::Ip, Unit::None, Group::ByFamily(Groups::ROUTER_V4, Groups::ROUTER_V6)).filter(&[word("router ip", Side::None, true, address(false, false)), word("router host", Side::None, true, address(false, false)), word("exporter ip", Side::None, true, address(false, false)), word("exporter host", Side::None, true, address(false, false))]).tags(&[tag("ra", "       Router IP", 16, TagStyle::Addr, Field::RouterAddr)]).statistics(&[stat("router", "Router IP", &[Field::RouterAddr])]).aggregates(&[agg("router", "ra", Field::RouterAddr)]).json("ip{}_router").csv("ra"),
    row(Field::Mpls1, "mpls1", Kind::U32, Unit::Mpls, Group::Extension(Groups::MPLS)).elements(&[both(70)]).tags(&[tag("mpls1", " MPLS lbl 1 ", 12, TagStyle::Mpls, Field::Mpls1), tag("mpls", "                                               MPLS labels 1-10                                                                   ", 130, TagStyle::MplsStack, Field::Mpls1)]).statistics(&[stat("mpls1", " MPLS lab 1", &[Field::Mpls1])]).aggregates(&[agg("mpls1", "mpls1", Field::Mpls1)]).json("mpls_1").csv("mpls1"),
    row(Field::Mpls2, "mpls2", Kind::U32, Unit::Mpls, Group::Extension(Groups::MPLS)).elements(&[both(71)]).tags(&[tag("mpls2", " MPLS lbl 2 ", 12, TagStyle::Mpls, Field::Mpls2)]).statistics(&[stat("mpls2", " MPLS lab 2", &[Field::Mpls2])]).aggregates(&[agg("mpls2", "mpls2", Field::Mpls2)]).json("mpls_2").csv("mpls2"),
    row(Field::Mpls3, "mpls3", Kind::U32, Unit::Mpls, Group::Extension(Groups::MPLS)).elements(&[both(72)]).tags(&[tag("mpls3", " MPLS lbl 3 ", 12, TagStyle::Mpls, Field::Mpls3)]).statistics(&[stat("mpls3", " MPLS lab 3", &[Field::Mpls3])]).aggregates(&[agg("mpls3", "mpls3", Field::Mpls3)]).json("mpls_3").csv("mpls3"),
    row(Field::Mpls4, "mpls4", Kind::U32, Unit::Mpls, Group::Extension(Groups::MPLS)).elements(&[both(73)]).tags(&[tag("mpls4", " MPLS lbl 4 ", 12, TagStyle::Mpls, Field::Mpls4)]).statistics(&[stat("mpls4", " MPLS lab 4", &[Field::Mpls4])]).aggregates(&[agg("mpls4", "mpls4", Field::Mpls4)]).json("mpls_4").csv("mpls4"),
    row(Field::Mpls5, "mpls5", Kind::U32, Unit::Mpls, Group::Extension(Groups::MPLS)).elements(&[both(74)]).tags(&[tag("mpls5", " MPLS lbl 5 ", 12, TagStyle::Mpls, Field::Mpls5)]).statistics(&[stat("mpls5", " MPLS lab 5", &[Field::Mpls5])]).aggregates(&[agg("mpls5", "mpls5", Field::Mpls5)]).json("mpls_5").csv("mpls5"),
    row(Field::Mpls6, "mpls6", Kind::U32, Unit::Mpls, Group::Extension(Groups::MPLS)).elements(&[both(75)]).tags(&[tag("mpls6", " MPLS lbl 6 ", 12, TagStyle::Mpls, Field::Mpls6)]).statistics(&[stat("mpls6", " MPLS lab 6", &[Field::Mpls6])]).aggregates(&[agg("mpls6", "mpls6", Field::Mpls6)]).json("mpls_6").csv("mpls6"),
    row(Field::Mpls7, "mpls7", Kind::U32, Unit::Mpls, Group::Extension(Groups::MPLS)).elements(&[both(76)]).tags(&[tag("mpls7", " MPLS lbl 7 ", 12, TagStyle::Mpls, Field::Mpls7)]).statistics(&[stat("mpls7", " MPLS lab 7", &[Field::Mpls7])]).aggregates(&[agg("mpls7", "mpls7", Field::Mpls7)]).json("mpls_7").csv("mpls7"),
    row(Field::Mpls8, "mpls8", Kind::U32, Unit::Mpls, Group::Extension(Groups::MPLS)).elements(&[both(77)]).tags(&[tag("mpls8", " MPLS lbl 8 ", 12, TagStyle::Mpls, Field::Mpls8)]).statistics(&[stat("mpls8", " MPLS lab 8", &[Field::Mpls8])]).aggregates(&[agg("mpls8", "mpls8", Field::Mpls8)]).json("mpls_8").csv("mpls8"),
    row(Field::Mpls9, "mpls9", Kind::U32, Unit::Mpls, Group::Extension(Groups::MPLS)).elements(&[both(78)]).tags(&[tag("mpls9", " MPLS lbl 9 ", 12, TagStyle::Mpls, Field::Mpls9)]).statistics(&[stat("mpls9", " MPLS lab 9", &[Field::Mpls9])]).aggregates(&[agg("mpls9", "mpls9", Field::Mpls9)]).json("mpls_9").csv("mpls9"),
    row(Field::Mpls10, "mpls10", Kind::U32, Unit::Mpls, Group::Extension(Groups::MPLS)).elements(&[both(79)]).tags(&[tag("mpls10", "MPLS lbl 10 ", 12, TagStyle::Mpls, Field::Mpls10)]).statistics(&[stat("mpls10", "MPLS lab 10", &[Field::Mpls10])]).aggregates(&[agg("mpls10", "mpls10", Field::Mpls10)]).json("mpls_10").csv("mpls10"),
    row(Field::InSrcMac, "in_src_mac", Kind::U64, Unit::Mac, Group::Extension(Groups::MAC)).elements(&[both(56)]).filter(&[word("mac", Side::InSrc, true, FilterKind::Mac), word("mac", Side::In, false, FilterKind::Mac), word("mac", Side::Src, false, FilterKind::Mac)]).tags(&[tag("ismc", "  In src MAC Addr", 17, TagStyle::Mac, Field::InSrcMac)]).statistics(&[stat("insrcmac", "In Src Mac", &[Field::InSrcMac]), stat("srcmac", "Src Mac", &[Field::InSrcMac, Field::OutSrcMac]), stat("inmac", "In Src Mac", &[Field::InSrcMac, Field::InDstMac]), stat("mac", "Mac Addr", &[Field::InSrcMac, Field::OutDstMac, Field::InDstMac, Field::OutSrcMac])]).aggregates(&[agg("insrcmac", "ismc", Field::InSrcMac)]).json("in_src_mac").csv("ismc"),
    row(Field::OutDstMac, "out_dst_mac", Kind::U64, Unit::Mac, Group::Extension(Groups::MAC)).elements(&[both(57)]).filter(&[word("mac", Side::OutDst, true, FilterKind::Mac), word("mac", Side::Out, false, FilterKind::Mac), word("mac", Side::Dst, false, FilterKind::Mac)]).tags(&[tag("odmc", " Out dst MAC Addr", 17, TagStyle::Mac, Field::OutDstMac)]).statistics(&[stat("outdstmac", "Out Dst Mac", &[Field::OutDstMac]), stat("dstmac", "Dst Mac", &[Field::OutDstMac, Field::InDstMac]), stat("outmac", "Out Src Mac", &[Field::OutSrcMac, Field::OutDstMac])]).aggregates(&[agg("outdstmac", "odmc", Field::OutDstMac)]).json("out_dst_mac").csv("odmc"),
    row(Field::InDstMac, "in_dst_mac", Kind::U64, Unit::Mac, Group::Extension(Groups::MAC)).elements(&[both(80)]).filter(&[word("mac", Side::InDst, true, FilterKind::Mac), word("mac", Side::In, false, FilterKind::Mac), word("mac", Side::Dst, false, FilterKind::Mac)]).tags(&[tag("idmc", "  In dst MAC Addr", 17, TagStyle::Mac, Field::InDstMac)]).statistics(&[stat("indstmac", "In Dst Mac", &[Field::InDstMac])]).aggregates(&[agg("indstmac", "idmc", Field::InDstMac)]).json("in_dst_mac").csv("idmc"),
    row(Field::OutSrcMac, "out_src_mac", Kind::U64, Unit::Mac, Group::Extension(Groups::MAC)).elements(&[both(81)]).filter(&[word("mac", Side::OutSrc, true, FilterKind::Mac), word("mac", Side::Out, false, FilterKind::Mac), word("mac", Side::Src, false, FilterKind::Mac)]).tags(&[tag("osmc", " Out src MAC Addr", 17, TagStyle::Mac, Field::OutSrcMac)]).statistics(&[stat("outsrcmac", "Out Src Mac", &[Field::OutSrcMac])]).aggregates(&[agg("outsrcmac", "osmc", Field::OutSrcMac)]).json("out_src_mac").csv("osmc"),
    row(Field::NextAs, "next_as", Kind::U32, Unit::None, Group::Extension(Groups::ADJACENT_AS)).elements(&[both(128)]).filter(&[word("as", Side::Next, false, number(0xffff_ffff, true, true, "AS number of range"))]).tags(&[tag("nas", "Next AS", 7, TagStyle::NumAfterBlank, Field::NextAs)]).statistics(&[stat("nextas", "Next AS", &[Field::NextAs])]).aggregates(&[agg("nextas", "nas", Field::NextAs)]).json("next_as"),
    row(Field::PrevAs, "prev_as", Kind::U32, Unit::None, Group::Extension(Groups::ADJACENT_AS)).elements(&[both(129)]).filter(&[word("as", Side::Prev, false, number(0xffff_ffff, true, true, "AS number of range"))]).tags(&[tag("pas", "Prev AS", 7, TagStyle::NumAfterBlank, Field::PrevAs)]).statistics(&[stat("prevas", "Prev AS", &[Field::PrevAs])]).aggregates(&[agg("prevas", "pas", Field::PrevAs)]).json("prev_as"),
    row(Field::ClientLatencyUs, "client_latency_us", Kind::U64, Unit::Micros, Group::Extension(Groups::LATENCY)).elements(&[v9(57554), v9(57555)]).filter(&[word("client latency", Side::None, true, FilterKind::Latency)]).tags(&[tag("cl", "C Latency", 9, TagStyle::Latency, Field::ClientLatencyUs)]).statistics(&[stat("cl", "Client Latency", &[Field::ClientLatencyUs])]).json("cli_latency").csv("cl"),
    row(Field::ServerLatencyUs, "server_latency_us", Kind::U64, Unit::Micros, Group::Extension(Groups::LATENCY)).elements(&[v9(57556), v9(57557)]).filter(&[word("server latency", Side::None, true, FilterKind::Latency)]).tags(&[tag("sl", "S latency", 9, TagStyle::Latency, Field::ServerLatencyUs)]).statistics(&[stat("sl", "Server Latency", &[Field::ServerLatencyUs])]).json("srv_latency").csv("sl"),
    row(Field::AppLatencyUs, "app_latency_us", Kind::U64, Unit::Micros, Group::Extension(Groups::LATENCY)).elements(&[v9(57558), v9(57559)]).filter(&[word("app latency", Side::None, true, FilterKind::Latency)]).tags(&[tag("al", "A latency", 9, TagStyle::Latency, Field::AppLatencyUs)]).statistics(&[stat("al", "  Appl Latency", &[Field::AppLatencyUs])]).json("app_latency").csv("al"),
    row(Field::SamplerId, "sampler_id", Kind::U64, Unit::None, Group::Extension(Groups::SAMPLER)).elements(&[both(48), both(302)]),
    row(Field::EventTimeMs, "event_time_ms", Kind::U64, Unit::UnixMillis, Group::Header).elements(&[both(323)]).tags(&[tag("tevt", "Event time             ", 23, TagStyle::Time, Field::EventTimeMs), tag("msec", "   Event Time", 13, TagStyle::TimeMillis, Field::EventTimeMs)]).json("t_event"),
    row(Field::ConnId, "conn_id", Kind::U32, Unit::None, Group::Extension(Groups::NSEL)).elements(&[v9(148)]).tags(&[tag("nfc", "   Conn-ID", 10, TagStyle::Num, Field::ConnId)]).json("connect_id"),
    row(Field::FwXevent, "fw_xevent", Kind::U16, Unit::None, Group::Extension(Groups::NSEL)).elements(&[v9(33002)]).filter(&[word("asa xevent", Side::None, true, number(0xffff, true, false, "Invalid xevent ID"))]).tags(&[tag("xevt", " XEvent", 7, TagStyle::Xevent, Field::FwXevent)]).statistics(&[stat("xevent", "X-Event", &[Field::FwXevent])]).json("xevent_id"),
    row(Field::FwEvent, "fw_event", Kind::U8, Unit::None, Group::Extension(Groups::NSEL)).elements(&[both(233), v9(40005)]).filter(&[word("asa event", Side::None, true, symbol(FIREWALL_EVENT, 255, true, "Invalid xevent ID"))]).tags(&[tag("evt", " Event", 7, TagStyle::Event, Field::FwEvent)]).statistics(&[stat("event", " Event", &[Field::FwEvent])]).json("event_id"),
    row(Field::XlateSrcAddr, "xlate_src_addr", Kind::Ip, Unit::None, Group::ByFamily(Groups::XLATE_V4, Groups::XLATE_V6)).elements(&[both(225), both(281), v9(40001)]).filter(&[word("xip", Side::Src, true, address(true, true)), word("nip", Side::Src, true, address(true, true)), word("nat ip", Side::Src, true, address(true, true)), word("xlate ip", Side::Src, true, address(true, true)), word("xnet", Side::Src, true, FilterKind::Network), word("nnet", Side::Src, true, FilterKind::Network), word("nat net", Side::Src, true, FilterKind::Network), word("xlate net", Side::Src, true, FilterKind::Network)]).tags(&[tag("xsa", "   X-late Src IP", 16, TagStyle::Addr, Field::XlateSrcAddr), tag("nsa", "   X-late Src IP", 16, TagStyle::Addr, Field::XlateSrcAddr), tag("xsap", "   X-Src IP Addr:Port ", 22, TagStyle::AddrPort(Field::XlateSrcPort), Field::XlateSrcAddr), tag("nsap", "   X-Src IP Addr:Port ", 22, TagStyle::AddrPort(Field::XlateSrcPort), Field::XlateSrcAddr)]).statistics(&[stat("xsrcip", "X-Src IP Addr", &[Field::XlateSrcAddr]), stat("nsrcip", "X-Src IP Addr", &[Field::XlateSrcAddr]), stat("natsrcip", "X-Src IP Addr", &[Field::XlateSrcAddr]), stat("natip", "X-IP Addr", &[Field::XlateSrcAddr, Field::XlateDstAddr])]).aggregates(&[agg("xsrcip", "xsa", Field::XlateSrcAddr)]).json("src{}_xlt_ip"),
    row(Field::XlateDstAddr, "xlate_dst_addr", Kind::Ip, Unit::None, Group::ByFamily(Groups::XLATE_V4, Groups::XLATE_V6)).elements(&[both(226), both(282), v9(40002)]).filter(&[word("xip", Side::Dst, true, address(true, true)), word("nip", Side::Dst, true, address(true, true)), word("nat ip", Side::Dst, true, address(true, true)), word("xlate ip", Side::Dst, true, address(true, true)), word("xnet", Side::Dst, true, FilterKind::Network), word("nnet", Side::Dst, true, FilterKind::Network), word("nat net", Side::Dst, true, FilterKind::Network), word("xlate net", Side::Dst, true, FilterKind::Network)]).tags(&[tag("xda", "   X-late Dst IP", 16, TagStyle::Addr, Field::XlateDstAddr), tag("nda", "   X-late Dst IP", 16, TagStyle::Addr, Field::XlateDstAddr), tag("xdap", "   X-Dst IP Addr:Port ", 22, TagStyle::AddrPort(Field::XlateDstPort), Field::XlateDstAddr), tag("ndap", "   X-Dst IP Addr:Port ", 22, TagStyle::AddrPort(Field::XlateDstPort), Field::XlateDstAddr)]).statistics(&[stat("xdstip", "X-Dst IP Addr", &[Field::XlateDstAddr]), stat("ndstip", "X-Dst IP Addr", &[Field::XlateDstAddr]), stat("natdstip", "X-Dst IP Addr", &[Field::XlateDstAddr])]).aggregates(&[agg("xdstip", "xda", Field::XlateDstAddr)]).json("dst{}_xlt_ip"),
    row(Field::XlateSrcPort, "xlate_src_port", Kind::U16, Unit::None, Group::Extension(Groups::XLATE_PORT)).elements(&[both(227), v9(40003)]).filter(&[word("xport", Side::Src, true, number(0xffff, true, true, "Port outside of range 0..65535")), word("nport", Side::Src, true, number(0xffff, true, true, "Port outside of range 0..65535")), word("nat port", Side::Src, true, number(0xffff, true, true, "Port outside of range 0..65535")), word("xlate port", Side::Src, true, number(0xffff, true, true, "Port outside of range 0..65535"))]).tags(&[tag("xsp", "XsPort", 6, TagStyle::Num, Field::XlateSrcPort), tag("nsp", "XsPort", 6, TagStyle::Num, Field::XlateSrcPort)]).statistics(&[stat("xsrcport", " X-Src Port", &[Field::XlateSrcPort]), stat("nsrcport", " X-Src Port", &[Field::XlateSrcPort]), stat("natsrcport", " X-Src Port", &[Field::XlateSrcPort]), stat("natport", " X-Port", &[Field::XlateSrcPort, Field::XlateDstPort])]).aggregates(&[agg("xsrcport", "xsp", Field::XlateSrcPort)]).json("src_xlt_port"),
    row(Field::XlateDstPort, "xlate_dst_port", Kind::U16, Unit::None, Group::Extension(Groups::XLATE_PORT)).elements(&[both(228), v9(40004)]).filter(&[word("xport", Side::Dst, true, number(0xffff, true, true, "Port outside of range 0..65535")), word("nport", Side::Dst, true, number(0xffff, true, true, "Port outside of range 0..65535")), word("nat port", Side::Dst, true, number(0xffff, true, true, "Port outside of range 0..65535")), word("xlate port", Side::Dst, true, number(0xffff, true, true, "Port outside of range 0..65535"))]).tags(&[tag("xdp", "XdPort", 6, TagStyle::Num, Field::XlateDstPort), tag("ndp", "XdPort", 6, TagStyle::Num, Field::XlateDstPort)]).statistics(&[stat("xdstport", " X-Dst Port", &[Field::XlateDstPort]), stat("ndstport", " X-Dst Port", &[Field::XlateDstPort]), stat("natdstport", " X-Dst Port", &[Field::XlateDstPort])]).aggregates(&[agg("xdstport", "xdp", Field::XlateDstPort)]).json("dst_xlt_port"),
    row(Field::IngressAcl, "ingress_acl", Kind::U32, Unit::None, Group::Extension(Groups::ACL)).elements(&[v9(33000)]).filter(&[word("acl", Side::Ingress, false, UNLIMITED)]).statistics(&[stat("iacl", "Ingress ACL", &[Field::IngressAcl])]).tags(&[tag("iacl", "Ingress ACL                     ", 32, TagStyle::AclHex, Field::IngressAcl)]).json("ingress_acl"),
    row(Field::IngressAce, "ingress_ace", Kind::U32, Unit::None, Group::Extension(Groups::ACL)).filter(&[word("ace", Side::Ingress, false, UNLIMITED)]).statistics(&[stat("iace", "Ingress ACE", &[Field::IngressAce])]),
    row(Field::IngressXace, "ingress_xace", Kind::U32, Unit::None, Group::Extension(Groups::ACL)).filter(&[word("xace", Side::Ingress, false, UNLIMITED)]).statistics(&[stat("ixace", "Ingress xACE", &[Field::IngressXace])]),
    row(Field::EgressAcl, "egress_acl", Kind::U32, Unit::None, Group::Extension(Groups::ACL)).elements(&[v9(33001)]).filter(&[word("acl", Side::Egress, false, UNLIMITED)]).statistics(&[stat("eacl", "Egress ACL", &[Field::EgressAcl])]).tags(&[tag("eacl", "Egress ACL                      ", 32, TagStyle::AclDecimal, Field::EgressAcl)]).json("egress_acl"),
    row(Field::EgressAce, "egress_ace", Kind::U32, Unit::None, Group::Extension(Groups::ACL)).statistics(&[stat("eace", "Egress ACE", &[Field::EgressAce])]),
    row(Field::EgressXace, "egress_xace", Kind::U32, Unit::None, Group::Extension(Groups::ACL)).statistics(&[stat("exace", "Egress xACE", &[Field::EgressXace])]),
    row(Field::UserName, "user_name", Kind::Bytes, Unit::Text, Group::Extension(Groups::USER)).elements(&[v9(40000)]).filter(&[word("asa user", Side::None, true, FilterKind::Text { max: 65, error: "Length of ASA user name > 65 chars" })]).tags(&[tag("uname", "UserName", 7, TagStyle::UserName, Field::UserName)]).json("user_name"),
    row(Field::NatEvent, "nat_event", Kind::U8, Unit::None, Group::Extension(Groups::NAT)).elements(&[both(230)]).filter(&[word("nat event", Side::None, true, symbol(NAT_EVENT, 255, true, "Invalid event ID")), word("xlate event", Side::None, true, symbol(NAT_EVENT, 255, true, "Invalid event ID"))]).tags(&[tag("nevt", " Event", 7, TagStyle::NatEvent, Field::NatEvent)]).statistics(&[stat("nevent", " Event", &[Field::NatEvent]), stat("nat", " Event", &[Field::NatEvent])]).json("nat_event_id"),
    row(Field::NatPoolId, "nat_pool_id", Kind::U32, Unit::None, Group::Extension(Groups::NAT)).elements(&[both(283)]),
    row(Field::PblockStart, "pblock_start", Kind::U16, Unit::None, Group::Extension(Groups::PORT_BLOCK)).elements(&[both(361)]).filter(&[word("pblock start", Side::None, true, UNLIMITED), word("nat pblock start", Side::None, true, UNLIMITED), word("xlate pblock start", Side::None, true, UNLIMITED)]).tags(&[tag("pbstart", "Pb-Start", 7, TagStyle::Num, Field::PblockStart)]).json("pblock_start"),
    row(Field::PblockEnd, "pblock_end", Kind::U16, Unit::None, Group::Extension(Groups::PORT_BLOCK)).elements(&[both(362)]).filter(&[word("pblock end", Side::None, true, UNLIMITED), word("nat pblock end", Side::None, true, UNLIMITED), word("xlate pblock end", Side::None, true, UNLIMITED)]).tags(&[tag("pbend", "Pb-End", 7, TagStyle::Num, Field::PblockEnd)]).json("pblock_end"),
    row(Field::PblockStep, "pblock_step", Kind::U16, Unit::None, Group::Extension(Groups::PORT_BLOCK)).elements(&[both(363)]).filter(&[word("pblock step", Side::None, true, UNLIMITED), word("nat pblock step", Side::None, true, UNLIMITED), word("xlate pblock step", Side::None, true, UNLIMITED)]).tags(&[tag("pbstep", "Pb-Step", 7, TagStyle::Num, Field::PblockStep)]).json("pblock_step"),
    row(Field::PblockSize, "pblock_size", Kind::U16, Unit::None, Group::Extension(Groups::PORT_BLOCK)).elements(&[both(364)]).filter(&[word("pblock size", Side::None, true, UNLIMITED), word("nat pblock size", Side::None, true, UNLIMITED), word("xlate pblock size", Side::None, true, UNLIMITED)]).tags(&[tag("pbsize", "Pb-Size", 7, TagStyle::Num, Field::PblockSize)]).json("pblock_size"),
    row(Field::AppId, "app_id", Kind::Bytes, Unit::None, Group::Extension(Groups::APP_ID)).elements(&[both(95)]).tags(&[tag("nbid", "nbar ID", 5, TagStyle::AppId, Field::AppId)]).statistics(&[stat("nbar", "nbar", &[Field::AppId])]),
    row(Field::Label, "label", Kind::Bytes, Unit::Text, Group::Extension(Groups::LABEL)).filter(&[word("flowlabel", Side::None, true, FilterKind::Text { max: 16, error: "Size flowlabel of range 1..16" })]).tags(&[tag("lbl", "           label", 16, TagStyle::Label, Field::Label)]).json("label"),
    row(Field::InPayload, "in_payload", Kind::Bytes, Unit::None, Group::Extension(Groups::IN_PAYLOAD)).elements(&[enterprise(6871, 18)]).tags(&[tag("ipl", "", 0, TagStyle::Payload, Field::InPayload)]),
    row(Field::OutPayload, "out_payload", Kind::Bytes, Unit::None, Group::Extension(Groups::OUT_PAYLOAD)).elements(&[enterprise(6871, 16402)]).tags(&[tag("opl", "", 0, TagStyle::Payload, Field::OutPayload)]),
    row(Field::TunnelSrcAddr, "tunnel_src_addr", Kind::Ip, Unit::None, Group::ByFamily(Groups::TUNNEL_V4, Groups::TUNNEL_V6)).filter(&[word("tunip", Side::Src, true, address(false, true)), word("tun ip", Side::Src, true, address(false, true))]),
    row(Field::TunnelDstAddr, "tunnel_dst_addr", Kind::Ip, Unit::None, Group::ByFamily(Groups::TUNNEL_V4, Groups::TUNNEL_V6)).filter(&[word("tunip", Side::Dst, true, address(false, true)), word("tun ip", Side::Dst, true, address(false, true))]),
    row(Field::TunnelProto, "tunnel_proto", Kind::U32, Unit::None, Group::Extension(Groups::TUNNEL_V4)).filter(&[word("tun proto", Side::None, true, FilterKind::Protocol)]).statistics(&[stat("tunproto", "Tun Proto", &[Field::TunnelProto])]),
    row(Field::ObservationPointId, "observation_point_id", Kind::U64, Unit::None, Group::Extension(Groups::OBSERVATION)).elements(&[ipfix(138)]).filter(&[word("observation point id", Side::None, true, number(u64::MAX, true, false, "Number out of range"))]).tags(&[tag("opid", "  obsPointID", 12, TagStyle::Hex, Field::ObservationPointId)]).statistics(&[stat("opid", " obs PointID", &[Field::ObservationPointId])]).aggregates(&[agg("opid", "opid", Field::ObservationPointId)]),
    row(Field::ObservationDomainId, "observation_domain_id", Kind::U32, Unit::None, Group::Extension(Groups::OBSERVATION)).elements(&[ipfix(149)]).filter(&[word("observation domain id", Side::None, true, number(u64::MAX, true, false, "Number out of range"))]).tags(&[tag("odid", "obsDomainID", 11, TagStyle::Hex, Field::ObservationDomainId)]).statistics(&[stat("odid", "obs domainID", &[Field::ObservationDomainId])]).aggregates(&[agg("odid", "odid", Field::ObservationDomainId)]),
    row(Field::FrameSize, "frame_size", Kind::U16, Unit::Bytes, Group::Extension(Groups::FRAME_META)).elements(&[ipfix(312)]),
    row(Field::LinkType, "link_type", Kind::U16, Unit::None, Group::Extension(Groups::FRAME_META)).elements(&[ipfix(408)]),
    row(Field::Frame, "frame", Kind::Bytes, Unit::None, Group::Extension(Groups::FRAME)).elements(&[ipfix(315)]),
    row(Field::IngressVrf, "ingress_vrf", Kind::U32, Unit::None, Group::Extension(Groups::VRF)).elements(&[both(234)]).filter(&[word("vrf", Side::Ingress, false, number(0xffff_ffff, true, false, "Invalid ingress vrf ID"))]).tags(&[tag("vrf", "  I-VRF-ID", 10, TagStyle::Num, Field::IngressVrf), tag("ivrf", "  I-VRF-ID", 10, TagStyle::Num, Field::IngressVrf)]).statistics(&[stat("ivrf", " I-vrf-ID", &[Field::IngressVrf])]).aggregates(&[agg("ivrf", "ivrf", Field::IngressVrf)]).json("ingress_vrf"),
    row(Field::EgressVrf, "egress_vrf", Kind::U32, Unit::None, Group::Extension(Groups::VRF)).elements(&[both(235)]).filter(&[word("vrf", Side::Egress, false, number(0xffff_ffff, true, false, "Invalid egress vrf ID"))]).tags(&[tag("evrf", "  E-VRF-ID", 10, TagStyle::Num, Field::EgressVrf)]).statistics(&[stat("evrf", " E-vrf-ID", &[Field::EgressVrf])]).aggregates(&[agg("evrf", "evrf", Field::EgressVrf)]).json("egress_vrf"),
    row(Field::PfAction, "pf_action", Kind::U8, Unit::None, Group::Extension(Groups::PF)).filter(&[word("pf action", Side::None, true, symbol(PF_ACTION, 255, false, "Invalid pf action"))]).tags(&[tag("pfact", "action", 6, TagStyle::Name(PF_ACTION, "<no-pf>"), Field::PfAction)]),
    row(Field::PfReason, "pf_reason", Kind::U8, Unit::None, Group::Extension(Groups::PF)).filter(&[word("pf reason", Side::None, true, symbol(PF_REASON, 255, false, "Invalid pf reason"))]).tags(&[tag("pfrea", "reason", 6, TagStyle::Name(PF_REASON, "<no-pf>"), Field::PfReason)]),
    row(Field::PfDir, "pf_dir", Kind::U8, Unit::None, Group::Extension(Groups::PF)).filter(&[word("pf dir", Side::None, true, symbol(PF_DIRECTION, 1, false, "Invalid pf direction"))]).tags(&[tag("pfdir", "dir", 3, TagStyle::Name(PF_DIRECTION, "<no pfinfo>"), Field::PfDir)]),
    row(Field::PfRewritten, "pf_rewritten", Kind::U8, Unit::None, Group::Extension(Groups::PF)),
    row(Field::PfRule, "pf_rule", Kind::U32, Unit::None, Group::Extension(Groups::PF)).filter(&[word("pf rule", Side::None, true, number(0xffff_ffff, true, false, "Invalid pf rule"))]).tags(&[tag("pfrule", "rule", 4, TagStyle::Num, Field::PfRule)]),
    row(Field::PfSubrule, "pf_subrule", Kind::U32, Unit::None, Group::Extension(Groups::PF)),
    row(Field::PfUid, "pf_uid", Kind::U32, Unit::None, Group::Extension(Groups::PF)),
    row(Field::PfPid, "pf_pid", Kind::U32, Unit::None, Group::Extension(Groups::PF)),
    row(Field::PfInterface, "pf_interface", Kind::Bytes, Unit::Text, Group::Extension(Groups::PF)).filter(&[word("pf interface", Side::None, true, FilterKind::Text { max: 255, error: "Invalid pf interface" })]).tags(&[tag("pfifn", "interface", 9, TagStyle::TextOr("<no-pf>"), Field::PfInterface)]),
    row(Field::VlanId, "vlan_id", Kind::U16, Unit::None, Group::Extension(Groups::LAYER2)).elements(&[both(243)]),
    row(Field::CustomerVlanId, "customer_vlan_id", Kind::U16, Unit::None, Group::Extension(Groups::LAYER2)).elements(&[both(245)]),
    row(Field::PostVlanId, "post_vlan_id", Kind::U16, Unit::None, Group::Extension(Groups::LAYER2)).elements(&[both(254)]),
    row(Field::PostCustomerVlanId, "post_customer_vlan_id", Kind::U16, Unit::None, Group::Extension(Groups::LAYER2)).elements(&[both(255)]),
    row(Field::PhysInput, "phys_input", Kind::U32, Unit::None, Group::Extension(Groups::LAYER2)).elements(&[both(252)]),
    row(Field::PhysOutput, "phys_output", Kind::U32, Unit::None, Group::Extension(Groups::LAYER2)).elements(&[both(253)]),
    row(Field::Vxlan, "vxlan", Kind::U64, Unit::None, Group::Extension(Groups::LAYER2)).elements(&[both(351)]),
    row(Field::EtherType, "ether_type", Kind::U16, Unit::None, Group::Extension(Groups::LAYER2)).elements(&[both(256)]).filter(&[word("ethertype", Side::None, true, number(0xffff, false, false, "Ether type of range 0..65535"))]).tags(&[tag("eth", "EtherType", 6, TagStyle::Hex, Field::EtherType)]).statistics(&[stat("ethertype", "Ether Type", &[Field::EtherType])]).aggregates(&[agg("ethertype", "eth", Field::EtherType)]),
    row(Field::IpVersion, "ip_version", Kind::U8, Unit::None, Group::Extension(Groups::LAYER2)).elements(&[both(60)]),
    row(Field::FlowId, "flow_id", Kind::U64, Unit::None, Group::Extension(Groups::FLOW_ID)).elements(&[ipfix(148)]).tags(&[tag("flid", "               flowID", 21, TagStyle::Num, Field::FlowId)]),
    row(Field::NokiaInsideSid, "nokia_inside_sid", Kind::U16, Unit::None, Group::Extension(Groups::NOKIA_NAT)).elements(&[enterprise(637, 91)]).tags(&[tag("isid", " inSrvID", 8, TagStyle::Num, Field::NokiaInsideSid)]),
    row(Field::NokiaOutsideSid, "nokia_outside_sid", Kind::U16, Unit::None, Group::Extension(Groups::NOKIA_NAT)).elements(&[enterprise(637, 92)]).tags(&[tag("osid", "outSrvID", 8, TagStyle::Num, Field::NokiaOutsideSid)]),
    row(Field::NokiaNatString, "nokia_nat_string", Kind::Bytes, Unit::Text, Group::Extension(Groups::NOKIA_NAT_STRING)).elements(&[enterprise(637, 93)]).tags(&[tag("nats", "nat string", 0, TagStyle::TextOr("<unknown>"), Field::NokiaNatString)]),
    row(Field::FragmentFlags, "fragment_flags", Kind::U8, Unit::Flags, Group::Extension(Groups::IP_INFO)).elements(&[both(197)]).tags(&[tag("frag", "Frag", 4, TagStyle::Fragment, Field::FragmentFlags)]),
    row(Field::MinTtl, "min_ttl", Kind::U8, Unit::None, Group::Extension(Groups::IP_INFO)).elements(&[both(52), both(192)]).filter(&[word("min ttl", Side::None, true, number(255, true, false, "TTL number out of range")), word("ttl", Side::None, true, number(255, true, false, "TTL number out of range"))]).aggregates(&[agg("minttl", "minttl", Field::MinTtl)]).statistics(&[stat("minttl", "Min TTL", &[Field::MinTtl])]).tags(&[tag("ttl", "min/maxTTL", 11, TagStyle::Ttl, Field::MinTtl), tag("minttl", "minTTL", 6, TagStyle::Num, Field::MinTtl)]),
    row(Field::MaxTtl, "max_ttl", Kind::U8, Unit::None, Group::Extension(Groups::IP_INFO)).elements(&[both(53)]).filter(&[word("max ttl", Side::None, true, number(255, true, false, "TTL number out of range")), word("ttl", Side::None, true, number(255, true, false, "TTL number out of range"))]).aggregates(&[agg("maxttl", "maxttl", Field::MaxTtl)]).statistics(&[stat("maxttl", "Max TTL", &[Field::MaxTtl])]).tags(&[tag("maxttl", "maxTTL", 6, TagStyle::Num, Field::MaxTtl)]),
    row(Field::SecurityGroupTag, "security_group_tag", Kind::U16, Unit::None, Group::Extension(Groups::SECURITY_GROUP)).tags(&[tag("sgt", "  SGT  ", 5, TagStyle::Num, Field::SecurityGroupTag)]),
    row(Field::ReverseTcpFlags, "reverse_tcp_flags", Kind::U8, Unit::Flags, Group::Extension(Groups::MISC)).elements(&[enterprise(29305, 6)]),
    row(Field::SrcCountry, "src_country", Kind::U16, Unit::None, Group::Header).tags(&[tag("sc", "SC", 2, TagStyle::Country, Field::SrcCountry)]).statistics(&[stat("srcgeo", "Src Geo", &[Field::SrcCountry]), stat("geo", "Geo", &[Field::SrcCountry, Field::DstCountry])]).aggregates(&[agg("srcgeo", "sc", Field::SrcCountry)]),
    row(Field::DstCountry, "dst_country", Kind::U16, Unit::None, Group::Header).tags(&[tag("dc", "DC", 2, TagStyle::Country, Field::DstCountry)]).statistics(&[stat("dstgeo", "Dst Geo", &[Field::DstCountry])]).aggregates(&[agg("dstgeo", "dc", Field::DstCountry)]),
    row(Field::SrcAsName, "src_as_name", Kind::Bytes, Unit::Text, Group::Header).tags(&[tag("sasn", "Src AS organisation", 0, TagStyle::TextOr("none"), Field::SrcAsName)]).statistics(&[stat("srcasn", "Src AS organisation", &[Field::SrcAsName]), stat("asn", "AS organisation", &[Field::SrcAsName, Field::DstAsName])]).aggregates(&[agg("srcasn", "sasn", Field::SrcAsName)]),
    row(Field::DstAsName, "dst_as_name", Kind::Bytes, Unit::Text, Group::Header).tags(&[tag("dasn", "Dst AS organisation", 0, TagStyle::TextOr("none"), Field::DstAsName)]).statistics(&[stat("dstasn", "Dst AS organisation", &[Field::DstAsName])]).aggregates(&[agg("dstasn", "dasn", Field::DstAsName)]),
    row(Field::SrcLocation, "src_location", Kind::Bytes, Unit::Text, Group::Header).tags(&[tag("sloc", "Src IP location info", 0, TagStyle::Text, Field::SrcLocation)]),
    row(Field::DstLocation, "dst_location", Kind::Bytes, Unit::Text, Group::Header).tags(&[tag("dloc", "Src IP location info", 0, TagStyle::Text, Field::DstLocation)]),
    row(Field::SrcZone, "src_zone", Kind::Bytes, Unit::Text, Group::Header).tags(&[tag("stz", "Src timezone", 0, TagStyle::TextOr("none"), Field::SrcZone)]).statistics(&[stat("srctz", "Src timezone", &[Field::SrcZone]), stat("tz", "Timezone", &[Field::SrcZone, Field::DstZone])]).aggregates(&[agg("srctz", "stz", Field::SrcZone)]),
    row(Field::DstZone, "dst_zone", Kind::Bytes, Unit::Text, Group::Header).tags(&[tag("dtz", "Dst timezone", 0, TagStyle::TextOr("none"), Field::DstZone)]).statistics(&[stat("dsttz", "Dst timezone", &[Field::DstZone])]).aggregates(&[agg("dsttz", "dtz", Field::DstZone)]),
    row(Field::Ja3, "ja3", Kind::Bytes, Unit::Text, Group::Header).statistics(&[stat("ja3", "                             ja3", &[Field::Ja3])]).aggregates(&[agg("ja3", "ja3", Field::Ja3)]),
    row(Field::Ja4, "ja4", Kind::Bytes, Unit::Text, Group::Header).statistics(&[stat("ja4", "                                 ja4", &[Field::Ja4])]).aggregates(&[agg("ja4", "ja4", Field::Ja4)]),
    row(Field::Ident, "ident", Kind::Bytes, Unit::Text, Group::Header).tags(&[tag("idt", "Ident       ", 12, TagStyle::TextLeft("<no ident>"), Field::Ident)]),
    row(Field::SrcNetwork, "src_network", Kind::U32, Unit::None, Group::Header).filter(&[word("network", Side::Src, true, FilterKind::OwnNetwork)]),
    row(Field::DstNetwork, "dst_network", Kind::U32, Unit::None, Group::Header).filter(&[word("network", Side::Dst, true, FilterKind::OwnNetwork)]),
    row(Field::FlowSide, "side", Kind::U8, Unit::None, Group::Header).filter(&[word("side", Side::None, true, symbol(FlowSide::NAMES, 4, false, "Side of range 1..4"))]).tags(&[tag("side", "    Side", 8, TagStyle::Symbol(FlowSide::NAMES), Field::FlowSide)]).statistics(&[stat("side", "Side", &[Field::FlowSide])]).aggregates(&[agg("side", "side", Field::FlowSide)]).json("side").csv("side"),
    row(Field::LocalAddr, "local_addr", Kind::Ip, Unit::None, Group::Header).filter(&[word("local ip", Side::None, true, address(true, true)), word("local host", Side::None, true, address(true, true)), word("local net", Side::None, true, FilterKind::Network)]).tags(&[tag("local", "   Local IP Addr", 16, TagStyle::Addr, Field::LocalAddr)]).statistics(&[stat("local", "Local IP Addr", &[Field::LocalAddr])]).aggregates(&[agg("local", "local", Field::LocalAddr)]).json("local_addr").csv("local"),
    row(Field::PeerAddr, "peer_addr", Kind::Ip, Unit::None, Group::Header).filter(&[word("peer ip", Side::None, true, address(true, true)), word("peer host", Side::None, true, address(true, true)), word("peer net", Side::None, true, FilterKind::Network)]).tags(&[tag("peer", "    Peer IP Addr", 16, TagStyle::Addr, Field::PeerAddr)]).statistics(&[stat("peer", "Peer IP Addr", &[Field::PeerAddr])]).aggregates(&[agg("peer", "peer", Field::PeerAddr)]).json("peer_addr").csv("peer"),
    row(Field::LocalNetwork, "network", Kind::U32, Unit::None, Group::Header).tags(&[tag("network", "         Network", 16, TagStyle::OwnNetwork, Field::LocalNetwork)]).statistics(&[stat("network", "Network", &[Field::LocalNetwork])]).aggregates(&[agg("network", "network", Field::LocalNetwork)]).json("network").csv("network"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn rows_stand_at_their_fields_number() {
        for (index, info) in FIELDS.iter().enumerate() {
            assert_eq!(info.field as usize, index, "{:?}", info.field);
        }
    }

    #[test]
    fn names_are_unique() {
        let mut seen = BTreeMap::new();
        for info in &FIELDS {
            assert!(seen.insert(info.name, info.field).is_none(), "{}", info.name);
        }
        let mut seen = BTreeMap::new();
        for tag in tags() {
            assert!(seen.insert(tag.name, tag.source).is_none(), "%{}", tag.name);
        }
        let mut seen = BTreeMap::new();
        for statistic in statistics() {
            assert!(seen.insert(statistic.name, statistic.fields).is_none(), "-s {}", statistic.name);
        }
        let mut seen = BTreeMap::new();
        for aggregate in FIELDS.iter().flat_map(|info| info.aggregates) {
            assert!(seen.insert(aggregate.name, aggregate.source).is_none(), "-A {}", aggregate.name);
            assert!(tag_by_name(aggregate.tag).is_some(), "-A {} prints %{}", aggregate.name, aggregate.tag);
        }
    }

    #[test]
    fn an_element_fills_one_field_in_each_protocol() {
        let mut seen = BTreeMap::new();
        for info in &FIELDS {
            for element in info.elements {
                for (protocol, mapped) in [("v9", element.v9), ("ipfix", element.ipfix)] {
                    if mapped {
                        let previous = seen.insert((protocol, element.enterprise, element.id), info.field);
                        assert_eq!(previous, None, "{protocol} {}:{}", element.enterprise, element.id);
                    }
                }
            }
        }
    }
}
