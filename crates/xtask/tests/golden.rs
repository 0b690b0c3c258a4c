//! The corpus of real captures: `rcapd -f` then `rdump -o json -6` must give the golden values of every case, as the corpus's own
//! comparison judges it.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use flow_testkit::conditions::{Needed, corpus, program, trial};
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use support::output;
use xtask::programs::Programs;

/// Cases that cannot agree yet, and why. A case that has come to agree must leave this list.
const EXCEPTIONS: &[(&str, &str)] = &[];

struct Corpus {
    packets: PathBuf,
    python: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_args();
    let needed = needed();
    let names = match &needed {
        Ok(corpus) => cases(&corpus.packets)?,
        Err(_) => vec!["every_case".to_owned()],
    };
    let programs = Arc::new(Programs::for_tests()?);
    let needed = needed.map(Arc::new);
    let trials: Vec<Trial> = names
        .into_iter()
        .map(|name| {
            let programs = Arc::clone(&programs);
            trial(name.clone(), needed.clone(), move |corpus| check(&name, &corpus, &programs))
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn needed() -> Needed<Corpus> {
    Ok(Corpus { packets: corpus()?.join("packets"), python: program("python3")? })
}

/// Every case, by name.
fn cases(packets: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(packets)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(case) = name.strip_suffix(".pcap") {
            names.push(case.to_owned());
        }
    }
    names.sort();
    anyhow::ensure!(names.len() > 120, "only {} cases in {}", names.len(), packets.display());
    Ok(names)
}

/// The keys whose numbers stand in quotation marks, as callers of nfdump expect them (D-19); golden values are numbers.
const QUOTED: [&str; 10] = [
    "dst_xlt_port",
    "egress_vrf",
    "event_id",
    "ingress_vrf",
    "nat_event_id",
    "pblock_end",
    "pblock_start",
    "pblock_step",
    "src_xlt_port",
    "xevent_id",
];

/// The flows with these numbers as numbers.
fn unquoted(json: &str) -> Result<String, Failed> {
    let mut flows: Value = serde_json::from_str(json)?;
    for flow in flows.as_array_mut().into_iter().flatten() {
        for key in QUOTED {
            if let Some(value) = flow.get_mut(key)
                && let Some(number) = value.as_str().and_then(|text| text.parse::<u64>().ok())
            {
                *value = number.into();
            }
        }
    }
    Ok(flows.to_string())
}

fn check(name: &str, corpus: &Corpus, programs: &Programs) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let flows = scratch.path().join("flows");
    fs::create_dir(&flows)?;
    output(
        programs
            .command("rcapd")
            .arg("-f")
            .arg(corpus.packets.join(format!("{name}.pcap")))
            .arg("-w")
            .arg(&flows),
    )?;
    let json = output(programs.command("rdump").arg("-R").arg(&flows).args(["-o", "json", "-6"]))?;
    let file = scratch.path().join("flows.json");
    fs::write(&file, unquoted(&json)?)?;

    let mut compare = Command::new(&corpus.python);
    compare.arg(corpus.packets.join("tools/compare.py"));
    compare.arg(corpus.packets.join(format!("{name}.golden.json"))).arg(&file).arg("--scaled");
    let result = output(&mut compare);
    match (result, EXCEPTIONS.iter().find(|(case, _)| *case == name)) {
        (Ok(_), None) | (Err(_), Some(_)) => Ok(()),
        (Ok(_), Some((_, reason))) => {
            Err(format!("agrees now: take it off the exceptions ({reason})").into())
        }
        (Err(failed), None) => Err(failed),
    }
}
