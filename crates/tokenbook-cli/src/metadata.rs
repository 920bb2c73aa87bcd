//! `tokenbook import --kind metadata`: a tree of metadata files, each with the `tokenUsage` of the response behind a script.
//!
//! Several files may carry one response: it is recorded once, at the time of its first file.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::arguments::Import;
use crate::failure::Failure;

/// Larger files are no metadata.
const LARGEST_BYTES: u64 = 16 << 20;

/// A call that a metadata file tells of, or why it can't be recorded.
pub(crate) type Told = Result<Value, String>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    agent_id: Option<Value>,
    timestamp: Option<String>,
    script_type: Option<String>,
    script_id: Option<String>,
    model: Option<String>,
    token_usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Usage {
    #[serde(alias = "inputTokens")]
    input_tokens: Value,
    #[serde(alias = "outputTokens")]
    output_tokens: Value,
    max_tokens: Option<Value>,
    stop_reason: Option<String>,
    truncated: Option<bool>,
    response_id: Option<String>,
    model: Option<String>,
}

/// The calls behind all metadata files of a folder, each once, in the order of time; files without usage tell of none.
pub(crate) fn calls(from: &Import) -> Result<Vec<(PathBuf, Told)>, Failure> {
    let mut files = Vec::new();
    gather(&from.file, &mut files)?;
    let mut found: BTreeMap<String, (String, PathBuf, Told)> = BTreeMap::new();
    for path in files {
        let text = fs::read_to_string(&path).map_err(|error| Failure::io(path.display(), &error))?;
        // A tree of scripts holds other JSON too; it tells of no usage and is passed over.
        let Ok(value) = serde_json::from_str::<Value>(&text) else {
            found.insert(path.display().to_string(), (String::new(), path, Err("it is no JSON".to_owned())));
            continue;
        };
        if value.get("tokenUsage").is_none_or(Value::is_null) {
            continue;
        }
        let (key, at, told) = match serde_json::from_value::<File>(value) {
            Ok(file) => read(file, from),
            Err(error) => (path.display().to_string(), String::new(), Err(error.to_string())),
        };
        let is_first = found.get(&key).is_none_or(|(before, _, _)| at < *before);
        if is_first {
            found.insert(key, (at, path, told));
        }
    }
    let mut calls: Vec<_> = found.into_values().collect();
    calls.sort_by(|one, other| (&one.0, &one.1).cmp(&(&other.0, &other.1)));
    Ok(calls.into_iter().map(|(_, path, told)| (path, told)).collect())
}

/// All JSON files below a folder, in order; links are not followed.
fn gather(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::io(folder.display(), &error);
    let mut entries = fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let kind = entry.file_type().map_err(failed)?;
        let path = entry.path();
        if kind.is_dir() {
            gather(&path, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|extension| extension == "json") {
            let size = entry.metadata().map_err(failed)?.len();
            if size <= LARGEST_BYTES {
                files.push(path);
            }
        }
    }
    Ok(())
}

/// A file's response by its key, the time of the file, and the call.
fn read(file: File, from: &Import) -> (String, String, Told) {
    let File { agent_id, timestamp, script_type, script_id, model, token_usage } = file;
    let at = timestamp.unwrap_or_default();
    let Some(usage) = token_usage else { return (String::new(), at, Err("it has no `tokenUsage`".to_owned())) };
    let numbers = (&usage.input_tokens, &usage.output_tokens, &usage.max_tokens, &usage.stop_reason);
    // Without the response's id, the same numbers of the same kind of script are the same response.
    let key = usage.response_id.clone().unwrap_or_else(|| format!("{numbers:?} {script_type:?}"));
    if at.is_empty() {
        return (key, at, Err("timestamp: it has none".to_owned()));
    }
    let Some(model) = usage.model.or(model).or_else(|| from.model.clone()) else {
        return (key, at, Err("model: it names none; give one with --model".to_owned()));
    };
    let agent = match agent_id {
        Some(Value::String(agent)) => Some(agent),
        Some(Value::Number(agent)) => Some(agent.to_string()),
        _ => from.agent.clone(),
    };
    let is_truncated = usage.stop_reason.as_deref().map(|reason| reason == "max_tokens");
    let call = json!({
        "id": usage.response_id,
        "at": at,
        "model": model,
        "agent": agent,
        "action": script_type,
        "outcome": "success",
        "usage": { "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens },
        "max_tokens": usage.max_tokens,
        "stop_reason": usage.stop_reason,
        "truncated": usage.truncated.or(is_truncated),
        "metadata": script_id.map(|id| json!({ "script_id": id })),
    });
    (key, at, Ok(call))
}
