//! Two files become one.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{any_batch, exporter, options, read, write};
use flow_file::{
    BlockCompression, Compression, FileFormat, FileLayout, FileTail, FileWriter, FlowFile, NfdumpRelease,
    merge_files,
};
use flow_model::{
    BatchBuilder, CountRule, ExportedInfo, Field, FlowBatch, LossLedger, NameInfo, NameKind, SamplerInfo,
    Selection, Totals,
};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

fn places() -> (TempDir, [PathBuf; 3]) {
    let dir = tempfile::tempdir().unwrap();
    let paths = ["existing", "newer", "scratch"].map(|name| dir.path().join(name));
    (dir, paths)
}

fn of_exporters(ids: &[u64]) -> FlowBatch {
    let mut builder = BatchBuilder::new();
    for &id in ids {
        builder.set(Field::ExporterId, id);
        builder.set(Field::SrcPort, 1000 + id);
        builder.finish_row();
    }
    builder.finish()
}

fn write_with(path: &Path, batch: &FlowBatch, tail: FileTail) {
    let mut writer = FileWriter::create(path, options(Compression::Lz4)).unwrap();
    writer.write(batch).unwrap();
    writer.finish(tail).unwrap();
}

#[test]
fn has_the_blocks_of_both_and_adds_up() {
    let (_dir, [existing, newer, scratch]) = places();
    let batches: Vec<_> = (1..5).map(|seed| any_batch(seed, 300)).collect();
    write(&existing, Compression::Lz4, &batches[..2]);
    write(&newer, Compression::Zstd(1), &batches[2..]);
    let totals = merge_files(&existing, &newer, &scratch, FileFormat::default()).unwrap();
    let merged = FlowFile::open(&scratch).unwrap();
    assert!(merged.is_finished());
    assert_eq!(merged.block_count(), 4);
    let mut expected = Totals { sequence_failures: 6, ..Totals::default() };
    for (block, batch) in batches.iter().enumerate() {
        assert_eq!(&read(&merged, block), batch);
        expected.add(batch, &Selection::all(batch.len()), CountRule::Collected);
        let membership = merged.membership(block);
        assert!(common::addresses(batch, Field::SrcAddr).all(|a| membership.may_contain(Field::SrcAddr, a)));
    }
    assert_eq!((&totals, merged.totals()), (&expected, &expected));
    assert_eq!(merged.exporters().len(), 2);
    assert_eq!(merged.exporters()[0].ledger.flows, 14);
    assert_eq!(merged.samplers().len(), 2);
    assert_eq!(merged.ledger().datagrams, 60);
    assert_eq!(merged.ledger().refused, u64::MAX, "sums saturate");
}

#[test]
fn exporters_with_the_same_number_are_told_apart() {
    let (_dir, [existing, newer, scratch]) = places();
    let sampler = |exporter| SamplerInfo { exporter, id: 1, algorithm: 1, interval: 1, space: 99 };
    let name = |exporter, name: &str| NameInfo {
        exporter,
        kind: NameKind::Interface,
        id: vec![0, 0, 0, 7],
        name: name.to_owned(),
    };
    let exported = |exporter, flows| ExportedInfo { exporter, octets: 0, messages: 0, flows };
    write_with(
        &existing,
        &of_exporters(&[1, 2, 1]),
        FileTail {
            exporters: vec![exporter(1, 10), exporter(2, 20)],
            samplers: vec![sampler(1)],
            names: vec![name(1, "a"), name(2, "b")],
            exported: vec![exported(1, 5)],
            ..FileTail::default()
        },
    );
    // 1 is another router here, 2 was 1 there, 3 is new and keeps its number.
    write_with(
        &newer,
        &of_exporters(&[1, 2, 3, 0]),
        FileTail {
            exporters: vec![exporter(1, 30), exporter(2, 10), exporter(3, 40)],
            samplers: vec![sampler(1), sampler(2)],
            names: vec![name(1, "c"), name(2, "d")],
            exported: vec![exported(1, 6), exported(2, 7)],
            ..FileTail::default()
        },
    );
    merge_files(&existing, &newer, &scratch, FileFormat::default()).unwrap();
    let merged = FlowFile::open(&scratch).unwrap();
    let ids = |block| {
        let batch = read(&merged, block);
        (0..batch.len()).map(|row| batch.column(Field::ExporterId).num(row)).collect::<Vec<_>>()
    };
    assert_eq!(ids(0), [1, 2, 1]);
    assert_eq!(ids(1), [4, 1, 3, 0]);
    assert_eq!(read(&merged, 1).column(Field::SrcPort).num(0), 1001);
    let listed: Vec<_> = merged.exporters().iter().map(|e| (e.sysid, e.addr.to_string())).collect();
    let expected = [(1, "192.0.2.10"), (2, "192.0.2.20"), (4, "192.0.2.30"), (3, "192.0.2.40")];
    assert_eq!(listed, expected.map(|(sysid, addr)| (sysid, addr.to_string())));
    assert_eq!(merged.samplers(), [sampler(1), sampler(4)]);
    assert_eq!(merged.names(), [name(1, "d"), name(2, "b"), name(4, "c")]);
    assert_eq!(merged.exported(), [exported(1, 7), exported(4, 6)]);
    assert_eq!(merged.totals().flows, 7);
}

#[test]
fn takes_what_a_dead_writer_left() {
    let (_dir, [existing, newer, scratch]) = places();
    let batches: Vec<_> = (1..4).map(|seed| any_batch(seed, 100)).collect();
    let mut writer = FileWriter::create(&existing, options(Compression::Lz4)).unwrap();
    writer.write(&batches[0]).unwrap();
    writer.write(&batches[1]).unwrap();
    let whole = writer.byte_len();
    drop(writer);
    let file = std::fs::File::options().write(true).open(&existing).unwrap();
    file.set_len(whole - 1).unwrap();
    write(&newer, Compression::Lz4, &batches[2..]);
    merge_files(&existing, &newer, &scratch, FileFormat::default()).unwrap();
    let merged = FlowFile::open(&scratch).unwrap();
    assert_eq!(merged.block_count(), 2);
    assert_eq!(read(&merged, 0), batches[0]);
    assert_eq!(read(&merged, 1), batches[2]);
}

#[test]
fn two_files_without_flows_span_both_slots() {
    let (_dir, [existing, newer, scratch]) = places();
    for (path, span) in [(&existing, (500, 500)), (&newer, (300, 700))] {
        let writer = FileWriter::create(path, options(Compression::Lz4)).unwrap();
        writer
            .finish(FileTail {
                span_if_empty: Some(span),
                ledger: LossLedger { datagrams: 1, ..LossLedger::default() },
                ..FileTail::default()
            })
            .unwrap();
    }
    let totals = merge_files(&existing, &newer, &scratch, FileFormat::default()).unwrap();
    assert_eq!((totals.flows, totals.first_ms, totals.last_ms), (0, 300, 700));
    assert_eq!(FlowFile::open(&scratch).unwrap().ledger().datagrams, 2);
}

const NFDUMP: FileFormat =
    FileFormat::Nfdump { compression: BlockCompression::Lz4, release: NfdumpRelease::V1_7_8 };

fn write_as(path: &Path, format: FileFormat, batch: &FlowBatch, tail: FileTail) {
    let mut writer =
        FileWriter::create(path, flow_file::WriteOptions { format, ..options(Compression::Lz4) }).unwrap();
    writer.announce(&tail.exporters, &tail.samplers, &tail.names).unwrap();
    writer.write(batch).unwrap();
    writer.finish(tail).unwrap();
}

/// Layout, source ports and exporters of all flows of a file.
fn content(path: &Path) -> (FileLayout, Vec<(u64, u64)>) {
    let file = FlowFile::open(path).unwrap();
    let mut flows = Vec::new();
    for number in 0..file.block_count() {
        let block = file.block(number).unwrap();
        let mut batch = FlowBatch::new(block.rows());
        block.read(flow_model::FieldSet::ALL, &mut batch).unwrap();
        flows
            .extend((0..batch.len()).map(|row| {
                (batch.column(Field::SrcPort).num(row), batch.column(Field::ExporterId).num(row))
            }));
    }
    assert!(file.is_finished());
    assert!(file.problems().is_empty(), "{:?}", file.problems());
    (file.layout(), flows)
}

#[test]
fn files_of_nfdumps_layout_become_one_of_the_format_asked_for() {
    let ours = FileFormat::Columnar(Compression::Lz4);
    let exported_by = |exporter: flow_model::ExporterInfo| {
        let ledger = LossLedger { datagrams: 4, flows: 2, ..LossLedger::default() };
        FileTail {
            exporters: vec![flow_model::ExporterInfo { ledger, ..exporter }],
            sequence_failures: 1,
            ..FileTail::default()
        }
    };
    for (of_existing, of_newer, asked, expected) in [
        (NFDUMP, NFDUMP, NFDUMP, FileLayout::Nfdump2),
        (NFDUMP, NFDUMP, ours, FileLayout::Columnar),
        (NFDUMP, ours, ours, FileLayout::Columnar),
        (ours, NFDUMP, NFDUMP, FileLayout::Nfdump2),
        (ours, ours, NFDUMP, FileLayout::Columnar),
    ] {
        let (_dir, [existing, newer, scratch]) = places();
        write_as(&existing, of_existing, &of_exporters(&[1, 1]), exported_by(exporter(1, 1)));
        write_as(&newer, of_newer, &of_exporters(&[1, 1, 0]), exported_by(exporter(1, 9)));
        let totals = merge_files(&existing, &newer, &scratch, asked).unwrap();
        let (layout, flows) = content(&scratch);
        assert_eq!(layout, expected, "{of_existing:?} and {of_newer:?} as {asked:?}");
        assert_eq!(flows, [(1001, 1), (1001, 1), (1001, 2), (1001, 2), (1000, 0)]);
        let merged = FlowFile::open(&scratch).unwrap();
        assert_eq!((&totals, totals.flows, totals.sequence_failures), (merged.totals(), 5, 2));
        assert_eq!(merged.ident(), "test");
        assert_eq!(merged.exporters().len(), 2);
        assert_eq!(merged.exporters()[1].addr, exporter(1, 9).addr);
        assert_eq!(merged.exporters()[1].ledger.datagrams, 4);
    }
}

#[test]
fn what_nfdumps_layout_has_no_place_for_makes_a_file_of_ours() {
    let (_dir, [existing, newer, scratch]) = places();
    let mut builder = BatchBuilder::new();
    builder.set(Field::SecurityGroupTag, 7);
    builder.finish_row();
    let ledger = LossLedger { kernel_drops: 1, ..LossLedger::default() };
    for (batch, ledger) in [(builder.finish(), LossLedger::default()), (of_exporters(&[1]), ledger)] {
        write_as(&existing, FileFormat::default(), &batch, FileTail { ledger, ..FileTail::default() });
        write_as(&newer, NFDUMP, &of_exporters(&[1]), FileTail::default());
        merge_files(&existing, &newer, &scratch, NFDUMP).unwrap();
        let merged = FlowFile::open(&scratch).unwrap();
        assert_eq!((merged.layout(), merged.totals().flows), (FileLayout::Columnar, 2));
        assert_eq!(merged.ledger().kernel_drops, ledger.kernel_drops);
    }
}
