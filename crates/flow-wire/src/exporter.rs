//! What we keep about each exporter.

use crate::memory::Memory;
use crate::names::Names;
use crate::options::Exported;
use crate::quirk::{Quirk, Quirks};
use crate::sampling::Samplers;
use crate::sequence::Sequence;
use crate::sflow::Agent;
use crate::template::Templates;
use crate::waiting::Waiting;
use crate::{Decoded, Fault, Limits, WireProtocol};
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
    /// Whether a datagram came from it. Another exporter may speak of it before, or an earlier run.
    is_heard: bool,
    /// When it was heard, or spoken of, last.
    pub(crate) heard_ms: u64,
    /// Since it was last taken.
    pub(crate) ledger: LossLedger,
    pub(crate) sequence: Sequence,
    pub(crate) templates: Templates,
    pub(crate) samplers: Samplers,
    pub(crate) waiting: Waiting,
    pub(crate) names: Names,
    /// What the exporter says it has sent.
    pub(crate) exported: Option<Exported>,
    /// Of an sFlow agent.
    pub(crate) agent: Agent,
    /// systemInitTimeMilliseconds (160) from options data.
    pub(crate) init_ms: Option<u64>,
    pub(crate) quirks: Quirks,
    pub(crate) skew: Option<ClockSkew>,
    /// Before the ledger was last taken.
    before: LossLedger,
    pub(crate) clock: Option<Clock>,
    /// A UDP port that sent a template to which another port gave another meaning.
    rival: Option<u16>,
    /// Whether a port has a state of its own.
    pub(crate) is_split: bool,
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
pub(crate) struct Clock {
    pub(crate) unix_ms: u64,
    pub(crate) uptime_ms: u32,
}

/// Header clocks that agree within this are those of one run of the exporter.
const CLOCK_TOLERANCE_MS: u64 = 30_000;

impl State {
    fn new(sysid: u16, key: Key) -> State {
        State {
            sysid,
            key,
            is_heard: false,
            heard_ms: 0,
            ledger: LossLedger::default(),
            sequence: Sequence::default(),
            templates: Templates::default(),
            samplers: Samplers::default(),
            waiting: Waiting::default(),
            agent: Agent::default(),
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
    /// The exporter `key`, which may be new, and the account of what everybody makes us keep.
    ///
    /// # Errors
    /// When it would be one too many. That is for the ledger of its address's first exporter, if there is one.
    pub(crate) fn enter(
        &mut self,
        key: Key,
        limits: &Limits,
        decoded: &mut Decoded,
    ) -> Result<(&mut State, &mut Memory), Fault> {
        let index = match self.find_or_admit(key, limits) {
            Ok(index) => index,
            Err(fault) => {
                let first = self.addresses.get(&key.addr).and_then(|address| self.states.get(address.first));
                decoded.exporter = first.map(|state| state.sysid);
                return Err(fault);
            }
        };
        let Registry { states, memory, .. } = self;
        let state = states.get_mut(index).ok_or(TOO_MANY)?;
        if !std::mem::replace(&mut state.is_heard, true) {
            decoded.new_exporter = Some(state.sysid);
        }
        decoded.exporter = Some(state.sysid);
        Ok((state, memory))
    }

    /// The exporter `key`, of which another one of its address speaks, or an earlier run.
    ///
    /// # Errors
    /// When it would be one too many.
    pub(crate) fn mentioned(
        &mut self,
        key: Key,
        limits: &Limits,
    ) -> Result<(&mut State, &mut Memory), Fault> {
        let index = self.find_or_admit(key, limits)?;
        Ok((self.states.get_mut(index).ok_or(TOO_MANY)?, &mut self.memory))
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
    ) -> Result<(&mut State, &mut Memory), Fault> {
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

    /// Writes the account of a datagram that came at `received_ms` into the ledger of its exporter; `None` when these are
    /// flows of earlier ones.
    pub(crate) fn account(&mut self, received_ms: Option<u64>, decoded: &Decoded) {
        self.note_pending(decoded);
        let exporter =
            decoded.exporter.and_then(|sysid| self.states.get_mut(usize::from(sysid).wrapping_sub(1)));
        let ledger = match exporter {
            Some(state) => {
                state.heard_ms = received_ms.unwrap_or(state.heard_ms);
                &mut state.ledger
            }
            None => &mut self.unattributed,
        };
        ledger.datagrams += u64::from(received_ms.is_some());
        ledger.flows += decoded.flows as u64;
        ledger.sequence_failures += u64::from(decoded.sequence_failure);
        ledger.missed = (ledger.missed + decoded.missed).saturating_sub(decoded.recovered);
        ledger.no_template += decoded.sets_skipped as u64;
        ledger.malformed += decoded.malformed as u64;
        ledger.refused += decoded.refused as u64;
    }

    /// The exporter `key`, if it is known.
    pub(crate) fn find(&mut self, key: &Key) -> Option<&mut State> {
        self.by_key.get(key).and_then(|&index| self.states.get_mut(index))
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

    fn find_or_admit(&mut self, key: Key, limits: &Limits) -> Result<usize, Fault> {
        if let Some(&index) = self.by_key.get(&key) {
            return Ok(index);
        }
        let index = self.states.len();
        let sysid = u16::try_from(index + 1).map_err(|_| TOO_MANY)?;
        match self.addresses.get(&key.addr) {
            Some(address) if address.domains >= limits.domains_per_address => {
                let limit = limits.domains_per_address;
                return Err(Fault::Limit { what: "exporters of an address", limit });
            }
            None if self.addresses.len() >= limits.addresses => {
                return Err(Fault::Limit { what: "addresses of exporters", limit: limits.addresses });
            }
            _ => {}
        }
        let address = self.addresses.entry(key.addr).or_insert(Address { first: index, domains: 0 });
        address.domains += 1;
        self.by_key.insert(key, index);
        self.states.push(State::new(sysid, key));
        Ok(index)
    }
}

/// Numbers of exporters have 16 bits.
const TOO_MANY: Fault = Fault::Limit { what: "exporters", limit: u16::MAX as usize };

#[cfg(test)]
mod tests {
    use crate::vectors::{Bench, FROM, NOW, ipfix, octets, set, template, v9};
    use crate::{Decoded, DecoderOptions, Exporter, Limits, Quirk};
    use flow_model::{BatchBuilder, Field, NameKind};

    /// What a datagram from a port becomes.
    fn from_port(bench: &mut Bench, out: &mut BatchBuilder, port: u16, datagram: &[u8]) -> Decoded {
        bench.decoder.decode(Exporter { port, ..FROM }, NOW, datagram, out)
    }

    #[test]
    fn two_ports_that_disagree_about_a_template_are_two_exporters() {
        let (mut bench, mut out) = (Bench::new(), BatchBuilder::new());
        let definition = |element| v9(1, 0, &[set(0, &[template(256, &[(element, 4)])])]);
        let data = v9(1, 0, &[set(256, &[octets![5u32]])]);
        let mut take = |port, datagram: &[u8]| from_port(&mut bench, &mut out, port, datagram);
        take(1000, &definition(1));
        assert_eq!(take(1000, &data).exporter, Some(1));
        // As an exporter that starts anew.
        take(2000, &definition(2));
        assert_eq!(take(2000, &data).exporter, Some(1));
        // But the first one still sends: its data must not be read by the other's template.
        let waiting = take(1000, &data);
        assert_eq!(
            (waiting.exporter, waiting.new_exporter, waiting.flows, waiting.sets_waiting),
            (Some(2), Some(2), 0, 1)
        );
        assert_eq!(take(1000, &definition(1)).flows, 1);
        for _ in 0..2 {
            take(1000, &data);
            take(2000, &data);
        }
        // A third port is one of the first kind that started anew.
        assert_eq!(take(3000, &data).exporter, Some(1));
        let flows = out.finish();
        let column = |field| crate::vectors::nums(&flows, field);
        assert_eq!(column(Field::ExporterId), [1, 1, 2, 2, 1, 2, 1, 1]);
        assert_eq!(column(Field::InBytes), [5, 0, 5, 5, 0, 5, 0, 0]);
        assert_eq!(column(Field::InPackets), [0, 5, 0, 0, 5, 0, 5, 5]);
        let described = bench.decoder.describe();
        assert_eq!(described.iter().map(|exporter| exporter.port).collect::<Vec<_>>(), [None, Some(1000)]);
        assert_eq!(
            described.first().map(|exporter| exporter.quirks.contains(&(Quirk::TemplateChanged, 1))),
            Some(true)
        );
    }

    #[test]
    fn ports_that_agree_are_one_exporter_and_a_late_change_too() {
        let (mut bench, mut out) = (Bench::new(), BatchBuilder::new());
        let definition = |element| v9(1, 0, &[set(0, &[template(256, &[(element, 4)])])]);
        for (port, element) in [(1000, 1), (2000, 1), (1000, 1), (1000, 2), (1000, 3)] {
            let decoded = from_port(&mut bench, &mut out, port, &definition(element));
            assert_eq!(decoded.exporter, Some(1));
        }
    }

    #[test]
    fn data_of_a_template_that_timed_out_wait() {
        let limits = Limits { template_age_ms: 10_000, ..Limits::default() };
        let mut bench = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
        let data = || set(256, &[octets![5u32]]);
        bench.take(&ipfix(0, 7, &[set(2, &[template(256, &[(1, 4)])]), data()]));
        // Use keeps it alive, silence does not.
        assert_eq!(bench.take_at(NOW + 9_000, &ipfix(1, 7, &[data()])).flows, 1);
        assert_eq!(bench.take_at(NOW + 18_000, &ipfix(2, 7, &[data()])).flows, 1);
        let late = bench.take_at(NOW + 28_001, &ipfix(3, 7, &[data()]));
        assert_eq!((late.flows, late.sets_waiting), (0, 1));
        let again = bench.take_at(NOW + 28_002, &ipfix(4, 7, &[set(2, &[template(256, &[(1, 4)])])]));
        assert_eq!((again.flows, again.sets_late), (1, 1));
        bench.decoder.expire(NOW + 90_000);
        let described = bench.decoder.describe();
        let exporter = described.first().unwrap();
        assert_eq!((exporter.templates_expired, exporter.templates.len()), (2, 0));
    }

    #[test]
    fn an_exporter_too_many_is_named() {
        let limits = Limits { addresses: 1, domains_per_address: 2, ..Limits::default() };
        let mut bench = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
        let mut out = BatchBuilder::new();
        let mut text = |addr: [u8; 4], datagram: &[u8]| {
            let from = Exporter { addr: addr.into(), port: 9 };
            let decoded = bench.decoder.decode(from, NOW, datagram, &mut out);
            assert_eq!((decoded.refused, decoded.malformed), (usize::from(decoded.error.is_some()), 0));
            (decoded.exporter, decoded.error.map(|error| error.to_string()))
        };
        let first = [192, 0, 2, 1];
        assert_eq!(text(first, &ipfix(0, 7, &[])), (Some(1), None));
        assert_eq!(text(first, &v9(0, 7, &[])), (Some(2), None));
        let too_many = "IPFIX from 192.0.2.1 domain 8 at octet 0: more than 2 exporters of an address";
        assert_eq!(text(first, &ipfix(0, 8, &[])), (Some(1), Some(too_many.to_owned())));
        let too_many = "NetFlow v9 from 192.0.2.2 domain 7 at octet 0: more than 1 addresses of exporters";
        assert_eq!(text([192, 0, 2, 2], &v9(0, 7, &[])), (None, Some(too_many.to_owned())));
        assert_eq!(bench.decoder.exporters().first().map(|exporter| exporter.ledger.refused), Some(1));
        assert_eq!(bench.decoder.take_unattributed().refused, 1);
    }

    #[test]
    fn names_reach_whoever_asks_and_bad_ones_are_refused() {
        let mut bench = Bench::new();
        let interfaces = crate::vectors::ipfix_options(300, 1, &[(10, 4), (82, 8), (83, u16::MAX)]);
        let vrfs = crate::vectors::ipfix_options(301, 1, &[(234, 4), (236, 8)]);
        let applications = crate::vectors::ipfix_options(302, 1, &[(95, 4), (96, 8), (94, 8)]);
        let text = |text: &str| {
            let mut octets = text.as_bytes().to_vec();
            octets.resize(8, 0);
            octets
        };
        let interface = [octets![7u32], text("Gi0/7"), vec![3], b"WAN".to_vec()].concat();
        let vrf = [octets![9u32], text("red")].concat();
        let application = [octets![0x0d00_0050u32], text("http"), text("web")].concat();
        let bad = [octets![8u32], vec![0xff; 8], vec![0]].concat();
        let decoded = bench.take(&ipfix(
            0,
            7,
            &[
                set(3, &[interfaces, vrfs, applications]),
                set(300, &[interface, bad]),
                set(301, &[vrf]),
                set(302, &[application]),
            ],
        ));
        assert_eq!((decoded.options, decoded.refused), (4, 1));
        assert_eq!(decoded.error.map(|error| error.fault.to_string()).as_deref(), Some("name is not UTF-8"));
        let names = bench.decoder.names();
        let list: Vec<_> = names.iter().map(|name| (name.kind, name.number(), name.name.as_str())).collect();
        let expected = [
            (NameKind::Interface, 7, "Gi0/7"),
            (NameKind::InterfaceDescription, 7, "WAN"),
            (NameKind::Vrf, 9, "red"),
            (NameKind::Application, 0x0d00_0050, "http"),
            (NameKind::ApplicationDescription, 0x0d00_0050, "web"),
        ];
        assert_eq!(list, expected);
    }

    #[test]
    fn samplers_of_interfaces_scale_the_flows_of_their_interface() {
        let mut bench = Bench::new();
        let options = crate::vectors::v9_options(260, &[(2, 2)], &[(34, 4), (35, 1)]);
        let sampler = |interface: u16, rate: u32| octets![interface, rate, 1u8];
        let flows = template(256, &[(1, 4), (10, 2), (14, 2)]);
        let record = |input: u16, output: u16| octets![1u32, input, output];
        bench.good(&v9(
            1,
            0,
            &[
                set(1, &[options]),
                set(260, &[sampler(3, 30), sampler(4, 40), vec![0; 2]]),
                set(0, &[flows]),
                set(256, &[record(3, 4), record(9, 4), record(9, 9)]),
            ],
        ));
        assert_eq!(bench.nums(Field::InBytes), [30, 40, 1]);
    }

    #[test]
    fn samplers_of_a_template_scale_its_flows() {
        let mut bench = Bench::new();
        let options = crate::vectors::ipfix_options(300, 2, &[(149, 4), (145, 2), (305, 4), (306, 4)]);
        let sampler = |template: u16, space: u32| octets![7u32, template, 1u32, space];
        let templates =
            [template(256, &[(1, 4)]), template(257, &[(1, 4), (302, 1)]), template(258, &[(1, 4)])];
        bench.good(&ipfix(
            0,
            7,
            &[
                set(3, &[options]),
                set(300, &[sampler(256, 9), sampler(257, 19)]),
                set(2, &templates),
                set(256, &[octets![1u32]]),
                set(257, &[octets![1u32, 5u8]]),
                set(258, &[octets![1u32]]),
            ],
        ));
        assert_eq!(bench.nums(Field::InBytes), [10, 20, 1]);
    }

    #[test]
    fn what_is_said_of_another_domain_is_known_of_that_domain() {
        let mut bench = Bench::new();
        let options = [
            crate::vectors::ipfix_options(300, 1, &[(149, 4), (34, 4), (160, 8), (40, 8)]),
            crate::vectors::ipfix_options(301, 1, &[(149, 4), (34, 4)]),
        ];
        let flows = template(256, &[(1, 4), (22, 4), (21, 4)]);
        let record = || set(256, &[octets![1u32, 1_000u32, 2_000u32]]);
        let start = NOW - 3_600_000;
        let said = |domain: u32, rate: u32| octets![domain, rate, start, 77u64];
        let decoded = bench.good(&ipfix(
            0,
            7,
            &[
                set(3, &options),
                set(300, &[said(8, 100), said(9, 50)]),
                set(301, &[octets![0u32, 5u32]]),
                set(2, std::slice::from_ref(&flows)),
                record(),
            ],
        ));
        assert_eq!((decoded.new_exporter, decoded.exporter, decoded.options), (Some(1), Some(1), 3));
        let decoded = bench.good(&ipfix(0, 8, &[set(2, &[flows]), record()]));
        assert_eq!((decoded.new_exporter, decoded.exporter), (Some(2), Some(2)));
        // No domain, 0, is the message's own.
        let flows = bench.flows();
        assert_eq!(crate::vectors::nums(&flows, Field::InBytes), [5, 100]);
        let described = bench.decoder.describe();
        let starts: Vec<_> =
            described.iter().map(|exporter| (exporter.info.domain, exporter.init_ms)).collect();
        assert_eq!(starts, [(7, None), (8, Some(start)), (9, Some(start))]);
        assert_eq!(crate::vectors::nums(&flows, Field::FirstMs).get(1), Some(&(start + 1_000)));
        let sent: Vec<_> = bench.decoder.exported().iter().map(|sent| (sent.exporter, sent.octets)).collect();
        assert_eq!(sent, [(2, 77), (3, 77)]);
    }

    #[test]
    fn domains_that_are_only_spoken_of_are_bounded_too() {
        let limits = Limits { domains_per_address: 3, sampling_rate: 1000, ..Limits::default() };
        let mut bench = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
        let options = crate::vectors::ipfix_options(300, 1, &[(149, 4), (34, 4)]);
        // A name of an interface is kept where it was said, and makes nobody known.
        let names = crate::vectors::ipfix_options(301, 2, &[(149, 4), (10, 4), (82, 4)]);
        let name = octets![5u32, 7u32, 0x6574_6830u32];
        bench.good(&ipfix(0, 1, &[set(3, &[names]), set(301, &[name])]));
        let known: Vec<_> = bench.decoder.names().iter().map(|name| (name.exporter, name.number())).collect();
        assert_eq!((known, bench.decoder.exporters().len()), (vec![(1, 7)], 1));
        let records: Vec<_> = (1..=5u32).map(|domain| octets![domain, 100u32]).collect();
        let decoded = bench.take(&ipfix(1, 1, &[set(3, &[options]), set(300, &records)]));
        assert_eq!((decoded.options, decoded.refused, decoded.malformed), (5, 2, 0));
        let text = decoded.error.map(|error| error.to_string());
        let expected =
            "IPFIX from 192.0.2.9 domain 1 set 300 at octet 38: more than 3 exporters of an address";
        assert_eq!(text.as_deref(), Some(expected));
        let decoded = bench.take(&ipfix(6, 1, &[set(300, &[octets![2u32, 1001u32]])]));
        let fault = decoded.error.map(|error| error.fault);
        assert_eq!(fault, Some(crate::Fault::SamplingRate { found: 1001, limit: 1000 }));
    }

    #[test]
    fn decoded_octets_of_a_datagram_are_bounded() {
        let limits = Limits { decoded_len_bytes: 1_000, ..Limits::default() };
        let mut bench = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
        let sets = [set(0, &[template(256, &[(4, 1)])]), set(256, &[vec![6; 100]])];
        let decoded = bench.take(&v9(1, 0, &sets));
        // 64 octets that every row has, and one.
        assert_eq!((decoded.flows, decoded.refused), (1_000 / 65, 1));
        let error = decoded.error.map(|error| error.to_string());
        assert_eq!(
            error.as_deref(),
            Some(
                "NetFlow v9 from 192.0.2.9 domain 0 set 256 at octet 36: more than 1000 octets of decoded flows"
            )
        );
    }
}
