//! Aggregation (`-a`, `-A`, `-s record`): flows of equal key become one.

use super::direction::{opposite, put_clients_left, unify, with_opposites};
use super::key::key_fields;
use super::{
    CountedRows, Direction, Grouper, Grouping, KeyPart, Layout, Ranking, Shape, VolumeRows, Winner, Winners,
};
use crate::counts::{COUNTER_FIELDS, Counts, Scratch, Volumes, put_counters, slice};
use crate::spill::Memory;
use crate::{Listing, Overview, Probe, QueryError, RowOrigin, Scanned, Sink};
use flow_model::{
    Column, Field, FieldSet, FlowBatch, Groups, Kind, MAX_BATCH_ROWS, Selection, Value, ValueRef, Values,
    field_info,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Brings flows of equal key together.
///
/// Counters are summed, TCP flags or-ed, first is the earliest start and last the latest end. What the other fields
/// show, [`keep_first`](Self::keep_first) decides.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// What flows are grouped by.
    pub key: Vec<KeyPart>,
    /// Whether fields outside the key show the group's first flow (`-a`, `-s record`); otherwise they are zero, or
    /// absent (`-A`).
    pub keep_first: bool,
    /// Whether flows of both directions are one group; the key must be [`five_tuple`](Self::five_tuple) then.
    pub direction: Direction,
    /// The orders in which the groups are wanted, one answer for each.
    pub rankings: Vec<Ranking>,
    /// The fields that are wanted.
    pub columns: FieldSet,
}

impl Aggregate {
    /// The key of `-a` and `-s record`: addresses, ports and protocol.
    pub fn five_tuple() -> Vec<KeyPart> {
        [Field::SrcAddr, Field::DstAddr, Field::SrcPort, Field::DstPort, Field::Proto]
            .map(KeyPart::field)
            .into()
    }
}

/// What all workers know.
pub struct AggregatePlan {
    grouping: Grouping,
    /// For the rows of each answer.
    rows: Memory,
}

/// What a worker keeps.
#[derive(Default)]
pub struct AggregatePartial {
    flags: Vec<u64>,
    turned: Vec<bool>,
    grouper: Grouper,
}

impl Sink for Aggregate {
    type Plan = AggregatePlan;
    type Partial = AggregatePartial;
    type Output = Vec<Listing>;

    fn plan(&self, overview: &Overview<'_>) -> AggregatePlan {
        let rankings = self.rankings.clone();
        let groups = overview.memory.part(3, 4);
        let grouping = match self.direction {
            Direction::OneWay => Grouping::new(&self.key, rankings, overview, &groups),
            // What is wanted of a group may be in rows that have none of its values where the key has them.
            Direction::Both | Direction::ClientFirst => {
                Grouping::in_one_pass(&self.key, rankings, overview, &groups)
            }
        };
        AggregatePlan { grouping, rows: overview.memory.part(1, 4 * self.rankings.len() as u64) }
    }

    fn columns(&self, plan: &AggregatePlan) -> FieldSet {
        let mut fields = plan.grouping.measured_fields().union(key_fields(&self.key));
        if self.keep_first && plan.grouping.volume_order().is_none() {
            fields.insert(Field::TcpFlags);
        }
        fields
    }

    fn probes(&self, plan: &AggregatePlan) -> Vec<Probe> {
        plan.grouping.probes()
    }

    fn start(&self, _: &AggregatePlan) -> AggregatePartial {
        AggregatePartial::default()
    }

    fn push(
        &self,
        plan: &AggregatePlan,
        partial: &mut AggregatePartial,
        batch: &FlowBatch,
        selection: &Selection,
        origin: RowOrigin,
    ) -> Result<(), QueryError> {
        let (grouping, AggregatePartial { flags, turned, grouper }) = (&plan.grouping, partial);
        let mut scratch = Scratch::new();
        if let Some(order) = grouping.volume_order() {
            let volumes = Volumes::new(order, batch, selection, &mut scratch);
            return grouper.add(grouping, grouping.key(), &VolumeRows { batch, volumes: &volumes });
        }
        let counts = Counts::new(batch, selection, &mut scratch);
        let flags =
            if self.keep_first { slice(batch.column(Field::TcpFlags), selection, flags) } else { &[] };
        if self.direction == Direction::OneWay {
            return grouper.add(
                grouping,
                grouping.key(),
                &CountedRows { batch, counts: &counts, flags, turned: &[], origin },
            );
        }
        let unified = unify(batch, turned);
        grouper.add(
            grouping,
            grouping.key(),
            &CountedRows { batch: &unified, counts: &counts, flags, turned, origin },
        )
    }

    fn settle(
        &self,
        plan: &mut AggregatePlan,
        partials: &mut Vec<AggregatePartial>,
        scanned: &Scanned<'_>,
    ) -> Result<bool, QueryError> {
        plan.grouping.settle(partials.iter_mut().map(|partial| &mut partial.grouper), scanned)
    }

    fn finish(
        &self,
        plan: AggregatePlan,
        _: Vec<AggregatePartial>,
        scanned: &Scanned<'_>,
    ) -> Result<Self::Output, QueryError> {
        let (winners, layouts) = plan.grouping.finish()?;
        let answers = winners.into_iter();
        answers.map(|winners| self.listing(winners, &layouts, scanned, &plan.rows)).collect()
    }
}

/// About how many octets a group takes until it is a row.
const WINNER_OCTETS: usize = 256;

impl Aggregate {
    /// The groups as flows.
    fn listing(
        &self,
        winners: Winners,
        layouts: &[(Shape, Layout)],
        scanned: &Scanned<'_>,
        memory: &Memory,
    ) -> Result<Listing, QueryError> {
        let rows = winners.len();
        let first_flow = self.first_flow();
        let mut cursor = winners.cursor()?;
        if scanned.fits(rows, WINNER_OCTETS, self.columns, memory) {
            let winners = winners.next(&mut cursor, usize::MAX)?;
            let first_flows = if first_flow.is_empty() {
                winners.chunks(MAX_BATCH_ROWS).map(|winners| FlowBatch::new(winners.len())).collect()
            } else {
                let origins: Vec<RowOrigin> = winners.iter().map(|winner| winner.sums.origin()).collect();
                scanned.fetch(&origins, first_flow)?
            };
            let parts: Vec<(FlowBatch, &[Winner])> =
                first_flows.into_iter().zip(winners.chunks(MAX_BATCH_ROWS)).collect();
            return Ok(Listing::ready(
                scanned.map(parts, |(batch, winners)| self.batch(batch, winners, layouts)),
            ));
        }
        let mut first_flows = if first_flow.is_empty() {
            None
        } else {
            let windows = scanned.arrange(first_flow, memory, |visit| winners.for_each_origin(visit))?;
            Some(windows.into_batches())
        };
        let (aggregate, layouts) = (self.clone(), layouts.to_vec());
        let mut next = move || {
            let winners = winners.next(&mut cursor, MAX_BATCH_ROWS)?;
            let batch = first_flows.as_mut().and_then(|next| next()).transpose()?;
            let batch = batch.unwrap_or_else(|| FlowBatch::new(winners.len()));
            Ok((!winners.is_empty()).then(|| aggregate.batch(batch, &winners, &layouts)))
        };
        Ok(Listing::made(rows, move || next().transpose()))
    }

    /// The fields that are wanted, with what they are made of.
    fn made_of(&self) -> FieldSet {
        match self.direction {
            Direction::ClientFirst => with_opposites(self.columns),
            Direction::OneWay | Direction::Both => self.columns,
        }
    }

    /// The fields that come from the first flow of a group.
    fn first_flow(&self) -> FieldSet {
        let others = self.made_of().without(key_fields(&self.key).union(COUNTER_FIELDS));
        if self.keep_first {
            others.without(FieldSet::of(&[Field::TcpFlags]))
        } else {
            // A zeroed address keeps its family, so the first flow has to be looked at even then.
            others.iter().filter(|&field| field_info(field).kind == Kind::Ip).collect()
        }
    }

    /// Groups as flows; `batch` is what comes from the first flow of each.
    fn batch(&self, mut batch: FlowBatch, winners: &[Winner], layouts: &[(Shape, Layout)]) -> FlowBatch {
        let keys = key_fields(&self.key);
        if !self.keep_first {
            zero_addresses(&mut batch, self.first_flow());
        }
        batch.mark_decoded(self.made_of().union(keys).union(COUNTER_FIELDS));
        put_counters(&mut batch, &winners.iter().map(|winner| &winner.sums));
        for field in keys.iter() {
            let mut values = Values::new(field_info(field).kind);
            for winner in winners {
                let layout =
                    layouts.iter().find(|(shape, _)| *shape == winner.shape).map(|(_, layout)| layout);
                let field_of_key = if winner.sums.is_turned() { opposite(field) } else { field };
                let value = layout.and_then(|layout| layout.value(&winner.key, field_of_key));
                values.push(value.unwrap_or(Value::zero(field_info(field).kind)).as_ref());
            }
            batch.insert(field, Column::Plain(values));
        }
        if self.keep_first {
            let flags = winners.iter().map(|winner| winner.sums.flags()).collect();
            if !keys.contains(Field::TcpFlags) {
                batch.insert(Field::TcpFlags, Column::Plain(Values::U8(flags)));
            }
        } else {
            put_groups(&mut batch, keys);
        }
        if self.direction == Direction::ClientFirst {
            put_clients_left(&mut batch);
        }
        batch
    }
}

/// Replaces addresses by the unspecified one of their family.
fn zero_addresses(batch: &mut FlowBatch, fields: FieldSet) {
    for field in fields.iter() {
        let Some(column) = batch.take(field) else { continue };
        let zero = |addr: IpAddr| match addr {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let zeroed = match column {
            Column::Constant(Value::Ip(addr)) => Column::Constant(Value::Ip(zero(addr))),
            column => {
                let addrs = (0..batch.len()).map(|row| zero(column.ip(row))).collect();
                Column::Plain(Values::Ip(addrs))
            }
        };
        batch.insert(field, zeroed);
    }
}

/// What a flow made of nothing but a key and counters carries.
fn put_groups(batch: &mut FlowBatch, keys: FieldSet) {
    let groups = (0..batch.len()).map(|row| {
        let mut groups = Groups::default();
        groups.insert(Groups::GENERIC);
        groups.insert(Groups::COUNTERS);
        for field in keys.iter() {
            match batch.column(field).get(row) {
                ValueRef::Ip(addr) => groups.insert_addr(field, addr),
                _ => groups.insert_field(field),
            }
        }
        groups.0
    });
    let groups = Column::Plain(Values::U64(groups.collect()));
    batch.insert(Field::Groups, groups);
}
