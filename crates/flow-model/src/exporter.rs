//! Who sent flows, how they were sampled, and what was lost.

use std::net::IpAddr;

/// An exporter as a file knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExporterInfo {
    /// The collector's number for it, from 1.
    pub sysid: u16,
    /// Export protocol: 1, 5, 7, 9, 10 (IPFIX), 9999 (sFlow), as nfdump numbers them.
    pub version: u16,
    /// Address the datagrams came from.
    pub addr: IpAddr,
    /// Observation domain, v9 source id, or engine type * 256 + engine id.
    pub domain: u32,
    /// What came from it and what did not.
    pub ledger: LossLedger,
}

/// A sampler of an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamplerInfo {
    /// The exporter's number.
    pub exporter: u16,
    /// Selector id; -1 generic, -2 default, -3 override.
    pub id: i64,
    /// Selection algorithm.
    pub algorithm: u16,
    /// Packets taken in a row.
    pub interval: u32,
    /// Packets left out after them.
    pub space: u32,
}

/// What was received and, by cause, what was lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LossLedger {
    /// Datagrams received.
    pub datagrams: u64,
    /// Flows stored.
    pub flows: u64,
    /// Discontinuities in sequence numbers.
    pub sequence_failures: u64,
    /// Units missing by sequence: flows for v5 and IPFIX, datagrams for v9 and sFlow.
    pub missed: u64,
    /// Datagrams the kernel dropped because the socket buffer was full.
    pub kernel_drops: u64,
    /// Datagrams dropped because an internal queue was full.
    pub queue_drops: u64,
    /// Data sets skipped because their template was not known.
    pub no_template: u64,
    /// Messages, sets or records that could not be decoded.
    pub malformed: u64,
    /// State or datagrams refused because a limit was reached.
    pub refused: u64,
}

impl LossLedger {
    /// Adds another ledger; a sum beyond 64 bits stays at the largest number.
    pub fn merge(&mut self, other: &LossLedger) {
        self.datagrams = self.datagrams.saturating_add(other.datagrams);
        self.flows = self.flows.saturating_add(other.flows);
        self.sequence_failures = self.sequence_failures.saturating_add(other.sequence_failures);
        self.missed = self.missed.saturating_add(other.missed);
        self.kernel_drops = self.kernel_drops.saturating_add(other.kernel_drops);
        self.queue_drops = self.queue_drops.saturating_add(other.queue_drops);
        self.no_template = self.no_template.saturating_add(other.no_template);
        self.malformed = self.malformed.saturating_add(other.malformed);
        self.refused = self.refused.saturating_add(other.refused);
    }
}
