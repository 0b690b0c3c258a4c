//! How much all exporters together make us keep.

use crate::Limits;

/// Octets that all exporters occupy: with templates, samplers, names, and what waits for a template.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    used: usize,
    /// The part of it that is waiting data.
    waiting: usize,
    /// The part of it that is names.
    names: usize,
}

impl Memory {
    /// Takes `octets` more, unless that is beyond the bound.
    pub(crate) fn charge(&mut self, octets: usize, limits: &Limits) -> bool {
        let fits = self.used.saturating_add(octets) <= limits.state_len_bytes;
        if fits {
            self.used += octets;
        }
        fits
    }

    /// Gives back what was taken.
    pub(crate) fn release(&mut self, octets: usize) {
        self.used = self.used.saturating_sub(octets);
    }

    /// Takes `octets` more for waiting data, unless that is beyond a bound.
    pub(crate) fn charge_waiting(&mut self, octets: usize, limits: &Limits) -> bool {
        let fits =
            self.waiting.saturating_add(octets) <= limits.waiting_len_bytes && self.charge(octets, limits);
        if fits {
            self.waiting += octets;
        }
        fits
    }

    /// Gives back what was taken for waiting data.
    pub(crate) fn release_waiting(&mut self, octets: usize) {
        self.waiting = self.waiting.saturating_sub(octets);
        self.release(octets);
    }

    /// Takes `octets` more for names, unless that is beyond a bound.
    pub(crate) fn charge_names(&mut self, octets: usize, limits: &Limits) -> bool {
        let fits = self.names.saturating_add(octets) <= limits.names_len_bytes && self.charge(octets, limits);
        if fits {
            self.names += octets;
        }
        fits
    }

    /// Gives back what was taken for names.
    pub(crate) fn release_names(&mut self, octets: usize) {
        self.names = self.names.saturating_sub(octets);
        self.release(octets);
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.used
    }
}
