//! What is asked, and what is said beside the answer.

use flow_file::{ExporterNumbers, FileError, FlowFile};
use flow_filter::Filter;
use flow_model::{
    Column, Field, FlowBatch, Gazetteer, LossLedger, OwnNetworks, Prune, Range, Selection, Totals, Values,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Which flows are meant.
#[derive(Clone, Debug)]
pub struct Query {
    /// The files, in the order in which their flows count.
    pub files: Vec<PathBuf>,
    /// Files that are open already, behind those: what a collector is writing, as it was at one moment.
    pub live: Vec<Arc<FlowFile>>,
    /// Which numbers the exporters of each of the files have in the answer, in the order of `files`. With none, flows have the
    /// numbers of their file. Filters go by those of the file.
    pub numbers: Vec<ExporterNumbers>,
    /// Only flows that lie completely inside.
    pub window: Option<TimeWindow>,
    /// Only flows that match.
    pub filter: Filter,
    /// Only the first so many matching flows, in the order of the files (`-c`).
    pub limit: Option<u64>,
    /// Where addresses are, for the computed fields that tell it.
    pub gazetteer: Option<Arc<dyn Gazetteer>>,
    /// Which networks are one's own, likewise.
    pub networks: Option<Arc<dyn OwnNetworks>>,
    /// Worker threads; 0 = one per core.
    pub threads: usize,
    /// Whether [`Report::processed`] counts the rows of blocks that were skipped, too, where counting them means to open
    /// the blocks: nfdump's files do not say how many rows a block has.
    pub counts_skipped: bool,
    /// Octets that the query may take for what grows with the input: groups, orders, rows of an answer; `None` = whatever
    /// there is. What is more goes to temporary files without names in the system's directory for them.
    pub max_memory: Option<u64>,
    /// Set it to make the query end soon with [`QueryError::Interrupted`].
    pub interrupt: Arc<AtomicBool>,
    /// Says how far the query is.
    pub progress: Arc<Progress>,
}

/// How far a query is, for whoever watches it from another thread.
#[derive(Debug, Default)]
pub struct Progress {
    blocks: AtomicUsize,
    taken: AtomicUsize,
}

impl Progress {
    /// The share of blocks that were looked at or are being looked at, up to 1; `None` before the first.
    pub fn done(&self) -> Option<f64> {
        let blocks = self.blocks.load(Ordering::Relaxed);
        (blocks > 0).then(|| self.taken.load(Ordering::Relaxed) as f64 / blocks as f64)
    }

    /// Block number `index` of `blocks` is looked at.
    pub(crate) fn take(&self, index: usize, blocks: usize) {
        self.blocks.store(blocks, Ordering::Relaxed);
        self.taken.fetch_max(index, Ordering::Relaxed);
    }
}

impl Query {
    /// A query for every flow that matches `filter`, on all cores, about no file yet.
    pub fn new(filter: Filter) -> Query {
        Query {
            files: Vec::new(),
            live: Vec::new(),
            numbers: Vec::new(),
            window: None,
            filter,
            limit: None,
            gazetteer: None,
            networks: None,
            threads: 0,
            counts_skipped: false,
            max_memory: None,
            interrupt: Arc::default(),
            progress: Arc::default(),
        }
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.load(Ordering::Relaxed)
    }
}

/// A span of time, both ends included. A flow is inside when it starts and ends inside (nfdump 1.7.1's rule).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeWindow {
    /// Earliest start, ms since 1970 UTC.
    pub first_ms: u64,
    /// Latest end, ms since 1970 UTC.
    pub last_ms: u64,
}

impl TimeWindow {
    /// Whether flows between `first_ms` and `last_ms` may be inside.
    pub fn overlaps(&self, first_ms: u64, last_ms: u64) -> bool {
        first_ms <= self.last_ms && last_ms >= self.first_ms
    }

    /// What the ranges of start and end say about the flows of a block.
    pub(crate) fn prune(&self, start: Option<Range>, end: Option<Range>) -> Prune {
        let (
            Some(Range::Num { min: start_min, max: start_max }),
            Some(Range::Num { min: end_min, max: end_max }),
        ) = (start, end)
        else {
            return Prune::Maybe;
        };
        if start_max < self.first_ms || end_min > self.last_ms {
            Prune::Never
        } else if start_min >= self.first_ms && end_max <= self.last_ms {
            Prune::Always
        } else {
            Prune::Maybe
        }
    }

    /// Keeps the selected flows of `batch` that are inside.
    pub(crate) fn select(&self, batch: &FlowBatch, selection: &mut Selection) {
        let (first, last) = (batch.column(Field::FirstMs), batch.column(Field::LastMs));
        match (first, last) {
            (Column::Plain(Values::U64(first)), Column::Plain(Values::U64(last))) => {
                selection.retain(|row| first[row] >= self.first_ms && last[row] <= self.last_ms);
            }
            _ => selection.retain(|row| first.num(row) >= self.first_ms && last.num(row) <= self.last_ms),
        }
    }
}

/// What was seen while answering.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Totals over the flows that matched, counted by [`CountRule::Written`](flow_model::CountRule::Written).
    pub totals: Totals,
    /// Rows looked at: all rows of all blocks, also of those that statistics ruled out (but see
    /// [`Query::counts_skipped`]); without the rows of damaged blocks. With a limit, the rows up to the one that reached it.
    pub processed: u64,
    /// Rows that matched.
    pub passed: u64,
    /// Blocks that were not read because nothing in them can match.
    pub blocks_skipped: u64,
    /// Octets on disk of the blocks that were read, whole blocks, whichever columns of them were decoded.
    pub bytes_read: u64,
    /// Earliest start and latest end of all flows in the files, clipped to the time window; `None` without flows. Files
    /// behind the one in which the limit was reached do not count.
    pub span_ms: Option<(u64, u64)>,
    /// Octets that went to temporary files because [`Query::max_memory`] was reached.
    pub spilled: u64,
    /// Files that could be opened.
    pub files: usize,
    /// Files and blocks that could not be read, in their order. The rest was answered.
    pub problems: Vec<FileError>,
    /// What the files' collector lost.
    pub ledger: LossLedger,
}

/// Why a query has no answer. Damage in files is not a reason: it stands in [`Report::problems`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// [`Query::interrupt`] was set.
    #[error("interrupted")]
    Interrupted,
    /// The output file could not be written, or an input file was damaged while it was read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A temporary file could not be made, written or read. What was in it is gone.
    #[error("temporary file in `{}`: {cause}", .directory.display())]
    TemporaryFile {
        /// Where it is, without a name.
        directory: PathBuf,
        /// The system's reason.
        cause: std::io::Error,
    },
    /// More groups than there is memory for in so many bins.
    #[error("{groups} groups in {bins} bins take more memory than there is: {limit} groups would fit")]
    TooManyCells {
        /// How many groups there are.
        groups: usize,
        /// How many bins each of them has.
        bins: usize,
        /// How many groups there is memory for.
        limit: usize,
    },
    /// A field that flows cannot be grouped by.
    #[error("flows cannot be grouped by `{}`", flow_model::field_info(*.0).name)]
    NotAKey(Field),
    /// A key of too many fields.
    #[error("a key of {found} bytes is too long: at most {limit} are possible")]
    KeyTooLong {
        /// Octets of one packed key.
        found: usize,
        /// What is possible.
        limit: usize,
    },
}
