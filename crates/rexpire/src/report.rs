//! What is printed: nfexpire's table, and our own for a dry run.

use std::io::{self, Write};
use std::path::Path;

use chrono::{DateTime, Local};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};
use flow_cli::{Age, ByteSize};
use flow_retain::{Plan, Reason, Session, StatRecord, StatStatus};

/// What was deleted.
pub(crate) struct Figures {
    pub(crate) files: usize,
    pub(crate) bytes: u64,
    /// By how much the oldest file is younger now.
    pub(crate) range_s: i64,
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
    figures: Option<&Figures>,
) -> io::Result<()> {
    let mut report = serde_json::json!({
        "directory": directory.to_string_lossy(),
        "first": record.first_s,
        "last": record.last_s,
        "files": record.file_count,
        "bytes": record.size_bytes,
        "max_bytes": record.max_bytes,
        "max_age": record.lifetime_s,
        "watermark": record.watermark,
    });
    if let Some(Figures { files, bytes, .. }) = figures {
        report["deleted"] = serde_json::json!({ "files": files, "bytes": bytes });
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
pub(crate) fn dry_run(out: &mut impl Write, session: &Session, plan: &Plan) -> io::Result<()> {
    let inventory = session.inventory();
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["File", "Start", "Bytes on disk", "Reason"]);
    if let Some(column) = table.column_mut(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let mut freed = 0;
    for deletion in &plan.deletions {
        let Some(file) = inventory.files().get(deletion.index) else { continue };
        freed += file.allocated_bytes;
        let name = file.path.strip_prefix(session.base()).unwrap_or(&file.path);
        let reason = match deletion.reason {
            Reason::Size => "size",
            Reason::Age => "age",
            Reason::Space => "space",
            _ => "other",
        };
        table.add_row([
            name.display().to_string(),
            local_time(file.start_s),
            file.allocated_bytes.to_string(),
            reason.to_owned(),
        ]);
    }
    if !plan.deletions.is_empty() {
        writeln!(out, "{}", table.trim_fmt())?;
        writeln!(out)?;
    }
    let (files, count) = (inventory.files().len(), plan.deletions.len());
    writeln!(out, "Would delete {count} of {files} files, {}", ByteSize::new(freed))?;
    writeln!(
        out,
        "Would keep   {} files, {}",
        files - count,
        ByteSize::new(inventory.allocated_bytes().saturating_sub(freed))
    )
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
        expired(&mut out, &Figures { files: 6, bytes: 614_400, range_s: 43_200 }).unwrap();
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
