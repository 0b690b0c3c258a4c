//! nfdump's layout as we write it, seen by whoever knows only its description: a walk over the octets, the contract's
//! `nfread.py`, and nfdump itself.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod common;

use common::{full_batch, options, tail};
use flow_file::{BlockCompression, FileFormat, FileTail, FileWriter, NfdumpRelease, Omitted, WriteOptions};
use flow_model::{
    BatchBuilder, CountRule, ExporterInfo, Field, FieldSet, FlowBatch, Groups, LossLedger, SamplerInfo,
    ValueRef,
};
use flow_testkit::conditions::{Needed, corpus, program, trial};
use flow_testkit::{fixture, generate};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const METHODS: [BlockCompression; 6] = [
    BlockCompression::None,
    BlockCompression::Lzo,
    BlockCompression::Lz4,
    BlockCompression::Bz2(9),
    BlockCompression::Bz2(1),
    BlockCompression::Zstd(3),
];

fn main() {
    let mut arguments = Arguments::from_args();
    // Each test uses all cores of its own accord where that helps.
    arguments.test_threads.get_or_insert(2);
    let nfread = || -> Needed<(PathBuf, PathBuf)> {
        let path = corpus()?.join("../contract/tools/nfread.py");
        let found = path.is_file().then_some(path.clone());
        Ok((program("python3")?, found.ok_or_else(|| format!("no {}", path.display()))?))
    };
    let plain = |name: &str, test: fn() -> Result<(), Failed>| Trial::test(name, test);
    let mut trials = vec![
        plain("sizes_are_exact_and_blocks_are_full", sizes),
        plain("an_empty_file_has_the_slots_span", empty),
        plain("a_writer_that_dies_leaves_blocks_that_can_be_walked", unfinished),
        plain("exporters_come_before_their_flows_and_once", announced),
        plain("what_has_no_place_is_counted", omitted),
        plain("records_that_would_be_too_long_lose_their_longest_fields", too_long),
        plain("what_1_7_1_complains_about_can_be_left_out", for_1_7_1),
    ];
    for method in METHODS {
        let name = format!("nfread_sees_every_field {method:?}");
        trials.push(trial(name, nfread(), move |nfread| every_field(&nfread, method)));
        if !matches!(method, BlockCompression::Zstd(_)) {
            let name = format!("nfdump_finds_nothing_to_complain_about {method:?}");
            trials.push(trial(name, program("nfdump"), move |nfdump| verified(&nfdump, method)));
        }
    }
    trials.push(trial("nfread_sees_what_the_file_says_of_itself", nfread(), |nfread| meta(&nfread)));
    libtest_mimic::run(&arguments, trials).exit();
}

fn nfdump_options(compression: BlockCompression, release: NfdumpRelease) -> WriteOptions {
    WriteOptions {
        format: FileFormat::Nfdump { compression, release },
        ..options(flow_file::Compression::default())
    }
}

/// Writes a file; gives what it lacks.
fn write(path: &Path, options: WriteOptions, batches: &[FlowBatch]) -> Result<Omitted, Failed> {
    let mut writer = FileWriter::create(path, options)?;
    let tail = tail();
    writer.announce(&tail.exporters, &tail.samplers, &tail.names)?;
    for batch in batches {
        writer.write(batch)?;
    }
    Ok(writer.finish(tail)?.omitted)
}

/// A block: how many records it says to have, and its octets as stored.
struct Block<'a> {
    records: u32,
    stored: &'a [u8],
    start: usize,
}

fn number(octets: &[u8], at: usize, len: usize) -> u64 {
    octets[at..at + len].iter().rev().fold(0, |number, &octet| number << 8 | u64::from(octet))
}

/// The blocks of a file, to its end.
fn blocks(file: &[u8]) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut at = 40;
    while at < file.len() {
        let len = number(file, at + 4, 4) as usize;
        assert_eq!((number(file, at + 8, 2), number(file, at + 10, 2)), (3, 0), "type and flags at {at}");
        blocks.push(Block {
            records: number(file, at, 4) as u32,
            stored: &file[at + 12..at + 12 + len],
            start: at,
        });
        at += 12 + len;
    }
    blocks
}

/// The records of an uncompressed block, by type.
fn records(block: &[u8]) -> Vec<(u64, &[u8])> {
    let mut records = Vec::new();
    let mut at = 0;
    while at < block.len() {
        let len = number(block, at + 2, 2) as usize;
        records.push((number(block, at, 2), &block[at..at + len]));
        at += len;
    }
    records
}

/// The elements of a flow record: ids and lengths.
fn elements(record: &[u8]) -> Vec<(u64, usize)> {
    let mut elements = Vec::new();
    let mut at = 12;
    while at < record.len() {
        let len = number(record, at + 2, 2) as usize;
        elements.push((number(record, at, 2), len));
        at += len;
    }
    assert_eq!(number(record, 4, 2), elements.len() as u64, "count of elements");
    elements
}

/// Lengths of elements with their headers, as the description has them; of those of any length, the shortest.
const LENGTHS: [usize; 42] = [
    52, 12, 36, 20, 28, 12, 12, 8, 20, 8, 20, 8, 20, 44, 36, 12, 28, 20, 20, 12, 36, 8, 28, 72, 20, 12, 4, 5,
    4, 4, 16, 44, 20, 8, 4, 12, 25, 36, 12, 8, 8, 8,
];
const OF_ANY_LENGTH: [u64; 8] = [27, 28, 29, 30, 35, 37, 41, 0];

fn sizes() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("file");
    let batches =
        [full_batch(5, 9_000), full_batch(6, 1), generate::batch(7, 20_000, generate::Mix::default())];
    write(&path, nfdump_options(BlockCompression::None, NfdumpRelease::V1_7_8), &batches)?;
    let file = fs::read(&path)?;
    let blocks = blocks(&file);
    assert_eq!(file[..8], [0x0c, 0xa5, 2, 0, 0, 8, 7, 1]);
    assert_eq!(number(&file, 8, 8), 1_700_000_000, "created");
    assert_eq!(file[16..20], [0, 0, 1, 0], "compression, encryption, appendix blocks");
    assert_eq!(number(&file, 20, 4), 1, "creator");
    assert_eq!(number(&file, 24, 8), blocks.last().ok_or("no block")?.start as u64, "offset of the appendix");
    assert_eq!(number(&file, 32, 4), 0);
    assert_eq!(number(&file, 36, 4), blocks.len() as u64 - 1, "count of blocks");
    let mut flows = 0;
    for (number_of_block, block) in blocks.iter().enumerate() {
        assert!((1..=1 << 20).contains(&block.stored.len()));
        let records = records(block.stored);
        assert_eq!(records.len(), block.records as usize);
        for (kind, record) in records {
            let is_appendix = number_of_block + 1 == blocks.len();
            match kind {
                7 => assert_eq!((record.len(), is_appendix), (32, false)),
                15 => assert_eq!((record.len(), is_appendix), (24, false)),
                12 => assert_eq!((number(record, 4, 2), record.len() % 4), (1, 2)),
                13 => assert_eq!((number(record, 4, 2), record.len()), (9, 12 + 9 * (4 + 24))),
                14 => assert_eq!((number(record, 4, 2), record.len()), (1, 12 + 4 + 8)),
                8 => assert_eq!((record.len(), number_of_block), (8 + 24 * 2, blocks.len() - 2)),
                0x8001 => assert_eq!((record, is_appendix), (&b"\x01\x80\x0a\x00test\0\0"[..], true)),
                0x8002 => assert_eq!((record.len(), is_appendix), (148, true)),
                11 => {
                    flows += 1;
                    let elements = elements(record);
                    assert!(elements.iter().any(|&(id, _)| id == 1));
                    for (id, len) in elements {
                        let expected = LENGTHS[id as usize - 1];
                        assert!(
                            len == expected || (len > expected && OF_ANY_LENGTH.contains(&id)),
                            "{id}: {len}"
                        );
                    }
                }
                _ => return Err(format!("record of type {kind}").into()),
            }
        }
    }
    assert_eq!(flows, 29_001);
    // Only the last block of a batch has room left.
    let full = blocks.iter().filter(|block| block.stored.len() > (1 << 20) - 1_100).count();
    assert!(full + 6 >= blocks.len() && full >= 9, "{full} of {}", blocks.len());
    Ok(())
}

fn empty() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    for (span_if_empty, first, last) in [(None, 0, 0), (Some((5, 9)), 5, 9)] {
        let path = directory.path().join("file");
        let options = nfdump_options(BlockCompression::Lzo, NfdumpRelease::V1_7_8);
        FileWriter::create(&path, WriteOptions { rule: CountRule::Written, ..options })?
            .finish(FileTail { span_if_empty, ..FileTail::default() })?;
        let options = nfdump_options(BlockCompression::None, NfdumpRelease::V1_7_8);
        FileWriter::create(&path, options)?.finish(FileTail { span_if_empty, ..FileTail::default() })?;
        let file = fs::read(&path)?;
        assert_eq!(file.len(), 40 + 12 + 10 + 148);
        assert_eq!((number(&file, 24, 8), number(&file, 36, 4)), (40, 0), "appendix and count of blocks");
        let totals = &file[40 + 12 + 10 + 4..];
        assert_eq!((number(totals, 120, 8), number(totals, 128, 8)), (first, last));
        assert!(totals[..120].iter().chain(&totals[136..]).all(|&octet| octet == 0));
    }
    Ok(())
}

fn unfinished() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("file");
    let mut writer =
        FileWriter::create(&path, nfdump_options(BlockCompression::None, NfdumpRelease::V1_7_8))?;
    writer.write(&full_batch(1, 3_000))?;
    let (len, count) = (writer.byte_len(), writer.block_count());
    drop(writer);
    let file = fs::read(&path)?;
    assert_eq!((file.len() as u64, count), (len, blocks(&file).len()));
    assert!(count > 1);
    // As nfcapd's own while it writes: no blocks, no appendix.
    assert_eq!((number(&file, 18, 2), number(&file, 24, 8), number(&file, 36, 4)), (0, 0, 0));
    let flows: usize = blocks(&file).iter().map(|block| records(block.stored).len()).sum();
    assert_eq!(flows, 3_000);
    Ok(())
}

fn exporter(sysid: u16, domain: u32) -> ExporterInfo {
    let ledger = LossLedger { datagrams: 2, flows: 3, sequence_failures: u64::MAX, ..LossLedger::default() };
    ExporterInfo { sysid, version: 10, addr: [192, 0, 2, 1].into(), domain, ledger }
}

fn announced() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("file");
    let mut writer =
        FileWriter::create(&path, nfdump_options(BlockCompression::None, NfdumpRelease::V1_7_8))?;
    let sampler = SamplerInfo { exporter: 1, id: -1, algorithm: 2, interval: 1, space: 99 };
    let orphan = SamplerInfo { exporter: 9, ..sampler };
    writer.announce(&[exporter(1, 7)], &[sampler, orphan], &[])?;
    writer.announce(&[exporter(1, 7)], &[sampler], &[])?;
    writer.write(&fixture::flows())?;
    writer.announce(
        &[exporter(1, 8), exporter(2, 7)],
        &[sampler, SamplerInfo { interval: 2, ..sampler }],
        &[],
    )?;
    let finished = writer.finish(FileTail {
        exporters: vec![exporter(1, 8), exporter(2, 7), exporter(3, 0)],
        samplers: vec![sampler, orphan],
        ..FileTail::default()
    })?;
    assert_eq!(finished.omitted, Omitted { samplers: 1, ..Omitted::default() });
    let file = fs::read(&path)?;
    let kinds: Vec<Vec<u64>> = blocks(&file)
        .iter()
        .map(|block| records(block.stored).iter().map(|(kind, _)| *kind).collect())
        .collect();
    assert_eq!(kinds.len(), 6);
    assert_eq!((&kinds[0], &kinds[2], &kinds[3]), (&vec![7, 15], &vec![7, 7, 15], &vec![7]));
    assert_eq!((&kinds[1], &kinds[4], &kinds[5]), (&vec![11; 18], &vec![8], &vec![0x8001, 0x8002]));
    let all = blocks(&file);
    assert_eq!(
        all[0].stored,
        [
            &[
                7, 0, 32, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 192, 0, 0, 0, 0, 2, 0, 1, 0, 7, 0,
                0, 0
            ][..],
            &[15, 0, 24, 0, 1, 0, 2, 0, 255, 255, 255, 255, 255, 255, 255, 255, 1, 0, 0, 0, 99, 0, 0, 0],
        ]
        .concat()
    );
    // A count that does not fit stays at the largest number.
    assert_eq!(all[4].stored[..16], [8, 0, 80, 0, 3, 0, 0, 0, 1, 0, 0, 0, 255, 255, 255, 255]);
    Ok(())
}

fn omitted() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("file");
    let mut builder = BatchBuilder::new();
    builder.set(Field::SecurityGroupTag, 5);
    builder.set_bytes(Field::UserName, &[b'u'; 66]);
    builder.finish_row();
    builder.set(Field::SecurityGroupTag, 0);
    builder.set_bytes(Field::UserName, &[b'u'; 65]);
    builder.set_bytes(Field::Label, b"label");
    builder.set_bytes(Field::InPayload, b"pay\0load");
    builder.finish_row();
    builder.set_bytes(Field::UserName, b"us\0er");
    builder.set_bytes(Field::Label, b"la\0bel");
    builder.finish_row();
    // An event time without an event, and one with.
    builder.set(Field::EventTimeMs, 1);
    builder.finish_row();
    builder.set(Field::EventTimeMs, 1);
    builder.set(Field::NatEvent, 0);
    builder.finish_row();
    // Both families in one element, and a family that has only the other's nothing.
    builder.set_ip(Field::SrcAddr, [10, 0, 0, 1].into());
    builder.set_ip(Field::DstAddr, "2001:db8::1".parse()?);
    builder.finish_row();
    builder.set_ip(Field::SrcAddr, [0, 0, 0, 0].into());
    builder.set_ip(Field::DstAddr, "2001:db8::1".parse()?);
    builder.finish_row();
    let options = WriteOptions {
        ident: "ä".repeat(62),
        ..nfdump_options(BlockCompression::None, NfdumpRelease::V1_7_8)
    };
    let mut writer = FileWriter::create(&path, options)?;
    writer.write(&builder.finish())?;
    let ledger = LossLedger { kernel_drops: 1, ..LossLedger::default() };
    let omitted = writer.finish(FileTail { ledger, ..FileTail::default() })?.omitted;
    let fields = [
        (Field::SrcAddr, 1),
        (Field::EventTimeMs, 1),
        (Field::UserName, 2),
        (Field::Label, 1),
        (Field::SecurityGroupTag, 1),
    ];
    let expected = Omitted {
        flows: 4,
        fields: BTreeMap::from(fields),
        ident_octets: 4,
        losses: true,
        ..Omitted::default()
    };
    assert_eq!(omitted, expected);
    assert_eq!(
        omitted.to_string(),
        "values of 4 flows (src_addr of 1, event_time_ms of 1, user_name of 2, label of 1, security_group_tag of 1), \
         the last 4 bytes of the ident, counts of losses"
    );
    let file = fs::read(&path)?;
    assert_eq!(blocks(&file)[1].stored[..4], [1, 0x80, 126, 0]);
    let block = blocks(&file)[0].stored;
    let mixed = records(block)[5].1;
    let address = "\0\0\0\0\0\0\0\0\u{1}\0\0\n";
    assert!(
        mixed
            .windows(16)
            .any(|octets| &octets[..12] == address.as_bytes() && octets[12..] == [255, 255, 0, 0])
    );
    Ok(())
}

fn too_long() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("file");
    let mut builder = BatchBuilder::new();
    // Of the last row only the header of an element would not fit, and so the payload does not.
    for (frame, payload) in
        [(40_000, 30_000), (70_000, 65_000), (70_000, 70_000), (65_535 - 64 - 4, 0), (1, 65_535)]
    {
        builder.set_bytes(Field::Frame, &vec![1; frame]);
        builder.set_bytes(Field::InPayload, &vec![2; payload]);
        builder.finish_row();
    }
    let mut writer =
        FileWriter::create(&path, nfdump_options(BlockCompression::None, NfdumpRelease::V1_7_8))?;
    writer.write(&builder.finish())?;
    let omitted = writer.finish(FileTail::default())?.omitted;
    let fields = BTreeMap::from([(Field::InPayload, 2), (Field::Frame, 3)]);
    assert_eq!(omitted, Omitted { flows: 4, fields, ..Omitted::default() });
    let file = fs::read(&path)?;
    let all: Vec<Vec<(u64, usize)>> =
        blocks(&file)[..1].iter().flat_map(|block| records(block.stored)).map(|(_, r)| elements(r)).collect();
    let expected = [
        vec![(1, 52), (29, 30_004)],
        vec![(1, 52), (29, 65_004)],
        vec![(1, 52)],
        vec![(1, 52), (35, 65_471)],
        vec![(1, 52), (35, 5)],
    ];
    assert_eq!(all, expected);
    Ok(())
}

fn for_1_7_1() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("file");
    let batch = full_batch(11, 50);
    let omitted = write(
        &path,
        nfdump_options(BlockCompression::None, NfdumpRelease::V1_7_1),
        std::slice::from_ref(&batch),
    )?;
    let file = fs::read(&path)?;
    assert_eq!(file[4..8], [0, 1, 7, 1]);
    for block in blocks(&file) {
        for (_, record) in records(block.stored).iter().filter(|(kind, _)| *kind == 11) {
            assert!(elements(record).iter().all(|(id, _)| !matches!(id, 18 | 34 | 35 | 38..)));
        }
    }
    let vlans = (0..50).filter(|&row| batch.column(Field::VlanId).num(row) != 0).count() as u64;
    assert!(vlans > 0);
    assert_eq!(omitted.fields.get(&Field::VlanId), Some(&vlans));
    assert!(omitted.fields.contains_key(&Field::Frame) && !omitted.fields.contains_key(&Field::IngressVrf));
    Ok(())
}

fn verified(nfdump: &Path, method: BlockCompression) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("file");
    let batches =
        [full_batch(8, 2_500), generate::batch(9, 9_000, generate::Mix::default()), fixture::events()];
    write(&path, nfdump_options(method, NfdumpRelease::V1_7_1), &batches)?;
    let output = Command::new(nfdump).arg("-v").arg(&path).output()?;
    let text = String::from_utf8(output.stdout)?;
    assert!(output.status.success() && output.stderr.is_empty(), "{text}");
    // Flows, exporters, samplers, tables of names, statistics of exporters, and the appendix.
    let records = format!("Records       : {}", 11_506 + 2 + 2 + 3 + 1 + 2);
    assert!(text.contains(&records), "{text}");
    let output = Command::new(nfdump).arg("-r").arg(&path).args(["-o", "null"]).output()?;
    let (text, errors) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    assert_eq!(errors, "");
    assert!(text.contains("Total flows processed: 11506, passed: 11506,"), "{text}");
    Ok(())
}

fn nfread(nfread: &(PathBuf, PathBuf), arguments: &[&str], path: &Path) -> Result<String, Failed> {
    let output = Command::new(&nfread.0).arg(&nfread.1).args(arguments).arg(path).output()?;
    let errors = String::from_utf8(output.stderr)?;
    if output.status.success() && errors.is_empty() {
        Ok(String::from_utf8(output.stdout)?)
    } else {
        Err(format!("{}: {errors}", output.status).into())
    }
}

/// The same file without compression: Python has neither LZ4 nor zstd by itself.
fn uncompressed(file: &[u8]) -> Result<Vec<u8>, Failed> {
    let mut out = file[..40].to_vec();
    let method = std::mem::take(&mut out[16]);
    for block in blocks(file) {
        let payload = match method {
            3 => lz4_flex::block::decompress(block.stored, 5 << 20)?,
            4 => zstd::stream::decode_all(block.stored)?,
            _ => return Ok(file.to_vec()),
        };
        if block.start as u64 == number(file, 24, 8) {
            let offset = out.len() as u64;
            out[24..32].copy_from_slice(&offset.to_le_bytes());
        }
        out.extend_from_slice(&block.records.to_le_bytes());
        out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
        out.extend_from_slice(&[3, 0, 0, 0]);
        out.extend_from_slice(&payload);
    }
    Ok(out)
}

/// What `nfread.py` calls a field.
const NAMES: &[(Field, &str)] = &[
    (Field::FirstMs, "first_ms"),
    (Field::LastMs, "last_ms"),
    (Field::ReceivedMs, "received_ms"),
    (Field::SrcAddr, "src_addr"),
    (Field::DstAddr, "dst_addr"),
    (Field::SrcPort, "src_port"),
    (Field::DstPort, "dst_port"),
    (Field::Proto, "proto"),
    (Field::TcpFlags, "tcp_flags"),
    (Field::FwdStatus, "fwd_status"),
    (Field::SrcTos, "src_tos"),
    (Field::InPackets, "in_packets"),
    (Field::InBytes, "in_bytes"),
    (Field::NfVersion, "nfversion"),
    (Field::EngineType, "engine_type"),
    (Field::EngineId, "engine_id"),
    (Field::ExporterId, "exporter_sysid"),
    (Field::Input, "input"),
    (Field::Output, "output"),
    (Field::SrcMask, "src_mask"),
    (Field::DstMask, "dst_mask"),
    (Field::Direction, "direction"),
    (Field::DstTos, "dst_tos"),
    (Field::BiflowDir, "biflow_dir"),
    (Field::FlowEndReason, "flow_end_reason"),
    (Field::Flows, "aggr_flows"),
    (Field::OutPackets, "out_packets"),
    (Field::OutBytes, "out_bytes"),
    (Field::SrcVlan, "src_vlan"),
    (Field::DstVlan, "dst_vlan"),
    (Field::SrcAs, "src_as"),
    (Field::DstAs, "dst_as"),
    (Field::BgpNextHop, "bgp_next_hop"),
    (Field::NextHop, "next_hop"),
    (Field::RouterAddr, "router"),
    (Field::InSrcMac, "in_src_mac"),
    (Field::OutDstMac, "out_dst_mac"),
    (Field::InDstMac, "in_dst_mac"),
    (Field::OutSrcMac, "out_src_mac"),
    (Field::NextAs, "next_as"),
    (Field::PrevAs, "prev_as"),
    (Field::ClientLatencyUs, "client_latency_us"),
    (Field::ServerLatencyUs, "server_latency_us"),
    (Field::AppLatencyUs, "app_latency_us"),
    (Field::SamplerId, "sampler_id"),
    (Field::EventTimeMs, "event_ms"),
    (Field::ConnId, "conn_id"),
    (Field::FwXevent, "fw_xevent"),
    (Field::FwEvent, "fw_event"),
    (Field::XlateSrcAddr, "xlate_src"),
    (Field::XlateDstAddr, "xlate_dst"),
    (Field::XlateSrcPort, "xlate_src_port"),
    (Field::XlateDstPort, "xlate_dst_port"),
    (Field::UserName, "username"),
    (Field::NatEvent, "nat_event"),
    (Field::NatPoolId, "nat_pool_id"),
    (Field::PblockStart, "pblock_start"),
    (Field::PblockEnd, "pblock_end"),
    (Field::PblockStep, "pblock_step"),
    (Field::PblockSize, "pblock_size"),
    (Field::AppId, "nbar_app_id"),
    (Field::Label, "label"),
    (Field::InPayload, "in_payload"),
    (Field::OutPayload, "out_payload"),
    (Field::TunnelSrcAddr, "tun_src"),
    (Field::TunnelDstAddr, "tun_dst"),
    (Field::TunnelProto, "tun_proto"),
    (Field::ObservationPointId, "observation_point"),
    (Field::ObservationDomainId, "observation_domain"),
    (Field::FrameSize, "inmon_frame_size"),
    (Field::LinkType, "inmon_link_type"),
    (Field::Frame, "inmon_frame"),
    (Field::IngressVrf, "ingress_vrf"),
    (Field::EgressVrf, "egress_vrf"),
    (Field::PfAction, "pf_action"),
    (Field::PfReason, "pf_reason"),
    (Field::PfDir, "pf_dir"),
    (Field::PfRewritten, "pf_rewritten"),
    (Field::PfRule, "pf_rule"),
    (Field::PfSubrule, "pf_subrule"),
    (Field::PfUid, "pf_uid"),
    (Field::PfPid, "pf_pid"),
    (Field::PfInterface, "pf_ifname"),
    (Field::VlanId, "vlan_id"),
    (Field::CustomerVlanId, "cust_vlan"),
    (Field::PostVlanId, "post_vlan"),
    (Field::PostCustomerVlanId, "post_cust_vlan"),
    (Field::PhysInput, "phys_ingress"),
    (Field::PhysOutput, "phys_egress"),
    (Field::Vxlan, "vxlan"),
    (Field::EtherType, "ethertype"),
    (Field::IpVersion, "ip_version"),
    (Field::FlowId, "flow_id"),
    (Field::NokiaInsideSid, "in_service_id"),
    (Field::NokiaOutsideSid, "out_service_id"),
    (Field::NokiaNatString, "nat_string"),
    (Field::FragmentFlags, "ip_fragment"),
    (Field::MinTtl, "min_ttl"),
    (Field::MaxTtl, "max_ttl"),
];

/// What `nfread.py` shows otherwise, or not at all.
const UNNAMED: &[Field] = &[
    Field::Groups,
    Field::RecordFlags,
    Field::Mpls1,
    Field::Mpls2,
    Field::Mpls3,
    Field::Mpls4,
    Field::Mpls5,
    Field::Mpls6,
    Field::Mpls7,
    Field::Mpls8,
    Field::Mpls9,
    Field::Mpls10,
    Field::IngressAcl,
    Field::IngressAce,
    Field::IngressXace,
    Field::EgressAcl,
    Field::EgressAce,
    Field::EgressXace,
    Field::ReverseTcpFlags,
    Field::SecurityGroupTag,
];

fn every_field(reader: &(PathBuf, PathBuf), method: BlockCompression) -> Result<(), Failed> {
    let named: Vec<Field> = NAMES.iter().map(|&(field, _)| field).chain(UNNAMED.iter().copied()).collect();
    assert!(Field::ALL.iter().all(|field| named.contains(field)) && named.len() == Field::ALL.len());
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("file");
    let batches =
        [full_batch(21, 600), generate::batch(22, 3_000, generate::Mix::default()), fixture::events()];
    write(&path, nfdump_options(method, NfdumpRelease::V1_7_8), &batches)?;
    fs::write(&path, uncompressed(&fs::read(&path)?)?)?;
    let mut absent = FlowBatch::new(1);
    absent.mark_decoded(FieldSet::ALL);
    let text = nfread(reader, &[], &path)?;
    let mut lines = text.lines();
    for batch in &batches {
        for row in 0..batch.len() {
            let flow: Map<String, Value> = serde_json::from_str(lines.next().ok_or("flows are missing")?)?;
            for &(field, name) in NAMES {
                let (expected, found) = (shown(batch, row, field), flow.get(name));
                let is_absent = expected == shown(&absent, 0, field);
                // The event time of an event without element has no place.
                let has_place = field != Field::EventTimeMs
                    || batch.groups(row).contains(Groups::NSEL)
                    || batch.groups(row).contains(Groups::NAT);
                let same = match found {
                    None => is_absent || !has_place,
                    Some(found) => shown_by(found, field) == expected,
                };
                assert!(same, "row {row}: {name} is {found:?}, expected {expected}");
            }
            let acls = |name: &str, fields: [Field; 3]| {
                let nums = fields.map(|field| batch.column(field).num(row));
                flow.get(name).map_or(nums == [0; 3], |found| *found == Value::from(nums.to_vec()))
            };
            assert!(acls("ingress_acl", [Field::IngressAcl, Field::IngressAce, Field::IngressXace]));
            assert!(acls("egress_acl", [Field::EgressAcl, Field::EgressAce, Field::EgressXace]));
            let labels = Field::MPLS.map(|field| batch.column(field).num(row));
            let labels = labels.map(|label| format!("{}-{}-{}", label >> 4, label >> 1 & 7, label & 1));
            assert!(flow.get("mpls").is_none_or(|found| *found == Value::from(labels.to_vec())));
            let flags = batch.column(Field::RecordFlags).num(row);
            let kind = if flags & 1 == 1 { "EVENT" } else { "FLOW" };
            assert_eq!(flow.get("type"), Some(&kind.into()));
            assert_eq!(flow.get("sampled"), Some(&(flags >> 1 & 1).into()));
            assert_eq!(flow.get("anon"), Some(&(flags >> 2 & 1).into()));
        }
    }
    assert_eq!(lines.next(), None);
    Ok(())
}

/// A value as text, in the form in which it can be compared.
fn shown(batch: &FlowBatch, row: usize, field: Field) -> String {
    match batch.column(field).get(row) {
        ValueRef::Num(num) if is_mac(field) => (num & 0xffff_ffff_ffff).to_string(),
        ValueRef::Num(num) => num.to_string(),
        // Beside an IPv6 address an IPv4 one is a mapped one, and without any, nothing is nothing.
        ValueRef::Ip(addr) if addr.is_unspecified() => "none".to_owned(),
        ValueRef::Ip(addr) => addr.to_canonical().to_string(),
        ValueRef::Bytes(octets) => octets.iter().fold(String::new(), |mut hex, octet| {
            let _ = write!(hex, "{octet:02x}");
            hex
        }),
    }
}

fn is_mac(field: Field) -> bool {
    [Field::InSrcMac, Field::OutDstMac, Field::InDstMac, Field::OutSrcMac].contains(&field)
}

fn shown_by(value: &Value, field: Field) -> String {
    let is_text = [Field::UserName, Field::Label, Field::PfInterface, Field::NokiaNatString].contains(&field);
    match value {
        Value::String(text) if is_mac(field) => u64::from_str_radix(&text.replace(':', ""), 16)
            .map_or_else(|_| text.clone(), |mac| mac.to_string()),
        Value::String(text) if is_text => text.bytes().fold(String::new(), |mut hex, octet| {
            let _ = write!(hex, "{octet:02x}");
            hex
        }),
        Value::String(text) => match text.parse::<std::net::IpAddr>() {
            Ok(addr) if addr.is_unspecified() => "none".to_owned(),
            Ok(addr) => addr.to_canonical().to_string(),
            Err(_) => text.clone(),
        },
        other => other.to_string(),
    }
}

fn meta(reader: &(PathBuf, PathBuf)) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("file");
    let mut writer =
        FileWriter::create(&path, nfdump_options(BlockCompression::Bz2(9), NfdumpRelease::V1_7_8))?;
    writer.write(&fixture::flows())?;
    let finished = writer.finish(tail())?;
    let totals = finished.totals;
    let meta: Value = serde_json::from_str(&nfread(reader, &["--meta"], &path)?)?;
    assert_eq!(meta["ident"], "test");
    assert_eq!((&meta["nfdversion"], &meta["creator"]), (&"0x01070800".into(), &1.into()));
    let stat = &meta["stat"];
    assert_eq!((&stat["flows"], &stat["bytes"]), (&totals.flows.into(), &totals.bytes.into()));
    assert_eq!(stat["sequence_failures"], 3);
    for (index, name) in ["tcp", "udp", "icmp", "other"].iter().enumerate() {
        assert_eq!(stat[format!("flows_{name}")], totals.flows_by[index]);
        assert_eq!(stat[format!("bytes_{name}")], totals.bytes_by[index]);
        assert_eq!(stat[format!("packets_{name}")], totals.packets_by[index]);
    }
    let exporters = [
        serde_json::json!({"sysid": 1, "version": 9, "ip": "192.0.2.1", "id": 300}),
        serde_json::json!({"sysid": 2, "version": 10, "ip": "::1", "id": 300}),
    ];
    assert_eq!(meta["exporters"], Value::from(exporters.to_vec()));
    let samplers = [
        serde_json::json!({"sysid": 1, "algorithm": 1, "id": -2, "packet_interval": 1, "packet_space": 999}),
        serde_json::json!({"sysid": 2, "algorithm": 2, "id": 7, "packet_interval": 1, "packet_space": 0}),
    ];
    assert_eq!(meta["samplers"], Value::from(samplers.to_vec()));
    let interfaces: Map<String, Value> =
        (1..10).map(|index| (index.to_string(), format!("GigabitEthernet0/0/{index}").into())).collect();
    assert_eq!(meta["ifnames"], Value::from(interfaces));
    assert_eq!(meta["vrfnames"], serde_json::json!({"218103888": "Vrf ü"}));
    let application =
        serde_json::json!({"id": "0d000050", "name": "Application ü", "desc": "ApplicationDescription ü"});
    assert_eq!(meta["nbar"], Value::from(vec![application]));
    // Descriptions of interfaces have no table.
    assert_eq!((finished.omitted.names, finished.omitted.exported), (1, 1));
    assert_eq!(meta["exporter_stats"][0]["packets"], 10);
    assert_eq!(meta["exporter_stats"][1]["flows"], 7);
    Ok(())
}
