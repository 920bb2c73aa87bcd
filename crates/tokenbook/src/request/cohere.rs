//! Reads Cohere chat bodies of versions 1 and 2.

use std::borrow::Cow;

use super::body::{Block, Body, OutputSchema, Role, Tool};
use super::json::Json;
use super::openai;

pub(super) fn read<'a>(json: &'a Json<'a>) -> Body<'a> {
    if json.get("message").is_none() {
        let mut body = openai::read(json);
        documents(json, &mut body);
        if let Some(schema) = json.get("response_format").and_then(|format| format.get("schema")) {
            body.output_schema = Some(OutputSchema { name: None, description: None, schema });
        }
        return body;
    }
    let mut body = Body { model: json.text("model").map(Cow::Borrowed), ..Body::default() };
    if let Some(preamble) = json.text("preamble") {
        body.message(Role::System, None, vec![Block::Text(preamble)]);
    }
    for (index, turn) in json.list("chat_history").iter().enumerate() {
        let role = match turn.text("role") {
            Some("CHATBOT") => Role::Assistant,
            Some("SYSTEM") => Role::System,
            Some("TOOL") => Role::Tool,
            _ => Role::User,
        };
        body.message(role, Some(index), turn.text("message").map(Block::Text).into_iter().collect());
    }
    let last = json.list("chat_history").len();
    body.message(Role::User, Some(last), json.text("message").map(Block::Text).into_iter().collect());
    for tool in json.list("tools") {
        if let Some(name) = tool.text("name") {
            let schema = tool.get("parameter_definitions");
            body.tools.push(Tool { name, description: tool.text("description"), schema, ..Tool::default() });
        }
    }
    for result in json.list("tool_results") {
        let name = result.get("call").and_then(|call| call.text("name"));
        let text = result.get("outputs").map_or(Cow::Borrowed(""), |outputs| Cow::Owned(outputs.compact()));
        body.message(Role::Tool, None, vec![Block::Result { name, text, id: None }]);
    }
    documents(json, &mut body);
    body
}

fn documents<'a>(json: &'a Json<'a>, body: &mut Body<'a>) {
    if !json.list("documents").is_empty() || !json.list("connectors").is_empty() {
        body.unknown("documents are cut and framed by the provider");
    }
}
