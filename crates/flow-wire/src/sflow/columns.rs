//! Sampled packets as rows.

use super::record::Sampled;
use crate::decoder::Message;
use crate::packet::{Ip, Labels};
use flow_model::{BatchBuilder, Field, Groups, RecordFlags, Rows};
use std::net::{IpAddr, Ipv4Addr};

const MPLS: [Field; Labels::MOST] = [
    Field::Mpls1,
    Field::Mpls2,
    Field::Mpls3,
    Field::Mpls4,
    Field::Mpls5,
    Field::Mpls6,
    Field::Mpls7,
    Field::Mpls8,
    Field::Mpls9,
    Field::Mpls10,
];

/// Appends a row for each sampled packet.
pub(super) fn write(sampled: &[Sampled], message: &mut Message<'_>, sysid: u16, out: &mut BatchBuilder) {
    if sampled.is_empty() {
        return;
    }
    let mut rows = out.rows(sampled.len(), message.groups());
    message.stamp(&mut rows, sysid);
    // As sfcapd has it, also for a rate of 1.
    rows.fill(Field::RecordFlags, RecordFlags::SAMPLED);
    rows.fill(Field::FirstMs, message.received_ms);
    rows.fill(Field::LastMs, message.received_ms);
    Columns { sampled, rows: &mut rows }.fill(message);
    rows.finish();
    message.decoded.flows += sampled.len();
}

struct Columns<'a, 'r> {
    sampled: &'a [Sampled],
    rows: &'a mut Rows<'r>,
}

impl Columns<'_, '_> {
    fn fill(&mut self, message: &Message<'_>) {
        self.nums(Field::InPackets, |sampled| sampled.rate.scale(1));
        self.nums(Field::InBytes, |sampled| sampled.rate.scale(sampled.len.into()));
        self.nums(Field::Input, |sampled| sampled.input.into());
        self.nums(Field::Output, |sampled| sampled.output.into());
        self.ips(Field::SrcAddr, |sampled| ip(sampled).src);
        self.ips(Field::DstAddr, |sampled| ip(sampled).dst);
        self.nums(Field::SrcPort, |sampled| ip(sampled).src_port.into());
        self.nums(Field::DstPort, |sampled| ip(sampled).dst_port.into());
        self.nums(Field::Proto, |sampled| ip(sampled).proto.into());
        self.nums(Field::TcpFlags, |sampled| ip(sampled).tcp_flags.into());
        self.nums(Field::SrcTos, |sampled| ip(sampled).tos.into());
        self.nums(Field::SrcVlan, |sampled| sampled.src_vlan.into());
        self.nums(Field::DstVlan, |sampled| sampled.dst_vlan.into());
        self.nums(Field::InSrcMac, |sampled| sampled.packet.macs.unwrap_or_default().src);
        self.nums(Field::OutDstMac, |sampled| sampled.packet.macs.unwrap_or_default().dst);

        // What few datagrams have is looked at only where one of the packets has it.
        let groups = self.sampled.iter().fold(0, |groups, sampled| groups | sampled.groups.0);
        let has = |group: u8| groups >> group & 1 == 1;
        self.nums(Field::SrcMask, |sampled| sampled.src_mask.into());
        self.nums(Field::DstMask, |sampled| sampled.dst_mask.into());
        self.nums(Field::SrcAs, |sampled| sampled.path.src_as.into());
        self.nums(Field::DstAs, |sampled| sampled.path.dst_as.into());
        if has(Groups::NEXT_HOP_V4) || has(Groups::NEXT_HOP_V6) {
            self.ips(Field::NextHop, |sampled| sampled.next_hop);
        }
        if has(Groups::BGP_NEXT_HOP_V4) || has(Groups::BGP_NEXT_HOP_V6) {
            self.ips(Field::BgpNextHop, |sampled| sampled.path.bgp_next_hop);
        }
        if has(Groups::ADJACENT_AS) {
            self.nums(Field::NextAs, |sampled| sampled.path.next_as.into());
            self.nums(Field::PrevAs, |sampled| sampled.path.prev_as.into());
        }
        if has(Groups::MPLS) {
            for (depth, field) in MPLS.into_iter().enumerate() {
                self.nums(field, |sampled| sampled.packet.labels.get(depth).into());
            }
        }
        if has(Groups::XLATE_V4) || has(Groups::XLATE_V6) {
            self.ips(Field::XlateSrcAddr, |sampled| sampled.xlate_addrs[0]);
            self.ips(Field::XlateDstAddr, |sampled| sampled.xlate_addrs[1]);
        }
        if has(Groups::XLATE_PORT) {
            self.nums(Field::XlateSrcPort, |sampled| sampled.xlate_ports[0].into());
            self.nums(Field::XlateDstPort, |sampled| sampled.xlate_ports[1].into());
        }
        if has(Groups::TUNNEL_V4) || has(Groups::TUNNEL_V6) {
            self.ips(Field::TunnelSrcAddr, |sampled| tunnel(sampled).src);
            self.ips(Field::TunnelDstAddr, |sampled| tunnel(sampled).dst);
            self.nums(Field::TunnelProto, |sampled| tunnel(sampled).proto.into());
        }
        if has(Groups::USER) {
            let (sampled, limit) = (self.sampled, message.limits.value_len_bytes);
            self.rows.bytes(Field::UserName, |row| {
                let (start, end) = sampled.get(row).map_or((0, 0), |sampled| sampled.user);
                let name = message.datagram.get(start..end).unwrap_or_default();
                name.get(..limit).unwrap_or(name)
            });
        }
        let sampled = self.sampled;
        self.rows.add_groups(|row| sampled.get(row).map_or(Groups::default(), |sampled| sampled.groups));
    }

    #[inline]
    fn nums(&mut self, field: Field, num: impl Fn(&Sampled) -> u64) {
        let sampled = self.sampled;
        self.rows.nums(field, |row| sampled.get(row).map_or(0, &num));
    }

    #[inline]
    fn ips(&mut self, field: Field, addr: impl Fn(&Sampled) -> Option<IpAddr>) {
        const NONE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let sampled = self.sampled;
        self.rows.ips(field, |row| sampled.get(row).and_then(&addr).unwrap_or(NONE));
    }
}

#[inline]
fn ip(sampled: &Sampled) -> Ip {
    sampled.packet.ip.unwrap_or_default()
}

#[inline]
fn tunnel(sampled: &Sampled) -> Ip {
    sampled.packet.tunnel.unwrap_or_default()
}
