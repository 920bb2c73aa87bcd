//! The prompt of models whose tokenizers and templates aren't measured one by one: constants per family, fitted on
//! recorded requests (`xtask/fit`).

use crate::request::PartKind;
use crate::request::body::{Arguments, Block, Body, Role, Shape};
use crate::request::draft::{Draft, tokens};
use crate::request::family::Other;
use crate::request::media;
use crate::request::tokenizer::Tokenizer;

pub(in crate::request) fn count(body: &Body<'_>, model: Other) -> Draft {
    let tokenizer = Tokenizer::Scaled(model.scale);
    let mut draft = Draft::default();
    draft.framing(model.base);
    if !body.tools.is_empty() {
        draft.framing(model.any_tool);
    }
    for (index, tool) in body.tools.iter().enumerate() {
        let mut units = tokenizer.units(tool.name) + tool.description.map_or(0, |text| tokenizer.units(text));
        if let Some(schema) = tool.schema {
            units += tokenizer.units(&schema.compact());
        }
        let units = model.each_tool + units * model.tool_text / 64;
        draft.part(PartKind::ToolDefinition, Some(tool.name), Some(index), units);
    }
    for message in &body.messages {
        let kind =
            if matches!(message.role, Role::System | Role::Developer) { PartKind::System } else { PartKind::Message };
        if body.shape != Shape::Text {
            draft.framing(model.each_message);
        }
        for block in &message.blocks {
            match block {
                Block::Text(text) => draft.part(kind, None, message.index, tokenizer.units(text)),
                Block::Call { name, arguments, .. } => {
                    let text = match arguments {
                        Arguments::Text(text) => tokenizer.units(text),
                        Arguments::Object(json) => tokenizer.units(&json.compact()),
                    };
                    let units = model.each_call + tokenizer.units(name) + text;
                    draft.part(PartKind::ToolCall, Some(name), message.index, units);
                }
                Block::Result { name, text, .. } => {
                    draft.part(PartKind::ToolResult, *name, message.index, model.each_result + tokenizer.units(text));
                }
                Block::Image(image) => {
                    let units = image.size.map_or(0, |size| media::claude_tokens(size).cast_signed());
                    draft.part(PartKind::Image, None, message.index, tokens(units));
                }
                Block::Document => draft.part(PartKind::Document, None, message.index, 0),
                Block::Thinking { .. } => {}
            }
        }
    }
    if let Some(output) = &body.output_schema {
        let units = tokenizer.units(&output.schema.compact()) * model.schema_text / 64;
        draft.part(PartKind::OutputSchema, output.name, None, units);
    }
    draft
}
