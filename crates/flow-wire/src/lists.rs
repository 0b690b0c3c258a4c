//! Structured data (RFC 6313): lists inside a record, whose fields become the record's where it lacks them.

use crate::element::{Dialect, id, specifier};
use crate::plan::{Context, Plan, Rates};
use crate::records::{Buffers, Records, Slot};
use crate::step::Step;
use crate::template::{Meaning, Templates};
use flow_model::{FieldSet, Rows};
use nom::number::complete::{be_u8, be_u16};
use nom::{IResult, Parser};

/// Merges the lists of every record of a set into its row.
pub(crate) fn merge(
    plan: &Plan,
    records: &Records<'_>,
    written: FieldSet,
    templates: &Templates,
    context: &Context<'_>,
    rows: &mut Rows<'_>,
    nested: &mut [Buffers],
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
    fn lists(&mut self, plan: &Plan, records: &Records<'_>, record: usize, nested: &mut [Buffers]) {
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
    fn sub_template_list<'i>(&mut self, list: &'i [u8], nested: &mut [Buffers]) -> IResult<&'i [u8], ()> {
        let (records, (_semantic, template)) = (be_u8, be_u16).parse(list)?;
        self.records(template, records, nested);
        Ok((&[], ()))
    }

    /// RFC 6313 4.5.3: semantic, then for each template its id, a length that counts these four octets too,
    /// and records.
    fn sub_template_multi_list<'i>(
        &mut self,
        list: &'i [u8],
        nested: &mut [Buffers],
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
        let slot = Slot { offset: 0, len: element.len };
        if let Some(step) = Step::alone(Dialect::Ipfix, element, slot)
            && (1..=values.len()).contains(&usize::from(element.len))
            && !self.written.contains(step.field())
        {
            let groups = step.groups();
            step.run(&Records::new(values, usize::from(element.len), 1), self.context, self.rows);
            self.rows.add_groups(|_| groups);
            self.written.insert(step.field());
        }
        Ok((&[], ()))
    }

    fn records(&mut self, template: u16, data: &[u8], nested: &mut [Buffers]) {
        let Some((buffers, nested)) = nested.split_first_mut() else { return };
        let Some(Meaning::Flows(plan)) = self.templates.get(template) else { return };
        let (records, _) = plan.shape.locate(data, usize::MAX, buffers);
        for record in 0..records.count() {
            let written = plan.run(&records.only(record), self.context, self.rows, self.written);
            self.rows.add_groups(|_| plan.groups);
            self.written = self.written.union(written);
            self.lists(plan, &records, record, nested);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::vectors::{Bench, ipfix, nums, octets, set, template};
    use crate::{DecoderOptions, Limits};
    use flow_model::{Field, Groups};

    const LIST: u16 = 292;
    const MULTI_LIST: u16 = 293;
    const VARIABLE: u16 = u16::MAX;

    /// A value of variable length.
    fn string(octets: Vec<u8>) -> Vec<u8> {
        let mut string = octets![255u8, octets.len() as u16];
        string.extend(octets);
        string
    }

    fn sub_template_list(template: u16, records: &[Vec<u8>]) -> Vec<u8> {
        let mut list = octets![255u8, template];
        list.extend(records.concat());
        string(list)
    }

    #[test]
    fn fields_of_lists_fill_what_the_record_lacks() {
        let templates = [
            template(256, &[(4, 1), (LIST, VARIABLE), (MULTI_LIST, VARIABLE), (2, 4)]),
            template(257, &[(4, 1), (7, 2)]),
            template(258, &[(56, 6), (7, 2)]),
        ];
        let mut multi = octets![255u8];
        multi.extend(octets![258u16, 12u16, 0x0102u16, 0x0304_0506u32, 99u16]);
        multi.extend(octets![999u16, 6u16, 0u16, 257u16, 7u16, 1u8, 2u16]);
        let list = sub_template_list(257, &[octets![17u8, 53u16], octets![17u8, 54u16]]);
        let record = [vec![6], list, string(multi), octets![8u32]].concat();
        let plain = [vec![6], sub_template_list(257, &[]), string(vec![255]), octets![9u32]].concat();
        let mut bench = Bench::new();
        let decoded = bench.good(&ipfix(0, 0, &[set(2, &templates), set(256, &[record, plain])]));
        assert_eq!(decoded.flows, 2);
        let flows = bench.flows();
        assert_eq!(nums(&flows, Field::Proto), [6, 6]);
        assert_eq!(nums(&flows, Field::SrcPort), [53, 0]);
        assert_eq!(nums(&flows, Field::InSrcMac), [0x0102_0304_0506, 0]);
        assert_eq!(nums(&flows, Field::InPackets), [8, 9]);
        assert!(flows.groups(0).contains(Groups::MAC) && !flows.groups(1).contains(Groups::MAC));
    }

    #[test]
    fn the_first_value_of_a_basic_list_counts() {
        let mut list = octets![255u8, 59u16, 2u16];
        list.extend(octets![100u16, 200u16]);
        let templates = [template(256, &[(4, 1), (291, VARIABLE), (291, VARIABLE)])];
        let record = [vec![6], string(list.clone()), string(list)].concat();
        let mut bench = Bench::new();
        bench.good(&ipfix(0, 0, &[set(2, &templates), set(256, &[record])]));
        assert_eq!(bench.nums(Field::DstVlan), [100]);
    }

    #[test]
    fn lists_in_lists_are_followed_to_a_depth() {
        for (depth, ports) in [(0, 0), (1, 0), (2, 0), (3, 77), (4, 77)] {
            let limits = Limits { list_depth: depth, ..Limits::default() };
            let mut bench = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
            let templates = [
                template(256, &[(4, 1), (LIST, VARIABLE)]),
                template(257, &[(LIST, VARIABLE)]),
                template(258, &[(7, 2)]),
            ];
            let innermost = sub_template_list(258, &[octets![77u16]]);
            let record = [vec![6], sub_template_list(257, &[sub_template_list(257, &[innermost])])].concat();
            bench.good(&ipfix(0, 0, &[set(2, &templates), set(256, &[record])]));
            assert_eq!(bench.nums(Field::SrcPort), [ports], "depth {depth}");
        }
    }

    #[test]
    fn lists_that_lie_give_what_they_have() {
        let templates = [
            template(256, &[(4, 1), (LIST, VARIABLE), (MULTI_LIST, VARIABLE), (291, VARIABLE)]),
            template(257, &[(7, 2)]),
        ];
        let lists = [
            vec![],
            vec![255],
            octets![255u8, 257u16, 1u8],
            octets![255u8, 257u16, 0u16, 0u16, 1u16],
            octets![255u8, 257u16, 0xffffu16],
            octets![255u8, 7u16, 0u16],
            octets![255u8, 7u16, 0xffffu16],
        ];
        let records: Vec<_> =
            lists.into_iter().map(|list| [vec![6], vec![string(list); 3].concat()].concat()).collect();
        let mut bench = Bench::new();
        let decoded = bench.good(&ipfix(0, 0, &[set(2, &templates), set(256, &records)]));
        assert_eq!(decoded.flows, 7);
        assert_eq!(bench.nums(Field::Proto), [6; 7]);
    }
}
