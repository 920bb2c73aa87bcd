//! Vocabularies that come at run time: of families other than OpenAI's, and all of them where a program is downloaded
//! before each use.

use std::sync::OnceLock;

use super::Encoding;
use super::hash::bytes_hash;
use super::vocab::{Tables, VOCABS, Vocab};
use crate::error::{Error, ErrorCode, Result};

#[path = "../../build/codec.rs"]
mod codec;
#[path = "../../build/expand.rs"]
#[expect(clippy::cast_possible_truncation, reason = "ids have 18 bits, and a token at most 512 bytes")]
mod expand;

use super::hash;

/// A file of vocabularies in their compact form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Vocabulary {
    /// Of `r50k_base` and `p50k_base`.
    R50k,
    /// Of `cl100k_base`.
    Cl100k,
    /// Of `o200k_base` and `o200k_harmony`.
    O200k,
    /// Of Gemini, as a table that is read in place.
    Gemini,
    /// Of `qwen`.
    Qwen,
    /// Of `qwen3_5`.
    Qwen35,
    /// Of `deepseek_v3`.
    DeepseekV3,
    /// Of `kimi_k2`.
    KimiK2,
    /// Of `tekken`.
    Tekken,
}

impl Vocabulary {
    /// Every file of merges.
    pub const ALL: &[Self] = &[
        Self::R50k,
        Self::Cl100k,
        Self::O200k,
        Self::Qwen,
        Self::Qwen35,
        Self::DeepseekV3,
        Self::KimiK2,
        Self::Tekken,
    ];

    /// The name of the file, such as `qwen.merges`.
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::R50k => "r50k_base.merges",
            Self::Cl100k => "cl100k_base.merges",
            Self::O200k => "o200k_base.merges",
            Self::Gemini => "gemini.merges",
            Self::Qwen => "qwen.merges",
            Self::Qwen35 => "qwen3_5.merges",
            Self::DeepseekV3 => "deepseek_v3.merges",
            Self::KimiK2 => "kimi_k2.merges",
            Self::Tekken => "tekken.merges",
        }
    }

    /// What tells the file from every other; those of OpenAI's come with the program.
    const fn hash(self) -> Option<u64> {
        match self {
            Self::R50k | Self::Cl100k | Self::O200k | Self::Gemini => None,
            Self::Qwen => Some(0x5e9e_d972_f71f_ec69),
            Self::Qwen35 => Some(0x44e9_0464_a8c9_6802),
            Self::DeepseekV3 => Some(0x4e53_e49d_eb37_4a3e),
            Self::KimiK2 => Some(0x3d72_d644_a209_6abd),
            Self::Tekken => Some(0x4def_9c45_7e3d_29b2),
        }
    }

    /// The places of its vocabularies among all, and how many ids each has; 0 stands for all that the file has.
    const fn places(self) -> &'static [(usize, u32)] {
        match self {
            Self::R50k => &[(0, 50_256), (1, 50_281)],
            Self::Cl100k => &[(2, 0)],
            Self::O200k => &[(3, 0)],
            Self::Gemini => &[],
            Self::Qwen => &[(4, 0)],
            Self::Qwen35 => &[(5, 0)],
            Self::DeepseekV3 => &[(6, 0)],
            Self::KimiK2 => &[(7, 0)],
            Self::Tekken => &[(8, 0)],
        }
    }
}

/// What gives the bytes of a vocabulary's file, if it has it.
type Source = fn(Vocabulary) -> Option<Vec<u8>>;

static SOURCE: OnceLock<Source> = OnceLock::new();
static ADDED: [OnceLock<Vocab>; VOCABS] = [const { OnceLock::new() }; VOCABS];

/// Says where vocabularies come from that aren't there; only the first word counts.
pub fn use_source(source: Source) {
    let _ = SOURCE.set(source);
}

/// Adds the vocabulary whose file this is, for as long as the process lives.
///
/// ```no_run
/// use tokenbook::{Encoding, text::add_vocabulary};
/// add_vocabulary(&std::fs::read("vocabularies/data/qwen.merges")?)?;
/// assert_eq!(Encoding::Qwen.count("Hello, world!").get(), 4);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`] when it is none that this version knows.
pub fn add_vocabulary(file: &[u8]) -> Result<Vocabulary> {
    let hash = bytes_hash(file);
    let vocabulary = Vocabulary::ALL.iter().copied().find(|vocabulary| vocabulary.hash() == Some(hash));
    let vocabulary =
        vocabulary.ok_or_else(|| Error::invalid("expected a vocabulary of the package `tokenbook-vocabularies`"))?;
    keep(vocabulary, file);
    Ok(vocabulary)
}

/// The table of Gemini's pieces.
#[cfg(target_family = "wasm")]
pub(super) fn gemini() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(table) = TABLE.get() {
        return table;
    }
    let source = SOURCE.get().expect("the program says where vocabularies come from");
    let table = source(Vocabulary::Gemini).expect("a page has it or throws");
    TABLE.get_or_init(|| table)
}

fn keep(vocabulary: Vocabulary, file: &[u8]) {
    let places = vocabulary.places();
    if places.iter().all(|&(place, _)| ADDED[place].get().is_some()) {
        return;
    }
    let tables = tables(file, vocabulary == Vocabulary::R50k);
    for &(place, limit) in places {
        let all = u32::try_from(tables.starts.len() - 1).expect("ids have 18 bits");
        let limit = if limit > 0 { limit } else { all };
        let _ = ADDED[place].set(Vocab { tables, limit, number: place });
    }
}

/// The vocabulary of an encoding, if it is there or its source has it.
pub(super) fn vocab(encoding: Encoding) -> Option<&'static Vocab> {
    let vocabulary = encoding.vocabulary();
    let places = vocabulary.places();
    let (place, _) = places[usize::from(encoding == Encoding::P50kBase)];
    if let Some(vocab) = ADDED[place].get() {
        return Some(vocab);
    }
    // Asked outside of the lock: a source that throws must not leave it held.
    let file = SOURCE.get()?(vocabulary)?;
    if vocabulary.hash().is_some_and(|hash| hash != bytes_hash(&file)) {
        return None;
    }
    keep(vocabulary, &file);
    ADDED[place].get()
}

/// Says that an encoding's vocabulary isn't there.
#[cold]
pub(super) fn missing(encoding: Encoding) -> Error {
    Error::new(
        ErrorCode::Unavailable,
        format!("the vocabulary of {encoding} isn't here: install the package `tokenbook-vocabularies`"),
    )
    .with("encoding", encoding.name())
}

fn tables(file: &[u8], r50k: bool) -> &'static Tables {
    let made = expand::expand(file, r50k);
    Box::leak(Box::new(Tables {
        bytes: made.bytes.leak(),
        starts: made.starts.leak(),
        halves: made.halves.leak(),
        merges: made.merges.leak(),
        seeds: made.seeds.leak(),
        byte_pairs: (&*made.byte_pairs.leak()).try_into().expect("the length of the type"),
        ids: made.ids.leak(),
        singles: Box::leak(Box::new(made.singles)),
        short: made.short.leak(),
        medium: made.medium.leak(),
        joints: made.joints.leak(),
        alone: made.alone.leak(),
        pairs: (&*made.pairs.leak()).try_into().expect("the length of the type"),
        spoilers: (&*made.spoilers.leak()).try_into().expect("the length of the type"),
        atoms: (&*made.atoms.leak()).try_into().expect("the length of the type"),
    }))
}
