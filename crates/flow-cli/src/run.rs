//! The frame of a `main`: messages and the way out.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use crate::exit::{Coded, ExitCode, exit_code_of};

/// Runs a program and turns its result into an exit code.
///
/// An error is printed as `program: what: cause`; its code is the one attached to it
/// ([`WithExitCode`](crate::WithExitCode)) or else `otherwise`. When the error is that whoever read our
/// output has gone, as in `rdump ... | head`, the program ends silently and with success.
pub fn run(
    messages: &Messages,
    otherwise: ExitCode,
    program: impl FnOnce(&Messages) -> anyhow::Result<ExitCode>,
) -> ExitCode {
    match program(messages) {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::Success,
        Err(error) => {
            messages.error(&error);
            exit_code_of(&error).unwrap_or(otherwise)
        }
    }
}

/// Whether an error means that nobody reads our output any more.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        // An error with a code stands for the error in it, which is no cause of its own.
        let coded = cause.downcast_ref::<Coded>().is_some_and(|coded| is_closed_pipe(&coded.error));
        coded || cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == ErrorKind::BrokenPipe)
    })
}

/// Writes messages to stderr under the program's name. Nothing is done about a stderr that cannot be written.
#[derive(Clone, Copy, Debug)]
pub struct Messages {
    program: &'static str,
}

impl Messages {
    /// Messages of the program with this name.
    pub const fn new(program: &'static str) -> Self {
        Messages { program }
    }

    /// The name in front of every message.
    pub const fn program(&self) -> &'static str {
        self.program
    }

    /// `program: what: cause`.
    pub fn error(&self, error: &anyhow::Error) {
        self.line(&format_args!("{error:#}"));
    }

    /// `program: what: cause`, from a library's error with its sources.
    pub fn problem(&self, error: &dyn std::error::Error) {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        self.line(&text);
    }

    /// `program: text`.
    pub fn line(&self, text: &dyn Display) {
        self.raw(&format_args!("{}: {text}", self.program));
    }

    /// `hint: text`, for the last line when the user can do something.
    pub fn hint(&self, text: &dyn Display) {
        self.raw(&format_args!("hint: {text}"));
    }

    /// A line of its own making, such as nfdump's texts.
    pub fn raw(&self, text: &dyn Display) {
        // A message that cannot be delivered has no other way out.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;
    use crate::exit::WithExitCode;

    const QUIET: Messages = Messages::new("test");

    #[test]
    fn a_closed_pipe_is_success() {
        let broken = || -> anyhow::Result<ExitCode> {
            Err(io::Error::from(ErrorKind::BrokenPipe)).context("writing to stdout")
        };
        assert!(is_closed_pipe(&broken().unwrap_err()));
        assert_eq!(run(&QUIET, ExitCode::Failure, |_| broken()), ExitCode::Success);
    }

    #[test]
    fn a_closed_pipe_is_recognised_below_a_code() {
        let result: io::Result<()> = Err(io::Error::from(ErrorKind::BrokenPipe));
        assert!(is_closed_pipe(&result.context("x").exit_with(ExitCode::Files).unwrap_err()));
        let bare: io::Result<()> = Err(io::Error::from(ErrorKind::BrokenPipe));
        assert!(is_closed_pipe(&bare.or_exit_with(ExitCode::Files).context("y").unwrap_err()));
        assert!(!is_closed_pipe(&anyhow!("broken pipe")));
    }

    #[test]
    fn errors_end_with_their_own_code_or_the_usual_one() {
        let coded = run(&QUIET, ExitCode::Failure, |_| Err(anyhow!("a")).exit_with(ExitCode::Filter));
        assert_eq!(coded, ExitCode::Filter);
        assert_eq!(run(&QUIET, ExitCode::Files, |_| Err(anyhow!("b"))), ExitCode::Files);
        assert_eq!(run(&QUIET, ExitCode::Files, |_| Ok(ExitCode::Success)), ExitCode::Success);
    }
}
