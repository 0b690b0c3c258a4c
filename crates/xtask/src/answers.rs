//! Answers of rdump and nfdump, made comparable.
//!
//! What tells about the run itself is removed from both, and so is the time of receipt, which is each collector's own. Three
//! rulings of the interface contract that the data, not the command line, brings up are applied: D-33 (blanks behind
//! numeric protocols in csv), D-36 (csv repeats the next hop of IPv6 as the BGP next hop), D-04 (no message about empty
//! results in csv).

/// Columns of a listed csv row.
const CSV_COLUMNS: usize = 48;
const CSV_SOURCE: usize = 3;
const CSV_DESTINATION: usize = 4;
const CSV_BGP_NEXT_HOP: usize = 24;
const CSV_RECEIVED: usize = 47;

/// The comparable lines of an answer.
pub fn comparable(answer: &str) -> Vec<String> {
    let csv = answer.contains("ts,te,td,");
    answer
        .lines()
        .filter(|line| !(is_about_the_run(line) || csv && *line == "No matching flows"))
        .map(comparable_line)
        .collect()
}

fn is_about_the_run(line: &str) -> bool {
    line.starts_with("Sys: ") || line.starts_with("Total flows processed: ")
}

fn comparable_line(line: &str) -> String {
    let mut columns: Vec<&str> = line.split(',').collect();
    if columns.len() == 1 {
        return line.to_owned();
    }
    for column in &mut columns {
        *column = column.trim_end();
    }
    if columns.len() == CSV_COLUMNS {
        if columns[CSV_SOURCE].contains(':') || columns[CSV_DESTINATION].contains(':') {
            columns[CSV_BGP_NEXT_HOP] = "*";
        }
        columns.remove(CSV_RECEIVED);
    }
    columns.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn receipt_and_timing_do_not_count() {
        let row = |receipt: &str| format!("{}{receipt}", "x,".repeat(CSV_COLUMNS - 1));
        assert_eq!(comparable(&row("2026-01-01")), comparable(&row("2026-01-02")));
        assert_eq!(comparable("a\nSys: 0.1s\nTotal flows processed: 3, passed: 3\n\nb"), ["a", "", "b"]);
        assert_eq!(comparable("Summary: total flows: 1, x"), ["Summary: total flows: 1, x"]);
        assert_eq!(comparable("ts,te,td,sa\nNo matching flows"), ["ts,te,td,sa"]);
        assert_eq!(comparable("Date\nNo matching flows").len(), 2);
    }

    #[test]
    fn bgp_next_hop_counts_for_ipv4_only() {
        let row = |src: &str, bgp: &str| {
            let mut columns = vec!["0"; CSV_COLUMNS];
            columns[CSV_SOURCE] = src;
            columns[CSV_BGP_NEXT_HOP] = bgp;
            columns.join(",")
        };
        assert_eq!(comparable(&row("2001:db8::1", "::")), comparable(&row("2001:db8::1", "2001:db8::2")));
        assert_ne!(comparable(&row("192.0.2.1", "0.0.0.0")), comparable(&row("192.0.2.1", "10.0.0.1")));
    }
}
