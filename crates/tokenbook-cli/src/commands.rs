//! One function for each command: arguments to an operation, its answer to a table or JSON.

use std::io::Read as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use tokenbook_wire::{Error, ErrorCode, call};

use crate::arguments::{
    Arguments, Cost, Count, Export, ExportFormat, Extract, List, PricesDiff, PricesSearch, PricesShow, Prune, Query,
    Range, Record, Report, Snapshot,
};
use crate::failure::Failure;
use crate::page::{self, View};
use crate::place;
use crate::table::{Rows, cell};

pub(crate) type Outcome = Result<(), Failure>;

/// An operation's answer: as the core wrote it for programs, read for people.
pub(crate) struct Answer {
    text: String,
    value: Value,
}

impl Answer {
    fn new(text: String) -> Result<Self, Failure> {
        let value = serde_json::from_str(&text).map_err(|error| Error::new(ErrorCode::Internal, error.to_string()))?;
        Ok(Self { text, value })
    }
}

impl std::ops::Deref for Answer {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Runs an operation without a ledger and reads its answer.
fn ask(op: &str, args: &Value) -> Result<Answer, Failure> {
    Answer::new(call(op, &args.to_string())?)
}

/// Runs an operation on the ledger and reads its answer.
pub(crate) fn ask_ledger(arguments: &Arguments, op: &str, args: &Value) -> Result<Answer, Failure> {
    Answer::new(place::open(arguments)?.call(op, &args.to_string())?)
}

/// The bytes of a file, or of standard input.
fn input(file: Option<&PathBuf>) -> Result<Vec<u8>, Failure> {
    if let Some(path) = file.filter(|path| path.as_os_str() != "-") {
        return std::fs::read(path).map_err(|error| Failure::io(path.display(), &error));
    }
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes).map_err(|error| Failure::io("standard input", &error))?;
    Ok(bytes)
}

fn text(file: Option<&PathBuf>) -> Result<String, Failure> {
    String::from_utf8(input(file)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::invalid(format!("the input is not valid UTF-8 at byte {at}"))
    })
}

/// An object without the fields that are absent.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(
        fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

pub(crate) fn with_range(mut args: Value, range: &Range) -> Value {
    for (name, value) in [("from", &range.from), ("to", &range.to)] {
        if let Some(value) = value {
            args[name] = json!(value);
        }
    }
    args
}

pub(crate) fn count(arguments: &Arguments, count: &Count) -> Outcome {
    let text = text(count.file.as_ref())?;
    if count.parts {
        return count_parts(arguments, count, &text);
    }
    let model = count.model.as_deref();
    let exact = match (model, &count.encoding) {
        (Some(model), _) => ask("count", &json!({ "text": text, "model": model })),
        (None, encoding) => {
            ask("count", &json!({ "text": text, "encoding": encoding.as_deref().unwrap_or("o200k_base") }))
        }
    };
    let answer = match (exact, model) {
        // Without a public vocabulary there is an estimate, and it says so.
        (Err(failure), Some(model)) if failure.is_unknown_model() => {
            ask("estimate", &json!({ "text": text, "model": model }))?
        }
        (answer, _) => answer?,
    };
    if arguments.json {
        println!("{answer}");
    } else if answer["exactness"] == "exact" {
        println!("{}", answer["tokens"]);
    } else {
        println!("{} ({}, {} to {})", answer["tokens"], cell(&answer["exactness"]), answer["low"], answer["high"]);
    }
    Ok(())
}

fn count_parts(arguments: &Arguments, count: &Count, body: &str) -> Outcome {
    let request: Value = serde_json::from_str(body)
        .map_err(|error| Failure::invalid(format!("the request is not valid JSON: {error}")))?;
    let api = match &count.api {
        Some(api) => api.as_str(),
        None => told_from(&request).ok_or_else(|| {
            Failure::invalid("the request's wire format can't be told from its body")
                .hint("name it: --api anthropic.messages")
        })?,
    };
    let answer =
        ask("count_request", &object([("api", json!(api)), ("body", json!(body)), ("model", json!(count.model))]))?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let mut rows = Rows::new(&["part", "name", "#index", "#tokens"]);
    for part in answer["parts"].as_array().into_iter().flatten() {
        rows.push([cell(&part["kind"]), cell(&part["name"]), cell(&part["index"]), cell(&part["tokens"])]);
    }
    rows.push(["framing".into(), String::new(), String::new(), cell(&answer["framing_tokens"])]);
    rows.push(["total".into(), cell(&answer["exactness"]), String::new(), cell(&answer["input_tokens"])]);
    rows.print("the request has no parts");
    if answer["exactness"] != "exact" {
        println!("between {} and {}", answer["low"], answer["high"]);
    }
    if let Some(reason) = answer["reason"].as_str() {
        println!("{reason}");
    }
    Ok(())
}

/// The wire format that a request's own fields give away.
fn told_from(request: &Value) -> Option<&'static str> {
    let has = |name: &str| request.get(name).is_some();
    let is_claude = request["model"].as_str().is_some_and(|model| model.contains("claude"));
    match () {
        () if has("contents") => Some("google.generateContent"),
        () if request["model"].as_str().is_some_and(|model| model.starts_with("text-embedding")) => {
            Some("openai.embeddings")
        }
        () if has("inferenceConfig") || has("toolConfig") => Some("bedrock.converse"),
        () if has("input") => Some("openai.responses"),
        () if has("messages") && (is_claude || has("anthropic_version")) => Some("anthropic.messages"),
        () if has("messages") && has("model") => Some("openai.chat"),
        () => None,
    }
}

pub(crate) fn extract(extract: &Extract) -> Outcome {
    let answer = if extract.stream {
        let bytes = input(extract.file.as_ref())?;
        let stream = tokenbook_wire::UsageStream::open(&json!({ "api": extract.api }).to_string())?;
        stream.push(&bytes)?;
        stream.finish()?
    } else {
        call("extract", &json!({ "api": extract.api, "body": text(extract.file.as_ref())? }).to_string())?
    };
    println!("{answer}");
    Ok(())
}

pub(crate) fn cost(arguments: &Arguments, cost: &Cost) -> Outcome {
    let usage = match &cost.usage {
        Some(usage) => serde_json::from_str(usage)
            .map_err(|error| Failure::invalid(format!("the usage is not valid JSON: {error}")))?,
        None => object([("input_tokens", json!(cost.input)), ("output_tokens", json!(cost.output))]),
    };
    let batch = if cost.batch { json!(true) } else { Value::Null };
    let answer = ask(
        "cost",
        &object([
            ("model", json!(cost.model)),
            ("provider", json!(cost.provider)),
            ("usage", usage),
            ("at", json!(cost.at)),
            ("service_tier", json!(cost.service_tier)),
            ("batch", batch),
            ("region", json!(cost.region)),
        ]),
    )?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    if answer["status"] == "unpriced" {
        let failure = Error::new(ErrorCode::UnknownModel, format!("unpriced: {}", cell(&answer["reason"])));
        let near = cell(&answer["near"]);
        let failure = Failure::from(failure);
        return Err(if near.is_empty() { failure } else { failure.hint(format!("near names: {near}")) });
    }
    let mut rows = Rows::new(&["kind", "#amount", "#price", "#USD"]);
    for line in answer["lines"].as_array().into_iter().flatten() {
        let amount = if line["tokens"].is_null() { &line["requests"] } else { &line["tokens"] };
        let price = match line["price_per_mtok"].as_str() {
            Some(price) => format!("{price} / 1M"),
            None => cell(&line["price_per_request"]),
        };
        rows.push([cell(&line["kind"]), cell(amount), price, cell(&line["amount_usd"])]);
    }
    rows.push(["total".into(), String::new(), String::new(), cell(&answer["total_usd"])]);
    rows.print("nothing was used");
    Ok(())
}

pub(crate) fn record(arguments: &Arguments, record: &Record) -> Outcome {
    let call = match &record.call {
        Some(call) => call.clone(),
        None => text(None)?,
    };
    println!("{}", place::open(arguments)?.call("record", &call)?);
    Ok(())
}

pub(crate) fn report(arguments: &Arguments, report: &Report) -> Outcome {
    if let Some(file) = &report.html {
        let view = View::new(report.range.from.clone(), report.range.to.clone(), report.time_zone.clone());
        let page = page::page(&place::open(arguments)?, &view)?;
        return std::fs::write(file, page::alone(&page)).map_err(|error| Failure::io(file.display(), &error));
    }
    let args = object([("group_by", json!(report.by)), ("time_zone", json!(report.time_zone))]);
    let answer = ask_ledger(arguments, "report", &with_range(args, &report.range))?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let mut headings: Vec<&str> = report.by.iter().map(String::as_str).collect();
    headings.extend(["#calls", "#failed", "#truncated", "#input", "#output", "#USD", "#unpriced"]);
    // What each tool was called, and what of the input its definition and its results took.
    let of_tools: &[&str] = if report.by.iter().any(|name| name == "tool") {
        headings.extend(["#called", "#definitions", "#results"]);
        &["tools_called", "tool_definition_tokens", "tool_result_tokens"]
    } else {
        &[]
    };
    let mut rows = Rows::new(&headings);
    let sums = |row: &Value| {
        let field = |name: &str| cell(&row[name]);
        let tools: Vec<String> = of_tools.iter().map(|name| field(name)).collect();
        [
            field("calls"),
            field("failed"),
            field("truncated"),
            field("total_input_tokens"),
            field("total_output_tokens"),
            // A group without any known cost did not cost 0.
            if row["unpriced_calls"] == row["calls"] { "unknown".to_owned() } else { field("cost_usd") },
            field("unpriced_calls"),
        ]
        .into_iter()
        .chain(tools)
    };
    for row in answer["rows"].as_array().into_iter().flatten() {
        let keys = report.by.iter().map(|name| match &row[name] {
            Value::Null => "–".to_owned(),
            key => cell(key),
        });
        rows.push(keys.chain(sums(row)).collect::<Vec<_>>());
    }
    let blank = std::iter::once("total".to_owned())
        .chain(std::iter::repeat_n(String::new(), report.by.len().saturating_sub(1)));
    rows.push(blank.chain(sums(&answer["total"])).collect::<Vec<_>>());
    rows.print("the ledger is empty");
    Ok(())
}

pub(crate) fn list(arguments: &Arguments, list: &List) -> Outcome {
    let answer = ask_ledger(arguments, "list", &with_range(json!({ "limit": list.limit }), &list.range))?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let mut rows = Rows::new(&["at", "agent", "action", "model", "#input", "#output", "stop", "#USD"]);
    for call in answer["calls"].as_array().into_iter().flatten() {
        let cost =
            if call["cost"]["status"] == "unpriced" { "unpriced".to_owned() } else { cell(&call["cost"]["total_usd"]) };
        rows.push([
            cell(&call["at"]),
            cell(&call["agent"]),
            cell(&call["action"]),
            cell(&call["model"]),
            cell(&call["usage"]["total_input_tokens"]),
            cell(&call["usage"]["total_output_tokens"]),
            cell(&call["stop_reason"]),
            cost,
        ]);
    }
    rows.print("no calls");
    Ok(())
}

pub(crate) fn query(arguments: &Arguments, query: &Query) -> Outcome {
    let answer = ask_ledger(arguments, "query", &json!({ "sql": query.sql }))?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let columns: Vec<String> = answer["columns"].as_array().into_iter().flatten().map(cell).collect();
    let headings: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut rows = Rows::new(&headings);
    for row in answer["rows"].as_array().into_iter().flatten() {
        rows.push(row.as_array().into_iter().flatten().map(cell));
    }
    rows.print("no rows");
    Ok(())
}

pub(crate) fn export(arguments: &Arguments, to: &Export) -> Outcome {
    #[cfg(feature = "parquet")]
    if matches!(to.format, Some(ExportFormat::Parquet))
        || (to.format.is_none() && to.file.extension().is_some_and(|ending| ending == "parquet"))
    {
        let book = place::open(arguments)?;
        let exported = crate::columnar::export(&book, &to.file, with_range(json!({}), &to.range))?;
        println!("{}", json!({ "path": to.file, "calls": exported }));
        return Ok(());
    }
    let format = to.format.map(|format| match format {
        ExportFormat::Csv => "csv",
        #[cfg(feature = "parquet")]
        ExportFormat::Parquet => "parquet",
        ExportFormat::Jsonl => "jsonl",
    });
    let args = object([("path", json!(place::path_text(&to.file)?)), ("format", json!(format))]);
    let args = with_range(args, &to.range);
    println!("{}", ask_ledger(arguments, "export", &args)?);
    Ok(())
}

pub(crate) fn prices_show(arguments: &Arguments, show: &PricesShow) -> Outcome {
    let answer = ask("prices_show", &object([("model", json!(show.model)), ("provider", json!(show.provider))]))?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let mut rows =
        Rows::new(&["provider", "model", "from", "conditions", "#input", "#output", "#cache read", "#cache write"]);
    for model in answer["models"].as_array().into_iter().flatten() {
        for price in model["rows"].as_array().into_iter().flatten() {
            let rate = |kind: &str| cell(&price["rates"][kind]);
            let conditions = price.as_object().into_iter().flatten().filter(|(name, value)| {
                !matches!(name.as_str(), "rates" | "from" | "until" | "source" | "checked" | "regions" | "per_request")
                    && !matches!(value, Value::Bool(false))
                    && *value != "standard"
            });
            let conditions: Vec<_> = conditions.map(|(name, value)| condition(name, value)).collect();
            rows.push([
                cell(&model["provider"]),
                cell(&model["model"]),
                cell(&price["from"]),
                conditions.join("\n"),
                rate("input_tokens"),
                rate("output_tokens"),
                rate("cache_read_tokens"),
                [rate("cache_write_5m_tokens"), rate("cache_write_tokens")]
                    .into_iter()
                    .find(|rate| !rate.is_empty())
                    .unwrap_or_default(),
            ]);
        }
    }
    rows.print("no prices");
    Ok(())
}

/// A condition of a price row in a few words.
fn condition(name: &str, value: &Value) -> String {
    match (name, value) {
        ("above", Value::Array(tiers)) => {
            let tier = |tier: &Value| {
                let or_more = if tier["inclusive"] == true { " or more" } else { "" };
                let rate = |kind: &str| cell(&tier["rates"][kind]);
                format!(
                    "above {}{or_more}: input {}, output {}",
                    tier["tokens"],
                    rate("input_tokens"),
                    rate("output_tokens")
                )
            };
            tiers.iter().map(tier).collect::<Vec<_>>().join("\n")
        }
        (_, Value::Bool(true)) => name.to_owned(),
        _ => format!("{name} {}", cell(value)),
    }
}

pub(crate) fn prices_search(arguments: &Arguments, search: &PricesSearch) -> Outcome {
    let answer = ask("prices_search", &json!({ "query": search.query, "limit": search.limit }))?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let mut rows = Rows::new(&["provider", "model"]);
    for model in answer["models"].as_array().into_iter().flatten() {
        rows.push([cell(&model["provider"]), cell(&model["model"])]);
    }
    rows.print("no model has that in its name");
    Ok(())
}

pub(crate) fn prices_diff(arguments: &Arguments, diff: &PricesDiff) -> Outcome {
    let answer = ask("prices_diff", &json!({ "catalog": place::read(&diff.file)? }))?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let mut rows = Rows::new(&["change", "provider", "model"]);
    for change in answer["changes"].as_array().into_iter().flatten() {
        rows.push([cell(&change["change"]), cell(&change["provider"]), cell(&change["model"])]);
    }
    rows.print("the catalogs are the same");
    Ok(())
}

pub(crate) fn verify(arguments: &Arguments) -> Outcome {
    let answer = ask_ledger(arguments, "verify", &json!({}))?;
    println!("{answer}");
    if answer["ok"] == true {
        return Ok(());
    }
    Err(Error::new(ErrorCode::CorruptData, "the ledger is damaged").into())
}

pub(crate) fn prune(arguments: &Arguments, prune: &Prune) -> Outcome {
    println!("{}", ask_ledger(arguments, "prune", &json!({ "before": prune.before }))?);
    Ok(())
}

pub(crate) fn snapshot(arguments: &Arguments, snapshot: &Snapshot) -> Outcome {
    println!("{}", ask_ledger(arguments, "snapshot", &json!({ "path": place::path_text(&snapshot.file)? }))?);
    Ok(())
}

pub(crate) fn calibrations(arguments: &Arguments) -> Outcome {
    let answer = ask_ledger(arguments, "calibrations", &json!({}))?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let mut rows = Rows::new(&["model", "#calls", "#factor", "#added tokens", "#error before", "#error after"]);
    for of_model in answer["calibrations"].as_array().into_iter().flatten() {
        let calibration = &of_model["calibration"];
        let millionths = |name: &str| calibration[name].as_u64().unwrap_or(0);
        let factor = millionths("factor_millionths");
        let percent = |name| format!("{}.{} %", millionths(name) / 10_000, millionths(name) / 1000 % 10);
        rows.push([
            cell(&of_model["model"]),
            cell(&calibration["samples"]),
            format!("{}.{:03}", factor / 1_000_000, factor / 1000 % 1000),
            cell(&calibration["addend"]),
            percent("error_before_millionths"),
            percent("error_after_millionths"),
        ]);
    }
    rows.print("no estimated calls yet");
    Ok(())
}

pub(crate) fn doctor(arguments: &Arguments) -> Outcome {
    let version = ask("version", &json!({}))?;
    let ledger = place::ledger(arguments)?;
    let mut rows = Rows::new(&["what", "found"]);
    rows.push(["version".into(), cell(&version["version"])]);
    rows.push(["price catalog".into(), cell(&version["catalog_version"])]);
    let prices = place::prices(arguments)?;
    rows.push(["own prices".into(), if prices.exists() { prices.display().to_string() } else { "none".into() }]);
    if ledger.exists() {
        let stats = ask_ledger(arguments, "stats", &json!({}))?;
        rows.push(["ledger".into(), ledger.display().to_string()]);
        for (name, value) in stats.as_object().into_iter().flatten() {
            rows.push([format!("ledger: {name}"), cell(value)]);
        }
        rows.push([
            "advice".into(),
            "never open the ledger with another SQLite in a process that uses it: use `tokenbook query`".into(),
        ]);
    } else {
        rows.push(["ledger".into(), format!("none yet at {}", ledger.display())]);
    }
    rows.print("nothing");
    Ok(())
}
