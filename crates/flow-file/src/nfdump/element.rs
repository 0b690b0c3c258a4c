//! Layout 2: the elements of a flow record, in which nfdump 1.7 stores its extensions.
//!
//! One table for both directions. An element is a 16-bit id, a 16-bit length that counts these four octets, and data;
//! lengths and offsets here are those of the data. Numbers are little-endian unless the [`Stored`] says otherwise.

use super::stored::{Member, Stored, member};
use flow_model::{Field, Groups};

/// A kind of element: what stands where in its data.
#[derive(Debug)]
pub(crate) struct Element {
    /// The id, which is also the number of the [group](Groups) of fields.
    pub(crate) id: u8,
    /// Length of the data; of elements of any length, of the part before the octets.
    pub(crate) len: u16,
    /// What the data holds. A field that two elements of a record hold has its value from the one with the higher id.
    pub(crate) members: &'static [Member],
}

/// Length of the id and the length of an element.
pub(crate) const ELEMENT_HEADER_LEN: usize = 4;

/// Length of the header of a flow record.
pub(crate) const RECORD_HEADER_LEN: usize = 12;

/// What the header of a flow record holds beside type, size and number of elements.
pub(crate) const HEADER: &[Member] = &[
    member(Field::EngineType, 6, Stored::U8),
    member(Field::EngineId, 7, Stored::U8),
    member(Field::ExporterId, 8, Stored::U16),
    member(Field::RecordFlags, 10, Stored::Flags),
    member(Field::NfVersion, 11, Stored::U8),
];

const fn element(id: u8, len: u16, members: &'static [Member]) -> Element {
    Element { id, len, members }
}

/// The elements as nfdump 1.7.1 to 1.7.8 write them, by ascending id, from 1 without a gap.
pub(crate) static ELEMENTS: [Element; 42] = [
    element(
        Groups::GENERIC,
        48,
        &[
            member(Field::FirstMs, 0, Stored::U64),
            member(Field::LastMs, 8, Stored::U64),
            member(Field::ReceivedMs, 16, Stored::U64),
            member(Field::InPackets, 24, Stored::U64),
            member(Field::InBytes, 32, Stored::U64),
            member(Field::SrcPort, 40, Stored::U16),
            member(Field::DstPort, 42, Stored::U16),
            member(Field::Proto, 44, Stored::U8),
            member(Field::TcpFlags, 45, Stored::U8),
            member(Field::FwdStatus, 46, Stored::U8),
            member(Field::SrcTos, 47, Stored::U8),
        ],
    ),
    element(Groups::IPV4, 8, &[member(Field::SrcAddr, 0, Stored::V4), member(Field::DstAddr, 4, Stored::V4)]),
    element(
        Groups::IPV6,
        32,
        &[member(Field::SrcAddr, 0, Stored::V6), member(Field::DstAddr, 16, Stored::V6)],
    ),
    element(
        Groups::MISC,
        16,
        &[
            member(Field::Input, 0, Stored::U32),
            member(Field::Output, 4, Stored::U32),
            member(Field::SrcMask, 8, Stored::U8),
            member(Field::DstMask, 9, Stored::U8),
            member(Field::Direction, 10, Stored::U8),
            member(Field::DstTos, 11, Stored::U8),
            member(Field::BiflowDir, 12, Stored::U8),
            member(Field::FlowEndReason, 13, Stored::U8),
            // Only in files of 1.7.1 to 1.7.3; zero in others.
            member(Field::ReverseTcpFlags, 14, Stored::U8),
            // Only in files of 1.7.4; later ones have an element for it.
            member(Field::FragmentFlags, 15, Stored::U8),
        ],
    ),
    element(
        Groups::COUNTERS,
        24,
        &[
            member(Field::Flows, 0, Stored::U64),
            member(Field::OutPackets, 8, Stored::U64),
            member(Field::OutBytes, 16, Stored::U64),
        ],
    ),
    element(
        Groups::VLAN,
        8,
        &[member(Field::SrcVlan, 0, Stored::U32), member(Field::DstVlan, 4, Stored::U32)],
    ),
    element(Groups::AS, 8, &[member(Field::SrcAs, 0, Stored::U32), member(Field::DstAs, 4, Stored::U32)]),
    element(Groups::BGP_NEXT_HOP_V4, 4, &[member(Field::BgpNextHop, 0, Stored::V4)]),
    element(Groups::BGP_NEXT_HOP_V6, 16, &[member(Field::BgpNextHop, 0, Stored::V6)]),
    element(Groups::NEXT_HOP_V4, 4, &[member(Field::NextHop, 0, Stored::V4)]),
    element(Groups::NEXT_HOP_V6, 16, &[member(Field::NextHop, 0, Stored::V6)]),
    element(Groups::ROUTER_V4, 4, &[member(Field::RouterAddr, 0, Stored::V4)]),
    element(Groups::ROUTER_V6, 16, &[member(Field::RouterAddr, 0, Stored::V6)]),
    element(
        Groups::MPLS,
        40,
        &[
            member(Field::Mpls1, 0, Stored::U32),
            member(Field::Mpls2, 4, Stored::U32),
            member(Field::Mpls3, 8, Stored::U32),
            member(Field::Mpls4, 12, Stored::U32),
            member(Field::Mpls5, 16, Stored::U32),
            member(Field::Mpls6, 20, Stored::U32),
            member(Field::Mpls7, 24, Stored::U32),
            member(Field::Mpls8, 28, Stored::U32),
            member(Field::Mpls9, 32, Stored::U32),
            member(Field::Mpls10, 36, Stored::U32),
        ],
    ),
    element(
        Groups::MAC,
        32,
        &[
            member(Field::InSrcMac, 0, Stored::U64),
            member(Field::OutDstMac, 8, Stored::U64),
            member(Field::InDstMac, 16, Stored::U64),
            member(Field::OutSrcMac, 24, Stored::U64),
        ],
    ),
    element(
        Groups::ADJACENT_AS,
        8,
        &[member(Field::NextAs, 0, Stored::U32), member(Field::PrevAs, 4, Stored::U32)],
    ),
    element(
        Groups::LATENCY,
        24,
        &[
            member(Field::ClientLatencyUs, 0, Stored::U64),
            member(Field::ServerLatencyUs, 8, Stored::U64),
            member(Field::AppLatencyUs, 16, Stored::U64),
        ],
    ),
    // Bytes 8 and 9 hold the exporter's number once more.
    element(Groups::SAMPLER, 16, &[member(Field::SamplerId, 0, Stored::U64)]),
    element(
        Groups::NSEL,
        16,
        &[
            member(Field::EventTimeMs, 0, Stored::U64),
            member(Field::ConnId, 8, Stored::U32),
            member(Field::FwXevent, 12, Stored::U16),
            member(Field::FwEvent, 14, Stored::U8),
        ],
    ),
    element(
        Groups::XLATE_V4,
        8,
        &[member(Field::XlateSrcAddr, 0, Stored::V4), member(Field::XlateDstAddr, 4, Stored::V4)],
    ),
    element(
        Groups::XLATE_V6,
        32,
        &[member(Field::XlateSrcAddr, 0, Stored::V6), member(Field::XlateDstAddr, 16, Stored::V6)],
    ),
    element(
        Groups::XLATE_PORT,
        4,
        &[member(Field::XlateSrcPort, 0, Stored::U16), member(Field::XlateDstPort, 2, Stored::U16)],
    ),
    element(
        Groups::ACL,
        24,
        &[
            member(Field::IngressAcl, 0, Stored::U32Big),
            member(Field::IngressAce, 4, Stored::U32Big),
            member(Field::IngressXace, 8, Stored::U32Big),
            member(Field::EgressAcl, 12, Stored::U32Big),
            member(Field::EgressAce, 16, Stored::U32Big),
            member(Field::EgressXace, 20, Stored::U32Big),
        ],
    ),
    element(Groups::USER, 68, &[member(Field::UserName, 0, Stored::Text(66))]),
    element(
        Groups::NAT,
        16,
        &[
            member(Field::EventTimeMs, 0, Stored::U64),
            member(Field::NatPoolId, 8, Stored::U32),
            member(Field::NatEvent, 12, Stored::U8),
        ],
    ),
    element(
        Groups::PORT_BLOCK,
        8,
        &[
            member(Field::PblockStart, 0, Stored::U16),
            member(Field::PblockEnd, 2, Stored::U16),
            member(Field::PblockStep, 4, Stored::U16),
            member(Field::PblockSize, 6, Stored::U16),
        ],
    ),
    element(Groups::APP_ID, 0, &[member(Field::AppId, 0, Stored::Octets)]),
    element(Groups::LABEL, 0, &[member(Field::Label, 0, Stored::TextToEnd { terminator: 1 })]),
    element(Groups::IN_PAYLOAD, 0, &[member(Field::InPayload, 0, Stored::Octets)]),
    element(Groups::OUT_PAYLOAD, 0, &[member(Field::OutPayload, 0, Stored::Octets)]),
    element(
        Groups::TUNNEL_V4,
        12,
        &[
            member(Field::TunnelSrcAddr, 0, Stored::V4),
            member(Field::TunnelDstAddr, 4, Stored::V4),
            member(Field::TunnelProto, 8, Stored::U32),
        ],
    ),
    element(
        Groups::TUNNEL_V6,
        40,
        &[
            member(Field::TunnelSrcAddr, 0, Stored::V6),
            member(Field::TunnelDstAddr, 16, Stored::V6),
            member(Field::TunnelProto, 32, Stored::U32),
        ],
    ),
    element(
        Groups::OBSERVATION,
        16,
        &[
            member(Field::ObservationPointId, 0, Stored::U64),
            member(Field::ObservationDomainId, 8, Stored::U32),
        ],
    ),
    element(
        Groups::FRAME_META,
        4,
        &[member(Field::FrameSize, 0, Stored::U16), member(Field::LinkType, 2, Stored::U16)],
    ),
    element(Groups::FRAME, 0, &[member(Field::Frame, 0, Stored::Octets)]),
    element(
        Groups::VRF,
        8,
        &[member(Field::EgressVrf, 0, Stored::U32), member(Field::IngressVrf, 4, Stored::U32)],
    ),
    element(
        Groups::PF,
        20,
        &[
            member(Field::PfAction, 0, Stored::U8),
            member(Field::PfReason, 1, Stored::U8),
            member(Field::PfDir, 2, Stored::U8),
            member(Field::PfRewritten, 3, Stored::U8),
            member(Field::PfRule, 4, Stored::U32),
            member(Field::PfSubrule, 8, Stored::U32),
            member(Field::PfUid, 12, Stored::U32),
            member(Field::PfPid, 16, Stored::U32),
            member(Field::PfInterface, 20, Stored::TextToEnd { terminator: 1 }),
        ],
    ),
    element(
        Groups::LAYER2,
        32,
        &[
            member(Field::VlanId, 0, Stored::U16),
            member(Field::CustomerVlanId, 2, Stored::U16),
            member(Field::PostVlanId, 4, Stored::U16),
            member(Field::PostCustomerVlanId, 6, Stored::U16),
            member(Field::PhysInput, 8, Stored::U32),
            member(Field::PhysOutput, 12, Stored::U32),
            member(Field::Vxlan, 16, Stored::U64),
            member(Field::EtherType, 24, Stored::U16),
            member(Field::IpVersion, 26, Stored::U8),
        ],
    ),
    element(Groups::FLOW_ID, 8, &[member(Field::FlowId, 0, Stored::U64)]),
    element(
        Groups::NOKIA_NAT,
        4,
        &[member(Field::NokiaInsideSid, 0, Stored::U16), member(Field::NokiaOutsideSid, 2, Stored::U16)],
    ),
    element(
        Groups::NOKIA_NAT_STRING,
        0,
        &[member(Field::NokiaNatString, 0, Stored::TextToEnd { terminator: 4 })],
    ),
    element(
        Groups::IP_INFO,
        4,
        &[
            member(Field::FragmentFlags, 1, Stored::U8),
            member(Field::MinTtl, 2, Stored::Ttl),
            member(Field::MaxTtl, 3, Stored::Ttl),
        ],
    ),
];

/// Elements that earlier releases wrote in another length; they are only read.
pub(crate) static OLD_ELEMENTS: [Element; 2] = [
    element(Groups::SAMPLER, 12, &[member(Field::SamplerId, 0, Stored::I32)]),
    element(
        Groups::NAT,
        24,
        &[
            member(Field::EventTimeMs, 0, Stored::U64),
            member(Field::EgressVrf, 8, Stored::U32),
            member(Field::IngressVrf, 12, Stored::U32),
            member(Field::NatPoolId, 16, Stored::U32),
            member(Field::NatEvent, 20, Stored::U8),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::{FieldSet, Kind, field_info};

    #[test]
    fn ids_are_dense_and_members_fit_without_overlap() {
        for (index, element) in ELEMENTS.iter().enumerate() {
            assert_eq!(usize::from(element.id), index + 1);
        }
        for element in ELEMENTS.iter().chain(&OLD_ELEMENTS) {
            let mut taken = vec![false; usize::from(element.len)];
            for member in element.members {
                let start = usize::from(member.offset);
                match member.stored.fixed_len() {
                    None => assert_eq!(start, taken.len(), "{member:?}"),
                    Some(len) => {
                        for octet in &mut taken[start..start + len] {
                            assert!(!std::mem::replace(octet, true), "{member:?}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn every_field_but_one_has_a_place_in_the_width_of_its_kind() {
        let mut placed = FieldSet::of(&[Field::Groups]);
        for member in ELEMENTS.iter().flat_map(|element| element.members).chain(HEADER) {
            placed.insert(member.field);
            let kinds: &[Kind] = match member.stored {
                Stored::U8 | Stored::Flags | Stored::Ttl => &[Kind::U8],
                Stored::U16 => &[Kind::U16],
                Stored::U32 | Stored::U32Big => &[Kind::U32],
                Stored::U64 => &[Kind::U64],
                Stored::V4 | Stored::V6 => &[Kind::Ip],
                Stored::Octets | Stored::Text(_) | Stored::TextToEnd { .. } => &[Kind::Bytes],
                stored => panic!("{stored:?} is not written"),
            };
            assert!(kinds.contains(&field_info(member.field).kind), "{member:?}");
        }
        assert_eq!(FieldSet::ALL.without(placed), FieldSet::of(&[Field::SecurityGroupTag]));
    }
}
