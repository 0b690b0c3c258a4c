//! The command of `-x`: words with tokens, filled in for every finished file.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

/// A command to be run for every finished file, without a shell.
///
/// The text is split at blanks, quotes mean nothing, and the tokens of nfcapd stand for:
///
/// | token | value |
/// |---|---|
/// | `%d` | the data directory, absolute |
/// | `%f` | the file's name below it, with sub-directories |
/// | `%t` | the time in the file's name |
/// | `%u` | the start of its slot in seconds since 1970 UTC |
/// | `%i` | the source's ident |
/// | `%%` | `%` |
///
/// A value is one argument, or a part of one, whatever it contains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    words: Vec<Vec<Part>>,
    unknown: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Token(Token),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Directory,
    File,
    Time,
    Epoch,
    Ident,
}

const TOKENS: [(u8, Token); 5] = [
    (b'd', Token::Directory),
    (b'f', Token::File),
    (b't', Token::Time),
    (b'u', Token::Epoch),
    (b'i', Token::Ident),
];

/// A finished file, as a command sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HookFile<'a> {
    pub(crate) directory: &'a Path,
    pub(crate) file: &'a Path,
    pub(crate) time: &'a str,
    pub(crate) start_s: u64,
    pub(crate) ident: &'a str,
}

impl Hook {
    /// Reads a command; `None` when it has no words.
    pub fn parse(command: &OsStr) -> Option<Hook> {
        let mut unknown = Vec::new();
        let words: Vec<Vec<Part>> = command
            .as_bytes()
            .split(|octet| matches!(octet, b' ' | b'\t'))
            .filter(|word| !word.is_empty())
            .map(|word| parts(word, &mut unknown))
            .collect();
        (!words.is_empty()).then_some(Hook { words, unknown })
    }

    /// Tokens that mean nothing and stay as they were typed, such as `%z`.
    pub fn unknown_tokens(&self) -> &[String] {
        &self.unknown
    }

    /// The arguments for a file, the program first.
    pub(crate) fn arguments(&self, file: HookFile<'_>) -> Vec<OsString> {
        let fill = |word: &Vec<Part>| {
            let mut argument = Vec::new();
            for part in word {
                match part {
                    Part::Text(text) => argument.extend_from_slice(text),
                    Part::Token(Token::Directory) => {
                        argument.extend_from_slice(file.directory.as_os_str().as_bytes());
                    }
                    Part::Token(Token::File) => argument.extend_from_slice(file.file.as_os_str().as_bytes()),
                    Part::Token(Token::Time) => argument.extend_from_slice(file.time.as_bytes()),
                    Part::Token(Token::Epoch) => {
                        argument.extend_from_slice(file.start_s.to_string().as_bytes());
                    }
                    Part::Token(Token::Ident) => argument.extend_from_slice(file.ident.as_bytes()),
                }
            }
            OsString::from_vec(argument)
        };
        self.words.iter().map(fill).collect()
    }
}

fn parts(word: &[u8], unknown: &mut Vec<String>) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut text = Vec::new();
    let mut octets = word.iter().copied();
    while let Some(octet) = octets.next() {
        if octet != b'%' {
            text.push(octet);
            continue;
        }
        let Some(letter) = octets.next() else {
            unknown.push("%".to_owned());
            text.push(b'%');
            break;
        };
        if letter == b'%' {
            text.push(b'%');
        } else if let Some(&(_, token)) = TOKENS.iter().find(|(known, _)| *known == letter) {
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(Part::Token(token));
        } else {
            unknown.push(String::from_utf8_lossy(&[b'%', letter]).into_owned());
            text.extend([b'%', letter]);
        }
    }
    parts.push(Part::Text(text));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(command: &str) -> Vec<OsString> {
        Hook::parse(OsStr::new(command)).unwrap().arguments(HookFile {
            directory: Path::new("/data dir"),
            file: Path::new("2026/11/22/nfcapd.202611221330"),
            time: "202611221330",
            start_s: 1_795_354_200,
            ident: "border; rm -rf /",
        })
    }

    #[test]
    fn tokens_are_filled_in_and_values_stay_whole() {
        assert_eq!(
            arguments("sh  /path/script.sh\t%d/%f"),
            ["sh", "/path/script.sh", "/data dir/2026/11/22/nfcapd.202611221330"]
        );
        assert_eq!(
            arguments("x %t %u %i a%tb%u"),
            ["x", "202611221330", "1795354200", "border; rm -rf /", "a202611221330b1795354200"]
        );
    }

    #[test]
    fn quotes_are_text_and_percent_signs_can_be_had() {
        assert_eq!(arguments("date '+%%s %f'"), ["date", "'+%s", "2026/11/22/nfcapd.202611221330'"]);
    }

    #[test]
    fn unknown_tokens_stay_and_are_told() {
        let hook = Hook::parse(OsStr::new("x %z 5% %d")).unwrap();
        assert_eq!(hook.unknown_tokens(), ["%z", "%"]);
        assert_eq!(arguments("x %z 5% %%d"), ["x", "%z", "5%", "%d"]);
    }

    #[test]
    fn a_command_has_words() {
        assert_eq!(Hook::parse(OsStr::new("")), None);
        assert_eq!(Hook::parse(OsStr::new(" \t ")), None);
    }
}
