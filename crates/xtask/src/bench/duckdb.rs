//! DuckDB beside rdump, over Parquet of the same flows, where its Python package is there.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::data::{Data, Set};
use super::report::{Agreement, Goal, Pair, Report};
use crate::process::measure;
use crate::programs::Programs;

/// Arguments: csv of rdump's, Parquet to be made. Ports of ICMP are no numbers.
const MAKE: &str = "\
import duckdb, sys
duckdb.sql(f\"\"\"COPY (
    SELECT sa, da, TRY_CAST(sp AS INTEGER) AS sp, TRY_CAST(dp AS INTEGER) AS dp, pr, ts, te,
           CAST(ipkt AS BIGINT) AS ipkt, CAST(ibyt AS BIGINT) AS ibyt
    FROM read_csv('{sys.argv[1]}', header = false, all_varchar = true,
        names = ['ts', 'te', 'td', 'sa', 'da', 'sp', 'dp', 'pr', 'flg', 'fwd', 'stos', 'ipkt', 'ibyt'])
) TO '{sys.argv[2]}' (FORMAT parquet)\"\"\")";

/// Arguments: a query.
const ASK: &str = "import duckdb, sys; print(duckdb.sql(sys.argv[1]).fetchall())";

/// rdump's question, and the same in SQL; `FLOWS` stands for the table.
const QUESTIONS: [(&[&str], &str); 2] = [
    (
        &["-s", "srcip/bytes"],
        "SELECT sa, count(*), sum(ipkt), sum(ibyt) AS bytes, min(ts), max(te) FROM FLOWS
         GROUP BY sa ORDER BY bytes DESC LIMIT 10",
    ),
    (
        &["-o", "line", "-s", "record/bytes"],
        "SELECT sa, da, sp, dp, pr, count(*), sum(ipkt), sum(ibyt) AS bytes, min(ts), max(te) FROM FLOWS
         GROUP BY sa, da, sp, dp, pr ORDER BY bytes DESC LIMIT 10",
    ),
];

/// Measures every question, if there is anything to measure against.
pub(super) fn run(data: &Data, programs: &Programs, runs: usize, report: &mut Report) -> Result<()> {
    let wanted: Vec<_> = QUESTIONS.iter().filter(|(args, _)| report.wants(&args.join(" "))).collect();
    if wanted.is_empty() {
        return Ok(());
    }
    let version = python("import duckdb; print(duckdb.__version__)").stderr(Stdio::null()).output();
    let Some(version) = version.ok().filter(|output| output.status.success()) else {
        println!("without DuckDB: python3 has no package duckdb");
        return Ok(());
    };
    println!("beside:  DuckDB {}", String::from_utf8_lossy(&version.stdout).trim());
    let parquet = data.directory.join("flows.parquet");
    make(data, programs, &parquet)?;
    report.start("rdump on its own files, DuckDB over Parquet of the same flows");
    for (arguments, sql) in wanted {
        let name = arguments.join(" ");
        println!("{name}");
        let sql = sql.replace("FLOWS", &format!("'{}'", parquet.display()));
        let mut pairs = Vec::new();
        for _ in 0..runs {
            let mut ours = programs.command("rdump");
            ours.arg("-R").arg(data.ours(Set::Whole)).args(*arguments).stdout(Stdio::null());
            let ours = measure(&mut ours)?;
            let theirs = measure(python(ASK).arg(&sql).stdout(Stdio::null()))?;
            pairs.push(Pair { ours, theirs: Some(theirs) });
        }
        report.case(&name, &pairs, Goal::Times(1.0), None, Agreement::NotCompared);
    }
    Ok(())
}

fn make(data: &Data, programs: &Programs, parquet: &Path) -> Result<()> {
    let csv = data.directory.join("flows.csv");
    let mut list = programs.command("rdump");
    list.arg("-R").arg(data.ours(Set::Whole)).args(["-q", "-o", "csv"]);
    let status = list.stdout(File::create(&csv).context("flows as csv")?).status()?;
    ensure!(status.success(), "rdump -o csv: {status}");
    let made = python(MAKE).arg(&csv).arg(parquet).status().context("python3");
    std::fs::remove_file(&csv).context("flows as csv")?;
    ensure!(made?.success(), "DuckDB could not make {}", parquet.display());
    Ok(())
}

fn python(program: &str) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", program]).stdin(Stdio::null());
    command
}
