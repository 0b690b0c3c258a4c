//! What all pictures have in common: paper, letters, colours.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::fmt::Write as _;

/// How large a picture is, in pixels of a screen that shows it as it is; it can be shown at any size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// From left to right.
    pub width: u32,
    /// From top to bottom, without the legend.
    pub height: u32,
    /// The height of letters.
    pub font: u32,
}

impl Size {
    /// A picture of its own: on a phone, half as large, its letters are 10 pixels high.
    pub const LARGE: Size = Size { width: 720, height: 440, font: 20 };
    /// One of many on a page.
    pub const SMALL: Size = Size { width: 360, height: 170, font: 12 };
}

/// A picture could not be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChartError {
    /// The library refuses.
    #[error("drawing a picture: {0}")]
    Library(String),
    /// It would have more than anybody can see.
    #[error("a picture has at most {most} {what}")]
    TooMany {
        /// Of what there are too many.
        what: &'static str,
        /// How many there may be.
        most: usize,
    },
}

impl ChartError {
    pub(super) fn new(error: impl std::error::Error) -> ChartError {
        ChartError::Library(error.to_string())
    }
}

/// The number of things that are drawn beside each other, at least 1.
pub(super) fn number(count: usize, what: &'static str, most: usize) -> Result<i32, ChartError> {
    let fitting = i32::try_from(count).ok().filter(|_| count <= most);
    fitting.map(|count| count.max(1)).ok_or(ChartError::TooMany { what, most })
}

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

pub(super) const PAPER: RGBColor = RGBColor(0xff, 0xff, 0xff);
pub(super) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
pub(super) const GRID: RGBColor = RGBColor(0xdd, 0xdd, 0xdd);
/// What stands for all others.
pub(super) const GREY: RGBColor = RGBColor(0x88, 0x88, 0x88);

/// CARTO's palette *Safe*, made for the colour-blind; those that differ most come first.
pub(super) const COLOURS: [RGBColor; 10] = [
    RGBColor(0x33, 0x22, 0x88),
    RGBColor(0xdd, 0xcc, 0x77),
    RGBColor(0x44, 0xaa, 0x99),
    RGBColor(0xcc, 0x66, 0x77),
    RGBColor(0x88, 0xcc, 0xee),
    RGBColor(0x11, 0x77, 0x33),
    RGBColor(0xaa, 0x44, 0x99),
    RGBColor(0x99, 0x99, 0x33),
    RGBColor(0x88, 0x22, 0x55),
    RGBColor(0x66, 0x11, 0x00),
];

/// What colours are on dark paper, where they would be hard to see.
const DARK: [(RGBColor, &str); 8] = [
    (PAPER, "#16181D"),
    (INK, "#E6E6E6"),
    (GRID, "#3A3F47"),
    (COLOURS[0], "#7B6FE0"),
    (COLOURS[5], "#2FA35C"),
    (COLOURS[6], "#C765B5"),
    (COLOURS[8], "#C2508A"),
    (COLOURS[9], "#B5623C"),
];

/// Draws a picture of this size with this name.
pub(super) fn picture(
    name: &str,
    width: u32,
    height: u32,
    draw: impl FnOnce(&Area<'_>) -> Result<(), ChartError>,
) -> Result<String, ChartError> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        area.fill(&PAPER).map_err(ChartError::new)?;
        draw(&area)?;
        area.present().map_err(ChartError::new)?;
    }
    // Behind the first tag, which is that of the picture.
    let head = svg.find("<svg").and_then(|start| svg[start..].find('>').map(|end| start + end + 1));
    let Some(head) = head else { return Err(ChartError::Library("no picture".to_owned())) };
    svg.insert_str(head, &format!("\n<title>{}</title>\n{}", escape(name), style()));
    Ok(svg)
}

/// Rules that make a picture fit where it is shown, and dark where the reader wants it dark.
fn style() -> String {
    let mut rules = String::new();
    for (colour, dark) in DARK {
        let hex = hex(colour);
        let _ = write!(rules, "[fill=\"{hex}\"]{{fill:{dark}}}[stroke=\"{hex}\"]{{stroke:{dark}}}");
    }
    format!("<style>svg{{max-width:100%;height:auto}}@media (prefers-color-scheme:dark){{{rules}}}</style>\n")
}

fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02X}{green:02X}{blue:02X}")
}

/// A text without what XML has no place for.
pub(super) fn clean(text: &str) -> String {
    let is_allowed = |letter: &char| !letter.is_control() && !matches!(letter, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|letter| if is_allowed(&letter) { letter } else { '\u{fffd}' }).collect()
}

fn escape(text: &str) -> String {
    clean(text).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The first letters of a text that do not take more than so many.
pub(super) fn cut(text: &str, most: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// About how many letters of this height stand in so many pixels.
pub(super) fn letters(pixels: u32, font: u32) -> usize {
    (f64::from(pixels) / (f64::from(font) * LETTER)) as usize
}

/// The width of a letter of common typefaces, in heights.
const LETTER: f64 = 0.58;

/// About how wide a text is.
pub(super) fn width_of(text: &str, font: u32) -> u32 {
    (text.chars().count() as f64 * f64::from(font) * LETTER).ceil() as u32
}

/// A common typeface with letters of this height: the library makes them smaller by this factor.
pub(super) fn typeface(font: u32) -> FontDesc<'static> {
    ("sans-serif", f64::from(font) * 1.24).into_font()
}

/// Letters of this height, to the right of where they are put or ending there, in the middle of its height.
pub(super) fn ink(font: u32, ends_there: bool) -> TextStyle<'static> {
    let side = if ends_there { HPos::Right } else { HPos::Left };
    TextStyle::from(typeface(font)).color(&INK).pos(Pos::new(side, VPos::Center))
}

/// Writes a text.
pub(super) fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    style: TextStyle<'_>,
) -> Result<(), ChartError> {
    area.draw(&Text::new(clean(text), at, style)).map_err(ChartError::new)
}

/// Fills a rectangle.
pub(super) fn fill(
    area: &Area<'_>,
    from: (i32, i32),
    to: (i32, i32),
    colour: RGBAColor,
) -> Result<(), ChartError> {
    area.draw(&Rectangle::new([from, to], colour.filled())).map_err(ChartError::new)
}
