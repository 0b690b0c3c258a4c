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
use crate::options::sampler_fault;
use crate::quirk::Quirk;
use crate::records::{Records, Slot};
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
    /// The bound that the protocol names for itself.
    most_records: usize,
    tcp_flags: Slot,
    /// Whether there are AS numbers and prefix lengths, and a sequence number that counts records.
    routed: bool,
}

impl Layout {
    fn of(protocol: WireProtocol) -> Layout {
        match protocol {
            WireProtocol::V1 => Layout {
                header_len: 16,
                record_len: 48,
                most_records: 24,
                tcp_flags: at(40, 1),
                routed: false,
            },
            WireProtocol::V7 => Layout {
                header_len: 24,
                record_len: 52,
                most_records: 28,
                tcp_flags: at(37, 1),
                routed: true,
            },
            _ => Layout {
                header_len: 24,
                record_len: 48,
                most_records: 30,
                tcp_flags: at(37, 1),
                routed: true,
            },
        }
    }
}

const fn at(offset: u16, len: u16) -> Slot {
    Slot { offset, len }
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
    let key = Key { addr: message.from.addr, protocol: message.protocol, domain, port: None, agent: None };
    let limits = message.limits;
    let (state, memory) = match decoder.registry.enter(key, &limits, &mut message.decoded) {
        Ok(known) => known,
        Err(fault) => return message.refuse(None, offset, fault),
    };
    let restarted = state.restarted(header.unix_ms, header.uptime_ms);
    state.compare_clocks(message.received_ms, header.unix_ms);
    if usize::from(header.count) > layout.most_records {
        state.quirks.note(Quirk::ManyRecords);
    }
    if offset > 0 {
        state.quirks.note(Quirk::SeveralMessages);
    }
    let end = offset + layout.header_len + count * layout.record_len;
    let rest = message.datagram.get(end..).unwrap_or_default();
    if !rest.is_empty() && !another(message.protocol, layout, rest) {
        state.quirks.note(Quirk::TrailingOctets);
    }
    if layout.routed {
        let units = (count == usize::from(header.count)).then_some(u32::from(header.count));
        message.decoded.take(state.sequence.observe(header.sequence, units, restarted));
    }
    let interval = u32::from(header.sampling & 0x3fff);
    if interval > 1 {
        let sampler = Sampler::one_of(GENERIC, header.sampling >> 14, interval);
        if !state.samplers.announce(sampler, message.received_ms, &limits, memory) {
            message.refuse(None, offset, sampler_fault(sampler, &limits));
        }
    } else {
        state.samplers.forget(GENERIC, memory);
    }
    let rate = state.samplers.rate(&[], message.received_ms, message.configured);
    let sysid = state.sysid;

    let records = Records::new(records, layout.record_len, count.min(message.allowance(out)));
    if records.count() < count {
        let limit = limits.flows_per_datagram;
        message.refuse(None, offset, Fault::Limit { what: "flows in a datagram", limit });
    }
    let mut rows = out.rows(records.count(), message.groups());
    fill(&mut rows, &records, layout, header, rate, message.protocol);
    message.stamp(&mut rows, sysid);
    rows.fill(Field::EngineType, header.engine_type.into());
    rows.fill(Field::EngineId, header.engine_id.into());
    rows.fill(Field::RecordFlags, if rate.is_sampled() { RecordFlags::SAMPLED } else { 0 });
    rows.finish();
    message.decoded.flows += records.count();
}

fn fill(
    rows: &mut Rows<'_>,
    records: &Records<'_>,
    layout: &Layout,
    header: &Header,
    rate: Rate,
    protocol: WireProtocol,
) {
    let u8s = |slot| {
        let octets = records.arrays(slot);
        move |row| u64::from(u8::from_be_bytes(octets(row)))
    };
    let u16s = |slot| {
        let octets = records.arrays(slot);
        move |row| u64::from(u16::from_be_bytes(octets(row)))
    };
    let u32s = |slot| {
        let octets = records.arrays(slot);
        move |row| u32::from_be_bytes(octets(row))
    };
    let addrs = |slot| {
        let addr = u32s(slot);
        move |row| IpAddr::V4(Ipv4Addr::from_bits(addr(row)))
    };
    let times = |slot| {
        let (stamp, Header { unix_ms, uptime_ms, .. }) = (u32s(slot), *header);
        move |row| from_uptime(unix_ms, uptime_ms, stamp(row))
    };
    let counters = |slot| {
        let count = u32s(slot);
        move |row| rate.scale(count(row).into())
    };

    rows.nums(Field::FirstMs, times(FIRST));
    rows.nums(Field::LastMs, times(LAST));
    rows.ips(Field::SrcAddr, addrs(SRC_ADDR));
    rows.ips(Field::DstAddr, addrs(DST_ADDR));
    rows.nums(Field::Proto, u8s(PROTO));
    rows.nums(Field::SrcPort, u16s(SRC_PORT));
    rows.nums(Field::DstPort, u16s(DST_PORT));
    if protocol != WireProtocol::V7 {
        // v7's ports are what was sent, by everybody we know of.
        let (protos, srcs, dsts) = (u8s(PROTO), u16s(SRC_PORT), u16s(DST_PORT));
        for row in 0..records.count() {
            if Protocol(protos(row) as u8).is_icmp() && srcs(row) != 0 {
                rows.replace(Field::DstPort, row, from_ports(srcs(row), dsts(row)));
                rows.replace(Field::SrcPort, row, 0);
            }
        }
    }
    rows.nums(Field::TcpFlags, u8s(layout.tcp_flags));
    rows.nums(Field::SrcTos, u8s(TOS));
    rows.nums(Field::InPackets, counters(PACKETS));
    rows.nums(Field::InBytes, counters(BYTES));
    rows.nums(Field::Input, u16s(INPUT));
    rows.nums(Field::Output, u16s(OUTPUT));
    rows.ips(Field::NextHop, addrs(NEXT_HOP));
    if layout.routed {
        rows.nums(Field::SrcAs, u16s(SRC_AS));
        rows.nums(Field::DstAs, u16s(DST_AS));
        rows.nums(Field::SrcMask, u8s(SRC_MASK));
        rows.nums(Field::DstMask, u8s(DST_MASK));
    }
    // A group that has nothing but zeros was not meant: routers without the knowledge fill these octets so. Two
    // interfaces, two prefix lengths and two AS numbers stand side by side each.
    let routed = u64::from(layout.routed);
    let (interfaces, masks, hops, routes) = (u32s(INPUT), u16s(SRC_MASK), u32s(NEXT_HOP), u32s(SRC_AS));
    rows.add_groups(move |row| {
        let mut groups = 1 << Groups::GENERIC | 1 << Groups::IPV4;
        groups |= u64::from(u64::from(interfaces(row)) | (routed * masks(row)) != 0) << Groups::MISC;
        groups |= u64::from(routed * u64::from(routes(row)) != 0) << Groups::AS;
        groups |= u64::from(hops(row) != 0) << Groups::NEXT_HOP_V4;
        Groups(groups)
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{Bench, NOW, UNIX_S, UPTIME, ips, nums, octets, wrong};

    /// One record of v5: addresses, next hop, interfaces, counters, stamps, ports, flags, AS, masks.
    fn record() -> Vec<u8> {
        octets![
            0x0a00_0001u32,
            0x0a00_0002u32,
            0xc000_0201u32,
            3u16,
            4u16,
            10u32,
            1500u32,
            UPTIME - 5_000,
            UPTIME - 2_000,
            40_000u16,
            443u16,
            0x001bu16,
            0x0620u16,
            64_500u16,
            64_501u16,
            24u8,
            16u8,
            0u16
        ]
    }

    fn v5(count: u16, sequence: u32, engine: u16, sampling: u16, records: &[Vec<u8>]) -> Vec<u8> {
        let mut message = octets![5u16, count, UPTIME, UNIX_S, 7_000_000u32, sequence, engine, sampling];
        message.extend(records.concat());
        message
    }

    #[test]
    fn a_v5_record_with_everything() {
        let mut bench = Bench::new();
        let decoded = bench.good(&v5(1, 0, 0x0203, 0, &[record()]));
        assert_eq!((decoded.flows, decoded.new_exporter), (1, Some(1)));
        let flows = bench.flows();
        for (field, value) in [
            (Field::FirstMs, NOW + 7 - 5_000),
            (Field::LastMs, NOW + 7 - 2_000),
            (Field::ReceivedMs, NOW),
            (Field::SrcPort, 40_000),
            (Field::DstPort, 443),
            (Field::Proto, 6),
            (Field::TcpFlags, 0x1b),
            (Field::SrcTos, 0x20),
            (Field::InPackets, 10),
            (Field::InBytes, 1500),
            (Field::Input, 3),
            (Field::Output, 4),
            (Field::SrcAs, 64_500),
            (Field::DstAs, 64_501),
            (Field::SrcMask, 24),
            (Field::DstMask, 16),
            (Field::NfVersion, 5),
            (Field::EngineType, 2),
            (Field::EngineId, 3),
            (Field::ExporterId, 1),
            (Field::RecordFlags, 0),
            (Field::Flows, 1),
        ] {
            assert_eq!(nums(&flows, field), [value], "{field:?}");
        }
        for (field, value) in [
            (Field::SrcAddr, "10.0.0.1"),
            (Field::DstAddr, "10.0.0.2"),
            (Field::NextHop, "192.0.2.1"),
            (Field::RouterAddr, "192.0.2.9"),
        ] {
            assert_eq!(ips(&flows, field), [value], "{field:?}");
        }
        assert_eq!(
            flows.groups(0).iter().collect::<Vec<_>>(),
            [Groups::GENERIC, Groups::IPV4, Groups::MISC, Groups::AS, Groups::NEXT_HOP_V4, Groups::ROUTER_V4,]
        );
    }

    #[test]
    fn groups_of_zeros_are_absent() {
        let mut bench = Bench::new();
        let mut bare = record();
        for at in (8..16).chain(40..46) {
            bare.splice(at..=at, [0]);
        }
        bench.good(&v5(1, 0, 0, 0, &[bare]));
        assert_eq!(
            bench.flows().groups(0).iter().collect::<Vec<_>>(),
            [Groups::GENERIC, Groups::IPV4, Groups::ROUTER_V4]
        );
    }

    #[test]
    fn v1_has_its_flags_elsewhere_and_v7_a_longer_record() {
        let mut bench = Bench::new();
        let mut v1 = octets![1u16, 1u16, UPTIME, UNIX_S, 0u32];
        v1.extend(record());
        v1.splice(56..64, [0x12, 0, 0, 0, 9, 9, 0, 0]);
        let mut v7 = octets![7u16, 1u16, UPTIME, UNIX_S, 0u32, 5u32, 0x0607_0809u32];
        v7.extend(record());
        v7.extend(octets![0xc000_0207u32]);
        bench.good(&v1);
        bench.good(&v7);
        let flows = bench.flows();
        assert_eq!(nums(&flows, Field::TcpFlags), [0x12, 0x1b]);
        assert_eq!(nums(&flows, Field::SrcAs), [0, 64_500]);
        assert_eq!(nums(&flows, Field::SrcMask), [0, 24]);
        assert_eq!(nums(&flows, Field::NfVersion), [1, 7]);
        assert_eq!(nums(&flows, Field::EngineId), [0, 0]);
        assert_eq!(nums(&flows, Field::InPackets), [10, 10]);
        assert_eq!(
            bench.decoder.exporters().iter().map(|exporter| exporter.version).collect::<Vec<_>>(),
            [1, 7]
        );
    }

    #[test]
    fn thirty_records_of_v1_are_taken() {
        let mut bench = Bench::new();
        let mut message = octets![1u16, 30u16, UPTIME, UNIX_S, 0u32];
        message.extend(vec![record(); 30].concat());
        assert_eq!(bench.good(&message).flows, 30);
    }

    #[test]
    fn a_header_that_ends_too_early() {
        let mut bench = Bench::new();
        let decoded = bench.take(&[5]);
        assert_eq!(
            wrong(&decoded),
            Some((None, 0, Fault::Truncated { what: "version", expected: 2, found: 1 }))
        );
        let decoded = bench.take(&octets![5u16, 1u16, 0u16]);
        assert_eq!(
            wrong(&decoded),
            Some((None, 0, Fault::Truncated { what: "header", expected: 24, found: 6 }))
        );
        let decoded = bench.take(&octets![6u16]);
        assert_eq!(wrong(&decoded), Some((None, 0, Fault::UnknownVersion { found: 6 })));
        let ledger = bench.decoder.take_unattributed();
        assert_eq!((ledger.datagrams, ledger.malformed), (3, 3));
        assert!(bench.decoder.exporters().is_empty());
    }

    #[test]
    fn whole_records_of_a_datagram_that_lacks_some() {
        let mut bench = Bench::new();
        let mut message = v5(30, 0, 0, 0, &[record(), record()]);
        message.extend([1; 47]);
        let decoded = bench.take(&message);
        assert_eq!(decoded.flows, 2);
        assert_eq!(wrong(&decoded), Some((None, 0, Fault::RecordCount { expected: 30, found: 2 })));
    }

    #[test]
    fn a_second_message_in_the_datagram_counts_and_other_octets_do_not() {
        let mut bench = Bench::new();
        let mut message = v5(1, 0, 0, 0, &[record()]);
        message.extend(v5(2, 1, 0, 0, &[record(), record()]));
        let whole = message.clone();
        message.extend([0, 5, 0, 1, 0]);
        assert_eq!(bench.good(&message).flows, 3);
        let mut cut = whole;
        cut.pop();
        let mut bench = Bench::new();
        assert_eq!(bench.good(&cut).flows, 1);
    }

    #[test]
    fn the_header_s_sampling_scales_even_one_of_two() {
        let mut bench = Bench::new();
        for (sequence, sampling) in [(0, 0x4002), (1, 100), (2, 0x8001), (3, 0)] {
            bench.good(&v5(1, sequence, 0, sampling, &[record()]));
        }
        let flows = bench.flows();
        assert_eq!(nums(&flows, Field::InPackets), [20, 1000, 10, 10]);
        assert_eq!(nums(&flows, Field::InBytes), [3000, 150_000, 1500, 1500]);
        assert_eq!(nums(&flows, Field::RecordFlags), [RecordFlags::SAMPLED, RecordFlags::SAMPLED, 0, 0]);
        assert_eq!(bench.decoder.samplers(), []);
    }

    #[test]
    fn icmp_in_the_source_port_is_put_right_in_v5_only() {
        let mut icmp = record();
        icmp.splice(32..36, [0, 8, 0, 0]);
        icmp.splice(38..39, [1]);
        let mut bench = Bench::new();
        bench.good(&v5(1, 0, 0, 0, &[icmp.clone()]));
        let mut v7 = octets![7u16, 1u16, UPTIME, UNIX_S, 0u32, 5u32, 0u32];
        v7.extend(icmp);
        v7.extend([0; 4]);
        bench.good(&v7);
        let flows = bench.flows();
        assert_eq!(nums(&flows, Field::SrcPort), [0, 8]);
        assert_eq!(nums(&flows, Field::DstPort), [0x0800, 0]);
    }

    #[test]
    fn missing_flows_are_counted_for_each_engine() {
        let mut bench = Bench::new();
        let message = |sequence, engine| v5(1, sequence, engine, 0, &[record()]);
        assert_eq!(bench.good(&message(100, 1)).missed, 0);
        assert_eq!(bench.good(&message(900, 2)).missed, 0);
        assert_eq!(bench.good(&message(131, 1)).missed, 30);
        assert_eq!(bench.good(&message(901, 2)).missed, 0);
        let exporters = bench.decoder.take_exporters();
        let missed: Vec<_> =
            exporters.iter().map(|exporter| (exporter.domain, exporter.ledger.missed)).collect();
        assert_eq!(missed, [(1, 30), (2, 0)]);
        assert_eq!(
            bench.decoder.take_exporters().first().map(|exporter| exporter.ledger),
            Some(flow_model::LossLedger::default())
        );
    }

    #[test]
    fn a_restart_by_the_clock_loses_nothing() {
        let mut bench = Bench::new();
        bench.good(&v5(1, 500, 0, 0, &[record()]));
        let mut restarted = v5(1, 900, 0, 0, &[record()]);
        restarted.splice(4..8, 1_000u32.to_be_bytes());
        let decoded = bench.good(&restarted);
        assert_eq!((decoded.missed, decoded.sequence_failure), (0, true));
    }
}
