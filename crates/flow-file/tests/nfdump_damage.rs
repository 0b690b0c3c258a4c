//! Damage to files of nfdump's layout: cut and changed at every place, written to while they are read, and files that lie.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod by_hand;
mod common;
mod watching;

use by_hand::{Place, block, flow, layout_2};
use common::{full_batch, options, put, tail};
use flow_file::{
    BlockCompression, Damage, FileError, FileFormat, FileWriter, FlowFile, NfdumpRelease, WriteOptions,
};
use flow_model::{CountRule, FieldSet, FlowBatch, Selection, Totals};
use std::fs;
use std::path::Path;

const METHODS: [BlockCompression; 5] = [
    BlockCompression::None,
    BlockCompression::Lzo,
    BlockCompression::Bz2(9),
    BlockCompression::Lz4,
    BlockCompression::Zstd(3),
];

/// A closed file of three blocks.
fn written(path: &Path, compression: BlockCompression) -> Vec<u8> {
    let format = FileFormat::Nfdump { compression, release: NfdumpRelease::default() };
    let options = WriteOptions { format, ..options(flow_file::Compression::default()) };
    let mut writer = FileWriter::create(path, options).unwrap();
    writer.announce(&tail().exporters, &tail().samplers, &tail().names).unwrap();
    for seed in 0..3 {
        writer.write(&full_batch(seed, 3)).unwrap();
    }
    writer.finish(tail()).unwrap();
    fs::read(path).unwrap()
}

/// Looks at everything; gives the flows of the blocks that are sound.
fn use_all(path: &Path, octets: &[u8]) -> Vec<FlowBatch> {
    put(path, octets);
    watching::reset();
    let mut sound = Vec::new();
    match FlowFile::open(path) {
        Err(error) => assert_eq!(error.path(), path),
        Ok(file) => {
            for block in 0..file.block_count() {
                if let Ok(open) = file.block(block) {
                    let batch = open.to_batch(FieldSet::ALL).unwrap();
                    if open.problems().is_empty() {
                        sound.push(batch);
                    }
                }
            }
            for problem in file.problems() {
                assert!(problem.to_string().starts_with(&path.display().to_string()));
            }
            let _ = (file.totals(), file.ident(), file.exporters(), file.samplers(), file.names());
        }
    }
    // The stored and the decompressed octets of a block; columns of flows of twelve octets each are smaller.
    let largest = watching::largest();
    assert!(largest <= 12 << 20, "{largest} octets at once");
    sound
}

#[test]
fn a_file_cut_anywhere_gives_its_whole_blocks() {
    let place = Place::new();
    for method in METHODS {
        let octets = written(&place.path, method);
        let whole = use_all(&place.path, &octets);
        assert!(!whole.is_empty());
        let file = FlowFile::open(&place.path).unwrap();
        assert!(file.is_finished() && file.problems().is_empty());
        let ends: Vec<u64> =
            (0..file.block_count()).map(|block| file.block_offset(block) + file.block_bytes(block)).collect();
        drop(file);
        // Where the cut is within a payload does not depend on how that is compressed.
        let is_near = |end: usize| {
            let near = |at: u64| at.abs_diff(end as u64) <= 20;
            end < 60 || octets.len() - end <= 20 || ends.iter().any(|&at| near(at))
        };
        let every = if method == BlockCompression::None { 1 } else { 31 };
        for end in (0..octets.len()).filter(|&end| end % every == 0 || is_near(end)) {
            let found = use_all(&place.path, &octets[..end]);
            let complete = ends.iter().filter(|&&block_end| block_end <= end as u64).count();
            assert_eq!(found, whole[..complete], "{method:?} cut to {end}");
        }
    }
}

#[test]
fn a_file_changed_anywhere_gives_its_other_blocks() {
    let place = Place::new();
    for method in METHODS {
        let octets = written(&place.path, method);
        let whole = use_all(&place.path, &octets);
        let file = FlowFile::open(&place.path).unwrap();
        let offsets: Vec<u64> = (0..file.block_count()).map(|block| file.block_offset(block)).collect();
        drop(file);
        // Every bit of a header, every seventh octet, each in another bit.
        let places = (0..52 * 8).chain((52..octets.len()).step_by(7).map(|at| at * 8 + at / 7 % 8));
        for (at, bit) in places.map(|place| (place / 8, place % 8)) {
            let mut changed = octets.clone();
            changed[at] ^= 1 << bit;
            let found = use_all(&place.path, &changed);
            // Inside of a block's payload, nothing but that block can suffer.
            let inside = offsets.iter().rposition(|&offset| offset + 12 <= at as u64);
            let end = offsets.last().map_or(0, |last| last + 12);
            if let Some(block) = inside.filter(|_| (at as u64) < end)
                && offsets.get(block + 1).is_none_or(|&next| (at as u64) < next)
            {
                for (number, batch) in whole.iter().enumerate().filter(|(number, _)| *number != block) {
                    assert!(found.contains(batch), "{method:?} changed at {at}: block {number} is lost");
                }
            }
        }
    }
}

/// nfcapd appends to a file while it is read, and other tools change files in place: no file is mapped, so that nothing of
/// this ends in a signal, and each opening sees what was there then.
#[test]
fn a_file_that_grows_and_shrinks_is_read_as_it_was_or_told() {
    for method in METHODS {
        let place = Place::new();
        let format = FileFormat::Nfdump { compression: method, release: NfdumpRelease::default() };
        let mut writer = FileWriter::create(
            &place.path,
            WriteOptions { format, ..options(flow_file::Compression::default()) },
        )
        .unwrap();
        let rows = |file: &FlowFile| -> Vec<usize> {
            (0..file.block_count()).map(|block| file.block(block).unwrap().rows()).collect()
        };
        let nothing = FlowFile::open(&place.path).unwrap();
        assert_eq!((nothing.block_count(), nothing.problems().len(), nothing.is_finished()), (0, 0, false));
        writer.write(&full_batch(1, 5)).unwrap();
        let one = FlowFile::open(&place.path).unwrap();
        assert_eq!(rows(&one), [5]);
        writer.write(&full_batch(2, 7)).unwrap();
        // Half of a block that is being written.
        let octets = fs::read(&place.path).unwrap();
        let after_first = (one.block_offset(0) + one.block_bytes(0)) as usize;
        fs::write(&place.path, &octets[..usize::midpoint(after_first, octets.len())]).unwrap();
        let torn = FlowFile::open(&place.path).unwrap();
        assert_eq!(rows(&torn), [5]);
        let [FileError::Torn { block: 1, offset, .. }] = torn.problems() else {
            panic!("{:?}", torn.problems())
        };
        assert_eq!(*offset, after_first as u64);
        fs::write(&place.path, &octets).unwrap();
        let both = FlowFile::open(&place.path).unwrap();
        assert_eq!((rows(&both), both.problems().len()), (vec![5, 7], 0));
        assert_eq!(rows(&one), [5], "what was opened before is as it was");
        writer.finish(tail()).unwrap();
        let finished = FlowFile::open(&place.path).unwrap();
        assert!(finished.is_finished() && finished.problems().is_empty());
        assert_eq!(finished.totals().flows, 12);
        // Somebody empties the file.
        let block = finished.block(0).unwrap();
        fs::write(&place.path, []).unwrap();
        assert_eq!(block.to_batch(FieldSet::ALL).unwrap().len(), 5);
        let error = finished.block(1).unwrap_err();
        assert!(error.to_string().starts_with(&place.path.display().to_string()), "{error}");
    }
}

/// What an appendix said that is lost is had from the blocks.
#[test]
fn without_an_appendix_the_flows_are_added_up() {
    let place = Place::new();
    for method in METHODS {
        let octets = written(&place.path, method);
        let sound = FlowFile::open(&place.path).unwrap();
        let (totals, appendix) = (*sound.totals(), u64::from_le_bytes(*octets[24..].first_chunk().unwrap()));
        drop(sound);
        // Its place is not known: the records are found there nevertheless.
        for offset in [appendix + 1, 40, u64::MAX] {
            let mut moved = octets.clone();
            moved[24..32].copy_from_slice(&offset.to_le_bytes());
            let file = place.open(&moved);
            assert!(matches!(file.problems(), [FileError::Appendix { .. }]), "{:?}", file.problems());
            assert!(!file.is_finished());
            assert_eq!((file.ident(), file.totals()), ("test", &totals), "{method:?} {offset}");
            assert_eq!(file.ledger().flows, totals.flows);
        }
        // It is not there: the ident is lost. The writer knew of failures of sequence beyond those of exporters.
        let added_up = |octets: &[u8], flows: &[FlowBatch]| {
            let mut expected = Totals::default();
            for batch in flows {
                expected.add(batch, &Selection::all(batch.len()), CountRule::Collected);
            }
            let file = place.open(octets);
            assert_eq!((file.ident(), file.totals()), ("", &expected), "{method:?}");
        };
        let whole = use_all(&place.path, &octets);
        added_up(&octets[..appendix as usize], &whole);
        let mut damaged = octets.clone();
        damaged[appendix as usize + 4..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
        added_up(&damaged, &whole);
        // Only what can be read counts.
        let file = place.open(&octets);
        let last_flows = file.block_offset(3) as usize;
        drop(file);
        let cut = &octets[..last_flows + 20];
        let left = use_all(&place.path, cut);
        assert_eq!(left.len(), 3, "exporters and two blocks of flows");
        added_up(cut, &left);
    }
}

#[test]
fn a_block_that_claims_gigabytes_takes_no_memory_for_them() {
    let place = Place::new();
    let mut claims = layout_2(&[vec![flow(&[])]]);
    claims[44..48].copy_from_slice(&u32::MAX.to_le_bytes());
    assert!(use_all(&place.path, &claims).is_empty());
    let file = place.open(&claims);
    assert_eq!(file.block_count(), 0);
    let [FileError::Block { offset: 40, damage: Damage::TooLarge { limit: 5_242_880, .. }, .. }] =
        file.problems()
    else {
        panic!("{:?}", file.problems())
    };
    // Twenty kilobytes that would become sixty megabytes.
    for (code, bomb) in [(3, lz4_bomb()), (4, zstd_bomb())] {
        let mut octets = layout_2(&[]);
        octets[16] = code;
        octets.extend(block(3, 1, &bomb));
        assert!(use_all(&place.path, &octets).is_empty());
        let file = place.open(&octets);
        let Err(FileError::Block { damage, .. }) = file.block(0) else { panic!("it was read") };
        assert!(matches!(damage, Damage::TooLarge { what: "decompressed size", .. }), "{damage}");
    }
}

/// A literal, a copy of very many, and a last literal.
fn lz4_bomb() -> Vec<u8> {
    let mut bomb = vec![0x1f, b'x', 1, 0];
    bomb.extend(vec![0xff; 240_000]);
    bomb.extend([0, 0x50]);
    bomb.extend(b"12345");
    bomb
}

fn zstd_bomb() -> Vec<u8> {
    zstd::bulk::compress(&vec![0; 64 << 20], 3).unwrap()
}
