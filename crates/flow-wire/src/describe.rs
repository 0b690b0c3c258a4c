//! What is known of an exporter, for reports.

use crate::WireProtocol;
use crate::compile::is_read;
use crate::element::{Dialect, Specifier, field_of, id};
use crate::element_names::{name_of, v9_scope};
use crate::exporter::{ClockSkew, State};
use crate::options::OptionsPlan;
use crate::quirk::Quirk;
use crate::records::VARIABLE;
use crate::sampling::Configured;
use crate::sflow::{self, Source};
use crate::step::ADDRESSES;
use crate::template::{Meaning, Template};
use flow_model::{ExportedInfo, ExporterInfo, Field, FieldSet, NameKind, SamplerInfo};
use std::net::IpAddr;

/// Everything that is known of one exporter.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ExporterDescription {
    /// Who it is, and its ledger since its first datagram.
    pub info: ExporterInfo,
    /// Its protocol.
    pub protocol: WireProtocol,
    /// The address by which an sFlow agent knows itself.
    pub agent: Option<IpAddr>,
    /// The UDP port, when another one at the same address is another exporter.
    pub port: Option<u16>,
    /// How far its clock is behind ours; `None` where headers have no date.
    pub skew: Option<ClockSkew>,
    /// When it started by its own account (element 160), ms since 1970 UTC.
    pub init_ms: Option<u64>,
    /// The sequence number that should come next, where that is known.
    pub expected_sequence: Option<u32>,
    /// How often it started anew.
    pub restarts: u64,
    /// Datagrams that came late, or twice.
    pub late_datagrams: u64,
    /// Its templates, ordered by id.
    pub templates: Vec<TemplateDescription>,
    /// Templates forgotten because they were neither sent again nor used.
    pub templates_expired: u64,
    /// Its samplers, those that the operator sets among them.
    pub samplers: Vec<SamplerInfo>,
    /// How many names it has announced, for each kind that there is.
    pub names: Vec<(NameKind, usize)>,
    /// What it says it has sent.
    pub exported: Option<ExportedInfo>,
    /// Data sets that wait for their template.
    pub sets_waiting: usize,
    /// What it does otherwise than its protocol says, and how often.
    pub quirks: Vec<(Quirk, u64)>,
    /// Where an sFlow agent samples, ordered by class and index.
    pub sources: Vec<SourceDescription>,
    /// Flow samples of further sources, which there was no room to follow one by one.
    pub other_samples: u64,
    /// Samples of counters from an sFlow agent.
    pub counter_samples: u64,
    /// Samples from an sFlow agent of packets that its device discarded.
    pub discarded_packets: u64,
    /// Elements that no field is for, or in sFlow formats, ordered by enterprise and number.
    pub skipped: Vec<SkippedElement>,
    /// Records with further such elements, which there was no room to count one by one.
    pub skipped_others: u64,
}

/// A template.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TemplateDescription {
    /// Its id.
    pub id: u16,
    /// Whether its records are statements about the exporter, not flows.
    pub is_options: bool,
    /// Its fields, in order.
    pub fields: Vec<FieldDescription>,
    /// Records decoded with it.
    pub records: u64,
    /// How often it was sent.
    pub sent: u64,
}

/// A field of a template.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FieldDescription {
    /// Enterprise number; 0 for the standard's own elements.
    pub enterprise: u32,
    /// Number of the element, or in the scope of a v9 options template of the scope type.
    pub id: u16,
    /// Its name, if it is known.
    pub name: Option<String>,
    /// Its length in octets; `None` when each record says.
    pub len: Option<u16>,
    /// What becomes of it.
    pub becomes: Becomes,
}

/// What becomes of a field of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Becomes {
    /// It fills a field of the flow.
    Field(Field),
    /// Another element of the template is preferred for the same field.
    PassedOver(Field),
    /// It says when the exporter started, how long the flow lasted, or how it was sampled.
    Context,
    /// It is a list, whose elements fill fields that the record lacks.
    List,
    /// It says what a statement is about.
    Scope,
    /// It is a statement about the exporter that we keep.
    Statement,
    /// Nothing.
    Skipped,
}

/// A place where an sFlow agent samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceDescription {
    /// What it is: 0 an interface, 1 a VLAN, 2 a physical entity.
    pub class: u32,
    /// Its number among those.
    pub index: u32,
    /// One packet of so many, by the latest sample.
    pub rate: u32,
    /// Flow samples that came.
    pub samples: u64,
    /// Flow samples that did not, by their sequence numbers.
    pub missed: u64,
    /// Samples that the agent says it dropped itself for want of resources.
    pub dropped: u64,
}

/// An element that no field is for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkippedElement {
    /// Enterprise number; 0 for the standard's own elements.
    pub enterprise: u32,
    /// Number of the element.
    pub id: u16,
    /// Its name, if it is known.
    pub name: Option<String>,
    /// Records that had it.
    pub records: u64,
}

pub(crate) fn describe(state: &State, configured: Configured) -> ExporterDescription {
    let dialect = if state.key.protocol == WireProtocol::V9 { Dialect::V9 } else { Dialect::Ipfix };
    let mut quirks = state.quirks.list();
    if state.sequence.is_including() {
        quirks.insert(0, (Quirk::SequenceIncludesMessage, state.whole_ledger().datagrams));
    }
    let (skipped, skipped_others) = state.templates.skipped();
    let element = |((enterprise, id), records)| SkippedElement {
        enterprise,
        id,
        name: name_of(dialect, Specifier { enterprise, id, len: 0 }).map(Into::into),
        records,
    };
    let format = |(part, enterprise, id, records)| SkippedElement {
        enterprise,
        id,
        name: Some(sflow::name_of(part, enterprise, id)),
        records,
    };
    let mut skipped: Vec<_> =
        skipped.into_iter().map(element).chain(state.agent.skipped.iter().map(format)).collect();
    skipped.sort_by_key(|element| (element.enterprise, element.id));
    ExporterDescription {
        info: ExporterInfo { ledger: state.whole_ledger(), ..state.info() },
        protocol: state.key.protocol,
        agent: state.key.agent,
        port: state.key.port,
        skew: state.skew,
        init_ms: state.init_ms,
        expected_sequence: state.sequence.expected(),
        restarts: state.sequence.restarts,
        late_datagrams: state.sequence.late,
        templates: state
            .templates
            .list()
            .into_iter()
            .map(|(id, template)| describe_template(dialect, id, template))
            .collect(),
        templates_expired: state.templates.expired,
        samplers: state.samplers.list(state.sysid, configured).collect(),
        names: state.names.counts().filter(|&(_, count)| count > 0).collect(),
        exported: state.exported_info(),
        sets_waiting: state.waiting.len(),
        quirks,
        sources: state.agent.sources().iter().map(describe_source).collect(),
        other_samples: state.agent.other_samples,
        counter_samples: state.agent.counter_samples,
        discarded_packets: state.agent.discarded_packets,
        skipped,
        skipped_others: skipped_others + state.agent.skipped.others,
    }
}

fn describe_source(source: &Source) -> SourceDescription {
    let &Source { id: (class, index), rate, samples, missed, dropped, .. } = source;
    SourceDescription { class, index, rate, samples, missed, dropped }
}

fn describe_template(dialect: Dialect, id: u16, template: &Template) -> TemplateDescription {
    let is_options = matches!(template.meaning, Meaning::Options(_));
    let scope = template.scope();
    let specifiers: Vec<Specifier> = template.specifiers().collect();
    let fields = specifiers.iter().enumerate().map(|(index, &specifier)| {
        let is_scope = index < scope;
        let becomes = match (is_options, is_scope) {
            (true, true) => Becomes::Scope,
            (true, false) if OptionsPlan::reads(dialect, false, specifier) => Becomes::Statement,
            (true, false) => Becomes::Skipped,
            (false, _) => becomes(dialect, &specifiers, index),
        };
        let name = if is_scope && dialect == Dialect::V9 {
            v9_scope(specifier.id).map(str::to_owned)
        } else {
            name_of(dialect, specifier).map(Into::into)
        };
        FieldDescription {
            enterprise: specifier.enterprise,
            id: specifier.id,
            name,
            len: (specifier.len != VARIABLE).then_some(specifier.len),
            becomes,
        }
    });
    let fields = fields.collect();
    let usage = template.usage();
    TemplateDescription { id, is_options, fields, records: usage.records, sent: usage.sent }
}

/// Fields to which several elements of a record contribute: by family, as seconds and microseconds, as type and code.
const COMPOSED: FieldSet = ADDRESSES.union(FieldSet::of(&[
    Field::ClientLatencyUs,
    Field::ServerLatencyUs,
    Field::AppLatencyUs,
    Field::DstPort,
]));

/// What becomes of field `index` of a template of flows.
fn becomes(dialect: Dialect, specifiers: &[Specifier], index: usize) -> Becomes {
    let Some(&specifier) = specifiers.get(index) else { return Becomes::Skipped };
    if specifier.len == 0 || !is_read(dialect, specifier) {
        return Becomes::Skipped;
    }
    let Some((field, rank)) = field_of(dialect, specifier) else {
        let is_list = matches!(
            specifier.standard(),
            Some(id::BASIC_LIST | id::SUB_TEMPLATE_LIST | id::SUB_TEMPLATE_MULTI_LIST)
        );
        return if is_list { Becomes::List } else { Becomes::Context };
    };
    let same_element =
        |other: &Specifier| (other.enterprise, other.id) == (specifier.enterprise, specifier.id);
    let is_preferred = |(place, other): (usize, &Specifier)| {
        let another =
            field_of(dialect, *other).filter(|&(filled, _)| filled == field && is_read(dialect, *other));
        let composes = COMPOSED.contains(field) && !same_element(other);
        other.len > 0
            && !composes
            && another.is_some_and(|(_, rank_of_other)| (rank_of_other, place) < (rank, index))
    };
    if specifiers.iter().enumerate().any(is_preferred) {
        Becomes::PassedOver(field)
    } else {
        Becomes::Field(field)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{
        Bench, NOW, ipfix, ipfix_options, octets, set, specifiers, template, v9, v9_options,
    };

    #[test]
    fn templates_say_what_becomes_of_their_fields() {
        let fields = [
            (8, 4),
            (27, 16),
            (85, 8),
            (1, 4),
            (8, 4),
            (34, 4),
            (291, u16::MAX),
            (31, 4),
            (2, 0),
            (152, 8),
            (150, 4),
        ];
        let mut bench = Bench::new();
        bench.good(&ipfix(0, 7, &[set(2, &[template(256, &fields)])]));
        let described = bench.decoder.describe();
        let template = described.first().and_then(|exporter| exporter.templates.first()).unwrap();
        let becomes: Vec<_> = template.fields.iter().map(|field| field.becomes).collect();
        let expected = [
            Becomes::Field(Field::SrcAddr),
            Becomes::Field(Field::SrcAddr),
            Becomes::PassedOver(Field::InBytes),
            Becomes::Field(Field::InBytes),
            Becomes::PassedOver(Field::SrcAddr),
            Becomes::Context,
            Becomes::List,
            Becomes::Skipped,
            Becomes::Skipped,
            Becomes::Field(Field::FirstMs),
            Becomes::PassedOver(Field::FirstMs),
        ];
        assert_eq!(becomes, expected);
        assert_eq!(template.fields.iter().filter_map(|field| field.len).count(), 10);
    }

    #[test]
    fn an_exporter_is_described_whole() {
        let mut bench = Bench::new();
        let options = v9_options(260, &[(2, 4)], &[(82, 8), (34, 4), (41, 4), (31, 4)]);
        let mut record = octets![7u32];
        record.extend(b"eth7\0\0\0\0");
        record.extend(octets![100u32, 55u32, 1u32]);
        bench.good(&v9(1, 9, &[set(1, &[options]), set(260, &[record])]));
        bench.take_at(NOW + 2_000, &v9(2, 9, &[set(300, &[vec![0; 8]])]));
        bench.take_at(NOW - 1_000, &v9(2, 9, &[vec![0; 40]]));
        let described = bench.decoder.describe();
        let exporter = described.first().unwrap();
        assert_eq!(exporter.skew, Some(ClockSkew { least_ms: -1_000, most_ms: 2_000, last_ms: -1_000 }));
        assert_eq!((exporter.expected_sequence, exporter.late_datagrams, exporter.restarts), (Some(3), 1, 0));
        assert_eq!(exporter.names, [(NameKind::Interface, 1)]);
        assert_eq!(exporter.samplers.first().and_then(|sampler| SamplerInfo::interface(sampler.id)), Some(7));
        assert_eq!(exporter.exported.map(|exported| exported.messages), Some(55));
        assert_eq!((exporter.sets_waiting, exporter.info.ledger.datagrams), (1, 3));
        // One datagram counts a record more than it has, one of zeros counts one too.
        let quirks = [(Quirk::RecordCount, 2), (Quirk::ZeroFilledTail, 1), (Quirk::DataBeforeTemplate, 1)];
        assert_eq!(exporter.quirks, quirks);
        let skipped =
            SkippedElement { enterprise: 0, id: 31, name: Some("flowLabelIPv6".to_owned()), records: 1 };
        assert_eq!(exporter.skipped, [skipped]);
        let fields = &exporter.templates.first().unwrap().fields;
        assert_eq!(fields.first().and_then(|field| field.name.as_deref()), Some("Interface"));
    }

    #[test]
    fn elements_of_enterprises_are_counted_by_both_numbers() {
        let mut definition = octets![256u16, 2u16];
        definition.extend(specifiers(&[(1, 4)]));
        definition.extend(octets![0x8001u16, 4u16, 4711u32]);
        let mut bench = Bench::new();
        let record = octets![1u32, 2u32];
        bench.good(&ipfix(0, 7, &[set(2, &[definition]), set(256, &[record.clone(), record])]));
        let options = ipfix_options(300, 1, &[(149, 4), (160, 8)]);
        bench.good(&ipfix(2, 7, &[set(3, &[options]), set(300, &[octets![7u32, NOW]])]));
        let described = bench.decoder.describe();
        let exporter = described.first().unwrap();
        assert_eq!(exporter.skipped, [SkippedElement { enterprise: 4711, id: 1, name: None, records: 2 }]);
        assert_eq!(exporter.init_ms, Some(NOW));
    }
}
