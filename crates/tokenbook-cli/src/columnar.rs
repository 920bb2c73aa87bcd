//! `tokenbook export` as Parquet: a column for each field of a call, with exact money, for whatever reads tables.

use std::fs::OpenOptions;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::parser::parse_message_type;
use serde_json::{Value, json};
use tokenbook_wire::{Book, Error, ErrorCode, Result, Timestamp, Usd};

/// Calls of a row group, read at once.
const ROWS: usize = 10_000;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Texts,
    Count,
    Flag,
    /// In whole 1e-12 dollars, as a decimal with twelve places.
    Money,
    Instant,
    /// What has parts of its own, as JSON.
    Json,
}

/// The columns: a name, where its value is in a call, and what it holds.
const COLUMNS: &[(&str, &str, Kind)] = &[
    ("id", "/id", Kind::Text),
    ("at", "/at", Kind::Instant),
    ("provider", "/provider", Kind::Text),
    ("api", "/api", Kind::Text),
    ("model", "/model", Kind::Text),
    ("answered_model", "/answered_model", Kind::Text),
    ("agent", "/agent", Kind::Text),
    ("action", "/action", Kind::Text),
    ("session", "/session", Kind::Text),
    ("operation_id", "/operation_id", Kind::Text),
    ("attempt", "/attempt", Kind::Count),
    ("parent_id", "/parent_id", Kind::Text),
    ("tags", "/tags", Kind::Texts),
    ("total_input_tokens", "/usage/total_input_tokens", Kind::Count),
    ("total_output_tokens", "/usage/total_output_tokens", Kind::Count),
    ("input_tokens", "/usage/input_tokens", Kind::Count),
    ("cache_read_tokens", "/usage/cache_read_tokens", Kind::Count),
    ("cache_write_tokens", "/usage/cache_write_tokens", Kind::Count),
    ("cache_write_5m_tokens", "/usage/cache_write_5m_tokens", Kind::Count),
    ("cache_write_30m_tokens", "/usage/cache_write_30m_tokens", Kind::Count),
    ("cache_write_1h_tokens", "/usage/cache_write_1h_tokens", Kind::Count),
    ("cache_write_12h_tokens", "/usage/cache_write_12h_tokens", Kind::Count),
    ("cache_write_24h_tokens", "/usage/cache_write_24h_tokens", Kind::Count),
    ("output_tokens", "/usage/output_tokens", Kind::Count),
    ("reasoning_tokens", "/usage/reasoning_tokens", Kind::Count),
    ("input_audio_tokens", "/usage/input_audio_tokens", Kind::Count),
    ("input_image_tokens", "/usage/input_image_tokens", Kind::Count),
    ("input_video_tokens", "/usage/input_video_tokens", Kind::Count),
    ("cache_read_audio_tokens", "/usage/cache_read_audio_tokens", Kind::Count),
    ("cache_read_image_tokens", "/usage/cache_read_image_tokens", Kind::Count),
    ("cache_read_video_tokens", "/usage/cache_read_video_tokens", Kind::Count),
    ("output_audio_tokens", "/usage/output_audio_tokens", Kind::Count),
    ("output_image_tokens", "/usage/output_image_tokens", Kind::Count),
    ("server_tool_requests", "/usage/server_tool_requests", Kind::Json),
    ("cost_usd", "/cost/total_usd", Kind::Money),
    ("cost_status", "/cost/status", Kind::Text),
    ("unpriced_reason", "/cost/reason", Kind::Text),
    ("price", "/cost/price", Kind::Json),
    ("max_tokens", "/max_tokens", Kind::Count),
    ("stop_reason", "/stop_reason", Kind::Text),
    ("stop_kind", "/stop_kind", Kind::Text),
    ("truncated", "/truncated", Kind::Flag),
    ("partial", "/partial", Kind::Flag),
    ("duration_ms", "/duration_ms", Kind::Count),
    ("time_to_first_token_ms", "/time_to_first_token_ms", Kind::Count),
    ("tools_offered", "/tools_offered", Kind::Texts),
    ("tools_called", "/tools_called", Kind::Texts),
    ("tool_tokens", "/tool_tokens", Kind::Json),
    ("outcome", "/outcome", Kind::Text),
    ("error_class", "/error_class", Kind::Text),
    ("service_tier", "/service_tier", Kind::Text),
    ("region", "/region", Kind::Text),
    ("batch", "/batch", Kind::Flag),
    ("exactness", "/exactness", Kind::Text),
    ("metadata", "/metadata", Kind::Json),
];

fn schema() -> String {
    let fields = COLUMNS.iter().map(|(name, _, kind)| match kind {
        Kind::Text => format!("OPTIONAL BYTE_ARRAY {name} (STRING);"),
        Kind::Json => format!("OPTIONAL BYTE_ARRAY {name} (JSON);"),
        Kind::Count => format!("OPTIONAL INT64 {name};"),
        Kind::Flag => format!("OPTIONAL BOOLEAN {name};"),
        Kind::Money => format!("OPTIONAL FIXED_LEN_BYTE_ARRAY (16) {name} (DECIMAL(38, 12));"),
        Kind::Instant => format!("OPTIONAL INT64 {name} (TIMESTAMP(MILLIS, true));"),
        Kind::Texts => {
            format!(
                "OPTIONAL GROUP {name} (LIST) {{ REPEATED GROUP list {{ REQUIRED BYTE_ARRAY element (STRING); }} }}"
            )
        }
    });
    format!("message call {{ {} }}", fields.collect::<Vec<_>>().join(" "))
}

fn fault(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorCode::Unavailable, format!("the Parquet file can't be written: {error}"))
}

/// Writes the calls of `args`, newest first, into a new file, and says how many.
///
/// # Errors
///
/// [`ErrorCode::Conflict`] when the file is there already, and those of the operation `list`.
pub(crate) fn export(book: &Book, path: &Path, mut args: Value) -> Result<u64> {
    let file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| {
        let code = if error.kind() == std::io::ErrorKind::AlreadyExists {
            ErrorCode::Conflict
        } else {
            ErrorCode::Unavailable
        };
        Error::new(code, format!("{}: {error}", path.display()))
    })?;
    let written = (|| {
        let schema = Arc::new(parse_message_type(&schema()).map_err(fault)?);
        let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
        let mut writer = SerializedFileWriter::new(file, schema, properties).map_err(fault)?;
        args["limit"] = json!(ROWS);
        let zero = json!(0);
        let mut count = 0;
        loop {
            let page: Value = serde_json::from_str(&book.call("list", &args.to_string())?)
                .map_err(|error| Error::new(ErrorCode::Internal, error.to_string()))?;
            let calls = page["calls"].as_array().map_or(&[][..], Vec::as_slice);
            let mut group = writer.next_row_group().map_err(fault)?;
            for (_, place, kind) in COLUMNS {
                let mut column = group.next_column().map_err(fault)?.ok_or_else(|| fault("a column is missing"))?;
                // A kind of tokens that known usage leaves out is 0; all else that is absent is unknown.
                let is_kind = *kind == Kind::Count && place.starts_with("/usage/");
                let absent = |call: &Value| (is_kind && call["usage"].is_object()).then_some(&zero);
                let values = calls.iter().map(|call| call.pointer(place).or_else(|| absent(call)));
                write(&mut column, *kind, values)?;
                column.close().map_err(fault)?;
            }
            group.close().map_err(fault)?;
            count += calls.len() as u64;
            match page.get("next_cursor") {
                Some(cursor) => args["cursor"] = cursor.clone(),
                None => break,
            }
        }
        writer.close().map_err(fault)?;
        Ok(count)
    })();
    if written.is_err() {
        // Half a file is none.
        let _ = std::fs::remove_file(path);
    }
    written
}

fn write<'c>(
    column: &mut SerializedColumnWriter<'_>,
    kind: Kind,
    values: impl Iterator<Item = Option<&'c Value>>,
) -> Result<()> {
    let values: Vec<Option<&Value>> = values.map(|value| value.filter(|value| !value.is_null())).collect();
    let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
    let known = || values.iter().flatten();
    let bytes = |text: &str| ByteArray::from(text.as_bytes().to_vec());
    let odd = || Error::new(ErrorCode::Internal, "a call has a field of another kind");
    let done = match kind {
        Kind::Text => {
            let texts: Option<Vec<ByteArray>> = known().map(|value| value.as_str().map(bytes)).collect();
            column.typed::<ByteArrayType>().write_batch(&texts.ok_or_else(odd)?, Some(&levels), None)
        }
        Kind::Json => {
            let texts: Vec<ByteArray> = known().map(|value| bytes(&value.to_string())).collect();
            column.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), None)
        }
        Kind::Count => {
            let counts: Option<Vec<i64>> = known().map(|value| value.as_i64()).collect();
            column.typed::<Int64Type>().write_batch(&counts.ok_or_else(odd)?, Some(&levels), None)
        }
        Kind::Flag => {
            let flags: Option<Vec<bool>> = known().map(|value| value.as_bool()).collect();
            column.typed::<BoolType>().write_batch(&flags.ok_or_else(odd)?, Some(&levels), None)
        }
        Kind::Money => {
            let mut amounts = Vec::new();
            for value in known() {
                let pico = Usd::parse(value.as_str().ok_or_else(odd)?)?.pico();
                amounts.push(FixedLenByteArray::from(ByteArray::from(pico.to_be_bytes().to_vec())));
            }
            column.typed::<FixedLenByteArrayType>().write_batch(&amounts, Some(&levels), None)
        }
        Kind::Instant => {
            let mut instants = Vec::new();
            for value in known() {
                instants.push(value.as_str().ok_or_else(odd)?.parse::<Timestamp>()?.ms());
            }
            column.typed::<Int64Type>().write_batch(&instants, Some(&levels), None)
        }
        Kind::Texts => {
            // 0 for no list, 1 for an empty one, 2 for an element; all but the first of a list repeat.
            let (mut texts, mut levels, mut repeats) = (Vec::new(), Vec::new(), Vec::new());
            for value in &values {
                let items = value.map(|value| value.as_array().ok_or_else(odd)).transpose()?;
                if items.is_none_or(Vec::is_empty) {
                    levels.push(i16::from(items.is_some()));
                    repeats.push(0);
                }
                for (at, item) in items.into_iter().flatten().enumerate() {
                    texts.push(bytes(item.as_str().ok_or_else(odd)?));
                    levels.push(2);
                    repeats.push(i16::from(at > 0));
                }
            }
            column.typed::<ByteArrayType>().write_batch(&texts, Some(&levels), Some(&repeats))
        }
    };
    done.map(drop).map_err(fault)
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::SerializedFileReader;

    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_call_comes_back_as_it_was_recorded() {
        let book = Book::open(r#"{"path": ":memory:"}"#).expect("a ledger");
        let calls = [
            json!({ "id": "a", "at": "2026-11-20T09:00:00.123Z", "model": "gpt-4o", "agent": "editor", "tags": ["x", "y"],
                "usage": { "input_tokens": 1000, "output_tokens": 20 }, "cost": { "status": "stated", "total_usd": "1234.000000000001" },
                "tools_offered": ["search"], "truncated": false, "metadata": { "k": "v" } }),
            json!({ "id": "b", "at": "2026-11-20T10:00:00Z", "model": "our-own", "outcome": "error", "error_class": "overloaded" }),
        ];
        for call in &calls {
            book.call("record", &call.to_string()).expect("recorded");
        }
        let folder = std::env::temp_dir().join(format!("tokenbook-columnar-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let path = folder.join("calls.parquet");
        assert_eq!(export(&book, &path, json!({})).expect("written"), 2);
        assert_eq!(export(&book, &path, json!({})).expect_err("it is there").code(), ErrorCode::Conflict);
        let reader = SerializedFileReader::new(std::fs::File::open(&path).expect("there")).expect("Parquet");
        let rows: Vec<BTreeMap<String, String>> = reader
            .into_iter()
            .map(|row| {
                let row = row.expect("a row");
                row.get_column_iter().map(|(name, field)| (name.clone(), field.to_string())).collect()
            })
            .collect();
        std::fs::remove_dir_all(&folder).expect("removed");
        let [b, a] = &rows[..] else { panic!("two rows") };
        for (name, value) in [
            ("id", r#""a""#),
            ("agent", r#""editor""#),
            ("tags", r#"["x", "y"]"#),
            ("tools_offered", r#"["search"]"#),
            ("cost_usd", "1234.000000000001"),
            ("cost_status", r#""stated""#),
            ("input_tokens", "1000"),
            ("total_input_tokens", "1000"),
            ("cache_read_tokens", "0"),
            ("truncated", "false"),
            ("error_class", "null"),
        ] {
            assert_eq!(a[name], value, "{name}");
        }
        assert!(a["at"].starts_with("2026-11-20 09:00:00.123"), "{}", a["at"]);
        assert!(a["metadata"].contains('k'), "{}", a["metadata"]);
        assert_eq!((b["outcome"].as_str(), b["error_class"].as_str()), (r#""error""#, r#""overloaded""#));
        for name in ["cost_usd", "input_tokens", "tags"] {
            assert_eq!(b[name], "null", "{name}");
        }
    }

    /// Beside the description of the API, which is made of the structs themselves.
    #[cfg(feature = "serve")]
    #[test]
    fn every_field_of_a_call_has_its_column() {
        let api: Value = serde_json::from_str(include_str!("../assets/api.json")).expect("JSON");
        let fields = |name: &str| {
            let properties = api["schemas"][name]["properties"].as_object().expect("fields");
            properties.keys().cloned().collect::<Vec<String>>()
        };
        let has = |place: &str| COLUMNS.iter().any(|(_, known, _)| *known == place);
        for field in fields("Call").iter().filter(|field| !["usage", "cost"].contains(&field.as_str())) {
            assert!(has(&format!("/{field}")), "{field}");
        }
        // The provider's own object is not kept by a ledger.
        for field in fields("Usage").iter().filter(|field| field.as_str() != "raw") {
            assert!(has(&format!("/usage/{field}")), "{field}");
        }
    }
}
