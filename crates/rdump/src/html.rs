//! `--html`: brings a static site of the own hosts up to date.
//!
//! A run counts the flow files that are not in the site's roll-up yet, writes the pages of the hosts that they change, and the roll-up
//! last. Every file takes the place of the old one when it is whole, so that a run that is ended anywhere leaves a site, and the next
//! one counts again what the roll-up does not know of.

use anyhow::{Context, anyhow, bail, ensure};
use chrono::{DateTime, Datelike, Local, Offset, TimeZone, Timelike};
use flow_file::FlowFile;
use flow_hosts::{ASSETS, HOSTS, Host, Pages, Rollup, RollupError, Tally, WallTime, file_name};
use flow_model::{FieldSet, FlowBatch, Selection};
use flow_query::{Overview, Query, QueryError, Report, RowOrigin, Scanned, Sink};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What the roll-up is called, beside the index.
const ROLLUP: &str = "hosts.rollup";

/// Flows may end so much later than it is: clocks differ.
const AHEAD_S: u64 = 3_600;

/// All pages are written anew once in so many seconds: their graphs move on, whether or not a host has flows.
const REFRESH_S: u64 = 3_600;

/// Brings the site in `directory` up to date with the files of `query`, at `now_s` seconds since 1970.
///
/// # Errors
/// When another run is at it, the roll-up cannot be read, or something cannot be written.
pub(crate) fn write(query: &Query, directory: &Path, now_s: u64) -> anyhow::Result<Report> {
    let networks = query.networks.as_deref().context("own networks are not known")?;
    let hosts = directory.join(HOSTS);
    fs::create_dir_all(&hosts).with_context(|| format!("making `{}`", hosts.display()))?;
    let _lock = lock(&directory.join(".lock"))?;
    let path = directory.join(ROLLUP);
    let mut rollup = read(&path)?;
    let before_s = rollup.newest_s();
    let mut report = Report::default();
    let mut changed: BTreeSet<IpAddr> = BTreeSet::new();
    let mut counted = 0;
    let files = new_files(&query.files, &rollup)?;
    let query = Query { files: Vec::new(), ..query.clone() };
    for (place, path) in files {
        let newest_s = FlowFile::open(&path).map_or(0, |file| file.totals().last_ms / 1_000);
        let newest_s = newest_s.min(now_s + AHEAD_S).max(rollup.newest_s());
        let ahead_s = i64::from(local(newest_s).offset().fix().local_minus_utc());
        let query = Query { files: vec![path], ..query.clone() };
        let (tally, one) = flow_query::run(&query, &Hosts { newest_s, ahead_s })?;
        changed.extend(tally.hosts());
        rollup.add(&place.directory, &place.name, tally);
        report.files += one.files;
        report.problems.extend(one.problems);
        report.passed += one.passed;
        report.spilled += one.spilled;
        report.ledger.merge(&one.ledger);
        counted += 1;
    }
    if counted == 0 && before_s > 0 {
        return Ok(report);
    }
    let all = before_s / REFRESH_S != rollup.newest_s() / REFRESH_S;
    let pages = Pages { rollup: &rollup, networks, wall: &wall };
    let due: Vec<(IpAddr, &Host)> =
        rollup.hosts().filter(|(addr, _)| all || changed.contains(addr)).collect();
    for (name, text) in ASSETS {
        replace(&directory.join(name), text.as_bytes(), false)?;
    }
    write_hosts(&pages, &hosts, &due, query.threads)?;
    remove_others(&hosts, &rollup)?;
    replace(&directory.join("index.html"), pages.index().as_bytes(), false)?;
    let mut octets = Vec::new();
    rollup.write(&mut octets);
    replace(&path, &octets, true)?;
    Ok(report)
}

/// Keeps other runs out until it is dropped.
fn lock(path: &Path) -> anyhow::Result<File> {
    let failed = || format!("locking `{}`", path.display());
    let file = File::create(path).with_context(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another run is writing this site"),
        Err(TryLockError::Error(error)) => Err(error).with_context(failed),
    }
}

fn read(path: &Path) -> anyhow::Result<Rollup> {
    let shown = path.display();
    match fs::read(path) {
        Ok(octets) => Rollup::read(&octets).map_err(|error| match error {
            RollupError::Damaged => {
                anyhow!("{shown}: {error}\nhint: without the file, the next run counts all flow files again")
            }
            _ => anyhow!("{shown}: {error}"),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Rollup::default()),
        Err(error) => Err(error).with_context(|| format!("reading `{shown}`")),
    }
}

/// A flow file as the roll-up knows it. By name, files of several directories come in the order of their time.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    name: String,
    directory: String,
}

fn new_files(files: &[PathBuf], rollup: &Rollup) -> anyhow::Result<Vec<(Place, PathBuf)>> {
    let mut new = Vec::new();
    let mut directories: BTreeMap<&Path, String> = BTreeMap::new();
    for path in files {
        let (Some(above), Some(name)) = (path.parent(), path.file_name()) else { continue };
        let name = name.to_string_lossy().into_owned();
        let directory = match directories.entry(above) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => {
                // However it is reached, it is the same directory.
                let real =
                    fs::canonicalize(if above.as_os_str().is_empty() { Path::new(".") } else { above });
                let real = real.with_context(|| format!("finding `{}`", above.display()))?;
                free.insert(real.to_string_lossy().into_owned())
            }
        };
        if !rollup.has(directory, &name) {
            new.push((Place { name, directory: directory.clone() }, path.clone()));
        }
    }
    new.sort();
    Ok(new)
}

/// Writes the pages of hosts, on so many threads; 0 is one for each core.
fn write_hosts(
    pages: &Pages<'_>,
    directory: &Path,
    due: &[(IpAddr, &Host)],
    threads: usize,
) -> anyhow::Result<()> {
    let threads = if threads == 0 { thread::available_parallelism().map_or(1, usize::from) } else { threads };
    let next = AtomicUsize::new(0);
    let work = || -> anyhow::Result<()> {
        while let Some((addr, host)) = due.get(next.fetch_add(1, Ordering::Relaxed)) {
            replace(&directory.join(file_name(*addr)), pages.host(*addr, host).as_bytes(), false)?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| anyhow!("a thread failed"))?)
    })
}

/// Removes the pages of hosts that were forgotten, and what an ended run left.
fn remove_others(directory: &Path, rollup: &Rollup) -> anyhow::Result<()> {
    let known: BTreeSet<String> = rollup.hosts().map(|(addr, _)| file_name(addr)).collect();
    let failed = || format!("tidying `{}`", directory.display());
    for entry in fs::read_dir(directory).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".html") && !known.contains(&*name) || name.ends_with(UNFINISHED) {
            fs::remove_file(entry.path()).with_context(failed)?;
        }
    }
    Ok(())
}

/// What the name of a file ends with until it is whole.
const UNFINISHED: &str = ".unfinished";

/// Puts a file where an older one may be, in one moment. `lasting`: not before it is on the disk.
fn replace(path: &Path, octets: &[u8], lasting: bool) -> anyhow::Result<()> {
    let failed = || format!("writing `{}`", path.display());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ensure!(!name.is_empty(), "no name: {}", path.display());
    let unfinished = path.with_file_name(format!("{name}{UNFINISHED}"));
    let written = (|| {
        let mut file = File::create(&unfinished)?;
        file.write_all(octets)?;
        if lasting {
            file.sync_all()?;
        }
        fs::rename(&unfinished, path)
    })();
    if written.is_err() {
        // What failed is what matters.
        let _ = fs::remove_file(&unfinished);
    }
    written.with_context(failed)
}

fn local(unix_s: u64) -> DateTime<Local> {
    Local.timestamp_opt(unix_s.cast_signed(), 0).earliest().unwrap_or_default()
}

fn wall(unix_s: u64) -> WallTime {
    let time = local(unix_s);
    WallTime {
        month: time.month(),
        day: time.day(),
        weekday: time.weekday().num_days_from_monday(),
        hour: time.hour(),
        minute: time.minute(),
    }
}

/// Tallies own hosts.
struct Hosts {
    newest_s: u64,
    ahead_s: i64,
}

impl Sink for Hosts {
    type Plan = ();
    type Partial = Tally;
    type Output = Tally;

    fn plan(&self, _: &Overview<'_>) {}

    fn columns(&self, (): &()) -> FieldSet {
        Tally::FIELDS
    }

    fn start(&self, (): &()) -> Tally {
        Tally::new(self.newest_s, self.ahead_s)
    }

    fn push(
        &self,
        (): &(),
        partial: &mut Tally,
        batch: &FlowBatch,
        selection: &Selection,
        _: RowOrigin,
    ) -> Result<(), QueryError> {
        partial.add(batch, selection);
        Ok(())
    }

    fn finish(&self, (): (), partials: Vec<Tally>, _: &Scanned<'_>) -> Result<Tally, QueryError> {
        let mut whole = self.start(&());
        for partial in partials {
            whole.merge(partial);
        }
        Ok(whole)
    }
}
