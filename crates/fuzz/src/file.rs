//! The reader of flow files.

use crate::datagrams::consistent;
use crate::{resign, scratch};
use flow_file::FlowFile;
use flow_model::{Field, FieldSet, FlowBatch, Totals};
use std::net::{IpAddr, Ipv4Addr};

/// Blocks that are read of one input; what could be wrong with more can be wrong with these.
const MOST_BLOCKS: usize = 64;

/// Opens an input as a flow file and reads every column of every block; and once more with its checksums put right, if it is
/// laid out as ours, because a changed octet would never get past them.
///
/// Whatever it is, what can be read is consistent.
///
/// # Panics
/// When it is not.
pub fn file(input: &[u8]) {
    read_all(input);
    let mut signed = input.to_vec();
    if resign::resign(&mut signed) {
        read_all(&signed);
    }
}

fn read_all(input: &[u8]) {
    let file = match FlowFile::open(&scratch::file(input)) {
        Ok(file) => file,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(file.byte_len(), input.len() as u64);
    for problem in file.problems() {
        assert!(!problem.to_string().is_empty());
    }
    let mut totals = Totals::default();
    totals.merge(file.totals());
    let _ = (file.ident(), file.exporters(), file.samplers(), file.ledger(), file.created_ms());
    for block in 0..file.block_count().min(MOST_BLOCKS) {
        read_block(&file, block);
    }
}

fn read_block(file: &FlowFile, block: usize) {
    let stats = file.block_stats(block);
    let _ = stats.range(Field::FirstMs);
    let membership = file.membership(block);
    for field in [Field::SrcAddr, Field::XlateDstAddr] {
        let _ = membership.may_contain(field, IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let open = match file.block(block) {
        Ok(open) => open,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    for problem in open.problems() {
        assert!(!problem.to_string().is_empty());
    }
    // Each field for itself, so that one that fails hides no other.
    let mut batch = FlowBatch::new(open.rows());
    let mut sound = FieldSet::EMPTY;
    for &field in Field::ALL {
        match open.read(FieldSet::of(&[field]), &mut batch) {
            Ok(()) => sound.insert(field),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    consistent(&batch);
    // Together they give the same.
    let mut again = FlowBatch::new(open.rows());
    let all = open.read(sound, &mut again);
    assert!(all.is_ok(), "what can be read alone can be read with the others");
    // A block of nfdump's may hold other records than flows.
    let Some(last) = batch.len().checked_sub(1) else { return };
    for field in sound.iter() {
        assert_eq!(batch.column(field).get(last), again.column(field).get(last), "{field:?}");
    }
}
