//! Prices of the user's own, in both forms; a process of its own, since they hold for the whole process.
#![forbid(unsafe_code)]

use serde_json::{Value, json};
use tokenbook_wire::call;

fn ask(op: &str, args: &Value) -> Value {
    let answer = call(op, &args.to_string()).unwrap_or_else(|error| panic!("{op}: {error}"));
    serde_json::from_str(&answer).expect("an answer is JSON")
}

fn price() -> Value {
    ask("cost", &json!({ "model": "acme-1", "at": "2026-11-20T00:00:00Z", "usage": { "input_tokens": 1_000_000 } }))
}

#[test]
fn toml_and_json_price_and_fail_alike() {
    let toml = "[[models]]\nprovider = 'acme'\nmodel = 'acme-1'\n[[models.rows]]\nrates.input_tokens = '0.4'\n\
        [[models.rows]]\nfrom = 2026-12-01\nrates.input_tokens = '0.3'\n";
    let rows =
        json!([{ "rates": { "input_tokens": "0.4" } }, { "from": "2026-12-01", "rates": { "input_tokens": "0.3" } }]);
    let json = json!({ "models": [{ "provider": "acme", "model": "acme-1", "rows": rows }] }).to_string();
    assert_eq!(price()["status"], "unpriced");
    let mut told = Vec::new();
    for text in [toml, json.as_str()] {
        assert_eq!(ask("prices_override", &json!({ "prices": text }))["overridden"], true);
        told.push(price());
        ask("prices_override", &json!({}));
    }
    assert_eq!((&told[0], &told[0]["total_usd"]), (&told[1], &json!("0.4")));

    let fault = |text: &str| {
        let args = json!({ "prices": text }).to_string();
        call("prices_override", &args).expect_err("refused").message().to_owned()
    };
    for (from, to) in [("'0.4'", "'0.0000001'"), ("'0.4'", "-1"), ("rates.input_tokens", "rates.inputs")] {
        let wrong = toml.replacen(from, to, 1);
        let (from, to) = (from.replace('\'', "\""), to.replace('\'', "\""));
        let (from, to) = (from.replace("rates.", ""), to.replace("rates.", ""));
        let place = |text: &str| text.split(" at line").next().unwrap_or_default().to_owned();
        assert_eq!(place(&fault(&wrong)), place(&fault(&json.replacen(&from, &to, 1))), "{wrong}");
    }
    assert_eq!(price()["status"], "unpriced", "a broken file changes nothing");
}
