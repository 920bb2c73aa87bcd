//! `tokenbook top`: running and recent calls, what a minute costs, and budgets, as they change.

use std::time::Duration;

use ratatui::Frame;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Row, Table};
use serde_json::{Value, json};
use tokenbook_wire::{Book, Error, ErrorCode, Result};

use crate::arguments::{Arguments, Top};
use crate::failure::Failure;
use crate::page::{MINUTES, ago};
use crate::place;
use crate::table::cell;

/// How often it looks.
const PACE: Duration = Duration::from_millis(500);

/// What the screen shows, as the ledger told it.
struct Seen {
    running: Vec<Value>,
    recent: Vec<Value>,
    budgets: Vec<Value>,
    /// The spells that last.
    alerts: Vec<Value>,
    /// The last ten minutes.
    total: Value,
}

impl Seen {
    fn read(book: &Book) -> Result<Self> {
        let ask = |op: &str, args: &Value| -> Result<Value> {
            serde_json::from_str(&book.call(op, &args.to_string())?)
                .map_err(|error| Error::new(ErrorCode::Internal, error.to_string()))
        };
        let list = |value: &Value, field: &str| value[field].as_array().cloned().unwrap_or_default();
        let from = ago(MINUTES)?;
        Ok(Self {
            running: list(&ask("live", &json!({}))?, "calls"),
            recent: list(&ask("list", &json!({ "limit": 50 }))?, "calls"),
            budgets: list(&ask("budgets", &json!({}))?, "budgets"),
            alerts: list(&ask("alerts", &json!({ "open": true, "limit": 20 }))?, "alerts"),
            total: ask("report", &json!({ "from": from }))?["total"].clone(),
        })
    }
}

/// Shows the screen until a key ends it.
pub(crate) fn run(arguments: &Arguments, top: &Top) -> std::result::Result<(), Failure> {
    let book = place::open(arguments)?;
    if top.once {
        for line in lines(&Seen::read(&book)?) {
            println!("{line}");
        }
        return Ok(());
    }
    let mut terminal = ratatui::try_init().map_err(|error| Failure::io("the terminal", &error))?;
    let done = watch(&book, &mut terminal);
    ratatui::restore();
    done
}

fn watch(book: &Book, terminal: &mut ratatui::DefaultTerminal) -> std::result::Result<(), Failure> {
    let io = |error: std::io::Error| Failure::io("the terminal", &error);
    loop {
        let seen = Seen::read(book);
        terminal.draw(|frame| draw(frame, &seen)).map_err(io)?;
        if event::poll(PACE).map_err(io)?
            && let Event::Key(key) = event::read().map_err(io)?
        {
            let is_break = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
            if is_break || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc) {
                return Ok(());
            }
        }
    }
}

/// The figures of the head, one line each.
fn lines(seen: &Seen) -> Vec<String> {
    let total = |name: &str| cell(&seen.total[name]);
    let cost = tokenbook_wire::Usd::parse(&total("cost_usd")).map(tokenbook_wire::Usd::pico).unwrap_or_default();
    let a_minute = tokenbook_wire::Usd::from_pico((cost + i128::from(MINUTES) / 2) / i128::from(MINUTES));
    let unpriced = seen.total["unpriced_calls"].as_u64().filter(|calls| *calls > 0);
    let unpriced = unpriced.map_or_else(String::new, |calls| format!(", {calls} calls without a price"));
    vec![
        format!(
            "running {}   last {MINUTES} minutes: {} calls, {} failed, {} cut off",
            seen.running.len(),
            total("calls"),
            total("failed"),
            total("truncated")
        ),
        format!(
            "cost ${}, ${a_minute} a minute{unpriced}   {} input and {} output tokens   q ends",
            total("cost_usd"),
            total("total_input_tokens"),
            total("total_output_tokens")
        ),
    ]
}

fn draw(frame: &mut Frame, seen: &Result<Seen>) {
    let seen = match seen {
        Ok(seen) => seen,
        Err(error) => {
            let text = Paragraph::new(format!("the ledger can't be read now: {}", error.message()));
            frame.render_widget(text, frame.area());
            return;
        }
    };
    let budgets = if seen.budgets.is_empty() { 0 } else { u16::try_from(seen.budgets.len().min(6)).unwrap_or(6) + 3 };
    let alerts = if seen.alerts.is_empty() { 0 } else { u16::try_from(seen.alerts.len().min(4)).unwrap_or(4) + 3 };
    let [head, running, warned, money, recent] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Percentage(35),
        Constraint::Length(alerts),
        Constraint::Length(budgets),
        Constraint::Min(4),
    ])
    .areas(frame.area());
    let text: Vec<Line> = lines(seen).into_iter().map(Line::from).collect();
    frame.render_widget(Paragraph::new(text).style(Style::new().add_modifier(Modifier::BOLD)), head);
    let rows = seen.running.iter().rev().map(|call| {
        let field = |name: &str| dash(cell(&call[name]));
        Row::new([
            clock(call),
            field("agent"),
            field("action"),
            field("model"),
            field("input_tokens"),
            field("output_tokens"),
            field("cost_usd"),
            field("projected_cost_usd"),
            field("process"),
        ])
    });
    table(
        frame,
        running,
        "Running",
        ["since", "agent", "action", "model", "input", "output", "USD", "USD in the end", "process"],
        rows.collect(),
    );
    let rows = seen.alerts.iter().map(|alert| {
        let since = cell(&alert["started_at"]);
        let row = [since.get(..16).unwrap_or(&since).replace('T', " "), cell(&alert["rule"]), cell(&alert["message"])];
        Row::new(row).style(Style::new().fg(Color::Red))
    });
    let widths = [Constraint::Length(16), Constraint::Length(16), Constraint::Fill(1)];
    let head = Row::new(["since", "rule", "what"]).style(Style::new().add_modifier(Modifier::DIM));
    let table_of_alerts = Table::new(rows, widths).header(head).block(Block::bordered().title("Alerts"));
    frame.render_widget(table_of_alerts, warned);
    let rows = seen.budgets.iter().map(|budget| {
        let field = |name: &str| match (&budget[format!("{name}_usd")], &budget[format!("{name}_tokens")]) {
            (Value::String(usd), _) => format!("${usd}"),
            (_, Value::Null) => "–".to_owned(),
            (_, tokens) => format!("{tokens} tokens"),
        };
        Row::new([cell(&budget["name"]), field("limit"), field("spent"), field("held")])
    });
    table(frame, money, "Budgets", ["budget", "limit", "spent", "held"], rows.collect());
    let rows = seen.recent.iter().map(|call| {
        let field = |name: &str| dash(cell(&call[name]));
        let usage = |name: &str| dash(cell(&call["usage"][name]));
        let is_error = call["outcome"] == "error";
        let end = if is_error { dash(cell(&call["error_class"])) } else { field("stop_reason") };
        let style = if is_error { Style::new().fg(Color::Red) } else { Style::new() };
        let row = [
            clock(call),
            field("agent"),
            field("action"),
            field("model"),
            usage("total_input_tokens"),
            usage("total_output_tokens"),
            dash(cell(&call["cost"]["total_usd"])),
            end,
        ];
        Row::new(row).style(style)
    });
    table(
        frame,
        recent,
        "Recent",
        ["at", "agent", "action", "model", "input", "output", "USD", "ended"],
        rows.collect(),
    );
}

fn table<const N: usize>(frame: &mut Frame, area: Rect, title: &str, headings: [&'static str; N], rows: Vec<Row<'_>>) {
    let head = Row::new(headings).style(Style::new().add_modifier(Modifier::DIM));
    let table =
        Table::new(rows, [Constraint::Fill(1); N]).header(head).block(Block::bordered().title(title.to_owned()));
    frame.render_widget(table, area);
}

/// The time of day of a call, in UTC as it is recorded.
fn clock(call: &Value) -> String {
    let at = call["at"].as_str().unwrap_or_default();
    at.get(11..19).unwrap_or(at).to_owned()
}

fn dash(text: String) -> String {
    if text.is_empty() { "–".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    #[test]
    fn recent_calls_and_failures_are_on_the_screen() {
        let book = Book::open(r#"{"path": ":memory:"}"#).expect("a ledger");
        let record = |args: &str| book.call("record", args).expect("recorded");
        record(
            r#"{"id": "a", "at": "2026-11-20T09:00:00Z", "model": "gpt-4o", "agent": "editor", "usage": {"input_tokens": 1000, "output_tokens": 20}}"#,
        );
        record(
            r#"{"id": "b", "at": "2026-11-20T10:00:00Z", "model": "gpt-4o", "outcome": "error", "error_class": "rate_limit"}"#,
        );
        let mut terminal = Terminal::new(TestBackend::new(120, 24)).expect("a screen");
        terminal.draw(|frame| draw(frame, &Seen::read(&book))).expect("drawn");
        let screen: Vec<String> = terminal
            .backend()
            .buffer()
            .content()
            .chunks(120)
            .map(|row| row.iter().map(ratatui::buffer::Cell::symbol).collect())
            .collect();
        let line = |of: &str| {
            screen.iter().find(|line| line.contains(of)).unwrap_or_else(|| panic!("{of} is not in {screen:#?}"))
        };
        assert!(line("editor").contains("0.0027"), "{}", line("editor"));
        assert!(line("rate_limit").contains("10:00:00"));
        assert!(line("running 0").contains("0 calls"));
    }

    #[test]
    fn alerts_that_last_and_the_cost_of_a_minute_are_on_the_screen() {
        let book = Book::open(r#"{"path": ":memory:"}"#).expect("a ledger");
        for number in 0..40 {
            // Made now, so that they lie in the last minutes; 40 × (1,000 × 2.50 + 100 × 10) millionths are 0.14 dollars.
            let call = json!({ "id": number.to_string(), "model": "gpt-4o", "outcome": if number % 2 == 0 { "error" } else { "success" },
                "error_class": "overloaded", "usage": { "input_tokens": 1000, "output_tokens": 100 } });
            book.call("record", &call.to_string()).expect("recorded");
        }
        book.call("alerts_check", "{}").expect("judged");
        let seen = Seen::read(&book).expect("read");
        assert!(lines(&seen)[1].starts_with("cost $0.14, $0.014 a minute"), "{:?}", lines(&seen));
        let mut terminal = Terminal::new(TestBackend::new(140, 40)).expect("a screen");
        terminal.draw(|frame| draw(frame, &Ok(seen))).expect("drawn");
        let screen: String = terminal.backend().buffer().content().iter().map(ratatui::buffer::Cell::symbol).collect();
        assert!(screen.contains("Alerts") && screen.contains("error_rate"), "{screen}");
    }
}
