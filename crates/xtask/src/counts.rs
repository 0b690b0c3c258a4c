//! `cargo xtask counts`: instructions for each flow in the hottest kernels, counted by callgrind.
//!
//! Times on a busy machine say little; instructions are nearly the same in every run.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use flow_testkit::conditions::program;

use crate::programs::cargo;

/// The kernels of `benches/src/bin/kernels.rs`, and what they are.
const KERNELS: [(&str, &str); 3] = [
    ("decode", "decode the columns of -s srcip/bytes"),
    ("statistic", "-s srcip/bytes over decoded columns"),
    ("aggregate", "-s record/bytes over decoded columns"),
];

/// Flows of the data, as the kernels have it.
const FLOWS: u64 = 200_000;

/// Counts and prints.
///
/// # Errors
///
/// When valgrind is missing, or something does not run.
pub fn run() -> Result<()> {
    let valgrind = program("valgrind").map_err(anyhow::Error::msg)?;
    let status = cargo().args(["build", "--release", "-p", "flow-benches", "--bin", "kernels"]).status()?;
    ensure!(status.success(), "cargo build: {status}");
    let scratch = tempfile::tempdir().context("scratch directory")?;
    println!("| kernel | instructions for each flow |\n|---|---|");
    for (name, what) in KERNELS {
        let mut run = cargo();
        let options = format!(
            "{} --tool=callgrind --toggle-collect=*kernel_{name}* --callgrind-out-file={}",
            valgrind.display(),
            scratch.path().join(name).display()
        );
        run.env("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER", &options)
            .env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", &options)
            .args(["run", "--quiet", "--release", "-p", "flow-benches", "--bin", "kernels", "--", name])
            .arg(scratch.path().join("flows"))
            .stdout(Stdio::null());
        let output = run.output().context("running the kernel")?;
        let text = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{name}: {}\n{text}", output.status);
        let count = collected(&text).with_context(|| format!("{name}: callgrind counted nothing\n{text}"))?;
        println!("| {what} | {:.1} |", count as f64 / FLOWS as f64);
    }
    Ok(())
}

/// The number behind callgrind's `Collected :`.
fn collected(text: &str) -> Option<u64> {
    let number = text.lines().find_map(|line| line.split_once("Collected : "))?.1;
    number.trim().parse().ok().filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callgrind_says_how_many() {
        assert_eq!(collected("==1== Events    : Ir\n==1== Collected : 4711\n==1==\n"), Some(4711));
        assert_eq!(collected("==1== Collected : 0\n"), None);
        assert_eq!(collected(""), None);
    }
}
