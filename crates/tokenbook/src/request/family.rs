//! Families of models that are neither Claude nor OpenAI's: figures fitted on recorded requests
//! (`xtask/fit`). A band holds nine of ten counts by figures that were fitted without the request's repository.

use super::band::Band;
use super::draft::tokens;

/// A model of another family: figures in 64ths of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Other {
    /// What the family is called in the reason for an estimate.
    pub(super) name: &'static str,
    /// For each token of `o200k_base`.
    pub(super) scale: u64,
    pub(super) base: i64,
    pub(super) each_message: i64,
    pub(super) any_tool: i64,
    pub(super) each_tool: i64,
    /// For each 64th of a token of a tool's name, description and compact schema.
    pub(super) tool_text: i64,
    pub(super) each_call: i64,
    pub(super) each_result: i64,
    /// For each 64th of a token of the schema for the answer.
    pub(super) schema_text: i64,
    /// How far off a request can be, without tools and with them.
    pub(super) bands: (Band, Band),
}

/// `name: scale base message | any_tool each_tool tool_text | call result schema | band | band with tools`.
macro_rules! families {
    ($($name:literal [$($word:literal),*] $scale:literal $base:literal $message:literal
       $any:literal $tool:literal $text:literal $call:literal $result:literal $schema:literal
       ($tokens:literal $below:literal $above:literal)
       ($tokens_with:literal $below_with:literal $above_with:literal);)+) => {
        const FAMILIES: &[(&[&str], Other)] = &[$((
            &[$($word),*],
            Other {
                name: $name,
                scale: $scale,
                base: $base,
                each_message: $message,
                any_tool: $any,
                each_tool: $tool,
                tool_text: $text,
                each_call: $call,
                each_result: $result,
                schema_text: $schema,
                bands: (Band::new($tokens, $below, $above), Band::new($tokens_with, $below_with, $above_with)),
            },
        )),+];
    };
}

families! {
    "Gemma" ["gemma"] 66 64 320 0 0 64 512 384 0 (8 190 400) (12 710 900);
    "gpt-oss" ["gpt-oss"] 64 4088 179 1944 2126 0 865 737 3 (40 50 2000) (16 50 350);
    "DeepSeek" ["deepseek"] 66 212 0 3481 1860 95 410 282 64 (8 50 600) (12 560 720);
    "Qwen" ["qwen", "qwq"] 65 397 228 6207 0 162 1743 0 0 (8 50 100) (12 400 720);
    "Mistral" ["mistral", "ministral", "magistral", "mixtral", "devstral", "codestral", "pixtral", "voxtral"]
        73 253 0 2061 0 67 1180 1052 0 (6 100 420) (160 100 4000);
    "Llama" ["llama"] 65 307 472 6111 1476 83 1030 0 159 (8 100 1400) (8 720 850);
    "Cohere" ["command", "c4ai", "aya"] 68 0 0 0 2240 64 3840 463 64 (16 50 100) (16 60 60);
    "Nova" ["nova"] 69 0 0 22508 0 95 966 838 64 (40 100 750) (6 230 2510);
    "Kimi" ["kimi"] 64 640 192 237 1659 51 796 668 64 (6 100 690) (6 80 250);
    "GLM" ["glm"] 62 629 0 5832 1523 86 636 508 64 (6 50 100) (8 50 270);
    "Grok" ["grok"] 64 400 177 844 9000 16 2231 2103 140 (10 150 610) (40 200 950);
    "Sonar" ["sonar"] 64 5 8 0 320 64 512 384 0 (4 80 80) (12 300 600);
}

/// What stands for a model of no family that is known.
const UNKNOWN: Other = Other {
    name: "unknown",
    scale: 66,
    base: 320,
    each_message: 128,
    any_tool: 3200,
    each_tool: 640,
    tool_text: 90,
    each_call: 800,
    each_result: 400,
    schema_text: 32,
    bands: (Band::new(12, 450, 1600), Band::new(40, 450, 2000)),
};

impl Other {
    /// How far off an estimate can be.
    pub(super) fn band(self, tools: bool) -> Band {
        if tools { self.bands.1 } else { self.bands.0 }
    }

    /// The family of this name, or an average of all for a name that says nothing.
    pub(super) fn parse(model: &str) -> Self {
        let model = model.to_ascii_lowercase();
        let known = FAMILIES.iter().find(|(words, _)| words.iter().any(|word| model.contains(word)));
        let mut family = known.map_or(UNKNOWN, |(_, family)| *family);
        if family.name == "Cohere" {
            let (base, with_tools) = cohere_prompt(&model);
            (family.base, family.any_tool) = (tokens(base), tokens(with_tools - base));
        }
        family
    }
}

/// The tokens of the prompt that Cohere puts before a request, without tools and with them: measured, and not billed.
fn cohere_prompt(model: &str) -> (i64, i64) {
    const PROMPTS: &[(&str, (i64, i64))] = &[
        ("reasoning", (1386, 1400)),
        ("command-a-plus", (96, 180)),
        ("command-a", (495, 1380)),
        ("r7b", (495, 1380)),
        ("aya", (569, 1440)),
        ("08-2024", (200, 800)),
    ];
    PROMPTS.iter().find(|(word, _)| model.contains(word)).map_or((66, 800), |(_, prompt)| *prompt)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coheres_prompt_is_the_model_s() {
        for (model, base, with_tools) in
            [("command-a-03-2025", 495, 1380), ("command-r-plus-08-2024", 200, 800), ("command-r", 66, 800)]
        {
            let family = Other::parse(model);
            assert_eq!((family.base, family.base + family.any_tool), (tokens(base), tokens(with_tools)), "{model}");
        }
    }

    #[test]
    fn families_are_found_behind_any_host() {
        assert_eq!(Other::parse("google/gemma-3-27b-it").name, "Gemma");
        assert_eq!(Other::parse("accounts/fireworks/models/mixtral-8x7b-instruct").name, "Mistral");
        assert_eq!(Other::parse("deepseek-ai/DeepSeek-V3.1").name, "DeepSeek");
        assert_eq!(Other::parse("my-own-model").name, "unknown");
    }
}
