//! Standard output: whole texts, and the end of a reader noticed.

use crate::progress::Bar;
use std::io::{self, IsTerminal, StdoutLock, Write};
use std::ops::ControlFlow;

/// Standard output, written in the large pieces that the printers make.
pub(crate) struct Output {
    stdout: StdoutLock<'static>,
    failed: Option<io::Error>,
    /// A bar on the terminal, and whether what is written would come on top of it.
    bar: Option<(Bar, bool)>,
}

impl Output {
    pub(crate) fn new() -> Output {
        Output { stdout: io::stdout().lock(), failed: None, bar: None }
    }

    /// Keeps a bar until the output is finished, or begins on the same terminal.
    pub(crate) fn keep(&mut self, bar: Option<Bar>) {
        self.bar = bar.map(|bar| (bar, self.stdout.is_terminal()));
    }

    /// Writes what `print` appends.
    pub(crate) fn print(&mut self, print: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        let mut text = Vec::new();
        print(&mut text);
        self.write(&text)
    }

    /// Writes a piece, and says whether to go on.
    pub(crate) fn emit(&mut self, text: &[u8]) -> ControlFlow<()> {
        match self.write(text) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Writes all that `from` gives.
    pub(crate) fn copy(&mut self, from: &mut impl io::Read) -> io::Result<()> {
        io::copy(from, &mut self.stdout).map(drop)
    }

    /// The error that [`emit`](Self::emit) stopped with.
    pub(crate) fn finish(&mut self) -> io::Result<()> {
        self.bar = None;
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.stdout.flush(),
        }
    }

    /// Past the line buffer of `Stdout`, which would look for line ends in every piece.
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        if matches!(self.bar, Some((_, true))) && !text.is_empty() {
            self.bar = None;
        }
        self.stdout.write_all(text)
    }
}
