//! The shipped captures through `rcapd -f` and `rdump`: needs nothing but the source tree.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::Value;
use xtask::programs::{Programs, root};

fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| Programs::for_tests().unwrap())
}

fn case(name: &str) -> PathBuf {
    root().join("testdata/pcap").join(name)
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn ingest(name: &str, directory: &Path) {
    output(programs().command("rcapd").arg("-f").arg(case(name).join("case.pcap")).arg("-w").arg(directory));
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Each expected flow has a stored flow of its own with all its values, and no flow is left over.
fn flows_are_as_expected(name: &str) {
    let scratch = tempfile::tempdir().unwrap();
    ingest(name, scratch.path());
    let text = output(programs().command("rdump").arg("-R").arg(scratch.path()).args(["-o", "json", "-6"]));
    let Value::Array(found) = serde_json::from_str(&text).unwrap() else { panic!("no array: {text}") };
    let Value::Array(expected) = json(&case(name).join("expected.json")) else {
        panic!("expected.json: no array")
    };
    assert_eq!(found.len(), expected.len(), "flows of {name}");
    let mut pairs = Pairs { found: &found, expected: &expected, taken: vec![None; found.len()] };
    for (index, flow) in expected.iter().enumerate() {
        assert!(pairs.place(index, &mut vec![false; found.len()]), "{name}: no stored flow is {flow}");
    }
}

/// Pairs of expected and stored flows. An expected flow names only what its exporter sent, so it may fit several.
struct Pairs<'a> {
    found: &'a [Value],
    expected: &'a [Value],
    /// The expected flow that a stored flow stands for.
    taken: Vec<Option<usize>>,
}

impl Pairs<'_> {
    /// Finds a stored flow for an expected one, moving others where that makes room (Kuhn's algorithm).
    fn place(&mut self, index: usize, tried: &mut Vec<bool>) -> bool {
        for stored in 0..self.found.len() {
            if tried[stored] || !holds(&self.found[stored], &self.expected[index]) {
                continue;
            }
            tried[stored] = true;
            if self.taken[stored].is_none_or(|other| self.place(other, tried)) {
                self.taken[stored] = Some(index);
                return true;
            }
        }
        false
    }
}

/// Every value of `expected` stands in `flow`; what is 0 or an empty address may be left out there.
fn holds(flow: &Value, expected: &Value) -> bool {
    let Value::Object(expected) = expected else { return false };
    expected.iter().all(|(key, value)| match flow.get(key) {
        Some(found) => number(found) == number(value),
        None => number(value) == Some(0) || ["0.0.0.0", "::", "00:00:00:00:00:00"].iter().any(|nothing| value == nothing),
    } || flow.get(key) == Some(value))
}

/// A number, also when quoted, or flags as text.
fn number(value: &Value) -> Option<u64> {
    if let Some(number) = value.as_u64() {
        return Some(number);
    }
    let text = value.as_str()?;
    if text.len() == 8 && text.bytes().all(|octet| b".CEUAPRSF".contains(&octet)) {
        return Some(
            (0..8).zip(text.bytes().rev()).filter(|(_, c)| *c != b'.').map(|(bit, _)| 1 << bit).sum(),
        );
    }
    text.parse().ok()
}

macro_rules! expected_flows {
    ($($test:ident: $case:literal,)*) => {
        $(#[test] fn $test() { flows_are_as_expected($case); })*
    };
}

expected_flows! {
    v5_mikrotik: "v5-mikrotik",
    v5_softflowd_sampled: "v5-softflowd-sampled",
    v9_softflowd_big: "v9-softflowd-big",
    v9_ubnt_edgerouter_mpls: "v9-ubnt-edgerouter-mpls",
    v9_cisco_asa_1: "v9-cisco-asa-1",
    ipfix_softflowd_biflow: "ipfix-softflowd-biflow",
    ipfix_mikrotik: "ipfix-mikrotik",
    ipfix_openvswitch: "ipfix-openvswitch",
}

fn info(arguments: &[&str], path: &Path) -> BTreeMap<String, String> {
    let text = output(programs().command("rdump").args(arguments).arg(path).arg("-I"));
    text.lines().filter_map(|line| line.split_once(": ")).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
}

#[test]
fn an_hour_gives_twelve_files_by_the_packets_times() {
    let scratch = tempfile::tempdir().unwrap();
    ingest("hour-mixed", scratch.path());
    let expected = json(&case("hour-mixed").join("expected.json"));

    let files = expected["files"].as_object().unwrap();
    let mut found: Vec<String> = fs::read_dir(scratch.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("nfcapd.2"))
        .collect();
    found.sort();
    assert_eq!(found, files.keys().cloned().collect::<Vec<_>>());
    for (name, flows) in files {
        assert_eq!(info(&["-r"], &scratch.path().join(name))["Flows"], flows.to_string(), "{name}");
    }

    let whole = info(&["-R"], scratch.path());
    for (key, value) in expected["info"].as_object().unwrap() {
        assert_eq!(whole.get(key), Some(&value.to_string()), "{key}");
    }
}
