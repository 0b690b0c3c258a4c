//! When a flow began and ended: which of a record's time elements say so.

use crate::element::{Dialect, id};
use crate::records::{Records, Slot};
use crate::time::{from_init, from_ntp, from_uptime};
use flow_model::{Field, Rows};

/// The clocks of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clocks {
    pub(crate) dialect: Dialect,
    /// When it was exported, ms since 1970 UTC.
    pub(crate) export_ms: u64,
    /// The exporter's uptime then; v9 only.
    pub(crate) uptime_ms: u32,
    /// When the exporter started, if options data said so.
    pub(crate) init_ms: Option<u64>,
}

/// How a time is written, the preferred form first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Millis,
    Nanos,
    Micros,
    Uptime,
    Seconds,
    /// µs before the export.
    Delta,
}

const FORMS: [Form; 6] = [Form::Millis, Form::Nanos, Form::Micros, Form::Uptime, Form::Seconds, Form::Delta];

/// The time elements of a template.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamps {
    /// By form.
    first: [Option<Slot>; FORMS.len()],
    last: [Option<Slot>; FORMS.len()],
    duration_millis: Option<Slot>,
    duration_micros: Option<Slot>,
    /// When the exporter started.
    init: Option<Slot>,
    /// When the event was observed.
    pub(crate) event: Option<Slot>,
}

impl Stamps {
    /// Takes a time element; false when it is none.
    pub(crate) fn add(&mut self, id: u16, slot: Slot) -> bool {
        let Stamps { first, last, .. } = self;
        let place = match id {
            id::FIRST_MILLIS => &mut first[Form::Millis as usize],
            id::FIRST_NANOS => &mut first[Form::Nanos as usize],
            id::FIRST_MICROS => &mut first[Form::Micros as usize],
            id::FIRST_UPTIME => &mut first[Form::Uptime as usize],
            id::FIRST_SECONDS => &mut first[Form::Seconds as usize],
            id::FIRST_DELTA => &mut first[Form::Delta as usize],
            id::LAST_MILLIS => &mut last[Form::Millis as usize],
            id::LAST_NANOS => &mut last[Form::Nanos as usize],
            id::LAST_MICROS => &mut last[Form::Micros as usize],
            id::LAST_UPTIME => &mut last[Form::Uptime as usize],
            id::LAST_SECONDS => &mut last[Form::Seconds as usize],
            id::LAST_DELTA => &mut last[Form::Delta as usize],
            id::DURATION_MILLIS => &mut self.duration_millis,
            id::DURATION_MICROS => &mut self.duration_micros,
            id::INIT_MILLIS => &mut self.init,
            _ => return false,
        };
        place.get_or_insert(slot);
        true
    }

    /// Whether a record says anything about its time.
    pub(crate) fn any(&self) -> bool {
        self.first.iter().chain(&self.last).any(Option::is_some) || self.event.is_some()
    }

    /// Writes first and last seen, and the time of the event if there shall be one.
    ///
    /// What is missing is made up from what is there: an end from the start and a duration, or from the time of the event; both from
    /// the latter. Uptime stamps without the start of the exporter give the duration, and the export its end.
    pub(crate) fn run<R: Records>(&self, records: &R, clocks: &Clocks, rows: &mut Rows<'_>, event: bool) {
        let first = self.choose(&self.first, clocks);
        let last = self.choose(&self.last, clocks);
        if let (Some((Form::Uptime, first)), Some((Form::Uptime, last)), Dialect::V9) =
            (first, last, clocks.dialect)
            && (first.len, last.len) == (4, 4)
        {
            // By far the most frequent shape, so it has loops of its own.
            let time = |row, slot| {
                let stamp = u32::from_be_bytes(records.array(row, slot));
                from_uptime(clocks.export_ms, clocks.uptime_ms, stamp)
            };
            rows.nums(Field::FirstMs, |row| time(row, first));
            rows.nums(Field::LastMs, |row| time(row, last));
        } else {
            rows.nums(Field::FirstMs, |row| self.times(records, row, clocks, first, last).0);
            rows.nums(Field::LastMs, |row| self.times(records, row, clocks, first, last).1);
        }
        match self.event {
            Some(slot) => rows.nums(Field::EventTimeMs, |row| records.num(row, slot)),
            None if event => {
                rows.nums(Field::EventTimeMs, |row| self.times(records, row, clocks, first, last).0);
            }
            None => {}
        }
    }

    /// The preferred form that can be turned into a time.
    fn choose(&self, slots: &[Option<Slot>; FORMS.len()], clocks: &Clocks) -> Option<(Form, Slot)> {
        let absolute = clocks.dialect == Dialect::V9 || clocks.init_ms.is_some() || self.init.is_some();
        let usable = |form| absolute || form != Form::Uptime;
        FORMS
            .into_iter()
            .zip(slots)
            .find_map(|(form, slot)| slot.filter(|_| usable(form)).map(|slot| (form, slot)))
    }

    #[inline]
    fn times<R: Records>(
        &self,
        records: &R,
        row: usize,
        clocks: &Clocks,
        first: Option<(Form, Slot)>,
        last: Option<(Form, Slot)>,
    ) -> (u64, u64) {
        let time = |(form, slot): (Form, Slot)| self.time(records, row, clocks, form, slot);
        let event = self.event.map(|slot| records.num(row, slot));
        let duration = match (self.duration_millis, self.duration_micros) {
            (Some(slot), _) => Some(records.num(row, slot)),
            (None, Some(slot)) => Some(records.num(row, slot) / 1000),
            (None, None) => None,
        };
        match (first.map(time), last.map(time)) {
            (Some(first), Some(last)) => (first, last),
            (Some(first), None) => {
                let last = duration.map(|duration| first.saturating_add(duration)).or(event);
                (first, last.unwrap_or(first))
            }
            (None, Some(last)) => (last.saturating_sub(duration.unwrap_or(0)), last),
            (None, None) => match event {
                Some(event) => (event, event),
                None => self.relative(records, row, clocks),
            },
        }
    }

    fn relative<R: Records>(&self, records: &R, row: usize, clocks: &Clocks) -> (u64, u64) {
        let stamp = |slots: &[Option<Slot>; FORMS.len()]| {
            slots[Form::Uptime as usize].map(|slot| records.num(row, slot) as u32)
        };
        let last = clocks.export_ms;
        match (stamp(&self.first), stamp(&self.last)) {
            (Some(from), Some(to)) => {
                let duration = to.wrapping_sub(from).cast_signed().max(0);
                (last.saturating_sub(u64::from(duration.cast_unsigned())), last)
            }
            _ => (last, last),
        }
    }

    #[inline]
    fn time<R: Records>(&self, records: &R, row: usize, clocks: &Clocks, form: Form, slot: Slot) -> u64 {
        let value = records.num(row, slot);
        match form {
            Form::Millis => value,
            Form::Nanos | Form::Micros => from_ntp(value),
            Form::Seconds => value.saturating_mul(1000),
            Form::Delta => clocks.export_ms.saturating_sub(value / 1000),
            Form::Uptime => {
                let init =
                    self.init.map(|slot| records.num(row, slot)).filter(|&init| init != 0).or(clocks.init_ms);
                match (clocks.dialect, init) {
                    (Dialect::V9, _) => from_uptime(clocks.export_ms, clocks.uptime_ms, value as u32),
                    (Dialect::Ipfix, Some(init)) => from_init(init, value, clocks.export_ms),
                    (Dialect::Ipfix, None) => clocks.export_ms,
                }
            }
        }
    }
}
