//! Whatever comes, the decoder yields flows or an error, and keeps within its bounds.

#[path = "support/messages.rs"]
mod messages;

use flow_model::BatchBuilder;
use flow_wire::{Decoder, DecoderOptions, Exporter, Limits, Tunnels};
use messages::{
    V9_TWENTY_FIELDS, ipfix, sflow, sflow_v4, v5, v9_data, v9_interface_options, v9_set, v9_template, words,
};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr};

/// Decodes datagrams with kept state; panics are failures, and so are rows that nobody accounts for.
fn decode(datagrams: &[Vec<u8>]) {
    let limits = Limits {
        flows_per_datagram: 1_000,
        state_len_bytes: 100_000,
        waiting_sets_per_exporter: 5,
        waiting_len_bytes: 3_000,
        ..Limits::default()
    };
    let options = DecoderOptions { limits, tunnels: Tunnels::Opened, ..DecoderOptions::default() };
    let mut decoder = Decoder::new(options);
    let mut out = BatchBuilder::new();
    let mut sum = 0;
    let (mut waiting, mut late, mut skipped) = (0, 0, 0);
    for (index, datagram) in datagrams.iter().enumerate() {
        let from = Exporter { addr: IpAddr::V4(Ipv4Addr::from(index as u32 % 3)), port: 0 };
        let before = out.len();
        let decoded = decoder.decode(from, 1_700_000_000_000, datagram, &mut out);
        assert_eq!(out.len() - before, decoded.flows);
        assert!(decoded.flows <= limits.flows_per_datagram);
        assert!(decoded.error.is_none() || decoded.malformed + decoded.refused > 0);
        if let Some(error) = decoded.error {
            assert!(error.offset <= datagram.len() || decoded.sets_late > 0);
            assert!(!error.to_string().is_empty());
        }
        sum += decoded.flows as u64;
        waiting += decoded.sets_waiting as u64;
        late += decoded.sets_late as u64;
        skipped += decoded.sets_skipped as u64;
        if out.room() < limits.flows_per_datagram {
            let batch = out.finish();
            out.recycle(batch);
        }
        while index % 2 == 0 && decoder.has_pending() {
            let before = out.len();
            let decoded = decoder.drain(&mut out);
            assert_eq!(out.len() - before, decoded.flows);
            assert!(decoded.sets_late > 0);
            sum += decoded.flows as u64;
            late += decoded.sets_late as u64;
            let batch = out.finish();
            out.recycle(batch);
        }
    }
    decoder.give_up_waiting();
    let mut ledger = decoder.take_unattributed();
    for exporter in decoder.take_exporters() {
        ledger.merge(&exporter.ledger);
    }
    assert_eq!((ledger.datagrams, ledger.flows), (datagrams.len() as u64, sum));
    // What waited was decoded or given up; what was given up at once is counted, too.
    assert!(ledger.no_template >= skipped && ledger.no_template + late >= waiting);
}

/// Sound messages: what mutations start from.
fn seeds() -> Vec<Vec<u8>> {
    let variable = u16::MAX;
    let lists = words(&[257, 5, 4, 1, 292, variable, 293, variable, 291, variable, 95, variable]);
    let record = [6, 6, 255, 1, 1, 6, 0, 0, 9, 255, 1, 1, 0, 8, 6, 0, 0, 0, 7, 255, 0, 59, 0, 2, 0, 7, 0, 0];
    let name = |number: u16| [&words(&[0, number])[..], b"eth0\0\0\0\0", &words(&[0, 100])].concat();
    vec![
        v5(30),
        v9_template(256, V9_TWENTY_FIELDS),
        v9_data(256, V9_TWENTY_FIELDS, 3),
        v9_interface_options(300, &[(82, 8), (34, 4)]),
        v9_set(300, &[name(1), name(2)]),
        ipfix(&[(2, lists)]),
        ipfix(&[(257, record.to_vec())]),
        ipfix(&[(3, words(&[258, 2, 1, 149, 4, 34, 4])), (258, words(&[0, 2, 0, 100]))]),
        sflow(3),
        sflow_v4(2),
    ]
}

proptest! {
    #[test]
    fn random_octets(datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..20)) {
        decode(&datagrams);
    }

    #[test]
    fn random_octets_behind_a_version(
        datagrams in prop::collection::vec(
            (
                prop::sample::select(vec![
                    &[0u8, 1][..], &[0, 5], &[0, 7], &[0, 9], &[0, 10], &[0, 0, 0, 2], &[0, 0, 0, 4], &[0, 0, 0, 5],
                ]),
                prop::collection::vec(any::<u8>(), 0..300),
            ),
            1..20,
        )
    ) {
        let datagrams: Vec<_> =
            datagrams.into_iter().map(|(version, rest)| [version, &rest].concat()).collect();
        decode(&datagrams);
    }

    #[test]
    fn sets_of_random_octets(
        sets in prop::collection::vec(
            (prop::sample::select(vec![0u16, 1, 2, 3, 256, 257]), prop::collection::vec(0u8..6, 0..60)),
            1..30,
        ),
        v9 in any::<bool>(),
    ) {
        let mut message = if v9 { vec![0, 9] } else { vec![0, 10] };
        message.resize(if v9 { 20 } else { 16 }, 0);
        for (id, body) in sets {
            message.extend(id.to_be_bytes());
            message.extend((body.len() as u16 + 4).to_be_bytes());
            message.extend(body);
        }
        decode(&[message.clone(), message]);
    }

    #[test]
    fn sound_messages_with_some_octets_changed(
        order in prop::collection::vec(0usize..10, 1..20),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..12),
    ) {
        let seeds = seeds();
        let mut datagrams: Vec<_> = order.into_iter().filter_map(|index| seeds.get(index).cloned()).collect();
        for (datagram, at, octet) in changes {
            let datagram = datagram.index(datagrams.len());
            if let Some(datagram) = datagrams.get_mut(datagram) {
                let at = at.index(datagram.len());
                datagram.splice(at..=at, [octet]);
            }
        }
        decode(&datagrams);
    }
}

proptest! {
    #[test]
    fn samples_of_small_words(
        version in prop::sample::select(vec![2u32, 4, 5]),
        words in prop::collection::vec(prop_oneof![0u32..6, 1001u32..1008, 8u32..80, any::<u32>()], 0..120),
    ) {
        let header = [version, 1, 0x0a00_0001, 1, 1, 1, 9];
        let datagram: Vec<u8> = header.iter().chain(&words).flat_map(|word| word.to_be_bytes()).collect();
        decode(&[datagram]);
    }
}

#[test]
fn seeds_are_sound() {
    let mut decoder = Decoder::new(DecoderOptions::default());
    let mut out = BatchBuilder::new();
    let from = Exporter { addr: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 0 };
    for seed in seeds() {
        let decoded = decoder.decode(from, 0, &seed, &mut out);
        assert_eq!((decoded.error, decoded.sets_waiting, decoded.sets_skipped), (None, 0, 0));
    }
    assert_eq!(out.len(), 39);
}

#[test]
fn datagrams_cut_at_every_octet() {
    for seed in seeds() {
        let cuts: Vec<_> = (0..seed.len()).filter_map(|len| seed.get(..len).map(<[u8]>::to_vec)).collect();
        decode(&cuts);
    }
}

#[test]
fn the_largest_datagram_of_the_smallest_records() {
    let template = v9_template(256, &[(4, 1)]);
    let mut data = v9_data(256, &[], 0);
    data.splice(22..24, 65_000u16.to_be_bytes());
    data.resize(20 + 65_000, 6);
    decode(&[template.clone(), template.clone(), template, data]);
}
