//! `tokenbook alerts`: list, judge and silence alerts, and set their rules.

use serde_json::{Value, json};

use crate::arguments::{AlertRules, AlertSilence, Alerts, AlertsCheck, Arguments};
use crate::commands::{Outcome, ask_ledger, object};
use crate::failure::Failure;
use crate::place;
use crate::table::{Rows, cell};

pub(crate) fn run(arguments: &Arguments, command: Option<&Alerts>) -> Outcome {
    match command {
        None => list(arguments),
        Some(Alerts::Rules(set)) => rules(arguments, set),
        Some(Alerts::Check(how)) => check(arguments, how),
        Some(Alerts::Silence(silence)) => quiet(arguments, silence),
    }
}

fn list(arguments: &Arguments) -> Outcome {
    let answer = ask_ledger(arguments, "alerts", &json!({}))?;
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let mut rows = Rows::new(&["started", "ended", "rule", "about", "what"]);
    for alert in answer["alerts"].as_array().into_iter().flatten() {
        rows.push(["started_at", "ended_at", "rule", "subject", "message"].map(|field| cell(&alert[field])));
    }
    rows.print("no alerts");
    Ok(())
}

fn rules(arguments: &Arguments, set: &AlertRules) -> Outcome {
    let answer = match &set.set {
        Some(file) => ask_ledger(arguments, "alert_rules_set", &json!({ "text": place::read(file)? }))?,
        None if set.built_in => ask_ledger(arguments, "alert_rules_set", &json!({}))?,
        None => ask_ledger(arguments, "alert_rules", &json!({}))?,
    };
    if arguments.json {
        println!("{answer}");
        return Ok(());
    }
    let mut rows = Rows::new(&["rule", "kind", "#fires at %", "#ends below %", "#over minutes", "#least calls"]);
    for rule in answer["rules"].as_array().into_iter().flatten().filter(|rule| rule["disabled"] != true) {
        let fields = ["name", "kind", "fire_percent", "clear_percent", "window_minutes", "min_calls"];
        rows.push(fields.map(|field| cell(&rule[field])));
    }
    rows.print("no rules");
    Ok(())
}

fn check(arguments: &Arguments, how: &AlertsCheck) -> Outcome {
    let book = place::open(arguments)?;
    let mut sinks = Vec::new();
    if let Some(file) = &how.file {
        sinks.push(json!({ "kind": "file", "path": place::path_text(file)? }));
    }
    if let Some(url) = &how.webhook {
        let form = if how.slack { "slack" } else { "json" };
        sinks.push(object([
            ("kind", json!("webhook")),
            ("url", json!(url)),
            ("form", json!(form)),
            ("secret", json!(how.secret)),
        ]));
    }
    book.call("alert_sinks", &json!({ "sinks": sinks }).to_string())?;
    let text = book.call("alerts_check", "{}")?;
    // What is told goes out before the command ends.
    book.call("close", "{}")?;
    if arguments.json {
        println!("{text}");
        return Ok(());
    }
    let answer: Value = serde_json::from_str(&text).map_err(|error| Failure::invalid(error.to_string()))?;
    let mut rows = Rows::new(&["change", "rule", "about", "what"]);
    for notice in answer["notices"].as_array().into_iter().flatten() {
        let alert = &notice["alert"];
        rows.push([cell(&notice["change"]), cell(&alert["rule"]), cell(&alert["subject"]), cell(&alert["message"])]);
    }
    rows.print("nothing has changed");
    Ok(())
}

fn quiet(arguments: &Arguments, silence: &AlertSilence) -> Outcome {
    let args =
        object([("rule", json!(silence.rule)), ("subject", json!(silence.subject)), ("until", json!(silence.until))]);
    ask_ledger(arguments, "alert_silence", &args)?;
    Ok(())
}
