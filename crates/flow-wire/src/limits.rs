//! Bounds on what a peer can make us keep or do.

/// Every bound of a [`Decoder`](crate::Decoder). Reaching one counts in the ledger's `refused`, and costs the
/// peer that reached it, never another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Addresses that datagrams may come from. Each costs a few hundred octets until it sends templates.
    pub addresses: usize,
    /// Exporters (observation domains, source ids, engines) behind one address. Large chassis have one domain
    /// per line card, some exporters one per VRF.
    pub domains_per_address: usize,
    /// Templates of one exporter. Open vSwitch needs more than eighty; at one more than the bound we forget
    /// the exporter's templates and start anew, because an exporter that restarted may number them
    /// differently.
    pub templates_per_exporter: usize,
    /// Octets that templates and samplers of all exporters may occupy together; beyond that none is taken.
    /// Senders of UDP can be forged, so bounds for each exporter alone would be none.
    pub state_len_bytes: usize,
    /// Fields of a template. The longest in the field have about 150.
    pub fields_per_template: usize,
    /// Octets of a record by its template, variable-length fields counted as one. No record can be longer
    /// than a datagram, and no known one is longer than a few kilobytes.
    pub record_len_bytes: usize,
    /// Flows decoded from one datagram. 65,507 octets hold about 3,000 of the shortest useful records; a
    /// template with one octet per record would turn one datagram into 65,000 flows.
    pub flows_per_datagram: usize,
    /// How deep structured data (RFC 6313) is followed.
    pub list_depth: usize,
    /// Samplers of one exporter: one per interface and direction on a large router.
    pub samplers_per_exporter: usize,
    /// The largest sampling rate believed. The wire's largest in practice is 24 bits (sFlow's practical
    /// bound).
    pub sampling_rate: u32,
    /// Octets kept of a variable-length value, such as a sampled frame: a jumbo frame.
    pub value_len_bytes: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            addresses: 16_384,
            domains_per_address: 256,
            templates_per_exporter: 1_024,
            state_len_bytes: 256 << 20,
            fields_per_template: 512,
            record_len_bytes: 16_384,
            flows_per_datagram: 8_192,
            list_depth: 4,
            samplers_per_exporter: 4_096,
            sampling_rate: 1 << 24,
            value_len_bytes: 9_216,
        }
    }
}
