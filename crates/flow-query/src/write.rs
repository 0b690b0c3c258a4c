//! Matching flows into a new file (`-w`).

use crate::scan::{Scan, Workers, with_files};
use crate::{Query, QueryError, Report, Source};
use flow_file::{FileError, FileWriter};
use flow_model::{BatchBuilder, FieldSet, FlowBatch, MAX_BATCH_ROWS, Selection};
use std::ops::ControlFlow;

/// Writes the matching flows of files in their order, small batches taken together into large blocks. The file is not
/// finished.
///
/// # Errors
/// When the query was interrupted or `writer` failed.
pub fn write(query: &Query, writer: &mut FileWriter) -> Result<Report, QueryError> {
    let ((), report) = with_files(query, |files, workers| {
        let outcome = copy(&Scan::new(query, files, workers), writer)?;
        Ok(((), outcome))
    })?;
    Ok(report)
}

/// Writes the matching flows of `sources`; [`Query::files`] is not looked at.
///
/// # Errors
/// As [`write()`].
pub fn write_on<R: Source>(
    sources: &[R],
    query: &Query,
    writer: &mut FileWriter,
) -> Result<Report, QueryError> {
    let workers = Workers::new(query.threads);
    let outcome = copy(&Scan::new(query, sources, &workers), writer)?;
    Ok(outcome.into_report(Vec::new()))
}

fn copy<R: Source>(scan: &Scan<'_, R>, writer: &mut FileWriter) -> Result<crate::scan::Outcome, QueryError> {
    let mut pending = BatchBuilder::new();
    let mut failure = None;
    let mut emit = |batch: FlowBatch| match append(&mut pending, &batch, writer) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failure = Some(error);
            ControlFlow::Break(())
        }
    };
    let outcome = scan.stream(FieldSet::ALL, &mut emit, &|batch, selection, _| batch.select(selection))?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    if !pending.is_empty() {
        writer.write(&pending.finish())?;
    }
    Ok(outcome)
}

/// Adds the rows of `batch` to those pending, and writes these whenever they fill a block. A batch that is large enough
/// for a block of its own is written as it is: taking rows together costs more than the space they save.
fn append(pending: &mut BatchBuilder, batch: &FlowBatch, writer: &mut FileWriter) -> Result<(), FileError> {
    if batch.len() >= MAX_BATCH_ROWS / 2 {
        if !pending.is_empty() {
            writer.write(&pending.finish())?;
        }
        return writer.write(batch);
    }
    let mut done = 0;
    while done < batch.len() {
        let rest = Selection::from_fn(batch.len(), |row| row >= done);
        done += pending.append(batch, &rest);
        if pending.is_full() {
            writer.write(&pending.finish())?;
        }
    }
    Ok(())
}
