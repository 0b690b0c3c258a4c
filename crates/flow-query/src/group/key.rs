//! Keys of groups, packed into a few words.
//!
//! Addresses make the width of a key depend on the row. The *shape* of a row says which addresses of its key are
//! IPv6; rows of one shape have keys of one layout, and groups of different shape never meet.

use crate::QueryError;
use flow_model::{Column, Dictionary, Field, FieldSet, FlowBatch, Kind, Unit, Value, Values, field_info};
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

/// A field flows are grouped by, and how much of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyPart {
    /// The field.
    pub field: Field,
    /// How many leading bits of IPv4 addresses count; IPv6 addresses count whole (D-53).
    pub v4_prefix: Option<u8>,
    /// How many leading bits of IPv6 addresses count; IPv4 addresses count whole.
    pub v6_prefix: Option<u8>,
    /// A field which says for each flow how many leading bits count, and which is part of the key too.
    pub mask: Option<Field>,
    /// Which bits of a number count; `None` = all.
    pub bits: Option<u64>,
}

impl KeyPart {
    /// The whole field.
    pub const fn field(field: Field) -> KeyPart {
        KeyPart { field, v4_prefix: None, v6_prefix: None, mask: None, bits: None }
    }

    fn is_address(self) -> bool {
        field_info(self.field).kind == Kind::Ip
    }

    fn mask_v4(self, addr: Ipv4Addr, len: u64) -> u32 {
        let len = u64::from(self.v4_prefix.unwrap_or(32)).min(len);
        addr.to_bits() & leading_ones(32, len) as u32
    }

    fn mask_v6(self, addr: Ipv6Addr, len: u64) -> u128 {
        let len = u64::from(self.v6_prefix.unwrap_or(128)).min(len);
        addr.to_bits() & leading_ones(128, len)
    }
}

/// How many octets of a text count in a key: fingerprints have fewer, and organisations with longer names are hardly told
/// apart by what follows.
const TEXT_OCTETS: usize = 128;

/// How many octets of the values of `field` a key keeps, whole words of them; `None` when it is no text.
fn text_octets(field: Field) -> Option<usize> {
    match field {
        Field::Ja3 => Some(32),
        Field::Ja4 => Some(40),
        _ => (field_info(field).unit == Unit::Text).then_some(TEXT_OCTETS),
    }
}

/// The highest `len` of `bits` bits.
fn leading_ones(bits: u32, len: u64) -> u128 {
    match bits - len.min(bits.into()) as u32 {
        128 => 0,
        low => (u128::MAX >> (128 - bits)) >> low << low,
    }
}

/// The parts of a key, each field once: of two prefixes of one field, one is for IPv4 and the other for IPv6.
pub(crate) fn unite(parts: &[KeyPart]) -> Vec<KeyPart> {
    let mut united: Vec<KeyPart> = Vec::with_capacity(parts.len());
    for part in parts {
        match united.iter_mut().find(|known| known.field == part.field) {
            None => united.push(*part),
            Some(known) => {
                known.v4_prefix = known.v4_prefix.or(part.v4_prefix);
                known.v6_prefix = known.v6_prefix.or(part.v6_prefix);
                known.mask = known.mask.or(part.mask);
            }
        }
    }
    united
}

/// A packed key of `W` words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key<const W: usize>(pub(crate) [u64; W]);

impl<const W: usize> Hash for Key<W> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|&word| state.write_u64(word));
    }
}

/// Which address parts of a key are IPv6: bit *n* for the *n*th of them.
pub(crate) type Shape = u16;

/// The most words a key may have.
pub(crate) const MAX_KEY_WORDS: usize = 64;

/// Where the parts of keys of one shape stand.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    items: Vec<Item>,
    octets: usize,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    part: KeyPart,
    what: What,
    word: usize,
    shift: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Num,
    V4,
    /// Two words, the high half first.
    V6,
    /// As many octets in words of their own, the first octet highest, 0 behind the text.
    Text(usize),
    /// The prefix length of an address, in octets of its own.
    Mask(Field),
}

impl Layout {
    /// The layout of keys of `parts`, [united](unite), in rows of `shape`.
    ///
    /// # Errors
    /// When a part cannot be a key, or all together are too long.
    pub(crate) fn new(parts: &[KeyPart], shape: Shape) -> Result<Layout, QueryError> {
        let mut items = Vec::new();
        let mut addresses = 0;
        for &part in parts {
            let (what, bits) = match field_info(part.field).kind {
                Kind::U8 => (What::Num, 8),
                Kind::U16 => (What::Num, 16),
                Kind::U32 => (What::Num, 32),
                Kind::U64 => (What::Num, 64),
                Kind::Ip => {
                    addresses += 1;
                    if shape >> (addresses - 1) & 1 == 1 { (What::V6, 128) } else { (What::V4, 32) }
                }
                Kind::Bytes => match text_octets(part.field) {
                    Some(octets) => (What::Text(octets), octets * 8),
                    None => return Err(QueryError::NotAKey(part.field)),
                },
            };
            items.push((bits, Item { part, what, word: 0, shift: 0 }));
            if let Some(mask) = part.mask {
                items.push((8, Item { part, what: What::Mask(mask), word: 0, shift: 0 }));
            }
        }
        // Widths are whole words or powers of two: in descending order nothing crosses a word boundary.
        items.sort_by_key(|(bits, _)| std::cmp::Reverse(*bits));
        let mut used = 0;
        for (bits, item) in &mut items {
            item.word = used / 64;
            item.shift = used as u32 % 64;
            used += *bits;
        }
        let octets = used / 8;
        if octets > MAX_KEY_WORDS * 8 {
            return Err(QueryError::KeyTooLong { found: octets, limit: MAX_KEY_WORDS * 8 });
        }
        Ok(Layout { items: items.into_iter().map(|(_, item)| item).collect(), octets })
    }

    /// How many octets of the keys' words are used, little-endian; the rest is 0.
    pub(crate) fn octets(&self) -> usize {
        self.octets
    }

    /// How many words the keys have at least.
    pub(crate) fn words(&self) -> usize {
        self.octets.div_ceil(8).max(1)
    }

    /// Where a value of `field` and a protocol stand, in a key of nothing else.
    pub(crate) fn value_place(&self, field: Field) -> ValuePlace {
        let mut place = ValuePlace { word: 0, shift: 0, proto: None };
        for item in &self.items {
            if item.part.field == field {
                (place.word, place.shift) = (item.word, item.shift);
            } else {
                place.proto = Some((item.word, item.shift));
            }
        }
        place
    }

    /// Packs the keys of `len` rows; `row` says which row is meant by each index.
    pub(crate) fn pack<const W: usize>(
        &self,
        batch: &FlowBatch,
        len: usize,
        row: impl Fn(usize) -> usize + Copy,
        keys: &mut Vec<Key<W>>,
    ) {
        keys.clear();
        keys.resize(len, Key([0; W]));
        for item in &self.items {
            match item.what {
                What::Num => pack_nums(batch.column(item.part.field), item, row, keys),
                What::Mask(field) => pack_nums(batch.column(field), item, row, keys),
                What::Text(octets) => {
                    let words = item.word..item.word + octets / 8;
                    pack_texts(batch.column(item.part.field), words, row, keys);
                }
                What::V4 | What::V6 => {
                    let column = batch.column(item.part.field);
                    match item.part.mask {
                        Some(mask) => pack_networks(column, batch.column(mask), item, row, keys),
                        None => pack_addresses(column, item, row, keys),
                    }
                }
            }
        }
    }

    /// The value of `field` in a packed key; `None` when the field is not part of it.
    pub(crate) fn value(&self, key: &[u64], field: Field) -> Option<Value> {
        let item = self.items.iter().find(|item| match item.what {
            What::Mask(mask) => mask == field,
            _ => item.part.field == field,
        })?;
        let word = key[item.word] >> item.shift;
        Some(match item.what {
            What::V4 => Value::Ip(Ipv4Addr::from_bits(word as u32).into()),
            What::V6 => {
                let bits = u128::from(word) << 64 | u128::from(key[item.word + 1]);
                Value::Ip(Ipv6Addr::from_bits(bits).into())
            }
            What::Text(octets) => {
                let words = &key[item.word..item.word + octets / 8];
                let mut text: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
                text.truncate(text.iter().rposition(|&octet| octet != 0).map_or(0, |last| last + 1));
                Value::Bytes(text.into_boxed_slice())
            }
            What::Mask(_) => Value::Num(word & 0xff),
            What::Num => Value::Num(match field_info(field).kind {
                Kind::U8 => word & 0xff,
                Kind::U16 => word & 0xffff,
                Kind::U32 => word & 0xffff_ffff,
                _ => word,
            }),
        })
    }
}

/// See [`Layout::value_place`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ValuePlace {
    word: usize,
    shift: u32,
    proto: Option<(usize, u32)>,
}

impl ValuePlace {
    /// The key of a number or an IPv4 address.
    #[inline]
    pub(crate) fn pack_num<const W: usize>(self, num: u64, proto: u8) -> Key<W> {
        let mut key = Key([0; W]);
        key.0[self.word] = num << self.shift;
        self.put_proto(&mut key, proto);
        key
    }

    /// The key of an IPv6 address.
    #[inline]
    pub(crate) fn pack_v6<const W: usize>(self, addr: Ipv6Addr, proto: u8) -> Key<W> {
        let mut key = Key([0; W]);
        if let Some([high, low]) = key.0.get_mut(self.word..self.word + 2) {
            (*high, *low) = ((addr.to_bits() >> 64) as u64, addr.to_bits() as u64);
        }
        self.put_proto(&mut key, proto);
        key
    }

    #[inline]
    fn put_proto<const W: usize>(self, key: &mut Key<W>, proto: u8) {
        if let Some((word, shift)) = self.proto {
            key.0[word] |= u64::from(proto) << shift;
        }
    }
}

/// The fields that values of [`Layout::value`] exist for.
pub(crate) fn key_fields(parts: &[KeyPart]) -> FieldSet {
    parts.iter().flat_map(|part| std::iter::once(part.field).chain(part.mask)).collect()
}

/// Says for each of `len` rows which addresses of its key are IPv6. Returns the shape all rows have, or `None` when they
/// differ: `shapes` then has one for each row.
pub(crate) fn shapes(
    parts: &[KeyPart],
    batch: &FlowBatch,
    len: usize,
    row: impl Fn(usize) -> usize + Copy,
    shapes: &mut Vec<Shape>,
) -> Option<Shape> {
    let mut common = 0;
    let mut differ = false;
    for (number, part) in parts.iter().filter(|part| part.is_address()).enumerate() {
        let bit = 1 << number;
        let column = batch.column(part.field);
        if let Some(v6) = family(column) {
            common |= if v6 { bit } else { 0 };
            continue;
        }
        if !differ {
            differ = true;
            shapes.clear();
            shapes.resize(len, 0);
        }
        match column {
            Column::Dictionary(Dictionary { codes, values: Values::Ip(values) }) => {
                let first_v6 = values.partition_point(IpAddr::is_ipv4) as u16;
                if len == batch.len() {
                    for (shape, code) in shapes.iter_mut().zip(codes) {
                        *shape |= if *code >= first_v6 { bit } else { 0 };
                    }
                } else {
                    for (index, shape) in shapes.iter_mut().enumerate() {
                        *shape |= if codes[row(index)] >= first_v6 { bit } else { 0 };
                    }
                }
            }
            column => {
                for (index, shape) in shapes.iter_mut().enumerate() {
                    *shape |= if column.ip(row(index)).is_ipv6() { bit } else { 0 };
                }
            }
        }
    }
    if !differ {
        return Some(common);
    }
    for shape in shapes {
        *shape |= common;
    }
    None
}

/// Whether all addresses of a column are IPv6, or none is; `None` when they differ.
fn family(column: &Column) -> Option<bool> {
    let (first, last) = match column {
        Column::Constant(Value::Ip(addr)) => return Some(addr.is_ipv6()),
        Column::Dictionary(dictionary) => match &dictionary.values {
            Values::Ip(values) => (values.first()?.is_ipv6(), values.last()?.is_ipv6()),
            _ => return Some(false),
        },
        Column::Plain(Values::Ip(values)) => {
            let first = values.first()?.is_ipv6();
            (first, if values.iter().all(|addr| addr.is_ipv6() == first) { first } else { !first })
        }
        _ => return Some(false),
    };
    (first == last).then_some(first)
}

fn pack_nums<const W: usize>(
    column: &Column,
    item: &Item,
    row: impl Fn(usize) -> usize + Copy,
    keys: &mut [Key<W>],
) {
    let Item { part, word, shift, .. } = *item;
    let bits = part.bits.unwrap_or(u64::MAX);
    let mut put = |num: &dyn Fn(usize) -> u64| {
        for (index, key) in keys.iter_mut().enumerate() {
            key.0[word] |= (num(row(index)) & bits) << shift;
        }
    };
    match column {
        Column::Constant(Value::Num(0)) => {}
        Column::Constant(_) => put(&|_| column.num(0)),
        Column::Dictionary(dictionary) => {
            let nums: Vec<u64> = (0..dictionary.values.len())
                .map(|code| (dictionary.values.num(code) & bits) << shift)
                .collect();
            for (index, key) in keys.iter_mut().enumerate() {
                key.0[word] |= nums[usize::from(dictionary.codes[row(index)])];
            }
        }
        Column::Plain(Values::U16(nums)) => {
            for (index, key) in keys.iter_mut().enumerate() {
                key.0[word] |= (u64::from(nums[row(index)]) & bits) << shift;
            }
        }
        Column::Plain(values) => put(&|row| values.num(row)),
    }
}

fn pack_addresses<const W: usize>(
    column: &Column,
    item: &Item,
    row: impl Fn(usize) -> usize + Copy,
    keys: &mut [Key<W>],
) {
    let Item { part, what, word, shift } = *item;
    if what == What::V4 {
        let packed = |addr: IpAddr| match addr {
            IpAddr::V4(addr) => u64::from(part.mask_v4(addr, 32)) << shift,
            IpAddr::V6(_) => 0,
        };
        match column {
            Column::Dictionary(dictionary) => {
                let Values::Ip(values) = &dictionary.values else { return };
                let words: Vec<u64> = values.iter().map(|&addr| packed(addr)).collect();
                for (index, key) in keys.iter_mut().enumerate() {
                    key.0[word] |= words[usize::from(dictionary.codes[row(index)])];
                }
            }
            column => {
                for (index, key) in keys.iter_mut().enumerate() {
                    key.0[word] |= packed(column.ip(row(index)));
                }
            }
        }
    } else {
        let packed = |addr: IpAddr| match addr {
            IpAddr::V4(_) => [0, 0],
            IpAddr::V6(addr) => {
                let bits = part.mask_v6(addr, 128);
                [(bits >> 64) as u64, bits as u64]
            }
        };
        match column {
            Column::Dictionary(dictionary) => {
                let Values::Ip(values) = &dictionary.values else { return };
                let words: Vec<[u64; 2]> = values.iter().map(|&addr| packed(addr)).collect();
                for (index, key) in keys.iter_mut().enumerate() {
                    key.0[word..word + 2].copy_from_slice(&words[usize::from(dictionary.codes[row(index)])]);
                }
            }
            column => {
                for (index, key) in keys.iter_mut().enumerate() {
                    key.0[word..word + 2].copy_from_slice(&packed(column.ip(row(index))));
                }
            }
        }
    }
}

/// Packs as much of each text as fits, whole characters of it.
fn pack_texts<const W: usize>(
    column: &Column,
    words: Range<usize>,
    row: impl Fn(usize) -> usize + Copy,
    keys: &mut [Key<W>],
) {
    let put = |key: &mut Key<W>, text: &[u8]| {
        let text = &text[..whole_characters(text, words.len() * 8)];
        for (word, octets) in key.0[words.clone()].iter_mut().zip(text.chunks(8)) {
            let mut whole = [0; 8];
            whole[..octets.len()].copy_from_slice(octets);
            *word = u64::from_be_bytes(whole);
        }
    };
    for (index, key) in keys.iter_mut().enumerate() {
        put(key, column.bytes(row(index)));
    }
}

/// How many of the first `most` octets of a text are whole characters.
fn whole_characters(text: &[u8], most: usize) -> usize {
    let is_inside = |at: usize| text.get(at).is_some_and(|octet| octet & 0xc0 == 0x80);
    let most = text.len().min(most);
    // A character has at most four octets; what is no UTF-8 is cut anywhere.
    (most.saturating_sub(3)..=most).rev().find(|&at| !is_inside(at)).unwrap_or(most)
}

fn pack_networks<const W: usize>(
    column: &Column,
    mask: &Column,
    item: &Item,
    row: impl Fn(usize) -> usize + Copy,
    keys: &mut [Key<W>],
) {
    let Item { part, what, word, shift } = *item;
    for (index, key) in keys.iter_mut().enumerate() {
        let row = row(index);
        match (column.ip(row), what) {
            (IpAddr::V4(addr), What::V4) => {
                key.0[word] |= u64::from(part.mask_v4(addr, mask.num(row))) << shift;
            }
            (IpAddr::V6(addr), What::V6) => {
                let bits = part.mask_v6(addr, mask.num(row));
                key.0[word..word + 2].copy_from_slice(&[(bits >> 64) as u64, bits as u64]);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::BatchBuilder;

    #[test]
    fn a_v4_five_tuple_takes_two_words_and_a_v6_one_five() {
        let parts: Vec<KeyPart> =
            [Field::SrcAddr, Field::DstAddr, Field::SrcPort, Field::DstPort, Field::Proto]
                .map(KeyPart::field)
                .into();
        let (v4, v6) = (Layout::new(&parts, 0).unwrap(), Layout::new(&parts, 0b11).unwrap());
        assert_eq!((v4.words(), v4.octets()), (2, 13));
        assert_eq!((v6.words(), v6.octets()), (5, 37));
        assert!(matches!(
            Layout::new(&[KeyPart::field(Field::Frame)], 0),
            Err(QueryError::NotAKey(Field::Frame))
        ));
    }

    #[test]
    fn what_is_packed_comes_out_again() {
        let parts = [
            KeyPart::field(Field::Proto),
            KeyPart { mask: Some(Field::SrcMask), ..KeyPart::field(Field::SrcAddr) },
            KeyPart { v4_prefix: Some(9), v6_prefix: Some(33), ..KeyPart::field(Field::DstAddr) },
            KeyPart::field(Field::ObservationPointId),
            KeyPart::field(Field::SrcAs),
            KeyPart::field(Field::DstPort),
            KeyPart { bits: Some(0xff_fff0), ..KeyPart::field(Field::MPLS[1]) },
        ];
        let mut builder = BatchBuilder::new();
        builder.set(Field::Proto, 200);
        builder.set_ip(Field::SrcAddr, "198.51.100.255".parse().unwrap());
        builder.set(Field::SrcMask, 23);
        builder.set_ip(Field::DstAddr, "2001:db8:ffff::1".parse().unwrap());
        builder.set(Field::ObservationPointId, u64::MAX - 1);
        builder.set(Field::SrcAs, 4_200_000_000);
        builder.set(Field::DstPort, 65_535);
        builder.set(Field::MPLS[1], 0x12_345f);
        builder.finish_row();
        let batch = builder.finish();
        let shape = shapes(&parts, &batch, 1, |index| index, &mut Vec::new()).unwrap();
        assert_eq!(shape, 0b10);
        let layout = Layout::new(&parts, shape).unwrap();
        let mut keys: Vec<Key<8>> = Vec::new();
        layout.pack(&batch, 1, |index| index, &mut keys);
        let value = |field| layout.value(&keys[0].0, field).unwrap();
        assert_eq!(value(Field::Proto), Value::Num(200));
        assert_eq!(value(Field::SrcAddr), Value::Ip("198.51.100.0".parse().unwrap()));
        assert_eq!(value(Field::SrcMask), Value::Num(23));
        assert_eq!(value(Field::DstAddr), Value::Ip("2001:db8:8000::".parse().unwrap()));
        assert_eq!(value(Field::ObservationPointId), Value::Num(u64::MAX - 1));
        assert_eq!(value(Field::SrcAs), Value::Num(4_200_000_000));
        assert_eq!(value(Field::DstPort), Value::Num(65_535));
        assert_eq!(value(Field::MPLS[1]), Value::Num(0x12_3450));
        assert_eq!(layout.value(&keys[0].0, Field::SrcPort), None);
    }

    #[test]
    fn texts_are_kept_as_far_as_there_is_room() {
        let parts = [Field::SrcPort, Field::Ja4, Field::Label].map(KeyPart::field);
        let layout = Layout::new(&parts, 0).unwrap();
        assert_eq!(layout.octets(), 2 + 40 + 128);
        let long = "ö".repeat(100);
        for (label, expected) in [
            ("", ""),
            ("web", "web"),
            ("exactly8", "exactly8"),
            (&long, &long[..128]),
            (&format!("x{long}"), &format!("x{}", &long[..126])),
        ] {
            let mut builder = BatchBuilder::new();
            builder.set(Field::SrcPort, 443);
            builder.set_bytes(Field::Label, label.as_bytes());
            builder.finish_row();
            let mut batch = builder.finish();
            let fingerprint = Value::Bytes(b"t13d1516h2_8daaf6152771_e5627efa2ab1".to_vec().into());
            batch.insert(Field::Ja4, Column::Constant(fingerprint.clone()));
            let mut keys: Vec<Key<32>> = Vec::new();
            layout.pack(&batch, 1, |index| index, &mut keys);
            let value = |field| layout.value(&keys[0].0, field);
            assert_eq!(value(Field::SrcPort), Some(Value::Num(443)));
            assert_eq!(value(Field::Ja4), Some(fingerprint));
            assert_eq!(value(Field::Label), Some(Value::Bytes(expected.as_bytes().into())), "{label}");
        }
        assert_eq!(whole_characters(&[0x80; 9], 8), 8);
    }

    #[test]
    fn prefixes_of_one_field_are_united() {
        let part = KeyPart::field(Field::SrcAddr);
        let united =
            unite(&[KeyPart { v4_prefix: Some(24), ..part }, KeyPart { v6_prefix: Some(64), ..part }]);
        assert_eq!(united, [KeyPart { v4_prefix: Some(24), v6_prefix: Some(64), ..part }]);
    }

    #[test]
    fn prefix_lengths_beyond_the_address_mean_all_of_it() {
        assert_eq!(leading_ones(32, 0), 0);
        assert_eq!(leading_ones(32, 24), 0xffff_ff00);
        assert_eq!(leading_ones(32, 255), 0xffff_ffff);
        assert_eq!(leading_ones(128, 0), 0);
        assert_eq!(leading_ones(128, 64), u128::MAX << 64);
        assert_eq!(leading_ones(128, 255), u128::MAX);
    }
}
