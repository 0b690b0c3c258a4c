//! Which files a query reads: nfdump's `-r`, `-R` and `-M`.
//!
//! Everything is checked before anything is read, so that a wrong selection is an error and not half an
//! answer. The texts of errors and warnings are nfdump 1.7.1's, complete lines that go to stderr as they are.

mod walk;

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use self::walk::{Bounds, Walk, components, identity};
use crate::name::{SlotName, SubDir};

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSelection {
    /// `-r`: one file, or a directory with everything below it.
    pub single: Option<OsString>,
    /// `-R`, each a directory, a first file, or `first:last`. Of several, every one counts; a file that more
    /// than one of them names is read once.
    pub ranges: Vec<OsString>,
    /// `-M`: a directory and further names beside it, `/base/a:b:c`.
    pub sources: Option<OsString>,
}

impl FileSelection {
    /// The directories that are looked into, or that hold the files which are named; they may not exist.
    pub fn directories(&self) -> Vec<PathBuf> {
        let bases = match &self.sources {
            Some(sources) => {
                split_sources(sources).map_or_else(|_| Vec::new(), |(directories, _)| directories)
            }
            None => vec![PathBuf::new()],
        };
        let first = |range: &OsString| {
            let first = range.as_bytes().split(|byte| *byte == b':').next().unwrap_or_default();
            clean(OsStr::from_bytes(first))
        };
        let named = self.single.iter().map(|single| clean(single)).chain(self.ranges.iter().map(first));
        let paths: Vec<PathBuf> =
            named.flat_map(|name| bases.iter().map(move |base| base.join(&name))).collect();
        let directory = |path: PathBuf| match path.parent() {
            Some(parent) if !path.is_dir() => parent.to_owned(),
            _ => path,
        };
        let found = paths.into_iter().map(directory);
        found.map(|path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path }).collect()
    }
}

/// The files to read, in reading order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileSet {
    /// Paths as they can be opened. Each was a regular file when it was found.
    pub files: Vec<PathBuf>,
    /// What should be said on stderr although the files can be used.
    pub warnings: Vec<SelectionWarning>,
}

impl FileSet {
    /// Finds the files of a selection.
    ///
    /// An empty set is no error: a directory may be empty, a range the wrong way round.
    ///
    /// # Errors
    /// What [`SelectionError`] lists. With several ranges only if none of them can be used; the errors of the
    /// others become warnings.
    pub fn resolve(selection: &FileSelection) -> Result<FileSet, SelectionError> {
        match (&selection.single, selection.ranges.as_slice(), &selection.sources) {
            (Some(_), [_, ..], _) => Err(SelectionError::Exclusive),
            (None, [], Some(_)) => Err(SelectionError::SourcesAlone),
            (None, [], None) => Err(SelectionError::Nothing),
            (Some(single), [], None) => one(single),
            (Some(single), [], Some(sources)) => one_per_source(single, sources),
            (None, [range], sources) => one_range(range, sources.as_deref()),
            (None, ranges, sources) => several_ranges(ranges, sources.as_deref()),
        }
    }
}

/// Why nothing can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// Neither `-r` nor `-R` nor `-M`.
    #[error("no input: specify -r, -R or -M")]
    Nothing,
    /// Both `-r` and `-R`.
    #[error("-r and -R are mutually exclusive. Please specify either -r or -R")]
    Exclusive,
    /// `-M` without `-r` and `-R`.
    #[error(
        "-M needs either -r or -R to specify the file or file list. \
         Add '-R .' for all files in the directories."
    )]
    SourcesAlone,
    /// The argument of `-r` is missing, or neither a file nor a directory.
    #[error("{} is not a file or directory", .path.display())]
    NoFile {
        /// The argument.
        path: PathBuf,
    },
    /// The argument of `-R` is neither a file nor a directory.
    #[error("Not a file or directory: '{}'", .path.display())]
    NoFileRange {
        /// The argument.
        path: PathBuf,
    },
    /// The first file of a range cannot be found.
    #[error("stat() error '{}': {cause}", .path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// The system's reason.
        cause: String,
    },
    /// The last file of a range has no place in the layout in which the first one was found.
    #[error("'{}': File not found!", .name.display())]
    LastMissing {
        /// The last file.
        name: PathBuf,
    },
    /// A range ends in `:`.
    #[error("Missing last file option after ':'!")]
    NoLast,
    /// A range has more than one `:`.
    #[error("Multiple file separators ':' in path not allowed!")]
    Separators,
    /// The part behind `:` is an absolute path.
    #[error("Last file name in -R list must not start with '/'")]
    AbsoluteLast,
    /// A directory with a last file behind it.
    #[error("Not a file: '{}'", .path.display())]
    NotAFile {
        /// The directory.
        path: PathBuf,
    },
    /// A range below sources starts with a directory.
    #[error("Not a file : '{}'", .path.display())]
    NotAFileInSource {
        /// The directory.
        path: PathBuf,
    },
    /// An absolute range below sources.
    #[error("File list -R must not start with '/' when combined with a source list -M")]
    AbsoluteRange,
    /// An absolute file below sources.
    #[error("File -r must not start with '/', when combined with a source list -M")]
    AbsoluteFile,
    /// First and last file of a range below sources lie in different depths.
    #[error("Number of sub dirs must agree in '{}' and '{}'", .first.display(), .last.display())]
    Depth {
        /// The first file.
        first: PathBuf,
        /// The last file.
        last: PathBuf,
    },
    /// The last file of a range names more directories than the first one has.
    #[error("Number of sub dirs for sub level hierarchy for file list -R do not match")]
    Levels,
    /// Not one of the sources is a directory.
    #[error("{warning}")]
    NoSource {
        /// What is wrong with the first of them.
        warning: SelectionWarning,
    },
}

impl SelectionError {
    /// Whether the arguments themselves are wrong, exit code 1; else it is the files, exit code 250.
    pub const fn is_argument_error(&self) -> bool {
        matches!(
            self,
            SelectionError::Nothing
                | SelectionError::Exclusive
                | SelectionError::SourcesAlone
                | SelectionError::NoFile { .. }
        )
    }
}

/// What is wrong with a part of a selection.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionWarning {
    /// A source has no such file.
    #[error("stat() error '{}': File not found!", .path.display())]
    FileMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// What `-r` names in a source is no regular file.
    #[error("Skip non file entry: '{}'", .path.display())]
    NonFile {
        /// The entry.
        path: PathBuf,
    },
    /// A source does not exist; it and those behind it are not used.
    #[error("path does not exist: {0}\nNot a directory: '{0}'", .path.display())]
    SourceMissing {
        /// The source.
        path: PathBuf,
    },
    /// A source is no directory; it and those behind it are not used.
    #[error("not a directory: {0}\nNot a directory: '{0}'", .path.display())]
    SourceNoDirectory {
        /// The source.
        path: PathBuf,
    },
    /// The first file of a range comes after the last one.
    #[error("WARNING: File '{}' > '{}'. Will not match anything!", .first.display(), .last.display())]
    FilesReversed {
        /// The first file.
        first: PathBuf,
        /// The last file.
        last: PathBuf,
    },
    /// A directory of the first file comes after that of the last one.
    #[error("WARNING: Entry '{}' > '{}'. Will not match anything!", .first.display(), .last.display())]
    EntriesReversed {
        /// The first file's directory.
        first: PathBuf,
        /// The last file's directory.
        last: PathBuf,
    },
    /// Follows the two above.
    #[error("Empty file list. No files to process")]
    EmptyList,
    /// A directory cannot be listed; what it holds is left out.
    #[error("{}: {cause}", .path.display())]
    Unreadable {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        cause: String,
    },
    /// One of several ranges cannot be used.
    #[error("{0}")]
    Range(Box<SelectionError>),
}

/// `-r` alone.
fn one(single: &OsStr) -> Result<FileSet, SelectionError> {
    let path = clean(single);
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_dir() => {
            let mut walk = Walk::default();
            walk.everything(&path);
            Ok(walk.into())
        }
        Ok(metadata) if metadata.is_file() => Ok(FileSet { files: vec![path], warnings: Vec::new() }),
        _ => Err(SelectionError::NoFile { path: PathBuf::from(single) }),
    }
}

/// `-r` below sources: in the order of the command line, those which have the file.
fn one_per_source(single: &OsStr, sources: &OsStr) -> Result<FileSet, SelectionError> {
    if single.as_bytes().starts_with(b"/") {
        return Err(SelectionError::AbsoluteFile);
    }
    let name = clean(single);
    let (sources, warnings) = split_sources(sources)?;
    let mut set = FileSet { files: Vec::new(), warnings };
    for source in sources {
        let path = source.join(&name);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.is_file() => set.files.push(path),
            Ok(_) => set.warnings.push(SelectionWarning::NonFile { path }),
            Err(_) => match locate(&source, &name) {
                Some((layout, slot)) => set.files.push(source.join(slot.path(layout))),
                None => set.warnings.push(SelectionWarning::FileMissing { path }),
            },
        }
    }
    Ok(set)
}

/// Several `-R`: one after the other, and no file twice.
fn several_ranges(ranges: &[OsString], sources: Option<&OsStr>) -> Result<FileSet, SelectionError> {
    let mut all = FileSet::default();
    let mut seen = HashSet::new();
    let mut first_error = None;
    let mut usable = false;
    for range in ranges {
        match one_range(range, sources) {
            Ok(set) => {
                usable = true;
                let identities: Vec<_> =
                    set.files.iter().map(|path| fs::metadata(path).ok().as_ref().map(identity)).collect();
                let new = set.files.into_iter().zip(&identities);
                all.files.extend(
                    new.filter(|(_, id)| id.is_none_or(|id| !seen.contains(&id))).map(|(path, _)| path),
                );
                seen.extend(identities.into_iter().flatten());
                all.warnings.extend(set.warnings);
            }
            Err(error) => {
                first_error.get_or_insert(error.clone());
                all.warnings.push(SelectionWarning::Range(Box::new(error)));
            }
        }
    }
    match first_error {
        Some(error) if !usable => Err(error),
        _ => Ok(all),
    }
}

fn one_range(range: &OsStr, sources: Option<&OsStr>) -> Result<FileSet, SelectionError> {
    let (first, last) = split_range(range)?;
    let Some(sources) = sources else {
        return plain_range(&first, last.as_deref());
    };
    if first.is_absolute() {
        return Err(SelectionError::AbsoluteRange);
    }
    let (mut sources, warnings) = split_sources(sources)?;
    let first_source = sources[0].clone();
    sources.sort();
    let mut walk = Walk { files: Vec::new(), warnings };
    if first == Path::new(".") {
        match last {
            Some(_) => return Err(SelectionError::NotAFileInSource { path: first_source }),
            None => sources.iter().for_each(|source| walk.everything(source)),
        }
        return Ok(walk.into());
    }
    let bounds = source_bounds(&first_source, &first, last.as_deref())?;
    Ok(between(walk, sources.iter().map(PathBuf::as_path), &bounds))
}

/// `-R` without sources.
fn plain_range(first: &Path, last: Option<&Path>) -> Result<FileSet, SelectionError> {
    let metadata = fs::metadata(first)
        .map_err(|error| SelectionError::Missing { path: first.to_owned(), cause: cause_text(&error) })?;
    if metadata.is_dir() {
        if last.is_some() {
            return Err(SelectionError::NotAFile { path: first.to_owned() });
        }
        let mut walk = Walk::default();
        walk.everything(first);
        return Ok(walk.into());
    }
    if !metadata.is_file() {
        return Err(SelectionError::NoFileRange { path: first.to_owned() });
    }
    let last = last.map(|last| place_last(first, last)).map(|last| components(&last));
    let levels = last.as_ref().map_or(1, Vec::len);
    let (root, first) = split_below(first, levels).ok_or(SelectionError::Levels)?;
    Ok(between(Walk::default(), [root.as_path()].into_iter(), &Bounds { first, last }))
}

/// Where the last file of a range lies, as far as its own directories matter. A bare name belongs into the
/// directory of the first file, unless one of the standard layouts has it beside that directory.
fn place_last(first: &Path, last: &Path) -> PathBuf {
    let slot = last.to_str().and_then(SlotName::parse);
    slot.and_then(|slot| {
        SubDir::ALL.into_iter().find_map(|layout| {
            let (root, _) = split_below(first, layout.depth() + 1)?;
            let below = slot.path(layout);
            root.join(&below).is_file().then_some(below)
        })
    })
    .unwrap_or_else(|| last.to_owned())
}

/// The bounds of a range below sources, after a look into the first source.
fn source_bounds(source: &Path, first: &Path, last: Option<&Path>) -> Result<Bounds, SelectionError> {
    if let Some(last) = last
        && last.iter().count() != first.iter().count()
    {
        return Err(SelectionError::Depth { first: first.to_owned(), last: last.to_owned() });
    }
    let path = source.join(first);
    match fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => {
            Ok(Bounds { first: components(first), last: last.map(components) })
        }
        Ok(_) => Err(SelectionError::NotAFileInSource { path }),
        Err(_) => {
            let (layout, slot) = locate(source, first)
                .ok_or_else(|| SelectionError::Missing { path, cause: "File not found!".to_owned() })?;
            let last = last.map(|last| {
                let slot = last.to_str().and_then(SlotName::parse);
                slot.ok_or_else(|| SelectionError::LastMissing { name: last.to_owned() })
            });
            Ok(Bounds {
                first: components(&slot.path(layout)),
                last: last.transpose()?.map(|slot| components(&slot.path(layout))),
            })
        }
    }
}

/// Walks every root between the bounds, or says why that would be in vain.
fn between<'a>(mut walk: Walk, roots: impl Iterator<Item = &'a Path>, bounds: &Bounds) -> FileSet {
    let contradictions = bounds.contradictions();
    if contradictions.is_empty() {
        roots.for_each(|root| walk.between(root, bounds));
    } else {
        walk.warnings.extend(contradictions);
        walk.warnings.push(SelectionWarning::EmptyList);
    }
    walk.into()
}

/// The first standard layout in which a directory has the file of a bare slot name.
fn locate(source: &Path, name: &Path) -> Option<(SubDir, SlotName)> {
    let slot = SlotName::parse(name.to_str()?)?;
    let layout = SubDir::ALL.into_iter().find(|layout| source.join(slot.path(*layout)).is_file())?;
    Some((layout, slot))
}

/// `first[:last]`, both cleaned.
fn split_range(range: &OsStr) -> Result<(PathBuf, Option<PathBuf>), SelectionError> {
    let mut parts = range.as_bytes().split(|byte| *byte == b':').map(OsStr::from_bytes);
    let first = clean(parts.next().unwrap_or_default());
    let Some(last) = parts.next() else { return Ok((first, None)) };
    if parts.next().is_some() {
        return Err(SelectionError::Separators);
    }
    if last.is_empty() {
        return Err(SelectionError::NoLast);
    }
    if last.as_bytes().starts_with(b"/") {
        return Err(SelectionError::AbsoluteLast);
    }
    Ok((first, Some(clean(last))))
}

/// `/base/a:b:c` as `/base/a`, `/base/b`, `/base/c`, up to the first that is no directory; at least one.
fn split_sources(sources: &OsStr) -> Result<(Vec<PathBuf>, Vec<SelectionWarning>), SelectionError> {
    let mut parts =
        sources.as_bytes().split(|byte| *byte == b':').filter(|part| !part.is_empty()).map(OsStr::from_bytes);
    let first = clean(parts.next().unwrap_or(OsStr::new(".")));
    let base = first.parent().map(Path::to_owned).unwrap_or_default();
    let others = parts.map(|part| clean(base.join(relative(part)).as_os_str()));
    let mut directories = Vec::new();
    for path in std::iter::once(first).chain(others) {
        let warning = match fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                directories.push(path);
                continue;
            }
            Ok(_) => SelectionWarning::SourceNoDirectory { path },
            Err(_) => SelectionWarning::SourceMissing { path },
        };
        return if directories.is_empty() {
            Err(SelectionError::NoSource { warning })
        } else {
            Ok((directories, vec![warning]))
        };
    }
    Ok((directories, Vec::new()))
}

/// The directory so many components above, and those components. `None` when the path has not as many.
fn split_below(path: &Path, levels: usize) -> Option<(PathBuf, Vec<OsString>)> {
    let parts = components(path);
    let (root, below) = parts.split_at(parts.len().checked_sub(levels)?);
    if below.iter().any(|part| part == "/" || part == ".." || part == ".") {
        return None;
    }
    let root: PathBuf = root.iter().collect();
    let root = if root.as_os_str().is_empty() { PathBuf::from(".") } else { root };
    Some((root, below.to_vec()))
}

/// The path without `//`, `/./`, leading `./` and trailing `/`; `.` when nothing is left.
fn clean(path: &OsStr) -> PathBuf {
    // Components leave all of these out but a leading `.`.
    let clean: PathBuf = Path::new(path).components().collect();
    match clean.strip_prefix(".") {
        Ok(rest) if !rest.as_os_str().is_empty() => rest.to_owned(),
        _ if clean.as_os_str().is_empty() => PathBuf::from("."),
        _ => clean,
    }
}

/// A path without leading `/`, to be put behind another one.
fn relative(path: &OsStr) -> &OsStr {
    let bytes = path.as_bytes();
    let slashes = bytes.iter().take_while(|byte| **byte == b'/').count();
    OsStr::from_bytes(&bytes[slashes..])
}

/// The system's words for an error, without Rust's addition of the number.
fn cause_text(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

impl From<Walk> for FileSet {
    fn from(walk: Walk) -> Self {
        FileSet { files: walk.files, warnings: walk.warnings }
    }
}

#[cfg(test)]
mod tests;
