//! Datagrams out of a packet capture, messages out of an IPFIX file.

mod fragment;
mod frame;
mod messages;
mod packets;
mod reader;

pub use reader::{CaptureError, CaptureReader, CaptureStats, Captured};
