//! What is asked about files themselves: their totals, whether they are sound, who sent to them; and what is changed
//! about them.

use crate::output::Output;
use crate::plan::{FileTask, Method, Plan, Recompression};
use crate::query::verdict;
use anyhow::{Context, bail};
use flow_cli::{ExitCode, Messages};
use flow_file::{
    BlockCompression, Change, Compression, FileCompression, FileError, FileLayout, FlowFile, SlotName,
    rewrite_file,
};
use flow_model::{LossLedger, Totals};
use flow_output::{
    Zone, check_heading, check_totals, exporters, extension_maps, gnuplot_heading, gnuplot_row, info,
};
use std::path::{Path, PathBuf};

/// Answers on standard output, file by file.
///
/// # Errors
/// When nobody reads the answer, or the task does not fit the files.
pub(crate) fn answer(
    task: &FileTask,
    files: &[PathBuf],
    plan: &Plan,
    messages: &Messages,
) -> anyhow::Result<ExitCode> {
    let mut out = Output::new();
    let code = match task {
        FileTask::Info => totals(files, plan, &mut out, messages)?,
        FileTask::Gnuplot => gnuplot(files, plan, &mut out, messages)?,
        FileTask::Verify => verify(files, &plan.options.zone, &mut out, messages)?,
        FileTask::Exporters => listings(files, plan, &mut out, messages, |file, out| {
            exporters(file.exporters(), file.samplers(), out);
        })?,
        FileTask::ExtensionMaps => {
            listings(files, plan, &mut out, messages, |_, out| extension_maps([], out))?
        }
        FileTask::Recompress(how) => recompress(files, *how, &mut out, messages)?,
        FileTask::Ident(ident) => change_ident(files, ident, plan, &mut out)?,
    };
    out.finish().context("writing to stdout")?;
    Ok(code)
}

/// The files that can be opened, one after the other; returns how many, and what was wrong with all of them.
fn each(
    files: &[PathBuf],
    mut visit: impl FnMut(&FlowFile) -> anyhow::Result<()>,
) -> anyhow::Result<(usize, Vec<FileError>)> {
    let mut problems = Vec::new();
    let mut read = 0;
    for path in files {
        match FlowFile::open(path) {
            Ok(file) => {
                read += 1;
                problems.extend(file.problems().iter().cloned());
                visit(&file)?;
            }
            Err(error) => problems.push(error),
        }
    }
    Ok((read, problems))
}

/// `-I`: what the files say of themselves, summed.
fn totals(files: &[PathBuf], plan: &Plan, out: &mut Output, messages: &Messages) -> anyhow::Result<ExitCode> {
    let mut totals = Totals::default();
    let mut ledger = LossLedger::default();
    let mut ident = None;
    let (read, problems) = each(files, |file| {
        totals.merge(file.totals());
        ledger.merge(file.ledger());
        ident.get_or_insert_with(|| file.ident().to_owned());
        Ok(())
    })?;
    out.print(|out| info(ident.as_deref().unwrap_or("none"), &totals, out))?;
    out.print(|out| losses(&ledger, out))?;
    Ok(verdict(&problems, read, files.len(), plan.strict, messages))
}

/// What was lost, below the keys that callers know, and only what there is (D-108).
fn losses(ledger: &LossLedger, out: &mut Vec<u8>) {
    for (key, count) in [
        ("Missed by sequence", ledger.missed),
        ("Kernel drops", ledger.kernel_drops),
        ("Queue drops", ledger.queue_drops),
        ("Sets without template", ledger.no_template),
        ("Malformed", ledger.malformed),
        ("Refused", ledger.refused),
    ] {
        if count > 0 {
            out.extend_from_slice(format!("{key}: {count}\n").as_bytes());
        }
    }
}

/// `-g`: a row for each file, under the time of its name.
fn gnuplot(
    files: &[PathBuf],
    plan: &Plan,
    out: &mut Output,
    messages: &Messages,
) -> anyhow::Result<ExitCode> {
    out.print(gnuplot_heading)?;
    let (read, problems) = each(files, |file| {
        let name = file.path().file_name().and_then(|name| SlotName::parse(name.to_str()?));
        out.print(|out| gnuplot_row(name.map(|name| name.local()), file.totals(), out))?;
        Ok(())
    })?;
    Ok(verdict(&problems, read, files.len(), plan.strict, messages))
}

/// `-E` and `-x`. Where several files were selected, each listing says of which it is.
fn listings(
    files: &[PathBuf],
    plan: &Plan,
    out: &mut Output,
    messages: &Messages,
    list: impl Fn(&FlowFile, &mut Vec<u8>),
) -> anyhow::Result<ExitCode> {
    let (read, problems) = each(files, |file| {
        out.print(|out| {
            if files.len() > 1 {
                out.extend_from_slice(format!("File: {}\n", file.path().display()).as_bytes());
            }
            list(file, out);
        })?;
        Ok(())
    })?;
    Ok(verdict(&problems, read, files.len(), plan.strict, messages))
}

/// `-v`: anything that is not as it should be makes the exit code 1.
fn verify(files: &[PathBuf], zone: &Zone, out: &mut Output, messages: &Messages) -> anyhow::Result<ExitCode> {
    let mut sound = true;
    for path in files {
        let problems = match FlowFile::open(path) {
            Ok(file) => verify_file(&file, zone, out)?,
            Err(error) => vec![error],
        };
        for problem in &problems {
            messages.problem(problem);
        }
        sound &= problems.is_empty();
    }
    Ok(if sound { ExitCode::Success } else { ExitCode::Failure })
}

fn verify_file(file: &FlowFile, zone: &Zone, out: &mut Output) -> anyhow::Result<Vec<FileError>> {
    let (path, created) = (file.path().display(), zone.text(file.created_ms()));
    let (layout, end) = match file.layout() {
        FileLayout::Columnar => ("rdump 1", "Footer"),
        FileLayout::Nfdump1 => ("nfdump layout 1", "Statistics"),
        FileLayout::Nfdump2 => ("nfdump layout 2", "Appendix"),
    };
    let version = format!("{layout} - {}", compression_name(file.compression()));
    let finished =
        if file.is_finished() { "yes" } else { "no, the file is being written or its writer died" };
    let blocks = file.block_count();
    let heading: [(&str, &dyn std::fmt::Display); 5] = [
        ("File", &path),
        ("Version", &version),
        ("Created", &created),
        (end, &finished),
        ("Data blks", &blocks),
    ];
    out.print(|out| check_heading(&heading, out))?;
    match file.verify() {
        Err(error) => Ok(vec![error]),
        Ok(found) => {
            let counts = [("Columns", found.columns), ("Records", found.rows)];
            out.print(|out| check_totals(&counts, out))?;
            Ok(found.problems)
        }
    }
}

fn compression_name(compression: FileCompression) -> String {
    match compression {
        FileCompression::Columns(Compression::Light) | FileCompression::Blocks(BlockCompression::None) => {
            "not compressed".to_owned()
        }
        FileCompression::Columns(Compression::Lz4) | FileCompression::Blocks(BlockCompression::Lz4) => {
            "lz4 compressed".to_owned()
        }
        FileCompression::Columns(Compression::Zstd(level)) => format!("zstd compressed, level {level}"),
        FileCompression::Blocks(BlockCompression::Lzo) => "lzo compressed".to_owned(),
        FileCompression::Blocks(BlockCompression::Bz2(_)) => "bz2 compressed".to_owned(),
        FileCompression::Blocks(BlockCompression::Zstd(_)) => "zstd compressed".to_owned(),
    }
}

/// `-J`: one file after the other. One that cannot be changed stays as it is, and makes the exit code 1.
fn recompress(
    files: &[PathBuf],
    how: Recompression,
    out: &mut Output,
    messages: &Messages,
) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::Success;
    for path in files {
        match recompress_file(path, how) {
            Ok(outcome) => {
                out.print(|out| {
                    out.extend_from_slice(format!("File {} {outcome}\n", path.display()).as_bytes());
                })?;
            }
            Err(error) => {
                messages.error(&error);
                code = ExitCode::Failure;
            }
        }
    }
    Ok(code)
}

fn recompress_file(path: &Path, how: Recompression) -> anyhow::Result<&'static str> {
    let file = FlowFile::open(path)?;
    let wanted = match how.method {
        Method::None => Compression::Light,
        Method::Lz4 => Compression::Lz4,
        Method::Zstd => match (how.level, file.compression()) {
            (None, FileCompression::Columns(Compression::Zstd(level))) => Compression::Zstd(level),
            (level, _) => Compression::Zstd(level.unwrap_or(DEFAULT_ZSTD_LEVEL)),
        },
        Method::Lzo | Method::Bz2 => {
            bail!(
                "{}: the columns of this format are compressed with LZ4 or zstd, not LZO or BZ2",
                path.display()
            )
        }
    };
    if FileCompression::Columns(wanted) == file.compression() {
        return Ok("is already same compression methode");
    }
    rewrite_file(path, Change { compression: Some(wanted), ..Change::default() }, std::process::id())?;
    Ok("compression changed")
}

/// What zstd itself takes where none is named.
const DEFAULT_ZSTD_LEVEL: i32 = 3;

/// `-i`
fn change_ident(files: &[PathBuf], ident: &str, plan: &Plan, out: &mut Output) -> anyhow::Result<ExitCode> {
    let named = plan.selection.single.as_deref().map(Path::new);
    let (Some(path), [_]) = (named.filter(|path| !path.is_dir()), files) else {
        bail!("Option -i changes the one file that -r names");
    };
    let old = FlowFile::open(path)?.ident().to_owned();
    rewrite_file(path, Change { ident: Some(ident), ..Change::default() }, std::process::id())?;
    let old = if old.is_empty() { "<null>" } else { &old };
    out.print(|out| {
        out.extend_from_slice(format!("{} ident: {old} -> {ident}\n", path.display()).as_bytes());
    })?;
    Ok(ExitCode::Success)
}
