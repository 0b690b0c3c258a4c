//! Putting items into the order of their standing, in memory or by merging sorted runs of a file.

use super::{Memory, Spill};
use crate::QueryError;
use crate::topn::Standing;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

/// Collects items: a standing, and octets that say the rest. Items of equal standing go by their octets.
#[derive(Debug)]
pub(crate) struct Sorter {
    memory: Memory,
    spill: Arc<Spill>,
    items: Vec<Item>,
    octets: Vec<u8>,
    runs: Vec<Run>,
    len: u64,
}

/// An item in memory: its standing, and where its octets start and end.
type Item = (Standing, u32, u32);

/// Sorted items in a file, each as standing, count of octets, octets.
#[derive(Clone, Debug)]
struct Run {
    spill: Arc<Spill>,
    offset: u64,
    len: u64,
}

/// Octets of an item in a file, without its own: a standing and their count.
const HEAD: usize = Standing::OCTETS + 4;

impl Sorter {
    /// Collects in so much memory.
    pub(crate) fn new(memory: Memory) -> Sorter {
        let spill = Arc::new(memory.spill());
        Sorter { memory, spill, items: Vec::new(), octets: Vec::new(), runs: Vec::new(), len: 0 }
    }

    /// Adds an item of less than 2^31 octets.
    ///
    /// # Errors
    /// When memory and the disk are full.
    #[inline]
    pub(crate) fn push(&mut self, standing: Standing, octets: &[u8]) -> Result<(), QueryError> {
        let start = self.octets.len() as u32;
        self.octets.extend_from_slice(octets);
        self.items.push((standing, start, self.octets.len() as u32));
        self.len += 1;
        self.relieve()
    }

    /// Adds everything another one collected.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(crate) fn merge(&mut self, other: Sorter) -> Result<(), QueryError> {
        self.runs.extend(other.runs);
        self.len += other.len;
        if self.runs.len() > MOST_RUNS {
            self.write_run()?;
        }
        if self.items.is_empty() {
            (self.items, self.octets) = (other.items, other.octets);
            return self.relieve();
        }
        for (standing, start, end) in other.items {
            let octets = &other.octets[start as usize..end as usize];
            let start = self.octets.len() as u32;
            self.octets.extend_from_slice(octets);
            self.items.push((standing, start, self.octets.len() as u32));
            self.relieve()?;
        }
        Ok(())
    }

    /// The items in order, the first `limit` of them; 0 = all.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub(crate) fn finish(mut self, limit: usize) -> Result<Sorted, QueryError> {
        let len = if limit == 0 { self.len } else { self.len.min(limit as u64) };
        if self.runs.is_empty() {
            self.sort();
        } else {
            self.write_run()?;
        }
        Ok(Sorted { memory: self.memory, items: self.items, octets: self.octets, runs: self.runs, len })
    }

    #[inline]
    fn relieve(&mut self) -> Result<(), QueryError> {
        // A vector that grows is there twice for a moment. Offsets of octets have 32 bits.
        let taken = 2 * (self.items.len() * size_of::<Item>() + self.octets.len());
        if taken > self.memory.octets() || self.octets.len() > (u32::MAX / 2) as usize {
            return self.write_run();
        }
        Ok(())
    }

    fn sort(&mut self) {
        let Sorter { items, octets, .. } = self;
        let of = |&(_, start, end): &Item| &octets[start as usize..end as usize];
        items.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| of(a).cmp(of(b))));
    }

    #[cold]
    fn write_run(&mut self) -> Result<(), QueryError> {
        if !self.items.is_empty() {
            self.sort();
            let mut writer = RunWriter::new(&self.spill);
            for (standing, start, end) in &self.items {
                writer.push(*standing, &self.octets[*start as usize..*end as usize])?;
            }
            self.runs.push(writer.finish()?);
            self.items = Vec::new();
            self.octets = Vec::new();
        }
        if self.runs.len() > MOST_RUNS {
            let runs = std::mem::take(&mut self.runs);
            let (memory, len) = (self.memory.clone(), u64::MAX);
            let sorted = Sorted { memory, items: Vec::new(), octets: Vec::new(), runs, len };
            // In a file of its own, so that what was read goes back to the disk.
            self.spill = Arc::new(self.memory.spill());
            let mut writer = RunWriter::new(&self.spill);
            sorted.for_each(|standing, octets| writer.push(standing, octets))?;
            self.runs.push(writer.finish()?);
        }
        Ok(())
    }
}

/// Writes a run to the end of a file that nobody else writes to.
struct RunWriter<'a> {
    spill: &'a Arc<Spill>,
    piece: Vec<u8>,
    offset: Option<u64>,
    len: u64,
}

impl RunWriter<'_> {
    fn new(spill: &Arc<Spill>) -> RunWriter<'_> {
        RunWriter { spill, piece: Vec::new(), offset: None, len: 0 }
    }

    fn push(&mut self, standing: Standing, octets: &[u8]) -> Result<(), QueryError> {
        self.piece.extend_from_slice(&standing.to_octets());
        self.piece.extend_from_slice(&(octets.len() as u32).to_le_bytes());
        self.piece.extend_from_slice(octets);
        if self.piece.len() >= PIECE { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<(), QueryError> {
        let offset = self.spill.append(&self.piece)?;
        self.offset.get_or_insert(offset);
        self.len += self.piece.len() as u64;
        self.piece.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Run, QueryError> {
        self.write()?;
        Ok(Run { spill: Arc::clone(self.spill), offset: self.offset.unwrap_or(0), len: self.len })
    }
}

/// More runs than this are merged to one: each that is read takes [`LEAST_READ`] octets at least.
const MOST_RUNS: usize = 256;
/// Octets that are written at once.
const PIECE: usize = 1 << 18;
/// Octets of a run that are read at once.
const LEAST_READ: usize = 1 << 12;
const MOST_READ: usize = 1 << 18;

/// Items in order.
#[derive(Debug)]
pub(crate) struct Sorted {
    memory: Memory,
    items: Vec<Item>,
    octets: Vec<u8>,
    runs: Vec<Run>,
    len: u64,
}

impl Sorted {
    /// How many there are.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Calls `visit` with each item.
    ///
    /// # Errors
    /// Those of the system, and of `visit`.
    pub(crate) fn for_each(
        &self,
        mut visit: impl FnMut(Standing, &[u8]) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let mut cursor = self.cursor()?;
        while let Some((standing, octets)) = cursor.next(self)? {
            visit(standing, &octets)?;
        }
        Ok(())
    }

    /// Starts at the first item.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn cursor(&self) -> Result<SortedCursor, QueryError> {
        let each = self.memory.octets() / self.runs.len().max(1);
        let mut heap = BinaryHeap::with_capacity(self.runs.len());
        for run in &self.runs {
            let mut reader = RunReader {
                run: run.clone(),
                buffer: Vec::new(),
                at: 0,
                read_len: each.clamp(LEAST_READ, MOST_READ),
            };
            if let Some(head) = reader.next()? {
                heap.push(Reverse((head, Tail(reader))));
            }
        }
        Ok(SortedCursor { place: 0, heap })
    }
}

/// A place in sorted items.
pub(crate) struct SortedCursor {
    place: u64,
    heap: BinaryHeap<Reverse<(Head, Tail)>>,
}

/// An item of a run.
type Head = (Standing, Vec<u8>);

impl SortedCursor {
    /// The next of the items that it is a place in.
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn next(&mut self, sorted: &Sorted) -> Result<Option<Head>, QueryError> {
        if self.place == sorted.len {
            return Ok(None);
        }
        self.place += 1;
        if sorted.runs.is_empty() {
            let item = sorted.items.get(self.place as usize - 1);
            return Ok(item.map(|&(standing, start, end)| {
                (standing, sorted.octets[start as usize..end as usize].to_vec())
            }));
        }
        let Some(Reverse((item, Tail(mut reader)))) = self.heap.pop() else { return Ok(None) };
        if let Some(head) = reader.next()? {
            self.heap.push(Reverse((head, Tail(reader))));
        }
        Ok(Some(item))
    }
}

/// The rest of a run, which decides nothing.
struct Tail(RunReader);

impl Ord for Tail {
    fn cmp(&self, _: &Tail) -> Ordering {
        Ordering::Equal
    }
}

impl PartialOrd for Tail {
    fn partial_cmp(&self, other: &Tail) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Tail {
    fn eq(&self, _: &Tail) -> bool {
        true
    }
}

impl Eq for Tail {}

struct RunReader {
    /// What is not read yet.
    run: Run,
    buffer: Vec<u8>,
    at: usize,
    read_len: usize,
}

impl RunReader {
    fn next(&mut self) -> Result<Option<Head>, QueryError> {
        if !self.has(HEAD)? {
            return Ok(None);
        }
        let head = &self.buffer[self.at..self.at + HEAD];
        let (standing, len) = head.split_at(Standing::OCTETS);
        let standing = Standing::from_octets(standing);
        let len = len.first_chunk().map_or(0, |len| u32::from_le_bytes(*len) as usize);
        self.at += HEAD;
        if !self.has(len)? {
            return Ok(None);
        }
        let octets = self.buffer[self.at..self.at + len].to_vec();
        self.at += len;
        Ok(Some((standing, octets)))
    }

    /// Sees to it that so many octets are in the buffer, unless the run has ended.
    fn has(&mut self, wanted: usize) -> Result<bool, QueryError> {
        if self.buffer.len() - self.at >= wanted {
            return Ok(true);
        }
        self.buffer.drain(..self.at);
        self.at = 0;
        let kept = self.buffer.len();
        let len = (self.read_len.max(wanted - kept) as u64).min(self.run.len) as usize;
        self.buffer.resize(kept + len, 0);
        self.run.spill.read(self.run.offset, &mut self.buffer[kept..])?;
        self.run.offset += len as u64;
        self.run.len -= len as u64;
        Ok(self.buffer.len() >= wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RowOrigin;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]

        #[test]
        fn the_order_does_not_depend_on_memory(
            values in prop::collection::vec((0_u64..40, prop::collection::vec(any::<u8>(), 0..4)), 0..300),
            octets in prop_oneof![Just(None), (0_u64..3_000).prop_map(Some)],
            cut in 0_usize..300,
            limit in 0_usize..200,
        ) {
            let memory = Memory::new(octets);
            let (mut head, mut tail) = (Sorter::new(memory.clone()), Sorter::new(memory.clone()));
            let standing = |rank| Standing::by_appearance(RowOrigin(rank));
            for (place, (rank, octets)) in values.iter().enumerate() {
                let part = if place < cut { &mut head } else { &mut tail };
                part.push(standing(*rank), octets).unwrap();
            }
            tail.merge(head).unwrap();
            let mut expected = values.clone();
            expected.sort();
            if limit != 0 {
                expected.truncate(limit);
            }
            let sorted = tail.finish(limit).unwrap();
            prop_assert_eq!(sorted.len(), expected.len() as u64);
            // It can be gone through again.
            for _ in 0..2 {
                let mut found = Vec::new();
                sorted.for_each(|standing, octets| {
                    found.push((standing.origin.0, octets.to_vec()));
                    Ok(())
                }).unwrap();
                prop_assert_eq!(&found, &expected);
            }
            let is_spilled = memory.spilled() > 0;
            prop_assert!(octets.is_some() || !is_spilled);
        }
    }
}
