//! Merging two files into one.

use crate::columnar::{self, ColumnarFile};
use crate::error::FileError;
use crate::file::FlowFile;
use crate::gather::BatchGatherer;
use crate::writer::{FileFormat, FileTail, FileWriter, Finished, WriteOptions};
use flow_model::{
    Column, Dictionary, ExportedInfo, ExporterInfo, Field, FieldSet, FlowBatch, NameInfo, SamplerInfo,
    Totals, Value, Values,
};
use std::collections::HashMap;
use std::path::Path;

/// Writes the flows of `existing` and then those of `newer` into the new, finished file `scratch`, and gives its
/// totals. The caller renames it over the old file.
///
/// Ident, creation time and rule of counting are those of `existing`. Two files of our format become one of our format:
/// blocks are copied as they are. Otherwise the result has the format asked for; where that is nfdump's and has no place
/// for something of the two, it has ours, so that nothing is lost. Where both files gave the same number to different
/// exporters, those of `newer` get other numbers and its blocks are encoded anew. Blocks that could not be found in a
/// damaged file are not in the result: look at [`FlowFile::problems`] of both before.
///
/// # Errors
/// When a file cannot be read or written, or a block that must be encoded anew is damaged. `scratch` may then exist
/// and be incomplete.
pub fn merge_files(
    existing: &Path,
    newer: &Path,
    scratch: &Path,
    format: FileFormat,
) -> Result<Totals, FileError> {
    let (existing, newer) = (FlowFile::open(existing)?, FlowFile::open(newer)?);
    let (tail, renumbered) = merged_tail(&existing, &newer);
    if let (Ok(existing), Ok(newer)) = (existing.columnar(), newer.columnar()) {
        return copy_both(existing, newer, scratch, tail, &renumbered);
    }
    let finished = write_both(&existing, &newer, scratch, format, tail.clone(), &renumbered)?;
    if finished.omitted.is_empty() {
        return Ok(finished.totals);
    }
    Ok(write_both(&existing, &newer, scratch, FileFormat::default(), tail, &renumbered)?.totals)
}

/// What is known of both files at their end, and the new numbers of exporters.
fn merged_tail(existing: &FlowFile, newer: &FlowFile) -> (FileTail, HashMap<u16, u16>) {
    let mut exporters = existing.exporters().to_vec();
    let mut samplers = existing.samplers().to_vec();
    let renumbered = add_exporters(&mut exporters, newer.exporters());
    add_samplers(&mut samplers, newer.samplers(), &renumbered);
    let new = |exporter: u16| renumbered.get(&exporter).copied().unwrap_or(exporter);
    let mut names = existing.names().to_vec();
    NameInfo::merge(&mut names, newer.names(), new);
    let mut exported = existing.exported().to_vec();
    ExportedInfo::merge(&mut exported, newer.exported(), new);
    let mut ledger = *existing.ledger();
    ledger.merge(newer.ledger());
    let (a, b) = (existing.totals(), newer.totals());
    let tail = FileTail {
        exporters,
        samplers,
        names,
        exported,
        ledger,
        span_if_empty: Some((a.first_ms.min(b.first_ms), a.last_ms.max(b.last_ms))),
        sequence_failures: a.sequence_failures.saturating_add(b.sequence_failures),
    };
    (tail, renumbered)
}

/// Merges files of our format.
fn copy_both(
    existing: &ColumnarFile,
    newer: &ColumnarFile,
    scratch: &Path,
    tail: FileTail,
    renumbered: &HashMap<u16, u16>,
) -> Result<Totals, FileError> {
    let header = existing.header();
    let mut writer = columnar::Writer::create(
        scratch,
        header.ident.clone(),
        header.compression,
        header.rule,
        header.created_ms,
    )?;
    copy(existing, &mut writer)?;
    if renumbered.is_empty() {
        copy(newer, &mut writer)?;
    } else {
        for block in 0..newer.block_count() {
            let mut batch = FlowBatch::new(newer.block_rows(block));
            newer.read(block, FieldSet::ALL, &mut batch)?;
            renumber(&mut batch, renumbered);
            writer.write(&batch)?;
        }
    }
    writer.finish(tail)
}

/// Merges files of any layout, flow by flow.
fn write_both(
    existing: &FlowFile,
    newer: &FlowFile,
    scratch: &Path,
    format: FileFormat,
    tail: FileTail,
    renumbered: &HashMap<u16, u16>,
) -> Result<Finished, FileError> {
    let options = WriteOptions {
        ident: existing.ident().to_owned(),
        format,
        rule: existing.rule(),
        created_ms: existing.created_ms(),
    };
    let mut writer = FileWriter::create(scratch, options)?;
    writer.announce(&tail.exporters, &tail.samplers, &tail.names)?;
    let mut gatherer = BatchGatherer::default();
    for (file, renumbered) in [(existing, None), (newer, Some(renumbered))] {
        for number in 0..file.block_count() {
            let block = file.block(number)?;
            if let Some(problem) = block.problems().first() {
                return Err(problem.clone());
            }
            if block.rows() == 0 {
                continue;
            }
            let mut batch = FlowBatch::new(block.rows());
            block.read(FieldSet::ALL, &mut batch)?;
            if let Some(renumbered) = renumbered.filter(|renumbered| !renumbered.is_empty()) {
                renumber(&mut batch, renumbered);
            }
            gatherer.write(&batch, &mut writer)?;
        }
    }
    gatherer.finish(&mut writer)?;
    writer.finish(tail)
}

/// Copies every block and counts its flows.
fn copy(from: &ColumnarFile, writer: &mut columnar::Writer) -> Result<(), FileError> {
    for block in 0..from.block_count() {
        let octets = from.bytes(from.block_offset(block), from.block_bytes(block))?.to_vec();
        writer.copy_block(octets, from.index(), block)?;
    }
    if from.block_count() > 0 {
        writer.add_totals(&Totals { sequence_failures: 0, ..*from.totals() });
    }
    Ok(())
}

/// Adds exporters to a list and gives the new numbers of those whose number was taken.
fn add_exporters(exporters: &mut Vec<ExporterInfo>, newer: &[ExporterInfo]) -> HashMap<u16, u16> {
    let mut renumbered = HashMap::new();
    for exporter in newer {
        let same = |known: &&mut ExporterInfo| {
            (known.addr, known.domain, known.version) == (exporter.addr, exporter.domain, exporter.version)
        };
        let sysid = if let Some(known) = exporters.iter_mut().find(same) {
            known.ledger.merge(&exporter.ledger);
            known.sysid
        } else {
            let taken = |sysid: u16| {
                exporters.iter().any(|known| known.sysid == sysid)
                    || newer.iter().any(|other| other.sysid == sysid && other != exporter)
            };
            let sysid = if exporters.iter().any(|known| known.sysid == exporter.sysid) {
                (1..=u16::MAX).find(|&sysid| !taken(sysid)).unwrap_or(exporter.sysid)
            } else {
                exporter.sysid
            };
            exporters.push(ExporterInfo { sysid, ..exporter.clone() });
            sysid
        };
        if sysid != exporter.sysid {
            renumbered.insert(exporter.sysid, sysid);
        }
    }
    renumbered
}

fn add_samplers(samplers: &mut Vec<SamplerInfo>, newer: &[SamplerInfo], renumbered: &HashMap<u16, u16>) {
    for sampler in newer {
        let exporter = renumbered.get(&sampler.exporter).copied().unwrap_or(sampler.exporter);
        let sampler = SamplerInfo { exporter, ..*sampler };
        if !samplers.contains(&sampler) {
            samplers.push(sampler);
        }
    }
}

/// Gives the flows of renumbered exporters their new number.
fn renumber(batch: &mut FlowBatch, renumbered: &HashMap<u16, u16>) {
    let new = |num: u64| {
        let old = num as u16;
        renumbered.get(&old).copied().unwrap_or(old)
    };
    let column = match batch.column(Field::ExporterId) {
        Column::Constant(Value::Num(num)) => Column::Constant(Value::Num(new(*num).into())),
        Column::Dictionary(Dictionary { codes, values }) => {
            let of_code: Vec<u16> = (0..values.len()).map(|code| new(values.num(code))).collect();
            let numbers = codes.iter().map(|&code| of_code[usize::from(code)]).collect();
            Column::Plain(Values::U16(numbers))
        }
        other => Column::Plain(Values::U16((0..batch.len()).map(|row| new(other.num(row))).collect())),
    };
    batch.insert(Field::ExporterId, column);
}
