//! Classes of bugs published for collectors, a test each. That of sFlow, amplification by counts, is tested with sFlow.

use crate::vectors::{Bench, ipfix, ipfix_options, nums, octets, set, template, v9, v9_options};
use crate::{Decoded, DecoderOptions, Fault, Limits};
use flow_model::Field;

/// Data decode as before, whatever came in between.
fn assert_sane(bench: &mut Bench, domain: u32) {
    let sets = [set(2, &[template(400, &[(1, 4)])]), set(400, &[octets![77u32]])];
    assert_eq!(bench.take(&ipfix(0, domain, &sets)).flows, 1);
    assert_eq!(nums(&bench.flows(), Field::InBytes).last(), Some(&77));
}

fn bounded() -> Bench {
    let limits = Limits { flows_per_datagram: 100, state_len_bytes: 20_000, ..Limits::default() };
    Bench::with(DecoderOptions { limits, ..DecoderOptions::default() })
}

#[test]
fn length_wrap() {
    let mut bench = bounded();
    // Lengths whose sums or products pass 16 bits: scope and option octets, set lengths, strings, record lengths.
    let options = octets![260u16, 0xfffcu16, 0xfffcu16, 1u16, 4u16, 34u16, 4u16];
    let wide: Vec<(u16, u16)> = (1..=3).map(|element| (element, 0x8000)).collect();
    for body in [
        [set(1, &[options]), vec![]],
        [set(0, &[template(256, &wide)]), set(256, &[vec![1; 100]])],
        [octets![256u16, 0xffffu16, 0u32], vec![]],
        [set(0, &[template(257, &[(95, u16::MAX), (1, 4)])]), set(257, &[vec![255; 40]])],
    ] {
        let decoded = bench.take(&v9(1, 7, &body));
        assert_eq!(decoded.flows, 0);
        assert!(decoded.malformed + decoded.refused > 0, "{body:?}");
    }
    assert_sane(&mut bench, 7);
}

#[test]
fn zero_size_records() {
    let mut bench = bounded();
    let empty = [template(256, &[(8, 0), (12, 0)]), template(257, &[])];
    let options = v9_options(258, &[(1, 0)], &[(34, 0)]);
    let data = [256, 257, 258].map(|id| set(id, &[vec![0; 1000]]));
    let decoded = bench.take(&v9(1, 7, &[set(0, &empty), set(1, &[options]), data.concat()]));
    assert_eq!((decoded.flows, decoded.options, decoded.sets_waiting), (0, 0, 3));
    assert!(matches!(decoded.error.map(|error| error.fault), Some(Fault::EmptyRecord { template: 256 })));
    assert_sane(&mut bench, 7);
}

#[test]
fn zero_size_lists() {
    let mut bench = bounded();
    // A list of records of no octets, one of values of no octets, one without template, empty ones.
    let definition = template(256, &[(4, 1), (292, u16::MAX), (293, u16::MAX), (291, u16::MAX)]);
    let list = |octets: &[u8]| [&[octets.len() as u8], octets].concat();
    let lists: [&[u8]; 5] = [&[], &[255], &[255, 1, 1], &[255, 1, 1, 0, 0], &[255, 0, 7, 0, 0, 9, 9]];
    let records: Vec<_> = lists.map(|octets| [vec![6], vec![list(octets); 3].concat()].concat()).to_vec();
    let nothing = template(257, &[(8, 0)]);
    let decoded = bench.take(&ipfix(0, 7, &[set(2, &[definition, nothing]), set(256, &records)]));
    assert_eq!(decoded.flows, 5);
    assert_sane(&mut bench, 7);
}

#[test]
fn field_count_overflow() {
    let mut bench = bounded();
    for count in [u16::MAX, 0x4000, 0x8000] {
        let lie = octets![256u16, count, 1u16, 4u16];
        let decoded = bench.take(&v9(1, 7, &[set(0, &[lie])]));
        let expected = usize::from(count) * 4;
        let fault = Fault::Truncated { what: "template", expected, found: 4 };
        assert_eq!(
            decoded.error.map(|error| (error.set, error.offset, error.fault)),
            Some((Some(256), 24, fault))
        );
    }
    // As many as fit a datagram, each of them true.
    let many: Vec<(u16, u16)> = (0..16_000).map(|element| (element, 1)).collect();
    let decoded = bench.take(&v9(1, 7, &[set(0, &[template(256, &many)])]));
    assert_eq!((decoded.templates, decoded.refused), (0, 1));
    let scopes = ipfix_options(300, 100, &[(34, 4); 100]);
    let decoded = bench.take(&ipfix(0, 7, &[set(3, &[scopes])]));
    assert!(matches!(
        decoded.error.map(|error| error.fault),
        Some(Fault::Limit { what: "scope fields in a template", .. })
    ));
    assert_sane(&mut bench, 7);
}

#[test]
fn template_replaced_while_in_use() {
    let mut bench = bounded();
    // In the middle of a message, and by what its own records would be.
    let (short, long) = (template(256, &[(1, 4)]), template(256, &[(1, 4), (2, 4), (95, u16::MAX)]));
    let data = |len| set(256, &[vec![0; len]]);
    let message = [
        set(2, std::slice::from_ref(&short)),
        data(8),
        set(2, &[long, short]),
        data(8),
        set(3, &[ipfix_options(256, 1, &[(149, 4), (34, 4)])]),
        data(8),
        set(2, &[octets![256u16, 0u16]]),
        data(8),
    ];
    let decoded = bench.good(&ipfix(0, 7, &message));
    assert_eq!((decoded.flows, decoded.options, decoded.sets_waiting), (4, 1, 1));
    // A list whose template is replaced by one that has the list itself.
    let recursive = [template(257, &[(292, u16::MAX)]), template(258, &[(4, 1), (292, u16::MAX)])];
    let inner = octets![255u8, 257u16, 4u8, 255u8, 257u16, 0u8];
    let record = [vec![6, inner.len() as u8], inner].concat();
    assert_eq!(bench.good(&ipfix(0, 8, &[set(2, &recursive), set(258, &[record])])).flows, 1);
    assert_sane(&mut bench, 7);
}

#[test]
fn withdrawn_options_template() {
    let mut bench = bounded();
    let options = ipfix_options(300, 1, &[(149, 4), (34, 4)]);
    let data = || set(300, &[octets![7u32, 10u32]]);
    let withdrawals = [octets![300u16, 0u16], octets![3u16, 0u16]];
    for withdrawal in withdrawals {
        for set_id in [2, 3] {
            let sets = [
                set(3, std::slice::from_ref(&options)),
                data(),
                set(set_id, std::slice::from_ref(&withdrawal)),
                data(),
                data(),
            ];
            let Decoded { options, flows, .. } = bench.take(&ipfix(0, 7, &sets));
            assert!(options >= 1 && flows == 0);
        }
    }
    // The sampler outlives the template that announced it.
    let sampled = [set(2, &[template(256, &[(1, 4)])]), set(256, &[octets![1u32]])];
    bench.take(&ipfix(0, 7, &sampled));
    assert_eq!(bench.nums(Field::InBytes), [10]);
}

#[test]
fn oversized_enterprise_element() {
    let mut bench = bounded();
    let element = |len: u16| octets![0x8001u16, len, 0xffff_ffffu32];
    for len in [20_000u16, 0xfffe] {
        let definition = [octets![256u16, 1u16], element(len)].concat();
        let decoded = bench.take(&ipfix(0, 7, &[set(2, &[definition]), set(256, &[vec![0; 100]])]));
        assert_eq!((decoded.templates, decoded.refused, decoded.sets_waiting), (0, 1, 1));
    }
    // One that claims more than there is.
    let definition = [octets![257u16, 2u16], element(u16::MAX), octets![1u16, 4u16]].concat();
    let record = octets![255u8, 0xffffu16, 0u32];
    let decoded = bench.take(&ipfix(0, 7, &[set(2, &[definition]), set(257, &[record])]));
    let fault = Fault::Truncated { what: "record", expected: 65_538, found: 7 };
    assert_eq!((decoded.flows, decoded.error.map(|error| error.fault)), (0, Some(fault)));
    assert_sane(&mut bench, 7);
}
