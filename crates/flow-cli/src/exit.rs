//! Exit codes, and errors that choose one.

use std::error::Error;
use std::fmt;

/// How a program ends. The numbers are nfdump 1.7's; nfsen-ng shows a message of its own for 250, 254 and 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum ExitCode {
    /// Success, also when nothing matched.
    Success = 0,
    /// Wrong arguments, a file given to `-r` that does not exist, a target that cannot be written; a
    /// collector that cannot start.
    Failure = 1,
    /// The selection of files: `-R`, `-M`, nothing readable at all. Every error of rexpire.
    Files = 250,
    /// The filter does not compile.
    Filter = 254,
    /// A file included by a filter cannot be read, or memory ran out; in dialect 1.6 of rdump also wrong arguments.
    Include = 255,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        std::process::ExitCode::from(code as u8)
    }
}

/// Says with which code the program ends if a result is an error.
pub trait WithExitCode<T> {
    /// Attaches the code; the message stays as it is.
    fn exit_with(self, code: ExitCode) -> anyhow::Result<T>;

    /// The same for an error that has no code yet.
    fn or_exit_with(self, code: ExitCode) -> anyhow::Result<T>;
}

impl<T, E: Into<anyhow::Error>> WithExitCode<T> for Result<T, E> {
    fn exit_with(self, code: ExitCode) -> anyhow::Result<T> {
        self.map_err(|error| Coded { code, error: error.into() }.into())
    }

    fn or_exit_with(self, code: ExitCode) -> anyhow::Result<T> {
        self.map_err(|error| {
            let error = error.into();
            let code = exit_code_of(&error).unwrap_or(code);
            Coded { code, error }.into()
        })
    }
}

/// The code attached last to an error, if any.
pub fn exit_code_of(error: &anyhow::Error) -> Option<ExitCode> {
    error.chain().find_map(|cause| cause.downcast_ref::<Coded>()).map(|coded| coded.code)
}

/// An error with a code, which shows as the error alone.
#[derive(Debug)]
pub(crate) struct Coded {
    code: ExitCode,
    pub(crate) error: anyhow::Error,
}

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl Error for Coded {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;

    use super::*;

    fn failing() -> Result<(), std::io::Error> {
        Err(std::io::Error::other("no disk"))
    }

    #[test]
    fn a_code_survives_context_and_does_not_show() {
        let error = failing().context("reading `x`").exit_with(ExitCode::Files).context("query").unwrap_err();
        assert_eq!(exit_code_of(&error), Some(ExitCode::Files));
        assert_eq!(format!("{error:#}"), "query: reading `x`: no disk");
    }

    #[test]
    fn the_last_code_wins_and_none_is_none() {
        let error = failing().exit_with(ExitCode::Files).exit_with(ExitCode::Filter).unwrap_err();
        assert_eq!(exit_code_of(&error), Some(ExitCode::Filter));
        assert_eq!(exit_code_of(&failing().context("x").unwrap_err()), None);
        let error = failing().exit_with(ExitCode::Files).or_exit_with(ExitCode::Filter).unwrap_err();
        assert_eq!(exit_code_of(&error), Some(ExitCode::Files));
        let error = failing().or_exit_with(ExitCode::Filter).unwrap_err();
        assert_eq!(exit_code_of(&error), Some(ExitCode::Filter));
    }
}
