//! Decompression of blocks, whose size nobody knows beforehand.

use crate::error::Damage;

/// How the blocks of a file are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    None,
    Lzo,
    Bz2,
    Lz4,
    Zstd,
}

/// The most octets a block may hold, compressed or not: what nfdump's own readers have room for.
pub(crate) const MAX_BLOCK_LEN: usize = 5 << 20;

/// What blocks hold at most in practice: writers start a new one at 1 MiB, since 1.7.2 at 2 MiB.
const USUAL_BLOCK_LEN: usize = 2 << 20;

/// Octets behind the data that can be read and mean nothing, so that a number of any width can be read as 64 bits.
pub(crate) const PADDING: usize = 8;

impl Method {
    /// What a code in a header of layout 2 stands for.
    pub(crate) fn from_code(code: u8) -> Result<Method, Damage> {
        Ok(match code {
            0 => Method::None,
            1 => Method::Lzo,
            2 => Method::Bz2,
            3 => Method::Lz4,
            4 => Method::Zstd,
            code => return Err(Damage::Unknown { what: "compression", found: code.into() }),
        })
    }

    /// The flag of layout 1 that stands for this; layout 1 knows no zstd.
    pub(crate) fn flag(self) -> u32 {
        match self {
            Method::None | Method::Zstd => 0,
            Method::Lzo => 1,
            Method::Bz2 => 8,
            Method::Lz4 => 16,
        }
    }

    /// What the flags in a header of layout 1 say.
    pub(crate) fn from_flags(flags: u32) -> Method {
        let methods = [Method::Lzo, Method::Bz2, Method::Lz4];
        methods.into_iter().find(|method| flags & method.flag() != 0).unwrap_or(Method::None)
    }

    fn name(self) -> &'static str {
        match self {
            Method::None => "uncompressed",
            Method::Lzo => "LZO",
            Method::Bz2 => "bzip2",
            Method::Lz4 => "LZ4",
            Method::Zstd => "zstd",
        }
    }

    /// Decompresses a block to the start of `out`, which is made long enough for it and the [`PADDING`] behind, and says
    /// how long it is. What `out` held before does not matter; its length is never reduced, because clearing memory
    /// that is overwritten at once would cost a tenth of the decompression.
    pub(crate) fn decompress(self, stored: &[u8], out: &mut Vec<u8>) -> Result<usize, Damage> {
        let mut room = match self {
            Method::None => stored.len(),
            _ => USUAL_BLOCK_LEN,
        };
        loop {
            if out.len() < room + PADDING {
                // New memory comes cleared; what there was is not needed.
                *out = vec![0; room + PADDING];
            }
            let room_there = (out.len() - PADDING).min(MAX_BLOCK_LEN);
            match self.try_decompress(stored, &mut out[..room_there]) {
                Ok(len) => {
                    out[len..len + PADDING].fill(0);
                    return Ok(len);
                }
                Err(Failure::Room) if room_there < MAX_BLOCK_LEN => room = MAX_BLOCK_LEN,
                Err(Failure::Room) => {
                    let limit = MAX_BLOCK_LEN as u64;
                    return Err(Damage::TooLarge { what: "decompressed size", found: limit + 1, limit });
                }
                Err(Failure::Data) => return Err(Damage::Compressed(self.name())),
            }
        }
    }

    fn try_decompress(self, stored: &[u8], out: &mut [u8]) -> Result<usize, Failure> {
        match self {
            Method::None => {
                out.get_mut(..stored.len()).ok_or(Failure::Room)?.copy_from_slice(stored);
                Ok(stored.len())
            }
            Method::Lzo => lzokay::decompress::decompress(stored, out).map_err(|error| match error {
                lzokay::Error::OutputOverrun => Failure::Room,
                _ => Failure::Data,
            }),
            Method::Bz2 => bunzip2(stored, out),
            Method::Lz4 => lz4_flex::block::decompress_into(stored, out).map_err(|error| match error {
                lz4_flex::block::DecompressError::OutputTooSmall { .. } => Failure::Room,
                _ => Failure::Data,
            }),
            Method::Zstd => {
                let announced = zstd::zstd_safe::get_frame_content_size(stored).map_err(|_| Failure::Data)?;
                if announced.is_some_and(|len| len > out.len() as u64) {
                    return Err(Failure::Room);
                }
                zstd::bulk::decompress_to_buffer(stored, out).map_err(|_| match announced {
                    // The reason is hidden in a text; with all the room there can be, it is the data.
                    None if out.len() < MAX_BLOCK_LEN => Failure::Room,
                    _ => Failure::Data,
                })
            }
        }
    }
}

enum Failure {
    /// The data needs more room, if it is sound.
    Room,
    Data,
}

fn bunzip2(stored: &[u8], out: &mut [u8]) -> Result<usize, Failure> {
    let mut stream = bzip2::Decompress::new(false);
    loop {
        let (read, written) = (stream.total_in() as usize, stream.total_out() as usize);
        let status = stream.decompress(&stored[read..], &mut out[written..]).map_err(|_| Failure::Data)?;
        let advanced = stream.total_in() as usize > read || stream.total_out() as usize > written;
        match status {
            bzip2::Status::StreamEnd => return Ok(stream.total_out() as usize),
            // A stream that ends early would be waited for endlessly.
            _ if advanced => {}
            _ if stream.total_out() as usize == out.len() => return Err(Failure::Room),
            _ => return Err(Failure::Data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn compressed(data: &[u8]) -> [(Method, Vec<u8>); 5] {
        let mut bz2 = Vec::new();
        bzip2::read::BzEncoder::new(data, bzip2::Compression::best()).read_to_end(&mut bz2).unwrap();
        [
            (Method::None, data.to_vec()),
            (Method::Lzo, lzokay::compress::compress(data).unwrap()),
            (Method::Bz2, bz2),
            (Method::Lz4, lz4_flex::block::compress(data)),
            (Method::Zstd, zstd::bulk::compress(data, 3).unwrap()),
        ]
    }

    #[test]
    fn every_method_comes_back_into_memory_that_serves_again() {
        let mut out = Vec::new();
        for len in [1, 100, 1 << 20, USUAL_BLOCK_LEN + 1, 7, MAX_BLOCK_LEN] {
            let data: Vec<u8> = (0..len).map(|at| (at / 7 % 251) as u8).collect();
            for (method, stored) in compressed(&data) {
                assert_eq!(method.decompress(&stored, &mut out), Ok(len), "{method:?}");
                assert_eq!(out[..len], data);
                assert_eq!(out[len..len + PADDING], [0; PADDING]);
                assert!(out.len() <= MAX_BLOCK_LEN + PADDING);
            }
        }
    }

    #[test]
    fn more_than_a_block_may_hold_is_refused() {
        let mut out = Vec::new();
        for (method, stored) in compressed(&vec![0; MAX_BLOCK_LEN + 1]) {
            if method != Method::None {
                let limit = MAX_BLOCK_LEN as u64;
                let expected = Damage::TooLarge { what: "decompressed size", found: limit + 1, limit };
                assert_eq!(method.decompress(&stored, &mut out), Err(expected), "{method:?}");
            }
        }
        assert!(out.len() <= MAX_BLOCK_LEN + PADDING);
    }

    #[test]
    fn data_that_ends_early_or_is_garbage_is_refused() {
        let data: Vec<u8> = (0..5000_u32).map(|at| ((at * at) >> 3) as u8).collect();
        let mut out = Vec::new();
        for (method, stored) in compressed(&data) {
            if method == Method::None {
                continue;
            }
            for cut in [0, 1, 2, 3, stored.len() / 2, stored.len() - 1] {
                assert_eq!(
                    method.decompress(&stored[..cut], &mut out),
                    Err(Damage::Compressed(method.name())),
                    "{method:?} cut to {cut}"
                );
            }
            assert_eq!(method.decompress(&[0xff; 400], &mut out), Err(Damage::Compressed(method.name())));
        }
    }
}
