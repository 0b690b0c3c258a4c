//! Child processes: collectors that listen on loopback, and measured runs.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeVal;
use nix::unistd::Pid;

const START_DEADLINE: Duration = Duration::from_secs(20);
/// How long its sockets may be missing from the kernel's table.
const LISTED_DEADLINE: Duration = Duration::from_secs(10);
/// Far longer than a collector needs for one datagram.
const IN_HAND: Duration = Duration::from_millis(50);

/// A UDP port of 127.0.0.1 that nobody uses now, and that this process has not given out before: tests look for ports at
/// the same time.
///
/// # Errors
///
/// When the machine has none left.
pub fn free_port() -> Result<u16> {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    const ATTEMPTS: usize = 100;
    for _ in 0..ATTEMPTS {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free UDP port")?;
        let port = socket.local_addr()?.port();
        if GIVEN.lock().is_ok_and(|mut given| given.insert(port)) {
            return Ok(port);
        }
    }
    bail!("no free UDP port")
}

/// A collector started by us on a loopback port. Dropping it kills it.
#[derive(Debug)]
pub struct Collector {
    name: String,
    child: Child,
    port: u16,
    /// Inodes of the sockets that listen.
    sockets: Vec<u64>,
}

impl Collector {
    /// Starts `command`, which must listen on `port`, and waits until it does.
    ///
    /// # Errors
    ///
    /// When it does not start, ends at once, or does not listen within 20 s.
    pub fn start(mut command: Command, port: u16) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).spawn().with_context(|| format!("starting {name}"))?;
        let mut collector = Self { name, child, port, sockets: Vec::new() };
        let deadline = Instant::now() + START_DEADLINE;
        while collector.sockets.is_empty() {
            if let Some(status) = collector.child.try_wait()? {
                bail!("{} ended before it listened on port {port}: {status}", collector.name);
            }
            if Instant::now() > deadline {
                bail!("{} does not listen on port {port}", collector.name);
            }
            thread::sleep(Duration::from_millis(5));
            let own = open_sockets(collector.child.id());
            let bound = udp_sockets().into_iter().filter(|socket| socket.port == port);
            collector.sockets =
                bound.map(|socket| socket.inode).filter(|inode| own.contains(inode)).collect();
        }
        Ok(collector)
    }

    /// Where to send datagrams.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Its process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What waits in its sockets, and what was dropped there.
    ///
    /// # Errors
    ///
    /// When it does not listen any more.
    pub fn queue(&self) -> Result<Queue> {
        // The kernel makes its table page by page, and leaves out sockets that move while others come and go: on a busy
        // machine it takes many looks until all of ours are there.
        let deadline = Instant::now() + LISTED_DEADLINE;
        let state = loop {
            let listed = udp_sockets().into_iter().filter(|socket| self.sockets.contains(&socket.inode));
            let queues: Vec<Queue> = listed.map(|socket| socket.queue).collect();
            if queues.len() >= self.sockets.len() {
                return Ok(queues.into_iter().fold(Queue::default(), Queue::plus));
            }
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
            let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next()).unwrap_or('X');
            if matches!(state, 'X' | 'Z') || Instant::now() > deadline {
                break state;
            }
            thread::sleep(Duration::from_millis(2));
        };
        bail!("{} closed its socket, process state {state}", self.name)
    }

    /// Waits until it has taken everything from its sockets, and a moment longer: nfcapd loses the datagram in its hands
    /// when TERM comes.
    ///
    /// # Errors
    ///
    /// When it has not after `limit`.
    pub fn drained(&self, limit: Duration) -> Result<Queue> {
        let deadline = Instant::now() + limit;
        loop {
            let queue = self.queue()?;
            if queue.waiting == 0 {
                thread::sleep(IN_HAND);
                return Ok(queue);
            }
            if Instant::now() > deadline {
                bail!("the collector left {} octets in its socket", queue.waiting);
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends it TERM, as service managers do, and waits for its end.
    ///
    /// # Errors
    ///
    /// When it has not ended after `limit`.
    pub fn terminate(mut self, limit: Duration) -> Result<ExitStatus> {
        let pid = i32::try_from(self.child.id()).context("process number")?;
        kill(Pid::from_raw(pid), Signal::SIGTERM).context("sending TERM")?;
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if Instant::now() > deadline {
                bail!("process {pid} did not end {limit:?} after TERM");
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        // Fails when it has ended already, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What waits in UDP sockets, and what the kernel dropped there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Octets of kernel memory in the receive queue.
    pub waiting: u64,
    /// Datagrams dropped since the socket exists.
    pub dropped: u64,
}

impl Queue {
    fn plus(self, other: Self) -> Self {
        Self { waiting: self.waiting + other.waiting, dropped: self.dropped + other.dropped }
    }
}

/// A line of the kernel's table of UDP sockets (proc(5), /proc/net/udp).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct UdpSocketLine {
    port: u16,
    inode: u64,
    queue: Queue,
}

impl UdpSocketLine {
    /// `sl local:port remote:port st tx:rx tr:when retrnsmt uid timeout inode ref pointer drops`; ports and queues in hex.
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let hex = |word: &str| u64::from_str_radix(word.rsplit_once(':')?.1, 16).ok();
        Some(Self {
            port: u16::try_from(hex(words.get(1)?)?).ok()?,
            inode: words.get(9)?.parse().ok()?,
            queue: Queue { waiting: hex(words.get(4)?)?, dropped: words.last()?.parse().ok()? },
        })
    }
}

/// The UDP sockets of this machine, of both families.
fn udp_sockets() -> Vec<UdpSocketLine> {
    let tables = ["/proc/net/udp", "/proc/net/udp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
    tables.iter().flat_map(|text| text.lines()).filter_map(UdpSocketLine::parse).collect()
}

/// Inodes of the sockets that a process of ours has open.
fn open_sockets(pid: u32) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let targets = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    targets
        .filter_map(|target| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok())
        .collect()
}

/// What a run cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// From start to end.
    pub wall: Duration,
    /// User and system time.
    pub cpu: Duration,
    /// Most anonymous memory (`RssAnon`) seen, octets: without mapped files. 0 when the run was too short to look.
    pub anonymous: u64,
}

/// Runs `command` to its end and measures it. Its output goes where the command says.
///
/// CPU time is the difference in what the kernel accounts for our ended children, so nothing else may be waited for
/// at the same time.
///
/// # Errors
///
/// When it does not start or does not succeed.
pub fn measure(command: &mut Command) -> Result<Cost> {
    let name = command.get_program().to_string_lossy().into_owned();
    let cpu_before = children_cpu()?;
    let start = Instant::now();
    let mut child = command.stdin(Stdio::null()).spawn().with_context(|| format!("starting {name}"))?;
    let peak = AnonymousPeak::new(child.id());
    let (status, wall) = thread::scope(|scope| {
        scope.spawn(|| peak.watch());
        let status = child.wait();
        let wall = start.elapsed();
        peak.stop();
        (status, wall)
    });
    let status = status.with_context(|| format!("waiting for {name}"))?;
    if !status.success() {
        bail!("{name} {:?}: {status}", command.get_args().collect::<Vec<_>>());
    }
    Ok(Cost { wall, cpu: children_cpu()?.saturating_sub(cpu_before), anonymous: peak.octets() })
}

/// User and system time of all children that ended.
///
/// # Errors
///
/// When the system call fails.
pub fn children_cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).context("getrusage")?;
    let duration = |time: TimeVal| {
        Duration::from_secs(time.tv_sec() as u64) + Duration::from_micros(time.tv_usec() as u64)
    };
    Ok(duration(usage.user_time()) + duration(usage.system_time()))
}

/// Watches how much anonymous memory a process has.
#[derive(Debug)]
pub struct AnonymousPeak {
    status: PathBuf,
    peak: AtomicU64,
    stopped: AtomicBool,
}

impl AnonymousPeak {
    /// Looks this often: a short peak may be missed, a large one does not build up that fast.
    const INTERVAL: Duration = Duration::from_millis(4);

    /// For the process `pid`.
    pub fn new(pid: u32) -> Self {
        let status = PathBuf::from(format!("/proc/{pid}/status"));
        Self { status, peak: AtomicU64::new(0), stopped: AtomicBool::new(false) }
    }

    /// Looks until [`stop`](Self::stop) is called or the process is gone.
    pub fn watch(&self) {
        while !self.stopped.load(Ordering::Relaxed) {
            let Ok(text) = fs::read_to_string(&self.status) else { return };
            self.peak.fetch_max(anonymous(&text), Ordering::Relaxed);
            thread::sleep(Self::INTERVAL);
        }
    }

    /// Ends [`watch`](Self::watch).
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// The most seen, octets.
    pub fn octets(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

/// `RssAnon` of a status file, octets.
fn anonymous(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes =
        line.and_then(|line| line.trim().strip_suffix("kB")).and_then(|n| n.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_kernels_socket_table() {
        let line = " 3054: 0100007F:270B 00000000:0000 07 00000000:00000900 00:00000000 00000000     0        0 87160 2 \
                    00000000c8ae4b3a 7";
        let queue = Queue { waiting: 0x900, dropped: 7 };
        assert_eq!(UdpSocketLine::parse(line), Some(UdpSocketLine { port: 9995, inode: 87160, queue }));
        assert_eq!(UdpSocketLine::parse("  sl  local_address rem_address   st tx_queue rx_queue"), None);
    }

    #[test]
    fn sees_what_waits_in_a_socket() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let port = socket.local_addr().unwrap().port();
        socket.send_to(&[0; 100], ("127.0.0.1", port)).unwrap();
        let own = open_sockets(std::process::id());
        let listed =
            udp_sockets().into_iter().find(|line| line.port == port && own.contains(&line.inode)).unwrap();
        assert!(listed.queue.waiting > 0);
    }

    #[test]
    fn measures_time_and_memory_of_a_child() {
        let mut command = Command::new("sh");
        command.args(["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.05"]);
        let cost = measure(&mut command).unwrap();
        assert!(cost.wall >= Duration::from_millis(50));
        assert!(cost.cpu > Duration::ZERO && cost.anonymous > 0, "{cost:?}");
        assert!(measure(Command::new("false").arg("x")).is_err());
    }

    #[test]
    fn reads_anonymous_memory() {
        assert_eq!(anonymous("VmRSS:\t  99 kB\nRssAnon:\t     120 kB\nRssFile:\t 1 kB\n"), 120 * 1024);
        assert_eq!(anonymous(""), 0);
    }
}
