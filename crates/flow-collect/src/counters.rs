//! What a running collector can be asked about itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start, kept by all threads.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) datagrams: AtomicU64,
    pub(crate) octets: AtomicU64,
    pub(crate) flows: AtomicU64,
    pub(crate) bad_datagrams: AtomicU64,
    pub(crate) sequence_failures: AtomicU64,
    pub(crate) kernel_drops: AtomicU64,
    pub(crate) blocks: AtomicU64,
    /// Datagrams of exporters that are in no list.
    pub(crate) ignored: AtomicU64,
    /// Of these, datagrams of exporters that `--allow` leaves out.
    pub(crate) disallowed: AtomicU64,
    pub(crate) sources: AtomicU64,
    /// How often there was no making a source for an exporter.
    pub(crate) sources_refused: AtomicU64,
    /// Blocks written before they were full because memory was short.
    pub(crate) early_blocks: AtomicU64,
    /// Tasks that were too many for the helper process, that went wrong, and that went well.
    pub(crate) tasks_refused: AtomicU64,
    pub(crate) tasks_failed: AtomicU64,
    pub(crate) tasks_done: AtomicU64,
    /// Datagrams that were sent to a target of `-R`, and that should have been.
    pub(crate) repeated: AtomicU64,
    pub(crate) repeat_losses: AtomicU64,
    /// Flows that were decoded and could not be written.
    pub(crate) lost_flows: AtomicU64,
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        write!(
            f,
            "Counters: datagrams: {}, octets: {}, flows: {}, blocks: {}, sequence errors: {}, bad datagrams: {}, kernel drops: {}, ignored: {}, sources: {}, flows not written: {}",
            get(&self.datagrams),
            get(&self.octets),
            get(&self.flows),
            get(&self.blocks),
            get(&self.sequence_failures),
            get(&self.bad_datagrams),
            get(&self.kernel_drops),
            get(&self.ignored),
            get(&self.sources),
            get(&self.lost_flows),
        )
    }
}

/// Adds to a counter.
pub(crate) fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}
