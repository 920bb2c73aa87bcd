//! The tokenizer that a model's text is counted with, exact or not.

use crate::text::Encoding;
use crate::text::claude::{self, Generation, UNITS};
use crate::text::gemini;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tokenizer {
    /// A public encoding.
    Exact(Encoding),
    Claude(Generation),
    Gemini,
    /// This many 64ths of a token for each token of `o200k_base`.
    Scaled(u64),
}

impl Tokenizer {
    /// The tokens of a text, in 64ths.
    pub(super) fn units(self, text: &str) -> i64 {
        let units = match self {
            Self::Exact(encoding) => encoding.count(text).get() * UNITS,
            Self::Claude(generation) => claude::units(generation, text),
            Self::Gemini => gemini::count(text) * UNITS,
            Self::Scaled(factor) => Encoding::O200kBase.count(text).get() * factor,
        };
        // A text has at most as many tokens as bytes, and 2⁵⁷ bytes don't fit into any memory.
        i64::try_from(units).unwrap_or(i64::MAX / 4)
    }
}
