//! What is counted on the way.

use crate::Report;
use flow_file::FileError;
use flow_model::Totals;

/// Where a limit was reached.
#[derive(Clone, Copy)]
pub(super) struct End {
    /// Rows up to the one that reached it.
    pub(super) processed: u64,
    /// The number of its block.
    pub(super) block: usize,
}

/// What one worker saw.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) totals: Totals,
    /// Where the limit was reached, if that happened here.
    pub(super) end: Option<End>,
    pub(super) passed: u64,
    pub(super) skipped: u64,
    pub(super) bytes_read: u64,
    /// Rows that were looked at, or ruled out by what is known of their block.
    pub(super) rows: u64,
    /// By number of the block.
    pub(super) problems: Vec<(usize, FileError)>,
}

impl Tally {
    pub(super) fn merge(&mut self, other: Tally) {
        self.totals.merge(&other.totals);
        self.end = self.end.or(other.end);
        self.passed += other.passed;
        self.skipped += other.skipped;
        self.bytes_read += other.bytes_read;
        self.rows += other.rows;
        self.problems.extend(other.problems);
    }
}

/// A report, and problems by number of the source, ascending.
pub(crate) struct Outcome {
    pub(super) report: Report,
    pub(super) problems: Vec<(usize, FileError)>,
}

impl Outcome {
    /// The report, with the problems of sources that could not even be opened among the others.
    pub(crate) fn into_report(self, unopened: Vec<(usize, FileError)>) -> Report {
        let mut problems = self.problems;
        problems.extend(unopened);
        problems.sort_by_key(|(source, _)| *source);
        Report { problems: problems.into_iter().map(|(_, problem)| problem).collect(), ..self.report }
    }
}
