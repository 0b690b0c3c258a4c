//! Filter text to tokens.

use crate::error::{FilterError, FilterErrorKind, Place};
use crate::options::ParseOptions;
use std::borrow::Cow;

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparator {
    Equal,
    Greater,
    Less,
    AtLeast,
    AtMost,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// A word nfdump 1.7.1 reserves: no name can be spelt so.
    Keyword,
    /// Any other word: an address, a name, one of our additional words.
    Word,
    Number(u64),
    /// Text in quotes.
    Quoted,
    And,
    Or,
    Not,
    Compare(Comparator),
    Open,
    Close,
    OpenList,
    CloseList,
    Comma,
    Slash,
    Percent,
    /// `@` and the name of a file, bare or in quotes.
    File,
    /// A character that means nothing.
    Unknown,
    /// The end of the filter.
    End,
}

/// A token and where it stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    source: u32,
    start: u32,
    end: u32,
    line: u32,
}

/// The words nfdump 1.7.1 reserves besides operators and comparators, sorted.
const KEYWORDS: &[&str] = &[
    "ace",
    "acl",
    "add",
    "any",
    "app",
    "as",
    "asa",
    "bgpnext",
    "bpp",
    "bps",
    "bytes",
    "client",
    "content",
    "count",
    "create",
    "delete",
    "denied",
    "deny",
    "dir",
    "domain",
    "dst",
    "duration",
    "egress",
    "end",
    "engine-id",
    "engine-type",
    "event",
    "flags",
    "flowdir",
    "flowlabel",
    "flows",
    "fwdstat",
    "geo",
    "host",
    "icmp-code",
    "icmp-type",
    "id",
    "ident",
    "if",
    "ignore",
    "in",
    "inet",
    "inet6",
    "ingress",
    "invalid",
    "ip",
    "ipv4",
    "ipv6",
    "ja3",
    "latency",
    "mac",
    "mask",
    "mpls",
    "nat",
    "net",
    "next",
    "nfversion",
    "nip",
    "nport",
    "observation",
    "out",
    "packets",
    "payload",
    "pblock",
    "point",
    "port",
    "pps",
    "prev",
    "previous",
    "proto",
    "regex",
    "router",
    "server",
    "size",
    "src",
    "start",
    "step",
    "sysid",
    "term",
    "tos",
    "tun",
    "tunip",
    "vlan",
    "vrf",
    "xace",
    "xevent",
    "xip",
    "xnet",
    "xport",
];

/// How deep include files may include others, as in nfdump.
const MAX_INCLUDES: usize = 10;

/// How many octets of text a filter and its include files may have together: ten levels of files that each include
/// the next one ten times are more than any memory holds. Positions fit 32 bits then.
const MAX_TEXT: usize = 1 << 30;

/// The texts of a filter: its own, then those of include files.
#[derive(Debug)]
pub(crate) struct Sources<'t> {
    texts: Vec<(Cow<'t, str>, Option<String>)>,
}

impl Sources<'_> {
    pub(crate) fn text(&self, token: Token) -> &str {
        &self.texts[token.source as usize].0[token.start as usize..token.end as usize]
    }

    /// The place of an error: `last` is the token nfdump would name, `cause` the one to underline.
    pub(crate) fn place(&self, last: Token, cause: Token) -> Place {
        let (text, _) = &self.texts[cause.source as usize];
        let (line, start, len) = line_of(text, cause.start as usize, cause.end as usize);
        Place {
            file: self.texts[last.source as usize].1.clone(),
            line: last.line as usize,
            token: self.text(last).to_string(),
            text: line.to_string(),
            start,
            len,
        }
    }
}

/// The line in which `start` lies, where in it that is, and how much of what ends at `end` stands in it.
pub(crate) fn line_of(text: &str, start: usize, end: usize) -> (&str, usize, usize) {
    let begin = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
    (&text[begin..line_end], start - begin, end.min(line_end).saturating_sub(start))
}

/// The name of the file that a [`TokenKind::File`] with this text means.
pub(crate) fn file_name(text: &str) -> &str {
    unquoted(text.strip_prefix('@').unwrap_or(text))
}

/// The text between quotes; a bare word as it is.
pub(crate) fn unquoted(text: &str) -> &str {
    match text.as_bytes() {
        [quote @ (b'"' | b'\''), .., last] if quote == last => &text[1..text.len() - 1],
        _ => text,
    }
}

/// The tokens of `text`, the end last, and the texts they point into.
pub(crate) fn lex<'t>(
    text: &'t str,
    options: &ParseOptions<'_>,
) -> Result<(Vec<Token>, Sources<'t>), FilterError> {
    let mut sources = Sources { texts: vec![(Cow::Borrowed(text), options.file.map(str::to_string))] };
    let mut tokens: Vec<Token> = Vec::new();
    let mut room = MAX_TEXT.checked_sub(text.len()).ok_or_else(|| {
        let kind = FilterErrorKind::Value("The filter is too long");
        FilterError::new(kind, Place { line: 1, ..Place::default() }, None)
    })?;
    // Texts that are being read: which, how far, in which line.
    let mut open = vec![(0_usize, 0_usize, 1_u32)];
    while let Some((source, start, line)) = open.pop() {
        let patterns = tokens.last().is_some_and(|&token| {
            token.kind == TokenKind::Keyword
                && ["content", "regex"].iter().any(|word| sources.text(token).eq_ignore_ascii_case(word))
        });
        let whole = &sources.texts[source].0;
        let mut cursor = Cursor { text: whole, at: start, line };
        let token = cursor.next(source as u32, patterns);
        if token.kind == TokenKind::End && !open.is_empty() {
            continue;
        }
        let (at, line) = (cursor.at, cursor.line);
        if token.kind == TokenKind::File && sources.text(token) == "@include" {
            let rest = &whole[token.end as usize..];
            let path = rest.split_whitespace().next().unwrap_or_default().to_string();
            let after = whole.len() - rest.len() + rest.find(&path).unwrap_or(0) + path.len();
            let content = match options.read {
                _ if open.len() >= MAX_INCLUDES => Err("include files are nested too deep".to_string()),
                Some(read) => read(&path).and_then(|content| {
                    room = room.checked_sub(content.len()).ok_or("the filter gets too long")?;
                    Ok(content)
                }),
                None => Err("include files cannot be read here".to_string()),
            };
            match content {
                Ok(content) => {
                    open.push((source, after, line));
                    open.push((sources.texts.len(), 0, 1));
                    sources.texts.push((Cow::Owned(content), Some(path)));
                }
                Err(cause) => {
                    let place = sources.place(token, Token { end: after as u32, ..token });
                    return Err(FilterError::new(FilterErrorKind::Include { path, cause }, place, None));
                }
            }
            continue;
        }
        tokens.push(token);
        if token.kind == TokenKind::End {
            break;
        }
        open.push((source, at, line));
    }
    Ok((tokens, sources))
}

struct Cursor<'s> {
    text: &'s str,
    at: usize,
    line: u32,
}

impl Cursor<'_> {
    /// The next token. `patterns`: a quote ends at the last one of its line, as in nfdump's payload patterns,
    /// otherwise at the next one.
    fn next(&mut self, source: u32, patterns: bool) -> Token {
        self.skip_blanks();
        let (start, line) = (self.at, self.line);
        let rest = &self.text[start..];
        let (kind, len) = match rest.as_bytes() {
            [] => (TokenKind::End, 0),
            [b'(', ..] => (TokenKind::Open, 1),
            [b')', ..] => (TokenKind::Close, 1),
            [b'[', ..] => (TokenKind::OpenList, 1),
            [b']', ..] => (TokenKind::CloseList, 1),
            [b',', ..] => (TokenKind::Comma, 1),
            [b'/', ..] => (TokenKind::Slash, 1),
            [b'%', ..] => (TokenKind::Percent, 1),
            [b'!', ..] => (TokenKind::Not, 1),
            [b'&', b'&', ..] => (TokenKind::And, 2),
            [b'|', b'|', ..] => (TokenKind::Or, 2),
            [b'=', b'=', ..] => (TokenKind::Compare(Comparator::Equal), 2),
            [b'=', ..] => (TokenKind::Compare(Comparator::Equal), 1),
            [b'>', b'=', ..] => (TokenKind::Compare(Comparator::AtLeast), 2),
            [b'<', b'=', ..] => (TokenKind::Compare(Comparator::AtMost), 2),
            [b'>', ..] => (TokenKind::Compare(Comparator::Greater), 1),
            [b'<', ..] => (TokenKind::Compare(Comparator::Less), 1),
            [quote @ (b'"' | b'\''), ..] => match quoted_len(rest, char::from(*quote), patterns) {
                Some(len) => (TokenKind::Quoted, len),
                None => (TokenKind::Unknown, 1),
            },
            [b'@', ..] => match file_len(&rest[1..]) {
                0 => (TokenKind::Unknown, 1),
                len => (TokenKind::File, 1 + len),
            },
            [first, ..] if is_word(*first) => {
                let len = rest.bytes().position(|byte| !is_word(byte)).unwrap_or(rest.len());
                (word(&rest[..len]), len)
            }
            _ => (TokenKind::Unknown, rest.chars().next().map_or(1, char::len_utf8)),
        };
        self.at += len;
        Token { kind, source, start: start as u32, end: self.at as u32, line }
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b' ' | b'\t' | b'\r') => self.at += 1,
                Some(b'\n') => {
                    self.at += 1;
                    self.line += 1;
                }
                Some(b'#') => {
                    let rest = &self.text[self.at..];
                    self.at += rest.find('\n').unwrap_or(rest.len());
                }
                _ => return,
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'.' | b'-')
}

/// The length of the file name `rest` begins with: quoted, or up to a blank or whatever else may follow a list.
fn file_len(rest: &str) -> usize {
    let quoted = rest.chars().next().filter(|first| matches!(first, '"' | '\''));
    match quoted.and_then(|quote| quoted_len(rest, quote, false)) {
        Some(len) => len,
        None => rest
            .find(|c: char| c.is_ascii_whitespace() || matches!(c, '(' | ')' | '[' | ']' | ',' | '"' | '\''))
            .unwrap_or(rest.len()),
    }
}

/// The length of the quoted text `rest` begins with, quotes included; it is not empty.
fn quoted_len(rest: &str, quote: char, to_the_last: bool) -> Option<usize> {
    let line = rest.find('\n').map_or(rest, |end| &rest[..end]);
    let end = if to_the_last { line.rfind(quote) } else { line[1..].find(quote).map(|at| at + 1) };
    end.filter(|&end| end > 1).map(|end| end + 1)
}

fn word(text: &str) -> TokenKind {
    if text.as_bytes()[0].is_ascii_digit()
        && let Some(number) = number(text)
    {
        return TokenKind::Number(number);
    }
    let mut lower = [0; 11];
    let Some(lower) = lower.get_mut(..text.len()) else {
        return TokenKind::Word;
    };
    lower.copy_from_slice(text.as_bytes());
    lower.make_ascii_lowercase();
    match &*lower {
        b"and" => TokenKind::And,
        b"or" => TokenKind::Or,
        b"not" => TokenKind::Not,
        b"eq" => TokenKind::Compare(Comparator::Equal),
        b"gt" => TokenKind::Compare(Comparator::Greater),
        b"lt" => TokenKind::Compare(Comparator::Less),
        b"ge" => TokenKind::Compare(Comparator::AtLeast),
        b"le" => TokenKind::Compare(Comparator::AtMost),
        lower if KEYWORDS.binary_search_by(|word| word.as_bytes().cmp(lower)).is_ok() => TokenKind::Keyword,
        _ => TokenKind::Word,
    }
}

/// A whole word as a number: decimal with an optional scale, or hexadecimal. Numbers too large are the largest.
pub(crate) fn number(text: &str) -> Option<u64> {
    if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        let digits = !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        return digits.then(|| u64::from_str_radix(hex, 16).unwrap_or(u64::MAX));
    }
    let (digits, scale) = match text.as_bytes().last()?.to_ascii_lowercase() {
        b'k' => (&text[..text.len() - 1], 1_000),
        b'm' => (&text[..text.len() - 1], 1_000_000),
        b'g' => (&text[..text.len() - 1], 1_000_000_000),
        b't' => (&text[..text.len() - 1], 1_000_000_000_000),
        _ => (text, 1_u64),
    };
    let decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    decimal.then(|| digits.parse().unwrap_or(u64::MAX).saturating_mul(scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<TokenKind> {
        let (tokens, _) = lex(text, &ParseOptions::default()).unwrap();
        tokens.iter().map(|token| token.kind).collect()
    }

    #[test]
    fn keywords_are_sorted() {
        assert!(KEYWORDS.is_sorted());
    }

    #[test]
    fn numbers() {
        for (text, value) in [
            ("443", 443),
            ("00443", 443),
            ("0x1bb", 443),
            ("0X1BB", 443),
            ("2k", 2_000),
            ("2K", 2_000),
            ("3t", 3_000_000_000_000),
            ("99999999999999999999999", u64::MAX),
            ("20000000000000000t", u64::MAX),
        ] {
            assert_eq!(number(text), Some(value), "{text}");
        }
        for text in ["0x", "0xk", "1.5k", "1KB", "5k5", "443-500", "k"] {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn blanks_comments_and_carriage_returns_separate() {
        use TokenKind::{And, End, Keyword, Number, Word};
        assert_eq!(kinds("proto tcp # and\r\nand\tport 5"), [Keyword, Word, And, Keyword, Number(5), End]);
        assert_eq!(kinds(" # nothing"), [End]);
    }

    #[test]
    fn quotes_are_greedy_in_payload_patterns_only() {
        assert_eq!(kinds("content 'a' or 'b'"), [TokenKind::Keyword, TokenKind::Quoted, TokenKind::End]);
        assert_eq!(kinds("ident 'a' or 'b'").len(), 5);
        assert_eq!(kinds("\"x"), [TokenKind::Unknown, TokenKind::Word, TokenKind::End]);
    }

    #[test]
    fn include_files_are_read_in_place_and_not_endlessly() {
        let read = |path: &str| match path {
            "a" => Ok("port 80 or\n@include b".to_string()),
            "b" => Ok("port 443 # end".to_string()),
            "loop" => Ok("@include loop".to_string()),
            _ => Err("No such file".to_string()),
        };
        let options = ParseOptions { read: Some(&read), ..ParseOptions::default() };
        let (tokens, sources) = lex("proto tcp and (@include a )", &options).unwrap();
        let texts: Vec<_> = tokens.iter().map(|&token| sources.text(token)).collect();
        assert_eq!(texts, ["proto", "tcp", "and", "(", "port", "80", "or", "port", "443", ")", ""]);
        let error = lex("any @include x", &options).unwrap_err();
        assert_eq!(error.to_string(), "Failed to open include file 'x': No such file");
        assert_eq!(error.exit_code(), 255);
        assert!(lex("@include loop", &options).unwrap_err().to_string().contains("too deep"));
    }

    #[test]
    fn include_files_do_not_multiply_without_end() {
        let read = |path: &str| Ok(format!("@include {path}x ").repeat(1_000) + &" ".repeat(10_000_000));
        let options = ParseOptions { read: Some(&read), ..ParseOptions::default() };
        let error = lex("@include a", &options).unwrap_err();
        assert!(error.to_string().contains("too"), "{error}");
    }

    #[test]
    fn names_of_files_end_at_a_blank_or_a_bracket() {
        use TokenKind::{Close, CloseList, Comma, End, File, Unknown};
        assert_eq!(
            kinds("@a/b-c.txt) @'x y'] @\"z\",@include.txt @"),
            [File, Close, File, CloseList, File, Comma, File, Unknown, End]
        );
        for (text, name) in [("@a.txt", "a.txt"), ("@'x y'", "x y"), ("@\"z\"", "z")] {
            assert_eq!(file_name(text), name);
        }
    }
}
