//! One primitive of the language: direction, words, value. What a value is stands in `value.rs`.

use crate::ast::{Number, Test};
use crate::error::{FilterError, FilterErrorKind, WORD};
use crate::lex::{Token, TokenKind, unquoted};
use crate::parse::Parser;
use crate::ranges::{AddrSet, NumSet};
use crate::value::{A_NUMBER, Value, compare};
use crate::vocabulary::{Phrase, Target, phrases};
use flow_model::{Derived, Field, FieldSet, Protocol, Side, Source, country_number};
use std::sync::Arc;

const NOT_EXPECTED: &str = "This token is not expected here!";

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
        let payload = match direction {
            Direction::One(Side::In) => Some(Field::InPayload),
            Direction::One(Side::Out) => Some(Field::OutPayload),
            _ => None,
        };
        if payload.is_some() && self.is(word, "payload") {
            return self.payload(payload);
        }
        if self.is(word, "geo") && !sided {
            return self.geo(direction);
        }
        let phrase = self.phrase(|phrase| match direction {
            Direction::Either => !phrase.needs_side(),
            _ if sided => phrase.needs_side(),
            _ => phrase.directed() && !phrase.needs_side(),
        })?;
        let is_own =
            |target: &Target| matches!(target.source, Source::Field(field) if FieldSet::OWN.contains(field));
        if self.options.networks.is_none() && phrase.targets.iter().any(is_own) {
            self.own.get_or_insert(word);
        }
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
        if furthest == 0 {
            return Err(self.unexpected(WORD));
        }
        // nfdump 1.7.1 gets as far as the first word it does not know.
        let cause = self.ahead(furthest);
        let last = if self.peek().kind == TokenKind::Word { self.peek() } else { cause };
        Err(self.error(FilterErrorKind::Syntax { expected: "another word" }, last, cause))
    }

    /// Primitives that do not follow the pattern of the catalogue.
    fn undirected_primitive(&mut self, inverted: bool) -> Result<Option<usize>, FilterError> {
        let word = self.peek();
        if !matches!(word.kind, TokenKind::Keyword | TokenKind::Word) {
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
            "payload" => self.payload(None)?,
            "ttl" if self.is(self.ahead(1), "equal") => {
                self.advance();
                self.advance();
                self.build.test(Test::Equal(Field::MinTtl, Field::MaxTtl))
            }
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
        let comparator = self.comparator();
        let (value, token) = self.expect_number(A_NUMBER)?;
        let set = compare(comparator, value);
        let (kind, digits) = ["label", "exp"]
            .into_iter()
            .find_map(|kind| name.strip_prefix(kind).map(|digits| (kind, digits)))
            .unwrap_or((&name, ""));
        let (shift, width) = match kind {
            "exp" => (1, 3),
            "label" | "eos" | "any" => (4, 20),
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
        if value > 0xff_ffff {
            return Err(self.value_error("MPLS value out of range", token));
        }
        if kind == "exp" && value > 7 {
            return Err(self.value_error("MPLS exp value out of range", token));
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

    /// `geo CC`; where countries are not known it is refused once the whole filter is understood.
    fn geo(&mut self, direction: Direction) -> Result<usize, FilterError> {
        let word = self.advance();
        let token = match self.peek().kind {
            TokenKind::Quoted => self.advance(),
            _ => self.expect_word("a country")?,
        };
        let text = unquoted(self.text(token));
        if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Err(self.value_error("Need a two letter geo country code", token));
        }
        if matches!(direction, Direction::One(side) if !matches!(side, Side::Src | Side::Dst)) {
            return Err(self.value_error(NOT_EXPECTED, token));
        }
        let mut letters = [0; 2];
        letters.copy_from_slice(text.to_ascii_uppercase().as_bytes());
        if !self.options.countries {
            self.geo.get_or_insert(word);
        }
        let tests = [(Side::Src, Field::SrcCountry), (Side::Dst, Field::DstCountry)]
            .into_iter()
            .filter(|(side, _)| !matches!(direction, Direction::One(asked) if asked != *side))
            .map(|(_, field)| Test::number(Number::Field(field), NumSet::only(country_number(letters))))
            .map(|test| self.build.test(test))
            .collect::<Vec<_>>();
        Ok(if direction == Direction::SrcAndDst { self.build.and(tests) } else { self.build.or(tests) })
    }

    /// Adds the test of one field or derived value.
    fn test(&mut self, source: Source, value: &Value) -> usize {
        match (source, value) {
            (Source::Field(Field::LocalAddr), Value::Addresses(set)) => {
                self.own_end(set, [Field::SrcNetwork, Field::DstNetwork])
            }
            (Source::Field(Field::PeerAddr), Value::Addresses(set)) => {
                self.own_end(set, [Field::DstNetwork, Field::SrcNetwork])
            }
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

    /// The source or the destination is in the set, and beside it the own network that is named is one.
    fn own_end(&mut self, set: &Arc<AddrSet>, own: [Field; 2]) -> usize {
        let ends = [Field::SrcAddr, Field::DstAddr].into_iter().zip(own).map(|(addr, own)| {
            let tests = [
                self.build.test(Test::Address(addr, Arc::clone(set))),
                self.build.test(Test::number(Number::Field(own), NumSet::at_least(1))),
            ];
            self.build.and(tests.to_vec())
        });
        let ends = ends.collect();
        self.build.or(ends)
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
