//! What is asked about a file itself, whatever flows it holds.

use super::file::{NfdumpFile, Walked};
use super::layout::{Records, record, u16_at};
use super::records::Gatherer;
use crate::error::FileError;
use crate::file::NfdumpHeader;
use crate::verify::{Counts, Verification};

/// An extension map of nfdump 1.6 as its record defines it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionMap {
    /// The number by which flows name it.
    pub id: u16,
    /// Octets of the record.
    pub record_len: u16,
    /// Octets that the extensions add to a flow, as the record says.
    pub extensions_len: u16,
    /// The extensions, in the order in which flows have them.
    pub extensions: Vec<u16>,
}

impl NfdumpFile {
    pub(crate) fn about(&self) -> NfdumpHeader {
        let header = self.header();
        NfdumpHeader {
            release: header.release,
            anonymised: header.anonymised,
            blocks: header.blocks,
            appendix_blocks: header.appendix.map_or(0, |(blocks, _)| blocks),
        }
    }

    /// Decompresses every block and takes every record apart.
    pub(crate) fn verify(&self) -> Result<Verification, FileError> {
        let count = self.block_count();
        let mut problems = self.problems().to_vec();
        let mut gatherer = Gatherer::default();
        for block in 0..count {
            let read = match self.block(block) {
                Ok(read) => read,
                Err(error @ FileError::Io { .. }) => return Err(error),
                Err(error) => {
                    problems.push(error);
                    continue;
                }
            };
            problems.extend(read.problems().iter().cloned());
            for entry in Records::new(read.octets()).map_while(Result::ok) {
                if let Err(damage) = gatherer.take(self.layout(), block, &entry) {
                    let (path, number, offset) =
                        (self.path().into(), self.block_number(block), self.block_offset(block));
                    problems.push(FileError::Records { path, block: number, offset, records: 1, damage });
                }
            }
        }
        let Walked { blocks, records, end } = self.walked();
        // Where damage ends the walk, what is behind it is told already.
        let surplus = if problems.is_empty() { self.byte_len().saturating_sub(end) } else { 0 };
        Ok(Verification { counts: Counts::Nfdump { blocks, records }, problems, surplus })
    }

    /// The extension maps in file order.
    pub(crate) fn extension_maps(&self) -> Result<Vec<ExtensionMap>, FileError> {
        let mut maps = Vec::new();
        for block in 0..self.block_count() {
            let read = self.block(block)?;
            for entry in Records::new(read.octets()).map_while(Result::ok) {
                if entry.kind == record::EXTENSION_MAP {
                    let (ids, _) = entry.octets.get(8..).unwrap_or_default().as_chunks();
                    maps.push(ExtensionMap {
                        id: u16_at(entry.octets, 4),
                        record_len: entry.octets.len() as u16,
                        extensions_len: u16_at(entry.octets, 6),
                        extensions: ids
                            .iter()
                            .map(|&id| u16::from_le_bytes(id))
                            .take_while(|&id| id != 0)
                            .collect(),
                    });
                }
            }
        }
        Ok(maps)
    }
}
