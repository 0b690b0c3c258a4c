//! Sources: which exporter's flows go into which directory, under which name.
//!
//! A **source** is an ident and a [spool](crate::spool); every flow of an exporter goes to one of them. The
//! [`SourceTable`] says to which: the one with the longest prefix that the exporter's address has, or else the one
//! for any address. Everything behind the table (decoder state, blocks, files) exists once per source.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;

use crate::spool::Spool;

/// Sources that there may be unless told otherwise. Each takes a few open files and some hundred KB of memory.
pub const DEFAULT_MAX_SOURCES: usize = 10_000;

/// A source as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceOptions {
    /// Name of the source, stored in every file.
    pub ident: String,
    /// Its data directory.
    pub directory: PathBuf,
    /// Whose datagrams are for it; any exporter's if `None`.
    pub network: Option<IpNet>,
}

/// Where the flows of which exporter go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sources {
    /// To these, and nowhere else.
    Listed(Vec<SourceOptions>),
    /// Each exporter's into a directory of its own below this one, named after its address.
    Dynamic(PathBuf),
}

/// A source at work: an ident and a directory that is ours.
#[derive(Debug)]
pub(crate) struct Source {
    /// Its place in all tables, from 0.
    pub(crate) number: usize,
    pub(crate) ident: String,
    pub(crate) spool: Spool,
}

/// Finds the source of an exporter by its address.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceTable {
    /// Prefix lengths that occur, longest first; IPv4's and IPv6's.
    lengths: [Vec<u8>; 2],
    by_network: HashMap<IpNet, usize>,
    any: Option<usize>,
}

impl SourceTable {
    /// Sends the exporters of a network, or all others, to source `number`. Of two entries for one network the first
    /// counts, as in nfcapd.
    pub(crate) fn add(&mut self, network: Option<IpNet>, number: usize) {
        let Some(network) = network else {
            self.any.get_or_insert(number);
            return;
        };
        let network = network.trunc();
        let lengths = &mut self.lengths[usize::from(network.addr().is_ipv6())];
        if let Err(place) = lengths.binary_search_by(|length| network.prefix_len().cmp(length)) {
            lengths.insert(place, network.prefix_len());
        }
        self.by_network.entry(network).or_insert(number);
    }

    /// The source of an exporter.
    pub(crate) fn find(&self, exporter: IpAddr) -> Option<usize> {
        let lengths = &self.lengths[usize::from(exporter.is_ipv6())];
        let listed = lengths.iter().find_map(|&length| {
            let network = IpNet::new(exporter, length).ok()?.trunc();
            self.by_network.get(&network).copied()
        });
        listed.or(self.any)
    }
}

/// The name of a dynamic source: the exporter's address with dashes, as nfcapd calls it.
pub(crate) fn dynamic_name(exporter: IpAddr) -> String {
    exporter.to_string().replace(['.', ':'], "-")
}

/// The exporter whose [`dynamic_name`] this is.
pub(crate) fn dynamic_address(name: &str) -> Option<IpAddr> {
    let parsed = [".", ":"].iter().find_map(|separator| name.replace('-', separator).parse().ok())?;
    // Only the spelling that we would choose: two names of one address would be two sources of it.
    (dynamic_name(parsed) == name).then_some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(entries: &[(&str, usize)]) -> SourceTable {
        let mut table = SourceTable::default();
        for &(network, number) in entries {
            table.add(network.parse().ok(), number);
        }
        table
    }

    #[test]
    fn the_longest_prefix_decides_and_the_first_of_equals() {
        let table = table(&[
            ("10.0.0.0/8", 0),
            ("10.1.0.0/16", 1),
            ("10.1.2.3/32", 2),
            ("10.1.2.3/32", 3),
            ("2001:db8::/32", 4),
            ("::/0", 5),
            ("10.9.9.9/8", 6),
        ]);
        let find = |address: &str| table.find(address.parse().unwrap());
        assert_eq!(find("10.1.2.3"), Some(2));
        assert_eq!(find("10.1.2.4"), Some(1));
        assert_eq!(find("10.2.0.1"), Some(0));
        assert_eq!(find("11.0.0.1"), None, "::/0 is IPv6");
        assert_eq!(find("2001:db8::1"), Some(4));
        assert_eq!(find("fe80::1"), Some(5));
    }

    #[test]
    fn any_takes_what_is_left() {
        let mut table = table(&[("192.0.2.1/32", 1)]);
        table.add(None, 0);
        assert_eq!(table.find("192.0.2.1".parse().unwrap()), Some(1));
        assert_eq!(table.find("192.0.2.2".parse().unwrap()), Some(0));
        assert_eq!(table.find("::1".parse().unwrap()), Some(0));
    }

    #[test]
    fn dynamic_names_are_nfcapds_and_lead_back() {
        for (address, name) in
            [("127.0.0.1", "127-0-0-1"), ("2001:db8::7", "2001-db8--7"), ("::1", "--1"), ("fe80::", "fe80--")]
        {
            let address: IpAddr = address.parse().unwrap();
            assert_eq!(dynamic_name(address), name);
            assert_eq!(dynamic_address(name), Some(address));
        }
        for name in ["router", "2001-DB8--7", "10-0-0", "10-0-0-1-2", "", "-"] {
            assert_eq!(dynamic_address(name), None, "{name}");
        }
    }
}
