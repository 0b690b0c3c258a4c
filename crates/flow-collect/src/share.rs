//! Sharing out what nobody can tell whose it is.

/// Splits `total` in proportion to `weights`, whole and exactly; what is left over goes to the greatest, and if all are 0, everything
/// to the last.
pub(crate) fn share(total: u64, weights: &[u64]) -> Vec<u64> {
    let sum: u128 = weights.iter().copied().map(u128::from).sum();
    let part = |weight: u64| u128::from(total) * u128::from(weight) / sum.max(1);
    // No part is greater than the whole.
    let mut shares: Vec<u64> = weights.iter().map(|&weight| part(weight) as u64).collect();
    let rest = total - shares.iter().sum::<u64>();
    if let Some((_, share)) = weights.iter().zip(&mut shares).max_by_key(|(weight, _)| **weight) {
        *share += rest;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_in_proportion_and_add_up() {
        assert_eq!(share(10, &[1, 3, 1]), [2, 6, 2]);
        assert_eq!(share(10, &[1, 1, 2, 2]), [1, 1, 3, 5]);
        assert_eq!(share(7, &[0, 0]), [0, 7]);
        assert_eq!(
            share(u64::MAX, &[u64::MAX, 1, u64::MAX]).iter().map(|&part| u128::from(part)).sum::<u128>(),
            u64::MAX.into()
        );
        assert_eq!(share(7, &[]), []);
        assert_eq!(share(0, &[5]), [0]);
    }
}
