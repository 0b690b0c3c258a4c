//! Compression of blocks.

use super::lzo::Lzo;
use std::fmt;
use std::io::{self, Write};
use std::str::FromStr;

/// How the blocks of a file of nfdump's layout are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BlockCompression {
    /// Not at all.
    #[default]
    None,
    /// LZO1X-1.
    Lzo,
    /// bzip2 of this level, 1 to 9.
    Bz2(u32),
    /// LZ4.
    Lz4,
    /// zstd of this level. nfdump reads it from 1.7.3 on.
    Zstd(i32),
}

impl BlockCompression {
    /// The level of bzip2 where none is asked for, as nfdump has it.
    pub const DEFAULT_BZ2: BlockCompression = BlockCompression::Bz2(9);

    /// The level of zstd where none is asked for, as nfdump has it.
    pub const DEFAULT_ZSTD: BlockCompression = BlockCompression::Zstd(3);

    /// The code in the file header.
    pub(crate) fn code(self) -> u8 {
        match self {
            BlockCompression::None => 0,
            BlockCompression::Lzo => 1,
            BlockCompression::Bz2(_) => 2,
            BlockCompression::Lz4 => 3,
            BlockCompression::Zstd(_) => 4,
        }
    }
}

/// A method of compression that nobody knows, or a level that it does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unknown compression: {0}")]
pub struct UnknownCompression(String);

/// nfdump's names: `lzo`, `lz4`, `bz2` or `zstd`, and a level behind a colon. LZO has no levels, and LZ4 is always fast:
/// theirs are accepted without effect.
impl FromStr for BlockCompression {
    type Err = UnknownCompression;

    fn from_str(text: &str) -> Result<Self, UnknownCompression> {
        let unknown = || UnknownCompression(text.to_owned());
        let (name, level) = match text.split_once(':') {
            Some((name, level)) => (name, Some(level.parse::<u8>().map_err(|_| unknown())?)),
            None => (text, None),
        };
        match (name, level) {
            ("lzo", _) => Ok(BlockCompression::Lzo),
            ("lz4", _) => Ok(BlockCompression::Lz4),
            ("bz2", None) => Ok(BlockCompression::DEFAULT_BZ2),
            ("bz2", Some(level @ 1..=9)) => Ok(BlockCompression::Bz2(level.into())),
            ("zstd", None) => Ok(BlockCompression::DEFAULT_ZSTD),
            ("zstd", Some(level @ 1..=19)) => Ok(BlockCompression::Zstd(level.into())),
            _ => Err(unknown()),
        }
    }
}

/// Compresses block after block.
pub(crate) enum Compressor {
    None,
    Lzo(Lzo),
    Bz2(bzip2::Compression),
    Lz4,
    Zstd(zstd::bulk::Compressor<'static>),
}

impl fmt::Debug for Compressor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Compressor::None => "None",
            Compressor::Lzo(_) => "Lzo",
            Compressor::Bz2(_) => "Bz2",
            Compressor::Lz4 => "Lz4",
            Compressor::Zstd(_) => "Zstd",
        })
    }
}

impl Compressor {
    pub(crate) fn new(how: BlockCompression) -> io::Result<Compressor> {
        Ok(match how {
            BlockCompression::None => Compressor::None,
            BlockCompression::Lzo => Compressor::Lzo(Lzo::new()),
            BlockCompression::Bz2(level) => Compressor::Bz2(bzip2::Compression::new(level.clamp(1, 9))),
            BlockCompression::Lz4 => Compressor::Lz4,
            BlockCompression::Zstd(level) => Compressor::Zstd(zstd::bulk::Compressor::new(level)?),
        })
    }

    /// Appends what `block` is compressed to.
    pub(crate) fn compress(&mut self, block: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        let start = out.len();
        match self {
            Compressor::None => out.extend_from_slice(block),
            Compressor::Lzo(lzo) => lzo.compress(block, out),
            Compressor::Bz2(level) => {
                let mut encoder = bzip2::write::BzEncoder::new(&mut *out, *level);
                encoder.write_all(block)?;
                encoder.finish()?;
            }
            Compressor::Lz4 => {
                out.resize(start + lz4_flex::block::get_maximum_output_size(block.len()), 0);
                let len =
                    lz4_flex::block::compress_into(block, &mut out[start..]).map_err(io::Error::other)?;
                out.truncate(start + len);
            }
            Compressor::Zstd(compressor) => {
                out.resize(start + zstd::zstd_safe::compress_bound(block.len()), 0);
                let len = compressor.compress_to_buffer(block, &mut out[start..])?;
                out.truncate(start + len);
            }
        }
        Ok(())
    }
}
