//! The native addon behind the npm package: converts, leaves the event loop, maps errors, and decides nothing.
#![expect(clippy::missing_errors_doc, reason = "the errors are documented where users read: node/index.d.ts")]
#![expect(clippy::needless_pass_by_value, reason = "napi hands arguments over by value")]

use std::sync::Arc;

use napi::bindgen_prelude::{AsyncTask, Buffer, Env, Error, Result, Status, Task, Uint32Array, Utf16String};
use napi_derive::napi;
use tokenbook_wire as wire;

/// Carries an operation's fault, as JSON text, in the error's message, where the JavaScript layer reads it.
fn throw(error: wire::Error) -> Error {
    Error::new(Status::GenericFailure, wire::fault(&error))
}

/// Counts the tokens of a text.
#[napi(catch_unwind)]
pub fn count(text: String, encoding: String) -> Result<f64> {
    wire::count(&text, &encoding).map(number).map_err(throw)
}

/// Counts the tokens of a text, or gives `null` as soon as there are more than `limit`.
#[napi(catch_unwind)]
pub fn count_up_to(text: String, limit: f64, encoding: String) -> Result<Option<f64>> {
    wire::count_up_to_number(&text, limit, &encoding).map(|tokens| tokens.map(number)).map_err(throw)
}

/// Counts the tokens of many texts on all cores, off the event loop: all texts as one, and the length of each.
#[napi(catch_unwind, ts_return_type = "Promise<Uint32Array>")]
pub fn count_batch(joined: Utf16String, lengths: &[u32], encoding: String) -> AsyncTask<CountBatch> {
    AsyncTask::new(CountBatch { joined, lengths: lengths.to_vec(), encoding })
}

/// Runs an operation that needs no ledger: JSON text in, JSON text out.
#[napi(catch_unwind)]
pub fn call(op: String, args: String) -> Result<String> {
    wire::call(&op, &args).map_err(throw)
}

/// Runs an operation that needs no ledger, whose arguments are the first bytes of an array: long text comes faster so.
#[napi(catch_unwind)]
pub fn call_bytes(op: String, args: &[u8], length: u32) -> Result<String> {
    let args = args.get(..length as usize).unwrap_or(args);
    match std::str::from_utf8(args) {
        Ok(args) => wire::call(&op, args).map_err(throw),
        Err(error) => Err(throw(wire::Error::invalid(format!("not valid UTF-8: {error}")))),
    }
}

/// Counts a request whose arguments are the first bytes of an array, as `MessagePack`; `null` where JSON has to be tried.
#[napi(catch_unwind)]
pub fn count_request_packed(args: &[u8], length: u32) -> Option<String> {
    wire::count_request_packed(args.get(..length as usize)?)
}

/// Runs an operation that needs no ledger, off the event loop.
#[napi(catch_unwind, ts_return_type = "Promise<string>")]
pub fn call_async(op: String, args: String) -> AsyncTask<Operation> {
    AsyncTask::new(Operation { book: None, op, args })
}

/// An open ledger.
#[napi]
pub struct Ledger(Arc<wire::Book>);

#[napi]
impl Ledger {
    /// Opens a ledger with the arguments of the operation `open`.
    #[napi(constructor, catch_unwind)]
    pub fn open(args: String) -> Result<Self> {
        wire::Book::open(&args).map(|book| Self(Arc::new(book))).map_err(throw)
    }

    /// Runs an operation on the ledger, off the event loop.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn call(&self, op: String, args: String) -> AsyncTask<Operation> {
        AsyncTask::new(Operation { book: Some(Arc::clone(&self.0)), op, args })
    }

    /// Whether there is any budget.
    #[napi(catch_unwind)]
    pub fn has_budgets(&self) -> Result<bool> {
        self.0.has_budgets().map_err(throw)
    }

    /// Ends a call when `recordEnded` gets to it.
    #[napi(catch_unwind)]
    pub fn end(&self, meter: &Meter, args: String, body: Option<String>) {
        self.0.end(Arc::clone(&meter.0), args, body);
    }

    /// Records the calls that have ended, off the event loop.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn record_ended(&self) -> AsyncTask<RecordEnded> {
        AsyncTask::new(RecordEnded(Arc::clone(&self.0)))
    }

    /// Records the calls that have ended before returning, for the end of a process.
    #[napi(catch_unwind)]
    pub fn record_ended_sync(&self) -> Result<String> {
        self.0.record_ended().map_err(throw)
    }
}

/// A reader of one streamed response.
#[napi]
pub struct UsageStream(wire::UsageStream);

#[napi]
impl UsageStream {
    /// Starts reading a response.
    #[napi(constructor, catch_unwind)]
    pub fn open(args: String) -> Result<Self> {
        wire::UsageStream::open(&args).map(Self).map_err(throw)
    }

    /// Takes the next bytes as they came from the network, cut anywhere.
    #[napi(catch_unwind)]
    pub fn push(&self, chunk: Buffer) -> Result<()> {
        self.0.push(&chunk).map_err(throw)
    }

    /// Takes the next event, already decoded, as JSON text.
    #[napi(catch_unwind)]
    pub fn push_event(&self, event: String) -> Result<()> {
        self.0.push_event(&event).map_err(throw)
    }

    /// What is known so far.
    #[napi(catch_unwind)]
    pub fn so_far(&self) -> Result<String> {
        self.0.so_far().map_err(throw)
    }

    /// Ends the stream and tells what it used.
    #[napi(catch_unwind)]
    pub fn finish(&self) -> Result<String> {
        self.0.finish().map_err(throw)
    }
}

/// One call, from before it is sent until it is recorded.
#[napi]
pub struct Meter(Arc<wire::Meter>);

#[napi]
impl Meter {
    /// Starts metering a call on a ledger.
    #[napi(factory, catch_unwind)]
    pub fn open(book: &Ledger, args: String, request: Option<String>, age_ms: u32) -> Result<Self> {
        wire::Meter::open(&book.0, &args, request, age_ms.into()).map(|meter| Self(Arc::new(meter))).map_err(throw)
    }

    /// Whether any budget is for the call.
    #[napi(catch_unwind)]
    pub fn has_budget(&self) -> Result<bool> {
        self.0.has_budget().map_err(throw)
    }

    /// Gives up a call that was not sent.
    #[napi(catch_unwind)]
    pub fn void(&self) {
        self.0.void();
    }

    /// Takes the next bytes of the stream, cut anywhere.
    #[napi(catch_unwind)]
    pub fn push(&self, chunk: Buffer) -> Result<()> {
        self.0.push(&chunk).map_err(throw)
    }

    /// Takes the next event of the stream, already decoded, as JSON text.
    #[napi(catch_unwind)]
    pub fn push_event(&self, event: String) -> Result<()> {
        self.0.push_event(&event).map_err(throw)
    }

    /// What is known so far.
    #[napi(catch_unwind)]
    pub fn progress(&self) -> Result<String> {
        self.0.progress().map_err(throw)
    }

    /// Puts the call's worst case aside in the budgets that it falls under, off the event loop.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn reserve(&self) -> AsyncTask<MeterStep> {
        AsyncTask::new(MeterStep { meter: Arc::clone(&self.0), end: None })
    }

    /// Ends the call and records it, off the event loop.
    #[napi(catch_unwind, ts_return_type = "Promise<string>")]
    pub fn finish(&self, args: String) -> AsyncTask<MeterStep> {
        AsyncTask::new(MeterStep { meter: Arc::clone(&self.0), end: Some(args) })
    }

    /// Ends the call and records it before returning, for the end of a process.
    #[napi(catch_unwind)]
    pub fn finish_sync(&self, args: String) -> Result<String> {
        self.0.finish(&args, None).map_err(throw)
    }
}

/// The recording of ended calls on libuv's pool: one thread of it at a time, however many calls there are.
pub struct RecordEnded(Arc<wire::Book>);

impl Task for RecordEnded {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<Self::Output> {
        self.0.record_ended().map_err(throw)
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> Result<Self::JsValue> {
        Ok(output)
    }
}

/// A step of a meter on libuv's pool: its end, or else the reservation.
pub struct MeterStep {
    meter: Arc<wire::Meter>,
    end: Option<String>,
}

impl Task for MeterStep {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<Self::Output> {
        match &self.end {
            Some(args) => self.meter.finish(args, None),
            None => self.meter.reserve(),
        }
        .map_err(throw)
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> Result<Self::JsValue> {
        Ok(output)
    }
}

/// A batch count on libuv's pool.
pub struct CountBatch {
    joined: Utf16String,
    lengths: Vec<u32>,
    encoding: String,
}

impl Task for CountBatch {
    type Output = Vec<u32>;
    type JsValue = Uint32Array;

    fn compute(&mut self) -> Result<Self::Output> {
        wire::count_batch_utf16(&self.joined, &self.lengths, &self.encoding).map_err(throw)
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> Result<Self::JsValue> {
        Ok(output.into())
    }
}

/// An operation on libuv's pool.
pub struct Operation {
    book: Option<Arc<wire::Book>>,
    op: String,
    args: String,
}

impl Task for Operation {
    type Output = String;
    type JsValue = String;

    fn compute(&mut self) -> Result<Self::Output> {
        match &self.book {
            Some(book) => book.call(&self.op, &self.args),
            None => wire::call(&self.op, &self.args),
        }
        .map_err(throw)
    }

    fn resolve(&mut self, _: Env, output: Self::Output) -> Result<Self::JsValue> {
        Ok(output)
    }
}

/// A count as a JavaScript number, exact since no count is above 2⁵³ − 1.
#[expect(clippy::cast_precision_loss, reason = "counts are at most 2⁵³ − 1")]
fn number(count: u64) -> f64 {
    count as f64
}
