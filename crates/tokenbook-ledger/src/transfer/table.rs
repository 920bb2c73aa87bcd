//! A call as cells of a table, there and back, by way of its JSON: one list of columns serves both.

use std::sync::OnceLock;

use serde_json::{Map, Value};
use tokenbook::{Error, Result, TokenKind};

use crate::csv::{guarded, unguarded};
use crate::record::Call;

/// A column: where its value lies in a call's JSON, and how it looks in a cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    /// The object that the value lies in, if not in the call itself.
    parent: Option<&'static str>,
    field: &'static str,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Text, guarded.
    Text,
    /// Numbers, flags, lists and objects, as JSON.
    Json,
}

const fn text(name: &'static str) -> Column {
    Column { name, parent: None, field: name, form: Form::Text }
}

const fn json(name: &'static str) -> Column {
    Column { name, parent: None, field: name, form: Form::Json }
}

const fn cost(name: &'static str, field: &'static str, form: Form) -> Column {
    Column { name, parent: Some("cost"), field, form }
}

/// Every column, in the order of an export.
pub(crate) fn columns() -> &'static [Column] {
    static COLUMNS: OnceLock<Vec<Column>> = OnceLock::new();
    COLUMNS.get_or_init(|| {
        let usage = |name| Column { name, parent: Some("usage"), field: name, form: Form::Json };
        let mut columns = vec![
            text("id"),
            text("at"),
            text("provider"),
            text("model"),
            text("answered_model"),
            text("api"),
            text("agent"),
            text("action"),
            text("session"),
            json("tags"),
            text("operation_id"),
            json("attempt"),
            text("parent_id"),
            usage("total_input_tokens"),
            usage("total_output_tokens"),
        ];
        columns.extend(TokenKind::ALL.map(|kind| usage(kind.name())));
        columns.extend([
            usage("server_tool_requests"),
            cost("cost_status", "status", Form::Text),
            cost("cost_usd", "total_usd", Form::Text),
            cost("cost_price", "price", Form::Json),
            cost("cost_reason", "reason", Form::Text),
            json("max_tokens"),
            text("stop_reason"),
            text("stop_kind"),
            json("truncated"),
            json("partial"),
            json("duration_ms"),
            json("time_to_first_token_ms"),
            json("tools_offered"),
            json("tools_called"),
            json("tool_tokens"),
            text("outcome"),
            text("error_class"),
            text("service_tier"),
            text("region"),
            json("batch"),
            text("exactness"),
            json("metadata"),
        ]);
        columns
    })
}

/// The cells of a call, in the order of [`columns`].
pub(crate) fn cells(call: &Call) -> Vec<String> {
    let json = serde_json::to_value(call).unwrap_or_default();
    let shown = |column: &Column| {
        let value = match column.parent {
            Some(parent) => json.get(parent).and_then(|parent| parent.get(column.field)),
            None => json.get(column.field),
        };
        match (value, column.form) {
            (None, _) => String::new(),
            (Some(Value::String(text)), Form::Text) => guarded(text),
            // A price that is mere text keeps its quotes, so its first character is never a sign.
            (Some(value), _) => value.to_string(),
        }
    };
    columns().iter().map(shown).collect()
}

/// Finds the columns of a heading.
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) for an unknown or doubled one.
pub(crate) fn find(heading: &[String]) -> Result<Vec<Column>> {
    let mut found: Vec<Column> = Vec::with_capacity(heading.len());
    for name in heading {
        let shown = || name.chars().take(60).collect::<String>();
        let column = columns().iter().find(|column| column.name == name);
        let column = column.ok_or_else(|| Error::invalid(format!("unknown column {:?}", shown())))?;
        if found.iter().any(|known| known.name == name) {
            return Err(Error::invalid(format!("the column {:?} is there twice", shown())));
        }
        found.push(*column);
    }
    Ok(found)
}

/// Reads a call from its cells.
///
/// # Errors
///
/// [`ErrorCode::InvalidArgument`](tokenbook::ErrorCode::InvalidArgument) when the cells make no call.
pub(crate) fn call(columns: &[Column], cells: &[String]) -> Result<Call> {
    if cells.len() != columns.len() {
        return Err(Error::invalid(format!("expected {} cells, got {}", columns.len(), cells.len())));
    }
    let mut call = Map::new();
    for (column, cell) in columns.iter().zip(cells) {
        // A reason is the one text that may be empty.
        let no_reason = column.name == "cost_reason"
            && call.get("cost").and_then(|cost| cost.get("status")) == Some(&"unpriced".into());
        if cell.is_empty() && !no_reason {
            continue;
        }
        let value = match column.form {
            Form::Text => Value::String(unguarded(cell).to_owned()),
            Form::Json => serde_json::from_str(cell)
                .map_err(|error| Error::invalid(format!("{}: expected JSON ({error})", column.name)))?,
        };
        let object = match column.parent {
            None => &mut call,
            Some(parent) => match call.entry(parent).or_insert_with(|| Value::Object(Map::new())) {
                Value::Object(object) => object,
                _ => return Err(Error::invalid(format!("{parent}: expected an object"))),
            },
        };
        object.insert(column.field.to_owned(), value);
    }
    serde_json::from_value(Value::Object(call)).map_err(|error| Error::invalid(error.to_string()))
}
