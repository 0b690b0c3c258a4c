//! What is known of an sFlow agent besides its datagrams: where it takes its samples, and what of them we skip.

use crate::Limits;
use crate::memory::Memory;
use crate::sequence::Sequence;

/// A place where an agent samples, most often an interface, and how that goes.
#[derive(Debug)]
pub(crate) struct Source {
    /// Class, then index: 0 and an interface, 1 and a VLAN, 2 and a physical entity.
    pub(crate) id: (u32, u32),
    /// One packet of so many, by the latest sample.
    pub(crate) rate: u32,
    /// Flow samples that came.
    pub(crate) samples: u64,
    /// Flow samples that did not, by their sequence numbers.
    pub(crate) missed: u64,
    /// Samples that the agent itself says it dropped for want of resources.
    pub(crate) dropped: u64,
    sequence: Sequence,
    drops: Option<u32>,
}

/// What a flow sample says about its source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampling {
    pub(super) source: (u32, u32),
    pub(super) sequence: u32,
    pub(super) rate: u32,
    /// Samples dropped since the agent started.
    pub(super) drops: u32,
}

/// A part of datagrams that has a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    /// A sample.
    Sample,
    /// A record of a flow sample.
    FlowRecord,
    /// A packet's first octets.
    Header,
}

/// Formats of which nothing is read, and how often they came.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    /// Sorted by part and format.
    formats: Vec<((Part, u32), u64)>,
    /// Parts of further formats.
    pub(crate) others: u64,
}

/// The state of an agent.
#[derive(Debug, Default)]
pub(crate) struct Agent {
    /// Sorted by id.
    sources: Vec<Source>,
    /// Flow samples of sources for which there was no room.
    pub(crate) other_samples: u64,
    /// Samples of counters.
    pub(crate) counter_samples: u64,
    /// Samples of packets that the device discarded.
    pub(crate) discarded_packets: u64,
    pub(crate) skipped: Skipped,
}

/// A drop counter that went on by more than this went back.
const LARGEST_STEP: u32 = 1 << 31;

impl Agent {
    /// Takes what a flow sample says about its source.
    pub(super) fn observe(
        &mut self,
        sampling: Sampling,
        restarted: bool,
        limits: &Limits,
        memory: &mut Memory,
    ) {
        let index = match self.sources.binary_search_by_key(&sampling.source, |source| source.id) {
            Ok(index) => index,
            Err(index) => {
                let fits = self.sources.len() < limits.sources_per_exporter;
                if !fits || !memory.charge(size_of::<Source>(), limits) {
                    self.other_samples += 1;
                    return;
                }
                self.sources.insert(index, Source::new(sampling.source));
                index
            }
        };
        if let Some(source) = self.sources.get_mut(index) {
            source.observe(sampling, restarted);
        }
    }

    /// Every source, ordered by its id.
    pub(crate) fn sources(&self) -> &[Source] {
        &self.sources
    }
}

impl Source {
    fn new(id: (u32, u32)) -> Source {
        Source { id, rate: 0, samples: 0, missed: 0, dropped: 0, sequence: Sequence::default(), drops: None }
    }

    fn observe(&mut self, Sampling { sequence, rate, drops, .. }: Sampling, restarted: bool) {
        self.rate = rate;
        self.samples += 1;
        let continuity = self.sequence.observe(sequence, Some(1), restarted);
        self.missed = (self.missed + continuity.missed).saturating_sub(continuity.recovered);
        if continuity.recovered > 0 {
            // A late sample's counter is behind what was counted already.
            return;
        }
        let before = self.drops.replace(drops).filter(|_| !restarted);
        let step = before.map_or(0, |before| drops.wrapping_sub(before));
        if step < LARGEST_STEP {
            self.dropped += u64::from(step);
        }
    }
}

impl Skipped {
    /// Counts a part of a format of which nothing is read.
    pub(super) fn count(&mut self, part: Part, format: u32, limits: &Limits, memory: &mut Memory) {
        let key = (part, format);
        match self.formats.binary_search_by_key(&key, |(format, _)| *format) {
            Ok(index) => {
                if let Some((_, count)) = self.formats.get_mut(index) {
                    *count += 1;
                }
            }
            Err(index) => {
                let fits = self.formats.len() < limits.skipped_elements_per_exporter;
                if fits && memory.charge(size_of::<((Part, u32), u64)>(), limits) {
                    self.formats.insert(index, (key, 1));
                } else {
                    self.others += 1;
                }
            }
        }
    }

    /// Part, enterprise, format, and how often they came.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Part, u32, u16, u64)> {
        self.formats
            .iter()
            .map(|&((part, format), count)| (part, format >> 12, (format & 0xfff) as u16, count))
    }
}

/// Flow records of enterprise 0 (sflow.org, "sFlow Data Formats") of which nothing is read.
const FLOW_RECORDS: &[(u16, &str)] = &[
    (1005, "extended_url"),
    (1008, "extended_mpls_tunnel"),
    (1009, "extended_mpls_vc"),
    (1010, "extended_mpls_ftn"),
    (1011, "extended_mpls_ldp_fec"),
    (1012, "extended_vlantunnel"),
    (1013, "extended_80211_payload"),
    (1014, "extended_80211_rx"),
    (1015, "extended_80211_tx"),
    (1016, "extended_80211_aggregation"),
    (1021, "extended_l2_tunnel_egress"),
    (1022, "extended_l2_tunnel_ingress"),
    (1023, "extended_ipv4_tunnel_egress"),
    (1024, "extended_ipv4_tunnel_ingress"),
    (1025, "extended_ipv6_tunnel_egress"),
    (1026, "extended_ipv6_tunnel_ingress"),
    (1027, "extended_decapsulate_egress"),
    (1028, "extended_decapsulate_ingress"),
    (1029, "extended_vni_egress"),
    (1030, "extended_vni_ingress"),
    (2100, "extended_socket_ipv4"),
    (2101, "extended_socket_ipv6"),
    (2102, "extended_proxy_socket_ipv4"),
    (2103, "extended_proxy_socket_ipv6"),
];

/// What a format is of, and its name where that is known.
pub(crate) fn name_of(part: Part, enterprise: u32, format: u16) -> String {
    match part {
        Part::Sample => "sample".to_owned(),
        Part::Header => "header protocol".to_owned(),
        Part::FlowRecord => {
            let known = FLOW_RECORDS.iter().find(|(number, _)| enterprise == 0 && *number == format);
            known.map_or_else(|| "flow record".to_owned(), |(_, name)| format!("flow record {name}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(agent: &mut Agent, limits: &Limits, samples: &[((u32, u32), u32, u32)]) {
        for &(source, sequence, drops) in samples {
            let sampling = Sampling { source, sequence, rate: 100, drops };
            agent.observe(sampling, false, limits, &mut Memory::default());
        }
    }

    fn counts(agent: &Agent) -> Vec<((u32, u32), u64, u64, u64)> {
        let counts = |source: &Source| (source.id, source.samples, source.missed, source.dropped);
        agent.sources().iter().map(counts).collect()
    }

    #[test]
    fn each_source_has_its_own_sequence_and_drops() {
        let mut agent = Agent::default();
        let (port, vlan) = ((0, 9), (1, 9));
        observe(
            &mut agent,
            &Limits::default(),
            &[(vlan, 7, 0), (port, u32::MAX, 5), (port, 1, 5), (vlan, 8, 3), (port, 0, 5), (port, 2, 9)],
        );
        assert_eq!(counts(&agent), [(port, 4, 0, 4), (vlan, 2, 0, 3)]);
        assert_eq!(agent.sources().first().map(|source| source.rate), Some(100));
        observe(&mut agent, &Limits::default(), &[(port, 5, 2), (port, 6, u32::MAX), (port, 7, 1)]);
        // A counter that went back says nothing about that step; a wrap is a step of its own.
        assert_eq!(counts(&agent), [(port, 7, 2, 6), (vlan, 2, 0, 3)]);
    }

    #[test]
    fn an_agent_that_starts_anew_has_dropped_nothing_between() {
        let mut agent = Agent::default();
        let limits = Limits::default();
        observe(&mut agent, &limits, &[((0, 1), 500, 10)]);
        let sampling = Sampling { source: (0, 1), sequence: 1000, rate: 1, drops: 90 };
        agent.observe(sampling, true, &limits, &mut Memory::default());
        assert_eq!(counts(&agent), [((0, 1), 2, 0, 0)]);
    }

    #[test]
    fn there_are_bounds() {
        let limits =
            Limits { sources_per_exporter: 2, skipped_elements_per_exporter: 2, ..Limits::default() };
        let (mut agent, mut memory) = (Agent::default(), Memory::default());
        observe(&mut agent, &limits, &[((0, 3), 1, 0), ((0, 1), 1, 0), ((0, 2), 1, 0), ((0, 3), 2, 0)]);
        assert_eq!(counts(&agent), [((0, 1), 1, 0, 0), ((0, 3), 2, 0, 0)]);
        assert_eq!(agent.other_samples, 1);
        for format in [4413 << 12 | 7, 1021, 1021, 5] {
            agent.skipped.count(Part::FlowRecord, format, &limits, &mut memory);
        }
        let skipped: Vec<_> = agent.skipped.iter().collect();
        assert_eq!(skipped, [(Part::FlowRecord, 0, 1021, 2), (Part::FlowRecord, 4413, 7, 1)]);
        assert_eq!(agent.skipped.others, 1);
        // Nothing is taken that all exporters together may not have.
        let none = Limits { state_len_bytes: 0, ..limits };
        let mut agent = Agent::default();
        observe(&mut agent, &none, &[((0, 1), 1, 0)]);
        agent.skipped.count(Part::Sample, 9, &none, &mut memory);
        assert_eq!((counts(&agent).len(), agent.other_samples, agent.skipped.others), (0, 1, 1));
    }
}
