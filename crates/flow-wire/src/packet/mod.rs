//! The headers of a captured packet: from its link layer to its ports.
//!
//! Octets in, fields out. A capture is cut after some octets (sFlow: 64 to 128), so every field may be missing;
//! what is there is taken, what is not is zero or `None`.
//!
//! The flow is that of the outermost IP header. What a tunnel carries is looked at on request only
//! ([`Tunnels`]).

mod ip;
mod link;
#[cfg(test)]
mod tests;
mod tunnel;

use crate::records::number;
use std::net::IpAddr;

/// What a captured packet begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkType {
    /// IEEE 802.3, with or without tags.
    Ethernet,
    /// IEEE 802.11.
    Wireless,
    /// IEEE 802.5.
    TokenRing,
    /// ISO 9314.
    Fddi,
    /// Q.922 frames with what RFC 2427 puts into them, or Cisco.
    FrameRelay,
    /// IEEE 802.2 LLC, as in AAL5 (RFC 2684).
    Llc,
    /// PPP (RFC 1662), or Cisco HDLC, which shares its lines.
    Ppp,
    /// A label stack (RFC 3032).
    Mpls,
    /// IPv4 or IPv6, as the first four bits say.
    Ip,
}

/// Whose addresses and ports a tunnelled packet has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tunnels {
    /// The tunnel's.
    #[default]
    Closed,
    /// Those of the packet inside of GRE, IPv4 and IPv6 tunnels. One level is opened: the tunnel's own addresses are
    /// kept, and there is a place for one.
    Opened,
}

/// What the headers of a packet say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Packet {
    pub(crate) macs: Option<Macs>,
    /// The innermost VLAN identifier.
    pub(crate) vlan: Option<u16>,
    pub(crate) labels: Labels,
    pub(crate) ip: Option<Ip>,
    /// The IP header around [`ip`](Self::ip), when a tunnel was opened.
    pub(crate) tunnel: Option<Ip>,
}

/// MAC addresses of a frame, 48 bits each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Macs {
    pub(crate) src: u64,
    pub(crate) dst: u64,
}

/// Entries of an MPLS label stack, the outermost first: label, traffic class and bottom bit, 24 bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Labels {
    entries: [u32; Labels::MOST],
    len: usize,
}

/// An IP header, and what stands first behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ip {
    pub(crate) src: Option<IpAddr>,
    pub(crate) dst: Option<IpAddr>,
    pub(crate) proto: u8,
    /// Type of service, or traffic class.
    pub(crate) tos: u8,
    pub(crate) src_port: u16,
    /// Of ICMP type * 256 + code.
    pub(crate) dst_port: u16,
    pub(crate) tcp_flags: u8,
}

impl Packet {
    /// Reads the headers of a captured packet. What they do not have stays as it is.
    pub(crate) fn read(&mut self, link: LinkType, octets: &[u8], tunnels: Tunnels) {
        let Some((ip, payload)) = link::walk(self, link, octets).and_then(ip::read) else { return };
        self.ip = Some(ip);
        if tunnels == Tunnels::Opened
            && let Some((inner, _)) =
                payload.and_then(|payload| tunnel::inner(ip.proto, payload)).and_then(ip::read)
        {
            (self.ip, self.tunnel) = (Some(inner), Some(ip));
        }
    }
}

impl Macs {
    /// From the addresses of a frame, destination first.
    fn of_frame(dst: [u8; 6], src: [u8; 6]) -> Macs {
        Macs { src: number(&src), dst: number(&dst) }
    }
}

impl Labels {
    /// As many as fields hold. Of deeper stacks the rest is passed over.
    pub(crate) const MOST: usize = 10;

    /// Adds the next entry further in.
    pub(crate) fn push(&mut self, entry: u32) {
        if let Some(place) = self.entries.get_mut(self.len) {
            *place = entry;
            self.len += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entry at this depth, 0 where there is none.
    pub(crate) fn get(&self, depth: usize) -> u32 {
        self.entries.get(depth).copied().unwrap_or(0)
    }
}
