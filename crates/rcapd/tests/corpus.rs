//! Captures of real exporters: every one is read without complaint about the capture, into sound files.
//!
//! That the flows are right is tested where they are decoded; here, none may get lost on the way to the disk.

#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

mod support;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use flow_testkit::conditions::{captures, trial};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value as Json;
use support::{files, open, rcapd, run};

fn main() -> ExitCode {
    let trials = match captures() {
        Ok(captures) => captures.into_iter().map(ingests).collect(),
        Err(reason) => vec![trial("every_capture", Err::<(), _>(reason), |()| Ok(()))],
    };
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn ingests(capture: PathBuf) -> Trial {
    let name = capture.file_stem().unwrap().to_string_lossy().into_owned();
    Trial::test(name, move || ingest(&capture))
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
