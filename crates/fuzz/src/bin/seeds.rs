//! Writes seeds for every target: `seeds DIRECTORY`.

use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let into = std::env::args_os().nth(1).ok_or("usage: seeds DIRECTORY")?;
    let corpus = std::env::var_os("FLOW_CORPUS").filter(|value| !value.is_empty()).map(PathBuf::from);
    for (target, count) in flow_fuzz::seeds::write(Path::new(&into), corpus.as_deref())? {
        println!("{target}: {count} seeds");
    }
    Ok(())
}
