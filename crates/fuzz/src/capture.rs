//! The reader of captures.

use crate::scratch;
use flow_collect::{CaptureError, CaptureReader};
use std::ops::ControlFlow;

/// Reads an input as a capture.
///
/// Whatever it is, each datagram handed on is counted, all of them together are no longer than the file, and damage is
/// reported within the file.
///
/// # Panics
/// When that is not so.
pub fn capture(input: &[u8]) {
    let path = scratch::file(input);
    let mut reader = match CaptureReader::open(&path) {
        Ok(reader) => reader,
        Err(error) => {
            assert!(matches!(error, CaptureError::NotCapture { .. }), "{error}");
            return;
        }
    };
    let (mut handed_on, mut octets) = (0, 0);
    let result = reader.read(|datagram| {
        handed_on += 1;
        octets += datagram.payload.len();
        ControlFlow::Continue(())
    });
    let stats = reader.stats();
    assert_eq!(stats.datagrams + stats.messages, handed_on, "datagrams without account");
    assert!(octets <= input.len(), "more octets than there are");
    assert!(!stats.to_string().is_empty());
    match result {
        Ok(()) => {}
        Err(CaptureError::Truncated { offset, .. } | CaptureError::Damaged { offset, .. }) => {
            assert!(offset <= input.len() as u64, "damage behind the end");
        }
        Err(error) => panic!("{error}"),
    }
}
