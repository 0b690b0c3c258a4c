//! Rows become records: a batch's columns, written where the elements of each row's shape have them.

use super::super::element::{ELEMENT_HEADER_LEN, ELEMENTS, Element, HEADER, RECORD_HEADER_LEN};
use super::super::layout::{MAX_BLOCK, MAX_RECORD, record};
use super::super::stored::{Member, Stored};
use super::NfdumpRelease;
use crate::writer::Omitted;
use flow_model::{
    Column, Field, FieldSet, FlowBatch, Group, Groups, Kind, Value, ValueRef, Values, field_info,
};
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Makes records of rows.
#[derive(Debug)]
pub(super) struct RowEncoder {
    /// The groups that may be written.
    writable: u64,
    shapes: Vec<Shape>,
    /// Where the shape of a set of groups is.
    by_groups: HashMap<u64, usize>,
    /// Indexed as `shapes`: the records of the block at hand that have it.
    records: Vec<Vec<Slot>>,
}

/// What records of the same groups have in common.
#[derive(Debug)]
struct Shape {
    groups: Groups,
    /// A record without values: headers and zeros.
    template: Vec<u8>,
    places: Vec<Place>,
    tails: Vec<Tail>,
}

/// A field at the same place in all records of a shape.
#[derive(Clone, Copy, Debug)]
struct Place {
    field: Field,
    offset: usize,
    stored: Stored,
}

/// A field of any length, behind what all records of a shape have.
#[derive(Clone, Copy, Debug)]
struct Tail {
    field: Field,
    element: u8,
    /// Whether it ends with the first NUL.
    is_text: bool,
    /// NULs behind it.
    nuls: usize,
    /// Where the template has the element's header, when the element has a fixed part.
    header: Option<usize>,
}

/// Where the record of a row stands in the block.
#[derive(Clone, Copy, Debug)]
struct Slot {
    row: usize,
    at: usize,
}

/// Rows of a batch as they will be written.
pub(super) struct Planned<'a> {
    batch: &'a FlowBatch,
    rows: Vec<PlannedRow>,
    /// Rows whose record would be too long with the field at the end of an element with a fixed part.
    cut: HashSet<usize>,
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct PlannedRow {
    shape: u32,
    len: u32,
}

impl RowEncoder {
    pub(super) fn new(release: NfdumpRelease) -> RowEncoder {
        let is_readable = |id: &u8| release > NfdumpRelease::V1_7_1 || !SINCE_1_7_2.contains(id);
        RowEncoder {
            writable: ELEMENTS.iter().map(|element| element.id).filter(is_readable).map(|id| 1 << id).sum(),
            shapes: Vec::new(),
            by_groups: HashMap::new(),
            records: Vec::new(),
        }
    }

    /// Decides how the rows of a batch are written, and counts what cannot be.
    pub(super) fn plan<'a>(&mut self, batch: &'a FlowBatch, omitted: &mut Omitted) -> Planned<'a> {
        let (carried, has_mixed_pairs) = carried_groups(batch);
        if self.shapes.len() > MOST_SHAPES {
            self.shapes.clear();
            self.by_groups.clear();
            self.records.clear();
        }
        let mut rows = Vec::with_capacity(batch.len());
        let mut cut = HashSet::new();
        let mut last = None;
        for (row, &groups) in carried.iter().enumerate() {
            let groups = groups & self.writable | 1 << Groups::GENERIC;
            let shape = match last {
                Some((same, shape)) if same == groups => shape,
                _ => self.shape(groups),
            };
            last = Some((groups, shape));
            let mut planned =
                PlannedRow { shape: shape as u32, len: self.shapes[shape].record_len(batch, row) };
            if planned.len as usize > MAX_RECORD {
                planned = self.shorten(batch, row, shape, &mut cut);
            }
            rows.push(planned);
        }
        let planned = Planned { batch, rows, cut, next: 0 };
        self.count_omitted(&planned, has_mixed_pairs, omitted);
        planned
    }

    /// Writes the records of the next rows, as many as a block holds, and says how many those were; 0 at the end.
    pub(super) fn encode_block(&mut self, planned: &mut Planned<'_>, block: &mut Vec<u8>) -> u32 {
        self.records.iter_mut().for_each(Vec::clear);
        let first = planned.next;
        let mut len = 0;
        while let Some(row) = planned.rows.get(planned.next)
            && len + row.len as usize <= MAX_BLOCK
        {
            self.records[row.shape as usize].push(Slot { row: planned.next, at: len });
            len += row.len as usize;
            planned.next += 1;
        }
        block.resize(len, 0);
        for (shape, slots) in self.shapes.iter().zip(&self.records) {
            shape.write(planned, slots, block);
        }
        (planned.next - first) as u32
    }

    /// Leaves out the longest fields of a row, as many as it takes for the record to be short enough.
    fn shorten(
        &mut self,
        batch: &FlowBatch,
        row: usize,
        shape: usize,
        cut: &mut HashSet<usize>,
    ) -> PlannedRow {
        let mut shape = shape;
        loop {
            let Shape { groups, tails, .. } = &self.shapes[shape];
            let uncut = tails.iter().filter(|tail| tail.header.is_none() || !cut.contains(&row));
            let len = self.shapes[shape].record_len(batch, row) as usize;
            let cut_len = tails.iter().filter(|tail| tail.header.is_some() && cut.contains(&row));
            let len = len - cut_len.map(|tail| tail.octets(batch, row).len()).sum::<usize>();
            match uncut.max_by_key(|tail| tail.octets(batch, row).len()) {
                Some(longest) if len > MAX_RECORD => {
                    if longest.header.is_some() {
                        cut.insert(row);
                    } else {
                        let rest = groups.0 & !(1 << longest.element);
                        shape = self.shape(rest);
                    }
                }
                _ => return PlannedRow { shape: shape as u32, len: len as u32 },
            }
        }
    }

    /// The number of the shape of a set of groups.
    fn shape(&mut self, groups: u64) -> usize {
        *self.by_groups.entry(groups).or_insert_with(|| {
            self.shapes.push(Shape::new(Groups(groups)));
            self.records.push(Vec::new());
            self.shapes.len() - 1
        })
    }

    /// Counts values that have no place.
    fn count_omitted(&self, planned: &Planned<'_>, has_mixed_pairs: bool, omitted: &mut Omitted) {
        let batch = planned.batch;
        let mut lossy = Vec::new();
        for field in batch
            .fields()
            .intersect(FieldSet::ALL)
            .iter()
            .filter(|&field| self.may_omit(field, has_mixed_pairs))
        {
            let column = batch.column(field);
            let mut count = 0;
            for (row, planned_row) in planned.rows.iter().enumerate() {
                let shape = &self.shapes[planned_row.shape as usize];
                let is_cut = planned.cut.contains(&row) && shape.cuts(field);
                if is_cut || !shape.holds(field, column.get(row)) {
                    lossy.resize(batch.len(), false);
                    lossy[row] = true;
                    count += 1;
                }
            }
            if count > 0 {
                *omitted.fields.entry(field).or_default() += count;
            }
        }
        omitted.flows += lossy.iter().filter(|&&lossy| lossy).count() as u64;
    }

    /// Whether there may be values of a field without a place. Of most there are none, and looking costs time.
    fn may_omit(&self, field: Field, has_mixed_pairs: bool) -> bool {
        let info = field_info(field);
        match info.group {
            _ if info.kind == Kind::Bytes => true,
            Group::Header => field == Field::EventTimeMs,
            Group::Extension(id) => self.writable >> id & 1 == 0,
            Group::ByFamily(..) => has_mixed_pairs,
        }
    }
}

/// Elements about which 1.7.1 complains, record by record.
const SINCE_1_7_2: [u8; 8] = [
    Groups::SAMPLER,
    Groups::FRAME_META,
    Groups::FRAME,
    Groups::LAYER2,
    Groups::FLOW_ID,
    Groups::NOKIA_NAT,
    Groups::NOKIA_NAT_STRING,
    Groups::IP_INFO,
];

/// Distinct sets of groups remembered. Exporters have a few dozen; only a crafted file has more.
const MOST_SHAPES: usize = 4096;

impl Shape {
    fn new(groups: Groups) -> Shape {
        let mut template = vec![0; RECORD_HEADER_LEN];
        let mut places: Vec<Place> = HEADER.iter().map(|&member| Place::of(member, 0)).collect();
        let mut tails = Vec::new();
        // Fields of any length come last, so that all others stand at the same place in every record; an element that
        // has one behind a fixed part is the first of them.
        let mut elements: Vec<&Element> =
            ELEMENTS.iter().filter(|element| groups.contains(element.id)).collect();
        elements.sort_by_key(|element| (tail_of(element).is_some(), element.len == 0));
        for element in &elements {
            let start = template.len();
            let tail = tail_of(element);
            let header = (tail.is_none() || element.len > 0).then_some(start);
            if header.is_some() {
                template.extend_from_slice(&u16::from(element.id).to_le_bytes());
                template.extend_from_slice(&(element.len + ELEMENT_HEADER_LEN as u16).to_le_bytes());
                template.resize(start + ELEMENT_HEADER_LEN + usize::from(element.len), 0);
            }
            let members = element.members.iter().filter(|&&member| is_written(member, element.id));
            places.extend(
                members
                    .filter(|member| member.stored.fixed_len().is_some())
                    .map(|&member| Place::of(member, start + ELEMENT_HEADER_LEN)),
            );
            if element.id == Groups::SAMPLER {
                let offset = start + ELEMENT_HEADER_LEN + SAMPLER_EXPORTER;
                places.push(Place { field: Field::ExporterId, offset, stored: Stored::U16 });
            }
            tails.extend(tail.map(|(field, is_text, nuls)| Tail {
                field,
                element: element.id,
                is_text,
                nuls,
                header,
            }));
        }
        let len = template.len() as u16;
        template[0..2].copy_from_slice(&record::FLOW.to_le_bytes());
        template[2..4].copy_from_slice(&len.to_le_bytes());
        template[4..6].copy_from_slice(&(elements.len() as u16).to_le_bytes());
        Shape { groups, template, places, tails }
    }

    /// Octets of a row's record with all its fields.
    fn record_len(&self, batch: &FlowBatch, row: usize) -> u32 {
        let tail_len = |tail: &Tail| {
            let header = if tail.header.is_some() { 0 } else { ELEMENT_HEADER_LEN };
            header + tail.octets(batch, row).len() + tail.nuls
        };
        let len = self.template.len() + self.tails.iter().map(tail_len).sum::<usize>();
        u32::try_from(len).unwrap_or(u32::MAX)
    }

    /// Whether a field ends an element with a fixed part, so that it can be cut off.
    fn cuts(&self, field: Field) -> bool {
        self.tails.iter().any(|tail| tail.field == field && tail.header.is_some())
    }

    /// Whether a record of this shape has a value in full.
    fn holds(&self, field: Field, value: ValueRef<'_>) -> bool {
        let info = field_info(field);
        let is_default = match value {
            ValueRef::Num(num) => num == field.default_num(),
            ValueRef::Ip(addr) => addr.is_unspecified(),
            ValueRef::Bytes(octets) => octets.is_empty(),
        };
        if is_default || field == Field::Groups {
            return true;
        }
        match (info.group, value) {
            (Group::Header, _) if field == Field::EventTimeMs => {
                self.groups.contains(Groups::NSEL) || self.groups.contains(Groups::NAT)
            }
            // In an element of IPv6 addresses.
            (Group::ByFamily(_, v6), ValueRef::Ip(IpAddr::V4(_))) => !self.groups.contains(v6),
            (Group::Extension(_), ValueRef::Bytes(octets)) => {
                let place = self.places.iter().find(|place| place.field == field);
                let tail = self.tails.iter().find(|tail| tail.field == field);
                match (place.map(|place| place.stored), tail) {
                    (Some(Stored::Text(len)), _) => text(octets, len).len() == octets.len(),
                    (_, Some(tail)) => !tail.is_text || !octets.contains(&0),
                    _ => false,
                }
            }
            (Group::Extension(Groups::TUNNEL_V4), _) => true,
            (Group::Extension(id), _) => self.groups.contains(id),
            _ => true,
        }
    }

    /// Writes records.
    fn write(&self, planned: &Planned<'_>, slots: &[Slot], block: &mut [u8]) {
        if slots.is_empty() {
            return;
        }
        let len = self.template.len();
        for slot in slots {
            block[slot.at..slot.at + len].copy_from_slice(&self.template);
        }
        let batch = planned.batch;
        for place in &self.places {
            write_column(batch.column(place.field), *place, slots, block);
        }
        if !self.tails.is_empty() {
            for slot in slots {
                self.write_tails(planned, *slot, block);
            }
        }
    }

    fn write_tails(&self, planned: &Planned<'_>, slot: Slot, block: &mut [u8]) {
        let mut end = slot.at + self.template.len();
        for tail in &self.tails {
            let is_cut = tail.header.is_some() && planned.cut.contains(&slot.row);
            let octets = if is_cut { &[] } else { tail.octets(planned.batch, slot.row) };
            let start = tail.header.map_or(end, |offset| slot.at + offset);
            if start == end {
                block[start..start + 2].copy_from_slice(&u16::from(tail.element).to_le_bytes());
                end += ELEMENT_HEADER_LEN;
            }
            block[end..end + octets.len()].copy_from_slice(octets);
            end += octets.len();
            block[end..end + tail.nuls].fill(0);
            end += tail.nuls;
            block[start + 2..start + 4].copy_from_slice(&((end - start) as u16).to_le_bytes());
        }
        block[slot.at + 2..slot.at + 4].copy_from_slice(&((end - slot.at) as u16).to_le_bytes());
    }
}

impl Tail {
    /// What of a row's value is stored.
    fn octets<'a>(&self, batch: &'a FlowBatch, row: usize) -> &'a [u8] {
        let octets = batch.column(self.field).bytes(row);
        if self.is_text { before_nul(octets) } else { octets }
    }
}

impl Place {
    fn of(member: Member, start: usize) -> Place {
        Place { field: member.field, offset: start + usize::from(member.offset), stored: member.stored }
    }
}

/// The field of any length at the end of an element, whether it is text, and how many NULs follow it.
fn tail_of(element: &Element) -> Option<(Field, bool, usize)> {
    let member = element.members.last()?;
    match member.stored {
        Stored::Octets => Some((member.field, false, 0)),
        Stored::TextToEnd { terminator } => Some((member.field, true, terminator.into())),
        _ => None,
    }
}

/// Whether an element is written with a member: not where releases before the field had an element of its own put it.
fn is_written(member: Member, element: u8) -> bool {
    match field_info(member.field).group {
        Group::Extension(Groups::TUNNEL_V4) | Group::Header | Group::ByFamily(..) => true,
        Group::Extension(id) => id == element,
    }
}

/// Where a sampler's element repeats the number of the exporter.
const SAMPLER_EXPORTER: usize = 8;

/// What of a text fits `len` octets of which the last is a NUL.
fn text(octets: &[u8], len: u8) -> &[u8] {
    let octets = before_nul(octets);
    &octets[..octets.len().min(usize::from(len) - 1)]
}

fn before_nul(octets: &[u8]) -> &[u8] {
    &octets[..octets.iter().position(|&octet| octet == 0).unwrap_or(octets.len())]
}

/// Writes the values of a column where the records have them.
fn write_column(column: &Column, place: Place, slots: &[Slot], block: &mut [u8]) {
    match place.stored {
        Stored::V4 | Stored::V6 => write_addrs(column, place, slots, block),
        Stored::Text(len) => {
            for slot in slots {
                let octets = text(column.bytes(slot.row), len);
                let start = slot.at + place.offset;
                block[start..start + octets.len()].copy_from_slice(octets);
            }
        }
        _ => write_nums(column, place, slots, block),
    }
}

fn write_nums(column: &Column, place: Place, slots: &[Slot], block: &mut [u8]) {
    match column {
        Column::Constant(value) => {
            let num = if let Value::Num(num) = value { *num } else { 0 };
            put_nums(|_| num, place, slots, block);
        }
        Column::Dictionary(dictionary) => {
            let codes = &dictionary.codes;
            let code = |row: usize| usize::from(codes[row]);
            match &dictionary.values {
                Values::U8(v) => put_nums(|row| v[code(row)].into(), place, slots, block),
                Values::U16(v) => put_nums(|row| v[code(row)].into(), place, slots, block),
                Values::U32(v) => put_nums(|row| v[code(row)].into(), place, slots, block),
                Values::U64(v) => put_nums(|row| v[code(row)], place, slots, block),
                Values::Ip(_) | Values::Bytes(_) => {}
            }
        }
        Column::Plain(values) => match values {
            Values::U8(v) => put_nums(|row| v[row].into(), place, slots, block),
            Values::U16(v) => put_nums(|row| v[row].into(), place, slots, block),
            Values::U32(v) => put_nums(|row| v[row].into(), place, slots, block),
            Values::U64(v) => put_nums(|row| v[row], place, slots, block),
            Values::Ip(_) | Values::Bytes(_) => {}
        },
    }
}

fn put_nums(num: impl Fn(usize) -> u64, place: Place, slots: &[Slot], block: &mut [u8]) {
    match place.stored {
        Stored::U8 | Stored::Ttl => put(|row| [num(row) as u8], place, slots, block),
        Stored::Flags => put(|row| [num(row) as u8 & STORED_FLAGS], place, slots, block),
        Stored::U16 => put(|row| (num(row) as u16).to_le_bytes(), place, slots, block),
        Stored::U32 => put(|row| (num(row) as u32).to_le_bytes(), place, slots, block),
        Stored::U32Big => put(|row| (num(row) as u32).to_be_bytes(), place, slots, block),
        Stored::U64 => put(|row| num(row).to_le_bytes(), place, slots, block),
        // Other kinds of values, and forms that are only read.
        Stored::V4
        | Stored::V6
        | Stored::Octets
        | Stored::Text(_)
        | Stored::TextToEnd { .. }
        | Stored::I32
        | Stored::Stamp(_)
        | Stored::BlockEnd
        | Stored::PortOrIcmp
        | Stored::Fixed(_) => {}
    }
}

/// The uppermost flag of a record means something in nfdump's memory only.
const STORED_FLAGS: u8 = 0x7f;

fn write_addrs(column: &Column, place: Place, slots: &[Slot], block: &mut [u8]) {
    match column {
        Column::Constant(_) => put_addrs(|row| column.ip(row), place, slots, block),
        Column::Dictionary(dictionary) => {
            if let Values::Ip(v) = &dictionary.values {
                put_addrs(|row| v[usize::from(dictionary.codes[row])], place, slots, block);
            }
        }
        Column::Plain(values) => {
            if let Values::Ip(v) = values {
                put_addrs(|row| v[row], place, slots, block);
            }
        }
    }
}

fn put_addrs(addr: impl Fn(usize) -> IpAddr, place: Place, slots: &[Slot], block: &mut [u8]) {
    if place.stored == Stored::V4 {
        put(|row| v4_octets(addr(row)), place, slots, block);
    } else {
        put(|row| v6_octets(addr(row)), place, slots, block);
    }
}

fn put<const N: usize>(octets: impl Fn(usize) -> [u8; N], place: Place, slots: &[Slot], block: &mut [u8]) {
    for slot in slots {
        let start = slot.at + place.offset;
        block[start..start + N].copy_from_slice(&octets(slot.row));
    }
}

/// An IPv4 address as layout 2 has it. Records with an IPv6 address have another shape.
pub(super) fn v4_octets(addr: IpAddr) -> [u8; 4] {
    match addr {
        IpAddr::V4(addr) => addr.to_bits().to_le_bytes(),
        IpAddr::V6(_) => [0; 4],
    }
}

/// An IPv6 address as layout 2 has it. An IPv4 address beside an IPv6 one becomes a mapped one.
pub(super) fn v6_octets(addr: IpAddr) -> [u8; 16] {
    let bits = match addr {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => 0,
        IpAddr::V4(addr) => addr.to_ipv6_mapped().to_bits(),
        IpAddr::V6(addr) => Ipv6Addr::to_bits(addr),
    };
    let mut octets = [0; 16];
    octets[..8].copy_from_slice(&((bits >> 64) as u64).to_le_bytes());
    octets[8..].copy_from_slice(&(bits as u64).to_le_bytes());
    octets
}

/// Addresses that share an element, and the numbers of their groups.
const FAMILIES: [(&[Field], u8, u8); 6] = [
    (&[Field::SrcAddr, Field::DstAddr], Groups::IPV4, Groups::IPV6),
    (&[Field::BgpNextHop], Groups::BGP_NEXT_HOP_V4, Groups::BGP_NEXT_HOP_V6),
    (&[Field::NextHop], Groups::NEXT_HOP_V4, Groups::NEXT_HOP_V6),
    (&[Field::RouterAddr], Groups::ROUTER_V4, Groups::ROUTER_V6),
    (&[Field::XlateSrcAddr, Field::XlateDstAddr], Groups::XLATE_V4, Groups::XLATE_V6),
    (&[Field::TunnelSrcAddr, Field::TunnelDstAddr], Groups::TUNNEL_V4, Groups::TUNNEL_V6),
];

/// Elements that are nothing but octets. Without any they are not written: nfdump 1.7.1 complains about empty payload.
const OCTETS: [(Field, u8); 4] = [
    (Field::AppId, Groups::APP_ID),
    (Field::InPayload, Groups::IN_PAYLOAD),
    (Field::OutPayload, Groups::OUT_PAYLOAD),
    (Field::Frame, Groups::FRAME),
];

/// The groups of each row: those it says it carries, and those of which it has a value nevertheless (aggregation gives
/// flow counts to records that had none); of two families, the one that its addresses have. Also whether any row has
/// an IPv4 address beside an IPv6 one.
fn carried_groups(batch: &FlowBatch) -> (Vec<u64>, bool) {
    let mut groups = Vec::with_capacity(batch.len());
    let mut has_mixed_pairs = false;
    batch.column(Field::Groups).gather_range(0..batch.len(), &mut groups);
    let in_all = groups.iter().fold(u64::MAX, |all, groups| all & groups);
    for field in batch.fields().intersect(FieldSet::ALL).iter() {
        if let Group::Extension(id) = field_info(field).group
            && in_all >> id & 1 == 0
        {
            add_group_of_values(batch.column(field), field, 1 << id, &mut groups);
        }
    }
    let in_any = groups.iter().fold(0, |any, groups| any | groups);
    for (field, group) in OCTETS {
        if in_any >> group & 1 == 1 {
            let column = batch.column(field);
            let without = groups.iter_mut().enumerate().filter(|(row, _)| column.bytes(*row).is_empty());
            without.for_each(|(_, groups)| *groups &= !(1 << group));
        }
    }
    for (fields, v4, v6) in FAMILIES {
        let columns: Vec<&Column> =
            batch.fields().intersect(FieldSet::of(fields)).iter().map(|field| batch.column(field)).collect();
        if columns.is_empty() && in_any & (1 << v4 | 1 << v6) == 0 {
            continue;
        }
        let is_plain_v4 = in_all >> v4 & 1 == 1 && in_any >> v6 & 1 == 0;
        if is_plain_v4 && !columns.iter().any(|column| has_v6(column)) {
            continue;
        }
        for (row, groups) in groups.iter_mut().enumerate() {
            let (mut has_v4, mut has_v6) = (false, false);
            for column in &columns {
                match column.ip(row) {
                    IpAddr::V4(addr) => has_v4 |= !addr.is_unspecified(),
                    IpAddr::V6(_) => has_v6 = true,
                }
            }
            has_mixed_pairs |= has_v4 && has_v6;
            let says = (*groups >> v4 & 1 == 1, *groups >> v6 & 1 == 1);
            let is_v6 = has_v6 || (says == (false, true) && !has_v4);
            if has_v4 || has_v6 || says != (false, false) {
                *groups = *groups & !(1 << v4 | 1 << v6) | 1 << if is_v6 { v6 } else { v4 };
            }
        }
    }
    (groups, has_mixed_pairs)
}

fn has_v6(column: &Column) -> bool {
    match column {
        Column::Constant(_) => column.ip(0).is_ipv6(),
        // In their order every IPv6 address comes last.
        Column::Dictionary(dictionary) => match &dictionary.values {
            Values::Ip(values) => values.last().is_some_and(IpAddr::is_ipv6),
            _ => false,
        },
        Column::Plain(Values::Ip(values)) => values.iter().any(IpAddr::is_ipv6),
        Column::Plain(_) => false,
    }
}

/// Adds a group to the rows that have another value than the default.
fn add_group_of_values(column: &Column, field: Field, bit: u64, groups: &mut [u64]) {
    let is_value = |value: ValueRef<'_>| match value {
        ValueRef::Num(num) => num != field.default_num(),
        ValueRef::Ip(addr) => !addr.is_unspecified(),
        ValueRef::Bytes(octets) => !octets.is_empty(),
    };
    match column {
        Column::Constant(value) if !is_value(value.as_ref()) => {}
        Column::Dictionary(dictionary) => {
            let bits: Vec<u64> = (0..dictionary.values.len())
                .map(|code| if is_value(dictionary.values.get(code)) { bit } else { 0 })
                .collect();
            for (groups, &code) in groups.iter_mut().zip(&dictionary.codes) {
                *groups |= bits[usize::from(code)];
            }
        }
        _ => {
            for (row, groups) in groups.iter_mut().enumerate() {
                if is_value(column.get(row)) {
                    *groups |= bit;
                }
            }
        }
    }
}
