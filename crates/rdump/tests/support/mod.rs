//! Files for the tests of the program.

use flow_file::{FileFormat, FileTail, FileWriter, WriteOptions};
use flow_model::{CountRule, FlowBatch};
use flow_testkit::fixture;
use std::fs;
use std::path::Path;

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
