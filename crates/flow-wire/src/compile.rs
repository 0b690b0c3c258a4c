//! From the fields of a template to its copy plan.

use crate::element::{Dialect, Specifier, field_of, id};
use crate::plan::Plan;
use crate::records::Slot;
use crate::shape::{Shape, ShapeBuilder};
use crate::stamps::Stamps;
use crate::step::{ADDRESSES, Either, Step, group};
use crate::transport::Transport;
use flow_model::{Field, FieldSet, Groups, Kind, field_info};

impl Plan {
    /// Compiles the plan of a template; `None` when its records have no octets.
    pub(crate) fn compile(dialect: Dialect, specifiers: &[Specifier]) -> Option<Plan> {
        let mut shape = ShapeBuilder::default();
        let mut collected = Collected::default();
        for &specifier in specifiers {
            if let Some(slot) = shape.add(specifier, is_read(dialect, specifier)) {
                collected.add(dialect, specifier, slot);
            }
        }
        Some(collected.plan(shape.finish()?))
    }
}

/// Whether anything reads an element in data records.
pub(crate) fn is_read(dialect: Dialect, specifier: Specifier) -> bool {
    match specifier.standard() {
        // Huawei sends something else under this number.
        Some(id::RESPONDER_OCTETS) if dialect == Dialect::V9 && specifier.len == 2 => false,
        Some(id::SAMPLING_INTERVAL | id::INIT_MILLIS | id::DURATION_MILLIS | id::DURATION_MICROS) => true,
        Some(id) if is_list(dialect, id) => true,
        _ => field_of(dialect, specifier).is_some(),
    }
}

fn is_list(dialect: Dialect, id: u16) -> bool {
    dialect == Dialect::Ipfix
        && matches!(id, id::BASIC_LIST | id::SUB_TEMPLATE_LIST | id::SUB_TEMPLATE_MULTI_LIST)
}

/// Octets of a row that has these fields, and those that every row has; strings count as nothing.
fn row_len(fields: FieldSet) -> usize {
    const EVERY_ROW: usize = 64;
    let width = |field: Field| match field_info(field).kind {
        Kind::U8 => 1,
        Kind::U16 => 2,
        Kind::U32 => 4,
        Kind::U64 => 8,
        Kind::Ip => 17,
        Kind::Bytes => 0,
    };
    EVERY_ROW + fields.iter().map(width).sum::<usize>()
}

/// The fields of a template, sorted by what they fill.
#[derive(Default)]
struct Collected {
    plain: Vec<Plain>,
    addrs: Vec<Addr>,
    latencies: Vec<Latency>,
    lists: Vec<(u16, Slot)>,
    stamps: Stamps,
    transport: Transport,
    interval: Option<Slot>,
}

/// The best element so far for a field.
struct Plain {
    field: Field,
    rank: u8,
    slot: Slot,
}

/// The best elements so far for an address.
struct Addr {
    field: Field,
    v4: Option<(u8, Slot)>,
    v6: Option<(u8, Slot)>,
}

struct Latency {
    field: Field,
    seconds: Option<Slot>,
    micros: Option<Slot>,
}

impl Collected {
    fn add(&mut self, dialect: Dialect, specifier: Specifier, slot: Slot) {
        if let Some(id) = specifier.standard() {
            if id == id::SAMPLING_INTERVAL {
                self.interval.get_or_insert(slot);
                return;
            }
            if is_list(dialect, id) {
                return self.lists.push((id, slot));
            }
            if self.stamps.add(id, slot) || self.transport.add(id, slot) {
                return;
            }
        }
        match field_of(dialect, specifier) {
            None => {}
            Some((field @ (Field::ClientLatencyUs | Field::ServerLatencyUs | Field::AppLatencyUs), rank)) => {
                self.add_latency(field, rank, slot);
            }
            Some((field, rank)) if ADDRESSES.contains(field) => self.add_addr(field, rank, slot),
            Some((field, rank)) => self.add_plain(field, rank, slot),
        }
    }

    /// The preferred element wins, then the first: of headers one inside the other the outer one stands
    /// first.
    fn add_plain(&mut self, field: Field, rank: u8, slot: Slot) {
        match self.plain.iter_mut().find(|plain| plain.field == field) {
            Some(plain) if rank < plain.rank => (plain.rank, plain.slot) = (rank, slot),
            Some(_) => {}
            None => self.plain.push(Plain { field, rank, slot }),
        }
    }

    fn add_addr(&mut self, field: Field, rank: u8, slot: Slot) {
        if !self.addrs.iter().any(|addr| addr.field == field) {
            self.addrs.push(Addr { field, v4: None, v6: None });
        }
        let Some(addr) = self.addrs.iter_mut().find(|addr| addr.field == field) else { return };
        let place = if slot.len == 16 { &mut addr.v6 } else { &mut addr.v4 };
        if place.is_none_or(|(before, _)| rank < before) {
            *place = Some((rank, slot));
        }
    }

    /// In the catalogue the seconds of a latency stand before its µs.
    fn add_latency(&mut self, field: Field, rank: u8, slot: Slot) {
        if !self.latencies.iter().any(|latency| latency.field == field) {
            self.latencies.push(Latency { field, seconds: None, micros: None });
        }
        let Some(latency) = self.latencies.iter_mut().find(|latency| latency.field == field) else { return };
        let place = if rank == 0 { &mut latency.seconds } else { &mut latency.micros };
        place.get_or_insert(slot);
    }

    fn find(&self, field: Field) -> Option<Slot> {
        self.plain.iter().find(|plain| plain.field == field).map(|plain| plain.slot)
    }

    /// Both families of an address.
    fn both(&self, field: Field) -> Option<(Slot, Slot)> {
        let addr = self.addrs.iter().find(|addr| addr.field == field)?;
        Some((addr.v4?.1, addr.v6?.1))
    }

    fn plan(mut self, shape: Shape) -> Plan {
        (self.transport.proto, self.transport.src, self.transport.dst) =
            (self.find(Field::Proto), self.find(Field::SrcPort), self.find(Field::DstPort));
        self.transport.conclude();
        self.stamps.event = self.find(Field::EventTimeMs);
        let steps = self.steps();
        let transport = self.transport.fields().iter().map(group);
        let mut groups = steps
            .iter()
            .map(Step::groups)
            .chain(transport)
            .fold(Groups::default(), |sum, one| Groups(sum.0 | one.0));
        let mut fields = steps.iter().map(Step::field).collect::<FieldSet>().union(self.transport.fields());
        if self.stamps.any() {
            fields = fields.union(FieldSet::of(&[Field::FirstMs, Field::LastMs]));
            groups.insert(Groups::GENERIC);
            if self.stamps.event.is_some() || groups.contains(Groups::NSEL) || groups.contains(Groups::NAT) {
                fields.insert(Field::EventTimeMs);
            }
        }
        Plan {
            shape,
            steps: steps.into(),
            stamps: self.stamps,
            sampler: self.find(Field::SamplerId),
            interval: self.interval,
            interfaces: [self.find(Field::Input), self.find(Field::Output)],
            row_len: row_len(fields),
            transport: self.transport,
            fields,
            groups,
            lists: self.lists.into(),
        }
    }

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        for &Plain { field, slot, .. } in &self.plain {
            match field {
                // Written by `Transport` and `Stamps`.
                Field::Proto | Field::SrcPort | Field::DstPort | Field::EventTimeMs => {}
                _ => steps.push(Step::of(field, slot)),
            }
        }
        if self.find(Field::ObservationPointId).is_some() && self.find(Field::ObservationDomainId).is_none() {
            steps.push(Step::Domain(None));
        }
        steps.extend(self.latencies.iter().map(|&Latency { field, seconds, micros }| Step::Latency {
            field,
            seconds,
            micros,
        }));
        for &Addr { field, v4, v6 } in &self.addrs {
            match (v4, v6) {
                (Some((_, v4)), Some((_, v6))) => {
                    let (other, version) = match field {
                        Field::SrcAddr => (self.both(Field::DstAddr), self.find(Field::IpVersion)),
                        Field::DstAddr => (self.both(Field::SrcAddr), self.find(Field::IpVersion)),
                        _ => (None, None),
                    };
                    steps.push(Step::Either(Either { field, v4, v6, other, version }));
                }
                (Some((_, slot)), None) | (None, Some((_, slot))) => steps.push(Step::of(field, slot)),
                (None, None) => {}
            }
        }
        steps
    }
}
