//! Reading: opening a file, finished or not, and decoding columns of its blocks.

use super::codec::{self, Shape, decode};
use super::compress::{Compression, decompress};
use super::directory::{BlockHeader, Chunk, Directory};
use super::footer::{Footer, Trailer};
use super::header::{Header, MAX_HEADER_LEN, Parsed};
use super::index::{Entry, Index};
use super::layout::{
    BLOCK_HEADER_LEN, BLOCK_MAGIC, FOOTER_MAGIC, MAX_FOOTER, TRAILER_LEN, compression, verify,
};
use super::membership::BlockMembership;
use super::scratch::Scratch;
use crate::error::{Damage, FileError};
use crate::map::Map;
use flow_model::{
    BlockStats, CountRule, ExportedInfo, ExporterInfo, Field, FieldSet, FlowBatch, LossLedger, NameInfo,
    Range, SamplerInfo, Totals, field_info,
};
use std::fs::File;
use std::ops::Deref;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A file of our format, open for reading.
///
/// Opening a finished file is one read of its end. A file without footer, because it is still being written, its
/// writer died or the footer is damaged, is walked block by block instead; what could not be used of it is in
/// [`problems`](Self::problems). Blocks that are appended after opening are not seen.
///
/// Any number of threads may read blocks at once.
#[derive(Debug)]
pub(crate) struct ColumnarFile {
    path: PathBuf,
    file: File,
    len: u64,
    finished: bool,
    map: OnceLock<Option<Map>>,
    footer: Footer,
    blocks: Vec<Block>,
    problems: Vec<FileError>,
}

/// What opening a file comes to.
pub(crate) enum Opened {
    Ours(Box<ColumnarFile>),
    /// A file of another format, if of any.
    Foreign(File),
}

/// Octets of a file, or what they decompress to.
#[derive(Debug)]
pub(crate) enum Octets<'a> {
    Mapped(&'a [u8]),
    Own(Scratch<u8>),
}

impl Deref for Octets<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Octets::Mapped(octets) => octets,
            Octets::Own(octets) => octets,
        }
    }
}

/// What was read of a block so far.
#[derive(Debug, Default)]
struct Block {
    stats: OnceLock<BlockStats>,
    directory: OnceLock<Directory>,
}

impl ColumnarFile {
    /// Opens a file of `len` octets, at least one.
    ///
    /// # Errors
    /// When it cannot be read, is not of our format, or of a version to come. Damage behind the header is not an error
    /// here.
    pub(crate) fn open(path: &Path, file: File, len: u64) -> Result<Opened, FileError> {
        let mut problems = Vec::new();
        let footer = read_footer(path, &file, len).unwrap_or_else(|error| {
            problems.push(error);
            None
        });
        let finished = footer.is_some();
        let footer = match footer {
            Some(footer) => footer,
            None => match walk(path, &file, len, &mut problems)? {
                Some(footer) => footer,
                None => return Ok(Opened::Foreign(file)),
            },
        };
        let blocks = footer.index.entries().iter().map(|_| Block::default()).collect();
        let map = OnceLock::new();
        Ok(Opened::Ours(Box::new(ColumnarFile {
            path: path.into(),
            file,
            len,
            finished,
            map,
            footer,
            blocks,
            problems,
        })))
    }

    /// The file's path, as it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Octets of the file when it was opened.
    pub(crate) fn byte_len(&self) -> u64 {
        self.len
    }

    /// Name of the source; may be empty.
    pub(crate) fn ident(&self) -> &str {
        &self.footer.header.ident
    }

    /// Totals over all flows. Those of an unfinished file are over the blocks that are there, without failures of
    /// sequence.
    pub(crate) fn totals(&self) -> &Totals {
        &self.footer.totals
    }

    /// How the totals count.
    pub(crate) fn rule(&self) -> CountRule {
        self.footer.header.rule
    }

    /// The exporters; none in an unfinished file.
    pub(crate) fn exporters(&self) -> &[ExporterInfo] {
        &self.footer.exporters
    }

    /// The samplers; none in an unfinished file.
    pub(crate) fn samplers(&self) -> &[SamplerInfo] {
        &self.footer.samplers
    }

    /// Names that exporters announced, ordered by exporter, kind and id; none in an unfinished file.
    pub(crate) fn names(&self) -> &[NameInfo] {
        &self.footer.names
    }

    /// What exporters said they had sent; nothing in an unfinished file.
    pub(crate) fn exported(&self) -> &[ExportedInfo] {
        &self.footer.exported
    }

    /// What was received and lost; zero in an unfinished file.
    pub(crate) fn ledger(&self) -> &LossLedger {
        &self.footer.ledger
    }

    /// The compression that was asked of the file's writer; chunks say their own.
    pub(crate) fn compression(&self) -> Compression {
        self.footer.header.compression
    }

    /// When the file was created, ms since 1970 UTC.
    pub(crate) fn created_ms(&self) -> u64 {
        self.footer.header.created_ms
    }

    /// Whether the file has a sound footer.
    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// What was found damaged or incomplete while opening. That the last block of a file still being written is
    /// [incomplete](FileError::Torn) is in its nature.
    pub(crate) fn problems(&self) -> &[FileError] {
        &self.problems
    }

    /// How many blocks the file has.
    pub(crate) fn block_count(&self) -> usize {
        self.blocks.len()
    }

    /// How many rows block `block` has.
    ///
    /// # Panics
    /// This and all other methods that take a block number, when there is no such block.
    pub(crate) fn block_rows(&self, block: usize) -> usize {
        self.entry(block).header.rows as usize
    }

    /// The ranges of the fields in a block; those of absent fields are their defaults.
    pub(crate) fn block_stats(&self, block: usize) -> &BlockStats {
        self.blocks[block].stats.get_or_init(|| self.footer.index.stats(block))
    }

    /// The range of a field in a block. That of start and end is known without a look at the others.
    pub(crate) fn block_range(&self, block: usize, field: Field) -> Option<Range> {
        match field {
            Field::FirstMs => Some(self.entry(block).times[0]),
            Field::LastMs => Some(self.entry(block).times[1]),
            _ => self.block_stats(block).range(field),
        }
    }

    /// The fields of which a block has other than default values.
    pub(crate) fn block_fields(&self, block: usize) -> FieldSet {
        self.entry(block).fields
    }

    /// Columns of a block that belong to fields of a later catalogue and cannot be read.
    pub(crate) fn block_unknown_fields(&self, block: usize) -> usize {
        self.entry(block).unknown_fields
    }

    /// Octets a block occupies in the file.
    pub(crate) fn block_bytes(&self, block: usize) -> u64 {
        self.entry(block).header.len
    }

    /// Where a block starts in the file.
    pub(crate) fn block_offset(&self, block: usize) -> u64 {
        self.entry(block).offset
    }

    /// Tells whether a block may contain an address.
    pub(crate) fn membership(&self, block: usize) -> BlockMembership<'_> {
        BlockMembership::new(self, block)
    }

    /// Decodes the columns of `fields` that `into` does not have yet.
    ///
    /// Decoding late is calling this again with more fields. Reading block after block into one batch that is
    /// [reset](FlowBatch::reset) in between is several times faster than into a new one for each. A field that another one is stored relative to is
    /// decoded with it.
    ///
    /// # Errors
    /// When the file cannot be read or a column is damaged. Columns decoded before stay in `into`.
    ///
    /// # Panics
    /// When `into` is not as long as the block.
    pub(crate) fn read(&self, block: usize, fields: FieldSet, into: &mut FlowBatch) -> Result<(), FileError> {
        assert_eq!(into.len(), self.block_rows(block), "the batch is as long as the block");
        let wanted = fields.without(into.decoded());
        let present = wanted.intersect(self.block_fields(block));
        if !present.is_empty() {
            let directory = self.directory(block)?;
            self.announce(block, directory, present);
            for chunk in &directory.chunks {
                if let Some(field) = chunk.field()
                    && present.contains(field)
                    && !into.decoded().contains(field)
                {
                    self.read_chunk(block, directory, field, chunk, into)?;
                }
            }
        }
        into.mark_decoded(wanted);
        Ok(())
    }

    /// Tells the system which pieces of the map come next.
    fn announce(&self, block: usize, directory: &Directory, fields: FieldSet) {
        for chunk in directory.chunks.iter().filter(|chunk| chunk.stored_len >= MAP_FROM) {
            if chunk.field().is_some_and(|field| fields.contains(field))
                && let Some(map) = self.map()
            {
                map.will_need(self.block_offset(block) + chunk.offset, chunk.stored_len);
            }
        }
    }

    fn read_chunk(
        &self,
        block: usize,
        directory: &Directory,
        field: Field,
        chunk: &Chunk,
        into: &mut FlowBatch,
    ) -> Result<(), FileError> {
        let start = self.block_offset(block) + chunk.offset;
        let damaged = |damage| self.damaged(block, start, Some(field), damage);
        let payload = self.payload(block, field, chunk)?;
        let reference = codec::reference(chunk.encoding, &payload).map_err(damaged)?;
        if let Some(reference) = reference
            && !self.block_fields(block).contains(reference)
        {
            into.mark_decoded(FieldSet::of(&[reference]));
        } else if let Some(reference) = reference
            && !into.decoded().contains(reference)
        {
            // Relative to a field that is itself stored relative to another one is not a form we write, and to
            // follow it would let a hostile file send us round in circles.
            let theirs = directory.chunks.iter().find(|chunk| chunk.field() == Some(reference));
            let theirs = theirs.filter(|theirs| theirs.encoding != super::layout::encoding::RELATIVE);
            let theirs =
                theirs.ok_or_else(|| damaged(Damage::Inconsistent("the reference column is unusable")))?;
            self.read_chunk(block, directory, reference, theirs, into)?;
        }
        let spare = into.reuse(field);
        let reference = reference.map(|reference| into.column(reference));
        let shape = Shape { kind: field_info(field).kind, encoding: chunk.encoding, rows: into.len() };
        let column = decode(shape, chunk.range, &payload, reference, spare).map_err(damaged)?;
        into.insert(field, column);
        Ok(())
    }

    /// The octets of a chunk, checked and decompressed.
    pub(crate) fn payload(&self, block: usize, field: Field, chunk: &Chunk) -> Result<Octets<'_>, FileError> {
        let start = self.block_offset(block) + chunk.offset;
        let damaged = |damage| self.damaged(block, start, Some(field), damage);
        if chunk.stored_len == 0 {
            return Ok(Octets::Mapped(&[]));
        }
        let stored = self.bytes(start, chunk.stored_len)?;
        verify(&stored, chunk.checksum).map_err(damaged)?;
        if chunk.compression == compression::NONE {
            return Ok(stored);
        }
        decompress(&stored, chunk.compression, chunk.len as usize).map(Octets::Own).map_err(damaged)
    }

    pub(crate) fn directory(&self, block: usize) -> Result<&Directory, FileError> {
        if let Some(directory) = self.blocks[block].directory.get() {
            return Ok(directory);
        }
        let Entry { offset, header, .. } = *self.entry(block);
        let damaged = |damage| self.damaged(block, offset, None, damage);
        let bytes = self.bytes(offset, (BLOCK_HEADER_LEN as u64) + u64::from(header.directory_len))?;
        let (header_bytes, directory_bytes) = bytes.split_at(BLOCK_HEADER_LEN);
        if BlockHeader::parse(header_bytes).map_err(damaged)? != header {
            return Err(damaged(Damage::Inconsistent("the block is not the one the footer tells of")));
        }
        let directory = Directory::parse(header, directory_bytes).map_err(damaged)?;
        Ok(self.blocks[block].directory.get_or_init(|| directory))
    }

    /// Octets of the file: long pieces of a finished file out of its map, others read.
    pub(crate) fn bytes(&self, offset: u64, len: u64) -> Result<Octets<'_>, FileError> {
        if len >= MAP_FROM
            && let Some(map) = self.map()
        {
            let bytes = map.bytes().get(offset as usize..offset.saturating_add(len) as usize);
            if let Some(bytes) = bytes {
                return Ok(Octets::Mapped(bytes));
            }
        }
        let mut bytes = Scratch::new();
        bytes.resize(len as usize, 0);
        self.file.read_exact_at(&mut bytes, offset).map_err(FileError::io(&self.path, "read"))?;
        Ok(Octets::Own(bytes))
    }

    /// The map of a finished file; where the system refuses to map, or it would be unwise, reading does as well.
    fn map(&self) -> Option<&Map> {
        if !self.finished {
            return None;
        }
        self.map.get_or_init(|| Map::new(&self.file, self.len).ok()).as_ref()
    }

    pub(crate) fn index(&self) -> &Index {
        &self.footer.index
    }

    pub(crate) fn header(&self) -> &Header {
        &self.footer.header
    }

    pub(crate) fn footer(&self) -> &Footer {
        &self.footer
    }

    fn entry(&self, block: usize) -> &Entry {
        &self.footer.index.entries()[block]
    }

    pub(crate) fn damaged(
        &self,
        block: usize,
        offset: u64,
        field: Option<Field>,
        damage: Damage,
    ) -> FileError {
        FileError::Block { path: self.path.clone(), block, offset, field, damage }
    }
}

/// Reads the footer; `None` if the file does not end with one of our version.
fn read_footer(path: &Path, file: &File, len: u64) -> Result<Option<Footer>, FileError> {
    let tail_len = len.min(TAIL_LEN);
    let tail = read_at(path, file, len - tail_len, tail_len)?;
    let Some(trailer) = Trailer::parse(&tail) else { return Ok(None) };
    if trailer.major != super::layout::VERSION_MAJOR {
        // The file header decides whether that is a newer file or a flipped bit.
        return Ok(None);
    }
    let whole = u64::from(trailer.footer_len) + TRAILER_LEN as u64;
    let offset = len.saturating_sub(whole);
    let damaged = |damage| FileError::Footer { path: path.into(), offset, damage };
    if trailer.file_len != len {
        return Err(damaged(Damage::Inconsistent("the file does not have the length it was finished with")));
    }
    let limit = MAX_FOOTER.min(len);
    if whole > limit {
        return Err(damaged(Damage::TooLarge { what: "length of the footer", found: whole, limit }));
    }
    let longer;
    let bytes = if let Some(start) = tail_len.checked_sub(whole) {
        &tail[start as usize..]
    } else {
        longer = read_at(path, file, offset, whole)?;
        &longer
    };
    Footer::parse(bytes, trailer, offset).map(Some).map_err(damaged)
}

/// Finds the blocks of a file without footer; `None` if it is not of our format.
fn walk(
    path: &Path,
    file: &File,
    len: u64,
    problems: &mut Vec<FileError>,
) -> Result<Option<Footer>, FileError> {
    let start = read_at(path, file, 0, len.min(MAX_HEADER_LEN as u64))?;
    let damaged = |damage| FileError::Header { path: path.into(), damage };
    let (header, mut offset) = match Header::parse(&start).map_err(damaged)? {
        Parsed::Header(header, offset) => (header, offset),
        Parsed::Newer { major, minor } => {
            return Err(FileError::NewerVersion { path: path.into(), major, minor });
        }
        Parsed::Foreign => return Ok(None),
    };
    let mut footer = Footer {
        minor: super::layout::VERSION_MINOR,
        header,
        totals: Totals::default(),
        ledger: LossLedger::default(),
        exporters: Vec::new(),
        samplers: Vec::new(),
        names: Vec::new(),
        exported: Vec::new(),
        index: Index::default(),
    };
    // The number a block has in messages counts damaged ones too.
    let mut number = 0;
    while offset < len {
        let head = read_at(path, file, offset, (len - offset).min(HEAD_LEN))?;
        if head.starts_with(&FOOTER_MAGIC) {
            break;
        }
        let damaged =
            |damage| FileError::Block { path: path.into(), block: number, offset, field: None, damage };
        match BlockHeader::parse(&head) {
            Ok(header) if header.len <= len - offset => {
                let directory = read_directory(path, file, offset, header, &head)?;
                match directory {
                    Ok(directory) => {
                        footer.totals.merge(&directory.totals);
                        footer.index.push(offset, header, &directory);
                    }
                    Err(damage) => problems.push(damaged(damage)),
                }
                offset += header.len;
            }
            Ok(_) | Err(Damage::Short { .. }) => {
                let path = path.into();
                problems.push(FileError::Torn { path, block: number, offset, available: len - offset });
                break;
            }
            Err(damage) => {
                problems.push(damaged(damage));
                match next_block(path, file, offset + 1, len)? {
                    Some(next) => offset = next,
                    None => break,
                }
            }
        }
        number += 1;
    }
    Ok(Some(footer))
}

fn read_directory(
    path: &Path,
    file: &File,
    offset: u64,
    header: BlockHeader,
    head: &[u8],
) -> Result<Result<Directory, Damage>, FileError> {
    let end = BLOCK_HEADER_LEN + header.directory_len as usize;
    let longer;
    let bytes = if let Some(bytes) = head.get(BLOCK_HEADER_LEN..end) {
        bytes
    } else {
        let start = offset + BLOCK_HEADER_LEN as u64;
        longer = read_at(path, file, start, header.directory_len.into())?;
        &longer
    };
    Ok(Directory::parse(header, bytes))
}

/// The first place at or after `offset` where a sound block starts.
fn next_block(path: &Path, file: &File, mut offset: u64, len: u64) -> Result<Option<u64>, FileError> {
    while offset + (BLOCK_HEADER_LEN as u64) <= len {
        let window = read_at(path, file, offset, (len - offset).min(SEARCH_LEN))?;
        let starts = window.windows(BLOCK_HEADER_LEN).enumerate();
        let mut candidates = starts.filter(|(_, bytes)| bytes.starts_with(&BLOCK_MAGIC));
        let found = candidates.find(|(_, bytes)| BlockHeader::parse(bytes).is_ok());
        if let Some((start, _)) = found {
            return Ok(Some(offset + start as u64));
        }
        offset += (window.len() - BLOCK_HEADER_LEN + 1) as u64;
    }
    Ok(None)
}

fn read_at(path: &Path, file: &File, offset: u64, len: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, offset).map_err(FileError::io(path, "read"))?;
    Ok(bytes)
}

/// From this length on, pieces of a finished file are mapped rather than read. Measured on a warm file: below, the
/// page faults cost more than a copy does; above, mapping saves 7 to 9 %.
const MAP_FROM: u64 = 64 * 1024;

/// How much of the end is read at once: the footer of a five-minute file of a few blocks.
const TAIL_LEN: u64 = 4096;

/// How much is read of the start of a block while walking: header and directory of any usual block.
const HEAD_LEN: u64 = 4096;

/// How much is searched at once for the next block after a damaged one.
const SEARCH_LEN: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{FileTail, FileWriter, WriteOptions};
    use flow_testkit::generate::{Mix, batch};

    #[test]
    fn a_file_that_is_not_mapped_reads_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let flows = batch(3, 60_000, Mix { hosts: 30_000, ..Mix::default() });
        let options = WriteOptions {
            ident: String::new(),
            format: Compression::Lz4.into(),
            rule: CountRule::Written,
            created_ms: 0,
        };
        let mut writer = FileWriter::create(&path, options).unwrap();
        writer.write(&flows).unwrap();
        writer.finish(FileTail::default()).unwrap();
        let open = || {
            let file = File::open(&path).unwrap();
            let len = file.metadata().unwrap().len();
            match ColumnarFile::open(&path, file, len).unwrap() {
                Opened::Ours(file) => file,
                Opened::Foreign(_) => panic!("our own file is foreign"),
            }
        };
        let (mapped, unmapped) = (open(), open());
        unmapped.map.set(None).unwrap();
        let read = |file: &ColumnarFile| {
            let mut into = FlowBatch::new(file.block_rows(0));
            file.read(0, FieldSet::ALL, &mut into).unwrap();
            into
        };
        assert!(read(&mapped) == read(&unmapped));
        assert!(mapped.map().is_some() && unmapped.map().is_none(), "long columns are mapped");
        let is_read = |file: &ColumnarFile| matches!(file.bytes(0, MAP_FROM), Ok(Octets::Own(_)));
        assert!(!is_read(&mapped) && is_read(&unmapped));
    }
}
