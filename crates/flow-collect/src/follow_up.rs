//! What follows when a file has its name: the command of `-x`, expiry for `-e`, book-keeping for nfexpire.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flow_file::SlotName;
use flow_retain::Booking;

use crate::counters::{Counters, count};
use crate::helper::{Helper, Task};
use crate::hook::{Hook, HookFile};
use crate::log::Log;
use crate::source::Source;
use crate::spool::Filed;

/// Follows every filed file, in the filing thread.
pub(crate) struct FollowUp {
    pub(crate) log: Arc<Log>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) hook: Option<Hook>,
    pub(crate) expires: bool,
    /// There when something is asked of it.
    pub(crate) helper: Option<Helper>,
    /// By directory, what its `.nfstat` does not count yet.
    pub(crate) bookings: HashMap<PathBuf, Booking>,
    /// One message for a row of tasks that cannot be handed over.
    pub(crate) is_refusing: bool,
}

impl FollowUp {
    /// Without commands and expiry.
    pub(crate) fn new(log: Arc<Log>, counters: Arc<Counters>) -> FollowUp {
        FollowUp {
            log,
            counters,
            hook: None,
            expires: false,
            helper: None,
            bookings: HashMap::new(),
            is_refusing: false,
        }
    }

    /// A file of the slot that starts then has its name.
    pub(crate) fn filed(&mut self, source: &Source, filed: &Filed, start_ms: u64) {
        let directory = source.spool.directory();
        let (Filed::As(path) | Filed::Merged(path)) = filed;
        if let Some(hook) = &self.hook {
            let task = Task::Launch(hook.arguments(HookFile {
                directory,
                file: path.strip_prefix(directory).unwrap_or(path),
                time: &time_of(path),
                start_s: start_ms / 1000,
                ident: &source.ident,
            }));
            self.give(&task);
        }
        if self.expires {
            self.give(&Task::Expire(directory.to_owned()));
        } else {
            self.book(directory, filed, path, start_ms);
        }
    }

    /// Enters what is still to be booked, and lets the helper end.
    pub(crate) fn finish(mut self) {
        for (directory, booking) in &mut self.bookings {
            enter(booking, directory, &self.log);
        }
        if let Some(helper) = self.helper.take() {
            helper.dismiss();
        }
    }

    fn give(&mut self, task: &Task) {
        let given = self.helper.as_ref().is_some_and(|helper| helper.give(task));
        if given {
            self.is_refusing = false;
            return;
        }
        count(&self.counters.tasks_refused, 1);
        if !self.is_refusing {
            self.is_refusing = true;
            self.log.error("Launcher: too many tasks are waiting, or it has died; some are left out");
        }
    }

    /// (A collector that expires counts anew each time.)
    fn book(&mut self, directory: &Path, filed: &Filed, path: &Path, start_ms: u64) {
        let booking = self.bookings.entry(directory.to_owned()).or_default();
        match (filed, path.metadata()) {
            (Filed::As(_), Ok(metadata)) => {
                booking.add(i64::try_from(start_ms / 1000).unwrap_or(i64::MAX), metadata.blocks() * 512);
            }
            _ => booking.add_change(),
        }
        enter(booking, directory, &self.log);
    }
}

fn enter(booking: &mut Booking, directory: &Path, log: &Log) {
    if let Err(error) = booking.enter(directory) {
        log.error(format_args!("{}: {error}", directory.display()));
    }
}

/// The digits of a file's name.
fn time_of(path: &Path) -> String {
    let name = path.file_name().and_then(|name| name.to_str());
    name.and_then(SlotName::parse).map(|name| name.digits()).unwrap_or_default()
}
