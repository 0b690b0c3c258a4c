//! Json: one object for each record, with the keys of the groups that the record carried.

use crate::cell::{Context, Form, Quotes};
use crate::layout::{Bound, Layout};
use flow_model::{Field, FieldSet, FlowBatch, FlowSide, Groups, Protocol, Selection, field_info};

mod keys_1_6;

/// How objects are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// As nfdump's json: a key a line, behind a tab.
    Lines(Keys),
    /// One object a line, with the keys of 1.7.
    Compact,
}

/// Which keys objects have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keys {
    /// Those of nfdump 1.6.25, in the order of its extensions.
    V1_6,
    /// Those of nfdump 1.7.1.
    V1_7,
}

/// The fields of any object with these computed ones.
pub(crate) fn fields(style: Style, own: FieldSet) -> FieldSet {
    let groups = (0..64).fold(Groups::default(), |mut groups, group| {
        groups.insert(group);
        groups
    });
    let shape = FieldSet::of(&[Field::Groups, Field::Proto, Field::DstPort]);
    [false, true]
        .iter()
        .fold(shape, |fields, &is_icmp| fields.union(object(groups, is_icmp, style, own).fields()))
}

/// Appends the selected rows. Objects of [`Style::Lines`] have their comma in front, so that blocks can be
/// joined: only `first_number` 0 has none. `own` are the computed fields about one's own networks that have keys.
pub(crate) fn rows(
    style: Style,
    own: FieldSet,
    batch: &FlowBatch,
    selection: &Selection,
    context: &mut Context<'_>,
    first_number: u64,
    out: &mut Vec<u8>,
) {
    let (groups, protos) = (batch.column(Field::Groups), batch.column(Field::Proto));
    let rows = selection.count();
    let mut shapes: Vec<((u64, bool), Bound<'_>)> = Vec::new();
    let mut last = 0;
    let mut is_first = first_number == 0;
    selection.for_each(|row| {
        let shape = (groups.num(row), Protocol(protos.num(row) as u8).is_icmp());
        if shapes.get(last).is_none_or(|(known, _)| *known != shape) {
            last = shapes.iter().position(|(known, _)| *known == shape).unwrap_or_else(|| {
                if shapes.len() == MAX_SHAPES {
                    shapes.clear();
                }
                let object = object(Groups(shape.0), shape.1, style, own);
                shapes.push((shape, object.bind(batch, rows, context)));
                shapes.len() - 1
            });
        }
        if style != Style::Compact && !is_first {
            out.extend_from_slice(b",\n");
        }
        is_first = false;
        shapes[last].1.write(row, context, out);
    });
}

/// How many sets of groups are kept ready within a block: exporters have few templates, hostile ones any
/// number.
const MAX_SHAPES: usize = 32;

/// An object under construction.
struct Object {
    layout: Layout,
    style: Style,
    is_empty: bool,
}

impl Object {
    fn key(&mut self, key: &str) -> &mut Layout {
        let separator = match (self.style, self.is_empty) {
            (Style::Lines(_), true) => "\n\t\"",
            (Style::Lines(_), false) => ",\n\t\"",
            (Style::Compact, true) => "\"",
            (Style::Compact, false) => ",\"",
        };
        self.is_empty = false;
        self.layout.literal(separator).literal(key);
        self.layout.literal(if self.style == Style::Compact { "\":" } else { "\" : " })
    }

    fn text<const N: usize>(&mut self, key: &str, form: Form, sources: [Field; N]) {
        self.key(key).literal("\"").cell(form, sources, 0).literal("\"");
    }

    fn bare<const N: usize>(&mut self, key: &str, form: Form, sources: [Field; N]) {
        self.key(key).cell(form, sources, 0);
    }

    fn num(&mut self, field: Field) {
        self.bare(key_of(field), Form::Num, [field]);
    }

    fn nums(&mut self, fields: &[Field]) {
        for &field in fields {
            self.num(field);
        }
    }

    /// Numbers of events are quoted in nfdump 1.7.1's json (D-19). Its later ndjson has numbers.
    fn quoted_nums(&mut self, fields: &[Field]) {
        match self.style {
            Style::Lines(_) => fields.iter().for_each(|&field| self.text(key_of(field), Form::Num, [field])),
            Style::Compact => self.nums(fields),
        }
    }

    fn icmp(&mut self) {
        self.bare("icmp_type", Form::IcmpType, [Field::DstPort, Field::Proto]);
        self.bare("icmp_code", Form::IcmpCode, [Field::DstPort, Field::Proto]);
    }

    fn time(&mut self, field: Field) {
        self.text(key_of(field), Form::Time { between: b'T' }, [field]);
    }

    fn addr(&mut self, field: Field, is_v6: bool) {
        let key = key_of(field).replace("{}", if is_v6 { "6" } else { "4" });
        self.text(&key, Form::Addr { condensed: false }, [field]);
    }

    fn own(&mut self, fields: FieldSet) {
        for field in fields.iter() {
            let form = match field {
                Field::FlowSide => Form::Symbol { names: FlowSide::NAMES },
                Field::LocalNetwork => Form::OwnNetwork { quotes: Quotes::Json },
                _ => Form::Addr { condensed: false },
            };
            self.text(key_of(field), form, [field]);
        }
    }

    fn labels(&mut self) {
        for label in Field::MPLS {
            self.text(key_of(label), Form::Mpls, [label]);
        }
    }

    fn macs(&mut self) {
        for mac in [Field::InSrcMac, Field::OutDstMac, Field::InDstMac, Field::OutSrcMac] {
            self.text(key_of(mac), Form::Mac, [mac]);
        }
    }

    fn latencies(&mut self) {
        for latency in [Field::ClientLatencyUs, Field::ServerLatencyUs, Field::AppLatencyUs] {
            self.bare(key_of(latency), Form::ThousandthsLong, [latency]);
        }
    }

    fn firewall_event(&mut self) {
        self.quoted_nums(&[Field::ConnId, Field::FwEvent]);
        self.text("event", Form::FirewallEvent, [Field::FwEvent]);
        self.quoted_nums(&[Field::FwXevent]);
    }

    fn acls_and_user(&mut self, groups: Groups) {
        if groups.contains(Groups::ACL) {
            self.acl("ingress_acl", [Field::IngressAcl, Field::IngressAce, Field::IngressXace]);
            self.acl("egress_acl", [Field::EgressAcl, Field::EgressAce, Field::EgressXace]);
        }
        if groups.contains(Groups::USER) {
            self.text("user_name", Form::JsonText { none: "<empty>" }, [Field::UserName]);
        }
    }

    fn nat_event(&mut self) {
        self.quoted_nums(&[Field::NatEvent]);
        self.text("nat_event", Form::NatEventLong, [Field::NatEvent]);
        self.quoted_nums(&[Field::IngressVrf, Field::EgressVrf]);
    }

    fn acl(&mut self, key: &str, fields: [Field; 3]) {
        self.key(key).literal("\"");
        for (index, field) in fields.into_iter().enumerate() {
            if index > 0 {
                self.layout.literal("/");
            }
            self.layout.cell(Form::Hex { digits: 0 }, [field], 0);
        }
        self.layout.literal("\"");
    }
}

fn key_of(field: Field) -> &'static str {
    field_info(field).json.unwrap_or(field_info(field).name)
}

/// The layout of an object with these groups.
fn object(groups: Groups, is_icmp: bool, style: Style, own: FieldSet) -> Layout {
    let mut object = Object { layout: Layout::default(), style, is_empty: true };
    object.layout.literal("{");
    let end = match style {
        Style::Lines(Keys::V1_6) => {
            keys_1_6::describe(&mut object, groups, is_icmp);
            object.own(own);
            "\n}\n"
        }
        Style::Lines(Keys::V1_7) => {
            describe(&mut object, groups, is_icmp);
            object.own(own);
            "\n}"
        }
        Style::Compact => {
            describe(&mut object, groups, is_icmp);
            object.own(own);
            "}\n"
        }
    };
    object.layout.literal(end);
    object.layout
}

/// The keys of 1.7.
fn describe(object: &mut Object, groups: Groups, is_icmp: bool) {
    let has = |group| groups.contains(group);
    object.text("type", Form::RecordType, [Field::RecordFlags]);
    object.bare("sampled", Form::Sampled, [Field::RecordFlags]);
    object.num(Field::ExporterId);
    // nfdump's own generator writes records without.
    if has(Groups::GENERIC) {
        for field in [Field::FirstMs, Field::LastMs, Field::ReceivedMs] {
            object.time(field);
        }
        object.nums(&[Field::InPackets, Field::InBytes, Field::Proto]);
        if is_icmp {
            object.icmp();
        } else {
            object.text("tcp_flags", Form::TcpFlags, [Field::TcpFlags]);
            object.nums(&[Field::SrcPort, Field::DstPort]);
        }
        object.num(Field::SrcTos);
    }
    if has(Groups::IPV4) || has(Groups::IPV6) {
        object.addr(Field::SrcAddr, has(Groups::IPV6));
        object.addr(Field::DstAddr, has(Groups::IPV6));
    }
    if has(Groups::MISC) {
        object.nums(&[Field::Input, Field::Output, Field::SrcMask, Field::DstMask]);
        object.text("src_net", Form::JsonNetwork, [Field::SrcAddr, Field::SrcMask, Field::DstMask]);
        object.text("dst_net", Form::JsonNetwork, [Field::DstAddr, Field::DstMask, Field::SrcMask]);
        object.nums(&[Field::FwdStatus, Field::Direction, Field::DstTos]);
    }
    if has(Groups::COUNTERS) {
        object.nums(&[Field::OutPackets, Field::OutBytes, Field::Flows]);
    }
    if has(Groups::VLAN) {
        object.nums(&[Field::SrcVlan, Field::DstVlan]);
    }
    if has(Groups::AS) {
        object.nums(&[Field::SrcAs, Field::DstAs]);
    }
    for (field, v4, v6) in [
        (Field::BgpNextHop, Groups::BGP_NEXT_HOP_V4, Groups::BGP_NEXT_HOP_V6),
        (Field::NextHop, Groups::NEXT_HOP_V4, Groups::NEXT_HOP_V6),
        (Field::RouterAddr, Groups::ROUTER_V4, Groups::ROUTER_V6),
    ] {
        if has(v4) || has(v6) {
            object.addr(field, has(v6));
        }
    }
    if has(Groups::MPLS) {
        object.labels();
    }
    if has(Groups::MAC) {
        object.macs();
    }
    if has(Groups::ADJACENT_AS) {
        object.nums(&[Field::NextAs, Field::PrevAs]);
    }
    if has(Groups::LATENCY) {
        object.latencies();
    }
    events(object, groups);
    if has(Groups::TUNNEL_V4) || has(Groups::TUNNEL_V6) {
        let family = if has(Groups::TUNNEL_V6) { 6 } else { 4 };
        object.bare("tun proto", Form::Num, [Field::TunnelProto]);
        let whole = Form::Addr { condensed: false };
        object.text(&format!("src{family}_tun_ip"), whole, [Field::TunnelSrcAddr]);
        object.text(&format!("dst{family}_tun_ip"), whole, [Field::TunnelDstAddr]);
    }
    if has(Groups::OBSERVATION) {
        // Spelt as nfdump spells it.
        object.bare("observationDoaminID", Form::Num, [Field::ObservationDomainId]);
        object.bare("observationPointID", Form::Num, [Field::ObservationPointId]);
    }
    // A NAT event has shown them; nfdump repeats the keys (D-19).
    if has(Groups::VRF) && !has(Groups::NAT) {
        object.quoted_nums(&[Field::IngressVrf, Field::EgressVrf]);
    }
    object.text("label", Form::JsonText { none: "<none>" }, [Field::Label]);
}

fn events(object: &mut Object, groups: Groups) {
    let has = |group| groups.contains(group);
    if has(Groups::NSEL) {
        object.firewall_event();
        object.time(Field::EventTimeMs);
    }
    if has(Groups::XLATE_V4) || has(Groups::XLATE_V6) {
        object.addr(Field::XlateSrcAddr, has(Groups::XLATE_V6));
        object.addr(Field::XlateDstAddr, has(Groups::XLATE_V6));
    }
    if has(Groups::XLATE_PORT) {
        object.quoted_nums(&[Field::XlateSrcPort, Field::XlateDstPort]);
    }
    object.acls_and_user(groups);
    if has(Groups::NAT) {
        object.nat_event();
        if !has(Groups::NSEL) {
            object.time(Field::EventTimeMs);
        }
    }
    if has(Groups::PORT_BLOCK) {
        object.quoted_nums(&[Field::PblockStart, Field::PblockEnd, Field::PblockStep, Field::PblockSize]);
    }
}
