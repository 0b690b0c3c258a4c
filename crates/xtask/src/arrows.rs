//! The dependencies between the crates, as docs/ARCHITECTURE.md draws them.

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::programs::cargo;

/// Crate and the crates of the workspace it may use. Development dependencies are free, but for programs.
const ARROWS: &[(&str, &[&str])] = &[
    ("flow-model", &[]),
    ("flow-wire", &["flow-model"]),
    ("flow-file", &["flow-model"]),
    ("flow-filter", &["flow-model"]),
    ("flow-geo", &["flow-model"]),
    ("flow-hosts", &["flow-model"]),
    ("flow-output", &["flow-model"]),
    ("flow-query", &["flow-model", "flow-file", "flow-filter"]),
    ("flow-collect", &["flow-model", "flow-wire", "flow-file", "flow-retain"]),
    ("flow-retain", &["flow-model", "flow-file"]),
    ("flow-cli", &[]),
    ("rcapd", &["flow-collect", "flow-cli"]),
    (
        "rdump",
        &[
            "flow-model",
            "flow-geo",
            "flow-hosts",
            "flow-query",
            "flow-output",
            "flow-filter",
            "flow-file",
            "flow-cli",
        ],
    ),
    ("rexpire", &["flow-retain", "flow-file", "flow-cli"]),
    ("flow-testkit", &["flow-model"]),
    ("xtask", &["flow-model", "flow-testkit"]),
    (
        "flow-benches",
        &["flow-model", "flow-wire", "flow-file", "flow-filter", "flow-query", "flow-output", "flow-testkit"],
    ),
];

/// Crates that only compute: nothing that opens, maps, waits, forks or signals.
const PURE: [&str; 5] = ["flow-model", "flow-wire", "flow-filter", "flow-hosts", "flow-output"];
const IMPURE: [&str; 7] = ["memmap2", "nix", "rayon", "sd-notify", "signal-hook", "socket2", "tempfile"];

/// Who may know command lines and exit codes.
const COMMAND_LINE: [&str; 2] = ["anyhow", "clap"];
const KNOWS_COMMAND_LINE: [&str; 5] = ["flow-cli", "rcapd", "rdump", "rexpire", "xtask"];

const PROGRAMS: [&str; 4] = ["rcapd", "rdump", "rexpire", "xtask"];

/// Holds the manifests against the picture.
///
/// # Errors
///
/// Names every dependency that has no arrow.
pub fn check() -> Result<()> {
    let output = cargo()
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .output()
        .context("running cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).context("reading cargo metadata")?;
    let dependencies = dependencies(&metadata);
    let wrong: Vec<String> = dependencies.iter().filter_map(Dependency::objection).collect();
    if !wrong.is_empty() {
        bail!("dependencies without an arrow:\n  {}", wrong.join("\n  "));
    }
    println!("{} dependencies of {} crates follow the arrows", dependencies.len(), ARROWS.len());
    Ok(())
}

#[derive(Debug)]
struct Dependency {
    from: String,
    to: String,
    development: bool,
    workspace: bool,
}

impl Dependency {
    /// What is wrong with it.
    fn objection(&self) -> Option<String> {
        let Self { from, to, development, workspace } = self;
        let (from, to) = (from.as_str(), to.as_str());
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == from) else {
            return Some(format!("{from}: not in the picture"));
        };
        let wrong = if *workspace {
            PROGRAMS.contains(&to) || (!development && !allowed.contains(&to))
        } else {
            !development
                && ((PURE.contains(&from) && IMPURE.contains(&to))
                    || (COMMAND_LINE.contains(&to) && !KNOWS_COMMAND_LINE.contains(&from)))
        };
        wrong.then(|| format!("{from} -> {to}"))
    }
}

fn dependencies(metadata: &Value) -> Vec<Dependency> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    packages
        .iter()
        .flat_map(|package| {
            let listed = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
            listed.iter().map(|dependency| Dependency {
                from: package["name"].as_str().unwrap_or_default().to_owned(),
                to: dependency["name"].as_str().unwrap_or_default().to_owned(),
                development: dependency["kind"] == "dev",
                workspace: dependency["path"].is_string(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(from: &str, to: &str, development: bool, workspace: bool) -> bool {
        Dependency { from: from.to_owned(), to: to.to_owned(), development, workspace }.objection().is_some()
    }

    #[test]
    fn objects_to_what_the_picture_lacks() {
        assert!(!objects("flow-query", "flow-file", false, true));
        assert!(objects("flow-file", "flow-wire", false, true));
        assert!(objects("flow-file", "flow-testkit", false, true));
        assert!(!objects("flow-file", "flow-testkit", true, true));
        assert!(objects("flow-query", "rdump", true, true));
        assert!(objects("flow-filter", "rayon", false, false));
        assert!(!objects("flow-query", "rayon", false, false));
        assert!(objects("flow-output", "anyhow", false, false));
        assert!(objects("new-crate", "flow-model", false, true));
    }

    #[test]
    fn this_workspace_follows_the_arrows() {
        check().unwrap();
    }
}
