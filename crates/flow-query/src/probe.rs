//! Looking for values in columns.

use crate::Probe;
use flow_model::{Column, FlowBatch, Selection, ValueRef, Values};

impl Probe {
    /// Keeps the selected rows that have one of the values.
    pub(crate) fn select(&self, batch: &FlowBatch, selection: &mut Selection) {
        let has = |value| self.values.binary_search_by(|known| known.as_ref().cmp(&value)).is_ok();
        match batch.column(self.field) {
            Column::Constant(value) => {
                if !has(value.as_ref()) {
                    *selection = Selection::none(batch.len());
                }
            }
            Column::Dictionary(dictionary) => {
                let mut wanted = vec![false; dictionary.values.len()];
                let mut any = false;
                for value in &self.values {
                    if let Some(code) = find(&dictionary.values, value.as_ref()) {
                        wanted[code] = true;
                        any = true;
                    }
                }
                if any {
                    selection.retain(|row| wanted[usize::from(dictionary.codes[row])]);
                } else {
                    *selection = Selection::none(batch.len());
                }
            }
            Column::Plain(values) => selection.retain(|row| has(values.get(row))),
        }
    }
}

/// Where a value stands among ascending ones.
pub(crate) fn find(values: &Values, value: ValueRef<'_>) -> Option<usize> {
    let (mut low, mut high) = (0, values.len());
    while low < high {
        let middle = usize::midpoint(low, high);
        if values.get(middle) < value { low = middle + 1 } else { high = middle }
    }
    (low < values.len() && values.get(low) == value).then_some(low)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::{Field, Value};
    use flow_testkit::generate::{Mix, batch, encode_as_file, encode_dictionaries};

    #[test]
    fn rows_with_one_of_the_values_stay() {
        let flows = batch(3, 300, Mix::default());
        for field in [Field::SrcAddr, Field::DstPort, Field::ObservationPointId, Field::UserName] {
            let mut values: Vec<Value> =
                [5, 77, 200].map(|row| flows.column(field).get(row).to_owned()).into();
            values.sort_unstable();
            values.dedup();
            let is_wanted = |row| values.iter().any(|value| value.as_ref() == flows.column(field).get(row));
            let expected = Selection::from_fn(300, is_wanted);
            let probe = Probe { field, values: values.clone() };
            for form in [flows.clone(), encode_as_file(&flows), encode_dictionaries(&flows)] {
                let mut selection = Selection::all(300);
                probe.select(&form, &mut selection);
                assert_eq!(selection, expected, "{field:?}");
            }
        }
        let absent = Probe { field: Field::SrcPort, values: vec![Value::Num(70_000)] };
        let mut selection = Selection::all(300);
        absent.select(&encode_dictionaries(&flows), &mut selection);
        assert!(selection.is_empty());
    }
}
