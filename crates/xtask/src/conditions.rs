//! Tests that need more than the source tree: another program, or the corpus of captures.
//!
//! Where it is missing such a test is listed as ignored with the reason; with `CI=true` it fails instead, so that a gate
//! never passes because something was not there.

use std::path::PathBuf;

use crate::programs::installed;

/// Something a test needs, or why it is not there.
pub type Needed<T> = Result<T, String>;

/// The corpus: `$FLOW_CORPUS`, the folder that holds `packets/`.
///
/// # Errors
///
/// Says what is missing.
pub fn corpus() -> Needed<PathBuf> {
    let path = std::env::var_os("FLOW_CORPUS").filter(|value| !value.is_empty());
    let path = PathBuf::from(path.ok_or("FLOW_CORPUS is not set")?);
    if path.join("packets").is_dir() { Ok(path) } else { Err(format!("no packets/ in {}", path.display())) }
}

/// An installed program.
///
/// # Errors
///
/// Says which is missing.
pub fn program(name: &str) -> Needed<PathBuf> {
    installed(name).ok_or_else(|| format!("{name} is not installed"))
}

/// Whether missing things are errors.
pub fn required() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}
