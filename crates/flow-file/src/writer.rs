//! Writing a file, of whatever layout.

use crate::columnar::{self, Compression};
use crate::error::FileError;
use crate::nfdump::{self, BlockCompression, NfdumpRelease};
use flow_model::{
    CountRule, ExportedInfo, ExporterInfo, Field, FlowBatch, LossLedger, MAX_BATCH_ROWS, NameInfo,
    SamplerInfo, Totals, field_info,
};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// How a file is written.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// Name of the source, at most 1024 octets, 121 in nfdump's layout; nfdump writes `none` where there is none.
    pub ident: String,
    /// Layout and compression.
    pub format: FileFormat,
    /// How the totals count.
    pub rule: CountRule,
    /// Time of creation, ms since 1970 UTC.
    pub created_ms: u64,
}

/// The layout of a file, and how it is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Ours.
    Columnar(Compression),
    /// nfdump 1.7's.
    Nfdump {
        /// How blocks are compressed.
        compression: BlockCompression,
        /// Whose elements are written.
        release: NfdumpRelease,
    },
}

/// A name that is not that of a layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unknown file format: {0}")]
pub struct UnknownFormat(String);

impl FileFormat {
    /// The layout called `name`, with the compression that nfdump's letters ask for.
    ///
    /// `columnar` (also where no name is given) is ours: its columns have their own encodings, and of nfdump's methods
    /// only zstd says something about them. `nfdump` is that of nfdump 1.7 without what nfdump 1.7.1 complains
    /// about, `nfdump-1.7.8` everything that it can hold; without a method their blocks are not compressed.
    ///
    /// # Errors
    /// When there is no such layout.
    pub fn named(name: Option<&str>, method: Option<BlockCompression>) -> Result<FileFormat, UnknownFormat> {
        let release = match name {
            None | Some("columnar") => {
                return Ok(FileFormat::Columnar(match method {
                    Some(BlockCompression::Zstd(level)) => Compression::Zstd(level),
                    _ => Compression::Lz4,
                }));
            }
            Some("nfdump") => NfdumpRelease::V1_7_1,
            Some("nfdump-1.7.8") => NfdumpRelease::V1_7_8,
            Some(name) => return Err(UnknownFormat(name.to_owned())),
        };
        Ok(FileFormat::Nfdump { compression: method.unwrap_or_default(), release })
    }

    /// What whoever asks for this format should know.
    pub fn warning(self) -> Option<&'static str> {
        matches!(self, FileFormat::Nfdump { compression: BlockCompression::Zstd(_), .. })
            .then_some("nfdump 1.7.1 cannot read files compressed with zstd; 1.7.3 and later can")
    }
}

impl Default for FileFormat {
    fn default() -> Self {
        FileFormat::Columnar(Compression::default())
    }
}

impl From<Compression> for FileFormat {
    fn from(compression: Compression) -> Self {
        FileFormat::Columnar(compression)
    }
}

/// What is known about a file when it is finished.
#[derive(Clone, Debug, Default)]
pub struct FileTail {
    /// The exporters that sent the flows.
    pub exporters: Vec<ExporterInfo>,
    /// Their samplers.
    pub samplers: Vec<SamplerInfo>,
    /// The names that they announced, ordered by exporter, kind and id, each at most once.
    pub names: Vec<NameInfo>,
    /// What they said they had sent, ordered by exporter.
    pub exported: Vec<ExportedInfo>,
    /// What was received and lost over all exporters.
    pub ledger: LossLedger,
    /// First and last time, ms since 1970 UTC, that a file reports which has no flows or, in our layout, none with an end, such
    /// as those of NSEL events: nfcapd takes the slot's.
    pub span_if_empty: Option<(u64, u64)>,
    /// Discontinuities in sequence numbers, for the totals.
    pub sequence_failures: u64,
    /// Exporters of [added](FileTail::add) files for which no number was left: their flows have 0.
    pub unnumbered: u64,
}

/// What a finished file holds.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Totals of its flows.
    pub totals: Totals,
    /// What it does not hold.
    pub omitted: Omitted,
}

/// What a file does not hold of what was written to it. Our layout holds everything, but no more exporters than there are
/// numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Omitted {
    /// Flows that lack a value, or have a part of it.
    pub flows: u64,
    /// By field, the flows that lack its value.
    pub fields: BTreeMap<Field, u64>,
    /// Exporters for which no number was left.
    pub exporters: u64,
    /// Samplers of unknown exporters.
    pub samplers: u64,
    /// Names that exporters announced: descriptions of interfaces, and where two exporters name one thing differently.
    pub names: u64,
    /// Exporters' own counts of what they sent.
    pub exported: u64,
    /// Octets by which the ident was cut.
    pub ident_octets: usize,
    /// Whether there are counts of losses other than failures of sequence.
    pub losses: bool,
}

impl Omitted {
    /// Whether the file holds everything.
    pub fn is_empty(&self) -> bool {
        *self == Omitted::default()
    }
}

/// One line: what is missing, with counts.
impl fmt::Display for Omitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.flows > 0 {
            let fields: Vec<String> = self
                .fields
                .iter()
                .map(|(&field, count)| format!("{} of {count}", field_info(field).name))
                .collect();
            let flows = if self.flows == 1 { "flow" } else { "flows" };
            parts.push(format!("values of {} {flows} ({})", self.flows, fields.join(", ")));
        }
        if self.exporters > 0 {
            parts.push(format!("{} exporters, with all numbers taken", self.exporters));
        }
        if self.samplers > 0 {
            parts.push(format!("{} samplers of unknown exporters", self.samplers));
        }
        if self.names > 0 {
            parts.push(format!("{} names that exporters announced", self.names));
        }
        if self.exported > 0 {
            parts.push(format!("what {} exporters said they sent", self.exported));
        }
        if self.ident_octets > 0 {
            parts.push(format!("the last {} bytes of the ident", self.ident_octets));
        }
        if self.losses {
            parts.push("counts of losses".to_owned());
        }
        f.write_str(&parts.join(", "))
    }
}

/// A file being written.
///
/// Blocks are appended whole, so that a reader finds whole blocks. A writer that is dropped before
/// [`finish`](Self::finish) leaves an unfinished file, in which readers find every block by walking.
///
/// Where a write fails (the disk is full), the file is cut back to what it was before and stays usable: the same
/// batch may be written again later.
#[derive(Debug)]
pub struct FileWriter {
    layout: Layout,
}

#[derive(Debug)]
enum Layout {
    Columnar(Box<columnar::Writer>),
    Nfdump(Box<nfdump::Writer>),
}

impl FileWriter {
    /// Creates the file, or empties it, and writes its header.
    ///
    /// # Errors
    /// When the system refuses, or the ident is too long for our layout.
    pub fn create(path: &Path, options: WriteOptions) -> Result<FileWriter, FileError> {
        let WriteOptions { ident, format, rule, created_ms } = options;
        let layout = match format {
            FileFormat::Columnar(compression) => {
                let writer = columnar::Writer::create(path, ident, compression, rule, created_ms)?;
                Layout::Columnar(Box::new(writer))
            }
            FileFormat::Nfdump { compression, release } => {
                let writer = nfdump::Writer::create(path, compression, release, (&ident, rule, created_ms))?;
                Layout::Nfdump(Box::new(writer))
            }
        };
        Ok(FileWriter { layout })
    }

    /// The file being written.
    pub fn path(&self) -> &Path {
        match &self.layout {
            Layout::Columnar(writer) => writer.path(),
            Layout::Nfdump(writer) => writer.path(),
        }
    }

    /// Octets written so far.
    pub fn byte_len(&self) -> u64 {
        match &self.layout {
            Layout::Columnar(writer) => writer.byte_len(),
            Layout::Nfdump(writer) => writer.byte_len(),
        }
    }

    /// Blocks written so far.
    pub fn block_count(&self) -> usize {
        match &self.layout {
            Layout::Columnar(writer) => writer.block_count(),
            Layout::Nfdump(writer) => writer.block_count(),
        }
    }

    /// Totals of what was written so far.
    pub fn totals(&self) -> &Totals {
        match &self.layout {
            Layout::Columnar(writer) => writer.totals(),
            Layout::Nfdump(writer) => writer.totals(),
        }
    }

    /// What of it the layout could not hold.
    pub fn omitted(&self) -> Omitted {
        match &self.layout {
            Layout::Columnar(_) => Omitted::default(),
            Layout::Nfdump(writer) => writer.omitted().clone(),
        }
    }

    /// From how many rows on a batch fills a block about as well as many batches together would.
    pub(crate) fn large_batch(&self) -> usize {
        match &self.layout {
            Layout::Columnar(_) => MAX_BATCH_ROWS / 2,
            // A block of a mebibyte holds four to ten thousand records.
            Layout::Nfdump(_) => 2_048,
        }
    }

    /// Says which exporters and samplers the flows to come are from, and what is known by name. nfdump's layout has them
    /// in front of the flows; what it already has is not written again. Ours has them at its end.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn announce(
        &mut self,
        exporters: &[ExporterInfo],
        samplers: &[SamplerInfo],
        names: &[NameInfo],
    ) -> Result<(), FileError> {
        match &mut self.layout {
            Layout::Columnar(_) => Ok(()),
            Layout::Nfdump(writer) => writer.announce(exporters, samplers, names),
        }
    }

    /// Appends a batch as one block; as several where it is too long for one.
    ///
    /// # Errors
    /// When the system refuses; when the batch has no or more than [`MAX_BATCH_ROWS`](flow_model::MAX_BATCH_ROWS)
    /// rows, or, in our layout, a row with more than 64 MiB of octets in one field.
    ///
    /// # Panics
    /// In debug builds, when a field of the batch is not decoded.
    pub fn write(&mut self, batch: &FlowBatch) -> Result<(), FileError> {
        match &mut self.layout {
            Layout::Columnar(writer) => writer.write(batch),
            Layout::Nfdump(writer) => writer.write(batch),
        }
    }

    /// Waits until what was written so far is on disk.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn sync(&self) -> Result<(), FileError> {
        let file = match &self.layout {
            Layout::Columnar(writer) => writer.file(),
            Layout::Nfdump(writer) => writer.file(),
        };
        file.sync_data().map_err(FileError::io(self.path(), "sync the file to disk"))
    }

    /// Completes the file and waits until it is on disk.
    ///
    /// # Errors
    /// When the system refuses. The file then is as without its end.
    pub fn finish(self, tail: FileTail) -> Result<Finished, FileError> {
        match self.layout {
            Layout::Columnar(writer) => {
                let omitted = Omitted { exporters: tail.unnumbered, ..Omitted::default() };
                Ok(Finished { totals: writer.finish(tail)?, omitted })
            }
            Layout::Nfdump(writer) => writer.finish(tail),
        }
    }
}
