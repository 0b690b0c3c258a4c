//! Inputs to start from: made of captures, flow files and filters of the project and of the corpus.

use crate::sequence;
use flow_collect::CaptureReader;
use flow_file::{Compression, FileTail, FileWriter, WriteOptions};
use flow_model::{BatchBuilder, CountRule};
use flow_wire::{Decoder, DecoderOptions, Exporter};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// Longer inputs cost more time than they are worth.
const MAX_LEN: usize = 96 << 10;

/// The root of the project.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// What sFlow starts with, and nothing else.
const SFLOW_START: [u8; 2] = [0, 0];

/// What IPFIX messages start with.
const IPFIX_START: [u8; 2] = [0, 10];

/// Writes a directory of seeds for each target into `into`; gives how many each has.
///
/// `corpus` is the folder of captures and files that are not shipped.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write(into: &Path, corpus: Option<&Path>) -> io::Result<BTreeMap<&'static str, usize>> {
    let mut seeds = Seeds { into, counts: BTreeMap::new() };
    for target in crate::TARGETS {
        fs::create_dir_all(into.join(target.name))?;
    }
    let mut captures = files(&Path::new(ROOT).join("testdata/pcap"), "pcap")?;
    let mut flow_files = files(&Path::new(ROOT).join("testdata/files"), "flows")?;
    if let Some(corpus) = corpus {
        captures.extend(files(&corpus.join("packets"), "pcap")?);
        flow_files.extend(files(&corpus.join("nffiles"), "nf")?);
    }
    for path in captures {
        seeds.capture(&path)?;
    }
    for path in flow_files {
        let name = name(&path);
        seeds.put("file", &name, &fs::read(path)?)?;
    }
    let filters = fs::read_to_string(Path::new(ROOT).join("crates/flow-filter/tests/contract.tsv"))?;
    for (number, line) in filters.lines().skip(1).enumerate() {
        // The expression, then what is expected of it.
        let text = line.split('\t').next().unwrap_or_default();
        seeds.put("filter", &format!("line-{number}"), text.as_bytes())?;
    }
    Ok(seeds.counts)
}

struct Seeds<'a> {
    into: &'a Path,
    counts: BTreeMap<&'static str, usize>,
}

/// A datagram of a capture.
struct Owned {
    from: IpAddr,
    received_ms: u64,
    payload: Vec<u8>,
}

impl Seeds<'_> {
    fn put(&mut self, target: &'static str, name: &str, input: &[u8]) -> io::Result<()> {
        if input.len() > MAX_LEN {
            return Ok(());
        }
        *self.counts.entry(target).or_default() += 1;
        fs::write(self.into.join(target).join(name), input)
    }

    /// A capture as it is, in pcapng, in pieces, as an IPFIX file, as a sequence of datagrams, as files of its flows.
    fn capture(&mut self, path: &Path) -> io::Result<()> {
        let name = name(path);
        let octets = fs::read(path)?;
        let mut datagrams = Vec::new();
        let mut reader = CaptureReader::open(path).map_err(io::Error::other)?;
        reader
            .read(|datagram| {
                datagrams.push(Owned {
                    from: datagram.from.ip(),
                    received_ms: datagram.received_ms,
                    payload: datagram.payload.to_vec(),
                });
                ControlFlow::Continue(())
            })
            .map_err(io::Error::other)?;
        self.put("capture", &name, &octets)?;
        self.put("capture", &format!("{name}.pcapng"), &pcapng(&octets))?;
        self.put("capture", &format!("{name}.pieces"), &in_pieces(&octets))?;
        if datagrams.iter().all(|datagram| datagram.payload.starts_with(&IPFIX_START)) {
            let messages: Vec<u8> =
                datagrams.iter().flat_map(|datagram| &datagram.payload).copied().collect();
            self.put("capture", &format!("{name}.ipfix"), &messages)?;
        }
        let is_sflow = datagrams.first().is_some_and(|datagram| datagram.payload.starts_with(&SFLOW_START));
        self.put(if is_sflow { "sflow" } else { "datagrams" }, &name, &sequence_of(&datagrams))?;
        self.flow_files(&name, &datagrams)
    }

    fn flow_files(&mut self, name: &str, datagrams: &[Owned]) -> io::Result<()> {
        let mut decoder = Decoder::new(DecoderOptions::default());
        let mut out = BatchBuilder::new();
        for Owned { from, received_ms, payload } in datagrams {
            // More flows than a block has make no better seed.
            if out.room() >= DecoderOptions::default().limits.flows_per_datagram {
                decoder.decode(Exporter { addr: *from, port: 2055 }, *received_ms, payload, &mut out);
            }
        }
        if out.is_empty() {
            return Ok(());
        }
        let batch = out.finish();
        let directory = tempfile::tempdir()?;
        for (number, compression) in
            [Compression::Light, Compression::Lz4, Compression::Zstd(3)].into_iter().enumerate()
        {
            let path = directory.path().join("flows");
            let options = WriteOptions {
                ident: "seed".to_owned(),
                format: compression.into(),
                rule: CountRule::Collected,
                created_ms: 1_700_000_000_000,
            };
            let mut writer = FileWriter::create(&path, options).map_err(io::Error::other)?;
            writer.write(&batch).map_err(io::Error::other)?;
            let tail = FileTail {
                exporters: decoder.exporters(),
                samplers: decoder.samplers(),
                ..FileTail::default()
            };
            writer.finish(tail).map_err(io::Error::other)?;
            self.put("file", &format!("{name}.{number}"), &fs::read(&path)?)?;
        }
        Ok(())
    }
}

/// Datagrams as one input: senders are numbered, waits are cut.
fn sequence_of(datagrams: &[Owned]) -> Vec<u8> {
    let mut input = Vec::new();
    let mut senders: Vec<IpAddr> = Vec::new();
    let mut last_ms = datagrams.first().map_or(0, |first| first.received_ms);
    for Owned { from, received_ms, payload } in datagrams {
        let number = senders.iter().position(|known| known == from).unwrap_or_else(|| {
            senders.push(*from);
            senders.len() - 1
        });
        let family = if from.is_ipv6() { 0x80 } else { 0 };
        let wait = (received_ms.saturating_sub(last_ms) / 100).isqrt().min(255);
        last_ms = *received_ms;
        if input.len() + payload.len() > MAX_LEN - 4 {
            break;
        }
        sequence::push(&mut input, family | (number & 15) as u8, wait as u8, payload);
    }
    input
}

/// A classic little-endian pcap file in pcapng: a section, an interface, a block for every packet.
fn pcapng(pcap: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut block = |kind: u32, body: &[&[u8]]| {
        let body = body.concat();
        let len = body.len().next_multiple_of(4);
        let total = (len as u32 + 12).to_le_bytes();
        file.extend(kind.to_le_bytes());
        file.extend(total);
        file.extend(&body);
        file.resize(file.len() + len - body.len(), 0);
        file.extend(total);
    };
    block(0x0a0d_0d0a, &[&0x1a2b_3c4d_u32.to_le_bytes(), &[1, 0, 0, 0], &[0xff; 8]]);
    // Ethernet; option 9: resolution 10^-6, option 14: no offset.
    let options = [9, 0, 1, 0, 6, 0, 0, 0, 14, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    block(1, &[&[1, 0, 0, 0], &[0xff, 0xff, 0, 0], &options]);
    for (header, packet) in records(pcap) {
        let word =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let ticks = u64::from(word(0)) * 1_000_000 + u64::from(word(4));
        let ticks = [((ticks >> 32) as u32).to_le_bytes(), (ticks as u32).to_le_bytes()].concat();
        block(6, &[&[0; 4], &ticks, &header[8..16], packet]);
    }
    file
}

/// A pcap file of Ethernet frames whose IPv4 packets are cut in two, the second piece first.
fn in_pieces(pcap: &[u8]) -> Vec<u8> {
    const AHEAD: usize = 14 + 20;
    const CUT: usize = 16;
    let mut file = pcap[..24].to_vec();
    for (header, packet) in records(pcap) {
        let Some((ahead, segment)) = packet.split_at_checked(AHEAD) else { continue };
        let Some((first, second)) = segment.split_at_checked(CUT) else { continue };
        for (place, piece) in [((CUT / 8) as u16, second), (0x2000, first)] {
            let mut ahead = ahead.to_vec();
            ahead[16..18].copy_from_slice(&((20 + piece.len()) as u16).to_be_bytes());
            ahead[20..22].copy_from_slice(&place.to_be_bytes());
            let len = ((AHEAD + piece.len()) as u32).to_le_bytes();
            file.extend([&header[..8], &len, &len, &ahead, piece].concat());
        }
    }
    file
}

/// Header and packet of every record of a pcap file.
fn records(pcap: &[u8]) -> impl Iterator<Item = (&[u8; 16], &[u8])> {
    let mut rest = pcap.get(24..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (header, behind) = rest.split_first_chunk::<16>()?;
        let len = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let (packet, behind) = behind.split_at_checked(len as usize)?;
        rest = behind;
        Some((header, packet))
    })
}

/// Name of a seed: the end of its path. Directories tell the case, or the release that wrote a file.
fn name(path: &Path) -> String {
    let text = path.to_string_lossy();
    let parts: Vec<&str> = text.rsplit('/').take(4).collect();
    parts.into_iter().rev().collect::<Vec<_>>().join("-")
}

/// The files with an extension below a directory, sorted.
fn files(directory: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
