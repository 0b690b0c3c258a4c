//! Saying what is wrong with an exporter's datagrams, once.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::IpAddr;

use crate::log::Log;

/// Exporters and causes that are remembered. Sources can be forged: beyond these we count only.
const MAX_REMEMBERED: usize = 4096;

/// Lines about repetitions at one rotation.
const MAX_SUMMARIES: usize = 20;

/// Logs the first occurrence of each cause per exporter, and counts the others until the next rotation.
///
/// (The map's hasher is seeded, so that forged addresses cannot pile up in one place.)
#[derive(Debug, Default)]
pub(crate) struct Complaints {
    seen: HashMap<(IpAddr, &'static str), u64>,
    unremembered: u64,
}

impl Complaints {
    /// `cause` names the kind of complaint, `text` is the whole of it. Tells whether it was logged.
    pub(crate) fn complain(
        &mut self,
        log: &Log,
        exporter: IpAddr,
        cause: &'static str,
        text: impl Display,
    ) -> bool {
        if let Some(repeated) = self.seen.get_mut(&(exporter, cause)) {
            *repeated += 1;
        } else if self.seen.len() < MAX_REMEMBERED {
            self.seen.insert((exporter, cause), 0);
            log.error(text);
            return true;
        } else {
            self.unremembered += 1;
        }
        false
    }

    /// Logs how often what was logged before has happened again.
    pub(crate) fn summarise(&mut self, log: &Log, ident: &str) {
        let mut repeated: Vec<_> = self
            .seen
            .iter_mut()
            .filter(|(_, count)| **count > 0)
            .map(|(&(exporter, cause), count)| (std::mem::take(count), exporter, cause))
            .collect();
        repeated.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(b.2)));
        let rest = repeated.split_off(repeated.len().min(MAX_SUMMARIES));
        for (count, exporter, cause) in repeated {
            log.error(format_args!("Ident: '{ident}' {exporter}: {cause}: {count} more"));
        }
        let others =
            rest.iter().map(|(count, ..)| count).sum::<u64>() + std::mem::take(&mut self.unremembered);
        if others > 0 {
            log.error(format_args!("Ident: '{ident}' other exporters and causes: {others} more"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_logged_once_per_exporter_then_counted() {
        let log = Log::to_memory();
        let mut complaints = Complaints::default();
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        for _ in 0..3 {
            complaints.complain(&log, a, "unknown version", "a sends 99");
            complaints.complain(&log, a, "truncated", "a is short");
        }
        complaints.complain(&log, b, "unknown version", "b sends 99");
        assert_eq!(log.lines(), ["a sends 99", "a is short", "b sends 99"]);
        complaints.summarise(&log, "x");
        let summaries =
            ["Ident: 'x' 192.0.2.1: truncated: 2 more", "Ident: 'x' 192.0.2.1: unknown version: 2 more"];
        assert_eq!(log.lines(), summaries);
        complaints.summarise(&log, "x");
        assert!(log.lines().is_empty());
    }

    #[test]
    fn forged_sources_fill_neither_memory_nor_log() {
        let log = Log::to_memory();
        let mut complaints = Complaints::default();
        for number in 0..2 * MAX_REMEMBERED as u32 {
            for _ in 0..2 {
                complaints.complain(&log, IpAddr::from(number.to_be_bytes()), "malformed", number);
            }
        }
        assert_eq!(complaints.seen.len(), MAX_REMEMBERED);
        assert_eq!(log.lines().len(), MAX_REMEMBERED);
        complaints.summarise(&log, "x");
        let lines = log.lines();
        assert_eq!(lines.len(), MAX_SUMMARIES + 1);
        let counted = MAX_REMEMBERED - MAX_SUMMARIES + 2 * MAX_REMEMBERED;
        assert_eq!(lines[MAX_SUMMARIES], format!("Ident: 'x' other exporters and causes: {counted} more"));
    }
}
