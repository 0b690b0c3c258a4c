//! A file of our format under another ident, or compressed another way.

use super::compress::{Compression, compress};
use super::directory::Chunk;
use super::layout::{VERSION_MAJOR, VERSION_MINOR, checksum};
use super::reader::ColumnarFile;
use super::writer::Writer;
use crate::error::{Damage, FileError};
use std::path::Path;

impl ColumnarFile {
    /// Writes the file anew into `scratch`, with what is given in place of its own ident and compression.
    ///
    /// Chunks keep their encoding, blocks their filters, the file its totals, exporters and whatever else the footer
    /// tells. Nothing is lost: a file with any damage, without footer, or of a later minor version, which may hold
    /// what this one would drop, is refused.
    ///
    /// # Errors
    /// When the file is refused or cannot be read, or `scratch` cannot be written; it may then exist and be
    /// incomplete.
    pub(crate) fn rewrite(
        &self,
        ident: Option<&str>,
        compression: Option<Compression>,
        scratch: &Path,
    ) -> Result<(), FileError> {
        if !self.is_finished() {
            return Err(FileError::NotRewritable {
                path: self.path().into(),
                reason: "it is being written, or its writer died",
            });
        }
        if self.footer().minor > VERSION_MINOR {
            let (major, minor) = (VERSION_MAJOR, self.footer().minor);
            return Err(FileError::NewerVersion { path: self.path().into(), major, minor });
        }
        if let Some(problem) = self.verify()?.problems.into_iter().next() {
            return Err(problem);
        }
        let header = self.header();
        let mut writer = Writer::create(
            scratch,
            ident.unwrap_or(&header.ident).to_owned(),
            compression.unwrap_or(header.compression),
            header.rule,
            header.created_ms,
        )?;
        for block in 0..self.block_count() {
            match compression {
                None => {
                    let octets = self.bytes(self.block_offset(block), self.block_bytes(block))?.to_vec();
                    writer.copy_block(octets, self.index(), block)?;
                }
                Some(compression) => self.recompress(block, compression, &mut writer)?,
            }
        }
        writer.finish_like(self.footer())
    }

    fn recompress(
        &self,
        block: usize,
        compression: Compression,
        writer: &mut Writer,
    ) -> Result<(), FileError> {
        let mut directory = self.directory(block)?.clone();
        let start = self.block_offset(block);
        let mut body = Vec::new();
        for chunk in &mut directory.chunks {
            let unknown = || {
                let damage = Damage::Unknown { what: "field", found: chunk.id.into() };
                self.damaged(block, start + chunk.offset, None, damage)
            };
            let payload = self.payload(block, chunk.field().ok_or_else(unknown)?, chunk)?;
            let (compression, stored) = compress(&payload, compression);
            *chunk = Chunk {
                compression,
                stored_len: stored.len() as u64,
                len: payload.len() as u64,
                checksum: if stored.is_empty() { 0 } else { checksum(&stored) },
                ..chunk.clone()
            };
            body.extend_from_slice(&stored);
        }
        for filter in &directory.filters {
            body.extend_from_slice(&self.bytes(start + filter.offset, filter.len)?);
        }
        writer.push_block(self.block_rows(block) as u32, directory, &body)
    }
}
