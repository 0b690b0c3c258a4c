//! Element statistics (`-s`): what the flows of each address, port, ... add up to.

use crate::counts::{Counts, Scratch, Sums, Volume, Volumes, put_counters, volume_fields};
use crate::group::{
    Bounds, CountedRows, Grouper, Grouping, Kept, KeyPart, Layout, Measure, MeasuredValues, Ranking, Rows,
    Shape, TextGroup, TextGrouper, TextGrouping, VolumeRows, Winner, Winners, text_of,
};
use crate::{Listing, Overview, Probe, QueryError, RowOrigin, Scanned, Sink};
use flow_model::{
    Column, Dictionary, Field, FieldSet, FlowBatch, Kind, MAX_BATCH_ROWS, Order, Selection, Statistic, Value,
    Values, field_info,
};
use std::borrow::Cow;

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
    /// Which values are wanted at all.
    pub bounds: Bounds,
}

/// The table of one order of a statistic.
#[derive(Debug)]
pub struct StatTable {
    /// What the rows are ordered by.
    pub order: Order,
    /// The rows. Columns: times, counters, the protocol (0 unless the
    /// statistic is split by it), and the value, as the statistic's first field.
    pub rows: Listing,
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

/// What all workers know.
pub struct StatPlan(Vec<SpecPlan>);

struct SpecPlan {
    grouping: Grouping,
    /// How octet strings are grouped, in place of the other.
    texts: Option<TextGrouping>,
    /// Whether it needs no further pass.
    complete: bool,
}

/// What a worker keeps.
pub struct StatPartial {
    sums: BlockGroups<Sums>,
    volumes: BlockGroups<Volume>,
    groups: Vec<Groups>,
}

/// The groups of one statistic at one worker.
#[derive(Default)]
struct Groups {
    grouper: Grouper,
    texts: TextGrouper,
}

impl Sink for Statistics {
    type Plan = StatPlan;
    type Partial = StatPartial;
    type Output = Vec<Vec<StatTable>>;

    fn weight(&self) -> u64 {
        self.specs.len() as u64
    }

    fn plan(&self, overview: &Overview<'_>) -> StatPlan {
        let memory = overview.memory.part(1, self.weight());
        let plans = self.specs.iter().map(|spec| SpecPlan {
            grouping: Grouping::new(&spec.key(spec.field()), spec.rankings(), overview, &memory),
            texts: spec.is_text().then(|| TextGrouping::new(spec.rankings(), overview, &memory)),
            complete: false,
        });
        StatPlan(plans.collect())
    }

    fn columns(&self, plan: &StatPlan) -> FieldSet {
        let mut fields = FieldSet::EMPTY;
        for (spec, plan) in self.incomplete(plan) {
            fields = fields.union(plan.grouping.measured_fields());
            match spec.ends() {
                Some(ends) => fields = fields.union(ends.fields(plan.grouping.volume_order())),
                None => spec.statistic.fields.iter().for_each(|&field| fields.insert(field)),
            }
            if spec.splits() {
                fields.insert(Field::Proto);
            }
        }
        fields
    }

    fn probes(&self, plan: &StatPlan) -> Vec<Probe> {
        let mut incomplete = self.incomplete(plan);
        match (incomplete.next(), incomplete.next()) {
            // What one statistic or one side does not want, another may.
            (Some((spec, plan)), None) if spec.statistic.fields.len() == 1 && spec.ends().is_none() => {
                plan.grouping.probes()
            }
            _ => Vec::new(),
        }
    }

    fn start(&self, _: &StatPlan) -> StatPartial {
        StatPartial {
            sums: BlockGroups::default(),
            volumes: BlockGroups::default(),
            groups: self.specs.iter().map(|_| Groups::default()).collect(),
        }
    }

    fn push(
        &self,
        plan: &StatPlan,
        partial: &mut StatPartial,
        batch: &FlowBatch,
        selection: &Selection,
        origin: RowOrigin,
    ) -> Result<(), QueryError> {
        let StatPartial { sums, volumes, groups } = partial;
        let (mut scratch, mut spec_scratch) = (Scratch::new(), Scratch::new());
        let counts = self
            .incomplete(plan)
            .any(|(spec, plan)| plan.grouping.volume_order().is_none() && spec.ends().is_none())
            .then(|| Counts::new(batch, selection, &mut scratch));
        for ((spec, plan), groups) in self.specs.iter().zip(&plan.0).zip(groups) {
            let SpecPlan { grouping, texts, complete } = plan;
            let (order, grouper) = (grouping.volume_order(), &mut groups.grouper);
            let fields = spec.statistic.fields;
            if *complete {
            } else if let Some(ends) = spec.ends() {
                for End { own, value, turned } in ends.each() {
                    let mut rows = selection.clone();
                    rows.retain(|row| batch.column(own).num(row) != 0);
                    if rows.is_empty() {
                        continue;
                    }
                    if let Some(order) = order {
                        let order = if turned { order.turned() } else { order };
                        let rows = &Volumes::new(order, batch, &rows, &mut spec_scratch);
                        volumes.add(
                            spec,
                            &[value],
                            grouping,
                            grouper,
                            &VolumeRows { batch, volumes: rows },
                        )?;
                    } else {
                        let counts = if turned {
                            &Counts::turned(batch, &rows, &mut spec_scratch)
                        } else {
                            &Counts::new(batch, &rows, &mut spec_scratch)
                        };
                        let rows = CountedRows { batch, counts, flags: &[], turned: &[], origin };
                        sums.add(spec, &[value], grouping, grouper, &rows)?;
                    }
                }
            } else if let Some(order) = order {
                let rows = &Volumes::new(order, batch, selection, &mut spec_scratch);
                volumes.add(spec, fields, grouping, grouper, &VolumeRows { batch, volumes: rows })?;
            } else if let Some(counts) = &counts {
                let rows = CountedRows { batch, counts, flags: &[], turned: &[], origin };
                match texts {
                    Some(grouping) => sums.add_texts(spec, grouping, &mut groups.texts, &rows)?,
                    None => sums.add(spec, fields, grouping, grouper, &rows)?,
                }
            }
        }
        Ok(())
    }

    fn settle(
        &self,
        plan: &mut StatPlan,
        partials: &mut Vec<StatPartial>,
        scanned: &Scanned<'_>,
    ) -> Result<bool, QueryError> {
        for (index, plan) in plan.0.iter_mut().enumerate() {
            let workers = partials.iter_mut().map(|partial| &mut partial.groups[index].grouper);
            plan.complete = plan.complete || !plan.grouping.settle(workers, scanned)?;
        }
        Ok(plan.0.iter().any(|plan| !plan.complete))
    }

    fn finish(
        &self,
        plan: StatPlan,
        partials: Vec<StatPartial>,
        _: &Scanned<'_>,
    ) -> Result<Self::Output, QueryError> {
        let mut texts: Vec<Vec<TextGrouper>> = self.specs.iter().map(|_| Vec::new()).collect();
        for partial in partials {
            for (whole, groups) in texts.iter_mut().zip(partial.groups) {
                whole.push(groups.texts);
            }
        }
        let answers = self.specs.iter().zip(plan.0).zip(texts).map(|((spec, plan), texts)| {
            let listings: Vec<Listing> = if let Some(grouping) = plan.texts {
                let winners = grouping.finish(texts)?.into_iter();
                winners.map(|winners| spec.listing(winners, Row::of_text)).collect::<Result<_, _>>()?
            } else {
                let (winners, layouts) = plan.grouping.finish()?;
                let listing = |winners| {
                    let (spec_of_row, layouts) = (spec.clone(), layouts.clone());
                    spec.listing(winners, move |winner| spec_of_row.row(winner, &layouts))
                };
                winners.into_iter().map(listing).collect::<Result<_, _>>()?
            };
            let tables = spec.orders.iter().zip(listings);
            Ok(tables.map(|(&order, rows)| StatTable { order, rows }).collect())
        });
        answers.collect()
    }
}

impl Statistics {
    fn incomplete<'p>(&'p self, plan: &'p StatPlan) -> impl Iterator<Item = (&'p StatSpec, &'p SpecPlan)> {
        self.specs.iter().zip(&plan.0).filter(|(_, plan)| !plan.complete)
    }
}

impl StatSpec {
    /// The field whose name the values go by.
    fn field(&self) -> Field {
        self.statistic.fields[0]
    }

    /// Whether the protocol is part of the key: the statistic of the protocol itself needs no other.
    fn splits(&self) -> bool {
        self.by_proto && self.statistic.fields != [Field::Proto]
    }

    fn ends(&self) -> Option<Ends> {
        Ends::of(self.statistic)
    }

    fn is_text(&self) -> bool {
        field_info(self.field()).kind == Kind::Bytes
    }

    /// The key of the groups of `field`, one of the statistic's.
    pub(crate) fn key(&self, field: Field) -> Vec<KeyPart> {
        let proto = self.splits().then_some(Field::Proto);
        std::iter::once(field).chain(proto).map(KeyPart::field).collect()
    }

    fn ranking(&self, order: Order) -> Ranking {
        Ranking {
            order: Some(order),
            ascending: self.ascending.unwrap_or(order.ascends()),
            top: self.top,
            bounds: self.bounds,
        }
    }

    fn rankings(&self) -> Vec<Ranking> {
        self.orders.iter().map(|&order| self.ranking(order)).collect()
    }

    fn row(&self, winner: &Winner, layouts: &[(Shape, Layout)]) -> Row {
        let layout = layouts.iter().find(|(shape, _)| *shape == winner.shape).map(|(_, layout)| layout);
        let value = |field| layout.and_then(|layout| layout.value(&winner.key, field));
        let proto = match value(Field::Proto) {
            Some(Value::Num(proto)) if self.splits() => proto as u8,
            _ => 0,
        };
        let value = value(self.field()).unwrap_or(Value::zero(field_info(self.field()).kind));
        Row { proto, value, sums: winner.sums }
    }

    fn listing<T: Clone + Send + 'static>(
        &self,
        winners: Winners<T>,
        row: impl Fn(&T) -> Row + Send + 'static,
    ) -> Result<Listing, QueryError> {
        let (spec, rows, mut cursor) = (self.clone(), winners.len(), winners.cursor()?);
        let mut next = move || {
            let winners = winners.next(&mut cursor, MAX_BATCH_ROWS)?;
            let rows: Vec<Row> = winners.iter().map(&row).collect();
            Ok((!rows.is_empty()).then(|| spec.batch(&rows)))
        };
        Ok(Listing::made(rows, move || next().transpose()))
    }

    fn batch(&self, rows: &[Row]) -> FlowBatch {
        let mut batch = FlowBatch::new(rows.len());
        put_counters(&mut batch, &rows.iter().map(|row| &row.sums));
        let protos = rows.iter().map(|row| row.proto).collect();
        batch.insert(Field::Proto, Column::Plain(Values::U8(protos)));
        let mut values = Values::new(field_info(self.field()).kind);
        for row in rows {
            values.push(row.value.as_ref());
        }
        batch.insert(self.field(), Column::Plain(values));
        batch
    }
}

/// The own ends of flows, which a statistic about one's own goes by: of an internal flow both count. Counters in are what
/// comes into one's own network, whichever end of a flow that is.
#[derive(Clone, Copy)]
enum Ends {
    /// Of each the address.
    Local,
    /// Of each the address on the other side.
    Peer,
    /// Of each the network.
    Network,
}

/// One end of flows.
struct End {
    /// What says whether it is one's own.
    own: Field,
    /// What flows are grouped by.
    value: Field,
    /// Whether the flow leaves it.
    turned: bool,
}

impl Ends {
    fn of(statistic: &Statistic) -> Option<Ends> {
        match statistic.fields {
            [Field::LocalAddr] => Some(Ends::Local),
            [Field::PeerAddr] => Some(Ends::Peer),
            [Field::LocalNetwork] => Some(Ends::Network),
            _ => None,
        }
    }

    fn each(self) -> [End; 2] {
        let (src, dst) = match self {
            Ends::Local => (Field::SrcAddr, Field::DstAddr),
            Ends::Peer => (Field::DstAddr, Field::SrcAddr),
            Ends::Network => (Field::SrcNetwork, Field::DstNetwork),
        };
        [
            End { own: Field::DstNetwork, value: dst, turned: false },
            End { own: Field::SrcNetwork, value: src, turned: true },
        ]
    }

    /// What a pass reads besides the counters of one direction.
    fn fields(self, order: Option<Order>) -> FieldSet {
        let ends: FieldSet = self.each().into_iter().flat_map(|end| [end.own, end.value]).collect();
        ends.union(order.and_then(|order| volume_fields(order.turned())).unwrap_or_default())
    }
}

/// A row of a table.
struct Row {
    proto: u8,
    value: Value,
    sums: Sums,
}

impl Row {
    fn of_text(group: &TextGroup) -> Row {
        Row { proto: group.proto(), value: Value::Bytes(group.text().into()), sums: group.sums() }
    }
}

/// Brings the rows of one block together by value, before their keys are hashed.
struct BlockGroups<M> {
    measures: Vec<M>,
    /// For each of them: a code and a protocol.
    entries: Vec<(u16, u8)>,
    /// By code and protocol: number of the entry plus 1; all 0 between blocks.
    numbers: Vec<u32>,
}

impl<M> Default for BlockGroups<M> {
    fn default() -> Self {
        BlockGroups { measures: Vec::new(), entries: Vec::new(), numbers: Vec::new() }
    }
}

/// Codes times protocols may be so many, 4 MiB of numbers, before rows are hashed one by one.
const MAX_NUMBERS: usize = 1 << 20;

impl<M: Kept> BlockGroups<M> {
    /// Adds the rows once for each of the fields.
    fn add(
        &mut self,
        spec: &StatSpec,
        fields: &[Field],
        grouping: &Grouping,
        grouper: &mut Grouper,
        rows: &impl Rows<Measure = M>,
    ) -> Result<(), QueryError> {
        let proto = spec.splits().then(|| rows.batch().column(Field::Proto));
        for &field in fields {
            let column = rows.batch().column(field);
            if !self.gather(column, proto, rows) {
                grouper.add(grouping, &spec.key(field), rows)?;
                continue;
            }
            let values = distinct(column, field);
            let measured = MeasuredValues {
                values: &values,
                entries: &self.entries,
                measures: &self.measures,
                floor: 0,
            };
            grouper.add_values(grouping, measured)?;
        }
        Ok(())
    }

    /// Brings rows together by value, and protocol if given. `false` when the column has no codes, or they are too many
    /// with protocols.
    fn gather(&mut self, column: &Column, proto: Option<&Column>, rows: &impl Rows<Measure = M>) -> bool {
        match column {
            Column::Dictionary(dictionary) if proto.is_none() && rows.is_all() => {
                // Nearly every code occurs, so codes themselves number the entries.
                let len = dictionary.values.len();
                self.measures.clear();
                self.measures.resize(len, M::EMPTY);
                self.entries.clear();
                self.entries.extend((0..=u16::MAX).take(len).map(|code| (code, 0)));
                let (measures, codes) = (&mut self.measures[..], &dictionary.codes[..rows.len()]);
                rows.for_each(|index, measure| measures[usize::from(codes[index])].merge(&measure));
            }
            Column::Dictionary(dictionary) => {
                let protos = Protos::of(proto, rows);
                if dictionary.values.len() * protos.count() > MAX_NUMBERS {
                    return false;
                }
                self.gather_numbered(dictionary.values.len(), |row| dictionary.codes[row], &protos, rows);
            }
            Column::Constant(_) => self.gather_numbered(1, |_| 0, &Protos::of(proto, rows), rows),
            Column::Plain(_) => return false,
        }
        true
    }

    fn gather_numbered(
        &mut self,
        codes: usize,
        code: impl Fn(usize) -> u16,
        protos: &Protos,
        rows: &impl Rows<Measure = M>,
    ) {
        let width = protos.count();
        if self.numbers.len() < codes * width {
            self.numbers.resize(codes * width, 0);
        }
        self.measures.clear();
        self.entries.clear();
        rows.for_each(|index, measure| {
            let row = rows.row(index);
            let (code, proto) = (code(row), protos.place(index));
            let number = &mut self.numbers[usize::from(code) * width + usize::from(proto)];
            if *number == 0 {
                self.measures.push(M::EMPTY);
                self.entries.push((code, proto));
                *number = self.measures.len() as u32;
            }
            self.measures[*number as usize - 1].merge(&measure);
        });
        for (code, proto) in &mut self.entries {
            self.numbers[usize::from(*code) * width + usize::from(*proto)] = 0;
            *proto = protos.proto(*proto);
        }
    }
}

impl BlockGroups<Sums> {
    /// The same for octet strings.
    fn add_texts(
        &mut self,
        spec: &StatSpec,
        grouping: &TextGrouping,
        groups: &mut TextGrouper,
        rows: &CountedRows<'_>,
    ) -> Result<(), QueryError> {
        let proto = spec.splits().then(|| rows.batch().column(Field::Proto));
        for &field in spec.statistic.fields {
            let column = rows.batch().column(field);
            if !self.gather(column, proto, rows) {
                groups.add_rows(grouping, column, proto, rows)?;
                continue;
            }
            let values = distinct(column, field);
            for (&(code, proto), sums) in self.entries.iter().zip(&self.measures) {
                if !sums.is_empty() {
                    groups.add(grouping, proto, text_of(values.get(usize::from(code))), sums)?;
                }
            }
        }
        Ok(())
    }
}

/// The values that the codes of a gathered column stand for.
fn distinct(column: &Column, field: Field) -> Cow<'_, Values> {
    match column {
        Column::Constant(value) => {
            let mut values = Values::new(field_info(field).kind);
            values.push(value.as_ref());
            Cow::Owned(values)
        }
        Column::Dictionary(Dictionary { values, .. }) | Column::Plain(values) => Cow::Borrowed(values),
    }
}

/// The protocols of a block, numbered without gaps.
struct Protos {
    protos: Vec<u8>,
    /// For each row that is meant: the number of its protocol. Empty when there is only one.
    places: Vec<u8>,
}

impl Protos {
    /// Without a column, every row has protocol 0.
    fn of(column: Option<&Column>, rows: &impl Rows) -> Protos {
        let single = |proto| Protos { protos: vec![proto], places: Vec::new() };
        let places =
            |place: &dyn Fn(usize) -> u8| (0..rows.len()).map(|index| place(rows.row(index))).collect();
        match column {
            None => single(0),
            Some(Column::Constant(value)) => {
                single(if let Value::Num(proto) = value { *proto as u8 } else { 0 })
            }
            // There are at most 256 protocols, so codes fit.
            Some(Column::Dictionary(Dictionary { codes, values })) => Protos {
                protos: (0..values.len()).map(|code| values.num(code) as u8).collect(),
                places: places(&|row| codes[row] as u8),
            },
            Some(Column::Plain(values)) => {
                let mut place_of = [None; 256];
                let mut protos = Vec::new();
                for index in 0..rows.len() {
                    let proto = values.num(rows.row(index)) as u8;
                    place_of[usize::from(proto)].get_or_insert_with(|| {
                        protos.push(proto);
                        protos.len() as u8 - 1
                    });
                }
                let places = places(&|row| place_of[values.num(row) as usize & 255].unwrap_or(0));
                Protos { protos, places }
            }
        }
    }

    fn count(&self) -> usize {
        self.protos.len()
    }

    /// The number of the protocol of one of the rows.
    #[inline]
    fn place(&self, index: usize) -> u8 {
        self.places.get(index).copied().unwrap_or(0)
    }

    fn proto(&self, place: u8) -> u8 {
        self.protos[usize::from(place)]
    }
}
