//! The threads of a query.

use rayon::prelude::*;
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};

/// The threads of a query; started when there is work for more than one.
pub(crate) struct Workers {
    pub(super) threads: usize,
    pool: OnceLock<Option<rayon::ThreadPool>>,
}

impl Workers {
    /// So many threads; 0 = one per core.
    pub(crate) fn new(threads: usize) -> Workers {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Workers { threads: if threads == 0 { cores() } else { threads }, pool: OnceLock::new() }
    }

    /// The pool, if there are tasks for it. Where the system refuses threads, everything runs on the calling one.
    fn pool(&self, tasks: usize) -> Option<&rayon::ThreadPool> {
        if self.threads == 1 || tasks <= 1 {
            return None;
        }
        self.pool
            .get_or_init(|| rayon::ThreadPoolBuilder::new().num_threads(self.threads).build().ok())
            .as_ref()
    }

    /// Whether everything runs on the calling thread.
    pub(super) fn is_single(&self, tasks: usize) -> bool {
        self.pool(tasks).is_none()
    }

    /// Applies `function` to every item; results are in the order of the items.
    pub(super) fn map<T: Send, R: Send>(&self, items: Vec<T>, function: impl Fn(T) -> R + Sync) -> Vec<R> {
        match self.pool(items.len()) {
            Some(pool) => pool.install(|| items.into_par_iter().map(&function).collect()),
            None => items.into_iter().map(function).collect(),
        }
    }

    /// How many workers there is something to do for.
    pub(super) fn useful(&self, tasks: usize) -> usize {
        if self.is_single(tasks) { 1 } else { self.threads }
    }

    /// Gives each of as many workers as are [`useful`](Self::useful) one item.
    pub(super) fn run<T: Send, R: Send>(&self, items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
        let Some(pool) = self.pool(items.len()) else {
            return items.into_iter().map(work).collect();
        };
        let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
        let work = &work;
        pool.in_place_scope(|scope| {
            for (item, result) in items.into_iter().zip(&mut results) {
                scope.spawn(move |_| *result = Some(work(item)));
            }
        });
        results.into_iter().flatten().collect()
    }

    /// Runs `work` once on each thread of the pool, and `beside` on the calling thread, where it receives what
    /// they send.
    pub(super) fn run_beside<M: Send, R: Send>(
        &self,
        work: impl Fn(mpsc::Sender<M>) -> R + Sync,
        beside: impl FnOnce(mpsc::Receiver<M>),
    ) -> Vec<R> {
        let (sender, receiver) = mpsc::channel();
        let Some(pool) = self.pool(usize::MAX) else {
            let result = work(sender);
            beside(receiver);
            return vec![result];
        };
        let results = Mutex::new(Vec::new());
        let (work, collected) = (&work, &results);
        pool.in_place_scope(|scope| {
            for _ in 0..self.threads {
                let sender = sender.clone();
                scope.spawn(move |_| {
                    let result = work(sender);
                    collected.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                });
            }
            drop(sender);
            beside(receiver);
        });
        results.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
