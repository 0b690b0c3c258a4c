//! Answers in bins of time (`--bin`).

use crate::args::Args;
use crate::output::Output;
use crate::picture::Picture;
use crate::plan::{Mode, Plan, SortOrder};
use crate::query::{aggregate, ranking, span_ms};
use anyhow::{Context, bail};
use flow_cli::Span;
use flow_model::{
    Aggregate, Before, Field, FieldSet, FlowBatch, Order, Selection, Totals, aggregate_by_name,
};
use flow_output::{
    Format, OutputOptions, Rates, RecordPrinter, Series, SeriesPrinter, SeriesTable, StatisticPrinter,
    StatisticTable,
};
use flow_query::{
    Alignment, BinTable, Binned, Grid, Percentile, Placement, Query, Ranking, Report, StatSpec, Statistics,
    Timeline, run,
};
use std::sync::Arc;

/// How flows are put into bins.
pub(crate) struct Binning {
    /// Where bins begin; `None` for one that takes in everything.
    grid: Option<Grid>,
    placement: Placement,
    /// Instead of the bins, what their rates seldom exceed.
    percentile: Option<Percentile>,
    /// The fields that make a group of flows.
    columns: Vec<&'static Aggregate>,
}

/// What `-a` and `-s record` group by.
const FIVE_TUPLE: [&str; 5] = ["proto", "srcip", "srcport", "dstip", "dstport"];

impl Binning {
    /// What the options say; `columns` are those of `-A`, and flows end at most so many ms behind a window. Of a picture of
    /// something else, one bin is made that takes in everything.
    pub(crate) fn new(
        args: &Args,
        columns: Option<&[&'static Aggregate]>,
        beyond_ms: u64,
        picture: Option<&Picture>,
    ) -> anyhow::Result<Option<Binning>> {
        let five_tuple = || FIVE_TUPLE.into_iter().filter_map(aggregate_by_name).collect();
        let columns = columns.map_or_else(five_tuple, <[_]>::to_vec);
        let Some(width) = &args.bin else {
            let others = [
                (args.bin_by.is_some(), "--bin-by"),
                (args.bin_align.is_some(), "--bin-align"),
                (args.percentile.is_some(), "--percentile"),
            ];
            if let Some((_, name)) = others.into_iter().find(|(is_given, _)| *is_given) {
                bail!("{name} is about bins of time: it needs --bin");
            }
            let whole = Binning { grid: None, placement: Placement::First, percentile: None, columns };
            return Ok(picture.is_some().then_some(whole));
        };
        let width: Span = width.parse().context("--bin")?;
        let placement = match args.bin_by.as_deref().unwrap_or("spread") {
            "spread" => Placement::Spread,
            "first" => Placement::First,
            "last" => Placement::Last,
            "inside" => Placement::Inside { beyond_ms },
            other => bail!("unknown --bin-by `{other}`: spread, first, last or inside"),
        };
        let alignment = match args.bin_align.as_deref().unwrap_or("clock") {
            "clock" => Alignment::Clock,
            "start" => Alignment::Start,
            other => bail!("unknown --bin-align `{other}`: clock or start"),
        };
        let percentile = args.percentile.as_deref().map(str::parse).transpose().context("--percentile")?;
        Ok(Some(Binning {
            grid: Some(Grid { width: width.seconds(), alignment }),
            placement,
            percentile,
            columns,
        }))
    }

    /// Which groups have a row of their own where nobody says: of those with most bytes.
    pub(crate) fn order(order: Option<SortOrder>) -> SortOrder {
        order.unwrap_or(SortOrder { order: Order::Bytes, ascending: false })
    }

    /// What stands against an answer in bins, or as a picture, if anything does.
    pub(crate) fn objection(&self, mode: &Mode, picture: Option<&Picture>) -> Option<&'static str> {
        let tables = match mode {
            Mode::Sort { .. } | Mode::Write { .. } | Mode::Files(_) | Mode::Pages(_) => {
                return Some(IMPOSSIBLE);
            }
            Mode::Statistics { elements, .. } if elements.iter().any(is_about_ends) => return Some(NO_ENDS),
            Mode::Statistics { records, elements, .. } => {
                records.len() + elements.iter().map(|spec| spec.orders.len()).sum::<usize>()
            }
            Mode::List if self.grid.is_none() => return Some(NOTHING_TO_DRAW),
            _ => 1,
        };
        match picture {
            Some(_) if tables > 1 => Some(ONE_PICTURE),
            Some(picture) if self.grid.is_none() && picture.is_of_rates() => Some(NO_RATES),
            _ => None,
        }
    }
}

const IMPOSSIBLE: &str = "--bin and -o svg are about all flows, or groups of them (-s, -a, -A): not about flows in order, \
files or what is written";
const NO_ENDS: &str =
    "--bin and -o svg do not go with -s local, peer or network; --html draws own hosts over time";
const NOTHING_TO_DRAW: &str = "-o svg draws groups (-s, -a, -A), or bins of time (--bin)";
const ONE_PICTURE: &str = "-o svg draws one table: one -s with one order";
const NO_RATES: &str = "-o svg draws rates in bins of time only: it needs --bin";

/// Whether a statistic counts both own ends of a flow.
fn is_about_ends(spec: &StatSpec) -> bool {
    matches!(spec.statistic.fields, [Field::LocalAddr | Field::PeerAddr | Field::LocalNetwork])
}

/// Answers in bins.
///
/// # Errors
/// When there would be too many bins, and those of the query.
pub(crate) fn answer(
    binning: &Binning,
    plan: &Plan,
    query: &Query,
    out: &mut Output,
) -> anyhow::Result<Report> {
    let (tables, report) = tables(binning, plan, query)?;
    let printer = SeriesPrinter::new(&plan.format, &plan.options);
    let mut text = Vec::new();
    if let Some(percentile) = binning.percentile {
        let name = percentile.to_string();
        let of_table = |table: SeriesTable| {
            let rates = table.series.iter().map(|series| series.rates(|rates| percentile.of(rates)));
            (rates.collect::<Vec<Rates>>(), table)
        };
        let tables: Vec<_> = tables.into_iter().map(of_table).collect();
        match (&plan.picture, tables.as_slice()) {
            (Some(picture), [(rates, table), ..]) => {
                text.extend_from_slice(picture.of_percentiles(&name, table, rates)?.as_bytes());
            }
            _ => printer.percentiles(&name, &tables, &mut text),
        }
    } else {
        match (&plan.picture, tables.as_slice()) {
            (Some(picture), [table, ..]) if binning.grid.is_some() => {
                text.extend_from_slice(picture.of_bins(table, &plan.options.zone)?.as_bytes());
            }
            (Some(picture), [table, ..]) => text.extend_from_slice(picture.of_whole(table)?.as_bytes()),
            _ => printer.tables(&tables, &mut text),
        }
    }
    out.print(|out| out.append(&mut text))?;
    Ok(report)
}

/// The answer as series of numbers.
fn tables(binning: &Binning, plan: &Plan, query: &Query) -> anyhow::Result<(Vec<SeriesTable>, Report)> {
    let timeline = timeline(binning, plan, query)?;
    let has_bins = timeline.is_some();
    let nothing = || Timeline::new(vec![0, 1]).context("no time");
    let timeline = Arc::new(timeline.map_or_else(nothing, Ok)?);
    let printers: Vec<RecordPrinter> =
        binning.columns.iter().map(|column| value_printer(column, plan)).collect();
    let (records, elements) = match &plan.mode {
        Mode::Aggregate { grouping, order, top, bounds } => {
            (Some((grouping, vec![ranking(*order, *top, *bounds)])), &[][..])
        }
        Mode::Statistics { records, elements, grouping, bounds } => {
            let rankings = records.iter().map(|record| ranking(Some(record.order), record.top, *bounds));
            let rankings: Vec<Ranking> = rankings.collect();
            ((!rankings.is_empty()).then_some((grouping, rankings)), elements.as_slice())
        }
        _ => (None, &[][..]),
    };
    let fields = printers.iter().fold(FieldSet::EMPTY, |fields, printer| fields.union(printer.fields()));
    let sink = Binned {
        timeline,
        placement: binning.placement,
        records: records.as_ref().map(|(grouping, rankings)| aggregate(grouping, rankings.clone(), fields)),
        elements: (!elements.is_empty()).then(|| Statistics { specs: elements.to_vec() }),
    };
    let (answers, report) = run(query, &sink)?;
    let records = records
        .iter()
        .flat_map(|(_, rankings)| rankings)
        .map(|ranking| of_records(binning, ranking, &printers));
    let elements =
        elements.iter().flat_map(|spec| spec.orders.iter().map(|order| of_element(spec, *order, plan)));
    let everything = (sink.records.is_none() && sink.elements.is_none()).then(About::everything);
    let abouts: Vec<About<'_>> = records.chain(elements).chain(everything).collect();
    let tables = abouts.into_iter().zip(answers).map(|(about, answer)| about.table(answer, has_bins));
    Ok((tables.collect(), report))
}

/// The bins of the time window as far as it has ends, otherwise of the files; `None` where neither tells.
fn timeline(binning: &Binning, plan: &Plan, query: &Query) -> anyhow::Result<Option<Timeline>> {
    let Some(grid) = binning.grid else { return Ok(Timeline::new(vec![0, u64::MAX])) };
    let window = query.window.map_or((0, u64::MAX), |window| {
        // The window takes the whole of its last unit.
        let beyond_ms = plan.dialect.window_unit_ms - 1;
        (window.first_ms, if window.last_ms == u64::MAX { u64::MAX } else { window.last_ms - beyond_ms })
    });
    let needs_span = window.0 == 0 || window.1 == u64::MAX;
    let span = if needs_span { span_of(query) } else { None };
    let (first_ms, last_ms) = match (window, span) {
        ((0, _) | (_, u64::MAX), None) => return Ok(None),
        ((first_ms, last_ms), None) => (first_ms, last_ms),
        ((first_ms, last_ms), Some((earliest, latest))) => (
            if first_ms == 0 { earliest } else { first_ms },
            if last_ms == u64::MAX { latest } else { last_ms },
        ),
    };
    let zone = &plan.options.zone;
    let timeline = grid
        .timeline(first_ms, last_ms, |at| zone.offset_at(at))
        .with_context(|| format!("--bin: from {} to {}", zone.text(first_ms), zone.text(last_ms)))?;
    Ok(Some(timeline))
}

/// First and last of all flows, those in no finished file included.
fn span_of(query: &Query) -> Option<(u64, u64)> {
    let mut totals = Totals::default();
    for file in &query.live {
        totals.merge(file.totals());
    }
    if let Some((first_ms, last_ms)) = span_ms(&query.files) {
        (totals.first_ms, totals.last_ms) = (totals.first_ms.min(first_ms), totals.last_ms.max(last_ms));
    }
    (totals.first_ms <= totals.last_ms).then_some((totals.first_ms, totals.last_ms))
}

/// Gives the values of the keys of groups as text.
type Values<'a> = Box<dyn Fn(&FlowBatch) -> Vec<Vec<String>> + 'a>;

/// What a table is about, and how its groups are named.
struct About<'a> {
    heading: String,
    by: String,
    keys: Vec<String>,
    order: Order,
    values: Values<'a>,
}

impl About<'_> {
    fn everything() -> Self {
        About {
            heading: String::new(),
            by: String::new(),
            keys: Vec::new(),
            order: Order::Bytes,
            values: Box::new(|_| Vec::new()),
        }
    }

    fn table(self, answer: BinTable, has_bins: bool) -> SeriesTable {
        let values = answer.groups.iter().flat_map(|groups| (self.values)(groups)).map(Some).chain([None]);
        let rows = answer.rows.into_iter().chain([answer.rest]);
        let series = values
            .zip(rows)
            .map(|(values, bins)| Series { values, bins: if has_bins { bins } else { Vec::new() } });
        let series = series.collect();
        SeriesTable { heading: self.heading, by: self.by, keys: self.keys, order: self.order, series }
    }
}

fn heading(what: &str, top: usize, order: Order) -> String {
    let number = if top > 0 { format!("{top} ") } else { String::new() };
    format!("Top {number}{what} ordered by {}:\n", order.name())
}

fn of_records<'a>(binning: &Binning, ranking: &Ranking, printers: &'a [RecordPrinter]) -> About<'a> {
    let order = ranking.order.unwrap_or(Order::Bytes);
    let keys: Vec<String> = binning.columns.iter().map(|column| column.name.to_owned()).collect();
    About {
        heading: heading("flows", ranking.top, order),
        by: format!("{}/{}", keys.join(","), order.name()),
        keys,
        order,
        values: Box::new(move |groups| {
            let mut rows = vec![Vec::new(); groups.len()];
            for printer in printers {
                let mut text = Vec::new();
                printer.rows(groups, &Selection::all(groups.len()), Before::default(), &mut text);
                for (row, value) in rows.iter_mut().zip(String::from_utf8_lossy(&text).lines()) {
                    row.push(value.to_owned());
                }
            }
            rows
        }),
    }
}

fn of_element<'a>(spec: &'a StatSpec, order: Order, plan: &'a Plan) -> About<'a> {
    let name = spec.statistic.name;
    let splits = spec.by_proto && name != "proto";
    let printer = StatisticPrinter::new(&plan.format, &plan.options);
    About {
        heading: heading(spec.statistic.heading, spec.top, order),
        by: format!("{name}{}/{}", if splits { ":p" } else { "" }, order.name()),
        keys: splits.then_some("proto").into_iter().chain([name]).map(str::to_owned).collect(),
        order,
        values: Box::new(move |groups| {
            let about = StatisticTable {
                statistic: spec.statistic,
                by_proto: splits,
                order,
                top: spec.top,
                totals: Totals::default(),
            };
            printer.values(&about, groups)
        }),
    }
}

/// What prints the values of a field that makes a group, a line for each.
fn value_printer(column: &Aggregate, plan: &Plan) -> RecordPrinter {
    let format = Format::parse(&format!("csv:%{}", column.tag)).unwrap_or_default();
    RecordPrinter::new(format, OutputOptions { quiet: true, ..plan.options.clone() }).unnumbered()
}
