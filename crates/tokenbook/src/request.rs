//! What a request will cost before it is made: its input tokens, part by part.
//!
//! [`count_request`] reads the body of a call as it would be sent, and counts the system prompt, each message, each tool
//! definition, each tool call and each tool result, and the framing that the provider puts around them. The parts and
//! the framing sum exactly to the total. How sure the count is, it says itself: [`Exactness`], with a band from
//! [`RequestCount::low`] to [`RequestCount::high`].

mod anthropic;
mod band;
mod bedrock;
mod body;
mod calibration;
mod cohere;
mod draft;
mod facts;
mod family;
mod framing;
mod gemini;
mod google;
mod json;
mod live;
mod media;
mod model;
mod open;
mod openai;
mod output;
mod plain;
mod responses;
mod tokenizer;
mod typescript;

use serde::{Deserialize, Serialize};

pub use calibration::{Calibration, Sample};
pub use facts::{RequestFacts, facts, facts_and_tools};
pub use live::OutputCounter;
pub use output::{TextCount, count_text, max_output_tokens};

use crate::api::Api;
use crate::error::{Error, Result};
use crate::quantity::Count;
use band::Band;
use body::{Block, Body, Message};
use draft::Draft;
use family::Other;
use gemini::Gemini;
use json::Json;
use model::{Claude, OpenAi};
use open::Open;

/// How a count was made, from the surest way to the least sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Exactness {
    /// The provider said so.
    Measured,
    /// By the provider's own tokenizer and framing.
    Exact,
    /// By fitted figures: the truth lies in the band in nine of ten requests and more.
    Estimated,
    /// The request has something whose size the provider alone knows; the reason says what.
    LowerBound,
}

impl Exactness {
    /// The word in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Measured => "measured",
            Self::Estimated => "estimated",
            Self::LowerBound => "lower_bound",
        }
    }
}

/// What a part of a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PartKind {
    /// The system prompt.
    System,
    /// The text of a message.
    Message,
    /// The definition of a tool.
    ToolDefinition,
    /// A call of a tool in the history.
    ToolCall,
    /// The answer of a tool.
    ToolResult,
    /// A picture.
    Image,
    /// A document whose text isn't in the request.
    Document,
    /// The schema of the answer.
    OutputSchema,
}

/// A piece of a request with its tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Part {
    /// What it is.
    pub kind: PartKind,
    /// The name of the tool, where the part is of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where it is in the body's list: of tools for a tool definition, else of messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<usize>,
    /// Its tokens.
    pub tokens: Count,
}

/// The input tokens of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RequestCount {
    /// The model that was counted for.
    pub model: String,
    /// The tokens of the whole request: the parts and the framing.
    pub input_tokens: Count,
    /// The lower end of the band that holds nine of ten requests and more.
    pub low: Count,
    /// The upper end of the band; for a lower bound, of what can be counted.
    pub high: Count,
    /// How the count was made.
    pub exactness: Exactness,
    /// Why it isn't exact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The parts, in the order of the prompt: tool definitions, then messages.
    pub parts: Vec<Part>,
    /// What belongs to no part: what the provider writes around them.
    pub framing_tokens: Count,
    /// The most output tokens that the request allows, reasoning included; absent where it names no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<Count>,
}

/// Counts the input tokens of a request body before it is sent.
///
/// `model` is for bodies that don't name one, and wins over the body's.
///
/// ```
/// use tokenbook::{Api, request::count_request};
/// let body = br#"{"model": "claude-haiku-4-5", "max_tokens": 8, "messages": [{"role": "user", "content": "Why is the sky blue?"}]}"#;
/// let count = count_request(Api::AnthropicMessages, body, None)?;
/// assert_eq!(count.input_tokens.get(), 13);
/// # Ok::<(), tokenbook::Error>(())
/// ```
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when the body isn't a JSON object, when neither it nor the caller names a model, or
/// when the wire format has no counted requests.
pub fn count_request(api: Api, body: &[u8], model: Option<&str>) -> Result<RequestCount> {
    count_json(api, &parse(body)?, model)
}

/// A request body that was read together with the JSON around it, so that it is parsed once.
#[derive(Debug)]
pub struct ParsedBody<'a>(Json<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for ParsedBody<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Json::deserialize(deserializer).map(Self)
    }
}

impl ParsedBody<'_> {
    /// The text, where the value is a mere text, which may itself be a body as JSON.
    pub fn text(&self) -> Option<&str> {
        self.0.str()
    }

    /// Counts it as [`count_request`] does.
    ///
    /// # Errors
    ///
    /// As [`count_request`].
    pub fn count(&self, api: Api, model: Option<&str>) -> Result<RequestCount> {
        count_json(api, object(&self.0)?, model)
    }
}

fn count_json(api: Api, json: &Json<'_>, model: Option<&str>) -> Result<RequestCount> {
    let body = read(api, json)?;
    let model = model
        .or(body.model.as_deref())
        .ok_or_else(|| Error::invalid("model: the body names no model, so the caller has to"))?;
    count(&body, model)
}

fn object<'j, 'a>(json: &'j Json<'a>) -> Result<&'j Json<'a>> {
    if matches!(json, Json::Object(_)) { Ok(json) } else { Err(Error::invalid("body: expected a JSON object")) }
}

fn parse(body: &[u8]) -> Result<Json<'_>> {
    let json: Json<'_> = serde_json::from_slice(body).map_err(|error| Error::invalid(format!("body: {error}")))?;
    object(&json)?;
    Ok(json)
}

fn read<'a>(api: Api, json: &'a Json<'a>) -> Result<Body<'a>> {
    let mut body = match api {
        Api::AnthropicMessages
        | Api::AnthropicCountTokens
        | Api::BedrockInvokeAnthropic
        | Api::VertexRawPredictAnthropic => anthropic::read(json),
        Api::OpenaiChat | Api::MistralChat => openai::read(json),
        Api::OpenaiCompletions | Api::OpenaiEmbeddings => plain::read(json),
        Api::OllamaChat => plain::ollama(json),
        Api::CohereChat => cohere::read(json),
        Api::GoogleGenerateContent | Api::GoogleCountTokens => google::read(json),
        Api::BedrockConverse | Api::BedrockCountTokens => bedrock::read(json),
        Api::OpenaiResponses | Api::OpenaiInputTokens => responses::read(json),
        Api::AiSdk => return Err(Error::invalid(format!("api: requests of {api} aren't counted"))),
    };
    // A limit that is no count limits nothing.
    body.max_output = output::limit_of(api, json).unwrap_or(None);
    Ok(body)
}

fn count(body: &Body<'_>, name: &str) -> Result<RequestCount> {
    let Counted { draft, band, exactness, reason } = Counted::of(body, name);
    let (input_tokens, framing_tokens, parts) = draft.finish()?;
    let (low, high) = band.around(input_tokens)?;
    let (exactness, reason, low) = if body.unknown.is_empty() {
        (exactness, reason, low)
    } else {
        (Exactness::LowerBound, Some(body.unknown.join("; ")), low)
    };
    Ok(RequestCount {
        model: name.to_owned(),
        input_tokens,
        low,
        high,
        exactness,
        reason,
        parts,
        framing_tokens,
        max_output_tokens: body.max_output,
    })
}

/// A request counted for the family of its model.
struct Counted {
    draft: Draft,
    band: Band,
    exactness: Exactness,
    reason: Option<String>,
}

impl Counted {
    fn of(body: &Body<'_>, name: &str) -> Self {
        let tools = !body.tools.is_empty() || !body.provider_tools.is_empty();
        if let Some(claude) = Claude::parse(name) {
            let reason = if claude.known {
                "Claude's tokenizers aren't public".to_owned()
            } else {
                "the model isn't known; counted as the nearest Claude model".to_owned()
            };
            let counted = Self::estimated(framing::claude::count(body, claude), claude.band(tools), reason);
            if framing::claude::has_hidden_thinking(body, claude) {
                return counted.at_least("thinking is kept whose text isn't in the request");
            }
            return counted;
        }
        if let Some(openai) = OpenAi::parse(name) {
            let draft = framing::openai::count(body, openai);
            if framing::openai::has_hidden_thinking(body, openai) {
                let counted = Self::estimated(draft, OpenAi::BAND, String::new());
                return counted.at_least("thinking is sent encrypted, and the provider alone knows its size");
            }
            if is_only_text(body) {
                return Self { draft, band: Band::NONE, exactness: Exactness::Exact, reason: None };
            }
            let reason = "how tools, schemas and pictures are shown to the model isn't documented".to_owned();
            return Self::estimated(draft, OpenAi::BAND, reason);
        }
        if let Some(gemini) = Gemini::parse(name) {
            let reason = "how Google frames requests isn't documented, and a host of its own frames them otherwise";
            let counted = Self::estimated(framing::gemini::count(body, gemini), Gemini::band(tools), reason.to_owned());
            if framing::gemini::has_hidden_thinking(body, gemini) {
                return counted.at_least("the thinking behind a signature is kept by the provider");
            }
            return counted;
        }
        if let Some(open) = Open::parse(name).filter(|open| open.covers(body)) {
            let reason = "by the model's own template, to which servers add what they like".to_owned();
            return Self::estimated(framing::open::count(body, open), open.band(body), reason);
        }
        let other = Other::parse(name);
        let reason = if other.name == "unknown" {
            "the model isn't known; counted by an average of others".to_owned()
        } else {
            format!("counted by figures fitted for {} models", other.name)
        };
        let counted = Self::estimated(framing::other::count(body, other), other.band(tools), reason);
        if other.name == "Mistral" && body.messages.iter().flat_map(|message| &message.blocks).any(Block::is_thinking) {
            return counted.at_least("thinking is shown again, and isn't counted");
        }
        counted
    }

    /// The same as a lower bound.
    fn at_least(self, reason: &str) -> Self {
        Self { exactness: Exactness::LowerBound, reason: Some(reason.to_owned()), ..self }
    }

    fn estimated(draft: Draft, band: Band, reason: String) -> Self {
        Self { draft, band, exactness: Exactness::Estimated, reason: Some(reason) }
    }
}

/// Whether the request is made of nothing but messages of text, whose framing is known to the token.
fn is_only_text(body: &Body<'_>) -> bool {
    let is_text = |message: &Message<'_>| message.blocks.iter().all(|block| matches!(block, Block::Text(_)));
    body.tools.is_empty()
        && body.provider_tools.is_empty()
        && body.output_schema.is_none()
        && body.messages.iter().all(is_text)
}
