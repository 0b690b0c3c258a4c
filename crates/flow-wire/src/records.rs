//! Records of one shape, and how to read a field of one of them.

/// Where a field stands in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Its number among the fields read, for records of variable length.
    pub(crate) number: u16,
    /// Octets before it, for records of fixed length.
    pub(crate) offset: u16,
    /// Its length; [`VARIABLE`] when each record says.
    pub(crate) len: u16,
}

/// The length of a field that differs from record to record.
pub(crate) const VARIABLE: u16 = u16::MAX;

/// Access to the fields of records. A field that is not there reads as no octets, or zero.
pub(crate) trait Records {
    /// How many records there are.
    fn count(&self) -> usize;

    /// The octets of a field.
    fn octets(&self, record: usize, slot: Slot) -> &[u8];

    /// A field known to be `N` octets long.
    fn array<const N: usize>(&self, record: usize, slot: Slot) -> [u8; N];

    /// A field as a number: shorter ones are extended, of longer ones the low-order octets count.
    #[inline]
    fn num(&self, record: usize, slot: Slot) -> u64 {
        match slot.len {
            1 => u64::from(u8::from_be_bytes(self.array(record, slot))),
            2 => u64::from(u16::from_be_bytes(self.array(record, slot))),
            4 => u64::from(u32::from_be_bytes(self.array(record, slot))),
            8 => u64::from_be_bytes(self.array(record, slot)),
            _ => number(self.octets(record, slot)),
        }
    }
}

/// A big-endian number of any length; beyond eight octets the last eight.
#[inline]
pub(crate) fn number(octets: &[u8]) -> u64 {
    octets.iter().fold(0, |number, &octet| number << 8 | u64::from(octet))
}

/// Records of equal length, one behind the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fixed<'a> {
    data: &'a [u8],
    record_len: usize,
    count: usize,
}

impl<'a> Fixed<'a> {
    /// The whole records in `data`, at most `limit`. `record_len` is not 0.
    pub(crate) fn new(data: &'a [u8], record_len: usize, limit: usize) -> Fixed<'a> {
        Fixed { data, record_len, count: data.len().checked_div(record_len).unwrap_or(0).min(limit) }
    }
}

impl Records for Fixed<'_> {
    #[inline]
    fn count(&self) -> usize {
        self.count
    }

    #[inline]
    fn octets(&self, record: usize, slot: Slot) -> &[u8] {
        let start = record * self.record_len + usize::from(slot.offset);
        self.data.get(start..start + usize::from(slot.len)).unwrap_or(&[])
    }

    #[inline]
    fn array<const N: usize>(&self, record: usize, slot: Slot) -> [u8; N] {
        let start = record * self.record_len + usize::from(slot.offset);
        self.data.get(start..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
    }
}

/// Records of which each has its own length.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variable<'a> {
    pub(crate) data: &'a [u8],
    /// Where each field that is read starts and ends in `data`, record by record.
    pub(crate) places: &'a [(u32, u32)],
    /// Fields read of each record.
    pub(crate) slots: usize,
    pub(crate) count: usize,
}

impl Records for Variable<'_> {
    #[inline]
    fn count(&self) -> usize {
        self.count
    }

    #[inline]
    fn octets(&self, record: usize, slot: Slot) -> &[u8] {
        let place = self.places.get(record * self.slots + usize::from(slot.number));
        place.and_then(|&(start, end)| self.data.get(start as usize..end as usize)).unwrap_or(&[])
    }

    #[inline]
    fn array<const N: usize>(&self, record: usize, slot: Slot) -> [u8; N] {
        self.octets(record, slot).first_chunk().copied().unwrap_or([0; N])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: [u8; 7] = [1, 2, 3, 4, 5, 6, 7];

    #[test]
    fn fixed_records_leave_the_padding() {
        let records = Fixed::new(&DATA, 3, 10);
        assert_eq!(records.count(), 2);
        assert_eq!(records.num(1, Slot { number: 0, offset: 1, len: 2 }), 0x0506);
        assert_eq!(records.num(0, Slot { number: 0, offset: 0, len: 3 }), 0x01_0203);
        assert_eq!(records.num(9, Slot { number: 0, offset: 0, len: 4 }), 0);
        assert_eq!(Fixed::new(&DATA, 3, 1).count(), 1);
        assert_eq!(Fixed::new(&DATA, 0, 1).count(), 0);
    }

    #[test]
    fn variable_records_read_by_place() {
        let records =
            Variable { data: &DATA, places: &[(0, 1), (1, 1), (2, 7), (3, 99)], slots: 2, count: 2 };
        let first = Slot { number: 0, offset: 0, len: VARIABLE };
        let second = Slot { number: 1, offset: 0, len: VARIABLE };
        assert_eq!(records.num(0, first), 1);
        assert_eq!(records.octets(0, second), b"");
        assert_eq!(records.num(1, first), 0x03_0405_0607);
        assert_eq!(records.octets(1, second), b"");
    }

    #[test]
    fn long_numbers_keep_their_low_order_octets() {
        assert_eq!(number(&[9, 0, 0, 0, 0, 0, 0, 1, 2]), 0x0102);
        assert_eq!(number(&[]), 0);
    }
}
