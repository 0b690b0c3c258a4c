//! How far a long query is, on a terminal.

use flow_query::Progress;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A query that is done by then needs no bar.
const PATIENCE: Duration = Duration::from_secs(1);

/// Between two looks at the query.
const STEP: Duration = Duration::from_millis(200);

/// Columns of the bar itself.
const COLUMNS: usize = 40;

/// Back to the start of the line, and nothing on it.
const ERASE: &str = "\r\x1b[K";

/// A bar on standard error, which is gone when this is dropped.
pub(crate) struct Bar {
    /// Dropping it ends the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Bar {
    /// Watches a query where somebody can see it: not into files and pipes, whose readers take every octet for an error.
    pub(crate) fn watch(progress: &Arc<Progress>) -> Option<Bar> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let (end, ended) = mpsc::channel();
        let progress = Arc::clone(progress);
        let thread = thread::spawn(move || {
            let mut drawn = false;
            let mut wait = PATIENCE;
            while ended.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                wait = STEP;
                if let Some(done) = progress.done() {
                    drawn = true;
                    draw(&line(done));
                }
            }
            if drawn {
                draw(ERASE);
            }
        });
        Some(Bar { end: Some(end), thread: Some(thread) })
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.end = None;
        if let Some(thread) = self.thread.take() {
            // It cannot fail; if it did, a bar would be left on the screen.
            let _ = thread.join();
        }
    }
}

/// The bar at this share of the whole, which is 1.
fn line(done: f64) -> String {
    let done = done.clamp(0.0, 1.0);
    let filled = (done * COLUMNS as f64) as usize;
    format!("{ERASE}[{}{}] {:3} %", "#".repeat(filled), " ".repeat(COLUMNS - filled), (done * 100.0) as u32)
}

fn draw(text: &str) {
    let mut stderr = io::stderr().lock();
    // Nothing depends on it.
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_fills_from_the_left() {
        assert_eq!(line(0.0), format!("\r\x1b[K[{}]   0 %", " ".repeat(40)));
        assert_eq!(line(0.505), format!("\r\x1b[K[{}{}]  50 %", "#".repeat(20), " ".repeat(20)));
        assert_eq!(line(2.0), format!("\r\x1b[K[{}] 100 %", "#".repeat(40)));
    }
}
