//! The collector runtime: from a UDP socket, a packet capture or an IPFIX file to files in a directory.
//!
//! Three types carry everything else:
//!
//! * [`Collector`]: prepared with [`CollectorOptions`] and an [`Input`], then run. Preparing checks and takes
//!   everything that can fail, so that a daemon's parent knows whether it started.
//! * [`CaptureReader`]: the UDP datagrams of a pcap or pcapng file, the messages of an IPFIX file.
//! * [`Log`]: where messages go.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use flow_collect::{
//!     Collector, CollectorOptions, FileFormat, Input, Limits, Log, Naming, SourceOptions, Sources, SubDir, Tunnels, Zone,
//! };
//!
//! let naming = Naming { interval_s: 300, layout: SubDir::Flat, zone: Zone::Local, with_offset: false };
//! let source =
//!     SourceOptions { ident: "border".to_owned(), directory: "/var/cache/flows".into(), network: None };
//! let options = CollectorOptions {
//!     sources: Sources::Listed(vec![source]),
//!     max_sources: 1,
//!     allowed: Vec::new(),
//!     naming,
//!     format: FileFormat::default(),
//!     default_sampling: None,
//!     override_sampling: None,
//!     limits: Limits::default(),
//!     tunnels: Tunnels::Closed,
//!     report_gaps: false,
//!     hook: None,
//!     expires: false,
//!     metrics: None,
//!     repeat: Vec::new(),
//!     identity: None,
//!     sandbox: false,
//!     keeps_state: false,
//!     removed_files: Vec::new(),
//!     sync: false,
//!     now_ms: || 1_700_000_000_000,
//! };
//! let input = Input::Capture("flows.pcap".into());
//! let collector = Collector::prepare(options, &input, Arc::new(Log::to_stderr("rcapd")))?;
//! assert!(collector.run(|| Ok(()))?.is_complete());
//! # Ok::<(), flow_collect::StartError>(())
//! ```
//!
//! At work, a collector has four threads besides the one that waits for signals. `receive` takes datagrams
//! from the kernel, `decode` makes blocks of flows of them and decides when a slot ends, `write` appends blocks
//! to the working file, `file` finishes files and gives them their names; it takes others to help it when the slots
//! of many sources end. Queues between them are bounded; the one that overflows when all else stands still is the
//! socket's buffer, whose losses the kernel counts. With a capture, one thread reads and decodes.
//!
//! This crate knows neither how a datagram is decoded (`flow-wire`) nor how a file is laid out (`flow-file`).
//! Unsafe code stands in two places, `daemon.rs` and `fd.rs`.
#![deny(unsafe_code)]

mod board;
mod capture;
mod collector;
mod complaint;
mod counters;
mod daemon;
mod dispatch;
mod doctor;
mod explain;
mod fd;
mod file;
mod follow_up;
mod helper;
mod hook;
mod identity;
mod intake;
mod lock;
mod log;
mod metrics;
mod process;
mod receive;
mod repeat;
mod run;
mod sandbox;
mod service;
mod share;
mod slot;
mod socket;
mod source;
mod spool;
mod working;

pub use capture::{CaptureError, CaptureReader, CaptureStats, Captured};
pub use collector::{Collector, CollectorOptions, Input, Outcome, StartError};
pub use daemon::{Detached, Readiness, detach};
pub use doctor::{Finding, Severity, examine};
pub use explain::{Explanation, explain};
pub use flow_file::{BlockCompression, Compression, FileFormat, NfdumpRelease, SubDir};
pub use flow_wire::{DecoderOptions, LimitError, LimitInfo, Limits, Tunnels};
pub use hook::Hook;
pub use identity::{Identity, IdentityError};
pub use log::Log;
pub use metrics::{MetricsAddress, MetricsError};
pub use process::{PidFile, PidFileError, PidFilePlace};
pub use repeat::{MAX_REPEAT_TARGETS, RepeatError, RepeatTarget};
pub use socket::{Family, Listen, ListenError};
pub use source::{DEFAULT_MAX_SOURCES, SourceOptions, Sources};
pub use spool::{FilingError, Naming, SpoolError, Zone};
