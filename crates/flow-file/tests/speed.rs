//! Measures writing and reading; not run by default:
//!
//! ```text
//! cargo test --release -p flow-file --test speed -- --ignored --nocapture
//! ```
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use flow_file::{Compression, FileTail, FileWriter, FlowFile, WriteOptions};
use flow_model::{BatchBuilder, Column, CountRule, Field, FieldSet, FlowBatch, MAX_BATCH_ROWS, field_info};
use flow_testkit::traffic::{Profile, Traffic};
use std::time::Instant;

/// Flows of a day's traffic as a collector stores them, in full batches.
fn batches(flows: u64) -> Vec<FlowBatch> {
    let mut builder = BatchBuilder::new();
    let mut out = Vec::new();
    for (index, flow) in Traffic::new(&Profile::day(flows)).enumerate() {
        let exporter = u64::from(flow.input_if.max(flow.output_if)) % 4;
        for (field, num) in [
            (Field::FirstMs, flow.first_ms),
            (Field::LastMs, flow.last_ms),
            // Some 25 flows come in one datagram.
            (Field::ReceivedMs, flow.export_ms / 50 * 50 + index as u64 / 25 % 3),
            (Field::SrcPort, flow.src_port.into()),
            (Field::DstPort, flow.dst_port.into()),
            (Field::Proto, flow.proto.into()),
            (Field::TcpFlags, flow.tcp_flags.into()),
            (Field::SrcTos, flow.tos.into()),
            (Field::InPackets, flow.packets),
            (Field::InBytes, flow.bytes),
            (Field::Input, flow.input_if.into()),
            (Field::Output, flow.output_if.into()),
            (Field::SrcAs, flow.src_as.into()),
            (Field::DstAs, flow.dst_as.into()),
            (Field::SrcMask, flow.src_mask.into()),
            (Field::DstMask, flow.dst_mask.into()),
            (Field::Direction, flow.direction.into()),
            (Field::SrcVlan, flow.vlan.into()),
            (Field::ExporterId, 1 + exporter),
            (Field::NfVersion, 9),
        ] {
            builder.set(field, num);
        }
        builder.set_ip(Field::SrcAddr, flow.src);
        builder.set_ip(Field::DstAddr, flow.dst);
        builder.set_ip(Field::NextHop, flow.next_hop);
        builder.set_ip(Field::RouterAddr, std::net::Ipv4Addr::new(127, 9, 0, 1 + exporter as u8).into());
        builder.finish_row();
        if builder.len() == MAX_BATCH_ROWS {
            out.push(builder.finish());
        }
    }
    if !builder.is_empty() {
        out.push(builder.finish());
    }
    out
}

#[test]
#[ignore = "a measurement, for release builds"]
fn speed_and_size() {
    let batches = batches(2_000_000);
    let flows: usize = batches.iter().map(FlowBatch::len).sum();
    let dir = tempfile::tempdir().unwrap();
    for compression in [Compression::Light, Compression::Lz4, Compression::Zstd(3)] {
        let path = dir.path().join("file");
        let options =
            WriteOptions { ident: "none".into(), compression, rule: CountRule::Collected, created_ms: 0 };
        let start = Instant::now();
        let mut writer = FileWriter::create(&path, options).unwrap();
        for batch in &batches {
            writer.write(batch).unwrap();
        }
        let ns = start.elapsed().as_nanos() as f64 / flows as f64;
        writer.finish(FileTail::default()).unwrap();
        let file = FlowFile::open(&path).unwrap();
        let len = file.byte_len() as f64 / flows as f64;
        println!("{compression:?}: writing {ns:.1} ns a flow, {len:.2} octets a flow");
        let start = Instant::now();
        for _ in 0..1000 {
            assert!(FlowFile::open(&path).unwrap().is_finished());
        }
        println!("  opening {:.1} us", start.elapsed().as_micros() as f64 / 1000.0);
        for &field in Field::ALL {
            if !file.block_fields(0).contains(field) {
                continue;
            }
            let mut best = f64::MAX;
            let mut form = "";
            for _ in 0..5 {
                let start = Instant::now();
                for block in 0..file.block_count() {
                    let mut batch = FlowBatch::new(file.block_rows(block));
                    file.read(block, FieldSet::of(&[field]), &mut batch).unwrap();
                    form = match batch.column(field) {
                        Column::Constant(_) => "constant",
                        Column::Dictionary(_) => "dictionary",
                        Column::Plain(_) => "plain",
                    };
                }
                best = best.min(start.elapsed().as_nanos() as f64 / flows as f64);
            }
            println!("  {:14} {form:10} {best:6.3} ns a value", field_info(field).name);
        }
        let mut checked = 0;
        for (block, batch) in batches.iter().enumerate() {
            let mut back = FlowBatch::new(file.block_rows(block));
            file.read(block, FieldSet::ALL, &mut back).unwrap();
            assert_eq!(back, *batch);
            checked += back.len();
        }
        assert_eq!(checked, flows);
    }
}
