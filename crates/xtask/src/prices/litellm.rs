//! The prices in LiteLLM's `model_prices_and_context_window_backup.json`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tokenbook::price::Rate;

use super::Notes;
use super::decisions::Decisions;
use super::row::{Model, Rates, Row};

/// The start of a field's name → our kind; longer names first.
const KINDS: &[(&str, &str)] = &[
    ("cache_creation_input_token_cost_above_12hr", "cache_write_12h_tokens"),
    ("cache_creation_input_token_cost_above_1hr", "cache_write_1h_tokens"),
    ("cache_creation_input_token_cost", "cache_write_tokens"),
    ("cache_read_input_audio_token_cost", "cache_read_audio_tokens"),
    ("cache_read_input_image_token_cost", "cache_read_image_tokens"),
    ("cache_read_input_token_cost", "cache_read_tokens"),
    ("input_cost_per_audio_token", "input_audio_tokens"),
    ("input_cost_per_image_token", "input_image_tokens"),
    ("input_cost_per_video_token", "input_video_tokens"),
    ("input_cost_per_token", "input_tokens"),
    ("output_cost_per_reasoning_token", "reasoning_tokens"),
    ("output_cost_per_audio_token", "output_audio_tokens"),
    ("output_cost_per_image_token", "output_image_tokens"),
    ("output_cost_per_token", "output_tokens"),
];

/// The end of a field's name → service tier; `batches` is batch processing.
const MODES: &[&str] = &["batches", "flex", "priority", "balanced", "ultrafast"];

/// A field of rates: its kind, the context threshold it is above, and its mode.
struct Field {
    kind: &'static str,
    above: Option<u64>,
    mode: &'static str,
}

impl Field {
    fn read(name: &str) -> Option<Self> {
        let (kind, mut rest) = KINDS.iter().find_map(|(theirs, ours)| Some((*ours, name.strip_prefix(theirs)?)))?;
        let mut mode = "";
        for word in MODES {
            if let Some(head) = rest.strip_suffix(word).and_then(|head| head.strip_suffix('_')) {
                (mode, rest) = (word, head);
                break;
            }
        }
        if rest.is_empty() {
            return Some(Self { kind, above: None, mode });
        }
        let thousands = rest.strip_prefix("_above_")?.strip_suffix("k_tokens")?.parse::<u64>().ok()?;
        Some(Self { kind, above: Some(thousands * 1000), mode })
    }
}

/// One entry of the file, under our provider and name.
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) model: Model,
}

type Fields<'a> = BTreeMap<String, &'a RawValue>;

pub(super) fn entries(source: &str, decisions: &Decisions, notes: &mut Notes) -> anyhow::Result<Vec<Entry>> {
    let file: BTreeMap<String, &RawValue> = serde_json::from_str(source)?;
    let mut entries = Vec::new();
    for (key, raw) in file {
        let fields: Fields<'_> = serde_json::from_str(raw.get()).with_context(|| key.clone())?;
        let Some(theirs) =
            fields.get("litellm_provider").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok())
        else {
            continue;
        };
        if key == "sample_spec" {
            continue;
        }
        let provider = decisions.litellm_provider(&theirs);
        match entry(&key, &provider, &fields, decisions, notes) {
            Ok(Some(model)) => entries.push(Entry { key, model }),
            Ok(None) => {
                notes.skip("litellm", &key, "no price per token, or nothing but zeros, which mean unknown here");
            }
            Err(error) => notes.skip("litellm", &key, &format!("{error:#}")),
        }
    }
    Ok(entries)
}

/// A rate in dollars per token, written in binary floating point's shortest digits, as dollars per million tokens.
fn rate(raw: &RawValue) -> anyhow::Result<Rate> {
    let text = raw.get().trim_matches('"');
    let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().with_context(|| text.to_owned())?;
    super::row::rate(&format!("{digits}e{}", exponent + 6))
}

/// Rates by mode and by the context threshold that they are above.
type Levels = BTreeMap<(&'static str, Option<u64>), Rates>;

fn has_text(rates: &Rates) -> bool {
    rates.contains_key("input_tokens") || rates.contains_key("output_tokens")
}

/// Drops context steps that state no rate of text in any mode: taken for steps, they would leave long contexts without a price.
fn drop_partial_steps(key: &str, levels: &mut Levels, notes: &mut Notes) {
    let whole: BTreeSet<u64> =
        levels.iter().filter(|(_, rates)| has_text(rates)).filter_map(|((_, above), _)| *above).collect();
    levels.retain(|(_, above), _| {
        let is_kept = above.is_none_or(|threshold| whole.contains(&threshold));
        if !is_kept {
            notes.skip("litellm", key, "a context step without a rate of text");
        }
        is_kept
    });
}

fn entry(
    key: &str,
    provider: &str,
    fields: &Fields<'_>,
    decisions: &Decisions,
    notes: &mut Notes,
) -> anyhow::Result<Option<Model>> {
    let mut levels = Levels::new();
    for (name, raw) in fields {
        if raw.get() == "null" {
            continue;
        }
        if let Some(field) = Field::read(name) {
            let rate = match rate(raw) {
                Ok(rate) => rate,
                // A kind that can't be stated has no price; without these two the model would be of no use.
                Err(error) if matches!(field.kind, "input_tokens" | "output_tokens") => return Err(error),
                Err(error) => {
                    notes.skip("litellm", &format!("{key} {name}"), &format!("{error:#}"));
                    continue;
                }
            };
            // Zeros stand for "no charge", "not offered" and "not known" alike; a cache write at 0 is never a price.
            if rate == Rate::FREE && field.kind.starts_with("cache_write") {
                continue;
            }
            levels.entry((field.mode, field.above)).or_default().insert(field.kind, Some(rate));
        }
    }
    if let Some(tiers) = fields.get("tiered_pricing") {
        tiered(tiers, &mut levels)?;
    }
    drop_partial_steps(key, &mut levels, notes);
    let base = levels.remove(&("", None)).unwrap_or_default();
    if !has_text(&base) || base.values().all(|rate| *rate == Some(Rate::FREE)) {
        return Ok(None);
    }
    let mut standard = Row { rates: base, source: decisions.litellm_source(), ..Row::default() };
    for ((mode, above), rates) in &levels {
        if let ("", Some(threshold)) = (*mode, above) {
            // xAI's documentation words its threshold "200k or more"; the others say "more than".
            standard.above.insert(*threshold, (provider == "xai", rates.clone()));
        }
    }
    standard.per_request = web_search(fields);
    standard.regions = regions(provider, fields)?;
    standard.simplify();
    standard.leave_open();
    let mut rows = vec![standard.clone()];
    for mode in MODES {
        let Some(rates) = levels.get(&(*mode, None)) else { continue };
        if !has_text(rates) {
            continue;
        }
        let mut row = Row { rates: rates.clone(), above: BTreeMap::new(), ..standard.clone() };
        // What the mode doesn't say is not known: neither the standard rate nor a fallback may stand in for it.
        for kind in standard.rates.keys() {
            row.rates.entry(kind).or_insert(None);
        }
        for (threshold, (inclusive, _)) in &standard.above {
            row.above.insert(*threshold, (*inclusive, Rates::new()));
        }
        for ((other, above), rates) in &levels {
            if let (true, Some(threshold)) = (other == mode, above) {
                row.above.insert(*threshold, (provider == "xai", rates.clone()));
            }
        }
        row.simplify();
        row.leave_open();
        if *mode == "batches" {
            row.batch = true;
        } else {
            row.service_tier = Some((*mode).to_owned());
        }
        rows.push(row);
    }
    off_peak(fields, &standard, &mut rows)?;
    let page = fields.get("source").and_then(|raw| serde_json::from_str::<String>(raw.get()).ok());
    let page = page.filter(|page| page.starts_with("https://") && page.len() < 200);
    let (name, region) = named(key, provider, decisions);
    for row in &mut rows {
        row.region.clone_from(&region);
    }
    Ok(Some(Model { provider: provider.to_owned(), name, names: Vec::new(), page, rows }))
}

/// The model's name and region in a key such as `azure/eu/gpt-4o`, `bedrock/us-west-2/anthropic.claude-v1`, `xai/grok-4`.
fn named(key: &str, provider: &str, decisions: &Decisions) -> (String, Option<String>) {
    let mut rest = key;
    let mut region = None;
    if let Some((first, tail)) = rest.split_once('/')
        && decisions.is_prefix(first, provider)
    {
        rest = tail;
        if matches!(provider, "azure" | "bedrock" | "bedrock_mantle")
            && let Some((place, tail)) = rest.split_once('/')
            && decisions.is_region(place)
        {
            region = Some(place.to_ascii_lowercase());
            rest = tail;
        }
    }
    (rest.to_owned(), region)
}

fn tiered(raw: &RawValue, levels: &mut Levels) -> anyhow::Result<()> {
    let tiers: Vec<BTreeMap<String, &RawValue>> = serde_json::from_str(raw.get())?;
    for tier in tiers {
        let range: Vec<f64> = serde_json::from_str(tier.get("range").context("a tier without a range")?.get())?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a whole number of tokens")]
        let start = range.first().copied().context("an empty range")? as u64;
        let level = levels.entry(("", (start > 0).then_some(start))).or_default();
        for (name, raw) in &tier {
            if let Some(field) = Field::read(name) {
                level.insert(field.kind, Some(rate(raw)?));
            }
        }
    }
    Ok(())
}

/// The price of a web search where it doesn't depend on how much is read, which no usage tells.
fn web_search(fields: &Fields<'_>) -> BTreeMap<String, String> {
    let sizes = fields.get("search_context_cost_per_query");
    let sizes: Option<BTreeMap<String, &RawValue>> = sizes.and_then(|raw| serde_json::from_str(raw.get()).ok());
    let mut prices: Vec<&str> = sizes.iter().flatten().map(|(_, raw)| raw.get()).collect();
    prices.dedup();
    match &*prices {
        [one] if one.parse::<f64>().is_ok_and(|price| price > 0.0) => {
            let price = tokenbook::Usd::parse(one).map(|usd| usd.to_string());
            price.ok().into_iter().map(|price| ("web_search".to_owned(), price)).collect()
        }
        _ => BTreeMap::new(),
    }
}

fn regions(provider: &str, fields: &Fields<'_>) -> anyhow::Result<BTreeMap<String, String>> {
    let mut regions = BTreeMap::new();
    let factor = |raw: &RawValue| raw.get().trim_end_matches(".0").to_owned();
    for region in ["eu", "us"] {
        if let Some(raw) = fields.get(&format!("regional_processing_uplift_multiplier_{region}")) {
            regions.insert(region.to_owned(), factor(raw));
        }
    }
    if let Some(raw) = fields.get("regional_endpoint_uplift_multiplier") {
        for region in ["regional", "us", "eu"] {
            regions.insert(region.to_owned(), factor(raw));
        }
    }
    if provider == "anthropic"
        && let Some(raw) = fields.get("provider_specific_entry")
    {
        let entry: BTreeMap<String, &RawValue> = serde_json::from_str(raw.get())?;
        if let Some(raw) = entry.get("us") {
            regions.insert("us".to_owned(), factor(raw));
        }
    }
    Ok(regions)
}

#[derive(Deserialize)]
struct Schedule {
    windows: Vec<Hours>,
}

#[derive(Deserialize)]
struct Hours {
    hours_utc: Value,
    #[serde(default)]
    weekdays: Vec<usize>,
}

/// Rows for the hours in which a model is cheaper.
fn off_peak(fields: &Fields<'_>, standard: &Row, rows: &mut Vec<Row>) -> anyhow::Result<()> {
    const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let Some(raw) = fields.get("off_peak_pricing") else { return Ok(()) };
    let schedule: Schedule = serde_json::from_str(raw.get())?;
    let rates: BTreeMap<String, &RawValue> = serde_json::from_str(raw.get())?;
    let mut row = standard.clone();
    for (name, raw) in &rates {
        if let Some(field) = Field::read(name) {
            row.rates.insert(field.kind, Some(rate(raw)?));
        }
    }
    for window in schedule.windows {
        let hours: Vec<String> = match window.hours_utc {
            Value::String(one) => vec![one],
            many => serde_json::from_value(many)?,
        };
        let days: Vec<&str> = window.weekdays.iter().filter_map(|day| DAYS.get(day.checked_sub(1)?).copied()).collect();
        row.window = Some(serde_json::json!({"zone": "UTC", "days": days, "hours": hours}));
        rows.push(row.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_told_apart() {
        let field =
            Field::read("cache_creation_input_token_cost_above_12hr_above_272k_tokens_priority").expect("a rate");
        assert_eq!((field.kind, field.above, field.mode), ("cache_write_12h_tokens", Some(272_000), "priority"));
        let field = Field::read("input_cost_per_token_batches").expect("a rate");
        assert_eq!((field.kind, field.above, field.mode), ("input_tokens", None, "batches"));
        assert!(Field::read("input_cost_per_token_cache_hit").is_none());
        assert!(Field::read("input_cost_per_token_decisions").is_none());
        assert!(Field::read("input_cost_per_audio_per_second").is_none());
    }

    #[test]
    fn a_context_step_for_sound_alone_leaves_the_price_of_text_as_it_is() {
        let decisions = crate::root().join("crates/xtask/prices/decisions.toml");
        let decisions = Decisions::read(&decisions).expect("read");
        let steps_and_notes = |steps: &str| {
            let file = format!(
                r#"{{"m": {{"litellm_provider": "openai", "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6,
                    "input_cost_per_audio_token": 3e-6, "input_cost_per_audio_token_above_200k_tokens": 3e-6{steps}}}}}"#
            );
            let mut notes = Notes::default();
            let found = entries(&file, &decisions, &mut notes).expect("read");
            (found[0].model.rows[0].above.len(), notes.skipped.len())
        };
        assert_eq!(steps_and_notes(""), (0, 1));
        assert_eq!(steps_and_notes(r#", "output_cost_per_token_above_200k_tokens": 4e-6"#), (1, 0));
    }

    #[test]
    fn rates_keep_their_digits() {
        let raw: &RawValue = serde_json::from_str("1.3125e-07").expect("a number");
        assert_eq!(rate(raw).expect("a rate").to_string(), "0.13125");
        let raw: &RawValue = serde_json::from_str("0.0000025").expect("a number");
        assert_eq!(rate(raw).expect("a rate").to_string(), "2.5");
    }
}
