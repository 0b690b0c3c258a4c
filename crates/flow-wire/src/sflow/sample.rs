//! Samples: how to walk them, and which are flows.

use super::record::{self, Dialect, Sampled};
use super::xdr::{Wrong, Xdr};
use crate::decoder::Message;
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
    pub(super) sampled: &'a mut Vec<Sampled>,
    /// How many flows there may be.
    pub(super) limit: usize,
    pub(super) tunnels: Tunnels,
    /// The latest sampling rate that a flow came with.
    pub(super) rate: Option<u32>,
}

impl Samples<'_, '_> {
    /// Walks `count` samples, or as many as there are.
    pub(super) fn walk(&mut self, mut xdr: Xdr<'_>, count: u32) {
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
                    Ok(sampled) => self.keep(sampled, start)?,
                    Err(Wrong { offset, fault }) => self.message.fail(Some(number), offset, fault),
                }
            }
            format::COUNTERS | format::COUNTERS_EXPANDED => self.message.decoded.counter_samples += 1,
            format::DISCARDED => self.message.decoded.discarded_packets += 1,
            _ => self.message.decoded.samples_skipped += 1,
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
    fn flow(&mut self, mut xdr: Xdr<'_>, number: u16, expanded: bool) -> Result<Sampled, Wrong> {
        let (rate, input, output, count) = if expanded {
            let [_, _, _, rate, _, _, input_format, input, output_format, output, count] = xdr.words()?;
            (rate, interface(input_format, input), interface(output_format, output), count)
        } else {
            let [_, _, rate, _, _, input, output, count] = xdr.words()?;
            (rate, packed(input), packed(output), count)
        };
        let mut sampled = self.start(rate, input, output, number, xdr.at());
        for index in 0..count {
            if xdr.left() == 0 {
                let fault = Fault::RecordCount { expected: count as usize, found: index as usize };
                self.message.fail(Some(number), xdr.at(), fault);
                break;
            }
            let [kind, len] = xdr.words()?;
            let part = xdr.part("flow record", len)?;
            match record::read(kind, part, self.tunnels, &mut sampled) {
                Ok(true) => {}
                Ok(false) => self.message.decoded.records_skipped += 1,
                Err(Wrong { offset, fault }) => self.message.fail(Some(number), offset, fault),
            }
        }
        Ok(sampled)
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
        let [_, _, rate, _, _, input, output] = xdr.words()?;
        let mut sampled = self.start(rate, packed(input), packed(output), number, xdr.at());
        record::plain_packet(xdr, dialect, self.tunnels, &mut sampled)?;
        // The packet is known from here on, so this is a flow, be it the last one.
        let extended = record::plain_extended(xdr, dialect, &mut sampled);
        self.keep(sampled, start)?;
        extended
    }

    /// A sample of which the rate and the interfaces are known.
    fn start(&mut self, rate: u32, input: u32, output: u32, number: u16, offset: usize) -> Sampled {
        let limit = self.message.limits.sampling_rate;
        let announced = (1..=limit).contains(&rate).then_some(rate);
        if rate > limit {
            self.message.refuse(
                Some(number),
                offset,
                Fault::Limit { what: "packets per sample", limit: limit as usize },
            );
        }
        let configured = self.message.configured;
        let rate = configured.forced.or(announced).or(configured.default).map_or(Rate::ALL, Rate::one_of);
        Sampled::new(announced, rate, input, output)
    }

    /// Makes a flow of a sample that has a packet.
    fn keep(&mut self, mut sampled: Sampled, start: usize) -> Result<(), Wrong> {
        if !sampled.finish() {
            self.message.decoded.samples_skipped += 1;
            return Ok(());
        }
        if self.sampled.len() >= self.limit {
            let limit = self.message.limits.flows_per_datagram;
            return Err(Wrong { offset: start, fault: Fault::Limit { what: "flows in a datagram", limit } });
        }
        self.rate = sampled.announced.or(self.rate);
        self.sampled.push(sampled);
        Ok(())
    }
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
