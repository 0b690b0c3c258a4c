//! What we keep about each exporter.

use crate::memory::Memory;
use crate::names::Names;
use crate::options::Exported;
use crate::quirk::{Quirk, Quirks};
use crate::sampling::Samplers;
use crate::sequence::Sequence;
use crate::template::Templates;
use crate::waiting::Waiting;
use crate::{Decoded, Limits, WireProtocol};
use flow_model::{ExportedInfo, ExporterInfo, LossLedger};
use hashbrown::HashMap;
use std::net::IpAddr;

/// Who sent a datagram.
///
/// The port is not part of an exporter's identity: one that restarts may send from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exporter {
    /// Source address.
    pub addr: IpAddr,
    /// Source port.
    pub port: u16,
}

/// What identifies an exporter: templates, samplers and sequence numbers belong to it (RFC 7011 3.1 and 8,
/// RFC 3954 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) addr: IpAddr,
    pub(crate) protocol: WireProtocol,
    /// Observation domain, v9 source id, engine type * 256 + engine id, sFlow sub-agent.
    pub(crate) domain: u32,
    /// The UDP port, when another one at the same address gave the same templates another meaning.
    pub(crate) port: Option<u16>,
    /// The address by which an sFlow agent knows itself. Who sends datagrams may pass on those of several.
    pub(crate) agent: Option<IpAddr>,
}

/// The state of one exporter.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) sysid: u16,
    pub(crate) key: Key,
    /// Since it was last taken.
    pub(crate) ledger: LossLedger,
    pub(crate) sequence: Sequence,
    pub(crate) templates: Templates,
    pub(crate) samplers: Samplers,
    pub(crate) waiting: Waiting,
    pub(crate) names: Names,
    /// What the exporter says it has sent.
    pub(crate) exported: Option<Exported>,
    /// systemInitTimeMilliseconds (160) from options data.
    pub(crate) init_ms: Option<u64>,
    pub(crate) quirks: Quirks,
    pub(crate) skew: Option<ClockSkew>,
    /// Before the ledger was last taken.
    before: LossLedger,
    clock: Option<Clock>,
    /// A UDP port that sent a template to which another port gave another meaning.
    rival: Option<u16>,
    /// Whether a port has a state of its own.
    is_split: bool,
}

/// How far an exporter's clock is behind ours, in ms; the time a datagram takes is part of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSkew {
    /// The least that was seen.
    pub least_ms: i64,
    /// The most that was seen.
    pub most_ms: i64,
    /// With the latest datagram.
    pub last_ms: i64,
}

/// A header's two clocks.
#[derive(Clone, Copy, Debug)]
struct Clock {
    unix_ms: u64,
    uptime_ms: u32,
}

/// Header clocks that agree within this are those of one run of the exporter.
const CLOCK_TOLERANCE_MS: u64 = 30_000;

impl State {
    fn new(sysid: u16, key: Key) -> State {
        State {
            sysid,
            key,
            ledger: LossLedger::default(),
            sequence: Sequence::default(),
            templates: Templates::default(),
            samplers: Samplers::default(),
            waiting: Waiting::default(),
            names: Names::default(),
            exported: None,
            init_ms: None,
            quirks: Quirks::default(),
            skew: None,
            before: LossLedger::default(),
            clock: None,
            rival: None,
            is_split: false,
        }
    }

    /// Notes when a message was sent by the exporter's clock, and when it came by ours.
    pub(crate) fn compare_clocks(&mut self, received_ms: u64, unix_ms: u64) {
        let behind = received_ms.cast_signed().wrapping_sub(unix_ms.cast_signed());
        let skew = self.skew.get_or_insert(ClockSkew { least_ms: behind, most_ms: behind, last_ms: behind });
        skew.least_ms = skew.least_ms.min(behind);
        skew.most_ms = skew.most_ms.max(behind);
        skew.last_ms = behind;
    }

    /// Notes that a template got another meaning than the one that `before` had sent.
    pub(crate) fn note_replaced(&mut self, before: u16, now: u16) {
        self.quirks.note(Quirk::TemplateChanged);
        if before != now {
            self.rival = Some(before);
        }
    }

    /// The ledger since the first datagram.
    pub(crate) fn whole_ledger(&self) -> LossLedger {
        let mut whole = self.before;
        whole.merge(&self.ledger);
        whole
    }

    /// What the exporter says it has sent.
    pub(crate) fn exported_info(&self) -> Option<ExportedInfo> {
        let Exported { octets, messages, flows } = self.exported?;
        Some(ExportedInfo { exporter: self.sysid, octets, messages, flows })
    }

    /// Whether the exporter's uptime says that it started anew since the last datagram: it went back, and
    /// neither by a wrap nor because the datagram is late.
    pub(crate) fn restarted(&mut self, unix_ms: u64, uptime_ms: u32) -> bool {
        let before = self.clock.replace(Clock { unix_ms, uptime_ms });
        before.is_some_and(|before| {
            let elapsed = unix_ms.cast_signed().wrapping_sub(before.unix_ms.cast_signed());
            let counted = i64::from(uptime_ms.wrapping_sub(before.uptime_ms).cast_signed());
            let went_back = uptime_ms < before.uptime_ms;
            let agrees = counted.abs_diff(elapsed) <= CLOCK_TOLERANCE_MS;
            if went_back && agrees && counted > 0 {
                self.quirks.note(Quirk::UptimeWrapped);
            }
            went_back && !agrees
        })
    }

    pub(crate) fn info(&self) -> ExporterInfo {
        ExporterInfo {
            sysid: self.sysid,
            version: self.key.protocol.exporter_version(),
            addr: self.key.addr,
            domain: self.key.domain,
            ledger: self.ledger,
        }
    }
}

/// Every exporter seen.
#[derive(Debug, Default)]
pub(crate) struct Registry {
    /// By sysid, from 1.
    states: Vec<State>,
    by_key: HashMap<Key, usize, foldhash::fast::RandomState>,
    addresses: HashMap<IpAddr, Address, foldhash::fast::RandomState>,
    /// Datagrams that belong to no exporter.
    pub(crate) unattributed: LossLedger,
    memory: Memory,
    /// Exporters with sets that waited, whose template has come, and for which there was no room yet.
    pending: Vec<usize>,
}

/// The exporters behind one address.
#[derive(Clone, Copy, Debug)]
struct Address {
    /// Where the first one stands.
    first: usize,
    domains: usize,
}

impl Registry {
    /// The exporter `key`, which may be new, and the account of what everybody makes us keep; `None` when it
    /// would be one too many, which is counted.
    pub(crate) fn enter(
        &mut self,
        key: Key,
        limits: &Limits,
        decoded: &mut Decoded,
    ) -> Option<(&mut State, &mut Memory)> {
        let index = match self.by_key.get(&key) {
            Some(&index) => index,
            None => self.admit(key, limits, decoded)?,
        };
        let state = self.states.get_mut(index)?;
        decoded.exporter = Some(state.sysid);
        Some((state, &mut self.memory))
    }

    /// The same for an exporter with templates, whose datagram came from UDP port `port`.
    ///
    /// Ports do not identify exporters: one that restarts may send from another. But where two ports of one
    /// address give one template different meanings and both go on sending, they are two exporters; the one
    /// that was first gets a state of its own, because the other's templates stand in the common one now.
    pub(crate) fn enter_from(
        &mut self,
        key: Key,
        port: u16,
        limits: &Limits,
        decoded: &mut Decoded,
    ) -> Option<(&mut State, &mut Memory)> {
        let own = Key { port: Some(port), ..key };
        let common = self.by_key.get(&key).and_then(|&index| self.states.get_mut(index));
        match common {
            Some(state) if state.rival == Some(port) => {
                (state.rival, state.is_split) = (None, true);
                self.enter(own, limits, decoded)
            }
            Some(state) if state.is_split && self.by_key.contains_key(&own) => {
                self.enter(own, limits, decoded)
            }
            _ => self.enter(key, limits, decoded),
        }
    }

    /// An exporter with sets that can be decoded now, and the account of what everybody makes us keep.
    pub(crate) fn next_pending(&mut self) -> Option<(&mut State, &mut Memory)> {
        let index = *self.pending.last()?;
        Some((self.states.get_mut(index)?, &mut self.memory))
    }

    /// Whether an exporter has sets that can be decoded now.
    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Writes the account of `datagrams` datagrams, 1 or 0, into the ledger of their exporter.
    pub(crate) fn account(&mut self, datagrams: u64, decoded: &Decoded) {
        self.note_pending(decoded);
        let exporter =
            decoded.exporter.and_then(|sysid| self.states.get_mut(usize::from(sysid).wrapping_sub(1)));
        let ledger = exporter.map_or(&mut self.unattributed, |state| &mut state.ledger);
        ledger.datagrams += datagrams;
        ledger.flows += decoded.flows as u64;
        ledger.sequence_failures += u64::from(decoded.sequence_failure);
        ledger.missed = (ledger.missed + decoded.missed).saturating_sub(decoded.recovered);
        ledger.no_template += decoded.sets_skipped as u64;
        ledger.malformed += decoded.malformed as u64;
        ledger.refused += decoded.refused as u64;
    }

    pub(crate) fn states(&self) -> &[State] {
        &self.states
    }

    /// Every exporter with its ledger since the last call.
    pub(crate) fn take(&mut self) -> Vec<ExporterInfo> {
        let taken = self.states.iter().map(State::info).collect();
        for state in &mut self.states {
            state.before.merge(&std::mem::take(&mut state.ledger));
        }
        taken
    }

    /// Gives up what has waited too long for its template, and templates that nobody needs.
    pub(crate) fn expire(&mut self, now_ms: u64, limits: &Limits) {
        for state in &mut self.states {
            let given_up = state.waiting.expire(now_ms, limits, &mut self.memory);
            state.ledger.no_template += given_up as u64;
            state.templates.expire(now_ms, limits, &mut self.memory);
        }
    }

    /// Gives up whatever waits for its template.
    pub(crate) fn give_up_waiting(&mut self) {
        self.pending.clear();
        for state in &mut self.states {
            let given_up = state.waiting.give_up_all(&mut self.memory);
            state.waiting.is_ready = false;
            state.ledger.no_template += given_up as u64;
        }
    }

    fn note_pending(&mut self, decoded: &Decoded) {
        let Some(index) = decoded.exporter.map(|sysid| usize::from(sysid).wrapping_sub(1)) else { return };
        let is_ready = self.states.get(index).is_some_and(|state| state.waiting.is_ready);
        if is_ready && !self.pending.contains(&index) {
            self.pending.push(index);
        } else if !is_ready && !self.pending.is_empty() {
            self.pending.retain(|&pending| pending != index);
        }
    }

    fn admit(&mut self, key: Key, limits: &Limits, decoded: &mut Decoded) -> Option<usize> {
        let index = self.states.len();
        let sysid = u16::try_from(index + 1).ok();
        let known = self.addresses.get(&key.addr).copied();
        let fits = known.map_or(self.addresses.len() < limits.addresses, |address| {
            address.domains < limits.domains_per_address
        });
        let (Some(sysid), true) = (sysid, fits) else {
            decoded.refused += 1;
            // The refusal stands in the ledger of the address's first exporter, if it has one.
            decoded.exporter =
                known.and_then(|address| self.states.get(address.first)).map(|state| state.sysid);
            return None;
        };
        let address = self.addresses.entry(key.addr).or_insert(Address { first: index, domains: 0 });
        address.domains += 1;
        self.by_key.insert(key, index);
        self.states.push(State::new(sysid, key));
        decoded.new_exporter = Some(sysid);
        Some(index)
    }
}
