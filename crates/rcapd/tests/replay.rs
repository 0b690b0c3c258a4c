//! Captures: their time stamps drive everything.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::fs::{self, File};
use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::Output;

use flow_testkit::traffic::{Datagram, Datagrams, PcapWriter, Profile};
use support::{files, open, rcapd, routers, run, v5};

/// 2023-11-14 22:00:00 UTC.
const HOUR_MS: u64 = 1_699_999_200_000;

/// A capture of v5 datagrams with two flows each, at these times after [`HOUR_MS`].
fn capture(path: &Path, offsets_ms: impl IntoIterator<Item = u64>) {
    let mut writer = PcapWriter::new(File::create(path).unwrap()).unwrap();
    let from: SocketAddr = "192.0.2.9:4711".parse().unwrap();
    for (number, offset_ms) in (0..).zip(offsets_ms) {
        let payload = v5(2 * number, 2);
        writer.write(&Datagram { sent_ms: HOUR_MS + offset_ms, from, payload }).unwrap();
    }
    writer.finish().unwrap();
}

fn read(capture: &Path, directory: &Path, options: &[&str]) -> Output {
    run(rcapd().arg("-f").arg(capture).arg("-w").arg(directory).args(options))
}

fn log(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A classic capture of bare IP packets, all at [`HOUR_MS`].
fn bare_capture(path: &Path, packets: &[Vec<u8>]) {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 4 << 16 | 2, 0, 0, 65_535, 101] {
        file.extend(word.to_le_bytes());
    }
    for packet in packets {
        let len = packet.len() as u32;
        for word in [(HOUR_MS / 1000) as u32, 0, len, len] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    fs::write(path, file).unwrap();
}

/// A UDP datagram from 2001:db8::`from` behind an IPv6 header, and behind destination options.
fn ipv6(from: u8, payload: &[u8]) -> Vec<u8> {
    let len = 8 + payload.len() as u16;
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((len + 8).to_be_bytes());
    packet.extend([60, 64, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, from]);
    packet.extend(Ipv6Addr::LOCALHOST.octets());
    packet.extend([17, 0, 1, 4, 0, 0, 0, 0]);
    for number in [4711, 9995, len, 0] {
        packet.extend(number.to_be_bytes());
    }
    packet.extend(payload);
    packet
}

#[test]
fn exporters_over_ipv6_are_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let (path, data) = (directory.path().join("pcap"), directory.path().join("data"));
    fs::create_dir(&data).unwrap();
    bare_capture(&path, &[ipv6(9, &v5(0, 2)), ipv6(8, &v5(0, 3)), ipv6(9, &v5(2, 2))]);
    let output = read(&path, &data, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", log(&output));
    let file = open(&data.join("nfcapd.202311142200"));
    let from = vec!["2001:db8::8".parse().unwrap(), "2001:db8::9".parse().unwrap()];
    assert_eq!(routers(&file), (from.clone(), from));
    assert_eq!((file.totals().flows, file.totals().sequence_failures), (7, 0));
    let flows: Vec<u64> = file.exporters().iter().map(|exporter| exporter.ledger.flows).collect();
    assert_eq!(flows, [4, 3]);
}

#[test]
fn an_hour_of_capture_becomes_twelve_files() {
    let directory = tempfile::tempdir().unwrap();
    let (path, data) = (directory.path().join("pcap"), directory.path().join("data"));
    fs::create_dir(&data).unwrap();
    capture(&path, (0..3600).map(|second| second * 1000 + 999));
    for round in 1..=2 {
        let output = read(&path, &data, &[]);
        assert_eq!(output.status.code(), Some(0), "{}", log(&output));
        let names = files(&data);
        let expected: Vec<String> = (0..12).map(|slot| format!("nfcapd.2023111422{:02}", slot * 5)).collect();
        assert_eq!(names, expected);
        for name in names {
            let file = open(&data.join(&name));
            // The second round is merged into the first.
            assert_eq!((file.totals().flows, file.ledger().datagrams), (round * 600, round * 300));
            assert_eq!(file.totals().sequence_failures, 0);
        }
    }
}

#[test]
fn received_time_is_the_packets_time_and_quiet_slots_have_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pcap");
    capture(&path, [1, 299_999, 900_000]);
    for (options, expected) in [
        (&["-S", "2"][..], ["2023/11/14/22/nfcapd.202311142200", "2023/11/14/22/nfcapd.202311142215"]),
        (&["-t", "30", "-Z"], ["nfcapd.20231114220000+0000", "nfcapd.20231114220430+0000"]),
        (&["-t", "3600"], ["nfcapd.202311142200", ""]),
    ] {
        let data = tempfile::tempdir().unwrap();
        assert_eq!(read(&path, data.path(), options).status.code(), Some(0));
        let names = files(data.path());
        for name in expected.iter().filter(|name| !name.is_empty()) {
            assert!(names.contains(&(*name).to_owned()), "{name} in {names:?}");
        }
        let file = open(&data.path().join(&names[0]));
        let stats = file.block_stats(0).range(flow_model::Field::ReceivedMs).unwrap();
        let flow_model::Range::Num { min, .. } = stats else { panic!("{stats:?}") };
        assert_eq!((min, file.created_ms()), (HOUR_MS + 1, HOUR_MS + 1));
        let flows: u64 = names.iter().map(|name| open(&data.path().join(name)).totals().flows).sum();
        assert_eq!(flows, 6);
    }
}

#[test]
fn names_are_local() {
    let directory = tempfile::tempdir().unwrap();
    let (path, data) = (directory.path().join("pcap"), directory.path().join("data"));
    fs::create_dir(&data).unwrap();
    capture(&path, [0]);
    let output = run(rcapd().env("TZ", "<+0530>-5:30").arg("-f").arg(&path).arg("-w").arg(&data));
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(files(&data), ["nfcapd.202311150330"]);
}

#[test]
fn sampling_and_ident_and_compression_are_as_asked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("pcap");
    capture(&path, [0]);
    for (options, packets) in [(&["-s", "100", "-z=zstd:3"][..], 2000), (&["-s-5", "-y"], 100), (&["-j"], 20)]
    {
        let data = tempfile::tempdir().unwrap();
        let output =
            run(rcapd().arg("-f").arg(&path).arg("-l").arg(data.path()).args(options).args(["-I", "me"]));
        assert_eq!(output.status.code(), Some(0), "{}", log(&output));
        let file = open(&data.path().join("nfcapd.202311142200"));
        assert_eq!((file.ident(), file.totals().packets), ("me", packets));
    }
}

#[test]
fn a_capture_cut_short_is_read_as_far_as_it_goes() {
    let directory = tempfile::tempdir().unwrap();
    let (path, data) = (directory.path().join("pcap"), directory.path().join("data"));
    fs::create_dir(&data).unwrap();
    capture(&path, [0, 1, 2]);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let output = read(&path, &data, &[]);
    assert_eq!(output.status.code(), Some(0));
    assert!(log(&output).contains("cut off within the record at octet "), "{}", log(&output));
    assert_eq!(open(&data.join("nfcapd.202311142200")).totals().flows, 4);
}

#[test]
fn an_ipfix_file_gives_the_flows_of_its_messages() {
    let directory = tempfile::tempdir().unwrap();
    let messages: Vec<Datagram> = Datagrams::new(&Profile::hour(2000))
        .filter(|datagram| datagram.payload.starts_with(&[0, 10]))
        .collect();
    let (ipfix, pcap) = (directory.path().join("ipfix"), directory.path().join("pcap"));
    let file: Vec<u8> = messages.iter().flat_map(|message| &message.payload).copied().collect();
    fs::write(&ipfix, &file).unwrap();
    let mut writer = PcapWriter::new(File::create(&pcap).unwrap()).unwrap();
    for message in &messages {
        writer.write(message).unwrap();
    }
    writer.finish().unwrap();

    let stored = |from: &Path| {
        let data = tempfile::tempdir().unwrap();
        let output = read(from, data.path(), &[]);
        assert_eq!(output.status.code(), Some(0), "{}", log(&output));
        let mut sums = (0, 0, 0, 0);
        for name in files(data.path()) {
            let file = open(&data.path().join(&name));
            let (totals, ledger) = (file.totals(), file.ledger());
            sums.0 += totals.flows;
            sums.1 += totals.bytes;
            sums.2 += ledger.datagrams;
            sums.3 += ledger.missed + ledger.malformed + ledger.no_template;
        }
        (sums, log(&output))
    };
    let (sums, log) = stored(&ipfix);
    assert_eq!(sums, stored(&pcap).0);
    assert_eq!((sums.2, sums.3), (messages.len() as u64, 0));
    assert!(sums.0 > 100 && log.contains(&format!("Capture: messages: {}", messages.len())), "{log}");

    // What stands before damage is kept, and the place is said.
    let start = messages[0].payload.len() + messages[1].payload.len();
    fs::write(&ipfix, [&file[..start], b"garbage in the place of a message"].concat()).unwrap();
    let (sums, log) = stored(&ipfix);
    assert_eq!(sums.2, 2);
    assert!(log.contains(&format!("damaged at octet {start}: no IPFIX message starts here")), "{log}");
}

#[test]
fn captures_without_datagrams_and_files_that_are_none() {
    let directory = tempfile::tempdir().unwrap();
    let (path, data) = (directory.path().join("pcap"), directory.path().join("data"));
    fs::create_dir(&data).unwrap();
    capture(&path, []);
    assert_eq!(read(&path, &data, &[]).status.code(), Some(0));
    assert!(files(&data).is_empty());

    assert_eq!(read(&directory.path().join("missing"), &data, &[]).status.code(), Some(254));
    assert_eq!(read(directory.path(), &data, &[]).status.code(), Some(254));
    fs::write(&path, "not a capture at all, as anyone can see").unwrap();
    let output = read(&path, &data, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(log(&output).contains("neither a pcap, a pcapng nor an IPFIX file"), "{}", log(&output));
    assert!(files(&data).is_empty());
}

#[test]
fn shuffled_packets_lose_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (path, data) = (directory.path().join("pcap"), directory.path().join("data"));
    fs::create_dir(&data).unwrap();
    // Late by minutes, and two captures one behind the other.
    let offsets = [600_000, 599_000, 300_000, 2_000_000, 0, 300_000, 600_000, 2_000_000];
    capture(&path, offsets);
    assert_eq!(read(&path, &data, &[]).status.code(), Some(0));
    let flows: u64 = files(&data).iter().map(|name| open(&data.join(name)).totals().flows).sum();
    assert_eq!(flows, 2 * offsets.len() as u64);
}
