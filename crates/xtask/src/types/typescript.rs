//! The types of TypeScript.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Field, Kind, NOTICE, Shape, Type};

pub(super) fn write(types: &BTreeMap<&str, Shape>) -> String {
    let mut out = format!("// {NOTICE}\n");
    for (name, shape) in types {
        let about = &shape.about;
        let _ = write!(out, "\n/** {about} */\n");
        match &shape.kind {
            Kind::Words(words) => {
                let _ = writeln!(out, "export type {name} = {};", quoted(words));
            }
            Kind::Object(fields) => {
                let _ = write!(out, "export interface {name} {{\n{}}}\n", body(fields, "  "));
            }
            Kind::Union(variants) => {
                let _ = writeln!(out, "export type {name} =");
                for (at, fields) in variants.iter().enumerate() {
                    let end = if at + 1 == variants.len() { ";" } else { "" };
                    let _ = write!(out, "  | {{\n{}    }}{end}\n", body(fields, "      "));
                }
            }
        }
    }
    out
}

fn body(fields: &[Field], indent: &str) -> String {
    fields.iter().fold(String::new(), |mut out, field| {
        if !field.about.is_empty() {
            let _ = writeln!(out, "{indent}/** {} */", field.about);
        }
        let mark = if field.required { "" } else { "?" };
        let _ = writeln!(out, "{indent}{}{mark}: {};", field.name, name(&field.kind));
        out
    })
}

fn name(kind: &Type) -> String {
    match kind {
        Type::Any => "unknown".into(),
        Type::Bool => "boolean".into(),
        Type::Integer | Type::Number => "number".into(),
        Type::Text | Type::Usd | Type::Instant | Type::Day => "string".into(),
        Type::Word(word) => format!("'{word}'"),
        Type::Words(words) => quoted(words),
        Type::Named(name) => name.clone(),
        Type::Nullable(item) => format!("{} | null", name(item)),
        Type::List(item) => format!("Array<{}>", name(item)),
        Type::Map(value) => format!("Record<string, {}>", name(value)),
    }
}

fn quoted(words: &[String]) -> String {
    words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" | ")
}
