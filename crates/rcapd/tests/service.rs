//! What a running collector tells: to Prometheus and to a service manager; and whom it runs as.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use support::{DEADLINE, ENDLESS, ENDLESS_NAME, Running, files, free_port, open, rcapd, send, wait_for};

/// The page, from a stream to the collector.
fn page(mut stream: impl Read + Write) -> String {
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (header, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(header.starts_with("HTTP/1.1 200 OK"), "{header}");
    body.to_owned()
}

#[test]
fn prometheus_reads_what_was_counted_by_source_and_exporter() {
    let directory = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let collector =
        Running::start(directory.path(), &["-t", ENDLESS, "-I", "border", "--metrics", &address.to_string()]);
    send(collector.target, 2, 5, 0);
    // 7 flows are missing in between.
    send(collector.target, 1, 5, 17);
    let text = wait_for("the ledger", || {
        let text = page(TcpStream::connect(address).unwrap());
        text.contains("rcapd_source_flows_total{ident=\"border\"} 15\n").then_some(text)
    });
    for line in [
        "rcapd_datagrams_total 3",
        "rcapd_flows_total 15",
        "rcapd_sequence_failures_total 1",
        "rcapd_source_missed_total{ident=\"border\"} 7",
        "rcapd_exporter_missed_total{ident=\"border\",exporter=\"127.0.0.1\",domain=\"0\",version=\"5\"} 7",
        "rcapd_limit{name=\"sources\"} 10000",
        "rcapd_sources 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
}

#[test]
fn counts_go_on_over_slots_and_a_unix_socket_is_removed_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    let socket = directory.path().join("metrics");
    let mut collector = Running::start(&data, &["-t", "1", "--metrics", socket.to_str().unwrap()]);
    for sequence in [0, 5] {
        send(collector.target, 1, 5, sequence);
        collector.wait_for_line("Ident: 'none' Flows: 5");
    }
    let text = page(UnixStream::connect(&socket).unwrap());
    assert!(text.contains("rcapd_source_flows_total{ident=\"none\"} 10\n"), "{text}");
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
    assert!(!socket.exists());
}

#[test]
fn a_service_manager_hears_of_ready_alive_and_stopping() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut command = rcapd();
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "3000000");
    command.arg("-w").arg(&data).args(["-t", ENDLESS]);
    let collector = Running::start_command(command);
    let hear = || {
        let mut octets = [0; 200];
        let len = manager.recv(&mut octets).unwrap();
        String::from_utf8(octets[..len].to_vec()).unwrap().trim_end().to_owned()
    };
    let mut heard = std::collections::BTreeMap::new();
    while !heard.contains_key("READY=1") || heard.get("WATCHDOG=1").is_none_or(|count| *count < 3) {
        *heard.entry(hear()).or_insert(0) += 1;
    }
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
    let last = std::iter::repeat_with(hear).find(|word| word != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
}

#[test]
fn sockets_of_a_service_manager_are_listened_at() {
    let directory = tempfile::tempdir().unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let target: SocketAddr = socket.local_addr().unwrap();
    // A datagram that came before the collector.
    send(target, 1, 4, 0);
    let mut command = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_rcapd");
    let line = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\" 3<&0 </dev/null";
    command.env("TZ", "UTC").args(["-c", line, program, "-t", ENDLESS, "-w"]).arg(directory.path());
    command.stdin(Stdio::from(OwnedFd::from(socket)));
    let collector = Running::start_command(command);
    let bound = format!("Bound to IPv4 host/IP: 127.0.0.1, Port: {}", target.port());
    assert!(collector.log.contains(&bound), "{:#?}", collector.log);
    send(target, 1, 5, 4);
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
    assert_eq!(open(&directory.path().join(ENDLESS_NAME)).totals().flows, 9);
}

#[test]
fn another_user_collects_without_rights_and_without_a_way_back() {
    if !nix::unistd::Uid::effective().is_root() {
        // Then nobody else can be had, and that is said.
        let output = support::run(rcapd().args(["-w", "/tmp", "-u", "root"]));
        assert_eq!(output.stderr, b"only root can change user and group\n");
        return;
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (data, pid_file) = (directory.path().join("data"), directory.path().join("pid"));
    fs::create_dir(&data).unwrap();
    let start = || {
        let mut command = rcapd();
        command.args(["-t", ENDLESS, "-u", "nobody", "-P"]).arg(&pid_file).arg("-w").arg(&data);
        command
    };
    let output = support::run(start().args(["-p", &free_port().to_string()]));
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("user or group of -u and -g cannot write to it"), "{stderr}");

    nix::unistd::chown(&data, Some(nobody.uid), Some(nobody.gid)).unwrap();
    let other = directory.path().join("other");
    fs::create_dir(&other).unwrap();
    nix::unistd::chown(&other, Some(nobody.uid), Some(nobody.gid)).unwrap();
    let out = other.join("out");
    let mut command = start();
    command.args(["-x", &format!("cp /proc/self/status {}", out.display())]);
    let collector = Running::start_command(command);
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), format!("{}\n", collector.pid()));
    let ids = |status: &str, name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().skip(1).map(str::to_owned).collect::<Vec<_>>()
    };
    let status = fs::read_to_string(format!("/proc/{}/status", collector.pid())).unwrap();
    let (uid, gid) = (nobody.uid.to_string(), nobody.gid.to_string());
    assert!(ids(&status, "Uid:").iter().all(|id| *id == uid), "{status}");
    assert!(ids(&status, "Gid:").iter().all(|id| *id == gid), "{status}");
    assert_eq!(ids(&status, "NoNewPrivs:"), ["1"]);
    assert_eq!(ids(&status, "CapEff:"), ["0000000000000000"]);
    send(collector.target, 1, 5, 0);
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
    assert_eq!(files(&data), [ENDLESS_NAME]);
    // Commands are the user's too, but may do what he always may.
    let status = fs::read_to_string(&out).unwrap();
    assert!(ids(&status, "Uid:").iter().all(|id| *id == uid), "{status}");
    assert_eq!(ids(&status, "NoNewPrivs:"), ["0"]);
    // In a directory of root's the file cannot be removed; it names nobody any more.
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), "");
    let again = Running::start_command(start());
    assert_eq!(again.end(Signal::SIGTERM).0, Some(0));
}

#[test]
fn the_doctor_looks_and_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    fs::create_dir(&data).unwrap();
    // One exporter in a file of long ago, another in the newest.
    let mut collector = Running::start(&data, &["-t", "1", "-I", "border"]);
    for exporter in ["127.0.0.8", "127.0.0.9"] {
        support::send_from(exporter, collector.target, 1, 3, 0);
        collector.wait_for_line("Ident: 'border' Flows: 3");
    }
    // What is there of the slot that has just begun would be the newest.
    let newest = files(&data).pop().unwrap();
    collector.end(Signal::SIGKILL);
    assert!(open(&data.join(&newest)).totals().flows <= 3);
    let doctor = |line: &str| {
        let output = support::run(rcapd().arg("--doctor").args(line.split(' ')));
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), output.stderr)
    };
    let port = free_port();
    let (code, stdout, stderr) =
        doctor(&format!("-I border -w {} -b 127.0.0.1 -p {port} -P /dev/null", data.display()));
    assert!(stderr.is_empty(), "{stderr:?}");
    assert!(stdout.contains(&format!("ok      port: {port} can be listened at\n")), "{stdout}");
    assert!(stdout.contains("doubt   silent exporter: border: 127.0.0.8 was heard in nfcapd."), "{stdout}");
    for subject in ["clock: ", "receive buffer: ", "reverse path: ", "disk space: ", "disk speed: "] {
        assert!(stdout.contains(subject), "{subject}: {stdout}");
    }
    let troubles = stdout.lines().filter(|line| line.starts_with("TROUBLE")).count();
    assert_eq!(code, Some(i32::from(troubles > 0)), "{stdout}");
    // Every doubt comes with advice.
    let lines: Vec<&str> = stdout.lines().collect();
    for pair in lines.windows(2) {
        let is_fine = pair[0].starts_with("ok") || pair[0].starts_with("        ->");
        assert!(is_fine || pair[1].starts_with("        -> "), "{stdout}");
    }

    let (code, stdout, _) = doctor(&format!("-M {} -b 192.0.2.1 -p {port}", data.display()));
    assert_eq!(code, Some(1));
    assert!(
        stdout.contains(&format!(
            "TROUBLE port: {port}: Could not open the requested socket: Cannot assign requested address\n"
        )),
        "{stdout}"
    );
    assert!(stdout.contains("open files: "), "{stdout}");
    assert!(support::working_files(&data).len() <= 1);
}
