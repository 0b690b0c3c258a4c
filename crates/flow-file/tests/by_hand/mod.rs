//! Files of nfdump's layout 2 made by hand, octet by octet.

use flow_file::FlowFile;
use std::fs;
use std::path::PathBuf;

/// A record: type, size, and what comes after.
pub(crate) fn record(kind: u16, rest: &[u8]) -> Vec<u8> {
    let len = (rest.len() + 4) as u16;
    [&kind.to_le_bytes(), &len.to_le_bytes(), rest].concat()
}

/// A flow record of layout 2.
pub(crate) fn flow(elements: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut rest = Vec::from((elements.len() as u16).to_le_bytes());
    // Engine type and id, exporter, flags with the mark that means something in memory only, version.
    rest.extend_from_slice(&[3, 4, 7, 0, 0x82, 9]);
    for (id, data) in elements {
        rest.extend_from_slice(&record(*id, data));
    }
    record(11, &rest)
}

pub(crate) fn block(kind: u16, records: u32, payload: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    octets.extend_from_slice(&records.to_le_bytes());
    octets.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    octets.extend_from_slice(&kind.to_le_bytes());
    octets.extend_from_slice(&[0, 0]);
    octets.extend_from_slice(payload);
    octets
}

/// A file of layout 2 that was never closed.
pub(crate) fn layout_2(blocks: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut octets = vec![0; 40];
    octets[..4].copy_from_slice(&[0x0c, 0xa5, 2, 0]);
    for records in blocks {
        octets.extend(block(3, records.len() as u32, &records.concat()));
    }
    octets
}

/// Where one file stands.
pub(crate) struct Place {
    _dir: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        Place { path: dir.path().join("file"), _dir: dir }
    }

    pub(crate) fn open(&self, octets: &[u8]) -> FlowFile {
        fs::write(&self.path, octets).unwrap();
        FlowFile::open(&self.path).unwrap()
    }
}
