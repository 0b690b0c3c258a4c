//! What can be wrong with a filter, in nfdump's words and in ours.

use std::fmt;

/// Why a filter is refused.
///
/// [`Display`](fmt::Display) gives nfdump's line, ``Line N: <message> at '<token>'``; [`detail`](Self::detail) says
/// the same with the place underlined and, where there is one, a suggestion.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct FilterError(Box<Refusal>);

/// What an error knows, behind a pointer: results are passed through every function of the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refusal {
    kind: FilterErrorKind,
    place: Place,
    hint: Option<String>,
}

/// The kinds of refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FilterErrorKind {
    /// A word that cannot stand here; what could instead.
    Syntax {
        /// What was expected.
        expected: &'static str,
    },
    /// A value that the word before it does not take; nfdump's message.
    Value(&'static str),
    /// A host name without address.
    Resolve {
        /// The name.
        name: String,
        /// What the resolver said.
        cause: String,
    },
    /// An include file that cannot be read.
    Include {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// A list file that cannot be read.
    ListFile {
        /// The file.
        path: String,
        /// Why.
        cause: String,
    },
    /// A word that needs a geo location database.
    Geo,
    /// A word that needs to know one's own networks.
    Networks,
}

/// Where in a filter something is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// The file of the filter, when it has one.
    pub(crate) file: Option<String>,
    /// Line of the token that was read last, from 1.
    pub(crate) line: usize,
    /// The token that was read last; empty at the end of the filter.
    pub(crate) token: String,
    /// The line in which the cause stands, without its end.
    pub(crate) text: String,
    /// Where in `text` the cause begins, in bytes.
    pub(crate) start: usize,
    /// How long the cause is, in bytes.
    pub(crate) len: usize,
}

impl FilterError {
    pub(crate) fn new(kind: FilterErrorKind, place: Place, hint: Option<String>) -> FilterError {
        FilterError(Box::new(Refusal { kind, place, hint }))
    }

    /// What kind of refusal it is.
    pub fn kind(&self) -> &FilterErrorKind {
        &self.0.kind
    }

    /// The exit status nfdump 1.7 ends with: 254, for an include or list file 255, without geo location database 1.
    pub fn exit_code(&self) -> u8 {
        match self.0.kind {
            FilterErrorKind::Include { .. } | FilterErrorKind::ListFile { .. } => 255,
            FilterErrorKind::Geo => 1,
            _ => 254,
        }
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.0.place.line
    }

    /// What is wrong, then the line with the cause underlined and a suggestion beside it.
    ///
    /// ```
    /// # use flow_filter::{Filter, ParseOptions};
    /// let error = Filter::parse("scr ip 10.0.0.1", &ParseOptions::default()).unwrap_err();
    /// assert_eq!(error.to_string(), "Line 1: syntax error at 'scr'");
    /// assert_eq!(error.detail(), "unknown word `scr`\n  scr ip 10.0.0.1\n  ^^^ did you mean `src`?");
    /// ```
    pub fn detail(&self) -> String {
        let cause = self.cause();
        let message = match &self.0.kind {
            FilterErrorKind::Syntax { .. } if self.0.place.token.is_empty() => {
                "the filter ends too early".to_string()
            }
            FilterErrorKind::Syntax { expected: WORD } if self.0.hint.is_some() => {
                format!("unknown word `{cause}`")
            }
            FilterErrorKind::Syntax { expected } => format!("expected {expected}, found `{cause}`"),
            FilterErrorKind::Value(message) => {
                let mut message = (*message).trim_end_matches('.').to_string();
                // "IP", "TOS", "MPLS" and "AS" stay as they are.
                if message[1..].starts_with(|second: char| second.is_ascii_lowercase()) {
                    message[..1].make_ascii_lowercase();
                }
                message
            }
            FilterErrorKind::Resolve { name, cause } => format!("no address for `{name}`: {cause}"),
            FilterErrorKind::Include { path, cause } | FilterErrorKind::ListFile { path, cause } => {
                format!("reading {path}: {cause}")
            }
            FilterErrorKind::Geo => "countries need a geo location database".to_string(),
            FilterErrorKind::Networks => "which networks are one's own is not known".to_string(),
        };
        let (before, marks) = self.window();
        let mut detail = format!("{message}\n  {before}\n  {marks}");
        let expected = match &self.0.kind {
            FilterErrorKind::Syntax { expected } if self.0.place.token.is_empty() => {
                Some(format!("expected {expected}"))
            }
            _ => None,
        };
        if let Some(hint) = self.0.hint.as_deref().or(expected.as_deref()) {
            detail.push(' ');
            detail.push_str(hint);
        }
        detail
    }

    fn cause(&self) -> &str {
        self.0.place.text.get(self.0.place.start..self.0.place.start + self.0.place.len).unwrap_or_default()
    }

    /// The part of the line around the cause, and the marks below it: filters can be a megabyte long.
    fn window(&self) -> (String, String) {
        const AROUND: usize = 60;
        let chars: Vec<char> =
            self.0.place.text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let start = self.0.place.text.get(..self.0.place.start).map_or(0, |before| before.chars().count());
        let len = self.cause().chars().count().clamp(1, AROUND);
        let first = start.saturating_sub(AROUND);
        let end = (start + len + AROUND).min(chars.len());
        let (lead, trail) = (if first > 0 { "..." } else { "" }, if end < chars.len() { "..." } else { "" });
        let shown: String = chars[first.min(end)..end].iter().collect();
        let marks = format!("{}{}", " ".repeat(lead.len() + start - first), "^".repeat(len));
        (format!("{lead}{shown}{trail}").trim_end().to_string(), marks)
    }
}

/// What is expected where a primitive may begin.
pub(crate) const WORD: &str = "a filter word";

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = match &self.0.kind {
            FilterErrorKind::Syntax { .. } => "syntax error",
            FilterErrorKind::Value(message) => message,
            FilterErrorKind::Resolve { name, cause } => {
                return write!(f, "Failed to resolve IP address for {name}: {cause}");
            }
            FilterErrorKind::Include { path, cause } => {
                return write!(f, "Failed to open include file '{path}': {cause}");
            }
            FilterErrorKind::ListFile { path, cause } => {
                return write!(f, "Failed to open list file '{path}': {cause}");
            }
            FilterErrorKind::Networks => "own networks are not known",
            FilterErrorKind::Geo => {
                return f.write_str("Can not filter according geo elements without a geo location DB");
            }
        };
        self.locate(f, message)
    }
}

impl FilterError {
    fn locate(&self, f: &mut fmt::Formatter<'_>, message: &str) -> fmt::Result {
        let Place { file, line, token, .. } = &self.0.place;
        match file {
            Some(file) => write!(f, "File '{file}' line {line}: {message} at '{token}'"),
            None => write!(f, "Line {line}: {message} at '{token}'"),
        }
    }
}
