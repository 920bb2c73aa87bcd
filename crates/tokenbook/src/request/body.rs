//! A request body of any provider, read into one shape.

use std::borrow::Cow;

use super::json::Json;
use super::media::Image;
use crate::quantity::Count;

/// What of a request the model reads.
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of a request")]
#[derive(Debug, Default)]
pub(super) struct Body<'a> {
    pub(super) model: Option<Cow<'a, str>>,
    pub(super) messages: Vec<Message<'a>>,
    pub(super) tools: Vec<Tool<'a>>,
    pub(super) choice: Choice<'a>,
    /// Whether the caller forbade parallel tool calls.
    pub(super) one_call_at_a_time: bool,
    pub(super) shape: Shape,
    pub(super) output_schema: Option<OutputSchema<'a>>,
    pub(super) thinking: Thinking,
    /// Whether the caller set how much effort to make; on other servers than Anthropic's, a high one.
    pub(super) effort: bool,
    /// Whether the caller switched thinking off by the setting of a server that speaks OpenAI's format.
    pub(super) thinks_not: bool,
    /// Whether that was said to the template itself, which every server hands on.
    pub(super) thinks_not_by_template: bool,
    /// Whether the server writes prompts by templates of its own.
    pub(super) own_template: bool,
    /// The most output tokens that the request allows.
    pub(super) max_output: Option<Count>,
    /// Why the request holds more than can be seen offline.
    pub(super) unknown: Vec<&'static str>,
    /// Tools the provider defines: their type.
    pub(super) provider_tools: Vec<Cow<'a, str>>,
}

/// What a body is made of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Messages.
    #[default]
    Chat,
    /// The items of OpenAI's Responses, whose framing differs.
    Responses,
    /// Mere text.
    Text,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) role: Role,
    pub(super) name: Option<&'a str>,
    /// Where the message is in the body's list; absent for a system prompt outside of it.
    pub(super) index: Option<usize>,
    pub(super) blocks: Vec<Block<'a>>,
    /// The thinking behind an answer, on servers that speak OpenAI's format.
    pub(super) reasoning: Option<&'a str>,
    /// Whether a tool's answer is to a call that was made alone.
    pub(super) alone: bool,
    /// Whether a call, or the one that is answered, is an item with the id that the provider gave it (Responses).
    pub(super) is_kept: bool,
}

#[derive(Debug)]
pub(super) enum Block<'a> {
    Text(&'a str),
    Call {
        name: &'a str,
        arguments: Arguments<'a>,
        id: Option<&'a str>,
    },
    /// What a tool answered, with the name of the tool where it's known.
    Result {
        name: Option<&'a str>,
        text: Cow<'a, str>,
        /// The id of the call.
        id: Option<&'a str>,
    },
    /// The model's thinking: its text as returned, and the length of what encrypts the whole.
    Thinking {
        text: &'a str,
        signature: usize,
    },
    Image(Image),
    Document,
}

impl Block<'_> {
    pub(super) fn is_thinking(&self) -> bool {
        matches!(self, Self::Thinking { .. })
    }
}

/// The arguments of a call: as an object, or as the text that the model wrote.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arguments<'a> {
    Object(&'a Json<'a>),
    Text(&'a str),
}

#[derive(Debug, Default)]
pub(super) struct Tool<'a> {
    pub(super) name: &'a str,
    pub(super) description: Option<&'a str>,
    pub(super) schema: Option<&'a Json<'a>>,
    /// Whether the schema is JSON Schema rather than Google's own.
    pub(super) is_json_schema: bool,
    /// The schema of what it answers (Google).
    pub(super) response: Option<&'a Json<'a>>,
}

/// Which tools the model may or must call.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) enum Choice<'a> {
    #[default]
    Auto,
    None,
    Any,
    Named(&'a str),
}

#[derive(Debug)]
pub(super) struct OutputSchema<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) description: Option<&'a str>,
    pub(super) schema: &'a Json<'a>,
}

/// The thinking setting of a request.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Thinking {
    #[default]
    Unset,
    Enabled,
    Adaptive,
    Disabled,
}

impl<'a> Body<'a> {
    /// Notes why the count can only be a lower bound, once.
    pub(super) fn unknown(&mut self, reason: &'static str) {
        if !self.unknown.contains(&reason) {
            self.unknown.push(reason);
        }
    }

    /// The name of the tool of a call, looked up by the id that its result carries.
    pub(super) fn message(&mut self, role: Role, index: Option<usize>, blocks: Vec<Block<'a>>) {
        self.messages.push(Message { role, name: None, index, blocks, reasoning: None, alone: true, is_kept: true });
    }

    pub(super) fn has_system(&self) -> bool {
        self.messages.iter().any(|message| matches!(message.role, Role::System | Role::Developer))
    }
}
