//! Groups of fields that a record carries together, and the flags of a record.

use crate::Field;
use std::net::IpAddr;

/// To which group a field belongs.
///
/// Groups are numbered as nfdump 1.7 numbers its extensions, because json, raw and conversions to its layout
/// print and store by them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Group {
    /// Part of every record's header, or of several groups: it does not say which one a record carried.
    Header,
    /// The group with this number.
    Extension(u8),
    /// An address: the number of the IPv4 group, then of the IPv6 group.
    ByFamily(u8, u8),
}

/// The set of groups a record carried: bit *n* stands for nfdump's extension *n*.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash, Debug, PartialOrd, Ord)]
pub struct Groups(pub u64);

macro_rules! groups {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal,)*) => {
        $($(#[doc = $doc])+ pub const $name: u8 = $id;)*
    };
}

impl Groups {
    groups! {
        /// Times, counters, ports, protocol.
        GENERIC = 1,
        /// IPv4 addresses.
        IPV4 = 2,
        /// IPv6 addresses.
        IPV6 = 3,
        /// Interfaces, masks, direction.
        MISC = 4,
        /// Flow count and out counters.
        COUNTERS = 5,
        /// VLANs.
        VLAN = 6,
        /// AS numbers.
        AS = 7,
        /// BGP next hop, IPv4.
        BGP_NEXT_HOP_V4 = 8,
        /// BGP next hop, IPv6.
        BGP_NEXT_HOP_V6 = 9,
        /// Next hop, IPv4.
        NEXT_HOP_V4 = 10,
        /// Next hop, IPv6.
        NEXT_HOP_V6 = 11,
        /// Exporter address, IPv4.
        ROUTER_V4 = 12,
        /// Exporter address, IPv6.
        ROUTER_V6 = 13,
        /// MPLS labels.
        MPLS = 14,
        /// MAC addresses.
        MAC = 15,
        /// Adjacent AS numbers.
        ADJACENT_AS = 16,
        /// Latencies.
        LATENCY = 17,
        /// Sampler id.
        SAMPLER = 18,
        /// NSEL event.
        NSEL = 19,
        /// Translated IPv4 addresses.
        XLATE_V4 = 20,
        /// Translated IPv6 addresses.
        XLATE_V6 = 21,
        /// Translated ports.
        XLATE_PORT = 22,
        /// NSEL access lists.
        ACL = 23,
        /// NSEL user.
        USER = 24,
        /// NAT event.
        NAT = 25,
        /// NAT port block.
        PORT_BLOCK = 26,
        /// NBAR application id.
        APP_ID = 27,
        /// Label.
        LABEL = 28,
        /// Payload received.
        IN_PAYLOAD = 29,
        /// Payload sent.
        OUT_PAYLOAD = 30,
        /// Tunnel, IPv4.
        TUNNEL_V4 = 31,
        /// Tunnel, IPv6.
        TUNNEL_V6 = 32,
        /// Observation point and domain.
        OBSERVATION = 33,
        /// Length and link type of a sampled frame.
        FRAME_META = 34,
        /// Sampled frame.
        FRAME = 35,
        /// VRF ids.
        VRF = 36,
        /// pf log.
        PF = 37,
        /// Layer 2.
        LAYER2 = 38,
        /// Flow id.
        FLOW_ID = 39,
        /// Nokia NAT.
        NOKIA_NAT = 40,
        /// Nokia NAT string.
        NOKIA_NAT_STRING = 41,
        /// Fragment flags and time to live.
        IP_INFO = 42,
        /// Security group tag: nfdump 1.7 has no extension for it.
        SECURITY_GROUP = 48,
    }

    /// Whether the set contains the group with this number.
    pub const fn contains(self, group: u8) -> bool {
        self.0 >> group & 1 == 1
    }

    /// Adds the group with this number.
    pub fn insert(&mut self, group: u8) {
        self.0 |= 1 << group;
    }

    /// Adds the group that `field` belongs to (none for header fields; the IPv4 one for addresses).
    pub fn insert_field(&mut self, field: Field) {
        self.0 |= field_bit(field, false);
    }

    /// Adds the group that address field `field` belongs to when it holds `addr`.
    pub fn insert_addr(&mut self, field: Field, addr: IpAddr) {
        self.0 |= field_bit(field, addr.is_ipv6());
    }

    /// The numbers of the groups in the set, ascending.
    pub fn iter(self) -> impl Iterator<Item = u8> {
        (0..64).filter(move |&group| self.contains(group))
    }
}

/// The bit of the group `field` belongs to; 0 for header fields.
pub(crate) fn field_bit(field: Field, v6: bool) -> u64 {
    BITS[field as usize][usize::from(v6)]
}

static BITS: [[u64; 2]; Field::COUNT] = {
    let mut bits = [[0; 2]; Field::COUNT];
    let mut i = 0;
    while i < Field::COUNT {
        bits[i] = match crate::catalogue::FIELDS[i].group {
            Group::Header => [0, 0],
            Group::Extension(id) => [1 << id, 1 << id],
            Group::ByFamily(v4, v6) => [1 << v4, 1 << v6],
        };
        i += 1;
    }
    bits
};

/// Flags of a record ([`Field::RecordFlags`]), valued as nfdump 1.7 stores them.
pub struct RecordFlags;

impl RecordFlags {
    /// The record is an event (NSEL, NAT), not a flow.
    pub const EVENT: u64 = 1;
    /// Counters are multiplied by a sampling rate.
    pub const SAMPLED: u64 = 2;
    /// Addresses are anonymised.
    pub const ANONYMISED: u64 = 4;
}
