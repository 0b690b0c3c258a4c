//! The collector as a whole: what is checked before it becomes a daemon, and what runs afterwards.

use std::collections::HashSet;
use std::io;
use std::net::UdpSocket;
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flow_file::{FileFormat, WORKING_PREFIX};
use flow_wire::{DecoderOptions, Limits, Tunnels};
use ipnet::IpNet;
use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::capture::{CaptureError, CaptureReader};
use crate::counters::Counters;
use crate::dispatch::{Dispatch, DynamicSources};
use crate::file::{BLOCK_QUEUE_LEN, BlockWriter, FILING_QUEUE_LEN, Filer, Leftover};
use crate::intake::Workshop;
use crate::log::Log;
use crate::process::raise_file_limit;
use crate::receive::{self, Inlet, queue};
use crate::socket::{KernelDrops, Listen, ListenError, Listener};
use crate::source::{Source, Sources, dynamic_address};
use crate::spool::{Naming, Spool, SpoolError};

/// The decoder looks at the clock at least this often, so that it notices when the clock is set.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Datagrams of a capture after which the memory in use is looked at.
const MEMORY_CHECK: u64 = 256;

/// Files that a source has open: its lock, the file being written, and two that wait to be finished.
const FILES_PER_SOURCE: usize = 4;

/// Files that are open whatever sources there are, generously.
const FILES_APART: u64 = 128;

/// Signals that end the collector, with its file finished. `HUP` is not a reload (D-78 of the contract).
const ENDING: [i32; 3] = [SIGTERM, SIGINT, SIGHUP];

/// Signals that would kill nfcapd and mean nothing to us.
const IGNORED: [i32; 3] = [SIGUSR2, SIGPIPE, SIGALRM];

/// What to collect, and where to put it.
#[derive(Clone, Debug)]
pub struct CollectorOptions {
    /// Whose flows go where.
    pub sources: Sources,
    /// The most sources that [`Sources::Dynamic`] may make.
    pub max_sources: usize,
    /// Networks whose datagrams are taken; everybody's if empty.
    pub allowed: Vec<IpNet>,
    /// Names of the files.
    pub naming: Naming,
    /// Layout of the files, and how they are compressed.
    pub format: FileFormat,
    /// Rate of flows whose exporter announces none.
    pub default_sampling: Option<u32>,
    /// Rate of all flows, whatever their exporter announces.
    pub override_sampling: Option<u32>,
    /// Whose addresses and ports a sampled packet in a tunnel has.
    pub tunnels: Tunnels,
    /// Bounds on what a peer can make us keep or do.
    pub limits: Limits,
    /// Log every gap in sequence numbers.
    pub report_gaps: bool,
    /// The clock, ms since 1970.
    pub now_ms: fn() -> u64,
}

/// Where datagrams come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// UDP sockets, one or more.
    Listen(Vec<Listen>),
    /// A packet capture or an IPFIX file, whose time stamps take the place of the clock.
    Capture(PathBuf),
}

/// Why a collector cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// There is no socket.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The capture cannot be read.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The system refuses something else.
    #[error("cannot {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

/// How a collector ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Flows that were decoded but could not be written.
    pub lost_flows: u64,
    /// Files that could not be put under their name; they are still there.
    pub unfiled: u64,
    /// The socket failed, so that the collector ended by itself.
    pub input_failed: bool,
}

impl Outcome {
    /// Whether everything that was received is where it belongs.
    pub fn is_complete(&self) -> bool {
        *self == Outcome::default()
    }
}

/// A collector that can start: it has its directories, and its sockets or capture.
///
/// It has a single thread until it [runs](Self::run), so that the process may [become a
/// daemon](crate::detach) in between.
pub struct Collector {
    options: CollectorOptions,
    spools: Vec<Reserved>,
    port: Port,
    log: Arc<Log>,
}

enum Port {
    Sockets(Vec<Listener>),
    Capture(Box<CaptureReader>),
}

/// A source before it has its number.
struct Reserved {
    ident: String,
    network: Option<IpNet>,
    spool: Spool,
    /// Made for what a predecessor left only: without datagrams it has no files.
    is_asleep: bool,
}

impl Collector {
    /// Checks everything that can be checked, and takes what must be ours: the directories and the ports.
    pub fn prepare(
        mut options: CollectorOptions,
        input: &Input,
        log: Arc<Log>,
    ) -> Result<Collector, StartError> {
        if let Sources::Dynamic(directory) = &mut options.sources {
            let open_files = raise_file_limit();
            let most = usize::try_from(open_files.saturating_sub(FILES_APART)).unwrap_or(usize::MAX);
            options.max_sources = options.max_sources.min(most / FILES_PER_SOURCE);
            *directory = directory.canonicalize().map_err(|_| SpoolError::Missing(directory.clone()))?;
        }
        let spools = reserve(&options)?;
        let port = match input {
            Input::Listen(addresses) => {
                Port::Sockets(addresses.iter().map(Listener::open).collect::<Result<_, _>>()?)
            }
            Input::Capture(path) => Port::Capture(Box::new(CaptureReader::open(path)?)),
        };
        Ok(Collector { options, spools, port, log })
    }

    /// Collects until the capture ends or a signal says so. `ready` is called when datagrams are being taken.
    pub fn run(self, ready: impl FnOnce() -> io::Result<()>) -> Result<Outcome, StartError> {
        let Collector { options, mut spools, port, log } = self;
        for Reserved { ident, network, spool, is_asleep } in &mut spools {
            spool.set_pid(std::process::id()).map_err(system("say who has the directory"))?;
            if !*is_asleep {
                let who = network.map_or_else(|| "any IP".to_owned(), network_text);
                let directory = spool.directory().display();
                log.info(format_args!("Add flow source: ident: {ident}, IP: {who}, flowdir: {directory}"));
            }
        }
        if let Sources::Dynamic(directory) = &options.sources {
            let (directory, most) = (directory.display(), options.max_sources);
            log.info(format_args!("Dynamic flow sources: up to {most} below {directory}"));
        }
        match (options.override_sampling, options.default_sampling) {
            (Some(rate), _) => log.info(format_args!("Sampling: 1:{rate} for all exporters")),
            (None, Some(rate)) => log.info(format_args!("Default sampling: {rate}")),
            (None, None) => {}
        }
        let run = Run { log, options, counters: Arc::default() };
        match port {
            Port::Sockets(listeners) => run.listen(listeners, spools, ready),
            Port::Capture(capture) => run.replay(*capture, spools, ready),
        }
    }
}

/// Takes possession of the sources' directories, those for which dynamic sources left something included.
fn reserve(options: &CollectorOptions) -> Result<Vec<Reserved>, SpoolError> {
    let open = |directory: &Path| Spool::open(directory, options.naming, options.format);
    match &options.sources {
        Sources::Listed(listed) => listed
            .iter()
            .map(|source| {
                let spool = open(&source.directory)?;
                Ok(Reserved { ident: source.ident.clone(), network: source.network, spool, is_asleep: false })
            })
            .collect(),
        Sources::Dynamic(directory) => {
            let mut reserved = Vec::new();
            let failed = |source| SpoolError::Io { path: directory.clone(), action: "read it", source };
            for entry in directory.read_dir().map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let name = entry.file_name();
                let Some((ident, exporter)) =
                    name.to_str().and_then(|name| Some((name, dynamic_address(name)?)))
                else {
                    continue;
                };
                if reserved.len() < options.max_sources && has_leftovers(&entry.path()) {
                    let spool = open(&entry.path())?;
                    let network = Some(exporter.into());
                    reserved.push(Reserved { ident: ident.to_owned(), network, spool, is_asleep: true });
                }
            }
            Ok(reserved)
        }
    }
}

/// Whether a directory has files that were being written. One that cannot be read is for its first datagram to complain
/// about.
fn has_leftovers(directory: &Path) -> bool {
    directory.read_dir().is_ok_and(|entries| {
        entries
            .filter_map(Result::ok)
            .any(|entry| entry.file_name().as_encoded_bytes().starts_with(WORKING_PREFIX.as_bytes()))
    })
}

/// A single address without its length, as nfcapd shows it.
fn network_text(network: IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

/// A collector at work.
struct Run {
    log: Arc<Log>,
    options: CollectorOptions,
    counters: Arc<Counters>,
}

/// The threads behind the decoder.
struct Backend {
    writer: JoinHandle<()>,
    filer: JoinHandle<u64>,
}

impl Run {
    fn listen(
        &self,
        listeners: Vec<Listener>,
        spools: Vec<Reserved>,
        ready: impl FnOnce() -> io::Result<()>,
    ) -> Result<Outcome, StartError> {
        let signals = ENDING.iter().chain(&IGNORED).chain(&[SIGUSR1]);
        let mut signals = Signals::new(signals).map_err(system("catch signals"))?;
        let (stop, stopped) = UnixStream::pair().map_err(system("make a socket pair"))?;
        let (outlet, inlet) = queue();
        let (dispatch, backend) = self.start(spools)?;
        for listener in &listeners {
            self.log.info(listener.bound_line());
            if let Some(line) = listener.buffer_line() {
                self.log.info(line);
            }
        }

        let drops = listeners.iter().map(|listener| KernelDrops::of(&listener.socket)).collect();
        // They stay open until the decoder has asked for the last count of drops.
        let sockets: Arc<[UdpSocket]> = listeners.into_iter().map(|listener| listener.socket).collect();
        let now_ms = self.options.now_ms;
        let decoder = spawn("decode", move || decode(dispatch, &inlet, drops, now_ms))?;
        let receiver = {
            let (sockets, log, ended) = (Arc::clone(&sockets), Arc::clone(&self.log), signals.handle());
            spawn("receive", move || {
                let result = receive::receive(&sockets, &stopped, now_ms, &outlet);
                if let Err(error) = &result {
                    log.error(format_args!("receiving: {error}"));
                }
                ended.close();
                result.is_ok()
            })?
        };
        ready().map_err(system("report to be ready"))?;
        self.log.info(format_args!("Startup {}.", self.log.program()));

        for signal in signals.forever() {
            if signal == SIGUSR1 {
                self.log.info(&self.counters);
            } else if ENDING.contains(&signal) {
                break;
            }
        }
        drop(stop);
        let received_well = join(receiver);
        join(decoder);
        drop(sockets);
        let outcome = self.end(backend, !received_well);
        self.log.info(format_args!("Terminating {}.", self.log.program()));
        Ok(outcome)
    }

    fn replay(
        &self,
        mut capture: CaptureReader,
        spools: Vec<Reserved>,
        ready: impl FnOnce() -> io::Result<()>,
    ) -> Result<Outcome, StartError> {
        let (stop, report) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let ignored = Arc::new(AtomicBool::new(false));
        let flags = ENDING.iter().map(|signal| (signal, &stop)).chain([(&SIGUSR1, &report)]);
        for (&signal, flag) in flags.chain(IGNORED.iter().map(|signal| (signal, &ignored))) {
            signal_hook::flag::register(signal, Arc::clone(flag)).map_err(system("catch signals"))?;
        }
        let (mut dispatch, backend) = self.start(spools)?;
        ready().map_err(system("report to be ready"))?;
        self.log.info(format_args!("Startup {}.", self.log.program()));

        let mut count = 0_u64;
        let result = capture.read(|datagram| {
            if report.swap(false, Ordering::Relaxed) {
                self.log.info(&self.counters);
            }
            if stop.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            dispatch.datagram(datagram.from, datagram.received_ms, datagram.payload);
            count += 1;
            if count.is_multiple_of(MEMORY_CHECK) {
                dispatch.check_memory();
            }
            ControlFlow::Continue(())
        });
        dispatch.finish();
        drop(dispatch);
        let outcome = self.end(backend, false);
        // A capture that ends early is the normal case of one that was being written: what was there is filed.
        if let Err(error) = result {
            self.log.error(error);
        }
        self.log.info(capture.stats());
        self.log.info(format_args!("Terminating {}.", self.log.program()));
        Ok(outcome)
    }

    /// Starts the threads that write and file, beginning with what predecessors left.
    fn start(&self, spools: Vec<Reserved>) -> Result<(Dispatch, Backend), StartError> {
        let CollectorOptions { sources, max_sources, naming, format, .. } = &self.options;
        let (jobs, to_write) = mpsc::sync_channel(BLOCK_QUEUE_LEN);
        let source_count = spools.len().max(*max_sources);
        // When a slot ends, every source has a file to be finished.
        let (filing, to_file) = mpsc::sync_channel(FILING_QUEUE_LEN + source_count);
        let (written, reusable) = mpsc::sync_channel(BLOCK_QUEUE_LEN);
        let workshop = Workshop {
            log: Arc::clone(&self.log),
            counters: Arc::clone(&self.counters),
            jobs,
            reusable: Mutex::new(reusable),
            decoder: DecoderOptions {
                default_sampling: self.options.default_sampling,
                override_sampling: self.options.override_sampling,
                tunnels: self.options.tunnels,
                limits: self.options.limits,
            },
            report_gaps: self.options.report_gaps,
        };
        let mut dispatch = Dispatch::new(workshop, naming.interval_s);
        if !self.options.allowed.is_empty() {
            dispatch.allow(&self.options.allowed);
        }
        if let Sources::Dynamic(directory) = sources {
            dispatch.make_sources(DynamicSources {
                directory: directory.clone(),
                naming: *naming,
                format: *format,
                max_sources: *max_sources,
                refused: HashSet::new(),
            });
        }
        let mut leftovers = Vec::new();
        for (number, Reserved { ident, network, spool, is_asleep }) in spools.into_iter().enumerate() {
            let source = Arc::new(Source { number, ident, spool });
            let found = source.spool.leftovers(&self.log).into_iter();
            leftovers.extend(found.map(|path| Leftover { source: Arc::clone(&source), path }));
            if is_asleep {
                dispatch.add_asleep(source, network);
            } else {
                dispatch.add(source, network);
            }
        }
        let filer = Filer { log: Arc::clone(&self.log), interval_s: naming.interval_s, format: *format };
        let filer = spawn("file", move || filer.run(leftovers, &to_file))?;
        let writer = BlockWriter {
            log: Arc::clone(&self.log),
            counters: Arc::clone(&self.counters),
            format: *format,
            filing,
            written,
        };
        let writer = spawn("write", move || writer.run(&to_write))?;
        Ok((dispatch, Backend { writer, filer }))
    }

    /// Waits until everything decoded is on disk.
    fn end(&self, backend: Backend, input_failed: bool) -> Outcome {
        join(backend.writer);
        let unfiled = join(backend.filer);
        Outcome { lost_flows: self.counters.lost_flows.load(Ordering::Relaxed), unfiled, input_failed }
    }
}

/// Decodes what arrives, and ends slots on time when nothing does.
fn decode(mut dispatch: Dispatch, inlet: &Inlet, mut drops: Vec<KernelDrops>, now_ms: fn() -> u64) {
    let mut take_drops = || drops.iter_mut().map(KernelDrops::take).sum();
    dispatch.begin_slot(now_ms());
    loop {
        let remaining_ms = dispatch.deadline_ms().unwrap_or(0).saturating_sub(now_ms());
        match inlet.next(Duration::from_millis(remaining_ms).min(LONGEST_WAIT)) {
            Ok(batch) => {
                for datagram in batch.iter() {
                    if dispatch.is_elsewhere(datagram.received_ms) {
                        dispatch.add_kernel_drops(take_drops());
                    }
                    dispatch.datagram(datagram.from, datagram.received_ms, datagram.payload);
                }
                dispatch.check_memory();
                inlet.recycle(batch);
            }
            Err(RecvTimeoutError::Timeout) => {
                let now_ms = now_ms();
                if dispatch.is_overdue(now_ms) {
                    dispatch.add_kernel_drops(take_drops());
                    dispatch.begin_slot(now_ms);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    dispatch.add_kernel_drops(take_drops());
    dispatch.finish();
}

fn spawn<T: Send + 'static>(
    name: &str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, StartError> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map_err(system("start a thread"))
}

/// A thread's result. One that panicked takes the rest with it: a collector does not live on without a part.
fn join<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn system(action: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::System { action, source }
}
