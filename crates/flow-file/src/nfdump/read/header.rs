//! What a file says of itself: its header, the statistics record, the appendix.

use super::decompress::Method;
use super::layout::{Layout, creator, text, u16_at, u32_at, u64_at};
use crate::error::Damage;
use flow_model::{CountRule, Totals};

/// The header of a file of either layout.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) method: Method,
    /// The writer's number of its release; layout 1 does not tell.
    pub(super) release: Option<u32>,
    /// Whether every flow has anonymised addresses; layout 2 has that in each record.
    pub(super) anonymised: bool,
    /// How the writer counted: nfdump in its own way, collectors in another; who does not say who he is, which layout 1 does
    /// not tell, counts as a collector.
    pub(super) rule: CountRule,
    /// When the file was created, ms since 1970; layout 1 does not tell.
    pub(super) created_ms: Option<u64>,
    /// How many blocks it says to have.
    pub(super) blocks: u32,
    /// How many blocks of the appendix, and where they start.
    pub(super) appendix: Option<(u16, u64)>,
    /// Ident and statistics, where the header has them.
    pub(super) about: About,
}

/// What is known of the flows without reading them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    pub(super) ident: Option<String>,
    pub(super) totals: Option<Totals>,
}

/// How long the header is, statistics of layout 1 included.
pub(super) const fn header_len(layout: Layout) -> usize {
    match layout {
        Layout::One => HEADER_1_LEN + STATISTICS_1_LEN,
        Layout::Two => HEADER_2_LEN,
    }
}

/// Why a header leads nowhere.
pub(super) enum Refusal {
    Damage(Damage),
    Encrypted,
}

impl From<Damage> for Refusal {
    fn from(damage: Damage) -> Refusal {
        Refusal::Damage(damage)
    }
}

impl Header {
    /// Reads the header at the start of `bytes`.
    pub(super) fn parse(layout: Layout, bytes: &[u8]) -> Result<Header, Refusal> {
        let Some(bytes) = bytes.get(..header_len(layout)) else {
            let (needed, available) = (header_len(layout) as u64, bytes.len() as u64);
            return Err(Damage::Short { needed, available }.into());
        };
        match layout {
            Layout::One => Ok(Header::parse_1(bytes)),
            Layout::Two => Header::parse_2(bytes),
        }
    }

    fn parse_1(bytes: &[u8]) -> Header {
        const ANONYMISED: u32 = 2;
        let flags = u32_at(bytes, 4);
        let statistics = &bytes[HEADER_1_LEN..];
        let ms = |seconds: usize, rest: usize| {
            u64::from(u32_at(statistics, seconds)) * 1000 + u64::from(u16_at(statistics, rest))
        };
        let span = (ms(120, 128), ms(124, 130));
        let ident = String::from_utf8_lossy(text(&bytes[IDENT])).into_owned();
        // The preset of a file that is still being written.
        const NEVER_MS: u64 = 0x7fff_ffff_u64 * 1000 + 999;
        let is_preset = span.0 == NEVER_MS;
        let totals = totals(statistics, span, u32_at(statistics, 132).into());
        Header {
            method: Method::from_flags(flags),
            release: None,
            anonymised: flags & ANONYMISED != 0,
            rule: CountRule::Collected,
            created_ms: None,
            blocks: u32_at(bytes, 8),
            appendix: None,
            about: About {
                ident: (!ident.is_empty()).then_some(ident),
                totals: (!is_preset).then_some(totals),
            },
        }
    }

    fn parse_2(bytes: &[u8]) -> Result<Header, Refusal> {
        if bytes[17] != 0 {
            return Err(Refusal::Encrypted);
        }
        let created = u64_at(bytes, 8).cast_signed();
        let (appendix_blocks, appendix) = (u16_at(bytes, 18), u64_at(bytes, 24));
        Ok(Header {
            method: Method::from_code(bytes[16])?,
            release: Some(u32_at(bytes, 4)),
            anonymised: false,
            rule: match u32_at(bytes, 20) {
                creator::NFDUMP => CountRule::Written,
                _ => CountRule::Collected,
            },
            created_ms: Some(u64::try_from(created).unwrap_or_default().saturating_mul(1000)),
            blocks: u32_at(bytes, 36),
            appendix: (appendix_blocks > 0).then_some((appendix_blocks, appendix)),
            about: About::default(),
        })
    }
}

impl About {
    /// Takes a record of the appendix of layout 2.
    pub(super) fn take_ident(&mut self, octets: &[u8]) {
        self.ident = Some(String::from_utf8_lossy(text(octets.get(4..).unwrap_or_default())).into_owned());
    }

    /// Takes the statistics record of layout 2.
    pub(super) fn take_statistics(&mut self, octets: &[u8]) -> Result<(), Damage> {
        let Some((_, statistics)) =
            octets.split_at_checked(4).filter(|(_, rest)| rest.len() == STATISTICS_2_LEN)
        else {
            return Err(Damage::Inconsistent("the statistics record has an impossible size"));
        };
        let span = (u64_at(statistics, 120), u64_at(statistics, 128));
        self.totals = Some(totals(statistics, span, u64_at(statistics, 136)));
        Ok(())
    }
}

/// The totals of a statistics record. Both layouts begin with the same counters.
fn totals(statistics: &[u8], (first_ms, last_ms): (u64, u64), sequence_failures: u64) -> Totals {
    let four = |at: usize| [at, at + 8, at + 16, at + 24].map(|at| u64_at(statistics, at));
    // Without flows, releases up to 1.7.5 leave the largest positive number.
    let first_ms = if first_ms == i64::MAX as u64 { u64::MAX } else { first_ms };
    Totals {
        flows: u64_at(statistics, 0),
        bytes: u64_at(statistics, 8),
        packets: u64_at(statistics, 16),
        flows_by: four(24),
        bytes_by: four(56),
        packets_by: four(88),
        first_ms,
        last_ms,
        sequence_failures,
    }
}

const HEADER_1_LEN: usize = 140;
const STATISTICS_1_LEN: usize = 136;
const HEADER_2_LEN: usize = 40;
const STATISTICS_2_LEN: usize = 144;

/// Where layout 1 has the ident.
const IDENT: std::ops::Range<usize> = 12..139;
