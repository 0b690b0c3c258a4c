//! What a filter text cannot say itself.

use crate::time::LocalMs;
use flow_model::OwnNetworks;
use std::fmt;
use std::net::IpAddr;

/// Finds the addresses of a host name.
pub type Resolve<'a> = &'a dyn Fn(&str) -> Result<Vec<IpAddr>, String>;

/// Reads a file the filter names.
pub type Read<'a> = &'a dyn Fn(&str) -> Result<String, String>;

/// What parsing needs from outside; everything that is I/O is a function given here.
#[derive(Clone, Copy, Default)]
pub struct ParseOptions<'a> {
    /// The file the text comes from, for messages.
    pub file: Option<&'a str>,
    /// Finds the addresses of host names, all of them, and is asked once for each name; without it every name is
    /// unknown.
    pub resolve: Option<Resolve<'a>>,
    /// Whether countries are known, so that filters may ask for them.
    pub countries: bool,
    /// The networks that are one's own, so that filters may ask for sides of flows.
    pub networks: Option<&'a dyn OwnNetworks>,
    /// Reads files the filter names, for `@include` and for lists.
    pub read: Option<Read<'a>>,
    /// What a local time is in UTC; without it times without zone are UTC.
    pub local_ms: Option<LocalMs<'a>>,
}

impl fmt::Debug for ParseOptions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParseOptions").field("file", &self.file).finish_non_exhaustive()
    }
}
