//! `cargo xtask reference`: the tables of docs/reference.md, from the catalogue of fields.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use flow_model::{
    Aggregate, DERIVED, Element, Field, FieldInfo, FilterWord, Side, Source, Statistic, Tag, TagStyle,
    field_info, fields,
};

use crate::programs::root;

/// The page.
pub fn path() -> PathBuf {
    root().join("docs/reference.md")
}

/// Writes the page.
///
/// # Errors
///
/// When it cannot be written.
pub fn write() -> Result<()> {
    let path = path();
    fs::write(&path, page()).with_context(|| path.display().to_string())?;
    println!("{}", path.display());
    Ok(())
}

/// The page's text.
pub fn page() -> String {
    let mut page = String::from(
        "# Reference\n\nWhat each value of a flow is called. Made by `cargo xtask reference` from the catalogue that the programs read.\n",
    );
    section(
        &mut page,
        "Columns",
        "`rdump -o 'fmt:%ts %sap %dap %byt'` prints these; upper and lower case differ, text between stays. Predefined formats are made of \
         them, too.",
        ["column", "heading", "shows"],
        columns(),
    );
    section(
        &mut page,
        "Statistics",
        "`rdump -s NAME[:p]/ORDER`, with `:p` one for each protocol. Orders: `flows`, `packets`, `bytes`, `pps`, `bps`, `bpp`, and the \
         same with `i` or `o` in front for one direction.",
        ["name", "heading", "over"],
        statistics(),
    );
    section(
        &mut page,
        "Aggregation",
        "`rdump -A NAME,NAME`; addresses take a prefix length, as in `srcip4/24` and `srcip6/64`.",
        ["name", "column", "value"],
        aggregates(),
    );
    section(
        &mut page,
        "Filter words",
        "By value; [filter.md](filter.md) has them by word, with what may follow each, and the language around them.",
        ["value", "words"],
        filter_words(),
    );
    section(
        &mut page,
        "json, csv, and what exporters send",
        "Elements are of NetFlow v9 and IPFIX unless one of them is named; `enterprise.id` are a vendor's. `{}` is 4 or 6, the address's family.",
        ["value", "json", "csv", "information elements"],
        keys(),
    );
    page
}

fn section<const N: usize>(
    page: &mut String,
    title: &str,
    text: &str,
    head: [&str; N],
    rows: Vec<[String; N]>,
) {
    let _ = write!(page, "\n## {title}\n\n{text}\n\n| {} |\n|{}\n", head.join(" | "), "---|".repeat(N));
    for row in rows {
        let _ = writeln!(page, "| {} |", row.join(" | "));
    }
}

fn columns() -> Vec<[String; 3]> {
    let derived = DERIVED.iter().flat_map(|info| info.tags);
    let tags = fields().iter().flat_map(|info| info.tags).chain(derived);
    // One heading and value may have several names.
    let mut rows: Vec<(Vec<&str>, &Tag)> = Vec::new();
    for tag in tags {
        let same =
            |other: &Tag| (other.header, other.style, other.source) == (tag.header, tag.style, tag.source);
        match rows.iter_mut().find(|(_, other)| same(other)) {
            Some((names, _)) => names.push(tag.name),
            None => rows.push((vec![tag.name], tag)),
        }
    }
    rows.into_iter()
        .map(|(names, tag)| {
            let names: Vec<String> = names.iter().map(|name| format!("`%{name}`")).collect();
            [names.join(" "), cell(tag.header), shows(tag)]
        })
        .collect()
}

/// What a column shows, as far as its heading does not say it.
fn shows(tag: &Tag) -> String {
    let value = value(tag.source);
    match tag.style {
        TagStyle::AddrPort(port) => format!("{value}, {}", field_info(port).name),
        TagStyle::AddrCountry => format!("{value}, country"),
        TagStyle::AddrCountryPort(port) => format!("{value}, country, {}", field_info(port).name),
        TagStyle::Network(mask) => format!("{value} masked by {}", field_info(mask).name),
        TagStyle::Scaled => format!("{value}, scaled to M, G and T"),
        TagStyle::TimeUtc => format!("{value}, UTC"),
        TagStyle::TimeRaw => format!("{value}, seconds since 1970"),
        TagStyle::TimeMillis => format!("{value}, milliseconds since 1970"),
        TagStyle::DurationSeconds => format!("{value}, seconds"),
        TagStyle::IcmpPort => format!("{value}; type.code of ICMP"),
        TagStyle::Hex | TagStyle::AclHex => format!("{value}, hexadecimal"),
        TagStyle::Latency => format!("{value}, milliseconds"),
        _ => value,
    }
}

/// The name of a value.
fn value(source: Source) -> String {
    match source {
        Source::Field(field) => field_info(field).name.to_owned(),
        Source::Derived(derived) => words(&derived, '_') + " (computed)",
    }
}

/// The words in the name of a variant.
fn words(variant: &impl fmt::Debug, between: char) -> String {
    let mut text = String::new();
    for letter in format!("{variant:?}").chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push(between);
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

fn statistics() -> Vec<[String; 3]> {
    let row = |statistic: &Statistic| {
        [format!("`{}`", statistic.name), cell(statistic.heading), names(statistic.fields)]
    };
    sorted(fields().iter().flat_map(|info| info.statistics).map(row))
}

fn aggregates() -> Vec<[String; 3]> {
    let row = |aggregate: &Aggregate| {
        [format!("`{}`", aggregate.name), format!("`%{}`", aggregate.tag), value(aggregate.source)]
    };
    sorted(fields().iter().flat_map(|info| info.aggregates).map(row))
}

fn filter_words() -> Vec<[String; 2]> {
    let words = |words: &[FilterWord]| {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", phrase(word))).collect();
        words.join(" ")
    };
    let mut rows: Vec<[String; 2]> = fields()
        .iter()
        .filter(|info| !info.filter.is_empty())
        .map(|info| [info.name.to_owned(), words(info.filter)])
        .collect();
    rows.extend(
        DERIVED
            .iter()
            .filter(|info| !info.filter.is_empty())
            .map(|info| [value(Source::Derived(info.derived)), words(info.filter)]),
    );
    rows
}

/// A word with what stands in front of it; in brackets where it may be left out.
fn phrase(FilterWord { word, side, undirected, .. }: &FilterWord) -> String {
    if *side == Side::None {
        return (*word).to_owned();
    }
    let side = words(side, ' ');
    if *undirected { format!("[{side}] {word}") } else { format!("{side} {word}") }
}

fn keys() -> Vec<[String; 4]> {
    let code = |text: Option<&str>| text.map(|text| format!("`{text}`")).unwrap_or_default();
    fields()
        .iter()
        .filter(|info| info.json.is_some() || info.csv.is_some() || !info.elements.is_empty())
        .map(|FieldInfo { name, json, csv, elements: sent, .. }| {
            [(*name).to_owned(), code(*json), code(*csv), elements(sent)]
        })
        .collect()
}

fn elements(elements: &[Element]) -> String {
    let mut by_protocol: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for Element { enterprise, id, v9, ipfix } in elements {
        let protocol = match (v9, ipfix) {
            (true, false) => "v9: ",
            (false, true) => "IPFIX: ",
            _ => "",
        };
        let id = if *enterprise == 0 { id.to_string() } else { format!("{enterprise}.{id}") };
        by_protocol.entry(protocol).or_default().push(id);
    }
    let lists: Vec<String> =
        by_protocol.iter().map(|(protocol, ids)| format!("{protocol}{}", ids.join(", "))).collect();
    lists.join("; ")
}

fn names(fields: &[Field]) -> String {
    fields.iter().map(|field| field_info(*field).name).collect::<Vec<_>>().join(", ")
}

/// Text in a cell of a table.
fn cell(text: &str) -> String {
    text.trim().replace('|', "\\|")
}

fn sorted<const N: usize>(rows: impl Iterator<Item = [String; N]>) -> Vec<[String; N]> {
    let mut rows: Vec<[String; N]> = rows.collect();
    rows.sort();
    rows.dedup();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_current() {
        let written = fs::read_to_string(path()).unwrap();
        assert!(written == page(), "docs/reference.md is not that of the catalogue: cargo xtask reference");
    }

    #[test]
    fn every_row_of_a_table_has_its_cells() {
        let mut cells = 0;
        for line in page().lines().filter(|line| line.starts_with('|')) {
            let bars = line.replace("\\|", "").matches('|').count();
            if line.starts_with("|---") {
                assert_eq!(bars, cells, "{line}");
            }
            cells = bars;
        }
        let page = page();
        for name in ["`%sap`", "`srcip`", "`[src] ip`", "`src{}_addr`", "8, 27"] {
            assert!(page.contains(name), "{name}");
        }
    }
}
