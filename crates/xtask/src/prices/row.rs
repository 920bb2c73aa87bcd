//! Models and rows while they are put together, and how they are written down.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};
use serde_json::{Map, Value, json};
use tokenbook::price::Rate;

/// Rates by kind; none where the source has a price in other conditions but none in these.
pub(super) type Rates = BTreeMap<&'static str, Option<Rate>>;

/// Reads dollars per million tokens; digits that binary floats left behind are taken off.
///
/// A literal of 16 or 17 significant digits that ends in `…0000000x` or `…999999999x` is a short price after a float
/// multiplication: `0.20000000000000002` is 0.2. Any other rate finer than 0.000001 is refused.
pub(super) fn rate(text: &str) -> anyhow::Result<Rate> {
    match Rate::parse_per_mtok(text) {
        Ok(rate) => Ok(rate),
        Err(error) => match undusted(text).map(|text| Rate::parse_per_mtok(&text)) {
            Some(Ok(rate)) => Ok(rate),
            _ if error.message().ends_with("finer than 0.000001")
                || error.message().contains("digits after the point") =>
            {
                bail!("finer than 0.000001 dollars per million tokens")
            }
            _ => Err(error.into()),
        },
    }
}

/// The short decimal that a float literal stands for.
fn undusted(text: &str) -> Option<String> {
    /// Digits of a double that can be trusted after one rounding.
    const TRUSTED: usize = 14;
    let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if significant.len() < 16 || !significant.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (head, tail) = significant.split_at(TRUSTED);
    let (head, tail_length): (u64, usize) = (head.parse().ok()?, tail.len());
    let tail: u64 = tail.parse().ok()?;
    let full = 10_u64.pow(u32::try_from(tail_length).ok()?);
    let head = if tail <= 9 {
        head
    } else if tail >= full - 10 {
        head + 1
    } else {
        return None;
    };
    let scale = exponent - i32::try_from(fraction.len()).ok()? + i32::try_from(tail_length).ok()?;
    Some(format!("{head}e{scale}"))
}

/// A model at a provider.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) provider: String,
    pub(super) name: String,
    pub(super) names: Vec<String>,
    pub(super) page: Option<String>,
    pub(super) rows: Vec<Row>,
}

/// A price row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Row {
    pub(super) from: Option<String>,
    pub(super) until: Option<String>,
    pub(super) service_tier: Option<String>,
    pub(super) batch: bool,
    pub(super) region: Option<String>,
    pub(super) window: Option<Value>,
    pub(super) rates: Rates,
    /// Threshold → inclusive, rates.
    pub(super) above: BTreeMap<u64, (bool, Rates)>,
    pub(super) per_call: Option<String>,
    pub(super) per_request: BTreeMap<String, String>,
    pub(super) regions: BTreeMap<String, String>,
    pub(super) source: String,
    pub(super) checked: Option<String>,
}

impl Row {
    /// The conditions that tell rows of one model apart, dates left out.
    pub(super) fn conditions(&self) -> (Option<&str>, bool, Option<&str>, String) {
        let window = self.window.as_ref().map(Value::to_string).unwrap_or_default();
        (self.service_tier.as_deref(), self.batch, self.region.as_deref(), window)
    }

    /// Whether two rows charge the same, wherever they come from.
    pub(super) fn charges_like(&self, other: &Self) -> bool {
        self.rates == other.rates
            && self.above == other.above
            && self.per_call == other.per_call
            && self.per_request == other.per_request
            && self.regions == other.regions
    }

    /// Drops the rates of kinds that cost what their parent costs at every level: falling back says the same and stays
    /// right where another row changes the parent only.
    pub(super) fn simplify(&mut self) {
        const PARENTS: [(&str, &str); 6] = [
            ("reasoning_tokens", "output_tokens"),
            ("output_audio_tokens", "output_tokens"),
            ("output_image_tokens", "output_tokens"),
            ("input_audio_tokens", "input_tokens"),
            ("input_image_tokens", "input_tokens"),
            ("input_video_tokens", "input_tokens"),
        ];
        for (kind, parent) in PARENTS {
            let redundant = |rates: &Rates| rates.get(kind).is_none_or(|rate| Some(rate) == rates.get(parent));
            if redundant(&self.rates) && self.above.values().all(|(_, rates)| redundant(rates)) {
                self.rates.remove(kind);
                for (_, rates) in self.above.values_mut() {
                    rates.remove(kind);
                }
            }
        }
    }

    /// States that above a threshold there is no price for the kinds that have one below it and none is given above.
    pub(super) fn leave_open(&mut self) {
        for (_, rates) in self.above.values_mut() {
            for kind in self.rates.keys() {
                rates.entry(kind).or_insert(None);
            }
        }
    }

    pub(super) fn is_standard(&self) -> bool {
        self.service_tier.is_none() && !self.batch && self.region.is_none() && self.window.is_none()
    }

    pub(super) fn to_json(&self) -> Value {
        let mut map = Map::new();
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                map.insert(key.to_owned(), value);
            }
        };
        put("from", self.from.clone().map(Value::from));
        put("until", self.until.clone().map(Value::from));
        put("service_tier", self.service_tier.clone().map(Value::from));
        put("batch", self.batch.then(|| true.into()));
        put("region", self.region.clone().map(Value::from));
        put("window", self.window.clone());
        put("rates", Some(rates_to_json(&self.rates)));
        let above: Vec<Value> = self
            .above
            .iter()
            .map(|(tokens, (inclusive, rates))| {
                let mut step = json!({"tokens": tokens, "rates": rates_to_json(rates)});
                if *inclusive {
                    step["inclusive"] = true.into();
                }
                step
            })
            .collect();
        put("above", (!above.is_empty()).then_some(above.into()));
        put("per_call", self.per_call.clone().map(Value::from));
        put("per_request", (!self.per_request.is_empty()).then(|| json!(self.per_request)));
        put("regions", (!self.regions.is_empty()).then(|| json!(self.regions)));
        put("source", (!self.source.is_empty()).then(|| self.source.clone().into()));
        put("checked", self.checked.clone().map(Value::from));
        Value::Object(map)
    }

    pub(super) fn from_json(value: &Value) -> anyhow::Result<Self> {
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let texts = |key: &str| -> BTreeMap<String, String> {
            let map = value.get(key).and_then(Value::as_object);
            let pairs = map.into_iter().flatten();
            pairs.map(|(name, text)| (name.clone(), text.as_str().unwrap_or_default().to_owned())).collect()
        };
        let mut above = BTreeMap::new();
        for step in value.get("above").and_then(Value::as_array).into_iter().flatten() {
            let tokens = step["tokens"].as_u64().context("a threshold's tokens")?;
            let inclusive = step.get("inclusive").and_then(Value::as_bool).unwrap_or_default();
            above.insert(tokens, (inclusive, rates_from_json(&step["rates"])?));
        }
        Ok(Self {
            from: text("from"),
            until: text("until"),
            service_tier: text("service_tier"),
            batch: value.get("batch").and_then(Value::as_bool).unwrap_or_default(),
            region: text("region"),
            window: value.get("window").cloned(),
            rates: rates_from_json(&value["rates"])?,
            above,
            per_call: text("per_call"),
            per_request: texts("per_request"),
            regions: texts("regions"),
            source: text("source").unwrap_or_default(),
            checked: text("checked"),
        })
    }
}

fn rates_to_json(rates: &Rates) -> Value {
    // In the order of the kinds, input first, not of their names.
    let mut map = Map::new();
    for kind in tokenbook::TokenKind::ALL {
        if let Some(rate) = rates.get(kind.name()) {
            map.insert(kind.name().to_owned(), rate.map_or(Value::Null, |rate| rate.to_string().into()));
        }
    }
    Value::Object(map)
}

fn rates_from_json(value: &Value) -> anyhow::Result<Rates> {
    let mut rates = Rates::new();
    for (name, rate) in value.as_object().context("rates")? {
        let kind = tokenbook::TokenKind::from_name(name).with_context(|| format!("unknown kind {name}"))?;
        let text = rate.as_str().map_or_else(|| rate.to_string(), str::to_owned);
        rates.insert(kind.name(), if rate.is_null() { None } else { Some(Rate::parse_per_mtok(&text)?) });
    }
    Ok(rates)
}

impl Model {
    /// Puts names and rows into the order in which they are written.
    pub(super) fn tidy(&mut self) {
        let own = self.name.to_ascii_lowercase();
        self.names.sort_by_key(|name| name.to_ascii_lowercase());
        self.names.dedup_by_key(|name| name.to_ascii_lowercase());
        self.names.retain(|name| name.to_ascii_lowercase() != own);
        self.rows.sort_by_key(|row| {
            let (tier, batch, region, window) = row.conditions();
            (tier.map(str::to_owned), batch, region.map(str::to_owned), row.from.clone(), window)
        });
    }

    /// The rows of the model as they are written, one a line.
    pub(super) fn lines(&self) -> String {
        let mut head = Map::new();
        head.insert("provider".to_owned(), self.provider.clone().into());
        head.insert("model".to_owned(), self.name.clone().into());
        if !self.names.is_empty() {
            head.insert("names".to_owned(), self.names.clone().into());
        }
        if let Some(page) = &self.page {
            head.insert("page".to_owned(), page.clone().into());
        }
        let head = ordered(&head, &["provider", "model", "names", "page"]);
        let rows: Vec<String> = self.rows.iter().map(|row| format!("  {}", row.line())).collect();
        format!("{},\"rows\":[\n{}]}}", head.trim_end_matches('}'), rows.join(",\n"))
    }
}

impl Row {
    /// The row on one line, its keys in reading order.
    pub(super) fn line(&self) -> String {
        const ORDER: &[&str] = &[
            "from",
            "until",
            "service_tier",
            "batch",
            "region",
            "window",
            "rates",
            "above",
            "per_call",
            "per_request",
            "regions",
            "source",
            "checked",
        ];
        let Value::Object(map) = self.to_json() else { unreachable!("a row is an object") };
        ordered(&map, ORDER)
    }
}

/// An object whose keys stand in a given order; `serde_json` sorts them without its `preserve_order`.
fn ordered(map: &Map<String, Value>, order: &[&str]) -> String {
    let pairs: Vec<String> = order
        .iter()
        .filter_map(|key| {
            let value = map.get(*key)?;
            Some(format!("{}:{}", Value::from(*key), written(key, value)))
        })
        .collect();
    format!("{{{}}}", pairs.join(","))
}

fn written(key: &str, value: &Value) -> String {
    match (key, value) {
        ("rates", Value::Object(map)) => {
            let kinds: Vec<&str> = tokenbook::TokenKind::ALL.iter().map(|kind| kind.name()).collect();
            ordered(map, &kinds)
        }
        ("above", Value::Array(steps)) => {
            let steps: Vec<String> = steps
                .iter()
                .filter_map(Value::as_object)
                .map(|step| ordered(step, &["tokens", "inclusive", "rates"]))
                .collect();
            format!("[{}]", steps.join(","))
        }
        ("window", Value::Object(map)) => ordered(map, &["zone", "days", "hours", "except"]),
        _ => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dust_of_floats_is_taken_off_and_nothing_else_is() {
        for (text, want) in [
            ("2.0000000000000002e-1", "0.2"),
            ("9.499999999999999e-1", "0.95"),
            ("1.0399999999999998", "1.04"),
            ("0.18000000000000002", "0.18"),
            ("9.999990000000002e0", "9.99999"),
        ] {
            assert_eq!(rate(text).expect(text).to_string(), want);
        }
        for text in ["0.08333333333333334", "2.857142857142857e-1", "3.59375e-2"] {
            let error = rate(text).expect_err(text);
            assert_eq!(error.to_string(), "finer than 0.000001 dollars per million tokens");
        }
    }
}
