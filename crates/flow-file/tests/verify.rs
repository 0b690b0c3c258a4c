//! Verifying: silent on sound files, and no octet of a file can change unnoticed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use common::{any_batch, full_batch, put, write};
use flow_file::{Compression, Counts, FileError, FlowFile};
use flow_model::Field;
use std::fs;
use std::path::Path;

fn problems(path: &Path) -> Vec<String> {
    match FlowFile::open(path).and_then(|file| file.verify()) {
        Ok(found) => found.problems.iter().map(ToString::to_string).collect(),
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn sound_files_have_no_problems_and_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let batches = [full_batch(1, 7_000), full_batch(2, 1), any_batch(3, 500)];
    for compression in [Compression::Light, Compression::Lz4, Compression::Zstd(3)] {
        write(&path, compression, &batches);
        let file = FlowFile::open(&path).unwrap();
        let found = file.verify().unwrap();
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        let columns: usize = (0..3).map(|block| file.block_fields(block).len()).sum();
        assert_eq!(found.counts, Counts::Columnar { rows: 7_501, columns: columns as u64 });
    }
    write(&path, Compression::Lz4, &[]);
    assert_eq!(problems(&path), [""; 0]);
}

#[test]
fn no_octet_changes_unnoticed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    write(&path, Compression::Lz4, &[full_batch(7, 3), any_batch(9, 2)]);
    let sound = fs::read(&path).unwrap();
    // Every octet of both ends, where each means something of its own, and every seventh between.
    for place in (0..sound.len()).filter(|&at| at < 200 || at + 400 > sound.len() || at % 7 == 0) {
        let mut damaged = sound.clone();
        damaged[place] ^= 1 << (place % 8);
        put(&path, &damaged);
        assert!(!problems(&path).is_empty(), "octet {place} of {}", sound.len());
    }
}

#[test]
fn every_damaged_column_is_named_not_only_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    write(&path, Compression::Light, &[full_batch(7, 3_000)]);
    let file = FlowFile::open(&path).unwrap();
    let (start, len) = (file.block_offset(0) as usize, file.block_bytes(0) as usize);
    let mut octets = fs::read(&path).unwrap();
    for part in 1..4 {
        octets[start + len * part / 4] ^= 1;
    }
    fs::write(&path, octets).unwrap();
    let found = FlowFile::open(&path).unwrap().verify().unwrap();
    let columns: Vec<Option<Field>> = found
        .problems
        .iter()
        .map(|problem| match problem {
            FileError::Block { field, .. } => *field,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(columns.len(), 3, "{columns:?}");
    assert!(columns.iter().all(Option::is_some) && columns.is_sorted());
}

#[test]
fn an_unfinished_file_is_whole_as_far_as_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    write(&path, Compression::Lz4, &[full_batch(1, 100), full_batch(2, 100)]);
    let file = FlowFile::open(&path).unwrap();
    let end = file.block_offset(1) + file.block_bytes(1);
    let octets = fs::read(&path).unwrap();
    fs::write(&path, &octets[..end as usize]).unwrap();
    assert_eq!(problems(&path), [""; 0]);
    fs::write(&path, &octets[..end as usize - 1]).unwrap();
    assert_eq!(problems(&path).len(), 1);
}
