//! What fuzzing checks holds for everything it once found, and for everything it starts from.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use flow_fuzz::{TARGETS, Target, seeds};
use flow_testkit::conditions::{corpus, trial};
use libtest_mimic::{Arguments, Failed, Trial};
use xtask::programs::root;
use xtask::words::files;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_args();
    let mut trials = vec![Trial::test("every finding has a target", every_finding_has_a_target)];
    for target in TARGETS {
        for finding in findings(target.name)? {
            let name = finding.file_name().unwrap_or_default().to_string_lossy().into_owned();
            trials.push(Trial::test(format!("finding {}/{name}", target.name), move || {
                check(target, &finding)
            }));
        }
    }
    trials.push(trial("seeds", corpus(), |corpus| check_seeds(&corpus)));
    libtest_mimic::run(&arguments, trials).exit();
}

fn directory() -> PathBuf {
    root().join("crates/fuzz/findings")
}

fn findings(target: &str) -> anyhow::Result<Vec<PathBuf>> {
    let directory = directory().join(target);
    if directory.is_dir() { files(&directory) } else { Ok(Vec::new()) }
}

/// A finding in the wrong place would never be looked at.
fn every_finding_has_a_target() -> Result<(), Failed> {
    for finding in files(&directory())? {
        let below = finding.strip_prefix(directory())?.to_owned();
        let place = below.parent().unwrap_or(Path::new("")).to_string_lossy();
        if !TARGETS.iter().any(|target| target.name == place) && below != Path::new("README.md") {
            return Err(format!("{}: no target is called `{place}`", finding.display()).into());
        }
    }
    Ok(())
}

fn check(target: Target, input: &Path) -> Result<(), Failed> {
    let octets = fs::read(input)?;
    catch_unwind(|| (target.check)(&octets)).map_err(|_| format!("{}: fails", input.display()).into())
}

fn check_seeds(corpus: &Path) -> Result<(), Failed> {
    let scratch = tempfile::tempdir()?;
    let counts = seeds::write(scratch.path(), Some(corpus))?;
    for target in TARGETS {
        let seeds = files(&scratch.path().join(target.name))?;
        if seeds.is_empty() || Some(&seeds.len()) != counts.get(target.name) {
            return Err(
                format!("{}: {} seeds, of {:?}", target.name, seeds.len(), counts.get(target.name)).into()
            );
        }
        for seed in seeds {
            check(target, &seed)?;
        }
    }
    Ok(())
}
