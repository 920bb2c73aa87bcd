'use strict';
// One recorder for each ledger: opens and ends the meters of calls, and keeps every failure of its own away from the calls.

const { TokenbookError } = require('../../errors.cjs');
const { once } = require('./once.cjs');
const { wait, settled } = require('../pending.cjs');

/** Ledgers opened by their path. */
const byPath = new Map();
const recorders = new WeakMap();
/** Calls that have not ended, of all ledgers: the end of the process ends them. */
const open = new Set();

const TICK_MS = 100;

/** Recorders with calls that have ended and are not recorded yet. */
const busy = new Set();

const installExit = once(() => {
  process.on('exit', () => {
    for (const call of open) call.endNow();
    for (const recorder of busy) recorder.recordNow();
  });
});

/** The class of an error: the words that records use, without the error's text. */
function classOf(error) {
  const code = error?.cause?.code ?? error?.code;
  if (error?.name === 'AbortError' || code === 'ABORT_ERR') return 'aborted';
  if (error?.name === 'TimeoutError' || /TIMEOUT|TIMEDOUT/.test(String(code))) return 'timeout';
  if (error?.code === 'budget_exceeded') return 'budget_exceeded';
  return 'connection_error';
}

/** The class of an HTTP status. */
function classOfStatus(status) {
  const named = { 400: 'invalid_request', 401: 'authentication', 403: 'permission', 404: 'not_found', 408: 'timeout', 409: 'conflict', 413: 'request_too_large', 422: 'invalid_request', 429: 'rate_limit', 503: 'unavailable', 504: 'timeout', 529: 'overloaded' };
  return named[status] ?? (status >= 500 ? 'server_error' : 'client_error');
}

/** One call from before it is sent to its record. */
class MeteredCall {
  #recorder;
  /** What the meter will be opened with; `undefined` once it is. */
  #args;
  #began = performance.now();
  #meter;
  #options;
  #lastTick = 0;
  #hasTold = false;
  #forget;
  #known;
  #hasEnded = false;

  constructor(recorder, args, options) {
    this.#recorder = recorder;
    this.#args = args;
    this.#options = options;
    open.add(this);
    recorder.counts.open += 1;
  }

  /**
   * The call's meter, which is opened when it is first needed: reading the request takes longer than all else here, and
   * needs not be done before the request is sent. `undefined` where it fails; then the call goes on without.
   */
  #opened() {
    if (this.#args !== undefined) {
      const args = this.#args;
      this.#args = undefined;
      try {
        this.#meter = this.#recorder.book.meter(args, Math.round(performance.now() - this.#began));
      } catch (error) {
        this.#close();
        this.#recorder.failed(error, this.#options);
      }
    }
    return this.#meter;
  }

  /** The request is under way: the time until its answer is for what needs not be done before. */
  sent() {
    setImmediate(() => this.#opened());
  }

  /** Whether a budget has to be asked first; told without waiting. */
  get hasBudget() {
    try {
      return this.#recorder.book._hasBudgets() && this.#opened()._hasBudget();
    } catch {
      // What is wrong with the ledger is told when the call is to be recorded.
      return false;
    }
  }

  /** Puts aside what the call may cost; throws `budget_exceeded`, and then there is no call: nothing is sent. */
  async reserve() {
    try {
      await this.#meter.reserve();
    } catch (error) {
      if (error?.code !== 'budget_exceeded') return this.#recorder.failed(error, this.#options);
      this.#close();
      this.#meter.void();
      throw error;
    }
  }

  /** Takes bytes of the answer; throws `budget_exceeded` and nothing else. */
  push(bytes) {
    this.#take((meter) => meter.push(bytes));
  }

  /** Takes a decoded event of the answer. */
  pushEvent(event) {
    this.#take((meter) => meter.pushEvent(event));
  }

  #take(work) {
    if (this.#hasEnded) return;
    const meter = this.#opened();
    if (meter === undefined) return;
    this.#hasTold = true;
    try {
      work(meter);
    } catch (error) {
      if (error?.code === 'budget_exceeded') throw error;
      this.#recorder.failed(error, this.#options);
    }
    this.#tick(false);
  }

  #tick(isLast) {
    const { onUsage, onUsageIntervalMs = TICK_MS } = this.#options;
    if (onUsage === undefined) return;
    const now = performance.now();
    if (!isLast && now - this.#lastTick < onUsageIntervalMs) return;
    this.#lastTick = now;
    try {
      onUsage(this.#meter.progress());
    } catch (error) {
      this.#recorder.failed(error, this.#options);
    }
  }

  /** It is open no more. */
  #close() {
    this.#hasEnded = true;
    open.delete(this);
    this.#forget?.();
    this.#recorder.counts.open -= 1;
  }

  /** Ends the call: exactly one record, whoever ends it first. */
  end(known = {}, body = undefined) {
    if (this.#hasEnded) return;
    const meter = this.#opened();
    if (meter === undefined) return;
    if (this.#hasTold) this.#tick(true);
    this.#close();
    try {
      meter._end(known, body);
    } catch (error) {
      this.#recorder.failed(error, this.#options);
      return;
    }
    this.#recorder.record(this.#options);
  }

  /** Ends a call whose answer did not come whole. */
  cut(how) {
    if (this.#hasEnded) return;
    const isFinal = this.#progress()?.is_final === true;
    // A caller who has enough has not failed; and what has all its figures lacks nothing.
    if (isFinal || how === 'cancelled') this.end({});
    else this.end({ outcome: 'error', error_class: how });
  }

  #progress() {
    try {
      return this.#opened()?.progress();
    } catch (error) {
      this.#recorder.failed(error, this.#options);
      return undefined;
    }
  }

  /** Ends the call with what is known once the caller has gone on. */
  endLater(known, body = undefined) {
    this.#known = [known, body];
    this.#recorder.later(() => this.end(known, body));
  }

  /** Ends the call when the signal aborts, if nothing else has by then. */
  endsWith(signal) {
    const onAbort = () => this.#recorder.later(() => this.cut('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    this.#forget = () => signal.removeEventListener('abort', onAbort);
  }

  /** Ends the call while the process does: what it was about to be told is all that it will be. */
  endNow() {
    const [known, body] = this.#known ?? [{}];
    this.end(known, body);
  }
}

/** What a ledger's instrumentations share. */
class Recorder {
  book;
  counts = { open: 0, recorded: 0, failed: 0 };
  lastError;
  #hasReported = false;
  #hasMore = false;
  /** How the latest call that ended wants failures to be told. */
  #options;

  constructor(book) {
    this.book = book;
  }

  /** A call that is about to be sent. */
  open(args, options) {
    return new MeteredCall(this, args, options);
  }

  /** Records a response that was read elsewhere. `isRead` says that it may have been recorded before, by another caller. */
  recordResponse(args, options, isRead = false) {
    const recorded = this.book.recordResponse(args).then(
      (answer) => {
        this.counts.recorded += 1;
        return answer;
      },
      (error) => {
        if (!isRead || error?.code !== 'conflict') this.failed(error, options);
        return undefined;
      },
    );
    this.await(recorded);
    return recorded;
  }

  /** Counts a failure of the ledger's, and tells of the first. */
  failed(error, { onError } = {}) {
    this.counts.failed += 1;
    this.lastError = error;
    if (this.#hasReported) return;
    this.#hasReported = true;
    try {
      if (onError === undefined) console.warn(`tokenbook: a call could not be recorded (told once): ${error?.message ?? error}`);
      else onError(error);
    } catch {
      // A reporter that fails must not fail the call.
    }
  }

  /** Records the calls that have ended, beside the program. Those that end meanwhile are recorded together after them. */
  record(options) {
    this.#options = options;
    this.#hasMore = true;
    if (busy.has(this)) return;
    busy.add(this);
    this.await(this.#recordAll());
  }

  async #recordAll() {
    try {
      while (this.#hasMore) {
        this.#hasMore = false;
        this.#count(await this.book._recordEnded());
      }
    } catch (error) {
      this.failed(error, this.#options);
    } finally {
      busy.delete(this);
    }
  }

  /** The same while the process ends: no promise settles any more. */
  recordNow() {
    try {
      this.#count(this.book._recordEndedSync());
    } catch {
      // Nobody is left to tell.
    }
  }

  #count({ recorded, faults }) {
    this.counts.recorded += recorded;
    for (const { code, message, details } of faults) this.failed(new TokenbookError(code, message, details), this.#options);
  }

  /** Runs `work` in the next turn of the event loop. */
  later(work) {
    this.await(
      new Promise((done) => {
        setImmediate(() => {
          work();
          done();
        });
      }),
    );
  }

  /** Lets the ledger's questions wait for a promise. */
  await(promise) {
    wait(this.book, promise);
  }

  /** Resolves when every call that has ended is recorded. */
  flush() {
    return settled(this.book);
  }
}

/** The ledger that the options name: an open one, or the path of one. */
function recorderOf(book, Ledger) {
  let opened = book;
  if (typeof book === 'string') {
    opened = byPath.get(book);
    if (opened === undefined) byPath.set(book, (opened = new Ledger(book)));
  }
  installExit();
  let recorder = recorders.get(opened);
  if (recorder === undefined) recorders.set(opened, (recorder = new Recorder(opened)));
  return recorder;
}

module.exports = { classOf, classOfStatus, recorderOf };
