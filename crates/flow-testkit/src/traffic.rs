//! Made-up traffic: flows with the statistics of a real network, as export datagrams, as a capture, on loopback.
//!
//! Three steps, each usable alone:
//!
//! * [`Traffic`] makes the flows of a [`Profile`] one after the other: addresses and services by a Zipf law, heavy-tailed
//!   sizes, request and answer, scans, plausible flags, interfaces, AS numbers and masks.
//! * [`Datagrams`] lets the profile's exporters send them: NetFlow v5, v9, IPFIX or sFlow, at most [`MAX_DATAGRAM_LEN`] octets.
//! * [`PcapWriter`] puts datagrams into a capture, [`PcapReader`] takes them out, [`Sender`] sends them over loopback.
//!
//! The same profile gives the same bytes. Nothing holds more than a few datagrams in memory, so ten million
//! flows stream through.
//!
//! ```
//! use flow_testkit::traffic::{Datagrams, PcapReader, PcapWriter, Profile};
//!
//! let mut capture = PcapWriter::new(Vec::new()).unwrap();
//! for datagram in Datagrams::new(&Profile::hour(1000)) {
//!     capture.write(&datagram).unwrap();
//! }
//! let capture = capture.finish().unwrap();
//! let again: Vec<_> = PcapReader::new(capture.as_slice()).unwrap().map(Result::unwrap).collect();
//! assert!(again.iter().all(|datagram| datagram.from.ip().is_loopback()));
//! ```

mod export;
mod flow;
mod pcap;
mod random;
mod send;
mod sflow;

pub use export::{Datagram, Datagrams, MAX_DATAGRAM_LEN, Protocol};
pub use flow::{Flow, Profile, Traffic};
pub use pcap::{COLLECTOR_PORT, PcapReader, PcapWriter};
pub use random::{SplitMix, Zipf};
pub use send::Sender;
