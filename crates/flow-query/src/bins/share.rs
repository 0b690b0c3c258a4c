//! Dividing a count among bins, in whole numbers that add up to it.

/// Bins that follow one another, in each of which a flow spends the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The first of them.
    pub(crate) first: usize,
    /// How many they are.
    pub(crate) bins: usize,
    /// The time in each.
    pub(crate) weight: u64,
}

/// What each bin of a stretch gets: `each`, and the first `more` of them one on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) each: u64,
    pub(crate) more: usize,
}

/// Divides `count` by the weights of all bins, which add up to `whole`, more than 0. What rounding leaves goes to the bins
/// with the largest remainders, of equal ones to the earlier.
pub(crate) fn share(count: u64, whole: u64, stretches: &[Stretch], shares: &mut Vec<(Share, u64)>) {
    shares.clear();
    let mut left = count;
    for stretch in stretches {
        let (each, remainder) = part(count, stretch.weight, whole);
        left -= each * stretch.bins as u64;
        shares.push((Share { each, more: 0 }, remainder));
    }
    while left > 0 {
        // Few stretches have a remainder that is still to be served: the ends of a flow, and its middle.
        let mut largest = 0;
        for index in 1..shares.len() {
            if shares[index].1 > shares[largest].1 {
                largest = index;
            }
        }
        let (share, remainder) = &mut shares[largest];
        share.more = stretches[largest].bins.min(usize::try_from(left).unwrap_or(usize::MAX));
        left -= share.more as u64;
        *remainder = 0;
    }
}

/// `count * weight / whole` and its remainder.
#[inline]
fn part(count: u64, weight: u64, whole: u64) -> (u64, u64) {
    if let Some(product) = count.checked_mul(weight) {
        return (product / whole, product % whole);
    }
    let (product, whole) = (u128::from(count) * u128::from(weight), u128::from(whole));
    ((product / whole) as u64, (product % whole) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same, bin by bin.
    fn naive(count: u64, weights: &[u64]) -> Vec<u64> {
        let whole: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
        let product = |bin: usize| u128::from(count) * u128::from(weights[bin]);
        let mut parts: Vec<u64> = (0..weights.len()).map(|bin| (product(bin) / whole) as u64).collect();
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by_key(|&bin| (std::cmp::Reverse(product(bin) % whole), bin));
        let left = count - parts.iter().sum::<u64>();
        for &bin in &order[..left as usize] {
            parts[bin] += 1;
        }
        parts
    }

    fn any_count() -> impl Strategy<Value = u64> {
        prop_oneof![0..20_u64, any::<u32>().prop_map(u64::from), any::<u64>()]
    }

    proptest! {
        #[test]
        fn parts_are_those_of_the_method_and_add_up(
            count in any_count(),
            stretches in prop::collection::vec((1..6_usize, 1..100_000_u64), 1..6),
        ) {
            let mut first = 0;
            let stretches: Vec<Stretch> = stretches
                .into_iter()
                .map(|(bins, weight)| {
                    first += bins;
                    Stretch { first: first - bins, bins, weight }
                })
                .collect();
            let weights: Vec<u64> =
                stretches.iter().flat_map(|stretch| vec![stretch.weight; stretch.bins]).collect();
            let mut shares = Vec::new();
            share(count, weights.iter().sum(), &stretches, &mut shares);
            let parts: Vec<u64> = stretches
                .iter()
                .zip(&shares)
                .flat_map(|(stretch, (share, _))| {
                    (0..stretch.bins).map(|bin| share.each + u64::from(bin < share.more))
                })
                .collect();
            prop_assert_eq!(parts.iter().map(|part| u128::from(*part)).sum::<u128>(), u128::from(count));
            prop_assert_eq!(parts, naive(count, &weights));
        }
    }
}
