//! What was typed: the one declaration of options, help and completions.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Parser};
use flow_cli::{ConfigArgs, Describe};

/// Collect flows from routers and switches: NetFlow, IPFIX and sFlow into rotating files.
///
/// Options are nfcapd's, with long names beside them; both its generations' command lines are understood. One port takes
/// every protocol.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "flags are what was typed; the plan gives them meaning")]
#[command(
    name = "rcapd",
    disable_version_flag = true,
    disable_help_flag = true,
    max_term_width = 100,
    group = clap::ArgGroup::new("compression").multiple(true).args(["compress", "lz4", "bz2"]),
    override_usage = "rcapd [OPTIONS] -w DIR\n       rcapd [OPTIONS] -n IDENT,IP,DIR ...\n       rcapd [OPTIONS] -M DIR",
    after_help = "\
Examples:
  rcapd -D -p 2055 -w /var/cache/flows -S 1 -I border -P /run/rcapd.pid
  rcapd -D -p 2055 -p 6343 -n border,192.0.2.1,/flows/border -n rest,10.0.0.0/8,/flows/rest -u flows
  rcapd -w flows -x 'sh /usr/local/bin/new-file %d/%f' -e
  rcapd -f capture.pcap -w flows"
)]
pub(crate) struct Args {
    /// Put files into DIR, which must exist
    ///
    /// Without a directory behind it, -w is nfcapd 1.6's flag that aligns files to the clock, which they always
    /// are.
    #[arg(short = 'w', short_alias = 'l', long = "directory", value_name = "DIR", help_heading = "Files")]
    pub(crate) directory: Option<PathBuf>,

    /// Put flows of exporter IP, or of a network IP/LENGTH, into DIR; may be repeated
    ///
    /// The longest prefix decides. Datagrams of all others are ignored and counted.
    #[arg(short = 'n', long = "source", value_name = "IDENT,IP,DIR", help_heading = "Files")]
    pub(crate) sources: Vec<String>,

    /// Read sources from FILE, one IDENT,IP,DIR a line
    #[arg(short = 'N', long = "source-file", value_name = "FILE", help_heading = "Files")]
    pub(crate) source_file: Option<PathBuf>,

    /// Put flows of each exporter into a directory of its own below DIR
    ///
    /// It is named after the exporter's address with dashes (192-0-2-1), which is also the ident. `--limit sources=N` says
    /// how many there may be.
    #[arg(short = 'M', long = "dynamic-sources", value_name = "DIR", help_heading = "Files")]
    pub(crate) dynamic_sources: Option<PathBuf>,

    /// Begin a file every SECONDS (300)
    ///
    /// Slots are aligned to multiples of SECONDS since 1970 UTC. Below 60, names have seconds.
    #[arg(
        short = 't',
        long = "interval",
        value_name = "SECONDS",
        allow_hyphen_values = true,
        help_heading = "Files"
    )]
    pub(crate) interval: Option<String>,

    /// Spread files over sub-directories, 0 to 8
    ///
    /// 0 none, 1 %Y/%m/%d, 2 %Y/%m/%d/%H, 3 %Y/%W/%u, 4 %Y/%W/%u/%H, 5 %Y/%j, 6 %Y/%j/%H, 7 %F, 8 %F/%H.
    #[arg(short = 'S', long = "sub-directories", value_name = "LEVEL", help_heading = "Files")]
    pub(crate) layout: Option<String>,

    /// Store IDENT in every file (none)
    #[arg(short = 'I', long = "ident", value_name = "IDENT", help_heading = "Files")]
    pub(crate) ident: Option<String>,

    /// Layout of the files: columnar (ours), nfdump or nfdump-1.7.8
    ///
    /// `nfdump` is the layout of nfdump 1.7 as nfdump 1.7.1 reads it without complaint. `nfdump-1.7.8` has the elements
    /// of later releases, too: nfdump 1.7.1 reads such files too, but complains on stderr about every record with one.
    #[arg(long = "file-format", value_name = "FORMAT", help_heading = "Files")]
    pub(crate) file_format: Option<String>,

    /// Compress: lzo, lz4, bz2 or zstd, and a level behind a colon; -z is -z=lzo
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
        help_heading = "Files"
    )]
    pub(crate) compress: Option<String>,

    /// Short for -z=lz4
    #[arg(short = 'y', action = ArgAction::SetTrue, help_heading = "Files")]
    pub(crate) lz4: bool,

    /// Short for -z=bz2
    #[arg(short = 'j', action = ArgAction::SetTrue, help_heading = "Files")]
    pub(crate) bz2: bool,

    /// End file names in the zone's offset: nfcapd.202611221300+0000
    #[arg(short = 'Z', long = "zone-offset", action = ArgAction::SetTrue, help_heading = "Files")]
    pub(crate) zone_offset: bool,

    /// Run COMMAND for every finished file, without a shell
    ///
    /// It is split at blanks; quotes mean nothing. %d is the data directory, %f the file's name below it, %t the time in
    /// its name, %u the same in seconds since 1970, %i the ident, %% a per cent sign. Commands run one after another, in a
    /// process of their own.
    #[arg(short = 'x', long = "execute", value_name = "COMMAND", help_heading = "Files")]
    pub(crate) execute: Option<OsString>,

    /// After each file, expire old ones by the limits that rexpire -u has stored
    #[arg(short = 'e', long = "expire", action = ArgAction::SetTrue, help_heading = "Files")]
    pub(crate) expire: bool,

    /// Listen on PORT, a number or a service (9995; as sfcapd 6343); may be repeated
    ///
    /// Every port takes NetFlow, IPFIX and sFlow.
    #[arg(short = 'p', long = "port", value_name = "PORT", help_heading = "Input")]
    pub(crate) ports: Vec<String>,

    /// Bind to HOST, an address or a name
    #[arg(short = 'b', long = "bind", value_name = "HOST", help_heading = "Input")]
    pub(crate) bind: Option<String>,

    /// Join multicast GROUP
    #[arg(short = 'J', long = "multicast", value_name = "GROUP", help_heading = "Input")]
    pub(crate) multicast: Option<String>,

    /// Send every datagram to HOST, too, port 9995 or PORT; may be repeated
    ///
    /// They keep the exporter's address as their source where we may make packets of our own (CAP_NET_RAW, as root).
    #[arg(short = 'R', long = "repeat", value_name = "HOST[/PORT]", help_heading = "Input")]
    pub(crate) repeat: Vec<String>,

    /// Take datagrams from these networks only: NET or NET,NET; may be repeated
    #[arg(long = "allow", value_name = "NET", help_heading = "Input")]
    pub(crate) allow: Vec<String>,

    /// Listen with IPv4
    #[arg(short = '4', long = "ipv4", action = ArgAction::SetTrue, help_heading = "Input")]
    pub(crate) ipv4: bool,

    /// Listen with IPv6
    #[arg(short = '6', long = "ipv6", action = ArgAction::SetTrue, help_heading = "Input")]
    pub(crate) ipv6: bool,

    /// Size of the socket's receive buffer (as large as allowed, up to 32 MiB)
    #[arg(
        short = 'B',
        long = "receive-buffer",
        value_name = "BYTES",
        allow_hyphen_values = true,
        help_heading = "Input"
    )]
    pub(crate) receive_buffer: Option<String>,

    /// Read a pcap, pcapng or IPFIX file instead of listening, and end
    ///
    /// The packets' time stamps decide in which file a flow is put, so that an hour of capture makes twelve files of
    /// five minutes. Times in which no packet came have no file.
    #[arg(short = 'f', long = "read-capture", value_name = "FILE", help_heading = "Input")]
    pub(crate) capture: Option<PathBuf>,

    /// Multiply packets and bytes by RATE where the exporter tells no rate; -RATE: always
    #[arg(
        short = 's',
        long = "sampling",
        value_name = "RATE",
        allow_hyphen_values = true,
        help_heading = "Input"
    )]
    pub(crate) sampling: Option<String>,

    /// Take addresses and ports of sampled packets from inside of GRE and IP tunnels
    ///
    /// The tunnel's own addresses and protocol are kept beside them, for the filter's `tunip` and `tun proto`.
    #[arg(long = "tunnels", action = ArgAction::SetTrue, help_heading = "Input")]
    pub(crate) tunnels: bool,

    /// Say what a capture tells about its exporters, and exit
    ///
    /// For each exporter: datagrams and flows, what is missing by sequence number, the skew of its clock, templates with
    /// what becomes of each element, samplers, names, elements that no field is for, what it does otherwise than its
    /// protocol says. Nothing is stored.
    #[arg(long = "explain", value_name = "FILE", help_heading = "Input")]
    pub(crate) explain: Option<PathBuf>,

    /// Set a bound on what exporters can make us keep or do; may be repeated. --limit list names them
    ///
    /// Reaching one costs the exporter that reached it, and is counted. `--limit list` prints names, values and meanings.
    #[arg(long = "limit", value_name = "NAME=VALUE", help_heading = "Input")]
    pub(crate) limits: Vec<String>,

    /// Look for what could stand in the collector's way, say what to do, and exit
    ///
    /// With the options of the collector: receive buffers, ports, the clock, space and speed of the disk, the kernel's filter
    /// of reverse paths, exporters that have fallen silent. The exit code is 1 when something has to be done.
    #[arg(long = "doctor", action = ArgAction::SetTrue, help_heading = "Running")]
    pub(crate) doctor: bool,

    /// Run in the background and log to syslog
    #[arg(short = 'D', long = "daemon", action = ArgAction::SetTrue, help_heading = "Running")]
    pub(crate) daemon: bool,

    /// Write the process id to FILE
    #[arg(short = 'P', long = "pid-file", value_name = "FILE", help_heading = "Running")]
    pub(crate) pid_file: Option<PathBuf>,

    /// Run as USER once the ports are open
    #[arg(short = 'u', long = "user", value_name = "USER", help_heading = "Running")]
    pub(crate) user: Option<String>,

    /// Run as GROUP once the ports are open (USER's)
    #[arg(short = 'g', long = "group", value_name = "GROUP", help_heading = "Running")]
    pub(crate) group: Option<String>,

    /// Give counters to Prometheus on ADDR:PORT, or on a Unix socket
    ///
    /// Everything that the collector counts, losses by source and by exporter, and every bound. A path has a `/` in it.
    #[arg(long = "metrics", value_name = "ADDR:PORT", help_heading = "Running")]
    pub(crate) metrics: Option<String>,

    /// Forget what exporters have told when the collector ends
    ///
    /// Without, templates, samplers, names and sequence numbers are kept in the data directory, as `.rcapd.state`, and known
    /// at the next start.
    #[arg(long = "no-state", action = ArgAction::SetTrue, help_heading = "Running")]
    pub(crate) no_state: bool,

    /// Keep all rights over files
    ///
    /// Without, where the kernel has Landlock, the collector can reach nothing but its data directories. Commands of -x are
    /// not restricted.
    #[arg(long = "no-sandbox", action = ArgAction::SetTrue, help_heading = "Running")]
    pub(crate) no_sandbox: bool,

    /// Log gaps in sequence numbers
    #[arg(short = 'r', long = "report-gaps", action = ArgAction::SetTrue, help_heading = "Running")]
    pub(crate) report_gaps: bool,

    /// Wait for the disk whenever flows were written
    ///
    /// Flows are on their way to the disk within a second: being killed costs no more. With --sync, a loss of power costs
    /// no more either, at the price of a disk that is written to every second.
    #[arg(long = "sync", action = ArgAction::SetTrue, help_heading = "Running")]
    pub(crate) sync: bool,

    #[command(flatten)]
    pub(crate) config: ConfigArgs,

    /// Print the version and exit
    #[arg(short = 'V', long = "version", action = ArgAction::SetTrue, help_heading = "Running")]
    pub(crate) version: bool,

    /// Print help: -h short, --help long
    #[arg(short = 'h', long = "help", action = ArgAction::Help, help_heading = "Running")]
    pub(crate) help: Option<bool>,

    /// Verbosity: accepted
    #[arg(short = 'v', value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "1", hide = true)]
    pub(crate) verbose: Vec<String>,

    /// Print records at arrival: accepted
    #[arg(short = 'E', action = ArgAction::SetTrue, hide = true)]
    pub(crate) print_records: bool,

    /// Interval of the metric exporter: accepted
    #[arg(short = 'i', value_name = "SECONDS", hide = true)]
    pub(crate) metric_interval: Option<String>,

    /// Socket of the metric exporter: accepted
    #[arg(short = 'm', value_name = "SOCKET", hide = true)]
    pub(crate) metric_socket: Option<String>,

    /// Extension list of nfcapd 1.6: accepted
    #[arg(short = 'T', value_name = "LIST", hide = true)]
    pub(crate) extensions: Option<String>,

    /// Extension list of nfcapd 1.7.8: accepted; without one, as in 1.6, what there is to choose from
    #[arg(short = 'X', value_name = "LIST", num_args = 0..=1, default_missing_value = "", hide = true)]
    pub(crate) more_extensions: Option<String>,

    /// Number of workers: accepted
    #[arg(short = 'W', value_name = "N", hide = true)]
    pub(crate) workers: Option<String>,

    /// YAF input: accepted
    #[arg(short = 'Y', value_name = "FILE", hide = true)]
    pub(crate) yaf: Option<String>,

    /// Keep the source address of repeated datagrams, which we do anyway
    #[arg(short = 'A', action = ArgAction::SetTrue, hide = true)]
    pub(crate) spoof: bool,

    /// Capture from an interface
    #[arg(short = 'd', value_name = "DEVICE", hide = true)]
    pub(crate) device: Option<String>,

    #[command(flatten)]
    pub(crate) describe: Describe,

    /// One is ignored, as nfcapd does
    #[arg(value_name = "OPERAND", hide = true)]
    pub(crate) operands: Vec<String>,
}
