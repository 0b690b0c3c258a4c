//! The collector at work: its threads, and the signals it obeys.

use std::collections::HashSet;
use std::io;
use std::net::UdpSocket;
use std::ops::ControlFlow;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use flow_wire::DecoderOptions;
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGUSR1, SIGUSR2, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::board::Board;
use crate::capture::CaptureReader;
use crate::collector::{CollectorOptions, Outcome, Reserved, StartError};
use crate::counters::{Counters, count};
use crate::dispatch::{Dispatch, DynamicSources, MAX_BLOCK_MEMORY};
use crate::file::{BLOCK_QUEUE_LEN, BlockWriter, FILING_QUEUE_LEN, Filer, KEPT_BLOCKS, Leftover};
use crate::follow_up::FollowUp;
use crate::helper::{Helper, MAX_TASKS, Report, Reports};
use crate::intake::Workshop;
use crate::log::Log;
use crate::metrics::{Facts, MetricsAddress, MetricsServer, Page};
use crate::receive::{self, Inlet, QUEUE_LEN as RECEIVE_QUEUE_LEN, queue};
use crate::repeat::{QUEUE_LEN as REPEAT_QUEUE_LEN, RepeatOutlet, Repeater};
use crate::service::{self, Heartbeat};
use crate::socket::{KernelDrops, Listener};
use crate::source::{Source, Sources};
use crate::working::Press;

/// The decoder looks at the clock at least this often, so that it notices when the clock is set.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Datagrams of a capture after which the memory in use is looked at.
const MEMORY_CHECK: u64 = 256;

/// How long the last commands may take before we end without them; they are finished all the same.
const HELPER_PATIENCE: Duration = Duration::from_secs(10);

/// Signals that end the collector, with its file finished. `HUP` is not a reload (D-78 of the contract).
const ENDING: [i32; 3] = [SIGTERM, SIGINT, SIGHUP];

/// How often to look for flows that have been in memory for too long.
const FLUSH_EVERY: Duration = Duration::from_millis(200);

/// Signals that would kill nfcapd and mean nothing to us.
const IGNORED: [i32; 4] = [SIGUSR2, SIGPIPE, SIGALRM, SIGXFSZ];

/// A collector at work.
pub(crate) struct Run {
    pub(crate) log: Arc<Log>,
    pub(crate) options: CollectorOptions,
    pub(crate) counters: Arc<Counters>,
    /// Where ledgers are put, when somebody may ask.
    pub(crate) board: Option<Arc<Board>>,
}

/// What goes out besides files.
pub(crate) struct Outlets {
    pub(crate) repeater: Repeater,
    pub(crate) metrics: Option<MetricsServer>,
}

/// The way to the helper process.
pub(crate) struct Launcher {
    pub(crate) helper: Helper,
    pub(crate) reports: Reports,
    pub(crate) pid: Pid,
}

/// The threads behind the decoder.
struct Backend {
    writer: JoinHandle<()>,
    filer: JoinHandle<u64>,
    /// The helper process, and where it is told that it has ended.
    helper: Option<(Pid, Receiver<()>)>,
}

impl Run {
    pub(crate) fn listen(
        &self,
        listeners: Vec<Listener>,
        outlets: Outlets,
        spools: Vec<Reserved>,
        launcher: Option<Launcher>,
        ready: impl FnOnce() -> io::Result<()>,
    ) -> Result<Outcome, StartError> {
        let signals = ENDING.iter().chain(&IGNORED).chain(&[SIGUSR1]);
        let mut signals = Signals::new(signals).map_err(system("catch signals"))?;
        let (stop, stopped) = UnixStream::pair().map_err(system("make a socket pair"))?;
        let (outlet, inlet) = queue();
        let (dispatch, backend) = self.start(spools, launcher)?;
        for listener in &listeners {
            self.log.info(listener.bound_line());
            if let Some(line) = listener.buffer_line() {
                self.log.info(line);
            }
        }

        let Outlets { repeater, metrics } = outlets;
        if let (Some(server), Some(address)) = (metrics, &self.options.metrics) {
            self.log.info(format_args!("Metrics on {address}"));
            let page = self.page(&listeners);
            let log = Arc::clone(&self.log);
            // It ends with the process.
            spawn("metrics", move || server.run(&page, &log))?;
        }
        repeater.lines().for_each(|line| self.log.info(line));
        let (repeats, repeating) = if repeater.is_empty() {
            (None, None)
        } else {
            let (outlet, batches) = repeater.queue(&self.counters);
            let (recycler, counters, log) =
                (inlet.recycler(), Arc::clone(&self.counters), Arc::clone(&self.log));
            let thread = spawn("repeat", move || repeater.run(&batches, &recycler, &counters, &log))?;
            (Some(outlet), Some(thread))
        };

        let heartbeat = Heartbeat::default();
        service::watch(Arc::clone(&heartbeat), Arc::clone(&self.log)).map_err(system("start a thread"))?;
        let drops = listeners.iter().map(|listener| KernelDrops::of(&listener.socket)).collect();
        // They stay open until the decoder has asked for the last count of drops.
        let sockets: Arc<[UdpSocket]> = listeners.into_iter().map(|listener| listener.socket).collect();
        let now_ms = self.options.now_ms;
        let decoder =
            spawn("decode", move || decode(dispatch, &inlet, drops, repeats.as_ref(), &heartbeat, now_ms))?;
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
        service::tell_ready(&self.log);
        self.log.info(format_args!("Startup {}.", self.log.program()));

        for signal in signals.forever() {
            if signal == SIGUSR1 {
                self.log.info(&self.counters);
            } else if ENDING.contains(&signal) {
                break;
            }
        }
        service::tell_stopping(&self.log);
        drop(stop);
        let received_well = join(receiver);
        join(decoder);
        drop(sockets);
        if let Some(thread) = repeating {
            join(thread);
        }
        let outcome = self.end(backend, !received_well);
        if let Some(MetricsAddress::Unix(path)) = &self.options.metrics {
            // The next start replaces one that is left.
            let _ = std::fs::remove_file(path);
        }
        self.log.info(format_args!("Terminating {}.", self.log.program()));
        Ok(outcome)
    }

    pub(crate) fn replay(
        &self,
        mut capture: CaptureReader,
        spools: Vec<Reserved>,
        launcher: Option<Launcher>,
        ready: impl FnOnce() -> io::Result<()>,
    ) -> Result<Outcome, StartError> {
        let (stop, report) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let ignored = Arc::new(AtomicBool::new(false));
        let flags = ENDING.iter().map(|signal| (signal, &stop)).chain([(&SIGUSR1, &report)]);
        for (&signal, flag) in flags.chain(IGNORED.iter().map(|signal| (signal, &ignored))) {
            signal_hook::flag::register(signal, Arc::clone(flag)).map_err(system("catch signals"))?;
        }
        let (mut dispatch, backend) = self.start(spools, launcher)?;
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

    fn page(&self, listeners: &[Listener]) -> Page {
        let others = [
            ("sources", self.options.max_sources as u64),
            ("block-memory", MAX_BLOCK_MEMORY as u64),
            ("tasks", MAX_TASKS as u64),
            ("repeat-batches", REPEAT_QUEUE_LEN as u64),
            ("receive-batches", RECEIVE_QUEUE_LEN as u64),
        ];
        let buffers = listeners.iter().map(Listener::buffer).collect();
        Page {
            counters: Arc::clone(&self.counters),
            board: self.board.clone().unwrap_or_default(),
            facts: Facts::new(&self.options.limits, &others, buffers),
        }
    }

    /// Starts the threads that write and file, beginning with what predecessors left.
    fn start(
        &self,
        spools: Vec<Reserved>,
        launcher: Option<Launcher>,
    ) -> Result<(Dispatch, Backend), StartError> {
        let CollectorOptions { sources, max_sources, naming, format, .. } = &self.options;
        let (jobs, to_write) = mpsc::sync_channel(BLOCK_QUEUE_LEN);
        let source_count = spools.len().max(*max_sources);
        // When a slot ends, every source has a file to be finished.
        let (filing, to_file) = mpsc::sync_channel(FILING_QUEUE_LEN + source_count);
        let (written, reusable) = mpsc::sync_channel(KEPT_BLOCKS);
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
            board: self.board.clone(),
            memory: self.options.keeps_state.then_some(self.options.now_ms),
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
        let mut follow_up = FollowUp::new(Arc::clone(&self.log), Arc::clone(&self.counters));
        follow_up.hook.clone_from(&self.options.hook);
        follow_up.expires = self.options.expires;
        let mut helper = None;
        if let Some(Launcher { helper: to_helper, reports, pid }) = launcher {
            follow_up.helper = Some(to_helper);
            let (log, counters) = (Arc::clone(&self.log), Arc::clone(&self.counters));
            let (ended, end) = mpsc::sync_channel(1);
            spawn("launcher", move || {
                hear(&reports, &log, &counters);
                // Nobody waits any more when this fails.
                let _ = ended.send(());
            })?;
            helper = Some((pid, end));
        }
        let filer =
            Filer { log: Arc::clone(&self.log), interval_s: naming.interval_s, format: *format, follow_up };
        let filer = spawn("file", move || filer.run(leftovers, &to_file))?;
        let press = Press {
            log: Arc::clone(&self.log),
            counters: Arc::clone(&self.counters),
            format: *format,
            sync: self.options.sync,
        };
        let writer = BlockWriter { press: Arc::new(press), filing, written };
        let writer = spawn("write", move || writer.run(&to_write))?;
        Ok((dispatch, Backend { writer, filer, helper }))
    }

    /// Waits until everything decoded is on disk.
    fn end(&self, backend: Backend, input_failed: bool) -> Outcome {
        join(backend.writer);
        let unfiled = join(backend.filer);
        if let Some((pid, end)) = backend.helper {
            match end.recv_timeout(HELPER_PATIENCE) {
                // It is our child, and has ended: there is nothing more to know about it.
                Ok(()) => drop(waitpid(pid, None)),
                Err(_) => self.log.error(format_args!("Launcher: tasks are left to process {pid}")),
            }
        }
        Outcome { lost_flows: self.counters.lost_flows.load(Ordering::Relaxed), unfiled, input_failed }
    }
}

/// Decodes what arrives, and ends slots on time when nothing does.
fn decode(
    mut dispatch: Dispatch,
    inlet: &Inlet,
    mut drops: Vec<KernelDrops>,
    repeats: Option<&RepeatOutlet>,
    heartbeat: &Heartbeat,
    now_ms: fn() -> u64,
) {
    let recycler = inlet.recycler();
    let mut take_drops = || drops.iter_mut().map(KernelDrops::take).sum();
    dispatch.begin_slot(now_ms());
    let mut flushed = Instant::now();
    // Whether there may be something to be flushed.
    let mut is_fresh = false;
    loop {
        count(heartbeat, 1);
        let remaining = Duration::from_millis(dispatch.deadline_ms().unwrap_or(0).saturating_sub(now_ms()));
        let longest = if is_fresh { FLUSH_EVERY } else { LONGEST_WAIT };
        match inlet.next(remaining.min(longest)) {
            Ok(batch) => {
                for datagram in batch.iter() {
                    if dispatch.is_elsewhere(datagram.received_ms) {
                        dispatch.add_kernel_drops(take_drops());
                    }
                    dispatch.datagram(datagram.from, datagram.received_ms, datagram.payload);
                }
                dispatch.check_memory();
                is_fresh = true;
                dispatch.publish(now_ms());
                match repeats {
                    Some(repeats) => repeats.offer(batch, &recycler),
                    None => recycler.recycle(batch),
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                let now_ms = now_ms();
                dispatch.publish(now_ms);
                if dispatch.is_overdue(now_ms) {
                    dispatch.add_kernel_drops(take_drops());
                    dispatch.begin_slot(now_ms);
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
        }
        if is_fresh && flushed.elapsed() >= FLUSH_EVERY {
            flushed = Instant::now();
            is_fresh = dispatch.flush(now_ms());
        }
    }
    dispatch.add_kernel_drops(take_drops());
    dispatch.finish();
}

/// Counts what the helper reports until it ends.
fn hear(reports: &Reports, log: &Log, counters: &Counters) {
    while let Some(report) = reports.next() {
        let counter = match report {
            Report::Done => &counters.tasks_done,
            Report::Failed => &counters.tasks_failed,
            Report::Refused => &counters.tasks_refused,
        };
        count(counter, 1);
    }
    if !reports.was_dismissed() {
        log.error("Launcher died unexpectedly: commands and expiry are left out until the next start");
    }
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

pub(crate) fn system(action: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |source| StartError::System { action, source }
}
