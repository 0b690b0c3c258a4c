//! The tags of nfdump 1.7.5 and later.
#![expect(clippy::unwrap_used, reason = "a test may fail where it likes")]

use flow_model::{BatchBuilder, Before, Field, FlowBatch, Selection};
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
    builder.finish()
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
