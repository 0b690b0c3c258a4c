//! A writer of MaxMind's database format, version 2, as far as tests need it.

use std::net::IpAddr;

/// A value of a database.
#[derive(Clone, Copy, Debug)]
pub enum Datum {
    /// A text of up to 284 octets.
    Text(&'static str),
    /// A number with a fraction.
    Double(f64),
    /// A number of 16 bits.
    Short(u16),
    /// A number of 32 bits.
    Long(u32),
    /// Names and values.
    Map(&'static [(&'static str, Datum)]),
}

/// A network, the length of its prefix, and what is known of it.
pub type Network = (&'static str, u8, Datum);

/// Countries and places: 192.0.2.0/24 is in Zurich, 203.0.113.0/24 in France, 2001:db8::/32 in Sweden.
pub const CITY: &[Network] = &[
    (
        "192.0.2.0",
        24,
        Datum::Map(&[
            ("city", Datum::Map(&[("names", Datum::Map(&[("en", Datum::Text("Zurich"))]))])),
            ("continent", Datum::Map(&[("names", Datum::Map(&[("en", Datum::Text("Europe"))]))])),
            (
                "country",
                Datum::Map(&[
                    ("iso_code", Datum::Text("CH")),
                    ("names", Datum::Map(&[("en", Datum::Text("Switzerland"))])),
                ]),
            ),
            (
                "location",
                Datum::Map(&[
                    ("latitude", Datum::Double(47.3667)),
                    ("longitude", Datum::Double(8.55)),
                    ("time_zone", Datum::Text("Europe/Zurich")),
                ]),
            ),
        ]),
    ),
    ("203.0.113.0", 24, Datum::Map(&[("country", Datum::Map(&[("iso_code", Datum::Text("FR"))]))])),
    ("2001:db8::", 32, Datum::Map(&[("registered_country", Datum::Map(&[("iso_code", Datum::Text("SE"))]))])),
];

/// Autonomous systems: 192.0.2.0/24 is AS64496.
pub const ASN: &[Network] = &[(
    "192.0.2.0",
    24,
    Datum::Map(&[
        ("autonomous_system_number", Datum::Long(64_496)),
        ("autonomous_system_organization", Datum::Text("Example Networks")),
    ]),
)];

/// A database of networks, none of which lies inside another.
///
/// # Panics
/// When a network is no address.
pub fn write(networks: &[Network]) -> Vec<u8> {
    let mut tree = Tree { nodes: vec![[Record::Empty; 2]] };
    let mut data = Vec::new();
    for (network, len, datum) in networks {
        let (bits, len) = match network.parse().expect("an address") {
            // IPv4 addresses stand in the last 32 bits of ::/96.
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), 96 + len),
            IpAddr::V6(v6) => (v6.to_bits(), *len),
        };
        tree.insert(bits, len, data.len() as u32);
        encode(datum, &mut data);
    }
    let mut out = tree.encode();
    // Separates the tree from the data.
    out.extend_from_slice(&[0; 16]);
    out.extend_from_slice(&data);
    out.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
    control(7, 9, &mut out);
    let mut entry = |name, value: &dyn Fn(&mut Vec<u8>)| {
        encode(&Datum::Text(name), &mut out);
        value(&mut out);
    };
    let node_count = tree.nodes.len() as u32;
    entry("binary_format_major_version", &|out| encode(&Datum::Short(2), out));
    entry("binary_format_minor_version", &|out| encode(&Datum::Short(0), out));
    entry("build_epoch", &|out| {
        control(9, 8, out);
        out.extend_from_slice(&1_700_000_000_u64.to_be_bytes());
    });
    entry("database_type", &|out| encode(&Datum::Text("Test"), out));
    entry("description", &|out| encode(&Datum::Map(&[("en", Datum::Text("generated"))]), out));
    entry("ip_version", &|out| encode(&Datum::Short(6), out));
    entry("languages", &|out| control(11, 0, out));
    entry("node_count", &|out| encode(&Datum::Long(node_count), out));
    entry("record_size", &|out| encode(&Datum::Short(24), out));
    out
}

#[derive(Clone, Copy)]
enum Record {
    Empty,
    Node(u32),
    /// Where in the data.
    Data(u32),
}

struct Tree {
    nodes: Vec<[Record; 2]>,
}

impl Tree {
    fn insert(&mut self, bits: u128, len: u8, offset: u32) {
        let mut node = 0;
        for depth in 0..len {
            let side = (bits >> (127 - depth) & 1) as usize;
            if depth + 1 == len {
                self.nodes[node][side] = Record::Data(offset);
                return;
            }
            node = match self.nodes[node][side] {
                Record::Node(next) => next as usize,
                Record::Empty | Record::Data(_) => {
                    self.nodes.push([Record::Empty; 2]);
                    self.nodes[node][side] = Record::Node(self.nodes.len() as u32 - 1);
                    self.nodes.len() - 1
                }
            };
        }
    }

    fn encode(&self) -> Vec<u8> {
        let count = self.nodes.len() as u32;
        let number = |record: &Record| match record {
            Record::Empty => count,
            Record::Node(node) => *node,
            Record::Data(offset) => count + 16 + offset,
        };
        self.nodes.iter().flatten().flat_map(|record| number(record).to_be_bytes()[1..].to_vec()).collect()
    }
}

/// Appends type and size of a value.
fn control(kind: u8, size: usize, out: &mut Vec<u8>) {
    let short = size.min(29) as u8;
    if kind < 8 {
        out.push(kind << 5 | short);
    } else {
        out.extend_from_slice(&[short, kind - 7]);
    }
    if size >= 29 {
        out.push((size - 29) as u8);
    }
}

fn encode(datum: &Datum, out: &mut Vec<u8>) {
    match datum {
        Datum::Text(text) => {
            control(2, text.len(), out);
            out.extend_from_slice(text.as_bytes());
        }
        Datum::Double(number) => {
            control(3, 8, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Datum::Short(number) => {
            control(5, 2, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Datum::Long(number) => {
            control(6, 4, out);
            out.extend_from_slice(&number.to_be_bytes());
        }
        Datum::Map(entries) => {
            control(7, entries.len(), out);
            for (name, value) in *entries {
                encode(&Datum::Text(name), out);
                encode(value, out);
            }
        }
    }
}
