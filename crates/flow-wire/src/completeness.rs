//! Every element that fills a field does so, in both protocols and in each width on the wire.

use crate::vectors::{Bench, NOW, UPTIME, ipfix, octets, set, v9};
use flow_model::{Field, fields};
use std::net::IpAddr;

/// Protocols with templates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    V9,
    Ipfix,
    Both,
}

use On::{Both, Ipfix, V9};

/// Numbers: enterprise, element, protocols, field, widths, and how much of the field one of the element is.
type Row = (u32, u16, On, Field, &'static [u16], u64);

const W1: &[u16] = &[1, 2, 4];
const W2: &[u16] = &[2, 4];
const W4: &[u16] = &[2, 4, 8];
const COUNTER: &[u16] = &[1, 2, 3, 4, 5, 6, 7, 8];

/// Numbers of the elements that nfdump 1.7.8 maps, and of those that we do besides.
const NUMBERS: &[Row] = &[
    (0, 1, Both, Field::InBytes, COUNTER, 1),
    (0, 2, Both, Field::InPackets, COUNTER, 1),
    (0, 3, Both, Field::Flows, COUNTER, 1),
    (0, 4, Both, Field::Proto, W1, 1),
    (0, 5, Both, Field::SrcTos, W1, 1),
    (0, 6, Both, Field::TcpFlags, &[1, 2], 1),
    (0, 7, Both, Field::SrcPort, W2, 1),
    (0, 9, Both, Field::SrcMask, W1, 1),
    (0, 10, Both, Field::Input, W4, 1),
    (0, 11, Both, Field::DstPort, W2, 1),
    (0, 13, Both, Field::DstMask, W1, 1),
    (0, 14, Both, Field::Output, W4, 1),
    (0, 16, Both, Field::SrcAs, W2, 1),
    (0, 17, Both, Field::DstAs, W2, 1),
    (0, 23, Both, Field::OutBytes, COUNTER, 1),
    (0, 24, Both, Field::OutPackets, COUNTER, 1),
    (0, 29, Both, Field::SrcMask, W1, 1),
    (0, 30, Both, Field::DstMask, W1, 1),
    (0, 32, Both, Field::DstPort, &[2], 1),
    (0, 38, Both, Field::EngineType, W1, 1),
    (0, 39, Both, Field::EngineId, W1, 1),
    (0, 48, Both, Field::SamplerId, &[1, 2, 4], 1),
    (0, 52, Both, Field::MinTtl, W1, 1),
    (0, 53, Both, Field::MaxTtl, W1, 1),
    (0, 55, Both, Field::DstTos, W1, 1),
    (0, 56, Both, Field::InSrcMac, &[6], 1),
    (0, 57, Both, Field::OutDstMac, &[6], 1),
    (0, 58, Both, Field::SrcVlan, W2, 1),
    (0, 59, Both, Field::DstVlan, W2, 1),
    (0, 60, Both, Field::IpVersion, W1, 1),
    (0, 61, Both, Field::Direction, W1, 1),
    (0, 70, Both, Field::Mpls1, &[3], 1),
    (0, 71, Both, Field::Mpls2, &[3], 1),
    (0, 72, Both, Field::Mpls3, &[3], 1),
    (0, 73, Both, Field::Mpls4, &[3], 1),
    (0, 74, Both, Field::Mpls5, &[3], 1),
    (0, 75, Both, Field::Mpls6, &[3], 1),
    (0, 76, Both, Field::Mpls7, &[3], 1),
    (0, 77, Both, Field::Mpls8, &[3], 1),
    (0, 78, Both, Field::Mpls9, &[3], 1),
    (0, 79, Both, Field::Mpls10, &[3], 1),
    (0, 80, Both, Field::InDstMac, &[6], 1),
    (0, 81, Both, Field::OutSrcMac, &[6], 1),
    (0, 85, Both, Field::InBytes, COUNTER, 1),
    (0, 86, Both, Field::InPackets, COUNTER, 1),
    (0, 89, Both, Field::FwdStatus, &[1, 4], 1),
    (0, 128, Both, Field::NextAs, W2, 1),
    (0, 129, Both, Field::PrevAs, W2, 1),
    (0, 136, Both, Field::FlowEndReason, W1, 1),
    (0, 138, Ipfix, Field::ObservationPointId, &[4, 8], 1),
    (0, 139, Both, Field::DstPort, &[2], 1),
    (0, 148, V9, Field::ConnId, &[4], 1),
    (0, 148, Ipfix, Field::FlowId, &[4, 8], 1),
    (0, 149, Ipfix, Field::ObservationDomainId, &[4], 1),
    (0, 171, Both, Field::OutBytes, COUNTER, 1),
    (0, 172, Both, Field::OutPackets, COUNTER, 1),
    (0, 176, Both, Field::DstPort, &[1], 256),
    (0, 177, Both, Field::DstPort, &[1], 1),
    (0, 178, Both, Field::DstPort, &[1], 256),
    (0, 179, Both, Field::DstPort, &[1], 1),
    (0, 180, Ipfix, Field::SrcPort, W2, 1),
    (0, 181, Ipfix, Field::DstPort, W2, 1),
    (0, 182, Ipfix, Field::SrcPort, W2, 1),
    (0, 183, Ipfix, Field::DstPort, W2, 1),
    (0, 192, Both, Field::MinTtl, W1, 1),
    (0, 197, Both, Field::FragmentFlags, W1, 1),
    (0, 227, Both, Field::XlateSrcPort, W2, 1),
    (0, 228, Both, Field::XlateDstPort, W2, 1),
    (0, 230, Both, Field::NatEvent, W1, 1),
    (0, 231, Both, Field::InBytes, &[4, 8], 1),
    (0, 232, Both, Field::OutBytes, &[4, 8], 1),
    (0, 233, Both, Field::FwEvent, W1, 1),
    (0, 234, Both, Field::IngressVrf, W4, 1),
    (0, 235, Both, Field::EgressVrf, W4, 1),
    (0, 239, Ipfix, Field::BiflowDir, W1, 1),
    (0, 243, Both, Field::VlanId, W2, 1),
    (0, 245, Both, Field::CustomerVlanId, W2, 1),
    (0, 252, Both, Field::PhysInput, W4, 1),
    (0, 253, Both, Field::PhysOutput, W4, 1),
    (0, 254, Both, Field::PostVlanId, W2, 1),
    (0, 255, Both, Field::PostCustomerVlanId, W2, 1),
    (0, 256, Both, Field::EtherType, W2, 1),
    (0, 278, Ipfix, Field::Flows, COUNTER, 1),
    (0, 283, Both, Field::NatPoolId, &[4], 1),
    (0, 298, Both, Field::InPackets, &[4, 8], 1),
    (0, 299, Both, Field::OutPackets, &[4, 8], 1),
    (0, 302, Both, Field::SamplerId, &[1, 2, 4, 8], 1),
    (0, 312, Ipfix, Field::FrameSize, W2, 1),
    (0, 351, Both, Field::Vxlan, &[3, 4, 8], 1),
    (0, 361, Both, Field::PblockStart, W2, 1),
    (0, 362, Both, Field::PblockEnd, W2, 1),
    (0, 363, Both, Field::PblockStep, W2, 1),
    (0, 364, Both, Field::PblockSize, W2, 1),
    (0, 408, Ipfix, Field::LinkType, W2, 1),
    (0, 33000, V9, Field::IngressXace, &[12], 1),
    (0, 33001, V9, Field::EgressXace, &[12], 1),
    (0, 33002, V9, Field::FwXevent, &[2], 1),
    (0, 40003, V9, Field::XlateSrcPort, &[2], 1),
    (0, 40004, V9, Field::XlateDstPort, &[2], 1),
    (0, 40005, V9, Field::FwEvent, &[1], 1),
    (0, 57554, V9, Field::ClientLatencyUs, &[4], 1_000_000),
    (0, 57555, V9, Field::ClientLatencyUs, &[4], 1),
    (0, 57556, V9, Field::ServerLatencyUs, &[4], 1_000_000),
    (0, 57557, V9, Field::ServerLatencyUs, &[4], 1),
    (0, 57558, V9, Field::AppLatencyUs, &[4], 1_000_000),
    (0, 57559, V9, Field::AppLatencyUs, &[4], 1),
    (9, 8337, Ipfix, Field::InBytes, &[4, 8], 1),
    (9, 8338, Ipfix, Field::OutBytes, &[4, 8], 1),
    (9, 12241, Ipfix, Field::DstPort, &[2], 1),
    (637, 91, Ipfix, Field::NokiaInsideSid, &[2, 4], 1),
    (637, 92, Ipfix, Field::NokiaOutsideSid, &[2, 4], 1),
    (29305, 1, Ipfix, Field::OutBytes, COUNTER, 1),
    (29305, 2, Ipfix, Field::OutPackets, COUNTER, 1),
    (29305, 6, Ipfix, Field::ReverseTcpFlags, &[1, 2], 1),
    (29305, 85, Ipfix, Field::OutBytes, COUNTER, 1),
    (29305, 86, Ipfix, Field::OutPackets, COUNTER, 1),
];

/// Addresses: enterprise, element, protocols, field, width.
const ADDRESSES: &[(u32, u16, On, Field, u16)] = &[
    (0, 8, Both, Field::SrcAddr, 4),
    (0, 12, Both, Field::DstAddr, 4),
    (0, 15, Both, Field::NextHop, 4),
    (0, 18, Both, Field::BgpNextHop, 4),
    (0, 27, Both, Field::SrcAddr, 16),
    (0, 28, Both, Field::DstAddr, 16),
    (0, 62, Both, Field::NextHop, 16),
    (0, 63, Both, Field::BgpNextHop, 16),
    (0, 225, Both, Field::XlateSrcAddr, 4),
    (0, 226, Both, Field::XlateDstAddr, 4),
    (0, 281, Both, Field::XlateSrcAddr, 16),
    (0, 282, Both, Field::XlateDstAddr, 16),
    (0, 40001, V9, Field::XlateSrcAddr, 4),
    (0, 40002, V9, Field::XlateDstAddr, 4),
    (9, 12236, Ipfix, Field::SrcAddr, 4),
    (9, 12237, Ipfix, Field::DstAddr, 4),
];

/// Octets and texts: enterprise, element, protocols, field, widths.
const STRINGS: &[(u32, u16, On, Field, &[u16])] = &[
    (0, 95, Both, Field::AppId, &[3, 4, 9, u16::MAX]),
    (0, 315, Ipfix, Field::Frame, &[64, u16::MAX]),
    (0, 40000, V9, Field::UserName, &[20, 65]),
    (637, 93, Ipfix, Field::NokiaNatString, &[8, u16::MAX]),
    (6871, 18, Ipfix, Field::InPayload, &[8, u16::MAX]),
    (6871, 16402, Ipfix, Field::OutPayload, &[8, u16::MAX]),
];

/// The flow of one record of one element.
fn decode(on: On, enterprise: u32, id: u16, len: u16, value: &[u8]) -> flow_model::FlowBatch {
    let mut definition = octets![256u16, 1u16, if enterprise == 0 { id } else { id | 0x8000 }, len];
    if enterprise != 0 {
        definition.extend(enterprise.to_be_bytes());
    }
    let mut record = value.to_vec();
    if len == u16::MAX {
        record.insert(0, value.len() as u8);
    }
    if enterprise == 0 && [177, 179].contains(&id) {
        // An ICMP code means something beside its type only.
        definition.splice(2..4, octets![2u16, id - 1, 1u16]);
        record.insert(0, 0);
    }
    let mut bench = Bench::new();
    match on {
        On::V9 => bench.good(&v9(1, 0, &[set(0, &[definition]), set(256, &[record])])),
        _ => bench.good(&ipfix(0, 3, &[set(2, &[definition]), set(256, &[record])])),
    };
    let flows = bench.flows();
    assert_eq!(flows.len(), 1, "{on:?} {enterprise}:{id} of {len} octets");
    flows
}

fn protocols(on: On) -> &'static [On] {
    match on {
        On::Both => &[On::V9, On::Ipfix],
        On::V9 => &[On::V9],
        On::Ipfix => &[On::Ipfix],
    }
}

/// `value` in `len` octets.
fn number(value: u64, len: u16) -> Vec<u8> {
    let mut octets = vec![0; 12];
    octets.extend(value.to_be_bytes());
    octets.split_off(octets.len() - usize::from(len))
}

#[test]
fn numbers_of_every_width_fill_their_field() {
    for &(enterprise, id, on, field, widths, factor) in NUMBERS {
        for &on in protocols(on) {
            for &len in widths {
                let flows = decode(on, enterprise, id, len, &number(7, len));
                assert_eq!(
                    flows.column(field).num(0),
                    7 * factor,
                    "{on:?} {enterprise}:{id} of {len} octets"
                );
            }
        }
    }
}

#[test]
fn addresses_fill_their_field() {
    for &(enterprise, id, on, field, len) in ADDRESSES {
        for &on in protocols(on) {
            let flows = decode(on, enterprise, id, len, &number(0x0a00_0007, len));
            let expected: IpAddr = if len == 4 { "10.0.0.7" } else { "::10.0.0.7" }.parse().unwrap();
            assert_eq!(flows.column(field).ip(0), expected, "{on:?} {enterprise}:{id}");
        }
    }
}

#[test]
fn strings_of_every_length_fill_their_field() {
    for &(enterprise, id, on, field, widths) in STRINGS {
        for &on in protocols(on) {
            for &len in widths {
                let value: Vec<u8> = (1..=if len == u16::MAX { 5 } else { len as u8 }).collect();
                let flows = decode(on, enterprise, id, len, &value);
                assert_eq!(flows.column(field).bytes(0), value, "{on:?} {enterprise}:{id} of {len} octets");
            }
        }
    }
}

#[test]
fn times_of_every_form_fill_their_fields() {
    let ntp = |unix_ms: u64| (unix_ms / 1000 + 2_208_988_800) << 32;
    let seconds = NOW / 1000;
    let forms: &[(u16, On, Field, u16, u64)] = &[
        (22, V9, Field::FirstMs, 4, u64::from(UPTIME)),
        (21, V9, Field::LastMs, 4, u64::from(UPTIME)),
        (22, V9, Field::FirstMs, 8, u64::from(UPTIME)),
        (21, V9, Field::LastMs, 8, u64::from(UPTIME)),
        (22, Ipfix, Field::FirstMs, 4, u64::from(UPTIME)),
        (21, Ipfix, Field::LastMs, 4, u64::from(UPTIME)),
        (150, Both, Field::FirstMs, 4, seconds),
        (151, Both, Field::LastMs, 4, seconds),
        (152, Both, Field::FirstMs, 8, NOW),
        (153, Both, Field::LastMs, 8, NOW),
        (154, Both, Field::FirstMs, 8, ntp(NOW)),
        (155, Both, Field::LastMs, 8, ntp(NOW)),
        (156, Both, Field::FirstMs, 8, ntp(NOW)),
        (157, Both, Field::LastMs, 8, ntp(NOW)),
        (158, Both, Field::FirstMs, 4, 0),
        (159, Both, Field::LastMs, 4, 0),
        (323, Both, Field::EventTimeMs, 8, NOW),
    ];
    for &(id, on, field, len, value) in forms {
        for &on in protocols(on) {
            let flows = decode(on, 0, id, len, &number(value, len));
            assert_eq!(flows.column(field).num(0), NOW, "{on:?} {id} of {len} octets");
        }
    }
    let timed: Vec<u16> = forms.iter().map(|&(id, ..)| id).collect();
    for info in fields()
        .iter()
        .filter(|info| [Field::FirstMs, Field::LastMs, Field::EventTimeMs].contains(&info.field))
    {
        assert!(info.elements.iter().all(|element| timed.contains(&element.id)), "{:?}", info.field);
    }
}

/// An element of the catalogue that no table above has could be without effect.
#[test]
fn every_element_of_the_catalogue_is_tried() {
    let rows = || {
        let numbers = NUMBERS.iter().map(|&(enterprise, id, on, field, ..)| (enterprise, id, on, field));
        let addresses = ADDRESSES.iter().map(|&(enterprise, id, on, field, _)| (enterprise, id, on, field));
        let strings = STRINGS.iter().map(|&(enterprise, id, on, field, _)| (enterprise, id, on, field));
        numbers.chain(addresses).chain(strings)
    };
    let times = [Field::FirstMs, Field::LastMs, Field::EventTimeMs];
    // The last of three parts stands for all of them.
    let part = |field| match field {
        Field::IngressAcl => Field::IngressXace,
        Field::EgressAcl => Field::EgressXace,
        field => field,
    };
    for info in fields().iter().filter(|info| !times.contains(&info.field)) {
        for element in info.elements {
            for (wanted, on) in [(element.v9, On::V9), (element.ipfix, On::Ipfix)] {
                let tried = rows().any(|(enterprise, id, tried, field)| {
                    (enterprise, id, field) == (element.enterprise, element.id, part(info.field))
                        && (tried == on || tried == On::Both)
                });
                assert_eq!(tried, wanted, "{on:?} {element:?} {:?}", info.field);
            }
        }
    }
}
