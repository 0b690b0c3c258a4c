//! Where the flows of `-w` go.

use crate::output::Output;
use crate::scratch::ScratchDir;
use flow_file::working_name;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The file of `-w` while it is written: under a name that queries leave out.
///
/// Nothing of it stays behind unless it is [delivered](Destination::deliver).
#[derive(Debug)]
pub(crate) struct Destination {
    scratch: PathBuf,
    end: End,
}

#[derive(Debug)]
enum End {
    /// The file takes the place of this one.
    File(PathBuf),
    /// A file is not written from its start to its end. It is made in a directory that is ours alone, and goes to
    /// standard output when it is whole.
    Stdout { _directory: ScratchDir },
}

impl Destination {
    /// What `path` means: `-` is standard output unless there is a file of that name (D-64).
    ///
    /// # Errors
    /// When there is something else than a file under the name, or no directory for temporary files.
    pub(crate) fn new(path: &Path) -> io::Result<Destination> {
        let name = working_name(std::process::id());
        if path == Path::new("-") && !path.exists() {
            let directory = ScratchDir::new()?;
            return Ok(Destination {
                scratch: directory.path().join(name),
                end: End::Stdout { _directory: directory },
            });
        }
        if path.exists() && !path.is_file() {
            return Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(Destination { scratch: path.with_file_name(name), end: End::File(path.to_owned()) })
    }

    /// Where to write.
    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// Puts the finished file where it belongs.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn deliver(self, out: &mut Output) -> io::Result<()> {
        match &self.end {
            End::File(path) => fs::rename(&self.scratch, path),
            End::Stdout { .. } => out.copy(&mut File::open(&self.scratch)?),
        }
    }
}

impl Drop for Destination {
    /// The error that leads here is what matters; a scratch file that stays behind is ignored by every reader.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.scratch);
    }
}
