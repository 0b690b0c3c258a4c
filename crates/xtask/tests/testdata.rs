//! Shipped test data: every file is accounted for.

use std::fs;
use std::path::Path;

use xtask::programs::root;
use xtask::words::files;

/// A file is named when the README of its own directory, the index, or a source file names it: by its name and, but
/// for the README beside it, the directory it lies in.
#[test]
fn no_file_of_the_test_data_is_an_orphan() {
    let root = root();
    let data = root.join("testdata");
    let all = files(&data).unwrap();
    assert!(all.len() > 10, "testdata holds {} files", all.len());
    let mut texts: Vec<String> = Vec::new();
    for tree in ["crates", "benches", "testdata"] {
        for file in files(&root.join(tree)).unwrap() {
            let name = file.file_name().unwrap_or_default();
            if name == "README.md"
                || file.extension().is_some_and(|extension| extension == "rs" || extension == "py")
            {
                texts.push(fs::read_to_string(&file).unwrap());
            }
        }
    }
    let mut orphans = Vec::new();
    for file in &all {
        let below = file.strip_prefix(&data).unwrap();
        let directory = below.parent().unwrap_or(Path::new(""));
        let name = below.file_name().unwrap().to_str().unwrap();
        let indexed =
            directory.as_os_str().is_empty() || texts.iter().any(|t| t.contains(directory.to_str().unwrap()));
        let beside = fs::read_to_string(file.with_file_name("README.md")).unwrap_or_default();
        let named = name == "README.md"
            || beside.contains(name)
            || texts.iter().any(|text| text.contains(below.to_str().unwrap()));
        if !indexed || !named {
            orphans.push(below.to_owned());
        }
    }
    assert!(orphans.is_empty(), "name these in testdata/README.md or in a README beside them: {orphans:?}");
}

/// A capture is described by where it comes from.
#[test]
fn every_capture_names_its_origin() {
    for file in files(&root().join("testdata/pcap")).unwrap() {
        if file.extension().is_some_and(|extension| extension == "pcap") {
            let readme = fs::read_to_string(file.with_file_name("README.md")).unwrap();
            assert!(readme.contains("\nOrigin: "), "{}", file.display());
        }
    }
}
