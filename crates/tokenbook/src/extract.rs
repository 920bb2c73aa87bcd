//! Reads what was billed out of a provider's response: a body, decoded stream events, or the raw bytes of a stream.
//!
//! Every adapter turns its provider's numbers into disjoint kinds, so that nothing is counted twice, and states in a
//! constant whether the provider's input number includes the cache. What a provider didn't say stays unknown: an absent
//! field, never 0. Numbers that contradict each other are an error that shows them. No prompt and no answer is kept.
//!
//! ```
//! use tokenbook::{Api, TokenKind, extract};
//! let body = r#"{"type": "message", "id": "msg_1", "model": "claude-opus-4-8", "content": [], "stop_reason": "end_turn",
//!     "usage": {"input_tokens": 5, "cache_read_input_tokens": 128955, "output_tokens": 20}}"#;
//! let extraction = extract::extract(Api::AnthropicMessages, body)?;
//! let usage = extraction.usage.expect("the body states it");
//! assert_eq!(usage.get(TokenKind::Input).get(), 5);
//! assert_eq!(usage.total_input_tokens()?.get(), 128_960);
//! # Ok::<(), tokenbook::Error>(())
//! ```

use std::collections::BTreeMap;
use std::ops::Deref;

use serde::ser::{Error as _, SerializeMap as _};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::api::Api;
use crate::error::{Error, Result};
use crate::money::Usd;
use crate::quantity::Count;
use crate::time::Timestamp;
use crate::usage::{Side, TokenKind, Usage};

mod ai_sdk;
mod anthropic;
mod bedrock;
mod cohere;
mod counting;
mod draft;
mod eventstream;
mod framing;
mod google;
mod json;
mod ollama;
mod openai_chat;
mod openai_responses;
mod split;
mod stop;
mod stream;
mod tree;

pub use stop::StopKind;
pub use stream::{Progress, StreamExtractor};

/// What a response says about its call.
///
/// In JSON, what is unknown is left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Extraction {
    /// The wire format that it was read by.
    pub api: Api,
    /// The provider's id of the response: the key against recording it twice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The model that answered, as the provider spells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// When the response was made, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Why the model stopped, in the provider's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// Why the model stopped, normalised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_kind: Option<StopKind>,
    /// Whether a limit on tokens cut the answer off; absent where the stop reason is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
    /// The tools that the caller is asked to run, by name, one entry a call, in order.
    pub tools_called: Vec<String>,
    /// The tools that the provider ran itself, by name, one entry a call, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub server_tools_called: Vec<String>,
    /// The tokens used, as disjoint kinds beside the provider's own object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Measured>,
    /// The tokens that the provider charges, where it charges others than it used (Cohere's `billed_units`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed: Option<Usage>,
    /// The service tier that the call was served in, in the provider's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// The region that the call was served in, where the response says so (Anthropic's `inference_geo`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The speed mode that the call was served in (Anthropic's `speed`, Bedrock's latency mode).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<String>,
    /// What the call cost, where the provider states it in dollars.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stated_cost_usd: Option<Usd>,
    /// The calls inside the call (Anthropic's `usage.iterations`); `usage` is the sum of the billed ones.
    ///
    /// Where their models differ, each has to be priced at its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub iterations: Vec<Iteration>,
    /// The largest output that the request allowed, as told by [`Extraction::with_max_tokens`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<Count>,
    /// Output tokens ÷ `max_tokens`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilization: Option<f64>,
    /// Whether the final usage is missing, or a part of it: then `usage` holds what is known.
    pub partial: bool,
    /// The class of the error that the response reports, without its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What is odd about the numbers without making them wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

impl Extraction {
    /// Adds the largest output that the request allowed: gives `utilization`, and warns of what can't go together.
    #[must_use]
    pub fn with_max_tokens(mut self, max_tokens: Count) -> Self {
        self.max_tokens = Some(max_tokens);
        let output = self.usage.as_ref().and_then(Measured::known_output);
        if let Some(output) = output {
            if output > max_tokens {
                self.warnings.push(Warning::OutputAboveMaxTokens);
            } else if output < max_tokens && self.stop_kind == Some(StopKind::MaxTokens) {
                self.warnings.push(Warning::StoppedBelowMaxTokens);
            }
        }
        self.utilization = output.filter(|_| !max_tokens.is_zero()).map(|output| ratio(output, max_tokens));
        self
    }
}

#[expect(clippy::float_arithmetic, clippy::cast_precision_loss, reason = "a ratio for reports; counts are below 2⁵³")]
fn ratio(part: Count, whole: Count) -> f64 {
    part.get() as f64 / whole.get() as f64
}

/// A usage as a provider measured it: disjoint kinds, and the provider's own object verbatim.
///
/// In JSON the kinds, the totals and `raw` are fields of one object; the total of a side that the provider didn't state
/// is left out.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The disjoint kinds.
    pub usage: Usage,
    raw: Box<RawValue>,
    unknown: [bool; 2],
}

impl Measured {
    /// The provider's own usage object, as it stands in the response but for whitespace between its tokens.
    ///
    /// Where a stream revises it, the object is the first one with the later fields in place of its own.
    pub fn raw(&self) -> &str {
        self.raw.get()
    }

    /// Whether the provider stated this side; the kinds of the other are not 0 but unknown.
    pub fn is_known(&self, side: Side) -> bool {
        !self.unknown[side as usize]
    }

    /// The output, where it is known.
    pub fn known_output(&self) -> Option<Count> {
        self.usage.total_output_tokens().ok().filter(|_| self.is_known(Side::Output))
    }

    /// The input, where it is known.
    pub fn known_input(&self) -> Option<Count> {
        self.usage.total_input_tokens().ok().filter(|_| self.is_known(Side::Input))
    }
}

impl Deref for Measured {
    type Target = Usage;

    fn deref(&self) -> &Usage {
        &self.usage
    }
}

impl PartialEq for Measured {
    fn eq(&self, other: &Self) -> bool {
        self.usage == other.usage && self.raw.get() == other.raw.get() && self.unknown == other.unknown
    }
}

impl Serialize for Measured {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (kind, tokens) in self.usage.iter() {
            map.serialize_entry(kind.name(), &tokens)?;
        }
        if !self.usage.server_tool_requests.is_empty() {
            map.serialize_entry("server_tool_requests", &self.usage.server_tool_requests)?;
        }
        if self.is_known(Side::Input) {
            let total = self.usage.total_input_tokens().map_err(S::Error::custom)?;
            map.serialize_entry("total_input_tokens", &total)?;
        }
        if self.is_known(Side::Output) {
            let total = self.usage.total_output_tokens().map_err(S::Error::custom)?;
            map.serialize_entry("total_output_tokens", &total)?;
        }
        map.serialize_entry("raw", &self.raw)?;
        map.end()
    }
}

/// A measured usage is described as a usage, with the provider's own object beside it.
#[cfg(feature = "schema")]
impl schemars::JsonSchema for Measured {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        Usage::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        generator.subschema_for::<Usage>()
    }
}

/// A call inside a call: a compaction, an advisor, an attempt of another model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Iteration {
    /// The provider's word for it: `message`, `compaction`, `advisor_message`, `fallback_message`.
    pub kind: String,
    /// The model that ran it, where it isn't the response's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its tokens.
    pub usage: Usage,
    /// Whether it is charged: an attempt that a classifier blocked before any output is not.
    pub billed: bool,
}

/// Something odd about a response that makes no number wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Warning {
    /// The provider counts more reasoning than output, though its total leaves no room for it: all output is taken as
    /// reasoning.
    ReasoningAboveOutput,
    /// The provider counts more cached tokens than input, though its total leaves no room for them: all input is taken
    /// as cached.
    CacheAboveInput,
    /// The total leaves output over that no field states; it is taken as reasoning.
    ReasoningFromTotal,
    /// The provider's split by modality doesn't add up to its number; the split is not used.
    ModalitiesDisagree,
    /// The provider counted citation tokens, which it may charge and which are in no kind.
    CitationTokens,
    /// The input was not stated.
    InputUnknown,
    /// The output was not stated.
    OutputUnknown,
    /// The stop reason is `max_tokens`, but the output is below the request's limit.
    StoppedBelowMaxTokens,
    /// The output is above the request's limit.
    OutputAboveMaxTokens,
    /// An event of the stream could not be read and was passed over.
    UnreadableEvent,
}

/// Reads a whole response body.
///
/// A body that reports an error gives an [`Extraction`] with `error` and no usage.
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) when `body` is no JSON or no response of `api`
/// (the message names what is missing), when a number is no count, and when numbers contradict each other (the details
/// hold them).
pub fn extract(api: Api, body: &str) -> Result<Extraction> {
    let mut draft = draft::Draft::new(api);
    draft.body(body)?;
    draft.finish()
}

/// Reads the decoded events of a stream: a JSON list of the objects that an SDK or an SSE reader hands out.
///
/// # Errors
///
/// As [`extract`], and when `events` is no list.
pub fn extract_events(api: Api, events: &str) -> Result<Extraction> {
    if !events.trim_start().starts_with('[') {
        return Err(Error::invalid("events: expected a list of objects"));
    }
    let events: Vec<&RawValue> = json::parse(events).map_err(|error| error.context("events"))?;
    let mut stream = StreamExtractor::new(api);
    for event in events {
        stream.push_event(event.get())?;
    }
    stream.finish()
}

/// Whether the number that a provider calls its input includes what was read from and written to a cache.
///
/// Each adapter states it with its source. [`Usage`] is disjoint in any case; this is for those who read `raw`.
pub const fn input_includes_cache(api: Api) -> bool {
    match api {
        Api::AnthropicMessages
        | Api::AnthropicCountTokens
        | Api::BedrockInvokeAnthropic
        | Api::VertexRawPredictAnthropic => anthropic::INPUT_INCLUDES_CACHE,
        Api::OpenaiChat | Api::OpenaiCompletions | Api::OpenaiEmbeddings | Api::MistralChat => {
            openai_chat::INPUT_INCLUDES_CACHE
        }
        Api::OpenaiResponses | Api::OpenaiInputTokens => openai_responses::INPUT_INCLUDES_CACHE,
        Api::GoogleGenerateContent | Api::GoogleCountTokens => google::INPUT_INCLUDES_CACHE,
        Api::BedrockConverse | Api::BedrockCountTokens => bedrock::INPUT_INCLUDES_CACHE,
        Api::CohereChat => cohere::INPUT_INCLUDES_CACHE,
        Api::OllamaChat => ollama::INPUT_INCLUDES_CACHE,
        Api::AiSdk => ai_sdk::INPUT_INCLUDES_CACHE,
    }
}

/// What an adapter read out of a usage object.
#[derive(Debug, Default)]
struct Reading {
    usage: Usage,
    unknown: [bool; 2],
    billed: Option<Usage>,
    stated: Option<Usd>,
    iterations: Vec<Iteration>,
    service_tier: Option<String>,
    region: Option<String>,
    speed: Option<String>,
    warnings: Vec<Warning>,
}

impl Reading {
    fn set(&mut self, kind: TokenKind, tokens: Count) {
        self.usage.set(kind, tokens);
    }

    fn lacks(&mut self, side: Side) {
        self.unknown[side as usize] = true;
    }

    fn request(&mut self, tool: &str, requests: Count) {
        if !requests.is_zero() {
            self.usage.server_tool_requests.insert(tool.to_owned(), requests);
        }
    }
}

/// Numbers that can't all be right: the message shows them and the details hold them.
fn contradiction(what: &str, numbers: &[(&'static str, Count)]) -> Error {
    use std::fmt::Write as _;
    let mut message = format!("usage: {what}:");
    for (index, (name, number)) in numbers.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        write!(message, "{comma} {name} {number}").expect("writing to a String can't fail");
    }
    numbers.iter().fold(Error::invalid(message), |error, (name, number)| error.with(name, number.to_string()))
}

/// Adds counts.
fn sum(counts: impl IntoIterator<Item = Count>) -> Result<Count> {
    counts.into_iter().try_fold(Count::ZERO, Count::checked_add)
}

/// Server-tool requests by tool.
type Requests = BTreeMap<String, u64>;
