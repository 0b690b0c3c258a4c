//! Options data: what exporters say about themselves (RFC 7011 3.4.2.2, RFC 3954 6.1, RFC 5477, RFC 6759).

use crate::decoder::Message;
use crate::element::{Dialect, Specifier, id};
use crate::memory::Memory;
use crate::names::Names;
use crate::records::{Records, Slot};
use crate::sampling::{GENERIC, Sampler, Samplers, sampler_id};
use crate::shape::{Shape, ShapeBuilder};
use crate::{Fault, Limits};
use flow_model::{NameKind, SamplerInfo};

/// Scopes of v9 (RFC 3954 6.1) whose value says more: the index of an interface, the id of a template.
const V9_INTERFACE_SCOPE: u16 = 2;
const V9_TEMPLATE_SCOPE: u16 = 5;

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
    /// The observation domain that the record is about.
    domain: Option<Slot>,
    /// The template whose flows it is about.
    template: Option<Slot>,
    /// The interface that it is about.
    interface: Option<Slot>,
    interface_name: Option<Slot>,
    interface_description: Option<Slot>,
    vrf: Option<Slot>,
    vrf_name: Option<Slot>,
    application: Option<Slot>,
    application_name: Option<Slot>,
    application_description: Option<Slot>,
    exported_octets: Option<Slot>,
    exported_messages: Option<Slot>,
    exported_flows: Option<Slot>,
}

/// What options data say, kept for the exporter.
pub(crate) struct Announced<'a> {
    pub(crate) samplers: &'a mut Samplers,
    pub(crate) names: &'a mut Names,
    pub(crate) exported: &'a mut Option<Exported>,
    /// When the exporter started.
    pub(crate) init_ms: &'a mut Option<u64>,
    /// What is to be kept for others.
    pub(crate) elsewhere: &'a mut Vec<Elsewhere>,
}

/// What an exporter says of another observation domain at its address (RFC 7011 3.4.2.1): one process may report for
/// several.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Elsewhere {
    pub(crate) domain: u32,
    pub(crate) sampler: Option<Sampler>,
    pub(crate) init_ms: Option<u64>,
    pub(crate) exported: Option<Exported>,
    /// When the datagram came, and id and offset of the set.
    pub(crate) received_ms: u64,
    pub(crate) place: (u16, usize),
}

/// What an exporter says it has exported since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exported {
    pub(crate) octets: u64,
    pub(crate) messages: u64,
    pub(crate) flows: u64,
}

impl OptionsPlan {
    /// Compiles the plan of an options template whose first `scope` fields are its scope; `None` when its
    /// records have no octets.
    pub(crate) fn compile(dialect: Dialect, specifiers: &[Specifier], scope: usize) -> Option<OptionsPlan> {
        let mut shape = ShapeBuilder::default();
        let mut found = Found::default();
        for (index, &specifier) in specifiers.iter().enumerate() {
            let mut other = None;
            let place = found.place(dialect, index < scope, specifier);
            let slot = shape.add(specifier, place.is_some());
            let place = place.unwrap_or(&mut other);
            *place = place.or(slot);
        }
        Some(OptionsPlan { shape: shape.finish()?, scope, found })
    }

    /// Whether anything reads an element of an options template.
    pub(crate) fn reads(dialect: Dialect, is_scope: bool, specifier: Specifier) -> bool {
        Found::default().place(dialect, is_scope, specifier).is_some()
    }

    /// Octets it occupies beyond itself.
    pub(crate) fn memory(&self) -> usize {
        self.shape.memory()
    }

    /// Takes what the records of the set at `place` (id and offset) say about the exporter. All of them count:
    /// two samplers often stand in one set.
    pub(crate) fn read(
        &self,
        records: &Records<'_>,
        place: (u16, usize),
        announced: &mut Announced<'_>,
        message: &mut Message<'_>,
        memory: &mut Memory,
    ) {
        let limits = message.limits;
        for record in 0..records.count() {
            let (sampler, init_ms, exported) = (
                self.sampler(records, record),
                self.init_ms(records, record),
                self.exported(records, record),
            );
            if let Some(domain) = self.other_domain(records, record, message) {
                let received_ms = message.received_ms;
                if sampler.is_some() || init_ms.is_some() || exported.is_some() {
                    let said = Elsewhere { domain, sampler, init_ms, exported, received_ms, place };
                    announced.elsewhere.push(said);
                }
            } else {
                if let Some(sampler) = sampler
                    && !announced.samplers.announce(sampler, message.received_ms, &limits, memory)
                {
                    message.refuse(Some(place.0), place.1, sampler_fault(sampler, &limits));
                }
                *announced.init_ms = init_ms.or(*announced.init_ms);
                *announced.exported = exported.or(*announced.exported);
            }
            for (kind, id, name) in self.names() {
                if let Err(fault) =
                    read_name(records, record, (kind, id, name), announced.names, &limits, memory)
                {
                    message.refuse(Some(place.0), place.1, fault);
                }
            }
        }
        message.decoded.options += records.count();
    }

    /// The observation domain that a record is about, if it is another one than the message's. 0 is no domain.
    fn other_domain(&self, records: &Records<'_>, record: usize, message: &Message<'_>) -> Option<u32> {
        let domain = records.num(record, self.found.domain?) as u32;
        (domain != 0 && Some(domain) != message.domain).then_some(domain)
    }

    /// Where the records have names: kind, id, name.
    fn names(&self) -> impl Iterator<Item = (NameKind, Slot, Slot)> {
        let Found { interface, vrf, application, .. } = self.found;
        [
            (NameKind::Interface, interface, self.found.interface_name),
            (NameKind::InterfaceDescription, interface, self.found.interface_description),
            (NameKind::Vrf, vrf, self.found.vrf_name),
            (NameKind::Application, application, self.found.application_name),
            (NameKind::ApplicationDescription, application, self.found.application_description),
        ]
        .into_iter()
        .filter_map(|(kind, id, name)| Some((kind, id?, name?)))
    }

    /// What a record says of the exporter's own counts.
    fn exported(&self, records: &Records<'_>, record: usize) -> Option<Exported> {
        let Found { exported_octets, exported_messages, exported_flows, .. } = self.found;
        exported_octets.or(exported_messages).or(exported_flows)?;
        let num = |slot: Option<Slot>| slot.map_or(0, |slot| records.num(record, slot));
        Some(Exported {
            octets: num(exported_octets),
            messages: num(exported_messages),
            flows: num(exported_flows),
        })
    }

    /// The sampler that a record describes.
    fn sampler(&self, records: &Records<'_>, record: usize) -> Option<Sampler> {
        let Found { packet_interval, packet_space, size, population, .. } = self.found;
        let num = |slot: Option<Slot>| {
            slot.map(|slot| u32::try_from(records.num(record, slot)).unwrap_or(u32::MAX))
        };
        // One without an id is that of the interface or of the template it is scoped by, else of the whole exporter.
        let scoped = |slot| num(slot).filter(|&number| number != 0);
        let id = match (self.found.sampler, scoped(self.found.interface), scoped(self.found.template)) {
            (Some(slot), ..) => sampler_id(records.num(record, slot)),
            (None, Some(index), _) => SamplerInfo::of_interface(index),
            (None, None, Some(template)) => SamplerInfo::of_template(template as u16),
            (None, None, None) => GENERIC,
        };
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
    fn init_ms(&self, records: &Records<'_>, record: usize) -> Option<u64> {
        self.found.init.map(|slot| records.num(record, slot)).filter(|&init| init != 0)
    }
}

/// Why a sampler was not taken.
pub(crate) fn sampler_fault(sampler: Sampler, limits: &Limits) -> Fault {
    let (found, limit) = (sampler.rate().of / sampler.rate().taken, u64::from(limits.sampling_rate));
    if found > limit {
        return Fault::SamplingRate { found, limit };
    }
    Fault::Limit { what: "samplers", limit: limits.samplers_per_exporter }
}

/// Keeps a name that a record has, unless it is empty.
fn read_name(
    records: &Records<'_>,
    record: usize,
    (kind, id, name): (NameKind, Slot, Slot),
    names: &mut Names,
    limits: &Limits,
    memory: &mut Memory,
) -> Result<(), Fault> {
    let name = records.octets(record, name);
    let name = name.split(|&octet| octet == 0).next().unwrap_or_default();
    if name.is_empty() {
        return Ok(());
    }
    let limit = limits.name_len_bytes;
    if name.len() > limit {
        return Err(Fault::Limit { what: "octets of a name", limit });
    }
    let name = std::str::from_utf8(name).map_err(|_| Fault::NotText)?;
    let number;
    let id = match kind {
        NameKind::Application | NameKind::ApplicationDescription => records.octets(record, id),
        _ => {
            number = (records.num(record, id) as u32).to_be_bytes();
            &number
        }
    };
    if id.len() > limit {
        return Err(Fault::Limit { what: "octets of an application id", limit });
    }
    if names.announce(kind, id, name, limits, memory) {
        return Ok(());
    }
    Err(Fault::Limit { what: "names", limit: limits.names_per_exporter })
}

impl Found {
    /// Where to note an element, if we read it.
    fn place(&mut self, dialect: Dialect, is_scope: bool, specifier: Specifier) -> Option<&mut Option<Slot>> {
        let element = specifier.standard()?;
        if is_scope && dialect == Dialect::V9 {
            // The scopes of v9 have numbers of their own.
            return match element {
                V9_INTERFACE_SCOPE => Some(&mut self.interface),
                V9_TEMPLATE_SCOPE => Some(&mut self.template),
                _ => None,
            };
        }
        Some(match element {
            id::OBSERVATION_DOMAIN if is_scope => &mut self.domain,
            id::TEMPLATE_ID if is_scope => &mut self.template,
            id::SAMPLER_ID | id::SELECTOR_ID => &mut self.sampler,
            id::SAMPLING_INTERVAL => &mut self.interval,
            id::SAMPLER_INTERVAL => &mut self.random_interval,
            id::SAMPLER_MODE | id::SAMPLING_ALGORITHM | id::SELECTOR_ALGORITHM => &mut self.algorithm,
            id::PACKET_INTERVAL => &mut self.packet_interval,
            id::PACKET_SPACE => &mut self.packet_space,
            id::SAMPLING_SIZE => &mut self.size,
            id::SAMPLING_POPULATION => &mut self.population,
            id::INIT_MILLIS => &mut self.init,
            id::INGRESS_INTERFACE | id::EGRESS_INTERFACE => &mut self.interface,
            id::INTERFACE_NAME => &mut self.interface_name,
            id::INTERFACE_DESCRIPTION => &mut self.interface_description,
            id::INGRESS_VRF | id::EGRESS_VRF => &mut self.vrf,
            id::VRF_NAME => &mut self.vrf_name,
            id::APPLICATION_ID => &mut self.application,
            id::APPLICATION_NAME => &mut self.application_name,
            id::APPLICATION_DESCRIPTION => &mut self.application_description,
            id::EXPORTED_OCTETS => &mut self.exported_octets,
            id::EXPORTED_MESSAGES => &mut self.exported_messages,
            id::EXPORTED_FLOWS => &mut self.exported_flows,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Records;

    fn sampler(dialect: Dialect, scope: usize, fields: &[(u16, u16)], record: &[u8]) -> Option<Sampler> {
        let specifiers: Vec<_> =
            fields.iter().map(|&(id, len)| Specifier { enterprise: 0, id, len }).collect();
        let plan = OptionsPlan::compile(dialect, &specifiers, scope).unwrap();
        plan.sampler(&Records::new(record, plan.shape.min_len, 1), 0)
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
