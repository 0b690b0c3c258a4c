//! What stands after the words of a primitive: numbers, addresses, names, times, lists.

use crate::address::{self, Spelling};
use crate::ast::Octets;
use crate::error::{FilterError, FilterErrorKind, WORD};
use crate::lex::{Comparator, Token, TokenKind, unquoted};
use crate::list::Entries;
use crate::parse::Parser;
use crate::ranges::{AddrSet, NumSet, Ranges};
use crate::time;
use flow_model::{FilterKind, Protocol, protocol_by_name};
use std::net::IpAddr;
use std::sync::Arc;

/// What is expected where a number may stand.
pub(crate) const A_NUMBER: &str = "a number";

pub(crate) const INCOMPLETE: &str = "incomplete IP address";
pub(crate) const NO_NAMES: &str = "IP address required - hostname not allowed here.";
const NO_TOR: &str = "No database of Tor nodes: name a file of their addresses, ip in @FILE";
pub(crate) const TOO_LONG: &str = "Too many netbits for this IP address";

/// What a primitive compares with.
#[derive(Clone)]
pub(crate) enum Value {
    Numbers(Arc<NumSet>),
    Addresses(Arc<AddrSet>),
    Octets(Octets),
    PortBlock,
}

impl Parser<'_, '_> {
    /// Takes a value of `kind`; `word` is the first word of the primitive.
    pub(crate) fn value(&mut self, word: &str, kind: FilterKind) -> Result<Value, FilterError> {
        let numbers = |set: NumSet| Value::Numbers(Arc::new(set));
        Ok(match kind {
            FilterKind::Number { .. } if word == "port" && self.takes_port_block() => Value::PortBlock,
            FilterKind::Number { list: true, max, error, .. } if self.is(self.peek(), "in") => {
                match self.list_file_after_in(Entries::Numbers { max, error })? {
                    Some(list) => list,
                    None => numbers(self.number_list(max, error)?),
                }
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
                let (micros, _) = self.expect_number("microseconds")?;
                numbers(compare(comparator, micros))
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
            FilterKind::Address { list: true, .. } | FilterKind::Network if self.is(self.peek(), "in") => {
                match self.list_file_after_in(Entries::Addresses)? {
                    Some(list) => list,
                    None => Value::Addresses(self.address_list(kind == FilterKind::Network)?),
                }
            }
            FilterKind::Address { names, .. } => Value::Addresses(Arc::new(self.address(names)?)),
            FilterKind::Network => Value::Addresses(Arc::new(self.network()?)),
            FilterKind::Text { max, error } => {
                let token = self.expect_word("a name")?;
                let text = self.text(token);
                if text.len() > max {
                    return Err(self.value_error(error, token));
                }
                Value::Octets(Octets::Equal(text.as_bytes().into()))
            }
            FilterKind::OwnNetwork => numbers(NumSet::only(self.own_network()?)),
            FilterKind::TcpFlags => return Err(self.unexpected(WORD)),
        })
    }

    /// The number of a network's name. Where networks are not known, the whole filter is refused later.
    fn own_network(&mut self) -> Result<u64, FilterError> {
        let token = match self.peek().kind {
            TokenKind::Quoted => self.advance(),
            _ => self.expect_word("the name of an own network")?,
        };
        match self.options.networks.map(|networks| networks.number_called(unquoted(self.text(token)))) {
            Some(None) => Err(self.value_error("There is no own network of this name", token)),
            number => Ok(number.flatten().unwrap_or(0).into()),
        }
    }

    /// Takes `in pblock` or `in nat pblock`, if that stands here.
    fn takes_port_block(&mut self) -> bool {
        let last = if self.is(self.ahead(1), "nat") { 2 } else { 1 };
        let found = self.is(self.peek(), "in") && self.is(self.ahead(last), "pblock");
        if found {
            for _ in 0..=last {
                self.advance();
            }
        }
        found
    }

    /// Takes a comparator, if one stands here.
    pub(crate) fn comparator(&mut self) -> Option<Comparator> {
        let TokenKind::Compare(comparator) = self.peek().kind else {
            return None;
        };
        self.advance();
        Some(comparator)
    }

    /// `in` and the name of a file, if one stands here.
    fn list_file_after_in(&mut self, entries: Entries) -> Result<Option<Value>, FilterError> {
        if self.ahead(1).kind != TokenKind::File {
            return Ok(None);
        }
        self.advance();
        let file = self.advance();
        self.list_file(file, entries).map(Some)
    }

    /// `[` after `in`; entries with or without commas between them, each taken by `entry`; `]`, which is left.
    fn list(
        &mut self,
        mut entry: impl FnMut(&mut Self) -> Result<(), FilterError>,
    ) -> Result<(), FilterError> {
        self.advance();
        if self.peek().kind != TokenKind::OpenList {
            return Err(self.unexpected("`[` or `@FILE`"));
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
            if parser.peek().kind == TokenKind::File {
                let file = parser.advance();
                if let Value::Numbers(list) = parser.list_file(file, Entries::Numbers { max, error })? {
                    ranges.extend_from_slice(list.as_slice());
                }
                return Ok(());
            }
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
        // The number of IPv6 in IPv4 has a name that is a word of the language.
        if self.is(self.peek(), "ipv6") {
            self.advance();
            return Ok(u64::from(Protocol::IPV6.0));
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
    fn resolve(&mut self, token: Token) -> Result<Vec<IpAddr>, FilterError> {
        if self.is(token, "tor") {
            return Err(self.value_error(NO_TOR, token));
        }
        let name = self.text(token).to_string();
        if let Some(known) = self.names.get(&name) {
            return Ok(known.clone());
        }
        let found = match self.options.resolve {
            Some(resolve) => resolve(&name),
            None => Err("host names cannot be looked up here".to_string()),
        };
        let cause = match found {
            Ok(addrs) if !addrs.is_empty() => {
                self.names.insert(name, addrs.clone());
                return Ok(addrs);
            }
            Ok(_) => "no address".to_string(),
            Err(cause) => cause,
        };
        Err(self.error(FilterErrorKind::Resolve { name, cause }, token, token))
    }

    /// Addresses, networks and host names between brackets; networks in short form where `short` says so. nfdump sees
    /// an entry as a whole only after the token that follows it, which is the one its messages name.
    fn address_list(&mut self, short: bool) -> Result<Arc<AddrSet>, FilterError> {
        let mut networks = Vec::new();
        let mut files = Vec::new();
        self.list(|parser| {
            if parser.peek().kind == TokenKind::File {
                let file = parser.advance();
                if let Value::Addresses(list) = parser.list_file(file, Entries::Addresses)? {
                    files.push(list);
                }
                return Ok(());
            }
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
                            return Err(parser.value_error(TOO_LONG, cause));
                        }
                        Some((len, _)) => networks.push((addr, len as u8)),
                        None => networks.push((addr, 128)),
                    }
                }
                Spelling::Short(addr, given) if short => match len {
                    Some((len, _)) if len <= given.into() => networks.push((addr, len as u8)),
                    Some((_, cause)) => return Err(parser.value_error(TOO_LONG, cause)),
                    None => return wrong(INCOMPLETE),
                },
                Spelling::Short(..) => return wrong(INCOMPLETE),
                Spelling::Wrong => return wrong("Invalid IP address"),
                Spelling::Name if len.is_some() => return wrong(NO_NAMES),
                Spelling::Name => networks.extend(parser.resolve(token)?.into_iter().map(|addr| (addr, 128))),
            }
            Ok(())
        })?;
        self.advance();
        files.push(Arc::new(AddrSet::networks(networks)));
        Ok(match &files[..] {
            [alone] => Arc::clone(alone),
            _ => Arc::new(AddrSet::union(files.iter().map(Arc::as_ref))),
        })
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
            return Err(self.value_error(TOO_LONG, last));
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
}

/// The numbers that compare so with `number`.
pub(crate) fn compare(comparator: Option<Comparator>, number: u64) -> NumSet {
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
