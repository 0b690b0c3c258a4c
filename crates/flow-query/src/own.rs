//! The computed fields that depend on which networks are one's own: both ends of a flow decide them together.

use flow_model::{Column, Field, FlowBatch, FlowSide, OwnNetworks, Selection, Values};
use std::net::{IpAddr, Ipv4Addr};

/// The column of one of them, of a batch in which both addresses are decoded. Rows that are not selected may have any value.
pub(crate) fn column(
    field: Field,
    selection: &Selection,
    networks: Option<&dyn OwnNetworks>,
    batch: &FlowBatch,
) -> Column {
    let ends @ [src, dst] = [Field::SrcAddr, Field::DstAddr].map(|field| batch.column(field));
    let numbers = ends.map(|addrs| numbers(addrs, selection, networks));
    let sides = Sides { numbers, selection, len: batch.len() };
    let [src_numbers, dst_numbers] = &sides.numbers;
    let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    Column::Plain(match field {
        Field::SrcNetwork | Field::DstNetwork => {
            let [src, dst] = sides.numbers;
            Values::U32(if field == Field::SrcNetwork { src } else { dst })
        }
        Field::LocalAddr => Values::Ip(sides.each(nowhere, |side, row| match side {
            FlowSide::Inbound => dst.ip(row),
            FlowSide::Outbound | FlowSide::Internal => src.ip(row),
            FlowSide::Transit => nowhere,
        })),
        Field::PeerAddr => Values::Ip(sides.each(nowhere, |side, row| match side {
            FlowSide::Inbound => src.ip(row),
            FlowSide::Outbound | FlowSide::Internal => dst.ip(row),
            FlowSide::Transit => nowhere,
        })),
        Field::LocalNetwork => Values::U32(sides.each(0, |side, row| match side {
            FlowSide::Inbound => dst_numbers[row],
            FlowSide::Outbound | FlowSide::Internal => src_numbers[row],
            FlowSide::Transit => 0,
        })),
        _ => Values::U8(sides.each(0, |side, _| side as u8)),
    })
}

/// Which ends of the rows of a batch are one's own.
struct Sides<'a> {
    numbers: [Vec<u32>; 2],
    selection: &'a Selection,
    len: usize,
}

impl Sides<'_> {
    fn each<T: Clone>(&self, other: T, of: impl Fn(FlowSide, usize) -> T) -> Vec<T> {
        let [src, dst] = &self.numbers;
        let mut values = vec![other; self.len];
        self.selection.for_each(|row| values[row] = of(FlowSide::of(src[row] != 0, dst[row] != 0), row));
        values
    }
}

/// The number of the own network of each address, which is looked for once for each entry of a dictionary.
fn numbers(addrs: &Column, selection: &Selection, networks: Option<&dyn OwnNetworks>) -> Vec<u32> {
    let number_of = |addr| networks.map_or(0, |networks| networks.number_of(addr));
    let mut numbers = vec![0; selection.len()];
    match addrs {
        Column::Constant(_) => numbers.fill(number_of(addrs.ip(0))),
        Column::Dictionary(dictionary) => {
            if let Values::Ip(entries) = &dictionary.values {
                let entries: Vec<u32> = entries.iter().map(|&addr| number_of(addr)).collect();
                for (number, &code) in numbers.iter_mut().zip(&dictionary.codes) {
                    // The codes of rows that are not selected may be anything.
                    *number = entries.get(usize::from(code)).copied().unwrap_or(0);
                }
            }
        }
        Column::Plain(_) => selection.for_each(|row| numbers[row] = number_of(addrs.ip(row))),
    }
    numbers
}
