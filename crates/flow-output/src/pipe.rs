//! The columns between bars that 1.6 prints: alarms of consoles parse them (D-02).

use crate::cell::Form;
use crate::layout::Layout;
use flow_model::Field;

/// The layout of a record. ICMP has type * 256 + code as destination port, protocol and flags are numbers.
pub(crate) fn record() -> Layout {
    let mut layout = Layout::default();
    layout.cell(Form::Family, [Field::SrcAddr], 0);
    for time in [Field::FirstMs, Field::LastMs] {
        layout.literal("|").cell(Form::UnixSeconds, [time], 0).literal("|").cell(Form::UnixMillis, [time], 0);
    }
    nums(&mut layout, &[Field::Proto]);
    layout.literal("|").cell(Form::Words, [Field::SrcAddr], 0);
    nums(&mut layout, &[Field::SrcPort]);
    layout.literal("|").cell(Form::Words, [Field::DstAddr], 0);
    nums(
        &mut layout,
        &[
            Field::DstPort,
            Field::SrcAs,
            Field::DstAs,
            Field::Input,
            Field::Output,
            Field::TcpFlags,
            Field::SrcTos,
            Field::InPackets,
            Field::InBytes,
        ],
    );
    layout.literal("\n");
    layout
}

fn nums(layout: &mut Layout, fields: &[Field]) {
    for &field in fields {
        layout.literal("|").cell(Form::Num, [field], 0);
    }
}
