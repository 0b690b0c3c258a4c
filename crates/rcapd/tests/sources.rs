//! Sources: whose flows go where, over how many ports, and what follows a file.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use nix::sys::signal::Signal;
use support::{
    ENDLESS, ENDLESS_NAME, Running, files, free_port, open, rcapd, routers, send, send_from, wait_for,
};

/// A collector with these arguments, in which `DIR` is a directory.
fn start(directory: &Path, line: &str) -> Running {
    let directory = directory.canonicalize().unwrap();
    let mut command = rcapd();
    command.args(line.split(' ').map(|word| word.replace("DIR", directory.to_str().unwrap())));
    Running::start_command(command)
}

fn flows(path: &Path) -> u64 {
    open(path).totals().flows
}

/// Three directories and a collector of sources with the second and third.
fn directories() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        fs::create_dir(directory.path().join(name)).unwrap();
    }
    directory
}

#[test]
fn every_exporter_goes_to_the_source_with_the_longest_prefix() {
    let directory = directories();
    let line =
        format!("-t {ENDLESS} -n one,127.0.0.5,DIR/a -n net,127.0.0.0/29,DIR/b -n rest,127.0.0.0/16,DIR/c");
    let mut collector = start(directory.path(), &line);
    for (exporter, count) in
        [("127.0.0.5", 1), ("127.0.0.6", 2), ("127.0.0.7", 3), ("127.0.1.1", 4), ("127.9.0.1", 5)]
    {
        send_from(exporter, collector.target, 2, count, 0);
    }
    collector.wait_for_line("Unknown flow source: '127.9.0.1'");
    let (code, log) = collector.end(Signal::SIGTERM);
    assert_eq!(code, Some(0));
    for (name, ident, expected, from) in [
        ("a", "one", 2, &["127.0.0.5"][..]),
        ("b", "net", 10, &["127.0.0.6", "127.0.0.7"]),
        ("c", "rest", 8, &["127.0.1.1"]),
    ] {
        let file = open(&directory.path().join(name).join(ENDLESS_NAME));
        assert_eq!((file.ident(), file.totals().flows), (ident, expected));
        let from: Vec<std::net::IpAddr> = from.iter().map(|address| address.parse().unwrap()).collect();
        assert_eq!(routers(&file), (from.clone(), from));
        let rotation = format!("Ident: '{ident}' Flows: {expected},");
        assert_eq!(log.iter().filter(|line| line.starts_with(&rotation)).count(), 1, "{log:#?}");
    }
    // Two datagrams of the unlisted exporter: one complaint, both counted.
    assert_eq!(log.iter().filter(|line| line.starts_with("Unknown flow source")).count(), 1, "{log:#?}");
    assert!(log.contains(&"Skip UDP packet. Ignored packets so far 1 packets".to_owned()), "{log:#?}");
    assert!(log.contains(&"Total ignored packets: 2".to_owned()), "{log:#?}");
    let place = directory.path().canonicalize().unwrap();
    let added = format!("Add flow source: ident: one, IP: 127.0.0.5, flowdir: {}/a", place.display());
    assert!(log.contains(&added), "{log:#?}");
}

#[test]
fn sources_stand_in_a_file_and_the_first_of_an_address_counts() {
    let directory = directories();
    let place = directory.path().canonicalize().unwrap();
    let place = place.display();
    let text = format!("# sources\n\n one,127.0.0.1,{place}/a\ntwo,127.0.0.1,{place}/b\n");
    fs::write(directory.path().join("list"), text).unwrap();
    let collector = start(directory.path(), &format!("-t {ENDLESS} -N DIR/list -n three,::1,DIR/c"));
    send(collector.target, 1, 7, 0);
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
    for (name, expected) in [("a", 7), ("b", 0), ("c", 0)] {
        assert_eq!(flows(&directory.path().join(name).join(ENDLESS_NAME)), expected, "{name}");
    }
}

#[test]
fn a_bad_line_in_a_file_of_sources_is_named() {
    let directory = directories();
    fs::write(directory.path().join("list"), "one,127.0.0.1,/\n\ntwo,router,/\n").unwrap();
    let output = support::run(rcapd().arg("-N").arg(directory.path().join("list")));
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(
        stderr.ends_with("list: line 3: Unparsable IP address: router\nFailed to add flow source\n"),
        "{stderr}"
    );
}

#[test]
fn dynamic_sources_are_made_as_exporters_come_up_to_their_bound() {
    let directory = directories();
    let mut collector = start(directory.path(), &format!("-t {ENDLESS} -M DIR/a --limit sources=2"));
    let place = directory.path().canonicalize().unwrap().join("a");
    for exporter in ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.3"] {
        send_from(exporter, collector.target, 1, 3, 0);
    }
    let line = collector.wait_for_line("Dynamically add source ident: 127-0-0-1");
    let expected =
        format!("Dynamically add source ident: 127-0-0-1 in directory: {}/127-0-0-1", place.display());
    assert_eq!(line, expected);
    collector.wait_for_line("No source for '127.0.0.3': there are 2 sources already");
    let (code, log) = collector.end(Signal::SIGTERM);
    assert_eq!(code, Some(0));
    assert!(log.contains(&"Total ignored packets: 2".to_owned()), "{log:#?}");
    for name in ["127-0-0-1", "127-0-0-2"] {
        let file = open(&place.join(name).join(ENDLESS_NAME));
        assert_eq!((file.ident(), file.totals().flows), (name, 3));
        assert_eq!(place.join(name).metadata().unwrap().permissions().mode() & 0o777, 0o755);
    }
    assert!(!place.join("127-0-0-3").exists());
}

#[test]
fn what_a_killed_collector_of_dynamic_sources_left_is_adopted() {
    let directory = directories();
    let line = format!("-t {ENDLESS} -M DIR/a");
    let mut killed = start(directory.path(), &line);
    let place = directory.path().join("a/127-0-0-1");
    let working = place.join(format!("nfcapd.current.{}", killed.pid()));
    let mut sequence = 0;
    wait_for("a block on disk", || {
        send(killed.target, 100, 30, sequence);
        sequence += 3000;
        fs::metadata(&working).is_ok_and(|metadata| metadata.len() > 10_000).then_some(())
    });
    killed.wait_for_line("Dynamically add");
    killed.end(Signal::SIGKILL);
    // Without a datagram from that exporter, all there is of it is what was left.
    let mut next = start(directory.path(), &line);
    next.wait_for_line("Adopted");
    let adopted = flows(&place.join(ENDLESS_NAME));
    assert!(adopted > 50_000, "{adopted}");
    send(next.target, 1, 5, 0);
    next.wait_for_line("Dynamically add source ident: 127-0-0-1");
    assert_eq!(next.end(Signal::SIGTERM).0, Some(0));
    assert_eq!(flows(&place.join(ENDLESS_NAME)), adopted + 5);
}

#[test]
fn several_ports_are_one_collector() {
    let directory = directories();
    let port = free_port();
    let collector = start(directory.path(), &format!("-t {ENDLESS} -w DIR/a -p {port}"));
    let other = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    for line in
        [port, collector.target.port()].map(|port| format!("Bound to IPv4 host/IP: 127.0.0.1, Port: {port}"))
    {
        assert!(collector.log.contains(&line), "{line}: {:#?}", collector.log);
    }
    // One exporter's sequence goes on over both.
    send(collector.target, 1, 4, 0);
    send(other, 1, 5, 4);
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
    let file = open(&directory.path().join("a").join(ENDLESS_NAME));
    assert_eq!((file.totals().flows, file.exporters().len()), (9, 1));
}

#[test]
fn networks_that_are_not_allowed_are_ignored_and_counted() {
    let directory = directories();
    let mut collector = start(
        directory.path(),
        &format!("-t {ENDLESS} -w DIR/a --allow 127.0.0.0/30,::1 --allow 10.0.0.0/8"),
    );
    for exporter in ["127.0.0.2", "127.0.0.5", "127.0.0.5"] {
        send_from(exporter, collector.target, 1, 6, 0);
    }
    collector.wait_for_line("Not allowed to send: '127.0.0.5'");
    let (_, log) = collector.end(Signal::SIGTERM);
    assert!(log.contains(&"Total ignored packets: 2".to_owned()), "{log:#?}");
    assert_eq!(flows(&directory.path().join("a").join(ENDLESS_NAME)), 6);
}

#[test]
fn a_command_runs_for_every_file_the_last_one_included_outside_of_the_sandbox() {
    let directory = directories();
    let (script, out) = (directory.path().join("hook"), directory.path().join("c/out"));
    // Written to a place that is no data directory.
    fs::write(&script, format!("echo \"$@\" >>{}\n", out.display())).unwrap();
    let mut collector = {
        let mut command = rcapd();
        let hook = format!("sh {} %d %f %t %u %i %% $(id)", script.display());
        command.args(["-t", "2", "-S", "7", "-I", "border", "-w"]).arg(directory.path().join("a"));
        Running::start_command({
            command.args(["-x", &hook]);
            command
        })
    };
    send(collector.target, 1, 5, 0);
    collector.wait_for_line("Ident: 'border' Flows: 5");
    wait_for("the command", || out.exists().then_some(()));
    let (code, log) = collector.end(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{log:#?}");
    let text = fs::read_to_string(&out).unwrap();
    let names = files(&directory.path().join("a"));
    let place = directory.path().join("a").canonicalize().unwrap();
    // Every file, in their order, and one of them perhaps twice: when it was ended in the slot's first second.
    let mut told: Vec<&str> = text.lines().collect();
    told.dedup();
    assert_eq!(told.len(), names.len(), "{text} {names:?}");
    for (line, name) in told.iter().zip(&names) {
        let (_, file) = name.split_once('/').unwrap();
        let time = file.strip_prefix("nfcapd.").unwrap();
        let start_s = flow_file::SlotName::parse(file).unwrap().start_s(&chrono::Utc);
        assert_eq!(*line, format!("{} {name} {time} {start_s} border % $(id)", place.display()));
    }
    for line in ["Launcher: Startup. auto-expire off", "Launcher: exit."] {
        assert!(log.iter().any(|logged| logged == line), "{log:#?}");
    }
    assert_eq!(log.last().unwrap(), "Terminating rcapd.");
}

#[test]
fn a_command_that_fails_is_told_and_one_that_hangs_keeps_nobody() {
    let directory = directories();
    let mut collector = {
        let mut command = rcapd();
        command.args(["-t", "1", "-w"]).arg(directory.path().join("a")).args(["-x", "sh -c exit\t3 %z"]);
        Running::start_command(command)
    };
    assert!(collector.log.contains(&"Unknown format token '%z'".to_owned()), "{:#?}", collector.log);
    // `exit` and `3` are two words, so that the shell ends well: 3 is its name.
    collector.wait_for_line("Ident: 'none' Flows: 0");
    let (code, log) = collector.end(Signal::SIGTERM);
    assert_eq!(code, Some(0), "{log:#?}");
    assert!(!log.iter().any(|line| line.starts_with("Launcher: sh")), "{log:#?}");

    let mut collector = {
        let mut command = rcapd();
        command.args(["-t", "1", "-w"]).arg(directory.path().join("b")).args(["-x", "false"]);
        Running::start_command(command)
    };
    collector.wait_for_line("Launcher: false: exit status: 1");
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
}

#[test]
fn files_expire_at_rotation_by_the_limits_in_nfstat() {
    let directory = directories();
    let data = directory.path().join("a");
    for name in ["nfcapd.200001010000", "nfcapd.200001010005", "nfcapd.200001010010"] {
        fs::write(data.join(name), "old").unwrap();
    }
    let limits = "first=0\nlast=0\nsize=0\nmaxsize=0\nnumfiles=0\nlifetime=86400\nwatermark=100\nstatus=3\n";
    fs::write(data.join(".nfstat"), limits).unwrap();
    let mut collector = start(directory.path(), "-t 1 -w DIR/a -e");
    collector.wait_for_line("Run expire on '");
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
    let names = files(&data);
    assert!(!names.is_empty() && names.iter().all(|name| !name.starts_with("nfcapd.2000")), "{names:?}");
    let text = fs::read_to_string(data.join(".nfstat")).unwrap();
    assert!(text.contains(&format!("numfiles={}\nlifetime=86400\n", names.len())), "{text}");
}

#[test]
fn expiry_and_commands_work_with_dynamic_sources() {
    let directory = directories();
    let out = directory.path().join("out");
    let place = directory.path().join("a/127-0-0-1");
    fs::create_dir(&place).unwrap();
    fs::write(place.join("nfcapd.200001010000"), "old").unwrap();
    let limits = "first=0\nlast=0\nsize=0\nmaxsize=0\nnumfiles=0\nlifetime=86400\nwatermark=100\nstatus=3\n";
    fs::write(place.join(".nfstat"), limits).unwrap();
    let mut collector =
        start(directory.path(), &format!("-t {ENDLESS} -M DIR/a -e -x touch\t{}-%i", out.display()));
    for exporter in ["127.0.0.1", "127.0.0.2"] {
        send_from(exporter, collector.target, 1, 3, 0);
    }
    collector.wait_for_line("Dynamically add source ident: 127-0-0-2");
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
    for name in ["127-0-0-1", "127-0-0-2"] {
        assert!(Path::new(&format!("{}-{name}", out.display())).exists(), "{name}");
    }
    assert!(!place.join("nfcapd.200001010000").exists());
}

#[test]
fn without_expiry_new_files_are_counted_for_nfexpire() {
    let directory = directories();
    let data = directory.path().join("a");
    let stored = "first=1000000000\nlast=1000000000\nsize=4096\nmaxsize=7\nnumfiles=1\nlifetime=0\nwatermark=95\nstatus=0\n";
    fs::write(data.join(".nfstat"), stored).unwrap();
    let collector = start(directory.path(), &format!("-t {ENDLESS} -w DIR/a"));
    send(collector.target, 1, 3, 0);
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
    let blocks = data.join(ENDLESS_NAME).metadata().unwrap().blocks();
    let expected = stored
        .replace("size=4096", &format!("size={}", 4096 + 512 * blocks))
        .replace("numfiles=1", "numfiles=2");
    assert_eq!(fs::read_to_string(data.join(".nfstat")).unwrap(), expected);

    let other = start(directory.path(), &format!("-t {ENDLESS} -w DIR/b"));
    assert_eq!(other.end(Signal::SIGTERM).0, Some(0));
    assert!(!directory.path().join("b/.nfstat").exists(), "none is made");
}

#[test]
fn datagrams_are_repeated_to_others() {
    let directory = directories();
    let targets = [(); 2].map(|()| std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
    let ports = targets.each_ref().map(|target| target.local_addr().unwrap().port());
    let line = format!("-t {ENDLESS} -w DIR/a -R 127.0.0.1/{} -R localhost/{}", ports[0], ports[1]);
    let collector = start(directory.path(), &line);
    // Whether the source address is kept depends on what we may do; it is said.
    let told: Vec<&String> =
        collector.log.iter().filter(|line| line.starts_with("Repeat datagrams to")).collect();
    assert_eq!(told.len(), 2, "{:#?}", collector.log);
    let keeps = told[0].ends_with("with the exporters' addresses");
    send_from("127.0.0.9", collector.target, 3, 4, 0);
    for target in &targets {
        target.set_read_timeout(Some(support::DEADLINE)).unwrap();
        for number in 0..3 {
            let mut octets = [0; 2000];
            let (len, from) = target.recv_from(&mut octets).unwrap();
            assert_eq!(octets[..len], support::v5(4 * number, 4));
            assert_eq!(from.ip().to_string(), if keeps { "127.0.0.9" } else { "127.0.0.1" });
        }
    }
    assert_eq!(collector.end(Signal::SIGTERM).0, Some(0));
    assert_eq!(flows(&directory.path().join("a").join(ENDLESS_NAME)), 12);
}

#[test]
fn repeating_to_nobody_and_to_ourselves_are_errors() {
    let directory = directories();
    let data = directory.path().join("a");
    let port = free_port();
    for (target, expected) in [
        ("no-such-host.invalid".to_owned(), "getaddrinfo() error: Name or service not known\n".to_owned()),
        ("/5".to_owned(), "rcapd: -R takes HOST or HOST/PORT, not `/5`\n".to_owned()),
        (format!("127.0.0.1/{port}"), format!("rcapd: -R 127.0.0.1/{port}: this is where we listen\n")),
    ] {
        let mut command = rcapd();
        command.arg("-w").arg(&data).args(["-p", &port.to_string(), "-R", &target]);
        let output = support::run(&mut command);
        assert_eq!(output.status.code(), Some(1));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), expected);
    }
}
