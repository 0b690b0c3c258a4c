//! Scripts that run in a copy of this machine (`packaging/machine`) with the programs installed (`stage.sh`).

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use flow_testkit::conditions::{Needed, program};
use libtest_mimic::Failed;
use nix::unistd::Uid;
use xtask::dist::{DistArgs, build};
use xtask::programs::root;

/// What a copy of this machine, and what is done there, needs.
pub(crate) fn machine() -> Needed<()> {
    if !Uid::effective().is_root() {
        return Err("a copy of this machine needs root".to_owned());
    }
    for name in ["curl", "dpkg-deb", "ip", "unshare", "systemd-analyze", "ssh", "nfdump"] {
        program(name)?;
    }
    Ok(())
}

/// The packages, made when the first script needs them.
#[derive(Default)]
pub(crate) struct Packages(OnceLock<Result<tempfile::TempDir, String>>);

impl Packages {
    /// Runs a script of the stage's, which must succeed.
    pub(crate) fn run(&self, script: &str) -> Result<(), Failed> {
        let scratch = tempfile::tempdir()?;
        let path = scratch.path().join("script");
        fs::write(&path, script)?;
        let output = Command::new(root().join("crates/xtask/packaging/machine"))
            .arg(&path)
            .arg(self.directory()?)
            .arg(root().join("crates/xtask/tests/support/stage.sh"))
            .arg(root().join("testdata"))
            .arg(env!("CARGO_BIN_EXE_xtask"))
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Err(format!("{}\n{}{}", output.status, text(&output.stdout), text(&output.stderr)).into())
    }

    fn directory(&self) -> Result<PathBuf, Failed> {
        let made = self.0.get_or_init(|| {
            let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
            let args = DistArgs { output: directory.path().join("dist"), dev: cfg!(debug_assertions) };
            build(&args).map_err(|error| format!("{error:#}"))?;
            Ok(directory)
        });
        made.as_ref().map(|directory| directory.path().join("dist")).map_err(|reason| reason.as_str().into())
    }
}
