//! The files that are checked in, one or more of every version of the format, stay readable.
//!
//! They are never written anew. A new version of the format adds a set of its own: `UPDATE=1 cargo test -p flow-file
//! --test shipped` copies what is missing and touches nothing that is there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod json;

use common::{full_batch, options, read, tail, write};
use flow_file::{Compression, FileWriter, FlowFile};
use flow_model::{BatchBuilder, Field, FlowBatch};
use flow_testkit::generate::Rng;
use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/files")
}

/// Paths in `directory` that end so.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    files.sort();
    files
}

/// Whether every file gives the flows written down beside it, and what the writer was told about them.
fn check(directory: &Path) {
    let files = files(directory, "flows");
    assert!(!files.is_empty());
    for path in files {
        let expected = fs::read_to_string(path.with_extension("jsonl")).unwrap();
        let file = FlowFile::open(&path).unwrap();
        assert!(file.problems().is_empty(), "{:?}", file.problems());
        let batches: Vec<FlowBatch> = (0..file.block_count()).map(|block| read(&file, block)).collect();
        json::compare(&expected, &batches).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert_eq!(file.totals().flows as usize, expected.lines().count());
        assert_eq!((file.ident(), file.created_ms()), ("test", 1_700_000_000_000));
        if file.is_finished() {
            assert_eq!(file.exporters(), tail().exporters);
            assert_eq!(file.samplers(), tail().samplers);
            // Version 1.0 had neither names nor what exporters say of themselves.
            let is_first = !path.to_string_lossy().contains("v1.1");
            assert_eq!(file.names(), if is_first { Vec::new() } else { tail().names });
            assert_eq!(file.exported(), if is_first { Vec::new() } else { tail().exported });
            assert_eq!(file.ledger(), &tail().ledger);
            assert_eq!(file.totals().sequence_failures, 3);
        }
    }
}

#[test]
fn every_file_gives_the_flows_written_down_beside_it() {
    check(&shipped());
}

#[test]
fn no_file_is_without_its_flows_and_no_flows_without_their_file() {
    let stems = |extension: &str| -> Vec<PathBuf> {
        files(&shipped(), extension).into_iter().map(|path| path.with_extension("")).collect()
    };
    assert_eq!(stems("flows"), stems("jsonl"));
    let others = fs::read_dir(shipped()).unwrap().filter(|entry| {
        let path = entry.as_ref().unwrap().path();
        !["flows", "jsonl", "md"].iter().any(|known| path.extension().is_some_and(|found| found == *known))
    });
    assert_eq!(others.count(), 0);
}

/// Enough rows for whole groups of packed numbers, of every width of lane.
fn wide_block() -> FlowBatch {
    let mut rng = Rng::new(20);
    let mut builder = BatchBuilder::new();
    for row in 0..1_030_u64 {
        let first = 1_700_000_000_000 + rng.below(290_000);
        builder.set(Field::FirstMs, if row % 500 == 77 { 0 } else { first });
        builder.set(Field::LastMs, first + rng.below(20_000));
        builder.set(Field::ReceivedMs, 1_700_000_300_000 + row / 25 * 40);
        builder.set(Field::SrcPort, 1024 + rng.below(300));
        builder.set(Field::InBytes, if row % 100 == 9 { rng.next_u64() >> 20 } else { 40 + rng.below(1400) });
        builder.set(Field::InPackets, 1 + rng.below(3));
        builder.set(Field::FlowId, rng.next_u64());
        builder.set(Field::ConnId, rng.next_u64() >> 38);
        let host = rng.skewed(200) as u32;
        if row % 4 == 0 {
            builder.set_ip(Field::SrcAddr, Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(host)).into());
        } else {
            builder.set_ip(Field::SrcAddr, Ipv4Addr::from_bits(0xc633_6400 + host).into());
        }
        builder.finish_row();
    }
    builder.finish()
}

/// A set of files of today's version, in `directory`.
fn make(directory: &Path) {
    let batches = [full_batch(40, 24), wide_block(), full_batch(41, 1)];
    let unfinished = [batches[0].clone(), batches[2].clone()];
    write(&directory.join("v1.1-lz4.flows"), Compression::Lz4, &batches);
    write(&directory.join("v1.1-zstd.flows"), Compression::Zstd(3), &batches[..1]);
    let mut writer =
        FileWriter::create(&directory.join("v1.1-unfinished.flows"), options(Compression::Light)).unwrap();
    for batch in &unfinished {
        writer.write(batch).unwrap();
    }
    for (name, batches) in
        [("v1.1-lz4", &batches[..]), ("v1.1-zstd", &batches[..1]), ("v1.1-unfinished", &unfinished)]
    {
        fs::write(directory.join(format!("{name}.jsonl")), json::lines(batches)).unwrap();
    }
}

#[test]
fn a_set_of_todays_version_can_be_made_and_every_kind_of_file_in_it_is_shipped() {
    let made = tempfile::tempdir().unwrap();
    make(made.path());
    check(made.path());
    for entry in fs::read_dir(made.path()).unwrap() {
        let entry = entry.unwrap();
        let place = shipped().join(entry.file_name());
        if !place.exists() && std::env::var("UPDATE").is_ok_and(|update| update == "1") {
            fs::copy(entry.path(), &place).unwrap();
        }
        assert!(place.exists(), "{} is not shipped: set UPDATE=1", place.display());
    }
}
