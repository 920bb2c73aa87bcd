//! Tables for people: the same words with and without colour, numbers to the right.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use serde_json::Value;

/// A table under construction.
pub(crate) struct Rows {
    table: Table,
    numbers: Vec<bool>,
}

impl Rows {
    /// Starts a table; a heading that begins with `#` is of a column of numbers.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header(headings.iter().map(|heading| heading.trim_start_matches('#')));
        let numbers: Vec<bool> = headings.iter().map(|heading| heading.starts_with('#')).collect();
        for (at, _) in numbers.iter().enumerate().filter(|(_, is_number)| **is_number) {
            if let Some(column) = table.column_mut(at) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self { table, numbers }
    }

    /// Adds a row.
    pub(crate) fn push(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter().zip(&self.numbers);
        self.table.add_row(cells.map(|(cell, is_number)| if *is_number { grouped(&cell) } else { cell }));
    }

    /// Prints the table, or a sentence when it is empty.
    pub(crate) fn print(&self, empty: &str) {
        if self.table.row_count() == 0 {
            println!("{empty}");
        } else {
            println!("{}", self.table);
        }
    }
}

/// A JSON value as a cell: text without quotes, nothing for what is absent.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// A whole number with thin groups of three; any other text as it is.
fn grouped(text: &str) -> String {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    if whole.is_empty() || !whole.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.to_owned();
    }
    let mut out = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    match fraction {
        Some(fraction) => format!("{out}.{fraction}"),
        None => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_fractions_are_not() {
        assert_eq!(grouped("1234567.123456"), "1,234,567.123456");
        assert_eq!(grouped("999"), "999");
        assert_eq!(grouped("≥ 12"), "≥ 12");
    }
}
