//! What the tests with conditions share.

use std::process::Command;

use libtest_mimic::{Failed, Trial};
use xtask::conditions::{Needed, required};

/// A test that runs when `needed` is there; else it is ignored with the reason, or fails where nothing may be missing.
pub(crate) fn trial<T: Send + 'static>(
    name: String,
    needed: Needed<T>,
    test: impl FnOnce(T) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    match needed {
        Ok(there) => Trial::test(name, move || test(there)),
        Err(reason) if required() => Trial::test(name, move || Err(reason.into())),
        Err(reason) => Trial::test(name, || Ok(())).with_kind(reason).with_ignored_flag(true),
    }
}

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
