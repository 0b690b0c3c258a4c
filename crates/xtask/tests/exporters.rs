//! Exporters that people run, sending to `rcapd` over loopback: packets and octets in `rdump -I` are what the exporter says.
//!
//! What each says: softflowd prints its statistics by protocol when it ends; pmacctd counts for a second plugin of its own, `print`, what
//! it gives to the probe. fprobe and pmacctd's sFlow agent say nothing, so a relay between them and `rcapd` adds up what is in
//! their datagrams, by fixed offsets of NetFlow v5 and sFlow v5 alone.

mod support;

use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use flow_testkit::conditions::{Needed, corpus, program, trial};
use libtest_mimic::{Arguments, Failed};
use nix::sched::{CloneFlags, setns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid};
use support::output;
use xtask::process::{Collector, free_port};
use xtask::programs::Programs;

/// For whatever is waited for; a busy machine needs some of it.
const DEADLINE: Duration = Duration::from_mins(2);

/// A relay is done when nothing came for this long.
const SILENCE: Duration = Duration::from_secs(1);

/// One slot since 2001: no test meets the end of it.
const ENDLESS: &str = "1000000000";

/// Octets that may wait in a socket: exporters that read a file send all at once.
const BUFFER: &str = "33554432";

/// What was sent, or stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    packets: u64,
    octets: u64,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_args();
    let programs = Arc::new(Programs::for_tests()?);
    let mut trials = Vec::new();
    for traffic in ["mixed-internet", "protocol-zoo"] {
        for version in ["5", "9", "10"] {
            let needed = needed("softflowd", traffic);
            let name = format!("softflowd {version} {traffic}");
            let programs = Arc::clone(&programs);
            trials.push(trial(name, needed, move |needed| softflowd(&needed, version, &programs)));
        }
    }
    for version in ["5", "9", "10"] {
        let programs = Arc::clone(&programs);
        let needed = needed("pmacctd", "mixed-internet");
        trials.push(trial(format!("pmacctd {version}"), needed, move |needed| {
            nfprobe(&needed, version, &programs)
        }));
    }
    let sflow = Arc::clone(&programs);
    trials.push(trial("pmacctd sflow", needed("pmacctd", "mixed-internet"), move |needed| {
        sfprobe(&needed, &sflow)
    }));
    trials.push(trial("fprobe 5", needed_for_fprobe(), move |(needed, tools)| {
        fprobe(&needed, &tools, &programs)
    }));
    libtest_mimic::run(&arguments, trials).exit();
}

/// An exporter and a capture for it.
struct Exporter {
    program: PathBuf,
    traffic: PathBuf,
}

fn needed(name: &str, traffic: &str) -> Needed<Exporter> {
    let program = program(name).or_else(|reason| {
        // Where daemons are, which is not in everybody's path.
        let place = Path::new("/usr/sbin").join(name);
        if place.is_file() { Ok(place) } else { Err(reason) }
    })?;
    let traffic = corpus()?.join("traffic").join(traffic).with_extension("pcap");
    if traffic.is_file() {
        Ok(Exporter { program, traffic })
    } else {
        Err(format!("no {}", traffic.display()))
    }
}

/// What gives an exporter that reads no files something to see.
struct Tools {
    ip: PathBuf,
    tcpreplay: PathBuf,
}

fn needed_for_fprobe() -> Needed<(Exporter, Tools)> {
    if !Uid::effective().is_root() {
        return Err("a network namespace needs root".to_owned());
    }
    let tools = Tools { ip: program("ip")?, tcpreplay: program("tcpreplay")? };
    Ok((needed("fprobe", "mixed-internet")?, tools))
}

/// softflowd reads the capture, sends, prints its statistics and ends.
fn softflowd(exporter: &Exporter, version: &str, programs: &Programs) -> Result<(), Failed> {
    let store = Store::start(programs)?;
    let mut command = Command::new(&exporter.program);
    command.arg("-r").arg(&exporter.traffic).args(["-a", "-v", version, "-n", &store.address().to_string()]);
    command.args(["-d", "-c", "none", "-p"]).arg(store.scratch().join("softflowd.pid"));
    let said = run_to_end(&mut command, &[0])?;
    // ` icmp (1): OCTETS PACKETS AVERAGE MAXIMUM`
    let statistics = said.split("Per-protocol statistics:").nth(1).ok_or("no statistics")?;
    let mut sum = Sum::default();
    for line in statistics.lines() {
        if let Some((_, numbers)) = line.split_once("):") {
            let mut numbers = numbers.split_whitespace().map(str::parse::<u64>);
            let (Some(Ok(octets)), Some(Ok(packets))) = (numbers.next(), numbers.next()) else {
                return Err(format!("no numbers: {line}").into());
            };
            sum.octets += octets;
            sum.packets += packets;
        }
    }
    store.holds(sum, programs)
}

/// pmacctd reads the capture for two plugins: the probe, and one that counts by protocol.
fn nfprobe(exporter: &Exporter, version: &str, programs: &Programs) -> Result<(), Failed> {
    let store = Store::start(programs)?;
    let counted = store.scratch().join("counted.csv");
    let mut options = vec![
        "plugins: nfprobe[probe], print[count]".to_owned(),
        format!("nfprobe_receiver: {}", store.address()),
        format!("nfprobe_version: {version}"),
        "aggregate[probe]: src_host, dst_host, src_port, dst_port, proto, tos".to_owned(),
        "aggregate[count]: proto".to_owned(),
        "print_output: csv".to_owned(),
        format!("print_output_file: {}", counted.display()),
        "print_refresh_time: 3600".to_owned(),
    ];
    if version == "5" {
        // Nothing else fits.
        options.push("pcap_filter: ip".to_owned());
    }
    pmacctd(exporter, &store, &options)?;
    let mut sum = Sum::default();
    for line in fs::read_to_string(&counted)?.lines().skip(1) {
        let numbers: Vec<u64> = line.split(',').skip(1).map(str::parse).collect::<Result<_, _>>()?;
        let &[packets, octets] = numbers.as_slice() else { return Err(format!("no numbers: {line}").into()) };
        sum.packets += packets;
        sum.octets += octets;
    }
    store.holds(sum, programs)
}

/// pmacctd reads the capture and sends every packet as a sample.
fn sfprobe(exporter: &Exporter, programs: &Programs) -> Result<(), Failed> {
    let store = Store::start(programs)?;
    let relay = Relay::start(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?, store.address(), samples)?;
    let options = [
        "plugins: sfprobe".to_owned(),
        format!("sfprobe_receiver: {}", relay.address),
        "sampling_rate: 1".to_owned(),
    ];
    pmacctd(exporter, &store, &options)?;
    store.holds(relay.finish()?, programs)
}

fn pmacctd(exporter: &Exporter, store: &Store, options: &[String]) -> Result<(), Failed> {
    let config = store.scratch().join("pmacctd.conf");
    let common = format!("daemonize: false\npcap_savefile: {}\n", exporter.traffic.display());
    fs::write(&config, common + &options.join("\n") + "\n")?;
    // It ends with 1 when one of its processes notices the end of another first.
    run_to_end(Command::new(&exporter.program).arg("-f").arg(&config), &[0, 1]).map(drop)
}

/// fprobe listens on one end of a pair of interfaces, in a network of their own, while packets go in at the other.
fn fprobe(exporter: &Exporter, tools: &Tools, programs: &Programs) -> Result<(), Failed> {
    let store = Store::start(programs)?;
    let network = Network::create(tools)?;
    let relay = Relay::start(network.socket()?, store.address(), records)?;
    let mut command = network.command(&exporter.program);
    // In the foreground (-l 2), with short timers; its own datagrams do not pass the pair.
    command.args(["-i", "seen", "-n", "5", "-s", "1", "-d", "2", "-e", "6", "-l"]);
    command.arg(format!("2:{}", std::process::id())).arg(relay.address.to_string());
    let fprobe = Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    let mut replay = network.command(&tools.tcpreplay);
    replay.args(["-q", "-p", "4000", "-L", "5000", "-i", "sent"]).arg(&exporter.traffic);
    // When it listens it says nowhere else than here: its flows come when they have timed out, and are few while it saw
    // only the end of what was replayed.
    let deadline = Instant::now() + DEADLINE;
    while relay.packets() < 1000 {
        if Instant::now() > deadline {
            return Err(format!("fprobe has sent flows of {} packets only", relay.packets()).into());
        }
        run_to_end(&mut replay, &[0])?;
        thread::sleep(Duration::from_secs(3));
    }
    fprobe.terminate()?;
    store.holds(relay.finish()?, programs)
}

/// A collector with its directory.
struct Store {
    collector: Collector,
    directory: tempfile::TempDir,
    scratch: tempfile::TempDir,
}

impl Store {
    fn start(programs: &Programs) -> Result<Store, Failed> {
        let (directory, scratch) = (tempfile::tempdir()?, tempfile::tempdir()?);
        let port = free_port()?;
        let mut command = programs.command("rcapd");
        command.arg("-w").arg(directory.path()).args(["-b", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["-t", ENDLESS, "-B", BUFFER]).stderr(Stdio::null());
        Ok(Store { collector: Collector::start(command, port)?, directory, scratch })
    }

    fn address(&self) -> SocketAddr {
        self.collector.address()
    }

    fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Ends the collector and compares what it stored.
    fn holds(self, sent: Sum, programs: &Programs) -> Result<(), Failed> {
        let queue = self.collector.drained(DEADLINE)?;
        self.collector.terminate(DEADLINE)?;
        let info = output(programs.command("rdump").arg("-R").arg(self.directory.path()).arg("-I"))?;
        let number = |name: &str| -> Result<u64, Failed> {
            let line = info
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .ok_or_else(|| format!("no {name} in\n{info}"))?;
            Ok(line.trim().parse()?)
        };
        let stored = Sum { packets: number("Packets:")?, octets: number("Bytes:")? };
        if stored == sent && sent.packets > 0 && queue.dropped == 0 {
            return Ok(());
        }
        Err(format!("stored {stored:?}, sent {sent:?}, {} datagrams dropped\n{info}", queue.dropped).into())
    }
}

/// Passes datagrams on and adds up what is in them.
struct Relay {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    packets: Arc<AtomicU64>,
    thread: JoinHandle<std::io::Result<Option<Sum>>>,
}

impl Relay {
    fn start(socket: UdpSocket, to: SocketAddr, count: fn(&[u8]) -> Option<Sum>) -> std::io::Result<Relay> {
        let address = socket.local_addr()?;
        let out = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(SILENCE))?;
        let (stop, packets) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let (stopped, count_packets): (_, Arc<AtomicU64>) = (Arc::clone(&stop), Arc::clone(&packets));
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            let mut sum = Some(Sum::default());
            loop {
                match socket.recv(&mut buffer) {
                    Ok(len) => {
                        out.send_to(&buffer[..len], to)?;
                        let more = count(&buffer[..len]);
                        count_packets.fetch_add(more.map_or(0, |more| more.packets), Ordering::Relaxed);
                        sum = sum.zip(more).map(|(sum, more)| Sum {
                            packets: sum.packets + more.packets,
                            octets: sum.octets + more.octets,
                        });
                    }
                    Err(error) if is_timeout(&error) && stopped.load(Ordering::Relaxed) => return Ok(sum),
                    Err(error) if is_timeout(&error) => {}
                    Err(error) => return Err(error),
                }
            }
        });
        Ok(Relay { address, stop, packets, thread })
    }

    /// The packets of the flows passed on so far.
    fn packets(&self) -> u64 {
        self.packets.load(Ordering::Relaxed)
    }

    /// Ends when nothing comes any more.
    fn finish(self) -> Result<Sum, Failed> {
        self.stop.store(true, Ordering::Relaxed);
        let sum = self.thread.join().map_err(|_| "the relay failed")??;
        sum.ok_or_else(|| "a datagram is not what it should be".into())
    }
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
}

fn word(octets: &[u8], at: usize) -> Option<u64> {
    octets.get(at..)?.first_chunk().map(|word| u64::from(u32::from_be_bytes(*word)))
}

/// NetFlow v5: records of 48 octets behind a header of 24, packets at 16 and octets at 20.
fn records(datagram: &[u8]) -> Option<Sum> {
    let &[0, 5, high, low] = datagram.first_chunk()? else { return None };
    let mut sum = Sum::default();
    for record in 0..usize::from(u16::from_be_bytes([high, low])) {
        sum.packets += word(datagram, 24 + 48 * record + 16)?;
        sum.octets += word(datagram, 24 + 48 * record + 20)?;
    }
    Some(sum)
}

/// sFlow v5: flow samples (type 1) stand for as many packets as their rate says, each as long as the sampled header's frame.
fn samples(datagram: &[u8]) -> Option<Sum> {
    let agent_len = match (word(datagram, 0)?, word(datagram, 4)?) {
        (5, 1) => 4,
        (5, 2) => 16,
        _ => return None,
    };
    let mut at = 8 + agent_len + 12;
    let mut sum = Sum::default();
    let count = word(datagram, at)?;
    at += 4;
    for _ in 0..count {
        let (kind, len) = (word(datagram, at)?, word(datagram, at + 4)? as usize);
        let sample = datagram.get(at + 8..at + 8 + len)?;
        at += 8 + len;
        if kind == 1 {
            let (rate, records) = (word(sample, 8)?, word(sample, 28)?);
            let mut record = 32;
            for _ in 0..records {
                // The sampled header: protocol, then the length of the frame.
                if word(sample, record)? == 1 {
                    sum.packets += rate;
                    sum.octets += rate * word(sample, record + 12)?;
                }
                record += 8 + word(sample, record + 4)? as usize;
            }
        }
    }
    Some(sum)
}

/// A network of its own with the two ends of a cable, `sent` and `seen`. It goes when this is dropped.
struct Network<'a> {
    name: String,
    tools: &'a Tools,
}

impl<'a> Network<'a> {
    fn create(tools: &'a Tools) -> Result<Network<'a>, Failed> {
        let name = format!("rdump-test-{}", std::process::id());
        output(Command::new(&tools.ip).args(["netns", "add", &name]))?;
        let network = Network { name, tools };
        for arguments in [
            &["link", "add", "sent", "type", "veth", "peer", "name", "seen"][..],
            &["link", "set", "lo", "up"],
            &["link", "set", "sent", "up"],
            &["link", "set", "seen", "up"],
        ] {
            output(Command::new(&network.tools.ip).args(["-n", &network.name]).args(arguments))?;
        }
        Ok(network)
    }

    /// A command that runs in it.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(&self.tools.ip);
        command.args(["netns", "exec", &self.name]).arg(program).stdin(Stdio::null());
        command
    }

    /// A socket on its loopback, which we can use from outside.
    fn socket(&self) -> Result<UdpSocket, Failed> {
        let network = fs::File::open(Path::new("/var/run/netns").join(&self.name))?;
        // A thread that enters it takes nobody along.
        let socket = thread::spawn(move || {
            setns(&network, CloneFlags::CLONE_NEWNET)?;
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
        });
        Ok(socket.join().map_err(|_| "entering the network failed")??)
    }
}

impl Drop for Network<'_> {
    fn drop(&mut self) {
        // At the end of a test there is nobody left to tell.
        let _ = Command::new(&self.tools.ip).args(["netns", "del", &self.name]).status();
    }
}

/// A child that is killed with its test.
struct Running(Child);

impl Running {
    fn terminate(mut self) -> Result<(), Failed> {
        kill(Pid::from_raw(i32::try_from(self.0.id())?), Signal::SIGTERM)?;
        wait(&mut self.0, &[0])
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for the end, which must be with one of these codes.
fn wait(child: &mut Child, codes: &[i32]) -> Result<(), Failed> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(status) = child.try_wait()? {
            let is_good = status.code().is_some_and(|code| codes.contains(&code));
            return if is_good { Ok(()) } else { Err(format!("it ended with {status}").into()) };
        }
        if Instant::now() > deadline {
            return Err("it does not end".into());
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a command to its end, which must be with one of these codes, and gives what it said.
fn run_to_end(command: &mut Command, codes: &[i32]) -> Result<String, Failed> {
    // What they say is less than a pipe holds.
    let mut child =
        Running(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
    let ended = wait(&mut child.0, codes);
    let mut said = String::new();
    if let (Some(mut stdout), Some(mut stderr)) = (child.0.stdout.take(), child.0.stderr.take()) {
        stdout.read_to_string(&mut said)?;
        stderr.read_to_string(&mut said)?;
    }
    ended.map_err(|error| format!("{command:?}: {}\n{said}", error.message().unwrap_or_default()))?;
    Ok(said)
}
