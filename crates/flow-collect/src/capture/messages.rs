//! IPFIX files (RFC 5655): messages one behind the other, without any transport.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::ControlFlow;

use super::reader::{CaptureStats, Captured, Halt};

/// How much of the file is read at once.
const BUFFER_LEN: usize = 1 << 20;

/// Version, length, export time, sequence, observation domain: RFC 7011 3.1.
const HEADER_LEN: usize = 16;

const VERSION: u16 = 10;

/// Nobody is known to have sent the messages: the file does not say who.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The messages of an IPFIX file.
pub(super) struct Messages {
    file: BufReader<File>,
    offset: u64,
}

/// Where a message ends and when it was exported.
struct Header {
    len: usize,
    export_s: u32,
}

impl Header {
    fn parse(octets: &[u8; HEADER_LEN]) -> Result<Header, &'static str> {
        let [version_high, version_low, len_high, len_low, a, b, c, d, ..] = *octets;
        if u16::from_be_bytes([version_high, version_low]) != VERSION {
            return Err("no IPFIX message starts here");
        }
        let len = usize::from(u16::from_be_bytes([len_high, len_low]));
        if len < HEADER_LEN {
            return Err("an IPFIX message is shorter than its header");
        }
        Ok(Header { len, export_s: u32::from_be_bytes([a, b, c, d]) })
    }
}

impl Messages {
    /// Whether a file starts with an IPFIX message. No other capture does: their first octets are far from 10.
    pub(super) fn start_in(file: &mut File) -> io::Result<bool> {
        let mut header = [0; HEADER_LEN];
        let found = fill(file, &mut header)?;
        Ok(found == HEADER_LEN && Header::parse(&header).is_ok())
    }

    pub(super) fn begin(file: File) -> Messages {
        Messages { file: BufReader::with_capacity(BUFFER_LEN, file), offset: 0 }
    }

    /// Hands on every message whole. Their export times take the place of a time of receipt.
    pub(super) fn read(
        &mut self,
        stats: &mut CaptureStats,
        sink: &mut impl FnMut(Captured<'_>) -> ControlFlow<()>,
    ) -> Result<(), Halt> {
        let mut message = Vec::new();
        while let Some(header) = self.message(&mut message)? {
            stats.messages += 1;
            self.offset += message.len() as u64;
            let received_ms = u64::from(header.export_s) * 1000;
            if sink(Captured { from: NOBODY, received_ms, payload: &message }).is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Reads the next message into `message`; `None` at the end of the file.
    fn message(&mut self, message: &mut Vec<u8>) -> Result<Option<Header>, Halt> {
        let offset = self.offset;
        let unreadable = |_| Halt::Damaged(offset, "it cannot be read");
        let mut octets = [0; HEADER_LEN];
        match fill(&mut self.file, &mut octets).map_err(unreadable)? {
            0 => return Ok(None),
            HEADER_LEN => {}
            _ => return Err(Halt::Truncated(offset)),
        }
        let header = Header::parse(&octets).map_err(|what| Halt::Damaged(offset, what))?;
        message.clear();
        message.extend_from_slice(&octets);
        message.resize(header.len, 0);
        let body = &mut message[HEADER_LEN..];
        let found = fill(&mut self.file, body).map_err(unreadable)?;
        if found == body.len() { Ok(Some(header)) } else { Err(Halt::Truncated(offset)) }
    }
}

/// Fills `into` as far as the file goes; gives how far that is.
fn fill(file: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match file.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::super::reader::{CaptureError, CaptureReader};
    use super::*;
    use std::fs;

    fn message(export_s: u32, domain: u32, sets: &[u8]) -> Vec<u8> {
        let mut octets = vec![0, 10];
        octets.extend(u16::try_from(HEADER_LEN + sets.len()).unwrap().to_be_bytes());
        for word in [export_s, 0, domain] {
            octets.extend(word.to_be_bytes());
        }
        octets.extend(sets);
        octets
    }

    type Outcome = (Vec<(u64, Vec<u8>)>, CaptureStats, Result<(), CaptureError>);

    fn read(file: &[u8]) -> Result<Outcome, CaptureError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("messages");
        fs::write(&path, file).unwrap();
        let mut reader = CaptureReader::open(&path)?;
        let mut messages = Vec::new();
        let result = reader.read(|message| {
            assert_eq!(message.from.to_string(), "0.0.0.0:0");
            messages.push((message.received_ms, message.payload.to_vec()));
            ControlFlow::Continue(())
        });
        Ok((messages, reader.stats(), result))
    }

    #[test]
    fn reads_message_after_message() {
        let long = message(1_700_000_002, 2, &vec![7; 65_535 - HEADER_LEN]);
        let parts = [message(1_700_000_000, 1, &[]), message(1_700_000_001, 9, &[1, 2, 3, 4]), long];
        let (messages, stats, result) = read(&parts.concat()).unwrap();
        result.unwrap();
        let expected = (1_700_000_000_000..).step_by(1000).zip(parts).collect::<Vec<_>>();
        assert_eq!(messages, expected);
        assert_eq!(stats, CaptureStats { messages: 3, ..CaptureStats::default() });
        assert_eq!(stats.to_string(), "Capture: messages: 3");
    }

    #[test]
    fn a_file_cut_anywhere_gives_the_messages_before_the_cut() {
        let first = message(1, 1, &[1; 9]);
        let file = [first.clone(), message(2, 1, &[2; 20])].concat();
        for len in HEADER_LEN..file.len() {
            let (messages, _, result) = read(&file[..len]).unwrap();
            assert_eq!(messages.len(), usize::from(len >= first.len()), "cut at {len}");
            let start = if len >= first.len() { first.len() } else { 0 };
            match result {
                Ok(()) => assert_eq!(len, first.len()),
                Err(CaptureError::Truncated { offset, .. }) => {
                    assert_eq!(offset, start as u64, "cut at {len}");
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(matches!(read(&file[..15]), Err(CaptureError::NotCapture { .. })));
    }

    #[test]
    fn garbage_between_messages_ends_reading_and_says_where() {
        let first = message(1, 1, &[1; 9]);
        let short = [&[0, 10, 0, 15][..], &[0; 12]].concat();
        for (garbage, reason) in [
            (vec![0; 40], "no IPFIX message starts here"),
            ([&[0, 9][..], &[0; 30]].concat(), "no IPFIX message starts here"),
            (short, "an IPFIX message is shorter than its header"),
        ] {
            let (messages, _, result) = read(&[&first[..], &garbage, &first].concat()).unwrap();
            assert_eq!(messages.len(), 1);
            let Err(CaptureError::Damaged { offset, what, .. }) = result else { panic!("{result:?}") };
            assert_eq!((offset, what), (first.len() as u64, reason));
        }
    }

    #[test]
    fn stops_when_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("messages");
        fs::write(&path, message(1, 1, &[]).repeat(2)).unwrap();
        let mut reader = CaptureReader::open(&path).unwrap();
        reader.read(|_| ControlFlow::Break(())).unwrap();
        assert_eq!(reader.stats().messages, 1);
    }
}
