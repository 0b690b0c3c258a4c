//! Bounds on what a peer can make us keep or do.

use flow_model::MAX_BATCH_ROWS;

/// A bound of [`Limits`], for command lines and reports.
#[derive(Clone, Copy, Debug)]
pub struct LimitInfo {
    /// The name of the field in [`Limits`].
    pub name: &'static str,
    /// What it bounds and why it has its default, as in the field's documentation.
    pub doc: &'static str,
    /// What it is unless set.
    pub default: u64,
    /// The least it can be.
    pub min: u64,
    /// The most it can be.
    pub max: u64,
    get: fn(&Limits) -> u64,
    set: fn(&mut Limits, u64),
}

/// Why a bound was not set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// There is none of this name.
    #[error("unknown limit `{name}`")]
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// The value makes no sense.
    #[error("limit `{name}` is from {min} to {max}, not {found}")]
    Range {
        /// The bound.
        name: &'static str,
        /// The least it can be.
        min: u64,
        /// The most it can be.
        max: u64,
        /// What was asked for.
        found: u64,
    },
}

macro_rules! limits {
    ($($(#[doc = $doc:literal])+ $name:ident: $kind:ty = $default:expr, $min:literal..=$max:expr;)+) => {
        /// Every bound of a [`Decoder`](crate::Decoder). Reaching one counts in the ledger's `refused`, or in
        /// `no_template` where data sets wait for their template, and costs the peer that reached it, never
        /// another.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct Limits {
            $($(#[doc = $doc])+ pub $name: $kind,)+
        }

        impl Default for Limits {
            fn default() -> Limits {
                Limits { $($name: $default,)+ }
            }
        }

        static LIMITS: &[LimitInfo] = &[$(LimitInfo {
            name: stringify!($name),
            doc: concat!($($doc),+),
            default: $default,
            min: $min,
            max: $max,
            get: |limits| limits.$name as u64,
            set: |limits, value| limits.$name = value as $kind,
        },)+];
    };
}

/// The most octets a datagram can have, and so any part of one.
const DATAGRAM: u64 = 65_535;

/// A day in ms, times a hundred years.
const FOREVER_MS: u64 = 36_525 * 86_400_000;

limits! {
    /// Addresses that datagrams may come from. Each costs a few hundred octets until it sends templates.
    addresses: usize = 16_384, 1..=DATAGRAM;
    /// Exporters (observation domains, source ids, engines) behind one address. Large chassis have one domain
    /// per line card, some exporters one per VRF.
    domains_per_address: usize = 256, 1..=DATAGRAM;
    /// Templates of one exporter. Open vSwitch needs more than eighty; at one more than the bound we forget
    /// the exporter's templates and start anew, because an exporter that restarted may number them
    /// differently.
    templates_per_exporter: usize = 1_024, 1..=DATAGRAM;
    /// Octets that templates, samplers, names and waiting data of all exporters may occupy together; beyond
    /// that none is taken. Senders of UDP can be forged, so bounds for each exporter alone would be none.
    state_len_bytes: usize = 256 << 20, 0..=u64::MAX >> 1;
    /// Fields of a template. The longest in the field have about 150.
    fields_per_template: usize = 512, 1..=DATAGRAM;
    /// Octets of a record by its template, variable-length fields counted as one. No record can be longer
    /// than a datagram, and no known one is longer than a few kilobytes.
    record_len_bytes: usize = 16_384, 1..=DATAGRAM;
    /// Flows decoded from one datagram. 65,507 octets hold about 3,000 of the shortest useful records; a
    /// template with one octet per record would turn one datagram into 65,000 flows.
    flows_per_datagram: usize = 8_192, 1..=MAX_BATCH_ROWS as u64;
    /// How deep structured data (RFC 6313) is followed.
    list_depth: usize = 4, 0..=64;
    /// Samplers of one exporter: one per interface and direction on a large router.
    samplers_per_exporter: usize = 4_096, 0..=1 << 20;
    /// The largest sampling rate believed. The wire's largest in practice is 24 bits (sFlow's practical
    /// bound).
    sampling_rate: u32 = 1 << 24, 1..=u32::MAX as u64;
    /// Places where one sFlow agent samples whose sequence is followed: one per interface of a large chassis.
    sources_per_exporter: usize = 4_096, 0..=1 << 20;
    /// Octets kept of a variable-length value, such as a sampled frame: a jumbo frame.
    value_len_bytes: usize = 9_216, 0..=DATAGRAM;
    /// Octets of decoded flows, their strings aside, from one datagram. 8,192 flows of a hundred fields need
    /// less.
    decoded_len_bytes: usize = 4 << 20, 1..=u64::MAX >> 1;
    /// Fields of an options template that are its scope. Those in the field have one or two.
    scope_fields_per_template: usize = 16, 1..=DATAGRAM;
    /// How long a template is kept that is neither sent again nor used, ms (RFC 7011 8.4): 30 days. Exporters
    /// send their templates again within half an hour, but some only when they start, so use counts too, and
    /// one that was silent for weeks is still understood.
    template_age_ms: u64 = 2_592_000_000, 1_000..=FOREVER_MS;
    /// Names of interfaces, VRFs and applications of one exporter. Routers know some 1,500 applications.
    names_per_exporter: usize = 16_384, 0..=1 << 20;
    /// Octets of a name. Interface descriptions have up to 255.
    name_len_bytes: usize = 255, 0..=DATAGRAM;
    /// Octets of the names of all exporters, a part of `state_len_bytes`. Every file has them all.
    names_len_bytes: usize = 8 << 20, 0..=32 << 20;
    /// Information elements without a field whose records are counted, of one exporter; and formats of sFlow.
    skipped_elements_per_exporter: usize = 1_024, 0..=1 << 20;
    /// Data sets of one exporter that wait for their template. A router sends its templates with every 20th
    /// datagram or every few minutes.
    waiting_sets_per_exporter: usize = 4_096, 0..=1 << 20;
    /// Octets of one exporter that wait for their template: some minutes of a busy router's flows.
    waiting_len_per_exporter_bytes: usize = 4 << 20, 0..=u64::MAX >> 1;
    /// Octets of all exporters that wait for their templates, a part of `state_len_bytes`, so that waiting
    /// data never takes the room of templates.
    waiting_len_bytes: usize = 64 << 20, 0..=u64::MAX >> 1;
    /// How long data wait for their template, ms: the half hour after which routers send their templates at
    /// the latest, and some minutes.
    waiting_age_ms: u64 = 2_100_000, 0..=FOREVER_MS;
}

impl Limits {
    /// Every bound, in the order in which they are declared.
    pub fn list() -> &'static [LimitInfo] {
        LIMITS
    }

    /// Sets the bound called `name`; a hyphen is as good as an underscore.
    ///
    /// # Errors
    /// When there is none of this name, and when the value is outside of what it can be.
    pub fn set(&mut self, name: &str, value: u64) -> Result<(), LimitError> {
        let wanted = name.replace('-', "_");
        let info = LIMITS.iter().find(|info| info.name == wanted);
        let &LimitInfo { name, min, max, set, .. } =
            info.ok_or_else(|| LimitError::Unknown { name: name.to_owned() })?;
        if !(min..=max).contains(&value) {
            return Err(LimitError::Range { name, min, max, found: value });
        }
        set(self, value);
        Ok(())
    }
}

impl LimitInfo {
    /// Its value in `limits`.
    pub fn value(&self, limits: &Limits) -> u64 {
        (self.get)(limits)
    }

    /// The name as command lines have it, with hyphens.
    pub fn option_name(&self) -> String {
        self.name.replace('_', "-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_limit_can_be_read_and_set_and_has_a_sound_default() {
        let mut limits = Limits::default();
        for info in Limits::list() {
            assert_eq!(info.value(&limits), info.default, "{}", info.name);
            assert!((info.min..=info.max).contains(&info.default), "{}", info.name);
            assert_eq!(limits.set(&info.option_name(), info.max), Ok(()));
            assert_eq!(info.value(&limits), info.max, "{}", info.name);
            assert_eq!(limits.set(info.name, info.min), Ok(()));
            assert_eq!(info.value(&limits), info.min, "{}", info.name);
            assert!(info.doc.ends_with('.'), "{}", info.name);
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut limits = Limits::default();
        let unknown = Err(LimitError::Unknown { name: "flow-limit".to_owned() });
        assert_eq!(limits.set("flow-limit", 1), unknown);
        let range = LimitError::Range { name: "flows_per_datagram", min: 1, max: 65_536, found: 0 };
        assert_eq!(limits.set("flows-per-datagram", 0), Err(range.clone()));
        assert_eq!(range.to_string(), "limit `flows_per_datagram` is from 1 to 65536, not 0");
        assert_eq!(limits, Limits::default());
    }
}
