//! Building and finding the three programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Our programs, in the order of a flow's way.
pub const NAMES: [&str; 3] = ["rcapd", "rdump", "rexpire"];

/// Root of the source tree.
pub fn root() -> &'static Path {
    // crates/xtask is two levels below.
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new("."))
}

/// Where built programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    directory: PathBuf,
}

impl Programs {
    /// Builds the programs with cargo.
    ///
    /// # Errors
    ///
    /// When cargo fails, or does not say where it put them.
    pub fn build(release: bool) -> Result<Self> {
        let mut command = cargo();
        command.args(["build", "--message-format=json-render-diagnostics"]);
        if release {
            command.arg("--release");
        }
        for name in NAMES {
            command.args(["-p", name]);
        }
        let output = command.stderr(Stdio::inherit()).output().context("running cargo build")?;
        if !output.status.success() {
            bail!("cargo build: {}", output.status);
        }
        let executables: Vec<PathBuf> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
            .collect();
        let directory = executables.first().and_then(|path| path.parent());
        let directory = directory.context("cargo build named no program")?.to_owned();
        Ok(Self { directory })
    }

    /// The programs for a test: from the directory `$RDUMP_PROGRAMS`, else built in the profile of the running test. Cargo
    /// decides whether there is anything to build, so a test never runs yesterday's program.
    ///
    /// # Errors
    ///
    /// When they cannot be built.
    pub fn for_tests() -> Result<Self> {
        if let Some(directory) = std::env::var_os("RDUMP_PROGRAMS") {
            return Ok(Self { directory: PathBuf::from(directory) });
        }
        Self::build(!cfg!(debug_assertions))
    }

    /// Path of one of the programs.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// A command that runs one of the programs.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.path(name));
        command.env("TZ", "UTC").env("LC_ALL", "C").stdin(Stdio::null());
        command
    }

    /// Their directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// `PATH` with their directory in front.
    ///
    /// # Errors
    ///
    /// When the directory's name cannot stand in `PATH`.
    pub fn search_path(&self) -> Result<OsString> {
        let before = std::env::var_os("PATH").unwrap_or_default();
        let all = std::iter::once(self.directory.clone()).chain(std::env::split_paths(&before));
        std::env::join_paths(all).context("PATH")
    }
}

/// The cargo that runs us, in the source tree.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}
