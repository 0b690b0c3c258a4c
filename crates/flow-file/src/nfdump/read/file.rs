//! A file of one of nfdump's layouts.

use super::decompress::{MAX_BLOCK_LEN, Method};
use super::findings::Findings;
use super::header::{About, Header, Refusal, header_len};
use super::layout::{BLOCK_HEADER_LEN, BlockHeader, Layout, Records, block, record};
use super::maps::{self, BlockMaps, ExtensionMap};
use super::memory::Held;
use super::records::{Gatherer, Senders};
use super::{columns, one, two};
use crate::error::{Damage, FileError, ForeignLayout};
use crate::nfdump::BlockCompression;
use flow_model::{
    BlockStats, CountRule, ExporterInfo, Field, FieldSet, FlowBatch, LossLedger, MAX_BATCH_ROWS, NameInfo,
    Range, SamplerInfo, Selection, Totals,
};
use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A file of nfdump's, open for reading.
///
/// Opening reads the header and the appendix. The blocks are found when they are first asked for, and each is known only
/// when it is read. The file is never mapped: other programs append to it and rewrite it in place.
#[derive(Debug)]
pub(crate) struct NfdumpFile {
    path: PathBuf,
    file: File,
    len: u64,
    layout: Layout,
    header: Header,
    told: Told,
    /// What the blocks tell instead of an appendix that is damaged.
    rebuilt: OnceLock<Told>,
    finished: bool,
    /// Where the blocks end, if that is known.
    end: Option<u64>,
    stats: BlockStats,
    /// The blocks of the appendix.
    appendix: Walked,
    /// Damage found while opening.
    problems: Vec<FileError>,
    chain: OnceLock<Chain>,
    senders: OnceLock<Senders>,
}

/// What is known of the flows as a whole.
#[derive(Debug, Default)]
struct Told {
    ident: String,
    totals: Totals,
    ledger: LossLedger,
}

impl From<About> for Told {
    fn from(About { ident, totals }: About) -> Told {
        let totals = totals.unwrap_or_default();
        let Totals { flows, sequence_failures, .. } = totals;
        let ledger = LossLedger { flows, sequence_failures, ..LossLedger::default() };
        Told { ident: ident.unwrap_or_default(), totals, ledger }
    }
}

/// What a walk along blocks came by, those included that hold no flows.
#[derive(Clone, Debug, Default)]
pub(super) struct Walked {
    /// Blocks by their type.
    pub(super) blocks: BTreeMap<u16, u64>,
    /// Records, as the blocks' headers count.
    pub(super) records: u64,
    /// Where the last block ends.
    pub(super) end: u64,
}

impl Walked {
    fn pass(&mut self, offset: u64, header: BlockHeader) {
        *self.blocks.entry(header.kind).or_default() += 1;
        self.records += u64::from(header.records);
        self.end = offset + BLOCK_HEADER_LEN as u64 + u64::from(header.len);
    }
}

/// The blocks of a file.
#[derive(Debug)]
struct Chain {
    blocks: Vec<Block>,
    walked: Walked,
    /// Damage found while opening and in the chain.
    problems: Vec<FileError>,
}

/// Where a block is.
#[derive(Debug)]
struct Block {
    offset: u64,
    header: BlockHeader,
    /// The number that messages give it: blocks that hold no records count.
    number: usize,
    /// In layout 1, the extension maps it leaves to later blocks.
    maps: OnceLock<BlockMaps>,
}

/// In which part of a file a block stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Flows,
    Appendix,
}

/// A block of any type.
pub(crate) struct RawBlock<'a> {
    pub(crate) part: Part,
    pub(crate) header: BlockHeader,
    /// The payload as it is in the file.
    pub(crate) stored: &'a [u8],
    /// The payload decompressed.
    pub(crate) octets: &'a [u8],
}

/// A block that was decompressed and whose flow records were found.
#[derive(Debug)]
pub(crate) struct NfdumpBlock {
    memory: Held,
    len: usize,
    problems: Vec<FileError>,
}

impl NfdumpFile {
    /// Reads the header and the appendix of a file whose first octets announce this layout.
    pub(crate) fn open(path: &Path, file: File, len: u64, layout: Layout) -> Result<NfdumpFile, FileError> {
        let start_len = len.min((header_len(layout) + BLOCK_HEADER_LEN) as u64) as usize;
        let mut start = vec![0; start_len];
        file.read_exact_at(&mut start, 0).map_err(FileError::io(path, "read"))?;
        let header = Header::parse(layout, &start).map_err(|refusal| match refusal {
            Refusal::Damage(damage) => FileError::Header { path: path.into(), damage },
            Refusal::Encrypted => {
                FileError::ForeignLayout { path: path.into(), layout: ForeignLayout::NfdumpEncrypted }
            }
        })?;
        let first_block = start[header_len(layout)..].first_chunk().map(BlockHeader::parse);
        if layout == Layout::One && first_block.is_some_and(|first| first.kind == block::RECORDS_1_5) {
            return Err(FileError::ForeignLayout { path: path.into(), layout: ForeignLayout::Nfdump15 });
        }
        let mut opened = NfdumpFile {
            path: path.into(),
            file,
            len,
            layout,
            header,
            told: Told::default(),
            rebuilt: OnceLock::new(),
            finished: false,
            end: None,
            stats: BlockStats::unknown(),
            appendix: Walked::default(),
            problems: Vec::new(),
            chain: OnceLock::new(),
            senders: OnceLock::new(),
        };
        let mut about = opened.header.about.clone();
        if let Some((blocks, offset)) = opened.header.appendix {
            match opened.read_appendix(blocks, offset) {
                Ok((found, walked)) => {
                    (about, opened.appendix, opened.end) = (found, walked, Some(offset));
                }
                Err(damage) => {
                    opened.problems.push(FileError::Appendix { path: path.into(), offset, damage });
                }
            }
        }
        opened.finished = match layout {
            Layout::One => about.totals.is_some(),
            Layout::Two => opened.end.is_some(),
        };
        let span = about.totals.map(|totals| (totals.first_ms, totals.last_ms));
        opened.told = about.into();
        if let Some((first_ms, last_ms)) = span.filter(|(first_ms, last_ms)| first_ms <= last_ms) {
            // The other ends stay open: the statistics decide that nothing in a file can match, as nfdump has it, but
            // not that everything does.
            let starts = Range::Num { min: 0, max: last_ms };
            let ends = Range::Num { min: first_ms, max: u64::MAX };
            opened.stats.set_range(Field::FirstMs, Some(starts));
            opened.stats.set_range(Field::LastMs, Some(ends));
        }
        Ok(opened)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn byte_len(&self) -> u64 {
        self.len
    }

    /// The method with the level that nfdump takes where none is asked for.
    pub(crate) fn compression(&self) -> BlockCompression {
        match self.header.method {
            Method::None => BlockCompression::None,
            Method::Lzo => BlockCompression::Lzo,
            Method::Bz2 => BlockCompression::DEFAULT_BZ2,
            Method::Lz4 => BlockCompression::Lz4,
            Method::Zstd => BlockCompression::DEFAULT_ZSTD,
        }
    }

    /// How the stored totals count, as far as the writer tells.
    pub(crate) fn rule(&self) -> CountRule {
        self.header.rule
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// All blocks, the appendix's included.
    pub(super) fn walked(&self) -> Walked {
        let Walked { mut blocks, mut records, mut end } = self.chain().walked.clone();
        for (&kind, count) in &self.appendix.blocks {
            *blocks.entry(kind).or_default() += count;
        }
        records += self.appendix.records;
        end = end.max(self.appendix.end);
        Walked { blocks, records, end }
    }

    pub(crate) fn ident(&self) -> &str {
        &self.told().ident
    }

    pub(crate) fn totals(&self) -> &Totals {
        &self.told().totals
    }

    pub(crate) fn ledger(&self) -> &LossLedger {
        &self.told().ledger
    }

    pub(crate) fn exporters(&self) -> &[ExporterInfo] {
        &self.senders().exporters
    }

    pub(crate) fn samplers(&self) -> &[SamplerInfo] {
        &self.senders().samplers
    }

    pub(crate) fn names(&self) -> &[NameInfo] {
        &self.senders().names
    }

    pub(crate) fn created_ms(&self) -> u64 {
        if let Some(created_ms) = self.header.created_ms {
            return created_ms;
        }
        let first_ms = self.totals().first_ms;
        if first_ms == u64::MAX { 0 } else { first_ms }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    pub(crate) fn problems(&self) -> &[FileError] {
        self.chain.get().map_or(&self.problems, |chain| &chain.problems)
    }

    pub(crate) fn block_count(&self) -> usize {
        self.chain().blocks.len()
    }

    pub(crate) fn block_stats(&self) -> &BlockStats {
        &self.stats
    }

    /// How many rows a block has, about: its header counts records of every type, and may be wrong.
    pub(crate) fn announced_rows(&self, block: usize) -> usize {
        (self.chain().blocks[block].header.records as usize).min(MAX_BATCH_ROWS)
    }

    pub(crate) fn block_bytes(&self, block: usize) -> u64 {
        BLOCK_HEADER_LEN as u64 + u64::from(self.chain().blocks[block].header.len)
    }

    /// The number that messages give a block.
    pub(super) fn block_number(&self, block: usize) -> usize {
        self.chain().blocks[block].number
    }

    pub(crate) fn block_offset(&self, block: usize) -> u64 {
        self.chain().blocks[block].offset
    }

    /// The header as it is.
    pub(crate) fn header_octets(&self) -> Result<Vec<u8>, FileError> {
        let mut octets = vec![0; header_len(self.layout)];
        self.file.read_exact_at(&mut octets, 0).map_err(FileError::io(&self.path, "read"))?;
        Ok(octets)
    }

    /// Visits every block in file order, of whatever type, then those of the appendix.
    ///
    /// # Errors
    /// The first problem of the walk along the blocks, a block that cannot be decompressed, or what `visit` says.
    pub(crate) fn each_block(
        &self,
        mut visit: impl FnMut(RawBlock<'_>) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let Chain { walked, problems, .. } = self.chain();
        if let Some(problem) = problems.first() {
            return Err(problem.clone());
        }
        let mut memory = Held::new();
        let memory = &mut *memory;
        let mut offset = header_len(self.layout) as u64;
        let appendix = self.header.appendix.map(|(_, offset)| offset);
        let end = self.appendix.end.max(walked.end);
        let mut number = 0;
        while offset < end {
            let part = if appendix.is_some_and(|appendix| offset >= appendix) {
                Part::Appendix
            } else {
                Part::Flows
            };
            let damaged = |damage| self.damaged(number, offset, damage);
            let header = self.block_header(offset).map_err(|failure| match failure {
                Failure::Read(error) => error,
                Failure::Damage(damage) => damaged(damage),
                Failure::Torn => damaged(Damage::Inconsistent("it is not whole")),
            })?;
            self.read(offset, header, &mut memory.stored)?;
            let len = self.header.method.decompress(&memory.stored, &mut memory.octets).map_err(damaged)?;
            visit(RawBlock { part, header, stored: &memory.stored, octets: &memory.octets[..len] })?;
            offset += BLOCK_HEADER_LEN as u64 + u64::from(header.len);
            number += 1;
        }
        Ok(())
    }

    /// Gives the flows of `opened`, which is block number `block`, the numbers under which
    /// [`exporters`](Self::exporters) lists those who sent them.
    pub(crate) fn tell_exporters_apart(&self, block: usize, opened: &NfdumpBlock, batch: &mut FlowBatch) {
        self.senders().tell_apart(block, &opened.memory.rows.starts, batch);
    }

    /// Decompresses a block and finds its flow records.
    pub(crate) fn block(&self, block: usize) -> Result<NfdumpBlock, FileError> {
        let mut memory = Held::new();
        let Block { offset, header, number, ref maps } = self.chain().blocks[block];
        let len = self.load(block, &mut memory)?;
        let memory_parts = &mut *memory;
        let data = &memory_parts.octets[..len];
        let rows = &mut memory_parts.rows;
        rows.clear();
        let mut findings = Findings::default();
        let records = match self.layout {
            Layout::One => {
                let budget = maps::budget(self.chain().blocks.len());
                maps.get_or_init(|| BlockMaps::gather(data, budget));
                maps::check_budget(data, budget, &mut findings);
                let earlier = |number| self.earlier_map(block, number);
                one::index(data, self.header.anonymised, &earlier, rows, &mut findings)
            }
            Layout::Two => two::index(data, rows, &mut findings),
        };
        if records != u64::from(header.records) && findings.of_block.is_empty() {
            findings.block(Damage::Count {
                what: "records",
                announced: header.records.into(),
                found: records,
            });
        }
        let damaged = |damage| self.damaged(number, offset, damage);
        let of_block = findings.of_block.into_iter().map(damaged);
        let of_records = findings.of_records.into_iter().map(|(damage, records)| FileError::Records {
            path: self.path.clone(),
            block: number,
            offset,
            records,
            damage,
        });
        let problems = of_block.chain(of_records).collect();
        Ok(NfdumpBlock { memory, len, problems })
    }

    /// The map that a number stands for where a block starts.
    fn earlier_map(&self, block: usize, number: u16) -> Option<Arc<ExtensionMap>> {
        let blocks = &self.chain().blocks;
        (0..block).rev().find_map(|earlier| {
            // Whoever reads that block fills this in; who reads this block before waits for it, or does it.
            let maps = blocks[earlier].maps.get_or_init(|| {
                let mut memory = Held::new();
                // A block that cannot be read is reported when its turn comes.
                self.load(earlier, &mut memory).map_or_else(
                    |_| BlockMaps::default(),
                    |len| BlockMaps::gather(&memory.octets[..len], maps::budget(blocks.len())),
                )
            });
            maps.get(number).cloned()
        })
    }

    /// Reads and decompresses a block; says how long it is then.
    fn load(&self, block: usize, memory: &mut Held) -> Result<usize, FileError> {
        let Block { offset, header, number, .. } = self.chain().blocks[block];
        let memory = &mut **memory;
        self.read(offset, header, &mut memory.stored)?;
        let decompressed = self.header.method.decompress(&memory.stored, &mut memory.octets);
        decompressed.map_err(|damage| self.damaged(number, offset, damage))
    }

    /// Reads the payload of a block.
    fn read(&self, offset: u64, header: BlockHeader, into: &mut Vec<u8>) -> Result<(), FileError> {
        into.resize(header.len as usize, 0);
        let start = offset + BLOCK_HEADER_LEN as u64;
        self.file.read_exact_at(into, start).map_err(FileError::io(&self.path, "read"))
    }

    /// The blocks, found when they are first asked for.
    fn chain(&self) -> &Chain {
        self.chain.get_or_init(|| self.walk())
    }

    fn walk(&self) -> Chain {
        let mut blocks = Vec::new();
        let mut walked = Walked { end: header_len(self.layout) as u64, ..Walked::default() };
        let mut problems = self.problems.clone();
        let end = self.end.unwrap_or(self.len);
        let mut offset = header_len(self.layout) as u64;
        let mut number = 0;
        while offset < end {
            let damaged = |damage| self.damaged(number, offset, damage);
            let header = match self.block_header(offset) {
                Ok(header) => header,
                Err(Failure::Read(error)) => {
                    problems.push(error);
                    break;
                }
                Err(Failure::Damage(damage)) => {
                    problems.push(damaged(damage));
                    break;
                }
                Err(Failure::Torn) => {
                    let (path, available) = (self.path.clone(), self.len - offset);
                    problems.push(FileError::Torn { path, block: number, offset, available });
                    break;
                }
            };
            walked.pass(offset, header);
            match (header.kind, self.layout) {
                (block::RECORDS_1, Layout::One) | (block::RECORDS_2, Layout::Two) => {
                    if blocks.len() == MAX_BLOCKS {
                        let (what, limit) = ("number of blocks", MAX_BLOCKS as u64);
                        problems.push(damaged(Damage::TooLarge { what, found: limit + 1, limit }));
                        break;
                    }
                    blocks.push(Block { offset, header, number, maps: OnceLock::new() });
                }
                (block::HISTOGRAMS, Layout::One) | (block::ARRAYS, Layout::Two) => {}
                (kind, _) => {
                    problems.push(damaged(Damage::Unknown { what: "type of block", found: kind.into() }));
                }
            }
            offset = walked.end;
            number += 1;
        }
        let is_whole = self.end.is_some() && problems.len() == self.problems.len();
        if is_whole && number as u64 != u64::from(self.header.blocks) {
            let (announced, found) = (self.header.blocks.into(), number as u64);
            problems.push(FileError::Header {
                path: self.path.clone(),
                damage: Damage::Count { what: "blocks", announced, found },
            });
        }
        Chain { blocks, walked, problems }
    }

    /// That block `number`, which starts at `offset`, is damaged.
    fn damaged(&self, number: usize, offset: u64, damage: Damage) -> FileError {
        FileError::Block { path: self.path.clone(), block: number, offset, field: None, damage }
    }

    /// The header of the block at `offset`, whose payload is there.
    fn block_header(&self, offset: u64) -> Result<BlockHeader, Failure> {
        let rest = self.len - offset;
        if rest < BLOCK_HEADER_LEN as u64 {
            return Err(Failure::Torn);
        }
        let mut bytes = [0; BLOCK_HEADER_LEN];
        self.file
            .read_exact_at(&mut bytes, offset)
            .map_err(|error| Failure::Read(FileError::io(&self.path, "read")(error)))?;
        let header = BlockHeader::parse(&bytes);
        let (found, limit) = (header.len.into(), MAX_BLOCK_LEN as u64);
        if found > limit {
            return Err(Failure::Damage(Damage::TooLarge { what: "size of the block", found, limit }));
        }
        if found == 0 {
            return Err(Failure::Damage(Damage::Inconsistent("the block has no octets")));
        }
        if found > rest - BLOCK_HEADER_LEN as u64 {
            return Err(Failure::Torn);
        }
        Ok(header)
    }

    /// Reads ident and statistics of layout 2.
    fn read_appendix(&self, blocks: u16, mut offset: u64) -> Result<(About, Walked), Damage> {
        if offset < header_len(self.layout) as u64 || offset >= self.len {
            return Err(Damage::Inconsistent("it is not in the file, which was cut or not closed"));
        }
        if blocks > MAX_APPENDIX_BLOCKS {
            let (what, limit) = ("number of blocks", MAX_APPENDIX_BLOCKS.into());
            return Err(Damage::TooLarge { what, found: blocks.into(), limit });
        }
        let mut memory = Held::new();
        let memory = &mut *memory;
        let mut about = About::default();
        let mut walked = Walked::default();
        for _ in 0..blocks {
            let header = if offset < self.len { self.block_header(offset) } else { Err(Failure::Torn) };
            let header = header.map_err(|failure| match failure {
                Failure::Damage(damage) => damage,
                Failure::Read(_) | Failure::Torn => Damage::Inconsistent("it is not whole"),
            })?;
            self.read(offset, header, &mut memory.stored)
                .map_err(|_| Damage::Inconsistent("it cannot be read"))?;
            let len = self.header.method.decompress(&memory.stored, &mut memory.octets)?;
            for entry in Records::new(&memory.octets[..len]) {
                let entry = entry?;
                match entry.kind {
                    record::IDENT => about.take_ident(entry.octets),
                    record::STATISTICS => about.take_statistics(entry.octets)?,
                    kind => return Err(Damage::Unknown { what: "type of record", found: kind.into() }),
                }
            }
            walked.pass(offset, header);
            offset = walked.end;
        }
        Ok((about, walked))
    }

    /// What is known of the flows as a whole.
    fn told(&self) -> &Told {
        let is_lost = self.header.appendix.is_some() && self.end.is_none();
        if is_lost { self.rebuilt.get_or_init(|| self.rebuild()) } else { &self.told }
    }

    /// Ident and statistics if their records turn up at another place than the header says; else what the flows and the
    /// statistics of exporters that can be read add up to.
    fn rebuild(&self) -> Told {
        let mut about = About::default();
        let mut totals = Totals::default();
        for number in 0..self.block_count() {
            // Damage is reported by those who want the flows.
            let Ok(block) = self.block(number) else { continue };
            for entry in Records::new(block.octets()).map_while(Result::ok) {
                match entry.kind {
                    record::IDENT => about.take_ident(entry.octets),
                    record::STATISTICS => {
                        let _ = about.take_statistics(entry.octets);
                    }
                    _ => {}
                }
            }
            let mut batch = FlowBatch::new(block.rows());
            block.read(Totals::FIELDS, &Selection::all(block.rows()), &mut batch);
            totals.add(&batch, &Selection::all(batch.len()), self.rule());
        }
        let failures = self.exporters().iter().map(|exporter| exporter.ledger.sequence_failures);
        totals.sequence_failures = failures.fold(0, u64::saturating_add);
        about.totals.get_or_insert(totals);
        about.into()
    }

    /// Exporters and samplers, which stand among the flows: every block is read, when they are first asked for.
    fn senders(&self) -> &Senders {
        self.senders.get_or_init(|| {
            let mut gatherer = Gatherer::default();
            let mut memory = Held::new();
            for block in 0..self.block_count() {
                // Damage is reported by those who want the flows.
                let Ok(len) = self.load(block, &mut memory) else { continue };
                for entry in Records::new(&memory.octets[..len]).map_while(Result::ok) {
                    let _ = gatherer.take(self.layout, block, &entry);
                }
            }
            gatherer.finish()
        })
    }
}

impl NfdumpBlock {
    /// All records.
    pub(super) fn octets(&self) -> &[u8] {
        &self.memory.octets[..self.len]
    }

    pub(crate) fn rows(&self) -> usize {
        self.memory.rows.len()
    }

    /// What of the block could not be read.
    pub(crate) fn problems(&self) -> &[FileError] {
        &self.problems
    }

    /// Adds the columns of `fields`; of rows that are not selected, the values may be anything.
    pub(crate) fn read(&self, fields: FieldSet, selection: &Selection, into: &mut FlowBatch) {
        let data = &self.memory.octets[..self.len + super::decompress::PADDING];
        columns::fill(data, &self.memory.rows, fields, selection, into);
    }
}

enum Failure {
    Read(FileError),
    Damage(Damage),
    /// There is less of it than it says.
    Torn,
}

/// The most blocks that are looked for: a terabyte of flows.
const MAX_BLOCKS: usize = 1 << 20;

/// The most blocks of the appendix; nfdump writes one.
const MAX_APPENDIX_BLOCKS: u16 = 16;
