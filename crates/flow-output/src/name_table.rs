//! What exporters call their interfaces, VRFs and applications, and what own networks are called.

use flow_model::{ExporterInfo, NameInfo, NameKind, OwnNetworks};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

/// Names that exporters announced, and what stands where there is none, as nfdump has it: nothing where the files name no
/// thing of the kind at all.
#[derive(Debug, Default)]
pub struct NameTable {
    names: HashMap<Key, String>,
    interfaces: bool,
    vrfs: bool,
    hosts: HashMap<u16, IpAddr>,
    networks: Option<Arc<dyn OwnNetworks>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Thing {
    Interface,
    Vrf,
    Application,
}

/// Whose name it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Owner {
    /// That of one exporter.
    Exporter(u16),
    /// That of a device that exports more than one observation domain.
    Host(IpAddr),
    /// The files do not say.
    Unknown,
    /// That of every exporter which has a name for it.
    All,
}

/// Owner, kind, and the id in the form of [`NameInfo::id`].
type Key = (Owner, Thing, Vec<u8>);

/// Octets of a name that are shown.
const MAX_NAME: usize = 126;
/// Octets of an application's name and description that are shown.
const MAX_APPLICATION: usize = 254;

const NOT_FOUND: &str = " <ingress not found>";
const NO_INFO: &str = "<no info>";

impl NameTable {
    /// The names of a set of files. Of two for one thing the later counts; an interface without a name goes by its
    /// description.
    pub fn new(names: &[NameInfo], exporters: &[ExporterInfo]) -> NameTable {
        let hosts: HashMap<u16, IpAddr> = exporters.iter().map(|one| (one.sysid, one.addr)).collect();
        let mut told: BTreeMap<Key, [String; 2]> = BTreeMap::new();
        for name in names {
            let (thing, is_description) = match name.kind {
                NameKind::Interface => (Thing::Interface, false),
                NameKind::InterfaceDescription => (Thing::Interface, true),
                NameKind::Vrf => (Thing::Vrf, false),
                NameKind::Application => (Thing::Application, false),
                NameKind::ApplicationDescription => (Thing::Application, true),
                _ => continue,
            };
            let id = match thing {
                Thing::Application => name.id.clone(),
                Thing::Interface | Thing::Vrf => index(name.number()),
            };
            let owner = if name.exporter == 0 { Owner::Unknown } else { Owner::Exporter(name.exporter) };
            told.entry((owner, thing, id)).or_default()[usize::from(is_description)].clone_from(&name.name);
        }
        let mut table = NameTable { hosts, ..NameTable::default() };
        let mut ambiguous = Vec::new();
        for ((owner, thing, id), [name, description]) in told {
            let text = match thing {
                Thing::Application => application(&name, &description),
                Thing::Interface | Thing::Vrf => {
                    let name = if name.is_empty() { description } else { name };
                    format!(" {}", shown(&name, MAX_NAME))
                }
            };
            table.interfaces |= thing == Thing::Interface;
            table.vrfs |= thing == Thing::Vrf;
            if let Owner::Exporter(sysid) = owner
                && let Some(&host) = table.hosts.get(&sysid)
            {
                table.names.entry((Owner::Host(host), thing, id.clone())).or_insert_with(|| text.clone());
            }
            let of_all = table.names.entry((Owner::All, thing, id.clone())).or_insert_with(|| text.clone());
            if *of_all != text {
                ambiguous.push((Owner::All, thing, id.clone()));
            }
            table.names.insert((owner, thing, id), text);
        }
        for key in &ambiguous {
            table.names.remove(key);
        }
        table
    }

    /// The same with own networks.
    #[must_use]
    pub fn with_networks(self, networks: Option<Arc<dyn OwnNetworks>>) -> NameTable {
        NameTable { networks, ..self }
    }

    /// The name of an own network by its number; nothing where there is none.
    pub(crate) fn network(&self, number: u64) -> &str {
        self.networks.as_deref().map_or("", |networks| networks.name(number as u32))
    }

    /// The name of an interface, behind a blank.
    pub(crate) fn interface(&self, exporter: u64, interface: u64) -> &str {
        self.numbered(self.interfaces, exporter, Thing::Interface, interface)
    }

    /// The name of a VRF, behind a blank.
    pub(crate) fn vrf(&self, exporter: u64, vrf: u64) -> &str {
        self.numbered(self.vrfs, exporter, Thing::Vrf, vrf)
    }

    /// Name and description of an application.
    pub(crate) fn application(&self, exporter: u64, id: &[u8]) -> &str {
        self.find(exporter, Thing::Application, id.to_vec()).unwrap_or(NO_INFO)
    }

    fn numbered(&self, has_any: bool, exporter: u64, thing: Thing, number: u64) -> &str {
        if !has_any || number == 0 {
            return "";
        }
        self.find(exporter, thing, index(number)).unwrap_or(NOT_FOUND)
    }

    /// The name that the exporter has for it, or its device; for flows of several exporters, which have none, the name
    /// that is the same with all.
    fn find(&self, exporter: u64, thing: Thing, id: Vec<u8>) -> Option<&str> {
        let sysid = exporter as u16;
        let host = self.hosts.get(&sysid).map(|&host| Owner::Host(host));
        let owners = if sysid == 0 {
            [Some(Owner::All), None, None]
        } else {
            [Some(Owner::Exporter(sysid)), host, Some(Owner::Unknown)]
        };
        let mut key = (Owner::All, thing, id);
        owners.into_iter().flatten().find_map(|owner| {
            key.0 = owner;
            self.names.get(&key).map(String::as_str)
        })
    }
}

/// The id of a thing that has a number.
fn index(number: u64) -> Vec<u8> {
    (number as u32).to_be_bytes().to_vec()
}

fn application(name: &str, description: &str) -> String {
    let mut text = name.to_owned();
    if !description.is_empty() {
        text.push('/');
        text.push_str(description);
    }
    shown(&text, MAX_APPLICATION)
}

/// A name as far as it is shown, with dots for control characters.
fn shown(name: &str, max: usize) -> String {
    let dot = |char: char| if char.is_control() { '.' } else { char };
    name[..name.floor_char_boundary(max)].chars().map(dot).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::LossLedger;

    fn name(exporter: u16, kind: NameKind, id: &[u8], name: &str) -> NameInfo {
        NameInfo { exporter, kind, id: id.to_vec(), name: name.to_owned() }
    }

    fn exporter(sysid: u16, addr: [u8; 4]) -> ExporterInfo {
        ExporterInfo {
            sysid,
            version: 9,
            addr: addr.into(),
            domain: sysid.into(),
            ledger: LossLedger::default(),
        }
    }

    #[test]
    fn without_names_only_applications_say_so() {
        let table = NameTable::default();
        assert_eq!((table.interface(1, 7), table.vrf(1, 7)), ("", ""));
        assert_eq!(table.application(1, &[1, 2]), "<no info>");
    }

    #[test]
    fn names_are_those_of_the_exporter_or_its_device() {
        let names = [
            name(1, NameKind::Interface, &[0, 0, 0, 7], "Gi0/7"),
            name(1, NameKind::InterfaceDescription, &[0, 0, 0, 7], "uplink"),
            name(1, NameKind::InterfaceDescription, &[0, 0, 0, 8], "customers\tnorth"),
            name(3, NameKind::Interface, &[0, 0, 0, 7], "eth7"),
            name(3, NameKind::Interface, &[0, 0, 0, 9], "eth9"),
        ];
        let exporters =
            [exporter(1, [192, 0, 2, 1]), exporter(2, [192, 0, 2, 1]), exporter(3, [192, 0, 2, 3])];
        let table = NameTable::new(&names, &exporters);
        let of = |exporter, number| table.interface(exporter, number);
        assert_eq!((of(1, 7), of(1, 8), of(1, 9)), (" Gi0/7", " customers.north", " <ingress not found>"));
        assert_eq!((of(2, 7), of(3, 7), of(3, 8)), (" Gi0/7", " eth7", " <ingress not found>"));
        assert_eq!(of(1, 0), "", "no interface");
        assert_eq!((of(0, 7), of(0, 9)), (" <ingress not found>", " eth9"), "flows of several exporters");
        assert_eq!(table.vrf(1, 7), "", "no VRF has a name");
    }

    #[test]
    fn names_of_nobody_are_for_all() {
        let names = [
            name(0, NameKind::Vrf, &[0, 0, 0, 7], "red"),
            name(0, NameKind::Application, &[3, 0, 0, 80], "http"),
            name(0, NameKind::ApplicationDescription, &[3, 0, 0, 80], "World Wide Web"),
        ];
        let table = NameTable::new(&names, &[exporter(1, [192, 0, 2, 1])]);
        assert_eq!((table.vrf(1, 7), table.vrf(9, 7), table.vrf(0, 7)), (" red", " red", " red"));
        assert_eq!(table.vrf(1, 8), " <ingress not found>");
        assert_eq!(table.application(1, &[3, 0, 0, 80]), "http/World Wide Web");
        assert_eq!(table.application(1, &[3, 0, 0, 81]), "<no info>");
    }

    #[test]
    fn long_names_are_cut() {
        let long = "\u{e9}".repeat(200);
        let table = NameTable::new(&[name(1, NameKind::Interface, &[7], &long)], &[]);
        assert_eq!(table.interface(1, 7).len(), 1 + MAX_NAME);
    }
}
