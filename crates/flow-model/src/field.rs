//! The names of the fields, and sets of them.

use std::fmt;

macro_rules! fields {
    (
        stored { $($(#[doc = $doc:literal])+ $name:ident = $id:literal,)* }
        computed { $($(#[doc = $computed_doc:literal])+ $computed:ident = $computed_id:literal,)* }
    ) => {
        /// One attribute of a flow. The number of one that is stored is the field's identity on disk and never changes;
        /// those of computed fields come behind and mean nothing outside of the program.
        ///
        /// Everything else that is known about a field stands in its row of the catalogue,
        /// [`field_info`](crate::field_info).
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Field {
            $($(#[doc = $doc])+ $name = $id,)*
            $($(#[doc = $computed_doc])+ $computed = $computed_id,)*
        }

        impl Field {
            /// Every field that records carry, in the order of their numbers.
            pub const ALL: &'static [Field] = &[$(Field::$name,)*];

            /// Every field that is computed when flows are read, in the order of their numbers.
            pub const COMPUTED: &'static [Field] = &[$(Field::$computed,)*];

            /// All of both, in the order of their numbers.
            pub const EVERY: &'static [Field] = &[$(Field::$name,)* $(Field::$computed,)*];

            const NAMES: &'static [&'static str] = &[$(stringify!($name),)* $(stringify!($computed),)*];
        }
    };
}

fields! {
stored {
    /// Which groups of fields the record carried, a [`Groups`](crate::Groups) bit set: absent differs from 0.
    Groups = 0,
    /// Start of the flow, ms since 1970 UTC.
    FirstMs = 1,
    /// End of the flow, ms since 1970 UTC.
    LastMs = 2,
    /// When the collector received the record, ms since 1970 UTC.
    ReceivedMs = 3,
    /// Source address.
    SrcAddr = 4,
    /// Destination address.
    DstAddr = 5,
    /// Source port.
    SrcPort = 6,
    /// Destination port; for ICMP and ICMPv6 type * 256 + code.
    DstPort = 7,
    /// IP protocol number.
    Proto = 8,
    /// TCP flags, OR of all packets.
    TcpFlags = 9,
    /// Forwarding status (RFC 7270).
    FwdStatus = 10,
    /// Type of service of the packets received.
    SrcTos = 11,
    /// Packets received (initiator's, for a bidirectional flow).
    InPackets = 12,
    /// Bytes received (initiator's, for a bidirectional flow).
    InBytes = 13,
    /// Flags of the record itself, a [`RecordFlags`](crate::RecordFlags) bit set.
    RecordFlags = 14,
    /// Export protocol: 1, 5, 7, 9, 10 (IPFIX), 0x80 (sFlow).
    NfVersion = 15,
    /// Engine type of the exporter.
    EngineType = 16,
    /// Engine id of the exporter.
    EngineId = 17,
    /// The collector's number for the exporter ("sysid"); 0 = none.
    ExporterId = 18,
    /// Ingress interface index.
    Input = 19,
    /// Egress interface index.
    Output = 20,
    /// Prefix length of the source.
    SrcMask = 21,
    /// Prefix length of the destination.
    DstMask = 22,
    /// Flow direction: 0 ingress, 1 egress.
    Direction = 23,
    /// Type of service of the packets sent on.
    DstTos = 24,
    /// Direction of a bidirectional flow (RFC 5103).
    BiflowDir = 25,
    /// Why the flow ended (RFC 5102).
    FlowEndReason = 26,
    /// How many flows the record stands for; 1 when the record does not say.
    Flows = 27,
    /// Packets sent on, or in the reverse direction.
    OutPackets = 28,
    /// Bytes sent on, or in the reverse direction.
    OutBytes = 29,
    /// Source VLAN.
    SrcVlan = 30,
    /// Destination VLAN.
    DstVlan = 31,
    /// Source AS.
    SrcAs = 32,
    /// Destination AS.
    DstAs = 33,
    /// BGP next hop.
    BgpNextHop = 34,
    /// Next hop router.
    NextHop = 35,
    /// The exporter's address.
    RouterAddr = 36,
    /// MPLS label 1, the 24-bit value: label 20, experimental 3, bottom of stack 1.
    Mpls1 = 37,
    /// MPLS label 2.
    Mpls2 = 38,
    /// MPLS label 3.
    Mpls3 = 39,
    /// MPLS label 4.
    Mpls4 = 40,
    /// MPLS label 5.
    Mpls5 = 41,
    /// MPLS label 6.
    Mpls6 = 42,
    /// MPLS label 7.
    Mpls7 = 43,
    /// MPLS label 8.
    Mpls8 = 44,
    /// MPLS label 9.
    Mpls9 = 45,
    /// MPLS label 10.
    Mpls10 = 46,
    /// Source MAC address of packets received, 48 bits.
    InSrcMac = 47,
    /// Destination MAC address of packets sent on.
    OutDstMac = 48,
    /// Destination MAC address of packets received.
    InDstMac = 49,
    /// Source MAC address of packets sent on.
    OutSrcMac = 50,
    /// AS of the next hop.
    NextAs = 51,
    /// AS of the previous hop.
    PrevAs = 52,
    /// Client network delay, µs.
    ClientLatencyUs = 53,
    /// Server network delay, µs.
    ServerLatencyUs = 54,
    /// Application latency, µs.
    AppLatencyUs = 55,
    /// Selector (sampler) id of the exporter.
    SamplerId = 56,
    /// Time of the NSEL or NAT event, ms since 1970 UTC.
    EventTimeMs = 57,
    /// NSEL connection id.
    ConnId = 58,
    /// NSEL extended event.
    FwXevent = 59,
    /// NSEL firewall event.
    FwEvent = 60,
    /// Translated source address.
    XlateSrcAddr = 61,
    /// Translated destination address.
    XlateDstAddr = 62,
    /// Translated source port.
    XlateSrcPort = 63,
    /// Translated destination port.
    XlateDstPort = 64,
    /// Ingress ACL id.
    IngressAcl = 65,
    /// Ingress ACE id.
    IngressAce = 66,
    /// Ingress extended ACE id.
    IngressXace = 67,
    /// Egress ACL id.
    EgressAcl = 68,
    /// Egress ACE id.
    EgressAce = 69,
    /// Egress extended ACE id.
    EgressXace = 70,
    /// NSEL user name.
    UserName = 71,
    /// NAT event (RFC 8158).
    NatEvent = 72,
    /// NAT pool id.
    NatPoolId = 73,
    /// First port of a NAT port block.
    PblockStart = 74,
    /// Last port of a NAT port block.
    PblockEnd = 75,
    /// Step of a NAT port block.
    PblockStep = 76,
    /// Size of a NAT port block.
    PblockSize = 77,
    /// NBAR application id: class, then number.
    AppId = 78,
    /// Label attached by a filter.
    Label = 79,
    /// Payload received.
    InPayload = 80,
    /// Payload of the reverse direction.
    OutPayload = 81,
    /// Tunnel source address.
    TunnelSrcAddr = 82,
    /// Tunnel destination address.
    TunnelDstAddr = 83,
    /// Tunnel protocol.
    TunnelProto = 84,
    /// Observation point id.
    ObservationPointId = 85,
    /// Observation domain id.
    ObservationDomainId = 86,
    /// Length of the sampled frame, bytes.
    FrameSize = 87,
    /// Link type of the sampled frame.
    LinkType = 88,
    /// The sampled frame.
    Frame = 89,
    /// Ingress VRF id.
    IngressVrf = 90,
    /// Egress VRF id.
    EgressVrf = 91,
    /// pf action.
    PfAction = 92,
    /// pf reason.
    PfReason = 93,
    /// pf direction.
    PfDir = 94,
    /// pf: packet was rewritten.
    PfRewritten = 95,
    /// pf rule number.
    PfRule = 96,
    /// pf sub-rule number.
    PfSubrule = 97,
    /// pf user id.
    PfUid = 98,
    /// pf process id.
    PfPid = 99,
    /// pf interface name.
    PfInterface = 100,
    /// 802.1Q VLAN id.
    VlanId = 101,
    /// 802.1Q customer VLAN id.
    CustomerVlanId = 102,
    /// 802.1Q VLAN id after forwarding.
    PostVlanId = 103,
    /// 802.1Q customer VLAN id after forwarding.
    PostCustomerVlanId = 104,
    /// Physical ingress interface.
    PhysInput = 105,
    /// Physical egress interface.
    PhysOutput = 106,
    /// VXLAN network identifier (layer 2 segment id).
    Vxlan = 107,
    /// Ethernet type.
    EtherType = 108,
    /// IP version.
    IpVersion = 109,
    /// Flow id given by the exporter.
    FlowId = 110,
    /// Nokia NAT inside service id.
    NokiaInsideSid = 111,
    /// Nokia NAT outside service id.
    NokiaOutsideSid = 112,
    /// Nokia NAT sub-string.
    NokiaNatString = 113,
    /// Fragment flags: 0x40 don't fragment, 0x20 more fragments.
    FragmentFlags = 114,
    /// Smallest time to live seen.
    MinTtl = 115,
    /// Largest time to live seen.
    MaxTtl = 116,
    /// NSEL security group tag.
    SecurityGroupTag = 117,
    /// TCP flags of the reverse direction.
    ReverseTcpFlags = 118,
}
computed {
    /// Country of the source address, its two letters as a number ([`country_number`](crate::country_number)).
    SrcCountry = 119,
    /// Country of the destination address.
    DstCountry = 120,
    /// Organisation of the source address's AS.
    SrcAsName = 121,
    /// Organisation of the destination address's AS.
    DstAsName = 122,
    /// Place of the source address.
    SrcLocation = 123,
    /// Place of the destination address.
    DstLocation = 124,
    /// Time zone of the source address.
    SrcZone = 125,
    /// Time zone of the destination address.
    DstZone = 126,
    /// JA3 or JA3S hash of the payload received, hexadecimal.
    Ja3 = 127,
    /// JA4 fingerprint of the payload received.
    Ja4 = 128,
    /// Ident of the collector.
    Ident = 129,
    /// The own network of the source address, the number of its name ([`OwnNetworks`](crate::OwnNetworks)); 0 = not one's own.
    SrcNetwork = 130,
    /// The own network of the destination address.
    DstNetwork = 131,
    /// On which side one's own networks are, the number of a [`FlowSide`](crate::FlowSide).
    FlowSide = 132,
    /// One's own address: the destination of an inbound flow, the source of an outbound or internal one.
    LocalAddr = 133,
    /// The address at the other end; `0.0.0.0` in transit, as the local one.
    PeerAddr = 134,
    /// The own network of the local address.
    LocalNetwork = 135,
}
}

impl Field {
    /// How many fields there are; `field as usize` is below it.
    pub const COUNT: usize = Field::EVERY.len();

    /// The MPLS labels, outermost first.
    pub const MPLS: [Field; 10] = [
        Field::Mpls1,
        Field::Mpls2,
        Field::Mpls3,
        Field::Mpls4,
        Field::Mpls5,
        Field::Mpls6,
        Field::Mpls7,
        Field::Mpls8,
        Field::Mpls9,
        Field::Mpls10,
    ];

    /// The field with number `id`, as stored on disk.
    pub fn from_id(id: u16) -> Option<Field> {
        Field::ALL.get(usize::from(id)).copied()
    }

    /// The field's number on disk.
    pub const fn id(self) -> u16 {
        self as u16
    }

    /// What a numeric field is worth in a record that lacks it: 1 for [`Field::Flows`], otherwise 0.
    pub const fn default_num(self) -> u64 {
        matches!(self, Field::Flows) as u64
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Field::NAMES[*self as usize])
    }
}

/// A set of fields.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct FieldSet([u128; 2]);

const _: () = assert!(Field::COUNT <= 256, "FieldSet holds one bit per field");

impl FieldSet {
    /// No field.
    pub const EMPTY: FieldSet = FieldSet([0; 2]);
    /// Every field that records carry.
    pub const ALL: FieldSet = FieldSet::of(Field::ALL);
    /// Every field that is computed.
    pub const COMPUTED: FieldSet = FieldSet::of(Field::COMPUTED);
    /// Those of them that depend on which networks are one's own.
    pub const OWN: FieldSet = FieldSet::of(&[
        Field::SrcNetwork,
        Field::DstNetwork,
        Field::FlowSide,
        Field::LocalAddr,
        Field::PeerAddr,
        Field::LocalNetwork,
    ]);

    /// The set of the given fields.
    pub const fn of(fields: &[Field]) -> FieldSet {
        let mut bits = [0; 2];
        let mut i = 0;
        while i < fields.len() {
            let (word, bit) = place(fields[i]);
            bits[word] |= bit;
            i += 1;
        }
        FieldSet(bits)
    }

    /// Adds `field`.
    pub fn insert(&mut self, field: Field) {
        let (word, bit) = place(field);
        self.0[word] |= bit;
    }

    /// Whether `field` is in the set.
    pub const fn contains(self, field: Field) -> bool {
        let (word, bit) = place(field);
        self.0[word] & bit != 0
    }

    /// Fields in either set.
    #[must_use]
    pub const fn union(self, other: FieldSet) -> FieldSet {
        FieldSet([self.0[0] | other.0[0], self.0[1] | other.0[1]])
    }

    /// Fields of this set that are not in `other`.
    #[must_use]
    pub const fn without(self, other: FieldSet) -> FieldSet {
        FieldSet([self.0[0] & !other.0[0], self.0[1] & !other.0[1]])
    }

    /// Fields in both sets.
    #[must_use]
    pub const fn intersect(self, other: FieldSet) -> FieldSet {
        FieldSet([self.0[0] & other.0[0], self.0[1] & other.0[1]])
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0[0] | self.0[1] == 0
    }

    /// How many fields are in the set.
    pub const fn len(self) -> usize {
        (self.0[0].count_ones() + self.0[1].count_ones()) as usize
    }

    /// The fields in the order of their numbers.
    pub fn iter(self) -> impl Iterator<Item = Field> {
        let [mut low, mut high] = self.0;
        std::iter::from_fn(move || {
            let (word, start) = if low == 0 { (&mut high, 128) } else { (&mut low, 0) };
            let field = Field::EVERY.get(start + word.trailing_zeros() as usize).copied()?;
            *word &= word.wrapping_sub(1);
            Some(field)
        })
    }
}

/// The word that holds the field's bit, and the bit.
const fn place(field: Field) -> (usize, u128) {
    (field as usize / 128, 1 << (field as usize % 128))
}

impl FromIterator<Field> for FieldSet {
    fn from_iter<I: IntoIterator<Item = Field>>(fields: I) -> FieldSet {
        let mut set = FieldSet::EMPTY;
        fields.into_iter().for_each(|field| set.insert(field));
        set
    }
}

impl fmt::Debug for FieldSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_dense_and_stand_for_themselves() {
        for (index, field) in Field::EVERY.iter().enumerate() {
            assert_eq!(*field as usize, index);
            assert_eq!(Field::from_id(field.id()), Field::ALL.get(index).copied());
        }
        assert_eq!(Field::from_id(Field::COUNT as u16), None);
    }

    #[test]
    fn set_algebra() {
        let set = FieldSet::of(&[Field::Proto, Field::ReverseTcpFlags]);
        assert_eq!(set.len(), 2);
        assert_eq!(set.iter().collect::<Vec<_>>(), [Field::Proto, Field::ReverseTcpFlags]);
        assert_eq!(FieldSet::ALL.union(FieldSet::COMPUTED).len(), Field::COUNT);
        assert!(FieldSet::ALL.union(FieldSet::COMPUTED).iter().eq(Field::EVERY.iter().copied()));
        assert!(FieldSet::ALL.intersect(FieldSet::COMPUTED).is_empty());
        assert!(set.without(set).is_empty());
    }
}
