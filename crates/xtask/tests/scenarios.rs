//! What other programs do with ours, end to end: each script of `scenarios/` in a copy of this machine of its own, with
//! both packages' programs installed.
//!
//! Exporters of their own kind stand in `exporters.rs`, the queries of consoles in `crates/rdump/tests/consoles.rs`; the
//! set-ups that the guides describe, ssh among them, are run by `docs.rs`.

mod support;

use std::fs;
use std::sync::Arc;

use flow_testkit::conditions::trial;
use libtest_mimic::Arguments;
use support::machine::{Packages, machine};
use xtask::programs::root;

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::from_args();
    let packages = Arc::new(Packages::default());
    let mut trials = Vec::new();
    for entry in fs::read_dir(root().join("crates/xtask/tests/scenarios"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let script =
            format!("source /given/stage.sh\nplace={name}\nset -x\n{}end\n", fs::read_to_string(&path)?);
        let packages = Arc::clone(&packages);
        trials.push(trial(name, machine(), move |()| packages.run(&script)));
    }
    anyhow::ensure!(!trials.is_empty(), "no scenarios");
    libtest_mimic::run(&arguments, trials).exit();
}
