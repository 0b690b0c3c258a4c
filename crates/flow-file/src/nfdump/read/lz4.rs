//! Decompression of LZ4 blocks that hold records.
//!
//! Flow records are alike, so each becomes a dozen short sequences of a few literals and a match with the records
//! before it, and the lengths of these follow no order. Most of the time goes into wrong guesses of the processor
//! about them: a decoder for data of any kind, such as lz4_flex's, takes another way for matches of more than 18 octets,
//! which every eighth is. Here a sequence of usual lengths is copied without asking for them, in pieces of a fixed size
//! of which the next sequence overwrites what was too much. On a file of nfcapd's this saves an eighth of the time.
//!
//! The format: a sequence is a token, literals, a 16-bit offset back to a match, and the match. The token has the number of
//! literals in its upper four bits and the length of the match, less 4, in its lower ones; 15 says that octets follow which
//! are added, up to one that is not 255. The last sequence ends with its literals.

use super::decompress::Failure;

/// Literals are copied this many at a time, which is as many as a token tells, and one.
const LITERALS: usize = 16;

/// Matches are copied this many octets at a time, once or twice: one in forty is longer.
const PIECE: usize = 32;

/// Octets of the longest sequence of usual lengths: token, literals, offset, one octet of length.
const SEQUENCE: usize = 1 + LITERALS + 2 + 1;

/// The least length of a match.
const LEAST_MATCH: usize = 4;

/// What a token has where octets of length follow.
const MORE: usize = 15;

/// Decompresses a block to the start of `out` and says how long it is.
pub(super) fn decompress(stored: &[u8], out: &mut [u8]) -> Result<usize, Failure> {
    if stored.is_empty() {
        return Err(Failure::Data);
    }
    let (mut read, mut written) = (0, 0);
    while read < stored.len() {
        (read, written) = match usual_sequence(stored, out, read, written) {
            Some(next) => next,
            None => sequence(stored, out, read, written)?,
        };
    }
    Ok(written)
}

/// Decompresses the sequence at `read` to `written`, and says where the next one is and goes to. `None`, and nothing is
/// done that matters, if it is unusual, wrong, or near the end of the input or of the room.
#[inline]
fn usual_sequence(stored: &[u8], out: &mut [u8], read: usize, written: usize) -> Option<(usize, usize)> {
    let octets: &[u8; SEQUENCE] = stored.get(read..read + SEQUENCE)?.first_chunk()?;
    let token = usize::from(octets[0]);
    let (literals, code) = (token >> 4, token & MORE);
    if literals == MORE {
        return None;
    }
    let offset = usize::from(u16::from_le_bytes([octets[1 + literals], octets[2 + literals]]));
    // Always looked at, so that there is nothing to guess.
    let more = usize::from(octets[3 + literals]);
    let len = LEAST_MATCH + code + if code == MORE { more } else { 0 };
    let to = written + literals;
    let from = to.checked_sub(offset)?;
    if len > 2 * PIECE || offset < len {
        return None;
    }
    // What is behind the literals, and then behind the match, is overwritten by what comes next.
    let copied: [u8; LITERALS] = *octets[1..].first_chunk()?;
    *out.get_mut(written..written + LITERALS)?.first_chunk_mut()? = copied;
    copy_piece(out, from, to)?;
    if len > PIECE {
        copy_piece(out, from + PIECE, to + PIECE)?;
    }
    // The carry of the lower bits counts the octet of length.
    Some((read + 3 + ((token + 1) >> 4), to + len))
}

#[inline]
fn copy_piece(out: &mut [u8], from: usize, to: usize) -> Option<()> {
    let piece: [u8; PIECE] = *out.get(from..from + PIECE)?.first_chunk()?;
    *out.get_mut(to..to + PIECE)?.first_chunk_mut()? = piece;
    Some(())
}

/// The same for any sequence. Behind the last one is the end of the input.
#[inline(never)]
fn sequence(
    stored: &[u8],
    out: &mut [u8],
    mut read: usize,
    mut written: usize,
) -> Result<(usize, usize), Failure> {
    let token = usize::from(*stored.get(read).ok_or(Failure::Data)?);
    read += 1;
    let literals = length(stored, &mut read, token >> 4)?;
    let copied = stored.get(read..read + literals).ok_or(Failure::Data)?;
    out.get_mut(written..written + literals).ok_or(Failure::Room)?.copy_from_slice(copied);
    (read, written) = (read + literals, written + literals);
    if read == stored.len() {
        return Ok((read, written));
    }
    let offset = stored.get(read..).and_then(<[u8]>::first_chunk).ok_or(Failure::Data)?;
    let offset = usize::from(u16::from_le_bytes(*offset));
    read += 2;
    if offset == 0 {
        return Err(Failure::Data);
    }
    let len = LEAST_MATCH + length(stored, &mut read, token & MORE)?;
    if len > out.len() - written {
        return Err(Failure::Room);
    }
    let from = written.checked_sub(offset).ok_or(Failure::Data)?;
    // A match that reaches beyond its own start repeats itself; each time twice as much of it is there.
    let mut done = 0;
    while done < len {
        let there = (offset + done).min(len - done);
        out.copy_within(from..from + there, written + done);
        done += there;
    }
    if read >= stored.len() {
        return Err(Failure::Data);
    }
    Ok((read, written + len))
}

/// A length whose first part is in the token.
fn length(stored: &[u8], read: &mut usize, code: usize) -> Result<usize, Failure> {
    let mut len = code;
    if code == MORE {
        loop {
            let more = *stored.get(*read).ok_or(Failure::Data)?;
            *read += 1;
            len += usize::from(more);
            if more != u8::MAX {
                break;
            }
        }
    }
    Ok(len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lz4_flex::block::{DecompressError, compress, decompress_into};
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// What another decoder makes of it.
    fn expected(stored: &[u8], out: &mut [u8]) -> Result<usize, Failure> {
        decompress_into(stored, out).map_err(|error| match error {
            DecompressError::OutputTooSmall { .. } => Failure::Room,
            _ => Failure::Data,
        })
    }

    fn check(stored: &[u8], room: usize) -> Result<usize, Failure> {
        let (mut ours, mut theirs) = (vec![0xaa; room], vec![0xaa; room]);
        let len = decompress(stored, &mut ours);
        assert_eq!(len, expected(stored, &mut theirs), "{stored:?}");
        if let Ok(len) = len {
            assert_eq!(ours[..len], theirs[..len]);
        }
        len
    }

    /// Octets that repeat what came before at several distances and lengths, as records do.
    fn data() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            4 => vec(any::<u8>(), 1..6).prop_map(|literals| (0, 0, literals)),
            8 => (1_usize..400, 4_usize..40).prop_map(|(back, len)| (back, len, Vec::new())),
            1 => (1_usize..4, 4_usize..700).prop_map(|(back, len)| (back, len, Vec::new())),
            1 => vec(any::<u8>(), 10..300).prop_map(|literals| (0, 0, literals)),
        ];
        vec(part, 0..200).prop_map(|parts| {
            let mut data = Vec::new();
            for (back, len, literals) in parts {
                data.extend(literals);
                for _ in 0..if data.is_empty() { 0 } else { len } {
                    data.push(data[data.len().saturating_sub(back)]);
                }
            }
            data
        })
    }

    proptest! {
        #[test]
        fn what_was_compressed_comes_back(data in data(), surplus in 0_usize..100) {
            let stored = compress(&data);
            prop_assert_eq!(check(&stored, data.len() + surplus), Ok(data.len()));
            let mut out = vec![0; data.len() + surplus];
            let _ = decompress(&stored, &mut out);
            prop_assert_eq!(&out[..data.len()], &data[..]);
        }

        #[test]
        fn too_little_room_is_no_damage(data in data(), part in 0_usize..1000) {
            let room = data.len() * part / 1000;
            if room < data.len() {
                prop_assert_eq!(check(&compress(&data), room), Err(Failure::Room));
            }
        }

        #[test]
        fn damage_is_what_another_decoder_takes_for_it(
            data in data(),
            changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
            cut in any::<prop::sample::Index>(),
            room in 0_usize..6000,
        ) {
            let mut stored = compress(&data);
            for (place, octet) in changes {
                let place = place.index(stored.len());
                stored[place] = octet;
            }
            let _ = check(&stored, room);
            let _ = check(&stored[..cut.index(stored.len())], room);
        }

        #[test]
        fn any_octets_are_what_another_decoder_takes_them_for(stored in vec(any::<u8>(), 0..300), room in 0_usize..3000) {
            let _ = check(&stored, room);
        }
    }

    #[test]
    fn sequences_made_by_hand() {
        let decompressed = |stored: &[u8]| {
            let mut out = [0; 64];
            decompress(stored, &mut out).map(|len| out[..len].to_vec())
        };
        assert_eq!(decompressed(&[0x30, b'a', b'b', b'c']), Ok(b"abc".to_vec()));
        assert_eq!(decompressed(&[0x21, b'a', b'b', 2, 0, 0x10, b'c']), Ok(b"abababac".to_vec()));
        assert_eq!(decompressed(&[]), Err(Failure::Data));
        assert_eq!(decompressed(&[0]), Ok(Vec::new()));
        // No literals behind the last match, an offset of 0, one to before the start, lengths that do not end.
        assert_eq!(decompressed(&[0x10, b'a', 1, 0]), Err(Failure::Data));
        assert_eq!(decompressed(&[0x10, b'a', 0, 0, 0]), Err(Failure::Data));
        assert_eq!(decompressed(&[0x10, b'a', 2, 0, 0]), Err(Failure::Data));
        assert_eq!(decompressed(&[0xf0, 255, 255]), Err(Failure::Data));
        assert_eq!(decompressed(&[0x1f, b'a', 1, 0, 255]), Err(Failure::Data));
        assert_eq!(decompressed(&[0x1f, b'a', 1, 0, 44, 0]), Ok(vec![b'a'; 64]));
        assert_eq!(decompressed(&[0x1f, b'a', 1, 0, 45, 0]), Err(Failure::Room));
    }
}
