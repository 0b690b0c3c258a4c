//! `rdump`: lists, filters, counts, aggregates and sorts flows.
#![forbid(unsafe_code)]

mod args;
mod bins;
mod destination;
mod dialect;
mod dns;
mod files;
mod filter;
mod html;
mod input;
mod interrupt;
mod live;
mod loss;
mod memory;
mod networks;
mod output;
mod picture;
mod plan;
mod progress;
mod query;
mod scratch;

use crate::args::Args;
use crate::dialect::Dialect;
use crate::plan::Plan;
use flow_cli::{
    Configured, ExitCode, Messages, Quirk, WithExitCode, configured, run, usage_error, version_text,
};
use std::ffi::OsString;
use std::io::{self, Write};

fn main() -> std::process::ExitCode {
    let messages = Messages::new("rdump");
    run(&messages, ExitCode::Failure, |messages| {
        let argv: Vec<OsString> = std::env::args_os().collect();
        match configured::<Args>(argv.iter().cloned(), &[Quirk::ValueAfterEquals('z')]) {
            Ok(read) if read.args.version => {
                let argv0 = argv.first().map(OsString::as_os_str).unwrap_or_default();
                writeln!(io::stdout().lock(), "{}", version_text(argv0, env!("CARGO_PKG_VERSION")))?;
                Ok(ExitCode::Success)
            }
            Ok(read) if read.args.describe.is_asked_for() => {
                read.args.describe.print::<Args>()?;
                Ok(ExitCode::Success)
            }
            Ok(Configured { args, configuration }) => {
                let (plan, dialect) = configuration.check(args, |args: Args| {
                    let dialect = Dialect::choose(args.dialect.as_deref())?;
                    let plan = Plan::new(args, dialect).or_exit_with(dialect.failure)?;
                    Ok((plan, dialect))
                })?;
                let answered = query::answer(&plan, messages);
                answered.as_ref().inspect_err(|error| interrupt::end_if_interrupted(error)).ok();
                answered.or_exit_with(dialect.failure)
            }
            Err(error) => Ok(usage_error(messages, &error, Dialect::of_unreadable(&argv).failure)),
        }
    })
    .into()
}
