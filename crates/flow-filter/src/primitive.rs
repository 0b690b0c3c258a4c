//! One primitive of the language: direction, words, value.

use crate::address::{self, Spelling};
use crate::ast::{Number, Octets, Test};
use crate::error::{FilterError, FilterErrorKind, WORD};
use crate::lex::{Comparator, Token, TokenKind};
use crate::parse::Parser;
use crate::ranges::{AddrSet, NumSet, Ranges};
use crate::time;
use crate::vocabulary::{Phrase, Target, phrases};
use flow_model::{Derived, Field, FilterKind, Protocol, Side, Source, protocol_by_name};
use std::net::IpAddr;
use std::sync::Arc;

const NOT_EXPECTED: &str = "This token is not expected here!";
const INCOMPLETE: &str = "incomplete IP address";
const NO_NAMES: &str = "IP address required - hostname not allowed here.";
const A_NUMBER: &str = "a number";

/// Words that take `not` before their value; `!` stays an error, so that `port != 80` is one.
const NEGATED_VALUES: [&str; 7] = ["ip", "host", "net", "port", "proto", "as", "if"];

/// The longest ident.
const MAX_IDENT: usize = 255;

/// The direction words before a primitive.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    /// None.
    Either,
    /// One side.
    One(Side),
    /// `src or dst`.
    SrcOrDst,
    /// `src and dst`.
    SrcAndDst,
}

/// What a primitive compares with.
enum Value {
    Numbers(Arc<NumSet>),
    Addresses(Arc<AddrSet>),
    Octets(Octets),
    PortBlock,
}

impl Parser<'_, '_> {
    /// Takes one primitive and adds what it means. `inverted`: an odd number of `not` applies to it.
    pub(crate) fn primitive(&mut self, inverted: bool) -> Result<usize, FilterError> {
        let first = self.peek();
        let direction = self.direction()?;
        let sided = matches!(direction, Direction::One(Side::Ingress | Side::Egress));
        let word = self.peek();
        if direction == Direction::Either
            && let Some(operand) = self.undirected_primitive(inverted)?
        {
            return Ok(operand);
        }
        if self.is(word, "geo") && !sided {
            return self.geo(direction);
        }
        let phrase = self.phrase(|phrase| match direction {
            Direction::Either => !phrase.needs_side(),
            _ if sided => phrase.needs_side(),
            _ => phrase.directed() && !phrase.needs_side(),
        })?;
        for _ in &phrase.words {
            self.advance();
        }
        let targets = |side: Side| phrase.targets.iter().filter(move |target| target.side == side);
        let chosen: Vec<Vec<&Target>> = match direction {
            Direction::Either => vec![phrase.targets.iter().filter(|target| target.undirected).collect()],
            Direction::One(side) => vec![targets(side).collect()],
            // MAC addresses have two of each side, which cannot be joined.
            _ if targets(Side::Src).count() > 1 => vec![Vec::new()],
            Direction::SrcOrDst => vec![targets(Side::Src).chain(targets(Side::Dst)).collect()],
            Direction::SrcAndDst => vec![targets(Side::Src).collect(), targets(Side::Dst).collect()],
        };
        let kind = chosen[0].first().map_or(phrase.targets[0].kind, |target| target.kind);
        let negated = self.peek().kind == TokenKind::Not
            && self.text(self.peek()) != "!"
            && NEGATED_VALUES.iter().any(|word| phrase.words == [*word]);
        if negated {
            self.advance();
        }
        let value = self.value(phrase.words[0], kind)?;
        let in_both_blocks = direction == Direction::SrcAndDst && matches!(value, Value::PortBlock);
        if in_both_blocks || chosen.iter().any(Vec::is_empty) {
            let message = if sided { "ingress/egress syntax error" } else { NOT_EXPECTED };
            return Err(self.error(FilterErrorKind::Value(message), self.last(), first));
        }
        let sides = chosen
            .into_iter()
            .map(|targets| {
                let tests = targets.into_iter().map(|target| self.test(target.source, &value)).collect();
                self.build.or(tests)
            })
            .collect();
        let operand = self.build.and(sides);
        Ok(if negated { self.build.not(operand) } else { operand })
    }

    /// Takes the direction words.
    fn direction(&mut self) -> Result<Direction, FilterError> {
        let first = self.peek();
        if first.kind != TokenKind::Keyword {
            return Ok(Direction::Either);
        }
        let word = self.text(first).to_ascii_lowercase();
        let direction = match &*word {
            "src" | "dst" => return self.source_or_destination(),
            "in" => self.interface_side([Side::In, Side::InSrc, Side::InDst]),
            "out" => self.interface_side([Side::Out, Side::OutSrc, Side::OutDst]),
            "prev" | "previous" => Side::Prev,
            "next" => Side::Next,
            "ingress" => Side::Ingress,
            "egress" => Side::Egress,
            _ => return Ok(Direction::Either),
        };
        self.advance();
        Ok(Direction::One(direction))
    }

    /// Takes all but the last of the words `in`, `in src`, `in dst` or the same with `out`.
    fn interface_side(&mut self, [alone, src, dst]: [Side; 3]) -> Side {
        let side = match self.ahead(1) {
            next if self.is(next, "src") => src,
            next if self.is(next, "dst") => dst,
            _ => return alone,
        };
        self.advance();
        side
    }

    /// Takes `src`, `dst`, `src or dst` and the like.
    fn source_or_destination(&mut self) -> Result<Direction, FilterError> {
        let first = self.advance();
        let (one, other) = if self.is(first, "src") { (Side::Src, "dst") } else { (Side::Dst, "src") };
        let joined = match self.peek().kind {
            TokenKind::Or => Direction::SrcOrDst,
            TokenKind::And => Direction::SrcAndDst,
            _ => return Ok(Direction::One(one)),
        };
        self.advance();
        if !self.is(self.peek(), other) {
            return Err(self.unexpected(if other == "src" { "`src`" } else { "`dst`" }));
        }
        self.advance();
        Ok(joined)
    }

    /// The phrase of the vocabulary that stands here, not taken yet; only `eligible` ones can.
    fn phrase(&self, eligible: impl Fn(&Phrase) -> bool) -> Result<&'static Phrase, FilterError> {
        let first = self.text(self.peek()).to_ascii_lowercase();
        let candidates = match self.peek().kind {
            TokenKind::Keyword | TokenKind::Word => phrases(&first),
            _ => &[],
        };
        let mut furthest = 0;
        for phrase in candidates.iter().filter(|phrase| eligible(phrase)) {
            let matching = phrase
                .words
                .iter()
                .enumerate()
                .take_while(|&(ahead, word)| self.is(self.ahead(ahead), word))
                .count();
            if matching == phrase.words.len() {
                return Ok(phrase);
            }
            furthest = furthest.max(matching);
        }
        Err(self.unexpected_at(self.ahead(furthest), if furthest == 0 { WORD } else { "another word" }))
    }

    /// Primitives that do not follow the pattern of the catalogue.
    fn undirected_primitive(&mut self, inverted: bool) -> Result<Option<usize>, FilterError> {
        let word = self.peek();
        if !matches!(word.kind, TokenKind::Keyword) {
            return Ok(None);
        }
        let text = self.text(word).to_ascii_lowercase();
        let operand = match &*text {
            "any" => {
                self.advance();
                self.build.constant(true)
            }
            "ipv4" | "inet" => {
                self.advance();
                let v6 = self.ipv6();
                self.build.not(v6)
            }
            "ipv6" | "inet6" => {
                self.advance();
                self.ipv6()
            }
            "ident" => self.ident()?,
            "flags" => self.flags(inverted)?,
            "mpls" => self.mpls()?,
            "payload" => self.payload()?,
            "asa" if self.is(self.ahead(1), "event") && self.is(self.ahead(2), "denied") => {
                self.asa_denied()?
            }
            _ => return Ok(None),
        };
        Ok(Some(operand))
    }

    fn ipv6(&mut self) -> usize {
        let set = Arc::new(AddrSet::all_v6());
        let sides = [Field::SrcAddr, Field::DstAddr]
            .map(|field| self.build.test(Test::Address(field, Arc::clone(&set))));
        self.build.or(sides.to_vec())
    }

    fn ident(&mut self) -> Result<usize, FilterError> {
        self.advance();
        if self.peek().kind == TokenKind::Quoted {
            let token = self.advance();
            let name = unquoted(self.text(token)).into();
            return Ok(self.build.test(Test::Ident(name)));
        }
        let token = self.expect_word("an ident")?;
        let name = self.text(token);
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if name.len() > MAX_IDENT || !name.bytes().all(legal) {
            return Err(self.value_error("Illegal ident string", token));
        }
        let name = name.into();
        Ok(self.build.test(Test::Ident(name)))
    }

    /// TCP flags. All the listed ones must be set; under an odd number of `not` the test is "any of them", so that
    /// `not flags X` means none of X, which `flags S and not flags AFRPU` depends on (D-70).
    fn flags(&mut self, inverted: bool) -> Result<usize, FilterError> {
        self.advance();
        let comparator = self.comparator();
        let set = match (self.peek().kind, comparator) {
            (TokenKind::Number(number), _) => {
                let token = self.advance();
                if number > 255 {
                    return Err(self.value_error("Flags must be 0..255", token));
                }
                compare(comparator, number)
            }
            (TokenKind::Word, None) => {
                let token = self.advance();
                let Some(mask) = flag_letters(self.text(token)) else {
                    return Err(self.value_error("Too many flags", token));
                };
                flag_set(mask, inverted)
            }
            // The flags A and S spell a word of the language.
            (TokenKind::Keyword, None) if self.is(self.peek(), "as") => {
                self.advance();
                flag_set(0x12, inverted)
            }
            _ => return Err(self.unexpected(if comparator.is_some() { A_NUMBER } else { "flags" })),
        };
        let tcp = NumSet::only(u64::from(Protocol::TCP.0));
        let tests = [
            self.build.test(Test::number(Number::Field(Field::Proto), tcp)),
            self.build.test(Test::number(Number::Field(Field::TcpFlags), set)),
        ];
        Ok(self.build.and(tests.to_vec()))
    }

    fn mpls(&mut self) -> Result<usize, FilterError> {
        self.advance();
        let option = self.expect_word_or_any("`label`, `exp`, `eos` or `any`")?;
        let name = self.text(option).to_ascii_lowercase();
        let comparator = if name == "any" { None } else { self.comparator() };
        let (value, token) = self.expect_number(A_NUMBER)?;
        let set = compare(comparator, value);
        let (kind, digits) = ["label", "exp"]
            .into_iter()
            .find_map(|kind| name.strip_prefix(kind).map(|digits| (kind, digits)))
            .unwrap_or((&name, ""));
        let (shift, width, max, error) = match kind {
            "exp" => (1, 3, 7, "MPLS exp value out of range"),
            "label" | "eos" | "any" => (4, 20, 0xff_ffff, "MPLS value out of range"),
            _ => return Err(self.error(FilterErrorKind::Value("Unknown MPLS option"), token, option)),
        };
        let field = match kind {
            "label" | "exp" if digits.is_empty() => {
                return Err(self.error(FilterErrorKind::Value("Missing label number"), token, option));
            }
            "label" | "exp" => {
                let number: usize = digits.parse().unwrap_or(0);
                let Some(&field) = number.checked_sub(1).and_then(|index| Field::MPLS.get(index)) else {
                    let kind = FilterErrorKind::Value("MPLS label out of range 1..10");
                    return Err(self.error(kind, token, option));
                };
                Some(field)
            }
            _ => None,
        };
        if value > max {
            return Err(self.value_error(error, token));
        }
        if let Some(field) = field {
            return Ok(self.build.test(Test::number(Number::Bits { field, shift, width }, set)));
        }
        // `any` is the label at the bottom of the stack too: in nfdump 1.7.1 the two are the same.
        let label = Arc::new(set);
        let mut deeper = self.build.constant(false);
        for field in Field::MPLS.into_iter().rev() {
            let bottom =
                |value| Test::number(Number::Bits { field, shift: 0, width: 1 }, NumSet::only(value));
            let here = [
                self.build.test(bottom(1)),
                self.build.test(Test::Number(Number::Bits { field, shift, width }, Arc::clone(&label))),
            ];
            let here = self.build.and(here.to_vec());
            let below = self.build.test(bottom(0));
            let below = self.build.and(vec![below, deeper]);
            deeper = self.build.or(vec![here, below]);
        }
        Ok(deeper)
    }

    /// Takes a word that is no keyword, or `any`.
    fn expect_word_or_any(&mut self, expected: &'static str) -> Result<Token, FilterError> {
        if self.is(self.peek(), "any") { Ok(self.advance()) } else { self.expect_word(expected) }
    }

    fn payload(&mut self) -> Result<usize, FilterError> {
        self.advance();
        let what = self.advance();
        if self.is(what, "regex") || self.is(what, "ja3") {
            let what = if self.is(what, "regex") { "`payload regex`" } else { "`payload ja3`" };
            return Err(self.error(FilterErrorKind::Unsupported(what), self.last(), self.last()));
        }
        if !self.is(what, "content") {
            return Err(self.unexpected_at(what, "`content`"));
        }
        let token = match self.peek().kind {
            TokenKind::Word | TokenKind::Quoted => self.advance(),
            _ => return Err(self.unexpected("a word or a quoted text")),
        };
        let pattern: Box<[u8]> = unquoted(self.text(token)).as_bytes().into();
        let sides = [Field::InPayload, Field::OutPayload]
            .map(|field| self.build.test(Test::Octets(field, Octets::Contain(pattern.clone()))));
        Ok(self.build.or(sides.to_vec()))
    }

    /// `asa event denied REASON`.
    fn asa_denied(&mut self) -> Result<usize, FilterError> {
        const REASONS: [(&str, u64); 4] =
            [("ingress", 1001), ("egress", 1002), ("interface", 1003), ("nosyn", 1004)];
        for _ in 0..3 {
            self.advance();
        }
        let token = self.peek();
        let Some((_, xevent)) = REASONS.into_iter().find(|(name, _)| self.is(token, name)) else {
            return Err(match token.kind {
                TokenKind::Word => self.value_error("Unknown asa event", token),
                _ => self.unexpected("`ingress`, `egress`, `interface` or `nosyn`"),
            });
        };
        self.advance();
        let tests = [(Field::FwEvent, 3), (Field::FwXevent, xevent)]
            .map(|(field, number)| self.build.test(Test::number(Number::Field(field), NumSet::only(number))));
        Ok(self.build.and(tests.to_vec()))
    }

    /// `geo CC`: understood, and refused once the whole filter is.
    fn geo(&mut self, direction: Direction) -> Result<usize, FilterError> {
        let word = self.advance();
        let token = self.expect_word("a country")?;
        let text = self.text(token);
        if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(self.value_error("Need a two letter geo country code", token));
        }
        if matches!(direction, Direction::One(side) if !matches!(side, Side::Src | Side::Dst)) {
            return Err(self.value_error(NOT_EXPECTED, token));
        }
        self.geo.get_or_insert(word);
        Ok(self.build.constant(false))
    }

    fn value(&mut self, word: &str, kind: FilterKind) -> Result<Value, FilterError> {
        let numbers = |set: NumSet| Value::Numbers(Arc::new(set));
        Ok(match kind {
            FilterKind::Number { .. }
                if word == "port" && self.is(self.peek(), "in") && self.is(self.ahead(1), "pblock") =>
            {
                self.advance();
                self.advance();
                Value::PortBlock
            }
            FilterKind::Number { list: true, max, error, .. } if self.is(self.peek(), "in") => {
                numbers(self.number_list(max, error)?)
            }
            FilterKind::Number { max, compare: takes, error, .. } => {
                let comparator = if takes { self.comparator() } else { None };
                let (number, token) = self.expect_number(A_NUMBER)?;
                if number > max {
                    return Err(self.value_error(error, token));
                }
                numbers(compare(comparator, number))
            }
            FilterKind::Latency => {
                let comparator = self.comparator();
                let (millis, _) = self.expect_number("milliseconds")?;
                numbers(compare(comparator, millis.saturating_mul(1_000)))
            }
            FilterKind::Time => {
                let comparator = self.comparator();
                numbers(compare(comparator, self.time()?))
            }
            FilterKind::Protocol => numbers(NumSet::only(self.protocol(word == "tun")?)),
            FilterKind::Symbol { names, max, compare: takes, error } => {
                numbers(self.symbol(names, max, takes, error, word)?)
            }
            FilterKind::Mac => {
                let token = self.expect_word("a MAC address")?;
                match address::mac(self.text(token)) {
                    Some(mac) => numbers(NumSet::only(mac)),
                    None => return Err(self.value_error("Invalid MAC address format", token)),
                }
            }
            FilterKind::Address { list: true, .. } if self.is(self.peek(), "in") => {
                Value::Addresses(Arc::new(self.address_list()?))
            }
            FilterKind::Address { names, .. } => Value::Addresses(Arc::new(self.address(names)?)),
            FilterKind::Network => Value::Addresses(Arc::new(self.network()?)),
            FilterKind::Text => {
                let token = self.expect_word("a label")?;
                let text = self.text(token);
                if text.len() > 16 {
                    return Err(self.value_error("Size flowlabel of range 1..16", token));
                }
                Value::Octets(Octets::Equal(text.as_bytes().into()))
            }
            FilterKind::TcpFlags => return Err(self.unexpected(WORD)),
        })
    }

    fn comparator(&mut self) -> Option<Comparator> {
        let TokenKind::Compare(comparator) = self.peek().kind else {
            return None;
        };
        self.advance();
        Some(comparator)
    }

    /// `[` after `in`; entries with or without commas between them, each taken by `entry`; `]`, which is left.
    fn list(
        &mut self,
        mut entry: impl FnMut(&mut Self) -> Result<(), FilterError>,
    ) -> Result<(), FilterError> {
        self.advance();
        if self.peek().kind != TokenKind::OpenList {
            return Err(self.unexpected("`[`"));
        }
        self.advance();
        loop {
            entry(self)?;
            match self.peek().kind {
                TokenKind::Comma => {
                    self.advance();
                }
                TokenKind::CloseList => return Ok(()),
                _ => {}
            }
        }
    }

    fn number_list(&mut self, max: u64, error: &'static str) -> Result<NumSet, FilterError> {
        let mut ranges = Vec::new();
        let mut wrong = None;
        self.list(|parser| {
            let (number, token) = parser.expect_number("a number")?;
            if number > max {
                wrong.get_or_insert(token);
            }
            ranges.push((number, number));
            Ok(())
        })?;
        let close = self.advance();
        match wrong {
            Some(cause) => Err(self.error(FilterErrorKind::Value(error), close, cause)),
            None => Ok(NumSet::new(ranges)),
        }
    }

    fn protocol(&mut self, tunnel: bool) -> Result<u64, FilterError> {
        let (too_large, unknown) = if tunnel {
            ("Tunnel protocol number > 255", "Unknown tunnel protocol")
        } else {
            ("Protocol number > 255", "Unknown protocol")
        };
        if let TokenKind::Number(number) = self.peek().kind {
            let token = self.advance();
            return if number > 255 { Err(self.value_error(too_large, token)) } else { Ok(number) };
        }
        let token = self.expect_word("a protocol")?;
        match protocol_by_name(self.text(token)) {
            Some(number) => Ok(u64::from(number)),
            None => Err(self.value_error(unknown, token)),
        }
    }

    fn symbol(
        &mut self,
        names: &[(&str, u64)],
        max: u64,
        takes_comparator: bool,
        error: &'static str,
        word: &str,
    ) -> Result<NumSet, FilterError> {
        let comparator = if takes_comparator { self.comparator() } else { None };
        let token = self.peek();
        if let TokenKind::Number(number) = token.kind {
            self.advance();
            return if number > max {
                Err(self.value_error(error, token))
            } else {
                Ok(compare(comparator, number))
            };
        }
        if comparator.is_some() {
            return Err(self.unexpected(A_NUMBER));
        }
        if let Some(&(_, number)) = names.iter().find(|(name, _)| self.is(token, name)) {
            self.advance();
            return Ok(NumSet::only(number));
        }
        if word == "fwdstat" && token.kind == TokenKind::Word {
            return Err(self.value_error("Unknown forwarding status", token));
        }
        Err(self.unexpected("a number or one of its names"))
    }

    fn time(&mut self) -> Result<u64, FilterError> {
        let token = match self.peek().kind {
            TokenKind::Word | TokenKind::Number(_) | TokenKind::Quoted => self.advance(),
            _ => return Err(self.unexpected("a time")),
        };
        time::parse(unquoted(self.text(token)), self.options.local_ms)
            .ok_or_else(|| self.value_error("Invalid time", token))
    }

    fn address(&mut self, names: bool) -> Result<AddrSet, FilterError> {
        let token = self.expect_word("an address")?;
        match address::read(self.text(token)) {
            Spelling::Full(addr) => Ok(AddrSet::networks([(addr, 128)])),
            Spelling::Short(..) => Err(self.value_error(INCOMPLETE, token)),
            Spelling::Name if names => {
                let found = self.resolve(token)?;
                Ok(AddrSet::networks(found.into_iter().map(|addr| (addr, 128))))
            }
            Spelling::Name => Err(self.value_error(NO_NAMES, token)),
            Spelling::Wrong => Err(self.value_error("Error parsing IP address.", token)),
        }
    }

    /// Every address of a host name, at least one.
    fn resolve(&self, token: Token) -> Result<Vec<IpAddr>, FilterError> {
        let name = self.text(token).to_string();
        let found = match self.options.resolve {
            Some(resolve) => resolve(&name),
            None => Err("host names cannot be looked up here".to_string()),
        };
        let cause = match found {
            Ok(addrs) if !addrs.is_empty() => return Ok(addrs),
            Ok(_) => "no address".to_string(),
            Err(cause) => cause,
        };
        Err(self.error(FilterErrorKind::Resolve { name, cause }, token, token))
    }

    /// Addresses, networks and host names between brackets. nfdump sees an entry as a whole only after the token
    /// that follows it, which is the one its messages name.
    fn address_list(&mut self) -> Result<AddrSet, FilterError> {
        let mut networks = Vec::new();
        self.list(|parser| {
            let token = parser.expect_word("an address")?;
            let len = if parser.peek().kind == TokenKind::Slash {
                parser.advance();
                Some(parser.expect_number("a prefix length")?)
            } else {
                None
            };
            let last = len.map_or_else(|| parser.peek(), |(_, token)| token);
            let wrong = |message| Err(parser.error(FilterErrorKind::Value(message), last, token));
            match address::read(parser.text(token)) {
                Spelling::Full(addr) => {
                    let bits = if addr.is_ipv4() { 32 } else { 128 };
                    match len {
                        Some((len, cause)) if len > bits => {
                            return Err(parser.value_error("Too many netbits for this IP address", cause));
                        }
                        Some((len, _)) => networks.push((addr, len as u8)),
                        None => networks.push((addr, 128)),
                    }
                }
                Spelling::Short(..) => return wrong(INCOMPLETE),
                Spelling::Wrong => return wrong("Invalid IP address"),
                Spelling::Name if len.is_some() => return wrong(NO_NAMES),
                Spelling::Name => networks.extend(parser.resolve(token)?.into_iter().map(|addr| (addr, 128))),
            }
            Ok(())
        })?;
        self.advance();
        Ok(AddrSet::networks(networks))
    }

    fn network(&mut self) -> Result<AddrSet, FilterError> {
        let token = self.expect_word("a network")?;
        if self.peek().kind == TokenKind::Word {
            return self.network_with_mask(token);
        }
        if self.peek().kind != TokenKind::Slash {
            return Err(self.unexpected("`/` and a prefix length"));
        }
        self.advance();
        let (len, last) = self.expect_number("a prefix length")?;
        let wrong = |message| Err(self.error(FilterErrorKind::Value(message), last, token));
        let (addr, given) = match address::read(self.text(token)) {
            Spelling::Full(addr) => (addr, if addr.is_ipv4() { 32 } else { 128 }),
            Spelling::Short(addr, bits) => (addr, u64::from(bits)),
            Spelling::Name => return wrong(NO_NAMES),
            Spelling::Wrong => return wrong("Invalid IP address"),
        };
        if len > given {
            return Err(self.value_error("Too many netbits for this IP address", last));
        }
        Ok(AddrSet::networks([(addr, len as u8)]))
    }

    fn network_with_mask(&mut self, token: Token) -> Result<AddrSet, FilterError> {
        let last = self.advance();
        let wrong = |message, cause| Err(self.error(FilterErrorKind::Value(message), last, cause));
        let addr = match address::read(self.text(token)) {
            Spelling::Full(IpAddr::V4(addr)) => addr,
            Spelling::Full(IpAddr::V6(_)) => return wrong("IP netmask syntax valid only for IPv4", token),
            Spelling::Short(..) => return wrong("Need complete IP address", token),
            Spelling::Name => return wrong(NO_NAMES, token),
            Spelling::Wrong => return wrong("Invalid IP address", token),
        };
        match address::read(self.text(last)) {
            Spelling::Full(IpAddr::V4(mask)) => match address::masked(addr, mask) {
                Some(ranges) => Ok(AddrSet::of(Ranges::new(ranges), Ranges::EMPTY)),
                None => wrong("Invalid netmask for IPv4 address", last),
            },
            Spelling::Full(_) | Spelling::Short(..) => wrong("Invalid netmask for IPv4 address", last),
            Spelling::Name => wrong(NO_NAMES, last),
            Spelling::Wrong => wrong("Invalid IP address", last),
        }
    }

    fn test(&mut self, source: Source, value: &Value) -> usize {
        match (source, value) {
            (Source::Field(field), Value::Addresses(set)) => {
                self.build.test(Test::Address(field, Arc::clone(set)))
            }
            (Source::Field(field), Value::Octets(octets)) => {
                self.build.test(Test::Octets(field, octets.clone()))
            }
            (Source::Field(field), Value::PortBlock) => self.build.test(Test::InPortBlock(field)),
            (Source::Field(Field::FwEvent | Field::NatEvent), Value::Numbers(set)) => self.event(set),
            (Source::Field(field), Value::Numbers(set)) => {
                self.build.test(Test::Number(Number::Field(field), Arc::clone(set)))
            }
            (Source::Derived(derived), Value::Numbers(set)) => {
                let number = match derived {
                    Derived::DurationMs => Number::DurationMs,
                    Derived::Pps => Number::Pps,
                    Derived::Bps => Number::Bps,
                    Derived::Bpp => Number::Bpp,
                    Derived::Count => Number::Count,
                    Derived::IcmpType => return self.icmp(8, set),
                    Derived::IcmpCode => return self.icmp(0, set),
                    _ => return self.build.constant(false),
                };
                self.build.test(Test::Number(number, Arc::clone(set)))
            }
            (Source::Derived(_), _) => self.build.constant(false),
        }
    }

    /// The event of a firewall or of a translator: nfdump keeps both in one place, so that each word finds both.
    fn event(&mut self, set: &Arc<NumSet>) -> usize {
        let field = |field, set| Test::Number(Number::Field(field), set);
        let some = Arc::new(NumSet::at_least(1));
        let firewall = [
            self.build.test(field(Field::FwEvent, Arc::clone(set))),
            self.build.test(field(Field::FwEvent, some)),
        ];
        let translator = [
            self.build.test(field(Field::NatEvent, Arc::clone(set))),
            self.build.test(field(Field::FwEvent, Arc::new(NumSet::only(0)))),
        ];
        let either = [self.build.and(firewall.to_vec()), self.build.and(translator.to_vec())];
        self.build.or(either.to_vec())
    }

    /// ICMP or ICMPv6, and an octet of the destination port.
    fn icmp(&mut self, shift: u8, set: &Arc<NumSet>) -> usize {
        let protocols =
            [Protocol::ICMP, Protocol::ICMP6].map(|proto| (u64::from(proto.0), u64::from(proto.0)));
        let octet = Number::Bits { field: Field::DstPort, shift, width: 8 };
        let tests = [
            self.build.test(Test::number(Number::Field(Field::Proto), NumSet::new(protocols.to_vec()))),
            self.build.test(Test::Number(octet, Arc::clone(set))),
        ];
        self.build.and(tests.to_vec())
    }
}

/// The numbers that compare so with `number`.
fn compare(comparator: Option<Comparator>, number: u64) -> NumSet {
    match comparator {
        None | Some(Comparator::Equal) => NumSet::only(number),
        Some(Comparator::Greater) => number.checked_add(1).map_or(NumSet::EMPTY, NumSet::at_least),
        Some(Comparator::AtLeast) => NumSet::at_least(number),
        Some(Comparator::Less) => {
            number.checked_sub(1).map_or(NumSet::EMPTY, |last| NumSet::between(0, last))
        }
        Some(Comparator::AtMost) => NumSet::between(0, number),
    }
}

/// The flags spelt by letters, each at most once; `X` stands for the six of RFC 793.
fn flag_letters(letters: &str) -> Option<u8> {
    const FLAGS: [(char, u8); 9] = [
        ('F', 0x01),
        ('S', 0x02),
        ('R', 0x04),
        ('P', 0x08),
        ('A', 0x10),
        ('U', 0x20),
        ('E', 0x40),
        ('C', 0x80),
        ('X', 0x3f),
    ];
    let mut mask = 0;
    for (index, letter) in letters.char_indices() {
        let (_, bits) = FLAGS.into_iter().find(|&(known, _)| known == letter)?;
        if letters[..index].contains(letter) {
            return None;
        }
        mask |= bits;
    }
    Some(mask)
}

/// The octets in which all bits of `mask` are set, or any.
fn flag_set(mask: u8, any: bool) -> NumSet {
    let within = |flags: u8| if any { flags & mask != 0 } else { flags & mask == mask };
    let flags = (0..=u8::MAX).filter(|&flags| within(flags));
    NumSet::new(flags.map(|flags| (u64::from(flags), u64::from(flags))).collect())
}

/// The text between quotes; a bare word as it is.
fn unquoted(text: &str) -> &str {
    match text.as_bytes() {
        [quote @ (b'"' | b'\''), .., last] if quote == last => &text[1..text.len() - 1],
        _ => text,
    }
}
