//! The prompt of models whose template is public, written out: text between special tokens, which are one token each.
//!
//! Of the sentences that a template adds only the number of tokens is held.

mod harmony;
mod instruct;

use crate::request::PartKind;
use crate::request::body::{Arguments, Block, Body, Choice, Message, Role, Tool};
use crate::request::draft::{Draft, tokens};
use crate::request::json::{Json, quote};
use crate::request::open::{Open, Template};
use crate::request::tokenizer::Tokenizer;

pub(in crate::request) fn count(body: &Body<'_>, model: Open) -> Draft {
    let mut prompt = Prompt {
        tokenizer: Tokenizer::Exact(model.encoding),
        special: model.template.special(),
        draft: Draft::default(),
        run: String::new(),
        marks: Vec::new(),
    };
    match model.template {
        Template::DeepseekV3 { marked } => deepseek(body, marked, &mut prompt),
        Template::DeepseekV4 => {
            if body.effort && !body.thinks_not {
                // What it is told of how much effort to make.
                prompt.constant(79);
            }
            deepseek(body, true, &mut prompt);
        }
        Template::Harmony(server) => harmony::write(body, server, &mut prompt),
        Template::Mistral(version) => instruct::write(body, version, &mut prompt),
        Template::KimiK2 => kimi(body, true, &mut prompt),
        Template::KimiK25 => kimi(body, false, &mut prompt),
        template => qwen(body, template, &mut prompt),
    }
    prompt.flush();
    if let Some(output) = &body.output_schema
        && !prompt.draft.has(PartKind::OutputSchema)
    {
        prompt.draft.part(PartKind::OutputSchema, output.name, None, 0);
    }
    prompt.draft
}

/// A prompt while it is written: what stands between two special tokens is counted as one text.
struct Prompt<'a> {
    tokenizer: Tokenizer,
    special: &'static [&'static str],
    draft: Draft,
    run: String,
    marks: Vec<Mark<'a>>,
}

/// A part of the request within the run.
struct Mark<'a> {
    kind: PartKind,
    name: Option<&'a str>,
    index: Option<usize>,
    start: usize,
    end: usize,
}

impl<'a> Prompt<'a> {
    /// So many tokens that no text before or behind them changes.
    fn constant(&mut self, count: i64) {
        self.flush();
        self.draft.framing(tokens(count));
    }

    /// Text that belongs to no part.
    fn frame(&mut self, text: &str) {
        self.run.push_str(text);
    }

    fn part(&mut self, kind: PartKind, name: Option<&'a str>, index: Option<usize>, text: &str) {
        let start = self.run.len();
        self.run.push_str(text);
        self.marks.push(Mark { kind, name, index, start, end: self.run.len() });
    }

    /// Takes spaces off the end of the run.
    fn trim_spaces(&mut self) {
        self.run.truncate(self.run.trim_end_matches(' ').len());
        for mark in &mut self.marks {
            (mark.start, mark.end) = (mark.start.min(self.run.len()), mark.end.min(self.run.len()));
        }
    }

    /// The cost of a text, in which servers see special tokens wherever they are written.
    fn units(&self, text: &str) -> i64 {
        let (mut total, mut from) = (0, 0);
        for (at, _) in text.match_indices('<') {
            let special = self.special.iter().find(|special| text[at..].starts_with(**special));
            if let Some(special) = special.filter(|_| at >= from) {
                total += self.tokenizer.units(&text[from..at]) + tokens(1);
                from = at + special.len();
            }
        }
        total + self.tokenizer.units(&text[from..])
    }

    fn flush(&mut self) {
        if self.run.is_empty() {
            self.marks.clear();
            return;
        }
        let mut rest = self.units(&self.run);
        let marks = std::mem::take(&mut self.marks);
        let only = marks.len() == 1;
        for mark in marks {
            // The text is long and what is around it short, so where there is one text it is counted once.
            let own = if only {
                let around = self.units(&self.run[..mark.start]) + self.units(&self.run[mark.end..]);
                rest - around.min(rest)
            } else {
                self.units(&self.run[mark.start..mark.end])
            };
            self.draft.part(mark.kind, mark.name, mark.index, own);
            rest -= own;
        }
        self.draft.framing(rest);
        self.run.clear();
    }

    /// The texts of a message.
    fn texts(&mut self, message: &Message<'a>, trimmed: bool) {
        let kind = if is_system(message) { PartKind::System } else { PartKind::Message };
        self.part(kind, None, message.index, &text_of(message, trimmed));
    }
}

/// The tools that are shown: none where the model must not call any.
fn tools_of<'b, 'a>(body: &'b Body<'a>) -> &'b [Tool<'a>] {
    if body.choice == Choice::None { &[] } else { &body.tools }
}

fn is_system(message: &Message<'_>) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}

fn text_of(message: &Message<'_>, trimmed: bool) -> String {
    let texts =
        message.blocks.iter().filter_map(|block| if let Block::Text(text) = block { Some(*text) } else { None });
    let text: String = texts.collect();
    if trimmed { text.trim().to_owned() } else { text }
}

/// A definition as servers hand it to a template.
fn definition(tool: &Tool<'_>, wrapped: bool) -> String {
    let mut out =
        String::from(if wrapped { "{\"type\": \"function\", \"function\": {\"name\": " } else { "{\"name\": " });
    quote(tool.name, &mut out);
    if let Some(description) = tool.description {
        out.push_str(", \"description\": ");
        quote(description, &mut out);
    }
    if let Some(schema) = tool.schema {
        out.push_str(", \"parameters\": ");
        out.push_str(&schema.spaced());
    }
    out.push_str(if wrapped { "}}" } else { "}" });
    out
}

/// Calls `each` with the name and the text of every argument, and whether it is a text.
fn arguments(arguments: Arguments<'_>, mut each: impl FnMut(&str, &str, bool)) {
    let mut all = |json: &Json<'_>| {
        for (name, value) in json.fields() {
            match value {
                Json::String(text) => each(name, text, true),
                other => each(name, &other.spaced(), false),
            }
        }
    };
    match arguments {
        Arguments::Object(json) => all(json),
        Arguments::Text(text) => {
            if let Ok(json) = serde_json::from_str::<Json<'_>>(text) {
                all(&json);
            }
        }
    }
}

/// `ChatML`: a start, a role, a line end, the text, an end, a line end.
fn qwen<'a>(body: &Body<'a>, template: Template, prompt: &mut Prompt<'a>) {
    let trimmed = template == Template::Qwen35;
    let first = body.messages.first().filter(|message| message.role == Role::System);
    let rest = &body.messages[usize::from(first.is_some())..];
    if !tools_of(body).is_empty() {
        prompt.constant(1);
        prompt.frame("system\n");
        if let Some(first) = first.filter(|_| !trimmed) {
            prompt.texts(first, false);
            prompt.frame("\n\n");
        }
        prompt.constant(if trimmed { 16 } else { 35 });
        for (index, tool) in tools_of(body).iter().enumerate() {
            prompt.part(PartKind::ToolDefinition, Some(tool.name), Some(index), &(definition(tool, true) + "\n"));
            prompt.flush();
        }
        prompt.constant(if trimmed { 179 } else { 42 });
        if trimmed {
            prompt.frame(">");
            if let Some(first) = first.filter(|first| !text_of(first, true).is_empty()) {
                prompt.frame("\n\n");
                prompt.texts(first, true);
            }
        }
        prompt.constant(2);
    } else if let Some(first) = first {
        prompt.constant(1);
        prompt.frame("system\n");
        prompt.texts(first, trimmed);
        prompt.constant(2);
    } else if template == Template::Qwen25 {
        prompt.constant(21);
    }
    let question = rest.iter().rposition(|message| message.role == Role::User);
    let mut results = false;
    for (at, message) in rest.iter().enumerate() {
        if message.role == Role::Tool {
            prompt.constant(i64::from(!results));
            prompt.frame(if results { "" } else { "user" });
            results = true;
            tool_response(message, trimmed, prompt);
            if rest.get(at + 1).is_none_or(|next| next.role != Role::Tool) {
                prompt.constant(2);
                results = false;
            }
            continue;
        }
        prompt.constant(1);
        prompt.frame(match message.role {
            Role::System | Role::Developer => "system\n",
            Role::Assistant => "assistant\n",
            Role::User | Role::Tool => "user\n",
        });
        if message.role == Role::Assistant && question.is_none_or(|question| at > question) {
            thinking(message, trimmed, prompt);
        }
        prompt.texts(message, trimmed);
        let mut before = if text_of(message, true).is_empty() {
            ""
        } else if trimmed {
            "\n\n"
        } else {
            "\n"
        };
        for block in &message.blocks {
            if let Block::Call { name, arguments, .. } = block {
                prompt.frame(before);
                before = "\n";
                prompt.constant(1);
                call(name, *arguments, message.index, trimmed, prompt);
                prompt.constant(1);
            }
        }
        prompt.constant(2);
    }
    prompt.constant(3);
    match template {
        Template::Qwen35 if body.thinks_not => prompt.constant(4),
        Template::Qwen3 { begins: false, .. } if body.thinks_not_by_template => prompt.constant(4),
        Template::Qwen35 | Template::Qwen3 { begins: true, .. } => prompt.constant(2),
        _ => {}
    }
}

/// Thinking since the last question, of which Qwen 3.5 shows that there was none, too.
fn thinking<'a>(message: &Message<'a>, always: bool, prompt: &mut Prompt<'a>) {
    let text = message.reasoning.unwrap_or_default().trim();
    if text.is_empty() {
        // `<think>`, two line ends, `</think>`, two line ends.
        prompt.constant(if always { 4 } else { 0 });
        return;
    }
    prompt.constant(1);
    prompt.frame("\n");
    prompt.part(PartKind::Message, None, message.index, text);
    prompt.frame("\n");
    prompt.constant(1);
    prompt.frame("\n\n");
}

fn tool_response<'a>(message: &Message<'a>, trimmed: bool, prompt: &mut Prompt<'a>) {
    for block in &message.blocks {
        if let Block::Result { name, text, .. } = block {
            prompt.frame("\n");
            prompt.constant(1);
            prompt.frame("\n");
            prompt.part(PartKind::ToolResult, *name, message.index, if trimmed { text.trim() } else { text });
            prompt.frame("\n");
            prompt.constant(1);
        }
    }
}

fn call<'a>(name: &'a str, given: Arguments<'_>, index: Option<usize>, in_tags: bool, prompt: &mut Prompt<'a>) {
    let mut text = String::from("\n");
    if in_tags {
        text.extend(["<function=", name, ">\n"]);
        arguments(given, |name, value, _| text.extend(["<parameter=", name, ">\n", value, "\n</parameter>\n"]));
        text += "</function>";
    } else {
        text.extend(["{\"name\": \"", name, "\", \"arguments\": "]);
        match given {
            Arguments::Text(arguments) => text += arguments,
            Arguments::Object(json) => text += &json.spaced(),
        }
        text += "}";
    }
    text += "\n";
    prompt.part(PartKind::ToolCall, Some(name), index, &text);
}

/// `DeepSeek`: system prompts, then questions and answers, each with a token before it, and one behind an answer.
fn deepseek<'a>(body: &Body<'a>, marked: bool, prompt: &mut Prompt<'a>) {
    prompt.constant(1);
    let tools = |prompt: &mut Prompt<'a>| {
        prompt.frame("\n\n");
        prompt.constant(203);
        for (index, tool) in tools_of(body).iter().enumerate() {
            let end = if index + 1 == tools_of(body).len() { "\n\n" } else { "\n" };
            prompt.part(PartKind::ToolDefinition, Some(tool.name), Some(index), &(definition(tool, false) + end));
            prompt.flush();
        }
        prompt.constant(18);
    };
    let mut shown = tools_of(body).is_empty();
    if !shown && !body.messages.first().is_some_and(is_system) {
        tools(prompt);
        shown = true;
    }
    let mut asking = false;
    for (at, message) in body.messages.iter().enumerate() {
        if is_system(message) {
            prompt.texts(message, false);
            if !shown {
                tools(prompt);
                shown = true;
            }
            continue;
        }
        if message.role == Role::Assistant {
            if let Some(text) = message.reasoning.filter(|_| !body.tools.is_empty() && !body.thinks_not) {
                prompt.part(PartKind::Message, None, message.index, text);
                prompt.constant(1);
            }
            prompt.texts(message, false);
            deepseek_calls(message, prompt);
            prompt.constant(1);
            continue;
        }
        // Questions and results in a row are one.
        if asking {
            prompt.frame("\n\n");
        } else {
            prompt.constant(1);
        }
        asking = true;
        prompt.texts(message, false);
        for block in &message.blocks {
            if let Block::Result { name, text, .. } = block {
                prompt.frame("<tool_result>");
                prompt.part(PartKind::ToolResult, *name, message.index, text);
                prompt.frame("</tool_result>");
            }
        }
        if body.messages.get(at + 1).is_none_or(|next| next.role == Role::Assistant) {
            prompt.constant(if marked { 2 } else { 1 });
            asking = false;
        }
    }
}

fn deepseek_calls<'a>(message: &Message<'a>, prompt: &mut Prompt<'a>) {
    let calls = || message.blocks.iter().filter(|block| matches!(block, Block::Call { .. }));
    if calls().next().is_none() {
        return;
    }
    prompt.frame("\n\n<");
    prompt.constant(1);
    prompt.frame("tool_calls>\n");
    for block in calls() {
        let Block::Call { name, arguments: given, .. } = block else { continue };
        prompt.frame("<");
        prompt.constant(1);
        prompt.part(PartKind::ToolCall, Some(name), message.index, &format!("invoke name=\"{name}\">\n"));
        arguments(*given, |key, value, is_text| {
            prompt.frame("<");
            prompt.constant(1);
            let text = format!("parameter name=\"{key}\" string=\"{is_text}\">{value}</");
            prompt.part(PartKind::ToolCall, Some(name), message.index, &text);
            prompt.constant(1);
            prompt.frame("parameter>\n");
        });
        prompt.frame("</");
        prompt.constant(1);
        prompt.frame("invoke>\n");
    }
    prompt.frame("</");
    prompt.constant(1);
    prompt.frame("tool_calls>");
}

/// Kimi: each message has its role, a token behind it, and an end.
fn kimi<'a>(body: &Body<'a>, own_system: bool, prompt: &mut Prompt<'a>) {
    if own_system && !body.has_system() {
        prompt.constant(19);
    }
    for message in &body.messages {
        prompt.constant(1);
        prompt.frame(message.name.unwrap_or(match message.role {
            Role::System | Role::Developer => "system",
            Role::Assistant => "assistant",
            Role::User | Role::Tool => "user",
        }));
        prompt.constant(1);
        prompt.texts(message, false);
        prompt.constant(1);
    }
    prompt.constant(if own_system { 3 } else { 4 });
}
