//! Protocol and ports; and type and code of ICMP, which travel in many places and are stored in one: the
//! destination port, as type * 256 + code.

use crate::element::id;
use crate::records::{Records, Slot};
use crate::step::copy;
use flow_model::{Field, FieldSet, Protocol, Rows};

/// Where a record has its protocol and ports.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Transport {
    pub(crate) proto: Option<Slot>,
    pub(crate) src: Option<Slot>,
    pub(crate) dst: Option<Slot>,
    icmp: Icmp,
    icmp6: Icmp,
    /// The protocol that ICMP elements imply where there is no element for it.
    implied: Option<Protocol>,
}

/// Elements for type and code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Icmp {
    /// Type * 256 + code.
    word: Option<Slot>,
    kind: Option<Slot>,
    code: Option<Slot>,
}

impl Transport {
    /// Takes an ICMP element; false when it is none.
    pub(crate) fn add(&mut self, id: u16, slot: Slot) -> bool {
        let place = match id {
            id::ICMP => &mut self.icmp.word,
            id::ICMP_TYPE => &mut self.icmp.kind,
            id::ICMP_CODE => &mut self.icmp.code,
            id::ICMP6 => &mut self.icmp6.word,
            id::ICMP6_TYPE => &mut self.icmp6.kind,
            id::ICMP6_CODE => &mut self.icmp6.code,
            _ => return false,
        };
        place.get_or_insert(slot);
        true
    }

    /// Draws the conclusion when every element has been added: templates of softflowd for ICMP have none for
    /// the protocol.
    pub(crate) fn conclude(&mut self) {
        if self.proto.is_none() && self.src.is_none() && self.dst.is_none() {
            self.implied = match (self.icmp.is_some(), self.icmp6.is_some()) {
                (true, false) => Some(Protocol::ICMP),
                (false, true) => Some(Protocol::ICMP6),
                _ => None,
            };
        }
    }

    /// The fields that rows get.
    pub(crate) fn fields(&self) -> FieldSet {
        let mut fields = FieldSet::EMPTY;
        if self.proto.is_some() || self.implied.is_some() {
            fields.insert(Field::Proto);
        }
        if self.src.is_some() {
            fields.insert(Field::SrcPort);
        }
        if self.dst.is_some() || self.icmp.is_some() || self.icmp6.is_some() {
            fields.insert(Field::DstPort);
        }
        fields
    }

    /// Writes what `records` have into the window of `rows`, except the fields in `skip`.
    pub(crate) fn run(&self, records: &Records<'_>, rows: &mut Rows<'_>, skip: FieldSet) {
        let fields = self.fields().without(skip);
        let mut has_icmp = true;
        for (field, slot) in
            [(Field::Proto, self.proto), (Field::SrcPort, self.src), (Field::DstPort, self.dst)]
        {
            match slot {
                _ if !fields.contains(field) => {}
                Some(slot) if field == Field::Proto && slot.len == 1 => {
                    has_icmp = false;
                    let protos = records.column(slot).map(|proto| {
                        let proto = u8::from_be_bytes(proto);
                        has_icmp |= Protocol(proto).is_icmp();
                        proto.into()
                    });
                    rows.put_nums(field, protos);
                }
                Some(slot) => copy(records, slot, field, rows),
                None => {
                    let implied =
                        self.implied.filter(|_| field == Field::Proto).map_or(0, |proto| proto.0.into());
                    // Each row gets a value that can be replaced.
                    rows.nums(field, move |_| implied);
                }
            }
        }
        if !has_icmp || !fields.contains(Field::DstPort) {
            return;
        }
        // ICMP is rare, so its rows are put right afterwards.
        for row in 0..records.count() {
            let proto = match (self.proto, self.implied) {
                (Some(slot), _) => Protocol(records.num(row, slot) as u8),
                (None, Some(implied)) => implied,
                (None, None) if self.dst.is_none() => Protocol::ICMP,
                (None, None) => continue,
            };
            if !proto.is_icmp() {
                continue;
            }
            let port = |slot: Option<Slot>| slot.map_or(0, |slot| records.num(row, slot));
            let word =
                self.word(records, row, proto).unwrap_or_else(|| from_ports(port(self.src), port(self.dst)));
            rows.replace(Field::DstPort, row, word);
            if fields.contains(Field::SrcPort) {
                rows.replace(Field::SrcPort, row, 0);
            }
        }
    }

    /// Type * 256 + code from elements of its own: those of the record's family first.
    fn word(&self, records: &Records<'_>, row: usize, proto: Protocol) -> Option<u64> {
        let (own, other) =
            if proto == Protocol::ICMP { (self.icmp, self.icmp6) } else { (self.icmp6, self.icmp) };
        own.word(records, row).or_else(|| other.word(records, row))
    }
}

impl Icmp {
    fn is_some(&self) -> bool {
        self.word.is_some() || self.kind.is_some()
    }

    fn word(&self, records: &Records<'_>, row: usize) -> Option<u64> {
        let num = |slot: Slot| records.num(row, slot);
        let parts = self.kind.map(|kind| num(kind) << 8 | self.code.map_or(0, num));
        parts.or_else(|| self.word.map(num))
    }
}

/// Type * 256 + code from the ports of ICMP without an element of its own:
///
/// * in the destination port: nearly everybody;
/// * with its octets swapped in the source port: some Cisco routers;
/// * type in the source port, code in the destination port: fprobe.
pub(crate) fn from_ports(src: u64, dst: u64) -> u64 {
    match (src, dst) {
        (0, _) => dst,
        (1..=255, 1..=255) => src << 8 | dst,
        _ => u64::from((src as u16).swap_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Records;
    use flow_model::{BatchBuilder, Groups};

    #[test]
    fn type_and_code_from_ports() {
        assert_eq!(from_ports(0, 0x0303), 0x0303);
        assert_eq!(from_ports(0x0108, 0), 0x0801);
        assert_eq!(from_ports(8, 0), 0x0800);
        assert_eq!(from_ports(3, 4), 0x0304);
    }

    /// Runs over records with protocol, source port, destination port, and further elements of one octet
    /// each.
    fn run(elements: &[u16], records: &[u8]) -> Vec<(u64, u64, u64)> {
        let slot = |offset, len| Slot { offset, len };
        let mut transport = Transport {
            proto: Some(slot(0, 1)),
            src: Some(slot(1, 1)),
            dst: Some(slot(2, 1)),
            ..Transport::default()
        };
        for (offset, &element) in (3..).zip(elements) {
            assert!(transport.add(element, slot(offset, 1)));
        }
        transport.conclude();
        let records = Records::new(records, 3 + elements.len(), usize::MAX);
        let mut out = BatchBuilder::new();
        let mut rows = out.rows(records.count(), Groups::default());
        transport.run(&records, &mut rows, FieldSet::EMPTY);
        rows.finish();
        let batch = out.finish();
        let num = |field, row| batch.column(field).num(row);
        (0..batch.len())
            .map(|row| (num(Field::Proto, row), num(Field::SrcPort, row), num(Field::DstPort, row)))
            .collect()
    }

    #[test]
    fn elements_are_preferred_and_zero_is_a_value() {
        // An echo reply whose ports say something else.
        assert_eq!(run(&[176, 177], &[1, 5, 6, 0, 0]), [(1, 0, 0)]);
        assert_eq!(run(&[32, 178, 179], &[58, 0, 0, 9, 128, 1]), [(58, 0, 0x8001)]);
        assert_eq!(run(&[139], &[1, 0, 0, 9]), [(1, 0, 9)]);
        assert_eq!(run(&[32], &[6, 5, 6, 7, 1, 5, 6, 7]), [(6, 5, 6), (1, 0, 7)]);
    }
}
