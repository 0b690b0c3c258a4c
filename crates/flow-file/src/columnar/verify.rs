//! Verifying: whether everything that a file says of itself is true.
//!
//! Reading checks what it needs; this looks at every octet. Each chunk is checked and decoded, its values are held
//! against the range that queries prune by, the addresses against the membership filters, and totals, index and both
//! headers against each other.

use super::header::{Header, MAX_HEADER_LEN, Parsed};
use super::index::Index;
use super::layout::verify as verify_checksum;
use super::reader::ColumnarFile;
use crate::error::{Damage, FileError};
use crate::verify::{Counts, Verification};
use flow_model::{
    BlockStats, Field, FieldSet, FlowBatch, Kind, Membership, Range, Selection, Totals, field_info,
};

#[derive(Default)]
struct Found {
    columns: u64,
    rows: u64,
    problems: Vec<FileError>,
}

impl ColumnarFile {
    /// Looks at every octet of the file, and does not stop at the first damage.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn verify(&self) -> Result<Verification, FileError> {
        let mut found = Found { problems: self.problems().to_vec(), ..Found::default() };
        let mut totals = Totals::default();
        let mut end = self.verify_header(&mut found.problems)?;
        for block in 0..self.block_count() {
            let offset = self.block_offset(block);
            // Where blocks were found by walking, gaps are damage that opening has told already.
            if self.is_finished() && offset != end {
                let gap = Damage::Inconsistent("octets in front of the block belong to nothing");
                found.problems.push(self.damaged(block, end, None, gap));
            }
            end = offset + self.block_bytes(block);
            found.rows += self.block_rows(block) as u64;
            self.verify_block(block, &mut totals, &mut found)?;
        }
        // A footer whose end does not look like one was passed over as if the file had none.
        if !self.is_finished() && end < self.byte_len() && found.problems.is_empty() {
            let damage = Damage::Inconsistent("it has no end");
            found.problems.push(FileError::Footer { path: self.path().into(), offset: end, damage });
        }
        let told = Totals { sequence_failures: 0, ..*self.totals() };
        // The times of a file without flows, or of flows without times, are those of its slot.
        if totals.last_ms == 0 {
            (totals.first_ms, totals.last_ms) = (told.first_ms, told.last_ms);
        }
        if self.block_count() > 0 && told != totals && found.problems.is_empty() {
            let damage = Damage::Inconsistent("the totals are not those of the blocks");
            found.problems.push(FileError::Footer { path: self.path().into(), offset: end, damage });
        }
        let Found { columns, rows, problems } = found;
        Ok(Verification { counts: Counts::Columnar { columns, rows }, problems, surplus: 0 })
    }

    /// The header at the start; gives where the first block belongs.
    fn verify_header(&self, problems: &mut Vec<FileError>) -> Result<u64, FileError> {
        let bytes = self.bytes(0, self.byte_len().min(MAX_HEADER_LEN as u64))?;
        let damage = match Header::parse(&bytes) {
            Ok(Parsed::Header(header, end)) if header == *self.header() => return Ok(end),
            Ok(Parsed::Header(..)) => Damage::Inconsistent("it says something else than the footer"),
            Ok(_) => Damage::Inconsistent("it is not one of this version"),
            Err(damage) => damage,
        };
        problems.push(FileError::Header { path: self.path().into(), damage });
        Ok(if self.block_count() > 0 { self.block_offset(0) } else { 0 })
    }

    fn verify_block(&self, block: usize, totals: &mut Totals, found: &mut Found) -> Result<(), FileError> {
        let start = self.block_offset(block);
        let directory = match self.directory(block) {
            Ok(directory) => directory,
            Err(error @ FileError::Io { .. }) => return Err(error),
            Err(error) => {
                found.problems.push(error);
                return Ok(());
            }
        };
        totals.merge(&directory.totals);
        found.columns += directory.chunks.len() as u64;
        let sound_before = found.problems.len();
        let whole = |damage| self.damaged(block, start, None, damage);

        let mut index = Index::default();
        index.push(start, self.index().entries()[block].header, directory);
        if index.body(0) != self.index().body(block) {
            found
                .problems
                .push(whole(Damage::Inconsistent("its directory says something else than the footer")));
        }
        for chunk in directory.chunks.iter().filter(|chunk| chunk.stored_len > 0) {
            let offset = start + chunk.offset;
            if let Err(damage) = verify_checksum(&self.bytes(offset, chunk.stored_len)?, chunk.checksum) {
                found.problems.push(self.damaged(block, offset, chunk.field(), damage));
            }
        }
        // Nothing behind a wrong checksum is worth a second message.
        if found.problems.len() > sound_before {
            return Ok(());
        }
        let mut batch = FlowBatch::new(self.block_rows(block));
        for field in self.block_fields(block).iter() {
            match self.read(block, FieldSet::of(&[field]), &mut batch) {
                Ok(()) => {}
                Err(error @ FileError::Io { .. }) => return Err(error),
                Err(error) => found.problems.push(error),
            }
        }
        if found.problems.len() > sound_before {
            return Ok(());
        }
        batch.mark_decoded(FieldSet::ALL);
        found.problems.extend(
            self.verify_claims(block, &batch)
                .map(|(field, damage)| self.damaged(block, start, field, damage)),
        );
        let mut counted = Totals::default();
        counted.add(&batch, &Selection::all(batch.len()), directory.rule);
        if counted != directory.totals {
            found.problems.push(whole(Damage::Inconsistent("the totals are not those of its rows")));
        }
        for damage in self.membership(block).damage()? {
            found.problems.push(whole(damage));
        }
        Ok(())
    }

    /// What queries rely on without looking at the rows: ranges and filters.
    fn verify_claims<'a>(
        &'a self,
        block: usize,
        batch: &'a FlowBatch,
    ) -> impl Iterator<Item = (Option<Field>, Damage)> + 'a {
        let actual = BlockStats::of(batch);
        let membership = self.membership(block);
        self.block_fields(block).iter().flat_map(move |field| {
            let told = self.block_stats(block).range(field);
            let outside = !contains(told, actual.range(field));
            let denied = field_info(field).kind == Kind::Ip
                && (0..batch.len()).any(|row| !membership.may_contain(field, batch.column(field).ip(row)));
            let outside = outside.then_some("values lie outside the range that is told of them");
            let denied = denied.then_some("a filter denies an address that is there");
            outside.into_iter().chain(denied).map(move |what| (Some(field), Damage::Inconsistent(what)))
        })
    }
}

/// Whether the range that is told covers the actual one. Octets have none.
fn contains(told: Option<Range>, actual: Option<Range>) -> bool {
    match (told, actual) {
        (Some(Range::Num { min, max }), Some(Range::Num { min: low, max: high })) => {
            min <= low && high <= max
        }
        (Some(Range::Ip { min, max }), Some(Range::Ip { min: low, max: high })) => min <= low && high <= max,
        (None, None) => true,
        _ => false,
    }
}
