//! IPFIX (RFC 7011).
//!
//! | octets | header |
//! |---|---|
//! | 0-3 | version, length of the message |
//! | 4-7 | export time s |
//! | 8-15 | sequence (data records), observation domain |
//!
//! Sets follow, see [`sets`](crate::sets).

use crate::decoder::{Decoder, Message};
use crate::element::Dialect;
use crate::exporter::{Key, State};
use crate::quirk::Quirk;
use crate::sets::Sets;
use crate::stamps::Clocks;
use crate::{Fault, WireProtocol};
use flow_model::BatchBuilder;
use nom::number::complete::{be_u16, be_u32};
use nom::{IResult, Parser};

const HEADER_LEN: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    len: u16,
    export_s: u32,
    sequence: u32,
    domain: u32,
}

fn header(input: &[u8]) -> IResult<&[u8], Header> {
    (be_u16, be_u16, be_u32, be_u32, be_u32)
        .map(|(_version, len, export_s, sequence, domain)| Header { len, export_s, sequence, domain })
        .parse(input)
}

/// Decodes an IPFIX datagram.
pub(crate) fn decode(decoder: &mut Decoder, message: &mut Message<'_>, out: &mut BatchBuilder) {
    let Ok((_, header)) = header(message.datagram) else {
        let fault = Fault::Truncated { what: "header", expected: HEADER_LEN, found: message.datagram.len() };
        return message.fail(None, 0, fault);
    };
    message.domain = Some(header.domain);
    let key = Key {
        addr: message.from.addr,
        protocol: WireProtocol::Ipfix,
        domain: header.domain,
        port: None,
        agent: None,
    };
    let limits = message.limits;
    let known = decoder.registry.enter_from(key, message.from.port, &limits, &mut message.decoded);
    let (state, memory) = match known {
        Ok(known) => known,
        Err(fault) => return message.refuse(None, 0, fault),
    };
    let clocks = Clocks {
        dialect: Dialect::Ipfix,
        export_ms: u64::from(header.export_s) * 1000,
        uptime_ms: 0,
        init_ms: state.init_ms,
    };
    state.compare_clocks(message.received_ms, clocks.export_ms);
    let end = end(message, state, usize::from(header.len));
    let scratch = &mut decoder.scratch;
    let mut sets = Sets { message, state, memory, scratch, out, clocks, engine: (0, 0), records: Some(0) };
    sets.decode(HEADER_LEN, end);
    sets.drain();
    let continuity = sets.state.sequence.observe(header.sequence, sets.records, false);
    sets.message.decoded.take(continuity);
}

/// Where the message ends.
///
/// Some exporters write a length that is too small: if the sets fill the datagram exactly, they are believed.
fn end(message: &mut Message<'_>, state: &mut State, len: usize) -> usize {
    let found = message.datagram.len();
    if len == found {
        return found;
    }
    if fills(message.datagram) {
        state.quirks.note(Quirk::MessageLength);
        return found;
    }
    if len > found {
        message.fail(None, 2, Fault::Truncated { what: "message", expected: len, found });
        return found;
    }
    if len < HEADER_LEN {
        message.fail(None, 2, Fault::TooShort { what: "message", expected: HEADER_LEN, found: len });
    } else {
        state.quirks.note(Quirk::TrailingOctets);
    }
    len
}

/// Whether sets, one behind the other, end where the datagram ends.
fn fills(datagram: &[u8]) -> bool {
    let mut rest = datagram.get(HEADER_LEN..).unwrap_or_default();
    while let Some(&[_, _, high, low]) = rest.first_chunk() {
        let len = usize::from(u16::from_be_bytes([high, low]));
        match rest.get(len..) {
            Some(after) if len >= 4 => rest = after,
            _ => return false,
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{
        Bench, NOW, ipfix, ipfix_options, ips, nums, octets, set, specifiers, template, wrong,
    };
    use crate::{DecoderOptions, Limits};
    use flow_model::{Field, Groups, RecordFlags};

    const REVERSE: u32 = 29305;

    /// A template record with fields of an enterprise behind standard ones.
    fn mixed(id: u16, standard: &[(u16, u16)], enterprise: u32, own: &[(u16, u16)]) -> Vec<u8> {
        let mut record = octets![id, (standard.len() + own.len()) as u16];
        record.extend(specifiers(standard));
        for &(element, len) in own {
            record.extend(octets![element | 0x8000, len, enterprise]);
        }
        record
    }

    /// Decodes records of one template.
    fn run(fields: &[(u16, u16)], records: &[Vec<u8>]) -> flow_model::FlowBatch {
        let mut bench = Bench::new();
        bench.good(&ipfix(0, 7, &[set(2, &[template(256, fields)]), set(256, records)]));
        bench.flows()
    }

    fn times(fields: &[(u16, u16)], record: Vec<u8>) -> (u64, u64) {
        let flows = run(fields, &[record]);
        (flows.column(Field::FirstMs).num(0), flows.column(Field::LastMs).num(0))
    }

    fn ntp(unix_ms: u64, fraction: u64) -> u64 {
        (unix_ms / 1000 + 2_208_988_800) << 32 | fraction
    }

    #[test]
    fn times_in_every_form() {
        let (from, to) = (NOW - 9_000, NOW - 1_000);
        assert_eq!(times(&[(152, 8), (153, 8)], octets![from, to]), (from, to));
        assert_eq!(times(&[(156, 8), (157, 8)], octets![ntp(from, 1 << 31), ntp(to, 0)]), (from + 500, to));
        assert_eq!(times(&[(154, 8), (155, 8)], octets![ntp(from, 0x7ff), ntp(to, 0)]), (from, to));
        assert_eq!(
            times(&[(150, 4), (151, 4)], octets![(from / 1000) as u32, (to / 1000) as u32]),
            (from, to)
        );
        assert_eq!(times(&[(158, 4), (159, 4)], octets![9_000_000u32, 1_000_900u32]), (from, to));
        assert_eq!(times(&[(152, 8), (161, 4)], octets![from, 8_000u32]), (from, to));
        assert_eq!(times(&[(153, 8), (162, 4)], octets![to, 8_000_000u32]), (from, to));
        assert_eq!(
            times(&[(22, 4), (21, 4), (160, 8)], octets![1_000u32, 9_000u32, from - 1_000]),
            (from, to)
        );
        assert_eq!(times(&[(323, 8)], octets![from]), (from, from));
        assert_eq!(times(&[(152, 8)], octets![from]), (from, from));
        assert_eq!(times(&[(152, 8), (323, 8)], octets![from, to]), (from, to));
        assert_eq!(times(&[(1, 4)], octets![1u32]), (0, 0));
    }

    #[test]
    fn milliseconds_are_preferred_to_seconds_whatever_the_order() {
        let (from, to) = (NOW - 9_001, NOW - 1_002);
        let fields = [(152, 8), (153, 8), (150, 4), (151, 4)];
        let record = octets![from, to, 5u32, 6u32];
        assert_eq!(times(&fields, record), (from, to));
        assert_eq!(times(&[(150, 4), (22, 4), (152, 8)], octets![5u32, 6u32, from]), (from, from));
    }

    #[test]
    fn uptime_stamps_need_the_start_of_the_exporter() {
        let fields = template(256, &[(22, 4), (21, 4)]);
        let data = || set(256, &[octets![1_000u32, 4_000u32]]);
        let mut bench = Bench::new();
        bench.good(&ipfix(0, 7, &[set(2, &[fields]), data()]));
        let options = ipfix_options(300, 1, &[(149, 4), (160, 8)]);
        bench.good(&ipfix(1, 7, &[set(3, &[options]), set(300, &[octets![7u32, NOW - 10_000]]), data()]));
        // A stamp of 0 is as good as any.
        bench.good(&ipfix(3, 7, &[set(256, &[octets![0u32, 4_000u32]])]));
        let flows = bench.flows();
        assert_eq!(nums(&flows, Field::FirstMs), [NOW - 3_000, NOW - 9_000, NOW - 10_000]);
        assert_eq!(nums(&flows, Field::LastMs), [NOW, NOW - 6_000, NOW - 6_000]);
    }

    #[test]
    fn reverse_elements_leave_the_forward_values_alone() {
        let standard = [(1, 4), (2, 4), (6, 2), (152, 8)];
        let reverse = [(1, 4), (2, 4), (6, 2), (152, 8), (5, 1), (136, 1)];
        let mut bench = Bench::new();
        let mut record = octets![100u32, 1u32, 0x011bu16, NOW];
        record.extend(octets![200u32, 2u32, 0x12u16, 5u64, 9u8, 9u8]);
        bench.good(&ipfix(0, 7, &[set(2, &[mixed(256, &standard, REVERSE, &reverse)]), set(256, &[record])]));
        let flows = bench.flows();
        for (field, value) in [
            (Field::InBytes, 100),
            (Field::InPackets, 1),
            (Field::OutBytes, 200),
            (Field::OutPackets, 2),
            (Field::TcpFlags, 0x1b),
            (Field::ReverseTcpFlags, 0x12),
            (Field::FirstMs, NOW),
            (Field::SrcTos, 0),
            (Field::FlowEndReason, 0),
        ] {
            assert_eq!(nums(&flows, field), [value], "{field:?}");
        }
        assert!(flows.groups(0).contains(Groups::COUNTERS));
    }

    #[test]
    fn deltas_are_preferred_to_totals_and_outer_headers_to_inner_ones() {
        let fields = [(85, 8), (86, 8), (1, 4), (2, 4), (4, 1), (7, 2), (8, 4), (4, 1), (7, 2), (8, 4)];
        let mut record = octets![900u64, 9u64, 100u32, 1u32, 4u8, 0u16, 0x0a00_0001u32];
        record.extend(octets![17u8, 1111u16, 0x0a00_0002u32]);
        let flows = run(&fields, &[record]);
        for (field, value) in
            [(Field::InBytes, 100), (Field::InPackets, 1), (Field::Proto, 4), (Field::SrcPort, 0)]
        {
            assert_eq!(nums(&flows, field), [value], "{field:?}");
        }
        assert_eq!(ips(&flows, Field::SrcAddr), ["10.0.0.1"]);
        let flows = run(&[(85, 8), (86, 8)], &[octets![900u64, 9u64]]);
        assert_eq!((nums(&flows, Field::InBytes), nums(&flows, Field::InPackets)), (vec![900], vec![9]));
    }

    #[test]
    fn addresses_of_both_families() {
        let v6 = |last: u16| octets![0x2001_0db8u32, 0u64, 0u16, last];
        let none = vec![0; 16];
        let record = |version: u8, v4: (u32, u32), v6: (Vec<u8>, Vec<u8>)| {
            let mut record = octets![version, v4.0, v4.1];
            record.extend(v6.0);
            record.extend(v6.1);
            record
        };
        let fields = [(60, 1), (8, 4), (12, 4), (27, 16), (28, 16)];
        let flows = run(
            &fields,
            &[
                record(4, (1, 2), (v6(1), v6(2))),
                record(6, (1, 2), (v6(1), v6(2))),
                record(0, (1, 2), (none.clone(), none.clone())),
                record(0, (0, 0), (v6(1), v6(2))),
                // One end is unspecified: the other decides.
                record(0, (0, 0), (none.clone(), v6(2))),
                record(0, (0, 2), (none.clone(), none.clone())),
            ],
        );
        assert_eq!(
            ips(&flows, Field::SrcAddr),
            ["0.0.0.1", "2001:db8::1", "0.0.0.1", "2001:db8::1", "::", "0.0.0.0"]
        );
        assert_eq!(
            ips(&flows, Field::DstAddr),
            ["0.0.0.2", "2001:db8::2", "0.0.0.2", "2001:db8::2", "2001:db8::2", "0.0.0.2"]
        );
        let families: Vec<_> = (0..6).map(|row| flows.groups(row).contains(Groups::IPV6)).collect();
        assert_eq!(families, [false, true, false, true, true, false]);
    }

    #[test]
    fn templates_are_withdrawn_one_by_one_or_all() {
        let limits = Limits { waiting_sets_per_exporter: 0, ..Limits::default() };
        let mut bench = Bench::with(DecoderOptions { limits, ..DecoderOptions::default() });
        let both = [template(256, &[(1, 4)]), template(257, &[(1, 4)])];
        let options = ipfix_options(300, 1, &[(149, 4), (34, 4)]);
        let mut skipped = |sets: &[Vec<u8>]| bench.good(&ipfix(0, 7, sets)).sets_skipped;
        let data = |id| set(id, &[octets![1u32, 10u32]]);
        assert_eq!(
            skipped(&[
                set(2, &both),
                set(3, std::slice::from_ref(&options)),
                data(256),
                data(257),
                data(300)
            ]),
            0
        );
        assert_eq!(skipped(&[set(2, &[octets![256u16, 0u16]]), data(256), data(257), data(300)]), 1);
        assert_eq!(skipped(&[set(3, &[octets![300u16, 0u16]]), data(257), data(300)]), 1);
        assert_eq!(
            skipped(&[set(2, &both), set(3, std::slice::from_ref(&options)), set(2, &[octets![2u16, 0u16]])]),
            0
        );
        assert_eq!(skipped(&[data(256), data(257), data(300)]), 2);
        assert_eq!(skipped(&[set(3, &[octets![3u16, 0u16]]), data(300)]), 1);
        assert_eq!(skipped(&[set(3, &[options]), data(300)]), 0);
    }

    #[test]
    fn a_scope_must_be_part_of_the_fields() {
        for scope in [0, 3] {
            let mut bench = Bench::new();
            let bad = ipfix_options(300, scope, &[(149, 4), (34, 4)]);
            let good = template(256, &[(1, 4)]);
            let decoded = bench.take(&ipfix(0, 7, &[set(3, &[bad]), set(2, &[good])]));
            let fault = Fault::ScopeCount { expected: 2, found: usize::from(scope) };
            assert_eq!(wrong(&decoded), Some((Some(300), 20, fault)));
            assert_eq!(decoded.templates, 1);
        }
    }

    #[test]
    fn the_length_of_the_message_and_the_sets_in_the_datagram() {
        let sets = [set(2, &[template(256, &[(1, 4)])]), set(256, &[octets![1u32]])];
        let whole = ipfix(0, 7, &sets);
        let claim = |octets: &[u8], len: u16| {
            let mut message = octets.to_vec();
            message.splice(2..4, len.to_be_bytes());
            message
        };
        let mut bench = Bench::new();
        // Two octets short, but the sets fill the datagram.
        assert_eq!(bench.good(&claim(&whole, whole.len() as u16 - 2)).flows, 1);
        // What follows the message is no set: it does not belong to it.
        let mut longer = whole.clone();
        longer.extend([0xff; 7]);
        assert_eq!(bench.good(&longer).flows, 1);
        let mut shorter = whole.clone();
        shorter.truncate(whole.len() - 2);
        let decoded = bench.take(&shorter);
        let fault = Fault::Truncated { what: "message", expected: whole.len(), found: whole.len() - 2 };
        assert_eq!(wrong(&decoded), Some((None, 2, fault)));
        assert_eq!((decoded.templates, decoded.malformed), (1, 2));
        let decoded = bench.take(&claim(&longer, 9));
        assert_eq!(
            wrong(&decoded),
            Some((None, 2, Fault::TooShort { what: "message", expected: 16, found: 9 }))
        );
    }

    #[test]
    fn unknown_enterprises_and_variable_lengths_are_skipped() {
        let mut record = octets![0x0a00_0001u32];
        record.extend([3, b'x', b'y', b'z', 255, 1, 0]);
        record.extend(vec![7; 256]);
        record.extend(octets![1u8, 2u8]);
        let mut definition = mixed(256, &[(8, 4)], 70_000, &[(1, u16::MAX), (2, u16::MAX), (3, 1)]);
        definition.splice(2..4, 5u16.to_be_bytes());
        definition.extend(specifiers(&[(4, 1)]));
        let mut bench = Bench::new();
        bench.good(&ipfix(0, 7, &[set(2, &[definition]), set(256, &[record.clone(), record, vec![0; 3]])]));
        let flows = bench.flows();
        assert_eq!(nums(&flows, Field::Proto), [2, 2]);
        assert_eq!(ips(&flows, Field::SrcAddr), ["10.0.0.1"; 2]);
    }

    #[test]
    fn data_records_of_both_kinds_are_the_unit_of_loss() {
        let mut bench = Bench::new();
        let options = ipfix_options(300, 1, &[(149, 4), (34, 4)]);
        // 1 is no element that we store: its records count all the same.
        let definitions =
            [set(2, &[template(256, &[(1, 4)]), template(257, &[(31, 4)])]), set(3, &[options])];
        bench.good(&ipfix(10, 7, &definitions));
        let data = [
            set(256, &[octets![1u32], octets![2u32]]),
            set(257, &[octets![3u32]]),
            set(300, &[octets![7u32, 1u32], octets![7u32, 1u32]]),
        ];
        let first = bench.good(&ipfix(10, 7, &data));
        assert_eq!((first.flows, first.options, first.sequence_failure), (2, 2, false));
        assert!(!bench.good(&ipfix(15, 7, &data)).sequence_failure);
        assert_eq!(bench.good(&ipfix(23, 7, &data)).missed, 3);
        // What cannot be counted makes us start over.
        assert!(!bench.good(&ipfix(28, 7, &[set(999, &[octets![1u32]])])).sequence_failure);
        assert!(!bench.good(&ipfix(77, 7, &data)).sequence_failure);
        assert!(!bench.good(&ipfix(82, 7, &data)).sequence_failure);
    }

    #[test]
    fn headers_that_include_their_own_message() {
        let mut bench = Bench::new();
        bench.good(&ipfix(0, 7, &[set(2, &[template(256, &[(1, 4)])])]));
        let mut sequence = 0;
        for count in [12, 30, 5, 30, 1, 17] {
            sequence += count;
            let data = set(256, &vec![octets![1u32]; count as usize]);
            let decoded = bench.good(&ipfix(sequence, 7, &[data]));
            assert_eq!((decoded.missed, decoded.sequence_failure), (0, false));
        }
    }

    #[test]
    fn events_keep_their_fields_and_time() {
        let fields =
            [(8, 4), (281, 16), (230, 1), (323, 8), (233, 1), (231, 8), (232, 8), (128, 4), (256, 2)];
        let mut record = octets![0x0a00_0001u32, 0x2001_0db8u32, 0u64, 1u32, 4u8, NOW + 5, 2u8, 10u64, 20u64];
        record.extend(octets![64_500u32, 0x86ddu16]);
        let flows = run(&fields, &[record]);
        for (field, value) in [
            (Field::FirstMs, NOW + 5),
            (Field::LastMs, NOW + 5),
            (Field::EventTimeMs, NOW + 5),
            (Field::NatEvent, 4),
            (Field::FwEvent, 2),
            (Field::InBytes, 10),
            (Field::OutBytes, 20),
            (Field::NextAs, 64_500),
            (Field::EtherType, 0x86dd),
            // Flow records may carry these too, and IPFIX records stay flows as with nfdump.
            (Field::RecordFlags, 0),
        ] {
            assert_eq!(nums(&flows, field), [value], "{field:?}");
        }
        assert_eq!(ips(&flows, Field::XlateSrcAddr), ["2001:db8::1"]);
    }

    #[test]
    fn samplers_of_selectors() {
        let mut bench = Bench::new();
        let options = ipfix_options(300, 1, &[(302, 4), (304, 2), (305, 4), (306, 4)]);
        let nth = ipfix_options(301, 1, &[(302, 4), (304, 2), (309, 4), (310, 4)]);
        let sampled = template(256, &[(1, 4), (302, 4)]);
        bench.good(&ipfix(
            0,
            7,
            &[
                set(3, &[options, nth]),
                set(2, &[sampled]),
                set(300, &[octets![1u32, 1u16, 1u32, 9u32], octets![2u32, 1u16, 2u32, 3u32]]),
                set(301, &[octets![3u32, 3u16, 1u32, 256u32]]),
                set(
                    256,
                    &[octets![10u32, 1u32], octets![10u32, 2u32], octets![10u32, 3u32], octets![10u32, 4u32]],
                ),
            ],
        ));
        let flows = bench.flows();
        assert_eq!(nums(&flows, Field::InBytes), [100, 25, 2560, 10]);
        let sampled = RecordFlags::SAMPLED;
        assert_eq!(nums(&flows, Field::RecordFlags), [sampled, sampled, sampled, 0]);
    }

    #[test]
    fn an_observation_domain_of_0_is_the_message_s() {
        let flows = run(&[(138, 8), (149, 4)], &[octets![5u64, 0u32], octets![6u64, 9u32]]);
        assert_eq!(nums(&flows, Field::ObservationPointId), [5, 6]);
        assert_eq!(nums(&flows, Field::ObservationDomainId), [7, 9]);
        let flows = run(&[(138, 8)], &[octets![5u64]]);
        assert_eq!(nums(&flows, Field::ObservationDomainId), [7]);
    }

    #[test]
    fn sampled_frames_are_kept_as_they_are() {
        let mut record = octets![1500u16, 1u16];
        record.extend([4, 1, 2, 0, 4]);
        let flows = run(&[(312, 2), (408, 2), (315, u16::MAX)], &[record]);
        assert_eq!(flows.column(Field::Frame).bytes(0), [1, 2, 0, 4]);
        assert_eq!(nums(&flows, Field::FrameSize), [1500]);
        assert_eq!(
            flows.groups(0).iter().collect::<Vec<_>>(),
            [Groups::ROUTER_V4, Groups::FRAME_META, Groups::FRAME]
        );
    }
}
