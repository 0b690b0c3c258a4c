//! Options data: what exporters say about themselves (RFC 7011 3.4.2.2, RFC 3954 6.1, RFC 5477).

use crate::decoder::Message;
use crate::element::{Dialect, Specifier, id};
use crate::memory::Memory;
use crate::records::{Records, Slot};
use crate::sampling::{GENERIC, Sampler, Samplers, sampler_id};
use crate::shape::{Shape, ShapeBuilder};

/// How to read the records of an options template.
#[derive(Clone, Debug)]
pub(crate) struct OptionsPlan {
    pub(crate) shape: Shape,
    /// Fields that are the scope.
    pub(crate) scope: usize,
    found: Found,
}

#[derive(Clone, Copy, Debug, Default)]
struct Found {
    sampler: Option<Slot>,
    /// 34.
    interval: Option<Slot>,
    /// 50.
    random_interval: Option<Slot>,
    algorithm: Option<Slot>,
    packet_interval: Option<Slot>,
    packet_space: Option<Slot>,
    size: Option<Slot>,
    population: Option<Slot>,
    init: Option<Slot>,
}

impl OptionsPlan {
    /// Compiles the plan of an options template whose first `scope` fields are its scope; `None` when its
    /// records have no octets.
    pub(crate) fn compile(dialect: Dialect, specifiers: &[Specifier], scope: usize) -> Option<OptionsPlan> {
        let mut shape = ShapeBuilder::default();
        let mut found = Found::default();
        for (index, &specifier) in specifiers.iter().enumerate() {
            // The scopes of v9 have numbers of their own.
            let named = index >= scope || dialect == Dialect::Ipfix;
            let mut other = None;
            let place = specifier.standard().filter(|_| named).and_then(|id| found.place(id));
            let slot = shape.add(specifier, place.is_some());
            let place = place.unwrap_or(&mut other);
            *place = place.or(slot);
        }
        Some(OptionsPlan { shape: shape.finish()?, scope, found })
    }

    /// Octets it occupies beyond itself.
    pub(crate) fn memory(&self) -> usize {
        self.shape.memory()
    }

    /// Takes what the records say about the exporter. All of them count: two samplers often stand in one set.
    pub(crate) fn read<R: Records>(
        &self,
        records: &R,
        samplers: &mut Samplers,
        init_ms: &mut Option<u64>,
        message: &mut Message<'_>,
        memory: &mut Memory,
    ) {
        for record in 0..records.count() {
            if let Some(sampler) = self.sampler(records, record)
                && !samplers.announce(sampler, message.received_ms, &message.limits, memory)
            {
                message.decoded.refused += 1;
            }
            *init_ms = self.init_ms(records, record).or(*init_ms);
        }
        message.decoded.options += records.count();
    }

    /// The sampler that a record describes.
    fn sampler<R: Records>(&self, records: &R, record: usize) -> Option<Sampler> {
        let Found { packet_interval, packet_space, size, population, .. } = self.found;
        let num = |slot: Option<Slot>| {
            slot.map(|slot| u32::try_from(records.num(record, slot)).unwrap_or(u32::MAX))
        };
        let id = self.found.sampler.map_or(GENERIC, |slot| sampler_id(records.num(record, slot)));
        let algorithm = num(self.found.algorithm).unwrap_or(0) as u16;
        // IOS-XR sends 305 beside these, and it says nothing.
        if let (Some(size), Some(population)) = (num(size), num(population)) {
            return Some(Sampler { id, algorithm, interval: size, space: population.saturating_sub(size) });
        }
        if let Some(rate) = num(self.found.random_interval) {
            return Some(Sampler::one_of(id, algorithm, rate));
        }
        if let Some(interval) = num(packet_interval) {
            return Some(Sampler { id, algorithm, interval, space: num(packet_space).unwrap_or(0) });
        }
        num(self.found.interval).map(|rate| Sampler::one_of(id, algorithm, rate))
    }

    /// When the exporter started, ms since 1970 UTC, if a record says so.
    fn init_ms<R: Records>(&self, records: &R, record: usize) -> Option<u64> {
        self.found.init.map(|slot| records.num(record, slot)).filter(|&init| init != 0)
    }
}

impl Found {
    /// Where to note an element, if we read it.
    fn place(&mut self, id: u16) -> Option<&mut Option<Slot>> {
        Some(match id {
            id::SAMPLER_ID | id::SELECTOR_ID => &mut self.sampler,
            id::SAMPLING_INTERVAL => &mut self.interval,
            id::SAMPLER_INTERVAL => &mut self.random_interval,
            id::SAMPLER_MODE | id::SAMPLING_ALGORITHM | id::SELECTOR_ALGORITHM => &mut self.algorithm,
            id::PACKET_INTERVAL => &mut self.packet_interval,
            id::PACKET_SPACE => &mut self.packet_space,
            id::SAMPLING_SIZE => &mut self.size,
            id::SAMPLING_POPULATION => &mut self.population,
            id::INIT_MILLIS => &mut self.init,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Fixed;

    fn sampler(dialect: Dialect, scope: usize, fields: &[(u16, u16)], record: &[u8]) -> Option<Sampler> {
        let specifiers: Vec<_> =
            fields.iter().map(|&(id, len)| Specifier { enterprise: 0, id, len }).collect();
        let plan = OptionsPlan::compile(dialect, &specifiers, scope).unwrap();
        plan.sampler(&Fixed::new(record, plan.shape.min_len, 1), 0)
    }

    #[test]
    fn samplers_in_every_form() {
        let cisco = [(1, 1), (48, 1), (49, 1), (50, 2), (34, 1)];
        let known = sampler(Dialect::V9, 1, &cisco, &[9, 3, 2, 1, 0, 77]);
        assert_eq!(known, Some(Sampler { id: 3, algorithm: 2, interval: 1, space: 255 }));
        let psamp = [(302, 1), (304, 1), (305, 1), (306, 1)];
        let known = sampler(Dialect::Ipfix, 1, &psamp, &[7, 1, 2, 8]);
        assert_eq!(known, Some(Sampler { id: 7, algorithm: 1, interval: 2, space: 8 }));
        let n_of_m = [(302, 1), (305, 1), (304, 1), (309, 1), (310, 2)];
        let known = sampler(Dialect::Ipfix, 1, &n_of_m, &[7, 1, 3, 1, 1, 0]);
        assert_eq!(known, Some(Sampler { id: 7, algorithm: 3, interval: 1, space: 255 }));
        let old = [(1, 4), (34, 4), (35, 1)];
        let known = sampler(Dialect::V9, 1, &old, &[0, 0, 0, 0, 0, 0, 0, 100, 1]);
        assert_eq!(known, Some(Sampler { id: GENERIC, algorithm: 1, interval: 1, space: 99 }));
    }

    #[test]
    fn scopes_of_v9_are_no_elements() {
        assert_eq!(sampler(Dialect::V9, 1, &[(34, 1), (41, 1)], &[5, 5]), None);
    }
}
