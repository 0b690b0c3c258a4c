//! Layout 1: finding the flow records of a block, and their shapes.

use super::extension::{
    COMMON, Extension, NEL, NEL_ADDRESSES, NEL_WITH_ADDRESSES, NSEL, NSEL_ICMP, extension,
};
use super::findings::Findings;
use super::layout::{Records, record, u16_at};
use super::maps::ExtensionMap;
use super::shape::{Place, Rows, Shape};
use crate::error::Damage;
use crate::nfdump::stored::{Member, Stored, member};
use flow_model::{Field, Groups, MAX_BATCH_ROWS, RecordFlags};
use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use std::sync::Arc;

/// Finds the flow records in the octets of a block. `earlier` gives the map of a number at the start of the block.
pub(super) fn index(
    data: &[u8],
    anonymised: bool,
    earlier: &dyn Fn(u16) -> Option<Arc<ExtensionMap>>,
    rows: &mut Rows,
    findings: &mut Findings,
) -> u64 {
    let mut block =
        Block { anonymised, maps: Vec::new(), current: HashMap::default(), shapes: HashMap::default() };
    let mut count = 0;
    for entry in Records::new(data) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(damage) => {
                findings.block(damage);
                break;
            }
        };
        count += 1;
        match entry.kind {
            record::FLOW_V0 | record::FLOW_COMMON if rows.is_full() => {
                let limit = MAX_BATCH_ROWS as u64;
                let what = "number of flows in the block";
                findings.record(Damage::TooLarge { what, found: limit + 1, limit });
            }
            record::FLOW_V0 | record::FLOW_COMMON => {
                match block.shape_of(entry.kind, entry.octets, earlier, rows, findings) {
                    Ok(shape) => rows.push(entry.at, shape),
                    Err(damage) => findings.record(damage),
                }
            }
            record::EXTENSION_MAP => match ExtensionMap::parse(entry.octets) {
                Ok((number, map)) => block.define(number, Some(Arc::new(map))),
                Err(damage) => findings.record(damage),
            },
            record::TEST_EXPORTER
            | record::TEST_SAMPLER
            | record::EXPORTER
            | record::EXPORTER_STATISTICS
            | record::SAMPLER_LEGACY => {}
            kind => findings.record(Damage::Unknown { what: "type of record", found: kind.into() }),
        }
    }
    count
}

struct Block {
    anonymised: bool,
    /// Every map met in the block.
    maps: Vec<Arc<ExtensionMap>>,
    /// Which of `maps` a number stands for at this place of the block, if there is one.
    current: HashMap<u16, Option<usize>, foldhash::fast::RandomState>,
    shapes: HashMap<Composition, Known, foldhash::fast::RandomState>,
}

/// What decides about the shape of a record.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Composition {
    kind: u16,
    flags: u8,
    /// Whether the writer was of 1.6.22 or later, which also uses two more octets.
    has_version: bool,
    map: usize,
}

struct Known {
    shape: u16,
    /// What is known of the record's length.
    len: usize,
    /// An extension of unknown length, behind which nothing is known.
    unknown: Option<u16>,
}

impl Block {
    fn define(&mut self, number: u16, map: Option<Arc<ExtensionMap>>) {
        let place = map.map(|map| {
            self.maps.push(map);
            self.maps.len() - 1
        });
        self.current.insert(number, place);
    }

    fn shape_of(
        &mut self,
        kind: u16,
        octets: &[u8],
        earlier: &dyn Fn(u16) -> Option<Arc<ExtensionMap>>,
        rows: &mut Rows,
        findings: &mut Findings,
    ) -> Result<u16, Damage> {
        let common_len = common_len(kind);
        if octets.len() < common_len {
            return Err(Damage::Inconsistent("a flow record is shorter than its common part"));
        }
        let number = u16_at(octets, MAP_NUMBER);
        if !self.current.contains_key(&number) {
            self.define(number, earlier(number));
        }
        let Some(&Some(map)) = self.current.get(&number) else {
            return Err(Damage::Unknown { what: "extension map", found: number.into() });
        };
        let has_version = kind == record::FLOW_COMMON && octets[VERSION] != 0;
        let composition = Composition { kind, flags: octets[FLAGS], has_version, map };
        let known = match self.shapes.entry(composition) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let (shape, len, unknown) = shape(composition, &self.maps[map], self.anonymised);
                if len > octets.len() {
                    return Err(TOO_SHORT);
                }
                place.insert(Known { shape: rows.add_shape(shape), len, unknown })
            }
        };
        if known.len > octets.len() {
            return Err(TOO_SHORT);
        }
        if let Some(id) = known.unknown {
            findings.record(Damage::Unknown { what: "extension", found: id.into() });
        } else if known.len < octets.len() {
            findings.record(Damage::Inconsistent("the extensions do not fill their record"));
        }
        Ok(known.shape)
    }
}

const TOO_SHORT: Damage = Damage::Inconsistent("the extensions do not fit into their record");

/// Makes a shape; says how long its records are, and with which unknown extension the known part ends.
fn shape(composition: Composition, map: &ExtensionMap, anonymised: bool) -> (Shape, usize, Option<u16>) {
    let Composition { kind, flags, has_version, .. } = composition;
    let mut shape = Shape::new();
    shape.add(COMMON, 0);
    if kind == record::FLOW_V0 {
        shape.add(&[member(Field::ExporterId, 5, Stored::U8)], 0);
    } else {
        let members: &[Member] = &[
            member(Field::ExporterId, 28, Stored::U16),
            member(Field::NfVersion, 5, Stored::U8),
            member(Field::BiflowDir, 30, Stored::U8),
            member(Field::FlowEndReason, 31, Stored::U8),
        ];
        // Without version, the last two octets are left over from what a program had in memory.
        shape.add(if has_version { members } else { &members[..1] }, 0);
    }
    shape.set(Field::RecordFlags, fixed(record_flags(flags, anonymised)));
    let mut len = common_len(kind);
    let mut put = |members: &[Member], size: usize| {
        shape.add(members, len as u16);
        len += size;
    };
    let family = if flags & FLAG_V6 == 0 {
        put(&[member(Field::SrcAddr, 0, Stored::V4), member(Field::DstAddr, 4, Stored::V4)], 8);
        Groups::IPV4
    } else {
        put(&[member(Field::SrcAddr, 0, Stored::V6), member(Field::DstAddr, 16, Stored::V6)], 32);
        Groups::IPV6
    };
    for (field, wide) in [(Field::InPackets, FLAG_PACKETS_64), (Field::InBytes, FLAG_BYTES_64)] {
        let (stored, size) = if flags & wide == 0 { (Stored::U32, 4) } else { (Stored::U64, 8) };
        put(&[member(field, 0, stored)], size);
    }
    for group in [Groups::GENERIC, family, Groups::MISC] {
        shape.groups.insert(group);
    }
    for group in [Groups::MISC, Groups::COUNTERS, Groups::SECURITY_GROUP] {
        shape.optional.insert(group);
    }
    let has = |id: u8| map.extensions.contains(&id.into());
    for &id in &map.extensions {
        // An offset that does not fit 16 bits is beyond the end of any record.
        let (Some(extension), true) = (extension(id), len <= u16::MAX.into()) else {
            return (shape, len, Some(id));
        };
        let offset = len as u16;
        let Some(end) = offset.checked_add(extension.len.into()) else { return (shape, len, Some(id)) };
        add(&mut shape, extension, offset, has(NEL_ADDRESSES));
        len = end.into();
    }
    if has(NEL) && !has(NSEL) {
        // NAT events have no time of their own: they begin when they happen.
        shape.set(Field::EventTimeMs, shape.place(Field::FirstMs));
    }
    (shape, len, None)
}

fn add(shape: &mut Shape, extension: &Extension, offset: u16, has_nel_addresses: bool) {
    let is_nel = extension.id == NEL;
    shape.add(if is_nel && has_nel_addresses { NEL_WITH_ADDRESSES } else { extension.members }, offset);
    for &group in extension.groups {
        shape.groups.insert(group);
    }
    if extension.members.iter().any(|member| member.field == Field::DstTos) {
        shape.optional.0 &= !(1 << Groups::MISC);
    }
    if extension.id == NSEL {
        let port = shape.place(Field::DstPort);
        let aux = offset + NSEL_ICMP;
        shape.set(Field::DstPort, Place { aux, stored: Stored::PortOrIcmp, ..port });
    }
}

/// The flags of a record as nfdump 1.7 has them.
fn record_flags(flags: u8, anonymised: bool) -> u8 {
    let mut ours = 0;
    for (is_set, flag) in [
        (flags & FLAG_EVENT != 0, RecordFlags::EVENT),
        (flags & FLAG_SAMPLED != 0, RecordFlags::SAMPLED),
        (anonymised, RecordFlags::ANONYMISED),
    ] {
        if is_set {
            ours |= flag as u8;
        }
    }
    ours
}

fn fixed(value: u8) -> Place {
    Place { offset: 0, aux: 0, stored: Stored::Fixed(value) }
}

fn common_len(kind: u16) -> usize {
    if kind == record::FLOW_V0 { 28 } else { 32 }
}

/// Where in the common part the flags, the version of the export protocol and the number of the map stand.
const FLAGS: usize = 4;
const VERSION: usize = 5;
const MAP_NUMBER: usize = 6;

const FLAG_V6: u8 = 1;
const FLAG_PACKETS_64: u8 = 2;
const FLAG_BYTES_64: u8 = 4;
const FLAG_EVENT: u8 = 64;
const FLAG_SAMPLED: u8 = 128;
