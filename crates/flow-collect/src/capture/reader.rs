//! Opening a capture, and what can be said about one.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Seek};
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::messages::Messages;
use super::packets::Packets;

/// Why a capture could not be read, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// The file cannot be opened.
    #[error("{}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory, a device or the like.
    #[error("not a regular file: {}", path.display())]
    NotRegular {
        /// The file.
        path: PathBuf,
    },
    /// Neither pcap, pcapng nor IPFIX.
    #[error("{}: neither a pcap, a pcapng nor an IPFIX file", path.display())]
    NotCapture {
        /// The file.
        path: PathBuf,
    },
    /// The file ends within a record.
    #[error("{}: cut off within the record at octet {offset}; what stands before it was read", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Where the incomplete record starts.
        offset: u64,
    },
    /// A record makes no sense, so that the ones behind it cannot be found.
    #[error("{}: damaged at octet {offset}: {what}; what stands before it was read", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the damaged record starts.
        offset: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// What a capture held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CaptureStats {
    /// IPFIX messages, if it is an IPFIX file.
    pub messages: u64,
    /// Packets of any kind.
    pub packets: u64,
    /// UDP datagrams among them, which were handed on.
    pub datagrams: u64,
    /// Datagrams of which the capture kept a part only; they were handed on as they are.
    pub cut_datagrams: u64,
    /// Datagrams among them that were put together from pieces of fragmented IP packets.
    pub reassembled: u64,
    /// Pieces of IP packets whose other pieces are missing or contradict them, skipped.
    pub fragments: u64,
    /// Packets that end within a header, skipped.
    pub cut_headers: u64,
    /// Packets of link types that are not understood, skipped.
    pub unknown_links: u64,
    /// Packets with IPFIX over TCP or SCTP, as far as that shows in a packet, skipped.
    pub streams: u64,
}

impl fmt::Display for CaptureStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.messages > 0 {
            return write!(f, "Capture: messages: {}", self.messages);
        }
        write!(f, "Capture: packets: {}, datagrams: {}", self.packets, self.datagrams)?;
        let odd = [
            ("cut datagrams", self.cut_datagrams),
            ("reassembled datagrams", self.reassembled),
            ("fragments skipped", self.fragments),
            ("cut headers skipped", self.cut_headers),
            ("packets of unknown link types skipped", self.unknown_links),
            ("packets of IPFIX over TCP or SCTP skipped (only UDP is read)", self.streams),
        ];
        odd.iter()
            .filter(|(_, count)| *count > 0)
            .try_for_each(|(what, count)| write!(f, ", {what}: {count}"))
    }
}

/// A UDP datagram from a capture, or a message from an IPFIX file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured<'a> {
    /// Its source address and port; unspecified for a message, which came over no network.
    pub from: SocketAddr,
    /// When it was captured; for a message, when it was exported. ms since 1970.
    pub received_ms: u64,
    /// Its payload, as much as was captured.
    pub payload: &'a [u8],
}

/// Reads the UDP datagrams of a pcap or pcapng file, or the messages of an IPFIX file (RFC 5655), in memory that
/// does not depend on the size of the file. Which it is shows in its first octets.
pub struct CaptureReader {
    path: PathBuf,
    source: Source,
    stats: CaptureStats,
}

enum Source {
    Packets(Packets),
    Messages(Messages),
}

/// Why reading ended before the end; with the offset of what could not be read.
pub(super) enum Halt {
    Truncated(u64),
    Damaged(u64, &'static str),
}

impl CaptureReader {
    /// Opens a capture and checks that it is one.
    pub fn open(path: &Path) -> Result<CaptureReader, CaptureError> {
        let open_error = |source| CaptureError::Open { path: path.to_owned(), source };
        let metadata = fs::metadata(path).map_err(open_error)?;
        if !metadata.is_file() {
            return Err(CaptureError::NotRegular { path: path.to_owned() });
        }
        let mut file = File::open(path).map_err(open_error)?;
        let is_ipfix = Messages::start_in(&mut file).map_err(open_error)?;
        file.rewind().map_err(open_error)?;
        let source = if is_ipfix {
            Source::Messages(Messages::begin(file))
        } else {
            let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let modified_ms = modified.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX));
            let packets = Packets::begin(file, modified_ms).map_err(open_error)?;
            Source::Packets(packets.ok_or_else(|| CaptureError::NotCapture { path: path.to_owned() })?)
        };
        Ok(CaptureReader { path: path.to_owned(), source, stats: CaptureStats::default() })
    }

    /// Hands every datagram to `sink` in file order, until the end or until `sink` breaks off.
    ///
    /// # Errors
    /// When the file is cut off or damaged: everything before was handed over, and [`stats`](Self::stats)
    /// counts it.
    pub fn read(
        &mut self,
        mut sink: impl FnMut(Captured<'_>) -> ControlFlow<()>,
    ) -> Result<(), CaptureError> {
        let result = match &mut self.source {
            Source::Packets(packets) => packets.read(&mut self.stats, &mut sink),
            Source::Messages(messages) => messages.read(&mut self.stats, &mut sink),
        };
        let path = || self.path.clone();
        result.map_err(|halt| match halt {
            Halt::Truncated(offset) => CaptureError::Truncated { path: path(), offset },
            Halt::Damaged(offset, what) => CaptureError::Damaged { path: path(), offset, what },
        })
    }

    /// What was read so far.
    pub fn stats(&self) -> CaptureStats {
        self.stats
    }
}
