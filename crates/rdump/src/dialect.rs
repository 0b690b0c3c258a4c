//! Dialects: which generation of nfdump a caller takes us for.
//!
//! Everything that differs stands in one table, a row for each dialect; whoever prints, reads input or ends the program asks
//! it. A dialect is a layout and a set of habits: the rulings on nfdump's defects (D-nn of `docs/compat.md`) hold in each.

use anyhow::anyhow;
use flow_cli::ExitCode;
use flow_output::Release;
use std::ffi::OsString;

/// A generation of nfdump.
#[derive(Debug)]
pub(crate) struct Dialect {
    /// As `--dialect` names it.
    name: &'static str,
    /// Columns and lines.
    pub(crate) release: &'static Release,
    /// How the program ends when arguments cannot be understood, and after every other error without a code of its own.
    pub(crate) failure: ExitCode,
    /// How it ends when the file of `-r` does not exist.
    pub(crate) missing_file: ExitCode,
    /// Whether standard input is read where no input is named (D-104).
    pub(crate) reads_stdin: bool,
    /// The unit, in ms, in which the times of flows are held against the end of a window.
    pub(crate) window_unit_ms: u64,
}

/// nfdump 1.7.1.
static V1_7: Dialect = Dialect {
    name: "1.7",
    release: Release::V1_7,
    failure: ExitCode::Failure,
    missing_file: ExitCode::Failure,
    reads_stdin: false,
    window_unit_ms: 1,
};

/// nfdump 1.6.25.
static V1_6: Dialect = Dialect {
    name: "1.6",
    release: Release::V1_6,
    failure: ExitCode::Include,
    missing_file: ExitCode::Files,
    reads_stdin: true,
    window_unit_ms: 1_000,
};

/// The variable that sets `--dialect`, looked at here only for command lines that cannot be read.
const VARIABLE: &str = "RDUMP_DIALECT";

impl Dialect {
    fn named(name: &str) -> anyhow::Result<&'static Dialect> {
        [&V1_6, &V1_7]
            .into_iter()
            .find(|dialect| dialect.name == name)
            .ok_or_else(|| anyhow!("unknown dialect `{name}`: 1.6 or 1.7"))
    }

    /// The dialect of `--dialect`, wherever it is set, or else 1.7.
    ///
    /// # Errors
    /// When it is unknown.
    pub(crate) fn choose(option: Option<&str>) -> anyhow::Result<&'static Dialect> {
        option.map_or(Ok(&V1_7), Dialect::named)
    }

    /// The dialect for a command line that cannot be read: an error in it ends the program as in the dialect it names.
    pub(crate) fn of_unreadable(argv: &[OsString]) -> &'static Dialect {
        let words: Vec<&str> = argv.iter().filter_map(|word| word.to_str()).collect();
        let named = words.iter().enumerate().rev().find_map(|(index, word)| {
            match word.strip_prefix("--dialect")?.strip_prefix('=') {
                Some(name) => Some(name),
                None if *word == "--dialect" => words.get(index + 1).copied(),
                None => None,
            }
        });
        let variable = std::env::var(VARIABLE).ok().filter(|name| !name.is_empty());
        Dialect::choose(named.or(variable.as_deref())).unwrap_or(&V1_7)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unreadable_line_may_name_its_dialect() {
        let named = |line: &str| {
            let argv: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            Dialect::of_unreadable(&argv).name
        };
        assert_eq!(named("rdump -k --dialect 1.6"), "1.6");
        assert_eq!(named("rdump --dialect=1.6 -k"), "1.6");
        assert_eq!(named("rdump --dialect 1.6 --dialect=1.7 -k"), "1.7");
        assert_eq!(named("rdump --dialect"), "1.7");
        assert_eq!(named("rdump --dialects=1.6 --dialect=1.8"), "1.7");
    }

    #[test]
    fn without_a_choice_it_is_1_7() {
        assert_eq!(Dialect::choose(Some("1.6")).unwrap().name, "1.6");
        assert_eq!(Dialect::choose(None).unwrap().name, "1.7");
        let error = Dialect::choose(Some("1.8")).unwrap_err();
        assert_eq!(error.to_string(), "unknown dialect `1.8`: 1.6 or 1.7");
    }
}
