//! Special tokens: `<|endoftext|>` and the like, which stand for one token each when the caller allows them.

use memchr::memmem;

use super::Encoding;

/// Which special tokens are read as such; all others are ordinary text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special<'a> {
    /// All of the encoding's.
    All,
    /// These, with their brackets: `<|endoftext|>`.
    Only(&'a [&'a str]),
}

impl Special<'_> {
    fn allows(self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.contains(&name),
        }
    }
}

/// Tokens of `o200k_harmony` with a name of their own; every other id from 200000 to 201087 is `<|reserved_ID|>`.
const HARMONY: [(&str, u32); 10] = [
    ("startoftext", 199_998),
    ("endoftext", 199_999),
    ("return", 200_002),
    ("constrain", 200_003),
    ("channel", 200_005),
    ("start", 200_006),
    ("end", 200_007),
    ("message", 200_008),
    ("call", 200_012),
    ("endofprompt", 200_018),
];

const RESERVED: std::ops::RangeInclusive<u32> = 200_000..=201_087;

fn named(encoding: Encoding) -> &'static [(&'static str, u32)] {
    match encoding {
        Encoding::R50kBase | Encoding::P50kBase => &[("endoftext", 50_256)],
        Encoding::Cl100kBase => &[
            ("endoftext", 100_257),
            ("fim_prefix", 100_258),
            ("fim_middle", 100_259),
            ("fim_suffix", 100_260),
            ("endofprompt", 100_276),
        ],
        Encoding::O200kBase => &[("endoftext", 199_999), ("endofprompt", 200_018)],
        Encoding::O200kHarmony => &HARMONY,
        Encoding::Qwen => &[("endoftext", 151_643), ("im_start", 151_644), ("im_end", 151_645)],
        Encoding::Qwen35 => &[("endoftext", 248_044), ("im_start", 248_045), ("im_end", 248_046)],
        // Those of DeepSeek and Mistral have brackets of their own, and the others' ids differ from model to model.
        Encoding::DeepseekV3 | Encoding::KimiK2 | Encoding::Tekken => &[],
    }
}

/// The id of a special token by its name with brackets.
pub(super) fn id(encoding: Encoding, name: &str) -> Option<u32> {
    let inner = name.strip_prefix("<|")?.strip_suffix("|>")?;
    if let Some((_, id)) = named(encoding).iter().find(|(known, _)| *known == inner) {
        return Some(*id);
    }
    let digits = inner.strip_prefix("reserved_").filter(|_| encoding == Encoding::O200kHarmony)?;
    let id = digits.parse().ok().filter(|id: &u32| digits == id.to_string())?;
    // Ids up to 200012 with a name of their own are not also reserved; 200018 is both.
    let taken = id <= 200_012 && HARMONY.iter().any(|(_, known)| *known == id);
    (RESERVED.contains(&id) && !taken).then_some(id)
}

/// The name with brackets of a special token.
pub(super) fn name(encoding: Encoding, id: u32) -> Option<String> {
    if let Some((inner, _)) = named(encoding).iter().find(|(_, known)| *known == id) {
        return Some(format!("<|{inner}|>"));
    }
    (encoding == Encoding::O200kHarmony && RESERVED.contains(&id)).then(|| format!("<|reserved_{id}|>"))
}

/// The first allowed special token at or after `from`: where it starts, where it ends, and its id.
pub(super) fn find(encoding: Encoding, text: &str, from: usize, allowed: Special<'_>) -> Option<(usize, usize, u32)> {
    let mut search = from;
    loop {
        let start = search + memmem::find(&text.as_bytes()[search..], b"<|")?;
        // The longest name is short: don't look for its end through a whole text.
        let near = &text.as_bytes()[start..text.len().min(start + 32)];
        if let Some(length) = memmem::find(near, b"|>").map(|at| at + 2)
            && let Some(found) = text.get(start..start + length)
            && let Some(id) = id(encoding, found)
            && allowed.allows(found)
        {
            return Some((start, start + length, id));
        }
        search = start + 1;
    }
}
