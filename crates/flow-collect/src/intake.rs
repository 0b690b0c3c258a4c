//! From the datagrams of a source to its blocks.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};

use flow_file::{FileTail, StateImage, take_state};
use flow_model::{BatchBuilder, ExporterInfo, FlowBatch, MAX_BATCH_ROWS, NameInfo, SamplerInfo};
use flow_wire::{DecodeError, Decoded, Decoder, DecoderOptions, Exporter, Fault};

use crate::board::{Board, SourceLedger};
use crate::complaint::Complaints;
use crate::counters::{Counters, count};
use crate::file::{Job, Origins, SlotEnd, SourceJob};
use crate::log::Log;
use crate::share::share;
use crate::source::Source;

/// A block is written when the datagrams in it had this many octets, at the latest. Flows with long strings
/// (payload, names) are as large in memory as on the wire; without strings, rows run out first.
const MAX_BLOCK_OCTETS: u64 = 32 << 20;

/// Lines about gaps (`-r`) in one slot.
const MAX_GAP_LINES: u64 = 100;

/// A written block gives its memory back to its source when it was at least as full; sources that send less do not
/// keep the memory of a whole block.
const MIN_RECYCLED_ROWS: usize = MAX_BATCH_ROWS / 2;

/// What the intakes of all sources share.
pub(crate) struct Workshop {
    pub(crate) log: Arc<Log>,
    pub(crate) counters: Arc<Counters>,
    /// To the writer.
    pub(crate) jobs: SyncSender<SourceJob>,
    /// Blocks the writer is done with. (The intakes are all in one thread.)
    pub(crate) reusable: Mutex<Receiver<FlowBatch>>,
    pub(crate) decoder: DecoderOptions,
    /// Log every gap in sequence numbers.
    pub(crate) report_gaps: bool,
    /// Where ledgers are put for those who ask; nobody does if `None`.
    pub(crate) board: Option<Arc<Board>>,
    /// The clock by which what is known of exporters ages between two runs; nothing outlives a run if `None`.
    pub(crate) memory: Option<fn() -> u64>,
}

/// Decodes the datagrams of a source into blocks for the writer.
pub(crate) struct Intake {
    source: Arc<Source>,
    workshop: Arc<Workshop>,
    decoder: Decoder,
    builder: BatchBuilder,
    complaints: Complaints,
    /// Of the slots that have ended; kept when somebody may ask.
    ledger: SourceLedger,
    /// Octets of the datagrams whose flows are in the builder, and when the first of them came.
    block_octets: u64,
    block_since_ms: u64,
    /// Octets of memory that the builder was given back.
    recycled: usize,
    /// The fingerprint of what the next run will know of exporters.
    saved: u64,
    slot: SlotCounts,
}

/// Counts of the current slot.
#[derive(Default)]
struct SlotCounts {
    datagrams: u64,
    bad_datagrams: u64,
    sequence_failures: u64,
    kernel_drops: u64,
    gaps: u64,
    /// How many exporters, which samplers and which names the writer was told.
    told: (usize, Vec<SamplerInfo>, Vec<NameInfo>),
}

impl Intake {
    pub(crate) fn new(source: Arc<Source>, workshop: Arc<Workshop>) -> Intake {
        let mut decoder = Decoder::new(workshop.decoder);
        if let Some(now_ms) = workshop.memory {
            remember(&mut decoder, &source, now_ms(), &workshop.log);
        }
        Intake {
            saved: StateImage::new(&decoder.remembered(false)).fingerprint(),
            decoder,
            builder: BatchBuilder::new(),
            complaints: Complaints::default(),
            ledger: SourceLedger { ident: source.ident.clone(), ..SourceLedger::default() },
            block_octets: 0,
            block_since_ms: 0,
            recycled: 0,
            slot: SlotCounts::default(),
            source,
            workshop,
        }
    }

    /// Takes a datagram of the current slot.
    pub(crate) fn datagram(&mut self, from: SocketAddr, received_ms: u64, payload: &[u8]) {
        if self.builder.is_empty() {
            self.block_since_ms = received_ms;
        }
        let from = Exporter { addr: from.ip(), port: from.port() };
        let decoded = self.decoder.decode(from, received_ms, payload, &mut self.builder);
        self.slot.datagrams += 1;
        self.account(from, &decoded, payload.len());
        self.make_room();
        // Flows that waited for this exporter's template, and are more than fit.
        while self.decoder.has_pending() {
            let decoded = self.decoder.drain(&mut self.builder);
            self.account(from, &decoded, 0);
            self.make_room();
        }
    }

    /// Data that still wait for their template are lost, and counted.
    pub(crate) fn give_up_waiting(&mut self) {
        self.decoder.give_up_waiting();
    }

    /// Puts the ledger where those who ask can read it.
    pub(crate) fn publish(&self) {
        if let Some(board) = &self.workshop.board {
            let mut ledger = self.ledger.clone();
            ledger.add(&self.decoder.exporters());
            board.put(self.source.number, ledger);
        }
    }

    /// Begins a slot.
    pub(crate) fn begin_slot(&self, now_ms: u64) {
        self.send(Job::Open { created_ms: now_ms });
    }

    /// Datagrams of the current slot so far.
    pub(crate) fn datagrams(&self) -> u64 {
        self.slot.datagrams
    }

    /// Datagrams of the current slot that never came, about.
    pub(crate) fn missing_datagrams(&self) -> u64 {
        self.decoder.exporters().iter().map(ExporterInfo::missing_datagrams).sum()
    }

    /// Accounts datagrams that the kernel dropped to the current slot.
    pub(crate) fn add_kernel_drops(&mut self, drops: u64) {
        self.slot.kernel_drops += drops;
    }

    /// Octets of memory that the block under construction takes, about.
    pub(crate) fn memory(&self) -> usize {
        self.builder.memory().max(self.recycled)
    }

    /// Hands the flows over that have been here for at least `age_ms` (or since before the clock was set back), so that
    /// they outlive us. Whether there are younger ones.
    pub(crate) fn flush(&mut self, now_ms: u64, age_ms: u64) -> bool {
        let is_young = (self.block_since_ms..self.block_since_ms + age_ms).contains(&now_ms);
        if !self.builder.is_empty() && !is_young {
            self.hand_over(Job::Rows);
        }
        !self.builder.is_empty()
    }

    /// Writes the block under construction and lets go of its memory.
    pub(crate) fn shrink(&mut self) {
        self.write_block();
        self.builder = BatchBuilder::new();
        self.recycled = 0;
    }

    /// Ends the slot of these bounds; `is_last` if there will be no other.
    pub(crate) fn end_slot(&mut self, start_ms: u64, end_ms: u64, is_last: bool) {
        if !is_last {
            // The last slot is not over yet.
            self.decoder.expire(end_ms);
        }
        self.write_block();
        self.complaints.summarise(&self.workshop.log, &self.source.ident);
        let slot = std::mem::take(&mut self.slot);
        if slot.gaps > MAX_GAP_LINES {
            let more = slot.gaps - MAX_GAP_LINES;
            let ident = &self.source.ident;
            self.workshop.log.info(format_args!("Ident: '{ident}' sequence gaps: {more} more"));
        }
        let mut exporters = self.decoder.take_exporters();
        let mut ledger = self.decoder.take_unattributed();
        if !attribute(slot.kernel_drops, &mut exporters) {
            ledger.kernel_drops += slot.kernel_drops;
        }
        for exporter in &exporters {
            ledger.merge(&exporter.ledger);
        }
        if self.workshop.board.is_some() {
            let past = self.ledger.total;
            self.ledger.add(&exporters);
            // With what belongs to no exporter.
            self.ledger.total = past;
            self.ledger.total.merge(&ledger);
            self.publish();
        }
        let tail = FileTail {
            exporters,
            samplers: self.decoder.samplers(),
            names: self.decoder.names(),
            exported: self.decoder.exported(),
            ledger,
            span_if_empty: Some((start_ms, end_ms)),
            sequence_failures: slot.sequence_failures,
            ..FileTail::default()
        };
        let state = self.state(is_last);
        self.send(Job::Close(Box::new(SlotEnd { start_ms, tail, bad_datagrams: slot.bad_datagrams, state })));
    }

    /// What the next run should know of exporters, when that is news.
    fn state(&mut self, is_last: bool) -> Option<StateImage> {
        self.workshop.memory?;
        let state = StateImage::new(&self.decoder.remembered(is_last));
        let fingerprint = state.fingerprint();
        (std::mem::replace(&mut self.saved, fingerprint) != fingerprint).then_some(state)
    }

    fn account(&mut self, from: Exporter, decoded: &Decoded, len: usize) {
        self.block_octets += (len + decoded.late_len_bytes) as u64;
        count(&self.workshop.counters.flows, decoded.flows as u64);
        if let Some(exporter) = decoded.new_exporter {
            self.announce(exporter);
        }
        if decoded.malformed > 0 {
            self.slot.bad_datagrams += 1;
            count(&self.workshop.counters.bad_datagrams, 1);
        }
        if let Some(error) = &decoded.error {
            let ident = &self.source.ident;
            let text = error_text(ident, error, len);
            self.complaints.complain(&self.workshop.log, from.addr, cause(&error.fault), text);
        }
        if decoded.sequence_failure {
            self.slot.sequence_failures += 1;
            count(&self.workshop.counters.sequence_failures, 1);
            if self.workshop.report_gaps {
                self.report_gap(from, decoded);
            }
        }
    }

    fn report_gap(&mut self, from: Exporter, decoded: &Decoded) {
        self.slot.gaps += 1;
        if self.slot.gaps <= MAX_GAP_LINES {
            let Exporter { addr, .. } = from;
            let sysid = decoded.exporter.unwrap_or(0);
            let missed = decoded.missed;
            self.workshop.log.info(format_args!(
                "Ident: '{}' sequence gap: SysID: {sysid}, IP: {addr}, missed: {missed}",
                self.source.ident
            ));
        }
    }

    fn announce(&self, sysid: u16) {
        if let Some(exporter) = self.decoder.exporters().iter().find(|exporter| exporter.sysid == sysid) {
            let generic = |sampler: &SamplerInfo| sampler.exporter == sysid && sampler.id == -1;
            let sampler = self.decoder.samplers().into_iter().find(generic);
            self.workshop.log.info(exporter_line(exporter, sampler));
        }
    }

    /// Writes the block when the flows of another datagram might not fit.
    fn make_room(&mut self) {
        let is_full = self.builder.room() < self.workshop.decoder.limits.flows_per_datagram;
        if is_full || self.block_octets >= MAX_BLOCK_OCTETS {
            self.write_block();
        }
    }

    fn write_block(&mut self) {
        if !self.builder.is_empty() {
            self.hand_over(Job::Block);
        }
    }

    fn hand_over(&mut self, job: fn(FlowBatch) -> Job) {
        self.block_octets = 0;
        self.send_sources();
        let (rows, memory) = (self.builder.len(), self.builder.memory());
        let batch = self.builder.finish();
        self.send(job(batch));
        self.recycled = 0;
        if rows >= MIN_RECYCLED_ROWS
            && let Ok(written) = self.workshop.reusable().try_recv()
        {
            self.builder.recycle(written);
            self.recycled = memory;
        }
    }

    /// Tells whom the flows of the slot are from, when that is news.
    fn send_sources(&mut self) {
        let (exporters, samplers) = (self.decoder.exporters(), self.decoder.samplers());
        let names = self.decoder.names();
        let (told_exporters, told_samplers, told_names) = &self.slot.told;
        if *told_exporters != exporters.len() || *told_samplers != samplers || *told_names != names {
            self.slot.told = (exporters.len(), samplers.clone(), names.clone());
            self.send(Job::Origins(Origins { exporters, samplers, names }));
        }
    }

    fn send(&self, job: Job) {
        // The writer ends after us, unless the process is ending.
        let _ = self.workshop.jobs.send(SourceJob { source: Arc::clone(&self.source), job });
    }
}

impl Workshop {
    fn reusable(&self) -> std::sync::MutexGuard<'_, Receiver<FlowBatch>> {
        self.reusable.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shares out the datagrams that the kernel dropped of a source among its exporters: in proportion to what each misses, or,
/// where none does, to what came of it. False when there is no exporter.
fn attribute(kernel_drops: u64, exporters: &mut [ExporterInfo]) -> bool {
    let mut weights: Vec<u64> = exporters.iter().map(ExporterInfo::missing_datagrams).collect();
    if weights.iter().all(|&missing| missing == 0) {
        weights = exporters.iter().map(|exporter| exporter.ledger.datagrams).collect();
    }
    for (exporter, share) in exporters.iter_mut().zip(share(kernel_drops, &weights)) {
        exporter.ledger.kernel_drops += share;
    }
    !exporters.is_empty()
}

/// Tells the decoder of a source what the run before knew. Where nothing can be read of it, it begins with nothing.
fn remember(decoder: &mut Decoder, source: &Source, now_ms: u64, log: &Log) {
    let ident = &source.ident;
    let known = match take_state(&source.spool.state_path()) {
        Ok(known) => known,
        Err(error) => {
            log.error(format_args!("Ident: '{ident}' begins without knowing any exporter: {error}"));
            return;
        }
    };
    let count = decoder.remember(&known, now_ms);
    if count > 0 {
        log.info(format_args!("Ident: '{ident}' exporters known from the run before: {count}"));
    }
}

/// nfcapd's and sfcapd's lines.
fn exporter_line(exporter: &ExporterInfo, sampler: Option<SamplerInfo>) -> String {
    let ExporterInfo { sysid, version, addr, domain, .. } = exporter;
    match version {
        5 | 7 => {
            let (engine_type, engine_id) = (domain >> 8 & 0xff, domain & 0xff);
            format!(
                "Process_v{version}: New exporter: SysID: {sysid}, engine id {engine_id}, type {engine_type}, IP: {addr}"
            )
        }
        1 => format!("Process_v1: New exporter: SysID: {sysid}, IP: {addr}"),
        10 => format!(
            "Process_ipfix: New ipfix exporter: SysID: {sysid}, Observation domain {domain} from: {addr}"
        ),
        9999 => {
            // An exporter whose first datagram has no flow sample has told no rate yet.
            let rate = sampler.map_or(0, |sampler| sampler.space.saturating_add(1));
            format!(
                "SFLOW: New exporter: SysID: {sysid}, agentSubId: {domain}, MeanSkipCount: {rate}, IP: {addr}"
            )
        }
        _ => format!(
            "Process_v{version}: New v{version} exporter: SysID: {sysid}, Domain: {domain}, IP: {addr}"
        ),
    }
}

/// nfcapd's words where it has some.
fn error_text(ident: &str, error: &DecodeError, len: usize) -> String {
    let addr = error.addr;
    match error.fault {
        Fault::UnknownVersion { found } => format!(
            "Ident: {ident}, Error reading netflow header: Unexpected netflow version {found} from {addr}"
        ),
        _ if error.offset == 0 && len < 2 => format!(
            "Ident: {ident}, Data length error: too little data for common netflow header. cnt: {len} from {addr}"
        ),
        _ => format!("Ident: {ident}, {error}"),
    }
}

/// The kind of a fault, without its numbers.
pub(crate) fn cause(fault: &Fault) -> &'static str {
    match fault {
        Fault::UnknownVersion { .. } => "unknown version",
        Fault::Truncated { .. } => "truncated",
        Fault::TooShort { .. } => "length too small",
        Fault::RecordCount { .. } => "record count too large",
        Fault::ReservedSet { .. } => "reserved set id",
        Fault::TemplateId { .. } => "template id too small",
        Fault::ScopeCount { .. } => "impossible scope",
        Fault::EmptyRecord { .. } => "empty records",
        Fault::AddressType { .. } => "unknown type of address",
        Fault::UnknownFormat { .. } => "unknown format",
        Fault::NotText => "name is no text",
        Fault::SamplingRate { .. } => "implausible sampling rate",
        Fault::Limit { .. } => "limit reached",
        _ => "malformed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::Dispatch;
    use crate::file::{BlockWriter, FILING_QUEUE_LEN, Filer};
    use crate::follow_up::FollowUp;
    use crate::spool::{Naming, Spool};
    use crate::working::Press;
    use flow_file::{FileFormat, FlowFile};
    use std::sync::mpsc;
    use tempfile::TempDir;

    /// 2023-11-14 22:15:00 UTC.
    const START_MS: u64 = 1_700_000_100_000;

    /// A v5 datagram of `count` flows.
    fn v5(sequence: u32, count: u16) -> Vec<u8> {
        let mut datagram = vec![0, 5];
        datagram.extend_from_slice(&count.to_be_bytes());
        for word in [600_000_u32, 1_700_000_123, 0, sequence, 0x0203_0000] {
            datagram.extend_from_slice(&word.to_be_bytes());
        }
        for record in 0..count {
            let mut octets = [0; 48];
            octets[..4].copy_from_slice(&[192, 0, 2, 1]);
            octets[4..8].copy_from_slice(&[198, 51, 100, 1]);
            octets[19] = 10;
            octets[22..24].copy_from_slice(&1000_u16.to_be_bytes());
            octets[32..34].copy_from_slice(&record.to_be_bytes());
            octets[38] = 6;
            datagram.extend_from_slice(&octets);
        }
        datagram
    }

    fn from() -> SocketAddr {
        "192.0.2.9:4711".parse().unwrap()
    }

    fn workshop(report_gaps: bool) -> (Workshop, Receiver<SourceJob>) {
        let (jobs, receiver) = mpsc::sync_channel(1000);
        let workshop = Workshop {
            log: Arc::new(Log::to_memory()),
            counters: Arc::default(),
            jobs,
            reusable: Mutex::new(mpsc::channel().1),
            decoder: DecoderOptions::default(),
            report_gaps,
            board: None,
            memory: None,
        };
        (workshop, receiver)
    }

    /// One source in a directory of its own, behind a dispatch.
    fn intake(report_gaps: bool) -> (Dispatch, Receiver<SourceJob>, Arc<Log>, TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let naming = Naming {
            interval_s: 300,
            layout: flow_file::SubDir::Flat,
            zone: crate::spool::Zone::Local,
            with_offset: false,
        };
        let spool = Spool::open(directory.path(), naming, flow_file::FileFormat::default()).unwrap();
        let (workshop, receiver) = workshop(report_gaps);
        let log = Arc::clone(&workshop.log);
        let source = Arc::new(Source { number: 0, ident: "x".to_owned(), spool });
        let mut dispatch = Dispatch::new(workshop, 300);
        dispatch.add(source, None);
        (dispatch, receiver, log, directory)
    }

    /// What the writer was told, in short.
    fn told(jobs: &Receiver<SourceJob>) -> Vec<String> {
        jobs.try_iter()
            .map(|told| match told.job {
                Job::Open { created_ms } => format!("open {}", created_ms - START_MS),
                Job::Origins(origins) => format!("exporters {}", origins.exporters.len()),
                Job::Rows(batch) => format!("rows {}", batch.len()),
                Job::Block(batch) => format!("block {}", batch.len()),
                Job::Close(end) => format!("close {} {}", end.start_ms - START_MS, end.tail.ledger.datagrams),
            })
            .collect()
    }

    fn last_close(jobs: &Receiver<SourceJob>) -> Box<SlotEnd> {
        match jobs.try_iter().last().map(|told| told.job) {
            Some(Job::Close(end)) => end,
            _ => panic!("the slot was not closed"),
        }
    }

    #[test]
    fn new_agents_are_announced_with_their_rate() {
        let (mut intake, _jobs, log, _directory) = intake(false);
        let address = [198, 51, 100, 7];
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<_>>();
        let packet = [&words(&[3, 32, 60, 17])[..], &address, &address, &words(&[53, 53, 0, 0])].concat();
        let sample = [words(&[1, 72, 1, 7, 100, 1000, 0, 7, 8, 1]), packet].concat();
        let datagram = |sub_agent, samples: &[u8]| {
            let counted = u32::from(!samples.is_empty());
            [&words(&[5, 1])[..], &address, &words(&[sub_agent, 1, 60_000, counted]), samples].concat()
        };
        intake.datagram(from(), START_MS, &datagram(3, &sample));
        intake.datagram(from(), START_MS, &datagram(4, &[]));
        assert_eq!(
            log.lines(),
            [
                "SFLOW: New exporter: SysID: 1, agentSubId: 3, MeanSkipCount: 100, IP: 192.0.2.9",
                "SFLOW: New exporter: SysID: 2, agentSubId: 4, MeanSkipCount: 0, IP: 192.0.2.9",
            ]
        );
    }

    #[test]
    fn datagrams_of_another_slot_end_the_current_one() {
        let (mut intake, jobs, log, _directory) = intake(false);
        intake.datagram(from(), START_MS + 1, &v5(0, 2));
        intake.datagram(from(), START_MS + 299_999, &v5(2, 3));
        intake.datagram(from(), START_MS + 900_000, &v5(5, 1));
        assert!(intake.deadline_ms() == Some(START_MS + 1_201_000));
        intake.finish();
        assert_eq!(
            told(&jobs),
            [
                "open 1",
                "exporters 1",
                "block 5",
                "close 0 2",
                "open 900000",
                "exporters 1",
                "block 1",
                "close 900000 1"
            ]
        );
        assert_eq!(log.lines(), ["Process_v5: New exporter: SysID: 1, engine id 3, type 2, IP: 192.0.2.9"]);
    }

    #[test]
    fn the_writer_is_told_of_a_new_name_for_an_interface() {
        let (mut intake, jobs, _, _directory) = intake(false);
        let halves =
            |values: &[u16]| values.iter().flat_map(|value| value.to_be_bytes()).collect::<Vec<u8>>();
        // Options of v9: by interface (scope 2) its name (82).
        let named = |name: &[u8; 4]| {
            let header = halves(&[9, 2, 0, 1000, 0, 60_000, 0, 1, 0, 7]);
            let template = halves(&[1, 18, 300, 4, 4, 2, 4, 82, 4]);
            [header, template, halves(&[300, 12, 0, 1]), name.to_vec()].concat()
        };
        let mut sequence = 0;
        for name in [b"eth0", b"eth0", b"wan0"] {
            intake.datagram(from(), START_MS, &named(name));
            for _ in 0..2_200 {
                intake.datagram(from(), START_MS, &v5(sequence, 30));
                sequence += 30;
            }
        }
        let names: Vec<String> = jobs
            .try_iter()
            .filter_map(|told| if let Job::Origins(origins) = told.job { Some(origins) } else { None })
            .map(|origins| origins.names.iter().map(|known| known.name.clone()).collect())
            .collect();
        assert_eq!(names, ["eth0", "wan0"]);
    }

    #[test]
    fn blocks_are_written_while_a_datagram_may_still_fit() {
        let (mut intake, jobs, _, _directory) = intake(false);
        for number in 0..4000 {
            intake.datagram(from(), START_MS, &v5(number * 30, 30));
        }
        let rows: Vec<usize> = jobs
            .try_iter()
            .filter_map(|told| match told.job {
                Job::Block(batch) => Some(batch.len()),
                _ => None,
            })
            .collect();
        assert_eq!(rows, [57_360, 57_360]);
    }

    /// A v9 message with source id 1, whose sets are given as words.
    fn v9(sequence: u32, sets: &[&[u16]]) -> Vec<u8> {
        let mut datagram = vec![0, 9, 0, 1];
        for word in [600_000_u32, 1_700_000_123, sequence, 1] {
            datagram.extend_from_slice(&word.to_be_bytes());
        }
        datagram.extend(sets.iter().flat_map(|set| set.iter().flat_map(|word| word.to_be_bytes())));
        datagram
    }

    #[test]
    fn flows_that_came_before_their_template_are_stored_and_others_counted() {
        let (mut intake, jobs, _, _directory) = intake(false);
        let ports: Vec<u16> = [256, 4 + 2 * 5_000].into_iter().chain(0..5_000).collect();
        for sequence in 0..20 {
            intake.datagram(from(), START_MS, &v9(sequence, &[&ports]));
        }
        intake.datagram(from(), START_MS, &v9(20, &[&[0, 12, 256, 1, 7, 2]]));
        intake.datagram(from(), START_MS, &v9(21, &[&[257, 6, 1], &[258, 6, 1]]));
        intake.finish();
        let (mut rows, mut ledger) = (0, None);
        for told in jobs.try_iter() {
            match told.job {
                Job::Block(batch) => rows += batch.len(),
                Job::Close(end) => ledger = Some(end.tail.ledger),
                Job::Open { .. } | Job::Origins(_) | Job::Rows(_) => {}
            }
        }
        let ledger = ledger.unwrap();
        assert_eq!((rows, ledger.flows, ledger.datagrams), (100_000, 100_000, 22));
        assert_eq!((ledger.no_template, ledger.refused, ledger.malformed), (2, 0, 0));
    }

    #[test]
    fn drops_are_those_of_exporters_that_miss_some() {
        let (mut intake, jobs, _, _directory) = intake(false);
        let other: SocketAddr = "192.0.2.10:4711".parse().unwrap();
        let mut drops = |sequence| {
            intake.datagram(from(), START_MS, &v5(sequence, 2));
            for number in 0..5 {
                intake.datagram(other, START_MS, &v5(sequence + 2 * number, 2));
            }
            intake.add_kernel_drops(6);
            intake.finish();
            let tail = last_close(&jobs).tail;
            let of_each =
                tail.exporters.iter().map(|exporter| exporter.ledger.kernel_drops).collect::<Vec<_>>();
            (tail.ledger.kernel_drops, of_each)
        };
        assert_eq!(drops(0), (6, vec![1, 5]), "nobody misses any");
        // The first one misses what the second had.
        assert_eq!(drops(10), (6, vec![6, 0]));
    }

    #[test]
    fn a_clock_that_is_set_back_overwrites_and_loses_nothing() {
        const HOUR_MS: i64 = 3_600_000;
        let (mut intake, jobs, log, directory) = intake(false);
        let mut sent = 0;
        // By seconds, by hours twice over the same slots, by days.
        for after_ms in
            [0, 5_000, -2_000, 300_000, 2 * HOUR_MS, 1_000, 301_000, -3 * HOUR_MS, 2_000, 720 * HOUR_MS, 0]
        {
            intake.datagram(from(), START_MS.checked_add_signed(after_ms).unwrap(), &v5(sent, 3));
            sent += 3;
        }
        intake.finish();
        drop(intake);
        let (filing, filings) = mpsc::sync_channel(FILING_QUEUE_LEN);
        let press = Press {
            log: Arc::clone(&log),
            counters: Arc::default(),
            format: FileFormat::default(),
            sync: false,
        };
        BlockWriter { press: Arc::new(press), filing, written: mpsc::sync_channel(1).0 }.run(&jobs);
        let follow_up = FollowUp::new(Arc::clone(&log), Arc::default());
        let filer =
            Filer { log: Arc::clone(&log), interval_s: 300, format: FileFormat::default(), follow_up };
        assert_eq!(filer.run(Vec::new(), &filings), 0, "{:?}", log.lines());
        let paths = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<FlowFile> = paths
            .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("nfcapd."))
            .map(|path| FlowFile::open(&path).unwrap())
            .collect();
        let flows = files.iter().map(|file| file.totals().flows).sum::<u64>();
        assert_eq!((files.len(), flows), (5, u64::from(sent)), "{:?}", log.lines());
    }

    #[test]
    fn drops_wait_for_a_source() {
        let (workshop, _jobs) = workshop(false);
        let log = Arc::clone(&workshop.log);
        let mut dispatch = Dispatch::new(workshop, 300);
        for slot in 0..2 {
            dispatch.begin_slot(START_MS + slot * 300_000);
            dispatch.add_kernel_drops(4);
        }
        assert!(log.lines().is_empty());
        dispatch.finish();
        assert_eq!(log.lines(), ["Lost: datagrams dropped by the kernel: 8, and no source for any"]);
    }

    #[test]
    fn the_tail_accounts_for_every_datagram() {
        let (mut intake, jobs, log, _directory) = intake(true);
        intake.datagram(from(), START_MS, &v5(0, 2));
        intake.datagram(from(), START_MS, &v5(12, 2));
        intake.datagram(from(), START_MS, &[0, 99, 1, 2]);
        intake.datagram(from(), START_MS, &[0, 99, 1, 2]);
        intake.datagram(from(), START_MS, &[7]);
        intake.add_kernel_drops(4);
        intake.finish();
        let end = last_close(&jobs);
        let ledger = end.tail.ledger;
        assert_eq!((ledger.datagrams, ledger.flows, ledger.missed, ledger.kernel_drops), (5, 4, 10, 4));
        assert_eq!((end.bad_datagrams, end.tail.sequence_failures), (3, 1));
        assert_eq!(end.tail.span_if_empty, Some((START_MS, START_MS + 300_000)));
        assert_eq!(end.tail.exporters.len(), 1);
        let expected = [
            "Process_v5: New exporter: SysID: 1, engine id 3, type 2, IP: 192.0.2.9",
            "Ident: 'x' sequence gap: SysID: 1, IP: 192.0.2.9, missed: 10",
            "Ident: x, Error reading netflow header: Unexpected netflow version 99 from 192.0.2.9",
            "Ident: x, Data length error: too little data for common netflow header. cnt: 1 from 192.0.2.9",
            "Ident: 'x' 192.0.2.9: unknown version: 1 more",
        ];
        assert_eq!(log.lines(), expected);

        intake.datagram(from(), START_MS, &v5(14, 2));
        intake.finish();
        let end = last_close(&jobs);
        assert_eq!((end.bad_datagrams, end.tail.sequence_failures, end.tail.ledger.datagrams), (0, 0, 1));
    }
}
