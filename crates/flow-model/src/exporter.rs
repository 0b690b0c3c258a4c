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

/// Flows that an exporter sent and that never came, by its sequence numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MissingFlows {
    /// How many.
    pub flows: u64,
    /// Whether the numbers count datagrams, so that these are as many flows as others had.
    pub is_estimate: bool,
}

impl ExporterInfo {
    /// Flows that never came. Those of datagrams that the kernel or a queue dropped are among them.
    pub fn missing_flows(&self) -> MissingFlows {
        let LossLedger { missed, flows, datagrams, .. } = self.ledger;
        if self.counts_flows() {
            return MissingFlows { flows: missed, is_estimate: false };
        }
        MissingFlows { flows: scaled(missed, flows, datagrams), is_estimate: missed > 0 }
    }

    /// Datagrams that never came, about.
    pub fn missing_datagrams(&self) -> u64 {
        let LossLedger { missed, flows, datagrams, .. } = self.ledger;
        if !self.counts_flows() || missed == 0 {
            return missed;
        }
        scaled(missed, datagrams, flows).max(1)
    }

    /// Whether sequence numbers count flows: those of v9 and sFlow count datagrams.
    fn counts_flows(&self) -> bool {
        matches!(self.version, 5 | 7 | 10)
    }
}

/// `count` in the proportion of `part` to `whole`.
fn scaled(count: u64, part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(count) * u128::from(part) / u128::from(whole.max(1))).unwrap_or(u64::MAX)
}

/// A sampler of an exporter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SamplerInfo {
    /// The exporter's number.
    pub exporter: u16,
    /// Selector id; -1 generic, -2 default, -3 override; below -2³² that of an
    /// [interface](SamplerInfo::of_interface), below -2³³ that of a [template](SamplerInfo::of_template).
    pub id: i64,
    /// Selection algorithm.
    pub algorithm: u16,
    /// Packets taken in a row.
    pub interval: u32,
    /// Packets left out after them.
    pub space: u32,
}

impl SamplerInfo {
    /// The id of a sampler that works on an interface and has no id of its own.
    pub const fn of_interface(index: u32) -> i64 {
        -(1 << 32) - index as i64 - 1
    }

    /// The interface that a sampler of this id works on, if it is one of an interface.
    pub const fn interface(id: i64) -> Option<u32> {
        if id >= -(1 << 32) {
            return None;
        }
        match -(id + (1 << 32)) - 1 {
            index @ 0..=0xffff_ffff => Some(index as u32),
            _ => None,
        }
    }

    /// The id of a sampler that works on the flows of a template and has no id of its own.
    pub const fn of_template(template: u16) -> i64 {
        -(1 << 33) - template as i64 - 1
    }

    /// The template whose flows a sampler of this id works on, if it is one of a template.
    pub const fn template(id: i64) -> Option<u16> {
        if id >= -(1 << 33) {
            return None;
        }
        match -(id + (1 << 33)) - 1 {
            template @ 0..=0xffff => Some(template as u16),
            _ => None,
        }
    }
}

/// What a name that an exporter announced is the name of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NameKind {
    /// An interface's short name (element 82), such as `Gi0/0/1`.
    Interface,
    /// An interface's description (83): what the operator calls it.
    InterfaceDescription,
    /// A VRF's name (236).
    Vrf,
    /// An application's name (96).
    Application,
    /// An application's description (94).
    ApplicationDescription,
}

impl NameKind {
    /// Every kind.
    pub const ALL: [NameKind; 5] = [
        NameKind::Interface,
        NameKind::InterfaceDescription,
        NameKind::Vrf,
        NameKind::Application,
        NameKind::ApplicationDescription,
    ];

    /// Its number in files.
    pub fn code(self) -> u8 {
        match self {
            NameKind::Interface => 1,
            NameKind::InterfaceDescription => 2,
            NameKind::Vrf => 3,
            NameKind::Application => 4,
            NameKind::ApplicationDescription => 5,
        }
    }

    /// The kind of this number.
    pub fn from_code(code: u8) -> Option<NameKind> {
        NameKind::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// A name that an exporter announced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameInfo {
    /// The exporter's number.
    pub exporter: u16,
    /// What it names.
    pub kind: NameKind,
    /// Which one: index of an interface or id of a VRF, four octets in network order; id of an application as
    /// the exporter sends it, which is also what flows have: engine, then selector (RFC 6759).
    pub id: Vec<u8>,
    /// The name.
    pub name: String,
}

impl NameInfo {
    /// The id as a number; its last eight octets if there are more.
    pub fn number(&self) -> u64 {
        self.id.iter().fold(0, |number, &octet| number << 8 | u64::from(octet))
    }

    /// Adds names to a list that is ordered by exporter, kind and id, and stays so. Of two names for one thing the
    /// newer counts. `number` gives the number that an exporter of the newer names has in the list.
    pub fn merge(names: &mut Vec<NameInfo>, newer: &[NameInfo], number: impl Fn(u16) -> u16) {
        let mut others = Vec::new();
        for name in newer {
            let exporter = number(name.exporter);
            match names.binary_search_by(|known| known.key().cmp(&(exporter, name.kind, &name.id))) {
                Ok(index) => names[index].name.clone_from(&name.name),
                Err(_) => others.push(NameInfo { exporter, ..name.clone() }),
            }
        }
        if !others.is_empty() {
            names.append(&mut others);
            // The sort is stable: the newest of each is the last.
            names.sort_by(|a, b| a.key().cmp(&b.key()));
            names.reverse();
            names.dedup_by(|a, b| a.key() == b.key());
            names.reverse();
        }
    }

    fn key(&self) -> (u16, NameKind, &[u8]) {
        (self.exporter, self.kind, &self.id)
    }
}

/// What an exporter says it has exported since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportedInfo {
    /// The exporter's number.
    pub exporter: u16,
    /// Octets (element 40).
    pub octets: u64,
    /// Messages (41).
    pub messages: u64,
    /// Flow records (42).
    pub flows: u64,
}

impl ExportedInfo {
    /// Adds what exporters say to a list that is ordered by exporter, and stays so. The newer statement counts.
    /// `number` gives the number that an exporter of the newer statements has in the list.
    pub fn merge(list: &mut Vec<ExportedInfo>, newer: &[ExportedInfo], number: impl Fn(u16) -> u16) {
        for &statement in newer {
            let statement = ExportedInfo { exporter: number(statement.exporter), ..statement };
            match list.binary_search_by_key(&statement.exporter, |known| known.exporter) {
                Ok(index) => list[index] = statement,
                Err(index) => list.insert(index, statement),
            }
        }
    }
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
    /// Flows that were decoded and could not be written; nobody knows of which exporters.
    pub unwritten: u64,
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
        self.unwritten = self.unwritten.saturating_add(other.unwritten);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_exact_where_flows_are_counted() {
        let exporter = |version, missed, flows| ExporterInfo {
            sysid: 1,
            version,
            addr: [192, 0, 2, 1].into(),
            domain: 0,
            ledger: LossLedger { datagrams: 10, flows, missed, ..LossLedger::default() },
        };
        let missing = |version, missed, flows| {
            let exporter = exporter(version, missed, flows);
            let MissingFlows { flows, is_estimate } = exporter.missing_flows();
            (flows, is_estimate, exporter.missing_datagrams())
        };
        for version in [5, 7, 10] {
            assert_eq!(missing(version, 70, 300), (70, false, 2));
            assert_eq!(missing(version, 7, 300), (7, false, 1));
            assert_eq!(missing(version, 0, 300), (0, false, 0));
        }
        for version in [9, 9999] {
            assert_eq!(missing(version, 2, 300), (60, true, 2));
            assert_eq!(missing(version, 0, 300), (0, false, 0));
            assert_eq!(missing(version, u64::MAX, u64::MAX).0, u64::MAX);
        }
    }

    fn name(exporter: u16, kind: NameKind, id: u8, name: &str) -> NameInfo {
        NameInfo { exporter, kind, id: vec![0, 0, 1, id], name: name.to_owned() }
    }

    #[test]
    fn samplers_of_interfaces_and_templates_have_ids_of_their_own() {
        for index in [0, 1, u32::MAX] {
            let id = SamplerInfo::of_interface(index);
            assert_eq!((SamplerInfo::interface(id), SamplerInfo::template(id)), (Some(index), None));
        }
        for template in [0, 256, u16::MAX] {
            let id = SamplerInfo::of_template(template);
            assert_eq!((SamplerInfo::interface(id), SamplerInfo::template(id)), (None, Some(template)));
        }
        for id in [-1, -3, 0, 7, -(1 << 32), i64::MAX, i64::MIN, i64::MIN + (1 << 33)] {
            assert_eq!((SamplerInfo::interface(id), SamplerInfo::template(id)), (None, None), "{id}");
        }
    }

    #[test]
    fn kinds_have_a_number_each() {
        for kind in NameKind::ALL {
            assert_eq!(NameKind::from_code(kind.code()), Some(kind));
        }
        assert_eq!((NameKind::from_code(0), NameKind::from_code(6)), (None, None));
    }

    #[test]
    fn of_two_names_the_newer_counts() {
        let interface = NameKind::Interface;
        let mut names = vec![name(1, NameKind::Vrf, 1, "red"), name(2, interface, 1, "b")];
        let newer = [name(7, interface, 1, "c"), name(1, interface, 9, "x"), name(1, interface, 9, "a")];
        NameInfo::merge(&mut names, &newer, |exporter| if exporter == 7 { 2 } else { exporter });
        let expected =
            [name(1, interface, 9, "a"), name(1, NameKind::Vrf, 1, "red"), name(2, interface, 1, "c")];
        assert_eq!(names, expected);
        NameInfo::merge(&mut names, &expected, |exporter| exporter);
        assert_eq!(names, expected);
        assert_eq!(names[0].number(), 0x0109);
    }

    #[test]
    fn of_two_statements_the_newer_counts() {
        let exported = |exporter, flows| ExportedInfo { exporter, octets: 0, messages: 0, flows };
        let mut list = vec![exported(2, 5)];
        ExportedInfo::merge(&mut list, &[exported(1, 1), exported(2, 6), exported(3, 3)], |exporter| {
            exporter
        });
        assert_eq!(list, [exported(1, 1), exported(2, 6), exported(3, 3)]);
    }
}
