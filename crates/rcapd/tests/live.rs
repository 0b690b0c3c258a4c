//! The collector on loopback: what is sent to it, and what happens to it.

mod support;

use std::fs;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use flow_file::SlotName;
use flow_model::{Field, FieldSet};
use nix::sys::signal::Signal;
use support::{
    DEADLINE, Daemon, ENDLESS, ENDLESS_NAME, Running, files, free_port, open, rcapd, routers, run, send, v5,
    wait_for, working_files,
};

#[test]
fn what_is_sent_is_in_the_file_when_it_ends() {
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let directory = tempfile::tempdir().unwrap();
        let mut collector = Running::start(directory.path(), &["-t", ENDLESS, "-I", "border"]);
        let own = directory.path().join(format!("nfcapd.current.{}", collector.pid()));
        wait_for("the working file", || own.exists().then_some(()));
        send(collector.target, 3, 2, 0);
        collector.wait_for_line("Process_v5: New exporter: SysID: 1, engine id 0, type 0, IP: 127.0.0.1");
        let (code, log) = collector.end(signal);
        assert_eq!(code, Some(0), "{log:#?}");
        assert_eq!(files(directory.path()), [ENDLESS_NAME]);
        assert!(working_files(directory.path()).is_empty());

        let file = open(&directory.path().join(ENDLESS_NAME));
        assert_eq!((file.ident(), file.totals().flows, file.totals().bytes), ("border", 6, 6000));
        assert_eq!((file.ledger().datagrams, file.exporters().len()), (3, 1));
        let rotation =
            "Ident: 'border' Flows: 6, Packets: 60, Bytes: 6000, Sequence Errors: 0, Bad Packets: 0";
        assert!(log.iter().any(|line| line == rotation), "{log:#?}");
        assert_eq!(log.last().unwrap(), "Terminating rcapd.");
        let fields = FieldSet::of(&[Field::SrcAddr, Field::RouterAddr]);
        let batch = file.block(0).unwrap().to_batch(fields).unwrap();
        assert_eq!(batch.len(), 6);
        assert_eq!(batch.column(Field::SrcAddr).ip(5).to_string(), "192.0.2.1");
        assert_eq!(batch.column(Field::RouterAddr).ip(5).to_string(), "127.0.0.1");
    }
}

#[test]
fn it_says_what_it_does() {
    let directory = tempfile::tempdir().unwrap();
    let collector = Running::start(directory.path(), &["-t", ENDLESS]);
    let (port, path) = (collector.target.port(), directory.path().canonicalize().unwrap());
    let source = format!("Add flow source: ident: none, IP: any IP, flowdir: {}", path.display());
    let bound = format!("Bound to IPv4 host/IP: 127.0.0.1, Port: {port}");
    for expected in [source, bound, "Startup rcapd.".to_owned()] {
        assert!(collector.log.contains(&expected), "{expected} in {:#?}", collector.log);
    }
}

#[test]
fn slots_end_on_time_also_when_nothing_arrives() {
    let directory = tempfile::tempdir().unwrap();
    let mut collector = Running::start(directory.path(), &["-t", "2", "-S", "7"]);
    send(collector.target, 1, 5, 0);
    collector.wait_for_line("Ident: 'none' Flows: 5");
    // An idle slot has its file too.
    collector.wait_for_line("Ident: 'none' Flows: 0");
    send(collector.target, 1, 7, 5);
    collector.wait_for_line("Ident: 'none' Flows: 7");
    let (code, log) = collector.end(Signal::SIGTERM);
    assert_eq!(code, Some(0));

    let names = files(directory.path());
    let lines = log.iter().filter(|line| line.contains("Flows:")).count();
    assert!(names.len() >= 3 && lines >= names.len(), "{names:?} {log:#?}");
    let mut flows = 0;
    for name in &names {
        let (day, name) = name.split_once('/').unwrap();
        let slot = SlotName::parse(name).unwrap();
        assert_eq!((day.len(), slot.digits().len()), (10, 14));
        let start_s = slot.start_s(&chrono::Utc);
        assert_eq!(start_s % 2, 0);
        let file = open(&directory.path().join(day).join(name));
        flows += file.totals().flows;
        let start_ms = u64::try_from(start_s).unwrap() * 1000;
        if file.totals().flows == 0 {
            assert_eq!((file.totals().first_ms, file.totals().last_ms), (start_ms, start_ms + 2000));
        }
        assert!(file.created_ms() >= start_ms && file.created_ms() < start_ms + 2000);
    }
    assert_eq!(flows, 12);
}

#[test]
fn a_restart_in_the_same_slot_adds_to_its_file() {
    let directory = tempfile::tempdir().unwrap();
    for (round, count) in [(1, 3), (2, 4), (3, 0)] {
        let collector = Running::start(directory.path(), &["-t", ENDLESS]);
        if count > 0 {
            send(collector.target, 1, count, 0);
        }
        assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
        let file = open(&directory.path().join(ENDLESS_NAME));
        assert_eq!(file.totals().flows, [3, 7, 7][round - 1]);
        assert_eq!(files(directory.path()).len(), 1);
        assert!(working_files(directory.path()).is_empty());
    }
}

#[test]
fn a_second_collector_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let first = Running::start(directory.path(), &["-t", ENDLESS]);
    let port = free_port().to_string();
    let output = run(rcapd().arg("-w").arg(directory.path()).args(["-p", &port]));
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "Another collector with pid {} is already running, and configured for '{}'\n",
        first.pid(),
        directory.path().canonicalize().unwrap().display()
    );
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);

    let other = tempfile::tempdir().unwrap();
    let port = first.target.port().to_string();
    let output = run(rcapd().arg("-w").arg(other.path()).args(["-b", "127.0.0.1", "-p", &port]));
    assert_eq!(output.status.code(), Some(1));
    let expected = "Could not open the requested socket: Address already in use\nTerminated due to errors\n";
    assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
}

#[test]
fn what_a_killed_collector_left_is_adopted() {
    let directory = tempfile::tempdir().unwrap();
    let killed = Running::start(directory.path(), &["-t", ENDLESS]);
    let working = directory.path().join(format!("nfcapd.current.{}", killed.pid()));
    // Flows reach the disk when they fill a block.
    let mut sequence = 0;
    wait_for("a block on disk", || {
        send(killed.target, 100, 30, sequence);
        sequence += 3000;
        fs::metadata(&working).is_ok_and(|metadata| metadata.len() > 10_000).then_some(())
    });
    assert_eq!(killed.end(Signal::SIGKILL).0, None);
    assert!(working.exists() && files(directory.path()).is_empty());
    fs::write(directory.path().join("nfcapd.current.4194305.7.merge"), "half a merger").unwrap();

    let mut next = Running::start(directory.path(), &["-t", ENDLESS]);
    let line = next.wait_for_line("Adopted");
    assert!(line.contains(ENDLESS_NAME), "{line}");
    let adopted = open(&directory.path().join(ENDLESS_NAME)).totals().flows;
    assert!(adopted > 50_000 && adopted <= u64::from(sequence), "{adopted}");
    send(next.target, 1, 5, 0);
    assert_eq!(next.end(Signal::SIGTERM).0, Some(0));
    assert_eq!(open(&directory.path().join(ENDLESS_NAME)).totals().flows, adopted + 5);
    assert_eq!(files(directory.path()).len(), 1);
    assert!(working_files(directory.path()).is_empty());
}

#[test]
fn nothing_is_lost_on_the_way_to_the_file() {
    let directory = tempfile::tempdir().unwrap();
    let mut collector = Running::start(directory.path(), &["-t", "1"]);
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let start = Instant::now();
    let mut sent = 0;
    // In bursts that any receive buffer holds, over several rotations.
    while start.elapsed() < Duration::from_secs(4) {
        for _ in 0..20 {
            sender.send_to(&v5(sent * 30, 30), collector.target).unwrap();
            sent += 1;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    collector.wait_for_line("Ident: 'none' Flows:");
    let (code, log) = collector.end(Signal::SIGTERM);
    assert_eq!(code, Some(0));
    let (mut flows, mut datagrams, mut dropped) = (0, 0, 0);
    for name in files(directory.path()) {
        let file = open(&directory.path().join(name));
        flows += file.totals().flows;
        datagrams += file.ledger().datagrams;
        dropped += file.ledger().kernel_drops;
    }
    assert_eq!((datagrams + dropped, flows), (sent.into(), datagrams * 30), "{log:#?}");
}

#[test]
fn what_the_kernel_drops_is_counted_exactly() {
    let directory = tempfile::tempdir().unwrap();
    let collector = Running::start(directory.path(), &["-t", ENDLESS, "-B", "65536"]);
    collector.signal(Signal::SIGSTOP);
    // Far more than the receive buffer holds, while nobody receives.
    send(collector.target, 2000, 30, 0);
    collector.signal(Signal::SIGCONT);
    let (code, log) = collector.end(Signal::SIGTERM);
    assert_eq!(code, Some(0));
    let file = open(&directory.path().join(ENDLESS_NAME));
    let ledger = file.ledger();
    assert!(ledger.kernel_drops > 1000, "{ledger:?}");
    assert_eq!(ledger.datagrams + ledger.kernel_drops, 2000);
    assert_eq!(file.totals().flows, 30 * ledger.datagrams);
    let lost = format!("Ident: 'none' Lost: datagrams dropped by the kernel: {}", ledger.kernel_drops);
    assert!(log.iter().any(|line| line.starts_with(&lost)), "{log:#?}");
}

#[test]
fn signals_that_kill_nfcapd_do_not_kill_us() {
    let directory = tempfile::tempdir().unwrap();
    let mut collector = Running::start(directory.path(), &["-t", ENDLESS]);
    send(collector.target, 2, 5, 0);
    collector.wait_for_line("Process_v5");
    for signal in [Signal::SIGUSR2, Signal::SIGPIPE, Signal::SIGALRM] {
        collector.signal(signal);
    }
    let mut line = String::new();
    wait_for("both datagrams", || {
        collector.signal(Signal::SIGUSR1);
        line = collector.wait_for_line("Counters: ");
        line.starts_with("Counters: datagrams: 2,").then_some(())
    });
    assert!(line.contains("flows: 10,"), "{line}");
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
}

#[test]
fn every_complaint_is_logged_once_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let mut collector = Running::start(directory.path(), &["-t", ENDLESS, "-I", "b"]);
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..50 {
        socket.send_to(&[0, 99, 0, 0], collector.target).unwrap();
        socket.send_to(&[9], collector.target).unwrap();
    }
    collector.wait_for_line("Ident: b, Error reading netflow header: Unexpected netflow version 99");
    collector.wait_for_line("Ident: b, Data length error: too little data for common netflow header. cnt: 1");
    let (_, log) = collector.end(Signal::SIGTERM);
    assert!(log.iter().any(|line| line.ends_with("Bad Packets: 100")), "{log:#?}");
    assert!(log.len() < 20, "{log:#?}");
}

#[test]
fn a_console_starts_and_kills_its_daemon() {
    let directory = tempfile::tempdir().unwrap();
    let (data, pid_file) = (directory.path().join("netflow"), directory.path().join("pandora_nfcapd.pid"));
    fs::create_dir(&data).unwrap();
    fs::write(&pid_file, "4194304999\n").unwrap();
    let port = free_port();
    let start = || {
        let output = run(rcapd()
            .args(["-D", "-T", "all", "-w", "-t", ENDLESS, "-P"])
            .arg(&pid_file)
            .arg("-l")
            .arg(&data)
            .args(["-p", &port.to_string()]));
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let content = fs::read_to_string(&pid_file).unwrap();
        assert!(content.ends_with('\n'));
        Daemon(content.trim().parse().unwrap())
    };
    let first = start();
    let working = data.join(format!("nfcapd.current.{}", first.0));
    wait_for("the working file", || working.exists().then_some(()));
    let target = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let mut sequence = 0;
    wait_for("a block on disk", || {
        send(target, 100, 30, sequence);
        sequence += 3000;
        fs::metadata(&working).is_ok_and(|metadata| metadata.len() > 10_000).then_some(())
    });
    // As Pandora FMS restarts it: kill -9, and the next one at once.
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(first.0.try_into().unwrap()), Signal::SIGKILL).unwrap();
    let second = start();
    assert_ne!(first.0, second.0);
    wait_for("the orphan's file", || files(&data).contains(&ENDLESS_NAME.to_owned()).then_some(()));
    second.end(Signal::SIGTERM);
    assert!(!pid_file.exists());
    assert!(open(&data.join(ENDLESS_NAME)).totals().flows > 50_000);
    assert!(working_files(&data).is_empty());
}

#[test]
fn a_living_daemon_is_not_doubled_and_failures_show_in_the_exit_code() {
    let directory = tempfile::tempdir().unwrap();
    let (data, pid_file) = (directory.path().join("data"), directory.path().join("pid"));
    fs::create_dir(&data).unwrap();
    let port = free_port().to_string();
    let start = |data: &std::path::Path| {
        run(rcapd().args(["-D", "-p", &port, "-P"]).arg(&pid_file).arg("-w").arg(data))
    };
    assert_eq!(start(&data).status.code(), Some(0));
    let daemon = Daemon(fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap());
    let began = Instant::now();
    let again = start(&data);
    assert!(began.elapsed() < DEADLINE);
    assert_eq!(again.status.code(), Some(1));
    let stderr = String::from_utf8(again.stderr).unwrap();
    assert!(stderr.contains(&format!("pid {} is already running", daemon.0)), "{stderr}");
    assert!(daemon.is_alive());
    daemon.end(Signal::SIGTERM);
    assert_eq!(files(&data).len(), 1);
    assert_eq!(start(&directory.path().join("missing")).status.code(), Some(1));
    assert!(!pid_file.exists());
}

#[test]
fn ipv6_exporters_are_heard() {
    let directory = tempfile::tempdir().unwrap();
    let collector = Running::start(directory.path(), &["-t", ENDLESS, "-6", "-b", "::1"]);
    let socket = std::net::UdpSocket::bind("[::1]:0").unwrap();
    socket.send_to(&v5(0, 2), ("::1", collector.target.port())).unwrap();
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
    let file = open(&directory.path().join(ENDLESS_NAME));
    let from = vec![IpAddr::from(Ipv6Addr::LOCALHOST)];
    assert_eq!((file.totals().flows, routers(&file)), (2, (from.clone(), from)));
}
