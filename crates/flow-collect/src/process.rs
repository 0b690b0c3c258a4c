//! Other collectors on this machine, and the file that tells which one is ours.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::kill;
use nix::unistd::Pid;

/// Names under which a collector may run.
const COLLECTORS: [&str; 3] = ["rcapd", "nfcapd", "sfcapd"];

/// How long a predecessor may take to die. Pandora FMS kills it and starts the next one at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// How often to look whether it has.
const PAUSE: Duration = Duration::from_millis(50);

/// Tries until it succeeds, fails for another reason than `is_busy`, or [`PATIENCE`] is used up.
pub(crate) fn with_patience<T, E>(
    mut attempt: impl FnMut() -> Result<T, E>,
    is_busy: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let start = Instant::now();
    loop {
        match attempt() {
            Err(error) if is_busy(&error) && start.elapsed() < PATIENCE => thread::sleep(PAUSE),
            result => return result,
        }
    }
}

/// Allows ourselves so many open files, or as many as the system lets us, and says how many there may be.
pub(crate) fn raise_file_limit(wanted: u64) -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 0 };
    // Beyond the hard limit only root comes.
    let limits = [wanted.max(hard), hard];
    let raised = limits.into_iter().find(|&limit| setrlimit(Resource::RLIMIT_NOFILE, limit, limit).is_ok());
    raised.unwrap_or(soft)
}

/// Why there can be no pid file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PidFileError {
    /// Its directory does not exist.
    #[error("realpath() pid file: {0}")]
    Directory(io::Error),
    /// Another collector lives.
    #[error("{}: another collector with pid {pid} is already running", path.display())]
    Running {
        /// The file.
        path: PathBuf,
        /// Who it names.
        pid: u32,
    },
    /// It cannot be read or written.
    #[error("pid file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Where the pid file will be: its directory exists, and no living collector is named in it.
#[derive(Clone, Debug)]
pub struct PidFilePlace {
    path: PathBuf,
}

impl PidFilePlace {
    /// Checks a path, which may be relative. A collector named there may take a moment to die.
    pub fn check(path: &Path) -> Result<PidFilePlace, PidFileError> {
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let name =
            path.file_name().ok_or_else(|| PidFileError::Directory(io::ErrorKind::IsADirectory.into()))?;
        let path = parent.canonicalize().map_err(|error| PidFileError::Directory(plain(error)))?.join(name);
        let attempt = || match running_collector(&path) {
            Some(pid) => Err(PidFileError::Running { path: path.clone(), pid }),
            None => Ok(()),
        };
        with_patience(attempt, |_| true)?;
        Ok(PidFilePlace { path })
    }

    /// The file's absolute path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `pid` and a line end, in place of whatever was there.
    pub fn create(self, pid: u32) -> Result<PidFile, PidFileError> {
        let written = File::create(&self.path).and_then(|mut file| {
            writeln!(file, "{pid}")?;
            Ok(file)
        });
        match written {
            Ok(file) => Ok(PidFile { path: self.path, pid, file }),
            Err(source) => Err(PidFileError::Io { path: self.path, source }),
        }
    }
}

/// A pid file, which is removed when this is dropped, unless somebody else has replaced it.
///
/// With another user than at the start we may not be allowed to: it is emptied then, so that nobody takes a stranger
/// with our number for a collector.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    pid: u32,
    file: File,
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if pid_in(&self.path) == Some(self.pid) {
            // At the end of the process there is nobody left to tell.
            let _ = fs::remove_file(&self.path).or_else(|_| self.file.set_len(0));
        }
    }
}

/// The error as the C library words it, without Rust's error number behind.
fn plain(error: io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::new(error.kind(), Errno::from_raw(code).desc()),
        None => error,
    }
}

fn running_collector(path: &Path) -> Option<u32> {
    pid_in(path).filter(|&pid| pid != std::process::id() && is_collector(pid))
}

fn pid_in(path: &Path) -> Option<u32> {
    fs::read_to_string(path).ok()?.lines().next()?.trim().parse().ok()
}

/// Whether process `pid` lives and is a collector: not dying, and called as one, or as we are.
pub(crate) fn is_collector(pid: u32) -> bool {
    let Ok(signed) = i32::try_from(pid) else { return false };
    if signed == 0 || kill(Pid::from_raw(signed), None) == Err(Errno::ESRCH) {
        return false;
    }
    let ours = fs::read_to_string("/proc/self/stat").ok();
    let theirs = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    match (ours.as_deref().and_then(name_and_state), theirs.as_deref().and_then(name_and_state)) {
        (Some((our_name, _)), Some((name, state))) => {
            !matches!(state, 'Z' | 'X') && (name == our_name || COLLECTORS.contains(&name))
        }
        // It has just ended.
        (Some(_), None) => false,
        // Without /proc, all we know is that the process exists.
        (None, _) => true,
    }
}

/// Whether any other process has a file open; nfcapd 1.7.8 does not say in the file's name which one. A collector that
/// does not let us look may.
pub(crate) fn is_in_use(path: &Path) -> bool {
    let Ok(file) = fs::metadata(path) else { return false };
    // Without /proc nobody knows.
    let Ok(processes) = fs::read_dir("/proc") else { return true };
    let pids = processes.filter_map(|process| process.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|&pid: &u32| pid != std::process::id()).any(|pid| {
        match fs::read_dir(format!("/proc/{pid}/fd")) {
            Ok(mut open) => open.any(|open| {
                let open = open.and_then(|open| fs::metadata(open.path()));
                open.is_ok_and(|open| (open.dev(), open.ino()) == (file.dev(), file.ino()))
            }),
            Err(error) => error.kind() == io::ErrorKind::PermissionDenied && is_collector(pid),
        }
    })
}

/// Second and third field of `/proc/PID/stat` (proc(5)); the name may contain anything, also `)`.
fn name_and_state(stat: &str) -> Option<(&str, char)> {
    let (start, end) = (stat.find('(')?, stat.rfind(')')?);
    Some((stat.get(start + 1..end)?, stat.get(end + 1..)?.trim_start().chars().next()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_file_that_another_process_has_open_is_in_use() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let file = fs::File::create(&path).unwrap();
        assert!(!is_in_use(&path), "our own does not count");
        let mut other = Command::new("sleep").arg("60").stdin(Stdio::from(file)).spawn().unwrap();
        assert!(is_in_use(&path));
        other.kill().unwrap();
        other.wait().unwrap();
        assert!(!is_in_use(&path));
    }

    #[test]
    fn a_pid_file_is_replaced_whole_and_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        fs::write(&path, "4194304999\n and more\n").unwrap();
        let file = PidFilePlace::check(&path).unwrap().create(17).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "17\n");
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_pid_file_of_somebody_else_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        let file = PidFilePlace::check(&path).unwrap().create(17).unwrap();
        fs::write(&path, "18\n").unwrap();
        drop(file);
        assert!(path.exists());
    }

    #[test]
    fn the_directory_must_exist() {
        let directory = tempfile::tempdir().unwrap();
        let error = PidFilePlace::check(&directory.path().join("no/pid")).unwrap_err();
        assert_eq!(error.to_string(), "realpath() pid file: No such file or directory");
        assert!(PidFilePlace::check(Path::new("..")).is_err());
    }

    #[test]
    fn processes_that_are_no_collectors_are_stale() {
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pid");
        for content in [other.id().to_string(), "1".to_owned(), "0".to_owned(), "x".to_owned(), String::new()]
        {
            fs::write(&path, content).unwrap();
            PidFilePlace::check(&path).unwrap();
        }
        other.kill().unwrap();
        // Not yet waited for: a zombie.
        assert!(!is_collector(other.id()));
        other.wait().unwrap();
        assert!(!is_collector(other.id()));
    }

    #[test]
    fn a_living_collector_is_seen() {
        // A process is named after its file: `sleep` under another name stands for a collector.
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("nfcapd");
        let sleep =
            ["/bin/sleep", "/usr/bin/sleep"].into_iter().find(|path| Path::new(path).exists()).unwrap();
        std::os::unix::fs::symlink(sleep, &program).unwrap();
        let mut collector = Command::new(&program).arg("60").spawn().unwrap();
        let path = directory.path().join("pid");
        fs::write(&path, format!("{}\n", collector.id())).unwrap();
        let start = Instant::now();
        let error = PidFilePlace::check(&path).unwrap_err();
        assert!(matches!(error, PidFileError::Running { pid, .. } if pid == collector.id()), "{error}");
        assert!(start.elapsed() >= PATIENCE);
        collector.kill().unwrap();
        PidFilePlace::check(&path).unwrap();
        collector.wait().unwrap();
    }

    #[test]
    fn reads_names_with_anything_in_them() {
        assert_eq!(name_and_state("12 (rcapd) S 1 12"), Some(("rcapd", 'S')));
        assert_eq!(name_and_state("12 (a) b) (c) Z 1"), Some(("a) b) (c", 'Z')));
        assert_eq!(name_and_state("nonsense"), None);
    }
}
