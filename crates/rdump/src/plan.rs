//! What it means: the validated plan, free of clap.

use crate::args::Args;
use crate::bins::Binning;
use crate::dialect::Dialect;
use crate::picture::Picture;
use anyhow::{Error, anyhow};
use flow_cli::{ByteSize, ExitCode, TimeSpec, WithExitCode, compression_argument};
use flow_file::{BlockCompression, FileFormat, FileSelection};
use flow_model::{
    Aggregate, Field, FieldSet, Order, Statistic, aggregate_by_name, field_info, statistic_by_name,
};
use flow_output::{Format, FormatError, Formats, OutputOptions, Zone};
use flow_query::{Bound, Bounds, Direction, KeyPart, StatSpec};
use std::io::IsTerminal;
use std::path::PathBuf;

/// Whether something is told of beside the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Always,
    IfAny,
    Never,
}

/// Everything a run needs to know.
#[expect(clippy::struct_excessive_bools, reason = "each is a question of its own")]
pub(crate) struct Plan {
    pub(crate) dialect: &'static Dialect,
    pub(crate) selection: FileSelection,
    pub(crate) window: Option<TimeSpec>,
    pub(crate) filter: FilterSource,
    /// Databases of places.
    pub(crate) geo: Vec<PathBuf>,
    /// The list of own networks.
    pub(crate) networks: Option<PathBuf>,
    /// Whether lines of it that cannot be used are left out.
    pub(crate) force: bool,
    /// The fields of `-A`, which json has keys for where they are about own networks.
    pub(crate) key_fields: FieldSet,
    /// Who knows the host names in the filter; `None` is the system.
    pub(crate) name_server: Option<String>,
    pub(crate) limit: Option<u64>,
    pub(crate) threads: usize,
    /// Octets that may be taken for what grows with the input; `None` = what the machine has to spare.
    pub(crate) max_memory: Option<u64>,
    /// Whether to say how the answer came about.
    pub(crate) verbose: bool,
    /// Whether losses are told of.
    pub(crate) loss: Told,
    pub(crate) format: Format,
    pub(crate) options: OutputOptions,
    pub(crate) mode: Mode,
    /// How the answer is cut into bins of time, if it is.
    pub(crate) binning: Option<Binning>,
    /// How the answer is drawn, if it is.
    pub(crate) picture: Option<Picture>,
    /// Whether the summary is json, whatever the format.
    pub(crate) json_summary: bool,
    pub(crate) strict: bool,
    /// Whether flows count that are in no finished file yet.
    pub(crate) live: bool,
    /// Whether to print flows as they are stored.
    pub(crate) follow: bool,
    /// Lines for stderr which nfdump prints too.
    pub(crate) notices: Vec<&'static str>,
}

/// Where the filter comes from.
pub(crate) enum FilterSource {
    /// The command line.
    Text(String),
    /// `-f`
    File(PathBuf),
}

/// What to do with the matching flows.
pub(crate) enum Mode {
    CheckFilter,
    ExplainFilter,
    Files(FileTask),
    List,
    Sort {
        order: SortOrder,
        top: usize,
    },
    Aggregate {
        grouping: Grouping,
        order: Option<SortOrder>,
        top: usize,
        bounds: Bounds,
    },
    Statistics {
        records: Vec<RecordStatistic>,
        elements: Vec<StatSpec>,
        grouping: Grouping,
        bounds: Bounds,
    },
    /// `--html`
    Pages(PathBuf),
    Write {
        path: PathBuf,
        format: FileFormat,
        order: Option<SortOrder>,
        grouping: Option<Grouping>,
        bounds: Bounds,
    },
}

/// What to do with files themselves, whatever flows they hold.
pub(crate) enum FileTask {
    /// `-I`
    Info,
    /// `-g`
    Gnuplot,
    /// `-v`
    Verify,
    /// `-E`
    Exporters,
    /// `-x`
    ExtensionMaps,
    /// `-J`
    Recompress(BlockCompression),
    /// `-i`
    Ident(String),
}

/// An order and its direction.
#[derive(Clone, Copy)]
pub(crate) struct SortOrder {
    pub(crate) order: Order,
    pub(crate) ascending: bool,
}

/// By what flows are grouped.
#[derive(Clone)]
pub(crate) struct Grouping {
    pub(crate) key: Vec<KeyPart>,
    /// Whether fields outside the key show the group's first record (`-a`), or nothing (`-A`).
    pub(crate) keep_first: bool,
    pub(crate) direction: Direction,
}

/// One table of `-s record`.
pub(crate) struct RecordStatistic {
    pub(crate) order: SortOrder,
    pub(crate) top: usize,
}

/// What is printed when nobody says how (D-01).
const DEFAULT_FORMAT: &str = "line";

/// The same when countries are known.
const DEFAULT_GEO_FORMAT: &str = "gline";

/// Rows of a statistic when `-n` is not given.
const DEFAULT_TOP: usize = 10;

const FOLLOWING: &str =
    "--follow lists flows as they come: no statistics, no order, no file, and no json (but ndjson)";
const SITE_OF_WHAT: &str = "--html is about your own hosts: --networks FILE says which these are";
const LIVE_FLOWS: &str = "--live is about flows, not about files or sites";

impl Plan {
    /// Makes sense of the arguments.
    ///
    /// # Errors
    /// nfdump's message for what cannot be understood.
    pub(crate) fn new(mut args: Args, dialect: &'static Dialect) -> Result<Plan, Error> {
        let mut notices = Vec::new();
        for (given, why) in [
            (args.post_filter.is_some(), "-P is not available: there is no filter behind aggregation"),
            (args.anonymisation.is_some(), "-K is not available: addresses are not anonymised here"),
        ] {
            if given {
                return Err(usage(format!("Option {why}")));
            }
        }
        if args.tor.is_some() {
            notices.push("Option -H is accepted without effect");
        }
        if args.yaf {
            notices.push("Option -Y is accepted without effect");
        }
        let json_summary = match args.summary.as_deref() {
            Some("json") => true,
            Some("text") | None => false,
            Some(other) => return Err(usage(format!("Unknown style of summary '{other}': json or text"))),
        };
        let max_memory: Option<ByteSize> = args
            .max_memory
            .as_deref()
            .map(str::parse)
            .transpose()
            .map_err(|error| usage(format!("{error}")))?;
        let max_memory = max_memory.map(ByteSize::bytes);
        let limit = args.count.as_deref().map(count_limit).transpose()?;
        let top = args.top.as_deref().map(top_lines).transpose()?;
        let window =
            args.time.as_deref().map(str::parse).transpose().map_err(|error| usage(format!("{error}")))?;
        let order = match (&args.order, args.by_start) {
            (Some(text), _) => Some(sort_order(text)?),
            (None, true) => Some(SortOrder { order: Order::Start, ascending: true }),
            (None, false) => None,
        };
        if args.by_start {
            notices.push("Option -m deprecated. Use '-O tstart' instead");
        }
        let direction = match (args.bidirectional, args.client_first) {
            (_, true) => Direction::ClientFirst,
            (true, false) => Direction::Both,
            (false, false) => Direction::OneWay,
        };
        if direction != Direction::OneWay && !args.aggregate_by.is_empty() {
            return Err(usage("Can not set custom aggregation in bidir mode".to_owned()));
        }
        let bounds = Bounds {
            packets: args.packet_limit.as_deref().map(bound).transpose().exit_with(ExitCode::Files)?,
            bytes: args.byte_limit.as_deref().map(bound).transpose().exit_with(ExitCode::Files)?,
        };
        let (grouping, columns) = grouping(&args)?;
        let key_fields: FieldSet =
            grouping.iter().flat_map(|grouping| &grouping.key).map(|part| part.field).collect();
        let picture = args.output.as_deref().map(Picture::parse).transpose()?.flatten();
        let binning = Binning::new(&args, columns.as_deref(), dialect.window_unit_ms - 1, picture.as_ref())?;
        let formats =
            Formats::new(dialect.release, &args.text_formats, &args.csv_formats).map_err(usage_of)?;
        let geo: Vec<PathBuf> = match args.geo.as_deref() {
            None | Some("none" | "") => Vec::new(),
            Some(paths) => paths.split(',').map(PathBuf::from).collect(),
        };
        let usual = if geo.is_empty() { DEFAULT_FORMAT } else { DEFAULT_GEO_FORMAT };
        let default = args.default_format.as_deref().unwrap_or(usual);
        let default = formats.parse(default).map_err(usage_of)?;
        let format = match (&args.output, columns) {
            (Some(_), _) if picture.is_some() => default,
            (Some(text), _) => formats.parse(text).map_err(usage_of)?,
            (None, Some(columns)) if !columns.is_empty() => Format::aggregate(&columns),
            (None, _) if direction != Direction::OneWay => formats.parse("biline").map_err(usage_of)?,
            (None, _) => default,
        };
        let (records, elements) = statistics(&args.statistics, top.unwrap_or(DEFAULT_TOP), bounds)?;
        if !records.is_empty() && order.is_some() {
            return Err(usage("-s record and -O (-m) are mutually exclusive options".to_owned()));
        }
        let format = of_groups(format, key_fields, &elements).map_err(usage_of)?;
        let counted = elements.iter().flat_map(|spec| spec.statistic.fields).copied().collect();
        if args.networks.is_none()
            && let Some(field) = key_fields.union(counted).intersect(FieldSet::OWN).iter().next()
        {
            return Err(needs_networks(field));
        }
        let format_to_write = file_format(&args)?;
        // nfdump prints its tables without headings then, and writes nothing.
        let quiet = args.quiet || args.write.is_some();
        let grouped = args.aggregate || !args.aggregate_by.is_empty() || direction != Direction::OneWay;
        let (task, only) = file_task(&mut args)?;
        let mode = if args.explain_filter {
            Mode::ExplainFilter
        } else if args.check_filter {
            Mode::CheckFilter
        } else if let Some(task) = task {
            Mode::Files(task)
        } else if let Some(directory) = args.html {
            if args.networks.is_none() {
                return Err(usage(SITE_OF_WHAT.to_owned()));
            }
            Mode::Pages(directory)
        } else if !args.statistics.is_empty() {
            if args.aggregate {
                notices.push("Command line switch -s overwrites -a");
            }
            if !args.aggregate_by.is_empty() && records.is_empty() {
                notices.push("Warning: Aggregation ignored for element statistics");
            }
            // nfdump leaves the sides of statistics as they are.
            let direction = if direction == Direction::OneWay { direction } else { Direction::Both };
            let grouping = grouping.unwrap_or_else(|| five_tuple(direction));
            Mode::Statistics { records, elements, grouping, bounds }
        } else if let Some(path) = args.write {
            let grouping = grouped.then(|| grouping.unwrap_or_else(|| five_tuple(direction)));
            Mode::Write { path, format: format_to_write, order, grouping, bounds }
        } else if grouped {
            let grouping = grouping.unwrap_or_else(|| five_tuple(direction));
            // A row for each group and bin is too much to be usual.
            let order = if binning.is_some() { Some(Binning::order(order)) } else { order };
            let usual = if binning.is_some() { DEFAULT_TOP } else { 0 };
            Mode::Aggregate { grouping, order, top: top.unwrap_or(usual), bounds }
        } else if let Some(order) = order {
            Mode::Sort { order, top: top.unwrap_or(0) }
        } else {
            Mode::List
        };
        let lists_flows = match &mode {
            Mode::List | Mode::Sort { .. } => true,
            Mode::Write { grouping, .. } => grouping.is_none(),
            _ => false,
        };
        if lists_flows && bounds != Bounds::default() {
            return Err(usage(LIMITS_OF_A_LISTING.to_owned())).exit_with(ExitCode::Files);
        }
        if let Some(objection) = binning.as_ref().and_then(|bins| bins.objection(&mode, picture.as_ref())) {
            return Err(usage(objection.to_owned())).exit_with(dialect.failure);
        }
        if args.follow && (!matches!(mode, Mode::List) || binning.is_some() || format.is_one_document()) {
            return Err(usage(FOLLOWING.to_owned())).exit_with(dialect.failure);
        }
        if args.live && matches!(mode, Mode::Files(_) | Mode::Pages(_)) {
            return Err(usage(LIVE_FLOWS.to_owned())).exit_with(dialect.failure);
        }
        Ok(Plan {
            dialect,
            selection: only.unwrap_or(FileSelection {
                single: args.read,
                ranges: args.ranges,
                sources: args.sources,
            }),
            window,
            filter: match args.filter_file {
                Some(path) if args.filter.is_empty() => FilterSource::File(path),
                _ => FilterSource::Text(args.filter.join(" ")),
            },
            geo,
            networks: args.networks,
            force: args.force,
            key_fields,
            name_server: args.name_server,
            limit,
            threads: args.threads.unwrap_or(0),
            max_memory,
            loss: match (args.loss, std::io::stderr().is_terminal()) {
                (true, _) => Told::Always,
                (false, true) => Told::IfAny,
                (false, false) => Told::Never,
            },
            verbose: args.verbose || std::io::stderr().is_terminal(),
            options: OutputOptions {
                long_ipv6: args.long_ipv6,
                plain_numbers: args.plain_numbers,
                quiet,
                mark_addresses: args.tag_addresses,
                zone: Zone::local(),
                release: dialect.release,
            },
            format,
            mode,
            binning,
            picture,
            json_summary,
            strict: args.strict,
            live: args.live,
            follow: args.follow,
            notices,
        })
    }
}

/// nfdump's answer to `-l` or `-L` where flows are not added up.
const LIMITS_OF_A_LISTING: &str = "\
Options -l and -L do not make sense for plain packet dumps.
Use -l and -L together with -s -S or -a.
Use netflow filter syntax to limit the number of packets and bytes in netflow records.";

/// What is said where a computed field is asked for that only the list of own networks can tell.
pub(crate) fn needs_networks(field: Field) -> Error {
    let name = field_info(field).csv.unwrap_or(field_info(field).name);
    usage(format!("'{name}' needs to know which networks are your own: --networks FILE"))
}

fn usage(message: String) -> Error {
    anyhow!(message)
}

fn usage_of(error: FormatError) -> Error {
    anyhow!(error)
}

/// The task that the options name, and the files if the option names those too. Where several are given, the one
/// that nfdump carries out.
fn file_task(args: &mut Args) -> Result<(Option<FileTask>, Option<FileSelection>), Error> {
    let named = [
        (args.verify.take(), FileTask::Verify),
        (args.exporters.take(), FileTask::Exporters),
        (args.extension_maps.take(), FileTask::ExtensionMaps),
    ];
    for (path, task) in named {
        if path.is_some() {
            return Ok((Some(task), Some(FileSelection { single: path, ..FileSelection::default() })));
        }
    }
    let task = if let Some(text) = &args.recompress {
        Some(FileTask::Recompress(recompression(text)?))
    } else if let Some(ident) = args.ident.take() {
        if ident.contains(char::is_whitespace) {
            return Err(usage("Ident must not contain spaces".to_owned()));
        }
        if ident.is_empty() {
            return Err(usage("Ident must not be empty".to_owned()));
        }
        if !args.ranges.is_empty() || args.sources.is_some() {
            return Err(usage("Option -i changes the one file that -r names".to_owned()));
        }
        Some(FileTask::Ident(ident))
    } else if args.info {
        Some(FileTask::Info)
    } else {
        args.gnuplot.then_some(FileTask::Gnuplot)
    };
    Ok((task, None))
}

/// A number as in 1.7.1, or a name as in later releases; both may have a level behind a colon.
fn recompression(text: &str) -> Result<BlockCompression, Error> {
    let (name, level) = text.split_at(text.find(':').unwrap_or(text.len()));
    let names = ["none", "lzo", "bz2", "lz4", "zstd"];
    let numbered = name.parse::<usize>().ok().and_then(|number| names.get(number)).copied();
    let known = match numbered.unwrap_or(&name.to_ascii_lowercase()) {
        "none" if level.is_empty() => Some(BlockCompression::None),
        name => format!("{name}{level}").parse().ok(),
    };
    known.ok_or_else(|| {
        usage(format!(
            "Expected -J <num>, 0: uncompressed, 1: LZO, 2: BZ2, 3: LZ4, 4: ZSTD compressed, not '{text}'"
        ))
    })
}

fn count_limit(text: &str) -> Result<u64, Error> {
    text.trim()
        .parse()
        .ok()
        .filter(|&count| count > 0)
        .ok_or_else(|| usage("Option -c needs a number > 0".to_owned()))
}

fn top_lines(text: &str) -> Result<usize, Error> {
    text.trim().parse().map_err(|_| usage(format!("TopnN number {text} out of range")))
}

/// `[+|-]N[b|k|m|g|t]`, in steps of 1,000.
fn bound(text: &str) -> Result<Bound, Error> {
    let (below, number) = match text.strip_prefix('-') {
        Some(number) => (true, number),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, unit) = number.split_at(number.bytes().take_while(u8::is_ascii_digit).count());
    let factor: Option<u64> = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" => Some(1_000),
        "m" => Some(1_000_000),
        "g" => Some(1_000_000_000),
        "t" => Some(1_000_000_000_000),
        _ => None,
    };
    let count: u64 = digits.parse().map_err(|_| usage(format!("Can't understand '{text}'")))?;
    let count = factor
        .and_then(|factor| count.checked_mul(factor))
        .ok_or_else(|| usage(format!("Can't understand '{unit}' in '{text}'")))?;
    Ok(if below { Bound::Below(count) } else { Bound::Above(count) })
}

/// The format with the columns that are by what flows are grouped by: the key, or each of the elements.
fn of_groups(format: Format, key: FieldSet, elements: &[StatSpec]) -> Result<Format, FormatError> {
    let of_element = |spec: &StatSpec| match spec.statistic.fields {
        [field] => vec![*field],
        // Two columns could not show what is the source here and the destination there.
        _ => Vec::new(),
    };
    let keys = if elements.is_empty() {
        vec![key.iter().collect()]
    } else {
        elements.iter().map(of_element).collect()
    };
    keys.iter().try_fold(format, |format, key: &Vec<Field>| format.for_groups(key))
}

/// `--file-format`, `-z`, `-y` and `-j`
fn file_format(args: &Args) -> Result<FileFormat, Error> {
    let method = compression_argument(args.compress.as_deref(), args.lz4, args.bz2)?;
    let method = method.map(str::parse).transpose()?;
    Ok(FileFormat::named(args.file_format.as_deref(), method)?)
}

/// Splits `order[:a|:d]`.
fn direction(text: &str) -> Option<(&str, Option<bool>)> {
    match text.split_once(':') {
        None => Some((text, None)),
        Some((order, direction)) if direction.eq_ignore_ascii_case("a") => Some((order, Some(true))),
        Some((order, direction)) if direction.eq_ignore_ascii_case("d") => Some((order, Some(false))),
        Some(_) => None,
    }
}

fn sort_order(text: &str) -> Result<SortOrder, Error> {
    direction(text)
        .and_then(|(name, ascending)| {
            let order = Order::by_name(name)?;
            Some(SortOrder { order, ascending: ascending.unwrap_or(order.ascends()) })
        })
        .ok_or_else(|| usage(format!("Unknown print order '{text}'")))
}

/// The `-s` arguments: tables over records, in their fixed order, and statistics over elements as typed.
fn statistics(
    texts: &[String],
    top: usize,
    bounds: Bounds,
) -> Result<(Vec<RecordStatistic>, Vec<StatSpec>), Error> {
    let mut records = Vec::new();
    let mut elements = Vec::new();
    for text in texts {
        let arg = StatisticArg::parse(text).ok_or_else(|| usage(format!("Unknown stat: '{text}'!")))?;
        match arg.element {
            None => records.extend(arg.orders.iter().map(|&order| RecordStatistic {
                order: SortOrder { order, ascending: arg.ascending.unwrap_or(order.ascends()) },
                top,
            })),
            Some(statistic) => elements.push(StatSpec {
                statistic,
                by_proto: arg.by_proto || statistic.by_proto,
                orders: arg.orders,
                ascending: arg.ascending,
                top,
                bounds,
            }),
        }
    }
    if elements.len() > MAX_ELEMENT_STATISTICS {
        return Err(usage(format!("Too many stat options! Maximum {MAX_ELEMENT_STATISTICS} allowed")));
    }
    records.sort_by_key(|record| record.order.order);
    Ok((records, elements))
}

/// As many element statistics nfdump takes in one run.
const MAX_ELEMENT_STATISTICS: usize = 8;

/// `name[:p][/order[:a|:d]...]`
struct StatisticArg {
    /// `None` is `record`.
    element: Option<&'static Statistic>,
    by_proto: bool,
    /// Ascending by their declaration, which is the order tables are printed in.
    orders: Vec<Order>,
    ascending: Option<bool>,
}

impl StatisticArg {
    fn parse(text: &str) -> Option<StatisticArg> {
        let mut parts = text.split('/');
        // Whatever follows a colon behind the name asks for rows by protocol: nfdump does not look at it.
        let (name, by_proto) = match parts.next()?.split_once(':') {
            Some((name, _)) => (name, true),
            None => (text.split('/').next()?, false),
        };
        let element = if name.eq_ignore_ascii_case("record") { None } else { Some(statistic_by_name(name)?) };
        let mut orders = Vec::new();
        let mut ascending = None;
        for part in parts {
            let (name, said) = direction(part)?;
            let order = Order::by_name(name)?;
            if element.is_some() && order > Order::OutBpp {
                return None;
            }
            if !orders.contains(&order) {
                orders.push(order);
            }
            ascending = said.or(ascending);
        }
        if orders.is_empty() {
            orders.push(Order::Flows);
        }
        orders.sort_unstable();
        Some(StatisticArg { element, by_proto, orders, ascending })
    }
}

/// `-a`, `-b`, `-B`
fn five_tuple(direction: Direction) -> Grouping {
    Grouping { key: flow_query::Aggregate::five_tuple(), keep_first: true, direction }
}

type Columns = Vec<&'static Aggregate>;

/// `-A`: the key, and the columns that the automatic format prints.
fn grouping(args: &Args) -> Result<(Option<Grouping>, Option<Columns>), Error> {
    let list = match args.aggregate_by.as_slice() {
        [] => return Ok((None, None)),
        [list] => list,
        _ => return Err(usage("Multiple aggregation masks not allowed".to_owned())),
    };
    let mut key: Vec<KeyPart> = Vec::new();
    let mut columns = Columns::new();
    for name in list.split(',').filter(|name| !name.is_empty()) {
        let (column, part) = key_part(name)?;
        if columns.iter().any(|known| known.name == column.name) && key.contains(&part) {
            return Err(usage(format!("Duplicate aggregation mask: {name}")));
        }
        columns.push(column);
        key.push(part);
    }
    if key.is_empty() {
        return Err(usage("No aggregation specified!".to_owned()));
    }
    Ok((Some(Grouping { key, keep_first: false, direction: Direction::OneWay }), Some(columns)))
}

fn key_part(text: &str) -> Result<(&'static Aggregate, KeyPart), Error> {
    let unknown = || usage(format!("Unknown aggregation field '{text}'"));
    let (name, bits) = match text.split_once('/') {
        Some((name, bits)) => (name, Some(bits)),
        None => (text, None),
    };
    let lower = name.to_ascii_lowercase();
    if let Some((base, family)) =
        ["srcip", "dstip"].iter().find_map(|base| Some((*base, lower.strip_prefix(base)?)))
        && matches!(family, "4" | "6")
    {
        let Some(bits) = bits else {
            return Err(usage(format!("'{text}' needs number of subnet bits to aggregate")));
        };
        let most = if family == "4" { 32 } else { 128 };
        let bits = bits
            .parse()
            .ok()
            .filter(|bits| (1..=most).contains(bits))
            .ok_or_else(|| usage(format!("Subnet mask length '{bits}' out of range for IPv{family}")))?;
        let column = aggregate_by_name(base).ok_or_else(unknown)?;
        let mut part = key_of(column).ok_or_else(unknown)?;
        if family == "4" {
            part.v4_prefix = Some(bits);
        } else {
            part.v6_prefix = Some(bits);
        }
        return Ok((column, part));
    }
    if bits.is_some() {
        return Err(unknown());
    }
    let column = aggregate_by_name(name).ok_or_else(unknown)?;
    let mut part = key_of(column).ok_or_else(unknown)?;
    match column.name {
        "srcnet" => part.mask = Some(Field::SrcMask),
        "dstnet" => part.mask = Some(Field::DstMask),
        // Labels are compared without their experimental bits and end of stack.
        _ if Field::MPLS.contains(&part.field) => part.bits = Some(0xff_fff0),
        _ => {}
    }
    Ok((column, part))
}

fn key_of(column: &Aggregate) -> Option<KeyPart> {
    match column.source {
        flow_model::Source::Field(field) => Some(KeyPart::field(field)),
        flow_model::Source::Derived(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statistic_has_a_name_a_protocol_flag_and_orders() {
        let arg = StatisticArg::parse("dstport:p/bytes:a/flows").unwrap();
        assert_eq!(arg.element.unwrap().name, "dstport");
        assert!(arg.by_proto);
        assert_eq!(arg.orders, [Order::Flows, Order::Bytes]);
        assert_eq!(arg.ascending, Some(true));
        assert_eq!(StatisticArg::parse("SRCIP").unwrap().orders, [Order::Flows]);
        assert!(StatisticArg::parse("record/tstart").unwrap().element.is_none());
        for wrong in ["", "nothing", "srcip/", "srcip/tstart", "srcip/bytes:x", "srcip/bite"] {
            assert!(StatisticArg::parse(wrong).is_none(), "{wrong}");
        }
    }

    #[test]
    fn compressions_have_numbers_names_and_levels() {
        for (text, expected) in [
            ("0", BlockCompression::None),
            ("1", BlockCompression::Lzo),
            ("2", BlockCompression::Bz2(9)),
            ("3", BlockCompression::Lz4),
            ("4", BlockCompression::Zstd(3)),
            ("LZ4:9", BlockCompression::Lz4),
            ("zstd:19", BlockCompression::Zstd(19)),
            ("4:1", BlockCompression::Zstd(1)),
            ("none", BlockCompression::None),
        ] {
            assert_eq!(recompression(text).ok(), Some(expected), "{text}");
        }
        for wrong in ["", "5", "-1", "zstd:", "zstd:23", "0:1", "none:", "gzip", "zstd:1:1", ":", "3 "] {
            assert_eq!(recompression(wrong).ok(), None, "{wrong}");
        }
    }

    #[test]
    fn limits_have_signs_and_decimal_units() {
        for (text, expected) in [
            ("10", Bound::Above(10)),
            ("+10b", Bound::Above(10)),
            ("-2K", Bound::Below(2_000)),
            ("3m", Bound::Above(3_000_000)),
            ("-4G", Bound::Below(4_000_000_000)),
            ("5t", Bound::Above(5_000_000_000_000)),
        ] {
            assert_eq!(bound(text).ok(), Some(expected), "{text}");
        }
        let message = |text: &str| bound(text).err().unwrap().to_string();
        assert_eq!(message("1x"), "Can't understand 'x' in '1x'");
        assert_eq!(message("99999999t"), "Can't understand 't' in '99999999t'");
        assert_eq!(message("b"), "Can't understand 'b'");
        assert_eq!(message(""), "Can't understand ''");
        assert_eq!(message("--1"), "Can't understand '--1'");
    }

    #[test]
    fn aggregation_fields_take_prefixes_by_family() {
        let (column, part) = key_part("srcip4/24").ok().unwrap();
        assert_eq!(
            (column.tag, part.field, part.v4_prefix, part.v6_prefix),
            ("sa", Field::SrcAddr, Some(24), None)
        );
        let message = |text: &str| key_part(text).err().unwrap().to_string();
        assert_eq!(message("srcip4"), "'srcip4' needs number of subnet bits to aggregate");
        assert_eq!(message("dstip6/0"), "Subnet mask length '0' out of range for IPv6");
        assert_eq!(message("nix"), "Unknown aggregation field 'nix'");
        assert_eq!(message("srcip/24"), "Unknown aggregation field 'srcip/24'");
    }
}
