//! What can go wrong with a directory.

use std::io;
use std::path::PathBuf;

/// An error of retention, with the path it is about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetainError {
    /// The base directory is missing, or is something else.
    #[error("no such directory: `{}`", .path.display())]
    NoDirectory {
        /// What was given.
        path: PathBuf,
    },
    /// A directory cannot be listed; the files in it are not counted and not deleted.
    #[error("listing `{}`", .path.display())]
    List {
        /// The directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file's size cannot be found out; it is not counted and not deleted.
    #[error("reading the size of `{}`", .path.display())]
    Size {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file cannot be deleted.
    #[error("deleting `{}`", .path.display())]
    Delete {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Whether a collector works in a directory cannot be found out.
    #[error("reading `{}`", .path.display())]
    CollectorLock {
        /// The collector's lock.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// How much space is left cannot be found out.
    #[error("asking for the free space of `{}`", .path.display())]
    Space {
        /// A directory of the file system.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The book-keeping file cannot be opened, locked, read or written.
    #[error("{action} `{}`", .path.display())]
    StatFile {
        /// What was attempted.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The book-keeping file is a link, a directory or something else that must not be written.
    #[error("`{}` is no regular file", .path.display())]
    StatFileKind {
        /// The file.
        path: PathBuf,
    },
    /// The book-keeping file is too large to be one.
    #[error("`{}` has {len_bytes} bytes, more than {max_bytes}", .path.display())]
    StatFileSize {
        /// The file.
        path: PathBuf,
        /// Its length.
        len_bytes: u64,
        /// The greatest length allowed.
        max_bytes: u64,
    },
}
