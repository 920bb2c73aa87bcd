//! How far off an estimate can be: bands that held the truth in nine of ten recorded requests and more, of repositories
//! that the figures weren't fitted on (`xtask/fit`).

use crate::error::Result;
use crate::quantity::Count;

/// The width of a band: tokens plus thousandths of the count, below and above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Band {
    tokens: u64,
    below: u64,
    above: u64,
}

impl Band {
    /// No width: the count is exact.
    pub(super) const NONE: Self = Self::new(0, 0, 0);

    pub(super) const fn new(tokens: u64, below: u64, above: u64) -> Self {
        Self { tokens, below, above }
    }

    /// Twice as wide, for what wasn't measured itself.
    pub(super) const fn doubled(self) -> Self {
        Self::new(self.tokens * 2, self.below * 2, self.above * 2)
    }

    /// The ends of the band around a count.
    pub(super) fn around(self, count: Count) -> Result<(Count, Count)> {
        let thousandths = |share: u64| {
            let part = u128::from(count.get()) * u128::from(share) / 1000;
            u64::try_from(part).unwrap_or(u64::MAX / 4).saturating_add(self.tokens)
        };
        let low = count.get().saturating_sub(thousandths(self.below));
        let high = count.get().saturating_add(thousandths(self.above)).min(Count::MAX.get());
        Ok((Count::new(low)?, Count::new(high)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_band_holds_its_count() -> Result<()> {
        let band = Band::new(2, 50, 100);
        assert_eq!(band.around(Count::from(100))?, (Count::from(93), Count::from(112)));
        assert_eq!(band.around(Count::from(1))?, (Count::ZERO, Count::from(3)));
        assert_eq!(Band::NONE.around(Count::MAX)?, (Count::MAX, Count::MAX));
        assert_eq!(band.around(Count::MAX)?.1, Count::MAX);
        Ok(())
    }
}
