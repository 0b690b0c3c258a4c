//! The hello messages of TLS and SSL 3.0 (RFC 8446 §4.1, RFC 5246 §7.4.1, RFC 6101), and the fingerprints made of
//! them: JA3 and JA3S (MD5) and JA4 (SHA-256).

use super::{take, take_u8, take_u16};
use md5::Md5;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const EC_POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;

/// How many hexadecimal digits of a SHA-256 hash JA4 keeps.
const JA4_DIGITS: usize = 12;

/// A ClientHello or ServerHello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hello<'p> {
    /// It is a ServerHello.
    pub server: bool,
    /// The version of the protocol in the message, such as 0x0303 for TLS 1.2; TLS 1.3 says so elsewhere.
    pub version: u16,
    /// Cipher suites, two octets each; one in a ServerHello.
    ciphers: &'p [u8],
    /// Extensions as they are in the message.
    extensions: &'p [u8],
}

impl<'p> Hello<'p> {
    /// The hello that `payload` begins with; `None` when it begins with anything else or the hello is not whole.
    pub fn read(payload: &'p [u8]) -> Option<Hello<'p>> {
        let mut rest = payload;
        if take_u8(&mut rest)? != HANDSHAKE || take_u8(&mut rest)? != 3 {
            return None;
        }
        // The rest of the version and the length of the record; a hello may be longer than its first record.
        take(&mut rest, 3)?;
        let kind = take_u8(&mut rest)?;
        let len = usize::from(take_u8(&mut rest)?) << 16 | usize::from(take_u16(&mut rest)?);
        let mut body = take(&mut rest, len)?;
        let server = match kind {
            CLIENT_HELLO => false,
            SERVER_HELLO => true,
            _ => return None,
        };
        let version = take_u16(&mut body)?;
        if version >> 8 != 3 {
            return None;
        }
        take(&mut body, 32)?;
        let session_len = take_u8(&mut body)?;
        take(&mut body, session_len.into())?;
        let ciphers_len = if server { 2 } else { take_u16(&mut body)? };
        let ciphers = take(&mut body, ciphers_len.into())?;
        let compressions = if server { 1 } else { take_u8(&mut body)? };
        take(&mut body, compressions.into())?;
        // Old clients send no extensions, and no length of them either.
        let extensions = match take_u16(&mut body) {
            Some(len) => take(&mut body, len.into())?,
            None => &[],
        };
        Some(Hello { server, version, ciphers, extensions })
    }

    /// The name of the host the client asks for (RFC 6066).
    pub fn server_name(&self) -> Option<&'p [u8]> {
        let mut names = self.extension(SERVER_NAME)?;
        take_u16(&mut names)?;
        if take_u8(&mut names)? != 0 {
            return None;
        }
        let len = take_u16(&mut names)?;
        take(&mut names, len.into())
    }

    /// The newest version a client offers, the one a server chose, such as 0x0304 for TLS 1.3.
    pub fn protocol_version(&self) -> u16 {
        let mut versions = self.extension(SUPPORTED_VERSIONS).unwrap_or_default();
        if !self.server {
            versions = versions.get(1..).unwrap_or_default();
        }
        words(versions).max().unwrap_or(self.version)
    }

    /// The JA3 hash of a ClientHello, the JA3S hash of a ServerHello: MD5 over version, cipher suites, extensions,
    /// and, of a client, groups and point formats, without the values of GREASE (RFC 8701).
    pub fn ja3(&self) -> [u8; 16] {
        let mut text = self.version.to_string();
        let mut list = |values: &mut dyn Iterator<Item = u16>| {
            text.push(',');
            for (at, value) in values.enumerate() {
                let dash = if at > 0 { "-" } else { "" };
                let _ = write!(text, "{dash}{value}");
            }
        };
        list(&mut words(self.ciphers));
        list(&mut self.extensions().map(|(kind, _)| kind));
        if !self.server {
            list(&mut words(self.list(SUPPORTED_GROUPS)));
            let formats = self.extension(EC_POINT_FORMATS).and_then(|formats| {
                let (&len, rest) = formats.split_first()?;
                rest.get(..len.into())
            });
            list(&mut formats.unwrap_or_default().iter().map(|&format| format.into()));
        }
        Md5::digest(text).into()
    }

    /// The JA4 fingerprint of a ClientHello over TCP, such as `t13d1516h2_8daaf6152771_e5627efa2ab1`.
    pub fn ja4(&self) -> Option<String> {
        if self.server {
            return None;
        }
        let version = match self.protocol_version() {
            0x0304 => "13",
            0x0303 => "12",
            0x0302 => "11",
            0x0301 => "10",
            0x0300 => "s3",
            _ => "00",
        };
        let mut ciphers: Vec<u16> = words(self.ciphers).collect();
        let mut extensions: Vec<u16> = self.extensions().map(|(kind, _)| kind).collect();
        let named = if extensions.contains(&SERVER_NAME) { 'd' } else { 'i' };
        let [first, last] = self.protocol();
        let mut text = format!(
            "t{version}{named}{:02}{:02}{first}{last}_",
            ciphers.len().min(99),
            extensions.len().min(99)
        );
        ciphers.sort_unstable();
        text += &short_hash(&hex_list(&ciphers));
        extensions.retain(|&kind| kind != SERVER_NAME && kind != ALPN);
        extensions.sort_unstable();
        let mut rest = hex_list(&extensions);
        let signatures: Vec<u16> = words(self.list(SIGNATURE_ALGORITHMS)).collect();
        if !rest.is_empty() && !signatures.is_empty() {
            rest = format!("{rest}_{}", hex_list(&signatures));
        }
        text.push('_');
        text += &short_hash(&rest);
        Some(text)
    }

    /// First and last character of the first application protocol; hexadecimal digits where they are no letters.
    fn protocol(&self) -> [char; 2] {
        let name = self.extension(ALPN).and_then(|list| {
            let (&len, rest) = list.get(2..)?.split_first()?;
            rest.get(..len.into())
        });
        let Some((&[first], &[last])) = name.and_then(|name| name.first_chunk().zip(name.last_chunk()))
        else {
            return ['0', '0'];
        };
        if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
            [first.into(), last.into()]
        } else {
            let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or('0');
            [digit(first >> 4), digit(last & 0xf)]
        }
    }

    /// The extensions with their content, without those of GREASE; up to the first that is not whole.
    fn extensions(&self) -> impl Iterator<Item = (u16, &'p [u8])> {
        let mut rest = self.extensions;
        std::iter::from_fn(move || {
            let kind = take_u16(&mut rest)?;
            let len = take_u16(&mut rest)?;
            Some((kind, take(&mut rest, len.into())?))
        })
        .filter(|&(kind, _)| !is_grease(kind))
    }

    fn extension(&self, wanted: u16) -> Option<&'p [u8]> {
        self.extensions().find(|&(kind, _)| kind == wanted).map(|(_, content)| content)
    }

    /// The content of an extension that is a list behind its length.
    fn list(&self, wanted: u16) -> &'p [u8] {
        let list = self.extension(wanted).and_then(|mut content| {
            let len = take_u16(&mut content)?;
            take(&mut content, len.into())
        });
        list.unwrap_or_default()
    }
}

/// Pairs of octets without the values of GREASE.
fn words(octets: &[u8]) -> impl Iterator<Item = u16> {
    octets.as_chunks().0.iter().map(|pair| u16::from_be_bytes(*pair)).filter(|&value| !is_grease(value))
}

/// Values sent only to keep receivers tolerant: 0x0a0a, 0x1a1a and so on (RFC 8701).
fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

fn hex_list(values: &[u16]) -> String {
    let digits: Vec<String> = values.iter().map(|value| format!("{value:04x}")).collect();
    digits.join(",")
}

/// The first digits of a hash; zeros for nothing.
fn short_hash(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(JA4_DIGITS);
    }
    let hash = Sha256::digest(text);
    hash.iter().take(JA4_DIGITS / 2).fold(String::new(), |mut digits, octet| {
        let _ = write!(digits, "{octet:02x}");
        digits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn prefixed<const N: usize>(content: &[u8]) -> Vec<u8> {
        let len = (content.len() as u32).to_be_bytes();
        [&len[4 - N..], content].concat()
    }

    fn pairs(values: &[u16]) -> Vec<u8> {
        values.iter().flat_map(|value| value.to_be_bytes()).collect()
    }

    fn record(kind: u8, body: &[u8]) -> Vec<u8> {
        let message = [&[kind][..], &prefixed::<3>(body)].concat();
        [&[HANDSHAKE, 3, 1][..], &prefixed::<2>(&message)].concat()
    }

    fn client(version: u16, ciphers: &[u16], extensions: Option<&[(u16, Vec<u8>)]>) -> Vec<u8> {
        let mut body = [&version.to_be_bytes()[..], &[7; 32], &prefixed::<1>(&[9; 32])].concat();
        body.extend(prefixed::<2>(&pairs(ciphers)));
        body.extend(prefixed::<1>(&[0]));
        if let Some(extensions) = extensions {
            let all = extensions
                .iter()
                .flat_map(|(kind, content)| [pairs(&[*kind]), prefixed::<2>(content)].concat());
            body.extend(prefixed::<2>(&all.collect::<Vec<u8>>()));
        }
        record(CLIENT_HELLO, &body)
    }

    /// The example of JA3's description: a client without extensions.
    #[test]
    fn ja3_without_extensions() {
        let payload = client(769, &[4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99], None);
        let hello = Hello::read(&payload).unwrap();
        assert_eq!(u128::from_be_bytes(hello.ja3()), 0xde35_0869_b8c8_5de6_7a35_0c8d_186f_11e6);
        assert_eq!(hello.server_name(), None);
    }

    /// The browser of JA4's description, with GREASE among ciphers, extensions, groups and versions.
    fn browser() -> Vec<u8> {
        let ciphers = [
            0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
            0x9c, 0x9d, 0x2f, 0x35,
        ];
        let name = prefixed::<2>(&[&[0][..], &prefixed::<2>(b"www.example.org")].concat());
        let protocols = prefixed::<2>(&[prefixed::<1>(b"h2"), prefixed::<1>(b"http/1.1")].concat());
        let signatures = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
        let extensions = [
            (0x3a3a, vec![]),
            (0x0000, name),
            (0x0017, vec![]),
            (0xff01, vec![0]),
            (0x000a, prefixed::<2>(&pairs(&[0x4a4a, 29, 23, 24]))),
            (0x000b, prefixed::<1>(&[0])),
            (0x0023, vec![]),
            (0x0010, protocols),
            (0x0005, vec![1, 0, 0, 0, 0]),
            (0x000d, prefixed::<2>(&pairs(&signatures))),
            (0x0012, vec![]),
            (0x0033, vec![0, 0]),
            (0x002d, vec![1, 1]),
            (0x002b, prefixed::<1>(&pairs(&[0x5a5a, 0x0304, 0x0303]))),
            (0x001b, vec![2, 0, 2]),
            (0x4469, vec![0, 0]),
            (0x6a6a, vec![0]),
            (0x0015, vec![0; 20]),
        ];
        client(0x0303, &ciphers, Some(&extensions))
    }

    #[test]
    fn ja3_and_ja4_of_a_browser() {
        let payload = browser();
        let hello = Hello::read(&payload).unwrap();
        assert_eq!(hello.server_name(), Some(&b"www.example.org"[..]));
        assert_eq!((hello.version, hello.protocol_version()), (0x0303, 0x0304));
        assert_eq!(hello.ja4().unwrap(), "t13d1516h2_8daaf6152771_e5627efa2ab1");
        let text = "771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,\
                    0-23-65281-10-11-35-16-5-13-18-51-45-43-27-17513-21,29-23-24,0";
        assert_eq!(hello.ja3(), <[u8; 16]>::from(Md5::digest(text)));
    }

    #[test]
    fn ja3s_of_a_server() {
        let body = [&[3, 3][..], &[7; 32], &[0], &pairs(&[0xc02f]), &[0]].concat();
        let extensions = prefixed::<2>(&[pairs(&[0xff01]), prefixed::<2>(&[0]), pairs(&[0, 0])].concat());
        let payload = record(SERVER_HELLO, &[body, extensions].concat());
        let hello = Hello::read(&payload).unwrap();
        assert!(hello.server);
        assert_eq!(hello.ja3(), <[u8; 16]>::from(Md5::digest("771,49199,65281-0")));
        assert_eq!(hello.ja4(), None);
    }

    #[test]
    fn what_is_no_whole_hello_is_none() {
        let payload = browser();
        assert!((0..payload.len()).all(|len| Hello::read(&payload[..len]).is_none()));
        for (at, value) in [(0, 23), (1, 2), (5, 11), (9, 2)] {
            let mut other = payload.clone();
            other[at] = value;
            assert_eq!(Hello::read(&other), None, "octet {at}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_are_looked_at(mut payload in proptest::collection::vec(any::<u8>(), 0..300), at in 0_usize..600, value: u8) {
            let mut near = browser();
            let len = near.len();
            near[at % len] = value;
            payload.splice(..payload.len().min(6), [HANDSHAKE, 3, 3, 1, 0, CLIENT_HELLO]);
            for payload in [payload, near] {
                if let Some(hello) = Hello::read(&payload) {
                    hello.server_name();
                    hello.ja3();
                    prop_assert!(hello.ja4().is_none_or(|text| text.chars().count() == 36));
                }
            }
        }
    }
}
