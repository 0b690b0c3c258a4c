//! What was meant.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use flow_cli::{Age, ByteSize};
use flow_retain::{LimitChange, MinFree};

use crate::args::Args;

/// The longest `-T`.
const MAX_RUNTIME_S: u64 = 3600;

/// One run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub(crate) action: Action,
    pub(crate) directory: PathBuf,
    pub(crate) limits: LimitChange,
    pub(crate) min_free: Option<MinFree>,
    /// Sub-directories and the most bytes of each.
    pub(crate) quotas: Vec<(PathBuf, u64)>,
    /// Until what age files with records of translation are kept, in seconds.
    pub(crate) keep_nat_s: Option<u64>,
    /// A unit that stood behind a blank and was taken for that of `-t`.
    pub(crate) separated_unit: Option<String>,
    pub(crate) runtime: Option<Duration>,
    /// Whether the directory is a profile of NfSen's.
    pub(crate) profile: bool,
    pub(crate) report: Report,
    pub(crate) dry_run: bool,
}

/// The form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    /// nfexpire's table.
    Table,
    /// `-Y`: a line that NfSen reads.
    Line,
    /// `--json`: an object, and nothing else.
    Json,
}

/// What to do with the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// `-e`
    Expire,
    /// `-l`
    List,
    /// `-L`
    ListCollector,
    /// `-r`
    Rescan,
    /// `-u`
    Update,
}

impl Action {
    /// Whether `-s`, `-t` and `-w` are heeded. Rescanning ignores them: Pandora FMS sends them, and nothing
    /// must be deleted that nfexpire would have kept.
    pub(crate) fn changes_limits(self) -> bool {
        matches!(self, Action::Expire | Action::Update)
    }
}

impl TryFrom<Args> for Job {
    type Error = anyhow::Error;

    fn try_from(args: Args) -> anyhow::Result<Self> {
        let modes = [
            (Action::Expire, args.expire),
            (Action::List, args.list),
            (Action::ListCollector, args.list_collector),
            (Action::Rescan, args.rescan),
            (Action::Update, args.update),
        ];
        let mut given = modes.into_iter().flat_map(|(action, directories)| {
            directories.into_iter().map(move |directory| (action, directory))
        });
        let Some((action, directory)) = given.next() else {
            bail!("nothing to do: specify -e, -l, -L, -r or -u with a directory");
        };
        ensure!(given.next().is_none(), "Only one option allowed out of -l -e -r -u");
        ensure!(
            !args.dry_run || action == Action::Expire,
            "-n shows what -e would do, and goes with it only"
        );
        let size = args.size.map(|text| text.parse::<ByteSize>()).transpose().context("-s")?;
        let separated_unit = args.age.as_deref().and_then(|age| separated_unit(age, &args.operands));
        let age = args.age.map(|age| age + separated_unit.as_deref().unwrap_or_default());
        let age = age.map(|text| text.parse::<Age>()).transpose().context("-t")?;
        let keep_nat = args.keep_nat.map(|text| text.parse::<Age>()).transpose().context("--keep-nat")?;
        let runtime_s = args.runtime.as_deref().map(leading_number);
        ensure!(
            runtime_s.flatten().is_none_or(|seconds| seconds <= MAX_RUNTIME_S),
            "-T: Runtime > 3600 (1h)"
        );
        Ok(Job {
            action,
            directory,
            limits: LimitChange {
                max_bytes: size.map(ByteSize::bytes),
                max_age_s: age.map(Age::seconds),
                low_water_percent: args.watermark.as_deref().map(watermark).transpose().context("-w")?,
            },
            runtime: runtime_s.flatten().filter(|seconds| *seconds > 0).map(Duration::from_secs),
            quotas: args
                .quota
                .iter()
                .map(|text| quota(text))
                .collect::<anyhow::Result<_>>()
                .context("--quota")?,
            keep_nat_s: keep_nat.map(Age::seconds),
            separated_unit,
            min_free: args.min_free.as_deref().map(min_free).transpose().context("--min-free")?,
            profile: args.profile,
            report: match (args.json, args.machine_readable) {
                (true, _) => Report::Json,
                (false, true) => Report::Line,
                (false, false) => Report::Table,
            },
            dry_run: args.dry_run,
        })
    }
}

/// The unit in `-t 3 d`, which consoles' manuals have. nfexpire sees 3 hours there; no unit is taken that means less.
fn separated_unit(age: &str, operands: &[OsString]) -> Option<String> {
    let is_number = !age.is_empty() && age.bytes().all(|octet| octet.is_ascii_digit());
    match operands {
        [unit] if is_number && ["H", "d", "w"].iter().any(|known| unit == known) => {
            unit.to_str().map(str::to_owned)
        }
        _ => None,
    }
}

/// A sub-directory and a size.
fn quota(text: &str) -> anyhow::Result<(PathBuf, u64)> {
    let (name, size) = text.rsplit_once('=').with_context(|| format!("'{text}' is not NAME=SIZE"))?;
    let path = Path::new(name);
    let is_below = |component| matches!(component, Component::Normal(_));
    ensure!(!name.is_empty() && path.components().all(is_below), "'{name}' is no name of a sub-directory");
    Ok((path.to_owned(), size.parse::<ByteSize>()?.bytes()))
}

/// A share of the file system or a size.
fn min_free(text: &str) -> anyhow::Result<MinFree> {
    let Some(percent) = text.strip_suffix('%') else {
        return Ok(MinFree::Bytes(text.parse::<ByteSize>()?.bytes()));
    };
    match percent.parse() {
        Ok(percent @ 0..=100) => Ok(MinFree::Percent(percent)),
        _ => bail!("'{text}' is no share from 0% to 100%"),
    }
}

/// nfexpire reads as C's atoi does: a text is 0, and 0 means 100.
fn watermark(text: &str) -> anyhow::Result<u8> {
    let percent = if text.starts_with('-') { None } else { leading_number(text) };
    match percent {
        Some(percent @ 0..=100) => Ok(percent as u8),
        _ => bail!("Water mark > 100%"),
    }
}

/// The number at the front of a text, 0 if there is none; nothing if it is too large.
fn leading_number(text: &str) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 { Some(0) } else { text[..digits].parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(line: &str) -> anyhow::Result<Job> {
        let argv = std::iter::once("rexpire").chain(line.split(' ').filter(|word| !word.is_empty()));
        Job::try_from(flow_cli::parse::<Args>(argv.map(OsString::from), &[])?)
    }

    fn error(line: &str) -> String {
        format!("{:#}", job(line).unwrap_err())
    }

    #[test]
    fn reads_what_callers_send() {
        let pandora = job("-u /data -t 5d -w 100").unwrap();
        assert_eq!((pandora.action, pandora.directory), (Action::Update, PathBuf::from("/data")));
        assert_eq!(
            pandora.limits,
            LimitChange { max_bytes: None, max_age_s: Some(432_000), low_water_percent: Some(100) }
        );
        let cron = job("-e /data -t 30d -s 50g").unwrap();
        assert_eq!(cron.limits.max_bytes, Some(50 << 30));
        assert_eq!(cron.limits.low_water_percent, None);
        let glued = job("-Yr/data stray -t5").unwrap();
        assert!(glued.report == Report::Line && glued.action == Action::Rescan);
        assert!(!glued.action.changes_limits());
    }

    #[test]
    fn exactly_one_action_is_allowed() {
        assert_eq!(error("-t 5d"), "nothing to do: specify -e, -l, -L, -r or -u with a directory");
        assert_eq!(error("-e a -r b"), "Only one option allowed out of -l -e -r -u");
        assert_eq!(error("-e a -e b"), "Only one option allowed out of -l -e -r -u");
        assert_eq!(error("-l a -n"), "-n shows what -e would do, and goes with it only");
    }

    #[test]
    fn wrong_limits_are_refused() {
        assert_eq!(error("-e a -s 5x"), "-s: Garbage character(s) 'x' in '5x'");
        assert_eq!(error("-e a -t -5"), "-t: Missing number before '-5'");
        assert_eq!(error("-e a -t 5h"), "-t: Unknown time unit '5h'");
        assert_eq!(error("-e a -w 101"), "-w: Water mark > 100%");
        assert_eq!(error("-e a -w -5"), "-w: Water mark > 100%");
        assert_eq!(error("-e a -T 3601"), "-T: Runtime > 3600 (1h)");
    }

    #[test]
    fn free_space_is_a_share_or_a_size() {
        let min_free = |text: &str| job(&format!("-e a --min-free {text}")).unwrap().min_free;
        assert_eq!(
            (min_free("10%"), min_free("5g")),
            (Some(MinFree::Percent(10)), Some(MinFree::Bytes(5 << 30)))
        );
        assert_eq!(error("-e a --min-free 101%"), "--min-free: '101%' is no share from 0% to 100%");
        assert_eq!(error("-e a --min-free x"), "--min-free: Missing number in 'x'");
        // From a configuration file they come with every action.
        assert!(job("-l a --min-free 1% --quota x=1 --keep-nat 1w").is_ok());
        assert_eq!(job("-e a").unwrap().min_free, None);
    }

    #[test]
    fn quotas_are_names_and_sizes() {
        let job = job("-e a --quota 192-0-2-1=1g --quota border/x=512").unwrap();
        let quotas: Vec<(&str, u64)> =
            job.quotas.iter().map(|(path, bytes)| (path.to_str().unwrap(), *bytes)).collect();
        assert_eq!(quotas, [("192-0-2-1", 1 << 30), ("border/x", 512)]);
        assert_eq!(error("-e a --quota x"), "--quota: 'x' is not NAME=SIZE");
        for name in ["", "/x", "../x", "."] {
            let expected = format!("--quota: '{name}' is no name of a sub-directory");
            assert_eq!(error(&format!("-e a --quota {name}=1")), expected);
        }
        assert_eq!(error("-e a --quota x=1q"), "--quota: Garbage character(s) 'q' in '1q'");
    }

    #[test]
    fn translations_are_kept_for_an_age() {
        assert_eq!(job("-e a --keep-nat 26w").unwrap().keep_nat_s, Some(26 * 7 * 86_400));
        assert_eq!(error("-e a --keep-nat 5h"), "--keep-nat: Unknown time unit '5h'");
    }

    #[test]
    fn a_unit_behind_a_blank_is_understood() {
        let age = |line: &str| {
            let job = job(line).unwrap();
            (job.limits.max_age_s, job.separated_unit)
        };
        assert_eq!(age("-e a -t 3 d"), (Some(3 * 86_400), Some("d".to_owned())));
        assert_eq!(age("-e a -t 3 w"), (Some(21 * 86_400), Some("w".to_owned())));
        assert_eq!(age("-t 3 H -e a"), (Some(3 * 3600), Some("H".to_owned())));
        // nfexpire keeps hours; whatever else stands there must not make it less.
        for line in ["-e a -t 3 M", "-e a -t 3 x", "-e a -t 3 d d", "-e a -t 3"] {
            assert_eq!(age(line), (Some(3 * 3600), None), "{line}");
        }
        assert_eq!(age("-e a -t 3d d"), (Some(3 * 86_400), None));
    }

    #[test]
    fn numbers_end_where_text_begins() {
        let percent = |text: &str| job(&format!("-e a -w {text}")).unwrap().limits.low_water_percent;
        assert_eq!(percent("50x"), Some(50));
        assert_eq!(percent("abc"), Some(0));
        assert_eq!(percent("5.5"), Some(5));
        assert_eq!(job("-e a -T 60").unwrap().runtime, Some(Duration::from_mins(1)));
        assert_eq!(job("-e a -T 0").unwrap().runtime, None);
    }
}
