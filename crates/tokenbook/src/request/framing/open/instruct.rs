//! The prompt of Mistral's models, as the library of their makers writes it: texts, and special tokens around them.
//!
//! Messages of one role that follow each other are one message.

use super::{Prompt, is_system};
use crate::request::PartKind;
use crate::request::body::{Arguments, Block, Body, Message, Role, Tool};
use crate::request::json::{Json, quote};
use crate::request::open::Instruct;

pub(super) fn write<'a>(body: &Body<'a>, version: Instruct, prompt: &mut Prompt<'a>) {
    let turns: Vec<&[Message<'a>]> = body.messages.chunk_by(|one, next| role(one) == role(next)).collect();
    let is_asked = |turn: &&[Message<'a>]| role(&turn[0]) == Role::User;
    let before_first = version < Instruct::V7
        && turns.iter().find(|turn| role(&turn[0]) != Role::System).is_none_or(|turn| !is_asked(turn));
    let questions = || turns.iter().enumerate().filter(|(_, turn)| is_asked(turn)).map(|(at, _)| at);
    let (first, last) = (questions().next(), questions().next_back());
    let instructed = if version >= Instruct::V13 { first } else { last };
    prompt.constant(1);
    if before_first {
        // A question without words, which is the last one where there is no other.
        if last.is_none() {
            tools(body, prompt);
        }
        prompt.constant(1);
        if last.is_none() {
            systems(body, prompt);
        }
        prompt.constant(1);
    }
    for (at, turn) in turns.iter().enumerate() {
        match role(&turn[0]) {
            Role::User => {
                if instructed == Some(at) {
                    tools(body, prompt);
                    settings(body, version, prompt);
                }
                prompt.constant(1);
                if version < Instruct::V7 && last == Some(at) {
                    systems(body, prompt);
                }
                texts(turn, version, prompt);
                prompt.constant(1);
            }
            Role::Assistant => {
                answer(turn, version, prompt);
                // An answer that comes last is there to be gone on with.
                prompt.constant(i64::from(at + 1 < turns.len()));
            }
            Role::Tool => turn.iter().for_each(|message| results(message, version, prompt)),
            Role::System | Role::Developer if version >= Instruct::V7 => {
                for message in *turn {
                    prompt.constant(1);
                    texts(std::slice::from_ref(message), version, prompt);
                    prompt.constant(1);
                }
            }
            Role::System | Role::Developer => {}
        }
    }
}

fn role(message: &Message<'_>) -> Role {
    if is_system(message) { Role::System } else { message.role }
}

/// The tools, which are shown even where the model must not call any.
fn tools<'a>(body: &Body<'a>, prompt: &mut Prompt<'a>) {
    if body.tools.is_empty() {
        return;
    }
    prompt.constant(1);
    for (index, tool) in body.tools.iter().enumerate() {
        prompt.frame(if index == 0 { "[" } else { ", " });
        prompt.part(PartKind::ToolDefinition, Some(tool.name), Some(index), &definition(tool));
    }
    prompt.frame("]");
    prompt.constant(1);
}

fn definition(tool: &Tool<'_>) -> String {
    let mut out = String::from("{\"type\": \"function\", \"function\": {\"name\": ");
    quote(tool.name, &mut out);
    out.push_str(", \"description\": ");
    quote(tool.description.unwrap_or_default(), &mut out);
    out.push_str(", \"parameters\": ");
    out.push_str(&tool.schema.map_or_else(|| "{}".to_owned(), Json::spaced));
    out.push_str("}}");
    out
}

/// How much effort to make, which newer models are told.
fn settings<'a>(body: &Body<'a>, version: Instruct, prompt: &mut Prompt<'a>) {
    if version >= Instruct::V15 {
        prompt.constant(1);
        let effort = if body.effort { "high" } else { "none" };
        prompt.frame(&format!("{{\"reasoning_effort\": \"{effort}\"}}"));
        prompt.constant(1);
    }
}

/// All system prompts, before the last question.
fn systems<'a>(body: &Body<'a>, prompt: &mut Prompt<'a>) {
    let mut is_first = true;
    for message in body.messages.iter().filter(|message| is_system(message) && !message.blocks.is_empty()) {
        prompt.frame(if is_first { "" } else { "\n\n" });
        is_first = false;
        texts(std::slice::from_ref(message), Instruct::V3, prompt);
    }
    prompt.frame(if is_first { "" } else { "\n\n" });
}

/// The texts of a turn as one.
fn texts<'a>(turn: &[Message<'a>], version: Instruct, prompt: &mut Prompt<'a>) {
    let mut between = "";
    for message in turn {
        let mut own = String::new();
        for block in &message.blocks {
            let Block::Text(text) = block else { continue };
            if !text.is_empty() {
                own.push_str(if own.is_empty() { "" } else { between_blocks(version) });
                own.push_str(text);
            }
        }
        if !own.is_empty() {
            prompt.frame(between);
            between = "\n\n";
            let kind = if is_system(message) { PartKind::System } else { PartKind::Message };
            prompt.part(kind, None, message.index, &own);
        }
    }
}

/// What is put between two texts of a message.
fn between_blocks(version: Instruct) -> &'static str {
    if version >= Instruct::V15 { "" } else { "\n\n" }
}

fn answer<'a>(turn: &[Message<'a>], version: Instruct, prompt: &mut Prompt<'a>) {
    let has_thoughts = turn.iter().flat_map(|message| &message.blocks).any(Block::is_thinking);
    if has_thoughts {
        thoughts_and_texts(turn, version, prompt);
    } else {
        // Spaces at the end of an answer aren't shown.
        texts(turn, version, prompt);
        prompt.trim_spaces();
    }
    let calls = || {
        turn.iter().flat_map(|message| {
            message.blocks.iter().filter_map(|block| match block {
                Block::Call { name, arguments, id } => Some((message.index, *name, *arguments, *id)),
                _ => None,
            })
        })
    };
    if version >= Instruct::V11 {
        for (index, name, arguments, id) in calls() {
            prompt.constant(1);
            prompt.part(PartKind::ToolCall, Some(name), index, name);
            if let Some(id) = id.filter(|id| version < Instruct::V13 && is_told(id)) {
                prompt.constant(1);
                prompt.frame(id);
            }
            prompt.constant(1);
            prompt.part(PartKind::ToolCall, Some(name), index, &given(arguments));
        }
    } else if calls().next().is_some() {
        prompt.constant(1);
        for (at, (index, name, arguments, id)) in calls().enumerate() {
            prompt.frame(if at == 0 { "[" } else { ", " });
            let mut call = String::from("{\"name\": ");
            quote(name, &mut call);
            call.push_str(", \"arguments\": ");
            call.push_str(&given(arguments));
            if let Some(id) = id.filter(|id| is_told(id)) {
                call.push_str(", \"id\": ");
                quote(id, &mut call);
            }
            call.push('}');
            prompt.part(PartKind::ToolCall, Some(name), index, &call);
        }
        prompt.frame("]");
    }
}

/// An answer with the thinking before it, each between tokens of its own.
fn thoughts_and_texts<'a>(turn: &[Message<'a>], version: Instruct, prompt: &mut Prompt<'a>) {
    // What was written last, if it was a text.
    let mut behind: Option<Option<usize>> = None;
    for message in turn {
        for blocks in message.blocks.chunk_by(|one, next| one.is_thinking() && next.is_thinking()) {
            if blocks[0].is_thinking() {
                prompt.constant(1);
                for block in blocks {
                    if let Block::Thinking { text, .. } = block {
                        prompt.part(PartKind::Message, None, message.index, text);
                    }
                }
                prompt.constant(1);
                behind = None;
            }
            if let [Block::Text(text)] = blocks
                && !text.is_empty()
            {
                prompt.frame(match behind {
                    None => "",
                    Some(index) if index == message.index => between_blocks(version),
                    Some(_) => "\n\n",
                });
                prompt.part(PartKind::Message, None, message.index, text);
                behind = Some(message.index);
            }
        }
    }
}

/// Whether an id is one.
fn is_told(id: &str) -> bool {
    !id.is_empty() && id != "null"
}

/// The arguments of a call, read and written anew; what can't be read is a text.
fn given(arguments: Arguments<'_>) -> String {
    match arguments {
        Arguments::Object(json) => json.spaced(),
        Arguments::Text("") => "{}".to_owned(),
        Arguments::Text(text) => anew(text),
    }
}

/// A text as JSON: as what it says, or in quotes.
fn anew(text: &str) -> String {
    serde_json::from_str::<Json<'_>>(text).map_or_else(
        |_| {
            let mut quoted = String::new();
            quote(text, &mut quoted);
            quoted
        },
        |json| json.spaced(),
    )
}

fn results<'a>(message: &Message<'a>, version: Instruct, prompt: &mut Prompt<'a>) {
    for block in &message.blocks {
        let Block::Result { name, text, id } = block else { continue };
        let id = id.unwrap_or("null");
        prompt.constant(1);
        if version < Instruct::V7 {
            let mut result = String::from("{\"content\": ");
            result.push_str(&if text.is_empty() { "{}".to_owned() } else { anew(text) });
            result.push_str(", \"call_id\": ");
            quote(id, &mut result);
            result.push('}');
            prompt.part(PartKind::ToolResult, *name, message.index, &result);
        } else {
            if version < Instruct::V13 {
                prompt.frame(id);
                prompt.constant(1);
            }
            prompt.part(PartKind::ToolResult, *name, message.index, text);
        }
        prompt.constant(1);
    }
}
