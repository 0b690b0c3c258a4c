//! rcapd: collects NetFlow, IPFIX and sFlow into files. Successor of nfcapd and sfcapd.
#![forbid(unsafe_code)]

mod args;
mod explain;
mod plan;
mod source;

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use args::Args;
use flow_cli::{Configuration, Configured, ExitCode, Messages, Quirk, configured, usage_error, version_text};
use flow_collect::{
    CaptureError, Collector, Detached, Input, ListenError, Log, PidFileError, Readiness, RepeatError,
    StartError, detach,
};
use plan::{NETFLOW_PORT, Plan, PlanError, SFLOW_PORT};

const MESSAGES: Messages = Messages::new("rcapd");

fn main() -> process::ExitCode {
    let argv: Vec<OsString> = std::env::args_os().collect();
    let argv0 = argv.first().cloned().unwrap_or_else(|| "rcapd".into());
    let code = match configured::<Args>(argv, &quirks()) {
        Ok(read) if read.args.version => print_version(&argv0),
        Ok(read) if read.args.more_extensions.as_deref() == Some("") => print_extensions(),
        Ok(read) if read.args.describe.is_asked_for() => print_description(&read.args),
        Ok(read) if read.args.limits.iter().any(|setting| setting == "list") => explain::list_limits(),
        Ok(read) if read.args.explain.is_some() => explain::explain_capture(&read.args),
        Ok(read) => collect(read, &program_name(&argv0)),
        Err(error) => usage_error(&MESSAGES, &error, ExitCode::Failure),
    };
    code.into()
}

/// Where nfcapd departs from getopt, and its two generations from each other.
fn quirks() -> [Quirk<'static>; 4] {
    [
        Quirk::AlignOrDirectory { option: 'w', others: &['l', 'n', 'M'], is_directory: &Path::is_dir },
        Quirk::ValueIfDigit('v', 4),
        Quirk::ValueAfterEquals('z'),
        Quirk::MulticastGroup { flag: 'j', group: 'J' },
    ]
}

#[expect(clippy::print_stdout, reason = "-V prints on stdout")]
fn print_version(argv0: &OsStr) -> ExitCode {
    println!("{}", version_text(argv0, env!("CARGO_PKG_VERSION")));
    ExitCode::Success
}

/// nfcapd 1.6 has a list of extensions to choose from.
#[expect(clippy::print_stdout, reason = "-X prints on stdout")]
fn print_extensions() -> ExitCode {
    println!("All extensions are stored; there is none to choose.");
    ExitCode::Success
}

fn print_description(args: &Args) -> ExitCode {
    match args.describe.print::<Args>() {
        Ok(()) => ExitCode::Success,
        Err(error) => {
            MESSAGES.error(&error.into());
            ExitCode::Failure
        }
    }
}

/// The name to log under: whatever we are called as.
fn program_name(argv0: &OsStr) -> String {
    Path::new(argv0).file_name().unwrap_or(argv0).to_string_lossy().into_owned()
}

fn collect(read: Configured<Args>, program: &str) -> ExitCode {
    let Configured { args, configuration } = read;
    // Every port takes every protocol; called as sfcapd, only the one we listen on by ourselves is another.
    let default_port = if program == "sfcapd" { SFLOW_PORT } else { NETFLOW_PORT };
    let plan = match Plan::new(args, default_port, now_ms) {
        Ok(plan) => plan,
        Err(error) if let Some(origin) = origin_of_refusal(&configuration, default_port) => {
            MESSAGES.line(&format_args!("{origin}: {error}"));
            return ExitCode::Failure;
        }
        Err(error @ (PlanError::Refused(_) | PlanError::PidFile(PidFileError::Directory(_)))) => {
            MESSAGES.raw(&error);
            return ExitCode::Failure;
        }
        Err(error) => {
            MESSAGES.line(&error);
            return ExitCode::Failure;
        }
    };
    for note in &plan.notes {
        MESSAGES.line(note);
    }
    if plan.doctor {
        return explain::examine_machine(&plan);
    }
    let log = Arc::new(Log::to_stderr(program));
    match start(plan, &log) {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            exit_code(&error)
        }
    }
}

/// The setting of the configuration without which the arguments would make a plan.
fn origin_of_refusal(configuration: &Configuration, default_port: &str) -> Option<String> {
    configuration.blame(|args: Args| Plan::new(args, default_port, now_ms).is_err())
}

/// Prepares in the foreground, where mistakes can be seen, and runs.
fn start(plan: Plan, log: &Arc<Log>) -> Result<ExitCode, StartError> {
    let system = |action| move |source| StartError::System { action, source };
    let is_capture = matches!(plan.input, Input::Capture(_));
    let collector = Collector::prepare(plan.collector, &plan.input, Arc::clone(log))?;
    let readiness = if plan.daemon {
        match detach().map_err(system("become a daemon"))? {
            Detached::Parent { daemon_is_ready: true } => return Ok(ExitCode::Success),
            Detached::Parent { daemon_is_ready: false } => return Ok(ExitCode::Failure),
            Detached::Daemon(readiness) => {
                log.switch_to_syslog(process::id());
                Some(readiness)
            }
        }
    } else {
        None
    };
    let pid_file = plan.pid_file.map(|place| place.create(process::id())).transpose();
    // Removed when it goes out of scope, whatever happens.
    let _pid_file = match pid_file {
        Ok(pid_file) => pid_file,
        Err(error) => {
            MESSAGES.line(&error);
            return Ok(ExitCode::Failure);
        }
    };
    let outcome = collector.run(|| readiness.map_or(Ok(()), Readiness::announce))?;
    // A daemon that was told to end has ended well; what it lost on the way is in its log. A capture can be read again.
    let failed = if is_capture { !outcome.is_complete() } else { outcome.input_failed };
    Ok(if failed { ExitCode::Failure } else { ExitCode::Success })
}

/// In nfcapd's words where it has some.
fn report(error: &StartError) {
    match error {
        StartError::Listen(_) => {
            MESSAGES.raw(error);
            MESSAGES.raw(&"Terminated due to errors");
        }
        StartError::Spool(flow_collect::SpoolError::Busy { .. })
        | StartError::Repeat(RepeatError::Resolve(_)) => MESSAGES.raw(error),
        _ => MESSAGES.line(error),
    }
    if let StartError::Listen(ListenError::Bind("Permission denied")) = error {
        MESSAGES.hint(&"ports below 1024 need privileges");
    }
}

fn exit_code(error: &StartError) -> ExitCode {
    match error {
        // 254 is what nfcapd says about a capture that is no file.
        StartError::Capture(CaptureError::Open { .. } | CaptureError::NotRegular { .. }) => ExitCode::Filter,
        _ => ExitCode::Failure,
    }
}

#[expect(clippy::disallowed_methods, reason = "the program's edge is where the clock is read")]
fn now_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}
