//! Reproducible random numbers and the Zipf law.

/// Sebastiano Vigna's splitmix64: 64 bits of state, good enough for test data, the same everywhere.
#[derive(Clone, Debug)]
pub struct SplitMix {
    state: u64,
}

impl SplitMix {
    /// A generator whose sequence `seed` determines.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // The high half of the product: the bias is below bound / 2^64.
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }

    /// A number in `(0, 1]`: never 0, so that its logarithm exists.
    pub fn unit(&mut self) -> f64 {
        ((self.next_u64() >> 11) + 1) as f64 / (1u64 << 53) as f64
    }

    /// True in `percent` of 100 calls.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// A Pareto distributed number of at least 1: `P(X > x) = x^-shape`.
    pub fn pareto(&mut self, shape: f64) -> f64 {
        self.unit().powf(-1.0 / shape)
    }
}

/// Scatters the bits of `value`; different values stay different.
pub(super) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// Ranks `0..n` where rank `k` has a probability in proportion to `(k + 1)^-exponent`.
///
/// Draws by rejection-inversion (Hörmann and Derflinger, "Rejection-inversion to generate variates from monotone
/// discrete distributions", 1996): no table, so a million ranks cost nothing.
#[derive(Clone, Debug)]
pub struct Zipf {
    n: u64,
    exponent: f64,
    area_first: f64,
    area_last: f64,
    accept: f64,
}

impl Zipf {
    /// The law over `n` ranks (at least one) with an exponent above 0.
    pub fn new(n: u64, exponent: f64) -> Self {
        let mut zipf = Self { n: n.max(1), exponent, area_first: 0.0, area_last: 0.0, accept: 0.0 };
        zipf.area_first = zipf.area(1.5) - 1.0;
        zipf.area_last = zipf.area(zipf.n as f64 + 0.5);
        zipf.accept = 2.0 - zipf.area_inverse(zipf.area(2.5) - zipf.height(2.0));
        zipf
    }

    /// Draws a rank in `0..n`; 0 is the most frequent.
    pub fn draw(&self, random: &mut SplitMix) -> u64 {
        loop {
            let area = self.area_last + random.unit() * (self.area_first - self.area_last);
            let x = self.area_inverse(area);
            let k = x.round().clamp(1.0, self.n as f64);
            if k - x <= self.accept || area >= self.area(k + 0.5) - self.height(k) {
                return k as u64 - 1;
            }
        }
    }

    /// The density before scaling, `x^-exponent`.
    fn height(&self, x: f64) -> f64 {
        x.powf(-self.exponent)
    }

    /// Its integral from 1 to `x`.
    fn area(&self, x: f64) -> f64 {
        let power = 1.0 - self.exponent;
        if power.abs() < 1e-9 { x.ln() } else { (x.powf(power) - 1.0) / power }
    }

    fn area_inverse(&self, area: f64) -> f64 {
        let power = 1.0 - self.exponent;
        if power.abs() < 1e-9 { area.exp() } else { (1.0 + power * area).max(0.0).powf(1.0 / power) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splitmix_gives_the_published_sequence() {
        // First values for seed 1234567, from the reference implementation.
        let mut random = SplitMix::new(1_234_567);
        assert_eq!(random.next_u64(), 6_457_827_717_110_365_317);
        assert_eq!(random.next_u64(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn zipf_frequencies_follow_the_law() {
        for exponent in [0.8, 1.0, 1.2] {
            let zipf = Zipf::new(1000, exponent);
            let mut random = SplitMix::new(7);
            let draws = 200_000;
            let mut counts = vec![0u32; 1000];
            for _ in 0..draws {
                counts[zipf.draw(&mut random) as usize] += 1;
            }
            let sum: f64 = (1..=1000).map(|k| f64::from(k).powf(-exponent)).sum();
            for k in [1usize, 2, 10, 100] {
                let expected = f64::from(draws) * (k as f64).powf(-exponent) / sum;
                let found = f64::from(counts[k - 1]);
                assert!(
                    (found - expected).abs() < 5.0 * expected.sqrt(),
                    "rank {k}, exponent {exponent}: {found} instead of {expected}"
                );
            }
        }
    }

    #[test]
    fn zipf_stays_within_its_ranks() {
        let mut random = SplitMix::new(3);
        for n in [1, 2, 3, 1_000_000] {
            let zipf = Zipf::new(n, 1.05);
            assert!((0..1000).all(|_| zipf.draw(&mut random) < n));
        }
    }
}
