//! Templates of an exporter (RFC 7011 3.4 and 8, RFC 3954 5.2 and 6.1).

use crate::Limits;
use crate::element::{Dialect, Specifier, specifier};
use crate::memory::Memory;
use crate::options::OptionsPlan;
use crate::plan::Plan;
use hashbrown::HashMap;

/// The templates an exporter has defined and not withdrawn.
#[derive(Debug, Default)]
pub(crate) struct Templates {
    by_id: HashMap<u16, Template, foldhash::fast::RandomState>,
    /// Octets of all of them.
    memory: usize,
}

#[derive(Debug)]
struct Template {
    /// The record that defined it, without its id: a refresh that says the same changes nothing.
    raw: Box<[u8]>,
    meaning: Meaning,
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
}

/// What a definition changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Nothing: it says what was known.
    Refresh,
    /// Its id was not in use.
    New,
    /// Its id had another meaning.
    Replaced,
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
    /// What the records of template `id` are.
    pub(crate) fn get(&self, id: u16) -> Option<&Meaning> {
        self.by_id.get(&id).map(|template| &template.meaning)
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
            return Ok(Change::Refresh);
        }
        let was_known = self.withdraw(definition.id, total);
        let count = usize::from(definition.count);
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
        let template = Template { raw: definition.fields.into(), meaning };
        let memory = template.memory();
        let mut result = Ok(if was_known { Change::Replaced } else { Change::New });
        if self.by_id.len() >= limits.templates_per_exporter {
            self.clear(total);
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
    pub(crate) fn withdraw(&mut self, id: u16, total: &mut Memory) -> bool {
        let template = self.by_id.remove(&id);
        if let Some(template) = &template {
            total.release(template.memory());
            self.memory -= template.memory();
        }
        template.is_some()
    }

    /// Forgets every template of flows, or every options template.
    pub(crate) fn withdraw_all(&mut self, options: bool, total: &mut Memory) {
        let mut freed = 0;
        self.by_id.retain(|_, template| {
            let keep = matches!(template.meaning, Meaning::Options(_)) != options;
            freed += if keep { 0 } else { template.memory() };
            keep
        });
        total.release(freed);
        self.memory -= freed;
    }

    fn clear(&mut self, total: &mut Memory) {
        self.by_id.clear();
        total.release(self.memory);
        self.memory = 0;
    }
}

impl Template {
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
        let mut rest = self.fields;
        std::iter::from_fn(move || {
            let (after, specifier) = specifier(self.dialect, rest).ok()?;
            rest = after;
            Some(specifier)
        })
    }
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
        Definition { dialect: Dialect::V9, id, scope: None, count: (fields.len() / 4) as u16, fields }
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
        assert_eq!(templates.define(&definition(256, &PROTO), &limits, &mut total), Ok(Change::Replaced));
        assert_eq!((len(&templates, 256), total.used()), (Some(1), once));
        assert_eq!(templates.define(&definition(257, &PORT), &limits, &mut total), Ok(Change::New));
        assert!(templates.withdraw(256, &mut total) && !templates.withdraw(256, &mut total));
        assert_eq!((len(&templates, 256), len(&templates, 257)), (None, Some(2)));
        templates.withdraw_all(true, &mut total);
        assert_eq!(len(&templates, 257), Some(2));
        templates.withdraw_all(false, &mut total);
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
    fn specifiers_are_split_off() {
        assert_eq!(fields(Dialect::V9, &[0, 7, 0, 2, 9], 1), Some((&PORT[..], &[9][..])));
        assert_eq!(fields(Dialect::V9, &[0, 7, 0], 1), None);
    }
}
