//! Series over time.

use super::canvas::{
    Area, COLOURS, ChartError, GREY, GRID, INK, PAPER, Size, clean, cut, fill, ink, letters, picture,
    typeface, width_of, write,
};
use super::scale::{Unit, places, short, times};
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::prelude::*;
use std::ops::Range;

/// Series of numbers in bins of time.
pub struct TimeChart<'a> {
    /// What stands above.
    pub title: &'a str,
    /// What the numbers count.
    pub unit: Unit,
    /// How they are drawn.
    pub shape: Shape,
    /// Where bins begin, ms since 1970, and where the last one ends.
    pub edges_ms: &'a [u64],
    /// The series, the lowest of a stack first.
    pub series: Vec<Series>,
    /// How large the picture is.
    pub size: Size,
    /// How many seconds the zone of the axis is east of Greenwich at a time in seconds since 1970.
    pub offset_at: &'a dyn Fn(i64) -> i32,
}

/// Numbers in bins.
#[derive(Clone, Debug)]
pub struct Series {
    /// What they are of; `None` of all other groups.
    pub label: Option<String>,
    /// A number for each bin.
    pub values: Vec<f64>,
}

/// How series are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Shape {
    /// As areas on top of each other.
    #[default]
    Stacked,
    /// As lines.
    Lines,
    /// The first as an area, the others as lines: what came in, and what went out.
    InOut,
}

/// What a series is drawn from: the edges of its bins, and a number for each bin.
type Steps = (Vec<u64>, Vec<Vec<f64>>);

impl TimeChart<'_> {
    /// Draws it. Where bins are closer than what can be told apart, their mean is drawn.
    ///
    /// # Errors
    /// When the library refuses.
    pub fn draw(&self) -> Result<String, ChartError> {
        let Size { width, height, font } = self.size;
        let heading = format!("{} ({})", self.title, self.unit.name());
        let legend = Legend::new(self);
        picture(&heading, width, height + legend.height(), |area| {
            let (upper, lower) = area.split_vertically(height);
            let margin = font.cast_signed() / 2;
            write(
                &upper,
                &cut(&heading, letters(width, font)),
                (margin, font.cast_signed()),
                ink(font, false),
            )?;
            self.plot(&upper)?;
            legend.draw(&lower)
        })
    }

    fn plot(&self, area: &Area<'_>) -> Result<(), ChartError> {
        let Size { width, height, font } = self.size;
        let (edges, mut rows) = self.steps();
        let [Some(&first), Some(&last)] = [edges.first(), edges.last()] else { return Ok(()) };
        if self.shape == Shape::Stacked {
            for lower in 1..rows.len() {
                let (below, above) = rows.split_at_mut(lower);
                above[0].iter_mut().zip(&below[lower - 1]).for_each(|(sum, under)| *sum += under);
            }
        }
        let highest = rows.iter().flatten().copied().filter(|value| value.is_finite()).fold(0.0, f64::max);
        let heights = places(highest, (height / font / 4).clamp(2, 5) as usize);
        let top = heights.last().copied().unwrap_or(1.0);
        let times = times(first, last, (width / font / 5).max(2), self.offset_at);
        let moments: Vec<f64> = times.iter().map(|(at, _)| *at as f64).collect();
        let words = |at: &f64| {
            let found = times.iter().find(|(place, _)| (*place as f64 - at).abs() < 1.0);
            found.map_or(String::new(), |(_, words)| words.clone())
        };
        let mut chart = ChartBuilder::on(area)
            .margin_top(font * 2)
            .margin_right(font * 2)
            .x_label_area_size(font * 2)
            .y_label_area_size(font * 4)
            .build_cartesian_2d(
                Axis { first: first as f64, last: last as f64, places: moments },
                Axis { first: 0.0, last: top, places: heights },
            )
            .map_err(ChartError::new)?;
        let letters = typeface(font).color(&INK);
        chart
            .configure_mesh()
            .max_light_lines(0)
            .light_line_style(GRID)
            .bold_line_style(GRID)
            .axis_style(INK)
            .label_style(letters)
            .x_labels(times.len())
            .x_label_formatter(&words)
            .y_label_formatter(&|value| short(*value))
            .draw()
            .map_err(ChartError::new)?;
        let floor = vec![0.0; rows.first().map_or(0, Vec::len)];
        // From the top of a stack down, so that each area covers what is not its own.
        for index in (0..rows.len()).rev() {
            let colour = self.colour(index);
            let steps = outline(&edges, &rows[index]);
            let is_area = self.shape == Shape::Stacked || self.shape == Shape::InOut && index == 0;
            if is_area {
                let mut points = steps;
                points.extend(outline(&edges, &floor).into_iter().rev());
                chart.draw_series([Polygon::new(points, colour.filled())]).map_err(ChartError::new)?;
            } else {
                let stroke = colour.stroke_width((font / 8).max(2));
                chart.draw_series([PathElement::new(steps, stroke)]).map_err(ChartError::new)?;
            }
        }
        if self.shape == Shape::Stacked {
            for row in &rows {
                let line = PathElement::new(outline(&edges, row), PAPER.stroke_width(1));
                chart.draw_series([line]).map_err(ChartError::new)?;
            }
        }
        Ok(())
    }

    /// The series, and of too many bins the means of some at a time.
    fn steps(&self) -> Steps {
        let bins = self.edges_ms.len().saturating_sub(1);
        let at_once = bins.div_ceil(self.size.width.max(1) as usize).max(1);
        let edges = self.edges_ms;
        let mut thinned: Vec<u64> = edges.iter().copied().take(bins).step_by(at_once).collect();
        thinned.extend(edges.last());
        let mean = |values: &[f64], first: usize| {
            let parts = values.iter().zip(edges[first..].windows(2));
            let sum: f64 = parts.map(|(value, edge)| value * (edge[1] - edge[0]) as f64).sum();
            sum / (edges[first + values.len()] - edges[first]) as f64
        };
        let row = |series: &Series| {
            let mut values = series.values.clone();
            values.resize(bins, 0.0);
            let parts = values.chunks(at_once).enumerate();
            parts.map(|(place, values)| mean(values, place * at_once)).collect()
        };
        (thinned, self.series.iter().map(row).collect())
    }

    fn colour(&self, index: usize) -> RGBColor {
        match self.series.get(index) {
            Some(Series { label: Some(_), .. }) => COLOURS[index % COLOURS.len()],
            _ if self.series.len() == 1 => COLOURS[2],
            _ => GREY,
        }
    }
}

/// An axis with lines at these places.
struct Axis {
    first: f64,
    last: f64,
    places: Vec<f64>,
}

impl Ranged for Axis {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        let share = (value - self.first) / (self.last - self.first);
        from + (f64::from(to - from) * share).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.places.clone()
    }

    fn range(&self) -> Range<f64> {
        self.first..self.last
    }
}

/// The line of a series: it stays level through each bin.
fn outline(edges: &[u64], values: &[f64]) -> Vec<(f64, f64)> {
    let mut points: Vec<(f64, f64)> = Vec::with_capacity(2 * values.len());
    for (edge, value) in edges.windows(2).zip(values) {
        // Where it goes on at the same height, no corner is needed.
        match points.last_mut() {
            Some(last) if (last.1 - value).abs() < f64::EPSILON => last.0 = edge[1] as f64,
            _ => points.extend([(edge[0] as f64, *value), (edge[1] as f64, *value)]),
        }
    }
    points
}

/// What the colours stand for, below the picture.
struct Legend {
    font: u32,
    /// Text, colour, and where it begins.
    entries: Vec<(String, RGBColor, (i32, i32))>,
    lines: u32,
}

impl Legend {
    fn new(chart: &TimeChart<'_>) -> Legend {
        let Size { width, font, .. } = chart.size;
        let mut entries = Vec::new();
        let (mut x, mut line) = (font, 0);
        // All traffic needs no name beside the title.
        let is_needed = chart.series.len() > 1 || chart.series.iter().any(|series| series.label.is_some());
        for (index, series) in chart.series.iter().enumerate().filter(|_| is_needed) {
            let text = cut(
                series.label.as_deref().unwrap_or("other"),
                letters(width - 3 * font.min(width / 4), font),
            );
            let taken = width_of(&text, font) + 2 * font;
            if x > font && x + taken > width {
                (x, line) = (font, line + 1);
            }
            entries.push((text, chart.colour(index), (x.cast_signed(), (line * font * 3 / 2).cast_signed())));
            x += taken + font / 2;
        }
        let lines = if entries.is_empty() { 0 } else { line + 1 };
        Legend { font, entries, lines }
    }

    fn height(&self) -> u32 {
        self.lines * self.font * 3 / 2 + self.font / 2
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), ChartError> {
        let font = self.font.cast_signed();
        for (text, colour, (x, y)) in &self.entries {
            let side = font * 3 / 4;
            let top = y + font * 3 / 8;
            fill(area, (*x, top), (x + side, top + side), colour.to_rgba())?;
            write(area, &clean(text), (x + font, y + font * 3 / 4), ink(self.font, false))?;
        }
        Ok(())
    }
}
