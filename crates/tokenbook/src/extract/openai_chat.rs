//! OpenAI Chat Completions, Completions and Embeddings, and everybody who speaks them: Azure, DeepSeek, xAI, Groq,
//! Mistral, OpenRouter, Vercel's gateway, Perplexity, Cloudflare.
//!
//! `prompt_tokens` includes cached, audio and image tokens; `completion_tokens` includes reasoning (documented at
//! <https://platform.openai.com/docs/api-reference/chat/object>; 2,363 recorded answers of some 30 hosts were checked
//! 2026-11-22). Where hosts differ, their fields tell:
//!
//! * xAI leaves reasoning out of `completion_tokens` and puts it into `total_tokens`; `cost_in_usd_ticks` is the charge
//!   in 1e-10 dollars (<https://docs.x.ai/developers/cost-tracking>, read 2026-11-22; recorded costs agree).
//! * Vercel's gateway (`market_cost`) and Perplexity's research models leave reasoning out of both and charge for it
//!   (their stated costs in recorded answers agree).
//! * Gemini behind this format leaves thoughts out of `completion_tokens` and states them in the total only
//!   (<https://discuss.ai.google.dev/t/question-with-usage-in-openai-compatibility/98760>, read 2026-11-22).
//! * Some hosts leave the cached tokens out of `prompt_tokens`; the total then includes them.
//! * OpenRouter states dollars in `cost`; with the caller's own key (`is_byok`) that is its fee, and what the provider
//!   charges stands beside it in `upstream_inference_cost`
//!   (<https://openrouter.ai/docs/use-cases/usage-accounting>, read 2026-11-22).

use super::draft::Draft;
use super::json::{Index, List, Maybe, Present, Raw, Text, When, Word, parse, pick};
use super::split::{Inclusive, Modalities, split_output, split_writes};
use super::tree::{Node, Object};
use super::{Reading, StopKind, Warning, anthropic, contradiction, sum};
use crate::api::Api;
use crate::error::Result;
use crate::money::Usd;
use crate::quantity::Count;
use crate::usage::{Side, TokenKind};

/// OpenAI's `prompt_tokens` includes what was read from and written to a cache.
pub(super) const INPUT_INCLUDES_CACHE: bool = true;

pick! { Response {
    id: Text<'a> = "id",
    model: Text<'a> = "model",
    created: When = "created",
    service_tier: Text<'a> = "service_tier",
    provider: Text<'a> = "provider",
    choices: Maybe<List<Choice<'a>>> = "choices",
    usage: Raw<'a> = "usage",
    groq: Groq<'a> = "x_groq",
    cost: Raw<'a> = "cost",
    error: Raw<'a> = "error",
    data: Present = "data",
    generated: Text<'a> = "response",
    result: Maybe<Cloudflare<'a>> = "result",
} }

pick! { Cloudflare {
    response: Present = "response",
    usage: Raw<'a> = "usage",
} }

pick! { Groq {
    usage: Raw<'a> = "usage",
} }

pick! { Choice {
    index: Index = "index",
    finish_reason: Word<'a> = "finish_reason",
    message: Message<'a> = "message" | "delta",
    text: Text<'a> = "text",
} }

pick! { Message {
    calls: List<Call<'a>> = "tool_calls",
    function: Maybe<Function<'a>> = "function_call",
    content: Text<'a> = "content",
    reasoning: Text<'a> = "reasoning" | "reasoning_content",
} }

pick! { Call {
    index: Index = "index",
    id: Text<'a> = "id",
    function: Function<'a> = "function" | "custom",
} }

pick! { Function {
    name: Text<'a> = "name",
    arguments: Text<'a> = "arguments" | "input",
} }

impl Draft {
    fn chat_head(&mut self, response: &Response<'_>) {
        Self::keep(&mut self.id, response.id.get());
        Self::keep(&mut self.model, response.model.get());
        self.created_at = self.created_at.or(response.created.0);
        if let Some(tier) = response.service_tier.owned() {
            self.service_tier = Some(tier);
        }
    }

    fn chat_stop(&mut self, choice: &Choice<'_>) {
        if let Some(reason) = choice.finish_reason.get() {
            self.cut_off |= StopKind::from_word(reason).is_truncation();
            Self::keep(&mut self.stop, Some(reason));
        }
    }

    /// Takes a usage unless it is all zeros and would replace one that isn't.
    fn chat_usage(&mut self, raw: Option<&str>) {
        let says_something = |raw: &str| raw.bytes().any(|b| matches!(b, b'1'..=b'9'));
        if self.usage.is_none() || raw.is_some_and(says_something) {
            self.take_usage(raw);
        }
    }

    fn top_cost(&mut self, response: &Response<'_>) -> Result<()> {
        if let Some(cost) = response.cost.0 {
            let node: Node<'_> = parse(cost)?;
            if matches!(node, Node::Object(_))
                && let Some(cost) = Object::new(&node, "cost")?
            {
                self.stated = cost.dollars("usd")?;
            }
        }
        Ok(())
    }
}

pub(super) fn body(draft: &mut Draft, json: &str) -> Result<Option<&'static str>> {
    let response: Response<'_> = parse(json)?;
    let is_cloudflare =
        response.generated.get().is_some() || response.result.0.as_ref().is_some_and(|result| result.response.0);
    if response.choices.0.is_none() && !(response.data.0 && response.usage.0.is_some()) && !is_cloudflare {
        let is_embedding = draft.api == Api::OpenaiEmbeddings;
        return Ok(Some(if is_embedding { "`data` with `usage`" } else { "`choices`" }));
    }
    draft.chat_head(&response);
    draft.top_cost(&response)?;
    for choice in response.choices.0.iter().flat_map(|list| &list.0) {
        draft.chat_stop(choice);
        let message = &choice.message;
        let calls = message.calls.0.iter().map(|call| &call.function);
        for function in calls.chain(&message.function.0) {
            draft.tools.extend(function.name.owned());
        }
    }
    let nested = response.result.0.as_ref().and_then(|result| result.usage.0);
    draft.take_usage(response.usage.0.or(response.groq.usage.0).or(nested));
    if response.provider.get().is_some() {
        draft.is_openrouter = true;
    }
    Ok(None)
}

pub(super) fn event(draft: &mut Draft, json: &str) -> Result<()> {
    let response: Response<'_> = parse(json)?;
    if response.error.0.is_some() {
        draft.take_error(json)?;
    }
    draft.chat_head(&response);
    draft.top_cost(&response)?;
    draft.is_openrouter |= response.provider.get().is_some();
    draft.hear(&response.generated);
    let choices = response.choices.0.as_ref().map_or(&[][..], |list| &list.0);
    for choice in choices {
        draft.chat_stop(choice);
        let message = &choice.message;
        for said in [&choice.text, &message.content, &message.reasoning] {
            draft.hear(said);
        }
        for (position, call) in message.calls.0.iter().enumerate() {
            draft.hear(&call.function.arguments);
            let position = call.index.0.unwrap_or(position as u64);
            open_call(draft, choice.index.0.unwrap_or(0), position, call.id.get().unwrap_or_default(), &call.function);
        }
        if let Some(function) = &message.function.0 {
            draft.hear(&function.arguments);
            open_call(draft, choice.index.0.unwrap_or(0), u64::MAX, "", function);
        }
    }
    let usage = response.usage.0.or(response.groq.usage.0);
    draft.chat_usage(usage);
    if draft.usage.is_some() && (draft.stop.is_some() || (usage.is_some() && choices.is_empty())) {
        draft.is_final = true;
    }
    Ok(())
}

/// Notes a tool call of a stream once: its name comes with the first piece, or again with each.
fn open_call(draft: &mut Draft, choice: u64, position: u64, id: &str, function: &Function<'_>) {
    let Some(name) = function.name.get() else { return };
    let open = draft.open_calls.iter_mut().rev().find(|call| call.0 == choice && call.1 == position);
    match open {
        // Some hosts number every call 0; then the ids differ.
        Some(open) if id.is_empty() || open.2.is_empty() || open.2 == id => {}
        _ => {
            draft.open_calls.push((choice, position, id.to_owned()));
            draft.tools.push(name.to_owned());
        }
    }
}

/// The numbers of a usage whose input and output are stated as sums.
#[derive(Debug, Default, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts about a host")]
pub(super) struct Sums {
    pub(super) input: Option<Count>,
    pub(super) output: Option<Count>,
    pub(super) total: Option<Count>,
    pub(super) cached: Count,
    pub(super) written: Count,
    pub(super) reasoning: Count,
    pub(super) audio: Count,
    pub(super) image: Count,
    pub(super) modalities: Modalities,
    pub(super) cached_modalities: Option<Modalities>,
    /// Whether reasoning is known to stand beside the output, whatever the total says.
    pub(super) reasoning_outside: bool,
    /// Whether the cache is known to stand beside the input.
    pub(super) cache_outside: bool,
    /// Whether a total above the sum may be unnamed reasoning.
    pub(super) thoughts_in_total: bool,
    /// Whether more cached than input is a known quirk of the host.
    pub(super) cache_may_exceed: bool,
}

impl Sums {
    /// Decides by the total what stands beside what, and sets the kinds; the caller has split the cache writes.
    pub(super) fn settle(mut self, reading: &mut Reading) -> Result<()> {
        if let (Some(input), None, Some(total)) = (self.input, self.output, self.total) {
            // An answer without output leaves its count out, but not the total.
            self.output = total.checked_sub(input).ok();
        }
        let (input, output) = (self.input, self.output);
        if let (Some(input), Some(output), Some(total)) = (input, output, self.total) {
            let both = sum([input, output])?;
            let cache = sum([self.cached, self.written])?;
            let fault = || {
                contradiction(
                    "the total is not the sum of its parts",
                    &[
                        ("total", total),
                        ("input", input),
                        ("output", output),
                        ("reasoning", self.reasoning),
                        ("cached", self.cached),
                    ],
                )
            };
            let over = total.checked_sub(both).map_err(|_| fault())?;
            if over.is_zero() {
            } else if over == self.reasoning {
                self.reasoning_outside = true;
            } else if over == cache || over == self.cached {
                self.cache_outside = true;
            } else if over == sum([cache, self.reasoning])? {
                self.cache_outside = true;
                self.reasoning_outside = true;
            } else if self.thoughts_in_total && self.reasoning.is_zero() {
                self.reasoning = over;
                self.reasoning_outside = true;
                reading.warnings.push(Warning::ReasoningFromTotal);
            } else {
                return Err(fault());
            }
        }
        match input {
            None => reading.lacks(Side::Input),
            Some(input) => {
                let total = if self.cache_outside { sum([input, self.cached, self.written])? } else { input };
                let mut cached = self.cached;
                if cached > total && self.cache_may_exceed {
                    cached = total;
                    reading.warnings.push(Warning::CacheAboveInput);
                }
                let Self { written, modalities, cached_modalities, .. } = self;
                Inclusive { total, cached, written, modalities, cached_modalities }.split(reading)?;
            }
        }
        match output {
            None => reading.lacks(Side::Output),
            Some(output) if self.reasoning_outside => {
                split_output(reading, sum([output, self.reasoning])?, self.reasoning, self.audio, self.image)?;
            }
            Some(output) => {
                let mut reasoning = self.reasoning;
                if reasoning > output {
                    // Counted again by another tokenizer, as hosts of open models do.
                    reasoning = output;
                    reading.warnings.push(Warning::ReasoningAboveOutput);
                }
                split_output(reading, output, reasoning, self.audio, self.image)?;
            }
        }
        Ok(())
    }
}

/// The one number that several fields state; 0 says nothing beside another.
fn agreed(what: &str, stated: &[(&'static str, Option<Count>)]) -> Result<Count> {
    let some: Vec<_> = stated.iter().filter_map(|(name, count)| count.map(|count| (*name, count))).collect();
    let largest = some.iter().map(|(_, count)| *count).max().unwrap_or_default();
    if some.iter().any(|(_, count)| !count.is_zero() && *count != largest) {
        return Err(contradiction(what, &some));
    }
    Ok(largest)
}

pub(super) fn read(draft: &Draft, usage: Object<'_, '_>) -> Result<Reading> {
    let mut reading = Reading::default();
    let details = match usage.object("prompt_tokens_details", "usage.prompt_tokens_details")? {
        None => usage.object("prompt_token_details", "usage.prompt_token_details")?,
        some => some,
    };
    let out = match usage.object("completion_tokens_details", "usage.completion_tokens_details")? {
        None => usage.object("completion_token_details", "usage.completion_token_details")?,
        some => some,
    };
    let within = |object: Option<Object<'_, '_>>, key: &str| object.map_or(Ok(None), |object| object.count(key));
    let part = |object: Option<Object<'_, '_>>, key: &str| object.map_or(Ok(Count::ZERO), |object| object.detail(key));
    let input = usage.count_of(&["prompt_tokens", "input_tokens"])?;
    let hit = usage.count("prompt_cache_hit_tokens")?;
    if let (Some(input), Some(hit), Some(miss)) = (input, hit, usage.count("prompt_cache_miss_tokens")?)
        && sum([hit, miss])? != input
    {
        let numbers = [("input", input), ("cache_hit", hit), ("cache_miss", miss)];
        return Err(contradiction("cache hits and misses don't add up to the input", &numbers));
    }
    let cached = agreed(
        "cached tokens are stated twice and differ",
        &[
            ("prompt_tokens_details.cached_tokens", within(details, "cached_tokens")?),
            ("cache_read_input_tokens", usage.count("cache_read_input_tokens")?),
            ("prompt_cache_hit_tokens", hit),
            ("cached_tokens", usage.count("cached_tokens")?),
            ("num_cached_tokens", usage.count("num_cached_tokens")?),
        ],
    )?;
    let written = agreed(
        "cache writes are stated twice and differ",
        &[
            ("prompt_tokens_details.cache_write_tokens", within(details, "cache_write_tokens")?),
            ("prompt_tokens_details.cache_creation_tokens", within(details, "cache_creation_tokens")?),
            ("prompt_tokens_details.cache_creation_input_tokens", within(details, "cache_creation_input_tokens")?),
            ("cache_creation_input_tokens", usage.count("cache_creation_input_tokens")?),
        ],
    )?;
    split_writes(&mut reading, Some(written), &anthropic::writes_by_ttl(usage)?)?;
    let top_reasoning = usage.count("reasoning_tokens")?;
    let reasoning = agreed(
        "reasoning is stated twice and differs",
        &[
            ("completion_tokens_details.reasoning_tokens", within(out, "reasoning_tokens")?),
            ("reasoning_tokens", top_reasoning),
        ],
    )?;
    let perplexity = ["search_context_size", "citation_tokens", "num_search_queries"].iter().any(|key| usage.has(key))
        || matches!(usage.get("cost"), Some(Node::Object(_))) && top_reasoning.is_some();
    let cached_details = match details {
        Some(details) => {
            details.object("cached_tokens_details", "usage.prompt_tokens_details.cached_tokens_details")?
        }
        None => None,
    };
    let modalities_of = |object: Object<'_, '_>| -> Result<Modalities> {
        Ok(Modalities {
            audio: object.detail("audio_tokens")?,
            image: object.detail("image_tokens")?,
            video: object.detail("video_tokens")?,
        })
    };
    let text = within(details, "text_tokens")?;
    let is_gemini = draft.model.as_deref().is_some_and(|model| model.contains("gemini"));
    Sums {
        input,
        output: usage.count_of(&["completion_tokens", "output_tokens"])?,
        total: usage.count("total_tokens")?,
        cached,
        written,
        reasoning,
        audio: part(out, "audio_tokens")?,
        image: part(out, "image_tokens")?,
        modalities: details.map(modalities_of).transpose()?.unwrap_or_default(),
        cached_modalities: cached_details.map(modalities_of).transpose()?,
        reasoning_outside: usage.has("market_cost") || (perplexity && top_reasoning.is_some_and(|n| !n.is_zero())),
        cache_outside: false,
        thoughts_in_total: is_gemini,
        cache_may_exceed: text.is_some() && text == input,
    }
    .settle(&mut reading)?;
    if usage.count("citation_tokens")?.is_some_and(|tokens| !tokens.is_zero()) {
        reading.warnings.push(Warning::CitationTokens);
    }
    read_requests(usage, &mut reading)?;
    reading.stated = stated_cost(usage, draft.is_openrouter)?;
    reading.service_tier = usage.text("service_tier").map(str::to_owned);
    Ok(reading)
}

/// Reads an embeddings usage, which has no output.
pub(super) fn read_embeddings(usage: Object<'_, '_>) -> Result<Reading> {
    let mut reading = Reading::default();
    match usage.count_of(&["prompt_tokens", "input_tokens", "total_tokens"])? {
        Some(input) => {
            if let Some(total) = usage.count("total_tokens")?
                && total != input
                && usage.count("completion_tokens")?.is_none_or(Count::is_zero)
            {
                return Err(contradiction(
                    "the total of an embedding is its input",
                    &[("total", total), ("input", input)],
                ));
            }
            reading.set(TokenKind::Input, input);
        }
        None => reading.unknown = [true, true],
    }
    reading.stated = stated_cost(usage, false)?;
    Ok(reading)
}

/// Requests of server-side tools, in the words of OpenRouter, Perplexity, Xiaomi and xAI.
fn read_requests(usage: Object<'_, '_>, reading: &mut Reading) -> Result<()> {
    for key in ["server_tool_use_details", "server_tool_use"] {
        if let Some(tools) = usage.object(key, "usage.server_tool_use")? {
            for (name, node) in tools.iter() {
                if let (Some(tool), Some(requests)) = (name.strip_suffix("_requests"), tools.as_count(name, node)?) {
                    reading.request(tool, requests);
                }
            }
        }
    }
    if let Some(search) = usage.object("web_search_usage", "usage.web_search_usage")? {
        reading.request("web_search", search.detail("tool_usage")?);
    }
    reading.request("web_search", usage.detail("num_search_queries")?);
    reading.request("live_search_source", usage.detail("num_sources_used")?);
    Ok(())
}

/// The cost that a usage states in dollars, in the forms that say so without doubt.
pub(super) fn stated_cost(usage: Object<'_, '_>, is_openrouter: bool) -> Result<Option<Usd>> {
    if let Some(ticks) = usage.count("cost_in_usd_ticks")? {
        // Resold on Azure the field is always 0, though the call is charged.
        return Ok((!ticks.is_zero()).then(|| Usd::from_pico(i128::from(ticks.get()) * 100)));
    }
    if let Some(Node::Object(_)) = usage.get("cost")
        && let Some(cost) = usage.object("cost", "usage.cost")?
    {
        return match cost.dollars("total_cost")? {
            None => cost.dollars("usd"),
            some => Ok(some),
        };
    }
    let details = usage.object("cost_details", "usage.cost_details")?;
    if !is_openrouter && details.is_none() && usage.flag("is_byok").is_none() {
        return Ok(None); // A bare number has no currency.
    }
    let Some(cost) = usage.dollars("cost")? else { return Ok(None) };
    let upstream = match details {
        Some(details) if usage.flag("is_byok") == Some(true) => details.dollars("upstream_inference_cost")?,
        _ => None,
    };
    upstream.map_or(Ok(Some(cost)), |upstream| cost.checked_add(upstream).map(Some))
}
