//! Models whose vocabulary and whose template of prompts are public.

use super::band::Band;
use super::body::{Block, Body, Shape};
use crate::text::Encoding;

/// A model whose prompt can be written out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) encoding: Encoding,
    pub(super) template: Template,
}

/// How a family writes a prompt.
///
/// Sources: the chat templates and encoders that come with the weights of Qwen2.5, Qwen3 and Qwen3.5, `DeepSeek` V3, V3.1 and V4,
/// Kimi K2 and gpt-oss, on <https://huggingface.co>, the crate `openai-harmony` 0.0.8 and the Python package `mistral-common`
/// 1.13.1; checked on recorded requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Template {
    /// With a system prompt of its own where the request has none.
    Qwen25,
    /// Thinking begins with the model's own words, or is begun for it.
    Qwen3 {
        begins: bool,
        /// Whether tools are written in a way of their own, as those of the coding models.
        own_tools: bool,
    },
    Qwen35,
    /// Whether an answer begins behind a mark of thinking.
    DeepseekV3 {
        marked: bool,
    },
    DeepseekV4,
    /// With a system prompt of its own where the request has none.
    KimiK2,
    /// Without one, and thinking is begun for it.
    KimiK25,
    /// That of gpt-oss.
    Harmony(Server),
    Mistral(Instruct),
}

/// The versions of how Mistral's models are instructed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Instruct {
    /// The system prompt is put before the last question, and calls are a list.
    V3,
    /// The system prompt has tokens of its own.
    V7,
    /// Each call has its name, its id and its arguments behind tokens of their own.
    V11,
    /// Calls have no ids, and tools come before the first question.
    V13,
    /// The same with settings before the first question.
    V15,
}

impl Instruct {
    /// That of a model, and of the one that an alias stands for now.
    ///
    /// Sources: the list of models in `mistral-common` 1.13.1 and the `tekken.json` that come with the weights on
    /// <https://huggingface.co>; what Mistral's own server counts agrees for Nemo, Pixtral, Ministral (2410 and 3), Small 3.2 and
    /// 4, Large 3 and Magistral. `None` where the server is known to write a template or a prompt of its own.
    fn parse(model: &str) -> Option<Self> {
        let name = model.rsplit('/').next().unwrap_or(model);
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        let tagged = name.split_once(':').is_some_and(|(_, tag)| tag.starts_with(|tag: char| tag.is_ascii_digit()));
        // Ollama's names, those of files for llama.cpp, and Venice's: each shows a prompt where there is none, or before it.
        if has(&["small3", "gguf", "-q4", "-q5", "-q6", "-q8", "small-3-2-24b"]) || tagged && !has(&["mistral."]) {
            return None;
        }
        Some(match name {
            "ministral-3b" | "ministral-8b" => Self::V3,
            _ if has(&["nemo", "pixtral", "mistral-tiny", "2410"]) => Self::V3,
            _ if has(&["2501", "2503", "small-3.1", "small-3-1", "small-24b"]) => Self::V7,
            _ if has(&["2603", "2604", "small-4", "medium-3.5", "medium-3-5"]) => Self::V15,
            "mistral-small-latest" | "mistral-medium-latest" | "magistral-small-latest" => Self::V15,
            _ if has(&["2505", "2506", "2507", "2508", "small-3", "medium-3", "voxtral"]) => Self::V11,
            _ => Self::V13,
        })
    }
}

/// What writes the prompt of gpt-oss, as far as the name by which a model is asked for tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// The library of its makers: hosts that call the model by its mere name.
    Library,
    /// The template that comes with the weights: hosts that put a maker before the name.
    Template,
    /// Whose names have a tag behind a colon.
    Ollama,
    /// Amazon's names.
    Bedrock,
}

impl Template {
    /// Special tokens that a text may hold; one that isn't here is counted as text.
    pub(super) const fn special(self) -> &'static [&'static str] {
        match self {
            Self::Qwen25 => &["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>"],
            Self::Qwen3 { .. } | Self::Qwen35 => &[
                "<|endoftext|>",
                "<|im_start|>",
                "<|im_end|>",
                "<think>",
                "</think>",
                "<tool_call>",
                "</tool_call>",
                "<tool_response>",
                "</tool_response>",
            ],
            Self::DeepseekV3 { marked: false } => {
                &["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"]
            }
            Self::DeepseekV3 { marked: true } | Self::DeepseekV4 => &[
                "<｜begin▁of▁sentence｜>",
                "<｜end▁of▁sentence｜>",
                "<｜User｜>",
                "<｜Assistant｜>",
                "<think>",
                "</think>",
            ],
            // The library reads what a text holds as text.
            Self::Harmony(Server::Library | Server::Bedrock) | Self::Mistral(_) => &[],
            Self::Harmony(Server::Template | Server::Ollama) => &[
                "<|start|>",
                "<|end|>",
                "<|message|>",
                "<|channel|>",
                "<|constrain|>",
                "<|call|>",
                "<|return|>",
                "<|endoftext|>",
            ],
            Self::KimiK2 | Self::KimiK25 => {
                &["<|im_user|>", "<|im_assistant|>", "<|im_system|>", "<|im_middle|>", "<|im_end|>"]
            }
        }
    }
}

impl Open {
    /// The model of this name, behind any host, if its vocabulary is here.
    pub(super) fn parse(model: &str) -> Option<Self> {
        let encoding = Encoding::for_model(model).filter(|encoding| encoding.ready().is_ok())?;
        let model = model.to_ascii_lowercase();
        let has = |word: &str| model.contains(word);
        let template = match encoding {
            Encoding::Qwen if has("qwen3") || has("qwen-3") || has("qwq") => {
                Template::Qwen3 { begins: has("thinking") || has("qwq"), own_tools: has("coder") }
            }
            Encoding::Qwen if has("qwen2.5") || has("qwen-2.5") => Template::Qwen25,
            Encoding::Qwen35 => Template::Qwen35,
            Encoding::DeepseekV3 if has("v3.1") || has("v3.2") => Template::DeepseekV3 { marked: true },
            Encoding::DeepseekV3 if has("v3") || has("r1") => Template::DeepseekV3 { marked: false },
            Encoding::DeepseekV3 => Template::DeepseekV4,
            Encoding::KimiK2 if has("k2.") => Template::KimiK25,
            Encoding::KimiK2 => Template::KimiK2,
            Encoding::O200kHarmony if has("gpt-oss:") => Template::Harmony(Server::Ollama),
            Encoding::O200kHarmony if has("openai.gpt-oss") => Template::Harmony(Server::Bedrock),
            Encoding::O200kHarmony if has("/") => Template::Harmony(Server::Template),
            Encoding::O200kHarmony => Template::Harmony(Server::Library),
            Encoding::Tekken => Template::Mistral(Instruct::parse(&model)?),
            _ => return None,
        };
        Some(Self { encoding, template })
    }

    /// How far off an estimate can be: servers of one model differ in what they add to its template.
    pub(super) fn band(self, body: &Body<'_>) -> Band {
        match (self.template, !body.tools.is_empty()) {
            // Hosts show a schema with more words of their own, or not at all.
            (Template::Harmony(_), _) if body.output_schema.is_some() => Band::new(4, 400, 500),
            (Template::DeepseekV3 { .. } | Template::DeepseekV4, false) => Band::new(12, 20, 40),
            (Template::DeepseekV3 { .. } | Template::DeepseekV4, true) => Band::new(6, 20, 50),
            (Template::KimiK2 | Template::KimiK25, _) => Band::new(2, 40, 80),
            (Template::Harmony(_), _) => Band::new(4, 20, 20),
            (Template::Mistral(_), _) => Band::new(3, 10, 20),
            (Template::Qwen25 | Template::Qwen3 { .. } | Template::Qwen35, false) => Band::new(4, 20, 40),
            (Template::Qwen35, true) => Band::new(6, 20, 80),
            (Template::Qwen25 | Template::Qwen3 { .. }, true) => Band::new(8, 150, 370),
        }
    }

    /// Whether all that the request holds is written out as its template says.
    pub(super) fn covers(self, body: &Body<'_>) -> bool {
        let is_text = |block: &Block<'_>| matches!(block, Block::Text(_));
        let is_shown = |block: &Block<'_>| matches!(block, Block::Text(_) | Block::Call { .. } | Block::Result { .. });
        let blocks = || body.messages.iter().flat_map(|message| &message.blocks);
        let is_covered = match self.template {
            // Thinking that comes as an item of its own isn't shown again.
            Template::Harmony(_) => blocks().all(|block| is_shown(block) || block.is_thinking()),
            // How a schema for the answer is shown isn't recorded.
            Template::Mistral(version) => {
                body.output_schema.is_none()
                    && blocks().all(|block| is_shown(block) || version >= Instruct::V13 && block.is_thinking())
            }
            Template::Qwen3 { own_tools: false, .. } | Template::Qwen35 | Template::DeepseekV4 => {
                blocks().all(is_shown)
            }
            _ => body.tools.is_empty() && blocks().all(is_text),
        };
        // Of what Ollama runs by its own API, and of what others serve as Responses, only gpt-oss is recorded.
        let is_harmony = matches!(self.template, Template::Harmony(_));
        is_covered
            && (body.shape == Shape::Chat || is_harmony && body.shape == Shape::Responses)
            && body.provider_tools.is_empty()
            && !body.messages.is_empty()
            && (is_harmony || !body.own_template)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistral_s_models_are_instructed_by_their_version() {
        for (model, version) in [
            ("open-mistral-nemo", Some(Instruct::V3)),
            ("mistralai/pixtral-12b-2409", Some(Instruct::V3)),
            ("mistralai/ministral-8b", Some(Instruct::V3)),
            ("ministral-8b-latest", Some(Instruct::V13)),
            ("mistral-small-2503@001", Some(Instruct::V7)),
            ("mistralai/mistral-small-24b-instruct-2501", Some(Instruct::V7)),
            ("mistralai/mistral-small-3.2-24b-instruct-2506", Some(Instruct::V11)),
            ("devstral-small-2507", Some(Instruct::V11)),
            ("mistral.magistral-small-2509", Some(Instruct::V13)),
            ("mistral.mistral-large-3-675b-instruct", Some(Instruct::V13)),
            ("mistral-small-latest", Some(Instruct::V15)),
            ("mistralai/mistral-medium-3-5", Some(Instruct::V15)),
            // Servers that show a prompt of their own.
            ("mistral-small3.1", None),
            ("mistral-nemo:12b", None),
            ("mistral-small-3.2-24b-instruct-2506-q4_k_m", None),
            ("mistral-small-3-2-24b-instruct", None),
        ] {
            assert_eq!(Instruct::parse(model), version, "{model}");
        }
    }

    #[test]
    fn without_the_vocabulary_no_model_is_written_out() {
        // No test of this crate's examples adds one by name: what is asked here is whether a name alone does.
        assert_eq!(Open::parse("gpt-4o"), None);
        assert_eq!(Open::parse("my-own-model"), None);
    }
}
