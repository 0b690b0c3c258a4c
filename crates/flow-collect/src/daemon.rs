//! Becoming a daemon.
//!
//! Unsafe code stands here for `fork`. It is called at start-up, while the process has a
//! single thread.

use std::fs::{self, File, OpenOptions};
use std::io::{self, PipeReader, PipeWriter, Read, Write};

use nix::unistd::{self, ForkResult};

/// Who we are after [`detach`].
#[derive(Debug)]
pub enum Detached {
    /// The process that was started. It ends now: with success if the daemon reported to be ready.
    Parent {
        /// Whether the daemon did.
        daemon_is_ready: bool,
    },
    /// The daemon.
    Daemon(Readiness),
}

/// The daemon's way to tell its parent that it is ready, once. Dropping it says that it never will be.
#[derive(Debug)]
pub struct Readiness {
    to_parent: PipeWriter,
    null: File,
}

/// Leaves the terminal: forks, starts a session, forks again so that no terminal can ever be had by accident.
/// Working directory and umask stay.
///
/// In the parent, this returns when the daemon has called [`Readiness::announce`] or has ended. Until then
/// the daemon keeps stdin, stdout and stderr, so that it can complain.
///
/// # Errors
/// When the system refuses, also if the process has more than one thread.
pub fn detach() -> io::Result<Detached> {
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    let (mut from_daemon, to_parent) = io::pipe()?;
    match fork_single_threaded()? {
        ForkResult::Parent { .. } => {
            drop(to_parent);
            Ok(Detached::Parent { daemon_is_ready: hear(&mut from_daemon) })
        }
        ForkResult::Child => {
            drop(from_daemon);
            unistd::setsid()?;
            match fork_single_threaded()? {
                #[expect(
                    clippy::exit,
                    reason = "nothing may run in this process any more, not even a destructor"
                )]
                ForkResult::Parent { .. } => std::process::exit(0),
                ForkResult::Child => Ok(Detached::Daemon(Readiness { to_parent, null })),
            }
        }
    }
}

impl Readiness {
    /// Lets go of stdin, stdout and stderr, and of the parent.
    pub fn announce(mut self) -> io::Result<()> {
        replace_stdio(&self.null)?;
        self.to_parent.write_all(b"+")
    }
}

/// Lets go of stdin, stdout and stderr.
pub(crate) fn leave_stdio() -> io::Result<()> {
    replace_stdio(&OpenOptions::new().read(true).write(true).open("/dev/null")?)
}

fn replace_stdio(file: &File) -> io::Result<()> {
    unistd::dup2_stdin(file)?;
    unistd::dup2_stdout(file)?;
    unistd::dup2_stderr(file)?;
    Ok(())
}

/// Starts a second process, which has copies of all that is open here and ends with [`end_helper`].
///
/// # Errors
/// When the system refuses, also if the process has more than one thread.
pub(crate) fn fork_helper() -> io::Result<ForkResult> {
    fork_single_threaded()
}

/// Ends the second process.
#[expect(clippy::exit, reason = "the destructors of the collector are not for this process")]
pub(crate) fn end_helper() -> ! {
    std::process::exit(0)
}

/// Whether the daemon said something before it closed its end.
fn hear(from_daemon: &mut PipeReader) -> bool {
    matches!(from_daemon.read(&mut [0]), Ok(1))
}

fn fork_single_threaded() -> io::Result<ForkResult> {
    let threads = fs::read_dir("/proc/self/task").map_or(1, Iterator::count);
    if threads > 1 {
        return Err(io::Error::other(format!("a process with {threads} threads cannot become a daemon")));
    }
    // SAFETY: the child of a process with several threads may only call async-signal-safe functions. This one
    // has a single thread, as was just seen, and no other code can start one meanwhile.
    #[expect(unsafe_code, reason = "there is no safe fork")]
    let result = unsafe { unistd::fork() };
    Ok(result?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_process_with_threads() {
        // The test runner has at least two.
        let error = detach().unwrap_err();
        assert!(error.to_string().contains("threads"), "{error}");
    }

    #[test]
    fn silence_is_not_readiness() {
        let (mut reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"+").unwrap();
        assert!(hear(&mut reader));
        drop(writer);
        assert!(!hear(&mut reader));
    }
}
