//! Load: more than the collector can take, at full speed over many slots, from very many exporters, and floods.
//!
//! These are shortened to seconds. With `RCAPD_LOAD=full` in the environment the soak takes half an hour and there are
//! 10,000 exporters: `RCAPD_LOAD=full cargo test --release -p rcapd --test load`.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Instant;

use flow_file::FlowFile;
use flow_model::LossLedger;
use flow_testkit::traffic::{Datagram, Datagrams, Profile, Protocol, Sender};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::Signal;
use support::{ENDLESS, ENDLESS_NAME, Running, files, open, rcapd, send_from, wait_for};

/// Octets that may wait in the collector's socket while we send: less than the smallest usual buffer.
const ROOM: u64 = 100_000;

/// Datagrams between two looks at the socket.
const LOOK_EVERY: usize = 16;

fn is_full_length() -> bool {
    std::env::var_os("RCAPD_LOAD").is_some_and(|value| value == "full")
}

/// Octets that wait in the collector's socket, and how many datagrams the kernel has dropped there.
fn socket(target: SocketAddr) -> (u64, u64) {
    let hex = |word: &str| u64::from_str_radix(word.rsplit(':').next().unwrap(), 16).unwrap();
    // On a busy machine the kernel's table may miss a line now and then.
    wait_for("the socket", || {
        let table = fs::read_to_string("/proc/net/udp").unwrap();
        let mut lines = table.lines().skip(1).map(|line| line.split_whitespace().collect::<Vec<_>>());
        let line = lines.find(|words| hex(words[1]) == u64::from(target.port()))?;
        Some((hex(line[4]), line.last()?.parse().ok()?))
    })
}

/// Sends as fast as the collector takes it.
fn feed<'d>(collector: &Running, sender: &mut Sender, datagrams: impl IntoIterator<Item = &'d Datagram>) {
    for (number, datagram) in datagrams.into_iter().enumerate() {
        if number % LOOK_EVERY == 0 {
            wait_for_room(collector, ROOM);
        }
        sender.send(datagram).unwrap();
    }
}

/// Waits until no more than this many octets wait in the collector's socket.
fn wait_for_room(collector: &Running, octets: u64) {
    wait_for("the collector to read", || (socket(collector.target).0 <= octets).then_some(()));
}

/// Octets of memory that the collector has for itself.
fn memory(collector: &Running) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", collector.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

fn end(collector: Running) -> Vec<String> {
    let (code, log) = collector.end(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{log:#?}");
    log
}

/// Stops a collector with a small buffer while datagrams come, and accounts for every one of them. Gives the flows that were
/// sent, those that are stored, the datagrams that the kernel dropped, and what the file says about losses.
fn overload(protocol: Protocol) -> (u64, u64, u64, LossLedger) {
    let directory = tempfile::tempdir().unwrap();
    let collector = Running::start(directory.path(), &["-t", ENDLESS, "-B", "65536"]);
    let exporters = [1, 2].map(|number| (Ipv4Addr::new(127, 7, 0, number), protocol));
    let profile = Profile { flows: 20_000, ipv6_percent: 0, exporters: exporters.into(), ..Profile::hour(0) };
    let datagrams: Vec<Datagram> = Datagrams::new(&profile).collect();
    let (before, rest) = datagrams.split_at(datagrams.len() / 3);
    let (meanwhile, after) = rest.split_at(rest.len() / 2);
    let mut sender = Sender::new(collector.target, None).unwrap();
    feed(&collector, &mut sender, before);
    collector.signal(Signal::SIGSTOP);
    for datagram in meanwhile {
        sender.send(datagram).unwrap();
    }
    collector.signal(Signal::SIGCONT);
    // Only what comes afterwards tells by its sequence numbers what is missing.
    feed(&collector, &mut sender, after);
    wait_for_room(&collector, 0);
    let (_, dropped) = socket(collector.target);
    assert!(dropped > 0, "the buffer was too large for this test");
    end(collector);

    let file = open(&directory.path().join(ENDLESS_NAME));
    let ledger = *file.ledger();
    assert_eq!(ledger.datagrams + dropped, datagrams.len() as u64, "sent = received + dropped by the kernel");
    assert_eq!(ledger.flows, file.totals().flows);
    let expected = LossLedger {
        datagrams: ledger.datagrams,
        flows: ledger.flows,
        missed: ledger.missed,
        sequence_failures: ledger.sequence_failures,
        kernel_drops: dropped,
        ..LossLedger::default()
    };
    assert_eq!(ledger, expected, "nothing else is lost");
    (profile.flows, ledger.flows, dropped, ledger)
}

#[test]
fn every_datagram_and_flow_of_an_overload_is_accounted_for() {
    for protocol in [Protocol::NetflowV5, Protocol::Ipfix] {
        let (sent, stored, _, ledger) = overload(protocol);
        assert_eq!(stored + ledger.missed, sent, "{protocol:?} counts flows");
    }
}

#[test]
fn where_sequences_count_datagrams_those_are_exact_in_an_overload() {
    for protocol in [Protocol::NetflowV9, Protocol::Sflow] {
        let (sent, stored, dropped, ledger) = overload(protocol);
        assert!(stored < sent);
        assert_eq!(ledger.missed, dropped, "{protocol:?} counts datagrams");
    }
}

/// Flows of a v5 or v9 datagram of ours, whose templates travel alone.
fn flows(datagram: &Datagram) -> u64 {
    let word = |at: usize| u16::from_be_bytes([datagram.payload[at], datagram.payload[at + 1]]);
    if word(0) == 9 && word(20) == 0 { 0 } else { word(2).into() }
}

#[test]
fn rotating_every_second_at_full_load_loses_nothing_and_takes_no_more_memory() {
    const EXTRA_MEMORY: u64 = 48 << 20;
    /// After this, all that is allocated once has been.
    const WARM: usize = 3;
    let seconds = if is_full_length() { 1800 } else { 6 };
    let directory = tempfile::tempdir().unwrap();
    let collector = Running::start(directory.path(), &["-t", "1"]);
    let mut exporters = Profile::day(0).exporters;
    exporters.push((Ipv4Addr::new(127, 5, 0, 1), Protocol::NetflowV5));
    // More than can be sent in that time.
    let profile = Profile { flows: 1 << 33, span_ms: 1 << 26, exporters, ..Profile::day(0) };
    let mut sender = Sender::new(collector.target, None).unwrap();
    let (start, mut sent, mut peaks) = (Instant::now(), 0, vec![0; seconds]);
    for (number, datagram) in Datagrams::new(&profile).enumerate() {
        if number % LOOK_EVERY == 0 {
            wait_for_room(&collector, ROOM);
            let Some(peak) = peaks.get_mut(start.elapsed().as_secs() as usize) else { break };
            *peak = memory(&collector).max(*peak);
        }
        sent += flows(&datagram);
        sender.send(&datagram).unwrap();
    }
    wait_for_room(&collector, 0);
    let (_, dropped) = socket(collector.target);
    assert_eq!(dropped, 0);
    end(collector);

    let files: Vec<FlowFile> =
        files(directory.path()).iter().map(|name| open(&directory.path().join(name))).collect();
    assert!(files.len() > seconds, "{} files in {seconds} s", files.len());
    let mut all = LossLedger::default();
    for file in &files {
        all.merge(file.ledger());
    }
    let datagrams = all.datagrams;
    assert_eq!(all, LossLedger { datagrams, flows: sent, ..LossLedger::default() });
    assert_eq!(files.iter().map(|file| file.totals().flows).sum::<u64>(), sent);
    let (first, later) = peaks.split_at(WARM);
    let (first, later) = (first.iter().max().unwrap(), later.iter().max().unwrap());
    assert!(*later <= first + EXTRA_MEMORY, "{later} octets, {first} in the first {WARM} s");
}

/// The flows of the one file below a dynamic source's directory.
fn stored(directory: &Path, exporter: Ipv4Addr) -> u64 {
    let name = exporter.to_string().replace('.', "-");
    open(&directory.join(name).join(ENDLESS_NAME)).totals().flows
}

#[test]
fn each_of_very_many_exporters_has_a_directory_and_little_memory() {
    const MEMORY_EACH: u64 = 64 << 10;
    const TOO_MANY: u32 = 5;
    // Each needs five open files; without the right to more than the machine's limit there are fewer.
    let (_, most_files) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    let count = (most_files / 6).min(if is_full_length() { 10_000 } else { 400 }) as u32;
    let directory = tempfile::tempdir().unwrap();
    let mut command = rcapd();
    command.arg("-M").arg(directory.path()).args(["-t", ENDLESS, "--limit", &format!("sources={count}")]);
    let mut collector = Running::start_command(command);
    let before = memory(&collector);
    let exporter = |number: u32| Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 40, 0, 1)) + number);
    for round in 0..2 {
        for number in 0..count + TOO_MANY {
            wait_for_room(&collector, ROOM / 2);
            send_from(&exporter(number).to_string(), collector.target, 2, 3, round * 6);
        }
    }
    let sent = format!(" datagrams: {},", 4 * (count + TOO_MANY));
    let counters = wait_for("every datagram to be decoded", || {
        collector.signal(Signal::SIGUSR1);
        Some(collector.wait_for_line("Counters:")).filter(|line| line.contains(&sent))
    });
    let after = memory(&collector);
    assert!(after < before + MEMORY_EACH * u64::from(count), "{before} octets, {after} with {count} sources");
    assert!(counters.contains(&format!(" sources: {count}, sources refused: {TOO_MANY},")), "{counters}");
    let log = end(collector);
    let ignored = format!("Total ignored packets: {}", TOO_MANY * 4);
    assert!(log.contains(&ignored), "no `{ignored}`");
    assert!((0..count).all(|number| stored(directory.path(), exporter(number)) == 12));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), count as usize);
}

/// A v9 datagram with a template of 300 fields.
fn template(source_id: u32, id: u16) -> Vec<u8> {
    const FIELDS: u16 = 300;
    let mut words = vec![9, 1, 0, 1, 0x6553, 0xf100, 0, 0];
    words.extend([(source_id >> 16) as u16, source_id as u16]);
    words.extend([0, 8 + FIELDS * 4, id, FIELDS]);
    // Each is another one, and all differ from those before.
    words.extend((0..FIELDS).flat_map(|field| [field + 1, 1 + (id + field) % 9]));
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

#[test]
fn a_flood_of_templates_takes_bounded_memory_and_harms_nobody_else() {
    const STATE: u64 = 8 << 20;
    const MOST: u64 = 4 * STATE;
    let directory = tempfile::tempdir().unwrap();
    let limit = format!("state-len-bytes={STATE}");
    let collector = Running::start(directory.path(), &["-t", ENDLESS, "--limit", &limit]);
    let exporters = vec![(Ipv4Addr::new(127, 7, 0, 1), Protocol::NetflowV9)];
    let profile = Profile { flows: 2_000, exporters, ..Profile::hour(0) };
    let datagrams: Vec<Datagram> = Datagrams::new(&profile).collect();
    let (before, after) = datagrams.split_at(datagrams.len() / 2);
    let mut sender = Sender::new(collector.target, None).unwrap();
    feed(&collector, &mut sender, before);
    let modest = memory(&collector);
    let from = SocketAddr::from(([127, 6, 6, 6], 1));
    let flood: Vec<Datagram> = (0..300_u32)
        .flat_map(|source_id| (256..306_u16).map(move |id| (source_id, id)))
        .map(|(source_id, id)| Datagram { sent_ms: 0, from, payload: template(source_id, id) })
        .collect();
    feed(&collector, &mut sender, &flood);
    wait_for_room(&collector, 0);
    let flooded = memory(&collector);
    assert!(flooded < modest + MOST, "{modest} octets, {flooded} with templates");
    feed(&collector, &mut sender, after);
    end(collector);
    let file = open(&directory.path().join(ENDLESS_NAME));
    assert_eq!(file.totals().flows, profile.flows);
    assert!(file.ledger().refused > 0, "the flood was too small for this test");
}
