//! Where a collector's messages go: stderr in the foreground, syslog as a daemon.

use std::fmt::Display;
use std::io::{self, Write};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where syslogd or journald listens on every Linux.
const DEV_LOG: &str = "/dev/log";

/// Facility `daemon`, shifted as RFC 3164 §4.1.1 wants it.
const FACILITY_DAEMON: u8 = 3 << 3;

/// The longest message: more than any of ours, less than every syslogd's limit.
const MAX_LINE_LEN: usize = 1024;

/// Takes messages from all threads, one line each.
#[derive(Debug)]
pub struct Log {
    program: String,
    target: Mutex<Target>,
}

#[derive(Debug)]
enum Target {
    Stderr,
    Syslog(Syslog),
    #[cfg(test)]
    Memory(Vec<String>),
}

/// Syslog's severities, as far as we use them.
#[derive(Clone, Copy)]
enum Level {
    Error = 3,
    Info = 6,
}

#[derive(Debug)]
struct Syslog {
    path: PathBuf,
    pid: u32,
    /// `None` while nobody listens.
    socket: Option<UnixDatagram>,
}

impl Log {
    /// Logs to stderr. `program` is the name to log under, as it was called.
    pub fn to_stderr(program: &str) -> Log {
        Log { program: program.to_owned(), target: Mutex::new(Target::Stderr) }
    }

    /// The name of the program.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// From now on logs to syslog, facility daemon, as process `pid`.
    pub fn switch_to_syslog(&self, pid: u32) {
        self.switch_to_syslog_at(Path::new(DEV_LOG), pid);
    }

    fn switch_to_syslog_at(&self, path: &Path, pid: u32) {
        let syslog = Syslog { path: path.to_owned(), pid, socket: None };
        *self.target.lock().unwrap_or_else(PoisonError::into_inner) = Target::Syslog(syslog);
    }

    /// Whether this is the log of a daemon.
    pub(crate) fn is_syslog(&self) -> bool {
        matches!(*self.target.lock().unwrap_or_else(PoisonError::into_inner), Target::Syslog(_))
    }

    /// Logs what happens in the normal course of things.
    pub fn info(&self, message: impl Display) {
        self.write(Level::Info, &message);
    }

    /// Logs what went wrong.
    pub fn error(&self, message: impl Display) {
        self.write(Level::Error, &message);
    }

    /// A message that cannot be delivered is lost: there is no other way out, and nothing may wait for it.
    fn write(&self, level: Level, message: &dyn Display) {
        let line = one_line(&message.to_string());
        match &mut *self.target.lock().unwrap_or_else(PoisonError::into_inner) {
            Target::Stderr => {
                // In one piece: the helper process writes to the same stderr.
                let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
            }
            Target::Syslog(syslog) => {
                let priority = FACILITY_DAEMON | level as u8;
                // No time stamp: the listener knows the time, and the zone it wants it in.
                let text = format!("<{priority}>{}[{}]: {line}", self.program, syslog.pid);
                syslog.send(text.as_bytes());
            }
            #[cfg(test)]
            Target::Memory(lines) => lines.push(line),
        }
    }
}

#[cfg(test)]
impl Log {
    pub(crate) fn to_memory() -> Log {
        Log { program: "test".to_owned(), target: Mutex::new(Target::Memory(Vec::new())) }
    }

    /// What was logged since the last call.
    pub(crate) fn lines(&self) -> Vec<String> {
        match &mut *self.target.lock().unwrap() {
            Target::Memory(lines) => std::mem::take(lines),
            _ => Vec::new(),
        }
    }
}

impl Syslog {
    /// Connects when needed, and once more when the listener was replaced.
    fn send(&mut self, text: &[u8]) {
        for _ in 0..2 {
            if self.socket.is_none() {
                self.socket = connect(&self.path).ok();
            }
            match self.socket.as_ref().map(|socket| socket.send(text)) {
                None | Some(Ok(_)) => return,
                // A listener that cannot keep up loses lines rather than flows.
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => return,
                Some(Err(_)) => self.socket = None,
            }
        }
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

/// Without control characters, which would end the line or confuse a terminal, and not too long.
fn one_line(text: &str) -> String {
    let mut line: String = text.trim_end().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if line.len() > MAX_LINE_LEN {
        line.truncate(line.floor_char_boundary(MAX_LINE_LEN));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(one_line("a\nb\tc\x1b[1m\r\n"), "a b c [1m");
        assert_eq!(one_line(&"ä".repeat(4000)).len(), MAX_LINE_LEN);
    }

    #[test]
    fn syslog_gets_priority_name_and_pid_also_after_it_was_restarted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let log = Log::to_stderr("rcapd");
        log.switch_to_syslog_at(&path, 4711);
        log.info("nobody listens");

        let mut octets = [0; 200];
        for _ in 0..2 {
            let listener = UnixDatagram::bind(&path).unwrap();
            log.info("Startup rcapd.");
            log.error(format_args!("no {}", "disk"));
            let len = listener.recv(&mut octets).unwrap();
            assert_eq!(&octets[..len], b"<30>rcapd[4711]: Startup rcapd.");
            let len = listener.recv(&mut octets).unwrap();
            assert_eq!(&octets[..len], b"<27>rcapd[4711]: no disk");
            drop(listener);
            std::fs::remove_file(&path).unwrap();
        }
    }
}
