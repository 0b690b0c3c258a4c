//! How the records of a template are laid out.

use crate::element::Specifier;
use crate::records::{Slot, VARIABLE};

/// The layout of records, reduced to the fields somebody reads.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Octets of the shortest possible record. Never 0.
    pub(crate) min_len: usize,
    /// Whether records differ in length.
    pub(crate) variable: bool,
    /// Fields read of each record.
    pub(crate) slots: usize,
    /// For records of variable length, one behind the other.
    pieces: Box<[Piece]>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    len: u16,
    read: bool,
}

/// Where the records of a set end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Located {
    /// Whole records found.
    pub(crate) count: usize,
    /// Where a record starts that does not fit, and how many octets it needs at least.
    pub(crate) truncated: Option<(usize, usize)>,
    /// Whether more records than asked for follow.
    pub(crate) more: bool,
}

/// Collects the fields of a template, in order.
#[derive(Debug, Default)]
pub(crate) struct ShapeBuilder {
    min_len: usize,
    variable: bool,
    slots: u16,
    pieces: Vec<Piece>,
}

impl ShapeBuilder {
    /// Adds a field, and says where it stands if it is to be read. A field without octets cannot be.
    pub(crate) fn add(&mut self, specifier: Specifier, read: bool) -> Option<Slot> {
        let Specifier { len, .. } = specifier;
        if len == 0 {
            return None;
        }
        let offset = u16::try_from(self.min_len).unwrap_or(u16::MAX);
        self.min_len += specifier.min_len();
        self.variable |= len == VARIABLE;
        match self.pieces.last_mut() {
            Some(last) if !read && !last.read && len != VARIABLE && last.len != VARIABLE => {
                match last.len.checked_add(len) {
                    Some(sum) if sum != VARIABLE => last.len = sum,
                    _ => self.pieces.push(Piece { len, read }),
                }
            }
            _ => self.pieces.push(Piece { len, read }),
        }
        if !read {
            return None;
        }
        self.slots += 1;
        Some(Slot { number: self.slots - 1, offset, len })
    }

    /// The layout; `None` when records have no octets.
    pub(crate) fn finish(self) -> Option<Shape> {
        (self.min_len > 0).then(|| Shape {
            min_len: self.min_len,
            variable: self.variable,
            slots: usize::from(self.slots),
            pieces: if self.variable { self.pieces.into() } else { Box::default() },
        })
    }
}

impl Shape {
    /// Octets it occupies beyond itself.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.pieces)
    }

    /// Finds up to `limit` records of variable length in `data`, and where the fields that are read start and
    /// end. What is shorter than a record behind the last one is padding.
    pub(crate) fn locate(&self, data: &[u8], limit: usize, places: &mut Vec<(u32, u32)>) -> Located {
        places.clear();
        let (mut at, mut count) = (0, 0);
        while data.len() - at >= self.min_len {
            if count == limit {
                return Located { count, truncated: None, more: true };
            }
            match self.locate_one(data, at, places) {
                Ok(end) => at = end,
                Err(needed) => {
                    places.truncate(count * self.slots);
                    return Located { count, truncated: Some((at, needed)), more: false };
                }
            }
            count += 1;
        }
        Located { count, truncated: None, more: false }
    }

    /// The end of the record at `start`, or how many octets it needs.
    fn locate_one(&self, data: &[u8], start: usize, places: &mut Vec<(u32, u32)>) -> Result<usize, usize> {
        let mut at = start;
        for piece in &self.pieces {
            let mut len = usize::from(piece.len);
            if piece.len == VARIABLE {
                // RFC 7011 7: one octet, or 255 and then two.
                let short = *data.get(at).ok_or(at + 1 - start)?;
                at += 1;
                len = usize::from(short);
                if short == u8::MAX {
                    let long = data.get(at..).and_then(|rest| rest.first_chunk()).ok_or(at + 2 - start)?;
                    at += 2;
                    len = usize::from(u16::from_be_bytes(*long));
                }
            }
            let end = at + len;
            if end > data.len() {
                return Err(end - start);
            }
            if piece.read {
                places.push((at as u32, end as u32));
            }
            at = end;
        }
        Ok(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(len: u16) -> Specifier {
        Specifier { enterprise: 0, id: 1, len }
    }

    #[test]
    fn fixed_records_have_offsets() {
        let mut builder = ShapeBuilder::default();
        assert_eq!(builder.add(field(4), false), None);
        assert_eq!(builder.add(field(0), true), None);
        assert_eq!(builder.add(field(2), true), Some(Slot { number: 0, offset: 4, len: 2 }));
        let shape = builder.finish().unwrap();
        assert_eq!((shape.min_len, shape.variable, shape.slots), (6, false, 1));
        assert!(ShapeBuilder::default().finish().is_none());
    }

    #[test]
    fn variable_records_are_walked_and_padding_is_left() {
        let mut builder = ShapeBuilder::default();
        for (len, read) in [(1, false), (2, false), (VARIABLE, true), (VARIABLE, false), (1, true)] {
            builder.add(field(len), read);
        }
        let shape = builder.finish().unwrap();
        assert_eq!(shape.min_len, 6);
        let mut places = Vec::new();
        let data = [0, 0, 0, 2, b'h', b'i', 0, 9, 0, 0, 0, 255, 0, 1, b'x', 1, b'y', 8, 0, 0, 0];
        let located = shape.locate(&data, 10, &mut places);
        assert_eq!(located, Located { count: 2, truncated: None, more: false });
        assert_eq!(places, [(4, 6), (7, 8), (14, 15), (17, 18)]);
        assert!(shape.locate(&data, 1, &mut places).more);
        // The second record's first string claims more than there is.
        let data = [0, 0, 0, 0, 0, 9, 0, 0, 0, 255, 1, 0, b'x', 0, 0];
        let located = shape.locate(&data, 10, &mut places);
        assert_eq!(located, Located { count: 1, truncated: Some((6, 262)), more: false });
        assert_eq!(places.len(), 2);
    }
}
