//! Payload as nfdump shows it.

use crate::text::printable;
use flow_model::payload::tls::Hello;

const PER_LINE: usize = 16;

/// The JA3 hash of a payload in hexadecimal: nothing without payload, `ja3 error` when it is no hello of TLS.
pub(crate) fn ja3(payload: &[u8]) -> String {
    match Hello::read(payload) {
        Some(hello) => hash(&hello),
        None if payload.is_empty() => String::new(),
        None => "ja3 error".to_owned(),
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
        assert_eq!(ja3(hello), "303951d4c50efb2e991652225a6f02b1");
        assert_eq!((ja3(b"SSH-2.0"), ja3(b"")), ("ja3 error".to_owned(), String::new()));
        assert_eq!(server_name(hello), b"");
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
