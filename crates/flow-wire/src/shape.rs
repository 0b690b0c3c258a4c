//! How the records of a template are laid out.

use crate::element::Specifier;
use crate::records::{Buffers, Records, Slot, VARIABLE};

/// The layout of records, reduced to the fields somebody reads.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Octets of the shortest possible record. Never 0.
    pub(crate) min_len: usize,
    /// For records of variable length, one behind the other; none for those of fixed length.
    pieces: Box<[Piece]>,
    /// Octets of the fixed pieces that are read.
    fixed_len: usize,
    /// How many fields of variable length are read.
    variable: usize,
}

/// A part of records of variable length; `read` when somebody reads it, or a field in it.
#[derive(Clone, Copy, Debug)]
enum Piece {
    /// All fields of fixed length up to the next one of variable length.
    Fixed { len: usize, read: bool },
    /// A field of variable length.
    Variable { read: bool },
}

/// What stands behind the records found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Less than a record: padding.
    Padding,
    /// More records than asked for.
    More,
    /// A record that does not fit.
    Truncated {
        /// Where it starts.
        start: usize,
        /// Octets that it needs at least.
        expected: usize,
    },
}

/// Collects the fields of a template, in order.
#[derive(Debug, Default)]
pub(crate) struct ShapeBuilder {
    min_len: usize,
    pieces: Vec<Piece>,
    /// Octets of the fixed pieces that are read, the last one aside.
    fixed_len: usize,
    /// How many fields of variable length are read.
    variable: usize,
}

impl ShapeBuilder {
    /// Adds a field, and says where it stands if it is to be read. A field without octets cannot be.
    pub(crate) fn add(&mut self, specifier: Specifier, read: bool) -> Option<Slot> {
        let len = specifier.len;
        if len == 0 {
            return None;
        }
        self.min_len += specifier.min_len();
        let offset = if len == VARIABLE {
            self.close();
            self.pieces.push(Piece::Variable { read });
            self.variable += usize::from(read);
            self.variable - usize::from(read)
        } else {
            let before = match self.pieces.pop_if(|piece| matches!(piece, Piece::Fixed { .. })) {
                Some(Piece::Fixed { len, read }) => (len, read),
                _ => (0, false),
            };
            self.pieces.push(Piece::Fixed { len: before.0 + usize::from(len), read: before.1 || read });
            self.fixed_len + before.0
        };
        // No record is as long as an offset that does not fit.
        read.then(|| Slot { offset: u16::try_from(offset).unwrap_or(u16::MAX), len })
    }

    /// Ends a piece of fixed length.
    fn close(&mut self) {
        if let Some(Piece::Fixed { len, read: true }) = self.pieces.last() {
            self.fixed_len += len;
        }
    }

    /// The layout; `None` when records have no octets.
    pub(crate) fn finish(mut self) -> Option<Shape> {
        self.close();
        let is_variable = self.pieces.iter().any(|piece| matches!(piece, Piece::Variable { .. }));
        (self.min_len > 0).then(|| Shape {
            min_len: self.min_len,
            pieces: if is_variable { self.pieces.into() } else { Box::default() },
            fixed_len: self.fixed_len,
            variable: self.variable,
        })
    }
}

impl Shape {
    /// Octets it occupies beyond itself.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&*self.pieces)
    }

    /// Finds up to `limit` records in `data`. Those of variable length are laid out in `buffers`.
    pub(crate) fn locate<'a>(
        &self,
        data: &'a [u8],
        limit: usize,
        buffers: &'a mut Buffers,
    ) -> (Records<'a>, End) {
        if self.pieces.is_empty() {
            let records = Records::new(data, self.min_len, limit);
            let end = if data.len() / self.min_len > limit { End::More } else { End::Padding };
            return (records, end);
        }
        buffers.fixed.clear();
        buffers.places.clear();
        let (mut at, mut count) = (0, 0);
        let end = loop {
            if data.len() - at < self.min_len {
                break End::Padding;
            }
            if count == limit {
                break End::More;
            }
            match self.lay_out(data, at, buffers) {
                Ok(end) => at = end,
                Err(expected) => break End::Truncated { start: at, expected },
            }
            count += 1;
        };
        (Records::laid_out(buffers, self.fixed_len, self.variable, data, count), end)
    }

    /// Lays out the record at `start` and says where it ends, or how many octets it needs; then it leaves a part of
    /// itself behind.
    fn lay_out(&self, data: &[u8], start: usize, buffers: &mut Buffers) -> Result<usize, usize> {
        let mut at = start;
        for piece in &self.pieces {
            let len = match *piece {
                Piece::Fixed { len, .. } => len,
                Piece::Variable { .. } => {
                    // RFC 7011 7: one octet, or 255 and then two.
                    let short = *data.get(at).ok_or(at + 1 - start)?;
                    at += 1;
                    if short == u8::MAX {
                        let long =
                            data.get(at..).and_then(|rest| rest.first_chunk()).ok_or(at + 2 - start)?;
                        at += 2;
                        usize::from(u16::from_be_bytes(*long))
                    } else {
                        usize::from(short)
                    }
                }
            };
            let end = at + len;
            let octets = data.get(at..end).ok_or(end - start)?;
            match piece {
                Piece::Fixed { read: true, .. } => buffers.fixed.extend_from_slice(octets),
                Piece::Variable { read: true } => buffers.places.push((at as u32, end as u32)),
                _ => {}
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

    fn slot(offset: u16, len: u16) -> Slot {
        Slot { offset, len }
    }

    #[test]
    fn fixed_records_have_offsets() {
        let mut builder = ShapeBuilder::default();
        assert_eq!(builder.add(field(4), false), None);
        assert_eq!(builder.add(field(0), true), None);
        assert_eq!(builder.add(field(2), true), Some(slot(4, 2)));
        assert_eq!(builder.add(field(1), true), Some(slot(6, 1)));
        let shape = builder.finish().unwrap();
        let mut buffers = Buffers::default();
        let data: Vec<u8> = (0..20).collect();
        let (records, end) = shape.locate(&data, 10, &mut buffers);
        assert_eq!((shape.min_len, records.count(), end), (7, 2, End::Padding));
        assert_eq!((records.num(1, slot(4, 2)), records.num(1, slot(6, 1))), (0x0b0c, 13));
        let (records, end) = shape.locate(&data, 1, &mut buffers);
        assert_eq!((records.count(), end), (1, End::More));
        assert!(ShapeBuilder::default().finish().is_none());
    }

    #[test]
    fn variable_records_are_laid_out_and_padding_is_left() {
        let mut builder = ShapeBuilder::default();
        let fields = [
            (1, false),
            (2, false),
            (VARIABLE, true),
            (VARIABLE, false),
            (1, false),
            (1, true),
            (2, true),
            (VARIABLE, true),
            (1, true),
        ];
        let slots: Vec<_> = fields.iter().filter_map(|&(len, read)| builder.add(field(len), read)).collect();
        let [name, one, two, note, last] = slots[..] else { panic!("{slots:?}") };
        assert_eq!((name, note), (slot(0, VARIABLE), slot(1, VARIABLE)));
        assert_eq!((one, two, last), (slot(1, 1), slot(2, 2), slot(4, 1)));
        let shape = builder.finish().unwrap();
        assert_eq!(shape.min_len, 11);
        let first = [0, 0, 0, 2, b'h', b'i', 0, 9, 9, 1, 2, 0, 3];
        let second = [0, 0, 0, 255, 0, 1, b'x', 1, b'y', 8, 8, 3, 4, 1, b'z', 5];
        let data = [&first[..], &second, &[0; 10]].concat();
        let mut buffers = Buffers::default();
        let (records, end) = shape.locate(&data, 10, &mut buffers);
        assert_eq!((records.count(), end), (2, End::Padding));
        let strings: Vec<_> = [0, 1]
            .into_iter()
            .flat_map(|record| [name, note].map(|slot| records.octets(record, slot)))
            .collect();
        assert_eq!(strings, [&b"hi"[..], b"", b"x", b"z"]);
        let nums: Vec<_> = [0, 1]
            .into_iter()
            .flat_map(|record| [one, two, last].map(|slot| records.num(record, slot)))
            .collect();
        assert_eq!(nums, [9, 0x0102, 3, 8, 0x0304, 5]);
        assert_eq!(shape.locate(&data, 1, &mut buffers).1, End::More);
        // The second record's first string claims more than there is.
        let data = [&first[..], &[0, 0, 0, 255, 1, 0, b'x', 0, 0, 0, 0, 0]].concat();
        let (records, end) = shape.locate(&data, 10, &mut buffers);
        assert_eq!((records.count(), end), (1, End::Truncated { start: 13, expected: 262 }));
        assert_eq!(records.octets(1, name), b"");
    }
}
