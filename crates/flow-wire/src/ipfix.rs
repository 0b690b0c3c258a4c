//! IPFIX (RFC 7011).
//!
//! | octets | header |
//! |---|---|
//! | 0-3 | version, length of the message |
//! | 4-7 | export time s |
//! | 8-15 | sequence (data records), observation domain |
//!
//! Sets follow, see [`sets`](crate::sets).

use crate::decoder::{Decoder, Message};
use crate::element::Dialect;
use crate::exporter::Key;
use crate::sets::Sets;
use crate::stamps::Clocks;
use crate::{Fault, WireProtocol};
use flow_model::BatchBuilder;
use nom::number::complete::{be_u16, be_u32};
use nom::{IResult, Parser};

const HEADER_LEN: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    len: u16,
    export_s: u32,
    sequence: u32,
    domain: u32,
}

fn header(input: &[u8]) -> IResult<&[u8], Header> {
    (be_u16, be_u16, be_u32, be_u32, be_u32)
        .map(|(_version, len, export_s, sequence, domain)| Header { len, export_s, sequence, domain })
        .parse(input)
}

/// Decodes an IPFIX datagram.
pub(crate) fn decode(decoder: &mut Decoder, message: &mut Message<'_>, out: &mut BatchBuilder) {
    let Ok((_, header)) = header(message.datagram) else {
        let fault = Fault::Truncated { what: "header", expected: HEADER_LEN, found: message.datagram.len() };
        return message.fail(None, 0, fault);
    };
    message.domain = Some(header.domain);
    let key = Key { addr: message.from.addr, protocol: WireProtocol::Ipfix, domain: header.domain };
    let limits = message.limits;
    let Some((state, memory)) = decoder.registry.enter(key, &limits, &mut message.decoded) else { return };
    let clocks = Clocks {
        dialect: Dialect::Ipfix,
        export_ms: u64::from(header.export_s) * 1000,
        uptime_ms: 0,
        init_ms: state.init_ms,
    };
    let end = end(message, usize::from(header.len));
    let scratch = &mut decoder.scratch;
    let mut sets = Sets { message, state, memory, scratch, out, clocks, engine: (0, 0), records: Some(0) };
    sets.walk(HEADER_LEN, end);
    let continuity = sets.state.sequence.observe(header.sequence, sets.records, false);
    sets.message.decoded.take(continuity);
}

/// Where the message ends.
///
/// Some exporters write a length that is too small: if the sets fill the datagram exactly, they are believed.
fn end(message: &mut Message<'_>, len: usize) -> usize {
    let found = message.datagram.len();
    if len == found || fills(message.datagram) {
        return found;
    }
    if len > found {
        message.fail(None, 2, Fault::Truncated { what: "message", expected: len, found });
        return found;
    }
    if len < HEADER_LEN {
        message.fail(None, 2, Fault::TooShort { what: "message", expected: HEADER_LEN, found: len });
    }
    len
}

/// Whether sets, one behind the other, end where the datagram ends.
fn fills(datagram: &[u8]) -> bool {
    let mut rest = datagram.get(HEADER_LEN..).unwrap_or_default();
    while let Some(&[_, _, high, low]) = rest.first_chunk() {
        let len = usize::from(u16::from_be_bytes([high, low]));
        match rest.get(len..) {
            Some(after) if len >= 4 => rest = after,
            _ => return false,
        }
    }
    rest.is_empty()
}
