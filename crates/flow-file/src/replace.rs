//! Putting a new file in the place of an old one.

use crate::error::FileError;
use crate::name::working_name;
use std::fs::{self, File, FileTimes};
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

/// Lets `write` make a new file beside `path`, and puts it in the place of the old one, so that there is always one or
/// the other under the name, whole.
///
/// The new file gets the old one's permissions and time of change, and its owner where the system allows that. A link
/// stays a link: what it leads to is replaced. `writer` is the number of this process: the new file has a name that
/// queries leave out until it is finished.
///
/// # Errors
/// Those of `write`, or when the system refuses. The old file then stays as it is.
pub(crate) fn replace_file(
    path: &Path,
    writer: u32,
    write: impl FnOnce(&Path) -> Result<(), FileError>,
) -> Result<(), FileError> {
    let path = fs::canonicalize(path).map_err(FileError::io(path, "find the file"))?;
    let scratch = path.with_file_name(working_name(writer));
    let result = write(&scratch).and_then(|()| put_in_place(&path, &scratch));
    if result.is_err() {
        // The error is what matters; a file that stays behind is ignored by every reader.
        let _ = fs::remove_file(&scratch);
    }
    result
}

fn put_in_place(path: &Path, scratch: &Path) -> Result<(), FileError> {
    let old = fs::metadata(path).map_err(FileError::io(path, "stat the file"))?;
    let new = File::open(scratch).map_err(FileError::io(scratch, "open the file"))?;
    // Only root may give files away; a file that changes its owner is still the file that was asked for.
    let _ = chown(scratch, Some(old.uid()), Some(old.gid()));
    new.set_permissions(old.permissions()).map_err(FileError::io(scratch, "set the permissions"))?;
    let modified = old.modified().map_err(FileError::io(path, "stat the file"))?;
    new.set_times(FileTimes::new().set_modified(modified)).map_err(FileError::io(scratch, "set the time"))?;
    new.sync_all().map_err(FileError::io(scratch, "sync the file to disk"))?;
    fs::rename(scratch, path).map_err(FileError::io(path, "replace the file"))?;
    if let Some(directory) = path.parent() {
        let synced = File::open(directory).and_then(|directory| directory.sync_all());
        synced.map_err(FileError::io(directory, "sync the directory to disk"))?;
    }
    Ok(())
}
