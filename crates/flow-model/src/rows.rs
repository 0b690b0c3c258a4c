//! Filling many rows at once, column by column.

use crate::column::UNSPECIFIED;
use crate::{BatchBuilder, Field, Groups, MAX_BATCH_ROWS, Values};
use std::net::IpAddr;

/// Rows opened together with [`BatchBuilder::rows`], for a decoder that has many records of one shape.
///
/// Each call writes one field of every row in the window, which at first is all rows;
/// [`narrow`](Self::narrow) makes it one row. Rows that no call reaches have the field's default. Groups are
/// *not* derived from the fields: most are the same for every record of a shape, and rows open with these; the
/// others are added with [`add_groups`](Self::add_groups).
///
/// The rows count once [`finish`](Self::finish) is called; dropped before, they leave nothing.
#[derive(Debug)]
pub struct Rows<'a> {
    builder: &'a mut BatchBuilder,
    /// First row opened, in the batch.
    first: usize,
    /// All rows opened.
    count: usize,
    /// First row of the window, in the batch.
    start: usize,
    /// Rows of the window.
    len: usize,
}

impl BatchBuilder {
    /// Opens `count` rows of `groups`. An open row is forgotten.
    ///
    /// # Panics
    /// When so many do not [fit](Self::room).
    pub fn rows(&mut self, count: usize, groups: Groups) -> Rows<'_> {
        assert!(count <= self.room(), "a batch has at most {MAX_BATCH_ROWS} rows");
        self.abort_row();
        let first = self.len;
        self.used.insert(Field::Groups);
        if let Values::U64(column) = &mut self.columns[Field::Groups as usize] {
            column.resize(first, 0);
            column.resize(first + count, groups.0);
        }
        Rows { builder: self, first, count, start: first, len: count }
    }

    /// Opens the rows from `first` on again, to set what they have in common. An open row is forgotten.
    ///
    /// # Panics
    /// When there are not so many rows.
    pub fn rows_since(&mut self, first: usize) -> Rows<'_> {
        assert!(first <= self.len, "row {first} of {}", self.len);
        self.abort_row();
        let count = self.len - first;
        Rows { builder: self, first, count, start: first, len: count }
    }

    /// How many rows still fit.
    pub fn room(&self) -> usize {
        MAX_BATCH_ROWS - self.len
    }
}

impl Rows<'_> {
    /// Sets a numeric field of each row of the window to what `num` says for the row's index in the window.
    /// Bits above the field's width are dropped.
    ///
    /// # Panics
    /// When the field is not numeric.
    #[inline]
    pub fn nums(&mut self, field: Field, num: impl FnMut(usize) -> u64) {
        self.put_nums(field, (0..self.len).map(num));
    }

    /// Sets a numeric field of the rows of the window to `nums`, one for each. Bits above the field's width are dropped.
    ///
    /// # Panics
    /// When the field is not numeric, or there are more numbers than rows.
    #[inline]
    pub fn put_nums(&mut self, field: Field, nums: impl ExactSizeIterator<Item = u64>) {
        let (start, len, default) = (self.start, self.len, field.default_num());
        assert!(nums.len() <= len, "{} numbers for {len} rows", nums.len());
        let expected = self.builder.expected;
        match self.column(field) {
            Values::U8(v) => write(v, start, expected, default as u8, nums.map(|num| num as u8)),
            Values::U16(v) => write(v, start, expected, default as u16, nums.map(|num| num as u16)),
            Values::U32(v) => write(v, start, expected, default as u32, nums.map(|num| num as u32)),
            Values::U64(v) => write(v, start, expected, default, nums),
            Values::Ip(_) | Values::Bytes(_) => panic!("{field:?} is not a number"),
        }
    }

    /// Sets a numeric field of one row of the window, in a column that all of them have.
    ///
    /// # Panics
    /// When the field is not numeric, or the row does not have it yet.
    pub fn replace(&mut self, field: Field, row: usize, num: u64) {
        let row = self.start + row;
        match self.column(field) {
            Values::U8(v) => v[row] = num as u8,
            Values::U16(v) => v[row] = num as u16,
            Values::U32(v) => v[row] = num as u32,
            Values::U64(v) => v[row] = num,
            Values::Ip(_) | Values::Bytes(_) => panic!("{field:?} is not a number"),
        }
    }

    /// Sets a numeric field of every row of the window to `num`.
    ///
    /// # Panics
    /// When the field is not numeric.
    pub fn fill(&mut self, field: Field, num: u64) {
        // A row that the column does not reach has the default already.
        if num == field.default_num() && self.builder.columns[field as usize].len() <= self.start {
            return;
        }
        self.nums(field, move |_| num);
    }

    /// Sets an address field of each row of the window to what `addr` says for the row's index in the window.
    ///
    /// # Panics
    /// When the field is not an address.
    #[inline]
    pub fn ips(&mut self, field: Field, addr: impl FnMut(usize) -> IpAddr) {
        self.put_ips(field, (0..self.len).map(addr));
    }

    /// Sets an address field of the rows of the window to `addrs`, one for each.
    ///
    /// # Panics
    /// When the field is not an address, or there are more addresses than rows.
    #[inline]
    pub fn put_ips(&mut self, field: Field, addrs: impl ExactSizeIterator<Item = IpAddr>) {
        let (start, len, expected) = (self.start, self.len, self.builder.expected);
        assert!(addrs.len() <= len, "{} addresses for {len} rows", addrs.len());
        match self.column(field) {
            Values::Ip(v) => write(v, start, expected, UNSPECIFIED, addrs),
            _ => panic!("{field:?} is not an address"),
        }
    }

    /// Sets an octet string field of each row of the window to what `octets` says for the row's index in the window.
    /// A row that has the field keeps it.
    ///
    /// # Panics
    /// When the field is not an octet string.
    #[inline]
    pub fn bytes<'b>(&mut self, field: Field, octets: impl FnMut(usize) -> &'b [u8]) {
        let (start, len) = (self.start, self.len);
        let Values::Bytes(values) = self.column(field) else { panic!("{field:?} is not octets") };
        while values.len() < start {
            values.push(&[]);
        }
        (values.len() - start..len).map(octets).for_each(|octets| values.push(octets));
    }

    /// Adds to each row of the window the groups that `groups` says for the row's index in the window.
    #[inline]
    pub fn add_groups(&mut self, mut groups: impl FnMut(usize) -> Groups) {
        let (start, len) = (self.start, self.len);
        if let Values::U64(column) = self.column(Field::Groups) {
            for (row, bits) in column[start..start + len].iter_mut().enumerate() {
                *bits |= groups(row).0;
            }
        }
    }

    /// How many rows the window has.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether the window has no row.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Makes `row`, an index into all rows, the whole window.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn narrow(&mut self, row: usize) {
        assert!(row < self.count, "row {row} of {}", self.count);
        (self.start, self.len) = (self.first + row, 1);
    }

    /// Makes every row the window.
    pub fn widen(&mut self) {
        (self.start, self.len) = (self.first, self.count);
    }

    /// Closes the rows.
    pub fn finish(mut self) {
        self.builder.len = self.first + self.count;
        self.count = 0;
    }

    #[inline]
    fn column(&mut self, field: Field) -> &mut Values {
        self.builder.used.insert(field);
        &mut self.builder.columns[field as usize]
    }
}

impl Drop for Rows<'_> {
    fn drop(&mut self) {
        if self.count > 0 {
            self.builder.trim();
        }
    }
}

/// Writes `values` from row `start` on into a column, of which about `expected` rows are to come.
#[inline]
fn write<T: Copy>(
    column: &mut Vec<T>,
    start: usize,
    expected: usize,
    default: T,
    values: impl ExactSizeIterator<Item = T>,
) {
    if column.capacity() == 0 {
        column.reserve(expected);
    }
    if column.len() < start {
        column.resize(start, default);
    }
    if column.len() == start {
        column.extend(values);
        return;
    }
    let end = start + values.len();
    if column.len() < end {
        column.resize(end, default);
    }
    for (slot, value) in column[start..end].iter_mut().zip(values) {
        *slot = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_many_rows_and_of_one() {
        let mut builder = BatchBuilder::new();
        builder.set(Field::Proto, 17);
        builder.finish_row();
        let mut rows = builder.rows(3, Groups(1 << Groups::ROUTER_V4));
        rows.put_nums(Field::SrcPort, [100, 101, 102].into_iter());
        rows.put_nums(Field::SrcTos, [3].into_iter());
        rows.fill(Field::Proto, 6);
        rows.add_groups(|_| Groups(1 << Groups::GENERIC));
        rows.narrow(1);
        rows.fill(Field::Input, 9);
        rows.bytes(Field::UserName, |_| b"bob");
        rows.bytes(Field::UserName, |_| b"eve");
        rows.fill(Field::SrcPort, 7);
        rows.add_groups(|_| Groups(1 << Groups::MISC));
        rows.replace(Field::Input, 0, 8);
        rows.widen();
        rows.ips(Field::SrcAddr, |row| IpAddr::from([10, 0, 0, row as u8]));
        rows.bytes(Field::UserName, |row| if row == 2 { b"ann" } else { b"eve" });
        rows.finish();
        builder.set(Field::SrcPort, 1);
        builder.finish_row();
        let batch = builder.finish();
        let nums = |field| (0..5).map(|row| batch.column(field).num(row)).collect::<Vec<_>>();
        assert_eq!(nums(Field::Proto), [17, 6, 6, 6, 0]);
        assert_eq!(nums(Field::SrcTos), [0, 3, 0, 0, 0]);
        assert_eq!(nums(Field::SrcPort), [0, 100, 7, 102, 1]);
        assert_eq!(nums(Field::Input), [0, 0, 8, 0, 0]);
        let names: Vec<_> = (0..5).map(|row| batch.column(Field::UserName).bytes(row)).collect();
        assert_eq!(names, [&b""[..], b"", b"bob", b"ann", b""]);
        assert_eq!(batch.column(Field::SrcAddr).ip(3), IpAddr::from([10, 0, 0, 2]));
        let router = Groups::ROUTER_V4;
        assert_eq!(batch.groups(2).iter().collect::<Vec<_>>(), [Groups::GENERIC, Groups::MISC, router]);
        assert_eq!(batch.groups(3).iter().collect::<Vec<_>>(), [Groups::GENERIC, router]);
        assert_eq!(batch.groups(4).iter().collect::<Vec<_>>(), [Groups::GENERIC]);
    }

    #[test]
    fn rows_dropped_before_they_are_finished_leave_nothing() {
        let mut builder = BatchBuilder::new();
        let mut rows = builder.rows(2, Groups::default());
        rows.fill(Field::SrcPort, 5);
        drop(rows);
        builder.set(Field::Proto, 1);
        builder.finish_row();
        let batch = builder.finish();
        assert_eq!(batch.len(), 1);
        assert_eq!(batch.column(Field::SrcPort).num(0), 0);
    }
    #[test]
    fn rows_are_opened_again_and_a_default_takes_no_memory() {
        let mut builder = BatchBuilder::new();
        builder.rows(1, Groups::default()).finish();
        let mut rows = builder.rows(2, Groups(1 << Groups::MISC));
        rows.fill(Field::EngineId, 0);
        rows.fill(Field::Flows, 1);
        rows.fill(Field::Input, 5);
        rows.fill(Field::Input, 0);
        rows.finish();
        let mut rows = builder.rows_since(1);
        assert_eq!(rows.len(), 2);
        rows.fill(Field::NfVersion, 9);
        rows.narrow(1);
        rows.fill(Field::Flows, 0);
        rows.finish();
        assert!(builder.rows_since(3).is_empty());
        builder.rows_since(0).fill(Field::Proto, 6);
        builder.rows(1, Groups::default()).finish();
        let batch = builder.finish();
        let nums = |field| (0..4).map(|row| batch.column(field).num(row)).collect::<Vec<_>>();
        assert_eq!(nums(Field::NfVersion), [0, 9, 9, 0]);
        assert_eq!(nums(Field::Input), [0; 4]);
        assert_eq!(nums(Field::Flows), [1, 1, 0, 1]);
        assert_eq!(nums(Field::Proto), [6, 6, 6, 0]);
        assert!(!batch.fields().contains(Field::EngineId));
        assert_eq!(batch.groups(2).iter().collect::<Vec<_>>(), [Groups::MISC]);
    }
}
