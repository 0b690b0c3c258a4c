//! The decoder, and what it says about each datagram.

use crate::exporter::{Exporter, Key, Registry};
use crate::options::sampler_fault;
use crate::plan::Scratch;
use crate::sampling::Configured;
use crate::sequence::Continuity;
use crate::{
    DecodeError, ExporterDescription, Fault, Limits, Tunnels, WireProtocol, describe, fixed, ipfix, sets,
    sflow, v9,
};
use flow_model::{
    BatchBuilder, ExportedInfo, ExporterInfo, Field, Groups, LossLedger, NameInfo, Rows, SamplerInfo,
};

/// How a decoder behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct DecoderOptions {
    /// Rate of flows whose exporter announces none.
    pub default_sampling: Option<u32>,
    /// Rate of every flow, whatever its exporter announces.
    pub override_sampling: Option<u32>,
    /// What becomes of sampled packets in tunnels.
    pub tunnels: Tunnels,
    /// Bounds on what a peer can make us keep or do.
    pub limits: Limits,
}

/// Turns datagrams into flows, and keeps what later datagrams need: templates, samplers, sequence numbers.
///
/// It knows no socket and no clock: who sent a datagram, and when it came, are arguments.
#[derive(Debug)]
pub struct Decoder {
    pub(crate) options: DecoderOptions,
    pub(crate) registry: Registry,
    pub(crate) scratch: Scratch,
    pub(crate) sflow: sflow::Scratch,
}

/// What became of a datagram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Decoded {
    /// Number of the exporter that it is accounted to, if any.
    pub exporter: Option<u16>,
    /// The same number, when this was the exporter's first datagram.
    pub new_exporter: Option<u16>,
    /// Flows appended to the batch.
    pub flows: usize,
    /// Options data records read.
    pub options: usize,
    /// Templates read, new or known.
    pub templates: usize,
    /// Data sets given up because their template is not known, or did not come in time: those of this
    /// datagram that cannot wait, and older ones that can wait no longer.
    pub sets_skipped: usize,
    /// Data sets of this datagram that wait for their template.
    pub sets_waiting: usize,
    /// Data sets of earlier datagrams whose template has come; their flows are among `flows`.
    pub sets_late: usize,
    /// Octets of those sets.
    pub late_len_bytes: usize,
    /// Samples of interface counters, which sFlow sends beside those of packets: not flows.
    pub counter_samples: usize,
    /// Samples of packets that an sFlow agent's device discarded: not flows.
    pub discarded_packets: usize,
    /// sFlow samples skipped because their format is not known, or because they tell of no packet.
    pub samples_skipped: usize,
    /// Records of sFlow flow samples skipped because no field is for them.
    pub records_skipped: usize,
    /// Units missing before this datagram: flows for v5, v7 and IPFIX, datagrams for v9 and sFlow.
    pub missed: u64,
    /// Units counted as missing earlier which this late datagram brought after all.
    pub recovered: u64,
    /// Whether the sequence number was not the expected one, for whatever reason.
    pub sequence_failure: bool,
    /// Messages, sets or templates that could not be decoded.
    pub malformed: usize,
    /// What a limit made us refuse.
    pub refused: usize,
    /// The first thing that was wrong.
    pub error: Option<DecodeError>,
}

impl Decoder {
    /// A decoder that has seen nothing.
    pub fn new(options: DecoderOptions) -> Decoder {
        Decoder {
            options,
            registry: Registry::default(),
            scratch: Scratch::default(),
            sflow: sflow::Scratch::default(),
        }
    }

    /// Appends the flows of `datagram`, which came from `from` at `received_ms` (ms since 1970 UTC), to
    /// `out`.
    ///
    /// Data sets that come before their template wait for it, and their flows are appended when it comes, with
    /// the times and the engine of their own message. Those for which there is no room then are left for the
    /// exporter's next datagram or for [`drain`](Decoder::drain).
    ///
    /// At most [`Limits::flows_per_datagram`] rows are appended, and no more than fit; the caller keeps as
    /// much [room](BatchBuilder::room). Every row has, besides its fields, when and from whom it came:
    /// [`ReceivedMs`](flow_model::Field::ReceivedMs), [`RouterAddr`](flow_model::Field::RouterAddr),
    /// `ExporterId`, `NfVersion`, `EngineType`, `EngineId` and `RecordFlags`.
    ///
    /// A datagram is never refused as a whole because a part of it is wrong: [`Decoded`] says what was kept.
    pub fn decode(
        &mut self,
        from: Exporter,
        received_ms: u64,
        datagram: &[u8],
        out: &mut BatchBuilder,
    ) -> Decoded {
        // A socket for both families shows IPv4 senders as IPv6 addresses.
        let from = Exporter { addr: from.addr.to_canonical(), ..from };
        let mut message = Message::new(from, received_ms, datagram, self);
        match WireProtocol::of(datagram) {
            Err(fault) => message.fail(None, 0, fault),
            Ok(protocol) => {
                message.protocol = protocol;
                match protocol {
                    WireProtocol::V9 => v9::decode(self, &mut message, out),
                    WireProtocol::Ipfix => ipfix::decode(self, &mut message, out),
                    WireProtocol::SflowV2 | WireProtocol::SflowV4 | WireProtocol::SflowV5 => {
                        sflow::decode(self, &mut message, out);
                    }
                    _ => fixed::decode(self, &mut message, out),
                }
            }
        }
        self.tell_others(&mut message);
        self.registry.account(Some(received_ms), &message.decoded);
        message.decoded
    }

    /// Whether sets that waited for their template can be decoded now, see [`drain`](Decoder::drain).
    pub fn has_pending(&self) -> bool {
        self.registry.has_pending()
    }

    /// Appends flows that waited for their template, and for which there was no room when it came, to `out`.
    ///
    /// At most [`Limits::flows_per_datagram`] rows are appended; the caller keeps as much
    /// [room](BatchBuilder::room), and calls again while there is [more](Decoder::has_pending).
    pub fn drain(&mut self, out: &mut BatchBuilder) -> Decoded {
        let (options, configured) = (self.options, self.configured());
        let Some((state, memory)) = self.registry.next_pending() else { return Decoded::default() };
        let mut message = Message {
            from: Exporter { addr: state.key.addr, port: 0 },
            received_ms: 0,
            datagram: &[],
            protocol: state.key.protocol,
            domain: Some(state.key.domain),
            limits: options.limits,
            configured,
            decoded: Decoded { exporter: Some(state.sysid), ..Decoded::default() },
            decoded_len: 0,
        };
        sets::drain(&mut message, state, memory, &mut self.scratch, out);
        self.tell_others(&mut message);
        self.registry.account(None, &message.decoded);
        message.decoded
    }

    /// Keeps what a datagram said of other observation domains at its address for these.
    fn tell_others(&mut self, message: &mut Message<'_>) {
        let limits = self.options.limits;
        for said in self.scratch.elsewhere.drain(..) {
            let key = Key {
                addr: message.from.addr,
                protocol: message.protocol,
                domain: said.domain,
                port: None,
                agent: None,
            };
            let told = self.registry.mentioned(key, &limits).and_then(|(state, memory)| {
                state.heard_ms = said.received_ms;
                state.init_ms = said.init_ms.or(state.init_ms);
                state.exported = said.exported.or(state.exported);
                match said.sampler {
                    Some(sampler) if !state.samplers.announce(sampler, said.received_ms, &limits, memory) => {
                        Err(sampler_fault(sampler, &limits))
                    }
                    _ => Ok(()),
                }
            });
            if let Err(fault) = told {
                message.refuse(Some(said.place.0), said.place.1, fault);
            }
        }
    }

    /// Gives up data that have waited for their template for longer than [`Limits::waiting_age_ms`], which the
    /// ledgers then have as without template, and forgets templates of exporters that are gone
    /// ([`Limits::template_age_ms`]). To be called now and then: exporters that still send are looked after as
    /// they do.
    pub fn expire(&mut self, now_ms: u64) {
        self.registry.expire(now_ms, &self.options.limits);
    }

    /// Gives up all data that wait for their template, as at the end; the ledgers then have them as without
    /// template.
    pub fn give_up_waiting(&mut self) {
        self.registry.give_up_waiting();
    }

    /// Every exporter seen, in order of appearance, with its ledger since it was last taken.
    pub fn exporters(&self) -> Vec<ExporterInfo> {
        self.registry.states().iter().map(crate::exporter::State::info).collect()
    }

    /// Every exporter seen, in order of appearance, with its ledger since the last call.
    pub fn take_exporters(&mut self) -> Vec<ExporterInfo> {
        self.registry.take()
    }

    /// The account of datagrams that belong to no exporter, since the last call: too short, of an unknown
    /// version, or from one address too many.
    pub fn take_unattributed(&mut self) -> LossLedger {
        std::mem::take(&mut self.registry.unattributed)
    }

    /// Every sampler in force, exporter by exporter.
    pub fn samplers(&self) -> Vec<SamplerInfo> {
        let configured = self.configured();
        self.registry.states().iter().flat_map(|state| state.samplers.list(state.sysid, configured)).collect()
    }

    /// Every name that exporters have announced, ordered by exporter, kind and id.
    pub fn names(&self) -> Vec<NameInfo> {
        self.registry.states().iter().flat_map(|state| state.names.list(state.sysid)).collect()
    }

    /// What exporters say they have exported since they started, ordered by exporter.
    pub fn exported(&self) -> Vec<ExportedInfo> {
        self.registry.states().iter().filter_map(crate::exporter::State::exported_info).collect()
    }

    /// Everything that is known of every exporter, in order of appearance.
    pub fn describe(&self) -> Vec<ExporterDescription> {
        self.registry.states().iter().map(|state| describe::describe(state, self.configured())).collect()
    }

    pub(crate) fn configured(&self) -> Configured {
        Configured { default: self.options.default_sampling, forced: self.options.override_sampling }
    }
}

impl Decoded {
    /// Adds what became of a set that had waited.
    pub(crate) fn take_late(&mut self, late: &Decoded, octets: usize) {
        self.sets_late += 1;
        self.late_len_bytes += octets;
        self.flows += late.flows;
        self.options += late.options;
        self.malformed += late.malformed;
        self.refused += late.refused;
        self.error = self.error.or(late.error);
    }

    /// Notes what the sequence number said.
    pub(crate) fn take(&mut self, continuity: Continuity) {
        self.missed += continuity.missed;
        self.recovered += continuity.recovered;
        self.sequence_failure |= continuity.failure;
    }
}

/// A datagram on its way through the decoder.
pub(crate) struct Message<'a> {
    pub(crate) from: Exporter,
    pub(crate) received_ms: u64,
    pub(crate) datagram: &'a [u8],
    pub(crate) protocol: WireProtocol,
    pub(crate) domain: Option<u32>,
    pub(crate) limits: Limits,
    pub(crate) configured: Configured,
    pub(crate) decoded: Decoded,
    /// Octets of the rows so far, strings aside.
    pub(crate) decoded_len: usize,
}

impl<'a> Message<'a> {
    fn new(from: Exporter, received_ms: u64, datagram: &'a [u8], decoder: &Decoder) -> Message<'a> {
        Message {
            from,
            received_ms,
            datagram,
            protocol: WireProtocol::Unknown,
            domain: None,
            limits: decoder.options.limits,
            configured: decoder.configured(),
            decoded: Decoded::default(),
            decoded_len: 0,
        }
    }

    /// Notes that something could not be decoded.
    pub(crate) fn fail(&mut self, set: Option<u16>, offset: usize, fault: Fault) {
        self.decoded.malformed += 1;
        self.note(set, offset, fault);
    }

    /// Notes that something was refused.
    pub(crate) fn refuse(&mut self, set: Option<u16>, offset: usize, fault: Fault) {
        self.decoded.refused += 1;
        self.note(set, offset, fault);
    }

    /// How many more flows this datagram may add to `out`.
    pub(crate) fn allowance(&self, out: &BatchBuilder) -> usize {
        self.limits.flows_per_datagram.saturating_sub(self.decoded.flows).min(out.room())
    }

    /// How many more rows of `row_len` octets this datagram may add.
    pub(crate) fn rows_left(&self, row_len: usize) -> usize {
        self.limits.decoded_len_bytes.saturating_sub(self.decoded_len) / row_len
    }

    /// Fills what every row of an exporter's message has: when, from whom and how it came.
    pub(crate) fn stamp(&self, rows: &mut Rows<'_>, sysid: u16) {
        rows.fill(Field::ReceivedMs, self.received_ms);
        let addr = self.from.addr;
        rows.ips(Field::RouterAddr, move |_| addr);
        rows.fill(Field::ExporterId, u64::from(sysid));
        rows.fill(Field::NfVersion, u64::from(self.protocol.version()));
    }

    /// The groups that every row has.
    pub(crate) fn groups(&self) -> Groups {
        let mut groups = Groups::default();
        groups.insert_addr(Field::RouterAddr, self.from.addr);
        groups
    }

    fn note(&mut self, set: Option<u16>, offset: usize, fault: Fault) {
        self.decoded.error.get_or_insert(DecodeError {
            protocol: self.protocol,
            addr: self.from.addr,
            domain: self.domain,
            set,
            offset,
            fault,
        });
    }
}
