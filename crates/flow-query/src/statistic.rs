//! Element statistics (`-s`): what the flows of each address, port, ... add up to.

use crate::counts::{COUNTER_FIELDS, Counts, Scratch, Sums};
use crate::group::{Partitions, merge_partitions};
use crate::topn::{Standing, TopN};
use crate::{QueryError, RowOrigin, Scanned, Sink};
use flow_model::{
    Column, Counters, Field, FieldSet, FlowBatch, Order, Selection, Statistic, Value, ValueRef, Values,
    field_info,
};
use std::cmp::Ordering;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One element statistic.
#[derive(Clone, Debug)]
pub struct StatSpec {
    /// Over which field or fields; a flow counts once for each field.
    pub statistic: &'static Statistic,
    /// Whether rows are split by protocol.
    pub by_proto: bool,
    /// One table for each of these.
    pub orders: Vec<Order>,
    /// The direction; `None` = what is usual for the order.
    pub ascending: Option<bool>,
    /// How many rows a table has at most; 0 = all.
    pub top: usize,
}

/// The table of one order of a statistic.
#[derive(Clone, Debug)]
pub struct StatTable {
    /// What the rows are ordered by.
    pub order: Order,
    /// The rows, in one batch however many there are. Columns: times, counters, the protocol (0 unless the
    /// statistic is split by it), and the value, as the statistic's first field.
    pub rows: FlowBatch,
}

/// Element statistics, any number of them in one pass. Per statistic, a table for each order.
///
/// Within a block, flows are added up by dictionary code; the hash table is touched once per distinct value and
/// block.
#[derive(Clone, Debug)]
pub struct Statistics {
    /// The statistics.
    pub specs: Vec<StatSpec>,
}

/// What a worker keeps.
pub struct StatPartial {
    scratch: Scratch,
    block: BlockSums,
    groups: Vec<Groups>,
}

impl Sink for Statistics {
    type Partial = StatPartial;
    type Output = Vec<Vec<StatTable>>;

    fn columns(&self) -> FieldSet {
        let mut fields = COUNTER_FIELDS;
        for spec in &self.specs {
            spec.statistic.fields.iter().for_each(|&field| fields.insert(field));
            if spec.splits() {
                fields.insert(Field::Proto);
            }
        }
        fields
    }

    fn start(&self) -> StatPartial {
        StatPartial {
            scratch: Scratch::default(),
            block: BlockSums::default(),
            groups: self.specs.iter().map(|_| Groups::default()).collect(),
        }
    }

    fn push(
        &self,
        partial: &mut StatPartial,
        batch: &FlowBatch,
        selection: &Selection,
        origin: RowOrigin,
    ) -> Result<(), QueryError> {
        let counts = Counts::new(batch, selection, &mut partial.scratch);
        for (spec, groups) in self.specs.iter().zip(&mut partial.groups) {
            let proto = spec.splits().then(|| batch.column(Field::Proto));
            for &field in spec.statistic.fields {
                partial.block.add(batch.column(field), proto, &counts, origin, groups);
            }
        }
        Ok(())
    }

    fn finish(&self, partials: Vec<StatPartial>, scanned: &Scanned<'_>) -> Result<Self::Output, QueryError> {
        let mut of_workers: Vec<Vec<Groups>> = self.specs.iter().map(|_| Vec::new()).collect();
        for partial in partials {
            for (all, groups) in of_workers.iter_mut().zip(partial.groups) {
                all.push(groups);
            }
        }
        Ok(self
            .specs
            .iter()
            .zip(of_workers)
            .map(|(spec, groups)| {
                let rankings = spec.rank(groups, scanned);
                spec.orders.iter().zip(rankings).map(|(&order, best)| spec.table(order, best)).collect()
            })
            .collect())
    }
}

impl StatSpec {
    /// Whether the protocol is part of the key: the statistic of the protocol itself needs no other.
    fn splits(&self) -> bool {
        self.by_proto && self.statistic.fields != [Field::Proto]
    }

    fn rank(&self, groups: Vec<Groups>, scanned: &Scanned<'_>) -> Vec<TopN<Row>> {
        let (mut narrow, mut wide, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        for groups in groups {
            narrow.push(groups.narrow);
            wide.push(groups.wide);
            bytes.push(groups.bytes);
        }
        let is_ip = field_info(self.statistic.fields[0]).kind == flow_model::Kind::Ip;
        let mut rankings: Vec<TopN<Row>> = self.orders.iter().map(|_| TopN::new(self.top)).collect();
        self.offer(narrow, scanned, &mut rankings, |key| narrow_value(*key, is_ip));
        self.offer(wide, scanned, &mut rankings, |key| wide_value(*key, is_ip));
        self.offer(bytes, scanned, &mut rankings, |(proto, bytes)| (*proto, Value::Bytes(bytes.clone())));
        rankings
    }

    /// Brings the groups of all workers together and offers them to the rankings.
    fn offer<K: Hash + Eq + Clone + Send + Sync>(
        &self,
        groups: Vec<Partitions<K>>,
        scanned: &Scanned<'_>,
        rankings: &mut [TopN<Row>],
        value: impl Fn(&K) -> (u8, Value) + Sync,
    ) {
        let ranked = merge_partitions(groups, scanned, |table| {
            let mut best: Vec<TopN<Row>> = self.orders.iter().map(|_| TopN::new(self.top)).collect();
            for (key, sums) in table.iter() {
                for (&order, best) in self.orders.iter().zip(&mut best) {
                    let ascending = self.ascending.unwrap_or(order.ascends());
                    best.push(Standing::by(order, ascending, &sums.counters, sums.origin()), || {
                        let (proto, value) = value(key);
                        Row { proto, value, counters: sums.counters }
                    });
                }
            }
            best
        });
        for best in ranked {
            for (ranking, best) in rankings.iter_mut().zip(best) {
                ranking.merge(best);
            }
        }
    }

    fn table(&self, order: Order, best: TopN<Row>) -> StatTable {
        let field = self.statistic.fields[0];
        let rows: Vec<Row> = best.finish().into_iter().map(|(_, row)| row).collect();
        let mut batch = FlowBatch::new(rows.len());
        let mut nums = |field, num: fn(&Row) -> u64| {
            let mut values = Values::new(field_info(field).kind);
            rows.iter().for_each(|row| values.push(ValueRef::Num(num(row))));
            batch.insert(field, Column::Plain(values));
        };
        nums(Field::FirstMs, |row| row.counters.first_ms);
        nums(Field::LastMs, |row| row.counters.last_ms);
        nums(Field::Flows, |row| row.counters.flows);
        nums(Field::InPackets, |row| row.counters.in_packets);
        nums(Field::InBytes, |row| row.counters.in_bytes);
        nums(Field::OutPackets, |row| row.counters.out_packets);
        nums(Field::OutBytes, |row| row.counters.out_bytes);
        nums(Field::Proto, |row| row.proto.into());
        let mut values = Values::new(field_info(field).kind);
        rows.iter().for_each(|row| values.push(row.value.as_ref()));
        batch.insert(field, Column::Plain(values));
        StatTable { order, rows: batch }
    }
}

/// A row of a table. Rows that stand equal are ordered by protocol and value.
#[derive(Debug)]
struct Row {
    proto: u8,
    value: Value,
    counters: Counters,
}

impl Ord for Row {
    fn cmp(&self, other: &Row) -> Ordering {
        (self.proto, &self.value).cmp(&(other.proto, &other.value))
    }
}

impl PartialOrd for Row {
    fn partial_cmp(&self, other: &Row) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Row {
    fn eq(&self, other: &Row) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Row {}

/// The groups of one statistic at one worker, by how wide their keys are. Each key holds the protocol too, 0 when
/// the statistic is not split by it.
#[derive(Default)]
struct Groups {
    /// IPv4 addresses, and numbers below 2^56; the protocol in the top octet.
    narrow: Partitions<u64>,
    /// IPv6 addresses, and larger numbers: high half, low half, protocol.
    wide: Partitions<[u64; 3]>,
    bytes: Partitions<(u8, Box<[u8]>)>,
}

const NARROW_BITS: u32 = 56;

impl Groups {
    #[inline]
    fn merge(&mut self, value: ValueRef<'_>, proto: u8, sums: &Sums) {
        let shifted = u64::from(proto) << NARROW_BITS;
        match value {
            ValueRef::Ip(IpAddr::V4(addr)) => self.narrow.group(&(u64::from(addr.to_bits()) | shifted)).merge(sums),
            ValueRef::Num(num) if num >> NARROW_BITS == 0 => self.narrow.group(&(num | shifted)).merge(sums),
            ValueRef::Ip(IpAddr::V6(addr)) => {
                let bits = addr.to_bits();
                self.wide.group(&[(bits >> 64) as u64, bits as u64, proto.into()]).merge(sums);
            }
            ValueRef::Num(num) => self.wide.group(&[0, num, proto.into()]).merge(sums),
            ValueRef::Bytes(bytes) => self.bytes.group(&(proto, bytes.into())).merge(sums),
        }
    }
}

fn narrow_value(key: u64, is_ip: bool) -> (u8, Value) {
    let num = key & ((1 << NARROW_BITS) - 1);
    let value = if is_ip { Value::Ip(Ipv4Addr::from_bits(num as u32).into()) } else { Value::Num(num) };
    ((key >> NARROW_BITS) as u8, value)
}

fn wide_value([high, low, proto]: [u64; 3], is_ip: bool) -> (u8, Value) {
    let value = if is_ip {
        Value::Ip(Ipv6Addr::from_bits(u128::from(high) << 64 | u128::from(low)).into())
    } else {
        Value::Num(low)
    };
    (proto as u8, value)
}

/// Adds up the rows of one block by value, before hash tables are touched.
#[derive(Default)]
struct BlockSums {
    sums: Vec<Sums>,
    /// For each sum: a code and a protocol.
    entries: Vec<(u16, u8)>,
    /// By code and protocol: number of the sum plus 1; all 0 between blocks.
    numbers: Vec<u32>,
}

/// Codes times protocols may be so many, 4 MiB of numbers, before rows go to the hash table one by one.
const MAX_NUMBERS: usize = 1 << 20;

impl BlockSums {
    fn add(
        &mut self,
        column: &Column,
        proto: Option<&Column>,
        counts: &Counts<'_>,
        origin: RowOrigin,
        groups: &mut Groups,
    ) {
        let proto_of = |row| proto.map_or(0, |proto| proto.num(row) as u8);
        match column {
            Column::Dictionary(dictionary) if proto.is_none() && counts.rows().is_none() => {
                // Every code occurs, so codes themselves number the sums.
                self.sums.clear();
                self.sums.resize(dictionary.values.len(), Sums::EMPTY);
                let (sums, codes) = (&mut self.sums[..], &dictionary.codes[..counts.len()]);
                counts.for_each(|index, row| {
                    sums[usize::from(codes[index])].add(&row, origin.with_row(index), 0);
                });
                for (code, sums) in self.sums.iter().enumerate().filter(|(_, sums)| !sums.is_empty()) {
                    groups.merge(dictionary.values.get(code), 0, sums);
                }
            }
            Column::Dictionary(dictionary) => {
                let protos = Protos::of(proto, counts);
                if dictionary.values.len() * protos.count() > MAX_NUMBERS {
                    add_rows(column, proto_of, counts, origin, groups);
                } else {
                    self.add_numbered(dictionary.values.len(), |row| dictionary.codes[row], &protos, counts, origin);
                    self.drain(&protos, |code, proto, sums| groups.merge(dictionary.values.get(code), proto, sums));
                }
            }
            Column::Constant(value) => {
                let protos = Protos::of(proto, counts);
                self.add_numbered(1, |_| 0, &protos, counts, origin);
                self.drain(&protos, |_, proto, sums| groups.merge(value.as_ref(), proto, sums));
            }
            Column::Plain(_) => add_rows(column, proto_of, counts, origin, groups),
        }
    }

    /// Adds rows up by code and protocol.
    fn add_numbered(
        &mut self,
        codes: usize,
        code: impl Fn(usize) -> u16,
        protos: &Protos<'_>,
        counts: &Counts<'_>,
        origin: RowOrigin,
    ) {
        let width = protos.count();
        if self.numbers.len() < codes * width {
            self.numbers.resize(codes * width, 0);
        }
        self.sums.clear();
        self.entries.clear();
        counts.for_each(|index, counters| {
            let row = counts.row(index);
            let (code, proto) = (code(row), protos.place(row));
            let number = &mut self.numbers[usize::from(code) * width + usize::from(proto)];
            if *number == 0 {
                self.sums.push(Sums::EMPTY);
                self.entries.push((code, proto));
                *number = self.sums.len() as u32;
            }
            self.sums[*number as usize - 1].add(&counters, origin.with_row(row), 0);
        });
    }

    /// Hands out the sums and forgets them.
    fn drain(&mut self, protos: &Protos<'_>, mut sum: impl FnMut(usize, u8, &Sums)) {
        let width = protos.count();
        for (&(code, place), sums) in self.entries.iter().zip(&self.sums) {
            self.numbers[usize::from(code) * width + usize::from(place)] = 0;
            sum(code.into(), protos.proto(place), sums);
        }
    }
}

fn add_rows(
    column: &Column,
    proto: impl Fn(usize) -> u8,
    counts: &Counts<'_>,
    origin: RowOrigin,
    groups: &mut Groups,
) {
    counts.for_each(|index, counters| {
        let row = counts.row(index);
        let mut sums = Sums::EMPTY;
        sums.add(&counters, origin.with_row(row), 0);
        groups.merge(column.get(row), proto(row), &sums);
    });
}

/// The protocols of a block, numbered without gaps.
struct Protos<'a> {
    column: Option<&'a Column>,
    places: [u8; 256],
    protos: Vec<u8>,
}

impl<'a> Protos<'a> {
    fn of(column: Option<&'a Column>, counts: &Counts<'_>) -> Protos<'a> {
        let mut occurs = [false; 256];
        match column {
            None => occurs[0] = true,
            Some(column) => {
                (0..counts.len()).for_each(|index| occurs[column.num(counts.row(index)) as usize & 255] = true);
            }
        }
        let mut places = [0; 256];
        let mut protos = Vec::new();
        for proto in (0..=255_u8).filter(|&proto| occurs[usize::from(proto)]) {
            places[usize::from(proto)] = protos.len() as u8;
            protos.push(proto);
        }
        Protos { column, places, protos }
    }

    fn count(&self) -> usize {
        self.protos.len()
    }

    #[inline]
    fn place(&self, row: usize) -> u8 {
        self.column.map_or(0, |column| self.places[column.num(row) as usize & 255])
    }

    fn proto(&self, place: u8) -> u8 {
        self.protos[usize::from(place)]
    }
}
