//! Options that apply to every format.

use crate::{Release, Zone};

/// How values are printed, whatever the format.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of nfdump, and they combine freely")]
#[derive(Clone, Debug)]
pub struct OutputOptions {
    /// `-6`: whole IPv6 addresses in wide columns. Formats named with a 6 at the end say so too.
    pub long_ipv6: bool,
    /// `-N`: no scaling to M, G and T, protocols as numbers, durations in seconds.
    pub plain_numbers: bool,
    /// `-q`: no headers, headings, summaries and messages.
    pub quiet: bool,
    /// `-T`: an octet 1 in front of every address column of the text formats.
    pub mark_addresses: bool,
    /// The zone of all times.
    pub zone: Zone,
    /// Whose columns and lines are printed.
    pub release: &'static Release,
}

impl Default for OutputOptions {
    /// No option given, times in the zone of this process.
    fn default() -> Self {
        OutputOptions {
            long_ipv6: false,
            plain_numbers: false,
            quiet: false,
            mark_addresses: false,
            zone: Zone::local(),
            release: Release::V1_7,
        }
    }
}
