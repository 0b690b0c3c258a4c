//! Graphs of what comes in and goes out, as SVG that stands inside of a page: no script, no style of its own but classes.

use crate::rollup::Bytes;
use std::fmt::Write as _;

/// Size of a graph in its own units; a page makes it as wide as there is room.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 190.0;
/// Where the bins end, and what stands below them begins.
const BASE: f64 = 164.0;
/// Room above the largest value, for the text of its line.
const TOP: f64 = 24.0;
/// What would stand further right would be cut off.
const LAST_TICK: f64 = WIDTH - 64.0;

/// Size of the small one in a table.
const SMALL: (f64, f64) = (120.0, 24.0);

/// Bins of equal length with what stands below them.
pub(crate) struct Graph<'a> {
    /// What it is, for whoever cannot see it.
    pub(crate) title: &'a str,
    pub(crate) bins: &'a [Bytes],
    /// Seconds that a bin is long.
    pub(crate) seconds: u64,
    /// Number of a bin, and what stands below its start.
    pub(crate) ticks: &'a [(usize, String)],
}

impl Graph<'_> {
    /// Appends it. What comes in is an area, what goes out a line.
    pub(crate) fn write(&self, out: &mut String) {
        let rates: Vec<[f64; 2]> =
            self.bins.iter().map(|bytes| bytes.map(|bytes| rate(bytes, self.seconds))).collect();
        let largest = rates.iter().flatten().copied().fold(0.0, f64::max);
        let step = step(largest);
        let most = if step > 0.0 { (largest / step).ceil() * step } else { 1.0 };
        let x = |place: usize| WIDTH * place as f64 / self.bins.len().max(1) as f64;
        let y = |rate: f64| BASE - (BASE - TOP) * rate / most;
        let _ = write!(
            out,
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            crate::pages::Escaped(self.title)
        );
        for (place, text) in self.ticks {
            let (x, end) = (x(*place), HEIGHT - 4.0);
            if x > LAST_TICK {
                continue;
            }
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M{x:.1} {TOP}V{BASE}\"/><text x=\"{x:.1}\" y=\"{end}\">{text}</text>"
            );
        }
        let _ = write!(out, "<path class=\"in\" d=\"M0 {BASE}");
        path(&rates, 0, x, y, out);
        let _ = write!(
            out,
            "V{BASE}Z\"/><path class=\"out\" d=\"M0 {:.1}",
            y(rates.first().map_or(0.0, |rates| rates[1]))
        );
        path(&rates, 1, x, y, out);
        out.push_str("\"/>");
        let mut line = step;
        while step > 0.0 && line <= most {
            let y = y(line);
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M0 {y:.1}H{WIDTH}\"/><text class=\"rate\" x=\"2\" y=\"{:.1}\">{}bit/s</text>",
                y - 3.0,
                scaled(line)
            );
            line += step;
        }
        out.push_str("</svg>");
    }
}

/// Appends a small graph of both ways together, without words.
pub(crate) fn small(bins: &[Bytes], out: &mut String) {
    let (width, height) = SMALL;
    let sums: Vec<[f64; 2]> = bins.iter().map(|&bytes| [crate::top::total(bytes) as f64, 0.0]).collect();
    let most = sums.iter().map(|sums| sums[0]).fold(1.0, f64::max);
    let x = |place: usize| width * place as f64 / bins.len().max(1) as f64;
    let _ = write!(
        out,
        "<svg viewBox=\"0 0 {width} {height}\" aria-hidden=\"true\"><path class=\"in\" d=\"M0 {height}"
    );
    path(&sums, 0, x, |sum| height - height * sum / most, out);
    let _ = write!(out, "V{height}Z\"/></svg>");
}

/// Appends the steps of one way.
fn path(rates: &[[f64; 2]], way: usize, x: impl Fn(usize) -> f64, y: impl Fn(f64) -> f64, out: &mut String) {
    let mut drawn = None;
    for (place, rates) in rates.iter().enumerate() {
        // What stays on a level is one line.
        let tenths = (y(rates[way]) * 10.0).round() as i64;
        if drawn != Some(tenths) {
            let _ = write!(out, "H{:.1}V{}", x(place), tenths as f64 / 10.0);
            drawn = Some(tenths);
        }
    }
    let _ = write!(out, "H{:.1}", x(rates.len()));
}

/// Bits per second.
fn rate(bytes: u64, seconds: u64) -> f64 {
    bytes as f64 * 8.0 / seconds as f64
}

/// 1, 2 or 5 with zeros, so that two to five of it reach the largest value; 0 where that is 0.
fn step(largest: f64) -> f64 {
    if largest <= 0.0 {
        return 0.0;
    }
    let power = 10_f64.powf((largest / 2.0).log10().floor());
    [5.0, 2.0, 1.0].into_iter().map(|digit| digit * power).find(|step| step * 2.0 <= largest).unwrap_or(power)
}

/// A number in steps of 1,000, and the letter of its unit behind a blank.
pub(crate) fn scaled(number: f64) -> String {
    let mut number = number;
    for unit in ["", "k", "M", "G", "T"] {
        if number < 999.5 {
            let decimals =
                usize::from(number < 9.95 && !unit.is_empty() && (number * 10.0).round() % 10.0 > 0.0);
            return format!("{number:.decimals$} {unit}");
        }
        number /= 1_000.0;
    }
    format!("{number:.0} P")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round_and_few() {
        for largest in [1.0, 1.9, 2.0, 3.0, 7.0, 9.9, 10.0, 123.0, 5e9] {
            let lines = largest / step(largest);
            assert!((2.0..=5.0).contains(&lines), "{largest}: {lines}");
        }
        assert!(step(0.0) <= 0.0);
    }

    #[test]
    fn numbers_have_units() {
        for (number, text) in [
            (0.0, "0 "),
            (999.0, "999 "),
            (1_000.0, "1 k"),
            (1_500.0, "1.5 k"),
            (12_345.0, "12 k"),
            (2e6, "2 M"),
            (999_600.0, "1 M"),
            (5e15, "5 P"),
        ] {
            assert_eq!(scaled(number), text);
        }
    }

    #[test]
    fn a_graph_has_an_area_a_line_and_words() {
        let mut out = String::new();
        let ticks = [(1, "12".to_owned())];
        Graph { title: "a<b", bins: &[[0, 0], [750, 0], [750, 375]], seconds: 60, ticks: &ticks }
            .write(&mut out);
        assert_eq!(
            out,
            "<svg viewBox=\"0 0 640 190\" role=\"img\" aria-label=\"a&lt;b\">\
             <path class=\"grid\" d=\"M213.3 24V164\"/><text x=\"213.3\" y=\"186\">12</text>\
             <path class=\"in\" d=\"M0 164H0.0V164H213.3V24H640.0V164Z\"/>\
             <path class=\"out\" d=\"M0 164.0H0.0V164H426.7V94H640.0\"/>\
             <path class=\"grid\" d=\"M0 94.0H640\"/><text class=\"rate\" x=\"2\" y=\"91.0\">50 bit/s</text>\
             <path class=\"grid\" d=\"M0 24.0H640\"/><text class=\"rate\" x=\"2\" y=\"21.0\">100 bit/s</text></svg>"
        );
    }
}
