//! Counting tokens of text, exactly as OpenAI's models do.
//!
//! The vocabularies are in the program as tables that are read in place: nothing is loaded, built or downloaded.

mod batch;
mod bpe;
mod cache;
mod class;
pub(crate) mod claude;
mod counter;
mod fast;
pub(crate) mod gemini;
mod hash;
mod lanes;
#[cfg(target_family = "wasm")]
mod lazy;
mod models;
mod raw;
mod repeat;
mod scan;
mod spare;
mod special;
mod split;
#[cfg(test)]
mod tests;
mod vocab;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use counter::Counter;
#[cfg(target_family = "wasm")]
pub use lazy::{Vocabulary, use_source};
pub use special::Special;

use crate::error::{Error, ErrorCode, Result};
use crate::quantity::Count;
use split::Pattern;
use vocab::Vocab;

/// How a model turns text into tokens: a way to split text into pieces, and a vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// Of GPT-2 and the first GPT-3 models.
    R50kBase,
    /// Of `text-davinci-003` and the first Codex models.
    P50kBase,
    /// Of GPT-3.5, GPT-4 and the embedding models.
    Cl100kBase,
    /// Of GPT-4o, GPT-4.1, GPT-5 and the o-series.
    O200kBase,
    /// Of gpt-oss: `o200k_base` with the special tokens of the harmony format.
    O200kHarmony,
}

impl Encoding {
    /// Every encoding, oldest first.
    pub const ALL: &[Self] = &[Self::R50kBase, Self::P50kBase, Self::Cl100kBase, Self::O200kBase, Self::O200kHarmony];

    /// The name as tiktoken has it, such as `o200k_base`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::R50kBase => "r50k_base",
            Self::P50kBase => "p50k_base",
            Self::Cl100kBase => "cl100k_base",
            Self::O200kBase => "o200k_base",
            Self::O200kHarmony => "o200k_harmony",
        }
    }

    /// The encoding with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|encoding| encoding.name() == name)
    }

    /// The encoding of a model, if it is one of OpenAI's with a public encoding; never a guess.
    ///
    /// Dated names, fine-tuned models (`ft:…`), and names behind a host (`openai/…`, `azure/…`) are understood.
    ///
    /// ```
    /// use tokenbook::Encoding;
    /// assert_eq!(Encoding::for_model("gpt-4o-2024-08-06"), Some(Encoding::O200kBase));
    /// assert_eq!(Encoding::for_model("openai/gpt-oss-120b"), Some(Encoding::O200kHarmony));
    /// assert_eq!(Encoding::for_model("claude-opus-4-1"), None);
    /// ```
    pub fn for_model(model: &str) -> Option<Self> {
        models::encoding_for(model)
    }

    /// Counts the tokens of a text. What looks like a special token is ordinary text.
    ///
    /// ```
    /// use tokenbook::Encoding;
    /// assert_eq!(Encoding::O200kBase.count("Hello, world!").get(), 4);
    /// ```
    pub fn count(self, text: &str) -> Count {
        counted(self.count_bytes(text.as_bytes()))
    }

    /// Counts the tokens of each text, on all cores when there is much to count.
    pub fn count_batch<T: AsRef<str> + Sync>(self, texts: &[T]) -> Vec<Count> {
        batch::count(self, texts)
    }

    /// Counts the tokens of a text, and gives up as soon as there are more than `limit`.
    ///
    /// ```
    /// use tokenbook::{Count, Encoding};
    /// assert_eq!(Encoding::O200kBase.count_up_to("Hello, world!", Count::from(4)).map(Count::get), Some(4));
    /// assert_eq!(Encoding::O200kBase.count_up_to("Hello, world!", Count::from(3)), None);
    /// ```
    pub fn count_up_to(self, text: &str, limit: Count) -> Option<Count> {
        let count = fast::count_up_to(text.as_bytes(), self.pattern(), self.vocab(), limit.get());
        (count <= limit.get()).then(|| counted(count))
    }

    /// Counts with the allowed special tokens as one token each.
    pub fn count_with_special(self, text: &str, allowed: Special<'_>) -> Count {
        let (mut from, mut total) = (0, 0);
        while let Some((start, end, _)) = special::find(self, text, from, allowed) {
            total += self.count_bytes(&text.as_bytes()[from..start]) + 1;
            from = end;
        }
        counted(total + self.count_bytes(&text.as_bytes()[from..]))
    }

    /// The ids of a text's tokens. What looks like a special token is ordinary text.
    pub fn encode(self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 4);
        self.encode_into(text.as_bytes(), &mut ids);
        ids
    }

    /// The ids of a text's tokens, with the allowed special tokens as such.
    ///
    /// ```
    /// use tokenbook::{Encoding, Special};
    /// assert_eq!(Encoding::O200kBase.encode_with_special("<|endoftext|>", Special::All), [199_999]);
    /// assert!(Encoding::O200kBase.encode("<|endoftext|>").len() > 1);
    /// ```
    pub fn encode_with_special(self, text: &str, allowed: Special<'_>) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 4);
        let mut from = 0;
        while let Some((start, end, id)) = special::find(self, text, from, allowed) {
            self.encode_into(&text.as_bytes()[from..start], &mut ids);
            ids.push(id);
            from = end;
        }
        self.encode_into(&text.as_bytes()[from..], &mut ids);
        ids
    }

    fn encode_into(self, text: &[u8], ids: &mut Vec<u32>) {
        let mut from = 0;
        while from < text.len() {
            let end = self.pattern().end(text, from);
            self.vocab().encode_piece(&text[from..end], ids);
            from = end;
        }
    }

    /// The bytes that these ids stand for; part of a character is not an error here.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] for an id that the encoding doesn't have.
    pub fn decode_bytes(self, ids: &[u32]) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        for (index, &id) in ids.iter().enumerate() {
            if let Some(token) = self.vocab().bytes(id) {
                bytes.extend_from_slice(token);
            } else if let Some(name) = special::name(self, id) {
                bytes.extend_from_slice(name.as_bytes());
            } else {
                return Err(Error::new(ErrorCode::InvalidArgument, format!("{self} has no token {id}"))
                    .with("index", index.to_string()));
            }
        }
        Ok(bytes)
    }

    /// The text that these ids stand for; parts of characters become U+FFFD, as in tiktoken.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`] for an id that the encoding doesn't have.
    pub fn decode(self, ids: &[u32]) -> Result<String> {
        let bytes = self.decode_bytes(ids)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// A counter for a text that comes in chunks.
    pub fn counter(self) -> Counter {
        Counter::new(self)
    }

    /// The id of a special token, such as `<|endoftext|>`.
    pub fn special_token(self, name: &str) -> Option<u32> {
        special::id(self, name)
    }

    /// Counts the tokens of each text, on this thread.
    fn count_many<T: AsRef<str>>(self, texts: &[T]) -> Vec<u64> {
        let mut totals = vec![0; texts.len()];
        let mut bytes = texts.iter().map(|text| text.as_ref().as_bytes());
        fast::count_many(&mut bytes, self.pattern(), self.vocab(), &mut totals);
        totals
    }

    fn count_bytes(self, text: &[u8]) -> u64 {
        fast::count(text, self.pattern(), self.vocab())
    }

    fn pattern(self) -> Pattern {
        match self {
            Self::R50kBase | Self::P50kBase => Pattern::R50k,
            Self::Cl100kBase => Pattern::Cl100k,
            Self::O200kBase | Self::O200kHarmony => Pattern::O200k,
        }
    }

    #[cfg(target_family = "wasm")]
    fn vocab(self) -> &'static Vocab {
        lazy::vocab(self)
    }

    #[cfg(not(target_family = "wasm"))]
    fn vocab(self) -> &'static Vocab {
        match self {
            Self::R50kBase => &vocab::R50K,
            Self::P50kBase => &vocab::P50K,
            Self::Cl100kBase => &vocab::CL100K,
            Self::O200kBase | Self::O200kHarmony => &vocab::O200K,
        }
    }
}

/// A number of tokens in memory, which is far below the largest count.
fn counted(tokens: u64) -> Count {
    Count::new(tokens).expect("fewer tokens than bytes in memory")
}

impl fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Encoding {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::from_name(name).ok_or_else(|| Error::invalid(expected(&format!("\"{name}\""))))
    }
}

impl Serialize for Encoding {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Encoding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Encoding;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of an encoding")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> std::result::Result<Encoding, E> {
                Encoding::from_name(name).ok_or_else(|| E::custom(expected(&format!("\"{name}\""))))
            }
        }

        deserializer.deserialize_str(Visitor)
    }
}

fn expected(got: &str) -> String {
    let names: Vec<&str> = Encoding::ALL.iter().map(|encoding| encoding.name()).collect();
    format!("expected one of {}, got {got}", names.join(", "))
}
