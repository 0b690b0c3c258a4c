//! The tags of nfdump 1.7.5 and later.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

use flow_model::{BatchBuilder, Before, Column, Field, FieldSet, FlowBatch, Selection, Value};
use flow_output::{Format, OutputOptions, RecordPrinter, Zone};

fn row(batch: &FlowBatch, format: &str) -> String {
    let options = OutputOptions { quiet: true, zone: Zone::fixed(3_600), ..OutputOptions::default() };
    let printer = RecordPrinter::new(Format::parse(format).unwrap(), options);
    let mut out = Vec::new();
    printer.header(&mut out);
    printer.rows(batch, &Selection::all(1), Before::default(), &mut out);
    String::from_utf8(out).unwrap()
}

fn flow(nums: &[(Field, u64)], texts: &[(Field, &str)]) -> FlowBatch {
    let mut builder = BatchBuilder::new();
    for &(field, num) in nums {
        builder.set(field, num);
    }
    for (field, text) in texts {
        builder.set_bytes(*field, text.as_bytes());
    }
    builder.finish_row();
    let mut batch = builder.finish();
    batch.mark_decoded(FieldSet::COMPUTED);
    batch
}

#[test]
fn a_flow_without_these_fields() {
    let flow = flow(&[(Field::FirstMs, 1_700_000_000_123)], &[]);
    assert_eq!(row(&flow, "%ts|%tsg"), "2023-11-14 23:13:20.123|2023-11-14 22:13:20.123\n");
    assert_eq!(row(&flow, "%flid|%isid|%osid|%nats"), "                    0|       0|       0|<unknown>\n");
    assert_eq!(row(&flow, "%ttl|%minttl|%maxttl|%frag"), "    0     0|     0|     0|----\n");
    assert_eq!(
        row(&flow, "%pfifn|%pfact|%pfrea|%pfdir|%pfrule"),
        "  <no-pf>|<no-pf>|<no-pf>|<no pfinfo>|   0\n"
    );
    assert_eq!(row(&flow, "%ja4|%tls"), format!("{:>38}|      0\n", "no ja4"));
}

/// A fingerprint is there or not, and is shown without the payload that it is of, too: groups have none.
#[test]
fn fingerprints_with_and_without_payload() {
    let mut flow = flow(&[], &[(Field::InPayload, "SSH-2.0")]);
    assert_eq!(row(&flow, "%ja3|%ja4|%eth"), format!("{:>32}|{:>38}|0x0000\n", "ja3 error", "no ja4"));
    let text = |text: &str| Column::Constant(Value::Bytes(text.as_bytes().into()));
    let (ja3, ja4) = ("de350869b8c85de67a350c8d186f11e6", "t13d1516h2_8daaf6152771_e5627efa2ab1");
    flow.insert(Field::Ja3, text(ja3));
    flow.insert(Field::Ja4, text(ja4));
    for payload in ["GET /", ""] {
        flow.insert(Field::InPayload, text(payload));
        assert_eq!(row(&flow, "%ja3|%ja4"), format!("{ja3}|ja4 : {ja4}\n"));
    }
}

#[test]
fn a_flow_with_them() {
    let flow = flow(
        &[
            (Field::FlowId, u64::MAX),
            (Field::NokiaInsideSid, 7),
            (Field::NokiaOutsideSid, 65_535),
            (Field::MinTtl, 3),
            (Field::MaxTtl, 255),
            (Field::FragmentFlags, 0x20),
            (Field::PfAction, 1),
            (Field::PfReason, 200),
            (Field::PfDir, 1),
            (Field::PfRule, 12_345),
        ],
        &[(Field::NokiaNatString, "sub"), (Field::PfInterface, "em0")],
    );
    assert_eq!(row(&flow, "%flid|%isid|%osid|%nats"), " 18446744073709551615|       7|   65535|sub\n");
    assert_eq!(row(&flow, "%ttl|%minttl|%maxttl|%frag"), "    3   255|     3|   255|--MF\n");
    assert_eq!(row(&flow, "%pfifn|%pfact|%pfrea|%pfdir|%pfrule"), "      em0| block|   200| in|12345\n");
    assert_eq!(row(&flow, "csv:%pfifn,%pfact,%ttl"), "em0,block,3 255\n");
}
