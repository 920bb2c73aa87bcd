//! Shares that add up.

/// The shares of a whole in tenths of a percent, by largest remainder: they add up to 1,000 unless all parts are 0.
pub(crate) fn per_mille(parts: &[u128]) -> Vec<u32> {
    /// Below this, a thousand of them still fit.
    const ROOM: u128 = u128::MAX / 1_000;
    let sum: u128 = parts.iter().fold(0, |sum: u128, part| sum.saturating_add(*part)).min(ROOM);
    if sum == 0 {
        return vec![0; parts.len()];
    }
    let floor = |part: &u128| u32::try_from((*part).min(ROOM) * 1_000 / sum).unwrap_or(1_000);
    let mut shares: Vec<u32> = parts.iter().map(floor).collect();
    let mut left = 1_000_u32.saturating_sub(shares.iter().sum());
    let mut order: Vec<usize> = (0..parts.len()).collect();
    // Stable: of equal remainders the first part gets more.
    order.sort_by_key(|at| std::cmp::Reverse(parts[*at].min(ROOM) * 1_000 % sum));
    for at in order {
        if left == 0 {
            break;
        }
        shares[at] += 1;
        left -= 1;
    }
    shares
}

/// A whole number divided by another and rounded, halves to even.
pub(crate) fn divided(value: i128, by: i128) -> i128 {
    let (whole, rest) = (value.div_euclid(by), value.rem_euclid(by));
    match (rest * 2).cmp(&by) {
        std::cmp::Ordering::Less => whole,
        std::cmp::Ordering::Greater => whole + 1,
        std::cmp::Ordering::Equal => whole + (whole & 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn thirds_add_up_to_a_hundred_percent() {
        assert_eq!(per_mille(&[1, 1, 1]), [334, 333, 333]);
        assert_eq!(per_mille(&[0, 0]), [0, 0]);
        assert_eq!(per_mille(&[]), [0_u32; 0]);
        assert_eq!(per_mille(&[2, 0, 1]), [667, 0, 333]);
    }

    #[test]
    fn halves_are_rounded_to_even() {
        let rounded = [(1, 2, 0), (3, 2, 2), (5, 2, 2), (7, 3, 2), (8, 3, 3), (-1, 2, 0), (-3, 2, -2), (-8, 3, -3)];
        for (value, by, expected) in rounded {
            assert_eq!(divided(value, by), expected, "{value} / {by}");
        }
    }

    proptest! {
        #[test]
        fn shares_add_up_and_are_within_one_of_exact(parts in prop::collection::vec(0..1_u128 << 90, 1..20)) {
            let shares = per_mille(&parts);
            let sum: u128 = parts.iter().sum();
            prop_assert_eq!(shares.iter().sum::<u32>(), if sum == 0 { 0 } else { 1_000 });
            for (share, part) in shares.iter().zip(&parts) {
                let exact = part * 1_000;
                prop_assert!((u128::from(*share) * sum).abs_diff(exact) <= sum);
            }
        }
    }
}
