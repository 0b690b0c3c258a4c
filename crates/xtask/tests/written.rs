//! Files that we write in nfdump's layout, read by nfdump 1.7.1 and by rdump: both must say the same of them, byte for byte
//! but for what a ruling allows, and nfdump must not complain.
//!
//! They are written by `rdump -w` from every sound file of the corpus, by rcapd from every capture, and from flows that have a
//! value in every field that 1.7.1 knows, in each compression that it reads. Deliberate differences stand in [`RULED`].

mod support;

use std::fmt::Write as _;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use flow_file::{BlockCompression, FileFormat, FileTail, FileWriter, NfdumpRelease, WriteOptions};
use flow_model::{
    BatchBuilder, CountRule, ExporterInfo, Field, FlowBatch, Group, Groups, Kind, LossLedger, SamplerInfo,
    field_info,
};
use flow_testkit::conditions::{captures, corpus, program, trial};
use libtest_mimic::{Arguments, Failed, Trial};
use support::comparison::{
    CSV_BGP_NEXT_HOP,
    Difference::{Columns, Keys, Lines, TunnelRows},
    Question, Ruled, difference, every_ruling, matches, ruled, under,
};
use support::output;
use xtask::programs::Programs;

/// What is asked about each file.
const QUESTIONS: [Question; 5] =
    [Question::Raw, Question::Csv, Question::Json, Question::Info, Question::Exporters];

/// The compressions that 1.7.1 reads, as `-z` has them.
const METHODS: [&str; 4] = ["none", "lzo", "lz4", "bz2"];

const TUNNEL: &str = "D-35: no extra rows for tunnels";
const SHARED: &str =
    "1.7.1 has one place for the event of a firewall and that of a NAT, and a flow here has both";
const MASK: &str = "a mask longer than the address: nfdump shifts by a negative number";
const VLAN: &str = "a VLAN that is not known: 1.7.1 shows 16 of 32 bits";
const MASK_LINES: &[&str] = &["  src mask ", "  dst mask "];

const RULED: &[Ruled] = &[
    ruled("converted/v1.7*/append-pcap.nf Csv", TunnelRows, TUNNEL),
    ruled("converted/v1.7*/pcap-1.nf Csv", TunnelRows, TUNNEL),
    ruled("converted/v1.7*/written-*.nf Csv", TunnelRows, TUNNEL),
    ruled("generated/* Csv", TunnelRows, TUNNEL),
    ruled("converted/v1.6*/nsel-*.nf Raw", Lines(&["  fw event "]), SHARED),
    ruled("converted/v1.6*/nsel-*.nf Json", Keys(&["event", "event_id"]), SHARED),
    ruled("converted/v1.7.8/nfgen.nf Csv", Columns(&[CSV_BGP_NEXT_HOP]), "D-36: also of an IPv4 flow"),
    ruled("captured/ipfix-long-400.pcap Raw", Lines(MASK_LINES), MASK),
    ruled("captured/ipfix-loss-a.pcap Raw", Lines(MASK_LINES), MASK),
    ruled("captured/ipfix-netgauze-srv6.pcap Raw", Lines(MASK_LINES), MASK),
    ruled("captured/ipfix-srv6-502.pcap Raw", Lines(MASK_LINES), MASK),
    ruled("captured/v5-invalid-01.pcap Raw", Lines(MASK_LINES), MASK),
    ruled("captured/ipfix-long-400.pcap Json", Keys(NETWORKS), MASK),
    ruled("captured/ipfix-loss-a.pcap Json", Keys(NETWORKS), MASK),
    ruled("captured/ipfix-netgauze-srv6.pcap Json", Keys(NETWORKS), MASK),
    ruled("captured/ipfix-srv6-502.pcap Json", Keys(NETWORKS), MASK),
    ruled("captured/v5-invalid-01.pcap Json", Keys(NETWORKS), MASK),
    ruled("captured/sflow5-akvorado-1140.pcap Raw", Lines(&["  src vlan ", "  dst vlan "]), VLAN),
    ruled("captured/sflow5-akvorado-1140.pcap Csv", Columns(&[CSV_SOURCE_VLAN, CSV_SOURCE_VLAN + 1]), VLAN),
    ruled("captured/sflow5-akvorado-1140.pcap Json", Keys(&["src_vlan", "dst_vlan"]), VLAN),
];

const NETWORKS: &[&str] = &["src_net", "dst_net"];
const CSV_SOURCE_VLAN: usize = 25;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    match corpus().and_then(|corpus| Ok((corpus, program("nfdump")?, captures()?))) {
        Err(reason) => trials.push(trial::<()>("corpus_and_nfdump", Err(reason), |()| Ok(()))),
        Ok((corpus, nfdump, captures)) => {
            let bench = Arc::new(Bench { nfdump, programs: Programs::for_tests()? });
            let mut cases = sound_files(&corpus.join("nffiles"))?;
            cases.extend(captures.into_iter().map(Case::Captured));
            cases.extend((0..METHODS.len()).map(Case::Generated));
            let asked = |case: &Case| QUESTIONS.map(|question| format!("{} {question:?}", case.name()));
            let names: Vec<String> = cases.iter().flat_map(asked).collect();
            trials.push(Trial::test("every_ruling_covers_a_case", move || every_ruling(RULED, &names)));
            for (number, case) in cases.into_iter().enumerate() {
                let bench = Arc::clone(&bench);
                trials.push(Trial::test(case.name(), move || {
                    bench.compare(&case, METHODS[number % METHODS.len()])
                }));
            }
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}

/// Where a file that we write comes from.
enum Case {
    /// A file of nfdump's, through `rdump -w`.
    Converted(PathBuf),
    /// A capture, through rcapd.
    Captured(PathBuf),
    /// Flows with everything, in the compression of this number.
    Generated(usize),
}

impl Case {
    fn name(&self) -> String {
        let last = |path: &Path, count: usize| {
            let parts: Vec<_> = path.iter().rev().take(count).map(|part| part.to_string_lossy()).collect();
            parts.into_iter().rev().collect::<Vec<_>>().join("/")
        };
        match self {
            Case::Converted(path) => format!("converted/{}", last(path, 2)),
            Case::Captured(path) => format!("captured/{}", last(path, 1)),
            Case::Generated(method) => format!("generated/{}", METHODS[*method]),
        }
    }
}

/// The sound files of every release.
fn sound_files(folder: &Path) -> anyhow::Result<Vec<Case>> {
    let mut files = Vec::new();
    for below in ["v1.6.13", "v1.6.25", "v1.7.1", "v1.7.8"] {
        for entry in fs::read_dir(folder.join(below))? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "nf") {
                files.push(path);
            }
        }
    }
    files.sort();
    anyhow::ensure!(files.len() > 100, "{} files in {}", files.len(), folder.display());
    Ok(files.into_iter().map(Case::Converted).collect())
}

struct Bench {
    nfdump: PathBuf,
    programs: Programs,
}

impl Bench {
    fn compare(&self, case: &Case, method: &str) -> Result<(), Failed> {
        let directory = tempfile::tempdir()?;
        let mut told = String::new();
        let files = self.write(case, method, directory.path())?;
        for question in QUESTIONS {
            let mut answers = Vec::new();
            for file in &files {
                let ask = |mut command: Command| {
                    command.args(question.arguments(file)).current_dir(directory.path()).env("TZ", "UTC");
                    command.env("LC_ALL", "C").stdin(Stdio::null()).output()
                };
                let (ours, theirs) = (ask(self.programs.command("rdump"))?, ask(Command::new(&self.nfdump))?);
                for (program, output) in [("rdump", &ours), ("nfdump", &theirs)] {
                    if !output.stderr.is_empty() || !output.status.success() {
                        let said = String::from_utf8_lossy(&output.stderr);
                        writeln!(told, "{question:?}: {program}: {}: {said}", output.status)?;
                    }
                }
                let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
                answers.push((text(ours.stdout), text(theirs.stdout)));
            }
            let name = format!("{} {question:?}", case.name());
            let ruled: Vec<&Ruled> = RULED.iter().filter(|ruled| matches(ruled.recordings, &name)).collect();
            let difference = under(&ruled, |ruled| {
                let of = |(ours, theirs): &(String, String)| {
                    difference(Some(question), false, ours, theirs, ruled)
                };
                Ok(answers.iter().map(of).collect())
            })?;
            if !difference.is_empty() {
                writeln!(told, "{question:?}: {difference}")?;
            }
        }
        if told.is_empty() { Ok(()) } else { Err(told.into()) }
    }

    /// Writes the files of a case; gives their names.
    fn write(&self, case: &Case, method: &str, directory: &Path) -> Result<Vec<String>, Failed> {
        let mut compress = vec!["--file-format", "nfdump"];
        let z = format!("-z={method}");
        if method != "none" {
            compress.push(&z);
        }
        match case {
            Case::Converted(file) => {
                let mut command = self.programs.command("rdump");
                command.arg("-r").arg(file).args(["-w", "file"]).args(compress).current_dir(directory);
                output(&mut command)?;
                Ok(vec!["file".to_owned()])
            }
            Case::Captured(capture) => {
                let mut command = self.programs.command("rcapd");
                command
                    .arg("-f")
                    .arg(capture)
                    .args(["-w", ".", "-I", "border"])
                    .args(compress)
                    .current_dir(directory);
                output(command.env("TZ", "UTC"))?;
                let mut files = Vec::new();
                for entry in fs::read_dir(directory)? {
                    let name = entry?.file_name().to_string_lossy().into_owned();
                    files.extend(name.starts_with("nfcapd.").then_some(name));
                }
                files.sort();
                Ok(files)
            }
            Case::Generated(method) => {
                generate(&directory.join("file"), METHODS[*method])?;
                Ok(vec!["file".to_owned()])
            }
        }
    }
}

/// A file of flows that have everything.
fn generate(path: &Path, method: &str) -> Result<(), Failed> {
    let compression = if method == "none" { BlockCompression::None } else { method.parse()? };
    let options = WriteOptions {
        ident: "everything".to_owned(),
        format: FileFormat::Nfdump { compression, release: NfdumpRelease::V1_7_1 },
        rule: CountRule::Collected,
        created_ms: 1_700_000_000_000,
    };
    let exporter = |sysid: u16, addr: IpAddr| {
        let ledger = LossLedger { datagrams: 7, flows: 90, sequence_failures: 2, ..LossLedger::default() };
        ExporterInfo { sysid, version: 9, addr, domain: 300 + u32::from(sysid), ledger }
    };
    let exporters = vec![exporter(1, [192, 0, 2, 1].into()), exporter(2, Ipv6Addr::LOCALHOST.into())];
    let sampler = |exporter, id| SamplerInfo { exporter, id, algorithm: 2, interval: 1, space: 99 };
    let samplers = vec![sampler(1, -1), sampler(1, 7), sampler(2, -2)];
    let mut writer = FileWriter::create(path, options)?;
    writer.announce(&exporters, &samplers, &[])?;
    writer.write(&everything())?;
    let finished = writer.finish(FileTail { exporters, samplers, ..FileTail::default() })?;
    if finished.omitted.is_empty() { Ok(()) } else { Err(finished.omitted.to_string().into()) }
}

/// Flows with each group of fields alone, and with all of them, of both families and of several protocols.
fn everything() -> FlowBatch {
    let mut builder = BatchBuilder::new();
    let known =
        |id: u8| id <= Groups::PF && ![Groups::SAMPLER, Groups::FRAME_META, Groups::FRAME].contains(&id);
    let alone = (Groups::MISC..=Groups::PF).filter(|&id| known(id)).map(|id| vec![id]);
    let all =
        vec![(Groups::MISC..=Groups::PF).filter(|&id| known(id) && id != Groups::NSEL).collect::<Vec<u8>>()];
    for (number, groups) in (1..).zip(alone.chain(all)) {
        for (is_v6, proto) in [(false, 6), (true, 17), (false, 1), (true, 58), (false, 132), (true, 6)] {
            for &field in &Field::ALL[1..] {
                let wanted = match field_info(field).group {
                    Group::Header => {
                        field != Field::EventTimeMs
                            || groups.iter().any(|id| [Groups::NSEL, Groups::NAT].contains(id))
                    }
                    Group::Extension(Groups::GENERIC) | Group::ByFamily(Groups::IPV4, _) => true,
                    Group::Extension(id) => groups.contains(&id),
                    Group::ByFamily(v4, v6) => groups.contains(if is_v6 { &v6 } else { &v4 }),
                };
                if wanted {
                    set(&mut builder, field, number, is_v6, proto);
                }
            }
            builder.finish_row();
        }
    }
    dns(&mut builder);
    builder.finish()
}

/// A question, and answers of those types that nfdump 1.7.1 shows without reading beyond them, over UDP and TCP.
fn dns(builder: &mut BatchBuilder) {
    let message = b"\x12\x34\x81\x80\x00\x01\x00\x05\x00\x00\x00\x00\
        \x05a(.)b\x07example\x03com\x00\x00\x01\x00\x01\
        \xc0\x0c\x00\x05\x00\x01\x00\x00\x0e\x10\x00\x06\x03w\x07b\xc0\x12\
        \xc0\x2f\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\xc0\x00\x02\x07\
        \xc0\x2f\x00\x1c\x00\x01\x00\x00\x0e\x10\x00\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\
        \xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x05\x00\x0a\x01m\x00\
        \xc0\x1a\x00\x02\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x12";
    for (proto, length) in [(17, &[][..]), (6, &(message.len() as u16).to_be_bytes()[..])] {
        builder.set(Field::Proto, proto);
        builder.set(Field::SrcPort, 53);
        builder.set_ip(Field::SrcAddr, [192, 0, 2, 53].into());
        builder.set_ip(Field::DstAddr, [192, 0, 2, 1].into());
        builder.set_bytes(Field::InPayload, &[length, message].concat());
        builder.finish_row();
    }
}

/// A value that fits the field, different from those of other fields and rows.
fn set(builder: &mut BatchBuilder, field: Field, number: u64, is_v6: bool, proto: u64) {
    let seed = u64::from(field.id()) * 131 + number * 7;
    let num = match field {
        Field::FirstMs => 1_700_000_000_000 + number * 1_003,
        Field::LastMs => 1_700_000_000_000 + number * 1_003 + 12_345,
        Field::ReceivedMs | Field::EventTimeMs => 1_700_000_100_000 + number * 1_001,
        Field::Proto => proto,
        Field::TunnelProto => 47,
        Field::ExporterId | Field::FwEvent | Field::NatEvent => 1 + number % 2,
        Field::NfVersion => [9, 10, 5, 0x85, 0x41, 0][number as usize % 6],
        Field::RecordFlags => number % 4,
        Field::SrcMask | Field::DstMask => 1 + seed % 32,
        Field::Direction | Field::BiflowDir => number % 2,
        Field::FlowEndReason => number % 6,
        Field::FwdStatus => 64,
        Field::SrcVlan | Field::DstVlan => 1 + seed % 4_094,
        Field::InPackets | Field::OutPackets => seed,
        Field::InBytes | Field::OutBytes => seed * 1_000,
        _ => seed * 977,
    };
    let bits = match field_info(field).kind {
        Kind::U8 => 8,
        Kind::U16 => 16,
        Kind::U32 => 31,
        _ => 48,
    };
    match (field_info(field).kind, field) {
        (Kind::Ip, _) if is_v6 => {
            builder.set_ip(field, Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(seed) << 40 | 7).into());
        }
        (Kind::Ip, _) => builder.set_ip(field, Ipv4Addr::from_bits(0x0a00_0000 + seed as u32).into()),
        (Kind::Bytes, Field::AppId) => builder.set_bytes(field, &[13, 0, number as u8, 1]),
        (Kind::Bytes, Field::OutPayload) => builder.set_bytes(field, &seed.to_be_bytes().repeat(3)),
        (Kind::Bytes, _) => builder.set_bytes(field, format!("text{seed}").as_bytes()),
        _ => builder.set(field, num & ((1 << bits) - 1)),
    }
}
