//! The flows as a capture, as our files, and as nfcapd's files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use chrono::{DateTime, Utc};
use flow_testkit::traffic::{Datagram, Profile};

use super::Peer;
use super::feed::{feed, nfcapd};
use super::report::{Goal, Report};
use crate::capture::{open, write_capture};
use crate::process::{free_port, measure};
use crate::programs::Programs;

const SLOT_MS: u64 = 300_000;
/// Files of the start-up test.
const MANY_FILES: u64 = 2000;

/// Where everything lies.
#[derive(Debug)]
pub(super) struct Data {
    /// Flows in each of the directories below.
    pub(super) flows: u64,
    /// The benchmark's directory.
    pub(super) directory: PathBuf,
    /// When the traffic starts, milliseconds since 1970.
    pub(super) start_ms: u64,
    /// How long it takes.
    pub(super) span_ms: u64,
}

/// Directories of the same flows.
#[derive(Clone, Copy, Debug)]
pub(super) enum Set {
    /// All flows in one file.
    Whole,
    /// One file for every five minutes.
    Slots,
    /// One small file under two thousand names.
    Many,
}

impl Set {
    fn name(self) -> &'static str {
        match self {
            Self::Whole => "whole",
            Self::Slots => "slots",
            Self::Many => "many",
        }
    }
}

impl Data {
    /// Makes what is missing: the capture and nfcapd's files are kept between runs, ours are written by the programs just
    /// built.
    pub(super) fn prepare(
        directory: &Path,
        flows: u64,
        programs: &Programs,
        peer: Option<&Peer>,
        fresh: bool,
        report: &mut Report,
    ) -> Result<Self> {
        let profile = Profile::day(flows);
        let data = Self {
            flows,
            directory: directory.to_owned(),
            start_ms: profile.start_ms,
            span_ms: profile.span_ms,
        };
        fs::create_dir_all(directory).with_context(|| format!("creating {}", directory.display()))?;
        data.make_capture(&profile)?;
        data.make_ours(programs, report)?;
        if let Some(peer) = peer {
            data.make_theirs(peer, fresh)?;
            let (ours, theirs) = (data.ours(Set::Whole), data.theirs(Set::Whole));
            report.per_flow(
                "octets on disk per flow",
                size(&ours)?,
                Some(size(&theirs)?),
                flows,
                Goal::Part(0.6),
            );
        } else {
            report.per_flow(
                "octets on disk per flow",
                size(&data.ours(Set::Whole))?,
                None,
                flows,
                Goal::Part(0.6),
            );
        }
        Ok(data)
    }

    /// Our files.
    pub(super) fn ours(&self, set: Set) -> PathBuf {
        self.directory.join(format!("ours-{}", set.name()))
    }

    /// nfcapd's files.
    pub(super) fn theirs(&self, set: Set) -> PathBuf {
        self.directory.join(format!("nfdump-{}", set.name()))
    }

    /// An empty directory.
    pub(super) fn empty(&self, name: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        empty(&path)?;
        Ok(path)
    }

    /// First and last name of the five-minute files.
    pub(super) fn slot_range(&self) -> String {
        format!("{}:{}", slot_name(self.start_ms), slot_name(self.start_ms + self.span_ms - SLOT_MS))
    }

    fn capture(&self) -> PathBuf {
        self.directory.join("traffic.pcap")
    }

    fn make_capture(&self, profile: &Profile) -> Result<()> {
        // A capture of another version of the generator would be another measurement.
        let stamp = self.directory.join("traffic.stamp");
        let wanted = format!("{profile:?}");
        if self.capture().exists() && fs::read_to_string(&stamp).is_ok_and(|text| text == wanted) {
            return Ok(());
        }
        println!("generating {} flows", self.flows);
        let part = self.directory.join("traffic.part");
        write_capture(profile, &part)?;
        fs::rename(&part, self.capture()).context("renaming the capture")?;
        for set in [Set::Whole, Set::Slots, Set::Many] {
            let _ = fs::remove_file(complete_mark(&self.theirs(set)));
        }
        fs::write(&stamp, wanted).context("writing the capture's stamp")
    }

    fn make_ours(&self, programs: &Programs, report: &mut Report) -> Result<()> {
        for (set, interval) in [(Set::Whole, "86400"), (Set::Slots, "300")] {
            let directory = self.empty(&format!("ours-{}", set.name()))?;
            println!("rcapd -f, {} files", set.name());
            let log = fs::File::create(self.directory.join("ours.log")).context("log")?;
            let mut command = programs.command("rcapd");
            command
                .arg("-f")
                .arg(self.capture())
                .arg("-w")
                .arg(&directory)
                .args(["-t", interval])
                .stderr(log);
            let cost = measure(&mut command)?;
            let stored = count_flows(&mut programs.command("rdump"), &directory)?;
            ensure!(stored == self.flows, "rcapd stored {stored} of {} flows", self.flows);
            if matches!(set, Set::Whole) {
                report.alone("ingest from a capture (rcapd -f)", cost, self.flows);
            }
        }
        link_many(&self.ours(Set::Slots), &self.ours(Set::Many))
    }

    fn make_theirs(&self, peer: &Peer, fresh: bool) -> Result<()> {
        let whole = self.theirs(Set::Whole);
        if fresh || !complete_mark(&whole).exists() {
            println!("nfcapd, one file");
            empty(&whole)?;
            let datagrams = open(&self.capture())?.map(|datagram| datagram.context("reading the capture"));
            self.feed_nfcapd(peer, &whole, "86400", datagrams)?;
            self.complete(peer, &whole)?;
        }
        let slots = self.theirs(Set::Slots);
        if fresh || !complete_mark(&slots).exists() {
            println!("nfcapd, one file for every five minutes");
            empty(&slots)?;
            self.make_their_slots(peer, &slots)?;
            self.complete(peer, &slots)?;
        }
        link_many(&slots, &self.theirs(Set::Many))
    }

    /// nfcapd files flows under the time of their arrival. For five-minute files of a day it is started once for each: it
    /// gets the datagrams of that slot, and its file is renamed.
    fn make_their_slots(&self, peer: &Peer, slots: &Path) -> Result<()> {
        let mut datagrams = open(&self.capture())?.peekable();
        let scratch = self.directory.join("nfdump-slot");
        while let Some(first) = datagrams.peek() {
            let slot = match first {
                Ok(datagram) => datagram.sent_ms / SLOT_MS,
                Err(error) => bail!("reading the capture: {error}"),
            };
            let same = |next: &Result<Datagram, std::io::Error>| {
                next.as_ref().is_ok_and(|datagram| datagram.sent_ms / SLOT_MS == slot)
            };
            empty(&scratch)?;
            let part = std::iter::from_fn(|| datagrams.next_if(same))
                .map(|next| next.context("reading the capture"));
            self.feed_nfcapd(peer, &scratch, "86400", part)?;
            let name = slot_name(slot * SLOT_MS);
            let made = data_files(&scratch)?;
            let [file] = made.as_slice() else {
                bail!("nfcapd wrote {} files for {name}: midnight passed? Run again", made.len());
            };
            fs::rename(file, slots.join(&name)).with_context(|| format!("renaming to {name}"))?;
        }
        let _ = fs::remove_dir_all(&scratch);
        Ok(())
    }

    fn feed_nfcapd(
        &self,
        peer: &Peer,
        directory: &Path,
        interval: &str,
        datagrams: impl Iterator<Item = Result<Datagram>>,
    ) -> Result<()> {
        let port = free_port()?;
        let log = self.directory.join("nfcapd.log");
        feed(nfcapd(peer, directory, port, interval), port, &log, None, datagrams)?;
        Ok(())
    }

    /// Counts, and marks the directory as whole.
    fn complete(&self, peer: &Peer, directory: &Path) -> Result<()> {
        let stored = count_flows(&mut Command::new(&peer.nfdump), directory)?;
        ensure!(
            stored == self.flows,
            "nfcapd stored {stored} of {} flows in {}",
            self.flows,
            directory.display()
        );
        fs::write(complete_mark(directory), "").context("marking nfcapd's files")
    }
}

/// The name of the slot that begins at `at_ms`, in UTC.
fn slot_name(at_ms: u64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(at_ms.cast_signed()).unwrap_or_default();
    time.format("nfcapd.%Y%m%d%H%M").to_string()
}

/// `yyyy/mm/dd.hh:mm:ss`, as `-t` takes it.
pub(super) fn window_time(at_ms: u64) -> String {
    let time = DateTime::<Utc>::from_timestamp_millis(at_ms.cast_signed()).unwrap_or_default();
    time.format("%Y/%m/%d.%H:%M:%S").to_string()
}

/// What `-R directory -I` counts.
///
/// # Errors
///
/// When the program fails or prints no count.
pub(super) fn count_flows(program: &mut Command, directory: &Path) -> Result<u64> {
    let output =
        program.env("TZ", "UTC").arg("-R").arg(directory).arg("-I").output().context("counting flows")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("Flows: "));
    let count = line.with_context(|| format!("{}: no `Flows:` line", directory.display()))?;
    count.trim().parse().with_context(|| format!("`Flows: {count}`"))
}

/// Exists when all flows are in `directory`. Lies beside it: nfdump would read a file in it.
fn complete_mark(directory: &Path) -> PathBuf {
    directory.with_extension("complete")
}

fn empty(path: &Path) -> Result<()> {
    if path.exists() {
        fs::remove_dir_all(path).with_context(|| format!("emptying {}", path.display()))?;
    }
    fs::create_dir_all(path).with_context(|| format!("creating {}", path.display()))
}

/// The finished files of a directory, by name.
fn data_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("nfcapd.") && !name.contains("current") {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// Octets of the finished files.
fn size(directory: &Path) -> Result<u64> {
    let mut sum = 0;
    for file in data_files(directory)? {
        sum += fs::metadata(&file)?.len();
    }
    Ok(sum)
}

/// The first file of `from` under two thousand names, a week of five-minute files.
fn link_many(from: &Path, to: &Path) -> Result<()> {
    empty(to)?;
    let files = data_files(from)?;
    let file = files.first().with_context(|| format!("{} is empty", from.display()))?;
    let start_ms = 1_766_620_800_000;
    for number in 0..MANY_FILES {
        let name = to.join(slot_name(start_ms + number * SLOT_MS));
        fs::hard_link(file, &name).with_context(|| format!("linking {}", name.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_named_by_their_start_in_utc() {
        assert_eq!(slot_name(1_768_212_000_000), "nfcapd.202601121000");
        assert_eq!(window_time(1_768_212_000_000), "2026/01/12.10:00:00");
    }
}
