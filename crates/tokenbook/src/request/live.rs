//! Output tokens of a response while it is written.

use super::band::Band;
use super::draft::tokens;
use super::output::{TextCount, tokenizer};
use super::tokenizer::Tokenizer;
use crate::error::Result;
use crate::text::{Counter, Encoding};

/// Counts the text of a response as it comes, for any model.
///
/// Where the model's encoding is public, the total is exact after every chunk. Estimates are settled from word to word, so
/// that a chunk costs what its own length does.
///
/// ```
/// use tokenbook::request::{Exactness, OutputCounter};
/// let mut counter = OutputCounter::new("gpt-4o");
/// for chunk in ["Hel", "lo, wor", "ld!"] {
///     counter.push(chunk);
/// }
/// let total = counter.total()?;
/// assert_eq!((total.tokens.get(), total.exactness), (4, Exactness::Exact));
/// # Ok::<(), tokenbook::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct OutputCounter {
    tokenizer: Tokenizer,
    band: Band,
    so_far: SoFar,
}

#[derive(Debug, Clone)]
enum SoFar {
    Counted(Counter),
    /// Units of the text that is settled, and the text behind it.
    Estimated {
        settled: i64,
        tail: String,
    },
}

/// A tail longer than this is settled up to its last word.
const TAIL: usize = 512;

impl OutputCounter {
    /// Starts counting for a model.
    pub fn new(model: &str) -> Self {
        let (tokenizer, band) = tokenizer(model);
        let so_far = match tokenizer {
            Tokenizer::Exact(encoding) => SoFar::Counted(encoding.counter()),
            Tokenizer::Scaled(_) => SoFar::Counted(Encoding::O200kBase.counter()),
            Tokenizer::Claude(_) | Tokenizer::Gemini => SoFar::Estimated { settled: 0, tail: String::new() },
        };
        Self { tokenizer, band, so_far }
    }

    /// Adds a chunk of text.
    pub fn push(&mut self, chunk: &str) {
        match &mut self.so_far {
            SoFar::Counted(counter) => counter.push(chunk),
            SoFar::Estimated { settled, tail } => {
                tail.push_str(chunk);
                if tail.len() > TAIL {
                    // Words are estimated one by one, so nothing is lost between two of them.
                    let end = last_word(tail).unwrap_or(tail.len());
                    *settled += self.tokenizer.units(&tail[..end]);
                    tail.drain(..end);
                }
            }
        }
    }

    /// The tokens of everything so far.
    ///
    /// # Errors
    ///
    /// None for texts that fit into memory.
    pub fn total(&self) -> Result<TextCount> {
        let units = match (&self.so_far, self.tokenizer) {
            (SoFar::Estimated { settled, tail }, tokenizer) => settled + tokenizer.units(tail),
            (SoFar::Counted(counter), Tokenizer::Scaled(factor)) => {
                i64::try_from(counter.total().get() * factor).unwrap_or(i64::MAX / 4)
            }
            (SoFar::Counted(counter), _) => {
                i64::try_from(counter.total().get()).map_or(i64::MAX / 4, |count| count * tokens(1))
            }
        };
        TextCount::of(units, self.band)
    }
}

/// Where the last word starts, with the space before it: none of the tokenizers counts across there.
fn last_word(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (1..bytes.len())
        .rev()
        .find(|&at| bytes[at] == b' ' && bytes[at - 1].is_ascii_alphanumeric())
        .or_else(|| text.rfind(char::is_whitespace).filter(|at| *at > 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::output::count_text;
    use super::*;

    const MODELS: [&str; 4] = ["gpt-5", "mistral-large", "claude-opus-4-6", "gemini-2.5-pro"];

    fn grown(model: &str, text: &str, every: usize) -> OutputCounter {
        let mut counter = OutputCounter::new(model);
        let characters: Vec<char> = text.chars().collect();
        for chunk in characters.chunks(every) {
            counter.push(&chunk.iter().collect::<String>());
        }
        counter
    }

    #[test]
    fn a_long_answer_is_estimated_as_it_would_be_at_once() -> Result<()> {
        let text = "The ledger keeps each call once, with what it cost and who made it. ".repeat(200);
        for model in ["claude-opus-4-6", "claude-opus-4-8"] {
            let (live, whole) = (grown(model, &text, 7).total()?.tokens.get(), count_text(model, &text)?.tokens.get());
            assert!(live.abs_diff(whole) * 100 <= whole, "{model}: {live} of {whole}");
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn a_short_answer_is_counted_as_it_would_be_at_once(text in "\\PC{0,80}", every in 1..9_usize) {
            for model in MODELS {
                let live = grown(model, &text, every).total().expect("a count");
                prop_assert_eq!(live, count_text(model, &text).expect("a count"), "{}", model);
            }
        }
    }
}
