//! NetFlow v9 (RFC 3954).
//!
//! | octets | header |
//! |---|---|
//! | 0-3 | version, count of records |
//! | 4-11 | uptime ms, unix s |
//! | 12-19 | sequence (datagrams), source id |
//!
//! FlowSets follow, see [`sets`](crate::sets).

use crate::decoder::{Decoder, Message};
use crate::element::Dialect;
use crate::exporter::Key;
use crate::sets::Sets;
use crate::stamps::Clocks;
use crate::{Fault, WireProtocol};
use flow_model::BatchBuilder;
use nom::number::complete::{be_u16, be_u32};
use nom::{IResult, Parser};

const HEADER_LEN: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    uptime_ms: u32,
    unix_s: u32,
    sequence: u32,
    source_id: u32,
}

fn header(input: &[u8]) -> IResult<&[u8], Header> {
    (be_u16, be_u16, be_u32, be_u32, be_u32, be_u32)
        .map(|(_version, _count, uptime_ms, unix_s, sequence, source_id)| Header {
            uptime_ms,
            unix_s,
            sequence,
            source_id,
        })
        .parse(input)
}

/// Decodes a v9 datagram.
pub(crate) fn decode(decoder: &mut Decoder, message: &mut Message<'_>, out: &mut BatchBuilder) {
    let Ok((_, header)) = header(message.datagram) else {
        let fault = Fault::Truncated { what: "header", expected: HEADER_LEN, found: message.datagram.len() };
        return message.fail(None, 0, fault);
    };
    message.domain = Some(header.source_id);
    let key = Key { addr: message.from.addr, protocol: WireProtocol::V9, domain: header.source_id };
    let limits = message.limits;
    let Some((state, memory)) = decoder.registry.enter(key, &limits, &mut message.decoded) else { return };
    let unix_ms = u64::from(header.unix_s) * 1000;
    let restarted = state.restarted(unix_ms, header.uptime_ms);
    message.decoded.take(state.sequence.observe(header.sequence, Some(1), restarted));
    let clocks = Clocks {
        dialect: Dialect::V9,
        export_ms: unix_ms,
        uptime_ms: header.uptime_ms,
        init_ms: state.init_ms,
    };
    // Unless a record has them, nfdump takes the engine from the source id.
    let [.., engine_type, engine_id] = header.source_id.to_be_bytes();
    let engine = (engine_type, engine_id);
    let end = message.datagram.len();
    let scratch = &mut decoder.scratch;
    let mut sets = Sets { message, state, memory, scratch, out, clocks, engine, records: None };
    sets.walk(HEADER_LEN, end);
}
