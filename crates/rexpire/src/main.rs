//! `rexpire`: keeps a directory of flow files under an age and a size.
#![forbid(unsafe_code)]

mod args;
mod job;
mod prompt;
mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use chrono::Local;
use flow_cli::{Configured, ExitCode, Messages, configured, run, usage_error, version_text};
use flow_retain::{Access, Origin, Plan, Reason, RunLimits, Session, collector_pid};

use crate::args::Args;
use crate::job::{Action, Job, Report};
use crate::report::{Exceptions, Figures, Kept, Preview, QuotaUse};

fn main() -> std::process::ExitCode {
    let messages = Messages::new("rexpire");
    run(&messages, ExitCode::Files, |messages| {
        let argv: Vec<OsString> = std::env::args_os().collect();
        match configured::<Args>(argv.iter().cloned(), &[]) {
            Ok(read) if read.args.version => {
                let argv0 = argv.first().map(OsString::as_os_str).unwrap_or_default();
                writeln!(io::stdout().lock(), "{}", version_text(argv0, env!("CARGO_PKG_VERSION")))?;
                Ok(ExitCode::Success)
            }
            Ok(read) if read.args.describe.is_asked_for() => {
                read.args.describe.print::<Args>()?;
                Ok(ExitCode::Success)
            }
            Ok(Configured { args, configuration }) => {
                let job = configuration.check(args, |args: Args| Job::try_from(args))?;
                expire(&job, messages)
            }
            Err(error) => Ok(usage_error(messages, &error, ExitCode::Files)),
        }
    })
    .into()
}

/// Does one job, and reports it on stdout in nfexpire's form.
fn expire(job: &Job, messages: &Messages) -> anyhow::Result<ExitCode> {
    let started = Instant::now();
    let now_s = now_s()?;
    let base = job
        .directory
        .canonicalize()
        .with_context(|| format!("no such directory: `{}`", job.directory.display()))?;
    let access = if job.dry_run { Access::Look } else { Access::Change };
    let open = if job.profile { Session::open_profile } else { Session::open };
    let mut session = open(&base, access, &Local, now_s)?;
    let mut out = io::stdout().lock();
    if let Some(unit) = &job.separated_unit {
        messages
            .line(&format_args!("`{unit}` is taken for the unit of -t, although a blank is in front of it"));
    }
    if job.report != Report::Json {
        announce(&mut out, job, &session, messages)?;
        tell_of_collectors(&mut out, job, &session, messages)?;
    }
    if job.profile && job.action == Action::Update {
        messages.line(&"the limits of a profile are not stored: give them with -e");
        return Ok(ExitCode::Success);
    }
    if job.action.changes_limits() {
        session.change_limits(&job.limits);
    }

    let mut complete = session.inventory().problems().is_empty();
    session.inventory().problems().iter().for_each(|problem| messages.problem(problem));
    let mut deletion = None;
    if job.action == Action::Expire {
        let run = RunLimits {
            missing_bytes: job.min_free.map_or(Ok(0), |goal| goal.missing_bytes(&base))?,
            quotas: job.quotas.clone(),
            keep_translations_s: job.keep_nat_s.unwrap_or(0),
        };
        let plan = session.plan(&run);
        tell_of_exceptions(job, &session, &plan, messages);
        if job.dry_run {
            let preview = Preview::new(job, &session, &plan);
            match job.report {
                Report::Json => preview.json(&mut out)?,
                _ => preview.table(&mut out)?,
            }
            return Ok(exit_code(complete));
        }
        if prompt::is_due(&session, &plan)
            && io::stdin().is_terminal()
            && !prompt::confirmed(&mut out, &mut io::stdin().lock(), &session, now_s)?
        {
            writeln!(out, "Expire canceled!")?;
            return Ok(ExitCode::Success);
        }
        let kept = Kept::new(job, &session, &plan);
        let (figures, all) = delete(job, &mut session, &plan, started, messages);
        let exceptions = Exceptions { quotas: QuotaUse::all(job, &session, &[]), kept };
        complete &= all;
        deletion = Some((figures, exceptions));
    }

    // Before anything is printed: whoever reads may be gone.
    let record = session.close()?;
    if let (Some((figures, _)), Report::Table | Report::Line) = (&deletion, job.report) {
        report::expired(&mut out, figures)?;
    }
    match job.report {
        Report::Json => report::json(&mut out, &base, &record, deletion.as_ref())?,
        Report::Line => {
            writeln!(out, "Stat|{}|{}|{}", record.size_bytes, record.first_s, record.last_s)?;
        }
        Report::Table => report::table(&mut out, &record)?,
    }
    Ok(exit_code(complete))
}

/// Deletes what the plan says; gives what was deleted, and whether that is all of it.
fn delete(
    job: &Job,
    session: &mut Session,
    plan: &Plan,
    started: Instant,
    messages: &Messages,
) -> (Figures, bool) {
    let first_s = session.record().first_s;
    let outcome =
        session.execute(plan, &mut || job.runtime.is_none_or(|runtime| started.elapsed() < runtime));
    outcome.problems.iter().for_each(|problem| messages.problem(problem));
    if outcome.stopped {
        messages.line(&"maximum run time reached, the rest stays for the next run");
    }
    let deleted: BTreeSet<usize> = outcome.deleted.iter().copied().collect();
    let mut by_reason = BTreeMap::new();
    for deletion in plan.deletions.iter().filter(|deletion| deleted.contains(&deletion.index)) {
        *by_reason.entry(deletion.reason).or_default() += 1;
    }
    let figures = Figures {
        files: outcome.deleted.len(),
        bytes: outcome.freed_bytes,
        by_reason,
        range_s: if outcome.deleted.is_empty() {
            0
        } else {
            session.record().first_s.saturating_sub(first_s)
        },
    };
    (figures, outcome.problems.is_empty())
}

/// Says which limits cannot hold because files are kept, and which quotas are for nothing.
fn tell_of_exceptions(job: &Job, session: &Session, plan: &Plan, messages: &Messages) {
    let kept = plan.kept.iter().filter(|kept| kept.reason != Reason::Age).count();
    if kept > 0 {
        messages.line(&format_args!(
            "{kept} files are kept for their records of translation, although they are too large together"
        ));
    }
    for (name, _) in &job.quotas {
        let path = session.base().join(name);
        if path.is_dir() && !session.inventory().files().iter().any(|file| file.path.starts_with(&path)) {
            messages.line(&format_args!(
                "no file in `{}` is counted: without -p, names of sub-directories start with a digit",
                path.display()
            ));
        }
    }
}

/// Says which collectors work in the directories, where that is asked for, or where they will go by other limits from now on.
fn tell_of_collectors(
    out: &mut impl Write,
    job: &Job,
    session: &Session,
    messages: &Messages,
) -> io::Result<()> {
    if !matches!(job.action, Action::ListCollector | Action::Update) || job.profile {
        return Ok(());
    }
    let base = session.base();
    match (collector_pid(base), job.action) {
        (Err(problem), _) => messages.problem(&problem),
        (Ok(None), Action::ListCollector) => {
            writeln!(out, "No collector process running for directory: '{}'", base.display())?;
        }
        (Ok(Some(pid)), Action::ListCollector) => writeln!(out, "Collector process: {pid}")?,
        (Ok(Some(_)), _) => {
            writeln!(out, "Update collector process running for directory: '{}'", base.display())?;
        }
        (Ok(None), _) => {}
    }
    Ok(())
}

/// Says why directories were looked through, as far as nfexpire would have had to.
fn announce(out: &mut impl Write, job: &Job, session: &Session, messages: &Messages) -> io::Result<()> {
    for directory in session.directories() {
        let path = directory.path().display();
        let scanned = match directory.origin() {
            _ if job.action == Action::Rescan => true,
            Origin::Created => {
                writeln!(out, "Force rebuild to create stat record in {path}")?;
                true
            }
            Origin::Kept => false,
            origin => {
                if let Origin::Invalid(lines) = origin {
                    for line in lines {
                        messages.raw(&format_args!("Invalid config line: '{line}'"));
                    }
                }
                writeln!(out, "Force rebuild requested by stat record in {path}")?;
                true
            }
        };
        if scanned {
            writeln!(out, "Scanning files in {path} .. done.")?;
        }
    }
    Ok(())
}

fn exit_code(complete: bool) -> ExitCode {
    if complete { ExitCode::Success } else { ExitCode::Files }
}

#[expect(clippy::disallowed_methods, reason = "the edge of the program: everything below takes the time")]
fn now_s() -> anyhow::Result<i64> {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is set before 1970")?;
    Ok(since_1970.as_secs().cast_signed())
}
