//! Directories in which files of nfdump's stand among ours.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

mod support;

use flow_file::{
    BlockCompression, Compression, FileFormat, FileTail, FileWriter, FlowFile, NfdumpRelease, WriteOptions,
};
use flow_model::{
    BatchBuilder, CountRule, ExporterInfo, Field, FieldSet, FlowBatch, LossLedger, NameInfo, NameKind,
    SamplerInfo,
};
use flow_testkit::fixture;
use flow_testkit::generate::{Mix, batches};
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn write(path: &Path, format: FileFormat, batches: &[FlowBatch]) {
    support::write(path, "border", format, batches, FileTail::default());
}

fn nfdump(compression: BlockCompression) -> FileFormat {
    FileFormat::Nfdump { compression, release: NfdumpRelease::default() }
}

fn rdump(directory: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rdump"))
        .args(args)
        .current_dir(directory)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn stdout(directory: &Path, args: &[&str]) -> String {
    let output = rdump(directory, args);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    assert_eq!(output.status.code(), Some(0), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Two directories with the same flows: all files ours, and three of four nfdump's.
fn directories() -> (tempfile::TempDir, tempfile::TempDir) {
    let (ours, mixed) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let columnar = FileFormat::Columnar(Compression::Lz4);
    let formats = [
        columnar,
        nfdump(BlockCompression::Lz4),
        nfdump(BlockCompression::None),
        nfdump(BlockCompression::Zstd(3)),
    ];
    for (slot, format) in formats.into_iter().enumerate() {
        let name = format!("nfcapd.20231114221{slot}");
        let flows = batches(slot as u64, 1200, 400, Mix::default());
        write(&ours.path().join(&name), columnar, &flows);
        write(&mixed.path().join(&name), format, &flows);
    }
    (ours, mixed)
}

#[test]
fn a_mixed_directory_answers_as_one_of_ours() {
    let (ours, mixed) = directories();
    for args in [
        &["-q", "-o", "fmt:%ts %te %sap %dap %pr %pkt %byt %flg %tos %in %out %sas %das"][..],
        &["-q", "-o", "line", "-c", "1700"],
        &["-q", "-o", "line", "proto tcp and src port < 30000"],
        &["-q", "-o", "line", "count > 1000 and count < 2200"],
        &["-q", "-s", "srcip/bytes", "-n", "30"],
        &["-q", "-s", "dstport/flows"],
        &["-q", "-s", "record/packets", "-n", "40"],
        &["-q", "-A", "srcip,dstport", "-n", "50", "-O", "bytes"],
        &["-q", "-O", "tstart", "-o", "csv"],
    ] {
        let with =
            |directory: &Path, threads| stdout(directory, &[&["-R", ".", "-W", threads], args].concat());
        let expected = with(ours.path(), "1");
        assert!(expected.lines().count() > 3, "{args:?}: {expected}");
        for threads in ["1", "4"] {
            assert_eq!(with(mixed.path(), threads), expected, "{args:?}");
        }
    }
}

#[test]
fn damage_is_told_and_the_rest_answered() {
    let (_, mixed) = directories();
    let damaged = mixed.path().join("nfcapd.202311142211");
    let octets = fs::read(&damaged).unwrap();
    fs::write(&damaged, &octets[..octets.len() / 2]).unwrap();
    fs::write(mixed.path().join("nfcapd.202311142212"), [0x0c, 0xa5, 3, 0]).unwrap();
    let args = ["-R", ".", "-q", "-o", "fmt:%sap"];
    let output = rdump(mixed.path(), &args);
    let messages = String::from_utf8(output.stderr).unwrap();
    let lines: Vec<&str> = messages.lines().collect();
    assert_eq!(lines.len(), 4, "{messages}");
    assert!(lines[0].starts_with("rdump: ./nfcapd.202311142211: appendix at byte "), "{messages}");
    assert!(
        lines[1].starts_with("rdump: ./nfcapd.202311142211: block ") && lines[1].contains(" is incomplete: ")
    );
    assert_eq!(lines[2], "rdump: ./nfcapd.202311142212: nfdump 1.8's layout (version 3) cannot be read");
    assert!(lines[3].starts_with("hint: "), "{messages}");
    assert_eq!(output.status.code(), Some(0));
    let rows = String::from_utf8(output.stdout).unwrap().lines().count();
    assert!((2400..3600).contains(&rows), "{rows}");
    assert_eq!(rdump(mixed.path(), &["-R", ".", "-q", "--strict"]).status.code(), Some(1));
    let alone = rdump(mixed.path(), &["-r", "nfcapd.202311142212", "-q"]);
    assert_eq!(alone.status.code(), Some(250));
}

/// Each kind of damage costs what it hits; it is told with file, block and place, and other files go on. The exit code is
/// that of D-12: 0 when anything could be read, 250 when nothing could, 1 with `--strict`.
#[test]
fn every_kind_of_damage_is_told_and_costs_what_it_hits() {
    let dir = tempfile::tempdir().unwrap();
    let place = |name: &str| dir.path().join(name);
    let flows: Vec<FlowBatch> =
        (0..3).map(|seed| batches(seed, 100, 100, Mix::default())[0].clone()).collect();
    write(&place("sound"), nfdump(BlockCompression::Lz4), &flows);
    let sound = fs::read(place("sound")).unwrap();
    let file = FlowFile::open(&place("sound")).unwrap();
    let offsets: Vec<usize> = (0..3).map(|block| file.block_offset(block) as usize).collect();
    drop(file);
    let mut bomb_stream = vec![0x1f, b'x', 1, 0];
    bomb_stream.resize(30_000, 0xff);
    bomb_stream.extend([0, 0x50]);
    bomb_stream.extend(b"12345");
    // A block in place of the second one.
    let second = |header: &[u8; 8], payload: &[u8]| {
        let mut octets = sound[..offsets[1]].to_vec();
        octets.extend_from_slice(header);
        octets.extend_from_slice(&[3, 0, 0, 0]);
        octets.extend_from_slice(payload);
        let appendix = u64::from_le_bytes(sound[24..32].try_into().unwrap());
        let appendix = appendix - offsets[2] as u64 + octets.len() as u64;
        octets.extend_from_slice(&sound[offsets[2]..]);
        octets[24..32].copy_from_slice(&appendix.to_le_bytes());
        octets
    };
    let header = |records: u32, len: usize| {
        let mut header = [0; 8];
        header[..4].copy_from_slice(&records.to_le_bytes());
        header[4..].copy_from_slice(&(len as u32).to_le_bytes());
        header
    };
    let at = offsets[1];
    let second_block = &sound[at + 12..offsets[2]];
    let mut flipped = second_block.to_vec();
    flipped.iter_mut().skip(20).for_each(|octet| *octet = 0xff);
    let cases: [(&str, Vec<u8>, usize, Option<String>); 9] = [
        ("truncated", sound[..at + 100].to_vec(), 100, Some(format!("block 1 at byte {at}"))),
        ("garbage", b"#!/bin/sh\nexit 1\n".to_vec(), 0, None),
        ("zero-length", Vec::new(), 0, None),
        ("no-header", sound[..20].to_vec(), 0, None),
        (
            "huge-size",
            second(&header(100, usize::MAX), second_block),
            100,
            Some(format!("block 1 at byte {at}")),
        ),
        ("no-size", second(&header(100, 0), &[]), 100, Some(format!("block 1 at byte {at}"))),
        (
            "wrong-count",
            second(&header(101, second_block.len()), second_block),
            300,
            Some(format!("block 1 at byte {at}")),
        ),
        (
            "compressed-garbage",
            second(&header(100, flipped.len()), &flipped),
            200,
            Some(format!("block 1 at byte {at}")),
        ),
        (
            "bomb",
            second(&header(100, bomb_stream.len()), &bomb_stream),
            200,
            Some(format!("block 1 at byte {at}")),
        ),
    ];
    for (name, octets, rows, told) in cases {
        fs::write(place(name), octets).unwrap();
        let ask = |args: &[&str]| {
            let output = rdump(dir.path(), &[&["-q", "-o", "fmt:%sap %dap"], args].concat());
            let said = String::from_utf8(output.stderr).unwrap();
            let file = format!("rdump: {name}");
            assert!(
                said.lines().any(|line| line.contains(&file) || line.contains(&format!("/{name}"))),
                "{name}: {said}"
            );
            if let Some(told) = &told {
                assert!(said.contains(told), "{name}: {said}");
            }
            (String::from_utf8(output.stdout).unwrap().lines().count(), output.status.code())
        };
        assert_eq!(ask(&["-r", name]), (rows, Some(if rows > 0 { 0 } else { 250 })), "{name}");
        if rows > 0 {
            assert_eq!(ask(&["-r", name, "--strict"]), (rows, Some(1)), "{name}");
        }
        // In a directory, between two files that are sound.
        let among = dir.path().join(format!("among-{name}"));
        fs::create_dir(&among).unwrap();
        for slot in ["nfcapd.202311142210", "nfcapd.202311142220"] {
            fs::write(among.join(slot), &sound).unwrap();
        }
        fs::rename(place(name), among.join("nfcapd.202311142215")).unwrap();
        let output = rdump(&among, &["-R", ".", "-q", "-o", "fmt:%sap"]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("nfcapd.202311142215") && !said.contains("202311142210"), "{name}: {said}");
        let found = String::from_utf8(output.stdout).unwrap().lines().count();
        assert_eq!((found, output.status.code()), (600 + rows, Some(0)), "{name}");
    }
}

/// An exporter with a sampler and the name of an interface.
fn sender(sysid: u16, domain: u32) -> FileTail {
    let ledger = LossLedger { datagrams: 1, flows: domain.into(), ..LossLedger::default() };
    FileTail {
        exporters: vec![ExporterInfo { sysid, version: 9, addr: [192, 0, 2, 1].into(), domain, ledger }],
        samplers: vec![SamplerInfo { exporter: sysid, id: 7, algorithm: 1, interval: 1, space: domain }],
        names: vec![NameInfo {
            exporter: sysid,
            kind: NameKind::Interface,
            id: vec![0, 0, 0, 5],
            name: format!("eth{domain}"),
        }],
        ..FileTail::default()
    }
}

/// Flows of an exporter's number, whose domain stands in the source port too.
fn flows_of(sysid: u16, domain: u32, count: u32) -> FlowBatch {
    let mut builder = BatchBuilder::new();
    for flow in 0..count {
        builder.set(Field::ExporterId, sysid.into());
        builder.set(Field::SrcPort, domain.into());
        builder.set(Field::InBytes, u64::from(domain) * 100 + u64::from(flow));
        builder.set_ip(Field::SrcAddr, [10, 0, domain as u8, flow as u8].into());
        builder.finish_row();
    }
    builder.finish()
}

const FORMATS: [&str; 3] = ["columnar", "nfdump", "nfdump-1.7.8"];

/// That every flow of a file is of the exporter that its source port names; gives the exporters' domains and flows.
fn senders(path: &Path) -> Vec<(u16, u32, u64)> {
    let file = FlowFile::open(path).unwrap();
    for number in 0..file.block_count() {
        let batch = file.block(number).unwrap().to_batch(FieldSet::ALL).unwrap();
        for row in 0..batch.len() {
            let sysid = batch.column(Field::ExporterId).num(row);
            let exporter = file.exporters().iter().find(|one| u64::from(one.sysid) == sysid);
            let domain = exporter.map(|one| u64::from(one.domain));
            assert_eq!(domain, Some(batch.column(Field::SrcPort).num(row)), "number {sysid}");
        }
    }
    for exporter in file.exporters() {
        let of_it = |sampler: &&SamplerInfo| sampler.exporter == exporter.sysid;
        let spaces: Vec<u32> = file.samplers().iter().filter(of_it).map(|sampler| sampler.space).collect();
        assert_eq!(spaces, [exporter.domain]);
    }
    file.exporters().iter().map(|one| (one.sysid, one.domain, one.ledger.flows)).collect()
}

/// Two files call exporter 1 what are two exporters, each of which has a name of its own for interface 5.
#[test]
fn an_interface_has_the_name_that_its_exporter_gives_it() {
    let dir = tempfile::tempdir().unwrap();
    for format in [Compression::Lz4.into(), nfdump(BlockCompression::Lz4)] {
        for domain in [20, 30] {
            let mut builder = BatchBuilder::new();
            for interface in [5, 6, 0] {
                builder.set(Field::ExporterId, 1);
                builder.set(Field::SrcPort, domain.into());
                builder.set(Field::Input, interface);
                builder.finish_row();
            }
            let path = dir.path().join(format!("nfcapd.{domain}"));
            support::write(&path, "border", format, &[builder.finish()], sender(1, domain));
        }
        let ask = |args: &[&str]| {
            let output = rdump(dir.path(), &[&["-R", ".", "-q"], args].concat());
            assert!(output.status.success() && output.stderr.is_empty(), "{format:?}: {output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let listed = ask(&["-o", "fmt:%sp%inam;%onam", "-O", "tstart"]);
        let lines: Vec<&str> = listed.lines().map(str::trim_start).collect();
        let expected =
            ["20 eth20;", "20 <ingress not found>;", "20;", "30 eth30;", "30 <ingress not found>;", "30;"];
        assert_eq!(lines, expected, "{format:?}");
        let aggregated = ask(&["-A", "inif", "-o", "fmt:%in%inam"]);
        let lines: Vec<&str> = aggregated.lines().map(str::trim_start).collect();
        assert_eq!(
            lines,
            ["5 <ingress not found>", "6 <ingress not found>", "0"],
            "{format:?}: two names for 5"
        );
        let raw = ask(&["-o", "raw"]);
        let inputs: Vec<&str> = raw.lines().filter(|line| line.starts_with("  input ")).collect();
        assert_eq!(inputs.len(), 6, "{format:?}");
        assert!(inputs[3].ends_with("5 eth30"), "{format:?}: {raw}");
    }
}

/// nfcapd that is started again within a slot appends to the file, and gives numbers it had given before to others.
#[test]
fn exporters_that_shared_a_number_are_told_apart_when_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("restarted");
    let options = WriteOptions {
        ident: "border".to_owned(),
        format: nfdump(BlockCompression::Lz4),
        rule: CountRule::Collected,
        created_ms: fixture::BASE_MS,
    };
    let mut writer = FileWriter::create(&path, options).unwrap();
    let (first, second) = (sender(1, 11), sender(1, 22));
    for (tail, domain) in [(&first, 11), (&second, 22)] {
        writer.announce(&tail.exporters, &tail.samplers, &[]).unwrap();
        writer.write(&flows_of(1, domain, 3)).unwrap();
    }
    writer.finish(FileTail { names: vec![], ..second }).unwrap();
    let listed = stdout(dir.path(), &["-E", "restarted"]);
    let lines: Vec<&str> = listed.lines().filter(|line| line.starts_with("SysID")).collect();
    assert!(
        matches!(lines[..], [a, b] if a.starts_with("SysID: 1,") && a.contains("ID: 11") && b.starts_with("SysID: 2,")),
        "{listed}"
    );
    for format in FORMATS {
        stdout(dir.path(), &["-r", "restarted", "-w", "out", "--file-format", format]);
        assert_eq!(senders(&dir.path().join("out")), [(1, 11, 0), (2, 22, 22)], "{format}");
    }
}

#[test]
fn exporters_of_several_files_are_told_apart_when_written() {
    let dir = tempfile::tempdir().unwrap();
    // 1 is another exporter in each of the first three, 2 of the last is the 1 of the first.
    let files = [(1, 11), (1, 22), (1, 33), (2, 11)];
    for (slot, (sysid, domain)) in files.into_iter().enumerate() {
        let format = if slot == 1 { Compression::Lz4.into() } else { nfdump(BlockCompression::Lzo) };
        let options = WriteOptions {
            ident: "border".to_owned(),
            format,
            rule: CountRule::Collected,
            created_ms: fixture::BASE_MS,
        };
        let tail = sender(sysid, domain);
        let path = dir.path().join(format!("nfcapd.20231114221{slot}"));
        let mut writer = FileWriter::create(&path, options).unwrap();
        writer.announce(&tail.exporters, &tail.samplers, &tail.names).unwrap();
        writer.write(&flows_of(sysid, domain, 5)).unwrap();
        writer.finish(tail).unwrap();
    }
    let out = dir.path().join("out");
    let expected = [(1, 11, 22), (2, 22, 22), (3, 33, 33)];
    for (format, args) in FORMATS.iter().flat_map(|format| {
        [&[][..], &["-O", "bytes"], &["-a"], &["-a", "-O", "bytes"]].map(|args| (*format, args))
    }) {
        for threads in ["1", "4"] {
            let write = ["-R", ".", "-w", "out", "--file-format", format, "-W", threads];
            let output = rdump(dir.path(), &[&write, args].concat());
            assert_eq!(output.status.code(), Some(0));
            let found = senders(&out);
            assert_eq!(found, expected, "{format} {args:?}");
            let names: Vec<_> = FlowFile::open(&out)
                .unwrap()
                .names()
                .iter()
                .map(|one| (one.exporter, one.name.clone()))
                .collect();
            if format == "columnar" {
                let all = [(1, "eth11"), (2, "eth22"), (3, "eth33")];
                assert_eq!(names, all.map(|(sysid, name)| (sysid, name.to_owned())));
                assert_eq!(String::from_utf8_lossy(&output.stderr), "");
            } else {
                // Two of three names for one number have no place.
                assert_eq!(names.len(), 1);
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(said.contains("no place for 2 names"), "{said}");
            }
            std::fs::remove_file(&out).unwrap();
        }
    }
    // A filter means the numbers that a listing shows.
    stdout(dir.path(), &["-R", ".", "-w", "out", "exporter id 1"]);
    let count = |path: &str| stdout(dir.path(), &["-r", path, "-q", "-o", "fmt:%sp"]).lines().count();
    assert_eq!(count("out"), 15);
    assert_eq!(senders(&out), expected);
}

/// D-64
#[test]
fn standard_output_is_written_to_as_a_file() {
    let (ours, _) = directories();
    let (scratch, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let out = elsewhere.path().join("out");
    let run = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_rdump"))
            .args(args)
            .current_dir(ours.path())
            .env("TZ", "UTC")
            .env("TMPDIR", scratch.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    };
    for format in FORMATS {
        let output = run(&["-R", ".", "-w", "-", "--file-format", format]);
        assert_eq!(output.status.code(), Some(0));
        let written = run(&["-R", ".", "-w", out.to_str().unwrap(), "--file-format", format]);
        assert_eq!((written.status.code(), output.stderr), (Some(0), written.stderr));
        assert!(output.stdout == fs::read(&out).unwrap(), "{format}");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0, "nothing is left behind");
    }
    // Where there is a file of that name, that is meant, and what cannot be made is told.
    let dash = ours.path().join("-");
    fs::write(&dash, "old").unwrap();
    let output = run(&["-r", "nfcapd.202311142210", "-w", "-"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(0), 0));
    assert_eq!(FlowFile::open(&dash).unwrap().block(0).unwrap().rows(), 1200);
    fs::remove_file(&dash).unwrap();
    fs::remove_dir(scratch.path()).unwrap();
    let output = run(&["-r", "nfcapd.202311142210", "-w", "-"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.starts_with("rdump: writing `-`: "), "{said}");
    assert_eq!(output.status.code(), Some(1));
}
