//! Reading rows again in another order than the input's, when they are too many to be in memory at once.
//!
//! Every block is read once. Its rows go to the windows of the answer that they belong to, piles in files; each of these is
//! put in order in memory when its turn comes.

use crate::listing::row_octets;
use crate::scan::Rows;
use crate::spill::{Memory, Pile, Sorter, Spill};
use crate::topn::Standing;
use crate::{QueryError, RowOrigin, Scanned};
use flow_model::{Column, FieldSet, FlowBatch, Kind, MAX_BATCH_ROWS, ValueRef, Values, field_info};
use std::net::IpAddr;

/// Rows in windows, in order.
pub(crate) struct Windows {
    /// What was asked for.
    wanted: FieldSet,
    /// What of it any row has.
    fields: FieldSet,
    /// Which fields the rows of some blocks have; rows name them by number.
    schemas: Vec<FieldSet>,
    spill: Spill,
    piles: Vec<Pile>,
    /// Rows of each window but the last; a multiple of those of a batch.
    window_rows: u64,
    rows: u64,
}

/// Where rows go that come out of a block: for each window, octets of the rows.
type Scattered = Vec<Vec<u8>>;

impl Windows {
    /// The rows at the places that `origins` calls its argument with, in this order.
    ///
    /// # Errors
    /// When the query is interrupted, a block cannot be read any more, or memory and the disk are full.
    pub(crate) fn new(
        scanned: &Scanned<'_>,
        rows: &(dyn Rows + Sync),
        wanted: FieldSet,
        memory: &Memory,
        origins: impl FnOnce(&mut dyn FnMut(RowOrigin) -> Result<(), QueryError>) -> Result<(), QueryError>,
    ) -> Result<Windows, QueryError> {
        let mut by_origin = Sorter::new(memory.part(1, 2));
        let mut count = 0;
        origins(&mut |origin| {
            by_origin.push(Standing::by_origin(origin, count), &[])?;
            count += 1;
            Ok(())
        })?;
        let fields = wanted.intersect(scanned.fields());
        // A window is in memory twice: as it was read, and as columns.
        let fitting = memory.octets() as u64 / (2 * (ROW_HEAD as u64 + row_octets(fields)));
        let batches = (fitting / MAX_BATCH_ROWS as u64).clamp(1, MOST_WINDOW_ROWS / MAX_BATCH_ROWS as u64);
        let window_rows = batches * MAX_BATCH_ROWS as u64;
        let mut windows = Windows {
            wanted,
            fields,
            schemas: Vec::new(),
            spill: memory.spill(),
            piles: (0..count.div_ceil(window_rows)).map(|_| Pile::default()).collect(),
            window_rows,
            rows: count,
        };
        let mut blocks: Vec<(usize, Vec<(u32, u64)>)> = Vec::new();
        by_origin.finish(0)?.for_each(|standing, _| {
            let (block, row) = (standing.origin.block(), (standing.origin.row(), standing.place()));
            match blocks.last_mut() {
                Some((known, rows)) if *known == block => rows.push(row),
                _ => {
                    if blocks.len() == scanned.workers() {
                        windows.scatter(scanned, rows, std::mem::take(&mut blocks), memory)?;
                    }
                    blocks.push((block, vec![row]));
                }
            }
            Ok(())
        })?;
        windows.scatter(scanned, rows, blocks, memory)?;
        Ok(windows)
    }

    /// Reads blocks and puts their rows where they belong.
    fn scatter(
        &mut self,
        scanned: &Scanned<'_>,
        rows: &(dyn Rows + Sync),
        blocks: Vec<(usize, Vec<(u32, u64)>)>,
        memory: &Memory,
    ) -> Result<(), QueryError> {
        let read = scanned.map(blocks, |(block, places)| {
            let mut listed: Vec<u32> = places.iter().map(|(row, _)| *row).collect();
            listed.dedup();
            let batch = rows.read_rows(block, listed, self.fields)?;
            Ok::<_, QueryError>((batch, places))
        });
        let mut parts = Vec::new();
        for read in read {
            let (batch, places) = read?;
            let present = batch.fields().intersect(self.fields);
            let schema = self.schemas.iter().position(|known| *known == present).unwrap_or_else(|| {
                self.schemas.push(present);
                self.schemas.len() - 1
            });
            parts.push((batch, places, present, schema as u32));
        }
        let windows: &Windows = self;
        let scattered = scanned
            .map(parts, |(batch, places, present, schema)| windows.encode(&batch, &places, present, schema));
        for scattered in scattered {
            for (pile, octets) in self.piles.iter_mut().zip(scattered) {
                if !octets.is_empty() {
                    pile.push(octets.len(), |out| {
                        out[..octets.len()].copy_from_slice(&octets);
                        octets.len()
                    });
                }
            }
        }
        if self.piles.iter().map(Pile::octets).sum::<usize>() > memory.octets() / 2 {
            self.piles.iter_mut().try_for_each(|pile| pile.write_out(&self.spill))?;
        }
        Ok(())
    }

    /// The rows of a block as octets, by window. `places`: the rows, ascending, and their places in the answer.
    fn encode(&self, batch: &FlowBatch, places: &[(u32, u64)], present: FieldSet, schema: u32) -> Scattered {
        let columns: Vec<&Column> = present.iter().map(|field| batch.column(field)).collect();
        let mut scattered: Scattered = self.piles.iter().map(|_| Vec::new()).collect();
        let mut index = 0;
        let mut last = places.first().map_or(0, |(row, _)| *row);
        for (row, place) in places {
            if *row != last {
                index += 1;
                last = *row;
            }
            let out = &mut scattered[(place / self.window_rows) as usize];
            let start = out.len();
            out.extend_from_slice(&[0; 4]);
            out.extend_from_slice(&((place % self.window_rows) as u32).to_le_bytes());
            out.extend_from_slice(&schema.to_le_bytes());
            for column in &columns {
                put_value(column.get(index), out);
            }
            let len = (out.len() - start) as u32;
            out[start..start + 4].copy_from_slice(&len.to_le_bytes());
        }
        scattered
    }

    /// The rows in order.
    pub(crate) fn into_batches(mut self) -> impl FnMut() -> Option<Result<FlowBatch, QueryError>> + Send {
        let mut ready = Vec::new().into_iter();
        let mut window = 0;
        move || {
            loop {
                if let Some(batch) = ready.next() {
                    return Some(Ok(batch));
                }
                if window == self.piles.len() {
                    return None;
                }
                match self.take(window) {
                    Ok(batches) => ready = batches.into_iter(),
                    Err(error) => {
                        window = self.piles.len();
                        return Some(Err(error));
                    }
                }
                window += 1;
            }
        }
    }

    /// The rows of a window, in order. It is gone then.
    fn take(&mut self, window: usize) -> Result<Vec<FlowBatch>, QueryError> {
        let pile = std::mem::take(&mut self.piles[window]);
        let rows = (self.rows - window as u64 * self.window_rows).min(self.window_rows) as usize;
        let loaded = pile.load(&self.spill, 0)?;
        let view = pile.view(&loaded);
        let mut found: Vec<&[u8]> = vec![&[]; rows];
        for octets in view.octets() {
            let mut rest = octets;
            while let Some((len, _)) = rest.split_first_chunk() {
                let len = (u32::from_le_bytes(*len) as usize).clamp(ROW_HEAD, rest.len());
                let (row, behind) = rest.split_at(len);
                let place = u32::from_le_bytes([row[4], row[5], row[6], row[7]]) as usize;
                if let Some(found) = found.get_mut(place) {
                    *found = &row[8..];
                }
                rest = behind;
            }
        }
        Ok(found.chunks(MAX_BATCH_ROWS).map(|rows| self.decode(rows)).collect())
    }

    /// A batch of rows, each as schema and values.
    fn decode(&self, rows: &[&[u8]]) -> FlowBatch {
        let mut batch = FlowBatch::new(rows.len());
        batch.mark_decoded(self.wanted);
        let present = self.schemas.iter().fold(FieldSet::EMPTY, |all, schema| all.union(*schema));
        let mut columns: Vec<_> =
            present.iter().map(|field| (field, Values::new(field_info(field).kind))).collect();
        let absent = FlowBatch::new(1);
        for row in rows {
            let schema = row.first_chunk().map_or(0, |number| u32::from_le_bytes(*number) as usize);
            let schema = self.schemas.get(schema).copied().unwrap_or(FieldSet::EMPTY);
            let mut values = row.get(4..).unwrap_or_default();
            for (field, column) in &mut columns {
                if schema.contains(*field) {
                    column.push(take_value(field_info(*field).kind, &mut values));
                } else {
                    column.push(absent.column(*field).get(0));
                }
            }
        }
        for (field, values) in columns {
            batch.insert(field, Column::Plain(values));
        }
        batch
    }
}

/// Octets of a row in front of its values: its length, its place in the window, the number of its schema.
const ROW_HEAD: usize = 12;
/// Rows have a place of 32 bits, and smaller windows are as good.
const MOST_WINDOW_ROWS: u64 = 1 << 24;

fn put_value(value: ValueRef<'_>, out: &mut Vec<u8>) {
    match value {
        ValueRef::Num(num) => {
            let octets = (u64::BITS - num.leading_zeros()).div_ceil(8) as u8;
            out.push(octets);
            out.extend_from_slice(&num.to_le_bytes()[..usize::from(octets)]);
        }
        ValueRef::Ip(IpAddr::V4(addr)) => {
            out.push(4);
            out.extend_from_slice(&addr.octets());
        }
        ValueRef::Ip(IpAddr::V6(addr)) => {
            out.push(16);
            out.extend_from_slice(&addr.octets());
        }
        ValueRef::Bytes(bytes) => {
            out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            out.extend_from_slice(bytes);
        }
    }
}

/// Takes a value of this kind from the front of what [`put_value`] wrote.
fn take_value<'a>(kind: Kind, octets: &mut &'a [u8]) -> ValueRef<'a> {
    let mut take = |len: usize| {
        let (taken, rest) = octets.split_at(len.min(octets.len()));
        *octets = rest;
        taken
    };
    if kind == Kind::Bytes {
        let len = take(4).first_chunk().map_or(0, |len| u32::from_le_bytes(*len) as usize);
        return ValueRef::Bytes(take(len));
    }
    let len = take(1).first().map_or(0, |len| usize::from(*len));
    let taken = take(len);
    if kind != Kind::Ip {
        let mut num = [0; 8];
        num.iter_mut().zip(taken).for_each(|(octet, taken)| *octet = *taken);
        return ValueRef::Num(u64::from_le_bytes(num));
    }
    match <[u8; 16]>::try_from(taken) {
        Ok(octets) => ValueRef::Ip(octets.into()),
        Err(_) => {
            ValueRef::Ip(taken.first_chunk::<4>().map_or(IpAddr::from([0; 4]), |octets| (*octets).into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::Field;
    use flow_testkit::generate::{Mix, batch};

    #[test]
    fn every_value_comes_back() {
        let flows = batch(5, 200, Mix::default());
        for field in Field::ALL {
            let mut octets = Vec::new();
            (0..flows.len()).for_each(|row| put_value(flows.column(*field).get(row), &mut octets));
            let mut rest = &octets[..];
            for row in 0..flows.len() {
                let kind = field_info(*field).kind;
                assert_eq!(take_value(kind, &mut rest), flows.column(*field).get(row), "{field:?}");
            }
            assert!(rest.is_empty());
        }
    }
}
