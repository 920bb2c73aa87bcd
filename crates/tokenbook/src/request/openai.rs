//! Reads OpenAI Chat Completions bodies, and those of servers that speak the same format.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::body::{Arguments, Block, Body, Choice, Message, OutputSchema, Role, Tool};
use super::json::Json;
use super::media::{self, Image};

pub(super) fn read<'a>(json: &'a Json<'a>) -> Body<'a> {
    let mut body = Body { model: json.text("model").map(Cow::Borrowed), ..Body::default() };
    let mut names = BTreeMap::new();
    for (index, message) in json.list("messages").iter().enumerate() {
        let calls = message.list("tool_calls");
        for call in calls {
            if let (Some(id), Some(name)) = (call.text("id"), call.get("function").and_then(|f| f.text("name"))) {
                names.insert(id, (name, calls.len() == 1));
            }
        }
        let read = read_message(&mut body, message, index, &names);
        body.messages.push(read);
    }
    for tool in json.list("tools") {
        match (tool.text("type"), tool.get("function")) {
            (_, Some(function)) => body.tools.extend(self::tool(function)),
            (kind, None) => {
                body.provider_tools.push(Cow::Borrowed(kind.unwrap_or("unknown")));
                body.unknown("the provider runs a tool whose definition and results it adds itself");
            }
        }
    }
    body.tools.extend(json.list("functions").iter().filter_map(tool));
    if let Some(choice) = json.first_of(&["tool_choice", "function_call"]) {
        body.choice = read_choice(choice);
    }
    let off = Json::Bool(false);
    body.thinks_not_by_template =
        json.get("chat_template_kwargs").and_then(|template| template.get("enable_thinking")) == Some(&off);
    body.thinks_not = body.thinks_not_by_template
        || json.get("enable_thinking") == Some(&off)
        || json.get("thinking").and_then(|thinking| thinking.text("type")) == Some("disabled");
    body.effort = matches!(json.text("reasoning_effort"), Some("high" | "xhigh" | "max"));
    body.one_call_at_a_time = json.get("parallel_tool_calls") == Some(&Json::Bool(false));
    if let Some(format) = json.first_of(&["response_format", "format"]) {
        match format.get("json_schema") {
            Some(output) => {
                if let Some(schema) = output.get("schema") {
                    body.output_schema = Some(OutputSchema {
                        name: output.text("name"),
                        description: output.text("description"),
                        schema,
                    });
                }
            }
            None if format.get("properties").is_some() => {
                body.output_schema = Some(OutputSchema { name: None, description: None, schema: format });
            }
            None => {}
        }
    }
    if json.get("web_search_options").is_some() {
        body.unknown("web search adds its results");
    }
    if json.list("modalities").iter().any(|kind| kind.str() == Some("audio")) {
        body.unknown("the size of audio is the provider's");
    }
    body
}

pub(super) fn read_choice<'a>(choice: &'a Json<'a>) -> Choice<'a> {
    match choice.str() {
        Some("none") => Choice::None,
        Some("required" | "any") => Choice::Any,
        Some(_) => Choice::Auto,
        None => {
            let name =
                choice.get("function").and_then(|function| function.text("name")).or_else(|| choice.text("name"));
            name.map_or(Choice::Auto, Choice::Named)
        }
    }
}

/// A function's definition.
pub(super) fn tool<'a>(function: &'a Json<'a>) -> Option<Tool<'a>> {
    Some(Tool {
        name: function.text("name")?,
        description: function.text("description"),
        schema: function.get("parameters"),
        ..Tool::default()
    })
}

fn read_message<'a>(
    body: &mut Body<'a>,
    message: &'a Json<'a>,
    index: usize,
    names: &BTreeMap<&'a str, (&'a str, bool)>,
) -> Message<'a> {
    let role = match message.text("role") {
        Some("system") => Role::System,
        Some("developer") => Role::Developer,
        Some("assistant") => Role::Assistant,
        Some("tool" | "function") => Role::Tool,
        _ => Role::User,
    };
    let mut blocks = message.get("content").map(|json| content(body, json)).unwrap_or_default();
    let mut alone = true;
    if role == Role::Tool {
        let call = message.text("tool_call_id").and_then(|id| names.get(id).copied());
        let name = call.map(|(name, _)| name).or_else(|| message.text("name"));
        let name = name.or_else(|| message.text("tool_name"));
        alone = call.is_none_or(|(_, alone)| alone);
        let text = join(&blocks);
        blocks = vec![Block::Result { name, text, id: message.text("tool_call_id") }];
    }
    let calls = message.list("tool_calls").iter().filter_map(|call| Some((call.get("function")?, call.text("id"))));
    for (function, id) in calls.chain(message.get("function_call").map(|function| (function, None))) {
        let name = function.text("name").unwrap_or_default();
        let arguments = match function.get("arguments") {
            Some(Json::String(text)) => Arguments::Text(text),
            Some(other) => Arguments::Object(other),
            None => Arguments::Text(""),
        };
        blocks.push(Block::Call { name, arguments, id });
    }
    let name = message.text("name").filter(|_| role != Role::Tool);
    // The last is Ollama's own.
    let reasoning = ["reasoning_content", "reasoning", "thinking"].iter().find_map(|key| message.text(key));
    Message { role, name, index: Some(index), blocks, reasoning, alone, is_kept: true }
}

fn join<'a>(blocks: &[Block<'a>]) -> Cow<'a, str> {
    let texts: Vec<&'a str> =
        blocks.iter().filter_map(|b| if let Block::Text(text) = b { Some(*text) } else { None }).collect();
    if let [text] = texts[..] { Cow::Borrowed(text) } else { Cow::Owned(texts.concat()) }
}

/// The blocks of a message's content, of Chat Completions and of Responses.
pub(super) fn content<'a>(body: &mut Body<'a>, json: &'a Json<'a>) -> Vec<Block<'a>> {
    if let Some(text) = json.str() {
        return vec![Block::Text(text)];
    }
    let mut blocks = Vec::with_capacity(json.items().len());
    for block in json.items() {
        match block.text("type") {
            Some("text" | "input_text" | "output_text" | "refusal") | None => {
                blocks.extend(
                    block.text("text").or_else(|| block.text("refusal")).or_else(|| block.str()).map(Block::Text),
                );
            }
            Some("image_url" | "input_image" | "image") => blocks.push(Block::Image(image(body, block))),
            Some("file" | "input_file" | "document") => {
                body.unknown("the pages of a document aren't known offline");
                blocks.push(Block::Document);
            }
            // Mistral's, whose text is in parts of its own.
            Some("thinking") if !block.list("thinking").is_empty() => {
                let texts = block.list("thinking").iter().filter_map(|part| part.text("text"));
                blocks.extend(texts.map(|text| Block::Thinking { text, signature: 0 }));
            }
            Some("input_audio" | "audio") => body.unknown("the size of audio is the provider's"),
            _ => body.unknown("a content block is of a kind whose size the provider alone knows"),
        }
    }
    blocks
}

fn image<'a>(body: &mut Body<'a>, block: &'a Json<'a>) -> Image {
    let holder = block.get("image_url").unwrap_or(block);
    let url = holder.str().or_else(|| holder.text("url")).unwrap_or_default();
    let low_detail = holder.text("detail").or_else(|| block.text("detail")) == Some("low");
    let size = media::size_of_url(url);
    if size.is_none() && !low_detail {
        body.unknown("a picture's size isn't in the request");
    }
    Image { size, low_detail }
}
