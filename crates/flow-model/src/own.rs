//! What is known about which addresses are one's own, as opposed to flows.

use std::fmt::Debug;
use std::net::IpAddr;

/// Tells which addresses are one's own, by networks that have names. A name has a number, which columns hold.
pub trait OwnNetworks: Debug + Send + Sync {
    /// The number of the name of the own network in which an address lies, from 1; 0 for an address that is not one's own.
    fn number_of(&self, addr: IpAddr) -> u32;
    /// The name with a number; nothing for other numbers.
    fn name(&self, number: u32) -> &str;
    /// The number of a name.
    fn number_called(&self, name: &str) -> Option<u32>;
}

/// On which side of a flow one's own networks are. The number is its value in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FlowSide {
    /// The destination is one's own.
    Inbound = 1,
    /// The source is.
    Outbound = 2,
    /// Both are.
    Internal = 3,
    /// Neither is.
    Transit = 4,
}

impl FlowSide {
    /// What they are called, with their numbers.
    pub const NAMES: &'static [(&'static str, u64)] = &[
        ("inbound", FlowSide::Inbound as u64),
        ("outbound", FlowSide::Outbound as u64),
        ("internal", FlowSide::Internal as u64),
        ("transit", FlowSide::Transit as u64),
    ];

    /// The side of a flow by whose its ends are.
    pub fn of(source_is_own: bool, destination_is_own: bool) -> FlowSide {
        match (source_is_own, destination_is_own) {
            (false, true) => FlowSide::Inbound,
            (true, false) => FlowSide::Outbound,
            (true, true) => FlowSide::Internal,
            (false, false) => FlowSide::Transit,
        }
    }
}
