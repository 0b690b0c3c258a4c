//! Names that an exporter announces for its interfaces, VRFs and applications.

use crate::Limits;
use crate::memory::Memory;
use flow_model::{NameInfo, NameKind};
use std::collections::BTreeMap;

/// The names that one exporter has announced.
#[derive(Debug, Default)]
pub(crate) struct Names {
    by_kind: [BTreeMap<Box<[u8]>, Box<str>>; NameKind::ALL.len()],
    count: usize,
}

/// Octets that a name occupies beside itself and its id.
const ENTRY: usize = 64;

impl Names {
    /// Keeps or replaces a name; false when there is no room for it.
    pub(crate) fn announce(
        &mut self,
        kind: NameKind,
        id: &[u8],
        name: &str,
        limits: &Limits,
        memory: &mut Memory,
    ) -> bool {
        let Some(names) = self.by_kind.get_mut(index(kind)) else { return false };
        if let Some(known) = names.get_mut(id) {
            if **known == *name {
                return true;
            }
            memory.release_names(known.len());
            if memory.charge_names(name.len(), limits) {
                *known = name.into();
                return true;
            }
            // What it was called before it is called no longer.
            memory.release_names(ENTRY + id.len());
            names.remove(id);
            self.count -= 1;
            return false;
        }
        let fits = self.count < limits.names_per_exporter
            && memory.charge_names(ENTRY + id.len() + name.len(), limits);
        if fits {
            names.insert(id.into(), name.into());
            self.count += 1;
        }
        fits
    }

    /// Every name of exporter `sysid`, ordered by kind and id.
    pub(crate) fn list(&self, sysid: u16) -> impl Iterator<Item = NameInfo> {
        NameKind::ALL.into_iter().zip(&self.by_kind).flat_map(move |(kind, names)| {
            names.iter().map(move |(id, name)| NameInfo {
                exporter: sysid,
                kind,
                id: id.to_vec(),
                name: name.as_ref().to_owned(),
            })
        })
    }

    /// How many names there are of each kind.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (NameKind, usize)> {
        NameKind::ALL.into_iter().zip(self.by_kind.iter().map(BTreeMap::len))
    }
}

fn index(kind: NameKind) -> usize {
    NameKind::ALL.iter().position(|&known| known == kind).unwrap_or(NameKind::ALL.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_replaced_and_bounded() {
        let (mut names, mut memory) = (Names::default(), Memory::default());
        let limits = Limits { names_per_exporter: 2, names_len_bytes: 200, ..Limits::default() };
        let mut announce = |kind, id: u8, name: &str| names.announce(kind, &[id], name, &limits, &mut memory);
        assert!(announce(NameKind::Vrf, 1, "red"));
        assert!(announce(NameKind::Interface, 1, "eth0"));
        assert!(!announce(NameKind::Interface, 2, "eth1"));
        assert!(announce(NameKind::Vrf, 1, "blue"));
        assert!(!announce(NameKind::Vrf, 1, &"x".repeat(100)));
        assert!(announce(NameKind::Interface, 2, "eth1"));
        let list: Vec<_> =
            names.list(7).map(|name| (name.exporter, name.kind, name.number(), name.name)).collect();
        let expected =
            [(7, NameKind::Interface, 1, "eth0".to_owned()), (7, NameKind::Interface, 2, "eth1".to_owned())];
        assert_eq!((list, memory.used()), (expected.to_vec(), 2 * (ENTRY + 1 + 4)));
        assert_eq!(names.counts().map(|(_, count)| count).collect::<Vec<_>>(), [2, 0, 0, 0, 0]);
    }
}
