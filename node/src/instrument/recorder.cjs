'use strict';
// One recorder for each ledger: opens and ends the meters of calls, and keeps every failure of its own away from the calls.

const { once } = require('./once.cjs');
const { wait, settled } = require('../pending.cjs');

/** Ledgers opened by their path. */
const byPath = new Map();
const recorders = new WeakMap();
/** Calls that have not ended, of all ledgers: the end of the process ends them. */
const open = new Set();

const TICK_MS = 100;

const installExit = once(() => {
  process.on('exit', () => {
    for (const call of open) call.endNow();
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
  #meter;
  #options;
  #lastTick = 0;
  #hasTold = false;
  #forget;
  #known;
  #done;

  constructor(recorder, meter, options) {
    this.#recorder = recorder;
    this.#meter = meter;
    this.#options = options;
    open.add(this);
    recorder.counts.open += 1;
  }

  get hasEnded() {
    return this.#done !== undefined;
  }

  /** Puts aside what the call may cost; throws `budget_exceeded`. */
  async reserve() {
    try {
      await this.#meter.reserve();
    } catch (error) {
      if (error?.code === 'budget_exceeded') {
        this.end({ refused: true, error_class: 'budget_exceeded' });
        throw error;
      }
      this.#recorder.failed(error, this.#options);
    }
  }

  /** Takes bytes of the answer; throws `budget_exceeded` and nothing else. */
  push(bytes) {
    this.#take(() => this.#meter.push(bytes));
  }

  /** Takes a decoded event of the answer. */
  pushEvent(event) {
    this.#take(() => this.#meter.pushEvent(event));
  }

  #take(work) {
    if (this.#done !== undefined) return;
    this.#hasTold = true;
    try {
      work();
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

  /** Ends the call: exactly one record, whoever ends it first. */
  end(known = {}) {
    if (this.#done !== undefined) return this.#done;
    if (this.#hasTold) this.#tick(true);
    this.#forget?.();
    this.#recorder.counts.open -= 1;
    const finished = (async () => this.#meter.finish(known))();
    this.#done = finished.then(
      (metered) => {
        open.delete(this);
        this.#recorder.counts.recorded += 1;
        return metered;
      },
      (error) => {
        open.delete(this);
        this.#recorder.failed(error, this.#options);
        return undefined;
      },
    );
    this.#recorder.await(this.#done);
    return this.#done;
  }

  /** Ends a call whose answer did not come whole. */
  cut(how) {
    if (this.#done !== undefined) return;
    const isFinal = this.#progress()?.is_final === true;
    // A caller who has enough has not failed; and what has all its figures lacks nothing.
    if (isFinal || how === 'cancelled') this.end({});
    else this.end({ outcome: 'error', error_class: how });
  }

  #progress() {
    try {
      return this.#meter.progress();
    } catch (error) {
      this.#recorder.failed(error, this.#options);
      return undefined;
    }
  }

  /** Ends the call with what is known once the caller has gone on. */
  endLater(known) {
    this.#known = known;
    this.#recorder.later(() => this.end(known));
  }

  /** Ends the call when the signal aborts, if nothing else has by then. */
  endsWith(signal) {
    const onAbort = () => this.#recorder.later(() => this.cut('aborted'));
    signal.addEventListener('abort', onAbort, { once: true });
    this.#forget = () => signal.removeEventListener('abort', onAbort);
  }

  /** Ends the call while the process does: no promise settles any more. */
  endNow() {
    open.delete(this);
    try {
      this.#meter.finishSync(this.#known ?? {});
    } catch {
      // Nobody is left to tell.
    }
  }
}

/** What a ledger's instrumentations share. */
class Recorder {
  book;
  counts = { open: 0, recorded: 0, failed: 0 };
  lastError;
  #hasReported = false;

  constructor(book) {
    this.book = book;
  }

  /** Opens the meter of a call; `undefined` where that fails, and then the call goes on without. */
  open(args, options) {
    try {
      return new MeteredCall(this, this.book.meter(args), options);
    } catch (error) {
      this.failed(error, options);
      return undefined;
    }
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
