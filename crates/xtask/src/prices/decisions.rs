//! The decision file: package versions, provider names, and every choice between sources that disagree.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// `crates/xtask/prices/decisions.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decisions {
    /// The day of the catalog: that of the newer package.
    pub(super) version: String,
    pub(super) genai: Package,
    pub(super) litellm: Package,
    /// The package's provider → ours.
    genai_providers: BTreeMap<String, String>,
    litellm_providers: BTreeMap<String, String>,
    /// Days that a package gives as the start of a price though they are when somebody read it.
    reading_dates: Vec<String>,
    #[serde(rename = "reading_dates_reason")]
    _reading_dates_reason: String,
    pub(super) service_tiers: BTreeMap<String, String>,
    /// Canonical region → spellings.
    pub(super) regions: BTreeMap<String, Vec<String>>,
    #[serde(rename = "provider")]
    pub(super) providers: Vec<Provider>,
    #[serde(default, rename = "rule")]
    rules: Vec<Rule>,
    #[serde(default, rename = "override")]
    overrides: Vec<Override>,
    #[serde(default, rename = "model")]
    pub(super) models: Vec<Written>,
    #[serde(default, rename = "fee")]
    pub(super) fees: Vec<Fee>,
    #[serde(default, rename = "also_named")]
    pub(super) names: Vec<Named>,
    #[serde(default, rename = "half_price_batch")]
    pub(super) halves: Vec<Half>,
    #[serde(skip)]
    used: RefCell<BTreeSet<String>>,
}

/// A package that prices are taken from.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) license: String,
    /// The file inside the wheel.
    pub(super) file: String,
    /// Of that file.
    pub(super) sha256: String,
}

/// A provider as it stands in the catalog.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Provider {
    pub(super) id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) aliases: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) maker: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) prices_like: Vec<String>,
}

/// Which source's rates are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Take {
    Genai,
    Litellm,
}

/// A choice for all models of a provider that disagree in some of the fields.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    provider: String,
    /// Empty means any field.
    #[serde(default)]
    fields: Vec<String>,
    take: Take,
    #[serde(rename = "reason")]
    _reason: String,
    #[serde(rename = "source")]
    _source: String,
}

/// A choice for one model, before any rule.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Override {
    provider: String,
    models: Vec<String>,
    take: Take,
    #[serde(rename = "reason")]
    _reason: String,
    #[serde(rename = "source")]
    _source: String,
}

/// A model whose rows are written out here because no source can state them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) provider: String,
    pub(super) model: String,
    #[serde(default)]
    pub(super) names: Vec<String>,
    pub(super) page: Option<String>,
    /// Keep the sources' rows of other service tiers and of batch.
    #[serde(default)]
    pub(super) keep_variants: bool,
    pub(super) rows: Vec<Value>,
    #[serde(rename = "reason")]
    _reason: String,
    #[serde(rename = "source")]
    pub(super) source: String,
}

/// A fee of a server-side tool for all models of a provider.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fee {
    pub(super) provider: String,
    pub(super) tool: String,
    pub(super) usd: String,
    #[serde(rename = "reason")]
    _reason: String,
    #[serde(rename = "source")]
    _source: String,
}

/// Names that a source matches by a prefix or pattern and therefore doesn't spell out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) provider: String,
    pub(super) model: String,
    pub(super) names: Vec<String>,
}

/// Models whose batch price is half of every rate.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Half {
    pub(super) provider: String,
    pub(super) models: Vec<String>,
    #[serde(rename = "reason")]
    _reason: String,
    pub(super) source: String,
}

impl Decisions {
    pub(super) fn read(path: &std::path::Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    pub(super) fn genai_source(&self) -> String {
        format!("{} {}", self.genai.name, self.genai.version)
    }

    pub(super) fn litellm_source(&self) -> String {
        format!("{} {}", self.litellm.name, self.litellm.version)
    }

    pub(super) fn genai_provider(&self, theirs: &str) -> String {
        self.genai_providers.get(theirs).cloned().unwrap_or_else(|| theirs.to_owned())
    }

    pub(super) fn litellm_provider(&self, theirs: &str) -> String {
        if let Some(ours) = self.litellm_providers.get(theirs) {
            return ours.clone();
        }
        // `vertex_ai-mistral_models` and its like are one host.
        if theirs.starts_with("vertex_ai") { "vertex".to_owned() } else { theirs.to_owned() }
    }

    pub(super) fn is_reading_date(&self, date: &str) -> bool {
        self.reading_dates.iter().any(|day| day == date)
    }

    /// Whether the first part of a key names the provider.
    pub(super) fn is_prefix(&self, first: &str, provider: &str) -> bool {
        first == provider
            || self.litellm_provider(first) == provider
            || self.providers.iter().any(|known| known.id == provider && known.aliases.iter().any(|name| name == first))
    }

    pub(super) fn is_region(&self, place: &str) -> bool {
        let place = place.to_ascii_lowercase();
        self.regions.iter().any(|(region, spellings)| *region == place || spellings.contains(&place))
    }

    /// The choice for a model, or none where nobody has made it.
    pub(super) fn take(&self, provider: &str, model: &str, ours: &str, fields: &[&str]) -> Option<Take> {
        let mut used = self.used.borrow_mut();
        for choice in &self.overrides {
            if choice.provider == provider && choice.models.iter().any(|name| name == model) {
                used.insert(format!("override {provider}/{model}"));
                return Some(choice.take);
            }
        }
        // What is written out in the file replaces both sources.
        if self.models.iter().any(|written| written.provider == provider && written.model.eq_ignore_ascii_case(ours)) {
            return Some(Take::Genai);
        }
        for (number, rule) in self.rules.iter().enumerate() {
            let covers =
                rule.fields.is_empty() || fields.iter().all(|field| rule.fields.iter().any(|name| name == field));
            if covers && (rule.provider == provider || rule.provider == "*") {
                used.insert(format!("rule {}", number + 1));
                return Some(rule.take);
            }
        }
        None
    }

    /// Choices that no disagreement asked for: they are stale and must go.
    pub(super) fn unused(&self) -> Vec<String> {
        let used = self.used.borrow();
        let overrides = self
            .overrides
            .iter()
            .flat_map(|choice| choice.models.iter().map(|model| format!("override {}/{model}", choice.provider)));
        let rules = (1..=self.rules.len()).map(|number| format!("rule {number}"));
        overrides.chain(rules).filter(|name| !used.contains(name)).collect()
    }
}
