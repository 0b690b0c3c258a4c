//! The decoder, with state kept from datagram to datagram.

use crate::sequence;
use flow_model::{BatchBuilder, BlockStats, Column, Field, FieldSet, FlowBatch, Groups, MAX_BATCH_ROWS};
use flow_wire::{Decoded, Decoder, DecoderOptions, Exporter, Limits};

/// Bounds that short inputs reach.
fn limits() -> Limits {
    Limits {
        addresses: 6,
        domains_per_address: 8,
        templates_per_exporter: 16,
        state_len_bytes: 64 << 10,
        flows_per_datagram: 600,
        samplers_per_exporter: 8,
        ..Limits::default()
    }
}

/// Decodes a [sequence](crate::sequence) of datagrams with one decoder.
///
/// Whatever comes, rows are those that are accounted for, no more than allowed or than fit, in columns that agree; errors
/// name a place in the datagram and are counted; the ledgers add up to what was said about each datagram; exporters and
/// samplers stay within their bounds. (Memory as a whole is bounded by the engine.)
///
/// # Panics
/// When that is not so.
pub fn datagrams(input: &[u8]) {
    let limits = limits();
    let mut decoder = Decoder::new(DecoderOptions { limits, ..DecoderOptions::default() });
    let mut out = BatchBuilder::new();
    if input.first().is_some_and(|first| first & sequence::NEARLY_FULL != 0) {
        out.rows(MAX_BATCH_ROWS - limits.flows_per_datagram / 2, Groups::default()).finish();
    }
    let mut sum = Sum::default();
    for datagram in sequence::datagrams(input) {
        let from = Exporter { addr: datagram.from, port: 2055 };
        let (before, room) = (out.len(), out.room());
        let decoded = decoder.decode(from, datagram.received_ms, datagram.payload, &mut out);
        assert_eq!(out.len() - before, decoded.flows, "rows without account");
        assert!(decoded.flows <= room, "more rows than fit");
        assert!(decoded.flows <= limits.flows_per_datagram, "more rows than allowed");
        if let Some(error) = decoded.error {
            assert!(error.offset <= datagram.payload.len(), "an error behind the end");
            assert!(decoded.malformed + decoded.refused > 0, "an error that does not count");
            assert!(!error.to_string().is_empty());
        }
        sum.add(&decoded);
        if out.room() < limits.flows_per_datagram {
            let batch = out.finish();
            consistent(&batch);
            out.recycle(batch);
        }
    }
    consistent(&out.finish());
    assert!(decoder.exporters().len() <= limits.addresses * limits.domains_per_address);
    let samplers = decoder.samplers();
    for exporter in decoder.exporters() {
        let of_it = samplers.iter().filter(|sampler| sampler.exporter == exporter.sysid).count();
        assert!(of_it <= limits.samplers_per_exporter, "samplers beyond the bound");
    }
    sum.compare(&mut decoder);
}

/// What was said about datagrams one by one.
#[derive(Default)]
struct Sum {
    datagrams: u64,
    flows: u64,
    sequence_failures: u64,
    malformed: u64,
    refused: u64,
}

impl Sum {
    fn add(&mut self, decoded: &Decoded) {
        self.datagrams += 1;
        self.flows += decoded.flows as u64;
        self.sequence_failures += u64::from(decoded.sequence_failure);
        self.malformed += decoded.malformed as u64;
        self.refused += decoded.refused as u64;
    }

    fn compare(&self, decoder: &mut Decoder) {
        let mut ledger = decoder.take_unattributed();
        for exporter in decoder.take_exporters() {
            ledger.merge(&exporter.ledger);
        }
        assert_eq!(ledger.datagrams, self.datagrams);
        assert_eq!(ledger.flows, self.flows);
        assert_eq!(ledger.sequence_failures, self.sequence_failures);
        assert_eq!(ledger.malformed, self.malformed);
        assert_eq!(ledger.refused, self.refused);
    }
}

/// Columns are as long as the batch and hold values of their field's kind.
pub(crate) fn consistent(batch: &FlowBatch) {
    for field in batch.fields().iter() {
        match batch.column(field) {
            Column::Constant(_) => {}
            Column::Dictionary(dictionary) => {
                assert_eq!(dictionary.codes.len(), batch.len(), "{field:?}");
                let values = dictionary.values.len();
                assert!(dictionary.codes.iter().all(|&code| usize::from(code) < values), "{field:?}");
            }
            Column::Plain(values) => assert_eq!(values.len(), batch.len(), "{field:?}"),
        }
    }
    if batch.is_empty() {
        return;
    }
    let stats = BlockStats::of(batch);
    assert_eq!(stats.rows, batch.len());
    if batch.decoded().contains(Field::Groups) {
        let rows = [0, batch.len() / 2, batch.len() - 1];
        for (field, row) in
            FieldSet::ALL.intersect(batch.decoded()).iter().flat_map(|field| rows.map(|row| (field, row)))
        {
            let _ = batch.column(field).get(row);
        }
    }
}
