//! Writing layout 2: a batch becomes blocks of records; finishing appends the appendix and completes the header.

mod compress;
mod lzo;
mod names;
mod rows;

pub(crate) use compress::Compressor;
pub use compress::{BlockCompression, UnknownCompression};

use super::layout::{
    BLOCK_HEADER_LEN, FILE_HEADER_LEN, MAGIC, MAX_BLOCK, MAX_IDENT, MAX_RECORD, RELEASE_1_7_1, RELEASE_1_7_8,
    VERSION, block, creator, record, record_len,
};
use crate::error::FileError;
use crate::numbers::{Identity, SamplerKey, identity, sampler_key};
use crate::writer::{FileTail, Finished, Omitted};
use flow_model::{
    CountRule, ExporterInfo, FlowBatch, LossLedger, MAX_BATCH_ROWS, NameInfo, SamplerInfo, Selection, Totals,
};
use names::Names;
use rows::{RowEncoder, v4_octets, v6_octets};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// For which release of nfdump a file of its layout 2 is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum NfdumpRelease {
    /// 1.7.1, which complains about elements that later releases added: they are left out.
    V1_7_1,
    /// 1.7.8: everything the layout can hold.
    #[default]
    V1_7_8,
}

/// A file of nfdump's layout being written.
///
/// Until it is finished its header says that it has no block and no appendix, as that of a file that nfcapd is writing;
/// blocks are appended whole, so that a reader which walks them finds whole ones.
#[derive(Debug)]
pub(crate) struct Writer {
    path: PathBuf,
    file: File,
    /// Where the next block goes.
    len: u64,
    header: Header,
    ident: String,
    rule: CountRule,
    compressor: Compressor,
    rows: RowEncoder,
    totals: Totals,
    omitted: Omitted,
    /// Exporters and samplers written so far.
    exporters: HashMap<u16, Identity>,
    samplers: HashSet<SamplerKey>,
    names: Names,
    /// Records of the block at hand, and the block as it is stored.
    records: Vec<u8>,
    stored: Vec<u8>,
}

/// What the file header says.
#[derive(Clone, Copy, Debug)]
struct Header {
    release: u32,
    created_s: u64,
    compression: u8,
    creator: u32,
    /// Offset of the appendix.
    appendix: Option<u64>,
    blocks: u32,
}

impl Header {
    fn to_bytes(self) -> [u8; FILE_HEADER_LEN] {
        let mut out = [0; FILE_HEADER_LEN];
        let appendix = self.appendix.unwrap_or(0);
        out[0..2].copy_from_slice(&MAGIC.to_le_bytes());
        out[2..4].copy_from_slice(&VERSION.to_le_bytes());
        out[4..8].copy_from_slice(&self.release.to_le_bytes());
        out[8..16].copy_from_slice(&self.created_s.to_le_bytes());
        out[16] = self.compression;
        out[18..20].copy_from_slice(&u16::from(self.appendix.is_some()).to_le_bytes());
        out[20..24].copy_from_slice(&self.creator.to_le_bytes());
        out[24..32].copy_from_slice(&appendix.to_le_bytes());
        out[36..40].copy_from_slice(&self.blocks.to_le_bytes());
        out
    }
}

impl Writer {
    /// Creates the file, or empties it, and writes its header.
    pub(crate) fn create(
        path: &Path,
        compression: BlockCompression,
        release: NfdumpRelease,
        (ident, rule, created_ms): (&str, CountRule, u64),
    ) -> Result<Writer, FileError> {
        let mut omitted = Omitted::default();
        let kept = &ident[..ident.floor_char_boundary(MAX_IDENT)];
        omitted.ident_octets = ident.len() - kept.len();
        let compressor = Compressor::new(compression).map_err(FileError::io(path, "compress"))?;
        let file = File::create(path).map_err(FileError::io(path, "create the file"))?;
        let mut writer = Writer {
            path: path.into(),
            file,
            len: 0,
            header: Header {
                release: match release {
                    NfdumpRelease::V1_7_1 => RELEASE_1_7_1,
                    NfdumpRelease::V1_7_8 => RELEASE_1_7_8,
                },
                created_s: created_ms / 1000,
                compression: compression.code(),
                creator: match rule {
                    CountRule::Collected => creator::NFCAPD,
                    CountRule::Written => creator::NFDUMP,
                },
                appendix: None,
                blocks: 0,
            },
            ident: kept.to_owned(),
            rule,
            compressor,
            rows: RowEncoder::new(release),
            totals: Totals::default(),
            omitted,
            exporters: HashMap::new(),
            samplers: HashSet::new(),
            names: Names::default(),
            records: Vec::new(),
            stored: Vec::new(),
        };
        writer.stored.extend_from_slice(&writer.header.to_bytes());
        writer.append()?;
        Ok(writer)
    }

    /// The open file.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn byte_len(&self) -> u64 {
        self.len
    }

    pub(crate) fn block_count(&self) -> usize {
        self.header.blocks as usize
    }

    pub(crate) fn totals(&self) -> &Totals {
        &self.totals
    }

    pub(crate) fn omitted(&self) -> &Omitted {
        &self.omitted
    }

    /// Writes the exporters, samplers and names that were not written before: their records come before the flows.
    pub(crate) fn announce(
        &mut self,
        exporters: &[ExporterInfo],
        samplers: &[SamplerInfo],
        names: &[NameInfo],
    ) -> Result<(), FileError> {
        let exporters: Vec<&ExporterInfo> = exporters
            .iter()
            .filter(|exporter| self.exporters.get(&exporter.sysid) != Some(&identity(exporter)))
            .collect();
        let samplers: Vec<SamplerInfo> = samplers
            .iter()
            .copied()
            .filter(|sampler| {
                let is_new = |exporter: &&ExporterInfo| exporter.sysid == sampler.exporter;
                self.exporters.contains_key(&sampler.exporter) || exporters.iter().any(is_new)
            })
            .filter(|sampler| !self.samplers.contains(&sampler_key(sampler)))
            .collect();
        self.records.clear();
        let mut count = 0;
        for exporter in &exporters {
            put_exporter(exporter, &mut self.records);
            self.end_record(&mut count)?;
        }
        for sampler in &samplers {
            put_sampler(sampler, &mut self.records);
            self.end_record(&mut count)?;
        }
        let names = self.names.news(names);
        for record in names.records() {
            self.records.extend_from_slice(&record);
            self.end_record(&mut count)?;
        }
        if count > 0 {
            self.append_block(count)?;
        }
        self.exporters.extend(exporters.iter().map(|exporter| (exporter.sysid, identity(exporter))));
        self.samplers.extend(samplers.iter().map(sampler_key));
        self.names.extend(names);
        Ok(())
    }

    /// Appends a batch as one or more blocks: all of it or nothing.
    pub(crate) fn write(&mut self, batch: &FlowBatch) -> Result<(), FileError> {
        let rows = batch.len();
        if !(1..=MAX_BATCH_ROWS).contains(&rows) {
            return Err(FileError::Unwritable {
                path: self.path.clone(),
                what: "count of rows",
                found: rows as u64,
                limit: MAX_BATCH_ROWS as u64,
            });
        }
        let (len, blocks, omitted) = (self.len, self.header.blocks, self.omitted.clone());
        let mut planned = self.rows.plan(batch, &mut self.omitted);
        let result = loop {
            let count = self.rows.encode_block(&mut planned, &mut self.records);
            if count == 0 {
                break Ok(());
            }
            if let Err(error) = self.append_block(count) {
                break Err(error);
            }
        };
        if result.is_ok() {
            self.totals.add(batch, &Selection::all(rows), self.rule);
        } else {
            // If this fails, the next write starts at the same place and replaces the remains.
            let _ = self.file.set_len(len);
            (self.len, self.header.blocks, self.omitted) = (len, blocks, omitted);
        }
        result
    }

    /// Writes the appendix, then the header that tells of it, and waits until both are on disk.
    pub(crate) fn finish(mut self, tail: FileTail) -> Result<Finished, FileError> {
        let FileTail {
            exporters,
            samplers,
            names,
            exported,
            ledger,
            span_if_empty,
            sequence_failures,
            unnumbered,
        } = tail;
        self.omitted.exporters = unnumbered;
        self.announce(&exporters, &samplers, &names)?;
        let is_missing = |sampler: &&SamplerInfo| !self.samplers.contains(&sampler_key(sampler));
        let orphans = samplers.iter().filter(is_missing).count();
        self.omitted.samplers += orphans as u64;
        self.omitted.names += self.names.missing(&names);
        self.omitted.exported += exported.len() as u64;
        self.omitted.losses |=
            exporters.iter().map(|exporter| &exporter.ledger).chain([&ledger]).any(has_losses);
        self.write_exporter_statistics(&exporters)?;
        let mut totals = self.totals;
        totals.sequence_failures = totals.sequence_failures.saturating_add(sequence_failures);
        if let (0, Some((first_ms, last_ms))) = (totals.flows, span_if_empty) {
            (totals.first_ms, totals.last_ms) = (first_ms, last_ms);
        }
        let (appendix, blocks) = (self.len, self.header.blocks);
        self.records.clear();
        put_ident(&self.ident, &mut self.records);
        put_statistics(&totals, &mut self.records);
        self.append_block(2)?;
        let sync = |file: &File, path| file.sync_all().map_err(FileError::io(path, "sync the file to disk"));
        // The header must not tell of an appendix that is not there.
        sync(&self.file, &self.path)?;
        let header = Header { appendix: Some(appendix), blocks, ..self.header };
        let written = self.file.write_all_at(&header.to_bytes(), 0);
        written.map_err(FileError::io(&self.path, "write"))?;
        sync(&self.file, &self.path)?;
        Ok(Finished { totals, omitted: self.omitted })
    }

    fn write_exporter_statistics(&mut self, exporters: &[ExporterInfo]) -> Result<(), FileError> {
        let told: Vec<&ExporterInfo> =
            exporters.iter().filter(|exporter| exporter.ledger != LossLedger::default()).collect();
        let (header_len, entry_len) = record_len::EXPORTER_STATISTICS;
        let most = (MAX_RECORD - usize::from(header_len)) / usize::from(entry_len);
        for exporters in told.chunks(most) {
            self.records.clear();
            put_record(
                record::EXPORTER_STATISTICS,
                header_len + entry_len * exporters.len() as u16,
                &mut self.records,
            );
            self.records.extend_from_slice(&(exporters.len() as u32).to_le_bytes());
            for ExporterInfo { sysid, ledger, .. } in exporters {
                let failures = u32::try_from(ledger.sequence_failures).unwrap_or(u32::MAX);
                self.records.extend_from_slice(&u32::from(*sysid).to_le_bytes());
                self.records.extend_from_slice(&failures.to_le_bytes());
                self.records.extend_from_slice(&ledger.datagrams.to_le_bytes());
                self.records.extend_from_slice(&ledger.flows.to_le_bytes());
            }
            self.append_block(1)?;
        }
        Ok(())
    }

    /// Counts a record that is not of a flow, and appends the block when another one may not fit.
    fn end_record(&mut self, count: &mut u32) -> Result<(), FileError> {
        *count += 1;
        if self.records.len() + MAX_RECORD > MAX_BLOCK {
            self.append_block(std::mem::take(count))?;
            self.records.clear();
        }
        Ok(())
    }

    /// Appends the records as a block.
    fn append_block(&mut self, count: u32) -> Result<(), FileError> {
        self.stored.clear();
        self.stored.resize(BLOCK_HEADER_LEN, 0);
        self.compressor
            .compress(&self.records, &mut self.stored)
            .map_err(FileError::io(&self.path, "compress"))?;
        let len = (self.stored.len() - BLOCK_HEADER_LEN) as u32;
        self.stored[0..4].copy_from_slice(&count.to_le_bytes());
        self.stored[4..8].copy_from_slice(&len.to_le_bytes());
        self.stored[8..10].copy_from_slice(&block::RECORDS_2.to_le_bytes());
        self.append()?;
        self.header.blocks += 1;
        Ok(())
    }

    /// Writes what is to be stored to the end of the file, all of it or nothing.
    fn append(&mut self) -> Result<(), FileError> {
        if let Err(error) = self.file.write_all_at(&self.stored, self.len) {
            // If this fails too, the next write starts at the same place and replaces the remains.
            let _ = self.file.set_len(self.len);
            return Err(FileError::io(&self.path, "write")(error));
        }
        self.len += self.stored.len() as u64;
        Ok(())
    }
}

/// Whether a ledger tells of losses which the layout has no place for.
fn has_losses(ledger: &LossLedger) -> bool {
    let LossLedger { missed, kernel_drops, queue_drops, no_template, malformed, refused, unwritten, .. } =
        *ledger;
    [missed, kernel_drops, queue_drops, no_template, malformed, refused, unwritten]
        .iter()
        .any(|&count| count > 0)
}

fn put_record(kind: u16, len: u16, out: &mut Vec<u8>) {
    out.extend_from_slice(&kind.to_le_bytes());
    out.extend_from_slice(&len.to_le_bytes());
}

/// In the form of up to 1.7.7, which all releases read.
fn put_exporter(exporter: &ExporterInfo, out: &mut Vec<u8>) {
    put_record(record::EXPORTER, record_len::EXPORTER, out);
    out.extend_from_slice(&u32::from(exporter.version).to_le_bytes());
    let family = if exporter.addr.is_ipv4() {
        out.extend_from_slice(&[0; 8]);
        out.extend_from_slice(&v4_octets(exporter.addr));
        out.extend_from_slice(&[0; 4]);
        FAMILY_V4
    } else {
        out.extend_from_slice(&v6_octets(exporter.addr));
        FAMILY_V6
    };
    out.extend_from_slice(&family.to_le_bytes());
    out.extend_from_slice(&exporter.sysid.to_le_bytes());
    out.extend_from_slice(&exporter.domain.to_le_bytes());
}

/// Linux' numbers of the address families.
const FAMILY_V4: u16 = 2;
const FAMILY_V6: u16 = 10;

fn put_sampler(sampler: &SamplerInfo, out: &mut Vec<u8>) {
    put_record(record::SAMPLER, record_len::SAMPLER, out);
    out.extend_from_slice(&sampler.exporter.to_le_bytes());
    out.extend_from_slice(&sampler.algorithm.to_le_bytes());
    out.extend_from_slice(&sampler.id.to_le_bytes());
    out.extend_from_slice(&sampler.interval.to_le_bytes());
    out.extend_from_slice(&sampler.space.to_le_bytes());
}

pub(crate) fn put_ident(ident: &str, out: &mut Vec<u8>) {
    let octets = (ident.len() + 1).next_multiple_of(2);
    put_record(record::IDENT, 4 + octets as u16, out);
    let start = out.len();
    out.extend_from_slice(ident.as_bytes());
    out.resize(start + octets, 0);
}

fn put_statistics(totals: &Totals, out: &mut Vec<u8>) {
    put_record(record::STATISTICS, record_len::STATISTICS, out);
    let Totals { flows, packets, bytes, flows_by, packets_by, bytes_by, .. } = totals;
    // A file without flows has no span; nfdump 1.7.6 and later say so with zeros.
    let (first_ms, last_ms) =
        if totals.first_ms > totals.last_ms { (0, 0) } else { (totals.first_ms, totals.last_ms) };
    for num in [flows, bytes, packets].into_iter().chain(flows_by).chain(bytes_by).chain(packets_by).chain([
        &first_ms,
        &last_ms,
        &totals.sequence_failures,
    ]) {
        out.extend_from_slice(&num.to_le_bytes());
    }
}
