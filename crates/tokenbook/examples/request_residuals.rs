//! Counts requests given as JSON lines `{id, api, model, body}` on standard input, for the scripts in `xtask/fit`.
//!
//! The environment variable `TOKENBOOK_VOCABULARIES` names a folder with vocabularies of other families.
//!
//! With the feature `fit` its arguments are the weights of the text model to count by, in 64ths.
#![expect(clippy::print_stdout, reason = "its output is what it is for")]

use std::io::BufRead as _;

use serde_json::{Value, json};
use tokenbook::Api;
use tokenbook::request::count_request;

fn main() {
    #[cfg(feature = "fit")]
    {
        let weights: Vec<u64> =
            std::env::args().skip(1).map(|weight| weight.parse().expect("a whole number")).collect();
        if !weights.is_empty() {
            tokenbook::count_by(&weights);
        }
    }
    let folder = std::env::var_os("TOKENBOOK_VOCABULARIES");
    for file in folder.map(|folder| std::fs::read_dir(folder).expect("a folder")).into_iter().flatten().flatten() {
        let file = std::fs::read(file.path()).expect("a file of the folder");
        tokenbook::text::add_vocabulary(&file).expect("a vocabulary");
    }
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("the input is text");
        let record: Value = serde_json::from_str(&line).expect("each line is JSON");
        let text = |key: &str| record[key].as_str();
        let counted = text("api")
            .unwrap_or_default()
            .parse::<Api>()
            .and_then(|api| count_request(api, text("body").unwrap_or_default().as_bytes(), text("model")));
        let answer = match counted {
            Ok(count) => json!({"id": record["id"], "count": count}),
            Err(error) => json!({"id": record["id"], "error": error.to_string()}),
        };
        println!("{answer}");
    }
}
