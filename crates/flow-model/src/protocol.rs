//! Names of IP protocols.

use std::fmt;

/// An IP protocol number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// Internet Control Message Protocol.
    pub const ICMP: Protocol = Protocol(1);
    /// Transmission Control Protocol.
    pub const TCP: Protocol = Protocol(6);
    /// User Datagram Protocol.
    pub const UDP: Protocol = Protocol(17);
    /// IPv6 inside IPv4.
    pub const IPV6: Protocol = Protocol(41);
    /// ICMP for IPv6.
    pub const ICMP6: Protocol = Protocol(58);

    /// Whether the destination port carries ICMP type and code.
    pub const fn is_icmp(self) -> bool {
        matches!(self, Protocol::ICMP | Protocol::ICMP6)
    }
}

/// The protocol's name, or its number when it has none.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match protocol_name(self.0) {
            Some(name) => f.pad(name),
            None => f.pad(&self.0.to_string()),
        }
    }
}

/// The name nfdump prints for protocol `number`.
pub fn protocol_name(number: u8) -> Option<&'static str> {
    NAMES.get(usize::from(number)).copied().filter(|name| !name.is_empty())
}

/// The protocol called `name`, in either case; names that stand for two numbers give the smaller.
pub fn protocol_by_name(name: &str) -> Option<u8> {
    let found = NAMES.iter().position(|known| !known.is_empty() && known.eq_ignore_ascii_case(name))?;
    u8::try_from(found).ok()
}

/// By number, as nfdump spells them; empty where it prints the number.
static NAMES: [&str; 138] = [
    "", "ICMP", "IGMP", "GGP", "IPIP", "ST", "TCP", "CBT", "EGP", "IGP", "BBN", "NVPII", "PUP", "ARGUS",
    "ENCOM", "XNET", "CHAOS", "UDP", "MUX", "DCN", "HMP", "PRM", "XNS", "Trnk1", "Trnk2", "Leaf1", "Leaf2",
    "RDP", "IRTP", "ISO-4", "NETBK", "MFESP", "MEINP", "DCCP", "3PC", "IDPR", "XTP", "DDP", "IDPR", "TP++",
    "IL", "IPv6", "SDRP", "Rte6", "Frag6", "IDRP", "RSVP", "GRE", "MHRP", "BNA", "ESP", "AH", "INLSP",
    "SWIPE", "NARP", "MOBIL", "TLSP", "SKIP", "ICMP6", "NOHE6", "OPTS6", "HOST", "CFTP", "NET", "SATNT",
    "KLAN", "RVD", "IPPC", "FS", "SATM", "VISA", "IPCV", "CPNX", "CPHB", "WSN", "PVP", "BSATM", "SUNND",
    "WBMON", "WBEXP", "ISOIP", "VMTP", "SVMTP", "VINES", "TTP", "NSIGP", "DGP", "TCF", "EIGRP", "OSPF",
    "S-RPC", "LARP", "MTP", "AX.25", "OS", "MICP", "SCCSP", "ETHIP", "ENCAP", "", "GMTP", "IFMP", "PNNI",
    "PIM", "ARIS", "SCPS", "QNX", "A/N", "IPcmp", "SNP", "CpqPP", "IPXIP", "VRRP", "PGM", "0hop", "L2TP",
    "DDX", "IATP", "STP", "SRP", "UTI", "SMP", "SM", "PTP", "ISIS4", "FIRE", "CRTP", "CRUDP", "", "IPLT",
    "SPS", "PIPE", "SCTP", "FC", "", "MHEAD", "UDP-L", "MPLS",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        assert_eq!(Protocol(6).to_string(), "TCP");
        assert_eq!(Protocol(99).to_string(), "99");
        assert_eq!(Protocol(200).to_string(), "200");
        assert_eq!(protocol_by_name("icmp6"), Some(58));
        assert_eq!(protocol_by_name("udp-l"), Some(136));
        assert_eq!(protocol_by_name("idpr"), Some(35));
        assert_eq!(protocol_by_name(""), None);
    }
}
