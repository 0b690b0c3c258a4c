//! The points in which nfdump 1.7.8 departs from the wire, one test each: we store what was sent.
//!
//! Not here: 14, sFlow, and 16, IPv6 outer headers in captures, which are tested where they are read; 17, how JSON
//! prints the time of an event, is a matter of output.

use crate::vectors::{
    Bench, NOW, UPTIME, ipfix, ipfix_options, ips, nums, octets, set, specifiers, template, v9, v9_options,
};
use flow_model::{Field, FlowBatch, Groups};

/// A datagram of v1, v5 or v7 with `count` equal records.
fn fixed(version: u16, count: u16, sampling: u16, tail: &[u8]) -> Vec<u8> {
    let mut datagram = octets![version, count, UPTIME, (NOW / 1000) as u32, 0u32];
    if version != 1 {
        datagram.extend(octets![0u32, if version == 7 { 0x0102u16 } else { 0 }, sampling]);
    }
    for _ in 0..count {
        datagram.extend(octets![0x0a00_0001u32, 0x0a00_0002u32, 0u32, 1u16, 2u16, 10u32, 1000u32]);
        datagram.extend(octets![UPTIME - 2_000, UPTIME - 1_000, 1234u16, 80u16, 0u8, 0x1bu8, 6u8, 0u8]);
        datagram.extend_from_slice(tail);
    }
    datagram
}

/// AS numbers and prefix lengths of v5.
const ROUTED: [u8; 8] = [0, 1, 0, 2, 24, 16, 0, 0];

fn decoded(datagrams: &[Vec<u8>]) -> FlowBatch {
    let mut bench = Bench::new();
    for datagram in datagrams {
        bench.good(datagram);
    }
    bench.flows()
}

/// One v9 record.
fn v9_record(fields: &[(u16, u16)], record: Vec<u8>) -> FlowBatch {
    decoded(&[v9(1, 0, &[set(0, &[template(256, fields)]), set(256, &[record])])])
}

/// One IPFIX record.
fn ipfix_record(fields: &[(u16, u16)], record: Vec<u8>) -> FlowBatch {
    decoded(&[ipfix(0, 0, &[set(2, &[template(256, fields)]), set(256, &[record])])])
}

#[test]
fn point_01_prefix_lengths_of_v5_and_v7() {
    let v7: Vec<u8> = ROUTED.into_iter().chain([0; 4]).collect();
    let flows = decoded(&[fixed(5, 1, 0, &ROUTED), fixed(7, 1, 0, &v7)]);
    assert_eq!(nums(&flows, Field::SrcMask), [24, 24]);
    assert_eq!(nums(&flows, Field::DstMask), [16, 16]);
    assert!(flows.groups(0).contains(Groups::MISC) && flows.groups(1).contains(Groups::MISC));
}

#[test]
fn point_02_more_than_24_records_in_v1() {
    assert_eq!(decoded(&[fixed(1, 30, 0, &[0; 8])]).len(), 30);
}

#[test]
fn point_03_both_vlans_and_both_tags_in_v9() {
    let fields = [(58, 10u16), (59, 20), (243, 30), (254, 40)];
    for order in [[0, 1, 2, 3], [3, 2, 1, 0]] {
        let fields = order.map(|index: usize| fields.get(index).copied().unwrap());
        let record: Vec<u8> = fields.iter().flat_map(|&(_, value)| value.to_be_bytes()).collect();
        let flows = v9_record(&fields.map(|(element, _)| (element, 2)), record);
        let found = [Field::SrcVlan, Field::DstVlan, Field::VlanId, Field::PostVlanId]
            .map(|field| nums(&flows, field));
        assert_eq!(found, [[10], [20], [30], [40]]);
    }
}

#[test]
fn point_04_stamps_ahead_of_the_header_and_stamps_of_zero() {
    let flows = v9_record(&[(22, 4), (21, 4)], octets![UPTIME + 5_000, UPTIME + 6_000]);
    assert_eq!(
        (nums(&flows, Field::FirstMs), nums(&flows, Field::LastMs)),
        (vec![NOW + 5_000], vec![NOW + 6_000])
    );
    let boot = NOW - u64::from(UPTIME);
    let flows = v9_record(&[(22, 4), (21, 4)], octets![0u32, 0u32]);
    assert_eq!((nums(&flows, Field::FirstMs), nums(&flows, Field::LastMs)), (vec![boot], vec![boot]));
    let flows = ipfix_record(&[(22, 4), (21, 4), (160, 8)], octets![0u32, 1_000u32, boot]);
    assert_eq!((nums(&flows, Field::FirstMs), nums(&flows, Field::LastMs)), (vec![boot], vec![boot + 1_000]));
}

#[test]
fn point_05_microseconds_and_nanoseconds() {
    let ntp = |unix_ms: u64| (unix_ms / 1000 + 2_208_988_800) << 32 | ((unix_ms % 1000) << 32).div_ceil(1000);
    for (first, last) in [(154, 155), (156, 157)] {
        for flows in [
            ipfix_record(&[(first, 8), (last, 8)], octets![ntp(NOW - 1_500), ntp(NOW - 250)]),
            v9_record(&[(first, 8), (last, 8)], octets![ntp(NOW - 1_500), ntp(NOW - 250)]),
        ] {
            assert_eq!(nums(&flows, Field::FirstMs), [NOW - 1_500]);
            assert_eq!(nums(&flows, Field::LastMs), [NOW - 250]);
        }
    }
}

#[test]
fn point_06_seconds_do_not_overwrite_milliseconds() {
    let (first, last) = ((NOW / 1000 - 2) as u32, (NOW / 1000) as u32);
    let record = octets![NOW - 1_234, NOW - 1, first, last];
    let flows = ipfix_record(&[(152, 8), (153, 8), (150, 4), (151, 4)], record);
    assert_eq!(
        (nums(&flows, Field::FirstMs), nums(&flows, Field::LastMs)),
        (vec![NOW - 1_234], vec![NOW - 1])
    );
    let record = octets![first, last, NOW - 1_234, NOW - 1];
    let flows = ipfix_record(&[(150, 4), (151, 4), (152, 8), (153, 8)], record);
    assert_eq!(
        (nums(&flows, Field::FirstMs), nums(&flows, Field::LastMs)),
        (vec![NOW - 1_234], vec![NOW - 1])
    );
}

#[test]
fn point_07_every_sampler_of_a_set_populations_rates_in_records_and_1_of_2() {
    let sampler = v9_options(260, &[(1, 4)], &[(48, 1), (50, 4)]);
    let population = v9_options(261, &[(1, 4)], &[(302, 1), (309, 4), (310, 4)]);
    let flows = decoded(&[v9(
        1,
        0,
        &[
            set(1, &[sampler, population]),
            set(260, &[octets![0u32, 1u8, 10u32], octets![0u32, 2u8, 20u32], vec![0; 2]]),
            set(261, &[octets![0u32, 3u8, 1u32, 30u32]]),
            set(0, &[template(256, &[(1, 4), (48, 1)]), template(257, &[(1, 4), (34, 4)])]),
            set(256, &[octets![1u32, 1u8], octets![1u32, 2u8], octets![1u32, 3u8]]),
            set(257, &[octets![1u32, 40u32]]),
        ],
    )]);
    assert_eq!(nums(&flows, Field::InBytes), [10, 20, 30, 40]);
    // Mode 1, interval 2.
    assert_eq!(nums(&decoded(&[fixed(5, 1, 0x4002, &ROUTED)]), Field::InBytes), [2000]);
}

#[test]
fn point_08_reverse_elements_leave_forward_values_alone() {
    const REVERSE: u32 = 29305;
    let forward = [(4, 1), (5, 1), (6, 1), (7, 2), (11, 2), (136, 1), (152, 8), (153, 8), (10, 4), (1, 4)];
    let mut definition = octets![256u16, 2 * forward.len() as u16];
    definition.extend(specifiers(&forward));
    for (element, len) in forward {
        definition.extend(octets![element | 0x8000, len, REVERSE]);
    }
    let side = |value: u8| {
        let mut octets = octets![value, value, value, u16::from(value), u16::from(value), value];
        octets.extend(octets![u64::from(value), u64::from(value), u32::from(value), u32::from(value)]);
        octets
    };
    let record = [side(6), side(99)].concat();
    let flows = decoded(&[ipfix(0, 0, &[set(2, &[definition]), set(256, &[record])])]);
    for field in [
        Field::Proto,
        Field::SrcTos,
        Field::TcpFlags,
        Field::SrcPort,
        Field::DstPort,
        Field::FlowEndReason,
        Field::FirstMs,
        Field::LastMs,
        Field::Input,
        Field::InBytes,
    ] {
        assert_eq!(nums(&flows, field), [6], "{field:?}");
    }
    assert_eq!(nums(&flows, Field::OutBytes), [99]);
}

#[test]
fn point_09_totals_do_not_overwrite_deltas() {
    for fields in [[(1, 4), (2, 4), (85, 4), (86, 4)], [(85, 4), (86, 4), (1, 4), (2, 4)]] {
        let value = |element: u16| if element < 85 { u32::from(element) } else { 1000 };
        let record: Vec<u8> = fields.iter().flat_map(|&(element, _)| value(element).to_be_bytes()).collect();
        for flows in [ipfix_record(&fields, record.clone()), v9_record(&fields, record)] {
            assert_eq!((nums(&flows, Field::InBytes), nums(&flows, Field::InPackets)), (vec![1], vec![2]));
        }
    }
}

#[test]
fn point_10_icmpv6_in_v9_and_echo_replies_beside_ports() {
    let flows = v9_record(&[(4, 1), (139, 2)], octets![58u8, 0x8700u16]);
    assert_eq!(nums(&flows, Field::DstPort), [0x8700]);
    for fields in
        [[(4, 1), (7, 2), (11, 2), (176, 1), (177, 1)], [(4, 1), (7, 2), (11, 2), (178, 1), (179, 1)]]
    {
        let proto = if fields.iter().any(|&(element, _)| element == 178) { 58u8 } else { 1 };
        let flows = v9_record(&fields, octets![proto, 4711u16, 4712u16, 0u8, 0u8]);
        assert_eq!((nums(&flows, Field::DstPort), nums(&flows, Field::SrcPort)), (vec![0], vec![0]));
    }
}

#[test]
fn point_11_elements_that_nfdump_reads_in_v9_only() {
    let fields = [(128, 4), (129, 4), (231, 8), (232, 8), (233, 1), (256, 2), (281, 16), (282, 16), (323, 8)];
    let mut record = octets![1u32, 2u32, 3u64, 4u64, 5u8, 6u16, 0u64, 7u64, 0u64, 8u64];
    record.extend(octets![NOW - 9]);
    let flows = ipfix_record(&fields, record);
    for (field, value) in [
        (Field::NextAs, 1),
        (Field::PrevAs, 2),
        (Field::InBytes, 3),
        (Field::OutBytes, 4),
        (Field::FwEvent, 5),
        (Field::EtherType, 6),
        (Field::EventTimeMs, NOW - 9),
        (Field::FirstMs, NOW - 9),
        (Field::LastMs, NOW - 9),
    ] {
        assert_eq!(nums(&flows, field), [value], "{field:?}");
    }
    assert_eq!(
        (ips(&flows, Field::XlateSrcAddr), ips(&flows, Field::XlateDstAddr)),
        (vec!["::7".into()], vec!["::8".into()])
    );
}

#[test]
fn point_12_empty_sets_several_options_templates_and_options_in_sequence_numbers() {
    let sets = [set(0, &[template(256, &[(1, 4)])]), set(256, &[]), set(256, &[octets![5u32]])];
    assert_eq!(nums(&decoded(&[v9(1, 0, &sets)]), Field::InBytes), [5]);
    let both = [v9_options(260, &[(1, 4)], &[(34, 4)]), v9_options(261, &[(1, 4)], &[(34, 4)])];
    let mut bench = Bench::new();
    let decoded = bench.good(&v9(
        1,
        0,
        &[set(1, &both), set(260, &[octets![0u32, 1u32]]), set(261, &[octets![0u32, 1u32]])],
    ));
    assert_eq!((decoded.templates, decoded.options), (2, 2));
    let options = ipfix_options(300, 1, &[(149, 4), (34, 4)]);
    let data = set(300, &[octets![7u32, 1u32], octets![7u32, 1u32]]);
    bench.good(&ipfix(0, 7, &[set(3, &[options]), data.clone()]));
    assert!(!bench.good(&ipfix(2, 7, &[data])).sequence_failure);
}

#[test]
fn point_13_withdrawing_all_templates_leaves_none_behind() {
    let mut bench = Bench::new();
    let data = || set(256, &[octets![1u32]]);
    bench.good(&ipfix(
        0,
        7,
        &[set(2, &[template(256, &[(1, 4)])]), data(), set(2, &[octets![2u16, 0u16]]), data()],
    ));
    bench.good(&ipfix(1, 7, &[set(3, &[octets![3u16, 0u16]]), data()]));
    // What came since waits for the template; then all is as before.
    bench.good(&ipfix(1, 7, &[set(2, &[template(256, &[(2, 4)])]), data()]));
    let flows = bench.flows();
    assert_eq!(nums(&flows, Field::InBytes), [1, 0, 0, 0]);
    assert_eq!(nums(&flows, Field::InPackets), [0, 1, 1, 1]);
}

#[test]
fn point_15_reserved_octets_of_v7_are_no_engine_and_no_sampling() {
    let v7: Vec<u8> = ROUTED.into_iter().chain([0; 4]).collect();
    let flows = decoded(&[fixed(7, 1, 0x4064, &v7)]);
    let found = [Field::EngineType, Field::EngineId, Field::InBytes, Field::RecordFlags]
        .map(|field| nums(&flows, field));
    assert_eq!(found, [[0], [0], [1000], [0]]);
}
