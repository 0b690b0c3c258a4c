//! The file: TOML, a table for each program.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::{Arg, Command, Error};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::invalid;
use super::setting::{Origin, Setting, is_flag, is_list, is_settable, word};

/// The programs' tables, and the names of nfdump's programs that each answers to.
const TABLES: [(&str, &[&str]); 3] =
    [("rdump", &["nfdump"]), ("rcapd", &["nfcapd", "sfcapd"]), ("rexpire", &["nfexpire"])];

/// Tables of nfdump's programs that ours do not replace.
const OTHER_TABLES: [&str; 4] = ["nfpcapd", "nfanon", "nfprofile", "nfreplay"];

/// nfdump's keys, and the letters of the options that they stand for.
const NFDUMP_KEYS: [(&str, char); 3] = [("maxworkers", 'W'), ("geodb.path", 'G'), ("exporter", 'n')];

/// A larger file is no configuration.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// What the file sets for the program that `command` declares, nfdump's table first.
pub(super) fn read(path: &Path, must_exist: bool, command: &Command) -> Result<Vec<Setting>, Error> {
    let failed = |cause: &dyn std::fmt::Display| invalid(&format!("{}: {cause}", path.display()));
    let text = match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > MAX_FILE_BYTES => {
            return Err(failed(&"too large for a configuration"));
        }
        Ok(_) => std::fs::read_to_string(path),
        Err(error) => Err(error),
    };
    match text {
        Ok(text) => parse(&text, path, command),
        // Who reads the default has not asked for it.
        Err(error) if !must_exist && error.kind() == std::io::ErrorKind::PermissionDenied => Ok(Vec::new()),
        Err(error) => Err(failed(&error)),
    }
}

pub(super) fn parse(text: &str, path: &Path, command: &Command) -> Result<Vec<Setting>, Error> {
    let reader = Reader { text, path: Rc::new(path.to_owned()), command };
    let document = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        reader.error(at, error.message())
    })?;
    let mut settings = Vec::new();
    let own = TABLES.iter().find(|(name, _)| *name == command.get_name());
    let mut ours = Vec::new();
    for (name, value) in document.get_ref() {
        let (at, name) = (name.span().start, name.get_ref().as_ref());
        let of_nfdump = TABLES.iter().any(|(_, others)| others.contains(&name));
        if !of_nfdump && !OTHER_TABLES.contains(&name) && !TABLES.iter().any(|(table, _)| *table == name) {
            let tables: Vec<String> = TABLES.iter().map(|(name, _)| format!("[{name}]")).collect();
            return Err(reader.error(at, &format!("unknown table `{name}`: there are {}", tables.join(", "))));
        }
        let Some((table, others)) = own else { continue };
        if name != *table && !others.contains(&name) {
            continue;
        }
        let DeValue::Table(keys) = value.get_ref() else {
            return Err(reader.error(at, &format!("`{name}` is a table: write `[{name}]`")));
        };
        if of_nfdump {
            reader.table("", keys, &NfdumpKeys, &mut settings)?;
        } else {
            reader.table("", keys, &OwnKeys, &mut ours)?;
        }
    }
    let line_of = |setting: &Setting| match setting.origin {
        Origin::File(_, line) => line,
        Origin::Environment(_) => 0,
    };
    settings.sort_by_key(line_of);
    ours.sort_by_key(line_of);
    settings.extend(ours);
    Ok(settings)
}

/// How a table names options.
trait Keys {
    /// The option of a key, which has dots where tables are nested.
    fn option<'c>(&self, command: &'c Command, key: &str) -> Option<&'c Arg>;
    /// Whether a key that no option belongs to is an error.
    fn is_complete(&self) -> bool;
}

/// Keys are long names.
struct OwnKeys;

impl Keys for OwnKeys {
    fn option<'c>(&self, command: &'c Command, key: &str) -> Option<&'c Arg> {
        let long = key.replace('_', "-");
        command.get_arguments().filter(|arg| is_settable(arg)).find(|arg| arg.get_long() == Some(&long))
    }

    fn is_complete(&self) -> bool {
        true
    }
}

/// Keys are nfdump's or long names.
struct NfdumpKeys;

impl Keys for NfdumpKeys {
    fn option<'c>(&self, command: &'c Command, key: &str) -> Option<&'c Arg> {
        match NFDUMP_KEYS.iter().find(|(name, _)| *name == key) {
            Some((_, letter)) => command.get_arguments().find(|arg| arg.get_short() == Some(*letter)),
            None => OwnKeys.option(command, key),
        }
    }

    fn is_complete(&self) -> bool {
        false
    }
}

struct Reader<'a> {
    text: &'a str,
    path: Rc<PathBuf>,
    command: &'a Command,
}

impl Reader<'_> {
    fn table(
        &self,
        prefix: &str,
        table: &DeTable<'_>,
        keys: &dyn Keys,
        settings: &mut Vec<Setting>,
    ) -> Result<(), Error> {
        for (name, value) in table {
            let at = name.span().start;
            let key = format!("{prefix}{}", name.get_ref());
            match (keys.option(self.command, &key), value.get_ref()) {
                (Some(arg), value) => self.option(&key, arg, value, at, settings)?,
                (None, DeValue::Table(inner)) if !keys.is_complete() => {
                    self.table(&format!("{key}."), inner, keys, settings)?;
                }
                (None, _) if keys.is_complete() => {
                    return Err(self.error(at, &format!("unknown key `{key}`")));
                }
                (None, _) => {}
            }
        }
        Ok(())
    }

    fn option(
        &self,
        key: &str,
        arg: &Arg,
        value: &DeValue<'_>,
        at: usize,
        settings: &mut Vec<Setting>,
    ) -> Result<(), Error> {
        let mut push = |at: usize, value: Option<String>| {
            let value = value.map(OsString::from);
            settings.push(Setting {
                id: arg.get_id().clone(),
                word: word(arg, value.as_deref()),
                origin: Origin::File(Rc::clone(&self.path), self.line(at)),
            });
        };
        let wrong = |at, expected: &str| Err(self.error(at, &format!("`{key}`: {expected} is expected")));
        match value {
            DeValue::Boolean(given) if is_flag(arg) || has_optional_value(arg) => {
                if *given {
                    push(at, None);
                }
            }
            _ if is_flag(arg) => return wrong(at, "true or false"),
            DeValue::Array(values) if is_list(arg) => {
                for value in values {
                    match scalar(value.get_ref()) {
                        Some(text) => push(value.span().start, Some(text)),
                        None => return wrong(value.span().start, "a text or a number"),
                    }
                }
            }
            DeValue::Table(entries) if is_list(arg) => {
                let Some(joint) = joint(arg) else { return wrong(at, "a text or a list of texts") };
                for (name, value) in entries {
                    let Some(text) = joined(value) else {
                        return wrong(name.span().start, "a text or a number behind every name");
                    };
                    push(name.span().start, Some(format!("{}{joint}{text}", name.get_ref())));
                }
            }
            value => match scalar(value) {
                Some(text) => push(at, Some(text)),
                None if is_list(arg) => return wrong(at, "a text or a list of texts"),
                None => return wrong(at, "a text or a number"),
            },
        }
        Ok(())
    }

    fn error(&self, at: usize, message: &str) -> Error {
        invalid(&format!("{}:{}: {message}", self.path.display(), self.line(at)))
    }

    fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|&octet| octet == b'\n').count() + 1
    }
}

/// What stands between the parts of the option's value, as its declaration names them: `NAME=TEXT`, `IDENT,IP,DIR`.
fn joint(arg: &Arg) -> Option<char> {
    let names = arg.get_value_names()?;
    names.first()?.chars().find(|letter| matches!(letter, '=' | ','))
}

fn has_optional_value(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.min_values() == 0)
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string())
        }
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn joined(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::Array(parts) => {
            let parts: Option<Vec<String>> = parts.iter().map(|part| scalar(part.get_ref())).collect();
            Some(parts?.join(","))
        }
        value => scalar(value),
    }
}
