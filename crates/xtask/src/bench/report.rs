//! The table.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::Peer;
use crate::process::Cost;
use crate::programs::Programs;

/// What a row should reach.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal {
    /// So many times better than nfdump.
    Times(f64),
    /// At most this part of nfdump's.
    Part(f64),
    /// At most this long.
    Within(Duration),
}

/// One run of ours and the run of nfdump beside it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) ours: Cost,
    pub(super) theirs: Option<Cost>,
}

/// Whether both programs gave the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Agreement {
    Same,
    Different,
    NotCompared,
}

struct Row {
    name: String,
    ours: String,
    theirs: String,
    ratio: String,
    goal: String,
    agreement: Agreement,
}

/// Collects rows of tables and prints them.
pub(super) struct Report {
    only: Option<String>,
    tables: Vec<(&'static str, Vec<Row>)>,
}

impl Report {
    pub(super) fn new(only: Option<String>) -> Self {
        Self { only, tables: Vec::new() }
    }

    /// Starts a table; what follows goes into it.
    pub(super) fn start(&mut self, title: &'static str) {
        println!("{title}");
        self.tables.push((title, Vec::new()));
    }

    /// Whether the user wants a row of this name.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|part| name.contains(part.as_str()))
    }

    /// No compared answer differed.
    pub(super) fn agrees(&self) -> bool {
        self.tables.iter().flat_map(|(_, rows)| rows).all(|row| row.agreement != Agreement::Different)
    }

    /// Prints what is measured where.
    #[expect(clippy::unused_self, reason = "part of the report")]
    pub(super) fn machine(&self, programs: &Programs, peer: Option<&Peer>) -> Result<()> {
        let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = processor.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
        let model = model.trim_start_matches(['\t', ' ', ':']);
        let cores = std::thread::available_parallelism()?;
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let memory =
            memory.lines().next().unwrap_or_default().trim_start_matches("MemTotal:").trim().to_owned();
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        println!("machine: {model}, {cores} cores, {memory}, Linux {}", kernel.trim());
        println!("ours:    {}", version(programs.command("rdump")));
        if let Some(peer) = peer {
            println!("beside:  {}, LZ4 files", version(Command::new(&peer.nfdump)));
        }
        Ok(())
    }

    /// A row about time, and one about memory where that has a goal of its own.
    pub(super) fn case(
        &mut self,
        name: &str,
        pairs: &[Pair],
        goal: Goal,
        memory_goal: Option<Goal>,
        agreement: Agreement,
    ) {
        let ours = median_cost(pairs.iter().map(|pair| pair.ours));
        let theirs = median_cost(pairs.iter().filter_map(|pair| pair.theirs));
        let ratio = median(ratios(pairs, |cost| cost.wall.as_secs_f64()));
        let cpu_ratio = median(ratios(pairs, |cost| cost.cpu.as_secs_f64()));
        self.push(Row {
            name: name.to_owned(),
            ours: ours.map(cost_text).unwrap_or_default(),
            theirs: theirs.map(cost_text).unwrap_or_default(),
            ratio: [ratio, cpu_ratio].map(|ratio| ratio_text(goal, ratio)).join(" / "),
            goal: goal_text(goal, ratio, ours.map(|cost| cost.wall)),
            agreement,
        });
        if let Some(goal) = memory_goal {
            let ratio = median(ratios(pairs, |cost| cost.anonymous as f64));
            self.push(Row {
                name: format!("{name}: anonymous memory"),
                ours: ours.map(|cost| octets(cost.anonymous)).unwrap_or_default(),
                theirs: theirs.map(|cost| octets(cost.anonymous)).unwrap_or_default(),
                ratio: ratio_text(goal, ratio),
                goal: goal_text(goal, ratio, None),
                agreement: Agreement::NotCompared,
            });
        }
    }

    /// A row about CPU time for each flow.
    pub(super) fn cpu_per_flow(&mut self, name: &str, pairs: &[Pair], flows: u64, goal: Goal) {
        let ours = median_cost(pairs.iter().map(|pair| pair.ours));
        let theirs = median_cost(pairs.iter().filter_map(|pair| pair.theirs));
        let ratio = median(ratios(pairs, |cost| cost.cpu.as_secs_f64()));
        let text = |cost: Cost| format!("{:.3} us", cost.cpu.as_secs_f64() * 1e6 / flows as f64);
        self.push(Row {
            name: name.to_owned(),
            ours: ours.map(text).unwrap_or_default(),
            theirs: theirs.map(text).unwrap_or_default(),
            ratio: ratio_text(goal, ratio),
            goal: goal_text(goal, ratio, None),
            agreement: Agreement::NotCompared,
        });
    }

    /// A row about a quantity for each flow, the smaller the better.
    pub(super) fn per_flow(&mut self, name: &str, ours: u64, theirs: Option<u64>, flows: u64, goal: Goal) {
        let each = |sum: u64| format!("{:.1}", sum as f64 / flows as f64);
        let ratio = theirs.map(|theirs| theirs as f64 / ours as f64);
        self.push(Row {
            name: name.to_owned(),
            ours: each(ours),
            theirs: theirs.map(each).unwrap_or_default(),
            ratio: ratio_text(goal, ratio),
            goal: goal_text(goal, ratio, None),
            agreement: Agreement::NotCompared,
        });
    }

    /// A row which nfdump has no counterpart for.
    pub(super) fn alone(&mut self, name: &str, cost: Cost, flows: u64) {
        let rate = flows as f64 / cost.wall.as_secs_f64();
        self.push(Row {
            name: name.to_owned(),
            ours: format!("{}; {rate:.0} flows/s", cost_text(cost)),
            theirs: String::new(),
            ratio: String::new(),
            goal: String::new(),
            agreement: Agreement::NotCompared,
        });
    }

    /// Prints the tables that have rows.
    pub(super) fn print(&self) {
        for (title, rows) in self.tables.iter().filter(|(_, rows)| !rows.is_empty()) {
            println!("\n{title}\n{}", table(rows));
        }
        println!(
            "memory: peak anonymous memory, sampled; ratio: median over pairs of runs, the other's value by ours"
        );
    }

    fn push(&mut self, row: Row) {
        println!("  {} | {} | {} | {}", row.ours, row.theirs, row.ratio, row.goal);
        if let Some((_, rows)) = self.tables.last_mut() {
            rows.push(row);
        }
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    table.set_header([
        "",
        "ours: wall / CPU / memory",
        "the other: wall / CPU / memory",
        "ratio: wall / CPU",
        "goal (wall)",
        "same",
    ]);
    for row in rows {
        let same = match row.agreement {
            Agreement::Same => "yes",
            Agreement::Different => "NO",
            Agreement::NotCompared => "",
        };
        table.add_row([&row.name, &row.ours, &row.theirs, &row.ratio, &row.goal, same]);
    }
    for column in 1..=3 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn version(mut program: Command) -> String {
    let output = program.arg("-V").output();
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

fn ratios(pairs: &[Pair], value: fn(&Cost) -> f64) -> Vec<f64> {
    let ratio = |pair: &Pair| {
        Some(value(pair.theirs.as_ref()?) / value(&pair.ours)).filter(|ratio| ratio.is_finite())
    };
    pairs.iter().filter_map(ratio).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// Each quantity's median by itself.
fn median_cost(costs: impl Iterator<Item = Cost>) -> Option<Cost> {
    let costs: Vec<Cost> = costs.collect();
    let middle = |value: fn(&Cost) -> f64| median(costs.iter().map(value).collect());
    Some(Cost {
        wall: Duration::from_secs_f64(middle(|cost| cost.wall.as_secs_f64())?),
        cpu: Duration::from_secs_f64(middle(|cost| cost.cpu.as_secs_f64())?),
        anonymous: middle(|cost| cost.anonymous as f64)? as u64,
    })
}

fn cost_text(cost: Cost) -> String {
    format!("{} / {} / {}", seconds(cost.wall), seconds(cost.cpu), octets(cost.anonymous))
}

fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.1 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

fn octets(count: u64) -> String {
    const MIB: u64 = 1 << 20;
    if count < MIB { format!("{} KiB", count >> 10) } else { format!("{} MiB", count / MIB) }
}

fn ratio_text(goal: Goal, ratio: Option<f64>) -> String {
    match (goal, ratio) {
        (_, None) => String::new(),
        (Goal::Part(_), Some(ratio)) => format!("{:.0} %", 100.0 / ratio),
        (_, Some(ratio)) => format!("{ratio:.1} x"),
    }
}

fn goal_text(goal: Goal, ratio: Option<f64>, wall: Option<Duration>) -> String {
    let (text, met) = match goal {
        Goal::Times(times) => (format!("{times:.0} x"), ratio.map(|ratio| ratio >= times)),
        Goal::Part(part) => (format!("{:.0} %", part * 100.0), ratio.map(|ratio| 1.0 / ratio <= part)),
        Goal::Within(limit) => (format!("{} ms", limit.as_millis()), wall.map(|wall| wall <= limit)),
    };
    match met {
        Some(true) => format!("{text}, met"),
        Some(false) => format!("{text}, missed"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(ms: u64) -> Cost {
        Cost { wall: Duration::from_millis(ms), ..Cost::default() }
    }

    #[test]
    fn ratio_is_the_median_of_the_pairs() {
        let pairs = [(10, 100), (10, 200), (100, 300)]
            .map(|(ours, theirs)| Pair { ours: cost(ours), theirs: Some(cost(theirs)) });
        assert_eq!(median(ratios(&pairs, |cost| cost.wall.as_secs_f64())).map(f64::round), Some(10.0));
    }

    #[test]
    fn goals_say_whether_they_are_met() {
        assert_eq!(goal_text(Goal::Times(8.0), Some(9.0), None), "8 x, met");
        assert_eq!(goal_text(Goal::Part(0.6), Some(1.0 / 0.7), None), "60 %, missed");
        assert_eq!(
            goal_text(Goal::Within(Duration::from_millis(5)), None, Some(Duration::from_millis(4))),
            "5 ms, met"
        );
        assert_eq!(goal_text(Goal::Times(8.0), None, None), "8 x");
    }
}
