//! Which encoding a model has.

use super::Encoding::{
    self, Cl100kBase, DeepseekV3, KimiK2, O200kBase, O200kHarmony, P50kBase, Qwen, Qwen35, R50kBase, Tekken,
};

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
    open(lower.rsplit('/').next().unwrap_or(&lower)).or_else(|| of_openai(&lower))
}

/// The encoding of a model with open weights, by its name without the host's.
///
/// Sources: the `tokenizer.json` of Qwen2.5, Qwen3, Qwen3.5 and Qwen3.6, of `DeepSeek` V3 to V4 and R1, Kimi's
/// `tiktoken.model` and Mistral's `tekken.json` on <https://huggingface.co>. What a host alone has (`-max`, `-plus`, `-flash`) is not said to be the same.
fn open(name: &str) -> Option<Encoding> {
    if ["-max", "-plus", "-flash"].iter().any(|closed| name.contains(closed)) && !name.contains("v4-flash") {
        return None;
    }
    if mistral(name) {
        return Some(Tekken);
    }
    let deepseek = name.strip_prefix("deepseek-").or_else(|| Some(name.split_once("deepseek.")?.1));
    if let Some(rest) = deepseek {
        let is = |family| belongs(rest, family) || rest.strip_prefix(family).is_some_and(|rest| rest.starts_with('.'));
        // Ollama calls its distilled models by their size.
        let sized = rest.split_once(':').is_some_and(|(_, tag)| tag.starts_with(|tag: char| tag.is_ascii_digit()));
        return match rest {
            _ if rest.contains("llama") => None,
            _ if rest.contains("qwen") => Some(Qwen),
            _ if name.contains("deepseek.") && is("r1") => Some(DeepseekV3),
            _ if sized && is("r1") && !rest.contains("671b") => None,
            _ => ["v3", "v4", "r1", "chat", "reasoner"].into_iter().any(is).then_some(DeepseekV3),
        };
    }
    if belongs(name, "kimi-k2") || name.starts_with("kimi-k2.") {
        return Some(KimiK2);
    }
    let name = name.strip_prefix("qwen-").filter(|rest| rest.starts_with("qwq")).unwrap_or(name);
    if belongs(name, "qwq") {
        return Some(Qwen);
    }
    let version = name.strip_prefix("qwen").map(|rest| rest.strip_prefix('-').unwrap_or(rest))?;
    if ["3.5", "3.6"].iter().any(|new| belongs(version, new)) {
        return Some(Qwen35);
    }
    let sized =
        version.strip_prefix("3-").is_some_and(|rest| rest.starts_with(['5', '6', '7']) && !rest.starts_with("5-vl"));
    (["1.5", "2", "2.5", "3"].iter().any(|old| belongs(version, old)) && !sized).then_some(Qwen)
}

/// Whether a model is one of Mistral's that have its newer vocabulary.
///
/// Sources: the list of models in the Python package `mistral-common` 1.13.1, the weights on <https://huggingface.co>, and for the
/// models without weights (Ministral 3B 2410, Medium 3, `mistral-tiny`) what Mistral's own server counts. Names that stood for
/// older models (`mistral-small`, `mistral-large`) aren't said to stand for newer ones.
fn mistral(name: &str) -> bool {
    const LINES: [(&str, &[&str]); 3] = [
        ("mistral-small", &["latest", "2501", "2503", "2506", "2603", "24b", "3", "3.1", "3.2", "4"]),
        ("mistral-medium", &["latest", "2505", "2508", "2604", "3", "3.1", "3.5"]),
        ("mistral-large", &["latest", "2512", "3"]),
    ];
    const FAMILIES: [&str; 9] = [
        "ministral",
        "magistral",
        "devstral",
        "labs-devstral",
        "mistral-nemo",
        "open-mistral-nemo",
        "pixtral-12b",
        "voxtral-mini",
        "voxtral-small",
    ];
    let name = name.split_once("mistral.").map_or(name, |(_, rest)| rest);
    FAMILIES.iter().any(|family| belongs(name, family))
        || matches!(name, "mistral-tiny" | "mistral-tiny-latest")
        || LINES.iter().any(|(line, versions)| {
            let rest = name.strip_prefix(line).map(|rest| rest.strip_prefix(['-', ':']).unwrap_or(rest));
            rest.is_some_and(|rest| versions.iter().any(|version| belongs(rest, version)))
        })
}

fn of_openai(lower: &str) -> Option<Encoding> {
    let mut name = lower;
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
