//! sFlow v2, v4 and v5 (RFC 3176, sflow.org's "sFlow Version 5"): packets that agents picked out, one in so many.
//!
//! A datagram has samples: of packets, which become flows, of interface counters and of discarded packets, which are
//! counted. A sample of a packet has records: the packet's first octets, or addresses and ports, and what the switch
//! or router knew about it. In v5 samples and records have lengths and are passed over when they are not known; in
//! v2 and v4 they have none.

mod agent;
mod columns;
mod record;
mod sample;
#[cfg(test)]
mod tests;
mod xdr;

use crate::decoder::{Decoder, Message};
use crate::exporter::Key;
use crate::sampling::{GENERIC, Sampler};
use crate::{Fault, WireProtocol};
pub(crate) use agent::{Agent, Source, name_of};
use flow_model::BatchBuilder;
use record::Sampled;
use sample::Samples;
use std::net::IpAddr;
use xdr::{Wrong, Xdr};

/// Buffers that decoding uses again and again.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    sampled: Vec<Sampled>,
}

/// | octets | v5 | v2, v4 |
/// |---|---|---|
/// | 0-3 | version | same |
/// | 4 | agent: type of address, address | same |
/// | behind it | sub-agent, sequence, uptime ms, samples | sequence, uptime ms, samples |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    /// The agent's own address, which need not be the one that the datagram comes from.
    agent: Option<IpAddr>,
    sub_agent: u32,
    /// Counts datagrams.
    sequence: u32,
    uptime_ms: u32,
    samples: u32,
}

impl Header {
    fn read(protocol: WireProtocol, xdr: &mut Xdr<'_>) -> Result<Header, Wrong> {
        let _version = xdr.word()?;
        let agent = xdr.address()?;
        let sub_agent = if protocol == WireProtocol::SflowV5 { xdr.word()? } else { 0 };
        let [sequence, uptime_ms, samples] = xdr.words()?;
        Ok(Header { agent, sub_agent, sequence, uptime_ms, samples })
    }
}

/// Decodes an sFlow datagram.
///
/// What belongs to an agent is kept for the sender, the agent's address and the sub-agent together: an address
/// inside of a datagram can be anybody's.
pub(crate) fn decode(decoder: &mut Decoder, message: &mut Message<'_>, out: &mut BatchBuilder) {
    let mut xdr = Xdr::new(message.datagram, "header");
    let header = match Header::read(message.protocol, &mut xdr) {
        Ok(header) => header,
        Err(Wrong { offset, fault }) => return message.fail(None, offset, fault),
    };
    message.domain = Some(header.sub_agent);
    let key = Key {
        addr: message.from.addr,
        protocol: message.protocol,
        domain: header.sub_agent,
        port: None,
        agent: header.agent,
    };
    let limits = message.limits;
    let tunnels = decoder.options.tunnels;
    let (state, memory) = match decoder.registry.enter(key, &limits, &mut message.decoded) {
        Ok(known) => known,
        Err(fault) => return message.refuse(None, 0, fault),
    };
    // There is no date in the header; between datagrams our own clock does.
    let restarted = state.restarted(message.received_ms, header.uptime_ms);
    message.decoded.take(state.sequence.observe(header.sequence, Some(1), restarted));

    let sampled = &mut decoder.sflow.sampled;
    sampled.clear();
    let limit = message.allowance(out);
    let mut samples = Samples {
        message,
        agent: &mut state.agent,
        memory,
        restarted,
        tunnels,
        limit,
        sampled,
        flows: 0,
        rate: None,
    };
    samples.walk(xdr.named("sample"), header.samples);
    if let Some(rate) = samples.rate {
        // Implausible rates were refused before they came here, so only want of room can be a reason.
        let sampler = Sampler::one_of(GENERIC, 0, rate);
        if !state.samplers.announce(sampler, message.received_ms, &limits, memory) {
            message.refuse(None, 0, Fault::Limit { what: "samplers", limit: limits.samplers_per_exporter });
        }
    }
    columns::write(&decoder.sflow.sampled, message, state.sysid, out);
}
