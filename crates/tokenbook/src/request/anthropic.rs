//! Reads Anthropic Messages bodies, also those sent through Amazon Bedrock and Vertex AI.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::body::{Arguments, Block, Body, Choice, OutputSchema, Role, Thinking, Tool};
use super::json::Json;
use super::media::{self, Image};

pub(super) fn read<'a>(json: &'a Json<'a>) -> Body<'a> {
    let mut body = Body { model: json.text("model").map(Cow::Borrowed), ..Body::default() };
    if let Some(system) = json.get("system") {
        let blocks = content(&mut body, system, &BTreeMap::new());
        body.message(Role::System, None, blocks);
    }
    let names = call_names(json.list("messages"));
    for (index, message) in json.list("messages").iter().enumerate() {
        let role = match message.text("role") {
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            _ => Role::User,
        };
        let blocks = message.get("content").map(|json| content(&mut body, json, &names)).unwrap_or_default();
        body.message(role, Some(index), blocks);
    }
    if let Some(prompt) = json.text("prompt") {
        body.message(Role::User, None, vec![Block::Text(prompt)]);
    }
    for tool in json.list("tools") {
        read_tool(&mut body, tool);
    }
    if let Some(choice) = json.get("tool_choice") {
        body.choice = match choice.text("type") {
            Some("any") => Choice::Any,
            Some("none") => Choice::None,
            Some("tool") => choice.text("name").map_or(Choice::Any, Choice::Named),
            _ => Choice::Auto,
        };
        body.one_call_at_a_time = choice.is_true("disable_parallel_tool_use");
    }
    body.thinking = match json.get("thinking").and_then(|thinking| thinking.text("type")) {
        Some("enabled") => Thinking::Enabled,
        Some("adaptive") => Thinking::Adaptive,
        Some("disabled") => Thinking::Disabled,
        _ => Thinking::Unset,
    };
    body.effort = json.get("output_config").is_some_and(|config| config.get("effort").is_some());
    let format =
        json.get("output_config").and_then(|config| config.get("format")).or_else(|| json.get("output_format"));
    if let Some(schema) = format.and_then(|format| format.get("schema")) {
        body.output_schema = Some(OutputSchema { name: None, description: None, schema });
    }
    if !json.list("mcp_servers").is_empty() {
        body.unknown("MCP servers add the definitions of their tools");
    }
    if json.get("container").is_some() {
        body.unknown("a container adds the definitions of its skills and tools");
    }
    if json.get("context_management").is_some() {
        body.unknown("context management can edit or summarise the messages");
    }
    body
}

fn read_tool<'a>(body: &mut Body<'a>, tool: &'a Json<'a>) {
    let Some(name) = tool.text("name") else {
        body.unknown("a tool has no name");
        return;
    };
    match tool.text("type") {
        None | Some("custom") => {
            if tool.is_true("defer_loading") {
                body.unknown("deferred tools are loaded when they are searched for");
                return;
            }
            body.tools.push(Tool {
                name,
                description: tool.text("description"),
                schema: tool.get("input_schema"),
                ..Tool::default()
            });
        }
        Some(kind) => {
            let family = kind.split('_').take_while(|word| !word.starts_with("20")).collect::<Vec<_>>().join("_");
            if !matches!(family.as_str(), "bash" | "text_editor" | "memory" | "computer") {
                body.unknown("the provider runs a tool whose definition and results it adds itself");
            }
            body.provider_tools.push(Cow::Owned(family));
        }
    }
}

/// The name of each call's tool, by the call's id.
fn call_names<'a>(messages: &'a [Json<'a>]) -> BTreeMap<&'a str, &'a str> {
    let blocks = messages.iter().flat_map(|message| message.list("content"));
    blocks
        .filter(|block| block.text("type") == Some("tool_use"))
        .filter_map(|block| Some((block.text("id")?, block.text("name")?)))
        .collect()
}

fn content<'a>(body: &mut Body<'a>, json: &'a Json<'a>, names: &BTreeMap<&'a str, &'a str>) -> Vec<Block<'a>> {
    if let Some(text) = json.str() {
        return vec![Block::Text(text)];
    }
    let mut blocks = Vec::with_capacity(json.items().len());
    for block in json.items() {
        match block.text("type") {
            Some("text") => blocks.push(Block::Text(block.text("text").unwrap_or_default())),
            Some("tool_use") => {
                let arguments = block.get("input").map_or(Arguments::Text(""), Arguments::Object);
                blocks.push(Block::Call {
                    name: block.text("name").unwrap_or_default(),
                    arguments,
                    id: block.text("id"),
                });
            }
            Some("tool_result") => {
                let name = block.text("tool_use_id").and_then(|id| names.get(id).copied());
                let (text, images) = result_text(body, block.get("content"));
                blocks.push(Block::Result { name, text, id: block.text("tool_use_id") });
                blocks.extend(images.into_iter().map(Block::Image));
            }
            Some("thinking") => blocks.push(Block::Thinking {
                text: block.text("thinking").unwrap_or_default(),
                signature: block.text("signature").map_or(0, str::len),
            }),
            Some("redacted_thinking") => {
                blocks.push(Block::Thinking { text: "", signature: block.text("data").map_or(0, str::len) });
            }
            Some("image") => blocks.push(Block::Image(image(body, block))),
            Some("document") => document(body, block, &mut blocks),
            Some("search_result") => {
                body.unknown("search results carry markup for citations");
                blocks.extend(block.list("content").iter().filter_map(|item| item.text("text")).map(Block::Text));
            }
            _ => body.unknown("a content block is of a kind whose size the provider alone knows"),
        }
    }
    blocks
}

fn result_text<'a>(body: &mut Body<'a>, content: Option<&'a Json<'a>>) -> (Cow<'a, str>, Vec<Image>) {
    let mut images = Vec::new();
    let Some(content) = content else { return (Cow::Borrowed(""), images) };
    if let Some(text) = content.str() {
        return (Cow::Borrowed(text), images);
    }
    let mut texts = Vec::new();
    for block in content.items() {
        match block.text("type") {
            Some("text") => texts.extend(block.text("text")),
            Some("image") => images.push(image(body, block)),
            _ => body.unknown("a content block is of a kind whose size the provider alone knows"),
        }
    }
    let text = if let [text] = texts[..] { Cow::Borrowed(text) } else { Cow::Owned(texts.join("\n")) };
    (text, images)
}

fn image<'a>(body: &mut Body<'a>, block: &'a Json<'a>) -> Image {
    let size = block.get("source").and_then(|source| source.text("data")).and_then(media::size_of_base64);
    if size.is_none() {
        body.unknown("a picture's size isn't in the request");
    }
    Image { size, low_detail: false }
}

fn document<'a>(body: &mut Body<'a>, block: &'a Json<'a>, blocks: &mut Vec<Block<'a>>) {
    let source = block.get("source");
    match source.and_then(|source| source.text("type")) {
        Some("text") => blocks.extend(source.and_then(|source| source.text("data")).map(Block::Text)),
        Some("content") => {
            let items = source.map_or(&[][..], |source| source.list("content"));
            blocks.extend(items.iter().filter_map(|item| item.text("text")).map(Block::Text));
        }
        _ => {
            blocks.push(Block::Document);
            body.unknown("the pages of a document aren't known offline");
            return;
        }
    }
    if block.get("citations").is_some_and(|citations| citations.is_true("enabled")) {
        body.unknown("documents with citations are split into numbered pieces");
    }
}
