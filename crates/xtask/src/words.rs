//! A source tree must not know the machine it was written on.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Home directories and mount points of build machines; spaced so that this file passes its own check.
const MACHINE_PATHS: [&str; 4] = ["/ro ot/", "/ho me/", "/wo rk/", "/Us ers/"];

/// Directories which are not the source.
const LEFT_OUT: [&str; 2] = [".git", "target"];

/// Prints every line of the tree's text files that holds a machine's path or one of `words`.
///
/// # Errors
///
/// When there is one, or the tree cannot be read.
pub fn check(tree: &Path, words: &[String]) -> Result<()> {
    let mut forbidden: Vec<String> = MACHINE_PATHS.iter().map(|path| path.replace(' ', "")).collect();
    forbidden.extend(words.iter().map(|word| word.to_lowercase()));
    let mut found = 0;
    let files = files(tree)?;
    for path in &files {
        let octets = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let Ok(text) = String::from_utf8(octets) else { continue };
        for (number, line) in (1..).zip(text.lines()) {
            let lower = line.to_lowercase();
            if forbidden.iter().any(|word| lower.contains(&word.to_lowercase())) {
                println!("{}:{number}: {}", path.display(), line.trim());
                found += 1;
            }
        }
    }
    if found > 0 {
        bail!("{found} lines name a machine's path or a forbidden word");
    }
    println!("{} files: no path of a machine", files.len());
    Ok(())
}

/// Every file below `tree` but those of git and of cargo's output.
///
/// # Errors
///
/// When a directory cannot be read.
pub fn files(tree: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut left = vec![tree.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).with_context(|| format!("reading {}", directory.display()))? {
            let entry = entry?;
            let name = entry.file_name();
            if entry.file_type()?.is_dir() {
                let name = name.to_string_lossy();
                if !LEFT_OUT.contains(&name.as_ref()) && !name.starts_with("target-") {
                    left.push(entry.path());
                }
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_machines_path_and_a_word() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("target")).unwrap();
        fs::write(tree.path().join("target/x"), "/ro ot/secret".replace(' ', "")).unwrap();
        fs::write(tree.path().join("a.md"), "nothing\n").unwrap();
        assert!(check(tree.path(), &[]).is_ok());
        assert!(check(tree.path(), &["NOTHING".to_owned()]).is_err());
        fs::write(tree.path().join("b.md"), "see /ho me/me".replace(' ', "")).unwrap();
        assert!(check(tree.path(), &[]).is_err());
    }
}
