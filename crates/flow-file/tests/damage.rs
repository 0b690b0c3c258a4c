//! Damaged files: an error or correct flows, never a panic, and no more memory than the file can justify.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod watching;

use common::{addresses, full_batch, options, put, read, write};
use flow_file::{Compression, FileError, FileWriter, FlowFile};
use flow_model::{BatchBuilder, Field, FieldSet, FlowBatch, Kind, Range, ValueRef, field_info};
use std::fs;
use std::path::{Path, PathBuf};

/// Nothing that reading a file of a few kilobytes needs is larger: 65,536 rows of 17 octets is what a block that
/// lies about its rows can make us ask for, doubled once by growing.
const MOST_MEMORY: usize = 4 << 20;

struct Fixture {
    _dir: tempfile::TempDir,
    path: PathBuf,
    batches: Vec<FlowBatch>,
    octets: Vec<u8>,
    /// Where each block starts, and where the footer does.
    starts: Vec<usize>,
}

impl Fixture {
    fn new(batches: Vec<FlowBatch>) -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write(&path, Compression::Lz4, &batches);
        let file = FlowFile::open(&path).unwrap();
        let mut starts: Vec<usize> =
            (0..batches.len()).map(|block| file.block_offset(block) as usize).collect();
        let last = batches.len() - 1;
        starts.push(starts[last] + file.block_bytes(last) as usize);
        let octets = fs::read(&path).unwrap();
        Fixture { path, batches, octets, starts, _dir: dir }
    }

    /// Three blocks: every field; what a router sends; a single row.
    fn every_field() -> Fixture {
        let mut builder = BatchBuilder::new();
        for i in 0..70 {
            builder.set(Field::FirstMs, 1_700_000_000_000 + i * 13 % 50);
            builder.set(Field::LastMs, 1_700_000_000_100 + i * 17 % 50);
            builder.set_ip(Field::SrcAddr, std::net::Ipv4Addr::from_bits(0x0a00_0000 + i as u32).into());
            builder.set_ip(Field::DstAddr, std::net::Ipv6Addr::from_bits(u128::from(i % 3)).into());
            builder.set(Field::SrcPort, i % 2);
            builder.finish_row();
        }
        Fixture::new(vec![full_batch(7, 40), builder.finish(), full_batch(8, 1)])
    }

    fn small() -> Fixture {
        let mut builder = BatchBuilder::new();
        for i in 0..9 {
            builder.set(Field::FirstMs, 1_700_000_000_000 + i * i);
            builder.set(Field::SrcPort, i % 4);
            builder.set_ip(Field::SrcAddr, std::net::Ipv4Addr::from_bits(0x0a00_0000 + i as u32).into());
            builder.set_bytes(Field::UserName, if i % 2 == 0 { b"alice" } else { b"bob" });
            builder.finish_row();
        }
        Fixture::new(vec![builder.finish(), full_batch(9, 2)])
    }

    /// Puts `octets` into the file, reads all that can be read, and gives how many blocks those were.
    fn check(&self, octets: &[u8], what: &dyn std::fmt::Display) -> usize {
        put(&self.path, octets);
        watching::reset();
        let readable = read_what_is_there(&self.path, &self.batches, what);
        let largest = watching::largest();
        assert!(largest <= MOST_MEMORY, "{what}: {largest} octets at once");
        readable
    }
}

/// Every block that reads without an error must be one of `batches`, in order.
fn read_what_is_there(path: &Path, batches: &[FlowBatch], what: &dyn std::fmt::Display) -> usize {
    let file = match FlowFile::open(path) {
        Ok(file) => file,
        Err(error) => {
            assert!(error.path() == path && error.to_string().starts_with(&path.display().to_string()));
            return 0;
        }
    };
    let mut readable = 0;
    let mut rest = batches.iter();
    for block in 0..file.block_count() {
        let open = file.block(block).unwrap();
        let mut batch = FlowBatch::new(open.rows());
        match open.read(FieldSet::ALL, &mut batch) {
            Ok(()) => {
                let original = rest.find(|original| **original == batch);
                let original = original.unwrap_or_else(|| panic!("{what}: wrong flows in block {block}"));
                check_pruning(&file, block, original, what);
                readable += 1;
            }
            Err(error) => {
                let FileError::Block { block: named, .. } = error else { panic!("{what}: {error}") };
                assert_eq!(named, block);
                // The other columns still answer, and what they answer is right.
                let alone = FieldSet::of(&[Field::SrcPort]);
                let mut batch = FlowBatch::new(open.rows());
                if open.read(alone, &mut batch).is_ok() {
                    let ports = |batch: &FlowBatch| -> Vec<u64> {
                        (0..batch.len()).map(|row| batch.column(Field::SrcPort).num(row)).collect()
                    };
                    let found = ports(&batch);
                    assert!(batches.iter().any(|original| ports(original) == found), "{what}");
                }
            }
        }
    }
    readable
}

/// Neither ranges nor filters may rule out what is there.
fn check_pruning(file: &FlowFile, block: usize, batch: &FlowBatch, what: &dyn std::fmt::Display) {
    let membership = file.membership(block);
    for &field in Field::ALL {
        let inside = |value| match (value, file.block_stats(block).range(field)) {
            (ValueRef::Num(num), Some(Range::Num { min, max })) => (min..=max).contains(&num),
            (ValueRef::Ip(addr), Some(Range::Ip { min, max })) => (min..=max).contains(&addr),
            (ValueRef::Bytes(_), None) => true,
            _ => false,
        };
        assert!(
            (0..batch.len()).all(|row| inside(batch.column(field).get(row))),
            "{what}: range of {field:?}"
        );
        if field_info(field).kind == Kind::Ip {
            assert!(
                addresses(batch, field).all(|addr| membership.may_contain(field, addr)),
                "{what}: filter of {field:?}"
            );
        }
    }
}

#[test]
fn cut_at_every_octet() {
    let fixture = Fixture::every_field();
    for len in 0..fixture.octets.len() {
        let readable = fixture.check(&fixture.octets[..len], &format_args!("cut to {len}"));
        let whole = fixture.starts[1..].iter().filter(|&&end| end <= len).count();
        assert_eq!(readable, whole, "cut to {len}");
        if let Ok(file) = FlowFile::open(&fixture.path) {
            assert!(!file.is_finished());
            let at_a_boundary = fixture.starts.contains(&len);
            let torn = matches!(file.problems(), [FileError::Torn { .. }]);
            assert!(torn || at_a_boundary || len > fixture.starts[3], "cut to {len}: {:?}", file.problems());
        }
    }
    assert_eq!(fixture.check(&fixture.octets, &"whole"), 3);
}

#[test]
fn every_bit_of_a_small_file_flipped() {
    let fixture = Fixture::small();
    for bit in 0..fixture.octets.len() * 8 {
        let mut octets = fixture.octets.clone();
        octets[bit / 8] ^= 1 << (bit % 8);
        let readable = fixture.check(&octets, &format_args!("bit {bit}"));
        // A flipped bit costs the block it is in, at most; in the header of a finished file it costs nothing.
        assert!(readable >= 1, "bit {bit}: {readable} blocks");
    }
}

#[test]
fn every_bit_of_headers_and_directories_flipped_without_a_footer() {
    let fixture = Fixture::small();
    let unfinished = &fixture.octets[..fixture.starts[2]];
    for bit in 0..unfinished.len() * 8 {
        let mut octets = unfinished.to_vec();
        octets[bit / 8] ^= 1 << (bit % 8);
        let readable = fixture.check(&octets, &format_args!("bit {bit}"));
        assert!(readable >= 1 || bit < fixture.starts[0] * 8, "bit {bit}: {readable} blocks");
    }
}

#[test]
fn every_octet_of_a_file_with_all_fields_damaged() {
    let fixture = Fixture::every_field();
    for at in 0..fixture.octets.len() {
        let mut octets = fixture.octets.clone();
        octets[at] ^= 1 << (at % 8);
        let readable = fixture.check(&octets, &format_args!("octet {at}"));
        assert!(readable >= 2, "octet {at}: {readable} blocks");
    }
}

#[test]
fn zeros_where_power_failed() {
    let fixture = Fixture::every_field();
    for block in 0..3 {
        let (start, end) = (fixture.starts[block], fixture.starts[block + 1]);
        for from in (start..end).step_by(97) {
            let mut octets = fixture.octets[..end].to_vec();
            octets[from..].fill(0);
            let readable = fixture.check(&octets, &format_args!("zeros from {from}"));
            // Only the last chunk can be zeros and right.
            assert!(readable == block || readable == block + 1);
        }
    }
}

#[test]
fn blocks_behind_a_damaged_one_are_found_without_footer() {
    let fixture = Fixture::every_field();
    let mut octets = fixture.octets[..fixture.starts[3]].to_vec();
    octets[fixture.starts[1] + 9] ^= 0x10;
    assert_eq!(fixture.check(&octets, &"second block header"), 2);
    let file = FlowFile::open(&fixture.path).unwrap();
    let [problem @ FileError::Block { block: 1, offset, field: None, .. }] = file.problems() else {
        panic!("{:?}", file.problems())
    };
    assert_eq!(*offset, fixture.starts[1] as u64);
    assert!(problem.to_string().contains(&format!(": block 1 at byte {offset}: ")), "{problem}");
}

#[test]
fn a_damaged_column_is_named() {
    let fixture = Fixture::every_field();
    let mut octets = fixture.octets.clone();
    // The last chunks of a block are the filters; in front of them stands the last column.
    let end = fixture.starts[2];
    let mut named = Vec::new();
    for at in fixture.starts[1]..end {
        octets[at] ^= 1;
        put(&fixture.path, &octets);
        octets[at] ^= 1;
        let file = FlowFile::open(&fixture.path).unwrap();
        let mut batch = FlowBatch::new(70);
        if let Err(error @ FileError::Block { field: Some(field), .. }) =
            file.block(1).unwrap().read(FieldSet::ALL, &mut batch)
        {
            assert!(
                error.to_string().contains(&format!("column `{}`: checksum is ", field_info(field).name))
            );
            if named.last() != Some(&field) {
                named.push(field);
            }
            // Before and behind it everything is there.
            let others = FieldSet::ALL.without(FieldSet::of(&[field, Field::LastMs]));
            let mut batch = FlowBatch::new(70);
            file.block(1).unwrap().read(others, &mut batch).unwrap();
        }
    }
    let expected = [Field::FirstMs, Field::LastMs, Field::SrcAddr, Field::DstAddr, Field::SrcPort];
    assert!(named.iter().all(|field| expected.contains(field) || *field == Field::Groups), "{named:?}");
    assert!(named.len() >= 4, "{named:?}");
}

#[test]
fn a_file_of_another_length_than_it_was_finished_with_is_walked() {
    let fixture = Fixture::small();
    let mut octets = fixture.octets.clone();
    // Something was appended that looks like the end of a finished file.
    let trailer = octets[octets.len() - 32..].to_vec();
    octets.extend_from_slice(&trailer);
    assert_eq!(fixture.check(&octets, &"appended"), 2);
    let file = FlowFile::open(&fixture.path).unwrap();
    assert!(!file.is_finished());
    assert!(matches!(file.problems(), [FileError::Footer { .. }]));
}

#[test]
fn a_failed_write_leaves_whole_blocks() {
    // A writer that is given up on in the middle: what is there is whole, what is not is not seen.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let mut writer = FileWriter::create(&path, options(Compression::Lz4)).unwrap();
    writer.write(&full_batch(1, 10)).unwrap();
    drop(writer);
    let mut octets = fs::read(&path).unwrap();
    octets.extend_from_slice(b"RDBk");
    fs::write(&path, &octets).unwrap();
    let file = FlowFile::open(&path).unwrap();
    assert_eq!(file.block_count(), 1);
    assert_eq!(read(&file, 0), full_batch(1, 10));
    assert!(matches!(file.problems(), [FileError::Torn { block: 1, available: 4, .. }]));
}
