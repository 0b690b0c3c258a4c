//! Computed fields: columns that stand in no file and are made of others when flows are read.
//!
//! They are columns like all others from then on, so that filters, groups, orders and formats need to know nothing of them.

use crate::own;
use flow_model::payload::tls::Hello;
use flow_model::{
    Column, Field, FieldSet, FlowBatch, Gazetteer, OwnNetworks, Selection, Value, ValueRef, Values,
    country_number, field_info,
};
use std::net::IpAddr;

/// What values are computed from besides flows.
#[derive(Clone, Copy, Debug)]
pub struct Knowledge<'a> {
    /// The ident of the flows' file.
    pub ident: &'a str,
    /// Where addresses are.
    pub gazetteer: Option<&'a dyn Gazetteer>,
    /// Which networks are one's own.
    pub networks: Option<&'a dyn OwnNetworks>,
}

/// The field that a computed one of a single field is computed from.
fn input(field: Field) -> Option<Field> {
    match field {
        Field::SrcCountry | Field::SrcAsName | Field::SrcLocation | Field::SrcZone => Some(Field::SrcAddr),
        Field::DstCountry | Field::DstAsName | Field::DstLocation | Field::DstZone => Some(Field::DstAddr),
        Field::Ja3 | Field::Ja4 => Some(Field::InPayload),
        _ => None,
    }
}

/// The stored fields that are needed for `fields`.
pub(crate) fn stored(fields: FieldSet) -> FieldSet {
    let inputs: FieldSet = fields.intersect(FieldSet::COMPUTED).iter().filter_map(input).collect();
    let ends = if fields.intersect(FieldSet::OWN).is_empty() { FieldSet::EMPTY } else { ENDS };
    fields.without(FieldSet::COMPUTED).union(inputs).union(ends)
}

/// What decides whose the ends of a flow are.
const ENDS: FieldSet = FieldSet::of(&[Field::SrcAddr, Field::DstAddr]);

/// Adds the computed ones of `fields` to a batch in which what they are computed from is decoded. Rows that are not
/// selected may have any value.
pub fn compute(fields: FieldSet, selection: &Selection, knowledge: Knowledge<'_>, batch: &mut FlowBatch) {
    for field in fields.intersect(FieldSet::COMPUTED).without(batch.decoded()).iter() {
        let column = match input(field) {
            None if FieldSet::OWN.contains(field) => own::column(field, selection, knowledge.networks, batch),
            None => Column::Constant(bytes(Some(knowledge.ident.to_owned()))),
            Some(input) => {
                let of = |value: ValueRef<'_>| value_of(field, value, knowledge);
                map(batch.column(input), field, selection, &of)
            }
        };
        batch.insert(field, column);
    }
}

fn value_of(field: Field, input: ValueRef<'_>, knowledge: Knowledge<'_>) -> Value {
    let known = |tell: fn(&dyn Gazetteer, IpAddr) -> Option<String>| {
        let ValueRef::Ip(addr) = input else { return bytes(None) };
        bytes(knowledge.gazetteer.and_then(|gazetteer| tell(gazetteer, addr)))
    };
    match field {
        Field::SrcCountry | Field::DstCountry => {
            let ValueRef::Ip(addr) = input else { return Value::Num(0) };
            let letters = knowledge.gazetteer.and_then(|gazetteer| gazetteer.country(addr));
            Value::Num(letters.map_or(0, country_number))
        }
        Field::SrcAsName | Field::DstAsName => known(|gazetteer, addr| gazetteer.organisation(addr)),
        Field::SrcLocation | Field::DstLocation => known(|gazetteer, addr| gazetteer.location(addr)),
        Field::SrcZone | Field::DstZone => known(|gazetteer, addr| gazetteer.time_zone(addr)),
        _ => {
            let ValueRef::Bytes(payload) = input else { return bytes(None) };
            let hello = Hello::read(payload);
            bytes(match field {
                Field::Ja3 => hello.map(|hello| format!("{:032x}", u128::from_be_bytes(hello.ja3()))),
                _ => hello.and_then(|hello| hello.ja4()),
            })
        }
    }
}

fn bytes(text: Option<String>) -> Value {
    Value::Bytes(text.unwrap_or_default().into_bytes().into_boxed_slice())
}

/// The column of what `of` makes of each selected value, which it is asked once for each entry of a dictionary.
fn map(input: &Column, field: Field, selection: &Selection, of: &dyn Fn(ValueRef<'_>) -> Value) -> Column {
    let kind = field_info(field).kind;
    let mut values = Values::new(kind);
    match input {
        Column::Constant(value) => return Column::Constant(of(value.as_ref())),
        Column::Dictionary(dictionary) => {
            let entries: Vec<Value> =
                (0..dictionary.values.len()).map(|entry| of(dictionary.values.get(entry))).collect();
            for &code in &dictionary.codes {
                // The codes of rows that are not selected may be anything.
                values.push(entries.get(usize::from(code)).unwrap_or(&Value::zero(kind)).as_ref());
            }
        }
        Column::Plain(plain) => {
            let zero = Value::zero(kind);
            let mut next = 0;
            selection.for_each(|row| {
                values.resize(row, zero.as_ref());
                next = row + 1;
                values.push(of(plain.get(row)).as_ref());
            });
            values.resize(plain.len(), zero.as_ref());
        }
    }
    Column::Plain(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::BatchBuilder;

    /// Knows documentation addresses.
    #[derive(Debug)]
    struct Atlas;

    impl Gazetteer for Atlas {
        fn country(&self, addr: IpAddr) -> Option<[u8; 2]> {
            addr.is_ipv4().then_some(*b"CH")
        }

        fn organisation(&self, addr: IpAddr) -> Option<String> {
            Some(format!("net of {addr}"))
        }

        fn location(&self, _: IpAddr) -> Option<String> {
            None
        }

        fn time_zone(&self, _: IpAddr) -> Option<String> {
            Some("Europe/Zurich".to_owned())
        }
    }

    /// 192.0.2.0/29 is called first, 192.0.2.8/29 second.
    #[derive(Debug)]
    struct Documentation;

    impl OwnNetworks for Documentation {
        fn number_of(&self, addr: IpAddr) -> u32 {
            match addr {
                IpAddr::V4(addr) if addr.octets()[..3] == [192, 0, 2] => u32::from(addr.octets()[3] >> 3) + 1,
                _ => 0,
            }
        }

        fn name(&self, number: u32) -> &str {
            ["", "first", "second"].get(number as usize).copied().unwrap_or_default()
        }

        fn number_called(&self, _: &str) -> Option<u32> {
            None
        }
    }

    #[test]
    fn both_ends_say_which_side_is_ones_own() {
        let (inside, other, outside) = ("192.0.2.1", "192.0.2.9", "198.51.100.1");
        for same in [false, true] {
            let mut builder = BatchBuilder::new();
            let rows = [(outside, inside), (inside, outside), (inside, other), (outside, "2001:db8::1")];
            let rows = if same { vec![rows[2]; 3] } else { rows.to_vec() };
            for (src, dst) in &rows {
                builder.set_ip(Field::SrcAddr, src.parse().unwrap());
                builder.set_ip(Field::DstAddr, dst.parse().unwrap());
                builder.finish_row();
            }
            let mut batch = builder.finish();
            let knowledge = Knowledge { ident: "", gazetteer: None, networks: Some(&Documentation) };
            compute(FieldSet::OWN, &Selection::all(rows.len()), knowledge, &mut batch);
            let told = |row| {
                let num = |field| batch.column(field).num(row);
                let ip = |field| batch.column(field).ip(row).to_string();
                (
                    num(Field::FlowSide),
                    ip(Field::LocalAddr),
                    ip(Field::PeerAddr),
                    [Field::LocalNetwork, Field::SrcNetwork, Field::DstNetwork].map(num),
                )
            };
            let expected = [
                (1, inside.to_owned(), outside.to_owned(), [1, 0, 1]),
                (2, inside.to_owned(), outside.to_owned(), [1, 1, 0]),
                (3, inside.to_owned(), other.to_owned(), [1, 1, 2]),
                (4, "0.0.0.0".to_owned(), "0.0.0.0".to_owned(), [0, 0, 0]),
            ];
            for row in 0..rows.len() {
                assert_eq!(told(row), expected[if same { 2 } else { row }], "{row}");
            }
        }
    }

    #[test]
    fn every_computed_field_of_every_column_kind() {
        let mut builder = BatchBuilder::new();
        for (src, dst) in
            [("192.0.2.1", "192.0.2.9"), ("2001:db8::1", "192.0.2.9"), ("192.0.2.1", "192.0.2.9")]
        {
            builder.set_ip(Field::SrcAddr, src.parse().unwrap());
            builder.set_ip(Field::DstAddr, dst.parse().unwrap());
            builder.finish_row();
        }
        let mut batch = builder.finish();
        let all = Selection::all(3);
        let fields = FieldSet::COMPUTED;
        assert!(stored(fields).iter().eq([Field::SrcAddr, Field::DstAddr, Field::InPayload]));
        let knowledge =
            Knowledge { ident: "border", gazetteer: Some(&Atlas), networks: Some(&Documentation) };
        compute(fields, &all, knowledge, &mut batch);
        let country = country_number(*b"CH");
        assert_eq!([0, 1, 2].map(|row| batch.column(Field::SrcCountry).num(row)), [country, 0, country]);
        assert_eq!([0, 1, 2].map(|row| batch.column(Field::DstCountry).num(row)), [country; 3]);
        assert_eq!(batch.column(Field::SrcAsName).bytes(1), b"net of 2001:db8::1");
        assert_eq!(batch.column(Field::SrcLocation).bytes(0), b"");
        assert_eq!(batch.column(Field::DstZone).bytes(2), b"Europe/Zurich");
        assert_eq!(batch.column(Field::Ident).bytes(2), b"border");
        assert_eq!(batch.column(Field::Ja3).bytes(0), b"");
    }

    #[test]
    fn without_a_gazetteer_nothing_is_known() {
        let mut batch = BatchBuilder::new().finish();
        let knowledge = Knowledge { ident: "", gazetteer: None, networks: None };
        compute(FieldSet::COMPUTED, &Selection::all(0), knowledge, &mut batch);
        assert_eq!(batch.column(Field::SrcCountry), &Column::Constant(Value::Num(0)));
    }
}
