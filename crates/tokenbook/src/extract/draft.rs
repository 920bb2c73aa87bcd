//! What is known so far of a response, for bodies and streams alike.

use serde_json::value::RawValue;

use super::json::{Key, Raw, Text, Word, parse, pick};
use super::tree::{Node, Object};
use super::{Extraction, Measured, Reading, Requests, StopKind, Warning};
use super::{ai_sdk, anthropic, bedrock, cohere, counting, google, ollama, openai_chat, openai_responses};
use crate::api::Api;
use crate::error::{Error, Result};
use crate::money::Usd;
use crate::quantity::Count;
use crate::request::OutputCounter;
use crate::time::Timestamp;
use crate::usage::{Side, Usage};

/// A response as far as it was read.
#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a response")]
pub(super) struct Draft {
    pub(super) api: Api,
    pub(super) id: Option<String>,
    pub(super) model: Option<String>,
    pub(super) created_at: Option<Timestamp>,
    pub(super) stop: Option<String>,
    /// What the stop means where its word alone doesn't say.
    pub(super) stop_kind: Option<StopKind>,
    /// Whether one of several answers was cut off.
    pub(super) cut_off: bool,
    pub(super) tools: Vec<String>,
    pub(super) server_tools: Vec<String>,
    /// Requests of server-side tools, counted from the content.
    pub(super) requests: Requests,
    pub(super) usage: Option<String>,
    pub(super) service_tier: Option<String>,
    pub(super) region: Option<String>,
    pub(super) speed: Option<String>,
    pub(super) stated: Option<Usd>,
    pub(super) error: Option<String>,
    /// Whether the provider's input leaves out the cache although the format says otherwise.
    pub(super) exclusive: bool,
    /// Whether it came through OpenRouter, whose costs are dollars.
    pub(super) is_openrouter: bool,
    /// Cache writes stated outside of the usage.
    pub(super) written: Count,
    /// The steps of an AI SDK run: model and usage.
    pub(super) steps: Vec<(Option<String>, Option<String>)>,
    /// Tool calls of a chat stream that are being written: answer, position, id.
    pub(super) open_calls: Vec<(u64, u64, String)>,
    pub(super) is_stream: bool,
    /// Whether the stream said that the answer, and with it the usage, is whole.
    pub(super) is_final: bool,
    pub(super) chars: u64,
    /// Counts what is said as it is said, where somebody wants to know.
    pub(super) counter: Option<OutputCounter>,
    pub(super) warnings: Vec<Warning>,
}

pick! { ErrorBody {
    error: Raw<'a> = "error",
    message: Raw<'a> = "message" | "Message" | "detail",
    kind: Word<'a> = "type" | "__type",
    code: Word<'a> = "code",
} }

pick! { ErrorInside {
    kind: Word<'a> = "type",
    status: Word<'a> = "status",
    code: Word<'a> = "code",
} }

/// Whether a word is a class of errors, not a sentence that might hold a user's text.
fn is_class(word: &str) -> bool {
    !word.is_empty()
        && word.len() <= 80
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b':' | b'#' | b'/'))
}

/// The class of an `error` field: an object with a type, status or code, or a sentence.
pub(super) fn error_class(error: &str) -> String {
    let inside: ErrorInside<'_> = parse(error).unwrap_or_default();
    [&inside.kind, &inside.status, &inside.code]
        .into_iter()
        .filter_map(Word::get)
        .find(|word| is_class(word) && *word != "error")
        .unwrap_or("error")
        .to_owned()
}

impl Draft {
    pub(super) fn new(api: Api) -> Self {
        Self {
            api,
            id: None,
            model: None,
            created_at: None,
            stop: None,
            stop_kind: None,
            cut_off: false,
            tools: Vec::new(),
            server_tools: Vec::new(),
            requests: Requests::new(),
            usage: None,
            service_tier: None,
            region: None,
            speed: None,
            stated: None,
            error: None,
            exclusive: false,
            is_openrouter: false,
            steps: Vec::new(),
            written: Count::ZERO,
            open_calls: Vec::new(),
            is_stream: false,
            is_final: false,
            chars: 0,
            counter: None,
            warnings: Vec::new(),
        }
    }

    /// Reads a whole body.
    pub(super) fn body(&mut self, json: &str) -> Result<()> {
        let missing = match self.api {
            Api::AnthropicMessages | Api::BedrockInvokeAnthropic | Api::VertexRawPredictAnthropic => {
                anthropic::body(self, json)?
            }
            Api::OpenaiChat | Api::MistralChat | Api::OpenaiCompletions | Api::OpenaiEmbeddings => {
                openai_chat::body(self, json)?
            }
            Api::OpenaiResponses => openai_responses::body(self, json)?,
            Api::GoogleGenerateContent => google::body(self, json)?,
            Api::BedrockConverse => bedrock::body(self, json)?,
            Api::CohereChat => cohere::body(self, json)?,
            Api::OllamaChat => ollama::body(self, json)?,
            Api::AiSdk => ai_sdk::body(self, json)?,
            Api::AnthropicCountTokens | Api::OpenaiInputTokens | Api::GoogleCountTokens | Api::BedrockCountTokens => {
                counting::body(self, json)?
            }
        };
        match missing {
            None => Ok(()),
            Some(_) if self.take_error(json)? => Ok(()),
            Some(missing) => {
                Err(Error::invalid(format!("not a response of {}: it has no {missing}", self.api))
                    .with("missing", missing))
            }
        }
    }

    /// Reads one event of a stream; `name` is its name where that stands outside of the data.
    pub(super) fn event(&mut self, name: Option<&str>, json: &str) -> Result<()> {
        match self.api {
            Api::AnthropicMessages | Api::BedrockInvokeAnthropic | Api::VertexRawPredictAnthropic => {
                anthropic::event(self, json)
            }
            Api::OpenaiChat | Api::MistralChat | Api::OpenaiCompletions | Api::OpenaiEmbeddings => {
                openai_chat::event(self, json)
            }
            Api::OpenaiResponses => openai_responses::event(self, json),
            Api::GoogleGenerateContent => google::event(self, json),
            Api::BedrockConverse => bedrock::event(self, name, json),
            Api::CohereChat => cohere::event(self, json),
            Api::OllamaChat => ollama::event(self, json),
            Api::AiSdk => ai_sdk::event(self, json),
            Api::AnthropicCountTokens | Api::OpenaiInputTokens | Api::GoogleCountTokens | Api::BedrockCountTokens => {
                Err(Error::invalid(format!("{} does not stream", self.api)))
            }
        }
    }

    /// Whether the stream ends with `[DONE]`.
    pub(super) const fn is_chat(&self) -> bool {
        matches!(self.api, Api::OpenaiChat | Api::MistralChat | Api::OpenaiCompletions)
    }

    /// Takes a body or event as the report of an error, and says whether it is one.
    pub(super) fn take_error(&mut self, json: &str) -> Result<bool> {
        let body: ErrorBody<'_> = parse(json)?;
        let outside =
            [&body.kind, &body.code].into_iter().filter_map(Word::get).find(|word| is_class(word) && *word != "error");
        let class = match (body.error.0, body.message.0, outside) {
            (Some(error), ..) => {
                let inside = error_class(error);
                // xAI and Mistral put the class beside a sentence.
                if inside == "error" { outside.map_or(inside, str::to_owned) } else { inside }
            }
            (None, Some(_), outside) => outside.unwrap_or("error").to_owned(),
            (None, None, _) => return Ok(false),
        };
        self.error = Some(class.rsplit('#').next().unwrap_or_default().to_owned());
        Ok(true)
    }

    /// Hears a piece of the output: text, thinking, or arguments of a tool call. It is counted and not kept.
    pub(super) fn hear(&mut self, said: &Text<'_>) {
        let Some(said) = said.get() else { return };
        self.chars += said.chars().count() as u64;
        if let Some(counter) = &mut self.counter {
            counter.push(said);
        }
    }

    /// Keeps a usage object, unless it is empty.
    pub(super) fn take_usage(&mut self, raw: Option<&str>) {
        if let Some(raw) = raw.filter(|raw| !raw.bytes().all(|b| matches!(b, b'{' | b'}') || b.is_ascii_whitespace())) {
            self.usage = Some(raw.to_owned());
        }
    }

    /// Lays a usage object over the one that is there: its fields replace those, nulls and zeros say nothing.
    pub(super) fn merge_usage(&mut self, raw: Option<&str>) -> Result<()> {
        let (Some(raw), Some(first)) = (raw, &self.usage) else {
            self.take_usage(raw);
            return Ok(());
        };
        let mut fields = fields(first)?;
        for (key, value) in self::fields(raw)? {
            match fields.iter_mut().find(|(name, _)| *name == key) {
                // Numbers only grow; a proxy that fills in zeros says nothing.
                Some((_, old)) if value != "null" && (value != "0" || *old == "null") => *old = value,
                Some(_) => {}
                None => fields.push((key, value)),
            }
        }
        self.usage = Some(object_text(fields.iter().map(|(key, value)| (key.as_ref(), *value))));
        Ok(())
    }

    /// Keeps the first value that is there.
    pub(super) fn keep(slot: &mut Option<String>, value: Option<&str>) {
        if slot.is_none() {
            *slot = value.map(str::to_owned);
        }
    }

    pub(super) fn count_request(&mut self, tool: &str) {
        *self.requests.entry(tool.to_owned()).or_default() += 1;
    }

    /// Reads the usage that is there, `None` where nothing is known.
    pub(super) fn read_usage(&self) -> Result<Option<Reading>> {
        let Some(raw) = &self.usage else { return Ok(None) };
        let node: Node<'_> = parse(raw).map_err(|error| error.context("usage"))?;
        let Some(usage) = Object::new(&node, "usage")? else { return Ok(None) };
        let mut reading = match self.api {
            Api::AnthropicMessages | Api::BedrockInvokeAnthropic | Api::VertexRawPredictAnthropic => {
                anthropic::read(usage)?
            }
            Api::OpenaiChat | Api::MistralChat | Api::OpenaiCompletions => openai_chat::read(self, usage)?,
            Api::OpenaiEmbeddings => openai_chat::read_embeddings(usage)?,
            Api::OpenaiResponses => openai_responses::read(usage)?,
            Api::GoogleGenerateContent => google::read(usage)?,
            Api::BedrockConverse => bedrock::read(usage)?,
            Api::CohereChat => cohere::read(usage)?,
            Api::OllamaChat => ollama::read(usage)?,
            Api::AiSdk => ai_sdk::read(self, usage)?,
            Api::AnthropicCountTokens | Api::OpenaiInputTokens | Api::GoogleCountTokens | Api::BedrockCountTokens => {
                counting::read(self.api, usage)?
            }
        };
        for (tool, requests) in &self.requests {
            reading.request(tool, Count::new(*requests)?);
        }
        // The sums are checked here once, so that whoever reads them needn't.
        reading.usage.total_input_tokens().map_err(|error| error.context("usage: input"))?;
        reading.usage.total_output_tokens().map_err(|error| error.context("usage: output"))?;
        if reading.unknown == [true, true] && reading.usage == Usage::new() {
            let names = usage_fields(self.api);
            // They are there and null; or nothing is counted yet, as in Google's first pieces.
            let is_unsaid = names.iter().any(|name| usage.get(name).is_some())
                || usage.iter().all(|(_, node)| matches!(node, Node::Text(_) | Node::Null));
            if is_unsaid {
                return Ok(None);
            }
            let missing = names.join(" or ");
            return Err(
                Error::invalid(format!("not a usage of {}: it has no {missing}", self.api)).with("missing", missing)
            );
        }
        Ok(Some(reading))
    }

    /// Makes the answer.
    pub(super) fn finish(self) -> Result<Extraction> {
        let reading = self.read_usage()?;
        let known = reading.is_some();
        let mut reading = reading.unwrap_or_default();
        let mut warnings = self.warnings;
        warnings.append(&mut reading.warnings);
        if known {
            for (side, warning) in [(Side::Input, Warning::InputUnknown), (Side::Output, Warning::OutputUnknown)] {
                if reading.unknown[side as usize] {
                    warnings.push(warning);
                }
            }
        }
        let partial = if self.is_stream {
            !known || !self.is_final || reading.unknown.contains(&true)
        } else {
            (!known && self.error.is_none()) || reading.unknown.contains(&true)
        };
        let usage = match self.usage {
            Some(raw) if known => Some(Measured {
                usage: reading.usage,
                raw: RawValue::from_string(compact(raw)).map_err(|error| Error::invalid(format!("usage: {error}")))?,
                unknown: reading.unknown,
            }),
            _ => None,
        };
        let mut stop_kind = self.stop_kind.or_else(|| self.stop.as_deref().map(StopKind::from_word));
        if stop_kind == Some(StopKind::End) && !self.tools.is_empty() {
            stop_kind = Some(StopKind::ToolUse); // Google, Ollama and the Responses API have no word for it.
        }
        Ok(Extraction {
            api: self.api,
            id: self.id,
            model: self.model,
            created_at: self.created_at,
            truncated: stop_kind.map(|kind| self.cut_off || kind.is_truncation()),
            stop_reason: self.stop,
            stop_kind,
            tools_called: self.tools,
            server_tools_called: self.server_tools,
            usage,
            billed: reading.billed,
            service_tier: reading.service_tier.or(self.service_tier),
            region: reading.region.or(self.region),
            speed: reading.speed.or(self.speed),
            stated_cost_usd: reading.stated.or(self.stated),
            iterations: reading.iterations,
            max_tokens: None,
            utilization: None,
            partial,
            error: self.error,
            warnings,
        })
    }
}

/// The fields of which a usage has at least one.
const fn usage_fields(api: Api) -> &'static [&'static str] {
    match api {
        Api::OpenaiChat | Api::MistralChat | Api::OpenaiCompletions => {
            &["prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens"]
        }
        Api::OpenaiEmbeddings => &["prompt_tokens", "total_tokens"],
        Api::GoogleGenerateContent => {
            &["promptTokenCount", "candidatesTokenCount", "totalTokenCount", "prompt_token_count", "total_token_count"]
        }
        Api::GoogleCountTokens => &["totalTokens"],
        Api::BedrockConverse | Api::BedrockCountTokens => &["inputTokens", "outputTokens"],
        Api::CohereChat => &["tokens", "billed_units"],
        Api::OllamaChat => &["prompt_eval_count", "eval_count"],
        Api::AiSdk => &["inputTokens", "outputTokens", "promptTokens", "completionTokens", "tokens"],
        _ => &["input_tokens", "output_tokens"],
    }
}

/// The fields of an object with their values verbatim.
pub(super) fn fields(json: &str) -> Result<Vec<(std::borrow::Cow<'_, str>, &str)>> {
    struct Fields;
    impl<'de> serde::de::Visitor<'de> for Fields {
        type Value = Vec<(std::borrow::Cow<'de, str>, &'de str)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object of token counts")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(Key(key)) = map.next_key()? {
                all.push((key, map.next_value::<&'de RawValue>()?.get()));
            }
            Ok(all)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    serde::Deserializer::deserialize_map(&mut reader, Fields)
        .map_err(|_| Error::invalid("usage: expected an object of token counts"))
}

/// Drops the whitespace between tokens, so that a usage reads the same however it was sent.
fn compact(json: String) -> String {
    if !json.bytes().any(|b| b.is_ascii_whitespace()) {
        return json;
    }
    let (mut in_string, mut escaped) = (false, false);
    let kept = json.chars().filter(|c| {
        if in_string {
            (in_string, escaped) = (escaped || *c != '"', !escaped && *c == '\\');
            return true;
        }
        in_string = *c == '"';
        !c.is_ascii_whitespace()
    });
    kept.collect()
}

/// Writes an object of verbatim values.
pub(super) fn object_text<'t>(fields: impl Iterator<Item = (&'t str, &'t str)>) -> String {
    let mut text = String::from("{");
    for (key, value) in fields {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::to_string(key).expect("a string is always written"));
        text.push(':');
        text.push_str(value);
    }
    text.push('}');
    text
}
