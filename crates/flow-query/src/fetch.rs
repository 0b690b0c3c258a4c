//! Reading rows again by their origin.

use crate::scan::Rows;
use crate::{QueryError, RowOrigin, Scanned};
use flow_model::{Column, FieldSet, FlowBatch, MAX_BATCH_ROWS, Values, field_info};

/// The rows with these origins, in this order, in batches of at most [`MAX_BATCH_ROWS`].
pub(crate) fn fetch(
    scanned: &Scanned<'_>,
    rows: &(dyn Rows + Sync),
    origins: &[RowOrigin],
    fields: FieldSet,
) -> Result<Vec<FlowBatch>, QueryError> {
    let mut order: Vec<u32> = (0..origins.len() as u32).collect();
    order.sort_unstable_by_key(|&place| origins[place as usize]);
    let mut wanted: Vec<(usize, Vec<u32>)> = Vec::new();
    // For each place in the answer: which piece has the row, and where.
    let mut found = vec![(0_u32, 0_u32); origins.len()];
    for place in order {
        let origin = origins[place as usize];
        if wanted.last().is_none_or(|(block, _)| *block != origin.block()) {
            wanted.push((origin.block(), Vec::new()));
        }
        let piece = wanted.len() - 1;
        let listed = &mut wanted[piece].1;
        if listed.last() != Some(&origin.row()) {
            listed.push(origin.row());
        }
        found[place as usize] = (piece as u32, listed.len() as u32 - 1);
    }
    let pieces = scanned
        .map(wanted, |(block, listed)| rows.read_rows(block, listed, fields))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let places = found.chunks(MAX_BATCH_ROWS).collect();
    Ok(scanned.map(places, |places| assemble(&pieces, places, fields)))
}

/// The rows at `places`, which name a piece and a row of it, as a batch.
fn assemble(pieces: &[FlowBatch], places: &[(u32, u32)], fields: FieldSet) -> FlowBatch {
    let mut batch = FlowBatch::new(places.len());
    batch.mark_decoded(fields);
    let present = pieces.iter().fold(FieldSet::EMPTY, |present, piece| present.union(piece.fields()));
    for field in fields.intersect(present).iter() {
        let columns: Vec<&Column> = pieces.iter().map(|piece| piece.column(field)).collect();
        let first = columns[0];
        if matches!(first, Column::Constant(_)) && columns.iter().all(|column| *column == first) {
            batch.insert(field, first.clone());
            continue;
        }
        let mut values = Values::new(field_info(field).kind);
        match &mut values {
            Values::Ip(addrs) => {
                addrs.extend(places.iter().map(|&(piece, row)| columns[piece as usize].ip(row as usize)));
            }
            Values::U64(nums) => {
                nums.extend(places.iter().map(|&(piece, row)| columns[piece as usize].num(row as usize)));
            }
            values => {
                for &(piece, row) in places {
                    values.push(columns[piece as usize].get(row as usize));
                }
            }
        }
        batch.insert(field, Column::Plain(values));
    }
    batch
}
