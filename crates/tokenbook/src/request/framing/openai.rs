//! The prompt of OpenAI's chat models: constants per family, found on recorded requests.

use std::borrow::Cow;

use crate::request::PartKind;
use crate::request::body::{Arguments, Block, Body, Choice, Message, Role, Shape};
use crate::request::draft::{Draft, tokens};
use crate::request::json::Json;
use crate::request::media;
use crate::request::model::OpenAi;
use crate::request::tokenizer::Tokenizer;
use crate::request::typescript::{self, answer_schema};

/// Tokens around every message: its start, its role, and its end.
const AROUND_MESSAGE: i64 = 4;

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
    let system = body.messages.first().filter(|message| is_system(message) && !message.blocks.is_empty()).map(text_of);
    let shown = Preamble { system: system.as_deref(), tokenizer, model };
    if !body.tools.is_empty() {
        shown.tools(body, &mut draft);
    }
    shown.schema(body, &mut draft);
    for message in body.messages.iter().filter(|message| body.shape != Shape::Responses || !is_left_out(message)) {
        self::message(message, model, tokenizer, &mut draft);
    }
    if body.shape == Shape::Responses {
        calls_as_items(&body.messages, &mut draft);
    }
    thinking(&body.messages, &mut draft);
    draft
}

/// Corrects for calls that are items of their own: a little more alone, less right after another.
fn calls_as_items(messages: &[Message<'_>], draft: &mut Draft) {
    let mut after_call = false;
    for message in messages {
        let is_call = matches!(message.blocks[..], [Block::Call { .. }]);
        if is_call {
            draft.framing(if after_call { tokens(-5) } else { tokens(1) });
        }
        after_call = is_call;
    }
}

/// Counts the encrypted thinking since the last question; what came before it isn't shown again.
fn thinking(messages: &[Message<'_>], draft: &mut Draft) {
    let question = messages.iter().rposition(|message| message.role == Role::User).map_or(0, |at| at + 1);
    for message in &messages[question..] {
        for block in &message.blocks {
            if let Block::Thinking { signature, .. } = block {
                let length = i64::try_from(*signature).unwrap_or(0);
                // Measured: 0.16 tokens for each character above 820, which hold what isn't thinking.
                draft.part(PartKind::Message, None, message.index, (length - 820).max(0) * 10);
            }
        }
    }
}

fn is_system(message: &Message<'_>) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

/// Whether a message of Responses has nothing that is shown; thinking is a message of its own there.
fn is_left_out(message: &Message<'_>) -> bool {
    message.blocks.iter().all(|block| matches!(block, Block::Thinking { .. }))
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
    /// The tokens of what is added: more or fewer than alone, as its start can join the system message's end.
    fn added(&self, text: &str) -> i64 {
        match self.system {
            Some(system) => self.tokenizer.units(&[system, "\n\n", text].concat()) - self.tokenizer.units(system),
            None => tokens(AROUND_MESSAGE) + self.tokenizer.units(text),
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
        text.push_str("} // namespace functions");
        let (alone, joined) = self.model.around_tools;
        let around = if self.system.is_some() { joined } else { alone };
        draft.framing(self.added(&text) - named + tokens(around));
        match (body.choice, self.model.must_call_named) {
            (Choice::Named(name), Some(around)) => draft.framing(tokens(around) + self.tokenizer.units(name)),
            (Choice::Any, _) => draft.framing(tokens(self.model.must_call)),
            _ => {}
        }
    }

    fn schema(&self, body: &Body<'_>, draft: &mut Draft) {
        let Some(output) = &body.output_schema else { return };
        let mut text = String::from("# Response Formats\n\n## ");
        text.push_str(output.name.unwrap_or_default());
        text.push_str("\n\n");
        answer_schema(output.schema, &mut text);
        let described = output.description.map_or(0, |text| tokens(2) + self.tokenizer.units(text));
        let name = self.tokenizer.units(output.name.unwrap_or_default()) * self.model.schema_name_again;
        let (alone, joined) = self.model.around_schema;
        let around = if self.system.is_some() { joined } else { alone };
        let units = self.added(&text) + described + name + tokens(around);
        draft.part(PartKind::OutputSchema, output.name, None, units);
    }
}

fn message(message: &Message<'_>, model: OpenAi, tokenizer: Tokenizer, draft: &mut Draft) {
    let index = message.index;
    let kind = if is_system(message) { PartKind::System } else { PartKind::Message };
    let answer = if message.role == Role::Assistant { model.around_answer } else { 0 };
    draft.framing(tokens(AROUND_MESSAGE + answer));
    let text = text_of(message);
    if let Some(name) = message.name {
        // The name stands beside the role unless it says the same.
        let beside = if name == role_name(message.role) { 0 } else { tokens(1) };
        draft.part(kind, None, index, beside + tokenizer.units(name));
    }
    if !text.is_empty() {
        draft.part(kind, None, index, tokenizer.units(&text));
    }
    let calls = message.blocks.iter().filter(|block| matches!(block, Block::Call { .. })).count();
    let mut first = true;
    for block in &message.blocks {
        match block {
            Block::Text(_) | Block::Thinking { .. } => {}
            Block::Call { name, arguments } => {
                // Calls made together are wrapped into a call of a tool that makes them in parallel.
                let around = match (calls, first) {
                    (1, _) => 5 + model.around_call,
                    (_, true) => 14 + 9 + model.around_call,
                    _ => 9,
                };
                first = false;
                let units = tokens(around) + tokenizer.units(name) + tokenizer.units(&compact(*arguments));
                draft.part(PartKind::ToolCall, Some(name), index, units);
            }
            Block::Result { name, text } => {
                let caller = name.filter(|_| message.alone).map_or(0, |name| tokenizer.units(name));
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
