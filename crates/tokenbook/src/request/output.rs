//! Output tokens: of a response's text so far, and the most that a request allows.

use serde::{Deserialize, Serialize};

use super::band::Band;
use super::draft::tokens;
use super::family::Other;
use super::gemini::Gemini;
use super::json::Json;
use super::model::Claude;
use super::tokenizer::Tokenizer;
use super::{Exactness, parse};
use crate::api::Api;
use crate::error::Result;
use crate::quantity::Count;
use crate::text::Encoding;

/// The tokens of a text for a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TextCount {
    /// The tokens of the text.
    pub tokens: Count,
    /// The lower end of the band that holds nine of ten counts and more.
    pub low: Count,
    /// The upper end of the band.
    pub high: Count,
    /// Exact with a public encoding, else estimated.
    pub exactness: Exactness,
}

/// Counts the tokens of a text for any model: exactly where its encoding is public, else by fitted figures.
///
/// For the text of a response so far it is what the output has cost so far, but for hidden reasoning.
///
/// ```
/// use tokenbook::request::{Exactness, count_text};
/// assert_eq!(count_text("gpt-4o", "Hello, world!")?.tokens.get(), 4);
/// assert_eq!(count_text("claude-opus-4-6", "Hello, world!")?.exactness, Exactness::Estimated);
/// # Ok::<(), tokenbook::Error>(())
/// ```
///
/// # Errors
///
/// None for texts that fit into memory.
pub fn count_text(model: &str, text: &str) -> Result<TextCount> {
    let (tokenizer, band) = tokenizer(model);
    TextCount::of(tokenizer.units(text), band)
}

impl TextCount {
    /// Rounds 64ths of a token to whole ones and puts the band around them.
    pub(super) fn of(units: i64, band: Band) -> Result<Self> {
        let whole = Count::new(((units + tokens(1) / 2) / tokens(1)).cast_unsigned())?;
        let (low, high) = band.around(whole)?;
        let exactness = if band == Band::NONE { Exactness::Exact } else { Exactness::Estimated };
        Ok(Self { tokens: whole, low, high, exactness })
    }
}

/// What a model's text is counted with, and how far that may be off.
pub(super) fn tokenizer(model: &str) -> (Tokenizer, Band) {
    if let Some(claude) = Claude::parse(model) {
        return (Tokenizer::Claude(claude.generation), claude.text_band());
    }
    if Gemini::parse(model).is_some() {
        return (Tokenizer::Gemini, Band::new(1, 5, 5));
    }
    if let Some(encoding) = Encoding::for_model(model).filter(|encoding| encoding.ready().is_ok()) {
        return (Tokenizer::Exact(encoding), Band::NONE);
    }
    (Tokenizer::Scaled(Other::parse(model).scale), Band::new(4, 200, 250))
}

/// The most output tokens that a request body allows, reasoning included; absent where it names no limit.
///
/// ```
/// use tokenbook::{Api, request::max_output_tokens};
/// let body = br#"{"model": "claude-haiku-4-5", "max_tokens": 1024, "messages": []}"#;
/// assert_eq!(max_output_tokens(Api::AnthropicMessages, body)?.map(|count| count.get()), Some(1024));
/// # Ok::<(), tokenbook::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the body isn't a JSON object.
pub fn max_output_tokens(api: Api, body: &[u8]) -> Result<Option<Count>> {
    limit_of(api, &parse(body)?)
}

/// The most output tokens that a parsed body allows.
pub(super) fn limit_of(api: Api, json: &Json<'_>) -> Result<Option<Count>> {
    let number = |holder: Option<&Json<'_>>, keys: &[&str]| match holder?.first_of(keys)? {
        Json::Number(number) => number.as_u64(),
        _ => None,
    };
    let limit = match api {
        Api::GoogleGenerateContent | Api::GoogleCountTokens => {
            let config = json.first_of(&["generationConfig", "generation_config"]);
            number(config, &["maxOutputTokens", "max_output_tokens"])
        }
        Api::BedrockConverse | Api::BedrockCountTokens => number(json.get("inferenceConfig"), &["maxTokens"]),
        Api::OllamaChat => number(json.get("options"), &["num_predict"]),
        _ => number(Some(json), &["max_completion_tokens", "max_output_tokens", "max_tokens", "max_tokens_to_sample"]),
    };
    limit.map(Count::new).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_spells_its_limit_differently() -> Result<()> {
        let limit = |api, body: &str| max_output_tokens(api, body.as_bytes()).map(|count| count.map(Count::get));
        assert_eq!(limit(Api::OpenaiChat, r#"{"max_completion_tokens": 7, "max_tokens": 9}"#)?, Some(7));
        assert_eq!(limit(Api::OpenaiResponses, r#"{"max_output_tokens": 7}"#)?, Some(7));
        assert_eq!(limit(Api::GoogleGenerateContent, r#"{"generationConfig": {"maxOutputTokens": 7}}"#)?, Some(7));
        assert_eq!(limit(Api::BedrockConverse, r#"{"inferenceConfig": {"maxTokens": 7}}"#)?, Some(7));
        assert_eq!(limit(Api::OpenaiChat, "{}")?, None);
        assert_eq!(limit(Api::OpenaiChat, r#"{"max_tokens": -1}"#)?, None);
        assert!(limit(Api::OpenaiChat, "[]").is_err());
        Ok(())
    }
}
