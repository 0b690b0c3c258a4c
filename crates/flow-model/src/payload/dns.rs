//! Messages of the domain name system (RFC 1035).

use super::{be16, take, take_u16};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest name in text, dots included.
const MAX_NAME: usize = 255;
/// The most pointers a name goes through.
const MAX_POINTERS: usize = 16;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;

/// A message whose header and questions are whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'p> {
    /// The names that are asked for, without the dot at the end.
    pub questions: Vec<Vec<u8>>,
    octets: &'p [u8],
    /// Where the records begin that follow the questions.
    records: usize,
    count: usize,
}

impl<'p> Message<'p> {
    /// Reads a message as UDP carries it; over TCP two octets of length stand before it.
    pub fn read(message: &'p [u8]) -> Option<Message<'p>> {
        let count = |at: usize| message.get(at..at + 2).map(|octets| usize::from(be16(octets)));
        let [asked, answers, authorities, additional] = [count(4)?, count(6)?, count(8)?, count(10)?];
        let mut at = 12;
        let mut questions = Vec::new();
        for _ in 0..asked {
            questions.push(name(message, at)?);
            at = after_name(message, at)? + 4;
        }
        let count = answers + authorities + additional;
        (at <= message.len()).then_some(Message { questions, octets: message, records: at, count })
    }

    /// The addresses in the records that follow the questions, up to the first record that is not whole.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        let mut at = self.records;
        let mut next = move || {
            let start = after_name(self.octets, at)?;
            let mut rest = self.octets.get(start..)?;
            let kind = take_u16(&mut rest)?;
            // Class and time to live.
            take(&mut rest, 6)?;
            let len = take_u16(&mut rest)?;
            let content = take(&mut rest, len.into())?;
            at = self.octets.len() - rest.len();
            Some((kind, content))
        };
        (0..self.count).map_while(move |_| next()).filter_map(|(kind, content)| match kind {
            TYPE_A => <[u8; 4]>::try_from(content).ok().map(|octets| Ipv4Addr::from(octets).into()),
            TYPE_AAAA => <[u8; 16]>::try_from(content).ok().map(|octets| Ipv6Addr::from(octets).into()),
            _ => None,
        })
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
                name.extend_from_slice(message.get(at + 1..at + 1 + len)?);
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
