//! The small set of flows that the behaviour of nfdump was measured on, as it is described in our documents:
//! eighteen flows with every peculiarity, and six events of firewalls and translators.

use flow_model::{BatchBuilder, Field, FlowBatch, RecordFlags};

/// 2023-11-14 22:13:20 UTC, in ms since 1970: where the times of the flows count from.
pub const BASE_MS: u64 = 1_700_000_000_000;

/// When the flows were received, ms since 1970.
const RECEIVED_MS: u64 = BASE_MS + 600_000;

struct Flow {
    src: &'static str,
    dst: &'static str,
    /// Ms after [`BASE_MS`].
    first: i64,
    last: i64,
    packets: u64,
    bytes: u64,
    proto: u64,
    src_port: u64,
    dst_port: u64,
    more: &'static [(Field, u64)],
    addresses: &'static [(Field, &'static str)],
}

const fn flow(
    (src, dst): (&'static str, &'static str),
    (first, last): (i64, i64),
    (packets, bytes): (u64, u64),
    proto: u64,
    (src_port, dst_port): (u64, u64),
) -> Flow {
    Flow { src, dst, first, last, packets, bytes, proto, src_port, dst_port, more: &[], addresses: &[] }
}

impl Flow {
    const fn with(mut self, more: &'static [(Field, u64)]) -> Flow {
        self.more = more;
        self
    }

    const fn via(mut self, addresses: &'static [(Field, &'static str)]) -> Flow {
        self.addresses = addresses;
        self
    }
}

static FLOWS: [Flow; 18] = [
    flow(("192.168.1.10", "10.0.0.1"), (123, 10_623), (10, 1_500), 6, (51_000, 443))
        .with(&[
            (Field::TcpFlags, 0x1b),
            (Field::SrcTos, 16),
            (Field::DstTos, 4),
            (Field::SrcAs, 65_001),
            (Field::DstAs, 15_169),
            (Field::NextAs, 3_356),
            (Field::PrevAs, 1_299),
            (Field::Input, 3),
            (Field::Output, 4),
            (Field::SrcVlan, 100),
            (Field::DstVlan, 200),
            (Field::InSrcMac, 0x0011_2233_4455),
            (Field::OutDstMac, 0x6677_8899_aabb),
            (Field::InDstMac, 0xdead_beef_0001),
            (Field::OutSrcMac, 0xdead_beef_0002),
            (Field::Mpls1, 1_234 << 4 | 5 << 1),
            (Field::Mpls2, 77 << 4 | 1),
            (Field::EngineType, 1),
            (Field::EngineId, 7),
            (Field::Direction, 1),
            (Field::FwdStatus, 64),
        ])
        .via(&[(Field::NextHop, "10.1.1.1"), (Field::BgpNextHop, "10.2.2.2")]),
    flow(("10.0.0.1", "192.168.1.10"), (200, 10_700), (90, 123_456), 6, (443, 51_000)).with(&[
        (Field::TcpFlags, 0x12),
        (Field::SrcAs, 15_169),
        (Field::DstAs, 65_001),
    ]),
    flow(("192.168.1.11", "10.0.0.53"), (1_000, 1_000), (1, 72), 17, (40_000, 53))
        .with(&[(Field::SrcTos, 184)]),
    flow(("10.0.0.53", "192.168.1.11"), (1_050, 1_050), (1, 240), 17, (53, 40_000)),
    flow(("192.168.1.12", "8.8.8.8"), (2_000, 62_500), (100, 8_400), 1, (0, 0x0800)),
    flow(("8.8.8.8", "192.168.1.12"), (2_010, 62_510), (100, 8_400), 1, (0, 0x0000)),
    flow(("192.168.1.13", "10.0.0.99"), (3_000, 3_001), (1, 56), 1, (0, 0x0301)),
    flow(("172.16.5.5", "203.0.113.200"), (-90_000_000, 4_000), (4_194_304, 5_368_709_120), 6, (22, 65_535))
        .with(&[
            (Field::TcpFlags, 0xff),
            (Field::SrcAs, 4_200_000_000),
            (Field::DstAs, 64_512),
            (Field::Input, 4_294_967_295),
            (Field::Output, 70_000),
        ]),
    flow(("172.16.5.6", "203.0.113.201"), (5_000, 65_000), (1_800_000_000, 2_500_000_000_000), 47, (0, 0))
        .with(&[(Field::Input, 5), (Field::Output, 6)]),
    flow(("172.16.5.7", "203.0.113.202"), (5_000, 25_000), (1_048_575, 999_999), 17, (500, 4_500))
        .with(&[(Field::OutPackets, 1_500_000), (Field::OutBytes, 1_048_576)]),
    flow(("172.16.5.8", "203.0.113.203"), (5_000, 25_000), (1_000_000, 1_000_000), 50, (0, 0)),
    flow(("172.16.5.9", "203.0.113.204"), (6_000, 7_000), (1, 100), 200, (0, 0)),
    flow(("172.16.5.9", "224.0.0.5"), (6_000, 7_000), (1, 100), 89, (0, 0)),
    flow(("192.168.1.10", "10.0.0.1"), (100_000, 110_000), (20, 3_000), 6, (51_000, 443)).with(&[
        (Field::TcpFlags, 0x02),
        (Field::OutPackets, 7),
        (Field::OutBytes, 700),
    ]),
    flow(
        ("2001:620:1000:cafe:20e:35ff:fec0:fed5", "2001:db8::1"),
        (20_000, 21_500),
        (12, 2_222),
        6,
        (55_555, 80),
    )
    .with(&[(Field::TcpFlags, 0x18), (Field::SrcMask, 64), (Field::DstMask, 48)])
    .via(&[(Field::NextHop, "fe80::1"), (Field::BgpNextHop, "2001:db8:ffff::2")]),
    flow(
        ("2001:db8::1", "2001:620:1000:cafe:20e:35ff:fec0:fed5"),
        (20_100, 21_600),
        (30, 44_444),
        6,
        (80, 55_555),
    )
    .with(&[(Field::TcpFlags, 0x19)]),
    flow(("fe80::1", "ff02::1"), (22_000, 22_000), (1, 104), 58, (0, 0x8600)),
    flow(("::1", "::1"), (23_000, 24_000), (5, 500), 17, (1, 2)),
];

/// Eighteen NetFlow v9 flows of one exporter, every field decoded.
pub fn flows() -> FlowBatch {
    let mut builder = BatchBuilder::new();
    for flow in &FLOWS {
        set(&mut builder, Field::SrcAddr, flow.src);
        set(&mut builder, Field::DstAddr, flow.dst);
        for (field, number) in [
            (Field::FirstMs, BASE_MS.saturating_add_signed(flow.first)),
            (Field::LastMs, BASE_MS.saturating_add_signed(flow.last)),
            (Field::InPackets, flow.packets),
            (Field::InBytes, flow.bytes),
            (Field::Proto, flow.proto),
            (Field::SrcPort, flow.src_port),
            (Field::DstPort, flow.dst_port),
            (Field::TcpFlags, 0),
            (Field::SrcMask, 24),
            (Field::DstMask, 16),
            (Field::Input, 1),
            (Field::Output, 2),
            (Field::OutPackets, 0),
            (Field::OutBytes, 0),
        ]
        .iter()
        .chain(flow.more)
        {
            builder.set(*field, *number);
        }
        for (field, addr) in flow.addresses {
            set(&mut builder, *field, addr);
        }
        exported(&mut builder, 1);
        builder.finish_row();
    }
    builder.finish()
}

/// Four firewall events (NSEL) and two translations (NAT) of one exporter with two sources, every field decoded.
pub fn events() -> FlowBatch {
    let mut builder = BatchBuilder::new();
    let firewall = [
        ("192.168.1.50", "198.51.100.1", (1_234, 443), Some("alice"), (1, 0), (0, 0)),
        ("192.168.1.50", "198.51.100.1", (1_234, 443), Some("alice"), (2, 2_016), (5_000, 70_000)),
        ("192.168.1.51", "198.51.100.2", (1_235, 22), None, (3, 1_001), (0, 0)),
        ("192.168.1.52", "198.51.100.2", (0, 0x0800), None, (5, 0), (84, 84)),
    ];
    for (src, dst, (src_port, dst_port), user, (event, xevent), (bytes, out_bytes)) in firewall {
        set(&mut builder, Field::SrcAddr, src);
        set(&mut builder, Field::DstAddr, dst);
        let (xlate, xlate_ports) =
            if user.is_some() { (["203.0.113.5", dst], (40_001, 443)) } else { (["0.0.0.0"; 2], (0, 0)) };
        set(&mut builder, Field::XlateSrcAddr, xlate[0]);
        set(&mut builder, Field::XlateDstAddr, xlate[1]);
        for (field, number) in [
            (Field::FirstMs, BASE_MS + 1_000),
            (Field::LastMs, 0),
            (Field::EventTimeMs, BASE_MS + 5_123),
            (Field::Proto, if dst_port == 0x0800 { 1 } else { 6 }),
            (Field::SrcPort, src_port),
            (Field::DstPort, dst_port),
            (Field::Input, 3),
            (Field::Output, 4),
            (Field::InBytes, bytes),
            (Field::OutBytes, out_bytes),
            (Field::ConnId, 4_711),
            (Field::FwEvent, event),
            (Field::FwXevent, xevent),
            (Field::XlateSrcPort, xlate_ports.0),
            (Field::XlateDstPort, xlate_ports.1),
            (Field::IngressAcl, 0x0a0b_0c0d),
            (Field::IngressAce, 0x1122_3344),
            (Field::IngressXace, 0xaabb_ccdd),
            (Field::EgressAcl, 1),
            (Field::EgressAce, 2),
            (Field::EgressXace, 3),
            (Field::EngineId, 9),
            (Field::RecordFlags, RecordFlags::EVENT),
        ] {
            builder.set(field, number);
        }
        builder.set_bytes(Field::UserName, user.unwrap_or_default().as_bytes());
        exported(&mut builder, 1);
        builder.finish_row();
    }
    for event in [1, 2] {
        set(&mut builder, Field::SrcAddr, "100.64.0.5");
        set(&mut builder, Field::DstAddr, "198.51.100.9");
        set(&mut builder, Field::XlateSrcAddr, "203.0.113.9");
        set(&mut builder, Field::XlateDstAddr, "198.51.100.9");
        for (field, number) in [
            (Field::FirstMs, BASE_MS + 7_777),
            (Field::LastMs, BASE_MS + 7_777),
            (Field::EventTimeMs, BASE_MS + 7_777),
            (Field::Proto, 6),
            (Field::SrcPort, 5_000),
            (Field::DstPort, 443),
            (Field::XlateSrcPort, 1_025),
            (Field::XlateDstPort, 443),
            (Field::IngressVrf, 11),
            (Field::EgressVrf, 12),
            (Field::NatEvent, event),
            (Field::PblockStart, 1_024),
            (Field::PblockEnd, 2_047),
            (Field::PblockStep, 1),
            (Field::PblockSize, 1_024),
            (Field::EngineId, 10),
            (Field::RecordFlags, RecordFlags::EVENT),
        ] {
            builder.set(field, number);
        }
        exported(&mut builder, 2);
        builder.finish_row();
    }
    builder.finish()
}

fn exported(builder: &mut BatchBuilder, exporter: u64) {
    builder.set(Field::NfVersion, 9);
    builder.set(Field::ExporterId, exporter);
    builder.set(Field::ReceivedMs, RECEIVED_MS);
    set(builder, Field::RouterAddr, "127.0.0.1");
}

fn set(builder: &mut BatchBuilder, field: Field, addr: &str) {
    builder.set_ip(field, addr.parse().expect("addresses are spelt right here"));
}
