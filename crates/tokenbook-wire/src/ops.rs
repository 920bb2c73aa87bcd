//! The list of all operations.
#![expect(clippy::needless_pass_by_value, reason = "an operation owns its arguments")]

#[cfg(feature = "ledger")]
mod alert;
#[cfg(feature = "ledger")]
mod budget;
#[cfg(feature = "ledger")]
mod calibration;
mod count;
pub(crate) mod extract;
#[cfg(feature = "ledger")]
mod insight;
#[cfg(feature = "ledger")]
mod ledger;
pub(crate) mod price;
#[cfg(feature = "ledger")]
pub(crate) mod record;
pub(crate) mod request;
mod vocabularies;

use tokenbook::{Error, Result};

use crate::Book;
use crate::text;

/// An operation: a name, and a function from JSON text to JSON text.
pub struct Op {
    /// The name as the wire, the vectors and `tokenbook ops` spell it.
    pub name: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    run: Run,
}

#[derive(Clone, Copy)]
enum Run {
    Pure(fn(&str) -> Result<String>),
    Ledger(fn(&Book, &str) -> Result<String>),
}

impl Op {
    /// Whether it runs on an open ledger ([`Book::call`]) or needs none ([`crate::call`]).
    pub fn needs_ledger(&self) -> bool {
        matches!(self.run, Run::Ledger(_))
    }

    pub(crate) fn run(&self, book: Option<&Book>, args: &str) -> Result<String> {
        match (self.run, book) {
            (Run::Pure(run), _) => run(args),
            (Run::Ledger(run), Some(book)) => run(book, args),
            (Run::Ledger(_), None) => {
                Err(Error::invalid(format!("the operation `{}` needs an open ledger", self.name)))
            }
        }
    }
}

/// Finds an operation by its name.
pub(crate) fn find(name: &str) -> Result<&'static Op> {
    OPS.iter().chain(UNLISTED).find(|op| op.name == name).ok_or_else(|| {
        let shown: String = name.chars().take(60).collect();
        let names: Vec<_> = OPS.iter().map(|op| op.name).collect();
        Error::invalid(format!("unknown operation {shown:?}; there are {}", names.join(", ")))
    })
}

#[cfg(feature = "ledger")]
macro_rules! on_ledger {
    ($function:path) => {
        Run::Ledger(|book, json| text::write(&$function(book, text::read(&text::without_nulls(json))?)?))
    };
}

#[cfg(not(feature = "ledger"))]
macro_rules! on_ledger {
    ($function:path) => {
        Run::Ledger(|book, _| match *book {})
    };
}

macro_rules! ops {
    (@run pure $function:path) => {
        Run::Pure(|json| text::write(&$function(text::read(&text::without_nulls(json))?)?))
    };
    (@run ledger $function:path) => {
        on_ledger!($function)
    };
    ($($kind:ident $name:literal $function:path, $about:literal;)+) => {
        &[$(Op { name: $name, about: $about, run: ops!(@run $kind $function) }),+]
    };
}

/// Every operation, in the order of the flow: count, extract, price, record, report.
pub const OPS: &[Op] = ops! {
    pure "count" count::count, "counts the tokens of a text exactly";
    pure "count_batch" count::count_batch, "counts the tokens of many texts exactly";
    pure "count_up_to" count::count_up_to, "counts the tokens of a text up to a limit";
    pure "encode" count::encode, "gives the token ids of a text";
    pure "decode" count::decode, "gives the text of token ids";
    pure "estimate" count::estimate, "counts the tokens of a text for any model, and says how sure it is";
    pure "count_request" request::count_request, "counts a request part by part before it is made";
    pure "vocabularies" vocabularies::vocabularies, "tells which encodings can be counted in, and takes a folder with more";
    pure "attribute" request::attribute, "splits billed input over the parts of a request";
    pure "extract" extract::extract, "reads what a response or its events say was used";
    pure "extract_stream" extract::extract_stream, "reads what the raw bytes of a stream say was used";
    pure "cost" price::cost, "prices a usage";
    pure "cost_batch" price::cost_batch, "prices many usages given as columns";
    pure "prices_search" price::prices_search, "finds models of the catalog by a part of their name";
    pure "prices_show" price::prices_show, "shows every price that a model ever had";
    pure "prices_override" price::prices_override, "lays prices of the user's own over the catalog";
    pure "prices_replace" price::prices_replace, "replaces the catalog by a newer one";
    pure "prices_diff" price::prices_diff, "tells how another catalog differs from the one in use";
    ledger "record" record::record, "records a call";
    ledger "record_batch" record::record_batch, "records many calls";
    ledger "record_response" record::record_response, "reads, prices and records a provider's response";
    ledger "record_responses" record::record_responses, "reads, prices and records many responses";
    ledger "get" ledger::get, "gives a recorded call";
    ledger "list" ledger::list, "lists recorded calls, newest first";
    ledger "report" ledger::report, "sums up calls by any dimensions";
    ledger "overview" insight::overview, "tells everything that a dashboard shows of a range";
    ledger "findings" insight::findings, "tells what could be saved, the most money first";
    ledger "what_if" insight::what_if, "prices the same calls on another model";
    ledger "compare" insight::compare, "tells why one period cost more than another";
    ledger "forecast" insight::forecast, "foretells the next days with bands that hold";
    ledger "query" ledger::query, "asks the ledger in SQL, read-only";
    ledger "verify" ledger::verify, "checks that nothing was lost or changed";
    ledger "prune" ledger::prune, "drops old calls and keeps their sums";
    ledger "export" ledger::export, "writes recorded calls to a file";
    ledger "import" ledger::import, "records the calls of an exported file";
    ledger "snapshot" ledger::snapshot, "writes a consistent copy of the ledger";
    ledger "count_request_calibrated" calibration::count_request_calibrated, "counts a request, corrected by past calls of its model";
    ledger "calibrations" calibration::calibrations, "tells what estimates are corrected by";
    ledger "stats" ledger::stats, "gives figures about the ledger's file";
    ledger "live" ledger::live, "tells which calls are running now";
    ledger "close" ledger::close, "closes the ledger once all is durable";
    ledger "budget_set" budget::budget_set, "sets a budget, or changes it";
    ledger "budget_remove" budget::budget_remove, "removes a budget";
    ledger "budgets" budget::budgets, "tells how all budgets stand";
    ledger "reserve" budget::reserve, "puts aside what a call may take, or refuses";
    ledger "extend" budget::extend, "puts aside more for a running call";
    ledger "settle" budget::settle, "records a call and lets its hold go";
    ledger "void" budget::void, "lets the hold of a call go that was not made";
    ledger "alert_rules" alert::alert_rules, "gives the alert rules in use";
    ledger "alert_rules_set" alert::alert_rules_set, "sets the alert rules, or brings the built-in ones back";
    ledger "alerts_check" alert::alerts_check, "judges the alert rules and tells what has started and ended";
    ledger "alerts" alert::alerts, "lists alerts, newest first";
    ledger "alert_notices" alert::alert_notices, "gives what has started and ended since";
    ledger "alert_silence" alert::alert_silence, "keeps an alert rule quiet for a while";
    ledger "alert_sinks" alert::alert_sinks, "says to whom this process tells alerts";
    pure "version" version::version, "names the versions of the library and of its price catalog";
    pure "ops" list::ops, "lists every operation";
};

/// Adds the types of all answers to a schema.
#[cfg(feature = "schema")]
pub(crate) fn define(generator: &mut schemars::SchemaGenerator) {
    use crate::schema::define;

    define::<count::Counted>(generator);
    define::<count::CountedBatch>(generator);
    define::<count::CountedUpTo>(generator);
    define::<count::Encoded>(generator);
    define::<count::Decoded>(generator);
    define::<vocabularies::Vocabularies>(generator);
    define::<tokenbook::request::TextCount>(generator);
    define::<tokenbook::request::RequestCount>(generator);
    define::<tokenbook::Attribution>(generator);
    define::<tokenbook::extract::Extraction>(generator);
    define::<tokenbook::Cost>(generator);
    define::<tokenbook::cost::BatchCost>(generator);
    define::<price::PricesFound>(generator);
    define::<price::PricesShown>(generator);
    define::<price::PricesInUse>(generator);
    define::<price::PricesChanged>(generator);
    define::<tokenbook::attribute::CalibratedCount>(generator);
    define::<calibration::Calibrations>(generator);
    define::<tokenbook_ledger::Recorded>(generator);
    define::<record::RecordedBatch>(generator);
    define::<tokenbook_ledger::Call>(generator);
    define::<tokenbook_ledger::Stats>(generator);
    define::<tokenbook_ledger::Page>(generator);
    define::<tokenbook_ledger::Report>(generator);
    define::<tokenbook_ledger::Overview>(generator);
    define::<tokenbook_ledger::Findings>(generator);
    define::<tokenbook_ledger::WhatIf>(generator);
    define::<tokenbook_ledger::Comparison>(generator);
    define::<tokenbook_ledger::Forecast>(generator);
    define::<tokenbook_ledger::QueryResult>(generator);
    define::<tokenbook_ledger::Verification>(generator);
    define::<tokenbook_ledger::Pruned>(generator);
    define::<ledger::Exported>(generator);
    define::<ledger::ImportedFile>(generator);
    define::<ledger::Written>(generator);
    define::<ledger::Live>(generator);
    define::<ledger::Done>(generator);
    define::<alert::AlertRules>(generator);
    define::<alert::AlertNotices>(generator);
    define::<alert::Alerts>(generator);
    define::<tokenbook_ledger::AlertSilence>(generator);
    define::<alert::AlertSinks>(generator);
    define::<budget::Budgets>(generator);
    define::<tokenbook_ledger::Budget>(generator);
    define::<tokenbook_ledger::Hold>(generator);
    define::<budget::Voided>(generator);
    define::<version::Version>(generator);
    define::<list::Listed>(generator);
}

/// What the operations that only read take and give, for the document of an API.
#[cfg(feature = "schema")]
pub(crate) fn describe(api: &mut crate::schema::Api) {
    api.add::<tokenbook_ledger::OverviewQuery, tokenbook_ledger::Overview>("overview");
    api.add::<tokenbook_ledger::ReportQuery, tokenbook_ledger::Report>("report");
    api.add::<tokenbook_ledger::FindingsQuery, tokenbook_ledger::Findings>("findings");
    api.add::<tokenbook_ledger::CompareQuery, tokenbook_ledger::Comparison>("compare");
    api.add::<tokenbook_ledger::WhatIfQuery, tokenbook_ledger::WhatIf>("what_if");
    api.add::<tokenbook_ledger::ForecastQuery, tokenbook_ledger::Forecast>("forecast");
    api.add::<tokenbook_ledger::ListQuery, tokenbook_ledger::Page>("list");
    api.add::<ledger::GetArgs, tokenbook_ledger::Call>("get");
    api.add::<Nothing, tokenbook_ledger::Stats>("stats");
    api.add::<Nothing, ledger::Live>("live");
    api.add::<budget::BudgetsArgs, budget::Budgets>("budgets");
    api.add::<tokenbook_ledger::AlertsQuery, alert::Alerts>("alerts");
    api.add::<Nothing, calibration::Calibrations>("calibrations");
    api.add::<Nothing, tokenbook_ledger::Verification>("verify");
    api.add::<price::Search, price::PricesFound>("prices_search");
    api.add::<price::Show, price::PricesShown>("prices_show");
    api.add::<Nothing, version::Version>("version");
}

/// Operations for the tests of a promise, not for use.
const UNLISTED: &[Op] = ops! {
    pure "panic" version::panic, "panics, to prove that no panic reaches a host";
};

/// The arguments of an operation that takes none.
#[derive(serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Nothing {}

mod list {
    use serde::Serialize;
    use tokenbook::Result;

    use super::{Nothing, OPS};

    /// Every operation, in the order of the flow.
    #[derive(Serialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub(super) struct Listed {
        /// The operations.
        ops: Vec<Operation>,
    }

    /// An operation.
    #[derive(Serialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    struct Operation {
        /// Its name.
        name: &'static str,
        /// What it does, in one line.
        about: &'static str,
        /// Whether it runs on an open ledger.
        needs_ledger: bool,
    }

    #[expect(clippy::unnecessary_wraps, reason = "the shape of an operation")]
    pub(super) fn ops(_: Nothing) -> Result<Listed> {
        let all = OPS.iter().map(|op| Operation { name: op.name, about: op.about, needs_ledger: op.needs_ledger() });
        Ok(Listed { ops: all.collect() })
    }
}

mod version {
    use serde::Serialize;
    use tokenbook::{Date, Result};

    use super::Nothing;

    /// The versions of the library and of its price catalog.
    #[derive(Serialize)]
    #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
    pub(super) struct Version {
        /// The library's.
        version: &'static str,
        /// The day of the price catalog in use.
        catalog_version: Date,
    }

    #[expect(clippy::unnecessary_wraps, reason = "the shape of an operation")]
    pub(super) fn version(_: Nothing) -> Result<Version> {
        Ok(Version { version: env!("CARGO_PKG_VERSION"), catalog_version: crate::ops::price::catalog().version() })
    }

    pub(super) fn panic(_: Nothing) -> Result<Version> {
        panic!("asked to")
    }
}
