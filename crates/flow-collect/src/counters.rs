//! What a running collector can be asked about itself.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($name:ident: $doc:literal;)+) => {
        /// Counts since the start, kept by all threads.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(#[doc = $doc] pub(crate) $name: AtomicU64,)+
        }

        impl Counters {
            /// Every counter: its name, what it counts, its value.
            pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), $doc, self.$name.load(Ordering::Relaxed)),)+].into_iter()
            }
        }
    };
}

counters! {
    datagrams: "Datagrams received.";
    octets: "Octets of these datagrams.";
    flows: "Flows decoded.";
    blocks: "Blocks of flows written.";
    sequence_failures: "Discontinuities in sequence numbers.";
    bad_datagrams: "Datagrams with something that could not be decoded.";
    kernel_drops: "Datagrams that the kernel dropped because a receive buffer was full.";
    ignored: "Datagrams of exporters that belong to no source, or may not send.";
    disallowed: "Of these, datagrams of exporters that are not allowed to send.";
    sources: "Sources that there are.";
    sources_refused: "How often there was no making a source for an exporter.";
    early_blocks: "Blocks written before they were full because memory was short.";
    tasks_done: "Commands and expiries that went well.";
    tasks_failed: "Commands and expiries that went wrong.";
    tasks_refused: "Commands and expiries left out because too many were waiting.";
    repeated: "Datagrams sent on to another collector.";
    repeat_losses: "Datagrams that should have been sent on and were not.";
    lost_flows: "Flows that were decoded and could not be written.";
    state_failures: "How often what is known of exporters could not be saved for the next start.";
}

impl fmt::Display for Counters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counters:")?;
        for (index, (name, _, value)) in self.all().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma} {}: {value}", name.replace('_', " "))?;
        }
        Ok(())
    }
}

/// Adds to a counter.
pub(crate) fn count(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}
