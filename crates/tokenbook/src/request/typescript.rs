//! Renders tool definitions the way OpenAI's models are shown them: as types in TypeScript.
//!
//! The format isn't documented; it was found by comparing the counts of recorded requests, most of which it reproduces to
//! the token.

use super::body::Tool;
use super::json::{Json, Spacing, quote_ascii};

/// How a family of models is shown tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// GPT-4 of 2023: descriptions only.
    Plain,
    /// Later models: titles too, what limits a type above it, and types without any comment on one line.
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
    for line in text.split('\n').map(str::trim) {
        out.push_str(if line.is_empty() { "//" } else { "// " });
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
        let bare = |property: &Json<'a>| {
            !self.has_comments(property) && property.field("default").is_none() && !has_limits(property)
        };
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
            if let Some(default) = property.field("default") {
                out.push_str(" // default: ");
                match default {
                    Json::String(text) => out.push_str(text),
                    other => other.write(out, Spacing::Spaced),
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

    /// A type inside another, with its own title and description before it.
    fn captioned(&self, schema: &Json<'a>, depth: usize, out: &mut String) {
        if self.style == Style::Titled {
            self.comments(schema, out);
        }
        self.kind(schema, depth, out);
    }

    /// Whether a schema, or what it refers to, has properties.
    fn is_object(&self, schema: &Json<'a>) -> bool {
        let schema = schema.text("$ref").and_then(|target| self.resolve(target)).unwrap_or(schema);
        schema.get("properties").is_some_and(|list| !list.is_empty())
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
            self.limits(schema.text("type").unwrap_or_default(), schema, out);
            joined(values.items(), out, |value, out| value.write(out, Spacing::Spaced));
        } else if let Some(value) = schema.get("const") {
            value.write(out, Spacing::Spaced);
        } else if let Some(options) = schema.first_of(&["anyOf", "oneOf"]) {
            joined(options.items(), out, |option, out| self.captioned(option, depth + 1, out));
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

    /// What limits a type, as comments above it: each type of a list has them.
    fn limits(&self, kind: &str, schema: &Json<'a>, out: &mut String) {
        if self.style == Style::Titled {
            for (name, value) in limits_of(kind, schema) {
                out.extend(["// ", name, ": "]);
                match value {
                    Json::String(text) if name == "format" => out.push_str(text),
                    value => value.write(out, Spacing::Spaced),
                }
                out.push('\n');
            }
        }
    }

    fn named(&self, kind: &str, schema: &Json<'a>, depth: usize, out: &mut String) {
        self.limits(kind, schema, out);
        match kind {
            "integer" => out.push_str("number"),
            "array" => match schema.get("items").filter(|items| !items.is_empty()) {
                Some(items) if self.style == Style::Titled && (self.is_object(items) || is_choice(items)) => {
                    out.push_str("Array<");
                    self.captioned(items, depth + 1, out);
                    out.push('>');
                }
                Some(items) => {
                    self.captioned(items, depth + 1, out);
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

/// The keys that are shown above a type of this kind: a default that says something, the format of a text, the bounds of
/// a number.
fn limits_of<'s, 'a>(kind: &str, schema: &'s Json<'a>) -> impl Iterator<Item = (&'static str, &'s Json<'a>)> {
    let shown: &[&'static str] = match kind {
        "string" => &["default", "format"],
        "integer" | "number" => &["default", "minimum", "maximum"],
        _ => &["default"],
    };
    let says = |value: &Json<'_>| {
        !value.is_empty() && *value != Json::Bool(false) && !matches!(value, Json::Number(n) if n.as_f64() == Some(0.0))
    };
    shown
        .iter()
        .filter_map(|name| Some((*name, schema.get(name)?)))
        .filter(move |(name, value)| *name != "default" || says(value))
}

fn has_limits(schema: &Json<'_>) -> bool {
    let one = |kind: Option<&str>, schema: &Json<'_>| limits_of(kind.unwrap_or_default(), schema).next().is_some();
    match schema.get("type") {
        Some(Json::Array(kinds)) => kinds.iter().any(|kind| one(kind.str(), schema)),
        Some(kind) => one(kind.str(), schema),
        None => schema.list("anyOf").iter().any(has_limits),
    }
}

/// Whether a type is written with `|` between what it can be.
fn is_choice(schema: &Json<'_>) -> bool {
    ["enum", "anyOf", "oneOf"].iter().any(|key| schema.get(key).is_some())
        || matches!(schema.get("type"), Some(Json::Array(_)))
}

fn joined<'a>(items: &[Json<'a>], out: &mut String, mut each: impl FnMut(&Json<'a>, &mut String)) {
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push_str(" | ");
        }
        each(item, out);
    }
}

/// Keys of a schema for the answer that only validate it, and aren't shown.
const VALIDATING: &[&str] = &[
    "$schema",
    "additionalProperties",
    "default",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "multipleOf",
    "pattern",
    "required",
    "uniqueItems",
];

/// Appends a schema for the answer as models are shown it: compact, in ASCII, without what only validates.
pub(super) fn answer_schema(schema: &Json<'_>, out: &mut String) {
    let Json::Object(fields) = schema else { return write_items(schema, out) };
    let shown = |name: &str, value: &Json<'_>| {
        !VALIDATING.contains(&name) || (name == "additionalProperties" && matches!(value, Json::Object(_)))
    };
    write_fields(fields.iter().filter(|(name, value)| shown(name, value)), out, |name, value, out| match name {
        // These hold schemas by names of the caller's, any of which may look like a key.
        "properties" | "$defs" | "definitions" | "patternProperties" => {
            write_fields(value.fields().iter(), out, |_, schema, out| answer_schema(schema, out));
        }
        "enum" | "const" | "examples" => value.write(out, Spacing::CompactAscii),
        _ => answer_schema(value, out),
    });
}

fn write_fields<'j, 'a: 'j>(
    fields: impl Iterator<Item = &'j (std::borrow::Cow<'a, str>, Json<'a>)>,
    out: &mut String,
    mut each: impl FnMut(&str, &Json<'a>, &mut String),
) {
    out.push('{');
    for (index, (name, value)) in fields.enumerate() {
        if index > 0 {
            out.push(',');
        }
        quote_ascii(name, out);
        out.push(':');
        each(name, value, out);
    }
    out.push('}');
}

fn write_items(schema: &Json<'_>, out: &mut String) {
    let Json::Array(items) = schema else { return schema.write(out, Spacing::CompactAscii) };
    out.push('[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        answer_schema(item, out);
    }
    out.push(']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(style: Style, schema: &str) -> String {
        let schema: Json<'_> = serde_json::from_str(schema).expect("the test's JSON is right");
        let mut out = String::new();
        define(
            &Tool { name: "f", description: Some("Does it."), schema: Some(&schema), ..Tool::default() },
            style,
            &mut out,
        );
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
    fn what_is_inside_a_list_or_a_choice_keeps_its_captions() {
        let schema = r#"{"properties": {
            "a": {"type": "array", "items": {"title": "Item", "properties": {"n": {"type": "number"}}}},
            "b": {"anyOf": [{"type": "string", "description": "A name."}, {"type": "null"}], "default": null}}}"#;
        assert_eq!(
            rendered(Style::Titled, schema),
            "// Does it.\ntype f = (_: {\na?: Array<// Item\n{ n?: number }>,\nb?: // A name.\nstring | null, // default: null\n}) \
             => any;\n\n"
        );
    }

    #[test]
    fn what_limits_a_type_stands_above_it() {
        let schema = r#"{"properties": {
            "a": {"type": ["string", "null"], "default": "x"},
            "b": {"type": ["integer", "null"], "format": "uint8", "minimum": 0, "maximum": 255},
            "c": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}], "default": ""},
            "d": {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}}}}"#;
        assert_eq!(
            rendered(Style::Titled, schema),
            "// Does it.\ntype f = (_: {\na?: // default: \"x\"\nstring | // default: \"x\"\nnull, // default: x\n\
             b?: // minimum: 0\n// maximum: 255\nnumber | null,\n\
             c?: // format: date\nstring | null, // default: \n\
             d?: Array<\"x\" | \"y\">,\n}) => any;\n\n"
        );
    }

    #[test]
    fn comments_lose_their_indentation() {
        let mut out = String::new();
        comment("First.\n\n    Second.", &mut out);
        assert_eq!(out, "// First.\n//\n// Second.\n");
    }

    #[test]
    fn a_schema_for_the_answer_is_shown_without_what_only_validates() {
        let schema: Json<'_> = serde_json::from_str(
            r#"{"type": "object", "additionalProperties": false, "required": ["format"], "properties": {
                "format": {"type": "string", "format": "date", "description": "é", "default": "x", "enum": ["a"]}}}"#,
        )
        .expect("the test's JSON is right");
        let mut out = String::new();
        answer_schema(&schema, &mut out);
        assert_eq!(
            out,
            r#"{"type":"object","properties":{"format":{"type":"string","description":"\u00e9","enum":["a"]}}}"#
        );
    }

    #[test]
    fn a_schema_that_contains_itself_ends() {
        let schema = r##"{"properties": {"a": {"$ref": "#"}}}"##;
        assert!(rendered(Style::Titled, schema).len() < 1000);
    }
}
