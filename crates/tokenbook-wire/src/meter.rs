//! The handle of one call, from before it is sent until it is recorded.

mod known;
mod past;

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, MutexGuard, OnceLock, PoisonError};

use serde::Serialize;
use serde_json::value::RawValue;
use tokenbook::extract::{Extraction, StreamExtractor, extract};
use tokenbook::request::{Exactness, RequestCount};
use tokenbook::{Count, Error, ErrorCode, Result, Timestamp, TokenKind, Usage, Usd};
use tokenbook_ledger::{
    Call, CallCost, Extending, Extension, Hold, Ledger, LiveCall, Outcome, Recorded, ReserveQuery, Status,
};

use self::known::Known;
use self::past::PAST;
use crate::clock::Stopwatch;
use crate::ops::record::{Asked, Made, Response, Underway, cost_of, take};
use crate::text::json_text;
use crate::{Book, clock, guard, ops, text};

/// One call: what it was asked with, what its stream has told so far, and at its end the one record of it.
///
/// It works beside the caller's own request and never in its way: what is odd about a stream becomes a warning, and only a
/// budget that is used up stops it.
pub struct Meter {
    book: Book,
    /// What tells the call from all others, until its provider names it.
    id: String,
    /// What the call was asked with; `None` once it has ended.
    state: Mutex<Option<State>>,
    /// The call as far as it was known when it was opened.
    call: Call,
    api: tokenbook::Api,
    /// The request's body, until the call ends: some languages keep the handle for long after that.
    request: Mutex<Option<String>>,
    /// The request's own tokens, counted when somebody first asks.
    counted: OnceLock<Option<RequestCount>>,
    at: Timestamp,
    watch: Stopwatch,
}

struct State {
    asked: Asked,
    stream: StreamExtractor,
    events: u64,
    first_output_ms: Option<u64>,
    held: Option<Held>,
    /// When those who watch were last told of it.
    told_ms: u64,
}

/// How often those who watch are told of a running stream at most.
const TELL_EVERY_MS: u64 = 250;

/// What is put aside for a running call.
struct Held {
    id: Count,
    /// Where the request sets no limit: more is asked for as the answer grows.
    sliced: Option<Sliced>,
}

/// What is put aside of an answer without a limit.
struct Sliced {
    /// The output that it covers.
    covered: Count,
    next: Next,
}

/// What is known of the slice after what is covered.
enum Next {
    NotAsked,
    Asked(Count, Extending),
    /// It will be asked for once more when the stream can't go on without it.
    Refused,
}

/// The output that is put aside at a time for a request without a limit, and by which such a call may exceed its budget.
const SLICE: u64 = 1_024;
/// The output that has to be covered beyond what was streamed, since nobody knows how long the next event is.
const KEPT: u64 = SLICE / 2;
/// The output below which more is asked for ahead: the answer comes long before the stream has to wait for it.
const AHEAD: u64 = KEPT + SLICE / 4;

/// What is known of a call while it runs.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct MeterProgress {
    /// The input, by the provider's word once it came, else as counted; absent where neither is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    input_tokens: Option<Count>,
    /// How the input is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    input_exactness: Option<Exactness>,
    /// The output, by the provider's word once it is final, else what was streamed so far.
    output_tokens: Count,
    /// How the output is known.
    output_exactness: Exactness,
    /// The cost so far; absent where the model has no price or the input is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    cost_usd: Option<Usd>,
    /// What the output will come to: the mean of the answers of the same agent, action and model in this process that
    /// grew at least as long; absent until there are five.
    #[serde(skip_serializing_if = "Option::is_none")]
    projected_output_tokens: Option<Count>,
    /// What the call will then cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    projected_cost_usd: Option<Usd>,
    /// How long the call has taken.
    duration_ms: Count,
    /// How long the first output took.
    #[serde(skip_serializing_if = "Option::is_none")]
    time_to_first_token_ms: Option<Count>,
    /// The events of the stream that came.
    events: u64,
    /// Whether the final usage has come.
    is_final: bool,
}

/// What became of a call.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(crate) struct Metered {
    /// The record's id.
    id: String,
    /// Whether it was new or there already.
    status: Status,
    /// The call as it is recorded.
    call: Call,
}

impl Meter {
    /// Starts metering a call on a ledger: the arguments of `record_response`, without its body. The request's body may
    /// also be given beside them as the text that it is, which saves writing it into JSON and reading it out again.
    /// `age_ms` is how long ago the call was sent, for one who sends first.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) for malformed arguments, and for a call of an
    /// unnamed model.
    pub fn open(book: &Book, args: &str, request: Option<String>, age_ms: u64) -> Result<Self> {
        guard(|| {
            let mut asked = Asked::read(&mut text::read::<Response<'_>>(args)?, request)?;
            let at = clock::now()?;
            let at = i64::try_from(age_ms).ok().and_then(|age| Timestamp::from_ms(at.ms() - age).ok()).unwrap_or(at);
            // What can't be a call is said now, not when the call has been paid for.
            let call = asked.call(at)?;
            let id = unique_id();
            book.ledger()?.live_update(live(&id, &call));
            let stream = StreamExtractor::new(asked.api).counting(&call.model);
            let (api, request) = (asked.api, asked.request.take());
            Ok(Self {
                book: book.clone(),
                id,
                state: Mutex::new(Some(State {
                    asked,
                    stream,
                    events: 0,
                    first_output_ms: None,
                    held: None,
                    told_ms: 0,
                })),
                call,
                api,
                request: Mutex::new(request),
                counted: OnceLock::new(),
                at,
                watch: Stopwatch::started(age_ms),
            })
        })
    }

    /// A panic while it was held is reported by that call; the meter itself stays usable.
    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether any budget is for the call, so that it needs [`Meter::reserve`]: told without waiting for anything.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::Unavailable`](crate::ErrorCode::Unavailable) when the ledger is closed, or the budgets can't be read.
    pub fn has_budget(&self) -> Result<bool> {
        guard(|| self.book.ledger()?.has_budget_for(&self.subject()))
    }

    /// The call as budgets see it.
    fn subject(&self) -> ReserveQuery {
        let call = &self.call;
        ReserveQuery {
            agent: call.agent.clone(),
            action: call.action.clone(),
            model: Some(call.model.clone()),
            provider: call.provider.clone(),
            session: call.session.clone(),
            tags: call.tags.clone(),
            ..ReserveQuery::new(self.at)
        }
    }

    /// Puts the call's worst case aside in the budgets that it falls under; without one it costs next to nothing.
    ///
    /// The worst case is the input at the upper end of its band and the output that the request allows. Where it allows
    /// any, 1,024 tokens of output are put aside at a time, and the stream is stopped when the next are refused.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::BudgetExceeded`](crate::ErrorCode::BudgetExceeded) when a budget refuses it: the request must not be
    /// sent. [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) after the end.
    pub fn reserve(&self) -> Result<String> {
        guard(|| {
            let mut state = self.lock();
            let state = state.as_mut().ok_or_else(ended)?;
            let ledger = self.book.ledger()?;
            let (call, query) = (&self.call, self.subject());
            // Counting the request is left for when a budget asks for it.
            if !ledger.has_budget_for(&query)? {
                return text::write(&Hold::default());
            }
            let slice = Count::new(SLICE)?;
            let output = call.max_tokens.unwrap_or(slice);
            let input = self.counted().map(|counted| counted.high);
            let query = ReserveQuery {
                cost_usd: input.and_then(|input| self.worst(call, input, output)),
                tokens: input.map(|input| input.checked_add(output)).transpose()?,
                ..query
            };
            let hold = ledger.reserve(&query)?;
            let sliced = || Sliced { covered: slice, next: Next::NotAsked };
            state.held = hold.hold_id.map(|id| Held { id, sliced: call.max_tokens.is_none().then(sliced) });
            text::write(&hold)
        })
    }

    /// The most that a call may cost: all of its input is of the dearest kind that it can become.
    fn worst(&self, call: &Call, input: Count, output: Count) -> Option<Usd> {
        let request = self.request();
        let asks_for = |words: &str| request.as_deref().is_some_and(|request| request.contains(words));
        let kinds = [
            (TokenKind::Input, true),
            (TokenKind::CacheWrite5m, asks_for("\"cache_control\"") || asks_for("\"cachePoint\"")),
            (TokenKind::CacheWrite1h, asks_for("\"1h\"")),
        ];
        let costs = kinds.into_iter().filter(|(_, is_possible)| *is_possible);
        let costs = costs.map(|(kind, _)| price(call, &Usage::new().with(kind, input).with(TokenKind::Output, output)));
        // A kind without a price leaves the others; the plain input must have one.
        costs.flatten().max()
    }

    /// Takes the next bytes of the stream, cut anywhere; what can't be read is passed over.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) after the end, and
    /// [`ErrorCode::BudgetExceeded`](crate::ErrorCode::BudgetExceeded) when a budget is used up: the stream should be stopped.
    pub fn push(&self, chunk: &[u8]) -> Result<()> {
        self.take(|stream| stream.push(chunk))
    }

    /// Takes the next event of the stream, decoded, as JSON text; one that can't be read is passed over.
    ///
    /// # Errors
    ///
    /// As [`Meter::push`].
    pub fn push_event(&self, event: &str) -> Result<()> {
        self.take(|stream| {
            text::shallow(event)?;
            stream.push_event(event)
        })
    }

    fn take(&self, work: impl FnOnce(&mut StreamExtractor) -> Result<()>) -> Result<()> {
        guard(|| {
            let mut state = self.lock();
            let state = state.as_mut().ok_or_else(ended)?;
            // The extractor keeps a warning of its own; a stream is not stopped by what is odd about it.
            drop(work(&mut state.stream));
            state.events += 1;
            if state.first_output_ms.is_none() && state.stream.output_chars() > 0 {
                state.first_output_ms = Some(self.watch.ms());
            }
            if self.watch.ms() >= state.told_ms + TELL_EVERY_MS {
                state.told_ms = self.watch.ms();
                // Whoever watches may miss a tick; the stream goes on.
                drop(self.tell(state));
            }
            self.extend(state)
        })
    }

    /// Tells those who watch how far the call is.
    fn tell(&self, state: &State) -> Result<()> {
        let known = self.known(state)?;
        self.book.ledger()?.live_update(LiveCall {
            input_tokens: known.input_tokens,
            output_tokens: Some(known.output_tokens),
            cost_usd: known.cost_usd,
            projected_output_tokens: known.projected_output_tokens,
            projected_cost_usd: known.projected_cost_usd,
            ..live(&self.id, &self.call)
        });
        Ok(())
    }

    /// Asks for the next slice of output in time, ahead and without waiting if it can; only a budget's refusal is an error.
    fn extend(&self, state: &mut State) -> Result<()> {
        let Some(Held { id, sliced: Some(Sliced { covered, next }) }) = &mut state.held else { return Ok(()) };
        let Some(streamed) = state.stream.output_counted() else { return Ok(()) };
        let streamed = streamed.tokens.get();
        let is_due = |covered: Count| streamed + KEPT > covered.get();
        if let Next::Asked(slice, asked) = std::mem::replace(next, Next::NotAsked) {
            match if is_due(*covered) { Ok(asked.wait()) } else { asked.poll() } {
                Err(asked) => {
                    *next = Next::Asked(slice, asked);
                    return Ok(());
                }
                Ok(Err(error)) if error.code() == ErrorCode::BudgetExceeded => *next = Next::Refused,
                Ok(_) => *covered = covered.checked_add(slice)?,
            }
        }
        let ask = |slices: u64| {
            let slice = Count::new(slices * SLICE)?;
            let more = Extension {
                at: clock::now()?,
                cost_usd: price(&self.call, &Usage::new().with(TokenKind::Output, slice)),
                tokens: Some(slice),
                ttl_ms: None,
            };
            Ok((slice, self.book.ledger()?.extend_ahead(*id, &more)?))
        };
        if is_due(*covered) {
            *next = Next::NotAsked;
            // As many as one event used up, however long it is.
            let (slice, asked) = ask((streamed + KEPT - covered.get()).div_ceil(SLICE))?;
            match asked.wait() {
                Err(error) if error.code() == ErrorCode::BudgetExceeded => return Err(error),
                _ => *covered = covered.checked_add(slice)?,
            }
        } else if matches!(next, Next::NotAsked) && streamed + AHEAD > covered.get() {
            let (slice, asked) = ask(1)?;
            *next = Next::Asked(slice, asked);
        }
        Ok(())
    }

    fn request(&self) -> MutexGuard<'_, Option<String>> {
        self.request.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The request's tokens, where they can be counted.
    fn counted(&self) -> Option<&RequestCount> {
        let count = || {
            let request = self.request();
            let request = request.as_deref()?;
            tokenbook::count_request(self.api, request.as_bytes(), Some(&self.call.model)).ok()
        };
        self.counted.get_or_init(count).as_ref()
    }

    /// What is known of the call so far.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) after the end.
    pub fn progress(&self) -> Result<String> {
        guard(|| {
            let state = self.lock();
            let state = state.as_ref().ok_or_else(ended)?;
            text::write(&self.known(state)?)
        })
    }

    fn known(&self, state: &State) -> Result<MeterProgress> {
        let call = &self.call;
        let so_far = state.stream.so_far();
        let known = Known::of(so_far.usage.as_ref(), so_far.is_final, so_far.output_counted, self.counted())?;
        let projected = PAST.projected(call, known.output).filter(|_| !so_far.is_final);
        let cost_with = |output| {
            let usage = known.input.is_some().then(|| known.usage(output));
            usage.and_then(|usage| price(call, &usage))
        };
        Ok(MeterProgress {
            input_tokens: known.input,
            input_exactness: known.input_exactness,
            output_tokens: known.output,
            output_exactness: known.output_exactness,
            cost_usd: cost_with(known.output),
            projected_output_tokens: projected,
            projected_cost_usd: projected.and_then(cost_with),
            duration_ms: Count::new(self.watch.ms())?,
            time_to_first_token_ms: state.first_output_ms.map(Count::new).transpose()?,
            events: state.events,
            is_final: so_far.is_final,
        })
    }

    /// Ends the call and records it, once: `{"body"?: …, "refused"?: …, …}` and any field of a call that is known only now.
    ///
    /// `body` is the whole response where it was no stream. `refused` says that the provider answered with an error, so
    /// that nothing is billed. A stream that ended before its final usage is recorded as `partial`, with the input that the
    /// provider stated, or else as counted, and the larger of the output it stated and what was streamed.
    ///
    /// # Errors
    ///
    /// [`ErrorCode::InvalidArgument`](crate::ErrorCode::InvalidArgument) for malformed arguments and after the end, and
    /// those of the operation `record`.
    pub fn finish(&self, args: &str, body: Option<&str>) -> Result<String> {
        guard(|| {
            let sent = self.hand_over(args, body)?;
            let call = sent.call.clone();
            let done = sent.wait()?;
            text::write(&Metered { id: done.id, status: done.status, call })
        })
    }

    /// Ends the call and hands its record to the ledger's writer, without waiting for it.
    pub(crate) fn hand_over(&self, args: &str, body: Option<&str>) -> Result<Sent> {
        let mut fields: Response<'_> = text::read(args)?;
        let named: Option<&RawValue> = take(&mut fields, "body")?;
        // What is no body of a response is looked at later: the call is one all the same.
        let body = match body {
            Some(beside) => Some(text::shallow(beside).map(|()| Cow::Borrowed(beside))),
            None => named.map(|named| json_text("body", named)),
        };
        let refused = take(&mut fields, "refused")?.unwrap_or(false);
        let mut state = self.lock().take().ok_or_else(ended)?;
        let held = state.held.take().map(|held| held.id);
        let ledger = self.book.ledger()?;
        ledger.live_remove(&self.id);
        let sent = state.asked.tell(fields).and_then(|()| {
            let (first, inside) = self.calls(state, body, refused)?;
            let call = first.call.clone();
            Ok((first.hand_over(&ledger, held)?, inside, call))
        });
        drop(self.request().take());
        match sent {
            Ok((first, inside, call)) => Ok(Sent { ledger, held, first, inside, call }),
            Err(error) => {
                let_go(&ledger, held);
                Err(error)
            }
        }
    }

    /// Gives up a call that was not sent: nothing is recorded, and what was put aside for it is let go. After the end it does
    /// nothing.
    pub fn void(&self) {
        let Some(state) = self.lock().take() else { return };
        drop(self.request().take());
        let give_up = || {
            let ledger = self.book.ledger()?;
            ledger.live_remove(&self.id);
            let_go(&ledger, state.held.map(|held| held.id));
            Ok(())
        };
        // A closed ledger holds nothing any more.
        drop(guard(give_up));
    }

    /// The call to be recorded, and those inside it that another model ran.
    fn calls(&self, state: State, body: Option<Result<Cow<'_, str>>>, refused: bool) -> Result<(Made, Vec<Made>)> {
        let State { mut asked, stream, events, first_output_ms, .. } = state;
        let is_stream = events > 0;
        asked.at_least(self.at, self.watch.ms(), first_output_ms.filter(|_| is_stream), self.id.clone());
        let so_far = is_stream.then(|| stream.so_far());
        let read = match body {
            Some(body) => body.and_then(|body| extract(self.api, &body)),
            None => stream.finish(),
        };
        let Ok(extraction) = read else {
            // Numbers that contradict each other, or what is no response of this format: the call is still one.
            return self.unanswered(&asked, refused).map(|made| (made, Vec::new()));
        };
        let has_answer = extraction.usage.is_some() || extraction.error.is_some() || is_stream;
        // An error in the midst of a stream comes after output that is billed.
        let has_output = so_far.as_ref().is_some_and(|so_far| so_far.output_chars > 0);
        if refused || !has_answer || (extraction.error.is_some() && extraction.usage.is_none() && !has_output) {
            let is_refusal = refused || extraction.error.is_some();
            asked.error_class(extraction.error);
            return self.unanswered(&asked, is_refusal).map(|made| (made, Vec::new()));
        }
        let is_whole = so_far.as_ref().is_none_or(|so_far| so_far.is_final) && !extraction.partial;
        let counted = so_far.and_then(|so_far| so_far.output_counted);
        if !is_whole {
            // Before the request is given away.
            self.counted();
        }
        asked.request = self.request().take();
        let (mut first, inside) = asked.answered(&extraction)?;
        if !is_whole && extraction.iterations.is_empty() {
            self.complete(&mut first.call, &extraction, counted)?;
        }
        Ok((first, inside))
    }

    /// Fills in what a stream that broke off did not come to say.
    fn complete(
        &self,
        call: &mut Call,
        extraction: &Extraction,
        streamed: Option<tokenbook::request::TextCount>,
    ) -> Result<()> {
        call.partial = true;
        let stated = extraction.usage.as_ref().map(|measured| &measured.usage);
        let known = Known::of(stated, false, streamed, self.counted())?;
        if known.input.is_none() {
            return Ok(());
        }
        let usage = known.usage(known.output);
        if Some(&usage) != stated {
            call.exactness = Some(known.exactness().to_owned());
        }
        call.cost = match extraction.stated_cost_usd {
            Some(total_usd) => CallCost::Stated { total_usd },
            None => cost_of(call, &usage, None, &ops::price::catalog())?,
        };
        call.usage = Some(usage);
        Ok(())
    }

    /// The record of a call that got no answer: refused, it used nothing; else what it used is unknown.
    fn unanswered(&self, asked: &Asked, refused: bool) -> Result<Made> {
        let mut call = asked.call(self.at)?;
        if call.outcome == Outcome::Success {
            call.outcome = Outcome::Error;
        }
        if refused {
            call.usage = Some(Usage::new());
            call.cost = CallCost::Priced { total_usd: Usd::ZERO, price: None };
        } else {
            call.cost = CallCost::Unpriced { reason: "no answer came, so what was used is unknown".to_owned() };
        }
        Ok(Made::as_given(call))
    }
}

/// A call whose meter is given up is still a call: what was streamed is recorded when the writer gets to it.
impl Drop for Meter {
    fn drop(&mut self) {
        let Some(mut state) = self.lock().take() else { return };
        let record = || {
            let ledger = self.book.ledger()?;
            ledger.live_remove(&self.id);
            let_go(&ledger, state.held.take().map(|held| held.id));
            if state.events > 0 {
                ledger.record_queued(self.calls(state, None, false)?.0.call)?;
            }
            Ok(())
        };
        // Nobody is left to be told of a failure; a panic must not leave a destructor.
        drop(guard(record));
    }
}

/// A call that has ended and is on its way into the ledger.
pub(crate) struct Sent {
    ledger: Ledger,
    held: Option<Count>,
    first: Underway,
    inside: Vec<Made>,
    call: Call,
}

impl Sent {
    /// Waits until the call is recorded, and those inside it.
    pub(crate) fn wait(self) -> Result<Recorded> {
        let Self { ledger, held, first, inside, call } = self;
        // What can't be recorded must not stay put aside.
        let done = first.wait(&ledger).inspect_err(|_| let_go(&ledger, held))?;
        inside.into_iter().try_for_each(|made| made.record(&ledger).map(drop))?;
        PAST.remember(&call);
        Ok(done)
    }
}

/// Lets go what was put aside for a call.
fn let_go(ledger: &Ledger, held: Option<Count>) {
    if let Some(hold) = held {
        drop(ledger.void(hold));
    }
}

/// A running call as those who watch see it.
fn live(id: &str, call: &Call) -> LiveCall {
    LiveCall {
        provider: call.provider.clone(),
        agent: call.agent.clone(),
        action: call.action.clone(),
        session: call.session.clone(),
        max_tokens: call.max_tokens,
        ..LiveCall::new(id, call.at, &call.model)
    }
}

/// The price of a usage, where it has one.
fn price(call: &Call, usage: &Usage) -> Option<Usd> {
    cost_of(call, usage, None, &ops::price::catalog()).ok()?.total_usd()
}

/// An id for a call that its provider gave none: two of them are two calls, however alike.
fn unique_id() -> String {
    static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(|| [RandomState::new(), RandomState::new()]);
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let seed = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed), clock::now().map_or(0, Timestamp::ms));
    format!("tb_{:016x}{:016x}", KEYS[0].hash_one(seed), KEYS[1].hash_one(seed))
}

#[cold]
fn ended() -> Error {
    Error::invalid("the call has ended")
}
