//! What can be wrong with a datagram, and where.

use std::fmt;
use std::net::IpAddr;

/// Why a datagram, or the rest of one, could not be decoded.
///
/// What stands before the offset, and every other set of the message, was decoded all the same where its
/// bounds could be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{protocol} from {addr}{}{} at octet {offset}: {fault}", Place("domain", *.domain), Place("set", .set.map(u32::from)))]
#[non_exhaustive]
pub struct DecodeError {
    /// The message's protocol.
    pub protocol: WireProtocol,
    /// Who sent it.
    pub addr: IpAddr,
    /// Observation domain, source id or engine, once known.
    pub domain: Option<u32>,
    /// The set, or the template that data belong to.
    pub set: Option<u16>,
    /// Where in the datagram, in octets from its start.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}

struct Place(&'static str, Option<u32>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(number) => write!(f, " {} {number}", self.0),
            None => Ok(()),
        }
    }
}

/// What is wrong at an offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The version is none that we know.
    #[error("unknown version {found}")]
    UnknownVersion {
        /// The first 16 bits.
        found: u16,
    },
    /// Something ends outside of what contains it.
    #[error("{what} needs {expected} octets, {found} are there")]
    Truncated {
        /// What ends too early.
        what: &'static str,
        /// Octets it needs.
        expected: usize,
        /// Octets there are.
        found: usize,
    },
    /// A length is too small for what it must contain.
    #[error("{what} length {found} is below {expected}")]
    TooShort {
        /// Whose length.
        what: &'static str,
        /// The least it can be.
        expected: usize,
        /// What it is.
        found: usize,
    },
    /// A header counts more records than follow.
    #[error("header counts {expected} records, {found} are there")]
    RecordCount {
        /// What the header says.
        expected: usize,
        /// What fits the datagram.
        found: usize,
    },
    /// A set id that has no meaning.
    #[error("reserved set id {found}")]
    ReservedSet {
        /// The id.
        found: u16,
    },
    /// A template id below 256.
    #[error("template id {found} is below 256")]
    TemplateId {
        /// The id.
        found: u16,
    },
    /// An options template whose scope is not part of its fields.
    #[error("{found} scope fields of {expected} fields")]
    ScopeCount {
        /// Fields there are.
        expected: usize,
        /// Scope fields claimed.
        found: usize,
    },
    /// A template whose records have no octets.
    #[error("records of template {template} are empty")]
    EmptyRecord {
        /// The template.
        template: u16,
    },
    /// A bound of [`Limits`](crate::Limits) was reached.
    #[error("more than {limit} {what}")]
    Limit {
        /// Of what there are too many.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
}

/// An export protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum WireProtocol {
    /// Not known yet.
    Unknown,
    /// NetFlow v1.
    V1,
    /// NetFlow v5.
    V5,
    /// NetFlow v7.
    V7,
    /// NetFlow v9.
    V9,
    /// IPFIX.
    Ipfix,
}

impl WireProtocol {
    /// The protocol whose messages begin with `version`.
    pub const fn from_version(version: u16) -> Option<WireProtocol> {
        Some(match version {
            1 => WireProtocol::V1,
            5 => WireProtocol::V5,
            7 => WireProtocol::V7,
            9 => WireProtocol::V9,
            10 => WireProtocol::Ipfix,
            _ => return None,
        })
    }

    /// Its number in headers and in [`Field::NfVersion`](flow_model::Field::NfVersion); 0 when unknown.
    pub const fn version(self) -> u16 {
        match self {
            WireProtocol::Unknown => 0,
            WireProtocol::V1 => 1,
            WireProtocol::V5 => 5,
            WireProtocol::V7 => 7,
            WireProtocol::V9 => 9,
            WireProtocol::Ipfix => 10,
        }
    }
}

impl fmt::Display for WireProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WireProtocol::Unknown => "datagram",
            WireProtocol::V1 => "NetFlow v1",
            WireProtocol::V5 => "NetFlow v5",
            WireProtocol::V7 => "NetFlow v7",
            WireProtocol::V9 => "NetFlow v9",
            WireProtocol::Ipfix => "IPFIX",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where() {
        let error = DecodeError {
            protocol: WireProtocol::V9,
            addr: IpAddr::from([192, 0, 2, 1]),
            domain: Some(7),
            set: Some(256),
            offset: 20,
            fault: Fault::Truncated { what: "set", expected: 100, found: 12 },
        };
        assert_eq!(
            error.to_string(),
            "NetFlow v9 from 192.0.2.1 domain 7 set 256 at octet 20: set needs 100 octets, 12 are there"
        );
    }
}
