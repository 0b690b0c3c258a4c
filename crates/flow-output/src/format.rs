//! Formats, as `-o` names them.

use crate::Release;
use crate::fmt::{self, Piece};
use crate::pmacct;
use flow_model::{Aggregate, Field};

/// An output format.
#[derive(Clone, Debug, PartialEq)]
pub struct Format {
    pub(crate) kind: FormatKind,
    pub(crate) long_ipv6: bool,
}

/// What a format is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum FormatKind {
    /// Columns of text: the predefined formats and `fmt:`.
    Text(Vec<Piece>),
    /// nfdump's classic csv of 48 columns.
    Csv,
    /// csv with the columns that 1.7.5 introduced for speed, epoch times.
    CsvFast,
    /// csv with chosen columns.
    CsvColumns(Vec<Piece>),
    /// A json array.
    Json,
    /// A json object a line.
    NdJson,
    /// Numbers between bars.
    Pipe,
    /// pmacct's table of groups by these fields; none is for an element statistic.
    Pmacct(Vec<Field>),
    /// A line for each value.
    Raw,
    /// No rows.
    Null,
}

/// The predefined formats of text columns.
static PREDEFINED: &[(&str, &str)] = &[
    ("line", "%ts %td %pr %sap -> %dap %pkt %byt %fl"),
    ("gline", "%ts %td %pr %gsap -> %gdap %pkt %byt %fl"),
    ("long", "%ts %td %pr %sap -> %dap %flg %tos %pkt %byt %fl"),
    ("glong", "%ts %td %pr %gsap -> %gdap %flg %tos %pkt %byt %fl"),
    ("extended", "%ts %td %pr %sap -> %dap %flg %tos %pkt %byt %pps %bps %bpp %fl"),
    ("biline", "%ts %td %pr %sap <-> %dap %opkt %ipkt %obyt %ibyt %fl"),
    ("bilong", "%ts %td %pr %sap <-> %dap %flg %tos %opkt %ipkt %obyt %ibyt %fl"),
    ("nsel", "%tevt %evt %xevt %pr %sap -> %dap %xsap -> %xdap %ibyt %obyt"),
    ("nel", "%tevt %nevt %pr %sap -> %dap %nsap -> %ndap"),
    ("nat", "%ts %nevt %pr %sap -> %dap %nsap -> %ndap"),
];

/// The names of the predefined formats of text columns.
pub(crate) fn predefined_names() -> impl Iterator<Item = &'static str> {
    PREDEFINED.iter().map(|(name, _)| *name)
}

impl Default for Format {
    /// `line`.
    fn default() -> Self {
        Format::text(fmt::predefined_pieces("line"))
    }
}

impl Format {
    /// What the argument of `-o` means: a name in either case, with a 6 behind it for whole IPv6 addresses,
    /// or `fmt:` and tags, where `fmt:` may be left out before a `%`.
    ///
    /// # Errors
    /// nfdump's message when there is no such format or tag.
    pub fn parse(text: &str) -> Result<Format, FormatError> {
        Formats::default().parse(text)
    }

    /// The automatic format of `-A`: times, the key's columns in their order, counters.
    pub fn aggregate(columns: &[&Aggregate]) -> Format {
        let keys: Vec<String> = columns.iter().map(|column| format!("%{}", column.tag)).collect();
        let text = format!("%ts %td  {}  %pkt %byt %bps %bpp %fl", keys.join(" "));
        // The tags of the catalogue are known: its own tests look every one of them up.
        Format::text(
            fmt::parse(&text, &Formats::default()).unwrap_or_else(|_| fmt::predefined_pieces("line")),
        )
    }

    fn text(pieces: Vec<Piece>) -> Format {
        Format { kind: FormatKind::Text(pieces), long_ipv6: false }
    }

    /// Whether it is pmacct's table, which is about groups.
    pub fn is_of_groups(&self) -> bool {
        matches!(self.kind, FormatKind::Pmacct(_))
    }

    /// The format for groups by these fields. All but pmacct's table are the same for any.
    ///
    /// # Errors
    /// When pmacct has no column for one of them.
    pub fn for_groups(self, key: &[Field]) -> Result<Format, FormatError> {
        match self.kind {
            FormatKind::Pmacct(_) if pmacct::has_columns(key) => {
                Ok(Format { kind: FormatKind::Pmacct(key.to_vec()), ..self })
            }
            FormatKind::Pmacct(_) => Err(FormatError::NotOfPmacct),
            _ => Ok(self),
        }
    }

    /// Whether an empty result is said in words (without `-q`): in the formats made for people (D-04).
    pub fn says_no_match(&self) -> bool {
        matches!(self.kind, FormatKind::Text(_) | FormatKind::Raw | FormatKind::Null)
    }

    /// Whether the summary says how many flows were looked at.
    pub fn counts_processed(&self) -> bool {
        self.says_no_match()
    }

    /// Whether the output is json, in whatever form.
    pub fn is_json(&self) -> bool {
        matches!(self.kind, FormatKind::Json | FormatKind::NdJson)
    }

    /// Whether the format is one document, which several record statistics share.
    pub fn is_one_document(&self) -> bool {
        self.kind == FormatKind::Json
    }
}

/// The formats that names stand for: the predefined ones, and definitions of the user's own, which come before these.
#[derive(Clone, Debug)]
pub struct Formats {
    release: &'static Release,
    definitions: Vec<Definition>,
}

impl Default for Formats {
    /// Those of 1.7 alone.
    fn default() -> Self {
        Formats { release: Release::V1_7, definitions: Vec::new() }
    }
}

/// A format of the user's own.
#[derive(Clone, Debug)]
struct Definition {
    name: String,
    text: String,
    is_csv: bool,
}

impl Formats {
    /// Those of a release, with definitions of formats of text and of comma-separated values, each as `NAME=TEXT`. Of several with one name
    /// the last counts. A definition may name others, and what its own name meant before.
    ///
    /// # Errors
    /// A definition without name or text, or one that is no format.
    pub fn new(release: &'static Release, text: &[String], csv: &[String]) -> Result<Formats, FormatError> {
        let definitions = text
            .iter()
            .map(|definition| Definition::parse(definition, "fmt:", false))
            .chain(csv.iter().map(|definition| Definition::parse(definition, "csv:", true)))
            .collect::<Result<_, _>>()?;
        let formats = Formats { release, definitions };
        for definition in &formats.definitions {
            formats.of_definition(definition).map_err(|error| FormatError::Definition {
                name: definition.name.clone(),
                error: Box::new(error),
            })?;
        }
        Ok(formats)
    }

    /// What the argument of `-o` means: a name in either case, with a 6 behind it for whole IPv6 addresses, or `fmt:` and
    /// tags, where `fmt:` may be left out before a `%`.
    ///
    /// # Errors
    /// nfdump's message when there is no such format or tag.
    pub fn parse(&self, text: &str) -> Result<Format, FormatError> {
        if text.starts_with('%') {
            return Ok(Format::text(fmt::parse(text, self)?));
        }
        if let Some(tags) = strip_prefix_ignoring_case(text, "fmt:") {
            if tags.is_empty() {
                return Err(FormatError::MissingDescription);
            }
            return Ok(Format::text(fmt::parse(tags, self)?));
        }
        if let Some(tags) = strip_prefix_ignoring_case(text, "csv:") {
            if tags.is_empty() {
                return Err(FormatError::MissingDescription);
            }
            return Ok(Format { kind: FormatKind::CsvColumns(fmt::parse(tags, self)?), long_ipv6: false });
        }
        if let Some(definition) = self.definition(text) {
            return self.of_definition(definition);
        }
        let (name, long_ipv6) = match text.strip_suffix('6') {
            Some(name) if name.len() > 1 => (name, true),
            _ => (text, false),
        };
        if let Some(definition) = self.definition(name) {
            return Ok(Format { long_ipv6, ..self.of_definition(definition)? });
        }
        let lower = name.to_ascii_lowercase();
        let kind = match lower.as_str() {
            "csv" => FormatKind::Csv,
            "csv-fast" => FormatKind::CsvFast,
            "json" => FormatKind::Json,
            "ndjson" => FormatKind::NdJson,
            "pipe" => FormatKind::Pipe,
            "pmacct" => FormatKind::Pmacct(Vec::new()),
            "raw" => FormatKind::Raw,
            "null" => FormatKind::Null,
            _ => match self.predefined(&lower) {
                Some(text) => FormatKind::Text(fmt::parse(text, self)?),
                None => return Err(FormatError::UnknownMode { name: name.to_owned() }),
            },
        };
        Ok(Format { kind, long_ipv6 })
    }

    /// The text of a predefined format of text columns.
    pub(crate) fn predefined(&self, name: &str) -> Option<&'static str> {
        let known = |(known, _): &&(&str, &str)| *known == name;
        self.release.formats.iter().chain(PREDEFINED).find(known).map(|(_, text)| *text)
    }

    /// The names and texts of definitions, the one that counts first.
    pub(crate) fn definitions(&self) -> impl Iterator<Item = (&str, &str)> {
        self.definitions.iter().rev().map(|definition| (definition.name.as_str(), definition.text.as_str()))
    }

    fn definition(&self, name: &str) -> Option<&Definition> {
        self.definitions.iter().rfind(|definition| definition.name.eq_ignore_ascii_case(name))
    }

    fn of_definition(&self, definition: &Definition) -> Result<Format, FormatError> {
        let pieces = fmt::parse_within(&definition.name, &definition.text, self)?;
        let kind = if definition.is_csv { FormatKind::CsvColumns(pieces) } else { FormatKind::Text(pieces) };
        Ok(Format { kind, long_ipv6: false })
    }
}

impl Definition {
    /// Reads `NAME=TEXT`, where TEXT may begin with `prefix`.
    fn parse(definition: &str, prefix: &str, is_csv: bool) -> Result<Definition, FormatError> {
        let malformed = || FormatError::MalformedDefinition { definition: definition.to_owned() };
        let (name, text) = definition.split_once('=').ok_or_else(malformed)?;
        let is_name = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        let text = strip_prefix_ignoring_case(text, prefix).unwrap_or(text);
        if name.is_empty() || !name.bytes().all(is_name) || text.is_empty() {
            return Err(malformed());
        }
        Ok(Definition { name: name.to_owned(), text: text.to_owned(), is_csv })
    }
}

fn strip_prefix_ignoring_case<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let head = text.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// Why a format was not understood; the texts are nfdump's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// There is no format of that name.
    #[error("Unknown output mode '{name}'")]
    UnknownMode {
        /// The name, without its 6.
        name: String,
    },
    /// No tag stands where a `%` is.
    #[error("Output format parse error at: {rest}")]
    UnknownTag {
        /// The text from the `%` on.
        rest: String,
    },
    /// A definition that is not a name, `=` and a text.
    #[error("'{definition}' defines no format: NAME=TEXT, NAME of letters, digits, - and _")]
    MalformedDefinition {
        /// What was given.
        definition: String,
    },
    /// A definition whose text is no format.
    #[error("format {name}: {error}")]
    Definition {
        /// The format's name.
        name: String,
        /// What is wrong with its text.
        error: Box<FormatError>,
    },
    /// Definitions name each other.
    #[error("format {name} is defined by itself")]
    Circular {
        /// The format that was reached again.
        name: String,
    },
    /// Something that pmacct has no column for.
    #[error(
        "pmacct prints groups by addresses, ports, proto, tos, flags, masks, AS, interfaces and VLAN: -A or -s"
    )]
    NotOfPmacct,
    /// More columns than anybody reads.
    #[error("a format has at most {max} parts")]
    TooLong {
        /// The limit.
        max: usize,
    },
    /// `fmt:` without anything behind it.
    #[error("Missing format description for user defined output format!")]
    MissingDescription,
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::aggregate_by_name;

    fn error(text: &str) -> String {
        Format::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn names_in_either_case_and_with_a_6() {
        assert_eq!(Format::parse("LINE").unwrap(), Format::default());
        let long = Format::parse("line6").unwrap();
        assert!(long.long_ipv6);
        assert_eq!(long.kind, Format::default().kind);
        assert!(Format::parse("csv6").unwrap().long_ipv6);
        for name in
            ["csv", "json", "ndjson", "pipe", "raw", "null", "nsel", "nel", "nat", "csv-fast", "csv:%sa"]
        {
            assert!(!Format::parse(name).unwrap().long_ipv6, "{name}");
        }
    }

    #[test]
    fn messages_are_nfdumps() {
        assert_eq!(error("xx"), "Unknown output mode 'xx'");
        assert_eq!(error("line66"), "Unknown output mode 'line6'");
        assert_eq!(error("l6"), "Unknown output mode 'l6'");
        assert_eq!(error(""), "Unknown output mode ''");
        assert_eq!(error("fmt6:%sa"), "Unknown output mode 'fmt6:%sa'");
        assert_eq!(error("fmt:"), "Missing format description for user defined output format!");
        assert_eq!(error("fmt:a %zz x"), "Output format parse error at: %zz x");
        assert_eq!(error("fmt:%%"), "Output format parse error at: %%");
        assert_eq!(error("fmt:%sa %"), "Output format parse error at: %");
        assert_eq!(error("%LINE"), "Output format parse error at: %LINE");
        assert_eq!(error("fmt:%csv"), "Output format parse error at: %csv");
        assert_eq!(error("fmt:%sax"), "Output format parse error at: %sax");
    }

    #[test]
    fn definitions_name_each_other_and_what_they_replace() {
        let formats = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            Formats::new(Release::V1_7, &texts, &["rows=csv:%sa,%sp".to_owned()])
        };
        let known =
            formats(&["where=%ra %in", "LINE=%line %where", "line-2=fmt:%sa", "x6=%sp", "a=%line", "a=%da"])
                .unwrap();
        for (text, expected) in [
            ("where", "fmt:%ra %in"),
            ("line", "fmt:%ts %td %pr %sap -> %dap %pkt %byt %fl %ra %in"),
            ("fmt:%sp|%where.", "fmt:%sp|%ra %in."),
            ("%line-2,%long", "fmt:%sa,%ts %td %pr %sap -> %dap %flg %tos %pkt %byt %fl"),
            ("X6", "fmt:%sp"),
            ("a", "fmt:%da"),
            ("rows", "csv:%sa,%sp"),
            ("long", "long"),
        ] {
            assert_eq!(known.parse(text).unwrap(), Format::parse(expected).unwrap(), "{text}");
        }
        assert!(known.parse("where6").unwrap().long_ipv6);
        let error = |texts: &[&str]| formats(texts).unwrap_err().to_string();
        assert_eq!(error(&["a=%b", "b=%a"]), "format a: format a is defined by itself");
        assert_eq!(error(&["a=%nix"]), "format a: Output format parse error at: %nix");
        for wrong in ["a", "=%sa", "a=", "a b=%sa", "a=fmt:"] {
            let expected =
                format!("'{wrong}' defines no format: NAME=TEXT, NAME of letters, digits, - and _");
            assert_eq!(error(&[wrong]), expected);
        }
        let bomb: Vec<String> =
            (0..40).map(|n| format!("n{n}=%n{}%n{}", n + 1, n + 1)).chain(["n40=%sa".to_owned()]).collect();
        assert_eq!(
            Formats::new(Release::V1_7, &bomb, &[]).unwrap_err().to_string(),
            "format n0: a format has at most 4096 parts"
        );
    }

    #[test]
    fn the_longest_tag_that_no_letter_follows() {
        let pieces = |text: &str| match Format::parse(text).unwrap().kind {
            FormatKind::Text(pieces) => pieces,
            kind => panic!("{kind:?}"),
        };
        let names = |text: &str| -> Vec<String> {
            pieces(text)
                .into_iter()
                .map(|piece| match piece {
                    Piece::Tag(tag) => tag.name.to_owned(),
                    Piece::Literal(text) => format!("{text:?}"),
                })
                .collect()
        };
        assert_eq!(names("fmt:%sa%da"), ["sa", "da"]);
        assert_eq!(names("FMT:%sap6,%mpls10_%mpls1"), ["sap", "\"6,\"", "mpls10", "\"_\"", "mpls1"]);
        assert_eq!(names("%sa\u{e4}%sp"), ["sa", "\"\u{e4}\"", "sp"]);
        assert_eq!(pieces("fmt:%line"), pieces("line"));
        assert_eq!(pieces("fmt:%sp %long6").len(), 2 + pieces("long").len() + 1);
    }

    #[test]
    fn the_automatic_format_has_the_key_between_two_blanks() {
        let columns = ["srcip", "proto"].map(|name| aggregate_by_name(name).unwrap());
        let FormatKind::Text(pieces) = Format::aggregate(&columns).kind else { panic!("text") };
        let mut header = Vec::new();
        fmt::header(&pieces, false, Release::V1_7, &mut header);
        assert_eq!(
            String::from_utf8(header).unwrap(),
            "Date first seen             Duration           Src IP Addr Proto   Packets    Bytes      bps    Bpp Flows"
        );
        for aggregate in flow_model::fields().iter().flat_map(|info| info.aggregates) {
            let text = format!("%ts %td  %{}  %pkt %byt %bps %bpp %fl", aggregate.tag);
            assert_eq!(Format::aggregate(&[aggregate]), Format::parse(&text).unwrap());
        }
    }
}
