//! Correcting estimates by what past calls were billed.

use serde::Serialize;
use tokenbook::Result;
use tokenbook::attribute::{CalibratedCount, calibrate};
use tokenbook::request::Calibration;

use super::Nothing;
use super::request::{CountRequestArgs, count_request};
use crate::Book;

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
