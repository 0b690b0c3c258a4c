//! What holds for any flows.
#![expect(clippy::unwrap_used, reason = "a panic is a failed test")]

use flow_model::{
    Before, FieldInfo, FieldSet, FlowBatch, Selection, Source, TagStyle, fields, protocol_by_name,
};
use flow_output::{Format, OutputOptions, RecordPrinter, Zone};
use flow_testkit::generate::{self, Mix};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::HashMap;

const FORMATS: [&str; 12] = [
    "line",
    "extended6",
    "bilong",
    "nsel",
    "nel",
    "csv",
    "csv-fast",
    "csv:%ts %sap %pr",
    "json",
    "ndjson",
    "pipe",
    "raw",
];

fn printer(format: &str) -> RecordPrinter {
    let options = OutputOptions { zone: Zone::fixed(3_600), ..OutputOptions::default() };
    RecordPrinter::new(Format::parse(format).unwrap(), options)
}

/// Everything a list consists of, its rows printed block by block.
fn list(format: &str, batch: &FlowBatch, blocks: &[Selection]) -> Vec<u8> {
    let printer = printer(format);
    let mut out = Vec::new();
    printer.header(&mut out);
    let mut number = 0;
    for block in blocks {
        // As a worker does it: into a buffer of its own.
        let mut text = Vec::new();
        printer.rows(batch, block, Before { selected: number, rows: 0 }, &mut text);
        out.extend(text);
        number += block.count() as u64;
    }
    printer.footer(number, &mut out);
    out
}

/// Keys and values, numbers as text: numbers of events are quoted in one form only.
fn values(object: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    object.as_object().unwrap().iter().map(|(key, value)| (key.clone(), text(value))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_into_blocks_gives_the_same_text(seed in any::<u64>(), rows in 0_usize..120, cut in 0_usize..120) {
        let batch = generate::batch(seed, rows, Mix::default());
        let cut = cut.min(rows) as u32;
        let parts = [(0..cut).collect(), (cut..rows as u32).collect()];
        let blocks = parts.map(|part| Selection::from_rows(rows, part));
        for format in FORMATS {
            let whole = list(format, &batch, &[Selection::all(rows)]);
            prop_assert_eq!(whole, list(format, &batch, &blocks), "{}", format);
        }
    }

    #[test]
    fn json_is_valid_and_says_the_same_in_both_forms(seed in any::<u64>(), rows in 0_usize..60) {
        let batch = generate::batch(seed, rows, Mix::default());
        let all = [Selection::all(rows)];
        let text = String::from_utf8(list("json", &batch, &all)).unwrap();
        let array: Vec<Value> = serde_json::from_str(&text).unwrap();
        let lines = String::from_utf8(list("ndjson", &batch, &all)).unwrap();
        let objects: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        prop_assert_eq!(array.len(), rows);
        let as_text = |objects: &[Value]| objects.iter().map(values).collect::<Vec<_>>();
        prop_assert_eq!(as_text(&array), as_text(&objects));
        // A key that stood twice would be lost in the object.
        let keys: usize = array.iter().map(|object| object.as_object().unwrap().len()).sum();
        prop_assert_eq!(text.lines().filter(|line| line.starts_with('\t')).count(), keys);
    }

    #[test]
    fn a_record_is_a_line(seed in any::<u64>(), rows in 0_usize..60) {
        let batch = generate::batch(seed, rows, Mix::default());
        for format in FORMATS.into_iter().filter(|format| !matches!(*format, "json" | "raw")) {
            let mut out = Vec::new();
            printer(format).rows(&batch, &Selection::all(rows), Before::default(), &mut out);
            let text = String::from_utf8(out).unwrap();
            prop_assert_eq!(text.lines().count(), rows, "{}", format);
            if format == "csv" {
                prop_assert!(text.lines().all(|line| line.split(',').count() == 48));
            }
        }
    }
}

/// Keys that are not those of the catalogue.
const OTHER_KEYS: [(&str, &str); 2] = [("odid", "observationDoaminID"), ("opid", "observationPointID")];

/// The fields that csv can be asked for by tag and json has a key for, whatever form each gives the value.
fn columns() -> Vec<(&'static str, &'static str, TagStyle)> {
    let compared = |style: &TagStyle| {
        // Names of events, and of networks, are keys of their own.
        !matches!(style, TagStyle::Event | TagStyle::NatEvent | TagStyle::Xevent | TagStyle::Network(_))
    };
    let of_field = |info: &'static FieldInfo| {
        let tag =
            info.tags.iter().find(|tag| compared(&tag.style) && tag.source == Source::Field(info.field))?;
        let other = OTHER_KEYS.iter().find(|(name, _)| *name == tag.name).map(|(_, key)| *key);
        Some((tag.name, info.json.or(other)?, tag.style))
    };
    // What is computed stands in no batch of its own accord.
    fields().iter().filter(|info| FieldSet::ALL.contains(info.field)).filter_map(of_field).collect()
}

/// What json says where csv says this; `None` where csv leaves something out.
fn as_json(text: &str, style: TagStyle) -> Option<String> {
    let hex = |number: &str| format!("{:#x}", number.parse::<u64>().unwrap());
    Some(match style {
        TagStyle::Time => text.replacen(' ', "T", 1),
        TagStyle::Proto => {
            protocol_by_name(text).map_or_else(|| text.to_owned(), |number| number.to_string())
        }
        TagStyle::Latency => Value::from(text.parse::<f64>().unwrap()).to_string(),
        TagStyle::Hex => u64::from_str_radix(text.strip_prefix("0x")?, 16).unwrap().to_string(),
        TagStyle::AclHex => text.replace(' ', "/"),
        TagStyle::AclDecimal => text.split(' ').map(hex).collect::<Vec<_>>().join("/"),
        TagStyle::Direction => if text == "I" { "0" } else { "1" }.to_owned(),
        // Only those of TCP have letters.
        TagStyle::TcpFlags if text == "........" => return None,
        _ => text.to_owned(),
    })
}

proptest! {
    #[test]
    fn csv_json_and_ndjson_carry_the_same_values(
        seed in any::<u64>(),
        rows in 1_usize..60,
        chosen in prop::sample::subsequence(columns(), 1..=columns().len()),
    ) {
        let batch = generate::batch(seed, rows, Mix::default());
        let all = [Selection::all(rows)];
        let tags: Vec<String> = chosen.iter().map(|(tag, ..)| format!("%{tag}")).collect();
        let csv = String::from_utf8(list(&format!("csv:{}", tags.join(",")), &batch, &all)).unwrap();
        let array: Vec<Value> = serde_json::from_slice(&list("json", &batch, &all)).unwrap();
        let lines = String::from_utf8(list("ndjson", &batch, &all)).unwrap();
        let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let csv: Vec<&str> = csv.lines().skip(1).collect();
        prop_assert_eq!((csv.len(), array.len(), lines.len()), (rows, rows, rows));
        let mut compared = 0;
        for (csv, (object, line)) in csv.iter().zip(array.iter().zip(&lines)) {
            prop_assert_eq!(values(object), values(line));
            let (csv, object): (Vec<&str>, HashMap<_, _>) = (csv.split(',').collect(), values(object).into_iter().collect());
            prop_assert_eq!(csv.len(), chosen.len());
            for (text, (tag, key, style)) in csv.iter().zip(&chosen) {
                // A record that does not carry a group of fields has no keys for it.
                let keys = if key.contains("{}") { vec![key.replace("{}", "4"), key.replace("{}", "6")] } else { vec![(*key).to_owned()] };
                if let (Some(expected), Some(value)) = (as_json(text, *style), keys.iter().find_map(|key| object.get(key))) {
                    prop_assert_eq!(&expected, value, "%{} and {}", tag, key);
                    compared += 1;
                }
            }
        }
        prop_assert!(compared > 0 || chosen.len() < columns().len());
    }
}
