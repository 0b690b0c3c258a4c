//! Packet captures, pcap and pcapng, block by block.

use std::fs::File;
use std::ops::ControlFlow;

use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{
    Block, IDB_MAGIC, InterfaceDescriptionBlock, OptionCode, PcapBlockOwned, PcapError, create_reader,
};

use super::fragment::{Reassembler, Whole};
use super::frame::{Found, Link, Skip, UdpDatagram, find};
use super::reader::{CaptureStats, Captured, Halt};

/// How much of the file is read at once.
const BUFFER_LEN: usize = 1 << 20;

/// The longest record or block that is accepted. Captures have packets of at most 256 KiB; a longer block is
/// a name resolution list, or damage.
const MAX_BLOCK_LEN: usize = 64 << 20;

/// The last time that has a file name in every zone: two days before the year 10000, ms since 1970. A later
/// one is damage.
const MAX_TIME_MS: u64 = 253_402_128_000_000;

/// Most interfaces of one pcapng section.
const MAX_INTERFACES: usize = 65_536;

/// The packets of a pcap or pcapng file, in either byte order.
pub(super) struct Packets {
    blocks: Box<dyn PcapReaderIterator + Send>,
    buffer_len: usize,
    /// Of the current section (pcapng), or the only one (pcap).
    interfaces: Vec<Interface>,
    /// For packets that carry no time.
    last_ms: u64,
    offset: u64,
    pieces: Reassembler,
}

/// How to read the packets of an interface.
#[derive(Clone, Copy)]
struct Interface {
    link: Link,
    ticks_per_second: u64,
    offset_s: i64,
}

impl Packets {
    /// Begins with the header of `file`; packets without a time before all others get `default_ms`. `None` if
    /// the file is neither pcap nor pcapng.
    pub(super) fn begin(file: File, default_ms: u64) -> std::io::Result<Option<Packets>> {
        let blocks = match create_reader(BUFFER_LEN, file) {
            Ok(blocks) => blocks,
            Err(PcapError::ReadError) => return Err(std::io::ErrorKind::Other.into()),
            Err(_) => return Ok(None),
        };
        Ok(Some(Packets {
            blocks,
            buffer_len: BUFFER_LEN,
            interfaces: Vec::new(),
            last_ms: default_ms,
            offset: 0,
            pieces: Reassembler::default(),
        }))
    }

    pub(super) fn read(
        &mut self,
        stats: &mut CaptureStats,
        sink: &mut impl FnMut(Captured<'_>) -> ControlFlow<()>,
    ) -> Result<(), Halt> {
        let result = self.read_blocks(stats, sink);
        stats.fragments += self.pieces.abandon();
        result
    }

    fn read_blocks(
        &mut self,
        stats: &mut CaptureStats,
        sink: &mut impl FnMut(Captured<'_>) -> ControlFlow<()>,
    ) -> Result<(), Halt> {
        loop {
            match self.blocks.next() {
                Ok((len, block)) => {
                    let flow = match packet_of(&block, &mut self.interfaces, &mut self.last_ms) {
                        Ok(Some((link, frame))) => {
                            stats.packets += 1;
                            hand_over(find(link, frame), self.last_ms, &mut self.pieces, stats, sink)
                        }
                        Ok(None) => ControlFlow::Continue(()),
                        Err(what) => return Err(Halt::Damaged(self.offset, what)),
                    };
                    self.blocks.consume(len);
                    self.offset += len as u64;
                    if flow.is_break() {
                        return Ok(());
                    }
                }
                Err(PcapError::Eof) => return Ok(()),
                Err(PcapError::Incomplete(_)) => self.refill()?,
                Err(PcapError::BufferTooSmall) => {
                    self.buffer_len *= 2;
                    if self.buffer_len > MAX_BLOCK_LEN || !self.blocks.grow(self.buffer_len) {
                        return Err(Halt::Damaged(self.offset, "a record is impossibly long"));
                    }
                    self.refill()?;
                }
                Err(PcapError::UnexpectedEof) => return Err(Halt::Truncated(self.offset)),
                Err(_) => return Err(Halt::Damaged(self.offset, "no record starts here")),
            }
        }
    }

    fn refill(&mut self) -> Result<(), Halt> {
        self.blocks.refill().map_err(|_| Halt::Damaged(self.offset, "it cannot be read"))
    }
}

/// The packet in a block, if it is one; `now_ms` becomes the packet's time.
fn packet_of<'a>(
    block: &'a PcapBlockOwned<'a>,
    interfaces: &mut Vec<Interface>,
    now_ms: &mut u64,
) -> Result<Option<(Link, &'a [u8])>, &'static str> {
    match block {
        PcapBlockOwned::LegacyHeader(header) => {
            let ticks_per_second = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
            // The upper bits may tell the length of frame check sequences, which UDP's length cuts off anyway.
            let link = Link::from_number(header.network.0 & 0xffff);
            *interfaces = vec![Interface { link, ticks_per_second, offset_s: 0 }];
            Ok(None)
        }
        PcapBlockOwned::Legacy(record) => {
            let interface = interfaces.first().ok_or("a packet before the header")?;
            let fraction = u64::from(record.ts_usec).saturating_mul(1000) / interface.ticks_per_second;
            *now_ms = u64::from(record.ts_sec) * 1000 + fraction;
            Ok(Some((interface.link, record.data)))
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => {
            interfaces.clear();
            Ok(None)
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(description)) => {
            if interfaces.len() == MAX_INTERFACES {
                return Err("a section has more interfaces than any machine");
            }
            interfaces.push(Interface::described(description)?);
            Ok(None)
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            let interface =
                interfaces.get(packet.if_id as usize).ok_or("a packet of an interface not described")?;
            let ticks = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
            *now_ms = Some(interface.ms(ticks)).filter(|&ms| ms <= MAX_TIME_MS).unwrap_or(*now_ms);
            Ok(Some((interface.link, packet.packet_data())))
        }
        // These carry no time: it is that of the packet before, or of the file.
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            let interface = interfaces.first().ok_or("a packet of an interface not described")?;
            Ok(Some((interface.link, packet.packet_data())))
        }
        PcapBlockOwned::NG(_) => Ok(None),
    }
}

fn hand_over(
    found: Result<Found<'_>, Skip>,
    received_ms: u64,
    pieces: &mut Reassembler,
    stats: &mut CaptureStats,
    sink: &mut impl FnMut(Captured<'_>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut hand_on = |datagram: UdpDatagram<'_>, stats: &mut CaptureStats| {
        stats.datagrams += 1;
        stats.cut_datagrams += u64::from(datagram.is_cut);
        sink(Captured { from: datagram.from, received_ms, payload: datagram.payload })
    };
    let skip = match found {
        Ok(Found::Datagram(datagram)) => return hand_on(datagram, stats),
        Ok(Found::Fragment(fragment)) => {
            let added = pieces.add(&fragment, received_ms);
            stats.fragments += added.abandoned;
            match added.whole.map(Whole::datagram) {
                None => return ControlFlow::Continue(()),
                Some(Ok(Found::Datagram(datagram))) => {
                    stats.reassembled += 1;
                    return hand_on(datagram, stats);
                }
                // Pieces of pieces are nonsense.
                Some(Ok(Found::Fragment(_))) => Skip::Other,
                Some(Err(skip)) => skip,
            }
        }
        Err(skip) => skip,
    };
    match skip {
        Skip::Other => {}
        Skip::Cut => stats.cut_headers += 1,
        Skip::LinkType => stats.unknown_links += 1,
        Skip::Stream => stats.streams += 1,
    }
    ControlFlow::Continue(())
}

impl Interface {
    /// From an Interface Description Block with its options `if_tsresol` and `if_tsoffset`.
    fn described(block: &InterfaceDescriptionBlock<'_>) -> Result<Interface, &'static str> {
        // Power of 2 with the top bit, of 10 without. (The crate's own conversion knows powers of 10 only.)
        let exponent = u32::from(block.if_tsresol & 0x7f);
        let base: u64 = if block.if_tsresol & 0x80 == 0 { 10 } else { 2 };
        let ticks_per_second = base.checked_pow(exponent).ok_or("an impossible resolution of time stamps")?;
        let is_little_endian = block.block_type == IDB_MAGIC;
        let offset_s = block
            .options
            .iter()
            .filter(|option| option.code == OptionCode::IfTsoffset)
            .find_map(|option| option.value.first_chunk::<8>().copied())
            .map_or(0, |octets| {
                if is_little_endian { i64::from_le_bytes(octets) } else { i64::from_be_bytes(octets) }
            });
        Ok(Interface { link: Link::from_number(block.linktype.0), ticks_per_second, offset_s })
    }

    /// A time stamp as ms since 1970.
    fn ms(&self, ticks: u64) -> u64 {
        let ms =
            i128::from(ticks) * 1000 / i128::from(self.ticks_per_second) + i128::from(self.offset_s) * 1000;
        u64::try_from(ms.max(0)).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::build;
    use super::super::reader::{CaptureError, CaptureReader};
    use super::*;
    use std::fs;

    fn pcap(magic: u32, big_endian: bool, link: u32, records: &[(u32, u32, &[u8])]) -> Vec<u8> {
        let u32_ = |value: u32| if big_endian { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut file = u32_(magic).to_vec();
        file.extend_from_slice(&if big_endian { [0, 2, 0, 4] } else { [2, 0, 4, 0] });
        for value in [0, 0, 65_535, link] {
            file.extend_from_slice(&u32_(value));
        }
        for &(seconds, fraction, frame) in records {
            let len = u32::try_from(frame.len()).unwrap();
            for value in [seconds, fraction, len, len] {
                file.extend_from_slice(&u32_(value));
            }
            if magic == 0xa1b2_cd34 {
                file.extend_from_slice(&[0; 8]);
            }
            file.extend_from_slice(frame);
        }
        file
    }

    struct PcapNg {
        file: Vec<u8>,
        big_endian: bool,
    }

    impl PcapNg {
        fn new(big_endian: bool) -> PcapNg {
            let mut ng = PcapNg { file: Vec::new(), big_endian };
            ng.section();
            ng
        }

        fn section(&mut self) {
            let body = [&self.u32(0x1a2b_3c4d)[..], &self.u16(1), &self.u16(0), &[0xff; 8]].concat();
            self.block(0x0a0d_0d0a, &body);
        }

        fn interface(&mut self, link: u16, options: &[(u16, &[u8])]) {
            let mut body = [&self.u16(link)[..], &[0; 2], &self.u32(65_535)].concat();
            for (code, value) in options {
                body.extend_from_slice(&self.u16(*code));
                body.extend_from_slice(&self.u16(u16::try_from(value.len()).unwrap()));
                body.extend_from_slice(value);
                body.resize(body.len().next_multiple_of(4), 0);
            }
            if !options.is_empty() {
                body.extend_from_slice(&[0; 4]);
            }
            self.block(1, &body);
        }

        fn packet(&mut self, interface: u32, ticks: u64, frame: &[u8]) {
            let len = u32::try_from(frame.len()).unwrap();
            let mut body = Vec::new();
            for value in [interface, (ticks >> 32) as u32, ticks as u32, len, len] {
                body.extend_from_slice(&self.u32(value));
            }
            body.extend_from_slice(frame);
            body.resize(body.len().next_multiple_of(4), 0);
            self.block(6, &body);
        }

        fn simple_packet(&mut self, frame: &[u8]) {
            let mut body = self.u32(u32::try_from(frame.len()).unwrap()).to_vec();
            body.extend_from_slice(frame);
            body.resize(body.len().next_multiple_of(4), 0);
            self.block(3, &body);
        }

        fn block(&mut self, kind: u32, body: &[u8]) {
            let len = u32::try_from(body.len() + 12).unwrap();
            for part in [&self.u32(kind)[..], &self.u32(len), body, &self.u32(len)] {
                self.file.extend_from_slice(part);
            }
        }

        fn u16(&self, value: u16) -> [u8; 2] {
            if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
        }

        fn u32(&self, value: u32) -> [u8; 4] {
            if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() }
        }
    }

    type Outcome = (Vec<(u64, Vec<u8>)>, CaptureStats, Result<(), CaptureError>);

    fn read(file: &[u8]) -> Result<Outcome, CaptureError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture");
        fs::write(&path, file).unwrap();
        let mut reader = CaptureReader::open(&path)?;
        let mut datagrams = Vec::new();
        let result = reader.read(|datagram| {
            datagrams.push((datagram.received_ms, datagram.payload.to_vec()));
            ControlFlow::Continue(())
        });
        Ok((datagrams, reader.stats(), result))
    }

    fn all(file: &[u8]) -> Vec<(u64, Vec<u8>)> {
        let (datagrams, _, result) = read(file).unwrap();
        result.unwrap();
        datagrams
    }

    fn frame(payload: &[u8]) -> Vec<u8> {
        build::ethernet(&[], &build::ipv4(payload))
    }

    #[test]
    fn reads_pcap_in_every_byte_order_and_resolution() {
        let expected = [(1_700_000_000_123, b"one".to_vec()), (1_700_000_001_999, b"two".to_vec())];
        for big_endian in [false, true] {
            for (magic, unit) in [(0xa1b2_c3d4, 1000), (0xa1b2_3c4d, 1_000_000)] {
                let records = [
                    (1_700_000_000, 123 * unit + 1, &frame(b"one")[..]),
                    (1_700_000_001, 1000 * unit - 1, &frame(b"two")),
                ];
                assert_eq!(all(&pcap(magic, big_endian, 1, &records)), expected);
            }
        }
        let records =
            [(1_700_000_000, 123_000, &frame(b"one")[..]), (1_700_000_001, 999_999, &frame(b"two"))];
        assert_eq!(all(&pcap(0xa1b2_cd34, false, 1, &records)), expected);
    }

    #[test]
    fn reads_pcapng_with_several_interfaces_and_sections() {
        for big_endian in [false, true] {
            let mut ng = PcapNg::new(big_endian);
            ng.interface(1, &[]);
            let offset = if big_endian { 3_i64.to_be_bytes() } else { 3_i64.to_le_bytes() };
            ng.interface(101, &[(2, b"eth1"), (9, &[9]), (14, &offset)]);
            ng.interface(1, &[(9, &[0x8a])]);
            ng.packet(0, 1_000_500_000, &frame(b"one"));
            ng.packet(1, 1_001_000_000_000, &build::ipv4(b"two"));
            ng.block(0x0bad_cafe, &[0; 16]);
            ng.packet(2, 2000 << 10 | 512, &frame(b"three"));
            ng.simple_packet(&frame(b"four"));
            ng.section();
            ng.interface(228, &[]);
            ng.packet(0, 3_000_000_000, &build::ipv4(b"five"));
            let expected = [
                (1_000_500, b"one".to_vec()),
                (1_004_000, b"two".to_vec()),
                (2_000_500, b"three".to_vec()),
                (2_000_500, b"four".to_vec()),
                (3_000_000, b"five".to_vec()),
            ];
            assert_eq!(all(&ng.file), expected);
        }
    }

    #[test]
    fn counts_what_it_skips() {
        let mut fragment = build::ipv4(b"x");
        fragment[6] = 0x20;
        let mut tcp = build::ipv4(b"a segment");
        tcp[9] = 6;
        let whole = build::ipv4(b"flows");
        // IPFIX's port, behind a TCP header of no length.
        let mut stream = tcp.clone();
        stream[22..24].copy_from_slice(&4739_u16.to_be_bytes());
        stream[32] = 0;
        let records: Vec<(u32, u32, &[u8])> = vec![
            (1, 0, &fragment),
            (1, 0, &tcp),
            (1, 0, &stream),
            (1, 0, &whole[..15]),
            (1, 0, &whole[..whole.len() - 1]),
            (1, 0, &whole),
        ];
        let (datagrams, stats, result) = read(&pcap(0xa1b2_c3d4, false, 101, &records)).unwrap();
        result.unwrap();
        assert_eq!(datagrams, [(1000, b"flow".to_vec()), (1000, b"flows".to_vec())]);
        let expected = CaptureStats {
            packets: 6,
            datagrams: 2,
            cut_datagrams: 1,
            fragments: 1,
            cut_headers: 1,
            streams: 1,
            ..CaptureStats::default()
        };
        assert_eq!(stats, expected);
        let text = stats.to_string();
        assert!(
            text.ends_with(", packets of IPFIX over TCP or SCTP skipped (only UDP is read): 1"),
            "{text}"
        );

        let (datagrams, stats, _) = read(&pcap(0xa1b2_c3d4, false, 105, &records)).unwrap();
        assert_eq!((datagrams.len(), stats.packets, stats.unknown_links), (0, 6, 6));
    }

    #[test]
    fn puts_fragments_of_both_families_together() {
        let payload: Vec<u8> = (0..100).collect();
        let whole = build::ipv4(&payload);
        let ipv4_piece = |place: u16, octets: &[u8]| {
            let mut packet = whole[..20].to_vec();
            packet[2..4].copy_from_slice(&(20 + octets.len() as u16).to_be_bytes());
            packet[6..8].copy_from_slice(&place.to_be_bytes());
            [&packet[..], octets].concat()
        };
        let segment = &whole[20..];
        // Behind the fragment header, destination options come in front of UDP.
        let options = [17, 0, 1, 4, 0, 0, 0, 0];
        let ipv6_payload = [&options[..], segment].concat();
        let ipv6_piece = |place: u16, octets: &[u8]| {
            let header = [&[60, 0][..], &place.to_be_bytes(), &[0, 0, 0, 7]].concat();
            let mut packet = build::ipv6(&header, 44, &[]);
            packet.truncate(48);
            packet[4..6].copy_from_slice(&(8 + octets.len() as u16).to_be_bytes());
            [&packet[..], octets].concat()
        };
        let pieces = [
            ipv4_piece(0x2000, &segment[..64]),
            ipv6_piece(48, &ipv6_payload[48..]),
            ipv6_piece(1, &ipv6_payload[..48]),
            ipv4_piece(8, &segment[64..]),
            ipv4_piece(0x2000, &segment[..64]),
        ];
        let records: Vec<(u32, u32, &[u8])> = pieces.iter().map(|piece| (1, 0, &piece[..])).collect();
        let (datagrams, stats, result) = read(&pcap(0xa1b2_c3d4, false, 101, &records)).unwrap();
        result.unwrap();
        assert_eq!(datagrams, [(1000, payload.clone()), (1000, payload)]);
        let expected = CaptureStats {
            packets: 5,
            datagrams: 2,
            reassembled: 2,
            fragments: 1,
            ..CaptureStats::default()
        };
        assert_eq!(stats, expected);
        assert_eq!(
            stats.to_string(),
            "Capture: packets: 5, datagrams: 2, reassembled datagrams: 2, fragments skipped: 1"
        );
    }

    #[test]
    fn a_file_larger_than_the_buffer_is_read_to_its_end() {
        let payload = vec![7; 60_000];
        let big = frame(&payload);
        let records = vec![(1, 0, &big[..]); 100];
        let datagrams = all(&pcap(0xa1b2_c3d4, false, 1, &records));
        assert_eq!(datagrams.len(), 100);
        assert!(datagrams.iter().all(|(_, read)| *read == payload));

        let mut ng = PcapNg::new(false);
        ng.block(0x0bad_cafe, &vec![0; 3 << 20]);
        ng.interface(1, &[]);
        ng.packet(0, 0, &frame(b"one"));
        assert_eq!(all(&ng.file).len(), 1, "a block longer than the buffer");
    }

    #[test]
    fn stops_when_told() {
        let packet = frame(b"flow");
        let file = pcap(0xa1b2_c3d4, false, 1, &[(1, 0, &packet), (2, 0, &packet)]);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("capture");
        fs::write(&path, file).unwrap();
        let mut reader = CaptureReader::open(&path).unwrap();
        reader.read(|_| ControlFlow::Break(())).unwrap();
        assert_eq!(reader.stats().datagrams, 1);
    }

    #[test]
    fn refuses_what_is_no_capture() {
        assert!(matches!(read(b""), Err(CaptureError::NotCapture { .. })));
        assert!(matches!(read(b"\xd4\xc3\xb2\xa1"), Err(CaptureError::NotCapture { .. })));
        assert!(matches!(read(&[0; 4096]), Err(CaptureError::NotCapture { .. })));
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(CaptureReader::open(directory.path()), Err(CaptureError::NotRegular { .. })));
        let missing = directory.path().join("missing");
        let Err(error) = CaptureReader::open(&missing) else { panic!("opened a missing file") };
        assert!(error.to_string().contains("missing: No such file"), "{error}");
    }

    #[test]
    fn a_file_cut_anywhere_gives_the_packets_before_the_cut() {
        let packet = frame(b"flow");
        let file = pcap(0xa1b2_c3d4, false, 1, &[(1, 0, &packet), (2, 0, &packet)]);
        let record_len = 16 + packet.len();
        for len in 24..file.len() {
            let (datagrams, _, result) = read(&file[..len]).unwrap();
            assert_eq!(datagrams.len(), (len - 24) / record_len, "cut at {len}");
            match (len - 24) % record_len {
                0 => result.unwrap(),
                _ => assert!(matches!(result, Err(CaptureError::Truncated { offset, .. })
                    if offset == (24 + datagrams.len() * record_len) as u64)),
            }
        }

        let mut ng = PcapNg::new(true);
        ng.interface(1, &[]);
        let start = ng.file.len();
        ng.packet(0, 0, &packet);
        for len in start + 1..ng.file.len() {
            let (datagrams, _, result) = read(&ng.file[..len]).unwrap();
            assert!(datagrams.is_empty());
            assert!(matches!(result, Err(CaptureError::Truncated { offset, .. }) if offset == start as u64));
        }
    }

    #[test]
    fn any_flipped_bit_gives_packets_or_an_error() {
        let packet = frame(b"flow");
        let legacy = pcap(0xa1b2_c3d4, false, 1, &[(1, 0, &packet), (2, 0, &packet)]);
        let mut ng = PcapNg::new(false);
        ng.interface(1, &[(2, b"eth1"), (9, &[9]), (14, &3_i64.to_le_bytes())]);
        ng.packet(0, 1_000_000_000, &packet);
        ng.simple_packet(&packet);
        for file in [legacy, ng.file] {
            for bit in 0..file.len() * 8 {
                let mut flipped = file.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                if let Ok((datagrams, _, _)) = read(&flipped) {
                    assert!(datagrams.len() <= 2);
                }
            }
        }
    }
}
