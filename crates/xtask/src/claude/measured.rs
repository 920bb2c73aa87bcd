//! What was measured, and what it says about words.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::Context as _;

use super::letters::{is_latin, stands_alone, uncapitalized};

/// Counts of strings. They were taken between two section signs, which may take up a space on either side.
pub(super) struct Measured {
    new: BTreeMap<String, u32>,
    old: BTreeSet<String>,
}

/// Words that have so many tokens of the new generation together.
pub(super) struct Observation {
    pub(super) words: Vec<String>,
    pub(super) tokens: u32,
}

impl Measured {
    pub(super) fn read(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.join("claude-vocab");
        let counts = folder.join("new-generation-counts.tsv.gz");
        let file = File::open(&counts).with_context(|| counts.display().to_string())?;
        let mut new = BTreeMap::new();
        for line in BufReader::new(flate2::read::GzDecoder::new(file)).lines() {
            let line = line?;
            let (text, tokens) = line.rsplit_once('\t').context("a line without a count")?;
            let text: String = serde_json::from_str(text)?;
            if is_printable(&text) {
                new.insert(text, tokens.parse()?);
            }
        }
        let tokens = |file: &str| -> anyhow::Result<BTreeSet<String>> {
            let tokens: BTreeSet<String> = serde_json::from_str(&fs::read_to_string(folder.join(file))?)?;
            Ok(tokens.into_iter().filter(|text| is_printable(text)).collect())
        };
        new.extend(tokens("new-generation-tokens.json")?.into_iter().map(|text| (text, 1)));
        Ok(Self { new, old: tokens("old-generation-tokens.json")? })
    }

    /// The tokens of a string in the new generation.
    pub(super) fn count(&self, text: &str) -> Option<u32> {
        self.new.get(text).copied()
    }

    /// Whether a string is one token in the old generation.
    pub(super) fn is_old_token(&self, text: &str) -> bool {
        self.old.contains(text)
    }

    /// The tokens of the old generation, without spaces around them.
    pub(super) fn old_tokens(&self) -> impl Iterator<Item = &str> {
        self.old.iter().map(|text| text.trim_matches(' ')).filter(|text| !text.is_empty())
    }

    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.new.keys().map(String::as_str)
    }

    pub(super) fn single_characters(&self) -> impl Iterator<Item = (char, u32)> {
        self.new.iter().filter_map(|(text, &tokens)| {
            let mut characters = text.chars();
            characters.next().filter(|_| characters.as_str().is_empty()).map(|only| (only, tokens))
        })
    }

    /// What remains of each string for its words, where the count of everything else in it was measured too.
    pub(super) fn observations(&self) -> Vec<Observation> {
        let mut found: BTreeMap<Vec<String>, u32> = BTreeMap::new();
        for (text, &tokens) in &self.new {
            if let Some(observed) = self.observation(text, tokens) {
                let least = found.entry(observed.words).or_insert(observed.tokens);
                *least = observed.tokens.min(*least);
            }
        }
        found.into_iter().map(|(words, tokens)| Observation { words, tokens }).collect()
    }

    fn observation(&self, text: &str, tokens: u32) -> Option<Observation> {
        let trimmed = text.trim_matches(' ');
        let is_word = |c: char| c.is_alphabetic() && !stands_alone(c);
        // A space beside a word is free.
        if text != trimmed && !(trimmed.starts_with(is_word) && trimmed.ends_with(is_word)) {
            return None;
        }
        let mut left = tokens;
        let mut words = Vec::new();
        let mut rest = trimmed;
        while let Some(first) = rest.chars().next() {
            let before = &trimmed[..trimmed.len() - rest.len()];
            if first == ' ' && before.ends_with(is_word) && rest[1..].starts_with(is_word) {
                rest = &rest[1..];
                continue;
            }
            let kind = kind(first)?;
            let end = if kind == Kind::Alone {
                first.len_utf8()
            } else {
                rest.find(|c| self::kind(c) != Some(kind)).unwrap_or(rest.len())
            };
            let run;
            (run, rest) = rest.split_at(end);
            match kind {
                Kind::Latin | Kind::Letters => match uncapitalized(run).filter(|small| self.is_capitalized(run, small))
                {
                    Some(small) => {
                        left = left.checked_sub(1)?;
                        words.push(small);
                    }
                    None => words.push(run.to_owned()),
                },
                Kind::Alone | Kind::Symbols => left = left.checked_sub(self.count(run)?)?,
            }
        }
        // Latin words were measured alone often enough; apostrophes and the like inside have rules of their own.
        let plain = words.len() == 1 && words[0].chars().count() == trimmed.chars().count();
        let latin = words.iter().any(|word| word.starts_with(is_latin));
        (left > 0 && !words.is_empty() && (plain || !latin)).then_some(Observation { words, tokens: left })
    }

    /// Whether the word is counted as a capital and its small letters; a few are tokens as they are.
    fn is_capitalized(&self, word: &str, small: &str) -> bool {
        match self.count(word) {
            Some(1) => false,
            Some(tokens) if small.chars().nth(1).is_none() => self.count(small) == Some(tokens - 1),
            _ => true,
        }
    }
}

/// What a character is to the splitter of `text/claude.rs`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Latin,
    Letters,
    Alone,
    Symbols,
}

fn kind(c: char) -> Option<Kind> {
    if c.is_alphabetic() {
        Some(if stands_alone(c) {
            Kind::Alone
        } else if is_latin(c) {
            Kind::Latin
        } else {
            Kind::Letters
        })
    } else {
        is_symbol(c).then_some(Kind::Symbols)
    }
}

pub(super) fn is_symbol(c: char) -> bool {
    !c.is_alphabetic() && !c.is_numeric() && !c.is_whitespace()
}

/// Control characters and those of private use are taken out before texts are counted.
fn is_printable(text: &str) -> bool {
    !text.chars().any(|c| {
        matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}')
    })
}
