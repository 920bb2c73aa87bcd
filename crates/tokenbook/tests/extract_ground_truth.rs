//! Extraction against recorded exchanges of every API: what each states is read out of the JSON a second way, field by
//! field, and must agree.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use serde_json::{Value, json};
use tokenbook::extract::{StreamExtractor, extract, extract_events};
use tokenbook::{Api, Count, Side, TokenKind};

#[path = "extract_support/second.rs"]
mod second;
#[path = "extract_support/wire.rs"]
mod wire;

use second::{expected, head, text};
use wire::{Cuts, encodings};

/// The records, or nothing with a printed reason.
fn records() -> Option<Vec<Value>> {
    let folder = std::env::var_os("TOKENBOOK_GROUND_TRUTH").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/ground-truth")),
        PathBuf::from,
    );
    let path = folder.join("usage.jsonl.gz");
    let Ok(file) = std::fs::File::open(&path) else {
        #[expect(clippy::print_stdout, reason = "says why nothing was tested")]
        {
            println!("skipped: no ground truth at {}", folder.display());
        }
        return None;
    };
    let lines = BufReader::new(flate2::read::GzDecoder::new(file)).lines();
    Some(lines.map(|line| serde_json::from_str(&line.expect("text")).expect("JSON")).collect())
}

fn api_of(record: &Value) -> Api {
    text(record, "api").expect("an API").parse().expect("a known API")
}

fn read(record: &Value) -> tokenbook::Result<tokenbook::extract::Extraction> {
    let api = api_of(record);
    let response = record["response"].to_string();
    if record["response"].is_array() { extract_events(api, &response) } else { extract(api, &response) }
}

#[test]
fn every_recorded_exchange_is_read_as_it_was_recorded() {
    let Some(records) = records() else { return };
    let mut faults = Vec::new();
    for record in &records {
        if let Err(fault) = check(record) {
            faults.push(format!(
                "{} {} {}: {fault}: {}",
                record["id"], record["api"], record["provider"], record["usage"]
            ));
        }
    }
    assert!(
        faults.is_empty(),
        "{} of {} records:\n{}",
        faults.len(),
        records.len(),
        faults[..faults.len().min(20)].join("\n")
    );
    assert!(records.len() >= 7_638, "only {} records", records.len());
    println!("{} records agree", records.len());
}

fn check(record: &Value) -> Result<(), String> {
    let extraction = read(record).map_err(|error| format!("{error} {:?}", error.details()))?;
    let same = |what: &str, got: &dyn std::fmt::Debug, want: &dyn std::fmt::Debug| {
        let (got, want) = (format!("{got:?}"), format!("{want:?}"));
        if got == want { Ok(()) } else { Err(format!("{what} is {got}, expected {want}")) }
    };
    let (input, output, cached) = expected(record);
    let measured = extraction.usage.as_ref().ok_or("no usage")?;
    let total = |sum: tokenbook::Result<Count>| sum.map(Count::get).map_err(|error| error.to_string());
    same("total input", &total(measured.total_input_tokens())?, &input)?;
    if let Some(output) = output {
        same("total output", &total(measured.total_output_tokens())?, &output)?;
    } else {
        same("output is unknown or none", &total(measured.total_output_tokens())?, &0)?;
    }
    let reads = [TokenKind::CacheRead, TokenKind::CacheReadAudio, TokenKind::CacheReadImage, TokenKind::CacheReadVideo];
    same("cached", &reads.iter().map(|kind| measured.get(*kind).get()).sum::<u64>(), &cached)?;
    let kinds =
        |side| measured.iter().filter(|(kind, _)| kind.side() == side).map(|(_, tokens)| tokens.get()).sum::<u64>();
    same("sum of the input kinds", &kinds(Side::Input), &input)?;
    same("sum of the output kinds", &kinds(Side::Output), &output.unwrap_or(0))?;
    let raw: Value = serde_json::from_str(measured.raw()).map_err(|error| error.to_string())?;
    same("raw", &raw, &record["usage"])?;
    let (id, model, stop, tools) = head(record);
    same("id", &extraction.id, &id)?;
    same("model", &extraction.model, &model)?;
    same("stop reason", &extraction.stop_reason, &stop)?;
    same("tools", &extraction.tools_called, &tools)?;
    let json = serde_json::to_value(&extraction).map_err(|error| error.to_string())?;
    same("total in JSON", &json["usage"]["total_input_tokens"], &json!(input))?;
    same("raw in JSON", &json["usage"]["raw"], &record["usage"])
}

#[test]
fn recorded_streams_are_read_alike_however_their_bytes_are_cut() {
    let Some(records) = records() else { return };
    let mut by_api: Vec<(Api, Vec<&Value>)> = Vec::new();
    for record in records.iter().filter(|record| record["response"].is_array()) {
        let api = api_of(record);
        match by_api.iter_mut().find(|(other, _)| *other == api) {
            Some((_, list)) => list.push(record),
            None => by_api.push((api, vec![record])),
        }
    }
    // Small ones first: what matters is where the cuts fall, not how much text lies between them.
    for (_, list) in &mut by_api {
        list.sort_by_key(|record| record["response"].to_string().len());
    }
    let mut chosen: Vec<(Api, &Value)> = Vec::new();
    for place in 0.. {
        let of_each = by_api.iter().filter_map(|(api, list)| list.get(place).map(|record| (*api, *record)));
        let before = chosen.len();
        chosen.extend(of_each);
        if chosen.len() >= STREAMS || chosen.len() == before {
            break;
        }
    }
    assert!(chosen.len() >= STREAMS, "only {} streams", chosen.len());
    chosen.truncate(STREAMS);
    std::thread::scope(|scope| {
        for half in chosen.chunks(STREAMS / 2) {
            scope.spawn(|| half.iter().for_each(|(api, record)| cut_and_compare(*api, record)));
        }
    });
}

const STREAMS: usize = 200;
const CUTTINGS: usize = 1_000;

fn cut_and_compare(api: Api, record: &Value) {
    let mut cuts = Cuts::new(20_261_122);
    let whole = read(record).expect("a recorded stream");
    let encodings = encodings(api, record["response"].as_array().expect("a list"), &mut cuts);
    for round in 0..CUTTINGS {
        let bytes = &encodings[round % encodings.len()];
        let mut stream = StreamExtractor::new(api);
        for piece in cuts.cut(bytes, round) {
            stream.push(piece).expect("a recorded stream");
        }
        let got = stream.finish().expect("a recorded stream");
        assert_eq!(got, whole, "{} round {round}", record["id"]);
    }
}

#[test]
fn every_recorded_stream_survives_its_wire_form() {
    let Some(records) = records() else { return };
    let mut cuts = Cuts::new(7);
    let mut streams = 0;
    for record in records.iter().filter(|record| record["response"].is_array()) {
        let api = api_of(record);
        let whole = read(record).expect("read above");
        for (index, bytes) in
            encodings(api, record["response"].as_array().expect("a list"), &mut cuts).iter().enumerate()
        {
            let mut stream = StreamExtractor::new(api);
            stream.push(bytes).expect("a recorded stream");
            assert_eq!(stream.finish().expect("a recorded stream"), whole, "{} encoding {index}", record["id"]);
        }
        streams += 1;
    }
    println!("{streams} streams");
}

#[test]
fn a_recorded_stream_that_breaks_off_is_partial_and_never_zero() {
    let Some(records) = records() else { return };
    let mut cuts = Cuts::new(11);
    for record in records.iter().filter(|record| record["response"].is_array()).step_by(3) {
        let api = api_of(record);
        let whole = read(record).expect("read above");
        let bytes = encodings(api, record["response"].as_array().expect("a list"), &mut cuts).swap_remove(0);
        for _ in 0..5 {
            let mut stream = StreamExtractor::new(api);
            stream.push(&bytes[..cuts.below(bytes.len())]).expect("a recorded stream");
            let got = stream.finish().expect("a recorded stream");
            let known = got.usage.as_ref().map(|usage| usage.usage.clone());
            assert!(
                got.partial || known == whole.usage.as_ref().map(|usage| usage.usage.clone()),
                "{}: {got:?}",
                record["id"]
            );
            if let Some(usage) = known {
                let zero = usage.total_input_tokens().expect("small").is_zero()
                    && usage.total_output_tokens().expect("small").is_zero();
                assert!(!zero, "{}: {got:?}", record["id"]);
            }
        }
    }
}
