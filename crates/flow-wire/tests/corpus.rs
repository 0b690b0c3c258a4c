//! Captures of real exporters, compared with golden values.
//!
//! `$FLOW_CORPUS/packets` holds captures `NAME.pcap`, each with the flows in it, `NAME.golden.json`. Records
//! are paired by best match, and compared by the rules of the corpus's own tool; counters are compared with
//! sampling applied.

#![expect(clippy::unwrap_used, reason = "golden files are trusted, and a panic is a failed test")]

#[path = "support/captures.rs"]
mod captures;

use flow_model::{BatchBuilder, Field, FlowBatch, Protocol};
use flow_testkit::conditions;
use flow_wire::{Decoder, DecoderOptions, Exporter, Limits};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value as Json;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What is missing by sequence number: capture, units missed, units that came late, discontinuities.
const MISSING: &[(&str, u64, u64, usize)] = &[
    ("v5-softflowd-big", 0, 0, 0),
    ("v5-loss", 60, 0, 1),
    ("v9-softflowd-big", 0, 0, 0),
    ("v9-loss-reorder", 3, 1, 3),
    // Their headers count the records of their own message too.
    ("ipfix-softflowd-biflow", 0, 0, 0),
    ("ipfix-softflowd-micro", 0, 0, 0),
    ("ipfix-openvswitch", 0, 0, 0),
    // Options data records count.
    ("ipfix-srv6-502", 0, 0, 0),
    // Data sets without template: how many records they had is unknown.
    ("ipfix-loss-a", 0, 0, 0),
    ("sflow5-pmacctd-b", 0, 0, 0),
    ("sflow5-loss-a", 2, 0, 1),
    // A datagram that was sent twice.
    ("sflow5-goflow2-drops", 0, 0, 1),
    // Several agents behind one address.
    ("sflow5-tcpdump-30", 0, 0, 0),
];

/// Captures in which data come before their template: all flows there are, and what waits to the end.
const LATE: &[(&str, usize, u64)] = &[
    ("v9-data-before-template", 21, 0),
    ("v9-fgt300d-late-template", 146, 0),
    ("ipfix-late-template", 4, 0),
    // Some of its templates never come.
    ("ipfix-netscaler-no-template", 6, 2),
    ("ipfix-template-withdraw", 78, 0),
    ("ipfix-loss-a", 45, 0),
    ("v9-no-template-ever", 0, 23),
];

fn main() -> ExitCode {
    let trials = match conditions::captures() {
        Ok(captures) => trials(captures),
        Err(reason) => vec![conditions::trial("every_capture", Err::<(), _>(reason), |()| Ok(()))],
    };
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn trials(captures: Vec<PathBuf>) -> Vec<Trial> {
    let packets = captures[0].parent().unwrap().to_owned();
    let changed = captures.clone();
    let mutations = Trial::test("captures with octets changed", move || mutate(&changed));
    captures
        .into_iter()
        .map(|capture| {
            let name = capture.file_stem().unwrap().to_string_lossy().into_owned();
            Trial::test(name, move || compare(&capture))
        })
        .chain(MISSING.iter().map(|&(name, missed, recovered, failures)| {
            let capture = packets.join(name).with_extension("pcap");
            let expected = (missed, recovered, failures);
            Trial::test(format!("{name} sequence"), move || sequence(&capture, expected))
        }))
        .chain(LATE.iter().map(|&(name, flows, given_up)| {
            let capture = packets.join(name).with_extension("pcap");
            Trial::test(format!("{name} late"), move || late(&capture, flows, given_up))
        }))
        .chain([mutations])
        .collect()
}

fn compare(capture: &Path) -> Result<(), Failed> {
    let golden: Json = serde_json::from_slice(&std::fs::read(capture.with_extension("golden.json"))?)?;
    let (batch, others) = decode(capture);
    let flows = golden["flows"].as_array().unwrap();
    let mut report = String::new();
    let limits =
        golden["expect"]["flows_min"].as_u64().unwrap()..=golden["expect"]["flows_max"].as_u64().unwrap();
    if !limits.contains(&(batch.len() as u64)) {
        writeln!(report, "{} flows, not {limits:?}", batch.len())?;
    }
    for (what, count) in others {
        if golden["expect"][what] != count {
            writeln!(report, "{count} {what}, not {}", golden["expect"][what])?;
        }
    }
    let rows: Vec<Record> = (0..batch.len()).map(|row| actual(&batch, row)).collect();
    let mut by_key: HashMap<(Value, Value, Value), Vec<usize>> = HashMap::new();
    for (index, row) in rows.iter().enumerate() {
        by_key.entry(key(row)).or_default().push(index);
    }
    let mut used = vec![false; rows.len()];
    let mut missing = 0;
    let mut wrong: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    for flow in flows {
        let expected = expected(flow);
        let mut candidates: Vec<usize> = by_key.get(&key(&expected)).cloned().unwrap_or_default();
        candidates.retain(|&index| !used[index]);
        if candidates.is_empty() {
            candidates = (0..rows.len()).filter(|&index| !used[index]).collect();
        }
        let Some(best) =
            candidates.into_iter().min_by_key(|&index| differences(flow, &expected, &rows[index]).len())
        else {
            missing += 1;
            continue;
        };
        used[best] = true;
        for name in differences(flow, &expected, &rows[best]) {
            let entry = wrong.entry(name).or_insert_with(|| {
                let example = format!(
                    "datagram {} octet {}: {:?}, not {:?}",
                    flow["pkt"],
                    flow["off"],
                    rows[best].get(name),
                    expected[name]
                );
                (0, example)
            });
            entry.0 += 1;
        }
    }
    // A range of counts means that not every flow need be there.
    let allowed = limits.end() - batch.len() as u64;
    if missing > allowed {
        writeln!(report, "{missing} flows without a counterpart")?;
    }
    for (name, (count, example)) in wrong {
        writeln!(report, "{name}: {count} differ, first in {example}")?;
    }
    if report.is_empty() { Ok(()) } else { Err(report.into()) }
}

/// The flows of a capture, and how many records it has of other kinds.
fn decode(capture: &Path) -> (FlowBatch, [(&'static str, u64); 2]) {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut out = BatchBuilder::new();
    let (mut options, mut samples) = (0, 0);
    for datagram in captures::datagrams(capture) {
        let from = Exporter { addr: datagram.addr, port: datagram.port };
        let before = out.len();
        let decoded = decoder.decode(from, datagram.received_ms, &datagram.payload, &mut out);
        assert_eq!(out.len() - before, decoded.flows);
        options += decoded.options as u64;
        samples += (decoded.counter_samples + decoded.discarded_packets) as u64;
    }
    (out.finish(), [("options_records", options), ("sflow_counter_samples", samples)])
}

/// Flows that wait for their template are those that come to nothing when nothing waits.
fn late(capture: &Path, flows: usize, given_up: u64) -> Result<(), Failed> {
    let golden: Json = serde_json::from_slice(&std::fs::read(capture.with_extension("golden.json"))?)?;
    let run = |limits: Limits| {
        let mut decoder = Decoder::new(DecoderOptions { limits, ..DecoderOptions::default() });
        let mut out = BatchBuilder::new();
        for datagram in captures::datagrams(capture) {
            let from = Exporter { addr: datagram.addr, port: datagram.port };
            decoder.decode(from, datagram.received_ms, &datagram.payload, &mut out);
        }
        decoder.give_up_waiting();
        let lost: u64 = decoder.exporters().iter().map(|exporter| exporter.ledger.no_template).sum();
        (out.len(), lost)
    };
    let found = run(Limits::default());
    if found != (flows, given_up) {
        return Err(format!("{found:?}, not {:?}", (flows, given_up)).into());
    }
    let (in_time, lost) = run(Limits { waiting_sets_per_exporter: 0, ..Limits::default() });
    if golden["expect"]["flows"] != in_time || lost == 0 {
        return Err(format!("{in_time} flows in time, {lost} sets lost").into());
    }
    Ok(())
}

fn sequence(capture: &Path, expected: (u64, u64, usize)) -> Result<(), Failed> {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut out = BatchBuilder::new();
    let mut found = (0, 0, 0);
    for datagram in captures::datagrams(capture) {
        let from = Exporter { addr: datagram.addr, port: datagram.port };
        let decoded = decoder.decode(from, datagram.received_ms, &datagram.payload, &mut out);
        found.0 += decoded.missed;
        found.1 += decoded.recovered;
        found.2 += usize::from(decoded.sequence_failure);
    }
    if found == expected { Ok(()) } else { Err(format!("{found:?}, not {expected:?}").into()) }
}

/// Decodes every capture several times with a few octets changed, always the same ones. A panic is a failure.
fn mutate(captures: &[PathBuf]) -> Result<(), Failed> {
    const ROUNDS: u64 = 20;
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below.max(1) as u64) as usize
    };
    for capture in captures {
        for _ in 0..ROUNDS {
            let mut decoder = Decoder::new(DecoderOptions::default());
            let mut out = BatchBuilder::new();
            for mut datagram in captures::datagrams(capture) {
                for _ in 0..random(6) {
                    // The front has the lengths and templates, so it is changed more often.
                    let below =
                        if random(2) == 0 { 80.min(datagram.payload.len()) } else { datagram.payload.len() };
                    let at = random(below);
                    if let Some(octet) = datagram.payload.get_mut(at) {
                        *octet = [0, 1, 255, random(256) as u8][random(4)];
                    }
                }
                let from = Exporter { addr: datagram.addr, port: datagram.port };
                let before = out.len();
                let decoded = decoder.decode(from, datagram.received_ms, &datagram.payload, &mut out);
                if out.len() - before != decoded.flows {
                    return Err(format!("{}: rows without account", capture.display()).into());
                }
                if out.room() < 8_192 {
                    let _flows = out.finish();
                }
            }
        }
    }
    Ok(())
}

/// A value as the golden files know it: what is zero, empty or absent is all the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Value {
    Nothing,
    Num(u64),
    Text(String),
}

type Record = HashMap<&'static str, Value>;

const NUMBERS: &[(&str, Field)] = &[
    ("src_port", Field::SrcPort),
    ("dst_port", Field::DstPort),
    ("proto", Field::Proto),
    ("src_tos", Field::SrcTos),
    ("in_packets", Field::InPackets),
    ("in_bytes", Field::InBytes),
    ("out_packets", Field::OutPackets),
    ("out_bytes", Field::OutBytes),
    ("input_if", Field::Input),
    ("output_if", Field::Output),
    ("src_as", Field::SrcAs),
    ("dst_as", Field::DstAs),
    ("src_mask", Field::SrcMask),
    ("dst_mask", Field::DstMask),
    ("src_vlan", Field::SrcVlan),
    ("dst_vlan", Field::DstVlan),
    ("direction", Field::Direction),
    ("dst_tos", Field::DstTos),
    ("fwd_status", Field::FwdStatus),
    ("nat_event", Field::NatEvent),
    ("xlate_src_port", Field::XlateSrcPort),
    ("xlate_dst_port", Field::XlateDstPort),
    ("ingress_vrf", Field::IngressVrf),
    ("egress_vrf", Field::EgressVrf),
    ("fw_event", Field::FwEvent),
    ("fw_ext_event", Field::FwXevent),
    ("port_block_start", Field::PblockStart),
    ("port_block_end", Field::PblockEnd),
];

const MACS: &[(&str, Field)] = &[
    ("in_src_mac", Field::InSrcMac),
    ("out_dst_mac", Field::OutDstMac),
    ("in_dst_mac", Field::InDstMac),
    ("out_src_mac", Field::OutSrcMac),
];

const ADDRESSES: &[(&str, Field)] = &[
    ("src_addr", Field::SrcAddr),
    ("dst_addr", Field::DstAddr),
    ("next_hop", Field::NextHop),
    ("bgp_next_hop", Field::BgpNextHop),
    ("xlate_src_addr", Field::XlateSrcAddr),
    ("xlate_dst_addr", Field::XlateDstAddr),
];

fn num(value: u64) -> Value {
    if value == 0 { Value::Nothing } else { Value::Num(value) }
}

fn addr(value: IpAddr) -> Value {
    if value.is_unspecified() { Value::Nothing } else { Value::Text(value.to_string()) }
}

fn key(record: &Record) -> (Value, Value, Value) {
    let part = |name| record.get(name).cloned().unwrap_or(Value::Nothing);
    (part("src_addr"), part("dst_addr"), part("proto"))
}

fn is_icmp(proto: u64) -> bool {
    u8::try_from(proto).is_ok_and(|proto| Protocol(proto).is_icmp())
}

fn actual(batch: &FlowBatch, row: usize) -> Record {
    let number = |field| batch.column(field).num(row);
    let mut record = Record::new();
    record.extend(NUMBERS.iter().map(|&(name, field)| (name, num(number(field)))));
    record.extend(MACS.iter().map(|&(name, field)| (name, num(number(field)))));
    record.extend(ADDRESSES.iter().map(|&(name, field)| (name, addr(batch.column(field).ip(row)))));
    record.insert("tcp_flags", num(number(Field::TcpFlags)));
    record.insert("first", num(number(Field::FirstMs)));
    record.insert("last", num(number(Field::LastMs)));
    let name = String::from_utf8_lossy(batch.column(Field::UserName).bytes(row)).into_owned();
    record.insert("username", if name.is_empty() { Value::Nothing } else { Value::Text(name) });
    if is_icmp(number(Field::Proto)) {
        record.insert("icmp_type", num(number(Field::DstPort) >> 8));
        record.insert("icmp_code", num(number(Field::DstPort) & 255));
    }
    record
}

fn expected(flow: &Json) -> Record {
    let number = |name: &str| flow.get(name).and_then(Json::as_u64);
    let icmp = number("proto").is_some_and(is_icmp);
    let mut record = Record::new();
    for &(name, _) in NUMBERS {
        let value = number(name).or_else(|| {
            let forward = name.strip_prefix("out_")?;
            flow.get("reverse")?.get(format!("in_{forward}"))?.as_u64()
        });
        if let Some(value) = value
            && !(icmp && ["src_port", "dst_port", "fwd_status"].contains(&name))
        {
            let counter = name.ends_with("packets") || name.ends_with("bytes");
            record.insert(name, num(if counter { scaled(flow, value) } else { value }));
        }
    }
    if let (false, Some(flags)) = (icmp, number("tcp_flags")) {
        record.insert("tcp_flags", num(flags & 255));
    }
    if icmp {
        let parts = match (number("icmp_type"), number("dst_port")) {
            (Some(kind), _) => Some((kind, number("icmp_code").unwrap_or(0))),
            (None, Some(port)) => Some((port >> 8, port & 255)),
            (None, None) => None,
        };
        if let Some((kind, code)) = parts {
            record.insert("icmp_type", num(kind));
            record.insert("icmp_code", num(code));
        }
    }
    for &(name, _) in MACS {
        let frame = flow.get("eth_dst_mac").filter(|_| name == "out_dst_mac");
        if let Some(mac) = flow.get(name).or(frame).and_then(Json::as_str) {
            record.insert(name, num(u64::from_str_radix(&mac.replace(':', ""), 16).unwrap()));
        }
    }
    for &(name, _) in ADDRESSES {
        if let Some(text) = flow.get(name).and_then(Json::as_str) {
            record.insert(name, addr(text.parse().unwrap()));
        }
    }
    if let Some(name) = flow.get("username").and_then(Json::as_str) {
        record.insert("username", if name.is_empty() { Value::Nothing } else { Value::Text(name.into()) });
    }
    for (name, golden) in [("first", "t_first_ms"), ("last", "t_last_ms")] {
        if let Some(time) = number(golden) {
            record.insert(name, num(time));
        }
    }
    record
}

/// A counter with the sampling rate applied that the golden file names; with sFlow it is in the count.
fn scaled(flow: &Json, count: u64) -> u64 {
    if flow["sflow"] == true {
        return count;
    }
    match &flow["sampling"]["rate"] {
        Json::Number(rate) if rate.is_u64() => count * rate.as_u64().unwrap(),
        Json::Number(rate) => (count as f64 * rate.as_f64().unwrap()) as u64,
        _ => count,
    }
}

fn differences(flow: &Json, expected: &Record, actual: &Record) -> Vec<&'static str> {
    let event = flow.get("t_event_ms").and_then(Json::as_u64).map(num);
    let mut names: Vec<_> = expected
        .iter()
        .filter(|&(&name, value)| {
            let found = actual.get(name).unwrap_or(&Value::Nothing);
            // Event records may carry the time of the event.
            let event_time = ["first", "last"].contains(&name) && event.as_ref() == Some(found);
            found != value && !event_time
        })
        .map(|(&name, _)| name)
        .collect();
    names.sort_unstable();
    names
}
