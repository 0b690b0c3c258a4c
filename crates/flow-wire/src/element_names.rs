//! What information elements are called, for reports.

use crate::element::{Dialect, Specifier};
use std::borrow::Cow;
use std::sync::LazyLock;

/// The IANA registry of IPFIX information elements, one element a line: number, name.
const REGISTRY: &str = include_str!("elements.txt");

/// Elements of the registry, ordered by number.
static STANDARD: LazyLock<Vec<(u16, &str)>> = LazyLock::new(|| {
    let row = |line: &'static str| {
        let (id, name) = line.split_once(' ')?;
        Some((id.parse().ok()?, name))
    };
    REGISTRY.lines().filter_map(row).collect()
});

/// What vendors number in v9, where there are no enterprise numbers, by the names in their own documents.
const V9_VENDORS: &[(u16, &str)] = &[
    (33000, "NF_F_INGRESS_ACL_ID"),
    (33001, "NF_F_EGRESS_ACL_ID"),
    (33002, "NF_F_FW_EXT_EVENT"),
    (40000, "NF_F_USERNAME"),
    (40001, "NF_F_XLATE_SRC_ADDR_IPV4"),
    (40002, "NF_F_XLATE_DST_ADDR_IPV4"),
    (40003, "NF_F_XLATE_SRC_PORT"),
    (40004, "NF_F_XLATE_DST_PORT"),
    (40005, "NF_F_FW_EVENT"),
    (56701, "App-ID"),
    (56702, "User-ID"),
    (57554, "CLIENT_NW_LATENCY_SEC"),
    (57555, "CLIENT_NW_LATENCY_USEC"),
    (57556, "SERVER_NW_LATENCY_SEC"),
    (57557, "SERVER_NW_LATENCY_USEC"),
    (57558, "APPL_LATENCY_SEC"),
    (57559, "APPL_LATENCY_USEC"),
];

/// Elements of enterprises that we know.
const ENTERPRISES: &[(u32, u16, &str)] = &[
    (9, 8337, "serverBytes"),
    (9, 8338, "clientBytes"),
    (9, 12236, "clientIPv4Address"),
    (9, 12237, "serverIPv4Address"),
    (9, 12241, "serverTransportPort"),
    (637, 91, "insideServiceId"),
    (637, 92, "outsideServiceId"),
    (637, 93, "natSubString"),
    (6871, 18, "payload"),
    (6871, 16402, "reversePayload"),
];

/// Scope types of v9 options templates (RFC 3954 6.1).
const V9_SCOPES: &[&str] = &["System", "Interface", "Line Card", "Cache", "Template"];

/// RFC 5103: elements of the reverse direction, numbered like those of the forward one.
const REVERSE: u32 = 29305;

/// The name of an element, if it is known.
pub(crate) fn name_of(dialect: Dialect, specifier: Specifier) -> Option<Cow<'static, str>> {
    let Specifier { enterprise, id, .. } = specifier;
    match enterprise {
        0 => {
            let vendor = |&&(number, _): &&(u16, &str)| dialect == Dialect::V9 && number == id;
            standard(id).or_else(|| Some(V9_VENDORS.iter().find(vendor)?.1)).map(Cow::Borrowed)
        }
        REVERSE => {
            let (first, rest) = standard(id)?.split_at_checked(1)?;
            Some(Cow::Owned(format!("reverse{}{rest}", first.to_ascii_uppercase())))
        }
        _ => {
            let known =
                ENTERPRISES.iter().find(|&&(number, element, _)| (number, element) == (enterprise, id));
            known.map(|&(.., name)| Cow::Borrowed(name))
        }
    }
}

/// The name of a scope type of v9.
pub(crate) fn v9_scope(id: u16) -> Option<&'static str> {
    V9_SCOPES.get(usize::from(id).checked_sub(1)?).copied()
}

fn standard(id: u16) -> Option<&'static str> {
    let index = STANDARD.binary_search_by_key(&id, |&(number, _)| number).ok()?;
    STANDARD.get(index).map(|&(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(dialect: Dialect, enterprise: u32, id: u16) -> Option<Cow<'static, str>> {
        name_of(dialect, Specifier { enterprise, id, len: 4 })
    }

    #[test]
    fn every_line_of_the_registry_is_an_element_in_order() {
        assert_eq!(STANDARD.len(), REGISTRY.lines().count());
        assert!(STANDARD.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn names_of_every_kind() {
        assert_eq!(name(Dialect::Ipfix, 0, 1).as_deref(), Some("octetDeltaCount"));
        assert_eq!(name(Dialect::V9, 0, 33002).as_deref(), Some("NF_F_FW_EXT_EVENT"));
        assert_eq!(name(Dialect::Ipfix, 0, 33002), None);
        assert_eq!(name(Dialect::Ipfix, REVERSE, 6).as_deref(), Some("reverseTcpControlBits"));
        assert_eq!(name(Dialect::Ipfix, 637, 93).as_deref(), Some("natSubString"));
        assert_eq!(name(Dialect::Ipfix, 4711, 1), None);
        assert_eq!((v9_scope(2), v9_scope(0), v9_scope(6)), (Some("Interface"), None, None));
    }

    #[test]
    fn what_fills_a_field_has_a_name() {
        for info in flow_model::fields() {
            for element in info.elements {
                let dialect = if element.ipfix { Dialect::Ipfix } else { Dialect::V9 };
                assert!(name(dialect, element.enterprise, element.id).is_some(), "{element:?}");
            }
        }
    }
}
