//! Every option of nfcapd and sfcapd, 1.6.13 to 1.7.8, and the command lines that consoles send.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use nix::unistd::{Gid, Group, Uid, User};
use support::{Daemon, ENDLESS, ENDLESS_NAME, files, free_port, open, rcapd, run, send, wait_for};

/// getopt's strings, as the programs have them. (1.7.1 is Debian's; the original forgot the colon behind `R`.)
const GETOPT: [(&str, &str); 5] = [
    ("nfcapd 1.6.13", "46ef:whEVI:DB:b:j:l:M:n:p:P:R:S:s:T:t:x:Xru:g:z"),
    ("nfcapd 1.6.25", "46ef:whEVI:DB:b:jl:J:M:n:N:p:P:R:S:s:T:t:x:Xru:g:yzZ"),
    ("nfcapd 1.7.1", "46B:b:C:DeEf:g:hI:i:jJ:l:m:M:n:p:P:rR:s:S:t:T:u:vVw:x:yzZ"),
    ("nfcapd 1.7.8", "46AB:b:C:d:DeEf:g:hI:i:jJ:l:m:M:n:p:P:R:s:S:t:T:u:v:VW:w:x:X:Y:yz::Z"),
    ("sfcapd 1.7.1", "46b:B:C:DeEf:g:hI:i:jJ:l:m:M:n:p:P:rR:S:T:t:u:vVw:x:yzZ"),
];

/// What comes of an option.
#[derive(Clone, Copy, Debug)]
enum Outcome {
    /// It does what it says, without a word on stderr but the log's.
    Works,
    /// It is accepted without effect, and that is said once.
    Warns(&'static str),
    /// Exit code 1, with these words.
    Refused(&'static str),
}

use Outcome::{Refused, Warns, Works};

/// A letter, whether it takes a value (`:`; `::` behind `=`), and a command line. `DIR` is a directory with an empty
/// capture, a directory `data` and a file of sources; `UID` and `GID` are ours.
const ROWS: &[(&str, &str, Outcome)] = &[
    ("4", "-4 -l DIR/data", Works),
    ("6", "-6 -l DIR/data", Works),
    ("A", "-A -l DIR/data", Works),
    ("B:", "-B 100000 -l DIR/data", Works),
    ("C:", "-C none -l DIR/data", Works),
    ("D", "-D -l DIR/data", Works),
    ("E", "-E -l DIR/data", Warns("rcapd: -E: accepted without effect")),
    ("I:", "-I border -l DIR/data", Works),
    ("J:", "-J 224.0.0.9 -l DIR/data", Works),
    ("M:", "-M DIR/data", Works),
    ("N:", "-N DIR/sources", Works),
    ("P:", "-P DIR/pid -l DIR/data", Works),
    ("R:", "-R 127.0.0.1/9 -R 127.0.0.1/10 -l DIR/data", Works),
    ("S:", "-S 8 -l DIR/data", Works),
    ("T:", "-T all -l DIR/data", Works),
    ("V", "-V", Works),
    ("W:", "-W 4 -l DIR/data", Works),
    ("X", "-X", Works),
    ("X:", "-X 1,2 -l DIR/data", Works),
    ("Y:", "-Y x -l DIR/data", Warns("rcapd: -Y: accepted without effect")),
    ("Z", "-Z -l DIR/data", Works),
    ("b:", "-b 127.0.0.1 -l DIR/data", Works),
    ("d:", "-d eth0 -l DIR/data", Refused("rcapd: -d: packets of an interface are not captured here")),
    ("e", "-e -l DIR/data", Works),
    ("f:", "-f DIR/capture -l DIR/data", Works),
    ("g:", "-g GID -l DIR/data", Works),
    ("h", "-h", Works),
    ("i:", "-i 60 -l DIR/data", Warns("rcapd: -i and -m: accepted without effect")),
    ("j", "-j -l DIR/data", Works),
    ("j:", "-j 224.0.0.9 -l DIR/data", Works),
    ("l:", "-l DIR/data", Works),
    ("m:", "-m DIR/socket -l DIR/data", Warns("rcapd: -i and -m: accepted without effect")),
    ("n:", "-n a,127.0.0.1,DIR/data", Works),
    ("p:", "-p 2055 -l DIR/data", Works),
    ("r", "-r -l DIR/data", Works),
    ("s:", "-s -100 -l DIR/data", Works),
    ("t:", "-t 300 -l DIR/data", Works),
    ("u:", "-u UID -l DIR/data", Works),
    ("v", "-v -v -l DIR/data", Works),
    ("v:", "-v 3 -l DIR/data", Works),
    ("w", "-w -t 300 -l DIR/data", Works),
    ("w:", "-w DIR/data", Works),
    ("x:", "-x true -l DIR/data", Works),
    ("y", "-y -l DIR/data", Works),
    ("z", "-z -l DIR/data", Works),
    ("z::", "-z=zstd:3 -l DIR/data", Works),
];

/// The letters of a getopt string with what follows them.
fn letters(getopt: &str) -> BTreeSet<String> {
    let mut letters: Vec<String> = Vec::new();
    for character in getopt.chars() {
        match letters.last_mut() {
            Some(last) if character == ':' => last.push(':'),
            _ => letters.push(character.to_string()),
        }
    }
    letters.into_iter().collect()
}

#[test]
fn every_option_of_every_generation_has_its_row() {
    for (program, getopt) in GETOPT {
        for letter in letters(getopt) {
            assert!(ROWS.iter().any(|(row, ..)| *row == letter), "{program}: -{letter} has no row");
        }
    }
    for (row, ..) in ROWS {
        assert!(GETOPT.iter().any(|(_, getopt)| letters(getopt).contains(*row)), "-{row} is no option");
    }
}

#[test]
fn every_option_does_what_its_row_says() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    fs::create_dir(directory.path().join("data")).unwrap();
    fs::write(directory.path().join("sources"), format!("a,127.0.0.1,{place}/data\n")).unwrap();
    let capture = directory.path().join("capture");
    flow_testkit::traffic::PcapWriter::new(fs::File::create(&capture).unwrap()).unwrap();
    for (letter, line, outcome) in ROWS {
        let line = line
            .replace("DIR", place)
            .replace("UID", &Uid::effective().to_string())
            .replace("GID", &Gid::effective().to_string());
        // An empty capture ends at once. Words of the log begin otherwise than the program's own.
        let mut command = rcapd();
        command.arg("-f").arg(&capture).args(line.split(' '));
        let output = run(&mut command);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let own: Vec<&str> = stderr.lines().filter(|line| line.starts_with("rcapd: ")).collect();
        let (code, expected) = match outcome {
            Works => (0, vec![]),
            Warns(words) => (0, vec![*words]),
            Refused(words) => (1, vec![*words]),
        };
        assert_eq!((output.status.code(), own), (Some(code), expected), "-{letter}: {line}: {stderr}");
        assert_eq!(output.stdout.is_empty(), !["V", "X", "h"].contains(letter), "{line}");
        // A daemon may still be about to end.
        wait_for("the directory to be free", || {
            let names = fs::read_dir(directory.path().join("data")).unwrap();
            let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            names.all(|name| !name.starts_with("nfcapd.current")).then_some(())
        });
    }
}

#[test]
fn called_as_nfdumps_collectors_it_goes_by_their_names() {
    use std::os::unix::process::CommandExt;
    for name in ["nfcapd", "sfcapd", "rcapd"] {
        let output = run(rcapd().arg0(format!("/usr/bin/{name}")).arg("-V"));
        let stdout = String::from_utf8(output.stdout).unwrap();
        assert!(stdout.starts_with(&format!("/usr/bin/{name}: Version: 1.7.8 ")), "{stdout}");
        let directory = tempfile::tempdir().unwrap();
        let output = run(rcapd().arg0(name).arg("-w").arg(directory.path()).args(["-f", "/dev/null/x"]));
        assert_eq!(output.status.code(), Some(254));
    }
}

/// Runs a line with the shell, as consoles do, with `nfcapd` for the program and `DIR` for a directory.
fn shell(line: &str, directory: &Path) -> Option<i32> {
    let line =
        line.replace("DIR", directory.to_str().unwrap()).replacen("nfcapd", env!("CARGO_BIN_EXE_rcapd"), 1);
    let mut command = Command::new("sh");
    command.env("TZ", "UTC").stdin(Stdio::null()).args(["-c", &line]);
    run(&mut command).status.code()
}

/// The daemon that a pid file names.
fn daemon(pid_file: &Path) -> Daemon {
    Daemon(fs::read_to_string(pid_file).unwrap().lines().next().unwrap().parse().unwrap())
}

#[test]
fn pandora_fms_starts_and_restarts_its_collectors() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("netflow");
    fs::create_dir(&data).unwrap();
    let pid_file = directory.path().join("pandora_nfcapd.pid");
    // But for the port, which no test can rely on.
    let line = format!(
        "nfcapd -D -T all -w -t {ENDLESS} -P DIR/pandora_nfcapd.pid -l DIR/netflow -p {} >/dev/null 2>&1",
        free_port()
    );
    let mut previous = 0;
    for _ in 0..3 {
        // It does not wait for the killed one to be gone.
        assert_eq!(shell(&line, directory.path()), Some(0));
        let collector = daemon(&pid_file);
        assert!(collector.is_alive() && collector.0 != previous);
        previous = collector.0;
        let pid = nix::unistd::Pid::from_raw(i32::try_from(collector.0).unwrap());
        nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
        std::mem::forget(collector);
    }
    assert_eq!(shell(&line, directory.path()), Some(0));
    daemon(&pid_file).end(Signal::SIGTERM);
    assert!(!pid_file.exists());
    assert_eq!(files(&data), [ENDLESS_NAME]);
}

#[test]
fn nfsen_starts_stops_and_restarts_its_collectors() {
    let user = User::from_uid(Uid::effective()).unwrap().unwrap().name;
    let group = Group::from_gid(Gid::effective()).unwrap().unwrap().name;
    let common = "-B 200000 -S 1 -P DIR/run/p9995.pid -z";
    for line in [
        // Up to 1.3.8, and later with a collector of 1.7; one source on a port, and several.
        format!(
            "nfcapd -w -D -p PORT -u {user} -g {group} {common} -t {ENDLESS} -I upstream -l DIR/live/upstream"
        ),
        format!(
            "nfcapd -D -p PORT -u {user} -g {group} {common}=lz4 -t {ENDLESS} -I upstream -w DIR/live/upstream"
        ),
        format!(
            "nfcapd -w -D -p PORT -u {user} -g {group} {common} -t {ENDLESS} -n upstream,127.0.0.1,DIR/live/upstream -n peer,192.0.2.1,DIR/live/peer"
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        for name in ["run", "live", "live/upstream", "live/peer"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let port = free_port();
        let line = line.replace("PORT", &port.to_string());
        let pid_file = directory.path().join("run/p9995.pid");
        let target = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        for sequence in [0, 5] {
            assert_eq!(shell(&line, directory.path()), Some(0), "{line}");
            let collector = daemon(&pid_file);
            send(target, 1, 5, sequence);
            // Then it waits for the pid file to go.
            let pid = nix::unistd::Pid::from_raw(i32::try_from(collector.0).unwrap());
            nix::sys::signal::kill(pid, Signal::SIGTERM).unwrap();
            wait_for("the pid file to go", || (!pid_file.exists()).then_some(()));
        }
        let file = open(&directory.path().join("live/upstream/2001/09/09").join(ENDLESS_NAME));
        assert_eq!((file.totals().flows, file.ident()), (10, "upstream"), "{line}");
    }
}
