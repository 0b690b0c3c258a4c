//! Sections of the footer about what exporters told of themselves: names, and how much they sent.

use super::compress::{Compression, compress, decompress};
use super::cursor::{Cursor, put_varint};
use super::layout::{MAX_LISTED, MAX_NAMES, compression};
use crate::error::Damage;
use flow_model::{ExportedInfo, NameInfo, NameKind};

/// The content of the section for names.
pub(crate) fn names_bytes(names: &[NameInfo], how: Compression) -> Vec<u8> {
    let mut list = Vec::new();
    put_varint(names.len() as u64, &mut list);
    for name in names {
        put_varint(name.exporter.into(), &mut list);
        list.push(name.kind.code());
        put_octets(&name.id, &mut list);
        put_octets(name.name.as_bytes(), &mut list);
    }
    let (code, stored) = compress(&list, how);
    let mut out = vec![code];
    put_varint(list.len() as u64, &mut out);
    out.extend_from_slice(&stored);
    out
}

/// Reads what [`names_bytes`] wrote. Names of a kind that this version does not know are passed over.
pub(crate) fn read_names(content: &[u8]) -> Result<Vec<NameInfo>, Damage> {
    let mut cursor = Cursor::new(content);
    let code = cursor.u8()?;
    let len = cursor.bounded("length of the names", MAX_NAMES)?;
    if code == compression::NONE {
        return list(&mut cursor);
    }
    list(&mut Cursor::new(&decompress(cursor.rest(), code, len)?))
}

fn list(cursor: &mut Cursor<'_>) -> Result<Vec<NameInfo>, Damage> {
    let count = cursor.bounded("count of names", MAX_NAMES)?;
    let mut names = Vec::new();
    for _ in 0..count {
        let exporter = cursor.bounded("exporter number", u16::MAX.into())? as u16;
        let kind = cursor.u8()?;
        let id = octets(cursor)?.to_vec();
        let name = String::from_utf8_lossy(octets(cursor)?).into_owned();
        if let Some(kind) = NameKind::from_code(kind) {
            names.push(NameInfo { exporter, kind, id, name });
        }
    }
    Ok(names)
}

fn put_octets(octets: &[u8], out: &mut Vec<u8>) {
    put_varint(octets.len() as u64, out);
    out.extend_from_slice(octets);
}

fn octets<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Damage> {
    let len = cursor.bounded("length of a name", MAX_NAMES)?;
    cursor.take(len)
}

/// The content of the section for what exporters say they sent.
pub(crate) fn exported_bytes(list: &[ExportedInfo]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(list.len() as u64, &mut out);
    for exported in list {
        for num in [exported.exporter.into(), exported.octets, exported.messages, exported.flows] {
            put_varint(num, &mut out);
        }
    }
    out
}

/// Reads what [`exported_bytes`] wrote.
pub(crate) fn read_exported(content: &[u8]) -> Result<Vec<ExportedInfo>, Damage> {
    let mut cursor = Cursor::new(content);
    let count = cursor.bounded("count of exporters", MAX_LISTED)?;
    let mut list = Vec::new();
    for _ in 0..count {
        list.push(ExportedInfo {
            exporter: cursor.bounded("exporter number", u16::MAX.into())? as u16,
            octets: cursor.varint()?,
            messages: cursor.varint()?,
            flows: cursor.varint()?,
        });
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<NameInfo> {
        let name = |kind, id: &[u8], name: &str| NameInfo {
            exporter: 3,
            kind,
            id: id.to_vec(),
            name: name.to_owned(),
        };
        vec![
            name(NameKind::Interface, &[0, 0, 0, 1], "Gi0/0/1"),
            name(NameKind::InterfaceDescription, &[0, 0, 0, 1], "uplink to Zürich"),
            name(NameKind::Vrf, &[0, 0, 1, 0], ""),
            name(NameKind::Application, &[13, 0, 0, 80], "http"),
            name(NameKind::ApplicationDescription, &[13, 0, 0, 80], &"w".repeat(255)),
        ]
    }

    #[test]
    fn names_come_back_in_every_compression() {
        for how in [Compression::Light, Compression::Lz4, Compression::Zstd(3)] {
            for names in [names(), vec![names(); 100].concat(), Vec::new()] {
                assert_eq!(read_names(&names_bytes(&names, how)), Ok(names));
            }
        }
        let exported = [ExportedInfo { exporter: 3, octets: u64::MAX, messages: 0, flows: 5 }; 2];
        assert_eq!(read_exported(&exported_bytes(&exported)).unwrap(), exported);
    }

    #[test]
    fn a_kind_from_the_future_is_passed_over() {
        let mut octets = names_bytes(&names()[..2], Compression::Light);
        let kind = octets.iter().position(|&octet| octet == 3).unwrap() + 1;
        octets[kind] = 99;
        assert_eq!(read_names(&octets), Ok(names()[1..2].to_vec()));
    }

    #[test]
    fn damaged_sections_are_errors() {
        for how in [Compression::Light, Compression::Lz4] {
            let whole = names_bytes(&vec![names(); 20].concat(), how);
            for len in 0..whole.len() {
                assert!(read_names(&whole[..len]).is_err(), "{len}");
            }
        }
        let exported = exported_bytes(&[ExportedInfo { exporter: 3, octets: 1, messages: 2, flows: 5 }]);
        for len in 0..exported.len() {
            assert!(read_exported(&exported[..len]).is_err(), "{len}");
        }
    }
}
