//! Comma-separated values.

use crate::cell::Form;
use crate::fmt::{Look, Piece, push_tag};
use crate::layout::Layout;
use crate::text::DurationStyle;
use flow_model::{Field, Tag, TagStyle};

/// The names of the classic columns.
pub(crate) const HEADER: &str = "ts,te,td,sa,da,sp,dp,pr,flg,fwd,stos,ipkt,ibyt,opkt,obyt,in,out,sas,das,smk,dmk,dtos,dir,\
nh,nhb,svln,dvln,ismc,odmc,idmc,osmc,mpls1,mpls2,mpls3,mpls4,mpls5,mpls6,mpls7,mpls8,mpls9,mpls10,cl,sl,al,ra,eng,exid,tr";

/// The classic 48 columns. Every one is always there, 0 or `0.0.0.0` in a record that lacks it.
pub(crate) fn classic() -> Layout {
    let mut layout = Layout::default();
    let whole = Form::Addr { condensed: false };
    layout.cell(Form::TimeSeconds, [Field::FirstMs], 0).literal(",");
    layout.cell(Form::TimeSeconds, [Field::LastMs], 0).literal(",");
    layout.cell(Form::Duration(DurationStyle::Seconds(0)), [Field::FirstMs, Field::LastMs], 0).literal(",");
    layout.cell(whole, [Field::SrcAddr], 0).literal(",").cell(whole, [Field::DstAddr], 0).literal(",");
    nums(&mut layout, &[Field::SrcPort, Field::DstPort]);
    layout.cell(Form::Proto, [Field::Proto], 0).literal(",");
    layout.cell(Form::TcpFlags, [Field::TcpFlags], 0).literal(",");
    nums(
        &mut layout,
        &[
            Field::FwdStatus,
            Field::SrcTos,
            Field::InPackets,
            Field::InBytes,
            Field::OutPackets,
            Field::OutBytes,
            Field::Input,
            Field::Output,
            Field::SrcAs,
            Field::DstAs,
            Field::SrcMask,
            Field::DstMask,
            Field::DstTos,
            Field::Direction,
        ],
    );
    layout.cell(whole, [Field::NextHop], 0).literal(",").cell(whole, [Field::BgpNextHop], 0).literal(",");
    nums(&mut layout, &[Field::SrcVlan, Field::DstVlan]);
    for mac in [Field::InSrcMac, Field::OutDstMac, Field::InDstMac, Field::OutSrcMac] {
        layout.cell(Form::Mac, [mac], 0).literal(",");
    }
    for label in Field::MPLS {
        layout.cell(Form::Mpls, [label], 0).literal(",");
    }
    // nfdump pads these three.
    for latency in [Field::ClientLatencyUs, Field::ServerLatencyUs, Field::AppLatencyUs] {
        layout.cell(Form::Thousandths, [latency], 9).literal(",");
    }
    layout.cell(whole, [Field::RouterAddr], 0).literal(",");
    layout
        .cell(Form::Num, [Field::EngineType], 0)
        .literal("/")
        .cell(Form::Num, [Field::EngineId], 0)
        .literal(",");
    nums(&mut layout, &[Field::ExporterId]);
    layout.cell(Form::Time { between: b' ' }, [Field::ReceivedMs], 0).literal("\n");
    layout
}

fn nums(layout: &mut Layout, fields: &[Field]) {
    for &field in fields {
        layout.cell(Form::Num, [field], 0).literal(",");
    }
}

/// The names of the columns of csv-fast.
pub(crate) const FAST_HEADER: &str = "cnt,af,firstSeen,lastSeen,proto,srcAddr,srcPort,dstAddr,dstPort,srcAS,dstAS,input,\
output,flags,srcTos,packets,bytes";

/// The columns of csv-fast: times in ms since 1970, protocol and flags as numbers.
pub(crate) fn fast() -> Layout {
    let mut layout = Layout::default();
    let whole = Form::Addr { condensed: false };
    layout.cell(Form::Count, [], 0).literal(",").cell(Form::Family, [Field::SrcAddr], 0).literal(",");
    nums(&mut layout, &[Field::FirstMs, Field::LastMs, Field::Proto]);
    layout.cell(whole, [Field::SrcAddr], 0).literal(",");
    nums(&mut layout, &[Field::SrcPort]);
    layout.cell(whole, [Field::DstAddr], 0).literal(",");
    nums(
        &mut layout,
        &[
            Field::DstPort,
            Field::SrcAs,
            Field::DstAs,
            Field::Input,
            Field::Output,
            Field::TcpFlags,
            Field::SrcTos,
            Field::InPackets,
        ],
    );
    layout.cell(Form::Num, [Field::InBytes], 0).literal("\n");
    layout
}

/// The tags of chosen columns; text between them has no meaning.
fn tags_of(pieces: &[Piece]) -> impl Iterator<Item = &'static Tag> + '_ {
    pieces.iter().filter_map(|piece| match piece {
        Piece::Tag(tag) if tag.style != TagStyle::Newline => Some(*tag),
        _ => None,
    })
}

/// Appends the names of chosen columns.
pub(crate) fn columns_header(pieces: &[Piece], out: &mut Vec<u8>) {
    for (index, tag) in tags_of(pieces).enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(column_name(tag).as_bytes());
    }
}

/// The layout of chosen columns.
pub(crate) fn columns(pieces: &[Piece]) -> Layout {
    let mut layout = Layout::default();
    for (index, tag) in tags_of(pieces).enumerate() {
        if index > 0 {
            layout.literal(",");
        }
        push_tag(&mut layout, tag, &Look::narrow());
    }
    layout.literal("\n");
    layout
}

/// Names that nfdump 1.7.5 gave its columns; a tag without one goes by its own.
fn column_name(tag: &Tag) -> &'static str {
    match tag.name {
        "ts" | "tfs" => "firstSeen",
        "te" => "lastSeen",
        "tr" => "received",
        "td" | "tds" => "duration",
        "pr" => "proto",
        "sa" => "srcAddr",
        "da" => "dstAddr",
        "sp" => "srcPort",
        "dp" => "dstPort",
        "sas" => "srcAS",
        "das" => "dstAS",
        "in" => "input",
        "out" => "output",
        "flg" => "flags",
        "tos" | "stos" => "srcTos",
        "pkt" | "ipkt" => "packets",
        "byt" | "ibyt" => "bytes",
        "fl" => "flows",
        name => name,
    }
}
