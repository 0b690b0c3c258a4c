//! Records of one shape, and how to read a field of one of them.

/// Where a field stands in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// Of a field of fixed length, how many octets of such fields come before it; of one of variable length, how many
    /// such fields do. Only fields that somebody reads need count.
    pub(crate) offset: u16,
    /// Its length; [`VARIABLE`] when each record says.
    pub(crate) len: u16,
}

/// The length of a field that differs from record to record.
pub(crate) const VARIABLE: u16 = u16::MAX;

/// The records of a set. A field that is not there reads as no octets, or zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Records<'a> {
    /// Their fields of fixed length, one record behind the other.
    fixed: &'a [u8],
    /// Octets of those fields in a record.
    fixed_len: usize,
    /// Where their fields of variable length start and end in `data`, record by record.
    places: &'a [(u32, u32)],
    /// How many of those fields a record has.
    variable: usize,
    data: &'a [u8],
    count: usize,
}

/// What records of variable length are laid out in, so that they read like those of fixed length.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffers {
    pub(crate) fixed: Vec<u8>,
    pub(crate) places: Vec<(u32, u32)>,
}

impl<'a> Records<'a> {
    /// The whole records of `record_len` octets in `data`, at most `limit`. `record_len` is not 0.
    pub(crate) fn new(data: &'a [u8], record_len: usize, limit: usize) -> Records<'a> {
        let count = data.len().checked_div(record_len).unwrap_or(0).min(limit);
        Records { fixed: data, fixed_len: record_len, places: &[], variable: 0, data: &[], count }
    }

    /// `count` records as laid out in `buffers`: `fixed_len` octets and the places in `data` of `variable` fields each.
    pub(crate) fn laid_out(
        buffers: &'a Buffers,
        fixed_len: usize,
        variable: usize,
        data: &'a [u8],
        count: usize,
    ) -> Records<'a> {
        Records { fixed: &buffers.fixed, fixed_len, places: &buffers.places, variable, data, count }
    }

    /// How many records there are.
    #[inline]
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// One of them.
    pub(crate) fn only(&self, record: usize) -> Records<'a> {
        let fixed = self.fixed.get(record * self.fixed_len..).unwrap_or_default();
        let places = self.places.get(record * self.variable..).unwrap_or_default();
        Records { fixed, places, count: self.count.saturating_sub(record).min(1), ..*self }
    }

    /// The octets of a field.
    #[inline]
    pub(crate) fn octets(&self, record: usize, slot: Slot) -> &'a [u8] {
        let offset = usize::from(slot.offset);
        let found = if slot.len == VARIABLE {
            let place = self.places.get(record * self.variable + offset);
            place.and_then(|&(start, end)| self.data.get(start as usize..end as usize))
        } else {
            let start = record * self.fixed_len + offset;
            self.fixed.get(start..start + usize::from(slot.len))
        };
        found.unwrap_or_default()
    }

    /// A field known to be `N` octets long, of all records in their order.
    #[inline]
    pub(crate) fn column<const N: usize>(
        &self,
        slot: Slot,
    ) -> impl ExactSizeIterator<Item = [u8; N]> + use<'a, N> {
        let offset = usize::from(slot.offset);
        let fixed = self.fixed.get(..self.count * self.fixed_len).unwrap_or_default();
        // Whether the field is within its record is the same for all: the loop asks once.
        fixed.chunks_exact(self.fixed_len.max(1)).map(move |record| {
            let found = record.get(offset..offset + N).and_then(|found| found.first_chunk());
            found.copied().unwrap_or([0; N])
        })
    }

    /// A field known to be `N` octets long, of whichever record. What finding it needs is worked out here, once.
    #[inline]
    pub(crate) fn arrays<const N: usize>(&self, slot: Slot) -> impl Fn(usize) -> [u8; N] + Copy + use<'a, N> {
        let fixed = self.fixed.get(usize::from(slot.offset)..).unwrap_or_default();
        let fixed_len = self.fixed_len as u32;
        move |record| {
            // A place of 32 bits, which those of a datagram are: adding to it cannot overflow, and that is one check less.
            let start = (record as u32).wrapping_mul(fixed_len) as usize;
            let found = fixed.get(start..start + N).and_then(|found| found.first_chunk());
            found.copied().unwrap_or([0; N])
        }
    }

    /// A field known to be `N` octets long.
    #[inline]
    pub(crate) fn array<const N: usize>(&self, record: usize, slot: Slot) -> [u8; N] {
        self.arrays(slot)(record)
    }

    /// A field as a number: shorter ones are extended, of longer ones the low-order octets count.
    #[inline]
    pub(crate) fn num(&self, record: usize, slot: Slot) -> u64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: [u8; 7] = [1, 2, 3, 4, 5, 6, 7];

    #[test]
    fn fixed_records_leave_the_padding() {
        let records = Records::new(&DATA, 3, 10);
        assert_eq!(records.count(), 2);
        assert_eq!(records.num(1, Slot { offset: 1, len: 2 }), 0x0506);
        assert_eq!(records.num(0, Slot { offset: 0, len: 3 }), 0x01_0203);
        assert_eq!(records.num(9, Slot { offset: 0, len: 4 }), 0);
        assert_eq!(records.column(Slot { offset: 1, len: 2 }).collect::<Vec<_>>(), [[2, 3], [5, 6]]);
        assert_eq!(records.octets(2, Slot { offset: 0, len: 3 }), b"");
        assert_eq!(records.only(1).num(0, Slot { offset: 1, len: 2 }), 0x0506);
        assert_eq!((records.only(1).count(), records.only(2).count()), (1, 0));
        assert_eq!(Records::new(&DATA, 3, 1).count(), 1);
        assert_eq!(Records::new(&DATA, 0, 1).count(), 0);
    }

    #[test]
    fn variable_records_read_by_place() {
        let buffers = Buffers { fixed: vec![8, 0, 9, 1], places: vec![(0, 1), (1, 1), (2, 7), (3, 99)] };
        let records = Records::laid_out(&buffers, 2, 2, &DATA, 2);
        let first = Slot { offset: 0, len: VARIABLE };
        let second = Slot { offset: 1, len: VARIABLE };
        assert_eq!(records.num(0, first), 1);
        assert_eq!(records.octets(0, second), b"");
        assert_eq!(records.num(1, first), 0x03_0405_0607);
        assert_eq!(records.octets(1, second), b"");
        assert_eq!(records.octets(2, first), b"");
        let fixed = Slot { offset: 0, len: 2 };
        assert_eq!((records.num(0, fixed), records.num(1, fixed)), (0x0800, 0x0901));
        assert_eq!(records.column(fixed).collect::<Vec<_>>(), [[8, 0], [9, 1]]);
        let last = records.only(1);
        assert_eq!((last.num(0, fixed), last.num(0, first)), (0x0901, 0x03_0405_0607));
    }

    #[test]
    fn long_numbers_keep_their_low_order_octets() {
        assert_eq!(number(&[9, 0, 0, 0, 0, 0, 0, 1, 2]), 0x0102);
        assert_eq!(number(&[]), 0);
    }
}
