//! The raw format: a block of `label = value` lines for each record, for people who look at one record
//! closely.

use crate::addr::{AddrText, masked};
use crate::cell::{Context, PCAP, SFLOW, app_id, type_code};
use crate::name_table::NameTable;
use crate::names::{biflow_direction, end_reason, firewall_event, nat_event, pf_reason, xevent};
use crate::payload;
use crate::text::{
    hex, mac, mpls, num, num_left, num_right, printable, right, spaces, tcp_flags, thousandths,
};
use flow_model::{Field, FieldSet, FlowBatch, Groups, Protocol, RecordFlags, protocol_name};

/// The fields that a record is printed from.
pub(crate) fn fields() -> FieldSet {
    FieldSet::ALL
}

/// Appends one record.
pub(crate) fn record(
    batch: &FlowBatch,
    row: usize,
    number: Option<u64>,
    context: &mut Context<'_>,
    out: &mut Vec<u8>,
) {
    Record { batch, row, out, context, groups: batch.groups(row) }.write(number);
}

struct Record<'a, 'z> {
    batch: &'a FlowBatch,
    row: usize,
    groups: Groups,
    context: &'a mut Context<'z>,
    out: &'a mut Vec<u8>,
}

/// How much of the name of pf's interface is shown.
const PF_NAME_LEN: usize = 15;

/// Where messages of the domain name system are sent to and come from.
const DNS_PORT: u64 = 53;

/// Octets of length in front of such a message over TCP.
const DNS_LENGTH: usize = 2;

/// Columns between `=` and the end of most values.
const VALUE_WIDTH: usize = 18;

impl Record<'_, '_> {
    fn write(&mut self, number: Option<u64>) {
        self.out.extend_from_slice(b"\nFlow Record: \n");
        if let Some(number) = number {
            self.value("RecordCount", 13, number);
        }
        self.head();
        self.generic();
        self.addresses();
        if self.has(Groups::MISC) {
            self.misc();
        }
        self.counters_and_routing();
        self.labels();
        if self.has(Groups::LATENCY) {
            self.latency("cli latency", Field::ClientLatencyUs);
            self.latency("srv latency", Field::ServerLatencyUs);
            self.latency("app latency", Field::AppLatencyUs);
        }
        self.events();
        self.rest();
    }

    fn head(&mut self) {
        let (flags, version) = (self.num(Field::RecordFlags), self.num(Field::NfVersion));
        self.label("Flags");
        self.hex_in(VALUE_WIDTH, flags, 2);
        self.out.push(b' ');
        match version {
            _ if flags & RecordFlags::EVENT != 0 => self.out.extend_from_slice(b"EVENT"),
            0 => self.out.extend_from_slice(b"FLOW"),
            _ if version & SFLOW != 0 => {
                self.out.extend_from_slice(b"SFLOW v");
                num(self.out, version & 0xf);
            }
            _ if version & PCAP != 0 => {
                self.out.extend_from_slice(b"PCAP v");
                num(self.out, version & 0xf);
            }
            _ => {
                self.out.extend_from_slice(b"NETFLOW v");
                num(self.out, version);
            }
        }
        if flags & RecordFlags::ANONYMISED != 0 {
            self.out.extend_from_slice(b" Anonymized");
        }
        self.out.extend_from_slice(if flags & RecordFlags::SAMPLED == 0 {
            b", Unsampled"
        } else {
            b", Sampled"
        });
        self.end();
        let groups: Vec<u64> =
            self.groups.iter().filter(|&group| group < NOT_NFDUMPS).map(u64::from).collect();
        self.label("Elements");
        num_right(self.out, groups.len() as u64, VALUE_WIDTH);
        self.out.extend_from_slice(b": ");
        for group in groups {
            num(self.out, group);
            self.out.push(b' ');
        }
        self.end();
        self.value("size", 13, self.record_size());
        self.value("engine type", 13, self.num(Field::EngineType));
        self.value("engine ID", 13, self.num(Field::EngineId));
        self.value("export sysid", 13, self.num(Field::ExporterId));
        if self.has(Groups::LABEL) {
            self.text("Label", Field::Label, 2, 16, "<none>");
        }
    }

    /// Octets of the record in nfdump's own layout: a header of 12, and each element.
    fn record_size(&self) -> u64 {
        let elements: u64 = self.groups.iter().map(|group| self.element_size(group)).sum();
        12 + elements
    }

    /// Octets of an element in nfdump's layout 2, its header of four included.
    #[expect(clippy::match_same_arms, reason = "short lines read better than one long list")]
    fn element_size(&self, group: u8) -> u64 {
        let bytes = |field| self.batch.column(field).bytes(self.row).len() as u64;
        let content = match group {
            Groups::BGP_NEXT_HOP_V4 | Groups::NEXT_HOP_V4 | Groups::ROUTER_V4 | Groups::XLATE_PORT => 4,
            Groups::IPV4 | Groups::VLAN | Groups::AS | Groups::ADJACENT_AS => 8,
            Groups::XLATE_V4 | Groups::VRF | Groups::SAMPLER | Groups::PORT_BLOCK => 8,
            Groups::TUNNEL_V4 => 12,
            Groups::MISC | Groups::NSEL | Groups::NAT | Groups::OBSERVATION => 16,
            Groups::BGP_NEXT_HOP_V6 | Groups::NEXT_HOP_V6 | Groups::ROUTER_V6 => 16,
            Groups::COUNTERS | Groups::LATENCY | Groups::ACL => 24,
            Groups::IPV6 | Groups::XLATE_V6 | Groups::MAC => 32,
            Groups::MPLS | Groups::TUNNEL_V6 => 40,
            Groups::GENERIC => 48,
            Groups::USER => 68,
            Groups::APP_ID => bytes(Field::AppId),
            Groups::LABEL => bytes(Field::Label) + 1,
            Groups::IN_PAYLOAD => bytes(Field::InPayload),
            Groups::OUT_PAYLOAD => bytes(Field::OutPayload),
            Groups::PF => 20 + bytes(Field::PfInterface) + 1,
            _ => return 0,
        };
        content + 4
    }

    fn generic(&mut self) {
        self.moment("first", Field::FirstMs);
        self.moment("last", Field::LastMs);
        self.moment("received at", Field::ReceivedMs);
        let number = self.num(Field::Proto);
        self.proto("proto", number);
        let is_tcp = Protocol(number as u8) == Protocol::TCP;
        let flags = if is_tcp { self.num(Field::TcpFlags) } else { 0 };
        self.label("tcp flags");
        self.hex_in(VALUE_WIDTH, flags, 2);
        self.out.push(b' ');
        tcp_flags(self.out, flags);
        self.end();
        if Protocol(number as u8).is_icmp() {
            let port = self.num(Field::DstPort);
            self.label("ICMP");
            let mut text = Vec::new();
            type_code(&mut text, port);
            // Type right-justified in two columns, code left-justified in two.
            spaces(self.out, 14 + usize::from(port >> 8 < 10));
            self.out.extend_from_slice(&text);
            spaces(self.out, 1 + usize::from(port & 0xff < 10));
            self.out.extend_from_slice(b"type.code");
            self.end();
        } else {
            self.field("src port", 13, Field::SrcPort);
            self.field("dst port", 13, Field::DstPort);
            self.field("src tos", 13, Field::SrcTos);
        }
        self.field("in packets", 8, Field::InPackets);
        self.field("in bytes", 8, Field::InBytes);
    }

    fn addresses(&mut self) {
        if self.has(Groups::TUNNEL_V4) || self.has(Groups::TUNNEL_V6) {
            let number = self.num(Field::TunnelProto);
            self.proto("tun proto", number);
            self.addr("tun src addr", Field::TunnelSrcAddr);
            self.addr("tun dst addr", Field::TunnelDstAddr);
        }
        if self.has(Groups::IPV4) || self.has(Groups::IPV6) {
            self.addr("src addr", Field::SrcAddr);
            self.addr("dst addr", Field::DstAddr);
        }
    }

    fn misc(&mut self) {
        self.called("input", 10, Field::Input, NameTable::interface);
        self.called("output", 10, Field::Output, NameTable::interface);
        self.network("src mask", Field::SrcAddr, Field::SrcMask);
        self.network("dst mask", Field::DstAddr, Field::DstMask);
        self.field("fwd status", 13, Field::FwdStatus);
        self.field("dst tos", 13, Field::DstTos);
        self.field("direction", 13, Field::Direction);
        for (label, field, name) in [
            ("biFlow Dir", Field::BiflowDir, biflow_direction as fn(u64) -> &'static str),
            ("end reason", Field::FlowEndReason, end_reason),
        ] {
            let value = self.num(field);
            self.label(label);
            self.hex_in(VALUE_WIDTH, value, 2);
            self.out.push(b' ');
            self.out.extend_from_slice(name(value).as_bytes());
            self.end();
        }
    }

    fn counters_and_routing(&mut self) {
        if self.has(Groups::COUNTERS) {
            self.field("out packets", 8, Field::OutPackets);
            self.field("out bytes", 8, Field::OutBytes);
            self.field("aggr flows", 8, Field::Flows);
        }
        if self.has(Groups::VLAN) {
            self.field("src vlan", 13, Field::SrcVlan);
            self.field("dst vlan", 13, Field::DstVlan);
        }
        if self.has(Groups::AS) {
            self.field("src as", 13, Field::SrcAs);
            self.field("dst as", 13, Field::DstAs);
        }
        for (label, field, v4, v6) in [
            ("bgp next hop", Field::BgpNextHop, Groups::BGP_NEXT_HOP_V4, Groups::BGP_NEXT_HOP_V6),
            ("ip next hop", Field::NextHop, Groups::NEXT_HOP_V4, Groups::NEXT_HOP_V6),
            ("ip exporter", Field::RouterAddr, Groups::ROUTER_V4, Groups::ROUTER_V6),
        ] {
            if self.has(v4) || self.has(v6) {
                self.addr(label, field);
            }
        }
    }

    fn labels(&mut self) {
        if self.has(Groups::MPLS) {
            for (index, field) in Field::MPLS.into_iter().enumerate() {
                let entry = self.num(field);
                if entry != 0 {
                    self.out.extend_from_slice(b"  MPLS Lbl ");
                    num_right(self.out, index as u64 + 1, 2);
                    self.out.extend_from_slice(b"  =");
                    mpls(self.out, entry, VALUE_WIDTH);
                    self.end();
                }
            }
        }
        if self.has(Groups::MAC) {
            for (label, field) in [
                ("in src mac", Field::InSrcMac),
                ("out dst mac", Field::OutDstMac),
                ("in dst mac", Field::InDstMac),
                ("out src mac", Field::OutSrcMac),
            ] {
                let value = self.num(field);
                self.label(label);
                self.out.push(b' ');
                mac(self.out, value);
                self.end();
            }
        }
        if self.has(Groups::ADJACENT_AS) {
            self.field("bgp next as", 13, Field::NextAs);
            self.field("bgp prev as", 13, Field::PrevAs);
        }
    }

    fn events(&mut self) {
        if self.has(Groups::NSEL) {
            self.field("connect ID", 8, Field::ConnId);
            self.named("fw event", Field::FwEvent, firewall_event);
            let event = self.num(Field::FwXevent);
            self.label("fw ext event");
            num_right(self.out, event, VALUE_WIDTH);
            self.out.extend_from_slice(b": ");
            match xevent(event) {
                Some(name) => self.out.extend_from_slice(name.as_bytes()),
                None => num(self.out, event),
            }
            self.end();
            self.moment("Event time", Field::EventTimeMs);
        }
        if self.has(Groups::XLATE_V4) || self.has(Groups::XLATE_V6) {
            self.addr("src xlt ip", Field::XlateSrcAddr);
            self.addr("dst xlt ip", Field::XlateDstAddr);
        }
        if self.has(Groups::XLATE_PORT) {
            self.field("src xlt port", 13, Field::XlateSrcPort);
            self.field("dst xlt port", 13, Field::XlateDstPort);
        }
        if self.has(Groups::ACL) {
            self.acl("Ingress ACL", [Field::IngressAcl, Field::IngressAce, Field::IngressXace]);
            self.acl("Egress ACL", [Field::EgressAcl, Field::EgressAce, Field::EgressXace]);
        }
        if self.has(Groups::USER) {
            self.text("username", Field::UserName, 7, 0, "");
        }
        if self.has(Groups::NAT) {
            self.named("nat event", Field::NatEvent, nat_event);
            self.moment("Event time", Field::EventTimeMs);
        }
        if self.has(Groups::PORT_BLOCK) {
            self.field("pblock start", 13, Field::PblockStart);
            self.field("pblock end", 13, Field::PblockEnd);
            self.field("pblock step", 13, Field::PblockStep);
            self.field("pblock size", 13, Field::PblockSize);
        }
    }

    fn rest(&mut self) {
        if self.has(Groups::APP_ID) {
            self.label("app ID");
            spaces(self.out, 13);
            let id = self.batch.column(Field::AppId).bytes(self.row);
            app_id(self.out, id, 2);
            self.out.extend_from_slice(b": ");
            let name = self.context.names.application(self.num(Field::ExporterId), id);
            self.out.extend_from_slice(name.as_bytes());
            self.end();
        }
        for (group, label, field) in [
            (Groups::IN_PAYLOAD, "in payload", Field::InPayload),
            (Groups::OUT_PAYLOAD, "out payload", Field::OutPayload),
        ] {
            if self.has(group) {
                let octets = self.batch.column(field).bytes(self.row);
                self.value(label, 13, octets.len() as u64);
                if [Field::SrcPort, Field::DstPort].iter().any(|&port| self.num(port) == DNS_PORT) {
                    let is_tcp = Protocol(self.num(Field::Proto) as u8) == Protocol::TCP;
                    let message = octets.get(if is_tcp { DNS_LENGTH } else { 0 }..).unwrap_or_default();
                    payload::write_dns(self.out, message);
                }
                if payload::is_text(octets) {
                    self.out.extend_from_slice(octets);
                    self.end();
                }
                payload::write_hello(self.out, octets);
                payload::dump(self.out, octets);
            }
        }
        if self.has(Groups::OBSERVATION) {
            let (domain, point) = (self.num(Field::ObservationDomainId), self.num(Field::ObservationPointId));
            self.label("obs domainID");
            spaces(self.out, 9);
            hex(self.out, domain, 5);
            self.end();
            self.label("obs pointID");
            spaces(self.out, 6);
            hex(self.out, point, 10);
            self.end();
        }
        if self.has(Groups::VRF) {
            self.called("ingress VRF", 8, Field::IngressVrf, NameTable::vrf);
            self.called("egress VRF", 8, Field::EgressVrf, NameTable::vrf);
        }
        if self.has(Groups::PF) {
            self.pf();
        }
    }

    fn pf(&mut self) {
        let name: Vec<u8> = printable(self.batch.column(Field::PfInterface).bytes(self.row)).collect();
        let (action, reason, direction) =
            (self.num(Field::PfAction), self.num(Field::PfReason), self.num(Field::PfDir));
        self.label("pflog ifname");
        spaces(self.out, 10);
        right(self.out, &name[..name.len().min(PF_NAME_LEN)], 8);
        self.end();
        self.label("pflog action");
        right(self.out, if action == 0 { b"pass" } else { b"block" }, VALUE_WIDTH);
        self.end();
        self.label("pflog reason");
        num_right(self.out, reason, VALUE_WIDTH);
        self.out.push(b'/');
        self.out.extend_from_slice(pf_reason(reason).as_bytes());
        self.end();
        self.label("pflog direct");
        right(self.out, if direction == 0 { b"out" } else { b"in" }, VALUE_WIDTH);
        self.end();
        self.field("pflog rulenr", 13, Field::PfRule);
    }

    fn has(&self, group: u8) -> bool {
        self.groups.contains(group)
    }

    fn num(&self, field: Field) -> u64 {
        self.batch.column(field).num(self.row)
    }

    fn label(&mut self, label: &str) {
        self.out.extend_from_slice(b"  ");
        crate::text::left(self.out, label.as_bytes(), 13);
        self.out.push(b'=');
    }

    fn end(&mut self) {
        self.out.push(b'\n');
    }

    /// A number behind at least `blanks` blanks, right-justified as long as it is short enough.
    fn value(&mut self, label: &str, blanks: usize, value: u64) {
        self.label(label);
        spaces(self.out, blanks);
        num_right(self.out, value, VALUE_WIDTH - blanks);
        self.end();
    }

    fn field(&mut self, label: &str, blanks: usize, field: Field) {
        self.value(label, blanks, self.num(field));
    }

    /// A number with its name.
    fn called(&mut self, label: &str, blanks: usize, field: Field, name: fn(&NameTable, u64, u64) -> &str) {
        let value = self.num(field);
        self.label(label);
        spaces(self.out, blanks);
        num_right(self.out, value, VALUE_WIDTH - blanks);
        let name = name(self.context.names, self.num(Field::ExporterId), value);
        self.out.extend_from_slice(name.as_bytes());
        self.end();
    }

    fn hex_in(&mut self, width: usize, value: u64, digits: usize) {
        let mut text = Vec::with_capacity(width);
        hex(&mut text, value, digits);
        right(self.out, &text, width);
    }

    fn moment(&mut self, label: &str, field: Field) {
        let unix_ms = self.num(field);
        self.label(label);
        num_right(self.out, unix_ms, VALUE_WIDTH);
        self.out.extend_from_slice(b" [");
        if unix_ms == 0 {
            let none: &[u8] = if field == Field::ReceivedMs { b"0.000" } else { b"<unknown>.000" };
            self.out.extend_from_slice(none);
        } else {
            self.context.time.millis(self.out, unix_ms, b' ');
        }
        self.out.extend_from_slice(b"]\n");
    }

    /// A protocol by number and name; where there is no name, the number again.
    fn proto(&mut self, label: &str, number: u64) {
        self.label(label);
        num_right(self.out, number, VALUE_WIDTH);
        self.out.push(b' ');
        match protocol_name(number as u8) {
            Some(name) => self.out.extend_from_slice(name.as_bytes()),
            None => num_left(self.out, number, if number < NAMELESS_FROM { 0 } else { 5 }),
        }
        self.end();
    }

    fn addr(&mut self, label: &str, field: Field) {
        let addr = self.batch.column(field).ip(self.row);
        self.label(label);
        self.out.extend_from_slice(b"  ");
        right(self.out, AddrText::new(addr).as_bytes(), VALUE_WIDTH - 2);
        self.end();
    }

    fn network(&mut self, label: &str, addr: Field, mask: Field) {
        let (addr, prefix) = (self.batch.column(addr).ip(self.row), self.num(mask));
        self.label(label);
        num_right(self.out, prefix, VALUE_WIDTH);
        self.out.push(b' ');
        if prefix != 0 {
            self.out.extend_from_slice(AddrText::new(masked(addr, prefix)).as_bytes());
        }
        self.out.push(b'/');
        num(self.out, prefix);
        self.end();
    }

    fn latency(&mut self, label: &str, field: Field) {
        let latency_us = self.num(field);
        self.label(label);
        spaces(self.out, 9);
        thousandths(self.out, latency_us, 9);
        self.out.extend_from_slice(b" ms\n");
    }

    fn named(&mut self, label: &str, field: Field, name: fn(u64) -> &'static str) {
        let value = self.num(field);
        self.label(label);
        num_right(self.out, value, VALUE_WIDTH);
        self.out.extend_from_slice(b": ");
        self.out.extend_from_slice(name(value).as_bytes());
        self.end();
    }

    fn acl(&mut self, label: &str, fields: [Field; 3]) {
        self.label(label);
        spaces(self.out, 7);
        for (index, field) in fields.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b'/');
            }
            let id = self.num(field);
            hex(self.out, id, 0);
        }
        self.end();
    }

    fn text(&mut self, label: &str, field: Field, blanks: usize, width: usize, none: &str) {
        let text: Vec<u8> = printable(self.batch.column(field).bytes(self.row)).collect();
        self.label(label);
        spaces(self.out, blanks);
        right(self.out, if text.is_empty() { none.as_bytes() } else { &text }, width);
        self.end();
    }
}

/// Groups from this number on are no extensions of nfdump's layout.
const NOT_NFDUMPS: u8 = Groups::SECURITY_GROUP;

/// Numbers of protocols that nfdump has no names for begin here; it prints them as wide as names.
const NAMELESS_FROM: u64 = 138;
