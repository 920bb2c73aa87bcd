//! The scalars of the text model, fitted on recorded requests and long texts (`xtask/fit/text_weights.py`).

/// Figures in 64ths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// What each seam in `camelCase` adds in the old generation.
    pub(super) seam_old: u64,
    /// The line for a word that isn't one token in the old generation: a constant, and the share of its cost in the new one.
    pub(super) old_constant: u64,
    pub(super) old_of_new: u64,
    /// The share for a word in capitals.
    pub(super) old_of_new_capitals: u64,
    /// What a Cyrillic word of three pieces and more costs, of their sum: not all long pieces are known.
    pub(super) cyrillic: u64,
}

/// What was fitted.
const FITTED: Weights =
    Weights { seam_old: 36, old_constant: 24, old_of_new: 37, old_of_new_capitals: 42, cyrillic: 62 };

#[cfg(not(feature = "fit"))]
pub(super) const fn weights() -> &'static Weights {
    &FITTED
}

#[cfg(feature = "fit")]
pub(super) use other::weights;

/// Other weights than the fitted ones, for the scripts that fit them.
#[cfg(feature = "fit")]
pub(crate) mod other {
    use std::sync::OnceLock;

    use super::{FITTED, Weights};

    static OTHER: OnceLock<Weights> = OnceLock::new();

    pub(in super::super) fn weights() -> &'static Weights {
        OTHER.get().unwrap_or(&FITTED)
    }

    /// Counts by these weights from now on, in the order of the fields; once in a process.
    ///
    /// # Panics
    ///
    /// Where they aren't five, or the second time.
    pub fn count_by(figures: &[u64]) {
        let &[seam_old, old_constant, old_of_new, old_of_new_capitals, cyrillic] = figures else {
            panic!("five weights")
        };
        let weights = Weights { seam_old, old_constant, old_of_new, old_of_new_capitals, cyrillic };
        OTHER.set(weights).expect("weights are set once");
    }
}
