//! Datagrams made up for tests, and what becomes of them.

#![expect(clippy::indexing_slicing, reason = "a panic is a failed test")]

use crate::vectors::{Bench, FROM, NOW, ips, nums, octets, wrong};
use crate::{Decoded, DecoderOptions, Exporter, Fault, Limits, Tunnels};
use flow_model::{Field, Groups, RecordFlags};
use std::net::IpAddr;

const AGENT: [u8; 4] = [198, 51, 100, 99];
/// Octets before the first sample of [`v5`].
const HEADER_LEN: usize = 28;

/// A v5 datagram of agent 198.51.100.99, sub-agent 3.
fn v5(sequence: u32, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut datagram = octets![5u32, 1u32];
    datagram.extend(AGENT);
    datagram.extend(octets![3u32, sequence, 60_000 + sequence, samples.len() as u32]);
    datagram.extend(samples.concat());
    datagram
}

/// A v2 or v4 datagram.
fn plain(version: u32, samples: &[Vec<u8>]) -> Vec<u8> {
    let mut datagram = octets![version, 1u32];
    datagram.extend(AGENT);
    datagram.extend(octets![1u32, 60_000u32, samples.len() as u32]);
    datagram.extend(samples.concat());
    datagram
}

/// Something with a format and a length before it, padded.
fn part(format: u32, body: &[u8]) -> Vec<u8> {
    let mut part = octets![format, body.len() as u32];
    part.extend(body);
    part.resize(part.len().next_multiple_of(4), 0);
    part
}

/// A flow sample of v5 from interface 7 to 8 with these records.
fn flow(rate: u32, records: &[Vec<u8>]) -> Vec<u8> {
    let mut body = octets![1u32, 7u32, rate, 1000u32, 0u32, 7u32, 8u32, records.len() as u32];
    body.extend(records.concat());
    part(1, &body)
}

/// A header record: protocol, length on the wire, the packet's first octets.
fn header(protocol: u32, len: u32, packet: &[u8]) -> Vec<u8> {
    let mut body = octets![protocol, len, 4u32, packet.len() as u32];
    body.extend(packet);
    body.resize(body.len().next_multiple_of(4), 0);
    part(1, &body)
}

/// UDP from 192.0.2.1:5353 to 198.51.100.7:53 in a frame with tag 13.
fn udp() -> Vec<u8> {
    let mut frame = vec![2, 0, 0, 0, 0, 13, 2, 0, 0, 0, 0, 5];
    frame.extend(octets![0x8100u16, 13u16, 0x0800u16, 0x4510_001c_u32, 0u32, 0x4011_0000_u32]);
    frame.extend([192, 0, 2, 1, 198, 51, 100, 7]);
    frame.extend(octets![5353u16, 53u16, 8u16, 0u16]);
    frame
}

fn udp_header() -> Vec<u8> {
    header(1, 1500, &udp())
}

fn v4(addr: [u8; 4]) -> Vec<u8> {
    [&octets![1u32][..], &addr].concat()
}

/// Decodes datagrams of which some are not sound.
fn decode(datagrams: &[Vec<u8>]) -> (Vec<Decoded>, Bench) {
    let mut bench = Bench::new();
    let decoded = datagrams.iter().map(|datagram| bench.take(datagram)).collect();
    (decoded, bench)
}

fn decode_one(datagram: &[u8]) -> (Decoded, Bench) {
    let (decoded, bench) = decode(&[datagram.to_vec()]);
    (decoded[0], bench)
}

#[test]
fn a_flow_sample_with_everything() {
    let router = [v4([192, 0, 2, 254]), octets![24u32, 16u32]].concat();
    let gateway = [
        v4([192, 0, 2, 253]),
        octets![64_500u32, 64_501u32, 64_502u32],
        octets![2u32, 1u32, 2u32, 64_503u32, 64_504u32, 2u32, 3u32, 64_505u32, 64_506u32, 64_507u32],
        octets![2u32, 1u32, 2u32, 100u32],
    ]
    .concat();
    let user =
        [octets![106u32, 5u32], b"alice\0\0\0".to_vec(), octets![106u32, 3u32], b"bob\0".to_vec()].concat();
    let nat = [v4([203, 0, 113, 1]), v4([203, 0, 113, 2])].concat();
    let mpls = [v4([192, 0, 2, 252]), octets![2u32, 0x0001_00ff_u32, 0x0002_01ff_u32, 1u32, 0u32]].concat();
    let sample = flow(
        100,
        &[
            part(1001, &octets![10u32, 0u32, 20u32, 0u32]),
            udp_header(),
            part(1002, &router),
            part(1003, &gateway),
            part(1004, &user),
            part(1006, &mpls),
            part(1007, &nat),
            part(1020, &octets![1111u32, 2222u32]),
        ],
    );
    let mut bench = Bench::new();
    let decoded = bench.good(&v5(1, &[sample]));
    assert_eq!((decoded.flows, decoded.new_exporter, decoded.records_skipped), (1, Some(1), 0));
    let flows = bench.flows();
    for (field, value) in [
        (Field::FirstMs, NOW),
        (Field::LastMs, NOW),
        (Field::ReceivedMs, NOW),
        (Field::InPackets, 100),
        (Field::InBytes, 150_000),
        (Field::Proto, 17),
        (Field::SrcPort, 5353),
        (Field::DstPort, 53),
        (Field::SrcTos, 0x10),
        (Field::Input, 7),
        (Field::Output, 8),
        (Field::SrcVlan, 10),
        (Field::DstVlan, 20),
        (Field::InSrcMac, 0x0200_0000_0005),
        (Field::OutDstMac, 0x0200_0000_000d),
        (Field::SrcMask, 24),
        (Field::DstMask, 16),
        (Field::SrcAs, 64_501),
        (Field::DstAs, 64_507),
        (Field::PrevAs, 64_502),
        (Field::NextAs, 64_503),
        (Field::Mpls1, 0x0100),
        (Field::Mpls2, 0x0201),
        (Field::Mpls3, 0),
        (Field::XlateSrcPort, 1111),
        (Field::XlateDstPort, 2222),
        (Field::RecordFlags, RecordFlags::SAMPLED),
        (Field::NfVersion, 0x85),
        (Field::EngineType, 0),
        (Field::EngineId, 0),
        (Field::ExporterId, 1),
    ] {
        assert_eq!(nums(&flows, field), [value], "{field:?}");
    }
    for (field, value) in [
        (Field::SrcAddr, "192.0.2.1"),
        (Field::DstAddr, "198.51.100.7"),
        // The sender's, not the agent's.
        (Field::RouterAddr, "192.0.2.9"),
        (Field::NextHop, "192.0.2.254"),
        (Field::BgpNextHop, "192.0.2.253"),
        (Field::XlateSrcAddr, "203.0.113.1"),
        (Field::XlateDstAddr, "203.0.113.2"),
    ] {
        assert_eq!(ips(&flows, field), [value], "{field:?}");
    }
    assert_eq!(flows.column(Field::UserName).bytes(0), b"alice");
    let mut groups = vec![
        Groups::GENERIC,
        Groups::IPV4,
        Groups::MISC,
        Groups::VLAN,
        Groups::AS,
        Groups::BGP_NEXT_HOP_V4,
        Groups::NEXT_HOP_V4,
        Groups::ROUTER_V4,
        Groups::MPLS,
        Groups::MAC,
        Groups::ADJACENT_AS,
        Groups::XLATE_V4,
        Groups::XLATE_PORT,
        Groups::USER,
    ];
    groups.sort_unstable();
    assert_eq!(flows.groups(0).iter().collect::<Vec<_>>(), groups);
    let exporter = &bench.decoder.exporters()[0];
    assert_eq!((exporter.version, exporter.addr, exporter.domain), (9999, FROM.addr, 3));
    let sampler = bench.decoder.samplers()[0];
    assert_eq!((sampler.id, sampler.algorithm, sampler.interval, sampler.space), (-1, 0, 1, 99));
}

#[test]
fn the_order_of_records_does_not_matter() {
    let ethernet = part(2, &octets![600u32, 0x0200_0000_0001_0000_u64, 0x0200_0000_0002_0000_u64, 0x0800u32]);
    let address = [192, 0, 2, 33];
    let ip =
        [&octets![580u32, 6u32][..], &address, &address, &octets![1u32, 2u32, 0x12u32, 0x20u32]].concat();
    let [switch, ip] = [part(1001, &octets![0u32, 0u32, 20u32, 0u32]), part(3, &ip)];
    let read = |records: &[Vec<u8>]| {
        let mut bench = Bench::new();
        bench.good(&v5(1, &[flow(10, records)]));
        let flows = bench.flows();
        let of = |field| nums(&flows, field)[0];
        [
            Field::InBytes,
            Field::SrcPort,
            Field::TcpFlags,
            Field::SrcTos,
            Field::SrcVlan,
            Field::DstVlan,
            Field::InSrcMac,
        ]
        .map(of)
    };
    // A header knows better than the others; the frame's tag stands for a switch that does not know.
    let whole = [15_000, 5353, 0, 0x10, 13, 20, 0x0200_0000_0005];
    let records = [ethernet.clone(), ip.clone(), switch.clone(), udp_header()];
    assert_eq!(read(&records), whole);
    assert_eq!(read(&records.iter().rev().cloned().collect::<Vec<_>>()), whole);
    // Without one, the length of the IP packet comes before that of the frame.
    let mixed = [5_800, 1, 0x12, 0x20, 0, 20, 0x0200_0000_0001];
    assert_eq!(read(&[switch.clone(), ethernet.clone(), ip.clone()]), mixed);
    assert_eq!(read(&[ip, ethernet.clone(), switch]), mixed);
    assert_eq!(read(&[ethernet])[0], 6_000);
}

#[test]
fn sampled_addresses_of_either_family() {
    let v6 = |last: u128| (0x2001_0db8_u128 << 96) | last;
    let record = octets![900u32, 6u32, v6(1), v6(2), 40_000u32, 443u32, 0x18u32, 0x2eu32];
    let icmp =
        [&octets![84u32, 1u32][..], &[10, 0, 0, 1, 10, 0, 0, 2], &octets![8u32, 0u32, 0u32, 0u32]].concat();
    let mut bench = Bench::new();
    bench.good(&v5(1, &[flow(1, &[part(4, &record)]), flow(2, &[part(3, &icmp)])]));
    let flows = bench.flows();
    assert_eq!(ips(&flows, Field::SrcAddr), ["2001:db8::1", "10.0.0.1"]);
    assert_eq!(nums(&flows, Field::DstPort), [443, 0x0800]);
    assert_eq!(nums(&flows, Field::SrcPort), [40_000, 0]);
    assert_eq!(nums(&flows, Field::TcpFlags), [0x18, 0]);
    assert_eq!(nums(&flows, Field::InPackets), [1, 2]);
    // The flag is set for a rate of 1, too.
    assert_eq!(nums(&flows, Field::RecordFlags), [RecordFlags::SAMPLED; 2]);
    assert!(flows.groups(0).contains(Groups::IPV6) && !flows.groups(0).contains(Groups::IPV4));
}

#[test]
fn icmp_is_type_and_code_in_the_destination_port() {
    // wire.md 18, point 10: what came from a header, as everywhere else.
    let mut packet = octets![0x4500_001c_u32, 0u32, 0x4001_0000_u32, 0x0a00_0001_u32, 0x0a00_0002_u32];
    packet.extend([3, 1, 0, 0, 0, 0, 0, 0]);
    let (_, mut bench) = decode_one(&v5(1, &[flow(1, &[header(11, 28, &packet)])]));
    let flows = bench.flows();
    assert_eq!((nums(&flows, Field::SrcPort), nums(&flows, Field::DstPort)), (vec![0], vec![0x0301]));
}

#[test]
fn later_fragments_of_ipv6_have_no_ports() {
    // wire.md 18, point 14: they are octets of the payload.
    let addr = |last: u128| (0x2001_0db8_u128 << 96) | last;
    let packet =
        octets![0x6000_0000_u32, 16u16, 44u8, 64u8, addr(1), addr(2), 0x1100_00a8_u32, 1u32, 0x1234_5678_u64];
    let (_, mut bench) = decode_one(&v5(1, &[flow(1, &[header(12, 56, &packet)])]));
    let flows = bench.flows();
    assert_eq!(
        (nums(&flows, Field::Proto), nums(&flows, Field::SrcPort), nums(&flows, Field::DstPort)),
        (vec![17], vec![0], vec![0])
    );
}

#[test]
fn tunnels_keep_their_own_addresses_unless_asked_for() {
    // wire.md 18, point 14.
    let inner = octets![
        0x4500_001c_u32,
        0u32,
        0x4011_0000_u32,
        0x0a00_0001_u32,
        0x0a00_0002_u32,
        0x0007_0008_u32,
        0u32
    ];
    let mut outer = octets![0x4500_0030_u32, 0u32, 0x4004_0000_u32, 0xc000_0201_u32, 0xc000_0202_u32];
    outer.extend(inner);
    let datagram = v5(1, &[flow(1, &[header(11, 48, &outer)]), flow(1, &[udp_header()])]);
    let (_, mut bench) = decode_one(&datagram);
    let flows = bench.flows();
    assert_eq!(ips(&flows, Field::SrcAddr), ["192.0.2.1"; 2]);
    assert_eq!(nums(&flows, Field::Proto), [4, 17]);
    assert!(!flows.groups(0).contains(Groups::TUNNEL_V4));

    let mut bench = Bench::with(DecoderOptions { tunnels: Tunnels::Opened, ..DecoderOptions::default() });
    bench.good(&datagram);
    let flows = bench.flows();
    assert_eq!(ips(&flows, Field::SrcAddr), ["10.0.0.1", "192.0.2.1"]);
    assert_eq!(ips(&flows, Field::TunnelDstAddr), ["192.0.2.2", "0.0.0.0"]);
    assert_eq!(nums(&flows, Field::TunnelProto), [4, 0]);
    assert_eq!(nums(&flows, Field::DstPort), [8, 53]);
    let tunnelled = (0..2).map(|row| flows.groups(row).contains(Groups::TUNNEL_V4));
    assert_eq!(tunnelled.collect::<Vec<_>>(), [true, false]);
}

#[test]
fn times_are_those_of_receipt() {
    // wire.md 18, point 14: the time that the caller gives, which for a capture is the packet's.
    let mut bench = Bench::new();
    bench.take(&v5(1, &[flow(1, &[udp_header()])]));
    assert_eq!(bench.nums(Field::FirstMs), [NOW]);
}

#[test]
fn expanded_samples_and_what_interfaces_can_be() {
    let expanded = |input: [u32; 2], output: [u32; 2]| {
        let mut body = octets![1u32, 0u32, 369_098_852u32, 4u32, 0u32, 0u32];
        body.extend(octets![input[0], input[1], output[0], output[1], 1u32]);
        body.extend(udp_header());
        part(3, &body)
    };
    let packed = |input: u32, output: u32| {
        let mut body = octets![1u32, 7u32, 4u32, 0u32, 0u32, input, output, 1u32];
        body.extend(udp_header());
        part(1, &body)
    };
    let mut bench = Bench::new();
    bench.good(&v5(
        1,
        &[
            expanded([0, 369_098_852], [0, 0x3fff_ffff]),
            expanded([3, 1], [1, 258]),
            expanded([0, 1], [2, 5]),
            packed(0x3fff_ffff, 0x8000_0007),
            packed(0xc000_0001, 0x4000_0102),
        ],
    ));
    let flows = bench.flows();
    assert_eq!(nums(&flows, Field::Input), [369_098_852, 0, 1, 0x3fff_ffff, 0]);
    assert_eq!(nums(&flows, Field::Output), [0x3fff_ffff, 0, 5, 7, 0]);
}

#[test]
fn what_is_no_flow_is_counted() {
    let wireless = part(1021, &[0; 12]);
    let mut bench = Bench::new();
    let decoded = bench.good(&v5(
        1,
        &[
            part(2, &[0; 12]),
            part(4, &[0; 16]),
            part(5, &[0; 32]),
            part(4413 << 12 | 1, &[1; 7]),
            part(99, &[]),
            // Known records only, but none of a packet; unknown ones beside a packet, one of length 0.
            flow(10, &[part(1001, &[0; 16])]),
            flow(10, &[]),
            flow(10, &[wireless, part(9 << 12 | 1, &[]), udp_header()]),
        ],
    ));
    assert_eq!((decoded.flows, decoded.counter_samples, decoded.discarded_packets), (1, 2, 1));
    assert_eq!((decoded.samples_skipped, decoded.records_skipped), (4, 2));
    let described = bench.decoder.describe();
    let exporter = &described[0];
    assert_eq!((exporter.counter_samples, exporter.discarded_packets), (2, 1));
    let skipped = exporter.skipped.iter();
    let skipped: Vec<_> =
        skipped.map(|one| (one.enterprise, one.id, one.name.as_deref(), one.records)).collect();
    assert_eq!(
        skipped,
        [
            (0, 99, Some("sample"), 1),
            (0, 1021, Some("flow record extended_l2_tunnel_egress"), 1),
            (9, 1, Some("flow record"), 1),
            (4413, 1, Some("sample"), 1),
        ]
    );
    let sources: Vec<_> =
        exporter.sources.iter().map(|source| (source.class, source.index, source.samples)).collect();
    assert_eq!(sources, [(0, 7, 3)]);
}

#[test]
fn headers_of_every_link_and_of_unknown_ones() {
    let packet = udp();
    // What Ethernet has in front of the packet, as other links have it.
    let (macs, ip) = packet.split_at(12);
    let snap = [0xaa, 0xaa, 3, 0, 0, 0];
    let ring = [&[0x10, 0x40][..], macs, &snap, ip].concat();
    let fddi = [&[0x54][..], macs, &snap, ip].concat();
    let relay = [&[0x18, 0x41][..], ip].concat();
    let headers = [(1, &packet), (3, &ring), (4, &fddi), (5, &relay), (6, &packet), (16, &packet)];
    let samples: Vec<_> =
        headers.iter().map(|&(protocol, packet)| flow(10, &[header(protocol, 1000, packet)])).collect();
    let mut bench = Bench::new();
    let decoded = bench.good(&v5(1, &samples));
    assert_eq!(decoded.flows, 6);
    let flows = bench.flows();
    assert_eq!(nums(&flows, Field::DstPort), [53, 53, 53, 53, 0, 0]);
    assert_eq!(nums(&flows, Field::InBytes), [10_000; 6]);
    let described = bench.decoder.describe();
    let skipped: Vec<_> =
        described[0].skipped.iter().map(|one| (one.id, one.name.as_deref(), one.records)).collect();
    assert_eq!(skipped, [(6, Some("header protocol"), 1), (16, Some("header protocol"), 1)]);
}

#[test]
fn samples_and_records_of_v2_and_v4() {
    let flow = |packet: Vec<u8>, extended: &[Vec<u8>]| {
        let mut sample = octets![1u32, 1u32, 7u32, 50u32, 0u32, 0u32, 7u32, 0x8000_0003_u32];
        sample.extend(packet);
        sample.extend(octets![extended.len() as u32]);
        sample.extend(extended.concat());
        sample
    };
    let header = [octets![1u32, 1u32, 1500u32, 46u32], udp(), vec![0; 2]].concat();
    let address = [10, 0, 0, 1];
    let ip =
        [&octets![2u32, 300u32, 6u32][..], &address, &address, &octets![1u32, 2u32, 2u32, 0u32]].concat();
    let switch = octets![1u32, 10u32, 0u32, 20u32, 0u32];
    let router = [octets![2u32], v4([192, 0, 2, 254]), octets![24u32, 16u32]].concat();
    let gateway_v2 = octets![3u32, 1u32, 64_501u32, 64_502u32, 2u32, 64_503u32, 64_504u32];
    let gateway_v4 =
        octets![3u32, 1u32, 64_501u32, 64_502u32, 1u32, 2u32, 2u32, 64_503u32, 64_504u32, 1u32, 9u32, 100u32];
    let user = [octets![4u32, 5u32], b"alice\0\0\0".to_vec(), octets![0u32]].concat();
    let url = [octets![5u32, 1u32, 3u32], b"a/b\0".to_vec()].concat();
    let counters =
        |kind: u32, words: usize| [octets![2u32, 1u32, 7u32, 20u32, kind], vec![0; 4 * words]].concat();
    for (version, gateway) in [(2, gateway_v2), (4, gateway_v4)] {
        let samples = [
            counters(1, 22),
            counters(2, 35),
            counters(3, 40),
            counters(4, 22),
            counters(5, 42),
            counters(6, 22),
            counters(7, 7),
            flow(header.clone(), &[switch.clone(), router.clone(), gateway, user.clone(), url.clone()]),
            flow(ip.clone(), &[]),
        ];
        let mut bench = Bench::new();
        let decoded = bench.good(&plain(version, &samples));
        assert_eq!((decoded.flows, decoded.counter_samples), (2, 7), "{version}");
        let flows = bench.flows();
        for (field, values) in [
            (Field::InPackets, [50, 50]),
            (Field::InBytes, [75_000, 15_000]),
            (Field::SrcPort, [5353, 1]),
            (Field::Output, [3, 3]),
            (Field::SrcVlan, [10, 0]),
            (Field::DstVlan, [20, 0]),
            (Field::SrcMask, [24, 0]),
            (Field::SrcAs, [64_501, 0]),
            (Field::DstAs, [64_504, 0]),
            (Field::NextAs, [64_503, 0]),
            (Field::NfVersion, [0x80 | u64::from(version); 2]),
        ] {
            assert_eq!(nums(&flows, field), values, "{version} {field:?}");
        }
        assert_eq!(flows.column(Field::UserName).bytes(0), b"alice");
    }
}

#[test]
fn nothing_is_found_behind_what_has_no_length() {
    // In v2 and v4 lengths follow from types alone.
    let start = |rest: &[u32]| {
        let words = [&[1, 1, 7, 50, 0, 0, 7, 3], rest].concat();
        words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>()
    };
    let packet = [2u32, 300, 17, 1, 2, 3, 4, 0, 0];
    let extended = start(&[&packet[..], &[2, 99]].concat());
    let sound = start(&[&packet[..], &[0]].concat());
    for (samples, flows, offset, fault) in [
        (
            vec![sound.clone(), octets![3u32], sound.clone()],
            1,
            96,
            Fault::UnknownFormat { what: "sample type", found: 3 },
        ),
        (
            vec![octets![2u32, 1u32, 1u32, 1u32, 8u32], sound.clone()],
            0,
            40,
            Fault::UnknownFormat { what: "counters type", found: 8 },
        ),
        (vec![start(&[4])], 0, 56, Fault::UnknownFormat { what: "packet data type", found: 4 }),
        // Its packet is known by then.
        (
            vec![extended, sound.clone()],
            1,
            96,
            Fault::UnknownFormat { what: "extended data type", found: 99 },
        ),
    ] {
        let (decoded, _) = decode_one(&plain(4, &samples));
        let error = wrong(&decoded).unwrap();
        assert_eq!((decoded.flows, error.1, error.2), (flows, offset, fault));
    }
}

#[test]
fn sizes_near_two_to_the_32_end_nothing_else() {
    // Class: length wrap. Rounded up to words in 32 bits these become 0.
    for len in [u32::MAX, u32::MAX - 2, 0x8000_0000, 0x7fff_fffd] {
        let lying = octets![1u32, len, 0u32];
        let datagram = v5(1, &[flow(1, &[udp_header()]), lying]);
        let (decoded, _) = decode_one(&datagram);
        let offset = datagram.len() - 4;
        let fault = Fault::Truncated { what: "sample", expected: len as usize, found: 4 };
        assert_eq!((decoded.flows, wrong(&decoded)), (1, Some((Some(2), offset, fault))));
    }
    for record in [
        octets![1u32, u32::MAX],
        // The header inside of its record.
        part(1, &octets![1u32, 60u32, 0u32, u32::MAX]),
        part(1004, &octets![0u32, u32::MAX, 0u32]),
        part(1006, &[v4([0; 4]), octets![u32::MAX]].concat()),
        part(1003, &[v4([0; 4]), octets![0u32, 0u32, 0u32, u32::MAX, 2u32, u32::MAX, 1u32]].concat()),
        part(1003, &[v4([0; 4]), octets![0u32, 0u32, 0u32, 0u32, u32::MAX]].concat()),
    ] {
        let (decoded, _) =
            decode_one(&v5(1, &[flow(1, &[udp_header(), record.clone()]), flow(1, &[udp_header()])]));
        let fault = wrong(&decoded).unwrap().2;
        assert!(matches!(fault, Fault::Truncated { .. }), "{record:?}: {fault:?}");
        assert!(decoded.flows >= 1 && decoded.malformed == 1, "{record:?}: {decoded:?}");
    }
}

#[test]
fn count_amplification() {
    // Neither samples nor records are more than there are octets for.
    let mut datagram = v5(1, &[flow(1, &[udp_header()])]);
    datagram.splice(24..28, u32::MAX.to_be_bytes());
    let end = datagram.len();
    let (decoded, _) = decode_one(&datagram);
    let fault = Fault::RecordCount { expected: u32::MAX as usize, found: 1 };
    assert_eq!((decoded.flows, wrong(&decoded)), (1, Some((None, end, fault))));

    let mut sample = flow(1, &[udp_header()]);
    sample.splice(36..40, u32::MAX.to_be_bytes());
    let end = HEADER_LEN + sample.len();
    let (decoded, _) = decode_one(&v5(1, &[sample, flow(1, &[udp_header()])]));
    let fault = Fault::RecordCount { expected: u32::MAX as usize, found: 1 };
    assert_eq!((decoded.flows, wrong(&decoded)), (2, Some((Some(1), end, fault))));

    // Empty samples and empty records are none.
    let empty = v5(1, &vec![part(1, &[]); 8_000]);
    let (decoded, _) = decode_one(&empty);
    assert_eq!((decoded.flows, decoded.malformed), (0, 8_000));
    let (decoded, _) = decode_one(&v5(1, &[flow(1, &vec![part(1, &[]); 8_000])]));
    assert_eq!((decoded.flows, decoded.malformed), (0, 8_000));

    // The smallest samples that are flows, more of them than a datagram may have.
    let smallest = v5(1, &vec![flow(1, &[header(1, 60, &[])]); 100]);
    let limits = Limits { flows_per_datagram: 64, ..Limits::default() };
    let mut bench = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
    let decoded = bench.take(&smallest);
    let fault = Fault::Limit { what: "flows in a datagram", limit: 64 };
    let start = HEADER_LEN + 64 * 64;
    assert_eq!((decoded.flows, decoded.refused, wrong(&decoded)), (64, 1, Some((Some(65), start, fault))));
}

#[test]
fn what_is_longer_than_its_sample_costs_that_sample() {
    let mut long = flow(1, &[udp_header(), part(1001, &[0; 16])]);
    let at = long.len() - 20;
    long.splice(at..at + 4, 17u32.to_be_bytes());
    let (decoded, _) = decode_one(&v5(1, &[long, flow(1, &[udp_header()])]));
    let fault = Fault::Truncated { what: "flow record", expected: 17, found: 16 };
    assert_eq!((decoded.flows, wrong(&decoded)), (1, Some((Some(1), HEADER_LEN + at + 4, fault))));
    // One that is too short for what it says to be costs itself.
    let (decoded, mut bench) = decode_one(&v5(1, &[flow(1, &[part(1001, &[9; 12]), udp_header()])]));
    let fault = Fault::Truncated { what: "flow record", expected: 16, found: 12 };
    assert_eq!((decoded.flows, wrong(&decoded)), (1, Some((Some(1), HEADER_LEN + 48, fault))));
    assert_eq!(bench.nums(Field::SrcVlan), [13]);
}

#[test]
fn types_of_addresses() {
    // 0 is no address, and has no octets. Above 2 there is no knowing how many it has.
    let none = [&octets![5u32, 0u32, 3u32, 1u32, 60_000u32, 1u32][..], &flow(1, &[udp_header()])].concat();
    let (decoded, bench) = decode_one(&none);
    assert_eq!((decoded.flows, decoded.error), (1, None));
    assert_eq!(bench.decoder.exporters()[0].domain, 3);
    for found in [3, u32::MAX] {
        let (decoded, mut bench) = decode_one(&octets![5u32, found, 0u64, 0u64, 0u64]);
        assert_eq!(wrong(&decoded), Some((None, 4, Fault::AddressType { found })));
        assert_eq!((decoded.exporter, bench.decoder.take_unattributed().malformed), (None, 1));
        let router = part(1002, &octets![found, 0u32, 24u32, 16u32]);
        let (decoded, mut bench) = decode_one(&v5(1, &[flow(1, &[router, udp_header()])]));
        assert_eq!(wrong(&decoded), Some((Some(1), HEADER_LEN + 48, Fault::AddressType { found })));
        assert_eq!(bench.nums(Field::SrcMask), [0]);
    }
    let router = part(1002, &octets![0u32, 24u32, 16u32]);
    let mut bench = Bench::new();
    bench.good(&v5(1, &[flow(1, &[router, udp_header()])]));
    let flows = bench.flows();
    assert_eq!(
        (nums(&flows, Field::SrcMask), flows.groups(0).contains(Groups::NEXT_HOP_V4)),
        (vec![24], false)
    );
    // IPv6 agents; and headers cut at every octet.
    let v6 =
        [&octets![5u32, 2u32, 1u128, 3u32, 1u32, 60_000u32, 1u32][..], &flow(1, &[udp_header()])].concat();
    assert_eq!(decode_one(&v6).0.flows, 1);
    for len in 0..40 {
        let (decoded, _) = decode_one(&v6[..len]);
        assert!(matches!(decoded.error.unwrap().fault, Fault::Truncated { .. }), "{len}");
    }
}

#[test]
fn rates_that_cannot_be_are_refused() {
    let limits = Limits { sampling_rate: 1000, ..Limits::default() };
    let rates = |options: DecoderOptions| {
        let mut bench = Bench::with(DecoderOptions { limits, ..options });
        let samples = [0, 1, 1000, 1001, u32::MAX].map(|rate| flow(rate, &[udp_header()]));
        let decoded = bench.take(&v5(1, &samples));
        assert_eq!((decoded.flows, decoded.refused), (5, 2));
        let fault = Fault::SamplingRate { found: 1001, limit: 1000 };
        assert_eq!(wrong(&decoded).map(|(sample, _, fault)| (sample, fault)), Some((Some(4), fault)));
        bench.nums(Field::InPackets)
    };
    assert_eq!(rates(DecoderOptions::default()), [1, 1, 1000, 1, 1]);
    let default = DecoderOptions { default_sampling: Some(7), ..DecoderOptions::default() };
    assert_eq!(rates(default), [7, 1, 1000, 7, 7]);
    let forced = DecoderOptions { override_sampling: Some(9), ..DecoderOptions::default() };
    assert_eq!(rates(forced), [9; 5]);
}

#[test]
fn agents_of_one_sender_and_of_others_do_not_touch_each_other() {
    let mut bench = Bench::new();
    let mut other_agent = v5(500, &[]);
    other_agent.splice(8..12, [1, 1, 1, 1]);
    let mut other_sub_agent = v5(900, &[]);
    other_sub_agent.splice(12..16, 4u32.to_be_bytes());
    for (sequence, datagram) in [(1, &other_agent), (2, &other_sub_agent)] {
        assert_eq!(bench.good(&v5(sequence, &[])).missed, 0);
        assert_eq!(bench.good(datagram).missed, 0);
    }
    let forger = Exporter { addr: IpAddr::from([203, 0, 113, 66]), port: 1 };
    let decoded = bench.take_from(forger, &v5(77, &[]));
    assert_eq!((decoded.new_exporter, decoded.missed), (Some(4), 0));
    assert_eq!(bench.good(&v5(5, &[])).missed, 2);
}

#[test]
fn an_agent_that_starts_anew_loses_nothing() {
    let mut bench = Bench::new();
    bench.take(&v5(1_000_000, &[]));
    // Its uptime goes back with its sequence.
    assert_eq!(bench.take(&v5(900_000, &[])).missed, 0);
    assert_eq!(bench.take(&v5(900_003, &[])).missed, 2);
}

#[test]
fn an_error_says_where() {
    let (decoded, _) = decode_one(&v5(1, &[octets![1u32, 9u32]]));
    assert_eq!(
        decoded.error.unwrap().to_string(),
        "sFlow v5 from 192.0.2.9 sub-agent 3 sample 1 at octet 36: sample needs 9 octets, 0 are there"
    );
}
