//! Records that are not flows: exporters, samplers and names.

use super::layout::{Layout, Record, record, record_len, text, u16_at, u32_at, u64_at, v6_at};
use crate::error::Damage;
use crate::numbers::{Identity, SamplerKey, identity, sampler_key};
use flow_model::{
    Column, ExporterInfo, Field, FlowBatch, LossLedger, NameInfo, NameKind, SamplerInfo, Values,
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr};

/// Who sent the flows of a file, how they were sampled, and what the numbers in them mean.
#[derive(Debug, Default)]
pub(super) struct Senders {
    /// Each under a number of its own.
    pub(super) exporters: Vec<ExporterInfo>,
    pub(super) samplers: Vec<SamplerInfo>,
    pub(super) names: Vec<NameInfo>,
    meanings: Meanings,
}

/// What numbers mean that are given more than once in a file: those of each, in file order.
type Meanings = BTreeMap<u16, Vec<Meaning>>;

/// Whom a number means from a place on.
#[derive(Clone, Copy, Debug)]
struct Meaning {
    block: usize,
    /// Where the record that says so stands in its block.
    at: usize,
    /// The number under which that exporter is listed; 0 for nobody.
    sysid: u16,
}

impl Senders {
    /// Gives the flows of a block the numbers under which their exporters are listed. `starts` are the places of the flow
    /// records in the block.
    pub(super) fn tell_apart(&self, block: usize, starts: &[u32], batch: &mut FlowBatch) {
        if self.meanings.is_empty() {
            return;
        }
        let column = batch.column(Field::ExporterId);
        let listed = starts.iter().enumerate().map(|(row, &start)| {
            let sysid = column.num(row) as u16;
            let meanings = self.meanings.get(&sysid).map_or(&[][..], Vec::as_slice);
            let before = |meaning: &Meaning| (meaning.block, meaning.at) < (block, start as usize);
            let passed = meanings.partition_point(before);
            passed.checked_sub(1).map_or(sysid, |last| meanings[last].sysid)
        });
        let listed = Column::Plain(Values::U16(listed.collect()));
        batch.insert(Field::ExporterId, listed);
    }
}

/// Gathers [`Senders`] from record after record, in the order of the file.
#[derive(Default)]
pub(super) struct Gatherer {
    /// In the order in which they appeared; the number is that of the file.
    exporters: Vec<ExporterInfo>,
    /// Which of the exporters the file gave a number that was free.
    keeps_number: Vec<bool>,
    by_identity: HashMap<Identity, usize>,
    /// Which exporter a number means after the records so far.
    meaning: BTreeMap<u16, usize>,
    /// Where a number came to mean another exporter: block, place in it, number, exporter.
    changes: Vec<(usize, usize, u16, usize)>,
    /// What was counted for a number whose exporter is still to come.
    ledgers: BTreeMap<u16, LossLedger>,
    /// Each with its exporter, where that was known.
    samplers: Vec<(SamplerInfo, Option<usize>)>,
    known_samplers: HashSet<(Option<usize>, SamplerKey)>,
    names: BTreeMap<(NameKind, Vec<u8>), String>,
}

impl Gatherer {
    /// Takes a record of block number `block` if it is of a kind that matters here.
    pub(super) fn take(&mut self, layout: Layout, block: usize, entry: &Record<'_>) -> Result<(), Damage> {
        match (entry.kind, layout) {
            (record::EXPORTER, _) => self.add_exporter(exporter(entry.octets)?, (block, entry.at))?,
            (record::EXPORTER_STATISTICS, _) => self.add_statistics(entry.octets)?,
            (record::SAMPLER_LEGACY, _) => self.add_sampler(legacy_sampler(entry.octets)?)?,
            (record::SAMPLER, Layout::Two) => self.add_sampler(sampler(entry.octets)?)?,
            (record::NBAR, Layout::Two) => self.add_applications(entry.octets)?,
            (record::INTERFACE_NAMES, Layout::Two) => self.add_indexed(NameKind::Interface, entry.octets)?,
            (record::VRF_NAMES, Layout::Two) => self.add_indexed(NameKind::Vrf, entry.octets)?,
            _ => {}
        }
        Ok(())
    }

    /// A collector that is started again in the middle of a file numbers its exporters anew.
    fn add_exporter(&mut self, exporter: ExporterInfo, (block, at): (usize, usize)) -> Result<(), Damage> {
        let sysid = exporter.sysid;
        let who = identity(&exporter);
        let meant = self.meaning.get(&sysid).copied();
        if meant.is_some_and(|index| identity(&self.exporters[index]) == who) {
            return Ok(());
        }
        let known = meant.and_then(|_| self.by_identity.get(&who).copied());
        let is_full = |len: usize| len == MOST_EXPORTERS;
        if known.is_none() && is_full(self.exporters.len()) || meant.is_some() && is_full(self.changes.len())
        {
            let (what, limit) = ("number of exporters", MOST_EXPORTERS as u64);
            return Err(Damage::TooLarge { what, found: limit + 1, limit });
        }
        let index = known.unwrap_or_else(|| {
            self.by_identity.entry(who).or_insert(self.exporters.len());
            self.exporters.push(exporter);
            self.keeps_number.push(meant.is_none());
            self.exporters.len() - 1
        });
        self.meaning.insert(sysid, index);
        if meant.is_some() {
            self.changes.push((block, at, sysid, index));
        } else if let Some(ledger) = self.ledgers.remove(&sysid) {
            self.exporters[index].ledger.merge(&ledger);
        }
        Ok(())
    }

    fn add_statistics(&mut self, octets: &[u8]) -> Result<(), Damage> {
        let count = u32_at(octets, 4) as usize;
        let (entries, _) = octets.get(STATISTICS_START..).unwrap_or_default().as_chunks::<STATISTICS_LEN>();
        for entry in entries.iter().take(count) {
            let Ok(sysid) = u16::try_from(u32_at(entry, 0)) else {
                return Err(Damage::Inconsistent(
                    "exporter statistics are of a number that no exporter can have",
                ));
            };
            let ledger = match self.meaning.get(&sysid) {
                Some(&index) => &mut self.exporters[index].ledger,
                None => self.ledgers.entry(sysid).or_default(),
            };
            ledger.merge(&LossLedger {
                sequence_failures: u32_at(entry, 4).into(),
                datagrams: u64_at(entry, 8),
                flows: u64_at(entry, 16),
                ..LossLedger::default()
            });
        }
        if entries.len() < count {
            return Err(Damage::Inconsistent("exporter statistics do not fit into their record"));
        }
        Ok(())
    }

    fn add_sampler(&mut self, sampler: SamplerInfo) -> Result<(), Damage> {
        let sender = self.meaning.get(&sampler.exporter).copied();
        let key = (sender, sampler_key(&sampler));
        if self.known_samplers.contains(&key) {
            return Ok(());
        }
        if self.samplers.len() == MOST_SAMPLERS {
            let (what, limit) = ("number of samplers", MOST_SAMPLERS as u64);
            return Err(Damage::TooLarge { what, found: limit + 1, limit });
        }
        self.known_samplers.insert(key);
        self.samplers.push((sampler, sender));
        Ok(())
    }

    /// Applications: their id, name and description, each of the same length in all elements of a record.
    fn add_applications(&mut self, octets: &[u8]) -> Result<(), Damage> {
        let (count, size) = (u16_at(octets, 4), u16_at(octets, 6));
        if size == 0 {
            // In 1.7.0 every element has a header of its own: type, length, and then the three lengths.
            let mut rest = octets.get(ARRAY_START..).unwrap_or_default();
            for _ in 0..count {
                let len = usize::from(u16_at(rest, 2));
                let (element, behind) = rest.split_at_checked(len).ok_or(BEYOND)?;
                let lengths = element.get(4..).ok_or(BEYOND)?;
                self.add_application(lengths, lengths.get(APPLICATION_LENGTHS..).ok_or(BEYOND)?)?;
                rest = behind;
            }
            return Ok(());
        }
        let lengths = octets.get(ARRAY_START..).ok_or(BEYOND)?;
        let elements = lengths.get(APPLICATION_LENGTHS..).ok_or(BEYOND)?;
        for number in 0..usize::from(count) {
            let start = number * usize::from(size);
            self.add_application(lengths, elements.get(start..start + usize::from(size)).ok_or(BEYOND)?)?;
        }
        Ok(())
    }

    fn add_application(&mut self, lengths: &[u8], element: &[u8]) -> Result<(), Damage> {
        let [id_len, name_len, description_len] = [0, 2, 4].map(|at| usize::from(u16_at(lengths, at)));
        let (id, rest) = element.split_at_checked(id_len).ok_or(BEYOND)?;
        let (name, rest) = rest.split_at_checked(name_len).ok_or(BEYOND)?;
        let description = rest.get(..description_len).ok_or(BEYOND)?;
        self.add_name(NameKind::Application, id, name)?;
        self.add_name(NameKind::ApplicationDescription, id, description)
    }

    /// Names of things that have a number.
    fn add_indexed(&mut self, kind: NameKind, octets: &[u8]) -> Result<(), Damage> {
        let (count, size) = (usize::from(u16_at(octets, 4)), usize::from(u16_at(octets, 6)));
        let elements = octets.get(INDEXED_START..).ok_or(BEYOND)?;
        for number in 0..count {
            let element = elements.get(number * size..(number + 1) * size).ok_or(BEYOND)?;
            let (_, name) = element.split_at_checked(4).ok_or(BEYOND)?;
            self.add_name(kind, &u32_at(element, 0).to_be_bytes(), name)?;
        }
        Ok(())
    }

    fn add_name(&mut self, kind: NameKind, id: &[u8], name: &[u8]) -> Result<(), Damage> {
        let name = text(name);
        if name.is_empty() {
            return Ok(());
        }
        if self.names.len() == MOST_NAMES {
            let (what, limit) = ("number of names", MOST_NAMES as u64);
            return Err(Damage::TooLarge { what, found: limit + 1, limit });
        }
        self.names.insert((kind, id.to_vec()), String::from_utf8_lossy(name).into_owned());
        Ok(())
    }

    /// Exporters keep the numbers of the file; one whose number had been given before gets one that is free.
    pub(super) fn finish(self) -> Senders {
        let Gatherer { mut exporters, keeps_number, changes, samplers, names, .. } = self;
        let kept: BTreeSet<u16> = exporters
            .iter()
            .zip(&keeps_number)
            .filter(|(_, keeps)| **keeps)
            .map(|(one, _)| one.sysid)
            .collect();
        let mut free = (1..=u16::MAX).filter(|sysid| !kept.contains(sysid));
        for (exporter, _) in exporters.iter_mut().zip(&keeps_number).filter(|(_, keeps)| !**keeps) {
            // All numbers are taken only in a crafted file; whoever gets none is nobody.
            exporter.sysid = free.next().unwrap_or_default();
        }
        let mut meanings = Meanings::new();
        for (block, at, number, index) in changes {
            let meaning = Meaning { block, at, sysid: exporters[index].sysid };
            meanings.entry(number).or_default().push(meaning);
        }
        let mut told = HashSet::new();
        let samplers = samplers
            .into_iter()
            .map(|(sampler, sender)| SamplerInfo {
                exporter: sender.map_or(sampler.exporter, |index| exporters[index].sysid),
                ..sampler
            })
            .filter(|sampler| told.insert(sampler_key(sampler)))
            .collect();
        let mut keeps_number = keeps_number.into_iter();
        exporters.retain(|exporter| keeps_number.next() == Some(true) || exporter.sysid != 0);
        // Names are not said to be anyone's; where there is but one who can have announced them, they are theirs.
        let owner = if let [only] = &exporters[..] { only.sysid } else { 0 };
        let names = names.into_iter().map(|((kind, id), name)| NameInfo { exporter: owner, kind, id, name });
        Senders { names: names.collect(), samplers, exporters, meanings }
    }
}

fn exporter(octets: &[u8]) -> Result<ExporterInfo, Damage> {
    must_be(octets, record_len::EXPORTER)?;
    const IPV4: u16 = 2;
    let addr = match u16_at(octets, 24) {
        // From 1.7.8 on, in network order, and IPv4 mapped to IPv6.
        0 => {
            let octets: [u8; 16] = octets[8..].first_chunk().copied().unwrap_or_default();
            IpAddr::from(octets).to_canonical()
        }
        IPV4 => Ipv4Addr::from(u32_at(octets, 16)).into(),
        _ => v6_at(octets, 8).into(),
    };
    Ok(ExporterInfo {
        sysid: u16_at(octets, 26),
        version: u32_at(octets, 4) as u16,
        addr,
        domain: u32_at(octets, 28),
        ledger: LossLedger::default(),
    })
}

fn legacy_sampler(octets: &[u8]) -> Result<SamplerInfo, Damage> {
    must_be(octets, record_len::SAMPLER_LEGACY)?;
    Ok(SamplerInfo {
        exporter: u16_at(octets, 14),
        id: u32_at(octets, 4).cast_signed().into(),
        algorithm: u16_at(octets, 12),
        interval: 1,
        space: u32_at(octets, 8).saturating_sub(1),
    })
}

fn sampler(octets: &[u8]) -> Result<SamplerInfo, Damage> {
    must_be(octets, record_len::SAMPLER)?;
    Ok(SamplerInfo {
        exporter: u16_at(octets, 4),
        id: u64_at(octets, 8).cast_signed(),
        algorithm: u16_at(octets, 6),
        interval: u32_at(octets, 16),
        space: u32_at(octets, 20),
    })
}

fn must_be(octets: &[u8], len: u16) -> Result<(), Damage> {
    if octets.len() < usize::from(len) {
        return Err(Damage::Short { needed: len.into(), available: octets.len() as u64 });
    }
    Ok(())
}

/// Of one exporter, and what comes before the first.
const STATISTICS_LEN: usize = record_len::EXPORTER_STATISTICS.1 as usize;
const STATISTICS_START: usize = record_len::EXPORTER_STATISTICS.0 as usize;

/// Where in an array record the elements start, or what comes before them; in one of numbered things a length more.
const ARRAY_START: usize = 8;
const INDEXED_START: usize = 12;

/// Before the elements of applications stand the lengths of id, name and description.
const APPLICATION_LENGTHS: usize = 6;

const BEYOND: Damage = Damage::Inconsistent("the elements do not fit into their record");

/// The most names that are kept, which is many times what a router has applications and interfaces.
const MOST_NAMES: usize = 65_536;

/// The most exporters that are kept, and the most changes of what their numbers mean: as many as there are numbers.
const MOST_EXPORTERS: usize = u16::MAX as usize;

/// The most samplers that are kept: one for each exporter that can have a number.
const MOST_SAMPLERS: usize = 65_536;
