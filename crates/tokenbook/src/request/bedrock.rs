//! Reads Amazon Bedrock `Converse` and `CountTokens` bodies.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::body::{Arguments, Block, Body, Choice, Role, Thinking, Tool};
use super::json::Json;
use super::media::{self, Image};

pub(super) fn read<'a>(json: &'a Json<'a>) -> Body<'a> {
    let json = json.get("input").and_then(|input| input.get("converse")).unwrap_or(json);
    let mut body = Body { model: json.text("modelId").map(Cow::Borrowed), ..Body::default() };
    let names = call_names(json.list("messages"));
    if !json.list("system").is_empty() {
        let blocks = content(&mut body, json.list("system"), &names);
        body.message(Role::System, None, blocks);
    }
    for (index, message) in json.list("messages").iter().enumerate() {
        let role = if message.text("role") == Some("assistant") { Role::Assistant } else { Role::User };
        let blocks = content(&mut body, message.list("content"), &names);
        body.message(role, Some(index), blocks);
    }
    if let Some(config) = json.get("toolConfig") {
        for tool in config.list("tools") {
            if let Some(spec) = tool.get("toolSpec") {
                let schema = spec.get("inputSchema").and_then(|schema| schema.get("json"));
                if let Some(name) = spec.text("name") {
                    body.tools.push(Tool { name, description: spec.text("description"), schema, ..Tool::default() });
                }
            } else if tool.get("cachePoint").is_none() {
                body.unknown("the provider runs a tool whose definition and results it adds itself");
            }
        }
        if let Some(choice) = config.get("toolChoice") {
            let one = choice.get("tool").and_then(|tool| tool.text("name"));
            body.choice = match one {
                Some(name) => Choice::Named(name),
                None if choice.get("any").is_some() => Choice::Any,
                None => Choice::Auto,
            };
        }
    }
    let extra = json.get("additionalModelRequestFields");
    let thinking = extra.and_then(|extra| extra.first_of(&["thinking", "reasoning_config"]));
    let thinking = thinking.and_then(|thinking| thinking.text("type"));
    body.thinking = match thinking {
        Some("enabled") => Thinking::Enabled,
        Some("adaptive") => Thinking::Adaptive,
        Some("disabled") => Thinking::Disabled,
        _ => Thinking::Unset,
    };
    if json.get("guardrailConfig").is_some() {
        body.unknown("guardrails are counted on their own");
    }
    body
}

/// The name of each call's tool, by the call's id.
fn call_names<'a>(messages: &'a [Json<'a>]) -> BTreeMap<&'a str, &'a str> {
    let blocks = messages.iter().flat_map(|message| message.list("content"));
    blocks
        .filter_map(|block| block.get("toolUse"))
        .filter_map(|call| Some((call.text("toolUseId")?, call.text("name")?)))
        .collect()
}

fn content<'a>(body: &mut Body<'a>, items: &'a [Json<'a>], names: &BTreeMap<&'a str, &'a str>) -> Vec<Block<'a>> {
    let mut blocks = Vec::with_capacity(items.len());
    for item in items {
        if let Some(text) = item.text("text") {
            blocks.push(Block::Text(text));
        } else if let Some(call) = item.get("toolUse") {
            let arguments = call.get("input").map_or(Arguments::Text(""), Arguments::Object);
            blocks.push(Block::Call {
                name: call.text("name").unwrap_or_default(),
                arguments,
                id: call.text("toolUseId"),
            });
        } else if let Some(result) = item.get("toolResult") {
            let name = result.text("toolUseId").and_then(|id| names.get(id).copied());
            let text = result_text(body, result.list("content"));
            blocks.push(Block::Result { name, text, id: result.text("toolUseId") });
        } else if let Some(thinking) = item.get("reasoningContent") {
            let shown = thinking.get("reasoningText");
            blocks.push(Block::Thinking {
                text: shown.and_then(|shown| shown.text("text")).unwrap_or_default(),
                signature: shown.and_then(|shown| shown.text("signature")).map_or(0, str::len),
            });
        } else if let Some(image) = item.get("image") {
            let data = image.get("source").and_then(|source| source.text("bytes"));
            let size = data.and_then(media::size_of_base64);
            if size.is_none() {
                body.unknown("a picture's size isn't in the request");
            }
            blocks.push(Block::Image(Image { size, low_detail: false }));
        } else if item.get("document").is_some() || item.get("video").is_some() {
            body.unknown("the length of a document, sound or film isn't known offline");
            blocks.push(Block::Document);
        } else if item.get("cachePoint").is_none() {
            body.unknown("a content block is of a kind whose size the provider alone knows");
        }
    }
    blocks
}

fn result_text<'a>(body: &mut Body<'a>, items: &'a [Json<'a>]) -> Cow<'a, str> {
    let mut texts = Vec::new();
    for item in items {
        if let Some(text) = item.text("text") {
            texts.push(Cow::Borrowed(text));
        } else if let Some(json) = item.get("json") {
            texts.push(Cow::Owned(json.spaced()));
        } else {
            body.unknown("a content block is of a kind whose size the provider alone knows");
        }
    }
    match texts.len() {
        1 => texts.swap_remove(0),
        _ => Cow::Owned(texts.join("\n")),
    }
}
