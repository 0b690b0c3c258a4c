//! Structured data (RFC 6313): lists inside a record, whose fields become the record's where it lacks them.

use crate::element::{Dialect, id, specifier};
use crate::plan::{Context, Plan, Rates};
use crate::records::{Fixed, Records, Slot, Variable};
use crate::step::Step;
use crate::template::{Meaning, Templates};
use flow_model::{FieldSet, Rows};
use nom::number::complete::{be_u8, be_u16};
use nom::{IResult, Parser};

/// Merges the lists of every record of a set into its row.
pub(crate) fn merge<R: Records>(
    plan: &Plan,
    records: &R,
    written: FieldSet,
    templates: &Templates,
    context: &Context<'_>,
    rows: &mut Rows<'_>,
    nested: &mut [Vec<(u32, u32)>],
) {
    for row in 0..records.count() {
        rows.narrow(row);
        let context = Context { rates: Rates::All(context.rates.of(row)), ..*context };
        let mut merger = Merger { templates, context: &context, rows, written };
        merger.lists(plan, records, row, nested);
    }
    rows.widen();
}

struct Merger<'a, 'b> {
    templates: &'a Templates,
    context: &'a Context<'a>,
    rows: &'a mut Rows<'b>,
    /// What the row has already: the record itself comes first, then its lists in order.
    written: FieldSet,
}

impl Merger<'_, '_> {
    /// Merges the lists of one record; `nested` has a buffer for each further level.
    fn lists<R: Records>(&mut self, plan: &Plan, records: &R, record: usize, nested: &mut [Vec<(u32, u32)>]) {
        for &(id, slot) in &plan.lists {
            let list = records.octets(record, slot);
            // A list that ends too early has given what it had.
            let _ended = match id {
                id::SUB_TEMPLATE_LIST => self.sub_template_list(list, nested),
                id::SUB_TEMPLATE_MULTI_LIST => self.sub_template_multi_list(list, nested),
                _ => self.basic_list(list),
            };
        }
    }

    /// RFC 6313 4.5.2: semantic, template id, records.
    fn sub_template_list<'i>(
        &mut self,
        list: &'i [u8],
        nested: &mut [Vec<(u32, u32)>],
    ) -> IResult<&'i [u8], ()> {
        let (records, (_semantic, template)) = (be_u8, be_u16).parse(list)?;
        self.records(template, records, nested);
        Ok((&[], ()))
    }

    /// RFC 6313 4.5.3: semantic, then for each template its id, a length that counts these four octets too, and records.
    fn sub_template_multi_list<'i>(
        &mut self,
        list: &'i [u8],
        nested: &mut [Vec<(u32, u32)>],
    ) -> IResult<&'i [u8], ()> {
        let (mut rest, _semantic) = be_u8(list)?;
        while !rest.is_empty() {
            let (after, (template, len)) = (be_u16, be_u16).parse(rest)?;
            let len = usize::from(len).saturating_sub(4);
            let (after, records) = nom::bytes::complete::take(len).parse(after)?;
            self.records(template, records, nested);
            rest = after;
        }
        Ok((rest, ()))
    }

    /// RFC 6313 4.5.1: semantic, field specifier, values of one element. Its first value counts.
    fn basic_list<'i>(&mut self, list: &'i [u8]) -> IResult<&'i [u8], ()> {
        let (rest, _semantic) = be_u8(list)?;
        let (values, element) = specifier(Dialect::Ipfix, rest)?;
        let slot = Slot { number: 0, offset: 0, len: element.len };
        if let Some(step) = Step::alone(Dialect::Ipfix, element, slot)
            && (1..=values.len()).contains(&usize::from(element.len))
            && !self.written.contains(step.field())
        {
            let groups = step.groups();
            step.run(&Fixed::new(values, usize::from(element.len), 1), self.context, self.rows);
            self.rows.add_groups(|_| groups);
            self.written.insert(step.field());
        }
        Ok((&[], ()))
    }

    fn records(&mut self, template: u16, data: &[u8], nested: &mut [Vec<(u32, u32)>]) {
        let Some((places, nested)) = nested.split_first_mut() else { return };
        let Some(Meaning::Flows(plan)) = self.templates.get(template) else { return };
        if !plan.shape.variable {
            let records = Fixed::new(data, plan.shape.min_len, usize::MAX);
            self.each(plan, &records, nested);
            return;
        }
        let located = plan.shape.locate(data, usize::MAX, places);
        let records = Variable { data, places, slots: plan.shape.slots, count: located.count };
        self.each(plan, &records, nested);
    }

    fn each<R: Records>(&mut self, plan: &Plan, records: &R, nested: &mut [Vec<(u32, u32)>]) {
        for record in 0..records.count() {
            let one = One { records, record };
            let written = plan.run(&one, self.context, self.rows, self.written);
            self.written = self.written.union(written);
            self.lists(plan, records, record, nested);
        }
    }
}

/// One of several records.
struct One<'a, R> {
    records: &'a R,
    record: usize,
}

impl<R: Records> Records for One<'_, R> {
    fn count(&self) -> usize {
        1
    }

    fn octets(&self, record: usize, slot: Slot) -> &[u8] {
        self.records.octets(self.record + record, slot)
    }

    fn array<const N: usize>(&self, record: usize, slot: Slot) -> [u8; N] {
        self.records.array(self.record + record, slot)
    }
}
