//! Steps of a copy plan: one loop over one column each.

use crate::element::{Dialect, Specifier, field_of};
use crate::plan::{Context, Rates};
use crate::records::{Records, Slot};
use crate::sampling::Rate;
use flow_model::{Field, FieldSet, Groups, Kind, Rows, Unit, field_info};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One loop over one column, seldom a few.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// A number, cut to the width of its field.
    Num(Field, Slot),
    /// A number that sampling scales.
    Counter(Field, Slot),
    /// How many flows the record stands for: at least one.
    FlowCount(Slot),
    /// An observation domain; that of the message when it is 0.
    Domain(Option<Slot>),
    V4(Field, Slot),
    V6(Field, Slot),
    Either(Either),
    /// Octets; as text up to the first NUL.
    Octets {
        field: Field,
        slot: Slot,
        text: bool,
    },
    /// Twelve octets: access list, entry, extended entry.
    Acl([Field; 3], Slot),
    /// Whole seconds and µs, to be added.
    Latency {
        field: Field,
        seconds: Option<Slot>,
        micros: Option<Slot>,
    },
}

/// An address that a record has in both families.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Either {
    pub(crate) field: Field,
    pub(crate) v4: Slot,
    pub(crate) v6: Slot,
    /// The other end, which decides when this one is all zero.
    pub(crate) other: Option<(Slot, Slot)>,
    pub(crate) version: Option<Slot>,
}

/// Fields that hold an address, of which a record may have one in each family.
pub(crate) const ADDRESSES: FieldSet = FieldSet::of(&[
    Field::SrcAddr,
    Field::DstAddr,
    Field::NextHop,
    Field::BgpNextHop,
    Field::XlateSrcAddr,
    Field::XlateDstAddr,
]);

impl Step {
    /// The step for a field that one element fills.
    pub(crate) fn of(field: Field, slot: Slot) -> Step {
        match field {
            Field::InPackets | Field::InBytes | Field::OutPackets | Field::OutBytes => {
                Step::Counter(field, slot)
            }
            Field::Flows => Step::FlowCount(slot),
            Field::ObservationDomainId => Step::Domain(Some(slot)),
            Field::IngressAcl => Step::Acl([Field::IngressAcl, Field::IngressAce, Field::IngressXace], slot),
            Field::EgressAcl => Step::Acl([Field::EgressAcl, Field::EgressAce, Field::EgressXace], slot),
            _ => match field_info(field).kind {
                Kind::Ip if slot.len == 16 => Step::V6(field, slot),
                Kind::Ip => Step::V4(field, slot),
                Kind::Bytes => Step::Octets { field, slot, text: field_info(field).unit == Unit::Text },
                _ => Step::Num(field, slot),
            },
        }
    }

    /// The step for an element that stands alone, as those of a basicList do; `None` when it means something
    /// only beside others.
    pub(crate) fn alone(dialect: Dialect, specifier: Specifier, slot: Slot) -> Option<Step> {
        const COMPOSED: FieldSet = FieldSet::of(&[
            Field::FirstMs,
            Field::LastMs,
            Field::EventTimeMs,
            Field::Proto,
            Field::SrcPort,
            Field::DstPort,
            Field::SamplerId,
            Field::ClientLatencyUs,
            Field::ServerLatencyUs,
            Field::AppLatencyUs,
        ]);
        let (field, _) = field_of(dialect, specifier)?;
        (!COMPOSED.contains(field)).then(|| Step::of(field, slot))
    }

    /// The field by which it is known.
    pub(crate) fn field(&self) -> Field {
        match *self {
            Step::Num(field, _)
            | Step::Counter(field, _)
            | Step::V4(field, _)
            | Step::V6(field, _)
            | Step::Octets { field, .. }
            | Step::Latency { field, .. }
            | Step::Acl([field, ..], _) => field,
            Step::Either(either) => either.field,
            Step::FlowCount(_) => Field::Flows,
            Step::Domain(_) => Field::ObservationDomainId,
        }
    }

    /// The groups that rows get, where they are the same for all.
    pub(crate) fn groups(&self) -> Groups {
        match *self {
            // Of either family, that differs from row to row; for a sampler's id nfdump 1.7.1 has none, and
            // would not know one.
            Step::Either(_) | Step::Num(Field::SamplerId, _) => Groups::default(),
            Step::V6(field, _) => {
                let mut groups = Groups::default();
                groups.insert_addr(field, IpAddr::V6(Ipv6Addr::UNSPECIFIED));
                groups
            }
            _ => group(self.field()),
        }
    }

    /// Writes what `records` have into the window of `rows`.
    pub(crate) fn run(&self, records: &Records<'_>, context: &Context<'_>, rows: &mut Rows<'_>) {
        match *self {
            Step::Num(field, slot) => copy(records, slot, field, rows),
            Step::Counter(field, slot) => match context.rates {
                Rates::All(Rate::ALL) => copy(records, slot, field, rows),
                Rates::All(rate) => copy_as(records, slot, field, rows, move |_, num| rate.scale(num)),
                rates @ Rates::Each(_) => {
                    copy_as(records, slot, field, rows, move |row, num| rates.of(row).scale(num));
                }
            },
            Step::FlowCount(slot) => copy_as(records, slot, Field::Flows, rows, |_, num| num.max(1)),
            Step::Domain(slot) => {
                let (field, own) = (Field::ObservationDomainId, u64::from(context.domain));
                match slot {
                    Some(slot) => {
                        copy_as(records, slot, field, rows, move |_, num| if num == 0 { own } else { num });
                    }
                    None => rows.fill(field, own),
                }
            }
            Step::V4(field, slot) if slot.len == 4 => {
                rows.put_ips(field, records.column::<4>(slot).map(IpAddr::from));
            }
            Step::V4(field, slot) => rows.ips(field, |row| IpAddr::V4(v4(records, row, slot))),
            Step::V6(field, slot) => rows.put_ips(field, records.column::<16>(slot).map(IpAddr::from)),
            Step::Either(either) => either.run(records, rows),
            Step::Octets { field, slot, text } => {
                let most = context.value_len;
                rows.bytes(field, |row| {
                    let octets = records.octets(row, slot);
                    let octets = octets.get(..most).unwrap_or(octets);
                    if text { octets.split(|&octet| octet == 0).next().unwrap_or_default() } else { octets }
                });
            }
            Step::Acl(fields, slot) => {
                for (field, part) in fields.into_iter().zip([0, 4, 8]) {
                    rows.nums(field, |row| {
                        let octets =
                            records.octets(row, slot).get(part..).and_then(|rest| rest.first_chunk());
                        u64::from(octets.copied().map_or(0, u32::from_be_bytes))
                    });
                }
            }
            Step::Latency { field, seconds, micros } => {
                let part = |row, slot: Option<Slot>| slot.map_or(0, |slot| records.num(row, slot));
                rows.nums(field, |row| {
                    part(row, seconds).saturating_mul(1_000_000).saturating_add(part(row, micros))
                });
            }
        }
    }
}

/// The group of a field; of an address the IPv4 one.
pub(crate) fn group(field: Field) -> Groups {
    let mut groups = Groups::default();
    groups.insert_field(field);
    groups
}

/// Copies a number.
#[inline]
pub(crate) fn copy(records: &Records<'_>, slot: Slot, field: Field, rows: &mut Rows<'_>) {
    copy_as(records, slot, field, rows, |_, num| num);
}

/// Copies a number, or rather what `map` makes of it and of the row: one loop per width on the wire.
#[inline]
pub(crate) fn copy_as(
    records: &Records<'_>,
    slot: Slot,
    field: Field,
    rows: &mut Rows<'_>,
    map: impl Fn(usize, u64) -> u64 + Copy,
) {
    #[inline]
    fn put<const N: usize>(
        records: &Records<'_>,
        slot: Slot,
        field: Field,
        rows: &mut Rows<'_>,
        num: impl Fn((usize, [u8; N])) -> u64,
    ) {
        rows.put_nums(field, records.column(slot).enumerate().map(num));
    }
    match slot.len {
        1 => put(records, slot, field, rows, |(row, num)| map(row, u8::from_be_bytes(num).into())),
        2 => put(records, slot, field, rows, |(row, num)| map(row, u16::from_be_bytes(num).into())),
        4 => put(records, slot, field, rows, |(row, num)| map(row, u32::from_be_bytes(num).into())),
        8 => put(records, slot, field, rows, |(row, num)| map(row, u64::from_be_bytes(num))),
        _ => rows.nums(field, |row| map(row, records.num(row, slot))),
    }
}

#[inline]
fn v4(records: &Records<'_>, row: usize, slot: Slot) -> Ipv4Addr {
    if slot.len == 4 { records.array(row, slot).into() } else { (records.num(row, slot) as u32).into() }
}

#[inline]
fn v6(records: &Records<'_>, row: usize, slot: Slot) -> Ipv6Addr {
    records.array::<16>(row, slot).into()
}

impl Either {
    fn run(&self, records: &Records<'_>, rows: &mut Rows<'_>) {
        let addr = |row| {
            if self.is_v6(records, row) {
                IpAddr::V6(v6(records, row, self.v6))
            } else {
                IpAddr::V4(v4(records, row, self.v4))
            }
        };
        rows.ips(self.field, addr);
        rows.add_groups(|row| {
            let mut groups = Groups::default();
            groups.insert_addr(self.field, addr(row));
            groups
        });
    }

    fn is_v6(&self, records: &Records<'_>, row: usize) -> bool {
        let only_v6 = |v4_slot, v6_slot| {
            v4(records, row, v4_slot).is_unspecified() && !v6(records, row, v6_slot).is_unspecified()
        };
        match self.version.map(|slot| records.num(row, slot)) {
            Some(4) => false,
            Some(6) => true,
            _ if only_v6(self.v4, self.v6) => true,
            _ => {
                v4(records, row, self.v4).is_unspecified()
                    && self.other.is_some_and(|(v4_slot, v6_slot)| only_v6(v4_slot, v6_slot))
            }
        }
    }
}
