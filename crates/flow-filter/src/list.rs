//! Lists that stand in files: `in @FILE`.
//!
//! Entries are separated by blanks, commas or line ends, `#` begins a comment. A list is read once however often a
//! filter names it.

use crate::address::{self, Spelling};
use crate::error::{FilterError, FilterErrorKind, Place};
use crate::lex::{Token, file_name, line_of, number};
use crate::parse::Parser;
use crate::ranges::{AddrSet, NumSet};
use crate::value::{INCOMPLETE, NO_NAMES, TOO_LONG, Value};
use std::iter;
use std::net::IpAddr;
use std::sync::Arc;

/// What the entries of a list are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Entries {
    /// Addresses and networks.
    Addresses,
    /// Numbers up to `max`; `error` is what nfdump says of larger ones.
    Numbers { max: u64, error: &'static str },
}

impl Parser<'_, '_> {
    /// The list in the file that `token` names.
    pub(crate) fn list_file(&mut self, token: Token, entries: Entries) -> Result<Value, FilterError> {
        let path = file_name(self.text(token)).to_string();
        if let Some(known) = self.lists.get(&(path.clone(), entries)) {
            return Ok(known.clone());
        }
        let text = match self.options.read {
            Some(read) => read(&path),
            None => Err("lists cannot be read here".to_string()),
        };
        let text = text.map_err(|cause| {
            self.error(FilterErrorKind::ListFile { path: path.clone(), cause }, token, token)
        })?;
        let list = match entries {
            Entries::Addresses => collect(&text, &path, network, |networks| {
                Value::Addresses(Arc::new(AddrSet::networks(networks)))
            }),
            Entries::Numbers { max, error } => {
                let entry = |word: &str| match number(word) {
                    Some(number) if number <= max => Ok((number, number)),
                    Some(_) => Err(error),
                    None => Err("Not a number"),
                };
                collect(&text, &path, entry, |numbers| {
                    Value::Numbers(Arc::new(NumSet::new(numbers.collect())))
                })
            }
        }?;
        self.lists.insert((path, entries), list.clone());
        Ok(list)
    }
}

/// An address, or a network in full or short form.
fn network(word: &str) -> Result<(IpAddr, u8), &'static str> {
    let (addr, prefix_len) = match word.split_once('/') {
        Some((addr, prefix_len)) => (addr, Some(prefix_len)),
        None => (word, None),
    };
    let (addr, given) = match (address::read(addr), prefix_len) {
        (Spelling::Full(addr), _) => (addr, if addr.is_ipv4() { 32 } else { 128 }),
        (Spelling::Short(addr, given), Some(_)) => (addr, given),
        (Spelling::Short(..), None) => return Err(INCOMPLETE),
        (Spelling::Name, _) => return Err(NO_NAMES),
        (Spelling::Wrong, _) => return Err("Invalid IP address"),
    };
    match prefix_len.map(number) {
        None => Ok((addr, given)),
        Some(Some(len)) if len <= u64::from(given) => Ok((addr, len as u8)),
        Some(Some(_)) => Err(TOO_LONG),
        Some(None) => Err("Invalid prefix length"),
    }
}

/// Reads every entry of `text` and hands them to `build`, up to the first that is wrong.
fn collect<T>(
    text: &str,
    path: &str,
    entry: impl Fn(&str) -> Result<T, &'static str>,
    build: impl FnOnce(&mut dyn Iterator<Item = T>) -> Value,
) -> Result<Value, FilterError> {
    let mut wrong = None;
    let mut entries = words(text).map_while(|(at, word)| match entry(word) {
        Ok(entry) => Some(entry),
        Err(message) => {
            wrong = Some((at, word, message));
            None
        }
    });
    let list = build(&mut entries);
    let Some((at, word, message)) = wrong else {
        return Ok(list);
    };
    let (line, start, len) = line_of(text, at, at + word.len());
    let place = Place {
        file: Some(path.to_string()),
        line: 1 + text[..at].bytes().filter(|&byte| byte == b'\n').count(),
        token: word.to_string(),
        text: line.to_string(),
        start,
        len,
    };
    Err(FilterError::new(FilterErrorKind::Value(message), place, None))
}

/// The entries of a list, each with where it begins.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    // A byte order mark is what some editors begin a file with.
    let separates = |c: char| c.is_ascii_whitespace() || c == ',' || c == '\u{feff}';
    let mut at = 0;
    iter::from_fn(move || {
        loop {
            let rest = &text[at..];
            let start = rest.find(|c| !separates(c))?;
            let word = &rest[start..];
            at += start;
            if word.starts_with('#') {
                at += word.find('\n').unwrap_or(word.len());
                continue;
            }
            let len = word.find(|c| separates(c) || c == '#').unwrap_or(word.len());
            at += len;
            return Some((at - len, &word[..len]));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_stand_between_blanks_commas_and_comments() {
        let text = "\u{feff}10.0.0.1,10.0.0.2\r\n# 1 2 3\n\n 10.0.0.0/8#x\n\t::1 ,2001:db8::/32";
        let found: Vec<&str> = words(text).map(|(_, word)| word).collect();
        assert_eq!(found, ["10.0.0.1", "10.0.0.2", "10.0.0.0/8", "::1", "2001:db8::/32"]);
        assert!(words(text).all(|(at, word)| text[at..].starts_with(word)));
        assert_eq!(words(" # nothing").count(), 0);
    }

    #[test]
    fn networks_in_full_and_short_form() {
        let net = |text: &str, len| Ok((text.parse::<IpAddr>().unwrap(), len));
        for (word, read) in [
            ("10.0.0.1", net("10.0.0.1", 32)),
            ("10.0.0.1/24", net("10.0.0.1", 24)),
            ("10.1/16", net("10.1.0.0", 16)),
            ("10/8", net("10.0.0.0", 8)),
            ("2001:db8::/32", net("2001:db8::", 32)),
            ("2001:db8/32", net("2001:db8::", 32)),
            ("10.1", Err(INCOMPLETE)),
            ("10.1/24", Err(TOO_LONG)),
            ("10.0.0.1/33", Err(TOO_LONG)),
            ("::1/129", Err(TOO_LONG)),
            ("10.0.0.0/", Err("Invalid prefix length")),
            ("10.0.0.0/255.0.0.0", Err("Invalid prefix length")),
            ("localhost", Err(NO_NAMES)),
            ("localhost/8", Err(NO_NAMES)),
            ("300.0.0.1", Err("Invalid IP address")),
            ("/8", Err("Invalid IP address")),
        ] {
            assert_eq!(network(word), read, "{word}");
        }
    }
}
