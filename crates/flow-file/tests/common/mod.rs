//! What the tests of files have in common.
#![allow(dead_code, reason = "each test uses a part")]

use flow_file::{Compression, FileTail, FileWriter, FlowFile, WriteOptions};
use flow_model::{
    BatchBuilder, CountRule, ExportedInfo, ExporterInfo, Field, FieldSet, FlowBatch, Groups, Kind,
    LossLedger, NameInfo, NameKind, SamplerInfo, field_info,
};
use flow_testkit::generate::Rng;
use std::fs::File;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// How the values of a field are spread over the rows.
#[derive(Clone, Copy)]
enum Style {
    Absent,
    Constant,
    Few,
    Serial,
    Tailed,
    Random,
}

/// Rows with values of every spread in all fields that chance picks.
pub(crate) fn any_batch(seed: u64, rows: usize) -> FlowBatch {
    let mut rng = Rng::new(seed);
    let present = rng.below(101);
    let styles: Vec<Style> = Field::ALL
        .iter()
        .map(|_| match rng.below(5) {
            _ if !rng.chance(present) => Style::Absent,
            0 => Style::Constant,
            1 => Style::Few,
            2 => Style::Serial,
            3 => Style::Tailed,
            _ => Style::Random,
        })
        .collect();
    batch_of(&mut rng, rows, &styles)
}

/// Rows with values in every field.
pub(crate) fn full_batch(seed: u64, rows: usize) -> FlowBatch {
    let mut rng = Rng::new(seed);
    let styles = [Style::Few, Style::Serial, Style::Tailed, Style::Random, Style::Constant];
    let styles: Vec<Style> = Field::ALL.iter().map(|_| rng.pick(&styles)).collect();
    batch_of(&mut rng, rows, &styles)
}

fn batch_of(rng: &mut Rng, rows: usize, styles: &[Style]) -> FlowBatch {
    let mut builder = BatchBuilder::new();
    for row in 0..rows as u64 {
        for &field in &Field::ALL[1..] {
            let num = match styles[field as usize] {
                Style::Absent => continue,
                Style::Constant => 0x0123_4567_89ab_cdef ^ u64::from(field.id()),
                Style::Few => [0, 1, 6, 0xffff_ffff_ffff, 443][rng.below(5) as usize],
                Style::Serial => 1_700_000_000_000 + row * 3 + rng.below(7),
                Style::Tailed => rng.below(10) << if rng.chance(3) { rng.below(60) } else { 0 },
                Style::Random => rng.next_u64(),
            };
            if rng.chance(3) && !matches!(styles[field as usize], Style::Constant) {
                continue;
            }
            match field_info(field).kind {
                Kind::Ip => builder.set_ip(field, addr(num)),
                Kind::Bytes => {
                    let text = num.to_string();
                    builder.set_bytes(field, &text.as_bytes()[..(num % (text.len() as u64 + 1)) as usize]);
                }
                _ => builder.set(field, num),
            }
        }
        builder.add_groups(Groups(rng.pick(&[0, 1 << 7, 1 << 48])));
        builder.finish_row();
    }
    builder.finish()
}

fn addr(num: u64) -> IpAddr {
    match num % 4 {
        0..2 => Ipv4Addr::from_bits(num as u32).into(),
        2 => Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(num % 977)).into(),
        _ => Ipv6Addr::from_bits(u128::from(num) << (num % 60)).into(),
    }
}

/// The address of the batch's fields, and where it is.
pub(crate) fn addresses(batch: &FlowBatch, field: Field) -> impl Iterator<Item = IpAddr> {
    (0..batch.len()).map(move |row| batch.column(field).ip(row))
}

/// Makes `octets` the content of a file, again and again.
///
/// A file that is emptied first, as by [`std::fs::write`], is brought to the disk by some file systems when it is closed, so
/// that nothing is lost if the system fails in between; tests that change a file at every place would wait for that.
pub(crate) fn put(path: &Path, octets: &[u8]) {
    let mut file = File::options().write(true).create(true).truncate(false).open(path).unwrap();
    file.write_all(octets).unwrap();
    file.set_len(octets.len() as u64).unwrap();
}

pub(crate) fn options(compression: Compression) -> WriteOptions {
    WriteOptions {
        ident: "test".into(),
        format: compression.into(),
        rule: CountRule::Collected,
        created_ms: 1_700_000_000_000,
    }
}

pub(crate) fn exporter(sysid: u16, last_octet: u8) -> ExporterInfo {
    let ledger =
        LossLedger { datagrams: 10 * u64::from(sysid), flows: 7, missed: 1, ..LossLedger::default() };
    let addr = Ipv4Addr::new(192, 0, 2, last_octet).into();
    ExporterInfo { sysid, version: 9, addr, domain: 300, ledger }
}

pub(crate) fn tail() -> FileTail {
    FileTail {
        exporters: vec![
            exporter(1, 1),
            ExporterInfo { addr: Ipv6Addr::LOCALHOST.into(), version: 10, ..exporter(2, 2) },
        ],
        samplers: vec![
            SamplerInfo { exporter: 1, id: -2, algorithm: 1, interval: 1, space: 999 },
            SamplerInfo { exporter: 2, id: 7, algorithm: 2, interval: 1, space: 0 },
        ],
        names: names(),
        exported: vec![ExportedInfo { exporter: 2, octets: 1 << 40, messages: 3_000, flows: 90_000 }],
        ledger: LossLedger { datagrams: 30, kernel_drops: 5, refused: u64::MAX, ..LossLedger::default() },
        span_if_empty: Some((1, 2)),
        sequence_failures: 3,
        ..FileTail::default()
    }
}

/// Names of every kind, and enough of one kind for compression to pay.
fn names() -> Vec<NameInfo> {
    let name =
        |kind, id: u32, name: String| NameInfo { exporter: 2, kind, id: id.to_be_bytes().to_vec(), name };
    let interfaces =
        (1..10).map(|index| name(NameKind::Interface, index, format!("GigabitEthernet0/0/{index}")));
    let others = NameKind::ALL.into_iter().skip(1).map(|kind| name(kind, 0x0d00_0050, format!("{kind:?} ü")));
    interfaces.chain(others).collect()
}

/// Writes a finished file.
pub(crate) fn write(path: &Path, compression: Compression, batches: &[FlowBatch]) {
    let mut writer = FileWriter::create(path, options(compression)).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish(tail()).unwrap();
}

/// Reads all of a block.
pub(crate) fn read(file: &FlowFile, block: usize) -> FlowBatch {
    file.block(block).unwrap().to_batch(FieldSet::ALL).unwrap()
}
