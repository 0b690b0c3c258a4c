//! What `-V` prints.

use std::ffi::OsStr;

/// The nfdump whose interface we speak. Old Pandora refuses patch numbers below 8, nfsen-ng 1 wants at least
/// 1.7.2, NfSen looks for `Version:` and two numbers: 1.7.8 pleases them all.
const INTERFACE: &str = "1.7.8";

/// The line of `-V`, without line end: `<argv0>: Version: 1.7.8 (rdump X.Y.Z)`. All three programs name the
/// toolkit, whose version is `version`.
pub fn version_text(argv0: &OsStr, version: &str) -> String {
    format!("{}: Version: {INTERFACE} (rdump {version})", argv0.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_program_as_it_was_called() {
        let text = version_text(OsStr::new("/usr/bin/nfdump"), "0.1.0");
        assert_eq!(text, "/usr/bin/nfdump: Version: 1.7.8 (rdump 0.1.0)");
    }
}
