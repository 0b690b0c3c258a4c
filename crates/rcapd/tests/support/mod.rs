//! What the tests of rcapd share: a collector that does not outlive its test, and datagrams for it.
#![allow(dead_code, reason = "each test program uses a part")]
#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use flow_file::FlowFile;
use flow_model::{Field, FieldSet, Groups};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// For whatever a test waits for; a slow machine needs some of it.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// One slot since 2001, so that no test meets the end of it.
pub(crate) const ENDLESS: &str = "1000000000";

/// The name of its file with `TZ=UTC`.
pub(crate) const ENDLESS_NAME: &str = "nfcapd.200109090146";

/// The program under test, in UTC.
pub(crate) fn rcapd() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rcapd"));
    command.env("TZ", "UTC").stdin(Stdio::null());
    command
}

/// Runs it to its end, which must come by itself.
pub(crate) fn run(command: &mut Command) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Neither stream is more than a pipe holds.
    let code = exit(&mut child);
    let mut output = Output { status: code, stdout: Vec::new(), stderr: Vec::new() };
    child.stdout.take().unwrap().read_to_end(&mut output.stdout).unwrap();
    child.stderr.take().unwrap().read_to_end(&mut output.stderr).unwrap();
    output
}

fn exit(child: &mut Child) -> std::process::ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > DEADLINE {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it did not end");
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until `condition` gives something.
pub(crate) fn wait_for<T>(what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = condition() {
            return value;
        }
        assert!(start.elapsed() < DEADLINE, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A collector in the foreground, listening on loopback; killed with its test.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    /// Everything it has said so far.
    pub(crate) log: Vec<String>,
    pub(crate) target: SocketAddr,
}

impl Running {
    /// Starts it and waits until it listens.
    pub(crate) fn start(directory: &Path, options: &[&str]) -> Running {
        let mut command = rcapd();
        command.arg("-w").arg(directory).args(options);
        Running::start_command(command)
    }

    /// The same with a command line that has its sources, but no port yet.
    pub(crate) fn start_command(mut command: Command) -> Running {
        let port = free_port();
        let has_host = command.get_args().any(|argument| argument == "-b");
        if !has_host {
            command.args(["-b", "127.0.0.1"]);
        }
        command.args(["-p", &port.to_string()]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let target = SocketAddr::from(([127, 0, 0, 1], port));
        let mut running = Running { child, lines, log: Vec::new(), target };
        running.wait_for_line("Startup");
        running
    }

    /// Waits for a log line that begins with `start`.
    pub(crate) fn wait_for_line(&mut self, start: &str) -> String {
        let since = Instant::now();
        loop {
            let remaining = DEADLINE.saturating_sub(since.elapsed());
            let Ok(line) = self.lines.recv_timeout(remaining) else {
                panic!("waited in vain for `{start}`, heard {:#?}", self.log)
            };
            self.log.push(line.clone());
            if line.starts_with(start) {
                return line;
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Ends it by `signal`, and gives its exit code, if it has one, and the whole log.
    pub(crate) fn end(mut self, signal: Signal) -> (Option<i32>, Vec<String>) {
        self.signal(signal);
        let code = exit(&mut self.child).code();
        while let Ok(line) = self.lines.recv_timeout(DEADLINE) {
            self.log.push(line);
        }
        (code, std::mem::take(&mut self.log))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A daemon that is killed with its test.
pub(crate) struct Daemon(pub(crate) u32);

impl Daemon {
    fn pid(&self) -> Pid {
        Pid::from_raw(self.0.try_into().unwrap())
    }

    pub(crate) fn is_alive(&self) -> bool {
        // Nobody waits for it in some containers: a zombie is dead.
        std::fs::read_to_string(format!("/proc/{}/stat", self.0))
            .is_ok_and(|stat| !stat.rsplit(')').next().unwrap().trim_start().starts_with('Z'))
    }

    pub(crate) fn end(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
        wait_for("the daemon to end", || (!self.is_alive()).then_some(()));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.is_alive() {
            // It may end at this very moment.
            let _ = kill(self.pid(), Signal::SIGKILL);
        }
    }
}

/// A NetFlow v5 datagram of `count` flows, 10 packets and 1000 octets each.
pub(crate) fn v5(sequence: u32, count: u16) -> Vec<u8> {
    let mut datagram = vec![0, 5];
    datagram.extend_from_slice(&count.to_be_bytes());
    for word in [600_000_u32, 1_700_000_123, 0, sequence, 0] {
        datagram.extend_from_slice(&word.to_be_bytes());
    }
    for record in 0..count {
        let mut octets = [0; 48];
        octets[..4].copy_from_slice(&[192, 0, 2, 1]);
        octets[4..8].copy_from_slice(&[198, 51, 100, 1]);
        octets[19] = 10;
        octets[22..24].copy_from_slice(&1000_u16.to_be_bytes());
        octets[32..34].copy_from_slice(&record.to_be_bytes());
        octets[38] = 6;
        datagram.extend_from_slice(&octets);
    }
    datagram
}

/// Sends v5 datagrams of `count` flows each, in one sequence that starts at `sequence`.
pub(crate) fn send(target: SocketAddr, datagrams: u32, count: u16, sequence: u32) {
    send_from("127.0.0.1", target, datagrams, count, sequence);
}

/// The same from another address of the loopback network.
pub(crate) fn send_from(exporter: &str, target: SocketAddr, datagrams: u32, count: u16, sequence: u32) {
    let socket = UdpSocket::bind((exporter, 0)).unwrap();
    for number in 0..datagrams {
        socket.send_to(&v5(sequence + number * u32::from(count), count), target).unwrap();
    }
}

/// The names of the data files below a directory, sorted, with their sub-directories.
pub(crate) fn files(directory: &Path) -> Vec<String> {
    fn walk(directory: &Path, top: &Path, names: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, top, names);
            } else if flow_file::is_data_file(path.file_name().unwrap()) {
                names.push(path.strip_prefix(top).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let mut names = Vec::new();
    walk(directory, directory, &mut names);
    names.sort();
    names
}

/// The working files in a directory.
pub(crate) fn working_files(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(flow_file::WORKING_PREFIX))
        .collect()
}

/// Opens a file that must be whole.
pub(crate) fn open(path: &Path) -> FlowFile {
    let file = FlowFile::open(path).unwrap();
    assert!(file.is_finished(), "{} has no end", path.display());
    assert!(file.problems().is_empty(), "{:?}", file.problems());
    file
}

/// The addresses that a file's flows came from, and those of its exporters, once each.
pub(crate) fn routers(file: &FlowFile) -> (Vec<IpAddr>, Vec<IpAddr>) {
    let mut routers = BTreeSet::new();
    for block in 0..file.block_count() {
        let fields = FieldSet::of(&[Field::RouterAddr, Field::Groups]);
        let batch = file.block(block).unwrap().to_batch(fields).unwrap();
        for row in 0..batch.len() {
            let addr = batch.column(Field::RouterAddr).ip(row);
            let group = if addr.is_ipv6() { Groups::ROUTER_V6 } else { Groups::ROUTER_V4 };
            assert!(batch.groups(row).contains(group));
            routers.insert(addr);
        }
    }
    let exporters: BTreeSet<IpAddr> = file.exporters().iter().map(|exporter| exporter.addr).collect();
    (routers.into_iter().collect(), exporters.into_iter().collect())
}
