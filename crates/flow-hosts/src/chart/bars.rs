//! One bar for each group.

use super::canvas::{
    COLOURS, ChartError, GREY, Size, cut, fill, ink, letters, number, picture, width_of, write,
};
use super::scale::{Unit, short};
use plotters::style::Color;

/// Numbers of groups beside each other.
#[derive(Clone, Debug)]
pub struct BarChart<'a> {
    /// What stands above.
    pub title: &'a str,
    /// What the numbers count.
    pub unit: Unit,
    /// The groups, from top to bottom.
    pub bars: Vec<Bar>,
    /// The width of the picture and of its letters; it is as high as it must be.
    pub size: Size,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Bar {
    /// What it is of; `None` of all other groups.
    pub label: Option<String>,
    /// How long it is.
    pub value: f64,
}

/// The heights of a row's label and bar, in letters.
const LABEL: f64 = 1.3;
const BAR: f64 = 0.9;

/// More bars than this do not go into a picture.
const MOST: usize = 10_000;

impl BarChart<'_> {
    /// Draws it.
    ///
    /// # Errors
    /// When there are more bars than 10,000, or the library refuses.
    pub fn draw(&self) -> Result<String, ChartError> {
        let Size { width, font, .. } = self.size;
        let (margin, em) = (font.cast_signed() / 2, f64::from(font));
        let row = (em * (LABEL + BAR + 0.4)) as i32;
        let top = 2 * font.cast_signed();
        let height = top + row * number(self.bars.len(), "bars", MOST)? + margin;
        let heading = format!("{} ({})", self.title, self.unit.name());
        let longest = self.bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
        picture(&heading, width, height.cast_unsigned(), |area| {
            write(
                area,
                &cut(&heading, letters(width, font)),
                (margin, font.cast_signed()),
                ink(font, false),
            )?;
            for (place, bar) in (0..).zip(&self.bars) {
                let y = top + row * place;
                let middle = y + (em * LABEL / 2.0) as i32;
                let value = short(bar.value);
                let room = width.saturating_sub(width_of(&value, font) + 3 * margin.cast_unsigned());
                let label = bar.label.as_deref().unwrap_or("other");
                write(area, &cut(label, letters(room, font)), (margin, middle), ink(font, false))?;
                write(area, &value, (width.cast_signed() - margin, middle), ink(font, true))?;
                let share = if longest > 0.0 { bar.value.max(0.0) / longest } else { 0.0 };
                let length = (share * f64::from(width.cast_signed() - 2 * margin)).round() as i32;
                let colour = if bar.label.is_some() { COLOURS[2] } else { GREY };
                let (from, to) = (y + (em * LABEL) as i32, y + (em * (LABEL + BAR)) as i32);
                fill(area, (margin, from), (margin + length.max(1), to), colour.to_rgba())?;
            }
            Ok(())
        })
    }
}
