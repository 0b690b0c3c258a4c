//! Files for the tests of the program, and a place to run it in.
#![allow(dead_code, reason = "each test uses a part")]

pub(crate) mod sshd;

use flow_file::{Compression, FileFormat, FileTail, FileWriter, WriteOptions};
use flow_model::{CountRule, FlowBatch};
use flow_testkit::fixture;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Writes a file, and the directories above it, with a block for each batch.
pub(crate) fn write(path: &Path, ident: &str, format: FileFormat, batches: &[FlowBatch], tail: FileTail) {
    let options = WriteOptions {
        ident: ident.to_owned(),
        format,
        rule: CountRule::Collected,
        created_ms: fixture::BASE_MS,
    };
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer = FileWriter::create(path, options).unwrap();
    for batch in batches {
        writer.write(batch).unwrap();
    }
    writer.finish(tail).unwrap();
}

/// Writes a file of our format that is about its flows only.
pub(crate) fn write_flows(path: &Path, batches: &[FlowBatch]) {
    write(path, "border", Compression::Lz4.into(), batches, FileTail::default());
}

/// The file of a [`Fixture`].
pub(crate) const FILE: &str = "nfcapd.202311142210";

/// A directory with the 18 flows of the fixture in one file, and nothing else.
pub(crate) struct Fixture {
    pub(crate) dir: tempfile::TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Fixture {
        let dir = tempfile::tempdir().unwrap();
        write_flows(&dir.path().join(FILE), &[fixture::flows()]);
        Fixture { dir }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `rdump`, started in the directory, with nothing to read and nothing in the environment that it looks at.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rdump"));
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("TZ", "UTC")
            .env_remove("RDUMP_DIALECT")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn rdump(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// The same with a file as standard input.
    pub(crate) fn rdump_from(&self, stdin: &str, args: &[&str]) -> Output {
        let stdin = File::open(self.path(stdin)).unwrap();
        self.command(args).stdin(stdin).output().unwrap()
    }

    /// Standard output of a successful run that says nothing on stderr.
    pub(crate) fn stdout(&self, args: &[&str]) -> String {
        success(&self.rdump(args), args)
    }

    /// Exit code and stderr of a run that prints nothing on stdout.
    pub(crate) fn failure(&self, args: &[&str]) -> (Option<i32>, String) {
        let output = self.rdump(args);
        assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{args:?}");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }
}

/// Standard output of a run that succeeded and says nothing on stderr.
pub(crate) fn success(output: &Output, args: &[&str]) -> String {
    assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{args:?}");
    assert_eq!(output.status.code(), Some(0), "{args:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}
