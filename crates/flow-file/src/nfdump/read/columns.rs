//! Filling columns from the records of a block.

use super::decompress::PADDING;
use super::extension::COMMON_PROTO;
use super::layout::{text, u16_at, v6_at};
use super::shape::{Place, Rows};
use crate::nfdump::element::ELEMENT_HEADER_LEN;
use crate::nfdump::stored::Stored;
use flow_model::{
    BytesValues, Column, Dictionary, Field, FieldSet, FlowBatch, Group, Groups, Kind, Protocol, Selection,
    Value, Values, field_info,
};
use std::net::{IpAddr, Ipv4Addr};

/// Where fewer rows are wanted than one in so many, only these are looked at.
const FEW: usize = 4;

/// Adds the columns of `fields` to a batch of as many rows as the block has; of rows that are not selected, the values may
/// be anything. `data` ends with [`PADDING`].
pub(super) fn fill(data: &[u8], rows: &Rows, fields: FieldSet, selection: &Selection, into: &mut FlowBatch) {
    let few = (selection.count() < rows.len() / FEW).then(|| selection.to_rows());
    let wanted = few.as_deref();
    let mut places = Vec::with_capacity(rows.shapes.len());
    for field in fields.without(into.decoded()).iter() {
        if field == Field::Groups {
            let column = groups(data, rows);
            into.insert(field, column);
            continue;
        }
        places.clear();
        places.extend(rows.shapes.iter().map(|shape| shape.place(field)));
        if places.iter().all(|place| place.is_absent()) {
            continue;
        }
        let records = Records { data, rows, wanted, places: &places, field };
        let spare = into.reuse(field);
        let column = Column::Plain(match field_info(field).kind {
            Kind::U8 => {
                let spare =
                    if let Some(Column::Plain(Values::U8(spare))) = spare { spare } else { Vec::new() };
                Values::U8(records.nums(spare, |num| num as u8))
            }
            Kind::U16 => {
                let spare =
                    if let Some(Column::Plain(Values::U16(spare))) = spare { spare } else { Vec::new() };
                Values::U16(records.nums(spare, |num| num as u16))
            }
            Kind::U32 => {
                let spare =
                    if let Some(Column::Plain(Values::U32(spare))) = spare { spare } else { Vec::new() };
                Values::U32(records.nums(spare, |num| num as u32))
            }
            Kind::U64 => {
                let spare =
                    if let Some(Column::Plain(Values::U64(spare))) = spare { spare } else { Vec::new() };
                Values::U64(records.nums(spare, |num| num))
            }
            Kind::Ip => {
                let spare =
                    if let Some(Column::Plain(Values::Ip(spare))) = spare { spare } else { Vec::new() };
                Values::Ip(records.addresses(spare))
            }
            Kind::Bytes => {
                let spare = if let Some(Column::Plain(Values::Bytes(spare))) = spare {
                    spare
                } else {
                    BytesValues::default()
                };
                Values::Bytes(records.octets(spare))
            }
        });
        into.insert(field, column);
    }
    into.mark_decoded(fields);
}

/// The records of a block, for one field.
#[derive(Clone, Copy)]
struct Records<'a> {
    data: &'a [u8],
    rows: &'a Rows,
    /// The rows that are looked at, unless all are.
    wanted: Option<&'a [u32]>,
    /// Where the records of each shape have the field.
    places: &'a [Place],
    field: Field,
}

/// How to read a number that is stored as it is: 64 bits from `offset` on, of which some count.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Window {
    offset: usize,
    mask: u64,
    /// What is there if the records lack the field.
    instead: u64,
}

impl Records<'_> {
    /// Sets the values of the rows that are wanted, where these are few; of the others the default is taken.
    fn set_few<T: Clone>(
        self,
        out: &mut Vec<T>,
        default: T,
        wanted: &[u32],
        value: impl Fn(usize, Place) -> T,
    ) {
        out.resize(self.rows.len(), default);
        for &row in wanted {
            let row = row as usize;
            let place = self.places[usize::from(self.rows.shape_of[row])];
            out[row] = value(self.rows.starts[row] as usize, place);
        }
    }

    fn nums<T: Clone>(self, mut out: Vec<T>, narrow: impl Fn(u64) -> T) -> Vec<T> {
        out.clear();
        if let Some(wanted) = self.wanted {
            self.set_few(&mut out, narrow(0), wanted, |start, place| narrow(self.num(start, place)));
            return out;
        }
        let windows: Option<Vec<Window>> = self.places.iter().map(|&place| self.window(place)).collect();
        let starts = self.rows.starts.iter().map(|&start| start as usize);
        match windows.as_deref() {
            Some([first, rest @ ..]) if rest.iter().all(|window| window == first) => {
                let &Window { offset, mask, instead } = first;
                out.extend(starts.map(|start| narrow(load(self.data, start + offset) & mask | instead)));
            }
            Some(windows) => {
                let rows = starts.zip(&self.rows.shape_of);
                out.extend(rows.map(|(start, &shape)| {
                    let Window { offset, mask, instead } = windows[usize::from(shape)];
                    narrow(load(self.data, start + offset) & mask | instead)
                }));
            }
            None => {
                let rows = starts.zip(&self.rows.shape_of);
                out.extend(
                    rows.map(|(start, &shape)| narrow(self.num(start, self.places[usize::from(shape)]))),
                );
            }
        }
        out
    }

    /// The window on a number; `None` when more has to be done than to look through one.
    fn window(self, place: Place) -> Option<Window> {
        let mask = match place.stored {
            Stored::U8 => 0xff,
            Stored::U16 => 0xffff,
            Stored::U32 => 0xffff_ffff,
            Stored::U64 => u64::MAX,
            // What nfdump marks in memory is not part of the file.
            Stored::Flags => 0x7f,
            Stored::Fixed(value) => {
                let instead = if place.is_absent() { self.field.default_num() } else { value.into() };
                return Some(Window { offset: 0, mask: 0, instead });
            }
            _ => return None,
        };
        Some(Window { offset: place.offset.into(), mask, instead: 0 })
    }

    /// A number in any form.
    fn num(self, start: usize, place: Place) -> u64 {
        if let Some(Window { offset, mask, instead }) = self.window(place) {
            return load(self.data, start + offset) & mask | instead;
        }
        let at = start + usize::from(place.offset);
        let here = load(self.data, at);
        match place.stored {
            Stored::I32 => i64::from((here as u32).cast_signed()).cast_unsigned(),
            Stored::U32Big => (here as u32).swap_bytes().into(),
            Stored::Stamp(back) => {
                let ms = u16_at(self.data, at - usize::from(back));
                u64::from(here as u32) * 1000 + u64::from(ms)
            }
            Stored::Ttl => {
                // The element starts with an octet that later releases leave 0, then flags, then both bounds.
                let element = at - usize::from(place.aux);
                let [only, _, min, max, ..] = load(self.data, element).to_le_bytes();
                if min == 0 && max == 0 { only.into() } else { here & 0xff }
            }
            Stored::BlockEnd => {
                let [first, end, _, size] = [at - 2, at, at + 2, at + 4].map(|at| u16_at(self.data, at));
                let end = if end == 0 && size != 0 { first.wrapping_add(size - 1) } else { end };
                end.into()
            }
            Stored::PortOrIcmp => {
                let icmp = u16_at(self.data, start + usize::from(place.aux));
                let proto = self.data.get(start + COMMON_PROTO).copied().unwrap_or_default();
                let is_icmp = matches!(Protocol(proto), Protocol::ICMP | Protocol::ICMP6);
                if is_icmp && icmp != 0 { icmp.into() } else { here & 0xffff }
            }
            _ => 0,
        }
    }

    fn addresses(self, mut out: Vec<IpAddr>) -> Vec<IpAddr> {
        out.clear();
        if let Some(wanted) = self.wanted {
            let none = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            self.set_few(&mut out, none, wanted, |start, place| self.address(start, place));
            return out;
        }
        let rows = self.rows.starts.iter().zip(&self.rows.shape_of);
        out.extend(
            rows.map(|(&start, &shape)| self.address(start as usize, self.places[usize::from(shape)])),
        );
        out
    }

    #[inline]
    fn address(self, start: usize, place: Place) -> IpAddr {
        let at = start + usize::from(place.offset);
        match place.stored {
            Stored::V4 => Ipv4Addr::from(load(self.data, at) as u32).into(),
            Stored::V6 => v6_at(self.data, at).into(),
            _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        }
    }

    fn octets(self, mut out: BytesValues) -> BytesValues {
        out.truncate(0);
        let mut wanted = self.wanted.map(|wanted| wanted.iter().peekable());
        for (row, (&start, &shape)) in self.rows.starts.iter().zip(&self.rows.shape_of).enumerate() {
            let is_wanted =
                wanted.as_mut().is_none_or(|wanted| wanted.next_if(|&&next| next as usize == row).is_some());
            out.push(if is_wanted {
                self.octets_at(start as usize, self.places[usize::from(shape)])
            } else {
                &[]
            });
        }
        out
    }

    fn octets_at(&self, start: usize, place: Place) -> &[u8] {
        let at = start + usize::from(place.offset);
        // The data of the element that the octets end.
        let rest = || {
            let lead = usize::from(place.aux) + ELEMENT_HEADER_LEN;
            let len = usize::from(u16_at(self.data, at - lead + 2)).saturating_sub(lead);
            self.data.get(at..at + len).unwrap_or_default()
        };
        match place.stored {
            Stored::Octets => rest(),
            Stored::TextToEnd { .. } => text(rest()),
            Stored::Text(len) => text(self.data.get(at..at + usize::from(len)).unwrap_or_default()),
            _ => &[],
        }
    }
}

/// 64 bits at `at`; what they hold beyond the value asked for does not matter.
#[inline]
fn load(data: &[u8], at: usize) -> u64 {
    data.get(at..at + PADDING).and_then(<[u8]>::first_chunk).map_or(0, |&bytes| u64::from_le_bytes(bytes))
}

/// Which groups of fields the records carry.
fn groups(data: &[u8], rows: &Rows) -> Column {
    let optional = |shape: usize| rows.shapes[shape].groups.0 & rows.shapes[shape].optional.0;
    if (0..rows.shapes.len()).any(|shape| optional(shape) != 0) {
        return Column::Plain(Values::U64(optional_groups(data, rows)));
    }
    let mut sets: Vec<u64> = rows.shapes.iter().map(|shape| shape.groups.0).collect();
    sets.sort_unstable();
    sets.dedup();
    match sets[..] {
        [] => Column::Constant(Value::Num(0)),
        [set] => Column::Constant(Value::Num(set)),
        _ => {
            let code = |set| sets.binary_search(&set).unwrap_or_default() as u16;
            let codes: Vec<u16> = rows.shapes.iter().map(|shape| code(shape.groups.0)).collect();
            let codes = rows.shape_of.iter().map(|&shape| codes[usize::from(shape)]).collect();
            Column::Dictionary(Dictionary { codes, values: Values::U64(sets) })
        }
    }
}

/// The same where some groups count only when one of their fields is not 0.
fn optional_groups(data: &[u8], rows: &Rows) -> Vec<u64> {
    let mut sets: Vec<u64> =
        rows.shape_of.iter().map(|&shape| rows.shapes[usize::from(shape)].groups.0).collect();
    let all = rows.shapes.iter().fold(0, |all, shape| all | shape.groups.0 & shape.optional.0);
    let mut carried = Vec::new();
    for group in Groups(all).iter() {
        carried.clear();
        carried.resize(rows.len(), false);
        for &field in Field::ALL.iter().filter(|&&field| field_info(field).group == Group::Extension(group)) {
            let places: Vec<Place> = rows.shapes.iter().map(|shape| shape.place(field)).collect();
            let records = Records { data, rows, wanted: None, places: &places, field };
            for ((carried, &start), &shape) in carried.iter_mut().zip(&rows.starts).zip(&rows.shape_of) {
                let place = places[usize::from(shape)];
                *carried |= !place.is_absent() && records.num(start as usize, place) != 0;
            }
        }
        for ((set, &carried), &shape) in sets.iter_mut().zip(&carried).zip(&rows.shape_of) {
            if !carried && rows.shapes[usize::from(shape)].optional.contains(group) {
                *set &= !(1 << group);
            }
        }
    }
    sets
}
