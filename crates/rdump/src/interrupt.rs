//! Ctrl-C.

use anyhow::Context;
use flow_query::QueryError;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::{flag, low_level};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// The signals that end a query. What it has written until then are whole lines, and its files under way are removed.
const SIGNALS: [i32; 2] = [SIGINT, SIGTERM];

/// Lets a signal set `interrupt`, and a second one end the program at once.
///
/// # Errors
/// Those of the system.
pub(crate) fn watch(interrupt: &Arc<AtomicBool>) -> anyhow::Result<()> {
    for signal in SIGNALS {
        flag::register_conditional_default(signal, Arc::clone(interrupt))
            .and_then(|_| flag::register(signal, Arc::clone(interrupt)))
            .context("waiting for signals")?;
    }
    Ok(())
}

/// Ends the program as the signal would have, when that is why the query failed: whoever started it wants to know.
pub(crate) fn end_if_interrupted(error: &anyhow::Error) {
    if matches!(error.downcast_ref(), Some(QueryError::Interrupted)) {
        // Should that fail, the error is told.
        let _ = low_level::emulate_default_handler(SIGINT);
    }
}
