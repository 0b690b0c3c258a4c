//! The sets of a v9 or IPFIX message, and the records in them.

use crate::Fault;
use crate::decoder::{Decoded, Message};
use crate::element::Dialect;
use crate::exporter::State;
use crate::lists;
use crate::memory::Memory;
use crate::options::Announced;
use crate::plan::{Context, Plan, Rates, Scratch};
use crate::quirk::Quirk;
use crate::records::{Buffers, Records, Slot, VARIABLE};
use crate::sampling::{Rate, Samplers, sampler_id};
use crate::shape::End;
use crate::stamps::Clocks;
use crate::step::Step;
use crate::template::{Change, Definition, Meaning, Rejected, Templates, fields};
use crate::waiting::WaitingSet;
use flow_model::{BatchBuilder, Field, FieldSet, Groups, RecordFlags, SamplerInfo};
use nom::number::complete::be_u16;
use nom::{IResult, Parser};
use std::collections::VecDeque;

/// Octets of a set's id and length.
const SET_HEADER_LEN: usize = 4;

/// The smallest id of a template, and so of a data set.
pub(crate) const FIRST_TEMPLATE: u16 = 256;

/// What the sets of one message are decoded with.
pub(crate) struct Sets<'a, 'm> {
    pub(crate) message: &'a mut Message<'m>,
    pub(crate) state: &'a mut State,
    pub(crate) memory: &'a mut Memory,
    pub(crate) scratch: &'a mut Scratch,
    pub(crate) out: &'a mut BatchBuilder,
    pub(crate) clocks: Clocks,
    pub(crate) engine: (u8, u8),
    /// Data records so far, of flows and of options; `None` once that cannot be known.
    pub(crate) records: Option<u32>,
}

impl Sets<'_, '_> {
    /// Decodes the sets in `datagram[start..end]`.
    pub(crate) fn decode(&mut self, start: usize, end: usize) {
        let first = self.out.len();
        self.walk(start, end);
        self.stamp(first);
    }

    /// Fills what the rows from `first` on have in common.
    fn stamp(&mut self, first: usize) {
        if self.out.len() > first {
            let mut rows = self.out.rows_since(first);
            self.message.stamp(&mut rows, self.state.sysid);
            rows.finish();
        }
    }

    /// Lengths lead the way, never the header's count, which is often wrong. A set that ends outside of the
    /// message ends the walk: nothing behind it can be found.
    fn walk(&mut self, start: usize, end: usize) {
        let datagram = self.message.datagram;
        let mut at = start;
        loop {
            let rest = datagram.get(at..end).unwrap_or_default();
            if rest.len() < SET_HEADER_LEN {
                return;
            }
            let Ok((after, (id, len))) = set_header(rest) else { return };
            let len = usize::from(len);
            if (id, len) == (0, 0) {
                // A tail filled with zeros, as some exporters send.
                self.state.quirks.note(Quirk::ZeroFilledTail);
                return;
            }
            if len < SET_HEADER_LEN {
                self.records = None;
                let fault = Fault::TooShort { what: "set", expected: SET_HEADER_LEN, found: len };
                return self.message.fail(Some(id), at, fault);
            }
            let Some(body) = after.get(..len - SET_HEADER_LEN) else {
                self.records = None;
                let fault = Fault::Truncated { what: "set", expected: len, found: rest.len() };
                return self.message.fail(Some(id), at, fault);
            };
            self.set(id, at + SET_HEADER_LEN, body);
            at += len;
        }
    }

    /// Decodes what waited for the templates of this message.
    pub(crate) fn drain(&mut self) {
        if self.state.waiting.is_ready {
            drain(self.message, self.state, self.memory, self.scratch, self.out);
        }
    }

    fn set(&mut self, id: u16, at: usize, body: &[u8]) {
        match (self.clocks.dialect, id) {
            (Dialect::V9, 0) | (Dialect::Ipfix, 2) => self.templates(id, at, body, false),
            (Dialect::V9, 1) | (Dialect::Ipfix, 3) => self.templates(id, at, body, true),
            (_, FIRST_TEMPLATE..) => self.data(id, at, body),
            _ if body.is_empty() => {}
            _ => self.message.fail(Some(id), at - SET_HEADER_LEN, Fault::ReservedSet { found: id }),
        }
    }

    /// Reads the template records of a set: there may be several.
    fn templates(&mut self, set: u16, at: usize, body: &[u8], options: bool) {
        let mut rest = body;
        loop {
            let offset = at + body.len() - rest.len();
            match self.template(set, offset, rest, options) {
                Some(after) => rest = after,
                None => return,
            }
        }
    }

    /// Reads one template record and says what follows it.
    fn template<'i>(&mut self, set: u16, offset: usize, input: &'i [u8], options: bool) -> Option<&'i [u8]> {
        // What is shorter than the shortest record, or has no id, is padding.
        let (id, count, mut scope, after) = match template_header(self.clocks.dialect, options, input) {
            Some(header) if header.0 != 0 => header,
            _ => return None,
        };
        let withdrawal = self.clocks.dialect == Dialect::Ipfix && count == 0;
        if withdrawal && id == set {
            self.state.templates.withdraw_all(options, &self.message.limits, self.memory);
            return Some(after);
        }
        if id < FIRST_TEMPLATE {
            self.message.fail(Some(set), offset, Fault::TemplateId { found: id });
            return None;
        }
        if withdrawal {
            self.withdraw(id);
            return Some(after);
        }
        let Some((specifiers, rest)) = fields(self.clocks.dialect, after, count) else {
            let expected = usize::from(count) * 4;
            let fault = Fault::Truncated { what: "template", expected, found: after.len() };
            self.message.fail(Some(id), offset, fault);
            return None;
        };
        if scope.is_some_and(|scope| scope > count || (scope == 0 && self.clocks.dialect == Dialect::Ipfix)) {
            let found = usize::from(scope.take().unwrap_or_default());
            self.withdraw(id);
            self.message.fail(Some(id), offset, Fault::ScopeCount { expected: usize::from(count), found });
            return Some(rest);
        }
        let definition = Definition {
            dialect: self.clocks.dialect,
            id,
            scope,
            count,
            fields: specifiers,
            port: self.message.from.port,
            received_ms: self.message.received_ms,
        };
        let was_known = self.state.templates.get(id).is_some();
        let result = self.state.templates.define(&definition, &self.message.limits, self.memory);
        if let Ok(Change::Replaced(port)) = result {
            self.state.note_replaced(port, self.message.from.port);
        }
        if matches!(result, Ok(Change::New | Change::Replaced(_))) {
            self.note_quirks(id);
        }
        match result {
            Ok(Change::Refresh) => {}
            _ if was_known => self.give_up(id),
            _ => self.state.waiting.is_ready |= self.state.waiting.has(id),
        }
        match result {
            Ok(_) => self.message.decoded.templates += 1,
            Err(Rejected::Empty) => self.message.fail(Some(id), offset, Fault::EmptyRecord { template: id }),
            Err(Rejected::Limit(what, limit)) => {
                self.message.refuse(Some(id), offset, Fault::Limit { what, limit });
            }
        }
        Some(rest)
    }

    /// Notes what is unusual about template `id`.
    fn note_quirks(&mut self, id: u16) {
        let State { templates, quirks, .. } = &mut *self.state;
        let Some(template) = templates.find(id) else { return };
        let lens = || template.specifiers().map(|specifier| specifier.len);
        if lens().any(|len| len == 0) {
            quirks.note(Quirk::ZeroLengthFields);
        }
        if self.clocks.dialect == Dialect::V9 && lens().any(|len| len == VARIABLE) {
            quirks.note(Quirk::VariableLengthInV9);
        }
        if let Meaning::Flows(plan) = &template.meaning
            && plan.steps.iter().any(|step| matches!(step, Step::Either(_)))
        {
            quirks.note(Quirk::BothFamilies);
        }
    }

    /// Forgets template `id`.
    fn withdraw(&mut self, id: u16) {
        if self.state.templates.withdraw(id, &self.message.limits, self.memory) {
            self.give_up(id);
        }
    }

    /// Gives up sets that could have been decoded with what template `id` was until now.
    fn give_up(&mut self, id: u16) {
        self.message.decoded.sets_skipped += self.state.waiting.give_up(id, self.memory);
    }

    /// Keeps a data set until its template comes.
    fn keep(&mut self, id: u16, offset: usize, body: &[u8]) {
        let set = WaitingSet {
            id,
            offset,
            received_ms: self.message.received_ms,
            clocks: self.clocks,
            engine: self.engine,
            body: body.into(),
        };
        let (is_kept, given_up) = self.state.waiting.keep(set, &self.message.limits, self.memory);
        self.state.quirks.note(Quirk::DataBeforeTemplate);
        self.message.decoded.sets_waiting += usize::from(is_kept);
        self.message.decoded.sets_skipped += given_up + usize::from(!is_kept);
    }

    /// Decodes a data set. Without its template it waits.
    fn data(&mut self, id: u16, at: usize, body: &[u8]) {
        if body.is_empty() {
            return;
        }
        let State { templates, samplers, names, exported, init_ms, quirks, .. } = &mut *self.state;
        let Scratch { buffers, rates, nested, elsewhere } = &mut *self.scratch;
        let message = &mut *self.message;
        let found = templates.find(id);
        let Some(template) =
            found.filter(|template| !template.is_stale(message.received_ms, &message.limits))
        else {
            self.records = None;
            if found.is_some() {
                templates.expire(message.received_ms, &message.limits, self.memory);
            }
            return self.keep(id, at, body);
        };
        let counted = match &template.meaning {
            Meaning::Options(plan) => {
                let (records, end) = plan.shape.locate(body, usize::MAX, buffers);
                let counted = report(id, at, body, (&records, end), None, message);
                template.note(message.received_ms, records.count());
                let mut announced = Announced { samplers, names, exported, init_ms, elsewhere };
                plan.read(&records, (id, at), &mut announced, message, self.memory);
                self.clocks.init_ms = *init_ms;
                counted
            }
            Meaning::Flows(plan) if plan.is_empty() => {
                let (records, end) = plan.shape.locate(body, usize::MAX, buffers);
                template.note(message.received_ms, records.count());
                report(id, at, body, (&records, end), None, message)
            }
            Meaning::Flows(plan) => {
                let (allowance, rows_left) = (message.allowance(self.out), message.rows_left(plan.row_len));
                let (records, end) = plan.shape.locate(body, allowance.min(rows_left), buffers);
                let limit = if rows_left < allowance {
                    ("octets of decoded flows", message.limits.decoded_len_bytes)
                } else {
                    ("flows in a datagram", message.limits.flows_per_datagram)
                };
                let counted = report(id, at, body, (&records, end), Some(limit), message);
                template.note(message.received_ms, records.count());
                message.decoded_len += records.count() * plan.row_len;
                if self.clocks.dialect == Dialect::Ipfix
                    && self.clocks.init_ms.is_none()
                    && plan.stamps.needs_start()
                {
                    quirks.add(Quirk::UptimeWithoutStart, records.count() as u64);
                }
                let flows = Flows {
                    plan,
                    templates,
                    samplers,
                    clocks: self.clocks,
                    engine: self.engine,
                    domain: message.domain.unwrap_or_default(),
                    place: (id, at),
                };
                flows.decode(&records, message, self.out, rates, nested);
                counted
            }
        };
        self.records = self.records.zip(counted).map(|(sum, count)| sum.wrapping_add(count));
    }
}

/// Decodes the sets of an exporter that waited for a template which is there now, the oldest first, as far as
/// there is room.
pub(crate) fn drain(
    message: &mut Message<'_>,
    state: &mut State,
    memory: &mut Memory,
    scratch: &mut Scratch,
    out: &mut BatchBuilder,
) {
    let mut still_waiting = VecDeque::new();
    let mut is_full = false;
    for set in state.waiting.take_all() {
        let fits = match state.templates.get(set.id) {
            Some(Meaning::Flows(plan)) => {
                let limits = &message.limits;
                let most = plan.most_rows(set.body.len());
                let most = most.min(limits.flows_per_datagram).min(limits.decoded_len_bytes / plan.row_len);
                most <= message.allowance(out).min(message.rows_left(plan.row_len))
            }
            Some(Meaning::Options(_)) => true,
            None => {
                still_waiting.push_back(set);
                continue;
            }
        };
        is_full |= !fits;
        if is_full {
            still_waiting.push_back(set);
            continue;
        }
        let mut late = Message {
            received_ms: set.received_ms,
            datagram: &[],
            decoded: Decoded::default(),
            decoded_len: 0,
            ..*message
        };
        let clocks = Clocks { init_ms: set.clocks.init_ms.or(state.init_ms), ..set.clocks };
        let first = out.len();
        let mut sets = Sets {
            message: &mut late,
            state,
            memory,
            scratch,
            out,
            clocks,
            engine: set.engine,
            records: None,
        };
        sets.data(set.id, set.offset, &set.body);
        sets.stamp(first);
        message.decoded_len += late.decoded_len;
        message.decoded.take_late(&late.decoded, set.body.len());
        state.waiting.decoded(&set, memory);
    }
    state.waiting.is_ready = is_full;
    state.waiting.put_back(still_waiting);
}

/// Notes what is wrong with the records of set `id`, which begins at `at` and consists of `body`, and says how many it
/// has, if that is certain. `limit` is what kept it from being read whole.
fn report(
    id: u16,
    at: usize,
    body: &[u8],
    (records, end): (&Records<'_>, End),
    limit: Option<(&'static str, usize)>,
    message: &mut Message<'_>,
) -> Option<u32> {
    match (end, limit) {
        (End::Truncated { start, expected }, _) => {
            let fault = Fault::Truncated { what: "record", expected, found: body.len() - start };
            message.fail(Some(id), at + start, fault);
            None
        }
        (End::More, Some((what, limit))) => {
            message.refuse(Some(id), at, Fault::Limit { what, limit });
            None
        }
        (End::More, None) | (End::Padding, _) => u32::try_from(records.count()).ok(),
    }
}

/// Turns the records of a template into rows.
struct Flows<'a> {
    plan: &'a Plan,
    templates: &'a Templates,
    samplers: &'a Samplers,
    clocks: Clocks,
    engine: (u8, u8),
    domain: u32,
    /// Id and offset of the set.
    place: (u16, usize),
}

impl Flows<'_> {
    fn decode(
        &self,
        records: &Records<'_>,
        message: &mut Message<'_>,
        out: &mut BatchBuilder,
        rates: &mut Vec<Rate>,
        nested: &mut Vec<Buffers>,
    ) {
        if records.count() == 0 {
            return;
        }
        let context = Context {
            clocks: self.clocks,
            domain: self.domain,
            value_len: message.limits.value_len_bytes,
            rates: self.rates(records, message, rates),
        };
        let mut rows = out.rows(records.count(), Groups(self.plan.groups.0 | message.groups().0));
        rows.fill(Field::EngineType, self.engine.0.into());
        rows.fill(Field::EngineId, self.engine.1.into());
        let written = self.plan.run(records, &context, &mut rows, FieldSet::EMPTY);
        if !self.plan.lists.is_empty() {
            nested.resize_with(message.limits.list_depth, Buffers::default);
            lists::merge(self.plan, records, written, self.templates, &context, &mut rows, nested);
        }
        let event = self.plan.groups.contains(Groups::NSEL) || self.plan.groups.contains(Groups::NAT);
        let event = if event && self.clocks.dialect == Dialect::V9 { RecordFlags::EVENT } else { 0 };
        let flags = |rate: Rate| event | if rate.is_sampled() { RecordFlags::SAMPLED } else { 0 };
        match context.rates {
            Rates::All(rate) => rows.fill(Field::RecordFlags, flags(rate)),
            rates @ Rates::Each(_) => rows.nums(Field::RecordFlags, |row| flags(rates.of(row))),
        }
        rows.finish();
        message.decoded.flows += records.count();
    }

    /// The sampling rates of the records: what the operator forces; else what the record itself says, or the
    /// sampler it names, or that of an interface, or of the template; else what applies to the whole exporter.
    fn rates<'r>(
        &self,
        records: &Records<'_>,
        message: &mut Message<'_>,
        rates: &'r mut Vec<Rate>,
    ) -> Rates<'r> {
        let (configured, received_ms) = (message.configured, message.received_ms);
        let Plan { interval, sampler, interfaces, .. } = self.plan;
        let [input, output] = if self.samplers.by_interface() { *interfaces } else { [None; 2] };
        let differ = interval.is_some() || sampler.is_some() || input.is_some() || output.is_some();
        let template = Some(SamplerInfo::of_template(self.place.0));
        if configured.forced.is_some() || !differ {
            return Rates::All(self.samplers.rate(&[template], received_ms, configured));
        }
        let limit = u64::from(message.limits.sampling_rate);
        rates.clear();
        let mut implausible = None;
        for row in 0..records.count() {
            let num = |slot: &Option<Slot>| slot.map(|slot| records.num(row, slot));
            let said = num(interval).unwrap_or(0);
            if said > limit {
                implausible = Some(said);
            }
            let interface = |slot| num(slot).map(|index| SamplerInfo::of_interface(index as u32));
            rates.push(match u32::try_from(said) {
                Ok(said) if said > 0 && u64::from(said) <= limit => Rate::one_of(said),
                _ => {
                    let ids = [num(sampler).map(sampler_id), interface(&input), interface(&output), template];
                    self.samplers.rate(&ids, received_ms, configured)
                }
            });
        }
        if let Some(found) = implausible {
            message.refuse(Some(self.place.0), self.place.1, Fault::SamplingRate { found, limit });
        }
        Rates::Each(rates)
    }
}

/// Id and length of a set.
fn set_header(input: &[u8]) -> IResult<&[u8], (u16, u16)> {
    (be_u16, be_u16).parse(input)
}

/// Id, field count and scope count of a template record, and what follows; `None` when that does not fit.
///
/// v9 counts the octets of the specifiers of an options template, IPFIX the fields.
fn template_header(dialect: Dialect, options: bool, input: &[u8]) -> Option<(u16, u16, Option<u16>, &[u8])> {
    let header: IResult<&[u8], (u16, u16)> = (be_u16, be_u16).parse(input);
    let (rest, (id, count)) = header.ok()?;
    if !options || (dialect == Dialect::Ipfix && count == 0) {
        return Some((id, count, None, rest));
    }
    let (rest, second) = number(rest).ok()?;
    Some(match dialect {
        Dialect::Ipfix => (id, count, Some(second), rest),
        Dialect::V9 => (id, count / 4 + second / 4, Some(count / 4), rest),
    })
}

fn number(input: &[u8]) -> IResult<&[u8], u16> {
    be_u16(input)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_template_records() {
        let input = [1, 0, 0, 8, 0, 12, 9];
        assert_eq!(template_header(Dialect::V9, true, &input), Some((256, 5, Some(2), &[9][..])));
        assert_eq!(template_header(Dialect::Ipfix, true, &input), Some((256, 8, Some(12), &[9][..])));
        assert_eq!(template_header(Dialect::V9, false, &input), Some((256, 8, None, &[0, 12, 9][..])));
        assert_eq!(template_header(Dialect::Ipfix, true, &[0, 3, 0, 0]), Some((3, 0, None, &[][..])));
        assert_eq!(template_header(Dialect::V9, true, &input[..5]), None);
    }
}
