//! Entries one after the other, in memory or in a file.

use super::Spill;
use crate::QueryError;

/// Octets of the first chunk of a pile; the next are twice as large each.
const FIRST_CHUNK: usize = 1 << 10;
/// Octets of further chunks: so many are lost at the end of each pile, so few allocations are made.
const LAST_CHUNK: usize = 1 << 14;

/// Entries in no particular order.
#[derive(Debug, Default)]
pub(crate) struct Pile {
    /// Octets, and how many of them are used. Behind each entry there is room for another of the largest length.
    chunks: Vec<Chunk>,
    /// How many entries they hold.
    entries: usize,
    /// What went to the file.
    written: Vec<Written>,
    written_entries: usize,
}

/// Octets, and how many of them are used.
pub(crate) type Chunk = (Box<[u8]>, usize);

/// A chunk in the file.
#[derive(Clone, Copy, Debug)]
struct Written {
    offset: u64,
    used: usize,
}

impl Pile {
    /// Appends the entry that `encode` writes, of at most `max_len` octets. Says how much memory was taken for it.
    #[inline]
    pub(crate) fn push(&mut self, max_len: usize, encode: impl FnOnce(&mut [u8]) -> usize) -> usize {
        let room = self.chunks.last().map_or(0, |(octets, used)| octets.len() - used);
        let mut grown = 0;
        if room < max_len {
            let doubled = self.chunks.last().map_or(FIRST_CHUNK, |(octets, _)| octets.len() * 2);
            // Room for one entry and one beyond, as reading looks beyond.
            grown = doubled.min(LAST_CHUNK).max(2 * max_len);
            self.chunks.push((vec![0; grown].into(), 0));
        }
        if let Some((octets, used)) = self.chunks.last_mut() {
            *used += encode(&mut octets[*used..]);
        }
        self.entries += 1;
        grown
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries + self.written_entries
    }

    /// The entries of another pile, behind one's own.
    pub(crate) fn append(&mut self, other: Pile) {
        self.chunks.extend(other.chunks);
        self.entries += other.entries;
        self.written.extend(other.written);
        self.written_entries += other.written_entries;
    }

    /// Octets of memory taken.
    pub(crate) fn octets(&self) -> usize {
        self.chunks.iter().map(|(octets, _)| octets.len()).sum()
    }

    /// Octets of the entries, wherever they are.
    pub(crate) fn used(&self) -> usize {
        let written = self.written.iter().map(|written| written.used);
        self.chunks.iter().map(|(_, used)| *used).chain(written).sum()
    }

    /// Moves everything to the file.
    ///
    /// # Errors
    /// When there is no room.
    pub(crate) fn write_out(&mut self, spill: &Spill) -> Result<(), QueryError> {
        let octets: Vec<u8> =
            self.chunks.iter().flat_map(|(octets, used)| &octets[..*used]).copied().collect();
        if octets.is_empty() {
            return Ok(());
        }
        let mut offset = spill.append(&octets)?;
        for (_, used) in self.chunks.drain(..) {
            self.written.push(Written { offset, used });
            offset += used as u64;
        }
        self.written_entries += std::mem::take(&mut self.entries);
        Ok(())
    }

    /// The entries in memory, and those in the file.
    pub(crate) fn split(self) -> (Pile, Pile) {
        let Pile { chunks, entries, written, written_entries } = self;
        (Pile { chunks, entries, ..Pile::default() }, Pile { written, written_entries, ..Pile::default() })
    }

    /// Reads what is in the file; `max_len` as in [`push`](Self::push).
    ///
    /// # Errors
    /// Those of the system.
    pub(crate) fn load(&self, spill: &Spill, max_len: usize) -> Result<Vec<Chunk>, QueryError> {
        self.written.iter().map(|written| written.read(spill, max_len)).collect()
    }

    /// All chunks, with those in the file as they were [loaded](Self::load).
    pub(crate) fn view<'a>(&'a self, loaded: &'a [Chunk]) -> View<'a> {
        let chunks = loaded.iter().chain(&self.chunks).map(|(octets, used)| (&**octets, *used));
        View { chunks: chunks.collect(), entries: self.len() }
    }

    /// Calls `visit` with the octets of each entry, which go on beyond its end; `visit` says how long it is. At most one chunk
    /// of the file is in memory at a time.
    ///
    /// # Errors
    /// Those of the system, and of `visit`.
    pub(crate) fn stream(
        &self,
        spill: &Spill,
        max_len: usize,
        mut visit: impl FnMut(&[u8]) -> Result<usize, QueryError>,
    ) -> Result<(), QueryError> {
        let mut each = |(octets, used): (&[u8], usize)| {
            let mut at = 0;
            while at < used {
                at += visit(&octets[at..])?;
            }
            Ok(())
        };
        for written in &self.written {
            let (octets, used) = written.read(spill, max_len)?;
            each((&octets, used))?;
        }
        self.chunks.iter().try_for_each(|(octets, used)| each((octets, *used)))
    }
}

impl Written {
    fn read(self, spill: &Spill, max_len: usize) -> Result<Chunk, QueryError> {
        let mut octets = vec![0; self.used + max_len];
        spill.read(self.offset, &mut octets[..self.used])?;
        Ok((octets.into(), self.used))
    }
}

/// All entries of a pile, in memory.
pub(crate) struct View<'a> {
    chunks: Vec<(&'a [u8], usize)>,
    entries: usize,
}

impl<'a> View<'a> {
    /// How many entries there are.
    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    /// The octets of all entries.
    pub(crate) fn octets(&self) -> impl Iterator<Item = &'a [u8]> {
        self.chunks.iter().map(|(octets, used)| &octets[..*used])
    }

    /// Calls `visit` with the place of each entry and its octets, which go on beyond its end; `visit` says how long it is.
    #[inline]
    pub(crate) fn for_each(&self, mut visit: impl FnMut(Place, &[u8]) -> usize) {
        for (number, (octets, used)) in self.chunks.iter().enumerate() {
            let mut at = 0;
            while at < *used {
                at += visit(Place::new(number, at), &octets[at..]);
            }
        }
    }

    /// The entry at a place.
    #[inline]
    pub(crate) fn at(&self, place: Place) -> &[u8] {
        &self.chunks[place.chunk()].0[place.offset()..]
    }
}

/// Where an entry of a pile of groups stands, whose entries are so short that every chunk has less than 2^16 octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place(u64);

/// Bits of an offset in a chunk.
const OFFSET_BITS: u32 = 16;

impl Place {
    fn new(chunk: usize, offset: usize) -> Place {
        Place((chunk as u64) << OFFSET_BITS | offset as u64)
    }

    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    pub(crate) fn from_bits(bits: u64) -> Place {
        Place(bits)
    }

    fn chunk(self) -> usize {
        (self.0 >> OFFSET_BITS) as usize
    }

    fn offset(self) -> usize {
        (self.0 & ((1 << OFFSET_BITS) - 1)) as usize
    }
}
