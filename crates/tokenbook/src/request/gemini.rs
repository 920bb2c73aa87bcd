//! Gemini models, as far as counting tells them apart; figures measured on recorded requests, in tokens.

use super::band::Band;

/// A Gemini model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gemini {
    /// What every message has around it, the system instruction too.
    pub(super) each_message: i64,
    pub(super) tools: Tools,
    /// Whether thinking behind a signature is shown again.
    pub(super) shows_signed_thinking: bool,
    /// The tokens of a picture, if it isn't counted by its size.
    pub(super) picture: Option<u64>,
}

/// How tools are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tools {
    /// The texts of the definition and of its schema are counted, and nothing around them.
    Texts,
    /// They are written out as declarations.
    Declared(Declared),
}

/// What is around the parts of a declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Declared {
    pub(super) tool: i64,
    /// A property without a description, and one with it.
    pub(super) property: (i64, i64),
    pub(super) choices: i64,
    pub(super) default: i64,
    pub(super) list: i64,
    pub(super) alternatives: i64,
    pub(super) object: i64,
    pub(super) response: i64,
}

const PYTHON: Declared = Declared {
    tool: 18,
    property: (10, 9),
    choices: 3,
    default: 3,
    list: 6,
    alternatives: 8,
    object: 46,
    response: 42,
};

const SINCE_3: Declared = Declared { property: (19, 19), choices: 8, response: 20, ..PYTHON };

impl Gemini {
    /// The Gemini model of this name, behind any host.
    pub(super) fn parse(model: &str) -> Option<Self> {
        let model = model.to_ascii_lowercase();
        let name = model[model.find("gemini")?..].strip_prefix("gemini")?;
        let version: String =
            name.trim_start_matches('-').chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        // Vertex AI counts all models like the old ones, and the hosts that name the maker ask it.
        let is_vertex = ["google/", "publishers/", "vertex"].iter().any(|word| model.contains(word));
        let is_old = matches!(version.as_str(), "1.0" | "1.5" | "2.0") || matches!(name, "-pro" | "-pro-vision");
        let previews = ["thinking", "preview-image"].iter().any(|word| name.contains(word));
        let old = Self {
            each_message: i64::from(previews && !is_vertex),
            tools: Tools::Texts,
            shows_signed_thinking: !is_old && version != "2.5",
            picture: None,
        };
        Some(if is_old || is_vertex {
            old
        } else if version == "2.5" {
            Self { each_message: 1, tools: Tools::Declared(PYTHON), ..old }
        } else {
            // Source: <https://ai.google.dev/gemini-api/docs/media-resolution>, November 2026.
            Self { each_message: 1, tools: Tools::Declared(SINCE_3), picture: Some(1120), ..old }
        })
    }

    /// How far off an estimate can be.
    pub(super) fn band(tools: bool) -> Band {
        if tools { Band::new(4, 40, 40) } else { Band::new(2, 10, 10) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_told_apart() {
        let of = |name| Gemini::parse(name).map(|gemini| (gemini.each_message, gemini.tools));
        let old = Some((0, Tools::Texts));
        for name in ["gemini-2.0-flash", "gemini-1.5-pro-latest", "gemini-pro", "gemini-2.0-flash-lite-001"] {
            assert_eq!(of(name), old, "{name}");
        }
        assert_eq!(of("publishers/google/models/gemini-2.5-flash"), old);
        assert_eq!(of("google/gemini-2.5-flash"), old);
        assert_eq!(of("models/gemini-2.5-flash-preview-05-20"), Some((1, Tools::Declared(PYTHON))));
        for name in ["gemini-3-pro-preview", "gemini-3.5-flash", "gemini-flash-latest", "models/gemini-pro-latest"] {
            assert_eq!(of(name), Some((1, Tools::Declared(SINCE_3))), "{name}");
        }
        assert_eq!(of("gemma-3-27b-it"), None);
    }
}
