//! Bringing the entries of one part together.

use super::entry::{Form, Measure};
use super::key::Key;
use super::spool::{MOST_SPLITS, SUBPARTS, hash, hasher, subpart_of};
use crate::QueryError;
use crate::spill::{Pile, Place, Spill, View};
use std::convert::Infallible;

/// Where parts may be, and how much memory one may take while it is brought together.
pub(crate) struct Room<'a> {
    pub(crate) spill: &'a Spill,
    pub(crate) octets: usize,
}

/// Calls `visit` with every group of a pile, in no particular order.
///
/// # Errors
/// Those of the system, and of `visit`.
pub(crate) fn merge<const W: usize, M: Measure>(
    pile: &Pile,
    form: Form,
    room: &Room<'_>,
    visit: &mut impl FnMut(&Key<W>, &M) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    merge_split(pile, form, room, 0, visit)
}

fn merge_split<const W: usize, M: Measure>(
    pile: &Pile,
    form: Form,
    room: &Room<'_>,
    splits: u32,
    visit: &mut impl FnMut(&Key<W>, &M) -> Result<(), QueryError>,
) -> Result<(), QueryError> {
    let max_len = form.max_len::<M>();
    if pile.used() <= room.octets || splits == MOST_SPLITS {
        return merge_view(&pile.view(&pile.load(room.spill, max_len)?), form, visit);
    }
    let hasher = hasher();
    let mut subparts: [Pile; SUBPARTS] = Default::default();
    let mut octets = 0;
    pile.stream(room.spill, max_len, |entry| {
        let len = form.measure::<M>(entry).1;
        let subpart = &mut subparts[subpart_of(hash(&hasher, &form.key::<W>(entry)), splits)];
        octets += subpart.push(max_len, |out| {
            out[..len].copy_from_slice(&entry[..len]);
            len
        });
        if octets > room.octets {
            octets = 0;
            subparts.iter_mut().try_for_each(|subpart| subpart.write_out(room.spill))?;
        }
        Ok(len)
    })?;
    for subpart in &mut subparts {
        subpart.write_out(room.spill)?;
    }
    subparts.iter().try_for_each(|subpart| merge_split(subpart, form, room, splits + 1, visit))
}

/// Groups of a single entry, which is most of them where it matters, stay where they are written; only others are
/// unpacked.
fn merge_view<const W: usize, M: Measure, E>(
    view: &View<'_>,
    form: Form,
    visit: &mut impl FnMut(&Key<W>, &M) -> Result<(), E>,
) -> Result<(), E> {
    let hasher = hasher();
    let mut slots = Slots::new(view.len());
    // Of groups of several entries: the place of one of them, and what all measure.
    let mut several: Vec<(Place, M)> = Vec::new();
    view.for_each(|place, entry| {
        let key: Key<W> = form.key(entry);
        let (measure, len) = form.measure::<M>(entry);
        let place_of = |group: Group| match group {
            Group::Single(place) => place,
            Group::Several(number) => several[number].0,
        };
        match slots.find(hash(&hasher, &key), |group| form.key::<W>(view.at(place_of(group))) == key) {
            Found::Vacant(slot) => slots.fill(slot, Group::Single(place)),
            Found::Occupied(_, Group::Several(number)) => several[number].1.merge(&measure),
            Found::Occupied(slot, Group::Single(first)) => {
                let (mut whole, _) = form.measure::<M>(view.at(first));
                whole.merge(&measure);
                slots.replace(slot, Group::Several(several.len()));
                several.push((first, whole));
            }
        }
        len
    });
    slots.try_for_each(|group| match group {
        Group::Single(place) => {
            let entry = view.at(place);
            visit(&form.key(entry), &form.measure(entry).0)
        }
        Group::Several(number) => {
            let (place, measure) = &several[number];
            visit(&form.key(view.at(*place)), measure)
        }
    })
}

/// The pile with one entry for each group, all of whose entries are in memory.
pub(crate) fn compact<const W: usize, M: Measure>(pile: &Pile, form: Form) -> Pile {
    let mut compacted = Pile::default();
    let Ok(()) = merge_view::<W, M, Infallible>(&pile.view(&[]), form, &mut |key, measure| {
        compacted.push(form.max_len::<M>(), |out| form.encode(key, measure, out));
        Ok(())
    });
    compacted
}

#[derive(Clone, Copy)]
enum Group {
    Single(Place),
    Several(usize),
}

/// A slot of the table and the bits of the hash it is for.
struct Slot {
    index: usize,
    tag: u64,
}

enum Found {
    Vacant(Slot),
    Occupied(Slot, Group),
}

/// A hash table with room for a place, some bits of the hash, and nothing else: eight octets.
///
/// Low-order bits: 0 where the slot is empty, otherwise a place or number plus 1. Above them [`TAG_BITS`] low-order bits of
/// the hash, from which the slots of a larger table follow. The highest bit tells groups of several entries.
struct Slots {
    slots: Vec<u64>,
    used: usize,
}

const VALUE_BITS: u32 = 40;
const TAG_BITS: u32 = 63 - VALUE_BITS;
const SEVERAL: u64 = 1 << 63;
const VALUE: u64 = (1 << VALUE_BITS) - 1;
const TAG: u64 = !SEVERAL & !VALUE;

impl Slots {
    /// A table that need not grow for so many groups, unless these are very many.
    fn new(groups: usize) -> Slots {
        const FEW: usize = 1 << 16;
        Slots { slots: vec![0; 2 * groups.clamp(1, FEW).next_power_of_two()], used: 0 }
    }

    #[inline]
    fn find(&mut self, hash: u64, mut is_it: impl FnMut(Group) -> bool) -> Found {
        if self.used * 2 >= self.slots.len() {
            self.grow();
        }
        let tag = hash << VALUE_BITS & TAG;
        let mut index = self.index(tag);
        loop {
            let slot = self.slots[index];
            if slot == 0 {
                return Found::Vacant(Slot { index, tag });
            }
            if slot & TAG == tag {
                let group = group(slot);
                if is_it(group) {
                    return Found::Occupied(Slot { index, tag }, group);
                }
            }
            index = (index + 1) & (self.slots.len() - 1);
        }
    }

    #[inline]
    fn fill(&mut self, slot: Slot, group: Group) {
        self.used += 1;
        self.replace(slot, group);
    }

    #[inline]
    fn replace(&mut self, Slot { index, tag }: Slot, group: Group) {
        self.slots[index] = tag
            | match group {
                Group::Single(place) => place.bits() + 1,
                Group::Several(number) => SEVERAL | (number as u64 + 1),
            };
    }

    fn try_for_each<E>(&self, mut visit: impl FnMut(Group) -> Result<(), E>) -> Result<(), E> {
        self.slots.iter().filter(|&&slot| slot != 0).try_for_each(|&slot| visit(group(slot)))
    }

    /// Where to look first. Beyond 2^[`TAG_BITS`] slots only every other one is looked at first, which is slower and still
    /// right.
    fn index(&self, tag: u64) -> usize {
        let bits = self.slots.len().trailing_zeros();
        let known = (tag >> VALUE_BITS) as usize;
        if bits <= TAG_BITS { known & (self.slots.len() - 1) } else { known << (bits - TAG_BITS) }
    }

    #[cold]
    fn grow(&mut self) {
        let larger = vec![0; self.slots.len() * 2];
        for slot in std::mem::replace(&mut self.slots, larger) {
            if slot != 0 {
                let mut index = self.index(slot & TAG);
                while self.slots[index] != 0 {
                    index = (index + 1) & (self.slots.len() - 1);
                }
                self.slots[index] = slot;
            }
        }
    }
}

#[inline]
fn group(slot: u64) -> Group {
    let value = (slot & VALUE) - 1;
    if slot & SEVERAL == 0 { Group::Single(Place::from_bits(value)) } else { Group::Several(value as usize) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RowOrigin;
    use crate::counts::Sums;
    use crate::spill::Memory;
    use flow_model::Counters;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn a_group_is_visited_once_with_all_its_entries(
            keys in prop::collection::vec(0_u64..6_000, 1..4_000),
            spread in 1_u64..6_000,
            compacts: bool,
            written in prop::option::of(0_usize..4_000),
            octets in prop_oneof![Just(usize::MAX), 0_usize..20_000],
        ) {
            let form = Form::new(11, 1, 1_000);
            let spill = Memory::new(None).spill();
            let mut pile = Pile::default();
            let mut expected: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
            for (row, key) in keys.iter().map(|key| key % spread).enumerate() {
                let counters = Counters { first_ms: 1_000, last_ms: 1_000, flows: 1, in_bytes: row as u64, ..Counters::default() };
                let sums = Sums::new(counters, RowOrigin(row as u64), 0);
                pile.push(form.max_len::<Sums>(), |out| form.encode(&Key([key, key % 7]), &sums, out));
                let (bytes, first) = expected.entry(key).or_insert((0, row as u64));
                *bytes += row as u64;
                *first = (*first).min(row as u64);
                if written == Some(row) {
                    pile.write_out(&spill).unwrap();
                }
            }
            if compacts && written.is_none() {
                pile = compact::<2, Sums>(&pile, form);
                prop_assert_eq!(pile.len(), expected.len());
            }
            let mut found = BTreeMap::new();
            merge::<2, Sums>(&pile, form, &Room { spill: &spill, octets }, &mut |key, sums| {
                assert_eq!(key.0[1], key.0[0] % 7);
                assert_eq!(found.insert(key.0[0], (sums.counters.in_bytes, sums.origin().0)), None);
                Ok(())
            }).unwrap();
            prop_assert_eq!(found, expected);
        }
    }
}
