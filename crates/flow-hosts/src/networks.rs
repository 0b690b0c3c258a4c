//! The list of own networks, and the network of an address.

use flow_model::OwnNetworks;
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::IpAddr;

/// So many networks a list may have: ten times what a large provider has customers, and some hundred megabytes of memory.
pub const MAX_NETWORKS: usize = 1_000_000;

/// The longest name of a network, in octets.
const MAX_NAME: usize = 255;

/// The fields that may stand in front of a network: label, next hop, and numbers of AS.
const MAX_FIELDS: usize = 3;

/// Own networks: any number of them, in and beside each other.
#[derive(Clone, Debug, Default)]
pub struct Networks {
    list: Vec<Network>,
    /// By network: the number of its name.
    numbers: Vec<u32>,
    /// The numbers of the names, from 1.
    names: HashMap<Box<str>, u32>,
    /// By number, less 1: the first network of that name.
    firsts: Vec<u32>,
    v4: Spans<u32>,
    v6: Spans<u128>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    net: IpNet,
    name: Box<str>,
}

/// A line that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct LineError {
    /// Its number, the first line being 1.
    pub line: usize,
    /// What is wrong with it.
    pub problem: LineProblem,
}

/// What may be wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LineProblem {
    /// No network where one belongs.
    #[error("`{0}` is no network, such as 192.0.2.0/24 or 2001:db8::/32")]
    NotANetwork(String),
    /// Something else where the number of an AS belongs.
    #[error("`{0}` is no number of an AS")]
    NotAnAs(String),
    /// Something else where an address belongs.
    #[error("`{0}` is no address of a next hop")]
    NotANextHop(String),
    /// A name that is too long, or has control characters.
    #[error("a name has up to {MAX_NAME} bytes, none of them a control character")]
    Name,
    /// A network that had another name before.
    #[error("{net} is called `{name}` in line {line} already")]
    Renamed {
        /// The network.
        net: IpNet,
        /// Its name there.
        name: String,
        /// That line.
        line: usize,
    },
    /// One network too many.
    #[error("more than {MAX_NETWORKS} networks")]
    TooMany,
}

impl Networks {
    /// Reads a list: the networks of the lines that can be used, and what is wrong with the others.
    ///
    /// Each line has a network: a prefix, whatever bits stand behind it, or a single address. As in pmacct,
    /// `LABEL,NEXT-HOP,AS,` may stand in front of it, or the latter two, or the last one, each of them may be empty, and lines
    /// that begin with `!` or `#` are comments. Behind a blank, a name may follow, which goes before the label; a network
    /// without either is called as it is written. Next hops and numbers of AS are checked and mean nothing further.
    pub fn parse(text: &str) -> (Networks, Vec<LineError>) {
        let mut networks: Vec<Network> = Vec::new();
        let mut lines: HashMap<IpNet, (usize, usize)> = HashMap::new();
        let mut problems = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.trim();
            if is_comment(text) {
                continue;
            }
            let network = match Network::parse(text) {
                Ok(network) => network,
                Err(problem) => {
                    problems.push(LineError { line, problem });
                    continue;
                }
            };
            if let Some(&(index, line_before)) = lines.get(&network.net) {
                let Network { net, name } = &networks[index];
                if *name != network.name {
                    let problem =
                        LineProblem::Renamed { net: *net, name: name.to_string(), line: line_before };
                    problems.push(LineError { line, problem });
                }
                continue;
            }
            if networks.len() == MAX_NETWORKS {
                problems.push(LineError { line, problem: LineProblem::TooMany });
                break;
            }
            lines.insert(network.net, (networks.len(), line));
            networks.push(network);
        }
        (Networks::new(networks), problems)
    }

    fn new(networks: Vec<Network>) -> Networks {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (index, network) in (0..).zip(&networks) {
            match network.net {
                IpNet::V4(net) => {
                    v4.push(Span { first: net.network().into(), last: net.broadcast().into(), index });
                }
                IpNet::V6(net) => {
                    v6.push(Span { first: net.network().into(), last: net.broadcast().into(), index });
                }
            }
        }
        let v4 = Spans::new(v4, |last: u32| last.checked_add(1));
        let v6 = Spans::new(v6, |last: u128| last.checked_add(1));
        let mut names: HashMap<Box<str>, u32> = HashMap::new();
        let mut firsts = Vec::new();
        let numbers = (0..).zip(&networks).map(|(index, network)| {
            *names.entry(network.name.clone()).or_insert_with(|| {
                firsts.push(index);
                firsts.len() as u32
            })
        });
        let numbers = numbers.collect();
        Networks { list: networks, numbers, names, firsts, v4, v6 }
    }

    fn index_of(&self, addr: IpAddr) -> Option<u32> {
        match addr {
            IpAddr::V4(addr) => self.v4.index_at(addr.into()),
            IpAddr::V6(addr) => self.v6.index_at(addr.into()),
        }
    }

    /// The network with the longest prefix in which an address lies.
    pub fn of(&self, addr: IpAddr) -> Option<&Network> {
        self.list.get(self.index_of(addr)? as usize)
    }

    /// All of them, in the order of the list.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Network> {
        self.list.iter()
    }
}

impl OwnNetworks for Networks {
    fn number_of(&self, addr: IpAddr) -> u32 {
        self.index_of(addr).map_or(0, |index| self.numbers[index as usize])
    }

    fn name(&self, number: u32) -> &str {
        let first = number.checked_sub(1).and_then(|index| self.firsts.get(index as usize));
        first.map_or("", |&first| self.list[first as usize].name())
    }

    fn number_called(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }
}

impl Network {
    /// The network.
    pub fn net(&self) -> IpNet {
        self.net
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn parse(line: &str) -> Result<Network, LineProblem> {
        // Where the network stands is where the first one does: commas behind it belong to its name.
        let mut rest = line;
        let mut fields = Vec::new();
        let (net, name) = loop {
            let (word, name) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            if let Some(net) = network(word) {
                break (net, name.trim_start());
            }
            match rest.split_once(',') {
                Some((field, behind)) if fields.len() < MAX_FIELDS => {
                    fields.push(field.trim());
                    rest = behind.trim_start();
                }
                _ => return Err(LineProblem::NotANetwork(shortened(rest))),
            }
        };
        let asn = fields.pop().unwrap_or_default();
        if !asn.is_empty() && asn.split('_').count() > 2
            || asn.split('_').any(|number| !asn.is_empty() && number.parse::<u32>().is_err())
        {
            return Err(LineProblem::NotAnAs(shortened(asn)));
        }
        let next_hop = fields.pop().unwrap_or_default();
        if !next_hop.is_empty() && next_hop.parse::<IpAddr>().is_err() {
            return Err(LineProblem::NotANextHop(shortened(next_hop)));
        }
        let label = fields.pop().unwrap_or_default();
        // A mark of comments behind the network begins one there, too.
        let name = match (is_comment(name), label) {
            (false, _) => name.to_owned(),
            (true, "") => net.to_string(),
            (true, label) => label.to_owned(),
        };
        if name.len() > MAX_NAME || name.contains(char::is_control) {
            return Err(LineProblem::Name);
        }
        Ok(Network { net, name: name.into() })
    }
}

fn is_comment(text: &str) -> bool {
    text.is_empty() || text.starts_with(['!', '#'])
}

/// A prefix without the bits behind it; an address is one of full length.
fn network(text: &str) -> Option<IpNet> {
    let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse::<IpNet>().ok().map(|net| net.trunc()).or_else(address)
}

/// What is quoted of a line.
fn shortened(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_default).collect()
}

/// A network's addresses.
#[derive(Clone, Copy)]
struct Span<A> {
    first: A,
    last: A,
    index: u32,
}

/// Where the network changes when addresses are walked upwards: networks in networks laid flat.
#[derive(Clone, Debug, Default)]
struct Spans<A> {
    /// Ascending.
    firsts: Vec<A>,
    /// The network from there on.
    indexes: Vec<Option<u32>>,
}

impl<A: Copy + Ord> Spans<A> {
    /// Of networks, of which one lies completely inside of another if they have any address in common.
    fn new(mut spans: Vec<Span<A>>, behind: impl Fn(A) -> Option<A>) -> Spans<A> {
        spans.sort_unstable_by_key(|span| (span.first, std::cmp::Reverse(span.last)));
        let mut flat = Spans { firsts: Vec::new(), indexes: Vec::new() };
        let mut open: Vec<Span<A>> = Vec::new();
        for span in spans {
            flat.close(&mut open, &behind, Some(span.first));
            flat.change(span.first, Some(span.index));
            open.push(span);
        }
        flat.close(&mut open, &behind, None);
        flat
    }

    /// Ends the open networks that end in front of an address; `None` is behind all of them.
    fn close(&mut self, open: &mut Vec<Span<A>>, behind: impl Fn(A) -> Option<A>, next: Option<A>) {
        while let Some(inner) = open.pop_if(|inner| next.is_none_or(|next| inner.last < next)) {
            if let Some(first) = behind(inner.last) {
                self.change(first, open.last().map(|outer| outer.index));
            }
        }
    }

    fn change(&mut self, first: A, index: Option<u32>) {
        if self.firsts.last() == Some(&first) {
            self.firsts.pop();
            self.indexes.pop();
        }
        self.firsts.push(first);
        self.indexes.push(index);
    }

    fn index_at(&self, addr: A) -> Option<u32> {
        let at = self.firsts.partition_point(|&first| first <= addr).checked_sub(1)?;
        self.indexes[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn names(text: &str) -> Vec<(String, String)> {
        let (networks, problems) = Networks::parse(text);
        assert_eq!(problems, [], "{text}");
        networks.iter().map(|network| (network.net().to_string(), network.name().to_owned())).collect()
    }

    fn problem(line: &str) -> String {
        let (networks, problems) = Networks::parse(line);
        assert_eq!((networks.iter().len(), problems.len()), (0, 1), "{line}");
        problems[0].to_string()
    }

    #[test]
    fn every_form_of_pmacct_is_read() {
        let text = "!\n# list\n\n  ! indented\n192.168.95.0/24\n65500,192.168.1.0/24\n64512_65501,192.168.2.0/25\n\
                    10.0.0.1,65502,192.168.4.0/23\nCustID#1,,,192.168.8.0/24\r\n2001:db8::/32\n65500,2001:db8:1::/48\n";
        let plain = |net: &str| (net.to_owned(), net.to_owned());
        let expected = [
            plain("192.168.95.0/24"),
            plain("192.168.1.0/24"),
            plain("192.168.2.0/25"),
            plain("192.168.4.0/23"),
            ("192.168.8.0/24".to_owned(), "CustID#1".to_owned()),
            plain("2001:db8::/32"),
            plain("2001:db8:1::/48"),
        ];
        assert_eq!(names(text), expected);
    }

    #[test]
    fn names_stand_behind_the_network_and_go_before_labels() {
        for (line, net, name) in [
            ("10.0.0.0/8 Smith, John & Sons", "10.0.0.0/8", "Smith, John & Sons"),
            ("65500,10.0.0.0/8\tOffice", "10.0.0.0/8", "Office"),
            ("old label,,65500, 10.0.0.0/8 new", "10.0.0.0/8", "new"),
            ("old label,,,10.0.0.0/8 # new", "10.0.0.0/8", "old label"),
            ("10.0.0.0/8 ! remark", "10.0.0.0/8", "10.0.0.0/8"),
            ("10.9.8.7/8", "10.0.0.0/8", "10.0.0.0/8"),
            ("192.0.2.7 printer", "192.0.2.7/32", "printer"),
            ("2001:db8::7", "2001:db8::7/128", "2001:db8::7/128"),
        ] {
            assert_eq!(names(line), [(net.to_owned(), name.to_owned())], "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_the_line() {
        let no_network =
            |text| format!("line 1: `{text}` is no network, such as 192.0.2.0/24 or 2001:db8::/32");
        assert_eq!(problem("10.0.0.0/33"), no_network("10.0.0.0/33"));
        assert_eq!(problem("10.0.0/8"), no_network("10.0.0/8"));
        assert_eq!(problem("65500,"), no_network(""));
        assert_eq!(problem("a,,,,10.0.0.0/8"), no_network(",10.0.0.0/8"));
        assert_eq!(problem("\u{1b}[2J"), no_network("\\u{1b}[2J"));
        assert_eq!(problem("AS1,10.0.0.0/8"), "line 1: `AS1` is no number of an AS");
        assert_eq!(problem("1_2_3,10.0.0.0/8"), "line 1: `1_2_3` is no number of an AS");
        assert_eq!(problem("x,1,10.0.0.0/8"), "line 1: `x` is no address of a next hop");
        assert!(problem("10.0.0.0/8 a\u{7}b").contains("control character"));
        assert!(problem(&format!("10.0.0.0/8 {}", "x".repeat(256))).contains("255"));
    }

    #[test]
    fn the_other_lines_are_used() {
        let (networks, problems) = Networks::parse("10.0.0.0/8\nnonsense\n192.0.2.0/24\n");
        assert_eq!(networks.iter().len(), 2);
        assert_eq!(problems.iter().map(|error| error.line).collect::<Vec<_>>(), [2]);
    }

    #[test]
    fn a_network_has_one_name() {
        let (networks, problems) = Networks::parse("10.0.0.0/8 a\n\n10.1.0.0/8 b\n10.0.0.0/8 a\n");
        assert_eq!(networks.iter().len(), 1);
        assert_eq!(
            problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["line 3: 10.0.0.0/8 is called `a` in line 1 already"]
        );
    }

    #[test]
    fn networks_of_one_name_have_one_number() {
        let (networks, _) = Networks::parse("10.0.0.0/8 home\n192.0.2.0/24 shop\n2001:db8::/32 home\n");
        let numbers = ["10.1.1.1", "192.0.2.1", "2001:db8::1", "198.51.100.1"]
            .map(|addr| networks.number_of(addr.parse().unwrap()));
        assert_eq!(numbers, [1, 2, 1, 0]);
        assert_eq!([0, 1, 2, 3].map(|number| networks.name(number)), ["", "home", "shop", ""]);
        assert_eq!(
            ["home", "shop", "Shop"].map(|name| networks.number_called(name)),
            [Some(1), Some(2), None]
        );
    }

    #[test]
    fn the_whole_of_a_family_is_a_network() {
        let (networks, _) = Networks::parse("0.0.0.0/0 all\n255.255.255.255 last\n::/0 all6\n");
        let name = |addr: &str| networks.of(addr.parse().unwrap()).map(Network::name);
        assert_eq!(name("0.0.0.0"), Some("all"));
        assert_eq!(name("255.255.255.254"), Some("all"));
        assert_eq!(name("255.255.255.255"), Some("last"));
        assert_eq!(name("ffff::"), Some("all6"));
        assert_eq!(name("::ffff:10.0.0.1"), Some("all6"), "IPv4 addresses in IPv6 are addresses of IPv6");
        assert!(Networks::default().of(Ipv4Addr::LOCALHOST.into()).is_none());
    }

    #[test]
    fn a_hundred_thousand_networks() {
        let net = |number: u32| Ipv4Addr::from(number << 12);
        let lines: Vec<String> = (0..100_000).map(|number| format!("{}/20 n{number}", net(number))).collect();
        let text = lines.join("\n");
        let (networks, problems) = Networks::parse(&text);
        assert_eq!((networks.iter().len(), problems.len()), (100_000, 0));
        for number in [0, 1, 4711, 99_999] {
            let last = Ipv4Addr::from((number << 12) + 4_095);
            assert_eq!(networks.of(last.into()).map(Network::name), Some(format!("n{number}").as_str()));
        }
        assert_eq!(networks.of(net(100_000).into()), None);
    }

    fn naive(networks: &Networks, addr: IpAddr) -> Option<&Network> {
        let inside = networks.iter().filter(|network| network.net().contains(&addr));
        inside.max_by_key(|network| network.net().prefix_len())
    }

    /// Addresses close together, so that networks lie in each other.
    fn addr(bits: u8, v6: bool) -> IpAddr {
        if v6 {
            Ipv6Addr::from(0x2001_0db8 << 96 | u128::from(bits)).into()
        } else {
            Ipv4Addr::from(0xc000_0200 | u32::from(bits)).into()
        }
    }

    proptest! {
        #[test]
        fn longest_prefix_as_the_naive_search_finds_it(
            prefixes in prop::collection::vec((any::<u8>(), 0_u8..=12, any::<bool>()), 0..40),
        ) {
            let line = |&(bits, len, v6): &(u8, u8, bool)| {
                let whole = if v6 { 128 } else { 32 };
                format!("{}/{}", addr(bits, v6), whole - len.min(whole))
            };
            let lines: Vec<String> = prefixes.iter().map(line).collect();
            let (networks, problems) = Networks::parse(&lines.join("\n"));
            prop_assert!(problems.is_empty());
            for v6 in [false, true] {
                for bits in 0..=255 {
                    let addr = addr(bits, v6);
                    prop_assert_eq!(networks.of(addr), naive(&networks, addr), "{}", addr);
                }
            }
            let outside: IpAddr = Ipv4Addr::new(198, 51, 100, 1).into();
            prop_assert_eq!(networks.of(outside), naive(&networks, outside));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9a-f.:/,_ #!\n]{0,60}|\\PC{0,30}") {
            let (networks, problems) = Networks::parse(&text);
            prop_assert!(networks.iter().len() + problems.len() <= text.lines().count());
        }
    }
}
