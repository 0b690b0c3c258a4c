//! The filter of a plan, with what parsing it needs from outside.

use crate::dns::NameServer;
use crate::plan::FilterSource;
use anyhow::anyhow;
use chrono::{DateTime, Local, LocalResult, Offset, TimeZone};
use flow_cli::{ExitCode, WithExitCode};
use flow_filter::{Filter, FilterErrorKind, ParseOptions};
use flow_model::OwnNetworks;
use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// The longest file that is read as a filter, an include file or a list: enough for tens of millions of entries, and
/// an end where a device has none.
const MAX_FILE: u64 = 1 << 29;

/// How long the system may take to find a host.
const PATIENCE: Duration = Duration::from_secs(15);

/// Reads and compiles the filter, which may ask for countries and for own networks if they are known. Host names are looked up by `name_server` (`-D`), or by the system.
///
/// # Errors
/// When a file cannot be read, the name server is unknown, or the filter does not compile: nfdump's line, the place
/// underlined below it, and nfdump's exit code.
pub(crate) fn compile(
    source: &FilterSource,
    name_server: Option<&str>,
    countries: bool,
    networks: Option<&dyn OwnNetworks>,
) -> anyhow::Result<Filter> {
    let (text, file) = match source {
        FilterSource::Text(text) => (text.clone(), None),
        FilterSource::File(path) => {
            let text =
                read(path).map_err(|cause| anyhow!("reading filter file `{}`: {cause}", path.display()))?;
            (text, Some(path.to_string_lossy().into_owned()))
        }
    };
    let server = match name_server {
        Some(name) => {
            let found = NameServer::find(name);
            Some(found.map_err(|error| anyhow!("finding name server `{name}`: {}", plain(&error)))?)
        }
        None => None,
    };
    let resolve = |name: &str| match &server {
        Some(server) => server.addresses_of(name),
        None => addresses_of(name),
    };
    let options = ParseOptions {
        file: file.as_deref(),
        resolve: Some(&resolve),
        countries,
        networks,
        read: Some(&|path| read(Path::new(path))),
        local_ms: Some(&local_ms),
    };
    Filter::parse(&text, &options).or_else(|error| {
        let code = match error.exit_code() {
            254 => ExitCode::Filter,
            255 => ExitCode::Include,
            _ => ExitCode::Failure,
        };
        let hint = match error.kind() {
            FilterErrorKind::Networks => "\nhint: --networks FILE says which networks are your own",
            _ => "",
        };
        Err(anyhow!("filter: {error}\n{}{hint}", error.detail())).exit_with(code)
    })
}

/// A file's text; what is not UTF-8 is replaced, and refused by the filter unless it stands in a comment.
pub(crate) fn read(path: &Path) -> Result<String, String> {
    let mut octets = Vec::new();
    let file = File::open(path).map_err(|error| plain(&error))?;
    file.take(MAX_FILE + 1).read_to_end(&mut octets).map_err(|error| plain(&error))?;
    if octets.len() as u64 > MAX_FILE {
        return Err(format!("longer than {MAX_FILE} bytes"));
    }
    Ok(String::from_utf8(octets)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// Every address of a host name. The system's resolver takes as long as its configuration says, so another thread
/// waits for it; it is left behind if need be.
fn addresses_of(name: &str) -> Result<Vec<IpAddr>, String> {
    let (send, receive) = mpsc::channel();
    let host = name.to_owned();
    thread::spawn(move || {
        let found = (host.as_str(), 0).to_socket_addrs();
        let found = found.map(|found| found.map(|socket| socket.ip()).collect());
        // Nobody listens any more when it took too long.
        let _ = send.send(found.map_err(|error| plain(&error)));
    });
    receive.recv_timeout(PATIENCE).unwrap_or_else(|_| Err("no answer in time".to_owned()))
}

/// The system's reason without the number behind it.
pub(crate) fn plain(error: &std::io::Error) -> String {
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
