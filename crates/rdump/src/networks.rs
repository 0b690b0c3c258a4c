//! The list of own networks (`--networks`).

use crate::filter;
use anyhow::anyhow;
use flow_cli::Messages;
use flow_hosts::Networks;
use flow_model::OwnNetworks;
use std::path::Path;
use std::sync::Arc;

/// So many wrong lines are named, then how many there are.
const MAX_NAMED: usize = 10;

/// Reads a list of own networks. Each line that cannot be used is named; with `force`, the others do.
///
/// # Errors
/// When the file cannot be read, or has such lines.
pub(crate) fn read(path: &Path, force: bool, messages: &Messages) -> anyhow::Result<Arc<dyn OwnNetworks>> {
    let shown = path.display();
    let text = filter::read(path).map_err(|cause| anyhow!("reading networks `{shown}`: {cause}"))?;
    let (networks, problems) = Networks::parse(&text);
    for problem in problems.iter().take(MAX_NAMED) {
        messages.line(&format_args!("{shown}, {problem}"));
    }
    match problems.len() {
        0 => {}
        wrong if force => {
            if wrong > MAX_NAMED {
                messages.line(&format_args!("{shown}, {} more lines", wrong - MAX_NAMED));
            }
        }
        wrong => {
            let lines = if wrong == 1 { "one line is" } else { &format!("{wrong} lines are") };
            return Err(anyhow!(
                "networks `{shown}`: {lines} wrong\nhint: --force goes on without what is wrong"
            ));
        }
    }
    Ok(Arc::new(networks))
}
