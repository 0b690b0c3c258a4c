//! Exporters of several files, under numbers of which each means one.

use crate::file::FlowFile;
use crate::writer::FileTail;
use flow_model::{
    Column, Dictionary, ExportedInfo, ExporterInfo, Field, FlowBatch, NameInfo, SamplerInfo, Value, Values,
};
use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;

/// What becomes of the numbers by which a file [lists](FlowFile::exporters) its exporters, in a file that takes in its
/// flows. By default they stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExporterNumbers(HashMap<u16, u16>);

impl ExporterNumbers {
    /// Whether every exporter keeps its number.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The new number of an exporter.
    pub fn of(&self, sysid: u16) -> u16 {
        self.0.get(&sysid).copied().unwrap_or(sysid)
    }

    /// Gives flows the new numbers of their exporters.
    pub(crate) fn apply(&self, batch: &mut FlowBatch) {
        if self.is_empty() {
            return;
        }
        let new = |num: u64| self.of(num as u16);
        let column = match batch.column(Field::ExporterId) {
            Column::Constant(Value::Num(num)) => Column::Constant(Value::Num(new(*num).into())),
            Column::Dictionary(Dictionary { codes, values }) => {
                let of_code: Vec<u16> = (0..values.len()).map(|code| new(values.num(code))).collect();
                let numbers = codes.iter().map(|&code| of_code[usize::from(code)]).collect();
                Column::Plain(Values::U16(numbers))
            }
            other => Column::Plain(Values::U16((0..batch.len()).map(|row| new(other.num(row))).collect())),
        };
        batch.insert(Field::ExporterId, column);
    }
}

impl FileTail {
    /// Adds what is known of a file whose flows go into the same file as those of the files added before, and gives the
    /// numbers that its exporters have there.
    ///
    /// An exporter that is known already is the one of the same protocol, address and domain. Where a file tells several of
    /// the same apart, they are matched in their order. An exporter keeps its number unless another one has it.
    /// [`span_if_empty`](FileTail::span_if_empty) stays as it is.
    pub fn add(&mut self, file: &FlowFile) -> ExporterNumbers {
        let numbers = self.add_exporters(file.exporters());
        let new = |sysid| numbers.of(sysid);
        let known: HashSet<SamplerKey> = self.samplers.iter().map(sampler_key).collect();
        let samplers = file.samplers().iter().map(|one| SamplerInfo { exporter: new(one.exporter), ..*one });
        self.samplers.extend(samplers.filter(|sampler| !known.contains(&sampler_key(sampler))));
        NameInfo::merge(&mut self.names, file.names(), new);
        ExportedInfo::merge(&mut self.exported, file.exported(), new);
        self.ledger.merge(file.ledger());
        let failures = file.totals().sequence_failures;
        self.sequence_failures = self.sequence_failures.saturating_add(failures);
        numbers
    }

    fn add_exporters(&mut self, newer: &[ExporterInfo]) -> ExporterNumbers {
        let mut known: HashMap<Identity, VecDeque<usize>> = HashMap::new();
        for (index, exporter) in self.exporters.iter().enumerate() {
            known.entry(identity(exporter)).or_default().push_back(index);
        }
        let matches: Vec<Option<usize>> = newer
            .iter()
            .map(|exporter| known.get_mut(&identity(exporter)).and_then(VecDeque::pop_front))
            .collect();
        let mut taken: HashSet<u16> = self.exporters.iter().map(|exporter| exporter.sysid).collect();
        let newcomers = newer.iter().zip(&matches).filter(|(_, known)| known.is_none());
        let keeping: HashSet<u16> =
            newcomers.map(|(exporter, _)| exporter.sysid).filter(|&sysid| taken.insert(sysid)).collect();
        let mut free = (1..=u16::MAX).filter(|sysid| !taken.contains(sysid));
        let mut numbers = HashMap::new();
        for (exporter, known) in newer.iter().zip(matches) {
            let sysid = match known {
                Some(index) => {
                    self.exporters[index].ledger.merge(&exporter.ledger);
                    Some(self.exporters[index].sysid)
                }
                None if keeping.contains(&exporter.sysid) => Some(exporter.sysid),
                None => free.next(),
            };
            match sysid {
                Some(sysid) if known.is_none() => {
                    self.exporters.push(ExporterInfo { sysid, ..exporter.clone() });
                }
                Some(_) => {}
                None => self.unnumbered += 1,
            }
            let sysid = sysid.unwrap_or_default();
            if sysid != exporter.sysid {
                numbers.insert(exporter.sysid, sysid);
            }
        }
        ExporterNumbers(numbers)
    }
}

/// Protocol, address and domain of an exporter.
pub(crate) type Identity = (u16, IpAddr, u32);

pub(crate) fn identity(exporter: &ExporterInfo) -> Identity {
    (exporter.version, exporter.addr, exporter.domain)
}

/// Exporter, id, algorithm, interval and space of a sampler.
pub(crate) type SamplerKey = (u16, i64, u16, u32, u32);

pub(crate) fn sampler_key(sampler: &SamplerInfo) -> SamplerKey {
    let SamplerInfo { exporter, id, algorithm, interval, space } = *sampler;
    (exporter, id, algorithm, interval, space)
}
