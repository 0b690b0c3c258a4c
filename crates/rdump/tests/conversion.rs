//! The corpus of nfdump's files there and back: their layout, ours, nfdump's, ours. What a layout can hold is the same at the
//! end; what it cannot hold is counted, field by field, and said.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

use flow_file::{FileLayout, FlowFile};
use flow_model::{Field, FieldSet, Groups, ValueRef, field_info};
use flow_testkit::conditions::{corpus, trial};
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn main() {
    let trials = match corpus().and_then(|corpus| files(&corpus.join("nffiles"))) {
        Ok(files) => files
            .into_iter()
            .enumerate()
            .map(|(number, (name, path))| Trial::test(name, move || there_and_back(&path, number)))
            .collect(),
        Err(reason) => vec![trial::<()>("every_file", Err(reason), |()| Ok(()))],
    };
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}

/// The sound files of every release.
fn files(root: &Path) -> Result<Vec<(String, PathBuf)>, String> {
    let entries = |folder: &Path| -> Result<Vec<PathBuf>, String> {
        let unreadable = |error| format!("{}: {error}", folder.display());
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            paths.push(entry.map_err(unreadable)?.path());
        }
        paths.sort();
        Ok(paths)
    };
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut files = Vec::new();
    for folder in entries(root)?.into_iter().filter(|path| path.is_dir() && name(path).starts_with('v')) {
        let of_release =
            entries(&folder)?.into_iter().filter(|path| path.extension().is_some_and(|it| it == "nf"));
        files.extend(of_release.map(|path| (format!("{}/{}", name(&folder), name(&path)), path)));
    }
    if files.len() > 100 { Ok(files) } else { Err(format!("{} files in {}", files.len(), root.display())) }
}

const METHODS: [&str; 5] = ["none", "lzo", "lz4", "bz2", "zstd"];

/// `rdump -r FROM -w TO`; what it says on stderr, without the warning about zstd.
fn convert(from: &Path, to: &Path, args: &[&str]) -> Result<String, Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_rdump"))
        .arg("-r")
        .arg(from)
        .arg("-w")
        .arg(to)
        .args(args)
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() || !output.stdout.is_empty() {
        return Err(format!("{args:?}: {}: {said}", output.status).into());
    }
    Ok(said.lines().filter(|line| !line.contains("compressed with zstd")).collect())
}

fn there_and_back(theirs: &Path, number: usize) -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let place = |name: &str| directory.path().join(name);
    let ours = place("ours");
    let said = convert(theirs, &ours, &[])?;
    if !said.is_empty() {
        return Err(format!("our layout holds everything, but: {said}").into());
    }
    let original = Content::of(theirs);
    let first = Content::of(&ours);
    assert_eq!(FlowFile::open(&ours)?.layout(), FileLayout::Columnar);
    let changed = first.changed_since(&original, 0);
    if !changed.is_empty() || first.about != original.about {
        return Err(format!("into ours: {changed:?}, {}, was {}", first.about, original.about).into());
    }
    for (format, unknown) in [("nfdump", SINCE_1_7_2), ("nfdump-1.7.8", 0)] {
        let method = METHODS[number % METHODS.len()];
        let method = format!("-z={method}");
        let mut args = vec!["--file-format", format];
        if method != "-z=none" {
            args.push(&method);
        }
        let (nfdumps, again) = (place("nfdumps"), place("again"));
        let omitted = convert(&ours, &nfdumps, &args)?;
        assert_eq!(FlowFile::open(&nfdumps)?.layout(), FileLayout::Nfdump2);
        let said = convert(&nfdumps, &again, &[])?;
        if !said.is_empty() {
            return Err(format!("back into ours: {said}").into());
        }
        let last = Content::of(&again);
        let changed = last.changed_since(&first, unknown);
        let told = told(&omitted);
        if changed != told {
            return Err(format!("{format}: changed {changed:?}, told {told:?}: {omitted}").into());
        }
        if last.about != first.about {
            return Err(format!("{format}: {}, was {}", last.about, first.about).into());
        }
    }
    Ok(())
}

/// The fields that a message says are not held, and for how many flows.
fn told(message: &str) -> BTreeMap<String, usize> {
    let Some((_, list)) = message.split_once(" (") else { return BTreeMap::new() };
    let list = list.split_once(')').map_or(list, |(list, _)| list);
    list.split(", ")
        .map(|part| {
            let (field, count) = part.split_once(" of ").unwrap();
            (field.to_owned(), count.parse().unwrap())
        })
        .collect()
}

/// What is in a file.
struct Content {
    /// The values of each flow, and its groups.
    rows: Vec<(Vec<(Field, String)>, u64)>,
    /// Ident, exporters, samplers, names, and failures of sequence.
    about: String,
}

impl Content {
    fn of(path: &Path) -> Content {
        let file = FlowFile::open(path).unwrap();
        let mut rows = Vec::new();
        for number in 0..file.block_count() {
            let block = file.block(number).unwrap();
            let mut batch = block.to_batch(FieldSet::ALL).unwrap();
            block.renumber(&mut batch);
            rows.extend((0..batch.len()).map(|row| {
                let value = |field: Field| match batch.column(field).get(row) {
                    // One address of two that is nothing is nothing in either family.
                    ValueRef::Ip(addr) if addr.is_unspecified() => "no address".to_owned(),
                    value => format!("{value:?}"),
                };
                let fields = Field::ALL.iter().filter(|&&field| field != Field::Groups);
                (fields.map(|&field| (field, value(field))).collect(), alike(batch.groups(row)))
            }));
        }
        let exporters: Vec<_> = file
            .exporters()
            .iter()
            .map(|one| {
                let ledger = &one.ledger;
                let counts = (ledger.datagrams, ledger.flows, ledger.sequence_failures);
                (one.sysid, one.version, one.addr, one.domain, counts)
            })
            .collect();
        let about = format!(
            "ident {}, exporters {exporters:?}, samplers {:?}, names {:?}, {} failures",
            // Of a file that was never finished.
            if file.ident().is_empty() { "none" } else { file.ident() },
            file.samplers(),
            file.names(),
            file.totals().sequence_failures
        );
        Content { rows, about }
    }

    /// By field, the flows that have another value than they had. Whether they carry the groups in `unknown` does not matter.
    fn changed_since(&self, before: &Content, unknown: u64) -> BTreeMap<String, usize> {
        assert_eq!(self.rows.len(), before.rows.len(), "flows");
        let mut changed = BTreeMap::new();
        for ((now, groups), (then, groups_then)) in self.rows.iter().zip(&before.rows) {
            let mut count = |field: &str| *changed.entry(field.to_owned()).or_default() += 1;
            for ((field, _), _) in now.iter().zip(then).filter(|(now, then)| now != then) {
                count(field_info(*field).name);
            }
            if groups & !unknown != groups_then & !unknown {
                count("groups");
            }
        }
        changed
    }
}

/// The groups of a flow, without what the layouts say differently: nfdump's has the generic group always, one of both
/// tunnels, and none for a tag.
fn alike(mut groups: Groups) -> u64 {
    groups.insert(Groups::GENERIC);
    let tunnels = 1 << Groups::TUNNEL_V4 | 1 << Groups::TUNNEL_V6;
    if groups.0 & tunnels != 0 {
        groups.0 = groups.0 & !tunnels | 1 << Groups::TUNNEL_V4;
    }
    groups.0 &= !(1 << Groups::SECURITY_GROUP);
    groups.0
}

/// Elements that 1.7.1 does not know.
const SINCE_1_7_2: u64 = 1 << Groups::SAMPLER
    | 1 << Groups::FRAME_META
    | 1 << Groups::FRAME
    | 1 << Groups::LAYER2
    | 1 << Groups::FLOW_ID
    | 1 << Groups::NOKIA_NAT
    | 1 << Groups::NOKIA_NAT_STRING
    | 1 << Groups::IP_INFO;
