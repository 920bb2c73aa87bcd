//! Runs the vectors that every language shares: `tests/vectors/<op>.json`.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tokenbook_wire::{Book, OPS, call};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors"))
}

fn answer(op: &str, case: &Value) -> Value {
    let args = case["args"].to_string();
    let needs_ledger = OPS.iter().any(|known| known.name == op && known.needs_ledger());
    let result = if needs_ledger {
        let book = Book::open(r#"{"path": ":memory:"}"#).expect("a ledger in memory opens");
        for step in case["setup"].as_array().into_iter().flatten() {
            book.call(step["op"].as_str().expect("a name"), &step["args"].to_string()).expect("the setup runs");
        }
        book.call(op, &args)
    } else {
        call(op, &args)
    };
    match result {
        Ok(text) => json!({ "want": serde_json::from_str::<Value>(&text).expect("an answer is JSON") }),
        Err(error) => json!({ "error": { "code": error.code().name(), "message": error.message() } }),
    }
}

#[test]
fn every_vector_holds() {
    let mut cases_run = 0;
    let mut faults = Vec::new();
    let mut files: Vec<_> =
        fs::read_dir(folder()).expect("the vectors are there").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    for path in files {
        let file: Value =
            serde_json::from_str(&fs::read_to_string(&path).expect("readable")).expect("a vector file is JSON");
        let op = file["op"].as_str().expect("a vector file names its operation");
        let cases = file["cases"].as_array().expect("a vector file has cases");
        assert!(!cases.is_empty(), "{op} has no cases");
        let names: BTreeSet<_> = cases.iter().map(|case| case["name"].as_str().expect("a case has a name")).collect();
        assert_eq!(names.len(), cases.len(), "{op} names a case twice");
        for case in cases {
            let got = answer(op, case);
            let (key, want) = if case["error"].is_null() { ("want", &case["want"]) } else { ("error", &case["error"]) };
            if got[key] != *want {
                faults.push(format!("{op} / {}\n  want {key} {want}\n  got  {got}", case["name"]));
            }
            cases_run += 1;
        }
    }
    assert!(faults.is_empty(), "{} of {cases_run} cases fail:\n{}", faults.len(), faults.join("\n"));
    println!("{cases_run} cases");
}

#[test]
fn every_operation_has_vectors() {
    let missing: Vec<_> =
        OPS.iter().map(|op| op.name).filter(|op| !folder().join(format!("{op}.json")).exists()).collect();
    assert!(missing.is_empty(), "no vectors for {missing:?}");
}
