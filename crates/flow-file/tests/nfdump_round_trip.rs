//! Our format, nfdump's layout, our format: what both can hold comes back.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::options;
use flow_file::{
    BlockCompression, Compression, FileFormat, FileWriter, FlowFile, NfdumpRelease, WriteOptions,
};
use flow_model::{Field, FieldSet, FlowBatch, Groups, NameInfo, NameKind, ValueRef};
use flow_testkit::generate::any_batch;
use flow_testkit::{fixture, generate};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const METHODS: [BlockCompression; 5] = [
    BlockCompression::None,
    BlockCompression::Lzo,
    BlockCompression::Lz4,
    BlockCompression::Bz2(9),
    BlockCompression::Zstd(1),
];

/// Writes batches and reads them again, as one.
fn through(path: &Path, format: FileFormat, batches: &[FlowBatch]) -> Vec<FlowBatch> {
    let tail = common::tail();
    let mut writer = FileWriter::create(path, WriteOptions { format, ..options(Compression::Lz4) }).unwrap();
    writer.announce(&tail.exporters, &tail.samplers, &tail.names).unwrap();
    for batch in batches.iter().filter(|batch| !batch.is_empty()) {
        writer.write(batch).unwrap();
    }
    let totals = *writer.totals();
    let finished = writer.finish(tail.clone()).unwrap();
    assert_eq!(finished.totals.flows, totals.flows);
    assert_eq!(finished.omitted.flows, 0, "{}", finished.omitted);
    let file = FlowFile::open(path).unwrap();
    assert_eq!((file.ident(), file.totals()), ("test", &finished.totals));
    assert_eq!(file.samplers(), tail.samplers);
    // nfdump's layout has no descriptions of interfaces, and does not say whose a name is.
    let named = |names: &[NameInfo]| -> BTreeSet<_> {
        let held = names.iter().filter(|one| one.kind != NameKind::InterfaceDescription);
        held.map(|one| (one.kind, one.id.clone(), one.name.clone())).collect()
    };
    assert_eq!(named(file.names()), named(&tail.names));
    let senders = |exporters: &[flow_model::ExporterInfo]| -> Vec<_> {
        exporters.iter().map(|e| (e.sysid, e.version, e.addr, e.domain, e.ledger.datagrams)).collect()
    };
    assert_eq!(senders(file.exporters()), senders(&tail.exporters));
    let mut out = Vec::new();
    for number in 0..file.block_count() {
        let block = file.block(number).unwrap();
        assert!(block.problems().is_empty(), "{:?}", block.problems());
        if block.rows() > 0 {
            let mut batch = FlowBatch::new(block.rows());
            block.read(FieldSet::ALL, &mut batch).unwrap();
            out.push(batch);
        }
    }
    assert!(file.problems().is_empty(), "{:?}", file.problems());
    out
}

/// Every field of every row, but for what means the same: without GENERIC a record has all its fields at nothing, the
/// protocol of a tunnel is in the element of its addresses' family, and one address of two that is nothing is nothing in
/// either family.
fn rows(batches: &[FlowBatch]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.len() {
            let mut values: Vec<String> = Field::ALL[1..]
                .iter()
                .map(|&field| match batch.column(field).get(row) {
                    flow_model::ValueRef::Ip(addr) if addr.is_unspecified() => "none".to_owned(),
                    value => format!("{field:?} {value:?}"),
                })
                .collect();
            let mut groups = batch.groups(row);
            groups.insert(Groups::GENERIC);
            let tunnels = 1 << Groups::TUNNEL_V4 | 1 << Groups::TUNNEL_V6;
            if groups.0 & tunnels != 0 {
                groups.0 = groups.0 & !tunnels | 1 << Groups::TUNNEL_V4;
            }
            values.push(format!("{groups:?}"));
            rows.push(values);
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_both_can_hold_comes_back(batch in any_batch(400), method in 0..METHODS.len()) {
        let dir = tempfile::tempdir().unwrap();
        let format = FileFormat::Nfdump { compression: METHODS[method], release: NfdumpRelease::V1_7_8 };
        let batches = [batch];
        let ours = through(&dir.path().join("a"), FileFormat::default(), &batches);
        let nfdumps = through(&dir.path().join("b"), format, &ours);
        let again = through(&dir.path().join("c"), FileFormat::default(), &nfdumps);
        prop_assert_eq!(rows(&again), rows(&batches));
    }
}

/// Writes batches with whatever values, and gives what the file is said to lack.
fn write_any(path: &Path, format: FileFormat, batches: &[FlowBatch]) -> BTreeMap<Field, u64> {
    let mut writer = FileWriter::create(path, WriteOptions { format, ..options(Compression::Lz4) }).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish(common::tail()).unwrap().omitted.fields
}

/// A value of a field as far as it means something: the uppermost flag of a record is of nfdump's memory only.
fn value(batch: &FlowBatch, row: usize, field: Field) -> String {
    match batch.column(field).get(row) {
        ValueRef::Ip(addr) if addr.is_unspecified() => "none".to_owned(),
        ValueRef::Num(flags) if field == Field::RecordFlags => (flags & 0x7f).to_string(),
        value => format!("{value:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10))]

    /// Values of every field in every combination: whatever is not the same when it comes back was counted.
    #[test]
    fn what_does_not_come_back_was_counted(seed: u64, rows in 1..120_usize, method in 0..METHODS.len(), is_new: bool) {
        let dir = tempfile::tempdir().unwrap();
        let release = if is_new { NfdumpRelease::V1_7_8 } else { NfdumpRelease::V1_7_1 };
        let format = FileFormat::Nfdump { compression: METHODS[method], release };
        for batch in [common::any_batch(seed, rows), common::full_batch(seed, rows)] {
            let path = dir.path().join("nfdumps");
            let omitted = write_any(&path, format, std::slice::from_ref(&batch));
            let file = FlowFile::open(&path).unwrap();
            let (mut changed, mut row) = (BTreeMap::new(), 0);
            for number in 0..file.block_count() {
                let again = file.block(number).unwrap().to_batch(FieldSet::ALL).unwrap();
                for here in 0..again.len() {
                    for &field in Field::ALL.iter().filter(|&&field| field != Field::Groups) {
                        if value(&again, here, field) != value(&batch, row, field) {
                            *changed.entry(field).or_insert(0_u64) += 1;
                        }
                    }
                    row += 1;
                }
            }
            prop_assert_eq!(row, batch.len());
            prop_assert_eq!(changed, omitted);
            prop_assert!(file.problems().is_empty());
        }
    }
}

#[test]
fn many_blocks_and_events_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let batches = [generate::batch(5, 30_000, generate::Mix::default()), fixture::events(), fixture::flows()];
    for method in METHODS {
        let format = FileFormat::Nfdump { compression: method, release: NfdumpRelease::V1_7_8 };
        assert!(rows(&through(&dir.path().join("file"), format, &batches)) == rows(&batches), "{method:?}");
    }
}
