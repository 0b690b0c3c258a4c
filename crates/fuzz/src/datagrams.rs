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
/// name a place in the datagram and are counted; the ledgers add up to what was said about each datagram; what waited for
/// its template is had or given up; exporters, samplers and templates stay within their bounds. (Memory as a whole is
/// bounded by the engine.)
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
    for (number, datagram) in sequence::datagrams(input).enumerate() {
        let from = Exporter { addr: datagram.from, port: 2055 };
        let (before, room) = (out.len(), out.room());
        let decoded = decoder.decode(from, datagram.received_ms, datagram.payload, &mut out);
        check(&decoded, out.len() - before, room);
        if let Some(error) = decoded.error.filter(|_| decoded.sets_late == 0) {
            assert!(error.offset <= datagram.payload.len(), "an error behind the end");
        }
        sum.datagrams += 1;
        sum.add(&decoded);
        make_room(&mut out);
        // Else the exporter's next datagram brings what waits.
        if number % 2 == 1 {
            drain(&mut decoder, &mut out, &mut sum);
        }
    }
    drain(&mut decoder, &mut out, &mut sum);
    consistent(&out.finish());
    assert!(decoder.exporters().len() <= limits.addresses * limits.domains_per_address);
    let samplers = decoder.samplers();
    let mut waiting = 0;
    for exporter in decoder.describe() {
        let of_it = samplers.iter().filter(|sampler| sampler.exporter == exporter.info.sysid).count();
        assert_eq!(of_it, exporter.samplers.len());
        assert!(of_it <= limits.samplers_per_exporter, "samplers beyond the bound");
        assert!(exporter.templates.len() <= limits.templates_per_exporter, "templates beyond the bound");
        waiting += exporter.sets_waiting as u64;
    }
    // Of what waits no longer some is among the sets skipped.
    let most = sum.waited - sum.late;
    assert!(
        (most.saturating_sub(sum.no_template)..=most).contains(&waiting),
        "sets that waited and were lost"
    );
    sum.compare(&mut decoder);
}

/// Decodes what waited for a template that has come.
fn drain(decoder: &mut Decoder, out: &mut BatchBuilder, sum: &mut Sum) {
    while decoder.has_pending() {
        let (before, room) = (out.len(), out.room());
        let decoded = decoder.drain(out);
        check(&decoded, out.len() - before, room);
        assert!(decoded.sets_late > 0 || !decoder.has_pending(), "no end to what waits");
        sum.add(&decoded);
        make_room(out);
    }
}

/// What must hold of a datagram that gave so many `rows` where there was so much `room`.
fn check(decoded: &Decoded, rows: usize, room: usize) {
    assert_eq!(rows, decoded.flows, "rows without account");
    assert!(decoded.flows <= room, "more rows than fit");
    assert!(decoded.flows <= limits().flows_per_datagram, "more rows than allowed");
    assert_eq!(decoded.error.is_some(), decoded.malformed + decoded.refused > 0, "errors and their count");
    assert!(decoded.error.is_none_or(|error| !error.to_string().is_empty()));
}

/// Starts a new batch when the flows of a datagram might not fit.
fn make_room(out: &mut BatchBuilder) {
    if out.room() < limits().flows_per_datagram {
        let batch = out.finish();
        consistent(&batch);
        out.recycle(batch);
    }
}

/// What was said about datagrams one by one.
#[derive(Default)]
struct Sum {
    datagrams: u64,
    flows: u64,
    sequence_failures: u64,
    malformed: u64,
    refused: u64,
    no_template: u64,
    /// Sets that waited for their template, and those that got it.
    waited: u64,
    late: u64,
}

impl Sum {
    fn add(&mut self, decoded: &Decoded) {
        self.no_template += decoded.sets_skipped as u64;
        self.waited += decoded.sets_waiting as u64;
        self.late += decoded.sets_late as u64;
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
        assert_eq!(ledger.no_template, self.no_template);
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
