//! Answers as pictures (`-o svg`).

use anyhow::{Context, bail};
use flow_hosts::chart::{Bar, BarChart, Matrix, Series, Shape, Size, TimeChart, Unit};
use flow_model::{Counters, Order};
use flow_output::{Rates, SeriesTable, Zone};

/// How an answer is drawn.
pub(crate) struct Picture {
    /// What numbers count; `None` goes by the order.
    unit: Option<Unit>,
    shape: Shape,
}

impl Picture {
    /// What the argument of `-o` says: `svg`, and behind a colon perhaps a unit, `lines`, or both with a comma between;
    /// `None` if it is another format.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Option<Picture>> {
        let (name, words) = text.split_once(':').unwrap_or((text, ""));
        if !name.eq_ignore_ascii_case("svg") {
            return Ok(None);
        }
        let mut picture = Picture { unit: None, shape: Shape::Stacked };
        for word in words.split(',').filter(|word| !word.is_empty()) {
            match word {
                "bytes" => picture.unit = Some(Unit::Bytes),
                "bps" => picture.unit = Some(Unit::BitsPerSecond),
                "packets" => picture.unit = Some(Unit::Packets),
                "pps" => picture.unit = Some(Unit::PacketsPerSecond),
                "flows" => picture.unit = Some(Unit::Flows),
                "lines" => picture.shape = Shape::Lines,
                other => {
                    bail!("unknown word `{other}` in -o {text}: bytes, bps, packets, pps, flows or lines")
                }
            }
        }
        Ok(Some(picture))
    }

    /// Whether what it counts is by the second, and so in bins of time alone.
    pub(crate) fn is_of_rates(&self) -> bool {
        matches!(self.unit, Some(Unit::BitsPerSecond | Unit::PacketsPerSecond))
    }

    /// Draws a table in bins of time.
    pub(crate) fn of_bins(&self, table: &SeriesTable, zone: &Zone) -> anyhow::Result<String> {
        let unit = self.unit.unwrap_or(match by_order(table.order) {
            Unit::Packets => Unit::PacketsPerSecond,
            Unit::Flows => Unit::Flows,
            _ => Unit::BitsPerSecond,
        });
        let bins = table.series.first().map_or(&[][..], |series| &series.bins);
        let edges: Vec<u64> =
            bins.iter().map(|bin| bin.first_ms).chain(bins.last().map(|bin| bin.last_ms)).collect();
        let series = table.series.iter().map(|series| Series {
            label: series.values.is_some().then(|| series.label()),
            values: series.bins.iter().map(|bin| number(unit, table.order, bin)).collect(),
        });
        let chart = TimeChart {
            title: &title(table),
            unit,
            shape: self.shape,
            edges_ms: &edges,
            series: series.collect(),
            size: Size::LARGE,
            offset_at: &|at| zone.offset_at(at),
        };
        chart.draw().context("-o svg")
    }

    /// Draws a table over the whole time: as a matrix where two fields make a group, otherwise as bars.
    pub(crate) fn of_whole(&self, table: &SeriesTable) -> anyhow::Result<String> {
        let unit = self.unit.unwrap_or(by_order(table.order));
        let numbers = table.series.iter().filter_map(|series| {
            let counters = series.bins.first()?;
            Some((series, number(unit, table.order, counters)))
        });
        if table.keys.len() == 2 && table.keys[0] != "proto" {
            let cells = numbers.filter_map(|(series, number)| match series.values.as_deref()? {
                [row, column] => Some((row.clone(), column.clone(), number)),
                _ => None,
            });
            return matrix(&title(table), unit, &cells.collect::<Vec<_>>());
        }
        let bars = numbers
            .map(|(series, value)| Bar { label: series.values.is_some().then(|| series.label()), value });
        bar_chart(&title(table), unit, bars.collect())
    }

    /// Draws percentiles: bars of what went in and out together.
    pub(crate) fn of_percentiles(
        &self,
        name: &str,
        table: &SeriesTable,
        rates: &[Rates],
    ) -> anyhow::Result<String> {
        let is_packets =
            matches!(self.unit.unwrap_or(by_order(table.order)), Unit::Packets | Unit::PacketsPerSecond);
        let bars = rates.iter().map(|rates| {
            let [.., both] = if is_packets { rates.pps } else { rates.bps };
            let label = rates.values.as_ref().map(|values| values.join(" "));
            Bar { label, value: both as f64 }
        });
        let unit = if is_packets { Unit::PacketsPerSecond } else { Unit::BitsPerSecond };
        bar_chart(&format!("{}: percentile {name}", title(table)), unit, bars.collect())
    }
}

/// What an order is about.
fn by_order(order: Order) -> Unit {
    match order {
        Order::Flows => Unit::Flows,
        Order::Packets | Order::InPackets | Order::OutPackets | Order::Pps | Order::InPps | Order::OutPps => {
            Unit::Packets
        }
        _ => Unit::Bytes,
    }
}

fn bar_chart(title: &str, unit: Unit, bars: Vec<Bar>) -> anyhow::Result<String> {
    BarChart { title, unit, bars, size: Size::LARGE }.draw().context("-o svg")
}

/// Rows and columns in the order in which they come: those of the largest numbers first.
fn matrix(title: &str, unit: Unit, cells: &[(String, String, f64)]) -> anyhow::Result<String> {
    fn place<'c>(names: &mut Vec<&'c str>, name: &'c str) -> usize {
        names.iter().position(|known| *known == name).unwrap_or_else(|| {
            names.push(name);
            names.len() - 1
        })
    }
    let (mut rows, mut columns) = (Vec::new(), Vec::new());
    let mut places: Vec<(usize, usize, f64)> = Vec::new();
    for (row, column, value) in cells {
        places.push((place(&mut rows, row), place(&mut columns, column), *value));
        // A square for each pair of them is drawn only if there are few, so that is all the memory it may take.
        if rows.len().max(columns.len()) > Matrix::MOST {
            bail!("-o svg: more than {} different rows or columns; -n takes fewer groups", Matrix::MOST);
        }
    }
    let mut values = vec![vec![0.0; columns.len()]; rows.len()];
    for (row, column, value) in places {
        values[row][column] += value;
    }
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    let matrix =
        Matrix { title, unit, rows: owned(rows), columns: owned(columns), values, size: Size::LARGE };
    matrix.draw().context("-o svg")
}

fn title(table: &SeriesTable) -> String {
    let heading = table.heading.trim_end_matches([':', '\n']);
    if heading.is_empty() { "All flows".to_owned() } else { heading.to_owned() }
}

/// What a picture shows of counters.
fn number(unit: Unit, order: Order, counters: &Counters) -> f64 {
    let (packets, bytes) = counters.of(order.side());
    let per_second = |count: u64| count as f64 * 1_000.0 / counters.duration_ms().max(1) as f64;
    match unit {
        Unit::Bytes => bytes as f64,
        Unit::BitsPerSecond => 8.0 * per_second(bytes),
        Unit::Packets => packets as f64,
        Unit::PacketsPerSecond => per_second(packets),
        Unit::Flows => counters.flows as f64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_asked_for_by_name_and_perhaps_more() {
        let parse = |text| Picture::parse(text).unwrap();
        assert!(parse("csv").is_none() && parse("svgz").is_none());
        let plain = parse("svg").unwrap();
        assert_eq!((plain.unit, plain.shape), (None, Shape::Stacked));
        let lines = parse("SVG:pps,lines").unwrap();
        assert_eq!((lines.unit, lines.shape), (Some(Unit::PacketsPerSecond), Shape::Lines));
        assert!(lines.is_of_rates() && !plain.is_of_rates());
        let error = Picture::parse("svg:bits").err().unwrap().to_string();
        assert_eq!(error, "unknown word `bits` in -o svg:bits: bytes, bps, packets, pps, flows or lines");
    }
}
