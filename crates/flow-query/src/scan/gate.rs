//! Blocks in their order, from workers that have none.

use flow_model::Selection;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Lets workers pass in the order of blocks, so that they can number matching rows and stop at the limit.
pub(super) struct Gate {
    state: Mutex<GateState>,
    changed: Condvar,
    limit: u64,
    ahead: usize,
}

/// What a block is told when it is its turn.
pub(super) struct Passed {
    /// The number of its first matching row, from 0.
    pub(super) number: u64,
    /// How many of its matching rows are within the limit.
    pub(super) taken: u64,
    /// How many rows the blocks before it have.
    pub(super) rows_before: u64,
}

struct GateState {
    /// The block whose turn it is.
    turn: usize,
    /// Matching rows of the blocks before it.
    passed: u64,
    /// Rows of the blocks before it.
    rows: u64,
    /// Blocks before this one are done with altogether.
    released: usize,
    closed: bool,
}

impl Gate {
    pub(super) fn new(limit: Option<u64>, ahead: usize) -> Gate {
        let state = GateState { turn: 0, passed: 0, rows: 0, released: 0, closed: limit == Some(0) };
        Gate { state: Mutex::new(state), changed: Condvar::new(), limit: limit.unwrap_or(u64::MAX), ahead }
    }

    /// Waits until `index` is not too far ahead; `false` when the gate is closed.
    pub(super) fn admit(&self, index: usize) -> bool {
        let state = self.wait_while(|state| index >= state.released + self.ahead);
        !state.closed
    }

    /// Waits for the turn of block `index`, of whose `rows` rows `count` match; `None` when the gate was closed before.
    pub(super) fn pass(&self, index: usize, rows: u64, count: u64) -> Option<Passed> {
        let mut state = self.wait_while(|state| state.turn != index);
        if state.closed {
            return None;
        }
        let (number, rows_before) = (state.passed, state.rows);
        let taken = count.min(self.limit - number);
        state.passed += taken;
        state.rows += rows;
        state.turn += 1;
        state.closed = state.passed == self.limit;
        drop(state);
        self.changed.notify_all();
        Some(Passed { number, taken, rows_before })
    }

    /// The row at which the limit was reached, if it was reached in this block.
    pub(super) fn limit_reached_at(&self, selection: &Selection, passed: &Passed) -> Option<u64> {
        let Passed { number, taken, .. } = *passed;
        if number + taken != self.limit || taken == 0 {
            return None;
        }
        let mut left = taken;
        let mut last = 0;
        selection.for_each(|row| {
            if left > 0 {
                left -= 1;
                last = row as u64;
            }
        });
        Some(last)
    }

    /// Says that nothing of block `index` is kept any more.
    pub(super) fn release(&self, index: usize) {
        let mut state = lock(&self.state);
        state.released = state.released.max(index + 1);
        drop(state);
        self.changed.notify_all();
    }

    /// Lets nobody pass any more.
    pub(super) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }

    fn wait_while(&self, blocked: impl Fn(&GateState) -> bool) -> MutexGuard<'_, GateState> {
        let mut state = lock(&self.state);
        while !state.closed && blocked(&state) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state
    }
}

/// Closes the gate when a worker fails, so that nobody waits for it.
pub(super) struct CloseOnDrop<'a>(pub(super) Option<&'a Gate>);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(gate) = self.0 {
            gate.close();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
