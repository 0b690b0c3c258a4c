//! Messages made up for tests, and what became of them.

use crate::{Decoded, Decoder, DecoderOptions, Exporter, Fault};
use flow_model::{BatchBuilder, Field, FlowBatch};
use std::net::IpAddr;

pub(crate) const FROM: Exporter =
    Exporter { addr: IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9)), port: 2055 };
pub(crate) const UNIX_S: u32 = 1_700_000_000;
pub(crate) const NOW: u64 = UNIX_S as u64 * 1000;
pub(crate) const UPTIME: u32 = 1_000_000;

/// Integers end to end.
macro_rules! octets {
    ($($value:expr),* $(,)?) => {{
        let mut octets = Vec::new();
        $(octets.extend($value.to_be_bytes());)*
        octets
    }};
}
pub(crate) use octets;

/// A v9 message with sequence number and source id.
pub(crate) fn v9(sequence: u32, source_id: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let mut message = octets![9u16, 1u16, UPTIME, UNIX_S, sequence, source_id];
    message.extend(sets.concat());
    message
}

/// An IPFIX message with sequence number and observation domain.
pub(crate) fn ipfix(sequence: u32, domain: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let sets = sets.concat();
    let mut message = octets![10u16, 16 + sets.len() as u16, UNIX_S, sequence, domain];
    message.extend(sets);
    message
}

/// A set of either protocol.
pub(crate) fn set(id: u16, bodies: &[Vec<u8>]) -> Vec<u8> {
    let body = bodies.concat();
    let mut set = octets![id, 4 + body.len() as u16];
    set.extend(body);
    set
}

/// A template record of standard elements.
pub(crate) fn template(id: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut record = octets![id, fields.len() as u16];
    record.extend(specifiers(fields));
    record
}

/// Field specifiers of standard elements.
pub(crate) fn specifiers(fields: &[(u16, u16)]) -> Vec<u8> {
    fields.iter().flat_map(|&(element, len)| octets![element, len]).collect()
}

/// An options template record of v9: scope, then options.
pub(crate) fn v9_options(id: u16, scope: &[(u16, u16)], options: &[(u16, u16)]) -> Vec<u8> {
    let mut record = octets![id, 4 * scope.len() as u16, 4 * options.len() as u16];
    record.extend(specifiers(scope));
    record.extend(specifiers(options));
    record
}

/// An options template record of IPFIX; the first `scope` fields are its scope.
pub(crate) fn ipfix_options(id: u16, scope: u16, fields: &[(u16, u16)]) -> Vec<u8> {
    let mut record = octets![id, fields.len() as u16, scope];
    record.extend(specifiers(fields));
    record
}

/// A decoder and what it has decoded.
pub(crate) struct Bench {
    pub(crate) decoder: Decoder,
    out: BatchBuilder,
}

impl Bench {
    pub(crate) fn new() -> Bench {
        Bench::with(DecoderOptions::default())
    }

    pub(crate) fn with(options: DecoderOptions) -> Bench {
        Bench { decoder: Decoder::new(options), out: BatchBuilder::new() }
    }

    pub(crate) fn take(&mut self, datagram: &[u8]) -> Decoded {
        self.take_at(NOW, datagram)
    }

    pub(crate) fn take_at(&mut self, received_ms: u64, datagram: &[u8]) -> Decoded {
        self.decoder.decode(FROM, received_ms, datagram, &mut self.out)
    }

    pub(crate) fn take_from(&mut self, from: Exporter, datagram: &[u8]) -> Decoded {
        self.decoder.decode(from, NOW, datagram, &mut self.out)
    }

    pub(crate) fn drain(&mut self) -> Decoded {
        self.decoder.drain(&mut self.out)
    }

    /// What was lost for want of a template.
    pub(crate) fn no_template(&self) -> u64 {
        self.decoder.exporters().iter().map(|exporter| exporter.ledger.no_template).sum()
    }

    /// Decodes a datagram that has nothing wrong.
    pub(crate) fn good(&mut self, datagram: &[u8]) -> Decoded {
        let decoded = self.take(datagram);
        assert_eq!((decoded.error, decoded.malformed, decoded.refused), (None, 0, 0));
        decoded
    }

    /// The flows so far.
    pub(crate) fn flows(&mut self) -> FlowBatch {
        self.out.finish()
    }

    /// One field of every flow so far.
    pub(crate) fn nums(&mut self, field: Field) -> Vec<u64> {
        nums(&self.flows(), field)
    }
}

pub(crate) fn nums(batch: &FlowBatch, field: Field) -> Vec<u64> {
    (0..batch.len()).map(|row| batch.column(field).num(row)).collect()
}

pub(crate) fn ips(batch: &FlowBatch, field: Field) -> Vec<String> {
    (0..batch.len()).map(|row| batch.column(field).ip(row).to_string()).collect()
}

/// Where a datagram is wrong, and how.
pub(crate) fn wrong(decoded: &Decoded) -> Option<(Option<u16>, usize, Fault)> {
    decoded.error.map(|error| (error.set, error.offset, error.fault))
}
