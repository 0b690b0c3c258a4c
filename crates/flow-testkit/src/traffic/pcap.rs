//! Captures of datagrams: classic pcap files of Ethernet frames.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::export::Datagram;

/// Where captured datagrams are addressed to: nfcapd's default port.
pub const COLLECTOR_PORT: u16 = 9995;

const MAGIC_MICROSECONDS: u32 = 0xa1b2_c3d4;
const LINKTYPE_ETHERNET: u32 = 1;
const FILE_HEADER_LEN: usize = 24;
const PACKET_HEADER_LEN: usize = 16;
const ETHERNET_LEN: usize = 14;
const IPV4_LEN: usize = 20;
const IPV6_LEN: usize = 40;
const UDP_LEN: usize = 8;
/// The longest frame written or read: the longest IP packet with its Ethernet header.
const MAX_FRAME_LEN: usize = 65_535 + ETHERNET_LEN;

/// Writes datagrams as Ethernet/IPv4/UDP packets to 127.0.0.1, port [`COLLECTOR_PORT`].
#[derive(Debug)]
pub struct PcapWriter<W: Write> {
    out: W,
    frame: Vec<u8>,
}

impl<W: Write> PcapWriter<W> {
    /// Writes the file header. Give it a buffered writer.
    pub fn new(mut out: W) -> io::Result<Self> {
        let mut header = Vec::with_capacity(FILE_HEADER_LEN);
        header.extend(MAGIC_MICROSECONDS.to_le_bytes());
        header.extend(2u16.to_le_bytes());
        header.extend(4u16.to_le_bytes());
        header.extend([0; 8]);
        header.extend(262_144u32.to_le_bytes());
        header.extend(LINKTYPE_ETHERNET.to_le_bytes());
        out.write_all(&header)?;
        Ok(Self { out, frame: Vec::new() })
    }

    /// Appends one packet.
    ///
    /// # Errors
    ///
    /// When the sender is not IPv4, the payload does not fit a packet, or writing fails.
    pub fn write(&mut self, datagram: &Datagram) -> io::Result<()> {
        let IpAddr::V4(from) = datagram.from.ip() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "captures are written for IPv4 exporters",
            ));
        };
        let Ok(packet_len) = u16::try_from(IPV4_LEN + UDP_LEN + datagram.payload.len()) else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "payload longer than a packet"));
        };

        let frame = &mut self.frame;
        frame.clear();
        // Locally administered addresses; EtherType IPv4.
        frame.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x08, 0x00]);
        frame.extend([0x45, 0]);
        frame.extend(packet_len.to_be_bytes());
        frame.extend([0, 0, 0x40, 0, 64, 17, 0, 0]);
        frame.extend(from.octets());
        frame.extend(Ipv4Addr::LOCALHOST.octets());
        let checksum = checksum(&frame[ETHERNET_LEN..ETHERNET_LEN + IPV4_LEN]);
        frame[ETHERNET_LEN + 10..ETHERNET_LEN + 12].copy_from_slice(&checksum.to_be_bytes());
        frame.extend(datagram.from.port().to_be_bytes());
        frame.extend(COLLECTOR_PORT.to_be_bytes());
        frame.extend((packet_len - IPV4_LEN as u16).to_be_bytes());
        // No UDP checksum, as RFC 768 allows.
        frame.extend([0, 0]);
        frame.extend(&datagram.payload);

        let mut header = [0; PACKET_HEADER_LEN];
        header[0..4].copy_from_slice(&((datagram.sent_ms / 1000) as u32).to_le_bytes());
        header[4..8].copy_from_slice(&((datagram.sent_ms % 1000 * 1000) as u32).to_le_bytes());
        header[8..12].copy_from_slice(&(frame.len() as u32).to_le_bytes());
        header[12..16].copy_from_slice(&(frame.len() as u32).to_le_bytes());
        self.out.write_all(&header)?;
        self.out.write_all(frame)
    }

    /// Flushes and gives the writer back.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// The internet checksum, RFC 1071, of an even number of octets.
fn checksum(octets: &[u8]) -> u16 {
    let mut sum: u32 =
        octets.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Reads the UDP datagrams of a classic little-endian pcap file of Ethernet frames without VLAN tags: what [`PcapWriter`]
/// writes and what our test captures are. Other packets are left out.
#[derive(Debug)]
pub struct PcapReader<R: Read> {
    input: R,
    offset: u64,
}

impl<R: Read> PcapReader<R> {
    /// Reads the file header. Give it a buffered reader.
    ///
    /// # Errors
    ///
    /// When it is another kind of file, or reading fails.
    pub fn new(mut input: R) -> io::Result<Self> {
        let mut header = [0; FILE_HEADER_LEN];
        input.read_exact(&mut header)?;
        if le32(&header, 0) != MAGIC_MICROSECONDS || le32(&header, 20) != LINKTYPE_ETHERNET {
            return Err(invalid("not a little-endian pcap file of Ethernet frames".to_owned()));
        }
        Ok(Self { input, offset: FILE_HEADER_LEN as u64 })
    }

    fn packet(&mut self) -> io::Result<Option<(u64, Vec<u8>)>> {
        let mut header = [0; PACKET_HEADER_LEN];
        match self.input.read_exact(&mut header) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            result => result?,
        }
        let len = le32(&header, 8) as usize;
        if len > MAX_FRAME_LEN {
            return Err(invalid(format!("packet of {len} octets at offset {}", self.offset)));
        }
        let mut frame = vec![0; len];
        self.input.read_exact(&mut frame)?;
        self.offset += (PACKET_HEADER_LEN + len) as u64;
        let sent_ms = u64::from(le32(&header, 0)) * 1000 + u64::from(le32(&header, 4)) / 1000;
        Ok(Some((sent_ms, frame)))
    }
}

impl<R: Read> Iterator for PcapReader<R> {
    type Item = io::Result<Datagram>;

    fn next(&mut self) -> Option<io::Result<Datagram>> {
        loop {
            match self.packet() {
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
                Ok(Some((sent_ms, frame))) => {
                    if let Some((from, payload)) = udp(&frame) {
                        return Some(Ok(Datagram { sent_ms, from, payload: payload.to_vec() }));
                    }
                }
            }
        }
    }
}

/// Sender and payload of a frame that carries UDP.
fn udp(frame: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let packet = frame.get(ETHERNET_LEN..)?;
    let (addr, udp) = match frame.get(12..14)? {
        [0x08, 0x00] if packet.get(9) == Some(&17) => {
            let octets: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
            let header_len = usize::from(packet.first()? & 15) * 4;
            (IpAddr::V4(Ipv4Addr::from(octets)), packet.get(header_len..)?)
        }
        [0x86, 0xdd] if packet.get(6) == Some(&17) => {
            let octets: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
            (IpAddr::V6(Ipv6Addr::from(octets)), packet.get(IPV6_LEN..)?)
        }
        _ => return None,
    };
    let port = u16::from_be_bytes(udp.get(0..2)?.try_into().ok()?);
    let len = usize::from(u16::from_be_bytes(udp.get(4..6)?.try_into().ok()?));
    Some((SocketAddr::new(addr, port), udp.get(UDP_LEN..len)?))
}

fn le32(octets: &[u8], at: usize) -> u32 {
    octets.get(at..at + 4).and_then(|four| four.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::{Datagrams, Profile};

    #[test]
    fn written_datagrams_are_read_back() {
        let datagrams: Vec<Datagram> = Datagrams::new(&Profile::hour(300)).collect();
        let mut writer = PcapWriter::new(Vec::new()).unwrap();
        for datagram in &datagrams {
            writer.write(datagram).unwrap();
        }
        let file = writer.finish().unwrap();
        let again: Vec<Datagram> = PcapReader::new(file.as_slice()).unwrap().map(Result::unwrap).collect();
        assert_eq!(again, datagrams);
    }

    #[test]
    fn a_cut_capture_is_an_error_and_not_a_panic() {
        let mut writer = PcapWriter::new(Vec::new()).unwrap();
        let datagram =
            Datagram { sent_ms: 1, from: "127.0.0.2:7".parse().unwrap(), payload: vec![1, 2, 3, 4] };
        writer.write(&datagram).unwrap();
        let file = writer.finish().unwrap();
        for len in FILE_HEADER_LEN + PACKET_HEADER_LEN..file.len() {
            let result = PcapReader::new(&file[..len]).unwrap().next();
            assert!(result.unwrap().is_err(), "{len}");
        }
        assert!(PcapReader::new(&file[..10]).is_err());
    }

    #[test]
    fn ip_header_checksum_holds() {
        let mut writer = PcapWriter::new(Vec::new()).unwrap();
        let datagram = Datagram { sent_ms: 1, from: "127.3.2.1:7".parse().unwrap(), payload: vec![9; 40] };
        writer.write(&datagram).unwrap();
        let file = writer.finish().unwrap();
        let at = FILE_HEADER_LEN + PACKET_HEADER_LEN + ETHERNET_LEN;
        assert_eq!(checksum(&file[at..at + IPV4_LEN]), 0);
    }
}
