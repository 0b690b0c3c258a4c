//! A flow file of any layout that can be read.

use crate::columnar::{ColumnarFile, Compression, Opened, layout::FILE_MAGIC};
use crate::error::{FileError, ForeignLayout};
use crate::nfdump::{self, BlockCompression, ExtensionMap, NfdumpBlock, NfdumpFile};
use crate::numbers::ExporterNumbers;
use crate::rewrite::{Change, columnar_compression};
use crate::verify::Verification;
use flow_model::{
    BlockStats, CountRule, ExportedInfo, ExporterInfo, Field, FieldSet, FlowBatch, LossLedger, Membership,
    NameInfo, NoMembership, Range, SamplerInfo, Selection, Totals,
};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A flow file, open for reading: one of our format, or one of nfdump's 1.6 and 1.7.
///
/// Opening a finished file reads little of it. A file of our format without footer, because it is still being written, its
/// writer died or the footer is damaged, is walked block by block instead; so is every file of nfdump's when a block is
/// first asked for. What could not be used of it is in [`problems`](Self::problems). Blocks that are appended after
/// opening are not seen.
///
/// Any number of threads may read blocks at once.
#[derive(Debug)]
pub struct FlowFile {
    layout: Inner,
    numbers: ExporterNumbers,
}

#[derive(Debug)]
enum Inner {
    Columnar(Box<ColumnarFile>),
    Nfdump(Box<NfdumpFile>),
}

/// How a file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileLayout {
    /// Our own format.
    Columnar,
    /// Layout 1 of nfdump 1.6.
    Nfdump1,
    /// Layout 2 of nfdump 1.7.
    Nfdump2,
}

impl FileLayout {
    /// What the first octets of a file announce, however damaged the rest may be; `None` for what is not a flow file, or
    /// of a layout that cannot be read.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn announced(path: &Path) -> Result<Option<FileLayout>, FileError> {
        let file = File::open(path).map_err(FileError::io(path, "open the file"))?;
        let mut start = Vec::new();
        file.take(8).read_to_end(&mut start).map_err(FileError::io(path, "read"))?;
        Ok(match nfdump_layout(path, &start) {
            Ok(nfdump::Layout::One) => Some(FileLayout::Nfdump1),
            Ok(nfdump::Layout::Two) => Some(FileLayout::Nfdump2),
            Err(_) => start.starts_with(&FILE_MAGIC).then_some(FileLayout::Columnar),
        })
    }
}

/// How the content of a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileCompression {
    /// Column by column, in our own format.
    Columns(Compression),
    /// Block by block, in nfdump's layouts.
    Blocks(BlockCompression),
}

/// What the header of a file of nfdump's says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NfdumpHeader {
    /// The writer's number of its own release; layout 1 has none.
    pub release: Option<u32>,
    /// Whether all addresses are anonymised; layout 2 has that in each record.
    pub anonymised: bool,
    /// Blocks of flows.
    pub blocks: u32,
    /// Blocks of the appendix; layout 1 has none.
    pub appendix_blocks: u16,
}

/// How many rows a block has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowCount {
    /// So many.
    Exactly(usize),
    /// About so many; only who opens the block knows.
    About(usize),
}

impl FlowFile {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be read, is empty, is not a flow file, or of a version that cannot be read. Damage behind the header
    /// is not an error here.
    pub fn open(path: &Path) -> Result<FlowFile, FileError> {
        let file = File::open(path).map_err(FileError::io(path, "open the file"))?;
        let metadata = file.metadata().map_err(FileError::io(path, "stat the file"))?;
        if !metadata.is_file() {
            return Err(FileError::NotRegular { path: path.into() });
        }
        let len = metadata.len();
        if len == 0 {
            return Err(FileError::Empty { path: path.into() });
        }
        let layout = match ColumnarFile::open(path, file, len)? {
            Opened::Ours(file) => Inner::Columnar(file),
            Opened::Foreign(file) => {
                let mut start = [0; 8];
                let start = &mut start[..len.min(8) as usize];
                file.read_exact_at(start, 0).map_err(FileError::io(path, "read"))?;
                let layout = nfdump_layout(path, start)?;
                Inner::Nfdump(Box::new(NfdumpFile::open(path, file, len, layout)?))
            }
        };
        Ok(FlowFile { layout, numbers: ExporterNumbers::default() })
    }

    /// The same file, with the numbers that [`Block::renumber`] gives.
    #[must_use]
    pub fn with_numbers(self, numbers: ExporterNumbers) -> FlowFile {
        FlowFile { numbers, ..self }
    }

    /// The file's path, as it was opened.
    pub fn path(&self) -> &Path {
        match &self.layout {
            Inner::Columnar(file) => file.path(),
            Inner::Nfdump(file) => file.path(),
        }
    }

    /// How the file is laid out.
    pub fn layout(&self) -> FileLayout {
        match &self.layout {
            Inner::Columnar(_) => FileLayout::Columnar,
            Inner::Nfdump(file) => match file.layout() {
                nfdump::Layout::One => FileLayout::Nfdump1,
                nfdump::Layout::Two => FileLayout::Nfdump2,
            },
        }
    }

    /// How the file's writer was asked to compress. Of nfdump's files only the method is known, not the level.
    pub fn compression(&self) -> FileCompression {
        match &self.layout {
            Inner::Columnar(file) => FileCompression::Columns(file.compression()),
            Inner::Nfdump(file) => FileCompression::Blocks(file.compression()),
        }
    }

    /// Name of the source; may be empty.
    pub fn ident(&self) -> &str {
        match &self.layout {
            Inner::Columnar(file) => file.ident(),
            Inner::Nfdump(file) => file.ident(),
        }
    }

    /// Totals over all flows. Those of an unfinished file of our format are over the blocks that are there, without
    /// failures of sequence; those of nfdump's files are what their writer stored, nothing in an unfinished one. Where that is
    /// damaged, all blocks are read for them, once.
    pub fn totals(&self) -> &Totals {
        match &self.layout {
            Inner::Columnar(file) => file.totals(),
            Inner::Nfdump(file) => file.totals(),
        }
    }

    /// How the totals count. A file of nfdump's tells it by who wrote it, since 1.7.2; the others are taken for a
    /// collector's.
    pub fn rule(&self) -> CountRule {
        match &self.layout {
            Inner::Columnar(file) => file.rule(),
            Inner::Nfdump(file) => file.rule(),
        }
    }

    /// The exporters, each under a number of its own; none in an unfinished file of our format. In nfdump's files they stand
    /// among the flows: all blocks are read for them, once.
    pub fn exporters(&self) -> &[ExporterInfo] {
        match &self.layout {
            Inner::Columnar(file) => file.exporters(),
            Inner::Nfdump(file) => file.exporters(),
        }
    }

    /// The samplers; as with [`exporters`](Self::exporters).
    pub fn samplers(&self) -> &[SamplerInfo] {
        match &self.layout {
            Inner::Columnar(file) => file.samplers(),
            Inner::Nfdump(file) => file.samplers(),
        }
    }

    /// Names that exporters announced, ordered by exporter, kind and id; none in an unfinished file of our format. nfdump's
    /// files do not tell whose names they are: with more than one exporter it is 0. As with [`exporters`](Self::exporters).
    pub fn names(&self) -> &[NameInfo] {
        match &self.layout {
            Inner::Columnar(file) => file.names(),
            Inner::Nfdump(file) => file.names(),
        }
    }

    /// What exporters said they had sent; nothing in an unfinished file, and in those of nfdump's.
    pub fn exported(&self) -> &[ExportedInfo] {
        match &self.layout {
            Inner::Columnar(file) => file.exported(),
            Inner::Nfdump(_) => &[],
        }
    }

    /// What was received and lost; zero in an unfinished file. nfdump's files know of failures of sequence only.
    pub fn ledger(&self) -> &LossLedger {
        match &self.layout {
            Inner::Columnar(file) => file.ledger(),
            Inner::Nfdump(file) => file.ledger(),
        }
    }

    /// When the file was created, ms since 1970 UTC; of files of layout 1, which do not tell, when the first flow began.
    pub fn created_ms(&self) -> u64 {
        match &self.layout {
            Inner::Columnar(file) => file.created_ms(),
            Inner::Nfdump(file) => file.created_ms(),
        }
    }

    /// Whether its writer closed the file: it has a sound footer, appendix or statistics record.
    pub fn is_finished(&self) -> bool {
        match &self.layout {
            Inner::Columnar(file) => file.is_finished(),
            Inner::Nfdump(file) => file.is_finished(),
        }
    }

    /// What was found damaged or incomplete so far, other than inside of blocks: while opening, and, in nfdump's files, when
    /// the first block was asked for. That the last block of a file still being written is
    /// [incomplete](FileError::Torn) is in its nature.
    pub fn problems(&self) -> &[FileError] {
        match &self.layout {
            Inner::Columnar(file) => file.problems(),
            Inner::Nfdump(file) => file.problems(),
        }
    }

    /// Octets of the file when it was opened.
    pub fn byte_len(&self) -> u64 {
        match &self.layout {
            Inner::Columnar(file) => file.byte_len(),
            Inner::Nfdump(file) => file.byte_len(),
        }
    }

    /// How many blocks the file has.
    pub fn block_count(&self) -> usize {
        match &self.layout {
            Inner::Columnar(file) => file.block_count(),
            Inner::Nfdump(file) => file.block_count(),
        }
    }

    /// How many rows block `block` has, as far as that is known without reading it.
    ///
    /// # Panics
    /// This and all other methods that take a block number, when there is no such block.
    pub fn block_rows(&self, block: usize) -> RowCount {
        match &self.layout {
            Inner::Columnar(file) => RowCount::Exactly(file.block_rows(block)),
            Inner::Nfdump(file) => RowCount::About(file.announced_rows(block)),
        }
    }

    /// The ranges of the fields in a block; those of absent fields are their defaults. Of nfdump's files, at most those of
    /// start and end are known.
    pub fn block_stats(&self, block: usize) -> &BlockStats {
        match &self.layout {
            Inner::Columnar(file) => file.block_stats(block),
            Inner::Nfdump(file) => file.block_stats(),
        }
    }

    /// The range of a field in a block, as in [`block_stats`](Self::block_stats). To ask for that of start or end costs
    /// nothing.
    pub fn block_range(&self, block: usize, field: Field) -> Option<Range> {
        match &self.layout {
            Inner::Columnar(file) => file.block_range(block, field),
            Inner::Nfdump(file) => file.block_stats().range(field),
        }
    }

    /// The fields of which a block may have other than default values.
    pub fn block_fields(&self, block: usize) -> FieldSet {
        match &self.layout {
            Inner::Columnar(file) => file.block_fields(block),
            Inner::Nfdump(_) => FieldSet::ALL,
        }
    }

    /// Columns of a block that belong to fields of a later catalogue and cannot be read.
    pub fn block_unknown_fields(&self, block: usize) -> usize {
        match &self.layout {
            Inner::Columnar(file) => file.block_unknown_fields(block),
            Inner::Nfdump(_) => 0,
        }
    }

    /// Octets a block occupies in the file.
    pub fn block_bytes(&self, block: usize) -> u64 {
        match &self.layout {
            Inner::Columnar(file) => file.block_bytes(block),
            Inner::Nfdump(file) => file.block_bytes(block),
        }
    }

    /// Where a block starts in the file.
    pub fn block_offset(&self, block: usize) -> u64 {
        match &self.layout {
            Inner::Columnar(file) => file.block_offset(block),
            Inner::Nfdump(file) => file.block_offset(block),
        }
    }

    /// Tells whether a block may contain an address.
    pub fn membership(&self, block: usize) -> Box<dyn Membership + '_> {
        match &self.layout {
            Inner::Columnar(file) => Box::new(file.membership(block)),
            Inner::Nfdump(_) => Box::new(NoMembership),
        }
    }

    /// Opens a block. One of nfdump's is decompressed here, and its memory serves the thread's next block when it is
    /// dropped.
    ///
    /// # Errors
    /// When the block cannot be read or is damaged as a whole.
    pub fn block(&self, block: usize) -> Result<Block<'_>, FileError> {
        let inner = match &self.layout {
            Inner::Columnar(file) => BlockInner::Columnar(file, block),
            Inner::Nfdump(file) => BlockInner::Nfdump(file, block, file.block(block)?),
        };
        Ok(Block(inner, &self.numbers))
    }

    /// Looks at every octet of the file, and does not stop at the first damage. Of our format, each value is held against
    /// what the file says of it; of nfdump's, each block is decompressed and its records are taken apart.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn verify(&self) -> Result<Verification, FileError> {
        match &self.layout {
            Inner::Columnar(file) => file.verify(),
            Inner::Nfdump(file) => file.verify(),
        }
    }

    /// What the header of a file of nfdump's says.
    pub fn nfdump_header(&self) -> Option<NfdumpHeader> {
        match &self.layout {
            Inner::Columnar(_) => None,
            Inner::Nfdump(file) => Some(file.about()),
        }
    }

    /// The extension maps, in file order; only files of layout 1 have any.
    ///
    /// # Errors
    /// When a block cannot be read; its maps and those behind it are not known then.
    pub fn extension_maps(&self) -> Result<Vec<ExtensionMap>, FileError> {
        match &self.layout {
            Inner::Nfdump(file) if file.layout() == nfdump::Layout::One => file.extension_maps(),
            _ => Ok(Vec::new()),
        }
    }

    /// Whether the file has this compression: of nfdump's files, whose level nobody recorded, this method.
    pub fn is_compressed(&self, compression: BlockCompression) -> bool {
        match self.compression() {
            FileCompression::Columns(own) => columnar_compression(compression) == Some(own),
            FileCompression::Blocks(own) => own.code() == compression.code(),
        }
    }

    /// Writes the file anew into `scratch`, with what is given in place of its own.
    pub(crate) fn rewrite(&self, change: Change<'_>, scratch: &Path) -> Result<(), FileError> {
        let Change { ident, compression } = change;
        match &self.layout {
            Inner::Nfdump(file) => file.rewrite(ident, compression, scratch),
            Inner::Columnar(file) => {
                let compression = compression.map(|compression| {
                    columnar_compression(compression).ok_or_else(|| FileError::NotRewritable {
                        path: self.path().into(),
                        reason: "its columns are compressed with LZ4 or zstd, not with LZO or bzip2",
                    })
                });
                file.rewrite(ident, compression.transpose()?, scratch)
            }
        }
    }

    /// The file as one of our format.
    ///
    /// # Errors
    /// When it is one of nfdump's.
    pub(crate) fn columnar(&self) -> Result<&ColumnarFile, FileError> {
        match &self.layout {
            Inner::Columnar(file) => Ok(file),
            Inner::Nfdump(file) => {
                let layout = match file.layout() {
                    nfdump::Layout::One => ForeignLayout::Nfdump(1),
                    nfdump::Layout::Two => ForeignLayout::Nfdump(2),
                };
                Err(FileError::NotOurs { path: self.path().into(), layout })
            }
        }
    }
}

/// A block, open for reading.
#[derive(Debug)]
pub struct Block<'a>(BlockInner<'a>, &'a ExporterNumbers);

#[derive(Debug)]
enum BlockInner<'a> {
    Columnar(&'a ColumnarFile, usize),
    Nfdump(&'a NfdumpFile, usize, NfdumpBlock),
}

impl Block<'_> {
    /// How many rows the block has.
    pub fn rows(&self) -> usize {
        match &self.0 {
            BlockInner::Columnar(file, block) => file.block_rows(*block),
            BlockInner::Nfdump(_, _, block) => block.rows(),
        }
    }

    /// What of the block could not be read, beside [what stands against a column](Self::read).
    pub fn problems(&self) -> &[FileError] {
        match &self.0 {
            BlockInner::Columnar(..) => &[],
            BlockInner::Nfdump(_, _, block) => block.problems(),
        }
    }

    /// Decodes the columns of `fields` that `into` does not have yet.
    ///
    /// Decoding late is calling this again with more fields. Reading block after block into one batch that is
    /// [reset](FlowBatch::reset) in between is several times faster than into a new one for each. A field that another
    /// one is stored relative to is decoded with it.
    ///
    /// # Errors
    /// When the file cannot be read or a column is damaged. Columns decoded before stay in `into`.
    ///
    /// # Panics
    /// When `into` is not as long as the block.
    pub fn read(&self, fields: FieldSet, into: &mut FlowBatch) -> Result<(), FileError> {
        assert_eq!(into.len(), self.rows(), "the batch is as long as the block");
        match &self.0 {
            BlockInner::Columnar(file, block) => file.read(*block, fields, into),
            BlockInner::Nfdump(_, _, block) => {
                block.read(fields, &Selection::all(into.len()), into);
                Ok(())
            }
        }
    }

    /// As [`read`](Self::read), for somebody who looks at the selected rows only: in the others, the values may be
    /// anything. A block of nfdump's has its columns filled row by row, so that this takes less time where few rows are
    /// selected.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    ///
    /// # Panics
    /// When `into` or the selection is not as long as the block.
    pub fn read_selected(
        &self,
        fields: FieldSet,
        selection: &Selection,
        into: &mut FlowBatch,
    ) -> Result<(), FileError> {
        assert_eq!(selection.len(), self.rows(), "the selection is as long as the block");
        match &self.0 {
            BlockInner::Columnar(..) => self.read(fields, into),
            BlockInner::Nfdump(_, _, block) => {
                assert_eq!(into.len(), self.rows(), "the batch is as long as the block");
                block.read(fields, selection, into);
                Ok(())
            }
        }
    }

    /// Gives flows the numbers that their exporters have in another file; without a decoded
    /// [`ExporterId`](Field::ExporterId) there is nothing to do. `batch` holds all rows of the block.
    ///
    /// In a file of nfdump's whose collector was started again one number may stand for several exporters, one after the
    /// other. What is read has the number of the file; here each has the one under which
    /// [`exporters`](FlowFile::exporters) lists it, and then what [the file's numbers](FlowFile::with_numbers) make of that.
    ///
    /// # Panics
    /// When `batch` is not as long as the block.
    pub fn renumber(&self, batch: &mut FlowBatch) {
        assert_eq!(batch.len(), self.rows(), "the batch is as long as the block");
        if !batch.decoded().contains(Field::ExporterId) {
            return;
        }
        if let BlockInner::Nfdump(file, number, block) = &self.0 {
            file.tell_exporters_apart(*number, block, batch);
        }
        self.1.apply(batch);
    }

    /// The columns of `fields` as a new batch.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn to_batch(&self, fields: FieldSet) -> Result<FlowBatch, FileError> {
        let mut batch = FlowBatch::new(self.rows());
        self.read(fields, &mut batch)?;
        Ok(batch)
    }
}

/// Which of nfdump's layouts a file begins with that is not of our format.
fn nfdump_layout(path: &Path, start: &[u8]) -> Result<nfdump::Layout, FileError> {
    let path = path.into();
    match start {
        [0x0c, 0xa5, 1, 0, ..] => Ok(nfdump::Layout::One),
        [0x0c, 0xa5, 2, 0, ..] => Ok(nfdump::Layout::Two),
        [0x0c, 0xa5, low, high, ..] => {
            let layout = ForeignLayout::Nfdump(u16::from_le_bytes([*low, *high]));
            Err(FileError::ForeignLayout { path, layout })
        }
        [0xa5, 0x0c, ..] => Err(FileError::ForeignLayout { path, layout: ForeignLayout::NfdumpSwapped }),
        start => Err(FileError::NotAFlowFile { path, first: start.to_vec() }),
    }
}
