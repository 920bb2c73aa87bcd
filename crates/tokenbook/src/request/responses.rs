//! Reads OpenAI Responses bodies.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::body::{Arguments, Block, Body, Message, OutputSchema, Role, Shape};
use super::json::Json;
use super::openai;

pub(super) fn read<'a>(json: &'a Json<'a>) -> Body<'a> {
    let model = json.text("model").map(Cow::Borrowed);
    let mut body = Body { model, shape: Shape::Responses, ..Body::default() };
    if let Some(instructions) = json.text("instructions") {
        body.message(Role::Developer, None, vec![Block::Text(instructions)]);
    }
    match json.get("input") {
        Some(Json::String(text)) => body.message(Role::User, Some(0), vec![Block::Text(text)]),
        Some(items) => read_items(&mut body, items.items()),
        None => {}
    }
    for tool in json.list("tools") {
        match tool.text("type") {
            Some("function") | None => body.tools.extend(openai::tool(tool.get("function").unwrap_or(tool))),
            Some(kind) => {
                body.provider_tools.push(Cow::Borrowed(kind));
                body.unknown("the provider runs a tool whose definition and results it adds itself");
            }
        }
    }
    if let Some(choice) = json.get("tool_choice") {
        body.choice = openai::read_choice(choice);
    }
    body.one_call_at_a_time = json.get("parallel_tool_calls") == Some(&Json::Bool(false));
    if let Some(format) = json.get("text").and_then(|text| text.get("format"))
        && let (Some("json_schema"), Some(schema)) = (format.text("type"), format.get("schema"))
    {
        body.output_schema =
            Some(OutputSchema { name: format.text("name"), description: format.text("description"), schema });
    }
    if json.get("previous_response_id").is_some() || json.get("conversation").is_some() {
        body.unknown("the conversation so far is kept by the provider");
    }
    if json.get("prompt").is_some() {
        body.unknown("the prompt is kept by the provider");
    }
    body
}

fn read_items<'a>(body: &mut Body<'a>, items: &'a [Json<'a>]) {
    let mut names = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        match item.text("type") {
            None | Some("message") => {
                let role = match item.text("role") {
                    Some("system") => Role::System,
                    Some("developer") => Role::Developer,
                    Some("assistant") => Role::Assistant,
                    _ => Role::User,
                };
                let blocks = item.get("content").map(|json| openai::content(body, json)).unwrap_or_default();
                body.message(role, Some(index), blocks);
            }
            Some("function_call") => {
                let name = item.text("name").unwrap_or_default();
                // Calls in a row were made together, and are shown the same with or without an id.
                let neighbours = [index.checked_sub(1), index.checked_add(1)];
                let together = neighbours.into_iter().flatten().filter_map(|at| items.get(at)).any(is_call);
                let is_kept = together || item.get("id").is_some();
                if let Some(id) = item.text("call_id") {
                    names.insert(id, (name, is_kept));
                }
                let arguments = Arguments::Text(item.text("arguments").unwrap_or_default());
                body.messages.push(Message {
                    role: Role::Assistant,
                    name: None,
                    index: Some(index),
                    blocks: vec![Block::Call { name, arguments, id: item.text("call_id") }],
                    reasoning: None,
                    alone: true,
                    is_kept,
                });
            }
            Some("function_call_output") => {
                let call = item.text("call_id").and_then(|id| names.get(id).copied());
                let (name, is_kept) = call.map_or((None, true), |(name, is_kept)| (Some(name), is_kept));
                let text = output(body, item.get("output"));
                body.messages.push(Message {
                    role: Role::Tool,
                    name: None,
                    index: Some(index),
                    blocks: vec![Block::Result { name, text, id: item.text("call_id") }],
                    reasoning: None,
                    alone: true,
                    is_kept,
                });
            }
            Some("reasoning") => {
                let text = item.list("summary").last().and_then(|part| part.text("text")).unwrap_or_default();
                let signature = item.text("encrypted_content").map_or(0, str::len);
                let asked_since = items[index..].iter().any(|item| item.text("role") == Some("user"));
                if signature == 0 && !asked_since {
                    body.unknown("the thinking of this turn is kept by the provider");
                }
                body.message(Role::Assistant, Some(index), vec![Block::Thinking { text, signature }]);
            }
            Some("item_reference") => body.unknown("the conversation so far is kept by the provider"),
            Some(_) => body.unknown("an input item is of a kind whose size the provider alone knows"),
        }
    }
}

fn is_call(item: &Json<'_>) -> bool {
    item.text("type") == Some("function_call")
}

fn output<'a>(body: &mut Body<'a>, output: Option<&'a Json<'a>>) -> Cow<'a, str> {
    match output {
        Some(Json::String(text)) => Cow::Borrowed(text),
        Some(Json::Array(items)) => {
            let texts = items.iter().filter_map(|item| item.text("text"));
            if items.iter().any(|item| item.text("text").is_none()) {
                body.unknown("a content block is of a kind whose size the provider alone knows");
            }
            Cow::Owned(texts.collect::<Vec<_>>().concat())
        }
        Some(other) => Cow::Owned(other.compact()),
        None => Cow::Borrowed(""),
    }
}
