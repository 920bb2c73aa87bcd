//! The prompt of OpenAI's chat models: constants per family, found on recorded requests.

use std::borrow::Cow;

use crate::request::PartKind;
use crate::request::body::{Arguments, Block, Body, Choice, Message, Role, Shape};
use crate::request::draft::{Draft, tokens};
use crate::request::json::{Json, Spacing, quote_ascii};
use crate::request::media;
use crate::request::model::OpenAi;
use crate::request::tokenizer::Tokenizer;
use crate::request::typescript::{self, answer_schema};

/// Tokens around calls made together, which are one call of a tool that makes them in parallel.
const AROUND_PARALLEL_CALLS: i64 = 12;

pub(in crate::request) fn count(body: &Body<'_>, model: OpenAi) -> Draft {
    let model = if body.shape == Shape::Responses { model.in_responses() } else { model };
    let tokenizer = Tokenizer::Exact(model.encoding);
    let mut draft = Draft::default();
    if body.shape == Shape::Text {
        for message in &body.messages {
            draft.part(PartKind::Message, None, message.index, tokenizer.units(&text_of(message)));
        }
        return draft;
    }
    draft.framing(tokens(model.base));
    // In Responses it isn't the system message that tools and schemas join.
    let first = body.messages.first().filter(|_| body.shape != Shape::Responses);
    let system = first.filter(|message| is_system(message) && !message.blocks.is_empty()).map(text_of);
    let shown = Preamble { system: system.as_deref(), tokenizer, model };
    if !body.tools.is_empty() {
        shown.tools(body, &mut draft);
    }
    shown.schema(body, &mut draft);
    let is_shown = |message: &&Message<'_>| body.shape != Shape::Responses || !is_left_out(message);
    let mut messages = body.messages.iter().filter(is_shown).peekable();
    while let Some(message) = messages.next() {
        if message.role == Role::Tool && !message.alone {
            let mut together = vec![message];
            while let Some(next) = messages.next_if(|next| next.role == Role::Tool && !next.alone) {
                together.push(next);
            }
            parallel_results(&together, model, tokenizer, &mut draft);
        } else {
            self::message(message, model, tokenizer, &mut draft);
            if message.role == Role::Assistant && !has_call(message) {
                draft.framing(shown.addressee(body));
            }
        }
    }
    if body.shape == Shape::Responses {
        calls_as_items(&body.messages, model, &mut draft);
    }
    for (index, signature) in thinking(&body.messages) {
        let length = i64::try_from(signature).unwrap_or(0);
        // Measured: 0.13 to 0.18 tokens for each character above 820, which hold what isn't thinking; counted is what is sure.
        draft.part(PartKind::Message, None, index, (length - 820).max(0) * 9);
    }
    draft
}

/// Whether the request has encrypted thinking that is shown to the model again.
pub(in crate::request) fn has_hidden_thinking(body: &Body<'_>, model: OpenAi) -> bool {
    let is_encrypted = |block: &Block<'_>| matches!(block, Block::Thinking { signature: 1.., .. });
    thinking(&body.messages).next().is_some()
        || model.keeps_thinking && body.messages.iter().any(|message| message.blocks.iter().any(is_encrypted))
}

fn has_call(message: &Message<'_>) -> bool {
    message.blocks.iter().any(|block| matches!(block, Block::Call { .. }))
}

/// Corrects for calls that are items of their own: a little more alone, less right after another.
fn calls_as_items(messages: &[Message<'_>], model: OpenAi, draft: &mut Draft) {
    let mut after_call = false;
    for message in messages {
        let is_call = matches!(message.blocks[..], [Block::Call { .. }]);
        if is_call {
            let without_id = if message.is_kept { 0 } else { model.without_id };
            draft.framing(tokens(without_id + if after_call { -5 } else { 1 }));
        }
        after_call = is_call;
    }
}

/// The encrypted thinking since the last question, by its place and its length; what came before it isn't shown again.
fn thinking<'a>(messages: &'a [Message<'_>]) -> impl Iterator<Item = (Option<usize>, usize)> + 'a {
    let question = messages.iter().rposition(|message| message.role == Role::User).map_or(0, |at| at + 1);
    messages[question..].iter().flat_map(|message| {
        let length = |block: &Block<'_>| match block {
            Block::Thinking { signature, .. } if *signature > 0 => Some(*signature),
            _ => None,
        };
        message.blocks.iter().filter_map(move |block| Some((message.index, length(block)?)))
    })
}

fn is_system(message: &Message<'_>) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// Whether a message of Responses has nothing that is shown; thinking is a message of its own there.
fn is_left_out(message: &Message<'_>) -> bool {
    message.blocks.iter().all(Block::is_thinking)
}

/// The text of a message; its pieces are joined without anything between them.
fn text_of<'a>(message: &Message<'a>) -> Cow<'a, str> {
    let mut texts =
        message.blocks.iter().filter_map(|block| if let Block::Text(text) = block { Some(*text) } else { None });
    match (texts.next(), texts.next()) {
        (Some(text), None) => Cow::Borrowed(text),
        (None, _) => Cow::Borrowed(""),
        (Some(first), Some(second)) => Cow::Owned(first.to_owned() + second + &texts.collect::<String>()),
    }
}

/// What is added to the system message, or makes one where there is none.
struct Preamble<'a> {
    system: Option<&'a str>,
    tokenizer: Tokenizer,
    model: OpenAi,
}

impl Preamble<'_> {
    /// The tokens of what is added: more or fewer than alone, as its start can join the end of what is before it.
    fn added(&self, before: Option<&str>, text: &str) -> i64 {
        match before {
            Some(before) => {
                let end = last_words(before);
                self.tokenizer.units(&[end, "\n\n", text].concat()) - self.tokenizer.units(end)
            }
            None => tokens(self.model.around_message) + self.tokenizer.units(text),
        }
    }

    fn tools(&self, body: &Body<'_>, draft: &mut Draft) {
        let mut text = String::from("namespace functions {\n\n");
        let mut named = 0;
        for (index, tool) in body.tools.iter().enumerate() {
            let start = text.len();
            typescript::define(tool, self.model.style, &mut text);
            let units = self.tokenizer.units(&text[start..]);
            named += units;
            draft.part(PartKind::ToolDefinition, Some(tool.name), Some(index), units);
        }
        text.push_str(TOOLS_END);
        let (alone, joined) = self.model.around_tools;
        let around = if self.system.is_some() { joined } else { alone };
        draft.framing(self.added(self.system, &text) - named + tokens(around));
        match (body.choice, self.model.must_call_named) {
            (Choice::Named(name), Some(around)) => draft.framing(tokens(around) + addressed(self.tokenizer, name)),
            (Choice::Any, _) => draft.framing(tokens(self.model.must_call)),
            (Choice::None, _) => draft.framing(tokens(self.model.must_not_call)),
            _ => {}
        }
    }

    /// What an answer costs more that is written to a schema without any tools: it is addressed to the schema's name.
    fn addressee(&self, body: &Body<'_>) -> i64 {
        match &body.output_schema {
            Some(output) if body.tools.is_empty() && self.model.addresses_schema => {
                tokens(2) + self.tokenizer.units(output.name.unwrap_or_default())
            }
            _ => 0,
        }
    }

    fn schema(&self, body: &Body<'_>, draft: &mut Draft) {
        let Some(output) = &body.output_schema else { return };
        let mut text = String::from("# Response Formats\n\n## ");
        text.push_str(output.name.unwrap_or_default());
        text.push_str("\n\n");
        if let Some(description) = output.description {
            text.extend(["// ", description, "\n"]);
        }
        answer_schema(output.schema, &mut text);
        let (alone, joined) = self.model.around_schema;
        let (before, around) = match self.system {
            _ if !body.tools.is_empty() => (Some(TOOLS_END), self.model.around_schema_after_tools),
            None => (None, alone),
            system => (system, joined),
        };
        let units = self.added(before, &text) + tokens(around) + self.addressee(body);
        draft.part(PartKind::OutputSchema, output.name, None, units);
    }
}

/// The end of a text from a place on that no token of either encoding crosses: a space between two letters, which starts a
/// word. What follows the text can't change the tokens before it.
fn last_words(text: &str) -> &str {
    let bytes = text.as_bytes();
    let is_start = |at: &usize| {
        bytes[*at] == b' '
            && bytes[..*at].last().is_some_and(u8::is_ascii_lowercase)
            && bytes.get(at + 1).is_some_and(u8::is_ascii_lowercase)
    };
    // The word is kept off the end, where letters may follow it.
    (1..bytes.len()).rev().find(is_start).map_or(text, |at| &text[at..])
}

/// The tokens of a tool's name where a message is addressed to it: `functions.name`, less what is before the name.
fn addressed(tokenizer: Tokenizer, name: &str) -> i64 {
    tokenizer.units(&[".", name].concat())
}

/// What ends the definitions of tools.
const TOOLS_END: &str = "} // namespace functions";

fn message(message: &Message<'_>, model: OpenAi, tokenizer: Tokenizer, draft: &mut Draft) {
    let index = message.index;
    let kind = if is_system(message) { PartKind::System } else { PartKind::Message };
    let answer = if message.role == Role::Assistant { model.around_answer } else { 0 };
    draft.framing(tokens(model.around_message + answer));
    let text = text_of(message);
    if let Some(name) = message.name {
        // The name stands beside the role unless it says the same.
        let beside = if name == role_name(message.role) { 0 } else { tokens(1) };
        draft.part(kind, None, index, beside + tokenizer.units(name));
    }
    if !text.is_empty() {
        draft.part(kind, None, index, tokenizer.units(&text));
    }
    let calls: Vec<_> = message.blocks.iter().filter_map(call_of).collect();
    match calls[..] {
        [] => {}
        [(name, arguments)] => {
            let units = addressed(tokenizer, name) + tokenizer.units(&compact(arguments));
            draft.part(PartKind::ToolCall, Some(name), index, tokens(5 + model.around_call) + units);
        }
        _ => parallel_calls(&calls, index, model, tokenizer, draft),
    }
    for block in &message.blocks {
        match block {
            Block::Text(_) | Block::Thinking { .. } | Block::Call { .. } => {}
            Block::Result { name, text, .. } => {
                let caller = match name {
                    Some(name) if message.alone && message.is_kept => tokenizer.units(name),
                    Some(name) if message.alone => addressed(tokenizer, name),
                    _ => 0,
                };
                draft.part(PartKind::ToolResult, *name, index, caller + tokenizer.units(text));
            }
            Block::Image(image) => {
                let (base, tile) = model.picture;
                let units = match image.size {
                    Some(size) if !image.low_detail => media::tiled_tokens(size, base, tile),
                    _ => base,
                };
                draft.part(PartKind::Image, None, index, tokens(units.cast_signed()));
            }
            Block::Document => draft.part(PartKind::Document, None, index, 0),
        }
    }
}

fn call_of<'a>(block: &Block<'a>) -> Option<(&'a str, Arguments<'a>)> {
    if let Block::Call { name, arguments, .. } = block { Some((name, *arguments)) } else { None }
}

/// Calls made together are shown as one call of a tool that makes them in parallel.
fn parallel_calls(
    calls: &[(&str, Arguments<'_>)],
    index: Option<usize>,
    model: OpenAi,
    tokenizer: Tokenizer,
    draft: &mut Draft,
) {
    let shown = |(name, arguments): &(&str, Arguments<'_>)| {
        [r#"{"recipient_name":"functions."#, name, r#"","parameters":"#, &compact(*arguments), "}"].concat()
    };
    let texts: Vec<String> = calls.iter().map(shown).collect();
    let mut apart = 0;
    for ((name, _), text) in calls.iter().zip(&texts) {
        let units = tokenizer.units(text);
        apart += units;
        draft.part(PartKind::ToolCall, Some(name), index, units);
    }
    let whole = tokenizer.units(&[r#"{"tool_uses":["#, &texts.join(","), "]}"].concat());
    draft.framing(whole - apart + tokens(AROUND_PARALLEL_CALLS + model.around_call));
}

/// The answers to calls made together are shown as one list in JSON.
fn parallel_results(messages: &[&Message<'_>], model: OpenAi, tokenizer: Tokenizer, draft: &mut Draft) {
    let mut list = String::from("[");
    let mut apart = 0;
    for message in messages {
        for block in &message.blocks {
            let Block::Result { name, text, .. } = block else { continue };
            if list.len() > 1 {
                list.push_str(", ");
            }
            let start = list.len();
            match serde_json::from_str::<Json<'_>>(text) {
                Ok(json @ (Json::Object(_) | Json::Array(_))) => json.write(&mut list, Spacing::SpacedAscii),
                _ => quote_ascii(text, &mut list),
            }
            let units = tokenizer.units(&list[start..]);
            apart += units;
            draft.part(PartKind::ToolResult, *name, message.index, units);
        }
    }
    list.push(']');
    draft.framing(tokenizer.units(&list) - apart + tokens(model.around_message));
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Developer => "developer",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    }
}

/// Arguments are shown without spaces, however the model wrote them.
fn compact(arguments: Arguments<'_>) -> Cow<'_, str> {
    match arguments {
        Arguments::Object(json) => Cow::Owned(json.compact()),
        Arguments::Text(text) => {
            serde_json::from_str::<Json<'_>>(text).map_or(Cow::Borrowed(text), |json| Cow::Owned(json.compact()))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::Encoding;

    proptest! {
        #[test]
        fn what_is_added_counts_the_same_behind_the_last_words(
            before in "([a-zA-Z ,.'\n1é漢]|[a-z]{1,8} ){0,40}", text in "\\PC{0,12}",
        ) {
            for encoding in [Encoding::O200kBase, Encoding::Cl100kBase] {
                let units = |text: &str| Tokenizer::Exact(encoding).units(text);
                let added = |before: &str| units(&[before, "\n\n", &text].concat()) - units(before);
                prop_assert_eq!(added(&before), added(last_words(&before)), "{:?}", before);
            }
        }
    }
}
