//! Every option of every program can be set in the configuration file, by the environment and on the command line, the later
//! one counts, and `--print-config` says where each value comes from.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

use std::path::Path;
use std::process::Command;
use xtask::programs::{NAMES, Programs};

/// What `--print-config` says of a program started like this.
fn effective(program: &Path, directory: &Path, args: &[&str], variable: Option<(&str, &str)>) -> String {
    let mut command = Command::new(program);
    command.args(args).arg("--print-config").current_dir(directory).env_clear().envs(variable);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

/// The value of a key and its origin.
fn setting<'a>(printed: &'a str, key: &str) -> Option<(&'a str, &'a str)> {
    let line = printed.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "))?;
    line.rsplit_once("  # ")
}

#[test]
fn every_option_from_every_place() {
    let programs = Programs::for_tests().unwrap();
    let directory = tempfile::tempdir().unwrap();
    for name in NAMES {
        let program = programs.path(name);
        let printed = |args: &[&str], variable: Option<(&str, &str)>| {
            effective(&program, directory.path(), args, variable)
        };
        let defaults = printed(&["-C", "none"], None);
        let keys: Vec<&str> = defaults
            .lines()
            .filter_map(|line| Some(line.strip_prefix("# ")?.split_once(": default.")?.0))
            .collect();
        assert!(keys.len() > 10, "{defaults}");
        for key in keys {
            let variable = format!("{}_{}", name.to_uppercase(), key.to_uppercase());
            let value = if key == "completions" { "bash" } else { "1" };
            let set = Some((variable.as_str(), value));
            let from_environment = printed(&["-C", "none"], set);
            let origin = format!("environment {variable}");
            let (value, found) = setting(&from_environment, key).unwrap_or_else(|| panic!("{variable}"));
            assert_eq!(found, origin, "{variable}");

            let file = format!("[{name}]\n{key} = {value}\n");
            std::fs::write(directory.path().join("c.toml"), file).unwrap();
            let from_file = printed(&["-C", "c.toml"], None);
            assert_eq!(setting(&from_file, key), Some((value, "c.toml:2")), "{name}: {key} in a file");
            let nearer = printed(&["-C", "c.toml"], set);
            assert_eq!(setting(&nearer, key), Some((value, origin.as_str())), "{name}: {key} twice");
            let mut option = format!("--{}", key.replace('_', "-"));
            if value != "true" {
                option = format!("{option}={}", value.trim_matches(['[', ']', '"']));
            }
            let typed = printed(&["-C", "c.toml", &option], set);
            assert_eq!(setting(&typed, key), Some((value, "option")), "{name}: {option}");
        }
    }
}
