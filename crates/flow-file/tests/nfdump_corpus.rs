//! nfdump's own files, read flow by flow.
//!
//! `$FLOW_CORPUS/nffiles` holds files of four releases, `NAME.nf`, each with every field of every flow as a reader in
//! another language found it: `NAME.flows.jsonl`, for damaged files `NAME.recoverable.jsonl` with what can be had of them,
//! for large files the SHA-256 of that. A file without such an answer fails the run.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use flow_file::{FileError, FileLayout, FlowFile};
use flow_model::{Field, FieldSet, FlowBatch, LossLedger, RecordFlags, ValueRef};
use flow_testkit::conditions;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

fn main() -> ExitCode {
    let trials = match conditions::corpus().and_then(|corpus| files(&corpus.join("nffiles"))) {
        Ok(files) => files.into_iter().map(|path| Trial::test(name(&path), move || check(&path))).collect(),
        Err(reason) => vec![conditions::trial("every_file", Err::<(), _>(reason), |()| Ok(()))],
    };
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// `VERSION/NAME.nf` and `VERSION/damaged/NAME.nf`, sorted.
fn files(root: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).map_err(|error| format!("{}: {error}", folder.display()))? {
            let path = entry.map_err(|error| error.to_string())?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "nf") {
                files.push(path);
            }
        }
    }
    files.sort();
    if files.is_empty() { Err(format!("no files in {}", root.display())) } else { Ok(files) }
}

fn name(path: &Path) -> String {
    let parts: Vec<_> = path.iter().rev().take(3).map(|part| part.to_string_lossy()).collect();
    format!("{}/{}/{}", parts[2], parts[1], parts[0])
}

fn check(path: &Path) -> Result<(), Failed> {
    let read = Read::of(path);
    let sound = ["flows.jsonl", "flows.sha256"].map(|suffix| path.with_extension(suffix));
    let damaged = ["recoverable.jsonl", "recoverable.sha256"].map(|suffix| path.with_extension(suffix));
    let meta: Option<Value> = fs::read_to_string(path.with_extension("meta.json"))
        .ok()
        .map(|text| serde_json::from_str(&text))
        .transpose()?;
    match (&sound, &damaged) {
        ([lines, _], _) if lines.exists() => compare(&read, &fs::read_to_string(lines)?)?,
        ([_, sum], _) if sum.exists() => compare_sum(&read, &fs::read_to_string(sum)?, meta.as_ref())?,
        (_, [lines, _]) if lines.exists() => compare(&read, &fs::read_to_string(lines)?)?,
        (_, [_, sum]) if sum.exists() => compare_sum(&read, &fs::read_to_string(sum)?, meta.as_ref())?,
        _ => return Err("nobody says which flows are in it".into()),
    }
    let is_sound = sound.iter().any(|path| path.exists());
    if is_sound {
        if let [problem, ..] = &read.problems[..] {
            return Err(problem.to_string().into());
        }
    } else {
        // Nothing is wrong with a file only because it is not closed. Unknown elements are told among the flows.
        let said = fs::read_to_string(path.with_extension("recoverable.err")).unwrap_or_default();
        let lines = fs::read_to_string(path.with_extension("recoverable.jsonl")).unwrap_or_default();
        let harmless = said.lines().all(|line| line.ends_with("file not closed (no appendix)"))
            && !lines.contains("\"unknown_elements\"");
        if read.problems.is_empty() != harmless {
            return Err(format!("{:?}, expected {said}", read.problems).into());
        }
    }
    if let (Ok(file), Some(meta)) = (&read.file, &meta) {
        compare_about(file, meta, is_sound)?;
    }
    Ok(())
}

/// A file and all its flows.
struct Read {
    file: Result<FlowFile, FileError>,
    batches: Vec<FlowBatch>,
    problems: Vec<FileError>,
}

impl Read {
    fn of(path: &Path) -> Read {
        let file = FlowFile::open(path);
        let mut read = Read { file, batches: Vec::new(), problems: Vec::new() };
        match &read.file {
            Err(error) => read.problems.push(error.clone()),
            Ok(file) => {
                // Last block first: what a block holds does not depend on which was read before.
                for block in (0..file.block_count()).rev() {
                    match file.block(block) {
                        Ok(block) => {
                            read.problems.extend(block.problems().iter().cloned());
                            read.batches.push(block.to_batch(FieldSet::ALL).unwrap());
                        }
                        Err(error) => read.problems.push(error),
                    }
                }
                read.batches.reverse();
                read.problems.extend(file.problems().iter().cloned());
            }
        }
        read
    }

    /// Every flow, with its keys in the order of the answers. `map` is the extension map of layout 1.
    fn flows(&self, map: &[u64]) -> Vec<Vec<(&'static str, Value)>> {
        let mut flows = Vec::new();
        for batch in &self.batches {
            for row in 0..batch.len() {
                let flow = Flow { batch, row };
                let mut keys = match self.file.as_ref().unwrap().layout() {
                    FileLayout::Nfdump1 => flow.layout_1(map),
                    FileLayout::Nfdump2 => flow.layout_2(),
                    FileLayout::Columnar => panic!("not nfdump's"),
                };
                keys.push(("rec", (flows.len() + 1).into()));
                flows.push(keys);
            }
        }
        flows
    }
}

/// Every key of every line is what was read, and what was read beyond has its default.
fn compare(read: &Read, lines: &str) -> Result<(), Failed> {
    let every_extension: Vec<u64> = (4..=48).collect();
    let flows = read.flows(&every_extension);
    if flows.len() != lines.lines().count() {
        return Err(format!("{} flows, expected {}", flows.len(), lines.lines().count()).into());
    }
    for (flow, line) in flows.iter().zip(lines.lines()) {
        let mut expected: Map<String, Value> = serde_json::from_str(line)?;
        let layout = expected["layout"].as_u64();
        // What was not understood is not here; what was is.
        expected.remove("unknown_elements");
        expected.remove("undecoded_extension");
        if let Some(Value::Array(elements)) = expected.get_mut("elements") {
            elements.retain(|id| id.as_u64().is_some_and(|id| id <= 42));
        }
        for (key, value) in flow {
            match expected.remove(*key) {
                Some(expected) if expected == *value => {}
                None if layout == Some(1) && is_default(key, value, flow) => {}
                expected => {
                    return Err(format!("{key} is {value}, expected {expected:?}: {line}").into());
                }
            }
        }
        expected.remove("nsel_icmp");
        if let Some(key) = expected.keys().next() {
            return Err(format!("{key} is missing: {line}").into());
        }
    }
    Ok(())
}

/// Whether a value of layout 1 is what a record without the extension has. NAT events have the time of their start.
fn is_default(key: &str, value: &Value, flow: &[(&str, Value)]) -> bool {
    match value {
        Value::Number(number) if key == "aggr_flows" => number.as_u64() == Some(1),
        Value::Number(_)
            if key == "event_ms" && flow.iter().any(|pair| *pair == ("first_ms", value.clone())) =>
        {
            true
        }
        Value::Number(number) => number.as_u64() == Some(0),
        Value::String(text) => matches!(&text[..], "" | "0.0.0.0" | "00:00:00:00:00:00"),
        Value::Array(parts) => parts.iter().all(|part| *part == 0 || part == "0-0-0"),
        _ => false,
    }
}

/// The same for answers of which only the SHA-256 is there.
fn compare_sum(read: &Read, sum: &str, meta: Option<&Value>) -> Result<(), Failed> {
    let map: Vec<u64> = meta
        .and_then(|meta| meta["maps"]["0"].as_array())
        .map(|ids| ids.iter().filter_map(Value::as_u64).collect())
        .unwrap_or_default();
    let mut text = String::new();
    for flow in read.flows(&map) {
        for (index, (key, value)) in flow.iter().enumerate() {
            write!(text, "{}\"{key}\":{value}", if index == 0 { "{" } else { "," }).unwrap();
        }
        text.push_str("}\n");
    }
    let mut child = Command::new(conditions::program("sha256sum")?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().unwrap().write_all(text.as_bytes())?;
    let found = String::from_utf8(child.wait_with_output()?.stdout)?;
    let (found, expected) = (found.split_whitespace().next(), sum.split_whitespace().next());
    if found == expected { Ok(()) } else { Err(format!("{found:?}, expected {expected:?}").into()) }
}

/// What the file says of itself, and who sent the flows.
fn compare_about(file: &FlowFile, meta: &Value, is_sound: bool) -> Result<(), Failed> {
    let ident = meta["ident"].as_str().unwrap_or_default();
    if file.ident() != ident {
        return Err(format!("ident {:?}, expected {ident:?}", file.ident()).into());
    }
    let totals = file.totals();
    let first_ms = if totals.first_ms == u64::MAX { Value::from(0) } else { totals.first_ms.into() };
    let mut found = BTreeMap::from([
        ("flows".to_owned(), Value::from(totals.flows)),
        ("packets".into(), totals.packets.into()),
        ("bytes".into(), totals.bytes.into()),
        ("first_ms".into(), first_ms),
        ("last_ms".into(), totals.last_ms.into()),
        ("sequence_failures".into(), totals.sequence_failures.into()),
    ]);
    for (counter, values) in
        [("flows", totals.flows_by), ("packets", totals.packets_by), ("bytes", totals.bytes_by)]
    {
        for (class, value) in ["tcp", "udp", "icmp", "other"].into_iter().zip(values) {
            found.insert(format!("{counter}_{class}"), value.into());
        }
    }
    for (key, value) in meta["stat"].as_object().ok_or("no statistics")? {
        let is_preset = key == "first_ms" && value.as_u64().is_some_and(|ms| ms >= 2_147_483_647_999);
        let expected = if is_preset && totals.first_ms == u64::MAX { &Value::from(0) } else { value };
        if found.get(key) != Some(expected) {
            return Err(format!("{key} is {:?}, expected {expected}", found.get(key)).into());
        }
    }
    if !is_sound {
        return Ok(());
    }
    let exporters: Vec<Value> = file
        .exporters()
        .iter()
        .map(|exporter| {
            serde_json::json!({
                "sysid": exporter.sysid, "version": exporter.version, "ip": exporter.addr.to_string(), "id": exporter.domain,
            })
        })
        .collect();
    let told = meta["exporters"].as_array().ok_or("no exporters")?;
    if file.path().ends_with(GIVEN_AGAIN) {
        return compare_renumbered(file, &exporters, told, meta);
    }
    if *told != exporters {
        return Err(format!("exporters {exporters:?}, expected {}", meta["exporters"]).into());
    }
    for expected in meta["exporter_stats"].as_array().ok_or("no exporter statistics")? {
        let same = |sysid: u64| {
            let of = |key: &str| {
                let all = meta["exporter_stats"].as_array().unwrap().iter();
                all.filter(|one| one["sysid"] == sysid).filter_map(|one| one[key].as_u64()).sum::<u64>()
            };
            let Some(exporter) = file.exporters().iter().find(|one| u64::from(one.sysid) == sysid) else {
                return meta["exporters"]
                    .as_array()
                    .is_some_and(|all| all.iter().all(|one| one["sysid"] != sysid));
            };
            let ledger = exporter.ledger;
            [ledger.sequence_failures, ledger.datagrams, ledger.flows]
                == [of("sequence_failures"), of("packets"), of("flows")]
        };
        if !expected["sysid"].as_u64().is_some_and(same) {
            return Err(format!("exporter statistics {:?}, expected {expected}", file.exporters()).into());
        }
    }
    let mut samplers = Vec::new();
    for one in meta["samplers"].as_array().ok_or("no samplers")? {
        let num = |key: &str| one[key].as_i64();
        let sampler = (
            num("sysid"),
            num("id"),
            num("algorithm").or(num("mode")),
            num("packet_interval").or(Some(1)),
            num("packet_space").or(num("interval").map(|interval| interval - 1)),
        );
        if !samplers.contains(&sampler) {
            samplers.push(sampler);
        }
    }
    let found: Vec<_> = file
        .samplers()
        .iter()
        .map(|one| {
            (
                Some(one.exporter.into()),
                Some(one.id),
                Some(one.algorithm.into()),
                Some(one.interval.into()),
                Some(one.space.into()),
            )
        })
        .collect();
    if found != samplers {
        return Err(format!("samplers {found:?}, expected {samplers:?}").into());
    }
    Ok(())
}

/// A file whose collector was started again and gave numbers to other exporters: the tool that made the corpus knows the
/// last one of each number only, with what was counted of all.
const GIVEN_AGAIN: &str = "append-nfcapd.nf";

fn compare_renumbered(
    file: &FlowFile,
    exporters: &[Value],
    told: &[Value],
    meta: &Value,
) -> Result<(), Failed> {
    let without_number = |one: &Value| {
        let mut one = one.clone();
        one["sysid"] = Value::Null;
        one
    };
    let found: Vec<Value> = exporters.iter().map(without_number).collect();
    if exporters.len() != 3
        || told.len() != 2
        || !told.iter().map(without_number).all(|one| found.contains(&one))
    {
        return Err(format!("exporters {exporters:?}, expected {told:?} and one more").into());
    }
    for (key, of) in [
        ("sequence_failures", (|ledger| ledger.sequence_failures) as fn(&LossLedger) -> u64),
        ("packets", |ledger| ledger.datagrams),
        ("flows", |ledger| ledger.flows),
    ] {
        let statistics = meta["exporter_stats"].as_array().ok_or("no exporter statistics")?;
        let expected: u64 = statistics.iter().filter_map(|one| one[key].as_u64()).sum();
        let found: u64 = file.exporters().iter().map(|exporter| of(&exporter.ledger)).sum();
        if found != expected {
            return Err(format!("{key} {found}, expected {expected}").into());
        }
    }
    Ok(())
}

/// A flow and its keys.
struct Flow<'a> {
    batch: &'a FlowBatch,
    row: usize,
}

/// How a value is written.
#[derive(Clone, Copy)]
enum As {
    /// A number, an address, or text.
    Itself,
    Mac,
    Hex,
}

type Key = (&'static str, Field, As);

impl Flow<'_> {
    fn num(&self, field: Field) -> u64 {
        self.batch.column(field).num(self.row)
    }

    fn value(&self, field: Field, form: As) -> Value {
        match (self.batch.column(field).get(self.row), form) {
            (ValueRef::Num(num), As::Mac) => {
                let octets: Vec<String> =
                    num.to_be_bytes()[2..].iter().map(|octet| format!("{octet:02x}")).collect();
                octets.join(":").into()
            }
            (ValueRef::Num(num), _) => num.into(),
            (ValueRef::Ip(addr), _) => addr.to_string().into(),
            (ValueRef::Bytes(octets), As::Hex) => {
                let hex: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
                hex.concat().into()
            }
            (ValueRef::Bytes(octets), _) => String::from_utf8_lossy(octets).into(),
        }
    }

    fn put(&self, keys: &[Key], out: &mut Vec<(&'static str, Value)>) {
        for &(key, field, form) in keys {
            if !out.iter().any(|(known, _)| *known == key) {
                out.push((key, self.value(field, form)));
            }
        }
    }

    fn list(&self, key: &'static str, fields: &[Field], out: &mut Vec<(&'static str, Value)>) {
        let parts: Vec<Value> = fields.iter().map(|&field| self.value(field, As::Itself)).collect();
        out.push((key, parts.into()));
    }

    fn acls(&self, out: &mut Vec<(&'static str, Value)>) {
        self.list("ingress_acl", &[Field::IngressAcl, Field::IngressAce, Field::IngressXace], out);
        self.list("egress_acl", &[Field::EgressAcl, Field::EgressAce, Field::EgressXace], out);
    }

    fn mpls(&self, out: &mut Vec<(&'static str, Value)>) {
        let labels: Vec<Value> = Field::MPLS
            .iter()
            .map(|&field| {
                let num = self.num(field);
                format!("{}-{}-{}", num >> 4, num >> 1 & 7, num & 1).into()
            })
            .collect();
        out.push(("mpls", labels.into()));
    }

    fn icmp(&self, out: &mut Vec<(&'static str, Value)>) {
        if matches!(self.num(Field::Proto), 1 | 58) {
            let port = self.num(Field::DstPort);
            out.push(("icmp_type", (port >> 8).into()));
            out.push(("icmp_code", (port & 255).into()));
        }
    }

    fn flags(&self, layout: u64, out: &mut Vec<(&'static str, Value)>) {
        let flags = self.num(Field::RecordFlags);
        out.push(("layout", layout.into()));
        out.push(("type", if flags & RecordFlags::EVENT == 0 { "FLOW" } else { "EVENT" }.into()));
        out.push(("sampled", u8::from(flags & RecordFlags::SAMPLED != 0).into()));
        out.push(("anon", u8::from(flags & RecordFlags::ANONYMISED != 0).into()));
    }

    fn layout_2(&self) -> Vec<(&'static str, Value)> {
        let mut out = Vec::new();
        self.flags(2, &mut out);
        self.put(HEADER_2, &mut out);
        let groups = self.batch.groups(self.row);
        for id in groups.iter() {
            match id {
                14 => self.mpls(&mut out),
                23 => self.acls(&mut out),
                _ => {
                    let keys = ELEMENTS.iter().filter(|(ids, _)| ids.contains(&id));
                    keys.for_each(|(_, keys)| self.put(keys, &mut out));
                }
            }
            match id {
                1 => self.icmp(&mut out),
                18 => out.push(("sampler_exporter", self.num(Field::ExporterId).into())),
                _ => {}
            }
        }
        out.push(("elements", groups.iter().map(u64::from).collect()));
        out
    }

    fn layout_1(&self, map: &[u64]) -> Vec<(&'static str, Value)> {
        let mut out = Vec::new();
        self.flags(1, &mut out);
        self.put(
            &[("exporter_sysid", Field::ExporterId, As::Itself), ("nfversion", Field::NfVersion, As::Itself)],
            &mut out,
        );
        if self.num(Field::NfVersion) != 0 {
            let keys = [
                ("biflow_dir", Field::BiflowDir, As::Itself),
                ("flow_end_reason", Field::FlowEndReason, As::Itself),
            ];
            self.put(&keys, &mut out);
        }
        self.put(COMMON_1, &mut out);
        for &id in map {
            match id {
                22 => self.mpls(&mut out),
                41 => self.acls(&mut out),
                _ => {
                    let keys = EXTENSIONS.iter().filter(|(ids, _)| ids.contains(&id));
                    keys.for_each(|(_, keys)| self.put(keys, &mut out));
                }
            }
        }
        self.icmp(&mut out);
        out
    }
}

macro_rules! keys {
    ($($key:literal = $field:ident $($form:ident)?,)*) => {
        &[$(($key, Field::$field, keys!(@ $($form)?)),)*]
    };
    (@) => { As::Itself };
    (@ $form:ident) => { As::$form };
}

const HEADER_2: &[Key] = keys! {
    "exporter_sysid" = ExporterId, "nfversion" = NfVersion, "engine_type" = EngineType, "engine_id" = EngineId,
};

const COMMON_1: &[Key] = keys! {
    "first_ms" = FirstMs, "last_ms" = LastMs, "fwd_status" = FwdStatus, "tcp_flags" = TcpFlags, "proto" = Proto,
    "src_tos" = SrcTos, "src_port" = SrcPort, "dst_port" = DstPort, "src_addr" = SrcAddr, "dst_addr" = DstAddr,
    "in_packets" = InPackets, "in_bytes" = InBytes,
};

const ELEMENTS: &[(&[u8], &[Key])] = &[
    (
        &[1],
        keys! {
            "first_ms" = FirstMs, "last_ms" = LastMs, "received_ms" = ReceivedMs, "in_packets" = InPackets,
            "in_bytes" = InBytes, "src_port" = SrcPort, "dst_port" = DstPort, "proto" = Proto, "tcp_flags" = TcpFlags,
            "fwd_status" = FwdStatus, "src_tos" = SrcTos,
        },
    ),
    (&[2, 3], keys! { "src_addr" = SrcAddr, "dst_addr" = DstAddr, }),
    (
        &[4],
        keys! {
            "input" = Input, "output" = Output, "src_mask" = SrcMask, "dst_mask" = DstMask, "direction" = Direction,
            "dst_tos" = DstTos, "biflow_dir" = BiflowDir, "flow_end_reason" = FlowEndReason,
        },
    ),
    (&[5], keys! { "aggr_flows" = Flows, "out_packets" = OutPackets, "out_bytes" = OutBytes, }),
    (&[6], keys! { "src_vlan" = SrcVlan, "dst_vlan" = DstVlan, }),
    (&[7], keys! { "src_as" = SrcAs, "dst_as" = DstAs, }),
    (&[8, 9], keys! { "bgp_next_hop" = BgpNextHop, }),
    (&[10, 11], keys! { "next_hop" = NextHop, }),
    (&[12, 13], keys! { "router" = RouterAddr, }),
    (
        &[15],
        keys! {
            "in_src_mac" = InSrcMac Mac, "out_dst_mac" = OutDstMac Mac, "in_dst_mac" = InDstMac Mac,
            "out_src_mac" = OutSrcMac Mac,
        },
    ),
    (&[16], keys! { "next_as" = NextAs, "prev_as" = PrevAs, }),
    (
        &[17],
        keys! {
            "client_latency_us" = ClientLatencyUs, "server_latency_us" = ServerLatencyUs, "app_latency_us" = AppLatencyUs,
        },
    ),
    (&[18], keys! { "sampler_id" = SamplerId, }),
    (
        &[19],
        keys! {
            "event_ms" = EventTimeMs, "conn_id" = ConnId, "fw_xevent" = FwXevent, "fw_event" = FwEvent,
        },
    ),
    (&[20, 21], keys! { "xlate_src" = XlateSrcAddr, "xlate_dst" = XlateDstAddr, }),
    (&[22], keys! { "xlate_src_port" = XlateSrcPort, "xlate_dst_port" = XlateDstPort, }),
    (&[24], keys! { "username" = UserName, }),
    (&[25], keys! { "event_ms" = EventTimeMs, "nat_pool_id" = NatPoolId, "nat_event" = NatEvent, }),
    (
        &[26],
        keys! {
            "pblock_start" = PblockStart, "pblock_end" = PblockEnd, "pblock_step" = PblockStep, "pblock_size" = PblockSize,
        },
    ),
    (&[27], keys! { "nbar_app_id" = AppId Hex, }),
    (&[28], keys! { "label" = Label, }),
    (&[29], keys! { "in_payload" = InPayload Hex, }),
    (&[30], keys! { "out_payload" = OutPayload Hex, }),
    (&[31], keys! { "tun_proto" = TunnelProto, "tun_src" = TunnelSrcAddr, "tun_dst" = TunnelDstAddr, }),
    (&[32], keys! { "tun_src" = TunnelSrcAddr, "tun_dst" = TunnelDstAddr, "tun_proto" = TunnelProto, }),
    (&[33], keys! { "observation_point" = ObservationPointId, "observation_domain" = ObservationDomainId, }),
    (&[34], keys! { "inmon_frame_size" = FrameSize, "inmon_link_type" = LinkType, }),
    (&[35], keys! { "inmon_frame" = Frame Hex, }),
    (&[36], keys! { "egress_vrf" = EgressVrf, "ingress_vrf" = IngressVrf, }),
    (
        &[37],
        keys! {
            "pf_action" = PfAction, "pf_reason" = PfReason, "pf_dir" = PfDir, "pf_rewritten" = PfRewritten,
            "pf_rule" = PfRule, "pf_subrule" = PfSubrule, "pf_uid" = PfUid, "pf_pid" = PfPid, "pf_ifname" = PfInterface,
        },
    ),
    (
        &[38],
        keys! {
            "vlan_id" = VlanId, "cust_vlan" = CustomerVlanId, "post_vlan" = PostVlanId,
            "post_cust_vlan" = PostCustomerVlanId, "phys_ingress" = PhysInput, "phys_egress" = PhysOutput, "vxlan" = Vxlan,
            "ethertype" = EtherType, "ip_version" = IpVersion,
        },
    ),
    (&[39], keys! { "flow_id" = FlowId, }),
    (&[40], keys! { "in_service_id" = NokiaInsideSid, "out_service_id" = NokiaOutsideSid, }),
    (&[41], keys! { "nat_string" = NokiaNatString, }),
    (&[42], keys! { "ip_fragment" = FragmentFlags, "min_ttl" = MinTtl, "max_ttl" = MaxTtl, }),
];

const EXTENSIONS: &[(&[u64], &[Key])] = &[
    (&[4, 5], keys! { "input" = Input, "output" = Output, }),
    (&[6, 7], keys! { "src_as" = SrcAs, "dst_as" = DstAs, }),
    (
        &[8],
        keys! { "dst_tos" = DstTos, "direction" = Direction, "src_mask" = SrcMask, "dst_mask" = DstMask, },
    ),
    (&[9, 10], keys! { "next_hop" = NextHop, }),
    (&[11, 12], keys! { "bgp_next_hop" = BgpNextHop, }),
    (&[13], keys! { "src_vlan" = SrcVlan, "dst_vlan" = DstVlan, }),
    (&[14, 15], keys! { "out_packets" = OutPackets, }),
    (&[16, 17], keys! { "out_bytes" = OutBytes, }),
    (&[18, 19], keys! { "aggr_flows" = Flows, }),
    (&[20], keys! { "in_src_mac" = InSrcMac Mac, "out_dst_mac" = OutDstMac Mac, }),
    (&[21], keys! { "in_dst_mac" = InDstMac Mac, "out_src_mac" = OutSrcMac Mac, }),
    (&[23, 24], keys! { "router" = RouterAddr, }),
    (&[25], keys! { "engine_type" = EngineType, "engine_id" = EngineId, }),
    (&[26], keys! { "next_as" = NextAs, "prev_as" = PrevAs, }),
    (&[27], keys! { "received_ms" = ReceivedMs, }),
    (
        &[37],
        keys! {
            "event_ms" = EventTimeMs, "conn_id" = ConnId, "fw_event" = FwEvent, "fw_xevent" = FwXevent,
            "sgt" = SecurityGroupTag,
        },
    ),
    (&[38], keys! { "xlate_src_port" = XlateSrcPort, "xlate_dst_port" = XlateDstPort, }),
    (&[39, 40, 47], keys! { "xlate_src" = XlateSrcAddr, "xlate_dst" = XlateDstAddr, }),
    (&[42, 43], keys! { "username" = UserName, }),
    (
        &[45],
        keys! {
            "client_latency_us" = ClientLatencyUs, "server_latency_us" = ServerLatencyUs, "app_latency_us" = AppLatencyUs,
        },
    ),
    (&[46], keys! { "nat_event" = NatEvent, "egress_vrf" = EgressVrf, "ingress_vrf" = IngressVrf, }),
    (
        &[48],
        keys! {
            "pblock_start" = PblockStart, "pblock_end" = PblockEnd, "pblock_step" = PblockStep, "pblock_size" = PblockSize,
        },
    ),
];
