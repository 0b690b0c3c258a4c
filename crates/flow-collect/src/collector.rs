//! The collector as a whole: what is checked before it becomes a daemon, and what runs afterwards.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flow_file::{FileFormat, WORKING_PREFIX};
use flow_wire::{Limits, Tunnels};
use ipnet::IpNet;
use nix::unistd::{AccessFlags, ForkResult, access};

use crate::capture::{CaptureError, CaptureReader};
use crate::daemon::{end_helper, fork_helper, leave_stdio};
use crate::fd::inherited_sockets;
use crate::helper;
use crate::hook::Hook;
use crate::identity::Identity;
use crate::log::Log;
use crate::metrics::{MetricsAddress, MetricsError, MetricsServer};
use crate::process::raise_file_limit;
use crate::repeat::{RepeatError, RepeatTarget, Repeater};
use crate::run::{Launcher, Outlets, Run, system};
use crate::sandbox::Sandbox;
use crate::socket::{Listen, ListenError, Listener};
use crate::source::{Sources, dynamic_address};
use crate::spool::{Naming, Spool, SpoolError};

/// Files that a source has open: its lock, the file being written and its journal, and two that wait to be finished.
pub(crate) const FILES_PER_SOURCE: usize = 5;

/// Files that are open whatever sources there are, generously.
const FILES_APART: u64 = 128;

/// What to collect, and where to put it.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own")]
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
    /// Run for every finished file.
    pub hook: Option<Hook>,
    /// Expire files by the limits in `.nfstat` after every finished one.
    pub expires: bool,
    /// Where the page for Prometheus is to be had. Not for captures.
    pub metrics: Option<MetricsAddress>,
    /// Who gets every datagram, too. Not for captures.
    pub repeat: Vec<RepeatTarget>,
    /// Whom to be once the ports are ours; who we are if `None`.
    pub identity: Option<Identity>,
    /// Whether to give up every right that is not needed while collecting.
    pub sandbox: bool,
    /// Files that whoever runs the collector removes when it has ended.
    pub removed_files: Vec<PathBuf>,
    /// Keep what is known of exporters, beside their flows, for the next start. Not for captures.
    pub keeps_state: bool,
    /// Wait for the disk whenever something was written, so that a loss of power costs no more than being killed does.
    pub sync: bool,
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
    /// A data directory that the user of `-u` cannot write to.
    #[error("{}: user or group of -u and -g cannot write to it", .0.display())]
    Unwritable(PathBuf),
    /// There is no page for Prometheus.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// Datagrams cannot be repeated.
    #[error(transparent)]
    Repeat(#[from] RepeatError),
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
    repeater: Repeater,
    metrics: Option<MetricsServer>,
    log: Arc<Log>,
}

enum Port {
    Sockets(Vec<Listener>),
    Capture(Box<CaptureReader>),
}

/// A source before it has its number.
pub(crate) struct Reserved {
    pub(crate) ident: String,
    pub(crate) network: Option<IpNet>,
    pub(crate) spool: Spool,
    /// Made for what a predecessor left only: without datagrams it has no files.
    pub(crate) is_asleep: bool,
}

impl Collector {
    /// Checks everything that can be checked, and takes what must be ours: the directories and the ports.
    pub fn prepare(
        mut options: CollectorOptions,
        input: &Input,
        log: Arc<Log>,
    ) -> Result<Collector, StartError> {
        if let Sources::Dynamic(directory) = &mut options.sources {
            let open_files = raise_file_limit(files_of(options.max_sources));
            let most = usize::try_from(open_files.saturating_sub(FILES_APART)).unwrap_or(usize::MAX);
            options.max_sources = options.max_sources.min(most / FILES_PER_SOURCE);
            *directory = directory.canonicalize().map_err(|_| SpoolError::Missing(directory.clone()))?;
        }
        let spools = reserve(&options)?;
        let port = match input {
            Input::Listen(addresses) => {
                // A service manager that has opened sockets knows better than we do where to listen.
                let inherited = inherited_sockets();
                let buffer = addresses.first().and_then(|address| address.receive_buffer);
                Port::Sockets(if inherited.is_empty() {
                    addresses.iter().map(Listener::open).collect::<Result<_, _>>()?
                } else {
                    inherited.into_iter().map(|socket| Listener::inherited(socket, buffer)).collect()
                })
            }
            Input::Capture(path) => {
                options.keeps_state = false;
                Port::Capture(Box::new(CaptureReader::open(path)?))
            }
        };
        let own: Vec<SocketAddr> = match &port {
            Port::Sockets(listeners) => {
                listeners.iter().filter_map(|listener| listener.socket.local_addr().ok()).collect()
            }
            Port::Capture(_) => Vec::new(),
        };
        let repeater = Repeater::open(&options.repeat, &own)?;
        let metrics = options.metrics.as_ref().map(MetricsServer::open).transpose()?;
        Ok(Collector { options, spools, port, repeater, metrics, log })
    }

    /// Collects until the capture ends or a signal says so. `ready` is called when datagrams are being taken.
    ///
    /// Before, it becomes the user and group that it is to be, starts the helper process that runs commands and expires
    /// files, if there is anything for it to do, and gives up what rights it does not need.
    pub fn run(self, ready: impl FnOnce() -> io::Result<()>) -> Result<Outcome, StartError> {
        let Collector { options, mut spools, port, repeater, metrics, log } = self;
        for reserved in &mut spools {
            reserved.spool.set_pid(std::process::id()).map_err(system("say who has the directory"))?;
        }
        if let Some(identity) = &options.identity {
            for reserved in &mut spools {
                identity.give(reserved.spool.lock()).map_err(system("give the lock to the user"))?;
            }
            identity.assume().map_err(system("change user and group"))?;
            let directories = spools.iter().map(|reserved| reserved.spool.directory());
            let dynamic = match &options.sources {
                Sources::Dynamic(directory) => Some(directory.as_path()),
                Sources::Listed(_) => None,
            };
            for directory in directories.chain(dynamic) {
                access(directory, AccessFlags::W_OK | AccessFlags::X_OK)
                    .map_err(|_| StartError::Unwritable(directory.to_owned()))?;
            }
        }
        let mut launcher = None;
        if options.hook.is_some() || options.expires {
            let (helper, reports, theirs) = helper::channel().map_err(system("make a socket pair"))?;
            match fork_helper().map_err(system("start the launcher"))? {
                ForkResult::Child => {
                    // Nothing of the collector's may stay open in the helper's process, above all no lock.
                    drop((spools, port, repeater, metrics, ready, helper, reports));
                    lead_helper(theirs, &options, &log);
                    end_helper()
                }
                ForkResult::Parent { child } => launcher = Some(Launcher { helper, reports, pid: child }),
            }
        }
        if options.sandbox {
            let mut owned: Vec<PathBuf> =
                spools.iter().map(|reserved| reserved.spool.directory().to_owned()).collect();
            if let Sources::Dynamic(directory) = &options.sources {
                owned.push(directory.clone());
            }
            let mut removed = options.removed_files.clone();
            if let Some(MetricsAddress::Unix(path)) = &options.metrics {
                removed.push(path.clone());
            }
            log.info(Sandbox { owned, removed }.enter().map_err(system("enter the sandbox"))?);
        }
        for Reserved { ident, network, spool, .. } in spools.iter().filter(|reserved| !reserved.is_asleep) {
            let who = network.map_or_else(|| "any IP".to_owned(), network_text);
            let directory = spool.directory().display();
            log.info(format_args!("Add flow source: ident: {ident}, IP: {who}, flowdir: {directory}"));
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
        for token in options.hook.iter().flat_map(Hook::unknown_tokens) {
            log.error(format_args!("Unknown format token '{token}'"));
        }
        let board = metrics.is_some().then(Arc::default);
        let run = Run { log, options, counters: Arc::default(), board };
        match port {
            Port::Sockets(listeners) => {
                run.listen(listeners, Outlets { repeater, metrics }, spools, launcher, ready)
            }
            Port::Capture(capture) => run.replay(*capture, spools, launcher, ready),
        }
    }
}

/// The helper's life, from its first word to its last.
fn lead_helper(socket: OwnedFd, options: &CollectorOptions, log: &Log) {
    if log.is_syslog() {
        log.switch_to_syslog(std::process::id());
        if let Err(error) = leave_stdio() {
            log.error(format_args!("Launcher: {error}"));
        }
    }
    let expiry = if options.expires { "enabled" } else { "off" };
    log.info(format_args!("Launcher: Startup. auto-expire {expiry}"));
    helper::serve(socket, log, options.now_ms);
    log.info("Launcher: exit.");
}

/// Files that so many sources have open, with all others.
pub(crate) fn files_of(max_sources: usize) -> u64 {
    FILES_APART.saturating_add((max_sources as u64).saturating_mul(FILES_PER_SOURCE as u64))
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
