//! Merging two files into one.

use super::reader::ColumnarFile;
use super::writer::Writer;
use crate::FlowFile;
use crate::error::FileError;
use crate::writer::FileTail;
use flow_model::{
    Column, Dictionary, ExportedInfo, ExporterInfo, Field, FieldSet, FlowBatch, NameInfo, SamplerInfo,
    Totals, Value, Values,
};
use std::collections::HashMap;
use std::path::Path;

/// Writes the flows of `existing` and then those of `newer` into the new, finished file `scratch`, and gives its
/// totals. The caller renames it over the old file.
///
/// Ident, creation time and rule of counting are those of `existing`. Blocks are copied as they are. Where both
/// files gave the same number to different exporters, those of `newer` get other numbers and its blocks are encoded
/// anew. Blocks that could not be found in a damaged file are not in the result: look at
/// [`FlowFile::problems`] of both before.
///
/// # Errors
/// When a file cannot be read or written, or a block that must be encoded anew is damaged. `scratch` may then exist
/// and be incomplete.
pub fn merge_files(existing: &Path, newer: &Path, scratch: &Path) -> Result<Totals, FileError> {
    let (existing, newer) = (FlowFile::open(existing)?, FlowFile::open(newer)?);
    let (existing, newer) = (existing.columnar()?, newer.columnar()?);
    let header = existing.header();
    let mut writer =
        Writer::create(scratch, header.ident.clone(), header.compression, header.rule, header.created_ms)?;
    let mut exporters = existing.exporters().to_vec();
    let mut samplers = existing.samplers().to_vec();
    let renumbered = add_exporters(&mut exporters, newer.exporters());
    add_samplers(&mut samplers, newer.samplers(), &renumbered);
    let new = |exporter: u16| renumbered.get(&exporter).copied().unwrap_or(exporter);
    let mut names = existing.names().to_vec();
    NameInfo::merge(&mut names, newer.names(), new);
    let mut exported = existing.exported().to_vec();
    ExportedInfo::merge(&mut exported, newer.exported(), new);
    copy(existing, &mut writer)?;
    if renumbered.is_empty() {
        copy(newer, &mut writer)?;
    } else {
        for block in 0..newer.block_count() {
            let mut batch = FlowBatch::new(newer.block_rows(block));
            newer.read(block, FieldSet::ALL, &mut batch)?;
            renumber(&mut batch, &renumbered);
            writer.write(&batch)?;
        }
    }
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
    writer.finish(tail)
}

/// Copies every block and counts its flows.
fn copy(from: &ColumnarFile, writer: &mut Writer) -> Result<(), FileError> {
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
