//! What a service manager is told (`sd_notify(3)`): that we are ready, that we still work, that we end.
//!
//! Without `NOTIFY_SOCKET` in the environment nobody is told anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::log::Log;

/// Advances while the decoder works.
pub(crate) type Heartbeat = Arc<AtomicU64>;

/// Tells that datagrams are being taken.
pub(crate) fn tell_ready(log: &Log) {
    tell(&[NotifyState::Ready], log);
}

/// Tells that the last files are being finished.
pub(crate) fn tell_stopping(log: &Log) {
    tell(&[NotifyState::Stopping], log);
}

/// From now on tells that we work, as often as the service manager wants it, while the heart beats. Does nothing
/// unless it wants to know.
pub(crate) fn watch(heartbeat: Heartbeat, log: Arc<Log>) -> std::io::Result<()> {
    let Some(interval) = sd_notify::watchdog_enabled() else { return Ok(()) };
    let pause = (interval / 2).max(Duration::from_millis(1));
    // It ends with the process.
    thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        let mut last = None;
        loop {
            let beat = heartbeat.load(Ordering::Relaxed);
            if last != Some(beat) {
                tell(&[NotifyState::Watchdog], &log);
            }
            last = Some(beat);
            thread::sleep(pause);
        }
    })?;
    Ok(())
}

fn tell(state: &[NotifyState<'_>], log: &Log) {
    if let Err(error) = sd_notify::notify(state) {
        log.error(format_args!("telling the service manager: {error}"));
    }
}
