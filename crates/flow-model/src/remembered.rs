//! What a collector still knows of its exporters when it starts again.

use std::net::IpAddr;

use crate::exporter::{NameInfo, SamplerInfo};

/// What is known of an exporter, as it outlives the collector that learnt it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedExporter {
    /// Export protocol as in [`Field::NfVersion`](crate::Field::NfVersion).
    pub protocol: u16,
    /// Address the datagrams came from.
    pub addr: IpAddr,
    /// Observation domain, v9 source id, engine type * 256 + engine id, sFlow sub-agent.
    pub domain: u32,
    /// The UDP port, where that tells it from another exporter of the same address and domain.
    pub port: Option<u16>,
    /// The address by which an sFlow agent knows itself.
    pub agent: Option<IpAddr>,
    /// When it was last heard, ms since 1970 UTC.
    pub heard_ms: u64,
    /// When it started, if it said so, ms since 1970 UTC.
    pub init_ms: Option<u64>,
    /// Whether its sequence numbers count the units of their own datagram.
    pub counts_itself: Option<bool>,
    /// Ordered by id.
    pub templates: Vec<RememberedTemplate>,
    /// Ordered by id; they have no number of an exporter.
    pub samplers: Vec<SamplerInfo>,
    /// Ordered by kind and id; they have no number of an exporter.
    pub names: Vec<NameInfo>,
    /// Where its sequence stood when the collector ended. It holds for the next datagram only, so that nothing which a
    /// collector took afterwards can look lost.
    pub last: Option<LastDatagram>,
}

/// A template of an exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RememberedTemplate {
    /// Its id.
    pub id: u16,
    /// Fields in front that are the scope; `None` in a template of flows.
    pub scope: Option<u16>,
    /// The UDP port that sent it last.
    pub port: u16,
    /// When it was last sent or used, ms since 1970 UTC.
    pub used_ms: u64,
    /// The field specifiers as they were sent.
    pub fields: Vec<u8>,
}

/// The latest datagram of an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastDatagram {
    /// Its sequence number.
    pub number: u32,
    /// What the number counts of it: flows, or one datagram.
    pub units: u32,
    /// The exporter's clock and its uptime then, ms.
    pub clock: Option<(u64, u32)>,
}
