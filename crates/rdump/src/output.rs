//! Standard output: whole texts, and the end of a reader noticed.

use std::io::{self, StdoutLock, Write};
use std::ops::ControlFlow;

/// Standard output, written in the large pieces that the printers make.
pub(crate) struct Output {
    stdout: StdoutLock<'static>,
    failed: Option<io::Error>,
}

impl Output {
    pub(crate) fn new() -> Output {
        Output { stdout: io::stdout().lock(), failed: None }
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
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.stdout.flush(),
        }
    }

    /// Past the line buffer of `Stdout`, which would look for line ends in every piece.
    fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.stdout.write_all(text)
    }
}
