//! The index of a file's blocks: where each is and what its columns range over.
//!
//! It is kept as the octets of the footer's section, because most queries look at few blocks of many; only
//! positions are read at once. A reader that walks a file without footer writes the same octets for itself.

use super::cursor::{Cursor, put_varint};
use super::directory::{self, BlockHeader, Chunk, Directory, FilterPlace, Ids};
use super::layout::{Class, MAX_DIRECTORY, MAX_FILTER};
use crate::error::Damage;
use flow_model::{BlockStats, Field, FieldSet, Range};
use std::ops;

/// The blocks of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Index {
    bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Where the last block ends.
    end: u64,
}

/// Where a block is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// From the start of the file.
    pub(crate) offset: u64,
    pub(crate) header: BlockHeader,
    /// The fields of our catalogue that have a chunk.
    pub(crate) fields: FieldSet,
    /// Chunks of fields of a later catalogue.
    pub(crate) unknown_fields: usize,
    /// The ranges of start and end: what a time window asks for of every block of every file.
    pub(crate) times: [Range; 2],
    /// Where ranges and filters stand in the index.
    body: ops::Range<usize>,
}

impl Index {
    /// The octets of the index.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The blocks in file order.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Adds a block.
    pub(crate) fn push(&mut self, offset: u64, header: BlockHeader, directory: &Directory) {
        let mut body = Vec::with_capacity(16 + 8 * directory.chunks.len());
        put_varint(directory.chunks.len() as u64, &mut body);
        let mut ids = Ids::default();
        for Chunk { id, class, range, .. } in &directory.chunks {
            ids.put(*id, &mut body);
            body.push(*class as u8);
            directory::put_range(*range, &mut body);
        }
        put_varint(directory.filters.len() as u64, &mut body);
        for filter in &directory.filters {
            body.push(filter.kind);
            put_varint(filter.offset, &mut body);
            put_varint(filter.len, &mut body);
            directory::put_fields(filter.fields, &mut body);
        }
        let known = directory.chunks.iter().filter_map(Chunk::field);
        let fields: FieldSet = known.collect();
        let mut times = ABSENT_TIMES;
        for chunk in &directory.chunks {
            note_time(&mut times, chunk.field(), chunk.range);
        }
        let unknown_fields = directory.chunks.len() - fields.len();
        self.push_body(&Entry { offset, header, fields, unknown_fields, times, body: 0..0 }, &body);
    }

    /// Adds block `block` of `other`, which stands at `offset` of this file.
    pub(crate) fn push_copy(&mut self, offset: u64, other: &Index, block: usize) {
        let entry = &other.entries[block];
        self.push_body(&Entry { offset, ..entry.clone() }, other.body(block));
    }

    fn push_body(&mut self, entry: &Entry, body: &[u8]) {
        let Entry { offset, header, .. } = *entry;
        put_varint(offset - self.end, &mut self.bytes);
        put_varint(header.len, &mut self.bytes);
        put_varint(header.directory_len.into(), &mut self.bytes);
        put_varint(header.rows.into(), &mut self.bytes);
        let start = self.bytes.len();
        self.bytes.extend_from_slice(body);
        self.entries.push(Entry { body: start..self.bytes.len(), ..entry.clone() });
        self.end = offset + header.len;
    }

    /// Reads an index of blocks that stand below `limit` in the file.
    pub(crate) fn parse(bytes: Vec<u8>, limit: u64) -> Result<Index, Damage> {
        let mut cursor = Cursor::new(&bytes);
        let mut entries = Vec::new();
        let mut end = 0_u64;
        while !cursor.is_empty() {
            let offset = end.saturating_add(cursor.varint()?);
            let len = cursor.varint()?;
            let directory_len = cursor.bounded("length of the directory", MAX_DIRECTORY)? as u32;
            let rows = cursor.bounded("count of rows", u32::MAX.into())? as u32;
            let header = BlockHeader { rows, directory_len, len };
            header.check()?;
            end = offset.saturating_add(len);
            if end > limit {
                return Err(Damage::TooLarge { what: "end of a block", found: end, limit });
            }
            let start = cursor.position();
            let mut fields = FieldSet::EMPTY;
            let mut unknown_fields = 0;
            let mut times = ABSENT_TIMES;
            read_ranges(&mut cursor, |field, range| {
                match field {
                    Some(field) => fields.insert(field),
                    None => unknown_fields += 1,
                }
                note_time(&mut times, field, range);
            })?;
            read_filters(&mut cursor, len, |_| {})?;
            let body = start..cursor.position();
            entries.push(Entry { offset, header, fields, unknown_fields, times, body });
        }
        Ok(Index { bytes, entries, end })
    }

    /// The octets about a block but its place: ranges and filters.
    pub(crate) fn body(&self, block: usize) -> &[u8] {
        &self.bytes[self.entries[block].body.clone()]
    }

    /// The statistics of a block.
    pub(crate) fn stats(&self, block: usize) -> BlockStats {
        let entry = &self.entries[block];
        let mut stats = BlockStats::absent(entry.header.rows as usize);
        let mut cursor = Cursor::new(self.body(block));
        let read = read_ranges(&mut cursor, |field, range| {
            if let Some(field) = field {
                stats.set_range(field, range);
            }
        });
        debug_assert!(read.is_ok(), "the index was read before");
        stats
    }

    /// The membership filters of a block.
    pub(crate) fn filters(&self, block: usize) -> Vec<FilterPlace> {
        let entry = &self.entries[block];
        let mut cursor = Cursor::new(self.body(block));
        let mut filters = Vec::new();
        let read = read_ranges(&mut cursor, |_, _| {})
            .and_then(|()| read_filters(&mut cursor, entry.header.len, |filter| filters.push(filter)));
        debug_assert!(read.is_ok(), "the index was read before");
        filters
    }
}

/// The ranges of start and end where neither has a chunk: both are 0 then.
const ABSENT_TIMES: [Range; 2] = [Range::Num { min: 0, max: 0 }; 2];

fn note_time(times: &mut [Range; 2], field: Option<Field>, range: Option<Range>) {
    match (field, range) {
        (Some(Field::FirstMs), Some(range)) => times[0] = range,
        (Some(Field::LastMs), Some(range)) => times[1] = range,
        _ => {}
    }
}

fn read_ranges(
    cursor: &mut Cursor<'_>,
    mut visit: impl FnMut(Option<Field>, Option<Range>),
) -> Result<(), Damage> {
    let count = cursor.bounded("count of chunks", MAX_DIRECTORY)?;
    let mut ids = Ids::default();
    for _ in 0..count {
        let id = ids.next(cursor)?;
        let class = Class::from_code(cursor.u8()?)?;
        let range = directory::range(id, class, cursor)?;
        visit(Field::from_id(id), range);
    }
    Ok(())
}

fn read_filters(
    cursor: &mut Cursor<'_>,
    block_len: u64,
    mut visit: impl FnMut(FilterPlace),
) -> Result<(), Damage> {
    let count = cursor.bounded("count of filters", MAX_DIRECTORY)?;
    for _ in 0..count {
        let kind = cursor.u8()?;
        let offset = cursor.varint()?;
        let len = cursor.bounded("length of a filter", MAX_FILTER)? as u64;
        let end = offset.saturating_add(len);
        if end > block_len {
            return Err(Damage::TooLarge { what: "end of a filter", found: end, limit: block_len });
        }
        visit(FilterPlace { kind, offset, len, fields: directory::fields(cursor)? });
    }
    Ok(())
}
