//! Files under another ident, or compressed another way (nfdump's `-i` and `-J`).

use crate::columnar::Compression;
use crate::error::FileError;
use crate::file::FlowFile;
use crate::nfdump::BlockCompression;
use crate::replace::replace_file;
use std::path::Path;

/// What a file is to have in place of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change<'a> {
    /// Name of the source: at most 1024 octets in our format, 121 in layout 2 and 127 in layout 1 of nfdump.
    pub ident: Option<&'a str>,
    /// Compression of all that the file holds. Our format knows neither LZO nor bzip2, layout 1 of nfdump no zstd; "none"
    /// leaves our format its light encodings.
    pub compression: Option<BlockCompression>,
}

/// Writes a file anew with a change, in the layout that it has, and puts it in the place of the old one when it is whole
/// and on disk.
///
/// Everything else stays: flows and their order, totals, exporters, samplers, losses, the time of creation, and the
/// permissions, owner and time of change that the system knows. `writer` is the number of this process, which names the
/// file while it is made.
///
/// # Errors
/// When nothing would do without a loss: the file is damaged, unfinished, or written by a later version; when its layout
/// cannot hold the change; or when the system refuses. The file then is as it was.
pub fn rewrite_file(path: &Path, change: Change<'_>, writer: u32) -> Result<(), FileError> {
    let file = FlowFile::open(path)?;
    replace_file(path, writer, |scratch| file.rewrite(change, scratch))
}

/// What our format makes of a compression of nfdump's, if it has it.
pub(crate) fn columnar_compression(compression: BlockCompression) -> Option<Compression> {
    match compression {
        BlockCompression::None => Some(Compression::Light),
        BlockCompression::Lz4 => Some(Compression::Lz4),
        BlockCompression::Zstd(level) => Some(Compression::Zstd(level)),
        BlockCompression::Lzo | BlockCompression::Bz2(_) => None,
    }
}
