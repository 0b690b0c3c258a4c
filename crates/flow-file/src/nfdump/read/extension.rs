//! Layout 1: the extensions of a flow record, of which a map tells the order.

use crate::nfdump::stored::{Member, Stored, member};
use flow_model::{Field, Groups};

/// What an extension of layout 1 holds.
#[derive(Debug)]
pub(crate) struct Extension {
    /// Its id in extension maps.
    pub(crate) id: u8,
    /// Its length.
    pub(crate) len: u8,
    /// The groups of fields that nfdump 1.7 would carry it in.
    pub(crate) groups: &'static [u8],
    /// What stands where in it.
    pub(crate) members: &'static [Member],
}

/// The extension with this id; `None` for ids that no release knows.
pub(crate) fn extension(id: u16) -> Option<&'static Extension> {
    static NOTHING: Extension = Extension { id: 0, len: 0, groups: &[], members: &[] };
    match id {
        // The parts that every record has are not listed, and some ids were reserved and never used.
        0..=3 | 28..=36 | 44 | 49 => Some(&NOTHING),
        id => EXTENSIONS.iter().find(|extension| u16::from(extension.id) == id),
    }
}

/// NSEL: the time, the connection and what became of it. Beside its members it holds ICMP type and code.
pub(crate) const NSEL: u8 = 37;

/// Where in [`NSEL`] ICMP type and code stand.
pub(crate) const NSEL_ICMP: u16 = 12;

/// NAT events.
pub(crate) const NEL: u8 = 46;

/// Translated addresses of 1.6.10 and 1.6.11, which turns what [`NEL`] holds into something else.
pub(crate) const NEL_ADDRESSES: u8 = 47;

/// What [`NEL`] holds beside [`NEL_ADDRESSES`].
pub(crate) const NEL_WITH_ADDRESSES: &[Member] = &[
    member(Field::NatEvent, 0, Stored::U8),
    member(Field::XlateSrcPort, 4, Stored::U16),
    member(Field::XlateDstPort, 6, Stored::U16),
    member(Field::IngressVrf, 8, Stored::U32),
];

/// The common part of a flow record without what the two kinds of record differ in.
pub(crate) const COMMON: &[Member] = &[
    member(Field::FirstMs, 12, Stored::Stamp(4)),
    member(Field::LastMs, 16, Stored::Stamp(6)),
    member(Field::FwdStatus, 20, Stored::U8),
    member(Field::TcpFlags, 21, Stored::U8),
    member(Field::Proto, 22, Stored::U8),
    member(Field::SrcTos, 23, Stored::U8),
    member(Field::SrcPort, 24, Stored::U16),
    member(Field::DstPort, 26, Stored::U16),
];

/// Where the protocol stands in the common part.
pub(crate) const COMMON_PROTO: usize = 22;

const fn extension_of(id: u8, len: u8, groups: &'static [u8], members: &'static [Member]) -> Extension {
    Extension { id, len, groups, members }
}

static EXTENSIONS: [Extension; 35] = [
    extension_of(
        4,
        4,
        &[Groups::MISC],
        &[member(Field::Input, 0, Stored::U16), member(Field::Output, 2, Stored::U16)],
    ),
    extension_of(
        5,
        8,
        &[Groups::MISC],
        &[member(Field::Input, 0, Stored::U32), member(Field::Output, 4, Stored::U32)],
    ),
    extension_of(
        6,
        4,
        &[Groups::AS],
        &[member(Field::SrcAs, 0, Stored::U16), member(Field::DstAs, 2, Stored::U16)],
    ),
    extension_of(
        7,
        8,
        &[Groups::AS],
        &[member(Field::SrcAs, 0, Stored::U32), member(Field::DstAs, 4, Stored::U32)],
    ),
    extension_of(
        8,
        4,
        &[Groups::MISC],
        &[
            member(Field::DstTos, 0, Stored::U8),
            member(Field::Direction, 1, Stored::U8),
            member(Field::SrcMask, 2, Stored::U8),
            member(Field::DstMask, 3, Stored::U8),
        ],
    ),
    extension_of(9, 4, &[Groups::NEXT_HOP_V4], &[member(Field::NextHop, 0, Stored::V4)]),
    extension_of(10, 16, &[Groups::NEXT_HOP_V6], &[member(Field::NextHop, 0, Stored::V6)]),
    extension_of(11, 4, &[Groups::BGP_NEXT_HOP_V4], &[member(Field::BgpNextHop, 0, Stored::V4)]),
    extension_of(12, 16, &[Groups::BGP_NEXT_HOP_V6], &[member(Field::BgpNextHop, 0, Stored::V6)]),
    extension_of(
        13,
        4,
        &[Groups::VLAN],
        &[member(Field::SrcVlan, 0, Stored::U16), member(Field::DstVlan, 2, Stored::U16)],
    ),
    extension_of(14, 4, &[Groups::COUNTERS], &[member(Field::OutPackets, 0, Stored::U32)]),
    extension_of(15, 8, &[Groups::COUNTERS], &[member(Field::OutPackets, 0, Stored::U64)]),
    extension_of(16, 4, &[Groups::COUNTERS], &[member(Field::OutBytes, 0, Stored::U32)]),
    extension_of(17, 8, &[Groups::COUNTERS], &[member(Field::OutBytes, 0, Stored::U64)]),
    extension_of(18, 4, &[Groups::COUNTERS], &[member(Field::Flows, 0, Stored::U32)]),
    extension_of(19, 8, &[Groups::COUNTERS], &[member(Field::Flows, 0, Stored::U64)]),
    extension_of(
        20,
        16,
        &[Groups::MAC],
        &[member(Field::InSrcMac, 0, Stored::U64), member(Field::OutDstMac, 8, Stored::U64)],
    ),
    extension_of(
        21,
        16,
        &[Groups::MAC],
        &[member(Field::InDstMac, 0, Stored::U64), member(Field::OutSrcMac, 8, Stored::U64)],
    ),
    extension_of(
        22,
        40,
        &[Groups::MPLS],
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
    extension_of(23, 4, &[Groups::ROUTER_V4], &[member(Field::RouterAddr, 0, Stored::V4)]),
    extension_of(24, 16, &[Groups::ROUTER_V6], &[member(Field::RouterAddr, 0, Stored::V6)]),
    extension_of(
        25,
        4,
        &[],
        &[member(Field::EngineType, 2, Stored::U8), member(Field::EngineId, 3, Stored::U8)],
    ),
    extension_of(
        26,
        8,
        &[Groups::ADJACENT_AS],
        &[member(Field::NextAs, 0, Stored::U32), member(Field::PrevAs, 4, Stored::U32)],
    ),
    extension_of(27, 8, &[], &[member(Field::ReceivedMs, 0, Stored::U64)]),
    extension_of(
        NSEL,
        20,
        &[Groups::NSEL, Groups::SECURITY_GROUP],
        &[
            member(Field::EventTimeMs, 0, Stored::U64),
            member(Field::ConnId, 8, Stored::U32),
            member(Field::FwEvent, 14, Stored::U8),
            member(Field::FwXevent, 16, Stored::U16),
            member(Field::SecurityGroupTag, 18, Stored::U16),
        ],
    ),
    extension_of(
        38,
        4,
        &[Groups::XLATE_PORT],
        &[member(Field::XlateSrcPort, 0, Stored::U16), member(Field::XlateDstPort, 2, Stored::U16)],
    ),
    extension_of(
        39,
        8,
        &[Groups::XLATE_V4],
        &[member(Field::XlateSrcAddr, 0, Stored::V4), member(Field::XlateDstAddr, 4, Stored::V4)],
    ),
    extension_of(
        40,
        32,
        &[Groups::XLATE_V6],
        &[member(Field::XlateSrcAddr, 0, Stored::V6), member(Field::XlateDstAddr, 16, Stored::V6)],
    ),
    extension_of(
        41,
        24,
        &[Groups::ACL],
        &[
            member(Field::IngressAcl, 0, Stored::U32),
            member(Field::IngressAce, 4, Stored::U32),
            member(Field::IngressXace, 8, Stored::U32),
            member(Field::EgressAcl, 12, Stored::U32),
            member(Field::EgressAce, 16, Stored::U32),
            member(Field::EgressXace, 20, Stored::U32),
        ],
    ),
    extension_of(42, 24, &[Groups::USER], &[member(Field::UserName, 0, Stored::Text(24))]),
    extension_of(43, 72, &[Groups::USER], &[member(Field::UserName, 0, Stored::Text(72))]),
    extension_of(
        45,
        24,
        &[Groups::LATENCY],
        &[
            member(Field::ClientLatencyUs, 0, Stored::U64),
            member(Field::ServerLatencyUs, 8, Stored::U64),
            member(Field::AppLatencyUs, 16, Stored::U64),
        ],
    ),
    extension_of(
        NEL,
        12,
        &[Groups::NAT, Groups::VRF],
        &[
            member(Field::NatEvent, 0, Stored::U8),
            member(Field::EgressVrf, 4, Stored::U32),
            member(Field::IngressVrf, 8, Stored::U32),
        ],
    ),
    extension_of(
        NEL_ADDRESSES,
        8,
        &[Groups::XLATE_V4, Groups::XLATE_PORT],
        &[member(Field::XlateSrcAddr, 0, Stored::V4), member(Field::XlateDstAddr, 4, Stored::V4)],
    ),
    extension_of(
        48,
        8,
        &[Groups::PORT_BLOCK],
        &[
            member(Field::PblockStart, 0, Stored::U16),
            member(Field::PblockEnd, 2, Stored::BlockEnd),
            member(Field::PblockStep, 4, Stored::U16),
            member(Field::PblockSize, 6, Stored::U16),
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_up_to_the_last_is_known_and_members_fit() {
        for id in 0..=49 {
            let extension = extension(id).unwrap();
            for member in extension.members {
                let end = usize::from(member.offset) + member.stored.fixed_len().unwrap();
                assert!(end <= usize::from(extension.len), "{member:?}");
            }
        }
        assert!(extension(50).is_none());
        assert!(EXTENSIONS.iter().all(|one| std::ptr::eq(extension(one.id.into()).unwrap(), one)));
    }
}
