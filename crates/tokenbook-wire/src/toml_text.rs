//! Files in TOML: read as JSON with the same keys, so that one reader checks both and words their faults alike.

use std::borrow::Cow;

use serde_json::{Map, Value};
use tokenbook::{Error, Result};

/// A price file as JSON text: what starts with a brace is JSON already, all else is TOML.
pub(crate) fn as_json(text: &str) -> Result<Cow<'_, str>> {
    if text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']).starts_with('{') {
        return Ok(Cow::Borrowed(text));
    }
    let table: toml::Table = text
        .parse()
        .map_err(|error| fault(text, "price catalog: neither JSON, which starts with a brace, nor TOML", &error))?;
    Ok(Cow::Owned(json(toml::Value::Table(table), "price catalog")?.to_string()))
}

/// A file of a user's own as a value of JSON: JSON itself, or else TOML.
#[cfg(feature = "ledger")]
pub(crate) fn value(text: &str, what: &str) -> Result<Value> {
    let text = text.trim_start_matches('\u{feff}');
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    let table: toml::Table =
        text.parse().map_err(|error| fault(text, &format!("{what}: neither JSON nor TOML"), &error))?;
    json(toml::Value::Table(table), what)
}

fn json(value: toml::Value, what: &str) -> Result<Value> {
    Ok(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => serde_json::Number::from_f64(number)
            .ok_or_else(|| Error::invalid(format!("{what}: {number} is no number of JSON")))?
            .into(),
        toml::Value::Boolean(value) => value.into(),
        // A day or an instant may stand without quotes.
        toml::Value::Datetime(instant) => instant.to_string().into(),
        toml::Value::Array(items) => {
            Value::Array(items.into_iter().map(|item| json(item, what)).collect::<Result<_>>()?)
        }
        toml::Value::Table(table) => {
            let entries = table.into_iter().map(|(key, value)| Ok((key, json(value, what)?)));
            Value::Object(entries.collect::<Result<Map<_, _>>>()?)
        }
    })
}

#[cold]
fn fault(text: &str, told: &str, error: &toml::de::Error) -> Error {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let what = error.message().trim().replace('\n', ", ");
    Error::invalid(format!("{told}: {what} at line {line} column {column}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_says_what_json_says() {
        let json = r#"{"models":[{"provider":"acme","model":"acme-1","names":["acme"],"rows":[
            {"rates":{"input_tokens":"0.4","output_tokens":1.2}},
            {"from":"2026-12-01","batch":true,"rates":{"input_tokens":2}}]}]}"#;
        let toml = r#"
            [[models]] # ours
            provider = "acme"
            model = "acme-1"
            names = ["acme"]
            rows = [{ rates = { input_tokens = "0.4", output_tokens = 1.2 } }]
            [[models.rows]]
        "#;
        assert!(as_json(toml).is_err(), "a list can't be written in both ways");
        let toml = r#"
            [[models]] # ours
            provider = "acme"
            model = "acme-1"
            names = ["acme"]
            [[models.rows]]
            rates = { input_tokens = "0.4", output_tokens = 1.2 }
            [[models.rows]]
            from = 2026-12-01
            batch = true
            rates.input_tokens = 2
        "#;
        let value = |text: &str| serde_json::from_str::<Value>(&as_json(text).expect("read")).expect("JSON");
        assert_eq!(value(toml), value(json));
    }

    #[test]
    fn faults_are_told_with_their_place() {
        let message = |text: &str| as_json(text).expect_err("a fault").message().to_owned();
        assert!(message("a = 1\nb = = 2\n").contains("at line 2 column 5"), "{}", message("a = 1\nb = = 2\n"));
        assert!(message("a = nan").contains("NaN is no number"));
        assert!(message(&"a = [".repeat(100_000)).starts_with("price catalog: "));
        assert!(message("a = 1\na = 2").contains("duplicate key"), "{}", message("a = 1\na = 2"));
    }
}
