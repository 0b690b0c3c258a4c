//! What exporters do otherwise than their protocol says, and what we then do.

/// A departure from the protocol that costs nothing, because we know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Quirk {
    /// Sequence numbers count the records of their own message, too.
    SequenceIncludesMessage,
    /// The uptime of 32 bits of ms has wrapped; no departure, but worth knowing.
    UptimeWrapped,
    /// A v9 header counts other than what follows.
    RecordCount,
    /// More records than the protocol's own bound.
    ManyRecords,
    /// Zeros behind the last set.
    ZeroFilledTail,
    /// An IPFIX length that its sets exceed: they fill the datagram.
    MessageLength,
    /// Octets behind the message.
    TrailingOctets,
    /// Several messages in one datagram.
    SeveralMessages,
    /// Data that precede their template.
    DataBeforeTemplate,
    /// A template id with another meaning than before.
    TemplateChanged,
    /// Fields without octets in a template.
    ZeroLengthFields,
    /// Fields of variable length in v9, which has none.
    VariableLengthInV9,
    /// Addresses of both families in a template.
    BothFamilies,
    /// Uptime stamps in IPFIX from an exporter that does not say when it started.
    UptimeWithoutStart,
}

impl Quirk {
    /// Every quirk.
    pub const ALL: [Quirk; 14] = [
        Quirk::SequenceIncludesMessage,
        Quirk::UptimeWrapped,
        Quirk::RecordCount,
        Quirk::ManyRecords,
        Quirk::ZeroFilledTail,
        Quirk::MessageLength,
        Quirk::TrailingOctets,
        Quirk::SeveralMessages,
        Quirk::DataBeforeTemplate,
        Quirk::TemplateChanged,
        Quirk::ZeroLengthFields,
        Quirk::VariableLengthInV9,
        Quirk::BothFamilies,
        Quirk::UptimeWithoutStart,
    ];

    /// What it is, and what we do about it.
    pub fn text(self) -> &'static str {
        match self {
            Quirk::SequenceIncludesMessage => {
                "sequence numbers include their own message: loss is counted so"
            }
            Quirk::UptimeWrapped => "uptime wrapped: times stay right",
            Quirk::RecordCount => "header counts other than the records that follow: lengths count",
            Quirk::ManyRecords => "more records than the protocol's bound: all are taken",
            Quirk::ZeroFilledTail => "zeros behind the last set: ignored",
            Quirk::MessageLength => "message length below that of its sets: the sets count",
            Quirk::TrailingOctets => "octets behind the message: ignored",
            Quirk::SeveralMessages => "several messages in one datagram: all are taken",
            Quirk::DataBeforeTemplate => "data before their template: they wait for it",
            Quirk::TemplateChanged => "template id with a new meaning: the new one counts",
            Quirk::ZeroLengthFields => "fields without octets in a template: they have no value",
            Quirk::VariableLengthInV9 => "fields of variable length in v9: read as in IPFIX",
            Quirk::BothFamilies => "addresses of both families in a template: that in use is taken",
            Quirk::UptimeWithoutStart => "uptime stamps without start: the end is the time of export",
        }
    }
}

/// How often each quirk was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quirks([u64; Quirk::ALL.len()]);

impl Quirks {
    /// Counts a quirk.
    pub(crate) fn note(&mut self, quirk: Quirk) {
        self.add(quirk, 1);
    }

    /// Counts a quirk several times.
    pub(crate) fn add(&mut self, quirk: Quirk, times: u64) {
        if let Some(count) = self.0.get_mut(quirk as usize) {
            *count += times;
        }
    }

    /// What was seen, and how often.
    pub(crate) fn list(&self) -> Vec<(Quirk, u64)> {
        Quirk::ALL.into_iter().zip(self.0).filter(|&(_, count)| count > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_quirk_has_a_count_and_a_text_of_its_own() {
        for (index, quirk) in Quirk::ALL.into_iter().enumerate() {
            assert_eq!(quirk as usize, index);
            let mut quirks = Quirks::default();
            quirks.note(quirk);
            quirks.add(quirk, 2);
            assert_eq!(quirks.list(), [(quirk, 3)]);
            assert_eq!(Quirk::ALL.iter().filter(|other| other.text() == quirk.text()).count(), 1);
        }
    }
}
