//! Pictures of traffic as SVG: series over time, bars, and who talks to whom.
//!
//! [`TimeChart`], [`BarChart`] and [`Matrix`] are what is drawn; each [`draw`](TimeChart::draw)s itself as a text that is a
//! whole document, for a file or for a page. Colours can be told apart by the colour-blind, follow the reader's wish for light
//! or dark, and letters are large enough for a picture that fills the screen of a phone. Labels may be any text.

mod bars;
mod canvas;
mod matrix;
mod scale;
mod time;

pub use bars::{Bar, BarChart};
pub use canvas::{ChartError, Size};
pub use matrix::Matrix;
pub use scale::Unit;
pub use time::{Series, Shape, TimeChart};
