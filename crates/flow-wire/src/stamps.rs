//! When a flow began and ended: which of a record's time elements say so.

use crate::element::{Dialect, id};
use crate::records::{Records, Slot};
use crate::step::{copy, copy_as};
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

impl Form {
    /// The time that `value` stands for, by the clocks of its message and the start of the exporter.
    #[inline]
    fn time(self, clocks: &Clocks, init_ms: Option<u64>, value: u64) -> u64 {
        match self {
            Form::Millis => value,
            Form::Nanos | Form::Micros => from_ntp(value),
            Form::Seconds => value.saturating_mul(1000),
            Form::Delta => clocks.export_ms.saturating_sub(value / 1000),
            Form::Uptime => match (clocks.dialect, init_ms) {
                (Dialect::V9, _) => from_uptime(clocks.export_ms, clocks.uptime_ms, value as u32),
                (Dialect::Ipfix, Some(init)) => from_init(init, value, clocks.export_ms),
                (Dialect::Ipfix, None) => clocks.export_ms,
            },
        }
    }
}

/// Where a record has one of its two times, by form.
#[derive(Clone, Copy, Debug, Default)]
struct Places {
    millis: Option<Slot>,
    nanos: Option<Slot>,
    micros: Option<Slot>,
    uptime: Option<Slot>,
    seconds: Option<Slot>,
    delta: Option<Slot>,
}

impl Places {
    /// The preferred form there is; uptime only where it can be turned into a time.
    fn choose(&self, uptime: bool) -> Option<(Form, Slot)> {
        let Places { millis, nanos, micros, seconds, delta, .. } = *self;
        [
            (Form::Millis, millis),
            (Form::Nanos, nanos),
            (Form::Micros, micros),
            (Form::Uptime, self.uptime.filter(|_| uptime)),
            (Form::Seconds, seconds),
            (Form::Delta, delta),
        ]
        .into_iter()
        .find_map(|(form, slot)| Some((form, slot?)))
    }
}

/// The time elements of a template.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamps {
    first: Places,
    last: Places,
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
        let place = match id {
            id::FIRST_MILLIS => &mut self.first.millis,
            id::FIRST_NANOS => &mut self.first.nanos,
            id::FIRST_MICROS => &mut self.first.micros,
            id::FIRST_UPTIME => &mut self.first.uptime,
            id::FIRST_SECONDS => &mut self.first.seconds,
            id::FIRST_DELTA => &mut self.first.delta,
            id::LAST_MILLIS => &mut self.last.millis,
            id::LAST_NANOS => &mut self.last.nanos,
            id::LAST_MICROS => &mut self.last.micros,
            id::LAST_UPTIME => &mut self.last.uptime,
            id::LAST_SECONDS => &mut self.last.seconds,
            id::LAST_DELTA => &mut self.last.delta,
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
        self.first.choose(true).is_some() || self.last.choose(true).is_some() || self.event.is_some()
    }

    /// Whether its times are stamps of the uptime, with nothing that says when that began.
    pub(crate) fn needs_start(&self) -> bool {
        let is_uptime = |places: &Places| matches!(places.choose(true), Some((Form::Uptime, _)));
        self.init.is_none() && (is_uptime(&self.first) || is_uptime(&self.last))
    }

    /// Writes first and last seen, and the time of the event if there shall be one.
    ///
    /// What is missing is made up from what is there: an end from the start and a duration, or from the time
    /// of the event; both from the latter. Uptime stamps without the start of the exporter give the duration,
    /// and the export its end.
    pub(crate) fn run(&self, records: &Records<'_>, clocks: &Clocks, rows: &mut Rows<'_>, event: bool) {
        let absolute = clocks.dialect == Dialect::V9 || clocks.init_ms.is_some() || self.init.is_some();
        let first = self.first.choose(absolute);
        let last = self.last.choose(absolute);
        if let (Some(first), Some(last), None) = (first, last, self.init) {
            for (field, (form, slot)) in [(Field::FirstMs, first), (Field::LastMs, last)] {
                let clocks = *clocks;
                // The usual forms have loops of their own.
                match (form, clocks.dialect) {
                    (Form::Millis, _) => copy(records, slot, field, rows),
                    (Form::Uptime, Dialect::V9) => copy_as(records, slot, field, rows, move |_, value| {
                        from_uptime(clocks.export_ms, clocks.uptime_ms, value as u32)
                    }),
                    _ => copy_as(records, slot, field, rows, move |_, value| {
                        form.time(&clocks, clocks.init_ms, value)
                    }),
                }
            }
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

    #[inline]
    fn times(
        &self,
        records: &Records<'_>,
        row: usize,
        clocks: &Clocks,
        first: Option<(Form, Slot)>,
        last: Option<(Form, Slot)>,
    ) -> (u64, u64) {
        let init = self.init.map(|slot| records.num(row, slot)).filter(|&init| init != 0).or(clocks.init_ms);
        let time = |(form, slot): (Form, Slot)| form.time(clocks, init, records.num(row, slot));
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

    fn relative(&self, records: &Records<'_>, row: usize, clocks: &Clocks) -> (u64, u64) {
        let stamp = |slot: Option<Slot>| slot.map(|slot| records.num(row, slot) as u32);
        let last = clocks.export_ms;
        match (stamp(self.first.uptime), stamp(self.last.uptime)) {
            (Some(from), Some(to)) => {
                let duration = to.wrapping_sub(from).cast_signed().max(0);
                (last.saturating_sub(u64::from(duration.cast_unsigned())), last)
            }
            _ => (last, last),
        }
    }
}
