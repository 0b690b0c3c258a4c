//! In which form records hold the value of a field.

use flow_model::Field;

/// A field in a record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    /// The field.
    pub(crate) field: Field,
    /// Where its value starts.
    pub(crate) offset: u8,
    /// The form of the value.
    pub(crate) stored: Stored,
}

/// The form of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// A number of 8 bits.
    U8,
    /// A number of 16 bits.
    U16,
    /// A number of 32 bits.
    U32,
    /// A number of 64 bits.
    U64,
    /// A number of 32 bits with its sign.
    I32,
    /// A number of 32 bits, big-endian.
    U32Big,
    /// An IPv4 address as a number of 32 bits.
    V4,
    /// An IPv6 address as two numbers of 64 bits, the more significant one first.
    V6,
    /// Octets to the end of the element.
    Octets,
    /// Text that ends with the first NUL or after so many octets, less one for the NUL when it is written.
    Text(u8),
    /// Text that ends with the first NUL or with the element.
    TextToEnd {
        /// How many NULs are written after it.
        terminator: u8,
    },
    /// Flags of a record in 8 bits, of which the uppermost means something in nfdump's memory only.
    Flags,
    /// A time to live in 8 bits. In 1.7.5, both bounds are zero and the first octet of the element holds the only one
    /// known.
    Ttl,
    /// Seconds in 32 bits, and so many octets before them milliseconds in 16 bits.
    Stamp(u8),
    /// The last port of a block in 16 bits; 0 when it follows from the first, two octets before, and from the size, four
    /// octets after it.
    BlockEnd,
    /// A port in 16 bits, in place of which ICMP flows may have type and code elsewhere in the record.
    PortOrIcmp,
    /// Not stored: the same for all records of a shape.
    Fixed(u8),
}

impl Stored {
    /// How many octets the value occupies at its offset; `None` when that depends on the element.
    pub(crate) const fn fixed_len(self) -> Option<usize> {
        match self {
            Stored::U8 | Stored::Flags | Stored::Ttl => Some(1),
            Stored::U16 | Stored::BlockEnd | Stored::PortOrIcmp => Some(2),
            Stored::U32 | Stored::I32 | Stored::U32Big | Stored::V4 | Stored::Stamp(_) => Some(4),
            Stored::U64 => Some(8),
            Stored::V6 => Some(16),
            Stored::Text(len) => Some(len as usize),
            Stored::Octets | Stored::TextToEnd { .. } => None,
            Stored::Fixed(_) => Some(0),
        }
    }
}

/// A field at an offset.
pub(crate) const fn member(field: Field, offset: u8, stored: Stored) -> Member {
    Member { field, offset, stored }
}
