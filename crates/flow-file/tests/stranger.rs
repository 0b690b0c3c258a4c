//! A reader that was written from `docs/format.md` alone reads what this crate writes.
//!
//! `testdata/tools/rdread.py` must list every flow of the shipped files and of files fresh from the writer. Where
//! there is no Python, the tests are reported as ignored; with `CI=true` they fail.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod json;

use common::{any_batch, full_batch, options, read, tail, write};
use flow_file::{Compression, FileWriter, FlowFile};
use flow_model::{Field, FlowBatch, Kind, field_info};
use flow_testkit::conditions;
use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use twox_hash::XxHash3_64;

fn main() -> ExitCode {
    let mut trials = vec![
        trial("the_checksum_is_the_same_for_every_length", checksums),
        trial("info_tells_what_was_written", info),
        trial("damage_is_named_and_the_rest_is_listed", damage),
        trial("the_shipped_files_hold_every_encoding", encodings),
        Trial::test("format_md_lists_the_catalogue", format_md),
    ];
    for path in shipped() {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        trials.push(trial(&format!("shipped::{name}"), move || {
            let file = FlowFile::open(&path)?;
            let batches: Vec<FlowBatch> = (0..file.block_count()).map(|block| read(&file, block)).collect();
            lists(&path, &batches)
        }));
    }
    for seed in 0..12_u64 {
        for compression in [Compression::Light, Compression::Lz4] {
            let name = format!("fresh::{}_{seed}", format!("{compression:?}").to_lowercase());
            trials.push(trial(&name, move || fresh(seed, compression)));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A trial that needs Python.
fn trial(name: &str, run: impl FnOnce() -> Result<(), Failed> + Send + 'static) -> Trial {
    conditions::trial(name, conditions::program("python3"), |_| run())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn shipped() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("testdata/files")).expect("testdata/files is there");
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|extension| extension == "flows")).collect();
    paths.sort();
    paths
}

/// Runs the reader and gives status, output and messages.
fn rdread(arguments: &[&std::ffi::OsStr]) -> (Option<i32>, String, String) {
    let tool = root().join("testdata/tools/rdread.py");
    let output = Command::new("python3").arg(tool).args(arguments).output().expect("python3 starts");
    let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The reader lists exactly these flows; for zstd it may say that it cannot.
fn lists(path: &Path, batches: &[FlowBatch]) -> Result<(), Failed> {
    match rdread(&[path.as_os_str()]) {
        (Some(0), flows, _) => Ok(json::compare(&flows, batches)?),
        (Some(3), _, messages) if messages.contains("zstd needs") => Ok(()),
        (status, _, messages) => Err(format!("status {status:?}: {messages}").into()),
    }
}

fn fresh(seed: u64, compression: Compression) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("file");
    let batches = match seed {
        0 => vec![],
        1 => vec![full_batch(seed, 90)],
        2 => vec![any_batch(seed, 2100)],
        _ => vec![any_batch(seed, 1), any_batch(seed + 100, 150)],
    };
    if seed % 3 == 2 {
        let mut writer = FileWriter::create(&path, options(compression))?;
        for batch in &batches {
            writer.write(batch)?;
        }
    } else {
        write(&path, compression, &batches);
    }
    lists(&path, &batches)
}

fn checksums() -> Result<(), Failed> {
    let data: Vec<u8> = (0..5000_u32).map(|i| ((i * i) >> 3) as u8).collect();
    let lens: Vec<usize> =
        (0..300).chain([511, 512, 513, 1023, 1024, 1025, 1088, 2048, 4999, 5000]).collect();
    let program = "import sys, json; sys.dont_write_bytecode = True; sys.path.insert(0, sys.argv[1]); \
                   import rdread; data = bytes((i * i >> 3) & 255 for i in range(5000)); \
                   print(json.dumps([rdread.xxh3(data[:n]) for n in json.loads(sys.argv[2])]))";
    let output = Command::new("python3")
        .args(["-c", program])
        .arg(root().join("testdata/tools"))
        .arg(serde_json::to_string(&lens)?)
        .output()?;
    let found: Vec<u64> = serde_json::from_slice(&output.stdout)?;
    let expected: Vec<u64> = lens.iter().map(|&len| XxHash3_64::oneshot(&data[..len])).collect();
    if found == expected { Ok(()) } else { Err("checksums differ".into()) }
}

fn info() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("file");
    write(&path, Compression::Lz4, &[full_batch(1, 50)]);
    let (_, told, messages) = rdread(&["--info".as_ref(), path.as_os_str()]);
    let told: Value = serde_json::from_str(&told).map_err(|error| format!("{error}: {messages}"))?;
    let file = FlowFile::open(&path)?;
    for (what, found, expected) in [
        ("ident", &told["header"]["ident"], Value::from("test")),
        ("created", &told["header"]["created_ms"], Value::from(file.created_ms())),
        ("finished", &told["finished"], Value::from(true)),
        ("flows", &told["totals"]["flows"], Value::from(50)),
        ("bytes", &told["totals"]["bytes"], Value::from(file.totals().bytes)),
        ("first", &told["totals"]["first_ms"], Value::from(file.totals().first_ms)),
        ("failures", &told["totals"]["sequence_failures"], Value::from(3)),
        ("ledger", &told["ledger"]["kernel_drops"], Value::from(5)),
        ("exporter", &told["exporters"][1]["addr"], Value::from("::1")),
        ("its ledger", &told["exporters"][0]["ledger"]["datagrams"], Value::from(10)),
        ("sampler", &told["samplers"][0]["id"], Value::from(-2)),
        ("space", &told["samplers"][0]["space"], Value::from(tail().samplers[0].space)),
        (
            "names",
            &Value::from(told["names"].as_array().map_or(0, Vec::len)),
            Value::from(tail().names.len()),
        ),
        ("name", &told["names"][12]["name"], Value::from("ApplicationDescription ü")),
        ("its kind", &told["names"][12]["kind"], Value::from(5)),
        ("its id", &told["names"][12]["id"], Value::from("0d000050")),
        ("exported", &told["exported"][0]["flows"], Value::from(90_000)),
        ("filters", &told["blocks"][0]["filters"], Value::from(vec![vec![4, 5], vec![61, 62]])),
    ] {
        if *found != expected {
            return Err(format!("{what} is {found}, expected {expected}").into());
        }
    }
    Ok(())
}

fn damage() -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("file");
    let batches = [full_batch(1, 20), full_batch(2, 20), full_batch(3, 20)];
    write(&path, Compression::Lz4, &batches);
    let (second, len) = {
        let file = FlowFile::open(&path)?;
        (file.block_offset(1), file.block_bytes(1))
    };
    let mut octets = fs::read(&path)?;
    octets[(second + len / 2) as usize] ^= 1;
    fs::write(&path, &octets)?;
    let (status, flows, messages) = rdread(&[path.as_os_str()]);
    if status != Some(1) || !messages.contains(&format!("block at byte {second}: ")) {
        return Err(format!("status {status:?}: {messages}").into());
    }
    Ok(json::compare(&flows, &[batches[0].clone(), batches[2].clone()])?)
}

fn encodings() -> Result<(), Failed> {
    let mut seen = std::collections::BTreeSet::new();
    for path in shipped() {
        let (_, told, messages) = rdread(&["--info".as_ref(), path.as_os_str()]);
        let told: Value = serde_json::from_str(&told).map_err(|error| format!("{error}: {messages}"))?;
        for block in told["blocks"].as_array().ok_or("no blocks")? {
            for (name, forms) in block["chunks"].as_object().ok_or("no chunks")? {
                let field = Field::ALL.iter().find(|&&field| field_info(field).name == name);
                let class = match field_info(*field.ok_or("unknown field")?).kind {
                    Kind::Ip => "address",
                    Kind::Bytes => "octets",
                    _ => "number",
                };
                seen.insert(format!("{class} {}", forms[0].as_str().unwrap_or_default()));
                seen.insert(forms[1].as_str().unwrap_or_default().to_owned());
            }
        }
    }
    for form in [
        "number constant",
        "number packed",
        "number delta",
        "number relative",
        "number dictionary",
        "address constant",
        "address dictionary",
        "octets constant",
        "octets dictionary",
        "octets strings",
        "none",
        "lz4",
        "zstd",
    ] {
        if !seen.contains(form) {
            return Err(format!("no shipped file has {form}: {seen:?}").into());
        }
    }
    Ok(())
}

fn format_md() -> Result<(), Failed> {
    let text = fs::read_to_string(root().join("docs/format.md"))?;
    let (_, table) =
        text.split_once("\n| number | name | kind |\n").ok_or("the table of fields is missing")?;
    let mut rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    for &field in Field::ALL {
        let info = field_info(field);
        let kind = format!("{:?}", info.kind).to_lowercase();
        let expected = format!("| {} | `{}` | {kind} |", field.id(), info.name);
        if rows.next() != Some(expected.as_str()) {
            return Err(format!("docs/format.md lacks the row {expected}").into());
        }
    }
    rows.next().map_or(Ok(()), |row| Err(format!("docs/format.md has one row too many: {row}").into()))
}
