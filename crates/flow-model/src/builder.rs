//! Building a batch row by row.

use crate::column::UNSPECIFIED;
use crate::group::field_bit;
use crate::{
    Column, Field, FieldSet, FlowBatch, Groups, MAX_BATCH_ROWS, Selection, ValueRef, Values, field_info,
};
use std::net::IpAddr;

/// Collects flows row by row into columns.
///
/// Set the fields of the open row in any order, then [`finish_row`](Self::finish_row) or
/// [`abort_row`](Self::abort_row). Setting a field puts its group into the row's [`Groups`]. A field that no row
/// sets costs nothing, and a warmed builder does not allocate.
#[derive(Debug)]
pub struct BatchBuilder {
    pub(crate) len: usize,
    /// Indexed by field; a column may be shorter than `len` (the rest has the default), and one longer than
    /// `len` when the open row has set it.
    pub(crate) columns: Vec<Values>,
    /// Fields of the open row.
    touched: FieldSet,
    /// Fields of any row.
    pub(crate) used: FieldSet,
    groups: Groups,
    /// How many rows a new column makes room for: as many as the last batch had, if those were few. Columns of few rows,
    /// which are made again and again, then do not grow step by step.
    pub(crate) expected: usize,
}

/// The most rows that are expected.
const MAX_EXPECTED: usize = 1024;

impl Default for BatchBuilder {
    fn default() -> Self {
        BatchBuilder::new()
    }
}

impl BatchBuilder {
    /// An empty builder.
    pub fn new() -> BatchBuilder {
        BatchBuilder {
            len: 0,
            columns: Field::EVERY.iter().map(|&field| Values::new(field_info(field).kind)).collect(),
            touched: FieldSet::EMPTY,
            used: FieldSet::EMPTY,
            groups: Groups::default(),
            expected: 0,
        }
    }

    /// Sets a numeric field of the open row; bits above the field's width are dropped.
    ///
    /// # Panics
    /// When the field is not numeric.
    #[inline]
    pub fn set(&mut self, field: Field, num: u64) {
        #[inline]
        fn put<T: Copy>(values: &mut Vec<T>, row: usize, num: T, default: T) {
            if values.len() != row {
                values.resize(row, default);
            }
            values.push(num);
        }
        let (row, default) = (self.len, field.default_num());
        self.touch(field, field_bit(field, false));
        match &mut self.columns[field as usize] {
            Values::U8(v) => put(v, row, num as u8, default as u8),
            Values::U16(v) => put(v, row, num as u16, default as u16),
            Values::U32(v) => put(v, row, num as u32, default as u32),
            Values::U64(v) => put(v, row, num, default),
            Values::Ip(_) | Values::Bytes(_) => panic!("{field:?} is not a number"),
        }
    }

    /// Sets an address field of the open row.
    ///
    /// # Panics
    /// When the field is not an address.
    #[inline]
    pub fn set_ip(&mut self, field: Field, addr: IpAddr) {
        let row = self.len;
        self.touch(field, field_bit(field, addr.is_ipv6()));
        let Values::Ip(values) = &mut self.columns[field as usize] else {
            panic!("{field:?} is not an address")
        };
        if values.len() != row {
            values.resize(row, UNSPECIFIED);
        }
        values.push(addr);
    }

    /// Sets an octet string field of the open row.
    ///
    /// # Panics
    /// When the field is not an octet string.
    pub fn set_bytes(&mut self, field: Field, bytes: &[u8]) {
        let row = self.len;
        self.touch(field, field_bit(field, false));
        let Values::Bytes(values) = &mut self.columns[field as usize] else {
            panic!("{field:?} is not octets")
        };
        values.truncate(row);
        while values.len() < row {
            values.push(&[]);
        }
        values.push(bytes);
    }

    /// Sets any field of the open row. [`Field::Groups`] adds groups.
    ///
    /// # Panics
    /// When the value is of another kind than the field.
    pub fn set_value(&mut self, field: Field, value: ValueRef<'_>) {
        match value {
            ValueRef::Num(num) if field == Field::Groups => self.groups.0 |= num,
            ValueRef::Num(num) => self.set(field, num),
            ValueRef::Ip(addr) => self.set_ip(field, addr),
            ValueRef::Bytes(bytes) => self.set_bytes(field, bytes),
        }
    }

    /// Adds groups to the open row beyond those of the fields it sets.
    pub fn add_groups(&mut self, groups: Groups) {
        self.groups.0 |= groups.0;
    }

    /// The number the open row has in `field`, if it has set it.
    pub fn get(&self, field: Field) -> Option<u64> {
        self.touched.contains(field).then(|| self.columns[field as usize].num(self.len))
    }

    /// The address the open row has in `field`, if it has set it.
    pub fn get_ip(&self, field: Field) -> Option<IpAddr> {
        match &self.columns[field as usize] {
            Values::Ip(values) if self.touched.contains(field) => values.get(self.len).copied(),
            _ => None,
        }
    }

    /// The fields the open row has set.
    pub fn touched(&self) -> FieldSet {
        self.touched
    }

    /// The groups of the open row.
    pub fn groups(&self) -> Groups {
        self.groups
    }

    /// Closes the open row; fields it did not set have their default.
    ///
    /// # Panics
    /// When the batch is [full](Self::is_full).
    pub fn finish_row(&mut self) {
        assert!(!self.is_full(), "a batch has at most {MAX_BATCH_ROWS} rows");
        let groups = self.groups.0;
        self.set(Field::Groups, groups);
        self.len += 1;
        self.touched = FieldSet::EMPTY;
        self.groups = Groups::default();
    }

    /// Forgets the open row.
    pub fn abort_row(&mut self) {
        for field in self.touched.iter() {
            let column = &mut self.columns[field as usize];
            if column.len() > self.len {
                column.resize(self.len, column_default(field, column.kind()));
            }
        }
        self.touched = FieldSet::EMPTY;
        self.groups = Groups::default();
    }

    /// Forgets values beyond the finished rows.
    pub(crate) fn trim(&mut self) {
        self.touched = self.used;
        self.abort_row();
    }

    /// Appends the selected rows of `batch`, as many as fit, and says how many those were.
    pub fn append(&mut self, batch: &FlowBatch, selection: &Selection) -> usize {
        let fits = (MAX_BATCH_ROWS - self.len).min(selection.count());
        let mut rows = selection.to_rows();
        rows.truncate(fits);
        for field in batch.fields().iter() {
            let column = batch.column(field);
            let values = &mut self.columns[field as usize];
            values.resize(self.len, column_default(field, values.kind()));
            values.extend(column, &rows);
        }
        self.used = self.used.union(batch.fields());
        self.len += fits;
        fits
    }

    /// Finished rows.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no row is finished.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether no further row fits.
    pub fn is_full(&self) -> bool {
        self.len == MAX_BATCH_ROWS
    }

    /// Octets the finished rows occupy, about.
    pub fn memory(&self) -> usize {
        self.used
            .iter()
            .map(|field| match &self.columns[field as usize] {
                Values::U8(v) => v.capacity(),
                Values::U16(v) => 2 * v.capacity(),
                Values::U32(v) => 4 * v.capacity(),
                Values::U64(v) => 8 * v.capacity(),
                Values::Ip(v) => size_of::<IpAddr>() * v.capacity(),
                Values::Bytes(v) => 4 * v.len() + v.total_len(),
            })
            .sum()
    }

    /// The finished rows as a batch; the builder starts anew. An open row is forgotten.
    #[must_use]
    pub fn finish(&mut self) -> FlowBatch {
        self.abort_row();
        let mut batch = FlowBatch::new(self.len);
        for field in self.used.iter() {
            let column = &mut self.columns[field as usize];
            let kind = column.kind();
            column.resize(self.len, column_default(field, kind));
            batch.insert(field, Column::Plain(std::mem::replace(column, Values::new(kind))));
        }
        batch.mark_decoded(FieldSet::ALL);
        self.expected = if self.len <= MAX_EXPECTED { self.len } else { 0 };
        self.len = 0;
        self.used = FieldSet::EMPTY;
        batch
    }

    /// Takes the memory of `batch`, whose rows are no longer needed, for rows to come.
    ///
    /// A batch that this builder [finished](Self::finish) and that was encoded since saves the next one growing its
    /// columns anew.
    pub fn recycle(&mut self, mut batch: FlowBatch) {
        for field in batch.fields().iter() {
            let own = &mut self.columns[field as usize];
            if let Some(Column::Plain(mut values)) = batch.take(field)
                && own.is_empty()
                && own.kind() == values.kind()
            {
                values.clear();
                *own = values;
            }
        }
    }

    #[inline]
    fn touch(&mut self, field: Field, group: u64) {
        if self.touched.contains(field) {
            // Set twice in one row: the later value replaces the earlier one.
            let column = &mut self.columns[field as usize];
            column.resize(self.len, column_default(field, column.kind()));
        }
        self.touched.insert(field);
        self.used.insert(field);
        self.groups.0 |= group;
    }
}

fn column_default(field: Field, kind: crate::Kind) -> ValueRef<'static> {
    match kind {
        crate::Kind::Ip => ValueRef::Ip(UNSPECIFIED),
        crate::Kind::Bytes => ValueRef::Bytes(&[]),
        _ => ValueRef::Num(field.default_num()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_a_row_does_not_set_have_their_default() {
        let mut builder = BatchBuilder::new();
        builder.finish_row();
        builder.set(Field::Flows, 7);
        builder.set(Field::Proto, 300);
        builder.set_bytes(Field::UserName, b"alice");
        builder.finish_row();
        builder.finish_row();
        let batch = builder.finish();
        assert_eq!((0..3).map(|row| batch.column(Field::Flows).num(row)).collect::<Vec<_>>(), [1, 7, 1]);
        assert_eq!(batch.column(Field::Proto).num(1), 44);
        assert_eq!(batch.column(Field::UserName).bytes(0), b"");
        assert_eq!(batch.column(Field::UserName).bytes(1), b"alice");
        assert_eq!(batch.column(Field::UserName).bytes(2), b"");
        assert_eq!(batch.groups(0), Groups(0));
        assert_eq!(
            batch.groups(1).iter().collect::<Vec<_>>(),
            [Groups::GENERIC, Groups::COUNTERS, Groups::USER]
        );
        assert!(builder.is_empty());
    }

    #[test]
    fn an_aborted_row_leaves_nothing_and_the_last_setting_wins() {
        let mut builder = BatchBuilder::new();
        builder.set(Field::InBytes, 1);
        builder.set_ip(Field::SrcAddr, "::1".parse().unwrap());
        builder.abort_row();
        builder.set(Field::InBytes, 2);
        builder.set(Field::InBytes, 3);
        assert_eq!(builder.get(Field::InBytes), Some(3));
        assert_eq!(builder.get(Field::SrcPort), None);
        builder.finish_row();
        let batch = builder.finish();
        assert_eq!(batch.len(), 1);
        assert_eq!(batch.column(Field::InBytes).num(0), 3);
        assert_eq!(batch.column(Field::SrcAddr).ip(0), UNSPECIFIED);
        assert_eq!(batch.groups(0).iter().collect::<Vec<_>>(), [Groups::GENERIC]);
    }

    #[test]
    fn the_group_of_an_address_follows_its_family() {
        let mut builder = BatchBuilder::new();
        builder.set_ip(Field::NextHop, "2001:db8::1".parse().unwrap());
        builder.set_ip(Field::RouterAddr, "192.0.2.1".parse().unwrap());
        builder.finish_row();
        let batch = builder.finish();
        assert_eq!(batch.groups(0).iter().collect::<Vec<_>>(), [Groups::NEXT_HOP_V6, Groups::ROUTER_V4]);
    }

    #[test]
    fn recycled_memory_holds_no_rows() {
        let mut builder = BatchBuilder::new();
        builder.set(Field::SrcPort, 7);
        builder.finish_row();
        let batch = builder.finish();
        builder.recycle(batch);
        builder.finish_row();
        let batch = builder.finish();
        assert_eq!((batch.len(), batch.column(Field::SrcPort).num(0)), (1, 0));
        assert!(!batch.fields().contains(Field::SrcPort));
    }

    #[test]
    fn append_takes_selected_rows_with_all_their_fields() {
        let mut builder = BatchBuilder::new();
        for port in 0..4 {
            builder.set(Field::SrcPort, port);
            builder.finish_row();
        }
        let batch = builder.finish();
        builder.set(Field::Input, 9);
        builder.finish_row();
        assert_eq!(builder.append(&batch, &Selection::from_rows(4, vec![1, 3])), 2);
        let all = builder.finish();
        assert_eq!((0..3).map(|row| all.column(Field::SrcPort).num(row)).collect::<Vec<_>>(), [0, 1, 3]);
        assert_eq!((0..3).map(|row| all.column(Field::Input).num(row)).collect::<Vec<_>>(), [9, 0, 0]);
        assert_eq!(all.groups(2), batch.groups(3));
    }
}
