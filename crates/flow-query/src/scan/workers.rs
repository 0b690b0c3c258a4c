//! The threads of a query.

use rayon::prelude::*;
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// Fewer rows than this are not worth another thread: they take about a millisecond, and to start threads and wake them
/// takes that long on a virtual machine.
const ROWS_PER_THREAD: u64 = 1 << 17;
/// What a thread has of its own, whatever is asked: columns of a block, and small tables.
const OCTETS_PER_THREAD: u64 = 16 << 20;
/// The same for rows that have to be decompressed and taken apart first.
const DEAR_ROWS_PER_THREAD: u64 = 1 << 14;

/// Measured with 2,000 files in the cache: one thread opens them in 14 ms; two take 56 ms, as they wait for one another
/// where memory is taken, and a file takes little else. From a disk, a file takes 100 us to 10 ms, nearly all of it waiting.
const SLOW_ITEM: Duration = Duration::from_micros(60);
/// So many items are timed together, so that a moment without a processor is not taken for a slow disk.
const TIMED_ITEMS: usize = 128;

/// The threads of a query; started when there is work for more than one.
pub(crate) struct Workers {
    pub(super) threads: usize,
    /// Whether so many were asked for, and not just as many as there are cores.
    asked: bool,
    pool: OnceLock<Option<rayon::ThreadPool>>,
}

impl Workers {
    /// So many threads; 0 = one per core.
    pub(crate) fn new(threads: usize) -> Workers {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let asked = threads != 0;
        Workers { threads: if asked { threads } else { cores() }, asked, pool: OnceLock::new() }
    }

    /// Says how many rows there are to be looked at, so that no thread is woken for less than waking it costs. `dear`: as
    /// [`Overview::dear`](crate::Overview::dear).
    pub(super) fn expect(&mut self, rows: u64, dear: bool, max_memory: Option<u64>) {
        if !self.asked {
            let worthwhile = rows.div_ceil(if dear { DEAR_ROWS_PER_THREAD } else { ROWS_PER_THREAD });
            let fitting = max_memory.map_or(u64::MAX, |octets| octets / OCTETS_PER_THREAD);
            let most = usize::try_from(worthwhile.min(fitting)).unwrap_or(usize::MAX);
            self.threads = self.threads.min(most).max(1);
        }
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

    /// As [`map`](Self::map), but on the calling thread as long as that gets on: for what takes microseconds unless it has to
    /// wait for a disk.
    pub(super) fn map_if_slow<T: Sync, R: Send>(
        &self,
        items: &[T],
        function: impl Fn(&T) -> R + Sync,
    ) -> Vec<R> {
        let mut results = Vec::with_capacity(items.len());
        let mut is_slow = false;
        for items in items.chunks(TIMED_ITEMS) {
            if is_slow {
                results.extend(self.map(items.iter().collect(), &function));
            } else {
                let start = Instant::now();
                results.extend(items.iter().map(&function));
                is_slow = start.elapsed() > SLOW_ITEM * items.len() as u32;
            }
        }
        results
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
