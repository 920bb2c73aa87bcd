//! The scalars of the text model, fitted on recorded requests and long texts (`xtask/fit/text_weights.py`).

/// Figures in 64ths.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    /// The line for words in capitals of the new generation: constant, per letter, share of the small word.
    pub(super) capitals: (u64, u64, u64),
    /// What each seam in `camelCase` adds.
    pub(super) seam_old: u64,
    /// The same in the new generation.
    pub(super) seam_new: u64,
    /// What a word that isn't one token costs in the old generation, of its cost in the new one.
    pub(super) old_of_new: u64,
    /// The same for a word in capitals.
    pub(super) old_of_new_capitals: u64,
    /// Words outside the table cost less than the sum of their fragments in these scripts.
    pub(super) scripts: [u64; SCRIPTS.len()],
}

/// Greek, Cyrillic, Hebrew, Arabic, Devanagari, Thai, Hangul.
const SCRIPTS: [(char, char); 7] = [
    ('\u{370}', '\u{3ff}'),
    ('\u{400}', '\u{52f}'),
    ('\u{590}', '\u{5ff}'),
    ('\u{600}', '\u{6ff}'),
    ('\u{900}', '\u{97f}'),
    ('\u{e00}', '\u{e7f}'),
    ('\u{ac00}', '\u{d7a3}'),
];

/// What was fitted.
const FITTED: Weights = Weights {
    capitals: (17, 44, 12),
    seam_old: 32,
    seam_new: 18,
    old_of_new: 44,
    old_of_new_capitals: 49,
    scripts: [57, 54, 57, 61, 59, 54, 55],
};

impl Weights {
    /// The share for a word outside the table that starts with this letter.
    pub(super) fn script(&self, first: char) -> u64 {
        SCRIPTS
            .iter()
            .zip(self.scripts)
            .find(|((from, to), _)| (*from..=*to).contains(&first))
            .map_or(64, |(_, share)| share)
    }
}

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
    /// Where there are too few, or the second time.
    pub fn count_by(figures: &[u64]) {
        let [constant, letter, share, seam_old, seam_new, old_of_new, old_of_new_capitals, scripts @ ..] = figures
        else {
            panic!("too few weights");
        };
        let weights = Weights {
            capitals: (*constant, *letter, *share),
            seam_old: *seam_old,
            seam_new: *seam_new,
            old_of_new: *old_of_new,
            old_of_new_capitals: *old_of_new_capitals,
            scripts: scripts.try_into().expect("seven scripts"),
        };
        OTHER.set(weights).expect("weights are set once");
    }
}
