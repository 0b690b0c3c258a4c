//! Flows of both directions (`-b`, `-B`).

use flow_model::{Column, Field, FieldSet, FlowBatch, Protocol, Values, field_info};

/// Whether a flow and the flow back are one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// They are two groups.
    #[default]
    OneWay,
    /// Flows of TCP and UDP are one group with those of the opposite addresses and ports (`-b`). What goes the way of the
    /// group's first flow counts in, what goes the other way out; TCP flags are those of the first flow's way.
    Both,
    /// The same, and whoever looks like the client stands on the left (`-B`).
    ClientFirst,
}

/// What changes sides when the client is put on the left: nfdump 1.7.1 leaves everything else where it is.
const SIDES: [(Field, Field); 6] = [
    (Field::SrcAddr, Field::DstAddr),
    (Field::SrcPort, Field::DstPort),
    (Field::SrcAs, Field::DstAs),
    (Field::Input, Field::Output),
    (Field::InPackets, Field::OutPackets),
    (Field::InBytes, Field::OutBytes),
];

/// The field that stands for the other end of a flow.
pub(crate) fn opposite(field: Field) -> Field {
    let other = |&(left, right): &(Field, Field)| {
        if field == left { Some(right) } else { (field == right).then_some(left) }
    };
    SIDES.iter().find_map(other).unwrap_or(field)
}

/// The same fields with their opposites.
pub(crate) fn with_opposites(fields: FieldSet) -> FieldSet {
    fields.union(fields.iter().map(opposite).collect())
}

/// The key of both directions: of the two ends of a TCP or UDP flow the smaller is on the left. `turned` says for each row
/// whether that is the other way round than it was.
pub(crate) fn unify(batch: &FlowBatch, turned: &mut Vec<bool>) -> FlowBatch {
    let [src, dst] = [Field::SrcAddr, Field::DstAddr].map(|field| batch.column(field));
    let [src_port, dst_port] = [Field::SrcPort, Field::DstPort].map(|field| batch.column(field));
    let rows = batch.len();
    turned.clear();
    turned.extend((0..rows).map(|row| {
        has_two_ways(batch, row) && (src.ip(row), src_port.num(row)) > (dst.ip(row), dst_port.num(row))
    }));
    let mut unified = FlowBatch::new(rows);
    for (field, own, other) in [(Field::SrcAddr, src, dst), (Field::DstAddr, dst, src)] {
        let addrs = turned.iter().enumerate().map(|(row, &turned)| if turned { other } else { own }.ip(row));
        unified.insert(field, Column::Plain(Values::Ip(addrs.collect())));
    }
    for (field, own, other) in [(Field::SrcPort, src_port, dst_port), (Field::DstPort, dst_port, src_port)] {
        let ports =
            turned.iter().enumerate().map(|(row, &turned)| if turned { other } else { own }.num(row) as u16);
        unified.insert(field, Column::Plain(Values::U16(ports.collect())));
    }
    unified.insert(Field::Proto, batch.column(Field::Proto).clone());
    unified.mark_decoded(batch.decoded());
    unified
}

/// Turns the flows round whose client is on the right. Both fields of a pair must be decoded, or none.
pub(crate) fn put_clients_left(batch: &mut FlowBatch) {
    let turned: Vec<bool> = (0..batch.len())
        .map(|row| {
            let port = |field| batch.column(field).num(row) as u16;
            has_two_ways(batch, row) && is_from_server(port(Field::SrcPort), port(Field::DstPort))
        })
        .collect();
    if !turned.contains(&true) {
        return;
    }
    for (left, right) in SIDES {
        if !batch.decoded().contains(left) {
            continue;
        }
        let [lefts, rights] = [(left, right), (right, left)].map(|(field, opposite)| {
            let mut values = Values::new(field_info(field).kind);
            for (row, &turned) in turned.iter().enumerate() {
                values.push(batch.column(if turned { opposite } else { field }).get(row));
            }
            Column::Plain(values)
        });
        batch.insert(left, lefts);
        batch.insert(right, rights);
    }
}

fn has_two_ways(batch: &FlowBatch, row: usize) -> bool {
    matches!(Protocol(batch.column(Field::Proto).num(row) as u8), Protocol::TCP | Protocol::UDP)
}

/// Whether a flow between these ports looks like one from a server to a client: from a well-known port, a registered one or
/// one below the dynamic range to one that is not.
fn is_from_server(src_port: u16, dst_port: u16) -> bool {
    /// Where well-known ports end, where Linux's ephemeral ports begin, and where IANA's dynamic ports do.
    const BORDERS: [u16; 3] = [1_024, 32_768, 49_152];
    BORDERS.iter().any(|border| src_port < *border && dst_port >= *border)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow_model::BatchBuilder;
    use std::net::IpAddr;

    fn batch(rows: &[(u64, &str, u64, &str, u64)]) -> FlowBatch {
        let mut builder = BatchBuilder::new();
        for (number, (proto, src, src_port, dst, dst_port)) in (1..).zip(rows) {
            builder.set(Field::Proto, *proto);
            builder.set_ip(Field::SrcAddr, src.parse().unwrap());
            builder.set_ip(Field::DstAddr, dst.parse().unwrap());
            builder.set(Field::SrcPort, *src_port);
            builder.set(Field::DstPort, *dst_port);
            builder.set(Field::Input, number);
            builder.set(Field::InBytes, 10 * number);
            builder.set(Field::SrcMask, 24);
            builder.finish_row();
        }
        builder.finish()
    }

    #[test]
    fn both_directions_have_one_key_where_there_are_two() {
        let flows = batch(&[
            (6, "10.0.0.1", 443, "10.0.0.2", 50_000),
            (6, "10.0.0.2", 50_000, "10.0.0.1", 443),
            (17, "10.0.0.1", 2, "10.0.0.1", 1),
            (1, "10.0.0.2", 0, "10.0.0.1", 2_048),
        ]);
        let mut turned = Vec::new();
        let unified = unify(&flows, &mut turned);
        assert_eq!(turned, [false, true, true, false]);
        for field in [Field::SrcAddr, Field::DstAddr, Field::SrcPort, Field::DstPort, Field::Proto] {
            assert_eq!(unified.column(field).get(0), unified.column(field).get(1), "{field:?}");
        }
        assert_eq!((unified.column(Field::SrcPort).num(2), unified.column(Field::DstPort).num(2)), (1, 2));
        assert_eq!(unified.column(Field::SrcAddr).ip(3), "10.0.0.2".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn a_client_on_the_right_changes_sides_with_all_that_is_its_own() {
        let mut flows = batch(&[
            (6, "10.0.0.1", 443, "10.0.0.2", 50_000),
            (6, "10.0.0.2", 50_000, "10.0.0.1", 443),
            (132, "10.0.0.1", 443, "10.0.0.2", 50_000),
        ]);
        put_clients_left(&mut flows);
        let num = |field: Field| (0..3).map(|row| flows.column(field).num(row)).collect::<Vec<_>>();
        assert_eq!(num(Field::SrcPort), [50_000, 50_000, 443]);
        assert_eq!(num(Field::DstPort), [443, 443, 50_000]);
        assert_eq!((num(Field::Input), num(Field::Output)), (vec![0, 2, 3], vec![1, 0, 0]));
        assert_eq!((num(Field::InBytes), num(Field::OutBytes)), (vec![0, 20, 30], vec![10, 0, 0]));
        assert_eq!(num(Field::SrcMask), [24; 3]);
        assert_eq!(flows.column(Field::SrcAddr).ip(0), "10.0.0.2".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn ports_tell_servers_from_clients() {
        for (src, dst, server) in [
            (1_023, 1_024, true),
            (1_024, 1_023, false),
            (80, 443, false),
            (32_767, 32_768, true),
            (32_768, 49_151, false),
            (49_151, 49_152, true),
            (8_080, 20_000, false),
            (60_000, 50_000, false),
        ] {
            assert_eq!(is_from_server(src, dst), server, "{src} {dst}");
        }
    }
}
