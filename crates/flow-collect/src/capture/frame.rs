//! From a captured frame to the UDP datagram in it.
//!
//! Every length is taken from the frame and checked against what was captured: a frame that ends too early,
//! or whose headers contradict each other, is a [`Skip`].

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::fragment::Key;

/// Most VLAN tags in front of a packet; two are usual (QinQ).
const MAX_TAGS: usize = 8;

/// Most IPv6 extension headers in front of the transport header.
const MAX_EXTENSION_HEADERS: usize = 16;

const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// What IANA registered for IPFIX, without and with TLS.
const IPFIX_PORTS: [u16; 2] = [4739, 4740];

/// Why a frame yields no datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Skip {
    /// No IP packet, or one that is not UDP.
    Other,
    /// The frame ends within a header.
    Cut,
    /// Frames of this link type are not understood.
    LinkType,
    /// TCP or SCTP with IPFIX, as far as one packet can tell. Only datagrams are read.
    Stream,
}

/// What a frame starts with: the link types of <https://www.tcpdump.org/linktypes.html> that are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Link {
    /// `DLT_NULL` (0) and `LINKTYPE_LOOP` (108): four octets with the address family.
    Loopback,
    /// Ethernet (1), with any VLAN tags and PPPoE.
    Ethernet,
    /// PPP: `LINKTYPE_PPP` (9), with or without HDLC's two octets in front; always with them (50).
    Ppp,
    /// A PPPoE session: `LINKTYPE_PPP_ETHER` (51).
    PppOverEthernet,
    /// A bare IP packet: `LINKTYPE_RAW` (101; 12 and 14 on some systems), IPv4 (228), IPv6 (229).
    Ip,
    /// Linux `any` device: `LINKTYPE_LINUX_SLL` (113).
    Cooked,
    /// Its second version: `LINKTYPE_LINUX_SLL2` (276).
    Cooked2,
    /// Something else.
    Unknown,
}

impl Link {
    pub(super) fn from_number(number: i32) -> Link {
        match number {
            0 | 108 => Link::Loopback,
            1 => Link::Ethernet,
            9 | 50 => Link::Ppp,
            51 => Link::PppOverEthernet,
            12 | 14 | 101 | 228 | 229 => Link::Ip,
            113 => Link::Cooked,
            276 => Link::Cooked2,
            _ => Link::Unknown,
        }
    }
}

/// A UDP datagram within a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UdpDatagram<'a> {
    pub(super) from: SocketAddr,
    pub(super) payload: &'a [u8],
    /// The capture kept less of the payload than was sent.
    pub(super) is_cut: bool,
}

/// A piece of an IP packet that may hold a UDP datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment<'a> {
    pub(super) key: Key,
    /// What the packet holds, if this is its first piece.
    pub(super) next_header: u8,
    /// Where in the packet's payload, in octets.
    pub(super) offset: usize,
    /// Whether others follow.
    pub(super) more: bool,
    pub(super) octets: &'a [u8],
}

/// What is in a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Datagram(UdpDatagram<'a>),
    Fragment(Fragment<'a>),
}

/// Finds the UDP datagram in a frame, or a piece of one.
pub(super) fn find(link: Link, frame: &[u8]) -> Result<Found<'_>, Skip> {
    match link {
        Link::Loopback => loopback(frame),
        Link::Ethernet => ether_typed(frame, 12),
        Link::Ppp => ppp(frame),
        Link::PppOverEthernet => ppp_over_ethernet(frame),
        Link::Ip => ip(frame),
        // ARPHRD, address length and address come before the EtherType in version 1, it comes first in version 2.
        Link::Cooked => ether_typed(frame, 14),
        Link::Cooked2 => ether_payload(be16(frame, 0)?, frame.get(20..).ok_or(Skip::Cut)?),
        Link::Unknown => Err(Skip::LinkType),
    }
}

/// Reads the EtherType at `at` and what is behind it.
fn ether_typed(frame: &[u8], at: usize) -> Result<Found<'_>, Skip> {
    ether_payload(be16(frame, at)?, frame.get(at + 2..).ok_or(Skip::Cut)?)
}

/// Steps over VLAN tags (IEEE 802.1Q, 802.1ad and their predecessors), and reads the packet behind.
fn ether_payload(mut ether_type: u16, mut payload: &[u8]) -> Result<Found<'_>, Skip> {
    for _ in 0..=MAX_TAGS {
        match ether_type {
            0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
                ether_type = be16(payload, 2)?;
                payload = payload.get(4..).ok_or(Skip::Cut)?;
            }
            0x0800 | 0x86dd => return ip(payload),
            0x8864 => return ppp_over_ethernet(payload),
            _ => return Err(Skip::Other),
        }
    }
    Err(Skip::Other)
}

/// RFC 2516 §4: version and type, code (0 in a session), session, length.
fn ppp_over_ethernet(packet: &[u8]) -> Result<Found<'_>, Skip> {
    match be16(packet, 0)? {
        0x1100 => ppp(packet.get(6..).ok_or(Skip::Cut)?),
        _ => Err(Skip::Other),
    }
}

/// RFC 1661 §2, RFC 1662 §3.1: the protocol, in front of it HDLC's address and control unless they were left out.
fn ppp(frame: &[u8]) -> Result<Found<'_>, Skip> {
    let frame = frame.strip_prefix(&[0xff, 0x03]).unwrap_or(frame);
    // An odd octet is a protocol below 256 without its upper octet.
    let (protocol, packet) = match frame {
        [protocol, packet @ ..] if protocol & 1 == 1 => (u16::from(*protocol), packet),
        _ => (be16(frame, 0)?, frame.get(2..).ok_or(Skip::Cut)?),
    };
    match protocol {
        0x0021 | 0x0057 => ip(packet),
        _ => Err(Skip::Other),
    }
}

/// The family is in the byte order of the machine that captured; IPv6 is 10 on Linux, 24, 28 or 30 elsewhere.
fn loopback(frame: &[u8]) -> Result<Found<'_>, Skip> {
    let family: [u8; 4] = frame.first_chunk().copied().ok_or(Skip::Cut)?;
    let families = [u32::from_be_bytes(family), u32::from_le_bytes(family)];
    if families.iter().any(|family| matches!(family, 2 | 10 | 24 | 28 | 30)) {
        ip(&frame[4..])
    } else {
        Err(Skip::Other)
    }
}

fn ip(packet: &[u8]) -> Result<Found<'_>, Skip> {
    match packet.first().ok_or(Skip::Cut)? >> 4 {
        4 => ipv4(packet),
        6 => ipv6(packet),
        _ => Err(Skip::Other),
    }
}

/// RFC 791 §3.1.
fn ipv4(packet: &[u8]) -> Result<Found<'_>, Skip> {
    let header: &[u8; 20] = packet.first_chunk().ok_or(Skip::Cut)?;
    let header_len = usize::from(header[0] & 0x0f) * 4;
    if header_len < 20 || !matches!(header[9], TCP | UDP | SCTP) {
        return Err(Skip::Other);
    }
    let source = Ipv4Addr::new(header[12], header[13], header[14], header[15]);
    let destination = Ipv4Addr::new(header[16], header[17], header[18], header[19]);
    // Segmentation offload leaves 0 here; anything else below the header is nonsense that UDP's length settles.
    let total_len = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let end = if total_len < header_len { packet.len() } else { total_len.min(packet.len()) };
    let payload = packet.get(header_len..end).ok_or(Skip::Cut)?;
    // The upper bits: reserved, don't fragment, more fragments; then the offset in units of eight octets.
    let place = u16::from_be_bytes([header[6], header[7]]);
    let (more, offset) = (place & 0x2000 != 0, usize::from(place & 0x1fff) * 8);
    if header[9] != UDP {
        return Err(if offset == 0 { stream(header[9], payload) } else { Skip::Other });
    }
    if !more && offset == 0 {
        return transport(source.into(), destination.into(), UDP, payload);
    }
    if total_len > packet.len() {
        return Err(Skip::Cut);
    }
    Ok(Found::Fragment(Fragment {
        key: Key {
            source: source.into(),
            destination: destination.into(),
            id: u16::from_be_bytes([header[4], header[5]]).into(),
        },
        next_header: UDP,
        offset,
        more,
        octets: payload,
    }))
}

/// RFC 8200 §3.
fn ipv6(packet: &[u8]) -> Result<Found<'_>, Skip> {
    let header: &[u8; 40] = packet.first_chunk().ok_or(Skip::Cut)?;
    let source: [u8; 16] = *header[8..].first_chunk().ok_or(Skip::Cut)?;
    let destination: [u8; 16] = *header[24..].first_chunk().ok_or(Skip::Cut)?;
    let payload_len = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let payload = &packet[40..];
    let end = if payload_len == 0 { payload.len() } else { payload_len.min(payload.len()) };
    let found = transport(source.into(), destination.into(), header[6], &payload[..end])?;
    if matches!(found, Found::Fragment(_)) && payload_len > payload.len() {
        return Err(Skip::Cut);
    }
    Ok(found)
}

/// Steps over the extension headers of IPv6 (RFC 8200 §4) to the UDP datagram, or to the piece of one.
pub(super) fn transport(
    source: IpAddr,
    destination: IpAddr,
    mut next_header: u8,
    mut rest: &[u8],
) -> Result<Found<'_>, Skip> {
    for _ in 0..MAX_EXTENSION_HEADERS {
        let len = match next_header {
            UDP => return udp(source, rest).map(Found::Datagram),
            TCP | SCTP => return Err(stream(next_header, rest)),
            // Hop-by-hop options, routing, destination options, mobility: in units of 8 octets, less one.
            0 | 43 | 60 | 135 => 8 + 8 * usize::from(*rest.get(1).ok_or(Skip::Cut)?),
            // Authentication header (RFC 4302): in units of 4 octets, less two.
            51 => 8 + 4 * usize::from(*rest.get(1).ok_or(Skip::Cut)?),
            44 => {
                let header: &[u8; 8] = rest.first_chunk().ok_or(Skip::Cut)?;
                let place = u16::from_be_bytes([header[2], header[3]]);
                if place & 0xfff9 != 0 {
                    let id = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
                    return Ok(Found::Fragment(Fragment {
                        key: Key { source, destination, id },
                        next_header: header[0],
                        offset: usize::from(place & 0xfff8),
                        more: place & 1 != 0,
                        octets: &rest[8..],
                    }));
                }
                // A fragment header on a whole packet (RFC 6946).
                8
            }
            _ => return Err(Skip::Other),
        };
        next_header = *rest.first().ok_or(Skip::Cut)?;
        rest = rest.get(len..).ok_or(Skip::Cut)?;
    }
    Err(Skip::Other)
}

/// RFC 768. A length of 0 means the rest of the packet (jumbograms, segmentation offload).
fn udp(source: IpAddr, segment: &[u8]) -> Result<UdpDatagram<'_>, Skip> {
    let port = be16(segment, 0)?;
    let len = usize::from(be16(segment, 4)?);
    let available = segment.get(8..).ok_or(Skip::Cut)?;
    let sent = match len {
        0 => available.len(),
        1..8 => return Err(Skip::Other),
        _ => len - 8,
    };
    Ok(UdpDatagram {
        from: SocketAddr::new(source, port),
        payload: &available[..sent.min(available.len())],
        is_cut: sent > available.len(),
    })
}

/// Whether a segment of TCP (RFC 9293 3.1) or a packet of SCTP (RFC 9260 3) has IPFIX in it: it does if it is of IPFIX's
/// ports, and if it begins as a message does. A segment in the middle of a message on another port cannot be told.
fn stream(protocol: u8, segment: &[u8]) -> Skip {
    let payload = if protocol == TCP {
        segment.get(12).and_then(|offset| segment.get(usize::from(offset >> 4) * 4..)).unwrap_or_default()
    } else {
        // Behind the headers of the packet and of its first chunk, if that has data.
        segment.get(28..).filter(|_| segment[12] == 0).unwrap_or_default()
    };
    let is_registered =
        [0, 2].into_iter().any(|at| be16(segment, at).is_ok_and(|port| IPFIX_PORTS.contains(&port)));
    // Version, and a length that has room for a header.
    let is_message = be16(payload, 0) == Ok(10) && be16(payload, 2).is_ok_and(|len| len >= 16);
    if is_message || is_registered && !payload.is_empty() { Skip::Stream } else { Skip::Other }
}

fn be16(bytes: &[u8], at: usize) -> Result<u16, Skip> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map(|pair| u16::from_be_bytes(*pair)).ok_or(Skip::Cut)
}

#[cfg(test)]
pub(super) mod build {
    //! Frames for tests.

    use super::*;
    use std::net::Ipv6Addr;

    pub(crate) fn udp(payload: &[u8]) -> Vec<u8> {
        let mut segment = vec![0x12, 0x34, 0x27, 0x0b];
        segment.extend_from_slice(&u16::try_from(payload.len() + 8).unwrap().to_be_bytes());
        segment.extend_from_slice(&[0, 0]);
        segment.extend_from_slice(payload);
        segment
    }

    pub(crate) fn ipv4(payload: &[u8]) -> Vec<u8> {
        let segment = udp(payload);
        let mut packet = vec![0x45, 0];
        packet.extend_from_slice(&u16::try_from(segment.len() + 20).unwrap().to_be_bytes());
        packet.extend_from_slice(&[0, 1, 0, 0, 64, UDP, 0, 0, 192, 0, 2, 1, 127, 0, 0, 1]);
        packet.extend_from_slice(&segment);
        packet
    }

    pub(crate) fn ipv6(extensions: &[u8], first: u8, payload: &[u8]) -> Vec<u8> {
        let segment = udp(payload);
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend_from_slice(&u16::try_from(extensions.len() + segment.len()).unwrap().to_be_bytes());
        packet.extend_from_slice(&[first, 64]);
        packet.extend_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend_from_slice(&Ipv6Addr::LOCALHOST.octets());
        packet.extend_from_slice(extensions);
        packet.extend_from_slice(&segment);
        packet
    }

    pub(crate) fn ethernet(tags: &[u16], packet: &[u8]) -> Vec<u8> {
        let mut frame = vec![2; 12];
        for tag in tags {
            frame.extend_from_slice(&tag.to_be_bytes());
            frame.extend_from_slice(&[0, 7]);
        }
        frame.extend_from_slice(if packet[0] >> 4 == 4 { &[0x08, 0x00] } else { &[0x86, 0xdd] });
        frame.extend_from_slice(packet);
        frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn datagram(link: Link, frame: &[u8]) -> Result<UdpDatagram<'_>, Skip> {
        find(link, frame).map(|found| match found {
            Found::Datagram(datagram) => datagram,
            Found::Fragment(fragment) => panic!("{fragment:?}"),
        })
    }

    fn fragment(frame: &[u8]) -> Fragment<'_> {
        match find(Link::Ip, frame) {
            Ok(Found::Fragment(fragment)) => fragment,
            other => panic!("{other:?}"),
        }
    }

    fn payload(link: Link, frame: &[u8]) -> Result<(String, &[u8]), Skip> {
        datagram(link, frame).map(|datagram| {
            assert!(!datagram.is_cut);
            (datagram.from.to_string(), datagram.payload)
        })
    }

    #[test]
    fn finds_the_datagram_behind_every_link_header() {
        let v4 = build::ipv4(b"flow");
        let v6 = build::ipv6(&[], UDP, b"flow");
        let from_v4 = Ok(("192.0.2.1:4660".to_owned(), &b"flow"[..]));
        let from_v6 = Ok(("[2001:db8::1]:4660".to_owned(), &b"flow"[..]));
        let with = |head: &[u8], packet: &[u8]| [head, packet].concat();

        for (packet, expected) in [(&v4, &from_v4), (&v6, &from_v6)] {
            assert_eq!(&payload(Link::Ethernet, &build::ethernet(&[], packet)), expected);
            assert_eq!(&payload(Link::Ethernet, &build::ethernet(&[0x8100], packet)), expected);
            assert_eq!(&payload(Link::Ethernet, &build::ethernet(&[0x88a8, 0x8100], packet)), expected);
            assert_eq!(
                &payload(Link::Ethernet, &build::ethernet(&[0x9100, 0x9200, 0x9300], packet)),
                expected
            );
            assert_eq!(&payload(Link::Ip, packet), expected);
            let ether_type: &[u8] = if packet[0] == 0x45 { &[8, 0] } else { &[0x86, 0xdd] };
            assert_eq!(&payload(Link::Cooked, &with(&[&[0; 14][..], ether_type].concat(), packet)), expected);
            let tagged = [&[0; 14][..], &[0x81, 0, 0, 7], ether_type].concat();
            assert_eq!(&payload(Link::Cooked, &with(&tagged, packet)), expected);
            assert_eq!(&payload(Link::Cooked2, &with(&[ether_type, &[0; 18]].concat(), packet)), expected);
            let tagged = [&[0x81, 0][..], &[0; 18], &[0, 7], ether_type].concat();
            assert_eq!(&payload(Link::Cooked2, &with(&tagged, packet)), expected);
            let protocol = if packet[0] == 0x45 { 0x21 } else { 0x57 };
            assert_eq!(&payload(Link::Ppp, &with(&[0, protocol], packet)), expected);
            assert_eq!(&payload(Link::Ppp, &with(&[0xff, 3, protocol], packet)), expected);
            let session = [0x11, 0, 0, 9, 0, 99, 0, protocol];
            assert_eq!(&payload(Link::PppOverEthernet, &with(&session, packet)), expected);
            let tagged = [&[0; 12][..], &[0x81, 0, 0, 7, 0x88, 0x64], &session].concat();
            assert_eq!(&payload(Link::Ethernet, &with(&tagged, packet)), expected);
        }
        for family in [2_u32.to_be_bytes(), 2_u32.to_le_bytes()] {
            assert_eq!(payload(Link::Loopback, &with(&family, &v4)), from_v4);
        }
        for family in [10_u32, 24, 28, 30] {
            assert_eq!(payload(Link::Loopback, &with(&family.to_le_bytes(), &v6)), from_v6);
        }
        assert_eq!(payload(Link::Unknown, &v4), Err(Skip::LinkType));
    }

    #[test]
    fn knows_the_numbers_of_link_types() {
        use Link::{Cooked, Cooked2, Ethernet, Ip, Loopback, Ppp, PppOverEthernet, Unknown};
        for (link, numbers) in [
            (Loopback, &[0, 108][..]),
            (Ethernet, &[1]),
            (Ppp, &[9, 50]),
            (PppOverEthernet, &[51]),
            (Ip, &[12, 14, 101, 228, 229]),
            (Cooked, &[113]),
            (Cooked2, &[276]),
            (Unknown, &[105, -1]),
        ] {
            assert!(numbers.iter().all(|&number| Link::from_number(number) == link), "{link:?}");
        }
    }

    #[test]
    fn steps_over_ipv6_extension_headers() {
        let hop_by_hop = [60, 0, 0, 0, 0, 0, 0, 0];
        let destination = [51, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let authentication = [44, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        let whole = [UDP, 0, 0, 0, 0, 0, 0, 9];
        let extensions = [&hop_by_hop[..], &destination, &authentication, &whole].concat();
        let packet = build::ipv6(&extensions, 0, b"flow");
        assert_eq!(payload(Link::Ip, &packet).unwrap().1, b"flow");
        let endless = [60, 0, 0, 0, 0, 0, 0, 0].repeat(100);
        assert_eq!(payload(Link::Ip, &build::ipv6(&endless, 60, b"")), Err(Skip::Other));
    }

    #[test]
    fn knows_fragments_of_both_families() {
        let whole = build::ipv4(b"flow");
        for (place, offset, more) in [([0x20, 0], 0, true), ([0, 1], 8, false), ([0x3f, 0xff], 65_528, true)]
        {
            let mut packet = whole.clone();
            packet[6..8].copy_from_slice(&place);
            let found = fragment(&packet);
            assert_eq!((found.offset, found.more, found.octets), (offset, more, &whole[20..]));
            assert_eq!((found.key.id, found.next_header), (1, UDP));
            assert_eq!(find(Link::Ip, &packet[..packet.len() - 1]), Err(Skip::Cut));
        }
        let mut unfragmented = whole;
        unfragmented[6] = 0x40;
        assert!(payload(Link::Ip, &unfragmented).is_ok(), "don't fragment is no fragment");

        for (header, offset, more) in
            [([UDP, 0, 0, 1, 0, 1, 0, 9], 0, true), ([60, 0, 0, 8, 0, 1, 0, 9], 8, false)]
        {
            let packet = build::ipv6(&header, 44, b"flow");
            let found = fragment(&packet);
            assert_eq!((found.offset, found.more, found.octets), (offset, more, &packet[48..]));
            assert_eq!((found.key.id, found.next_header), (0x1_0009, header[0]));
            assert_eq!(find(Link::Ip, &packet[..packet.len() - 1]), Err(Skip::Cut));
        }
    }

    #[test]
    fn takes_the_payload_by_the_length_in_the_udp_header() {
        let mut padded = build::ethernet(&[], &build::ipv4(b"flow"));
        padded.extend_from_slice(&[0; 18]);
        assert_eq!(payload(Link::Ethernet, &padded).unwrap().1, b"flow");

        let packet = build::ipv4(b"flow record");
        let cut = datagram(Link::Ip, &packet[..packet.len() - 7]).unwrap();
        assert_eq!((cut.payload, cut.is_cut), (&b"flow"[..], true));

        let mut offloaded = build::ipv4(b"flow");
        offloaded[2..4].copy_from_slice(&[0, 0]);
        offloaded[24..26].copy_from_slice(&[0, 0]);
        assert_eq!(payload(Link::Ip, &offloaded).unwrap().1, b"flow");
        offloaded[24..26].copy_from_slice(&[0, 7]);
        assert_eq!(payload(Link::Ip, &offloaded), Err(Skip::Other));
    }

    #[test]
    fn skips_other_packets() {
        let mut tcp = build::ipv4(b"flow");
        tcp[9] = 6;
        assert_eq!(payload(Link::Ip, &tcp), Err(Skip::Other));
        let mut arp = build::ethernet(&[], &build::ipv4(b"flow"));
        arp[13] = 6;
        assert_eq!(payload(Link::Ethernet, &arp), Err(Skip::Other));
        let mut short_header = build::ipv4(b"flow");
        short_header[0] = 0x44;
        assert_eq!(payload(Link::Ip, &short_header), Err(Skip::Other));
        assert_eq!(payload(Link::Ip, &[0x15; 60]), Err(Skip::Other));
        assert_eq!(payload(Link::Loopback, &[9, 9, 9, 9, 0x45]), Err(Skip::Other));
        assert_eq!(payload(Link::Ppp, &[0xff, 3, 0xc0, 0x21, 0x45]), Err(Skip::Other));
        assert_eq!(payload(Link::PppOverEthernet, &[0x11, 0xa7, 0, 0, 0, 0, 0, 0x21]), Err(Skip::Other));
        assert_eq!(payload(Link::Ethernet, &build::ethernet(&[0x8100; 20], &tcp)), Err(Skip::Other));
    }

    #[test]
    fn ipfix_over_tcp_and_sctp_is_told_from_other_streams() {
        let message = [0, 10, 0, 16, 0, 0, 0, 0];
        let tcp = |port: u16, payload: &[u8]| {
            let ports = [0x12_u8, 0x34, (port >> 8) as u8, port as u8];
            (TCP, [&ports[..], &[0; 8], &[0x60], &[0; 11], payload].concat())
        };
        let sctp = |port: u16, chunk: u8, payload: &[u8]| {
            let ports = [(port >> 8) as u8, port as u8, 0x12, 0x34];
            (SCTP, [&ports[..], &[0; 8], &[chunk], &[0; 15], payload].concat())
        };
        for ((protocol, segment), expected) in [
            (tcp(4739, b"in the middle"), Skip::Stream),
            (tcp(4740, b"in a cipher"), Skip::Stream),
            (tcp(4739, b""), Skip::Other),
            (tcp(2055, &message), Skip::Stream),
            (tcp(2055, &message[1..]), Skip::Other),
            (tcp(443, b"in the middle"), Skip::Other),
            (sctp(4739, 0, b"in the middle"), Skip::Stream),
            (sctp(9999, 0, &message), Skip::Stream),
            (sctp(9999, 3, &message), Skip::Other),
            (sctp(4739, 3, b"an acknowledgement"), Skip::Other),
        ] {
            let mut v4 = build::ipv4(b"");
            v4.truncate(20);
            v4[2..4].copy_from_slice(&(20 + segment.len() as u16).to_be_bytes());
            v4[9] = protocol;
            v4.extend(&segment);
            assert_eq!(payload(Link::Ip, &v4), Err(expected));
            // A later piece has no ports, and what is behind the packet is not its payload.
            let mut later = v4.clone();
            later[7] = 1;
            assert_eq!(payload(Link::Ip, &later), Err(Skip::Other));
            let mut v6 = build::ipv6(&segment, protocol, b"");
            v6.truncate(40 + segment.len());
            v6[4..6].copy_from_slice(&(segment.len() as u16).to_be_bytes());
            assert_eq!(payload(Link::Ip, &v6), Err(expected));
            for len in 0..v4.len() {
                assert!(matches!(payload(Link::Ip, &v4[..len]), Err(Skip::Cut | Skip::Other | Skip::Stream)));
            }
        }
    }

    #[test]
    fn a_frame_cut_anywhere_gives_a_prefix_or_nothing() {
        let extensions = [60, 0, 0, 0, 0, 0, 0, 0, UDP, 0, 0, 0, 0, 0, 0, 0];
        for packet in [build::ipv4(b"flow record"), build::ipv6(&extensions, 0, b"flow record")] {
            let frame = build::ethernet(&[0x88a8, 0x8100], &packet);
            for len in 0..frame.len() {
                for link in [Link::Ethernet, Link::Ip, Link::Ppp, Link::Cooked, Link::Cooked2, Link::Loopback]
                {
                    if let Ok(datagram) = datagram(link, &frame[..len]) {
                        assert_eq!(link, Link::Ethernet);
                        assert!(b"flow record".starts_with(datagram.payload) && datagram.is_cut);
                    }
                }
            }
        }
    }
}
