//! What can be wrong with a datagram, and where.

use std::fmt;
use std::net::IpAddr;

/// Why a datagram, or the rest of one, could not be decoded.
///
/// What stands before the offset, and every other set of the message, was decoded all the same where its
/// bounds could be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{protocol} from {addr}{}{} at octet {offset}: {fault}", Place(.protocol.places().0, *.domain), Place(.protocol.places().1, .set.map(u32::from)))]
#[non_exhaustive]
pub struct DecodeError {
    /// The message's protocol.
    pub protocol: WireProtocol,
    /// Who sent it.
    pub addr: IpAddr,
    /// Observation domain, source id, engine or sub-agent, once known.
    pub domain: Option<u32>,
    /// The set, or the template that data belong to; in sFlow the number of the sample, from 1.
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
    /// An sFlow address that is neither absent, nor IPv4, nor IPv6, so that its length is not known.
    #[error("address type {found} is above 2")]
    AddressType {
        /// The type.
        found: u32,
    },
    /// Something whose length nothing says, so that nothing behind it can be found.
    #[error("unknown {what} {found}")]
    UnknownFormat {
        /// What is not known.
        what: &'static str,
        /// Its number.
        found: u32,
    },
    /// A name that is no text.
    #[error("name is not UTF-8")]
    NotText,
    /// A sampling rate that is above the bound.
    #[error("sampling rate {found} is above {limit}")]
    SamplingRate {
        /// The rate.
        found: u64,
        /// The bound.
        limit: u64,
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
    /// sFlow v2.
    SflowV2,
    /// sFlow v4.
    SflowV4,
    /// sFlow v5.
    SflowV5,
}

/// What sFlow is in [`Field::NfVersion`](flow_model::Field::NfVersion), beside its version.
const SFLOW: u16 = 0x80;

impl WireProtocol {
    const KNOWN: [WireProtocol; 8] = [
        WireProtocol::V1,
        WireProtocol::V5,
        WireProtocol::V7,
        WireProtocol::V9,
        WireProtocol::Ipfix,
        WireProtocol::SflowV2,
        WireProtocol::SflowV4,
        WireProtocol::SflowV5,
    ];

    /// The protocol of a datagram, by the version it begins with: 16 bits, or in sFlow 32.
    ///
    /// # Errors
    /// When it is none that we know.
    pub(crate) fn of(datagram: &[u8]) -> Result<WireProtocol, Fault> {
        let truncated = |expected| Fault::Truncated { what: "version", expected, found: datagram.len() };
        let found = u16::from_be_bytes(*datagram.first_chunk().ok_or(truncated(2))?);
        Ok(match found {
            0 => match datagram.first_chunk().ok_or(truncated(4))? {
                [0, 0, 0, 2] => WireProtocol::SflowV2,
                [0, 0, 0, 4] => WireProtocol::SflowV4,
                [0, 0, 0, 5] => WireProtocol::SflowV5,
                _ => return Err(Fault::UnknownVersion { found }),
            },
            1 => WireProtocol::V1,
            5 => WireProtocol::V5,
            7 => WireProtocol::V7,
            9 => WireProtocol::V9,
            10 => WireProtocol::Ipfix,
            _ => return Err(Fault::UnknownVersion { found }),
        })
    }

    /// The protocol whose [number](WireProtocol::version) this is.
    pub(crate) fn from_version(version: u16) -> Option<WireProtocol> {
        WireProtocol::KNOWN.into_iter().find(|protocol| protocol.version() == version)
    }

    /// Its number in [`Field::NfVersion`](flow_model::Field::NfVersion): the version in headers, for sFlow and 128;
    /// 0 when unknown.
    pub const fn version(self) -> u16 {
        match self {
            WireProtocol::Unknown => 0,
            WireProtocol::V1 => 1,
            WireProtocol::V5 => 5,
            WireProtocol::V7 => 7,
            WireProtocol::V9 => 9,
            WireProtocol::Ipfix => 10,
            WireProtocol::SflowV2 => SFLOW | 2,
            WireProtocol::SflowV4 => SFLOW | 4,
            WireProtocol::SflowV5 => SFLOW | 5,
        }
    }

    /// Its number in [`ExporterInfo`](flow_model::ExporterInfo), where sFlow has one for all versions.
    pub(crate) const fn exporter_version(self) -> u16 {
        match self {
            WireProtocol::SflowV2 | WireProtocol::SflowV4 | WireProtocol::SflowV5 => 9999,
            _ => self.version(),
        }
    }

    /// What identifies an exporter behind its address, and what the parts of a message are called.
    const fn places(self) -> (&'static str, &'static str) {
        match self {
            WireProtocol::SflowV2 | WireProtocol::SflowV4 | WireProtocol::SflowV5 => ("sub-agent", "sample"),
            _ => ("domain", "set"),
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
            WireProtocol::SflowV2 => "sFlow v2",
            WireProtocol::SflowV4 => "sFlow v4",
            WireProtocol::SflowV5 => "sFlow v5",
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
