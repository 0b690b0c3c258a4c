//! The table that `pmacct -s` of pmacct 1.7.7 prints: columns in an order of its own, whatever the groups are by.

use crate::cell::Form;
use crate::layout::Layout;
use crate::text::{left, num};
use flow_model::Field;

/// Heading, width with the blanks behind it, and where the value comes from, in the order in which they stand.
static COLUMNS: &[(&str, usize, Field)] = &[
    ("IN_IFACE", 12, Field::Input),
    ("OUT_IFACE", 12, Field::Output),
    ("VLAN", 7, Field::SrcVlan),
    ("SRC_AS", 12, Field::SrcAs),
    ("DST_AS", 12, Field::DstAs),
    ("SRC_IP", ADDRESS, Field::SrcAddr),
    ("DST_IP", ADDRESS, Field::DstAddr),
    ("SRC_MASK", 10, Field::SrcMask),
    ("DST_MASK", 10, Field::DstMask),
    ("SRC_PORT", 10, Field::SrcPort),
    ("DST_PORT", 10, Field::DstPort),
    ("TCP_FLAGS", 11, Field::TcpFlags),
    ("PROTOCOL", 12, Field::Proto),
    ("TOS", 7, Field::SrcTos),
];

const ADDRESS: usize = 47;

/// Columns of a number of packets, and the blanks behind it.
const PACKETS: usize = 22;

/// The protocols that have a name, `/etc/protocols` being of no account.
static PROTOCOLS: &[(&str, u64)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("ggp", 3),
    ("ipencap", 4),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("udp", 17),
    ("mux", 18),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("mobile", 55),
    ("tlsp", 56),
    ("ipv6-icmp", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("iso-ip", 80),
    ("vines", 83),
    ("eigrp", 88),
    ("ospf", 89),
    ("larp", 91),
    ("ax.25", 93),
    ("ipip", 94),
    ("encap", 98),
    ("pnni", 102),
    ("pim", 103),
    ("IPcomp", 108),
    ("ipx-in-ip", 111),
    ("vrrp", 112),
    ("l2tp", 115),
    ("isis", 124),
    ("sctp", 132),
    ("fc", 133),
];

/// Whether there is a column for each of the fields.
pub(crate) fn has_columns(key: &[Field]) -> bool {
    !key.is_empty() && key.iter().all(|field| COLUMNS.iter().any(|(_, _, known)| known == field))
}

fn columns(key: &[Field]) -> impl Iterator<Item = &'static (&'static str, usize, Field)> {
    COLUMNS.iter().filter(|(_, _, field)| key.contains(field))
}

/// Appends the headings of groups by these fields.
pub(crate) fn header(key: &[Field], out: &mut Vec<u8>) {
    for (heading, width, _) in columns(key) {
        left(out, heading.as_bytes(), *width);
    }
    left(out, b"PACKETS", PACKETS);
    out.extend_from_slice(b"BYTES\n");
}

/// The layout of a group by these fields.
pub(crate) fn layout(key: &[Field]) -> Layout {
    let mut layout = Layout::default();
    for &(_, width, field) in columns(key) {
        match field {
            Field::SrcAddr | Field::DstAddr => layout.cell(Form::AddrLeft, [field], width),
            Field::Proto => layout.cell(Form::SymbolLeft { names: PROTOCOLS }, [field], width),
            _ => layout.cell(Form::NumLeft, [field], width),
        };
    }
    layout
        .cell(Form::NumLeft, [Field::InPackets], PACKETS)
        .cell(Form::Num, [Field::InBytes], 0)
        .literal("\n");
    layout
}

/// Appends what stands below so many groups.
pub(crate) fn footer(rows: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\nFor a total of: ");
    num(out, rows);
    out.extend_from_slice(b" entries\n");
}

#[cfg(test)]
mod tests {
    use crate::{Format, OutputOptions, RecordPrinter};
    use flow_model::{BatchBuilder, Before, Field, Selection};

    /// What pmacct 1.7.7 printed of a datagram with this flow, by these fields in any order.
    #[test]
    fn columns_stand_as_pmacct_has_them() {
        let mut builder = BatchBuilder::new();
        builder.set_ip(Field::SrcAddr, "2001:db8:198:1005::2".parse().unwrap());
        builder.set_ip(Field::DstAddr, "2001:db8:90::1".parse().unwrap());
        for (field, num) in [
            (Field::Input, 55),
            (Field::SrcMask, 64),
            (Field::SrcPort, 65_442),
            (Field::DstPort, 65_442),
            (Field::Proto, 6),
            (Field::SrcTos, 192),
            (Field::InPackets, 9),
            (Field::InBytes, 882),
        ] {
            builder.set(field, num);
        }
        builder.finish_row();
        let batch = builder.finish();
        let print = |key: &[Field]| {
            let format = Format::parse("pmacct").unwrap().for_groups(key).unwrap();
            let printer = RecordPrinter::new(format, OutputOptions::default());
            let mut out = Vec::new();
            printer.header(&mut out);
            printer.rows(&batch, &Selection::all(1), Before::default(), &mut out);
            printer.footer(1, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            print(&[Field::SrcAddr]),
            "SRC_IP                                         PACKETS               BYTES\n\
             2001:db8:198:1005::2                           9                     882\n\
             \n\
             For a total of: 1 entries\n"
        );
        assert_eq!(
            print(&[
                Field::Proto,
                Field::SrcAddr,
                Field::DstAddr,
                Field::SrcTos,
                Field::SrcPort,
                Field::DstPort,
                Field::SrcMask,
                Field::DstMask,
                Field::TcpFlags,
                Field::Input,
                Field::Output,
                Field::SrcVlan,
                Field::SrcAs,
                Field::DstAs,
            ]),
            "IN_IFACE    OUT_IFACE   VLAN   SRC_AS      DST_AS      SRC_IP                                         \
             DST_IP                                         SRC_MASK  DST_MASK  SRC_PORT  DST_PORT  TCP_FLAGS  \
             PROTOCOL    TOS    PACKETS               BYTES\n\
             55          0           0      0           0           2001:db8:198:1005::2                           \
             2001:db8:90::1                                 64        0         65442     65442     0          \
             tcp         192    9                     882\n\
             \n\
             For a total of: 1 entries\n"
        );
    }

    #[test]
    fn what_pmacct_has_no_column_for_is_refused() {
        let format = Format::parse("pmacct").unwrap();
        for key in [&[][..], &[Field::SrcAddr, Field::Ja3]] {
            let error = format.clone().for_groups(key).unwrap_err();
            assert!(error.to_string().starts_with("pmacct prints groups by"));
        }
        assert!(Format::parse("line").unwrap().for_groups(&[]).is_ok());
    }
}
