//! Layout 1: extension maps, which say in which order the extensions of a flow record stand.

use super::findings::Findings;
use super::layout::{Records, record, u16_at};
use crate::error::Damage;
use std::sync::Arc;

/// An extension map.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ExtensionMap {
    /// The ids of the extensions in the order of their data.
    pub(super) extensions: Vec<u16>,
}

impl ExtensionMap {
    /// The number of a map and the map.
    pub(super) fn parse(record: &[u8]) -> Result<(u16, ExtensionMap), Damage> {
        let (ids, _) = record.get(IDS..).unwrap_or_default().as_chunks();
        let extensions: Vec<u16> =
            ids.iter().map(|&id| u16::from_le_bytes(id)).take_while(|&id| id != 0).take(MOST + 1).collect();
        if extensions.len() > MOST {
            let (what, limit) = ("number of extensions of a map", MOST as u64);
            return Err(Damage::TooLarge { what, found: extensions.len() as u64, limit });
        }
        Ok((u16_at(record, NUMBER), ExtensionMap { extensions }))
    }
}

/// What a block leaves to the blocks behind it: of each number, the last map.
#[derive(Debug, Default)]
pub(super) struct BlockMaps(Vec<(u16, Arc<ExtensionMap>)>);

impl BlockMaps {
    /// Gathers the maps of a block, as many as fit into `budget` octets.
    pub(super) fn gather(data: &[u8], budget: usize) -> BlockMaps {
        let mut maps = Vec::new();
        let mut spent = 0;
        for entry in Records::new(data).map_while(Result::ok) {
            if entry.kind == record::EXTENSION_MAP
                && let Ok((number, map)) = ExtensionMap::parse(entry.octets)
            {
                spent += MAP_COST + 2 * map.extensions.len();
                if spent > budget {
                    break;
                }
                maps.push((number, Arc::new(map)));
            }
        }
        // Stable: of equal numbers, the last one in the block comes last.
        maps.sort_by_key(|&(number, _)| number);
        maps.reverse();
        maps.dedup_by_key(|&mut (number, _)| number);
        maps.reverse();
        BlockMaps(maps)
    }

    /// The map with a number.
    pub(super) fn get(&self, number: u16) -> Option<&Arc<ExtensionMap>> {
        let at = self.0.binary_search_by_key(&number, |&(number, _)| number).ok()?;
        self.0.get(at).map(|(_, map)| map)
    }
}

/// What the maps of a block may occupy: those of a whole file together at most 64 MiB, which is a thousand times what a
/// collector with hundreds of exporters writes.
pub(super) fn budget(blocks: usize) -> usize {
    const WHOLE_FILE: usize = 64 << 20;
    WHOLE_FILE / blocks.max(1)
}

/// Reports maps that later blocks will not know.
pub(super) fn check_budget(data: &[u8], budget: usize, findings: &mut Findings) {
    let maps = Records::new(data).map_while(Result::ok).filter(|entry| entry.kind == record::EXTENSION_MAP);
    let spent: usize = maps.map(|entry| MAP_COST + entry.octets.len()).sum();
    if spent > budget {
        let (found, limit) = (spent as u64, budget as u64);
        findings.block(Damage::TooLarge { what: "size of the extension maps", found, limit });
    }
}

/// Where in a record its number and the ids stand.
const NUMBER: usize = 4;
const IDS: usize = 8;

/// The most extensions a map may have: many times more than there are.
const MOST: usize = 256;

/// What a map occupies beside its ids.
const MAP_COST: usize = 64;
