//! What survives when the collector is killed, or cannot write: every flow that reached the disk, once.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flow_file::{FlowFile, LiveDirectory};
use flow_model::{Field, FieldSet};
use nix::sys::signal::Signal;
use support::{
    ENDLESS, ENDLESS_NAME, Running, files, free_port, open, rcapd, run, v5, wait_for, working_files,
};

/// How often the collector is killed; 200 in a long run.
const KILLS_VARIABLE: &str = "RCAPD_KILLS";
const KILLS: u64 = 12;

/// Flows of a datagram.
const FLOWS: u16 = 20;

/// A datagram whose flows have the numbers from `first` on as source addresses.
fn numbered(first: u32) -> Vec<u8> {
    let mut datagram = v5(first, FLOWS);
    for (number, record) in (0..).zip(datagram[24..].chunks_exact_mut(48)) {
        record[..4].copy_from_slice(&first.wrapping_add(number).to_be_bytes());
    }
    datagram
}

/// Counts how often each numbered flow is in a file.
fn count(file: &FlowFile, counts: &mut BTreeMap<u32, u32>) {
    for block in 0..file.block_count() {
        let batch = file.block(block).unwrap().to_batch(FieldSet::of(&[Field::SrcAddr])).unwrap();
        for row in 0..batch.len() {
            let std::net::IpAddr::V4(addr) = batch.column(Field::SrcAddr).ip(row) else {
                panic!("no number")
            };
            *counts.entry(addr.into()).or_default() += 1;
        }
    }
}

/// The flows in the finished files, and, on request, in those that are none yet.
fn stored(directory: &Path, live: bool) -> BTreeMap<u32, u32> {
    let mut counts = BTreeMap::new();
    for name in files(directory) {
        count(&open(&directory.join(name)), &mut counts);
    }
    if live {
        let (live, problems) = LiveDirectory::open(directory).unwrap();
        assert!(problems.is_empty(), "{problems:?}");
        for file in &live.files {
            count(&file.working, &mut counts);
            file.journal.iter().for_each(|journal| count(journal, &mut counts));
        }
    }
    counts
}

/// Sends numbered flows until it is stopped.
struct Stream {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU32>,
    thread: thread::JoinHandle<()>,
}

impl Stream {
    fn start(target: SocketAddr, first: u32, pause: Duration) -> Stream {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(first)));
        let thread = {
            let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
            thread::spawn(move || {
                let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                while !stop.load(Ordering::Relaxed) {
                    let first = sent.fetch_add(FLOWS.into(), Ordering::Relaxed);
                    // Once the collector is dead nobody listens.
                    let _ = socket.send_to(&numbered(first), target);
                    thread::sleep(pause);
                }
            })
        };
        Stream { stop, sent, thread }
    }

    fn stop(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.sent.load(Ordering::Relaxed)
    }
}

#[test]
fn what_reached_the_disk_is_there_once_whenever_the_collector_is_killed() {
    let kills = std::env::var(KILLS_VARIABLE).map_or(KILLS, |text| text.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let (mut next, mut seed) = (0, 88_172_645_463_325_252_u64);
    let mut expected = BTreeMap::new();
    for kill in 0..kills {
        // Marsaglia's xorshift64.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        // Long slots whose files are merged at every start, and short ones that end meanwhile.
        let interval = if kill % 3 == 0 { ENDLESS } else { "1" };
        let collector = Running::start(directory.path(), &["-t", interval]);
        let began = Instant::now();
        let stream = Stream::start(collector.target, next, Duration::from_micros(500 + seed % 3000));
        if kill == 0 {
            wait_for("flows in the journal", || (!stored(directory.path(), true).is_empty()).then_some(()));
        }
        thread::sleep(Duration::from_millis(seed % 1500).saturating_sub(began.elapsed()));
        assert_eq!(collector.end(Signal::SIGKILL).0, None);
        next = stream.stop();
        // A merger that was under way may have a part of them, until it is settled.
        let before = stored(directory.path(), true);
        assert!(before.values().all(|&count| count == 1), "doubled after kill {kill}");
        let in_merger =
            working_files(directory.path()).iter().any(|path| path.extension() == Some("merged".as_ref()));
        for number in expected.keys() {
            assert!(in_merger || before.contains_key(number), "flow {number} is gone after kill {kill}");
        }
        expected.extend(before);
    }
    let last = Running::start(directory.path(), &["-t", "1"]);
    assert_eq!(last.end(Signal::SIGTERM).0, Some(0));
    assert!(working_files(directory.path()).is_empty(), "{:?}", working_files(directory.path()));
    let after = stored(directory.path(), false);
    assert!(!after.is_empty());
    assert!(after.values().all(|&count| count == 1), "doubled in the end");
    for number in expected.keys() {
        assert!(after.contains_key(number), "flow {number} is gone");
    }
}

#[test]
fn flows_of_a_quiet_source_outlive_it() {
    let directory = tempfile::tempdir().unwrap();
    let collector = Running::start(directory.path(), &["-t", ENDLESS, "--sync"]);
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.send_to(&numbered(0), collector.target).unwrap();
    wait_for("the journal", || (stored(directory.path(), true).len() == usize::from(FLOWS)).then_some(()));
    collector.end(Signal::SIGKILL);
    let mut next = Running::start(directory.path(), &["-t", ENDLESS]);
    let line = next.wait_for_line("Adopted");
    assert!(line.contains(&format!("{FLOWS} flows")) && line.contains(ENDLESS_NAME), "{line}");
    assert_eq!(next.end(Signal::SIGTERM).0, Some(0));
    assert_eq!(stored(directory.path(), false).len(), usize::from(FLOWS));
}

#[test]
fn a_full_disk_costs_flows_that_are_counted_and_service_resumes() {
    let Ok(prlimit) = flow_testkit::conditions::program("prlimit") else {
        assert!(std::env::var_os("CI").is_none(), "prlimit is needed");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let mut collector = Running::start(directory.path(), &["-t", ENDLESS]);
    let (pid, target) = (collector.pid().to_string(), collector.target);
    let limit = |octets: &str| {
        let status = Command::new(&prlimit).args(["--pid", &pid, &format!("--fsize={octets}:")]).status();
        assert!(status.unwrap().success());
    };
    // No file may be larger than this, as if nothing were left.
    limit("4096");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut sent = 0;
    let mut send = |datagrams: u32| {
        for number in 0..datagrams {
            socket.send_to(&numbered((sent + number).wrapping_mul(1_000_003)), target).unwrap();
            if number % 20 == 0 {
                thread::sleep(Duration::from_millis(1));
            }
        }
        sent += datagrams;
    };
    send(9000);
    collector.wait_for_line("Ident: 'none' flows cannot be written: ");
    limit("unlimited");
    send(100);
    collector.wait_for_line("Ident: 'none' flows are written again");
    let (code, log) = collector.end(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{log:#?}");
    let file = open(&directory.path().join(ENDLESS_NAME));
    let ledger = file.ledger();
    assert_eq!(ledger.datagrams + ledger.kernel_drops, u64::from(sent));
    assert_eq!(ledger.flows, ledger.datagrams * u64::from(FLOWS));
    assert_eq!(file.totals().flows + ledger.unwritten, ledger.flows, "{ledger:?}");
    assert!(ledger.unwritten > 0 && file.totals().flows > 2000, "{ledger:?}");
}

#[test]
fn a_directory_that_is_removed_and_made_again_is_used_and_guarded_again() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path().join("flows");
    fs::create_dir(&directory).unwrap();
    let mut collector = Running::start(&directory, &["-t", ENDLESS]);
    let (target, mut sent) = (collector.target, 0);
    let mut send = |datagrams: u32| {
        support::send(target, datagrams, FLOWS, sent);
        sent += datagrams * u32::from(FLOWS);
    };
    send(2);
    wait_for("the journal", || (!stored(&directory, true).is_empty()).then_some(()));
    // The collector may make a file meanwhile.
    wait_for("the directory to be gone", || fs::remove_dir_all(&directory).ok());
    send(3);
    collector.wait_for_line("Ident: 'none' flows cannot be written: ");
    fs::create_dir(&directory).unwrap();
    send(4);
    collector.wait_for_line("Ident: 'none' flows are written again");
    let refused = run(rcapd().arg("-w").arg(&directory).args(["-p", &free_port().to_string()]));
    let said = String::from_utf8(refused.stderr).unwrap();
    let expected = format!("Another collector with pid {} is already running", collector.pid());
    assert!(refused.status.code() == Some(1) && said.contains(&expected), "{said}");
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
    let file = open(&directory.join(ENDLESS_NAME));
    let ledger = file.ledger();
    assert_eq!((ledger.datagrams, ledger.flows), (9, sent.into()));
    assert!(file.totals().flows >= u64::from(4 * FLOWS), "{ledger:?}");
    assert_eq!(file.totals().flows + ledger.unwritten, ledger.flows, "{ledger:?}");
}
