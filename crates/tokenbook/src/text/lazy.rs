//! Vocabularies that come when they are first asked for, where a program is downloaded before each use.

use std::sync::OnceLock;

use super::Encoding;
use super::vocab::{Tables, Vocab};

#[path = "../../build/codec.rs"]
mod codec;
#[path = "../../build/expand.rs"]
mod expand;

use super::hash;

/// A file of vocabularies, in the compact form of `data/vocab`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vocabulary {
    /// Of `r50k_base` and `p50k_base`.
    R50k,
    /// Of `cl100k_base`.
    Cl100k,
    /// Of `o200k_base` and `o200k_harmony`.
    O200k,
    /// Of Gemini, as a table that is read in place.
    Gemini,
}

/// What gives the bytes of a vocabulary's file; it does not return when it can't.
type Source = fn(Vocabulary) -> Vec<u8>;

static SOURCE: OnceLock<Source> = OnceLock::new();
static VOCABS: [OnceLock<Vocab>; 4] = [const { OnceLock::new() }; 4];

/// Says where vocabularies come from; only the first word counts.
pub fn use_source(source: Source) {
    let _ = SOURCE.set(source);
}

/// The vocabulary of an encoding, expanded when it is first asked for.
pub(super) fn vocab(encoding: Encoding) -> &'static Vocab {
    let number = match encoding {
        Encoding::R50kBase => 0,
        Encoding::P50kBase => 1,
        Encoding::Cl100kBase => 2,
        Encoding::O200kBase | Encoding::O200kHarmony => 3,
    };
    if let Some(vocab) = VOCABS[number].get() {
        return vocab;
    }
    // Asked outside of the lock: a source that throws must not leave it held.
    let tables = tables(match encoding {
        Encoding::R50kBase | Encoding::P50kBase => Vocabulary::R50k,
        Encoding::Cl100kBase => Vocabulary::Cl100k,
        Encoding::O200kBase | Encoding::O200kHarmony => Vocabulary::O200k,
    });
    let limits = [50_256, 50_281, 100_256, 199_998];
    let set = |at: usize| VOCABS[at].get_or_init(|| Vocab { tables, limit: limits[at], number: at });
    if number < 2 {
        set(1 - number);
    }
    set(number)
}

/// The table of Gemini's pieces.
pub(super) fn gemini() -> &'static [u8] {
    static TABLE: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(table) = TABLE.get() {
        return table;
    }
    let table = asked(Vocabulary::Gemini);
    TABLE.get_or_init(|| table)
}

fn asked(vocabulary: Vocabulary) -> Vec<u8> {
    SOURCE.get().expect("the program says where vocabularies come from")(vocabulary)
}

fn tables(vocabulary: Vocabulary) -> &'static Tables {
    let made = expand::expand(&asked(vocabulary), vocabulary == Vocabulary::R50k);
    Box::leak(Box::new(Tables {
        bytes: made.bytes.leak(),
        starts: made.starts.leak(),
        halves: made.halves.leak(),
        merges: made.merges.leak(),
        spilled: made.spilled.leak(),
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
