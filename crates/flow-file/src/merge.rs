//! Merging two files into one.

use crate::columnar::{self, ColumnarFile};
use crate::error::FileError;
use crate::file::FlowFile;
use crate::gather::BatchGatherer;
use crate::numbers::ExporterNumbers;
use crate::writer::{FileFormat, FileTail, FileWriter, Finished, WriteOptions};
use flow_model::{FieldSet, FlowBatch, Totals};
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
    let mut tail = FileTail::default();
    let numbers = [&existing, &newer].map(|file| tail.add(file));
    let (a, b) = (existing.totals(), newer.totals());
    tail.span_if_empty = Some((a.first_ms.min(b.first_ms), a.last_ms.max(b.last_ms)));
    if let (Ok(existing), Ok(newer)) = (existing.columnar(), newer.columnar()) {
        return copy_both([existing, newer], &numbers, scratch, tail);
    }
    let [of_existing, of_newer] = numbers;
    let files = [existing.with_numbers(of_existing), newer.with_numbers(of_newer)];
    let finished = write_both(&files, scratch, format, tail.clone())?;
    if finished.omitted.is_empty() {
        return Ok(finished.totals);
    }
    Ok(write_both(&files, scratch, FileFormat::default(), tail)?.totals)
}

/// Merges files of our format.
fn copy_both(
    files: [&ColumnarFile; 2],
    numbers: &[ExporterNumbers; 2],
    scratch: &Path,
    tail: FileTail,
) -> Result<Totals, FileError> {
    let header = files[0].header();
    let mut writer = columnar::Writer::create(
        scratch,
        header.ident.clone(),
        header.compression,
        header.rule,
        header.created_ms,
    )?;
    for (file, numbers) in files.into_iter().zip(numbers) {
        if numbers.is_empty() {
            copy(file, &mut writer)?;
            continue;
        }
        for block in 0..file.block_count() {
            let mut batch = FlowBatch::new(file.block_rows(block));
            file.read(block, FieldSet::ALL, &mut batch)?;
            numbers.apply(&mut batch);
            writer.write(&batch)?;
        }
    }
    writer.finish(tail)
}

/// Merges files of any layout, flow by flow.
fn write_both(
    files: &[FlowFile; 2],
    scratch: &Path,
    format: FileFormat,
    tail: FileTail,
) -> Result<Finished, FileError> {
    let existing = &files[0];
    let options = WriteOptions {
        ident: existing.ident().to_owned(),
        format,
        rule: existing.rule(),
        created_ms: existing.created_ms(),
    };
    let mut writer = FileWriter::create(scratch, options)?;
    writer.announce(&tail.exporters, &tail.samplers, &tail.names)?;
    let mut gatherer = BatchGatherer::default();
    for file in files {
        for number in 0..file.block_count() {
            let block = file.block(number)?;
            if let Some(problem) = block.problems().first() {
                return Err(problem.clone());
            }
            if block.rows() == 0 {
                continue;
            }
            let mut batch = block.to_batch(FieldSet::ALL)?;
            block.renumber(&mut batch);
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
