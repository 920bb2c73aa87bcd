//! Gemini's prompt, as it was found on recorded requests.

use crate::request::PartKind;
use crate::request::body::{Arguments, Block, Body, Role, Tool};
use crate::request::draft::{Draft, tokens};
use crate::request::gemini::{Declared, Gemini, Tools};
use crate::request::json::Json;
use crate::request::media;
use crate::request::tokenizer::Tokenizer;

/// Tokens around a call, each of its arguments, a result and each of its fields.
const CALL: i64 = 7;
const ARGUMENT: i64 = 3;
const RESULT: i64 = 4;
const FIELD: i64 = 4;

pub(in crate::request) fn count(body: &Body<'_>, model: Gemini) -> Draft {
    let mut draft = Draft::default();
    for (index, tool) in body.tools.iter().enumerate() {
        let units = match model.tools {
            Tools::Texts => texts_of(tool),
            Tools::Declared(around) => declared(tool, around),
        };
        draft.part(PartKind::ToolDefinition, Some(tool.name), Some(index), units);
    }
    for message in &body.messages {
        let kind =
            if matches!(message.role, Role::System | Role::Developer) { PartKind::System } else { PartKind::Message };
        draft.framing(tokens(model.each_message));
        for block in &message.blocks {
            match block {
                Block::Text(text) => draft.part(kind, None, message.index, units(text)),
                Block::Call { name, arguments, .. } => {
                    let arguments = match arguments {
                        Arguments::Object(json) => values(json, model, CALL, ARGUMENT),
                        Arguments::Text(text) => parsed(text, model, CALL, ARGUMENT),
                    };
                    draft.part(PartKind::ToolCall, Some(name), message.index, units(name) + arguments);
                }
                Block::Result { name, text, .. } => {
                    let caller = name.map_or(0, units);
                    let result = parsed(text, model, RESULT, FIELD);
                    draft.part(PartKind::ToolResult, *name, message.index, caller + result);
                }
                Block::Image(image) => {
                    let picture = model.picture.or_else(|| image.size.map(media::gemini_tokens));
                    draft.part(PartKind::Image, None, message.index, tokens(picture.unwrap_or(0).cast_signed()));
                }
                Block::Document => draft.part(PartKind::Document, None, message.index, 0),
                Block::Thinking { text, .. } if model.tools != Tools::Texts => {
                    draft.part(PartKind::Message, None, message.index, units(text));
                }
                Block::Thinking { .. } => {}
            }
        }
    }
    if let (Tools::Texts, Some(output)) = (model.tools, &body.output_schema) {
        draft.part(PartKind::OutputSchema, None, None, texts_of_schema(output.schema, true));
    }
    draft
}

/// Whether thinking is sent behind a signature alone, which newer models are shown again.
pub(in crate::request) fn has_hidden_thinking(body: &Body<'_>, model: Gemini) -> bool {
    let is_hidden = |block: &Block<'_>| matches!(block, Block::Thinking { text: "", signature: 1.. });
    model.shows_signed_thinking && body.messages.iter().any(|message| message.blocks.iter().any(is_hidden))
}

fn units(text: &str) -> i64 {
    Tokenizer::Gemini.units(text)
}

fn parsed(text: &str, model: Gemini, around: i64, each: i64) -> i64 {
    match serde_json::from_str::<Json<'_>>(text) {
        Ok(json @ Json::Object(_)) => values(&json, model, around, each),
        _ if model.tools == Tools::Texts => units(text),
        _ => tokens(around + each) + units(text),
    }
}

/// The arguments of a call or the fields of a result.
fn values(json: &Json<'_>, model: Gemini, around: i64, each: i64) -> i64 {
    if model.tools == Tools::Texts {
        return texts(json, false);
    }
    let fields = i64::try_from(json.fields().len()).unwrap_or(i64::MAX / 4096);
    tokens(around + each * fields) + texts(json, true)
}

/// Every key and text of a value; numbers and the like too, where they are shown.
fn texts(json: &Json<'_>, all: bool) -> i64 {
    match json {
        Json::String(text) => units(text),
        Json::Array(items) => items.iter().map(|item| texts(item, all)).sum(),
        Json::Object(fields) => fields.iter().map(|(key, value)| units(key) + texts(value, all)).sum(),
        _ if all => units(&json.compact()),
        _ => 0,
    }
}

fn texts_of(tool: &Tool<'_>) -> i64 {
    let schema = tool.schema.filter(|_| !tool.is_json_schema);
    units(tool.name)
        + tool.description.map_or(0, units)
        + [schema, tool.response].into_iter().flatten().map(|schema| texts_of_schema(schema, false)).sum::<i64>()
}

/// The texts of a schema, which of a tool has no titles; a type is a text in capitals.
fn texts_of_schema(schema: &Json<'_>, titles: bool) -> i64 {
    let nested = |schema: &Json<'_>| texts_of_schema(schema, titles);
    let field = |(key, value): &(std::borrow::Cow<'_, str>, Json<'_>)| match (key.as_ref(), value) {
        ("type", Json::String(kind)) => units(&kind.to_ascii_uppercase()),
        ("description" | "format" | "default", Json::String(text)) => units(text),
        ("title", Json::String(text)) if titles => units(text),
        ("propertyOrdering", list) if titles => texts(list, false),
        ("enum" | "required", list) => texts(list, false),
        ("items", schema) => nested(schema),
        ("anyOf", Json::Array(schemas)) => schemas.iter().map(nested).sum(),
        ("properties", Json::Object(fields)) => fields.iter().map(|(name, schema)| units(name) + nested(schema)).sum(),
        _ => 0,
    };
    schema.fields().iter().map(field).sum()
}

fn declared(tool: &Tool<'_>, around: Declared) -> i64 {
    let response = if tool.response.is_some() { around.response } else { 0 };
    units(tool.name)
        + tool.description.map_or(0, units)
        + tokens(around.tool + response)
        + tool.schema.map_or(0, |schema| properties(schema, around))
}

fn properties(schema: &Json<'_>, around: Declared) -> i64 {
    let Some(fields) = schema.get("properties") else { return 0 };
    fields.fields().iter().map(|(name, schema)| units(name) + property(schema, around)).sum()
}

fn property(schema: &Json<'_>, around: Declared) -> i64 {
    let (plain, described) = around.property;
    let mut total = match schema.text("description") {
        Some(description) => tokens(described) + units(description),
        None => tokens(plain),
    };
    if let Some(choices) = schema.get("enum") {
        total += tokens(around.choices) + texts(choices, true);
    }
    if let Some(default) = schema.get("default") {
        total += tokens(around.default) + texts(default, true);
    }
    if schema.get("anyOf").is_some() {
        total += tokens(around.alternatives);
    }
    let items = schema.get("items");
    if items.is_some() {
        total += tokens(around.list);
    }
    for nested in [Some(schema), items].into_iter().flatten().filter(|nested| nested.get("properties").is_some()) {
        total += tokens(around.object) + properties(nested, around);
    }
    total
}

#[cfg(test)]
mod tests {
    use crate::Api;
    use crate::request::{Exactness, PartKind, RequestCount, count_request};

    fn count(model: &str, body: &str) -> RequestCount {
        count_request(Api::GoogleGenerateContent, body.as_bytes(), Some(model)).expect("the body is right")
    }

    fn total(model: &str, body: &str) -> u64 {
        count(model, body).input_tokens.get()
    }

    const ASKED: &str = r#""contents": [{"role": "user", "parts": [{"text": "Hi"}]}]"#;

    #[test]
    fn a_message_has_a_token_around_it_since_2_5_but_for_vertex() {
        let body = format!(r#"{{"systemInstruction": {{"parts": [{{"text": "Hi"}}]}}, {ASKED}}}"#);
        for (model, tokens) in
            [("gemini-2.0-flash", 2), ("gemini-2.5-pro", 4), ("publishers/google/models/gemini-2.5-pro", 2)]
        {
            assert_eq!(total(model, &body), tokens, "{model}");
        }
    }

    #[test]
    fn declarations_are_written_out_or_only_their_texts_are_counted() {
        let tool = |schema: &str| {
            format!(
                r#"{{"tools": [{{"functionDeclarations": [{{"name": "f", "description": "a", {schema}}}]}}], {ASKED}}}"#
            )
        };
        let own =
            tool(r#""parameters": {"type": "OBJECT", "properties": {"k": {"type": "STRING", "description": "b"}}}"#);
        // The name, the description, the property with its own, and around them 18 and 9.
        assert_eq!(total("gemini-2.5-flash", &own), 2 + 18 + 2 + 9 + 2);
        // OBJECT and STRING are texts too.
        assert_eq!(total("gemini-2.0-flash", &own), 1 + 2 + 2 + 2);
        let json = tool(r#""parametersJsonSchema": {"type": "object", "properties": {"k": {"type": "string"}}}"#);
        assert_eq!(total("gemini-2.5-flash", &json), 2 + 18 + 2 + 10 + 1);
        assert_eq!(total("gemini-2.0-flash", &json), 1 + 2);
    }

    #[test]
    fn calls_and_results_have_figures_around_their_fields() {
        let body = r#"{"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"k": "v", "n": 5}}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": "x"}}}]}]}"#;
        let parts =
            |model: &str| -> Vec<u64> { count(model, body).parts.iter().map(|part| part.tokens.get()).collect() };
        assert_eq!(parts("gemini-2.5-flash"), [1 + 7 + 2 * 3 + 4, 1 + 4 + 4 + 2]);
        assert_eq!(parts("gemini-2.0-flash"), [1 + 3, 1 + 2], "numbers aren't counted");
    }

    #[test]
    fn thinking_counts_by_its_text_and_behind_a_signature_makes_a_lower_bound() {
        let body = |part: &str| {
            format!(
                r#"{{"contents": [{{"role": "model", "parts": [{part}, {{"text": "Hi"}}]}}, {{"parts": [{{"text": "Hi"}}]}}]}}"#
            )
        };
        let shown = body(r#"{"thought": true, "text": "Hi", "thoughtSignature": "abc"}"#);
        assert_eq!(total("gemini-2.5-flash", &shown), 2 + 3);
        let signed = body(r#"{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "abc"}"#);
        assert_eq!(count("gemini-2.5-flash", &signed).exactness, Exactness::Estimated);
        assert_eq!(count("gemini-3-pro-preview", &signed).exactness, Exactness::LowerBound);
    }

    #[test]
    fn a_schema_for_the_answer_costs_its_texts_in_old_models() {
        let body =
            format!(r#"{{{ASKED}, "generationConfig": {{"responseSchema": {{"type": "STRING", "title": "T"}}}}}}"#);
        assert_eq!(total("gemini-2.0-flash", &body), 1 + 2);
        assert!(count("gemini-2.5-flash", &body).parts.iter().all(|part| part.kind != PartKind::OutputSchema));
    }
}
