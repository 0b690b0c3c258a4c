//! What the releases of nfdump print differently.

use crate::json::Keys;
use crate::text::DurationStyle;

/// A release of nfdump, as the columns and lines that it prints otherwise than the other one does.
///
/// What a ruling decides (D-nn) holds for both: a release is a layout, its defects are not part of it.
#[derive(Debug)]
pub struct Release {
    /// Predefined formats that are others than those of 1.7.
    pub(crate) formats: &'static [(&'static str, &'static str)],
    /// The column of durations (`%td`).
    pub(crate) duration: DurationColumn,
    /// The keys of json.
    pub(crate) json: Keys,
    /// The lines below the rows.
    pub(crate) summary: SummaryLines,
    /// What is said when no flow matched.
    pub(crate) nothing: Nothing,
}

/// A column of durations.
#[derive(Debug)]
pub(crate) struct DurationColumn {
    /// Its heading.
    pub(crate) header: &'static str,
    /// Its width.
    pub(crate) width: u8,
    /// How a duration is printed that is not asked for in plain numbers.
    pub(crate) style: DurationStyle,
}

/// The lines below the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SummaryLines {
    /// Flows that matched, which it calls processed; CPU time and time of the run.
    Short,
    /// Flows looked at and flows that matched; time in the kernel, in the program, reading, and of the run.
    Long,
}

/// What is said when no flow matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nothing {
    /// Nothing; but where there was no flow to look at, `No matched flows` is all that stands below the header.
    Unread,
    /// `No matching flows`, whatever the reason; a record statistic then has no headings.
    Always,
}

impl Release {
    /// nfdump 1.7.1.
    pub const V1_7: &'static Release = &Release {
        formats: &[],
        duration: DurationColumn { header: "    Duration    ", width: 16, style: DurationStyle::Clock },
        json: Keys::V1_7,
        summary: SummaryLines::Long,
        nothing: Nothing::Always,
    };

    /// nfdump 1.6.25.
    pub const V1_6: &'static Release = &Release {
        formats: &[
            ("nsel", "%ts %evt %xevt %pr %sap -> %dap %xsap -> %xdap %ibyt %obyt"),
            ("nel", "%ts %nevt %pr %sap -> %dap %nsap -> %ndap"),
        ],
        duration: DurationColumn { header: " Duration", width: 9, style: DurationStyle::Seconds(9) },
        json: Keys::V1_6,
        summary: SummaryLines::Short,
        nothing: Nothing::Unread,
    };

    /// Whether a record statistic without rows has its headings all the same.
    pub fn heads_empty_tables(&self) -> bool {
        self.nothing == Nothing::Unread
    }
}
