//! Reads Google `generateContent` and `countTokens` bodies, in the spelling of the REST API or of the SDKs.

use std::borrow::Cow;

use super::body::{Arguments, Block, Body, Choice, OutputSchema, Role, Thinking, Tool};
use super::json::Json;
use super::media::{self, Image};

pub(super) fn read<'a>(json: &'a Json<'a>) -> Body<'a> {
    let json = json.first_of(&["generateContentRequest", "generate_content_request"]).unwrap_or(json);
    let model = json.text("model").map(|name| Cow::Borrowed(name.rsplit('/').next().unwrap_or(name)));
    let mut body = Body { model, ..Body::default() };
    // The SDKs have it among the settings.
    let configured = json.first_of(&["generationConfig", "generation_config", "config"]);
    let mut places = [Some(json), configured].into_iter().flatten();
    if let Some(system) = places.find_map(|json| json.first_of(&["systemInstruction", "system_instruction"])) {
        let blocks = parts(&mut body, system);
        body.message(Role::System, None, blocks);
    }
    match json.get("contents") {
        Some(Json::String(text)) => body.message(Role::User, Some(0), vec![Block::Text(text)]),
        Some(Json::Array(contents)) => {
            for (index, content) in contents.iter().enumerate() {
                let role = match content.text("role") {
                    Some("model") => Role::Assistant,
                    Some("function") => Role::Tool,
                    _ => Role::User,
                };
                let blocks = parts(&mut body, content);
                body.message(role, Some(index), blocks);
            }
        }
        Some(content) => {
            let blocks = parts(&mut body, content);
            body.message(Role::User, Some(0), blocks);
        }
        None => {}
    }
    // One object in place of a list is taken as well.
    let tools = match json.get("tools") {
        Some(Json::Array(items)) => items,
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    for tool in tools {
        read_tool(&mut body, tool);
    }
    let calling = json
        .first_of(&["toolConfig", "tool_config"])
        .and_then(|config| config.first_of(&["functionCallingConfig", "function_calling_config"]));
    if let Some(calling) = calling {
        let allowed = calling.first_of(&["allowedFunctionNames", "allowed_function_names"]);
        body.choice = match (calling.text("mode"), allowed.map_or(&[][..], Json::items)) {
            (Some("NONE" | "none"), _) => Choice::None,
            (Some("ANY" | "any"), [Json::String(name)]) => Choice::Named(name),
            (Some("ANY" | "any"), _) => Choice::Any,
            _ => Choice::Auto,
        };
    }
    if let Some(config) = json.first_of(&["generationConfig", "generation_config"]) {
        // A JSON Schema isn't shown to any model.
        if let Some(schema) = config.first_of(&["responseSchema", "response_schema"]) {
            body.output_schema = Some(OutputSchema { name: None, description: None, schema });
        }
        if config.first_of(&["thinkingConfig", "thinking_config"]).is_some() {
            body.thinking = Thinking::Enabled;
        }
    }
    if json.first_of(&["cachedContent", "cached_content"]).is_some() {
        body.unknown("cached content is kept by the provider");
    }
    body
}

fn read_tool<'a>(body: &mut Body<'a>, tool: &'a Json<'a>) {
    let declarations = tool.first_of(&["functionDeclarations", "function_declarations"]);
    for function in declarations.map_or(&[][..], Json::items) {
        let own = function.get("parameters");
        let schema = own.or_else(|| function.first_of(&["parametersJsonSchema", "parameters_json_schema"]));
        if let Some(name) = function.text("name") {
            body.tools.push(Tool {
                name,
                description: function.text("description"),
                schema,
                is_json_schema: own.is_none(),
                response: function.get("response"),
            });
        }
    }
    for (kind, value) in tool.fields() {
        if !matches!(kind.as_ref(), "functionDeclarations" | "function_declarations") && *value != Json::Null {
            body.provider_tools.push(kind.clone());
            body.unknown("the provider runs a tool whose definition and results it adds itself");
        }
    }
}

fn parts<'a>(body: &mut Body<'a>, content: &'a Json<'a>) -> Vec<Block<'a>> {
    let list = match content {
        Json::String(text) => return vec![Block::Text(text)],
        Json::Array(items) => items,
        _ => match content.get("parts") {
            Some(Json::Array(items)) => items,
            Some(one) => std::slice::from_ref(one),
            None => return Vec::new(),
        },
    };
    let mut blocks = Vec::with_capacity(list.len());
    for part in list {
        let signature = part.first_of(&["thoughtSignature", "thought_signature"]).and_then(Json::str);
        let text = if part.is_true("thought") { part.text("text").unwrap_or_default() } else { "" };
        if signature.is_some() || !text.is_empty() {
            blocks.push(Block::Thinking { text, signature: signature.map_or(0, str::len) });
        }
        if part.is_true("thought") {
            continue;
        }
        if let Some(text) = part.text("text").or_else(|| part.str()) {
            blocks.push(Block::Text(text));
        } else if let Some(call) = part.first_of(&["functionCall", "function_call"]) {
            let arguments = call.get("args").map_or(Arguments::Text(""), Arguments::Object);
            blocks.push(Block::Call { name: call.text("name").unwrap_or_default(), arguments, id: None });
        } else if let Some(answer) = part.first_of(&["functionResponse", "function_response"]) {
            let text = answer.get("response").map_or(Cow::Borrowed(""), |json| Cow::Owned(json.compact()));
            blocks.push(Block::Result { name: answer.text("name"), text, id: None });
        } else if let Some(data) = part.first_of(&["inlineData", "inline_data"]) {
            inline(body, data, &mut blocks);
        } else if part.first_of(&["fileData", "file_data"]).is_some() {
            body.unknown("the size of a file kept by the provider isn't known");
            blocks.push(Block::Document);
        } else if !part.fields().is_empty() {
            body.unknown("a content block is of a kind whose size the provider alone knows");
        }
    }
    blocks
}

fn inline<'a>(body: &mut Body<'a>, data: &'a Json<'a>, blocks: &mut Vec<Block<'a>>) {
    let kind = data.first_of(&["mimeType", "mime_type"]).and_then(Json::str).unwrap_or_default();
    if kind.starts_with("image/") {
        let size = data.text("data").and_then(media::size_of_base64);
        if size.is_none() {
            body.unknown("a picture's size isn't in the request");
        }
        blocks.push(Block::Image(Image { size, low_detail: false }));
    } else {
        body.unknown("the length of a document, sound or film isn't known offline");
        blocks.push(Block::Document);
    }
}
