//! Reports on standard output: what a capture tells about its exporters, the limits there are, and the machine's state.

use std::io::{self, ErrorKind, Write};

use flow_cli::{Emphasis, ExitCode, Paint};
use flow_collect::{
    CaptureError, DEFAULT_MAX_SOURCES, DecoderOptions, Finding, Input, Limits, Listen, Severity, Tunnels,
    examine, explain,
};

use crate::MESSAGES;
use crate::args::Args;
use crate::plan::{Bounds, Plan, SOURCES_LIMIT, bounds, sampling};

/// `--explain FILE`.
pub(crate) fn explain_capture(args: &Args) -> ExitCode {
    let Some(path) = &args.explain else { return ExitCode::Failure };
    let options = bounds(&args.limits).and_then(|Bounds { limits, .. }| {
        let (default_sampling, override_sampling) = sampling(args.sampling.as_deref())?;
        let tunnels = if args.tunnels { Tunnels::Opened } else { Tunnels::Closed };
        Ok(DecoderOptions { default_sampling, override_sampling, tunnels, limits })
    });
    let options = match options {
        Ok(options) => options,
        Err(error) => {
            MESSAGES.raw(&error);
            return ExitCode::Failure;
        }
    };
    match explain(path, options) {
        Ok(explanation) => {
            let code = print(&explanation.to_string());
            match &explanation.failure {
                Some(failure) => {
                    MESSAGES.line(failure);
                    ExitCode::Failure
                }
                None => code,
            }
        }
        Err(error) => {
            MESSAGES.line(&error);
            match error {
                CaptureError::Open { .. } | CaptureError::NotRegular { .. } => ExitCode::Filter,
                _ => ExitCode::Failure,
            }
        }
    }
}

/// `--limit list`.
pub(crate) fn list_limits() -> ExitCode {
    let line = |name: &str, default: u64, doc: &str| format!("{name}={default}\n   {doc}\n");
    let mut lines: String =
        Limits::list().iter().map(|info| line(&info.option_name(), info.default, info.doc)).collect();
    lines.push_str(&line(SOURCES_LIMIT.0, DEFAULT_MAX_SOURCES as u64, SOURCES_LIMIT.1));
    print(&lines)
}

/// `--doctor`.
pub(crate) fn examine_machine(plan: &Plan) -> ExitCode {
    let addresses: &[Listen] = match &plan.input {
        Input::Listen(addresses) => addresses,
        Input::Capture(_) => &[],
    };
    let findings = examine(&plan.collector, addresses);
    let paint = Paint::on(&io::stdout());
    let lines: Vec<String> = findings.iter().map(|finding| painted(finding, paint)).collect();
    match print(&format!("{}\n", lines.join("\n"))) {
        ExitCode::Success if findings.iter().any(|finding| finding.severity == Severity::Trouble) => {
            ExitCode::Failure
        }
        code => code,
    }
}

/// A finding of which the first word, its severity, is emphasised.
fn painted(finding: &Finding, paint: Paint) -> String {
    let emphasis = match finding.severity {
        Severity::Fine => Emphasis::Good,
        Severity::Doubt => Emphasis::Doubtful,
        Severity::Trouble => Emphasis::Bad,
    };
    let text = finding.to_string();
    let (severity, rest) = text.split_at(text.find(' ').unwrap_or(0));
    paint.text(emphasis, severity) + rest
}

/// A reader that has seen enough is no failure.
fn print(text: &str) -> ExitCode {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => ExitCode::Success,
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::Success,
        Err(error) => {
            MESSAGES.line(&format_args!("writing to stdout: {error}"));
            ExitCode::Failure
        }
    }
}
