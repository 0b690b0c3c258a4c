//! Files made by somebody who can compute checksums: whatever they say, no panic and no unbounded memory.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod watching;

use common::{full_batch, put, write};
use flow_file::{Compression, FlowFile};
use flow_model::{Field, FieldSet, FlowBatch};
use flow_testkit::generate::Rng;
use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use twox_hash::XxHash3_64;

/// What a lie about rows (65,536 of them, 17 octets each, in a vector that doubles) can make a reader ask for.
const MOST_MEMORY: usize = 4 << 20;

const ROUNDS: u64 = 1_000;

struct Target {
    _dir: tempfile::TempDir,
    path: PathBuf,
    octets: Vec<u8>,
    /// Block starts, then where the footer starts.
    starts: Vec<usize>,
}

fn target(compression: Compression) -> Target {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    // Enough rows for whole groups of packed values in the first block, few in the second.
    write(&path, compression, &[full_batch(3, 1100), full_batch(4, 20)]);
    let file = FlowFile::open(&path).unwrap();
    let mut starts: Vec<usize> = (0..2).map(|block| file.block_offset(block) as usize).collect();
    starts.push(starts[1] + file.block_bytes(1) as usize);
    let octets = fs::read(&path).unwrap();
    Target { path, octets, starts, _dir: dir }
}

fn sign(octets: &mut [u8], checked: std::ops::Range<usize>) {
    let sum = XxHash3_64::oneshot(&octets[checked.clone()]);
    octets[checked.end..checked.end + 8].copy_from_slice(&sum.to_le_bytes());
}

fn directory_end(octets: &[u8], start: usize) -> usize {
    start + 32 + u32::from_le_bytes(octets[start + 16..start + 20].try_into().unwrap()) as usize
}

fn spoil(rng: &mut Rng, octets: &mut [u8]) {
    for _ in 0..=rng.below(3) {
        let at = rng.below(octets.len() as u64) as usize;
        octets[at] = match rng.below(4) {
            0 => 0xff,
            1 => 0,
            2 => octets[at].wrapping_add(1),
            _ => rng.next_u64() as u8,
        };
    }
}

/// Opens, prunes and reads whatever is there.
fn use_all(path: &Path, octets: &[u8], what: &dyn std::fmt::Display) {
    put(path, octets);
    watching::reset();
    if let Ok(file) = FlowFile::open(path) {
        let blocks = file.block_count().min(50);
        for block in 0..blocks {
            let _ = file.block_stats(block);
            let membership = file.membership(block);
            for field in [Field::SrcAddr, Field::XlateDstAddr] {
                membership.may_contain(field, IpAddr::V4(Ipv4Addr::LOCALHOST));
            }
            let Ok(open) = file.block(block) else { continue };
            let mut batch = FlowBatch::new(open.rows());
            // Each field for itself, so that one that fails hides no other.
            for &field in Field::ALL {
                if open.read(FieldSet::of(&[field]), &mut batch).is_ok() {
                    let rows = batch.len();
                    let _ = batch.column(field).get(rows - 1);
                }
            }
        }
        let _ = (file.totals(), file.exporters(), file.ledger());
    }
    let largest = watching::largest();
    assert!(largest <= MOST_MEMORY, "{what}: {largest} octets at once");
}

#[test]
fn lying_directories() {
    for compression in [Compression::Light, Compression::Lz4] {
        let target = target(compression);
        let mut rng = Rng::new(1);
        for round in 0..ROUNDS {
            let mut octets = target.octets[..target.starts[2]].to_vec();
            let start = target.starts[rng.below(2) as usize];
            let end = directory_end(&octets, start);
            spoil(&mut rng, &mut octets[start + 32..end - 8]);
            sign(&mut octets, start + 32..end - 8);
            use_all(&target.path, &octets, &format_args!("round {round}"));
        }
    }
}

#[test]
fn lying_block_headers() {
    let target = target(Compression::Lz4);
    let mut rng = Rng::new(2);
    for round in 0..ROUNDS {
        let mut octets = target.octets[..target.starts[2]].to_vec();
        let start = target.starts[rng.below(2) as usize];
        if rng.chance(50) {
            // More rows than there are.
            let rows = [1_u32, 1099, 1101, 65_536, 65_537, u32::MAX][rng.below(6) as usize];
            octets[start + 4..start + 8].copy_from_slice(&rows.to_le_bytes());
        } else {
            spoil(&mut rng, &mut octets[start + 4..start + 24]);
        }
        sign(&mut octets, start..start + 24);
        use_all(&target.path, &octets, &format_args!("round {round}"));
    }
}

#[test]
fn lying_footers() {
    let target = target(Compression::Lz4);
    let mut rng = Rng::new(3);
    for round in 0..ROUNDS {
        let mut octets = target.octets.clone();
        let (start, end) = (target.starts[2], octets.len() - 16);
        spoil(&mut rng, &mut octets[start..end - 16]);
        if rng.chance(10) {
            spoil(&mut rng, &mut octets[end - 16..end - 8]);
        }
        sign(&mut octets, start..end);
        use_all(&target.path, &octets, &format_args!("round {round}"));
    }
}

#[test]
fn lying_columns() {
    for compression in [Compression::Light, Compression::Lz4, Compression::Zstd(1)] {
        let target = target(compression);
        let mut rng = Rng::new(4);
        for round in 0..ROUNDS {
            let mut octets = target.octets.clone();
            let start = target.starts[rng.below(2) as usize];
            let chunks = chunks(&octets, start);
            for _ in 0..5 {
                let (range, sum_at) = chunks[rng.below(chunks.len() as u64) as usize].clone();
                // What decides stands at the start of a chunk.
                let head = if rng.chance(70) { range.len().min(16) } else { range.len() };
                spoil(&mut rng, &mut octets[range.start..range.start + head]);
                let sum = XxHash3_64::oneshot(&octets[range]);
                octets[sum_at..sum_at + 8].copy_from_slice(&sum.to_le_bytes());
            }
            let end = directory_end(&octets, start);
            sign(&mut octets, start + 32..end - 8);
            use_all(&target.path, &octets, &format_args!("round {round}"));
        }
    }
}

/// Where the chunks of a block are, and where their checksums: `docs/format.md`, Directory.
fn chunks(octets: &[u8], start: usize) -> Vec<(std::ops::Range<usize>, usize)> {
    let mut at = start + 32;
    let varint = |at: &mut usize| {
        let mut num = 0_u64;
        for shift in (0..).step_by(7) {
            let octet = octets[*at];
            *at += 1;
            num |= u64::from(octet & 0x7f) << shift;
            if octet < 0x80 {
                break;
            }
        }
        num
    };
    at += 1;
    for _ in 0..18 {
        varint(&mut at);
    }
    let mut offset = directory_end(octets, start);
    let mut chunks = Vec::new();
    for _ in 0..varint(&mut at) {
        varint(&mut at);
        let (class, compression) = (octets[at], octets[at + 2]);
        at += 3;
        let len = varint(&mut at) as usize;
        if compression != 0 {
            varint(&mut at);
        }
        if len > 0 {
            chunks.push((offset..offset + len, at));
            at += 8;
        }
        offset += len;
        match class {
            0 => (varint(&mut at), varint(&mut at)).0,
            1 => {
                for _ in 0..2 {
                    at += if octets[at] == 4 { 5 } else { 17 };
                }
                0
            }
            _ => 0,
        };
    }
    chunks
}
