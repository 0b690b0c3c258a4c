//! The page that Prometheus reads, over HTTP on a TCP or a Unix socket.
//!
//! One connection is served at a time, and only for a moment: whoever asks can delay others who ask, and nothing else.

use std::fmt::{self, Write as _};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flow_model::LossLedger;
use flow_wire::Limits;

use crate::board::Board;
use crate::counters::Counters;
use crate::log::Log;

/// How long a connection may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The longest request.
const MAX_REQUEST_LEN: usize = 8 << 10;

/// After an error of accepting, so that it does not keep a processor busy.
const PAUSE: Duration = Duration::from_millis(200);

/// Where the page is to be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricsAddress {
    /// TCP.
    Tcp(SocketAddr),
    /// A socket in the file system.
    Unix(PathBuf),
}

/// Why the page cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("--metrics {address}: {source}")]
pub struct MetricsError {
    /// Where it should have been.
    pub address: MetricsAddress,
    /// What the system says.
    pub source: io::Error,
}

impl MetricsAddress {
    /// `ADDR:PORT`, or the path of a socket, with a `/` in it.
    pub fn parse(text: &str) -> Option<MetricsAddress> {
        if text.contains('/') {
            return Some(MetricsAddress::Unix(text.into()));
        }
        text.to_socket_addrs().ok()?.next().map(MetricsAddress::Tcp)
    }
}

impl fmt::Display for MetricsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MetricsAddress::Tcp(address) => address.fmt(f),
            MetricsAddress::Unix(path) => path.display().fmt(f),
        }
    }
}

/// What is known besides counters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// Every bound and its value.
    pub(crate) limits: Vec<(String, u64)>,
    /// By port, the receive buffer asked for and granted, in octets.
    pub(crate) buffers: Vec<(u16, usize, usize)>,
}

impl Facts {
    /// The decoder's bounds, and others.
    pub(crate) fn new(limits: &Limits, others: &[(&str, u64)], buffers: Vec<(u16, usize, usize)>) -> Facts {
        let decoder = Limits::list().iter().map(|info| (info.option_name(), info.value(limits)));
        let others = others.iter().map(|&(name, value)| (name.to_owned(), value));
        Facts { limits: decoder.chain(others).collect(), buffers }
    }
}

/// A socket on which the page is asked for.
#[derive(Debug)]
pub(crate) enum MetricsServer {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// What the page is made of.
pub(crate) struct Page {
    pub(crate) counters: Arc<Counters>,
    pub(crate) board: Arc<Board>,
    pub(crate) facts: Facts,
}

impl MetricsServer {
    /// Opens the socket. A Unix socket that nobody listens at any more is replaced.
    pub(crate) fn open(address: &MetricsAddress) -> Result<MetricsServer, MetricsError> {
        let opened = match address {
            MetricsAddress::Tcp(address) => TcpListener::bind(address).map(MetricsServer::Tcp),
            MetricsAddress::Unix(path) => bind_unix(path).map(MetricsServer::Unix),
        };
        opened.map_err(|source| MetricsError { address: address.clone(), source })
    }

    /// Serves for ever.
    pub(crate) fn run(&self, page: &Page, log: &Log) {
        let mut has_complained = false;
        loop {
            let served = match self {
                MetricsServer::Tcp(listener) => listener.accept().and_then(|(stream, _)| {
                    serve(stream, page, |stream, left| {
                        stream.set_read_timeout(Some(left))?;
                        stream.set_write_timeout(Some(left))
                    })
                }),
                MetricsServer::Unix(listener) => listener.accept().and_then(|(stream, _)| {
                    serve(stream, page, |stream, left| {
                        stream.set_read_timeout(Some(left))?;
                        stream.set_write_timeout(Some(left))
                    })
                }),
            };
            if let Err(error) = served {
                if !std::mem::replace(&mut has_complained, true) {
                    log.error(format_args!("Metrics: {error}; further errors are not logged"));
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    let is_stale = path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket())
        && UnixStream::connect(path).is_err();
    if is_stale {
        std::fs::remove_file(path)?;
    }
    UnixListener::bind(path)
}

/// Reads a request and answers it (RFC 9112, as much as is needed).
fn serve<S: Read + Write>(
    mut stream: S,
    page: &Page,
    set_timeout: impl Fn(&S, Duration) -> io::Result<()>,
) -> io::Result<()> {
    let until = Instant::now() + PATIENCE;
    let left = || until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
    let mut request = Vec::new();
    let mut octets = [0; 1024];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        set_timeout(&stream, left())?;
        let len = stream.read(&mut octets)?;
        request.extend_from_slice(&octets[..len]);
        if len == 0 || request.len() > MAX_REQUEST_LEN || Instant::now() > until {
            return Ok(());
        }
    }
    let line = request.split(|&octet| octet == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let mut words = line.split(' ');
    let (status, body) = match (words.next(), words.next()) {
        (Some("GET"), Some("/" | "/metrics")) => ("200 OK", page.to_string()),
        (Some("GET"), _) => ("404 Not Found", "the page is /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "only GET is understood\n".to_owned()),
    };
    let header = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    for part in [header.as_bytes(), body.as_bytes()].iter().flat_map(|text| text.chunks(16 << 10)) {
        if Instant::now() > until {
            return Ok(());
        }
        set_timeout(&stream, left())?;
        stream.write_all(part)?;
    }
    stream.flush()
}

/// A column of a ledger: its name, its meaning, its value.
type LedgerColumn = (&'static str, &'static str, fn(&LossLedger) -> u64);

const LEDGER: [LedgerColumn; 9] = [
    ("datagrams", "Datagrams received.", |ledger| ledger.datagrams),
    ("flows", "Flows stored.", |ledger| ledger.flows),
    ("sequence_failures", "Discontinuities in sequence numbers.", |ledger| ledger.sequence_failures),
    ("missed", "Missing by sequence: flows of v5 and IPFIX, datagrams of v9 and sFlow.", |ledger| {
        ledger.missed
    }),
    ("kernel_drops", "Datagrams dropped by the kernel.", |ledger| ledger.kernel_drops),
    ("queue_drops", "Datagrams dropped by a full queue.", |ledger| ledger.queue_drops),
    ("no_template", "Data sets whose template was not known.", |ledger| ledger.no_template),
    ("malformed", "Messages, sets or records that could not be decoded.", |ledger| ledger.malformed),
    ("refused", "State or datagrams refused because of a limit.", |ledger| ledger.refused),
];

impl fmt::Display for Page {
    /// Prometheus' text format, version 0.0.4.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, help, value) in self.counters.all() {
            // The number of sources only grows, but is no count of events.
            let (kind, suffix) = if name == "sources" { ("gauge", "") } else { ("counter", "_total") };
            let name = format!("rcapd_{name}{suffix}");
            write!(f, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n")?;
        }
        let sources = self.board.all();
        for (column, help, value) in LEDGER {
            let name = format!("rcapd_source_{column}_total");
            write!(f, "# HELP {name} {help}\n# TYPE {name} counter\n")?;
            for source in &sources {
                writeln!(f, "{name}{{ident=\"{}\"}} {}", escaped(&source.ident), value(&source.total))?;
            }
        }
        for (column, help, value) in LEDGER {
            let name = format!("rcapd_exporter_{column}_total");
            write!(f, "# HELP {name} {help}\n# TYPE {name} counter\n")?;
            for source in &sources {
                let ident = escaped(&source.ident);
                for ((addr, domain, version), ledger) in &source.exporters {
                    writeln!(
                        f,
                        "{name}{{ident=\"{ident}\",exporter=\"{addr}\",domain=\"{domain}\",version=\"{version}\"}} {}",
                        value(ledger)
                    )?;
                }
            }
        }
        let name = "rcapd_limit";
        write!(f, "# HELP {name} Bounds, as `rcapd --limit list` explains them.\n# TYPE {name} gauge\n")?;
        for (limit, value) in &self.facts.limits {
            writeln!(f, "{name}{{name=\"{limit}\"}} {value}")?;
        }
        let name = "rcapd_receive_buffer_octets";
        write!(f, "# HELP {name} Receive buffers of the sockets.\n# TYPE {name} gauge\n")?;
        for (port, requested, granted) in &self.facts.buffers {
            writeln!(f, "{name}{{port=\"{port}\",what=\"requested\"}} {requested}")?;
            writeln!(f, "{name}{{port=\"{port}\",what=\"granted\"}} {granted}")?;
        }
        Ok(())
    }
}

/// A label's value.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '"' => escaped.extend(['\\', character]),
            '\n' => escaped.push_str("\\n"),
            // Anything else stands for itself.
            _ => {
                // Writing to a string cannot fail.
                let _ = escaped.write_char(character);
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::SourceLedger;
    use crate::counters::count;
    use flow_model::ExporterInfo;
    use std::net::TcpStream;
    use std::thread;

    fn page() -> Page {
        let counters = Arc::new(Counters::default());
        count(&counters.datagrams, 7);
        let board = Arc::new(Board::default());
        let mut ledger = SourceLedger { ident: "a\"b\\".to_owned(), ..SourceLedger::default() };
        ledger.add(&[ExporterInfo {
            sysid: 1,
            addr: "192.0.2.1".parse().unwrap(),
            domain: 5,
            version: 9,
            ledger: LossLedger { flows: 3, missed: 2, ..LossLedger::default() },
        }]);
        board.put(2, ledger);
        let facts = Facts::new(&Limits::default(), &[("sources", 10)], vec![(9995, 100, 50)]);
        Page { counters, board, facts }
    }

    #[test]
    fn the_page_has_every_counter_and_every_bound() {
        let text = page().to_string();
        for line in [
            "rcapd_datagrams_total 7",
            "rcapd_lost_flows_total 0",
            "# TYPE rcapd_sources gauge",
            "rcapd_source_missed_total{ident=\"a\\\"b\\\\\"} 2",
            "rcapd_exporter_flows_total{ident=\"a\\\"b\\\\\",exporter=\"192.0.2.1\",domain=\"5\",version=\"9\"} 3",
            "rcapd_limit{name=\"sources\"} 10",
            "rcapd_receive_buffer_octets{port=\"9995\",what=\"granted\"} 50",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        for info in Limits::list() {
            assert!(
                text.contains(&format!("rcapd_limit{{name=\"{}\"}}", info.option_name())),
                "{}",
                info.name
            );
        }
        // One type line for each name, and no line without one before it.
        let mut types = std::collections::BTreeSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                assert!(types.insert(rest.split(' ').next().unwrap()), "{line}");
            } else if !line.starts_with('#') {
                assert!(types.contains(line.split(['{', ' ']).next().unwrap()), "{line}");
            }
        }
    }

    fn ask(mut stream: impl Read + Write, request: &str) -> String {
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn questions_are_answered_and_nobody_keeps_it_busy() {
        let server = MetricsServer::open(&MetricsAddress::parse("127.0.0.1:0").unwrap()).unwrap();
        let MetricsServer::Tcp(listener) = &server else { panic!("not TCP") };
        let address = listener.local_addr().unwrap();
        thread::spawn(move || server.run(&page(), &Log::to_memory()));
        // One that says nothing is given up.
        let silent = TcpStream::connect(address).unwrap();
        let answer = ask(TcpStream::connect(address).unwrap(), "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
        let (header, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(header.starts_with("HTTP/1.1 200 OK\r\n"), "{header}");
        assert!(header.contains(&format!("Content-Length: {}\r\n", body.len())), "{header}");
        assert_eq!(body, page().to_string());
        drop(silent);
        for (request, status) in [("GET /x HTTP/1.1\r\n\r\n", "404"), ("POST / HTTP/1.1\r\n\r\n", "405")] {
            let answer = ask(TcpStream::connect(address).unwrap(), request);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        }
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_living_one_and_files_stay() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let address = MetricsAddress::parse(path.to_str().unwrap()).unwrap();
        drop(MetricsServer::open(&address).unwrap());
        assert!(path.exists());
        let server = MetricsServer::open(&address).unwrap();
        let error = MetricsServer::open(&address).unwrap_err();
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse, "{error}");
        drop(server);
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "a file").unwrap();
        assert!(MetricsServer::open(&address).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file");
    }
}
