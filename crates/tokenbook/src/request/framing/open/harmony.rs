//! The prompt of gpt-oss, as each kind of server writes it.

use std::borrow::Cow;

use super::{Prompt, is_system, text_of};
use crate::request::PartKind;
use crate::request::body::{Arguments, Block, Body, Message, Role, Tool};
use crate::request::json::{Json, quote};
use crate::request::open::Server;

/// The tokens of the message of who the model is, what day it is, how hard it shall think and where it may write to,
/// without tools and with them.
const SYSTEM: (i64, i64) = (61, 75);

pub(super) fn write<'a>(body: &Body<'a>, server: Server, prompt: &mut Prompt<'a>) {
    let server = if body.own_template { Server::Ollama } else { server };
    prompt.constant(if body.tools.is_empty() { SYSTEM.0 } else { SYSTEM.1 });
    let rest = developer(body, server, prompt);
    // A result is answered to with the thinking before its call, which is dropped once there is an answer.
    let answer = rest.iter().rposition(|message| message.role == Role::Assistant && !has_call(message));
    let question = rest.iter().rposition(|message| message.role == Role::User);
    let answered = match server {
        Server::Template => answer,
        Server::Ollama => question,
        Server::Library | Server::Bedrock => Some(rest.len()),
    };
    for (at, message) in rest.iter().enumerate() {
        match message.role {
            // Ollama has written them all already.
            Role::System | Role::Developer if server == Server::Ollama => {}
            Role::System | Role::Developer => said("system", message, prompt),
            Role::User => asked(message, prompt),
            Role::Assistant => answer_and_calls(message, server, answered.is_none_or(|last| at > last), prompt),
            Role::Tool => results(message, server, prompt),
        }
    }
    // A start and whose turn it is.
    prompt.constant(2);
}

/// Instructions and tools; returns the messages behind those that became instructions.
fn developer<'b, 'a>(body: &'b Body<'a>, server: Server, prompt: &mut Prompt<'a>) -> &'b [Message<'a>] {
    let is_first = body.messages.first().is_some_and(is_system);
    let mut instructions: Vec<&Message<'a>> = match server {
        Server::Ollama => body.messages.iter().filter(|message| is_system(message)).collect(),
        // What is no setting of the request itself stays a message of the system's.
        Server::Bedrock => {
            body.messages.first().filter(|first| is_first && first.index.is_none()).into_iter().collect()
        }
        Server::Library | Server::Template => body.messages.first().filter(|_| is_first).into_iter().collect(),
    };
    let rest = &body.messages[instructions.len() * usize::from(server != Server::Ollama)..];
    if server == Server::Bedrock && body.tools.is_empty() {
        // They are lost.
        instructions.clear();
    }
    instructions.retain(|message| !text_of(message, false).is_empty());
    let schema = body.output_schema.as_ref().filter(|_| matches!(server, Server::Library | Server::Template));
    if instructions.is_empty() && body.tools.is_empty() && schema.is_none() {
        return rest;
    }
    prompt.constant(3);
    let tools_first = server == Server::Ollama;
    if tools_first {
        tools(&body.tools, server, prompt);
    }
    for (at, message) in instructions.iter().enumerate() {
        prompt.frame(match (tools_first, at) {
            (true, 0) => "\n\n# Instructions\n\n",
            (false, 0) => "# Instructions\n\n",
            _ => "\n\n",
        });
        prompt.texts(message, false);
    }
    // The template ends them with an empty line, whatever is behind it.
    if !instructions.is_empty() && (server == Server::Template || !body.tools.is_empty() && !tools_first) {
        prompt.frame("\n\n");
    }
    if !tools_first {
        tools(&body.tools, server, prompt);
    }
    if let Some(schema) = schema {
        prompt.frame("\n\n# Response Formats\n\n## ");
        prompt.frame(schema.name.unwrap_or_default());
        prompt.frame("\n\n");
        prompt.part(PartKind::OutputSchema, schema.name, None, &schema.schema.spaced());
    }
    prompt.constant(1);
    rest
}

fn tools<'a>(tools: &[Tool<'a>], server: Server, prompt: &mut Prompt<'a>) {
    if tools.is_empty() {
        return;
    }
    prompt.frame("# Tools\n\n## functions\n\nnamespace functions {\n\n");
    for (index, tool) in tools.iter().enumerate() {
        prompt.part(PartKind::ToolDefinition, Some(tool.name), Some(index), &definition(tool, server));
    }
    prompt.frame("} // namespace functions");
}

/// A start, a role, a message, and an end.
fn said<'a>(role: &str, message: &Message<'a>, prompt: &mut Prompt<'a>) {
    prompt.constant(1);
    prompt.frame(role);
    prompt.constant(1);
    prompt.texts(message, false);
    prompt.constant(1);
}

/// Each text of a question is a message of its own.
fn asked<'a>(message: &Message<'a>, prompt: &mut Prompt<'a>) {
    let texts =
        message.blocks.iter().filter_map(|block| if let Block::Text(text) = block { Some(*text) } else { None });
    for text in texts {
        prompt.constant(3);
        prompt.part(PartKind::Message, None, message.index, text);
        prompt.constant(1);
    }
}

fn answer_and_calls<'a>(message: &Message<'a>, server: Server, shows_thinking: bool, prompt: &mut Prompt<'a>) {
    let text = text_of(message, false);
    let is_calling = has_call(message);
    let in_channel = |text: &str, prompt: &mut Prompt<'a>| {
        prompt.constant(5);
        prompt.part(PartKind::Message, None, message.index, text);
        prompt.constant(1);
    };
    // The template takes the text beside a call for thinking.
    let is_thinking = server == Server::Template && is_calling && !text.is_empty();
    let thinking = message.reasoning.filter(|text| !text.is_empty() && shows_thinking && !is_thinking);
    if let Some(thinking) = thinking.filter(|_| is_calling || server == Server::Ollama) {
        in_channel(thinking, prompt);
    }
    if !text.is_empty() && (shows_thinking || !is_thinking) {
        in_channel(&text, prompt);
    }
    for block in &message.blocks {
        if let Block::Call { name, arguments, .. } = block {
            // A start, `assistant to=functions.` before the name, and a channel with what it is constrained to.
            prompt.constant(1);
            prompt.frame("assistant to=functions.");
            prompt.frame(name);
            prompt.constant(match server {
                Server::Template | Server::Bedrock => 5,
                Server::Library | Server::Ollama => 7,
            });
            prompt.part(PartKind::ToolCall, Some(name), message.index, &given(*arguments, server));
            prompt.constant(1);
        }
    }
}

/// The arguments of a call, which two kinds of servers read and write anew.
fn given(arguments: Arguments<'_>, server: Server) -> Cow<'_, str> {
    let anew = |json: &Json<'_>| if server == Server::Template { json.spaced() } else { json.compact() };
    match arguments {
        Arguments::Object(json) => Cow::Owned(anew(json)),
        Arguments::Text(text) if matches!(server, Server::Template | Server::Ollama) => {
            serde_json::from_str::<Json<'_>>(text).map_or(Cow::Borrowed(text), |json| Cow::Owned(anew(&json)))
        }
        Arguments::Text(text) => Cow::Borrowed(text),
    }
}

fn results<'a>(message: &Message<'a>, server: Server, prompt: &mut Prompt<'a>) {
    for block in &message.blocks {
        if let Block::Result { name, text, .. } = block {
            prompt.constant(1);
            prompt.frame("functions.");
            prompt.frame(name.unwrap_or_default());
            // To whom it goes, and by which channel.
            prompt.constant(match server {
                Server::Bedrock => 1,
                Server::Ollama => 4,
                Server::Library | Server::Template => 7,
            });
            if server == Server::Template {
                let mut quoted = String::new();
                quote(text, &mut quoted);
                prompt.part(PartKind::ToolResult, *name, message.index, &quoted);
            } else {
                prompt.part(PartKind::ToolResult, *name, message.index, text);
            }
            prompt.constant(1);
        }
    }
}

fn has_call(message: &Message<'_>) -> bool {
    message.blocks.iter().any(|block| matches!(block, Block::Call { .. }))
}

/// A tool as a type, with the empty line behind it.
fn definition(tool: &Tool<'_>, server: Server) -> String {
    let mut out = String::new();
    for line in tool.description.unwrap_or_default().lines() {
        out.extend(["// ", line, "\n"]);
    }
    out.extend(["type ", tool.name, " = ("]);
    let is_empty = |schema: &Json<'_>| schema.get("properties").is_none_or(Json::is_empty);
    if let Some(schema) = tool.schema.filter(|schema| is_of_library(server) || !is_empty(schema)) {
        out.push_str("_: ");
        kind(schema, server, "", &mut out);
    }
    out.push_str(") => any;\n\n");
    out
}

fn kind(schema: &Json<'_>, server: Server, indent: &str, out: &mut String) {
    if let Some(options) = schema.get("oneOf").filter(|_| is_of_library(server)) {
        for option in options.items() {
            out.push('\n');
            choice(option, option.text("description"), server, indent, out);
        }
        return;
    }
    if let Some(options) = schema.get("oneOf").or_else(|| schema.get("anyOf").filter(|_| server == Server::Ollama)) {
        for (index, option) in options.items().iter().enumerate() {
            out.push_str(if index == 0 { "" } else { " | " });
            kind(option, server, indent, out);
        }
        return;
    }
    let named = |name: &str| if name == "integer" { "number".to_owned() } else { name.to_owned() };
    match schema.get("type") {
        Some(Json::Array(kinds)) if !kinds.is_empty() => {
            out.push_str(&kinds.iter().filter_map(Json::str).map(named).collect::<Vec<_>>().join(" | "));
        }
        Some(Json::String(name)) => match name.as_ref() {
            "object" if server == Server::Ollama && !indent.is_empty() => out.push_str("Record<string, any>"),
            "object" => object(schema, server, indent, out),
            "array" => match schema.get("items").filter(|_| server != Server::Ollama) {
                Some(items) => {
                    kind(items, server, indent, out);
                    out.push_str("[]");
                }
                None if server == Server::Library => out.push_str("Array<any>"),
                None => out.push_str("any[]"),
            },
            "string" => {
                let choices: Vec<_> = schema.list("enum").iter().filter_map(Json::str).collect();
                if choices.is_empty() || server == Server::Ollama {
                    out.push_str("string");
                } else {
                    out.extend(["\"", &choices.join("\" | \""), "\""]);
                }
            }
            "number" | "integer" | "boolean" => out.push_str(&named(name)),
            "null" if server == Server::Ollama => out.push_str("null"),
            _ => out.push_str("any"),
        },
        _ => out.push_str("any"),
    }
}

/// One of several types, on a line of its own.
fn choice(option: &Json<'_>, description: Option<&str>, server: Server, indent: &str, out: &mut String) {
    out.extend([indent, " | "]);
    kind(option, server, &[indent, "   "].concat(), out);
    if option.is_true("nullable") {
        out.push_str(" | null");
    }
    let default = option.field("default").map(|default| "default: ".to_owned() + &default_of(default, option));
    let comments: Vec<&str> = description.into_iter().chain(default.as_deref()).collect();
    if !comments.is_empty() {
        out.extend([" // ", &comments.join(" ")]);
    }
}

/// A property that is one of several types, as the library writes it.
fn choices(name: &str, mark: &str, property: &Json<'_>, server: Server, indent: &str, out: &mut String) {
    let options = property.list("oneOf");
    let own = property.text("description");
    let above = own.filter(|_| options.first().and_then(|first| first.text("description")) != own);
    if let Some(text) = above {
        out.extend([indent, "// ", text, "\n"]);
    }
    if let Some(default) = property.field("default") {
        out.extend([indent, "// default: ", &default_of(default, property), "\n"]);
    }
    out.extend([indent, name, mark, ":\n"]);
    for (index, option) in options.iter().enumerate() {
        let description =
            option.text("description").filter(|text| (index > 0 || above.is_none()) && Some(*text) != own);
        choice(option, description, server, indent, out);
        out.push('\n');
    }
    out.extend([indent, ",\n"]);
}

fn default_of(default: &Json<'_>, schema: &Json<'_>) -> String {
    match default {
        Json::String(text) if !schema.list("enum").is_empty() => text.to_string(),
        value => value.compact(),
    }
}

fn is_of_library(server: Server) -> bool {
    matches!(server, Server::Library | Server::Bedrock)
}

fn object(schema: &Json<'_>, server: Server, indent: &str, out: &mut String) {
    let within = [indent, "    "].concat();
    let (indent, within) = if server == Server::Ollama { ("  ", "  ") } else { (indent, &*within) };
    if let Some(text) = schema.text("description").filter(|_| is_of_library(server)) {
        out.extend([indent, "// ", text, "\n"]);
    }
    out.push_str("{\n");
    let required = schema.list("required");
    for (name, property) in schema.get("properties").map_or(&[][..], Json::fields) {
        if let Some(title) = property.text("title").filter(|_| is_of_library(server)) {
            out.extend([indent, "// ", title, "\n", indent, "//\n"]);
        }
        let is_required = required.iter().any(|item| item.str() == Some(name)) || server == Server::Ollama;
        let mark = if is_required { "" } else { "?" };
        if is_of_library(server) && property.get("oneOf").is_some() {
            choices(name, mark, property, server, indent, out);
            continue;
        }
        match property.text("description") {
            Some(text) => out.extend([indent, "// ", text, "\n"]),
            // The template has no condition there.
            None if server == Server::Template => out.push_str("// undefined\n"),
            None => {}
        }
        out.extend([indent, name, mark, ": "]);
        kind(property, server, within, out);
        if property.is_true("nullable") {
            out.push_str(" | null");
        }
        out.push(',');
        if let Some(default) = property.field("default").filter(|_| server != Server::Ollama) {
            out.extend([" // default: ", &default_of(default, property)]);
        }
        out.push('\n');
    }
    if server != Server::Ollama {
        out.push_str(indent);
    }
    out.push('}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_written_as_the_server_writes_it() {
        let schema: Json<'_> = serde_json::from_str(
            r#"{"type": "object", "properties": {"a": {"type": "string", "title": "A", "default": null},
                "b": {"oneOf": [{"type": "integer", "description": "One."}, {"type": "string", "default": "x"}]}},
                "required": ["a"]}"#,
        )
        .expect("the test's JSON is right");
        let tool = Tool { name: "f", description: Some("Does it.\nNow."), schema: Some(&schema), ..Tool::default() };
        // As the PyPI package `openai-harmony` 0.0.8 renders it.
        assert_eq!(
            definition(&tool, Server::Library),
            "// Does it.\n// Now.\ntype f = (_: {\n// A\n//\na: string, // default: null\nb?:\n | number // One.\n \
             | string // default: \"x\"\n,\n}) => any;\n\n"
        );
        assert_eq!(
            definition(&tool, Server::Ollama),
            "// Does it.\n// Now.\ntype f = (_: {\n  a: string,\n  b: number | string,\n}) => any;\n\n"
        );
    }
}
