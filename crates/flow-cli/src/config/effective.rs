//! What `--print-config` prints: a configuration file that says the same, with the origin of each value.

use std::fmt::Write;
use std::path::Path;

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::setting::{Origin, Setting, is_flag, is_list, is_settable};

pub(super) fn text(
    command: &Command,
    matches: &ArgMatches,
    settings: &[Setting],
    file: Option<&Path>,
) -> String {
    let mut text = String::new();
    let file = file.map_or("no configuration file".to_owned(), |path| path.display().to_string());
    let _ = writeln!(text, "# {file}\n[{}]", command.get_name());
    for arg in command.get_arguments().filter(|arg| is_settable(arg)) {
        let Some(long) = arg.get_long() else { continue };
        let key = long.replace('-', "_");
        match value(arg, matches) {
            Some(value) => {
                let origin = settings.iter().rfind(|setting| &setting.id == arg.get_id());
                let origin = origin.map_or("option".to_owned(), |setting| match setting.origin {
                    Origin::File(..) => setting.origin.to_string(),
                    Origin::Environment(_) => format!("environment {}", setting.origin),
                });
                let _ = writeln!(text, "{key} = {value}  # {origin}");
            }
            None if arg.is_hide_set() => {}
            None => {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                let _ = writeln!(text, "# {key}: default. {help}");
            }
        }
    }
    text
}

/// The option's value as TOML, if it was set anywhere.
fn value(arg: &Arg, matches: &ArgMatches) -> Option<String> {
    let id = arg.get_id().as_str();
    if matches.value_source(id) != Some(ValueSource::CommandLine) {
        return None;
    }
    if is_flag(arg) {
        return Some("true".to_owned());
    }
    let values: Vec<String> = matches.get_raw(id)?.map(|value| quoted(&value.to_string_lossy())).collect();
    match values.as_slice() {
        [value] if !is_list(arg) => Some(value.clone()),
        values => Some(format!("[{}]", values.join(", "))),
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if letter.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(letter));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}
