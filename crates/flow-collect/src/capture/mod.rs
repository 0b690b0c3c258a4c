//! Datagrams out of a packet capture.

mod frame;
mod reader;

pub use reader::{CaptureError, CaptureReader, CaptureStats, Captured};
