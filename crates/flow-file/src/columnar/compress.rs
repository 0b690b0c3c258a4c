//! General compression of a chunk, where it pays.

use super::layout::compression;
use super::scratch::Scratch;
use crate::error::Damage;
use std::borrow::Cow;

/// How the chunks of a file may be compressed beyond their encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all: fastest to read.
    Light,
    /// With LZ4, chunks that get an eighth smaller by it.
    #[default]
    Lz4,
    /// With zstd of this level, chunks that get a sixteenth smaller by it: for archives.
    Zstd(i32),
}

impl Compression {
    /// The code and the level in the file header.
    pub(crate) fn code(self) -> (u8, i8) {
        match self {
            Compression::Light => (compression::NONE, 0),
            Compression::Lz4 => (compression::LZ4, 0),
            Compression::Zstd(level) => {
                (compression::ZSTD, level.clamp(i8::MIN.into(), i8::MAX.into()) as i8)
            }
        }
    }

    /// What code and level in a file header stand for; LZ4 for what this version does not know.
    pub(crate) fn from_code(code: u8, level: i8) -> Compression {
        match code {
            compression::NONE => Compression::Light,
            compression::ZSTD => Compression::Zstd(level.into()),
            _ => Compression::Lz4,
        }
    }
}

/// Compresses `chunk` if that pays, and gives the code of what was done.
pub(crate) fn compress(chunk: &[u8], how: Compression) -> (u8, Cow<'_, [u8]>) {
    let plain = (compression::NONE, Cow::Borrowed(chunk));
    if chunk.len() < MIN_LEN {
        return plain;
    }
    match how {
        Compression::Light => plain,
        Compression::Lz4 => {
            if let Some(sample) = chunk.get(chunk.len() / 2..).and_then(|half| half.first_chunk::<SAMPLE>())
                && chunk.len() > 4 * SAMPLE
                && lz4_flex::block::compress(sample).len() > SAMPLE - SAMPLE / 16
            {
                return plain;
            }
            let compressed = lz4_flex::block::compress(chunk);
            if compressed.len() <= chunk.len() - chunk.len() / 8 {
                (compression::LZ4, Cow::Owned(compressed))
            } else {
                plain
            }
        }
        Compression::Zstd(level) => match zstd::bulk::compress(chunk, level) {
            Ok(compressed) if compressed.len() <= chunk.len() - chunk.len() / 16 => {
                (compression::ZSTD, Cow::Owned(compressed))
            }
            _ => plain,
        },
    }
}

/// The `len` octets that were compressed into `stored`. The caller has bounded `len`; here the data must agree with it
/// before memory is taken.
pub(crate) fn decompress(stored: &[u8], code: u8, len: usize) -> Result<Scratch<u8>, Damage> {
    let (name, possible) = match code {
        compression::LZ4 => ("LZ4", len / LZ4_RATIO <= stored.len()),
        compression::ZSTD => {
            let size = zstd::zstd_safe::get_frame_content_size(stored);
            ("zstd", matches!(size, Ok(Some(size)) if size == len as u64))
        }
        _ => return Err(Damage::Unknown { what: "compression", found: code.into() }),
    };
    if !possible {
        return Err(Damage::Compressed(name));
    }
    let mut out = Scratch::new();
    out.resize(len, 0);
    let written = match code {
        compression::LZ4 => lz4_flex::block::decompress_into(stored, &mut out).ok(),
        _ => zstd::bulk::decompress_to_buffer(stored, &mut out[..]).ok(),
    };
    if written == Some(len) { Ok(out) } else { Err(Damage::Compressed(name)) }
}

/// Chunks shorter than this are not worth the header of a compressed one.
const MIN_LEN: usize = 64;

/// An octet of LZ4 data stands for at most 255 octets.
const LZ4_RATIO: usize = 256;

/// LZ4 is tried on so many octets of a long chunk first, because most packed chunks do not compress and trying the
/// whole chunk costs more than packing it.
const SAMPLE: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compressed_comes_back_and_what_does_not_pay_is_left() {
        let repetitive = b"nfcapd".repeat(5000);
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(30_000)
        .collect();
        for how in [Compression::Lz4, Compression::Zstd(3)] {
            let (code, stored) = compress(&repetitive, how);
            assert_ne!(code, compression::NONE);
            assert_eq!(**decompress(&stored, code, repetitive.len()).unwrap(), repetitive);
            assert!(decompress(&stored, code, repetitive.len() - 1).is_err());
            assert!(decompress(&stored[1..], code, repetitive.len()).is_err());
            assert_eq!(compress(&noise, how).0, compression::NONE);
        }
        assert_eq!(compress(&repetitive, Compression::Light).0, compression::NONE);
    }
}
