//! Columns: the values of one field in a batch.

use crate::{Kind, Selection};
use std::net::{IpAddr, Ipv4Addr};
use std::ops::Range;

/// One value, owned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A number of any width.
    Num(u64),
    /// An address.
    Ip(IpAddr),
    /// Octets of any length.
    Bytes(Box<[u8]>),
}

impl Value {
    /// What a field of this kind is worth in a record that lacks it, 0 for numbers.
    pub fn zero(kind: Kind) -> Value {
        match kind {
            Kind::Ip => Value::Ip(UNSPECIFIED),
            Kind::Bytes => Value::Bytes(Box::default()),
            Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => Value::Num(0),
        }
    }

    /// The value, borrowed.
    pub fn as_ref(&self) -> ValueRef<'_> {
        match self {
            Value::Num(num) => ValueRef::Num(*num),
            Value::Ip(addr) => ValueRef::Ip(*addr),
            Value::Bytes(bytes) => ValueRef::Bytes(bytes),
        }
    }
}

/// The address of a record that has none.
pub(crate) const UNSPECIFIED: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// One value, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ValueRef<'a> {
    /// A number of any width.
    Num(u64),
    /// An address.
    Ip(IpAddr),
    /// Octets of any length.
    Bytes(&'a [u8]),
}

impl ValueRef<'_> {
    /// The value, owned.
    pub fn to_owned(self) -> Value {
        match self {
            ValueRef::Num(num) => Value::Num(num),
            ValueRef::Ip(addr) => Value::Ip(addr),
            ValueRef::Bytes(bytes) => Value::Bytes(bytes.into()),
        }
    }
}

/// A vector of values of one kind, in the field's own width.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 8-bit numbers.
    U8(Vec<u8>),
    /// 16-bit numbers.
    U16(Vec<u16>),
    /// 32-bit numbers.
    U32(Vec<u32>),
    /// 64-bit numbers.
    U64(Vec<u64>),
    /// Addresses; in their order every IPv4 address comes before every IPv6 address.
    Ip(Vec<IpAddr>),
    /// Octet strings.
    Bytes(BytesValues),
}

/// Runs `$body` with `$vec` bound to the numeric vector inside `$values`; `$other` handles the two other kinds.
macro_rules! with_nums {
    ($values:expr, $vec:ident => $body:expr, $other:pat => $otherwise:expr) => {
        match $values {
            Values::U8($vec) => $body,
            Values::U16($vec) => $body,
            Values::U32($vec) => $body,
            Values::U64($vec) => $body,
            $other => $otherwise,
        }
    };
}

impl Values {
    /// An empty vector for fields of this kind.
    pub fn new(kind: Kind) -> Values {
        match kind {
            Kind::U8 => Values::U8(Vec::new()),
            Kind::U16 => Values::U16(Vec::new()),
            Kind::U32 => Values::U32(Vec::new()),
            Kind::U64 => Values::U64(Vec::new()),
            Kind::Ip => Values::Ip(Vec::new()),
            Kind::Bytes => Values::Bytes(BytesValues::default()),
        }
    }

    /// The kind of the values.
    pub fn kind(&self) -> Kind {
        match self {
            Values::U8(_) => Kind::U8,
            Values::U16(_) => Kind::U16,
            Values::U32(_) => Kind::U32,
            Values::U64(_) => Kind::U64,
            Values::Ip(_) => Kind::Ip,
            Values::Bytes(_) => Kind::Bytes,
        }
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        match self {
            Values::U8(v) => v.len(),
            Values::U16(v) => v.len(),
            Values::U32(v) => v.len(),
            Values::U64(v) => v.len(),
            Values::Ip(v) => v.len(),
            Values::Bytes(v) => v.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number at `index`; 0 for kinds that are not numbers.
    ///
    /// # Panics
    /// When `index` is out of range.
    #[expect(clippy::useless_conversion, reason = "one body for every width, 64 bits among them")]
    #[inline]
    pub fn num(&self, index: usize) -> u64 {
        with_nums!(self, v => v[index].into(), _ => 0)
    }

    /// The value at `index`.
    ///
    /// # Panics
    /// When `index` is out of range.
    #[inline]
    pub fn get(&self, index: usize) -> ValueRef<'_> {
        match self {
            Values::Ip(v) => ValueRef::Ip(v[index]),
            Values::Bytes(v) => ValueRef::Bytes(v.get(index)),
            _ => ValueRef::Num(self.num(index)),
        }
    }

    /// Appends a value, narrowing a number to the width of the kind (low-order bits stay).
    ///
    /// # Panics
    /// When the value is of another kind.
    pub fn push(&mut self, value: ValueRef<'_>) {
        match (self, value) {
            (Values::U8(v), ValueRef::Num(num)) => v.push(num as u8),
            (Values::U16(v), ValueRef::Num(num)) => v.push(num as u16),
            (Values::U32(v), ValueRef::Num(num)) => v.push(num as u32),
            (Values::U64(v), ValueRef::Num(num)) => v.push(num),
            (Values::Ip(v), ValueRef::Ip(addr)) => v.push(addr),
            (Values::Bytes(v), ValueRef::Bytes(bytes)) => v.push(bytes),
            (values, value) => panic!("a column of {:?} takes no {value:?}", values.kind()),
        }
    }

    /// Appends the values that `column` has in the listed rows.
    ///
    /// # Panics
    /// When the column is of another kind, or has no such row.
    pub fn extend(&mut self, column: &Column, rows: &[u32]) {
        fn pick<T: Copy>(out: &mut Vec<T>, values: &[T], rows: &[u32]) {
            out.extend(rows.iter().map(|&row| values[row as usize]));
        }
        fn look_up<T: Copy>(out: &mut Vec<T>, values: &[T], codes: &[u16], rows: &[u32]) {
            out.extend(rows.iter().map(|&row| values[usize::from(codes[row as usize])]));
        }
        match (self, column) {
            (Values::U8(out), Column::Plain(Values::U8(v))) => pick(out, v, rows),
            (Values::U16(out), Column::Plain(Values::U16(v))) => pick(out, v, rows),
            (Values::U32(out), Column::Plain(Values::U32(v))) => pick(out, v, rows),
            (Values::U64(out), Column::Plain(Values::U64(v))) => pick(out, v, rows),
            (Values::Ip(out), Column::Plain(Values::Ip(v))) => pick(out, v, rows),
            (out, Column::Dictionary(Dictionary { codes, values })) => match (out, values) {
                (Values::U8(out), Values::U8(v)) => look_up(out, v, codes, rows),
                (Values::U16(out), Values::U16(v)) => look_up(out, v, codes, rows),
                (Values::U32(out), Values::U32(v)) => look_up(out, v, codes, rows),
                (Values::U64(out), Values::U64(v)) => look_up(out, v, codes, rows),
                (Values::Ip(out), Values::Ip(v)) => look_up(out, v, codes, rows),
                (out, values) => {
                    for &row in rows {
                        out.push(values.get(codes[row as usize].into()));
                    }
                }
            },
            (out, column) => {
                for &row in rows {
                    out.push(column.get(row as usize));
                }
            }
        }
    }

    /// Makes the vector `len` long, cutting it or appending `fill`.
    pub fn resize(&mut self, len: usize, fill: ValueRef<'_>) {
        match (&mut *self, fill) {
            (Values::U8(v), ValueRef::Num(num)) => v.resize(len, num as u8),
            (Values::U16(v), ValueRef::Num(num)) => v.resize(len, num as u16),
            (Values::U32(v), ValueRef::Num(num)) => v.resize(len, num as u32),
            (Values::U64(v), ValueRef::Num(num)) => v.resize(len, num),
            (Values::Ip(v), ValueRef::Ip(addr)) => v.resize(len, addr),
            (Values::Bytes(v), ValueRef::Bytes(bytes)) => {
                v.truncate(len);
                (v.len()..len).for_each(|_| v.push(bytes));
            }
            (values, value) => panic!("a column of {:?} takes no {value:?}", values.kind()),
        }
    }

    /// Removes every value and keeps the memory.
    pub fn clear(&mut self) {
        match self {
            Values::U8(v) => v.clear(),
            Values::U16(v) => v.clear(),
            Values::U32(v) => v.clear(),
            Values::U64(v) => v.clear(),
            Values::Ip(v) => v.clear(),
            Values::Bytes(v) => v.truncate(0),
        }
    }
}

/// Octet strings, stored end to end.
#[derive(Clone, Debug, PartialEq)]
pub struct BytesValues {
    /// `offsets[i]..offsets[i + 1]` is where string `i` stands in `data`; one longer than there are strings.
    offsets: Vec<u32>,
    data: Vec<u8>,
}

impl Default for BytesValues {
    fn default() -> Self {
        BytesValues { offsets: vec![0], data: Vec::new() }
    }
}

impl BytesValues {
    /// How many strings there are.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The string at `index`.
    ///
    /// # Panics
    /// When `index` is out of range.
    pub fn get(&self, index: usize) -> &[u8] {
        &self.data[self.offsets[index] as usize..self.offsets[index + 1] as usize]
    }

    /// Appends a string.
    ///
    /// # Panics
    /// When all strings together exceed 4 GiB, which a batch of records of at most 64 KiB cannot.
    pub fn push(&mut self, bytes: &[u8]) {
        self.data.extend_from_slice(bytes);
        self.offsets.push(u32::try_from(self.data.len()).expect("a batch holds less than 4 GiB of octets"));
    }

    /// Keeps the first `len` strings.
    pub fn truncate(&mut self, len: usize) {
        self.offsets.truncate(len + 1);
        self.data.truncate(self.offsets[self.offsets.len() - 1] as usize);
    }

    /// The strings in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        (0..self.len()).map(|index| self.get(index))
    }

    /// Octets of all strings together.
    pub fn total_len(&self) -> usize {
        self.data.len()
    }
}

/// Distinct values and, for each row, which of them it has.
#[derive(Clone, Debug, PartialEq)]
pub struct Dictionary {
    /// One code per row, an index into `values`.
    pub codes: Vec<u16>,
    /// The distinct values, strictly ascending; at most [`MAX_BATCH_ROWS`](crate::MAX_BATCH_ROWS).
    pub values: Values,
}

/// The values of one field for every row of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum Column {
    /// Every row has this value.
    Constant(Value),
    /// Rows name values of a sorted dictionary.
    Dictionary(Dictionary),
    /// One value per row.
    Plain(Values),
}

impl Column {
    /// The value of `row`. A constant answers for any row.
    ///
    /// # Panics
    /// When `row` is out of range.
    #[inline]
    pub fn get(&self, row: usize) -> ValueRef<'_> {
        match self {
            Column::Constant(value) => value.as_ref(),
            Column::Dictionary(dictionary) => dictionary.values.get(usize::from(dictionary.codes[row])),
            Column::Plain(values) => values.get(row),
        }
    }

    /// The number in `row`; 0 when the column does not hold numbers.
    ///
    /// # Panics
    /// When `row` is out of range.
    #[inline]
    pub fn num(&self, row: usize) -> u64 {
        match self {
            Column::Constant(Value::Num(num)) => *num,
            Column::Constant(_) => 0,
            Column::Dictionary(dictionary) => dictionary.values.num(usize::from(dictionary.codes[row])),
            Column::Plain(values) => values.num(row),
        }
    }

    /// The address in `row`; `0.0.0.0` when the column does not hold addresses.
    ///
    /// # Panics
    /// When `row` is out of range.
    #[inline]
    pub fn ip(&self, row: usize) -> IpAddr {
        match self.get(row) {
            ValueRef::Ip(addr) => addr,
            _ => UNSPECIFIED,
        }
    }

    /// The octets in `row`; empty when the column does not hold octet strings.
    ///
    /// # Panics
    /// When `row` is out of range.
    pub fn bytes(&self, row: usize) -> &[u8] {
        match self.get(row) {
            ValueRef::Bytes(bytes) => bytes,
            _ => &[],
        }
    }

    /// Appends the number of every selected row, widened, to `out`.
    #[expect(clippy::useless_conversion, reason = "one body for every width, 64 bits among them")]
    pub fn gather(&self, selection: &Selection, out: &mut Vec<u64>) {
        fn pick<T: Copy + Into<u64>>(values: &[T], selection: &Selection, out: &mut Vec<u64>) {
            if selection.is_all() {
                out.extend(values.iter().map(|&value| value.into()));
            } else {
                out.reserve(selection.count());
                selection.for_each(|row| out.push(values[row].into()));
            }
        }
        match self {
            Column::Constant(value) => {
                let num = if let Value::Num(num) = value { *num } else { 0 };
                out.resize(out.len() + selection.count(), num);
            }
            Column::Dictionary(Dictionary { codes, values }) => {
                with_nums!(values, v => {
                    out.reserve(selection.count());
                    selection.for_each(|row| out.push(v[usize::from(codes[row])].into()));
                }, _ => out.resize(out.len() + selection.count(), 0));
            }
            Column::Plain(values) => {
                with_nums!(values, v => pick(v, selection, out), _ => out.resize(out.len() + selection.count(), 0));
            }
        }
    }

    /// Appends the number of every row in `rows`, widened, to `out`.
    ///
    /// # Panics
    /// When a row is out of range.
    #[expect(clippy::useless_conversion, reason = "one body for every width, 64 bits among them")]
    pub fn gather_range(&self, rows: Range<usize>, out: &mut Vec<u64>) {
        let zeros = out.len() + rows.len();
        match self {
            Column::Constant(Value::Num(num)) => out.resize(zeros, *num),
            Column::Dictionary(Dictionary { codes, values }) => {
                with_nums!(values, v => {
                    out.extend(codes[rows].iter().map(|&code| u64::from(v[usize::from(code)])));
                }, _ => out.resize(zeros, 0));
            }
            Column::Plain(values) => {
                with_nums!(values, v => out.extend(v[rows].iter().map(|&num| u64::from(num))), _ => out.resize(zeros, 0));
            }
            Column::Constant(_) => out.resize(zeros, 0),
        }
    }

    /// The selected rows as a column of their own. Dictionaries keep every entry, used or not.
    #[must_use]
    pub fn select(&self, selection: &Selection) -> Column {
        fn pick<T: Copy>(values: &[T], selection: &Selection) -> Vec<T> {
            let mut out = Vec::with_capacity(selection.count());
            selection.for_each(|row| out.push(values[row]));
            out
        }
        if selection.is_all() {
            return self.clone();
        }
        match self {
            Column::Constant(value) => Column::Constant(value.clone()),
            Column::Dictionary(Dictionary { codes, values }) => {
                Column::Dictionary(Dictionary { codes: pick(codes, selection), values: values.clone() })
            }
            Column::Plain(values) => Column::Plain(match values {
                Values::U8(v) => Values::U8(pick(v, selection)),
                Values::U16(v) => Values::U16(pick(v, selection)),
                Values::U32(v) => Values::U32(pick(v, selection)),
                Values::U64(v) => Values::U64(pick(v, selection)),
                Values::Ip(v) => Values::Ip(pick(v, selection)),
                Values::Bytes(v) => {
                    let mut out = BytesValues::default();
                    selection.for_each(|row| out.push(v.get(row)));
                    Values::Bytes(out)
                }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dictionary_answers_like_the_plain_column() {
        let plain = Column::Plain(Values::U16(vec![443, 53, 443]));
        let coded =
            Column::Dictionary(Dictionary { codes: vec![1, 0, 1], values: Values::U16(vec![53, 443]) });
        let mut all = Vec::new();
        let mut last_two = Vec::new();
        for column in [&plain, &coded] {
            column.gather(&Selection::all(3), &mut all);
            column.gather(&Selection::from_rows(3, vec![1, 2]), &mut last_two);
            let mut range = Vec::new();
            column.gather_range(1..3, &mut range);
            assert_eq!(range, [53, 443]);
        }
        assert_eq!(all, [443, 53, 443, 443, 53, 443]);
        assert_eq!(last_two, [53, 443, 53, 443]);
    }

    #[test]
    fn octet_strings_keep_their_bounds() {
        let mut values = Values::new(Kind::Bytes);
        values.push(ValueRef::Bytes(b"ab"));
        values.push(ValueRef::Bytes(b""));
        values.resize(4, ValueRef::Bytes(b"x"));
        let Values::Bytes(strings) = &values else { unreachable!() };
        assert_eq!(strings.iter().collect::<Vec<_>>(), [&b"ab"[..], b"", b"x", b"x"]);
        values.resize(1, ValueRef::Bytes(b""));
        assert_eq!(values.get(0), ValueRef::Bytes(b"ab"));
    }

    #[test]
    fn values_of_any_column_are_appended_as_one_by_one() {
        let addr = |octet| IpAddr::from([10, 0, 0, octet]);
        let mut octets = BytesValues::default();
        for value in [&b"a"[..], b"", b"bcd"] {
            octets.push(value);
        }
        let values = [
            Values::U8(vec![1, 2, 3]),
            Values::U16(vec![1, 2, 3]),
            Values::U32(vec![1, 2, 3]),
            Values::U64(vec![1, 2, 3]),
            Values::Ip(vec![addr(1), addr(2), addr(3)]),
            Values::Bytes(octets),
        ];
        let rows = [3, 0, 2, 2];
        for values in values {
            let kind = values.kind();
            let codes = vec![2, 0, 1, 1];
            let constant = Column::Constant(values.get(2).to_owned());
            let dictionary = Column::Dictionary(Dictionary { codes, values: values.clone() });
            let mut plain = Values::new(kind);
            for index in [0, 2, 1, 2] {
                plain.push(values.get(index));
            }
            for column in [constant, dictionary, Column::Plain(plain)] {
                let (mut at_once, mut one_by_one) = (values.clone(), values.clone());
                at_once.extend(&column, &rows);
                for row in rows {
                    one_by_one.push(column.get(row as usize));
                }
                assert_eq!(at_once.len(), 7);
                assert!((0..7).all(|index| at_once.get(index) == one_by_one.get(index)), "{column:?}");
            }
        }
    }
}
