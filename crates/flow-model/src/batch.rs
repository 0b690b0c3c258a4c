//! Flows as columns.

use crate::column::UNSPECIFIED;
use crate::{Column, Field, FieldSet, Groups, Kind, Selection, Value, field_info};
use std::sync::LazyLock;

/// Up to [`MAX_BATCH_ROWS`](crate::MAX_BATCH_ROWS) flows as columns: the unit that travels between crates.
///
/// A field without a column is *absent* from every row and has its default. A reader that decodes only some
/// fields says which ([`mark_decoded`](Self::mark_decoded)); asking for another is a mistake that debug builds
/// catch.
#[derive(Clone, Debug)]
pub struct FlowBatch {
    len: usize,
    present: FieldSet,
    decoded: FieldSet,
    /// Of fields that are not present, columns of an earlier use whose memory may serve again.
    columns: Vec<Option<Column>>,
}

static ABSENT: LazyLock<Vec<Column>> = LazyLock::new(|| {
    Field::EVERY
        .iter()
        .map(|&field| {
            Column::Constant(match field_info(field).kind {
                Kind::Ip => Value::Ip(UNSPECIFIED),
                Kind::Bytes => Value::Bytes(Box::default()),
                _ => Value::Num(field.default_num()),
            })
        })
        .collect()
});

impl FlowBatch {
    /// A batch of `len` rows without columns, nothing decoded.
    pub fn new(len: usize) -> FlowBatch {
        FlowBatch {
            len,
            present: FieldSet::EMPTY,
            decoded: FieldSet::EMPTY,
            columns: vec![None; Field::COUNT],
        }
    }

    /// Makes this a batch of `len` rows without columns, nothing decoded, and keeps the memory of the columns it
    /// had for those to come ([`reuse`](Self::reuse)).
    ///
    /// A worker that reads block after block into one batch spares the system the return and renewal of some
    /// hundred kilobytes per column, which costs several times what decoding does.
    pub fn reset(&mut self, len: usize) {
        self.len = len;
        self.present = FieldSet::EMPTY;
        self.decoded = FieldSet::EMPTY;
    }

    /// The column that `field` had before [`reset`](Self::reset), for its memory; its values mean nothing.
    pub fn reuse(&mut self, field: Field) -> Option<Column> {
        if self.present.contains(field) { None } else { self.columns[field as usize].take() }
    }

    /// How many rows the batch has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the batch has no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The fields that have a column.
    pub fn fields(&self) -> FieldSet {
        self.present
    }

    /// The fields that may be asked for.
    pub fn decoded(&self) -> FieldSet {
        self.decoded
    }

    /// Says that `fields` were decoded: those without a column are absent.
    pub fn mark_decoded(&mut self, fields: FieldSet) {
        self.decoded = self.decoded.union(fields);
    }

    /// Puts in the column of `field`, which counts as decoded then.
    ///
    /// # Panics
    /// In debug builds, when the column is not as long as the batch.
    pub fn insert(&mut self, field: Field, column: Column) {
        debug_assert!(match &column {
            Column::Constant(_) => true,
            Column::Dictionary(dictionary) => dictionary.codes.len() == self.len,
            Column::Plain(values) => values.len() == self.len,
        });
        self.present.insert(field);
        self.decoded.insert(field);
        self.columns[field as usize] = Some(column);
    }

    /// The column of `field`, a constant when the field is absent.
    ///
    /// # Panics
    /// In debug builds, when the field was not decoded.
    #[inline]
    pub fn column(&self, field: Field) -> &Column {
        debug_assert!(self.decoded.contains(field), "{field:?} was not decoded");
        match &self.columns[field as usize] {
            Some(column) if self.present.contains(field) => column,
            _ => &ABSENT[field as usize],
        }
    }

    /// Takes the column of `field` out of the batch.
    pub fn take(&mut self, field: Field) -> Option<Column> {
        let present = self.present.contains(field);
        self.present = self.present.without(FieldSet::of(&[field]));
        if present { self.columns[field as usize].take() } else { None }
    }

    /// The groups of fields that `row` carried.
    pub fn groups(&self, row: usize) -> Groups {
        Groups(self.column(Field::Groups).num(row))
    }

    /// The selected rows as a batch of their own.
    #[must_use]
    pub fn select(&self, selection: &Selection) -> FlowBatch {
        let mut batch = FlowBatch::new(selection.count());
        for field in self.present.iter() {
            batch.insert(field, self.column(field).select(selection));
        }
        batch.decoded = self.decoded;
        batch
    }
}

/// Two batches are equal when every field of every row is, however the columns are represented.
impl PartialEq for FlowBatch {
    fn eq(&self, other: &FlowBatch) -> bool {
        self.len == other.len
            && self.decoded == other.decoded
            && self.present.union(other.present).intersect(self.decoded).iter().all(|field| {
                let (ours, theirs) = (self.column(field), other.column(field));
                (0..self.len).all(|row| ours.get(row) == theirs.get(row))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Values;

    #[test]
    fn a_reset_batch_has_no_columns_and_gives_their_memory_once() {
        let mut batch = FlowBatch::new(2);
        batch.insert(Field::SrcPort, Column::Plain(Values::U16(vec![1, 2])));
        assert_eq!(batch.reuse(Field::SrcPort), None, "in use");
        batch.reset(3);
        assert_eq!((batch.len(), batch.fields(), batch.decoded()), (3, FieldSet::EMPTY, FieldSet::EMPTY));
        batch.mark_decoded(FieldSet::ALL);
        assert_eq!(batch.column(Field::SrcPort).num(2), 0);
        let mut fresh = FlowBatch::new(3);
        fresh.mark_decoded(FieldSet::ALL);
        assert_eq!(batch, fresh);
        assert_eq!(batch.take(Field::SrcPort), None);
        assert_eq!(batch.select(&Selection::all(3)), fresh);
        assert!(batch.reuse(Field::SrcPort).is_some());
        assert_eq!(batch.reuse(Field::SrcPort), None);
    }
}
