//! Puts the checksums of a flow file right, by `docs/format.md` alone.

use twox_hash::XxHash3_64;

const BLOCK_HEADER_LEN: usize = 32;
const CHECKSUM_LEN: usize = 8;
const TRAILER_LEN: usize = 32;
const TOTALS: usize = 18;

/// Puts right every checksum that can be found; false if the octets are not laid out as a flow file.
pub(crate) fn resign(file: &mut [u8]) -> bool {
    if !file.starts_with(b"\x89RDF\r\n\x1a\n") {
        return false;
    }
    let header_len = u32_at(file, 12);
    sign_end(file, 0, header_len);
    let mut start = header_len;
    while let Some(header) = file.get(start..start.saturating_add(BLOCK_HEADER_LEN))
        && header.starts_with(b"RDBk")
    {
        let (len, directory_len) = (u64_at(file, start + 8), u32_at(file, start + 16));
        sign_end(file, start, BLOCK_HEADER_LEN);
        let directory = start + BLOCK_HEADER_LEN;
        // Chunks first: their checksums stand in the directory.
        let _ = sign_chunks(file, directory, directory_len);
        sign_end(file, directory, directory_len);
        if len < BLOCK_HEADER_LEN {
            break;
        }
        start = start.saturating_add(len);
    }
    sign_trailer(file);
    true
}

/// Writes the checksum of the octets from `start` into the last eight of `len` octets.
fn sign_end(file: &mut [u8], start: usize, len: usize) {
    let piece = start.checked_add(len).and_then(|end| file.get_mut(start..end));
    if let Some((checked, place)) = piece.and_then(<[u8]>::split_last_chunk_mut::<CHECKSUM_LEN>) {
        *place = XxHash3_64::oneshot(checked).to_le_bytes();
    }
}

/// The checksum in the trailer is of the footer and of the sixteen octets of the trailer before it.
fn sign_trailer(file: &mut [u8]) {
    let Some(trailer) = file.len().checked_sub(TRAILER_LEN) else { return };
    if let Some(footer) = trailer.checked_sub(u32_at(file, trailer)) {
        sign_end(file, footer, trailer + 24 - footer);
    }
}

/// Goes through a directory entry by entry; `None` where it makes no sense any more.
fn sign_chunks(file: &mut [u8], directory: usize, directory_len: usize) -> Option<()> {
    let end = directory.checked_add(directory_len)?;
    let mut at = directory + 1;
    for _ in 0..TOTALS {
        varint(file, &mut at)?;
    }
    let mut chunk = end;
    for _ in 0..varint(file, &mut at)? {
        varint(file, &mut at)?;
        let &[class, _encoding, compression] = file.get(at..)?.first_chunk()?;
        at += 3;
        let len = usize::try_from(varint(file, &mut at)?).ok()?;
        if compression != 0 {
            varint(file, &mut at)?;
        }
        let chunk_end = chunk.checked_add(len)?;
        if len > 0 {
            let sum = XxHash3_64::oneshot(file.get(chunk..chunk_end)?);
            file.get_mut(at..at + CHECKSUM_LEN)?.copy_from_slice(&sum.to_le_bytes());
            at += CHECKSUM_LEN;
        }
        match class {
            0 => {
                varint(file, &mut at)?;
                varint(file, &mut at)?;
            }
            1 => {
                for _ in 0..2 {
                    at += if *file.get(at)? == 4 { 5 } else { 17 };
                }
            }
            _ => {}
        }
        chunk = chunk_end;
    }
    for _ in 0..varint(file, &mut at)? {
        at += 1;
        let len = usize::try_from(varint(file, &mut at)?).ok()?;
        for _ in 0..varint(file, &mut at)? {
            varint(file, &mut at)?;
        }
        sign_end(file, chunk, len);
        chunk = chunk.checked_add(len)?;
    }
    Some(())
}

fn varint(file: &[u8], at: &mut usize) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let octet = *file.get(*at)?;
        *at += 1;
        value |= u64::from(octet & 0x7f) << shift;
        if octet & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn u32_at(file: &[u8], at: usize) -> usize {
    file.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |four| u32::from_le_bytes(*four) as usize)
}

fn u64_at(file: &[u8], at: usize) -> usize {
    let number =
        file.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |eight| u64::from_le_bytes(*eight));
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_file_stays_as_it_is_and_a_spoilt_one_gets_its_checksums_back() {
        let files = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/files");
        for name in ["v1-lz4.flows", "v1-zstd.flows", "v1-unfinished.flows"] {
            let sound = std::fs::read(format!("{files}/{name}")).unwrap();
            let mut signed = sound.clone();
            assert!(resign(&mut signed));
            assert!(signed == sound, "{name}");
            // The checksum of the header, of the first block's header, of its directory, of its first chunk's.
            let header_len = u32_at(&sound, 12);
            let directory_end = header_len + BLOCK_HEADER_LEN + u32_at(&sound, header_len + 16);
            for at in [header_len - 8, header_len + 24, directory_end - 8] {
                signed[at] ^= 1;
            }
            assert!(resign(&mut signed));
            assert!(signed == sound, "{name}");
        }
        assert!(!resign(&mut [0; 100]));
    }
}
