//! What we keep about each exporter.

use crate::memory::Memory;
use crate::sampling::Samplers;
use crate::sequence::Sequence;
use crate::template::Templates;
use crate::waiting::Waiting;
use crate::{Decoded, Limits, WireProtocol};
use flow_model::{ExporterInfo, LossLedger};
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
    /// systemInitTimeMilliseconds (160) from options data.
    pub(crate) init_ms: Option<u64>,
    clock: Option<Clock>,
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
    /// Whether the exporter's uptime says that it started anew since the last datagram: it went back, and
    /// neither by a wrap nor because the datagram is late.
    pub(crate) fn restarted(&mut self, unix_ms: u64, uptime_ms: u32) -> bool {
        let before = self.clock.replace(Clock { unix_ms, uptime_ms });
        before.is_some_and(|before| {
            let elapsed = unix_ms.cast_signed().wrapping_sub(before.unix_ms.cast_signed());
            let counted = i64::from(uptime_ms.wrapping_sub(before.uptime_ms).cast_signed());
            uptime_ms < before.uptime_ms && counted.abs_diff(elapsed) > CLOCK_TOLERANCE_MS
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
            state.ledger = LossLedger::default();
        }
        taken
    }

    /// Gives up what has waited too long for its template.
    pub(crate) fn expire(&mut self, now_ms: u64, limits: &Limits) {
        for state in &mut self.states {
            let given_up = state.waiting.expire(now_ms, limits, &mut self.memory);
            state.ledger.no_template += given_up as u64;
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
        self.states.push(State {
            sysid,
            key,
            ledger: LossLedger::default(),
            sequence: Sequence::default(),
            templates: Templates::default(),
            samplers: Samplers::default(),
            waiting: Waiting::default(),
            init_ms: None,
            clock: None,
        });
        decoded.new_exporter = Some(sysid);
        Some(index)
    }
}
