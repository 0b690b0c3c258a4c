//! What a collector still knows of exporters when it starts again: as much as it may, and never more.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::fs;
use std::net::UdpSocket;
use std::path::Path;

use flow_file::{COLLECTOR_STATE, LiveDirectory};
use nix::sys::signal::Signal;
use support::{ENDLESS, ENDLESS_NAME, Running, files, open, wait_for};

/// A NetFlow v9 datagram; each set is an id and 16-bit words.
fn v9(sequence: u32, sets: &[(u16, &[u16])]) -> Vec<u8> {
    let mut datagram = vec![0, 9, 0, 1];
    for word in [600_000_u32, 1_700_000_123, sequence, 7] {
        datagram.extend_from_slice(&word.to_be_bytes());
    }
    for (id, words) in sets {
        let len = 4 + 2 * u16::try_from(words.len()).unwrap();
        datagram.extend([*id, len].iter().chain(*words).flat_map(|word| word.to_be_bytes()));
    }
    datagram
}

/// Octets, and the sampler of it: template 256.
const TEMPLATE: (u16, &[u16]) = (0, &[256, 2, 1, 4, 48, 2]);

/// Sampler, one of so many packets: options template 257.
const OPTIONS: (u16, &[u16]) = (1, &[257, 4, 8, 1, 2, 48, 2, 34, 2]);
const SAMPLER: (u16, &[u16]) = (257, &[0, 5, 100]);

/// A flow of 10 octets, sampled by sampler 5.
const FLOW: (u16, &[u16]) = (256, &[0, 10, 5]);

struct Sender(UdpSocket);

impl Sender {
    fn new() -> Sender {
        Sender(UdpSocket::bind("127.0.0.1:0").unwrap())
    }

    fn send(&self, collector: &Running, datagram: &[u8]) {
        self.0.send_to(datagram, collector.target).unwrap();
    }
}

/// Flows, octets, and what is missing, in the one finished file there is.
fn stored(directory: &Path) -> (u64, u64, u64) {
    let file = open(&directory.join(ENDLESS_NAME));
    let totals = file.totals();
    (totals.flows, totals.bytes, file.ledger().missed)
}

fn known_line(log: &[String]) -> Option<&String> {
    log.iter().find(|line| line.contains("exporters known from the run before"))
}

#[test]
fn data_before_their_template_are_decoded_at_once_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let sender = Sender::new();
    let collector = Running::start(directory.path(), &["-t", ENDLESS]);
    sender.send(&collector, &v9(1, &[TEMPLATE, OPTIONS, SAMPLER, FLOW]));
    let (_, log) = collector.end(Signal::SIGTERM);
    assert_eq!(known_line(&log), None);
    assert_eq!(stored(directory.path()), (1, 1000, 0));

    let collector = Running::start(directory.path(), &["-t", ENDLESS]);
    // Six datagrams came while nobody listened.
    sender.send(&collector, &v9(8, &[FLOW]));
    let (_, log) = collector.end(Signal::SIGTERM);
    assert_eq!(known_line(&log).unwrap(), "Ident: 'none' exporters known from the run before: 1");
    assert_eq!(stored(directory.path()), (2, 2000, 6), "{log:#?}");

    // Who does not want to know begins anew, and leaves nothing of its own behind.
    let before = fs::read(directory.path().join(COLLECTOR_STATE)).unwrap();
    let collector = Running::start(directory.path(), &["-t", ENDLESS, "--no-state"]);
    sender.send(&collector, &v9(20, &[FLOW]));
    let (_, log) = collector.end(Signal::SIGTERM);
    assert_eq!((known_line(&log), stored(directory.path())), (None, (2, 2000, 6)));
    assert_eq!(fs::read(directory.path().join(COLLECTOR_STATE)).unwrap(), before);
}

#[test]
fn a_collector_that_was_killed_leaves_templates_and_no_sequence() {
    let directory = tempfile::tempdir().unwrap();
    let sender = Sender::new();
    // The first collector ends well, and leaves a sequence.
    let collector = Running::start(directory.path(), &["-t", ENDLESS]);
    sender.send(&collector, &v9(1, &[TEMPLATE, FLOW]));
    collector.end(Signal::SIGTERM);
    // The second takes two datagrams more, and is killed.
    let collector = Running::start(directory.path(), &["-t", ENDLESS]);
    sender.send(&collector, &v9(2, &[FLOW]));
    sender.send(&collector, &v9(3, &[FLOW]));
    wait_for("the flows to be in the journal", || {
        let (live, _) = LiveDirectory::open(directory.path()).unwrap();
        live.files
            .iter()
            .any(|file| file.journal.as_ref().is_some_and(|journal| journal.totals().flows == 2))
            .then_some(())
    });
    collector.end(Signal::SIGKILL);
    // The third knows the template, and does not take these for missing.
    let mut collector = Running::start(directory.path(), &["-t", ENDLESS]);
    collector.wait_for_line("Adopted");
    sender.send(&collector, &v9(4, &[FLOW]));
    let (_, log) = collector.end(Signal::SIGTERM);
    assert!(known_line(&log).is_some());
    assert_eq!(stored(directory.path()), (4, 40, 0), "{log:#?}");
}

#[test]
fn what_was_learnt_in_a_slot_is_saved_at_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let sender = Sender::new();
    let collector = Running::start(directory.path(), &["-t", "1"]);
    sender.send(&collector, &v9(1, &[TEMPLATE, FLOW]));
    let path = directory.path().join(COLLECTOR_STATE);
    wait_for("the state", || path.exists().then_some(()));
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let (first, count) = (inode(&path), files(directory.path()).len());
    wait_for("two more slots", || (files(directory.path()).len() >= count + 2).then_some(()));
    assert_eq!(inode(&path), first, "nothing was learnt");
    collector.end(Signal::SIGKILL);
    let collector = Running::start(directory.path(), &["-t", ENDLESS]);
    sender.send(&collector, &v9(9, &[FLOW]));
    collector.end(Signal::SIGTERM);
    assert_eq!(stored(directory.path()), (1, 10, 0));
}

#[test]
fn a_state_that_cannot_be_read_is_named_once_and_replaced() {
    for content in [&b""[..], b"rubbish", b"RDFs\x02\x00 of a release to come"] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(COLLECTOR_STATE);
        fs::write(&path, content).unwrap();
        let sender = Sender::new();
        let collector = Running::start(directory.path(), &["-t", ENDLESS]);
        sender.send(&collector, &v9(1, &[TEMPLATE, FLOW]));
        let (code, log) = collector.end(Signal::SIGTERM);
        let named = log.iter().filter(|line| line.contains(COLLECTOR_STATE)).count();
        assert_eq!((code, named, stored(directory.path()).0), (Some(0), 1, 1), "{log:#?}");
        let collector = Running::start(directory.path(), &["-t", ENDLESS]);
        assert!(known_line(&collector.end(Signal::SIGTERM).1).is_some());
    }
}
