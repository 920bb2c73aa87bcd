//! The vocabularies of Qwen, `DeepSeek`, Kimi and Mistral, for counting their tokens exactly with tokenbook.
//!
//! ```
//! tokenbook_vocabularies::install();
//! assert_eq!(tokenbook::Encoding::Qwen.count("Hello, world!").get(), 4);
//! ```
#![forbid(unsafe_code)]

use tokenbook::text::{Vocabulary, use_source};

/// Gives tokenbook every vocabulary of this package; each is expanded when a count first needs it.
pub fn install() {
    use_source(|vocabulary| file(vocabulary).map(<[u8]>::to_vec));
}

/// The file of a vocabulary.
pub fn file(vocabulary: Vocabulary) -> Option<&'static [u8]> {
    match vocabulary {
        Vocabulary::Qwen => Some(include_bytes!("../data/qwen.merges")),
        Vocabulary::Qwen35 => Some(include_bytes!("../data/qwen3_5.merges")),
        Vocabulary::DeepseekV3 => Some(include_bytes!("../data/deepseek_v3.merges")),
        Vocabulary::KimiK2 => Some(include_bytes!("../data/kimi_k2.merges")),
        Vocabulary::Tekken => Some(include_bytes!("../data/tekken.merges")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tokenbook::Encoding;

    #[test]
    fn every_encoding_is_ready() {
        super::install();
        for encoding in Encoding::ALL {
            assert!(encoding.ready().is_ok(), "{encoding}");
            assert_eq!(super::file(encoding.vocabulary()).is_none(), encoding.is_of_openai());
        }
    }
}
