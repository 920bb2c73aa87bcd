//! What the page shows, as one answer: so it is painted after one question, and stands in a file as well as on a server.

use serde::Deserialize;
use serde_json::{Map, Value, json};
#[cfg(feature = "serve")]
use tokenbook_wire::OPS;
use tokenbook_wire::{Book, Error, ErrorCode, Result};

/// Which calls the page is about.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct View {
    /// Calls made at this instant or later.
    from: Option<String>,
    /// Calls made before this instant.
    to: Option<String>,
    /// The zone of its days.
    time_zone: Option<String>,
    /// Calls of this agent only.
    agent: Option<String>,
    /// What a step of the chart is: hour, day, week or month.
    unit: Option<String>,
}

/// Rows of a table on the page; what is beyond is told as left out.
const ROWS: u32 = 50;

/// Calls of the page's list.
const CALLS: u32 = 25;

/// How far back the cost of a minute looks.
pub(crate) const MINUTES: i64 = 10;

/// The instant some minutes ago.
#[expect(clippy::disallowed_methods, reason = "the command line may ask the clock")]
pub(crate) fn ago(minutes: i64) -> Result<String> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok();
    let ms = since.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or_default();
    Ok(tokenbook_wire::Timestamp::from_ms((ms - minutes * 60_000).max(0))?.to_string())
}

impl View {
    pub(crate) fn new(from: Option<String>, to: Option<String>, time_zone: Option<String>) -> Self {
        Self { from, to, time_zone, ..Self::default() }
    }

    /// What the forecast is asked: it looks ahead from now, whatever range is shown.
    fn forecast(&self) -> Value {
        let filter = self.agent.as_ref().map(|agent| json!({ "agent": agent }));
        json!({ "days": 14, "time_zone": self.time_zone, "filter": filter })
    }

    fn args(&self, more: &Value) -> Value {
        let mut args = Map::new();
        for (name, value) in [("from", &self.from), ("to", &self.to)] {
            if let Some(value) = value {
                args.insert(name.to_owned(), json!(value));
            }
        }
        if let Some(agent) = &self.agent {
            args.insert("filter".to_owned(), json!({ "agent": agent }));
        }
        args.extend(more.as_object().cloned().unwrap_or_default());
        Value::Object(args)
    }
}

fn ask(book: &Book, op: &str, args: &Value) -> Result<Value> {
    serde_json::from_str(&book.call(op, &args.to_string())?)
        .map_err(|error| Error::new(ErrorCode::Internal, error.to_string()))
}

/// Everything that the page shows.
///
/// # Errors
///
/// Those of the operations that it asks.
pub(crate) fn page(book: &Book, view: &View) -> Result<Value> {
    let by = |group: &[&str]| {
        let more = json!({ "group_by": group, "time_zone": view.time_zone, "limit": ROWS, "order": "cost" });
        ask(book, "report", &view.args(&more))
    };
    let unit = view.unit.as_deref().unwrap_or("day");
    let steps = json!({ "group_by": [unit], "time_zone": view.time_zone });
    // Of now, whatever range is shown.
    let agent = view.agent.as_ref().map(|agent| json!({ "agent": agent }));
    let recently = json!({ "from": ago(MINUTES)?, "filter": agent });
    let mut page = json!({
        "view": { "from": view.from, "to": view.to, "time_zone": view.time_zone, "agent": view.agent, "unit": unit },
        "stats": ask(book, "stats", &json!({}))?,
        "overview": ask(book, "overview", &view.args(&json!({ "time_zone": view.time_zone })))?,
        "minutes": MINUTES,
        "lately": ask(book, "report", &recently)?["total"],
        "steps": ask(book, "report", &view.args(&steps))?,
        "agents": by(&["agent"])?,
        "models": by(&["model"])?,
        "tools": by(&["tool"])?,
        "endpoints": by(&["action", "agent", "model"])?,
        "calls": ask(book, "list", &view.args(&json!({ "limit": CALLS })))?,
        "live": ask(book, "live", &json!({}))?,
        "budgets": ask(book, "budgets", &json!({}))?,
        "findings": ask(book, "findings", &view.args(&json!({})))?,
        "alerts": ask(book, "alerts", &json!({ "limit": ROWS }))?,
        "forecast": ask(book, "forecast", &view.forecast())?,
    });
    // All agents, also when the page is about one of them, so that another can be chosen.
    let all = View { agent: None, ..view.clone() };
    let names = json!({ "group_by": ["agent"], "time_zone": view.time_zone, "limit": 500, "order": "key" });
    page["agent_names"] = ask(book, "report", &all.args(&names))?["rows"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|row| row["agent"].as_str())
        .collect();
    Ok(page)
}

/// The operations that only read, which the server offers.
#[cfg(feature = "serve")]
pub(crate) const READING: &[&str] = &[
    "overview",
    "report",
    "findings",
    "compare",
    "what_if",
    "forecast",
    "list",
    "get",
    "stats",
    "live",
    "budgets",
    "alerts",
    "calibrations",
    "verify",
    "prices_search",
    "prices_show",
    "version",
];

/// The `OpenAPI` document of the server.
#[cfg(feature = "serve")]
pub(crate) fn openapi() -> Value {
    let fault = json!({
        "description": "The operation's error.",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Fault" } } },
    });
    let api: Value = serde_json::from_str(API).expect("a test reads it");
    let operation = |id: &str, about: &str, takes: &Value, gives: &Value| {
        json!({ "post": {
            "operationId": id,
            "summary": about,
            "requestBody": { "required": true, "content": { "application/json": { "schema": takes } } },
            "responses": {
                "200": {
                    "description": "The answer, as the operation gives it in every language.",
                    "content": { "application/json": { "schema": gives } },
                },
                "default": fault,
            },
        }})
    };
    let mut paths: Map<String, Value> = OPS
        .iter()
        .filter(|op| READING.contains(&op.name))
        .map(|op| {
            let known = &api["operations"][op.name];
            (format!("/api/{}", op.name), operation(op.name, op.about, &known["takes"], &known["gives"]))
        })
        .collect();
    let (view, page) = page_schemas();
    paths.insert("/api/page".to_owned(), operation("page", "gives everything that the page shows", &view, &page));
    paths.insert(
        "/api/events".to_owned(),
        json!({ "get": {
            "operationId": "events",
            "summary": "tells by server-sent events when something was recorded, and which calls are running",
            "responses": { "200": { "description": "The events.", "content": { "text/event-stream": {} } } },
        }}),
    );
    let mut schemas = api["schemas"].as_object().cloned().unwrap_or_default();
    schemas.insert(
        "Fault".to_owned(),
        json!({
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": { "type": "string" },
                "message": { "type": "string" },
                "details": { "type": "object", "additionalProperties": { "type": "string" } },
            },
        }),
    );
    json!({
        "openapi": "3.1.0",
        "info": { "title": "tokenbook", "version": env!("CARGO_PKG_VERSION") },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

/// What the page is asked with, and what it is answered: each part is the answer of an operation.
#[cfg(feature = "serve")]
fn page_schemas() -> (Value, Value) {
    let of = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let text = json!({ "type": "string" });
    let view = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "from": { "type": "string", "format": "date-time" },
            "to": { "type": "string", "format": "date-time" },
            "time_zone": text, "agent": text,
            "unit": { "enum": ["hour", "day", "week", "month"] },
        },
    });
    let page = json!({
        "type": "object",
        "properties": {
            "view": view, "stats": of("Stats"), "overview": of("Overview"), "minutes": { "type": "integer" },
            "lately": { "type": "object", "description": "the total of the last `minutes`, as a report has it" },
            "steps": of("Report"), "agents": of("Report"), "models": of("Report"), "tools": of("Report"),
            "endpoints": of("Report"), "calls": of("Page"), "live": of("Live"), "budgets": of("Budgets"),
            "findings": of("Findings"), "alerts": of("Alerts"), "forecast": of("Forecast"),
            "agent_names": { "type": "array", "items": text },
        },
    });
    (view, page)
}

/// What operations take and give; written by `cargo xtask types`.
#[cfg(feature = "serve")]
const API: &str = include_str!("../assets/api.json");
const HTML: &str = include_str!("../assets/page.html");
pub(crate) const CODE: &str = include_str!("../assets/app.js");
pub(crate) const STYLE: &str = include_str!("../assets/app.css");

/// The page as the server gives it.
#[cfg(feature = "serve")]
pub(crate) const fn html() -> &'static str {
    HTML
}

/// The page as one file that needs nothing else, with its figures in it.
pub(crate) fn alone(page: &Value) -> String {
    // In a script only `<` could end it early.
    let data = page.to_string().replace('<', "\\u003c");
    let put = |html: &str, mark: &str, text: &str| {
        let (before, rest) = html.split_once(&format!("<!--{mark}-->")).unwrap_or((html, ""));
        let after = rest.split_once(&format!("<!--/{mark}-->")).map_or(rest, |(_, after)| after);
        format!("{before}{text}{after}")
    };
    let html = put(HTML, "STYLE", &format!("<style>{STYLE}</style>"));
    let html = html.replace("<!--DATA-->", &format!("<script type=\"application/json\" id=\"data\">{data}</script>"));
    put(&html, "SCRIPT", &format!("<script>{}</script>", CODE.replace("</script", "<\\/script")))
}

#[cfg(all(test, feature = "serve"))]
mod tests {
    use super::*;

    /// Every reference leads somewhere, and no operation is left without a form.
    #[test]
    fn the_document_of_the_api_is_whole() {
        let document = openapi();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()) {
            let place = reference.strip_prefix('#').expect("inside the document");
            assert!(document.pointer(place).is_some(), "{reference}");
        }
        for op in READING.iter().chain(&["page"]) {
            let post = &document["paths"][format!("/api/{op}")]["post"];
            for place in ["/requestBody/content", "/responses/200/content"] {
                let schema = post.pointer(place).map(|content| &content["application/json"]["schema"]);
                let schema = schema.and_then(Value::as_object).unwrap_or_else(|| panic!("{op}: {place}"));
                assert!(
                    schema.contains_key("$ref") || schema.contains_key("properties") || schema["type"] == "object",
                    "{op}"
                );
            }
        }
        assert!(document["components"]["schemas"]["Overview"]["properties"]["cache"].is_object());
    }
}
