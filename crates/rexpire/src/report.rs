//! What is printed: nfexpire's table, and our own for a dry run.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use flow_cli::{Age, ByteSize};
use flow_retain::{Deletion, Plan, Reason, Session, StatRecord, StatStatus, StoredFile};
use serde_json::{Value, json};

use crate::job::Job;

/// What was deleted.
pub(crate) struct Figures {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    pub(crate) by_reason: BTreeMap<Reason, usize>,
    /// By how much the oldest file is younger now.
    pub(crate) range_s: i64,
}

/// What a quota is about, and how much of it is used.
pub(crate) struct QuotaUse {
    name: String,
    max_bytes: u64,
    files: usize,
    bytes: u64,
}

impl QuotaUse {
    /// Every quota of a job, without the files at these places.
    pub(crate) fn all(job: &Job, session: &Session, gone: &[Deletion]) -> Vec<QuotaUse> {
        let gone: BTreeSet<usize> = gone.iter().map(|deletion| deletion.index).collect();
        let quota = |(name, max_bytes): &(PathBuf, u64)| {
            let path = session.base().join(name);
            let files = session.inventory().files().iter().enumerate();
            let (mut count, mut bytes) = (0, 0);
            for (_, file) in
                files.filter(|(index, file)| !gone.contains(index) && file.path.starts_with(&path))
            {
                count += 1;
                bytes += file.allocated_bytes;
            }
            QuotaUse { name: name.display().to_string(), max_bytes: *max_bytes, files: count, bytes }
        };
        job.quotas.iter().map(quota).collect()
    }
}

/// What would have to go and is kept for its records of translation.
pub(crate) struct Kept {
    files: usize,
    bytes: u64,
}

impl Kept {
    /// Nothing when nothing is to be kept so.
    pub(crate) fn new(job: &Job, session: &Session, plan: &Plan) -> Option<Kept> {
        job.keep_nat_s?;
        let files = plan.kept.iter().filter_map(|kept| session.inventory().files().get(kept.index));
        Some(Kept { files: plan.kept.len(), bytes: files.map(|file| file.allocated_bytes).sum() })
    }
}

/// What was asked for beyond nfexpire's limits, as it stands after the deletions.
pub(crate) struct Exceptions {
    pub(crate) quotas: Vec<QuotaUse>,
    pub(crate) kept: Option<Kept>,
}

impl Exceptions {
    /// Adds itself to a json object.
    fn add_to(&self, report: &mut Value) {
        if !self.quotas.is_empty() {
            let quota = |QuotaUse { name, max_bytes, files, bytes }: &QuotaUse| json!({ "name": name, "max_bytes": max_bytes, "files": files, "bytes": bytes });
            report["quotas"] = self.quotas.iter().map(quota).collect();
        }
        if let Some(Kept { files, bytes }) = &self.kept {
            report["kept"] = json!({ "files": files, "bytes": bytes });
        }
    }
}

/// The word for a reason.
fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Quota => "quota",
        Reason::Size => "size",
        Reason::Age => "age",
        Reason::Space => "space",
        _ => "other",
    }
}

/// The lines about deleted files.
pub(crate) fn expired(out: &mut impl Write, figures: &Figures) -> io::Result<()> {
    writeln!(out, "Expired files:      {}", figures.files)?;
    writeln!(out, "Expired file size:  {}", ByteSize::new(figures.bytes))?;
    writeln!(out, "Expired time range: {}", seconds(figures.range_s))?;
    writeln!(out)
}

/// The same and the table about the directory as one json object. Times are seconds since 1970 UTC.
pub(crate) fn json(
    out: &mut impl Write,
    directory: &Path,
    record: &StatRecord,
    deletion: Option<&(Figures, Exceptions)>,
) -> io::Result<()> {
    let mut report = json!({
        "directory": directory.to_string_lossy(),
        "first": record.first_s,
        "last": record.last_s,
        "files": record.file_count,
        "bytes": record.size_bytes,
        "max_bytes": record.max_bytes,
        "max_age": record.lifetime_s,
        "watermark": record.watermark,
    });
    if let Some((Figures { files, bytes, by_reason, .. }, exceptions)) = deletion {
        report["deleted"] = json!({ "files": files, "bytes": bytes });
        for (reason, files) in by_reason {
            report["deleted"][word(*reason)] = json!(files);
        }
        exceptions.add_to(&mut report);
    }
    writeln!(out, "{report}")
}

/// The table about the directory.
pub(crate) fn table(out: &mut impl Write, record: &StatRecord) -> io::Result<()> {
    let or_none = |limit: u64, text: String| if limit == 0 { "<none>".to_owned() } else { text };
    let status = match record.status {
        StatStatus::ForceRebuild => "Force rebuild",
        _ => "OK",
    };
    for (label, value) in [
        ("First:", local_time(record.first_s)),
        ("Last:", local_time(record.last_s)),
        ("Lifetime:", seconds(record.last_s.saturating_sub(record.first_s)).to_string()),
        ("Numfiles:", record.file_count.to_string()),
        ("Filesize:", ByteSize::new(record.size_bytes).to_string()),
        ("Max Size:", or_none(record.max_bytes, ByteSize::new(record.max_bytes).to_string())),
        ("Max Life:", or_none(record.lifetime_s, Age::from_seconds(record.lifetime_s).to_string())),
        ("Watermark:", format!("{}%", record.watermark)),
        ("Status:", status.to_owned()),
    ] {
        writeln!(out, "{label:<11}{value}")?;
    }
    Ok(())
}

/// Which files a plan would delete, and what would be left.
pub(crate) struct Preview<'a> {
    session: &'a Session,
    plan: &'a Plan,
    exceptions: Exceptions,
}

impl<'a> Preview<'a> {
    pub(crate) fn new(job: &Job, session: &'a Session, plan: &'a Plan) -> Self {
        let quotas = QuotaUse::all(job, session, &plan.deletions);
        Preview { session, plan, exceptions: Exceptions { quotas, kept: Kept::new(job, session, plan) } }
    }

    /// The files that would go, with their names below the directory, and why.
    fn deletions(&self) -> impl Iterator<Item = (String, &StoredFile, &'static str)> {
        let base = self.session.base();
        self.plan.deletions.iter().filter_map(move |deletion| {
            let file = self.session.inventory().files().get(deletion.index)?;
            let name = file.path.strip_prefix(base).unwrap_or(&file.path).display().to_string();
            Some((name, file, word(deletion.reason)))
        })
    }

    fn freed_bytes(&self) -> u64 {
        self.deletions().map(|(_, file, _)| file.allocated_bytes).sum()
    }

    pub(crate) fn table(&self, out: &mut impl Write) -> io::Result<()> {
        if !self.plan.deletions.is_empty() {
            let mut table = table_of(["File", "Start", "Bytes on disk", "Reason"]);
            for (name, file, reason) in self.deletions() {
                table.add_row([
                    name,
                    local_time(file.start_s),
                    file.allocated_bytes.to_string(),
                    reason.to_owned(),
                ]);
            }
            writeln!(out, "{}\n", table.trim_fmt())?;
        }
        if !self.exceptions.quotas.is_empty() {
            let mut table = table_of(["Quota", "Files left", "Bytes on disk", "Of"]);
            for QuotaUse { name, max_bytes, files, bytes } in &self.exceptions.quotas {
                table.add_row([name.clone(), files.to_string(), bytes.to_string(), max_bytes.to_string()]);
            }
            writeln!(out, "{}\n", table.trim_fmt())?;
        }
        let (inventory, freed) = (self.session.inventory(), self.freed_bytes());
        let (files, count) = (inventory.files().len(), self.plan.deletions.len());
        writeln!(out, "Would delete {count} of {files} files, {}", ByteSize::new(freed))?;
        let left = ByteSize::new(inventory.allocated_bytes().saturating_sub(freed));
        writeln!(out, "Would keep   {} files, {left}", files - count)?;
        if let Some(Kept { files, bytes }) = &self.exceptions.kept {
            let bytes = ByteSize::new(*bytes);
            writeln!(out, "of which     {files} files, {bytes}, for their records of translation")?;
        }
        Ok(())
    }

    /// The same as one json object.
    pub(crate) fn json(&self, out: &mut impl Write) -> io::Result<()> {
        let inventory = self.session.inventory();
        let files: Vec<Value> = self
            .deletions()
            .map(|(name, file, reason)| {
                json!({ "file": name, "start": file.start_s, "bytes": file.allocated_bytes, "reason": reason })
            })
            .collect();
        let mut report = json!({
            "directory": self.session.base().to_string_lossy(),
            "files": inventory.files().len(),
            "bytes": inventory.allocated_bytes(),
            "would_delete": { "files": files.len(), "bytes": self.freed_bytes(), "list": files },
        });
        self.exceptions.add_to(&mut report);
        writeln!(out, "{report}")
    }
}

/// A table without lines; the third column is numbers.
fn table_of(header: [&str; 4]) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(header);
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A time as nfexpire prints it, in the zone of the process.
pub(crate) fn local_time(time_s: i64) -> String {
    match DateTime::from_timestamp(time_s, 0) {
        Some(time) => time.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S").to_string(),
        None => time_s.to_string(),
    }
}

fn seconds(seconds: i64) -> Age {
    Age::from_seconds(u64::try_from(seconds).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deleted_files_are_reported_as_nfexpire_does() {
        let mut out = Vec::new();
        let figures = Figures { files: 6, bytes: 614_400, by_reason: BTreeMap::new(), range_s: 43_200 };
        expired(&mut out, &figures).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "Expired files:      6\n\
             Expired file size:  614400 = 600.0 KB\n\
             Expired time range: 43200 = 12.0 hours\n\
             \n"
        );
    }

    #[test]
    fn impossible_times_do_no_harm() {
        assert_eq!(local_time(i64::MAX), i64::MAX.to_string());
        assert_eq!(seconds(-5), Age::from_seconds(0));
    }
}
