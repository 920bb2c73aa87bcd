//! The prices in `genai_prices/data.py`.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokenbook::price::Rate;

use super::Notes;
use super::decisions::Decisions;
use super::row::{Model, Rates, Row};

/// The package's unit → our kind of tokens.
const KINDS: &[(&str, &str)] = &[
    ("input_mtok", "input_tokens"),
    ("output_mtok", "output_tokens"),
    ("cache_read_mtok", "cache_read_tokens"),
    ("cache_write_mtok", "cache_write_tokens"),
    ("cache_write_1h_mtok", "cache_write_1h_tokens"),
    ("cache_audio_read_mtok", "cache_read_audio_tokens"),
    ("cache_image_read_mtok", "cache_read_image_tokens"),
    ("input_audio_mtok", "input_audio_tokens"),
    ("input_image_mtok", "input_image_tokens"),
    ("input_video_mtok", "input_video_tokens"),
    ("output_audio_mtok", "output_audio_tokens"),
    ("output_image_mtok", "output_image_tokens"),
    ("output_reasoning_mtok", "reasoning_tokens"),
];

/// The package's unit → the server-side tool whose requests it prices, per thousand.
const TOOLS: &[(&str, &str)] = &[("web_searches_kcount", "web_search"), ("storage_searches_kcount", "file_search")];

/// Region prefixes of Bedrock's inference profiles, which bill the price of the region.
const PROFILES: &[&str] = &["us", "eu", "apac", "au", "jp", "ca", "in", "sa", "me", "af"];

pub(super) fn models(source: &str, decisions: &Decisions, notes: &mut Notes) -> anyhow::Result<Vec<Model>> {
    let providers = super::python::assigned(source, "providers")?;
    let mut models = Vec::new();
    for provider in providers.as_array().context("providers")? {
        let theirs = text(provider, "id")?;
        let page = provider["pricing_urls"].get(0).and_then(Value::as_str).map(str::to_owned);
        for model in provider["models"].as_array().context("models")? {
            let id = text(model, "id")?;
            let mut ours = decisions.genai_provider(theirs);
            // The package lists Vertex AI's partner models under Google.
            if theirs == "google" && (id.starts_with("claude-") || id.ends_with("-maas")) {
                "vertex".clone_into(&mut ours);
            }
            let mut names = names(&model["match"]);
            let mut name = id.to_owned();
            if let Some(regional) = id.strip_prefix("regional.") {
                regional.clone_into(&mut name);
                let base = unversioned(regional);
                let listed = names.iter().any(|name| name.starts_with("us."));
                // Where the package doesn't list the profiles one by one, all of them bill this price.
                let profiles = PROFILES
                    .iter()
                    .filter(|profile| !listed || names.iter().any(|name| name.starts_with(&format!("{profile}."))));
                let profiles: Vec<String> = profiles.map(|profile| format!("{profile}.{base}")).collect();
                names.extend(profiles);
                names.insert(base.to_owned());
            }
            if ours == "bedrock" {
                // A Bedrock id starts with its vendor; the bare name is the maker's.
                names.retain(|name| name.contains('.') && !name.starts_with("claude-") && !name.starts_with("gpt-"));
            }
            let mut left_out = Vec::new();
            let rows = rows(model, decisions, &mut left_out);
            for reason in left_out {
                notes.skip("genai-prices", &format!("{ours}/{id}"), &reason);
            }
            let rows = match rows {
                Ok(rows) => rows,
                Err(error) => {
                    notes.skip("genai-prices", &format!("{ours}/{id}"), &format!("{error:#}"));
                    continue;
                }
            };
            if rows.is_empty() {
                notes.skip("genai-prices", &format!("{ours}/{id}"), "no price per token, request or call");
                continue;
            }
            models.push(Model { provider: ours, name, names: names.into_iter().collect(), page: page.clone(), rows });
        }
    }
    Ok(models)
}

fn text<'a>(value: &'a Value, key: &str) -> anyhow::Result<&'a str> {
    value[key].as_str().with_context(|| format!("no {key}"))
}

fn unversioned(name: &str) -> &str {
    let head = name.split_once(':').map_or(name, |(head, _)| head);
    head.rsplit_once("-v").filter(|(_, v)| v.chars().all(|c| c.is_ascii_digit())).map_or(head, |(head, _)| head)
}

/// The names that a match clause states in full. Prefixes count as names too, since a date may follow them; patterns
/// (which only spell out dates) don't.
fn names(clause: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect_names(clause, &mut found);
    found
}

fn collect_names(clause: &Value, found: &mut BTreeSet<String>) {
    for key in ["or_", "and_"] {
        for part in clause.get(key).and_then(Value::as_array).into_iter().flatten() {
            collect_names(part, found);
        }
    }
    for key in ["equals", "starts_with", "ends_with", "contains"] {
        if let Some(name) = clause.get(key).and_then(Value::as_str) {
            let name = name.trim_matches(['/', '-', '@', '.', ':']);
            if name.len() > 1 {
                found.insert(name.to_owned());
            }
        }
    }
}

fn rows(model: &Value, decisions: &Decisions, left_out: &mut Vec<String>) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    let prices = &model["prices"];
    let plain = std::slice::from_ref(prices);
    let list = prices.as_array().map_or(plain, Vec::as_slice);
    for price in list {
        let (price, from, window) = conditional(price)?;
        let mut row = Row { from, window, ..priced(price, &Row::default(), left_out)? };
        row.source = decisions.genai_source();
        rows.push(row);
    }
    // A row in a window of hours holds on top of the dated rows, from when the current of them began.
    let mut variants = Vec::new();
    for variant in model.get("price_variants").and_then(Value::as_array).into_iter().flatten() {
        let when = variant["when"].as_object().context("when")?;
        let (key, value) = when.iter().next().context("an empty condition")?;
        let (tier, batch) = match (key.as_str(), value.as_str().context("a condition's value")?) {
            ("processing", "batch") => (None, true),
            // The base row itself, and what no usage tells of: a route or a kind of search chosen in the request.
            ("service_tier", "default") | ("route" | "search_type", _) => continue,
            ("service_tier" | "speed", tier) => (Some(tier.to_owned()), false),
            (key, _) => bail!("unknown condition {key}"),
        };
        let date = date(&variant["constraint"])?;
        let day = date.as_ref().unwrap_or(&decisions.version);
        // It varies the base row of its day, and began with that row where its date is only when it was read.
        let plain = rows.iter().filter(|row| row.window.is_none());
        let begun = plain.filter(|row| row.from.as_ref().is_none_or(|from| from <= day));
        let Some(base) = begun.max_by_key(|row| row.from.clone()) else { bail!("a variant before the first price") };
        let mut row = priced(&variant["prices"], base, left_out)?;
        let start = base.from.clone();
        row.from = date.filter(|date| !decisions.is_reading_date(date)).or(start);
        row.service_tier = tier;
        row.batch = batch;
        row.source = decisions.genai_source();
        variants.push(row);
    }
    rows.extend(variants);
    // A row that is empty in our units prices something that no usage counts, such as pages.
    rows.retain(|row| !row.rates.is_empty() || row.per_call.is_some());
    Ok(rows)
}

/// A conditional price's rates, start date and window.
fn conditional(price: &Value) -> anyhow::Result<(&Value, Option<String>, Option<Value>)> {
    if price["_"] != "ConditionalPrice" {
        return Ok((price, None, None));
    }
    let constraint = &price["constraint"];
    let window = (constraint["_"] == "TimeOfDateConstraint")
        .then(|| {
            let time = |key: &str| -> anyhow::Result<String> {
                let numbers = constraint[key]["args"].as_array().context("a time")?;
                let number = |at: usize| numbers.get(at).and_then(Value::as_u64).unwrap_or_default();
                Ok(format!("{:02}:{:02}", number(0), number(1)))
            };
            let hours = format!("{}-{}", time("start_time")?, time("end_time")?);
            anyhow::Ok(serde_json::json!({"zone": "UTC", "hours": [hours]}))
        })
        .transpose()?;
    Ok((&price["prices"], date(constraint)?, window))
}

fn date(constraint: &Value) -> anyhow::Result<Option<String>> {
    if constraint["_"] != "StartDateConstraint" {
        return Ok(None);
    }
    let numbers = constraint["start_date"]["args"].as_array().context("a date")?;
    let number = |at: usize| numbers.get(at).and_then(Value::as_u64).unwrap_or_default();
    Ok(Some(format!("{:04}-{:02}-{:02}", number(0), number(1), number(2))))
}

/// A row with a price object's rates in place of the base's, unit by unit: a flat rate also replaces a tiered one.
fn priced(price: &Value, base: &Row, left_out: &mut Vec<String>) -> anyhow::Result<Row> {
    let mut row = Row {
        rates: base.rates.clone(),
        above: base.above.clone(),
        per_call: base.per_call.clone(),
        per_request: base.per_request.clone(),
        ..Row::default()
    };
    for (unit, value) in price.as_object().context("a price")? {
        if let Some((_, kind)) = KINDS.iter().find(|(theirs, _)| theirs == unit) {
            match set(&mut row.rates, &mut row.above, kind, value) {
                Ok(()) => {}
                Err(error) if matches!(*kind, "input_tokens" | "output_tokens") => return Err(error),
                // A kind that can't be stated has no price; the others still have theirs.
                Err(error) => {
                    row.rates.remove(kind);
                    left_out.push(format!("{unit}: {error:#}"));
                }
            }
        } else if let Some((_, tool)) = TOOLS.iter().find(|(theirs, _)| theirs == unit) {
            row.per_request.insert((*tool).to_owned(), thousandth(value)?);
        } else if unit == "requests_kcount" {
            row.per_call = Some(thousandth(value)?);
        }
    }
    // A threshold may have rates for some kinds only; a step that lost all of its own is none.
    row.above.retain(|_, (_, rates)| !rates.is_empty());
    row.simplify();
    Ok(row)
}

fn set(
    rates: &mut Rates,
    above: &mut BTreeMap<u64, (bool, Rates)>,
    kind: &'static str,
    value: &Value,
) -> anyhow::Result<()> {
    for (_, step) in above.values_mut() {
        step.remove(kind);
    }
    let rate = |value: &Value| -> anyhow::Result<Rate> {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        super::row::rate(&text)
    };
    if value["_"] != "TieredPrices" {
        rates.insert(kind, Some(rate(value)?));
        return Ok(());
    }
    rates.insert(kind, Some(rate(&value["base"])?));
    for tier in value["tiers"].as_array().context("tiers")? {
        let start = tier["start"].as_u64().context("a tier's start")?;
        // The package writes "200,000 or more" as "more than 199,999".
        let inclusive = start % 1000 == 999;
        let threshold = if inclusive { start + 1 } else { start };
        let step = above.entry(threshold).or_insert_with(|| (inclusive, Rates::new()));
        step.1.insert(kind, Some(rate(&tier["price"])?));
    }
    Ok(())
}

/// Dollars per thousand as dollars for one.
fn thousandth(value: &Value) -> anyhow::Result<String> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pico = tokenbook::Usd::parse(&text)?.pico();
    if pico % 1000 != 0 {
        bail!("{text} per thousand is too fine");
    }
    Ok(tokenbook::Usd::from_pico(pico / 1000).to_string())
}
