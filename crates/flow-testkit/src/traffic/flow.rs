//! The flows themselves.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::export::Protocol;
use super::random::{SplitMix, Zipf, mix};

/// What traffic to make.
#[derive(Clone, Debug)]
pub struct Profile {
    /// How many flows.
    pub flows: u64,
    /// Determines every value.
    pub seed: u64,
    /// When the first flow is exported, milliseconds since 1970.
    pub start_ms: u64,
    /// How long exporting takes; flows are spread evenly over it.
    pub span_ms: u64,
    /// Addresses inside, drawn by a Zipf law with exponent 0.8.
    pub clients: u64,
    /// Addresses outside, drawn by a Zipf law with exponent 1.05.
    pub servers: u64,
    /// How many flows of 100 are IPv6.
    pub ipv6_percent: u64,
    /// Who exports, and how. IPv6 flows go to exporters which can express them.
    pub exporters: Vec<(Ipv4Addr, Protocol)>,
}

/// 2026-01-12 00:00:00 UTC, a Monday.
const A_MONDAY_MS: u64 = 1_768_176_000_000;
const HOUR_MS: u64 = 3_600_000;

impl Profile {
    /// A day of a larger network for benchmarks: four routers export NetFlow v9, 20 % IPv6, some 500,000 addresses.
    pub fn day(flows: u64) -> Self {
        Self {
            flows,
            seed: 1,
            start_ms: A_MONDAY_MS,
            span_ms: 24 * HOUR_MS,
            clients: 30_000,
            servers: 500_000,
            ipv6_percent: 20,
            exporters: (1..=4).map(|n| (Ipv4Addr::new(127, 9, 0, n), Protocol::NetflowV9)).collect(),
        }
    }

    /// An hour (10:00 to 11:00 UTC) of a small site, whose three routers speak NetFlow v5, v9 and IPFIX.
    pub fn hour(flows: u64) -> Self {
        Self {
            flows,
            seed: 5,
            start_ms: A_MONDAY_MS + 10 * HOUR_MS,
            span_ms: HOUR_MS,
            clients: 400,
            servers: 3_000,
            ipv6_percent: 20,
            exporters: vec![
                (Ipv4Addr::new(127, 5, 0, 1), Protocol::NetflowV5),
                (Ipv4Addr::new(127, 9, 0, 1), Protocol::NetflowV9),
                (Ipv4Addr::new(127, 10, 0, 1), Protocol::Ipfix),
            ],
        }
    }
}

/// One flow as a router accounts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// When the router exports it, milliseconds since 1970; flows come in this order.
    pub export_ms: u64,
    /// First packet, milliseconds since 1970.
    pub first_ms: u64,
    /// Last packet, never after the whole second of `export_ms`.
    pub last_ms: u64,
    /// Source address, of the same family as the other addresses.
    pub src: IpAddr,
    /// Destination address.
    pub dst: IpAddr,
    /// Address of the next router.
    pub next_hop: IpAddr,
    /// Source port, 0 where the protocol has none.
    pub src_port: u16,
    /// Destination port; ICMP: type · 256 + code.
    pub dst_port: u16,
    /// IP protocol number.
    pub proto: u8,
    /// TCP flags of all packets, or-ed.
    pub tcp_flags: u8,
    /// Type of service.
    pub tos: u8,
    /// Packets, at least 1.
    pub packets: u64,
    /// Octets of these packets with their IP headers.
    pub bytes: u64,
    /// Interface index where the flow entered.
    pub input_if: u16,
    /// Interface index where it left.
    pub output_if: u16,
    /// AS number of the source.
    pub src_as: u32,
    /// AS number of the destination.
    pub dst_as: u32,
    /// Prefix length of the route to the source.
    pub src_mask: u8,
    /// Prefix length of the route to the destination.
    pub dst_mask: u8,
    /// 0 entering the network, 1 leaving it.
    pub direction: u8,
    /// VLAN of the input interface.
    pub vlan: u16,
}

/// The flows of a profile, in order of their export.
#[derive(Debug)]
pub struct Traffic {
    profile: Profile,
    random: SplitMix,
    clients: Zipf,
    servers: Zipf,
    made: u64,
}

impl Traffic {
    /// Starts at the profile's first flow.
    pub fn new(profile: &Profile) -> Self {
        Self {
            random: SplitMix::new(profile.seed),
            clients: Zipf::new(profile.clients, 0.8),
            servers: Zipf::new(profile.servers, 1.05),
            made: 0,
            profile: profile.clone(),
        }
    }

    fn flow(&mut self, export_ms: u64) -> Flow {
        let random = &mut self.random;
        let ipv6 = random.chance(self.profile.ipv6_percent);
        let client = client(self.clients.draw(random), ipv6);
        let server = server(self.servers.draw(random), ipv6);
        let kind = Conversation::draw(random, ipv6);
        let client_port = kind.client_port(random);

        // Routers export a finished TCP flow at once and everything else after an idle time; counted back from the
        // whole second, because NetFlow headers carry seconds.
        let idle_ms = if kind.flags & FIN != 0 { random.below(1000) } else { random.below(15_000) };
        let last_ms = (export_ms / 1000 * 1000).saturating_sub(idle_ms);
        let outward = random.chance(50);
        let (packets, bytes) = kind.size(random, outward);
        let duration_ms = if packets == 1 { 0 } else { duration(random, packets) };

        let uplink = 1 + (server.as_number % 3) as u16;
        let access = 10 + (mix(client.key) % 38) as u16;
        let hop = if outward { u8::try_from(uplink).unwrap_or(0) } else { 10 };
        let next_hop = if ipv6 {
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, u16::from(hop)))
        } else {
            IpAddr::V4(Ipv4Addr::new(10, 255, 0, hop))
        };
        let (source, destination) = if outward { (&client, &server) } else { (&server, &client) };
        let (src_port, dst_port) = match kind.ports(client_port) {
            (client, server) if outward => (client, server),
            (client, server) if has_ports(kind.proto) => (server, client),
            (_, request) => (0, echo_reply(request)),
        };
        Flow {
            export_ms,
            first_ms: last_ms.saturating_sub(duration_ms),
            last_ms,
            src: source.addr,
            dst: destination.addr,
            next_hop,
            src_port,
            dst_port,
            proto: kind.proto,
            tcp_flags: kind.flags,
            tos: [0, 0, 0, 0, 0, 0, 0x28, 0xb8][(mix(server.key) % 8) as usize],
            packets,
            bytes,
            input_if: if outward { access } else { uplink },
            output_if: if outward { uplink } else { access },
            src_as: source.as_number,
            dst_as: destination.as_number,
            src_mask: source.mask,
            dst_mask: destination.mask,
            direction: u8::from(outward),
            vlan: if outward { 100 + access } else { 0 },
        }
    }
}

impl Iterator for Traffic {
    type Item = Flow;

    fn next(&mut self) -> Option<Flow> {
        if self.made == self.profile.flows {
            return None;
        }
        let passed =
            u128::from(self.profile.span_ms) * u128::from(self.made) / u128::from(self.profile.flows);
        self.made += 1;
        Some(self.flow(self.profile.start_ms + passed as u64))
    }
}

/// One end of a conversation.
struct Host {
    /// Tells hosts apart.
    key: u64,
    addr: IpAddr,
    as_number: u32,
    mask: u8,
}

/// An address inside: one of 16 sites in 10.0.0.0/8 with /24 networks, or of 4096 /64 networks in 2001:db8::/48.
fn client(rank: u64, ipv6: bool) -> Host {
    let key = mix(rank ^ 0x00c1_1e47);
    let addr = if ipv6 {
        let subnet = 0x2001_0db8_0000_0000 | (key % 4096);
        IpAddr::V6(Ipv6Addr::from((u128::from(subnet) << 64) | u128::from(mix(key))))
    } else {
        let [site, network, host] = [(key >> 40) % 16, (key >> 16) % 256, key % 254 + 1];
        IpAddr::V4(Ipv4Addr::new(10, site as u8, network as u8, host as u8))
    };
    Host { key, addr, as_number: 64_500, mask: if ipv6 { 64 } else { 24 } }
}

/// An address outside, in one of some five thousand AS with up to three prefixes each; few AS hold most hosts.
fn server(rank: u64, ipv6: bool) -> Host {
    const AUTONOMOUS_SYSTEMS: f64 = 5000.0;
    let key = mix(rank ^ 0x5e4e_4000);
    let skewed = ((key >> 11) as f64 / (1u64 << 53) as f64).powi(3);
    let system = mix((skewed * AUTONOMOUS_SYSTEMS) as u64 ^ 0xa5);
    let prefix = mix(system ^ (key % 3));
    let as_number =
        if system.is_multiple_of(5) { 196_608 + system % 20_000 } else { 1 + system % 64_000 } as u32;
    let (addr, mask) = if ipv6 {
        let network = 0x2001_0db8_0000_0000 | (prefix & 0xffff_0000) | (key & 0xff);
        let addr = Ipv6Addr::from((u128::from(network) << 64) | u128::from(mix(key) & 0xffff));
        (IpAddr::V6(addr), 48)
    } else {
        // First octet 11 to 222 without the ranges that are not public unicast.
        let first = match 11 + (prefix >> 8) % 212 {
            special @ (127 | 169 | 172 | 192 | 198 | 203) => special + 1,
            public => public,
        };
        let addr = Ipv4Addr::from(((first << 24) | (prefix & 0xff) << 16 | (mix(key) & 0xffff)) as u32);
        (IpAddr::V4(addr), 14 + (prefix >> 16) as u8 % 11)
    };
    Host { key, addr, as_number, mask }
}

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
/// Destination ports of ICMP flows: type · 256 + code.
const ECHO_REQUEST: u16 = 8 << 8;
const ECHO_REQUEST_6: u16 = 128 << 8;
const ECHO_REPLY_6: u16 = 129 << 8;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const GRE: u8 = 47;
const ESP: u8 = 50;
const ICMP6: u8 = 58;

/// What comes back for a request; 0 is the echo reply of IPv4, and no port for protocols without ports.
fn echo_reply(request: u16) -> u16 {
    if request == ECHO_REQUEST_6 { ECHO_REPLY_6 } else { 0 }
}

fn has_ports(proto: u8) -> bool {
    matches!(proto, TCP | UDP)
}

/// Services with their share of 1000 conversations: shaped after the mix of an access network.
const SERVICES: &[(u64, u8, u16)] = &[
    (340, TCP, 443),
    (165, UDP, 443),
    (150, UDP, 53),
    (80, TCP, 80),
    (30, UDP, 123),
    (25, TCP, 993),
    (20, TCP, 22),
    (15, TCP, 25),
    (15, TCP, 8080),
    (12, TCP, 3389),
    (10, UDP, 3478),
    (8, TCP, 5222),
    (8, UDP, 161),
    (6, TCP, 587),
    (6, UDP, 1194),
    (5, TCP, 445),
    (5, UDP, 4500),
    (5, TCP, 3306),
    (4, TCP, 21),
    (4, UDP, 5060),
    (32, ICMP, ECHO_REQUEST),
];

/// What two hosts do with each other.
struct Conversation {
    proto: u8,
    /// Server port, or the ICMP message.
    service: u16,
    flags: u8,
    scan: bool,
}

impl Conversation {
    fn draw(random: &mut SplitMix, ipv6: bool) -> Self {
        // Scans: one packet to any port, never answered or refused.
        if random.chance(4) {
            let flags = if random.chance(70) { SYN } else { RST | ACK };
            return Self { proto: TCP, service: 1 + random.below(10_000) as u16, flags, scan: true };
        }
        let (proto, service) = {
            let mut at = random.below(1000);
            let listed = SERVICES.iter().find(|(share, ..)| {
                let found = at < *share;
                at = at.saturating_sub(*share);
                found
            });
            match listed {
                Some(&(_, ICMP, _)) if ipv6 => (ICMP6, ECHO_REQUEST_6),
                Some(&(_, proto, service)) => (proto, service),
                // Nothing listed: peer to peer on high ports, some tunnels.
                None if at.is_multiple_of(40) => (if ipv6 { ESP } else { GRE }, 0),
                None => (if at.is_multiple_of(2) { TCP } else { UDP }, 1024 + random.below(64_000) as u16),
            }
        };
        let flags = match random.below(100) {
            _ if proto != TCP => 0,
            0..70 => FIN | SYN | PSH | ACK,
            70..80 => SYN | RST | PSH | ACK,
            80..90 => PSH | ACK,
            90..96 => ACK,
            _ => FIN | PSH | ACK,
        };
        Self { proto, service, flags, scan: false }
    }

    fn client_port(&self, random: &mut SplitMix) -> u16 {
        if has_ports(self.proto) { 32_768 + random.below(28_232) as u16 } else { 0 }
    }

    /// Client's and server's port.
    fn ports(&self, client_port: u16) -> (u16, u16) {
        (client_port, self.service)
    }

    /// Packets and octets of one direction.
    fn size(&self, random: &mut SplitMix, outward: bool) -> (u64, u64) {
        const MOST_PACKETS: f64 = 4_000_000.0;
        let header = if self.proto == TCP { 40 } else { 28 };
        if self.scan {
            return (1, 40 + 4 * random.below(6));
        }
        let (packets, mean) = match (self.proto, self.service) {
            (UDP, 53 | 123 | 161) => {
                (1 + random.below(8) / 6, 32 + random.below(if outward { 60 } else { 400 }))
            }
            (ICMP | ICMP6, _) => (1 + random.below(4), 56),
            _ => {
                let packets = (3.0 * random.pareto(1.15)).min(MOST_PACKETS) as u64;
                // The requesting side mostly acknowledges, the answering side fills packets.
                let mean = if outward { 20 + random.below(180) } else { 200 + random.below(1200) };
                (packets, mean)
            }
        };
        (packets, packets * (header + mean) + random.below(packets * 8))
    }
}

/// Longer for more packets, heavy-tailed, cut at the usual active timeout of five minutes.
fn duration(random: &mut SplitMix, packets: u64) -> u64 {
    const ACTIVE_TIMEOUT_MS: u64 = 300_000;
    let typical = 20.0 * (packets as f64).sqrt();
    ((typical * random.pareto(0.9)) as u64).min(ACTIVE_TIMEOUT_MS - random.below(1000))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn same_profile_same_flows() {
        let profile = Profile::hour(500);
        assert!(Traffic::new(&profile).eq(Traffic::new(&profile)));
        let other = Profile { seed: 6, ..profile.clone() };
        assert!(!Traffic::new(&profile).eq(Traffic::new(&other)));
    }

    #[test]
    fn flows_are_plausible() {
        let profile = Profile::day(20_000);
        let mut previous = 0;
        for flow in Traffic::new(&profile) {
            assert!(flow.first_ms <= flow.last_ms && flow.last_ms <= flow.export_ms, "{flow:?}");
            assert!(flow.last_ms - flow.first_ms <= 300_000, "{flow:?}");
            assert!(flow.export_ms >= previous && flow.export_ms < profile.start_ms + profile.span_ms);
            previous = flow.export_ms;
            assert!(flow.packets >= 1 && flow.bytes >= 28 * flow.packets, "{flow:?}");
            assert!(u32::try_from(flow.packets).is_ok(), "v5 and v9 carry 32 bits");
            assert_eq!(flow.src.is_ipv4(), flow.dst.is_ipv4());
            assert_eq!(flow.src.is_ipv4(), flow.next_hop.is_ipv4());
            assert_eq!(flow.tcp_flags != 0, flow.proto == TCP, "{flow:?}");
        }
    }

    #[test]
    fn mix_is_as_described() {
        let profile = Profile::day(50_000);
        let flows: Vec<Flow> = Traffic::new(&profile).collect();
        let share =
            |test: &dyn Fn(&Flow) -> bool| 100 * flows.iter().filter(|f| test(f)).count() / flows.len();
        assert!((18..=22).contains(&share(&|f| f.src.is_ipv6())));
        assert!((50..=70).contains(&share(&|f| f.proto == TCP)));
        assert!((30..=45).contains(&share(&|f| f.proto == UDP)));
        assert!((2..=5).contains(&share(&|f| f.proto == ICMP || f.proto == ICMP6)));
        assert!(flows.iter().any(|f| !f.src.is_ipv6() && f.proto == GRE));
        let addresses: HashSet<IpAddr> = flows.iter().flat_map(|f| [f.src, f.dst]).collect();
        assert!(addresses.len() > 15_000, "{}", addresses.len());
        let tuples: HashSet<_> =
            flows.iter().map(|f| (f.src, f.dst, f.src_port, f.dst_port, f.proto)).collect();
        assert!(tuples.len() * 100 > flows.len() * 95, "{}", tuples.len());
    }
}
