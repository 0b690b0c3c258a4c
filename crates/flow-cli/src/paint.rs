//! Emphasis in reports for people.

use std::env;
use std::io::IsTerminal;

/// What a text is emphasised as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emphasis {
    /// What follows belongs together.
    Heading,
    /// As it should be.
    Good,
    /// To be looked at.
    Doubtful,
    /// To be mended.
    Bad,
}

/// Colours texts where somebody sees them. What programs read, rows above all, is never given to it.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    is_on: bool,
}

impl Paint {
    /// For what is written to `stream`: with colour on a terminal that knows some, unless `NO_COLOR` says otherwise.
    pub fn on(stream: &impl IsTerminal) -> Paint {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = env::var_os("TERM").is_some_and(|name| name == "dumb");
        Paint { is_on: stream.is_terminal() && !is_set("NO_COLOR") && !is_dumb }
    }

    /// The text, emphasised or as it is.
    pub fn text(self, emphasis: Emphasis, text: &str) -> String {
        let code = match emphasis {
            _ if !self.is_on => return text.to_owned(),
            Emphasis::Heading => 1,
            Emphasis::Good => 32,
            Emphasis::Doubtful => 33,
            Emphasis::Bad => 31,
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}
