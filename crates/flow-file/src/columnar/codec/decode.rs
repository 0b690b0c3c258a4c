//! Decoding: every size and code of the chunk is checked before it is used.

use crate::columnar::bitpack::{Number, packed_len, unpack};
use crate::columnar::cursor::{Cursor, unzigzag};
use crate::columnar::layout::{encoding, max_number};
use crate::columnar::sequence;
use crate::error::Damage;
use flow_model::{BytesValues, Column, Dictionary, Field, Kind, Range, Selection, Value, Values};
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

/// Decodes a chunk of `rows` rows. `reference_column` is the column of [`reference()`].
pub(crate) fn decode(
    kind: Kind,
    code: u8,
    range: Option<Range>,
    payload: &[u8],
    rows: usize,
    reference_column: Option<&Column>,
) -> Result<Column, Damage> {
    let mut cursor = Cursor::new(payload);
    let column = match (code, kind) {
        (encoding::CONSTANT, Kind::Bytes) => {
            return Ok(Column::Constant(Value::Bytes(payload.into())));
        }
        (encoding::CONSTANT, _) => Column::Constant(match range {
            Some(Range::Num { min, .. }) => Value::Num(min),
            Some(Range::Ip { min, .. }) => Value::Ip(min),
            None => return Err(Damage::Inconsistent("a constant has no value")),
        }),
        (encoding::STRINGS, Kind::Bytes) => Column::Plain(Values::Bytes(strings(&mut cursor, rows)?)),
        (encoding::DICTIONARY, _) => Column::Dictionary(dictionary(kind, &mut cursor, rows)?),
        (encoding::PACKED | encoding::DELTA | encoding::RELATIVE, Kind::U8) => {
            Column::Plain(Values::U8(numbers(code, &mut cursor, rows, reference_column)?))
        }
        (encoding::PACKED | encoding::DELTA | encoding::RELATIVE, Kind::U16) => {
            Column::Plain(Values::U16(numbers(code, &mut cursor, rows, reference_column)?))
        }
        (encoding::PACKED | encoding::DELTA | encoding::RELATIVE, Kind::U32) => {
            Column::Plain(Values::U32(numbers(code, &mut cursor, rows, reference_column)?))
        }
        (encoding::PACKED | encoding::DELTA | encoding::RELATIVE, Kind::U64) => {
            Column::Plain(Values::U64(numbers(code, &mut cursor, rows, reference_column)?))
        }
        _ => return Err(Damage::Unknown { what: "encoding", found: code.into() }),
    };
    cursor.finish()?;
    Ok(column)
}

fn numbers<T: Number>(
    code: u8,
    cursor: &mut Cursor<'_>,
    rows: usize,
    reference_column: Option<&Column>,
) -> Result<Vec<T>, Damage> {
    let mut numbers: Vec<T> = Vec::new();
    match code {
        encoding::DELTA => {
            let mut value = cursor.varint()?;
            let mut deltas: Vec<u64> = Vec::new();
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
                    let mut references = Vec::new();
                    other.gather(&Selection::all(rows), &mut references);
                    numbers.iter_mut().zip(references).for_each(|(number, value)| add(number, value));
                }
            }
        }
        _ => sequence::read(cursor, rows, &mut numbers)?,
    }
    Ok(numbers)
}

fn dictionary(kind: Kind, cursor: &mut Cursor<'_>, rows: usize) -> Result<Dictionary, Damage> {
    let values = if kind == Kind::Ip {
        Values::Ip(addresses(cursor, rows)?)
    } else {
        let count = cursor.bounded("count of dictionary entries", rows as u64)?;
        match kind {
            Kind::Bytes => {
                let strings = strings(cursor, count)?;
                if !strings.iter().zip(strings.iter().skip(1)).all(|(string, next)| string < next) {
                    return Err(NOT_ASCENDING);
                }
                Values::Bytes(strings)
            }
            Kind::U8 => Values::U8(ascending(cursor, count, max_number(kind))?),
            Kind::U16 => Values::U16(ascending(cursor, count, max_number(kind))?),
            Kind::U32 => Values::U32(ascending(cursor, count, max_number(kind))?),
            _ => Values::U64(ascending(cursor, count, max_number(kind))?),
        }
    };
    let width = u32::from(cursor.u8()?);
    if width > 16 {
        return Err(Damage::TooLarge { what: "width of a code", found: width.into(), limit: 16 });
    }
    let mut codes: Vec<u16> = Vec::new();
    unpack(cursor.take(packed_len(width, rows))?, width, rows, 0, &mut codes);
    let largest = codes.iter().fold(0, |largest, &code| largest.max(code));
    if usize::from(largest) >= values.len() {
        let limit = (values.len() as u64).saturating_sub(1);
        return Err(Damage::TooLarge { what: "code", found: largest.into(), limit });
    }
    Ok(Dictionary { codes, values })
}

/// `count` strictly ascending numbers up to `max`.
fn ascending<T: Number>(cursor: &mut Cursor<'_>, count: usize, max: u64) -> Result<Vec<T>, Damage> {
    let mut values = Vec::with_capacity(count);
    if count == 0 {
        return Ok(values);
    }
    let mut value = u128::from(cursor.varint()?);
    let mut gaps: Vec<u64> = Vec::new();
    sequence::read(cursor, count - 1, &mut gaps)?;
    values.push(T::narrow(value as u64));
    for gap in gaps {
        // At most 65,536 numbers of 64 bits: this cannot overflow 128.
        value += u128::from(gap) + 1;
        values.push(T::narrow(value as u64));
    }
    if value > u128::from(max) {
        return Err(Damage::Inconsistent("a value does not fit its field"));
    }
    Ok(values)
}

fn addresses(cursor: &mut Cursor<'_>, rows: usize) -> Result<Vec<IpAddr>, Damage> {
    let v4 = cursor.bounded("count of IPv4 addresses", rows as u64)?;
    let v6 = cursor.bounded("count of IPv6 addresses", (rows - v4) as u64)?;
    let mut addrs: Vec<IpAddr> = Vec::with_capacity(v4 + v6);
    if v4 > 0 {
        let bits: Vec<u32> = ascending(cursor, v4, u32::MAX.into())?;
        addrs.extend(bits.into_iter().map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))));
    }
    if v6 > 0 {
        let mut upper = cursor.varint()?;
        let mut steps: Vec<u64> = vec![0];
        sequence::read(cursor, v6 - 1, &mut steps)?;
        let mut lower: Vec<u64> = Vec::new();
        sequence::read(cursor, v6, &mut lower)?;
        let mut last = None;
        for (step, lower) in steps.into_iter().zip(lower) {
            upper = upper.checked_add(step).ok_or(NOT_ASCENDING)?;
            let bits = u128::from(upper) << 64 | u128::from(lower);
            if last.is_some_and(|last| last >= bits) {
                return Err(NOT_ASCENDING);
            }
            last = Some(bits);
            addrs.push(IpAddr::V6(Ipv6Addr::from_bits(bits)));
        }
    }
    Ok(addrs)
}

/// `count` octet strings: their lengths, then the octets end to end.
fn strings(cursor: &mut Cursor<'_>, count: usize) -> Result<BytesValues, Damage> {
    let mut lens: Vec<u64> = Vec::new();
    sequence::read(cursor, count, &mut lens)?;
    let mut strings = BytesValues::default();
    for len in lens {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        strings.push(cursor.take(len)?);
    }
    Ok(strings)
}

const NOT_ASCENDING: Damage = Damage::Inconsistent("the dictionary does not ascend");
