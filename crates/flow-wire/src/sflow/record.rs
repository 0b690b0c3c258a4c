//! Records of a flow sample: the packet, and what was known about it.

use super::xdr::{Wrong, Xdr};
use crate::Fault;
use crate::packet::{Ip, Labels, LinkType, Macs, Packet, Tunnels};
use crate::sampling::Rate;
use crate::transport::from_ports;
use flow_model::{Field, Groups, Protocol};
use std::net::IpAddr;

/// What differs between versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    V2,
    V4,
    V5,
}

/// A sampled packet, as far as its records tell.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sampled {
    /// The sampling rate in the sample, if it is one.
    pub(super) announced: Option<u32>,
    pub(super) rate: Rate,
    pub(super) input: u32,
    pub(super) output: u32,
    /// Octets of the packet on the wire, by the record that knows best.
    pub(super) len: u32,
    /// From a record with a header; what that does not have, from the others.
    pub(super) packet: Packet,
    pub(super) src_vlan: u32,
    pub(super) dst_vlan: u32,
    pub(super) next_hop: Option<IpAddr>,
    pub(super) src_mask: u32,
    pub(super) dst_mask: u32,
    pub(super) path: Path,
    pub(super) xlate_addrs: [Option<IpAddr>; 2],
    pub(super) xlate_ports: [u32; 2],
    /// Where the name of the sending user starts and ends in the datagram.
    pub(super) user: (usize, usize),
    pub(super) groups: Groups,
    /// The protocol of a header of which we do not know the layers.
    pub(super) unknown_header: Option<u32>,
    lens: Lens,
    label_next_hop: Option<IpAddr>,
}

/// What a gateway knows about a packet's way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) bgp_next_hop: Option<IpAddr>,
    pub(super) src_as: u32,
    pub(super) dst_as: u32,
    pub(super) prev_as: u32,
    pub(super) next_as: u32,
}

/// Lengths of the packet by kind of record.
#[derive(Clone, Copy, Debug, Default)]
struct Lens {
    header: Option<u32>,
    ip: Option<u32>,
    ethernet: Option<u32>,
}

/// Formats of flow records in v5, of enterprise 0.
mod format {
    pub(super) const HEADER: u32 = 1;
    pub(super) const ETHERNET: u32 = 2;
    pub(super) const IPV4: u32 = 3;
    pub(super) const IPV6: u32 = 4;
    pub(super) const SWITCH: u32 = 1001;
    pub(super) const ROUTER: u32 = 1002;
    pub(super) const GATEWAY: u32 = 1003;
    pub(super) const USER: u32 = 1004;
    pub(super) const MPLS: u32 = 1006;
    pub(super) const NAT: u32 = 1007;
    pub(super) const NAT_PORT: u32 = 1020;
}

/// Reads a record of v5, `part` being its body; false when its format is none that has fields of ours.
pub(super) fn read(
    format: u32,
    part: Xdr<'_>,
    tunnels: Tunnels,
    sampled: &mut Sampled,
) -> Result<bool, Wrong> {
    let xdr = &mut { part };
    match format {
        format::HEADER => sampled.header(xdr, Dialect::V5, tunnels)?,
        format::ETHERNET => sampled.ethernet(xdr)?,
        format::IPV4 => sampled.ip::<4>(xdr)?,
        format::IPV6 => sampled.ip::<16>(xdr)?,
        format::SWITCH => sampled.switch(xdr)?,
        format::ROUTER => sampled.router(xdr)?,
        format::GATEWAY => sampled.gateway(xdr, Dialect::V5)?,
        format::USER => sampled.user(xdr, Dialect::V5)?,
        format::MPLS => sampled.mpls(xdr)?,
        format::NAT => sampled.nat(xdr)?,
        format::NAT_PORT => sampled.nat_port(xdr)?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Reads the packet of a sample of v2 or v4: its type, then a header, or addresses and ports.
pub(super) fn plain_packet(
    xdr: &mut Xdr<'_>,
    dialect: Dialect,
    tunnels: Tunnels,
    sampled: &mut Sampled,
) -> Result<(), Wrong> {
    let offset = xdr.at();
    match xdr.word()? {
        1 => sampled.header(xdr, dialect, tunnels),
        2 => sampled.ip::<4>(xdr),
        3 => sampled.ip::<16>(xdr),
        found => Err(Wrong { offset, fault: Fault::UnknownFormat { what: "packet data type", found } }),
    }
}

/// Reads what a sample of v2 or v4 has besides the packet: a count, and as many types and what they stand for.
pub(super) fn plain_extended(
    xdr: &mut Xdr<'_>,
    dialect: Dialect,
    sampled: &mut Sampled,
) -> Result<(), Wrong> {
    // Each takes octets.
    for _ in 0..xdr.word()? {
        let offset = xdr.at();
        match xdr.word()? {
            1 => sampled.switch(xdr)?,
            2 => sampled.router(xdr)?,
            3 => sampled.gateway(xdr, dialect)?,
            4 => sampled.user(xdr, dialect)?,
            // Its direction, and the URL.
            5 => {
                xdr.skip(1)?;
                xdr.opaque()?;
            }
            found => {
                return Err(Wrong {
                    offset,
                    fault: Fault::UnknownFormat { what: "extended data type", found },
                });
            }
        }
    }
    Ok(())
}

/// Header protocols (sFlow v5, `header_protocol`) of which we know the layers. Of the others (token bus, X.25, SMDS,
/// aggregates of 802.11) only the length is taken.
fn link_type(protocol: u32) -> Option<LinkType> {
    Some(match protocol {
        // The parts of 802.11's A-MSDU look like the frames with a length that they are.
        1 | 17 => LinkType::Ethernet,
        3 => LinkType::TokenRing,
        4 => LinkType::Fddi,
        5 => LinkType::FrameRelay,
        7 | 14 => LinkType::Ppp,
        9 => LinkType::Llc,
        10..=12 => LinkType::Ip,
        13 => LinkType::Mpls,
        15 => LinkType::Wireless,
        _ => return None,
    })
}

impl Sampled {
    pub(super) fn new(announced: Option<u32>, rate: Rate, input: u32, output: u32) -> Sampled {
        Sampled {
            announced,
            rate,
            input,
            output,
            len: 0,
            packet: Packet::default(),
            src_vlan: 0,
            dst_vlan: 0,
            next_hop: None,
            src_mask: 0,
            dst_mask: 0,
            path: Path::default(),
            xlate_addrs: [None; 2],
            xlate_ports: [0; 2],
            user: (0, 0),
            groups: Groups::default(),
            unknown_header: None,
            lens: Lens::default(),
            label_next_hop: None,
        }
    }

    /// Puts together what the records said, in whatever order they came; false when none of them has a packet.
    pub(super) fn finish(&mut self) -> bool {
        let Lens { header, ip, ethernet } = self.lens;
        let Some(len) = header.or(ip).or(ethernet) else { return false };
        self.len = len;
        // A tag of the frame stands for a switch that does not know, or does not say.
        if self.src_vlan == 0 {
            self.src_vlan = self.packet.vlan.map_or(0, u32::from);
        }
        self.next_hop = self.next_hop.or(self.label_next_hop);
        self.group();
        true
    }

    /// Every flow has the groups that sfcapd gives it. The others are there when something in them is.
    fn group(&mut self) {
        let mut groups = self.groups;
        groups.0 |=
            1 << Groups::GENERIC | 1 << Groups::MISC | 1 << Groups::VLAN | 1 << Groups::AS | 1 << Groups::MAC;
        let ip = self.packet.ip.unwrap_or_default();
        let tunnel = self.packet.tunnel.unwrap_or_default();
        for (field, addr) in [
            (Field::SrcAddr, ip.src),
            (Field::DstAddr, ip.dst),
            (Field::TunnelSrcAddr, tunnel.src),
            (Field::TunnelDstAddr, tunnel.dst),
            (Field::NextHop, self.next_hop),
            (Field::BgpNextHop, self.path.bgp_next_hop),
            (Field::XlateSrcAddr, self.xlate_addrs[0]),
            (Field::XlateDstAddr, self.xlate_addrs[1]),
        ] {
            if let Some(addr) = addr {
                groups.insert_addr(field, addr);
            }
        }
        if !self.packet.labels.is_empty() {
            groups.insert(Groups::MPLS);
        }
        self.groups = groups;
    }

    /// Protocol, length on the wire, in v5 octets taken off, then the packet's first octets.
    fn header(&mut self, xdr: &mut Xdr<'_>, dialect: Dialect, tunnels: Tunnels) -> Result<(), Wrong> {
        let [protocol, len] = xdr.words()?;
        if dialect == Dialect::V5 {
            xdr.skip(1)?;
        }
        let octets = xdr.opaque()?;
        // Of several headers the first is the outermost.
        if self.lens.header.is_none() {
            self.lens.header = Some(len);
            match link_type(protocol) {
                Some(link) => self.packet.read(link, octets, tunnels),
                None => self.unknown_header = Some(protocol),
            }
        }
        Ok(())
    }

    /// Length, source, destination (six octets in eight each), ether type.
    fn ethernet(&mut self, xdr: &mut Xdr<'_>) -> Result<(), Wrong> {
        let len = xdr.word()?;
        let [src, dst] = [xdr.array()?, xdr.array()?].map(|octets| u64::from_be_bytes(octets) >> 16);
        xdr.skip(1)?;
        self.lens.ethernet = Some(len);
        self.packet.macs.get_or_insert(Macs { src, dst });
        Ok(())
    }

    /// Length, protocol, addresses of `N` octets, ports, TCP flags, type of service.
    fn ip<const N: usize>(&mut self, xdr: &mut Xdr<'_>) -> Result<(), Wrong>
    where
        IpAddr: From<[u8; N]>,
    {
        let [len, proto] = xdr.words()?;
        let [src, dst] = [xdr.array::<N>()?, xdr.array::<N>()?];
        let [src_port, dst_port, tcp_flags, tos] = xdr.words()?;
        let proto = proto as u8;
        let (src_port, dst_port) = if Protocol(proto).is_icmp() {
            (0, from_ports(src_port.into(), dst_port.into()) as u16)
        } else {
            (src_port as u16, dst_port as u16)
        };
        self.lens.ip = Some(len);
        self.packet.ip.get_or_insert(Ip {
            src: Some(src.into()),
            dst: Some(dst.into()),
            proto,
            tos: tos as u8,
            src_port,
            dst_port,
            tcp_flags: tcp_flags as u8,
        });
        Ok(())
    }

    /// VLAN and priority of source and destination.
    fn switch(&mut self, xdr: &mut Xdr<'_>) -> Result<(), Wrong> {
        let [src, _, dst, _] = xdr.words()?;
        (self.src_vlan, self.dst_vlan) = (src, dst);
        Ok(())
    }

    /// Next hop, prefix lengths of source and destination.
    fn router(&mut self, xdr: &mut Xdr<'_>) -> Result<(), Wrong> {
        let next_hop = specified(xdr.address()?);
        [self.src_mask, self.dst_mask] = xdr.words()?;
        self.next_hop = next_hop;
        Ok(())
    }

    /// In v5 the next hop; AS numbers of the router, of the source, of the peer towards the source; the way to the
    /// destination, as one list in v2 and in segments of a type and a list since; then communities and a preference.
    fn gateway(&mut self, xdr: &mut Xdr<'_>, dialect: Dialect) -> Result<(), Wrong> {
        let bgp_next_hop = if dialect == Dialect::V5 { specified(xdr.address()?) } else { None };
        let [_own, src_as, prev_as] = xdr.words()?;
        let mut path = Path { bgp_next_hop, src_as, prev_as, ..Path::default() };
        let segments = if dialect == Dialect::V2 { 1 } else { xdr.word()? };
        let mut is_first = true;
        // Every segment takes octets.
        for _ in 0..segments {
            if dialect != Dialect::V2 {
                xdr.skip(1)?;
            }
            let len = xdr.word()?;
            if len == 0 {
                continue;
            }
            let start = xdr.word()?;
            path.dst_as = if len == 1 {
                start
            } else {
                xdr.skip(len - 2)?;
                xdr.word()?
            };
            if std::mem::take(&mut is_first) {
                path.next_as = start;
            }
        }
        if dialect != Dialect::V2 {
            let communities = xdr.word()?;
            xdr.skip(communities)?;
            xdr.skip(1)?;
        }
        self.path = path;
        if path.prev_as | path.next_as != 0 {
            self.groups.insert(Groups::ADJACENT_AS);
        }
        Ok(())
    }

    /// Names of the users at source and destination, in v5 each behind its character set.
    fn user(&mut self, xdr: &mut Xdr<'_>, dialect: Dialect) -> Result<(), Wrong> {
        let charset = u32::from(dialect == Dialect::V5);
        xdr.skip(charset)?;
        let start = xdr.at() + 4;
        let name = xdr.opaque()?;
        xdr.skip(charset)?;
        xdr.opaque()?;
        if !name.is_empty() {
            self.user = (start, start + name.len());
            self.groups.insert(Groups::USER);
        }
        Ok(())
    }

    /// Next hop, stack of the packet as it came, stack as it left.
    fn mpls(&mut self, xdr: &mut Xdr<'_>) -> Result<(), Wrong> {
        let next_hop = specified(xdr.address()?);
        let mut labels = Labels::default();
        for _ in 0..xdr.word()? {
            // The lowest octet is the time to live.
            labels.push(xdr.word()? >> 8);
        }
        let left = xdr.word()?;
        xdr.skip(left)?;
        self.label_next_hop = next_hop;
        if self.packet.labels.is_empty() {
            self.packet.labels = labels;
        }
        Ok(())
    }

    /// Addresses of source and destination as translated.
    fn nat(&mut self, xdr: &mut Xdr<'_>) -> Result<(), Wrong> {
        self.xlate_addrs = [xdr.address()?, xdr.address()?];
        Ok(())
    }

    /// Ports of source and destination as translated.
    fn nat_port(&mut self, xdr: &mut Xdr<'_>) -> Result<(), Wrong> {
        self.xlate_ports = xdr.words()?;
        self.groups.insert(Groups::XLATE_PORT);
        Ok(())
    }
}

/// An address, unless it is all zero, which means that there is none.
fn specified(addr: Option<IpAddr>) -> Option<IpAddr> {
    addr.filter(|addr| !addr.is_unspecified())
}
