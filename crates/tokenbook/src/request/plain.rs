//! Reads bodies that are little more than text: completions, embeddings, and Ollama's own endpoints.

use std::borrow::Cow;

use super::body::{Block, Body, Role, Shape};
use super::json::Json;
use super::openai;

/// Completions and embeddings: a text, or several, without any framing.
pub(super) fn read<'a>(json: &'a Json<'a>) -> Body<'a> {
    let mut body = Body { model: json.text("model").map(Cow::Borrowed), shape: Shape::Text, ..Body::default() };
    match json.first_of(&["prompt", "input"]) {
        Some(Json::String(text)) => body.message(Role::User, Some(0), vec![Block::Text(text)]),
        Some(Json::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                if let Some(text) = item.str() {
                    body.message(Role::User, Some(index), vec![Block::Text(text)]);
                } else {
                    body.unknown("the input is given as token ids");
                }
            }
        }
        _ => {}
    }
    if let Some(suffix) = json.text("suffix") {
        body.message(Role::User, None, vec![Block::Text(suffix)]);
    }
    body
}

/// Ollama's `/api/chat` and `/api/generate`.
pub(super) fn ollama<'a>(json: &'a Json<'a>) -> Body<'a> {
    let mut body = openai::read(json);
    body.own_template = true;
    if let Some(system) = json.text("system") {
        body.message(Role::System, None, vec![Block::Text(system)]);
    }
    if let Some(prompt) = json.text("prompt") {
        body.message(Role::User, Some(0), vec![Block::Text(prompt)]);
    }
    let pictures = json.list("messages").iter().any(|message| !message.list("images").is_empty());
    if pictures || !json.list("images").is_empty() {
        body.unknown("what a picture costs depends on the local model");
    }
    if json.get("context").is_some() {
        body.unknown("the context is given as token ids");
    }
    body
}
