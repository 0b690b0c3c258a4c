//! A file of nfdump's under another ident, or compressed another way.

use super::layout::{MAX_IDENT, record};
use super::read::{BlockHeader, Layout, Method, NfdumpFile, Part, RawBlock, Records};
use super::write::{BlockCompression, Compressor, put_ident};
use crate::error::FileError;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

impl NfdumpFile {
    /// Writes the file anew into `scratch`, with what is given in place of its own ident and compression.
    ///
    /// Blocks keep their records, octet by octet, also those of kinds that nobody knows; the header keeps what does not
    /// follow from the change. Octets behind the end of the appendix, which an ident that was shortened in place leaves
    /// there, are not part of the file and are not copied.
    ///
    /// # Errors
    /// When the file is not finished, a block cannot be read, the layout cannot hold the change, or `scratch` cannot be
    /// written.
    pub(crate) fn rewrite(
        &self,
        ident: Option<&str>,
        compression: Option<BlockCompression>,
        scratch: &Path,
    ) -> Result<(), FileError> {
        let refused = |reason| FileError::NotRewritable { path: self.path().into(), reason };
        if !self.is_finished() {
            return Err(refused("it is being written, or its writer died"));
        }
        let longest = match self.layout() {
            Layout::One => MAX_IDENT_1,
            Layout::Two => MAX_IDENT,
        };
        if let Some(ident) = ident.filter(|ident| ident.len() > longest) {
            let (what, found, limit) = ("length of the ident", ident.len() as u64, longest as u64);
            return Err(FileError::Unwritable { path: self.path().into(), what, found, limit });
        }
        if self.layout() == Layout::One && matches!(compression, Some(BlockCompression::Zstd(_))) {
            return Err(refused("files of nfdump 1.6 cannot be compressed with zstd"));
        }
        let failed = |action| FileError::io(scratch, action);
        let mut header = self.header_octets()?;
        let mut out = BufWriter::new(File::create(scratch).map_err(failed("create the file"))?);
        out.write_all(&header).map_err(failed("write"))?;
        let how = compression.unwrap_or(self.compression());
        let mut compressor = Compressor::new(how).map_err(failed("compress"))?;
        let mut renewed = Vec::new();
        let (mut end, mut appendix, mut blocks) = (header.len() as u64, None, 0_u32);
        self.each_block(|RawBlock { part, header, stored, octets }| {
            let mut header = header;
            renewed.clear();
            match (part, ident) {
                (Part::Appendix, Some(ident)) => {
                    let octets = with_ident(&mut header, octets, ident);
                    compressor.compress(&octets, &mut renewed).map_err(failed("compress"))?;
                }
                _ if compression.is_some() => {
                    compressor.compress(octets, &mut renewed).map_err(failed("compress"))?;
                }
                _ => renewed.extend_from_slice(stored),
            }
            header.len = renewed.len() as u32;
            match part {
                Part::Flows => blocks += 1,
                Part::Appendix => {
                    appendix.get_or_insert(end);
                }
            }
            end += (header.to_octets().len() + renewed.len()) as u64;
            out.write_all(&header.to_octets()).and_then(|()| out.write_all(&renewed)).map_err(failed("write"))
        })?;
        let file = out.into_inner().map_err(|error| failed("write")(error.into_error()))?;
        match self.layout() {
            Layout::One => {
                if let Some(compression) = compression {
                    let methods = [Method::Lzo, Method::Bz2, Method::Lz4];
                    let old = u32_of(&header, FLAGS_1);
                    let other = methods.iter().fold(old, |flags, method| flags & !method.flag());
                    // The codes of layout 2 name the methods of layout 1 too.
                    let method = Method::from_code(compression.code());
                    let flags = other | method.map_or(0, Method::flag);
                    put(&mut header, FLAGS_1, &flags.to_le_bytes());
                }
                put(&mut header, BLOCKS_1, &blocks.to_le_bytes());
                if let Some(ident) = ident {
                    let mut padded = [0; IDENT_1.end - IDENT_1.start];
                    padded[..ident.len()].copy_from_slice(ident.as_bytes());
                    put(&mut header, IDENT_1, &padded);
                }
            }
            Layout::Two => {
                if let Some(compression) = compression {
                    put(&mut header, COMPRESSION_2, &[compression.code()]);
                }
                put(&mut header, APPENDIX_2, &appendix.unwrap_or(0).to_le_bytes());
                put(&mut header, BLOCKS_2, &blocks.to_le_bytes());
            }
        }
        file.write_all_at(&header, 0).map_err(failed("write"))
    }
}

/// The records of the appendix with another ident.
fn with_ident(header: &mut BlockHeader, octets: &[u8], ident: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + ident.len());
    let mut has_ident = false;
    for entry in Records::new(octets).map_while(Result::ok) {
        if entry.kind == record::IDENT {
            has_ident = true;
            put_ident(ident, &mut out);
        } else {
            out.extend_from_slice(entry.octets);
        }
    }
    if !has_ident {
        put_ident(ident, &mut out);
        header.records += 1;
    }
    out
}

fn put(header: &mut [u8], place: Range<usize>, octets: &[u8]) {
    header[place].copy_from_slice(octets);
}

fn u32_of(header: &[u8], place: Range<usize>) -> u32 {
    header[place].first_chunk().map_or(0, |&octets| u32::from_le_bytes(octets))
}

/// Octets of an ident in the header of layout 1, the NUL behind it left out.
const MAX_IDENT_1: usize = 127;

/// Where layout 1 has its flags, the number of blocks and the ident.
const FLAGS_1: Range<usize> = 4..8;
const BLOCKS_1: Range<usize> = 8..12;
const IDENT_1: Range<usize> = 12..140;

/// Where layout 2 has the compression, the place of the appendix and the number of blocks.
const COMPRESSION_2: Range<usize> = 16..17;
const APPENDIX_2: Range<usize> = 24..32;
const BLOCKS_2: Range<usize> = 36..40;
