//! NetFlow v9 (RFC 3954).
//!
//! | octets | header |
//! |---|---|
//! | 0-3 | version, count of records |
//! | 4-11 | uptime ms, unix s |
//! | 12-19 | sequence (datagrams), source id |
//!
//! FlowSets follow, see [`sets`](crate::sets).

use crate::decoder::{Decoder, Message};
use crate::element::Dialect;
use crate::exporter::Key;
use crate::quirk::Quirk;
use crate::sets::Sets;
use crate::stamps::Clocks;
use crate::{Fault, WireProtocol};
use flow_model::BatchBuilder;
use nom::number::complete::{be_u16, be_u32};
use nom::{IResult, Parser};

const HEADER_LEN: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    count: u16,
    uptime_ms: u32,
    unix_s: u32,
    sequence: u32,
    source_id: u32,
}

fn header(input: &[u8]) -> IResult<&[u8], Header> {
    (be_u16, be_u16, be_u32, be_u32, be_u32, be_u32)
        .map(|(_version, count, uptime_ms, unix_s, sequence, source_id)| Header {
            count,
            uptime_ms,
            unix_s,
            sequence,
            source_id,
        })
        .parse(input)
}

/// Decodes a v9 datagram.
pub(crate) fn decode(decoder: &mut Decoder, message: &mut Message<'_>, out: &mut BatchBuilder) {
    let Ok((_, header)) = header(message.datagram) else {
        let fault = Fault::Truncated { what: "header", expected: HEADER_LEN, found: message.datagram.len() };
        return message.fail(None, 0, fault);
    };
    message.domain = Some(header.source_id);
    let key = Key {
        addr: message.from.addr,
        protocol: WireProtocol::V9,
        domain: header.source_id,
        port: None,
        agent: None,
    };
    let limits = message.limits;
    let known = decoder.registry.enter_from(key, message.from.port, &limits, &mut message.decoded);
    let (state, memory) = match known {
        Ok(known) => known,
        Err(fault) => return message.refuse(None, 0, fault),
    };
    let unix_ms = u64::from(header.unix_s) * 1000;
    let restarted = state.restarted(unix_ms, header.uptime_ms);
    state.compare_clocks(message.received_ms, unix_ms);
    message.decoded.take(state.sequence.observe(header.sequence, Some(1), restarted));
    let clocks = Clocks {
        dialect: Dialect::V9,
        export_ms: unix_ms,
        uptime_ms: header.uptime_ms,
        init_ms: state.init_ms,
    };
    // Unless a record has them, nfdump takes the engine from the source id.
    let [.., engine_type, engine_id] = header.source_id.to_be_bytes();
    let engine = (engine_type, engine_id);
    let end = message.datagram.len();
    let scratch = &mut decoder.scratch;
    let mut sets = Sets { message, state, memory, scratch, out, clocks, engine, records: Some(0) };
    sets.decode(HEADER_LEN, end);
    let found = sets.records.map(|records| records as usize + sets.message.decoded.templates);
    if found.is_some_and(|found| found != usize::from(header.count)) {
        sets.state.quirks.note(Quirk::RecordCount);
    }
    sets.drain();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{Bench, FROM, NOW, UPTIME, ips, nums, octets, set, template, v9, v9_options, wrong};
    use crate::{DecoderOptions, Exporter, Limits};
    use flow_model::{Field, Groups, RecordFlags};
    use std::net::IpAddr;

    /// Octets, packets, protocol.
    const COUNTERS: &[(u16, u16)] = &[(1, 4), (2, 4), (4, 1)];

    fn counters(bytes: u32) -> Vec<u8> {
        octets![bytes, 2u32, 6u8]
    }

    #[test]
    fn a_record_of_many_fields() {
        let fields = [
            (21, 4),
            (22, 4),
            (1, 8),
            (2, 3),
            (4, 1),
            (5, 1),
            (6, 1),
            (7, 2),
            (8, 4),
            (9, 1),
            (10, 2),
            (11, 2),
            (12, 4),
            (13, 1),
            (14, 4),
            (15, 4),
            (16, 2),
            (17, 4),
            (18, 4),
            (3, 4),
            (23, 4),
            (24, 4),
            (56, 6),
            (80, 6),
            (57, 6),
            (81, 6),
            (58, 2),
            (59, 2),
            (243, 2),
            (254, 2),
            (61, 1),
            (89, 4),
            (128, 4),
            (129, 4),
            (136, 1),
            (70, 3),
            (71, 3),
            (234, 4),
            (235, 4),
            (55, 1),
            (38, 1),
            (39, 1),
            (60, 1),
            (256, 2),
        ];
        let mut record = octets![UPTIME - 1_000, UPTIME - 4_000, 1_000_000_000_000u64];
        record.extend([0, 1, 0, 6, 0x20, 0x1b, 0, 80, 10, 0, 0, 1, 24, 0, 7]);
        record.extend(octets![
            443u16,
            0x0a00_0002u32,
            16u8,
            70_000u32,
            0xc000_0201u32,
            64_500u16,
            400_000u32
        ]);
        record.extend(octets![0xc000_0202u32, 0u32, 5u32, 6u32]);
        for mac in 1..=4 {
            record.extend([0, 0x1b, 0x21, 0, 0, mac]);
        }
        record.extend(octets![100u16, 200u16, 300u16, 400u16, 1u8, 0x40u32, 1u32, 2u32, 3u8]);
        record.extend([0x12, 0x34, 0x51, 0, 0, 0]);
        record.extend(octets![77u32, 78u32, 0x28u8, 9u8, 8u8, 4u8, 0x0800u16]);
        let message = v9(1, 0x0102, &[set(0, &[template(256, &fields)]), set(256, &[record])]);
        let mut bench = Bench::new();
        let decoded = bench.good(&message);
        assert_eq!((decoded.flows, decoded.templates), (1, 1));
        let flows = bench.flows();
        for (field, value) in [
            (Field::FirstMs, NOW - 4_000),
            (Field::LastMs, NOW - 1_000),
            (Field::InBytes, 1_000_000_000_000),
            (Field::InPackets, 256),
            (Field::Proto, 6),
            (Field::SrcTos, 0x20),
            (Field::TcpFlags, 0x1b),
            (Field::SrcPort, 80),
            (Field::DstPort, 443),
            (Field::SrcMask, 24),
            (Field::DstMask, 16),
            (Field::Input, 7),
            (Field::Output, 70_000),
            (Field::SrcAs, 64_500),
            (Field::DstAs, 400_000),
            (Field::Flows, 1),
            (Field::OutBytes, 5),
            (Field::OutPackets, 6),
            (Field::InSrcMac, 0x001b_2100_0001),
            (Field::InDstMac, 0x001b_2100_0002),
            (Field::OutDstMac, 0x001b_2100_0003),
            (Field::OutSrcMac, 0x001b_2100_0004),
            (Field::SrcVlan, 100),
            (Field::DstVlan, 200),
            (Field::VlanId, 300),
            (Field::PostVlanId, 400),
            (Field::Direction, 1),
            (Field::FwdStatus, 0x40),
            (Field::NextAs, 1),
            (Field::PrevAs, 2),
            (Field::FlowEndReason, 3),
            (Field::Mpls1, 0x12_3451),
            (Field::Mpls2, 0),
            (Field::IngressVrf, 77),
            (Field::EgressVrf, 78),
            (Field::DstTos, 0x28),
            (Field::EngineType, 9),
            (Field::EngineId, 8),
            (Field::EtherType, 0x0800),
            (Field::NfVersion, 9),
            (Field::ReceivedMs, NOW),
        ] {
            assert_eq!(nums(&flows, field), [value], "{field:?}");
        }
        assert_eq!(ips(&flows, Field::NextHop), ["192.0.2.1"]);
        assert_eq!(ips(&flows, Field::BgpNextHop), ["192.0.2.2"]);
        assert_eq!(
            flows.groups(0).iter().collect::<Vec<_>>(),
            [1, 2, 4, 5, 6, 7, 8, 10, 12, 14, 15, 16, 36, 38]
        );
    }

    #[test]
    fn skips_unknown_template_and_keeps_following_sets() {
        let mut bench = Bench::new();
        let sets = [
            set(300, &[vec![1; 20]]),
            set(0, &[template(256, COUNTERS)]),
            set(256, &[counters(1), counters(2), vec![0; 3]]),
            set(301, &[vec![2; 8]]),
            set(256, &[counters(3)]),
        ];
        let decoded = bench.good(&v9(1, 0, &sets));
        assert_eq!((decoded.flows, decoded.sets_waiting, decoded.sets_skipped), (3, 2, 0));
        assert_eq!(bench.nums(Field::InBytes), [1, 2, 3]);
        bench.decoder.give_up_waiting();
        assert_eq!(bench.decoder.exporters().first().map(|exporter| exporter.ledger.no_template), Some(2));
    }

    #[test]
    fn an_empty_set_does_not_end_the_datagram_and_a_tail_of_zeros_does() {
        let mut bench = Bench::new();
        let sets = [
            set(0, &[template(256, COUNTERS)]),
            set(256, &[]),
            set(9, &[]),
            set(256, &[counters(1)]),
            vec![0; 1000],
        ];
        assert_eq!(bench.good(&v9(1, 0, &sets)).flows, 1);
    }

    #[test]
    fn what_stands_before_a_bad_set_is_kept() {
        let good = [set(0, &[template(256, COUNTERS)]), set(256, &[counters(1)])];
        let at = 20 + good.concat().len();
        for (bad, fault) in [
            (octets![256u16, 40u16, 0u32], Fault::Truncated { what: "set", expected: 40, found: 8 }),
            (octets![256u16, 3u16, 0u32], Fault::TooShort { what: "set", expected: 4, found: 3 }),
            (octets![256u16, 0u16, 0u32], Fault::TooShort { what: "set", expected: 4, found: 0 }),
        ] {
            let mut bench = Bench::new();
            let mut sets = good.to_vec();
            sets.push(bad);
            let decoded = bench.take(&v9(1, 0, &sets));
            assert_eq!(wrong(&decoded), Some((Some(256), at, fault)));
            assert_eq!((decoded.flows, decoded.malformed), (1, 1));
        }
        let mut bench = Bench::new();
        let sets = [set(2, &[vec![0; 4]]), good.concat()];
        let decoded = bench.take(&v9(1, 0, &sets));
        assert_eq!(wrong(&decoded), Some((Some(2), 20, Fault::ReservedSet { found: 2 })));
        assert_eq!(decoded.flows, 1);
        let mut header = v9(2, 0, &[]);
        header.pop();
        let fault = Fault::Truncated { what: "header", expected: 20, found: 19 };
        assert_eq!(wrong(&bench.take(&header)), Some((None, 0, fault)));
    }

    #[test]
    fn bad_templates_do_not_hurt_their_neighbours() {
        let whole = template(256, COUNTERS);
        let next = 24 + whole.len();
        let truncated = octets![258u16, 9u16, 1u16, 4u16];
        for (bad, fault, set_id) in [
            (template(255, COUNTERS), Fault::TemplateId { found: 255 }, 0),
            (template(257, &[(1, 0), (2, 0)]), Fault::EmptyRecord { template: 257 }, 257),
            (template(257, &[]), Fault::EmptyRecord { template: 257 }, 257),
            (truncated, Fault::Truncated { what: "template", expected: 36, found: 4 }, 258),
            (
                template(257, &[(1, 40_000)]),
                Fault::Limit { what: "octets in a record", limit: Limits::default().record_len_bytes },
                257,
            ),
        ] {
            let mut bench = Bench::new();
            let decoded = bench.take(&v9(1, 0, &[set(0, &[whole.clone(), bad]), set(256, &[counters(7)])]));
            assert_eq!(wrong(&decoded), Some((Some(set_id), next, fault)));
            assert_eq!((decoded.templates, decoded.flows), (1, 1));
        }
    }

    #[test]
    fn records_of_no_octets_cannot_loop() {
        let mut bench = Bench::new();
        let empty = template(257, &[(8, 0), (12, 0)]);
        let decoded = bench.take(&v9(1, 0, &[set(0, &[empty]), set(257, &[vec![0; 100]])]));
        assert_eq!((decoded.flows, decoded.sets_waiting), (0, 1));
    }

    #[test]
    fn a_template_is_replaced_while_in_use_and_belongs_to_its_source_id() {
        let mut bench = Bench::new();
        let bytes = template(256, &[(1, 4)]);
        let packets = template(256, &[(2, 4)]);
        let data = || set(256, &[octets![5u32]]);
        bench.good(&v9(1, 1, &[set(0, &[bytes]), data(), set(0, std::slice::from_ref(&packets)), data()]));
        bench.good(&v9(1, 2, &[data()]));
        bench.good(&v9(2, 2, &[set(0, &[packets]), data()]));
        bench.good(&v9(2, 1, &[data()]));
        let flows = bench.flows();
        assert_eq!(nums(&flows, Field::InBytes), [5, 0, 0, 0, 0]);
        assert_eq!(nums(&flows, Field::InPackets), [0, 5, 5, 5, 5]);
        // The second source id's first set waited for its own template.
        assert_eq!(nums(&flows, Field::ExporterId), [1, 1, 2, 2, 1]);
    }

    #[test]
    fn the_udp_port_is_no_part_of_an_exporter() {
        let mut bench = Bench::new();
        bench.good(&v9(1, 0, &[set(0, &[template(256, COUNTERS)])]));
        let mut out = flow_model::BatchBuilder::new();
        let mut decode = |addr, port| {
            let data = v9(2, 0, &[set(256, &[counters(1)])]);
            bench.decoder.decode(Exporter { addr, port }, NOW, &data, &mut out)
        };
        assert_eq!(decode(FROM.addr, 1).flows, 1);
        // A socket for both families shows the same sender like this.
        let mapped: IpAddr = "::ffff:192.0.2.9".parse().unwrap();
        assert_eq!(decode(mapped, 2).flows, 1);
        assert_eq!(decode(IpAddr::from([192, 0, 2, 10]), 2055).new_exporter, Some(2));
    }

    #[test]
    fn every_sampler_of_a_set_counts_and_an_option_overrides_them() {
        let scope = [(1, 4)];
        let sampler = |id: u16, rate: u32| octets![1u32, id, 2u8, rate];
        let options = v9_options(260, &scope, &[(48, 2), (49, 1), (50, 4)]);
        let generic = v9_options(261, &scope, &[(34, 4), (35, 1)]);
        let flows =
            [template(256, &[(1, 4), (48, 1)]), template(257, COUNTERS), template(258, &[(2, 4), (34, 2)])];
        let definitions = v9(
            1,
            0,
            &[
                set(1, &[options, generic]),
                set(0, &flows),
                set(260, &[sampler(1, 10), sampler(2, 20), vec![0; 3]]),
                set(261, &[octets![1u32, 30u32, 1u8]]),
            ],
        );
        let data = v9(
            2,
            0,
            &[
                set(256, &[octets![7u32, 1u8], octets![7u32, 2u8], octets![7u32, 9u8]]),
                set(257, &[counters(7)]),
                set(258, &[octets![7u32, 40u16], octets![7u32, 1u16]]),
            ],
        );
        let mut bench = Bench::new();
        let decoded = bench.good(&definitions);
        assert_eq!((decoded.options, decoded.templates), (3, 5));
        bench.good(&data);
        let flows = bench.flows();
        assert_eq!(nums(&flows, Field::InBytes), [70, 140, 210, 210, 0, 0]);
        assert_eq!(nums(&flows, Field::InPackets), [0, 0, 0, 60, 280, 7]);
        assert_eq!(nums(&flows, Field::SamplerId), [1, 2, 9, 0, 0, 0]);
        assert_eq!(nums(&flows, Field::RecordFlags), [2, 2, 2, 2, 2, 0]);
        let samplers = bench.decoder.samplers();
        let list: Vec<_> =
            samplers.iter().map(|known| (known.id, known.algorithm, known.interval, known.space)).collect();
        assert_eq!(list, [(-1, 1, 1, 29), (1, 2, 1, 9), (2, 2, 1, 19)]);

        let mut bench =
            Bench::with(DecoderOptions { override_sampling: Some(3), ..DecoderOptions::default() });
        bench.good(&definitions);
        bench.good(&data);
        assert_eq!(bench.nums(Field::InBytes), [21, 21, 21, 21, 0, 0]);
        let mut bench =
            Bench::with(DecoderOptions { default_sampling: Some(5), ..DecoderOptions::default() });
        bench.good(&v9(1, 0, &[set(0, &[template(257, COUNTERS)]), set(257, &[counters(7)])]));
        assert_eq!(bench.nums(Field::InBytes), [35]);
    }

    #[test]
    fn an_implausible_rate_is_refused() {
        let options = v9_options(260, &[(1, 4)], &[(34, 4)]);
        let mut bench = Bench::new();
        let decoded = bench.take(&v9(1, 0, &[set(1, &[options]), set(260, &[octets![1u32, u32::MAX]])]));
        assert_eq!((decoded.refused, decoded.options), (1, 1));
        assert!(bench.decoder.samplers().is_empty());
    }

    #[test]
    fn an_event_of_a_firewall() {
        let fields = [
            (148, 4),
            (8, 4),
            (7, 2),
            (12, 4),
            (11, 2),
            (4, 1),
            (176, 1),
            (177, 1),
            (40001, 4),
            (40002, 4),
            (40003, 2),
            (40004, 2),
            (40005, 1),
            (33002, 2),
            (323, 8),
            (152, 8),
            (85, 4),
            (33000, 12),
            (33001, 12),
            (40000, 20),
        ];
        let mut record = octets![8500u32, 0x0a00_0001u32, 5u16, 0x0a00_0002u32, 6u16, 1u8, 0u8, 0u8];
        record.extend(octets![
            0x0a00_0003u32,
            0x0a00_0004u32,
            7u16,
            8u16,
            2u8,
            2025u16,
            NOW + 9,
            NOW - 500,
            56u32
        ]);
        record.extend(octets![1u32, 2u32, 3u32, 4u32, 5u32, 6u32]);
        record.extend(b"alice\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        let mut bench = Bench::new();
        bench.good(&v9(1, 0, &[set(0, &[template(256, &fields)]), set(256, &[record])]));
        let flows = bench.flows();
        for (field, value) in [
            (Field::ConnId, 8500),
            (Field::DstPort, 0),
            (Field::SrcPort, 0),
            (Field::XlateSrcPort, 7),
            (Field::XlateDstPort, 8),
            (Field::FwEvent, 2),
            (Field::FwXevent, 2025),
            (Field::FirstMs, NOW - 500),
            (Field::LastMs, NOW + 9),
            (Field::EventTimeMs, NOW + 9),
            (Field::InBytes, 56),
            (Field::IngressAcl, 1),
            (Field::IngressAce, 2),
            (Field::IngressXace, 3),
            (Field::EgressAcl, 4),
            (Field::EgressAce, 5),
            (Field::EgressXace, 6),
            (Field::RecordFlags, RecordFlags::EVENT),
        ] {
            assert_eq!(nums(&flows, field), [value], "{field:?}");
        }
        assert_eq!(flows.column(Field::UserName).bytes(0), b"alice");
        assert_eq!(ips(&flows, Field::XlateDstAddr), ["10.0.0.4"]);
        assert_eq!(flows.groups(0).iter().collect::<Vec<_>>(), [1, 2, 12, 19, 20, 22, 23, 24]);
    }

    #[test]
    fn nat_events_and_port_blocks() {
        let fields = [
            (8, 4),
            (225, 4),
            (230, 1),
            (323, 8),
            (361, 2),
            (362, 2),
            (363, 2),
            (364, 2),
            (283, 4),
            (234, 4),
        ];
        let record = octets![
            0x0a00_0001u32,
            0xc633_6401u32,
            16u8,
            NOW + 1,
            1024u16,
            2047u16,
            0u16,
            1024u16,
            3u32,
            9u32
        ];
        let mut bench = Bench::new();
        bench.good(&v9(1, 0, &[set(0, &[template(256, &fields)]), set(256, &[record])]));
        let flows = bench.flows();
        for (field, value) in [
            (Field::FirstMs, NOW + 1),
            (Field::LastMs, NOW + 1),
            (Field::EventTimeMs, NOW + 1),
            (Field::NatEvent, 16),
            (Field::NatPoolId, 3),
            (Field::PblockStart, 1024),
            (Field::PblockEnd, 2047),
            (Field::PblockSize, 1024),
            (Field::RecordFlags, RecordFlags::EVENT),
        ] {
            assert_eq!(nums(&flows, field), [value], "{field:?}");
        }
        assert!(!flows.groups(0).contains(Groups::NSEL));
    }

    #[test]
    fn flows_with_translated_addresses_are_no_events() {
        let mut bench = Bench::new();
        let fields = [(1, 4), (225, 4), (226, 4), (227, 2), (228, 2)];
        let record = octets![1u32, 2u32, 3u32, 4u16, 5u16];
        bench.good(&v9(1, 0, &[set(0, &[template(256, &fields)]), set(256, &[record])]));
        assert_eq!(bench.nums(Field::RecordFlags), [0]);
    }

    #[test]
    fn stamps_ahead_of_the_header_and_stamps_of_zero() {
        let mut bench = Bench::new();
        let fields = template(256, &[(22, 4), (21, 8)]);
        let records = [octets![UPTIME + 5_000, u64::from(UPTIME) + 5_000], octets![0u32, 0u64]];
        bench.good(&v9(1, 0, &[set(0, &[fields]), set(256, &records)]));
        let flows = bench.flows();
        assert_eq!(nums(&flows, Field::FirstMs), [NOW + 5_000, NOW - u64::from(UPTIME)]);
        assert_eq!(nums(&flows, Field::LastMs), [NOW + 5_000, NOW - u64::from(UPTIME)]);
    }

    #[test]
    fn icmp_templates_without_protocol() {
        let mut bench = Bench::new();
        let templates = [template(1025, &[(1, 4), (32, 2)]), template(2049, &[(1, 4), (139, 2)])];
        let sets = [
            set(0, &templates),
            set(1025, &[octets![1u32, 0x0800u16]]),
            set(2049, &[octets![1u32, 0x8000u16]]),
        ];
        bench.good(&v9(1, 0, &sets));
        let flows = bench.flows();
        assert_eq!(nums(&flows, Field::Proto), [1, 58]);
        assert_eq!(nums(&flows, Field::DstPort), [0x0800, 0x8000]);
    }

    #[test]
    fn vendors_and_their_numbers() {
        let mut bench = Bench::new();
        // Huawei's 232, nProbe's latency in seconds and µs, H3C's variable length.
        let fields = [(232, 2), (57554, 4), (57555, 4), (57557, 4), (95, u16::MAX), (2, 2)];
        let mut record = octets![99u16, 1u32, 500u32, 7u32, 3u8];
        record.extend([13, 0, 80, 0, 4]);
        bench.good(&v9(1, 0, &[set(0, &[template(256, &fields)]), set(256, &[record])]));
        let flows = bench.flows();
        assert_eq!(nums(&flows, Field::OutBytes), [0]);
        assert_eq!(nums(&flows, Field::ClientLatencyUs), [1_000_500]);
        assert_eq!(nums(&flows, Field::ServerLatencyUs), [7]);
        assert_eq!(nums(&flows, Field::InPackets), [4]);
        assert_eq!(flows.column(Field::AppId).bytes(0), [13, 0, 80]);
        assert!(!flows.groups(0).contains(Groups::COUNTERS));
    }

    #[test]
    fn records_of_variable_length_that_end_outside() {
        let mut bench = Bench::new();
        let sets = [
            set(0, &[template(256, &[(1, 4), (95, u16::MAX)])]),
            set(256, &[octets![1u32, 1u8, 7u8, 2u32, 200u8, 7u8]]),
        ];
        let decoded = bench.take(&v9(1, 0, &sets));
        let at = 20 + sets.first().map_or(0, Vec::len) + 4 + 6;
        assert_eq!(
            wrong(&decoded),
            Some((Some(256), at, Fault::Truncated { what: "record", expected: 205, found: 6 }))
        );
        assert_eq!(decoded.flows, 1);
    }

    #[test]
    fn one_datagram_makes_a_bounded_number_of_flows() {
        let limits = Limits { flows_per_datagram: 10, ..Limits::default() };
        let mut bench = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
        let sets =
            [set(0, &[template(256, &[(4, 1)])]), set(256, &[vec![6; 100]]), set(256, &[vec![6; 100]])];
        let decoded = bench.take(&v9(1, 0, &sets));
        assert_eq!((decoded.flows, decoded.refused), (10, 2));
        assert_eq!(bench.nums(Field::Proto), [6; 10]);
    }

    #[test]
    fn a_peer_makes_us_forget_only_its_own_templates() {
        let limits =
            Limits { templates_per_exporter: 3, domains_per_address: 3, addresses: 2, ..Limits::default() };
        let mut bench = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
        let mut out = flow_model::BatchBuilder::new();
        let victim = Exporter { addr: IpAddr::from([192, 0, 2, 1]), port: 1 };
        let define = v9(1, 0, &[set(0, &[template(256, COUNTERS)])]);
        let data = v9(2, 0, &[set(256, &[counters(1)])]);
        bench.decoder.decode(victim, NOW, &define, &mut out);
        let many: Vec<_> = (256..400).map(|id| template(id, COUNTERS)).collect();
        assert!(bench.take(&v9(1, 0, &[set(0, &many)])).refused > 40);
        for source_id in 1..100 {
            bench.take(&v9(1, source_id, &[set(0, &[template(256, COUNTERS)])]));
        }
        let exporters = bench.decoder.exporters();
        assert_eq!(exporters.len(), 4);
        assert_eq!(exporters.get(1).map(|exporter| exporter.ledger.datagrams), Some(98));
        assert_eq!(bench.decoder.decode(victim, NOW, &data, &mut out).flows, 1);
        let third = Exporter { addr: IpAddr::from([192, 0, 2, 3]), port: 1 };
        assert_eq!(bench.decoder.decode(third, NOW, &data, &mut out).refused, 1);
        assert_eq!(bench.decoder.take_unattributed().refused, 1);
    }

    #[test]
    fn datagrams_are_the_unit_of_loss() {
        let mut bench = Bench::new();
        let mut missed = |sequence| bench.good(&v9(sequence, 0, &[set(300, &[vec![0; 4]])])).missed;
        assert_eq!([1, 2, 5, 6].map(&mut missed), [0, 0, 2, 0]);
    }

    #[test]
    fn the_engine_comes_from_the_source_id() {
        let mut bench = Bench::new();
        bench.good(&v9(1, 0x0007_0b03, &[set(0, &[template(256, COUNTERS)]), set(256, &[counters(1)])]));
        let flows = bench.flows();
        assert_eq!((nums(&flows, Field::EngineType), nums(&flows, Field::EngineId)), (vec![11], vec![3]));
    }
}
