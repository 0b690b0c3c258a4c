//! The keys of nfdump 1.6.25.

use super::Object;
use crate::cell::Form;
use flow_model::{Field, Groups};

/// Appends the keys of an object in the order of 1.6's extensions. What its groups hold together where 1.6 had an extension
/// for each is shown together, the absent as 0.
pub(super) fn describe(object: &mut Object, groups: Groups, is_icmp: bool) {
    let has = |group| groups.contains(group);
    object.text("type", Form::RecordType, [Field::RecordFlags]);
    object.bare("sampled", Form::Sampled, [Field::RecordFlags]);
    object.num(Field::ExporterId);
    time(object, "t_first", Field::FirstMs);
    time(object, "t_last", Field::LastMs);
    object.num(Field::Proto);
    object.addr(Field::SrcAddr, has(Groups::IPV6));
    object.addr(Field::DstAddr, has(Groups::IPV6));
    if is_icmp {
        object.icmp();
    } else {
        object.nums(&[Field::SrcPort, Field::DstPort]);
    }
    object.num(Field::FwdStatus);
    object.text("tcp_flags", Form::TcpFlags, [Field::TcpFlags]);
    object.nums(&[Field::SrcTos, Field::InPackets, Field::InBytes]);
    if has(Groups::MISC) {
        object.nums(&[Field::Input, Field::Output]);
    }
    if has(Groups::AS) {
        object.nums(&[Field::SrcAs, Field::DstAs]);
    }
    if has(Groups::MISC) {
        object.nums(&[Field::SrcMask, Field::DstMask, Field::DstTos, Field::Direction]);
    }
    for (field, v4, v6) in [
        (Field::NextHop, Groups::NEXT_HOP_V4, Groups::NEXT_HOP_V6),
        (Field::BgpNextHop, Groups::BGP_NEXT_HOP_V4, Groups::BGP_NEXT_HOP_V6),
    ] {
        addr(object, groups, field, v4, v6);
    }
    if has(Groups::VLAN) {
        object.nums(&[Field::SrcVlan, Field::DstVlan]);
    }
    if has(Groups::COUNTERS) {
        object.nums(&[Field::OutPackets, Field::OutBytes, Field::Flows]);
    }
    if has(Groups::MAC) {
        object.macs();
    }
    if has(Groups::MPLS) {
        object.labels();
    }
    addr(object, groups, Field::RouterAddr, Groups::ROUTER_V4, Groups::ROUTER_V6);
    object.bare("engine_type", Form::Num, [Field::EngineType]);
    object.bare("engine_id", Form::Num, [Field::EngineId]);
    if has(Groups::ADJACENT_AS) {
        object.nums(&[Field::NextAs, Field::PrevAs]);
    }
    time(object, "t_received", Field::ReceivedMs);
    events(object, groups);
    object.text("label", Form::JsonText { none: "<none>" }, [Field::Label]);
}

fn events(object: &mut Object, groups: Groups) {
    let has = |group| groups.contains(group);
    if has(Groups::NSEL) {
        object.firewall_event();
        object.text("sgt_id", Form::Num, [Field::SecurityGroupTag]);
        object.time(Field::EventTimeMs);
    }
    if has(Groups::XLATE_PORT) {
        object.quoted_nums(&[Field::XlateSrcPort, Field::XlateDstPort]);
    }
    for field in [Field::XlateSrcAddr, Field::XlateDstAddr] {
        addr(object, groups, field, Groups::XLATE_V4, Groups::XLATE_V6);
    }
    object.acls_and_user(groups);
    if has(Groups::LATENCY) {
        object.latencies();
    }
    if has(Groups::NAT) {
        object.nat_event();
    }
    if has(Groups::PORT_BLOCK) {
        object.quoted_nums(&[Field::PblockStart, Field::PblockEnd, Field::PblockStep, Field::PblockSize]);
    }
}

fn time(object: &mut Object, key: &str, field: Field) {
    object.text(key, Form::Time { between: b'T' }, [field]);
}

fn addr(object: &mut Object, groups: Groups, field: Field, v4: u8, v6: u8) {
    if groups.contains(v4) || groups.contains(v6) {
        object.addr(field, groups.contains(v6));
    }
}
