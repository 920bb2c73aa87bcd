//! Claude's prompt: constants per family, measured on recorded requests (`xtask/fit`).

use crate::request::PartKind;
use crate::request::body::{Arguments, Block, Body, Choice, Message, Role, Thinking};
use crate::request::draft::{Draft, tokens};
use crate::request::json::{Json, Spacing, quote};
use crate::request::media;
use crate::request::model::Claude;
use crate::request::tokenizer::Tokenizer;
use crate::text::claude::Generation;

/// Tokens around one of several results, which are shown as a list of tools' names and outputs; and around the list.
const AROUND_LISTED_RESULT: i64 = 22;
const AROUND_LIST: i64 = 22;

pub(in crate::request) fn count(body: &Body<'_>, model: Claude) -> Draft {
    let tokenizer = Tokenizer::Claude(model.generation);
    let mut draft = Draft::default();
    draft.framing(model.base(body.has_system()));
    tools(body, model, tokenizer, &mut draft);
    let last_question = last_question(&body.messages);
    for (position, message) in body.messages.iter().enumerate() {
        let loops = position > last_question;
        let listed = results_together(&body.messages, position) > 1;
        blocks(message, model, tokenizer, loops, listed, &mut draft);
        draft.framing(turn(&body.messages, position, model.generation));
        if listed && position > 0 && body.messages[position - 1].role == Role::Assistant {
            draft.framing(tokens(AROUND_LIST));
        }
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

/// How many results are in the messages of the user that follow each other around a place: they are shown as one.
fn results_together(messages: &[Message<'_>], position: usize) -> usize {
    let is_user = |message: &&Message<'_>| message.role == Role::User;
    let (before, after) = messages.split_at(position);
    let together = before.iter().rev().take_while(is_user).chain(after.iter().take_while(is_user));
    let results = |message: &Message<'_>| message.blocks.iter().filter(|b| matches!(b, Block::Result { .. })).count();
    together.map(results).sum()
}

fn blocks(message: &Message<'_>, model: Claude, tokenizer: Tokenizer, loops: bool, listed: bool, draft: &mut Draft) {
    let index = message.index;
    let around = model.calls();
    let keeps_thinking = model.keeps_thinking();
    for (position, block) in message.blocks.iter().enumerate() {
        match block {
            Block::Text(text) => {
                let kind = if message.role == Role::System { PartKind::System } else { PartKind::Message };
                draft.part(kind, None, index, tokenizer.units(text));
            }
            Block::Call { name, arguments, .. } => {
                let first = !message.blocks[..position].iter().any(|block| matches!(block, Block::Call { .. }));
                let units = tokens(if first { around.first } else { around.further })
                    + call(name, *arguments, around.argument, tokenizer);
                draft.part(PartKind::ToolCall, Some(name), index, units);
            }
            Block::Result { name, text, .. } => {
                let around = if listed {
                    tokens(AROUND_LISTED_RESULT) + name.map_or(0, |name| tokenizer.units(name))
                } else {
                    tokens(around.result)
                };
                draft.part(PartKind::ToolResult, *name, index, around + tokenizer.units(text));
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

fn call(name: &str, arguments: Arguments<'_>, around: i64, tokenizer: Tokenizer) -> i64 {
    let fields = |json: &Json<'_>| {
        json.fields()
            .iter()
            .map(|(key, value)| {
                let value = value.str().map_or_else(|| tokenizer.units(&value.spaced()), |text| tokenizer.units(text));
                tokens(around) + tokenizer.units(key) + value
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
            tokens(model.around_tool()) + tokenizer.units(&text),
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

#[cfg(test)]
mod tests {
    use crate::Api;
    use crate::request::{PartKind, RequestCount, count_request};

    fn count(model: &str, rest: &str) -> RequestCount {
        let body = format!(r#"{{"model": "{model}", "max_tokens": 9, {rest}}}"#);
        count_request(Api::AnthropicMessages, body.as_bytes(), None).expect("the body is right")
    }

    fn framing(model: &str, rest: &str) -> u64 {
        count(model, rest).framing_tokens.get()
    }

    const ASKED: &str = r#""messages": [{"role": "user", "content": "Hi"}]"#;
    const TOOL: &str = r#""tools": [{"name": "f", "input_schema": {"type": "object"}}]"#;

    #[test]
    fn any_tool_costs_what_is_documented() {
        for (model, base, auto, any) in [
            ("claude-opus-5", 6, 286, 406),
            ("claude-opus-4-8", 6, 290, 410),
            ("claude-sonnet-5", 6, 354, 474),
            ("claude-opus-4-7", 11, 675, 804),
            ("claude-opus-4-6", 7, 497, 589),
            ("claude-haiku-4-5", 7, 496, 588),
            ("claude-sonnet-4-0", 7, 313, 315),
            ("claude-3-5-haiku-latest", 7, 264, 355),
        ] {
            // In older models a further tool costs a token more than the first.
            let further = u64::from(base == 7);
            assert_eq!(framing(model, ASKED), base, "{model}");
            assert_eq!(framing(model, &format!("{TOOL}, {ASKED}")), base + auto - further, "{model}");
            let any_choice = format!(r#"{TOOL}, "tool_choice": {{"type": "any"}}, {ASKED}"#);
            assert_eq!(framing(model, &any_choice), base + any - further, "{model}");
        }
    }

    #[test]
    fn results_of_calls_made_together_are_listed_by_name_in_one_message_or_more() {
        let call = |id: &str| format!(r#"{{"type": "tool_use", "id": "{id}", "name": "f", "input": {{"k": "v"}}}}"#);
        let result = |id: &str| format!(r#"{{"type": "tool_result", "tool_use_id": "{id}", "content": "x"}}"#);
        let user = |blocks: &[String]| format!(r#"{{"role": "user", "content": [{}]}}"#, blocks.join(","));
        let history = |calls: &[String], answers: &str| {
            let start = r#"{"role": "user", "content": "Hi"}"#;
            let calls = format!(r#"{{"role": "assistant", "content": [{}]}}"#, calls.join(","));
            count("claude-sonnet-4-5", &format!(r#"{TOOL}, "messages": [{start}, {calls}, {answers}]"#))
        };
        let tokens = |count: &RequestCount, kind| {
            count.parts.iter().filter(|part| part.kind == kind).map(|part| part.tokens.get()).collect::<Vec<_>>()
        };
        let one = history(&[call("a")], &user(&[result("a")]));
        assert_eq!(tokens(&one, PartKind::ToolCall), [20 + 1 + 15 + 2]);
        assert_eq!(tokens(&one, PartKind::ToolResult), [20 + 1]);
        let two = [call("a"), call("b")];
        let listed = history(&two, &user(&[result("a"), result("b")]));
        assert_eq!(tokens(&listed, PartKind::ToolCall), [20 + 1 + 15 + 2, 15 + 1 + 15 + 2]);
        assert_eq!(tokens(&listed, PartKind::ToolResult), [22 + 1 + 1; 2]);
        assert_eq!(listed.framing_tokens.get(), one.framing_tokens.get() + 22);
        let apart = history(&two, &[user(&[result("a")]), user(&[result("b")])].join(","));
        assert_eq!(tokens(&apart, PartKind::ToolResult), [22 + 1 + 1; 2]);
        assert_eq!(apart.framing_tokens.get(), listed.framing_tokens.get() + 1);
    }
}
