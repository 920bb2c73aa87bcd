//! Runs the vectors of the families whose vocabularies are added, in a process of their own: `tests/vectors/families/<op>.json`.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokenbook_wire::call;

#[derive(Deserialize)]
struct File {
    op: String,
    cases: Vec<Case>,
}

/// Arguments stay text: the order of a request's fields is part of what is counted.
#[derive(Deserialize)]
struct Case {
    name: String,
    args: Box<RawValue>,
    want: Value,
}

#[test]
fn every_vector_holds_once_the_vocabularies_are_added() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let missing = call("count", r#"{"text": "a", "encoding": "qwen"}"#).expect_err("nothing is added yet");
    assert_eq!(missing.code().name(), "unavailable");
    assert!(missing.message().contains("tokenbook-vocabularies"), "{missing}");
    let estimated = call("count_request", r#"{"api": "openai.chat", "body": {"model": "qwen3-32b", "messages": []}}"#);
    assert!(estimated.expect("an estimate").contains("figures fitted for Qwen models"));
    let nowhere = call("vocabularies", r#"{"folder": "/nowhere"}"#).expect_err("there is no such folder");
    assert_eq!(nowhere.message(), "folder: /nowhere is no folder");

    let folder = root.join("vocabularies/data");
    let told = call("vocabularies", &json!({ "folder": folder }).to_string()).expect("the folder is there");
    assert!(told.ends_with(r#""missing":[]}"#), "{told}");
    for name in ["count", "count_request"] {
        let text = fs::read_to_string(root.join(format!("tests/vectors/families/{name}.json"))).expect("readable");
        let File { op, cases } = serde_json::from_str(&text).expect("vectors");
        assert!(!cases.is_empty());
        for case in cases {
            let got = call(&op, case.args.get()).expect(&case.name);
            assert_eq!(serde_json::from_str::<Value>(&got).expect("JSON"), case.want, "{}", case.name);
        }
    }
}
