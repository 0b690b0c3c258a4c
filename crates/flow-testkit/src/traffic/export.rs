//! Routers exporting flows: NetFlow v5, NetFlow v9 (RFC 3954), IPFIX (RFC 7011) and sFlow v5 datagrams.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::flow::{Flow, Profile, Traffic};
use super::sflow;

/// The longest datagram made, octets: stays below an Ethernet frame with all tunnels in between.
pub const MAX_DATAGRAM_LEN: usize = 1400;

/// What an exporter speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// NetFlow version 5: IPv4 only, fixed records.
    NetflowV5,
    /// NetFlow version 9: one template for each family.
    NetflowV9,
    /// IPFIX: the same fields with absolute times.
    Ipfix,
    /// IPFIX with two fields of variable length (RFC 7011 7) in place of direction and VLAN: the application and the
    /// interface by its name.
    IpfixVariable,
    /// sFlow version 5: a sampled packet for each flow, whose times are those of its datagram.
    Sflow,
}

/// One UDP payload and who sent it when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    /// Milliseconds since 1970.
    pub sent_ms: u64,
    /// Source address and port.
    pub from: SocketAddr,
    /// The UDP payload.
    pub payload: Vec<u8>,
}

/// The datagrams which a profile's exporters send, in order of time.
///
/// A v9 or IPFIX exporter sends its templates in a datagram of their own, first and then once a minute, at the
/// minute: each file of a rotating collector can be read without the one before. Inside a datagram IPv4 flows
/// stand before IPv6 flows.
#[derive(Debug)]
pub struct Datagrams {
    traffic: Traffic,
    exporters: Vec<Exporter>,
    ready: VecDeque<Datagram>,
    second: u64,
    drained: bool,
}

impl Datagrams {
    /// Starts at the profile's first flow.
    ///
    /// # Panics
    ///
    /// When the profile has no exporter, or IPv6 flows and only exporters of NetFlow v5.
    pub fn new(profile: &Profile) -> Self {
        let exporters: Vec<Exporter> = (1..)
            .zip(&profile.exporters)
            .map(|(domain, &(addr, protocol))| {
                let from = SocketAddr::new(IpAddr::V4(addr), 40_000 + domain as u16);
                Exporter::new(from, protocol, domain, profile.start_ms)
            })
            .collect();
        assert!(
            exporters.iter().any(|e| profile.ipv6_percent == 0 || e.protocol != Protocol::NetflowV5),
            "no exporter can express the flows"
        );
        Self { traffic: Traffic::new(profile), exporters, ready: VecDeque::new(), second: 0, drained: false }
    }

    fn take(&mut self, flow: Flow) {
        let now_ms = flow.export_ms;
        if self.second != now_ms / 1000 {
            self.second = now_ms / 1000;
            for exporter in &mut self.exporters {
                if exporter.oldest_ms().is_some_and(|oldest| oldest + FLUSH_AFTER_MS <= now_ms) {
                    exporter.flush(now_ms, &mut self.ready);
                }
            }
        }
        let count = self.exporters.len();
        // A conversation stays with its router; whoever cannot express IPv6 leaves it to the next.
        let first = flow.input_if.max(flow.output_if) as usize % count;
        let chosen = (0..count).map(|n| (first + n) % count).find(|&n| self.exporters[n].can_express(&flow));
        if let Some(exporter) = chosen.and_then(|n| self.exporters.get_mut(n)) {
            exporter.push(flow, &mut self.ready);
        }
    }
}

impl Iterator for Datagrams {
    type Item = Datagram;

    fn next(&mut self) -> Option<Datagram> {
        loop {
            if let Some(datagram) = self.ready.pop_front() {
                return Some(datagram);
            }
            if self.drained {
                return None;
            }
            if let Some(flow) = self.traffic.next() {
                self.take(flow);
            } else {
                self.drained = true;
                for exporter in &mut self.exporters {
                    if let Some(newest_ms) = exporter.newest_ms() {
                        exporter.flush(newest_ms, &mut self.ready);
                    }
                }
            }
        }
    }
}

/// A flow waits at most this long for its datagram to fill.
const FLUSH_AFTER_MS: u64 = 5000;
const TEMPLATE_REFRESH_MS: u64 = 60_000;
/// How long before its first flow an exporter started: an uptime needs something to count from.
const UPTIME_MS: u64 = 10 * 86_400_000;
const TEMPLATE_V4: u16 = 256;
const TEMPLATE_V6: u16 = 257;

const V5_HEADER_LEN: usize = 24;
const V5_RECORD_LEN: usize = 48;
const V9_HEADER_LEN: usize = 20;
const IPFIX_HEADER_LEN: usize = 16;
/// Set header and the most padding it needs.
const SET_OVERHEAD: usize = 4 + 3;

/// The state of one router.
#[derive(Debug)]
struct Exporter {
    from: SocketAddr,
    protocol: Protocol,
    domain: u32,
    boot_ms: u64,
    sequence: u32,
    templates_sent: Option<u64>,
    pending: Vec<Flow>,
    pending_len: usize,
}

impl Exporter {
    fn new(from: SocketAddr, protocol: Protocol, domain: u32, start_ms: u64) -> Self {
        Self {
            from,
            protocol,
            domain,
            // A whole second, so that header seconds and uptime give the boot time without rounding.
            boot_ms: start_ms.saturating_sub(UPTIME_MS) / 1000 * 1000,
            sequence: 0,
            templates_sent: None,
            pending: Vec::new(),
            pending_len: 0,
        }
    }

    fn push(&mut self, flow: Flow, out: &mut VecDeque<Datagram>) {
        let len = self.record_len(&flow);
        let overhead = match self.protocol {
            Protocol::NetflowV5 => V5_HEADER_LEN,
            Protocol::NetflowV9 => V9_HEADER_LEN + 2 * SET_OVERHEAD,
            Protocol::Ipfix | Protocol::IpfixVariable => IPFIX_HEADER_LEN + 2 * SET_OVERHEAD,
            Protocol::Sflow => sflow::HEADER_LEN,
        };
        if overhead + self.pending_len + len > MAX_DATAGRAM_LEN {
            self.flush(flow.export_ms, out);
        }
        self.pending_len += len;
        self.pending.push(flow);
    }

    /// Sends what is pending.
    fn flush(&mut self, now_ms: u64, out: &mut VecDeque<Datagram>) {
        let period = now_ms / TEMPLATE_REFRESH_MS;
        if self.has_templates() && self.templates_sent != Some(period) {
            self.templates_sent = Some(period);
            let payload = self.template_datagram(now_ms);
            out.push_back(Datagram { sent_ms: now_ms, from: self.from, payload });
        }
        let payload = match self.protocol {
            Protocol::NetflowV5 => self.v5_datagram(now_ms),
            Protocol::NetflowV9 | Protocol::Ipfix | Protocol::IpfixVariable => self.data_datagram(now_ms),
            Protocol::Sflow => self.sflow_datagram(now_ms),
        };
        out.push_back(Datagram { sent_ms: now_ms, from: self.from, payload });
        self.pending.clear();
        self.pending_len = 0;
    }

    fn has_templates(&self) -> bool {
        self.protocol == Protocol::NetflowV9 || self.is_ipfix()
    }

    fn is_ipfix(&self) -> bool {
        matches!(self.protocol, Protocol::Ipfix | Protocol::IpfixVariable)
    }

    fn can_express(&self, flow: &Flow) -> bool {
        flow.src.is_ipv4() || self.protocol != Protocol::NetflowV5
    }

    fn oldest_ms(&self) -> Option<u64> {
        self.pending.first().map(|flow| flow.export_ms)
    }

    fn newest_ms(&self) -> Option<u64> {
        self.pending.last().map(|flow| flow.export_ms)
    }

    fn record_len(&self, flow: &Flow) -> usize {
        match self.protocol {
            Protocol::NetflowV5 => V5_RECORD_LEN,
            Protocol::Sflow => sflow::sample_len(flow),
            Protocol::NetflowV9 | Protocol::Ipfix | Protocol::IpfixVariable => {
                let addresses = if flow.src.is_ipv6() { 3 * 16 } else { 3 * 4 };
                addresses + self.elements().iter().map(|e| e.len_in(flow, self.boot_ms)).sum::<usize>()
            }
        }
    }

    /// Milliseconds since boot, as the headers and the v5 and v9 records carry them.
    fn uptime(&self, at_ms: u64) -> u32 {
        at_ms.saturating_sub(self.boot_ms) as u32
    }

    /// NetFlow v5: 24 octets of header, 48 for each flow.
    fn v5_datagram(&mut self, now_ms: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(MAX_DATAGRAM_LEN);
        let second_ms = now_ms / 1000 * 1000;
        put16(&mut out, 5);
        put16(&mut out, self.pending.len() as u16);
        put32(&mut out, self.uptime(second_ms));
        put32(&mut out, (now_ms / 1000) as u32);
        put32(&mut out, 0);
        put32(&mut out, self.sequence);
        out.extend([0, self.domain as u8]);
        put16(&mut out, 0);
        for flow in &self.pending {
            for addr in [flow.src, flow.dst, flow.next_hop] {
                put_addr(&mut out, addr);
            }
            put16(&mut out, flow.input_if);
            put16(&mut out, flow.output_if);
            put32(&mut out, saturate(flow.packets));
            put32(&mut out, saturate(flow.bytes));
            put32(&mut out, self.uptime(flow.first_ms));
            put32(&mut out, self.uptime(flow.last_ms));
            put16(&mut out, flow.src_port);
            put16(&mut out, flow.dst_port);
            out.extend([0, flow.tcp_flags, flow.proto, flow.tos]);
            put16(&mut out, as_16_bit(flow.src_as));
            put16(&mut out, as_16_bit(flow.dst_as));
            out.extend([flow.src_mask, flow.dst_mask, 0, 0]);
        }
        self.sequence = self.sequence.wrapping_add(self.pending.len() as u32);
        out
    }

    fn sflow_datagram(&mut self, now_ms: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(MAX_DATAGRAM_LEN);
        let count = self.pending.len();
        sflow::header(&mut out, self.from.ip(), self.domain, self.sequence, self.uptime(now_ms), count);
        for flow in &self.pending {
            sflow::sample(&mut out, flow, self.sequence);
        }
        self.sequence = self.sequence.wrapping_add(1);
        out
    }

    fn template_datagram(&mut self, now_ms: u64) -> Vec<u8> {
        let mut out = self.header(now_ms, 2);
        let set = out.len();
        put16(&mut out, if self.is_ipfix() { 2 } else { 0 });
        put16(&mut out, 0);
        for (id, addresses, len) in [(TEMPLATE_V4, [8u16, 12, 15], 4u16), (TEMPLATE_V6, [27, 28, 62], 16)] {
            put16(&mut out, id);
            put16(&mut out, (addresses.len() + self.elements().len()) as u16);
            for element in addresses {
                put16(&mut out, element);
                put16(&mut out, len);
            }
            for element in self.elements() {
                put16(&mut out, element.id);
                put16(&mut out, element.len);
            }
        }
        finish_set(&mut out, set);
        self.finish_message(&mut out, 0);
        out
    }

    fn data_datagram(&mut self, now_ms: u64) -> Vec<u8> {
        let mut out = self.header(now_ms, self.pending.len() as u16);
        for (template, ipv6) in [(TEMPLATE_V4, false), (TEMPLATE_V6, true)] {
            let set = out.len();
            for flow in self.pending.iter().filter(|flow| flow.src.is_ipv6() == ipv6) {
                if out.len() == set {
                    put16(&mut out, template);
                    put16(&mut out, 0);
                }
                for addr in [flow.src, flow.dst, flow.next_hop] {
                    put_addr(&mut out, addr);
                }
                for element in self.elements() {
                    element.put(&mut out, flow, self.boot_ms);
                }
            }
            if out.len() > set {
                finish_set(&mut out, set);
            }
        }
        self.finish_message(&mut out, self.pending.len() as u32);
        out
    }

    /// `records`: what the v9 header counts, templates and flows alike.
    fn header(&self, now_ms: u64, records: u16) -> Vec<u8> {
        let mut out = Vec::with_capacity(MAX_DATAGRAM_LEN);
        if self.is_ipfix() {
            put16(&mut out, 10);
            put16(&mut out, 0);
        } else {
            put16(&mut out, 9);
            put16(&mut out, records);
            put32(&mut out, self.uptime(now_ms / 1000 * 1000));
        }
        put32(&mut out, (now_ms / 1000) as u32);
        put32(&mut out, self.sequence);
        put32(&mut out, self.domain);
        out
    }

    /// Sets the message length and moves the sequence on: v9 counts datagrams, IPFIX data records.
    fn finish_message(&mut self, out: &mut [u8], records: u32) {
        if self.is_ipfix() {
            let len = out.len() as u16;
            out[2..4].copy_from_slice(&len.to_be_bytes());
            self.sequence = self.sequence.wrapping_add(records);
        } else {
            self.sequence = self.sequence.wrapping_add(1);
        }
    }

    fn elements(&self) -> &'static [Element] {
        match self.protocol {
            Protocol::IpfixVariable => IPFIX_VARIABLE_ELEMENTS,
            Protocol::Ipfix => IPFIX_ELEMENTS,
            _ => V9_ELEMENTS,
        }
    }
}

/// The length of a field that has its own in each record.
const VARIABLE: u16 = u16::MAX;

/// One field specifier and where its value comes from; the second argument is the exporter's boot time. Of variable
/// length it has the octets that the number needs.
#[derive(Clone, Copy)]
struct Element {
    id: u16,
    len: u16,
    value: fn(&Flow, u64) -> u64,
}

const fn element(id: u16, len: u16, value: fn(&Flow, u64) -> u64) -> Element {
    Element { id, len, value }
}

impl Element {
    fn put(&self, out: &mut Vec<u8>, flow: &Flow, boot_ms: u64) {
        let value = (self.value)(flow, boot_ms).to_be_bytes();
        let len = self.len_in(flow, boot_ms) - usize::from(self.len == VARIABLE);
        if self.len == VARIABLE {
            out.push(len as u8);
        }
        out.extend(&value[value.len() - len..]);
    }

    /// Octets in a record.
    fn len_in(&self, flow: &Flow, boot_ms: u64) -> usize {
        match self.len {
            VARIABLE => 1 + (u64::BITS - (self.value)(flow, boot_ms).leading_zeros()).div_ceil(8) as usize,
            len => len as usize,
        }
    }
}

/// After the three addresses. Times count from the exporter's boot.
const V9_ELEMENTS: &[Element] = &[
    element(7, 2, |flow, _| flow.src_port.into()),
    element(11, 2, |flow, _| flow.dst_port.into()),
    element(4, 1, |flow, _| flow.proto.into()),
    element(5, 1, |flow, _| flow.tos.into()),
    element(6, 1, |flow, _| flow.tcp_flags.into()),
    element(10, 4, |flow, _| flow.input_if.into()),
    element(14, 4, |flow, _| flow.output_if.into()),
    element(2, 4, |flow, _| flow.packets),
    element(1, 8, |flow, _| flow.bytes),
    element(22, 4, |flow, boot_ms| flow.first_ms.saturating_sub(boot_ms)),
    element(21, 4, |flow, boot_ms| flow.last_ms.saturating_sub(boot_ms)),
    element(16, 4, |flow, _| flow.src_as.into()),
    element(17, 4, |flow, _| flow.dst_as.into()),
    element(9, 1, |flow, _| flow.src_mask.into()),
    element(13, 1, |flow, _| flow.dst_mask.into()),
    element(61, 1, |flow, _| flow.direction.into()),
    element(58, 2, |flow, _| flow.vlan.into()),
];

/// After the three addresses. Times are absolute.
const IPFIX_ELEMENTS: &[Element] = &[
    element(7, 2, |flow, _| flow.src_port.into()),
    element(11, 2, |flow, _| flow.dst_port.into()),
    element(4, 1, |flow, _| flow.proto.into()),
    element(5, 1, |flow, _| flow.tos.into()),
    element(6, 2, |flow, _| flow.tcp_flags.into()),
    element(10, 4, |flow, _| flow.input_if.into()),
    element(14, 4, |flow, _| flow.output_if.into()),
    element(2, 8, |flow, _| flow.packets),
    element(1, 8, |flow, _| flow.bytes),
    element(152, 8, |flow, _| flow.first_ms),
    element(153, 8, |flow, _| flow.last_ms),
    element(16, 4, |flow, _| flow.src_as.into()),
    element(17, 4, |flow, _| flow.dst_as.into()),
    element(9, 1, |flow, _| flow.src_mask.into()),
    element(13, 1, |flow, _| flow.dst_mask.into()),
    element(61, 1, |flow, _| flow.direction.into()),
    element(58, 2, |flow, _| flow.vlan.into()),
];

/// After the three addresses: those of IPFIX without the last two.
const IPFIX_VARIABLE_ELEMENTS: &[Element] = &{
    let mut elements = [element(95, VARIABLE, |_, _| 0); IPFIX_ELEMENTS.len()];
    let mut number = 0;
    while number < elements.len() - 2 {
        elements[number] = IPFIX_ELEMENTS[number];
        number += 1;
    }
    // What IANA registered for the port (RFC 6759 4).
    elements[number] = element(95, VARIABLE, |flow, _| 3 << 16 | u64::from(flow.dst_port));
    elements[number + 1] = element(82, VARIABLE, |flow, _| {
        u64::from(u32::from_be_bytes(*b"eth0")) + u64::from(flow.input_if) % 10
    });
    elements
};

/// Pads the set that starts at `start` to four octets and writes its length.
fn finish_set(out: &mut Vec<u8>, start: usize) {
    while !(out.len() - start).is_multiple_of(4) {
        out.push(0);
    }
    let len = (out.len() - start) as u16;
    out[start + 2..start + 4].copy_from_slice(&len.to_be_bytes());
}

pub(super) fn put16(out: &mut Vec<u8>, value: u16) {
    out.extend(value.to_be_bytes());
}

pub(super) fn put32(out: &mut Vec<u8>, value: u32) {
    out.extend(value.to_be_bytes());
}

pub(super) fn put_addr(out: &mut Vec<u8>, addr: IpAddr) {
    match addr {
        IpAddr::V4(addr) => out.extend(addr.octets()),
        IpAddr::V6(addr) => out.extend(addr.octets()),
    }
}

pub(super) fn saturate(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

/// AS_TRANS (RFC 6793) for what does not fit.
fn as_16_bit(number: u32) -> u16 {
    u16::try_from(number).unwrap_or(23_456)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn be16(payload: &[u8], at: usize) -> u16 {
        u16::from_be_bytes([payload[at], payload[at + 1]])
    }

    fn be32(payload: &[u8], at: usize) -> u32 {
        u32::from(be16(payload, at)) << 16 | u32::from(be16(payload, at + 2))
    }

    fn single(protocol: Protocol, flows: u64) -> Profile {
        let ipv6_percent = if protocol == Protocol::NetflowV5 { 0 } else { 20 };
        Profile { ipv6_percent, exporters: vec![(Ipv4Addr::LOCALHOST, protocol)], ..Profile::hour(flows) }
    }

    /// Sets of a message: id, content without header.
    fn sets(message: &[u8]) -> Vec<(u16, &[u8])> {
        let mut sets = Vec::new();
        let mut at = if be16(message, 0) == 10 { IPFIX_HEADER_LEN } else { V9_HEADER_LEN };
        while at < message.len() {
            let len = be16(message, at + 2) as usize;
            sets.push((be16(message, at), &message[at + 4..at + len]));
            at += len;
        }
        sets
    }

    #[test]
    fn v5_counts_its_flows() {
        let profile = single(Protocol::NetflowV5, 1000);
        let mut flows = 0;
        for datagram in Datagrams::new(&profile) {
            let payload = &datagram.payload;
            let count = be16(payload, 2) as usize;
            assert!(payload.len() <= MAX_DATAGRAM_LEN);
            assert_eq!((be16(payload, 0), payload.len()), (5, V5_HEADER_LEN + count * V5_RECORD_LEN));
            assert_eq!(be32(payload, 16), flows);
            let boot_ms = u64::from(be32(payload, 8)) * 1000 - u64::from(be32(payload, 4));
            assert_eq!(boot_ms, profile.start_ms - UPTIME_MS);
            flows += count as u32;
        }
        assert_eq!(flows, 1000);
    }

    #[test]
    fn sflow_samples_stand_for_their_flows() {
        let profile = single(Protocol::Sflow, 500);
        let mut left: Vec<Flow> = Traffic::new(&profile).collect();
        for (sequence, datagram) in Datagrams::new(&profile).enumerate() {
            let payload = &datagram.payload;
            assert!(payload.len() <= MAX_DATAGRAM_LEN);
            assert_eq!((be32(payload, 0), be32(payload, 16) as usize), (5, sequence));
            let mut at = sflow::HEADER_LEN;
            for _ in 0..be32(payload, 24) {
                let rate = be32(payload, at + 16);
                let found = left.iter().position(|flow| {
                    let mut sample = Vec::new();
                    sflow::sample(&mut sample, flow, sequence as u32);
                    payload[at..].starts_with(&sample)
                });
                let flow = left.remove(found.expect("a flow like the sample"));
                assert_eq!(u64::from(rate), flow.packets);
                at += 8 + be32(payload, at + 4) as usize;
            }
            assert_eq!(at, payload.len());
        }
        assert!(left.is_empty());
    }

    #[test]
    fn v9_records_read_by_their_templates_are_the_flows() {
        let profile = single(Protocol::NetflowV9, 800);
        let mut left: Vec<Flow> = Traffic::new(&profile).collect();
        for (sequence, datagram) in Datagrams::new(&profile).enumerate() {
            let payload = &datagram.payload;
            assert!(payload.len() <= MAX_DATAGRAM_LEN && payload.len().is_multiple_of(4));
            assert_eq!(be32(payload, 12) as usize, sequence);
            let boot_ms = u64::from(be32(payload, 8)) * 1000 - u64::from(be32(payload, 4));
            let mut records = 0;
            for (id, content) in sets(payload) {
                if id == 0 {
                    records += 2;
                    continue;
                }
                let (addr_len, record_len) = if id == TEMPLATE_V4 { (4, 60) } else { (16, 96) };
                for record in content.chunks_exact(record_len) {
                    records += 1;
                    let at = 3 * addr_len;
                    let found = left.iter().position(|flow| {
                        let src = match flow.src {
                            IpAddr::V4(addr) => addr.octets().to_vec(),
                            IpAddr::V6(addr) => addr.octets().to_vec(),
                        };
                        record.starts_with(&src)
                            && be16(record, at) == flow.src_port
                            && be16(record, at + 2) == flow.dst_port
                            && record[at + 4] == flow.proto
                            && u64::from(be32(record, at + 15)) == flow.packets
                            && u64::from(be32(record, at + 23)) == flow.bytes & 0xffff_ffff
                            && boot_ms + u64::from(be32(record, at + 27)) == flow.first_ms
                            && boot_ms + u64::from(be32(record, at + 31)) == flow.last_ms
                    });
                    left.remove(found.expect("every record is a flow of the traffic"));
                }
            }
            assert_eq!(usize::from(be16(payload, 2)), records);
        }
        assert_eq!(left, []);
    }

    #[test]
    fn ipfix_sequence_counts_data_records() {
        let mut flows = 0;
        for datagram in Datagrams::new(&single(Protocol::Ipfix, 1000)) {
            let payload = &datagram.payload;
            assert_eq!(be16(payload, 2) as usize, payload.len());
            assert_eq!(be32(payload, 8), flows);
            let record_len = |id| if id == TEMPLATE_V4 { 73 } else { 109 };
            for (id, content) in sets(payload).into_iter().filter(|(id, _)| *id >= 256) {
                flows += (content.len() / record_len(id)) as u32;
            }
        }
        assert_eq!(flows, 1000);
    }

    #[test]
    fn fields_of_variable_length_have_their_octets_behind_their_length() {
        let mut flows = 0;
        for datagram in Datagrams::new(&single(Protocol::IpfixVariable, 1000)) {
            assert!(datagram.payload.len() <= MAX_DATAGRAM_LEN);
            for (id, content) in sets(&datagram.payload).into_iter().filter(|(id, _)| *id >= 256) {
                let (addr_len, record_len) = if id == TEMPLATE_V4 { (4, 79) } else { (16, 115) };
                for record in content.chunks_exact(record_len) {
                    flows += 1;
                    let (fixed, variable) = record.split_at(record_len - 9);
                    let port = &fixed[3 * addr_len + 2..][..2];
                    assert_eq!((&variable[..2], &variable[2..4]), (&[3, 3][..], port));
                    assert_eq!(&variable[4..8], b"\x04eth");
                }
            }
        }
        assert_eq!(flows, 1000);
    }

    #[test]
    fn templates_come_first_in_every_minute() {
        let mut minute = 0;
        for datagram in Datagrams::new(&single(Protocol::NetflowV9, 5000)) {
            if datagram.sent_ms / TEMPLATE_REFRESH_MS != minute {
                minute = datagram.sent_ms / TEMPLATE_REFRESH_MS;
                assert_eq!(sets(&datagram.payload)[0].0, 0);
            }
        }
    }

    #[test]
    fn time_advances_over_all_exporters() {
        let mut last_ms = 0;
        for datagram in Datagrams::new(&Profile::hour(5000)) {
            assert!(datagram.sent_ms + FLUSH_AFTER_MS >= last_ms);
            last_ms = last_ms.max(datagram.sent_ms);
        }
    }
}
