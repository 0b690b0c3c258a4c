//! What workers read blocks into.

use flow_model::FlowBatch;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The columns that the workers of one pass leave to those of the next. They take some megabytes, which cost as much to ask the
/// system for as to fill.
#[derive(Default)]
pub(super) struct Spare(Mutex<Vec<FlowBatch>>);

impl Spare {
    /// Lets `work` have columns of a worker that is done, or new ones.
    pub(super) fn lend<T>(&self, work: impl FnOnce(&mut FlowBatch) -> T) -> T {
        let mut batch = self.kept().pop().unwrap_or_else(|| FlowBatch::new(0));
        let result = work(&mut batch);
        self.kept().push(batch);
        result
    }

    /// Gives the memory back.
    pub(super) fn clear(&self) {
        self.kept().clear();
    }

    fn kept(&self) -> MutexGuard<'_, Vec<FlowBatch>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
