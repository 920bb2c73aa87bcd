//! The named questions, as tables for people.

use serde_json::{Value, json};

use crate::arguments::{Arguments, Compare, Forecast, Overview, Selected, WhatIf};
use crate::commands::{Outcome, ask_ledger, object, with_range};
use crate::failure::Failure;
use crate::table::{Rows, cell};

/// A share in tenths of a percent.
fn per_mille(value: &Value) -> String {
    value.as_u64().map_or_else(String::new, |share| format!("{}.{} %", share / 10, share % 10))
}

/// A rate from 0 to 1 as a percentage.
#[expect(clippy::float_arithmetic, reason = "a rate as people read it; the exact counts are in the JSON")]
fn percent(value: &Value) -> String {
    value.as_f64().map_or_else(String::new, |rate| format!("{:.1} %", rate * 100.0))
}

fn rounded(value: &Value) -> String {
    value.as_f64().map_or_else(String::new, |value| format!("{value:.1}"))
}

/// A filter from the values that were given.
fn filter(fields: &[(&str, &Vec<String>)]) -> Value {
    let given = fields.iter().filter(|(_, values)| !values.is_empty());
    let given: serde_json::Map<_, _> = given.map(|(name, values)| ((*name).to_owned(), json!(values))).collect();
    if given.is_empty() { Value::Null } else { Value::Object(given) }
}

pub(crate) fn overview(arguments: &Arguments, overview: &Overview) -> Outcome {
    let wanted = &overview.wanted;
    let args = object([
        ("time_zone", json!(overview.time_zone)),
        ("now", json!(overview.now)),
        ("filter", filter(&wanted.fields())),
    ]);
    let answer = ask_ledger(arguments, "overview", &with_range(args, &overview.range))?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let total = &answer["total"];
    if total["calls"] == 0 {
        println!("no calls");
        return Ok(());
    }
    let mut rows = Rows::new(&["figure", "#value", "note"]);
    let mut put = |name: &str, value: String, note: String| {
        if !value.is_empty() {
            rows.push([name.to_owned(), value, note]);
        }
    };
    put("calls", cell(&total["calls"]), format!("{} failed", total["failed"]));
    put("success rate", percent(&total["success_rate"]), String::new());
    put("tokens", cell(&total["total_tokens"]), format!("{} a call", rounded(&total["tokens_per_call"])));
    let shares = &answer["token_shares"];
    for (name, share) in [
        ("fresh input", "fresh_input_per_mille"),
        ("cache read", "cache_read_per_mille"),
        ("cache write", "cache_write_per_mille"),
        ("output", "output_per_mille"),
    ] {
        put(&format!("  {name}"), per_mille(&shares[share]), "of the tokens".to_owned());
    }
    let unpriced = match total["unpriced_calls"].as_u64() {
        Some(0) | None => String::new(),
        Some(calls) => format!("{calls} calls have no price"),
    };
    put("cost in USD", cell(&total["cost_usd"]), unpriced);
    put("  a call", cell(&total["cost_per_call_usd"]), String::new());
    put("  a success", cell(&total["cost_per_success_usd"]), String::new());
    let (cache, limits, tools) = (&answer["cache"], &answer["limits"], &answer["tool_use"]);
    put("cache hit rate", percent(&cache["hit_rate"]), format!("saved {} USD", cell(&cache["saved_usd"])));
    put("truncated", percent(&limits["truncation_rate"]), format!("{} calls", limits["truncated"]));
    put("utilization", percent(&limits["utilization"]), format!("{} above 90 %", limits["near_limit_calls"]));
    put("tools took", percent(&tools["overhead_of_tokens"]), "of the tokens".to_owned());
    let duration = &answer["sizes"]["duration_ms"];
    put(
        "duration in ms",
        cell(&duration["p50"]),
        format!("p90 {}, p99 {}", cell(&duration["p90"]), cell(&duration["p99"])),
    );
    put("calls a minute", rounded(&answer["pace"]["calls_per_minute"]), String::new());
    let projection = &answer["projection"];
    for (name, span) in [("a day", "day_usd"), ("a week", "week_usd"), ("30 days", "month_usd")] {
        put(&format!("projected {name}"), cell(&projection[span]), cell(&projection["basis"]));
    }
    rows.print("");

    let mut rows =
        Rows::new(&["agent", "action", "#calls", "#failed", "#tokens", "#share", "#USD", "#share", "#ms", "last"]);
    for part in answer["endpoints"].as_array().into_iter().flatten() {
        let name = |value: &Value| if value.is_null() { "–".to_owned() } else { cell(value) };
        rows.push([
            name(&part["agent"]),
            name(&part["action"]),
            cell(&part["calls"]),
            cell(&part["failed"]),
            cell(&part["total_tokens"]),
            per_mille(&part["tokens_per_mille"]),
            if part["unpriced_calls"] == part["calls"] { "unknown".to_owned() } else { cell(&part["cost_usd"]) },
            per_mille(&part["cost_per_mille"]),
            rounded(&part["average_duration_ms"]),
            cell(&part["last_at"]),
        ]);
    }
    rows.print("");
    let mut rows = Rows::new(&["tool", "#offered", "#called", "#share", "#definition", "#results", "#USD"]);
    for tool in tools["tools"].as_array().into_iter().flatten() {
        rows.push([
            cell(&tool["tool"]),
            cell(&tool["offered"]),
            cell(&tool["called"]),
            per_mille(&tool["called_per_mille"]),
            cell(&tool["definition_tokens"]),
            cell(&tool["result_tokens"]),
            cell(&tool["cost_usd"]),
        ]);
    }
    rows.print("no tools");
    Ok(())
}

/// A name, or a dash where there is none.
fn or_dash(value: &Value) -> String {
    if value.is_null() { "–".to_owned() } else { cell(value) }
}

pub(crate) fn findings(arguments: &Arguments, selected: &Selected) -> Outcome {
    let args = object([("filter", filter(&selected.wanted.fields()))]);
    let answer = ask_ledger(arguments, "findings", &with_range(args, &selected.range))?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let mut rows = Rows::new(&["finding", "#USD", "#calls", "what to do"]);
    for finding in answer["findings"].as_array().into_iter().flatten() {
        let mut advice = cell(&finding["advice"]);
        if let Some(limit) = finding["suggested_max_tokens"].as_u64() {
            advice = format!("{advice} Try {limit}.");
        }
        rows.push([cell(&finding["title"]), cell(&finding["amount_usd"]), cell(&finding["calls"]), advice]);
    }
    rows.print("nothing was found");
    let mut rows = Rows::new(&["tools called together", "#calls", "#USD", "#USD a call"]);
    for set in answer["tool_combinations"].as_array().into_iter().flatten() {
        rows.push([cell(&set["tools"]), cell(&set["calls"]), cell(&set["cost_usd"]), cell(&set["cost_per_call_usd"])]);
    }
    rows.print("no tools were called");
    Ok(())
}

pub(crate) fn what_if(arguments: &Arguments, what_if: &WhatIf) -> Outcome {
    let args = object([
        ("model", json!(what_if.other)),
        ("provider", json!(what_if.at_provider)),
        ("filter", filter(&what_if.selected.wanted.fields())),
    ]);
    let answer = ask_ledger(arguments, "what_if", &with_range(args, &what_if.selected.range))?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let mut rows = Rows::new(&["agent", "action", "model", "#calls", "#USD", "#USD there", "#difference", "#unpriced"]);
    let total = std::iter::once((true, &answer["total"]));
    for (is_total, part) in answer["parts"].as_array().into_iter().flatten().map(|part| (false, part)).chain(total) {
        rows.push([
            if is_total { "total".to_owned() } else { or_dash(&part["agent"]) },
            cell(&part["action"]),
            cell(&part["model"]),
            cell(&part["calls"]),
            cell(&part["actual_usd"]),
            cell(&part["what_if_usd"]),
            cell(&part["difference_usd"]),
            cell(&part["what_if_unpriced_calls"]),
        ]);
    }
    rows.print("no calls");
    Ok(())
}

/// A period written as `FROM/TO`.
fn period(text: &str) -> Result<Value, Failure> {
    let (from, to) =
        text.split_once('/').ok_or_else(|| Failure::invalid(format!("expected a period as FROM/TO, got {text:?}")))?;
    let edge = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    Ok(object([("from", edge(from)), ("to", edge(to))]))
}

pub(crate) fn compare(arguments: &Arguments, compare: &Compare) -> Outcome {
    let args = object([
        ("a", period(&compare.before)?),
        ("b", period(&compare.after)?),
        ("filter", filter(&compare.wanted.fields())),
    ]);
    let answer = ask_ledger(arguments, "compare", &args)?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let headings =
        ["agent", "action", "model", "#USD before", "#USD after", "#change", "#volume", "#mix", "#tokens", "#price"];
    let mut rows = Rows::new(&headings);
    let row = |names: [String; 3], costs: [&Value; 3], reasons: &Value| {
        let why = ["volume_usd", "mix_usd", "tokens_per_call_usd", "price_usd"].map(|name| cell(&reasons[name]));
        names.into_iter().chain(costs.map(cell)).chain(why).collect::<Vec<_>>()
    };
    for group in answer["groups"].as_array().into_iter().flatten() {
        let names = [or_dash(&group["agent"]), or_dash(&group["action"]), cell(&group["model"])];
        let costs = [&group["cost_a_usd"], &group["cost_b_usd"], &group["change_usd"]];
        rows.push(row(names, costs, &group["reasons"]));
    }
    let costs = [&answer["a"]["cost_usd"], &answer["b"]["cost_usd"], &answer["change_usd"]];
    rows.push(row(["total".to_owned(), String::new(), String::new()], costs, &answer["reasons"]));
    rows.print("no calls");
    Ok(())
}

pub(crate) fn forecast(arguments: &Arguments, forecast: &Forecast) -> Outcome {
    let args = object([
        ("days", json!(forecast.days)),
        ("limit_usd", json!(forecast.limit)),
        ("time_zone", json!(forecast.time_zone)),
        ("now", json!(forecast.now)),
        ("filter", filter(&forecast.wanted.fields())),
    ]);
    let answer = ask_ledger(arguments, "forecast", &args)?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    println!("{} to {}", cell(&answer["first_day"]), cell(&answer["last_day"]));
    let mut rows = Rows::new(&["of", "name", "#USD", "90 %", "#tokens", "90 %", "basis"]);
    let band = |of: &Value| match (&of["low"], &of["high"]) {
        (Value::Null, _) => String::new(),
        (low, high) => format!("{} to {}", cell(low), cell(high)),
    };
    let mut put = |of: &str, name: String, one: &Value| {
        let (cost, tokens) = (&one["cost_usd"], &one["tokens"]);
        let cells = [cell(&cost["expected"]), band(cost), cell(&tokens["expected"]), band(tokens), cell(&one["basis"])];
        rows.push([of.to_owned(), name].into_iter().chain(cells));
    };
    put("all", String::new(), &answer["total"]);
    for (list, of) in [("agents", "agent"), ("models", "model")] {
        for one in answer[list].as_array().into_iter().flatten() {
            put(of, or_dash(&one[of]), one);
        }
    }
    rows.print("");
    if let Some(used_up) = answer["used_up"].as_object() {
        let day = |name: &str| used_up.get(name).map_or_else(|| "later".to_owned(), cell);
        println!(
            "{} USD are used up on {} (90 %: between {} and {})",
            cell(&used_up["limit_usd"]),
            day("day"),
            day("earliest"),
            day("latest")
        );
    }
    Ok(())
}
