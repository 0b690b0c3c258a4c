//! What stands in a collector's way on this machine, and what to do about it.
//!
//! [`examine`] looks at what a collector with the same options would use, changes nothing, and may be run while one is at
//! work.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use chrono::Local;
use flow_file::{COLLECTOR_LOCK, FlowFile};
use flow_retain::{Inventory, StoredFile};
use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, Uid, access};

use crate::collector::{CollectorOptions, FILES_PER_SOURCE, files_of};
use crate::process::{is_collector, raise_file_limit};
use crate::socket::{DEFAULT_RECEIVE_BUFFER, Listen, ListenError, Listener, MIN_RECEIVE_BUFFER};
use crate::source::Sources;

/// Before this, no clock that was ever set has stood: 2020-01-01.
const EARLIEST_MS: u64 = 1_577_836_800_000;

/// Written to find out how fast the disk is.
const SPEED_OCTETS: usize = 16 << 20;

/// Slower than this, a disk cannot keep up with a million flows a second at 30 octets each.
const SLOW_OCTETS_PER_S: u64 = 30_000_000;

/// Less free space than this is worth a word, and less than the second trouble.
const LITTLE_SPACE: u64 = 5 << 30;
const NO_SPACE: u64 = 100 << 20;

/// The newest files of a source in which exporters are looked for.
const RECENT_FILES: usize = 24;

/// Sources of which files are looked at.
const MAX_SOURCES: usize = 1000;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// As it should be.
    Fine,
    /// Flows may be lost under circumstances.
    Doubt,
    /// A collector will not start, or loses flows.
    Trouble,
}

/// Something that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was looked at, in a word or two.
    pub subject: &'static str,
    /// What was found.
    pub text: String,
    /// What to do.
    pub advice: Option<String>,
}

impl Finding {
    fn fine(subject: &'static str, text: impl Into<String>) -> Finding {
        Finding { severity: Severity::Fine, subject, text: text.into(), advice: None }
    }

    fn doubt(subject: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { severity: Severity::Doubt, subject, text: text.into(), advice: Some(advice.into()) }
    }

    fn trouble(subject: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Finding {
        Finding { severity: Severity::Trouble, ..Finding::doubt(subject, text, advice) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Fine => "ok",
            Severity::Doubt => "doubt",
            Severity::Trouble => "TROUBLE",
        };
        write!(f, "{severity:<8}{}: {}", self.subject, self.text)?;
        match &self.advice {
            Some(advice) => write!(f, "\n        -> {advice}"),
            None => Ok(()),
        }
    }
}

/// Looks at everything that matters to a collector with these options.
pub fn examine(options: &CollectorOptions, addresses: &[Listen]) -> Vec<Finding> {
    let mut findings = vec![clock((options.now_ms)())];
    findings.extend(addresses.iter().map(port));
    findings.push(receive_buffer(addresses));
    findings.push(reverse_path(&rp_filters(Path::new("/proc/sys/net/ipv4/conf"))));
    let directories = match &options.sources {
        Sources::Listed(sources) => {
            sources.iter().map(|source| (source.ident.clone(), source.directory.clone())).collect()
        }
        Sources::Dynamic(directory) => {
            findings.push(open_files(options.max_sources, raise_file_limit(files_of(options.max_sources))));
            findings.extend(directory_of(directory));
            below(directory)
        }
    };
    for (ident, directory) in directories.iter().take(MAX_SOURCES) {
        if matches!(options.sources, Sources::Listed(_)) {
            findings.extend(directory_of(directory));
        }
        findings.extend(exporters(ident, directory, (options.now_ms)()));
    }
    findings
}

fn clock(now_ms: u64) -> Finding {
    if now_ms < EARLIEST_MS {
        let text = "the clock stands before 2020, and files are named after it";
        return Finding::trouble("clock", text, "set it, and keep it right with an NTP service");
    }
    // What systemd-timesyncd, chrony and ntpd leave when they have the time.
    let keepers =
        ["/run/systemd/timesync/synchronized", "/run/chrony", "/var/lib/ntp/ntp.drift", "/run/ntpd.pid"];
    match keepers.iter().find(|path| Path::new(path).exists()) {
        Some(path) => Finding::fine("clock", format!("kept right by a service ({path})")),
        None => Finding::doubt(
            "clock",
            "no sign of a service that keeps it right",
            "when it drifts, flows are filed at the wrong time: run chrony or systemd-timesyncd",
        ),
    }
}

fn port(listen: &Listen) -> Finding {
    match Listener::open(listen) {
        Ok(_) => Finding::fine("port", format!("{} can be listened at", listen.port)),
        Err(error @ ListenError::Bind("Address already in use")) => Finding::doubt(
            "port",
            format!("{}: {error}", listen.port),
            "`ss -lunp` shows who has it; if that is the collector itself, all is well",
        ),
        Err(error) => Finding::trouble(
            "port",
            format!("{}: {error}", listen.port),
            "ports below 1024 need privileges; choose another with -p, or another address with -b",
        ),
    }
}

fn receive_buffer(addresses: &[Listen]) -> Finding {
    let asked = addresses.first().and_then(|listen| listen.receive_buffer);
    let wanted = asked.map_or(DEFAULT_RECEIVE_BUFFER, |octets| octets.max(MIN_RECEIVE_BUFFER));
    let allowed = read_number(Path::new("/proc/sys/net/core/rmem_max"));
    buffer_finding(wanted, allowed, Uid::effective().is_root())
}

fn buffer_finding(wanted: usize, allowed: Option<u64>, may_exceed: bool) -> Finding {
    let subject = "receive buffer";
    match allowed {
        Some(allowed) if allowed >= wanted as u64 => {
            Finding::fine(subject, format!("{wanted} octets, and net.core.rmem_max allows {allowed}"))
        }
        Some(allowed) if may_exceed => Finding::fine(
            subject,
            format!("{wanted} octets, beyond net.core.rmem_max = {allowed} because we are root"),
        ),
        Some(allowed) => Finding::doubt(
            subject,
            format!("net.core.rmem_max allows {allowed} octets of {wanted}; bursts beyond are lost"),
            format!("sysctl -w net.core.rmem_max={wanted}, and the same in /etc/sysctl.d"),
        ),
        None => {
            Finding::doubt(subject, "net.core.rmem_max cannot be read", "see what the log says at the start")
        }
    }
}

/// The filter of each interface.
fn rp_filters(conf: &Path) -> BTreeMap<String, u64> {
    let interfaces = fs::read_dir(conf).into_iter().flatten().filter_map(Result::ok);
    interfaces
        .filter_map(|entry| {
            Some((entry.file_name().into_string().ok()?, read_number(&entry.path().join("rp_filter"))?))
        })
        .collect()
}

/// The kernel takes the larger of an interface's and the one of `all` (its ip-sysctl.rst); 1 is strict.
fn reverse_path(filters: &BTreeMap<String, u64>) -> Finding {
    let all = filters.get("all").copied().unwrap_or(0);
    let strict: Vec<&str> = filters
        .iter()
        .filter(|(name, filter)| !["all", "default", "lo"].contains(&name.as_str()) && all.max(**filter) == 1)
        .map(|(name, _)| name.as_str())
        .collect();
    if strict.is_empty() {
        return Finding::fine("reverse path", "no interface drops datagrams for the way they came");
    }
    Finding::doubt(
        "reverse path",
        format!(
            "{}: datagrams of exporters that are not routed back the same way are dropped, and nobody counts them",
            strict.join(", ")
        ),
        "if exporters are missing: sysctl -w net.ipv4.conf.all.rp_filter=2",
    )
}

fn open_files(max_sources: usize, limit: u64) -> Finding {
    let enough_for = limit.saturating_sub(files_of(0)) / FILES_PER_SOURCE as u64;
    if enough_for >= max_sources as u64 {
        return Finding::fine("open files", format!("{limit} allowed, enough for {max_sources} sources"));
    }
    Finding::doubt(
        "open files",
        format!("{limit} allowed, enough for {enough_for} of {max_sources} sources"),
        "raise LimitNOFILE of the service, or ulimit -Hn",
    )
}

/// Whether one can write there, how much, how fast, and who else does.
fn directory_of(directory: &Path) -> Vec<Finding> {
    let subject = "data directory";
    let place = directory.display();
    if access(directory, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        let advice = "make it, or give it to the user of -u";
        return vec![Finding::trouble(subject, format!("{place} cannot be written to"), advice)];
    }
    let mut findings = Vec::new();
    let holder =
        fs::read_to_string(directory.join(COLLECTOR_LOCK)).ok().and_then(|pid| pid.trim().parse().ok());
    if let Some(pid) = holder.filter(|&pid| is_collector(pid)) {
        findings.push(Finding::fine(subject, format!("{place}: the collector with pid {pid} writes to it")));
    }
    findings.push(match statvfs(directory) {
        Ok(space) => space_finding(directory, space.blocks_available().saturating_mul(space.fragment_size())),
        Err(error) => Finding::doubt(subject, format!("{place}: {error}"), "see whether the disk is well"),
    });
    findings.push(match speed(directory) {
        Ok(octets_per_s) if octets_per_s >= SLOW_OCTETS_PER_S => {
            Finding::fine("disk speed", format!("{place}: {} MB/s", octets_per_s / 1_000_000))
        }
        Ok(octets_per_s) => Finding::doubt(
            "disk speed",
            format!("{place}: {} MB/s", octets_per_s / 1_000_000),
            "enough for some hundred thousand flows a second; for more, a faster disk",
        ),
        Err(error) => {
            Finding::trouble("disk speed", format!("{place}: {error}"), "see whether the disk is full or ill")
        }
    });
    findings
}

fn space_finding(directory: &Path, free: u64) -> Finding {
    let text = format!("{}: {} MB free", directory.display(), free / 1_000_000);
    let advice = "let files expire: rexpire -u DIR -s SIZE -t AGE, and rcapd -e or rexpire -e in cron";
    match free {
        0..NO_SPACE => Finding::trouble("disk space", text, advice),
        NO_SPACE..LITTLE_SPACE => Finding::doubt("disk space", text, advice),
        _ => Finding::fine("disk space", text),
    }
}

/// Octets a second, written to the end.
fn speed(directory: &Path) -> std::io::Result<u64> {
    // A name that readers and nfdump's tools leave alone.
    let path = directory.join(format!("{COLLECTOR_LOCK}.speed.{}", std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path)?;
        // Not all zeros, which a disk might not write at all.
        let block: Vec<u8> =
            (0..1_u32 << 18).flat_map(|word| word.wrapping_mul(0x9e37_79b9).to_le_bytes()).collect();
        let start = Instant::now();
        for _ in 0..SPEED_OCTETS / block.len() {
            file.write_all(&block)?;
        }
        file.sync_all()?;
        let nanos = start.elapsed().as_nanos().max(1);
        Ok(u64::try_from(SPEED_OCTETS as u128 * 1_000_000_000 / nanos).unwrap_or(u64::MAX))
    })();
    match fs::remove_file(&path) {
        Ok(()) => written,
        Err(error) => written.and(Err(error)),
    }
}

/// Directories below one of dynamic sources.
fn below(directory: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    let mut found: Vec<(String, PathBuf)> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .collect();
    found.sort();
    found
}

/// What the newest files say: who has fallen silent, and what was lost.
fn exporters(ident: &str, directory: &Path, now_ms: u64) -> Vec<Finding> {
    let Ok(inventory) = Inventory::scan(directory, &Local) else { return Vec::new() };
    let files = inventory.files();
    let mut recent = files.iter().rev().take(RECENT_FILES);
    let Some(newest) = recent.next() else { return Vec::new() };
    let Ok(last) = FlowFile::open(&newest.path) else { return Vec::new() };
    let mut findings = Vec::new();
    let start_ms = u64::try_from(newest.start_s).unwrap_or(0) * 1000;
    if start_ms > now_ms {
        findings.push(Finding::doubt(
            "clock",
            format!("{ident}: {} is from the future", name_of(newest)),
            "the clock was set back: files of one time are merged",
        ));
    }
    let drops = last.ledger().kernel_drops;
    if drops > 0 {
        findings.push(Finding::doubt(
            "kernel drops",
            format!("{ident}: {drops} datagrams in {}", name_of(newest)),
            "a larger receive buffer (-B, net.core.rmem_max), or fewer other things on this machine",
        ));
    }
    let heard = |file: &FlowFile| -> Vec<IpAddr> {
        let heard = file.exporters().iter().filter(|exporter| exporter.ledger.datagrams > 0);
        heard.map(|exporter| exporter.addr).collect()
    };
    let now: Vec<IpAddr> = heard(&last);
    let mut before: BTreeMap<IpAddr, String> = BTreeMap::new();
    for older in recent {
        let Ok(file) = FlowFile::open(&older.path) else { continue };
        for exporter in heard(&file) {
            before.entry(exporter).or_insert_with(|| name_of(older));
        }
    }
    for (exporter, file) in before.iter().filter(|(exporter, _)| !now.contains(exporter)) {
        findings.push(Finding::doubt(
            "silent exporter",
            format!("{ident}: {exporter} was heard in {file} for the last time"),
            "see whether it still exports to this address and port, and whether a firewall is between",
        ));
    }
    if findings.is_empty() {
        let text = format!("{ident}: {} heard in {}", now.len(), name_of(newest));
        findings.push(Finding::fine("exporters", text));
    }
    findings
}

fn name_of(file: &StoredFile) -> String {
    file.path.file_name().unwrap_or_default().display().to_string()
}

fn read_number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_plausible() {
        assert_eq!(clock(0).severity, Severity::Trouble);
        assert!(clock(1_700_000_000_000).severity < Severity::Trouble);
    }

    #[test]
    fn a_small_buffer_is_told_with_what_to_do() {
        assert_eq!(buffer_finding(100, Some(100), false).severity, Severity::Fine);
        assert_eq!(buffer_finding(100, Some(99), true).severity, Severity::Fine);
        assert_eq!(
            buffer_finding(33_554_432, Some(212_992), false).to_string(),
            "doubt   receive buffer: net.core.rmem_max allows 212992 octets of 33554432; bursts beyond are lost\n        \
             -> sysctl -w net.core.rmem_max=33554432, and the same in /etc/sysctl.d"
        );
    }

    #[test]
    fn the_stricter_of_two_filters_counts_and_loose_is_looser() {
        let finding = |filters: &[(&str, u64)]| {
            reverse_path(&filters.iter().map(|(name, filter)| ((*name).to_owned(), *filter)).collect())
        };
        assert_eq!(finding(&[("all", 0), ("lo", 1), ("default", 1), ("eth0", 0)]).severity, Severity::Fine);
        assert_eq!(finding(&[("all", 2), ("eth0", 1)]).severity, Severity::Fine);
        let strict = finding(&[("all", 1), ("eth0", 0), ("eth1", 2)]);
        assert!(strict.text.starts_with("eth0: ") && strict.severity == Severity::Doubt, "{strict}");
    }

    #[test]
    fn little_space_and_few_files_are_told() {
        let space = |free| space_finding(Path::new("/x"), free).severity;
        assert_eq!(
            [space(1 << 20), space(1 << 30), space(1 << 40)],
            [Severity::Trouble, Severity::Doubt, Severity::Fine]
        );
        assert_eq!(open_files(10, files_of(10)).severity, Severity::Fine);
        assert!(open_files(10, files_of(10) - 1).text.ends_with("enough for 9 of 10 sources"));
    }

    #[test]
    fn the_disk_is_measured_and_nothing_stays() {
        let directory = tempfile::tempdir().unwrap();
        assert!(speed(directory.path()).unwrap() > 0);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
        assert!(speed(&directory.path().join("no")).is_err());
    }
}
