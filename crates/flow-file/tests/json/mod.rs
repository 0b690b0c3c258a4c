//! Flows as JSON lines, the way `testdata/tools/rdread.py` prints them.
#![allow(dead_code, reason = "each test uses a part")]

use flow_model::{Field, FieldSet, FlowBatch, ValueRef, field_info};
use serde_json::{Map, Value};
use std::fmt::Write;
use std::net::IpAddr;

/// One line a flow: the fields that are not at their default.
pub(crate) fn lines(batches: &[FlowBatch]) -> String {
    let mut out = String::new();
    for batch in batches {
        for row in 0..batch.len() {
            let mut flow = Map::new();
            for field in Field::ALL.iter().filter(|&&field| batch.column(field).get(row) != default(field)) {
                let value = match batch.column(*field).get(row) {
                    ValueRef::Num(num) => Value::from(num),
                    ValueRef::Ip(addr) => Value::from(addr.to_string()),
                    ValueRef::Bytes(octets) => {
                        let mut hex = String::new();
                        for octet in octets {
                            write!(hex, "{octet:02x}").unwrap();
                        }
                        Value::from(hex)
                    }
                };
                flow.insert(field_info(*field).name.into(), value);
            }
            writeln!(out, "{}", Value::Object(flow)).unwrap();
        }
    }
    out
}

/// Whether the lines are these flows; a field that a line lacks must be at its default.
pub(crate) fn compare(lines: &str, batches: &[FlowBatch]) -> Result<(), String> {
    let mut lines = lines.lines().enumerate();
    for batch in batches {
        for row in 0..batch.len() {
            let (number, line) = lines.next().ok_or("flows are missing")?;
            let flow: Map<String, Value> =
                serde_json::from_str(line).map_err(|error| format!("line {number}: {error}"))?;
            for &field in Field::ALL {
                let name = field_info(field).name;
                let expected = batch.column(field).get(row);
                let same = match (flow.get(name), expected) {
                    (None, expected) => expected == default(field),
                    (Some(value), ValueRef::Num(num)) => value.as_u64() == Some(num),
                    (Some(value), ValueRef::Ip(addr)) => {
                        value.as_str().and_then(|text| text.parse::<IpAddr>().ok()) == Some(addr)
                    }
                    (Some(value), ValueRef::Bytes(octets)) => {
                        value.as_str().and_then(octets_of).as_deref() == Some(octets)
                    }
                };
                if !same {
                    return Err(format!(
                        "line {number}: {name} is {:?}, expected {expected:?}",
                        flow.get(name)
                    ));
                }
            }
            if let Some(name) =
                flow.keys().find(|name| !Field::ALL.iter().any(|&f| field_info(f).name == **name))
            {
                return Err(format!("line {number}: unknown field {name}"));
            }
        }
    }
    lines.next().map_or(Ok(()), |(number, _)| Err(format!("line {number} is one too many")))
}

fn default(field: Field) -> ValueRef<'static> {
    static ABSENT: std::sync::LazyLock<FlowBatch> = std::sync::LazyLock::new(|| {
        let mut batch = FlowBatch::new(1);
        batch.mark_decoded(FieldSet::ALL);
        batch
    });
    ABSENT.column(field).get(0)
}

fn octets_of(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}
