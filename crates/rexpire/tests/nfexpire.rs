//! rexpire beside the real nfexpire 1.7: the same directories, the same arguments, the same result.
//!
//! Each case makes one random directory twice, lets one program work on each, and compares what is left, the
//! output and `.nfstat`. Where nfexpire is not installed the cases are reported as ignored; with `CI=true`
//! they fail. What each deleted is printed as a table at the end, and kept in `tmp/deletions.txt` of cargo's target directory.
#![expect(clippy::print_stdout, reason = "the table is for whoever runs the tests")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::Local;
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use flow_file::{SlotName, SubDir};
use flow_testkit::conditions::{program, trial};
use libtest_mimic::{Arguments, Failed, Trial};
use tempfile::TempDir;

/// Layouts whose paths sort as their times do. nfexpire deletes in the order of paths, we in that of times.
const LAYOUTS: [SubDir; 7] = [
    SubDir::Flat,
    SubDir::Day,
    SubDir::DayHour,
    SubDir::YearDay,
    SubDir::YearDayHour,
    SubDir::IsoDate,
    SubDir::IsoDateHour,
];
const DIRECTORIES: u64 = 40;
const PROFILES: u64 = 6;

fn main() -> std::io::Result<ExitCode> {
    let nfexpire = || program("nfexpire");
    let deletions = Arc::new(Mutex::new(BTreeMap::new()));
    let mut trials: Vec<Trial> = Vec::new();
    for seed in 0..DIRECTORIES {
        let deletions = Arc::clone(&deletions);
        trials.push(trial(format!("expires_as_nfexpire_{seed:02}"), nfexpire(), move |_| {
            let row = expires(seed)?;
            deletions.lock().map_err(|_| "a test has failed")?.insert(seed, row);
            Ok(())
        }));
    }
    trials.extend((0..PROFILES).map(|seed| {
        trial(format!("expires_a_profile_as_nfexpire_{seed}"), nfexpire(), move |_| profile(seed))
    }));
    trials.push(trial("takes_turns_with_nfexpire", nfexpire(), |_| takes_turns()));
    trials.push(trial("refuses_what_nfexpire_refuses", nfexpire(), |_| refuses()));
    let conclusion = libtest_mimic::run(&Arguments::from_args(), trials);
    if let Ok(deletions) = deletions.lock()
        && !deletions.is_empty()
    {
        let mut table = Table::new();
        table.load_style(NOTHING).set_header([
            "directory",
            "layout",
            "limits",
            "files",
            "nfexpire",
            "rexpire",
            "left",
        ]);
        for (seed, Row { layout, limits, files, theirs, ours, left }) in &*deletions {
            let cells = [seed.to_string(), format!("{layout:?}"), limits.clone()];
            let numbers = [files, theirs, ours, left].map(usize::to_string);
            table.add_row(cells.into_iter().chain(numbers));
        }
        let table = table.trim_fmt();
        println!("\nfiles deleted, of copies of the same directories:\n{table}");
        fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("deletions.txt"), table + "\n")?;
    }
    Ok(conclusion.exit_code())
}

/// What became of one directory.
struct Row {
    layout: SubDir,
    limits: String,
    files: usize,
    theirs: usize,
    ours: usize,
    left: usize,
}

/// One directory, expired once with limits that bite more or less, then once more with the stored ones.
fn expires(seed: u64) -> Result<Row, Failed> {
    let mut random = Random(seed);
    let layout = LAYOUTS[random.below(LAYOUTS.len() as u64) as usize];
    let pair = Pair::new(&mut random, layout);
    let limits = pair.limits(&mut random);
    let limits: Vec<&str> = limits.iter().map(String::as_str).collect();
    let (ours, theirs) = (slots(&pair.ours)?, slots(&pair.theirs)?);
    pair.compare(&[&["-e"], limits.as_slice()].concat())?;
    pair.compare(&["-e"])?;
    pair.compare(&["-l"])?;
    let left = slots(&pair.ours)?;
    Ok(Row {
        layout,
        limits: limits.join(" "),
        files: ours,
        theirs: theirs - slots(&pair.theirs)?,
        ours: ours - left,
        left,
    })
}

/// How many finished files there are.
fn slots(directory: &TempDir) -> Result<usize, Failed> {
    let is_slot = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.and_then(SlotName::parse).is_some() && !path.starts_with("archive")
    };
    Ok(tree(directory.path())?.iter().filter(|path| is_slot(path)).count())
}

/// A profile of three channels as NfSen has it expired.
fn profile(seed: u64) -> Result<(), Failed> {
    let mut random = Random(1_000 + seed);
    let now_s = now_s();
    let mut files = BTreeMap::new();
    let (mut ages_s, mut total_bytes) = (Vec::new(), 0);
    for slot in 1..60 {
        // Which of two files of one time goes first is not said.
        for (channel, minute) in [("north", 0), ("south", 1), ("2west", 2)] {
            let age_s = slot * 300 + minute * 60 + now_s % 300;
            let name = SlotName::new(now_s - age_s, 300, &Local).ok_or("a time")?;
            // No channel is without files: the times in nfexpire's line are those of the run then.
            if slot == 1 || random.below(4) > 0 {
                files.insert(Path::new(channel).join(name.path(SubDir::Day)), vec![7; 3000]);
                ages_s.push(age_s);
                total_bytes += 4096;
            }
        }
    }
    ages_s.sort_by_key(|&age_s| std::cmp::Reverse(age_s));
    let pair = Pair::of(&files, ages_s, total_bytes);
    let limits = pair.limits(&mut random);
    let limits: Vec<&str> = limits.iter().map(String::as_str).collect();
    for arguments in
        [&["-Y", "-p", "-r"][..], &[&["-Y", "-p", "-e"], limits.as_slice()].concat(), &["-Y", "-p", "-l"]]
    {
        let (ours, theirs) = pair.run(arguments)?;
        // nfexpire goes through the channels as the file system lists them.
        let said = |output: &Output, directory: &TempDir| {
            let text = stdout(output, directory.path());
            let lines = text.lines().filter(|line| !line.starts_with("Scanning files in D/"));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        let (ours, theirs) = (said(&ours, &pair.ours), said(&theirs, &pair.theirs));
        if ours != theirs {
            return Err(format!("{arguments:?}: {ours:#?}\nby nfexpire\n{theirs:#?}").into());
        }
        for channel in ["north", "south", "2west"] {
            let stat =
                |directory: &TempDir| fs::read_to_string(directory.path().join(channel).join(".nfstat"));
            let (ours, theirs) = (stat(&pair.ours)?, stat(&pair.theirs)?);
            if ours != theirs {
                return Err(format!("{arguments:?}: {channel}\n{ours}\nby nfexpire\n{theirs}").into());
            }
        }
    }
    Ok(())
}

/// Every mode of one program after the other, with each seeing what the other one stored.
fn takes_turns() -> Result<(), Failed> {
    // All slots and limits here are multiples of 30 s: no file must reach a limit between two programs.
    while now_s() % 30 > 20 {
        std::thread::sleep(Duration::from_secs(1));
    }
    let mut random = Random(4711);
    let pair = Pair::new(&mut random, SubDir::Day);
    pair.compare(&["-l"])?;
    pair.compare(&["-u", "-t", "6H", "-s", "1g", "-w", "0"])?;
    // From here on each program works where the other one did.
    let pair = pair.swapped();
    pair.compare(&["-l"])?;
    pair.compare(&["-Y", "-r", "-t", "1H"])?;
    pair.compare(&["-e"])?;
    let pair = pair.swapped();
    pair.compare(&["-Y", "-e", "-t", "3", "-w", "50"])?;
    pair.compare(&["-r"])?;
    pair.compare(&["-u", "-s", "0", "-t", "0"])?;
    pair.compare(&["-e"])?;
    let pair = pair.swapped();
    fs::remove_file(pair.ours.path().join(".nfstat"))?;
    fs::remove_file(pair.theirs.path().join(".nfstat"))?;
    pair.compare(&["-e"])?;
    // Everything goes; the times in the output are then those of the run.
    pair.compare_files(&["-e", "-t", "1M"])
}

/// Wrong arguments end with the same exit code and leave the directory alone.
fn refuses() -> Result<(), Failed> {
    let mut random = Random(1);
    let pair = Pair::new(&mut random, SubDir::Flat);
    for arguments in [
        ["-e", "-s", "5x"],
        ["-e", "-s", "-5"],
        ["-e", "-t", "5h"],
        ["-e", "-t", " 2H"],
        ["-e", "-w", "101"],
        ["-e", "-T", "3601"],
        ["-Q", "-e", "-e"],
    ] {
        pair.compare_files(&arguments)?;
    }
    Ok(())
}

/// The same directory twice.
struct Pair {
    ours: TempDir,
    theirs: TempDir,
    /// Ages of the files in seconds at the time the directories were made.
    ages_s: Vec<i64>,
    total_bytes: u64,
}

impl Pair {
    fn new(random: &mut Random, layout: SubDir) -> Self {
        let now_s = now_s();
        let interval_s = [300, 60, 900, 3600, 30][random.below(5) as usize];
        let slots = 1 + random.below(120).cast_signed();
        let newest = now_s / interval_s - random.below(3).cast_signed();
        let mut files = BTreeMap::new();
        let mut ages_s = Vec::new();
        let mut total_bytes = 0;
        for slot in newest - slots..newest {
            let (missing, len) = (random.below(10) == 0, random.below(20_000) as usize);
            let Some(name) = SlotName::new(slot * interval_s, interval_s as u32, &Local) else { continue };
            if missing {
                continue;
            }
            files.insert(name.path(layout), vec![7; len]);
            ages_s.push(now_s - slot * interval_s);
            total_bytes += len.div_ceil(4096) as u64 * 4096;
        }
        for foreign in ["nfcapd.current.77", "notes.txt", "archive/nfcapd.201001010000", "7/keep"] {
            if random.below(2) == 0 {
                files.insert(PathBuf::from(foreign), vec![7; 5000]);
            }
        }
        Pair::of(&files, ages_s, total_bytes)
    }

    /// These files, twice.
    fn of(files: &BTreeMap<PathBuf, Vec<u8>>, ages_s: Vec<i64>, total_bytes: u64) -> Pair {
        let make = || {
            let directory = TempDir::new().expect("a temporary directory");
            for (path, content) in files {
                let path = directory.path().join(path);
                fs::create_dir_all(path.parent().expect("a file in a directory")).expect("a directory");
                fs::write(path, content).expect("a file");
            }
            directory
        };
        Pair { ours: make(), theirs: make(), ages_s, total_bytes }
    }

    fn swapped(self) -> Self {
        Pair { ours: self.theirs, theirs: self.ours, ..self }
    }

    /// `-s`, `-t` and `-w`, at random, such that no file is about to become too old while this runs.
    fn limits(&self, random: &mut Random) -> Vec<String> {
        loop {
            let percent = [100, 95, 50, 77][random.below(4) as usize];
            let mut limits = vec!["-w".to_owned(), percent.to_string()];
            if random.below(3) > 0 {
                let size = self.total_bytes * (1 + random.below(12)) / 10;
                limits.extend(["-s".to_owned(), size.to_string()]);
            }
            if random.below(3) > 0 {
                let oldest_s = self.ages_s.first().copied().unwrap_or(60).max(600);
                let minutes = 1 + random.below(oldest_s as u64 / 50);
                let steady =
                    |limit_s: i64| self.ages_s.iter().all(|age_s| !(-60..5).contains(&(age_s - limit_s)));
                let limit_s = minutes.cast_signed() * 60;
                if !steady(limit_s) || !steady(limit_s * percent / 100) {
                    continue;
                }
                limits.extend(["-t".to_owned(), format!("{minutes}M")]);
            }
            return limits;
        }
    }

    /// Runs both programs; what is left must be equal, and the output and `.nfstat` unless nothing is left.
    fn compare(&self, arguments: &[&str]) -> Result<(), Failed> {
        let (ours, theirs) = self.run(arguments)?;
        let printed = stdout(&theirs, self.theirs.path());
        let empty = printed.contains("Numfiles:  0\n") || printed.contains("Stat|0|");
        if !empty && stdout(&ours, self.ours.path()) != stdout(&theirs, self.theirs.path()) {
            return Err(format!(
                "{arguments:?}: output differs\n--- ours\n{}\n--- nfexpire\n{}",
                stdout(&ours, self.ours.path()),
                stdout(&theirs, self.theirs.path())
            )
            .into());
        }
        let stat = |directory: &TempDir| fs::read_to_string(directory.path().join(".nfstat"));
        let (ours, theirs) = (stat(&self.ours)?, stat(&self.theirs)?);
        if !empty && ours != theirs {
            return Err(
                format!("{arguments:?}: .nfstat differs\n--- ours\n{ours}\n--- nfexpire\n{theirs}").into()
            );
        }
        Ok(())
    }

    /// Runs both programs and compares only exit code and what is left.
    fn compare_files(&self, arguments: &[&str]) -> Result<(), Failed> {
        self.run(arguments).map(drop)
    }

    fn run(&self, arguments: &[&str]) -> Result<(Output, Output), Failed> {
        let run = |program: &str, directory: &TempDir| {
            let mut command = Command::new(program);
            // The mode takes the directory; it stands first or behind -Y or -Q.
            let mut placed = false;
            for argument in arguments {
                command.arg(argument);
                if ["-e", "-l", "-r", "-u"].contains(argument) && !placed {
                    command.arg(directory.path());
                    placed = true;
                }
            }
            command.stdin(Stdio::null()).output()
        };
        let ours = run(env!("CARGO_BIN_EXE_rexpire"), &self.ours)?;
        let theirs = run("nfexpire", &self.theirs)?;
        if ours.status.code() != theirs.status.code() {
            return Err(format!("{arguments:?}: exit {:?}, nfexpire {:?}", ours.status, theirs.status).into());
        }
        let (left, expected) = (tree(self.ours.path())?, tree(self.theirs.path())?);
        if left != expected {
            return Err(format!("{arguments:?}: left\n{left:#?}\nby nfexpire\n{expected:#?}").into());
        }
        Ok((ours, theirs))
    }
}

/// What a program printed, the directory called D.
fn stdout(output: &Output, directory: &Path) -> String {
    String::from_utf8_lossy(&output.stdout).replace(&directory.display().to_string(), "D")
}

/// Every file and directory below a directory, in order.
fn tree(directory: &Path) -> Result<Vec<PathBuf>, Failed> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(&path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            }
            let path = entry.path();
            let relative = path.strip_prefix(directory).map_err(|error| error.to_string())?.to_owned();
            if relative != Path::new(".nfstat") {
                found.push(relative);
            }
        }
    }
    found.sort();
    Ok(found)
}

#[expect(clippy::disallowed_methods, reason = "nfexpire compares file names with the clock")]
fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs().cast_signed()
}

/// A generator of numbers that need only look random (constants of Knuth's MMIX).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
