//! Which calls a question is about.

use rusqlite::Connection;
use serde::{Deserialize, Deserializer, Serialize};
use tokenbook::{Error, Result, Timestamp};

use crate::record::Outcome;
use crate::store::names::{Combo, Names};
use crate::store::row::{Facts, ToolFacts};

/// Most values of one field of a filter.
const MAX_VALUES: usize = 1_000;

/// Which calls are meant: for each field that is given, those with one of its values. JSON takes one value or a list.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Calls of these agents.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub agent: Vec<String>,
    /// Calls for these actions.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub action: Vec<String>,
    /// Calls that asked for these models.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub model: Vec<String>,
    /// Calls to these providers.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub provider: Vec<String>,
    /// Calls of these sessions.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub session: Vec<String>,
    /// Calls with one of these tags.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub tag: Vec<String>,
    /// Calls that offered, called or carried one of these tools.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub tool: Vec<String>,
    /// Calls that ended so.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "one_or_many")]
    pub outcome: Vec<Outcome>,
}

/// Reads `"a"` like `["a"]`, and `null` as nothing.
pub(crate) fn one_or_many<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a value or a list of values")]
    enum OneOrMany<T> {
        Many(Vec<T>),
        One(T),
    }
    Ok(match Option::deserialize(deserializer)? {
        None => Vec::new(),
        Some(OneOrMany::One(one)) => vec![one],
        Some(OneOrMany::Many(many)) => many,
    })
}

/// A filter with names as numbers; a field that isn't given wants everything.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    agent: Option<Vec<i64>>,
    action: Option<Vec<i64>>,
    model: Option<Vec<i64>>,
    provider: Option<Vec<i64>>,
    failed: Option<Vec<bool>>,
    pub(crate) session: Option<Vec<i64>>,
    pub(crate) tag: Option<Vec<i64>>,
    pub(crate) tool: Option<Vec<i64>>,
}

impl Wanted {
    pub(crate) fn find(db: &Connection, filter: &Filter) -> Result<Self> {
        let find = |field: &str, texts: &[String]| -> Result<Option<Vec<i64>>> {
            if texts.is_empty() {
                return Ok(None);
            }
            if texts.len() > MAX_VALUES {
                return Err(Error::invalid(format!(
                    "filter.{field}: expected at most {MAX_VALUES} values, got {}",
                    texts.len()
                )));
            }
            let mut ids = Vec::with_capacity(texts.len());
            for text in texts {
                // A name that was never recorded has no number, and no calls.
                ids.extend(Names::find(db, text)?);
            }
            ids.sort_unstable();
            ids.dedup();
            Ok(Some(ids))
        };
        Ok(Self {
            agent: find("agent", &filter.agent)?,
            action: find("action", &filter.action)?,
            model: find("model", &filter.model)?,
            provider: find("provider", &filter.provider)?,
            failed: (!filter.outcome.is_empty())
                .then(|| filter.outcome.iter().map(|outcome| *outcome == Outcome::Error).collect()),
            session: find("session", &filter.session)?,
            tag: find("tag", &filter.tag)?,
            tool: find("tool", &filter.tool)?,
        })
    }

    pub(crate) fn has_combo(&self, combo: &Combo) -> bool {
        wants(self.agent.as_ref(), combo.agent)
            && wants(self.action.as_ref(), combo.action)
            && wants(self.model.as_ref(), combo.model)
            && wants(self.provider.as_ref(), combo.provider)
            && self.failed.as_ref().is_none_or(|wanted| wanted.contains(&combo.failed))
    }

    /// Whether calls of any agent, action, model, provider and outcome are wanted.
    pub(crate) fn has_every_combo(&self) -> bool {
        let named = [&self.agent, &self.action, &self.model, &self.provider];
        named.into_iter().all(Option::is_none) && self.failed.is_none()
    }

    /// Whether every call is wanted.
    pub(crate) fn has_everything(&self) -> bool {
        self.has_every_combo() && self.session.is_none() && self.tag.is_none() && self.tool.is_none()
    }

    /// Whether a call's session, tags and tools are wanted.
    pub(crate) fn has_facets(&self, facts: &Facts) -> bool {
        wants(self.session.as_ref(), facts.session)
            && self.tag.as_ref().is_none_or(|wanted| facts.tags.iter().any(|tag| wanted.contains(tag)))
            && self.tool.as_ref().is_none_or(|wanted| facts.tools.iter().any(|tool| wanted.contains(&tool.tool)))
    }

    pub(crate) fn has_tag(&self, tag: i64) -> bool {
        wants(self.tag.as_ref(), tag)
    }

    pub(crate) fn has_tool(&self, tool: &ToolFacts) -> bool {
        wants(self.tool.as_ref(), tool.tool)
    }
}

fn wants(wanted: Option<&Vec<i64>>, value: i64) -> bool {
    wanted.is_none_or(|wanted| wanted.binary_search(&value).is_ok())
}

/// Checks that a range isn't empty or upside down, and gives its bounds in milliseconds.
pub(crate) fn range(from: Option<Timestamp>, to: Option<Timestamp>) -> Result<(Option<i64>, Option<i64>)> {
    if let (Some(from), Some(to)) = (from, to)
        && from >= to
    {
        return Err(Error::invalid(format!("expected from before to, got {from} and {to}")));
    }
    Ok((from.map(Timestamp::ms), to.map(Timestamp::ms)))
}
