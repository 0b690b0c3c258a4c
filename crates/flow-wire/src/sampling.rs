//! Samplers, and the rate that applies to a flow.

use crate::Limits;
use crate::memory::Memory;
use flow_model::SamplerInfo;

/// The id of a sampler that announces none.
pub(crate) const GENERIC: i64 = -1;
const DEFAULT: i64 = -2;
const OVERRIDE: i64 = -3;

/// A sampler's id as announced. None has the highest bit, which would make it one of ours.
#[inline]
pub(crate) fn sampler_id(announced: u64) -> i64 {
    (announced & (u64::MAX >> 1)).cast_signed()
}

/// What an exporter announced about its samplers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samplers {
    /// Sorted by id.
    known: Vec<Known>,
}

/// A sampler, and what it was before.
#[derive(Clone, Copy, Debug)]
struct Known {
    sampler: Sampler,
    /// When it was announced with another rate than before.
    since_ms: u64,
    /// What it was until then.
    before: Sampler,
}

/// Packets are selected `interval` in a row, then `space` are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sampler {
    pub(crate) id: i64,
    pub(crate) algorithm: u16,
    pub(crate) interval: u32,
    pub(crate) space: u32,
}

impl Sampler {
    /// One of `rate` packets.
    pub(crate) fn one_of(id: i64, algorithm: u16, rate: u32) -> Sampler {
        Sampler { id, algorithm, interval: 1, space: rate.saturating_sub(1) }
    }

    /// What counters are multiplied by.
    pub(crate) fn rate(&self) -> Rate {
        let interval = u64::from(self.interval.max(1));
        Rate { of: interval + u64::from(self.space), taken: interval }
    }

    fn info(&self, exporter: u16) -> SamplerInfo {
        SamplerInfo {
            exporter,
            id: self.id,
            algorithm: self.algorithm,
            interval: self.interval,
            space: self.space,
        }
    }
}

/// `taken` of `of` packets were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) of: u64,
    pub(crate) taken: u64,
}

impl Rate {
    /// Every packet was seen.
    pub(crate) const ALL: Rate = Rate { of: 1, taken: 1 };

    pub(crate) fn one_of(rate: u32) -> Rate {
        Rate { of: u64::from(rate.max(1)), taken: 1 }
    }

    pub(crate) fn is_sampled(self) -> bool {
        self.of > self.taken
    }

    /// A counter as it would be without sampling.
    #[inline]
    pub(crate) fn scale(self, count: u64) -> u64 {
        if self.taken == 1 {
            count.saturating_mul(self.of)
        } else {
            u64::try_from(u128::from(count) * u128::from(self.of) / u128::from(self.taken))
                .unwrap_or(u64::MAX)
        }
    }
}

/// Rates given by the operator.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Configured {
    pub(crate) default: Option<u32>,
    pub(crate) forced: Option<u32>,
}

impl Samplers {
    /// Keeps or replaces a sampler announced at `now_ms`; false when it would be one too many or is
    /// implausible.
    pub(crate) fn announce(
        &mut self,
        sampler: Sampler,
        now_ms: u64,
        limits: &Limits,
        memory: &mut Memory,
    ) -> bool {
        let Rate { of, taken } = sampler.rate();
        if of / taken > u64::from(limits.sampling_rate) {
            return false;
        }
        match self.find(sampler.id) {
            Ok(index) => {
                if let Some(known) = self.known.get_mut(index) {
                    if known.sampler.rate() != sampler.rate() {
                        (known.before, known.since_ms) = (known.sampler, now_ms);
                    }
                    known.sampler = sampler;
                }
                true
            }
            Err(_) if self.known.len() >= limits.samplers_per_exporter => false,
            Err(index) => {
                if !memory.charge(size_of::<Known>(), limits) {
                    return false;
                }
                self.known.insert(index, Known { sampler, since_ms: 0, before: sampler });
                true
            }
        }
    }

    /// Forgets a sampler, if it was announced.
    pub(crate) fn forget(&mut self, id: i64, memory: &mut Memory) {
        if let Ok(index) = self.find(id) {
            self.known.remove(index);
            memory.release(size_of::<Known>());
        }
    }

    /// The rate of a flow that came at `received_ms` and names the samplers `ids`, the preferred one first.
    ///
    /// An update changes later flows only. Of a sampler that was announced after the flow, and never before,
    /// the flow has the rate all the same: it was sampled so before we were told.
    #[inline]
    pub(crate) fn rate(&self, ids: &[Option<i64>], received_ms: u64, configured: Configured) -> Rate {
        if let Some(rate) = configured.forced {
            return Rate::one_of(rate);
        }
        let named = ids.iter().flatten().find_map(|&id| self.get(id));
        if let Some(known) = named.or_else(|| self.get(GENERIC)).or_else(|| self.get(0)) {
            return known.at(received_ms).rate();
        }
        configured.default.map_or(Rate::ALL, Rate::one_of)
    }

    /// Whether any sampler works on an interface: then the interfaces of a flow decide.
    #[inline]
    pub(crate) fn by_interface(&self) -> bool {
        let lowest = SamplerInfo::of_interface(u32::MAX);
        let first = self.known.partition_point(|known| known.sampler.id < lowest);
        self.known.get(first).is_some_and(|known| SamplerInfo::interface(known.sampler.id).is_some())
    }

    /// Every sampler of exporter `sysid`, the operator's among them.
    pub(crate) fn list(&self, sysid: u16, configured: Configured) -> impl Iterator<Item = SamplerInfo> {
        let given = |id, rate: Option<u32>| rate.map(|rate| Sampler::one_of(id, 0, rate));
        let operator = [given(OVERRIDE, configured.forced), given(DEFAULT, configured.default)];
        operator
            .into_iter()
            .flatten()
            .chain(self.known.iter().map(|known| known.sampler))
            .map(move |sampler| sampler.info(sysid))
    }

    fn get(&self, id: i64) -> Option<&Known> {
        self.known.get(self.find(id).ok()?)
    }

    fn find(&self, id: i64) -> Result<usize, usize> {
        self.known.binary_search_by_key(&id, |known| known.sampler.id)
    }
}

impl Known {
    #[inline]
    fn at(&self, received_ms: u64) -> Sampler {
        if received_ms < self.since_ms { self.before } else { self.sampler }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_follows_the_order_of_preference() {
        let (mut samplers, mut memory) = (Samplers::default(), Memory::default());
        let none = Configured::default();
        let default = Configured { default: Some(50), forced: None };
        let forced = Configured { default: Some(50), forced: Some(7) };
        assert_eq!(samplers.rate(&[Some(3)], 9, none), Rate::ALL);
        assert_eq!(samplers.rate(&[Some(3)], 9, default), Rate::one_of(50));
        let limits = Limits { samplers_per_exporter: 3, sampling_rate: 1000, ..Limits::default() };
        assert!(samplers.announce(Sampler::one_of(0, 1, 10), 5, &limits, &mut memory));
        assert_eq!(samplers.rate(&[], 9, default), Rate::one_of(10));
        assert!(samplers.announce(Sampler::one_of(3, 1, 100), 5, &limits, &mut memory));
        assert!(samplers.announce(Sampler::one_of(GENERIC, 1, 20), 5, &limits, &mut memory));
        assert!(!samplers.announce(Sampler::one_of(4, 1, 100), 5, &limits, &mut memory));
        assert!(!samplers.announce(Sampler::one_of(3, 1, 1001), 5, &limits, &mut memory));
        assert_eq!(samplers.rate(&[Some(3)], 9, default), Rate::one_of(100));
        assert_eq!(samplers.rate(&[Some(4)], 9, default), Rate::one_of(20));
        assert_eq!(samplers.rate(&[Some(3)], 9, forced), Rate::one_of(7));
        let ids: Vec<i64> = samplers.list(1, forced).map(|info| info.id).collect();
        assert_eq!(ids, [OVERRIDE, DEFAULT, GENERIC, 0, 3]);
    }

    #[test]
    fn an_update_changes_later_flows_only() {
        let (mut samplers, mut memory) = (Samplers::default(), Memory::default());
        let (limits, none) = (Limits::default(), Configured::default());
        for (now_ms, rate) in [(10, 100), (20, 100), (30, 200), (40, 200)] {
            assert!(samplers.announce(Sampler::one_of(3, 1, rate), now_ms, &limits, &mut memory));
        }
        let rates = [5, 29, 30, 50].map(|received_ms| samplers.rate(&[Some(3)], received_ms, none).of);
        assert_eq!(rates, [100, 100, 200, 200]);
    }

    #[test]
    fn interfaces_come_behind_ids_and_before_the_generic_one() {
        let (mut samplers, mut memory) = (Samplers::default(), Memory::default());
        let (limits, none) = (Limits::default(), Configured::default());
        let interface = |index| Some(SamplerInfo::of_interface(index));
        assert!(samplers.announce(Sampler::one_of(GENERIC, 1, 10), 0, &limits, &mut memory));
        assert!(!samplers.by_interface());
        for (id, rate) in [(3, 20), (SamplerInfo::of_interface(3), 30), (SamplerInfo::of_interface(4), 40)] {
            assert!(samplers.announce(Sampler::one_of(id, 1, rate), 0, &limits, &mut memory));
        }
        assert!(samplers.by_interface());
        let rate = |ids: &[Option<i64>]| samplers.rate(ids, 1, none).of;
        assert_eq!(rate(&[Some(3), interface(3), interface(4)]), 20);
        assert_eq!(rate(&[None, interface(3), interface(4)]), 30);
        assert_eq!(rate(&[Some(9), interface(9), interface(4)]), 40);
        assert_eq!(rate(&[None, interface(9), interface(8)]), 10);
    }

    #[test]
    fn scaling_is_exact_and_saturates() {
        assert_eq!(Sampler { id: 1, algorithm: 1, interval: 2, space: 5 }.rate().scale(4), 14);
        assert_eq!(Rate::one_of(3).scale(u64::MAX / 2), u64::MAX);
        assert_eq!(Rate::one_of(0), Rate::ALL);
        assert!(!Rate::ALL.is_sampled());
    }
}
