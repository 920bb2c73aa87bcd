//! Runs the vectors that every language shares: `tests/vectors/<op>.json`.
#![forbid(unsafe_code)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokenbook_wire::{Book, OPS, call};

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors"))
}

/// A file of vectors. Arguments stay text: the order of a request's fields is part of what is counted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    op: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default)]
    setup: Vec<Step>,
    args: Box<RawValue>,
    want: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    op: String,
    args: Box<RawValue>,
}

fn answer(op: &str, case: &Case) -> Value {
    let needs_ledger = OPS.iter().any(|known| known.name == op && known.needs_ledger());
    let result = if needs_ledger {
        let book = Book::open(r#"{"path": ":memory:"}"#).expect("a ledger in memory opens");
        for step in &case.setup {
            book.call(&step.op, step.args.get()).expect("the setup runs");
        }
        book.call(op, case.args.get())
    } else {
        call(op, case.args.get())
    };
    match result {
        Ok(text) => serde_json::from_str(&text).expect("an answer is JSON"),
        Err(error) => json!({ "code": error.code().name(), "message": error.message() }),
    }
}

#[test]
fn every_vector_holds() {
    let mut cases_run = 0;
    let mut faults = Vec::new();
    let entries = fs::read_dir(folder()).expect("the vectors are there");
    // What needs vocabularies that are added is in a folder of its own, with a test of its own.
    let mut files: Vec<_> =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_file()).collect();
    files.sort();
    for path in files {
        let text = fs::read_to_string(&path).expect("readable");
        let File { op, cases } =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(!cases.is_empty(), "{op} has no cases");
        let names: BTreeSet<_> = cases.iter().map(|case| &case.name).collect();
        assert_eq!(names.len(), cases.len(), "{op} names a case twice");
        for case in &cases {
            let got = answer(&op, case);
            let want = case.want.as_ref().or(case.error.as_ref()).expect("a case wants something");
            if got != *want {
                faults.push(format!("{op} / {}\n  want {want}\n  got  {got}", case.name));
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
