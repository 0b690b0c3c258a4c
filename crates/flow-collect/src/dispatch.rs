//! Datagrams to the intakes of their exporters' sources, and the decision in which slot they are filed.

use std::collections::HashSet;
use std::fs::DirBuilder;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use flow_file::FileFormat;
use ipnet::IpNet;

use crate::complaint::Complaints;
use crate::counters::count;
use crate::intake::{Intake, Workshop};
use crate::share::share;
use crate::slot::Slots;
use crate::source::{Source, SourceTable, dynamic_name};
use crate::spool::{Naming, Spool, SpoolError};

/// What all blocks under construction may occupy together, about. Beyond, the largest are written before they are full.
/// A block of 65,536 usual flows takes some 6 MB.
pub(crate) const MAX_BLOCK_MEMORY: usize = 512 << 20;

/// When blocks are written for that reason, until no more than this is occupied: not for every datagram anew.
const BLOCK_MEMORY_AFTERWARDS: usize = MAX_BLOCK_MEMORY / 4 * 3;

/// How long flows may be in memory only, less what looking after them and writing them takes: SIGKILL costs at most a
/// second.
const MAX_UNSAVED_MS: u64 = 700;

/// How old published ledgers may be while datagrams come.
const PUBLISHING_INTERVAL_MS: u64 = 1000;

/// Exporters remembered in a slot because there was no making a source for them. Addresses can be forged.
const MAX_REFUSED: usize = 4096;

/// The intakes of all sources. They share their slots: when one ends, it ends for all.
///
/// The times of the datagrams decide which slot they belong to, so that a live socket and a capture are the
/// same to it.
pub(crate) struct Dispatch {
    workshop: Arc<Workshop>,
    /// Who may send; everybody if `None`.
    allowed: Option<SourceTable>,
    table: SourceTable,
    dynamic: Option<DynamicSources>,
    desks: Vec<Desk>,
    slots: Slots,
    /// Datagrams that the kernel dropped in this slot, whosever they were.
    kernel_drops: u64,
    /// Datagrams from whom nothing is taken, in this slot and altogether.
    ignored: u64,
    ignored_ever: u64,
    complaints: Complaints,
    /// Desks whose blocks may have grown since memory was looked at last.
    touched: Vec<usize>,
    /// Desks whose ledgers have changed since they were published last, and when that was.
    unpublished: HashSet<usize>,
    published_ms: u64,
    block_memory: usize,
}

/// A source and, once it has datagrams, what takes them.
struct Desk {
    source: Arc<Source>,
    intake: Option<Intake>,
    memory: usize,
    is_touched: bool,
}

/// How sources are made for exporters nobody has told us about.
pub(crate) struct DynamicSources {
    /// Where their directories are.
    pub(crate) directory: PathBuf,
    pub(crate) naming: Naming,
    pub(crate) format: FileFormat,
    /// The most sources there may be.
    pub(crate) max_sources: usize,
    /// Exporters for whom there was no making one, in this slot.
    pub(crate) refused: HashSet<IpAddr>,
}

impl Dispatch {
    /// Without any source yet. `interval_s` is the length of a slot.
    pub(crate) fn new(workshop: Workshop, interval_s: u32) -> Dispatch {
        Dispatch {
            workshop: Arc::new(workshop),
            allowed: None,
            table: SourceTable::default(),
            dynamic: None,
            desks: Vec::new(),
            slots: Slots::new(interval_s),
            kernel_drops: 0,
            ignored: 0,
            ignored_ever: 0,
            complaints: Complaints::default(),
            touched: Vec::new(),
            unpublished: HashSet::new(),
            published_ms: 0,
            block_memory: 0,
        }
    }

    /// Takes datagrams from these networks only.
    pub(crate) fn allow(&mut self, networks: &[IpNet]) {
        let mut table = SourceTable::default();
        for &network in networks {
            table.add(Some(network), 0);
        }
        self.allowed = Some(table);
    }

    /// Makes sources for exporters that are in no table.
    pub(crate) fn make_sources(&mut self, dynamic: DynamicSources) {
        self.dynamic = Some(dynamic);
    }

    /// Adds a source, whose number is that of the sources before it, for a network or all other exporters.
    pub(crate) fn add(&mut self, source: Arc<Source>, network: Option<IpNet>) {
        let intake = Intake::new(Arc::clone(&source), Arc::clone(&self.workshop));
        self.add_asleep(source, network);
        if let Some(desk) = self.desks.last_mut() {
            desk.intake = Some(intake);
        }
    }

    /// Adds a source that has no files before its first datagram.
    pub(crate) fn add_asleep(&mut self, source: Arc<Source>, network: Option<IpNet>) {
        self.table.add(network, self.desks.len());
        self.desks.push(Desk { source, intake: None, memory: 0, is_touched: false });
        count(&self.workshop.counters.sources, 1);
    }

    /// Takes a datagram, which first ends the current slot if it belongs to another.
    pub(crate) fn datagram(&mut self, from: SocketAddr, received_ms: u64, payload: &[u8]) {
        if self.slots.is_elsewhere(received_ms) {
            self.begin_slot(received_ms);
        }
        let counters = &self.workshop.counters;
        count(&counters.datagrams, 1);
        count(&counters.octets, payload.len() as u64);
        let exporter = from.ip().to_canonical();
        let Some(number) = self.desk_of(exporter, received_ms) else {
            self.ignored += 1;
            self.ignored_ever += 1;
            count(&self.workshop.counters.ignored, 1);
            return;
        };
        let desk = &mut self.desks[number];
        if !desk.is_touched {
            desk.is_touched = true;
            self.touched.push(number);
        }
        let intake = desk.intake.get_or_insert_with(|| {
            let intake = Intake::new(Arc::clone(&desk.source), Arc::clone(&self.workshop));
            self.workshop.log.info(dynamic_line(&desk.source));
            intake.begin_slot(received_ms);
            intake
        });
        intake.datagram(from, received_ms, payload);
    }

    /// Hands over what has been in blocks under construction for too long for us to be killed with it. Whether there is
    /// something left in them that will be.
    pub(crate) fn flush(&mut self, now_ms: u64) -> bool {
        self.intakes().fold(false, |left, intake| intake.flush(now_ms, MAX_UNSAVED_MS) | left)
    }

    /// Publishes ledgers that have changed, at most once in [`PUBLISHING_INTERVAL_MS`]; to be called as often as one likes.
    pub(crate) fn publish(&mut self, now_ms: u64) {
        if now_ms.abs_diff(self.published_ms) < PUBLISHING_INTERVAL_MS {
            return;
        }
        self.published_ms = now_ms;
        for number in self.unpublished.drain() {
            if let Some(intake) = &self.desks[number].intake {
                intake.publish();
            }
        }
    }

    /// Keeps what blocks under construction occupy within its bound. To be called every few hundred datagrams.
    pub(crate) fn check_memory(&mut self) {
        for number in self.touched.drain(..) {
            if self.workshop.board.is_some() {
                self.unpublished.insert(number);
            }
            self.desks[number].is_touched = false;
            self.block_memory -= self.desks[number].memory;
            self.desks[number].memory = self.desks[number].intake.as_ref().map_or(0, Intake::memory);
            self.block_memory += self.desks[number].memory;
        }
        if self.block_memory <= MAX_BLOCK_MEMORY {
            return;
        }
        let mut largest: Vec<usize> = (0..self.desks.len()).collect();
        largest.sort_by_key(|&number| std::cmp::Reverse(self.desks[number].memory));
        for number in largest {
            if self.block_memory <= BLOCK_MEMORY_AFTERWARDS {
                break;
            }
            let desk = &mut self.desks[number];
            if let Some(intake) = &mut desk.intake {
                intake.shrink();
            }
            self.block_memory -= std::mem::take(&mut desk.memory);
            count(&self.workshop.counters.early_blocks, 1);
        }
    }

    /// Ends the last slot. Data that still wait for their template are lost, and counted.
    pub(crate) fn finish(&mut self) {
        self.intakes().for_each(Intake::give_up_waiting);
        self.end_slot(true);
    }

    /// Ends the current slot, if there is one, and begins the one of this time.
    pub(crate) fn begin_slot(&mut self, now_ms: u64) {
        self.end_slot(false);
        self.slots.enter(now_ms);
        self.intakes().for_each(|intake| intake.begin_slot(now_ms));
        if let Some(dynamic) = &mut self.dynamic {
            // What stood in the way may be gone.
            dynamic.refused.clear();
        }
    }

    /// When the current slot is to be ended without waiting for a datagram any longer.
    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        self.slots.deadline_ms()
    }

    /// Whether a time belongs to another slot.
    pub(crate) fn is_elsewhere(&self, time_ms: u64) -> bool {
        self.slots.is_elsewhere(time_ms)
    }

    /// Whether the current slot is to be ended although no datagram says so.
    pub(crate) fn is_overdue(&self, now_ms: u64) -> bool {
        self.slots.is_overdue(now_ms)
    }

    /// Accounts datagrams that the kernel dropped to the current slot.
    pub(crate) fn add_kernel_drops(&mut self, drops: u64) {
        self.kernel_drops += drops;
        count(&self.workshop.counters.kernel_drops, drops);
    }

    fn intakes(&mut self) -> impl Iterator<Item = &mut Intake> {
        self.desks.iter_mut().filter_map(|desk| desk.intake.as_mut())
    }

    /// Which desk an exporter's datagrams are for, if any; says once why there is none.
    fn desk_of(&mut self, exporter: IpAddr, received_ms: u64) -> Option<usize> {
        let Workshop { log, counters, .. } = &*self.workshop;
        if self.allowed.as_ref().is_some_and(|allowed| allowed.find(exporter).is_none()) {
            count(&counters.disallowed, 1);
            let text = format_args!("Not allowed to send: '{exporter}'");
            self.complaints.complain(log, exporter, "not allowed", text);
            return None;
        }
        if let Some(number) = self.table.find(exporter) {
            return Some(number);
        }
        let Some(dynamic) = &mut self.dynamic else {
            let text = format_args!("Unknown flow source: '{exporter}'");
            if self.complaints.complain(log, exporter, "unknown flow source", text) {
                let ignored = self.ignored_ever + 1;
                log.error(format_args!("Skip UDP packet. Ignored packets so far {ignored} packets"));
            }
            return None;
        };
        if dynamic.refused.contains(&exporter) || dynamic.refused.len() == MAX_REFUSED {
            return None;
        }
        let number = self.desks.len();
        match dynamic.make(exporter, number) {
            Ok(source) => {
                log.info(dynamic_line(&source));
                self.add(Arc::new(source), Some(exporter.into()));
                self.desks[number].intake.as_ref()?.begin_slot(received_ms);
                Some(number)
            }
            Err(error) => {
                dynamic.refused.insert(exporter);
                count(&counters.sources_refused, 1);
                let text = format_args!("No source for '{exporter}': {error}");
                self.complaints.complain(log, exporter, error.cause(), text);
                None
            }
        }
    }

    fn end_slot(&mut self, is_last: bool) {
        let (Some(start_ms), Some(end_ms)) = (self.slots.start_ms(), self.slots.end_ms()) else { return };
        self.share_kernel_drops(is_last);
        self.intakes().for_each(|intake| intake.end_slot(start_ms, end_ms, is_last));
        let ignored = std::mem::take(&mut self.ignored);
        if ignored > 0 {
            self.workshop.log.info(format_args!("Total ignored packets: {ignored}"));
        }
    }

    /// The kernel does not tell whose datagrams it dropped, but sequence numbers tell who misses some: drops are shared out in
    /// proportion to what is missing, or, where nothing is, to what came.
    ///
    /// Without any source, they are kept for the slot in which there is one; at the end, the log has them.
    fn share_kernel_drops(&mut self, is_last: bool) {
        if self.kernel_drops == 0 {
            return;
        }
        let mut weights: Vec<u64> = self.intakes().map(|intake| intake.missing_datagrams()).collect();
        if weights.iter().all(|&missing| missing == 0) {
            weights = self.intakes().map(|intake| intake.datagrams()).collect();
        }
        if weights.is_empty() {
            if is_last {
                let drops = self.kernel_drops;
                self.workshop.log.info(format_args!(
                    "Lost: datagrams dropped by the kernel: {drops}, and no source for any"
                ));
            }
            return;
        }
        let shares = share(std::mem::take(&mut self.kernel_drops), &weights);
        self.intakes().zip(shares).for_each(|(intake, share)| intake.add_kernel_drops(share));
    }
}

/// Why there is no source for an exporter.
#[derive(Debug, thiserror::Error)]
enum NoSource {
    #[error("there are {0} sources already; see `--limit sources`")]
    TooMany(usize),
    #[error("{}: cannot create it: {source}", path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Spool(#[from] SpoolError),
}

impl NoSource {
    fn cause(&self) -> &'static str {
        match self {
            NoSource::TooMany(_) => "too many sources",
            NoSource::Directory { .. } | NoSource::Spool(_) => "no directory",
        }
    }
}

impl DynamicSources {
    fn make(&self, exporter: IpAddr, number: usize) -> Result<Source, NoSource> {
        if number >= self.max_sources {
            return Err(NoSource::TooMany(number));
        }
        let ident = dynamic_name(exporter);
        let path = self.directory.join(&ident);
        match DirBuilder::new().mode(0o755).create(&path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                Err(NoSource::Directory { path, source })
            }
            _ => {
                let spool = Spool::open_at_once(&path, self.naming, self.format)?;
                Ok(Source { number, ident, spool })
            }
        }
    }
}

/// nfcapd's line.
fn dynamic_line(source: &Source) -> String {
    let Source { ident, spool, .. } = source;
    format!("Dynamically add source ident: {ident} in directory: {}", spool.directory().display())
}
