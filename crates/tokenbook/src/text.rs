//! Counting tokens of text, exactly as models do whose vocabularies are public.
//!
//! OpenAI's vocabularies are in the program as tables that are read in place: nothing is loaded, built or downloaded. Those
//! of other families are added by whoever has their files.

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
mod lazy;
mod longs;
mod models;
mod normal;
mod order;
mod raw;
mod repeat;
mod scan;
mod spare;
mod special;
mod split;
#[cfg(test)]
mod tests;
mod vocab;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use counter::Counter;
pub use lazy::{Vocabulary, add_vocabulary, use_source};
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
    /// Of Qwen 1 to 3; its vocabulary is added.
    Qwen,
    /// Of Qwen 3.5 and later; its vocabulary is added.
    Qwen35,
    /// Of DeepSeek V3, R1 and V4; its vocabulary is added.
    DeepseekV3,
    /// Of Kimi K2; its vocabulary is added.
    KimiK2,
    /// Of Mistral's models since Nemo; its vocabulary is added.
    Tekken,
}

impl Encoding {
    /// Every encoding, oldest first.
    pub const ALL: &[Self] = &[
        Self::R50kBase,
        Self::P50kBase,
        Self::Cl100kBase,
        Self::O200kBase,
        Self::O200kHarmony,
        Self::Qwen,
        Self::Qwen35,
        Self::DeepseekV3,
        Self::KimiK2,
        Self::Tekken,
    ];

    /// The name, of OpenAI's as tiktoken has it, such as `o200k_base`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::R50kBase => "r50k_base",
            Self::P50kBase => "p50k_base",
            Self::Cl100kBase => "cl100k_base",
            Self::O200kBase => "o200k_base",
            Self::O200kHarmony => "o200k_harmony",
            Self::Qwen => "qwen",
            Self::Qwen35 => "qwen3_5",
            Self::DeepseekV3 => "deepseek_v3",
            Self::KimiK2 => "kimi_k2",
            Self::Tekken => "tekken",
        }
    }

    /// The encoding with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|encoding| encoding.name() == name)
    }

    /// The encoding of a model, if it is public; never a guess.
    ///
    /// Dated names, fine-tuned models (`ft:…`), and names behind a host (`openai/…`, `azure/…`) are understood. Of other
    /// families those models count whose weights are open, behind any host.
    ///
    /// ```
    /// use tokenbook::Encoding;
    /// assert_eq!(Encoding::for_model("gpt-4o-2024-08-06"), Some(Encoding::O200kBase));
    /// assert_eq!(Encoding::for_model("openai/gpt-oss-120b"), Some(Encoding::O200kHarmony));
    /// assert_eq!(Encoding::for_model("Qwen/Qwen3-32B"), Some(Encoding::Qwen));
    /// assert_eq!(Encoding::for_model("claude-opus-4-1"), None);
    /// ```
    pub fn for_model(model: &str) -> Option<Self> {
        models::encoding_for(model)
    }

    /// Whether it is one of OpenAI's, whose vocabularies come with the program.
    pub const fn is_of_openai(self) -> bool {
        matches!(self, Self::R50kBase | Self::P50kBase | Self::Cl100kBase | Self::O200kBase | Self::O200kHarmony)
    }

    /// Makes sure that the vocabulary is there. It always is for OpenAI's, and for others once it was added.
    ///
    /// ```
    /// use tokenbook::{Encoding, ErrorCode};
    /// assert!(Encoding::O200kBase.ready().is_ok());
    /// assert_eq!(Encoding::Qwen.ready().unwrap_err().code(), ErrorCode::Unavailable);
    /// ```
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`] when it isn't, and what to install.
    pub fn ready(self) -> Result<()> {
        self.known_vocab().map(|_| ()).ok_or_else(|| lazy::missing(self))
    }

    /// Counts the tokens of a text. What looks like a special token is ordinary text.
    ///
    /// # Panics
    ///
    /// Here and wherever an encoding is used, when its vocabulary isn't there; [`Encoding::ready`] tells.
    ///
    /// ```
    /// use tokenbook::Encoding;
    /// assert_eq!(Encoding::O200kBase.count("Hello, world!").get(), 4);
    /// ```
    pub fn count(self, text: &str) -> Count {
        counted(self.count_text(text))
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
        let text = self.normal(text);
        let count = fast::count_up_to(text.as_bytes(), self.pattern(), self.vocab(), limit.get());
        (count <= limit.get()).then(|| counted(count))
    }

    /// Counts with the allowed special tokens as one token each.
    pub fn count_with_special(self, text: &str, allowed: Special<'_>) -> Count {
        let (mut from, mut total) = (0, 0);
        while let Some((start, end, _)) = special::find(self, text, from, allowed) {
            total += self.count_text(&text[from..start]) + 1;
            from = end;
        }
        counted(total + self.count_text(&text[from..]))
    }

    /// The ids of a text's tokens. What looks like a special token is ordinary text.
    pub fn encode(self, text: &str) -> Vec<u32> {
        let mut ids = Vec::with_capacity(text.len() / 4);
        self.encode_into(text, &mut ids);
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
            self.encode_into(&text[from..start], &mut ids);
            ids.push(id);
            from = end;
        }
        self.encode_into(&text[from..], &mut ids);
        ids
    }

    fn encode_into(self, text: &str, ids: &mut Vec<u32>) {
        let (text, first) = (self.normal(text), ids.len());
        let (text, mut from) = (text.as_bytes(), 0);
        while from < text.len() {
            let end = self.pattern().end(text, from);
            self.vocab().encode_piece(&text[from..end], ids);
            from = end;
        }
        ids[first..].iter_mut().for_each(|id| *id = self.id(*id));
    }

    /// The id of a token by its place in the order in which tokens merge.
    fn id(self, place: u32) -> u32 {
        match self {
            // Behind three special tokens.
            Self::DeepseekV3 => place + 3,
            // Behind room for a thousand of them.
            Self::Tekken => place + 1000,
            Self::Qwen35 => order::id(place),
            _ => place,
        }
    }

    /// The place of a token by its id.
    fn place(self, id: u32) -> Option<u32> {
        match self {
            Self::DeepseekV3 => id.checked_sub(3),
            Self::Tekken => id.checked_sub(1000),
            Self::Qwen35 => Some(order::place(id)),
            _ => Some(id),
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
            if let Some(token) = self.place(id).and_then(|place| self.vocab().bytes(place)) {
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
        let (pattern, vocab) = (self.pattern(), self.vocab());
        if self.is_normalized() {
            let normal: Vec<_> = texts.iter().map(|text| self.normal(text.as_ref())).collect();
            fast::count_many(&mut normal.iter().map(|text| text.as_bytes()), pattern, vocab, &mut totals);
        } else {
            fast::count_many(&mut texts.iter().map(|text| text.as_ref().as_bytes()), pattern, vocab, &mut totals);
        }
        totals
    }

    fn count_text(self, text: &str) -> u64 {
        fast::count(self.normal(text).as_bytes(), self.pattern(), self.vocab())
    }

    /// Whether texts are brought into the normal form NFC before they are split.
    fn is_normalized(self) -> bool {
        matches!(self, Self::Qwen | Self::Qwen35)
    }

    /// The text in the form that is split.
    fn normal(self, text: &str) -> Cow<'_, str> {
        if self.is_normalized() { normal::composed(text) } else { Cow::Borrowed(text) }
    }

    fn pattern(self) -> Pattern {
        match self {
            Self::R50kBase | Self::P50kBase => Pattern::R50k,
            Self::Cl100kBase => Pattern::Cl100k,
            Self::O200kBase | Self::O200kHarmony => Pattern::O200k,
            Self::Qwen => Pattern::Qwen,
            Self::Qwen35 => Pattern::Qwen35,
            Self::DeepseekV3 => Pattern::Deepseek,
            Self::KimiK2 => Pattern::Kimi,
            Self::Tekken => Pattern::Tekken,
        }
    }

    fn vocab(self) -> &'static Vocab {
        self.known_vocab().unwrap_or_else(|| panic!("{}", lazy::missing(self)))
    }

    /// The vocabulary where it is in the program, or was added.
    fn known_vocab(self) -> Option<&'static Vocab> {
        match self {
            #[cfg(not(target_family = "wasm"))]
            Self::R50kBase => Some(&vocab::R50K),
            #[cfg(not(target_family = "wasm"))]
            Self::P50kBase => Some(&vocab::P50K),
            #[cfg(not(target_family = "wasm"))]
            Self::Cl100kBase => Some(&vocab::CL100K),
            #[cfg(not(target_family = "wasm"))]
            Self::O200kBase | Self::O200kHarmony => Some(&vocab::O200K),
            other => lazy::vocab(other),
        }
    }

    /// The file that its vocabulary is in.
    pub const fn vocabulary(self) -> Vocabulary {
        match self {
            Self::R50kBase | Self::P50kBase => Vocabulary::R50k,
            Self::Cl100kBase => Vocabulary::Cl100k,
            Self::O200kBase | Self::O200kHarmony => Vocabulary::O200k,
            Self::Qwen => Vocabulary::Qwen,
            Self::Qwen35 => Vocabulary::Qwen35,
            Self::DeepseekV3 => Vocabulary::DeepseekV3,
            Self::KimiK2 => Vocabulary::KimiK2,
            Self::Tekken => Vocabulary::Tekken,
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
