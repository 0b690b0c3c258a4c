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
//! It opens no file and does not know what time it is.
#![forbid(unsafe_code)]

mod networks;

pub use networks::{LineError, LineProblem, MAX_NETWORKS, Network, Networks};
