//! What is asked about files themselves: their totals, whether they are sound, who sent to them; and what is changed
//! about them.

use crate::loss::causes;
use crate::output::Output;
use crate::plan::{FileTask, Plan};
use crate::query::verdict;
use anyhow::{Context, bail};
use flow_cli::{ExitCode, Messages};
use flow_file::{
    BlockCompression, Change, Compression, Counts, FileCompression, FileError, FlowFile, NfdumpHeader,
    SlotName, Verification, rewrite_file,
};
use flow_model::{LossLedger, Totals};
use flow_output::{
    ExtensionMap, Zone, check_heading, check_progress, check_totals, exporters, extension_maps,
    gnuplot_heading, gnuplot_row, info,
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
            Ok(())
        })?,
        FileTask::ExtensionMaps => listings(files, plan, &mut out, messages, maps)?,
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
                visit(&file)?;
                problems.extend(file.problems().iter().cloned());
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
    let (told, problems) = each(files, |file| {
        totals.merge(file.totals());
        ledger.merge(file.ledger());
        ident.get_or_insert_with(|| file.ident().to_owned());
        Ok(())
    })?;
    // Zeros of files that tell nothing would be taken for numbers.
    if told > 0 || files.is_empty() {
        out.print(|out| info(ident.as_deref().unwrap_or("none"), &totals, out))?;
        out.print(|out| losses(&ledger, out))?;
    }
    Ok(verdict(&problems, told, files.len(), plan.strict, messages))
}

/// What was lost, below the keys that callers know, and only what there is (D-108).
fn losses(ledger: &LossLedger, out: &mut Vec<u8>) {
    for (key, count) in causes(ledger) {
        out.extend_from_slice(format!("{key}: {count}\n").as_bytes());
    }
}

/// `-g`: a row for each file, under the time of its name.
fn gnuplot(
    files: &[PathBuf],
    plan: &Plan,
    out: &mut Output,
    messages: &Messages,
) -> anyhow::Result<ExitCode> {
    let mut has_heading = files.is_empty();
    if has_heading {
        out.print(gnuplot_heading)?;
    }
    let (read, problems) = each(files, |file| {
        if !std::mem::replace(&mut has_heading, true) {
            out.print(gnuplot_heading)?;
        }
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
    list: impl Fn(&FlowFile, &mut Vec<u8>) -> Result<(), FileError>,
) -> anyhow::Result<ExitCode> {
    let mut unread = Vec::new();
    let (read, mut problems) = each(files, |file| {
        let mut text = Vec::new();
        if files.len() > 1 {
            text.extend_from_slice(format!("File: {}\n", file.path().display()).as_bytes());
        }
        unread.extend(list(file, &mut text).err());
        out.print(|out| out.append(&mut text))?;
        Ok(())
    })?;
    problems.append(&mut unread);
    Ok(verdict(&problems, read, files.len(), plan.strict, messages))
}

fn maps(file: &FlowFile, out: &mut Vec<u8>) -> Result<(), FileError> {
    let maps = file.extension_maps()?;
    let printed = maps.iter().map(|map| ExtensionMap {
        id: map.id,
        record_len: map.record_len,
        extensions_len: map.extensions_len,
        extensions: &map.extensions,
    });
    extension_maps(printed, out);
    Ok(())
}

/// `-v`: anything that is not as it should be makes the exit code 1.
fn verify(files: &[PathBuf], zone: &Zone, out: &mut Output, messages: &Messages) -> anyhow::Result<ExitCode> {
    let mut sound = true;
    for path in files {
        let problems = match FlowFile::open(path) {
            Ok(file) => verify_file(&file, zone, out, messages)?,
            Err(error) => vec![error],
        };
        for problem in &problems {
            messages.problem(problem);
        }
        sound &= problems.is_empty();
    }
    Ok(if sound { ExitCode::Success } else { ExitCode::Failure })
}

fn verify_file(
    file: &FlowFile,
    zone: &Zone,
    out: &mut Output,
    messages: &Messages,
) -> anyhow::Result<Vec<FileError>> {
    out.print(|out| heading(file, zone, out))?;
    let Verification { counts, problems, surplus } = match file.verify() {
        Ok(found) => found,
        Err(error) => return Ok(vec![error]),
    };
    let lines: Vec<(String, u64)> = match counts {
        Counts::Columnar { columns, rows } => {
            vec![("Columns".to_owned(), columns), ("Records".to_owned(), rows)]
        }
        Counts::Nfdump { blocks, records } => {
            let types = blocks.into_iter().map(|(kind, count)| (format!("Type {kind} blocks"), count));
            types.chain([("Records".to_owned(), records)]).collect()
        }
    };
    out.print(|out| check_totals(&lines, out))?;
    if !file.is_finished() {
        messages.raw(&format_args!("{}: it is being written, or its writer died", file.path().display()));
    }
    if surplus > 0 {
        messages.raw(&format_args!(
            "{}: Extra data detected after regular blocks: {surplus} bytes",
            file.path().display()
        ));
    }
    Ok(problems)
}

/// What a file says of itself, in nfdump's words for its own layouts.
fn heading(file: &FlowFile, zone: &Zone, out: &mut Vec<u8>) {
    let (path, created) = (file.path().display().to_string(), zone.text(file.created_ms()));
    let compression = compression_name(file.compression());
    match file.nfdump_header() {
        None => {
            let lines = [
                ("File", path),
                ("Version", format!("rdump 1 - {compression}")),
                ("Created", created),
                ("Footer", if file.is_finished() { "yes" } else { "no" }.to_owned()),
                ("Data blks", file.block_count().to_string()),
            ];
            check_heading(&lines, out);
        }
        Some(NfdumpHeader { release: None, anonymised, blocks, .. }) => {
            let anonymised = if anonymised { "anonymized" } else { "" };
            let lines = [
                ("File", path),
                ("Version", format!("1 - {compression} {anonymised}")),
                ("Blocks", blocks.to_string()),
            ];
            check_heading(&lines, out);
            check_progress(blocks, 0, out);
        }
        Some(NfdumpHeader { release: Some(release), blocks, appendix_blocks, .. }) => {
            let lines = [
                ("File", path),
                ("Version", format!("2 - {compression}")),
                ("Created", created),
                ("nfdump", format!("{release:x}")),
                ("encryption", "no".to_owned()),
                ("Appdx blks", appendix_blocks.to_string()),
                ("Data blks", blocks.to_string()),
            ];
            check_heading(&lines, out);
            check_progress(blocks, appendix_blocks, out);
        }
    }
}

fn compression_name(compression: FileCompression) -> String {
    let name = match compression {
        FileCompression::Columns(Compression::Light) | FileCompression::Blocks(BlockCompression::None) => {
            "not"
        }
        FileCompression::Columns(Compression::Lz4) | FileCompression::Blocks(BlockCompression::Lz4) => "lz4",
        FileCompression::Columns(Compression::Zstd(level)) => {
            return format!("zstd compressed, level {level}");
        }
        FileCompression::Blocks(BlockCompression::Lzo) => "lzo",
        FileCompression::Blocks(BlockCompression::Bz2(_)) => "bz2",
        FileCompression::Blocks(BlockCompression::Zstd(_)) => "zstd",
    };
    format!("{name} compressed")
}

/// `-J`: one file after the other. One that cannot be changed stays as it is, and makes the exit code 1.
fn recompress(
    files: &[PathBuf],
    how: BlockCompression,
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
                messages.problem(&error);
                code = ExitCode::Failure;
            }
        }
    }
    Ok(code)
}

fn recompress_file(path: &Path, how: BlockCompression) -> Result<&'static str, FileError> {
    if FlowFile::open(path)?.is_compressed(how) {
        return Ok("is already same compression methode");
    }
    rewrite_file(path, Change { compression: Some(how), ..Change::default() }, std::process::id())?;
    Ok("compression changed")
}

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
