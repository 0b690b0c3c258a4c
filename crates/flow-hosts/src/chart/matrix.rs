//! Who talks to whom.

use super::canvas::{COLOURS, ChartError, Size, cut, fill, ink, letters, number, picture, write};
use super::scale::{Unit, short};
use plotters::style::{Color, FontTransform, text_anchor};

/// Numbers of pairs: a square for each row and column, the darker the more.
#[derive(Clone, Debug)]
pub struct Matrix<'a> {
    /// What stands above.
    pub title: &'a str,
    /// What the numbers count.
    pub unit: Unit,
    /// What the rows are of, from top to bottom.
    pub rows: Vec<String>,
    /// What the columns are of, from left to right.
    pub columns: Vec<String>,
    /// The numbers of each row; 0 stands for nothing.
    pub values: Vec<Vec<f64>>,
    /// The width of the picture and of its letters; it is as high as it must be.
    pub size: Size,
}

/// The darkest square lets numbers in it be read on light paper and on dark.
const DARKEST: f64 = 0.6;
const LIGHTEST: f64 = 0.08;

impl Matrix<'_> {
    /// More rows, or columns, than this do not go into a picture.
    pub const MOST: usize = 1_000;

    /// Draws it.
    ///
    /// # Errors
    /// When there are too many rows or columns, or the library refuses.
    pub fn draw(&self) -> Result<String, ChartError> {
        let Size { width, font, .. } = self.size;
        let (margin, line) = (font.cast_signed() / 2, font.cast_signed());
        let left = width.cast_signed() * 3 / 10;
        let rows = number(self.rows.len(), "rows", Self::MOST)?;
        let columns = number(self.columns.len(), "columns", Self::MOST)?;
        let side = ((width.cast_signed() - left - margin) / columns).max(1);
        let high = side.clamp(line * 3 / 2, 4 * line);
        // Names of columns stand upright, as long as those of rows.
        let top = 2 * line + left;
        let height = top + high * rows + margin;
        let heading = format!("{} ({})", self.title, self.unit.name());
        let highest = self.values.iter().flatten().copied().fold(0.0, f64::max);
        picture(&heading, width, height.cast_unsigned(), |area| {
            write(area, &cut(&heading, letters(width, font)), (margin, line), ink(font, false))?;
            let room = letters((left - 2 * margin).max(0).cast_unsigned(), font);
            for (place, name) in (0..).zip(&self.columns) {
                let style = ink(font, false);
                let style = style
                    .transform(FontTransform::Rotate270)
                    .pos(text_anchor::Pos::new(text_anchor::HPos::Left, text_anchor::VPos::Center));
                write(area, &cut(name, room), (left + place * side + side / 2, top - margin), style)?;
            }
            for (row, (name, values)) in (0..).zip(self.rows.iter().zip(&self.values)) {
                let y = top + row * high;
                write(area, &cut(name, room), (left - margin, y + high / 2), ink(font, true))?;
                for (place, value) in (0..).zip(values) {
                    let x = left + place * side;
                    if *value > 0.0 && highest > 0.0 {
                        // The square root lets small numbers be seen beside large ones.
                        let shade = LIGHTEST + (DARKEST - LIGHTEST) * (value / highest).sqrt();
                        fill(area, (x, y), (x + side - 2, y + high - 2), COLOURS[0].mix(shade))?;
                        let text = short(*value);
                        let small = font * 3 / 4;
                        if text.chars().count() <= letters(side.cast_unsigned(), small) {
                            let style = ink(small, false).pos(text_anchor::Pos::new(
                                text_anchor::HPos::Center,
                                text_anchor::VPos::Center,
                            ));
                            write(area, &text, (x + side / 2, y + high / 2), style)?;
                        }
                    }
                }
            }
            Ok(())
        })
    }
}
