//! Licences of the libraries that the programs contain.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::programs::{NAMES, cargo};

/// Licences under which the programs may be given to anybody, whatever they are linked with.
const ALLOWED: [&str; 10] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
    "bzip2-1.0.6",
];

/// A library.
struct Library {
    name: String,
    version: String,
    licence: String,
    directory: String,
}

/// Checks the licence of every library that ends up in a program.
///
/// # Errors
///
/// Those that are not allowed.
pub fn check() -> Result<()> {
    let refused: Vec<String> = libraries()?
        .iter()
        .filter(|library| !is_allowed(&library.licence))
        .map(|library| format!("{} {}: `{}`", library.name, library.version, library.licence))
        .collect();
    ensure!(refused.is_empty(), "licences that are not allowed:\n{}", refused.join("\n"));
    Ok(())
}

/// Name, version and licence of each library, and the text of the licence, each text once.
///
/// # Errors
///
/// When a licence is not allowed, or no text of it is found.
pub fn texts() -> Result<String> {
    check()?;
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for Library { name, version, licence, directory } in libraries()? {
        let found = licence_files(Path::new(&directory))?;
        for text in found {
            texts.entry(text).or_default().push(format!("{name} {version} ({licence})"));
        }
    }
    let mut all = String::new();
    let mut ordered: Vec<_> = texts.into_iter().collect();
    ordered.sort_by(|(_, a), (_, b)| a.cmp(b));
    for (text, libraries) in ordered {
        writeln!(all, "\n{}\n{}\n\n{}", "-".repeat(78), libraries.join("\n"), text.trim_end())?;
    }
    Ok(all)
}

/// The texts of licences in a library's directory. Some come without, and have their licence by name only.
fn licence_files(directory: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_uppercase();
        let is_licence = ["LICENSE", "LICENCE", "COPYING", "UNLICENSE", "COPYRIGHT"]
            .iter()
            .any(|start| name.starts_with(start));
        if is_licence && entry.file_type()?.is_file() {
            texts.push(fs::read_to_string(entry.path())?);
        }
    }
    texts.sort();
    Ok(texts)
}

/// Whether one of the alternatives of an SPDX expression consists of allowed licences only.
fn is_allowed(expression: &str) -> bool {
    let allowed = |licence: &str| {
        let licence = licence.trim().trim_matches(['(', ')']);
        let base = licence.split_once(" WITH ").map_or(licence, |(base, _)| base);
        ALLOWED.contains(&base)
    };
    // `A/B` is an old form of `A OR B`. In (A OR B) AND C, each part must have an allowed alternative.
    expression.split(" AND ").all(|part| part.split(" OR ").flat_map(|part| part.split('/')).any(allowed))
}

/// Every library from elsewhere that is linked into a program on this kind of machine.
fn libraries() -> Result<Vec<Library>> {
    let output = cargo()
        .args(["metadata", "--format-version", "1", "--locked", "--filter-platform", &host()?])
        .output()
        .context("cargo metadata")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let packages: HashMap<String, Value> =
        list(&metadata["packages"]).into_iter().map(|package| (text(&package["id"]), package)).collect();
    let nodes: HashMap<String, Value> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|node| (text(&node["id"]), node)).collect();
    let is_program = |id: &&String| {
        packages.get(*id).is_some_and(|package| NAMES.contains(&package["name"].as_str().unwrap_or_default()))
    };
    let mut open: Vec<String> = nodes.keys().filter(is_program).cloned().collect();
    ensure!(open.len() == NAMES.len(), "cargo metadata names {} of the programs", open.len());
    let mut seen: HashSet<String> = open.iter().cloned().collect();
    while let Some(id) = open.pop() {
        for dependency in list(&nodes[&id]["deps"]) {
            // A kind of null is neither for tests nor for building.
            let is_linked = list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let id = text(&dependency["pkg"]);
            if is_linked && seen.insert(id.clone()) {
                open.push(id);
            }
        }
    }
    let mut libraries: Vec<Library> = seen
        .iter()
        .filter_map(|id| packages.get(id))
        .filter(|package| !package["source"].is_null())
        .map(|package| Library {
            name: text(&package["name"]),
            version: text(&package["version"]),
            licence: text(&package["license"]),
            directory: text(&package["manifest_path"]).trim_end_matches("Cargo.toml").to_owned(),
        })
        .collect();
    libraries.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    Ok(libraries)
}

fn host() -> Result<String> {
    let output = std::process::Command::new("rustc").arg("-vV").output().context("rustc")?;
    let text = String::from_utf8(output.stdout)?;
    match text.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) => Ok(host.to_owned()),
        None => bail!("rustc -vV names no host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_need_an_allowed_alternative_in_each_part() {
        for allowed in [
            "MIT",
            "MIT OR GPL-3.0",
            "MIT/Apache-2.0",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(is_allowed(allowed), "{allowed}");
        }
        for refused in ["", "GPL-3.0", "MIT AND GPL-3.0", "MPL-2.0", "(MIT OR Apache-2.0) AND GPL-2.0"] {
            assert!(!is_allowed(refused), "{refused}");
        }
    }

    #[test]
    fn every_library_may_be_given_away() {
        check().unwrap();
        assert!(libraries().unwrap().len() > 30);
    }
}
