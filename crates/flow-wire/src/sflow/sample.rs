//! Samples: how to walk them, and which are flows.

use super::agent::{Agent, Part, Sampling};
use super::record::{self, Dialect, Sampled};
use super::xdr::{Wrong, Xdr};
use crate::decoder::Message;
use crate::memory::Memory;
use crate::packet::Tunnels;
use crate::sampling::Rate;
use crate::{Fault, WireProtocol};

/// Formats of samples in v5, of enterprise 0.
mod format {
    pub(super) const FLOW: u32 = 1;
    pub(super) const COUNTERS: u32 = 2;
    pub(super) const FLOW_EXPANDED: u32 = 3;
    pub(super) const COUNTERS_EXPANDED: u32 = 4;
    pub(super) const DISCARDED: u32 = 5;
}

/// Types of samples in v2 and v4.
mod plain {
    pub(super) const FLOW: u32 = 1;
    pub(super) const COUNTERS: u32 = 2;
}

/// Words of the blocks of counters in v2 and v4, by their type: generic, Ethernet, token ring, FDDI, 100BaseVG, WAN,
/// VLAN (RFC 3176 section 4, `counters_type`).
const COUNTER_WORDS: [u32; 8] = [0, 22, 22 + 13, 22 + 18, 22, 22 + 20, 22, 7];

/// An interface: two bits say what the others mean.
mod interface {
    /// The others say why the packet was discarded.
    pub(super) const DISCARDED: u32 = 1;
    /// Nothing is known.
    pub(super) const UNKNOWN: u32 = 3;
}

/// The samples of a datagram on their way to flows.
pub(super) struct Samples<'a, 'm> {
    pub(super) message: &'a mut Message<'m>,
    pub(super) agent: &'a mut Agent,
    pub(super) memory: &'a mut Memory,
    /// Whether the agent started anew since its last datagram.
    pub(super) restarted: bool,
    pub(super) tunnels: Tunnels,
    /// How many flows there may be.
    pub(super) limit: usize,
    /// The flows, and behind them the one that is being read.
    pub(super) sampled: &'a mut Vec<Sampled>,
    /// How many of them are flows.
    pub(super) flows: usize,
    /// The latest sampling rate that a flow came with.
    pub(super) rate: Option<u32>,
}

impl Samples<'_, '_> {
    /// Walks `count` samples, or as many as there are.
    pub(super) fn walk(&mut self, xdr: Xdr<'_>, count: u32) {
        self.each(xdr, count);
        self.sampled.truncate(self.flows);
        self.agent.counter_samples += self.message.decoded.counter_samples as u64;
        self.agent.discarded_packets += self.message.decoded.discarded_packets as u64;
    }

    fn each(&mut self, mut xdr: Xdr<'_>, count: u32) {
        // However many the header counts, each takes octets or is the last.
        for index in 0..count {
            let number = u16::try_from(index + 1).unwrap_or(u16::MAX);
            if xdr.left() == 0 {
                let fault = Fault::RecordCount { expected: count as usize, found: index as usize };
                return self.message.fail(None, xdr.at(), fault);
            }
            let sample = if self.message.protocol == WireProtocol::SflowV5 {
                self.sample(&mut xdr, number)
            } else {
                self.plain_sample(&mut xdr, number)
            };
            match sample {
                Ok(()) => {}
                Err(Wrong { offset, fault: fault @ Fault::Limit { .. } }) => {
                    return self.message.refuse(Some(number), offset, fault);
                }
                Err(Wrong { offset, fault }) => return self.message.fail(Some(number), offset, fault),
            }
        }
    }

    /// A sample of v5: its format, its length, and so much. What is wrong inside costs the sample alone; an error
    /// is one of its bounds.
    fn sample(&mut self, xdr: &mut Xdr<'_>, number: u16) -> Result<(), Wrong> {
        let start = xdr.at();
        let [kind, len] = xdr.words()?;
        let part = xdr.part("sample", len)?;
        match kind {
            format::FLOW | format::FLOW_EXPANDED => {
                match self.flow(part, number, kind == format::FLOW_EXPANDED) {
                    Ok(()) => self.keep(start)?,
                    Err(Wrong { offset, fault }) => self.message.fail(Some(number), offset, fault),
                }
            }
            format::COUNTERS | format::COUNTERS_EXPANDED => self.message.decoded.counter_samples += 1,
            format::DISCARDED => self.message.decoded.discarded_packets += 1,
            _ => {
                self.message.decoded.samples_skipped += 1;
                self.agent.skipped.count(Part::Sample, kind, &self.message.limits, self.memory);
            }
        }
        Ok(())
    }

    /// | words | flow sample | expanded |
    /// |---|---|---|
    /// | 1 | sequence | same |
    /// | 1, 2 | source: class (8 bits), index (24) | class, index |
    /// | 3 | rate, packets that could have been sampled, drops | same |
    /// | 2, 4 | input, output: format (2 bits), value (30) | format, value of each |
    /// | 1 | records | same |
    fn flow(&mut self, mut xdr: Xdr<'_>, number: u16, expanded: bool) -> Result<(), Wrong> {
        let (sampling, input, output, count) = if expanded {
            let [sequence, class, index, rate, _, drops, input_format, input, output_format, output, count] =
                xdr.words()?;
            let sampling = Sampling { source: (class, index), sequence, rate, drops };
            (sampling, interface(input_format, input), interface(output_format, output), count)
        } else {
            let [sequence, source, rate, _, drops, input, output, count] = xdr.words()?;
            (
                Sampling { source: source_of(source), sequence, rate, drops },
                packed(input),
                packed(output),
                count,
            )
        };
        self.start(sampling, input, output, number, xdr.at());
        let Some(sampled) = self.sampled.last_mut() else { return Ok(()) };
        for index in 0..count {
            if xdr.left() == 0 {
                let fault = Fault::RecordCount { expected: count as usize, found: index as usize };
                self.message.fail(Some(number), xdr.at(), fault);
                break;
            }
            let [kind, len] = xdr.words()?;
            let part = xdr.part("flow record", len)?;
            match record::read(kind, part, self.tunnels, sampled) {
                Ok(true) => {}
                Ok(false) => {
                    self.message.decoded.records_skipped += 1;
                    self.agent.skipped.count(Part::FlowRecord, kind, &self.message.limits, self.memory);
                }
                Err(Wrong { offset, fault }) => self.message.fail(Some(number), offset, fault),
            }
        }
        Ok(())
    }

    /// A sample of v2 or v4. An error leaves nothing behind it to be found.
    fn plain_sample(&mut self, xdr: &mut Xdr<'_>, number: u16) -> Result<(), Wrong> {
        let offset = xdr.at();
        match xdr.word()? {
            plain::FLOW => self.plain_flow(xdr, number, offset),
            plain::COUNTERS => {
                let [_sequence, _source, _interval] = xdr.words()?;
                let offset = xdr.at();
                let found = xdr.word()?;
                let words = COUNTER_WORDS.get(found as usize).copied().filter(|words| *words > 0);
                let fault = Fault::UnknownFormat { what: "counters type", found };
                xdr.skip(words.ok_or(Wrong { offset, fault })?)?;
                self.message.decoded.counter_samples += 1;
                Ok(())
            }
            found => Err(Wrong { offset, fault: Fault::UnknownFormat { what: "sample type", found } }),
        }
    }

    /// Sequence, source, rate, packets, drops, input, output as in v5; then the packet; then what is known about it.
    fn plain_flow(&mut self, xdr: &mut Xdr<'_>, number: u16, start: usize) -> Result<(), Wrong> {
        let dialect = if self.message.protocol == WireProtocol::SflowV2 { Dialect::V2 } else { Dialect::V4 };
        let [sequence, source, rate, _, drops, input, output] = xdr.words()?;
        let sampling = Sampling { source: source_of(source), sequence, rate, drops };
        self.start(sampling, packed(input), packed(output), number, xdr.at());
        let Some(sampled) = self.sampled.last_mut() else { return Ok(()) };
        record::plain_packet(xdr, dialect, self.tunnels, sampled)?;
        // The packet is known from here on, so this is a flow, be it the last one.
        let extended = record::plain_extended(xdr, dialect, sampled);
        self.keep(start)?;
        extended
    }

    /// Begins a sample.
    fn start(&mut self, sampling: Sampling, input: u32, output: u32, number: u16, offset: usize) {
        self.agent.observe(sampling, self.restarted, &self.message.limits, self.memory);
        let limit = self.message.limits.sampling_rate;
        let rate = sampling.rate;
        let announced = (1..=limit).contains(&rate).then_some(rate);
        if rate > limit {
            let fault = Fault::SamplingRate { found: rate.into(), limit: limit.into() };
            self.message.refuse(Some(number), offset, fault);
        }
        let configured = self.message.configured;
        let rate = configured.forced.or(announced).or(configured.default).map_or(Rate::ALL, Rate::one_of);
        self.sampled.truncate(self.flows);
        self.sampled.push(Sampled::new(announced, rate, input, output));
    }

    /// Makes a flow of the sample that was read, if it has a packet.
    fn keep(&mut self, start: usize) -> Result<(), Wrong> {
        let Some(sampled) = self.sampled.last_mut() else { return Ok(()) };
        if !sampled.finish() {
            self.message.decoded.samples_skipped += 1;
            return Ok(());
        }
        if self.flows >= self.limit {
            let limit = self.message.limits.flows_per_datagram;
            return Err(Wrong { offset: start, fault: Fault::Limit { what: "flows in a datagram", limit } });
        }
        if let Some(protocol) = sampled.unknown_header {
            self.agent.skipped.count(Part::Header, protocol, &self.message.limits, self.memory);
        }
        self.rate = sampled.announced.or(self.rate);
        self.flows += 1;
        Ok(())
    }
}

/// A source whose highest octet is its class.
fn source_of(word: u32) -> (u32, u32) {
    (word >> 24, word & 0x00ff_ffff)
}

/// An interface whose two highest bits are its format.
fn packed(word: u32) -> u32 {
    interface(word >> 30, word & 0x3fff_ffff)
}

/// The number of an interface: 0 when it is not known, `0x3fffffff` for the device itself. Of a packet that went
/// to several it is how many, as sfcapd has it.
fn interface(format: u32, value: u32) -> u32 {
    match format {
        interface::DISCARDED | interface::UNKNOWN => 0,
        _ => value,
    }
}
