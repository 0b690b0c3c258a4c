//! Shapes: what records of the same composition have in common.
//!
//! Records of a file differ in which extensions they have, but a block holds few combinations. So the octets of a
//! record are looked at once, to find its shape; a column is then filled by reading, for every row, at the place that
//! the shape has for its field.

use crate::nfdump::stored::{Member, Stored};
use flow_model::{Field, Groups, MAX_BATCH_ROWS};

/// Where a field stands in the records of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Offset in the record.
    pub(super) offset: u16,
    /// For octets to the end of an element: how many octets of it come before. For ports that ICMP replaces: where in the
    /// record that stands.
    pub(super) aux: u16,
    /// The form of the value.
    pub(super) stored: Stored,
}

/// What a record lacks.
const ABSENT: Place = Place { offset: u16::MAX, aux: 0, stored: Stored::Fixed(0) };

impl Place {
    pub(super) fn is_absent(self) -> bool {
        self == ABSENT
    }
}

/// Where the records of a shape have which field.
#[derive(Debug)]
pub(super) struct Shape {
    places: [Place; Field::COUNT],
    /// The groups of fields that the records carry.
    pub(super) groups: Groups,
    /// Those of them that count as carried only when one of their fields is not 0.
    pub(super) optional: Groups,
}

impl Shape {
    pub(super) fn new() -> Shape {
        Shape { places: [ABSENT; Field::COUNT], groups: Groups::default(), optional: Groups::default() }
    }

    /// Where `field` stands.
    #[inline]
    pub(super) fn place(&self, field: Field) -> Place {
        self.places[field as usize]
    }

    /// Says where `field` stands.
    pub(super) fn set(&mut self, field: Field, place: Place) {
        self.places[field as usize] = place;
    }

    /// Adds the members of a structure that starts at `offset` of the record.
    pub(super) fn add(&mut self, members: &[Member], offset: u16) {
        for member in members {
            let aux = member.offset.into();
            let place = Place { offset: offset + u16::from(member.offset), aux, stored: member.stored };
            self.set(member.field, place);
        }
    }
}

/// The flow records of a block.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Where in the block each record starts.
    pub(super) starts: Vec<u32>,
    /// The shape of each record, an index into `shapes`.
    pub(super) shape_of: Vec<u16>,
    /// The shapes in the order of their first record; no more than there are rows.
    pub(super) shapes: Vec<Shape>,
}

impl Rows {
    pub(super) fn clear(&mut self) {
        self.starts.clear();
        self.shape_of.clear();
        self.shapes.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.len() == MAX_BATCH_ROWS
    }

    /// Adds a row of shape number `shape`.
    #[inline]
    pub(super) fn push(&mut self, start: usize, shape: u16) {
        self.starts.push(start as u32);
        self.shape_of.push(shape);
    }

    /// Adds a shape, which the next row has, and gives its number.
    pub(super) fn add_shape(&mut self, shape: Shape) -> u16 {
        self.shapes.push(shape);
        (self.shapes.len() - 1) as u16
    }
}
