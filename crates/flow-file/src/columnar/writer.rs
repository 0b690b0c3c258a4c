//! Writing: a batch becomes one block, appended whole; finishing appends the footer.

use super::codec::{self, Encoded, encode};
use super::compress::{Compression, compress};
use super::dictionary::Addresses;
use super::directory::{BlockHeader, Chunk, Directory, FilterPlace};
use super::footer::Footer;
use super::header::Header;
use super::index::Index;
use super::layout::{
    BLOCK_HEADER_LEN, Class, FILTER_SPLIT_BLOCK, MAX_IDENT, MAX_OCTETS, VERSION_MINOR, checksum,
};
use super::membership::{GROUPS, put_filter};
use crate::error::FileError;
use crate::writer::FileTail;
use flow_model::{
    Column, CountRule, FieldSet, FlowBatch, Kind, MAX_BATCH_ROWS, Selection, Totals, Values, field_info,
};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A file being written.
///
/// Each block is appended by a single write, so that a reader finds whole blocks. A writer that is dropped before
/// [`finish`](Self::finish) leaves a file without footer, in which readers find every block by walking.
///
/// Where a write fails (the disk is full), the file is cut back to its last whole block and stays usable: the same
/// batch may be written again later.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    file: File,
    header: Header,
    /// Where the next block goes.
    len: u64,
    index: Index,
    totals: Totals,
    buffer: Vec<u8>,
}

impl Writer {
    /// Creates the file, or empties it, and writes its header.
    ///
    /// # Errors
    /// When the system refuses, or the ident is too long.
    pub(crate) fn create(
        path: &Path,
        ident: String,
        compression: Compression,
        rule: CountRule,
        created_ms: u64,
    ) -> Result<Writer, FileError> {
        if ident.len() > MAX_IDENT {
            return Err(FileError::Unwritable {
                path: path.into(),
                what: "length of the ident",
                found: ident.len() as u64,
                limit: MAX_IDENT as u64,
            });
        }
        let header = Header { created_ms, rule, compression, ident };
        let file = File::create(path).map_err(FileError::io(path, "create the file"))?;
        let mut writer = Writer {
            path: path.into(),
            file,
            header,
            len: 0,
            index: Index::default(),
            totals: Totals::default(),
            buffer: Vec::new(),
        };
        writer.buffer = writer.header.to_bytes();
        writer.append()?;
        Ok(writer)
    }

    /// The open file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// The file being written.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Octets written so far.
    pub(crate) fn byte_len(&self) -> u64 {
        self.len
    }

    /// Blocks written so far.
    pub(crate) fn block_count(&self) -> usize {
        self.index.entries().len()
    }

    /// Totals of what was written so far.
    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Appends a batch as one block; as several where its octet strings exceed 64 MiB together.
    ///
    /// # Errors
    /// When the system refuses; when the batch has no or more than [`MAX_BATCH_ROWS`] rows, or a row with more
    /// than 64 MiB of octets in one field.
    ///
    /// # Panics
    /// In debug builds, when a field of the batch is not decoded.
    pub(crate) fn write(&mut self, batch: &FlowBatch) -> Result<(), FileError> {
        let rows = batch.len();
        let unwritable = |what, found: usize, limit: usize| FileError::Unwritable {
            path: self.path.clone(),
            what,
            found: found as u64,
            limit: limit as u64,
        };
        if !(1..=MAX_BATCH_ROWS).contains(&rows) {
            return Err(unwritable("count of rows", rows, MAX_BATCH_ROWS));
        }
        let octets = most_octets(batch);
        if octets > MAX_OCTETS {
            if rows == 1 {
                return Err(unwritable("count of octets in a field", octets, MAX_OCTETS));
            }
            let half = rows as u32 / 2;
            self.write(&batch.select(&Selection::from_rows(rows, (0..half).collect())))?;
            return self.write(&batch.select(&Selection::from_rows(rows, (half..rows as u32).collect())));
        }
        let (header, directory) = self.encode_block(batch);
        self.append()?;
        self.index.push(self.len - header.len, header, &directory);
        self.totals.merge(&directory.totals);
        Ok(())
    }

    /// Appends a block of another file as it is.
    pub(crate) fn copy_block(
        &mut self,
        block: Vec<u8>,
        other: &Index,
        number: usize,
    ) -> Result<(), FileError> {
        let offset = self.len;
        self.buffer = block;
        self.append()?;
        self.index.push_copy(offset, other, number);
        Ok(())
    }

    /// Appends a block of which directory and body, its chunks and filters, are there already.
    pub(crate) fn push_block(
        &mut self,
        rows: u32,
        mut directory: Directory,
        body: &[u8],
    ) -> Result<(), FileError> {
        let offset = self.len;
        let header = put_block(rows, &mut directory, body, &mut self.buffer);
        self.append()?;
        self.index.push(offset, header, &directory);
        Ok(())
    }

    /// Adds to the totals what the blocks copied count for.
    pub(crate) fn add_totals(&mut self, totals: &Totals) {
        self.totals.merge(totals);
    }

    /// Writes the footer and waits until the file is on disk.
    ///
    /// # Errors
    /// When the system refuses. The file then is as without footer.
    pub(crate) fn finish(mut self, tail: FileTail) -> Result<Totals, FileError> {
        let FileTail {
            exporters, samplers, names, exported, ledger, span_if_empty, sequence_failures, ..
        } = tail;
        let mut totals = self.totals;
        totals.sequence_failures = totals.sequence_failures.saturating_add(sequence_failures);
        let has_times = totals.last_ms != 0;
        if let (false, Some((first_ms, last_ms))) = (has_times, span_if_empty) {
            (totals.first_ms, totals.last_ms) = (first_ms, last_ms);
        }
        let (header, index) = (self.header.clone(), std::mem::take(&mut self.index));
        self.end(&Footer {
            minor: VERSION_MINOR,
            header,
            totals,
            ledger,
            exporters,
            samplers,
            names,
            exported,
            index,
        })?;
        Ok(totals)
    }

    /// Writes the footer of another file, but for what this one knows itself: its header and where its blocks are.
    pub(crate) fn finish_like(mut self, other: &Footer) -> Result<(), FileError> {
        let (header, index) = (self.header.clone(), std::mem::take(&mut self.index));
        self.end(&Footer { minor: VERSION_MINOR, header, index, ..other.clone() })
    }

    fn end(mut self, footer: &Footer) -> Result<(), FileError> {
        self.buffer.clear();
        footer.write(self.len, &mut self.buffer);
        self.append()?;
        self.file.sync_all().map_err(FileError::io(&self.path, "sync the file to disk"))
    }

    /// Writes what stands in the buffer to the end of the file, all of it or nothing.
    fn append(&mut self) -> Result<(), FileError> {
        if let Err(error) = self.file.write_all_at(&self.buffer, self.len) {
            // If this fails too, the next write starts at the same place and replaces the remains.
            let _ = self.file.set_len(self.len);
            return Err(FileError::io(&self.path, "write")(error));
        }
        self.len += self.buffer.len() as u64;
        Ok(())
    }

    /// Fills the buffer with the block of `batch`.
    fn encode_block(&mut self, batch: &FlowBatch) -> (BlockHeader, Directory) {
        let rows = batch.len();
        let mut totals = Totals::default();
        totals.add(batch, &Selection::all(rows), self.header.rule);
        let mut directory =
            Directory { rule: self.header.rule, totals, chunks: Vec::new(), filters: Vec::new() };
        let present = batch.fields().intersect(FieldSet::ALL);
        let mut body = Vec::new();
        let mut members: [Addresses; GROUPS.len()] = Default::default();
        for field in present.iter() {
            let column_of = |other| present.contains(other).then(|| batch.column(other));
            let Some(encoded) = encode(field, batch.column(field), rows, column_of) else { continue };
            let Encoded { encoding, range, payload, addresses } = encoded;
            let (compression, stored) = compress(&payload, self.header.compression);
            let class = Class::of(field_info(field).kind);
            debug_assert!(payload.len() as u64 <= codec::max_len(class, rows));
            directory.chunks.push(Chunk {
                id: field.id(),
                class,
                encoding,
                compression,
                offset: 0,
                stored_len: stored.len() as u64,
                len: payload.len() as u64,
                checksum: if stored.is_empty() { 0 } else { checksum(&stored) },
                range,
            });
            body.extend_from_slice(&stored);
            for (group, members) in GROUPS.iter().zip(&mut members) {
                if group.contains(field) {
                    *members = members.union(&addresses);
                }
            }
        }
        let stored: FieldSet = directory.chunks.iter().filter_map(Chunk::field).collect();
        for (group, members) in GROUPS.iter().zip(members) {
            // Where all rows agree, the range answers exactly.
            if members.len() > 2 {
                let start = body.len();
                put_filter(&members, &mut body);
                directory.filters.push(FilterPlace {
                    kind: FILTER_SPLIT_BLOCK,
                    offset: 0,
                    len: (body.len() - start) as u64,
                    fields: group.intersect(stored),
                });
            }
        }
        let header = put_block(rows as u32, &mut directory, &body, &mut self.buffer);
        (header, directory)
    }
}

/// Puts a block together in `out`: header, directory, and the chunks and filters in `body`, whose places in the directory
/// follow from their lengths.
fn put_block(rows: u32, directory: &mut Directory, body: &[u8], out: &mut Vec<u8>) -> BlockHeader {
    let directory_bytes = directory.to_bytes();
    let header = BlockHeader {
        rows,
        directory_len: directory_bytes.len() as u32,
        len: (BLOCK_HEADER_LEN + directory_bytes.len() + body.len()) as u64,
    };
    out.clear();
    out.extend_from_slice(&header.to_bytes());
    out.extend_from_slice(&directory_bytes);
    out.extend_from_slice(body);
    // The index needs the places of the filters.
    let mut offset = (BLOCK_HEADER_LEN + directory_bytes.len()) as u64;
    for chunk in &mut directory.chunks {
        chunk.offset = offset;
        offset += chunk.stored_len;
    }
    for filter in &mut directory.filters {
        filter.offset = offset;
        offset += filter.len;
    }
    header
}

/// The most octets that a field of octet strings has over all rows.
fn most_octets(batch: &FlowBatch) -> usize {
    let strings =
        batch.fields().intersect(FieldSet::ALL).iter().filter(|&field| field_info(field).kind == Kind::Bytes);
    let octets = strings.map(|field| match batch.column(field) {
        Column::Plain(Values::Bytes(strings)) => strings.total_len(),
        Column::Constant(value) => match value.as_ref() {
            flow_model::ValueRef::Bytes(octets) => octets.len(),
            _ => 0,
        },
        other => (0..batch.len()).map(|row| other.bytes(row).len()).sum(),
    });
    octets.max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ident_that_does_not_fit_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let create = |name: &str, len: usize| {
            let path = dir.path().join(name);
            Writer::create(&path, "i".repeat(len), Compression::Light, CountRule::Collected, 0)
        };
        assert!(create("a", 1024).is_ok());
        assert!(create("b", 1025).is_err());
    }
}
