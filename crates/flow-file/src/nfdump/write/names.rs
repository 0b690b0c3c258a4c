//! Names of interfaces, VRFs and applications as records of layout 2: one table for the whole file, whoever announced them.

use crate::nfdump::layout::{MAX_RECORD, record};
use flow_model::{NameInfo, NameKind};
use std::collections::{BTreeMap, BTreeSet};

/// The names that a file has.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// By what is named and its id.
    known: BTreeMap<(NameKind, Vec<u8>), String>,
}

/// Names that are not yet in the file, by the table they belong to.
#[derive(Debug, Default)]
pub(super) struct NewNames {
    interfaces: Vec<(Vec<u8>, String)>,
    vrfs: Vec<(Vec<u8>, String)>,
    /// By the length of their ids: name and description.
    applications: BTreeMap<usize, BTreeMap<Vec<u8>, (String, String)>>,
}

impl Names {
    /// Those of `names` that the file lacks and the layout has a place for: of two names for one thing the first stays.
    pub(super) fn news(&self, names: &[NameInfo]) -> NewNames {
        let mut news = NewNames::default();
        let mut taken = BTreeSet::new();
        for NameInfo { kind, id, name, .. } in names {
            let is_number = id.len() == 4;
            let key = (*kind, id.clone());
            if name.len() > MAX_NAME
                || name.contains('\0')
                || self.known.contains_key(&key)
                || !taken.insert(key)
            {
                continue;
            }
            match kind {
                NameKind::Interface if is_number => news.interfaces.push((id.clone(), name.clone())),
                NameKind::Vrf if is_number => news.vrfs.push((id.clone(), name.clone())),
                NameKind::Application | NameKind::ApplicationDescription
                    if id.len() <= MAX_APPLICATION_ID =>
                {
                    let (of_name, of_description) =
                        news.applications.entry(id.len()).or_default().entry(id.clone()).or_default();
                    let text = if *kind == NameKind::Application { of_name } else { of_description };
                    text.clone_from(name);
                }
                _ => {}
            }
        }
        // An application has one entry: what is already known of it stands in the new one too.
        for (id, (name, description)) in news.applications.values_mut().flatten() {
            let known = |kind| self.known.get(&(kind, id.clone())).cloned();
            if name.is_empty() {
                *name = known(NameKind::Application).unwrap_or_default();
            }
            if description.is_empty() {
                *description = known(NameKind::ApplicationDescription).unwrap_or_default();
            }
        }
        news
    }

    /// Remembers what has been written.
    pub(super) fn extend(&mut self, news: NewNames) {
        let of = |kind: NameKind, names: Vec<(Vec<u8>, String)>| {
            names.into_iter().map(move |(id, name)| ((kind, id), name))
        };
        self.known.extend(of(NameKind::Interface, news.interfaces));
        self.known.extend(of(NameKind::Vrf, news.vrfs));
        for (id, (name, description)) in news.applications.into_values().flatten() {
            self.known.extend([
                ((NameKind::Application, id.clone()), name),
                ((NameKind::ApplicationDescription, id), description),
            ]);
        }
    }

    /// How many of `names` the file does not have.
    pub(super) fn missing(&self, names: &[NameInfo]) -> u64 {
        let is_missing = |name: &&NameInfo| {
            self.known.get(&(name.kind, name.id.clone())).is_none_or(|known| *known != name.name)
        };
        names.iter().filter(is_missing).count() as u64
    }
}

impl NewNames {
    /// The records of these names.
    pub(super) fn records(&self) -> Vec<Vec<u8>> {
        let mut records = Vec::new();
        for (kind, names) in [(record::INTERFACE_NAMES, &self.interfaces), (record::VRF_NAMES, &self.vrfs)] {
            let name_len = names.iter().map(|(_, name)| name.len()).max().unwrap_or(0) + 1;
            let element_len = (4 + name_len).next_multiple_of(4);
            let name_len = element_len - 4;
            for names in names.chunks((MAX_RECORD - ARRAY_HEADER_LEN - 4) / element_len) {
                let mut out = array(kind, names.len(), element_len, &(name_len as u32).to_le_bytes());
                for (id, name) in names {
                    // In network order in the name's id.
                    out.extend(id.iter().rev());
                    put_text(name, name_len, &mut out);
                }
                records.push(out);
            }
        }
        for (&id_len, applications) in &self.applications {
            let longest = |text: fn(&(String, String)) -> &String| {
                applications.values().map(|texts| text(texts).len()).max().unwrap_or(0) + 1
            };
            let (name_len, description_len) = (longest(|(name, _)| name), longest(|(_, text)| text));
            let element_len = (id_len + name_len + description_len).next_multiple_of(4);
            let mut lens = Vec::new();
            for len in [id_len, name_len, description_len] {
                lens.extend_from_slice(&(len as u16).to_le_bytes());
            }
            let entries: Vec<_> = applications.iter().collect();
            for entries in entries.chunks((MAX_RECORD - ARRAY_HEADER_LEN - lens.len()) / element_len) {
                let mut out = array(record::NBAR, entries.len(), element_len, &lens);
                for (id, (name, description)) in entries {
                    let end = out.len() + element_len;
                    out.extend_from_slice(id);
                    put_text(name, name_len, &mut out);
                    put_text(description, description_len, &mut out);
                    out.resize(end, 0);
                }
                records.push(out);
            }
        }
        records
    }
}

/// Longer names than anybody gives are left out, so that an element of a table stays small.
const MAX_NAME: usize = 255;

/// Ids of applications have four octets in practice, and up to eight by RFC 6759.
const MAX_APPLICATION_ID: usize = 32;

/// Type, size, number of elements and their size.
const ARRAY_HEADER_LEN: usize = 8;

/// The start of a record with `count` elements.
fn array(kind: u16, count: usize, element_len: usize, more: &[u8]) -> Vec<u8> {
    let len = ARRAY_HEADER_LEN + more.len() + count * element_len;
    let mut out = Vec::with_capacity(len);
    for num in [kind, len as u16, count as u16, element_len as u16] {
        out.extend_from_slice(&num.to_le_bytes());
    }
    out.extend_from_slice(more);
    out
}

fn put_text(text: &str, len: usize, out: &mut Vec<u8>) {
    let end = out.len() + len;
    out.extend_from_slice(text.as_bytes());
    out.resize(end, 0);
}
