//! Which encoding a model has.

use super::Encoding::{self, Cl100kBase, O200kBase, O200kHarmony, P50kBase, R50kBase};

/// Names that a host or a gateway puts before OpenAI's own.
const HOSTS: &[&str] = &[
    "@cf",
    "azure",
    "azure-openai",
    "azure_ai",
    "azure_openai",
    "cerebras",
    "cloudflare",
    "deepinfra",
    "fireworks",
    "fireworks_ai",
    "github",
    "github_copilot",
    "groq",
    "litellm_proxy",
    "models",
    "openai",
    "openrouter",
    "text-completion-openai",
    "together_ai",
    "vercel_ai_gateway",
];

/// Families that go on after `-`, `:` or `@`: a size, a date, a variant.
///
/// Source: tiktoken 0.14.0, `tiktoken/model.py`, and for names without an entry there the model pages of OpenAI.
const FAMILIES: &[(&str, Encoding)] = &[
    ("gpt-oss", O200kHarmony),
    ("gpt-5", O200kBase),
    ("gpt-4.5", O200kBase),
    ("gpt-4.1", O200kBase),
    ("gpt-4o", O200kBase),
    ("chatgpt-4o", O200kBase),
    ("o1", O200kBase),
    ("o3", O200kBase),
    ("o4-mini", O200kBase),
    ("codex-mini", O200kBase),
    ("gpt-4", Cl100kBase),
    ("gpt-3.5", Cl100kBase),
    ("gpt-35", Cl100kBase),
    ("davinci-002", Cl100kBase),
    ("babbage-002", Cl100kBase),
    ("text-embedding-ada-002", Cl100kBase),
    ("text-embedding-3-small", Cl100kBase),
    ("text-embedding-3-large", Cl100kBase),
];

/// Retired models, by their whole name.
const RETIRED: &[(&str, Encoding)] = &[
    ("text-davinci-003", P50kBase),
    ("text-davinci-002", P50kBase),
    ("text-davinci-001", R50kBase),
    ("text-curie-001", R50kBase),
    ("text-babbage-001", R50kBase),
    ("text-ada-001", R50kBase),
    ("davinci", R50kBase),
    ("curie", R50kBase),
    ("babbage", R50kBase),
    ("ada", R50kBase),
    ("code-davinci-002", P50kBase),
    ("code-davinci-001", P50kBase),
    ("code-cushman-002", P50kBase),
    ("code-cushman-001", P50kBase),
    ("davinci-codex", P50kBase),
    ("cushman-codex", P50kBase),
    ("text-davinci-edit-001", P50kBase),
    ("code-davinci-edit-001", P50kBase),
    ("text-similarity-davinci-001", R50kBase),
    ("text-similarity-curie-001", R50kBase),
    ("text-similarity-babbage-001", R50kBase),
    ("text-similarity-ada-001", R50kBase),
    ("text-search-davinci-doc-001", R50kBase),
    ("text-search-curie-doc-001", R50kBase),
    ("text-search-babbage-doc-001", R50kBase),
    ("text-search-ada-doc-001", R50kBase),
    ("code-search-babbage-code-001", R50kBase),
    ("code-search-ada-code-001", R50kBase),
    ("gpt2", R50kBase),
    ("gpt-2", R50kBase),
];

pub(super) fn encoding_for(model: &str) -> Option<Encoding> {
    let lower = model.trim().to_ascii_lowercase();
    let mut name = lower.as_str();
    while let Some((host, rest)) = name.split_once('/') {
        if !HOSTS.contains(&host) {
            return None;
        }
        name = rest;
    }
    name = name.strip_prefix("openai.").unwrap_or(name);
    name = name.strip_prefix("ft:").unwrap_or(name);
    if let Some((_, encoding)) = FAMILIES.iter().find(|(family, _)| belongs(name, family)) {
        return Some(*encoding);
    }
    // `davinci:ft-organisation-date` is how fine-tuned models were once called.
    let whole = name.split_once(":ft-").map_or(name, |(base, _)| base);
    RETIRED.iter().find(|(retired, _)| *retired == whole).map(|(_, encoding)| *encoding)
}

/// Whether a name is a family or goes on after it; `gpt-5` also goes on with a minor version.
fn belongs(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| {
        rest.is_empty() || rest.starts_with(['-', ':', '@']) || (family == "gpt-5" && rest.starts_with('.'))
    })
}
