//! What a capture tells about its exporters, as a report for people.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::ops::ControlFlow;
use std::path::Path;

use chrono::DateTime;
use flow_model::{BatchBuilder, ExportedInfo, LossLedger, NameKind, SamplerInfo, field_info};
use flow_wire::{
    Becomes, ClockSkew, Decoded, Decoder, DecoderOptions, Exporter, ExporterDescription, FieldDescription,
    SourceDescription, TemplateDescription,
};

use crate::capture::{CaptureError, CaptureReader, CaptureStats};
use crate::intake::cause;

/// Kinds of errors that are listed, an exporter's each by itself.
const MAX_ERRORS: usize = 1000;

/// What a capture tells about its exporters. Its text is a report for people, the same for the same capture.
#[derive(Debug)]
pub struct Explanation {
    exporters: Vec<ExporterDescription>,
    unattributed: LossLedger,
    /// The first error of each kind, and how many there were, by exporter.
    errors: BTreeMap<(IpAddr, &'static str), (String, u64)>,
    /// Errors of further kinds or exporters.
    other_errors: u64,
    stats: CaptureStats,
    /// Why the capture could not be read to its end.
    pub failure: Option<CaptureError>,
}

/// Decodes a capture and says what it tells about its exporters.
///
/// # Errors
/// When there is no capture; one that breaks off is explained as far as it goes.
pub fn explain(path: &Path, options: DecoderOptions) -> Result<Explanation, CaptureError> {
    let mut capture = CaptureReader::open(path)?;
    let mut decoder = Decoder::new(options);
    let mut builder = BatchBuilder::new();
    let mut errors = BTreeMap::new();
    let mut other_errors = 0;
    let mut note = |decoded: &Decoded, builder: &mut BatchBuilder| {
        if let Some(error) = decoded.error {
            let key = (error.addr, cause(&error.fault));
            if errors.contains_key(&key) || errors.len() < MAX_ERRORS {
                errors.entry(key).or_insert_with(|| (error.to_string(), 0)).1 += 1;
            } else {
                other_errors += 1;
            }
        }
        if builder.room() < options.limits.flows_per_datagram {
            let batch = builder.finish();
            builder.recycle(batch);
        }
    };
    let result = capture.read(|datagram| {
        let from = Exporter { addr: datagram.from.ip(), port: datagram.from.port() };
        let decoded = decoder.decode(from, datagram.received_ms, datagram.payload, &mut builder);
        note(&decoded, &mut builder);
        while decoder.has_pending() {
            let decoded = decoder.drain(&mut builder);
            note(&decoded, &mut builder);
        }
        ControlFlow::Continue(())
    });
    Ok(Explanation {
        exporters: decoder.describe(),
        unattributed: decoder.take_unattributed(),
        errors,
        other_errors,
        stats: capture.stats(),
        failure: result.err(),
    })
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.stats)?;
        for exporter in &self.exporters {
            writeln!(f)?;
            write_exporter(f, exporter)?;
        }
        let LossLedger { datagrams, malformed, refused, .. } = self.unattributed;
        if datagrams > 0 {
            writeln!(f, "\nof no exporter: datagrams {datagrams}, malformed {malformed}, refused {refused}")?;
        }
        if !self.errors.is_empty() {
            writeln!(f, "\nerrors, the first of each kind:")?;
            for (text, count) in self.errors.values() {
                writeln!(f, "  {count:>6}  {text}")?;
            }
        }
        if self.other_errors > 0 {
            writeln!(f, "  {:>6}  of other exporters and kinds", self.other_errors)?;
        }
        Ok(())
    }
}

fn write_exporter(f: &mut fmt::Formatter<'_>, exporter: &ExporterDescription) -> fmt::Result {
    let ExporterDescription { info, protocol, agent, port, .. } = exporter;
    write!(f, "exporter {}: {protocol} from {}", info.sysid, info.addr)?;
    if let Some(port) = port {
        write!(f, " port {port}")?;
    }
    match (info.version, agent) {
        (9999, Some(agent)) => writeln!(f, ", agent {agent}, sub-agent {}", info.domain)?,
        (9999, None) => writeln!(f, ", sub-agent {}", info.domain)?,
        (1, _) => writeln!(f)?,
        (5 | 7, _) => {
            writeln!(f, ", engine type {}, engine id {}", info.domain >> 8 & 0xff, info.domain & 0xff)?;
        }
        _ => writeln!(f, ", domain {}", info.domain)?,
    }
    let ledger = &info.ledger;
    writeln!(f, "  received   datagrams {}, flows {}", ledger.datagrams, ledger.flows)?;
    write_sequence(f, exporter)?;
    if let Some(skew) = exporter.skew {
        write_skew(f, skew)?;
    }
    if let Some(init_ms) = exporter.init_ms {
        writeln!(f, "  started    {}", date(init_ms))?;
    }
    if let Some(ExportedInfo { octets, messages, flows, .. }) = exporter.exported {
        writeln!(f, "  says sent  messages {messages}, flows {flows}, octets {octets}")?;
    }
    let lost = [
        ("sets without template", ledger.no_template),
        ("malformed", ledger.malformed),
        ("refused", ledger.refused),
        ("sets waiting", exporter.sets_waiting as u64),
    ];
    write_counts(f, "  not stored ", &lost)?;
    let names: Vec<_> = exporter.names.iter().map(|&(kind, count)| (kind_name(kind), count as u64)).collect();
    write_counts(f, "  names      ", &names)?;
    if !exporter.samplers.is_empty() {
        writeln!(f, "  samplers")?;
        exporter.samplers.iter().try_for_each(|sampler| write_sampler(f, sampler))?;
    }
    let samples = [
        ("of counters", exporter.counter_samples),
        ("of discarded packets", exporter.discarded_packets),
        ("of further sources", exporter.other_samples),
    ];
    write_counts(f, "  samples    ", &samples)?;
    if !exporter.sources.is_empty() {
        writeln!(f, "  sources")?;
        exporter.sources.iter().try_for_each(|source| write_source(f, source))?;
    }
    if !exporter.quirks.is_empty() {
        writeln!(f, "  quirks")?;
        for (quirk, count) in &exporter.quirks {
            writeln!(f, "    {count:>8}  {}", quirk.text())?;
        }
    }
    if !exporter.skipped.is_empty() || exporter.skipped_others > 0 {
        let what = if info.version == 9999 {
            "formats without a field, and how often they came"
        } else {
            "elements without a field, and records that had them"
        };
        writeln!(f, "  {what}")?;
        for element in &exporter.skipped {
            let number = element_number(element.enterprise, element.id);
            let name = element.name.as_deref().unwrap_or("unknown");
            writeln!(f, "    {:>8}  {number:<12} {name}", element.records)?;
        }
        if exporter.skipped_others > 0 {
            writeln!(f, "    {:>8}  others", exporter.skipped_others)?;
        }
    }
    if exporter.templates_expired > 0 {
        writeln!(f, "  templates neither sent nor used for too long: {}", exporter.templates_expired)?;
    }
    exporter.templates.iter().try_for_each(|template| write_template(f, template))
}

fn write_sequence(f: &mut fmt::Formatter<'_>, exporter: &ExporterDescription) -> fmt::Result {
    let ledger = &exporter.info.ledger;
    let unit = match exporter.info.version {
        1 => return writeln!(f, "  sequence   none in this protocol"),
        5 | 7 | 10 => "flows",
        _ => "datagrams",
    };
    write!(f, "  sequence   missed {} {unit}, discontinuities {}", ledger.missed, ledger.sequence_failures)?;
    write!(f, ", late or doubled {}, restarts {}", exporter.late_datagrams, exporter.restarts)?;
    match exporter.expected_sequence {
        Some(next) => writeln!(f, ", next {next}"),
        None => writeln!(f),
    }
}

fn write_skew(f: &mut fmt::Formatter<'_>, skew: ClockSkew) -> fmt::Result {
    let ClockSkew { least_ms, most_ms, last_ms } = skew;
    let [last, least, most] = [last_ms, least_ms, most_ms].map(|ms| ms as f64 / 1000.0);
    writeln!(f, "  clock      {last:.3} s behind the time of receipt (from {least:.3} to {most:.3})")
}

/// The counts that are not 0, if there are any.
fn write_counts(f: &mut fmt::Formatter<'_>, heading: &str, counts: &[(&str, u64)]) -> fmt::Result {
    let parts: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(what, count)| format!("{what} {count}"))
        .collect();
    if parts.is_empty() { Ok(()) } else { writeln!(f, "{heading}{}", parts.join(", ")) }
}

fn write_sampler(f: &mut fmt::Formatter<'_>, sampler: &SamplerInfo) -> fmt::Result {
    let SamplerInfo { id, algorithm, interval, space, .. } = *sampler;
    let whose = match (id, SamplerInfo::interface(id), SamplerInfo::template(id)) {
        (_, Some(index), _) => format!("interface {index}"),
        (_, _, Some(template)) => format!("template {template}"),
        (-1, ..) => "generic".to_owned(),
        (-2, ..) => "default, by option".to_owned(),
        (-3, ..) => "override, by option".to_owned(),
        _ => format!("id {id}"),
    };
    let of = u64::from(interval) + u64::from(space);
    writeln!(f, "    {whose}: {interval} of {of} packets, algorithm {algorithm}")
}

fn write_source(f: &mut fmt::Formatter<'_>, source: &SourceDescription) -> fmt::Result {
    let &SourceDescription { class, index, rate, samples, missed, dropped, .. } = source;
    let class = match class {
        0 => "interface",
        1 => "VLAN",
        2 => "entity",
        _ => "other",
    };
    writeln!(
        f,
        "    {class} {index}: 1 of {rate} packets, samples {samples}, missed {missed}, dropped by the agent {dropped}"
    )
}

fn write_template(f: &mut fmt::Formatter<'_>, template: &TemplateDescription) -> fmt::Result {
    let TemplateDescription { id, is_options, fields, records, sent, .. } = template;
    let kind = if *is_options { "options template" } else { "template" };
    writeln!(f, "  {kind} {id}: fields {}, records {records}, sent {sent}", fields.len())?;
    for FieldDescription { enterprise, id, name, len, becomes, .. } in fields {
        let number = element_number(*enterprise, *id);
        let len = len.map_or_else(|| "var".to_owned(), |len| len.to_string());
        let name = name.as_deref().unwrap_or("unknown");
        let becomes = match *becomes {
            Becomes::Field(field) => format!("-> {}", field_info(field).name),
            Becomes::PassedOver(field) => format!("another is preferred for {}", field_info(field).name),
            Becomes::Context => "used for times and sampling".to_owned(),
            Becomes::List => "fills what the record lacks".to_owned(),
            Becomes::Scope => "scope".to_owned(),
            Becomes::Statement => "kept".to_owned(),
            _ => "skipped".to_owned(),
        };
        writeln!(f, "    {number:<12} {name:<36} {len:>5}  {becomes}")?;
    }
    Ok(())
}

/// An element's number, that of its enterprise before it.
fn element_number(enterprise: u32, id: u16) -> String {
    if enterprise == 0 { id.to_string() } else { format!("{enterprise}:{id}") }
}

fn kind_name(kind: NameKind) -> &'static str {
    match kind {
        NameKind::Interface => "interfaces",
        NameKind::InterfaceDescription => "interface descriptions",
        NameKind::Vrf => "VRFs",
        NameKind::Application => "applications",
        NameKind::ApplicationDescription => "application descriptions",
        _ => "others",
    }
}

fn date(unix_ms: u64) -> String {
    let date = i64::try_from(unix_ms).ok().and_then(DateTime::from_timestamp_millis);
    date.map_or_else(|| format!("{unix_ms} ms"), |date| date.format("%F %T%.3f UTC").to_string())
}
