//! Small batches taken together into large ones.

use crate::error::FileError;
use crate::writer::FileWriter;
use flow_model::{BatchBuilder, FlowBatch, Selection};

/// Writes batches so that few blocks come of many small ones.
///
/// A batch that is large enough for a block of its own is written as it is: taking rows together costs more than the space
/// they save.
#[derive(Debug, Default)]
pub struct BatchGatherer {
    pending: BatchBuilder,
}

impl BatchGatherer {
    /// Takes the rows of `batch`, and writes whatever fills a block.
    ///
    /// # Errors
    /// Those of [`FileWriter::write`].
    pub fn write(&mut self, batch: &FlowBatch, writer: &mut FileWriter) -> Result<(), FileError> {
        if batch.len() >= writer.large_batch() {
            self.finish(writer)?;
            return writer.write(batch);
        }
        let mut done = 0;
        while done < batch.len() {
            let rest = Selection::from_fn(batch.len(), |row| row >= done);
            done += self.pending.append(batch, &rest);
            if self.pending.is_full() {
                writer.write(&self.pending.finish())?;
            }
        }
        Ok(())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// Those of [`FileWriter::write`].
    pub fn finish(&mut self, writer: &mut FileWriter) -> Result<(), FileError> {
        if self.pending.is_empty() { Ok(()) } else { writer.write(&self.pending.finish()) }
    }
}
