//! How much all exporters together make us keep.

/// Octets that templates and samplers of all exporters occupy.
#[derive(Debug, Default)]
pub(crate) struct Memory(usize);

impl Memory {
    /// Takes `octets` more, unless that is beyond `limit`.
    pub(crate) fn charge(&mut self, octets: usize, limit: usize) -> bool {
        let fits = self.0.saturating_add(octets) <= limit;
        if fits {
            self.0 += octets;
        }
        fits
    }

    /// Gives back what was taken.
    pub(crate) fn release(&mut self, octets: usize) {
        self.0 = self.0.saturating_sub(octets);
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.0
    }
}
