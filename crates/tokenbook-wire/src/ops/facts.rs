//! What a request says of its call beside its text: the model, the output limit and the tools.

use serde::Deserialize;
use serde_json::Value;
use tokenbook::{Count, Error, Result};

/// What a request says of its call beside its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RequestFacts {
    /// The model as sent; absent where the format carries it in the URL.
    pub(super) model: Option<String>,
    /// The largest output that the request allows; absent where it names none.
    pub(super) max_tokens: Option<Count>,
    /// The tools that the request offers, by name, in order.
    pub(super) tools_offered: Vec<String>,
}

impl RequestFacts {
    /// Reads a request body as it was sent, of any wire format: the formats' names for these facts don't collide.
    ///
    /// # Errors
    ///
    /// [`tokenbook::ErrorCode::InvalidArgument`] when `body` is no JSON object.
    pub(super) fn read(body: &str) -> Result<Self> {
        let body: Body = serde_json::from_str(body).map_err(|error| Error::invalid(format!("request: {error}")))?;
        let limits = [
            body.max_completion_tokens,
            body.max_output_tokens,
            body.max_tokens,
            body.generation_config.max_output_tokens,
            body.inference_config.max_tokens,
            body.options.num_predict,
        ];
        let tools = body.tools.into_iter().chain(body.tool_config.tools);
        Ok(Self {
            model: text(body.model),
            // A limit that is no count, such as Ollama's -1 for none, is no limit.
            max_tokens: limits.into_iter().find_map(|limit| serde_json::from_value(limit).ok()),
            tools_offered: tools.flat_map(Tool::names).collect(),
        })
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text),
        _ => None,
    }
}

/// The fields of all formats, by the names they have there.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Body {
    model: Value,
    max_tokens: Value,
    max_completion_tokens: Value,
    max_output_tokens: Value,
    #[serde(rename = "generationConfig", deserialize_with = "or_default")]
    generation_config: GenerationConfig,
    #[serde(rename = "inferenceConfig", deserialize_with = "or_default")]
    inference_config: InferenceConfig,
    #[serde(deserialize_with = "or_default")]
    options: Options,
    #[serde(deserialize_with = "or_default")]
    tools: Vec<Tool>,
    #[serde(rename = "toolConfig", deserialize_with = "or_default")]
    tool_config: ToolConfig,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct GenerationConfig {
    #[serde(rename = "maxOutputTokens")]
    max_output_tokens: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct InferenceConfig {
    #[serde(rename = "maxTokens")]
    max_tokens: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Options {
    num_predict: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ToolConfig {
    #[serde(deserialize_with = "or_default")]
    tools: Vec<Tool>,
}

/// A tool in any format: named itself, or in what it holds.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Tool {
    name: Value,
    #[serde(rename = "type")]
    kind: Value,
    #[serde(deserialize_with = "or_default")]
    function: Named,
    #[serde(rename = "toolSpec", deserialize_with = "or_default")]
    spec: Named,
    #[serde(rename = "functionDeclarations", alias = "function_declarations", deserialize_with = "or_default")]
    function_declarations: Vec<Named>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Named {
    name: Value,
}

impl Tool {
    fn names(self) -> Vec<String> {
        let declared: Vec<_> = self.function_declarations.into_iter().filter_map(|named| text(named.name)).collect();
        if !declared.is_empty() {
            return declared;
        }
        // A provider's own tool may have no name but its type, as OpenAI's `web_search` does.
        let named = [self.name, self.function.name, self.spec.name, self.kind];
        named.into_iter().find_map(text).into_iter().collect()
    }
}

/// What has an unexpected shape is taken as absent: these facts are told beside the numbers, never instead of them.
fn or_default<'de, T: Deserialize<'de> + Default, D: serde::Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(T::deserialize(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> (Option<String>, Option<u64>, Vec<String>) {
        let facts = RequestFacts::read(body).expect("a request");
        (facts.model, facts.max_tokens.map(Count::get), facts.tools_offered)
    }

    #[test]
    fn every_format_names_its_limit_and_tools() {
        let none = None;
        assert_eq!(
            read(
                r#"{"model": "claude", "max_tokens": 9, "tools": [{"name": "a", "input_schema": {}}, {"type": "bash_20250124", "name": "bash"}]}"#
            ),
            (Some("claude".into()), Some(9), vec!["a".into(), "bash".into()])
        );
        assert_eq!(
            read(
                r#"{"model": "gpt", "max_output_tokens": 8, "tools": [{"type": "function", "name": "b"}, {"type": "web_search"}]}"#
            ),
            (Some("gpt".into()), Some(8), vec!["b".into(), "web_search".into()])
        );
        assert_eq!(
            read(
                r#"{"generationConfig": {"maxOutputTokens": 7}, "tools": [{"functionDeclarations": [{"name": "c"}, {"name": "d"}]}]}"#
            ),
            (none.clone(), Some(7), vec!["c".into(), "d".into()])
        );
        assert_eq!(
            read(r#"{"inferenceConfig": {"maxTokens": 6}, "toolConfig": {"tools": [{"toolSpec": {"name": "e"}}]}}"#),
            (none.clone(), Some(6), vec!["e".into()])
        );
        assert_eq!(read(r#"{"options": {"num_predict": -1}, "tools": null}"#), (none, None, Vec::new()));
    }

    #[test]
    fn odd_shapes_are_absent_and_no_object_is_an_error() {
        assert_eq!(
            read(r#"{"model": 5, "max_tokens": "many", "tools": {"a": 1}, "toolConfig": 3}"#),
            (None, None, Vec::new())
        );
        assert!(RequestFacts::read("[").is_err());
    }
}
