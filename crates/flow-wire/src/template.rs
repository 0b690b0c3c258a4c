//! Templates of an exporter (RFC 7011 3.4 and 8, RFC 3954 5.2 and 6.1).

use crate::Limits;
use crate::compile::is_read;
use crate::element::{Dialect, Specifier, specifier};
use crate::memory::Memory;
use crate::options::OptionsPlan;
use crate::plan::Plan;
use flow_model::RememberedTemplate;
use hashbrown::HashMap;
use std::cell::Cell;
use std::collections::BTreeMap;

/// The templates an exporter has defined and not withdrawn.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    by_id: HashMap<u16, Template, foldhash::fast::RandomState>,
    /// Octets of all of them.
    memory: usize,
    /// Records in which an element was skipped, of templates that are no longer there.
    skipped: BTreeMap<(u32, u16), u64>,
    /// The same, of elements that there was no room for.
    skipped_others: u64,
    /// Templates forgotten because they were neither sent again nor used.
    pub(crate) expired: u64,
}

#[derive(Debug)]
pub(crate) struct Template {
    dialect: Dialect,
    /// The record that defined it, without its id: a refresh that says the same changes nothing.
    raw: Box<[u8]>,
    pub(crate) meaning: Meaning,
    /// The UDP port that sent it last.
    port: u16,
    usage: Cell<Usage>,
}

/// What has become of a template.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// When it was last sent or used.
    last_ms: u64,
    /// Records decoded with it.
    pub(crate) records: u64,
    /// How often it was sent.
    pub(crate) sent: u64,
}

/// What a template's records are.
#[derive(Debug)]
pub(crate) enum Meaning {
    /// Flows.
    Flows(Plan),
    /// Statements about the exporter.
    Options(OptionsPlan),
}

/// A template record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Definition<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) id: u16,
    /// Fields in front that are the scope; `None` in a template of flows.
    pub(crate) scope: Option<u16>,
    pub(crate) count: u16,
    /// The field specifiers.
    pub(crate) fields: &'a [u8],
    /// The UDP port it came from, and when.
    pub(crate) port: u16,
    pub(crate) received_ms: u64,
}

/// What a definition changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing: it says what was known.
    Refresh,
    /// Its id was not in use.
    New,
    /// Its id had another meaning, which this UDP port had sent.
    Replaced(u16),
}

/// Why a definition was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rejected {
    /// Its records have no octets.
    Empty,
    /// It reaches a bound.
    Limit(&'static str, usize),
}

impl Templates {
    /// Template `id`.
    #[inline]
    pub(crate) fn find(&self, id: u16) -> Option<&Template> {
        self.by_id.get(&id)
    }

    /// What the records of template `id` are.
    pub(crate) fn get(&self, id: u16) -> Option<&Meaning> {
        self.find(id).map(|template| &template.meaning)
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Every template with its id, ordered by id.
    pub(crate) fn list(&self) -> Vec<(u16, &Template)> {
        let mut list: Vec<_> = self.by_id.iter().map(|(&id, template)| (id, template)).collect();
        list.sort_unstable_by_key(|&(id, _)| id);
        list
    }

    /// How many records had an element that was skipped, for each such element, and for those that there was
    /// no room for.
    pub(crate) fn skipped(&self) -> (BTreeMap<(u32, u16), u64>, u64) {
        let mut skipped = self.skipped.clone();
        for template in self.by_id.values() {
            for specifier in template.skipped() {
                *skipped.entry((specifier.enterprise, specifier.id)).or_default() +=
                    template.usage.get().records;
            }
        }
        skipped.retain(|_, count| *count > 0);
        (skipped, self.skipped_others)
    }

    /// Takes a definition. One that is rejected takes the place of an earlier one all the same: its records
    /// no longer mean what they did.
    pub(crate) fn define(
        &mut self,
        definition: &Definition<'_>,
        limits: &Limits,
        total: &mut Memory,
    ) -> Result<Change, Rejected> {
        if let Some(known) = self.by_id.get(&definition.id)
            && known.says(definition)
        {
            let usage = known.usage.get();
            known.usage.set(Usage { last_ms: definition.received_ms, sent: usage.sent + 1, ..usage });
            return Ok(Change::Refresh);
        }
        let port_before = self.by_id.get(&definition.id).map(|template| template.port);
        self.withdraw(definition.id, limits, total);
        let count = usize::from(definition.count);
        if definition.scope.is_some_and(|scope| usize::from(scope) > limits.scope_fields_per_template) {
            return Err(Rejected::Limit("scope fields in a template", limits.scope_fields_per_template));
        }
        if count > limits.fields_per_template {
            return Err(Rejected::Limit("fields in a template", limits.fields_per_template));
        }
        let specifiers: Vec<Specifier> = definition.specifiers().collect();
        if specifiers.iter().map(|specifier| specifier.min_len()).sum::<usize>() > limits.record_len_bytes {
            return Err(Rejected::Limit("octets in a record", limits.record_len_bytes));
        }
        let meaning = match definition.scope {
            None => Plan::compile(definition.dialect, &specifiers).map(Meaning::Flows),
            Some(scope) => {
                let plan = OptionsPlan::compile(definition.dialect, &specifiers, usize::from(scope));
                plan.map(Meaning::Options)
            }
        };
        let meaning = meaning.ok_or(Rejected::Empty)?;
        let template = Template {
            dialect: definition.dialect,
            raw: definition.fields.into(),
            meaning,
            port: definition.port,
            usage: Cell::new(Usage { last_ms: definition.received_ms, records: 0, sent: 1 }),
        };
        let memory = template.memory();
        let mut result = Ok(port_before.map_or(Change::New, Change::Replaced));
        if self.by_id.len() >= limits.templates_per_exporter {
            self.clear(limits, total);
            result = Err(Rejected::Limit("templates of an exporter", limits.templates_per_exporter));
        }
        if !total.charge(memory, limits) {
            return Err(Rejected::Limit("octets of templates", limits.state_len_bytes));
        }
        self.memory += memory;
        self.by_id.insert(definition.id, template);
        result
    }

    /// Forgets template `id`, and says whether it was known.
    pub(crate) fn withdraw(&mut self, id: u16, limits: &Limits, total: &mut Memory) -> bool {
        let template = self.by_id.remove(&id);
        if let Some(template) = &template {
            self.forget(template, limits, total);
        }
        template.is_some()
    }

    /// Forgets every template of flows, or every options template.
    pub(crate) fn withdraw_all(&mut self, options: bool, limits: &Limits, total: &mut Memory) {
        self.forget_if(|template| matches!(template.meaning, Meaning::Options(_)) == options, limits, total);
    }

    /// Forgets the templates that were neither sent nor used for too long.
    pub(crate) fn expire(&mut self, now_ms: u64, limits: &Limits, total: &mut Memory) {
        let count = self.forget_if(|template| template.is_stale(now_ms, limits), limits, total);
        self.expired += count as u64;
    }

    fn clear(&mut self, limits: &Limits, total: &mut Memory) {
        self.forget_if(|_| true, limits, total);
    }

    fn forget_if(
        &mut self,
        is_lost: impl Fn(&Template) -> bool,
        limits: &Limits,
        total: &mut Memory,
    ) -> usize {
        let lost: Vec<Template> =
            self.by_id.extract_if(|_, template| is_lost(template)).map(|(_, template)| template).collect();
        for template in &lost {
            self.forget(template, limits, total);
        }
        lost.len()
    }

    /// Accounts for a template that is there no longer.
    fn forget(&mut self, template: &Template, limits: &Limits, total: &mut Memory) {
        total.release(template.memory());
        self.memory -= template.memory();
        let records = template.usage.get().records;
        if records == 0 {
            return;
        }
        for specifier in template.skipped() {
            let key = (specifier.enterprise, specifier.id);
            if let Some(count) = self.skipped.get_mut(&key) {
                *count += records;
            } else if self.skipped.len() < limits.skipped_elements_per_exporter
                && total.charge(SKIPPED_ENTRY, limits)
            {
                self.skipped.insert(key, records);
            } else {
                self.skipped_others += records;
            }
        }
    }
}

/// Octets that an element and its count occupy, about.
const SKIPPED_ENTRY: usize = 32;

impl Template {
    /// Whether it was neither sent nor used for too long.
    #[inline]
    pub(crate) fn is_stale(&self, now_ms: u64, limits: &Limits) -> bool {
        now_ms.saturating_sub(self.usage.get().last_ms) > limits.template_age_ms
    }

    /// Notes that records were decoded with it.
    #[inline]
    pub(crate) fn note(&self, received_ms: u64, records: usize) {
        let usage = self.usage.get();
        let last_ms = usage.last_ms.max(received_ms);
        self.usage.set(Usage { last_ms, records: usage.records + records as u64, ..usage });
    }

    /// What is to be known of it in the next run, as template `id`.
    pub(crate) fn remembered(&self, id: u16) -> RememberedTemplate {
        let scope = match &self.meaning {
            Meaning::Flows(_) => None,
            Meaning::Options(plan) => Some(plan.scope as u16),
        };
        let (port, used_ms) = (self.port, self.usage.get().last_ms);
        RememberedTemplate { id, scope, port, used_ms, fields: self.raw.to_vec() }
    }

    /// What has become of it.
    pub(crate) fn usage(&self) -> Usage {
        self.usage.get()
    }

    /// Its fields, in order.
    pub(crate) fn specifiers(&self) -> impl Iterator<Item = Specifier> {
        specifiers(self.dialect, &self.raw)
    }

    /// How many fields are its scope.
    pub(crate) fn scope(&self) -> usize {
        match &self.meaning {
            Meaning::Flows(_) => 0,
            Meaning::Options(plan) => plan.scope,
        }
    }

    /// Its fields that nothing reads, whatever their length.
    fn skipped(&self) -> impl Iterator<Item = Specifier> {
        let (dialect, scope) = (self.dialect, self.scope());
        let is_options = matches!(self.meaning, Meaning::Options(_));
        self.specifiers().enumerate().filter_map(move |(index, specifier)| {
            let is_scope = index < scope;
            let is_read = if is_options {
                // What a record is about is no statement that somebody could miss.
                is_scope || OptionsPlan::reads(dialect, is_scope, specifier)
            } else {
                is_read(dialect, specifier)
            };
            (!is_read && specifier.len > 0).then_some(specifier)
        })
    }

    fn says(&self, definition: &Definition<'_>) -> bool {
        let scope = match &self.meaning {
            Meaning::Flows(_) => None,
            Meaning::Options(plan) => Some(plan.scope),
        };
        scope == definition.scope.map(usize::from) && *self.raw == *definition.fields
    }

    fn memory(&self) -> usize {
        let plan = match &self.meaning {
            Meaning::Flows(plan) => plan.memory(),
            Meaning::Options(plan) => plan.memory(),
        };
        size_of::<(u16, Template)>() + self.raw.len() + plan
    }
}

impl Definition<'_> {
    fn specifiers(&self) -> impl Iterator<Item = Specifier> {
        specifiers(self.dialect, self.fields)
    }
}

fn specifiers(dialect: Dialect, fields: &[u8]) -> impl Iterator<Item = Specifier> {
    let mut rest = fields;
    std::iter::from_fn(move || {
        let (after, specifier) = specifier(dialect, rest).ok()?;
        rest = after;
        Some(specifier)
    })
}

/// How many field specifiers `input` consists of; `None` when it does not.
pub(crate) fn count(dialect: Dialect, input: &[u8]) -> Option<u16> {
    let (mut rest, mut count) = (input, 0_u16);
    while !rest.is_empty() {
        rest = specifier(dialect, rest).ok()?.0;
        count = count.checked_add(1)?;
    }
    Some(count)
}

/// Splits `count` field specifiers off `input`.
pub(crate) fn fields(dialect: Dialect, input: &[u8], count: u16) -> Option<(&[u8], &[u8])> {
    let mut rest = input;
    for _ in 0..count {
        rest = specifier(dialect, rest).ok()?.0;
    }
    input.split_at_checked(input.len() - rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn definition(id: u16, fields: &[u8]) -> Definition<'_> {
        let count = (fields.len() / 4) as u16;
        Definition { dialect: Dialect::V9, id, scope: None, count, fields, port: 5, received_ms: 1_000 }
    }

    const PORT: [u8; 4] = [0, 7, 0, 2];
    const PROTO: [u8; 4] = [0, 4, 0, 1];

    fn len(templates: &Templates, id: u16) -> Option<usize> {
        match templates.get(id)? {
            Meaning::Flows(plan) => Some(plan.shape.min_len),
            Meaning::Options(_) => None,
        }
    }

    #[test]
    fn a_new_definition_replaces_and_a_withdrawal_forgets() {
        let (mut templates, mut total, limits) = (Templates::default(), Memory::default(), Limits::default());
        assert_eq!(templates.define(&definition(256, &PORT), &limits, &mut total), Ok(Change::New));
        assert_eq!(templates.define(&definition(256, &PORT), &limits, &mut total), Ok(Change::Refresh));
        let once = total.used();
        assert_eq!(templates.define(&definition(256, &PROTO), &limits, &mut total), Ok(Change::Replaced(5)));
        assert_eq!((len(&templates, 256), total.used()), (Some(1), once));
        assert_eq!(templates.define(&definition(257, &PORT), &limits, &mut total), Ok(Change::New));
        assert!(
            templates.withdraw(256, &limits, &mut total) && !templates.withdraw(256, &limits, &mut total)
        );
        assert_eq!((len(&templates, 256), len(&templates, 257)), (None, Some(2)));
        templates.withdraw_all(true, &limits, &mut total);
        assert_eq!(len(&templates, 257), Some(2));
        templates.withdraw_all(false, &limits, &mut total);
        assert_eq!((len(&templates, 257), total.used(), templates.memory), (None, 0, 0));
    }

    #[test]
    fn bounds_are_kept_and_a_rejected_definition_replaces() {
        let (mut templates, mut total) = (Templates::default(), Memory::default());
        let limits = Limits {
            templates_per_exporter: 2,
            fields_per_template: 2,
            record_len_bytes: 10,
            ..Limits::default()
        };
        let mut define = |id, fields: &[u8]| templates.define(&definition(id, fields), &limits, &mut total);
        assert_eq!(define(256, &PORT), Ok(Change::New));
        assert_eq!(define(256, &[0; 12]), Err(Rejected::Limit("fields in a template", 2)));
        assert_eq!(define(256, &[0, 9, 0, 0]), Err(Rejected::Empty));
        assert_eq!(define(256, &[0, 9, 0, 11]), Err(Rejected::Limit("octets in a record", 10)));
        for id in [300, 301] {
            assert_eq!(define(id, &PORT), Ok(Change::New));
        }
        assert_eq!(define(302, &PORT), Err(Rejected::Limit("templates of an exporter", 2)));
        assert_eq!(len(&templates, 256), None);
        assert_eq!((len(&templates, 300), len(&templates, 302)), (None, Some(2)));
    }

    #[test]
    fn a_template_that_is_neither_sent_nor_used_is_forgotten() {
        let (mut templates, mut total) = (Templates::default(), Memory::default());
        let limits = Limits { template_age_ms: 100, ..Limits::default() };
        for id in [256, 257, 258] {
            templates.define(&definition(id, &PORT), &limits, &mut total).unwrap();
        }
        let again = Definition { received_ms: 1_050, ..definition(257, &PORT) };
        assert_eq!(templates.define(&again, &limits, &mut total), Ok(Change::Refresh));
        templates.find(258).unwrap().note(1_051, 3);
        let stale = |id, now_ms| templates.find(id).unwrap().is_stale(now_ms, &limits);
        assert_eq!([256, 257, 258].map(|id| stale(id, 1_101)), [true, false, false]);
        assert_eq!([257, 258].map(|id| stale(id, 1_151)), [true, false]);
        templates.expire(1_151, &limits, &mut total);
        assert_eq!(templates.list().iter().map(|&(id, _)| id).collect::<Vec<_>>(), [258]);
        assert_eq!((templates.expired, templates.memory), (2, total.used()));
    }

    #[test]
    fn what_is_skipped_is_counted_and_bounded() {
        let (mut templates, mut total) = (Templates::default(), Memory::default());
        let limits = Limits { skipped_elements_per_exporter: 2, ..Limits::default() };
        let fields = [0, 7, 0, 2, 0x20, 0, 0, 4, 0x20, 1, 0, 4, 0x20, 2, 0, 4];
        templates.define(&definition(256, &fields), &limits, &mut total).unwrap();
        assert!(templates.skipped().0.is_empty());
        templates.find(256).unwrap().note(0, 5);
        let elements = |templates: &Templates| templates.skipped().0.into_iter().collect::<Vec<_>>();
        assert_eq!(elements(&templates), [((0, 0x2000), 5), ((0, 0x2001), 5), ((0, 0x2002), 5)]);
        templates.withdraw(256, &limits, &mut total);
        assert_eq!(
            (elements(&templates), templates.skipped().1),
            (vec![((0, 0x2000), 5), ((0, 0x2001), 5)], 5)
        );
        assert_eq!(total.used(), 2 * SKIPPED_ENTRY);
    }

    #[test]
    fn specifiers_are_split_off() {
        assert_eq!(fields(Dialect::V9, &[0, 7, 0, 2, 9], 1), Some((&PORT[..], &[9][..])));
        assert_eq!(fields(Dialect::V9, &[0, 7, 0], 1), None);
    }
}
