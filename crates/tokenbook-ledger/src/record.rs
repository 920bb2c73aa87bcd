//! What the ledger keeps of a call: names, numbers and instants, never the text of a prompt or an answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tokenbook::{Count, Error, Result, Timestamp, Usage, Usd};

/// Longest name (agent, model, tool, id …) in bytes.
pub const MAX_NAME_BYTES: usize = 256;
/// Most entries of one list of a call: tags, tools offered, tools called, tokens by tool.
pub const MAX_LIST: usize = 1_024;
/// Most entries of a call's metadata.
pub const MAX_METADATA: usize = 32;
/// Longest value of a metadata entry, and longest reason of an unpriced call, in bytes.
pub const MAX_NOTE_BYTES: usize = 1_024;
/// Longest JSON text of a price reference in bytes.
pub const MAX_PRICE_BYTES: usize = 4_096;

/// One API request with its one response: the unit of the ledger.
///
/// There is no field for the text of a prompt, an answer, a tool's arguments or its result: such text can't be stored.
///
/// ```
/// use tokenbook_ledger::Call;
/// let call: Call = serde_json::from_str(
///     r#"{"at": "2026-11-22T10:00:00Z", "model": "gpt-5", "usage": {"input_tokens": 12, "output_tokens": 3}}"#,
/// )?;
/// assert_eq!(call.model, "gpt-5");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The provider's response id, or else the caller's own; scoped by `provider`. Without one, the content names the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// When the call was made.
    pub at: Timestamp,
    /// Who was asked: `anthropic`, `openai`, `azure` and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// The model as requested.
    pub model: String,
    /// The model that the provider says has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_model: Option<String>,
    /// The API's name, such as `anthropic_messages`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// Who made the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// In which run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Free labels, a set: kept sorted and once each.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "list")]
    pub tags: Vec<String>,
    /// What links retries and fallbacks of one operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_id: Option<String>,
    /// The number of this attempt within its operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The id of the call that this one is an iteration of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// What was used; absent when it is unknown, which is not the same as nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// What it cost.
    #[serde(default)]
    pub cost: CallCost,
    /// The output limit that was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<Count>,
    /// Why the model stopped, in the provider's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
    /// Why the model stopped, in tokenbook's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_kind: Option<String>,
    /// Whether the answer was cut off; absent when it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truncated: Option<bool>,
    /// Whether the stream ended before its usage was complete.
    #[serde(default, skip_serializing_if = "is_false", deserialize_with = "flag")]
    pub partial: bool,
    /// How long the call took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Count>,
    /// How long the first token took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_to_first_token_ms: Option<Count>,
    /// Tools that the request offered, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "list")]
    pub tools_offered: Vec<String>,
    /// Tools that the answer called, by name, once for each time.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "list")]
    pub tools_called: Vec<String>,
    /// The part of the input that each tool's definition and results took.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "list")]
    pub tool_tokens: Vec<ToolTokens>,
    /// Whether the call succeeded.
    #[serde(default)]
    pub outcome: Outcome,
    /// The kind of error, such as `rate_limit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_class: Option<String>,
    /// The service tier that the provider says it used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_tier: Option<String>,
    /// The region that served the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether it ran as part of a batch; absent when it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<bool>,
    /// How the usage is known: `measured`, `exact`, `estimated` or `lower_bound`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exactness: Option<String>,
    /// A few strings of the caller's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "map")]
    pub metadata: BTreeMap<String, String>,
}

/// What a call cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "status", rename_all = "snake_case", deny_unknown_fields)]
pub enum CallCost {
    /// Computed from usage and a price.
    Priced {
        /// The amount.
        total_usd: Usd,
        /// The row of the catalog that priced it, in whatever small form the caller likes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        price: Option<serde_json::Value>,
    },
    /// Said by the provider.
    Stated {
        /// The amount.
        total_usd: Usd,
    },
    /// Unknown, which is not the same as free.
    Unpriced {
        /// Why.
        reason: String,
    },
}

impl CallCost {
    /// The amount, unless it is unknown.
    pub const fn total_usd(&self) -> Option<Usd> {
        match self {
            Self::Priced { total_usd, .. } | Self::Stated { total_usd } => Some(*total_usd),
            Self::Unpriced { .. } => None,
        }
    }
}

impl Default for CallCost {
    fn default() -> Self {
        Self::Unpriced { reason: "no cost was given".to_owned() }
    }
}

/// Whether a call succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The provider answered.
    #[default]
    Success,
    /// The provider or the way to it failed.
    Error,
}

impl Outcome {
    /// The word in every language.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// The part of a call's input that one tool took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ToolTokens {
    /// The tool's name.
    pub tool: String,
    /// Tokens of its definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition_tokens: Option<Count>,
    /// Tokens of its results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_tokens: Option<Count>,
}

impl Call {
    /// Makes a call of `model` at `at`, with nothing else known of it.
    pub fn new(at: Timestamp, model: impl Into<String>) -> Self {
        Self {
            id: None,
            at,
            provider: None,
            model: model.into(),
            answered_model: None,
            api: None,
            agent: None,
            action: None,
            session: None,
            tags: Vec::new(),
            operation_id: None,
            attempt: None,
            parent_id: None,
            usage: None,
            cost: CallCost::default(),
            max_tokens: None,
            stop_reason: None,
            stop_kind: None,
            truncated: None,
            partial: false,
            duration_ms: None,
            time_to_first_token_ms: None,
            tools_offered: Vec::new(),
            tools_called: Vec::new(),
            tool_tokens: Vec::new(),
            outcome: Outcome::Success,
            error_class: None,
            service_tier: None,
            region: None,
            batch: None,
            exactness: None,
            metadata: BTreeMap::new(),
        }
    }

    /// The id that the ledger gives the call where its caller gave none: the same content, the same id, whatever it cost.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for a call that can't be stored.
    pub fn content_id(&self) -> Result<String> {
        let mut call = self.clone();
        call.normalise()?;
        Ok(crate::digest::content_id(&call))
    }

    /// Checks lengths and amounts and brings sets into their one form.
    pub(crate) fn normalise(&mut self) -> Result<()> {
        name("model", &self.model)?;
        for (field, value) in [
            ("id", &self.id),
            ("provider", &self.provider),
            ("answered_model", &self.answered_model),
            ("api", &self.api),
            ("agent", &self.agent),
            ("action", &self.action),
            ("session", &self.session),
            ("operation_id", &self.operation_id),
            ("parent_id", &self.parent_id),
            ("stop_reason", &self.stop_reason),
            ("stop_kind", &self.stop_kind),
            ("error_class", &self.error_class),
            ("service_tier", &self.service_tier),
            ("region", &self.region),
            ("exactness", &self.exactness),
        ] {
            if let Some(value) = value {
                name(field, value)?;
            }
        }
        for (field, list) in
            [("tags", &self.tags), ("tools_offered", &self.tools_offered), ("tools_called", &self.tools_called)]
        {
            few(field, list.len(), MAX_LIST)?;
            list.iter().try_for_each(|value| name(field, value))?;
        }
        few("tool_tokens", self.tool_tokens.len(), MAX_LIST)?;
        self.tool_tokens.iter().try_for_each(|one| name("tool_tokens", &one.tool))?;
        if self.tool_tokens.len() > 1 {
            let tools: std::collections::BTreeSet<_> = self.tool_tokens.iter().map(|one| &one.tool).collect();
            if tools.len() < self.tool_tokens.len() {
                return Err(Error::invalid("tool_tokens: a tool is there twice"));
            }
        }
        few("metadata", self.metadata.len(), MAX_METADATA)?;
        for (key, value) in &self.metadata {
            name("metadata", key)?;
            note("metadata", value)?;
        }
        if let Some(usage) = &self.usage {
            usage.total_input_tokens().and(usage.total_output_tokens()).map_err(|error| error.context("usage"))?;
            few("usage.server_tool_requests", usage.server_tool_requests.len(), MAX_LIST)?;
            usage.server_tool_requests.keys().try_for_each(|tool| name("usage.server_tool_requests", tool))?;
        }
        self.normalise_cost()?;
        self.tags.sort_unstable();
        self.tags.dedup();
        Ok(())
    }

    fn normalise_cost(&self) -> Result<()> {
        if let Some(amount) = self.cost.total_usd()
            && !(0..=i128::from(i64::MAX)).contains(&amount.pico())
        {
            return Err(Error::invalid(format!(
                "cost.total_usd: expected an amount from 0 to {}, got {amount}",
                Usd::from_pico(i64::MAX.into())
            )));
        }
        match &self.cost {
            CallCost::Unpriced { reason } => note("cost.reason", reason),
            _ => Ok(()),
        }
    }
}

pub(crate) fn name(field: &str, value: &str) -> Result<()> {
    if value.is_empty() {
        return Err(Error::invalid(format!("{field}: expected a name, got an empty one (leave it out instead)")));
    }
    short(field, value, MAX_NAME_BYTES)
}

fn note(field: &str, value: &str) -> Result<()> {
    short(field, value, MAX_NOTE_BYTES)
}

fn short(field: &str, value: &str, max: usize) -> Result<()> {
    if value.len() > max {
        return Err(Error::invalid(format!("{field}: expected at most {max} bytes, got {}", value.len())));
    }
    if value.as_bytes().contains(&0) {
        return Err(Error::invalid(format!("{field}: a NUL character is not allowed")));
    }
    Ok(())
}

pub(crate) fn few(field: &str, count: usize, max: usize) -> Result<()> {
    if count > max {
        return Err(Error::invalid(format!("{field}: expected at most {max} entries, got {count}")));
    }
    Ok(())
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde calls")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Reads `null` as an absent flag.
fn flag<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads `null` as an absent list.
fn list<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads `null` as an absent map.
fn map<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        "2026-11-22T10:00:00Z".parse().expect("an instant")
    }

    #[test]
    fn absent_fields_are_left_out_and_null_is_absent() {
        let json = serde_json::to_string(&Call::new(at(), "m")).expect("written");
        assert_eq!(
            json,
            r#"{"at":"2026-11-22T10:00:00.000Z","model":"m","cost":{"status":"unpriced","reason":"no cost was given"},"outcome":"success"}"#
        );
        let nulls = r#"{"at":"2026-11-22T10:00:00Z","model":"m","agent":null,"tags":null,"partial":null,"usage":null}"#;
        assert_eq!(serde_json::from_str::<Call>(nulls).expect("read"), Call::new(at(), "m"));
    }

    #[test]
    fn unknown_fields_are_refused() {
        for json in [
            r#"{"at":"2026-11-22T10:00:00Z","model":"m","prompt":"secret"}"#,
            r#"{"at":"2026-11-22T10:00:00Z","model":"m","cost":{"status":"stated","total_usd":"1","lines":[]}}"#,
            r#"{"at":"2026-11-22T10:00:00Z","model":"m","cost":{"status":"stated","total_usd":0.5}}"#,
        ] {
            assert!(serde_json::from_str::<Call>(json).is_err(), "{json}");
        }
    }

    #[test]
    fn long_empty_and_nul_names_are_refused_by_field() {
        let refused = |change: fn(&mut Call)| {
            let mut call = Call::new(at(), "m");
            change(&mut call);
            call.normalise().expect_err("refused").message().to_owned()
        };
        assert_eq!(refused(|call| call.agent = Some("a".repeat(257))), "agent: expected at most 256 bytes, got 257");
        assert_eq!(refused(|call| call.model = "a\0b".into()), "model: a NUL character is not allowed");
        assert!(refused(|call| call.session = Some(String::new())).starts_with("session: expected a name"));
        assert!(refused(|call| call.tags = vec!["x".into(); 1_025]).starts_with("tags: expected at most 1024"));
        assert!(refused(|call| call.cost = CallCost::Stated { total_usd: Usd::from_pico(-1) }).contains("from 0 to"));
    }
}
