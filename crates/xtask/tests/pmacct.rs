//! nfacctd and `rcapd` are sent the same datagrams: `pmacct -s` of its tables `in` and `out` and ours are the same.
//!
//! The configuration is the one that MikroTik's users have: two tables in memory, one by destination and one by source, and a list of
//! own networks.

mod support;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use flow_testkit::conditions::{Needed, corpus, program, trial};
use libtest_mimic::{Arguments, Failed};
use support::output;
use xtask::capture::replay_capture;
use xtask::process::{Collector, free_port};
use xtask::programs::Programs;

/// For whatever is waited for; a busy machine needs some of it.
const DEADLINE: Duration = Duration::from_mins(2);

/// Datagrams a second: nfacctd's buffers are small.
const RATE: f64 = 500.0;

/// The networks of the captures, one inside of another.
const NETWORKS: &str =
    "! own networks\n65500,10.0.0.0/8\n192.168.0.0/16\n172.16.0.0/12\n172.17.0.0/16\nfd00::/8\n";

/// The first octet of own IPv6 addresses.
const OWN_IPV6: u8 = 0xfd;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_args();
    let programs = Arc::new(Programs::for_tests()?);
    let captures = ["v5-mikrotik", "ipfix-mikrotik", "v9-softflowd-big"];
    let trials = captures.into_iter().map(|capture| {
        let programs = Arc::clone(&programs);
        trial(format!("in and out of {capture}"), needed(capture), move |needed| compare(&needed, &programs))
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

struct Peer {
    nfacctd: PathBuf,
    pmacct: PathBuf,
    capture: PathBuf,
}

fn needed(capture: &str) -> Needed<Peer> {
    // Daemons are not in everybody's path.
    let outside = PathBuf::from("/usr/sbin/nfacctd");
    let nfacctd = if outside.is_file() { outside } else { program("nfacctd")? };
    let shipped =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/pcap").join(capture).join("case.pcap");
    let capture = if shipped.is_file() {
        shipped
    } else {
        corpus()?.join("packets").join(capture).with_extension("pcap")
    };
    if capture.is_file() {
        Ok(Peer { nfacctd, pmacct: program("pmacct")?, capture })
    } else {
        Err(format!("no {}", capture.display()))
    }
}

fn compare(peer: &Peer, programs: &Programs) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let at = |name: &str| scratch.path().join(name);
    let (networks, flows) = (at("networks.lst"), at("flows"));
    fs::write(&networks, NETWORKS)?;
    fs::create_dir(&flows)?;

    let port = free_port()?;
    let config = format!(
        "daemonize: false\nnfacctd_ip: 127.0.0.1\nnfacctd_port: {port}\nplugins: memory[in], memory[out]\n\
         aggregate[in]: dst_host\naggregate[out]: src_host\nimt_path[in]: {}\nimt_path[out]: {}\n\
         networks_file: {}\nnetworks_file_filter: true\nnfacctd_net: file\n",
        at("in.pipe").display(),
        at("out.pipe").display(),
        networks.display()
    );
    fs::write(at("nfacctd.conf"), config)?;
    let mut command = Command::new(&peer.nfacctd);
    command.arg("-f").arg(at("nfacctd.conf")).stdout(Stdio::null()).stderr(Stdio::null());
    let nfacctd = Collector::start(command, port)?;
    let table =
        |name: &str| output(Command::new(&peer.pmacct).arg("-s").arg("-p").arg(at(&format!("{name}.pipe"))));
    for name in ["in", "out"] {
        wait_for(|| table(name).is_ok()).map_err(|()| format!("no table `{name}`"))?;
    }

    let port = free_port()?;
    let mut command = programs.command("rcapd");
    command.arg("-w").arg(&flows).args(["-b", "127.0.0.1", "-p", &port.to_string(), "-t", "1000000000"]);
    command.stderr(Stdio::null());
    let rcapd = Collector::start(command, port)?;
    for address in [nfacctd.address(), rcapd.address()] {
        replay_capture(&peer.capture, address, RATE)?;
    }
    rcapd.drained(DEADLINE)?;
    rcapd.terminate(DEADLINE)?;

    for (name, key, side) in [("in", "dstip", "inbound"), ("out", "srcip", "outbound")] {
        let filter = format!("side {side} or side internal");
        let mut rdump = programs.command("rdump");
        rdump.arg("-R").arg(&flows).arg("--networks").arg(&networks);
        let ours = output(rdump.args(["-o", "pmacct", "-A", key, &filter]))?;
        let ours = Table::of(&ours)?;
        if ours.rows.is_empty() && name == "in" {
            return Err("nothing to compare".into());
        }
        // Its plugins are processes that take their time.
        let mut theirs = None;
        let same = wait_for(|| {
            theirs = table(name).ok().and_then(|text| Table::of(&text).ok());
            theirs.as_ref() == Some(&ours)
        });
        same.map_err(|()| format!("table `{name}`:\nours {ours:#?}\npmacct's {theirs:#?}"))?;
    }
    Ok(())
}

/// What a table says, its rows in a common order.
#[derive(Debug, PartialEq)]
struct Table {
    header: String,
    rows: Vec<String>,
}

impl Table {
    /// Without what is not one's own: pmacct puts IPv4 addresses into one row, and leaves IPv6 addresses as they are.
    fn of(text: &str) -> Result<Table, Failed> {
        let (table, total) = text.split_once("\nFor a total of: ").ok_or("no total")?;
        let mut lines = table.lines().map(str::to_owned);
        let header = lines.next().ok_or("no header")?;
        let mut rows: Vec<String> = lines.collect();
        if total != format!("{} entries\n", rows.len()) {
            return Err(format!("{} rows, a total of {total}", rows.len()).into());
        }
        rows.retain(|row| match row.split_whitespace().next().and_then(|addr| addr.parse::<IpAddr>().ok()) {
            Some(IpAddr::V4(addr)) => !addr.is_unspecified(),
            Some(IpAddr::V6(addr)) => addr.octets()[0] == OWN_IPV6,
            None => true,
        });
        rows.sort();
        Ok(Table { header, rows })
    }
}

fn wait_for(mut is_so: impl FnMut() -> bool) -> Result<(), ()> {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if is_so() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(());
        }
        thread::sleep(Duration::from_millis(50));
    }
}
