//! `-w`, `-n`, `-N` and `-M`: whose flows go where.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use flow_collect::{SourceOptions, Sources};
use ipnet::IpNet;

use crate::args::Args;
use crate::plan::{PlanError, check_ident, refused};

/// Sources that one command line can list: as many as dynamic ones.
const MAX_LISTED: usize = flow_collect::DEFAULT_MAX_SOURCES;

/// The longest file of sources.
const MAX_FILE_LEN: u64 = 16 << 20;

/// Reads and checks where flows go. `ident` is that of `-w`.
pub(crate) fn sources(args: &Args, ident: String) -> Result<Sources, PlanError> {
    let has_listed = !args.sources.is_empty() || args.source_file.is_some();
    if args.directory.is_some() && (has_listed || args.dynamic_sources.is_some()) {
        return Err(refused(
            "Can not mix IP specific and any IP sources\nFailed to add default data collector directory",
        ));
    }
    if let Some(directory) = &args.dynamic_sources {
        if has_listed {
            return Err(refused("Can not mix IP specific and any IP sources\nFailed to add dynamic flowdir"));
        }
        check_directory(directory)
            .map_err(|reason| refused(format!("{reason}\nNo valid directory: {}", directory.display())))?;
        return Ok(Sources::Dynamic(directory.clone()));
    }
    if let Some(directory) = &args.directory {
        check_directory(directory)
            .map_err(|reason| refused(format!("{reason}\nNo valid directory: {}", directory.display())))?;
        let directory = directory.clone();
        return Ok(Sources::Listed(vec![SourceOptions { ident, directory, network: None }]));
    }
    let mut listed = Vec::new();
    for definition in &args.sources {
        let source = listed_source(definition)
            .map_err(|reason| refused(format!("{reason}\nFailed to add flow source")))?;
        listed.push(source);
    }
    if let Some(path) = &args.source_file {
        listed.extend(file_of_sources(path)?);
    }
    if listed.is_empty() {
        return Err(refused("ERROR, No source configurations found"));
    }
    if listed.len() > MAX_LISTED {
        return Err(refused(format!("rcapd: more than {MAX_LISTED} flow sources")));
    }
    Ok(Sources::Listed(listed))
}

/// `Ident,IP[/length],directory`.
fn listed_source(definition: &str) -> Result<SourceOptions, String> {
    let mut parts = definition.splitn(3, ',');
    let (Some(ident), Some(address), Some(directory)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(syntax());
    };
    if ident.is_empty() || directory.is_empty() {
        return Err(syntax());
    }
    let ident = check_ident(ident.to_owned())?;
    let network = network(address).ok_or_else(|| format!("Unparsable IP address: {address}"))?;
    let directory = Path::new(directory);
    check_directory(directory)?;
    Ok(SourceOptions { ident, directory: directory.to_owned(), network: Some(network) })
}

/// An address, or a network with its length.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpAddr>().ok().map(IpNet::from).or_else(|| text.parse().ok())
}

fn syntax() -> String {
    "Syntax error for netflow source definition. Expect -n ident,IP,path".to_owned()
}

/// One definition a line; empty lines and those with `#` in front are skipped.
fn file_of_sources(path: &Path) -> Result<Vec<SourceOptions>, PlanError> {
    let name = path.display();
    let failed =
        |reason: &dyn std::fmt::Display| refused(format!("{name}: {reason}\nFailed to add flow source"));
    let metadata = fs::metadata(path).map_err(|error| failed(&error))?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_LEN {
        return Err(failed(&format_args!("no file of at most {MAX_FILE_LEN} octets")));
    }
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    let definitions = text.lines().map(str::trim).enumerate();
    definitions
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(index, line)| {
            listed_source(line).map_err(|reason| failed(&format_args!("line {}: {reason}", index + 1)))
        })
        .collect()
}

fn check_directory(directory: &Path) -> Result<(), String> {
    let reason = match directory.metadata() {
        Err(_) => "path does not exist",
        Ok(metadata) if !metadata.is_dir() => "not a directory",
        Ok(_) => return Ok(()),
    };
    Err(format!("{reason}: {}", directory.display()))
}
