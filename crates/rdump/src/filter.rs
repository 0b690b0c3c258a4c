//! The filter of a plan, with what parsing it needs from outside.

use crate::plan::FilterSource;
use anyhow::{Context, anyhow};
use chrono::{DateTime, Local, LocalResult, Offset, TimeZone};
use flow_cli::{ExitCode, WithExitCode};
use flow_filter::{Filter, ParseOptions};
use std::fs;
use std::net::{IpAddr, ToSocketAddrs};

/// Reads and compiles the filter.
///
/// # Errors
/// When a file cannot be read, or the filter does not compile: nfdump's line, the place underlined below it, and
/// nfdump's exit code.
pub(crate) fn compile(source: &FilterSource) -> anyhow::Result<Filter> {
    let (text, file) = match source {
        FilterSource::Text(text) => (text.clone(), None),
        FilterSource::File(path) => {
            let text = fs::read(path).with_context(|| format!("reading filter file `{}`", path.display()))?;
            (String::from_utf8_lossy(&text).into_owned(), Some(path.to_string_lossy().into_owned()))
        }
    };
    let options = ParseOptions {
        file: file.as_deref(),
        resolve: Some(&addresses_of),
        include: Some(&|path| fs::read_to_string(path).map_err(|error| plain(&error))),
        local_ms: Some(&local_ms),
    };
    Filter::parse(&text, &options).or_else(|error| {
        let code = match error.exit_code() {
            254 => ExitCode::Filter,
            255 => ExitCode::Include,
            _ => ExitCode::Failure,
        };
        Err(anyhow!("filter: {error}\n{}", error.detail())).exit_with(code)
    })
}

/// Every address of a host name.
fn addresses_of(name: &str) -> Result<Vec<IpAddr>, String> {
    let found = (name, 0).to_socket_addrs().map_err(|error| plain(&error))?;
    Ok(found.map(|socket| socket.ip()).collect())
}

/// The system's reason without the number behind it.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// UTC of a time on the clock on the wall, both in ms since 1970. Of a time that occurs twice, the first; one that is
/// skipped counts on from the offset before.
fn local_ms(wall_ms: i64) -> i64 {
    let Some(wall) = DateTime::from_timestamp_millis(wall_ms) else { return wall_ms };
    let wall = wall.naive_utc();
    match Local.from_local_datetime(&wall) {
        LocalResult::Single(time) | LocalResult::Ambiguous(time, _) => time.timestamp_millis(),
        LocalResult::None => {
            let before = Local.offset_from_utc_datetime(&(wall - chrono::TimeDelta::days(1)));
            wall_ms - i64::from(before.fix().local_minus_utc()) * 1_000
        }
    }
}
