//! Own networks and the hosts in them.
//!
//! [`Networks`] is the list of networks that are ours, in the syntax of pmacct's `networks_file`. It tells for an address in
//! which of them it lies, the longest prefix first; from that follow the side of a flow, its own address and its peer.
//!
//! ```
//! use flow_hosts::Networks;
//!
//! let text = "! customers\n65500,192.0.2.0/24\n192.0.2.128/25 Bakery\n";
//! let (networks, problems) = Networks::parse(text);
//! assert!(problems.is_empty());
//! let name = |addr: &str| networks.of(addr.parse().unwrap()).map(|network| network.name());
//! assert_eq!(name("192.0.2.1"), Some("192.0.2.0/24"));
//! assert_eq!(name("192.0.2.200"), Some("Bakery"));
//! assert_eq!(name("198.51.100.1"), None);
//! ```
//!
//! [`Tally`] adds up what the own hosts of a flow file received and sent, [`Rollup`] keeps that of years in little space, and
//! [`Pages`] makes a static site of it. [`chart`] draws what hosts and groups of flows did, as pictures.
//!
//! It opens no file and does not know what time it is.
#![forbid(unsafe_code)]

pub mod chart;
mod graph;
mod networks;
mod pages;
mod rollup;
mod state;
mod top;

pub use networks::{LineError, LineProblem, MAX_NETWORKS, Network, Networks};
pub use pages::{ASSETS, HOSTS, Pages, WallTime, file_name};
pub use rollup::{Bytes, Host, Level, MAX_HOSTS, Rollup, Tally};
pub use state::RollupError;
pub use top::Service;
