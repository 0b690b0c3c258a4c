//! Encoding: which form a field takes, and its octets.

use crate::columnar::bitpack::pack;
use crate::columnar::cursor::{put_varint, zigzag};
use crate::columnar::dictionary::{Addresses, constant, dictionary, of_addresses};
use crate::columnar::layout::encoding;
use crate::columnar::sequence::{self, Plan, bits, sample};
use flow_model::{BytesValues, Column, Dictionary, Field, Range, Selection, Value, Values, field_info};
use std::borrow::Cow;
use std::net::IpAddr;

/// A column as the octets of a chunk.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// One of the codes in [`encoding`].
    pub(crate) encoding: u8,
    /// Smallest and largest value; octet strings have none.
    pub(crate) range: Option<Range>,
    /// The chunk, not yet compressed.
    pub(crate) payload: Vec<u8>,
    /// The distinct addresses, when the column holds addresses.
    pub(crate) addresses: Addresses,
}

/// Encodes a column of one or more rows; `None` when every row has the field's default, which needs no chunk.
///
/// `column_of` gives the columns of the same rows that this one may be stored relative to.
pub(crate) fn encode<'a>(
    field: Field,
    column: &Column,
    rows: usize,
    column_of: impl Fn(Field) -> Option<&'a Column>,
) -> Option<Encoded> {
    if let Some(value) = constant(column) {
        return of_constant(field, &value);
    }
    match form(field) {
        Form::Key => of_key(field, column),
        Form::Strings => {
            let mut payload = Vec::new();
            let mut strings = BytesValues::default();
            (0..rows).for_each(|row| strings.push(column.bytes(row)));
            put_strings(&strings, &mut payload);
            Some(Encoded {
                encoding: encoding::STRINGS,
                range: None,
                payload,
                addresses: Addresses::default(),
            })
        }
        Form::Measure => {
            let values = numbers(column, rows);
            let packed = packed(&values);
            if !has_few_values(&values) {
                return Some(packed);
            }
            of_key(field, column).map(|coded| shorter(coded, packed))
        }
        Form::Serial => {
            let values = numbers(column, rows);
            Some(best_of(&values, None))
        }
        Form::Time(reference) => {
            let values = numbers(column, rows);
            let reference = reference.and_then(|field| Some((field, numbers(column_of(field)?, rows))));
            Some(best_of(&values, reference))
        }
    }
}

/// What a field is used for decides how it is stored.
#[derive(Clone, Copy)]
enum Form {
    /// People filter and group by it: a dictionary, even where another form is a little shorter.
    Key,
    /// A counter: packed, or a dictionary where few values occur.
    Measure,
    /// A number that tends to count up from row to row.
    Serial,
    /// A time, close to that of the field named.
    Time(Option<Field>),
    /// Octets that hardly ever repeat.
    Strings,
}

fn form(field: Field) -> Form {
    match field {
        Field::FirstMs => Form::Time(None),
        Field::LastMs | Field::ReceivedMs | Field::EventTimeMs => Form::Time(Some(Field::FirstMs)),
        Field::InPackets
        | Field::InBytes
        | Field::OutPackets
        | Field::OutBytes
        | Field::Flows
        | Field::ClientLatencyUs
        | Field::ServerLatencyUs
        | Field::AppLatencyUs => Form::Measure,
        Field::FlowId | Field::ConnId => Form::Serial,
        Field::InPayload | Field::OutPayload | Field::Frame => Form::Strings,
        _ => Form::Key,
    }
}

fn of_constant(field: Field, value: &Value) -> Option<Encoded> {
    let kind = field_info(field).kind;
    let default = match Value::zero(kind) {
        Value::Num(_) => Value::Num(field.default_num()),
        other => other,
    };
    if *value == default {
        return None;
    }
    let (range, payload) = match value {
        Value::Num(num) => (Some(Range::Num { min: *num, max: *num }), Vec::new()),
        Value::Ip(addr) => (Some(Range::Ip { min: *addr, max: *addr }), Vec::new()),
        Value::Bytes(octets) => (None, octets.to_vec()),
    };
    let addresses = match value {
        Value::Ip(addr) => Addresses::from_sorted(std::iter::once(*addr)),
        _ => Addresses::default(),
    };
    Some(Encoded { encoding: encoding::CONSTANT, range, payload, addresses })
}

fn of_key(field: Field, column: &Column) -> Option<Encoded> {
    if let Column::Plain(Values::Ip(addrs)) = column {
        let (codes, addresses) = of_addresses(addrs);
        return Some(of_address_dictionary(&codes, addresses));
    }
    match dictionary(column) {
        Column::Constant(value) => of_constant(field, &value),
        Column::Dictionary(dictionary) => Some(of_dictionary(dictionary)),
        Column::Plain(_) => None,
    }
}

fn of_dictionary(Dictionary { codes, values }: Dictionary) -> Encoded {
    let mut payload = Vec::new();
    put_varint(values.len() as u64, &mut payload);
    let range = match values {
        Values::Ip(addrs) => {
            return of_address_dictionary(&codes, Addresses::from_sorted(addrs.into_iter()));
        }
        Values::Bytes(strings) => {
            put_strings(&strings, &mut payload);
            put_codes(&codes, strings.len(), &mut payload);
            None
        }
        numbers => {
            let numbers: Vec<u64> = (0..numbers.len()).map(|code| numbers.num(code)).collect();
            put_ascending(&numbers, &mut payload);
            put_codes(&codes, numbers.len(), &mut payload);
            Some(Range::Num { min: numbers[0], max: numbers[numbers.len() - 1] })
        }
    };
    Encoded { encoding: encoding::DICTIONARY, range, payload, addresses: Addresses::default() }
}

fn of_address_dictionary(codes: &[u16], addresses: Addresses) -> Encoded {
    let Addresses { v4, v6 } = &addresses;
    let all = || {
        let v4 = v4.iter().map(|&bits| IpAddr::V4(bits.into()));
        v4.chain(v6.iter().map(|&bits| IpAddr::V6(bits.into())))
    };
    let range = all().next().zip(all().next_back()).map(|(min, max)| Range::Ip { min, max });
    let mut payload = Vec::new();
    put_varint(v4.len() as u64, &mut payload);
    put_varint(v6.len() as u64, &mut payload);
    if !v4.is_empty() {
        put_ascending(v4, &mut payload);
    }
    if let Some(first) = v6.first() {
        let upper: Vec<u64> = v6.iter().map(|bits| (bits >> 64) as u64).collect();
        let lower: Vec<u64> = v6.iter().map(|&bits| bits as u64).collect();
        let steps: Vec<u64> = upper.windows(2).map(|pair| pair[1] - pair[0]).collect();
        put_varint((first >> 64) as u64, &mut payload);
        sequence::put(&steps, &mut payload);
        sequence::put(&lower, &mut payload);
    }
    put_codes(codes, addresses.len(), &mut payload);
    Encoded { encoding: encoding::DICTIONARY, range, payload, addresses }
}

/// The width of a code, then the codes.
fn put_codes(codes: &[u16], entries: usize, out: &mut Vec<u8>) {
    let width = bits((entries - 1) as u64);
    out.push(width as u8);
    pack(codes, width, out);
}

/// One or more strictly ascending numbers: the first, then how far each is beyond its predecessor's successor.
fn put_ascending<T: Copy + Into<u64>>(numbers: &[T], out: &mut Vec<u8>) {
    put_varint(numbers[0].into(), out);
    let gaps: Vec<u64> = numbers.windows(2).map(|pair| pair[1].into() - pair[0].into() - 1).collect();
    sequence::put(&gaps, out);
}

/// The lengths, then the octets end to end.
fn put_strings(strings: &BytesValues, out: &mut Vec<u8>) {
    let lens: Vec<u64> = strings.iter().map(|string| string.len() as u64).collect();
    sequence::put(&lens, out);
    out.reserve(strings.total_len());
    strings.iter().for_each(|string| out.extend_from_slice(string));
}

fn packed(values: &[u64]) -> Encoded {
    let mut payload = Vec::new();
    sequence::put(values, &mut payload);
    Encoded {
        encoding: encoding::PACKED,
        range: Some(range(values)),
        payload,
        addresses: Addresses::default(),
    }
}

/// The shortest of packed, differences to the row before, and differences to another field. A sample decides.
fn best_of(values: &[u64], reference: Option<(Field, Cow<'_, [u64]>)>) -> Encoded {
    let rows = values.len();
    let delta = |row: usize| match row {
        0 => 0,
        _ => zigzag(values[row].wrapping_sub(values[row - 1])),
    };
    let packed_bits = Plan::estimate(rows, &sample(rows, |row| values[row]));
    let delta_bits = Plan::estimate(rows, &sample(rows, delta));
    let range = Some(range(values));
    let addresses = Addresses::default();
    let mut payload = Vec::new();
    if let Some((field, reference)) = reference {
        let difference = |row: usize| values[row].wrapping_sub(reference[row]);
        let smallest = |differences: &[u64]| {
            let signed = differences.iter().map(|difference| difference.cast_signed());
            signed.min().unwrap_or(0).cast_unsigned()
        };
        let mut few = sample(rows, difference);
        let shift = smallest(&few);
        for difference in &mut few {
            *difference = difference.wrapping_sub(shift);
        }
        let bits = Plan::estimate(rows, &few);
        if bits < packed_bits && bits <= delta_bits {
            let mut differences: Vec<u64> = (0..rows).map(difference).collect();
            let shift = smallest(&differences);
            for difference in &mut differences {
                *difference = difference.wrapping_sub(shift);
            }
            put_varint(field.id().into(), &mut payload);
            put_varint(zigzag(shift), &mut payload);
            sequence::put(&differences, &mut payload);
            return Encoded { encoding: encoding::RELATIVE, range, payload, addresses };
        }
    }
    if delta_bits < packed_bits {
        put_varint(values[0], &mut payload);
        sequence::put(&(0..rows).map(delta).collect::<Vec<_>>(), &mut payload);
        return Encoded { encoding: encoding::DELTA, range, payload, addresses };
    }
    sequence::put(values, &mut payload);
    Encoded { encoding: encoding::PACKED, range, payload, addresses }
}

fn shorter(a: Encoded, b: Encoded) -> Encoded {
    if a.payload.len() < b.payload.len() { a } else { b }
}

fn range(values: &[u64]) -> Range {
    let (min, max) = values.iter().fold((u64::MAX, 0), |(min, max), &num| (min.min(num), max.max(num)));
    Range::Num { min, max }
}

fn numbers(column: &Column, rows: usize) -> Cow<'_, [u64]> {
    if let Column::Plain(Values::U64(values)) = column {
        return Cow::Borrowed(values);
    }
    let mut numbers = Vec::new();
    column.gather(&Selection::all(rows), &mut numbers);
    Cow::Owned(numbers)
}

/// Whether a sample of the values repeats so much that a dictionary may pay.
fn has_few_values(values: &[u64]) -> bool {
    let count = SAMPLE.min(values.len());
    let mut sample: Vec<u64> = (0..count).map(|i| values[i * values.len() / count]).collect();
    sample.sort_unstable();
    sample.dedup();
    sample.len() <= FEW
}

/// How many values are looked at, and how many of them may be distinct, for a dictionary of a counter to be tried:
/// building one costs several times what packing does, and pays only where codes are a few bits wide.
const SAMPLE: usize = 256;
const FEW: usize = 16;
