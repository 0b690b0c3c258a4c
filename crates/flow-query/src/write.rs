//! Matching flows into a new file (`-w`).

use crate::scan::{Scan, Workers, with_files};
use crate::{Query, QueryError, Report, Source};
use flow_file::{BatchGatherer, FileWriter};
use flow_model::{FieldSet, FlowBatch};
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
    let mut workers = Workers::new(query.threads);
    let outcome = copy(&Scan::new(query, sources, &mut workers), writer)?;
    Ok(outcome.into_report(Vec::new()))
}

fn copy<R: Source>(scan: &Scan<'_, R>, writer: &mut FileWriter) -> Result<crate::scan::Outcome, QueryError> {
    let mut gatherer = BatchGatherer::default();
    let mut failure = None;
    let mut emit = |batch: FlowBatch| match gatherer.write(&batch, writer) {
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
    gatherer.finish(writer)?;
    Ok(outcome)
}
