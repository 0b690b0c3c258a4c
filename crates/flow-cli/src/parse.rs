//! From an argument vector to a program's arguments.

use std::ffi::OsString;
use std::io::{self, Write};

use clap::error::ErrorKind;
use clap::{Error, Parser};

use crate::exit::ExitCode;
use crate::normalise::{Quirk, normalise};
use crate::run::Messages;

/// Reads a whole argument vector, the program's name first, as getopt and the program's quirks would have it.
/// Of an option given several times, the last one counts, unless it collects its values.
///
/// # Errors
/// clap's, for [`usage_error`]; also when help was asked for.
pub fn parse<P: Parser>(argv: impl IntoIterator<Item = OsString>, quirks: &[Quirk<'_>]) -> Result<P, Error> {
    let mut argv = argv.into_iter();
    let name = argv.next().unwrap_or_default();
    let args: Vec<OsString> = argv.collect();
    let mut command = P::command().args_override_self(true);
    let words = normalise(&args, &command, quirks);
    let mut matches = command.try_get_matches_from_mut(std::iter::once(name).chain(words))?;
    P::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// Prints what [`parse`] has to say: help on stdout, and success; anything else on stderr under the program's
/// name, and `code`.
pub fn usage_error(messages: &Messages, error: &Error, code: ExitCode) -> ExitCode {
    let text = error.render().to_string();
    let text = text.strip_prefix("error: ").unwrap_or(&text);
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        // Nobody who asked for help is helped by hearing that it could not be written.
        let _ = io::stdout().lock().write_all(text.as_bytes());
        return ExitCode::Success;
    }
    messages.line(&text.trim_end());
    code
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program.
    #[derive(Debug, PartialEq, Parser)]
    #[command(name = "test")]
    struct Args {
        #[arg(short, action = clap::ArgAction::SetTrue)]
        quiet: bool,
        #[arg(short)]
        output: Option<String>,
        #[arg(short)]
        statistics: Vec<String>,
        filter: Vec<String>,
    }

    fn parsed(line: &str) -> Result<Args, Error> {
        parse(line.split(' ').map(OsString::from), &[])
    }

    #[test]
    fn the_last_one_counts_and_lists_grow() {
        let args = parsed("test -oa -s x proto -qq -s -y tcp -o b").unwrap();
        assert_eq!(
            args,
            Args {
                quiet: true,
                output: Some("b".to_owned()),
                statistics: vec!["x".to_owned(), "-y".to_owned()],
                filter: vec!["proto".to_owned(), "tcp".to_owned()],
            }
        );
    }

    #[test]
    fn errors_come_from_clap() {
        assert_eq!(parsed("test -x").unwrap_err().kind(), ErrorKind::UnknownArgument);
        assert_eq!(parsed("test a -o").unwrap_err().kind(), ErrorKind::InvalidValue);
        assert_eq!(parsed("test -h").unwrap_err().kind(), ErrorKind::DisplayHelp);
    }

    #[test]
    fn an_empty_vector_is_a_program_without_arguments() {
        assert_eq!(parse::<Args>([], &[]).unwrap().filter, Vec::<String>::new());
    }
}
