//! What is written is read.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{any_batch, full_batch, options, read, tail, write};
use flow_file::{
    BlockCompression, Compression, FileError, FileFormat, FileTail, FileWriter, FlowFile, ForeignLayout,
    NfdumpRelease, RowCount, WriteOptions,
};
use flow_model::{
    BatchBuilder, BlockStats, Column, CountRule, Field, FieldSet, FlowBatch, Kind, Selection, Totals,
    field_info,
};
use flow_testkit::generate::{any_encoded_batch, any_fields};
use proptest::prelude::*;
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nfcapd.current.1");
    (dir, path)
}

fn any_compression() -> impl Strategy<Value = Compression> {
    prop_oneof![Just(Compression::Light), Just(Compression::Lz4), Just(Compression::Zstd(1))]
}

/// Everything a file says about a block fits the rows that were written.
fn check_block(file: &FlowFile, block: usize, batch: &FlowBatch) {
    assert_eq!(file.block_rows(block), RowCount::Exactly(batch.len()));
    assert_eq!(&read(file, block), batch);
    let expected = BlockStats::of(batch);
    for &field in Field::ALL {
        if field_info(field).kind != Kind::Bytes {
            assert_eq!(file.block_stats(block).range(field), expected.range(field), "{field:?}");
        }
        if !file.block_fields(block).contains(field) {
            let absent = FlowBatch::new(1);
            let column = batch.column(field);
            let mut absent = absent;
            absent.mark_decoded(FieldSet::ALL);
            assert!((0..batch.len()).all(|row| column.get(row) == absent.column(field).get(0)));
        }
    }
    let membership = file.membership(block);
    for &field in Field::ALL.iter().filter(|&&field| field_info(field).kind == Kind::Ip) {
        assert!(common::addresses(batch, field).all(|addr| membership.may_contain(field, addr)), "{field:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn any_batches_survive(
        seeds in prop::collection::vec((any::<u64>(), 1_usize..1500), 0..4), compression in any_compression(),
    ) {
        let (_dir, path) = place();
        let batches: Vec<_> = seeds.into_iter().map(|(seed, rows)| any_batch(seed, rows)).collect();
        write(&path, compression, &batches);
        let file = FlowFile::open(&path).unwrap();
        prop_assert!(file.is_finished());
        prop_assert!(file.problems().is_empty());
        prop_assert_eq!(file.block_count(), batches.len());
        let mut totals = Totals { sequence_failures: 3, ..Totals::default() };
        for (block, batch) in batches.iter().enumerate() {
            check_block(&file, block, batch);
            totals.add(batch, &Selection::all(batch.len()), CountRule::Collected);
        }
        // A file without flows, or of flows without an end, has the times of its slot.
        if totals.last_ms == 0 {
            (totals.first_ms, totals.last_ms) = (1, 2);
        }
        // Into the memory of another block and of another form.
        let mut reused = FlowBatch::new(0);
        for block in (0..batches.len()).rev().chain(0..batches.len()) {
            let block_read = file.block(block).unwrap();
            reused.reset(block_read.rows());
            block_read.read(FieldSet::ALL, &mut reused).unwrap();
            prop_assert_eq!(&reused, &batches[block]);
        }
        prop_assert_eq!(file.totals(), &totals);
        prop_assert_eq!(file.ident(), "test");
        prop_assert_eq!(file.created_ms(), 1_700_000_000_000);
        prop_assert_eq!(file.exporters(), &tail().exporters);
        prop_assert_eq!(file.samplers(), &tail().samplers);
        prop_assert_eq!(file.names(), &tail().names);
        prop_assert_eq!(file.exported(), &tail().exported);
        prop_assert_eq!(file.ledger(), &tail().ledger);
        prop_assert_eq!(file.byte_len(), fs::metadata(&path).unwrap().len());
    }

    #[test]
    fn columns_in_any_form_survive(batch in any_encoded_batch(600), compression in any_compression()) {
        prop_assume!(!batch.is_empty());
        let (_dir, path) = place();
        write(&path, compression, std::slice::from_ref(&batch));
        prop_assert_eq!(&read(&FlowFile::open(&path).unwrap(), 0), &batch);
        // What was read is written again as it was.
        let (_dir, again) = place();
        write(&again, compression, &[read(&FlowFile::open(&path).unwrap(), 0)]);
        prop_assert_eq!(&read(&FlowFile::open(&again).unwrap(), 0), &batch);
    }

    #[test]
    fn decoding_late_is_decoding_at_once(seed: u64, rows in 1_usize..800, early in any_fields(), late in any_fields()) {
        let (_dir, path) = place();
        write(&path, Compression::Lz4, &[any_batch(seed, rows)]);
        let file = FlowFile::open(&path).unwrap();
        let mut steps = FlowBatch::new(rows);
        file.block(0).unwrap().read(early, &mut steps).unwrap();
        prop_assert!(early.without(steps.decoded()).is_empty());
        file.block(0).unwrap().read(late, &mut steps).unwrap();
        let mut once = FlowBatch::new(rows);
        file.block(0).unwrap().read(early.union(late), &mut once).unwrap();
        for field in early.union(late).iter() {
            prop_assert!((0..rows).all(|row| steps.column(field).get(row) == once.column(field).get(row)));
        }
    }
}

#[test]
fn a_full_block_of_every_field_survives() {
    let (_dir, path) = place();
    let batches = [full_batch(1, 65_536), full_batch(2, 65_535), full_batch(3, 1)];
    write(&path, Compression::Lz4, &batches);
    let file = FlowFile::open(&path).unwrap();
    for (block, batch) in batches.iter().enumerate() {
        check_block(&file, block, batch);
    }
}

#[test]
fn an_absent_address_is_seldom_taken_for_present() {
    let (_dir, path) = place();
    let mut builder = BatchBuilder::new();
    for i in 0..20_000_u32 {
        builder.set_ip(Field::SrcAddr, IpAddr::V4((0x0a00_0000 + i * 7).into()));
        builder.set_ip(Field::DstAddr, IpAddr::V4((0x0b00_0000 + i % 300).into()));
        builder.finish_row();
    }
    write(&path, Compression::Lz4, &[builder.finish()]);
    let file = FlowFile::open(&path).unwrap();
    let membership = file.membership(0);
    let wrong = (0..20_000_u32)
        .filter(|i| membership.may_contain(Field::DstAddr, IpAddr::V4((0x0c00_0000 + i).into())))
        .count();
    assert!(wrong < 400, "{wrong} of 20,000");
    assert!(membership.may_contain(Field::NextHop, IpAddr::V4(0.into())), "no filter: maybe");
}

#[test]
fn a_file_without_footer_is_read_block_by_block() {
    let (_dir, path) = place();
    let batches = [any_batch(5, 400), any_batch(6, 3), any_batch(7, 900)];
    let mut writer = FileWriter::create(&path, options(Compression::Lz4)).unwrap();
    let mut seen = 0;
    for (count, batch) in batches.iter().enumerate() {
        writer.write(batch).unwrap();
        assert_eq!(writer.byte_len(), fs::metadata(&path).unwrap().len());
        let file = FlowFile::open(&path).unwrap();
        assert!(!file.is_finished() && file.problems().is_empty());
        assert_eq!(file.block_count(), count + 1);
        (0..=count).for_each(|block| check_block(&file, block, &batches[block]));
        seen += batch.len();
        let mut totals = Totals::default();
        batches[..=count]
            .iter()
            .for_each(|batch| totals.add(batch, &Selection::all(batch.len()), CountRule::Collected));
        assert_eq!(file.totals(), &totals);
        assert_eq!(file.totals().flows, seen as u64);
    }
    drop(writer);
    assert_eq!(FlowFile::open(&path).unwrap().block_count(), 3);
}

#[test]
fn a_reader_opened_before_keeps_its_view_while_the_file_grows_and_is_finished() {
    let (dir, path) = place();
    let batch = any_batch(11, 500);
    let mut writer = FileWriter::create(&path, options(Compression::Light)).unwrap();
    writer.write(&batch).unwrap();
    let before = FlowFile::open(&path).unwrap();
    writer.write(&any_batch(12, 100)).unwrap();
    writer.finish(FileTail::default()).unwrap();
    let slot = dir.path().join("nfcapd.202311142210");
    fs::rename(&path, &slot).unwrap();
    assert_eq!(before.block_count(), 1);
    check_block(&before, 0, &batch);
    assert_eq!(FlowFile::open(&slot).unwrap().block_count(), 2);
}

#[test]
fn a_file_is_read_while_another_thread_appends() {
    let (_dir, path) = place();
    let batches: Vec<_> = (0..40).map(|seed| any_batch(seed, 200)).collect();
    let mut writer = FileWriter::create(&path, options(Compression::Lz4)).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for batch in &batches {
                writer.write(batch).unwrap();
            }
            done.store(true, std::sync::atomic::Ordering::Release);
        });
        let mut count = 0;
        while count < batches.len() {
            let finished = done.load(std::sync::atomic::Ordering::Acquire);
            let file = FlowFile::open(&path).unwrap();
            assert!(file.block_count() >= count);
            assert!(file.problems().iter().all(|problem| matches!(problem, FileError::Torn { .. })));
            for (block, batch) in batches.iter().enumerate().take(file.block_count()).skip(count) {
                assert_eq!(&read(&file, block), batch);
            }
            count = file.block_count();
            assert!(!finished || count == batches.len());
        }
    });
}

#[test]
fn octets_beyond_the_bound_of_a_block_make_several_blocks() {
    let (_dir, path) = place();
    let mut builder = BatchBuilder::new();
    for i in 0..70_u8 {
        builder.set_bytes(Field::InPayload, &vec![i; 1 << 20]);
        builder.finish_row();
    }
    let batch = builder.finish();
    let mut writer = FileWriter::create(&path, options(Compression::Lz4)).unwrap();
    writer.write(&batch).unwrap();
    writer.finish(FileTail::default()).unwrap();
    let file = FlowFile::open(&path).unwrap();
    assert_eq!(file.block_count(), 2);
    assert_eq!(file.totals().flows, 70);
    let mut rows = 0;
    for block in 0..2 {
        let half = read(&file, block);
        for row in 0..half.len() {
            assert_eq!(half.column(Field::InPayload).bytes(row)[0], rows as u8);
            rows += 1;
        }
    }
    assert_eq!(rows, 70);
}

#[test]
fn batches_that_no_block_holds_are_refused() {
    let (_dir, path) = place();
    let mut writer = FileWriter::create(&path, options(Compression::Lz4)).unwrap();
    let mut empty = FlowBatch::new(0);
    empty.mark_decoded(FieldSet::ALL);
    assert!(matches!(writer.write(&empty), Err(FileError::Unwritable { .. })));
    let mut large = FlowBatch::new(65_537);
    large.mark_decoded(FieldSet::ALL);
    assert!(matches!(writer.write(&large), Err(FileError::Unwritable { .. })));
    assert_eq!(writer.block_count(), 0);
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file() {
    let Err(error) =
        FileWriter::create(std::path::Path::new("/dev/full"), options(Compression::Light)).map(|_| ())
    else {
        panic!("/dev/full takes nothing")
    };
    assert!(error.to_string().starts_with("/dev/full: cannot write: "), "{error}");
}

/// The body runs in a process of its own, which may not make files longer than some blocks: what a full disk does.
/// What it prints goes through a pipe, for the limit would hold for a log file as well.
#[test]
fn a_write_that_fails_is_cut_off_and_the_file_stays_usable() {
    const LIMITED: &str = "FLOW_FILE_TEST_LIMITED";
    if std::env::var_os(LIMITED).is_none() {
        let name = "a_write_that_fails_is_cut_off_and_the_file_stays_usable";
        let output = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" --exact \"$1\" --nocapture"])
            .arg(std::env::current_exe().unwrap())
            .arg(name)
            .env(LIMITED, "1")
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{}: {out}{err}", output.status);
        return;
    }
    let nfdumps = |compression| FileFormat::Nfdump { compression, release: NfdumpRelease::V1_7_8 };
    for format in [Compression::Light.into(), nfdumps(BlockCompression::None), nfdumps(BlockCompression::Lzo)]
    {
        fill_the_disk(format);
    }
}

fn fill_the_disk(format: FileFormat) {
    let (_dir, path) = place();
    let options = WriteOptions { format, ..options(Compression::Light) };
    let mut writer = FileWriter::create(&path, options).unwrap();
    let batch = any_batch(3, 50);
    let error = (0..10_000).find_map(|_| writer.write(&batch).err()).unwrap();
    assert!(error.to_string().starts_with(&format!("{}: cannot write: ", path.display())), "{error}");
    let (count, flows) = (writer.block_count(), writer.totals().flows);
    assert!(count > 0);
    assert_eq!(writer.byte_len(), fs::metadata(&path).unwrap().len(), "nothing of the failed block is left");
    let file = FlowFile::open(&path).unwrap();
    assert_eq!((file.block_count(), file.problems().len()), (count, 0));
    let rows: usize = (0..count).map(|block| file.block(block).unwrap().rows()).sum();
    assert_eq!((rows, flows), (count * 50, count as u64 * 50));
    // There is room for less, and it goes where the failed block did not.
    let mut builder = BatchBuilder::new();
    builder.set(Field::Proto, 17);
    builder.finish_row();
    if writer.write(&builder.finish()).is_ok() {
        let last = read(&FlowFile::open(&path).unwrap(), count);
        assert_eq!((last.len(), last.column(Field::Proto).num(0)), (1, 17));
    }
    if let Err(error) = writer.finish(FileTail::default()) {
        assert!(matches!(error, FileError::Io { .. }));
        assert!(FlowFile::open(&path).unwrap().problems().is_empty());
    }
}

#[test]
fn a_column_that_is_default_everywhere_is_absent() {
    let (_dir, path) = place();
    let mut batch = FlowBatch::new(10);
    batch.insert(Field::SrcAs, Column::Constant(flow_model::Value::Num(0)));
    batch.insert(Field::Proto, Column::Constant(flow_model::Value::Num(6)));
    batch.mark_decoded(FieldSet::ALL);
    write(&path, Compression::Lz4, std::slice::from_ref(&batch));
    let file = FlowFile::open(&path).unwrap();
    assert_eq!(file.block_fields(0), FieldSet::of(&[Field::Proto]));
    assert_eq!(read(&file, 0), batch);
}

#[test]
fn other_files_are_named() {
    let (_dir, path) = place();
    let error = |octets: &[u8]| {
        fs::write(&path, octets).unwrap();
        FlowFile::open(&path).map(|_| ()).unwrap_err()
    };
    assert!(matches!(error(b""), FileError::Empty { .. }));
    assert!(matches!(error(b"#!/bin/sh\n"), FileError::NotAFlowFile { .. }));
    for (octets, layout) in [
        (b"\x0c\xa5\x03\x00rest", ForeignLayout::Nfdump(3)),
        (b"\xa5\x0c\x00\x02rest", ForeignLayout::NfdumpSwapped),
    ] {
        let FileError::ForeignLayout { layout: found, .. } = error(octets) else { panic!() };
        assert_eq!(found, layout);
    }
    assert!(
        error(b"\x0c\xa5\x03\x00").to_string().ends_with("nfdump 1.8's layout (version 3) cannot be read")
    );
    let newer = error(b"\x89RDF\r\n\x1a\n\x02\x00\x01\x00 and so on");
    assert!(newer.to_string().contains("written by a newer rdump: format version 2.1"), "{newer}");
    assert!(matches!(error(b"\x89RDF\r\n\x1a\n\x01\x00"), FileError::Header { .. }));
    assert!(matches!(error(b"\x89RD"), FileError::NotAFlowFile { .. }));
    let dir = path.parent().unwrap();
    assert!(matches!(FlowFile::open(dir), Err(FileError::NotRegular { .. })));
    assert!(matches!(FlowFile::open(&dir.join("none")), Err(FileError::Io { .. })));
}
