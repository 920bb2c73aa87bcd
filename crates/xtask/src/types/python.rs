//! The types of Python.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Field, Kind, NOTICE, Shape, Type};

pub(super) fn write(types: &BTreeMap<&str, Shape>) -> String {
    let mut out = format!(
        "\"\"\"What operations take and give. {NOTICE}\"\"\"\n\n\
         from __future__ import annotations\n\n\
         import datetime\nimport decimal\nfrom dataclasses import dataclass\nfrom typing import Any, Literal\n\n\
         __all__ = [\n"
    );
    for name in types.keys() {
        let _ = writeln!(out, "    \"{name}\",");
    }
    out.push_str("]\n");
    // Aliases stand before the classes that name them in other files; annotations are text, so order is free here.
    for (name, shape) in types {
        if let Kind::Words(words) = &shape.kind {
            let _ = write!(out, "\n{name} = {}\n\"\"\"{}\"\"\"\n", literal(words), shape.about);
        }
    }
    for (name, shape) in types {
        let fields = match &shape.kind {
            Kind::Words(_) => continue,
            Kind::Object(fields) => fields.clone(),
            Kind::Union(variants) => merged(variants),
        };
        let _ = write!(
            out,
            "\n\n@dataclass(frozen=True, kw_only=True)\nclass {name}:\n{}",
            docstring(&shape.about, "    ")
        );
        for field in &fields {
            let kind = annotation(&field.kind);
            let name = attribute(&field.name);
            let _ = if field.required {
                write!(out, "\n    {name}: {kind}\n")
            } else {
                write!(out, "\n    {name}: {kind} | None = None\n")
            };
            out.push_str(&docstring(&field.about, "    "));
        }
        if fields.is_empty() && shape.about.is_empty() {
            out.push_str("    pass\n");
        }
    }
    out
}

/// One class for objects told apart by a field: what only some of them have is optional.
fn merged(variants: &[Vec<Field>]) -> Vec<Field> {
    let mut all: Vec<Field> = Vec::new();
    for variant in variants {
        for field in variant {
            match all.iter_mut().find(|known| known.name == field.name) {
                None => all.push(field.clone()),
                Some(known) if known.kind == field.kind => {}
                Some(known) => {
                    let words = |kind: &Type| match kind {
                        Type::Word(word) => vec![word.clone()],
                        Type::Words(words) => words.clone(),
                        _ => Vec::new(),
                    };
                    let both = [words(&known.kind), words(&field.kind)].concat();
                    known.kind = if both.is_empty() { Type::Any } else { Type::Words(both) };
                }
            }
        }
    }
    for field in &mut all {
        field.required =
            variants.iter().all(|variant| variant.iter().any(|own| own.name == field.name && own.required));
    }
    all.sort_by_key(|field| !field.required);
    all
}

fn docstring(about: &str, indent: &str) -> String {
    if about.is_empty() {
        return String::new();
    }
    let about = about.replace('\\', "\\\\");
    if about.len() + indent.len() + 6 <= 120 {
        return format!("{indent}\"\"\"{about}\"\"\"\n");
    }
    let mut out = format!("{indent}\"\"\"");
    let mut width = indent.len() + 3;
    for (at, word) in about.split(' ').enumerate() {
        if at > 0 && width + 1 + word.chars().count() > 117 {
            out.push('\n');
            out.push_str(indent);
            width = indent.len();
        } else if at > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += word.chars().count();
    }
    out.push_str("\"\"\"\n");
    out
}

/// A field's name as an attribute: with an underscore behind it where it is a keyword.
fn attribute(name: &str) -> String {
    if matches!(name, "from" | "import" | "class" | "global" | "in" | "is" | "pass") {
        format!("{name}_")
    } else {
        name.to_owned()
    }
}

fn annotation(kind: &Type) -> String {
    match kind {
        Type::Any => "Any".into(),
        Type::Bool => "bool".into(),
        Type::Integer => "int".into(),
        Type::Number => "float".into(),
        Type::Text => "str".into(),
        Type::Usd => "decimal.Decimal".into(),
        Type::Instant => "datetime.datetime".into(),
        Type::Day => "datetime.date".into(),
        Type::Word(word) => format!("Literal[\"{word}\"]"),
        Type::Words(words) => literal(words),
        Type::Named(name) => name.clone(),
        Type::Nullable(item) => format!("{} | None", annotation(item)),
        Type::List(item) => format!("list[{}]", annotation(item)),
        Type::Map(value) => format!("dict[str, {}]", annotation(value)),
    }
}

fn literal(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    let line = format!("Literal[{}]", words.join(", "));
    if line.len() <= 80 { line } else { format!("Literal[\n    {},\n]", words.join(",\n    ")) }
}
