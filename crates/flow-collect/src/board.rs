//! The ledgers of a running collector, where those who ask can read them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use flow_model::{ExporterInfo, LossLedger};

/// Exporters of a source that are shown one by one; the others are in the source's sum only. Addresses can be forged.
const MAX_EXPORTERS: usize = 1000;

/// Who an exporter is: address, observation domain (for sFlow, sub-agent; for v5, engine), version.
pub(crate) type ExporterKey = (IpAddr, u32, u16);

/// What happened to the datagrams of a source since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SourceLedger {
    pub(crate) ident: String,
    pub(crate) total: LossLedger,
    pub(crate) exporters: BTreeMap<ExporterKey, LossLedger>,
}

impl SourceLedger {
    /// Adds what exporters did in a slot, or in a part of one.
    pub(crate) fn add(&mut self, exporters: &[ExporterInfo]) {
        for exporter in exporters {
            self.total.merge(&exporter.ledger);
            let key = (exporter.addr, exporter.domain, exporter.version);
            if self.exporters.len() < MAX_EXPORTERS || self.exporters.contains_key(&key) {
                self.exporters.entry(key).or_default().merge(&exporter.ledger);
            }
        }
    }
}

/// The ledgers of all sources, by number, put there by the decoder about once a second.
#[derive(Debug, Default)]
pub(crate) struct Board {
    sources: Mutex<Vec<Option<Arc<SourceLedger>>>>,
}

impl Board {
    pub(crate) fn put(&self, number: usize, ledger: SourceLedger) {
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        if sources.len() <= number {
            sources.resize(number + 1, None);
        }
        sources[number] = Some(Arc::new(ledger));
    }

    pub(crate) fn all(&self) -> Vec<Arc<SourceLedger>> {
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        sources.iter().flatten().map(Arc::clone).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exporters_beyond_the_bound_are_in_the_sum() {
        let mut ledger = SourceLedger::default();
        let exporter = |number: u32| ExporterInfo {
            sysid: 1,
            version: 5,
            addr: IpAddr::from(number.to_be_bytes()),
            domain: 0,
            ledger: LossLedger { datagrams: 2, ..LossLedger::default() },
        };
        let exporters: Vec<ExporterInfo> = (0..1500).map(exporter).collect();
        ledger.add(&exporters);
        ledger.add(&exporters);
        assert_eq!((ledger.exporters.len(), ledger.total.datagrams), (MAX_EXPORTERS, 6000));
        assert!(ledger.exporters.values().all(|ledger| ledger.datagrams == 4));
    }
}
