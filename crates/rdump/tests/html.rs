//! `--html`: the site grows with the flow files, each counted once, and survives whatever ends a run.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

mod support;

use flow_model::{BatchBuilder, Field};
use flow_testkit::fixture::BASE_MS;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::thread;
use std::time::Duration;
use support::{Fixture, write_flows};

const FILES: [&str; 3] = ["nfcapd.202311142210", "nfcapd.202311142215", "nfcapd.202311142220"];

/// A file with a flow to each of these hosts, and one back of a tenth.
fn flow_file(fixture: &Fixture, name: &str, hosts: &[(&str, u64)]) {
    let number = FILES.iter().position(|known| *known == name).unwrap() as u64;
    let start_ms = BASE_MS + number * 300_000;
    let mut builder = BatchBuilder::new();
    for (host, bytes) in hosts {
        for (src, dst, bytes) in [("198.51.100.7", *host, *bytes), (*host, "198.51.100.7", bytes / 10)] {
            builder.set_ip(Field::SrcAddr, src.parse().unwrap());
            builder.set_ip(Field::DstAddr, dst.parse().unwrap());
            for (field, num) in [
                (Field::FirstMs, start_ms),
                (Field::LastMs, start_ms + 10_000),
                (Field::Proto, 17),
                (Field::SrcPort, 53),
                (Field::DstPort, 40_000),
                (Field::InPackets, 1),
                (Field::InBytes, bytes),
            ] {
                builder.set(field, num);
            }
            builder.finish_row();
        }
    }
    write_flows(&fixture.path("flows").join(name), &[builder.finish()]);
}

fn fixture() -> Fixture {
    let fixture = Fixture { dir: tempfile::tempdir().unwrap() };
    fs::write(fixture.path("networks"), "192.0.2.0/24 A & B\n2001:db8::/32\n").unwrap();
    flow_file(&fixture, FILES[0], &[("192.0.2.1", 2_000_000), ("2001:db8::1", 5_000)]);
    flow_file(&fixture, FILES[1], &[("192.0.2.1", 1_000_000), ("192.0.2.2", 30)]);
    fixture
}

fn args(site: &str) -> [&str; 6] {
    ["-R", "flows", "--networks", "networks", "--html", site]
}

fn bring_up_to_date(fixture: &Fixture, site: &str) {
    assert_eq!(fixture.stdout(&args(site)), "");
}

/// Every file of a site, by its path.
fn site(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for below in ["", "host"] {
        for entry in fs::read_dir(directory.join(below)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                let name = format!("{below}/{}", entry.file_name().to_string_lossy());
                files.insert(name, fs::read(entry.path()).unwrap());
            }
        }
    }
    files
}

fn page(fixture: &Fixture, name: &str) -> String {
    fs::read_to_string(fixture.path("site").join(name)).unwrap()
}

#[test]
fn hosts_appear_with_what_they_received_and_sent() {
    let fixture = fixture();
    bring_up_to_date(&fixture, "site");
    let index = page(&fixture, "index.html");
    assert!(index.contains("<p>3 hosts, flows up to 11-14 22:18</p>"), "{index}");
    assert!(index.contains("<h2>A &amp; B</h2><p>2 hosts, today 3 MB in, 300 kB out</p>"), "{index}");
    let host = page(&fixture, "host/192.0.2.1.html");
    assert!(host.contains("today 3 MB in, 300 kB out, last seen 11-14 22:18"), "{host}");
    assert!(
        host.contains("<td>198.51.100.7</td><td class=\"n\">3 MB</td><td class=\"n\">300 kB</td>"),
        "{host}"
    );
    assert!(host.contains("<td>UDP/53</td>"), "{host}");
    assert!(page(&fixture, "host/2001-db8--1.html").contains("today 5 kB in, 500 B out"));
}

#[test]
fn each_file_counts_once_and_only_new_ones_are_read() {
    let fixture = fixture();
    bring_up_to_date(&fixture, "site");
    let before = site(&fixture.path("site"));
    bring_up_to_date(&fixture, "site");
    assert_eq!(site(&fixture.path("site")), before);
    // What is counted may be gone, or unreadable.
    fs::write(fixture.path("flows").join(FILES[0]), "damage").unwrap();
    flow_file(&fixture, FILES[2], &[("192.0.2.2", 1_000), ("192.0.2.9", 1_000)]);
    bring_up_to_date(&fixture, "site");
    let after = site(&fixture.path("site"));
    assert_eq!(after["host/192.0.2.1.html"], before["host/192.0.2.1.html"], "nothing new about it");
    assert!(after.contains_key("host/192.0.2.9.html"));
    assert!(page(&fixture, "host/192.0.2.2.html").contains("today 1 kB in, 103 B out"));

    // All at once comes to the same.
    flow_file(&fixture, FILES[0], &[("192.0.2.1", 2_000_000), ("2001:db8::1", 5_000)]);
    bring_up_to_date(&fixture, "other");
    let other = site(&fixture.path("other"));
    assert_eq!(other["/hosts.rollup"], after["/hosts.rollup"]);
    assert_eq!(other["/index.html"], after["/index.html"]);
}

#[test]
fn what_goes_wrong_leaves_the_site_as_it_was() {
    let fixture = fixture();
    bring_up_to_date(&fixture, "site");
    let rollup = fixture.path("site/hosts.rollup");
    let sound = fs::read(&rollup).unwrap();
    flow_file(&fixture, FILES[2], &[("192.0.2.2", 1_000)]);
    let fails = |says: &str| {
        let before = site(&fixture.path("site"));
        let (code, error) = fixture.failure(&args("site"));
        assert_eq!(code, Some(1));
        assert!(error.contains(says), "{error}");
        assert_eq!(site(&fixture.path("site")), before);
    };
    let mut other = sound.clone();
    other[8] = 9;
    fs::write(&rollup, &other).unwrap();
    fails("site/hosts.rollup: a roll-up of version 9, only version 1 is known");
    fs::write(&rollup, &sound[..sound.len() - 1]).unwrap();
    fails("site/hosts.rollup: damaged\nhint: ");
    fs::write(&rollup, &sound).unwrap();
    let lock = File::open(fixture.path("site/.lock")).unwrap();
    lock.lock().unwrap();
    fails("another run is writing this site");
    lock.unlock().unwrap();
    fs::remove_file(fixture.path("site/host/192.0.2.2.html")).unwrap();
    fs::create_dir(fixture.path("site/host/192.0.2.2.html")).unwrap();
    let (code, error) = fixture.failure(&args("site"));
    assert_eq!((code, fs::read(&rollup).unwrap()), (Some(1), sound));
    assert!(error.contains("writing `site/host/192.0.2.2.html`: "), "{error}");
    assert!(!fixture.path("site/host/192.0.2.2.html.unfinished").exists());
    assert!(
        fixture
            .failure(&args("site")[..2].iter().copied().chain(["--html", "x"]).collect::<Vec<_>>())
            .1
            .contains("--networks FILE")
    );
}

#[test]
fn a_run_that_is_killed_leaves_whole_pages_and_the_next_counts_what_it_did_not() {
    let fixture = fixture();
    bring_up_to_date(&fixture, "expected");
    for killed_after_ms in [0, 5, 10, 15, 20, 30, 50] {
        let mut run = fixture.command(&args("site")).spawn().unwrap();
        thread::sleep(Duration::from_millis(killed_after_ms));
        // It may have ended.
        let _ = run.kill();
        run.wait().unwrap();
        if !fixture.path("site/host").exists() {
            continue;
        }
        for (name, octets) in site(&fixture.path("site")) {
            if Path::new(&name).extension().is_some_and(|extension| extension == "html") {
                assert!(octets.ends_with(b"</body></html>\n"), "{name}");
            }
        }
    }
    bring_up_to_date(&fixture, "site");
    assert_eq!(site(&fixture.path("site")), site(&fixture.path("expected")));
}
