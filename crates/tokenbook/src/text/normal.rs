//! The normal form NFC, into which some encodings bring a text before they split it.

use std::borrow::Cow;

use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::{IsNormalized, UnicodeNormalization as _, is_nfc_quick};

/// The text in NFC.
pub(super) fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc_quick(text.chars()) == IsNormalized::Yes {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect())
}

/// Whether a text behind any other leaves both as they are.
pub(super) fn is_settled(text: &str) -> bool {
    text.is_ascii() || text.chars().next().is_some_and(is_start) && is_nfc_quick(text.chars()) == IsNormalized::Yes
}

/// Where the last character starts that nothing before it changes, nor it anything before it.
pub(super) fn last_start(text: &str) -> usize {
    text.char_indices().rev().find(|&(_, character)| is_start(character)).map_or(0, |(at, _)| at)
}

fn is_start(character: char) -> bool {
    character.is_ascii()
        || canonical_combining_class(character) == 0 && is_nfc_quick(std::iter::once(character)) == IsNormalized::Yes
}
