//! What a decoder knows of exporters, handed from one run to the next.

use crate::Limits;
use crate::decoder::Decoder;
use crate::element::Dialect;
use crate::exporter::{Clock, Key, State};
use crate::memory::Memory;
use crate::sampling::{Configured, Sampler};
use crate::sequence::Sequence;
use crate::sets::FIRST_TEMPLATE;
use crate::template::{Definition, count};
use crate::{Fault, WireProtocol};
use flow_model::{LastDatagram, RememberedExporter, RememberedTemplate};

/// Times are remembered to this part of [`Limits::template_age_ms`], an hour of 30 days: what is remembered then changes
/// when there is something new, and not with every datagram.
const STEPS_OF_AGE: u64 = 720;

impl Decoder {
    /// Everything that the next run should know, in order of appearance. What waits for its template is not among it.
    ///
    /// `ends` says that no datagram will come before the next run, so that it may go on where sequences stand.
    pub fn remembered(&self, ends: bool) -> Vec<RememberedExporter> {
        let step_ms = (self.options.limits.template_age_ms / STEPS_OF_AGE).max(1);
        self.registry.states().iter().map(|state| remembered(state, ends, step_ms)).collect()
    }

    /// Takes over what an earlier run knew, as far as it is no older than [`Limits::template_age_ms`] and within all
    /// bounds, and says of how many exporters. To be called before the first datagram.
    ///
    /// What exporters send from now on replaces what they had sent, as always.
    pub fn remember(&mut self, exporters: &[RememberedExporter], now_ms: u64) -> usize {
        exporters.iter().filter(|known| self.remember_exporter(known, now_ms).is_some()).count()
    }

    /// `None` when the exporter is not taken over.
    fn remember_exporter(&mut self, known: &RememberedExporter, now_ms: u64) -> Option<()> {
        let limits = self.options.limits;
        let protocol = WireProtocol::from_version(known.protocol)?;
        let (addr, domain) = (known.addr.to_canonical(), known.domain);
        let heard_ms = known.heard_ms.min(now_ms);
        if is_old(heard_ms, now_ms, &limits) {
            return None;
        }
        let key = Key { addr, protocol, domain, port: known.port, agent: known.agent };
        if known.port.is_some() {
            // Its port tells it from the one that has the others.
            self.registry.find(&Key { port: None, ..key })?.is_split = true;
        }
        let entered: Result<_, Fault> = self.registry.mentioned(key, &limits);
        let (state, memory) = entered.ok()?;
        state.heard_ms = heard_ms;
        state.init_ms = known.init_ms;
        state.sequence =
            Sequence::resumed(known.counts_itself, known.last.map(|last| (last.number, last.units)));
        let clock = known.last.and_then(|last| last.clock);
        state.clock = clock.map(|(unix_ms, uptime_ms)| Clock { unix_ms, uptime_ms });
        if let Some(dialect) = dialect(protocol) {
            for template in &known.templates {
                define(state, template, dialect, now_ms, &limits, memory);
            }
        }
        for sampler in &known.samplers {
            let sampler = Sampler {
                id: sampler.id,
                algorithm: sampler.algorithm,
                interval: sampler.interval,
                space: sampler.space,
            };
            state.samplers.announce(sampler, 0, &limits, memory);
        }
        for name in &known.names {
            if name.id.len().max(name.name.len()) <= limits.name_len_bytes {
                state.names.announce(name.kind, &name.id, &name.name, &limits, memory);
            }
        }
        Some(())
    }
}

fn remembered(state: &State, ends: bool, step_ms: u64) -> RememberedExporter {
    let coarse = |time_ms: u64| time_ms - time_ms % step_ms;
    let Key { addr, protocol, domain, port, agent } = state.key;
    let (counts_itself, last) = state.sequence.known();
    let templates = state.templates.list().into_iter().map(|(id, template)| {
        let template = template.remembered(id);
        RememberedTemplate { used_ms: coarse(template.used_ms), ..template }
    });
    RememberedExporter {
        protocol: protocol.version(),
        addr,
        domain,
        port,
        agent,
        heard_ms: coarse(state.heard_ms),
        init_ms: state.init_ms,
        counts_itself,
        templates: templates.collect(),
        samplers: state.samplers.list(0, Configured::default()).collect(),
        names: state.names.list(0).collect(),
        last: last.filter(|_| ends).map(|(number, units)| LastDatagram {
            number,
            units,
            clock: state.clock.map(|clock| (clock.unix_ms, clock.uptime_ms)),
        }),
    }
}

/// Keeps a template if it is one, is not too old, and there is room.
fn define(
    state: &mut State,
    template: &RememberedTemplate,
    dialect: Dialect,
    now_ms: u64,
    limits: &Limits,
    memory: &mut Memory,
) {
    let &RememberedTemplate { id, scope, port, used_ms, ref fields } = template;
    let used_ms = used_ms.min(now_ms);
    let Some(count) = count(dialect, fields).filter(|&count| scope.is_none_or(|scope| scope <= count)) else {
        return;
    };
    // One template too many makes an exporter forget the others.
    let has_room = state.templates.len() < limits.templates_per_exporter;
    if id < FIRST_TEMPLATE || !has_room || is_old(used_ms, now_ms, limits) {
        return;
    }
    let definition = Definition { dialect, id, scope, count, fields, port, received_ms: used_ms };
    // One for which there is no room is learnt from the exporter, if there is room then.
    let _ = state.templates.define(&definition, limits, memory);
}

fn is_old(time_ms: u64, now_ms: u64, limits: &Limits) -> bool {
    now_ms.saturating_sub(time_ms) > limits.template_age_ms
}

/// How templates are written, in protocols that have some.
fn dialect(protocol: WireProtocol) -> Option<Dialect> {
    match protocol {
        WireProtocol::V9 => Some(Dialect::V9),
        WireProtocol::Ipfix => Some(Dialect::Ipfix),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "a panic is a failed test")]
mod tests {
    use super::*;
    use crate::vectors::{
        Bench, FROM, NOW, ipfix, ipfix_options, nums, octets, set, template, v9, v9_options,
    };
    use crate::{Decoded, DecoderOptions, Exporter};
    use flow_model::{BatchBuilder, Field};

    /// A bench whose decoder knows what another one knew.
    fn restarted(before: &Bench, ends: bool, now_ms: u64) -> (Bench, usize) {
        with_limits(before, ends, now_ms, Limits::default())
    }

    fn with_limits(before: &Bench, ends: bool, now_ms: u64, limits: Limits) -> (Bench, usize) {
        let mut bench = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
        let count = bench.decoder.remember(&before.decoder.remembered(ends), now_ms);
        (bench, count)
    }

    const OCTETS: &[(u16, u16)] = &[(1, 4)];

    fn data(value: u32) -> Vec<u8> {
        set(256, &[octets![value]])
    }

    /// What is missing before datagrams.
    fn missed(decoded: &Decoded) -> (u64, bool) {
        (decoded.missed, decoded.sequence_failure)
    }

    #[test]
    fn data_before_their_template_are_decoded_with_that_of_the_run_before() {
        let mut before = Bench::new();
        let options = v9_options(260, &[(2, 2)], &[(34, 4), (35, 1)]);
        let flows = template(256, &[(1, 4), (10, 2)]);
        before.good(&v9(
            7,
            3,
            &[set(1, &[options]), set(260, &[octets![3u16, 30u32, 1u8, 0u8]]), set(0, &[flows])],
        ));
        let interface = ipfix_options(300, 1, &[(10, 4), (82, 8)]);
        before.good(&ipfix(
            0,
            9,
            &[set(3, &[interface]), set(300, &[octets![7u32], b"Gi0/7\0\0\0".to_vec()])],
        ));

        let (mut bench, count) = restarted(&before, true, NOW + 60_000);
        assert_eq!(count, 2);
        let names: Vec<_> =
            bench.decoder.names().into_iter().map(|name| (name.exporter, name.name)).collect();
        assert_eq!(names, [(2, "Gi0/7".to_owned())]);
        let decoded = bench.good(&v9(8, 3, &[set(256, &[octets![5u32, 3u16, 0u16]])]));
        assert_eq!((decoded.flows, decoded.new_exporter, missed(&decoded)), (1, Some(1), (0, false)));
        assert_eq!(nums(&bench.flows(), Field::InBytes), [150]);
        // What was learnt in the run before is remembered in the next again, and nothing else.
        let (again, _) = restarted(&bench, true, NOW + 60_000);
        assert_eq!(again.decoder.remembered(true), bench.decoder.remembered(true));
        assert_eq!(bench.decoder.take_exporters().iter().map(|known| known.ledger.flows).sum::<u64>(), 1);
    }

    #[test]
    fn a_new_template_replaces_that_of_the_run_before() {
        let mut before = Bench::new();
        before.good(&ipfix(0, 1, &[set(2, &[template(256, OCTETS)])]));
        let (mut bench, _) = restarted(&before, true, NOW);
        bench.good(&ipfix(0, 1, &[set(2, &[template(256, &[(2, 4)])]), data(9)]));
        assert_eq!(nums(&bench.flows(), Field::InPackets), [9]);
    }

    #[test]
    fn what_was_sent_while_nobody_listened_is_missing_unless_the_exporter_started_anew() {
        let mut before = Bench::new();
        before.good(&v9(100, 1, &[set(0, &[template(256, OCTETS)])]));
        let (mut bench, _) = restarted(&before, true, NOW);
        assert_eq!(missed(&bench.good(&v9(111, 1, &[data(1)]))), (10, true));
        // Its uptime went back: what it sent since then nobody knows.
        let (mut bench, _) = restarted(&before, true, NOW);
        let mut anew = v9(150, 1, &[data(1)]);
        anew[4..8].copy_from_slice(&5_000u32.to_be_bytes());
        assert_eq!(missed(&bench.good(&anew)), (0, true));
        // A collector that was killed took datagrams of which the one before it does not know.
        let (mut bench, _) = restarted(&before, false, NOW);
        assert_eq!(missed(&bench.good(&v9(111, 1, &[data(1)]))), (0, false));
    }

    #[test]
    fn a_sequence_that_includes_its_own_datagram_goes_on_so() {
        let mut before = Bench::new();
        let set_of = |records: u32| set(256, &(0..records).map(|value| octets![value]).collect::<Vec<_>>());
        before.good(&ipfix(1, 1, &[set(2, &[template(256, OCTETS)]), set_of(1)]));
        before.good(&ipfix(4, 1, &[set_of(3)]));
        for ends in [true, false] {
            let (mut bench, _) = restarted(&before, ends, NOW);
            assert_eq!(missed(&bench.good(&ipfix(6, 1, &[set_of(2)]))), (0, false));
            assert_eq!(missed(&bench.good(&ipfix(11, 1, &[set_of(5)]))), (0, false));
        }
    }

    #[test]
    fn ports_that_are_two_exporters_stay_two() {
        let definition = |element| v9(1, 0, &[set(0, &[template(256, &[(element, 4)])])]);
        let (mut before, mut out) = (Bench::new(), BatchBuilder::new());
        let datagrams = [
            (1000, definition(1)),
            (2000, definition(2)),
            (1000, v9(1, 0, &[data(5)])),
            (1000, definition(1)),
        ];
        for (port, datagram) in &datagrams {
            before.decoder.decode(Exporter { port: *port, ..FROM }, NOW, datagram, &mut out);
        }
        let (mut bench, count) = restarted(&before, true, NOW);
        assert_eq!(count, 2);
        let mut out = BatchBuilder::new();
        for port in [1000, 2000] {
            let decoded =
                bench.decoder.decode(Exporter { port, ..FROM }, NOW, &v9(2, 0, &[data(5)]), &mut out);
            assert_eq!(decoded.flows, 1);
        }
        let flows = out.finish();
        assert_eq!((nums(&flows, Field::InBytes), nums(&flows, Field::InPackets)), (vec![5, 0], vec![0, 5]));
    }

    #[test]
    fn what_is_old_is_forgotten() {
        let limits = Limits { template_age_ms: 720_000, ..Limits::default() };
        let mut before = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
        before.good(&ipfix(0, 1, &[set(2, &[template(256, OCTETS), template(257, OCTETS)])]));
        before.take_at(NOW + 700_000, &ipfix(0, 1, &[data(1)]));
        let ids = |bench: &Bench| -> Vec<usize> {
            bench.decoder.describe().iter().map(|exporter| exporter.templates.len()).collect()
        };
        // Times are known to a 720th of the age.
        for (after_ms, expected) in
            [(719_000, vec![2]), (722_000, vec![1]), (1_419_000, vec![1]), (1_422_000, vec![])]
        {
            assert_eq!(ids(&with_limits(&before, true, NOW + after_ms, limits).0), expected, "{after_ms}");
        }
        // A clock that was set back makes nothing immortal.
        let (bench, _) = with_limits(&before, true, NOW - 10_000_000, limits);
        assert_eq!(bench.decoder.remembered(true)[0].heard_ms / 1000, (NOW - 10_000_000) / 1000);
    }

    #[test]
    fn bounds_hold_and_nonsense_is_passed_over() {
        let mut before = Bench::new();
        let templates: Vec<_> = (256..266).map(|id| template(id, OCTETS)).collect();
        before.good(&ipfix(0, 1, &[set(2, &templates)]));
        before.good(&ipfix(0, 2, &[]));
        let limits = Limits { templates_per_exporter: 4, domains_per_address: 1, ..Limits::default() };
        let (bench, count) = with_limits(&before, true, NOW, limits);
        let described = bench.decoder.describe();
        assert_eq!((count, described.len(), described[0].templates.len()), (1, 1, 4));

        let mut known = before.decoder.remembered(true);
        known.truncate(1);
        known[0].templates.truncate(4);
        known[0].templates[0].id = 255;
        known[0].templates[1].fields.pop();
        known[0].templates[2].scope = Some(9);
        known[0].templates[3].fields.clear();
        let mut bench = Bench::new();
        assert_eq!(bench.decoder.remember(&known, NOW), 1);
        assert_eq!(bench.decoder.describe()[0].templates.len(), 0);
        known[0].protocol = 8;
        assert_eq!(Bench::new().decoder.remember(&known, NOW), 0);
        // A port of an address that nobody else is at.
        (known[0].protocol, known[0].port) = (10, Some(7));
        assert_eq!(Bench::new().decoder.remember(&known, NOW), 0);
    }
}
