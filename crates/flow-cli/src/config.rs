//! The configuration: options that were not typed.
//!
//! One declaration serves all: a key of the file is an option's long name, with `_` or `-`, and becomes that option in front
//! of the command line; so does the environment's `RDUMP_LONG_NAME`. No key has code of its own. What a nearer place sets,
//! a farther one does not: the command line stands before the environment, that before the file. Options of one
//! [`clap::ArgGroup`] are one choice.
//!
//! ```toml
//! [rdump]
//! default_format = "long"
//! fmt.router = "%line %ra"        # --fmt 'router=%line %ra'
//!
//! [rcapd]
//! file_format = "nfdump"
//! limit = { templates = 1000 }    # --limit templates=1000
//! ```
//!
//! nfdump's own file is read, too: the tables `[nfdump]`, `[nfcapd]` and so on are those of the program which answers to
//! that name, with nfdump's keys, and in them, as in nfdump, a key that nobody knows is nobody's.

mod effective;
mod file;
mod setting;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, Error, Parser};

use crate::normalise::{Quirk, normalise};
use setting::Setting;

/// The options by which a program says what else to read. Flattened into every program's arguments.
#[derive(Clone, Debug, Default, PartialEq, Args)]
#[group(skip)]
pub struct ConfigArgs {
    /// Read the configuration from FILE; `none` reads none
    ///
    /// Without it the environment names the file: `RDUMP_CONFIG`, `RCAPD_CONFIG` or `REXPIRE_CONFIG`, else `NFCONF`. Without
    /// these it is /etc/rdump/rdump.toml or else nfdump's /usr/local/etc/nfdump.conf, if they exist. Keys are long option
    /// names in a table named after the program, as in `[rdump]`.
    #[arg(short = 'C', long = "config", value_name = "FILE", help_heading = "Running")]
    pub config: Option<PathBuf>,

    /// Print every option's value and where it comes from, and exit
    #[arg(long = "print-config", help_heading = "Running", action = clap::ArgAction::SetTrue)]
    pub print_config: bool,
}

/// The ids of [`ConfigArgs`], which no configuration can set.
const OWN_OPTIONS: [&str; 2] = ["config", "print_config"];

/// Where a file is looked for when nobody names one.
const DEFAULT_FILES: [&str; 2] = ["/etc/rdump/rdump.toml", "/usr/local/etc/nfdump.conf"];

/// nfdump's variable for the file.
const NFDUMP_VARIABLE: &str = "NFCONF";

/// What stands around a program when it starts.
struct Surroundings<'a> {
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    default_files: &'a [&'a str],
}

/// A program's arguments with what the configuration adds to them.
#[derive(Debug)]
pub struct Configured<P> {
    /// The arguments.
    pub args: P,
    /// What of them was not typed.
    pub configuration: Configuration,
}

/// What the environment and a file added to what was typed.
#[derive(Debug)]
pub struct Configuration {
    name: OsString,
    typed: Vec<OsString>,
    settings: Vec<Setting>,
}

/// Reads an argument vector as [`parse`](crate::parse) does, completed from the environment and the configuration file.
///
/// # Errors
/// clap's, for [`usage_error`](crate::usage_error), those of the configuration with file and line among them; also when
/// help or the effective values (`--print-config`) were asked for.
pub fn configured<P: Parser + Args>(
    argv: impl IntoIterator<Item = OsString>,
    quirks: &[Quirk<'_>],
) -> Result<Configured<P>, Error> {
    let surroundings =
        Surroundings { variable: &|name| std::env::var_os(name), default_files: &DEFAULT_FILES };
    configured_in(argv, quirks, &surroundings)
}

fn configured_in<P: Parser + Args>(
    argv: impl IntoIterator<Item = OsString>,
    quirks: &[Quirk<'_>],
    surroundings: &Surroundings<'_>,
) -> Result<Configured<P>, Error> {
    let mut argv = argv.into_iter();
    let name = argv.next().unwrap_or_default();
    let args: Vec<OsString> = argv.collect();
    let mut command = P::command().args_override_self(true);
    let typed = normalise(&args, &command, quirks);
    let matches = command.try_get_matches_from_mut(std::iter::once(&name).chain(&typed))?;
    command.build();

    let file = place(&matches, &command, surroundings)?;
    let mut settings = match &file {
        Some((path, must_exist)) => file::read(path, *must_exist, &command)?,
        None => Vec::new(),
    };
    settings.extend(setting::of_environment(&command, surroundings.variable)?);
    let implicit = P::group_id();
    let settings = setting::effective(settings, &command, implicit.as_ref(), &|id| {
        matches.value_source(id) == Some(ValueSource::CommandLine)
    });
    let (args, matches) = read::<P>(&mut command, &name, &settings, &typed).map_err(|error| {
        // One of the settings: the words typed were read without complaint.
        settings
            .iter()
            .find_map(|setting| {
                let error = read::<P>(&mut command, &name, std::slice::from_ref(setting), &typed).err()?;
                Some(invalid(&format!("{}: {}", setting.origin, cause(&error))))
            })
            .unwrap_or(error)
    })?;
    if matches.get_flag(OWN_OPTIONS[1]) {
        let path = file.map(|(path, _)| path);
        let text = effective::text(&command, &matches, &settings, path.as_deref());
        return Err(Error::raw(ErrorKind::DisplayVersion, text));
    }
    Ok(Configured { args, configuration: Configuration { name, typed, settings } })
}

impl Configuration {
    /// Which setting is to blame when the arguments as a whole fail a check: the one without which they pass, as
    /// `FILE:LINE` or the variable's name. `None` when it is none, or not one alone.
    pub fn blame<P: Parser>(&self, fails: impl Fn(P) -> bool) -> Option<String> {
        let mut command = P::command().args_override_self(true);
        (0..self.settings.len()).find_map(|left_out| {
            let mut others = self.settings.clone();
            let suspect = others.remove(left_out);
            let (args, _) = read::<P>(&mut command, &self.name, &others, &self.typed).ok()?;
            (!fails(args)).then(|| suspect.origin.to_string())
        })
    }

    /// Puts the setting to blame in front of what `check` says about the arguments.
    ///
    /// # Errors
    /// Those of the check.
    pub fn check<P: Parser, T>(&self, args: P, check: impl Fn(P) -> anyhow::Result<T>) -> anyhow::Result<T> {
        check(args).map_err(|error| match self.blame(|args| check(args).is_err()) {
            Some(origin) => error.context(origin),
            None => error,
        })
    }
}

/// The arguments that settings and typed words make together.
fn read<P: Parser>(
    command: &mut Command,
    name: &OsString,
    settings: &[Setting],
    typed: &[OsString],
) -> Result<(P, ArgMatches), Error> {
    let words = settings.iter().map(|setting| &setting.word).chain(typed);
    let mut matches = command.try_get_matches_from_mut(std::iter::once(name).chain(words))?;
    let kept = matches.clone();
    let args = P::from_arg_matches_mut(&mut matches).map_err(|error| error.format(command))?;
    Ok((args, kept))
}

/// The file to read, and whether it must exist.
fn place(
    matches: &ArgMatches,
    command: &Command,
    surroundings: &Surroundings<'_>,
) -> Result<Option<(PathBuf, bool)>, Error> {
    let named = matches.get_one::<PathBuf>(OWN_OPTIONS[0]).cloned().or_else(|| {
        [setting::variable_name(command, OWN_OPTIONS[0]), NFDUMP_VARIABLE.to_owned()]
            .iter()
            .find_map(|name| (surroundings.variable)(name))
            .map(PathBuf::from)
    });
    match named {
        Some(path) if path.as_os_str() == "none" => Ok(None),
        Some(path) if !path.exists() => Err(invalid(&format!("path does not exist: {}", path.display()))),
        Some(path) => Ok(Some((path, true))),
        None => Ok(surroundings
            .default_files
            .iter()
            .find(|path| Path::new(path).exists())
            .map(|path| (PathBuf::from(path), false))),
    }
}

fn invalid(message: &str) -> Error {
    Error::raw(ErrorKind::ValueValidation, format!("{message}\n"))
}

/// What clap says is wrong, in one line.
fn cause(error: &Error) -> String {
    let text = error.render().to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

#[cfg(test)]
mod tests;
