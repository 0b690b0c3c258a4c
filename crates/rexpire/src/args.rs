//! What was typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Parser};
use flow_cli::{ConfigArgs, Describe};

/// Keep a directory of flow files under an age and a size
///
/// Deletes the oldest finished files (`nfcapd.YYYYmmddHHMM`) of a directory and of its sub-directories whose
/// names start with a digit, until limits of size and age are met. The limits are kept in the directory, in
/// `.nfstat`, which nfexpire reads and writes too. Files that are being written, and files with other names,
/// are never touched.
///
/// One of -e, -l, -L, -r and -u must be given. Exit status: 0, or 250 if anything went wrong.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "each is an option, and they combine freely")]
#[command(
    name = "rexpire",
    disable_version_flag = true,
    override_usage = "rexpire <-e|-l|-L|-r|-u> DIR [OPTIONS]"
)]
pub(crate) struct Args {
    /// Expire: delete files of DIR by its stored limits, replaced by those given with -s, -t and -w
    #[arg(short = 'e', long = "expire", value_name = "DIR")]
    pub(crate) expire: Vec<PathBuf>,

    /// List what DIR holds, and its limits
    #[arg(short = 'l', long = "list", value_name = "DIR")]
    pub(crate) list: Vec<PathBuf>,

    /// As -l, and say whether rcapd is collecting into DIR
    #[arg(short = 'L', long = "list-collector", value_name = "DIR")]
    pub(crate) list_collector: Vec<PathBuf>,

    /// Rescan DIR and store what it holds; deletes nothing, whatever limits are given
    #[arg(short = 'r', long = "rescan", value_name = "DIR")]
    pub(crate) rescan: Vec<PathBuf>,

    /// Update the stored limits of DIR by those given with -s, -t and -w
    #[arg(short = 'u', long = "update", value_name = "DIR")]
    pub(crate) update: Vec<PathBuf>,

    /// Size limit: a number, perhaps with a fraction, and b, k, m, g or t (steps of 1024); 0 = none
    ///
    /// Counted is what files occupy on disk. A number without a letter counts bytes.
    #[arg(short = 's', long = "size", value_name = "SIZE")]
    pub(crate) size: Option<String>,

    /// Age limit: a sum of Nw weeks, Nd days, NH hours and NM minutes, as in 1w2d12H; 0 = none
    ///
    /// Upper and lower case differ. A number without a letter counts hours. The age of a file is that of the
    /// time in its name, which is local time.
    #[arg(short = 't', long = "age", value_name = "AGE")]
    pub(crate) age: Option<String>,

    /// Delete the oldest files until so much of the file system is free: a share (10%) or a size as for -s
    ///
    /// Heeded by -e alone, after -s and -t, and not stored: the configuration file is the place for it.
    #[arg(long = "min-free", value_name = "SIZE")]
    pub(crate) min_free: Option<String>,

    /// Size limit of the sub-directory NAME of DIR, before the others; may be repeated
    ///
    /// NAME is a source's directory, as rcapd's -M makes them, or a channel of -p. SIZE is as for -s, and the low-water mark
    /// is the same. Heeded by -e alone, and not stored: the configuration file is the place for it.
    #[arg(long = "quota", value_name = "NAME=SIZE")]
    pub(crate) quota: Vec<String>,

    /// Keep files with records of address translation until they are AGE old, whatever other limits say
    ///
    /// A file is kept as a whole; one that does not say whether it has such records (nfdump's layout, a damaged file) is kept, too.
    /// Younger files of other content go instead where a size has to be met. Heeded by -e alone, and not stored: the
    /// configuration file is the place for it.
    #[arg(long = "keep-nat", value_name = "AGE")]
    pub(crate) keep_nat: Option<String>,

    /// DIR is a profile of NfSen's: its sub-directories are channels under common limits
    ///
    /// Nothing is stored of limits, which have to be given with -e; the low-water mark is 98 by default.
    #[arg(short = 'p', long = "profile", action = ArgAction::SetTrue)]
    pub(crate) profile: bool,

    /// Low-water mark: a limit that is reached is lowered to this percentage of it [default: 95]
    #[arg(short = 'w', long = "watermark", value_name = "PERCENT")]
    pub(crate) watermark: Option<String>,

    /// Stop deleting after so many seconds, at most 3600
    #[arg(short = 'T', long = "max-runtime", value_name = "SECONDS")]
    pub(crate) runtime: Option<String>,

    /// Print one line for programs, Stat|SIZE|FIRST|LAST, instead of the table
    #[arg(short = 'Y', long = "machine-readable", action = ArgAction::SetTrue)]
    pub(crate) machine_readable: bool,

    /// Print one json object instead of the table; with -n, of what would be deleted
    #[arg(long = "json", action = ArgAction::SetTrue, conflicts_with = "machine_readable")]
    pub(crate) json: bool,

    /// Show what -e would delete, and change nothing
    #[arg(short = 'n', long = "dry-run", action = ArgAction::SetTrue)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    /// Print the version
    #[arg(short = 'V', long = "version", action = ArgAction::SetTrue)]
    pub(crate) version: bool,

    #[command(flatten)]
    pub(crate) describe: Describe,

    /// Words without an option are ignored, as nfexpire does, but for a unit that a blank separates from its number.
    #[arg(hide = true)]
    pub(crate) operands: Vec<OsString>,
}
