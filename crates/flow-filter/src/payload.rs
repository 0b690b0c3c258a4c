//! `payload`: what is asked of the octets a connection begins with.

use crate::ast::{Number, Octets, Test};
use crate::error::{FilterError, FilterErrorKind};
use crate::lex::{Token, TokenKind, unquoted};
use crate::parse::Parser;
use crate::ranges::NumSet;
use flow_model::payload::{dns, tls};
use flow_model::{Field, Protocol};
use regex::bytes::{Regex, RegexBuilder};
use std::fmt;

/// How many octets a compiled regular expression may take.
const MAX_REGEX: usize = 1 << 20;

/// What a payload is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A regular expression matches anywhere in it.
    Match(Pattern),
    /// It begins with a hello of TLS.
    Tls(Tls),
    /// It is a DNS message, behind two octets of length when it came over TCP.
    Dns {
        /// It came over TCP.
        tcp: bool,
        /// What the message must have.
        message: Dns,
    },
}

/// A regular expression.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Box<str>,
    modifiers: Box<str>,
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        (&self.text, &self.modifiers) == (&other.text, &other.modifiers)
    }
}

impl Eq for Pattern {}

/// What a hello of TLS must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Any.
    Any,
    /// One with a JA4 fingerprint.
    Client,
    /// One of this version, such as 0x0303 for TLS 1.2.
    Version(u16),
    /// One that asks for a host with this in its name, in lower case.
    ServerName(Box<[u8]>),
    /// One with this JA3 or JA3S hash.
    Ja3([u8; 16]),
    /// One with this JA4 fingerprint.
    Ja4(Box<str>),
}

/// What a DNS message must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dns {
    /// Nothing.
    Any,
    /// A question for a name with this in it, in lower case.
    Name(Box<[u8]>),
    /// A record of an address with this in its text.
    Address(Box<str>),
}

impl Payload {
    /// Whether `payload` is what is asked for.
    pub fn holds(&self, payload: &[u8]) -> bool {
        match self {
            // A flow without payload has an empty one here.
            Payload::Match(pattern) => !payload.is_empty() && pattern.regex.is_match(payload),
            Payload::Tls(asked) => tls::Hello::read(payload).is_some_and(|hello| match asked {
                Tls::Any => true,
                Tls::Client => !hello.server,
                Tls::Version(version) => hello.protocol_version() == *version,
                Tls::ServerName(part) => {
                    hello.server_name().is_some_and(|name| contains(&name.to_ascii_lowercase(), part))
                }
                Tls::Ja3(hash) => hello.ja3() == *hash,
                Tls::Ja4(fingerprint) => hello.ja4().is_some_and(|found| found == **fingerprint),
            }),
            Payload::Dns { tcp, message } => {
                let octets = payload.get(if *tcp { 2 } else { 0 }..).unwrap_or_default();
                dns::Message::read(octets).is_some_and(|read| match message {
                    Dns::Any => true,
                    Dns::Name(part) => {
                        read.questions.iter().any(|name| contains(&name.to_ascii_lowercase(), part))
                    }
                    Dns::Address(part) => read.addresses().any(|addr| addr.to_string().contains(&**part)),
                })
            }
        }
    }
}

/// Whether `part` stands anywhere in `octets`.
pub(crate) fn contains(octets: &[u8], part: &[u8]) -> bool {
    part.is_empty() || octets.windows(part.len()).any(|window| window == part)
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Payload::Match(pattern) => write!(f, "matches /{}/{}", pattern.text, pattern.modifiers),
            Payload::Tls(Tls::Any) => f.write_str("is a TLS hello"),
            Payload::Tls(Tls::Client) => f.write_str("is a TLS ClientHello"),
            Payload::Tls(Tls::Version(version)) => write!(f, "is a TLS hello of version {version:#06x}"),
            Payload::Tls(Tls::ServerName(part)) => {
                write!(f, "is a TLS hello for \"{}\"", part.escape_ascii())
            }
            Payload::Tls(Tls::Ja3(hash)) => {
                f.write_str("is a TLS hello with ja3 ")?;
                hash.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
            }
            Payload::Tls(Tls::Ja4(fingerprint)) => write!(f, "is a TLS hello with ja4 {fingerprint}"),
            Payload::Dns { message: Dns::Any, .. } => f.write_str("is a DNS message"),
            Payload::Dns { message: Dns::Name(part), .. } => {
                write!(f, "is a DNS message about \"{}\"", part.escape_ascii())
            }
            Payload::Dns { message: Dns::Address(part), .. } => {
                write!(f, "is a DNS message with the address {part}")
            }
        }
    }
}

impl Parser<'_, '_> {
    /// `payload` and what follows. Without a direction `content` and `regex` look into both payloads, the others
    /// into the one of the flow's own direction, as in nfdump 1.7.8.
    pub(crate) fn payload(&mut self, direction: Option<Field>) -> Result<usize, FilterError> {
        self.advance();
        let what = self.advance();
        let own = || vec![direction.unwrap_or(Field::InPayload)];
        let both = || direction.map_or(vec![Field::InPayload, Field::OutPayload], |field| vec![field]);
        let (fields, octets) = match self.text(what).to_ascii_lowercase().as_str() {
            "content" => {
                let token = self.argument("a word or a quoted text")?;
                (both(), Octets::Contain(unquoted(self.text(token)).as_bytes().into()))
            }
            "regex" => (both(), Octets::Payload(Payload::Match(self.pattern()?))),
            "ja3" => (own(), Octets::Payload(Payload::Tls(self.ja3()?))),
            "ja4" => (own(), Octets::Payload(Payload::Tls(self.ja4()?))),
            "tls" => (own(), Octets::Payload(Payload::Tls(self.tls(true)?))),
            "ssl" => (own(), Octets::Payload(Payload::Tls(self.tls(false)?))),
            "dns" => {
                let message = self.dns()?;
                return Ok(self.dns_over_either(own()[0], &message));
            }
            _ => return Err(self.unexpected_at(what, "`content`, `regex`, `dns`, `tls`, `ja3` or `ja4`")),
        };
        let sides = fields.into_iter().map(|field| self.build.test(Test::Octets(field, octets.clone())));
        let sides = sides.collect();
        Ok(self.build.or(sides))
    }

    /// Port 53, and the message as TCP or as any other protocol carries it.
    fn dns_over_either(&mut self, field: Field, message: &Dns) -> usize {
        let ports = [Field::SrcPort, Field::DstPort]
            .map(|port| self.build.test(Test::number(Number::Field(port), NumSet::only(53))));
        let port = self.build.or(ports.to_vec());
        let tcp = NumSet::only(u64::from(Protocol::TCP.0));
        let ways = [(true, tcp.clone()), (false, tcp.complement())].map(|(tcp, protocols)| {
            let octets = Octets::Payload(Payload::Dns { tcp, message: message.clone() });
            let tests = [Test::number(Number::Field(Field::Proto), protocols), Test::Octets(field, octets)];
            let tests = tests.map(|test| self.build.test(test));
            self.build.and(tests.to_vec())
        });
        let way = self.build.or(ways.to_vec());
        self.build.and(vec![port, way])
    }

    /// Takes any word, number or quoted text.
    fn argument(&mut self, expected: &'static str) -> Result<Token, FilterError> {
        match self.peek().kind {
            TokenKind::Word | TokenKind::Quoted | TokenKind::Keyword | TokenKind::Number(_) => {
                Ok(self.advance())
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// A regular expression, and modifiers: `i` ignores case, `m` lets `^` and `$` match at lines, `s` lets `.` match
    /// line ends.
    fn pattern(&mut self) -> Result<Pattern, FilterError> {
        let token = self.argument("a regular expression")?;
        let text: Box<str> = unquoted(self.text(token)).into();
        let mut modifiers = None;
        if self.peek().kind == TokenKind::Word {
            modifiers = Some(self.advance());
        }
        let letters: Box<str> = modifiers.map_or("", |token| self.text(token)).into();
        if let Some(token) = modifiers
            && letters.contains(|letter| !matches!(letter, 'i' | 'm' | 's'))
        {
            return Err(self.refused("failed to compile regex", token, "modifiers are `i`, `m` and `s`"));
        }
        let regex = RegexBuilder::new(&text)
            .unicode(false)
            .case_insensitive(letters.contains('i'))
            .multi_line(letters.contains('m'))
            .dot_matches_new_line(letters.contains('s'))
            .size_limit(MAX_REGEX)
            .build();
        match regex {
            Ok(regex) => Ok(Pattern { text, modifiers: letters, regex }),
            Err(error) => {
                // The last line of a syntax error says what is wrong, those before it where.
                let error = error.to_string();
                let cause = error.lines().last().unwrap_or_default().trim_start_matches("error: ");
                Err(self.refused("failed to compile regex", token, cause))
            }
        }
    }

    fn ja3(&mut self) -> Result<Tls, FilterError> {
        let token = match self.peek().kind {
            TokenKind::Number(_) if self.text(self.peek()).len() < 32 => {
                return Err(self.unexpected("a hash"));
            }
            _ => self.argument("`defined` or a hash")?,
        };
        let text = unquoted(self.text(token));
        if text.eq_ignore_ascii_case("defined") {
            return Ok(Tls::Any);
        }
        let digits = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        match u128::from_str_radix(text, 16) {
            Ok(hash) if digits => Ok(Tls::Ja3(hash.to_be_bytes())),
            _ => Err(self.value_error("not a ja3 hash", token)),
        }
    }

    fn ja4(&mut self) -> Result<Tls, FilterError> {
        let token = self.argument("`defined` or a fingerprint")?;
        let text = unquoted(self.text(token));
        if text.eq_ignore_ascii_case("defined") {
            return Ok(Tls::Client);
        }
        let hex = |part: &str| part.len() == 12 && part.bytes().all(|digit| digit.is_ascii_hexdigit());
        let parts: Vec<&str> = text.split('_').collect();
        match parts[..] {
            [head, ciphers, extensions] if head.len() == 10 && hex(ciphers) && hex(extensions) => {
                Ok(Tls::Ja4(format!("{head}_{ciphers}_{extensions}").into()))
            }
            _ => Err(self.value_error("not a ja4 fingerprint", token)),
        }
    }

    /// `defined`, `version N.N` or `sni NAME`. `tls`: the versions are those of TLS, otherwise of SSL.
    fn tls(&mut self, tls: bool) -> Result<Tls, FilterError> {
        let what = self.argument("`defined`, `version` or `sni`")?;
        match self.text(what).to_ascii_lowercase().as_str() {
            "defined" => Ok(Tls::Any),
            "version" => {
                let token = self.argument("a version")?;
                let version = match (tls, unquoted(self.text(token))) {
                    (true, "1.0") => 0x0301,
                    (true, "1.1") => 0x0302,
                    (true, "1.2") => 0x0303,
                    (true, "1.3") => 0x0304,
                    (false, "2.0") => 0x0200,
                    (false, "3.0") => 0x0300,
                    _ => return Err(self.value_error("not a valid SSL/TLS version", token)),
                };
                Ok(Tls::Version(version))
            }
            "sni" => {
                let token = self.argument("a part of a host name")?;
                Ok(Tls::ServerName(self.lower_case(token)))
            }
            _ => Err(self.unexpected_at(what, "`defined`, `version` or `sni`")),
        }
    }

    /// `defined`, `name PART` or `address PART`.
    fn dns(&mut self) -> Result<Dns, FilterError> {
        let what = self.argument("`defined`, `name` or `address`")?;
        match self.text(what).to_ascii_lowercase().as_str() {
            "defined" => Ok(Dns::Any),
            "name" => {
                let token = self.argument("a part of a name")?;
                Ok(Dns::Name(self.lower_case(token)))
            }
            "address" | "addr" => {
                let token = self.argument("a part of an address")?;
                Ok(Dns::Address(unquoted(self.text(token)).into()))
            }
            _ => Err(self.unexpected_at(what, "`defined`, `name` or `address`")),
        }
    }

    fn lower_case(&self, token: Token) -> Box<[u8]> {
        unquoted(self.text(token)).to_ascii_lowercase().into_bytes().into()
    }

    fn refused(&self, message: &'static str, token: Token, hint: &str) -> FilterError {
        let place = self.sources.place(token, token);
        FilterError::new(FilterErrorKind::Value(message), place, Some(hint.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::ParseOptions;
    use crate::{EvalContext, Filter};
    use flow_model::{BatchBuilder, Selection};

    /// A query for `mail.example.com` over UDP, then over TCP, text, and nothing.
    fn rows(text: &str) -> Vec<u32> {
        let query = b"\0\x01\x01\0\0\x01\0\0\0\0\0\0\x04MAIL\x07example\x03com\0\0\x01\0\x01";
        let over_tcp = [&[0, query.len() as u8][..], query].concat();
        let mut builder = BatchBuilder::new();
        for (proto, port, payload) in [
            (17, 53, &query[..]),
            (6, 53, &over_tcp),
            (6, 80, b"GET /index\nHost: x"),
            (17, 5353, query),
            (6, 80, b""),
        ] {
            builder.set(Field::Proto, proto);
            builder.set(Field::DstPort, port);
            builder.set_bytes(Field::InPayload, payload);
            builder.finish_row();
        }
        let batch = builder.finish();
        let filter =
            Filter::parse(text, &ParseOptions::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
        let mut selection = Selection::all(batch.len());
        filter.eval(&batch, &EvalContext { ident: "", first_row: 0 }, &mut selection);
        selection.to_rows()
    }

    #[test]
    fn regular_expressions() {
        for (text, expected) in [
            ("payload regex 'GET /[a-z]+'", &[2][..]),
            ("payload regex 'get /'", &[]),
            ("payload regex 'get /' i", &[2]),
            ("payload regex '^Host'", &[]),
            ("payload regex '^Host' m", &[2]),
            ("payload regex 'index.Host'", &[]),
            ("payload regex 'index.Host' s and proto tcp", &[2]),
            ("payload regex 'x$'", &[2]),
            ("in payload regex x", &[0, 1, 2, 3]),
            ("out payload regex x or payload regex '^$'", &[]),
            ("payload regex '\\x00\\x01\\x01'", &[0, 1, 3]),
        ] {
            assert_eq!(rows(text), expected, "{text}");
        }
    }

    #[test]
    fn dns_over_both_protocols() {
        for (text, expected) in [
            ("payload dns defined", &[0, 1][..]),
            ("payload dns name Example", &[0, 1]),
            ("payload dns name 'mail.example.com' and proto tcp", &[1]),
            ("payload dns name example.org", &[]),
            ("payload dns addr 10.0.0.1 or payload dns address 2001:db8::1", &[]),
            ("out payload dns defined", &[]),
            ("payload tls defined", &[]),
        ] {
            assert_eq!(rows(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_refused() {
        let hash = "de350869b8c85de67a350c8d186f11e6";
        for good in [
            format!("payload ja3 {hash}"),
            format!("payload ja3 '{hash}' and any"),
            "payload ja3 11111111111111111111111111111111".to_owned(),
            "payload ja4 t13d1516h2_8daaf6152771_e5627efa2ab1".to_owned(),
            "payload tls version 1.3 or payload ssl version 3.0".to_owned(),
        ] {
            assert_eq!(Filter::parse(&good, &ParseOptions::default()).err(), None, "{good}");
        }
        for (bad, message) in [
            ("payload ja3 123", "Line 1: syntax error at '123'"),
            ("payload ja3 abc", "Line 1: not a ja3 hash at 'abc'"),
            ("payload ja3 +e350869b8c85de67a350c8d186f11e6", "Line 1: syntax error at '+'"),
            ("payload ja4 t13", "Line 1: not a ja4 fingerprint at 't13'"),
            ("payload tls version 3.0", "Line 1: not a valid SSL/TLS version at '3.0'"),
            ("payload regex '('", "Line 1: failed to compile regex at ''(''"),
            ("payload regex 'a' x", "Line 1: failed to compile regex at 'x'"),
            ("payload regex", "Line 1: syntax error at ''"),
            ("payload what", "Line 1: syntax error at 'what'"),
            ("src payload content x", "Line 1: syntax error at 'payload'"),
        ] {
            assert_eq!(
                Filter::parse(bad, &ParseOptions::default()).unwrap_err().to_string(),
                message,
                "{bad}"
            );
        }
        let error = Filter::parse("payload regex 'a(b'", &ParseOptions::default()).unwrap_err();
        assert!(error.detail().contains("unclosed group"), "{}", error.detail());
        let error = Filter::parse("payload regex '(((a{1,999}){1,999}){1,999})'", &ParseOptions::default());
        assert!(error.unwrap_err().detail().contains("size limit"));
    }
}
