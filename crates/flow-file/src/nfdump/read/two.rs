//! Layout 2: finding the flow records of a block, and their shapes.

use super::findings::Findings;
use super::layout::{Records, record, u16_at, u32_at, u64_at};
use super::shape::{Rows, Shape};
use crate::error::Damage;
use crate::nfdump::element::{
    ELEMENT_HEADER_LEN, ELEMENTS, Element, HEADER, OLD_ELEMENTS, RECORD_HEADER_LEN,
};
use flow_model::{Field, Groups, MAX_BATCH_ROWS};
use hashbrown::HashMap;

/// Finds the flow records in the octets of a block.
pub(super) fn index(data: &[u8], rows: &mut Rows, findings: &mut Findings) -> u64 {
    let mut compositions = Compositions {
        known: Vec::new(),
        by_elements: HashMap::default(),
        by_look: [0; LOOKS],
        elements: Vec::new(),
    };
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
            record::FLOW if rows.is_full() => {
                let limit = MAX_BATCH_ROWS as u64;
                findings.record(Damage::TooLarge {
                    what: "number of flows in the block",
                    found: limit + 1,
                    limit,
                });
            }
            record::FLOW => match compositions.shape_of(entry.octets, rows, findings) {
                Ok(shape) => rows.push(entry.at, shape),
                Err(damage) => findings.record(damage),
            },
            kind => other(kind, findings),
        }
    }
    count
}

/// Records that are not flows are read by who wants them; here only unknown ones matter.
fn other(kind: u16, findings: &mut Findings) {
    match kind {
        record::EXPORTER
        | record::EXPORTER_STATISTICS
        | record::SAMPLER_LEGACY
        | record::NBAR
        | record::INTERFACE_NAMES
        | record::VRF_NAMES
        | record::SAMPLER
        | record::SLACK
        | record::IDENT
        | record::STATISTICS => {}
        kind => findings.record(Damage::Unknown { what: "type of record", found: kind.into() }),
    }
}

/// The compositions met in a block.
struct Compositions {
    known: Vec<Composition>,
    /// Which of the known ones has these elements.
    by_elements: HashMap<Box<[u32]>, u16, foldhash::fast::RandomState>,
    /// The one met last among records that [look](look) alike.
    by_look: [u16; LOOKS],
    /// The elements of the record at hand.
    elements: Vec<u32>,
}

/// More than the compositions of a block: exporters send flows of few templates.
const LOOKS: usize = 64;

/// A number that says little about the composition of a record, and at once. Flows of several templates, or of both IP
/// versions, come in an order that nobody can predict; to try one composition after the other would cost a wrong guess of
/// the processor for every other record.
#[inline]
fn look(octets: &[u8]) -> usize {
    (octets.len() / 4 + usize::from(u16_at(octets, 4))) % LOOKS
}

/// Which elements of which lengths a record has, in their order.
struct Composition {
    /// How many elements the record says to have.
    count: u16,
    /// Octets 0 to 3 of each element, id and length, and where they stand; without the last element if it is of any
    /// length.
    fixed: Vec<(u16, u32)>,
    /// Where the last element starts if it is of any length, its id and its least length.
    open: Option<(u16, u16, u16)>,
    /// Where the record ends if no element is of any length.
    len: usize,
    shape: Option<u16>,
    /// The shape when the IPv6 addresses count, in a record that also has IPv4 addresses.
    shape_v6: Option<u16>,
    has_both: bool,
    /// Whether a record cannot be done with by its shape alone: it has both kinds of addresses, or unknown elements.
    is_peculiar: bool,
}

impl Composition {
    #[inline]
    fn fits(&self, octets: &[u8]) -> bool {
        let differ = |differ, &(at, word): &(u16, u32)| differ | u32_at(octets, at.into()) ^ word;
        u16_at(octets, 4) == self.count
            && self.fixed.iter().fold(0, differ) == 0
            && match self.open {
                None => octets.len() == self.len,
                Some((at, id, least)) => {
                    let len = u16_at(octets, usize::from(at) + 2);
                    u16_at(octets, at.into()) == id
                        && len >= least
                        && usize::from(at) + usize::from(len) == octets.len()
                }
            }
    }
}

impl Compositions {
    /// The number of the shape of a flow record.
    #[inline]
    fn shape_of(&mut self, octets: &[u8], rows: &mut Rows, findings: &mut Findings) -> Result<u16, Damage> {
        let look = look(octets);
        let mut number = self.by_look[look];
        match self.known.get(usize::from(number)) {
            Some(composition) if composition.fits(octets) => {
                if let (Some(shape), false) = (composition.shape, composition.is_peculiar) {
                    return Ok(shape);
                }
            }
            _ => {
                number = self.compose(octets, findings)?;
                self.by_look[look] = number;
            }
        }
        Ok(self.shape_of_known(number, octets, rows, findings))
    }

    /// Takes a record apart and gives the number of its composition.
    fn compose(&mut self, octets: &[u8], findings: &mut Findings) -> Result<u16, Damage> {
        if octets.len() < RECORD_HEADER_LEN {
            return Err(Damage::Inconsistent("a flow record is shorter than its header"));
        }
        let count = u16_at(octets, 4);
        self.elements.clear();
        let mut at = RECORD_HEADER_LEN;
        let mut fixed = Vec::new();
        let mut open = None;
        for number in 1..=count {
            let (id, len) = (u16_at(octets, at), u16_at(octets, at + 2));
            let end = at + usize::from(len);
            if usize::from(len) < ELEMENT_HEADER_LEN
                || end > octets.len()
                || at + ELEMENT_HEADER_LEN > octets.len()
            {
                return Err(Damage::Inconsistent("an element does not fit into its record"));
            }
            let element = element(id, len - ELEMENT_HEADER_LEN as u16);
            if element.is_some_and(|element| element.len > len - ELEMENT_HEADER_LEN as u16) {
                return Err(Damage::Inconsistent("an element is shorter than it must be"));
            }
            match element {
                Some(element) if number == count && end == octets.len() && is_open(element) => {
                    open = Some((at as u16, id, element.len + ELEMENT_HEADER_LEN as u16));
                    self.elements.push(id.into());
                }
                _ => {
                    let word = u32_at(octets, at);
                    fixed.push((at as u16, word));
                    self.elements.push(word);
                }
            }
            at = end;
        }
        if at != octets.len() {
            findings.record(Damage::Inconsistent("the elements do not fill their record"));
        }
        if let Some(&number) = self.by_elements.get(&self.elements[..]) {
            return Ok(number);
        }
        let has = |id: u8| fixed.iter().any(|&(_, word)| word as u16 == u16::from(id));
        let has_both = has(Groups::IPV4) && has(Groups::IPV6);
        let is_peculiar = has_both || fixed.iter().any(|&(_, word)| unknown(word).is_some());
        let number = self.known.len() as u16;
        let (shape, shape_v6) = (None, None);
        self.known.push(Composition { count, fixed, open, len: at, shape, shape_v6, has_both, is_peculiar });
        self.by_elements.insert(self.elements.clone().into_boxed_slice(), number);
        Ok(number)
    }

    /// The shape of a record of a known composition, made when the first such record comes.
    fn shape_of_known(
        &mut self,
        number: u16,
        octets: &[u8],
        rows: &mut Rows,
        findings: &mut Findings,
    ) -> u16 {
        let composition = &mut self.known[usize::from(number)];
        let left_out = match composition.has_both {
            false => None,
            true if is_v6(composition, octets) => Some(Groups::IPV4),
            true => Some(Groups::IPV6),
        };
        let for_v6 = left_out == Some(Groups::IPV4);
        let known = if for_v6 { composition.shape_v6 } else { composition.shape };
        let shape = known.unwrap_or_else(|| rows.add_shape(shape(composition, octets, left_out)));
        *(if for_v6 { &mut composition.shape_v6 } else { &mut composition.shape }) = Some(shape);
        if composition.is_peculiar {
            for id in composition.fixed.iter().filter_map(|&(_, word)| unknown(word)) {
                findings.record(Damage::Unknown { what: "extension", found: id.into() });
            }
        }
        shape
    }
}

/// What is left where an element was taken out.
const HOLE: u16 = 0;

/// The id of an element that no table knows, from its first octets.
fn unknown(word: u32) -> Option<u16> {
    let id = word as u16;
    (id != HOLE && usize::from(id) > ELEMENTS.len()).then_some(id)
}

/// The table's row for an element with so many octets of data; one that is longer than a future release may make it.
fn element(id: u16, len: u16) -> Option<&'static Element> {
    let old = OLD_ELEMENTS.iter().find(|old| u16::from(old.id) == id && old.len == len);
    old.or_else(|| ELEMENTS.get(usize::from(id).checked_sub(1)?))
}

/// Whether an element ends with octets of any number.
fn is_open(element: &Element) -> bool {
    element.members.last().is_some_and(|last| last.stored.fixed_len().is_none())
}

/// Makes the shape of a composition.
fn shape(composition: &Composition, octets: &[u8], left_out: Option<u8>) -> Shape {
    let mut elements: Vec<(u16, u16, u16)> = composition
        .fixed
        .iter()
        .map(|&(at, word)| (word as u16, at, (word >> 16) as u16))
        .chain(composition.open.map(|(at, id, _)| (id, at, u16_at(octets, usize::from(at) + 2))))
        .collect();
    // Of elements that hold the same field, the one with the higher id counts.
    elements.sort_by_key(|&(id, ..)| id);
    let mut shape = Shape::new();
    shape.add(HEADER, 0);
    for (id, at, len) in elements {
        if let Some(element) = element(id, len - ELEMENT_HEADER_LEN as u16)
            && Some(element.id) != left_out
        {
            shape.add(element.members, at + ELEMENT_HEADER_LEN as u16);
            shape.groups.insert(element.id);
            if element.members.iter().any(|member| member.field == Field::IngressVrf) {
                shape.groups.insert(Groups::VRF);
            }
        }
    }
    shape
}

/// Which addresses count in a record that has both: nfdump 1.7.8 goes by the IP version of layer 2, and without that takes
/// the IPv4 addresses unless both are 0.
fn is_v6(composition: &Composition, octets: &[u8]) -> bool {
    let data = |id: u8| {
        let found = composition.fixed.iter().find(|&&(_, word)| word as u16 == u16::from(id));
        found.map(|&(at, _)| usize::from(at) + ELEMENT_HEADER_LEN)
    };
    let version = ELEMENTS[usize::from(Groups::LAYER2) - 1]
        .members
        .iter()
        .find(|member| member.field == Field::IpVersion)
        .zip(data(Groups::LAYER2))
        .and_then(|(member, at)| octets.get(at + usize::from(member.offset)));
    match version {
        Some(4) => false,
        Some(6) => true,
        _ => data(Groups::IPV4).is_some_and(|at| u64_at(octets, at) == 0),
    }
}
