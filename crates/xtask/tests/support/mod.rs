//! What the tests with conditions share.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod comparison;
pub(crate) mod machine;
pub(crate) mod pages;

use std::process::Command;

use libtest_mimic::Failed;

/// Standard output of a command that must succeed.
pub(crate) fn output(command: &mut Command) -> Result<String, Failed> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let stdout = String::from_utf8_lossy(&output.stdout);
        return Err(format!("{command:?}: {}\n{stdout}{stderr}", output.status).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
