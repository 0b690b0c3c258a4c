//! From a column to the octets of a chunk and back.

mod decode;
mod encode;

pub(crate) use decode::{Shape, decode, reference};
pub(crate) use encode::{Encoded, encode};

use super::layout::{Class, MAX_OCTETS};

/// The most octets a chunk of this class can have before compression.
pub(crate) fn max_len(class: Class, rows: usize) -> u64 {
    match class {
        // At worst a dictionary of 65,536 IPv6 addresses, each half packed with exceptions, and its codes.
        Class::Number | Class::Address => 128 + rows as u64 * 48,
        Class::Octets => (MAX_OCTETS + 128 + rows * 16) as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::{Column, Field, Kind, Value, ValueRef, Values, field_info};
    use proptest::prelude::*;

    fn check(field: Field, column: &Column, rows: usize, reference: Option<&Column>) -> Option<Encoded> {
        let encoded = encode(field, column, rows, |_| reference)?;
        let kind = field_info(field).kind;
        assert!(encoded.payload.len() as u64 <= max_len(Class::of(kind), rows));
        let shape = Shape { kind, encoding: encoded.encoding, rows };
        let back = decode(shape, encoded.range, &encoded.payload, reference, None).unwrap();
        for row in 0..rows {
            assert_eq!(back.get(row), column.get(row), "{field:?} row {row}");
        }
        Some(encoded)
    }

    fn column(kind: Kind, nums: &[u64]) -> Column {
        let mut values = Values::new(kind);
        for &num in nums {
            match kind {
                Kind::Ip if num % 2 == 0 => {
                    values.push(ValueRef::Ip(std::net::Ipv4Addr::from_bits(num as u32).into()));
                }
                Kind::Ip => values.push(ValueRef::Ip(
                    std::net::Ipv6Addr::from_bits(u128::from(num) << (num % 64) | u128::from(num)).into(),
                )),
                Kind::Bytes => {
                    values.push(ValueRef::Bytes(&num.to_be_bytes()[..(num.leading_zeros() / 8) as usize]));
                }
                _ => values.push(ValueRef::Num(num)),
            }
        }
        Column::Plain(values)
    }

    proptest! {
        #[test]
        fn any_column_of_any_field_comes_back(
            nums in prop::collection::vec(
                prop_oneof![Just(0), 0_u64..50, 1_700_000_000_000_u64..1_700_000_090_000, any::<u64>()], 1..1500),
            shift in 0_u32..60,
        ) {
            let rows = nums.len();
            let nums: Vec<u64> = nums.into_iter().map(|num| num >> shift).collect();
            let reference = column(Kind::U64, &nums.iter().rev().copied().collect::<Vec<_>>());
            for &field in Field::ALL {
                let column = column(field_info(field).kind, &nums);
                check(field, &column, rows, Some(&reference));
                check(field, &column, rows, None);
                check(field, &super::super::dictionary::dictionary(&column), rows, None);
            }
        }

        #[test]
        fn garbage_decodes_to_an_error_or_a_column(
            octets in prop::collection::vec(any::<u8>(), 0..300), rows in 1_usize..3000, encoding in 0_u8..7,
        ) {
            for kind in [Kind::U8, Kind::U64, Kind::Ip, Kind::Bytes] {
                if let Ok(Column::Dictionary(dictionary)) = decode(Shape { kind, encoding, rows }, None, &octets, None, None) {
                    prop_assert_eq!(dictionary.codes.len(), rows);
                    let len = dictionary.values.len();
                    prop_assert!(dictionary.codes.iter().all(|&code| usize::from(code) < len));
                }
            }
        }
    }

    #[test]
    fn a_constant_default_costs_nothing() {
        assert!(check(Field::SrcAs, &column(Kind::U32, &[0; 9]), 9, None).is_none());
        assert!(check(Field::Flows, &column(Kind::U64, &[1; 9]), 9, None).is_none());
        assert!(check(Field::Flows, &column(Kind::U64, &[0; 9]), 9, None).is_some());
        assert!(check(Field::Proto, &Column::Constant(Value::Num(6)), 9, None).unwrap().payload.is_empty());
    }

    #[test]
    fn times_are_stored_as_small_differences() {
        let first: Vec<u64> = (0..5000).map(|i| 1_700_000_000_000 + i * 7919 % 300_000).collect();
        let last: Vec<u64> = first.iter().enumerate().map(|(i, first)| first + i as u64 % 256).collect();
        let received: Vec<u64> = (0..5000).map(|i| 1_700_000_300_000 + i / 30).collect();
        let first = column(Kind::U64, &first);
        let last = check(Field::LastMs, &column(Kind::U64, &last), 5000, Some(&first)).unwrap();
        assert!(last.payload.len() < 5000 + 20, "{}", last.payload.len());
        let received = check(Field::ReceivedMs, &column(Kind::U64, &received), 5000, Some(&first)).unwrap();
        assert!(received.payload.len() < 700, "{}", received.payload.len());
    }
}
