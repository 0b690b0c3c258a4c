//! The groups that are shown, in their order: few in memory, all of many in files if need be.

use super::entry::Form;
use super::key::Shape;
use super::store::Part;
use crate::QueryError;
use crate::RowOrigin;
use crate::counts::Sums;
use crate::spill::{Memory, Sorted, SortedCursor, Sorter};
use crate::topn::{Standing, TopN};
use std::cmp::Ordering;

/// A group that is shown.
#[derive(Clone, Debug)]
pub(crate) struct Winner {
    pub(crate) shape: Shape,
    pub(crate) key: Box<[u64]>,
    pub(crate) sums: Sums,
}

/// Groups that stand equal are ordered by their keys: both sides of a flow may be groups of one statistic.
impl Ord for Winner {
    fn cmp(&self, other: &Winner) -> Ordering {
        (self.shape, &self.key).cmp(&(other.shape, &other.key))
    }
}

impl PartialOrd for Winner {
    fn partial_cmp(&self, other: &Winner) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Winner {
    fn eq(&self, other: &Winner) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Winner {}

impl Winner {
    /// A group of a part.
    pub(crate) fn new(part: &Part, key: &[u64], sums: &Sums) -> Winner {
        Winner { shape: part.shape, key: key.into(), sums: *sums }
    }

    /// The octets of a group of a part: shape, words of the key, both such that their order is that of the octets, and what
    /// is measured.
    pub(crate) fn octets(part: &Part, key: &[u64], sums: &Sums) -> Vec<u8> {
        let mut octets = Vec::with_capacity(128);
        octets.extend_from_slice(&part.shape.to_be_bytes());
        octets.push(key.len() as u8);
        for word in key {
            octets.extend_from_slice(&word.to_be_bytes());
        }
        part.form.put_measure(sums, &mut octets);
        octets
    }

    /// The group of these octets; `forms` are those of the entries.
    pub(crate) fn of_octets(octets: &[u8], forms: &[(Shape, Form)]) -> Option<Winner> {
        let (shape, octets) = octets.split_first_chunk()?;
        let shape = Shape::from_be_bytes(*shape);
        let (words, octets) = octets.split_first()?;
        let (key, measure) = octets.split_at_checked(usize::from(*words) * 8)?;
        let key = key.as_chunks().0.iter().map(|word| u64::from_be_bytes(*word)).collect();
        let (_, form) = forms.iter().find(|(known, _)| *known == shape)?;
        Some(Winner { shape, key, sums: form.get_measure(measure) })
    }
}

/// The first so many items by an order, while they are looked for.
pub(crate) enum Ranked<T> {
    First(TopN<T>),
    /// A limit, or 0, and each as octets, whose order is that of the items.
    All(usize, Sorter, Memory),
}

impl<T: Ord> Ranked<T> {
    /// The first `top`, 0 = all; more than `most_first` are put in order in a file if need be.
    pub(crate) fn new(top: usize, most_first: usize, memory: &Memory) -> Ranked<T> {
        if (1..=most_first).contains(&top) {
            Ranked::First(TopN::new(top))
        } else {
            Ranked::All(top, Sorter::new(memory.part(1, 2)), memory.part(1, 2))
        }
    }

    /// Another one for some of the items, of which there are so many at a time.
    pub(crate) fn another(&self, times: usize) -> Ranked<T> {
        match self {
            Ranked::First(best) => Ranked::First(best.another()),
            Ranked::All(top, _, memory) => {
                Ranked::All(*top, Sorter::new(memory.part(1, times as u64)), memory.clone())
            }
        }
    }

    /// Offers an item, which is made or written only if it is kept.
    ///
    /// # Errors
    /// When memory and the disk are full.
    #[inline]
    pub(crate) fn push(
        &mut self,
        standing: Standing,
        make: impl FnOnce() -> T,
        octets: impl FnOnce() -> Vec<u8>,
    ) -> Result<(), QueryError> {
        match self {
            Ranked::First(best) => {
                best.push(standing, make);
                Ok(())
            }
            Ranked::All(_, sorter, _) => sorter.push(standing, &octets()),
        }
    }

    /// Offers everything another one kept.
    ///
    /// # Errors
    /// When memory and the disk are full.
    pub(crate) fn merge(&mut self, other: Ranked<T>) -> Result<(), QueryError> {
        match (self, other) {
            (Ranked::First(best), Ranked::First(other)) => {
                best.merge(other);
                Ok(())
            }
            (Ranked::All(_, sorter, _), Ranked::All(_, other, _)) => sorter.merge(other),
            _ => Ok(()),
        }
    }

    /// The items in order; `read` makes one out of its octets.
    ///
    /// # Errors
    /// When memory and the disk are full.
    pub(crate) fn finish(
        self,
        read: impl Fn(&[u8]) -> Option<T> + Send + 'static,
    ) -> Result<Winners<T>, QueryError> {
        Ok(match self {
            Ranked::First(best) => Winners::Few(best.finish().into_iter().map(|(_, item)| item).collect()),
            Ranked::All(top, sorter, _) => Winners::Many(sorter.finish(top)?, Box::new(read)),
        })
    }
}

/// Makes an item out of its octets.
type Read<T> = Box<dyn Fn(&[u8]) -> Option<T> + Send>;

/// The items that are shown, in order.
pub(crate) enum Winners<T = Winner> {
    Few(Vec<T>),
    Many(Sorted, Read<T>),
}

impl<T: Clone> Winners<T> {
    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Winners::Few(winners) => winners.len() as u64,
            Winners::Many(sorted, _) => sorted.len(),
        }
    }

    /// Starts at the first.
    ///
    /// # Errors
    /// Those of temporary files.
    pub(crate) fn cursor(&self) -> Result<WinnersCursor, QueryError> {
        Ok(match self {
            Winners::Few(_) => WinnersCursor::Few(0),
            Winners::Many(sorted, _) => WinnersCursor::Many(sorted.cursor()?),
        })
    }

    /// The next so many winners behind a place, fewer at the end.
    ///
    /// # Errors
    /// Those of temporary files.
    pub(crate) fn next(&self, cursor: &mut WinnersCursor, most: usize) -> Result<Vec<T>, QueryError> {
        let mut next = Vec::new();
        match (self, cursor) {
            (Winners::Few(winners), WinnersCursor::Few(place)) => {
                next.extend(winners[*place..].iter().take(most).cloned());
                *place += next.len();
            }
            (Winners::Many(sorted, read), WinnersCursor::Many(cursor)) => {
                while next.len() < most
                    && let Some((_, octets)) = cursor.next(sorted)?
                {
                    next.extend(read(&octets));
                }
            }
            _ => {}
        }
        Ok(next)
    }
}

impl Winners {
    /// Calls `visit` with the first row of each.
    ///
    /// # Errors
    /// Those of temporary files, and of `visit`.
    pub(crate) fn for_each_origin(
        &self,
        mut visit: impl FnMut(RowOrigin) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        match self {
            Winners::Few(winners) => winners.iter().try_for_each(|winner| visit(winner.sums.origin())),
            // All standings of groups are by the origin at last.
            Winners::Many(sorted, _) => sorted.for_each(|standing, _| visit(standing.origin)),
        }
    }
}

/// A place among winners.
pub(crate) enum WinnersCursor {
    Few(usize),
    Many(SortedCursor),
}
