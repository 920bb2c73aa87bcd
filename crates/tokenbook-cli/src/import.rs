//! `tokenbook import`: files of calls, raw responses or recorded exchanges into the ledger.
//!
//! A line that can't be recorded is reported with its number and the rest goes on; calls already there are counted, not
//! recorded twice.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use tokenbook_wire::{Book, Error, ErrorCode};

use crate::arguments::{Arguments, Import, ImportKind};
use crate::failure::Failure;
use crate::{metadata, place};

/// A line's fields as they are written: the order inside a request is part of what is counted.
type Fields = BTreeMap<String, Box<RawValue>>;

/// Lines that are recorded in one durable step.
const BATCH: usize = 1_000;

/// How many refused lines are shown, so that a wrong file doesn't flood the terminal.
const SHOWN: u64 = 10;

#[derive(Default)]
struct Tally {
    recorded: u64,
    duplicates: u64,
    refused: u64,
}

pub(crate) fn run(arguments: &Arguments, from: &Import) -> Result<(), Failure> {
    let book = place::open(arguments)?;
    if from.kind == ImportKind::Csv {
        return table(arguments, from, &book);
    }
    if from.kind == ImportKind::Metadata {
        return tree(arguments, from, &book);
    }
    let (reader, progress) = open(&from.file)?;
    let mut tally = Tally::default();
    let mut batch: Vec<(u64, Fields)> = Vec::new();
    for (number, line) in (1_u64..).zip(reader.lines()) {
        let line = line.map_err(|error| Failure::io(format!("{}:{number}", from.file.display()), &error))?;
        if line.trim().is_empty() {
            continue;
        }
        match serde_json::from_str::<Fields>(&line) {
            Ok(object) => {
                batch.push((number, prepared(object, from)));
            }
            Err(error) => refuse(&progress, &mut tally, number, &error.to_string()),
        }
        if batch.len() == BATCH {
            flush(&book, from, &mut batch, &mut tally, &progress)?;
        }
    }
    flush(&book, from, &mut batch, &mut tally, &progress)?;
    progress.finish_and_clear();
    tally.print(arguments)
}

impl Tally {
    /// Says what became of the lines; refused ones make the command fail.
    fn print(&self, arguments: &Arguments) -> Result<(), Failure> {
        let Self { recorded, duplicates, refused } = self;
        if arguments.json {
            println!("{}", json!({ "recorded": recorded, "duplicates": duplicates, "refused": refused }));
        } else {
            println!("recorded {recorded}, already there {duplicates}, refused {refused}");
        }
        match refused {
            0 => Ok(()),
            _ => Err(Failure::invalid(format!("lines refused: {refused}"))),
        }
    }
}

/// Records what the metadata files of a folder tell of.
fn tree(arguments: &Arguments, from: &Import, book: &Book) -> Result<(), Failure> {
    let mut tally = Tally::default();
    for (path, told) in metadata::calls(from)? {
        let refused = match told {
            Ok(mut call) => {
                if let Some(fields) = call.as_object_mut() {
                    fields.retain(|_, value| !value.is_null());
                }
                match book.call("record", &call.to_string()) {
                    Ok(answer) if answer.contains("\"duplicate\"") => {
                        tally.duplicates += 1;
                        None
                    }
                    Ok(_) => {
                        tally.recorded += 1;
                        None
                    }
                    Err(error) => Some(error.to_string()),
                }
            }
            Err(reason) => Some(reason),
        };
        if let Some(reason) = refused {
            tally.refused += 1;
            if tally.refused <= SHOWN {
                eprintln!("{}: {reason}", path.display());
            }
        }
    }
    tally.print(arguments)
}

/// Records a CSV file, whose quoted cells may hold line ends, so that it is read whole by the core.
fn table(arguments: &Arguments, from: &Import, book: &Book) -> Result<(), Failure> {
    let args = json!({ "path": place::path_text(&from.file)?, "format": "csv" });
    let answer: Value = serde_json::from_str(&book.call("import", &args.to_string())?)
        .map_err(|error| Failure::from(Error::new(ErrorCode::Internal, error.to_string())))?;
    let mut tally = Tally::default();
    for failure in answer["failures"].as_array().into_iter().flatten() {
        let line = failure["line"].as_u64().unwrap_or_default();
        refuse(&ProgressBar::hidden(), &mut tally, line, failure["message"].as_str().unwrap_or_default());
    }
    let count = |field: &str| answer[field].as_u64().unwrap_or_default();
    Tally { recorded: count("recorded"), duplicates: count("duplicates"), refused: count("failed") }.print(arguments)
}

/// Opens the file with a bar that shows how much of it was read.
fn open(file: &Path) -> Result<(Box<dyn BufRead>, ProgressBar), Failure> {
    if file == Path::new("-") {
        return Ok((Box::new(BufReader::new(io::stdin())), ProgressBar::hidden()));
    }
    let handle = File::open(file).map_err(|error| Failure::io(file.display(), &error))?;
    let size = handle.metadata().map_err(|error| Failure::io(file.display(), &error))?.len();
    // Draws on standard error, and only on a terminal.
    let style =
        ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}").expect("the template is well-formed");
    let progress = ProgressBar::new(size).with_style(style);
    let read: Box<dyn Read> = Box::new(progress.wrap_read(handle));
    Ok((Box::new(BufReader::with_capacity(1 << 18, read)), progress))
}

/// A line as the arguments of the operation that records it.
fn prepared(mut line: Fields, from: &Import) -> Fields {
    if from.kind == ImportKind::Exchanges {
        let mut args = Fields::new();
        for (name, target) in [("api", "api"), ("provider", "provider"), ("model", "model"), ("request", "request")] {
            if let Some(value) = line.remove(name).filter(|value| value.get() != "null") {
                args.insert(target.to_owned(), value);
            }
        }
        match line.remove("response") {
            Some(events) if events.get().starts_with('[') => args.insert("events".to_owned(), events),
            Some(body) => args.insert("body".to_owned(), body),
            None => None,
        };
        // Recordings carry all sorts of dates; one that is no instant is left out.
        if let Some(at) = line.remove("recorded").and_then(|at| instant(&at)) {
            args.insert("at".to_owned(), text(&at));
        }
        if let Some(id) = line.remove("id") {
            args.insert("fallback_id".to_owned(), id);
        }
        line = args;
    }
    if let Some(agent) = &from.agent {
        line.entry("agent".to_owned()).or_insert_with(|| text(agent));
    }
    line
}

/// A text as a JSON value.
fn text(text: &str) -> Box<RawValue> {
    to_raw_value(text).expect("a text is JSON")
}

fn written(args: &BTreeMap<&str, Vec<Fields>>) -> Result<String, Failure> {
    serde_json::to_string(args).map_err(|error| Error::new(ErrorCode::Internal, error.to_string()).into())
}

/// An instant as RFC 3339, from text of that form or seconds since 1970.
fn instant(value: &RawValue) -> Option<String> {
    match &serde_json::from_str(value.get()).ok()? {
        Value::String(text) if text.contains('T') => Some(text.clone()),
        Value::Number(seconds) => {
            let ms = seconds.as_i64()?.checked_mul(1_000)?;
            Some(tokenbook_wire::Timestamp::from_ms(ms).ok()?.to_string())
        }
        _ => None,
    }
}

fn flush(
    book: &Book,
    from: &Import,
    batch: &mut Vec<(u64, Fields)>,
    tally: &mut Tally,
    progress: &ProgressBar,
) -> Result<(), Failure> {
    let (numbers, lines): (Vec<u64>, Vec<Fields>) = batch.drain(..).unzip();
    if lines.is_empty() {
        return Ok(());
    }
    let (op, field) = match from.kind {
        // Tables and folders go other ways.
        ImportKind::Calls | ImportKind::Csv | ImportKind::Metadata => ("record_batch", "calls"),
        ImportKind::Responses | ImportKind::Exchanges => ("record_responses", "responses"),
    };
    let answer: Value = serde_json::from_str(&book.call(op, &written(&BTreeMap::from([(field, lines)]))?)?)
        .map_err(|error| Failure::from(Error::new(ErrorCode::Internal, error.to_string())))?;
    for (number, result) in numbers.into_iter().zip(answer["results"].as_array().into_iter().flatten()) {
        match result["status"].as_str() {
            Some("recorded") => tally.recorded += 1,
            Some("duplicate") => tally.duplicates += 1,
            _ => refuse(progress, tally, number, result["error"]["message"].as_str().unwrap_or("no reason was given")),
        }
    }
    Ok(())
}

fn refuse(progress: &ProgressBar, tally: &mut Tally, number: u64, message: &str) {
    tally.refused += 1;
    if tally.refused <= SHOWN {
        progress.suspend(|| eprintln!("line {number}: {message}"));
    }
}
