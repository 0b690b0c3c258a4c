//! `rdump`: lists, filters, counts, aggregates and sorts flows.
#![forbid(unsafe_code)]

mod args;
mod destination;
mod dns;
mod files;
mod filter;
mod output;
mod plan;
mod query;

use crate::args::Args;
use crate::plan::Plan;
use flow_cli::{ExitCode, Messages, Quirk, parse, run, usage_error, version_text};
use std::ffi::OsString;
use std::io::{self, Write};

fn main() -> std::process::ExitCode {
    let messages = Messages::new("rdump");
    run(&messages, ExitCode::Failure, |messages| {
        let argv: Vec<OsString> = std::env::args_os().collect();
        match parse::<Args>(argv.iter().cloned(), &[Quirk::ValueAfterEquals('z')]) {
            Ok(args) if args.version => {
                let argv0 = argv.first().map(OsString::as_os_str).unwrap_or_default();
                writeln!(io::stdout().lock(), "{}", version_text(argv0, env!("CARGO_PKG_VERSION")))?;
                Ok(ExitCode::Success)
            }
            Ok(args) => query::answer(&Plan::new(args)?, messages),
            Err(error) => Ok(usage_error(messages, &error, ExitCode::Failure)),
        }
    })
    .into()
}
