'use strict';
// The package for CommonJS and, through index.js, for ESM. Every function is one operation of the core; what is decided
// here is only how JavaScript writes and reads it.

const { dirname, join } = require('node:path');
const native = require('./native.cjs');
const { TokenbookError, fromFault } = require('./errors.cjs');
const { stringify } = require('./json.cjs');
const { packed } = require('./packed.cjs');
const { settled } = require('./src/pending.cjs');

const DEFAULT_ENCODING = 'o200k_base';

const invalid = (message) => new TokenbookError('invalid_argument', message);

// Text of some kilobytes is handed over as bytes, in a place that is kept: half the time of a string.
const LONG_FROM = 1024;
const LONG_TO = 65_536;
const encoder = new TextEncoder();
let place;

function callLong(op, text) {
  place ??= new Uint8Array(3 * LONG_TO);
  return native.callBytes(op, place, encoder.encodeInto(text, place).written);
}

/** Runs an operation that needs no ledger. */
function call(op, args) {
  const text = stringify(args);
  try {
    const long = text.length >= LONG_FROM && text.length <= LONG_TO;
    return JSON.parse(long ? callLong(op, text) : native.call(op, text));
  } catch (error) {
    throw fromFault(error);
  }
}

async function callAsync(op, args) {
  const text = stringify(args);
  try {
    return JSON.parse(await native.callAsync(op, text));
  } catch (error) {
    throw fromFault(error);
  }
}

/** The encoding that the options name, directly or by a model. */
function encodingOf(options) {
  if (options === undefined || options === null) return DEFAULT_ENCODING;
  if (typeof options === 'object') {
    const { encoding, model } = options;
    if (encoding != null && model != null) throw invalid('expected an encoding or a model, got both');
    const name = encoding ?? model ?? DEFAULT_ENCODING;
    if (typeof name === 'string') return name;
  }
  throw invalid('expected options such as { model: "gpt-4o" } or { encoding: "o200k_base" }');
}

const textOf = (text) => {
  if (typeof text !== 'string') throw invalid(`text: expected a string, got ${text === null ? 'null' : typeof text}`);
  return text;
};

function count(text, options) {
  try {
    return native.count(textOf(text), encodingOf(options));
  } catch (error) {
    throw fromFault(error);
  }
}

function countUpTo(text, limit, options) {
  if (typeof limit !== 'number') throw invalid(`limit: expected a whole number from 0 to 9007199254740991, got ${String(limit)}`);
  try {
    return native.countUpTo(textOf(text), limit, encodingOf(options)) ?? undefined;
  } catch (error) {
    throw fromFault(error);
  }
}

// What a batch hands over at a time: enough to count on all cores, and so little that the event loop is soon free again.
const BATCH_UNITS = 1 << 22;

async function countBatch(texts, options) {
  if (!Array.isArray(texts)) throw invalid('texts: expected an array of strings');
  const all = texts.slice();
  for (let at = 0; at < all.length; at += 1) {
    const text = all[at];
    if (typeof text !== 'string') throw invalid(`texts[${at}]: expected a string, got ${text === null ? 'null' : typeof text}`);
  }
  const encoding = encodingOf(options);
  const counts = [];
  const add = (tokens) => {
    for (let at = 0; at < tokens.length; at += 1) counts.push(tokens[at]);
  };
  try {
    let [from, counting] = [0];
    do {
      let [to, units] = [from, 0];
      while (to < all.length && (to === from || units + all[to].length <= BATCH_UNITS)) units += all[to++].length;
      const part = all.slice(from, to);
      const lengths = new Uint32Array(part.length);
      for (let at = 0; at < part.length; at += 1) lengths[at] = part[at].length;
      // One string is handed over many times as fast as many. While it is counted the next one is made.
      const next = native.countBatch(part.join(''), lengths, encoding);
      next.catch(() => {});
      if (counting !== undefined) add(await counting);
      [from, counting] = [to, next];
    } while (from < all.length);
    add(await counting);
  } catch (error) {
    throw fromFault(error);
  }
  return counts;
}

const encode = (text, options) => call('encode', { text: textOf(text), encoding: encodingOf(options) }).tokens;
const decode = (tokens, options) => call('decode', { tokens, encoding: encodingOf(options) }).text;
const estimate = (args) => call('estimate', args);
const countRequest = (args) => {
  const counted = packed(args, native.countRequestPacked);
  return counted === undefined ? call('count_request', args) : JSON.parse(counted);
};
const attribute = (args) => call('attribute', args);
const extract = (args) => call('extract', args);
const cost = (args) => call('cost', args);
const costBatch = (args) => callAsync('cost_batch', args);
const pricesSearch = (args) => call('prices_search', args);
const pricesShow = (args) => call('prices_show', args);
const pricesOverride = (args = {}) => call('prices_override', args);
const pricesReplace = (args = {}) => call('prices_replace', args);
const pricesDiff = (args) => call('prices_diff', args);
const vocabularies = (args = {}) => call('vocabularies', args);
const version = () => call('version', {});
const ops = () => call('ops', {});

// Found once: a folder costs nothing until a count needs a file of it.
try {
  vocabularies({ folder: join(dirname(require.resolve('tokenbook-vocabularies/package.json')), 'data') });
} catch (error) {
  if (error?.code !== 'MODULE_NOT_FOUND') throw error;
}

/** Reads one streamed response as its bytes or events arrive. */
class UsageStream {
  #native;

  constructor(args) {
    const text = stringify(args);
    try {
      this.#native = new native.UsageStream(text);
    } catch (error) {
      throw fromFault(error);
    }
  }

  #run(work) {
    try {
      return work();
    } catch (error) {
      throw fromFault(error);
    }
  }

  /** Takes the next bytes as they came from the network, cut anywhere. */
  push(chunk) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#run(() => this.#native.push(bytes));
  }

  /** Takes the next event, already decoded. */
  pushEvent(event) {
    const text = stringify(event);
    this.#run(() => this.#native.pushEvent(text));
  }

  /** What is known so far. */
  soFar() {
    return this.#run(() => JSON.parse(this.#native.soFar()));
  }

  /** Ends the stream and tells what it used. */
  finish() {
    return this.#run(() => JSON.parse(this.#native.finish()));
  }
}

/** One call, from before it is sent until it is recorded. */
class Meter {
  #native;
  #book;

  constructor(made, book) {
    this.#native = made;
    this.#book = book;
  }

  #run(work) {
    try {
      return work();
    } catch (error) {
      throw fromFault(error);
    }
  }

  /** Takes the next bytes of the stream, cut anywhere. */
  push(chunk) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    this.#run(() => this.#native.push(bytes));
  }

  /** Takes the next event of the stream, already decoded. */
  pushEvent(event) {
    const text = stringify(event);
    this.#run(() => this.#native.pushEvent(text));
  }

  /** What is known so far. */
  progress() {
    return this.#run(() => JSON.parse(this.#native.progress()));
  }

  /** Whether any budget is for the call; told without waiting. For the instrumentations, as all names with this sign. */
  _hasBudget() {
    return this.#run(() => this.#native.hasBudget());
  }

  /** Gives up a call that was not sent: nothing is recorded, and what was put aside for it is let go. */
  void() {
    this.#native.void();
  }

  /** Puts the call's worst case aside in the budgets that it falls under. */
  async reserve() {
    try {
      return JSON.parse(await this.#native.reserve());
    } catch (error) {
      throw fromFault(error);
    }
  }

  /** Ends the call and records it. */
  async finish(args = {}) {
    const text = stringify(args);
    try {
      return JSON.parse(await this.#native.finish(text));
    } catch (error) {
      throw fromFault(error);
    }
  }

  /** Ends the call and records it before returning, for the end of a process. */
  finishSync(args = {}) {
    const text = stringify(args);
    return this.#run(() => JSON.parse(this.#native.finishSync(text)));
  }

  /** Ends the call; `_recordEnded` of its ledger records it. The body is handed over as the text that it is. */
  _end(args, body) {
    this.#book.end(this.#native, stringify(args), body);
  }
}

/** A durable ledger of calls in one file. */
class Ledger {
  #native;

  constructor(path, options = {}) {
    const text = stringify({ ...options, path });
    try {
      this.#native = new native.Ledger(text);
    } catch (error) {
      throw fromFault(error);
    }
  }

  async #call(op, args) {
    const text = stringify(args);
    // A question is about every call that has ended, also where its record is still on its way.
    if (!op.startsWith('record')) await settled(this);
    try {
      return JSON.parse(await this.#native.call(op, text));
    } catch (error) {
      throw fromFault(error);
    }
  }

  record(call) {
    return this.#call('record', call);
  }

  recordBatch(calls) {
    return this.#call('record_batch', { calls });
  }

  recordResponse(args) {
    return this.#call('record_response', args);
  }

  /** Starts metering one call, which was sent so long ago. */
  meter(args, ageMs = 0) {
    // A request that is text already is handed over as it is.
    const request = typeof args?.request === 'string' ? args.request : undefined;
    const text = stringify(request === undefined ? args : { ...args, request: undefined });
    try {
      return new Meter(native.Meter.open(this.#native, text, request, ageMs), this.#native);
    } catch (error) {
      throw fromFault(error);
    }
  }

  /** Whether there is any budget; told without waiting. */
  _hasBudgets() {
    return this.#native.hasBudgets();
  }

  /** Records the calls that have ended until now, and tells what became of them. */
  async _recordEnded() {
    return JSON.parse(await this.#native.recordEnded());
  }

  /** The same before returning. */
  _recordEndedSync() {
    return JSON.parse(this.#native.recordEndedSync());
  }

  get(id, args = {}) {
    return this.#call('get', { ...args, id });
  }

  list(args = {}) {
    return this.#call('list', args);
  }

  report(args = {}) {
    return this.#call('report', args);
  }

  overview(args = {}) {
    return this.#call('overview', args);
  }

  findings(args = {}) {
    return this.#call('findings', args);
  }

  whatIf(args) {
    return this.#call('what_if', args);
  }

  compare(args) {
    return this.#call('compare', args);
  }

  forecast(args = {}) {
    return this.#call('forecast', args);
  }

  verify() {
    return this.#call('verify', {});
  }

  prune(args) {
    return this.#call('prune', args);
  }

  snapshot(path) {
    return this.#call('snapshot', { path });
  }

  query(sql, args = {}) {
    return this.#call('query', { ...args, sql });
  }

  export(path, args = {}) {
    return this.#call('export', { ...args, path });
  }

  import(path, args = {}) {
    return this.#call('import', { ...args, path });
  }

  live() {
    return this.#call('live', {});
  }

  stats() {
    return this.#call('stats', {});
  }

  countRequest(args) {
    return this.#call('count_request_calibrated', args);
  }

  calibrations() {
    return this.#call('calibrations', {});
  }

  budgetSet(budget) {
    return this.#call('budget_set', budget);
  }

  async budgetRemove(name) {
    await this.#call('budget_remove', { name });
  }

  budgets(args = {}) {
    return this.#call('budgets', args);
  }

  reserve(args = {}) {
    return this.#call('reserve', args);
  }

  extend(hold_id, args = {}) {
    return this.#call('extend', { ...args, hold_id });
  }

  settle(hold_id, call) {
    return this.#call('settle', { hold_id, call });
  }

  void(hold_id) {
    return this.#call('void', { hold_id });
  }

  alertRules() {
    return this.#call('alert_rules', {});
  }

  alertRulesSet(rules) {
    return this.#call('alert_rules_set', typeof rules === 'string' ? { text: rules } : { rules });
  }

  alertsCheck(args = {}) {
    return this.#call('alerts_check', args);
  }

  alerts(args = {}) {
    return this.#call('alerts', args);
  }

  alertNotices(args = {}) {
    return this.#call('alert_notices', args);
  }

  async alertSilence(args) {
    await this.#call('alert_silence', args);
  }

  alertSinks(sinks) {
    return this.#call('alert_sinks', { sinks });
  }

  onAlert(listener, { every_ms = 1000 } = {}) {
    if (typeof listener !== 'function') throw invalid('listener: expected a function');
    let next;
    let busy = false;
    const look = async () => {
      if (busy) return;
      busy = true;
      try {
        const answer = await this.alertNotices(next === undefined ? {} : { after: next });
        next = answer.next;
        for (const notice of answer.notices) listener(notice);
      } catch (error) {
        // A ledger that was closed has nothing more to tell.
        if (error.code === 'unavailable') clearInterval(timer);
        else throw error;
      } finally {
        busy = false;
      }
    };
    const timer = setInterval(look, every_ms);
    timer.unref?.();
    const started = look();
    return Object.assign(() => clearInterval(timer), { started });
  }

  async close() {
    await this.#call('close', {});
  }
}

module.exports = {
  Ledger,
  TokenbookError,
  UsageStream,
  attribute,
  cost,
  costBatch,
  count,
  countBatch,
  countRequest,
  countUpTo,
  decode,
  encode,
  estimate,
  extract,
  ops,
  pricesDiff,
  pricesOverride,
  pricesReplace,
  pricesSearch,
  pricesShow,
  version,
  vocabularies,
};
