//! From the start of a frame to the IP header in it.

use super::{Labels, LinkType, Macs, Packet};

/// Ether types (IEEE 802 numbers) that lead to IP.
mod ether {
    pub(super) const IPV4: u16 = 0x0800;
    pub(super) const IPV6: u16 = 0x86dd;
    pub(super) const MPLS: u16 = 0x8847;
    pub(super) const MPLS_UPSTREAM: u16 = 0x8848;
    pub(super) const PPPOE_SESSION: u16 = 0x8864;
    /// 802.1Q, 802.1ad, and what stood for it before it was a standard.
    pub(super) const TAGS: [u16; 5] = [0x8100, 0x88a8, 0x9100, 0x9200, 0x9300];
    /// What is smaller is a length (IEEE 802.3 3.2.6).
    pub(super) const SMALLEST: u16 = 0x0600;
}

/// Follows the layers of `octets` to an IP header, and notes addresses, tags and labels on the way.
pub(super) fn walk<'a>(packet: &mut Packet, link: LinkType, octets: &'a [u8]) -> Option<&'a [u8]> {
    match link {
        LinkType::Ethernet => ethernet(packet, octets),
        LinkType::Wireless => wireless(packet, octets),
        LinkType::TokenRing => token_ring(packet, octets),
        LinkType::Fddi => fddi(packet, octets),
        LinkType::FrameRelay => frame_relay(packet, octets),
        LinkType::Llc => llc(packet, octets),
        LinkType::Ppp => ppp(packet, octets),
        LinkType::Mpls => mpls(packet, octets),
        LinkType::Ip => Some(octets),
    }
}

/// Destination, source, type.
pub(super) fn ethernet<'a>(packet: &mut Packet, octets: &'a [u8]) -> Option<&'a [u8]> {
    let (dst, rest) = octets.split_first_chunk()?;
    let (src, rest) = rest.split_first_chunk()?;
    packet.macs = Some(Macs::of_frame(*dst, *src));
    let (kind, rest) = number(rest)?;
    network(packet, kind, rest)
}

/// What stands behind an ether type.
pub(super) fn network<'a>(packet: &mut Packet, mut kind: u16, mut rest: &'a [u8]) -> Option<&'a [u8]> {
    // Every round takes octets, so there are not more of them than the frame has. They are no calls: a frame may be long.
    loop {
        match kind {
            _ if ether::TAGS.contains(&kind) => {
                let (tag, after) = number(rest)?;
                packet.vlan = Some(tag & 0x0fff);
                (kind, rest) = number(after)?;
            }
            ..ether::SMALLEST => (kind, rest) = snap(rest)?,
            ether::IPV4 | ether::IPV6 => return Some(rest),
            ether::MPLS | ether::MPLS_UPSTREAM => return mpls(packet, rest),
            // Version and type, code, session, length (RFC 2516 4).
            ether::PPPOE_SESSION => return ppp_protocol(packet, rest.get(6..)?),
            _ => return None,
        }
    }
}

/// What stands behind service access points.
fn llc<'a>(packet: &mut Packet, octets: &'a [u8]) -> Option<&'a [u8]> {
    let (kind, rest) = snap(octets)?;
    network(packet, kind, rest)
}

/// Service access points, control and, behind a SNAP header, the vendor and the type, which is all that is wanted (IEEE
/// 802.2, RFC 1042).
fn snap(octets: &[u8]) -> Option<(u16, &[u8])> {
    match octets.split_first_chunk::<6>()? {
        // The vendor is none, or bridge tunnels of 802.1H. A length does not follow a length.
        ([0xaa, 0xaa, 3, 0, 0, 0 | 0xf8], rest) => number(rest).filter(|&(kind, _)| kind >= ether::SMALLEST),
        _ => None,
    }
}

/// Labels down to the bottom of the stack, then what the first four bits say (RFC 3032 2.1, RFC 4928).
fn mpls<'a>(packet: &mut Packet, octets: &'a [u8]) -> Option<&'a [u8]> {
    let (mut labels, mut rest) = (Labels::default(), octets);
    while let Some((&[high, middle, low, _ttl], after)) = rest.split_first_chunk() {
        labels.push(u32::from_be_bytes([0, high, middle, low]));
        packet.labels = labels;
        rest = after;
        if low & 1 == 1 {
            // Where it is no IP header, reading that says so.
            return Some(rest);
        }
    }
    None
}

/// Address and control, which may be left out, then the protocol.
fn ppp<'a>(packet: &mut Packet, octets: &'a [u8]) -> Option<&'a [u8]> {
    match octets.split_first_chunk()? {
        ([0xff, 0x03], rest) => ppp_protocol(packet, rest),
        // Cisco HDLC: unicast or broadcast, then an ether type.
        ([0x0f | 0x8f, 0x00], rest) => {
            let (kind, rest) = number(rest)?;
            (kind >= ether::SMALLEST).then(|| network(packet, kind, rest))?
        }
        _ => ppp_protocol(packet, octets),
    }
}

/// A PPP protocol number: two octets, or one when that is odd (RFC 1661 2, RFC 1662 3).
fn ppp_protocol<'a>(packet: &mut Packet, octets: &'a [u8]) -> Option<&'a [u8]> {
    let (kind, rest) = match octets.split_first()? {
        (&short, rest) if short & 1 == 1 => (u16::from(short), rest),
        _ => number(octets)?,
    };
    match kind {
        0x0021 | 0x0057 => Some(rest),
        0x0281 | 0x0283 => mpls(packet, rest),
        _ => None,
    }
}

/// A data frame of IEEE 802.11: control, duration, three addresses, sequence, and parts that depend on the control.
fn wireless<'a>(packet: &mut Packet, octets: &'a [u8]) -> Option<&'a [u8]> {
    const DATA: u8 = 2;
    const QOS: u8 = 0x80;
    const NO_DATA: u8 = 0x40;
    const TO_DS: u8 = 0x01;
    const FROM_DS: u8 = 0x02;
    const PROTECTED: u8 = 0x40;
    const ORDER: u8 = 0x80;
    let (&[kind, flags, _, _], rest) = octets.split_first_chunk()?;
    if kind >> 2 & 3 != DATA {
        return None;
    }
    let (first, rest) = rest.split_first_chunk()?;
    let (second, rest) = rest.split_first_chunk()?;
    let (third, rest) = rest.split_first_chunk()?;
    let (_sequence, rest) = number(rest)?;
    let (fourth, rest) =
        if flags & (TO_DS | FROM_DS) == TO_DS | FROM_DS { rest.split_first_chunk()? } else { (third, rest) };
    let dst = if flags & TO_DS == 0 { first } else { third };
    let src = match flags & (TO_DS | FROM_DS) {
        FROM_DS => third,
        TO_DS | 0 => second,
        _ => fourth,
    };
    packet.macs = Some(Macs::of_frame(*dst, *src));
    if kind & NO_DATA != 0 || flags & PROTECTED != 0 {
        return None;
    }
    let qos = kind & QOS != 0;
    let control_len = if qos { 2 + if flags & ORDER != 0 { 4 } else { 0 } } else { 0 };
    llc(packet, rest.get(control_len..)?)
}

/// Access control, frame control, destination, source; then a route of so many octets, if the source says so (IEEE 802.5
/// 3.2, 802.1D annex C).
fn token_ring<'a>(packet: &mut Packet, octets: &'a [u8]) -> Option<&'a [u8]> {
    const ROUTED: u8 = 0x80;
    const ROUTE_LEN: u8 = 0x1f;
    let ([_access, control, dst @ ..], rest) = octets.split_first_chunk::<8>()?;
    let (&[first, ref others @ ..], rest) = rest.split_first_chunk::<6>()?;
    let mut src = [first & !ROUTED; 6];
    src.get_mut(1..)?.copy_from_slice(others);
    packet.macs = Some(Macs::of_frame(*dst, src));
    let route_len = if first & ROUTED == 0 { 0 } else { *rest.first()? & ROUTE_LEN };
    // Frames of the ring itself have nothing for us.
    if control >> 6 == 1 { llc(packet, rest.get(usize::from(route_len)..)?) } else { None }
}

/// Frame control, destination, source (ISO 9314-2 7.3).
fn fddi<'a>(packet: &mut Packet, octets: &'a [u8]) -> Option<&'a [u8]> {
    let ([control, dst @ ..], rest) = octets.split_first_chunk::<7>()?;
    let (src, rest) = rest.split_first_chunk()?;
    packet.macs = Some(Macs::of_frame(*dst, *src));
    // Class and length of addresses, then two bits that say that LLC follows.
    if control & 0x70 == 0x50 { llc(packet, rest) } else { None }
}

/// An address of two to four octets, the last of which is odd; then control, padding, and the number of a network layer
/// (RFC 2427 3 and 4), or an ether type.
fn frame_relay<'a>(packet: &mut Packet, octets: &'a [u8]) -> Option<&'a [u8]> {
    const CONTROL: u8 = 3;
    const PADDING: u8 = 0;
    let address_len = 1 + octets.iter().take(4).position(|octet| octet & 1 == 1)?;
    let rest = octets.get(address_len..)?;
    let Some((&CONTROL, after)) = rest.split_first() else {
        let (kind, rest) = number(rest)?;
        return (kind >= ether::SMALLEST).then(|| network(packet, kind, rest))?;
    };
    match after.strip_prefix(&[PADDING]).unwrap_or(after) {
        // IPv4, IPv6.
        [0xcc | 0x8e, rest @ ..] => Some(rest),
        // SNAP without the service access points.
        [0x80, 0, 0, 0, rest @ ..] => {
            let (kind, rest) = number(rest)?;
            network(packet, kind, rest)
        }
        // Bridged Ethernet, with its check sequence behind it and without.
        [0x80, 0, 0x80, 0xc2, 0, 1 | 7, rest @ ..] => ethernet(packet, rest),
        _ => None,
    }
}

/// A number of two octets, and what follows it.
pub(super) fn number(octets: &[u8]) -> Option<(u16, &[u8])> {
    octets.split_first_chunk().map(|(number, rest)| (u16::from_be_bytes(*number), rest))
}
