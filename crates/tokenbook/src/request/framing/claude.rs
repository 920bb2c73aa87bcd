//! Claude's prompt: constants per family, measured on recorded requests (`xtask/fit`).

use crate::request::PartKind;
use crate::request::body::{Arguments, Block, Body, Choice, Message, Role, Thinking};
use crate::request::draft::{Draft, tokens};
use crate::request::json::{Json, Spacing, quote};
use crate::request::media;
use crate::request::model::Claude;
use crate::request::tokenizer::Tokenizer;
use crate::text::claude::Generation;

/// Tokens around the rendering of one tool.
const AROUND_TOOL: i64 = 8;

pub(in crate::request) fn count(body: &Body<'_>, model: Claude) -> Draft {
    let tokenizer = Tokenizer::Claude(model.generation);
    let mut draft = Draft::default();
    draft.framing(model.base(body.has_system()));
    tools(body, model, tokenizer, &mut draft);
    let last_question = last_question(&body.messages);
    for (position, message) in body.messages.iter().enumerate() {
        let loops = position > last_question;
        blocks(message, model, tokenizer, loops, &mut draft);
        draft.framing(turn(&body.messages, position, model.generation));
    }
    if let Some(output) = &body.output_schema {
        let text = output.schema.spaced();
        draft.part(PartKind::OutputSchema, None, None, model.output_schema(tokenizer.units(&text)));
    }
    draft.framing(tokens(match body.thinking {
        Thinking::Enabled => 28,
        Thinking::Adaptive if body.effort && body.tools.is_empty() => model.effort(),
        _ => 0,
    }));
    draft
}

/// What separates a message from the one before it.
fn turn(messages: &[Message<'_>], position: usize, generation: Generation) -> i64 {
    let (before, role) = match (position.checked_sub(1).map(|before| &messages[before]), messages[position].role) {
        (Some(before), role) if before.role != Role::System => (before.role, role),
        _ => return 0,
    };
    match (before, role) {
        // An answer that is followed by a new question; a last one is the start of the reply and costs nothing.
        (Role::Assistant, Role::User) => match generation {
            Generation::Old if messages[position].blocks.iter().any(|b| matches!(b, Block::Result { .. })) => tokens(5),
            Generation::Old => tokens(7),
            Generation::New => tokens(6),
        },
        (before, role) if before == role => tokens(1),
        _ => 0,
    }
}

/// Where the last message is that asks something, not only answers a tool call.
fn last_question(messages: &[Message<'_>]) -> usize {
    let asks = |message: &Message<'_>| {
        message.role == Role::User
            && message.blocks.iter().any(|block| matches!(block, Block::Text(_) | Block::Image(_)))
    };
    messages.iter().rposition(asks).unwrap_or(0)
}

/// Whether the request has thinking that is shown to the model again, but whose text was left out of the answer.
pub(in crate::request) fn has_hidden_thinking(body: &Body<'_>, model: Claude) -> bool {
    let shown_from = if model.keeps_thinking() { 0 } else { last_question(&body.messages) + 1 };
    let is_hidden = |block: &Block<'_>| matches!(block, Block::Thinking { text: "", .. });
    body.messages.iter().skip(shown_from).any(|message| message.blocks.iter().any(is_hidden))
}

fn blocks(message: &Message<'_>, model: Claude, tokenizer: Tokenizer, loops: bool, draft: &mut Draft) {
    let index = message.index;
    let keeps_thinking = model.keeps_thinking();
    for (position, block) in message.blocks.iter().enumerate() {
        match block {
            Block::Text(text) => {
                let kind = if message.role == Role::System { PartKind::System } else { PartKind::Message };
                draft.part(kind, None, index, tokenizer.units(text));
            }
            Block::Call { name, arguments } => {
                let first = !message.blocks[..position].iter().any(|block| matches!(block, Block::Call { .. }));
                let around = tokens(if first { 20 } else { model.further_call() });
                draft.part(PartKind::ToolCall, Some(name), index, around + call(name, *arguments, tokenizer));
            }
            Block::Result { name, text } => {
                draft.part(PartKind::ToolResult, *name, index, tokens(20) + tokenizer.units(text));
            }
            Block::Thinking { text, signature } if loops || keeps_thinking => {
                let units = if text.is_empty() {
                    // Its length tells how long the thinking was that isn't shown.
                    (i64::try_from(*signature).unwrap_or(0) - 230).max(0) * 26
                } else if loops {
                    tokenizer.units(text)
                } else {
                    // The text returned is a summary; kept thinking is counted in full.
                    tokenizer.units(text) * 5 / 4
                };
                draft.part(PartKind::Message, None, index, tokens(8) + units);
            }
            Block::Thinking { .. } => {}
            Block::Image(image) => {
                let units = image.size.map_or(0, |size| media::claude_tokens(size).cast_signed());
                draft.part(PartKind::Image, None, index, tokens(units));
            }
            Block::Document => draft.part(PartKind::Document, None, index, 0),
        }
    }
}

fn call(name: &str, arguments: Arguments<'_>, tokenizer: Tokenizer) -> i64 {
    let fields = |json: &Json<'_>| {
        json.fields()
            .iter()
            .map(|(key, value)| {
                let value = value.str().map_or_else(|| tokenizer.units(&value.spaced()), |text| tokenizer.units(text));
                tokens(15) + tokenizer.units(key) + value
            })
            .sum::<i64>()
    };
    tokenizer.units(name)
        + match arguments {
            Arguments::Object(json) => fields(json),
            Arguments::Text(text) => {
                serde_json::from_str::<Json<'_>>(text).map_or_else(|_| tokenizer.units(text), |json| fields(&json))
            }
        }
}

fn tools(body: &Body<'_>, model: Claude, tokenizer: Tokenizer, draft: &mut Draft) {
    if body.tools.is_empty() && body.provider_tools.is_empty() {
        return;
    }
    draft.framing(tokens(model.tools(body.choice, body.one_call_at_a_time, body.has_system())));
    if let Choice::Named(name) = body.choice {
        draft.framing(tokenizer.units(name));
    }
    let mut text = String::new();
    for (index, tool) in body.tools.iter().enumerate() {
        text.clear();
        text.push('{');
        if let Some(description) = tool.description {
            text.push_str("\"description\": ");
            quote(description, &mut text);
            text.push_str(", ");
        }
        text.push_str("\"name\": ");
        quote(tool.name, &mut text);
        text.push_str(", \"parameters\": ");
        match tool.schema {
            Some(schema) => schema.write(&mut text, Spacing::Spaced),
            None => text.push_str("{}"),
        }
        text.push('}');
        draft.part(
            PartKind::ToolDefinition,
            Some(tool.name),
            Some(index),
            tokens(AROUND_TOOL) + tokenizer.units(&text),
        );
    }
    for kind in &body.provider_tools {
        // Source: measured, above the constant for any tool at all; what runs at the provider isn't known.
        let cost = match kind.as_ref() {
            "bash" => 308,
            "text_editor" => 711,
            "memory" => 1_044,
            "computer" => 1_275,
            "code_execution" => 1_300,
            _ => 0,
        };
        draft.part(PartKind::ToolDefinition, Some(kind), None, tokens(cost));
    }
}
