//! Asking one name server for the addresses of a host (RFC 1035): `-D`.
//!
//! The system's resolver cannot be told which server to ask. What a filter needs is two questions, so this is all there
//! is: no search list, no cache, no recursion of our own.

use std::hash::{BuildHasher, RandomState};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::{Duration, Instant};

/// The port of name servers.
const PORT: u16 = 53;

/// How often a question is asked, and how long an answer may take each time.
const ATTEMPTS: u32 = 3;
const PATIENCE: Duration = Duration::from_millis(1_500);

/// The longest answer over UDP without extensions (RFC 1035, 4.2.1) is 512 octets; some servers send more.
const MAX_DATAGRAM: usize = 4_096;

/// The two kinds of record that hold an address, and the class of the Internet.
const A: u16 = 1;
const AAAA: u16 = 28;
const INTERNET: u16 = 1;

/// Octets of the header of a message, and of the fixed part of a record behind its name.
const HEADER_LEN: usize = 12;
const RECORD_LEN: usize = 10;

/// A name server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NameServer(SocketAddr);

impl NameServer {
    /// The server called `text`: an address or a name, with `:PORT` behind it where it is not 53.
    ///
    /// # Errors
    /// When the name has no address.
    pub(crate) fn find(text: &str) -> io::Result<NameServer> {
        let addr = match (text.parse::<IpAddr>(), text.parse::<SocketAddr>()) {
            (Ok(addr), _) => Some(SocketAddr::new(addr, PORT)),
            (_, Ok(addr)) => Some(addr),
            _ if text.contains(':') => text.to_socket_addrs()?.next(),
            _ => (text, PORT).to_socket_addrs()?.next(),
        };
        addr.map(NameServer).ok_or_else(|| io::Error::new(ErrorKind::NotFound, "no address"))
    }

    /// Every address of a host.
    ///
    /// # Errors
    /// When the server does not answer in time, says that it does not know, or the name cannot be asked for.
    pub(crate) fn addresses_of(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let mut found = Vec::new();
        for kind in [A, AAAA] {
            // Nobody who does not see the question can guess the number its answer must carry.
            let id = RandomState::new().hash_one(name) as u16;
            let question = question(id, name, kind).ok_or("not a host name")?;
            let reply = self.ask(&question).map_err(|error| match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => format!("no answer from {}", self.0),
                _ => format!("asking {}: {}", self.0, crate::filter::plain(&error)),
            })?;
            found.extend(addresses(&reply, kind)?);
        }
        Ok(found)
    }

    fn ask(&self, question: &[u8]) -> io::Result<Vec<u8>> {
        let local: SocketAddr = match self.0 {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(local)?;
        socket.connect(self.0)?;
        let mut reply = vec![0; MAX_DATAGRAM];
        for _ in 0..ATTEMPTS {
            socket.send(question)?;
            let deadline = Instant::now() + PATIENCE;
            // A timeout of 0 would mean to wait for ever.
            while let Some(left) =
                deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            {
                socket.set_read_timeout(Some(left))?;
                match socket.recv(&mut reply) {
                    Ok(len) if answers(&reply[..len], question) => {
                        reply.truncate(len);
                        let truncated = reply[2] & 0x02 != 0;
                        return if truncated { self.ask_over_tcp(question) } else { Ok(reply) };
                    }
                    Ok(_) => {}
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Err(ErrorKind::TimedOut.into())
    }

    /// The same over TCP, where a length of two octets stands before each message: for answers that do not fit a
    /// datagram.
    fn ask_over_tcp(&self, question: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&self.0, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.write_all(&(question.len() as u16).to_be_bytes())?;
        stream.write_all(question)?;
        let mut len = [0; 2];
        stream.read_exact(&mut len)?;
        let mut reply = vec![0; usize::from(u16::from_be_bytes(len))];
        stream.read_exact(&mut reply)?;
        if answers(&reply, question) { Ok(reply) } else { Err(ErrorKind::InvalidData.into()) }
    }
}

/// A message that asks for records of one kind; `None` when `name` is not a name (RFC 1035, 2.3.4 and 3.1).
fn question(id: u16, name: &str, kind: u16) -> Option<Vec<u8>> {
    const RECURSION_DESIRED: u16 = 0x0100;
    const MAX_NAME: usize = 255;
    let mut message = Vec::new();
    for word in [id, RECURSION_DESIRED, 1, 0, 0, 0] {
        message.extend_from_slice(&word.to_be_bytes());
    }
    for label in name.trim_end_matches('.').split('.') {
        let len = u8::try_from(label.len()).ok().filter(|len| (1..=63).contains(len))?;
        message.push(len);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    if message.len() > HEADER_LEN + MAX_NAME {
        return None;
    }
    for word in [kind, INTERNET] {
        message.extend_from_slice(&word.to_be_bytes());
    }
    Some(message)
}

/// Whether `reply` answers `question`: a response with its number and the question repeated.
fn answers(reply: &[u8], question: &[u8]) -> bool {
    reply.len() >= question.len()
        && reply[..2] == question[..2]
        && reply[2] & 0x80 != 0
        && reply[HEADER_LEN..question.len()].eq_ignore_ascii_case(&question[HEADER_LEN..])
}

/// The addresses in the answer section of `reply`, which repeats its question. Names that stand for others (CNAME)
/// come before the addresses they lead to.
fn addresses(reply: &[u8], kind: u16) -> Result<Vec<IpAddr>, String> {
    let truncated = || "a broken answer".to_string();
    match reply.get(3).map(|flags| flags & 0x0f) {
        Some(0) => {}
        Some(2) => return Err("the name server failed".to_string()),
        Some(3) => return Err("no such name".to_string()),
        Some(5) => return Err("the name server refused to answer".to_string()),
        Some(code) => return Err(format!("the name server answered with error {code}")),
        None => return Err(truncated()),
    }
    let count = word(reply, 6).ok_or_else(truncated)?;
    let mut at = skip_name(reply, HEADER_LEN).ok_or_else(truncated)? + 4;
    let mut found = Vec::new();
    for _ in 0..count {
        at = skip_name(reply, at).ok_or_else(truncated)?;
        let (record_kind, len) =
            (word(reply, at).ok_or_else(truncated)?, word(reply, at + RECORD_LEN - 2).ok_or_else(truncated)?);
        let data = reply.get(at + RECORD_LEN..).and_then(|rest| rest.get(..usize::from(len)));
        let data = data.ok_or_else(truncated)?;
        match (record_kind, <[u8; 4]>::try_from(data), <[u8; 16]>::try_from(data)) {
            (A, Ok(octets), _) if kind == A => found.push(Ipv4Addr::from(octets).into()),
            (AAAA, _, Ok(octets)) if kind == AAAA => found.push(Ipv6Addr::from(octets).into()),
            _ => {}
        }
        at += RECORD_LEN + data.len();
    }
    Ok(found)
}

/// Where what follows a name begins: a name ends with an empty label or with a pointer to its rest.
fn skip_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            len @ 1..=63 => at += 1 + usize::from(len),
            0xc0.. => return message.get(at + 1).map(|_| at + 2),
            _ => return None,
        }
    }
}

fn word(message: &[u8], at: usize) -> Option<u16> {
    message.get(at..at + 2).map(|octets| u16::from_be_bytes([octets[0], octets[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::thread;

    /// An answer to `question` with these records, each under a pointer to the question's name.
    fn reply(question: &[u8], flags: u16, records: &[(u16, &[u8])]) -> Vec<u8> {
        let mut message = question[..2].to_vec();
        for word in [0x8180 | flags, 1, records.len() as u16, 0, 0] {
            message.extend_from_slice(&word.to_be_bytes());
        }
        message.extend_from_slice(&question[HEADER_LEN..]);
        for (kind, data) in records {
            message.extend_from_slice(&[0xc0, 0x0c]);
            message.extend_from_slice(&kind.to_be_bytes());
            message.extend_from_slice(&[0, 1, 0, 0, 0, 60]);
            message.extend_from_slice(&(data.len() as u16).to_be_bytes());
            message.extend_from_slice(data);
        }
        message
    }

    fn kind_of(question: &[u8]) -> u16 {
        word(question, question.len() - 4).unwrap()
    }

    /// A server that gives each datagram what `answer` makes of it, until nobody asks for a while.
    fn server(
        answer: impl Fn(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
    ) -> (NameServer, thread::JoinHandle<()>) {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(2 * PATIENCE)).unwrap();
        let found = NameServer::find(&socket.local_addr().unwrap().to_string()).unwrap();
        let serving = thread::spawn(move || {
            let mut datagram = [0; 512];
            while let Ok((len, from)) = socket.recv_from(&mut datagram) {
                for reply in answer(&datagram[..len]) {
                    socket.send_to(&reply, from).unwrap();
                }
            }
        });
        (found, serving)
    }

    #[test]
    fn a_question_has_labels_and_ends() {
        let asked = question(0x1234, "www.example.", AAAA).unwrap();
        assert_eq!(asked, b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x03www\x07example\0\0\x1c\0\x01");
        for wrong in ["", ".", "a..b", &"x".repeat(64), &"abcdefgh.".repeat(40)] {
            assert_eq!(question(1, wrong, A), None, "{wrong}");
        }
    }

    #[test]
    fn all_addresses_of_both_families_are_found() {
        let (server, serving) = server(|question| {
            let stranger = reply(&[b"xx", &question[2..]].concat(), 0, &[(A, &[6, 6, 6, 6])]);
            let answer = match kind_of(question) {
                A => reply(question, 0, &[(5, b"\x01a\0"), (A, &[10, 0, 0, 1]), (A, &[10, 0, 0, 2])]),
                _ => reply(question, 0, &[(AAAA, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])]),
            };
            vec![b"short".to_vec(), stranger, answer]
        });
        let expected: Vec<IpAddr> =
            ["10.0.0.1", "10.0.0.2", "2001:db8::1"].map(|addr| addr.parse().unwrap()).to_vec();
        assert_eq!(server.addresses_of("www.example"), Ok(expected));
        serving.join().unwrap();
    }

    #[test]
    fn refusals_and_silence_are_told_apart() {
        let (knows_nothing, serving) = server(|question| vec![reply(question, 3, &[])]);
        assert_eq!(knows_nothing.addresses_of("nosuch.example"), Err("no such name".to_string()));
        assert_eq!(knows_nothing.addresses_of("a..b"), Err("not a host name".to_string()));
        serving.join().unwrap();
        let (silent, serving) = server(|_| Vec::new());
        let error = silent.addresses_of("www.example").unwrap_err();
        assert!(error.starts_with("no answer from 127.0.0.1:"), "{error}");
        serving.join().unwrap();
    }

    #[test]
    fn long_answers_come_over_tcp() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let addr = listener.local_addr().unwrap();
        let socket = UdpSocket::bind(addr).unwrap();
        let serving = thread::spawn(move || {
            for _ in [A, AAAA] {
                let mut datagram = [0; 512];
                let (len, from) = socket.recv_from(&mut datagram).unwrap();
                socket.send_to(&reply(&datagram[..len], 0x0200, &[]), from).unwrap();
                let (mut stream, _) = listener.accept().unwrap();
                let mut asked = vec![0; len + 2];
                stream.read_exact(&mut asked).unwrap();
                let records = vec![(kind_of(&asked), &[10, 0, 0, 9][..]); 300];
                let answer = reply(&asked[2..], 0, &records);
                stream.write_all(&(answer.len() as u16).to_be_bytes()).unwrap();
                stream.write_all(&answer).unwrap();
            }
        });
        let found = NameServer(addr).addresses_of("many.example").unwrap();
        assert_eq!(found, vec![IpAddr::from([10, 0, 0, 9]); 300]);
        serving.join().unwrap();
    }

    #[test]
    fn broken_answers_are_errors() {
        let asked = question(7, "a.b", A).unwrap();
        let whole = reply(&asked, 0, &[(A, &[1, 2, 3, 4])]);
        assert_eq!(addresses(&whole, A).unwrap().len(), 1);
        for len in asked.len()..whole.len() {
            assert!(addresses(&whole[..len], A).is_err(), "{len}");
        }
        let mut endless = whole.clone();
        endless[asked.len()] = 0x80;
        assert!(addresses(&endless, A).is_err());
    }
}
