//! Captures of real exporters: every one is read without complaint about the capture, into sound files.
//!
//! That the flows are right is tested where they are decoded; here, none may get lost on the way to the disk.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value as Json;
use support::{files, open, rcapd, run};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let trials = if let Some(corpus) = std::env::var_os("FLOW_CORPUS") {
        trials(&Path::new(&corpus).join("packets"))
    } else {
        let required = std::env::var("CI").is_ok_and(|ci| ci == "true");
        vec![
            Trial::test("corpus (FLOW_CORPUS is not set)", || Err("FLOW_CORPUS is not set".into()))
                .with_ignored_flag(!required),
        ]
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trials(packets: &Path) -> Vec<Trial> {
    let entries = std::fs::read_dir(packets).unwrap_or_else(|error| panic!("{}: {error}", packets.display()));
    let mut captures: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "pcap"))
        .collect();
    captures.sort();
    assert!(!captures.is_empty(), "no captures in {}", packets.display());
    captures
        .into_iter()
        .map(|capture| {
            let name = capture.file_stem().unwrap().to_string_lossy().into_owned();
            Trial::test(name, move || ingest(&capture))
        })
        .collect()
}

fn ingest(capture: &Path) -> Result<(), Failed> {
    let golden: Json = serde_json::from_slice(&std::fs::read(capture.with_extension("golden.json"))?)?;
    let directory = tempfile::tempdir()?;
    let output = run(rcapd().arg("-f").arg(capture).arg("-w").arg(directory.path()));
    let log = String::from_utf8(output.stderr)?;
    if output.status.code() != Some(0) {
        return Err(format!("{:?}\n{log}", output.status).into());
    }
    let (mut flows, mut accounted, mut datagrams) = (0, 0, 0);
    for name in files(directory.path()) {
        let file = open(&directory.path().join(name));
        flows += file.totals().flows;
        accounted += file.ledger().flows;
        datagrams += file.ledger().datagrams;
    }
    let expect = &golden["expect"];
    let most =
        expect["flows_max"].as_u64().or(expect["flows"].as_u64()).ok_or("the golden file has no count")?;
    let logged = format!("datagrams: {datagrams}");
    if flows > most || flows != accounted || !log.contains(&logged) {
        return Err(
            format!("{flows} flows of {most}, {accounted} accounted, {datagrams} datagrams\n{log}").into()
        );
    }
    Ok(())
}
