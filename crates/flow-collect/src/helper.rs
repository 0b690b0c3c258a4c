//! The helper process, which does what the collector itself must not wait for or may not do: it runs the commands of
//! `-x` and expires files for `-e`.
//!
//! It is forked while the collector has a single thread and before its sandbox, so that commands can do what they always
//! could. Tasks come through a socket that keeps their bounds, and are done one after another; reports go back the same
//! way. Closing the socket ends it when the last task is done.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use chrono::Local;
use flow_retain::{Access, RunLimits, Session};
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, Shutdown, SockFlag, SockType, recv, send, shutdown, socketpair,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::log::Log;

/// Tasks that may wait: one of each kind for some thousand sources, twice.
pub(crate) const MAX_TASKS: usize = 32_768;

/// The longest task: more than a command line of words and tokens comes to.
const MAX_TASK_LEN: usize = 64 << 10;

/// Something for the helper to do.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Task {
    /// Run a program with arguments.
    Launch(Vec<OsString>),
    /// Expire files of a directory by the limits in its `.nfstat`.
    Expire(PathBuf),
}

/// How a task went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// As it should.
    Done,
    /// Not so; the helper's log says why.
    Failed,
    /// Too many were waiting: it was not done.
    Refused,
}

/// The collector's end of the socket, for sending.
#[derive(Debug)]
pub(crate) struct Helper {
    socket: Arc<OwnedFd>,
    dismissed: Arc<AtomicBool>,
}

/// The collector's end of the socket, for listening.
#[derive(Debug)]
pub(crate) struct Reports {
    socket: Arc<OwnedFd>,
    dismissed: Arc<AtomicBool>,
}

/// A pair of ends: the collector's and the helper's.
pub(crate) fn channel() -> io::Result<(Helper, Reports, OwnedFd)> {
    let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)?;
    let (ours, dismissed) = (Arc::new(ours), Arc::new(AtomicBool::new(false)));
    let helper = Helper { socket: Arc::clone(&ours), dismissed: Arc::clone(&dismissed) };
    Ok((helper, Reports { socket: ours, dismissed }, theirs))
}

impl Helper {
    /// Hands a task over without waiting; `false` when that cannot be.
    pub(crate) fn give(&self, task: &Task) -> bool {
        let message = task.to_message();
        message.len() <= MAX_TASK_LEN && send_whole(&self.socket, &message)
    }

    /// Tells the helper to end when it has done what it was given.
    pub(crate) fn dismiss(self) {
        self.dismissed.store(true, Ordering::Relaxed);
        // A helper that has gone already needs no telling.
        let _ = shutdown(self.socket.as_raw_fd(), Shutdown::Write);
    }
}

impl Reports {
    /// The next report; `None` when the helper has ended.
    pub(crate) fn next(&self) -> Option<Report> {
        let mut octet = [0];
        match receive(&self.socket, &mut octet) {
            Ok(1) => Some(match octet[0] {
                b'+' => Report::Done,
                b'-' => Report::Failed,
                _ => Report::Refused,
            }),
            _ => None,
        }
    }

    /// Whether the helper was told to end.
    pub(crate) fn was_dismissed(&self) -> bool {
        self.dismissed.load(Ordering::Relaxed)
    }
}

/// The helper's life, in its own process.
pub(crate) fn serve(socket: OwnedFd, log: &Log, now_ms: fn() -> u64) {
    // Whoever ends the collector often signals its whole group. We end with the collector, but not before the last task.
    // (Handlers, unlike ignored signals, are not inherited by commands.)
    for signal in [SIGTERM, SIGINT, SIGHUP] {
        if let Err(error) = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false))) {
            log.error(format_args!("Launcher: catching signals: {error}"));
        }
    }
    let socket = Arc::new(socket);
    let (sender, tasks) = mpsc::sync_channel(MAX_TASKS);
    // What stands in the queue is not put into it a second time.
    let expiring = Arc::new(Mutex::new(HashSet::new()));
    let reader = {
        let (socket, expiring) = (Arc::clone(&socket), Arc::clone(&expiring));
        move || {
            let mut message = vec![0; MAX_TASK_LEN];
            while let Ok(len @ 1..) = receive(&socket, &mut message) {
                let Some(task) = Task::from_message(&message[..len]) else { continue };
                let is_new = match &task {
                    Task::Expire(directory) => {
                        expiring.lock().unwrap_or_else(PoisonError::into_inner).insert(directory.clone())
                    }
                    Task::Launch(_) => true,
                };
                if is_new && let Err(TrySendError::Full(task)) = sender.try_send(task) {
                    if let Task::Expire(directory) = &task {
                        expiring.lock().unwrap_or_else(PoisonError::into_inner).remove(directory);
                    }
                    send_whole(&socket, b"!");
                }
            }
        }
    };
    match thread::Builder::new().name("tasks".to_owned()).spawn(reader) {
        Ok(_) => work(&tasks, &socket, &expiring, log, now_ms),
        Err(error) => log.error(format_args!("Launcher: cannot start a thread: {error}")),
    }
}

fn work(
    tasks: &Receiver<Task>,
    socket: &OwnedFd,
    expiring: &Mutex<HashSet<PathBuf>>,
    log: &Log,
    now_ms: fn() -> u64,
) {
    for task in tasks {
        let went_well = match &task {
            Task::Launch(arguments) => launch(arguments, log),
            Task::Expire(directory) => {
                expiring.lock().unwrap_or_else(PoisonError::into_inner).remove(directory);
                expire(directory, log, now_ms)
            }
        };
        // A collector that has gone does not want to know.
        send_whole(socket, if went_well { b"+" } else { b"-" });
    }
}

/// Runs a command to its end; stdout and stderr are ours.
fn launch(arguments: &[OsString], log: &Log) -> bool {
    let Some((program, arguments)) = arguments.split_first() else { return false };
    let name = program.display();
    match Command::new(program).args(arguments).stdin(Stdio::null()).status() {
        Ok(status) if status.success() => true,
        Ok(status) => {
            log.error(format_args!("Launcher: {name}: {status}"));
            false
        }
        Err(error) => {
            log.error(format_args!("Launcher: cannot run {name}: {error}"));
            false
        }
    }
}

fn expire(directory: &Path, log: &Log, now_ms: fn() -> u64) -> bool {
    let now_s = i64::try_from(now_ms() / 1000).unwrap_or(i64::MAX);
    let place = directory.display();
    let mut session = match Session::open(directory, Access::Change, &Local, now_s) {
        Ok(session) => session,
        Err(error) => {
            log.error(format_args!("Expire on '{place}': {}", with_sources(&error)));
            return false;
        }
    };
    let plan = session.plan(&RunLimits::default());
    let outcome = session.execute(&plan, &mut || true);
    if !outcome.deleted.is_empty() {
        log.info(format_args!(
            "Run expire on '{place}': files: {}, octets: {}",
            outcome.deleted.len(),
            outcome.freed_bytes
        ));
    }
    let mut problems: Vec<String> = outcome.problems.iter().map(|problem| with_sources(problem)).collect();
    problems.extend(session.close().err().map(|error| with_sources(&error)));
    for problem in &problems {
        log.error(format_args!("Expire on '{place}': {problem}"));
    }
    problems.is_empty()
}

fn with_sources(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", with_sources(source)),
        None => error.to_string(),
    }
}

impl Task {
    /// Kind, then the arguments with a zero octet between them, which none can have.
    fn to_message(&self) -> Vec<u8> {
        match self {
            Task::Launch(arguments) => {
                let words: Vec<&[u8]> = arguments.iter().map(|argument| argument.as_bytes()).collect();
                [b"x".as_slice(), &words.join(&0)].concat()
            }
            Task::Expire(directory) => [b"e".as_slice(), directory.as_os_str().as_bytes()].concat(),
        }
    }

    fn from_message(message: &[u8]) -> Option<Task> {
        let (kind, rest) = message.split_first()?;
        match kind {
            b'x' => {
                let words = rest.split(|&octet| octet == 0);
                Some(Task::Launch(words.map(|word| OsString::from_vec(word.to_vec())).collect()))
            }
            b'e' => Some(Task::Expire(PathBuf::from(OsStr::from_bytes(rest)))),
            _ => None,
        }
    }
}

fn send_whole(socket: &OwnedFd, message: &[u8]) -> bool {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    send(socket.as_raw_fd(), message, flags) == Ok(message.len())
}

fn receive(socket: &OwnedFd, into: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match recv(socket.as_raw_fd(), into, MsgFlags::empty()) {
            Err(Errno::EINTR) => {}
            result => return result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::time::{Duration, Instant};

    fn words(words: &[&str]) -> Task {
        Task::Launch(words.iter().map(OsString::from).collect())
    }

    /// A helper in a thread instead of a process.
    fn helper() -> (Helper, Reports, thread::JoinHandle<Vec<String>>) {
        let (helper, reports, theirs) = channel().unwrap();
        let served = thread::spawn(move || {
            let log = Log::to_memory();
            serve(theirs, &log, || 1_700_000_400_000);
            log.lines()
        });
        (helper, reports, served)
    }

    #[test]
    fn tasks_survive_the_way() {
        for task in [
            words(&["sh", "", "a b", "ü"]),
            Task::Launch(vec![OsString::from_vec(vec![b'x', 0xff])]),
            Task::Expire("/data dir".into()),
        ] {
            assert_eq!(Task::from_message(&task.to_message()), Some(task));
        }
        assert_eq!(Task::from_message(b""), None);
        assert_eq!(Task::from_message(b"?"), None);
    }

    #[test]
    fn commands_run_in_order_and_failures_are_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("out");
        let (helper, reports, served) = helper();
        let script = format!("echo $0 >>{}", path.display());
        for number in ["1", "2", "3"] {
            assert!(helper.give(&words(&["sh", "-c", &script, number])));
        }
        assert!(helper.give(&words(&["sh", "-c", "exit 3"])));
        assert!(helper.give(&words(&["/no/such/program"])));
        assert!(!helper.give(&Task::Launch(vec![OsString::from("x".repeat(MAX_TASK_LEN))])));
        helper.dismiss();
        let told: Vec<Report> = std::iter::from_fn(|| reports.next()).collect();
        assert_eq!(told, [Report::Done, Report::Done, Report::Done, Report::Failed, Report::Failed]);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n2\n3\n");
        let lines = served.join().unwrap();
        assert_eq!(lines[0], "Launcher: sh: exit status: 3");
        assert!(lines[1].starts_with("Launcher: cannot run /no/such/program: No such file"), "{lines:?}");
    }

    #[test]
    fn giving_does_not_wait_for_a_command_that_hangs() {
        let (helper, reports, served) = helper();
        assert!(helper.give(&words(&["sleep", "1"])));
        let start = Instant::now();
        for _ in 0..1000 {
            helper.give(&words(&["true"]));
        }
        assert!(start.elapsed() < Duration::from_millis(900));
        drop((helper, reports));
        served.join().unwrap();
    }

    #[test]
    fn files_expire_by_stored_limits_and_stay_without() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["nfcapd.202311142200", "nfcapd.202311142215"] {
            fs::write(directory.path().join(name), "x").unwrap();
        }
        let (helper, reports, served) = helper();
        assert!(helper.give(&Task::Expire(directory.path().to_owned())));
        assert_eq!(reports.next(), Some(Report::Done));
        assert!(directory.path().join("nfcapd.202311142200").exists(), "no limits are set");
        // 2023-11-14 22:20 is now: the older file is 20 minutes old.
        let stored =
            "first=0\nlast=0\nsize=0\nmaxsize=0\nnumfiles=0\nlifetime=900\nwatermark=100\nstatus=0\n";
        fs::write(directory.path().join(".nfstat"), stored).unwrap();
        assert!(helper.give(&Task::Expire(directory.path().to_owned())));
        assert_eq!(reports.next(), Some(Report::Done));
        assert!(!directory.path().join("nfcapd.202311142200").exists());
        assert!(directory.path().join("nfcapd.202311142215").exists());
        assert!(helper.give(&Task::Expire("/no/such/directory".into())));
        assert_eq!(reports.next(), Some(Report::Failed));
        helper.dismiss();
        let lines = served.join().unwrap();
        assert!(lines[0].starts_with("Run expire on '") && lines[0].contains("files: 1"), "{lines:?}");
    }
}
