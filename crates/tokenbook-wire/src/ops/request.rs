//! Counting requests, and splitting what was billed over their parts.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokenbook::attribute::{Attribution, CalibratedCount, calibrate};
use tokenbook::request::{Calibration, RequestCount};
use tokenbook::{Api, Result, Usage};

use super::Nothing;
use crate::Book;
use crate::text::json_text;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountRequestArgs<'a> {
    api: Api,
    #[serde(borrow)]
    body: &'a RawValue,
    model: Option<String>,
}

pub(super) fn count_request(args: CountRequestArgs<'_>) -> Result<RequestCount> {
    let body = json_text("body", args.body)?;
    tokenbook::request::count_request(args.api, body.as_bytes(), args.model.as_deref())
}

pub(super) fn count_request_calibrated(book: &Book, args: CountRequestArgs<'_>) -> Result<CalibratedCount> {
    let counted = count_request(args)?;
    let calibration = Calibration::learn(&book.ledger()?.samples(&counted.model)?);
    calibrate(counted, calibration)
}

/// What estimates are corrected by.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Calibrations {
    /// One for each model with estimated past calls, by name.
    calibrations: Vec<ModelCalibration>,
}

/// What the estimates of a model are corrected by.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct ModelCalibration {
    /// The model, as requests named it.
    model: String,
    /// The correction, and what it was learned from.
    calibration: Calibration,
}

pub(super) fn calibrations(book: &Book, _: Nothing) -> Result<Calibrations> {
    let ledger = book.ledger()?;
    let learned = ledger.sampled_models()?.into_iter().map(|model| {
        let calibration = Calibration::learn(&ledger.samples(&model)?);
        Ok(ModelCalibration { model, calibration })
    });
    Ok(Calibrations { calibrations: learned.collect::<Result<_>>()? })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AttributeArgs {
    request: RequestCount,
    usage: Usage,
}

pub(super) fn attribute(args: AttributeArgs) -> Result<Attribution> {
    tokenbook::attribute::attribute(&args.request, &args.usage)
}
