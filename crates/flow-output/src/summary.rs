//! The lines below the rows, and the report of `-I`.

use crate::format::FormatKind;
use crate::release::{Nothing, SummaryLines};
use crate::text::{num, per_second, scaled};
use crate::zone::{TimeWriter, Zone};
use crate::{Format, OutputOptions};
use flow_model::{Totals, bpp};

/// What a query came to.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    /// Of the matching flows.
    pub totals: Totals,
    /// First and last of the files read, ms since 1970; none without files (D-57).
    pub window_ms: Option<(u64, u64)>,
    /// Flows looked at.
    pub processed: u64,
    /// Flows that matched.
    pub passed: u64,
    /// Blocks not read.
    pub blocks_skipped: u64,
    /// Octets read.
    pub bytes_read: u64,
    /// What it cost.
    pub timings: Timings,
}

/// What a query cost, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    /// CPU time in the kernel.
    pub system: f64,
    /// CPU time in the program.
    pub user: f64,
    /// Time reading and selecting flows.
    pub wall: f64,
    /// Time of the whole run.
    pub runtime: f64,
}

impl Summary {
    /// Appends the summary of `format`; some have none, and none has one with `-q`.
    pub fn write(&self, format: &Format, options: &OutputOptions, out: &mut Vec<u8>) {
        if options.quiet {
            return;
        }
        match format.kind {
            _ if self.is_all_there_is(format, options) => out.extend_from_slice(b"No matched flows\n"),
            FormatKind::Text(_) | FormatKind::Raw | FormatKind::Null => self.lines(options, out),
            FormatKind::Csv => self.csv(out),
            FormatKind::CsvFast
            | FormatKind::CsvColumns(_)
            | FormatKind::Json
            | FormatKind::NdJson
            | FormatKind::Pmacct(_)
            | FormatKind::Pipe => {}
        }
    }

    /// Whether all there is to say is that there was no flow to look at, as 1.6 says it: tables of statistics are left out
    /// then, and the summary is one line.
    pub fn is_all_there_is(&self, format: &Format, options: &OutputOptions) -> bool {
        let says_so = options.release.nothing == Nothing::Unread && format.says_no_match();
        says_so && !options.quiet && self.processed == 0
    }

    /// Appends the summary as a json object on a line of its own: nfdump's names, times as in json's flows, `null` without.
    pub fn write_json(&self, zone: &Zone, out: &mut Vec<u8>) {
        let [avg_bps, avg_pps, avg_bpp] = self.averages();
        let Totals { flows, bytes, packets, .. } = self.totals;
        out.extend_from_slice(
            format!(
                "{{\"flows\":{flows},\"bytes\":{bytes},\"packets\":{packets},\"avg_bps\":{avg_bps},\"avg_pps\":{avg_pps},\
                 \"avg_bpp\":{avg_bpp}"
            )
            .as_bytes(),
        );
        let mut time = TimeWriter::new(zone);
        for (name, ms) in [
            (",\"first\":", self.window_ms.map(|(first_ms, _)| first_ms)),
            (",\"last\":", self.window_ms.map(|(_, last_ms)| last_ms)),
        ] {
            out.extend_from_slice(name.as_bytes());
            if let Some(ms) = ms {
                out.push(b'"');
                time.millis(out, ms, b'T');
                out.push(b'"');
            } else {
                out.extend_from_slice(b"null");
            }
        }
        out.extend_from_slice(
            format!(
                ",\"processed\":{},\"passed\":{},\"blocks_skipped\":{},\"bytes_read\":{}}}\n",
                self.processed, self.passed, self.blocks_skipped, self.bytes_read
            )
            .as_bytes(),
        );
    }

    /// Bits per second, packets per second, bytes per packet, over the time from the first to the last
    /// matching flow; without duration nfdump prints 0 for all three.
    fn averages(&self) -> [u64; 3] {
        let Totals { packets, bytes, first_ms, last_ms, .. } = self.totals;
        let duration_ms = last_ms.saturating_sub(first_ms);
        if duration_ms == 0 {
            return [0; 3];
        }
        [per_second(bytes, 8, duration_ms), per_second(packets, 1, duration_ms), bpp(bytes, packets)]
    }

    fn lines(&self, options: &OutputOptions, out: &mut Vec<u8>) {
        let plain = options.plain_numbers;
        let [avg_bps, avg_pps, avg_bpp] = self.averages();
        out.extend_from_slice(b"Summary: total flows: ");
        num(out, self.totals.flows);
        for (label, value) in [
            (", total bytes: ", self.totals.bytes),
            (", total packets: ", self.totals.packets),
            (", avg bps: ", avg_bps),
            (", avg pps: ", avg_pps),
            (", avg bpp: ", avg_bpp),
        ] {
            out.extend_from_slice(label.as_bytes());
            scaled(out, value, 0, plain);
        }
        out.extend_from_slice(b"\nTime window: ");
        match self.window_ms {
            None | Some((0, 0)) => out.extend_from_slice(b"<unknown>"),
            Some((0, _)) => out.extend_from_slice(b"Time Window unknown"),
            Some((first_ms, last_ms)) => {
                let mut time = TimeWriter::new(&options.zone);
                time.seconds(out, first_ms, b' ');
                out.extend_from_slice(b" - ");
                time.seconds(out, last_ms, b' ');
            }
        }
        let Timings { system, user, wall, runtime } = self.timings;
        let per = |flows: u64, seconds: f64| if seconds > 0.0 { flows as f64 / seconds } else { 0.0 };
        out.push(b'\n');
        out.extend_from_slice(
            match options.release.summary {
                SummaryLines::Long => format!(
                    "Total flows processed: {}, passed: {}, Blocks skipped: {}, Bytes read: {}\n\
                     Sys: {system:.4}s User: {user:.4}s Wall: {wall:.4}s flows/second: {:.1} Runtime: {runtime:.4}s\n",
                    self.processed,
                    self.passed,
                    self.blocks_skipped,
                    self.bytes_read,
                    per(self.processed, wall)
                ),
                SummaryLines::Short => format!(
                    "Total flows processed: {}, Blocks skipped: {}, Bytes read: {}\n\
                     Sys: {:.3}s flows/second: {:<10.1} Wall: {wall:.3}s flows/second: {:<10.1}\n",
                    self.passed,
                    self.blocks_skipped,
                    self.bytes_read,
                    system + user,
                    per(self.passed, system + user),
                    per(self.passed, wall)
                ),
            }
            .as_bytes(),
        );
    }

    fn csv(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n");
        let [avg_bps, avg_pps, avg_bpp] = self.averages();
        let values = [self.totals.flows, self.totals.bytes, self.totals.packets, avg_bps, avg_pps, avg_bpp];
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            num(out, value);
        }
        out.push(b'\n');
    }
}

/// Appends the report of `-I` on files with these totals; times of files without flows are 0 (D-37).
pub fn info(ident: &str, totals: &Totals, out: &mut Vec<u8>) {
    let first_ms = if totals.first_ms == u64::MAX { 0 } else { totals.first_ms };
    out.extend_from_slice(b"Ident: ");
    out.extend_from_slice(ident.as_bytes());
    out.push(b'\n');
    let mut line = |key: &str, class: &str, value: u64| {
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(class.as_bytes());
        out.extend_from_slice(b": ");
        num(out, value);
        out.push(b'\n');
    };
    for (key, all, by_class) in [
        ("Flows", totals.flows, &totals.flows_by),
        ("Packets", totals.packets, &totals.packets_by),
        ("Bytes", totals.bytes, &totals.bytes_by),
    ] {
        line(key, "", all);
        for (class, &value) in ["_tcp", "_udp", "_icmp", "_other"].into_iter().zip(by_class) {
            line(key, class, value);
        }
    }
    line("First", "", first_ms / 1_000);
    line("Last", "", totals.last_ms / 1_000);
    line("msec_first", "", first_ms % 1_000);
    line("msec_last", "", totals.last_ms % 1_000);
    line("Sequence failures", "", totals.sequence_failures);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Zone;

    fn summary() -> Summary {
        Summary {
            totals: Totals {
                flows: 18,
                bytes: 2_505_371_950_989,
                packets: 1_807_743_259,
                first_ms: 1_699_910_000_000,
                last_ms: 1_700_000_110_000,
                ..Totals::default()
            },
            window_ms: Some((1_699_910_000_000, 1_700_000_110_000)),
            processed: 18,
            passed: 18,
            blocks_skipped: 0,
            bytes_read: 5_008,
            timings: Timings { system: 0.0, user: 0.0035, wall: 0.000_565_05, runtime: 0.000_61 },
        }
    }

    fn text(summary: &Summary, format: &str, change: impl FnOnce(&mut OutputOptions)) -> String {
        let mut options = OutputOptions { zone: Zone::utc(), ..OutputOptions::default() };
        change(&mut options);
        let mut out = Vec::new();
        summary.write(&Format::parse(format).unwrap(), &options, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn lines_for_people_and_a_block_for_csv() {
        assert_eq!(
            text(&summary(), "line", |_| {}),
            "Summary: total flows: 18, total bytes: 2.5 T, total packets: 1.8 G, avg bps: 222.4 M, avg pps: 20061, avg bpp: 1385\n\
             Time window: 2023-11-13 21:13:20 - 2023-11-14 22:15:10\n\
             Total flows processed: 18, passed: 18, Blocks skipped: 0, Bytes read: 5008\n\
             Sys: 0.0000s User: 0.0035s Wall: 0.0006s flows/second: 31855.6 Runtime: 0.0006s\n"
        );
        assert_eq!(
            text(&summary(), "csv", |_| {}),
            "Summary\nflows,bytes,packets,avg_bps,avg_pps,avg_bpp\n18,2505371950989,1807743259,222427872,20061,1385\n"
        );
        assert!(text(&summary(), "null", |options| options.plain_numbers = true).starts_with(
            "Summary: total flows: 18, total bytes: 2505371950989, total packets: 1807743259, avg bps: 222427872, avg pps: 20061, avg bpp: 1385\n"
        ));
        for format in ["json", "ndjson", "pipe", "csv-fast"] {
            assert_eq!(text(&summary(), format, |_| {}), "");
        }
        assert_eq!(text(&summary(), "csv", |options| options.quiet = true), "");
    }

    #[test]
    fn lines_of_1_6() {
        let release = |options: &mut OutputOptions| options.release = crate::Release::V1_6;
        assert!(text(&summary(), "line", release).ends_with(
            "\nTotal flows processed: 18, Blocks skipped: 0, Bytes read: 5008\n\
             Sys: 0.004s flows/second: 5142.9     Wall: 0.001s flows/second: 31855.6   \n"
        ));
        assert_eq!(text(&Summary::default(), "line", release), "No matched flows\n");
        assert!(text(&Summary::default(), "csv", release).starts_with("Summary\n"));
        assert_eq!(text(&Summary { processed: 3, ..Summary::default() }, "pipe", release), "");
        let unmatched = text(&Summary { processed: 3, ..Summary::default() }, "null", release);
        assert!(unmatched.starts_with("Summary: total flows: 0,"), "{unmatched}");
    }

    #[test]
    fn nothing_read() {
        let lines = text(&Summary::default(), "line", |_| {});
        assert!(lines.starts_with(
            "Summary: total flows: 0, total bytes: 0, total packets: 0, avg bps: 0, avg pps: 0, avg bpp: 0\nTime window: <unknown>\n"
        ));
        assert!(lines.ends_with("flows/second: 0.0 Runtime: 0.0000s\n"));
    }

    #[test]
    fn files_of_which_some_times_are_unknown() {
        for (last_ms, expected) in [(0, "<unknown>"), (1_700_000_110_000, "Time Window unknown")] {
            let summary = Summary { window_ms: Some((0, last_ms)), ..Summary::default() };
            assert!(text(&summary, "line", |_| {}).contains(&format!("\nTime window: {expected}\nTotal")));
        }
    }

    #[test]
    fn the_report_of_files_without_flows_has_no_times() {
        let mut out = Vec::new();
        info("none", &Totals::default(), &mut out);
        let report = String::from_utf8(out).unwrap();
        assert!(report.starts_with("Ident: none\nFlows: 0\nFlows_tcp: 0\nFlows_udp: 0\n"));
        assert!(report.ends_with("First: 0\nLast: 0\nmsec_first: 0\nmsec_last: 0\nSequence failures: 0\n"));
    }
}
