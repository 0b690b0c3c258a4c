//! Payload as nfdump shows it.

use crate::text::printable;
use flow_model::payload::dns::{Reader, Record};
use flow_model::payload::tls::Hello;

const PER_LINE: usize = 16;

/// The version of TLS that a hello agrees to; `0` when the payload is none.
pub(crate) fn tls_version(payload: &[u8]) -> String {
    match Hello::read(payload).map(|hello| hello.protocol_version()) {
        None => "0".to_owned(),
        Some(0x0002) => "SSL 2".to_owned(),
        Some(0x0300) => "SSL 3".to_owned(),
        Some(version @ 0x0301..=0x0304) => format!("TLS 1.{}", version - 0x0301),
        Some(version) => format!("0x{version:04x}"),
    }
}

/// The host name that a TLS hello asks for; empty when there is none.
pub(crate) fn server_name(payload: &[u8]) -> &[u8] {
    Hello::read(payload).and_then(|hello| hello.server_name()).unwrap_or_default()
}

fn hash(hello: &Hello<'_>) -> String {
    format!("{:032x}", u128::from_be_bytes(hello.ja3()))
}

/// What `raw` says about a hello of TLS: its hash and the host name.
pub(crate) fn write_hello(out: &mut Vec<u8>, payload: &[u8]) {
    let Some(hello) = Hello::read(payload) else { return };
    out.extend_from_slice(if hello.server { b"  ja3s hash    = " } else { b"  ja3 hash     = " });
    out.extend_from_slice(hash(&hello).as_bytes());
    out.push(b'\n');
    if let Some(name) = hello.server_name() {
        out.extend_from_slice(b"  sni name     = ");
        out.extend(printable(name));
        out.push(b'\n');
    }
}

/// What `raw` says about a message of the domain name system: each question, and each answer, up to the first that is not
/// whole.
pub(crate) fn write_dns(out: &mut Vec<u8>, message: &[u8]) {
    let Some(mut reader) = Reader::new(message) else {
        return out.extend_from_slice(b"DNS: <Short packet>\n");
    };
    for index in 0..reader.asked {
        if reader.is_at_end() {
            break;
        }
        let Some(question) = reader.question() else {
            return out.extend_from_slice(b"DNS query: decoding failed!\n");
        };
        dns_entry(out, "Query", index, &question.name);
        out.extend_from_slice(format!("type: {}, ", dns_type(question.kind)).as_bytes());
        out.extend_from_slice(format!("class: {}\n", question.class).as_bytes());
    }
    for index in 0..reader.answers {
        if reader.is_at_end() {
            break;
        }
        let Some(record) = reader.record() else {
            return out.extend_from_slice(b"DNS answer: decoding failed!\n");
        };
        let Record { kind, class, ttl, content, .. } = &record;
        dns_entry(out, "Answer", index, &record.name);
        let about =
            format!(" Type: {}, class: {class}, ttl: {ttl}, len: {} ", dns_type(*kind), content.len());
        out.extend_from_slice(about.as_bytes());
        dns_content(out, &record);
        out.push(b'\n');
    }
}

fn dns_entry(out: &mut Vec<u8>, what: &str, index: usize, name: &[u8]) {
    out.extend_from_slice(format!("DNS {what} {index}: ").as_bytes());
    out.extend_from_slice(name);
    out.push(b' ');
}

fn dns_content(out: &mut Vec<u8>, record: &Record<'_>) {
    let content = record.content;
    match record.kind {
        2 | 5 | 6 => {
            out.extend_from_slice(format!("{}: ", dns_type(record.kind)).as_bytes());
            out.extend_from_slice(&record.target().unwrap_or_default());
        }
        1 | 28 => {
            if let Some(addr) = record.address() {
                out.extend_from_slice(format!("{}: {addr}", dns_type(record.kind)).as_bytes());
            }
        }
        16 => {
            out.extend_from_slice(b"TXT: ");
            if let Some((&len, text)) = content.split_first() {
                out.extend(printable(&text[..text.len().min(len.into())]));
            }
        }
        46 => out.extend_from_slice(b"RRSIG: <Signature for a DNSSEC-secured record>"),
        kind => out.extend_from_slice(format!("<unkn> {kind}").as_bytes()),
    }
}

/// The type of a record, by name where nfdump has one.
fn dns_type(kind: u16) -> String {
    let name = match kind {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        15 => "MX",
        16 => "TXT",
        28 => "AAAA",
        29 => "LOC",
        _ => return kind.to_string(),
    };
    name.to_owned()
}

/// Appends a payload: as text when it is nothing else, otherwise as a dump of 16 octets a line. Either ends
/// with a line break, which stands alone for an empty payload.
pub(crate) fn write(out: &mut Vec<u8>, payload: &[u8]) {
    if is_text(payload) {
        out.extend_from_slice(payload);
        out.push(b'\n');
    } else {
        dump(out, payload);
    }
}

/// Whether a payload is shown as text: printable ASCII and white space.
pub(crate) fn is_text(payload: &[u8]) -> bool {
    payload.iter().all(|octet| matches!(octet, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
}

/// Appends octets in hexadecimal and as text, 16 a line.
pub(crate) fn dump(out: &mut Vec<u8>, payload: &[u8]) {
    for line in payload.chunks(PER_LINE) {
        for index in 0..PER_LINE {
            if index == PER_LINE / 2 {
                out.push(b' ');
            }
            match line.get(index) {
                Some(octet) => out.extend_from_slice(&[digit(octet >> 4), digit(octet & 15), b' ']),
                None => out.extend_from_slice(b"   "),
            }
        }
        out.extend_from_slice(b" |  ");
        out.extend(
            line.iter().map(|&octet| if octet.is_ascii_graphic() || octet == b' ' { octet } else { b'.' }),
        );
        out.extend_from_slice(b" \n");
    }
}

fn digit(value: u8) -> u8 {
    b"0123456789ABCDEF"[usize::from(value & 15)]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ServerHello's hash is what nfdump 1.7.1 prints.
    #[test]
    fn hellos_of_tls_are_told() {
        let hello = b"\x16\x03\x03\x00\x37\x02\x00\x00\x33\x03\x03\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\
            \x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x07\x00\xc0\x2f\x00\x00\x0b\xff\x01\x00\x01\x00\
            \x00\x0b\x00\x02\x01\x00";
        let mut out = Vec::new();
        write_hello(&mut out, hello);
        assert_eq!(String::from_utf8(out).unwrap(), "  ja3s hash    = 303951d4c50efb2e991652225a6f02b1\n");
        assert_eq!(server_name(hello), b"");
    }

    /// A message that answers with an alias, an address of each family, a text, and what has no name here.
    const MESSAGE: &[u8] = b"\x12\x34\x81\x80\x00\x01\x00\x06\x00\x00\x00\x00\
        \x03www\x07example\x03com\x00\x00\x01\x00\x01\
        \xc0\x0c\x00\x05\x00\x01\x00\x00\x0e\x10\x00\x06\x03web\xc0\x10\
        \xc0\x2d\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\xc0\x00\x02\x07\
        \xc0\x2d\x00\x1c\x00\x01\x00\x00\x0e\x10\x00\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\
        \xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x06\x03a\tbxy\
        \xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x05\x00\x0a\x01m\x00\
        \xc0\x0c\x00\x2e\x00\x01\x00\x00\x00\x3c\x00\x01\xff";

    fn dns(message: &[u8]) -> String {
        let mut out = Vec::new();
        write_dns(&mut out, message);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn messages_of_the_domain_name_system_are_put_into_words() {
        let expected = "DNS Query 0: www.example.com type: A, class: 1\n\
            DNS Answer 0: www.example.com  Type: CNAME, class: 1, ttl: 3600, len: 6 CNAME: web.example.com\n\
            DNS Answer 1: web.example.com  Type: A, class: 1, ttl: 3600, len: 4 A: 192.0.2.7\n\
            DNS Answer 2: web.example.com  Type: AAAA, class: 1, ttl: 3600, len: 16 AAAA: 2001:db8::1\n\
            DNS Answer 3: www.example.com  Type: TXT, class: 1, ttl: 60, len: 6 TXT: a.b\n\
            DNS Answer 4: www.example.com  Type: MX, class: 1, ttl: 60, len: 5 <unkn> 15\n\
            DNS Answer 5: www.example.com  Type: 46, class: 1, ttl: 60, len: 1 \
            RRSIG: <Signature for a DNSSEC-secured record>\n";
        assert_eq!(dns(MESSAGE), expected);
    }

    #[test]
    fn of_a_cut_message_what_is_whole_is_said() {
        let whole = dns(MESSAGE);
        assert_eq!(dns(&MESSAGE[..11]), "DNS: <Short packet>\n");
        assert_eq!(dns(&MESSAGE[..12]), "");
        assert_eq!(dns(&MESSAGE[..20]), "DNS query: decoding failed!\n");
        for len in 33..MESSAGE.len() {
            let said = dns(&MESSAGE[..len]);
            let said = said.strip_suffix("DNS answer: decoding failed!\n").unwrap_or(&said);
            assert!(whole.starts_with(said) && said.ends_with('\n'), "{len}: {said}");
        }
    }

    #[test]
    fn text_stays_text_and_octets_are_dumped() {
        let mut out = Vec::new();
        write(&mut out, b"");
        write(&mut out, b"GET /\r\n");
        write(&mut out, b"GET / HTTP/1.1\r\n\x1bo");
        let expected = "\nGET /\r\n\n\
            47 45 54 20 2F 20 48 54  54 50 2F 31 2E 31 0D 0A  |  GET / HTTP/1.1.. \n\
            1B 6F                                             |  .o \n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
