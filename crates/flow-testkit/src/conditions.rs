//! Tests that need more than the source tree: another program, or the corpus of captures.
//!
//! Where it is missing such a test is listed as ignored with the reason; with `CI=true` it fails instead, so that a gate
//! never passes because something was not there.

use std::path::PathBuf;

use libtest_mimic::{Failed, Trial};

/// Something a test needs, or why it is not there.
pub type Needed<T> = Result<T, String>;

/// A test that runs when `needed` is there; else it is ignored with the reason, or fails where nothing may be missing.
pub fn trial<T: Send + 'static>(
    name: impl Into<String>,
    needed: Needed<T>,
    test: impl FnOnce(T) -> Result<(), Failed> + Send + 'static,
) -> Trial {
    match needed {
        Ok(there) => Trial::test(name, move || test(there)),
        Err(reason) if required() => Trial::test(name, move || Err(reason.into())),
        Err(reason) => Trial::test(name, || Ok(())).with_kind(reason).with_ignored_flag(true),
    }
}

/// The captures of real exporters, sorted: `$FLOW_CORPUS/packets/*.pcap`, at least one.
///
/// # Errors
///
/// Says what is missing.
pub fn captures() -> Needed<Vec<PathBuf>> {
    let packets = corpus()?.join("packets");
    let unreadable = |error| format!("{}: {error}", packets.display());
    let mut captures = Vec::new();
    for entry in std::fs::read_dir(&packets).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "pcap") {
            captures.push(path);
        }
    }
    captures.sort();
    if captures.is_empty() { Err(format!("no captures in {}", packets.display())) } else { Ok(captures) }
}

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
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| format!("{name} is not installed"))
}

fn required() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}
