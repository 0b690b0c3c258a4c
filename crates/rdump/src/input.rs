//! Which files are read, and standard input as one of them.

use crate::dialect::Dialect;
use crate::plan::{FileTask, Mode, Plan};
use crate::scratch::ScratchDir;
use anyhow::{Context, bail};
use flow_cli::{ExitCode, Messages, WithExitCode};
use flow_file::{FileSelection, FileSet, SelectionError};
use std::fs::File;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

/// The files of a query.
pub(crate) struct Input {
    pub(crate) files: Vec<PathBuf>,
    /// Holds the copy of standard input as long as it is read.
    _copy: Option<ScratchDir>,
}

impl Input {
    /// Finds the files, and says what is wrong with the selection before anything is printed.
    ///
    /// # Errors
    /// When the selection means nothing, or standard input cannot be read or is no place for the task.
    pub(crate) fn find(plan: &Plan, messages: &Messages) -> anyhow::Result<Input> {
        if is_stdin(&plan.selection, plan.dialect) {
            if let Mode::Files(task @ (FileTask::Recompress(_) | FileTask::Ident(_))) = &plan.mode {
                let option = if matches!(task, FileTask::Ident(_)) { "-i" } else { "-J" };
                bail!("Option {option} changes files, and standard input is none");
            }
            return stdin();
        }
        let set = FileSet::resolve(&plan.selection).or_else(|error| {
            let code = match &error {
                SelectionError::NoFile { .. } => plan.dialect.missing_file,
                error if error.is_argument_error() => plan.dialect.failure,
                _ => ExitCode::Files,
            };
            Err(error).exit_with(code)
        })?;
        set.warnings.iter().for_each(|warning| messages.raw(warning));
        Ok(Input { files: set.files, _copy: None })
    }
}

/// Whether standard input is meant: by `-r -`, unless there is a file of that name (D-64), or by naming nothing where the
/// dialect has that habit. Nobody types flows, so that a terminal is no input then.
fn is_stdin(selection: &FileSelection, dialect: &Dialect) -> bool {
    match selection {
        FileSelection { single: Some(path), ranges, sources: None } if ranges.is_empty() => {
            path == "-" && !Path::new(path).exists()
        }
        FileSelection { single: None, ranges, sources: None } if ranges.is_empty() => {
            dialect.reads_stdin && !io::stdin().is_terminal()
        }
        _ => false,
    }
}

/// Standard input, of whichever layout, as a file: what a file holds at its end must be known before its start is read.
/// Nothing at all is no file.
fn stdin() -> anyhow::Result<Input> {
    let directory = ScratchDir::new().context("reading standard input")?;
    let path = directory.path().join("standard-input");
    let copy = || io::copy(&mut io::stdin().lock(), &mut File::create_new(&path)?);
    let size = copy().context("reading standard input")?;
    let files = if size == 0 { Vec::new() } else { vec![path] };
    Ok(Input { files, _copy: Some(directory) })
}
