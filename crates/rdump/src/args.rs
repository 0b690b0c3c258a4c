//! What was typed: the one declaration of options, help and completions.

use clap::{ArgAction, Parser};
use flow_cli::{ConfigArgs, Describe};
use std::ffi::OsString;
use std::path::PathBuf;

/// Query flow files: list, filter, count, aggregate and sort flows.
///
/// Options are nfdump's, with long names beside them. Every word that is no option belongs to the filter.
#[derive(Debug, Parser)]
#[command(
    name = "rdump",
    disable_version_flag = true,
    disable_help_flag = true,
    args_override_self = true,
    max_term_width = 100,
    group = clap::ArgGroup::new("compression").multiple(true).args(["compress", "lz4", "bz2"]),
    override_usage = "rdump [OPTIONS] [FILTER]...",
    after_help = "\
Examples:
  rdump -r FILE -o long 'proto tcp and dst port 443'
  rdump -R DIR -t 2026/11/24.10:00-2026/11/24.11:00 -s srcip/bytes -n 20
  rdump -R DIR -A srcip,dstport -O bytes -o csv"
)]
#[expect(clippy::struct_excessive_bools, reason = "nfdump has that many flags")]
pub(crate) struct Args {
    /// Read one file; a directory is read whole, - is standard input unless there is a file of that name
    #[arg(short = 'r', long = "read", value_name = "PATH", help_heading = "Input")]
    pub(crate) read: Option<OsString>,

    /// Read a sequence of files: DIR, FIRST or FIRST:LAST; may be given several times
    #[arg(short = 'R', long = "read-range", value_name = "RANGE", action = ArgAction::Append, help_heading = "Input")]
    pub(crate) ranges: Vec<OsString>,

    /// Read the same files from several directories: /DIR/A:B:C
    #[arg(short = 'M', long = "sources", value_name = "DIRS", help_heading = "Input")]
    pub(crate) sources: Option<OsString>,

    /// Take flows that lie within a time window: START, START-END, +SECONDS, -SECONDS
    ///
    /// START and END are yyyy/MM/dd.hh:mm:ss in local time, cut off anywhere after the year. +N takes the first N
    /// seconds of the selected files, -N the last. A flow must lie completely inside.
    #[arg(
        short = 't',
        long = "time",
        value_name = "WINDOW",
        allow_hyphen_values = true,
        help_heading = "Selection"
    )]
    pub(crate) time: Option<String>,

    /// Stop after COUNT matching records
    #[arg(
        short = 'c',
        long = "count",
        value_name = "COUNT",
        allow_hyphen_values = true,
        help_heading = "Selection"
    )]
    pub(crate) count: Option<String>,

    /// Read the filter from a file
    #[arg(short = 'f', long = "filter-file", value_name = "FILE", help_heading = "Selection")]
    pub(crate) filter_file: Option<PathBuf>,

    /// Check the filter and exit
    #[arg(short = 'Z', long = "check-filter", help_heading = "Selection")]
    pub(crate) check_filter: bool,

    /// Print what the filter does and exit
    ///
    /// The expression as it was understood, the steps in which it is executed with what lets blocks be skipped, and the
    /// columns that are read.
    #[arg(short = 'X', long = "explain-filter", help_heading = "Selection")]
    pub(crate) explain_filter: bool,

    /// Ask SERVER for the addresses of host names in the filter: an address or name, :PORT may follow
    #[arg(short = 'D', long = "name-server", value_name = "SERVER", help_heading = "Selection")]
    pub(crate) name_server: Option<String>,

    /// Element statistic: `ELEMENT[:p][/ORDER...]`; may be given several times
    #[arg(short = 's', long = "statistic", value_name = "STATISTIC", action = ArgAction::Append, help_heading = "Grouping")]
    pub(crate) statistics: Vec<String>,

    /// Print at most N lines of a statistic (10), or of sorted or aggregated flows (all); 0 means all
    #[arg(
        short = 'n',
        long = "top",
        value_name = "N",
        allow_hyphen_values = true,
        help_heading = "Grouping"
    )]
    pub(crate) top: Option<String>,

    /// Aggregate by addresses, ports and protocol
    #[arg(short = 'a', long = "aggregate", help_heading = "Grouping")]
    pub(crate) aggregate: bool,

    /// Aggregate by the listed fields, for example srcip4/24,dstport
    #[arg(short = 'A', long = "aggregate-by", value_name = "FIELDS", action = ArgAction::Append, help_heading = "Grouping")]
    pub(crate) aggregate_by: Vec<String>,

    /// Aggregate flows of both directions: what goes back counts out
    #[arg(short = 'b', long = "bidirectional", help_heading = "Grouping")]
    pub(crate) bidirectional: bool,

    /// The same with clients on the left, as far as ports tell
    #[arg(short = 'B', long = "client-first", help_heading = "Grouping")]
    pub(crate) client_first: bool,

    /// Keep groups of more than N packets, or of less with -N: [+|-]N[k|m|g|t]
    #[arg(
        short = 'l',
        long = "packet-limit",
        value_name = "N",
        allow_hyphen_values = true,
        help_heading = "Grouping"
    )]
    pub(crate) packet_limit: Option<String>,

    /// Keep groups of more than N bytes, or of less with -N: [+|-]N[k|m|g|t]
    #[arg(
        short = 'L',
        long = "byte-limit",
        value_name = "N",
        allow_hyphen_values = true,
        help_heading = "Grouping"
    )]
    pub(crate) byte_limit: Option<String>,

    /// Cut the answer into bins of time of this WIDTH, such as 30s, 5m, 1h, 1d
    ///
    /// A row for each bin and for each of the first N groups of -s, -a or -A over the whole time, and one for all others;
    /// without groups, a row for each bin. Bins begin where the clock shows a multiple of WIDTH, those of weeks on Mondays.
    #[arg(long = "bin", value_name = "WIDTH", help_heading = "Grouping")]
    pub(crate) bin: Option<String>,

    /// Where the counters of a flow go: spread (over its duration), first, last, or inside
    ///
    /// To all bins by the time the flow spent in each; to the bin of its first or of its last moment; or, with inside, to the
    /// bin in which it lies completely, as -t takes flows.
    #[arg(long = "bin-by", value_name = "RULE", help_heading = "Grouping")]
    pub(crate) bin_by: Option<String>,

    /// Where bins begin: clock (at round times), or start (of the time window or the files)
    #[arg(long = "bin-align", value_name = "RULE", help_heading = "Grouping")]
    pub(crate) bin_align: Option<String>,

    /// Instead of the bins, print the N-th percentile of their rates for each group
    ///
    /// By nearest rank, as traffic is billed: of all bins, those without traffic included, so many per cent have no higher
    /// rate.
    #[arg(long = "percentile", value_name = "N", help_heading = "Grouping")]
    pub(crate) percentile: Option<String>,

    /// Sort flows, for example bytes, tstart, duration:a
    #[arg(short = 'O', long = "order", value_name = "ORDER", help_heading = "Grouping")]
    pub(crate) order: Option<String>,

    /// Sort flows by start (short for -O tstart)
    #[arg(short = 'm', long = "sort-by-start", help_heading = "Grouping")]
    pub(crate) by_start: bool,

    /// Output format: line, long, extended, csv, json, svg, fmt:TEXT and others
    ///
    /// svg draws groups (-s, -a, -A) and bins of time (--bin): svg:WHAT draws bytes, bps, packets, pps or flows, and
    /// svg:lines lines.
    #[arg(short = 'o', long = "output", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) output: Option<String>,

    /// Format where neither -o nor what is asked for says one (line)
    #[arg(long = "default-format", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) default_format: Option<String>,

    /// Define a format of text, for -o NAME and for %NAME in others; may be given several times
    ///
    /// TEXT is what may stand behind `fmt:`. In a configuration file: fmt.NAME = "TEXT".
    #[arg(long = "fmt", value_name = "NAME=TEXT", action = ArgAction::Append, help_heading = "Output")]
    pub(crate) text_formats: Vec<String>,

    /// Define a format of comma-separated values, as behind `csv:`; may be given several times
    #[arg(long = "csv", value_name = "NAME=TEXT", action = ArgAction::Append, help_heading = "Output")]
    pub(crate) csv_formats: Vec<String>,

    /// Print rows only: no header, no summary
    #[arg(short = 'q', long = "quiet", help_heading = "Output")]
    pub(crate) quiet: bool,

    /// Print plain numbers: no scaling, protocols by number
    #[arg(short = 'N', long = "plain-numbers", help_heading = "Output")]
    pub(crate) plain_numbers: bool,

    /// Print IPv6 addresses at full length
    #[arg(short = '6', long = "long-ipv6", help_heading = "Output")]
    pub(crate) long_ipv6: bool,

    /// Put the octet 0x01 in front of every address column
    #[arg(short = 'T', long = "tag-addresses", help_heading = "Output")]
    pub(crate) tag_addresses: bool,

    /// Bring a static site in DIR up to date: what each own host received and sent, for any web server
    ///
    /// An index of the hosts of --networks, and a page for each with graphs of a day, a week, a month and a year, peers and
    /// services. Flow files that are in it already are not counted again, so that it may run every five minutes.
    #[arg(long = "html", value_name = "DIR", help_heading = "Output")]
    pub(crate) html: Option<PathBuf>,

    /// Print the stored totals of the files and exit
    #[arg(short = 'I', long = "info", help_heading = "Files")]
    pub(crate) info: bool,

    /// Print a row of stored totals for each file, for gnuplot, and exit
    #[arg(short = 'g', long = "gnuplot", help_heading = "Files")]
    pub(crate) gnuplot: bool,

    /// Check that a file is whole and sound, and exit
    #[arg(short = 'v', long = "verify", value_name = "FILE", help_heading = "Files")]
    pub(crate) verify: Option<OsString>,

    /// List the exporters and samplers of a file, and exit
    #[arg(short = 'E', long = "exporters", value_name = "FILE", help_heading = "Files")]
    pub(crate) exporters: Option<OsString>,

    /// List the extension maps of a file of nfdump 1.6, and exit
    #[arg(short = 'x', long = "extension-maps", value_name = "FILE", help_heading = "Files")]
    pub(crate) extension_maps: Option<OsString>,

    /// Compress the selected files another way: 0 not, 3 LZ4, 4 zstd, or their names
    ///
    /// Each file is written anew and takes the place of the old one when it is whole. A level may follow the name:
    /// zstd:19.
    #[arg(
        short = 'J',
        long = "recompress",
        value_name = "METHOD",
        allow_hyphen_values = true,
        help_heading = "Files"
    )]
    pub(crate) recompress: Option<String>,

    /// Give the file of -r another ident
    #[arg(
        short = 'i',
        long = "ident",
        value_name = "IDENT",
        allow_hyphen_values = true,
        help_heading = "Files"
    )]
    pub(crate) ident: Option<String>,

    /// Write the matching flows to a file; - is standard output unless there is a file of that name
    #[arg(short = 'w', long = "write", value_name = "FILE", help_heading = "Output")]
    pub(crate) write: Option<PathBuf>,

    /// Layout of the file to write: columnar (ours), nfdump or nfdump-1.7.8
    ///
    /// `nfdump` is the layout of nfdump 1.7 as nfdump 1.7.1 reads it without complaint. `nfdump-1.7.8` has the elements
    /// of later releases, too: nfdump 1.7.1 reads such a file too, but complains on stderr about every record with one.
    #[arg(long = "file-format", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) file_format: Option<String>,

    /// Compress the file to write: lzo, lz4, bz2 or zstd, and a level behind a colon; -z is -z=lzo
    ///
    /// In nfdump's layout, which is not compressed without. Ours is always; there, zstd makes it smaller, and all other
    /// methods mean the same.
    #[arg(
        short = 'z',
        long = "compress",
        value_name = "METHOD",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "lzo",
        help_heading = "Output"
    )]
    pub(crate) compress: Option<String>,

    /// Short for -z=lz4
    #[arg(short = 'y', help_heading = "Output")]
    pub(crate) lz4: bool,

    /// Short for -z=bz2
    #[arg(short = 'j', help_heading = "Output")]
    pub(crate) bz2: bool,

    /// Count in the flows that are in no finished file yet
    ///
    /// Of the collectors that write to the selected directories. They come behind those of the files, and are complete up to
    /// about a second ago.
    #[arg(long = "live", conflicts_with = "follow", help_heading = "Input")]
    pub(crate) live: bool,

    /// Print flows as they are stored, from now on
    ///
    /// Until it is interrupted or nobody reads any more. The files that are selected say which directories.
    #[arg(long = "follow", help_heading = "Input")]
    pub(crate) follow: bool,

    /// Use N threads (all cores)
    #[arg(short = 'W', long = "threads", value_name = "N", help_heading = "Running")]
    pub(crate) threads: Option<usize>,

    /// Take at most this much memory for groups and rows, such as 512M (a quarter of what is available)
    ///
    /// What is more goes to temporary files in `TMPDIR` (/tmp), which have no name and so never stay behind. The answer is
    /// the same.
    #[arg(long = "max-memory", value_name = "SIZE", help_heading = "Running")]
    pub(crate) max_memory: Option<String>,

    /// Say on stderr how the answer came about: temporary files
    ///
    /// Without it, only where stderr is a terminal.
    #[arg(long = "verbose", help_heading = "Running")]
    pub(crate) verbose: bool,

    /// Say on stderr how many flows were lost on the way into the files, and why
    ///
    /// Without it, only where stderr is a terminal and something is missing. NetFlow v9 and sFlow count datagrams: what is
    /// missing of them is an estimate, marked with ~.
    #[arg(long = "loss", help_heading = "Running")]
    pub(crate) loss: bool,

    /// Speak as this generation of nfdump: 1.7, or 1.6
    ///
    /// Columns, lines, exit codes and standard input as the default input are those of nfdump 1.6.25 then. Where this is
    /// not given, the variable `RDUMP_DIALECT` counts.
    #[arg(long = "dialect", value_name = "GENERATION", help_heading = "Running")]
    pub(crate) dialect: Option<String>,

    /// Exit with 1 when any file or block could not be read
    #[arg(long = "strict", help_heading = "Running")]
    pub(crate) strict: bool,

    /// Totals behind the rows as json, whatever the format of these: json, or text
    ///
    /// One object on a line of its own, with -q, too.
    #[arg(long = "summary", value_name = "STYLE", help_heading = "Output")]
    pub(crate) summary: Option<String>,

    /// Database of Tor nodes; accepted without effect
    #[arg(short = 'H', value_name = "FILE", hide = true)]
    pub(crate) tor: Option<String>,

    /// Accepted without effect
    #[arg(short = 'Y', hide = true)]
    pub(crate) yaf: bool,

    /// Filter behind aggregation, which there is none of
    #[arg(short = 'P', value_name = "FILTER", allow_hyphen_values = true, hide = true)]
    pub(crate) post_filter: Option<String>,

    /// Key of anonymisation, which 1.6 had before nfanon
    #[arg(short = 'K', value_name = "KEY", hide = true)]
    pub(crate) anonymisation: Option<String>,

    /// Take countries, places and names of AS from MaxMind's databases: FILE, or several with commas between; or none
    ///
    /// For the tags %sc %dc %gsa %gdap %sloc %sasn %stz and the like, the statistics srcgeo, srcasn, srctz and the like,
    /// -A srcgeo,dstgeo,srcasn, and `geo CC` in filters. Without -o, flows are listed as gline.
    #[arg(short = 'G', long = "geo", value_name = "FILE", help_heading = "Selection")]
    pub(crate) geo: Option<String>,

    /// Read which networks are one's own from FILE, in the syntax of pmacct's `networks_file`
    ///
    /// One network a line, its name behind it. For `side`, `local ip`, `local net`, `peer ip`, `peer net` and `network` in
    /// filters, and for side, local, peer and network in -s and -A, or as the tags %side, %local, %peer and %network.
    #[arg(long = "networks", value_name = "FILE", help_heading = "Selection")]
    pub(crate) networks: Option<PathBuf>,

    /// Go on without the lines of --networks that cannot be used
    #[arg(long = "force", help_heading = "Selection")]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    /// Print the version and exit
    #[arg(short = 'V', long = "version", help_heading = "Running")]
    pub(crate) version: bool,

    /// Print help: -h short, --help long
    #[arg(short = 'h', long = "help", action = ArgAction::Help, help_heading = "Running")]
    pub(crate) help: Option<bool>,

    #[command(flatten, next_help_heading = "Running")]
    pub(crate) describe: Describe,

    /// Filter, for example: proto tcp and dst port 443
    #[arg(value_name = "FILTER")]
    pub(crate) filter: Vec<String>,
}
