//! Data for the benchmarks in `benches/`: generated traffic as datagrams and as column batches.
//!
//! Run one with `cargo bench -p flow-benches --bench wire`, save a baseline with `-- --save-baseline before` and compare
//! with `-- --baseline before`. Whole programs are measured by `cargo xtask bench`.
#![forbid(unsafe_code)]

use std::net::Ipv4Addr;
use std::path::Path;

use flow_file::{Compression, FileTail, FileWriter, WriteOptions};
use flow_model::{BatchBuilder, CountRule, FlowBatch};
use flow_testkit::traffic::{Datagram, Datagrams, Profile, Protocol};
use flow_wire::{Decoder, DecoderOptions, Exporter, Limits};

/// What one exporter of `protocol` sends about `flows` flows, so many at a time that its datagrams are full.
pub fn datagrams(protocol: Protocol, flows: u64) -> Vec<Datagram> {
    let ipv6_percent = match protocol {
        Protocol::NetflowV5 | Protocol::IpfixVariable => 0,
        _ => 20,
    };
    let exporters = vec![(Ipv4Addr::LOCALHOST, protocol)];
    let span_ms = flows / FLOWS_PER_MS;
    Datagrams::new(&Profile { ipv6_percent, exporters, span_ms, ..Profile::day(flows) }).collect()
}

/// Far more than an exporter can hold back for the few seconds that it waits.
const FLOWS_PER_MS: u64 = 10;

/// Writes batches into a file of ours, a block for each.
///
/// # Panics
/// When the file cannot be written.
pub fn store(path: &Path, batches: &[FlowBatch], compression: Compression) {
    let options = WriteOptions {
        ident: "bench".into(),
        format: compression.into(),
        rule: CountRule::Collected,
        created_ms: 0,
    };
    let mut writer = FileWriter::create(path, options).expect("a temporary file can be created");
    for batch in batches {
        writer.write(batch).expect("a temporary file can be written");
    }
    writer.finish(FileTail::default()).expect("a temporary file can be written");
}

/// Decodes datagrams into full batches.
pub fn decode(datagrams: &[Datagram]) -> Vec<FlowBatch> {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut builder = BatchBuilder::new();
    let mut batches = Vec::new();
    for datagram in datagrams {
        if builder.room() < Limits::default().flows_per_datagram {
            batches.push(std::mem::take(&mut builder).finish());
        }
        decode_into(&mut decoder, datagram, &mut builder);
    }
    if !builder.is_empty() {
        batches.push(builder.finish());
    }
    batches
}

/// Decodes one datagram.
pub fn decode_into(decoder: &mut Decoder, datagram: &Datagram, builder: &mut BatchBuilder) {
    let from = Exporter { addr: datagram.from.ip(), port: datagram.from.port() };
    decoder.decode(from, datagram.sent_ms, &datagram.payload, builder);
}

/// `flows` flows as NetFlow v9 carries them, in batches.
pub fn batches(flows: u64) -> Vec<FlowBatch> {
    decode(&datagrams(Protocol::NetflowV9, flows))
}
