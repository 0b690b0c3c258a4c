//! Which of the groups that are shown a flow belongs to.

use crate::QueryError;
use crate::group::{Key, KeyPart, Layout, MAX_KEY_WORDS, Shape, key_fields, shapes, unify, unite};
use crate::probe::find;
use flow_model::{Column, FieldSet, FlowBatch, Kind, Value, field_info};
use foldhash::quality::RandomState;
use hashbrown::HashMap;
use std::collections::BTreeMap;

/// The groups of a table and how flows are told to be of them. Slots are numbered from 1; 0 is for what is in no group.
pub(crate) struct Slots {
    lookups: Vec<Lookup>,
    /// For each slot but the first whether its group looks the other way than the key.
    turned: Vec<bool>,
    both_ways: bool,
}

/// The groups that one field, or several together, are looked up in.
enum Lookup {
    /// By a value, which is all of the key: values ascend, each with its slot.
    Value { part: KeyPart, values: Vec<Value>, slots: Vec<u32> },
    /// By a packed key.
    Key { parts: Vec<KeyPart>, wanted: Vec<Vec<Value>>, by_shape: Vec<(Shape, Layout, KeySlots)> },
    /// By several values of which one is a string, which no key can be packed with.
    Text { parts: Vec<KeyPart>, wanted: Vec<Vec<Value>>, slots: BTreeMap<Vec<Value>, u32> },
}

type KeySlots = HashMap<Box<[u64]>, u32, RandomState>;

/// What a worker keeps from block to block.
#[derive(Default)]
pub(crate) struct SlotScratch {
    /// For each lookup, the slot of every row.
    found: Vec<Vec<u32>>,
    /// Which rows are turned round.
    turned: Vec<bool>,
    shapes: Vec<Shape>,
    candidates: Vec<u32>,
}

/// More values of one field than this are not looked for before keys are packed.
const MOST_WANTED: usize = 1_000;

impl Slots {
    /// Without groups.
    pub(crate) fn nothing() -> Slots {
        Slots { lookups: Vec::new(), turned: Vec::new(), both_ways: false }
    }

    /// The slots of `groups`, whose flows have the values of one of `keys`. With `both_ways`, flows of both directions are
    /// of one group.
    ///
    /// # Errors
    /// When a key is impossible.
    pub(crate) fn new(
        keys: &[Vec<KeyPart>],
        both_ways: bool,
        groups: &[FlowBatch],
    ) -> Result<Slots, QueryError> {
        let mut turned = Vec::new();
        let unified: Vec<FlowBatch>;
        let groups = if both_ways {
            unified = groups
                .iter()
                .map(|batch| {
                    let mut more = Vec::new();
                    let unified = unify(batch, &mut more);
                    turned.append(&mut more);
                    unified
                })
                .collect();
            &unified
        } else {
            groups
        };
        let Some(own) = keys.first() else { return Ok(Slots::nothing()) };
        // The groups have the values of the first key's fields, whichever key a flow has them in.
        let own = unite(own);
        let lookups = keys.iter().map(|key| Lookup::new(&own, unite(key), groups));
        Ok(Slots { lookups: lookups.collect::<Result<_, _>>()?, turned, both_ways })
    }

    /// The fields that are looked at.
    pub(crate) fn fields(&self) -> FieldSet {
        let parts = self.lookups.iter().flat_map(|lookup| match lookup {
            Lookup::Value { part, .. } => std::slice::from_ref(part),
            Lookup::Key { parts, .. } | Lookup::Text { parts, .. } => parts,
        });
        key_fields(&parts.copied().collect::<Vec<_>>())
    }

    /// Calls `add` with the index of each of `len` rows and every slot it belongs to, and whether its counters are to be
    /// turned round; `row` says which row of the batch is meant.
    pub(crate) fn for_each(
        &self,
        batch: &FlowBatch,
        len: usize,
        row: impl Fn(usize) -> usize + Copy,
        scratch: &mut SlotScratch,
        mut add: impl FnMut(usize, u32, bool),
    ) {
        let SlotScratch { found, turned, shapes, candidates } = scratch;
        found.resize_with(self.lookups.len(), Vec::new);
        let unified = self.both_ways.then(|| unify(batch, turned));
        let looked_at = unified.as_ref().unwrap_or(batch);
        for (lookup, found) in self.lookups.iter().zip(&mut *found) {
            found.clear();
            found.resize(len, 0);
            lookup.find(looked_at, row, shapes, candidates, found);
        }
        match found.as_slice() {
            [] => (0..len).for_each(|index| add(index, 0, false)),
            [slots] if self.both_ways => {
                for (index, &slot) in slots.iter().enumerate() {
                    let is_turned = slot > 0 && turned[row(index)] != self.turned[slot as usize - 1];
                    add(index, slot, is_turned);
                }
            }
            [slots] => slots.iter().enumerate().for_each(|(index, &slot)| add(index, slot, false)),
            several => {
                for index in 0..len {
                    let mut is_in_none = true;
                    for slots in several {
                        if slots[index] > 0 {
                            is_in_none = false;
                            add(index, slots[index], false);
                        }
                    }
                    if is_in_none {
                        add(index, 0, false);
                    }
                }
            }
        }
    }
}

impl Lookup {
    fn new(own: &[KeyPart], parts: Vec<KeyPart>, groups: &[FlowBatch]) -> Result<Lookup, QueryError> {
        let values_of = |part: &KeyPart| {
            let column = |batch: &FlowBatch| {
                let column = batch.column(part.field);
                (0..batch.len()).map(|row| column.get(row).to_owned()).collect::<Vec<_>>()
            };
            groups.iter().flat_map(column).collect::<Vec<Value>>()
        };
        if let ([own], [part]) = (own, parts.as_slice())
            && *own == KeyPart::field(own.field)
        {
            let mut values: Vec<(Value, u32)> = values_of(own).into_iter().zip(1..).collect();
            values.sort_unstable();
            let (values, slots) = values.into_iter().unzip();
            return Ok(Lookup::Value { part: *part, values, slots });
        }
        let wanted = own.iter().map(|part| {
            if *part != KeyPart::field(part.field) {
                return Vec::new();
            }
            let mut values = values_of(part);
            values.sort_unstable();
            values.dedup();
            if values.len() > MOST_WANTED { Vec::new() } else { values }
        });
        let wanted = wanted.collect();
        if parts.iter().any(|part| field_info(part.field).kind == Kind::Bytes) {
            let rows =
                groups.iter().flat_map(|batch| (0..batch.len()).map(move |row| values(batch, own, row)));
            return Ok(Lookup::Text { parts, wanted, slots: rows.zip(1..).collect() });
        }
        let mut by_shape: Vec<(Shape, Layout, KeySlots)> = Vec::new();
        let mut slot = 0;
        for batch in groups {
            let mut of_rows = Vec::new();
            let common = shapes(own, batch, batch.len(), |row| row, &mut of_rows);
            of_rows.resize(batch.len(), 0);
            for (row, of_row) in (0..).zip(of_rows) {
                slot += 1;
                let shape = common.unwrap_or(of_row);
                let known = by_shape.iter().position(|(known, ..)| *known == shape);
                let index = known.unwrap_or(by_shape.len());
                if known.is_none() {
                    by_shape.push((shape, Layout::new(&parts, shape)?, KeySlots::default()));
                }
                let own = Layout::new(own, shape)?;
                let pack = Pack { layout: &own, batch, rows: &[row], row: |row| row };
                by_words(own.words(), &pack, |_, key| {
                    by_shape[index].2.insert(key.into(), slot);
                });
            }
        }
        Ok(Lookup::Key { parts, wanted, by_shape })
    }

    /// Writes the slots of the rows that belong to any over the zeros in `found`.
    fn find(
        &self,
        batch: &FlowBatch,
        row: impl Fn(usize) -> usize + Copy,
        of_rows: &mut Vec<Shape>,
        candidates: &mut Vec<u32>,
        found: &mut [u32],
    ) {
        match self {
            Lookup::Value { part, values, slots } => {
                find_values(batch.column(part.field), values, slots, row, found);
            }
            Lookup::Text { parts, wanted, slots } => {
                choose(batch, parts, wanted, row, found.len(), candidates);
                for &index in &*candidates {
                    let slot = slots.get(&values(batch, parts, row(index as usize)));
                    found[index as usize] = slot.copied().unwrap_or(0);
                }
            }
            Lookup::Key { parts, wanted, by_shape } => {
                choose(batch, parts, wanted, row, found.len(), candidates);
                let row_of = |index: usize| row(candidates[index] as usize);
                let common = shapes(parts, batch, candidates.len(), row_of, of_rows);
                for (shape, layout, slots) in by_shape {
                    let members: Vec<u32> = match common {
                        Some(common) if common == *shape => candidates.clone(),
                        Some(_) => continue,
                        None => {
                            let of_shape = candidates.iter().zip(&*of_rows).filter(|(_, own)| *own == shape);
                            of_shape.map(|(index, _)| *index).collect()
                        }
                    };
                    by_words(layout.words(), &Pack { layout, batch, rows: &members, row }, |index, key| {
                        if let Some(slot) = slots.get(key) {
                            found[index as usize] = *slot;
                        }
                    });
                }
            }
        }
    }
}

fn find_values(
    column: &Column,
    values: &[Value],
    slots: &[u32],
    row: impl Fn(usize) -> usize,
    found: &mut [u32],
) {
    let slot_of =
        |value| values.binary_search_by(|known| known.as_ref().cmp(&value)).map_or(0, |at| slots[at]);
    match column {
        Column::Constant(value) => found.fill(slot_of(value.as_ref())),
        Column::Dictionary(dictionary) => {
            let mut of_codes = vec![0; dictionary.values.len()];
            for (value, slot) in values.iter().zip(slots) {
                if let Some(code) = find(&dictionary.values, value.as_ref()) {
                    of_codes[code] = *slot;
                }
            }
            for (index, found) in found.iter_mut().enumerate() {
                *found = of_codes[usize::from(dictionary.codes[row(index)])];
            }
        }
        Column::Plain(plain) => {
            for (index, found) in found.iter_mut().enumerate() {
                *found = slot_of(plain.get(row(index)));
            }
        }
    }
}

/// The values of a row.
fn values(batch: &FlowBatch, parts: &[KeyPart], row: usize) -> Vec<Value> {
    parts.iter().map(|part| batch.column(part.field).get(row).to_owned()).collect()
}

/// Lists those of `len` rows that may be of a group, going by each field alone.
fn choose(
    batch: &FlowBatch,
    parts: &[KeyPart],
    wanted: &[Vec<Value>],
    row: impl Fn(usize) -> usize + Copy,
    len: usize,
    candidates: &mut Vec<u32>,
) {
    candidates.clear();
    candidates.extend(0..len as u32);
    for (part, values) in parts.iter().zip(wanted).filter(|(_, values)| !values.is_empty()) {
        keep(batch.column(part.field), values, row, candidates);
    }
}

/// Keeps of the candidates those that have one of the values.
fn keep(column: &Column, values: &[Value], row: impl Fn(usize) -> usize, candidates: &mut Vec<u32>) {
    let slots = vec![1; values.len()];
    let mut found = vec![0; candidates.len()];
    find_values(column, values, &slots, |index| row(candidates[index] as usize), &mut found);
    let mut found = found.into_iter();
    candidates.retain(|_| found.next() != Some(0));
}

/// Rows whose keys are packed: `row` says which row of the batch is meant by each of them.
struct Pack<'a, R> {
    layout: &'a Layout,
    batch: &'a FlowBatch,
    rows: &'a [u32],
    row: R,
}

impl<R: Fn(usize) -> usize + Copy> Pack<'_, R> {
    fn visit<const W: usize>(&self, mut visit: impl FnMut(u32, &[u64])) {
        let mut keys: Vec<Key<W>> = Vec::new();
        let row = |index: usize| (self.row)(self.rows[index] as usize);
        self.layout.pack(self.batch, self.rows.len(), row, &mut keys);
        self.rows.iter().zip(&keys).for_each(|(index, key)| visit(*index, &key.0));
    }
}

/// Calls `visit` with each of the rows and its key, of at least so many words.
fn by_words<R: Fn(usize) -> usize + Copy>(words: usize, pack: &Pack<'_, R>, visit: impl FnMut(u32, &[u64])) {
    match words {
        0..=1 => pack.visit::<1>(visit),
        2 => pack.visit::<2>(visit),
        3..=5 => pack.visit::<5>(visit),
        6..=16 => pack.visit::<16>(visit),
        _ => pack.visit::<MAX_KEY_WORDS>(visit),
    }
}
