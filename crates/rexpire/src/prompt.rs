//! The question before everything goes, asked only of a person at a terminal.

use std::io::{self, BufRead, Read, Write};

use flow_cli::Age;
use flow_retain::{Plan, Reason, Session};

use crate::report::local_time;

/// Nobody types a longer answer.
const MAX_ANSWER_BYTES: u64 = 1024;

/// Whether a plan deletes every file because of its age.
pub(crate) fn is_due(session: &Session, plan: &Plan) -> bool {
    plan.deletions.len() == session.inventory().files().len()
        && plan.deletions.last().is_some_and(|deletion| deletion.reason == Reason::Age)
}

/// Asks, and reads one line. Only `yes` is a yes.
pub(crate) fn confirmed(
    out: &mut impl Write,
    input: &mut impl BufRead,
    session: &Session,
    now_s: i64,
) -> io::Result<bool> {
    let record = session.record();
    let before_s = now_s.saturating_sub(i64::try_from(record.lifetime_s).unwrap_or(i64::MAX));
    writeln!(
        out,
        "Your max lifetime of {} will expire all file before {}",
        Age::from_seconds(record.lifetime_s),
        local_time(before_s)
    )?;
    writeln!(
        out,
        "Your latest files are dated {}. This means all files will be deleted!",
        local_time(record.last_s)
    )?;
    write!(out, "Are you sure? yes/[no] ")?;
    out.flush()?;
    let mut answer = Vec::new();
    input.take(MAX_ANSWER_BYTES).read_until(b'\n', &mut answer)?;
    Ok(answer.trim_ascii().eq_ignore_ascii_case(b"yes"))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use chrono::Utc;
    use flow_retain::{Access, LimitChange, RunLimits};
    use tempfile::TempDir;

    use super::*;

    fn session(base: &TempDir, limits: LimitChange) -> Session {
        for name in ["nfcapd.202311142200", "nfcapd.202311142205"] {
            fs::write(base.path().join(name), [7; 1000]).unwrap();
        }
        let mut session = Session::open(base.path(), Access::Look, &Utc, 1_700_000_400).unwrap();
        session.change_limits(&limits);
        session
    }

    #[test]
    fn only_an_age_that_takes_everything_asks() {
        let base = TempDir::new().unwrap();
        let due = |limits| {
            let mut session = session(&base, limits);
            let plan = session.plan(&RunLimits::default());
            is_due(&session, &plan)
        };
        assert!(due(LimitChange { max_age_s: Some(300), ..LimitChange::default() }));
        assert!(!due(LimitChange { max_age_s: Some(1100), ..LimitChange::default() }));
        assert!(!due(LimitChange { max_bytes: Some(1), ..LimitChange::default() }));
        assert!(!due(LimitChange::default()));
    }

    #[test]
    fn only_yes_is_yes() {
        let base = TempDir::new().unwrap();
        let session = session(&base, LimitChange { max_age_s: Some(300), ..LimitChange::default() });
        for (answer, expected) in [
            ("yes\n", true),
            ("YES\n", true),
            (" yes \n", true),
            ("y\n", false),
            ("yes please\n", false),
            ("", false),
        ] {
            let mut out = Vec::new();
            assert_eq!(
                confirmed(&mut out, &mut answer.as_bytes(), &session, 1_700_000_400).unwrap(),
                expected
            );
            let out = String::from_utf8(out).unwrap();
            assert!(
                out.starts_with("Your max lifetime of 300 = 5.0 min will expire all file before "),
                "{out}"
            );
            assert!(out.ends_with("\nAre you sure? yes/[no] "), "{out}");
        }
    }
}
