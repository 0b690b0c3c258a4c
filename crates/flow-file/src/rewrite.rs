//! Files under another ident, or compressed another way (nfdump's `-i` and `-J`).

use crate::FlowFile;
use crate::columnar::Compression;
use crate::error::FileError;
use crate::replace::replace_file;
use std::path::Path;

/// What a file is to have in place of its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change<'a> {
    /// Name of the source, at most 1024 octets.
    pub ident: Option<&'a str>,
    /// Compression of all that the file holds.
    pub compression: Option<Compression>,
}

/// Writes a file anew with a change, and puts it in the place of the old one when it is whole and on disk.
///
/// Everything else stays: flows and their order, totals, exporters, samplers, losses, the time of creation, and the
/// permissions, owner and time of change that the system knows. `writer` is the number of this process, which names the
/// file while it is made.
///
/// # Errors
/// When nothing would do without a loss: the file is damaged, unfinished, or written by a later version; or the system
/// refuses. The file then is as it was.
pub fn rewrite_file(path: &Path, change: Change<'_>, writer: u32) -> Result<(), FileError> {
    let file = FlowFile::open(path)?;
    let file = file.columnar()?;
    replace_file(path, writer, |scratch| file.rewrite(change.ident, change.compression, scratch))
}
