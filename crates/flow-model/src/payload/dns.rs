//! Messages of the domain name system (RFC 1035).

use super::{be16, take, take_u16};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest name in text, dots and escapes included.
const MAX_NAME: usize = 255;
/// The most pointers a name goes through.
const MAX_POINTERS: usize = 16;
const HEADER_LEN: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;

/// A message whose header and questions are whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'p> {
    /// The names that are asked for.
    pub questions: Vec<Vec<u8>>,
    /// Stands behind the questions.
    reader: Reader<'p>,
}

impl<'p> Message<'p> {
    /// Reads a message as UDP carries it; over TCP two octets of length stand before it.
    pub fn read(message: &'p [u8]) -> Option<Message<'p>> {
        let mut reader = Reader::new(message)?;
        let questions = (0..reader.asked).map(|_| Some(reader.question()?.name)).collect::<Option<_>>()?;
        Some(Message { questions, reader })
    }

    /// The addresses in the records that follow the questions, up to the first record that is not whole.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let mut reader = self.reader.clone();
        let count = reader.answers + reader.others;
        (0..count).map_while(move |_| reader.record()).filter_map(|record| record.address())
    }
}

/// Reads a message from its front to its back.
///
/// Names are in the form of master files (RFC 1035, section 5.1) without the dot at the end: what has a meaning there
/// stands behind a backslash, what cannot be printed is a backslash and three decimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader<'p> {
    octets: &'p [u8],
    at: usize,
    /// How many questions the header tells of.
    pub asked: usize,
    /// How many records answer them.
    pub answers: usize,
    /// How many further records there are.
    pub others: usize,
}

/// What a message asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Of which name.
    pub name: Vec<u8>,
    /// For which type of records.
    pub kind: u16,
    /// 1 for the internet.
    pub class: u16,
}

/// A resource record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record<'p> {
    /// Whose.
    pub name: Vec<u8>,
    /// What it says of it.
    pub kind: u16,
    /// 1 for the internet.
    pub class: u16,
    /// Seconds that it may be kept.
    pub ttl: u32,
    /// What it says, as it stands.
    pub content: &'p [u8],
    message: &'p [u8],
    content_at: usize,
}

impl<'p> Reader<'p> {
    /// A reader in front of the questions; `None` when the header is not whole.
    pub fn new(message: &'p [u8]) -> Option<Reader<'p>> {
        let header: &[u8; HEADER_LEN] = message.first_chunk()?;
        let count = |at: usize| usize::from(be16(&header[at..]));
        let [asked, answers, others] = [count(4), count(6), count(8) + count(10)];
        Some(Reader { octets: message, at: HEADER_LEN, asked, answers, others })
    }

    /// Whether nothing is left.
    pub fn is_at_end(&self) -> bool {
        self.at >= self.octets.len()
    }

    /// The next question; `None` when it is not whole.
    pub fn question(&mut self) -> Option<Question> {
        let (name, mut rest) = self.named()?;
        let question = Question { name, kind: take_u16(&mut rest)?, class: take_u16(&mut rest)? };
        self.at = self.octets.len() - rest.len();
        Some(question)
    }

    /// The next record; `None` when it is not whole.
    pub fn record(&mut self) -> Option<Record<'p>> {
        let (name, mut rest) = self.named()?;
        let [kind, class] = [take_u16(&mut rest)?, take_u16(&mut rest)?];
        let ttl = u32::from(take_u16(&mut rest)?) << 16 | u32::from(take_u16(&mut rest)?);
        let len = take_u16(&mut rest)?;
        let content_at = self.octets.len() - rest.len();
        let content = take(&mut rest, len.into())?;
        self.at = self.octets.len() - rest.len();
        Some(Record { name, kind, class, ttl, content, message: self.octets, content_at })
    }

    /// The name that stands next, and what follows it.
    fn named(&self) -> Option<(Vec<u8>, &'p [u8])> {
        let rest = self.octets.get(after_name(self.octets, self.at)?..)?;
        Some((name(self.octets, self.at)?, rest))
    }
}

impl Record<'_> {
    /// The address that a record of one of the two types for them gives.
    pub fn address(&self) -> Option<IpAddr> {
        match self.kind {
            TYPE_A => <[u8; 4]>::try_from(self.content).ok().map(|octets| Ipv4Addr::from(octets).into()),
            TYPE_AAAA => <[u8; 16]>::try_from(self.content).ok().map(|octets| Ipv6Addr::from(octets).into()),
            _ => None,
        }
    }

    /// The name that the content begins with, in a type of records that has one there.
    pub fn target(&self) -> Option<Vec<u8>> {
        name(self.message, self.content_at)
    }
}

/// The name at `at`, wherever in the message its parts stand.
fn name(message: &[u8], mut at: usize) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    let mut pointers = 0;
    loop {
        match usize::from(*message.get(at)?) {
            0 => return Some(name),
            len @ 1..=63 => {
                if !name.is_empty() {
                    name.push(b'.');
                }
                message.get(at + 1..at + 1 + len)?.iter().for_each(|&octet| escape(octet, &mut name));
                if name.len() > MAX_NAME {
                    return None;
                }
                at += 1 + len;
            }
            high @ 0xc0.. => {
                at = (high & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                pointers += 1;
                if pointers > MAX_POINTERS {
                    return None;
                }
            }
            _ => return None,
        }
    }
}

/// Appends an octet of a label.
fn escape(octet: u8, name: &mut Vec<u8>) {
    match octet {
        b'"' | b'.' | b';' | b'\\' | b'(' | b')' | b'@' | b'$' => name.extend_from_slice(&[b'\\', octet]),
        b'!'..=b'~' => name.push(octet),
        _ => name.extend_from_slice(format!("\\{octet:03}").as_bytes()),
    }
}

/// Where what follows the name at `at` begins.
fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match usize::from(*message.get(at)?) {
            0 => return Some(at + 1),
            len @ 1..=63 => at += 1 + len,
            0xc0.. => return Some(at + 2),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `www.example.com` is asked for; the answers are an alias by way of pointers, and two addresses.
    const RESPONSE: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x03\x00\x00\x00\x00\
        \x03www\x07example\x03com\x00\x00\x01\x00\x01\
        \xc0\x0c\x00\x05\x00\x01\x00\x00\x0e\x10\x00\x06\x03web\xc0\x10\
        \xc0\x2d\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\xc0\x00\x02\x07\
        \xc0\x2d\x00\x1c\x00\x01\x00\x00\x0e\x10\x00\x10\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01";

    #[test]
    fn questions_and_addresses() {
        let message = Message::read(RESPONSE).unwrap();
        assert_eq!(message.questions, [b"www.example.com"]);
        let addresses: Vec<IpAddr> = message.addresses().collect();
        assert_eq!(addresses, ["192.0.2.7".parse::<IpAddr>().unwrap(), "2001:db8::1".parse().unwrap()]);
        assert_eq!(name(RESPONSE, 0x2d).unwrap(), b"web.example.com");
    }

    #[test]
    fn a_cut_message_gives_what_is_whole() {
        for len in 0..RESPONSE.len() {
            let message = Message::read(&RESPONSE[..len]);
            assert_eq!(message.is_some(), len >= 33, "{len}");
            let addresses = message.map_or(0, |message| message.addresses().count());
            assert_eq!(addresses, usize::from(len >= 67), "{len}");
        }
    }

    #[test]
    fn names_end() {
        for octets in [&b"\x03www\xc0\x00"[..], b"\xc0\x02\xc0\x00", b"\xc0\x00", b"\x80", b"\x03ww"] {
            assert_eq!(name(octets, 0), None, "{}", octets.escape_ascii());
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_looked_at(mut octets in proptest::collection::vec(any::<u8>(), 0..300), near: bool, at in 0_usize..100, value: u8) {
            if near {
                octets = RESPONSE.to_vec();
                octets[at % RESPONSE.len()] = value;
            }
            if let Some(message) = Message::read(&octets) {
                prop_assert!(message.questions.iter().all(|name| name.len() <= MAX_NAME));
                message.addresses().count();
            }
        }
    }
}
