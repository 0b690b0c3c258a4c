//! Decoding: every size and code of the chunk is checked before it is used.

use crate::columnar::bitpack::{Number, packed_len, unpack};
use crate::columnar::cursor::{Cursor, unzigzag};
use crate::columnar::layout::{encoding, max_number};
use crate::columnar::scratch::Scratch;
use crate::columnar::sequence;
use crate::error::Damage;
use flow_model::{BytesValues, Column, Dictionary, Field, Kind, Range, Value, Values};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The field this chunk is stored relative to.
pub(crate) fn reference(code: u8, payload: &[u8]) -> Result<Option<Field>, Damage> {
    if code != encoding::RELATIVE {
        return Ok(None);
    }
    let found = Cursor::new(payload).varint()?;
    let field = u16::try_from(found).ok().and_then(Field::from_id);
    field.map(Some).ok_or(Damage::Unknown { what: "reference field", found })
}

/// What a chunk is to be decoded to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) kind: Kind,
    /// One of the codes in [`encoding`].
    pub(crate) encoding: u8,
    pub(crate) rows: usize,
}

/// Decodes a chunk. `reference_column` is the column of [`reference()`], `spare` one whose memory may be used.
pub(crate) fn decode(
    shape: Shape,
    range: Option<Range>,
    payload: &[u8],
    reference_column: Option<&Column>,
    spare: Option<Column>,
) -> Result<Column, Damage> {
    let mut cursor = Cursor::new(payload);
    let (codes, values) = match spare {
        Some(Column::Dictionary(Dictionary { codes, values })) => (codes, Some(values)),
        Some(Column::Plain(values)) => (Vec::new(), Some(values)),
        _ => (Vec::new(), None),
    };
    let Shape { kind, encoding, rows } = shape;
    let column = match encoding {
        encoding::CONSTANT => Column::Constant(match range {
            Some(Range::Num { min, .. }) => Value::Num(min),
            Some(Range::Ip { min, .. }) => Value::Ip(min),
            None if kind == Kind::Bytes => Value::Bytes(cursor.take(payload.len())?.into()),
            None => return Err(Damage::Inconsistent("a constant has no value")),
        }),
        encoding::STRINGS if kind == Kind::Bytes => Column::Plain(strings(&mut cursor, rows, values)?),
        encoding::DICTIONARY => Column::Dictionary(dictionary(kind, &mut cursor, rows, codes, values)?),
        encoding::PACKED | encoding::DELTA | encoding::RELATIVE => {
            let cursor = &mut cursor;
            Column::Plain(match kind {
                Kind::U8 => u8::values(numbers(encoding, cursor, rows, reference_column, values)?),
                Kind::U16 => u16::values(numbers(encoding, cursor, rows, reference_column, values)?),
                Kind::U32 => u32::values(numbers(encoding, cursor, rows, reference_column, values)?),
                Kind::U64 => u64::values(numbers(encoding, cursor, rows, reference_column, values)?),
                Kind::Ip | Kind::Bytes => {
                    return Err(Damage::Unknown { what: "encoding", found: encoding.into() });
                }
            })
        }
        _ => return Err(Damage::Unknown { what: "encoding", found: encoding.into() }),
    };
    cursor.finish()?;
    Ok(column)
}

/// An empty vector, with the memory of `spare` if that is of the same kind.
fn vec<T: Number>(spare: Option<Values>) -> Vec<T> {
    let mut nums = spare.and_then(T::vec).unwrap_or_default();
    nums.clear();
    nums
}

fn numbers<T: Number>(
    code: u8,
    cursor: &mut Cursor<'_>,
    rows: usize,
    reference_column: Option<&Column>,
    spare: Option<Values>,
) -> Result<Vec<T>, Damage> {
    let mut numbers: Vec<T> = vec(spare);
    match code {
        encoding::DELTA => {
            let mut value = cursor.varint()?;
            let mut deltas: Scratch<u64> = Scratch::new();
            sequence::read(cursor, rows, &mut deltas)?;
            numbers.extend(deltas.iter().map(|&delta| {
                value = value.wrapping_add(unzigzag(delta));
                T::narrow(value)
            }));
        }
        encoding::RELATIVE => {
            cursor.varint()?;
            let shift = unzigzag(cursor.varint()?);
            let column = reference_column.ok_or(Damage::Inconsistent("the reference column is missing"))?;
            sequence::read(cursor, rows, &mut numbers)?;
            let add = |number: &mut T, reference: u64| {
                *number = T::narrow(number.widen().wrapping_add(reference).wrapping_add(shift));
            };
            match column {
                Column::Plain(Values::U64(references)) if references.len() == rows => {
                    numbers.iter_mut().zip(references).for_each(|(number, &value)| add(number, value));
                }
                other => {
                    let mut references: Scratch<u64> = Scratch::new();
                    other.gather_range(0..rows, &mut references);
                    numbers.iter_mut().zip(references.iter()).for_each(|(number, &value)| add(number, value));
                }
            }
        }
        _ => sequence::read(cursor, rows, &mut numbers)?,
    }
    Ok(numbers)
}

fn dictionary(
    kind: Kind,
    cursor: &mut Cursor<'_>,
    rows: usize,
    mut codes: Vec<u16>,
    spare: Option<Values>,
) -> Result<Dictionary, Damage> {
    let values = if kind == Kind::Ip {
        addresses(cursor, rows, spare)?
    } else {
        let count = cursor.bounded("count of dictionary entries", rows as u64)?;
        let max = max_number(kind);
        match kind {
            Kind::U8 => u8::values(ascending(cursor, count, max, vec(spare))?),
            Kind::U16 => u16::values(ascending(cursor, count, max, vec(spare))?),
            Kind::U32 => u32::values(ascending(cursor, count, max, vec(spare))?),
            Kind::U64 => u64::values(ascending(cursor, count, max, vec(spare))?),
            Kind::Ip | Kind::Bytes => {
                let values = strings(cursor, count, spare)?;
                if (1..count).any(|code| values.get(code - 1) >= values.get(code)) {
                    return Err(NOT_ASCENDING);
                }
                values
            }
        }
    };
    let width = u32::from(cursor.u8()?);
    if width > 16 {
        return Err(Damage::TooLarge { what: "width of a code", found: width.into(), limit: 16 });
    }
    codes.clear();
    unpack(cursor.take(packed_len(width, rows))?, width, rows, 0, &mut codes);
    let largest = codes.iter().fold(0, |largest, &code| largest.max(code));
    if usize::from(largest) >= values.len() {
        let limit = (values.len() as u64).saturating_sub(1);
        return Err(Damage::TooLarge { what: "code", found: largest.into(), limit });
    }
    Ok(Dictionary { codes, values })
}

/// Fills `values`, which is empty, with `count` strictly ascending numbers up to `max`.
fn ascending<T: Number>(
    cursor: &mut Cursor<'_>,
    count: usize,
    max: u64,
    mut values: Vec<T>,
) -> Result<Vec<T>, Damage> {
    if count == 0 {
        return Ok(values);
    }
    let first = cursor.varint()?;
    let mut gaps: Scratch<u64> = Scratch::new();
    sequence::read(cursor, count - 1, &mut gaps)?;
    // What the last value is beyond the first; at most 65,536 numbers of 64 bits cannot overflow 128.
    let width: u128 = gaps.iter().map(|&gap| u128::from(gap) + 1).sum();
    if u128::from(first) + width > u128::from(max) {
        return Err(Damage::Inconsistent("a value does not fit its field"));
    }
    let mut value = first;
    values.reserve(count);
    values.push(T::narrow(first));
    values.extend(gaps.iter().map(|&gap| {
        value += gap + 1;
        T::narrow(value)
    }));
    Ok(values)
}

fn addresses(cursor: &mut Cursor<'_>, rows: usize, spare: Option<Values>) -> Result<Values, Damage> {
    let mut addrs = if let Some(Values::Ip(addrs)) = spare { addrs } else { Vec::new() };
    addrs.clear();
    let v4 = cursor.bounded("count of IPv4 addresses", rows as u64)?;
    let v6 = cursor.bounded("count of IPv6 addresses", (rows - v4) as u64)?;
    addrs.reserve(v4 + v6);
    if v4 > 0 {
        let mut bits: Scratch<u64> = Scratch::new();
        *bits = ascending(cursor, v4, u32::MAX.into(), std::mem::take(&mut *bits))?;
        addrs.extend(bits.iter().map(|&bits| IpAddr::V4(Ipv4Addr::from_bits(bits as u32))));
    }
    if v6 > 0 {
        let mut upper = cursor.varint()?;
        let mut steps: Scratch<u64> = Scratch::new();
        steps.push(0);
        sequence::read(cursor, v6 - 1, &mut steps)?;
        let mut lower: Scratch<u64> = Scratch::new();
        sequence::read(cursor, v6, &mut lower)?;
        let mut last = None;
        for (&step, &lower) in steps.iter().zip(lower.iter()) {
            upper = upper.checked_add(step).ok_or(NOT_ASCENDING)?;
            let bits = u128::from(upper) << 64 | u128::from(lower);
            if last.is_some_and(|last| last >= bits) {
                return Err(NOT_ASCENDING);
            }
            last = Some(bits);
            addrs.push(IpAddr::V6(Ipv6Addr::from_bits(bits)));
        }
    }
    Ok(Values::Ip(addrs))
}

/// `count` octet strings: their lengths, then the octets end to end.
fn strings(cursor: &mut Cursor<'_>, count: usize, spare: Option<Values>) -> Result<Values, Damage> {
    let mut strings = if let Some(Values::Bytes(strings)) = spare { strings } else { BytesValues::default() };
    strings.truncate(0);
    let mut lens: Scratch<u64> = Scratch::new();
    sequence::read(cursor, count, &mut lens)?;
    for &len in lens.iter() {
        strings.push(cursor.take(usize::try_from(len).unwrap_or(usize::MAX))?);
    }
    Ok(Values::Bytes(strings))
}

const NOT_ASCENDING: Damage = Damage::Inconsistent("the dictionary does not ascend");
