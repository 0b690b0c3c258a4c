//! Settings: options that the environment or a file makes.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;

use clap::{Arg, ArgAction, Command, Error, Id};

use super::{OWN_OPTIONS, invalid};

/// One option, as a word of the command line.
#[derive(Clone, Debug)]
pub(super) struct Setting {
    pub(super) id: Id,
    pub(super) word: OsString,
    pub(super) origin: Origin,
}

/// Where a setting stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Origin {
    /// A line of a file, counted from 1.
    File(Rc<PathBuf>, usize),
    /// A variable; an empty one says nothing.
    Environment(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Environment(name) => f.write_str(name),
        }
    }
}

/// The word that gives `arg` a value, or that sets a flag.
pub(super) fn word(arg: &Arg, value: Option<&OsStr>) -> OsString {
    let mut word = match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => OsString::from(format!("--{long}")),
        (None, Some(letter)) => OsString::from(format!("-{letter}")),
        (None, None) => OsString::new(),
    };
    if let Some(value) = value {
        word.push("=");
        word.push(value);
    }
    word
}

/// Whether a configuration may set the option.
pub(super) fn is_settable(arg: &Arg) -> bool {
    !arg.is_positional()
        && !OWN_OPTIONS.contains(&arg.get_id().as_str())
        && !matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong)
}

/// Whether the option stands alone.
pub(super) fn is_flag(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::SetTrue | ArgAction::SetFalse | ArgAction::Count)
}

/// Whether the option collects its values.
pub(super) fn is_list(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// The variable for the option with a long name or id of `option`.
pub(super) fn variable_name(command: &Command, option: &str) -> String {
    format!("{}_{}", command.get_name(), option).replace('-', "_").to_ascii_uppercase()
}

/// nfdump's variables, and the letter of the option that each stands for.
const NFDUMP_VARIABLES: [(&str, char); 1] = [("NFGEODB", 'G')];

/// What the environment sets.
pub(super) fn of_environment(
    command: &Command,
    variable: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<Setting>, Error> {
    let mut settings = Vec::new();
    for arg in command.get_arguments().filter(|arg| is_settable(arg)) {
        let foreign = NFDUMP_VARIABLES
            .iter()
            .filter(|(_, letter)| arg.get_short() == Some(*letter))
            .map(|(name, _)| (*name).to_owned());
        let own = arg.get_long().map(|long| variable_name(command, long));
        let Some((name, value)) = own.into_iter().chain(foreign).find_map(|name| {
            let value = variable(&name).filter(|value| !value.is_empty())?;
            Some((name, value))
        }) else {
            continue;
        };
        let word = if is_flag(arg) {
            match value.to_str() {
                Some("1" | "true" | "yes") => word(arg, None),
                Some("0" | "false" | "no") => continue,
                _ => return Err(invalid(&format!("{name}: true or false is expected"))),
            }
        } else {
            word(arg, Some(&value))
        };
        settings.push(Setting { id: arg.get_id().clone(), word, origin: Origin::Environment(name) });
    }
    Ok(settings)
}

/// The settings that count: those of the nearest place for each option, where `typed` says which were typed. `settings`
/// have the farthest place first; of an option that does not collect values the last one counts anyway.
pub(super) fn effective(
    settings: Vec<Setting>,
    command: &Command,
    implicit_group: Option<&Id>,
    typed: &dyn Fn(&str) -> bool,
) -> Vec<Setting> {
    let choice = |id: &Id| -> Vec<Id> {
        command
            .get_groups()
            .filter(|group| Some(group.get_id()) != implicit_group)
            .filter(|group| group.get_args().any(|member| member == id))
            .flat_map(|group| group.get_args().cloned())
            .chain([id.clone()])
            .collect()
    };
    let is_environment = |setting: &Setting| matches!(setting.origin, Origin::Environment(_));
    let environment: Vec<Id> =
        settings.iter().filter(|setting| is_environment(setting)).map(|setting| setting.id.clone()).collect();
    settings
        .into_iter()
        .filter(|setting| {
            let choice = choice(&setting.id);
            let nearer = !is_environment(setting) && environment.iter().any(|id| choice.contains(id));
            !nearer && !choice.iter().any(|id| typed(id.as_str()))
        })
        .collect()
}
