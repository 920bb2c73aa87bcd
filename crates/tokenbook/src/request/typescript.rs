//! Renders tool definitions the way OpenAI's models are shown them: as types in TypeScript.
//!
//! The format isn't documented; it was found by comparing the counts of recorded requests, most of which it reproduces to
//! the token.

use super::body::Tool;
use super::json::Json;

/// How a family of models is shown tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// GPT-4 of 2023: descriptions only.
    Plain,
    /// Later models: titles too, and types without any comment on one line.
    Titled,
}

/// A tool definition as text, with the empty line that ends it.
pub(super) fn define(tool: &Tool<'_>, style: Style, out: &mut String) {
    if let Some(description) = tool.description.filter(|text| !text.is_empty()) {
        comment(description, out);
    }
    out.push_str("type ");
    out.push_str(tool.name);
    let schema = tool.schema.filter(|schema| schema.get("properties").is_some_and(|list| !list.is_empty()));
    if let Some(schema) = schema {
        let writer = Writer { root: schema, style };
        out.push_str(" = (_: ");
        if style == Style::Titled {
            writer.comments(schema, out);
        }
        writer.object(schema, 0, out);
        out.push_str(") => any;\n\n");
    } else {
        out.push_str(" = () => any;\n\n");
    }
}

fn comment(text: &str, out: &mut String) {
    for line in text.split('\n') {
        out.push_str("// ");
        out.push_str(line);
        out.push('\n');
    }
}

/// References are followed this deep; a schema that goes on contains itself.
const DEEPEST: usize = 16;

/// Writes the schema of one tool, which `$ref` points into.
struct Writer<'a> {
    root: &'a Json<'a>,
    style: Style,
}

impl<'a> Writer<'a> {
    fn object(&self, schema: &Json<'a>, depth: usize, out: &mut String) {
        let required = schema.list("required");
        let properties = schema.get("properties").map_or(&[][..], Json::fields);
        let optional = |name: &str| if required.iter().any(|item| item.str() == Some(name)) { ": " } else { "?: " };
        let bare = |property: &Json<'a>| !self.has_comments(property) && property.get("default").is_none();
        if self.style == Style::Titled && properties.iter().all(|(_, property)| bare(property)) {
            for (index, (name, property)) in properties.iter().enumerate() {
                out.push_str(if index == 0 { "{ " } else { ", " });
                out.push_str(name);
                out.push_str(optional(name));
                self.kind(property, depth, out);
            }
            out.push_str(" }");
            return;
        }
        out.push_str("{\n");
        for (name, property) in properties {
            self.comments(property, out);
            out.push_str(name);
            out.push_str(optional(name));
            self.kind(property, depth, out);
            out.push(',');
            if let Some(default) = property.get("default") {
                out.push_str(" // default: ");
                match default {
                    Json::String(text) => out.push_str(text),
                    other => other.write(out, true),
                }
            }
            out.push('\n');
        }
        out.push('}');
    }

    /// The title and the description, its own or, where the style shows them, those of what it refers to.
    fn captions<'s>(&'s self, schema: &'s Json<'a>) -> (Option<&'s str>, Option<&'s str>) {
        let target =
            schema.text("$ref").filter(|_| self.style == Style::Titled).and_then(|target| self.resolve(target));
        let caption = |key| {
            let own = schema.text(key).or_else(|| target?.text(key));
            own.filter(|text| !text.is_empty())
        };
        let title = if self.style == Style::Titled { caption("title") } else { None };
        (title, caption("description"))
    }

    fn has_comments(&self, schema: &Json<'a>) -> bool {
        self.captions(schema) != (None, None)
    }

    fn comments(&self, schema: &Json<'a>, out: &mut String) {
        let (title, description) = self.captions(schema);
        if let Some(title) = title {
            comment(title, out);
        }
        if let Some(description) = description {
            if title.is_some() {
                out.push_str("//\n");
            }
            comment(description, out);
        }
    }

    fn kind(&self, schema: &Json<'a>, depth: usize, out: &mut String) {
        if depth > DEEPEST {
            out.push_str("any");
            return;
        }
        if let Some(target) = schema.text("$ref") {
            match self.resolve(target) {
                Some(schema) => self.kind(schema, depth + 1, out),
                None => out.push_str("any"),
            }
        } else if let Some(values) = schema.get("enum") {
            joined(values.items(), out, |value, out| value.write(out, true));
        } else if let Some(value) = schema.get("const") {
            value.write(out, true);
        } else if let Some(options) = schema.first_of(&["anyOf", "oneOf"]) {
            joined(options.items(), out, |option, out| self.kind(option, depth + 1, out));
        } else {
            match schema.get("type") {
                Some(Json::Array(kinds)) => {
                    joined(kinds, out, |kind, out| self.named(kind.str().unwrap_or("any"), schema, depth, out));
                }
                Some(Json::String(kind)) => self.named(kind, schema, depth, out),
                _ if schema.get("properties").is_some() => self.named("object", schema, depth, out),
                _ => out.push_str("any"),
            }
        }
    }

    fn named(&self, kind: &str, schema: &Json<'a>, depth: usize, out: &mut String) {
        match kind {
            "integer" => out.push_str("number"),
            "array" => match schema.get("items").filter(|items| !items.is_empty()) {
                Some(items) => {
                    self.kind(items, depth + 1, out);
                    out.push_str("[]");
                }
                None => out.push_str("any[]"),
            },
            "object" if schema.get("properties").is_some_and(|list| !list.is_empty()) => {
                self.object(schema, depth + 1, out);
            }
            other => out.push_str(other),
        }
    }

    fn resolve(&self, target: &str) -> Option<&Json<'a>> {
        target.strip_prefix("#/")?.split('/').try_fold(self.root, |at, step| at.get(step))
    }
}

fn joined<'a>(items: &[Json<'a>], out: &mut String, mut each: impl FnMut(&Json<'a>, &mut String)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(" | ");
        }
        each(item, out);
    }
}

/// Appends a schema for the answer as models are shown it: compact, without what only validates.
pub(super) fn answer_schema(schema: &Json<'_>, out: &mut String) {
    match schema {
        Json::Object(fields) => {
            out.push('{');
            let shown = |name: &str, value: &Json<'_>| {
                let validates = match name {
                    "additionalProperties" | "$schema" => !matches!(value, Json::Object(_)),
                    "required" => matches!(value, Json::Array(_)),
                    _ => false,
                };
                !validates
            };
            for (index, (name, value)) in fields.iter().filter(|(name, value)| shown(name, value)).enumerate() {
                if index > 0 {
                    out.push(',');
                }
                super::json::quote(name, out);
                out.push(':');
                answer_schema(value, out);
            }
            out.push('}');
        }
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                answer_schema(item, out);
            }
            out.push(']');
        }
        other => other.write(out, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(style: Style, schema: &str) -> String {
        let schema: Json<'_> = serde_json::from_str(schema).expect("the test's JSON is right");
        let mut out = String::new();
        define(&Tool { name: "f", description: Some("Does it."), schema: Some(&schema) }, style, &mut out);
        out
    }

    #[test]
    fn types_without_comments_stand_on_one_line() {
        let schema = r#"{"properties": {"a": {"type": "integer"}, "b": {"enum": ["x", "y"]}}, "required": ["a"]}"#;
        assert_eq!(
            rendered(Style::Titled, schema),
            "// Does it.\ntype f = (_: { a: number, b?: \"x\" | \"y\" }) => any;\n\n"
        );
        assert_eq!(
            rendered(Style::Plain, schema),
            "// Does it.\ntype f = (_: {\na: number,\nb?: \"x\" | \"y\",\n}) => any;\n\n"
        );
    }

    #[test]
    fn titles_stand_above_descriptions_and_references_are_resolved() {
        let schema = r##"{"title": "T", "properties": {"a": {"$ref": "#/$defs/A"}},
            "$defs": {"A": {"title": "A", "description": "An A.", "properties": {"n": {"type": ["number", "null"]}}}}}"##;
        assert_eq!(
            rendered(Style::Titled, schema),
            "// Does it.\ntype f = (_: // T\n{\n// A\n//\n// An A.\na?: { n?: number | null },\n}) => any;\n\n"
        );
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let schema = r##"{"properties": {"a": {"$ref": "#"}}}"##;
        assert!(rendered(Style::Titled, schema).len() < 1000);
    }
}
