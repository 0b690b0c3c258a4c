//! The collector as a whole: what is checked before it becomes a daemon, and what runs afterwards.

use std::io;
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use flow_file::FileFormat;
use flow_wire::{DecoderOptions, Limits, Tunnels};
use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;

use crate::capture::{CaptureError, CaptureReader};
use crate::counters::Counters;
use crate::file::{BLOCK_QUEUE_LEN, BlockWriter, FILING_QUEUE_LEN, Filer};
use crate::intake::{Intake, IntakeOptions};
use crate::log::Log;
use crate::receive::{self, Inlet, queue};
use crate::socket::{KernelDrops, Listen, ListenError, Listener};
use crate::spool::{Naming, Spool, SpoolError};

/// The decoder looks at the clock at least this often, so that it notices when the clock is set.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Signals that end the collector, with its file finished. `HUP` is not a reload (D-78 of the contract).
const ENDING: [i32; 3] = [SIGTERM, SIGINT, SIGHUP];

/// Signals that would kill nfcapd and mean nothing to us.
const IGNORED: [i32; 3] = [SIGUSR2, SIGPIPE, SIGALRM];

/// What to collect, and where to put it.
#[derive(Clone, Debug)]
pub struct CollectorOptions {
    /// The data directory.
    pub directory: PathBuf,
    /// Names of its files.
    pub naming: Naming,
    /// Name of the source, stored in every file.
    pub ident: String,
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
    /// A UDP socket.
    Listen(Listen),
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

/// A collector that can start: it has its directory, and its socket or capture.
///
/// It has a single thread until it [runs](Self::run), so that the process may [become a
/// daemon](crate::detach) in between.
pub struct Collector {
    options: CollectorOptions,
    spool: Spool,
    source: Source,
    log: Arc<Log>,
}

enum Source {
    Socket(Listener),
    Capture(CaptureReader),
}

impl Collector {
    /// Checks everything that can be checked, and takes what must be ours: the directory and the port.
    pub fn prepare(options: CollectorOptions, input: &Input, log: Arc<Log>) -> Result<Collector, StartError> {
        let spool = Spool::open(&options.directory, options.naming, options.format)?;
        let source = match input {
            Input::Listen(listen) => Source::Socket(Listener::open(listen)?),
            Input::Capture(path) => Source::Capture(CaptureReader::open(path)?),
        };
        Ok(Collector { options, spool, source, log })
    }

    /// Collects until the capture ends or a signal says so. `ready` is called when datagrams are being taken.
    pub fn run(self, ready: impl FnOnce() -> io::Result<()>) -> Result<Outcome, StartError> {
        let Collector { options, mut spool, source, log } = self;
        spool.set_pid(std::process::id()).map_err(system("say who has the directory"))?;
        let (ident, directory) = (&options.ident, spool.directory().display());
        log.info(format_args!("Add flow source: ident: {ident}, IP: any IP, flowdir: {directory}"));
        match (options.override_sampling, options.default_sampling) {
            (Some(rate), _) => log.info(format_args!("Sampling: 1:{rate} for all exporters")),
            (None, Some(rate)) => log.info(format_args!("Default sampling: {rate}")),
            (None, None) => {}
        }
        let run = Run { log, options, counters: Arc::default() };
        match source {
            Source::Socket(listener) => run.listen(listener, spool, ready),
            Source::Capture(capture) => run.replay(capture, spool, ready),
        }
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
        listener: Listener,
        spool: Spool,
        ready: impl FnOnce() -> io::Result<()>,
    ) -> Result<Outcome, StartError> {
        let signals = ENDING.iter().chain(&IGNORED).chain(&[SIGUSR1]);
        let mut signals = Signals::new(signals).map_err(system("catch signals"))?;
        let (stop, stopped) = UnixStream::pair().map_err(system("make a socket pair"))?;
        let (outlet, inlet) = queue();
        let (intake, backend) = self.start(spool)?;
        self.log.info(listener.bound_line());
        if let Some(line) = listener.buffer_line() {
            self.log.info(line);
        }

        let drops = KernelDrops::of(&listener.socket);
        // It stays open until the decoder has asked for the last count of drops.
        let socket = Arc::new(listener.socket);
        let now_ms = self.options.now_ms;
        let decoder = spawn("decode", move || decode(intake, &inlet, drops, now_ms))?;
        let receiver = {
            let (socket, log, ended) = (Arc::clone(&socket), Arc::clone(&self.log), signals.handle());
            spawn("receive", move || {
                let result = receive::receive(&socket, &stopped, now_ms, &outlet);
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
        drop(socket);
        let outcome = self.end(backend, !received_well);
        self.log.info(format_args!("Terminating {}.", self.log.program()));
        Ok(outcome)
    }

    fn replay(
        &self,
        mut capture: CaptureReader,
        spool: Spool,
        ready: impl FnOnce() -> io::Result<()>,
    ) -> Result<Outcome, StartError> {
        let (stop, report) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let ignored = Arc::new(AtomicBool::new(false));
        let flags = ENDING.iter().map(|signal| (signal, &stop)).chain([(&SIGUSR1, &report)]);
        for (&signal, flag) in flags.chain(IGNORED.iter().map(|signal| (signal, &ignored))) {
            signal_hook::flag::register(signal, Arc::clone(flag)).map_err(system("catch signals"))?;
        }
        let (mut intake, backend) = self.start(spool)?;
        ready().map_err(system("report to be ready"))?;
        self.log.info(format_args!("Startup {}.", self.log.program()));

        let result = capture.read(|datagram| {
            if report.swap(false, Ordering::Relaxed) {
                self.log.info(&self.counters);
            }
            if stop.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            intake.datagram(datagram.from, datagram.received_ms, datagram.payload);
            ControlFlow::Continue(())
        });
        intake.finish();
        drop(intake);
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
    fn start(&self, spool: Spool) -> Result<(Intake, Backend), StartError> {
        let CollectorOptions { ident, naming, format, .. } = &self.options;
        let spool = Arc::new(spool);
        let (jobs, to_write) = mpsc::sync_channel(BLOCK_QUEUE_LEN);
        let (filing, to_file) = mpsc::sync_channel(FILING_QUEUE_LEN);
        let (written, reusable) = mpsc::sync_channel(BLOCK_QUEUE_LEN);
        let leftovers = spool.leftovers(&self.log);
        let filer = Filer {
            spool: Arc::clone(&spool),
            log: Arc::clone(&self.log),
            ident: ident.clone(),
            interval_s: naming.interval_s,
            format: *format,
        };
        let filer = spawn("file", move || filer.run(leftovers, &to_file))?;
        let writer = BlockWriter {
            spool,
            log: Arc::clone(&self.log),
            counters: Arc::clone(&self.counters),
            ident: ident.clone(),
            format: *format,
            filing,
            written,
        };
        let writer = spawn("write", move || writer.run(&to_write))?;
        let options = IntakeOptions {
            ident: ident.clone(),
            interval_s: naming.interval_s,
            decoder: DecoderOptions {
                default_sampling: self.options.default_sampling,
                override_sampling: self.options.override_sampling,
                tunnels: self.options.tunnels,
                limits: self.options.limits,
            },
            report_gaps: self.options.report_gaps,
        };
        let intake = Intake::new(options, Arc::clone(&self.log), Arc::clone(&self.counters), jobs, reusable);
        Ok((intake, Backend { writer, filer }))
    }

    /// Waits until everything decoded is on disk.
    fn end(&self, backend: Backend, input_failed: bool) -> Outcome {
        join(backend.writer);
        let unfiled = join(backend.filer);
        Outcome { lost_flows: self.counters.lost_flows.load(Ordering::Relaxed), unfiled, input_failed }
    }
}

/// Decodes what arrives, and ends slots on time when nothing does.
fn decode(mut intake: Intake, inlet: &Inlet, mut drops: KernelDrops, now_ms: fn() -> u64) {
    intake.begin_slot(now_ms());
    loop {
        let remaining_ms = intake.deadline_ms().unwrap_or(0).saturating_sub(now_ms());
        match inlet.next(Duration::from_millis(remaining_ms).min(LONGEST_WAIT)) {
            Ok(batch) => {
                for datagram in batch.iter() {
                    if intake.is_elsewhere(datagram.received_ms) {
                        intake.add_kernel_drops(drops.take());
                    }
                    intake.datagram(datagram.from, datagram.received_ms, datagram.payload);
                }
                inlet.recycle(batch);
            }
            Err(RecvTimeoutError::Timeout) => {
                let now_ms = now_ms();
                if intake.is_overdue(now_ms) {
                    intake.add_kernel_drops(drops.take());
                    intake.begin_slot(now_ms);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    intake.add_kernel_drops(drops.take());
    intake.finish();
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
