//! Payload as nfdump shows it.

const PER_LINE: usize = 16;

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
