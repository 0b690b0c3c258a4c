//! Datagrams of flow exporters, decoded into column batches.
#![forbid(unsafe_code)]
#![warn(clippy::indexing_slicing)]

mod compile;
mod decoder;
mod element;
mod error;
mod exporter;
mod fixed;
mod ipfix;
mod limits;
mod lists;
mod memory;
mod options;
mod plan;
mod records;
mod sampling;
mod sequence;
mod sets;
mod shape;
mod stamps;
mod step;
mod template;
mod time;
mod transport;
mod v9;
#[cfg(test)]
mod vectors;

pub use decoder::{Decoded, Decoder, DecoderOptions};
pub use error::{DecodeError, Fault, WireProtocol};
pub use exporter::Exporter;
pub use limits::Limits;
