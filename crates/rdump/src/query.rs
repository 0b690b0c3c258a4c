//! Carries out a plan.

use crate::bins;
use crate::destination::Destination;
use crate::files;
use crate::filter;
use crate::html;
use crate::input::Input;
use crate::interrupt;
use crate::live;
use crate::loss::{Loss, causes};
use crate::memory;
use crate::networks;
use crate::output::Output;
use crate::plan::{Grouping, Mode, Plan, RecordStatistic, SortOrder, Told, needs_networks};
use crate::progress::Bar;
use anyhow::Context;
use chrono::Local;
use flow_cli::{Emphasis, ExitCode, Messages, Paint};
use flow_file::{
    ExporterNumbers, FileError, FileFormat, FileSelection, FileTail, FileWriter, FlowFile, WriteOptions,
};
use flow_geo::{Databases, GeoError};
use flow_model::{Before, CountRule, FieldSet, FlowBatch, Gazetteer, Selection, Totals};
use flow_output::{Format, NameTable, RecordPrinter, StatisticPrinter, StatisticTable, Summary, Timings};
use flow_query::{
    Aggregate, Bound, Bounds, Listing, Query, QueryError, Ranking, Report, Sort, StatSpec, Statistics,
    TimeWindow,
};
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Answers on standard output.
///
/// # Errors
/// What keeps the whole question from being answered. Damaged files are told on stderr and decide the exit code.
pub(crate) fn answer(plan: &Plan, messages: &Messages) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    plan.notices.iter().for_each(|notice| messages.raw(notice));
    let gazetteer = gazetteer(&plan.geo, messages)?;
    let networks =
        plan.networks.as_deref().map(|path| networks::read(path, plan.force, messages)).transpose()?;
    let name_server = plan.name_server.as_deref();
    let filter = filter::compile(&plan.filter, name_server, gazetteer.is_some(), networks.as_deref())?;
    match plan.mode {
        Mode::CheckFilter => return Ok(ExitCode::Success),
        Mode::ExplainFilter => {
            let mut out = Output::new();
            let explained = with_headings(&filter.explain().to_string(), Paint::on(&io::stdout()));
            out.print(|out| out.extend_from_slice(explained.as_bytes()))?;
            out.finish().context("writing to stdout")?;
            return Ok(ExitCode::Success);
        }
        _ => {}
    }
    let (input, live) =
        if plan.live { live::find(plan, messages)? } else { (Input::find(plan, messages)?, Vec::new()) };
    let mut files = input.files.clone();
    if let Mode::Files(task) = &plan.mode {
        return files::answer(task, &files, plan, messages);
    }
    let window = plan.window.map(|window| {
        let span = window.needs_span().then(|| span_ms(&files)).flatten();
        let (first_ms, last_ms) = window.resolve(&Local, span);
        TimeWindow { first_ms, last_ms: last_ms.saturating_add(plan.dialect.window_unit_ms - 1) }
    });
    if let (Some(window), true) = (window, names_files(&plan.selection)) {
        leave_out(&mut files, window);
    }
    let asked = files.len() + live.len();
    allow_open_files();
    let mut printer = RecordPrinter::new(plan.format.clone(), plan.options.clone()).with_own(plan.key_fields);
    if let (None, Some(field)) = (&networks, printer.fields().intersect(FieldSet::OWN).iter().next()) {
        return Err(needs_networks(field));
    }
    let mut query = Query {
        files,
        live,
        window,
        limit: plan.limit,
        gazetteer,
        networks,
        threads: plan.threads,
        max_memory: plan.max_memory.or_else(memory::usual),
        counts_skipped: plan.json_summary
            || !plan.options.quiet && plan.format.counts_processed()
            || printer.shows_numbers() && matches!(plan.mode, Mode::List),
        ..Query::new(filter)
    };
    let mut names = NameTable::default();
    if printer.shows_names() && prints_records(&plan.mode) {
        let (known, numbers) = known(&query.files);
        if !known.names.is_empty() {
            query.numbers = numbers;
            names = NameTable::new(&known.names, &known.exporters);
        }
    }
    printer = printer.with_names(names.with_networks(query.networks.clone()));
    interrupt::watch(&query.interrupt)?;
    if let Mode::Pages(directory) = &plan.mode {
        let report = html::write(&query, directory, Local::now().timestamp().unsigned_abs())?;
        return Ok(verdict(&report.problems, report.files, report.files, plan.strict, messages));
    }
    if plan.follow {
        live::follow(plan, &query, &printer, &mut Output::new(), messages)?;
        return Ok(ExitCode::Success);
    }
    let mut out = Output::new();
    out.keep(Bar::watch(&query.progress));
    let mut run = Run { plan, query, printer, started };
    let report = match &plan.mode {
        _ if plan.binning.is_some() => run.bins(&mut out)?,
        Mode::List => run.list(&mut out)?,
        Mode::Sort { order, top } => run.sort(&mut out, *order, *top)?,
        Mode::Aggregate { grouping, order, top, bounds } => {
            run.aggregate(&mut out, grouping, ranking(*order, *top, *bounds))?
        }
        Mode::Statistics { records, elements, grouping, bounds } => {
            run.statistics(&mut out, records, elements, grouping, *bounds)?
        }
        Mode::Write { path, format, order, grouping, bounds } => {
            let flows = Flows { order: *order, grouping: grouping.as_ref(), bounds: *bounds };
            run.write(&mut out, path, *format, &flows, messages)?
        }
        Mode::CheckFilter | Mode::ExplainFilter | Mode::Files(_) | Mode::Pages(_) => {
            return Ok(ExitCode::Success);
        }
    };
    out.finish().context("writing to stdout")?;
    if report.spilled > 0 && plan.verbose {
        let mebibytes = report.spilled.div_ceil(1 << 20);
        messages.line(&format_args!("{mebibytes} MiB went to temporary files for want of memory"));
    }
    // How much of the losses is of this window takes another look at the files.
    let is_looked_for = match plan.loss {
        Told::Always => true,
        Told::IfAny => causes(&report.ledger).next().is_some(),
        Told::Never => false,
    };
    if is_looked_for {
        let loss = Loss::of(&run.query.files, run.query.window);
        if plan.loss == Told::Always || loss.is_known() {
            let emphasis = if loss.is_known() { Emphasis::Bad } else { Emphasis::Good };
            messages.line(&Paint::on(&io::stderr()).text(emphasis, &loss.line()));
        }
    }
    Ok(verdict(&report.problems, report.files, asked, plan.strict, messages))
}

/// A report of which the lines that are not indented are headings.
fn with_headings(report: &str, paint: Paint) -> String {
    let painted = |line: &str| match line.strip_suffix('\n') {
        Some(text) if !text.starts_with(' ') => paint.text(Emphasis::Heading, text) + "\n",
        _ => line.to_owned(),
    };
    report.split_inclusive('\n').map(painted).collect()
}

/// The databases of places; a file of nfdump's own format is named and left aside (D-103).
fn gazetteer(paths: &[PathBuf], messages: &Messages) -> anyhow::Result<Option<Arc<dyn Gazetteer>>> {
    if paths.is_empty() {
        return Ok(None);
    }
    match Databases::open(paths) {
        Ok(databases) => Ok(Some(Arc::new(databases))),
        Err(error @ GeoError::OfNfdump { .. }) => {
            messages.line(&error);
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Reports damage; the exit code says whether anything could be read (D-12).
pub(crate) fn verdict(
    problems: &[FileError],
    read: usize,
    asked: usize,
    strict: bool,
    messages: &Messages,
) -> ExitCode {
    for problem in problems {
        messages.problem(problem);
        problem.hint().iter().for_each(|hint| messages.hint(hint));
    }
    match problems {
        [] => ExitCode::Success,
        _ if read == 0 && asked > 0 => ExitCode::Files,
        _ if strict => ExitCode::Failure,
        _ => ExitCode::Success,
    }
}

/// First and last of all files, for a window relative to them. Files that cannot be opened are reported later.
pub(crate) fn span_ms(files: &[PathBuf]) -> Option<(u64, u64)> {
    let mut totals = Totals::default();
    for path in files {
        if let Ok(file) = FlowFile::open(path) {
            totals.merge(file.totals());
        }
    }
    (totals.first_ms <= totals.last_ms).then_some((totals.first_ms, totals.last_ms))
}

/// Whether files are named with `-r`, and not found with `-R` or in a directory.
fn names_files(selection: &FileSelection) -> bool {
    selection.single.as_ref().is_some_and(|path| selection.sources.is_some() || !Path::new(path).is_dir())
}

/// Leaves out files whose flows are all outside of a time window, as nfdump does with the file of `-r`, but not with
/// those of `-R`. Files that cannot be opened are reported later.
fn leave_out(files: &mut Vec<PathBuf>, window: TimeWindow) {
    files.retain(|path| {
        FlowFile::open(path).map_or(true, |file| {
            let Totals { first_ms, last_ms, .. } = *file.totals();
            first_ms > last_ms || window.overlaps(first_ms, last_ms)
        })
    });
}

/// Raises the limit of open files to what is possible: every file of a query stays open while it runs, and a month of
/// five-minute files is more than the usual 1,024. Where that fails, opening the files says why.
fn allow_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
    {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

/// Whether records go to standard output.
fn prints_records(mode: &Mode) -> bool {
    match mode {
        Mode::List | Mode::Sort { .. } | Mode::Aggregate { .. } => true,
        Mode::Statistics { records, .. } => !records.is_empty(),
        Mode::Write { .. } | Mode::CheckFilter | Mode::ExplainFilter | Mode::Files(_) | Mode::Pages(_) => {
            false
        }
    }
}

/// What all of the files that can be opened tell of their exporters, and the numbers that these have together.
fn known(files: &[PathBuf]) -> (FileTail, Vec<ExporterNumbers>) {
    let mut tail = FileTail::default();
    let add = |path: &PathBuf| {
        FlowFile::open(path).map_or_else(|_| ExporterNumbers::default(), |file| tail.add(&file))
    };
    let numbers = files.iter().map(add).collect();
    (tail, numbers)
}

/// What is done to flows before they are written.
struct Flows<'a> {
    order: Option<SortOrder>,
    grouping: Option<&'a Grouping>,
    bounds: Bounds,
}

/// So many rows are put into words at once: their text takes a few megabytes at most.
const ROWS_OF_PIECE: usize = 1 << 13;

/// A query under way.
struct Run<'a> {
    plan: &'a Plan,
    query: Query,
    printer: RecordPrinter,
    started: Instant,
}

impl Run<'_> {
    fn list(&self, out: &mut Output) -> anyhow::Result<Report> {
        let printer = &self.printer;
        out.print(|out| printer.header(out))?;
        let format = |batch: &FlowBatch, selection: &Selection, before: Before| {
            let mut text = Vec::new();
            printer.rows(batch, selection, before, &mut text);
            text
        };
        let report = flow_query::list(&self.query, printer.fields(), &mut |text| out.emit(&text), &format)?;
        out.finish().context("writing to stdout")?;
        self.end(out, printer, report.passed, &report)?;
        Ok(report)
    }

    /// `--bin`: what ends a table of text stands below it, but not in formats made for machines.
    fn bins(&self, out: &mut Output) -> anyhow::Result<Report> {
        let Some(binning) = &self.plan.binning else { return Ok(Report::default()) };
        let report = bins::answer(binning, self.plan, &self.query, out)?;
        let is_table = self.plan.picture.is_none() && self.plan.format.says_no_match();
        if self.plan.json_summary || is_table {
            out.print(|out| self.summarise(&report, out))?;
        }
        Ok(report)
    }

    fn sort(&self, out: &mut Output, order: SortOrder, top: usize) -> anyhow::Result<Report> {
        let printer = self.printer.clone().unnumbered();
        let (listing, report) = flow_query::run(&self.query, &sort(order, top, printer.fields()))?;
        self.table(out, &printer, [listing], &report)?;
        Ok(report)
    }

    fn aggregate(&self, out: &mut Output, grouping: &Grouping, ranking: Ranking) -> anyhow::Result<Report> {
        let printer = self.printer.clone().unnumbered();
        out.print(|out| limits(&ranking.bounds, &self.plan.format, out))?;
        let sink = aggregate(grouping, vec![ranking], printer.fields());
        let (answers, report) = flow_query::run(&self.query, &sink)?;
        self.table(out, &printer, answers, &report)?;
        Ok(report)
    }

    /// Header, rows and what ends a list of records.
    fn table(
        &self,
        out: &mut Output,
        printer: &RecordPrinter,
        listings: impl IntoIterator<Item = Listing>,
        report: &Report,
    ) -> anyhow::Result<()> {
        out.print(|out| printer.header(out))?;
        let mut rows = 0;
        for listing in listings {
            rows += self.rows(out, printer, listing, 0)?;
        }
        self.end(out, printer, rows, report)
    }

    /// Prints rows as one list; returns how many rows were printed, `printed` before them included.
    fn rows(
        &self,
        out: &mut Output,
        printer: &RecordPrinter,
        listing: Listing,
        printed: u64,
    ) -> anyhow::Result<u64> {
        let mut number = printed;
        for batch in listing {
            let batch = batch?;
            for first in (0..batch.len()).step_by(ROWS_OF_PIECE) {
                if self.query.interrupt.load(Ordering::Relaxed) {
                    return Err(QueryError::Interrupted.into());
                }
                let rows = first..batch.len().min(first + ROWS_OF_PIECE);
                let rows = Selection::from_rows(batch.len(), rows.map(|row| row as u32).collect());
                let before = Before { selected: number + first as u64, rows: number };
                out.print(|out| printer.rows(&batch, &rows, before, out))?;
            }
            number += batch.len() as u64;
        }
        Ok(number)
    }

    fn end(
        &self,
        out: &mut Output,
        printer: &RecordPrinter,
        rows: u64,
        report: &Report,
    ) -> anyhow::Result<()> {
        out.print(|out| {
            if report.passed == 0 {
                printer.no_match(out);
            }
            printer.footer(rows, out);
            self.summarise(report, out);
        })?;
        Ok(())
    }

    /// Tables over records first, then those over elements, whatever was typed first.
    fn statistics(
        &self,
        out: &mut Output,
        records: &[RecordStatistic],
        elements: &[StatSpec],
        grouping: &Grouping,
        bounds: Bounds,
    ) -> anyhow::Result<Report> {
        let printer = self.printer.clone().unnumbered();
        out.print(|out| limits(&bounds, &self.plan.format, out))?;
        let rankings = records.iter().map(|record| ranking(Some(record.order), record.top, bounds)).collect();
        let by_record = (!records.is_empty()).then(|| aggregate(grouping, rankings, printer.fields()));
        let by_element = (!elements.is_empty()).then(|| Statistics { specs: elements.to_vec() });
        let ((groups, tables), report) = flow_query::run(&self.query, &(by_record, by_element))?;

        let one_document = self.plan.format.is_one_document();
        if report.passed == 0 {
            out.print(|out| printer.no_match(out))?;
        }
        let all_is_said = self.summary(&report).is_all_there_is(&self.plan.format, &self.plan.options);
        let has_tables = report.passed > 0 || self.plan.dialect.release.heads_empty_tables();
        if one_document || has_tables && !all_is_said {
            let mut number = 0;
            for (index, (record, listing)) in records.iter().zip(groups.into_iter().flatten()).enumerate() {
                out.print(|out| {
                    printer.heading(record.order.order, record.top, out);
                    if index == 0 || !one_document {
                        printer.header(out);
                    }
                })?;
                number = self.rows(out, &printer, listing, if one_document { number } else { 0 })?;
                if index + 1 == records.len() || !one_document {
                    out.print(|out| printer.footer(number, out))?;
                }
            }
        }
        let printer = StatisticPrinter::new(&self.plan.format, &self.plan.options)
            .with_networks(self.query.networks.clone());
        let elements = if all_is_said { &[] } else { elements };
        for (spec, tables) in elements.iter().zip(tables.into_iter().flatten()) {
            for table in tables {
                let about = StatisticTable {
                    statistic: spec.statistic,
                    by_proto: spec.by_proto,
                    order: table.order,
                    top: spec.top,
                    totals: report.totals,
                };
                out.print(|out| printer.header(&about, out))?;
                let mut rows = 0;
                for batch in table.rows {
                    let batch = batch?;
                    rows += batch.len() as u64;
                    out.print(|out| printer.rows(&about, &batch, out))?;
                }
                out.print(|out| printer.footer(rows, out))?;
            }
        }
        out.print(|out| self.summarise(&report, out))?;
        Ok(report)
    }

    /// `-w`: the flows go into a new file under a name that queries leave out, which takes its place, or goes to standard
    /// output, when it is whole.
    fn write(
        &mut self,
        out: &mut Output,
        path: &Path,
        format: FileFormat,
        flows: &Flows<'_>,
        messages: &Messages,
    ) -> anyhow::Result<Report> {
        let failed = || format!("writing `{}`", path.display());
        let destination = Destination::new(path).with_context(failed)?;
        if let Some(warning) = format.warning() {
            messages.line(&format_args!("{}: {warning}", path.display()));
        }
        let (options, tail, numbers) = self.written(format);
        self.query.numbers = numbers;
        let mut writer = FileWriter::create(destination.scratch(), options).with_context(failed)?;
        let report = self.write_flows(&mut writer, &tail, flows)?;
        let omitted = writer.finish(tail).with_context(failed)?.omitted;
        destination.deliver(out).with_context(failed)?;
        if !omitted.is_empty() {
            messages.line(&format_args!("{}: the file has no place for {omitted}", path.display()));
        }
        Ok(report)
    }

    fn write_flows(
        &self,
        writer: &mut FileWriter,
        tail: &FileTail,
        flows: &Flows<'_>,
    ) -> anyhow::Result<Report> {
        writer.announce(&tail.exporters, &tail.samplers, &tail.names)?;
        let (listings, report) = match (flows.grouping, flows.order) {
            (None, None) => return Ok(flow_query::write(&self.query, writer)?),
            (None, Some(order)) => {
                let (listing, report) = flow_query::run(&self.query, &sort(order, 0, FieldSet::ALL))?;
                (vec![listing], report)
            }
            (Some(grouping), order) => {
                let sink = aggregate(grouping, vec![ranking(order, 0, flows.bounds)], FieldSet::ALL);
                flow_query::run(&self.query, &sink)?
            }
        };
        for batch in listings.into_iter().flatten() {
            if self.query.interrupt.load(Ordering::Relaxed) {
                return Err(QueryError::Interrupted.into());
            }
            writer.write(&batch?)?;
        }
        Ok(report)
    }

    /// Ident of the first file that can be opened, what is known of all of them, and what their exporters are called.
    fn written(&self, format: FileFormat) -> (WriteOptions, FileTail, Vec<ExporterNumbers>) {
        let mut options =
            WriteOptions { ident: "none".to_owned(), format, rule: CountRule::Written, created_ms: 0 };
        let mut readable = self.query.files.iter().filter_map(|path| FlowFile::open(path).ok());
        if let Some(first) = readable.next() {
            // One that has none, because it was never finished, goes by nfdump's word for that.
            if !first.ident().is_empty() {
                first.ident().clone_into(&mut options.ident);
            }
            options.created_ms = first.created_ms();
        }
        let (mut tail, numbers) = known(&self.query.files);
        let Query { filter, window: None, limit: None, files, .. } = &self.query else {
            return (options, tail, numbers);
        };
        // A copy of everything keeps what the files say of their time where the flows do not tell.
        if filter.matches_all() {
            tail.span_if_empty = span_ms(files);
        }
        (options, tail, numbers)
    }

    fn summarise(&self, report: &Report, out: &mut Vec<u8>) {
        let summary = self.summary(report);
        if self.plan.json_summary {
            summary.write_json(&self.plan.options.zone, out);
        } else {
            summary.write(&self.plan.format, &self.plan.options, out);
        }
    }

    fn summary(&self, report: &Report) -> Summary {
        let wall = self.started.elapsed().as_secs_f64();
        let (user, system) = cpu_seconds();
        Summary {
            totals: report.totals,
            window_ms: report.span_ms,
            processed: report.processed,
            passed: report.passed,
            blocks_skipped: report.blocks_skipped,
            bytes_read: report.bytes_read,
            timings: Timings { system, user, wall, runtime: wall },
        }
    }
}

fn sort(order: SortOrder, top: usize, columns: FieldSet) -> Sort {
    Sort { order: order.order, ascending: order.ascending, top, columns }
}

pub(crate) fn aggregate(grouping: &Grouping, rankings: Vec<Ranking>, columns: FieldSet) -> Aggregate {
    Aggregate {
        key: grouping.key.clone(),
        keep_first: grouping.keep_first,
        direction: grouping.direction,
        rankings,
        columns,
    }
}

pub(crate) fn ranking(order: Option<SortOrder>, top: usize, bounds: Bounds) -> Ranking {
    match order {
        Some(SortOrder { order, ascending }) => Ranking { order: Some(order), ascending, top, bounds },
        None => Ranking { bounds, ..Ranking::by_appearance(top) },
    }
}

/// The lines that say which groups are wanted; with `-q`, too, but not where they would spoil a document.
fn limits(bounds: &Bounds, format: &Format, out: &mut Vec<u8>) {
    if format.is_json() {
        return;
    }
    for (name, bound, unit) in [("Byte", bounds.bytes, "bytes"), ("Packet", bounds.packets, "packets")] {
        let line = match bound {
            None => continue,
            Some(Bound::Above(count)) => format!("{name} limit: > {count} {unit}\n"),
            Some(Bound::Below(count)) => format!("{name} limit: < {count} {unit}\n"),
        };
        out.extend_from_slice(line.as_bytes());
    }
}

/// User and system time of this process so far.
fn cpu_seconds() -> (f64, f64) {
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    getrusage(UsageWho::RUSAGE_SELF)
        .map_or((0.0, 0.0), |usage| (seconds(usage.user_time()), seconds(usage.system_time())))
}
