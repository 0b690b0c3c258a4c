//! Information elements: what a template names, and which field that fills.

use crate::records::VARIABLE;
use flow_model::Field;
use hashbrown::HashMap;
use nom::number::complete::{be_u16, be_u32};
use nom::{IResult, Parser};
use std::sync::LazyLock;

/// The two protocols with templates; they number some elements differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    V9,
    Ipfix,
}

/// A field specifier (RFC 7011 3.2, RFC 3954 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Specifier {
    /// 0 for the standard's own elements, and always in v9.
    pub(crate) enterprise: u32,
    pub(crate) id: u16,
    /// In octets; [`VARIABLE`] when each record says.
    pub(crate) len: u16,
}

impl Specifier {
    /// The least octets it takes in a record.
    pub(crate) fn min_len(self) -> usize {
        if self.len == VARIABLE { 1 } else { usize::from(self.len) }
    }

    /// The standard element it names.
    pub(crate) fn standard(self) -> Option<u16> {
        (self.enterprise == 0).then_some(self.id)
    }
}

/// Reads one field specifier.
pub(crate) fn specifier(dialect: Dialect, input: &[u8]) -> IResult<&[u8], Specifier> {
    let (rest, (id, len)) = (be_u16, be_u16).parse(input)?;
    if dialect == Dialect::Ipfix && id & 0x8000 != 0 {
        let (rest, enterprise) = be_u32(rest)?;
        return Ok((rest, Specifier { enterprise, id: id & 0x7fff, len }));
    }
    Ok((rest, Specifier { enterprise: 0, id, len }))
}

/// The field an element fills, and its rank among the elements that do: 0 is preferred.
pub(crate) fn field_of(dialect: Dialect, specifier: Specifier) -> Option<(Field, u8)> {
    static MAPS: LazyLock<[Map; 2]> = LazyLock::new(|| [map(Dialect::V9), map(Dialect::Ipfix)]);
    let [v9, ipfix] = &*MAPS;
    let map = if dialect == Dialect::V9 { v9 } else { ipfix };
    map.get(&(specifier.enterprise, specifier.id)).copied()
}

type Map = HashMap<(u32, u16), (Field, u8), foldhash::fast::RandomState>;

fn map(dialect: Dialect) -> Map {
    let mut map = Map::default();
    for info in flow_model::fields() {
        for (rank, element) in (0..).zip(info.elements) {
            if if dialect == Dialect::V9 { element.v9 } else { element.ipfix } {
                map.insert((element.enterprise, element.id), (info.field, rank));
            }
        }
    }
    map
}

/// Elements that fill no field of their own, or that are told apart by more than the field they fill.
pub(crate) mod id {
    pub(crate) const INGRESS_INTERFACE: u16 = 10;
    pub(crate) const EGRESS_INTERFACE: u16 = 14;
    pub(crate) const LAST_UPTIME: u16 = 21;
    pub(crate) const FIRST_UPTIME: u16 = 22;
    pub(crate) const ICMP: u16 = 32;
    pub(crate) const SAMPLING_INTERVAL: u16 = 34;
    pub(crate) const SAMPLING_ALGORITHM: u16 = 35;
    pub(crate) const EXPORTED_OCTETS: u16 = 40;
    pub(crate) const EXPORTED_MESSAGES: u16 = 41;
    pub(crate) const EXPORTED_FLOWS: u16 = 42;
    pub(crate) const SAMPLER_ID: u16 = 48;
    pub(crate) const SAMPLER_MODE: u16 = 49;
    pub(crate) const SAMPLER_INTERVAL: u16 = 50;
    pub(crate) const INTERFACE_NAME: u16 = 82;
    pub(crate) const INTERFACE_DESCRIPTION: u16 = 83;
    pub(crate) const APPLICATION_DESCRIPTION: u16 = 94;
    pub(crate) const APPLICATION_ID: u16 = 95;
    pub(crate) const APPLICATION_NAME: u16 = 96;
    pub(crate) const ICMP6: u16 = 139;
    pub(crate) const TEMPLATE_ID: u16 = 145;
    pub(crate) const OBSERVATION_DOMAIN: u16 = 149;
    pub(crate) const FIRST_SECONDS: u16 = 150;
    pub(crate) const LAST_SECONDS: u16 = 151;
    pub(crate) const FIRST_MILLIS: u16 = 152;
    pub(crate) const LAST_MILLIS: u16 = 153;
    pub(crate) const FIRST_MICROS: u16 = 154;
    pub(crate) const LAST_MICROS: u16 = 155;
    pub(crate) const FIRST_NANOS: u16 = 156;
    pub(crate) const LAST_NANOS: u16 = 157;
    pub(crate) const FIRST_DELTA: u16 = 158;
    pub(crate) const LAST_DELTA: u16 = 159;
    pub(crate) const INIT_MILLIS: u16 = 160;
    pub(crate) const DURATION_MILLIS: u16 = 161;
    pub(crate) const DURATION_MICROS: u16 = 162;
    pub(crate) const ICMP_TYPE: u16 = 176;
    pub(crate) const ICMP_CODE: u16 = 177;
    pub(crate) const ICMP6_TYPE: u16 = 178;
    pub(crate) const ICMP6_CODE: u16 = 179;
    pub(crate) const RESPONDER_OCTETS: u16 = 232;
    pub(crate) const INGRESS_VRF: u16 = 234;
    pub(crate) const EGRESS_VRF: u16 = 235;
    pub(crate) const VRF_NAME: u16 = 236;
    pub(crate) const BASIC_LIST: u16 = 291;
    pub(crate) const SUB_TEMPLATE_LIST: u16 = 292;
    pub(crate) const SUB_TEMPLATE_MULTI_LIST: u16 = 293;
    pub(crate) const SELECTOR_ID: u16 = 302;
    pub(crate) const SELECTOR_ALGORITHM: u16 = 304;
    pub(crate) const PACKET_INTERVAL: u16 = 305;
    pub(crate) const PACKET_SPACE: u16 = 306;
    pub(crate) const SAMPLING_SIZE: u16 = 309;
    pub(crate) const SAMPLING_POPULATION: u16 = 310;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specifiers_with_and_without_enterprise() {
        let octets = [0x80, 1, 0, 8, 0, 0, 0x72, 0x79];
        assert_eq!(
            specifier(Dialect::Ipfix, &octets),
            Ok((&[][..], Specifier { enterprise: 29305, id: 1, len: 8 }))
        );
        assert_eq!(
            specifier(Dialect::V9, &octets),
            Ok((&octets[4..], Specifier { enterprise: 0, id: 0x8001, len: 8 }))
        );
        assert!(specifier(Dialect::Ipfix, &octets[..6]).is_err());
    }

    #[test]
    fn fields_come_from_the_catalogue() {
        let standard = |id| Specifier { enterprise: 0, id, len: 4 };
        assert_eq!(field_of(Dialect::V9, standard(1)), Some((Field::InBytes, 0)));
        assert_eq!(field_of(Dialect::Ipfix, standard(148)), Some((Field::FlowId, 0)));
        assert_eq!(field_of(Dialect::V9, standard(148)), Some((Field::ConnId, 0)));
        assert_eq!(
            field_of(Dialect::Ipfix, Specifier { enterprise: 29305, ..standard(6) }),
            Some((Field::ReverseTcpFlags, 0))
        );
        assert_eq!(field_of(Dialect::Ipfix, Specifier { enterprise: 4711, ..standard(1) }), None);
        assert_eq!(field_of(Dialect::V9, standard(0)), None);
    }
}
