//! The table of file selections (nfdump 1.7.1): each row once, on trees of empty files.

use std::fs::{create_dir_all, write};
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

const F10: &str = "nfcapd.202311142210";
const F15: &str = "nfcapd.202311142215";
const F20: &str = "nfcapd.202311142220";
const F25: &str = "nfcapd.202311142225";
const ALL: [&str; 4] = [F10, F15, F20, F25];

/// A directory in which `@` stands for its path.
struct Tree(TempDir);

impl Tree {
    /// `flat/` and `tree/2023/11/14/` with four files; `multi/srcA` with four and `multi/srcB` with two.
    fn new() -> Self {
        let tree = Tree(TempDir::new().unwrap());
        for name in ALL {
            tree.file(&format!("flat/{name}"));
            tree.file(&format!("tree/2023/11/14/{name}"));
            tree.file(&format!("multi/srcA/{name}"));
        }
        tree.file(&format!("multi/srcB/{F10}"));
        tree.file(&format!("multi/srcB/{F15}"));
        tree
    }

    fn file(&self, path: &str) {
        let path = self.0.path().join(path);
        create_dir_all(path.parent().unwrap()).unwrap();
        write(path, []).unwrap();
    }

    fn expand(&self, text: &str) -> OsString {
        text.replace('@', self.0.path().to_str().unwrap()).into()
    }

    fn resolve(&self, arguments: &[&str]) -> Result<FileSet, SelectionError> {
        let mut selection = FileSelection::default();
        for pair in arguments.chunks(2) {
            let value = self.expand(pair[1]);
            match pair[0] {
                "-r" => selection.single = Some(value),
                "-R" => selection.ranges.push(value),
                "-M" => selection.sources = Some(value),
                other => panic!("no such option {other}"),
            }
        }
        FileSet::resolve(&selection)
    }

    fn short(&self, text: &str) -> String {
        text.replace(self.0.path().to_str().unwrap(), "@")
    }

    /// Files below the tree, warnings apart.
    #[track_caller]
    fn files(&self, arguments: &[&str]) -> Vec<String> {
        let set = self.resolve(arguments).unwrap();
        assert_eq!(set.warnings, []);
        self.names(&set)
    }

    fn names(&self, set: &FileSet) -> Vec<String> {
        set.files
            .iter()
            .map(|path| path.strip_prefix(self.0.path()).unwrap().to_str().unwrap().to_owned())
            .collect()
    }

    fn warnings(&self, set: &FileSet) -> Vec<String> {
        set.warnings.iter().map(|warning| self.short(&warning.to_string())).collect()
    }

    #[track_caller]
    fn error(&self, arguments: &[&str]) -> String {
        self.short(&self.resolve(arguments).unwrap_err().to_string())
    }
}

fn below(directory: &str, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| format!("{directory}/{name}")).collect()
}

#[test]
fn a_directory_is_taken_with_everything_below() {
    let tree = Tree::new();
    for option in ["-r", "-R"] {
        assert_eq!(tree.files(&[option, "@/flat"]), below("flat", &ALL));
        assert_eq!(tree.files(&[option, "@/flat/"]), below("flat", &ALL));
        assert_eq!(tree.files(&[option, "@//tree/./"]), below("tree/2023/11/14", &ALL));
    }
}

#[test]
fn one_file_is_one_file() {
    let tree = Tree::new();
    assert_eq!(tree.files(&["-r", &format!("@/flat/{F15}")]), below("flat", &[F15]));
    // What was named is taken whatever its name is.
    tree.file("flat/x.pcap");
    assert_eq!(tree.files(&["-r", "@/flat/x.pcap"]), below("flat", &["x.pcap"]));
}

#[test]
fn a_range_lies_in_one_directory() {
    let tree = Tree::new();
    let range = |text: &str| tree.files(&["-R", &format!("@/flat/{text}")]);
    assert_eq!(range(F15), below("flat", &ALL[1..]));
    assert_eq!(range(&format!("{F15}:{F20}")), below("flat", &ALL[1..3]));
    assert_eq!(range(&format!("{F15}:nfcapd.202311142299")), below("flat", &ALL[1..]));
    assert_eq!(range(&format!("{F15}:{F15}")), below("flat", &[F15]));
    // Deeper files are no part of it (nfdump 1.7.1 stops there, D-13).
    tree.file(&format!("flat/nfcapd.202311142216/{F25}"));
    assert_eq!(range(F15), below("flat", &ALL[1..]));
}

#[test]
fn a_range_may_cross_a_hierarchy() {
    let tree = Tree::new();
    for (day, time) in [(13, "2355"), (14, "0000"), (15, "0000"), (15, "0005"), (16, "0000")] {
        tree.file(&format!("days/2023/11/{day}/nfcapd.202311{day}{time}"));
    }
    tree.file("days/2023/12/01/nfcapd.202312010000");
    tree.file("days/2023/11/nfcapd.202311150000");
    tree.file("days/2023/11/15/deeper/nfcapd.202311150000");
    let range = |last: &str| tree.files(&["-R", &format!("@/days/2023/11/14/nfcapd.202311140000:{last}")]);
    let expected = [
        "days/2023/11/14/nfcapd.202311140000",
        "days/2023/11/15/nfcapd.202311150000",
        "days/2023/11/15/nfcapd.202311150005",
        "days/2023/11/16/nfcapd.202311160000",
        "days/2023/12/01/nfcapd.202312010000",
    ];
    assert_eq!(range("2023/11/15/nfcapd.202311150000"), expected[..2]);
    assert_eq!(range("15/nfcapd.202311150000"), expected[..2]);
    assert_eq!(range("11/15/nfcapd.202311150009"), expected[..3]);
    assert_eq!(range("2023/12/01/nfcapd.202312010000"), expected);
    assert_eq!(range("2023/12/02/missing"), expected);
    // A bare name: found in a standard layout, or else meant in the same directory.
    assert_eq!(range("nfcapd.202311150005"), expected[..3]);
    assert_eq!(range("nfcapd.202312010000"), expected);
    assert_eq!(range("nfcapd.202312020000"), expected[..1]);
}

#[test]
fn every_standard_layout_is_found() {
    let zone = chrono::FixedOffset::east_opt(0).unwrap();
    let names: Vec<SlotName> =
        (0..3).map(|hour| SlotName::new(1_704_063_600 + hour * 3600, 300, &zone).unwrap()).collect();
    for layout in SubDir::ALL {
        let tree = Tree::new();
        let paths: Vec<String> =
            names.iter().map(|name| format!("s/{}", name.path(layout).display())).collect();
        for path in &paths {
            tree.file(path);
        }
        // The layouts with the week number begin with the year anew.
        let (first, last) = (&names[0], &names[1]);
        let plain = tree.files(&["-R", &format!("@/{}:{last}", paths[0])]);
        assert_eq!(plain, paths[..2], "{layout:?}");
        assert_eq!(tree.files(&["-M", "@/s", "-R", &format!("{first}:{last}")]), paths[..2], "{layout:?}");
        assert_eq!(tree.files(&["-M", "@/s", "-R", &first.to_string()]), paths, "{layout:?}");
        assert_eq!(tree.files(&["-M", "@/s", "-r", &last.to_string()]), paths[1..2], "{layout:?}");
    }
}

#[test]
fn sources_share_a_file_name() {
    let tree = Tree::new();
    let both = [below("multi/srcA", &[F10]), below("multi/srcB", &[F10])].concat();
    assert_eq!(tree.files(&["-M", "@/multi/srcA:srcB", "-r", F10]), both);
    let reversed: Vec<_> = both.iter().rev().cloned().collect();
    assert_eq!(tree.files(&["-M", "@/multi/srcB:srcA", "-r", F10]), reversed);
    assert_eq!(tree.files(&["-M", "@/multi//srcA/:srcB/", "-r", &format!("./{F10}")]), both);

    let set = tree.resolve(&["-M", "@/multi/srcA:srcB", "-r", F20]).unwrap();
    assert_eq!(tree.names(&set), below("multi/srcA", &[F20]));
    assert_eq!(tree.warnings(&set), [format!("stat() error '@/multi/srcB/{F20}': File not found!")]);

    let set = tree.resolve(&["-M", "@/tree", "-r", "2023"]).unwrap();
    assert_eq!(
        (tree.names(&set), tree.warnings(&set)),
        (vec![], vec!["Skip non file entry: '@/tree/2023'".into()])
    );
}

#[test]
fn sources_share_a_range() {
    let tree = Tree::new();
    let range = |range: &str| tree.files(&["-M", "@/multi/srcA:srcB", "-R", range]);
    let all = [below("multi/srcA", &ALL), below("multi/srcB", &ALL[..2])].concat();
    assert_eq!(range("."), all);
    assert_eq!(range("./"), all);
    assert_eq!(range(F10), all);
    assert_eq!(range(&format!("{F10}:{F25}")), all);
    assert_eq!(
        range(&format!("{F15}:{F20}")),
        [below("multi/srcA", &ALL[1..3]), below("multi/srcB", &[F15])].concat()
    );
    assert_eq!(range(&format!("{F20}:nfcapd.202311142299")), below("multi/srcA", &ALL[2..]));
    // Sources in order of their names.
    assert_eq!(tree.files(&["-M", "@/multi/srcB:srcA", "-R", F10]), all);
    assert_eq!(tree.files(&["-M", "@/multi/srcA", "-R", "."]), below("multi/srcA", &ALL));
    assert_eq!(tree.files(&["-M", "@/multi/srcA::srcB:", "-R", "."]), all);
}

#[test]
fn a_range_below_sources_may_name_directories() {
    let tree = Tree::new();
    let range = |range: &str| tree.files(&["-M", "@/tree", "-R", range]);
    assert_eq!(range(&format!("2023/11/14/{F15}:2023/11/14/{F20}")), below("tree/2023/11/14", &ALL[1..3]));
    assert_eq!(range(&format!("2023/11/14/{F15}")), below("tree/2023/11/14", &ALL[1..]));
    assert_eq!(range(&format!("{F15}:nfcapd.202311142222")), below("tree/2023/11/14", &ALL[1..3]));
}

#[test]
fn several_ranges_add_up_without_duplicates() {
    let tree = Tree::new();
    let (a, b) = (format!("@/multi/srcB/{F10}:{F15}"), format!("@/flat/{F10}:{F15}"));
    let both = [below("multi/srcB", &ALL[..2]), below("flat", &ALL[..2])].concat();
    assert_eq!(tree.files(&["-R", &a, "-R", &b]), both);
    assert_eq!(tree.files(&["-R", &b, "-R", "@/flat", "-R", "@/./flat"]), below("flat", &ALL));
    symlink(tree.expand("@/flat"), tree.expand("@/other")).unwrap();
    assert_eq!(tree.files(&["-R", "@/flat", "-R", "@/other"]), below("flat", &ALL));
    assert_eq!(tree.files(&["-M", "@/multi/srcA", "-R", F20, "-R", "."]).len(), 4);
}

#[test]
fn one_of_several_ranges_may_fail() {
    let tree = Tree::new();
    let set = tree.resolve(&["-R", "@/nowhere", "-R", "@/flat"]).unwrap();
    assert_eq!(tree.names(&set), below("flat", &ALL));
    assert_eq!(tree.warnings(&set), ["stat() error '@/nowhere': No such file or directory"]);
    let error = tree.error(&["-R", "@/nowhere", "-R", "@/neither"]);
    assert_eq!(error, "stat() error '@/nowhere': No such file or directory");
}

#[test]
fn walks_go_by_name_and_follow_links_but_not_in_circles() {
    let tree = Tree::new();
    for path in
        ["w/b/2", "w/a", "w/c", "w/b.x", "w/b/1", "w/nfcapd.current.77", "w/.nfstat", "w/B", "w/\u{e9}"]
    {
        tree.file(path);
    }
    symlink(tree.expand("@/w"), tree.expand("@/w/b/circle")).unwrap();
    symlink(tree.expand("@/flat"), tree.expand("@/w/bb")).unwrap();
    symlink(tree.expand("@/nowhere"), tree.expand("@/w/broken")).unwrap();
    let linked = below("w/bb", &ALL);
    let mut expected: Vec<String> = ["w/B", "w/a", "w/b/1", "w/b/2", "w/b.x"].map(String::from).to_vec();
    expected.extend(linked);
    expected.extend(["w/c", "w/\u{e9}"].map(String::from));
    assert_eq!(tree.files(&["-R", "@/w"]), expected);
}

#[test]
fn a_wrong_way_round_is_an_empty_set() {
    let tree = Tree::new();
    let empty = |arguments: &[&str]| {
        let set = tree.resolve(arguments).unwrap();
        assert_eq!(tree.names(&set), Vec::<String>::new());
        tree.warnings(&set)
    };
    let end = "Empty file list. No files to process";
    let warning = format!("WARNING: File '{F20}' > '{F15}'. Will not match anything!");
    assert_eq!(empty(&["-R", &format!("@/flat/{F20}:{F15}")]), [&warning, end]);
    assert_eq!(empty(&["-M", "@/multi/srcA:srcB", "-R", &format!("{F20}:{F15}")]), [&warning, end]);
    assert_eq!(
        empty(&["-R", &format!("@/tree/2023/11/14/{F20}:2023/10/15/zz")]),
        [
            "WARNING: Entry '2023/11' > '2023/10'. Will not match anything!",
            "WARNING: Entry '2023/11/14' > '2023/10/15'. Will not match anything!",
            end
        ]
    );
}

#[test]
fn the_list_of_sources_ends_at_the_first_that_is_none() {
    let tree = Tree::new();
    let set = tree.resolve(&["-M", "@/multi/srcB:missing:srcA", "-R", "."]).unwrap();
    assert_eq!(tree.names(&set), below("multi/srcB", &ALL[..2]));
    assert_eq!(
        tree.warnings(&set),
        ["path does not exist: @/multi/missing\nNot a directory: '@/multi/missing'"]
    );
    let file = format!("@/multi/srcA:srcB/{F10}");
    let set = tree.resolve(&["-M", &file, "-R", "."]).unwrap();
    assert_eq!(
        tree.warnings(&set),
        [format!("not a directory: @/multi/srcB/{F10}\nNot a directory: '@/multi/srcB/{F10}'")]
    );
    let error = tree.resolve(&["-M", "@/multi/missing:srcA", "-R", "."]).unwrap_err();
    assert!(!error.is_argument_error());
    assert_eq!(
        tree.short(&error.to_string()),
        "path does not exist: @/multi/missing\nNot a directory: '@/multi/missing'"
    );
}

#[test]
fn errors_speak_as_nfdump_does() {
    let tree = Tree::new();
    let range = |range: &str| tree.error(&["-R", range]);
    assert_eq!(
        range("@/flat/nfcapd.1:nfcapd.2"),
        "stat() error '@/flat/nfcapd.1': No such file or directory"
    );
    assert_eq!(range(&format!("@/flat/{F10}:")), "Missing last file option after ':'!");
    assert_eq!(range("a:b:c"), "Multiple file separators ':' in path not allowed!");
    assert_eq!(
        range(&format!("@/flat/{F10}:/tmp/{F15}")),
        "Last file name in -R list must not start with '/'"
    );
    assert_eq!(range(&format!("@/flat:{F15}")), "Not a file: '@/flat'");
    assert_eq!(range("/dev/null"), "Not a file or directory: '/dev/null'");
    let deep = "a/".repeat(200);
    assert_eq!(
        range(&format!("@/flat/{F10}:{deep}{F15}")),
        "Number of sub dirs for sub level hierarchy for file list -R do not match"
    );
    let sources = |option: &str, value: &str| tree.error(&["-M", "@/tree", option, value]);
    assert_eq!(
        sources("-R", "/abs"),
        "File list -R must not start with '/' when combined with a source list -M"
    );
    assert_eq!(sources("-r", "/abs"), "File -r must not start with '/', when combined with a source list -M");
    assert_eq!(sources("-R", "missing"), "stat() error '@/tree/missing': File not found!");
    assert_eq!(sources("-R", "2023/11/14"), "Not a file : '@/tree/2023/11/14'");
    assert_eq!(sources("-R", &format!("{F10}:zz")), "'zz': File not found!");
    assert_eq!(
        sources("-R", &format!("2023/11/14/{F10}:11/14/{F15}")),
        format!("Number of sub dirs must agree in '2023/11/14/{F10}' and '11/14/{F15}'")
    );
}

#[test]
fn argument_errors_are_told_apart() {
    let tree = Tree::new();
    for (arguments, expected) in [
        (vec![], "no input: specify -r, -R or -M"),
        (
            vec!["-M", "@/tree"],
            "-M needs either -r or -R to specify the file or file list. Add '-R .' for all files in the directories.",
        ),
        (
            vec!["-r", "@/flat", "-R", "@/flat"],
            "-r and -R are mutually exclusive. Please specify either -r or -R",
        ),
        (vec!["-r", "@/nowhere"], "@/nowhere is not a file or directory"),
        (vec!["-r", "/dev/null"], "/dev/null is not a file or directory"),
    ] {
        let error = tree.resolve(&arguments).unwrap_err();
        assert!(error.is_argument_error(), "{error}");
        assert_eq!(tree.short(&error.to_string()), expected);
    }
}

#[test]
fn names_need_not_be_text() {
    use std::os::unix::ffi::OsStringExt;
    let tree = Tree::new();
    let directory = tree.0.path().join(OsString::from_vec(b"b\xffd".to_vec()));
    create_dir_all(&directory).unwrap();
    write(directory.join(OsString::from_vec(b"f\xfe".to_vec())), []).unwrap();
    let selection = FileSelection { ranges: vec![directory.into()], ..FileSelection::default() };
    assert_eq!(FileSet::resolve(&selection).unwrap().files.len(), 1);
}
