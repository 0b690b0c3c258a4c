//! nfdump's layouts, octet by octet: what records made by hand mean.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod by_hand;
mod common;

use by_hand::{Place, block, flow, layout_2, record};
use common::{any_batch, options, tail};
use flow_file::{
    BlockCompression, Damage, FileError, FileFormat, FileLayout, FileWriter, FlowFile, ForeignLayout,
    NfdumpRelease, RowCount, WriteOptions,
};
use flow_model::{
    BatchBuilder, CountRule, Field, FieldSet, FlowBatch, Groups, MAX_BATCH_ROWS, NameKind, RecordFlags,
    SamplerInfo, Selection, ValueRef,
};
use std::fs;
use std::net::IpAddr;

/// Octets of a length, each different from its neighbors.
fn counted(len: usize) -> Vec<u8> {
    (1..=len).map(|octet| octet as u8).collect()
}

/// A file of layout 1 whose statistics were never written.
fn layout_1(blocks: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut octets = vec![0; 276];
    octets[..4].copy_from_slice(&[0x0c, 0xa5, 1, 0]);
    octets[260..264].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    octets[268..270].copy_from_slice(&999_u16.to_le_bytes());
    for records in blocks {
        octets.extend(block(2, records.len() as u32, &records.concat()));
    }
    octets
}

fn map(number: u16, extensions: &[u16]) -> Vec<u8> {
    let mut rest = Vec::from(number.to_le_bytes());
    rest.extend_from_slice(&[0xff, 0xff]);
    rest.extend(extensions.iter().chain(&[0]).flat_map(|id| id.to_le_bytes()));
    record(2, &rest)
}

/// A flow record of layout 1: flags, version, number of the map, destination port, and what the map says.
fn common(flags: u8, version: u8, map: u16, port: u16, rest: &[u8]) -> Vec<u8> {
    let mut octets = vec![flags, version];
    octets.extend_from_slice(&map.to_le_bytes());
    octets.extend_from_slice(&[250, 0, 251, 0, 100, 0, 0, 0, 101, 0, 0, 0, 64, 0x12, 6, 8, 0x39, 0x30]);
    octets.extend_from_slice(&port.to_le_bytes());
    octets.extend_from_slice(&[5, 0, 1, 2]);
    octets.extend_from_slice(&[1, 0, 0, 10, 2, 0, 0, 10, 11, 0, 0, 0, 12, 0, 0, 0]);
    octets.extend_from_slice(rest);
    record(10, &octets)
}

/// The flows of a file of one block, and what was wrong in it.
fn read(octets: &[u8]) -> (FlowBatch, Vec<FileError>) {
    let place = Place::new();
    let file = place.open(octets);
    let block = file.block(0).unwrap();
    (block.to_batch(FieldSet::ALL).unwrap(), block.problems().to_vec())
}

fn nums(batch: &FlowBatch, row: usize, fields: &[Field]) -> Vec<u64> {
    fields.iter().map(|&field| batch.column(field).num(row)).collect()
}

fn groups(batch: &FlowBatch, row: usize) -> Vec<u8> {
    batch.groups(row).iter().collect()
}

#[test]
fn the_header_of_a_record_and_a_hole() {
    let (batch, problems) = read(&layout_2(&[vec![flow(&[(0, counted(8)), (7, counted(8))]), flow(&[])]]));
    assert!(problems.is_empty(), "{problems:?}");
    let header =
        [Field::EngineType, Field::EngineId, Field::ExporterId, Field::RecordFlags, Field::NfVersion];
    assert_eq!(nums(&batch, 0, &header), [3, 4, 7, RecordFlags::SAMPLED, 9]);
    assert_eq!(nums(&batch, 1, &header), [3, 4, 7, RecordFlags::SAMPLED, 9]);
    assert_eq!(nums(&batch, 0, &[Field::SrcAs, Field::DstAs]), [0x0403_0201, 0x0807_0605]);
    assert_eq!((groups(&batch, 0), groups(&batch, 1)), (vec![7], vec![]));
    assert_eq!(batch.column(Field::Flows).num(1), 1, "what a record does not say");
}

#[test]
fn elements_in_the_forms_of_earlier_releases() {
    let mut sampler = vec![0xfe, 0xff, 0xff, 0xff];
    sampler.extend(counted(8));
    let ttl = |octets: [u8; 4]| flow(&[(42, octets.to_vec())]);
    let (batch, problems) = read(&layout_2(&[vec![
        flow(&[(25, counted(24))]),
        flow(&[(25, counted(16))]),
        flow(&[(18, sampler)]),
        flow(&[(18, counted(16))]),
        ttl([64, 0x40, 0, 0]),
        ttl([0, 0x20, 3, 9]),
        // 1.7.1 to 1.7.3 have reverse flags there, 1.7.4 fragment flags.
        flow(&[(4, counted(16))]),
    ]]));
    assert!(problems.is_empty(), "{problems:?}");
    let nat = [Field::EventTimeMs, Field::EgressVrf, Field::IngressVrf, Field::NatPoolId, Field::NatEvent];
    let (time, [a, b, c]) = (0x0807_0605_0403_0201, [0x0c0b_0a09, 0x100f_0e0d, 0x1413_1211]);
    assert_eq!(nums(&batch, 0, &nat), [time, a, b, c, 21]);
    assert_eq!(groups(&batch, 0), [Groups::NAT, Groups::VRF]);
    assert_eq!(nums(&batch, 1, &nat), [time, 0, 0, a, 13]);
    assert_eq!(groups(&batch, 1), [Groups::NAT]);
    assert_eq!(nums(&batch, 2, &[Field::SamplerId]), [(-2_i64).cast_unsigned()]);
    assert_eq!(nums(&batch, 3, &[Field::SamplerId]), [time]);
    let ip = [Field::FragmentFlags, Field::MinTtl, Field::MaxTtl];
    assert_eq!(nums(&batch, 4, &ip), [0x40, 64, 64]);
    assert_eq!(nums(&batch, 5, &ip), [0x20, 3, 9]);
    assert_eq!(nums(&batch, 6, &[Field::ReverseTcpFlags, Field::FragmentFlags]), [15, 16]);
}

#[test]
fn of_two_kinds_of_addresses_one_counts() {
    let (v4, none, v6) = (vec![1, 0, 0, 10, 2, 0, 0, 10], vec![0; 8], counted(32));
    let layer_2 = |version: u8| {
        let mut data = vec![0; 32];
        data[26] = version;
        data
    };
    let both = |v4: &Vec<u8>| vec![(2, v4.clone()), (3, v6.clone())];
    let with = |v4: &Vec<u8>, version| [both(v4), vec![(38, layer_2(version))]].concat();
    let (batch, _) = read(&layout_2(&[vec![
        flow(&both(&v4)),
        flow(&both(&none)),
        flow(&with(&v4, 6)),
        flow(&with(&none, 4)),
        flow(&with(&none, 0)),
    ]]));
    let is_v6: Vec<bool> = (0..5).map(|row| batch.column(Field::SrcAddr).ip(row).is_ipv6()).collect();
    assert_eq!(is_v6, [false, true, true, false, true]);
    assert_eq!(batch.column(Field::DstAddr).ip(0), IpAddr::from([10, 0, 0, 2]));
    assert_eq!((groups(&batch, 0), groups(&batch, 1)), (vec![2], vec![3]));
    assert_eq!((groups(&batch, 2), groups(&batch, 3)), (vec![3, 38], vec![2, 38]));
}

#[test]
fn octets_of_any_length_in_any_place() {
    let text = |row: usize, batch: &FlowBatch, field| match batch.column(field).get(row) {
        ValueRef::Bytes(octets) => octets.to_vec(),
        other => panic!("{other:?}"),
    };
    let mut pf = counted(20);
    pf.extend_from_slice(b"eth0\0rest");
    let mut user = b"joe\0garbage".to_vec();
    user.resize(68, b'x');
    let (batch, problems) = read(&layout_2(&[vec![
        flow(&[(29, b"abc".to_vec()), (28, b"label\0\0".to_vec()), (30, Vec::new())]),
        flow(&[(29, b"ab".to_vec()), (28, Vec::new()), (30, b"z".to_vec())]),
        flow(&[(37, pf), (24, user)]),
        flow(&[(41, b"nat\0\0\0\0".to_vec())]),
        flow(&[(41, b"nat string\0\0\0\0".to_vec())]),
        flow(&[(24, vec![b'u'; 68])]),
    ]]));
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(text(0, &batch, Field::InPayload), b"abc");
    assert_eq!(text(0, &batch, Field::Label), b"label");
    assert_eq!(text(0, &batch, Field::OutPayload), b"");
    assert_eq!(text(1, &batch, Field::InPayload), b"ab");
    assert_eq!(text(1, &batch, Field::Label), b"");
    assert_eq!(text(1, &batch, Field::OutPayload), b"z");
    assert_eq!(text(2, &batch, Field::PfInterface), b"eth0");
    assert_eq!(nums(&batch, 2, &[Field::PfAction, Field::PfPid]), [1, 0x1413_1211]);
    assert_eq!(text(2, &batch, Field::UserName), b"joe");
    assert_eq!(text(3, &batch, Field::NokiaNatString), b"nat");
    assert_eq!(text(4, &batch, Field::NokiaNatString), b"nat string");
    assert_eq!(text(5, &batch, Field::UserName), [b'u'; 66]);
}

#[test]
fn selected_rows_are_what_they_are_among_all() {
    let place = Place::new();
    let format =
        FileFormat::Nfdump { compression: BlockCompression::None, release: NfdumpRelease::default() };
    let options = WriteOptions { format, ..options(flow_file::Compression::default()) };
    let mut writer = FileWriter::create(&place.path, options).unwrap();
    // Each seed has other fields, so that the block has records of many shapes.
    let mut builder = BatchBuilder::new();
    for seed in 0..12 {
        builder.append(&any_batch(seed, 20), &Selection::all(20));
    }
    writer.write(&builder.finish()).unwrap();
    writer.finish(tail()).unwrap();
    let file = FlowFile::open(&place.path).unwrap();
    let block = file.block(0).unwrap();
    let all = block.to_batch(FieldSet::ALL).unwrap();
    assert_eq!(all.len(), 240);
    for every in [1, 2, 3, 7, 50, 240, 241] {
        let selection = Selection::from_fn(all.len(), |row| (row + 1) % every == 0);
        let mut batch = FlowBatch::new(all.len());
        block.read_selected(FieldSet::ALL, &selection, &mut batch).unwrap();
        assert_eq!(batch.select(&selection), all.select(&selection), "one of {every}");
    }
}

#[test]
fn bad_records_cost_themselves_and_are_told() {
    let mut cut = flow(&[(7, counted(8))]);
    cut[14..16].copy_from_slice(&11_u16.to_le_bytes());
    let mut beyond = flow(&[(7, counted(8))]);
    beyond[14..16].copy_from_slice(&13_u16.to_le_bytes());
    let mut missing = flow(&[(7, counted(8))]);
    missing[4] = 2;
    let good = flow(&[(7, counted(8)), (500, counted(2))]);
    let octets =
        layout_2(&[vec![cut, good.clone(), beyond, missing, record(99, &[1]), good, record(11, &[])]]);
    let (batch, problems) = read(&octets);
    assert_eq!(batch.len(), 2);
    let told: Vec<_> = problems
        .iter()
        .map(|problem| match problem {
            FileError::Records { block: 0, offset: 40, records, damage, .. } => (*records, *damage),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            (1, Damage::Inconsistent("an element is shorter than it must be")),
            (2, Damage::Unknown { what: "extension", found: 500 }),
            (2, Damage::Inconsistent("an element does not fit into its record")),
            (1, Damage::Unknown { what: "type of record", found: 99 }),
            (1, Damage::Inconsistent("a flow record is shorter than its header")),
        ]
    );
    assert!(problems[1].to_string().ends_with("block 0 at byte 40: in 2 records: unknown extension 500"));
}

#[test]
fn what_comes_before_a_record_of_impossible_size_is_read() {
    let good = flow(&[(7, counted(8))]);
    let (at, available) = (2 * good.len() as u64, 4);
    for found in [0, 3, 5, 60_000_u16] {
        let bad = [&[11, 0], &found.to_le_bytes()[..]].concat();
        let (batch, problems) = read(&layout_2(&[vec![good.clone(), good.clone(), bad]]));
        assert_eq!(batch.len(), 2);
        let [FileError::Block { damage, .. }] = &problems[..] else { panic!("{problems:?}") };
        assert_eq!(*damage, Damage::RecordSize { at, found: found.into(), available });
    }
    let place = Place::new();
    let mut octets = layout_2(&[vec![good.clone(), good]]);
    octets[40] = 9;
    let file = place.open(&octets);
    assert_eq!(file.block_rows(0), RowCount::About(9));
    let open = file.block(0).unwrap();
    let [FileError::Block { damage, .. }] = open.problems() else { panic!("{:?}", open.problems()) };
    assert_eq!(*damage, Damage::Count { what: "records", announced: 9, found: 2 });
}

#[test]
fn more_flows_than_a_batch_holds_are_told() {
    let (batch, problems) = read(&layout_2(&[vec![flow(&[]); MAX_BATCH_ROWS + 3]]));
    assert_eq!(batch.len(), MAX_BATCH_ROWS);
    let [FileError::Records { records: 3, .. }] = problems[..] else { panic!("{problems:?}") };
}

#[test]
fn extension_maps_count_in_the_order_of_the_file() {
    let as_and_vlan = [3, 0, 4, 0, 5, 0, 6, 0];
    let one = common(0x80, 10, 5, 443, &as_and_vlan);
    let octets = layout_1(&[
        vec![map(5, &[6, 13]), one.clone()],
        vec![one.clone(), map(5, &[13, 6]), one.clone()],
        vec![common(0, 0, 6, 1, &[]), one.clone()],
        vec![map(6, &[]), common(0, 0, 6, 1, &[])],
        vec![map(5, &[6, 13]), one],
    ]);
    let fields = [Field::SrcAs, Field::DstAs, Field::SrcVlan, Field::DstVlan];
    let straight = vec![3, 4, 5, 6];
    let turned = vec![5, 6, 3, 4];
    let expected: [Vec<Vec<u64>>; 5] = [
        vec![straight.clone()],
        vec![straight.clone(), turned.clone()],
        vec![turned],
        vec![vec![0; 4]],
        vec![straight],
    ];
    let place = Place::new();
    // In whatever order blocks are read.
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 3, 1]] {
        let file = place.open(&octets);
        for block in order {
            let open = file.block(block).unwrap();
            let batch = open.to_batch(FieldSet::ALL).unwrap();
            let found: Vec<_> = (0..batch.len()).map(|row| nums(&batch, row, &fields)).collect();
            assert_eq!(found, expected[block], "block {block}");
            let problems = open.problems();
            if block == 2 {
                let [FileError::Records { records: 1, damage, .. }] = problems else {
                    panic!("{problems:?}")
                };
                assert_eq!(*damage, Damage::Unknown { what: "extension map", found: 6 });
            } else {
                assert!(problems.is_empty(), "{problems:?}");
            }
        }
    }
}

#[test]
fn the_common_part_of_both_kinds() {
    let mut old = common(0x41, 9, 0, 0x0301, &[]);
    old[..2].copy_from_slice(&1_u16.to_le_bytes());
    // The old part ends four octets earlier; two IPv6 addresses take the place of the IPv4 ones and more.
    old.drain(28..32);
    old.extend_from_slice(&[0; 24]);
    let len = old.len() as u16;
    old[2..4].copy_from_slice(&len.to_le_bytes());
    let octets =
        layout_1(&[vec![map(0, &[]), common(0x80, 10, 0, 443, &[]), common(0, 0, 0, 443, &[]), old]]);
    let (batch, problems) = read(&octets);
    assert!(problems.is_empty(), "{problems:?}");
    let times = [Field::FirstMs, Field::LastMs];
    assert_eq!(nums(&batch, 0, &times), [100_250, 101_251]);
    let fields = [
        Field::FwdStatus,
        Field::TcpFlags,
        Field::Proto,
        Field::SrcTos,
        Field::SrcPort,
        Field::DstPort,
        Field::InPackets,
        Field::InBytes,
        Field::ExporterId,
        Field::NfVersion,
        Field::BiflowDir,
        Field::FlowEndReason,
        Field::RecordFlags,
    ];
    assert_eq!(
        nums(&batch, 0, &fields),
        [64, 0x12, 6, 8, 12_345, 443, 11, 12, 5, 10, 1, 2, RecordFlags::SAMPLED]
    );
    assert_eq!(
        nums(&batch, 1, &fields),
        [64, 0x12, 6, 8, 12_345, 443, 11, 12, 5, 0, 0, 0, 0],
        "before 1.6.22"
    );
    assert_eq!(
        nums(&batch, 2, &[Field::ExporterId, Field::NfVersion, Field::RecordFlags]),
        [9, 0, RecordFlags::EVENT]
    );
    assert!(batch.column(Field::SrcAddr).ip(2).is_ipv6());
    assert_eq!(groups(&batch, 0), [Groups::GENERIC, Groups::IPV4, Groups::MISC]);
    assert_eq!(groups(&batch, 1), [Groups::GENERIC, Groups::IPV4]);
    assert_eq!(groups(&batch, 2), [Groups::GENERIC, Groups::IPV6]);
}

#[test]
fn groups_of_layout_1_are_carried_where_nfdump_1_7_carries_them() {
    let block = |out: u8, input: u8| common(0, 0, 1, 0, &[out, 0, 0, 0, input, 0, 0, 0]);
    let (batch, _) = read(&layout_1(&[vec![
        map(1, &[14, 4]),
        block(0, 0),
        block(1, 0),
        block(0, 1),
        map(2, &[8]),
        common(0, 0, 2, 0, &[0; 4]),
    ]]));
    let found: Vec<Vec<u8>> = (0..4).map(|row| groups(&batch, row)).collect();
    assert_eq!(found, [vec![1, 2], vec![1, 2, 5], vec![1, 2, 4], vec![1, 2, 4]]);
}

#[test]
fn nat_events_of_layout_1() {
    let nel = [4, 0, 0, 0, 0x39, 0x30, 0x3a, 0x30, 7, 0, 0, 0];
    let addresses = [1, 0, 0, 10, 2, 0, 0, 10];
    let mut nsel = counted(20);
    nsel[12..14].copy_from_slice(&[1, 8]);
    let mut icmp = common(0, 0, 5, 0, &nsel);
    icmp[22] = 1;
    let mut flow = common(0, 0, 5, 53, &nsel);
    flow[22] = 17;
    let (batch, problems) = read(&layout_1(&[vec![
        map(1, &[46]),
        common(0x40, 0, 1, 0, &nel),
        map(2, &[47, 46]),
        common(0x40, 0, 2, 0, &[&addresses[..], &nel].concat()),
        map(3, &[48]),
        common(0, 0, 3, 0, &[0xe8, 3, 0, 0, 1, 0, 0x40, 0]),
        common(0, 0, 3, 0, &[0xe8, 3, 0xf0, 3, 1, 0, 0x40, 0]),
        map(5, &[37]),
        icmp,
        flow,
    ]]));
    assert!(problems.is_empty(), "{problems:?}");
    let fields = [
        Field::NatEvent,
        Field::EgressVrf,
        Field::IngressVrf,
        Field::XlateSrcPort,
        Field::XlateDstPort,
        Field::EventTimeMs,
    ];
    assert_eq!(nums(&batch, 0, &fields), [4, 0x303a_3039, 7, 0, 0, 100_250]);
    assert_eq!(nums(&batch, 1, &fields), [4, 0, 7, 12_345, 12_346, 100_250]);
    assert_eq!(batch.column(Field::XlateDstAddr).ip(1), IpAddr::from([10, 0, 0, 2]));
    let ports = [Field::PblockStart, Field::PblockEnd, Field::PblockStep, Field::PblockSize];
    assert_eq!(nums(&batch, 2, &ports), [1000, 1063, 1, 64], "the last port follows from the size");
    assert_eq!(nums(&batch, 3, &ports), [1000, 1008, 1, 64]);
    assert_eq!(nums(&batch, 4, &[Field::DstPort]), [0x0801], "ICMP type and code stand in the event");
    assert_eq!(nums(&batch, 5, &[Field::DstPort, Field::SecurityGroupTag]), [53, 0x1413]);
    assert_eq!(groups(&batch, 5), [Groups::GENERIC, Groups::IPV4, Groups::NSEL, Groups::SECURITY_GROUP]);
}

#[test]
fn an_unknown_extension_ends_what_is_known_of_a_record() {
    let (batch, problems) = read(&layout_1(&[vec![
        map(1, &[6, 777, 13]),
        common(0, 0, 1, 0, &[3, 0, 4, 0, 9, 9, 9, 9]),
        map(2, &[6]),
        common(0, 0, 2, 0, &[3, 0]),
        common(0, 0, 2, 0, &[3, 0, 4, 0, 5]),
    ]]));
    assert_eq!(batch.len(), 2);
    assert_eq!(nums(&batch, 0, &[Field::SrcAs, Field::DstAs, Field::SrcVlan]), [3, 4, 0]);
    let told: Vec<_> = problems
        .iter()
        .map(|problem| match problem {
            FileError::Records { damage, .. } => *damage,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(
        told,
        [
            Damage::Unknown { what: "extension", found: 777 },
            Damage::Inconsistent("the extensions do not fit into their record"),
            Damage::Inconsistent("the extensions do not fill their record"),
        ]
    );
}

#[test]
fn exporters_samplers_and_names() {
    let v4 = [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 192, 0, 0, 0, 0, 2, 0, 1, 0, 44, 1, 0, 0];
    let mut v6 = v4;
    v6[4..20].copy_from_slice(&[0, 0, 0, 0, 0xb8, 0x0d, 1, 0x20, 1, 0, 0, 0, 0, 0, 0, 0]);
    v6[20..24].copy_from_slice(&[10, 0, 2, 0]);
    let mut new = v4;
    new[4..20].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 3]);
    new[20..24].copy_from_slice(&[0, 0, 3, 0]);
    let statistics = |sysid: u8| {
        let mut octets = vec![1, 0, 0, 0, sysid, 0, 0, 0, 2, 0, 0, 0];
        octets.extend_from_slice(&[3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0]);
        record(8, &octets)
    };
    let legacy = [0xfe, 0xff, 0xff, 0xff, 100, 0, 0, 0, 1, 0, 1, 0];
    let sampler = [2, 0, 3, 0, 7, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 98, 0, 0, 0];
    let nbar = [&[1, 0, 12, 0, 4, 0, 3, 0, 5, 0][..], b"\x03\0\0\x50ht\0web\0\0"].concat();
    let nbar_old = [&[1, 0, 0, 0, 1, 0, 22, 0, 4, 0, 3, 0, 5, 0][..], b"\x03\0\0\x51ab\0cd\0\0\0"].concat();
    let names = [&[1, 0, 12, 0, 8, 0, 0, 0, 5, 0, 0, 0][..], b"eth0\0\0\0\0"].concat();
    let place = Place::new();
    let file = place.open(&layout_2(&[
        vec![record(7, &v4), record(7, &v6), record(9, &legacy), flow(&[]), record(15, &sampler)],
        vec![record(7, &new), statistics(1), statistics(1), record(15, &sampler), record(12, &nbar)],
        vec![record(12, &nbar_old), record(13, &names), record(14, &names), record(256, &[]), statistics(9)],
    ]));
    let found: Vec<_> = file
        .exporters()
        .iter()
        .map(|one| (one.sysid, one.version, one.addr.to_string(), one.domain))
        .collect();
    let expected = [
        (1, 9, "192.0.2.1".to_owned(), 300),
        (2, 9, "2001:db8::1".to_owned(), 300),
        (3, 9, "192.0.2.3".to_owned(), 300),
    ];
    assert_eq!(found, expected);
    let ledger = file.exporters()[0].ledger;
    assert_eq!((ledger.sequence_failures, ledger.datagrams, ledger.flows), (4, 6, 8));
    assert_eq!(
        file.samplers(),
        [
            SamplerInfo { exporter: 1, id: -2, algorithm: 1, interval: 1, space: 99 },
            SamplerInfo { exporter: 2, id: 7, algorithm: 3, interval: 2, space: 98 },
        ]
    );
    let names: Vec<_> = file.names().iter().map(|one| (one.kind, one.number(), &one.name[..])).collect();
    assert_eq!(
        names,
        [
            (NameKind::Interface, 5, "eth0"),
            (NameKind::Vrf, 5, "eth0"),
            (NameKind::Application, 0x0300_0050, "ht"),
            (NameKind::Application, 0x0300_0051, "ab"),
            (NameKind::ApplicationDescription, 0x0300_0050, "web"),
            (NameKind::ApplicationDescription, 0x0300_0051, "cd"),
        ]
    );
    for block in 0..3 {
        assert!(file.block(block).unwrap().problems().is_empty());
    }
}

/// An exporter of version 9: its number, and the last octet of its address, which is also its domain.
fn exporter(sysid: u8, who: u8) -> Vec<u8> {
    let mut rest = [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 192, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0];
    (rest[12], rest[22], rest[24]) = (who, sysid, who);
    record(7, &rest)
}

/// What was counted of a number.
fn counted_flows(sysid: u8, flows: u8) -> Vec<u8> {
    let mut rest = vec![1, 0, 0, 0, sysid, 0, 0, 0];
    rest.extend([0; 12]);
    rest.extend([flows, 0, 0, 0, 0, 0, 0, 0]);
    record(8, &rest)
}

/// A flow of an exporter's number without any element.
fn flow_of(sysid: u8) -> Vec<u8> {
    let mut octets = flow(&[]);
    octets[8] = sysid;
    octets
}

/// A collector that is started again within a slot appends to its file, and numbers its exporters anew.
#[test]
fn a_number_that_is_given_again_means_someone_else_from_there_on() {
    let sampler = |sysid: u8| {
        let mut rest = vec![sysid, 0, 3, 0, 7];
        rest.extend([0; 7]);
        rest.extend([1, 0, 0, 0, 9, 0, 0, 0]);
        record(15, &rest)
    };
    let place = Place::new();
    let file = place.open(&layout_2(&[
        vec![exporter(1, 10), exporter(2, 20), sampler(2), flow_of(2), flow_of(1), counted_flows(2, 1)],
        vec![flow_of(2), counted_flows(9, 4), exporter(2, 30), sampler(2), flow_of(2), exporter(2, 30)],
        // 1 becomes one that is known under another number, 2 again the one it was; 9 comes behind what was counted of it.
        vec![exporter(1, 20), sampler(1), exporter(2, 20), exporter(9, 90), counted_flows(2, 2), flow_of(1)],
        vec![flow_of(2), exporter(2, 30), counted_flows(2, 5), flow_of(2), flow_of(0), flow_of(9)],
    ]));
    let listed: Vec<_> =
        file.exporters().iter().map(|one| (one.sysid, one.domain, one.ledger.flows)).collect();
    assert_eq!(listed, [(1, 10, 0), (2, 20, 3), (3, 30, 5), (9, 90, 4)]);
    let of = |exporter| SamplerInfo { exporter, id: 7, algorithm: 3, interval: 1, space: 9 };
    assert_eq!(file.samplers(), [of(2), of(3)]);
    let mut sent = Vec::new();
    for number in 0..file.block_count() {
        let block = file.block(number).unwrap();
        let mut batch = block.to_batch(FieldSet::ALL).unwrap();
        let of_file = numbers(&batch);
        block.renumber(&mut batch);
        sent.extend(of_file.into_iter().zip(numbers(&batch)));
    }
    let expected = [(2, 2), (1, 1), (2, 2), (2, 3), (1, 2), (2, 2), (2, 3), (0, 0), (9, 9)];
    assert_eq!(sent, expected);
    // Without the column there is nothing to do.
    let block = file.block(1).unwrap();
    let mut batch = block.to_batch(FieldSet::of(&[Field::SrcPort])).unwrap();
    block.renumber(&mut batch);
    assert!(!batch.decoded().contains(Field::ExporterId));
}

fn numbers(batch: &FlowBatch) -> Vec<u64> {
    (0..batch.len()).map(|row| batch.column(Field::ExporterId).num(row)).collect()
}

#[test]
fn names_are_those_of_the_only_exporter_there_is() {
    let names = [&[1, 0, 12, 0, 8, 0, 0, 0, 5, 0, 0, 0][..], b"eth0\0\0\0\0"].concat();
    let place = Place::new();
    for (exporters, owner) in
        [(vec![], 0), (vec![exporter(4, 1)], 4), (vec![exporter(4, 1), exporter(5, 2)], 0)]
    {
        let file = place.open(&layout_2(&[[vec![record(13, &names)], exporters].concat()]));
        assert_eq!((file.names()[0].exporter, &file.names()[0].name[..]), (owner, "eth0"));
    }
}

/// There are no more numbers than 16 bits, whatever a file says.
#[test]
fn exporters_beyond_all_numbers_are_nobody() {
    let announced = |sysid: u16, domain: u32| {
        let mut octets = exporter(0, 1);
        octets[26..28].copy_from_slice(&sysid.to_le_bytes());
        octets[28..32].copy_from_slice(&domain.to_le_bytes());
        octets
    };
    let all: Vec<Vec<u8>> = (1..u16::MAX).map(|sysid| announced(sysid, 0)).collect();
    let again = vec![announced(1, 1), flow_of(1), announced(2, 1), flow_of(2), announced(3, 2), flow_of(3)];
    let place = Place::new();
    let file = place.open(&layout_2(&[all, again]));
    assert_eq!(file.exporters().len(), usize::from(u16::MAX));
    let block = file.block(1).unwrap();
    let mut batch = block.to_batch(FieldSet::ALL).unwrap();
    block.renumber(&mut batch);
    // The third finds no number, and the file goes on with what its number meant.
    assert_eq!(numbers(&batch), [65_535, 65_535, 3]);
    let problems = file.verify().unwrap().problems;
    let [FileError::Records { damage: Damage::TooLarge { what: "number of exporters", .. }, .. }] =
        &problems[..]
    else {
        panic!("{problems:?}")
    };
}

#[test]
fn what_cannot_be_read_is_named_with_a_hint() {
    let place = Place::new();
    let refused = |octets: &[u8]| {
        fs::write(&place.path, octets).unwrap();
        let error = FlowFile::open(&place.path).unwrap_err();
        assert!(error.hint().is_some(), "{error}");
        let FileError::ForeignLayout { layout, .. } = error else { panic!("{error}") };
        layout
    };
    let mut old = layout_1(&[]);
    old.extend(block(1, 1, &[0; 36]));
    assert_eq!(refused(&old), ForeignLayout::Nfdump15);
    let mut encrypted = layout_2(&[]);
    encrypted[17] = 1;
    assert_eq!(refused(&encrypted), ForeignLayout::NfdumpEncrypted);
    assert_eq!(refused(&[0x0c, 0xa5, 3, 0]), ForeignLayout::Nfdump(3));
    assert_eq!(refused(&[0xa5, 0x0c, 0, 2]), ForeignLayout::NfdumpSwapped);
}

#[test]
fn layouts_are_told_by_the_first_octets() {
    let place = Place::new();
    for (octets, layout) in [
        (layout_1(&[]), Some(FileLayout::Nfdump1)),
        (layout_2(&[]), Some(FileLayout::Nfdump2)),
        (vec![0x0c, 0xa5, 2, 0], Some(FileLayout::Nfdump2)),
        (vec![0x0c, 0xa5, 3, 0], None),
        (b"text".to_vec(), None),
    ] {
        fs::write(&place.path, &octets).unwrap();
        assert_eq!(FileLayout::announced(&place.path).unwrap(), layout, "{octets:?}");
    }
}

#[test]
fn who_wrote_a_file_tells_how_it_was_counted() {
    let place = Place::new();
    let mut octets = layout_2(&[]);
    for (creator, rule) in [
        (0, CountRule::Collected),
        (1, CountRule::Collected),
        (2, CountRule::Collected),
        (3, CountRule::Collected),
        (4, CountRule::Written),
        (0x104, CountRule::Collected),
    ] {
        octets[20..24].copy_from_slice(&u32::to_le_bytes(creator));
        assert_eq!(place.open(&octets).rule(), rule, "creator {creator}");
    }
    assert_eq!(place.open(&layout_1(&[])).rule(), CountRule::Collected);
}
