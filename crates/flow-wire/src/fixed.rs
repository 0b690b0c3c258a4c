//! NetFlow v1, v5 and v7: records of one fixed shape.
//!
//! | octets | v1 | v5 | v7 |
//! |---|---|---|---|
//! | 0-15 | version, count, uptime ms, unix s, unix ns | same | same |
//! | 16-19 | - | sequence | sequence |
//! | 20-23 | - | engine type, engine id, sampling | reserved |
//!
//! Records follow: 48 octets in v1 and v5, 52 in v7. They agree but for the octets from 36 on ([`Layout`]).

use crate::decoder::{Decoder, Message};
use crate::exporter::Key;
use crate::records::{Fixed, Records, Slot};
use crate::sampling::{GENERIC, Rate, Sampler};
use crate::time::from_uptime;
use crate::transport::from_ports;
use crate::{Fault, WireProtocol};
use flow_model::{BatchBuilder, Field, Groups, Protocol, RecordFlags, Rows};
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16, be_u32};
use nom::{IResult, Parser};
use std::net::{IpAddr, Ipv4Addr};

/// Where the versions differ.
struct Layout {
    header_len: usize,
    record_len: usize,
    tcp_flags: Slot,
    /// Whether there are AS numbers and prefix lengths, and a sequence number that counts records.
    routed: bool,
}

impl Layout {
    fn of(protocol: WireProtocol) -> Layout {
        match protocol {
            WireProtocol::V1 => {
                Layout { header_len: 16, record_len: 48, tcp_flags: at(40, 1), routed: false }
            }
            WireProtocol::V7 => Layout { header_len: 24, record_len: 52, tcp_flags: at(37, 1), routed: true },
            _ => Layout { header_len: 24, record_len: 48, tcp_flags: at(37, 1), routed: true },
        }
    }
}

const fn at(offset: u16, len: u16) -> Slot {
    Slot { number: 0, offset, len }
}

const SRC_ADDR: Slot = at(0, 4);
const DST_ADDR: Slot = at(4, 4);
const NEXT_HOP: Slot = at(8, 4);
const INPUT: Slot = at(12, 2);
const OUTPUT: Slot = at(14, 2);
const PACKETS: Slot = at(16, 4);
const BYTES: Slot = at(20, 4);
const FIRST: Slot = at(24, 4);
const LAST: Slot = at(28, 4);
const SRC_PORT: Slot = at(32, 2);
const DST_PORT: Slot = at(34, 2);
const PROTO: Slot = at(38, 1);
const TOS: Slot = at(39, 1);
const SRC_AS: Slot = at(40, 2);
const DST_AS: Slot = at(42, 2);
const SRC_MASK: Slot = at(44, 1);
const DST_MASK: Slot = at(45, 1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    count: u16,
    uptime_ms: u32,
    unix_ms: u64,
    sequence: u32,
    engine_type: u8,
    engine_id: u8,
    /// Mode in the two highest bits, interval in the others.
    sampling: u16,
}

fn header(protocol: WireProtocol, input: &[u8]) -> IResult<&[u8], Header> {
    let (rest, (_version, count, uptime_ms, seconds, nanos)) =
        (be_u16, be_u16, be_u32, be_u32, be_u32).parse(input)?;
    let unix_ms = u64::from(seconds) * 1000 + u64::from(nanos) / 1_000_000;
    let header = Header { count, uptime_ms, unix_ms, sequence: 0, engine_type: 0, engine_id: 0, sampling: 0 };
    match protocol {
        WireProtocol::V1 => Ok((rest, header)),
        WireProtocol::V7 => {
            let (rest, (sequence, _reserved)) = (be_u32, take(4usize)).parse(rest)?;
            Ok((rest, Header { sequence, ..header }))
        }
        _ => {
            let (rest, (sequence, engine_type, engine_id, sampling)) =
                (be_u32, be_u8, be_u8, be_u16).parse(rest)?;
            Ok((rest, Header { sequence, engine_type, engine_id, sampling, ..header }))
        }
    }
}

/// Decodes a v1, v5 or v7 datagram: one message, or several one behind the other.
pub(crate) fn decode(decoder: &mut Decoder, message: &mut Message<'_>, out: &mut BatchBuilder) {
    let layout = Layout::of(message.protocol);
    let datagram = message.datagram;
    let mut offset = 0;
    loop {
        let rest = datagram.get(offset..).unwrap_or_default();
        let Ok((records, header)) = header(message.protocol, rest) else {
            let fault = Fault::Truncated { what: "header", expected: layout.header_len, found: rest.len() };
            message.fail(None, offset, fault);
            return;
        };
        let fit = records.len() / layout.record_len;
        let count = fit.min(usize::from(header.count));
        if count < usize::from(header.count) {
            message.fail(
                None,
                offset,
                Fault::RecordCount { expected: usize::from(header.count), found: fit },
            );
        }
        decode_message(decoder, message, &layout, &header, records, count, offset, out);
        offset += layout.header_len + count * layout.record_len;
        if !another(message.protocol, &layout, datagram.get(offset..).unwrap_or_default()) {
            return;
        }
    }
}

/// Whether `rest` begins with another complete message. What else may stand behind the records means nothing.
fn another(protocol: WireProtocol, layout: &Layout, rest: &[u8]) -> bool {
    rest.first_chunk() == Some(&protocol.version().to_be_bytes())
        && header(protocol, rest).is_ok_and(|(records, header)| {
            header.count > 0 && records.len() >= usize::from(header.count) * layout.record_len
        })
}

#[expect(clippy::too_many_arguments, reason = "one caller; what a message consists of")]
fn decode_message(
    decoder: &mut Decoder,
    message: &mut Message<'_>,
    layout: &Layout,
    header: &Header,
    records: &[u8],
    count: usize,
    offset: usize,
    out: &mut BatchBuilder,
) {
    let domain = u32::from(header.engine_type) << 8 | u32::from(header.engine_id);
    message.domain = Some(domain);
    let key = Key { addr: message.from.addr, protocol: message.protocol, domain };
    let limits = message.limits;
    let Some((state, memory)) = decoder.registry.enter(key, &limits, &mut message.decoded) else { return };
    let restarted = state.restarted(header.unix_ms, header.uptime_ms);
    if layout.routed {
        let units = (count == usize::from(header.count)).then_some(u32::from(header.count));
        message.decoded.take(state.sequence.observe(header.sequence, units, restarted));
    }
    let interval = u32::from(header.sampling & 0x3fff);
    if interval > 1 {
        let sampler = Sampler::one_of(GENERIC, header.sampling >> 14, interval);
        if !state.samplers.announce(sampler, &limits, memory) {
            message.decoded.refused += 1;
        }
    } else {
        state.samplers.forget(GENERIC, memory);
    }
    let rate = state.samplers.rate(None, message.configured);
    let sysid = state.sysid;

    let records = Fixed::new(records, layout.record_len, count.min(message.allowance(out)));
    if records.count() < count {
        let limit = limits.flows_per_datagram;
        message.refuse(None, offset, Fault::Limit { what: "flows in a datagram", limit });
    }
    let mut rows = out.rows(records.count());
    fill(&mut rows, &records, layout, header, rate, message.protocol);
    message.stamp(&mut rows, sysid, header.engine_type, header.engine_id);
    rows.fill(Field::RecordFlags, if rate.is_sampled() { RecordFlags::SAMPLED } else { 0 });
    rows.finish();
    message.decoded.flows += records.count();
}

fn fill(
    rows: &mut Rows<'_>,
    records: &Fixed<'_>,
    layout: &Layout,
    header: &Header,
    rate: Rate,
    protocol: WireProtocol,
) {
    let u8_at = |row, slot| u64::from(u8::from_be_bytes(records.array(row, slot)));
    let u16_at = |row, slot| u64::from(u16::from_be_bytes(records.array(row, slot)));
    let u32_at = |row, slot| u32::from_be_bytes(records.array(row, slot));
    let addr_at = |row, slot| IpAddr::V4(Ipv4Addr::from(records.array::<4>(row, slot)));
    let time = |stamp| from_uptime(header.unix_ms, header.uptime_ms, stamp);

    rows.nums(Field::FirstMs, |row| time(u32_at(row, FIRST)));
    rows.nums(Field::LastMs, |row| time(u32_at(row, LAST)));
    rows.ips(Field::SrcAddr, |row| addr_at(row, SRC_ADDR));
    rows.ips(Field::DstAddr, |row| addr_at(row, DST_ADDR));
    rows.nums(Field::Proto, |row| u8_at(row, PROTO));
    rows.nums(Field::SrcPort, |row| u16_at(row, SRC_PORT));
    rows.nums(Field::DstPort, |row| u16_at(row, DST_PORT));
    if protocol != WireProtocol::V7 {
        // v7's ports are what was sent, by everybody we know of.
        for row in 0..records.count() {
            if Protocol(u8_at(row, PROTO) as u8).is_icmp() && u16_at(row, SRC_PORT) != 0 {
                rows.replace(Field::DstPort, row, from_ports(u16_at(row, SRC_PORT), u16_at(row, DST_PORT)));
                rows.replace(Field::SrcPort, row, 0);
            }
        }
    }
    rows.nums(Field::TcpFlags, |row| u8_at(row, layout.tcp_flags));
    rows.nums(Field::SrcTos, |row| u8_at(row, TOS));
    rows.nums(Field::InPackets, |row| rate.scale(u64::from(u32_at(row, PACKETS))));
    rows.nums(Field::InBytes, |row| rate.scale(u64::from(u32_at(row, BYTES))));
    rows.nums(Field::Input, |row| u16_at(row, INPUT));
    rows.nums(Field::Output, |row| u16_at(row, OUTPUT));
    rows.ips(Field::NextHop, |row| addr_at(row, NEXT_HOP));
    if layout.routed {
        rows.nums(Field::SrcAs, |row| u16_at(row, SRC_AS));
        rows.nums(Field::DstAs, |row| u16_at(row, DST_AS));
        rows.nums(Field::SrcMask, |row| u8_at(row, SRC_MASK));
        rows.nums(Field::DstMask, |row| u8_at(row, DST_MASK));
    }
    // A group that has nothing but zeros was not meant: routers without the knowledge fill these octets so.
    rows.add_groups(|row| {
        let mut groups = 1 << Groups::GENERIC | 1 << Groups::IPV4;
        let routed = u64::from(layout.routed);
        let masks = routed * (u8_at(row, SRC_MASK) | u8_at(row, DST_MASK));
        let interfaces = u16_at(row, INPUT) | u16_at(row, OUTPUT);
        groups |= u64::from(interfaces | masks != 0) << Groups::MISC;
        groups |= u64::from(routed * u64::from(u32_at(row, SRC_AS)) != 0) << Groups::AS;
        groups |= u64::from(u32_at(row, NEXT_HOP) != 0) << Groups::NEXT_HOP_V4;
        Groups(groups)
    });
}
