//! What was lost on the way into the files (D-108).

use flow_file::FlowFile;
use flow_model::{ExporterInfo, LossLedger, MissingFlows};
use flow_query::TimeWindow;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Each cause of losses, and how often it is counted.
pub(crate) fn causes(ledger: &LossLedger) -> impl Iterator<Item = (&'static str, u64)> {
    let all = [
        ("Missed by sequence", ledger.missed),
        ("Kernel drops", ledger.kernel_drops),
        ("Queue drops", ledger.queue_drops),
        ("Flows not written", ledger.unwritten),
        ("Sets without template", ledger.no_template),
        ("Malformed", ledger.malformed),
        ("Refused", ledger.refused),
    ];
    all.into_iter().filter(|&(_, count)| count > 0)
}

/// What is missing in a set of files.
#[derive(Debug, Default)]
pub(crate) struct Loss {
    stored: u64,
    missing: u64,
    is_estimate: bool,
    ledger: LossLedger,
}

impl Loss {
    /// That of all files which can be opened and may have flows within the window.
    pub(crate) fn of(files: &[PathBuf], window: Option<TimeWindow>) -> Loss {
        let mut loss = Loss::default();
        for file in files.iter().filter_map(|path| FlowFile::open(path).ok()) {
            let totals = file.totals();
            let is_meant = totals.first_ms > totals.last_ms
                || window.is_none_or(|window| window.overlaps(totals.first_ms, totals.last_ms));
            if is_meant {
                loss.stored += totals.flows;
                file.exporters().iter().for_each(|exporter| loss.add(exporter));
                loss.missing += file.ledger().unwritten;
                loss.ledger.merge(file.ledger());
            }
        }
        loss
    }

    /// Adds the flows that an exporter sent and that never came. Datagrams that the kernel or a queue dropped are among those
    /// missed by sequence.
    fn add(&mut self, exporter: &ExporterInfo) {
        let MissingFlows { flows, is_estimate } = exporter.missing_flows();
        self.missing += flows;
        self.is_estimate |= is_estimate;
    }

    /// Whether there is any.
    pub(crate) fn is_known(&self) -> bool {
        self.missing > 0 || causes(&self.ledger).next().is_some()
    }

    /// A line for people: how much, `~` in front of an estimate, and why.
    pub(crate) fn line(&self) -> String {
        if !self.is_known() {
            return format!("no loss is known of: {} flows are stored", self.stored);
        }
        let share = self.missing as f64 * 100.0 / (self.stored + self.missing).max(1) as f64;
        let about = if self.is_estimate { "~" } else { "" };
        let mut line = format!(
            "{about}{share:.1}% of the flows are missing: {about}{} beside {}",
            self.missing, self.stored
        );
        for (index, (cause, count)) in causes(&self.ledger).enumerate() {
            // A String takes any text.
            let _ = write!(line, "{} {cause}: {count}", if index == 0 { ";" } else { "," });
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exporter(version: u16, datagrams: u64, flows: u64, missed: u64) -> ExporterInfo {
        let ledger = LossLedger { datagrams, flows, missed, ..LossLedger::default() };
        ExporterInfo { sysid: 1, version, addr: [192, 0, 2, 1].into(), domain: 0, ledger }
    }

    #[test]
    fn sequences_of_flows_are_exact_and_those_of_datagrams_estimates() {
        let mut loss = Loss { stored: 900, ..Loss::default() };
        loss.add(&exporter(5, 30, 300, 30));
        loss.add(&exporter(10, 30, 300, 70));
        assert_eq!(loss.line(), "10.0% of the flows are missing: 100 beside 900");
        loss.add(&exporter(9, 30, 300, 0));
        assert!(!loss.is_estimate);
        loss.add(&exporter(9, 30, 300, 5));
        loss.ledger = LossLedger { missed: 105, kernel_drops: 3, ..LossLedger::default() };
        let expected =
            "~14.3% of the flows are missing: ~150 beside 900; Missed by sequence: 105, Kernel drops: 3";
        assert_eq!(loss.line(), expected);
    }

    #[test]
    fn nothing_lost_is_said_so() {
        let loss = Loss { stored: 7, ..Loss::default() };
        assert!(!loss.is_known());
        assert_eq!(loss.line(), "no loss is known of: 7 flows are stored");
    }
}
