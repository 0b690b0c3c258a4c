//! Files written anew under another ident or compression: nothing else changes, and nothing is lost.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{any_batch, full_batch, options, put, read, tail, write};
use flow_file::{
    BlockCompression, Change, Compression, FileCompression, FileError, FileTail, FileWriter, FlowFile,
    rewrite_file, working_name,
};
use flow_model::{Field, FlowBatch};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

const WRITER: u32 = 4711;

struct Fixture {
    dir: tempfile::TempDir,
    path: PathBuf,
    batches: Vec<FlowBatch>,
}

impl Fixture {
    fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("nfcapd.202311142210");
        let mut batches = vec![full_batch(1, 3_000), full_batch(2, 1)];
        batches.extend((3..20).map(|seed| any_batch(seed, 200)));
        write(&path, Compression::Lz4, &batches);
        Fixture { dir, path, batches }
    }

    fn change(&self, change: Change<'_>) {
        rewrite_file(&self.path, change, WRITER).unwrap();
        let names = fs::read_dir(self.dir.path()).unwrap().count();
        assert_eq!(names, 1, "nothing stays behind");
    }
}

/// All that a reader can learn of a file but ident and compression.
fn assert_same(path: &Path, old: &FlowFile, batches: &[FlowBatch]) {
    let new = FlowFile::open(path).unwrap();
    assert!(new.is_finished() && new.problems().is_empty());
    assert_eq!(new.verify().unwrap().problems.len(), 0);
    assert_eq!(
        (new.totals(), new.rule(), new.exporters(), new.samplers(), new.ledger(), new.created_ms()),
        (old.totals(), old.rule(), old.exporters(), old.samplers(), old.ledger(), old.created_ms())
    );
    assert_eq!(new.block_count(), batches.len());
    for (block, batch) in batches.iter().enumerate() {
        let back = read(&new, block);
        for &field in Field::ALL {
            for row in 0..batch.len() {
                assert_eq!(back.column(field).get(row), batch.column(field).get(row), "{field:?} {row}");
            }
        }
        assert_eq!(new.block_stats(block), old.block_stats(block));
        let membership = new.membership(block);
        for row in 0..batch.len() {
            assert!(membership.may_contain(Field::SrcAddr, batch.column(Field::SrcAddr).ip(row)));
        }
    }
}

#[test]
fn every_compression_becomes_every_other() {
    let fixture = Fixture::new();
    let old = FlowFile::open(&fixture.path).unwrap();
    let mut sizes = Vec::new();
    for (asked, becomes) in [
        (BlockCompression::None, Compression::Light),
        (BlockCompression::Zstd(9), Compression::Zstd(9)),
        (BlockCompression::Lz4, Compression::Lz4),
        (BlockCompression::Zstd(1), Compression::Zstd(1)),
        (BlockCompression::None, Compression::Light),
    ] {
        fixture.change(Change { compression: Some(asked), ..Change::default() });
        let new = FlowFile::open(&fixture.path).unwrap();
        assert_eq!((new.compression(), new.ident()), (FileCompression::Columns(becomes), "test"));
        assert!(new.is_compressed(asked) && !new.is_compressed(BlockCompression::Lzo));
        assert_same(&fixture.path, &old, &fixture.batches);
        sizes.push(new.byte_len());
    }
    assert!(sizes[1] < sizes[2] && sizes[2] < sizes[0], "{sizes:?}");
    assert_eq!(sizes[0], sizes[4]);
}

#[test]
fn a_file_may_come_back_octet_by_octet() {
    let fixture = Fixture::new();
    let before = fs::read(&fixture.path).unwrap();
    fixture.change(Change { ident: Some("elsewhere"), ..Change::default() });
    assert_eq!(FlowFile::open(&fixture.path).unwrap().ident(), "elsewhere");
    assert_ne!(fs::read(&fixture.path).unwrap(), before);
    fixture.change(Change { ident: Some("test"), compression: Some(BlockCompression::Zstd(3)) });
    fixture.change(Change { compression: Some(BlockCompression::Lz4), ..Change::default() });
    assert!(fs::read(&fixture.path).unwrap() == before);
}

#[test]
fn a_file_without_flows_keeps_its_times() {
    let fixture = Fixture::new();
    write(&fixture.path, Compression::Lz4, &[]);
    let old = FlowFile::open(&fixture.path).unwrap();
    assert_eq!((old.totals().first_ms, old.totals().last_ms), (1, 2));
    fixture.change(Change { ident: Some(""), compression: Some(BlockCompression::None) });
    assert_same(&fixture.path, &old, &[]);
}

#[test]
fn permissions_owner_time_and_links_stay() {
    let fixture = Fixture::new();
    fs::set_permissions(&fixture.path, fs::Permissions::from_mode(0o640)).unwrap();
    let then = UNIX_EPOCH + Duration::from_secs(1_600_000_000);
    File::open(&fixture.path).unwrap().set_modified(then).unwrap();
    let before = fs::metadata(&fixture.path).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let link = elsewhere.path().join("link");
    symlink(&fixture.path, &link).unwrap();
    rewrite_file(&link, Change { ident: Some("x"), ..Change::default() }, WRITER).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    let after = fs::metadata(&fixture.path).unwrap();
    assert_ne!(before.ino(), after.ino());
    assert_eq!(FlowFile::open(&link).unwrap().ident(), "x");
    assert_eq!(
        (after.mode(), after.uid(), after.gid(), after.modified().unwrap()),
        (before.mode(), before.uid(), before.gid(), then)
    );
}

/// Refuses, and leaves the file and nothing else.
#[track_caller]
fn assert_refused(fixture: &Fixture, change: Change<'_>) -> FileError {
    let before = fs::read(&fixture.path).unwrap();
    let error = rewrite_file(&fixture.path, change, WRITER).unwrap_err();
    assert!(fs::read(&fixture.path).unwrap() == before);
    assert!(!fixture.path.with_file_name(working_name(WRITER)).exists());
    error
}

#[test]
fn damage_is_never_written_over() {
    let fixture = Fixture::new();
    let sound = fs::read(&fixture.path).unwrap();
    let change = Change { compression: Some(BlockCompression::Zstd(1)), ..Change::default() };
    for place in (0..sound.len()).step_by(sound.len() / 97) {
        let mut damaged = sound.clone();
        damaged[place] ^= 0x10;
        put(&fixture.path, &damaged);
        assert_refused(&fixture, change);
        put(&fixture.path, &sound[..place]);
        assert_refused(&fixture, change);
    }
}

#[test]
fn a_file_that_is_being_written_is_left_alone() {
    let fixture = Fixture::new();
    let mut writer = FileWriter::create(&fixture.path, options(Compression::Lz4)).unwrap();
    writer.write(&fixture.batches[0]).unwrap();
    let error = assert_refused(&fixture, Change { ident: Some("x"), ..Change::default() });
    assert!(matches!(error, FileError::NotRewritable { .. }), "{error}");
    writer.finish(FileTail { ..tail() }).unwrap();
    fixture.change(Change { ident: Some("x"), ..Change::default() });
}

#[test]
fn a_compression_that_columns_do_not_have_is_refused() {
    let fixture = Fixture::new();
    for compression in [BlockCompression::Lzo, BlockCompression::Bz2(9)] {
        let error = assert_refused(&fixture, Change { compression: Some(compression), ..Change::default() });
        assert!(error.to_string().contains("not with LZO or bzip2"), "{error}");
    }
}

#[test]
fn an_ident_that_does_not_fit_is_refused() {
    let fixture = Fixture::new();
    let long = "i".repeat(1025);
    let error = assert_refused(&fixture, Change { ident: Some(&long), ..Change::default() });
    assert!(matches!(error, FileError::Unwritable { limit: 1024, .. }), "{error}");
}
