//! What was meant: arguments checked and turned into a collector's options.

use std::ffi::OsStr;
use std::fmt;
use std::net::IpAddr;

use flow_cli::compression_argument;
use flow_collect::{
    CollectorOptions, DEFAULT_MAX_SOURCES, Family, FileFormat, Hook, Identity, Input, Limits, Listen,
    MAX_REPEAT_TARGETS, MetricsAddress, Naming, PidFileError, PidFilePlace, RepeatError, RepeatTarget,
    SubDir, Tunnels, Zone,
};
use ipnet::IpNet;

use crate::args::Args;
use crate::source::{network, sources};

/// nfcapd's default.
pub(crate) const NETFLOW_PORT: &str = "9995";
/// sfcapd's default, which IANA has assigned to sFlow.
pub(crate) const SFLOW_PORT: &str = "6343";
const DEFAULT_INTERVAL_S: u32 = 300;
const DEFAULT_IDENT: &str = "none";

/// More than any machine can have files open for.
const MAX_SOURCES: usize = 1 << 20;

/// nfcapd's limit.
const MAX_IDENT_LEN: usize = 128;

/// nfcapd's limit.
const MAX_SAMPLING: u32 = 10_000_000;

/// Everything a run needs to know.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) collector: CollectorOptions,
    pub(crate) input: Input,
    pub(crate) daemon: bool,
    /// Look at the machine instead of collecting.
    pub(crate) doctor: bool,
    pub(crate) pid_file: Option<PidFilePlace>,
    /// About options that are accepted without effect.
    pub(crate) notes: Vec<String>,
}

/// Why there is no plan.
#[derive(Debug)]
pub(crate) enum PlanError {
    /// In nfcapd's words.
    Refused(String),
    /// The pid file.
    PidFile(PidFileError),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::Refused(text) => f.write_str(text),
            PlanError::PidFile(error) => error.fmt(f),
        }
    }
}

impl Plan {
    /// Checks the arguments, in the order in which mistakes are easiest to understand.
    pub(crate) fn new(args: Args, default_port: &str, now_ms: fn() -> u64) -> Result<Plan, PlanError> {
        let interval_s = interval(args.interval.as_deref())?;
        let layout = layout(args.layout.as_deref())?;
        let ident = ident(args.ident.clone())?;
        let format = file_format(&args)?;
        let (default_sampling, override_sampling) = sampling(args.sampling.as_deref())?;
        let family = match (args.ipv4, args.ipv6) {
            (true, true) => return Err(refused("ERROR, Accepts only one protocol IPv4 or IPv6!")),
            (true, false) => Family::V4,
            (false, true) => Family::V6,
            (false, false) => Family::Unspecified,
        };
        let receive_buffer = receive_buffer(args.receive_buffer.as_deref())?;
        let Bounds { limits, max_sources } = bounds(&args.limits)?;
        let allowed = allowed(&args.allow)?;
        let hook = args.execute.as_deref().map(hook).transpose()?;
        let repeat = repeat(&args.repeat)?;
        let metrics = args.metrics.as_deref().map(metrics).transpose()?;
        check_combinations(&args)?;
        let mut notes = notes(&args)?;
        notes.extend(format.warning().map(str::to_owned));
        let sources = sources(&args, ident)?;
        let group = args.multicast.as_deref().map(multicast_group).transpose()?;
        let identity = Identity::find(args.user.as_deref(), args.group.as_deref())
            .map_err(|error| refused(error.to_string()))?;
        let pid_file = args
            .pid_file
            .filter(|_| !args.doctor)
            .map(|path| PidFilePlace::check(&path))
            .transpose()
            .map_err(PlanError::PidFile)?;
        let input = if let Some(capture) = args.capture {
            Input::Capture(capture)
        } else {
            let ports = if args.ports.is_empty() { vec![default_port.to_owned()] } else { args.ports };
            let listen = |port| Listen { host: args.bind.clone(), group, port, family, receive_buffer };
            Input::Listen(ports.into_iter().map(listen).collect())
        };
        let naming = Naming { interval_s, layout, zone: Zone::Local, with_offset: args.zone_offset };
        let collector = CollectorOptions {
            sources,
            max_sources,
            allowed,
            naming,
            format,
            default_sampling,
            override_sampling,
            tunnels: if args.tunnels { Tunnels::Opened } else { Tunnels::Closed },
            limits,
            report_gaps: args.report_gaps,
            hook,
            expires: args.expire,
            metrics,
            repeat,
            identity,
            sandbox: !args.no_sandbox,
            removed_files: pid_file.iter().map(|place: &PidFilePlace| place.path().to_owned()).collect(),
            keeps_state: !args.no_state,
            sync: args.sync,
            now_ms,
        };
        Ok(Plan { collector, input, daemon: args.daemon, doctor: args.doctor, pid_file, notes })
    }
}

pub(crate) fn refused(text: impl Into<String>) -> PlanError {
    PlanError::Refused(text.into())
}

/// nfcapd refuses 1 as well; we can do it.
fn interval(text: Option<&str>) -> Result<u32, PlanError> {
    match text.map(str::parse) {
        None => Ok(DEFAULT_INTERVAL_S),
        Some(Ok(interval_s @ 1..)) => Ok(interval_s),
        Some(_) => Err(refused("time interval <= 2s not allowed")),
    }
}

fn layout(text: Option<&str>) -> Result<SubDir, PlanError> {
    let Some(text) = text else { return Ok(SubDir::Flat) };
    let layout = text.parse().ok().and_then(SubDir::from_level);
    layout.ok_or_else(|| refused(format!("No such subdir level {text}")))
}

fn ident(ident: Option<String>) -> Result<String, PlanError> {
    check_ident(ident.unwrap_or_else(|| DEFAULT_IDENT.to_owned())).map_err(refused)
}

pub(crate) fn check_ident(ident: String) -> Result<String, String> {
    if ident.contains(char::is_whitespace) {
        return Err(format!("spaces not allowed in ident string: {ident}"));
    }
    if ident.len() > MAX_IDENT_LEN {
        return Err(format!("ident string longer than {MAX_IDENT_LEN}: {ident}"));
    }
    Ok(ident)
}

fn hook(command: &OsStr) -> Result<Hook, PlanError> {
    Hook::parse(command).ok_or_else(|| refused("rcapd: -x: there is no command"))
}

fn repeat(targets: &[String]) -> Result<Vec<RepeatTarget>, PlanError> {
    if targets.len() > MAX_REPEAT_TARGETS {
        return Err(refused(format!("rcapd: -R: more than {MAX_REPEAT_TARGETS} targets")));
    }
    let parse = |text: &String| text.parse().map_err(|error: RepeatError| refused(format!("rcapd: {error}")));
    targets.iter().map(parse).collect()
}

fn metrics(text: &str) -> Result<MetricsAddress, PlanError> {
    MetricsAddress::parse(text).ok_or_else(|| {
        refused(format!("rcapd: --metrics takes ADDR:PORT or a path with a `/`, not `{text}`"))
    })
}

/// `--allow`
fn allowed(networks: &[String]) -> Result<Vec<IpNet>, PlanError> {
    let words = networks.iter().flat_map(|networks| networks.split(','));
    words
        .map(|word| network(word).ok_or_else(|| refused(format!("rcapd: --allow: no network: `{word}`"))))
        .collect()
}

fn multicast_group(text: &str) -> Result<IpAddr, PlanError> {
    let group = text.parse().ok().filter(IpAddr::is_multicast);
    group.ok_or_else(|| refused(format!("rcapd: -J: no multicast group: `{text}`")))
}

/// `--file-format`, `-z`, `-y` and `-j`
fn file_format(args: &Args) -> Result<FileFormat, PlanError> {
    let method = compression_argument(args.compress.as_deref(), args.lz4, args.bz2);
    let method = method.map_err(|error| refused(error.to_string()))?;
    let method = method.map(str::parse).transpose().map_err(|error| refused(format!("{error}")))?;
    FileFormat::named(args.file_format.as_deref(), method).map_err(|error| refused(error.to_string()))
}

pub(crate) fn sampling(text: Option<&str>) -> Result<(Option<u32>, Option<u32>), PlanError> {
    let Some(text) = text else { return Ok((None, None)) };
    let (digits, is_override) = text.strip_prefix('-').map_or((text, false), |digits| (digits, true));
    match digits.parse() {
        Ok(rate @ 1..=MAX_SAMPLING) if is_override => Ok((None, Some(rate))),
        Ok(rate @ 1..=MAX_SAMPLING) => Ok((Some(rate), None)),
        _ => Err(refused(format!("Invalid sampling rate: {text}"))),
    }
}

/// Everything that `--limit` can set.
pub(crate) struct Bounds {
    pub(crate) limits: Limits,
    pub(crate) max_sources: usize,
}

/// The collector's own bound, besides the decoder's.
pub(crate) const SOURCES_LIMIT: (&str, &str) =
    ("sources", "Directories that -M makes. Datagrams of further exporters are ignored and counted.");

/// Reads `--limit`.
pub(crate) fn bounds(settings: &[String]) -> Result<Bounds, PlanError> {
    let mut bounds = Bounds { limits: Limits::default(), max_sources: DEFAULT_MAX_SOURCES };
    for setting in settings {
        let (name, value) = setting
            .split_once('=')
            .ok_or_else(|| limit_error(&format!("--limit takes NAME=VALUE, not `{setting}`")))?;
        let value =
            value.parse().map_err(|_| limit_error(&format!("limit `{name}`: not a number: `{value}`")))?;
        if name == SOURCES_LIMIT.0 {
            bounds.max_sources = usize::try_from(value).unwrap_or(usize::MAX).min(MAX_SOURCES);
        } else {
            bounds.limits.set(name, value).map_err(|error| limit_error(&error))?;
        }
    }
    Ok(bounds)
}

fn limit_error(error: &dyn fmt::Display) -> PlanError {
    refused(format!("rcapd: {error}\nhint: `rcapd --limit list` names all limits"))
}

fn receive_buffer(text: Option<&str>) -> Result<Option<usize>, PlanError> {
    match text.map(str::parse::<u32>) {
        None => Ok(None),
        // The kernel takes a signed number and doubles it.
        Some(Ok(octets @ 1..)) => Ok(Some(octets.min(1 << 30) as usize)),
        Some(_) => Err(refused("Argument error for -B")),
    }
}

fn check_combinations(args: &Args) -> Result<(), PlanError> {
    if args.operands.len() > 1 {
        return Err(refused(format!("unexpected operand `{}`; see rcapd -h", args.operands[1])));
    }
    if args.multicast.is_some() && args.bind.is_some() {
        return Err(refused("ERROR, -b and -j are mutually exclusive!!"));
    }
    if args.expire && args.zone_offset {
        return Err(refused("ERROR, -Z timezone extension breaks expire -e"));
    }
    if args.device.is_some() {
        return Err(refused(
            "rcapd: -d: packets of an interface are not captured here\nhint: a flow probe on that machine can export to rcapd",
        ));
    }
    Ok(())
}

/// Options accepted without effect that somebody might rely on.
fn notes(args: &Args) -> Result<Vec<String>, PlanError> {
    let mut notes = Vec::new();
    if args
        .metric_interval
        .as_deref()
        .is_some_and(|text| text.parse::<u32>().map_or(true, |seconds| seconds < 10))
    {
        return Err(refused("metric interval < 10s not allowed"));
    }
    let without_effect = [
        (args.metric_interval.is_some() || args.metric_socket.is_some(), "-i and -m"),
        (args.print_records, "-E"),
        (args.yaf.is_some(), "-Y"),
    ];
    notes.extend(
        without_effect
            .into_iter()
            .filter(|(given, _)| *given)
            .map(|(_, option)| format!("{option}: accepted without effect")),
    );
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn the_port_is_what_was_typed_or_else_the_default() {
        let directory = tempfile::tempdir().unwrap();
        let port = |arguments: &[&str]| {
            let line = ["rcapd", "-w", directory.path().to_str().unwrap()];
            let args = Args::parse_from(line.iter().chain(arguments));
            match Plan::new(args, SFLOW_PORT, || 0).unwrap().input {
                Input::Listen(mut listen) => listen.remove(0).port,
                Input::Capture(_) => unreachable!("there is none"),
            }
        };
        assert_eq!(port(&[]), "6343");
        assert_eq!(port(&["-p", "2055"]), "2055");
    }
}
