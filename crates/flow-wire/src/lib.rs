//! Datagrams of flow exporters, decoded into column batches: NetFlow v1, v5, v7, v9, IPFIX and sFlow v2, v4, v5.
//!
//! Three types are the whole interface:
//!
//! * [`Decoder`] takes datagrams and appends their flows to a [`BatchBuilder`](flow_model::BatchBuilder). It
//!   keeps what later datagrams need, for each exporter: templates, samplers, sequence numbers, and data whose
//!   template has not come yet.
//! * [`Decoded`] says what became of a datagram: flows, what is missing before it, and the first
//!   [`DecodeError`] with its place.
//! * [`Limits`] bounds what a peer can make us keep or do. Datagrams are hostile until shown otherwise.
//!
//! ```
//! use flow_model::{BatchBuilder, Field};
//! use flow_wire::{Decoder, DecoderOptions, Exporter};
//!
//! // NetFlow v5: a header that counts one record, and the record.
//! let mut datagram = vec![0, 5, 0, 1, 0, 0, 16, 0, 0x65, 0x53, 0xf1, 0];
//! datagram.resize(24, 0);
//! datagram.extend([192, 0, 2, 1, 198, 51, 100, 7]);
//! datagram.resize(24 + 48, 0);
//!
//! let mut decoder = Decoder::new(DecoderOptions::default());
//! let mut out = BatchBuilder::new();
//! let from = Exporter { addr: "203.0.113.9".parse().unwrap(), port: 2055 };
//! let decoded = decoder.decode(from, 1_700_000_000_000, &datagram, &mut out);
//! assert_eq!((decoded.flows, decoded.error), (1, None));
//! assert_eq!(out.finish().column(Field::SrcAddr).ip(0).to_string(), "192.0.2.1");
//! ```
//!
//! How a record becomes a row: the template, when it comes, is compiled into a copy plan by the
//! [catalogue](flow_model::FieldInfo)'s elements; the plan then runs over all records of a set, one column
//! after the other. Elements that need more than copying (times, ICMP, sampled counters, addresses of either
//! family, lists) are steps of the plan, too. What no field wants is skipped by its length.
//!
//! sFlow brings packets instead: the headers of each are dissected down to its ports, and a row is one packet, scaled
//! by its sampling rate. Samples of counters and of discarded packets are counted.
//!
//! Options data tell how flows are sampled, when the exporter started, what its interfaces, VRFs and applications are
//! called, and how much it has sent. [`Decoder::describe`] says what is known of each exporter: its templates with what
//! becomes of each element, the skew of its clock, and its [quirks](Quirk).
//!
//! This crate has no sockets, files, clocks or threads.
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

#[cfg(test)]
mod bug_classes;
mod compile;
#[cfg(test)]
mod completeness;
mod decoder;
mod describe;
mod element;
mod element_names;
mod error;
mod exporter;
mod fixed;
mod ipfix;
mod limits;
mod lists;
mod memory;
mod names;
mod options;
mod packet;
mod plan;
#[cfg(test)]
mod points;
mod quirk;
mod records;
mod remember;
mod sampling;
mod sequence;
mod sets;
mod sflow;
mod shape;
mod stamps;
mod step;
mod template;
mod time;
mod transport;
mod v9;
#[cfg(test)]
mod vectors;
mod waiting;

pub use decoder::{Decoded, Decoder, DecoderOptions};
pub use describe::{
    Becomes, ExporterDescription, FieldDescription, SkippedElement, SourceDescription, TemplateDescription,
};
pub use error::{DecodeError, Fault, WireProtocol};
pub use exporter::{ClockSkew, Exporter};
pub use limits::{LimitError, LimitInfo, Limits};
pub use packet::Tunnels;
pub use quirk::Quirk;
