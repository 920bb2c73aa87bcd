//! `tokenbook budget`: set, list and remove budgets.

use serde_json::{Value, json};

use crate::arguments::{Arguments, BudgetRemove, BudgetSet};
use crate::commands::{Outcome, ask_ledger, object};
use crate::table::{Rows, cell};

pub(crate) fn set(arguments: &Arguments, set: &BudgetSet) -> Outcome {
    let values = |values: &[String]| if values.is_empty() { Value::Null } else { json!(values) };
    let scope = object([
        ("agent", values(&set.agent)),
        ("action", values(&set.action)),
        ("model", values(&set.model)),
        ("provider", values(&set.provider)),
        ("session", values(&set.session)),
        ("tag", values(&set.tag)),
    ]);
    let args = object([
        ("name", json!(set.name)),
        ("limit_usd", json!(set.usd)),
        ("limit_tokens", json!(set.tokens)),
        ("period", json!(set.period)),
        ("time_zone", json!(set.time_zone)),
        ("window_minutes", json!(set.window_minutes)),
        ("mode", json!(if set.soft { "soft" } else { "hard" })),
        ("allow_unpriced", json!(set.allow_unpriced)),
        ("scope", scope),
    ]);
    let answer = ask_ledger(arguments, "budget_set", &args)?;
    if arguments.json {
        println!("{answer}");
    } else {
        table([&*answer]);
    }
    Ok(())
}

pub(crate) fn list(arguments: &Arguments) -> Outcome {
    let answer = ask_ledger(arguments, "budgets", &json!({}))?;
    if arguments.json {
        println!("{answer}");
    } else {
        table(answer["budgets"].as_array().into_iter().flatten());
    }
    Ok(())
}

pub(crate) fn remove(arguments: &Arguments, remove: &BudgetRemove) -> Outcome {
    ask_ledger(arguments, "budget_remove", &json!({ "name": remove.name }))?;
    if !arguments.json {
        println!("removed {}", remove.name);
    }
    Ok(())
}

fn table<'a>(budgets: impl IntoIterator<Item = &'a Value>) {
    let mut rows =
        Rows::new(&["budget", "for", "period", "unit", "#limit", "#spent", "#held", "#left", "state", "until"]);
    for budget in budgets {
        let unit = if budget["limit_usd"].is_null() { "tokens" } else { "usd" };
        let amount = |what: &str| cell(&budget[format!("{what}_{unit}")]);
        let scope = budget["scope"].as_object().into_iter().flatten();
        let scope: Vec<String> = scope.map(|(field, values)| format!("{field} {}", cell(values))).collect();
        let period = match &budget["window_minutes"] {
            Value::Null => cell(&budget["period"]),
            minutes => format!("{minutes} min"),
        };
        rows.push([
            cell(&budget["name"]),
            if scope.is_empty() { "all".to_owned() } else { scope.join(", ") },
            if budget["mode"] == "soft" { format!("{period}, soft") } else { period },
            unit.to_uppercase().replace("TOKENS", "tokens"),
            amount("limit"),
            amount("spent"),
            amount("held"),
            amount("left"),
            cell(&budget["state"]),
            cell(&budget["period_end"]),
        ]);
    }
    rows.print("no budgets");
}
