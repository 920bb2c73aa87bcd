//! Recording calls, as they are given or as a provider's response tells them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokenbook::attribute::attribute;
use tokenbook::extract::{Extraction, Iteration};
use tokenbook::price::PriceQuery;
use tokenbook::request::{Exactness, PartKind, RequestCount, RequestFacts, facts, facts_and_tools};
use tokenbook::{Api, Catalog, Cost, CostQuery, Count, Encoding, Error, ErrorCode, Result, Timestamp, Usage, Usd};
use tokenbook_ledger::{Along, Call, CallCost, Ledger, Outcome, Receipt, Recorded, Status, ToolTokens};

use super::{extract, price};
use crate::text::json_text;
use crate::{Book, clock, text};

/// A call as it is given: `at` and `cost` may be missing.
type Given = Map<String, Value>;

/// A call of the ledger, and what of it was found out here instead of given.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) call: Call,
    /// Which of its times were measured here.
    measured: Measured,
    /// Its cost is computed.
    is_priced: bool,
    /// Its tools' tokens are computed.
    is_attributed: bool,
    /// What goes along with it into the ledger.
    along: Along,
}

impl Made {
    /// A call of which nothing was found out here.
    pub(crate) const fn as_given(call: Call) -> Self {
        let along = Along { hold_id: None, estimated_tokens: None };
        let measured = Measured { at: false, duration: false, first_token: false };
        Self { call, measured, is_priced: false, is_attributed: false, along }
    }

    /// Records the call; the same one again changes nothing, also when the clock or the price catalog has moved on since.
    pub(crate) fn record(self, ledger: &Ledger) -> Result<Recorded> {
        self.record_with(ledger, None)
    }

    /// As [`Made::record`], and lets a hold go in the same step.
    pub(crate) fn record_with(self, ledger: &Ledger, hold_id: Option<Count>) -> Result<Recorded> {
        self.hand_over(ledger, hold_id)?.wait(ledger)
    }

    /// Hands the call to the ledger's writer, together with the hold that its record lets go.
    pub(crate) fn hand_over(mut self, ledger: &Ledger, hold_id: Option<Count>) -> Result<Underway> {
        self.along.hold_id = hold_id;
        let again = self.clone();
        Ok(Underway { receipt: ledger.submit_with(self.call, self.along)?, again })
    }

    /// Records the call with what was found out when its id was recorded first; a conflict that is left is one of what was
    /// given.
    fn settled(mut self, ledger: &Ledger, error: Error) -> Result<Recorded> {
        if error.code() != ErrorCode::Conflict {
            return Err(error);
        }
        let id = self.call.id.clone().map_or_else(|| self.call.content_id(), Ok)?;
        let Ok(before) = ledger.get_of(self.call.provider.as_deref(), &id) else { return Err(error) };
        if self.measured.at {
            self.call.at = before.at;
        }
        if self.measured.duration {
            self.call.duration_ms = before.duration_ms;
        }
        if self.measured.first_token {
            self.call.time_to_first_token_ms = before.time_to_first_token_ms;
        }
        if self.is_priced {
            self.call.cost = before.cost;
        }
        if self.is_attributed {
            self.call.tool_tokens = before.tool_tokens;
        }
        ledger.submit_with(self.call, self.along)?.wait()
    }
}

/// Which times of a call were measured here instead of given: they are no part of what was recorded when it is recorded
/// again.
#[derive(Debug, Clone, Copy, Default)]
struct Measured {
    at: bool,
    duration: bool,
    first_token: bool,
}

/// A call that the ledger's writer has.
pub(crate) struct Underway {
    receipt: Receipt,
    /// The call once more, for when its id is there already.
    again: Made,
}

impl Underway {
    /// Waits until the call is recorded.
    pub(crate) fn wait(self, ledger: &Ledger) -> Result<Recorded> {
        let Self { receipt, again } = self;
        receipt.wait().or_else(|error| again.settled(ledger, error))
    }
}

/// A call of the ledger: made now where it has no instant, and priced where it has no cost.
fn completed(mut given: Given) -> Result<Made> {
    given.retain(|_, value| !value.is_null());
    let is_clocked = !given.contains_key("at");
    if is_clocked {
        given.insert("at".to_owned(), clock::now()?.to_string().into());
    }
    let is_priced = !given.contains_key("cost");
    let mut call: Call = text::from_value(Value::Object(given))?;
    if is_priced {
        let catalog = price::catalog();
        call.cost = match &call.usage {
            Some(usage) => cost_of(&call, usage, None, &catalog)?,
            None => CallCost::Unpriced { reason: "the usage is unknown".to_owned() },
        };
    }
    let measured = Measured { at: is_clocked, ..Measured::default() };
    Ok(Made { call, measured, is_priced, is_attributed: false, along: Along::default() })
}

/// Prices a call by the model that answered, or else by the one that was asked for.
pub(crate) fn cost_of(call: &Call, usage: &Usage, stated: Option<Usd>, catalog: &Catalog) -> Result<CallCost> {
    let query = |model| PriceQuery {
        model,
        provider: call.provider.as_deref(),
        at: call.at,
        service_tier: call.service_tier.as_deref(),
        batch: call.batch.unwrap_or_default(),
        region: call.region.as_deref(),
    };
    let ask = |model| tokenbook::cost(&CostQuery { price: query(model), usage, stated }, catalog);
    let cost = match call.answered_model.as_deref() {
        None => ask(&call.model)?,
        Some(answered) => match ask(answered)? {
            Cost::Unpriced(_) if answered != call.model => ask(&call.model)?,
            cost => cost,
        },
    };
    Ok(match cost {
        Cost::Priced(priced) => CallCost::Priced {
            total_usd: priced.total_usd,
            price: Some(serde_json::to_value(&priced.price).map_err(|error| Error::invalid(error.to_string()))?),
        },
        Cost::Stated { total_usd } => CallCost::Stated { total_usd },
        Cost::Unpriced(unpriced) => CallCost::Unpriced { reason: unpriced.message },
    })
}

pub(super) fn record(book: &Book, given: Given) -> Result<Recorded> {
    record_with(book, given, None)
}

/// As [`record`], and lets a hold go in the same step.
pub(super) fn record_with(book: &Book, given: Given, hold_id: Option<Count>) -> Result<Recorded> {
    completed(given)?.record_with(&book.ledger()?, hold_id)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordBatchArgs {
    calls: Vec<Given>,
}

/// What became of many calls.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct RecordedBatch {
    /// How many were new.
    recorded: u64,
    /// How many were there already.
    duplicates: u64,
    /// How many were not written.
    refused: u64,
    /// What became of each, in the order given.
    results: Vec<RecordedOne>,
}

/// What became of one call of many.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct RecordedOne {
    /// The call's id: its own, or one made of its content.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// Whether it was new, there already, or not written.
    status: RecordStatus,
    /// Why it was not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<RecordError>,
}

/// Whether a call was new, there already, or not written.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
enum RecordStatus {
    /// It was new.
    Recorded,
    /// It was there already.
    Duplicate,
    /// It was not written.
    Refused,
}

/// Why a call was not written.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct RecordError {
    /// What the caller can do about it.
    code: &'static str,
    /// The message for people.
    message: String,
}

impl RecordedOne {
    fn new(result: Result<Recorded>) -> Self {
        match result {
            Ok(Recorded { id, status: Status::Recorded }) => {
                Self { id: Some(id), status: RecordStatus::Recorded, error: None }
            }
            Ok(Recorded { id, status: Status::Duplicate }) => {
                Self { id: Some(id), status: RecordStatus::Duplicate, error: None }
            }
            Err(error) => {
                let error = RecordError { code: error.code().name(), message: error.message().to_owned() };
                Self { id: None, status: RecordStatus::Refused, error: Some(error) }
            }
        }
    }
}

/// Records groups of calls, and says of each group what became of its first call; a group that could not be made keeps
/// its error.
fn record_all(book: &Book, groups: Vec<Result<Vec<Made>>>) -> Result<RecordedBatch> {
    let ledger = book.ledger()?;
    let calls = groups.iter().flatten().flatten().map(|made| (made.call.clone(), made.along)).collect();
    let mut written = ledger.record_batch_with(calls)?.into_iter();
    let results: Vec<RecordedOne> = groups
        .into_iter()
        .map(|group| {
            // Taken whole before it is looked at: an error in it must not shift the next group.
            let group = group.map(|group| {
                let told = written.by_ref().take(group.len()).collect::<Vec<_>>();
                group.into_iter().zip(told).map(|(made, told)| told.or_else(|error| made.settled(&ledger, error)))
            });
            let group: Result<Vec<Recorded>> = group.and_then(Iterator::collect);
            RecordedOne::new(group.map(|group| group.into_iter().next().expect("a group has a call")))
        })
        .collect();
    let count = |wanted: fn(&RecordStatus) -> bool| results.iter().filter(|one| wanted(&one.status)).count() as u64;
    Ok(RecordedBatch {
        recorded: count(|status| matches!(status, RecordStatus::Recorded)),
        duplicates: count(|status| matches!(status, RecordStatus::Duplicate)),
        refused: count(|status| matches!(status, RecordStatus::Refused)),
        results,
    })
}

pub(super) fn record_batch(book: &Book, args: RecordBatchArgs) -> Result<RecordedBatch> {
    record_all(book, args.calls.into_iter().map(|given| Ok(vec![completed(given)?])).collect())
}

/// A response, and what is known of its call beside it: the fields of a call, which go before what the response says.
pub(crate) type Response<'a> = BTreeMap<String, &'a RawValue>;

/// Takes a field out of a response's arguments.
pub(crate) fn take<'a, T: Deserialize<'a>>(fields: &mut Response<'a>, name: &str) -> Result<Option<T>> {
    let value = fields
        .remove(name)
        .map(|value| text::read_inside::<Option<T>>(value.get()).map_err(|error| error.context(name)));
    Ok(value.transpose()?.flatten())
}

/// What is known of a call before its response came: how it was asked, and what its caller says of it.
pub(crate) struct Asked {
    pub(crate) api: Api,
    /// The request's body as JSON text.
    pub(crate) request: Option<String>,
    pub(crate) facts: RequestFacts,
    /// The request counted for its tools, if it was; none inside where it has no tools.
    #[expect(clippy::option_option, reason = "not looked at, looked at and without tools, counted")]
    counted: Option<Option<RequestCount>>,
    /// The model that the caller names.
    model: Option<String>,
    fallback_id: Option<String>,
    at: Option<Timestamp>,
    measured: Measured,
    /// The other fields of the call; they go before what the response says.
    given: Given,
}

impl Asked {
    /// Takes what is known before a response out of its arguments; the request may be beside them.
    pub(crate) fn read(fields: &mut Response<'_>, beside: Option<String>) -> Result<Self> {
        if let Some(request) = &beside {
            text::shallow(request).map_err(|error| error.context("request"))?;
        }
        Self::read_and_count(fields, beside, false)
    }

    /// As [`Asked::read`], and counts the request where its tools will have to be told apart.
    fn read_and_count(fields: &mut Response<'_>, beside: Option<String>, counting: bool) -> Result<Self> {
        let api: Api = take(fields, "api")?.ok_or_else(|| Error::invalid("missing field `api`"))?;
        let request: Option<&RawValue> = take(fields, "request")?;
        let fallback_id = take(fields, "fallback_id")?;
        let model = take(fields, "model")?;
        let at = take(fields, "at")?;
        let request = request.map(|request| json_text("request", request)).transpose()?;
        let request = beside.map(Cow::Owned).or(request);
        let looked = request.as_deref().map(|request| match &model {
            _ if !counting => facts(api, request.as_bytes()).map(|facts| (facts, None)),
            model => facts_and_tools(api, request.as_bytes(), model.as_deref()),
        });
        let (facts, counted) = looked.transpose().map_err(|error| error.context("request"))?.unwrap_or_default();
        let request = request.map(Cow::into_owned);
        let mut asked = Self {
            api,
            request,
            facts,
            counted,
            model,
            fallback_id,
            at,
            measured: Measured::default(),
            given: Given::new(),
        };
        asked.tell(std::mem::take(fields))?;
        Ok(asked)
    }

    /// Takes more fields of the call; they go before those given earlier.
    pub(crate) fn tell(&mut self, fields: Response<'_>) -> Result<()> {
        for (name, value) in fields {
            let value: Value = text::read_inside(value.get()).map_err(|error| error.context(&name))?;
            if !value.is_null() {
                self.given.insert(name, value);
            }
        }
        Ok(())
    }

    /// Fills in what the one who watched the call knows, where its caller says nothing of it.
    pub(crate) fn at_least(&mut self, at: Timestamp, duration_ms: u64, first_ms: Option<u64>, id: String) {
        self.fallback_id.get_or_insert(id);
        let is_new = |name: &str| !self.given.contains_key(name);
        self.measured = Measured {
            at: self.at.is_none(),
            duration: is_new("duration_ms"),
            first_token: is_new("time_to_first_token_ms"),
        };
        self.at.get_or_insert(at);
        let times = [("duration_ms", Some(duration_ms)), ("time_to_first_token_ms", first_ms)];
        for (name, ms) in times {
            if let Some(ms) = ms {
                self.given.entry(name).or_insert_with(|| ms.into());
            }
        }
    }

    /// Names the error that a response reports, where the caller names none.
    pub(crate) fn error_class(&mut self, class: Option<String>) {
        if let Some(class) = class {
            self.given.entry("error_class").or_insert_with(|| class.into());
        }
    }

    /// The model as requested, as far as the caller or the request names it.
    pub(crate) fn model(&self) -> Option<&str> {
        self.model.as_deref().or(self.facts.model.as_deref())
    }

    /// The call, as far as it is known before a response.
    pub(crate) fn call(&self, at: Timestamp) -> Result<Call> {
        let model = self.model().ok_or_else(|| Error::invalid("the call names no model: give `model` or `request`"))?;
        self.with_given(Call {
            id: self.fallback_id.clone(),
            api: Some(self.api.name().to_owned()),
            max_tokens: self.facts.max_tokens,
            tools_offered: self.facts.tools_offered.clone(),
            ..Call::new(at, model)
        })
    }

    fn with_given(&self, call: Call) -> Result<Call> {
        if self.given.is_empty() {
            return Ok(call);
        }
        let mut fields = serde_json::to_value(&call).map_err(|error| Error::invalid(error.to_string()))?;
        for (name, value) in &self.given {
            fields[name] = value.clone();
        }
        text::from_value(fields)
    }

    /// The calls that a response tells of: its own, and one for each call inside it that another model ran.
    pub(crate) fn answered(self, extraction: &Extraction) -> Result<(Made, Vec<Made>)> {
        let at = self.at.or(extraction.created_at);
        let measured = Measured { at: self.measured.at || at.is_none(), ..self.measured };
        let at = at.map_or_else(clock::now, Ok)?;
        let answered = extraction.model.clone();
        let model = self.model().map(str::to_owned).or_else(|| answered.clone());
        let model = model.ok_or_else(|| Error::invalid("the response names no model: give `model` or `request`"))?;
        let mut call = self.with_given(Call {
            id: extraction.id.clone().or_else(|| self.fallback_id.clone()),
            answered_model: answered,
            api: Some(self.api.name().to_owned()),
            max_tokens: self.facts.max_tokens,
            tools_offered: self.facts.tools_offered.clone(),
            stop_reason: extraction.stop_reason.clone(),
            stop_kind: extraction.stop_kind.map(|kind| kind.name().to_owned()),
            truncated: extraction.truncated,
            partial: extraction.partial,
            tools_called: extraction.tools_called.clone(),
            service_tier: extraction.service_tier.clone(),
            region: extraction.region.clone(),
            error_class: extraction.error.clone(),
            outcome: if extraction.error.is_some() { Outcome::Error } else { Outcome::Success },
            exactness: extraction.usage.as_ref().map(|_| "measured".to_owned()),
            ..Call::new(at, model)
        })?;
        let is_attributed = !self.given.contains_key("tool_tokens");
        let mut along = Along::default();
        if let (Some(request), Some(usage)) = (&self.request, &extraction.usage) {
            let counted = match self.counted {
                // Without tools there is nothing to attribute, and an exact count is no estimate to learn from.
                Some(None) if Encoding::for_model(&call.model).is_some_and(Encoding::is_of_openai) => None,
                Some(Some(counted)) => Some(counted),
                // A request whose parts can't be counted is recorded without them.
                _ => tokenbook::count_request(self.api, request.as_bytes(), Some(&call.model)).ok(),
            };
            if let Some(counted) = counted {
                if is_attributed {
                    call.tool_tokens = tool_tokens(&counted, usage)?;
                }
                // What the provider ran in turns of its own is billed several times.
                let is_one_turn = extraction.iterations.len() <= 1;
                along.estimated_tokens =
                    Some(counted.input_tokens).filter(|_| is_one_turn && counted.exactness == Exactness::Estimated);
            }
        }
        let is_priced = !self.given.contains_key("cost");
        let (own, inside) =
            if is_priced { priced(call, extraction)? } else { (with_usage(call, extraction), Vec::new()) };
        let made = |call, along| Made { call, measured, is_priced, is_attributed, along };
        Ok((made(own, along), inside.into_iter().map(|call| made(call, Along::default())).collect()))
    }
}

/// The calls that a response tells of.
fn told(mut fields: Response<'_>) -> Result<(Made, Vec<Made>)> {
    let body: Option<&RawValue> = take(&mut fields, "body")?;
    let events: Option<&RawValue> = take(&mut fields, "events")?;
    let asked = Asked::read_and_count(&mut fields, None, true)?;
    let extraction = extract::read(asked.api, body, events)?;
    asked.answered(&extraction)
}

/// The tokens of each tool's definition and results, as shares of the billed input.
fn tool_tokens(counted: &RequestCount, usage: &Usage) -> Result<Vec<ToolTokens>> {
    let mut tools = BTreeMap::<String, ToolTokens>::new();
    for part in attribute(counted, usage)?.parts {
        let Some(tool) = part.name.filter(|name| !name.is_empty()) else { continue };
        if !matches!(part.kind, PartKind::ToolDefinition | PartKind::ToolResult) {
            continue;
        }
        let of_tool =
            tools.entry(tool.clone()).or_insert(ToolTokens { tool, definition_tokens: None, result_tokens: None });
        let sum = match part.kind {
            PartKind::ToolDefinition => &mut of_tool.definition_tokens,
            _ => &mut of_tool.result_tokens,
        };
        *sum = Some(sum.unwrap_or_default().checked_add(part.tokens)?);
    }
    Ok(tools.into_values().collect())
}

/// A call whose cost its caller knows: that is of all that ran inside it, so nothing is taken apart.
fn with_usage(mut call: Call, extraction: &Extraction) -> Call {
    call.usage = extraction.usage.as_ref().map(|usage| usage.usage.clone());
    call
}

/// Prices a response's call; a call inside it that another model ran becomes a call of its own, so that each is priced
/// and shown at its own model and nothing is counted twice.
fn priced(mut call: Call, extraction: &Extraction) -> Result<(Call, Vec<Call>)> {
    let catalog = price::catalog();
    let Some(usage) = &extraction.usage else {
        call.cost = match extraction.stated_cost_usd {
            Some(total_usd) => CallCost::Stated { total_usd },
            None => CallCost::Unpriced { reason: "the usage is unknown".to_owned() },
        };
        return Ok((call, Vec::new()));
    };
    let own_model = call.answered_model.clone().unwrap_or_else(|| call.model.clone());
    let is_foreign =
        |iteration: &&Iteration| iteration.billed && iteration.model.as_ref().is_some_and(|model| *model != own_model);
    let foreign: Vec<&Iteration> = extraction.iterations.iter().filter(is_foreign).collect();
    if foreign.is_empty() || extraction.stated_cost_usd.is_some() {
        // Cohere charges other tokens than it used.
        let charged = extraction.billed.as_ref().unwrap_or(&usage.usage);
        call.cost = cost_of(&call, charged, extraction.stated_cost_usd, &catalog)?;
        call.usage = Some(usage.usage.clone());
        return Ok((call, Vec::new()));
    }
    let mut own = extraction.iterations.iter().filter(|iteration| iteration.billed && !is_foreign(iteration));
    let own = own.try_fold(Usage::new(), |sum, iteration| sum.checked_add(&iteration.usage))?;
    let mut inside = Vec::with_capacity(foreign.len());
    for (number, iteration) in (1_u32..).zip(foreign) {
        let mut child = Call {
            id: call.id.as_ref().map(|id| format!("{id}#{number}")),
            parent_id: call.id.clone(),
            model: iteration.model.clone().unwrap_or_default(),
            answered_model: None,
            usage: Some(iteration.usage.clone()),
            // These are of the call as a whole.
            max_tokens: None,
            stop_reason: None,
            stop_kind: None,
            truncated: None,
            duration_ms: None,
            time_to_first_token_ms: None,
            tools_offered: Vec::new(),
            tools_called: Vec::new(),
            tool_tokens: Vec::new(),
            ..call.clone()
        };
        child.cost = cost_of(&child, &iteration.usage, None, &catalog)?;
        inside.push(child);
    }
    call.cost = cost_of(&call, &own, None, &catalog)?;
    call.usage = Some(own);
    Ok((call, inside))
}

pub(super) fn record_response(book: &Book, response: Response<'_>) -> Result<Recorded> {
    let ledger = book.ledger()?;
    let (first, inside) = told(response)?;
    let recorded = first.record(&ledger)?;
    // A call inside the call is as much a part of the record.
    inside.into_iter().try_for_each(|made| made.record(&ledger).map(drop))?;
    Ok(recorded)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RecordResponsesArgs<'a> {
    #[serde(borrow)]
    responses: Vec<Response<'a>>,
}

pub(super) fn record_responses(book: &Book, args: RecordResponsesArgs<'_>) -> Result<RecordedBatch> {
    let groups = args.responses.into_iter().map(|response| {
        let (first, mut inside) = told(response)?;
        inside.insert(0, first);
        Ok(inside)
    });
    record_all(book, groups.collect())
}
